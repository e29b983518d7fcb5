/* Who edited what: the entries that every edit leaves. */
#include "policy/store/store_internal.h"

typedef struct {
    gh_store_t         *store;
    gh_store_change_fn  each;
    void               *context;
} changes_t;

static int
change_entry(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    changes_t     *changes = context;
    const uint8_t *bytes = key.data;
    uint64_t       number = 0;

    if (gh_envelope_check(changes->store->mac, GH_DB_CHANGE, key, value.data, value.len, error) != GH_OK) {
        return GH_ERROR;
    }
    for (size_t i = 0; i < key.len && i < 8; i++) {
        number = number << 8 | bytes[i];
    }

    return changes->each(changes->context, number,
        (gh_str_t) { (const char *) value.data + GH_ENVELOPE_SIZE, value.len - GH_ENVELOPE_SIZE }, error);
}

int
gh_store_changes(gh_store_t *store, uint64_t after, gh_store_change_fn each, void *context, gh_error_t *error)
{
    changes_t changes = { store, each, context };
    uint8_t   key[8];
    int       rc;

    if (gh_store_begin(store, store->clock_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    if (store->head.last_change <= after) {
        gh_store_end(store);
        return GH_OK;
    }

    gh_store_key_u64(after + 1, key);
    rc = gh_pages_each(&store->pages, &store->tree[GH_DB_CHANGE], (gh_bytes_t) { key, 8 }, change_entry, &changes, error);
    gh_store_end(store);

    return rc == GH_OK ? GH_OK : gh_store_blame(store, error);
}
