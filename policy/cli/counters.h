/* The counters of the ledger, live, beside the store that says whose they are: `gatehouse limits` and `gatehouse usage`. */
#ifndef GH_CLI_COUNTERS_H
#define GH_CLI_COUNTERS_H

#include "policy/cli/cli.h"
#include "policy/ledger/reservation.h"

typedef struct {
    gh_cli_t    *cli;
    gh_store_t  *store;
    gh_ledger_t *ledger;               /* only to look */
    uint64_t     now_ms;
} gh_cli_counters_t;

/* GH_EXIT_DONE: gh_cli_counters_close is the caller's. Else a message was given: no store, no ledger, or not the one of this store. */
int  gh_cli_counters_open(gh_cli_t *cli, gh_cli_counters_t *counters);
void gh_cli_counters_close(gh_cli_counters_t *counters);

#define GH_CLI_COUNTERS_OPTIONS GH_CLI_STORE_OPTIONS, GH_CLI_LEDGER_OPTION

#endif
