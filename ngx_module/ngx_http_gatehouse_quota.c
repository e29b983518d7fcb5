/*
 * Limits of a request: what is taken of them and when, and that it is charged or given back exactly once, however the request ends.
 *
 * access: admission, before the body. content: behind the decision, what is the request's and what is the first target's. peer: an attempt is
 * settled when its connection is done with, and the next target is reserved before its request is built. log: the end.
 */

#include "ngx_http_gatehouse.h"


/* lines of refusals before the body that one worker writes in a second: a client in a loop must not fill the disk */
#define NGX_HTTP_GATEHOUSE_LIMITED_LINES  64

#define NGX_HTTP_GATEHOUSE_LIMITED_LOG    10000   /* ms between two words about the ledger's room */

#define NGX_HTTP_GATEHOUSE_LIMITED_LOOK   100     /* ms between two looks through all reservations */


static gh_ledger_t *ngx_http_gatehouse_quota_ledger(
    ngx_http_gatehouse_ctx_t *ctx);
static void ngx_http_gatehouse_record_limited(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
static void ngx_http_gatehouse_quota_alarm(ngx_http_gatehouse_ctx_t *ctx,
    const gh_quota_verdict_t *verdict);
static ngx_int_t ngx_http_gatehouse_undecided_line(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, const char *code, uint64_t skipped,
    void (*more)(gh_json_writer_t *w, const void *context));
static void ngx_http_gatehouse_quota_use(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, gh_quota_use_t *use);


static struct {
    ngx_queue_t   held;            /* ngx_http_gatehouse_ctx_t: admitted, and not at their end */
    uint64_t      second;
    ngx_uint_t    lines;           /* written in it */
    uint64_t      skipped;
    ngx_msec_t    alarmed;
    uint64_t      looked;          /* ms: through all reservations */
    unsigned      ready:1;
    unsigned      alarm:1;
} ngx_http_gatehouse_quota;


/*
 * Before the body: what the key alone decides. NGX_OK: admitted. Else the status of the refusal. Listing models is no use of one.
 */
ngx_int_t
ngx_http_gatehouse_admit(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx)
{
    uint8_t       id[16];
    gh_error_t    error;
    gh_ledger_t  *ledger;

    if (ctx->url.operation == GH_URL_MODELS
        || ctx->url.operation == GH_URL_MODEL || ctx->admitted)
    {
        return NGX_OK;
    }

    if (ngx_http_gatehouse_take_slot(r->connection->log, &error) == NULL) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "policy_unavailable",
                                         "The policy cannot be read.");
    }

    ledger = ngx_http_gatehouse_quota_ledger(ctx);
    (void) gh_uuid_bytes((gh_str_t) { (char *) ctx->id, GH_ID_LEN }, id);

    if (gh_quota_admit(ledger, &ctx->identity, id,
                       ngx_http_gatehouse_now_ms(), &ctx->quota,
                       &ctx->limited)
        != GH_OK)
    {
        ngx_http_gatehouse_record_limited(r, ctx);
        return ngx_http_gatehouse_refuse_limit(r, ctx);
    }

    if (!ngx_http_gatehouse_quota.ready) {
        ngx_http_gatehouse_quota.ready = 1;
        ngx_queue_init(&ngx_http_gatehouse_quota.held);
    }

    ngx_http_gatehouse_quota_alarm(ctx, NULL);

    ctx->admitted = 1;
    ctx->undecided = 1;
    ngx_queue_insert_tail(&ngx_http_gatehouse_quota.held, &ctx->held_in);

    return NGX_OK;
}


/*
 * Behind the decision and in front of its record: the request's own part, and that of the first target that can be asked and that its limits
 * admit, which is ctx->first then. NGX_DECLINED: limits refuse it, ctx->limited says which; nothing is held any more.
 */
