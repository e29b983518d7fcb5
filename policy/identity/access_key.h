/*
 * Access keys: API keys in the form that AWS's SDKs sign with, of clients that show no secret but a signature made with it (AWS Signature Version 4).
 *
 * The id is "GHAK" and 26 of A-Z and 2-7, random. It is no secret, and the store knows the key as HMAC-SHA-256(subkey "api-key", "aws", 0, id). Whoever verifies a signature
 * needs what it was made with, so the secret cannot be kept as a hash only; it is not kept at all: it is base64url(HMAC-SHA-256(subkey "access-key", id)). Whoever has the store's
 * own key can compute the secret of every access key, as can every worker; whoever has a copy of the store alone, or of a backup, can compute none.
 */
#ifndef GH_ACCESS_KEY_H
#define GH_ACCESS_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/hash.h"
#include "policy/base/str.h"

#define GH_ACCESS_KEY_ID     30
#define GH_ACCESS_KEY_SECRET 43

/* id: no NUL. */
void gh_access_key_id(const uint8_t random[32], char id[GH_ACCESS_KEY_ID]);

bool gh_access_key_well_formed(gh_str_t id);

/* Its stored form. hmac is keyed with the subkey "api-key". GH_OK or GH_ERROR. */
int gh_access_key_hash(const gh_hmac_t *hmac, gh_str_t id, uint8_t hash[32]);

/* What it signs with, no NUL; the caller's to wipe. hmac is keyed with the subkey "access-key". GH_OK or GH_ERROR. */
int gh_access_key_secret(const gh_hmac_t *hmac, gh_str_t id, char secret[GH_ACCESS_KEY_SECRET]);

#endif
