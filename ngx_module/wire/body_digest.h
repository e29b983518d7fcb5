/*
 * The SHA-256 of a body that is sent in pieces, kept for the next attempt: attempts of one request mostly send the same bytes, and comparing them is a tenth
 * of the price of hashing them.
 */
#ifndef GH_BODY_DIGEST_H
#define GH_BODY_DIGEST_H

#include "ngx_module/wire/wire.h"

#define GH_BODY_PIECES (2 * GH_SPLICE_MAX + 1)

typedef struct {
    gh_str_t pieces[GH_BODY_PIECES];   /* borrowed: what was hashed last */
    size_t   count;
    uint8_t  sha256[32];
    unsigned hashed;                   /* how often; 0: nothing was yet */
} gh_body_digest_t;                    /* zeros to begin with */

/*
 * Of these pieces (at most GH_BODY_PIECES), which stay as they are while *kept is used. What was hashed last is not hashed again when its bytes are the
 * same, however they are cut.
 */
void gh_body_digest(gh_body_digest_t *kept, const gh_str_t *pieces, size_t count, uint8_t sha256[32]);

#endif
