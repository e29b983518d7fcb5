#include "policy/cli/counters.h"

#include <string.h>

#include "policy/store/store_write.h"

static int
fail_ledger(gh_cli_t *cli, const gh_error_t *error)
{
    gh_cli_fail_error(cli, error);
    if (strcmp(error->code, "ledger_denied") == 0) {
        gh_cli_advise("run this as root, or as the owner or the group of %s", gh_cli_ledger(cli));
    } else {
        gh_cli_advise("gatehouse init%s", gh_cli_init_words(cli));
    }
    return GH_EXIT_ERROR;
}

/* The ids stand in the head of the store, which is read for them. */
static int
check_ids(gh_cli_counters_t *counters)
{
    gh_error_t error = { 0 };
    uint64_t   revision;
    unsigned   tries = 0;

    while (gh_store_revision_number(counters->store, &revision, &error) != GH_OK) {
        if (!gh_cli_again(&error, &tries)) {
            return gh_cli_fail_store(counters->cli, &error);
        }
    }
    if (gh_ledger_check(counters->ledger, gh_store_id(counters->store), gh_store_ledger_id(counters->store), &error) != GH_OK) {
        return fail_ledger(counters->cli, &error);
    }
    return GH_EXIT_DONE;
}

int
gh_cli_counters_open(gh_cli_t *cli, gh_cli_counters_t *counters)
{
    gh_error_t error = { 0 };
    int        status;

    *counters = (gh_cli_counters_t) { .cli = cli, .now_ms = gh_cli_now_ms() };
    counters->store = gh_cli_store_open(cli, false);
    if (counters->store == NULL) {
        return GH_EXIT_ERROR;
    }
    counters->ledger = gh_ledger_open(gh_cli_ledger(cli), false, &error);
    status = counters->ledger == NULL ? fail_ledger(cli, &error) : check_ids(counters);
    if (status != GH_EXIT_DONE) {
        gh_cli_counters_close(counters);
    }
    return status;
}

void
gh_cli_counters_close(gh_cli_counters_t *counters)
{
    if (counters->ledger != NULL) {
        gh_ledger_close(counters->ledger);
    }
    gh_store_close(counters->store);
}
