/*
 * The policy store: one LMDB environment (home/store). What will hurt you first:
 *  - open once per process, after fork, never in the nginx master;
 *  - workers open it MDB_RDONLY and never write; their uid cannot write data.mdb;
 *  - values die when the read transaction is reset: this interface copies what it gives.
 */
#ifndef GH_STORE_H
#define GH_STORE_H

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/identity/access_key.h"
#include "policy/identity/identity.h"
#include "policy/store/image.h"

typedef struct gh_store_s gh_store_t;

typedef struct {
    const char *home;              /* the store is in home/store */
    uint8_t     key[32];           /* bytes of store.key; subkeys are derived by HKDF */
    bool        unlocked;          /* one look, without a trace in lock.mdb: an edit at the same time may make it fail; never for a worker */
    bool        writable;          /* CLI and agent only */
    uint64_t    lowest;            /* revisions below it are refused; 0: none. What a process that opens again has used before. */
    uint16_t    opening;           /* counted by a process that opens again: numbers of gh_store_transaction differ then */
} gh_store_options_t;

/* Reads PATH (32 bytes exactly, mode without "other" bits). */
int gh_store_key_read(const char *path, uint8_t key[32], gh_error_t *error);

/*
 * NULL and *error ("store_missing", "store_damaged", "store_denied", "store_version", "store_busy") naming the file and the command to
 * run. A writable store has every page of the file checked first: time grows with the file.
 */
gh_store_t *gh_store_open(const gh_store_options_t *options, gh_error_t *error);
void        gh_store_close(gh_store_t *store);

/*
 * The image in force now: renews the snapshot (slot, fence, newest number again), and loads and verifies a new revision when there is one.
 * Cheap when nothing changed. *image is borrowed until the next gh_store_current; gh_image_ref to keep it. What is read is read with
 * pread and checked, never through LMDB's map: a damaged or truncated file is an error here, not a signal.
 * GH_ERROR, *error: "store_empty" (nothing applied yet), "store_damaged" (also: a revision lower than one used), "store_version",
 * "store_outdated" (an older program compiled it: applying compiles it anew), "store_replaced" (another data.mdb or lock.mdb stands in its place, or an older copy of it), "store_busy",
 * "store_full", "store_denied", "out_of_memory". After an error *image is NULL: deny.
 */
int gh_store_current(gh_store_t *store, uint64_t now_ms, gh_image_t **image, gh_error_t *error);

/*
 * What was seen of the files' places (is it still this data.mdb that has the name, and is it as long as it was?) stands for the rest of the
 * millisecond, as callers' now_ms tells it, and only while `edits` stays the same: a number that every command moves before it looks
 * whether workers obey, a restore included, so that what those put in force is met by the next look. 0, as at first: looked at each time.
 */
void gh_store_edits(gh_store_t *store, uint64_t edits);

/*
 * The number of the state gh_store_current saw last: it moves with every edit, of keys as well as of policy, and with options.opening. 0
 * before the first. While it stands still nothing that was read from the store can have changed, but by time.
 */
uint64_t gh_store_transaction(const gh_store_t *store);

/* LMDB's own number of that state: what editors of this file speak of. 0 before the first. */
uint64_t gh_store_snapshot(const gh_store_t *store);

/*
 * Of the state gh_store_current saw last: the store's own id and that of the ledger it is used with (16 bytes each, borrowed until the
 * next call), and the revision from which on dispatches that a later edit forbids may finish.
 */
const uint8_t *gh_store_id(const gh_store_t *store);
const uint8_t *gh_store_ledger_id(const gh_store_t *store);
uint64_t       gh_store_finish_from(const gh_store_t *store);

/* Of the data.mdb that is open: what tells one store's file from the one that replaced it. */
uint64_t gh_store_inode(const gh_store_t *store);

/*
 * Who presents this API key ("gh_" + 43 base64url + 6 base64url CRC-32: malformed ones are refused without a look-up; or one that was imported).
 * Strings of *identity are copied into the arena. *image is the one of the same snapshot, as gh_store_current gives it: what may be judged
 * with this identity, until a later identity is asked for (gh_decide refuses to judge one revision's identity with another's image). NULL:
 * it is not wanted. GH_ERROR: *error has "key_malformed", "key_unknown" (also when tenants/1 does not list its app any more),
 * "key_revoked", "key_expired", "key_not_yet", or a store_* code; *image is NULL.
 */
int gh_store_identify(gh_store_t *store, gh_str_t presented, uint64_t now_ms, gh_arena_t *arena,
    gh_identity_t *identity, gh_image_t **image, gh_error_t *error);

/*
 * The same of a caller that shows a verified client certificate, with a key or token or without (presented empty). Both have to be of one app, unless nobody names who signed the
 * certificate: then it is nobody's, and the key alone counts. The key's name, user and limits count then, and classes of both. certificate: lives as long as *identity is
 * asked about; NULL: as gh_store_identify. GH_ERROR: also a code "certificate_...".
 */
int gh_store_identify_client(gh_store_t *store, gh_str_t presented, const struct gh_certificate_s *certificate, uint64_t now_ms, gh_arena_t *arena,
    gh_identity_t *identity, gh_image_t **image, gh_error_t *error);

/*
 * The same of a caller that shows the id of an access key (policy/identity/access_key.h), and is nobody until a signature made with its secret was verified. GH_ERROR:
 * "key_malformed" when it is the id of none.
 */
