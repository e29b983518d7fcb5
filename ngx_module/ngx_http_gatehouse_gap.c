/*
 * Requests that are sent though their lines cannot be written: those of tenants whose audit mode is best-effort. They are counted in this worker's
 * slot of the ledger before they are sent, and told by one line of the record as soon as there can be one, in front of any other decision.
 */

#include "ngx_http_gatehouse.h"

#include "policy/audit/gap.h"
#include "policy/audit/mode.h"


#define NGX_HTTP_GATEHOUSE_GAP_LOG  1000    /* ms */


static void ngx_http_gatehouse_gap_tell(void);
static void ngx_http_gatehouse_gap_say(ngx_http_gatehouse_ctx_t *ctx);


static struct {
    gh_gap_t          gap;          /* no line has it yet */
    gh_ledger_gap_t   unsynced;     /* a line has it that is not on the disk yet: it stays in the slot */
    uint64_t          ticket;       /* of that line; 0: none */
    uint64_t          sent;         /* since the worker's start */
    uint64_t          said;         /* of these, in the log */
    ngx_msec_t        logged;
    uint32_t          ledger;       /* whose slot has it */
    char              line[GH_GAP_LINE];
} ngx_http_gatehouse_gaps;


/* May this request be sent without its line? */
static ngx_uint_t
ngx_http_gatehouse_gap_may(ngx_http_gatehouse_ctx_t *ctx)
{
    /* what cannot be counted where a death does not lose it is not sent */

    return ctx->identity.audit == GH_AUDIT_BEST_EFFORT
           && ngx_http_gatehouse_held_slot() != NULL;
}


/* The decision is not in the record. NGX_OK: it is counted, and the request may be sent; NGX_DECLINED: it must not. */
ngx_int_t
ngx_http_gatehouse_gap_request(ngx_http_gatehouse_ctx_t *ctx)
{
    if (!ngx_http_gatehouse_gap_may(ctx)) {
        return NGX_DECLINED;
    }

    gh_gap_request(&ngx_http_gatehouse_gaps.gap, ctx->identity.org,
                   ctx->identity.tenant, ngx_http_gatehouse_now_ms());

    ctx->gap = 1;
    ngx_http_gatehouse_sync_line(ctx, 0);
    ngx_http_gatehouse_gap_tell();
    ngx_http_gatehouse_gap_say(ctx);

    return NGX_OK;
}


/* Likewise of a further attempt. */
ngx_int_t
ngx_http_gatehouse_gap_attempt(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_gatehouse_attempt_t  *attempt;

    if (!ngx_http_gatehouse_gap_may(ctx)) {
        return NGX_DECLINED;
    }

    gh_gap_attempt(&ngx_http_gatehouse_gaps.gap, ctx->identity.org,
                   ctx->identity.tenant, ngx_http_gatehouse_now_ms());

    attempt = ngx_http_gatehouse_attempt(ctx);

    if (attempt) {
        attempt->gap = 1;
    }

    ngx_http_gatehouse_sync_line(ctx, 0);
    ngx_http_gatehouse_gap_tell();
    ngx_http_gatehouse_gap_say(ctx);

    return NGX_OK;
}


/*
 * An edit asks for the line of what a gap let go, before anything of it was sent: it must not be. ctx says so then, and the route is over. What
 * has begun was sent when it might be.
 */
ngx_uint_t
ngx_http_gatehouse_gap_over(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    if (ctx->identity.audit == GH_AUDIT_BEST_EFFORT || attempt->begun
        || (!ctx->gap && !attempt->gap))
    {
        return 0;
    }

    attempt->record.error = "audit_unavailable";
    ctx->unrecorded = 1;
    ctx->closed = 1;

    return 1;
}


/* A request without a decision has ended: no outcome says what it was charged. */
void
ngx_http_gatehouse_gap_ended(ngx_http_gatehouse_ctx_t *ctx)
{
    gh_gap_ended(&ngx_http_gatehouse_gaps.gap, ctx->identity.org,
                 ctx->identity.tenant, &ctx->quota.charged);
}


