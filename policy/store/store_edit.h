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

/* Is what was checked before the edit began still so? revision in force then, and newest change; 0: any. GH_ERROR "store_moved". */
int  gh_edit_unmoved(const gh_edit_t *edit, uint64_t revision, uint64_t change, gh_error_t *error);

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
 * The next change entry: {"number","t","actor","what","subject"}; what is "apply", or "key.create", ".import", ".edit", ".rotate", ".retire" or
 * ".revoke", subject the revision's number or the key's path.
 */
int  gh_edit_change(gh_edit_t *edit, gh_str_t actor, const char *what, gh_str_t subject, gh_error_t *error);

/* store_keys.c. The uid of "org", "org/tenant" or "org/tenant/app": given at its first key or when claims name it, kept for ever, never given again. */
int  gh_edit_path_uid(gh_edit_t *edit, gh_str_t path, uint64_t *uid, gh_error_t *error);

/* store_keys_narrow.c: what the key narrows by itself, against what holds for its app (gh_store_identify_app). GH_ERROR: "place_unknown", "model_unknown", "loosens", "invalid_request". */
int gh_store_key_narrow_check(gh_store_t *store, const gh_identity_t *app, const gh_store_key_new_t *key, gh_error_t *error);

/* ---- store_keys.c: what making, editing, rotating and ending keys share ---- */

/* Is what is said of a key sound by itself? *text is "org/tenant/app/name", in path, which has GH_STORE_PATH_MAX bytes. GH_ERROR "invalid_request". */
int gh_store_key_new_check(const gh_store_key_new_t *key, char *path, gh_str_t *text, gh_error_t *error);

/* And within its app ("org/tenant/app"), which must be in the revision in force, *revision? GH_ERROR: "app_unknown" with one near that is, "class_unknown", or as of gh_store_key_narrow_check. */
int gh_store_key_app_check(gh_store_t *store, gh_str_t path, const gh_store_key_new_t *key, uint64_t now_ms, uint64_t *revision, gh_error_t *error);

/* The name record at "k/" + path, whose key it gives too. GH_ERROR: "store_damaged". */
int gh_edit_name_get(gh_edit_t *edit, gh_str_t path, gh_store_name_key_t *index, gh_name_key_t *name, bool *found, gh_error_t *error);
int gh_edit_name_put(gh_edit_t *edit, const gh_store_name_key_t *index, gh_name_key_t *name, gh_error_t *error);

/* Puts its words into a name record, which may be borrowed from it. GH_ERROR "invalid_request": they do not fit. */
int gh_edit_name_says(gh_name_key_t *name, gh_str_t owner, gh_str_t mints, gh_str_t minter, gh_error_t *error);

/* A record of "key" by its hash, as stored: buffer has GH_KEY_RECORD_MAX bytes. Missing: "store_damaged", naming path. */
int gh_edit_key_get(gh_edit_t *edit, gh_str_t path, const uint8_t hash[32], uint8_t *buffer, size_t *len, gh_key_record_t *record,
    gh_error_t *error);

/* The same record with other numbers; its strings stay. */
int gh_edit_key_put(gh_edit_t *edit, const uint8_t hash[32], uint8_t *buffer, size_t len, gh_key_record_t *record, gh_error_t *error);

/*
 * The same record with the words and limits that are given: at `hash` of the key `path`. GH_ERROR "invalid_request": they do not fit.
 */
int gh_edit_key_rewrite(gh_edit_t *edit, gh_str_t path, const uint8_t hash[32], gh_key_record_t *record, const gh_key_words_t *words, gh_error_t *error);

/* Writes the record of a secret that nobody has yet. GH_ERROR: "key_exists" when somebody has. */
int gh_edit_key_add(gh_edit_t *edit, gh_str_t path, const uint8_t hash[32], uint8_t *buffer, size_t len, gh_error_t *error);

/* Revokes one key, with its entry. GH_ERROR: "key_unknown", "key_revoked". */
int gh_edit_key_revoke(gh_edit_t *edit, gh_str_t path, gh_str_t actor, gh_error_t *error);

/* ---- store_minted.c: keys that a key made, and those that they made, follow it; all of them are of its organisation ---- */

/* Notes at the key `minter` that it made one. Empty: nobody did. */
int gh_edit_has_minted(gh_edit_t *edit, gh_str_t minter, gh_error_t *error);

/*
 * After the key `path` was revoked, or said otherwise, in this edit: each that it made and that is not revoked is revoked too, or has what its minter's own classes, places, models, audit mode, limits,
 * names that it makes keys for and end take away. *followed: how many changed; an entry of each is in the history. The image in force is loaded when places were edited. GH_ERROR: "mint_wider" (a name of a place
 * means more for the app of one that it made), "mint_limits", "invalid_request" (a record has no room), "out_of_memory", or a store_* one.
 */
int gh_edit_minted_revoke(gh_edit_t *edit, gh_str_t path, gh_str_t actor, size_t *followed, gh_error_t *error);
int gh_edit_minted_narrow(gh_edit_t *edit, gh_str_t path, gh_str_t actor, size_t *followed, gh_error_t *error);

/* End of the key `path`; 0: it has none. */
int gh_edit_key_end(gh_edit_t *edit, gh_str_t path, uint64_t *not_after_ms, gh_error_t *error);

/*
 * A new secret of a key, made of 32 random bytes, and in one edit the records that `records` writes for its hash; what is handed on to it. text is
 * empty unless it was committed; of an access key it is the id.
 */
typedef struct {
    const uint8_t *random;
    uint64_t       now_ms;
    bool           access_key;
    gh_str_t       path;              /* of a key that is there, and is an access key or not; empty: it is new */
    uint64_t       revision, change;  /* as of gh_edit_unmoved */
} gh_edit_secret_t;

typedef int (*gh_edit_records_fn)(gh_edit_t *edit, const void *what, const uint8_t hash[32], gh_error_t *error);
int  gh_edit_secret(gh_store_t *store, const gh_edit_secret_t *secret, gh_edit_records_fn records, const void *what, char text[GH_KEY_TEXT + 1],
    gh_error_t *error);

#endif
