/* What tenants/1 of the revision in force lists, for whoever makes the next one of a part of it. */
#include "policy/store/store_internal.h"

#include <string.h>

static int
begin(gh_store_t *store, uint64_t *revision, gh_error_t *error)
{
    if (gh_store_begin(store, store->clock_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    *revision = store->head.revision;
    return GH_OK;
}

static int
end(gh_store_t *store, int rc, gh_error_t *error)
{
    gh_store_end(store);
    return rc == GH_OK ? GH_OK : gh_store_blame(store, error);
}

/* The record of a path, and what is behind it, borrowed until the next; *found false: it is not listed by itself. */
static int
read_record(gh_store_t *store, gh_str_t path, gh_app_record_t *record, gh_bytes_t *rest, bool *found, gh_error_t *error)
{
    *found = false;
    if (path.len == 0 || path.len > GH_STORE_APP_PATH_MAX) {
        return GH_OK;
    }
    if (gh_store_read(store, GH_DB_APP, (gh_bytes_t) { path.data, path.len }, found, error) != GH_OK) {
        return GH_ERROR;
    }
    return *found ? gh_app_record_read((gh_bytes_t) { store->value.data, store->value.len }, record, rest, error) : GH_OK;
}

static int
read_app(gh_store_t *store, gh_str_t path, gh_arena_t *arena, gh_store_listed_t *listed, gh_error_t *error)
{
    gh_app_record_t record;
    gh_bytes_t      limits;
    gh_limit_t     *copy;
    bool            found;

    *listed = (gh_store_listed_t) { .path = path };
    if (read_record(store, path, &record, &limits, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found || record.profile == 0) {
        return GH_OK;
    }
    listed->profile = record.profile;
    listed->max_output = record.max_output;
    listed->limit_count = record.limit_count;
    if (record.limit_count != 0) {
        copy = gh_arena_array(arena, record.limit_count, sizeof(*copy));
        if (copy == NULL) {
            return gh_error_set(error, "out_of_memory", "no memory for the limits of an app");
        }
        memcpy(copy, limits.data, limits.len);
        listed->limits = copy;
    }
    return GH_OK;
}

int
gh_store_listed_apps(gh_store_t *store, const gh_str_t *apps, size_t count, gh_arena_t *arena, gh_store_listed_t *listed,
    uint64_t *revision, gh_error_t *error)
{
    int rc = GH_OK;

    if (begin(store, revision, error) != GH_OK) {
        return GH_ERROR;
    }
    for (size_t i = 0; i < count && rc == GH_OK; i++) {
        rc = read_app(store, apps[i], arena, &listed[i], error);
    }
    return end(store, rc, error);
}

typedef struct { gh_str_t below; bool found; } below_t;

static int
below_entry(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    below_t *below = context;

    (void) value;
    (void) error;
    below->found = gh_str_starts((gh_str_t) { key.data, key.len }, below->below);
    return 1;
}

int
gh_store_listed_tenant(gh_store_t *store, gh_str_t path, bool *listed, uint64_t *revision, gh_error_t *error)
{
    char            text[GH_STORE_APP_PATH_MAX + 1];
    below_t         below = { { text, path.len + 1 }, false };
    gh_app_record_t record;
    gh_bytes_t      rest;
    int             rc;

    *listed = false;
    if (path.len == 0 || path.len >= GH_STORE_APP_PATH_MAX || begin(store, revision, error) != GH_OK) {
        return GH_ERROR;
    }
    memcpy(text, path.data, path.len);
    text[path.len] = '/';
    rc = read_record(store, path, &record, &rest, listed, error);
    if (rc == GH_OK && !*listed) {
        rc = gh_pages_each(&store->pages, &store->tree[GH_DB_APP], (gh_bytes_t) { text, path.len + 1 }, below_entry, &below, error);
        *listed = below.found;
    }
    return end(store, rc, error);
}

int
gh_store_listed_organisation(gh_store_t *store, gh_str_t id, gh_arena_t *arena, gh_store_listed_t *listed,
    uint64_t *revision, gh_error_t *error)
{
    gh_app_record_t record;
    gh_bytes_t      said;
    bool            found = false;
    int             rc;

    memset(listed, 0, sizeof(*listed));
    listed->path = id;
    if (begin(store, revision, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = read_record(store, id, &record, &said, &found, error);
    if (rc == GH_OK && found) {
        listed->documents = record.documents;
        listed->tenants = record.tenants;
        listed->said = gh_str_copy(arena, (gh_str_t) { said.data, said.len });
        if (listed->said.data == NULL) {
            rc = gh_error_set(error, "out_of_memory", "no memory for what is said of an organisation");
        }
    }
    return end(store, rc, error);
}