ngx_int_t
ngx_http_gatehouse_reserve(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    uint64_t                       now;
    gh_ledger_t                   *ledger;
    ngx_http_gatehouse_attempt_t  *attempt;

    ledger = ngx_http_gatehouse_quota_ledger(ctx);
    now = ngx_http_gatehouse_now_ms();

    ctx->quota.look = now - ngx_http_gatehouse_quota.looked
                      >= NGX_HTTP_GATEHOUSE_LIMITED_LOOK;

    if (gh_quota_reserve_request(ledger, &ctx->intake, ctx->decision.model,
                                 now, &ctx->quota, &ctx->limited)
        != GH_OK)
    {
        ngx_http_gatehouse_quota_alarm(ctx, &ctx->limited);
        return NGX_DECLINED;
    }

    while ((attempt = ngx_http_gatehouse_next_attempt(ctx)) != NULL) {

        if (ngx_http_gatehouse_reserve_attempt(ctx, attempt) == NGX_OK) {
            ctx->first = attempt;
            return NGX_OK;
        }

        attempt->ended = 1;
        ngx_http_gatehouse_tell_nothing(ctx, attempt);
    }

    if (ctx->quota.looked) {
        ngx_http_gatehouse_quota.looked = now;
    }

    if (!ctx->passed_over) {
        /* nobody can be asked now, limits or not: the route says so */
        return NGX_OK;
    }

    gh_quota_undo(ledger, &ctx->quota);

    return NGX_DECLINED;
}


/*
 * What the target of this attempt takes. NGX_DECLINED: its limits do not admit it, which the attempt's error says. One that was reserved
 * already, under the same revision, stays so.
 */
ngx_int_t
ngx_http_gatehouse_reserve_attempt(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    gh_quota_verdict_t  verdict;

    if (attempt->reserved && attempt->reserved == attempt->record.revision) {
        return NGX_OK;
    }

    ngx_http_gatehouse_unreserve(ctx);

    if (gh_quota_reserve_attempt(ngx_http_gatehouse_quota_ledger(ctx),
                                 &ctx->intake, &attempt->facts,
                                 ngx_http_gatehouse_now_ms(), &ctx->quota,
                                 &verdict)
        == GH_OK)
    {
        attempt->reserved = attempt->record.revision;
        ngx_http_gatehouse_quota_alarm(ctx, NULL);
        return NGX_OK;
    }

    ngx_http_gatehouse_quota_alarm(ctx, &verdict);

    attempt->reserved = 0;
    attempt->record.error = verdict.code;

    /* of several refusals the client is told the one that ends first */

    if (!ctx->passed_over
        || (verdict.should_retry && !ctx->limited.should_retry)
        || (verdict.should_retry == ctx->limited.should_retry
            && verdict.status == NGX_HTTP_TOO_MANY_REQUESTS
            && (ctx->limited.status != NGX_HTTP_TOO_MANY_REQUESTS
                || verdict.retry_after_ms < ctx->limited.retry_after_ms)))
    {
        ctx->limited = verdict;
    }

    ctx->passed_over = 1;

    return NGX_DECLINED;
}


/* Of what no byte was sent for: as if it had not been reserved. */
void
ngx_http_gatehouse_unreserve(ngx_http_gatehouse_ctx_t *ctx)
{
    if (ctx->quota.attempting) {
        gh_quota_undo_attempt(ngx_http_gatehouse_quota_ledger(ctx),
                              &ctx->quota);
    }
}


/* Work that the backend does when its answer is long here: nothing that comes tells how much it is. */
static ngx_uint_t
ngx_http_gatehouse_goes_on(ngx_http_gatehouse_ctx_t *ctx)
{
    uint32_t  i;

    for (i = 0; i < ctx->intake.feature_count; i++) {
        if (gh_str_is(ctx->intake.features[i].name, "background")) {
            return 1;
        }
    }

    return 0;
}


/*
 * The attempt is over. sent: bytes of it were handed to the kernel. A provider's error is free, and so is what is done with what is kept; an answer costs what it says, or what came of
 * it; without a status nobody knows what was done, nor what is still to be done in the background: it costs what was reserved.
 */
