/* What the record says was charged of each limit: what the ledger's counters are compared with, and made again from. */
#ifndef GH_CLI_RECORD_CHARGES_H
#define GH_CLI_RECORD_CHARGES_H

#include "policy/base/error.h"
#include "policy/ledger/reservation.h"

/*
 * One charge of one request (tokens: of one attempt) to one counter, in the window that its line names. decided_ms: the time of its decision.
 * sure: the line says the amount; else the request is lost, and what an attempt before the last one was charged is not known: amount is then
 * what was reserved.
 */
typedef struct {
    gh_counter_id_t id;
    uint32_t        window;
    uint64_t        amount, decided_ms;
    bool            sure;
} gh_record_charge_t;

typedef void (*gh_record_charge_fn)(void *context, const gh_record_charge_t *charge);

typedef struct {
    uint64_t lines, requests;         /* read; with an outcome, lost, or denied after they had been admitted */
    uint64_t running;                 /* decided, and nothing says yet how they ended */
    uint64_t damaged;                 /* lines that are no JSON, or whose basis is not there: limits may be missing */
} gh_record_charges_t;

/*
 * Reads every segment of a directory (its "open" and "sealed", or itself when it has neither), in the order in which they were begun. One call
 * of each for a charge above 0; what is in flight charges nothing. GH_ERROR: a file or the directory cannot be read.
 */
int gh_cli_record_charges(const char *const *directories, unsigned count, gh_record_charge_fn each, void *context,
    gh_record_charges_t *charges, gh_error_t *error);

#endif
