/* `gatehouse policy wait`: what an edit ends with, again. */
#include <stdio.h>

#include "policy/cli/barrier.h"
#include "policy/cli/policy.h"

static int
print(gh_cli_t *cli, const gh_cli_barrier_t *barrier, uint64_t revision, int status)
{
    int printed;

    if (gh_cli_flag(cli, "json")) {
        printed = gh_cli_print_json(cli, gh_cli_barrier_json(barrier, json_pack("{s:I}", "revision", (json_int_t) revision)));
    } else {
        printf("revision %llu\n", (unsigned long long) revision);
        gh_cli_barrier_print(barrier);
        printed = gh_cli_flush(cli);
    }
    return printed != GH_EXIT_DONE ? printed : status;
}

static int
run(gh_cli_t *cli)
{
    gh_cli_barrier_t barrier;
    gh_store_t      *store;
    gh_error_t       error = { 0 };
    gh_str_t         what;
    uint64_t         revision = 0;
    int              status;

    store = gh_cli_store_open(cli, false);
    if (store == NULL) {
        return GH_EXIT_ERROR;
    }
    status = gh_cli_barrier_begin(cli, store, &barrier);
    if (status == GH_EXIT_DONE) {
        if (gh_store_revision_number(store, &revision, &error) != GH_OK) {
            status = gh_cli_fail_store(cli, &error);
        } else {
            what = gh_str_format(cli->arena, "revision %llu", (unsigned long long) revision);
            status = print(cli, &barrier, revision, gh_cli_barrier_again(&barrier, what.data ? what.data : "the policy"));
        }
        gh_cli_barrier_end(&barrier);
    }
    gh_store_close(store);
    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_BARRIER_OPTIONS,
    { "json", NULL, "prints an object: revision, obeyed, workers, cut, finishing, waiting", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_wait = {
    .name = "policy wait",
    .usage = "[options]",
    .summary = "waits until every worker obeys the policy in force",
    .help =
        "Waits as `policy apply` does, for the newest edit there is: until no worker sends anything under an\n"
        "older one, and every running dispatch was judged by it. For use after an edit that ended with exit\n"
        "code 3, or before something that relies on all workers.\n",
    .options = options,
    .exits = GH_CLI_BARRIER_EXITS,
    .least = 0,
    .most = 0,
    .run = run,
};
