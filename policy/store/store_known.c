/*
 * Keys that a worker knows, from one snapshot to the next: every edit of a key leaves an entry with the key's name, in the transaction that makes it (gh_edit_change), so what is kept of all
 * others stands. Whatever else was edited makes another revision, and nothing stands. Nor does it where an entry is missing, cannot be read, or there are many.
 */
#include "policy/store/store_internal.h"

#include <string.h>

#include "policy/base/json_tree.h"

#define FOLLOWED 256u                 /* edits between two looks at the store */

typedef struct {
    gh_store_t *store;
    uint64_t    next;                 /* number of the entry that has to come */
    gh_heap_t   heap;
} follow_t;

static int
entry(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    follow_t        *follow = context;
    uint8_t          number[8];
    const gh_node_t *what, *subject;
    gh_node_t       *root;

    gh_store_key_u64(follow->next++, number);
    if (key.len != sizeof(number) || memcmp(key.data, number, sizeof(number)) != 0) {
        return gh_error_set(error, "store_damaged", "an edit has left no entry");
    }
    if (gh_envelope_check(follow->store->mac, GH_DB_CHANGE, key, value.data, value.len, error) != GH_OK
        || gh_json_parse(&follow->heap.arena, (gh_str_t) { (const char *) value.data + GH_ENVELOPE_SIZE, value.len - GH_ENVELOPE_SIZE }, "", &root, error) != GH_OK)
    {
        return GH_ERROR;
    }
    what = root->type == GH_NODE_OBJECT ? gh_node_get(root, "what") : NULL;
    subject = root->type == GH_NODE_OBJECT ? gh_node_get(root, "subject") : NULL;
    if (what == NULL || what->type != GH_NODE_STRING || subject == NULL || subject->type != GH_NODE_STRING || !gh_str_starts(what->text, GH_STR("key."))) {
        return gh_error_set(error, "store_damaged", "more than keys was edited");
    }
    gh_known_keys_changed(follow->store->known, subject->text);
    return GH_OK;
}

/* Does what is kept stand, but for the keys that were edited? */
static bool
follows(gh_store_t *store)
{
    follow_t   follow = { .store = store, .next = store->known_change + 1 };
    gh_error_t error = { 0 };
    uint8_t    key[8];
    int        rc;

    if (store->known_revision != store->head.revision || store->known_change > store->head.last_change || store->head.last_change - store->known_change > FOLLOWED) {
        return false;
    }
    if (store->known_change == store->head.last_change) {
        return true;
    }
    gh_heap_init(&follow.heap);
    gh_store_key_u64(follow.next, key);
    rc = gh_pages_each(&store->pages, &store->tree[GH_DB_CHANGE], (gh_bytes_t) { key, sizeof(key) }, entry, &follow, &error);
    gh_heap_free(&follow.heap);
    return rc == GH_OK && follow.next == store->head.last_change + 1;
}

gh_known_keys_t *
gh_store_known_keys(gh_store_t *store)
{
    uint64_t keys = store->tree[GH_DB_KEY].entries;

    if (!store->serves || store->known_loads == store->loads) {
        return store->known;
    }
    if (store->known == NULL || gh_known_keys_outgrown(store->known, keys)) {
        gh_known_keys_free(store->known);
        store->known = gh_known_keys_new(keys);
    } else if (!follows(store)) {
        gh_known_keys_forget(store->known);
    }
    store->known_loads = store->loads;
    store->known_revision = store->head.revision;
    store->known_change = store->head.last_change;
    return store->known;
}
