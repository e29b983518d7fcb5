/* Responses passed on to a deployment that speaks them: what is sent of a request, and what its answer says besides ids. */

#include "ngx_http_gatehouse.h"


/* The attempt's body at an endpoint that is the client's own, and *intake, which is of that body. */
ngx_int_t
ngx_http_gatehouse_own_body(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, const gh_intake_t **intake,
    gh_error_t *error)
{
    gh_intake_t  *native;

    *intake = &ctx->intake;
    attempt->body = ctx->body;

    if (ctx->intake.operation != GH_OPERATION_CREATE) {
        attempt->body = GH_STR("");
        return NGX_OK;
    }

    if (!ctx->intake.translated) {
        return NGX_OK;
    }

    native = gh_arena_alloc(&ctx->arena, sizeof(gh_intake_t));
    if (native == NULL) {
        (void) gh_error_set(error, "no_memory", "out of memory");
        return NGX_ERROR;
    }

    *intake = native;

    return gh_intake_native(&ctx->arena, &ctx->url, ctx->body, &attempt->body,
                            native, error)
           == GH_OK ? NGX_OK : NGX_ERROR;
}


/* Where the answer of a committed attempt goes through. */
ngx_int_t
ngx_http_gatehouse_responses_init(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    gh_ids_owner_t  owner;

    ctx->responses = ngx_palloc(r->pool, sizeof(gh_responses_t));
    if (ctx->responses == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_gatehouse_ids_owner(ctx, &owner) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_gatehouse_ids_room(r, ctx);

    gh_responses_init(ctx->responses, ctx->event_stream, &owner);

    return NGX_OK;
}


/* What of a response is worth a word in the record: which it is, how far it got, and, told again, what it took. */
void
ngx_http_gatehouse_responses_told(ngx_http_gatehouse_ctx_t *ctx,
    gh_record_response_t *told)
{
    gh_responses_t  *responses;

    responses = ctx->responses;

    if (responses == NULL) {
        return;
    }

    told->id = (gh_str_t) { responses->ids.id, responses->ids.id_len };
    told->status = (gh_str_t) { responses->ids.status,
                                responses->ids.status_len };

    if (ctx->intake.operation != GH_OPERATION_CREATE
        && responses->ids.usage_seen)
    {
        told->usage = responses->ids.usage;
        told->usage.reported = true;
    }
}


/* What of the answer came, and what it says of its usage; also of one that ended before it was committed. */
void
ngx_http_gatehouse_responses_use(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, gh_quota_use_t *use)
{
    gh_responses_t   held, *responses;
    gh_ids_owner_t   nobody;

    responses = ctx->responses;

    if (!r->upstream->header_sent || responses == NULL) {

        if (!ctx->event_stream) {
            return;
        }

        ngx_memzero(&nobody, sizeof(gh_ids_owner_t));

        responses = &held;
        gh_responses_init(responses, 1, &nobody);
        gh_responses_feed(responses, ctx->held.data, ctx->held.len, NULL,
                          NULL);
    }

    use->usage = responses->ids.usage;
    use->usage.reported = responses->ids.usage_seen;
    use->partial = responses->ids.usage_seen && !responses->done;
    use->delivered_bytes = responses->ids.content_bytes;
    use->delivered_events = responses->events;
}
