/*
 * Answers that are ours. Every refusal, nginx's own error pages included, leaves as an error in the client's dialect: a header and a body filter
 * replace the special response in our locations. (error_page would clear every context.) Every answer carries x-request-id.
 */

#include "ngx_http_gatehouse.h"


static ngx_int_t ngx_http_gatehouse_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_gatehouse_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_uint_t ngx_http_gatehouse_ours(ngx_http_request_t *r);
static ngx_uint_t ngx_http_gatehouse_write_failed(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_buf_t *ngx_http_gatehouse_provider_answer(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t *status);
static ngx_buf_t *ngx_http_gatehouse_own_answer(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t *status);
static gh_str_t ngx_http_gatehouse_own_words(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t *status);
static void ngx_http_gatehouse_speak(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_id_headers(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_replace(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


/* nginx's own errors, in words. */
static const struct {
    ngx_uint_t   status;
    ngx_uint_t   given;
    const char  *code;
    const char  *message;
} ngx_http_gatehouse_errors[] = {
    { 400, 400, "bad_request", "The request is not valid HTTP." },
    { 403, 403, "forbidden", "The request is refused." },
    { 404, 404, "unknown_endpoint", "There is no such endpoint." },
    { 405, 405, "method_not_allowed", "The method is not allowed here." },
    { 408, 408, "request_timeout", "The request did not arrive in time." },
    { 411, 411, "length_required", "A Content-Length is needed." },
    { 413, 413, "request_too_large", "The request's body is too large." },
    { 414, 414, "uri_too_long", "The request's URI is too long." },
    { 415, 415, "unsupported_media_type",
      "The body must be application/json, not compressed." },
    { 421, 421, "misdirected_request",
      "The connection is for another server name." },
    { 431, 431, "headers_too_large", "The request's headers are too large." },
    { 494, 400, "headers_too_large", "The request's headers are too large." },
    { 495, 401, "certificate_error", "The client certificate is not valid." },
    { 496, 401, "certificate_required", "A client certificate is needed." },
    { 497, 400, "https_required", "This port takes HTTPS." },
    { 500, 500, "internal_error", "The gateway failed." },
    { 501, 501, "not_implemented", "The gateway does not know this method." },
    { 502, 502, "bad_gateway", "The backend's answer was not valid." },
    { 503, 503, "service_unavailable", "The gateway is not available." },
    { 504, 504, "backend_timeout", "The backend did not answer in time." },
    { 0, 0, NULL, NULL }
};


ngx_int_t
ngx_http_gatehouse_filters_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_gatehouse_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_gatehouse_body_filter;

    return NGX_OK;
}


/*
 * Notes what the client is to be told and returns the status for nginx to finalize with. code is static; the message
 * is formatted as nginx formats. The first refusal of a request stands.
 */
ngx_int_t
ngx_http_gatehouse_refuse(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t status, const char *code,
    const char *format, ...)
{
    u_char   *p, *last;
    va_list   args;

    if (ctx->error_code) {
        return status;
    }

    ctx->error_status = status;
    ctx->error_code = code;

    p = ngx_pnalloc(r->pool, 1024);
    if (p == NULL) {
        return status;
    }

    va_start(args, format);
    last = ngx_vslprintf(p, p + 1024, format, args);
    va_end(args);

    ctx->error_message.data = p;
    ctx->error_message.len = last - p;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "gatehouse: request %*s refused: %ui %s",
                  (size_t) GH_ID_LEN, ctx->id, status, code);

    return status;
}


/*
 * An answer outside our locations that is ours all the same: an error of the server before any location was found, or one of ours that
 * error_page sent to another location.
 */
static ngx_uint_t
ngx_http_gatehouse_ours(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_gatehouse_ctx_t       *ctx;
    ngx_http_gatehouse_srv_conf_t  *gscf;

    ctx = ngx_http_gatehouse_get_ctx(r);

    if (ctx && !ctx->answered && (ctx->error_code || ctx->finished)) {

        if (r->err_status < NGX_HTTP_BAD_REQUEST) {
            r->err_status = NGX_HTTP_BAD_GATEWAY;
        }

        return 1;
    }

    gscf = ngx_http_get_module_srv_conf(r, ngx_http_gatehouse_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    return gscf->answers && clcf->name.len == 0 && r->err_status != 0;
}


static ngx_int_t
ngx_http_gatehouse_header_filter(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_gatehouse_ctx_t       *ctx;
    ngx_http_gatehouse_loc_conf_t  *glcf;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_gatehouse_module);

    if (!glcf->enable && !ngx_http_gatehouse_ours(r)) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_gatehouse_make_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx->client_left) {
        r->header_sent = 1;
        return NGX_OK;
    }

    if (!ctx->answered) {
        ctx->answered = 1;

        if (ngx_http_gatehouse_id_headers(r, ctx) != NGX_OK
            || ngx_http_gatehouse_limit_headers(r, ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (r->upstream && r->err_status == 0
        && (ctx->event_stream || gh_hub_traits(ctx->url.client)->walked
            || ngx_http_gatehouse_ids_shape(ctx)))
    {
        /* the usage chunk may be taken out, ids are others */
        r->headers_out.content_length_n = -1;

        if (r->headers_out.content_length) {
            r->headers_out.content_length->hash = 0;
            r->headers_out.content_length = NULL;
        }
    }

    if (r->err_status >= NGX_HTTP_BAD_REQUEST && !ctx->replacing
        && ngx_http_gatehouse_replace(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_next_header_filter(r);

    if (rc == NGX_ERROR && ngx_http_gatehouse_write_failed(r, ctx)) {
        r->header_sent = 1;
        return NGX_OK;
    }

    return rc;
}


/* The request's id, under the names that the client's SDK looks for. */
static ngx_int_t
ngx_http_gatehouse_id_headers(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_str_t  id, name;

    ngx_http_gatehouse_speak(r, ctx);

    id.data = ctx->id;
    id.len = GH_ID_LEN;
    ngx_str_set(&name, "x-request-id");

    if (ngx_http_gatehouse_add_header(r, &name, &id) != NGX_OK
        || ngx_http_gatehouse_session_header(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (gh_hub_traits(ctx->url.client)->id_header == NULL) {
        return NGX_OK;
    }

    name.data = (u_char *) gh_hub_traits(ctx->url.client)->id_header;
    name.len = ngx_strlen(name.data);

    return ngx_http_gatehouse_add_header(r, &name, &id);
}


/* Did the write to the client fail while a backend's answer is read? Then that goes on without its client. */
static ngx_uint_t
ngx_http_gatehouse_write_failed(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    if (!r->connection->error || r->upstream == NULL
        || r->upstream->cleanup == NULL || ctx->finished)
    {
        return 0;
    }

    ngx_http_gatehouse_client_gone(r, ctx);

    return 1;
}


static ngx_int_t
ngx_http_gatehouse_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                  rc;
    ngx_chain_t               *cl;
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_gatehouse_module);

    if (ctx == NULL || r != r->main) {
        return ngx_http_next_body_filter(r, in);
    }

    if (ctx->replacing) {

        for (cl = in; cl; cl = cl->next) {
            cl->buf->pos = cl->buf->last;
            cl->buf->file_pos = cl->buf->file_last;
        }

        if (ctx->replaced) {
            return ngx_http_next_body_filter(r, NULL);
        }

        ctx->replaced = 1;

        return ngx_http_next_body_filter(r, ctx->replacement);
    }

    if (ctx->client_left) {
        return NGX_OK;
    }

    rc = ngx_http_next_body_filter(r, in);

    if (rc == NGX_ERROR && ngx_http_gatehouse_write_failed(r, ctx)) {
        return NGX_OK;
    }

    return rc;
}


/* The last provider's error: status, headers and as much of its body as was kept. */
static ngx_buf_t *
ngx_http_gatehouse_provider_answer(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t *status)
{
    ngx_buf_t                            *b;
    ngx_uint_t                            i;
    ngx_table_elt_t                      *h;
    ngx_http_gatehouse_provider_error_t  *provider;

    provider = &ctx->provider;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NULL;
    }

    b->pos = provider->body.data;
    b->last = b->pos + provider->body.len;
    b->memory = (provider->body.len != 0);
    *status = provider->status;

    r->headers_out.content_type = provider->content_type;

    if (provider->content_type.len == 0) {
        ngx_str_set(&r->headers_out.content_type, "application/json");
    }

    h = provider->headers->elts;

    for (i = 0; i < provider->headers->nelts; i++) {
        if (ngx_http_gatehouse_add_header(r, &h[i].key, &h[i].value)
            != NGX_OK)
        {
            return NULL;
        }
    }

    return b;
}


/*
 * Refused before its path was read, as a body that is too large is: the path says all the same in whose words.
 */
static void
ngx_http_gatehouse_speak(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx)
{
    gh_error_t  error;

    if (ctx->url.allow == NULL && r->unparsed_uri.len) {
        (void) gh_url_read(&ctx->arena, ngx_http_gatehouse_str(r->method_name),
                           ngx_http_gatehouse_str(r->unparsed_uri),
                           ngx_http_gatehouse_str(r->uri), &ctx->url, &error);
    }
}


/*
 * nginx's own error, in words. It answers 494 to 497 as 400: which it was, its traces tell. After a head that is too large alone it goes on reading what the client
 * sends for a while.
 */
static gh_str_t
ngx_http_gatehouse_own_words(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t *status)
{
    gh_str_t     message;
    ngx_uint_t   i, refused;
    const char  *why;

    why = "";

    if (*status == NGX_HTTP_BAD_REQUEST) {
        refused = ngx_http_gatehouse_tls_refused(r, &why);

        if (refused) {
            *status = refused;

        } else if (r->lingering_close) {
            *status = NGX_HTTP_REQUEST_HEADER_TOO_LARGE;
        }
    }

    ctx->error_code = *status >= 500 ? "internal_error" : "bad_request";
    message = GH_STR("The request is refused.");

    for (i = 0; ngx_http_gatehouse_errors[i].status; i++) {
        if (ngx_http_gatehouse_errors[i].status == *status) {
            *status = ngx_http_gatehouse_errors[i].given;
            ctx->error_code = ngx_http_gatehouse_errors[i].code;
            message = gh_str_from(ngx_http_gatehouse_errors[i].message);
            break;
        }
    }

    if (*why) {
        message.len--;
        message = gh_str_format(&ctx->arena, "%.*s: %s.", GH_STR_ARG(message),
                                why);
    }

    return message;
}


/* A refusal of ours, or nginx's own error in words. */
static ngx_buf_t *
ngx_http_gatehouse_own_answer(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t *status)
{
    int                 given;
    size_t              size;
    gh_str_t            message;
    ngx_buf_t          *b;
    ngx_str_t           name, value;
    const char         *type;
    gh_answer_error_t   error;

    if (ctx->error_code) {
        *status = ctx->error_status;
        message = ngx_http_gatehouse_str(ctx->error_message);

    } else {
        message = ngx_http_gatehouse_own_words(r, ctx, status);
    }

    size = 2 * message.len + 1024;

    b = ngx_create_temp_buf(r->pool, size);
    if (b == NULL) {
        return NULL;
    }

    error.status = *status;
    error.code = gh_str_from(ctx->error_code);
    error.message = message;
    error.param = gh_str_from(ctx->error_param ? ctx->error_param : "");
    error.request_id = (gh_str_t) { (char *) ctx->id, GH_ID_LEN };

    b->last += gh_answer_error(ctx->url.client, (char *) b->last, size, &error,
                               &given, &type);
    *status = given;

    ngx_str_set(&r->headers_out.content_type, "application/json");

    if (type) {
        ngx_str_set(&name, "x-amzn-errortype");
        value.data = (u_char *) type;
        value.len = ngx_strlen(type);

        if (ngx_http_gatehouse_add_header(r, &name, &value) != NGX_OK) {
            return NULL;
        }
    }

    return b;
}


/* A special response becomes an error in the dialect, or the last provider's own. */
static ngx_int_t
ngx_http_gatehouse_replace(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_buf_t   *b;
    ngx_str_t    name, value;
    ngx_uint_t   status;

    status = r->err_status;

    if (ctx->error_code == NULL && ctx->provider.status && ctx->finished) {
        b = ngx_http_gatehouse_provider_answer(r, ctx, &status);

    } else {
        b = ngx_http_gatehouse_own_answer(r, ctx, &status);
    }

    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last_buf = 1;
    b->last_in_chain = 1;

    ctx->replacement = ngx_alloc_chain_link(r->pool);
    if (ctx->replacement == NULL) {
        return NGX_ERROR;
    }

    ctx->replacement->buf = b;
    ctx->replacement->next = NULL;
    ctx->replacing = 1;

    r->err_status = status;
    r->headers_out.status = status;
    r->headers_out.status_line.len = 0;
    r->headers_out.charset.len = 0;
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_length_n = b->last - b->pos;

    if (r->headers_out.content_length) {
        r->headers_out.content_length->hash = 0;
        r->headers_out.content_length = NULL;
    }

    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    if (ctx->url.allow && status == NGX_HTTP_NOT_ALLOWED) {
        ngx_str_set(&name, "Allow");
        value.data = (u_char *) ctx->url.allow;
        value.len = ngx_strlen(ctx->url.allow);

        if (ngx_http_gatehouse_add_header(r, &name, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ctx->wait_ms
        || (status == NGX_HTTP_SERVICE_UNAVAILABLE
            && (ctx->decided || ctx->gap)
            && ctx->error_code
            && ngx_strcmp(ctx->error_code, "no_healthy_backend") == 0))
    {
        return ngx_http_gatehouse_wait_header(r, ctx);
    }

    return NGX_OK;
}


/* When no eligible deployment may be asked: until the first may. Or until the caller may ask again. */
ngx_int_t
ngx_http_gatehouse_wait_header(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    uint64_t   wait;
    ngx_str_t  name, value;

    wait = ctx->wait_ms ? ctx->wait_ms : ngx_http_gatehouse_route_wait(ctx);

    if (wait == 0) {
        return NGX_OK;
    }

    value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%uL", (wait + 999) / 1000)
                - value.data;
    ngx_str_set(&name, "retry-after");

    if (ngx_http_gatehouse_add_header(r, &name, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%uL", wait) - value.data;
    ngx_str_set(&name, "retry-after-ms");

    return ngx_http_gatehouse_add_header(r, &name, &value);
}


ngx_int_t
ngx_http_gatehouse_add_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));
    h->hash = 1;
    h->key = *name;
    h->value = *value;
    ngx_http_gatehouse_header_end(h);

    return NGX_OK;
}


ngx_int_t
ngx_http_gatehouse_send_json(ngx_http_request_t *r, gh_str_t json)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = (u_char *) json.data;
    b->last = b->pos + json.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = json.len;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
