/* One write transaction, shared by store_write.c and store_keys.c. */
#ifndef GH_STORE_EDIT_H
#define GH_STORE_EDIT_H

#include "policy/store/store_internal.h"

typedef struct {
    gh_store_t *store;
    MDB_txn    *txn;
    gh_head_t   head;                 /* written back by gh_edit_commit */
    uint64_t    now_ms;               /* not below the newest write's */
} gh_edit_t;

/* Waits for another writer. GH_ERROR: nothing is open. */
int  gh_edit_begin(gh_edit_t *edit, gh_store_t *store, uint64_t now_ms, gh_error_t *error);
void gh_edit_abort(gh_edit_t *edit);

/* Writes the head and commits: on disk when it returns. The edit is over either way. */
int  gh_edit_commit(gh_edit_t *edit, gh_error_t *error);

/* value (len bytes, its first 32 the envelope's room) is sealed in place. */
int  gh_edit_put(gh_edit_t *edit, gh_db_t db, gh_bytes_t key, void *value, size_t len, gh_error_t *error);

/* A fixed-size record, checked. *found false: none. */
int  gh_edit_get(gh_edit_t *edit, gh_db_t db, gh_bytes_t key, void *record, size_t size, bool *found, gh_error_t *error);

/* A record of any length up to size; its length in *len. */
int  gh_edit_get_any(gh_edit_t *edit, gh_db_t db, gh_bytes_t key, void *record, size_t size, size_t *len, bool *found,
    gh_error_t *error);

/* What differs between what is listed and what is to be, found before anything is written. */
typedef struct {
    char    *dropped;                 /* u8 length, path, ... */
    size_t   dropped_len, dropped_capacity;
    uint8_t *put;                     /* bit by index of what is listed */
} gh_listed_difference_t;

/* store_apps_write.c. gh_listed_difference_free is the caller's, after an error too. */
int  gh_edit_listed_compare(gh_edit_t *edit, const gh_image_t *image, const gh_store_revision_new_t *revision,
    gh_listed_difference_t *difference, gh_error_t *error);
void gh_listed_difference_free(gh_listed_difference_t *difference);

/* store_apps_write.c: makes the list exactly what the revision says, whose profiles are those of the image. Writes what differs. */
int  gh_edit_listed(gh_edit_t *edit, const gh_image_t *image, const gh_store_revision_new_t *revision, gh_error_t *error);

/*
 * The next change entry: {"number","t","actor","what","subject"}; what is "apply", "key.create" or "key.revoke", subject the revision's
 * number or the key's path.
 */
int  gh_edit_change(gh_edit_t *edit, gh_str_t actor, const char *what, gh_str_t subject, gh_error_t *error);

#endif
