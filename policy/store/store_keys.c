/* API keys: making, listing, revoking. They are beside revisions: a rollback never revives a revoked key. */
#include "policy/store/store_edit.h"

#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES (4 * (GH_STORE_NAME_MAX + 1))

typedef struct { char text[2 + PATH_MAX_BYTES]; size_t len; } name_key_t;

static gh_bytes_t
name_key(name_key_t *key, const char *kind, gh_str_t path)
{
    int len = snprintf(key->text, sizeof(key->text), "%s%.*s", kind, GH_STR_ARG(path));

    key->len = len < 0 ? 0 : (size_t) len < sizeof(key->text) ? (size_t) len : sizeof(key->text) - 1;
    return (gh_bytes_t) { key->text, key->len };
}

/* The uid of "org", "org/tenant" or "org/tenant/app": given at its first key, kept for ever, never given again. */
static int
path_uid(gh_edit_t *edit, gh_str_t path, uint64_t *uid, gh_error_t *error)
{
    gh_name_uid_t record;
    name_key_t    key;
    bool          found;

    name_key(&key, "u/", path);
    if (gh_edit_get(edit, GH_DB_NAME, (gh_bytes_t) { key.text, key.len }, &record, sizeof(record), &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found) {
        memset(&record, 0, sizeof(record));
        record.uid = ++edit->head.last_uid;
        if (gh_edit_put(edit, GH_DB_NAME, (gh_bytes_t) { key.text, key.len }, &record, sizeof(record), error) != GH_OK) {
            return GH_ERROR;
        }
    }
    *uid = record.uid;
    return GH_OK;
}

/* The app must be in the revision in force; what the error names as near is one that is. */
static int
app_listed(gh_store_t *store, gh_str_t path, uint64_t now_ms, gh_error_t *error)
{
    gh_identity_t identity;

    memset(&identity, 0, sizeof(identity));
    identity.path = path;
    return gh_store_identify_app(store, now_ms, &identity, NULL, error);
}

static int
create_records(gh_edit_t *edit, const gh_store_key_new_t *key, gh_str_t path, const uint8_t hash[32], gh_error_t *error)
{
    gh_str_t        app_path = { path.data, path.len - key->name.len - 1 };
    gh_str_t        tenant_path = { path.data, key->org.len + 1 + key->tenant.len };
    gh_key_record_t record;
    gh_name_key_t   name;
    name_key_t      index;
    uint8_t         buffer[GH_KEY_RECORD_MAX];
    size_t          len;
    bool            found;

    name_key(&index, "k/", path);
    if (gh_edit_get(edit, GH_DB_NAME, (gh_bytes_t) { index.text, index.len }, &name, sizeof(name), &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (found) {
        return gh_error_set(error, "key_exists", "%.*s %s; names of keys are not used again", GH_STR_ARG(path),
            name.revoked_ms != 0 ? "was revoked" : "exists");
    }
    memset(&record, 0, sizeof(record));
    if (path_uid(edit, key->org, &record.org_uid, error) != GH_OK
        || path_uid(edit, tenant_path, &record.tenant_uid, error) != GH_OK
        || path_uid(edit, app_path, &record.app_uid, error) != GH_OK
        || gh_edit_change(edit, key->actor, "key.create", path, error) != GH_OK)
    {
        return GH_ERROR;
    }
    record.key_uid = ++edit->head.last_uid;
    record.not_before_ms = key->not_before_ms;
    record.not_after_ms = key->not_after_ms;
    record.change = edit->head.last_change;
    record.state = GH_KEY_LIVE;
    len = gh_key_record_write(&record, key->org, key->tenant, key->app, key->name, GH_STR(""), buffer);
    if (len == 0 || gh_edit_put(edit, GH_DB_KEY, (gh_bytes_t) { hash, 32 }, buffer, len, error) != GH_OK) {
        return GH_ERROR;
    }
    memset(&name, 0, sizeof(name));
    memcpy(name.hash, hash, 32);
    name.created_ms = edit->now_ms;
    return gh_edit_put(edit, GH_DB_NAME, (gh_bytes_t) { index.text, index.len }, &name, sizeof(name), error);
}

int
gh_store_key_create(gh_store_t *store, const gh_store_key_new_t *key, char text[GH_KEY_TEXT + 1], gh_error_t *error)
{
    char      path[PATH_MAX_BYTES];
    gh_edit_t edit;
    uint8_t   hash[32];
    int       len;

    text[0] = '\0';
    if (!gh_key_name_ok(key->org) || !gh_key_name_ok(key->tenant) || !gh_key_name_ok(key->app) || !gh_key_name_ok(key->name)) {
        return gh_error_set(error, "invalid_request",
            "names are 1 to 63 of a-z, 0-9 and -, not beginning with -: org/tenant/app and the key's name");
    }
    if (key->actor.len > 256) {
        return gh_error_set(error, "invalid_request", "the author may have 256 bytes");
    }
    if (key->not_after_ms != 0 && (key->not_after_ms <= key->now_ms || key->not_after_ms <= key->not_before_ms)) {
        return gh_error_set(error, "invalid_request", "the key would have expired before its first use");
    }
    len = snprintf(path, sizeof(path), "%.*s/%.*s/%.*s/%.*s", GH_STR_ARG(key->org), GH_STR_ARG(key->tenant),
        GH_STR_ARG(key->app), GH_STR_ARG(key->name));
    if (app_listed(store, (gh_str_t) { path, (size_t) len - key->name.len - 1 }, key->now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    gh_key_text(key->random, text);
    text[GH_KEY_TEXT] = '\0';
    if (gh_key_hash(store->api_key, (gh_str_t) { text, GH_KEY_TEXT }, hash) != GH_OK) {
        gh_error_set(error, "store_denied", "the key cannot be hashed: OpenSSL failed");
        goto failed;
    }
    if (gh_edit_begin(&edit, store, key->now_ms, error) != GH_OK) {
        goto failed;
    }
    if (create_records(&edit, key, (gh_str_t) { path, (size_t) len }, hash, error) != GH_OK) {
        gh_edit_abort(&edit);
        goto failed;
    }
    if (gh_edit_commit(&edit, error) == GH_OK) {
        return GH_OK;
    }

failed:
    memset(text, 0, GH_KEY_TEXT + 1);
    return GH_ERROR;
}

static int
revoke_records(gh_edit_t *edit, gh_str_t path, gh_str_t actor, gh_error_t *error)
{
    gh_key_record_t record;
    gh_name_key_t   name;
    name_key_t      index;
    uint8_t         buffer[GH_KEY_RECORD_MAX];
    size_t          len;
    bool            found;

    name_key(&index, "k/", path);
    if (gh_edit_get(edit, GH_DB_NAME, (gh_bytes_t) { index.text, index.len }, &name, sizeof(name), &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found) {
        return gh_error_set(error, "key_unknown", "there is no key %.*s; \"gatehouse key list\" shows all", GH_STR_ARG(path));
    }
    if (gh_edit_get_any(edit, GH_DB_KEY, (gh_bytes_t) { name.hash, 32 }, buffer, sizeof(buffer), &len, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found || len < GH_KEY_RECORD_FIXED) {
        return gh_error_set(error, "store_damaged", "the record of key %.*s is missing or cut short", GH_STR_ARG(path));
    }
    memcpy(&record, buffer, sizeof(record));
    if (record.state == GH_KEY_REVOKED) {
        return gh_error_set(error, "key_revoked", "%.*s already is revoked", GH_STR_ARG(path));
    }
    if (gh_edit_change(edit, actor, "key.revoke", path, error) != GH_OK) {
        return GH_ERROR;
    }
    record.state = GH_KEY_REVOKED;
    record.change = edit->head.last_change;
    memset(record.envelope, 0, sizeof(record.envelope));
    memcpy(buffer, &record, sizeof(record));
    name.revoked_ms = edit->now_ms;
    if (gh_edit_put(edit, GH_DB_KEY, (gh_bytes_t) { name.hash, 32 }, buffer, len, error) != GH_OK) {
        return GH_ERROR;
    }
    return gh_edit_put(edit, GH_DB_NAME, (gh_bytes_t) { index.text, index.len }, &name, sizeof(name), error);
}

int
gh_store_key_revoke(gh_store_t *store, gh_str_t path, uint64_t now_ms, gh_str_t actor, gh_error_t *error)
{
    gh_edit_t edit;

    if (path.len == 0 || path.len >= PATH_MAX_BYTES || memchr(path.data, '\0', path.len) != NULL || actor.len > 256) {
        return gh_error_set(error, "invalid_request", "a key is named org/tenant/app/name");
    }
    if (gh_edit_begin(&edit, store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    if (revoke_records(&edit, path, actor, error) != GH_OK) {
        gh_edit_abort(&edit);
        return GH_ERROR;
    }
    return gh_edit_commit(&edit, error);
}

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
    if (value.len != sizeof(name)) {
        return gh_error_set(error, "store_damaged", "a key's name record has %zu bytes", value.len);
    }
    memcpy(&name, value.data, sizeof(name));
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
                                                  .created_ms = name.created_ms, .revoked_ms = name.revoked_ms };
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
    name_key_t from;
    int        rc;

    *keys = NULL;
    *count = 0;
    if (gh_store_begin(store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = store->head.revision == 0 ? GH_OK : gh_store_load_image(store, now_ms, error);
    name_key(&from, "k/", below);
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
