/*
 * The client leaving: its answer is read on, bounded in time, bytes and per tenant, so that what was used is known and the backend's
 * connection can be kept. A client that does not read is one that left.
 */

#include "ngx_http_gatehouse.h"


static void ngx_http_gatehouse_read_client(ngx_http_request_t *r);
static ngx_uint_t ngx_http_gatehouse_drain_start(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static void ngx_http_gatehouse_drain_timeout(ngx_event_t *ev);


static ngx_queue_t  ngx_http_gatehouse_drains;


void
ngx_http_gatehouse_watch_client(ngx_http_request_t *r)
{
    ngx_connection_t  *c = r->connection;

    r->read_event_handler = ngx_http_gatehouse_read_client;

#if (NGX_HTTP_V2)
    if (r->stream) {
        return;
    }
#endif

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else {
        (void) ngx_handle_read_event(c->read, 0);
    }
}


static void
ngx_http_gatehouse_read_client(ngx_http_request_t *r)
{
    char                       byte;
    ssize_t                    n;
    ngx_err_t                  err;
    ngx_event_t               *ev;
    ngx_connection_t          *c;
    ngx_http_gatehouse_ctx_t  *ctx;

    c = r->connection;
    ev = c->read;
    ctx = ngx_http_gatehouse_get_ctx(r);

    if (ctx->client_left) {
        return;
    }

    if (c->error) {
        goto gone;
    }

#if (NGX_HTTP_V2)
    if (r->stream) {
        return;
    }
#endif

#if (NGX_HTTP_V3)
    if (c->quic) {
        if (c->write->error) {
            goto gone;
        }

        return;
    }
#endif

#if (NGX_HAVE_EPOLLRDHUP)

    if ((ngx_event_flags & NGX_USE_EPOLL_EVENT) && ngx_use_epoll_rdhup) {

        if (!ev->pending_eof) {
            return;
        }

        goto gone;
    }

#endif

    n = recv(c->fd, &byte, 1, MSG_PEEK);
    err = ngx_socket_errno;

    if (n > 0 || (n == -1 && err == NGX_EAGAIN)) {

        if (n == -1) {
            ev->ready = 0;
            (void) ngx_handle_read_event(ev, 0);
        }

        return;
    }

gone:

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "gatehouse: the client left its request");

    ngx_http_gatehouse_client_gone(r, ctx);
}


/* nginx's handler for what the client can take, but for its time-out. */
void
ngx_http_gatehouse_write_client(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_gatehouse_ctx_t  *ctx;

    wev = r->connection->write;
    ctx = ngx_http_gatehouse_get_ctx(r);

    if (wev->timedout && !ctx->finished) {
        wev->timedout = 0;

        if (!ctx->client_left) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                          "gatehouse: the client does not read its answer");
            ngx_http_gatehouse_client_gone(r, ctx);
        }

        return;
    }

    if (ctx->client_left) {
        return;
    }

    ctx->write_handler(r);
}


/*
 * From here on nothing is written to the client. What nginx or an HTTP/2 queue still points at is left alone: the answer goes on in new
 * buffers.
 */
void
ngx_http_gatehouse_client_gone(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    size_t                           size;
    u_char                          *p;
    ngx_connection_t                *c, *peer;
    ngx_http_upstream_t             *u;

    if (ctx->client_left || ctx->finished) {
        return;
    }

    c = r->connection;
    u = r->upstream;
    peer = u ? u->peer.connection : NULL;

    ctx->client_left = 1;
    c->error = 1;
    c->write->ready = 1;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (u == NULL && ctx->synced) {
        /* it waited for its decision to be on the disk: nobody was asked */
        ngx_http_gatehouse_sync_forget(ctx);
        ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
        return;
    }

    if (u == NULL || u->cleanup == NULL) {
        return;
    }

    if (u->header_sent) {
        size = u->buffer.end - u->buffer.start;
        p = ngx_palloc(r->pool, size);

        if (p == NULL) {
            ngx_http_gatehouse_end_upstream(r);
            return;
        }

        u->out_bufs = NULL;
        u->busy_bufs = NULL;
        u->buffer.start = p;
        u->buffer.pos = p;
        u->buffer.last = p;
        u->buffer.end = p + size;
    }

    if (peer == NULL || peer->sent == 0
        || ctx->intake.operation != GH_OPERATION_CREATE
        || !ngx_http_gatehouse_drain_start(r, ctx))
    {
        /* nothing was asked of a backend yet, or nothing it says is to be counted, or too many are being read on */
        ngx_http_gatehouse_end_upstream(r);
        return;
    }

    /* reading may have stopped because the client took nothing */

    ngx_post_event(peer->read, &ngx_posted_events);
}


