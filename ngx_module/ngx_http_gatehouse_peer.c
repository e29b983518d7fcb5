/*
 * The balancer in front of the groups' own: takes the next deployment of the route, re-reads policy, records the attempt, builds its
 * request, and lets the group's balancer give the connection. One request, several attempts, each with its own everything.
 *
 * pc->data is our own struct; it is never looked up through the request or a context, since session callbacks can come after both are gone.
 */

#include "ngx_http_gatehouse.h"


static ngx_int_t ngx_http_gatehouse_peer_get(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_gatehouse_peer_free(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);
static ngx_int_t ngx_http_gatehouse_prepare(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt);
static ngx_int_t ngx_http_gatehouse_record_further(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt);
static ngx_int_t ngx_http_gatehouse_unfit(ngx_connection_t *c,
    ngx_http_gatehouse_backend_t *backend);
static ngx_int_t ngx_http_gatehouse_engage(ngx_http_request_t *r,
    ngx_http_gatehouse_peer_t *peer, ngx_http_gatehouse_attempt_t *attempt);
static void ngx_http_gatehouse_own(ngx_peer_connection_t *pc,
    ngx_http_gatehouse_peer_t *peer);
static void ngx_http_gatehouse_attempt_end(ngx_peer_connection_t *pc,
    ngx_http_gatehouse_peer_t *peer, ngx_http_gatehouse_attempt_t *attempt,
    ngx_uint_t state);
static ngx_int_t ngx_http_gatehouse_set_session(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_gatehouse_save_session(ngx_peer_connection_t *pc,
    void *data);
#if (NGX_HTTP_GATEHOUSE_NOTIFY)
static void ngx_http_gatehouse_notify(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type);
#endif


ngx_int_t
ngx_http_gatehouse_peer_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_gatehouse_ctx_t   *ctx;
    ngx_http_gatehouse_peer_t  *peer;

    ctx = ngx_http_gatehouse_get_ctx(r);
    peer = &ctx->peer;

    peer->ctx = ctx;
    peer->request = r;

    ngx_http_gatehouse_own(&r->upstream->peer, peer);
    r->upstream->peer.tries = 2;
    r->upstream->peer.name = &us->host;

    return NGX_OK;
}


static void
ngx_http_gatehouse_own(ngx_peer_connection_t *pc,
    ngx_http_gatehouse_peer_t *peer)
{
    pc->data = peer;
    pc->get = ngx_http_gatehouse_peer_get;
    pc->free = ngx_http_gatehouse_peer_free;
    pc->set_session = ngx_http_gatehouse_set_session;
    pc->save_session = ngx_http_gatehouse_save_session;
#if (NGX_HTTP_GATEHOUSE_NOTIFY)
    pc->notify = peer->notify ? ngx_http_gatehouse_notify : NULL;
#else
    pc->notify = NULL;
#endif
}


static ngx_int_t
ngx_http_gatehouse_peer_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_gatehouse_peer_t *peer = data;

    ngx_int_t                      rc;
    ngx_http_request_t            *r;
    ngx_http_gatehouse_ctx_t      *ctx;
    ngx_http_gatehouse_attempt_t  *attempt;

    r = peer->request;
    ctx = peer->ctx;

    ngx_http_gatehouse_running_begin(ctx);

    for ( ;; ) {
        attempt = ctx->first ? ctx->first
                             : ngx_http_gatehouse_next_attempt(ctx);
        ctx->first = NULL;

        if (attempt == NULL) {
            pc->tries = 0;
            pc->cached = 0;
            pc->sockaddr = NULL;
            return NGX_BUSY;
        }

        ngx_gettimeofday(&attempt->clock);
        attempt->clock_msec = ngx_current_msec;
        attempt->record.connect_us = -1;
        attempt->record.first_byte_us = -1;
        attempt->record.total_us = -1;

        rc = ngx_http_gatehouse_prepare(r, ctx, attempt);

        if (rc == NGX_OK) {
            rc = ngx_http_gatehouse_engage(r, peer, attempt);
        }

        if (rc == NGX_OK || rc == NGX_DONE) {
            return rc;
        }

        attempt->ended = 1;
        ngx_http_gatehouse_unreserve(ctx);
        ngx_http_gatehouse_tell_nothing(ctx, attempt);

        if (rc == NGX_ABORT) {
            ctx->closed = 1;
        }
    }
}


