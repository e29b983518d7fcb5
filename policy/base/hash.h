/* SHA-256, HMAC-SHA-256 (RFC 2104), HKDF-SHA-256 (RFC 5869), Ed25519 (RFC 8032), all through OpenSSL 3; hex; CRC-32 (IEEE) through zlib. */
#ifndef GH_HASH_H
#define GH_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/base/str.h"

typedef struct { const void *data; size_t len; } gh_bytes_t;

void gh_sha256(const void *data, size_t len, uint8_t out[32]);

/* Over the concatenation of parts. */
void gh_sha256_parts(const gh_bytes_t *parts, size_t count, uint8_t out[32]);

typedef struct gh_hmac_s gh_hmac_t;   /* a keyed state computed once and used for many messages; one thread */

/* Owned by the caller: gh_hmac_free. NULL when OpenSSL fails. */
gh_hmac_t *gh_hmac_new(const uint8_t *key, size_t key_len);
void gh_hmac_free(gh_hmac_t *hmac);

/* HMAC over the concatenation of parts. GH_OK or GH_ERROR. */
int gh_hmac(const gh_hmac_t *hmac, const gh_bytes_t *parts, size_t count, uint8_t out[32]);

/* HKDF-SHA-256 without salt. info is a label such as "store-mac". */
int gh_hkdf(const uint8_t *secret, size_t secret_len, const char *info, uint8_t *out, size_t out_len);

/* Is this the signature of the data by the private key that belongs to `key`? false also when OpenSSL fails. */
bool gh_ed25519_verify(const uint8_t key[32], const uint8_t signature[64], const void *data, size_t len);

/* Time does not depend on the content. 0 when equal. */
int gh_memcmp_constant(const void *a, const void *b, size_t len);

/* Lower-case; out has 2 * len bytes, no NUL. */
void gh_hex(const uint8_t *data, size_t len, char *out);

uint32_t gh_crc32(const void *data, size_t len);

/* Of what gave crc (0: nothing) with the data behind it. */
uint32_t gh_crc32_more(uint32_t crc, const void *data, size_t len);

#endif