int gh_store_identify_access_key(gh_store_t *store, gh_str_t id, const struct gh_certificate_s *certificate, uint64_t now_ms, gh_arena_t *arena,
    gh_identity_t *identity, gh_image_t **image, gh_error_t *error);

/* What the access key of that id signs with, of one that there is or not: NUL-terminated, the caller's to wipe. GH_ERROR: OpenSSL failed. */
int gh_store_access_secret(const gh_store_t *store, gh_str_t id, char secret[GH_ACCESS_KEY_SECRET + 1], gh_error_t *error);

/*
 * Issuers' keys that the agent fetched (policy/identity/key_sets.h), as they lie in HOME/agent/keys: read again what has changed, true when a key has. To be
 * called now and then, never while somebody waits; *error (code NULL: none) is what was wrong with a file.
 */
bool gh_store_look_at_keys(gh_store_t *store, uint64_t now_ms, gh_error_t *error);

/*
 * The address (4 or 16 bytes, borrowed until the next call; empty, as at first: none) of who the next calls of gh_store_identify_client are about. Tokens of one that sent many
 * whose signatures were verified in vain are refused unseen, "token_attempts", while that happens often, until gh_store_attempts_wait_ms has passed; those that were accepted lately
 * are not (policy/identity/attempts.h).
 */
void     gh_store_from(gh_store_t *store, gh_bytes_t address);
uint64_t gh_store_attempts_wait_ms(const gh_store_t *store);

/*
 * The same of requests that are signed: may the signature of one that names this access key be looked at (GH_ERROR "signature_attempts"), and what came of it after so many bytes of its
 * body. Of the address that gh_store_from said.
 */
typedef enum { GH_SIGNATURE_RIGHT, GH_SIGNATURE_WRONG, GH_SIGNATURE_CUT_SHORT } gh_signature_was_t;

int  gh_store_signature_may(gh_store_t *store, gh_str_t access_key_id, gh_error_t *error);
void gh_store_signature_was(gh_store_t *store, gh_str_t access_key_id, gh_signature_was_t was, uint64_t bytes);

/* Which issuers' keys tokens asked for in vain since the last call: for gh_ledger_keys_want. */
uint64_t gh_store_keys_wanted(gh_store_t *store);

/* What an edit would make, put into the store by its command for workers to judge what runs; not in force. */
typedef struct gh_proposal_s gh_proposal_t;

/* The proposal of that number. GH_ERROR "store_unknown" when it is not there (any more), or as of gh_store_current. gh_proposal_free. */
int  gh_store_proposal(gh_store_t *store, uint64_t number, uint64_t now_ms, gh_proposal_t **proposal, gh_error_t *error);
void gh_proposal_free(gh_proposal_t *proposal);

/* Borrowed. */
const gh_image_t *gh_proposal_image(const gh_proposal_t *proposal);

/*
 * The identity as it would be. listed: *identity is that of the policy in force; else only its names are. false: tenants/1 would not list
 * its app.
 */
bool gh_proposal_identity(const gh_proposal_t *proposal, bool listed, gh_identity_t *identity);

/* The same by the stored key uid (hash of the presented key), for re-checks before later dispatches of a long request. */
int gh_store_identify_again(gh_store_t *store, const gh_identity_t *before, uint64_t now_ms, gh_arena_t *arena,
    gh_identity_t *identity, gh_image_t **image, gh_error_t *error);

/*
 * What-if, without a key: profile, audit, revision, limits and uids (0 before the first key) of the app identity->path, which the caller has
 * set with the other names. GH_ERROR: "app_unknown" with the nearest that tenants/1 lists, or a store_* code.
 */
int gh_store_identify_app(gh_store_t *store, uint64_t now_ms, gh_identity_t *identity, gh_image_t **image, gh_error_t *error);

/*
 * The same of a key by its name, "org/tenant/app/name", as who presents it, whether or not it may be used now. GH_ERROR: also "key_unknown".
 */
int gh_store_identify_key(gh_store_t *store, gh_str_t path, uint64_t now_ms, gh_arena_t *arena, gh_identity_t *identity,
    gh_image_t **image, gh_error_t *error);

/* ---- names of uids ---- */

typedef struct {
    gh_str_t   path;               /* "org", "org/tenant", "org/tenant/app" or "org/tenant/app/key" */
    uint64_t   uid;
    gh_level_t level;
} gh_store_named_t;

/*
 * Everything at or below a name ("": everything) that has a uid, by uid, in the arena: what ever had a key, whether or not tenants/1 lists it
 * still.
 */
int gh_store_names(gh_store_t *store, gh_str_t below, uint64_t now_ms, gh_arena_t *arena, gh_store_named_t **names, size_t *count,
    gh_error_t *error);

/* The first app below "org" or "org/tenant", in the arena; empty: there is none. */
int gh_store_app_below(gh_store_t *store, gh_str_t below, uint64_t now_ms, gh_arena_t *arena, gh_str_t *app, gh_error_t *error);

/*
 * Entries of the store's changes with a number above `after`, ascending: {"number","t","actor","what","subject"}. Cheap when there is none.
 * 0 of `each` goes on, 1 ends it; text lives during the call only. GH_ERROR: a store_* code, or what `each` said.
 */
typedef int (*gh_store_change_fn)(void *context, uint64_t number, gh_str_t entry, gh_error_t *error);
int gh_store_changes(gh_store_t *store, uint64_t after, gh_store_change_fn each, void *context, gh_error_t *error);

#endif
