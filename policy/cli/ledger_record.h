/* The ledger's settled amounts beside those of the record: part of `gatehouse ledger check`. */
#ifndef GH_CLI_LEDGER_RECORD_H
#define GH_CLI_LEDGER_RECORD_H

#include "policy/cli/cli.h"
#include "policy/cli/record_charges.h"
#include "policy/ledger/verify.h"

typedef struct {
    gh_record_charges_t read;
    uint64_t            compared;     /* counters, in the window they are in now */
    uint64_t            less;         /* of them: the ledger has settled less than the record says; each was told as a problem */
    uint64_t            more;         /* the ledger has settled more: requests run, or a worker died before it wrote their lines */
} gh_ledger_record_t;

/* exact: more is a problem as well. The record is read first, so that requests that go on do no harm. GH_EXIT_DONE, or after a message. */
int gh_cli_ledger_record(const gh_cli_t *cli, const gh_ledger_t *ledger, bool exact, gh_verify_fn problem, void *context,
    gh_ledger_record_t *result);

#endif
