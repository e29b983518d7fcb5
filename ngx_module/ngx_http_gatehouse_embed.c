/*
 * Embeddings of models that Bedrock has: their requests and answers are their own, though the endpoint is the client's.
 */

#include "ngx_http_gatehouse.h"

#include "ngx_module/wire/hub/embeddings.h"


/* The body, of a request that was found to be expressible. */
ngx_int_t
ngx_http_gatehouse_embed_request(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_error_t *error)
{
    if (gh_embed_request_write(&ctx->arena, ctx->asked.embed,
                               gh_bedrock_model(attempt->facts.upstream_model),
                               &attempt->body, error)
        != GH_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_null(&ctx->input_tokens);

    return NGX_OK;
}


ngx_int_t
ngx_http_gatehouse_embed_answer(ngx_http_gatehouse_ctx_t *ctx, gh_str_t body,
    gh_str_t *answer, gh_usage_t *usage, gh_error_t *error)
{
    off_t               tokens;
    gh_bedrock_model_t  model;

    tokens = ngx_atoof(ctx->input_tokens.data, ctx->input_tokens.len);

    model = gh_bedrock_model(
                        ngx_http_gatehouse_attempt(ctx)->facts.upstream_model);

    return gh_embed_answer(&ctx->arena, ctx->asked.embed, model, body,
                           tokens > 0 ? tokens : 0, ctx->intake.model, answer,
                           usage, error)
           == GH_OK ? NGX_OK : NGX_ERROR;
}
