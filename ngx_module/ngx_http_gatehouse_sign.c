/*
 * aws_signature of a backend: each attempt's request signed by Signature Version 4, and the
 * difference between this host's clock and the backend's.
 */

#include "ngx_http_gatehouse_sign.h"

#include "ngx_module/wire/aws_error.h"
#include "ngx_module/wire/bedrock.h"
#include "ngx_module/wire/sigv4.h"


static gh_sigv4_keys_t  ngx_http_gatehouse_signing_keys;   /* this worker's */


/* A credential gave way to another one: what was derived from it goes. */
void
ngx_http_gatehouse_sign_forget(gh_str_t secret_access_key)
{
    gh_sigv4_keys_forget(&ngx_http_gatehouse_signing_keys, secret_access_key);
}


/* Of a body that the client signed, or that an attempt sends: once for all that have the same bytes. */
ngx_int_t
ngx_http_gatehouse_digest(ngx_http_gatehouse_ctx_t *ctx,
    const gh_str_t *pieces, size_t count, uint8_t digest[32])
{
    if (ctx->digest == NULL) {
        ctx->digest = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_gatehouse_digest_t));
        if (ctx->digest == NULL) {
            return NGX_ERROR;
        }
    }

    gh_body_digest(&ctx->digest->body, pieces, count, digest);

    return NGX_OK;
}


/*
 * The header lines that sign an attempt's request, which is built but for them: the caller's to overwrite when they are copied. The path and the host are those
 * that are sent, the body is the pieces of its chain. NGX_ERROR: said in the log.
 */
ngx_int_t
ngx_http_gatehouse_sign(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_str_t *host, ngx_str_t *lines)
{
    size_t                        count, signed_;
    uint8_t                       digest[32];
    gh_str_t                      path, pieces[GH_BODY_PIECES];
    gh_error_t                    error;
    const char                   *mark;
    gh_str_t                      text;
    gh_sigv4_scope_t              scope;
    gh_sigv4_signed_t             sent;
    gh_sigv4_request_t            request;
    gh_sigv4_header_t             headers[1 + GH_BEDROCK_HEADERS];
    ngx_uint_t                    i;
    ngx_http_gatehouse_held_t    *held;
    ngx_http_gatehouse_backend_t *backend;

    backend = attempt->backend;
    held = backend->held;

    count = gh_splice_pieces(&attempt->wire.splice, attempt->body, pieces);

    if (ngx_http_gatehouse_digest(ctx, pieces, count, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    headers[0].name = GH_STR("content-type");
    headers[0].value = GH_STR("application/json");
    signed_ = 1;

    for (i = 0; i < GH_BEDROCK_HEADERS; i++) {

        if (attempt->wire.said[i].len) {
            headers[signed_].name = gh_bedrock_headers[i];
            headers[signed_++].value = attempt->wire.said[i];
        }
    }

    path = attempt->wire.path;
    mark = memchr(path.data, '?', path.len);

    ngx_memzero(&request, sizeof(gh_sigv4_request_t));

    request.method = gh_str_from(attempt->wire.method);
    request.host = ngx_http_gatehouse_str(*host);
    request.path = path;
    request.query = GH_STR("");

    if (mark) {
        request.path.len = mark - path.data;
        request.query.data = mark + 1;
        request.query.len = path.data + path.len - (mark + 1);
    }

    request.headers = headers;
    request.header_count = signed_;
    request.body_sha256 = digest;
    request.content_sha256 = 1;

    scope.region = attempt->facts.region;
    scope.service = ngx_http_gatehouse_str(backend->signature);

    if (gh_sigv4_sign(&ctx->arena, &ngx_http_gatehouse_signing_keys,
                      &held->credential.aws, &scope, &request,
                      ngx_http_gatehouse_now_ms(), held->skew_ms, &sent,
                      &error)
        != GH_OK)
    {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "gatehouse: deployment \"%*s\": %s",
                      attempt->facts.deployment.len,
                      attempt->facts.deployment.data, error.text);
        return NGX_ERROR;
    }

    text = gh_str_format(&ctx->arena,
                         "X-Amz-Date: %.16s\r\n"
                         "X-Amz-Content-Sha256: %.64s\r\n"
                         "%s%.*s%sAuthorization: %.*s\r\n",
                         sent.date, sent.content_sha256,
                         held->credential.aws.session_token.len
                         ? "X-Amz-Security-Token: " : "",
                         GH_STR_ARG(held->credential.aws.session_token),
                         held->credential.aws.session_token.len ? "\r\n" : "",
                         GH_STR_ARG(sent.authorization));

    /* the head has it now: no second copy is kept until the request's end */

    explicit_bzero((char *) sent.authorization.data, sent.authorization.len);

    if (text.data == NULL) {
        return NGX_ERROR;
    }

    lines->data = (u_char *) text.data;
    lines->len = text.len;

    return NGX_OK;
}


/* A refusal: was it because of our clock? 1: what is signed from now on has the backend's time, and the deployment is worth another try. */
ngx_uint_t
ngx_http_gatehouse_learn_clock(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_uint_t status)
{
    gh_str_t                      date, type;
    ngx_http_gatehouse_held_t    *held;

    held = attempt->backend->held;

    if (held == NULL || attempt->backend->signature.len == 0) {
        return 0;
    }

    date = ngx_http_gatehouse_str(ctx->backend_date);
    type = gh_aws_error_name(ngx_http_gatehouse_str(ctx->error_type));

    if (!gh_sigv4_learn_skew((int) status, type, GH_STR(""), date,
                             ngx_http_gatehouse_now_ms(), &held->skew_ms))
    {
        return 0;
    }

    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                  "gatehouse: the clock of backend \"%V\" differs from this "
                  "host's by %L ms; requests to it are signed with its time",
                  &attempt->backend->name, held->skew_ms);

    return 1;
}


