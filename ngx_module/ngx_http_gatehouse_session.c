/* Which session a request belongs to: found when its body and headers were read, for the record, for the ids in its answer and for the access log. */

#include "ngx_http_gatehouse.h"


/* This worker's, keyed with its configuration's secret. */
static gh_sessions_t  *ngx_http_gatehouse_worker_sessions;


void
ngx_http_gatehouse_sessions_exit(void)
{
    gh_sessions_free(ngx_http_gatehouse_worker_sessions);
    ngx_http_gatehouse_worker_sessions = NULL;
}


/* NGX_OK, or the status of a refusal. */
ngx_int_t
ngx_http_gatehouse_session(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_gatehouse_main_conf_t  *gmcf;

    if (ctx->intake.label.refused) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_BAD_REQUEST,
                                         "invalid_session",
                                         "x-gatehouse-session-id must be one "
                                         "name of 1 to %ud printable ASCII "
                                         "characters.", GH_SESSION_LABEL_MAX);
    }

    if (ngx_http_gatehouse_worker_sessions == NULL) {
        gmcf = ngx_http_gatehouse_worker_conf();

        if (gmcf && gmcf->key_read) {
            ngx_http_gatehouse_worker_sessions = gh_sessions_new(gmcf->key);
        }

        if (ngx_http_gatehouse_worker_sessions == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (gh_intake_session(ngx_http_gatehouse_worker_sessions,
                          ctx->identity.tenant_uid,
                          (gh_str_t) { (char *) ctx->id, GH_ID_LEN },
                          &ctx->intake)
        != GH_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


/* A client that names its session as ours is told so in every answer. */
ngx_int_t
ngx_http_gatehouse_session_header(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_str_t  name, value;

    if (ctx->intake.label.source != GH_SESSION_GATEHOUSE
        || ctx->intake.label.refused)
    {
        return NGX_OK;
    }

    ngx_str_set(&name, "x-gatehouse-session-id");
    value.data = (u_char *) ctx->intake.label.text.data;
    value.len = ctx->intake.label.text.len;

    return ngx_http_gatehouse_add_header(r, &name, &value);
}


/* As records have it; empty: it belongs to none. */
gh_str_t
ngx_http_gatehouse_session_text(ngx_http_gatehouse_ctx_t *ctx)
{
    char  *text;

    if (ctx->intake.session.source == GH_SESSION_NONE) {
        return GH_STR("");
    }

    text = gh_arena_alloc(&ctx->arena, 2 * GH_SESSION_ID);
    if (text == NULL) {
        return GH_STR("");
    }

    gh_hex(ctx->intake.session.id, GH_SESSION_ID, text);

    return (gh_str_t) { text, 2 * GH_SESSION_ID };
}
