/*
 * The apps that tenants/1 lists, one record each beside the image: a million of them cost a worker nothing, and an edit writes only
 * those that it changes. Profiles stand in the image, so the two are read and written in one transaction each. Writing: store_apps_write.c.
 */
#include "policy/store/store_internal.h"

#include <string.h>

#define NEAR_APPS 20000u              /* looked at for the nearest spelling, in one range */

int
gh_app_record_read(gh_bytes_t value, gh_app_record_t *record, gh_bytes_t *limits, gh_error_t *error)
{
    bool sound = value.len >= sizeof(*record);

    if (sound) {
        memcpy(record, value.data, sizeof(*record));
        *limits = (gh_bytes_t) { (const uint8_t *) value.data + sizeof(*record), value.len - sizeof(*record) };
        sound = record->profile == 0 ? record->limit_count == 0
            : record->limit_count <= GH_LIMITS_MAX && limits->len == record->limit_count * sizeof(gh_limit_t);
    }
    for (uint32_t i = 0; sound && i < record->limit_count; i++) {
        gh_limit_t limit;

        memcpy(&limit, (const uint8_t *) limits->data + i * sizeof(limit), sizeof(limit));
        sound = gh_limit_valid(&limit);
    }
    return sound ? GH_OK : gh_error_set(error, "store_damaged", "a record of \"app\", of %zu bytes, is not valid", value.len);
}

/* The envelope has been checked: what is in it is what was written. */
int
gh_store_app_identity(gh_store_t *store, gh_identity_t *identity, bool *listed, gh_error_t *error)
{
    gh_str_t        path = identity->path;
    gh_app_record_t record;
    gh_bytes_t      limits;
    int32_t         profile;
    bool            found;

    *listed = false;
    if (path.len == 0 || path.len > GH_STORE_APP_PATH_MAX) {
        return GH_OK;
    }
    if (gh_store_read(store, GH_DB_APP, (gh_bytes_t) { path.data, path.len }, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found) {
        return GH_OK;
    }
    if (gh_app_record_read((gh_bytes_t) { store->value.data, store->value.len }, &record, &limits, error) != GH_OK) {
        return GH_ERROR;
    }
    profile = gh_image_profile_find(store->image, record.profile);
    if (profile < 0 || record.profile == 0) {
        return gh_error_set(error, "store_damaged", "the record of app %.*s names a profile that revision %llu does not have",
            GH_STR_ARG(path), (unsigned long long) gh_image_revision(store->image));
    }
    identity->profile = record.profile;
    identity->audit = store->image->profiles[profile].audit;
    identity->revision = gh_image_revision(store->image);
    identity->transaction = gh_store_transaction(store);
    memcpy(identity->limits.items, limits.data, limits.len);
    identity->limits.count = record.limit_count;
    identity->limits.max_output = record.max_output;
    *listed = true;
    return GH_OK;
}

/* ---- the nearest spelling ---- */

typedef struct {
    gh_str_t path, below;             /* wanted; only names that begin so are looked at */
    char     near[GH_STORE_APP_PATH_MAX];
    size_t   near_len, best;          /* best: length of the common beginning that the next must have */
    unsigned left;
} near_t;

static int
near_entry(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    near_t  *near = context;
    gh_str_t candidate = { key.data, key.len };
    size_t   same = 0;
    unsigned slashes = 0;
    bool     close;

    (void) value;
    (void) error;
    if (key.len > sizeof(near->near) || near->left-- == 0 || !gh_str_starts(candidate, near->below)) {
        return 1;
    }
    for (size_t i = 0; i < candidate.len; i++) {
        slashes += candidate.data[i] == '/';
    }
    if (slashes != 2) {
        return 0;
    }
    while (same < near->path.len && same < candidate.len && near->path.data[same] == candidate.data[same]) {
        same++;
    }
    close = gh_str_nearest(near->path, &candidate, 1).len > 0;
    if (close || same >= near->best) {
        near->best = same + 1;
        near->near_len = candidate.len;
        memcpy(near->near, candidate.data, candidate.len);
    }
    return close;
}

/* Among the apps of its tenant, then of its organisation, then from the beginning: the first that is near, or begins most alike. */
int
gh_store_app_unknown(gh_store_t *store, gh_str_t path, gh_error_t *error)
{
    near_t   near = { .path = path, .best = 4 };
    gh_str_t below = path;

    do {
        while (below.len > 0 && below.data[--below.len] != '/') {
        }
        near.below = (gh_str_t) { below.data, below.len > 0 ? below.len + 1 : 0 };
        near.left = NEAR_APPS;
        if (gh_pages_each(&store->pages, &store->tree[GH_DB_APP], (gh_bytes_t) { near.below.data, near.below.len }, near_entry,
                &near, error) != GH_OK)
        {
            return GH_ERROR;
        }
    } while (near.near_len == 0 && below.len > 0);
    return gh_error_set(error, "app_unknown", "tenants/1 of revision %llu does not list %.*s%s%.*s%s",
        (unsigned long long) gh_image_revision(store->image), GH_STR_ARG(path), near.near_len > 0 ? "; did you mean " : "",
        (int) near.near_len, near.near, near.near_len > 0 ? "?" : "");
}
