/*
 * Ids of what deployments keep are opened in a request and given out in its answer, so state stays with the deployment that made it and with the tenant
 * it was made for. Responses are looked into by their own watcher, of the same kind (ngx_http_gatehouse_responses.c).
 */

#include "ngx_http_gatehouse.h"


/* This worker's, keyed with its configuration's secret. */
static gh_handles_t  *ngx_http_gatehouse_worker_handles;


gh_handles_t *
ngx_http_gatehouse_handles(void)
{
    ngx_http_gatehouse_main_conf_t  *gmcf;

    if (ngx_http_gatehouse_worker_handles == NULL) {
        gmcf = ngx_http_gatehouse_worker_conf();

        if (gmcf && gmcf->key_read) {
            ngx_http_gatehouse_worker_handles = gh_handles_new(gmcf->key);
        }
    }

    return ngx_http_gatehouse_worker_handles;
}


void
ngx_http_gatehouse_handles_exit(void)
{
    gh_handles_free(ngx_http_gatehouse_worker_handles);
    ngx_http_gatehouse_worker_handles = NULL;
}


/* The ids in a body that was just read. NGX_OK, or the status of the refusal. */
ngx_int_t
ngx_http_gatehouse_open_ids(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    size_t         i;
    gh_error_t     error;
    gh_handles_t  *handles;

    if (ctx->intake.handle_count == 0
        && ctx->intake.operation == GH_OPERATION_CREATE)
    {
        return NGX_OK;
    }

    gh_error_clear(&error);

    handles = ngx_http_gatehouse_handles();
    if (handles == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (gh_intake_open(&ctx->arena, handles, ctx->identity.tenant_uid,
                       &ctx->url, &ctx->body, &ctx->intake, &error)
        == GH_OK)
    {
        return NGX_OK;
    }

    for (i = 0; error.text[i] && error.text[i] != ' '; i++) { /* void */ }

    if (ctx->intake.operation == GH_OPERATION_CREATE) {
        ctx->error_param = gh_str_format(&ctx->arena, "%.*s", (int) i,
                                         error.text).data;
    }

    return ngx_http_gatehouse_refuse_error(r, ctx, &error);
}


/* Who made what the attempt's answer names. */
ngx_int_t
ngx_http_gatehouse_ids_owner(ngx_http_gatehouse_ctx_t *ctx,
    gh_ids_owner_t *owner)
{
    ngx_http_gatehouse_attempt_t  *attempt;

    attempt = ngx_http_gatehouse_attempt(ctx);

    owner->handles = ngx_http_gatehouse_handles();
    owner->kept = (ctx->intake.operation != GH_OPERATION_CREATE);
    owner->tenant_uid = ctx->identity.tenant_uid;
    owner->deployment = attempt->facts.deployment;
    owner->model = ctx->decision.model;
    owner->session = gh_intake_ids_session(&ctx->intake);
    owner->opened = ctx->intake.opened;
    owner->opened_count = ctx->intake.opened_count;

    return owner->handles ? NGX_OK : NGX_ERROR;
}


/* Ids are longer than what they stand for: room for those of an answer that is passed on, once before its body. */
void
ngx_http_gatehouse_ids_room(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ctx->out_size += (r->upstream->buffer.end - r->upstream->buffer.start)
                     + GH_HANDLE_MAX;
}


/* Where ids stand in the answer, or NULL: none of it is anything but passed on. */
const gh_ids_shape_t *
ngx_http_gatehouse_ids_shape(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_gatehouse_attempt_t  *attempt;

    attempt = ngx_http_gatehouse_attempt(ctx);

    if (attempt == NULL || ngx_http_gatehouse_translated(ctx, attempt)) {
        return NULL;
    }

    return gh_ids_shape_of(&ctx->intake, ctx->event_stream);
}


/* What the answer of a committed attempt goes through last, where the request used something that is kept. */
ngx_int_t
ngx_http_gatehouse_ids_init(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    gh_ids_owner_t         owner;
    const gh_ids_shape_t  *shape;

    shape = ngx_http_gatehouse_ids_shape(ctx);
    if (shape == NULL) {
        return NGX_OK;
    }

    ctx->ids = ngx_palloc(r->pool, sizeof(gh_ids_t));
    if (ctx->ids == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_gatehouse_ids_owner(ctx, &owner) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_gatehouse_ids_room(r, ctx);

    gh_ids_init(ctx->ids, shape, ctx->event_stream, &owner, NULL);

    return NGX_OK;
}
