/*
 * The writing side of the policy store: for `gatehouse` (CLI) and the agent, never for workers. Every call is one LMDB write
 * transaction: all or nothing, on disk when it returns. A store handed in here was opened with options.writable.
 *
 * What compiles documents to an image and applies them is policy/compile/compile.h (gh_apply).
 */
#ifndef GH_STORE_WRITE_H
#define GH_STORE_WRITE_H

#include "policy/base/hash.h"
#include "policy/identity/key.h"
#include "policy/identity/mint.h"
#include "policy/store/store.h"

#define GH_STORE_IMAGES_KEPT 16       /* newest images; documents and revisions are kept for ever */
#define GH_STORE_NAME_MAX    63       /* of an organisation, tenant, app or key: [a-z0-9][a-z0-9-]{0,62} */

/*
 * For `gatehouse init`: makes HOME/store/data.mdb and lock.mdb in the directory HOME/store, which must exist. Modes are 0640
 * and 0660; the caller sets owners. id: 16 random bytes, the store's for ever. Idempotent: an existing store is opened and checked with this key, never replaced.
 * GH_ERROR: "store_denied", "store_damaged", "store_missing" (no directory).
 */
int gh_store_create(const char *home, const uint8_t key[32], const uint8_t id[16], gh_error_t *error);

/* Names the ledger that the store is used with from now on (16 bytes, of its header): workers with another one serve nothing. */
int gh_store_name_ledger(gh_store_t *store, const uint8_t ledger_id[16], uint64_t now_ms, gh_error_t *error);

/* LMDB's number of the newest edit made through this handle: what the edit barrier waits for. 0: none yet. */
uint64_t gh_store_committed(const gh_store_t *store);

/* ---- revisions ---- */

typedef struct {
    gh_str_t path;                    /* no other document of the revision has it */
    gh_str_t owner;                   /* the organisation it belongs to; empty: the gateway (policy/document/scope.h) */
    gh_str_t text;                    /* the document's bytes; with `stored` they need not be here */
    uint8_t  sha256[32];              /* of them */
    bool     tenants;                 /* it is a tenants/1 document */
    bool     stored;                  /* the revision in force has it */
} gh_store_source_t;

typedef struct {
    gh_str_t path;                    /* "org/tenant/app"; "org/tenant", when the tenant has no apps; "org" */
    uint32_t profile;                 /* of an app: number of a profile of the image; else 0 */
    uint32_t documents, tenants;      /* of an organisation: how many documents give it, and tenants it has; else 0 */
    gh_str_t said;                    /* likewise: what is said of all its tenants, a JSON object */
    const gh_limit_t *limits;         /* of an app: that a key of it has, of every level; else none */
    uint32_t limit_count;
    uint64_t max_output;              /* likewise, as in gh_limits_t */
} gh_store_listed_t;

typedef struct {
    uint64_t    base;                 /* the revision this was compiled against; 0: the store was empty */
    gh_bytes_t  image;                /* of gh_compile; the revision number and envelope are put in here */
    const gh_store_listed_t *listed;  /* of gh_compile: all that tenants/1 lists, sorted by path; with `part` what is new or another than before */
    size_t      listed_count;
    bool        part;                 /* only the difference to the base is given */
    const gh_str_t *dropped;          /* with part: paths that are listed no longer */
    size_t      dropped_count;
    const gh_str_t *token_apps;       /* apps that claims name: they have uids from here on, as apps with keys do */
    size_t      token_app_count;
    const gh_store_source_t *sources;
    size_t      source_count;
    const gh_str_t *changed;          /* owners whose documents are not those of the base, in byte order */
    size_t      changed_count;
    uint64_t    rollback_of;          /* the revision whose documents these are again; 0: not a rollback */
    gh_str_t    author, reason;       /* at most 256 and 1024 bytes, else "invalid_request" */
    uint64_t    now_ms;
    bool        let_finish;           /* dispatches that run already may finish though this forbids them */
} gh_store_revision_new_t;

/*
 * Makes the next revision and puts it in force. GH_ERROR: "store_moved" (the base is no longer in force), "store_full",
 * "store_damaged", "store_denied". Policy time never runs backwards: a now_ms below the newest revision's is raised to it.
 */
