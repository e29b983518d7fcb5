/*
 * One attempt's bytes, and the last check in front of every write of them.
 *
 * nginx rewinds the chain (pos = start) after it was built, when an attempt has failed before: every piece has its own buf with
 * start == pos and end == last, none is a file, and the last one is flushed.
 */

#include "ngx_http_gatehouse.h"

#include <linux/sockios.h>


static ngx_chain_t *ngx_http_gatehouse_piece(ngx_pool_t *pool,
    const char *data, size_t len);
static void ngx_http_gatehouse_reset_on_close(ngx_connection_t *c,
    ngx_uint_t on);
static ngx_buf_t *ngx_http_gatehouse_head(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt);


/* The attempt's request as a new chain in u->request_bufs. NGX_ERROR: it cannot be built; nothing was sent. */
ngx_int_t
ngx_http_gatehouse_build(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    unsigned       i, count;
    gh_str_t       pieces[2 * GH_SPLICE_MAX + 1];
    gh_error_t     error;
    ngx_buf_t     *b;
    ngx_chain_t   *cl, **last;

    ngx_memzero(&error, sizeof(gh_error_t));

    if (gh_dialect_request(&ctx->arena, &attempt->facts, &ctx->intake,
                           ngx_http_gatehouse_str(attempt->backend->path),
                           attempt->store_false,
                           &attempt->wire, &error)
        != GH_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: deployment \"%*s\": %s",
                      attempt->facts.deployment.len,
                      attempt->facts.deployment.data, error.text);
        return NGX_ERROR;
    }

    b = ngx_http_gatehouse_head(r, ctx, attempt);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = b;
    cl->next = NULL;

    r->upstream->request_bufs = cl;
    last = &cl->next;

    count = gh_splice_pieces(&attempt->wire.splice, ctx->body, pieces);

    for (i = 0; i < count; i++) {

        if (pieces[i].len == 0) {
            continue;
        }

        cl = ngx_http_gatehouse_piece(r->pool, pieces[i].data, pieces[i].len);
        if (cl == NULL) {
            return NGX_ERROR;
        }

        *last = cl;
        last = &cl->next;
        b = cl->buf;
    }

    b->flush = 1;
    b->last_buf = 1;

    return NGX_OK;
}


static ngx_chain_t *
ngx_http_gatehouse_piece(ngx_pool_t *pool, const char *data, size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(pool);
    cl = ngx_alloc_chain_link(pool);

    if (b == NULL || cl == NULL) {
        return NULL;
    }

    b->start = (u_char *) data;
    b->pos = b->start;
    b->last = b->start + len;
    b->end = b->last;
    b->memory = 1;

    cl->buf = b;
    cl->next = NULL;

    return cl;
}


static ngx_buf_t *
ngx_http_gatehouse_head(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    size_t                         size;
    ngx_buf_t                     *b;
    ngx_str_t                     *host;
    ngx_uint_t                     i;
    ngx_table_elt_t              **forward;
    gh_wire_request_t             *wire;
    ngx_http_gatehouse_backend_t  *backend;

    wire = &attempt->wire;
    backend = attempt->backend;
    host = backend->server_name.len ? &backend->server_name : &backend->group;
    forward = ctx->forward.elts;

    size = sizeof("POST  HTTP/1.1\r\nHost: \r\n"
                  "Content-Type: application/json\r\n"
                  "Accept-Encoding: identity\r\n"
                  "Accept: text/event-stream, application/json\r\n"
                  "User-Agent: gatehouse/" GH_VERSION "\r\n"
                  "X-Request-Id: \r\nContent-Length: \r\n: \r\n\r\n")
           + wire->path.len + host->len + GH_ID_LEN + NGX_OFF_T_LEN
           + wire->credential_header.len + wire->credential_prefix.len
           + backend->secret.len;

    for (i = 0; i < ctx->forward.nelts; i++) {
        size += forward[i]->key.len + forward[i]->value.len
                + sizeof(": \r\n") - 1;
    }

    b = ngx_create_temp_buf(r->pool, size);
    if (b == NULL) {
        return NULL;
    }

    b->last = ngx_sprintf(b->last, "POST %*s HTTP/1.1\r\nHost: %V\r\n",
                          wire->path.len, wire->path.data, host);

    b->last = ngx_sprintf(b->last,
                          "Content-Type: application/json\r\n"
                          "Accept-Encoding: identity\r\n"
                          "Accept: %s\r\n"
                          "User-Agent: gatehouse/"
                          GH_VERSION "\r\n"
                          "X-Request-Id: %*s\r\nContent-Length: %uL\r\n",
                          ctx->intake.stream
                          ? "text/event-stream, application/json"
                          : "application/json",
                          (size_t) GH_ID_LEN, ctx->id,
                          gh_splice_length(&wire->splice, ctx->body));

    if (backend->secret.len && backend->credential.len) {
        b->last = ngx_sprintf(b->last, "%*s: %*s%V\r\n",
                              wire->credential_header.len,
                              wire->credential_header.data,
                              wire->credential_prefix.len,
                              wire->credential_prefix.data,
                              &backend->secret);
    }

    for (i = 0; i < ctx->forward.nelts; i++) {
        b->last = ngx_sprintf(b->last, "%V: %V\r\n", &forward[i]->key,
                              &forward[i]->value);
    }

    b->last = ngx_cpymem(b->last, "\r\n", 2);
    b->end = b->last;

    return b;
}


