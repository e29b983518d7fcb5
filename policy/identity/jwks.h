/*
 * JSON Web Key Sets (RFC 7517, 7518, 8037): public keys that tokens are signed with. What a set may hold is bounded, and a key that is weak, private, or of
 * another use is never used. OpenSSL is asked through EVP alone. What is here is malloc'ed: a set outlives requests.
 */
#ifndef GH_JWKS_H
#define GH_JWKS_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "policy/base/error.h"
#include "policy/base/json_tree.h"
#include "policy/base/str.h"

#define GH_JWKS_MAX      (256u << 10)  /* bytes of a set */
#define GH_JWKS_KEYS_MAX 100
#define GH_JWK_KID_MAX   256
#define GH_RSA_BITS_MIN  2048
#define GH_RSA_BITS_MAX  8192

/* Algorithms, as bits: what signs is fixed by the issuer and the key, never by the token. */
typedef enum {
    GH_JWA_RS256 = 1, GH_JWA_PS256 = 2, GH_JWA_ES256 = 4, GH_JWA_ES384 = 8, GH_JWA_EDDSA = 16
} gh_jwa_t;

#define GH_JWA_COUNT 5
extern const char *const gh_jwa_names[];       /* by bit: "RS256", ..., NULL */

/* 0: it is none of them. */
unsigned gh_jwa_of(gh_str_t name);

typedef struct {
    char        kid[GH_JWK_KID_MAX];
    size_t      kid_len;
    bool        has_kid;
    unsigned    algorithms;            /* that it may sign with */
    EVP_PKEY   *key;
    const char *unusable;              /* why it is not used, static: the key is NULL then */
    bool        wrong;                 /* unusable by a mistake, not because it is for something else */
} gh_jwk_t;

typedef struct {
    gh_jwk_t *keys;
    size_t    count, usable;
} gh_jwks_t;

/*
 * Of a set that was parsed. *set is the caller's: gh_jwks_free. GH_ERROR "jwks": no set, too many keys, a kid given twice for keys of one kind, no key that could be used (what is wrong with
 * the first); or out of memory.
 */
int  gh_jwks_of(const gh_node_t *root, gh_jwks_t **set, gh_error_t *error);

/* The same from its text. */
int  gh_jwks_read(gh_str_t text, const char *source, gh_jwks_t **set, gh_error_t *error);
void gh_jwks_free(gh_jwks_t *set);

#endif
