/*
 * API keys: their text, and the record the store keeps of one.
 *
 * Text: "gh_" + 43 base64url (32 random bytes) + 6 base64url (CRC-32, IEEE, big-endian, of the 46 bytes before): 52 bytes. The check
 * refuses mistyped keys without a look-up; it is not a secret. The store knows a key only as HMAC-SHA-256(subkey "api-key", text).
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

/* A name of an organisation, tenant, app or key: [a-z0-9][a-z0-9-]{0,62}. */
bool gh_key_name_ok(gh_str_t name);

/* The stored form. hmac is keyed with the subkey "api-key". GH_OK or GH_ERROR. */
int gh_key_hash(gh_hmac_t *hmac, gh_str_t text, uint8_t hash[32]);

typedef struct { uint16_t offset, length; } gh_key_ref_t;   /* into the record */

typedef struct {
    uint8_t  scope, dimension, window, limit_class;
    uint32_t model;
    uint64_t amount;
} gh_key_limit_t;

/* The record: 512 fixed bytes, then strings. Little-endian, 8-aligned. */
typedef struct {
    uint8_t        envelope[32];
    uint64_t       key_uid, tenant_uid, app_uid, org_uid;
    uint32_t       profile;           /* when the record was written: the image's app table is what decides */
    gh_key_ref_t   own_classes;       /* comma separated */
    uint64_t       not_before_ms, not_after_ms;
    uint64_t       change;            /* number of the change entry that wrote it */
    uint8_t        state;             /* GH_KEY_* */
    uint8_t        audit;             /* 0 required, 1 best-effort */
    uint8_t        objective, limit_count;
    uint32_t       reserved0;
    gh_key_ref_t   org, tenant, app, name;
    uint16_t       weight_cost, weight_latency;
    uint32_t       reserved1;
    gh_key_limit_t limit[16];
} gh_key_record_t;

#define GH_KEY_RECORD_FIXED 512u      /* strings begin here; from the end of the struct to it: zeros */
#define GH_KEY_RECORD_MAX   4096u

/*
 * The record's bytes, envelope still empty, in `buffer` (GH_KEY_RECORD_MAX bytes). `record` gives the numbers; refs are set here.
 * Returns the length, 0 when it does not fit.
 */
size_t gh_key_record_write(const gh_key_record_t *record, gh_str_t org, gh_str_t tenant, gh_str_t app, gh_str_t name,
    gh_str_t own_classes, uint8_t *buffer);

/*
 * Reads a record whose envelope was checked: every ref inside, names well formed, state known. Strings are copied into the arena.
 * GH_ERROR "store_damaged" or out of memory.
 */
int gh_key_record_read(const uint8_t *bytes, size_t len, gh_arena_t *arena, gh_key_record_t *record,
    gh_identity_t *identity, gh_error_t *error);

/* GH_OK when it may be used at now_ms; else "key_revoked", "key_expired", "key_not_yet". */
int gh_key_record_usable(const gh_key_record_t *record, uint64_t now_ms, gh_error_t *error);

#endif