int gh_store_commit(gh_store_t *store, const gh_store_revision_new_t *revision, uint64_t *number, gh_error_t *error);

/*
 * Puts what gh_store_commit would make beside the image in force, for workers to say what it would forbid (gh_store_proposal); nothing is
 * in force by it. number: random, not 0. One at a time: the newest stands. GH_ERROR as of gh_store_commit.
 */
int gh_store_propose(gh_store_t *store, const gh_store_revision_new_t *revision, uint64_t number, gh_error_t *error);

/* Takes it away again. */
int gh_store_propose_end(gh_store_t *store, uint64_t now_ms, gh_error_t *error);

typedef struct {
    gh_str_t path, owner;
    uint8_t  sha256[32];
    bool     tenants;                 /* it is a tenants/1 document */
} gh_store_document_t;

typedef struct {
    uint64_t number, base, time_ms;
    uint64_t rollback_of;
    gh_str_t author, reason;
    uint8_t  policy_digest[32], facts_digest[32];
    gh_store_document_t *documents;   /* by path */
    size_t   document_count;
    gh_str_t *changed;                /* owners, as in gh_store_revision_new_t */
    size_t   changed_count;
} gh_store_revision_t;

/* Number of the revision in force, 0 when nothing was applied yet. */
int gh_store_revision_number(gh_store_t *store, uint64_t *number, gh_error_t *error);

/* The record of one revision, in the arena. GH_ERROR "revision_unknown" when there is none of that number. */
int gh_store_revision_read(gh_store_t *store, uint64_t number, gh_arena_t *arena, gh_store_revision_t *revision,
    gh_error_t *error);

/* Every revision, newest first, in the arena. */
int gh_store_history(gh_store_t *store, gh_arena_t *arena, gh_store_revision_t **revisions, size_t *count, gh_error_t *error);

/* The bytes of a document by its digest. GH_ERROR "store_unknown" when there is none. */
int gh_store_document(gh_store_t *store, const uint8_t sha256[32], gh_arena_t *arena, gh_str_t *text, gh_error_t *error);

/* ---- what tenants/1 of the revision in force lists ---- */

/* All of these are of one snapshot when *revision, set by each, is the same. profile 0: the app is not listed. Limits in the arena. */
int gh_store_listed_apps(gh_store_t *store, const gh_str_t *apps, size_t count, gh_arena_t *arena, gh_store_listed_t *listed,
    uint64_t *revision, gh_error_t *error);

/* Is "org/tenant" listed, with apps or without? */
int gh_store_listed_tenant(gh_store_t *store, gh_str_t path, bool *listed, uint64_t *revision, gh_error_t *error);

/* documents, tenants and said (in the arena) of "org"; documents 0: it is not listed. */
int gh_store_listed_organisation(gh_store_t *store, gh_str_t id, gh_arena_t *arena, gh_store_listed_t *listed,
    uint64_t *revision, gh_error_t *error);

/* ---- API keys ---- */

typedef struct {
    gh_str_t org, tenant, app;        /* must be in tenants/1 of the revision in force, else "app_unknown" with the nearest name */
    gh_str_t name;                    /* new in the app: names of revoked keys are not used again ("key_exists") */
    uint64_t now_ms;
    uint64_t not_before_ms;           /* 0: at once */
    uint64_t not_after_ms;            /* first instant at which it is refused; 0: never */
    uint8_t  random[32];              /* from the system's generator; the key is made of it */
    gh_str_t owner;                   /* whom to ask about it: gh_key_owner_ok; may be empty */
    gh_str_t mints;                   /* "org", "org/tenant" or "org/tenant/app" of its organisation, with a space between: it makes keys of apps there, besides those of its own app */
    gh_str_t classes;                 /* that its requests carry besides the app's, comma separated; else "class_unknown" */
    gh_str_t places, models;          /* that it narrows besides: lists, as in policy/identity/narrowing.h; else "place_unknown", "model_unknown", "loosens" */
    const gh_limit_t *limits;         /* of GH_LEVEL_KEY, besides those of its app; else "loosens", "model_unknown" */
    uint32_t limit_count;             /* at most GH_KEY_LIMITS */
    bool     audit_required;          /* nothing of it is sent without its decision in the record */
    gh_str_t minter;                  /* *by of gh_store_mint: the key that makes it and that it follows; empty: none */
    gh_str_t actor;                   /* who does it, for the change entry */
    bool     access_key;              /* it is for clients that sign as AWS's SDKs do (policy/identity/access_key.h) */
    uint64_t seen_change;             /* of gh_store_mint: an edit since then is "store_moved"; 0: nobody mints it */
} gh_store_key_new_t;

