#include "policy/cli/edit.h"

#include <stdlib.h>
#include <string.h>

/* ---- what the options say ---- */

int
gh_cli_scope(gh_cli_t *cli, gh_scope_t *scope)
{
    const char *organisation = gh_cli_value(cli, "organisation");

    *scope = (gh_scope_t) { .kind = GH_SCOPE_ALL };

    if (gh_cli_flag(cli, "gateway")) {
        if (organisation != NULL) {
            return gh_cli_misuse(cli, "give --organisation or --gateway, not both");
        }
        scope->kind = GH_SCOPE_GATEWAY;

    } else if (organisation != NULL) {
        scope->kind = GH_SCOPE_ORGANISATION;
        scope->organisation = gh_str_from(organisation);

        if (!gh_cli_name_ok(scope->organisation)) {
            return gh_cli_misuse(cli, "--organisation %s is not a name: a small letter or digit, then at most 62 of a-z 0-9 -",
                organisation);
        }
    }

    return GH_EXIT_DONE;
}

int
gh_cli_number(gh_cli_t *cli, const char *before, const char *text, const char *kind, uint64_t *number)
{
    char *end;

    *number = strtoull(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || strlen(text) > 18) {
        return gh_cli_misuse(cli, "%s%s is not %s", before, text, kind);
    }

    return GH_EXIT_DONE;
}

/* ---- reading a directory ---- */

/* An organisation's documents are kept below its name; messages go on calling them what the editor calls them. */
static int
rename_sources(gh_cli_t *cli, gh_cli_edit_t *edit)
{
    gh_cli_documents_t *documents = &edit->documents;
    const char        **names = gh_arena_array(cli->arena, documents->count, sizeof(*names));

    if (names == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }

    for (size_t i = 0; i < documents->count; i++) {
        gh_str_t name = documents->sources[i].path;
        gh_str_t full = gh_str_format(cli->arena, "%s%.*s", documents->prefix, GH_STR_ARG(name));

        documents->sources[i].path = gh_scope_path(cli->arena, &edit->scope, name);
        if (full.data == NULL || documents->sources[i].path.data == NULL) {
            return gh_cli_fail(cli, "out of memory");
        }
        names[i] = full.data;
    }
    documents->shown = names;

    return GH_EXIT_DONE;
}

int
gh_cli_edit_read(gh_cli_t *cli, const char *directory, gh_cli_edit_t *edit)
{
    const char *base = gh_cli_value(cli, "base");
    int         status;

    *edit = (gh_cli_edit_t) { .based = base != NULL };

    status = gh_cli_scope(cli, &edit->scope);
    if (status == GH_EXIT_DONE && base != NULL) {
        status = gh_cli_number(cli, "--base ", base, GH_CLI_A_REVISION, &edit->base);
    }
    if (status == GH_EXIT_DONE) {
        status = gh_cli_documents_read(cli, directory, &edit->documents);
    }
    if (status == GH_EXIT_DONE && edit->scope.kind != GH_SCOPE_ALL) {
        status = rename_sources(cli, edit);
    }

    return status;
}
