/* The apps' records follow the image: only what differs from those that are there is written. */
#include "policy/store/store_edit.h"

#include <stdlib.h>
#include <string.h>

#include "policy/store/pages_format.h"

static int
put_app(gh_edit_t *edit, const gh_store_app_t *app, gh_error_t *error)
{
    gh_app_record_t record;

    memset(&record, 0, sizeof(record));
    record.profile = app->profile;
    return gh_edit_put(edit, GH_DB_APP, (gh_bytes_t) { app->path.data, app->path.len }, &record, sizeof(record), error);
}

/* A record that says the same and is sound stays as it is. */
static bool
same_app(gh_edit_t *edit, MDB_val key, MDB_val value, const gh_store_app_t *app)
{
    gh_app_record_t record;
    gh_error_t      ignored;

    if (value.mv_size != sizeof(record)) {
        return false;
    }
    memcpy(&record, value.mv_data, sizeof(record));
    return record.profile == app->profile
        && gh_envelope_check(edit->store->mac, GH_DB_APP, (gh_bytes_t) { key.mv_data, key.mv_size }, value.mv_data,
               value.mv_size, &ignored) == GH_OK;
}

/* What differs, found before anything is written. */
typedef struct {
    char    *dropped;                 /* u8 length, path, ... */
    size_t   dropped_len, dropped_capacity;
    uint8_t *put;                     /* bit by index of the apps */
} difference_t;

static int
note_dropped(difference_t *difference, gh_bytes_t key, gh_error_t *error)
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
find_difference(gh_edit_t *edit, MDB_cursor *cursor, const gh_store_app_t *apps, size_t count, difference_t *difference,
    gh_error_t *error)
{
    MDB_val key, value;
    size_t  i = 0;
    int     rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);

    while (rc == 0) {
        gh_bytes_t there = { key.mv_data, key.mv_size };
        int        order = i == count ? -1
            : gh_page_key_compare(there, (gh_bytes_t) { apps[i].path.data, apps[i].path.len });

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
            if (!same_app(edit, key, value, &apps[i])) {
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
write_difference(gh_edit_t *edit, const gh_store_app_t *apps, size_t count, const difference_t *difference, gh_error_t *error)
{
    for (size_t at = 0; at < difference->dropped_len;) {
        size_t  len = (uint8_t) difference->dropped[at];
        MDB_val key = { len, difference->dropped + at + 1 };
        int     rc = mdb_del(edit->txn, edit->store->dbi[GH_DB_APP], &key, NULL);

        if (rc != 0) {
            return gh_store_mdb_error(rc, "an app cannot be dropped; nothing changed", error);
        }
        at += len + 1;
    }
    for (size_t i = 0; i < count; i++) {
        if ((difference->put[i / 8] >> i % 8 & 1) && put_app(edit, &apps[i], error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

/* The records must be what the image says of them: sorted, each of a profile that is there, as many as it counts. */
static int
check_apps(const gh_image_t *image, const gh_store_app_t *apps, size_t count, gh_error_t *error)
{
    if (gh_image_holds_apps(image) || gh_image_counts(image).apps != count) {
        return gh_error_set(error, "store_damaged", "the compiled policy counts %u apps beside it, there are %zu",
            gh_image_counts(image).apps, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (apps[i].path.len == 0 || apps[i].path.len > GH_STORE_APP_PATH_MAX
            || gh_image_profile_find(image, apps[i].profile) < 0 || (i > 0 && gh_str_cmp(apps[i - 1].path, apps[i].path) >= 0))
        {
            return gh_error_set(error, "store_damaged", "app %zu of the compiled policy is not valid", i);
        }
    }
    return GH_OK;
}

int
gh_edit_apps(gh_edit_t *edit, const gh_image_t *image, const gh_store_app_t *apps, size_t count, gh_error_t *error)
{
    difference_t difference;
    MDB_cursor  *cursor;
    int          rc;

    if (check_apps(image, apps, count, error) != GH_OK) {
        return GH_ERROR;
    }
    memset(&difference, 0, sizeof(difference));
    difference.put = calloc(1, count / 8 + 1);
    if (difference.put == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the apps of tenants/1");
    }
    rc = mdb_cursor_open(edit->txn, edit->store->dbi[GH_DB_APP], &cursor);
    if (rc != 0) {
        rc = gh_store_mdb_error(rc, "the apps cannot be read; nothing changed", error);
    } else {
        rc = find_difference(edit, cursor, apps, count, &difference, error);
        mdb_cursor_close(cursor);
    }
    if (rc == GH_OK) {
        rc = write_difference(edit, apps, count, &difference, error);
    }
    free(difference.put);
    free(difference.dropped);
    return rc;
}
