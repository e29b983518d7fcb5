/* The records of what tenants/1 lists follow the image: only what differs from those that are there is written. */
#include "policy/store/store_edit.h"

#include <stdlib.h>
#include <string.h>

#include "policy/store/pages_format.h"

/* Envelope still empty. */
static gh_app_record_t
record_of(const gh_store_listed_t *listed)
{
    return (gh_app_record_t) { .profile = listed->profile, .documents = listed->documents, .tenants = listed->tenants,
                               .limit_count = listed->limit_count, .max_output = listed->max_output };
}

/* What stands behind it. */
static gh_bytes_t
rest_of(const gh_store_listed_t *listed)
{
    return listed->profile == 0 ? (gh_bytes_t) { listed->said.data, listed->said.len }
                                : (gh_bytes_t) { listed->limits, listed->limit_count * sizeof(gh_limit_t) };
}

/* malloc'ed; NULL: out of memory. */
static uint8_t *
listed_record(const gh_store_listed_t *listed, size_t *len)
{
    gh_app_record_t record = record_of(listed);
    gh_bytes_t      rest = rest_of(listed);
    uint8_t        *value;

    *len = sizeof(record) + rest.len;
    value = malloc(*len);
    if (value == NULL) {
        return NULL;
    }
    memcpy(value, &record, sizeof(record));
    if (rest.len > 0) {
        memcpy(value + sizeof(record), rest.data, rest.len);
    }
    return value;
}

static int
put_listed(gh_edit_t *edit, const gh_store_listed_t *listed, gh_error_t *error)
{
    size_t   len;
    uint8_t *value = listed_record(listed, &len);
    int      rc;

    if (value == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for what tenants/1 lists");
    }
    rc = gh_edit_put(edit, GH_DB_APP, (gh_bytes_t) { listed->path.data, listed->path.len }, value, len, error);
    free(value);
    return rc;
}

/* A record that says the same and is sound stays as it is. */
static bool
same_listed(gh_edit_t *edit, MDB_val key, MDB_val value, const gh_store_listed_t *listed)
{
    gh_app_record_t record = record_of(listed);
    gh_bytes_t      rest = rest_of(listed);
    gh_error_t      ignored;
    const uint8_t  *there = value.mv_data;

    return value.mv_size == sizeof(record) + rest.len
        && memcmp(there + GH_ENVELOPE_SIZE, (const uint8_t *) &record + GH_ENVELOPE_SIZE, sizeof(record) - GH_ENVELOPE_SIZE) == 0
        && (rest.len == 0 || memcmp(there + sizeof(record), rest.data, rest.len) == 0)
        && gh_envelope_check(edit->store->mac, GH_DB_APP, (gh_bytes_t) { key.mv_data, key.mv_size }, value.mv_data,
               value.mv_size, &ignored) == GH_OK;
}

static int
note_dropped(gh_listed_difference_t *difference, gh_bytes_t key, gh_error_t *error)
{
    if (key.len > GH_STORE_APP_PATH_MAX) {
        return gh_error_set(error, "store_damaged", "an app has a name of %zu bytes", key.len);
    }
    if (difference->dropped_len + key.len + 1 > difference->dropped_capacity) {
        size_t capacity = difference->dropped_capacity * 2 + 4096;
        char  *grown = realloc(difference->dropped, capacity);

        if (grown == NULL) {
            return gh_error_set(error, "out_of_memory", "no memory for the apps that are dropped");
        }
        difference->dropped = grown;
        difference->dropped_capacity = capacity;
    }
    difference->dropped[difference->dropped_len++] = (char) (uint8_t) key.len;
    memcpy(difference->dropped + difference->dropped_len, key.data, key.len);
    difference->dropped_len += key.len;
    return GH_OK;
}