/*
 * What AWS would refuse although nothing here is malformed: a deployment of no region, or of another than the host's, or a host of another
 * service. Warnings, once a deployment.
 */
void
ngx_http_gatehouse_check_signature(ngx_conf_t *cf, gh_image_t *image,
    ngx_http_gatehouse_backend_t *backend)
{
    uint32_t       i;
    gh_str_t       last, service;
    ngx_uint_t     known;
    gh_target_t    target;
    gh_aws_host_t  host;

    if (backend->signature.len == 0) {
        return;
    }

    known = backend->server_name.len
            && gh_aws_host_read(ngx_http_gatehouse_str(backend->server_name),
                                &host);
    service = known ? gh_aws_signing_name(host.service) : GH_STR("");

    if (known && !gh_str_eq(service, ngx_http_gatehouse_str(backend->signature)))
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "gatehouse_backend \"%V\": \"%V\" takes signatures for "
                      "\"%*s\", not \"%V\" in %V:%ui", &backend->name,
                      &backend->server_name, service.len, service.data,
                      &backend->signature, &backend->file, backend->line);
    }

    last = GH_STR("");

    for (i = 0; i < gh_image_target_count(image); i++) {
        gh_image_target(image, i, &target);

        if (!gh_str_eq(target.backend, ngx_http_gatehouse_str(backend->name))
            || gh_str_eq(target.deployment, last)
            || (target.region.len
                && (!known || gh_str_eq(target.region, host.region))))
        {
            continue;
        }

        last = target.deployment;

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "gatehouse_backend \"%V\": requests for deployment "
                      "\"%*s\" of fleet/1 are signed for its region, \"%*s\", "
                      "which is not the backend's: it will refuse them in "
                      "%V:%ui", &backend->name, target.deployment.len,
                      target.deployment.data, target.region.len,
                      target.region.data, &backend->file, backend->line);
    }
}
