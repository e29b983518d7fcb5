/* `gatehouse key create`: a new API key, printed once and stored only as a keyed hash. */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "policy/cli/cli.h"
#include "policy/store/store_write.h"

#define DAY_MS   86400000ull
#define DAYS_MAX 36500

const char gh_cli_key_words[] =
    "API keys of applications. A key belongs to org/tenant/app of the tenants/1 document in force and is\n"
    "stored only as a keyed hash. Keys stand beside the revisions: no rollback revives a revoked one.\n";

/* "90d": from now; a day: to its end, UTC. *not_after_ms is the first instant at which the key is refused. */
static int
parse_expires(const gh_cli_t *cli, const char *text, uint64_t now_ms, uint64_t *not_after_ms)
{
    unsigned long days = 0;
    const char   *p = text;

    for ( ; isdigit((unsigned char) *p) && days <= DAYS_MAX; p++) {
        days = days * 10 + (unsigned long) (*p - '0');
    }

    if (p != text && strcmp(p, "d") == 0) {
        if (days == 0 || days > DAYS_MAX) {
            return gh_cli_misuse(cli, "--expires %s: from 1d to %dd", text, DAYS_MAX);
        }
        *not_after_ms = now_ms + days * DAY_MS;
        return GH_EXIT_DONE;
    }

    if (strlen(text) != 10 || gh_cli_time_parse(text, not_after_ms) != GH_OK) {
        return gh_cli_misuse(cli, "--expires %s is neither a day such as 2027-01-31 nor a number of days such as 90d", text);
    }

    *not_after_ms += DAY_MS;
    if (*not_after_ms <= now_ms) {
        return gh_cli_misuse(cli, "--expires %s is over already", text);
    }

    return GH_EXIT_DONE;
}

static int
print_json(const gh_cli_t *cli, const gh_store_key_new_t *key, const char *text)
{
    json_t *object = json_pack("{s:s, s:s%, s:s%, s:s%, s:s%}", "key", text,
        "org", key->org.data, key->org.len, "tenant", key->tenant.data, key->tenant.len,
        "app", key->app.data, key->app.len, "name", key->name.data, key->name.len);

    if (object == NULL) {
        return gh_cli_fail(cli, "out of memory");
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
print_key(const gh_cli_t *cli, const gh_store_key_new_t *key, const char *text)
{
    int status = GH_EXIT_DONE;

    if (gh_cli_flag(cli, "json")) {
        status = print_json(cli, key, text);
    } else {
        printf("%s\n", text);
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

static int
run(gh_cli_t *cli)
{
    gh_store_key_new_t key = { .name = gh_str_from(cli->arguments[1]), .now_ms = gh_cli_now_ms() };
    const char        *expires = gh_cli_value(cli, "expires");
    char               text[GH_KEY_TEXT + 1];
    gh_cli_path_t      path;
    gh_error_t         error = { 0 };
    gh_store_t        *store;
    int                status = GH_EXIT_DONE;

    if (gh_cli_path_parse(cli->arguments[0], 3, 3, &path, &error) != GH_OK) {
        return gh_cli_misuse(cli, "%s", error.text);
    }

    if (!gh_cli_name_ok(key.name)) {
        return gh_cli_misuse(cli, "\"%s\" is not a name for a key: a-z, 0-9 and \"-\", at most 63, not beginning with \"-\"",
            cli->arguments[1]);
    }

    if (expires != NULL && (status = parse_expires(cli, expires, key.now_ms, &key.not_after_ms)) != GH_EXIT_DONE) {
        return status;
    }

    key.org = path.org;
    key.tenant = path.tenant;
    key.app = path.app;
    key.actor = gh_cli_actor(cli);

    if (getrandom(key.random, sizeof(key.random), 0) != (ssize_t) sizeof(key.random)) {
        return gh_cli_fail(cli, "the system gives no random bytes: %s", strerror(errno));
    }

    store = gh_cli_store_open(cli, true);
    if (store == NULL) {
        return GH_EXIT_ERROR;
    }

    status = gh_store_key_create(store, &key, text, &error) == GH_OK ? print_key(cli, &key, text)
                                                                     : gh_cli_fail_store(cli, &error);
    gh_store_close(store);
    explicit_bzero(text, sizeof(text));
    explicit_bzero(key.random, sizeof(key.random));

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    { "expires", "WHEN", "YYYY-MM-DD (the last day, UTC) or Nd (days from now);\nwithout it the key does not expire", false },
    { "json", NULL, "prints an object with the key and its names", false },
    { 0 }
};

const gh_cli_command_t gh_cli_key_create = {
    .name = "key create",
    .usage = "ORG/TENANT/APP NAME [options]",
    .summary = "makes an API key for an app and prints it once",
    .help =
        "Prints a new API key, alone on the first line of standard output, and never again: the store keeps\n"
        "a keyed hash of it. Every worker knows the key at its next request. The app must be in the tenants/1\n"
        "document in force; a name that was used for a key before, revoked ones included, is not used again.",
    .options = options,
    .least = 2,
    .most = 2,
    .run = run,
};
