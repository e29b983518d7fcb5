/*
 * $gatehouse_*: every log needs is a variable. None holds content, a credential or a key.
 */

#include "ngx_http_gatehouse.h"


typedef enum {
    NGX_HTTP_GATEHOUSE_REQUEST_ID,
    NGX_HTTP_GATEHOUSE_ORG,
    NGX_HTTP_GATEHOUSE_TENANT,
    NGX_HTTP_GATEHOUSE_APP,
    NGX_HTTP_GATEHOUSE_KEY,
    NGX_HTTP_GATEHOUSE_SESSION,
    NGX_HTTP_GATEHOUSE_MODEL,
    NGX_HTTP_GATEHOUSE_CLASS,
    NGX_HTTP_GATEHOUSE_DEPLOYMENT,
    NGX_HTTP_GATEHOUSE_BACKEND,
    NGX_HTTP_GATEHOUSE_REGION,
    NGX_HTTP_GATEHOUSE_REVISION,
    NGX_HTTP_GATEHOUSE_DECISION,
    NGX_HTTP_GATEHOUSE_ATTEMPTS,
    NGX_HTTP_GATEHOUSE_TOKENS_IN,
    NGX_HTTP_GATEHOUSE_TOKENS_OUT,
    NGX_HTTP_GATEHOUSE_COST,
    NGX_HTTP_GATEHOUSE_TTFT
} ngx_http_gatehouse_variable_e;


static ngx_int_t ngx_http_gatehouse_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#define ngx_http_gatehouse_entry(name, what)                                  \
    { ngx_string(name), NULL, ngx_http_gatehouse_variable, what,              \
      NGX_HTTP_VAR_NOCACHEABLE, 0 }


static ngx_http_variable_t  ngx_http_gatehouse_variables[] = {
    ngx_http_gatehouse_entry("gatehouse_request_id",
                             NGX_HTTP_GATEHOUSE_REQUEST_ID),
    ngx_http_gatehouse_entry("gatehouse_org", NGX_HTTP_GATEHOUSE_ORG),
    ngx_http_gatehouse_entry("gatehouse_tenant", NGX_HTTP_GATEHOUSE_TENANT),
    ngx_http_gatehouse_entry("gatehouse_app", NGX_HTTP_GATEHOUSE_APP),
    ngx_http_gatehouse_entry("gatehouse_key", NGX_HTTP_GATEHOUSE_KEY),
    ngx_http_gatehouse_entry("gatehouse_session", NGX_HTTP_GATEHOUSE_SESSION),
    ngx_http_gatehouse_entry("gatehouse_model", NGX_HTTP_GATEHOUSE_MODEL),
    ngx_http_gatehouse_entry("gatehouse_class", NGX_HTTP_GATEHOUSE_CLASS),
    ngx_http_gatehouse_entry("gatehouse_deployment",
                             NGX_HTTP_GATEHOUSE_DEPLOYMENT),
    ngx_http_gatehouse_entry("gatehouse_backend", NGX_HTTP_GATEHOUSE_BACKEND),
    ngx_http_gatehouse_entry("gatehouse_region", NGX_HTTP_GATEHOUSE_REGION),
    ngx_http_gatehouse_entry("gatehouse_revision",
                             NGX_HTTP_GATEHOUSE_REVISION),
    ngx_http_gatehouse_entry("gatehouse_decision",
                             NGX_HTTP_GATEHOUSE_DECISION),
    ngx_http_gatehouse_entry("gatehouse_attempts",
                             NGX_HTTP_GATEHOUSE_ATTEMPTS),
    ngx_http_gatehouse_entry("gatehouse_tokens_in",
                             NGX_HTTP_GATEHOUSE_TOKENS_IN),
    ngx_http_gatehouse_entry("gatehouse_tokens_out",
                             NGX_HTTP_GATEHOUSE_TOKENS_OUT),
    ngx_http_gatehouse_entry("gatehouse_cost", NGX_HTTP_GATEHOUSE_COST),
    ngx_http_gatehouse_entry("gatehouse_ttft", NGX_HTTP_GATEHOUSE_TTFT),
    ngx_http_null_variable
};


ngx_int_t
ngx_http_gatehouse_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *v, *var;

    for (v = ngx_http_gatehouse_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static gh_str_t
ngx_http_gatehouse_number(ngx_http_request_t *r, uint64_t n)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return GH_STR("");
    }

    return (gh_str_t) { (char *) p, ngx_sprintf(p, "%uL", n) - p };
}


