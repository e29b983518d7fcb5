#define _GNU_SOURCE
#include "policy/ledger/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/ledger/counter_word.h"
#include "policy/ledger/ledger_internal.h"

#define LOOKS      200u               /* 1 ms apart: a worker is between two steps for microseconds */
#define LOOKS_LONG 20u                /* so many problems are looked at so often; the ledger is damaged, and others a few times */

typedef struct {
    const gh_ledger_t *ledger;
    gh_verify_fn       each;
    void              *context;
    gh_verified_t     *verified;
    gh_held_table_t    held;
    uint64_t           alive[GH_LEDGER_SLOTS / 64];
} verify_t;

static void __attribute__((format(printf, 2, 3)))
problem(verify_t *verify, const char *format, ...)
{
    char    text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    verify->verified->problems++;
    verify->each(verify->context, text);
}

static unsigned
looks(const verify_t *verify)
{
    return verify->verified->problems < LOOKS_LONG ? LOOKS : 3;
}

static void
pause_ms(void)
{
    struct timespec pause = { 0, 1000000 };

    nanosleep(&pause, NULL);
}

/* ---- what is held ---- */

static gh_held_entry_t *
held_entry(const gh_held_table_t *table, uint32_t counter)
{
    uint64_t at = counter * UINT64_C(0x9e3779b97f4a7c15) >> 20;

    for (at &= table->capacity - 1; table->entries[at].counter != 0 && table->entries[at].counter != counter; at = (at + 1) & (table->capacity - 1)) {
        /* the next one */
    }
    return &table->entries[at];
}

uint64_t
gh_held_of(const gh_held_table_t *table, uint32_t counter)
{
    return table->capacity == 0 ? 0 : held_entry(table, counter)->reserved;
}

void
gh_held_free(gh_held_table_t *table)
{
    free(table->entries);
    table->entries = NULL;
    table->capacity = 0;
}

/* Which of a reservation's entries are in their counters at their reserved amount; of the operation in doubt: not counted. */
static void
range_held(const gh_reservation_record_t *record, gh_state_t state, unsigned *begin, unsigned *end)
{
    unsigned progress = __atomic_load_n(&record->sets[state.set].progress, __ATOMIC_ACQUIRE);

    progress = progress > state.count ? state.count : progress;
    *begin = state.phase == GH_PHASE_HELD || state.phase == GH_PHASE_RESERVE ? 0 : progress + 1;
    *end = state.phase == GH_PHASE_RESERVE ? progress : state.count;
}

static bool
in_counters(const gh_ledger_t *ledger, uint32_t unit)
{
    uint64_t offset = (uint64_t) unit * GH_LEDGER_UNIT;
    unsigned extents = gh_ledger_extent_count(ledger);

    for (unsigned e = 0; e < extents; e++) {
        const gh_ledger_section_t *section = &ledger->header->extents[e].counters;

        if (offset >= section->offset && offset < section->offset + section->length) {
            return true;
        }
    }
    return false;
}

/* Is it this counter in this window still, or has that moved on? */
static bool
counts_there(const gh_ledger_t *ledger, const gh_reservation_entry_t *entry)
{
    const gh_counter_t *counter;

    if (!in_counters(ledger, entry->counter)) {
        return false;
    }
    counter = gh_ledger_at(ledger, entry->counter);
    return gh_word_unpack(gh_word_load(counter)).window == __atomic_load_n(&entry->window, __ATOMIC_ACQUIRE)
        && gh_load(&counter->incarnation) == gh_load(&entry->incarnation) && gh_load(&counter->id.low) == gh_load(&entry->id_low);
}

