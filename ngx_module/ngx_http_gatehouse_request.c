/*
 * One attempt's bytes, and the last check in front of every write of them.
 *
 * nginx rewinds the chain (pos = start) after it was built, when an attempt has failed before: every piece has its own buf with
 * start == pos and end == last, none is a file, and the last one is flushed.
 */

#include "ngx_http_gatehouse.h"
#include "ngx_http_gatehouse_sign.h"

#include "ngx_module/wire/bedrock.h"

#include <linux/sockios.h>


/* Of a connection to a backend, in its pool. */
typedef struct {
    ngx_connection_t  *connection;
    ngx_uint_t         sending;        /* bytes of a request may still be on their way */
} ngx_http_gatehouse_wire_t;


/* pieces of a body up to so many bytes are copied behind each other: fewer to hand to the kernel */
#define NGX_HTTP_GATEHOUSE_COPIED  256


typedef struct {
    ngx_chain_t        link;
    ngx_buf_t          buf;
} ngx_http_gatehouse_piece_t;


static ngx_int_t ngx_http_gatehouse_holds(ngx_http_request_t *r,
    ngx_http_gatehouse_attempt_t *attempt);
static void ngx_http_gatehouse_piece(ngx_http_gatehouse_piece_t *piece,
    u_char *start);
static ngx_str_t *ngx_http_gatehouse_host(
    ngx_http_gatehouse_backend_t *backend);
static size_t ngx_http_gatehouse_head_size(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_str_t *signature);
static u_char *ngx_http_gatehouse_head(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_str_t *signature, u_char *p);
static ngx_int_t ngx_http_gatehouse_reset_on_close(ngx_connection_t *c);
static ngx_http_gatehouse_wire_t *ngx_http_gatehouse_wire(
    ngx_connection_t *c);
static void ngx_http_gatehouse_linger(ngx_connection_t *c, ngx_uint_t on);
static void ngx_http_gatehouse_closing(void *data);