/*
 * Everything that must be true before a connection is asked for: the policy still allows it, its credential is here, the record has it.
 * NGX_DECLINED: the next deployment; NGX_ABORT: no further one.
 */
static ngx_int_t
ngx_http_gatehouse_prepare(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt)
{
    if (ngx_http_gatehouse_adopt(ctx, attempt) != NGX_OK) {
        attempt->denied = 1;
        attempt->record.error = ctx->unrecorded ? "audit_unavailable"
                                                : "denied";
        return ctx->unrecorded ? NGX_ABORT : NGX_DECLINED;
    }

    attempt->backend = ngx_http_gatehouse_find_backend(
                                            ngx_http_gatehouse_worker_conf(),
                                            attempt->facts.backend);
    if (attempt->backend == NULL) {
        attempt->record.error = "no_backend";
        return NGX_DECLINED;
    }

    attempt->record.error =
        ngx_http_gatehouse_credential_lacks(attempt->backend);

    if (attempt->record.error) {
        ctx->credentials = 1;
        return NGX_DECLINED;
    }

    if (ngx_http_gatehouse_reserve_attempt(ctx, attempt) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_http_gatehouse_build(r, ctx, attempt) != NGX_OK) {
        attempt->record.error = "request";
        return NGX_DECLINED;
    }

    ctx->recorded++;

    if (ctx->recorded > 1 || attempt->target != ctx->decision.route[0]
        || attempt->record.revision != ctx->decision.revision)
    {
        /* the decision's own line names neither this deployment nor this revision */

        if (ngx_http_gatehouse_record_further(r, ctx, attempt) != NGX_OK) {
            attempt->record.error = "audit_unavailable";
            ctx->unrecorded = 1;
            return NGX_ABORT;
        }
    }

    return NGX_OK;
}


/* The attempt's own line. Of a request that has none in the record, and where there can be none now, a gap has it if it may. */
static ngx_int_t
ngx_http_gatehouse_record_further(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt)
{
    gh_str_t           id;
    ngx_int_t          rc;
    gh_json_writer_t  *line;

    if (ctx->gap && !ctx->decided) {
        return ngx_http_gatehouse_gap_attempt(ctx);
    }

    id = (gh_str_t) { (char *) ctx->id, GH_ID_LEN };

    attempt->record.reserve.write = ngx_http_gatehouse_record_reserve_attempt;
    attempt->record.reserve.context = ctx;

    line = ngx_http_gatehouse_line();
    gh_record_attempt(line, id, ngx_http_gatehouse_now_ms(), ctx->recorded,
                      &attempt->record);

    rc = ngx_http_gatehouse_record(line, r->connection->log);

    if (rc == NGX_DECLINED) {
        return ngx_http_gatehouse_gap_attempt(ctx);
    }

    if (rc == NGX_OK) {
        ngx_http_gatehouse_sync_line(ctx, ngx_http_gatehouse_record_ticket());
    }

    return rc;
}


