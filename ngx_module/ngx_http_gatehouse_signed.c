/*
 * Clients that sign with an access key instead of showing a key: AWS's SDKs with the credentials they have by default. The signature is over the body's digest. Where the head says it, the
 * head is judged, and the body held against it; where it does not, nobody knows who asks until the body was read: nothing is counted for the owner of the key, recorded or logged before.
 */

#include "ngx_http_gatehouse_sign.h"


static int ngx_http_gatehouse_signed_verify(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, gh_store_t *store, const uint8_t *digest,
    gh_error_t *error);
static void ngx_http_gatehouse_signed_was(ngx_http_request_t *r,
    gh_store_t *store, gh_signature_was_t was);
static ngx_int_t ngx_http_gatehouse_signed_refuse(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, const gh_error_t *error);


static gh_sigv4_keys_t  ngx_http_gatehouse_verifying_keys;   /* this worker's */


ngx_uint_t
ngx_http_gatehouse_is_signed(ngx_http_request_t *r)
{
    gh_str_t  value;

    return ngx_http_gatehouse_header_value(r, GH_STR("authorization"), 0,
                                           &value)
           && gh_sigv4_signs(gh_str_trim(value));
}


/*
 * What the head alone tells. NGX_OK: ctx->signed_by is who it is, if the signature is right, and ctx->identified says whether it is already known to be.
 */
ngx_int_t
ngx_http_gatehouse_signed_head(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, const struct gh_certificate_s *certificate)
{
    int                           rc;
    gh_str_t                      value;
    gh_error_t                    error;
    ngx_uint_t                    again;
    gh_store_t                   *store;
    ngx_http_gatehouse_signed_t  *who;

    ngx_memzero(&error, sizeof(gh_error_t));

    if (ngx_http_gatehouse_header_value(r, GH_STR("api-key"), 0, &value)
        || ngx_http_gatehouse_header_value(r, GH_STR("x-api-key"), 0, &value))
    {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED,
                                         "incomplete_signature",
                                         "An API key stands beside the "
                                         "signature.");
    }

    who = ngx_pcalloc(r->pool, sizeof(ngx_http_gatehouse_signed_t));
    if (who == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (gh_sigv4_shown(ngx_http_gatehouse_header_value, r,
                       ngx_http_gatehouse_now_ms(), &who->shown, &error)
        != GH_OK)
    {
        return ngx_http_gatehouse_signed_refuse(r, ctx, &error);
    }

    again = 0;

    do {
        store = ngx_http_gatehouse_store(r->connection->log, &error);

        if (store
            && gh_store_identify_access_key(store, who->shown.access_key_id,
                                            certificate,
                                            ngx_http_gatehouse_now_ms(),
                                            &ctx->arena, &who->identity, NULL,
                                            &error)
               == GH_OK)
        {
            gh_store_from(store, ngx_http_gatehouse_address(r->connection));

            rc = gh_store_signature_may(store, who->shown.access_key_id,
                                        &error);

            gh_store_from(store, (gh_bytes_t) { NULL, 0 });

            if (rc == GH_OK) {
                ctx->signed_by = who;

                return who->shown.content_sha256.len == 0
                       || ngx_http_gatehouse_signed_verify(r, ctx, store, NULL,
                                                           &error)
                          == GH_OK
                       ? NGX_OK
                       : ngx_http_gatehouse_signed_refuse(r, ctx, &error);
            }

            ctx->wait_ms = gh_store_attempts_wait_ms(store);
        }

    } while (again++ == 0 && ngx_http_gatehouse_store_replaced(&error));

    return ngx_http_gatehouse_signed_refuse(r, ctx, &error);
}


/*
 * Is the request signed, its body having this digest? NULL: the one that the head says. Then ctx->identity is who asks. What it was, is counted by address.
 */
