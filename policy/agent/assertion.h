/* The signed statement by which a client with a certificate says who it is: RFC 7523, section 2.2, with Microsoft's header ("x5t#S256", PS256). */
#ifndef GH_AGENT_ASSERTION_H
#define GH_AGENT_ASSERTION_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"

#define GH_ASSERTION_MS 600000u     /* how long it is valid */

typedef struct {
    gh_str_t client_id;
    gh_str_t audience;       /* the token endpoint */
    gh_str_t pem;            /* certificate, its private key (RSA, not encrypted), and, for send_chain, the certificates above it */
    bool     send_chain;     /* all of its certificates go along ("x5c"), which is needed where the issuer's name is trusted, not this certificate */
    uint64_t now_ms;
} gh_assertion_t;

/* The compact JWT, the arena's. GH_ERROR "source_secret": the PEM is not as said, the key is not the certificate's, or that has ended; "no_memory". */
int gh_assertion_sign(gh_arena_t *arena, const gh_assertion_t *assertion, gh_str_t *jwt, gh_error_t *error);

#endif
