/*
 * The first steps of a request: its context, its endpoint (a positive list), and who it is from. Cheap refusals come before the body.
 */

#include "ngx_http_gatehouse.h"


static void ngx_http_gatehouse_cleanup(void *data);
static ngx_int_t ngx_http_gatehouse_identify(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_presented_key(ngx_http_request_t *r,
    gh_str_t *key);
static ngx_int_t ngx_http_gatehouse_media_type(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);


/* A core arena over the request's pool: 16-byte aligned, freed with the request. */
static void *
ngx_http_gatehouse_pool_alloc(gh_arena_t *arena, size_t size)
{
    u_char  *p;

    p = ngx_palloc(arena->context, size + 15);

    return p ? ngx_align_ptr(p, 16) : NULL;
}


/* Internal redirects clear module contexts: ours is found again by its cleanup. */
ngx_http_gatehouse_ctx_t *
ngx_http_gatehouse_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_gatehouse_module);

    if (ctx == NULL && (r->internal || r->filter_finalize)) {

        for (cln = r->pool->cleanup; cln; cln = cln->next) {
            if (cln->handler == ngx_http_gatehouse_cleanup) {
                ctx = cln->data;
                ngx_http_set_ctx(r, ctx, ngx_http_gatehouse_module);
                break;
            }
        }
    }

    return ctx;
}


ngx_http_gatehouse_ctx_t *
ngx_http_gatehouse_make_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = ngx_http_gatehouse_get_ctx(r);
    if (ctx) {
        return ctx;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_gatehouse_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->conf = ngx_http_get_module_loc_conf(r, ngx_http_gatehouse_module);
    ctx->arena.alloc = ngx_http_gatehouse_pool_alloc;
    ctx->arena.context = r->pool;
    ctx->begun_ms = ngx_http_gatehouse_now_ms();
    ctx->begun = ngx_current_msec;
    ngx_http_gatehouse_make_id(ctx->id);

    cln->handler = ngx_http_gatehouse_cleanup;
    cln->data = ctx;

    ngx_http_set_ctx(r, ctx, ngx_http_gatehouse_module);

    return ctx;
}


static void
ngx_http_gatehouse_cleanup(void *data)
{
    ngx_http_gatehouse_ctx_t *ctx = data;

    ngx_uint_t  i;

    ngx_http_gatehouse_hold_stop(ctx);
    ngx_http_gatehouse_drain_stop(ctx);
    ngx_http_gatehouse_running_end(ctx);

    if (ctx->deadline.timer_set) {
        ngx_del_timer(&ctx->deadline);
    }

    for (i = 0; i < ctx->steps; i++) {
        if (ctx->attempts[i].image) {
            gh_image_unref(ctx->attempts[i].image);
        }
    }

    ctx->steps = 0;

    if (ctx->image) {
        gh_image_unref(ctx->image);
        ctx->image = NULL;
    }
}


