/*
 * Finishing what a dead owner left. The caller holds the lock of its slot, so nobody else writes there; when the caller dies as well, the
 * kernel drops the lock, and what it had taken over is its own slot's: found there by the next one, in the same words.
 *
 * A slot's owner is inside of one phase of one reservation at a time, its others are HELD: so at most one operation is in doubt.
 */
#include "policy/ledger/counter_word.h"
#include "policy/ledger/ledger_internal.h"

#include <string.h>

/* How many operations of the phase are applied. */
static unsigned
applied(const gh_ledger_t *ledger, const gh_reservation_record_t *record, gh_state_t state)
{
    const gh_reservation_set_t *set = &record->sets[state.set];
    unsigned                    next = __atomic_load_n(&set->progress, __ATOMIC_ACQUIRE);

    if (next >= state.count) {
        return state.count;
    }
    return next + (record->entries[next].counter != 0
        && gh_counter_was_applied(ledger, record->entries[next].counter, state.owner - 1, set->first + (next - set->start)));
}

static void
tell(const gh_reservation_record_t *record, gh_state_t state, gh_recovered_fn recovered, void *context)
{
    gh_recovered_t told = { .count = state.count };

    if (recovered == NULL) {
        return;
    }
    memcpy(told.request_id, record->request_id, sizeof(told.request_id));
    for (unsigned i = 0; i < state.count; i++) {
        const gh_reservation_entry_t *entry = &record->entries[i];

        gh_counter_unpack(entry->id_low, entry->id_high, &told.ids[i]);
        told.windows[i] = entry->window;
        told.reserved[i] = entry->reserved;
        told.charged[i] = entry->actual;
    }
    recovered(context, &told);
}

/* Charged as it stands; what is in flight comes back. */
static void
charge(gh_reservation_record_t *record, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        gh_reservation_entry_t *entry = &record->entries[i];
        gh_counter_id_t         id;

        gh_counter_unpack(entry->id_low, entry->id_high, &id);
        entry->actual = gh_dimension_returns(id.dimension) ? 0 : entry->reserved;
    }
    gh_kill_point("recover_charged");
}

static void
recover_one(gh_ledger_t *ledger, gh_reservation_record_t *record, gh_state_t state, gh_recovered_fn recovered, void *context)
{
    unsigned done = state.phase == GH_PHASE_HELD ? 0 : applied(ledger, record, state);

    gh_kill_point("recover_judged");
    switch (state.phase) {
    case GH_PHASE_FREE:
        return;
    case GH_PHASE_RESERVE:
        gh_reservation_finish(ledger, record, GH_PHASE_UNDO, 0, done, NULL);
        break;
    case GH_PHASE_UNDO:
        gh_reservation_finish(ledger, record, GH_PHASE_UNDO, done, state.count, NULL);
        break;
    case GH_PHASE_HELD:
        charge(record, state.count);
        gh_reservation_finish(ledger, record, GH_PHASE_SETTLE, 0, state.count, NULL);
        tell(record, state, recovered, context);
        break;
    case GH_PHASE_SETTLE:
        gh_reservation_finish(ledger, record, GH_PHASE_SETTLE, done, state.count, NULL);
        tell(record, state, recovered, context);
        break;
    }
    gh_kill_point("recover_done");
    gh_reservation_release(ledger, record);
}

/* Those in doubt, or those that are HELD. false: *most is used up. */
static bool
recover_all(gh_ledger_t *ledger, uint32_t number, bool are_held, unsigned *most, gh_recovered_fn recovered, void *context)
{
    uint64_t used = gh_load(&ledger->header->reservations_used);

    for (uint64_t ordinal = 0; ordinal < used; ordinal++) {
        gh_reservation_record_t *record = gh_reservation_at(ledger, ordinal);
        gh_state_t               state;

        if (record == NULL) {
            break;
        }
        state = gh_state_unpack(gh_load(&record->state));
        if (state.phase == GH_PHASE_FREE || state.owner != number + 1 || (state.phase == GH_PHASE_HELD) != are_held) {
            continue;
        }
        if (*most == 0) {
            return false;
        }
        recover_one(ledger, record, state, recovered, context);
        (*most)--;
    }
    return true;
}

/*
 * The one in doubt first: when the slot is this process's own by now, every operation on a HELD one takes the slot to a new number, and
 * nobody would learn any more that the last owner's operation is in.
 */
bool
gh_recover_slot(gh_ledger_t *ledger, uint32_t number, unsigned *most, gh_recovered_fn recovered, void *context)
{
    gh_counter_recover_claim(ledger, number);
    if (!recover_all(ledger, number, false, most, recovered, context) || !recover_all(ledger, number, true, most, recovered, context)) {
        return false;
    }
    gh_kill_point("recover_slot_clean");
    gh_slot_set(&ledger->slots[number], dirty, 0);
    return true;
}

int
gh_ledger_sweep(gh_ledger_t *ledger, uint64_t now_ms, unsigned most, bool *left, gh_recovered_fn recovered, void *context, gh_error_t *error)
{
    uint32_t numbers[GH_LEDGER_SLOTS];
    size_t   count, next = 0;
    bool     clean;

    *left = false;
    if (ledger->own == NULL) {
        return gh_error_at(error, "ledger_denied", ledger->path, 0, 0, "only the owner of a slot of the ledger sweeps");
    }
    __atomic_store_n(&ledger->header->clock_ms, now_ms, __ATOMIC_RELEASE);
    if (gh_ledger_live(ledger, numbers, &count, error) != GH_OK) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < GH_LEDGER_SLOTS; i++) {
        if (next < count && numbers[next] == i) {
            next++;
            continue;
        }
        if (gh_slot_get(&ledger->slots[i], dirty) == 0 || !gh_slot_lock(ledger, i)) {
            continue;
        }
        gh_kill_point("sweep_locked");
        clean = gh_recover_slot(ledger, i, &most, recovered, context);
        gh_slot_unlock(ledger, i);
        gh_kill_point("sweep_unlocked");
        if (!clean) {
            *left = true;
            return GH_OK;
        }
    }
    return GH_OK;
}

bool
gh_ledger_sweep_lease(gh_ledger_t *ledger, uint64_t now_ms, uint64_t for_ms)
{
    uint64_t until = gh_load(&ledger->header->sweep_until_ms);

    /* one that is far ahead is of a clock that stepped back since */
    if (until > now_ms && until - now_ms <= GH_SWEEP_LEASE_MAX_MS) {
        return false;
    }
    return __atomic_compare_exchange_n(&ledger->header->sweep_until_ms, &until, now_ms + for_ms, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

bool
gh_ledger_sweep_keep(gh_ledger_t *ledger, uint64_t now_ms, uint64_t for_ms, uint64_t *until_ms)
{
    uint64_t *word = &ledger->header->sweep_until_ms, mine = *until_ms, next = now_ms + for_ms;

    if (mine != 0 && mine > now_ms && __atomic_compare_exchange_n(word, &mine, next, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        *until_ms = next;
        return true;
    }
    *until_ms = gh_ledger_sweep_lease(ledger, now_ms, for_ms) ? next : 0;
    return *until_ms != 0;
}

void
gh_ledger_sweep_leave(gh_ledger_t *ledger, uint64_t *until_ms)
{
    uint64_t mine = *until_ms;

    *until_ms = 0;
    if (mine != 0) {
        (void) __atomic_compare_exchange_n(&ledger->header->sweep_until_ms, &mine, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    }
}
