/*
 * The content handler: body -> intake -> decision -> record -> the first attempt. Nothing has been sent to any backend
 * when this file is done.
 */

#include "ngx_http_gatehouse.h"

#include <sys/mman.h>


static ngx_int_t ngx_http_gatehouse_models(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static void ngx_http_gatehouse_body_timeout(ngx_http_request_t *r);
static void ngx_http_gatehouse_body_ready(ngx_http_request_t *r);
static ngx_int_t ngx_http_gatehouse_body(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_map(ngx_http_request_t *r,
    ngx_buf_t *file, gh_str_t *body);
static ngx_int_t ngx_http_gatehouse_intake(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_key_again(ngx_http_gatehouse_ctx_t *ctx,
    gh_image_t **image);
static ngx_int_t ngx_http_gatehouse_decide(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_deny(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_upstream(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);


ngx_int_t
ngx_http_gatehouse_content_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = ngx_http_gatehouse_get_ctx(r);

    if (r != r->main || ctx == NULL || !ctx->identified || ctx->image) {
        /* a subrequest, a request that was here before, or one that went round the access handler */
        return NGX_HTTP_FORBIDDEN;
    }

    if (ctx->models) {
        rc = ngx_http_discard_request_body(r);

        return rc == NGX_OK ? ngx_http_gatehouse_models(r, ctx) : rc;
    }

    r->request_body_in_single_buf = 1;

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

    if (rc == NGX_OK) {
        rc = ngx_http_gatehouse_intake(r, ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_gatehouse_decide(r, ctx);
    }

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


/* The body as one span: in place, mapped from its temp file, or joined when it came in several pieces. */
static ngx_int_t
ngx_http_gatehouse_body(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx)
{
    off_t         size;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ctx->body = GH_STR("");

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    cl = r->request_body->bufs;

    if (cl->next == NULL) {
        b = cl->buf;

        if (b->in_file) {
            return ngx_http_gatehouse_map(r, b, &ctx->body);
        }

        ctx->body = (gh_str_t) { (char *) b->pos, b->last - b->pos };
        return NGX_OK;
    }

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    p = ngx_pnalloc(r->pool, size + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->body = (gh_str_t) { (char *) p, size };

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        gh_str_t  piece;

        b = cl->buf;

        if (b->in_file) {
            if (ngx_http_gatehouse_map(r, b, &piece) != NGX_OK) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

        } else {
            piece = (gh_str_t) { (char *) b->pos, b->last - b->pos };
        }

        if (piece.len) {
            p = ngx_cpymem(p, piece.data, piece.len);
        }
    }

    return NGX_OK;
}


typedef struct {
    void    *address;
    size_t   size;
} ngx_http_gatehouse_mapping_t;


static void
ngx_http_gatehouse_unmap(void *data)
{
    ngx_http_gatehouse_mapping_t  *mapping = data;

    (void) munmap(mapping->address, mapping->size);
}


static ngx_int_t
ngx_http_gatehouse_map(ngx_http_request_t *r, ngx_buf_t *file, gh_str_t *body)
{
    off_t                          start;
    size_t                         lead;
    void                          *address;
    ngx_pool_cleanup_t            *cln;
    ngx_http_gatehouse_mapping_t  *mapping;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_gatehouse_mapping_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    start = file->file_pos & ~((off_t) ngx_pagesize - 1);
    lead = file->file_pos - start;

    mapping = cln->data;
    mapping->size = file->file_last - start;

    address = mmap(NULL, mapping->size, PROT_READ, MAP_PRIVATE,
                   file->file->fd, start);

    if (address == MAP_FAILED) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, ngx_errno,
                      "gatehouse: a body's temporary file cannot be mapped");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    mapping->address = address;
    cln->handler = ngx_http_gatehouse_unmap;

    body->data = (char *) address + lead;
    body->len = file->file_last - file->file_pos;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gatehouse_intake(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_uint_t         i;
    gh_error_t         error;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h, **forward;

    ngx_memzero(&error, sizeof(gh_error_t));

    if (gh_intake_parse(&ctx->arena, ctx->endpoint, ctx->body, &ctx->intake,
                        &error)
        != GH_OK)
    {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_BAD_REQUEST,
                                         error.code ? error.code
                                                    : "invalid_request",
                                         "%s", error.text);
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

        if (gh_intake_header(&ctx->intake, ngx_http_gatehouse_str(h[i].key),
                             ngx_http_gatehouse_str(h[i].value)))
        {
            forward = ngx_array_push(&ctx->forward);
            if (forward == NULL) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

            *forward = &h[i];
        }
    }

    return NGX_OK;
}


/*
 * The key was good when the head came; the body may have taken its time since, or the store may have been written: then who asks is looked
 * up again. *image, the one in force, is of the same snapshot as ctx->identity then.
 */
static ngx_int_t
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
    int                              country;
    gh_error_t                       error;
    gh_image_t                      *image;
    gh_json_writer_t                *line;
    gh_record_request_t              record;
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

    ctx->input.identity = &ctx->identity;
    ctx->input.intake = &ctx->intake;
    ctx->input.node = ngx_http_gatehouse_str(gmcf->node);
    ctx->input.now_ms = ngx_http_gatehouse_now_ms();
    ctx->input.header = ngx_http_gatehouse_header_value;
    ctx->input.header_context = r;
    ctx->input.cells = ngx_http_gatehouse_cells();

    if (gh_decide(ctx->image, &ctx->input, &ctx->arena, &ctx->decision, &error)
        != GH_OK)
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

    ngx_memzero(&record, sizeof(gh_record_request_t));
    record.id = (gh_str_t) { (char *) ctx->id, GH_ID_LEN };
    record.now_ms = ctx->input.now_ms;
    record.node = ctx->input.node;
    record.image = ctx->image;
    record.input = &ctx->input;
    record.decision = &ctx->decision;

    country = gh_image_node_country(ctx->image, record.node);
    if (country >= 0) {
        record.node_country = (gh_str_t) { gh_country_codes[country], 2 };
    }

    line = ngx_http_gatehouse_line();
    gh_record_decision(line, &record);

    if (ngx_http_gatehouse_record(line, r->connection->log) != NGX_OK
        && ctx->decision.code == GH_DECIDED_ALLOW)
    {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "audit_unavailable",
                                         "The record cannot be written, so "
                                         "nothing was sent (request %*s).",
                                         (size_t) GH_ID_LEN, ctx->id);
    }

    if (ctx->decision.code != GH_DECIDED_ALLOW) {
        return ngx_http_gatehouse_deny(r, ctx);
    }

    ctx->decided = 1;

    return NGX_OK;
}


/*
 * The field, type or header of the request that took a deployment away, because that does not list what it turns on or because nobody
 * knows it; NULL: none did.
 */
static const char *
ngx_http_gatehouse_unlisted(ngx_http_gatehouse_ctx_t *ctx)
{
    uint32_t                 i, j;
    gh_str_t                 feature;
    const gh_feature_use_t  *use;

    for (i = 0; i < ctx->decision.target_count; i++) {
        feature = ctx->decision.targets[i].feature;

        for (j = 0; feature.len && j < ctx->intake.feature_count; j++) {
            use = &ctx->intake.features[j];

            if (gh_str_eq(feature, use->name.len ? use->name : use->where)) {
                return gh_str_format(&ctx->arena, "%.*s",
                                     GH_STR_ARG(use->where)).data;
            }
        }
    }

    return NULL;
}


/*
 * What a tenant sees of a denial: the rule's id and the request's, and what of the request it turned on. "param" is the path of the body's
 * field, for a header null.
 */
static ngx_int_t
ngx_http_gatehouse_deny_residency(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    gh_str_t                    rule, by, why;
    const char                 *unlisted;
    const gh_verdict_answer_t  *answer;

    answer = &gh_verdict_answers[ctx->decision.code];
    rule = ctx->decision.rule;
    why = GH_STR("");

    if (ctx->decision.narrowed) {
        by = GH_STR("Nothing is left within the places that the request or "
                    "its tenant is narrowed to");

    } else if (rule.len) {
        by = gh_str_format(&ctx->arena, "Denied by residency rule \"%.*s\"",
                           GH_STR_ARG(rule));

    } else {
        by = GH_STR("No residency rule allows this request");
    }

    unlisted = ngx_http_gatehouse_unlisted(ctx);

    if (unlisted) {
        why = gh_str_format(&ctx->arena, ": \"%s\" is not known, or turns on "
                            "what the deployments do not list", unlisted);

        if (ngx_strchr(unlisted, ' ') == NULL) {
            ctx->error_param = unlisted;
        }
    }

    return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                     "%*s%*s (request %*s).", by.len, by.data,
                                     why.len, why.data, (size_t) GH_ID_LEN,
                                     ctx->id);
}


static ngx_int_t
ngx_http_gatehouse_deny(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_str_t                   model;
    const gh_verdict_answer_t  *answer;

    answer = &gh_verdict_answers[ctx->decision.code];

    model.data = (u_char *) ctx->intake.model.data;
    model.len = ctx->intake.model.len;

    switch (ctx->decision.code) {

    case GH_DENIED_MODEL_UNKNOWN:
    case GH_DENIED_ENDPOINT:
        ctx->error_param = "model";
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "The model `%V` does not exist at "
                                         "this endpoint or is not yours to "
                                         "use.", &model);

    case GH_DENIED_MODEL:
        ctx->error_param = "model";
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "The model `%V` is not allowed for "
                                         "this key (request %*s).", &model,
                                         (size_t) GH_ID_LEN, ctx->id);

    case GH_DENIED_RESIDENCY:
        return ngx_http_gatehouse_deny_residency(r, ctx);

    case GH_DENIED_LABEL:
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "The request's data class is not "
                                         "known (request %*s).",
                                         (size_t) GH_ID_LEN, ctx->id);

    case GH_DENIED_PLACES:
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "x-gatehouse-places names a place "
                                         "that is not known (request %*s).",
                                         (size_t) GH_ID_LEN, ctx->id);

    case GH_DENIED_NODE:
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "This node is not in the fleet.");

    default:
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "Denied by policy (request %*s).",
                                         (size_t) GH_ID_LEN, ctx->id);
    }
}


