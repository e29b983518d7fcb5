/* Signatures of AWS: those of attempts (_sign.c), and those that clients show (_signed.c). */
#ifndef NGX_HTTP_GATEHOUSE_SIGN_H
#define NGX_HTTP_GATEHOUSE_SIGN_H

#include "ngx_http_gatehouse.h"

#include "ngx_module/wire/body_digest.h"
#include "ngx_module/wire/sigv4_verify.h"


/* Whose access key a request names, before its signature was verified. */
struct ngx_http_gatehouse_signed_s {
    gh_sigv4_shown_t               shown;
    gh_identity_t                  identity;
    unsigned                       judged:1;       /* and what came of it counted */
};

/* What was hashed last of a request. */
struct ngx_http_gatehouse_digest_s {
    gh_body_digest_t               body;
};


/* _sign.c */
void ngx_http_gatehouse_check_signature(ngx_conf_t *cf, gh_image_t *image,
    ngx_http_gatehouse_backend_t *backend);
void ngx_http_gatehouse_sign_forget(gh_str_t secret_access_key);
ngx_int_t ngx_http_gatehouse_sign(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_str_t *host, ngx_str_t *lines);
ngx_uint_t ngx_http_gatehouse_learn_clock(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_uint_t status);
ngx_int_t ngx_http_gatehouse_digest(ngx_http_gatehouse_ctx_t *ctx,
    const gh_str_t *pieces, size_t count, uint8_t digest[32]);

/* _signed.c */
ngx_uint_t ngx_http_gatehouse_is_signed(ngx_http_request_t *r);
ngx_int_t ngx_http_gatehouse_signed_head(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx,
    const struct gh_certificate_s *certificate);
ngx_int_t ngx_http_gatehouse_signed_body(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_signed_end(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);

#endif