/* Hands the attempt to its group's balancer, and takes the peer's callbacks back. */
static ngx_int_t
ngx_http_gatehouse_engage(ngx_http_request_t *r,
    ngx_http_gatehouse_peer_t *peer, ngx_http_gatehouse_attempt_t *attempt)
{
    ngx_int_t                      rc;
    ngx_uint_t                     tries;
    ngx_http_upstream_t           *u;
    ngx_peer_connection_t         *pc;
    ngx_http_gatehouse_ctx_t      *ctx;
    ngx_http_gatehouse_backend_t  *backend;

    u = r->upstream;
    pc = &u->peer;
    ctx = peer->ctx;
    backend = attempt->backend;

    u->conf = &backend->conf;
    u->upstream = backend->upstream;
    u->ssl = (backend->conf.ssl != NULL);
    u->ssl_name = backend->server_name;
    u->uri.data = (u_char *) attempt->wire.path.data;
    u->uri.len = attempt->wire.path.len;

    tries = pc->tries;

    pc->data = NULL;
    pc->notify = NULL;
    pc->cached = 0;
    pc->connection = NULL;

    rc = backend->upstream->peer.init(r, backend->upstream);

    if (rc == NGX_OK) {
        peer->data = pc->data;
        peer->get = pc->get;
        peer->free = pc->free;
        peer->notify = pc->notify;
        attempt->servers = pc->tries;
    }

    pc->tries = tries;
    ngx_http_gatehouse_own(pc, peer);

    if (rc != NGX_OK) {
        attempt->record.error = "no_address";
        ngx_http_gatehouse_tell_unreached(ctx, attempt);
        return NGX_DECLINED;
    }

    if (ngx_http_gatehouse_answer_begin(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = peer->get(pc, peer->data);

    if (rc != NGX_OK && rc != NGX_DONE) {
        attempt->record.error = "no_peer";
        return NGX_DECLINED;
    }

    if (rc == NGX_DONE && ngx_http_gatehouse_unfit(pc->connection, backend))
    {
        /* the balancer's peer stands: nginx connects to it anew */
        pc->connection = NULL;
        pc->cached = 0;
        rc = NGX_OK;
    }

    peer->engaged = 1;
    peer->backend = backend;
    attempt->record.cached = pc->cached;
    attempt->dispatched = 1;

    if (!attempt->stale) {
        ctx->dispatches++;
    }

    return rc;
}


/*
 * A kept-alive connection may have been opened by another user of the group, such as proxy_pass, which verifies nothing unless told to: only
 * one with a TLS context of ours is used. And one that has something to say before it was asked, its end included, would answer this
 * request with it. 1: the connection is closed, a new one is needed.
 */
static ngx_int_t
ngx_http_gatehouse_unfit(ngx_connection_t *c,
    ngx_http_gatehouse_backend_t *backend)
{
    char                             byte;
    SSL_CTX                         *ssl;
    ngx_uint_t                       i;
    ngx_http_gatehouse_backend_t   **other;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    ssl = c->ssl ? SSL_get_SSL_CTX(c->ssl->connection) : NULL;

    if (recv(c->fd, &byte, 1, MSG_PEEK) != -1 || ngx_socket_errno != NGX_EAGAIN)
    {
        goto close;
    }

    if (backend->conf.ssl == NULL && ssl == NULL) {
        return 0;
    }

    gmcf = ngx_http_gatehouse_worker_conf();
    other = gmcf->backends.elts;

    for (i = 0; ssl && i < gmcf->backends.nelts; i++) {
        if (other[i]->upstream == backend->upstream && other[i]->conf.ssl
            && other[i]->conf.ssl->ctx == ssl)
        {
            return 0;
        }
    }

    ngx_log_error(NGX_LOG_WARN, c->log, 0,
                  "gatehouse: a connection that something else opened to "
                  "upstream \"%V\" is not used", &backend->group);

close:

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
        (void) ngx_ssl_shutdown(c);
    }

    if (c->pool) {
        ngx_destroy_pool(c->pool);
    }

    ngx_close_connection(c);

    return 1;
}


/* The clock itself: the event loop's cached time is too coarse for an attempt on the same host. */
int64_t
ngx_http_gatehouse_elapsed_us(struct timeval *since)
{
    struct timeval  now;

    ngx_gettimeofday(&now);

    return (int64_t) (now.tv_sec - since->tv_sec) * 1000000
           + (now.tv_usec - since->tv_usec);
}


static void
ngx_http_gatehouse_peer_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_gatehouse_peer_t *peer = data;

    ngx_uint_t                     inner, stale;
    ngx_http_gatehouse_ctx_t      *ctx;
    ngx_http_gatehouse_attempt_t  *attempt;

    if (!peer->engaged) {
        return;
    }

    peer->engaged = 0;
    ctx = peer->ctx;
    attempt = ngx_http_gatehouse_attempt(ctx);

    ngx_http_gatehouse_hold_stop(ctx);
    ngx_http_gatehouse_held_end(pc, ctx, attempt);
    ngx_http_gatehouse_attempt_end(pc, peer, attempt, state);
    ngx_http_gatehouse_connection_done(peer->request, ctx);

    /*
     * What one tenant's request provoked must not take the peer out for everybody: only a transport's failure does.
     */

    inner = state;

    if ((state & NGX_PEER_FAILED)
        && (attempt->record.status || attempt->denied || ctx->client_left))
    {
        inner = NGX_PEER_NEXT;
    }

    stale = pc->cached && (state & NGX_PEER_FAILED)
            && attempt->record.status == 0 && !attempt->denied
            && !attempt->stale && !ctx->client_left && !ctx->closed
            && attempt->record.received == 0
            && attempt->record.error
            && ngx_strcmp(attempt->record.error, "timeout") != 0;

    if (!stale) {
        ngx_http_gatehouse_tell_end(ctx, attempt,
                                    pc->connection && pc->connection->sent);
    }

    peer->free(pc, peer->data, inner);

    if (state == 0) {
        return;
    }

    ctx->repeat = 0;
    attempt->stale_next = 0;

    if (stale) {
        attempt->stale_next = 1;
        ctx->repeat = 1;

    } else if (attempt->clock_next && !ctx->closed && !ctx->client_left
               && ctx->dispatches < ctx->conf->tries)
    {
        ctx->repeat = 1;

    } else if ((state & NGX_PEER_FAILED) && attempt->record.status == 0
               && !attempt->denied && !ctx->closed && !ctx->client_left
               && attempt->servers > 1
               && ctx->same_deployment + 1 < attempt->servers
               && ctx->dispatches < ctx->conf->tries)
    {
        /* another server of the same group */
        ctx->same_deployment++;
        ctx->repeat = 1;
    }

    if (!ctx->repeat) {
        ctx->same_deployment = 0;
    }

    if (ctx->repeat || ngx_http_gatehouse_more(ctx)) {
        pc->tries = 2;

    } else {
        /* nginx adds a try after this for a connection that was cached */
        pc->tries = 0;
        pc->cached = 0;
    }
}