/*
 * text: the key, NUL-terminated (GH_KEY_TEXT + 1 bytes), which is stored nowhere; of an access key its id: gh_store_access_secret has the rest. GH_ERROR "store_moved", too: another revision came
 * in force while the key was held against its app.
 */
int gh_store_key_create(gh_store_t *store, const gh_store_key_new_t *key, char text[GH_KEY_TEXT + 1], gh_error_t *error);

/*
 * A new key that another one makes, which is presented here: *minted, what is asked for, becomes what the new one has, as gh_mint_within says. It is of the minter's app, or of one that its
 * `mints` cover. Of another app it must not be wider than the minter in what a key can narrow: classes (what the minter's requests always carry, its keys' carry too), places, models and limits of each
 * key; else "mint_wider" says in which, and what to ask for; nor in its audit mode. What else an app says (limits of all its keys, deployments that serve it, the rules of its policy) is the app's. *by: the
 * minter's path, in the arena. *seen_change: the newest edit that was seen, for gh_store_key_new_t: the minter may be revoked before the key is made. GH_ERROR also as of gh_store_identify, gh_mint_within and gh_store_identify_app.
 */
int gh_store_mint(gh_store_t *store, gh_str_t presented, gh_str_t path, uint64_t now_ms, gh_arena_t *arena, gh_minted_t *minted, gh_str_t *by, uint64_t *seen_change,
    gh_error_t *error);

/* The same of what a key of the app `path`, which the key `by` made, would be after an edit; `by` may have expired, and then so has what it made. */
int gh_store_mint_edit(gh_store_t *store, gh_str_t by, gh_str_t path, uint64_t now_ms, gh_arena_t *arena, gh_minted_t *minted, gh_error_t *error);

/* Did the key that is presented here make the key `path`, or one that made it? *by and *seen_change as of gh_store_mint. GH_ERROR: "mint_elsewhere", "key_unknown", or as of gh_store_identify. */
int gh_store_minter_of(gh_store_t *store, gh_str_t presented, gh_str_t path, uint64_t now_ms, gh_arena_t *arena, gh_str_t *by, uint64_t *seen_change, gh_error_t *error);

typedef struct {
    gh_store_key_new_t key;           /* random is not looked at, now_ms stands for expiry alone */
    gh_str_t secret;                  /* what clients present, borrowed; empty: its digest is given */
    uint8_t  sha256[32];              /* of what clients present */
    uint8_t  hash[32];                /* set here */
} gh_store_key_import_t;

/*
 * Keys that clients have already, all or none. keep false: all is tried and nothing written. made: how many were not there yet (one imported before with the same
 * name and secret is). GH_ERROR as of gh_store_key_create ("store_moved" included), or "invalid_request" when a secret cannot be one; *wrong: the item.
 */
int gh_store_key_import(gh_store_t *store, gh_store_key_import_t *items, size_t count, uint64_t now_ms, bool keep, size_t *made,
    size_t *wrong, gh_error_t *error);

/* gh_store_key_edit_t.says */
enum { GH_KEY_SAYS_OWNER = 1, GH_KEY_SAYS_EXPIRES = 2, GH_KEY_SAYS_CLASSES = 4, GH_KEY_SAYS_PLACES = 8, GH_KEY_SAYS_MODELS = 16, GH_KEY_SAYS_LIMITS = 32, GH_KEY_SAYS_MINTS = 64,
       GH_KEY_SAYS_MINTER = 128 /* it follows none any more */, GH_KEY_SAYS_AUDIT = 256 };

