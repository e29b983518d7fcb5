/* What was applied: revisions and their documents. */
#include "policy/store/store_internal.h"

#include <string.h>

#include "policy/store/revision.h"

int
gh_store_revision_number(gh_store_t *store, uint64_t *number, gh_error_t *error)
{
    if (gh_store_begin(store, store->clock_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    *number = store->head.revision;
    gh_store_end(store);
    return GH_OK;
}

int
gh_store_revision_read(gh_store_t *store, uint64_t number, gh_arena_t *arena, gh_store_revision_t *revision,
    gh_error_t *error)
{
    uint8_t key[8];
    bool    found;
    int     rc;

    gh_store_key_u64(number, key);
    if (gh_store_begin(store, store->clock_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = gh_store_read(store, GH_DB_REVISION, (gh_bytes_t) { key, 8 }, &found, error);
    gh_store_end(store);
    if (rc == GH_OK && !found) {
        return gh_error_set(error, "revision_unknown", "there is no revision %llu", (unsigned long long) number);
    }
    if (rc == GH_OK) {
        rc = gh_revision_read((gh_bytes_t) { store->value.data, store->value.len }, arena, revision, error);
    }
    return rc == GH_OK ? GH_OK : gh_store_blame(store, error);
}

typedef struct {
    gh_store_t          *store;
    gh_arena_t          *arena;
    gh_store_revision_t *items;
    size_t               count, capacity;
} history_t;

static int
history_entry(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    history_t *history = context;

    if (gh_envelope_check(history->store->mac, GH_DB_REVISION, key, value.data, value.len, error) != GH_OK) {
        return GH_ERROR;
    }
    if (history->count == history->capacity) {
        size_t capacity = history->capacity * 2 + 16;

        history->items = gh_arena_grow(history->arena, history->items, history->count, capacity, sizeof(*history->items));
        history->capacity = capacity;
        if (history->items == NULL) {
            return gh_error_set(error, "out_of_memory", "no memory for the history");
        }
    }
    return gh_revision_read(value, history->arena, &history->items[history->count++], error);
}

int
gh_store_history(gh_store_t *store, gh_arena_t *arena, gh_store_revision_t **revisions, size_t *count, gh_error_t *error)
{
    history_t history = { .store = store, .arena = arena };
    int       rc;

    *revisions = NULL;
    *count = 0;
    if (gh_store_begin(store, store->clock_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = gh_pages_each(&store->pages, &store->tree[GH_DB_REVISION], (gh_bytes_t) { "", 0 }, history_entry, &history, error);
    gh_store_end(store);
    if (rc != GH_OK) {
        return gh_store_blame(store, error);
    }
    for (size_t i = 0; i < history.count / 2; i++) {
        gh_store_revision_t swap = history.items[i];

        history.items[i] = history.items[history.count - 1 - i];
        history.items[history.count - 1 - i] = swap;
    }
    *revisions = history.items;
    *count = history.count;
    return GH_OK;
}

int
gh_store_document(gh_store_t *store, const uint8_t sha256[32], gh_arena_t *arena, gh_str_t *text, gh_error_t *error)
{
    bool found;
    int  rc;

    if (gh_store_begin(store, store->clock_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = gh_store_read(store, GH_DB_DOCUMENT, (gh_bytes_t) { sha256, 32 }, &found, error);
    gh_store_end(store);
    if (rc != GH_OK) {
        return gh_store_blame(store, error);
    }
    if (!found) {
        return gh_error_set(error, "store_unknown", "the store has no such document");
    }
    *text = gh_str_copy(arena, (gh_str_t) { (const char *) store->value.data + GH_ENVELOPE_SIZE,
                                            store->value.len - GH_ENVELOPE_SIZE });
    return text->data == NULL ? gh_error_set(error, "out_of_memory", "no memory for a document") : GH_OK;
}