/* The client's own connection, which HTTP/2 streams share. */
static void *
ngx_http_gatehouse_client_of(ngx_http_request_t *r)
{
#if (NGX_HTTP_V2)
    if (r->stream) {
        return r->stream->connection;
    }
#endif

    return r->connection;
}


/*
 * 1: the answer may be read to its end without its client. Open-and-cancel is an attack: what one worker reads on is bounded in all, per
 * tenant and per connection. The list is the worker's own and ends with it.
 */
static ngx_uint_t
ngx_http_gatehouse_drain_start(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    void                      *client;
    ngx_uint_t                 all, tenant, connection;
    ngx_queue_t               *q;
    ngx_http_gatehouse_ctx_t  *other;

    if (ngx_http_gatehouse_drains.next == NULL) {
        ngx_queue_init(&ngx_http_gatehouse_drains);
    }

    all = 0;
    tenant = 0;
    connection = 0;
    client = ngx_http_gatehouse_client_of(r);

    for (q = ngx_queue_head(&ngx_http_gatehouse_drains);
         q != ngx_queue_sentinel(&ngx_http_gatehouse_drains);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_http_gatehouse_ctx_t, drains);

        all++;
        tenant += (other->identity.tenant_uid == ctx->identity.tenant_uid);
        connection += (ngx_http_gatehouse_client_of(other->request)
                       == client);
    }

    if (all >= NGX_HTTP_GATEHOUSE_DRAINS
        || tenant >= NGX_HTTP_GATEHOUSE_TENANT_DRAINS
        || connection >= NGX_HTTP_GATEHOUSE_CONNECTION_DRAINS)
    {
        return 0;
    }

    ngx_queue_insert_tail(&ngx_http_gatehouse_drains, &ctx->drains);

    ctx->draining = 1;
    ctx->drain.handler = ngx_http_gatehouse_drain_timeout;
    ctx->drain.data = ctx;
    ctx->drain.log = r->connection->log;

    ngx_add_timer(&ctx->drain, ctx->conf->drain_time);

    return 1;
}


static void
ngx_http_gatehouse_drain_timeout(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_gatehouse_ctx_t  *ctx = ev->data;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_gatehouse_end_upstream(r);
    ngx_http_run_posted_requests(c);
}


void
ngx_http_gatehouse_drain_stop(ngx_http_gatehouse_ctx_t *ctx)
{
    if (ctx->drain.timer_set) {
        ngx_del_timer(&ctx->drain);
    }

    if (ctx->draining) {
        ctx->draining = 0;
        ngx_queue_remove(&ctx->drains);
    }
}


/*
 * Ends what runs against a backend, from outside nginx's own callbacks: before the head by a read that timed out with no try
 * left, afterwards by an answer that needs no further byte. The request may be gone when this returns.
 */
void
ngx_http_gatehouse_end_upstream(ngx_http_request_t *r)
{
    ngx_connection_t          *peer;
    ngx_http_upstream_t       *u;
    ngx_http_gatehouse_ctx_t  *ctx;

    u = r->upstream;
    ctx = ngx_http_gatehouse_get_ctx(r);

    if (u == NULL || u->cleanup == NULL) {
        return;
    }

    peer = u->peer.connection;
    ctx->closed = 1;

    if (peer == NULL) {
        return;
    }

    if (u->header_sent) {
        u->length = 0;
        u->keepalive = 0;

    } else {
        u->peer.tries = 0;
        peer->read->timedout = 1;
        peer->write->timedout = 1;
    }

    ngx_post_event(peer->read, &ngx_posted_events);
}
