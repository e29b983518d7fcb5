/*
 * Taking, settling and undoing a reservation. Its single writer is its owner; recover.c is the writer after the owner's death. A phase and the
 * numbers of its operations begin in one store of the state word, which flips to the set that was written before: so that at every instant
 * the state names a set that says which operation is next and what its number is.
 */
#include "policy/ledger/counter_word.h"
#include "policy/ledger/ledger_internal.h"

#include <string.h>

#define SERIAL_MASK ((UINT64_C(1) << 44) - 1)
#define LOOKS_FULL  256u              /* for a free one, once a whole round has found none */
#define REMAKES     8u                /* of a counter whose place went to another identity before it was counted in */

/* Who recovers got the lock of a dead owner's slot from the kernel: it sees whatever the owner had stored. */
static void
set_state(gh_reservation_record_t *record, gh_state_t state)
{
    __atomic_store_n(&record->state, gh_state_pack(state), __ATOMIC_RELEASE);
}

/* ---- finding a free one ---- */

uint64_t
gh_reservation_total(const gh_ledger_t *ledger)
{
    unsigned extents = gh_ledger_extent_count(ledger);
    uint64_t total = 0;

    for (unsigned e = 0; e < extents; e++) {
        total += ledger->header->extents[e].reservations.length / GH_LEDGER_RESERVATION;
    }
    return total;
}

gh_reservation_record_t *
gh_reservation_at(const gh_ledger_t *ledger, uint64_t ordinal)
{
    unsigned extents = gh_ledger_extent_count(ledger);

    for (unsigned e = 0; e < extents; e++) {
        const gh_ledger_section_t *section = &ledger->header->extents[e].reservations;
        uint64_t                   count = section->length / GH_LEDGER_RESERVATION;

        if (ordinal < count) {
            return (gh_reservation_record_t *) ((char *) ledger->header + section->offset + ordinal * GH_LEDGER_RESERVATION);
        }
        ordinal -= count;
    }
    return NULL;
}

static uint32_t
unit_of(const gh_ledger_t *ledger, const gh_reservation_record_t *record)
{
    return (uint32_t) ((uint64_t) ((const char *) record - (const char *) ledger->header) / GH_LEDGER_UNIT);
}

