/*
 * Keys that a key made, and those that they made: no edit leaves one of them more than its minter. Each names its minter in its name record, so that they are found without an index: they are of the minter's
 * organisation, and a key that never made one is known by its own record.
 */
#include "policy/store/store_edit.h"

#include <stdlib.h>
#include <string.h>

#include "policy/identity/mint.h"
#include "policy/identity/narrowing.h"

typedef struct {
    gh_str_t path, minter;
    bool     revoked;
    uint32_t depth;                   /* 1: made by the key that is edited; 0: not by it, nor by one that it made */
} minted_t;

typedef struct {
    gh_edit_t *edit;
    gh_str_t   path;                  /* the key that is edited */
    gh_str_t   actor;                 /* for the entries of those that follow it */
    gh_heap_t  heap;
    minted_t  *items;                 /* of its organisation, by path; later those alone that follow, each behind its minter */
    size_t     count, capacity;
} follow_t;

/* ---- which there are ---- */

static int
collect(follow_t *follow, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    gh_str_t      path = { (const char *) key.data + 2, key.len - 2 };
    gh_name_key_t name;

    if (gh_envelope_check(follow->edit->store->mac, GH_DB_NAME, key, value.data, value.len, error) != GH_OK || gh_store_name_read(path, value, &name, error) != GH_OK) {
        return GH_ERROR;
    }
    if (name.minter_len == 0) {
        return GH_OK;
    }
    if (follow->count == follow->capacity) {
        size_t capacity = follow->capacity * 2 + 64;

        follow->items = gh_arena_grow(&follow->heap.arena, follow->items, follow->count, capacity, sizeof(*follow->items));
        follow->capacity = capacity;
    }
    path = gh_str_copy(&follow->heap.arena, path);
    if (follow->items == NULL || path.data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for keys that a key made");
    }
    follow->items[follow->count] = (minted_t) { .path = path, .minter = gh_str_copy(&follow->heap.arena, gh_store_name_minter(&name)), .revoked = name.revoked_ms != 0 };
    return follow->items[follow->count++].minter.data != NULL ? GH_OK : gh_error_set(error, "out_of_memory", "no memory for keys that a key made");
}

/* All minted keys of the organisation. */
static int
collect_all(follow_t *follow, gh_error_t *error)
{
    const char         *slash = memchr(follow->path.data, '/', follow->path.len);
    gh_store_name_key_t from;
    MDB_cursor         *cursor;
    MDB_val             k, v;
    int                 rc;

    if (slash == NULL) {
        return gh_error_set(error, "invalid_request", "a key is named org/tenant/app/name");
    }
    gh_store_name_key(&from, "k/", (gh_str_t) { follow->path.data, (size_t) (slash - follow->path.data) + 1 });
    rc = mdb_cursor_open(follow->edit->txn, follow->edit->store->dbi[GH_DB_NAME], &cursor);
    if (rc != 0) {
        return gh_store_mdb_error(rc, "keys cannot be read", error);
    }
    k = (MDB_val) { from.len, from.text };
    for (rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE); rc == 0; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
        if (k.mv_size <= from.len || memcmp(k.mv_data, from.text, from.len) != 0) {
            break;
        }
        if (collect(follow, (gh_bytes_t) { k.mv_data, k.mv_size }, (gh_bytes_t) { v.mv_data, v.mv_size }, error) != GH_OK) {
            mdb_cursor_close(cursor);
            return GH_ERROR;
        }
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? GH_OK : gh_store_mdb_error(rc, "keys cannot be read", error);
}

