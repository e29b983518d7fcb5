/*
 * The head of a backend's answer: status and headers, and what is worth a retry. NGX_HTTP_UPSTREAM_INVALID_HEADER is how an
 * attempt is given up.
 */

#include "ngx_http_gatehouse.h"
#include "ngx_http_gatehouse_sign.h"


static ngx_int_t ngx_http_gatehouse_process_headers(ngx_http_request_t *r);
static ngx_int_t ngx_http_gatehouse_header(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_push_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_gatehouse_head_done(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_translated_head(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t status);
static ngx_int_t ngx_http_gatehouse_status_failed(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t status);


/*
 * Before each attempt: nothing of the last one's answer stays. nginx does the same only when the last request was sent (before 1.29 even
 * when it was answered without having been sent).
 */
ngx_int_t
ngx_http_gatehouse_answer_begin(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    ngx_http_gatehouse_answer_reset(r, ctx);

    /* a translated stream may have begun to be written */
    u->out_bufs = NULL;
    ctx->bytes_out = 0;

    if (u->buffer.start == NULL) {
        return NGX_OK;
    }

    u->buffer.pos = u->buffer.start;
    u->buffer.last = u->buffer.start;

    ngx_memzero(&u->headers_in, sizeof(ngx_http_upstream_headers_in_t));
    u->headers_in.content_length_n = -1;
    u->headers_in.last_modified_time = -1;

    if (ngx_list_init(&u->headers_in.headers, r->pool, 8,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_list_init(&u->headers_in.trailers, r->pool, 2,
                         sizeof(ngx_table_elt_t));
}


/* The answer that is read begins anew. */
void
ngx_http_gatehouse_answer_reset(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_memzero(&ctx->status, sizeof(ngx_http_status_t));
    ngx_memzero(&ctx->chunked, sizeof(ngx_http_chunked_t));
    ngx_memzero(&ctx->hold_chunked, sizeof(ngx_http_chunked_t));

    ctx->translation = NULL;
    ctx->held.len = 0;
    ctx->hold_seen = 0;
    ctx->real_status = 0;
    ctx->event_stream = 0;
    ctx->alike = 0;
    ctx->holding = 0;
    ctx->hold_error = 0;
    ctx->commit_now = 0;
    ctx->body_done = 0;
    ctx->content_length_seen = 0;
    ctx->refused_encoding = 0;
    ctx->credentials = 0;
    ctx->late = NULL;
    ctx->stream_failed = 0;
    ngx_str_null(&ctx->retry_after);
    ngx_str_null(&ctx->retry_after_ms);
    ngx_str_null(&ctx->backend_date);
    ngx_str_null(&ctx->error_type);

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

    attempt = ngx_http_gatehouse_attempt(ctx);

    if (u->peer.connection->sent == 0) {
        attempt->record.error = "unasked";
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: a backend spoke before it was asked");
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

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

    attempt->record.first_byte_us =
        ngx_http_gatehouse_elapsed_us(&attempt->clock);

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
        /* an interim answer: the real one follows, and nothing of this one stays */
        ngx_http_gatehouse_answer_reset(r, ctx);

        u->headers_in.content_length_n = -1;
        u->headers_in.chunked = 0;
        u->headers_in.connection_close = 0;

        if (ngx_list_init(&u->headers_in.headers, r->pool, 8,
                          sizeof(ngx_table_elt_t))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

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


/* What clients get; of another dialect's answer, nothing that speaks of its API. */
static ngx_int_t
ngx_http_gatehouse_pass_header(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt,
    ngx_str_t *name, ngx_str_t *value)
{
    if ((name->data[0] | 0x20) == 'x' || (name->data[0] | 0x20) == 'a') {

        if (gh_provider_header(&ctx->arena, &attempt->record.said,
                               ngx_http_gatehouse_str(*name),
                               ngx_http_gatehouse_str(*value),
                               ngx_http_gatehouse_now_ms()))
        {
            return NGX_OK;
        }
    }

    if (!gh_dialect_response_header(attempt->facts.dialect,
                                    ngx_http_gatehouse_str(*name))
        || (ngx_http_gatehouse_translated(ctx, attempt)
            && ngx_strncasecmp(name->data, (u_char *) "openai-", 7) == 0)
        || (ngx_http_gatehouse_rewritten(ctx, attempt)
            && ngx_strncasecmp(name->data, (u_char *) "x-amzn-", 7) == 0))
    {
        return NGX_OK;
    }

    return ngx_http_gatehouse_push_header(r, name, value);
}


static ngx_uint_t
ngx_http_gatehouse_type(ngx_str_t *value, const char *type)
{
    size_t  len = ngx_strlen(type);

    return value->len >= len
           && ngx_strncasecmp(value->data, (u_char *) type, len) == 0;
}


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

    } else if (ngx_http_gatehouse_is(name, "date")) {
        ctx->backend_date = value;

    } else if (ngx_http_gatehouse_is(name, NGX_HTTP_GATEHOUSE_TOKENS)) {
        ctx->input_tokens = value;
    } else if (ngx_http_gatehouse_is(name, "x-amzn-errortype")) {
        ctx->error_type = value;

        if (gh_hub_framed(ctx->url.client)
            && !ngx_http_gatehouse_translated(ctx, attempt))
        {
            return ngx_http_gatehouse_push_header(r, &name, &value);
        }

    } else if (ngx_http_gatehouse_is(name, "x-request-id")
               || ngx_http_gatehouse_is(name, "request-id")
               || ngx_http_gatehouse_is(name, "apim-request-id")
               || ngx_http_gatehouse_is(name, "x-amzn-requestid"))
    {
        if (value.len <= 128) {
            attempt->record.backend_request_id =
                gh_str_copy(&ctx->arena, ngx_http_gatehouse_str(value));
        }

        return NGX_OK;

    } else if (ngx_http_gatehouse_is(name, "content-type")) {

        ctx->event_stream =
            ngx_http_gatehouse_type(&value,
                                    gh_hub_framed(gh_hub_dialect_of(
                                                     attempt->endpoint, GH_WORDS_PLAIN))
                                    ? "application/vnd.amazon.eventstream"
                                    : "text/event-stream");

        if (ngx_http_gatehouse_translated(ctx, attempt)) {
            return NGX_OK;
        }

        return ngx_http_gatehouse_push_header(r, &name, &value);
    }

    return ngx_http_gatehouse_pass_header(r, ctx, attempt, &name, &value);

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
ngx_uint_t
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

    if (status != 200) {
        /* whatever it calls itself, an error is no stream */
        ctx->event_stream = 0;
    }

    if (ngx_http_gatehouse_retriable(status)) {

        wait = gh_retry_after_ms(ngx_http_gatehouse_str(ctx->retry_after_ms),
                                 ngx_http_gatehouse_str(ctx->retry_after),
                                 ngx_http_gatehouse_now_ms());

        if (wait == 0 && status == NGX_HTTP_TOO_MANY_REQUESTS) {
            /* what its account has left there tells as much */
            wait = gh_provider_wait_ms(attempt->record.said);
        }

        ngx_http_gatehouse_tell_status(ctx, attempt, status,
                                       status == 401 || status == 403 ? 0
                                                                      : wait);

        return ngx_http_gatehouse_status_failed(r, ctx, status);
    }

    if (ngx_http_gatehouse_translated(ctx, attempt)) {
        return ngx_http_gatehouse_translated_head(r, ctx, status);
    }

    if (status == 200 && ctx->event_stream
        && ctx->intake.operation == GH_OPERATION_CREATE)
    {
        /* what is kept lies nowhere else: there is nothing to wait for */
        return ngx_http_gatehouse_hold_start(r, ctx, ctx->conf->commit_size);
    }

    u->peer.tries = 1;

    return NGX_OK;
}


/* An answer that is none to be passed on: read whole, or event by event; an error that no other deployment answers better ends the route. */
static ngx_int_t
ngx_http_gatehouse_translated_head(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t status)
{
    ngx_str_t  name, type;

    if (status >= NGX_HTTP_BAD_REQUEST) {
        ctx->closed = 1;
        return ngx_http_gatehouse_translate_head(r, ctx, 1);
    }

    if (status != NGX_HTTP_OK) {
        ngx_http_gatehouse_attempt(ctx)->record.error = "unexpected_status";
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    ngx_str_set(&name, "Content-Type");
    type = ngx_http_gatehouse_translated_type(ctx);

    if (ngx_http_gatehouse_push_header(r, &name, &type) != NGX_OK) {
        return NGX_ERROR;
    }

    if (gh_endpoint_alike(ctx->url.endpoint)
        == ngx_http_gatehouse_attempt(ctx)->endpoint
        && !ctx->event_stream && !ctx->intake.stream)
    {
        /* from here on it is an answer like one of the client's own dialect */
        ctx->alike = 1;
        r->upstream->peer.tries = 1;

        return NGX_OK;
    }

    return ngx_http_gatehouse_translate_head(r, ctx, 0);
}


static ngx_int_t
ngx_http_gatehouse_status_failed(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t status)
{
    gh_str_t                       body;
    ngx_http_gatehouse_attempt_t  *attempt;

    attempt = ngx_http_gatehouse_attempt(ctx);

    if (ngx_http_gatehouse_learn_clock(ctx, attempt, status)) {
        attempt->clock_next = 1;
        ctx->credentials = 1;
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    if (status == 401 || status == 403) {
        /* its credential is ours: never the client's business */
        ctx->credentials = 1;
        body.data = (char *) r->upstream->buffer.pos;
        body.len = r->upstream->buffer.last - r->upstream->buffer.pos;
        ngx_http_gatehouse_refusal_status(ctx, attempt, status, body);
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: backend \"%V\" answered %ui to its "
                      "credential", &ctx->peer.backend->name, status);
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    if (ngx_http_gatehouse_translated(ctx, attempt)) {
        return ngx_http_gatehouse_translate_head(r, ctx, 1);
    }

    if (!ngx_http_gatehouse_more(ctx)) {
        r->upstream->peer.tries = 1;
        return NGX_OK;
    }

    ctx->hold_error = 1;

    return ngx_http_gatehouse_hold_start(r, ctx,
                                         NGX_HTTP_GATEHOUSE_ERROR_BODY);
}