/* The attempt's request as a new chain in u->request_bufs. NGX_ERROR: it cannot be built; nothing was sent. */
ngx_int_t
ngx_http_gatehouse_build(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    size_t                       size;
    u_char                      *last;
    unsigned                     i, count, links;
    gh_str_t                     pieces[2 * GH_SPLICE_MAX + 1];
    gh_error_t                   error;
    ngx_str_t                    signature;
    const gh_intake_t           *intake;
    ngx_http_gatehouse_piece_t  *piece;

    gh_error_clear(&error);

    attempt->endpoint = gh_endpoint_upstream(attempt->facts.endpoints,
                                             ctx->url.endpoint,
                                             gh_target_words(&attempt->facts),
                                             ctx->asked.express, NULL);
    attempt->body = ctx->body;

    if (attempt->endpoint == GH_ENDPOINTS) {
        return NGX_ERROR;
    }

    attempt->embeds = gh_endpoint_is(attempt->endpoint, GH_IS_EMBEDS)
                      && gh_dialect_is(attempt->facts.dialect,
                                       GH_HOST_CATALOGUE);
    attempt->framed = ctx->intake.stream && gh_hub_framed(ctx->url.client);

    if (ngx_http_gatehouse_rewritten(ctx, attempt)) {

        if (ngx_http_gatehouse_translate_request(r, ctx, attempt) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (ngx_http_gatehouse_own_body(ctx, attempt, &intake, &error)
               != NGX_OK
               || gh_dialect_request(&ctx->arena, &attempt->facts, intake,
                                 ngx_http_gatehouse_str(attempt->backend->path),
                                 attempt->store_false,
                                 ctx->quota.bound.output_cap,
                                 &attempt->wire, &error)
                  != GH_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: deployment \"%*s\": %s",
                      attempt->facts.deployment.len,
                      attempt->facts.deployment.data, error.text);
        return NGX_ERROR;
    }

    ngx_str_null(&signature);

    if (ngx_http_gatehouse_holds(r, attempt) != NGX_OK
        || (attempt->backend->signature.len
            && ngx_http_gatehouse_sign(ctx, attempt,
                                     ngx_http_gatehouse_host(attempt->backend),
                                     &signature)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    count = gh_splice_pieces(&attempt->wire.splice, attempt->body, pieces);
    size = ngx_http_gatehouse_head_size(ctx, attempt, &signature);
    links = 1;

    for (i = 0; i < count; i++) {
        if (pieces[i].len <= NGX_HTTP_GATEHOUSE_COPIED) {
            size += pieces[i].len;
        } else {
            links += 2;
        }
    }

    last = ngx_pnalloc(r->pool, size);
    piece = ngx_pcalloc(r->pool, links * sizeof(ngx_http_gatehouse_piece_t));

    if (last == NULL || piece == NULL) {
        return NGX_ERROR;
    }

    r->upstream->request_bufs = &piece->link;

    ngx_http_gatehouse_piece(piece, last);
    attempt->head.data = last;
    last = ngx_http_gatehouse_head(ctx, attempt, &signature, last);
    attempt->head.len = last - attempt->head.data;

    if (signature.len) {
        explicit_bzero(signature.data, signature.len);
    }

    piece->buf.last = piece->buf.end = last;

    for (i = 0; i < count; i++) {

        if (pieces[i].len > NGX_HTTP_GATEHOUSE_COPIED) {
            piece->link.next = &piece[1].link;
            ngx_http_gatehouse_piece(++piece, (u_char *) pieces[i].data);
            piece->buf.last = piece->buf.start + pieces[i].len;

        } else if (pieces[i].len) {

            if (piece->buf.last != last) {
                piece->link.next = &piece[1].link;
                ngx_http_gatehouse_piece(++piece, last);
            }

            last = ngx_cpymem(last, pieces[i].data, pieces[i].len);
            piece->buf.last = last;
        }

        piece->buf.end = piece->buf.last;
    }

    piece->buf.flush = 1;
    piece->buf.last_buf = 1;

    return NGX_OK;
}


/* Nothing is sent whose length and signature would be another body's. */
static ngx_int_t
ngx_http_gatehouse_holds(ngx_http_request_t *r,
    ngx_http_gatehouse_attempt_t *attempt)
{
    if (gh_splice_holds(&attempt->wire.splice, attempt->body)) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                  "gatehouse: deployment \"%*s\": the changes of the "
                  "request's body overlap, it is not sent",
                  attempt->facts.deployment.len,
                  attempt->facts.deployment.data);

    return NGX_ERROR;
}


/* Of zeroed memory; where it ends is not said yet. */
static void
ngx_http_gatehouse_piece(ngx_http_gatehouse_piece_t *piece, u_char *start)
{
    piece->link.buf = &piece->buf;
    piece->buf.start = start;
    piece->buf.pos = start;
    piece->buf.memory = 1;
}


static ngx_str_t *
ngx_http_gatehouse_host(ngx_http_gatehouse_backend_t *backend)
{
    return backend->server_name.len ? &backend->server_name : &backend->group;
}


#define NGX_HTTP_GATEHOUSE_HEAD                                               \
    "Content-Type: application/json\r\n"                                      \
    "Accept-Encoding: identity\r\n"                                           \
    "User-Agent: gatehouse/" GH_VERSION "\r\n"                                \
    "X-Request-Id: "

#define NGX_HTTP_GATEHOUSE_ACCEPT_STREAM                                      \
    "Accept: text/event-stream, application/json\r\nContent-Length: "

#define NGX_HTTP_GATEHOUSE_ACCEPT_FRAMES                                      \
    "Accept: application/vnd.amazon.eventstream\r\nContent-Length: "

#define NGX_HTTP_GATEHOUSE_ACCEPT                                             \
    "Accept: application/json\r\nContent-Length: "

/* of a request without a body */

#define NGX_HTTP_GATEHOUSE_ACCEPT_ONLY_STREAM                                 \
    "Accept: text/event-stream, application/json"

#define NGX_HTTP_GATEHOUSE_ACCEPT_ONLY                                        \
    "Accept: application/json"

#define ngx_http_gatehouse_cpylit(p, literal)                                 \
    ngx_cpymem(p, literal, sizeof(literal) - 1)


/* Bytes of the head, at most. */
static size_t
ngx_http_gatehouse_head_size(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_str_t *signature)
{
    size_t                         size;
    ngx_uint_t                     i;
    ngx_table_elt_t              **forward;
    gh_wire_request_t             *wire;
    ngx_http_gatehouse_backend_t  *backend;

    wire = &attempt->wire;
    backend = attempt->backend;
    forward = ctx->forward.elts;

    size = sizeof("DELETE  HTTP/1.1\r\nHost: \r\n" NGX_HTTP_GATEHOUSE_HEAD "\r\n"
                  NGX_HTTP_GATEHOUSE_ACCEPT_STREAM "\r\n: \r\n\r\n")
           + wire->path.len + ngx_http_gatehouse_host(backend)->len
           + GH_ID_LEN + GH_STR_DIGITS
           + wire->credential_header.len + wire->credential_prefix.len
           + sizeof("Authorization: Bearer \r\n") - 1
           + (backend->held ? backend->held->credential.secret.len : 0)
           + signature->len
           + wire->version_header.len + wire->version_value.len
           + sizeof(": \r\n") - 1
           + sizeof("anthropic-beta: \r\n") - 1 + wire->betas.len;

    for (i = 0; i < GH_BEDROCK_HEADERS; i++) {
        size += gh_bedrock_headers[i].len + wire->said[i].len
                + sizeof(": \r\n") - 1;
    }

    for (i = 0; i < ctx->forward.nelts; i++) {
        size += forward[i]->key.len + forward[i]->value.len
                + sizeof(": \r\n") - 1;
    }

    return size;
}


/* Every request writes one: no format is read for it. */
static u_char *
ngx_http_gatehouse_head(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_str_t *signature, u_char *p)
{
    ngx_str_t                     *host;
    ngx_uint_t                     i, versioned;
    ngx_table_elt_t              **forward;
    gh_wire_request_t             *wire;
    ngx_http_gatehouse_backend_t  *backend;

    wire = &attempt->wire;
    backend = attempt->backend;
    forward = ctx->forward.elts;
    host = ngx_http_gatehouse_host(backend);

    p = ngx_cpymem(p, wire->method, ngx_strlen(wire->method));
    *p++ = ' ';
    p = ngx_cpymem(p, wire->path.data, wire->path.len);
    p = ngx_http_gatehouse_cpylit(p, " HTTP/1.1\r\nHost: ");
    p = ngx_cpymem(p, host->data, host->len);
    p = ngx_http_gatehouse_cpylit(p, "\r\n" NGX_HTTP_GATEHOUSE_HEAD);
    p = ngx_cpymem(p, ctx->id, GH_ID_LEN);
    *p++ = CR; *p++ = LF;

    if (wire->method[0] != 'P') {
        p = ctx->intake.stream
            ? ngx_http_gatehouse_cpylit(p,
                                        NGX_HTTP_GATEHOUSE_ACCEPT_ONLY_STREAM)
            : ngx_http_gatehouse_cpylit(p, NGX_HTTP_GATEHOUSE_ACCEPT_ONLY);

    } else {
        p = ctx->intake.stream
            && gh_hub_framed(gh_hub_dialect_of(attempt->endpoint,
                                               GH_WORDS_PLAIN))
            ? ngx_http_gatehouse_cpylit(p, NGX_HTTP_GATEHOUSE_ACCEPT_FRAMES)
            : ctx->intake.stream
            ? ngx_http_gatehouse_cpylit(p, NGX_HTTP_GATEHOUSE_ACCEPT_STREAM)
            : ngx_http_gatehouse_cpylit(p, NGX_HTTP_GATEHOUSE_ACCEPT);

        p += gh_u64_put(gh_splice_length(&wire->splice, attempt->body),
                        (char *) p);
    }

    *p++ = CR; *p++ = LF;

    if (signature->len) {
        p = ngx_cpymem(p, signature->data, signature->len);

    } else if (backend->credential.len) {

        if (backend->held->credential.form == GH_CREDENTIAL_BEARER) {
            p = ngx_http_gatehouse_cpylit(p, "Authorization: Bearer ");

        } else {
            p = ngx_cpymem(p, wire->credential_header.data,
                           wire->credential_header.len);
            *p++ = ':'; *p++ = ' ';
            p = ngx_cpymem(p, wire->credential_prefix.data,
                           wire->credential_prefix.len);
        }

        p = ngx_cpymem(p, backend->held->credential.secret.data,
                       backend->held->credential.secret.len);
        *p++ = CR; *p++ = LF;
    }

    versioned = (wire->version_header.len == 0);

    for (i = 0; i < ctx->forward.nelts; i++) {

        if (ngx_http_gatehouse_rewritten(ctx, attempt)
            && !ngx_http_gatehouse_is(forward[i]->key, "traceparent"))
        {
            /* it speaks of the client's API */
            continue;
        }

        versioned |= gh_str_eq_nocase(ngx_http_gatehouse_str(forward[i]->key),
                                      wire->version_header);

        p = ngx_cpymem(p, forward[i]->key.data, forward[i]->key.len);
        *p++ = ':'; *p++ = ' ';
        p = ngx_cpymem(p, forward[i]->value.data, forward[i]->value.len);
        *p++ = CR; *p++ = LF;
    }

    if (!versioned) {
        p = ngx_cpymem(p, wire->version_header.data, wire->version_header.len);
        *p++ = ':'; *p++ = ' ';
        p = ngx_cpymem(p, wire->version_value.data, wire->version_value.len);
        *p++ = CR; *p++ = LF;
    }

    if (wire->betas.len) {
        p = ngx_http_gatehouse_cpylit(p, "anthropic-beta: ");
        p = ngx_cpymem(p, wire->betas.data, wire->betas.len);
        *p++ = CR; *p++ = LF;
    }

    for (i = 0; i < GH_BEDROCK_HEADERS; i++) {

        if (wire->said[i].len) {
            p = ngx_cpymem(p, gh_bedrock_headers[i].data, gh_bedrock_headers[i].len);
            *p++ = ':'; *p++ = ' ';
            p = ngx_cpymem(p, wire->said[i].data, wire->said[i].len);
            *p++ = CR; *p++ = LF;
        }
    }

    *p++ = CR; *p++ = LF;

    return p;
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

    if (!ngx_http_gatehouse_synced(ctx) || ctx->unrecorded) {
        return ngx_http_gatehouse_held(ctx, attempt, in);
    }

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

        if (ngx_http_gatehouse_reset_on_close(c) != NGX_OK) {
            ngx_http_gatehouse_window_close(0);
            return NGX_ERROR;
        }

        attempt->lingers = 1;
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
 * death: what the kernel has taken and not sent yet must not leave when nobody judges it any more. The socket stays so while it is kept for
 * the next request, which needs no call then; closed in between it is closed in the ordinary way.
 */
static ngx_int_t
ngx_http_gatehouse_reset_on_close(ngx_connection_t *c)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_gatehouse_wire_t  *wire;

    wire = ngx_http_gatehouse_wire(c);

    if (wire == NULL) {
        cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_http_gatehouse_wire_t));
        if (cln == NULL) {
            return NGX_ERROR;
        }

        wire = cln->data;
        wire->connection = c;
        cln->handler = ngx_http_gatehouse_closing;

        ngx_http_gatehouse_linger(c, 1);
    }

    wire->sending = 1;

    return NGX_OK;
}


static ngx_http_gatehouse_wire_t *
ngx_http_gatehouse_wire(ngx_connection_t *c)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_gatehouse_closing) {
            return cln->data;
        }
    }

    return NULL;
}


/* nginx destroys the pool of a backend's connection before it closes that. */
static void
ngx_http_gatehouse_closing(void *data)
{
    ngx_http_gatehouse_wire_t *wire = data;

    if (!wire->sending && wire->connection->fd != (ngx_socket_t) -1) {
        ngx_http_gatehouse_linger(wire->connection, 0);
    }
}


static void
ngx_http_gatehouse_linger(ngx_connection_t *c, ngx_uint_t on)
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
    ngx_http_gatehouse_wire_t     *wire;
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

    wire = ngx_http_gatehouse_wire(c);
    if (wire) {
        wire->sending = 0;
    }
}
