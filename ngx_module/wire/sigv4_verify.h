/*
 * Requests that clients signed by AWS Signature Version 4 (docs.aws.amazon.com, "Create a signed AWS API request"), in the form of the Authorization header. The signature
 * covers the body's digest: where the head has it (x-amz-content-sha256), the head alone is judged, and the body held against it when it is here. Where it has not, as from botocore, the
 * signature can be judged only then; what can be said before is said before.
 *
 * Accepted: one Authorization of AWS4-HMAC-SHA256 for the services "bedrock" and "bedrock-mantle", of any region; signed headers that are lower-case, in order, sent, and have host
 * and x-amz-date among them, and x-amz-content-sha256 when that is sent; a time within GH_SIGV4_WINDOW of ours. No session tokens, no unsigned or chunked payloads, no
 * presigned URLs. The same signature is accepted again within that window, as AWS does.
 */
#ifndef GH_SIGV4_VERIFY_H
#define GH_SIGV4_VERIFY_H

#include "ngx_module/wire/sigv4.h"
#include "policy/decide/decide.h"

#define GH_SIGV4_WINDOW UINT64_C(300000)   /* ms */

typedef struct {
    gh_str_t         access_key_id;
    gh_str_t         day;               /* of the scope: 8 digits */
    gh_sigv4_scope_t scope;
    gh_str_t         signed_headers;    /* "content-type;host;x-amz-date" */
    gh_str_t         signature;         /* 64 of 0-9 a-f */
    gh_str_t         date;              /* x-amz-date: 16 bytes */
    gh_str_t         content_sha256;    /* x-amz-content-sha256: 64 of 0-9 a-f; empty: not sent */
} gh_sigv4_shown_t;

/* Does the header sign by any version of AWS's algorithm? Then it is no bearer's. */
bool gh_sigv4_signs(gh_str_t authorization);

/*
 * What a request's head says of its signature; strings borrow from the headers. GH_ERROR: "incomplete_signature" (a part is missing or malformed), "invalid_signature" (its time
 * is not ours, its service another, its payload unsigned), "invalid_access_key" (a session token, which nobody here gave out). Texts have no bytes of the client's, but for a well-formed time.
 */
int gh_sigv4_shown(gh_header_fn header, void *context, uint64_t now_ms, gh_sigv4_shown_t *shown, gh_error_t *error);

typedef struct {
    gh_str_t       method;
    gh_str_t       target;              /* path and query as on the wire */
    gh_header_fn   header;
    void          *context;
    const uint8_t *body_sha256;         /* 32 bytes; NULL: the body is not here, and what is signed has to say its digest */
} gh_sigv4_received_t;

/* Is the request signed with this secret? GH_ERROR: "invalid_signature", "incomplete_signature", "no_memory". The comparison takes the same time whatever was shown. */
int gh_sigv4_verify(gh_arena_t *arena, gh_sigv4_keys_t *keys, const gh_sigv4_shown_t *shown, gh_str_t secret, const gh_sigv4_received_t *received,
    gh_error_t *error);

/* Is the body the one whose digest the head has? GH_ERROR "invalid_signature". GH_OK where the head has none: gh_sigv4_verify says the rest. */
int gh_sigv4_body(const gh_sigv4_shown_t *shown, const uint8_t body_sha256[32], gh_error_t *error);

#endif
