/*
 * The end of a request: its outcome in the record, always from our own state. $status is 200 for a stream that was cut.
 */

#include "ngx_http_gatehouse.h"
#include "ngx_http_gatehouse_sign.h"


ngx_int_t
ngx_http_gatehouse_log_handler(ngx_http_request_t *r)
{
    uint64_t                   ticket;
    ngx_uint_t                 i;
    gh_record_attempt_t        attempts[NGX_HTTP_GATEHOUSE_STEPS];
    gh_record_outcome_t        outcome;
    gh_json_writer_t          *line;
    ngx_http_gatehouse_ctx_t  *ctx;

    if (r != r->main) {
        return NGX_OK;
    }

    ctx = ngx_http_gatehouse_get_ctx(r);

    if (ctx == NULL) {
        return NGX_OK;
    }

    ngx_http_gatehouse_signed_end(r, ctx);
    ngx_http_gatehouse_record_undecided(r, ctx);
    ngx_http_gatehouse_quota_end(ctx);
    ngx_http_gatehouse_tell_rest(ctx);

    if (ctx->logged || (!ctx->decided && !ctx->gap)) {
        return NGX_OK;
    }

    ctx->logged = 1;

    if (!ctx->decided) {
        ngx_http_gatehouse_gap_ended(ctx);
        return NGX_OK;
    }

    ngx_memzero(&outcome, sizeof(gh_record_outcome_t));

    for (i = 0; i < ctx->steps; i++) {
        attempts[i] = ctx->attempts[i]->record;

        if (ngx_http_gatehouse_charged(ctx->attempts[i])) {
            outcome.usage = ctx->attempts[i]->charge.usage;
            outcome.usage_source = ctx->attempts[i]->charge.source;
        }
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
    outcome.more.write = ngx_http_gatehouse_record_charged;
    outcome.more.context = ctx;
    outcome.bytes_out = ctx->bytes_out;

    ngx_http_gatehouse_responses_told(ctx, &outcome.response);

    line = ngx_http_gatehouse_line();
    gh_record_outcome(line, &outcome);

    if (ngx_http_gatehouse_record_later(line, &ticket, r->connection->log)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "gatehouse: the outcome of request %*s is not in the "
                      "record", (size_t) GH_ID_LEN, ctx->id);
    }

    return NGX_OK;
}


/* Has it cost anything, were it 0? */
ngx_uint_t
ngx_http_gatehouse_charged(ngx_http_gatehouse_attempt_t *attempt)
{
    return attempt->charge.source
           && ngx_strcmp(attempt->charge.source, "nothing") != 0;
}
