/*
 * JSON Web Tokens in the compact form (RFC 7515, 7519; best practice: RFC 8725): read strictly, verified with a key of the issuer that may sign with that
 * algorithm. Of the header only "alg", "kid" and "typ" are used; keys and addresses that it brings along ("jwk", "jku", "x5u", "x5c") never are,
 * and anything that it calls critical is refused.
 */
#ifndef GH_JWT_H
#define GH_JWT_H

#include "policy/identity/jwks.h"

#define GH_JWT_MAX       16384u        /* bytes of a token */
#define GH_JWT_DEPTH     16u           /* of nested objects and arrays in it */
#define GH_JWT_SIGNATURE (GH_RSA_BITS_MAX / 8)

typedef struct {
    gh_str_t         signed_part;      /* borrowed from the token: header, ".", claims */
    uint8_t          signature[GH_JWT_SIGNATURE];
    size_t           signature_len;
    unsigned         algorithm;        /* GH_JWA_*: what the header says */
    gh_str_t         kid;
    bool             has_kid;
    const gh_node_t *claims;           /* an object, of the arena: not to be believed before gh_jwt_verify */
} gh_jwt_t;

/* Does it look like one, an encoded object and two more parts, so that it is no API key? */
bool gh_jwt_looks(gh_str_t text);

/* GH_ERROR: "token_malformed", "token_unsupported" (what the header asks for), "token_algorithm", or "out_of_memory". */
int gh_jwt_parse(gh_arena_t *arena, gh_str_t token, gh_jwt_t *jwt, gh_error_t *error);

/*
 * Is it signed by a key of the set, with an algorithm that both the key and `algorithms` allow? Without a "kid" only when one key alone fits. GH_ERROR:
 * "token_algorithm", "token_key_unknown", "token_signature".
 */
int gh_jwt_verify(const gh_jwt_t *jwt, const gh_jwks_t *set, unsigned algorithms, gh_error_t *error);

/* When it is valid: *not_before_ms (0: not said) <= now < *not_after_ms, the skew already in them. GH_ERROR "token_malformed": "exp" is missing, or a time is none. */
int gh_jwt_times(const gh_jwt_t *jwt, uint64_t skew_ms, uint64_t *not_before_ms, uint64_t *not_after_ms, gh_error_t *error);

/* A claim by its name, or, when that begins with "/", by a JSON pointer (RFC 6901) to members of objects. NULL: there is none. */
const gh_node_t *gh_jwt_claim(const gh_jwt_t *jwt, gh_str_t name);

/* Is the claim this string, or a list with it? Byte by byte. */
bool gh_jwt_claim_has(const gh_jwt_t *jwt, gh_str_t name, gh_str_t value);

#endif
