/* API keys as a list: what `gatehouse key list` shows, from the names and the keys' own records. */
#include "policy/store/store_internal.h"

#include <string.h>

typedef struct {
    gh_store_t     *store;
    gh_arena_t     *arena;
    gh_str_t        below;
    uint64_t        now_ms;
    gh_store_key_t *items;
    size_t          count, capacity;
    uint8_t       (*hashes)[32];
} list_t;

/* "k/org/tenant/app/name" at or below the prefix; keys come in byte order, where "a-b" stands before "a/b". */
static bool
list_covers(const list_t *list, gh_str_t path)
{
    return list->below.len == 0
        || (gh_str_starts(path, list->below) && (path.len == list->below.len || path.data[list->below.len] == '/'));
}

static int
list_entry(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    list_t       *list = context;
    gh_str_t      path = { (const char *) key.data + 2, key.len - 2 }, parts[4];
    gh_name_key_t name;

    if (key.len < 2 || memcmp(key.data, "k/", 2) != 0 || !gh_str_starts(path, list->below)) {
        return 1;
    }
    if (!list_covers(list, path)) {
        return 0;
    }
    if (gh_envelope_check(list->store->mac, GH_DB_NAME, key, value.data, value.len, error) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_store_name_read(path, value, &name, error) != GH_OK) {
        return GH_ERROR;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 64;

        list->items = gh_arena_grow(list->arena, list->items, list->count, capacity, sizeof(*list->items));
        list->hashes = gh_arena_grow(list->arena, list->hashes, list->count, capacity, sizeof(*list->hashes));
        list->capacity = capacity;
    }
    path = gh_str_copy(list->arena, path);
    if (list->items == NULL || list->hashes == NULL || path.data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the list of keys");
    }
    for (int i = 0; i < 4; i++) {
        const char *slash = i == 3 ? NULL : memchr(path.data, '/', path.len);

        if (i < 3 && slash == NULL) {
            return gh_error_set(error, "store_damaged", "a key's name is not valid");
        }
        parts[i] = (gh_str_t) { path.data, slash == NULL ? path.len : (size_t) (slash - path.data) };
        path = (gh_str_t) { path.data + parts[i].len + 1, path.len - parts[i].len - (i < 3) };
    }
    list->items[list->count] = (gh_store_key_t) { .org = parts[0], .tenant = parts[1], .app = parts[2], .name = parts[3],
                                                  .created_ms = name.created_ms, .revoked_ms = name.revoked_ms,
                                                  .rotated_ms = name.rotated_ms, .imported = name.imported != 0,
                                                  .access_key = name.access_key != 0 };
    if (name.before_until_ms > list->now_ms && name.revoked_ms == 0) {
        list->items[list->count].before_until_ms = name.before_until_ms;
    }
    list->items[list->count].owner = gh_str_copy(list->arena, gh_store_name_owner(&name));
    list->items[list->count].mints = gh_str_copy(list->arena, gh_store_name_mints(&name));
    list->items[list->count].minter = gh_str_copy(list->arena, gh_store_name_minter(&name));
    if (list->items[list->count].owner.data == NULL || list->items[list->count].mints.data == NULL || list->items[list->count].minter.data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the list of keys");
    }
    memcpy(list->hashes[list->count++], name.hash, 32);
    return 0;
}

/* State and validity stand in the keys' own records; whether the app is listed, in the app's. */
static int
list_complete(list_t *list, size_t index, gh_error_t *error)
{
    gh_store_t     *store = list->store;
    gh_store_key_t *item = &list->items[index];
    gh_key_record_t record;
    gh_identity_t   identity;
    bool            found;

    if (gh_store_read(store, GH_DB_KEY, (gh_bytes_t) { list->hashes[index], 32 }, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found) {
        return gh_error_set(error, "store_damaged", "the record of key %.*s is missing", GH_STR_ARG(item->name));
    }
    if (gh_key_record_read(store->value.data, store->value.len, list->arena, &record, &identity, error) != GH_OK) {
        return GH_ERROR;
    }
    item->state = record.state;
    item->uid = record.key_uid;
    item->audit_required = record.audit_required != 0;
    item->classes = identity.own_classes;
    item->places = identity.own_places;
    item->models = identity.own_models;
    if (record.limit_count > 0) {
        gh_limit_t *limits = gh_arena_array(list->arena, record.limit_count, sizeof(*limits));

        if (limits == NULL) {
            return gh_error_set(error, "out_of_memory", "no memory for a list of keys");
        }
        memcpy(limits, record.limit, record.limit_count * sizeof(*limits));
        item->limits = limits;
        item->limit_count = record.limit_count;
    }
    item->not_before_ms = record.not_before_ms;
    item->not_after_ms = record.not_after_ms;
    item->expired = record.not_after_ms != 0 && list->now_ms >= record.not_after_ms;
    if (store->head.revision != 0) {
        return gh_store_app_identity(store, &identity, &item->app_listed, error);
    }
    return GH_OK;
}

int
gh_store_key_list(gh_store_t *store, gh_str_t below, uint64_t now_ms, gh_arena_t *arena,
    gh_store_key_t **keys, size_t *count, gh_error_t *error)
{
    list_t     list = { .store = store, .arena = arena, .below = below, .now_ms = now_ms };
    gh_store_name_key_t from;
    int        rc;

    *keys = NULL;
    *count = 0;
    if (gh_store_begin(store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = store->head.revision == 0 ? GH_OK : gh_store_load_image(store, now_ms, error);
    gh_store_name_key(&from, "k/", below);
    if (rc == GH_OK) {
        rc = gh_pages_each(&store->pages, &store->tree[GH_DB_NAME], (gh_bytes_t) { from.text, from.len }, list_entry, &list,
            error);
    }
    for (size_t i = 0; rc == GH_OK && i < list.count; i++) {
        rc = list_complete(&list, i, error);
    }
    gh_store_end(store);
    if (rc != GH_OK) {
        return gh_store_blame(store, error);
    }
    *keys = list.items;
    *count = list.count;
    return GH_OK;
}
