/*
 * The content handler: body -> intake -> decision -> record -> the first attempt. Nothing has been sent to any backend
 * when this file is done.
 */

#include "ngx_http_gatehouse.h"
#include "ngx_http_gatehouse_sign.h"


static void ngx_http_gatehouse_body_timeout(ngx_http_request_t *r);
static void ngx_http_gatehouse_body_ready(ngx_http_request_t *r);
static void ngx_http_gatehouse_decision_synced(ngx_http_gatehouse_ctx_t *ctx,
    ngx_int_t rc);
static void ngx_http_gatehouse_begin(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_int_t rc);
static ngx_int_t ngx_http_gatehouse_intake(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_decide(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_decided(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_refuse_unrecorded(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_upstream(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);


ngx_int_t
ngx_http_gatehouse_content_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = ngx_http_gatehouse_get_ctx(r);

    if (r != r->main || ctx == NULL || ctx->image
        || (!ctx->identified && ctx->signed_by == NULL))
    {
        /* a subrequest, a request that was here before, or one that went round the access handler */
        return NGX_HTTP_FORBIDDEN;
    }

    if (ctx->url.operation == GH_URL_MODELS
        || ctx->url.operation == GH_URL_MODEL)
    {
        rc = ngx_http_discard_request_body(r);

        if (rc == NGX_OK && ctx->signed_by) {
            /* what is signed has no body either */
            rc = ngx_http_gatehouse_signed_body(r, ctx);
        }

        return rc == NGX_OK ? ngx_http_gatehouse_models(r, ctx) : rc;
    }

    r->request_body_in_single_buf = 1;
    ngx_http_gatehouse_body_room(r, ctx);

    rc = ngx_http_read_client_request_body(r, ngx_http_gatehouse_body_ready);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    if (rc == NGX_AGAIN) {
        /* in any other case the request may be gone already */
        ctx->read_handler = r->read_event_handler;
        r->read_event_handler = ngx_http_gatehouse_body_timeout;
    }

    return NGX_DONE;
}


/* nginx closes without a word when a body stalls; clients of an API are told 408. */
static void
ngx_http_gatehouse_body_timeout(ngx_http_request_t *r)
{
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = ngx_http_gatehouse_get_ctx(r);

    if (!r->connection->read->timedout) {
        ctx->read_handler(r);
        return;
    }

    r->connection->read->timedout = 0;
    r->keepalive = 0;
    r->lingering_close = 0;

    (void) ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_REQUEST_TIME_OUT,
                                     "request_timeout",
                                     "The body did not arrive in time.");

    ngx_http_finalize_request(r, NGX_HTTP_BAD_REQUEST);
}


static void
ngx_http_gatehouse_body_ready(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = ngx_http_gatehouse_get_ctx(r);

    rc = ngx_http_gatehouse_body(r, ctx);

    if (rc == NGX_OK && ctx->signed_by) {
        rc = ngx_http_gatehouse_signed_body(r, ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_gatehouse_intake(r, ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_gatehouse_decide(r, ctx);
    }

    if (!ngx_http_gatehouse_synced(ctx)) {
        ctx->refusal = rc;
        ngx_http_gatehouse_watch_client(r);
        ngx_http_gatehouse_sync_wait(ctx, ngx_http_gatehouse_decision_synced);
        return;
    }

    ngx_http_gatehouse_begin(r, ctx, rc);
}


/* The decision is in the record; NGX_ERROR: it did not get there in time, or nowhere, and nothing is sent. */
static void
ngx_http_gatehouse_decision_synced(ngx_http_gatehouse_ctx_t *ctx, ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (ctx->refusal != NGX_OK) {
        rc = ctx->refusal;

    } else if (rc != NGX_OK
               && ngx_http_gatehouse_gap_request(ctx) == NGX_OK)
    {
        rc = NGX_OK;
        ctx->decided = ngx_http_gatehouse_worker_conf()->audit_sync;

    } else if (rc != NGX_OK) {

        /* a line that the disk did not take in time may still get there, and has an outcome then */
        ctx->decided = ngx_http_gatehouse_worker_conf()->audit_sync;

        if (ctx->first) {
            ctx->first->record.error = "audit_unavailable";
            ctx->first->ended = 1;
        }

        ngx_http_gatehouse_unreserve(ctx);
        rc = ngx_http_gatehouse_refuse_unrecorded(r, ctx);
    }

    ngx_http_gatehouse_begin(r, ctx, rc);
    ngx_http_run_posted_requests(c);
}


/* rc: NGX_OK, or the status of a refusal. */
static void
ngx_http_gatehouse_begin(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx,
    ngx_int_t rc)
{
    if (rc == NGX_OK) {
        rc = ngx_http_gatehouse_upstream(r, ctx);
    }

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    /* the request may be gone when this returns */

    ngx_http_upstream_init(r);
}


static ngx_int_t
ngx_http_gatehouse_intake(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_int_t          rc;
    ngx_uint_t         i;
    gh_error_t         error;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h, **forward;

    gh_error_clear(&error);

    if (gh_intake_parse_url(&ctx->arena, &ctx->url, ctx->body, &ctx->intake,
                            &error)
        != GH_OK)
    {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_BAD_REQUEST,
                                         error.code ? error.code
                                                    : "invalid_request",
                                         "%s", error.text);
    }

    rc = ngx_http_gatehouse_open_ids(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_array_init(&ctx->forward, r->pool, 4, sizeof(ngx_table_elt_t *))
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    part = &r->headers_in.headers.part;
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

        if (gh_intake_header(&ctx->arena, &ctx->intake,
                             ngx_http_gatehouse_str(h[i].key),
                             ngx_http_gatehouse_str(h[i].value)))
        {
            forward = ngx_array_push(&ctx->forward);
            if (forward == NULL) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

            *forward = &h[i];
        }
    }

    return ngx_http_gatehouse_session(r, ctx);
}


/*
 * The key was good when the head came; the body may have taken its time since, or the store may have been written: then who asks is looked
 * up again. *image, the one in force, is of the same snapshot as ctx->identity then.
 */
ngx_int_t
ngx_http_gatehouse_key_again(ngx_http_gatehouse_ctx_t *ctx, gh_image_t **image)
{
    gh_identity_t  identity;

    if (ctx->read_handler == NULL
        && ctx->identity.transaction == ngx_http_gatehouse_transaction())
    {
        return NGX_OK;
    }

    if (ngx_http_gatehouse_key_holds(ctx, &ctx->arena,
                                     ngx_http_gatehouse_now_ms(), &identity,
                                     image)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->identity = identity;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gatehouse_decide(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx)
{
    gh_error_t                       error;
    gh_image_t                      *image;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_gatehouse_module);

    image = ngx_http_gatehouse_image(r->connection->log, &error);
    if (image == NULL) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "policy_unavailable",
                                         "The policy cannot be read.");
    }

    if (ngx_http_gatehouse_key_again(ctx, &image) != NGX_OK) {
        return ngx_http_gatehouse_refuse_late(r, ctx);
    }

    ctx->image = gh_image_ref(image);

    ctx->asked.arena = &ctx->arena;
    ctx->asked.intake = &ctx->intake;
    ctx->asked.body = ctx->body;

    ctx->input.identity = &ctx->identity;
    ctx->input.intake = &ctx->intake;
    ctx->input.node = ngx_http_gatehouse_str(gmcf->node);
    ctx->input.now_ms = ngx_http_gatehouse_now_ms();
    ctx->input.header = ngx_http_gatehouse_header_value;
    ctx->input.header_context = r;
    ctx->input.express = gh_hub_asked;
    ctx->input.express_context = &ctx->asked;
    ctx->input.cells = ngx_http_gatehouse_cells();

    if (gh_decide(ctx->image, &ctx->input, &ctx->arena, &ctx->decision, &error)
        != GH_OK
        || ngx_http_gatehouse_order(ctx, &error) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: no decision: %s (%s)", error.text,
                      error.code ? error.code : "");
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "policy_unavailable",
                                         "The policy cannot be applied.");
    }

    /* before the record, whose opening looks at the store again: a key revoked by then was good when this was decided */
    ngx_http_gatehouse_checked(ctx, ctx->image, &ctx->decision);

    return ngx_http_gatehouse_decided(r, ctx);
}


