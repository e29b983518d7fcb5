/* What a request that AWS's Signature Version 4 is asked of has in its headers, for whoever sends one by gh_fetch. */
#ifndef GH_AGENT_SIGNED_HEADERS_H
#define GH_AGENT_SIGNED_HEADERS_H

#include "ngx_module/wire/sigv4.h"
#include "policy/agent/fetch.h"

#define GH_SIGNED_HEADERS 3u

/*
 * X-Amz-Date, Authorization and, of a credential that has one, X-Amz-Security-Token; what request->headers names goes along besides. headers: room for
 * GH_SIGNED_HEADERS from *count on, which grows. request->body_sha256 NULL: it has no body. Values are the arena's or the credential's.
 */
int gh_signed_headers(gh_arena_t *arena, const gh_aws_credential_t *credential, const gh_sigv4_scope_t *scope, const gh_sigv4_request_t *request, uint64_t now_ms,
    gh_fetch_header_t *headers, size_t *count, gh_error_t *error);

/* A URL's host (with its port), path and query, borrowed; "/" and "" where it has none. */
void gh_url_parts(gh_str_t url, gh_str_t *host, gh_str_t *path, gh_str_t *query);

#endif