void
ngx_http_gatehouse_settle(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt,
    ngx_uint_t sent)
{
    ngx_uint_t      status;
    gh_quota_use_t  use;

    if (!ctx->quota.attempting) {
        return;
    }

    status = attempt->record.status;

    if (status == 0 && !sent) {
        ngx_http_gatehouse_unreserve(ctx);
        return;
    }

    ngx_memzero(&use, sizeof(gh_quota_use_t));

    if (ctx->intake.operation != GH_OPERATION_CREATE
        || status >= NGX_HTTP_SPECIAL_RESPONSE
        || ctx->real_status >= NGX_HTTP_BAD_REQUEST)
    {
        use.charge = GH_CHARGE_NOTHING;

    } else if (status >= NGX_HTTP_OK) {
        use.charge = GH_CHARGE_ANSWER;
        ngx_http_gatehouse_quota_use(r, ctx, &use);

        if (!use.usage.reported && ngx_http_gatehouse_goes_on(ctx)) {
            use.charge = GH_CHARGE_RESERVATION;
        }

    } else {
        use.charge = GH_CHARGE_RESERVATION;
    }

    gh_quota_settle_attempt(ngx_http_gatehouse_quota_ledger(ctx),
                            &attempt->facts, &use, &ctx->quota,
                            &attempt->charge);

    attempt->record.charged.write = ngx_http_gatehouse_record_charge;
    attempt->record.charged.context = &attempt->charge;

    if (ctx->quota.over && !ctx->over_said) {
        ctx->over_said = 1;
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: incident over_reserved: request %*s used "
                      "more than was reserved for it", (size_t) GH_ID_LEN,
                      ctx->id);
    }
}


static void
ngx_http_gatehouse_no_piece(void *context, const char *data, size_t len)
{
}


/* What of the answer came, and what it says of its usage. */
static void
ngx_http_gatehouse_quota_use(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, gh_quota_use_t *use)
{
    char          carry[GH_STREAM_CARRY];
    gh_stream_t   held, *stream;

    if (ngx_http_gatehouse_translated(ctx, ngx_http_gatehouse_attempt(ctx))) {
        ngx_http_gatehouse_translate_use(ctx, use);
        return;
    }

    if (gh_hub_traits(ctx->url.client)->walked) {
        ngx_http_gatehouse_responses_use(r, ctx, use);
        return;
    }

    if (!ctx->event_stream) {

        if (ctx->scan && r->upstream->header_sent) {
            use->usage = ctx->scan->usage;
            use->usage.reported = ctx->scan->found;
            use->delivered_bytes = gh_usage_scan_content(ctx->scan);
        }

        return;
    }

    stream = ctx->stream;

    if (!r->upstream->header_sent || stream == NULL) {
        /* it ended before it was committed */
        stream = &held;
        gh_stream_init(stream, ctx->url.client, false, carry);
        gh_stream_feed(stream, ctx->held.data, ctx->held.len,
                       ngx_http_gatehouse_no_piece, NULL);
    }

    use->usage = stream->usage;
    use->usage.reported = stream->usage_seen;
    use->partial = stream->usage_partial;
    use->delivered_bytes = stream->content_bytes;
    use->delivered_events = stream->events;
}


/* Once, whatever ended the request. */
void
ngx_http_gatehouse_quota_end(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_connection_t              *c;
    ngx_http_request_t            *r;
    ngx_http_gatehouse_attempt_t  *attempt;

    if (!ctx->admitted) {
        return;
    }

    ctx->admitted = 0;
    ngx_queue_remove(&ctx->held_in);

    if (ctx->quota.attempting) {
        r = ctx->request;
        attempt = ngx_http_gatehouse_attempt(ctx);

        if (attempt && attempt->dispatched && !attempt->ended) {
            /* the worker ends before its requests */
            c = r->upstream->peer.connection;
            ngx_http_gatehouse_settle(r, ctx, attempt, c && c->sent);

        } else {
            ngx_http_gatehouse_unreserve(ctx);
        }
    }

    gh_quota_end(ngx_http_gatehouse_quota_ledger(ctx), &ctx->quota);
}


/* The worker is told to stop at once: what its requests hold is settled on what they came to, and they get their outcomes. */
void
ngx_http_gatehouse_quota_exit(void)
{
    ngx_http_request_t        *r;
    ngx_http_gatehouse_ctx_t  *ctx;

    while (ngx_http_gatehouse_quota.ready
           && !ngx_queue_empty(&ngx_http_gatehouse_quota.held))
    {
        ctx = ngx_queue_data(ngx_queue_head(&ngx_http_gatehouse_quota.held),
                             ngx_http_gatehouse_ctx_t, held_in);
        r = ctx->request;

        if (ctx->end == NULL) {
            ctx->end = ctx->client_left ? "client_left"
                       : r->header_sent ? "cut" : "failed";
        }

        ngx_http_gatehouse_quota_end(ctx);
        (void) ngx_http_gatehouse_log_handler(r);
    }
}


