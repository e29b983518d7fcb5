/*
 * What was translated on its way to the client: bytes of events, a whole answer, errors in its dialect, and what of it is charged.
 */

#include "ngx_http_gatehouse_translate.h"


/* An event's frame and headers take less, whatever its type. */
#define NGX_HTTP_GATEHOUSE_FRAME  512


/*
 * Bytes of the stream are copied beside what is still on its way. The block in use is replaced by one of twice the size when it is full; both begin anew when
 * nothing is on its way, which is so before any more than a buffer's worth is read, so their size is bounded by what one buffer translates to.
 */
static u_char *
ngx_http_gatehouse_out_room(ngx_http_gatehouse_translation_t *t, size_t len)
{
    u_char                    *p;
    size_t                     size;
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = t->ctx;

    if (t->rc != NGX_OK || len == 0 || ctx->client_left) {
        return NULL;
    }

    if (len > ctx->out_size - ctx->out_used) {
        size = ngx_max(2 * ctx->out_size,
                       ngx_max(len, NGX_HTTP_GATEHOUSE_BUFFER));

        p = ngx_palloc(ctx->request->pool, size);
        if (p == NULL) {
            t->rc = NGX_ERROR;
            return NULL;
        }

        ctx->out = p;
        ctx->out_size = size;
        ctx->out_used = 0;
    }

    return ctx->out + ctx->out_used;
}


void
ngx_http_gatehouse_bytes_out(void *context, const char *data, size_t len)
{
    ngx_http_gatehouse_translation_t *t = context;

    u_char  *p;

    p = ngx_http_gatehouse_out_room(t, len);

    if (p) {
        ngx_memcpy(p, data, len);
        t->ctx->out_used += len;
        t->rc = ngx_http_gatehouse_pass(t->ctx->request, p, len);
    }
}


/* Clients of Bedrock's native API get their events framed. */
void
ngx_http_gatehouse_message_out(void *context, const char *type,
    bool exception, gh_str_t payload)
{
    ngx_http_gatehouse_translation_t *t = context;

    size_t   size;
    u_char  *p;

    if (t->same && (exception ? t->passed : !t->ids)) {
        /* it passed as it came */
        return;
    }

    size = payload.len + NGX_HTTP_GATEHOUSE_FRAME;
    p = ngx_http_gatehouse_out_room(t, size);

    if (p) {
        size = gh_aws_encode_json(exception ? GH_AWS_EXCEPTION : GH_AWS_EVENT,
                                  gh_str_from(type), payload, (char *) p, size);

        t->ctx->out_used += size;
        t->rc = ngx_http_gatehouse_pass(t->ctx->request, p, size);
    }
}


/* Once, after the head has gone to the client. */
void
ngx_http_gatehouse_translate_init(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_upstream_t               *u;
    ngx_http_gatehouse_translation_t  *t;

    u = r->upstream;
    t = ctx->translation;

    u->length = t->done ? 0 : -1;
    u->keepalive = t->done && !t->surplus && !u->headers_in.connection_close;

    if (u->headers_in.chunked || u->headers_in.content_length_n >= 0) {
        /* its end is told by more than the connection's */
        u->length = t->done ? 0 : 1;
    }
}


/* Bytes of the body, behind b->last. */
ngx_int_t
ngx_http_gatehouse_translate_input(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_buf_t *raw)
{
    ngx_int_t                          rc;
    gh_hub_stream_state_t              state;
    ngx_http_upstream_t               *u;
    ngx_http_gatehouse_translation_t  *t;

    u = r->upstream;
    t = ctx->translation;

    if (ctx->first_byte_ms == 0) {
        ctx->first_byte_ms = ngx_http_gatehouse_now_ms();
    }

    if (t->spent) {
        t->spent = 0;

        if (t->stream == NULL) {
            return ngx_http_gatehouse_pass(r, (u_char *) t->answer.data,
                                           t->answer.len);
        }

        if (gh_hub_stream_state(t->stream).failed) {
            u->length = 0;
            u->keepalive = 0;
        }

        return NGX_OK;
    }

    if (t->stream == NULL || t->done) {
        u->keepalive = 0;
        return NGX_OK;
    }

    rc = ngx_http_gatehouse_translate_take(r, ctx, t, raw);

    if (t->done) {
        u->length = 0;
        u->keepalive = !t->surplus && !u->headers_in.connection_close;
    }

    state = gh_hub_stream_state(t->stream);

    if (state.events) {
        ngx_http_gatehouse_tell_event(ctx, ngx_http_gatehouse_attempt(ctx));
    }

    if (state.failed) {
        /* the client was told, and nothing follows */
        u->length = 0;
        u->keepalive = 0;
    }

    return rc;
}


/*
 * The end: what is left goes to the client, and a stream without its own end is told so. 1: the answer is complete.
 */