/*
 * Every byte of a request goes through here into the socket (or the TLS buffer in front of it), inside a window of this worker's slot:
 * policy is re-read in the same callback as the write. A refusal ends the attempt, and its connection is reset: what the kernel has taken
 * and not sent yet is dropped. What has left the host cannot be taken back.
 */
ngx_int_t
ngx_http_gatehouse_send_filter(void *data, ngx_chain_t *in)
{
    ngx_http_gatehouse_ctx_t *ctx = data;

    ngx_int_t                      rc;
    gh_image_t                    *image;
    ngx_connection_t              *c;
    ngx_http_gatehouse_attempt_t  *attempt;

    attempt = ngx_http_gatehouse_attempt(ctx);

    if (attempt == NULL || attempt->denied) {
        return NGX_ERROR;
    }

    c = ctx->request->upstream->peer.connection;

    if (ngx_http_gatehouse_window(ctx->request->connection->log, &image)
        != NGX_OK)
    {
        ctx->late = "policy_unavailable";
        attempt->denied = 1;
        return NGX_ERROR;
    }

    if (ngx_http_gatehouse_still(ctx, attempt, image, &ctx->arena) != NGX_OK) {
        ngx_http_gatehouse_window_close(0);
        attempt->denied = 1;

        if (attempt->begun) {
            ngx_http_gatehouse_count_cut();
        }

        return NGX_ERROR;
    }

    ngx_http_gatehouse_window_event("permit");

    if (!attempt->lingers) {
        attempt->lingers = 1;
        ngx_http_gatehouse_reset_on_close(c, 1);
    }

    if (!ctx->finishing) {
        attempt->record.revision = ctx->checked_revision;
    }

    if (attempt->begun == 0) {
        attempt->begun = ctx->checked_revision;
    }

    if (attempt->record.connect_us == -1) {
        /* connected, TLS included */
        attempt->record.connect_us =
            ngx_http_gatehouse_elapsed_us(&attempt->clock);
    }

    rc = ngx_chain_writer(&ctx->request->upstream->writer, in);

    ngx_http_gatehouse_window_close(1);

    return rc;
}


/*
 * While a request is being sent its connection is one that is reset when it is closed, by whomever, and by the kernel at this process's
 * death: what the kernel has taken and not sent yet must not leave when nobody judges it any more.
 */
static void
ngx_http_gatehouse_reset_on_close(ngx_connection_t *c, ngx_uint_t on)
{
    struct linger  linger;

    linger.l_onoff = on;
    linger.l_linger = 0;

    if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER, (const void *) &linger,
                   sizeof(struct linger))
        == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                      "setsockopt(SO_LINGER) failed");
    }
}


/*
 * Drops at once what the kernel has taken and not sent yet, and resets the connection, whatever nginx still does with it: a TCP socket that
 * is connected to nowhere has no peer any more.
 */
void
ngx_http_gatehouse_drop(ngx_connection_t *c)
{
    struct sockaddr  nowhere;

    ngx_memzero(&nowhere, sizeof(struct sockaddr));
    nowhere.sa_family = AF_UNSPEC;

    (void) connect(c->fd, &nowhere, sizeof(struct sockaddr));

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
    }
}


/* The attempt is over, in whatever way: the connection is an ordinary one again, unless bytes of the request are still on their way. */
void
ngx_http_gatehouse_connection_done(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    int                            unsent;
    ngx_connection_t              *c;
    ngx_http_gatehouse_attempt_t  *attempt;

    c = r->upstream->peer.connection;
    attempt = ngx_http_gatehouse_attempt(ctx);

    if (c == NULL || attempt == NULL || !attempt->lingers) {
        return;
    }

    if (attempt->denied || ioctl(c->fd, SIOCOUTQ, &unsent) == -1 || unsent) {
        r->upstream->keepalive = 0;
        ngx_http_gatehouse_drop(c);
        return;
    }

    attempt->lingers = 0;
    ngx_http_gatehouse_reset_on_close(c, 0);
}
