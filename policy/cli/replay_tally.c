/* The counters of a replay, and their way into a new ledger. */
#include "policy/cli/replay_tally.h"

#include <stdlib.h>
#include <string.h>

static uint64_t
hash_of(const gh_counter_id_t *id)
{
    uint64_t h = (id->uid << 16 | (uint64_t) id->level << 12 | (uint64_t) id->dimension << 8 | (uint64_t) id->per << 4 | id->limit_class)
        * UINT64_C(0x9e3779b97f4a7c15) ^ id->model;

    return (h ^ h >> 31) * UINT64_C(0xd6e8feb86659fd93) >> 20;
}

static bool
same(const gh_counter_id_t *a, const gh_counter_id_t *b)
{
    return a->uid == b->uid && a->model == b->model && a->level == b->level && a->dimension == b->dimension && a->per == b->per
        && a->limit_class == b->limit_class;
}

/* Its entry, or the free one where it belongs. */
static gh_tally_entry_t *
entry_of(const gh_tally_t *tally, const gh_counter_id_t *id)
{
    size_t at = (size_t) hash_of(id) & (tally->capacity - 1);

    while (tally->entries[at].used && !same(&tally->entries[at].id, id)) {
        at = (at + 1) & (tally->capacity - 1);
    }
    return &tally->entries[at];
}

static bool
grow(gh_tally_t *tally)
{
    gh_tally_t larger = { .capacity = tally->capacity == 0 ? 1024 : tally->capacity * 2, .count = tally->count };

    larger.entries = calloc(larger.capacity, sizeof(*larger.entries));
    if (larger.entries == NULL) {
        return false;
    }
    for (size_t i = 0; i < tally->capacity; i++) {
        if (tally->entries[i].used) {
            *entry_of(&larger, &tally->entries[i].id) = tally->entries[i];
        }
    }
    free(tally->entries);
    *tally = larger;
    return true;
}

bool
gh_tally_add(gh_tally_t *tally, const gh_counter_id_t *id, uint32_t window, uint64_t amount)
{
    gh_tally_entry_t *entry;

    if (tally->count * 2 >= tally->capacity && !grow(tally)) {
        return false;
    }
    entry = entry_of(tally, id);
    if (!entry->used) {
        *entry = (gh_tally_entry_t) { .id = *id, .window = window, .used = true };
        tally->count++;
    }
    if (entry->window < window) {
        entry->window = window;
        entry->value = 0;
    }
    if (entry->window == window) {
        entry->value = amount > GH_COUNT_MAX - entry->value ? GH_COUNT_MAX : entry->value + amount;
    }
    return true;
}

static bool
is_over(const gh_tally_entry_t *entry, uint64_t now_ms)
{
    return !entry->used || entry->value == 0 || entry->id.dimension == GH_COUNT_IN_FLIGHT || entry->id.dimension == GH_COUNT_STREAMS
        || (entry->id.per != GH_PER_NONE && gh_window_end((gh_per_t) entry->id.per, entry->window) <= now_ms);
}

/* One after the other: a counter counts what a reservation of it alone is settled at. */
static int
load_one(const gh_tally_entry_t *entry, gh_ledger_t *ledger, uint64_t now_ms, gh_error_t *error)
{
    static const uint8_t nobody[16] = { 0 };

    for (;;) {
        gh_reservation_item_t item = { .id = entry->id, .window = entry->window, .limit = GH_NO_LIMIT, .amount = entry->value };
        gh_reservation_t      reservation;
        unsigned              refused;
        uint32_t              over;

        if (gh_reservation_take(ledger, &item, 1, nobody, now_ms, &reservation, &refused) == GH_RESERVED) {
            gh_reservation_settle(ledger, &reservation, &entry->value, &over, NULL);
            return GH_OK;
        }
        if (gh_ledger_grow(ledger, gh_ledger_size(ledger) * 2, error) != GH_OK) {
            return GH_ERROR;
        }
    }
}

int
gh_tally_load(const gh_tally_t *tally, gh_ledger_t *ledger, uint64_t now_ms, uint64_t *count, gh_error_t *error)
{
    *count = 0;
    for (size_t i = 0; i < tally->capacity; i++) {
        if (is_over(&tally->entries[i], now_ms)) {
            continue;
        }
        if (load_one(&tally->entries[i], ledger, now_ms, error) != GH_OK) {
            return GH_ERROR;
        }
        ++*count;
    }
    return GH_OK;
}

void
gh_tally_free(gh_tally_t *tally)
{
    free(tally->entries);
    memset(tally, 0, sizeof(*tally));
}
