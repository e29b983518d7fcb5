/*
 * A deployment that offers another endpoint than the client's: the request is written for it, and its answer for the client. (AWS's event
 * streams pass here also where both sides speak the same: message by message, as they came.) A plain answer
 * is read whole, within gatehouse_translate_size, before anything of it is sent, so that one that cannot be read is another deployment's
 * turn; a stream is translated event by event, and held until its first content, an error, 64 events, a size or a time.
 *
 * Raw bytes are not kept: what process_header was given is consumed, and u->buffer begins anew behind the head. One byte of it is left when
 * the head goes to the client, which makes nginx call the input filter.
 */

#include "ngx_http_gatehouse_translate.h"



/* Events of a stream that may come before any content. */
#define NGX_HTTP_GATEHOUSE_HOLD_EVENTS  64

/* An event stream's message holds one event. */
#define NGX_HTTP_GATEHOUSE_MESSAGE      (GH_HUB_EVENT_MAX + 65536)


static ngx_http_gatehouse_translation_t *ngx_http_gatehouse_translation(
    ngx_http_gatehouse_ctx_t *ctx);
static gh_hub_reply_t ngx_http_gatehouse_reply(ngx_http_gatehouse_ctx_t *ctx);
static gh_hub_stream_t *ngx_http_gatehouse_translate_open(
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_translation_t *t);
static ngx_int_t ngx_http_gatehouse_translate_ids(
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_translation_t *t);
static ngx_int_t ngx_http_gatehouse_translate_stream(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_translation_t *t);
static ngx_int_t ngx_http_gatehouse_translate_hold(ngx_http_request_t *r);
static ngx_int_t ngx_http_gatehouse_translate_whole(ngx_http_request_t *r);
static ngx_int_t ngx_http_gatehouse_translate_answer(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_translation_t *t);
static ngx_int_t ngx_http_gatehouse_translate_told(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_translation_t *t,
    const gh_hub_answer_t *answer, gh_str_t body);
static ngx_int_t ngx_http_gatehouse_translate_feed(
    ngx_http_gatehouse_translation_t *t, u_char *data, size_t len);


static ngx_http_gatehouse_translation_t *
ngx_http_gatehouse_translation(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_gatehouse_attempt_t      *attempt;
    ngx_http_gatehouse_translation_t  *t;

    t = ctx->translation;

    if (t == NULL) {
        t = ngx_palloc(ctx->request->pool,
                       sizeof(ngx_http_gatehouse_translation_t));
        if (t == NULL) {
            return NULL;
        }

        ctx->translation = t;
    }

    ngx_memzero(t, sizeof(ngx_http_gatehouse_translation_t));

    attempt = ngx_http_gatehouse_attempt(ctx);

    t->ctx = ctx;
    t->client = gh_hub_dialect_of(ctx->url.endpoint, GH_WORDS_PLAIN);
    t->backend = gh_hub_dialect_of(attempt->endpoint,
                                   gh_target_words(&attempt->facts));
    t->rc = NGX_OK;

    if (attempt->embeds) {
        /* errors alone are the hub's */
        t->client = ctx->url.client;
        t->backend = GH_HUB_INVOKE;
    }

    return t;
}


static gh_hub_reply_t
ngx_http_gatehouse_reply(ngx_http_gatehouse_ctx_t *ctx)
{
    gh_hub_reply_t  reply;

    ngx_memzero(&reply, sizeof(gh_hub_reply_t));

    reply.id = (gh_str_t) { (char *) ctx->id, GH_ID_LEN };
    reply.model = ctx->intake.model;
    reply.created = ngx_time();
    reply.latency_ms = ngx_current_msec - ctx->begun;
    reply.include_usage = ctx->intake.include_usage;

    return reply;
}


