/*
 * Backups of the policy store, and putting one in force. A backup is one file: LMDB's data file as of one write, then a page of
 * GH_BACKUP_SEAL bytes with its digest under the store's key. store.key is not in it.
 */
#ifndef GH_STORE_BACKUP_H
#define GH_STORE_BACKUP_H

#include "policy/store/store_write.h"

#define GH_BACKUP_SEAL 4096u

typedef struct {
    uint8_t  store_id[16];
    uint64_t revision, transaction;   /* in force when it was made */
    uint64_t time_ms;                 /* when that was */
    uint64_t bytes;                   /* of the file */
} gh_backup_t;

/* Writes PATH, which must not exist, complete or not at all, while the store is in use. GH_ERROR: "backup_exists", "store_*". */
int gh_store_backup(gh_store_t *store, const char *path, uint64_t now_ms, gh_backup_t *backup, gh_error_t *error);

/* Checks a backup to its last byte: the seal, every page, every record. key: of store.key. GH_ERROR "backup_damaged", "backup_missing". */
int gh_backup_check(const char *path, const uint8_t key[32], gh_backup_t *backup, gh_error_t *error);

typedef struct {
    const char *home, *file;
    uint8_t     key[32];
    uint8_t     ledger_id[16];        /* of the ledger in use; zeros: that of the present store or of the backup */
    bool        let_finish;
    bool        keys_as_saved;        /* accepts that keys revoked after the backup may be valid again, when the present store is lost */
    uint64_t    used_revision;        /* the highest any worker used */
    gh_str_t    author, reason;
    uint64_t    now_ms;
} gh_restore_t;

typedef struct {
    uint64_t revision;                /* in force now */
    uint64_t of;                      /* the backup's */
    bool     present;                 /* the store that stood there could be read: its history and keys are kept, revocations too */
    gh_error_t why;                   /* without: what is wrong with it */
} gh_restored_t;

/*
 * Puts a backup in force: a new store with a revision above any used, the backup's policy, and from the present store, where it can be read,
 * all history and every key, of which a revoked one stays revoked. The files change places in one step. GH_ERROR: nothing changed;
 * "backup_*", "store_*", "store_lost" when the present one cannot be read and keys_as_saved is not said.
 */
int gh_store_restore(const gh_restore_t *restore, gh_arena_t *arena, gh_restored_t *restored, gh_error_t *error);

#endif
