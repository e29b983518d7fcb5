/* `gatehouse key revoke`: a key stops working at the next request of every worker, for ever. */
#include <stdio.h>
#include <string.h>

#include "policy/cli/barrier.h"
#include "policy/cli/key.h"
#include "policy/cli/policy.h"

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
            gh_cli_key_advise(cli, store, &path);
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
        "are ended, with every secret that it has while it is being rotated. It cannot be brought back, by a rollback neither; create another one with another name.",
    .options = options,
    .exits = GH_CLI_BARRIER_EXITS,
    .least = 1,
    .most = 1,
    .run = run,
};