/* What limits say of what policy allows, and both in the record. NGX_OK: it may be sent; else the status of the refusal. */
static ngx_int_t
ngx_http_gatehouse_decided(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    int                   country;
    uint64_t              ticket;
    ngx_int_t             rc;
    ngx_uint_t            allowed, limited;
    gh_json_writer_t     *line;
    gh_record_request_t   record;

    allowed = (ctx->decision.code == GH_DECIDED_ALLOW);
    limited = 0;

    if (allowed) {
        /* the body's own time is nginx's to bound: the route begins now */
        ctx->begun = ngx_current_msec;
        limited = (ngx_http_gatehouse_reserve(r, ctx) != NGX_OK);
    }

    ngx_memzero(&record, sizeof(gh_record_request_t));
    record.id = (gh_str_t) { (char *) ctx->id, GH_ID_LEN };
    record.now_ms = ctx->input.now_ms;
    record.node = ctx->input.node;
    record.image = ctx->image;
    record.input = &ctx->input;
    record.decision = &ctx->decision;
    record.order = &ctx->order;
    record.limited = limited ? ctx->limited.code : NULL;
    /* a request that is denied was one: it counts where it was admitted */
    record.more.write = limited ? ngx_http_gatehouse_record_limit
                                : ngx_http_gatehouse_record_reserve;
    record.more.context = ctx;

    country = gh_image_node_country(ctx->image, record.node);
    if (country >= 0) {
        record.node_country = (gh_str_t) { gh_country_codes[country], 2 };
    }

    ctx->undecided = 0;
    line = ngx_http_gatehouse_line();
    gh_record_decision(line, &record);

    rc = ngx_http_gatehouse_record_later(line, &ticket, r->connection->log);

    if (!allowed || limited) {

        if (rc == NGX_OK && !ngx_http_gatehouse_worker_conf()->audit_sync) {
            /* a refusal need not be on the disk, but is told behind its line */
            ngx_http_gatehouse_sync_line(ctx, ticket);
        }

        return allowed ? ngx_http_gatehouse_refuse_limit(r, ctx)
                       : ngx_http_gatehouse_deny(r, ctx);
    }

    if (rc == NGX_DECLINED && ngx_http_gatehouse_gap_request(ctx) == NGX_OK) {
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        ngx_http_gatehouse_unreserve(ctx);
        return ngx_http_gatehouse_refuse_unrecorded(r, ctx);
    }

    ctx->decided = 1;
    ngx_http_gatehouse_sync_line(ctx, ticket);

    return NGX_OK;
}


