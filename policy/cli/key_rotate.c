/* `gatehouse key rotate`: a new secret for a key, beside the old one for a while. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli/barrier.h"
#include "policy/cli/key.h"
#include "policy/cli/policy.h"

#define OVERLAP_MS (24 * 3600000ull)

static int
print(const gh_cli_t *cli, const gh_cli_barrier_t *barrier, const gh_store_key_rotate_t *rotate, const gh_cli_key_secret_t *secret)
{
    bool     overlaps = rotate->before_until_ms > rotate->now_ms;
    json_t  *object;

    if (gh_cli_flag(cli, "json")) {
        object = json_pack("{s:s}", "rotated", cli->arguments[0]);
        if (object != NULL) {
            gh_cli_key_secret_json(secret, object);
        }
        if (object != NULL && overlaps) {
            json_object_set_new(object, "before_until", json_string(gh_cli_time_text(cli->arena, rotate->before_until_ms)));
        }
        if (object != NULL && rotate->not_after_ms != 0) {
            json_object_set_new(object, "refused_from", json_string(gh_cli_time_text(cli->arena, rotate->not_after_ms)));
        }
        return gh_cli_print_json(cli, gh_cli_barrier_json(barrier, object));
    }
    gh_cli_key_secret_print(secret);
    gh_cli_barrier_print(barrier);

    return gh_cli_flush(cli);
}

static int
print_retired(const gh_cli_t *cli, const gh_cli_barrier_t *barrier, bool before)
{
    if (gh_cli_flag(cli, "json")) {
        return gh_cli_print_json(cli, gh_cli_barrier_json(barrier, json_pack("{s:s, s:b}", "retired", cli->arguments[0], "before", before)));
    }
    printf(before ? "%s has no other secret than the one in use\n" : "%s: the secret before is refused\n", cli->arguments[0]);
    gh_cli_barrier_print(barrier);

    return gh_cli_flush(cli);
}

static int
fail(const gh_cli_t *cli, gh_store_t *store, const gh_cli_path_t *path, const gh_error_t *error)
{
    int status = gh_cli_fail_store(cli, error);

    if (error->code != NULL && strcmp(error->code, "key_unknown") == 0) {
        gh_cli_key_advise(cli, store, path);
    } else if (error->code != NULL && strcmp(error->code, "key_rotating") == 0) {
        gh_cli_advise("gatehouse key rotate %s --finish%s   once nobody uses the old secret", cli->arguments[0], gh_cli_store_words(cli));
    }

    return status;
}

static int
rotate(gh_cli_t *cli, gh_store_t *store, gh_cli_barrier_t *barrier, const gh_cli_path_t *path, gh_store_key_rotate_t *rotate)
{
    gh_cli_key_secret_t secret = { 0 };
    gh_error_t          error = { 0 };
    int                 status, obeyed;

    if (gh_store_key_rotate(store, rotate, secret.text, &error) != GH_OK || gh_cli_key_secret(store, &secret, &error) != GH_OK) {
        return fail(cli, store, path, &error);
    }

    obeyed = gh_cli_barrier_obeyed(barrier, "the rotation");
    status = print(cli, barrier, rotate, &secret);
    explicit_bzero(&secret, sizeof(secret));
    if (status != GH_EXIT_DONE) {
        gh_cli_fail(cli, "the key was rotated but its new secret could not be printed, and nothing can print it again");
        gh_cli_advise("gatehouse key rotate %s --finish%s, and rotate it again", cli->arguments[0], gh_cli_store_words(cli));
        return GH_EXIT_ERROR;
    }
    if (rotate->before_until_ms > rotate->now_ms) {
        fprintf(stderr, "key %s rotated; the old secret works until %s at the latest; the new one is shown this once\n", cli->arguments[0],
            gh_cli_time_text(cli->arena, rotate->before_until_ms));
    } else {
        fprintf(stderr, "key %s rotated; the old secret is refused; the new one is shown this once\n", cli->arguments[0]);
    }

    return obeyed;
}

static int
finish(gh_cli_t *cli, gh_store_t *store, gh_cli_barrier_t *barrier, const gh_cli_path_t *path)
{
    gh_error_t error = { 0 };
    int        status, obeyed;
    bool       before = false;

    if (gh_store_key_retire(store, gh_str_from(cli->arguments[0]), gh_cli_now_ms(), gh_cli_actor(cli), &error) == GH_OK) {
        obeyed = gh_cli_barrier_obeyed(barrier, "the end of the rotation");
    } else if (error.code != NULL && strcmp(error.code, "key_not_rotating") == 0) {
        before = true;
        obeyed = gh_cli_barrier_again(barrier, "the end of the rotation");
    } else {
        return fail(cli, store, path, &error);
    }
    status = print_retired(cli, barrier, before);

    return status != GH_EXIT_DONE ? status : obeyed;
}

static int
run(gh_cli_t *cli)
{
    gh_store_key_rotate_t how = { .path = gh_str_from(cli->arguments[0]), .now_ms = gh_cli_now_ms(), .actor = gh_cli_actor(cli) };
    const char           *expires = gh_cli_value(cli, "expires"), *overlap = gh_cli_value(cli, "overlap");
    uint64_t              overlap_ms = OVERLAP_MS;
    gh_cli_barrier_t      barrier;
    gh_error_t            error = { 0 };
    gh_cli_path_t         path;
    gh_store_t           *store;
    int                   status;

    if (gh_cli_path_parse(cli->arguments[0], 4, 4, &path, &error) != GH_OK) {
        return gh_cli_misuse(cli, "%s", error.text);
    }
    if (gh_cli_flag(cli, "finish") && (expires != NULL || overlap != NULL)) {
        return gh_cli_misuse(cli, "--finish makes no new secret: --expires and --overlap say nothing then");
    }
    if (expires != NULL && gh_cli_key_expires(expires, how.now_ms, &how.not_after_ms, &error) != GH_OK) {
        return gh_cli_misuse(cli, "--expires %s", error.text);
    }
    if (overlap != NULL && gh_cli_key_span(overlap, &overlap_ms, &error) != GH_OK) {
        return gh_cli_misuse(cli, "--overlap %s", error.text);
    }

    how.expires = expires != NULL;
    how.before_until_ms = overlap_ms == 0 ? 0 : how.now_ms + overlap_ms;
    if (gh_cli_key_random(cli, how.random) != GH_EXIT_DONE || (store = gh_cli_store_open(cli, true)) == NULL) {
        return GH_EXIT_ERROR;
    }

    status = gh_cli_barrier_begin(cli, store, &barrier);
    if (status == GH_EXIT_DONE) {
        status = gh_cli_flag(cli, "finish") ? finish(cli, store, &barrier, &path) : rotate(cli, store, &barrier, &path, &how);
        gh_cli_barrier_end(&barrier);
    }
    gh_store_close(store);
    explicit_bzero(how.random, sizeof(how.random));

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    { "overlap", "TIME", "how long the old secret works on: 15m, 24h, 7d; 0: no longer (default: 24h)", false },
    { "expires", "WHEN", "YYYY-MM-DD (the last day, UTC) or Nd (days from now); without\nit the new secret ends when the old one would have", false },
    { "finish", NULL, "makes no secret: ends the one before the present one now", false },
    GH_CLI_BARRIER_OPTIONS,
    { "json", NULL, "prints an object: rotated, key (or access_key_id, secret_access_key), before_until, refused_from (with\n--finish: retired, before), obeyed, workers, cut, finishing, waiting", false },
    { 0 }
};

const gh_cli_command_t gh_cli_key_rotate = {
    .name = "key rotate",
    .usage = "ORG/TENANT/APP/NAME [options]",
    .summary = "gives a key a new secret, beside the old one for a while",
    .help =
        "Prints a new secret for the key, alone on the first line of standard output, and never again. Both are the\n"
        "same key: name, owner, classes, limits and what is used of them stay. At most two secrets of a key work at a\n"
        "time: a rotation has to end before the next begins, by --overlap or --finish.",
    .options = options,
    .exits = GH_CLI_BARRIER_EXITS,
    .least = 1,
    .most = 1,
    .run = run,
};