/* The ledger that counts now. NULL: there is none, budgets are refused then. */
static gh_ledger_t *
ngx_http_gatehouse_quota_ledger(ngx_http_gatehouse_ctx_t *ctx)
{
    uint32_t      number;
    gh_ledger_t  *ledger;

    ledger = ngx_http_gatehouse_held_ledger(&number);

    if (ctx->ledger != number) {
        /* what was held before stands in a file that nobody counts in any more */
        ctx->ledger = number;
        ctx->quota.admission.serial = 0;
        ctx->quota.request.serial = 0;
        ctx->quota.attempt.serial = 0;
    }

    return ledger;
}


/*
 * A ledger without room refuses budgets and lets the others pass uncounted: neither goes unsaid. verdict: of a refusal; NULL: it was let pass.
 */
static void
ngx_http_gatehouse_quota_alarm(ngx_http_gatehouse_ctx_t *ctx,
    const gh_quota_verdict_t *verdict)
{
    if (verdict ? ngx_strcmp(verdict->code, "ledger_full") != 0
                : !ctx->quota.skipped)
    {
        return;
    }

    if (ngx_http_gatehouse_quota.alarm
        && ngx_current_msec - ngx_http_gatehouse_quota.alarmed
           < NGX_HTTP_GATEHOUSE_LIMITED_LOG)
    {
        return;
    }

    ngx_http_gatehouse_quota.alarm = 1;
    ngx_http_gatehouse_quota.alarmed = ngx_current_msec;

    ngx_log_error(NGX_LOG_ALERT, ctx->request->connection->log, 0,
                  "gatehouse: the ledger has no room for another counter: "
                  "budgets are refused, what other limits count is left out; "
                  "\"gatehouse ledger grow\" makes it larger");
}


ngx_int_t
ngx_http_gatehouse_refuse_limit(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    gh_str_t  message;

    message = gh_quota_message(&ctx->quota, &ctx->limited, &ctx->arena);

    return ngx_http_gatehouse_refuse(r, ctx, ctx->limited.status,
                                     ctx->limited.code, "%*s (request %*s)",
                                     message.len, message.data,
                                     (size_t) GH_ID_LEN, ctx->id);
}


/*
 * What the backend said of its account, where that is one tenant's own: then it is this one's. Others would read in it what their neighbours do. Of an
 * answer that is the backend's alone.
 */
static const gh_record_said_t *
ngx_http_gatehouse_allowances(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_gatehouse_attempt_t  *attempt;

    if (ctx->steps == 0 || ctx->error_code) {
        return NULL;
    }

    attempt = ngx_http_gatehouse_attempt(ctx);

    return attempt->facts.one_tenant ? attempt->record.said : NULL;
}


/*
 * On every answer to a key that has limits: what they are and what is left. What was not taken of is looked up. Where it has no limit of a kind, what the
 * backend's account has left of it, if that may be told.
 */
