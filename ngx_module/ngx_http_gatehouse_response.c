/*
 * The head of a backend's answer: status and headers, what is worth a retry, and the commit point.
 *
 * nginx sends the client's header before the first input-filter call, and nothing can fail over after it. So a stream's head is held here, in
 * process_header returning NGX_AGAIN, until a first useful event, an error, a size or a time. A provider's error is held likewise, until
 * its body is here, before another backend is tried. NGX_HTTP_UPSTREAM_INVALID_HEADER is how an attempt is given up.
 */

#include "ngx_http_gatehouse.h"


static ngx_int_t ngx_http_gatehouse_process_headers(ngx_http_request_t *r);
static ngx_int_t ngx_http_gatehouse_header(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_push_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_gatehouse_head_done(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_status_failed(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t status);
static ngx_int_t ngx_http_gatehouse_hold(ngx_http_request_t *r);
static ngx_int_t ngx_http_gatehouse_hold_start(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, size_t size);
static ngx_int_t ngx_http_gatehouse_hold_decode(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_hold_more(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_msec_t wait);
static ngx_int_t ngx_http_gatehouse_stream_error(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, int status);
static void ngx_http_gatehouse_hold_timeout(ngx_event_t *ev);
static ssize_t ngx_http_gatehouse_one_byte(ngx_connection_t *c, u_char *buf,
    size_t size);


/* Before each attempt: nothing of the last one's answer stays. */
void
ngx_http_gatehouse_answer_reset(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_memzero(&ctx->status, sizeof(ngx_http_status_t));
    ngx_memzero(&ctx->chunked, sizeof(ngx_http_chunked_t));
    ngx_memzero(&ctx->hold_chunked, sizeof(ngx_http_chunked_t));

    ctx->held.len = 0;
    ctx->hold_seen = 0;
    ctx->real_status = 0;
    ctx->event_stream = 0;
    ctx->holding = 0;
    ctx->hold_error = 0;
    ctx->commit_now = 0;
    ctx->body_done = 0;
    ctx->content_length_seen = 0;
    ctx->refused_encoding = 0;
    ctx->credentials = 0;
    ctx->stream_failed = 0;
    ngx_str_null(&ctx->retry_after);
    ngx_str_null(&ctx->retry_after_ms);

    r->state = 0;
    r->upstream->process_header = ngx_http_gatehouse_process_status;
}


ngx_int_t
ngx_http_gatehouse_process_status(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_upstream_t           *u;
    ngx_http_gatehouse_ctx_t      *ctx;
    ngx_http_gatehouse_attempt_t  *attempt;

    ctx = ngx_http_gatehouse_get_ctx(r);
    u = r->upstream;

    rc = ngx_http_parse_status_line(r, &u->buffer, &ctx->status);

    if (rc == NGX_AGAIN) {
        return rc;
    }

    if (rc == NGX_ERROR || ctx->status.code < 100 || ctx->status.code > 999) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: a backend sent no valid HTTP/1 status line");
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    u->headers_in.status_n = ctx->status.code;
    ctx->real_status = ctx->status.code;

    if (u->state && u->state->status == 0) {
        u->state->status = ctx->status.code;
    }

    if (ctx->status.http_version < NGX_HTTP_VERSION_11) {
        u->headers_in.connection_close = 1;
    }

    attempt = ngx_http_gatehouse_attempt(ctx);
    attempt->record.first_byte_us =
        (int64_t) (ngx_current_msec - attempt->started) * 1000;

    u->process_header = ngx_http_gatehouse_process_headers;
    r->state = 0;

    return ngx_http_gatehouse_process_headers(r);
}


static ngx_int_t
ngx_http_gatehouse_process_headers(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_upstream_t       *u;
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = ngx_http_gatehouse_get_ctx(r);
    u = r->upstream;

    for ( ;; ) {
        rc = ngx_http_parse_header_line(r, &u->buffer, 1);

        if (rc == NGX_OK) {
            rc = ngx_http_gatehouse_header(r, ctx);

            if (rc != NGX_OK) {
                return rc;
            }

            continue;
        }

        if (rc == NGX_HTTP_PARSE_HEADER_DONE) {
            break;
        }

        if (rc == NGX_AGAIN) {
            return ngx_http_gatehouse_grow(r, 65536);
        }

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: a backend sent an invalid header");

        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    if (ctx->real_status >= 100 && ctx->real_status < 200
        && ctx->real_status != 101)
    {
        /* an interim answer: the real one follows */
        ngx_memzero(&ctx->status, sizeof(ngx_http_status_t));
        ctx->content_length_seen = 0;
        u->headers_in.content_length_n = -1;
        u->headers_in.chunked = 0;
        r->state = 0;
        u->process_header = ngx_http_gatehouse_process_status;

        return ngx_http_gatehouse_process_status(r);
    }

    return ngx_http_gatehouse_head_done(r, ctx);
}


/*
 * A buffer that is full is replaced by one of twice the size, up to limit
 * bytes. Headers parsed so far keep pointing into the old one, which stays in the pool.
 */
ngx_int_t
ngx_http_gatehouse_grow(ngx_http_request_t *r, size_t limit)
{
    u_char     *p;
    size_t      size;
    ngx_buf_t  *b = &r->upstream->buffer;

    if (b->last < b->end) {
        return NGX_AGAIN;
    }

    size = b->end - b->start;

    if (size >= limit) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: the head of a backend's answer is too big");
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    p = ngx_palloc(r->pool, 2 * size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, b->start, size);

    /* the header parser holds pointers into the line it is in */

    if (r->header_name_start) {
        r->header_name_start = p + (r->header_name_start - b->start);
    }

    if (r->header_name_end) {
        r->header_name_end = p + (r->header_name_end - b->start);
    }

    if (r->header_start) {
        r->header_start = p + (r->header_start - b->start);
    }

    if (r->header_end) {
        r->header_end = p + (r->header_end - b->start);
    }

    b->pos = p + (b->pos - b->start);
    b->last = p + (b->last - b->start);
    b->start = p;
    b->end = p + 2 * size;

    return NGX_AGAIN;
}


#define ngx_http_gatehouse_is(name, literal)                                  \
    ((name).len == sizeof(literal) - 1                                        \
     && ngx_strncasecmp((name).data, (u_char *) literal,                      \
                        sizeof(literal) - 1) == 0)


static ngx_int_t
ngx_http_gatehouse_header(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx)
{
    off_t                          n;
    ngx_str_t                      name, value;
    ngx_http_upstream_t           *u;
    ngx_http_gatehouse_attempt_t  *attempt;

    u = r->upstream;
    attempt = ngx_http_gatehouse_attempt(ctx);

    name.data = r->header_name_start;
    name.len = r->header_name_end - r->header_name_start;
    value.data = r->header_start;
    value.len = r->header_end - r->header_start;

    if (ngx_http_gatehouse_is(name, "content-length")) {

        n = ngx_atoof(value.data, value.len);

        if (n == NGX_ERROR || ctx->content_length_seen
            || u->headers_in.chunked)
        {
            goto framing;
        }

        ctx->content_length_seen = 1;
        u->headers_in.content_length_n = n;

        return NGX_OK;
    }

    if (ngx_http_gatehouse_is(name, "transfer-encoding")) {

        if (!ngx_http_gatehouse_is(value, "chunked") || u->headers_in.chunked
            || ctx->content_length_seen)
        {
            goto framing;
        }

        u->headers_in.chunked = 1;

        return NGX_OK;
    }

    if (ngx_http_gatehouse_is(name, "connection")) {

        if (ngx_strlcasestrn(value.data, value.data + value.len,
                             (u_char *) "close", 4)
            != NULL)
        {
            u->headers_in.connection_close = 1;
        }

        return NGX_OK;
    }

    if (ngx_http_gatehouse_is(name, "content-encoding")) {

        if (!ngx_http_gatehouse_is(value, "identity")) {
            ctx->refused_encoding = 1;
        }

        return NGX_OK;
    }

    if (ngx_http_gatehouse_is(name, "retry-after")) {
        ctx->retry_after = value;

    } else if (ngx_http_gatehouse_is(name, "retry-after-ms")) {
        ctx->retry_after_ms = value;

    } else if (ngx_http_gatehouse_is(name, "x-request-id")
               || ngx_http_gatehouse_is(name, "apim-request-id")
               || ngx_http_gatehouse_is(name, "x-amzn-requestid"))
    {
        if (value.len <= 128) {
            attempt->record.backend_request_id =
                gh_str_copy(&ctx->arena, ngx_http_gatehouse_str(value));
        }

        return NGX_OK;

    } else if (ngx_http_gatehouse_is(name, "content-type")) {

        ctx->event_stream = value.len >= sizeof("text/event-stream") - 1
                            && ngx_strncasecmp(value.data,
                                   (u_char *) "text/event-stream",
                                   sizeof("text/event-stream") - 1)
                               == 0;

        return ngx_http_gatehouse_push_header(r, &name, &value);
    }

    if (gh_dialect_response_header(attempt->facts.dialect,
                                   ngx_http_gatehouse_str(name)))
    {
        return ngx_http_gatehouse_push_header(r, &name, &value);
    }

    return NGX_OK;

framing:

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "gatehouse: a backend's framing of its answer is ambiguous");

    return NGX_HTTP_UPSTREAM_INVALID_HEADER;
}


/* A header that the client gets, copied: the buffer it stands in may be replaced or used again. */
static ngx_int_t
ngx_http_gatehouse_push_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->upstream->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    p = ngx_pnalloc(r->pool, 2 * name->len + value->len + 3);
    if (p == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    h->key.len = name->len;
    h->key.data = p;
    p = ngx_cpymem(p, name->data, name->len);
    *p++ = '\0';

    h->value.len = value->len;
    h->value.data = p;
    p = ngx_cpymem(p, value->data, value->len);
    *p++ = '\0';

    h->lowcase_key = p;
    ngx_strlow(h->lowcase_key, h->key.data, h->key.len);
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
    ngx_http_gatehouse_header_end(h);

    return NGX_OK;
}


/* Worth another backend: what a second one may answer better. */
static ngx_uint_t
ngx_http_gatehouse_retriable(ngx_uint_t status)
{
    return status == 401 || status == 403 || status == 408 || status == 429
           || status >= 500;
}


static ngx_int_t
ngx_http_gatehouse_head_done(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    uint64_t                       wait;
    ngx_uint_t                     status;
    ngx_http_upstream_t           *u;
    ngx_http_gatehouse_attempt_t  *attempt;

    u = r->upstream;
    status = ctx->real_status;
    attempt = ngx_http_gatehouse_attempt(ctx);

    /* only an answer read to its end leaves a connection that another request may use */

    u->keepalive = 0;

    if (status < 200 || (status >= 300 && status < 400)) {
        /* a redirect is never followed: credentials would go with it */
        attempt->record.error = "unexpected_status";
        attempt->record.status = status;
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: a backend answered %ui", status);
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    if (ctx->refused_encoding) {
        attempt->record.error = "content_encoding";
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: a backend compressed its answer although it "
                      "was asked not to");
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    attempt->record.status = status;

    if (ngx_http_gatehouse_retriable(status)) {

        wait = gh_retry_after_ms(ngx_http_gatehouse_str(ctx->retry_after_ms),
                                 ngx_http_gatehouse_str(ctx->retry_after),
                                 ngx_http_gatehouse_now_ms());

        if (wait && status != 401 && status != 403) {
            ngx_http_gatehouse_retry_set(ngx_http_gatehouse_worker_conf(),
                                         attempt->facts.deployment,
                                         attempt->facts.upstream_model,
                                         ngx_http_gatehouse_now_ms() + wait);
        }

        return ngx_http_gatehouse_status_failed(r, ctx, status);
    }

    if (status == 200 && ctx->event_stream) {
        return ngx_http_gatehouse_hold_start(r, ctx, ctx->conf->commit_size);
    }

    u->peer.tries = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gatehouse_status_failed(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t status)
{
    if (status == 401 || status == 403) {
        /* its credential is ours: never the client's business */
        ctx->credentials = 1;
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: backend \"%V\" answered %ui to its "
                      "credential", &ctx->peer.backend->name, status);
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    if (!ngx_http_gatehouse_more(ctx)) {
        r->upstream->peer.tries = 1;
        return NGX_OK;
    }

    ctx->hold_error = 1;

    return ngx_http_gatehouse_hold_start(r, ctx,
                                         NGX_HTTP_GATEHOUSE_ERROR_BODY);
}


static ngx_int_t
ngx_http_gatehouse_hold_start(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, size_t size)
{
    if (ctx->hold_size < size) {
        ctx->held.data = ngx_palloc(r->pool, size);
        if (ctx->held.data == NULL) {
            return NGX_ERROR;
        }

        ctx->hold_size = size;
    }

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

        switch (gh_commit_look(ctx->held, &status)) {

        case GH_COMMIT_ERROR:
            return ngx_http_gatehouse_stream_error(r, ctx, status);

        case GH_COMMIT_HOLD:
            if (!full) {
                rc = ngx_http_gatehouse_hold_more(r, ctx,
                                                  ctx->conf->commit_time);
                if (rc != NGX_OK) {
                    return rc;
                }
            }

            break;

        case GH_COMMIT_GO:
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
static ngx_int_t
ngx_http_gatehouse_hold_more(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_msec_t wait)
{
    ngx_buf_t  *b = &r->upstream->buffer;

    if (b->last == b->end
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
static ngx_int_t
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

    } else if (!ngx_http_gatehouse_retriable(status)) {
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

    ngx_memcpy(provider->body.data, body.data, body.len);
    provider->body.len = body.len;
    provider->status = ctx->real_status;

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
            if (!ctx->event_stream) {
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