static int
compare(gh_str_t a, gh_str_t b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int
by_path(const void *path, const void *item)
{
    return compare(*(const gh_str_t *) path, ((const minted_t *) item)->path);
}

static int
by_depth(const void *left, const void *right)
{
    const minted_t *a = left, *b = right;

    return a->depth != b->depth ? (a->depth > b->depth) - (a->depth < b->depth) : compare(a->path, b->path);
}

/* How many keys stand between it and the one that is edited, up the line of minters; a minter was there before what it made, so that the line ends. */
static uint32_t
depth_of(const follow_t *follow, const minted_t *item)
{
    uint32_t depth = 1;

    while (item != NULL && !gh_str_eq(item->minter, follow->path) && depth <= follow->count) {
        item = bsearch(&item->minter, follow->items, follow->count, sizeof(*item), by_path);
        depth++;
    }
    return item != NULL && depth <= follow->count ? depth : 0;
}

/* Those that follow, each behind its minter. What was not made by it is left out. */
static int
find(follow_t *follow, gh_error_t *error)
{
    gh_store_name_key_t index;
    gh_name_key_t       name;
    size_t              left = 0;
    bool                found;

    if (gh_edit_name_get(follow->edit, follow->path, &index, &name, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found || !name.has_minted) {
        return GH_OK;
    }
    if (collect_all(follow, error) != GH_OK) {
        return GH_ERROR;
    }
    for (size_t i = 0; i < follow->count; i++) {
        follow->items[i].depth = depth_of(follow, &follow->items[i]);
    }
    for (size_t i = 0; i < follow->count; i++) {
        if (follow->items[i].depth > 0 && !follow->items[i].revoked) {
            follow->items[left++] = follow->items[i];
        }
    }
    follow->count = left;
    if (left > 0) {
        qsort(follow->items, left, sizeof(*follow->items), by_depth);
    }
    return GH_OK;
}

/* ---- what becomes of them ---- */

static int
revoke(follow_t *follow, const minted_t *item, size_t *followed, gh_error_t *error)
{
    ++*followed;
    return gh_edit_key_revoke(follow->edit, item->path, follow->actor, error);
}

/* A key as it is in this edit. */
typedef struct {
    gh_store_name_key_t index;
    gh_name_key_t       name;
    gh_key_record_t     record;       /* of the secret in use */
    gh_identity_t       own;          /* what is said of the key itself, without its app's */
} present_t;

static int
record_of(follow_t *follow, gh_str_t path, const uint8_t hash[32], gh_key_record_t *record, gh_identity_t *own, gh_error_t *error)
{
    uint8_t buffer[GH_KEY_RECORD_MAX];
    size_t  len;

    if (gh_edit_key_get(follow->edit, path, hash, buffer, &len, record, error) != GH_OK || gh_key_record_read(buffer, len, &follow->heap.arena, record, own, error) != GH_OK) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < record->limit_count; i++) {
        gh_limits_tighten(&own->limits, &record->limit[i]);
    }
    return GH_OK;
}

static int
present(follow_t *follow, gh_str_t path, present_t *key, gh_error_t *error)
{
    bool found;

    if (gh_edit_name_get(follow->edit, path, &key->index, &key->name, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    return found ? record_of(follow, path, key->name.hash, &key->record, &key->own, error) : gh_error_set(error, "store_damaged", "the key %.*s is missing", GH_STR_ARG(path));
}

/* The policy that names of places are of, for the app; *listed false: tenants/1 does not list it, and its keys are refused. */
static int
policy_of(follow_t *follow, gh_str_t app, const gh_image_policy_t **policy, bool *listed, gh_error_t *error)
{
    uint8_t           value[sizeof(gh_app_record_t) + GH_LIMITS_MAX * sizeof(gh_limit_t)];
    const gh_image_t *image = follow->edit->store->image;
    gh_app_record_t   record;
    gh_bytes_t        limits;
    size_t            len;
    int32_t           profile;

    *policy = NULL;
    if (gh_edit_get_any(follow->edit, GH_DB_APP, (gh_bytes_t) { app.data, app.len }, value, sizeof(value), &len, listed, error) != GH_OK || !*listed) {
        return *listed ? GH_ERROR : GH_OK;
    }
    if (gh_app_record_read((gh_bytes_t) { value, len }, &record, &limits, error) != GH_OK) {
        return GH_ERROR;
    }
    profile = image != NULL ? gh_image_profile_find(image, record.profile) : -1;
    if (profile < 0) {
        return gh_error_set(error, "store_damaged", "the app %.*s has no profile", GH_STR_ARG(app));
    }
    *policy = image->profiles[profile].policy >= 0 ? &image->policies[image->profiles[profile].policy] : NULL;
    return GH_OK;
}

/* Names of places are those of an app's policy: of another app, one that the minter was narrowed to must not mean more. */
static int
same_places(follow_t *follow, const present_t *minter, const present_t *key, gh_str_t path, gh_error_t *error)
{
    const gh_image_policy_t *of_minter, *of_key;
    gh_str_t                 lists = minter->own.own_places, all = key->own.own_places, list, name;
    bool                     listed;

    if (lists.len == 0 || gh_str_eq(minter->own.path, key->own.path)) {
        return GH_OK;
    }
    if (gh_narrowing_add_all(&follow->heap.arena, &all, lists, error) != GH_OK) {
        return GH_ERROR;
    }
    if (all.len == key->own.own_places.len) {           /* it is held to all of them already: nothing is to mean the same, and the image may not be there */
        return GH_OK;
    }
    if (policy_of(follow, minter->own.path, &of_minter, &listed, error) != GH_OK || (listed && policy_of(follow, key->own.path, &of_key, &listed, error) != GH_OK)) {
        return GH_ERROR;
    }
    while (listed && of_minter != of_key && gh_narrowing_next(&lists, GH_NARROWING_LISTS, &list)) {
        while (gh_narrowing_next(&list, GH_NARROWING_LIST, &name)) {
            gh_places_t one = gh_places_none(), other = gh_places_none();

            gh_image_place(follow->edit->store->image, of_minter, name, &one);
            gh_image_place(follow->edit->store->image, of_key, name, &other);
            if (!gh_places_empty(gh_places_minus(other, one))) {
                return gh_error_set(error, "mint_wider", "\"%.*s\" means more places for the app of %.*s, which it made, than for its own: edit or revoke that key first", GH_STR_ARG(name),
                    GH_STR_ARG(path));
            }
        }
    }
    return GH_OK;
}

/* One of its secrets, held against the minter as it is now. *changed stays as it is when nothing did. */
static int
narrow_record(follow_t *follow, const present_t *minter, const minted_t *item, const uint8_t hash[32], gh_minted_t *minted, bool *changed, gh_error_t *error)
{
    gh_key_record_t record, before;
    gh_identity_t   own;
    gh_key_words_t  words;

    if (record_of(follow, item->path, hash, &record, &own, error) != GH_OK) {
        return GH_ERROR;
    }
    before = record;
    *minted = (gh_minted_t) { .classes = own.own_classes, .mints = minted->mints, .places = own.own_places, .models = own.own_models, .limits = own.limits,
                              .not_after_ms = record.not_after_ms, .audit_required = record.audit_required };
    if (gh_mint_follow(&minter->own, gh_store_name_mints(&minter->name), &follow->heap.arena, minted, error) != GH_OK) {
        return GH_ERROR;
    }
    record.not_after_ms = minted->not_after_ms;
    record.audit_required = minted->audit_required;
    record.limit_count = (uint8_t) minted->limits.count;
    memset(record.limit, 0, sizeof(record.limit));
    memcpy(record.limit, minted->limits.items, minted->limits.count * sizeof(*record.limit));
    if (record.not_after_ms == before.not_after_ms && record.audit_required == before.audit_required && memcmp(record.limit, before.limit, sizeof(record.limit)) == 0 && gh_str_eq(minted->classes, own.own_classes)
        && gh_str_eq(minted->places, own.own_places) && gh_str_eq(minted->models, own.own_models))
    {
        return GH_OK;
    }
    if (!*changed && gh_edit_change(follow->edit, follow->actor, "key.edit", item->path, error) != GH_OK) {
        return GH_ERROR;
    }
    *changed = true;
    words = (gh_key_words_t) { own.org, own.tenant, own.app, own.key, minted->classes, minted->places, minted->models };
    return gh_edit_key_rewrite(follow->edit, item->path, hash, &record, &words, error);
}

static int
narrow(follow_t *follow, const minted_t *item, size_t *followed, gh_error_t *error)
{
    static const uint8_t none[32];
    present_t            minter, key;
    gh_minted_t          minted;
    bool                 changed = false;

    if (present(follow, item->minter, &minter, error) != GH_OK || present(follow, item->path, &key, error) != GH_OK || same_places(follow, &minter, &key, item->path, error) != GH_OK) {
        return GH_ERROR;
    }
    minted.mints = gh_store_name_mints(&key.name);
    if (narrow_record(follow, &minter, item, key.name.hash, &minted, &changed, error) != GH_OK
        || (memcmp(key.name.before, none, sizeof(none)) != 0 && narrow_record(follow, &minter, item, key.name.before, &minted, &changed, error) != GH_OK))
    {
        return GH_ERROR;
    }
    if (minted.not_after_ms != 0 && key.name.before_until_ms > minted.not_after_ms) {
        key.name.before_until_ms = minted.not_after_ms;
    }
    if (!changed && gh_str_eq(minted.mints, gh_store_name_mints(&key.name))) {
        return GH_OK;
    }
    if (!changed && gh_edit_change(follow->edit, follow->actor, "key.edit", item->path, error) != GH_OK) {
        return GH_ERROR;
    }
    ++*followed;
    return gh_edit_name_says(&key.name, gh_store_name_owner(&key.name), minted.mints, gh_store_name_minter(&key.name), error) == GH_OK
        ? gh_edit_name_put(follow->edit, &key.index, &key.name, error) : GH_ERROR;
}

static int
each(gh_edit_t *edit, gh_str_t path, gh_str_t actor, int (*what)(follow_t *, const minted_t *, size_t *, gh_error_t *), size_t *followed, gh_error_t *error)
{
    follow_t follow = { .edit = edit, .path = path };
    int      rc;

    *followed = 0;
    gh_heap_init(&follow.heap);
    follow.actor = gh_str_format(&follow.heap.arena, "%.*s (as its minter %.*s)", GH_STR_ARG(actor), GH_STR_ARG(path));
    rc = follow.actor.data != NULL ? find(&follow, error) : gh_error_set(error, "out_of_memory", "no memory for keys that a key made");
    for (size_t i = 0; rc == GH_OK && i < follow.count; i++) {
        rc = what(&follow, &follow.items[i], followed, error);
    }
    gh_heap_free(&follow.heap);
    return rc;
}

int
gh_edit_minted_revoke(gh_edit_t *edit, gh_str_t path, gh_str_t actor, size_t *followed, gh_error_t *error)
{
    return each(edit, path, actor, revoke, followed, error);
}

int
gh_edit_minted_narrow(gh_edit_t *edit, gh_str_t path, gh_str_t actor, size_t *followed, gh_error_t *error)
{
    return each(edit, path, actor, narrow, followed, error);
}

int
gh_edit_has_minted(gh_edit_t *edit, gh_str_t minter, gh_error_t *error)
{
    gh_store_name_key_t index;
    gh_name_key_t       name;
    bool                found;

    if (minter.len == 0) {
        return GH_OK;
    }
    if (gh_edit_name_get(edit, minter, &index, &name, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found || name.revoked_ms != 0) {
        return gh_error_set(error, found ? "key_revoked" : "key_unknown", "the minter %.*s %s", GH_STR_ARG(minter), found ? "was revoked" : "is not there");
    }
    if (name.has_minted) {
        return GH_OK;
    }
    name.has_minted = 1;
    return gh_edit_name_put(edit, &index, &name, error);
}

int
gh_edit_key_end(gh_edit_t *edit, gh_str_t path, uint64_t *not_after_ms, gh_error_t *error)
{
    gh_store_name_key_t index;
    gh_name_key_t       name;
    gh_key_record_t     record;
    uint8_t             buffer[GH_KEY_RECORD_MAX];
    size_t              len;
    bool                found;

    *not_after_ms = 0;
    if (gh_edit_name_get(edit, path, &index, &name, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found) {
        return gh_error_set(error, "store_damaged", "the key %.*s is missing", GH_STR_ARG(path));
    }
    if (gh_edit_key_get(edit, path, name.hash, buffer, &len, &record, error) != GH_OK) {
        return GH_ERROR;
    }
    *not_after_ms = record.not_after_ms;
    return GH_OK;
}
