/* `gatehouse key create`: a new API key, printed once and stored only as a keyed hash. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli/key.h"

static int
print_json(const gh_cli_t *cli, const gh_store_key_new_t *key, const gh_cli_key_secret_t *secret)
{
    json_t *object = json_pack("{s:s%, s:s%, s:s%, s:s%}", "org", key->org.data, key->org.len, "tenant", key->tenant.data, key->tenant.len,
        "app", key->app.data, key->app.len, "name", key->name.data, key->name.len);

    if (object != NULL) {
        gh_cli_key_secret_json(secret, object);
    }

    if (object == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }

    if (key->owner.len != 0) {
        json_object_set_new(object, "owner", json_stringn(key->owner.data, key->owner.len));
    }

    if (key->not_after_ms != 0) {
        json_object_set_new(object, "refused_from", json_string(gh_cli_time_text(cli->arena, key->not_after_ms)));
    }

    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);

    return GH_EXIT_DONE;
}

static int
print_key(const gh_cli_t *cli, const gh_store_key_new_t *key, const gh_cli_key_secret_t *secret)
{
    int status = GH_EXIT_DONE;

    if (gh_cli_flag(cli, "json")) {
        status = print_json(cli, key, secret);
    } else {
        gh_cli_key_secret_print(secret);
    }

    if (status != GH_EXIT_DONE || gh_cli_flush(cli) != GH_EXIT_DONE) {
        gh_cli_fail(cli, "the key was made but could not be printed, and nothing can print it again");
        gh_cli_advise("gatehouse key revoke %s/%.*s%s, and create one with another name", cli->arguments[0],
            GH_STR_ARG(key->name), gh_cli_store_words(cli));
        return GH_EXIT_ERROR;
    }

    fprintf(stderr, "key %s/%.*s made%s%s; it is shown this once\n", cli->arguments[0], GH_STR_ARG(key->name),
        key->not_after_ms ? ", refused from " : "",
        key->not_after_ms ? gh_cli_time_text(cli->arena, key->not_after_ms) : "");

    return GH_EXIT_DONE;
}

/* What the new key is to be. *minted stays as long as *key. */
static void
take(gh_store_key_new_t *key, const gh_minted_t *minted)
{
    key->mints = minted->mints;
    key->classes = minted->classes;
    key->places = minted->places;
    key->models = minted->models;
    key->limits = minted->limits.items;
    key->limit_count = minted->limits.count;
    key->not_after_ms = minted->not_after_ms;
    key->audit_required = minted->audit_required;
}

/* Holds what is asked for against the key in a file, or on standard input, that makes it. */
static int
within_minter(const gh_cli_t *cli, gh_store_t *store, const char *file, gh_minted_t *minted, gh_store_key_new_t *key)
{
    gh_error_t error = { 0 };
    gh_str_t   text, by;
    int        rc;

    if (gh_cli_key_presented(cli, file, &text) != GH_EXIT_DONE) {
        return GH_EXIT_ERROR;
    }
    rc = gh_store_mint(store, text, gh_str_from(cli->arguments[0]), key->now_ms, cli->arena, minted, &by, &key->seen_change, &error);
    explicit_bzero((char *) text.data, text.len);
    if (rc != GH_OK) {
        return gh_cli_key_minter_failed(cli, &error);
    }
    take(key, minted);
    key->minter = by;
    return gh_cli_key_by(cli, by, &key->actor);
}

static int
run(gh_cli_t *cli)
{
    gh_store_key_new_t key = { .name = gh_str_from(cli->arguments[1]), .now_ms = gh_cli_now_ms() };
    const char        *expires = gh_cli_value(cli, "expires"), *owner = gh_cli_value(cli, "owner"), *minter = gh_cli_value(cli, "minter");
    gh_minted_t        minted = { 0 };
    gh_cli_key_secret_t secret = { 0 };
    gh_cli_path_t      path;
    gh_error_t         error = { 0 };
    gh_store_t        *store;
    int                status = GH_EXIT_DONE;

    if (gh_cli_path_parse(cli->arguments[0], 3, 3, &path, &error) != GH_OK) {
        return gh_cli_misuse(cli, "%s", error.text);
    }

    key.owner = owner ? gh_str_from(owner) : GH_STR("");
    if (!gh_cli_name_ok(key.name)) {
        return gh_cli_misuse(cli, "\"%s\" is not a name for a key: a-z, 0-9 and \"-\", at most 63, not beginning with \"-\"",
            cli->arguments[1]);
    }

    if (expires != NULL && gh_cli_key_expires(expires, key.now_ms, &minted.not_after_ms, &error) != GH_OK) {
        return gh_cli_misuse(cli, "--expires %s", error.text);
    }

    if (!gh_key_owner_ok(key.owner)) {
        return gh_cli_misuse(cli, "--owner: UTF-8 without control characters, at most %d bytes", GH_KEY_OWNER_MAX);
    }

    key.org = path.org;
    key.tenant = path.tenant;
    key.app = path.app;
    key.actor = gh_cli_actor(cli);
    key.access_key = gh_cli_flag(cli, "aws");

    status = gh_cli_key_asked(cli, &minted);
    if (status != GH_EXIT_DONE) {
        return status;
    }
    take(&key, &minted);

    if (gh_cli_key_random(cli, key.random) != GH_EXIT_DONE || (store = gh_cli_store_open(cli, true)) == NULL) {
        return GH_EXIT_ERROR;
    }

    status = minter != NULL ? within_minter(cli, store, minter, &minted, &key) : GH_EXIT_DONE;
    if (status == GH_EXIT_DONE) {
        status = gh_store_key_create(store, &key, secret.text, &error) == GH_OK && gh_cli_key_secret(store, &secret, &error) == GH_OK
            ? print_key(cli, &key, &secret) : gh_cli_fail_store(cli, &error);
    }
    gh_store_close(store);
    explicit_bzero(&secret, sizeof(secret));
    explicit_bzero(key.random, sizeof(key.random));

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    { "expires", "WHEN", "YYYY-MM-DD (the last day, UTC) or Nd (days from now);\nwithout it the key does not expire", false },
    { "owner", "TEXT", "whom to ask about it: a name, an address", false },
    GH_CLI_KEY_OPTIONS,
    { "minter", "FILE", "a file (\"-\": standard input) with the key that makes this one: it may do no\nmore than its minter, now and after edits of that, ends no later and is revoked with it", false },
    { "aws", NULL, "an access key, for SDKs of AWS that sign: id and secret, as variables of the environment", false },
    { "json", NULL, "prints an object with the key and its names", false },
    { 0 }
};

const gh_cli_command_t gh_cli_key_create = {
    .name = "key create",
    .usage = "ORG/TENANT/APP NAME [options]",
    .summary = "makes an API key for an app and prints it once",
    .help =
        "Prints a new API key, alone on the first line of standard output, and never again: the store keeps\n"
        "a keyed hash of it. With --aws it prints the two lines AWS_ACCESS_KEY_ID=... and AWS_SECRET_ACCESS_KEY=...: nothing of the\n"
        "secret is stored then, it follows from the store's own key and the id. Every worker knows the key at its next request. The app must be in the tenants/1\n"
        "document in force; a name that was used for a key before, revoked ones included, is not used again. A key may do what its app\n"
        "may; what is said of the key itself only takes away: a class more is held to more rules, places, models and limits narrow what its app has. What would\n"
        "be more than its app has is refused. A rotated key keeps all of it.",
    .options = options,
    .least = 2,
    .most = 2,
    .run = run,
};