ngx_uint_t
ngx_http_gatehouse_translate_end(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t complete)
{
    char                               message[1024];
    gh_str_t                           text;
    ngx_chain_t                       *out;
    gh_hub_error_t                     error;
    gh_json_writer_t                   w;
    gh_hub_stream_state_t              state;
    ngx_http_upstream_t               *u;
    ngx_http_gatehouse_translation_t  *t;

    u = r->upstream;
    t = ctx->translation;

    if (t->stream == NULL) {
        return complete;
    }

    if (ctx->cut) {
        ngx_memzero(&error, sizeof(gh_hub_error_t));
        text = ngx_http_gatehouse_late_text(ctx);

        error.status = NGX_HTTP_FORBIDDEN;
        error.failure = GH_HUB_PERMISSION;
        error.code = gh_str_from(ctx->late);

        gh_json_writer_init(&w, message, sizeof(message));
        gh_json_string(&w, text);

        if (gh_json_writer_ok(&w)) {
            error.message = (gh_str_t) { message + 1, w.len - 2 };
        }

        gh_hub_stream_fail(t->stream, &error);

    } else {
        gh_hub_stream_finish(t->stream);
    }

    out = u->out_bufs;
    u->out_bufs = NULL;

    if (out && !ctx->client_left) {
        (void) ngx_http_output_filter(r, out);
    }

    state = gh_hub_stream_state(t->stream);

    return state.done && !state.failed
           && ctx->drained <= ctx->conf->drain_size;
}


/* ---- what it says of itself ---- */

/* What of the answer came, and what it says of its usage. */
void
ngx_http_gatehouse_translate_use(ngx_http_gatehouse_ctx_t *ctx,
    gh_quota_use_t *use)
{
    gh_hub_stream_state_t              state;
    ngx_http_gatehouse_translation_t  *t;

    t = ctx->translation;

    if (t == NULL) {
        return;
    }

    if (t->stream == NULL) {
        use->usage = t->usage;
        use->delivered_bytes = t->content_bytes;
        return;
    }

    state = gh_hub_stream_state(t->stream);

    use->usage = state.usage;
    use->partial = !state.done;
    use->delivered_bytes = state.content_bytes;
    use->delivered_events = state.events;
}


static ngx_int_t
ngx_http_gatehouse_error_type(ngx_http_gatehouse_provider_error_t *provider,
    ngx_str_t type)
{
    ngx_table_elt_t  *h;

    h = ngx_array_push(provider->headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));
    ngx_str_set(&h->key, "x-amzn-errortype");
    h->value = type;

    return NGX_OK;
}


/* A backend's error, of the body that was kept or of a stream's beginning, as the client is to get it: of its own dialect as it came. */
ngx_int_t
ngx_http_gatehouse_translate_error(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_provider_error_t *provider)
{
    int                                status;
    gh_str_t                           body;
    ngx_str_t                          name;
    const char                        *type;
    gh_hub_error_t                     error;
    ngx_http_gatehouse_translation_t  *t;

    t = ctx->translation;
    body = (gh_str_t) { (char *) t->body, t->len };

    if (!t->stream && t->backend == t->client && t->done && t->len && t->body[0] == '{') {
        provider->body.data = t->body;
        provider->body.len = t->len;
        provider->status = ctx->real_status;

        return ctx->error_type.len
               ? ngx_http_gatehouse_error_type(provider, ctx->error_type)
               : NGX_OK;
    }

    if (t->stream) {
        error = gh_hub_stream_error(t->stream);

    } else {
        gh_hub_error_read(t->backend, ctx->real_status,
                          ngx_http_gatehouse_str(ctx->error_type), body,
                          &error);
    }

    provider->body.data = ngx_pnalloc(r->pool, GH_HUB_ERROR_BYTES);
    if (provider->body.data == NULL) {
        return NGX_ERROR;
    }

    provider->body.len = gh_hub_error_write(&error, t->client,
                                            (gh_str_t) { (char *) ctx->id,
                                                         GH_ID_LEN },
                                            (char *) provider->body.data,
                                            GH_HUB_ERROR_BYTES, &status,
                                            &type);
    provider->status = status;

    if (type && gh_hub_framed(t->client)) {
        name.data = (u_char *) type;
        name.len = ngx_strlen(type);

        return ngx_http_gatehouse_error_type(provider, name);
    }

    return NGX_OK;
}


/* The type of the answer that the client gets. */
ngx_str_t
ngx_http_gatehouse_translated_type(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_str_t  type = ngx_string("application/json");
    ngx_str_t  sse = ngx_string("text/event-stream");
    ngx_str_t  aws = ngx_string("application/vnd.amazon.eventstream");

    if (!ctx->event_stream && !ctx->intake.stream) {
        return type;
    }

    return gh_hub_framed(ctx->url.client) ? aws : sse;
}
