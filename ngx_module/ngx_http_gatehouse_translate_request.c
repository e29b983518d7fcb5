/*
 * The request of an attempt at another endpoint than the client's: in its backend's words, with what of it stands in headers there.
 */

#include "ngx_http_gatehouse_translate.h"

#include "ngx_module/wire/alike.h"


/* Tokens of an answer where the dialect must say how many and nobody did. */
#define NGX_HTTP_GATEHOUSE_MAX_TOKENS   4096


static void ngx_http_gatehouse_translate_forget(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);


/* A body that was written for an attempt that is over: a long route would keep one for each. */
static void
ngx_http_gatehouse_translate_forget(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_uint_t                     i;
    ngx_http_gatehouse_attempt_t  *past;

    for (i = 0; i + 1 < ctx->steps; i++) {
        past = ctx->attempts[i];

        if (past->body.data && past->body.data != ctx->body.data) {
            ngx_http_gatehouse_release(ctx, past->body.data);
            past->body = ctx->body;

            /* what was hashed last may have been that body */
            ctx->digest = NULL;
        }
    }
}


/* The attempt's request in its backend's words. NGX_ERROR: it cannot be written; said in the log. */
ngx_int_t
ngx_http_gatehouse_translate_request(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt)
{
    gh_error_t      error;
    gh_hub_send_t   send;
    gh_target_t    *facts;

    gh_error_clear(&error);
    ngx_memzero(&send, sizeof(gh_hub_send_t));

    facts = &attempt->facts;

    ngx_http_gatehouse_translate_forget(r, ctx);

    if (gh_dialect_address(&ctx->arena, facts, attempt->endpoint,
                           ctx->intake.stream,
                           ngx_http_gatehouse_str(attempt->backend->path),
                           &attempt->wire, &error)
        != GH_OK
        || gh_hub_asked(&ctx->asked) == NULL)
    {
        goto failed;
    }

    if (attempt->embeds) {

        if (ngx_http_gatehouse_embed_request(ctx, attempt, &error) != NGX_OK) {
            goto failed;
        }

        goto recorded;
    }

    send.model = facts->upstream_model;
    send.inference_geo = facts->inference_geo;
    send.output_cap = ctx->quota.bound.output_cap;
    send.store_false = attempt->store_false && attempt->wire.knows_store;
    send.old_maximum = !attempt->wire.knows_max_completion;
    send.default_max = facts->max_output ? facts->max_output
                                         : NGX_HTTP_GATEHOUSE_MAX_TOKENS;

    if (gh_endpoint_alike(ctx->url.endpoint) == attempt->endpoint) {

        if (gh_alike_request(&ctx->arena, &ctx->intake, ctx->body, &send,
                             &attempt->wire, &error)
            != GH_OK)
        {
            goto failed;
        }

        goto recorded;
    }

    if (gh_endpoint_is(attempt->endpoint, GH_IS_BETA_HEADER)) {
        attempt->wire.betas =
            gh_hub_betas_header(&ctx->arena,
                                gh_hub_betas_native(&ctx->arena,
                                                    ctx->asked.request->betas));
    }

    if (gh_endpoint_is(attempt->endpoint, GH_IS_TIER_HEADER)) {
        gh_hub_said_write(ctx->asked.request, attempt->wire.said);
    }

    if (ctx->asked.counted.data) {

        if (gh_alike_count(&ctx->arena, &ctx->intake, ctx->asked.counted, &send,
                           &attempt->wire, &attempt->body, &error)
            != GH_OK)
        {
            goto failed;
        }

        goto recorded;
    }

    if (gh_endpoint_counts(attempt->endpoint)) {

        if (gh_hub_count_write(&ctx->arena, ctx->asked.request,
                               attempt->endpoint, &send, &attempt->body,
                               &error)
            != GH_OK)
        {
            goto failed;
        }

        goto recorded;
    }

    if (gh_hub_request_write(&ctx->arena, ctx->asked.request,
                             gh_hub_target_of(attempt->endpoint,
                                              gh_target_words(facts)),
                             &send, &attempt->body, &error)
        != GH_OK)
    {
        goto failed;
    }

recorded:

    attempt->record.upstream_endpoint = gh_endpoint_names[attempt->endpoint];
    attempt->record.upstream_dialect = gh_dialect_names[facts->dialect];

    return NGX_OK;

failed:

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "gatehouse: deployment \"%*s\": %s", facts->deployment.len,
                  facts->deployment.data, error.text);

    return NGX_ERROR;
}