static ngx_int_t
ngx_http_gatehouse_models(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx)
{
    size_t                           count;
    gh_str_t                        *names, json;
    gh_image_t                      *image;
    gh_error_t                       error;
    gh_decide_input_t                input;
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

    ngx_memzero(&input, sizeof(gh_decide_input_t));

    input.identity = &ctx->identity;
    input.node = ngx_http_gatehouse_str(gmcf->node);
    input.now_ms = ngx_http_gatehouse_now_ms();
    input.cells = ngx_http_gatehouse_cells();

    if (gh_decide_models(image, &input, &ctx->arena, &names, &count) != GH_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    json = gh_answer_models(&ctx->arena, names, count);
    if (json.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_gatehouse_send_json(r, json);
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


/* The whole route has one deadline until its answer is committed. */
static void
ngx_http_gatehouse_deadline(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_gatehouse_ctx_t  *ctx = ev->data;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);
    ngx_log_error(NGX_LOG_WARN, c->log, 0,
                  "gatehouse: the route's time is over");

    ctx->closed = 1;
    ngx_http_gatehouse_end_upstream(r);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_gatehouse_upstream(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_upstream_t             *u;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    ctx->attempts = ngx_pcalloc(r->pool, NGX_HTTP_GATEHOUSE_STEPS
                                * sizeof(ngx_http_gatehouse_attempt_t));
    if (ctx->attempts == NULL || ngx_http_upstream_create(r) != NGX_OK) {
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

    ctx->deadline.handler = ngx_http_gatehouse_deadline;
    ctx->deadline.data = ctx;
    ctx->deadline.log = r->connection->log;
    /* the body's own time is nginx's to bound: the route begins now */

    ctx->begun = ngx_current_msec;
    ngx_add_timer(&ctx->deadline, ctx->conf->route_timeout);

    ngx_http_gatehouse_watch_client(r);

    return NGX_OK;
}