/* All of it, in this worker's slot. Another slot than before has nothing of it yet, perhaps something that another worker left. */
static void
ngx_http_gatehouse_gap_tell(void)
{
    uint32_t          number;
    gh_slot_t        *slot;
    gh_ledger_gap_t   left, gap;

    slot = ngx_http_gatehouse_held_slot();
    (void) ngx_http_gatehouse_held_ledger(&number);

    if (slot == NULL) {
        return;
    }

    if (ngx_http_gatehouse_gaps.ledger != number) {
        ngx_http_gatehouse_gaps.ledger = number;

        if (gh_slot_gap(slot, &left)) {
            gh_gap_adopt(&ngx_http_gatehouse_gaps.gap, &left);
        }
    }

    gap = gh_gap_of_slot(&ngx_http_gatehouse_gaps.gap);

    if (ngx_http_gatehouse_gaps.ticket) {
        left = ngx_http_gatehouse_gaps.unsynced;
        gap.requests += left.requests;
        gap.attempts += left.attempts;
        gap.from_ms = left.from_ms;
        gap.to_ms = ngx_max(gap.to_ms, left.to_ms);
    }

    gh_slot_gap_set(slot, &gap);
}


static void
ngx_http_gatehouse_gap_say(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_gatehouse_gaps.sent++;

    if (ngx_http_gatehouse_gaps.sent > 1
        && ngx_current_msec - ngx_http_gatehouse_gaps.logged
           < NGX_HTTP_GATEHOUSE_GAP_LOG)
    {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "gatehouse: requests whose audit mode is best-effort are "
                  "sent without a line in the record (%uL since the last "
                  "time that this was said)",
                  ngx_http_gatehouse_gaps.sent - ngx_http_gatehouse_gaps.said);

    ngx_http_gatehouse_gaps.said = ngx_http_gatehouse_gaps.sent;
    ngx_http_gatehouse_gaps.logged = ngx_current_msec;
}


/* A new slot was taken: what is in it of an earlier owner, or what the one before had, is this worker's to tell. */
void
ngx_http_gatehouse_gap_slot(void)
{
    ngx_http_gatehouse_gap_tell();
}


/* Is there something that has to be told in front of the next decision? */
ngx_uint_t
ngx_http_gatehouse_gap_due(void)
{
    return gh_gap_due(&ngx_http_gatehouse_gaps.gap);
}


/* The line, if there is anything to tell. NGX_ERROR: it is not in the record, so nothing else may be. */
ngx_int_t
ngx_http_gatehouse_gap_record(gh_record_t *record, gh_error_t *error)
{
    gh_str_t          body;
    gh_gap_t         *gap;
    gh_ledger_gap_t   told;
    gh_json_writer_t  w;

    gap = &ngx_http_gatehouse_gaps.gap;

    if (!gh_gap_any(gap)) {
        return NGX_OK;
    }

    gh_json_writer_init(&w, ngx_http_gatehouse_gaps.line,
                        sizeof(ngx_http_gatehouse_gaps.line));
    gh_gap_write(&w, gap, ngx_http_gatehouse_now_ms(), ngx_pid, 0);

    body = (gh_str_t) { w.data, w.len };

    if (gh_record_append(record, body, error) != GH_OK) {
        return NGX_ERROR;
    }

    if (gh_gap_due(gap) && gh_record_ticket(record)) {
        told = gh_gap_of_slot(gap);

        if (ngx_http_gatehouse_gaps.ticket) {
            told.requests += ngx_http_gatehouse_gaps.unsynced.requests;
            told.attempts += ngx_http_gatehouse_gaps.unsynced.attempts;
            told.from_ms = ngx_http_gatehouse_gaps.unsynced.from_ms;
        }

        ngx_http_gatehouse_gaps.unsynced = told;
        ngx_http_gatehouse_gaps.ticket = gh_record_ticket(record);
    }

    ngx_memzero(gap, sizeof(gh_gap_t));
    ngx_http_gatehouse_gap_tell();

    return NGX_OK;
}


/* Lines up to this one are on the disk. */
void
ngx_http_gatehouse_gap_synced(uint64_t durable)
{
    if (ngx_http_gatehouse_gaps.ticket
        && ngx_http_gatehouse_gaps.ticket <= durable)
    {
        ngx_http_gatehouse_gaps.ticket = 0;
        ngx_http_gatehouse_gap_tell();
    }
}
