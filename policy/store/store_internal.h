/* Shared by store*.c. */
#ifndef GH_STORE_INTERNAL_H
#define GH_STORE_INTERNAL_H

#include <lmdb.h>
#include <stddef.h>
#include <sys/types.h>

#include "policy/identity/attempts.h"
#include "policy/identity/issuers.h"
#include "policy/store/envelope.h"
#include "policy/store/identities.h"
#include "policy/store/image_format.h"
#include "policy/store/known_keys.h"
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

#define GH_STORE_PATH_MAX (4 * (GH_STORE_NAME_MAX + 1))   /* of "org/tenant/app/key", with a byte to spare */

/*
 * name: "k/org/tenant/app/name". Written are the first GH_NAME_KEY_PLAIN bytes of a key that has no more to say, as before keys had owners and
 * were rotated; else all of it up to the end of what `text` holds: the owner, then the names below which it makes keys, then the path of the key that made it.
 */
typedef struct {
    uint8_t  envelope[GH_ENVELOPE_SIZE];
    uint8_t  hash[32];                /* of the secret in use */
    uint64_t created_ms, revoked_ms;
    uint8_t  before[32];              /* of the one that the last rotation replaced; zeros: none that could still be used */
    uint64_t rotated_ms, before_until_ms;
    uint8_t  imported, owner_len;
    uint8_t  access_key;              /* its secrets are those of access keys */
    uint8_t  mints_len;
    uint8_t  minter_len;
    uint8_t  has_minted;              /* there is a key that names this one as its minter, or was */
    uint8_t  reserved[2];
    char     text[GH_KEY_OWNER_MAX + GH_KEY_MINTS_MAX + GH_STORE_PATH_MAX];
} gh_name_key_t;

#define GH_NAME_KEY_PLAIN offsetof(gh_name_key_t, before)

typedef struct {                      /* name: "u/org", "u/org/tenant", "u/org/tenant/app" */
    uint8_t  envelope[GH_ENVELOPE_SIZE];
    uint64_t uid;
} gh_name_uid_t;

typedef struct {                      /* app: what tenants/1 lists: "org/tenant/app"; "org/tenant" without apps; "org" */
    uint8_t  envelope[GH_ENVELOPE_SIZE];
    uint32_t profile;                 /* of an app: number, of the image in force; else 0 */
    uint32_t documents, tenants;      /* of an organisation; else 0 */
    uint32_t limit_count;             /* of an app; else 0 */
    uint64_t max_output;              /* likewise */
} gh_app_record_t;                    /* then of an organisation what is said of all its tenants, as JSON; of an app its limits, gh_limit_t */

#define GH_STORE_APP_PATH_MAX (3 * (GH_STORE_NAME_MAX + 1) - 1)

struct gh_store_s {
    char        data_path[1100], lock_path[1100];
    bool        writable;
    bool        serves;               /* reads the store in use, again and again: keeps what it read */
    MDB_env    *env;
    MDB_txn    *reader;               /* reset between look-ups */
    MDB_txn    *peek;                 /* a second slot, see renew_newest */
    int         fd;                   /* our own, for pread; never the lock file: closing that drops LMDB's locks */
    dev_t       device, lock_device;
    ino_t       inode, lock_inode;
    gh_hmac_t  *mac, *api_key, *access_key;

    uint64_t    opening;              /* of the options */
    bool        loaded;               /* of snapshot pages.transaction: trees, head */
    uint64_t    loads;                /* how often they were: what was read since the last time stands while this does */
    gh_pages_t  pages;
    gh_tree_t   tree[GH_DBS];
    gh_head_t   head;
    uint64_t    highest;              /* revision used */
    gh_image_t *image;
    gh_image_t *given;                /* by the last gh_store_current: kept until the next */
    gh_value_t  value;                /* scratch */
    gh_identities_t *identities;      /* NULL: none are kept */
    gh_known_keys_t *known;           /* likewise: API keys of the snapshot of known_loads */
    uint64_t    known_loads, known_revision, known_change;
    gh_attempts_t *attempts;          /* NULL: signatures are not counted */
    gh_bytes_t   from;                /* address of who asks; empty: nobody is told apart */
    uint64_t     attempts_wait_ms;
    gh_issuers_t *issuers;            /* of the image whose serial is issuers_serial; NULL: not read yet */
    uint64_t    issuers_serial;
    gh_key_sets_t *key_sets;          /* fetched keys of issuers; NULL: not looked at yet */
    char        keys_path[1100];      /* where they are */
    uint64_t    keys_wanted;          /* since the last gh_store_keys_wanted */
    uint64_t    checked_ms, readers_ms, clock_ms;
    uint64_t    edits;                /* as the caller said; 0: it did not */
    uint64_t    seen_edits, seen_ms;  /* when the files were seen in their places; seen_edits 0: they were not */

