/*
 * The end of a request: its outcome in the record, always from our own state. $status is 200 for a stream that was cut.
 */

#include "ngx_http_gatehouse.h"


ngx_int_t
ngx_http_gatehouse_log_handler(ngx_http_request_t *r)
{
    ngx_uint_t                 i;
    gh_record_attempt_t        attempts[NGX_HTTP_GATEHOUSE_STEPS];
    gh_record_outcome_t        outcome;
    gh_json_writer_t          *line;
    ngx_http_gatehouse_ctx_t  *ctx;

    if (r != r->main) {
        return NGX_OK;
    }

    ctx = ngx_http_gatehouse_get_ctx(r);

    if (ctx == NULL || !ctx->decided || ctx->logged) {
        return NGX_OK;
    }

    ctx->logged = 1;

    ngx_memzero(&outcome, sizeof(gh_record_outcome_t));

    for (i = 0; i < ctx->steps; i++) {
        attempts[i] = ctx->attempts[i].record;
    }

    outcome.id = (gh_str_t) { (char *) ctx->id, GH_ID_LEN };
    outcome.now_ms = ngx_http_gatehouse_now_ms();
    outcome.status = ctx->client_left && !r->header_sent
                     ? NGX_HTTP_CLIENT_CLOSED_REQUEST
                     : r->err_status ? r->err_status : r->headers_out.status;
    outcome.code = ctx->error_code;
    outcome.end = ctx->end ? ctx->end : ctx->client_left ? "client_left"
                                                         : "failed";
    outcome.attempts = attempts;
    outcome.attempt_count = ctx->steps;
    outcome.usage = *ngx_http_gatehouse_usage(ctx);
    outcome.bytes_out = ctx->bytes_out;

    line = ngx_http_gatehouse_line();
    gh_record_outcome(line, &outcome);

    if (ngx_http_gatehouse_record(line, r->connection->log) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "gatehouse: the outcome of request %*s is not in the "
                      "record", (size_t) GH_ID_LEN, ctx->id);
    }

    return NGX_OK;
}


/* What the backend reported; reported is false when it said nothing. */
const gh_usage_t *
ngx_http_gatehouse_usage(ngx_http_gatehouse_ctx_t *ctx)
{
    static const gh_usage_t  none;

    if (ctx->event_stream && ctx->stream.usage_seen) {
        return &ctx->stream.usage;
    }

    if (ctx->scan && ctx->scan->found) {
        return &ctx->scan->usage;
    }

    return &none;
}
