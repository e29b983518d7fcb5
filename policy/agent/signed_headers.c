#include "policy/agent/signed_headers.h"

#include <string.h>

#include "policy/base/hash.h"

int
gh_signed_headers(gh_arena_t *arena, const gh_aws_credential_t *credential, const gh_sigv4_scope_t *scope, const gh_sigv4_request_t *request, uint64_t now_ms,
    gh_fetch_header_t *headers, size_t *count, gh_error_t *error)
{
    gh_sigv4_request_t whole = *request;
    gh_sigv4_keys_t    keys;
    gh_sigv4_signed_t  made;
    uint8_t            nothing[32];
    gh_str_t           date;
    int                rc;

    if (whole.body_sha256 == NULL) {
        gh_sha256("", 0, nothing);
        whole.body_sha256 = nothing;
    }
    gh_sigv4_keys_init(&keys);
    rc = gh_sigv4_sign(arena, &keys, credential, scope, &whole, now_ms, 0, &made, error);
    gh_sigv4_keys_clear(&keys);
    if (rc != GH_OK) {
        return GH_ERROR;
    }
    date = gh_str_copy(arena, (gh_str_t) { made.date, sizeof(made.date) });
    if (date.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    headers[(*count)++] = (gh_fetch_header_t) { GH_STR("X-Amz-Date"), date };
    headers[(*count)++] = (gh_fetch_header_t) { GH_STR("Authorization"), made.authorization };
    if (credential->session_token.len != 0) {
        headers[(*count)++] = (gh_fetch_header_t) { GH_STR("X-Amz-Security-Token"), credential->session_token };
    }
    return GH_OK;
}

void
gh_url_parts(gh_str_t url, gh_str_t *host, gh_str_t *path, gh_str_t *query)
{
    size_t at = 0, begin = 0, end, question;

    while (at + 3 <= url.len && memcmp(url.data + at, "://", 3) != 0) {
        at++;
    }
    begin = at + 3 <= url.len ? at + 3 : 0;
    for (end = begin; end < url.len && url.data[end] != '/' && url.data[end] != '?'; end++) {
    }
    for (question = end; question < url.len && url.data[question] != '?'; question++) {
    }
    *host = (gh_str_t) { url.data + begin, end - begin };
    *path = question > end ? (gh_str_t) { url.data + end, question - end } : GH_STR("/");
    *query = question < url.len ? (gh_str_t) { url.data + question + 1, url.len - question - 1 } : GH_STR("");
}
