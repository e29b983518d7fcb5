/* Names of organisations, tenants, apps and keys as people type them. */
#include <string.h>

#include "policy/cli/cli.h"

bool
gh_cli_name_ok(gh_str_t name)
{
    if (name.len == 0 || name.len > 63 || name.data[0] == '-') {
        return false;
    }

    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }

    return true;
}

int
gh_cli_path_parse(const char *text, unsigned least, unsigned most, gh_cli_path_t *path, gh_error_t *error)
{
    static const char *const shapes[] = { "", "org", "org/tenant", "org/tenant/app", "org/tenant/app/NAME" };
    gh_str_t                *parts[4] = { &path->org, &path->tenant, &path->app, &path->key };
    unsigned                 count = 0;

    *path = (gh_cli_path_t) { 0 };

    for (const char *p = text; ; ) {
        const char *slash = strchr(p, '/');
        gh_str_t    name = { p, slash ? (size_t) (slash - p) : strlen(p) };

        if (count == most) {
            return gh_error_set(error, "name", "%s has too many parts: %s is expected", text, shapes[most]);
        }

        if (!gh_cli_name_ok(name)) {
            return gh_error_set(error, "name", "\"%.*s\" in %s is not a name: a-z, 0-9 and \"-\", at most 63, not beginning "
                "with \"-\"; %s is expected", GH_STR_ARG(name), text, shapes[most]);
        }

        *parts[count++] = name;
        if (slash == NULL) {
            break;
        }
        p = slash + 1;
    }

    if (count < least) {
        return gh_error_set(error, "name", "%s has too few parts: %s is expected", text, shapes[least]);
    }

    return GH_OK;
}