/* From FREE to RESERVE of nothing, owned by this process. */
static bool
claim(gh_ledger_t *ledger, gh_reservation_record_t *record)
{
    uint64_t   was = gh_load(&record->state);
    gh_state_t state = gh_state_unpack(was);

    if (state.phase != GH_PHASE_FREE) {
        return false;
    }
    state.serial = (state.serial + 1) & SERIAL_MASK;
    state.serial += state.serial == 0;
    state = (gh_state_t) { GH_PHASE_RESERVE, 0, 0, ledger->owner, state.serial };
    return __atomic_compare_exchange_n(&record->state, &was, gh_state_pack(state), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* Said before it is taken: recovery looks no further. */
static void
mark_used(gh_ledger_t *ledger, uint64_t ordinal)
{
    uint64_t used = gh_load(&ledger->header->reservations_used);

    while (used <= ordinal
        && !__atomic_compare_exchange_n(&ledger->header->reservations_used, &used, ordinal + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
    {
        /* used was read again */
    }
}

static gh_reservation_record_t *
allocate(gh_ledger_t *ledger)
{
    uint64_t total, looks;

    while (ledger->freed_count > 0) {
        gh_reservation_record_t *record = gh_ledger_at(ledger, ledger->freed[--ledger->freed_count]);

        if (claim(ledger, record)) {
            return record;
        }
    }
    total = gh_reservation_total(ledger);
    looks = ledger->lapped && total > LOOKS_FULL ? LOOKS_FULL : total;
    for (uint64_t i = 0; i < looks; i++) {
        uint64_t                 ordinal = ledger->cursor < total ? ledger->cursor : 0;
        gh_reservation_record_t *record = gh_reservation_at(ledger, ordinal);

        ledger->cursor = ordinal + 1;
        if (record == NULL || gh_state_unpack(gh_load(&record->state)).phase != GH_PHASE_FREE) {
            continue;
        }
        mark_used(ledger, ordinal);
        gh_kill_point("take_marked");
        if (claim(ledger, record)) {
            ledger->lapped = false;
            return record;
        }
    }
    ledger->lapped = true;
    return NULL;
}

void
gh_reservation_release(gh_ledger_t *ledger, gh_reservation_record_t *record)
{
    gh_state_t state = gh_state_unpack(gh_load(&record->state));

    set_state(record, (gh_state_t) { GH_PHASE_FREE, 0, 0, 0, state.serial });
    gh_kill_point("freed");
    if (ledger->freed_count < GH_LEDGER_FREED) {
        ledger->freed[ledger->freed_count++] = unit_of(ledger, record);
    }
}

/* ---- the operations ---- */

/* Says which operation is being attempted: before anything of it is seen. */
static uint64_t
publish(gh_ledger_t *ledger, const gh_reservation_set_t *set, unsigned i)
{
    uint64_t seq = set->first + (i - set->start);

    __atomic_store_n(&ledger->own->seq, seq, __ATOMIC_RELEASE);
    gh_kill_point("op_published");
    return seq;
}

static void
progress(gh_reservation_set_t *set, unsigned i)
{
    gh_kill_point("op_applied");
    __atomic_store_n(&set->progress, i + 1, __ATOMIC_RELEASE);
    gh_kill_point("op_progress");
}

static void
write_set(gh_ledger_t *ledger, gh_reservation_set_t *set, unsigned start)
{
    set->first = gh_load(&ledger->own->seq) + 1;
    set->start = start;
    set->progress = start;
}

void
gh_reservation_finish(gh_ledger_t *ledger, gh_reservation_record_t *record, gh_phase_t phase, unsigned start, unsigned count, uint64_t *values)
{
    gh_state_t            state = gh_state_unpack(gh_load(&record->state));
    gh_reservation_set_t *set = &record->sets[1 - state.set];

    write_set(ledger, set, start);
    gh_kill_point("phase_set_written");
    set_state(record, (gh_state_t) { phase, 1 - state.set, count, ledger->owner, state.serial });
    gh_kill_point("phase_begun");
    for (unsigned i = start; i < count; i++) {
        gh_reservation_entry_t *entry = &record->entries[i];
        uint64_t                seq = publish(ledger, set, i), value = 0;

        if (entry->counter != 0) {
            gh_counter_give_back(ledger, entry, phase == GH_PHASE_SETTLE ? entry->actual : 0, seq, &value);
        }
        progress(set, i);
        if (values != NULL) {
            values[i] = value;
        }
    }
}

/* ---- taking ---- */

/*
 * What the holder keeps: the record's serial, and above it 20 bits of the ledger's id. One that is kept while the ledger is replaced by another
 * means nothing there.
 */
static uint64_t
handle_serial(const gh_ledger_t *ledger, uint64_t serial)
{
    const uint8_t *id = ledger->header->id;

    return serial | (uint64_t) id[0] << 44 | (uint64_t) id[1] << 52 | (uint64_t) (id[2] & 15) << 60;
}

/* Their first places are on their way into the cache while a reservation is found. */
static void
prefetch_all(const gh_ledger_t *ledger, const gh_reservation_item_t *items, unsigned count, gh_pair_t *ids, uint64_t *hashes)
{
    for (unsigned i = 0; i < count; i++) {
        ids[i] = gh_counter_pack(&items[i].id);
        hashes[i] = gh_counter_prefetch(ledger, ids[i]);
    }
}

/* Counters of all items, made where they are not there; places of 0 for optional ones without room. */
static bool
find_all(gh_ledger_t *ledger, const gh_reservation_item_t *items, unsigned count, const gh_pair_t *ids, const uint64_t *hashes,
    uint32_t *places, unsigned *refused)
{
    for (unsigned i = 0; i < count; i++) {
        places[i] = gh_counter_find_hashed(ledger, ids[i], hashes[i]);
        if (places[i] == 0) {
            places[i] = gh_counter_make(ledger, ids[i]);
        }
        if (places[i] == 0 && !items[i].optional) {
            *refused = i;
            return false;
        }
    }
    return true;
}

static void
fill(gh_reservation_record_t *record, const gh_reservation_item_t *items, unsigned count, const gh_pair_t *ids, const uint32_t *places)
{
    for (unsigned i = 0; i < count; i++) {
        record->entries[i] = (gh_reservation_entry_t) { ids[i].low, ids[i].high, items[i].amount > GH_COUNT_MAX ? GH_COUNT_MAX : items[i].amount,
            0, 0, places[i], items[i].window };
    }
}

/* One item. Its counter may have gone to another identity since it was found: it is found again. */
static gh_applied_t
reserve_one(gh_ledger_t *ledger, gh_reservation_entry_t *entry, gh_reservation_item_t *item, uint64_t seq)
{
    gh_pair_t id = { entry->id_low, entry->id_high };

    item->left_out = false;
    for (unsigned tries = 0; entry->counter != 0; tries++) {
        gh_applied_t applied = gh_counter_reserve(ledger, entry, item->window, item->limit, seq, &item->value);
        uint32_t     place;

        if (applied != GH_GONE) {
            return applied;
        }
        place = tries < REMAKES ? gh_counter_make(ledger, id) : 0;
        __atomic_store_n(&entry->counter, place, __ATOMIC_RELEASE);
    }
    item->value = 0;
    item->left_out = item->optional;
    return item->optional ? GH_UNCHANGED : GH_GONE;
}

static gh_reserved_t
reserve_all(gh_ledger_t *ledger, gh_reservation_record_t *record, gh_reservation_item_t *items, unsigned count, unsigned *refused)
{
    gh_reservation_set_t *set = &record->sets[0];

    for (unsigned i = 0; i < count; i++) {
        uint64_t     seq = publish(ledger, set, i);
        gh_applied_t applied = reserve_one(ledger, &record->entries[i], &items[i], seq);

        if (applied == GH_REFUSED || applied == GH_GONE) {
            *refused = i;
            return applied == GH_REFUSED ? GH_RESERVE_LIMIT : GH_RESERVE_FULL;
        }
        progress(set, i);
    }
    return GH_RESERVED;
}

gh_reserved_t
gh_reservation_take(gh_ledger_t *ledger, gh_reservation_item_t *items, unsigned count, const uint8_t request_id[16],
    uint64_t expires_ms, gh_reservation_t *reservation, unsigned *refused)
{
    gh_pair_t                ids[GH_RESERVATION_COUNTERS];
    uint64_t                 hashes[GH_RESERVATION_COUNTERS];
    uint32_t                 places[GH_RESERVATION_COUNTERS];
    gh_reservation_record_t *record;
    gh_state_t               state;
    gh_reserved_t            reserved;

    *reservation = (gh_reservation_t) { 0, 0 };
    *refused = count;
    if (ledger == NULL || ledger->own == NULL || count > GH_RESERVATION_COUNTERS) {
        return GH_RESERVE_FULL;
    }
    prefetch_all(ledger, items, count, ids, hashes);
    record = allocate(ledger);
    if (record == NULL) {
        return GH_RESERVE_FULL;
    }
    gh_kill_point("take_claimed");
    if (!find_all(ledger, items, count, ids, hashes, places, refused)) {
        gh_reservation_release(ledger, record);
        return GH_RESERVE_FULL;
    }
    gh_kill_point("take_found");
    fill(record, items, count, ids, places);
    record->expires_ms = expires_ms;
    memcpy(record->request_id, request_id, sizeof(record->request_id));
    write_set(ledger, &record->sets[0], 0);
    gh_kill_point("take_written");
    state = gh_state_unpack(gh_load(&record->state));
    state.count = count;
    set_state(record, state);
    gh_kill_point("take_begun");

    reserved = reserve_all(ledger, record, items, count, refused);
    if (reserved != GH_RESERVED) {
        gh_reservation_finish(ledger, record, GH_PHASE_UNDO, 0, *refused, NULL);
        gh_reservation_release(ledger, record);
        return reserved;
    }
    state.phase = GH_PHASE_HELD;
    set_state(record, state);
    gh_kill_point("take_held");
    ledger->held++;
    *reservation = (gh_reservation_t) { unit_of(ledger, record), handle_serial(ledger, state.serial) };
    return GH_RESERVED;
}

/* ---- ending ---- */

/* NULL: it is not one that this process holds; its ledger may have been replaced. */
static gh_reservation_record_t *
held(gh_ledger_t *ledger, const gh_reservation_t *reservation, gh_state_t *state)
{
    gh_reservation_record_t *record;

    if (ledger == NULL || ledger->own == NULL || reservation->serial == 0
        || (uint64_t) reservation->index * GH_LEDGER_UNIT + GH_LEDGER_RESERVATION > gh_load(&ledger->header->file_size))
    {
        return NULL;
    }
    record = gh_ledger_at(ledger, reservation->index);
    *state = gh_state_unpack(gh_load(&record->state));
    return state->phase == GH_PHASE_HELD && handle_serial(ledger, state->serial) == reservation->serial
        && state->owner == ledger->owner ? record : NULL;
}

/* All are on their way before the first is changed: a compare-and-swap lets no later load begin. */
static void
prefetch_counters(const gh_ledger_t *ledger, const gh_reservation_record_t *record, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (record->entries[i].counter != 0) {
            __builtin_prefetch(gh_ledger_at(ledger, record->entries[i].counter), 1);
        }
    }
}

void
gh_reservation_settle(gh_ledger_t *ledger, gh_reservation_t *reservation, const uint64_t *actual, uint32_t *over, uint64_t *values)
{
    gh_state_t               state;
    gh_reservation_record_t *record = held(ledger, reservation, &state);

    *over = 0;
    *reservation = (gh_reservation_t) { 0, 0 };
    if (record == NULL) {
        return;
    }
    prefetch_counters(ledger, record, state.count);
    for (unsigned i = 0; i < state.count; i++) {
        gh_reservation_entry_t *entry = &record->entries[i];
        uint64_t                used = actual[i] > GH_COUNT_MAX ? GH_COUNT_MAX : actual[i];
        gh_counter_id_t         id;

        gh_counter_unpack(entry->id_low, entry->id_high, &id);
        entry->actual = gh_dimension_returns(id.dimension) ? 0 : used;
        *over |= (uint32_t) (entry->actual > entry->reserved) << i;
    }
    gh_kill_point("settle_written");
    gh_reservation_finish(ledger, record, GH_PHASE_SETTLE, 0, state.count, values);
    gh_kill_point("settle_done");
    gh_reservation_release(ledger, record);
    ledger->held--;
}

void
gh_reservation_undo(gh_ledger_t *ledger, gh_reservation_t *reservation)
{
    gh_state_t               state;
    gh_reservation_record_t *record = held(ledger, reservation, &state);

    *reservation = (gh_reservation_t) { 0, 0 };
    if (record == NULL) {
        return;
    }
    gh_reservation_finish(ledger, record, GH_PHASE_UNDO, 0, state.count, NULL);
    gh_kill_point("undo_done");
    gh_reservation_release(ledger, record);
    ledger->held--;
}