typedef struct {
    gh_str_t path;                    /* "org/tenant/app/name" */
    uint64_t now_ms;
    unsigned says;                    /* which of these stand instead of what the key had; the others are not looked at, and empty */
    gh_str_t owner;
    uint64_t not_after_ms;            /* 0: never */
    gh_str_t classes, places, models, mints;   /* as in gh_store_key_new_t */
    const gh_limit_t *limits;
    uint32_t limit_count;
    bool     audit_required;
    gh_str_t actor;
    uint64_t seen_change;             /* of gh_store_minter_of: an edit since then is "store_moved"; 0: any */
    size_t  *followed;                /* how many keys that it made became narrower with it; NULL: not asked for */
} gh_store_key_edit_t;

/*
 * A key that another one made stays within that as it is now, unless it follows it no more: what the edit says is held against it as gh_store_mint does. Keys that this one made follow it: each has what its
 * minter's own classes, places, models, limits, mints, audit mode and end take away, too, in the same edit; what is no longer said of this one they keep.
 *
 * Says otherwise what a key is narrowed to, when it ends and whose it is; both secrets of one that is being rotated, of which the old one ends no later than it would have. In force when it
 * returns. GH_ERROR as of gh_store_key_create, or "key_unknown", "key_revoked".
 */
int gh_store_key_edit(gh_store_t *store, const gh_store_key_edit_t *asked, gh_error_t *error);

typedef struct {
    gh_str_t path;                    /* "org/tenant/app/name" */
    uint64_t now_ms;
    uint64_t before_until_ms;         /* until then the secret in use may be used on, its own expiry permitting; not above now_ms: no longer */
    bool     expires;                 /* not_after_ms is given; else the new secret ends when the old one would have */
    uint64_t not_after_ms;            /* 0: never */
    uint8_t  random[32];
    gh_str_t actor;
} gh_store_key_rotate_t;

/*
 * A new secret for a key, which stays the same one for limits and the record. GH_ERROR: "key_unknown", "key_revoked", "key_expired",
 * "key_rotating" (the last rotation is not over: gh_store_key_retire ends it), "mint_longer" (the key that made it ends before not_after_ms). Keys that it made end no later than not_after_ms.
 */
int gh_store_key_rotate(gh_store_t *store, const gh_store_key_rotate_t *rotate, char text[GH_KEY_TEXT + 1], gh_error_t *error);

/* Ends a rotation now: the secret before the present one is refused. GH_ERROR: "key_unknown", "key_not_rotating". */
int gh_store_key_retire(gh_store_t *store, gh_str_t path, uint64_t now_ms, gh_str_t actor, gh_error_t *error);

typedef struct {
    gh_str_t org, tenant, app, name, owner;
    gh_str_t mints, minter;           /* as in gh_store_key_new_t */
    gh_str_t classes;                 /* of the key itself, comma separated */
    gh_str_t places, models;          /* likewise: lists, as in policy/identity/narrowing.h */
    const gh_limit_t *limits;         /* likewise, in the arena */
    uint32_t limit_count;
    uint64_t uid;
    uint64_t rotated_ms;              /* 0: never */
    uint64_t before_until_ms;         /* while it is being rotated: until when the secret before may be used; else 0 */
    bool     imported;
    bool     access_key;
    bool     audit_required;
    uint8_t  state;                   /* GH_KEY_LIVE, ... of policy/identity/key.h */
    bool     expired;                 /* at now_ms */
    bool     app_listed;              /* the app is in the revision in force; else the key is refused */
    uint64_t created_ms, not_before_ms, not_after_ms;
    uint64_t revoked_ms;              /* 0: it is not */
} gh_store_key_t;

/* Keys at or below "", "org", "org/tenant", "org/tenant/app" or of exactly "org/tenant/app/name", sorted by path, in the arena. */
int gh_store_key_list(gh_store_t *store, gh_str_t below, uint64_t now_ms, gh_arena_t *arena,
    gh_store_key_t **keys, size_t *count, gh_error_t *error);

/*
 * path: "org/tenant/app/name"; with it in the same edit the keys that it made, and those that they made. *followed: how many; NULL: not asked for. In force when it returns.
 * GH_ERROR "key_unknown" (with the nearest), "key_revoked" (it already was).
 */
int gh_store_key_revoke(gh_store_t *store, gh_str_t path, uint64_t now_ms, gh_str_t actor, size_t *followed, gh_error_t *error);

#endif
