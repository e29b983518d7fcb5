/*
 * What the ledger charged for requests of dead workers, until their lost lines are written: the last GH_CHARGED_MAX of them. What is
 * forgotten is missing in a line, not in the ledger.
 */
#ifndef GH_CHARGED_H
#define GH_CHARGED_H

#include "policy/ledger/reservation.h"

#define GH_CHARGED_MAX 1024

typedef struct {
    uint8_t  id[16];
    uint64_t amounts[GH_COUNT_STREAMS + 1];   /* by dimension; the highest of its counters */
    bool     known[GH_COUNT_STREAMS + 1];
} gh_charged_entry_t;

typedef struct {
    gh_charged_entry_t entries[GH_CHARGED_MAX];
    size_t             count, next;
    char               text[256];
} gh_charged_t;

/* As a gh_recovered_fn; context: a gh_charged_t. A request may have several reservations. */
void gh_charged_add(void *context, const gh_recovered_t *recovered);

/* {"requests","input","output","tokens","micro_dollars"}, as far as they were counted, until the next call. Empty: not known. */
gh_str_t gh_charged_text(void *context, gh_str_t id);

#endif