/* The head of an answer is here, with status 200 or one of an error; what the caller has to return. */
ngx_int_t
ngx_http_gatehouse_translate_head(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t failed)
{
    ngx_http_upstream_t               *u;
    ngx_http_gatehouse_translation_t  *t;

    u = r->upstream;

    t = ngx_http_gatehouse_translation(ctx);
    if (t == NULL) {
        return NGX_ERROR;
    }

    if (!failed && ctx->event_stream) {
        return ngx_http_gatehouse_translate_stream(r, ctx, t);
    }

    t->limit = failed ? NGX_HTTP_GATEHOUSE_ERROR_BODY
                      : ctx->conf->translate_size;

    if (!failed && u->headers_in.content_length_n > (off_t) t->limit) {
        ngx_http_gatehouse_attempt(ctx)->record.error = "answer_too_long";
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    ctx->hold_error = failed;
    ctx->holding = 1;
    u->process_header = ngx_http_gatehouse_translate_whole;

    return ngx_http_gatehouse_translate_whole(r);
}


/* The client's stream. NULL: no memory. */
static gh_hub_stream_t *
ngx_http_gatehouse_translate_open(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_translation_t *t)
{
    gh_hub_out_t    out;
    gh_hub_reply_t  reply;

    out.bytes = ngx_http_gatehouse_bytes_out;
    out.message = ngx_http_gatehouse_message_out;
    out.context = t;

    reply = ngx_http_gatehouse_reply(ctx);

    t->stream = gh_hub_stream_new(&ctx->arena, t->backend, t->client, &reply,
                                  out);

    return t->stream;
}


/* Events that pass as they are name what is kept as a client's own dialect does. */
static ngx_int_t
ngx_http_gatehouse_translate_ids(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_translation_t *t)
{
    gh_ids_t              *ids;
    gh_ids_owner_t         owner;
    const gh_ids_shape_t  *shape;

    shape = gh_ids_shape_of(&ctx->intake, 1);

    if (shape == NULL || !gh_hub_traits(t->backend)->events_alike
        || !gh_hub_traits(t->client)->events_alike)
    {
        return NGX_OK;
    }

    ids = ngx_palloc(ctx->request->pool, sizeof(gh_ids_t));

    if (ids == NULL || ngx_http_gatehouse_ids_owner(ctx, &owner) != NGX_OK) {
        return NGX_ERROR;
    }

    gh_hub_stream_ids(t->stream, ids, shape, &owner);
    t->ids = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gatehouse_translate_stream(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_translation_t *t)
{
    t->same = (t->backend == t->client);

    if (gh_hub_framed(t->backend)) {
        t->decoder = ngx_palloc(r->pool, sizeof(gh_aws_decoder_t));
        if (t->decoder == NULL) {
            return NGX_ERROR;
        }

        gh_aws_decoder_init(t->decoder, &ctx->arena,
                            NGX_HTTP_GATEHOUSE_MESSAGE);
    }

    if (ngx_http_gatehouse_translate_open(ctx, t) == NULL
        || ngx_http_gatehouse_translate_ids(ctx, t) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->holding = 1;
    r->upstream->process_header = ngx_http_gatehouse_translate_hold;

    return ngx_http_gatehouse_translate_hold(r);
}


/* Bytes of the body that process_header was given: consumed. */
static ngx_int_t
ngx_http_gatehouse_translate_head_bytes(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_translation_t *t)
{
    ngx_int_t   rc;
    ngx_buf_t   raw, *b;

    b = &r->upstream->buffer;

    ngx_memzero(&raw, sizeof(ngx_buf_t));
    raw.pos = b->pos;
    raw.last = b->last;

    rc = ngx_http_gatehouse_translate_take(r, ctx, t, &raw);

    b->last = b->pos;

    return rc;
}


/* The head goes to the client, or another deployment is asked. */
static ngx_int_t
ngx_http_gatehouse_translate_commit(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_translation_t *t)
{
    ngx_buf_t  *b;

    b = &r->upstream->buffer;

    ngx_http_gatehouse_hold_stop(ctx);

    if (t->stream && !ctx->intake.stream) {
        /* nobody asked for a stream, and nobody could read it */
        ngx_http_gatehouse_attempt(ctx)->record.error = "invalid_answer";
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    if (b->pos == b->end) {
        /* the head filled it: its own last byte will do */
        b->pos--;
    }

    b->last = b->pos + 1;

    t->committed = 1;
    t->spent = 1;
    ctx->holding = 0;
    r->upstream->peer.tries = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gatehouse_translate_hold(ngx_http_request_t *r)
{
    ngx_uint_t                         told;
    gh_hub_stream_state_t              state;
    ngx_http_gatehouse_ctx_t          *ctx;
    ngx_http_gatehouse_translation_t  *t;

    ctx = ngx_http_gatehouse_get_ctx(r);
    t = ctx->translation;
    told = 0;

    if (!ctx->commit_now) {

        if (!t->done
            && ngx_http_gatehouse_translate_head_bytes(r, ctx, t) != NGX_OK)
        {
            return NGX_HTTP_UPSTREAM_INVALID_HEADER;
        }

        if (t->done) {
            told = gh_hub_stream_state(t->stream).failed;
            gh_hub_stream_finish(t->stream);
        }
    }

    state = gh_hub_stream_state(t->stream);

    if (state.events || state.done) {

        if (ctx->intake.stream) {
            ngx_http_gatehouse_tell_event(ctx,
                                          ngx_http_gatehouse_attempt(ctx));
        }

        return ngx_http_gatehouse_translate_commit(r, ctx, t);
    }

    if (state.seen > NGX_HTTP_GATEHOUSE_HOLD_EVENTS) {
        /* before it is looked whether it failed: however the bytes came, the same becomes of it */
        return ngx_http_gatehouse_translate_commit(r, ctx, t);
    }

    if (state.failed) {
        /* what was written of it is not sent */
        r->upstream->out_bufs = NULL;
        ctx->bytes_out = 0;

        if (state.broken) {
            /* it ended without saying anything, an error neither; or is no stream of its dialect: an answer, and charged as one */
            ngx_http_gatehouse_attempt(ctx)->record.error =
                t->done && !told ? "empty_stream" : "bad_answer";
            ngx_http_gatehouse_hold_stop(ctx);
            ctx->real_status = 0;
            return NGX_HTTP_UPSTREAM_INVALID_HEADER;
        }

        return ngx_http_gatehouse_stream_error(r, ctx, state.status);
    }

    if (ctx->commit_now
        || t->seen >= (off_t) ctx->conf->commit_size)
    {
        return ngx_http_gatehouse_translate_commit(r, ctx, t);
    }

    return ngx_http_gatehouse_hold_more(r, ctx, ctx->conf->commit_time);
}


static ngx_int_t
ngx_http_gatehouse_translate_whole(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_http_gatehouse_ctx_t          *ctx;
    ngx_http_gatehouse_attempt_t      *attempt;
    ngx_http_gatehouse_translation_t  *t;

    ctx = ngx_http_gatehouse_get_ctx(r);
    attempt = ngx_http_gatehouse_attempt(ctx);
    t = ctx->translation;

    rc = ngx_http_gatehouse_translate_head_bytes(r, ctx, t);

    if (rc == NGX_OK && !t->done && t->len < t->limit) {

        if (ctx->hold_error) {
            return ngx_http_gatehouse_hold_more(r, ctx,
                                              NGX_HTTP_GATEHOUSE_ERROR_WAIT);
        }

        return ngx_http_gatehouse_grow(r, (size_t) -1 / 2);
    }

    ngx_http_gatehouse_hold_stop(ctx);

    if (ctx->hold_error) {
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    if (rc != NGX_OK || !t->done) {
        attempt->record.error = rc == NGX_OK ? "answer_too_long"
                                             : "invalid_answer";
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    return ngx_http_gatehouse_translate_answer(r, ctx, t);
}


static ngx_int_t
ngx_http_gatehouse_translate_answer(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_translation_t *t)
{
    gh_str_t              body;
    gh_error_t            error;
    gh_hub_part_t        *part;
    gh_hub_reply_t        reply;
    gh_hub_answer_t       answer;
    ngx_http_upstream_t  *u;

    u = r->upstream;
    body = (gh_str_t) { (char *) t->body, t->len };
    reply = ngx_http_gatehouse_reply(ctx);

    gh_error_clear(&error);

    if (ngx_http_gatehouse_attempt(ctx)->embeds) {

        if (ngx_http_gatehouse_embed_answer(ctx, body, &t->answer, &t->usage,
                                            &error)
            != NGX_OK)
        {
            goto failed;
        }

        goto answered;
    }

    if (gh_endpoint_counts(ctx->url.endpoint)) {

        if (gh_hub_count_answer(&ctx->arena, body, ctx->url.endpoint,
                                &t->answer, &error)
            != GH_OK)
        {
            goto failed;
        }

        goto answered;
    }

    if (gh_hub_answer_read(&ctx->arena, t->backend, body, &answer, &error)
        != GH_OK)
    {
        goto failed;
    }

    if (ctx->intake.stream) {
        /* a stream was asked for: that is what its client can read */
        return ngx_http_gatehouse_translate_told(r, ctx, t, &answer, body);
    }

    if (gh_hub_answer_write(&ctx->arena, &answer, t->client, &reply,
                            &t->answer, &error)
        != GH_OK)
    {
        goto failed;
    }

    t->usage = answer.usage;

    for (part = answer.parts; part; part = part->next) {
        t->content_bytes += part->text.len + part->input.len
                            + part->arguments.len;
    }

answered:

    u->headers_in.content_length_n = t->answer.len;
    u->headers_in.chunked = 0;

    return ngx_http_gatehouse_translate_commit(r, ctx, t);

failed:

    ngx_http_gatehouse_attempt(ctx)->record.error = "bad_answer";
    t->content_bytes = t->len;
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "gatehouse: a backend's answer cannot be translated: %s",
                  error.text);

    return NGX_HTTP_UPSTREAM_INVALID_HEADER;
}


/* A plain answer, as the stream that the client asked for. */
static ngx_int_t
ngx_http_gatehouse_translate_told(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_translation_t *t,
    const gh_hub_answer_t *answer, gh_str_t body)
{
    if (ngx_http_gatehouse_translate_open(ctx, t) == NULL
        || ngx_http_gatehouse_translate_ids(ctx, t) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->event_stream = 1;

    if (gh_hub_traits(t->backend)->events_alike
        && gh_hub_traits(t->client)->events_alike)
    {
        gh_hub_stream_plain(t->stream, body);

    } else {
        gh_hub_stream_answer(t->stream, answer);
    }

    if (t->rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_gatehouse_translate_hold(r);
}


/* Frees raw bytes of their chunking and takes them. NGX_ERROR: they are no body. */
ngx_int_t
ngx_http_gatehouse_translate_take(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_translation_t *t,
    ngx_buf_t *raw)
{
    off_t                 size, left;
    ngx_int_t             rc;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (!u->headers_in.chunked) {
        size = raw->last - raw->pos;

        if (u->headers_in.content_length_n >= 0) {
            left = u->headers_in.content_length_n - t->seen;

            if (size >= left) {
                t->surplus = (size > left);
                t->done = 1;
                size = left;
            }
        }

        return ngx_http_gatehouse_translate_feed(t, raw->pos, size);
    }

    while (raw->pos < raw->last && !t->done) {

        rc = ngx_http_gatehouse_parse_chunked(r, raw, &ctx->chunked);

        if (rc == NGX_OK) {
            size = ngx_min((off_t) (raw->last - raw->pos), ctx->chunked.size);
            rc = ngx_http_gatehouse_translate_feed(t, raw->pos, size);
            ctx->chunked.size -= size;
            raw->pos += size;

            if (rc != NGX_OK) {
                return rc;
            }

        } else if (rc == NGX_DONE) {
            t->done = 1;
            t->surplus = (raw->pos != raw->last);

        } else if (rc == NGX_AGAIN) {
            break;

        } else {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "gatehouse: a backend sent an invalid chunk");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gatehouse_translate_feed(ngx_http_gatehouse_translation_t *t,
    u_char *data, size_t len)
{
    u_char      *p;
    size_t       size;
    ngx_pool_t  *pool;

    t->seen += len;

    if (t->stream) {

        if (t->decoder) {
            ngx_http_gatehouse_translate_frames(t, data, len);

        } else {
            gh_hub_stream_feed(t->stream, (char *) data, len);
        }

        return t->rc;
    }

    len = ngx_min(len, t->limit - t->len);

    if (len == 0) {
        return NGX_OK;
    }

    if (len > t->size - t->len) {
        pool = t->ctx->request->pool;
        size = ngx_max(2 * t->size, ngx_max(t->len + len, 4096));

        p = ngx_palloc(pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (t->len) {
            ngx_memcpy(p, t->body, t->len);
            (void) ngx_pfree(pool, t->body);
        }

        t->body = p;
        t->size = size;
    }

    ngx_memcpy(t->body + t->len, data, len);
    t->len += len;

    return NGX_OK;
}