int
gh_held_collect(const gh_ledger_t *ledger, gh_held_table_t *table)
{
    uint64_t used = gh_load(&ledger->header->reservations_used), total = gh_reservation_total(ledger);

    used = used < total ? used : total;
    for (table->capacity = 64; table->capacity < 2 * GH_RESERVATION_COUNTERS * used; table->capacity *= 2) {
        /* larger */
    }
    table->entries = calloc(table->capacity, sizeof(*table->entries));
    if (table->entries == NULL) {
        table->capacity = 0;
        return GH_ERROR;
    }
    for (uint64_t ordinal = 0; ordinal < used; ordinal++) {
        const gh_reservation_record_t *record = gh_reservation_at(ledger, ordinal);
        gh_state_t                     state = gh_state_unpack(gh_load(&record->state));
        unsigned                       begin, end;

        if (state.phase == GH_PHASE_FREE || state.phase > GH_PHASE_UNDO || state.count > GH_RESERVATION_COUNTERS) {
            continue;
        }
        range_held(record, state, &begin, &end);
        for (unsigned i = begin; i < end; i++) {
            const gh_reservation_entry_t *entry = &record->entries[i];

            if (entry->counter != 0 && counts_there(ledger, entry)) {
                gh_held_entry_t *held = held_entry(table, entry->counter);

                held->counter = entry->counter;
                held->reserved += entry->reserved;
            }
        }
    }
    return GH_OK;
}

/* ---- counters ---- */

static bool
identity_ok(uint64_t low)
{
    gh_counter_id_t id;

    gh_counter_unpack(low, 0, &id);
    return low >> 59 == 0 && id.level >= GH_LEVEL_ORGANISATION && id.level <= GH_LEVEL_USER && id.dimension >= GH_COUNT_REQUESTS
        && id.dimension <= GH_COUNT_STREAMS && id.per <= GH_PER_MONTH;
}

/* NULL: nothing is wrong with it now. */
static const char *
counter_wrong(const gh_ledger_t *ledger, const gh_counter_t *counter, uint32_t unit, const gh_held_table_t *held)
{
    gh_pair_t pair = gh_word_load(counter), id = { gh_load(&counter->id.low), gh_load(&counter->id.high) };
    gh_word_t word = gh_word_unpack(pair);

    if (!gh_word_unchanged(counter, pair)) {
        return NULL;
    }
    if (word.window == GH_RETIRED) {
        return word.value == 0 || word.value > GH_LEDGER_SLOTS || gh_slot_get(&ledger->slots[word.value - 1], recycles) != unit
            ? "is being given to another identity, by nobody" : NULL;
    }
    if (id.low == 0 || id.low == UINT64_MAX) {
        return word.value != 0 ? "counts nothing, and is not 0" : NULL;
    }
    if (!identity_ok(id.low) || word.owner > GH_LEDGER_SLOTS) {
        return "has an identity or a tag that cannot be";
    }
    if (gh_counter_find(ledger, id) != unit) {
        return "is not where a search finds it, or is there twice";
    }
    return gh_held_of(held, unit) > word.value ? "is less than what its reservations hold" : NULL;
}

/* Again and again: what stays wrong is wrong. */
static void
check_counter(verify_t *verify, const gh_counter_t *counter, uint32_t unit)
{
    const char *wrong = counter_wrong(verify->ledger, counter, unit, &verify->held);

    for (unsigned i = 0; i < looks(verify) && wrong != NULL; i++) {
        gh_held_table_t again = { 0 };

        pause_ms();
        if (gh_held_collect(verify->ledger, &again) == GH_OK) {
            wrong = counter_wrong(verify->ledger, counter, unit, &again);
        }
        gh_held_free(&again);
    }
    if (wrong != NULL) {
        problem(verify, "the counter at %llu %s", (unsigned long long) unit * GH_LEDGER_UNIT, wrong);
    }
}

static void
check_counters(verify_t *verify)
{
    unsigned extents = gh_ledger_extent_count(verify->ledger);

    for (unsigned e = 0; e < extents; e++) {
        const gh_ledger_section_t *section = &verify->ledger->header->extents[e].counters;
        uint64_t                   first = section->offset / GH_LEDGER_UNIT, count = section->length / GH_LEDGER_UNIT;

        verify->verified->counter_room += count;
        for (uint64_t unit = first; unit < first + count; unit++) {
            const gh_counter_t *counter = gh_ledger_at(verify->ledger, unit);
            uint64_t            low = gh_load(&counter->id.low);

            verify->verified->counters += low != 0 && low != UINT64_MAX;
            if (low != 0 || gh_load(&counter->word.low) != 0 || gh_load(&counter->word.high) != 0) {
                check_counter(verify, counter, (uint32_t) unit);
            }
        }
    }
}

