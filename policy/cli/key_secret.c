/* Secrets of keys: a new one, as it is shown once, and that of a key which makes or edits others. */
#include <stdio.h>
#include <string.h>

#include "policy/cli/files.h"
#include "policy/cli/key.h"

int
gh_cli_key_presented(const gh_cli_t *cli, const char *file, gh_str_t *text)
{
    gh_error_t error = { 0 };

    if (gh_cli_read_input(cli->arena, file, GH_KEY_FOREIGN_MAX + 2, text, &error) != GH_OK) {
        return gh_cli_fail(cli, "--minter: %s", error.text);
    }
    while (text->len > 0 && (text->data[text->len - 1] == '\n' || text->data[text->len - 1] == '\r')) {
        text->len--;
    }
    return GH_EXIT_DONE;
}

int
gh_cli_key_minter_failed(const gh_cli_t *cli, const gh_error_t *error)
{
    return error->code != NULL && strcmp(error->code, "store_moved") == 0 ? gh_cli_fail_store(cli, error) : gh_cli_fail(cli, "--minter: %s", error->text);
}

int
gh_cli_key_by(const gh_cli_t *cli, gh_str_t by, gh_str_t *actor)
{
    *actor = gh_str_format(cli->arena, "%.*s (key %.*s)", GH_STR_ARG(*actor), GH_STR_ARG(by));
    return actor->data != NULL ? GH_EXIT_DONE : gh_cli_fail(cli, "out of memory");
}

int
gh_cli_key_secret(gh_store_t *store, gh_cli_key_secret_t *secret, gh_error_t *error)
{
    gh_str_t id = gh_str_from(secret->text);

    return gh_access_key_well_formed(id) ? gh_store_access_secret(store, id, secret->access_secret, error) : GH_OK;
}

void
gh_cli_key_secret_print(const gh_cli_key_secret_t *secret)
{
    if (secret->access_secret[0] != '\0') {
        printf("AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", secret->text, secret->access_secret);
    } else {
        printf("%s\n", secret->text);
    }
}

void
gh_cli_key_secret_json(const gh_cli_key_secret_t *secret, json_t *object)
{
    if (secret->access_secret[0] != '\0') {
        json_object_set_new(object, "access_key_id", json_string(secret->text));
        json_object_set_new(object, "secret_access_key", json_string(secret->access_secret));
    } else {
        json_object_set_new(object, "key", json_string(secret->text));
    }
}
