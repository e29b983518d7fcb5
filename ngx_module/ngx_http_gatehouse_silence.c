/*
 * Comments to a client whose stream is silent for a while, so that nothing between it and here takes the connection for dead: a model may
 * think, or write a tool's arguments, for minutes. Only between events, and only where streams have comments: AWS's framing has none.
 */

#include "ngx_http_gatehouse.h"


static void ngx_http_gatehouse_silent(ngx_event_t *ev);


static u_char  ngx_http_gatehouse_comment[] = ": keep-alive" CRLF CRLF;


/* Once, after the head of a stream has gone to the client. */
void
ngx_http_gatehouse_silence_start(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    if (ctx->conf->stream_keepalive == 0 || ctx->client_left
        || gh_hub_framed(ctx->url.client))
    {
        return;
    }

    ctx->spoke = ngx_current_msec;
    ctx->silence.handler = ngx_http_gatehouse_silent;
    ctx->silence.data = ctx;
    ctx->silence.log = r->connection->log;

    ngx_add_timer(&ctx->silence, ctx->conf->stream_keepalive);
}


void
ngx_http_gatehouse_silence_stop(ngx_http_gatehouse_ctx_t *ctx)
{
    if (ctx->silence.timer_set) {
        ngx_del_timer(&ctx->silence);
    }
}


/* Chunks only note when they were passed on; the timer looks whether that is long ago. */
static void
ngx_http_gatehouse_silent(ngx_event_t *ev)
{
    ngx_msec_t                 silence;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_upstream_t       *u;
    ngx_http_gatehouse_ctx_t  *ctx = ev->data;

    r = ctx->request;
    c = r->connection;
    u = r->upstream;

    if (ctx->finished || ctx->client_left) {
        return;
    }

    ngx_http_set_log_request(c->log, r);

    silence = ngx_current_msec - ctx->spoke;

    if (silence < ctx->conf->stream_keepalive) {
        ngx_add_timer(ev, ctx->conf->stream_keepalive - silence);
        return;
    }

    ngx_add_timer(ev, ctx->conf->stream_keepalive);

    if (u->out_bufs || u->busy_bufs || c->buffered
        || (ctx->stream && !gh_stream_between(ctx->stream))
        || (ctx->responses && gh_ids_inside(&ctx->responses->ids)))
    {
        /* it is the client that does not read, or an event has begun */
        return;
    }

    if (ngx_http_gatehouse_pass(r, ngx_http_gatehouse_comment,
                                sizeof(ngx_http_gatehouse_comment) - 1)
        != NGX_OK)
    {
        return;
    }

    /* nginx's own: the request may be gone when it returns */

    ctx->write_handler(r);
    ngx_http_run_posted_requests(c);
}
