/*
 * The commit point.
 *
 * nginx sends the client's header before the first input-filter call, and nothing can fail over after it. So a stream's head is held here, in
 * process_header returning NGX_AGAIN, until a first useful event, an error, a size or a time. A provider's error is held likewise, until
 * its body is here, before another backend is tried.
 */

#include "ngx_http_gatehouse.h"


/* Bedrock: the model behind it failed in the middle of its stream; another may not. */
#define NGX_HTTP_GATEHOUSE_FAILED_MODEL  424


static ngx_int_t ngx_http_gatehouse_hold(ngx_http_request_t *r);
static ngx_int_t ngx_http_gatehouse_hold_decode(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static void ngx_http_gatehouse_hold_timeout(ngx_event_t *ev);
static ssize_t ngx_http_gatehouse_one_byte(ngx_connection_t *c, u_char *buf,
    size_t size);


/* From the body's first byte on: a 200 that streams, or a provider's error of which size bytes are kept. */
ngx_int_t
ngx_http_gatehouse_hold_start(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, size_t size)
{
    ctx->hold_size = size;
    ctx->holding = 1;
    ctx->held.len = 0;
    ctx->hold_seen = 0;
    r->upstream->process_header = ngx_http_gatehouse_hold;

    return ngx_http_gatehouse_hold(r);
}


static ngx_int_t
ngx_http_gatehouse_hold(ngx_http_request_t *r)
{
    int                        status;
    ngx_int_t                  rc;
    ngx_uint_t                 full;
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = ngx_http_gatehouse_get_ctx(r);

    if (!ctx->commit_now) {

        if (ngx_http_gatehouse_hold_decode(r, ctx) != NGX_OK) {
            return NGX_HTTP_UPSTREAM_INVALID_HEADER;
        }

        full = ctx->body_done || ctx->held.len >= ctx->hold_size;

        if (ctx->hold_error) {
            if (!full) {
                return ngx_http_gatehouse_hold_more(r, ctx,
                                              NGX_HTTP_GATEHOUSE_ERROR_WAIT);
            }

            ngx_http_gatehouse_hold_stop(ctx);
            return NGX_HTTP_UPSTREAM_INVALID_HEADER;
        }

        switch (gh_commit_look(ctx->url.client, ctx->held, &status)) {

        case GH_COMMIT_ERROR:
            return ngx_http_gatehouse_stream_error(r, ctx, status);

        case GH_COMMIT_HOLD:
            if (ctx->body_done && ctx->held.len < ctx->hold_size) {
                /* a stream that ended without saying anything */
                ngx_http_gatehouse_attempt(ctx)->record.error = "empty_stream";
                ngx_http_gatehouse_hold_stop(ctx);
                ctx->real_status = 0;
                return NGX_HTTP_UPSTREAM_INVALID_HEADER;
            }

            if (!full) {
                rc = ngx_http_gatehouse_hold_more(r, ctx,
                                                  ctx->conf->commit_time);
                if (rc != NGX_OK) {
                    return rc;
                }
            }

            break;

        case GH_COMMIT_GO:
            ngx_http_gatehouse_tell_event(ctx, ngx_http_gatehouse_attempt(ctx));
            break;
        }

    } else if (ctx->hold_error) {
        ngx_http_gatehouse_hold_stop(ctx);
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    ngx_http_gatehouse_hold_stop(ctx);
    ctx->holding = 0;
    r->upstream->peer.tries = 1;

    return NGX_OK;
}


/* Room for so many bytes more, twice what there was: most streams say something useful at once. */
static ngx_int_t
ngx_http_gatehouse_hold_room(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, size_t len)
{
    u_char  *p;
    size_t   size;

    if (ctx->held.data && len <= ctx->hold_room - ctx->held.len) {
        return NGX_OK;
    }

    size = ngx_max(2 * ctx->hold_room, ngx_max(ctx->held.len + len, 2048));

    p = ngx_palloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ctx->held.len) {
        ngx_memcpy(p, ctx->held.data, ctx->held.len);
    }

    ctx->held.data = (char *) p;
    ctx->hold_room = size;

    return NGX_OK;
}


/* New raw bytes of the body, freed of their chunking, behind what is held. */
static ngx_int_t
ngx_http_gatehouse_hold_decode(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    size_t                size, room;
    ngx_int_t             rc;
    ngx_buf_t             b;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    ngx_memzero(&b, sizeof(ngx_buf_t));
    b.start = u->buffer.pos;
    b.pos = u->buffer.pos + ctx->hold_seen;
    b.last = u->buffer.last;

    while (b.pos < b.last || u->headers_in.content_length_n == 0) {

        room = ctx->hold_size - ctx->held.len;

        if (!u->headers_in.chunked) {
            size = ngx_min((size_t) (b.last - b.pos), room);

            if (ngx_http_gatehouse_hold_room(r, ctx, size) != NGX_OK) {
                return NGX_ERROR;
            }

            ngx_memcpy((char *) ctx->held.data + ctx->held.len, b.pos, size);
            ctx->held.len += size;
            b.pos = b.last;

            if (u->headers_in.content_length_n >= 0
                && b.last - b.start >= u->headers_in.content_length_n)
            {
                ctx->body_done = 1;
            }

            break;
        }

        rc = ngx_http_gatehouse_parse_chunked(r, &b, &ctx->hold_chunked);

        if (rc == NGX_OK) {
            size = ngx_min((off_t) (b.last - b.pos), ctx->hold_chunked.size);

            if (ngx_http_gatehouse_hold_room(r, ctx, ngx_min(size, room))
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            ngx_memcpy((char *) ctx->held.data + ctx->held.len, b.pos,
                       ngx_min(size, room));
            ctx->held.len += ngx_min(size, room);
            ctx->hold_chunked.size -= size;
            b.pos += size;
            continue;
        }

        if (rc == NGX_DONE) {
            ctx->body_done = 1;
            break;
        }

        if (rc == NGX_AGAIN) {
            break;
        }

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: a backend sent an invalid chunk");

        return NGX_ERROR;
    }

    ctx->hold_seen = b.pos - b.start;

    return NGX_OK;
}


/* NGX_AGAIN: wait for more. NGX_OK: no room for more, commit what is here. */
ngx_int_t
ngx_http_gatehouse_hold_more(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_msec_t wait)
{
    ngx_buf_t  *b = &r->upstream->buffer;

    if (b->last == b->end && ctx->hold_seen
        && (size_t) (b->end - b->start) >= 4 * ctx->hold_size + 65536)
    {
        return ctx->hold_error ? NGX_HTTP_UPSTREAM_INVALID_HEADER : NGX_OK;
    }

    if (!ctx->hold_timer.timer_set) {
        ctx->hold_timer.handler = ngx_http_gatehouse_hold_timeout;
        ctx->hold_timer.data = ctx;
        ctx->hold_timer.log = r->connection->log;
        ngx_add_timer(&ctx->hold_timer, wait);
    }

    return ngx_http_gatehouse_grow(r, (size_t) -1 / 2);
}


/*
 * nginx calls process_header only with bytes: the last byte (the head's own newline when there is no body yet) is taken back,
 * and one call of recv gives it again.
 */
static void
ngx_http_gatehouse_hold_timeout(ngx_event_t *ev)
{
    ngx_connection_t          *c, *client;
    ngx_http_request_t        *r;
    ngx_http_gatehouse_ctx_t  *ctx = ev->data;

    r = ctx->request;
    client = r->connection;
    c = r->upstream->peer.connection;

    ngx_http_set_log_request(client->log, r);

    if (c == NULL || !ctx->holding) {
        return;
    }

    ctx->commit_now = 1;

    if (ctx->hold_error) {
        c->read->timedout = 1;
        c->read->handler(c->read);
        ngx_http_run_posted_requests(client);
        return;
    }

    r->upstream->buffer.last--;
    ctx->held_byte = *r->upstream->buffer.last;
    ctx->held_recv = c->recv;
    c->recv = ngx_http_gatehouse_one_byte;

    c->read->handler(c->read);
    ngx_http_run_posted_requests(client);
}


static ssize_t
ngx_http_gatehouse_one_byte(ngx_connection_t *c, u_char *buf, size_t size)
{
    ngx_http_request_t        *r = c->data;
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = ngx_http_gatehouse_get_ctx(r);

    c->recv = ctx->held_recv;
    ctx->held_recv = NULL;
    *buf = ctx->held_byte;

    return 1;
}


void
ngx_http_gatehouse_hold_stop(ngx_http_gatehouse_ctx_t *ctx)
{
    if (ctx->hold_timer.timer_set) {
        ngx_del_timer(&ctx->hold_timer);
    }
}


/* A 200 whose stream begins with an error is that error. */
ngx_int_t
ngx_http_gatehouse_stream_error(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, int status)
{
    ngx_http_gatehouse_attempt_t  *attempt;

    attempt = ngx_http_gatehouse_attempt(ctx);

    ngx_http_gatehouse_hold_stop(ctx);

    ctx->real_status = status;
    ctx->stream_failed = 1;
    attempt->record.error = "error_in_stream";

    if (status == 401 || status == 403) {
        ctx->credentials = 1;
        ngx_http_gatehouse_refusal_status(ctx, attempt, status, GH_STR(""));

    } else if (!ngx_http_gatehouse_retriable(status)
               && status != NGX_HTTP_GATEHOUSE_FAILED_MODEL)
    {
        ctx->closed = 1;
    }

    return NGX_HTTP_UPSTREAM_INVALID_HEADER;
}


/* The JSON of the first event that holds an object, or nothing. */
static gh_str_t
ngx_http_gatehouse_event_json(gh_str_t held)
{
    size_t  i, begin;

    for (i = 0; i < held.len && held.data[i] != '{'; i++) { /* void */ }

    begin = i;

    while (i < held.len && held.data[i] != '\n' && held.data[i] != '\r') {
        i++;
    }

    return (gh_str_t) { held.data + begin, i - begin };
}


/*
 * When an attempt is over: a provider's error that clients may see is kept, status, headers and up to 16 KiB of body, for the case
 * that the route ends without a better answer.
 */
void
ngx_http_gatehouse_keep_error(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    gh_str_t                              body;
    ngx_uint_t                            i;
    ngx_list_part_t                      *part;
    ngx_table_elt_t                      *h, *kept;
    ngx_http_gatehouse_provider_error_t  *provider;

    if (ctx->real_status < 400 || ctx->credentials
        || r->upstream->header_sent)
    {
        return;
    }

    provider = &ctx->provider;
    body = ctx->held;

    if (ctx->stream_failed && gh_hub_traits(ctx->url.client)->walked
        && !ngx_http_gatehouse_translated(ctx,
                                          ngx_http_gatehouse_attempt(ctx)))
    {
        body = gh_responses_error(&ctx->arena, ctx->held);
        ctx->stream_failed = 0;
    }

    if (ctx->stream_failed) {
        body = ngx_http_gatehouse_event_json(ctx->held);
        ctx->stream_failed = 0;
    }

    ngx_memzero(provider, sizeof(ngx_http_gatehouse_provider_error_t));

    body.len = ngx_min(body.len, NGX_HTTP_GATEHOUSE_ERROR_BODY);
    provider->body.data = ngx_pnalloc(r->pool, body.len + 1);
    provider->headers = ngx_array_create(r->pool, 4, sizeof(ngx_table_elt_t));

    if (provider->body.data == NULL || provider->headers == NULL) {
        return;
    }

    if (body.len) {
        ngx_memcpy(provider->body.data, body.data, body.len);
    }

    provider->body.len = body.len;
    provider->status = ctx->real_status;

    if (ngx_http_gatehouse_translated(ctx, ngx_http_gatehouse_attempt(ctx))
        && ngx_http_gatehouse_translate_error(r, ctx, provider) != NGX_OK)
    {
        provider->status = 0;
        return;
    }

    part = &r->upstream->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (ngx_http_gatehouse_is(h[i].key, "content-type")) {
            if (!ctx->event_stream && provider->content_type.len == 0
                && !ngx_http_gatehouse_translated(ctx,
                                          ngx_http_gatehouse_attempt(ctx)))
            {
                provider->content_type = h[i].value;
            }

            continue;
        }

        kept = ngx_array_push(provider->headers);
        if (kept == NULL) {
            return;
        }

        *kept = h[i];
    }
}
