/*
 * The first steps of a request: its endpoint (a positive list), and who it is from. Cheap refusals come before the body.
 */

#include "ngx_http_gatehouse.h"
#include "ngx_http_gatehouse_sign.h"

#include "policy/identity/certificate.h"


static ngx_int_t ngx_http_gatehouse_identify(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_presented_key(ngx_http_request_t *r,
    ngx_uint_t certificate, gh_str_t *key);
static ngx_int_t ngx_http_gatehouse_media_type(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);


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

    /* whoever signs is known when the body is here */

    return ctx->identified ? ngx_http_gatehouse_admitted(r, ctx) : NGX_OK;
}


/* What limits say of who asks. */
ngx_int_t
ngx_http_gatehouse_admitted(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_gatehouse_admit(r, ctx);

    /* a request whose body is refused for what it says it is was one: it counts, and has its line */

    return rc == NGX_OK && ctx->url.operation == GH_URL_CREATE
           ? ngx_http_gatehouse_media_type(r, ctx) : rc;
}


/*
 * The path as it was sent must be the path that is served: no //, no %2f, no dots. What goes upstream comes from the store in any case.
 */
ngx_int_t
ngx_http_gatehouse_endpoint(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    gh_str_t    version;
    gh_error_t  error;

    gh_error_clear(&error);

    if (gh_url_read(&ctx->arena, ngx_http_gatehouse_str(r->method_name),
                    ngx_http_gatehouse_str(r->unparsed_uri),
                    ngx_http_gatehouse_str(r->uri), &ctx->url, &error)
        == GH_OK)
    {
        if ((ctx->url.operation == GH_URL_MODELS
             || ctx->url.operation == GH_URL_MODEL)
            && ngx_http_gatehouse_header_value(r, GH_STR("anthropic-version"),
                                               0, &version))
        {
            /* one path, two APIs */
            ctx->url.client = GH_HUB_MESSAGES;
        }

        return NGX_OK;
    }

    return ngx_http_gatehouse_refuse_error(r, ctx, &error);
}


/* What the wire refuses, with the status of its code. */
ngx_int_t
ngx_http_gatehouse_refuse_error(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, const gh_error_t *error)
{
    ngx_uint_t           i;
    static const struct {
        const char      *code;
        ngx_uint_t       status;
    } codes[] = {
        { "unknown_endpoint", NGX_HTTP_NOT_FOUND },
        { "model_not_found", NGX_HTTP_NOT_FOUND },
        { "state_not_found", NGX_HTTP_NOT_FOUND },
        { "state_elsewhere", NGX_HTTP_BAD_REQUEST },
        { "method_not_allowed", NGX_HTTP_NOT_ALLOWED },
        { "invalid_request", NGX_HTTP_BAD_REQUEST }
    };

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (ngx_strcmp(error->code, codes[i].code) == 0) {
            return ngx_http_gatehouse_refuse(r, ctx, codes[i].status,
                                             codes[i].code, "%s", error->text);
        }
    }

    return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                     "internal_error", "The gateway failed.");
}


static ngx_int_t
ngx_http_gatehouse_identify(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    int                      rc;
    gh_str_t                 key;
    ngx_int_t                shown;
    gh_error_t               error;
    ngx_uint_t               again;
    gh_store_t              *store;
    const gh_certificate_t  *certificate;

    gh_error_clear(&error);

    shown = ngx_http_gatehouse_certificate(r, &certificate, &error);

    if (shown == NGX_ERROR) {
        return ngx_http_gatehouse_refuse_caller(r, ctx, &error);
    }

    if (ngx_http_gatehouse_is_signed(r)) {
        return ngx_http_gatehouse_signed_head(r, ctx, certificate);
    }

    if (ngx_http_gatehouse_presented_key(r, shown == NGX_OK, &key) != NGX_OK) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED,
                                  "invalid_api_key",
                                  "An API key is needed, once: "
                                  "\"Authorization: Bearer gh_...\", "
                                  "\"api-key: gh_...\" or "
                                  "\"x-api-key: gh_...\"; or a signature of "
                                  "AWS Signature Version 4.");
    }

    again = 0;

    do {
        store = ngx_http_gatehouse_store(r->connection->log, &error);

        if (store == NULL) {
            continue;
        }

        gh_store_from(store, ngx_http_gatehouse_address(r->connection));

        rc = gh_store_identify_client(store, key, certificate,
                                      ngx_http_gatehouse_now_ms(),
                                      &ctx->arena, &ctx->identity, NULL,
                                      &error);

        gh_store_from(store, (gh_bytes_t) { NULL, 0 });

        if (rc == GH_OK) {
            ctx->identified = 1;
            return NGX_OK;
        }

        if (error.code && ngx_strcmp(error.code, "token_attempts") == 0) {
            ctx->wait_ms = gh_store_attempts_wait_ms(store);
        }

    } while (again++ == 0 && ngx_http_gatehouse_store_replaced(&error));

    return ngx_http_gatehouse_refuse_caller(r, ctx, &error);
}