/* What became of the attempt, for the record; a provider's error is kept. */
static void
ngx_http_gatehouse_attempt_end(ngx_peer_connection_t *pc,
    ngx_http_gatehouse_peer_t *peer, ngx_http_gatehouse_attempt_t *attempt,
    ngx_uint_t state)
{
    ngx_connection_t     *c;
    ngx_http_upstream_t  *u;

    if (attempt->ended) {
        return;
    }

    attempt->ended = 1;

    u = peer->request->upstream;
    c = pc->connection;

    attempt->record.total_us = ngx_http_gatehouse_elapsed_us(&attempt->clock);

    if (u->state) {
        attempt->record.received = u->state->bytes_received;
    }

    if (c) {
        attempt->record.sent = c->sent;
    }

    if (attempt->record.error == NULL && (state & NGX_PEER_FAILED)
        && attempt->record.status == 0)
    {
        if (attempt->denied) {
            attempt->record.error = "denied";

        } else if (c == NULL) {
            attempt->record.error = "refused";

        } else if (c->read->timedout || c->write->timedout) {
            attempt->record.error = "timeout";

        } else if (c->ssl && !c->ssl->handshaked) {
            attempt->record.error = "tls";

        } else if (u->ssl && c->ssl == NULL) {
            attempt->record.error = "refused";

        } else if (c->sent == 0 && !pc->cached) {
            attempt->record.error = "refused";

        } else if (u->state && u->state->bytes_received) {
            attempt->record.error = "invalid_answer";

        } else {
            attempt->record.error = "reset";
        }
    }

    if (attempt->record.error == NULL && (state & NGX_PEER_FAILED)
        && attempt->record.status && attempt->record.status < 400)
    {
        attempt->record.error = c && c->read->timedout ? "timeout"
                                                       : "cut";
    }

    ngx_http_gatehouse_settle(peer->request, peer->ctx, attempt,
                              c && c->sent);

    if ((state & NGX_PEER_FAILED) && attempt->record.status) {
        ngx_http_gatehouse_keep_error(peer->request, peer->ctx);
    }
}


/*
 * TLS sessions are kept here, one for a backend: a group has one TLS name, and balancers of resolved names keep none.
 */
static ngx_int_t
ngx_http_gatehouse_set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_gatehouse_peer_t *peer = data;

    if (peer->backend == NULL || peer->backend->session == NULL) {
        return NGX_OK;
    }

    return ngx_ssl_set_session(pc->connection, peer->backend->session);
}


static void
ngx_http_gatehouse_save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_gatehouse_peer_t *peer = data;

    ngx_ssl_session_t  *session;

    if (peer->backend == NULL) {
        return;
    }

    session = ngx_ssl_get_session(pc->connection);
    if (session == NULL) {
        return;
    }

    if (peer->backend->session) {
        ngx_ssl_free_session(peer->backend->session);
    }

    peer->backend->session = session;
}


#if (NGX_HTTP_GATEHOUSE_NOTIFY)

static void
ngx_http_gatehouse_notify(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type)
{
    ngx_http_gatehouse_peer_t *peer = data;

    peer->notify(pc, peer->data, type);
}

#endif
