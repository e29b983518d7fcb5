/*
 * API keys: their text, and the record the store keeps of one.
 *
 * Text: "gh_" + 43 base64url (32 random bytes) + 6 base64url (CRC-32, IEEE, big-endian, of the 46 bytes before): 52 bytes. The check
 * refuses mistyped keys without a look-up; it is not a secret. The store knows a key only as HMAC-SHA-256(subkey "api-key", text).
 *
 * Keys that another gateway gave are known by their SHA-256, as such gateways keep them: HMAC-SHA-256(subkey "api-key", "sha256", 0, digest).
 */
#ifndef GH_KEY_H
#define GH_KEY_H

#include <stdint.h>

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/hash.h"
#include "policy/base/str.h"
#include "policy/identity/identity.h"

#define GH_KEY_TEXT 52

enum { GH_KEY_LIVE = 1, GH_KEY_RETIRING = 2, GH_KEY_REVOKED = 3 };

/* text has GH_KEY_TEXT bytes, no NUL. */
void gh_key_text(const uint8_t random[32], char text[GH_KEY_TEXT]);

/* Length, prefix, alphabet and check. */
bool gh_key_well_formed(gh_str_t text);

#define GH_KEY_FOREIGN_MIN 20
#define GH_KEY_FOREIGN_MAX 512
#define GH_KEY_OWNER_MAX   128
#define GH_KEY_MINTS_MAX   255     /* bytes of the names below which a key makes keys */

/* What a text that is presented as a key can be. */
typedef enum {
    GH_KEY_NONE = 0,              /* no key: mistyped, cut short, a token, no printable ASCII */
    GH_KEY_OWN,                   /* gh_key_well_formed */
    GH_KEY_FOREIGN                /* perhaps one that was imported */
} gh_key_form_t;

gh_key_form_t gh_key_form(gh_str_t text);

/*
 * What it can be by its length and by how it begins ("gh_", or as tokens do), and whether each byte could be one of a key: nothing is branched on, or looked up by, what makes it
 * a secret. Also GH_KEY_OWN for one that is mistyped, which no look-up finds.
 */
gh_key_form_t gh_key_shape(gh_str_t text);

/* Whom to ask about a key: UTF-8 without control characters, at most GH_KEY_OWNER_MAX bytes, or nothing. */
bool gh_key_owner_ok(gh_str_t owner);

/* A name of an organisation, tenant, app or key: [a-z0-9][a-z0-9-]{0,62}. */
bool gh_key_name_ok(gh_str_t name);

/* The stored form. hmac is keyed with the subkey "api-key". GH_OK or GH_ERROR. */
int gh_key_hash(gh_hmac_t *hmac, gh_str_t text, uint8_t hash[32]);

/* Likewise of one that another gateway gave, by its digest. */
int gh_key_foreign_hash(gh_hmac_t *hmac, const uint8_t sha256[32], uint8_t hash[32]);

/* Of either; form: what gh_key_form or gh_key_shape says of the text. GH_ERROR also for GH_KEY_NONE. */
int gh_key_presented_hash(gh_hmac_t *hmac, gh_key_form_t form, gh_str_t text, uint8_t hash[32]);

typedef struct { uint16_t offset, length; } gh_key_ref_t;   /* into the record */

#define GH_KEY_LIMITS 16u             /* of a key itself */

/* gh_key_record_t.form */
enum { GH_KEY_PLAIN = 0, GH_KEY_NARROWED = 2, GH_KEY_RECORDED = 3 };   /* 1 stood for something else once */

/*
 * The record: this, of `limit` as many as there are, then strings. Little-endian, 8-aligned. Records of version 1 have zeros from there to byte 512: where strings
 * are is what the refs say, in both. It is as short as it can be because a worker that serves a million keys reads each of them from memory that no cache has.
 */
typedef struct {
    uint8_t        envelope[32];
    uint64_t       key_uid, tenant_uid, app_uid, org_uid;
    uint32_t       profile;           /* when the record was written: the image's app table is what decides */
    gh_key_ref_t   own_classes;       /* comma separated */
    uint64_t       not_before_ms, not_after_ms;
    uint64_t       change;            /* number of the change entry that wrote it */
    uint8_t        state;             /* GH_KEY_* */
    uint8_t        form;              /* GH_KEY_NARROWED: places, models or limits of its own; GH_KEY_RECORDED: audit_required, and those perhaps. A program that knows nothing of them refuses the record */
    uint8_t        audit_required;    /* 1: nothing of it is sent without its decision in the record, whatever its app's audit mode is */
    uint8_t        limit_count;
    gh_key_ref_t   own_places;        /* lists, as in policy/identity/narrowing.h */
    gh_key_ref_t   org, tenant, app, name;
    uint16_t       weight_cost, weight_latency;
    gh_key_ref_t   own_models;        /* likewise */
    gh_limit_t     limit[GH_KEY_LIMITS];   /* of GH_LEVEL_KEY */
} gh_key_record_t;

#define GH_KEY_RECORD_MAX   4096u

/* Where its strings may begin at the earliest. */
size_t gh_key_record_fixed(const gh_key_record_t *record);

/* The numbers and refs of a record as it was stored; limits that it does not have are zeros. false: it is too short, or says that it has more limits than there can be. */
bool gh_key_record_numbers(const void *bytes, size_t len, gh_key_record_t *record);

/* Puts them into a stored record whose strings, and how many limits there are, stay. */
void gh_key_record_renumber(const gh_key_record_t *record, uint8_t *bytes);

typedef struct {
    gh_str_t org, tenant, app, name;
    gh_str_t classes;                 /* comma separated */
    gh_str_t places, models;
} gh_key_words_t;

/*
 * The record's bytes, envelope still empty, in `buffer` (GH_KEY_RECORD_MAX bytes). `record` gives the numbers and limits; refs and form are set here.
 * Returns the length, 0 when it does not fit.
 */
size_t gh_key_record_write(const gh_key_record_t *record, const gh_key_words_t *words, uint8_t *buffer);

/*
 * Reads a record whose envelope was checked: every ref inside, names well formed, state known. Strings are copied into the arena.
 * GH_ERROR "store_damaged" or out of memory.
 */
int gh_key_record_read(const uint8_t *bytes, size_t len, gh_arena_t *arena, gh_key_record_t *record,
    gh_identity_t *identity, gh_error_t *error);

/* GH_OK when it may be used at now_ms; else "key_revoked", "key_expired", "key_not_yet". */
int gh_key_record_usable(const gh_key_record_t *record, uint64_t now_ms, gh_error_t *error);

/* The same of one that is known not to be revoked. not_after_ms 0: for ever. */
int gh_key_in_time(uint64_t not_before_ms, uint64_t not_after_ms, uint64_t now_ms, gh_error_t *error);

#endif
