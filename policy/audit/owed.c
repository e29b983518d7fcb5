/* Open addressing with linear probing; removing moves the ones behind it forward, so there are no marks to sweep. */
#include "policy/audit/owed.h"

#include <stdlib.h>
#include <string.h>

#define OWED_FIRST 256

/* Where the key is, or the free place where it belongs. */
static size_t
owed_at(const gh_owed_t *owed, uint64_t key)
{
    size_t at = (size_t) key & (owed->capacity - 1);

    while (owed->entries[at].key != 0 && owed->entries[at].key != key) {
        at = (at + 1) & (owed->capacity - 1);
    }

    return at;
}

static bool
owed_grow(gh_owed_t *owed)
{
    gh_owed_t larger = { .capacity = owed->capacity != 0 ? owed->capacity * 2 : OWED_FIRST };

    larger.entries = calloc(larger.capacity, sizeof(larger.entries[0]));
    if (larger.entries == NULL) {
        return false;
    }

    for (size_t i = 0; i < owed->capacity; i++) {
        if (owed->entries[i].key != 0) {
            larger.entries[owed_at(&larger, owed->entries[i].key)] = owed->entries[i];
            larger.count++;
        }
    }

    free(owed->entries);
    *owed = larger;

    return true;
}

bool
gh_owed_add(gh_owed_t *owed, uint64_t key, uint64_t sequence)
{
    size_t at;

    if (owed->count * 2 >= owed->capacity && !owed_grow(owed)) {
        return false;
    }

    at = owed_at(owed, key);
    owed->count += owed->entries[at].key == 0;
    owed->entries[at] = (gh_owed_entry_t) { key, sequence };

    return true;
}

bool
gh_owed_find(const gh_owed_t *owed, uint64_t key, uint64_t *sequence)
{
    size_t at = owed->count != 0 ? owed_at(owed, key) : 0;

    if (owed->count == 0 || owed->entries[at].key == 0) {
        return false;
    }
    *sequence = owed->entries[at].sequence;

    return true;
}

bool
gh_owed_remove(gh_owed_t *owed, uint64_t key)
{
    size_t mask = owed->capacity - 1, hole, at;

    if (owed->count == 0) {
        return false;
    }

    hole = owed_at(owed, key);
    if (owed->entries[hole].key == 0) {
        return false;
    }
    owed->count--;

    for (at = (hole + 1) & mask; owed->entries[at].key != 0; at = (at + 1) & mask) {
        /* it may stand in the hole unless its own place lies behind that */
        if (((at - ((size_t) owed->entries[at].key & mask)) & mask) >= ((at - hole) & mask)) {
            owed->entries[hole] = owed->entries[at];
            hole = at;
        }
    }
    owed->entries[hole] = (gh_owed_entry_t) { 0, 0 };

    return true;
}

uint64_t
gh_owed_lowest(const gh_owed_t *owed)
{
    uint64_t lowest = UINT64_MAX;

    for (size_t i = 0; owed->count != 0 && i < owed->capacity; i++) {
        if (owed->entries[i].key != 0 && owed->entries[i].sequence < lowest) {
            lowest = owed->entries[i].sequence;
        }
    }

    return lowest;
}

void
gh_owed_free(gh_owed_t *owed)
{
    free(owed->entries);
    memset(owed, 0, sizeof(*owed));
}
