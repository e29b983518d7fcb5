/* Shared by store*.c. */
#ifndef GH_STORE_INTERNAL_H
#define GH_STORE_INTERNAL_H

#include <lmdb.h>
#include <sys/types.h>

#include "policy/store/envelope.h"
#include "policy/store/image_format.h"
#include "policy/store/pages.h"
#include "policy/store/store.h"
#include "policy/store/store_write.h"

#define GH_STORE_MAP     ((size_t) 64 << 30)   /* sparse; the same for every opener */
#define GH_STORE_DBS     16
#define GH_STORE_READERS 1024

typedef struct {                      /* head: "current" */
    uint8_t  envelope[GH_ENVELOPE_SIZE];
    uint64_t revision;                /* 0: nothing applied yet */
    uint64_t image_length;
    uint64_t last_change;             /* number of the newest change entry */
    uint64_t finish_from;             /* dispatches begun at or after it may finish though forbidden */
    uint64_t time_ms;                 /* policy time: of the newest write */
    uint64_t last_uid;                /* highest given to an organisation, tenant, app or key */
    uint64_t transaction;             /* LMDB's number of the transaction that wrote it: every one does */
    uint8_t  store_id[16];            /* random, made with the store and kept for ever, through backup and restore too */
    uint8_t  ledger_id[16];           /* of the ledger in use: workers with another one serve nothing; zeros: none was made yet */
} gh_head_t;

typedef struct {                      /* home/store/identity: which file the store is, and the newest write known of it */
    uint8_t  envelope[GH_ENVELOPE_SIZE];
    uint8_t  store_id[16];
    uint64_t inode, revision, transaction, last_uid, last_change;
} gh_mark_t;

typedef struct {                      /* name: "k/org/tenant/app/name" */
    uint8_t  envelope[GH_ENVELOPE_SIZE];
    uint8_t  hash[32];
    uint64_t created_ms, revoked_ms;
} gh_name_key_t;

typedef struct {                      /* name: "u/org", "u/org/tenant", "u/org/tenant/app" */
    uint8_t  envelope[GH_ENVELOPE_SIZE];
    uint64_t uid;
} gh_name_uid_t;

typedef struct {                      /* app: what tenants/1 lists: "org/tenant/app"; "org/tenant" without apps; "org" */
    uint8_t  envelope[GH_ENVELOPE_SIZE];
    uint32_t profile;                 /* of an app: number, of the image in force; else 0 */
    uint32_t documents, tenants;      /* of an organisation; else 0 */
    uint32_t reserved;
} gh_app_record_t;                    /* then of an organisation what is said of all its tenants, as JSON */

#define GH_STORE_APP_PATH_MAX (3 * (GH_STORE_NAME_MAX + 1) - 1)

struct gh_store_s {
    char        data_path[1100], lock_path[1100];
    bool        writable;
    MDB_env    *env;
    MDB_txn    *reader;               /* reset between look-ups */
    MDB_txn    *peek;                 /* a second slot, see renew_newest */
    int         fd;                   /* our own, for pread; never the lock file: closing that drops LMDB's locks */
    dev_t       device, lock_device;
    ino_t       inode, lock_inode;
    gh_hmac_t  *mac, *api_key;

    uint64_t    opening;              /* of the options */
    bool        loaded;               /* of snapshot pages.transaction: trees, head */
    gh_pages_t  pages;
    gh_tree_t   tree[GH_DBS];
    gh_head_t   head;
    uint64_t    highest;              /* revision used */
    gh_image_t *image;
    gh_image_t *given;                /* by the last gh_store_current: kept until the next */
    gh_value_t  value;                /* scratch */
    uint64_t    checked_ms, readers_ms, clock_ms;

    MDB_dbi     dbi[GH_DBS];          /* writable */
    uint64_t    committed;            /* transaction of the newest edit made through this handle */
};

/*
 * image: key of all ones. A proposal: this, then its image from GH_PROPOSAL_IMAGE on, then the apps it changes, sorted by path, then
 * their paths.
 */
typedef struct {
    uint8_t  envelope[GH_ENVELOPE_SIZE];
    uint64_t number, image_length;
    uint32_t app_count, reserved;
    uint64_t reserved_more;
} gh_proposal_head_t;

typedef struct {
    uint64_t path;                    /* offset from the value's begin */
    uint16_t path_len, dropped;       /* dropped 1: tenants/1 would not list it any more */
    uint32_t profile;                 /* number, of the proposal's image */
} gh_proposal_app_t;

#define GH_PROPOSAL_KEY   UINT64_MAX
#define GH_PROPOSAL_IMAGE 64u
_Static_assert(sizeof(gh_proposal_head_t) == GH_PROPOSAL_IMAGE, "the image begins behind the head");

/* store_mark.c; directory: home/store. GH_ERROR: "store_replaced", "store_damaged", "store_denied". */
int gh_mark_read(gh_hmac_t *mac, const char *directory, gh_mark_t *mark, gh_error_t *error);
int gh_mark_write(gh_hmac_t *mac, const char *directory, const gh_head_t *head, gh_error_t *error);
int gh_mark_check_file(const gh_mark_t *mark, ino_t inode, gh_error_t *error);
int gh_mark_check(const gh_mark_t *mark, ino_t inode, const gh_head_t *head, gh_error_t *error);

extern const char gh_head_key[];      /* "current", without its NUL */
#define GH_HEAD_KEY ((gh_bytes_t) { gh_head_key, 7 })

/* Renews the snapshot and loads trees and head when it is a new one. GH_OK: end it with gh_store_end. */
int  gh_store_begin(gh_store_t *store, uint64_t now_ms, gh_error_t *error);
void gh_store_end(gh_store_t *store);

/* In a snapshot: the image of the head. GH_ERROR "store_empty" when there is none. */
int gh_store_load_image(gh_store_t *store, uint64_t now_ms, gh_error_t *error);

/* The image loaded last, kept until the next one is given. */
gh_image_t *gh_store_give(gh_store_t *store);

/* In a snapshot: a value with its envelope checked, in store->value. */
int gh_store_read(gh_store_t *store, gh_db_t db, gh_bytes_t key, bool *found, gh_error_t *error);

/*
 * In a snapshot whose image is loaded. The profile of an app as an index of the image, -1 when tenants/1 does not list it; or what an
 * identity needs of it, by its path. GH_ERROR: "store_damaged".
 */
int gh_store_app_profile(gh_store_t *store, gh_str_t path, int32_t *profile, gh_error_t *error);
int gh_store_app_identity(gh_store_t *store, gh_identity_t *identity, bool *listed, gh_error_t *error);

/* "app_unknown", with the nearest that is listed. Returns GH_ERROR. */
int gh_store_app_unknown(gh_store_t *store, gh_str_t path, gh_error_t *error);

/* Are the files that are open, data.mdb and lock.mdb, still those at their paths? GH_ERROR "store_replaced". */
int gh_store_in_place(const gh_store_t *store, gh_error_t *error);

/* Names the file in *error. Returns GH_ERROR. */
int gh_store_blame(const gh_store_t *store, gh_error_t *error);

/* LMDB's code as ours: "store_denied", "store_full", "store_damaged", ... */
int gh_store_mdb_error(int rc, const char *what, gh_error_t *error);

void gh_store_key_u64(uint64_t number, uint8_t key[8]);   /* big-endian */

#endif
