/*
 * What commands that edit the store do so that every worker obeys before they say that they are done: gh_cli_barrier_begin before the edit
 * (it finds the workers' ledger, or nothing is changed), gh_cli_barrier_obeyed after its commit, gh_cli_barrier_end.
 */
#ifndef GH_CLI_BARRIER_H
#define GH_CLI_BARRIER_H

#include <jansson.h>

#include "policy/cli/cli.h"
#include "policy/ledger/ledger.h"
#include "policy/store/store_write.h"

typedef struct {
    gh_cli_t           *cli;
    gh_store_t         *store;         /* borrowed */
    gh_ledger_t        *ledger;
    uint64_t            wait_ms;       /* --wait */
    bool                let_finish;    /* --let-finish: for the edit's let_finish */
    bool                told;          /* --cut or --let-finish */
    gh_barrier_report_t before, after;
    bool                obeyed;        /* every worker does, or there is none */
} gh_cli_barrier_t;

/* Rows for the tables of commands that edit. */
#define GH_CLI_BARRIER_OPTIONS                                                                                      \
    GH_CLI_LEDGER_OPTION,                                                                                           \
    { "wait", "SECONDS", "how long to wait until every worker obeys (default: 10)", false }

/* And of those whose edit may forbid what runs. */
#define GH_CLI_CUT_OPTIONS                                                                                          \
    { "cut", NULL, "running dispatches that the edit forbids are ended", false },                                     \
    { "let-finish", NULL, "running dispatches that the edit forbids may finish", false }

/* For gh_cli_command_t.exits. */
#define GH_CLI_BARRIER_EXITS ", 3 in force but not confirmed by every worker"

/* GH_EXIT_DONE; or an exit code after a message: nothing was changed, and there is nothing to end. */
int  gh_cli_barrier_begin(gh_cli_t *cli, gh_store_t *store, gh_cli_barrier_t *barrier);

/*
 * Before a restore: reads the options and opens the ledger when it can be; barrier->ledger is NULL when there is none. The store may be
 * lost: nothing of it is looked at. GH_EXIT_DONE, or an exit code after a message.
 */
int gh_cli_barrier_begin_lost(gh_cli_t *cli, gh_cli_barrier_t *barrier);

void gh_cli_barrier_end(gh_cli_barrier_t *barrier);

/*
 * Before a commit: when it was told neither --cut nor --let-finish the workers are asked how many of their running dispatches it would
 * forbid. show puts the edit into the store for them under a number (gh_apply_propose). GH_OK: none, or told; go on. GH_ERROR: *error is of
 * the store, or has the code "running" and a sentence with the workers and their numbers: nothing is to be changed.
 */
typedef int (*gh_cli_propose_fn)(void *context, uint64_t number, gh_error_t *error);
int gh_cli_barrier_propose(gh_cli_barrier_t *barrier, gh_cli_propose_fn show, void *context, gh_error_t *error);

/*
 * After a commit through the barrier's store: announces it and waits until every worker obeys. what: "revision 7", "the revocation", for the
 * message on stderr that names the workers that do not. GH_EXIT_DONE, or GH_EXIT_UNOBEYED: the edit stands.
 */
int gh_cli_barrier_obeyed(gh_cli_barrier_t *barrier, const char *what);
int gh_cli_barrier_obeyed_revision(gh_cli_barrier_t *barrier, uint64_t revision);

/* Without an edit of its own: waits until every worker obeys the state that the store was last seen in. */
int gh_cli_barrier_again(gh_cli_barrier_t *barrier, const char *what);

/* A line of stdout when there are workers: "obeyed by 2 workers; 1 dispatch cut, 3 left to finish", "not confirmed by 1 of 2 workers; ...". */
void gh_cli_barrier_print(const gh_cli_barrier_t *barrier);

/*
 * {"obeyed": true, "workers": 2, "cut": 1, "finishing": 3, "waiting": [{"pid", "slot", "reason"}]} into an object, which is taken over and
 * given back. NULL when out of memory, or when the object is NULL.
 */
json_t *gh_cli_barrier_json(const gh_cli_barrier_t *barrier, json_t *object);

#endif
