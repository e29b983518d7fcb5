/* Counters beside any ledger: a window and what was counted in it, by what they count. Malloc'ed, grows; one thread. */
#ifndef GH_REPLAY_TALLY_H
#define GH_REPLAY_TALLY_H

#include "policy/ledger/reservation.h"

typedef struct { gh_counter_id_t id; uint32_t window; uint64_t value; bool used; } gh_tally_entry_t;

typedef struct {
    gh_tally_entry_t *entries;
    size_t            capacity, count;   /* capacity: a power of two; 0 at the start */
} gh_tally_t;

/* Counts it in that window: a newer one begins at 0, an older one is over. false: out of memory. */
bool gh_tally_add(gh_tally_t *tally, const gh_counter_id_t *id, uint32_t window, uint64_t amount);

/*
 * All of them, but those that are over by now_ms and what is in flight, into a ledger of which this process has a slot, and which grows when
 * it has to. *count: how many. GH_ERROR "ledger_*".
 */
int gh_tally_load(const gh_tally_t *tally, gh_ledger_t *ledger, uint64_t now_ms, uint64_t *count, gh_error_t *error);

void gh_tally_free(gh_tally_t *tally);

#endif