    MDB_dbi     dbi[GH_DBS];          /* writable */
    uint64_t    committed;            /* transaction of the newest edit made through this handle */
};

/*
 * image: key of all ones. A proposal: this, then its image from GH_PROPOSAL_IMAGE on, then the apps it changes, sorted by path, then
 * their limits, then their paths.
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
    uint64_t limits;                  /* offset of its gh_limit_t */
    uint32_t limit_count, reserved;
    uint64_t max_output;
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

/* A record of "app", and its limits (gh_limit_t, unaligned) behind it in value. GH_ERROR: "store_damaged". */
int gh_app_record_read(gh_bytes_t value, gh_app_record_t *record, gh_bytes_t *limits, gh_error_t *error);

/*
 * In a snapshot whose image is loaded: what an identity needs of its app, by its path. *listed false: tenants/1 does not list it. GH_ERROR:
 * "store_damaged".
 */
int gh_store_app_identity(gh_store_t *store, gh_identity_t *identity, bool *listed, gh_error_t *error);

/* store_tokens.c; in a snapshot whose image is loaded: who presents this token. at_ms: the time that it has to be valid at; 0: now. GH_ERROR: a code "token_...", "key_malformed" when nobody issues tokens, or a store_* one. */
int gh_store_token_identity(gh_store_t *store, gh_str_t token, uint64_t at_ms, gh_arena_t *arena, gh_identity_t *identity, gh_error_t *error);

/* The same of a client certificate; store_certificates.c. *known false: nobody names who signed it, and *identity is not set. GH_ERROR: a code "certificate_...", or a store_* one. */
int gh_store_certificate_identity(gh_store_t *store, const gh_certificate_t *certificate, uint64_t at_ms, gh_arena_t *arena, gh_identity_t *identity, bool *known,
    gh_error_t *error);

/* For both, in such a snapshot: issuers and authorities of the loaded image, read when it first needs them; and the identity of a caller that they accepted, kept by identity->key_hash.
 * *listed false: tenants/1 does not list its app. */
int gh_store_load_issuers(gh_store_t *store, gh_error_t *error);
int gh_store_caller_identity(gh_store_t *store, const gh_caller_t *caller, gh_arena_t *arena, gh_identity_t *identity, bool *listed, gh_error_t *error);

/* store_known.c; in a snapshot whose image is loaded: the keys that are kept, none of which was edited since. NULL: none are. */
gh_known_keys_t *gh_store_known_keys(gh_store_t *store);

/* In a snapshot: limits of one caller alone, besides those of its app. GH_ERROR "store_damaged": more than can be counted. */
int gh_store_own_limits(gh_identity_t *identity, const gh_limit_t *limits, uint32_t count, gh_error_t *error);

/* In a snapshot: the uids of each level of identity->path. */
int gh_store_path_uids(gh_store_t *store, gh_identity_t *identity, gh_error_t *error);

/* The key of the database "name": kind is "u/" or "k/". */
typedef struct { char text[2 + GH_STORE_PATH_MAX]; size_t len; } gh_store_name_key_t;
gh_bytes_t gh_store_name_key(gh_store_name_key_t *key, const char *kind, gh_str_t path);

/* In a snapshot: the uid of "org", "org/tenant" or "org/tenant/app", 0 before its first key; the hash of the key of that name. */
int gh_store_path_uid(gh_store_t *store, gh_str_t path, uint64_t *uid, gh_error_t *error);
int gh_store_path_key(gh_store_t *store, gh_str_t path, uint8_t hash[32], bool *found, gh_error_t *error);

/* What a name record says of its key. */
static inline gh_str_t
gh_store_name_owner(const gh_name_key_t *name)
{
    return (gh_str_t) { name->text, name->owner_len };
}

static inline gh_str_t
gh_store_name_mints(const gh_name_key_t *name)
{
    return (gh_str_t) { name->text + name->owner_len, name->mints_len };
}

static inline gh_str_t
gh_store_name_minter(const gh_name_key_t *name)
{
    return (gh_str_t) { name->text + name->owner_len + name->mints_len, name->minter_len };
}

/* A key's name record, of either length. GH_ERROR "store_damaged". */
int gh_store_name_read(gh_str_t path, gh_bytes_t value, gh_name_key_t *record, gh_error_t *error);

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
