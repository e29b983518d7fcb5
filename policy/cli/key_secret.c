/* A new key's secret, as it is shown once. */
#include <stdio.h>
#include <string.h>

#include "policy/cli/key.h"

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
