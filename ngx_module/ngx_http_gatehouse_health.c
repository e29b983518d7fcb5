/*
 * What is known of backends, in the ledger: by it the route is put into order, a deployment is asked or passed over, and every attempt tells how
 * it ended. Another worker's next request knows; so does the next generation.
 */

#include "ngx_http_gatehouse.h"


#define NGX_HTTP_GATEHOUSE_HEALTH_LOG    10000   /* ms between two words about the ledger's room */
#define NGX_HTTP_GATEHOUSE_HEALTH_CLOCK  500000  /* us by which two clocks may differ: one is read once a turn of the event loop */


static void ngx_http_gatehouse_tell(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_backend_result_t *result);
static void ngx_http_gatehouse_tell_only(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_backend_end_t end,
    uint64_t retry_after_ms);
static int64_t ngx_http_gatehouse_since(
    ngx_http_gatehouse_attempt_t *attempt);
static gh_backend_end_t ngx_http_gatehouse_end_of(
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt,
    ngx_uint_t sent);
static gh_backend_end_t ngx_http_gatehouse_status_end(ngx_uint_t status);


static ngx_msec_t  ngx_http_gatehouse_health_said;


/* NULL: this worker has none, and nothing is known. */
static gh_ledger_t *
ngx_http_gatehouse_health_ledger(void)
{
    uint32_t  number;

    return ngx_http_gatehouse_held_ledger(&number);
}


/* The route of a decision that allows, before anything of it is tried or recorded. */
ngx_int_t
ngx_http_gatehouse_order(ngx_http_gatehouse_ctx_t *ctx, gh_error_t *error)
{
    return gh_order_decide(ctx->image, &ctx->input,
                           ngx_http_gatehouse_health_ledger(), &ctx->arena,
                           &ctx->decision, &ctx->order, error)
           == GH_OK ? NGX_OK : NGX_ERROR;
}


/* Could it be asked? Pure look: no probe is taken. */
ngx_uint_t
ngx_http_gatehouse_ready(ngx_http_gatehouse_ctx_t *ctx, uint32_t target)
{
    gh_ledger_t         *ledger;
    gh_backend_state_t   state;

    ledger = ngx_http_gatehouse_health_ledger();

    if (ledger == NULL) {
        return 1;
    }

    gh_backend_look(ledger, gh_image_backend(ctx->image, target),
                    ngx_http_gatehouse_now_ms(), &state);

    return state.retry_at_ms == 0 && state.breaker != GH_BREAKER_OPEN;
}


/* NULL: it may be asked, as the probe of its breaker perhaps; else why it is passed over. */
const char *
ngx_http_gatehouse_ask(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    uint64_t      now;
    gh_ledger_t  *ledger;

    const char   *refused;

    now = ngx_http_gatehouse_now_ms();
    attempt->health = *gh_image_backend(ctx->image, attempt->target);
    ledger = ngx_http_gatehouse_health_ledger();

    if (ledger == NULL) {
        return NULL;
    }

    refused = ngx_http_gatehouse_refusal_ask(ctx, attempt);

    if (refused) {
        return refused;
    }

    switch (gh_backend_ask(ledger, &attempt->health, ctx->identity.tenant_uid,
                           now))
    {
    case GH_BACKEND_WAITS:
        ngx_http_gatehouse_refusal_tell(ctx, attempt, GH_REFUSAL_NO_WORD);
        return "retry_after";

    case GH_BACKEND_OPEN:
        ngx_http_gatehouse_refusal_tell(ctx, attempt, GH_REFUSAL_NO_WORD);
        return "breaker_open";

    case GH_BACKEND_PROBE:
        attempt->probe = now;
        return NULL;

    default:
        return NULL;
    }
}


/* ms until the first of the route may be asked; 0: now, or nobody knows. */
uint64_t
ngx_http_gatehouse_route_wait(ngx_http_gatehouse_ctx_t *ctx)
{
    uint32_t      i;
    uint64_t      wait, least;
    gh_ledger_t  *ledger;

    ledger = ngx_http_gatehouse_health_ledger();
    least = 0;

    for (i = 0; ledger && i < ctx->decision.route_count; i++) {
        wait = gh_backend_wait_ms(ledger,
                          gh_image_backend(ctx->image, ctx->decision.route[i]),
                          ngx_http_gatehouse_now_ms());

        if (wait == 0) {
            return 0;
        }

        if (least == 0 || wait < least) {
            least = wait;
        }
    }

    return least;
}