static gh_str_t
ngx_http_gatehouse_class_names(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    size_t     size;
    u_char    *p, *start;
    uint32_t   i;

    size = 0;

    for (i = 0; i < ctx->decision.class_count; i++) {
        size += ctx->decision.classes[i].name.len + 1;
    }

    start = ngx_pnalloc(r->pool, size + 1);
    if (start == NULL) {
        return GH_STR("");
    }

    p = start;

    for (i = 0; i < ctx->decision.class_count; i++) {
        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, ctx->decision.classes[i].name.data,
                       ctx->decision.classes[i].name.len);
    }

    return (gh_str_t) { (char *) start, p - start };
}


/* The last attempt that was dispatched. */
static ngx_http_gatehouse_attempt_t *
ngx_http_gatehouse_last(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_uint_t  i;

    for (i = ctx->steps; i > 0; i--) {
        if (ctx->attempts[i - 1]->dispatched) {
            return ctx->attempts[i - 1];
        }
    }

    return NULL;
}


/* What was charged, when something was: a price that is not known is not 0. */
static gh_str_t
ngx_http_gatehouse_used(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx,
    uintptr_t data)
{
    ngx_uint_t  i, charged, priced;

    charged = 0;
    priced = 1;

    for (i = 0; i < ctx->steps; i++) {
        if (ngx_http_gatehouse_charged(ctx->attempts[i])) {
            charged = 1;
            priced &= ctx->attempts[i]->facts.price.known;
        }
    }

    if (!charged || (data == NGX_HTTP_GATEHOUSE_COST && !priced)) {
        return GH_STR("");
    }

    return ngx_http_gatehouse_number(r,
               data == NGX_HTTP_GATEHOUSE_COST
               ? ctx->quota.charged.micro_dollars
               : data == NGX_HTTP_GATEHOUSE_TOKENS_IN
               ? ctx->quota.charged.input : ctx->quota.charged.output);
}


static ngx_int_t
ngx_http_gatehouse_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    gh_str_t                       value;
    ngx_http_gatehouse_ctx_t      *ctx;
    ngx_http_gatehouse_attempt_t  *last;

    v->not_found = 1;

    ctx = ngx_http_gatehouse_get_ctx(r);
    if (ctx == NULL) {
        return NGX_OK;
    }

    last = ngx_http_gatehouse_last(ctx);
    value = GH_STR("");

    switch (data) {

    case NGX_HTTP_GATEHOUSE_REQUEST_ID:
        value = (gh_str_t) { (char *) ctx->id, GH_ID_LEN };
        break;

    case NGX_HTTP_GATEHOUSE_ORG:
        value = ctx->identity.org;
        break;

    case NGX_HTTP_GATEHOUSE_TENANT:
        value = ctx->identity.tenant;
        break;

    case NGX_HTTP_GATEHOUSE_APP:
        value = ctx->identity.app;
        break;

    case NGX_HTTP_GATEHOUSE_KEY:
        value = ctx->identity.key;
        break;

    case NGX_HTTP_GATEHOUSE_SESSION:
        value = ngx_http_gatehouse_session_text(ctx);
        break;

    case NGX_HTTP_GATEHOUSE_MODEL:
        /* the catalogue's name: what a client sent never reaches a log */
        value = ctx->decision.model;
        break;

    case NGX_HTTP_GATEHOUSE_CLASS:
        value = ngx_http_gatehouse_class_names(r, ctx);
        break;

    case NGX_HTTP_GATEHOUSE_DEPLOYMENT:
        if (last) {
            value = last->facts.deployment;
        }
        break;

    case NGX_HTTP_GATEHOUSE_BACKEND:
        if (last) {
            value = last->facts.backend;
        }
        break;

    case NGX_HTTP_GATEHOUSE_REGION:
        if (last) {
            value = last->facts.region;
        }
        break;

    case NGX_HTTP_GATEHOUSE_REVISION:
        if (ctx->image) {
            value = ngx_http_gatehouse_number(r,
                                              gh_image_revision(ctx->image));
        }
        break;

    case NGX_HTTP_GATEHOUSE_DECISION:
        if (ctx->decided || ctx->gap) {
            value = GH_STR("allow");

        } else if (ctx->error_code) {
            value = gh_str_from(ctx->error_code);
        }
        break;

    case NGX_HTTP_GATEHOUSE_ATTEMPTS:
        value = ngx_http_gatehouse_number(r, ctx->dispatches);
        break;

    case NGX_HTTP_GATEHOUSE_TOKENS_IN:
    case NGX_HTTP_GATEHOUSE_TOKENS_OUT:
    case NGX_HTTP_GATEHOUSE_COST:
        value = ngx_http_gatehouse_used(r, ctx, data);
        break;

    case NGX_HTTP_GATEHOUSE_TTFT:
        if (ctx->first_byte_ms) {
            value = ngx_http_gatehouse_number(r, ctx->first_byte_ms
                                                 - ctx->begun_ms);
        }
        break;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    v->data = (u_char *) value.data;
    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