static ngx_int_t
ngx_http_gatehouse_refuse_unrecorded(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "audit_unavailable",
                                     "The record cannot be written, so "
                                     "nothing was sent (request %*s).",
                                     (size_t) GH_ID_LEN, ctx->id);
}


static ngx_int_t
ngx_http_gatehouse_nothing(ngx_http_request_t *r)
{
    return NGX_OK;
}


static void
ngx_http_gatehouse_abort(ngx_http_request_t *r)
{
}


static ngx_int_t
ngx_http_gatehouse_upstream(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_upstream_t             *u;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    if (ngx_http_upstream_create(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_gatehouse_module);

    u = r->upstream;

    ngx_str_set(&u->schema, "gatehouse://");
    u->conf = &gmcf->plan_conf;
    u->output.tag = (ngx_buf_tag_t) &ngx_http_gatehouse_module;
    u->output.output_filter = ngx_http_gatehouse_send_filter;
    u->output.filter_ctx = ctx;
    u->buffering = 0;

    u->create_request = ngx_http_gatehouse_nothing;
    u->reinit_request = ngx_http_gatehouse_nothing;
    u->process_header = ngx_http_gatehouse_process_status;
    u->abort_request = ngx_http_gatehouse_abort;
    u->finalize_request = ngx_http_gatehouse_finalize;
    u->input_filter_init = ngx_http_gatehouse_input_init;
    u->input_filter = ngx_http_gatehouse_input;
    u->input_filter_ctx = r;

    if (ngx_http_gatehouse_deadline_begin(ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_gatehouse_watch_client(r);

    return NGX_OK;
}