static void
ngx_http_gatehouse_tell(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_backend_result_t *result)
{
    gh_ledger_t  *ledger;

    result->probe_ms = attempt->probe;
    result->tenant_uid = ctx->identity.tenant_uid;
    attempt->probe = 0;
    attempt->told = 1;

    if (result->end == GH_BACKEND_ANSWERED) {
        ngx_http_gatehouse_refusal_tell(ctx, attempt, GH_REFUSAL_ACCEPTED);
    }

    ledger = ngx_http_gatehouse_health_ledger();

    if (ledger == NULL
        || gh_backend_tell(ledger, &attempt->health,
                           ngx_http_gatehouse_now_ms(), result))
    {
        return;
    }

    if (ngx_http_gatehouse_health_said
        && ngx_current_msec - ngx_http_gatehouse_health_said
           < NGX_HTTP_GATEHOUSE_HEALTH_LOG)
    {
        return;
    }

    ngx_http_gatehouse_health_said = ngx_current_msec ? ngx_current_msec : 1;

    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                  "gatehouse: the ledger has no room for another backend: "
                  "nothing is remembered of \"%*s\"",
                  attempt->record.deployment.len,
                  attempt->record.deployment.data);
}


/* How it ended and nothing else; retry_after_ms 0: it did not say. */
static void
ngx_http_gatehouse_tell_only(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_backend_end_t end,
    uint64_t retry_after_ms)
{
    gh_backend_result_t  result;

    ngx_memzero(&result, sizeof(gh_backend_result_t));

    result.end = end;
    result.retry_after_ms = retry_after_ms;

    ngx_http_gatehouse_tell(ctx, attempt, &result);
}


/* us since the attempt began. A clock that is set meanwhile must not enter an average: then the event loop's own has it. */
static int64_t
ngx_http_gatehouse_since(ngx_http_gatehouse_attempt_t *attempt)
{
    int64_t  elapsed, steady;

    elapsed = ngx_http_gatehouse_elapsed_us(&attempt->clock);
    steady = (int64_t) (ngx_current_msec - attempt->clock_msec) * 1000;

    return elapsed < steady - NGX_HTTP_GATEHOUSE_HEALTH_CLOCK
           || elapsed > steady + NGX_HTTP_GATEHOUSE_HEALTH_CLOCK
           ? steady : elapsed;
}


/* At the head of an answer that is an error: at once, so that nobody else asks before its Retry-After. wait: ms, 0: it said none. */
void
ngx_http_gatehouse_tell_status(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_uint_t status, uint64_t wait)
{
    ngx_http_gatehouse_tell_only(ctx, attempt,
                                 ngx_http_gatehouse_status_end(status), wait);
}


/* An event of a stream is here: the first one counts. */
void
ngx_http_gatehouse_tell_event(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    gh_backend_result_t  result;

    if (attempt->told || ctx->intake.operation != GH_OPERATION_CREATE) {
        /* how soon it tells what it kept says nothing of its model */
        return;
    }

    ngx_memzero(&result, sizeof(gh_backend_result_t));

    attempt->event_us = ngx_max(ngx_http_gatehouse_since(attempt), 1);

    result.end = GH_BACKEND_ANSWERED;
    result.first_byte_us = attempt->event_us;

    ngx_http_gatehouse_tell(ctx, attempt, &result);
}


/*
 * An attempt is over; sent: bytes of it were handed to the kernel. What was told before is not told twice, but for how a stream went on. A
 * client that took its time says nothing about the backend.
 */
