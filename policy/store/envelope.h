/*
 * The first 32 bytes of every value of the store: what it is, how long, and a MAC that binds it to its database and key.
 *
 *   0 u32 magic   4 u16 version   6 u16 flags (0)   8 u32 length   12 u32 0   16 u8[16] mac
 *
 * mac: first 16 bytes of HMAC-SHA-256(subkey "store-mac", database name, 0, u16 key length, key, value with mac = 0).
 */
#ifndef GH_ENVELOPE_H
#define GH_ENVELOPE_H

#include "policy/base/error.h"
#include "policy/base/hash.h"

#define GH_ENVELOPE_SIZE  32u
#define GH_ENVELOPE_MAGIC 0x31534847u      /* "GHS1" */

typedef struct {
    uint32_t magic;
    uint16_t version;
    uint16_t flags;
    uint32_t length;                       /* of the whole value */
    uint32_t reserved;
    uint8_t  mac[16];
} gh_envelope_t;

/* The databases of the store, and the version of the values that are written to each. Keys of version 1 are read too (policy/identity/key.h). */
typedef enum {
    GH_DB_HEAD = 0, GH_DB_IMAGE, GH_DB_REVISION, GH_DB_DOCUMENT, GH_DB_KEY, GH_DB_NAME, GH_DB_CHANGE, GH_DB_APP,
    GH_DBS
} gh_db_t;

extern const char *const gh_db_names[GH_DBS];
extern const uint16_t gh_db_versions[GH_DBS];

/* Fills the envelope of value (len bytes, 32 at least, below 4 GiB) in place. hmac is keyed with "store-mac". */
int gh_envelope_seal(gh_hmac_t *hmac, gh_db_t db, gh_bytes_t key, uint8_t *value, size_t len);

/* GH_ERROR: "store_damaged" or "store_version", naming the database; never says what the MAC should be. */
int gh_envelope_check(gh_hmac_t *hmac, gh_db_t db, gh_bytes_t key, const uint8_t *value, size_t len, gh_error_t *error);

#endif