/* ---- reservations ---- */

static const char *
reservation_wrong(const gh_ledger_t *ledger, const gh_reservation_record_t *record, gh_state_t state)
{
    if (state.phase > GH_PHASE_UNDO || state.count > GH_RESERVATION_COUNTERS) {
        return "has a state that cannot be";
    }
    if (state.owner == 0 || state.owner > GH_LEDGER_SLOTS) {
        return "is nobody's";
    }
    if (record->sets[state.set].progress > GH_RESERVATION_COUNTERS || record->sets[state.set].start > GH_RESERVATION_COUNTERS) {
        return "has progress that cannot be";
    }
    for (unsigned i = 0; i < state.count; i++) {
        if (!identity_ok(gh_load(&record->entries[i].id_low)) || (record->entries[i].counter != 0 && !in_counters(ledger, record->entries[i].counter))) {
            return "names a counter that cannot be";
        }
    }
    return NULL;
}

static void
check_reservation(verify_t *verify, uint64_t ordinal, uint64_t now_ms)
{
    const gh_reservation_record_t *record = gh_reservation_at(verify->ledger, ordinal);
    const char                    *wrong = NULL;
    gh_state_t                     state = { 0 };

    for (unsigned i = 0; i < looks(verify); i++) {
        state = gh_state_unpack(gh_load(&record->state));
        wrong = state.phase == GH_PHASE_FREE ? NULL : reservation_wrong(verify->ledger, record, state);
        if (wrong == NULL) {
            break;
        }
        pause_ms();
    }
    if (state.phase == GH_PHASE_FREE) {
        return;
    }
    verify->verified->reservations++;
    if (wrong != NULL) {
        problem(verify, "reservation %llu %s", (unsigned long long) ordinal, wrong);
        return;
    }
    if (!(verify->alive[(state.owner - 1) / 64] >> ((state.owner - 1) % 64) & 1)) {
        verify->verified->orphans++;
        if (gh_slot_get(&verify->ledger->slots[state.owner - 1], dirty) == 0 && gh_load(&record->state) == gh_state_pack(state)) {
            problem(verify, "reservation %llu is of slot %u, whose owner is dead, and no sweeper looks for it", (unsigned long long) ordinal,
                state.owner - 1);
        }
    } else if (state.phase == GH_PHASE_HELD && gh_load(&record->expires_ms) < now_ms) {
        verify->verified->overdue++;
    }
}

int
gh_ledger_verify(const gh_ledger_t *ledger, uint64_t now_ms, gh_verify_fn each, void *context, gh_verified_t *verified, gh_error_t *error)
{
    verify_t verify = { .ledger = ledger, .each = each, .context = context, .verified = verified };
    uint32_t numbers[GH_LEDGER_SLOTS];
    uint64_t used;
    size_t   count;

    memset(verified, 0, sizeof(*verified));
    if (gh_held_collect(ledger, &verify.held) != GH_OK) {
        return gh_error_set(error, "out_of_memory", "no memory to add up reservations");
    }
    check_counters(&verify);
    gh_held_free(&verify.held);

    verified->reservation_room = gh_reservation_total(ledger);
    used = gh_load(&ledger->header->reservations_used);
    if (used > verified->reservation_room) {
        problem(&verify, "more reservations were used than there are");
        used = verified->reservation_room;
    }
    if (gh_ledger_live(ledger, numbers, &count, error) != GH_OK) {
        return GH_ERROR;
    }
    for (size_t i = 0; i < count; i++) {
        verify.alive[numbers[i] / 64] |= UINT64_C(1) << numbers[i] % 64;
    }
    for (uint64_t ordinal = 0; ordinal < used; ordinal++) {
        check_reservation(&verify, ordinal, now_ms);
    }
    return GH_OK;
}