ngx_int_t
ngx_http_gatehouse_access_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_gatehouse_ctx_t       *ctx;
    ngx_http_gatehouse_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_gatehouse_module);

    if (!glcf->enable || r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_gatehouse_make_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->conf = glcf;

    if (ctx->finished || ctx->error_code) {
        /* sent back here by error_page: its answer stands, nothing is dispatched again */
        return r->err_status >= NGX_HTTP_BAD_REQUEST ? r->err_status
               : ctx->error_status ? ctx->error_status
                                   : NGX_HTTP_BAD_GATEWAY;
    }

    rc = ngx_http_gatehouse_endpoint(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_gatehouse_identify(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!ctx->models) {
        rc = ngx_http_gatehouse_media_type(r, ctx);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/*
 * The path as it was sent must be the path that is served: no //, no %2f, no dots. What goes upstream comes from the store in any case.
 */
ngx_int_t
ngx_http_gatehouse_endpoint(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    size_t                   len;
    ngx_uint_t               i;
    static const struct {
        ngx_str_t            path;
        ngx_uint_t           method;
        gh_endpoint_t        endpoint;
        ngx_uint_t           models;
    } endpoints[] = {
        { ngx_string("/v1/chat/completions"), NGX_HTTP_POST,
          GH_ENDPOINT_CHAT_COMPLETIONS, 0 },
        { ngx_string("/v1/completions"), NGX_HTTP_POST,
          GH_ENDPOINT_COMPLETIONS, 0 },
        { ngx_string("/v1/embeddings"), NGX_HTTP_POST,
          GH_ENDPOINT_EMBEDDINGS, 0 },
        { ngx_string("/v1/models"), NGX_HTTP_GET, GH_ENDPOINTS, 1 }
    };

    len = r->unparsed_uri.len;

    for (i = 0; i < len; i++) {
        if (r->unparsed_uri.data[i] == '?') {
            len = i;
        }
    }

    if (len != r->uri.len
        || ngx_memcmp(r->unparsed_uri.data, r->uri.data, len) != 0)
    {
        goto unknown;
    }

    for (i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {

        if (endpoints[i].path.len != len
            || ngx_memcmp(endpoints[i].path.data, r->uri.data, len) != 0)
        {
            continue;
        }

        if (r->method != endpoints[i].method) {
            ctx->allow = endpoints[i].models ? "GET" : "POST";
            return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_NOT_ALLOWED,
                                             "method_not_allowed",
                                             "This endpoint takes %s.",
                                             ctx->allow);
        }

        ctx->models = endpoints[i].models;
        ctx->endpoint = endpoints[i].endpoint;

        return NGX_OK;
    }

unknown:

    return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_NOT_FOUND,
                                     "unknown_endpoint",
                                     "There is no such endpoint.");
}


static ngx_int_t
ngx_http_gatehouse_identify(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    gh_str_t     key;
    gh_error_t   error;
    ngx_uint_t   again;
    gh_store_t  *store;

    ngx_memzero(&error, sizeof(gh_error_t));

    if (ngx_http_gatehouse_presented_key(r, &key) != NGX_OK) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED,
                                  "invalid_api_key",
                                  "An API key is needed, once: "
                                  "\"Authorization: Bearer gh_...\" or "
                                  "\"api-key: gh_...\".");
    }

    again = 0;

    do {
        store = ngx_http_gatehouse_store(r->connection->log, &error);

        if (store
            && gh_store_identify(store, key, ngx_http_gatehouse_now_ms(),
                                 &ctx->arena, &ctx->identity, NULL, &error)
               == GH_OK)
        {
            ctx->identified = 1;
            return NGX_OK;
        }

    } while (again++ == 0 && ngx_http_gatehouse_store_replaced(&error));

    if (error.code && ngx_strncmp(error.code, "key_", 4) == 0) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED,
                   "invalid_api_key",
                   ngx_strcmp(error.code, "key_malformed") == 0
                   ? "The API key is malformed: it is \"gh_\" and 49 characters."
                   : ngx_strcmp(error.code, "key_expired") == 0
                   ? "The API key has expired."
                   : ngx_strcmp(error.code, "key_revoked") == 0
                   ? "The API key was revoked."
                   : "The API key is not known.");
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "gatehouse: policy store: %s (%s)", error.text,
                  error.code ? error.code : "");

    return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "policy_unavailable",
                                     "The policy store cannot be read.");
}


/* One key, from one or both of its headers; two that differ are refused. */
static ngx_int_t
ngx_http_gatehouse_presented_key(ngx_http_request_t *r, gh_str_t *key)
{
    unsigned  i, found;
    gh_str_t  value;

    found = 0;

    for (i = 0; ngx_http_gatehouse_header_value(r, GH_STR("authorization"), i,
                                                &value); i++)
    {
        if (value.len <= 7
            || ngx_strncasecmp((u_char *) value.data, (u_char *) "Bearer ", 7)
               != 0)
        {
            return NGX_DECLINED;
        }

        value = gh_str_trim((gh_str_t) { value.data + 7, value.len - 7 });

        if (found++) {
            return NGX_DECLINED;
        }

        *key = value;
    }

    for (i = 0; ngx_http_gatehouse_header_value(r, GH_STR("api-key"), i,
                                                &value); i++)
    {
        value = gh_str_trim(value);

        if (found && !gh_str_eq(value, *key)) {
            return NGX_DECLINED;
        }

        *key = value;
        found = 1;
    }

    return found && key->len ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_gatehouse_media_type(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    size_t    i;
    gh_str_t  value;

    for (i = 0; ngx_http_gatehouse_header_value(r, GH_STR("content-encoding"),
                                                i, &value); i++)
    {
        if (!gh_str_eq_nocase(gh_str_trim(value), GH_STR("identity"))) {
            return ngx_http_gatehouse_refuse(r, ctx,
                                      NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                      "unsupported_media_type",
                                      "Compressed request bodies are not "
                                      "accepted.");
        }
    }

    if (!ngx_http_gatehouse_header_value(r, GH_STR("content-type"), 0,
                                         &value))
    {
        value = GH_STR("");
    }

    for (i = 0; i < value.len && value.data[i] != ';'; i++) { /* void */ }

    value.len = i;

    if (!gh_str_eq_nocase(gh_str_trim(value), GH_STR("application/json"))) {
        return ngx_http_gatehouse_refuse(r, ctx,
                                  NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                  "unsupported_media_type",
                                  "The body must be application/json.");
    }

    return NGX_OK;
}


/* gh_header_fn over a request's headers. */
bool
ngx_http_gatehouse_header_value(void *context, gh_str_t name, unsigned index,
    gh_str_t *value)
{
    ngx_uint_t           i;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r = context;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return false;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == name.len
            && ngx_strncasecmp(h[i].key.data, (u_char *) name.data, name.len)
               == 0
            && index-- == 0)
        {
            *value = ngx_http_gatehouse_str(h[i].value);
            return true;
        }
    }
}
