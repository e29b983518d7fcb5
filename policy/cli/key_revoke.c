/* `gatehouse key revoke`: a key stops working at the next request of every worker, for ever. */
#include <stdio.h>
#include <string.h>

#include "policy/cli/barrier.h"
#include "policy/cli/policy.h"
#include "policy/store/store_write.h"

#define NEAR_KEYS 10000

/* The key of the same app whose name is nearest, or none. */
static gh_str_t
nearest(const gh_cli_t *cli, gh_store_t *store, const gh_cli_path_t *path)
{
    gh_str_t        below = gh_str_format(cli->arena, "%.*s/%.*s/%.*s", GH_STR_ARG(path->org), GH_STR_ARG(path->tenant),
        GH_STR_ARG(path->app));
    gh_store_key_t *keys;
    gh_str_t       *names;
    gh_error_t      error = { 0 };
    size_t          count, live = 0;

    if (below.data == NULL
        || gh_store_key_list(store, below, gh_cli_now_ms(), cli->arena, &keys, &count, &error) != GH_OK
        || (names = gh_arena_array(cli->arena, count, sizeof(gh_str_t))) == NULL)
    {
        return GH_STR("");
    }

    for (size_t i = 0; i < count && live < NEAR_KEYS; i++) {
        if (keys[i].state != GH_KEY_REVOKED) {
            names[live++] = keys[i].name;
        }
    }

    return gh_str_nearest(path->key, names, live);
}

static void
advise(const gh_cli_t *cli, gh_store_t *store, const gh_cli_path_t *path)
{
    gh_str_t near = nearest(cli, store, path);

    if (near.len > 0) {
        gh_cli_advise("did you mean %.*s/%.*s/%.*s/%.*s?", GH_STR_ARG(path->org), GH_STR_ARG(path->tenant),
            GH_STR_ARG(path->app), GH_STR_ARG(near));
    }
    gh_cli_advise("gatehouse key list%s", gh_cli_store_words(cli));
}

static int
print(const gh_cli_t *cli, const gh_cli_barrier_t *barrier, bool before)
{
    if (gh_cli_flag(cli, "json")) {
        return gh_cli_print_json(cli, gh_cli_barrier_json(barrier, json_pack("{s:s, s:b}", "revoked", cli->arguments[0], "before", before)));
    }
    printf(before ? "%s was revoked before\n" : "revoked %s\n", cli->arguments[0]);
    gh_cli_barrier_print(barrier);

    return gh_cli_flush(cli);
}

static int
run(gh_cli_t *cli)
{
    gh_error_t    error = { 0 };
    gh_cli_path_t path;
    gh_cli_barrier_t barrier;
    gh_store_t   *store;
    int           status, obeyed;

    if (gh_cli_path_parse(cli->arguments[0], 4, 4, &path, &error) != GH_OK) {
        return gh_cli_misuse(cli, "%s", error.text);
    }

    store = gh_cli_store_open(cli, true);
    if (store == NULL) {
        return GH_EXIT_ERROR;
    }

    status = gh_cli_barrier_begin(cli, store, &barrier);
    if (status != GH_EXIT_DONE) {
        gh_store_close(store);
        return status;
    }

    status = gh_store_key_revoke(store, gh_str_from(cli->arguments[0]), gh_cli_now_ms(), gh_cli_actor(cli), &error);

    if (status == GH_OK) {
        obeyed = gh_cli_barrier_obeyed(&barrier, "the revocation");
        status = print(cli, &barrier, false);
        status = status != GH_EXIT_DONE ? status : obeyed;

    } else if (error.code != NULL && strcmp(error.code, "key_revoked") == 0) {
        /* what was asked for is so, or will be when every worker has seen it */
        obeyed = gh_cli_barrier_again(&barrier, "the revocation");
        status = print(cli, &barrier, true);
        status = status != GH_EXIT_DONE ? status : obeyed;

    } else {
        status = gh_cli_fail_store(cli, &error);
        if (error.code != NULL && strcmp(error.code, "key_unknown") == 0) {
            advise(cli, store, &path);
        }
    }

    gh_cli_barrier_end(&barrier);
    gh_store_close(store);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_BARRIER_OPTIONS,
    { "json", NULL, "prints an object: revoked, before, obeyed, workers, cut, finishing, waiting", false },
    { 0 }
};

const gh_cli_command_t gh_cli_key_revoke = {
    .name = "key revoke",
    .usage = "ORG/TENANT/APP/NAME [options]",
    .summary = "ends a key at once and for ever",
    .help =
        "When the command is done every worker refuses the key, and requests made with it that were under way\n"
        "are ended. It cannot be brought back, by a rollback neither; create another one with another name.",
    .options = options,
    .exits = GH_CLI_BARRIER_EXITS,
    .least = 1,
    .most = 1,
    .run = run,
};