static int
ngx_http_gatehouse_signed_verify(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, gh_store_t *store, const uint8_t *digest,
    gh_error_t *error)
{
    int                           rc;
    char                          secret[GH_ACCESS_KEY_SECRET + 1];
    gh_sigv4_received_t           received;
    ngx_http_gatehouse_signed_t  *who;

    who = ctx->signed_by;

    if (gh_store_access_secret(store, who->shown.access_key_id, secret, error)
        != GH_OK)
    {
        return GH_ERROR;
    }

    received.method = ngx_http_gatehouse_str(r->method_name);
    received.target = ngx_http_gatehouse_str(r->unparsed_uri);
    received.header = ngx_http_gatehouse_header_value;
    received.context = r;
    received.body_sha256 = digest;

    rc = gh_sigv4_verify(&ctx->arena, &ngx_http_gatehouse_verifying_keys,
                         &who->shown,
                         (gh_str_t) { secret, GH_ACCESS_KEY_SECRET },
                         &received, error);

    OPENSSL_cleanse(secret, sizeof(secret));

    if (rc == GH_OK || ngx_strcmp(error->code, "invalid_signature") == 0) {
        ngx_http_gatehouse_signed_was(r, store, rc == GH_OK
                                                ? GH_SIGNATURE_RIGHT
                                                : GH_SIGNATURE_WRONG);
    }

    if (rc == GH_OK) {
        ctx->identity = who->identity;
        ctx->identified = 1;
    }

    return rc;
}


/* What came of its signature, and how much had come by then. */
static void
ngx_http_gatehouse_signed_was(ngx_http_request_t *r, gh_store_t *store,
    gh_signature_was_t was)
{
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = ngx_http_gatehouse_get_ctx(r);
    ctx->signed_by->judged = 1;

    gh_store_from(store, ngx_http_gatehouse_address(r->connection));
    gh_store_signature_was(store, ctx->signed_by->shown.access_key_id, was,
                           r->request_length);
    gh_store_from(store, (gh_bytes_t) { NULL, 0 });
}


/* The body is here, or there is none: is it what was signed? Then who asks is known, and limits are asked, unless that was so before. */
ngx_int_t
ngx_http_gatehouse_signed_body(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    uint8_t      digest[32];
    gh_error_t   error;
    gh_store_t  *store;

    ngx_memzero(&error, sizeof(gh_error_t));

    store = ngx_http_gatehouse_store(r->connection->log, &error);
    if (store == NULL) {
        return ngx_http_gatehouse_signed_refuse(r, ctx, &error);
    }

    if (ngx_http_gatehouse_digest(ctx, &ctx->body, 1, digest) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->identified) {

        if (gh_sigv4_body(&ctx->signed_by->shown, digest, &error) == GH_OK) {
            return NGX_OK;
        }

        ngx_http_gatehouse_signed_was(r, store, GH_SIGNATURE_WRONG);

        return ngx_http_gatehouse_signed_refuse(r, ctx, &error);
    }

    if (ngx_http_gatehouse_signed_verify(r, ctx, store, digest, &error)
        != GH_OK)
    {
        return ngx_http_gatehouse_signed_refuse(r, ctx, &error);
    }

    return ngx_http_gatehouse_admitted(r, ctx);
}


/* The request's end: a body of which nobody knows whose it was, since not all of it came, counts as far as it came. */
void
ngx_http_gatehouse_signed_end(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    gh_error_t   error;
    gh_store_t  *store;

    if (ctx->signed_by == NULL || ctx->signed_by->judged
        || r->request_body == NULL)
    {
        return;
    }

    store = ngx_http_gatehouse_store(r->connection->log, &error);
    if (store) {
        ngx_http_gatehouse_signed_was(r, store, GH_SIGNATURE_CUT_SHORT);
    }
}


/* In words that AWS's SDKs know; what is wrong with the key itself as of any other. */
static ngx_int_t
ngx_http_gatehouse_signed_refuse(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, const gh_error_t *error)
{
    if (error->code
        && (ngx_strcmp(error->code, "invalid_signature") == 0
            || ngx_strcmp(error->code, "incomplete_signature") == 0))
    {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED,
                                         error->code, "%s.", error->text);
    }

    if (error->code && ngx_strcmp(error->code, "signature_attempts") == 0) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED,
                                         "invalid_signature", "%s.",
                                         error->text);
    }

    if (error->code && ngx_strcmp(error->code, "invalid_access_key") == 0) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED,
                                         "invalid_access_key", "%s.",
                                         error->text);
    }

    if (error->code && ngx_strncmp(error->code, "key_", 4) == 0) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED,
                   "invalid_access_key",
                   ngx_strcmp(error->code, "key_expired") == 0
                   ? "The security token included in the request is invalid: "
                     "the access key has expired."
                   : ngx_strcmp(error->code, "key_revoked") == 0
                   ? "The security token included in the request is invalid: "
                     "the access key was revoked."
                   : "The security token included in the request is invalid: "
                     "the access key is not known.");
    }

    return ngx_http_gatehouse_refuse_caller(r, ctx, error);
}
