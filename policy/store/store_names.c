/* Uids, which counters are of, and the names that they were given to. They are given once and kept for ever: store_keys.c. */
#include "policy/store/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

gh_bytes_t
gh_store_name_key(gh_store_name_key_t *key, const char *kind, gh_str_t path)
{
    int len = snprintf(key->text, sizeof(key->text), "%s%.*s", kind, GH_STR_ARG(path));

    key->len = len < 0 ? 0 : (size_t) len < sizeof(key->text) ? (size_t) len : sizeof(key->text) - 1;
    return (gh_bytes_t) { key->text, key->len };
}

static int
damaged(gh_str_t path, gh_error_t *error)
{
    return gh_error_set(error, "store_damaged", "the record of the name %.*s is not valid", GH_STR_ARG(path));
}

int
gh_store_path_uid(gh_store_t *store, gh_str_t path, uint64_t *uid, gh_error_t *error)
{
    gh_store_name_key_t key;
    gh_name_uid_t       record;
    bool                found;

    *uid = 0;
    if (gh_store_read(store, GH_DB_NAME, gh_store_name_key(&key, "u/", path), &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (found && store->value.len != sizeof(record)) {
        return damaged(path, error);
    }
    if (found) {
        memcpy(&record, store->value.data, sizeof(record));
        *uid = record.uid;
    }
    return GH_OK;
}

int
gh_store_name_read(gh_str_t path, gh_bytes_t value, gh_name_key_t *record, gh_error_t *error)
{
    memset(record, 0, sizeof(*record));
    if (value.len != GH_NAME_KEY_PLAIN && (value.len < offsetof(gh_name_key_t, text) || value.len > sizeof(*record))) {
        return damaged(path, error);
    }
    memcpy(record, value.data, value.len);
    return value.len == GH_NAME_KEY_PLAIN || (record->owner_len <= GH_KEY_OWNER_MAX
        && value.len == offsetof(gh_name_key_t, text) + record->owner_len + record->mints_len + record->minter_len) ? GH_OK : damaged(path, error);
}

int
gh_store_path_key(gh_store_t *store, gh_str_t path, uint8_t hash[32], bool *found, gh_error_t *error)
{
    gh_store_name_key_t key;
    gh_name_key_t       record;

    if (gh_store_read(store, GH_DB_NAME, gh_store_name_key(&key, "k/", path), found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (*found) {
        if (gh_store_name_read(path, (gh_bytes_t) { store->value.data, store->value.len }, &record, error) != GH_OK) {
            return GH_ERROR;
        }
        memcpy(hash, record.hash, sizeof(record.hash));
    }
    return GH_OK;
}

/* ---- all of them ---- */

typedef struct {
    gh_store_t       *store;
    gh_arena_t       *arena;
    gh_str_t          below;
    const char       *kind;           /* "u/" or "k/" */
    gh_store_named_t *items;
    size_t            count, capacity;
} list_t;

static int
list_push(list_t *list, gh_str_t path, uint64_t uid, gh_error_t *error)
{
    gh_level_t level = GH_LEVEL_ORGANISATION;

    for (size_t i = 0; i < path.len; i++) {
        level += path.data[i] == '/';
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 64;

        list->items = gh_arena_grow(list->arena, list->items, list->count, capacity, sizeof(*list->items));
        list->capacity = capacity;
    }
    path = gh_str_copy(list->arena, path);
    if (list->items == NULL || path.data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for names");
    }
    list->items[list->count++] = (gh_store_named_t) { path, uid, level };
    return 0;
}

/* Keys of the database come in byte order, where "a-b" stands before "a/b". A key's uid is read afterwards: it is in another database. */
static int
list_entry(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    list_t       *list = context;
    gh_str_t      path = { (const char *) key.data + 2, key.len - 2 };
    gh_name_uid_t record;

    if (key.len < 2 || memcmp(key.data, list->kind, 2) != 0 || !gh_str_starts(path, list->below)) {
        return 1;
    }
    if (list->below.len != 0 && path.len != list->below.len && path.data[list->below.len] != '/') {
        return 0;
    }
    if (gh_envelope_check(list->store->mac, GH_DB_NAME, key, value.data, value.len, error) != GH_OK) {
        return GH_ERROR;
    }
    memset(&record, 0, sizeof(record));
    if (list->kind[0] == 'u') {
        if (value.len != sizeof(record)) {
            return damaged(path, error);
        }
        memcpy(&record, value.data, sizeof(record));
    }
    return list_push(list, path, record.uid, error);
}

static int
list_kind(list_t *list, const char *kind, gh_error_t *error)
{
    gh_store_name_key_t from;

    list->kind = kind;
    return gh_pages_each(&list->store->pages, &list->store->tree[GH_DB_NAME], gh_store_name_key(&from, kind, list->below), list_entry, list,
        error);
}

static int
key_uid(list_t *list, gh_store_named_t *item, gh_error_t *error)
{
    gh_store_t     *store = list->store;
    gh_key_record_t record;
    uint8_t         hash[32];
    bool            found = false;

    if (gh_store_path_key(store, item->path, hash, &found, error) != GH_OK
        || (found && gh_store_read(store, GH_DB_KEY, (gh_bytes_t) { hash, 32 }, &found, error) != GH_OK))
    {
        return GH_ERROR;
    }
    if (!found || !gh_key_record_numbers(store->value.data, store->value.len, &record)) {
        return damaged(item->path, error);
    }
    item->uid = record.key_uid;
    return GH_OK;
}

static int
by_uid(const void *left, const void *right)
{
    const gh_store_named_t *a = left, *b = right;

    return (a->uid > b->uid) - (a->uid < b->uid);
}

int
gh_store_names(gh_store_t *store, gh_str_t below, uint64_t now_ms, gh_arena_t *arena, gh_store_named_t **names, size_t *count,
    gh_error_t *error)
{
    list_t list = { .store = store, .arena = arena, .below = below };
    size_t keys;
    int    rc;

    *names = NULL;
    *count = 0;
    if (gh_store_begin(store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = list_kind(&list, "u/", error);
    keys = list.count;
    if (rc == GH_OK) {
        rc = list_kind(&list, "k/", error);
    }
    for (size_t i = keys; rc == GH_OK && i < list.count; i++) {
        rc = key_uid(&list, &list.items[i], error);
    }
    gh_store_end(store);
    if (rc != GH_OK) {
        return gh_store_blame(store, error);
    }
    if (list.count > 0) {
        qsort(list.items, list.count, sizeof(*list.items), by_uid);
    }
    *names = list.items;
    *count = list.count;
    return GH_OK;
}

/* ---- an app below a name ---- */

typedef struct {
    gh_arena_t *arena;
    gh_str_t    below, path;
} first_t;

static int
first_entry(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    first_t *first = context;
    gh_str_t path = { key.data, key.len };
    unsigned slashes = 0;

    (void) value;
    if (!gh_str_starts(path, first->below)) {
        return 1;
    }
    for (size_t i = 0; i < path.len; i++) {
        slashes += path.data[i] == '/';
    }
    if (slashes != 2) {
        return 0;
    }
    first->path = gh_str_copy(first->arena, path);
    return first->path.data != NULL ? 1 : gh_error_set(error, "out_of_memory", "no memory for a name");
}

int
gh_store_app_below(gh_store_t *store, gh_str_t below, uint64_t now_ms, gh_arena_t *arena, gh_str_t *app, gh_error_t *error)
{
    first_t first = { arena, gh_str_format(arena, "%.*s/", GH_STR_ARG(below)), GH_STR("") };
    int     rc;

    *app = GH_STR("");
    if (first.below.data == NULL || gh_store_begin(store, now_ms, error) != GH_OK) {
        return first.below.data == NULL ? gh_error_set(error, "out_of_memory", "no memory for a name") : GH_ERROR;
    }
    rc = gh_store_load_image(store, now_ms, error);
    if (rc == GH_OK) {
        rc = gh_pages_each(&store->pages, &store->tree[GH_DB_APP], (gh_bytes_t) { first.below.data, first.below.len }, first_entry, &first,
            error);
    }
    gh_store_end(store);
    if (rc != GH_OK) {
        return gh_store_blame(store, error);
    }
    *app = first.path;
    return GH_OK;
}