/* Both lists are sorted alike. */
static int
find_difference(gh_edit_t *edit, MDB_cursor *cursor, const gh_store_listed_t *listed, size_t count,
    gh_listed_difference_t *difference, gh_error_t *error)
{
    MDB_val key, value;
    size_t  i = 0;
    int     rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);

    while (rc == 0) {
        gh_bytes_t there = { key.mv_data, key.mv_size };
        int        order = i == count ? -1
            : gh_page_key_compare(there, (gh_bytes_t) { listed[i].path.data, listed[i].path.len });

        if (order > 0) {
            difference->put[i / 8] |= (uint8_t) (1 << i % 8);
            i++;
            continue;
        }
        if (order < 0) {
            if (note_dropped(difference, there, error) != GH_OK) {
                return GH_ERROR;
            }
        } else {
            if (!same_listed(edit, key, value, &listed[i])) {
                difference->put[i / 8] |= (uint8_t) (1 << i % 8);
            }
            i++;
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (rc != MDB_NOTFOUND) {
        return gh_store_mdb_error(rc, "the apps cannot be read; nothing changed", error);
    }
    for (; i < count; i++) {
        difference->put[i / 8] |= (uint8_t) (1 << i % 8);
    }
    return GH_OK;
}

static int
drop_listed(gh_edit_t *edit, gh_str_t path, gh_error_t *error)
{
    MDB_val key = { path.len, (void *) (uintptr_t) path.data };
    int     rc = mdb_del(edit->txn, edit->store->dbi[GH_DB_APP], &key, NULL);

    return rc == 0 ? GH_OK : gh_store_mdb_error(rc, "an app cannot be dropped; nothing changed", error);
}

static int
write_difference(gh_edit_t *edit, const gh_store_listed_t *listed, size_t count, const gh_listed_difference_t *difference,
    gh_error_t *error)
{
    for (size_t at = 0; at < difference->dropped_len;) {
        gh_str_t path = { difference->dropped + at + 1, (uint8_t) difference->dropped[at] };

        if (drop_listed(edit, path, error) != GH_OK) {
            return GH_ERROR;
        }
        at += path.len + 1;
    }
    for (size_t i = 0; i < count; i++) {
        if ((difference->put[i / 8] >> i % 8 & 1) && put_listed(edit, &listed[i], error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

/* What is given must be what the image says: sorted, every app of a profile that is there, and when all is given, as many as it counts. */
static int
check_listed(const gh_image_t *image, const gh_store_revision_new_t *revision, gh_error_t *error)
{
    const gh_store_listed_t *listed = revision->listed;
    size_t                   apps = 0, organisations = 0;

    for (size_t i = 0; i < revision->listed_count; i++) {
        if (listed[i].path.len == 0 || listed[i].path.len > GH_STORE_APP_PATH_MAX
            || (listed[i].profile != 0 && gh_image_profile_find(image, listed[i].profile) < 0)
            || listed[i].limit_count > (listed[i].profile != 0 ? GH_LIMITS_MAX : 0)
            || (i > 0 && gh_str_cmp(listed[i - 1].path, listed[i].path) >= 0))
        {
            return gh_error_set(error, "store_damaged", "entry %zu of what tenants/1 lists is not valid", i);
        }
        apps += listed[i].profile != 0;
        organisations += listed[i].documents != 0;
    }
    if (gh_image_holds_apps(image) || (!revision->part && (gh_image_counts(image).apps != apps
        || gh_image_counts(image).organisations != organisations)))
    {
        return gh_error_set(error, "store_damaged", "the compiled policy counts %u apps beside it, there are %zu",
            gh_image_counts(image).apps, apps);
    }
    return GH_OK;
}

/* The difference that an edit of a part brings with it. */
static int
given_difference(const gh_store_revision_new_t *revision, gh_listed_difference_t *difference, gh_error_t *error)
{
    memset(difference->put, 0xff, revision->listed_count / 8 + 1);
    for (size_t i = 0; i < revision->dropped_count; i++) {
        if (note_dropped(difference, (gh_bytes_t) { revision->dropped[i].data, revision->dropped[i].len }, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

int
gh_edit_listed_compare(gh_edit_t *edit, const gh_image_t *image, const gh_store_revision_new_t *revision,
    gh_listed_difference_t *difference, gh_error_t *error)
{
    MDB_cursor *cursor;
    int         rc;

    memset(difference, 0, sizeof(*difference));
    if (check_listed(image, revision, error) != GH_OK) {
        return GH_ERROR;
    }
    difference->put = calloc(1, revision->listed_count / 8 + 1);
    if (difference->put == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for what tenants/1 lists");
    }
    if (revision->part) {
        return given_difference(revision, difference, error);
    }
    rc = mdb_cursor_open(edit->txn, edit->store->dbi[GH_DB_APP], &cursor);
    if (rc != 0) {
        return gh_store_mdb_error(rc, "the apps cannot be read; nothing changed", error);
    }
    rc = find_difference(edit, cursor, revision->listed, revision->listed_count, difference, error);
    mdb_cursor_close(cursor);
    return rc;
}

void
gh_listed_difference_free(gh_listed_difference_t *difference)
{
    free(difference->put);
    free(difference->dropped);
}

int
gh_edit_listed(gh_edit_t *edit, const gh_image_t *image, const gh_store_revision_new_t *revision, gh_error_t *error)
{
    gh_listed_difference_t difference;
    int                    rc = gh_edit_listed_compare(edit, image, revision, &difference, error);

    if (rc == GH_OK) {
        rc = write_difference(edit, revision->listed, revision->listed_count, &difference, error);
    }
    gh_listed_difference_free(&difference);
    return rc;
}