/* Of the client, as nginx knows it: behind a proxy the one that realip found. Empty: it came through a socket that has none. */
gh_bytes_t
ngx_http_gatehouse_address(ngx_connection_t *c)
{
    switch (c->sockaddr->sa_family) {

    case AF_INET:
        return (gh_bytes_t) {
            &((struct sockaddr_in *) c->sockaddr)->sin_addr, 4
        };

#if (NGX_HAVE_INET6)
    case AF_INET6:
        return (gh_bytes_t) {
            &((struct sockaddr_in6 *) c->sockaddr)->sin6_addr, 16
        };
#endif

    default:
        return (gh_bytes_t) { NULL, 0 };
    }
}


/* Who asks is nobody, or it cannot be known. */
ngx_int_t
ngx_http_gatehouse_refuse_caller(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, const gh_error_t *error)
{
    gh_error_t   failed;
    gh_store_t  *store;

    if (error->code && ngx_strncmp(error->code, "key_", 4) == 0) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED,
                   "invalid_api_key",
                   ngx_strcmp(error->code, "key_malformed") == 0
                   ? "The API key is malformed: it is \"gh_\" and 49 characters."
                   : ngx_strcmp(error->code, "key_expired") == 0
                   ? "The API key has expired."
                   : ngx_strcmp(error->code, "key_revoked") == 0
                   ? "The API key was revoked."
                   : "The API key is not known.");
    }

    if (error->code
        && (ngx_strcmp(error->code, "identity_unavailable") == 0
            || ngx_strcmp(error->code, "token_key_unknown") == 0))
    {
        store = ngx_http_gatehouse_store(r->connection->log, &failed);
        if (store) {
            ngx_http_gatehouse_keys_want(store);
        }
    }

    if (error->code && ngx_strncmp(error->code, "token_", 6) == 0) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED,
                                         "invalid_token",
                                         "Not authenticated: %s.", error->text);
    }

    if (error->code && ngx_strncmp(error->code, "certificate_", 12) == 0) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED,
                                         "invalid_certificate",
                                         "Not authenticated: %s.", error->text);
    }

    if (error->code && ngx_strcmp(error->code, "identity_unavailable") == 0) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "identity_unavailable",
                                         "Cannot authenticate: %s.",
                                         error->text);
    }

    if (error->code && ngx_strcmp(error->code, "too_many_limits") == 0) {

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: %s", error->text);

        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "too_many_limits",
                                         "The limits of the caller cannot be "
                                         "held: %s.", error->text);
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "gatehouse: policy store: %s (%s)", error->text,
                  error->code ? error->code : "");

    return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "policy_unavailable",
                                     "The policy store cannot be read.");
}


/*
 * One key, from one or more of its headers; two that differ are refused. Where a certificate says who asks, there may be none, or the word that stands for none in SDKs that send
 * a key always.
 */
static ngx_int_t
ngx_http_gatehouse_presented_key(ngx_http_request_t *r,
    ngx_uint_t certificate, gh_str_t *key)
{
    unsigned         i, n, found;
    gh_str_t         value;
    static gh_str_t  names[] = {
        { "api-key", sizeof("api-key") - 1 },
        { "x-api-key", sizeof("x-api-key") - 1 }
    };

    found = 0;
    *key = GH_STR("");

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

    for (n = 0; n < sizeof(names) / sizeof(names[0]); n++) {

        for (i = 0; ngx_http_gatehouse_header_value(r, names[n], i, &value);
             i++)
        {
            value = gh_str_trim(value);

            if (found && !gh_str_eq(value, *key)) {
                return NGX_DECLINED;
            }

            *key = value;
            found = 1;
        }
    }

    if (certificate && (!found || gh_str_is(*key, "certificate"))) {
        *key = GH_STR("");
        return NGX_OK;
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

    if (gh_endpoint_is(ctx->url.endpoint, GH_IS_BLOB)) {
        /* to AWS's SDKs the body is a blob, and without a type it is JSON */
        return NGX_OK;
    }

    if (!gh_str_eq_nocase(gh_str_trim(value), GH_STR("application/json"))) {
        return ngx_http_gatehouse_refuse(r, ctx,
                                  NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                  "unsupported_media_type",
                                  "The body must be application/json.");
    }

    return NGX_OK;
}


/*
 * Of the same length, above 0. Names that are asked for are in lower case mostly, and nginx keeps that of headers. Letters that are the same but for their
 * case differ in one bit: most others end here.
 */
static ngx_inline ngx_uint_t
ngx_http_gatehouse_header_is(ngx_table_elt_t *h, gh_str_t name)
{
    if ((h->key.data[0] ^ (u_char) name.data[0]) & ~0x20) {
        return 0;
    }

    return (h->lowcase_key
            && ngx_memcmp(h->lowcase_key, name.data, name.len) == 0)
           || ngx_strncasecmp(h->key.data, (u_char *) name.data, name.len)
              == 0;
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
            && ngx_http_gatehouse_header_is(&h[i], name)
            && index-- == 0)
        {
            *value = ngx_http_gatehouse_str(h[i].value);
            return true;
        }
    }
}