void
ngx_http_gatehouse_tell_end(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_uint_t sent)
{
    uint64_t             output, reasoning;
    ngx_uint_t           reported;
    gh_backend_result_t  result;

    ngx_memzero(&result, sizeof(gh_backend_result_t));

    reported = attempt->charge.source
               && ngx_strcmp(attempt->charge.source, "reported") == 0;
    output = reported ? gh_quota_output(&attempt->charge.usage) : 0;

    if (attempt->told) {

        if (attempt->event_us == 0 || ctx->client_left || ctx->cut
            || attempt->denied)
        {
            return;
        }

        if (ctx->end == NULL || ngx_strcmp(ctx->end, "complete") != 0) {
            result.end = GH_BACKEND_FAILED;

        } else if (reported && !ctx->client_slow) {
            result.end = GH_BACKEND_STREAMED;
            result.stream_us = ngx_max(ngx_http_gatehouse_since(attempt)
                                       - attempt->event_us, 0);

            /* reasoning that is not shown came before the first event */
            reasoning = attempt->charge.usage.reasoning;
            result.output_tokens = output - ngx_min(reasoning, output);

        } else {
            return;
        }

        ngx_http_gatehouse_tell(ctx, attempt, &result);
        return;
    }

    result.end = ngx_http_gatehouse_end_of(ctx, attempt, sent);

    if (result.end == GH_BACKEND_ANSWERED) {
        result.untimed = (ctx->intake.operation != GH_OPERATION_CREATE);
        result.first_byte_us = attempt->record.first_byte_us > 0
                               ? ngx_min(attempt->record.first_byte_us,
                                         ngx_http_gatehouse_since(attempt))
                               : 0;
        result.output_tokens = output;
    }

    ngx_http_gatehouse_tell(ctx, attempt, &result);
}


/* Of one that nothing was told of: a probe that was never sent lets another one be it. */
void
ngx_http_gatehouse_tell_nothing(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    if (attempt->probe) {
        ngx_http_gatehouse_tell_only(ctx, attempt, GH_BACKEND_NO_WORD, 0);
    }

    ngx_http_gatehouse_refusal_tell(ctx, attempt, GH_REFUSAL_NO_WORD);
}


/* It was not even connected to: no address is known. */
void
ngx_http_gatehouse_tell_unreached(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    ngx_http_gatehouse_tell_only(ctx, attempt, GH_BACKEND_UNREACHED, 0);
}


/* Whatever ended the request: no probe of it stays out. */
void
ngx_http_gatehouse_tell_rest(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_uint_t  i;

    for (i = 0; i < ctx->steps; i++) {
        ngx_http_gatehouse_tell_nothing(ctx, ctx->attempts[i]);
    }
}


static gh_backend_end_t
ngx_http_gatehouse_status_end(ngx_uint_t status)
{
    if (status >= 200 && status < 300) {
        return GH_BACKEND_ANSWERED;
    }

    if (status >= 400 && status < 500 && status != NGX_HTTP_REQUEST_TIME_OUT) {
        return GH_BACKEND_REFUSED;
    }

    return GH_BACKEND_FAILED;
}


/* The words are those of the record. */
static gh_backend_end_t
ngx_http_gatehouse_end_of(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_uint_t sent)
{
    const char  *error;

    error = attempt->record.error;

    if (attempt->denied || (ctx->cut && attempt->record.status)) {
        return GH_BACKEND_NO_WORD;
    }

    if (error && ngx_strcmp(error, "error_in_stream") == 0) {
        return ngx_http_gatehouse_status_end(ctx->real_status);
    }

    if (attempt->record.status >= 300) {
        return ngx_http_gatehouse_status_end(attempt->record.status);
    }

    if (ctx->client_left && (attempt->record.status == 0 || ctx->event_stream))
    {
        return GH_BACKEND_NO_WORD;
    }

    if (attempt->record.status) {
        return error || (ctx->end && ngx_strcmp(ctx->end, "cut") == 0)
               ? GH_BACKEND_FAILED : GH_BACKEND_ANSWERED;
    }

    if (error == NULL) {
        return GH_BACKEND_NO_WORD;
    }

    if (ngx_strcmp(error, "refused") == 0 || ngx_strcmp(error, "tls") == 0) {
        return GH_BACKEND_UNREACHED;
    }

    if (ngx_strcmp(error, "timeout") == 0) {

        /* the route's time may be over when this one has hardly begun */

        if (ctx->closed && attempt->record.total_us / 500
                           < (int64_t) ctx->conf->route_timeout)
        {
            return GH_BACKEND_NO_WORD;
        }

        return sent ? GH_BACKEND_FAILED : GH_BACKEND_UNREACHED;
    }

    return sent ? GH_BACKEND_FAILED : GH_BACKEND_NO_WORD;
}
