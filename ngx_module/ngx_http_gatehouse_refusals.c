/*
 * Backends that refuse their credential: what a worker tells the ledger of it, and asks. The agent hears which credential it was, and fetches
 * it anew.
 */

#include "ngx_http_gatehouse.h"

#include "ngx_module/wire/aws_error.h"


static gh_ledger_t *ngx_http_gatehouse_refusals_ledger(void);
static gh_str_t ngx_http_gatehouse_credential_name(
    ngx_http_gatehouse_backend_t *backend);


/* NULL: this worker has none, and nothing is known. */
static gh_ledger_t *
ngx_http_gatehouse_refusals_ledger(void)
{
    uint32_t  number;

    return ngx_http_gatehouse_held_ledger(&number);
}


/* The agent's name of it: that of its file. */
static gh_str_t
ngx_http_gatehouse_credential_name(ngx_http_gatehouse_backend_t *backend)
{
    size_t  begin;

    begin = backend->credential.len;

    while (begin > 0 && backend->credential.data[begin - 1] != '/') {
        begin--;
    }

    return (gh_str_t) { (char *) backend->credential.data + begin,
                        backend->credential.len - begin };
}


/* Is it out for everybody, and no probe may be sent yet? Pure look. */
ngx_uint_t
ngx_http_gatehouse_refused(ngx_http_gatehouse_backend_t *backend)
{
    gh_ledger_t         *ledger;
    gh_refusal_state_t   state;

    ledger = ngx_http_gatehouse_refusals_ledger();

    if (ledger == NULL || backend->credential.len == 0) {
        return 0;
    }

    gh_refusal_look(ledger, backend->refusals, ngx_http_gatehouse_now_ms(),
                    &state);

    return state.out && state.everybody && state.wait_ms > 0;
}


/* NULL: it may be asked, as the probe perhaps; else why it is passed over. */
const char *
ngx_http_gatehouse_refusal_ask(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    uint64_t      now;
    gh_ledger_t  *ledger;

    ledger = ngx_http_gatehouse_refusals_ledger();

    if (ledger == NULL || attempt->backend->credential.len == 0) {
        return NULL;
    }

    now = ngx_http_gatehouse_now_ms();

    if (gh_refusal_ask(ledger, attempt->backend->refusals,
                       ctx->identity.tenant_uid, now)
        == GH_REFUSAL_OUT)
    {
        ctx->credentials = 1;
        return "credential_refused";
    }

    attempt->asked = now;

    return NULL;
}


/* What came of it; of one that was not asked, or was told before: nothing. */
void
ngx_http_gatehouse_refusal_tell(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_refusal_end_t end)
{
    uint64_t      asked;
    gh_ledger_t  *ledger;

    asked = attempt->asked;
    ledger = asked ? ngx_http_gatehouse_refusals_ledger() : NULL;
    attempt->asked = 0;

    if (ledger == NULL
        || !gh_refusal_tell(ledger, attempt->backend->refusals, end,
                            ctx->identity.tenant_uid, asked,
                            ngx_http_gatehouse_now_ms()))
    {
        return;
    }

    gh_ledger_credentials_refuse(ledger, gh_ledger_credential_bit(
                     ngx_http_gatehouse_credential_name(attempt->backend)));

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "gatehouse: backend \"%V\" goes on refusing its credential: "
                  "it is passed over until a probe is accepted",
                  &attempt->backend->name);
}


/* An error of a backend: is it its credential that it refuses? body: as much as is here. */
void
ngx_http_gatehouse_refusal_status(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_uint_t status, gh_str_t body)
{
    gh_str_t    name;
    ngx_uint_t  aws;

    name = gh_aws_error_name(ngx_http_gatehouse_str(ctx->error_type));

    /* only AWS's own answers have such a name in their head */

    aws = name.len || attempt->backend->signature.len
          || gh_dialect_is(attempt->facts.dialect, GH_HOST_AWS);

    if (gh_credential_refused((int) status, name, body, aws)) {
        ngx_http_gatehouse_refusal_tell(ctx, attempt, GH_REFUSAL_REFUSED);
    }
}


/* This worker has another credential than before: one request may find out at once whether it is good. */
void
ngx_http_gatehouse_refusal_replaced(ngx_http_gatehouse_backend_t *backend)
{
    uint64_t      now;
    gh_ledger_t  *ledger;

    ledger = ngx_http_gatehouse_refusals_ledger();
    now = ngx_http_gatehouse_now_ms();

    if (ledger) {
        (void) gh_refusal_tell(ledger, backend->refusals, GH_REFUSAL_REPLACED,
                               0, now, now);
    }
}
