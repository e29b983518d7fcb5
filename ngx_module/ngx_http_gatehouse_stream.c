/*
 * The body of a committed answer on its way to the client: de-chunked, its usage read, the usage chunk that the client did not ask for
 * removed. Memory is fixed for a stream's whole life.
 */

#include "ngx_http_gatehouse.h"


static ngx_int_t ngx_http_gatehouse_deliver(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, u_char *data, size_t len);
static void ngx_http_gatehouse_stream_out(void *context, const char *data,
    size_t len);
static void ngx_http_gatehouse_piece_out(void *context, const char *data,
    size_t len);
static void ngx_http_gatehouse_deliver_end(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static void ngx_http_gatehouse_break_stream(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static void ngx_http_gatehouse_route_end(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_int_t rc);


/* The bytes in hand, and where a piece of them may be pointed at instead of copied. */
typedef struct {
    ngx_http_request_t        *request;
    ngx_http_gatehouse_ctx_t  *ctx;
    u_char                    *begin;
    u_char                    *end;
    ngx_int_t                  rc;
} ngx_http_gatehouse_feed_t;


/* Once, after the head has gone to the client. */
ngx_int_t
ngx_http_gatehouse_input_init(void *data)
{
    ngx_http_request_t *r = data;

    char                      *carry;
    ngx_http_upstream_t       *u;
    ngx_http_gatehouse_ctx_t  *ctx;

    u = r->upstream;
    ctx = ngx_http_gatehouse_get_ctx(r);

    ngx_http_gatehouse_deadline_end(ctx);

    if (u->headers_in.status_n == NGX_HTTP_NO_CONTENT) {
        u->length = 0;
        u->keepalive = !u->headers_in.connection_close;

    } else if (u->headers_in.chunked) {
        u->length = 1;
        u->keepalive = 0;

    } else {
        u->length = u->headers_in.content_length_n;
        u->keepalive = (u->length == 0 && !u->headers_in.connection_close);
    }

    /* a client that does not read is treated as one that left: its usage still counts */

    ctx->write_handler = r->write_event_handler;
    r->write_event_handler = ngx_http_gatehouse_write_client;

    if (ctx->event_stream) {
        ngx_http_gatehouse_silence_start(r, ctx);
    }

    if (ngx_http_gatehouse_translated(ctx, ngx_http_gatehouse_attempt(ctx))) {
        ngx_http_gatehouse_translate_init(r, ctx);
        return NGX_OK;
    }

    /* an earlier attempt, translated, may have left a block, of another size than this one's answer is given */

    ctx->out = NULL;
    ctx->out_size = 0;
    ctx->out_used = 0;

    if (gh_hub_traits(ctx->url.client)->walked) {
        return ngx_http_gatehouse_responses_init(r, ctx);
    }

    if (ctx->event_stream) {
        /* one piece: of the carry hardly a stream uses more than a corner */
        ctx->stream = ngx_palloc(r->pool,
                                 sizeof(gh_stream_t) + GH_STREAM_CARRY);
        if (ctx->stream == NULL) {
            return NGX_ERROR;
        }

        carry = (char *) ctx->stream + sizeof(gh_stream_t);

        /* only chat has a chunk that is there because it was asked for */
        gh_stream_init(ctx->stream, ctx->url.client,
                       gh_hub_traits(ctx->url.client)->usage_asked
                       && !ctx->intake.include_usage, carry);

        ctx->out_size = (u->buffer.end - u->buffer.start) + GH_STREAM_CARRY;

        return ngx_http_gatehouse_ids_init(r, ctx);
    }

    ctx->scan = ctx->arena.alloc(&ctx->arena, sizeof(gh_usage_scan_t));
    if (ctx->scan == NULL) {
        return NGX_ERROR;
    }

    gh_usage_scan_init(ctx->scan, ctx->url.client);

    return ngx_http_gatehouse_ids_init(r, ctx);
}


ngx_int_t
ngx_http_gatehouse_input(void *data, ssize_t bytes)
{
    ngx_http_request_t *r = data;

    off_t                      size;
    ngx_int_t                  rc;
    ngx_buf_t                 *b, raw;
    ngx_http_upstream_t       *u;
    ngx_http_gatehouse_ctx_t  *ctx;

    u = r->upstream;
    b = &u->buffer;
    ctx = ngx_http_gatehouse_get_ctx(r);

    ngx_memzero(&raw, sizeof(ngx_buf_t));
    raw.pos = b->last;
    raw.last = b->last + bytes;
    b->last += bytes;

    if (u->out_bufs == NULL && u->busy_bufs == NULL) {
        ctx->out_used = 0;

    } else {
        ctx->client_slow = 1;
    }

    if (ctx->draining) {
        ctx->drained += bytes;

        if (ctx->drained > ctx->conf->drain_size) {
            u->length = 0;
            u->keepalive = 0;
            return NGX_OK;
        }
    }

    if (ngx_http_gatehouse_translated(ctx, ngx_http_gatehouse_attempt(ctx))) {
        return ngx_http_gatehouse_translate_input(r, ctx, &raw);
    }

    if (u->length == 0) {
        /* bytes behind its end are nobody's answer, least of all the next request's */
        u->keepalive = 0;
        return NGX_OK;
    }

    if (!u->headers_in.chunked) {
        size = raw.last - raw.pos;

        if (u->length > 0) {

            if (size > u->length) {
                ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                              "gatehouse: a backend sent more than its "
                              "Content-Length");
                size = u->length;
                u->length = 0;

            } else {
                u->length -= size;
                u->keepalive = (u->length == 0
                                && !u->headers_in.connection_close);
            }
        }

        return ngx_http_gatehouse_deliver(r, ctx, raw.pos, size);
    }

    while (raw.pos < raw.last) {

        rc = ngx_http_gatehouse_parse_chunked(r, &raw, &ctx->chunked);

        if (rc == NGX_OK) {
            size = ngx_min((off_t) (raw.last - raw.pos), ctx->chunked.size);
            rc = ngx_http_gatehouse_deliver(r, ctx, raw.pos, size);
            ctx->chunked.size -= size;
            raw.pos += size;

            if (rc != NGX_OK) {
                return rc;
            }

            continue;
        }

        if (rc == NGX_DONE) {
            u->keepalive = !u->headers_in.connection_close
                           && raw.pos == raw.last;
            u->length = 0;
            return NGX_OK;
        }

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: a backend sent an invalid chunk");

        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gatehouse_deliver(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, u_char *data, size_t len)
{
    ngx_http_gatehouse_feed_t  feed;

    if (len == 0) {
        return NGX_OK;
    }

    if (ctx->first_byte_ms == 0) {
        ctx->first_byte_ms = ngx_http_gatehouse_now_ms();
    }

    if (!ctx->event_stream && ctx->responses == NULL) {
        gh_usage_scan_feed(ctx->scan, (char *) data, len);

        if (ctx->ids == NULL) {
            return ngx_http_gatehouse_pass(r, data, len);
        }
    }

    feed.request = r;
    feed.ctx = ctx;
    feed.begin = data;
    feed.end = data + len;
    feed.rc = NGX_OK;

    if (ctx->responses) {
        gh_responses_feed(ctx->responses, (char *) data, len,
                          ngx_http_gatehouse_piece_out, &feed);

    } else if (ctx->stream) {
        gh_stream_feed(ctx->stream, (char *) data, len,
                       ngx_http_gatehouse_stream_out, &feed);

    } else {
        gh_ids_feed(ctx->ids, (char *) data, len,
                    ngx_http_gatehouse_piece_out, &feed);
        return feed.rc;
    }

    if (ctx->responses ? ctx->event_stream && ctx->responses->events
                       : ctx->stream->events)
    {
        /* of a stream that was committed before it said anything */
        ngx_http_gatehouse_tell_event(ctx, ngx_http_gatehouse_attempt(ctx));
    }

    return feed.rc;
}


/* What a stream lets pass; ids in it are given out. */
static void
ngx_http_gatehouse_stream_out(void *context, const char *data, size_t len)
{
    ngx_http_gatehouse_feed_t *feed = context;

    if (feed->ctx->ids) {
        gh_ids_feed(feed->ctx->ids, data, len, ngx_http_gatehouse_piece_out,
                    context);
        return;
    }

    ngx_http_gatehouse_piece_out(context, data, len);
}


static void
ngx_http_gatehouse_piece_out(void *context, const char *data, size_t len)
{
    ngx_http_gatehouse_feed_t *feed = context;

    u_char                    *p;
    size_t                     size;
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = feed->ctx;
    p = (u_char *) data;

    if (feed->rc != NGX_OK || len == 0 || ctx->client_left) {
        return;
    }

    if (p < feed->begin || p + len > feed->end) {

        /* from the carry, which is used again: copied beside what is still on its way */

        if (ctx->out == NULL) {
            ctx->out = ngx_pnalloc(feed->request->pool, ctx->out_size);
            if (ctx->out == NULL) {
                feed->rc = NGX_ERROR;
                return;
            }
        }

        if (len <= ctx->out_size - ctx->out_used) {
            p = ctx->out + ctx->out_used;
            ctx->out_used += len;

        } else {
            /* twice as much from now on: what is given up is less than what is used */

            size = 2 * ctx->out_size + len;

            p = ngx_pnalloc(feed->request->pool, size);
            if (p == NULL) {
                feed->rc = NGX_ERROR;
                return;
            }

            ctx->out = p;
            ctx->out_size = size;
            ctx->out_used = len;
        }

        ngx_memcpy(p, data, len);
    }

    feed->rc = ngx_http_gatehouse_pass(feed->request, p, len);
}


/* Appends bytes to what nginx sends next; neighbours share a buf. */
ngx_int_t
ngx_http_gatehouse_pass(ngx_http_request_t *r, u_char *data, size_t len)
{
    ngx_buf_t                 *b;
    ngx_chain_t               *cl, **last;
    ngx_http_upstream_t       *u;
    ngx_http_gatehouse_ctx_t  *ctx;

    u = r->upstream;
    ctx = ngx_http_gatehouse_get_ctx(r);

    if (ctx->client_left) {
        return NGX_OK;
    }

    ctx->bytes_out += len;
    ctx->spoke = ngx_current_msec;

    for (cl = NULL, last = &u->out_bufs; *last; last = &(*last)->next) {
        cl = *last;
    }

    if (cl && cl->buf->last == data) {
        cl->buf->last += len;
        return NGX_OK;
    }

    cl = ngx_chain_get_free_buf(r->pool, &u->free_bufs);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    b = cl->buf;
    b->flush = 1;
    b->memory = 1;
    b->tag = u->output.tag;
    b->start = data;
    b->pos = data;
    b->last = data + len;
    b->end = b->last;

    *last = cl;

    return NGX_OK;
}


/*
 * nginx calls this once, whatever ended the request: the state for the record is fixed here, and a stream that broke is told so.
 */
void
ngx_http_gatehouse_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_uint_t                 complete, error;
    ngx_http_upstream_t       *u;
    ngx_http_gatehouse_ctx_t  *ctx;

    u = r->upstream;
    ctx = ngx_http_gatehouse_get_ctx(r);

    if (ctx == NULL) {
        return;
    }

    ngx_http_gatehouse_hold_stop(ctx);
    ngx_http_gatehouse_drain_stop(ctx);
    ngx_http_gatehouse_silence_stop(ctx);

    ngx_http_gatehouse_deadline_end(ctx);

    ctx->finished = 1;

    if (rc != 0) {
        u->keepalive = 0;
    }

    ngx_http_gatehouse_connection_done(r, ctx);
    ngx_http_gatehouse_running_end(ctx);

    if (!u->header_sent) {
        ctx->end = ctx->client_left ? "client_left"
                   : ctx->late ? "denied_late" : "failed";

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE
            && rc != NGX_HTTP_CLIENT_CLOSED_REQUEST)
        {
            ngx_http_gatehouse_route_end(r, ctx, rc);
        }

        return;
    }

    complete = (rc == 0)
               && (u->length == 0
                   || u->headers_in.status_n == NGX_HTTP_NO_CONTENT
                   || (u->length == -1 && u->peer.connection
                       && u->peer.connection->read->eof));

    if (ngx_http_gatehouse_translated(ctx, ngx_http_gatehouse_attempt(ctx))) {
        complete = ngx_http_gatehouse_translate_end(r, ctx, complete);

    } else if (ctx->stream || (ctx->responses && ctx->event_stream)) {

        error = ctx->responses ? ctx->responses->error : ctx->stream->error;

        if (error
            || !(ctx->responses ? ctx->responses->done : ctx->stream->done))
        {
            /* the stream's own end must be there: no length proves it */
            complete = 0;
        }

        if (ctx->drained > ctx->conf->drain_size) {
            complete = 0;
        }

        if (complete) {
            ngx_http_gatehouse_deliver_end(r, ctx);

        } else if (!ctx->client_left && !error) {
            ngx_http_gatehouse_break_stream(r, ctx);
        }

    } else if (complete && (ctx->responses || ctx->ids)) {
        ngx_http_gatehouse_deliver_end(r, ctx);
    }

    if (ctx->cut) {
        ctx->end = "denied_late";
        ctx->error_code = ctx->late;
        return;
    }

    ctx->end = ctx->client_left ? "client_left" : complete ? "complete"
                                                           : "cut";
}


/* The backend's end: what of the answer was held goes to the client. */
static void
ngx_http_gatehouse_deliver_end(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_chain_t               *out;
    ngx_http_upstream_t       *u;
    ngx_http_gatehouse_feed_t  feed;

    if (ctx->client_left) {
        return;
    }

    u = r->upstream;

    feed.request = r;
    feed.ctx = ctx;
    feed.begin = NULL;
    feed.end = NULL;
    feed.rc = NGX_OK;
    u->out_bufs = NULL;
    ctx->out_used = 0;

    if (ctx->responses) {
        gh_responses_finish(ctx->responses, ngx_http_gatehouse_piece_out,
                            &feed);
    }

    if (ctx->stream) {
        gh_stream_finish(ctx->stream, ngx_http_gatehouse_stream_out, &feed);
    }

    if (ctx->ids) {
        gh_ids_finish(ctx->ids, ngx_http_gatehouse_piece_out, &feed);
    }

    out = u->out_bufs;
    u->out_bufs = NULL;

    if (out) {
        (void) ngx_http_output_filter(r, out);
    }
}


/* An error event in the dialect, and no [DONE]. */
static void
ngx_http_gatehouse_break_stream(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    u_char       *p;
    size_t        len;
    gh_str_t      id, code, message;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    b = ngx_create_temp_buf(r->pool, 1024);
    if (b == NULL) {
        return;
    }

    p = b->last;
    id = (gh_str_t) { (char *) ctx->id, GH_ID_LEN };

    if (ctx->responses ? gh_ids_inside(&ctx->responses->ids)
                       : !gh_stream_between(ctx->stream))
    {
        /* in the middle of what was passed on as it came: end it */
        p = ngx_cpymem(p, "\n\n", 2);
    }

    if (ctx->cut) {
        code = gh_str_from(ctx->late);
        message = ngx_http_gatehouse_late_text(ctx);

    } else {
        code = GH_STR("backend_stream_broken");
        message = GH_STR("The backend's stream ended before its answer was "
                         "complete.");
    }

    len = ctx->responses
          ? gh_responses_error_event(ctx->responses, (char *) p, b->end - p,
                                     code, message)
          : gh_stream_error_event(ctx->url.client, (char *) p, b->end - p,
                                  code, message, id);

    b->last = p + len;
    b->flush = 1;
    ctx->bytes_out += b->last - b->pos;

    out.buf = b;
    out.next = NULL;

    (void) ngx_http_output_filter(r, &out);
}


/* What the client is told when the route has no better answer; the answer filter writes it. */
static void
ngx_http_gatehouse_route_end(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_int_t rc)
{
    if (ctx->error_code) {
        return;
    }

    if (ctx->unrecorded) {
        (void) ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "audit_unavailable",
                                         "The record cannot be written, so "
                                         "nothing more was sent (request "
                                         "%*s).", (size_t) GH_ID_LEN, ctx->id);
        return;
    }

    if (ctx->late) {
        /* the last word was policy's, whatever a provider said before */
        (void) ngx_http_gatehouse_refuse_late(r, ctx);
        return;
    }

    if (ctx->passed_over) {
        /* what is left of the route would have cost what is not there */
        (void) ngx_http_gatehouse_refuse_limit(r, ctx);
        return;
    }

    if (ctx->credentials) {
        (void) ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_BAD_GATEWAY,
                                         "backend_credentials",
                                         "No backend accepted the gateway's "
                                         "credential (request %*s).",
                                         (size_t) GH_ID_LEN, ctx->id);
        return;
    }

    if (ctx->provider.status) {
        return;
    }

    if (rc == NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return;
    }

    (void) ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "no_healthy_backend",
                                     "No backend that may serve this request "
                                     "answered (request %*s).",
                                     (size_t) GH_ID_LEN, ctx->id);
}
