/*
 * Who issues tokens, and what their claims mean: identity/1 documents as they stand in an image; authorities of client certificates beside them. A token is judged by the issuer that it names, for one of
 * whose audiences it is, whose keys alone are asked; its claims then have to name one app of the issuer's organisation, by rules that all agree.
 */
#ifndef GH_ISSUERS_H
#define GH_ISSUERS_H

#include "policy/identity/authorities.h"
#include "policy/identity/jwt.h"
#include "policy/identity/key_sets.h"

#define GH_ISSUER_SKEW_MAX   300       /* seconds */

/* How long keys that were fetched may be used when they cannot be fetched again; seconds. */
#define GH_ISSUER_KEEP_DEFAULT 86400u
#define GH_ISSUER_KEEP_MIN     60u
#define GH_ISSUER_KEEP_MAX     (30u * 86400)

/* Where its keys are, one of them: members of an issuer, in this order. */
typedef enum { GH_KEYS_HERE, GH_KEYS_URI, GH_KEYS_DISCOVERY, GH_KEYS_FILE } gh_keys_at_t;
#define GH_KEYS_AT 4
extern const char *const gh_keys_at_names[];   /* "keys", "jwks_uri", "discovery", "jwks_file", NULL */

typedef struct {
    gh_str_t         organisation, id, issuer;
    gh_str_t        *audiences;
    size_t           audience_count;
    unsigned         algorithms;       /* GH_JWA_* */
    uint64_t         skew_ms;
    gh_str_t         user;             /* claim; empty: users are not told apart */
    gh_caller_rules_t       rules;            /* names are claims, as in gh_jwt_claim */
    gh_keys_at_t     keys_at;
    gh_jwks_t       *keys;             /* of GH_KEYS_HERE; else NULL */
    gh_str_t         place;            /* URL or file of the others */
    gh_str_t         source;           /* the name of keys_at, a space, place: what a set was fetched from */
    uint64_t         keep_ms;
    uint64_t         number;           /* of its organisation and id, for ever the same */
} gh_issuer_t;

typedef struct {
    gh_heap_t    heap;
    gh_issuer_t *items;
    size_t       count, capacity;
    gh_authority_t *authorities;
    size_t       authority_count, authority_capacity;
    const gh_key_sets_t *sets;         /* of issuers whose keys are fetched; borrowed; NULL: there are none */
    uint64_t    *wanted;               /* bit number % 64 of an issuer whose keys lacked one that a token names; NULL: nobody asks */
} gh_issuers_t;

/* NULL: no memory. */
gh_issuers_t *gh_issuers_new(void);
void          gh_issuers_free(gh_issuers_t *issuers);

/* Those of an identity/1 document. What was checked before is read again without trust: GH_ERROR "identity" says that something is not as it must be. */
int gh_issuers_add(gh_issuers_t *issuers, gh_str_t document, gh_error_t *error);

/*
 * Whose token is it? GH_ERROR: *error has one of "token_malformed", "token_unsupported", "token_algorithm", "token_issuer", "token_audience", "token_key_unknown",
 * "token_signature", "token_expired", "token_not_yet", "token_user", "token_unmapped", "token_ambiguous", "token_places", "identity_unavailable" (keys that have to be fetched are
 * not there, or older than they may be), or "out_of_memory". No text quotes the token. out->not_after_ms is no later than the keys may be used.
 */
int gh_issuers_judge(const gh_issuers_t *issuers, gh_arena_t *arena, gh_str_t token, uint64_t now_ms, gh_caller_t *out, gh_error_t *error);

#endif