ngx_int_t
ngx_http_gatehouse_limit_headers(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    uint64_t                   now;
    unsigned                   i, count;
    ngx_str_t                  name, value;
    gh_ledger_t               *ledger;
    gh_quota_header_t          headers[GH_QUOTA_HEADERS];
    const gh_record_said_t    *said;
    const gh_quota_verdict_t  *verdict;

    if (!ctx->identified) {
        return NGX_OK;
    }

    verdict = ctx->error_code && ctx->error_code == ctx->limited.code
              ? &ctx->limited : NULL;

    said = ngx_http_gatehouse_allowances(ctx);

    if (ctx->identity.limits.count == 0 && verdict == NULL && said == NULL) {
        return NGX_OK;
    }

    now = ngx_http_gatehouse_now_ms();
    ledger = ngx_http_gatehouse_quota_ledger(ctx);

    if (ledger && ctx->identity.limits.count) {
        gh_quota_look(ledger, &ctx->identity, now, &ctx->quota);
    }

    count = gh_quota_headers(&ctx->quota, verdict, said,
                             gh_hub_traits(ctx->url.client)->limits,
                             now, &ctx->arena, headers);

    for (i = 0; i < count; i++) {
        name.data = (u_char *) headers[i].name.data;
        name.len = headers[i].name.len;
        value.data = (u_char *) headers[i].value.data;
        value.len = headers[i].value.len;

        if (ngx_http_gatehouse_add_header(r, &name, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* ---- members of the record's lines ---- */

void
ngx_http_gatehouse_record_reserve(gh_json_writer_t *w, const void *context)
{
    const ngx_http_gatehouse_ctx_t  *ctx = context;

    gh_quota_record_reserve(w, &ctx->quota);
}


void
ngx_http_gatehouse_record_reserve_attempt(gh_json_writer_t *w,
    const void *context)
{
    const ngx_http_gatehouse_ctx_t  *ctx = context;

    gh_quota_record_reserve_attempt(w, &ctx->quota);
}


void
ngx_http_gatehouse_record_limit(gh_json_writer_t *w, const void *context)
{
    const ngx_http_gatehouse_ctx_t  *ctx = context;

    gh_quota_record_limit(w, &ctx->quota, &ctx->limited);
}


void
ngx_http_gatehouse_record_charge(gh_json_writer_t *w, const void *context)
{
    gh_quota_record_charge(w, context);
}


void
ngx_http_gatehouse_record_charged(gh_json_writer_t *w, const void *context)
{
    const ngx_http_gatehouse_ctx_t  *ctx = context;

    gh_quota_record_charged(w, &ctx->quota);
}


/* Nothing was sent and nothing will be: that it is not in the record, when that is so, changes nothing for the client. */
static void
ngx_http_gatehouse_record_limited(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    uint64_t  now;

    ngx_http_gatehouse_quota_alarm(ctx, &ctx->limited);

    now = ngx_http_gatehouse_now_ms();

    if (ngx_http_gatehouse_quota.second != now / 1000) {
        ngx_http_gatehouse_quota.second = now / 1000;
        ngx_http_gatehouse_quota.lines = 0;
    }

    if (ngx_http_gatehouse_quota.lines++ >= NGX_HTTP_GATEHOUSE_LIMITED_LINES) {
        ngx_http_gatehouse_quota.skipped++;
        return;
    }

    if (ngx_http_gatehouse_undecided_line(r, ctx, ctx->limited.code,
                                          ngx_http_gatehouse_quota.skipped,
                                          ngx_http_gatehouse_record_limit)
        == NGX_OK)
    {
        ngx_http_gatehouse_quota.skipped = 0;
    }
}


/*
 * It was admitted, so it counts, and ended without a decision: its body was refused, or never came whole. ctx->end: nginx is told to stop at
 * once.
 */
void
ngx_http_gatehouse_record_undecided(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    if (!ctx->undecided) {
        return;
    }

    ctx->undecided = 0;

    (void) ngx_http_gatehouse_undecided_line(r, ctx,
                                       ctx->error_code ? ctx->error_code
                                       : ctx->end ? "stopped" : "client_left",
                                       0, ngx_http_gatehouse_record_reserve);
}


static ngx_int_t
ngx_http_gatehouse_undecided_line(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, const char *code, uint64_t skipped,
    void (*more)(gh_json_writer_t *w, const void *context))
{
    gh_json_writer_t       *line;
    gh_record_undecided_t   undecided;

    ngx_memzero(&undecided, sizeof(gh_record_undecided_t));

    undecided.id = (gh_str_t) { (char *) ctx->id, GH_ID_LEN };
    undecided.now_ms = ngx_http_gatehouse_now_ms();
    undecided.node = ngx_http_gatehouse_str(
                                    ngx_http_gatehouse_worker_conf()->node);
    undecided.identity = &ctx->identity;
    undecided.endpoint = ctx->url.endpoint;
    undecided.operation = ctx->url.kept;
    undecided.unopened = &ctx->intake.unopened;
    undecided.code = code;
    undecided.skipped = skipped;
    undecided.more.write = more;
    undecided.more.context = ctx;

    line = ngx_http_gatehouse_line();
    gh_record_undecided(line, &undecided);

    return ngx_http_gatehouse_record(line, r->connection->log);
}
