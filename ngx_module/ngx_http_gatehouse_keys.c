/*
 * Between the workers and the agent: issuers' keys that it fetched are read again when their files have changed, never while a request waits;
 * which keys tokens asked for in vain is told it by a word in the ledger; and that it is gone is said in the log, and said again.
 */

#include "ngx_http_gatehouse.h"


#define NGX_HTTP_GATEHOUSE_KEYS_SAY_MS  60000


/* a worker that has just begun has said nothing */
#define NGX_HTTP_GATEHOUSE_AGENT_UNSAID  0
#define NGX_HTTP_GATEHOUSE_AGENT_GONE    1
#define NGX_HTTP_GATEHOUSE_AGENT_LIVES   2


static struct {
    char        code[32];
    ngx_msec_t  said;
    ngx_uint_t  agent;                 /* what was said of it */
    ngx_msec_t  agent_said;
} ngx_http_gatehouse_keys;


/* A look, from the worker's timer. */
void
ngx_http_gatehouse_keys_look(ngx_log_t *log)
{
    gh_error_t   error;
    gh_store_t  *store;

    store = ngx_http_gatehouse_store(log, &error);
    if (store == NULL) {
        return;
    }

    if (gh_store_look_at_keys(store, ngx_http_gatehouse_now_ms(), &error)) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "gatehouse: keys of issuers have changed");
    }

    if (error.code
        && (ngx_strcmp(ngx_http_gatehouse_keys.code, error.code) != 0
            || ngx_current_msec - ngx_http_gatehouse_keys.said
               >= NGX_HTTP_GATEHOUSE_KEYS_SAY_MS))
    {
        ngx_http_gatehouse_keys.said = ngx_current_msec;
        ngx_cpystrn((u_char *) ngx_http_gatehouse_keys.code,
                    (u_char *) error.code,
                    sizeof(ngx_http_gatehouse_keys.code));
        ngx_log_error(NGX_LOG_ERR, log, 0, "gatehouse: %s: %s", error.source,
                      error.text);
    }

    ngx_http_gatehouse_keys_want(store);
}


/* At once when a token was refused for a key: its issuer may have a new one. */
void
ngx_http_gatehouse_keys_want(gh_store_t *store)
{
    uint64_t      bits;
    gh_ledger_t  *ledger;

    ledger = ngx_http_gatehouse_slot_ledger();
    bits = ledger ? gh_store_keys_wanted(store) : 0;

    if (bits) {
        gh_ledger_keys_want(ledger, bits);
    }
}


/*
 * Said by the worker that sweeps instead: when the agent is gone, again each
 * minute, and when it is there again.
 */
void
ngx_http_gatehouse_keys_agent(ngx_uint_t lives, ngx_uint_t leader,
    gh_ledger_t *ledger, ngx_log_t *log)
{
    uint64_t  gone;
    ngx_tm_t  tm;

    if (lives) {
        if (ngx_http_gatehouse_keys.agent != NGX_HTTP_GATEHOUSE_AGENT_LIVES) {
            ngx_http_gatehouse_keys.agent = NGX_HTTP_GATEHOUSE_AGENT_LIVES;
            ngx_log_error(NGX_LOG_INFO, log, 0, "gatehouse: the agent runs");
        }

        return;
    }

    gone = leader ? gh_ledger_agent_gone_ms(ledger) : 0;

    if (gone == 0
        || (ngx_http_gatehouse_keys.agent == NGX_HTTP_GATEHOUSE_AGENT_GONE
            && ngx_current_msec - ngx_http_gatehouse_keys.agent_said
               < NGX_HTTP_GATEHOUSE_KEYS_SAY_MS))
    {
        return;
    }

    ngx_http_gatehouse_keys.agent = NGX_HTTP_GATEHOUSE_AGENT_GONE;
    ngx_http_gatehouse_keys.agent_said = ngx_current_msec;
    ngx_gmtime((time_t) (gone / 1000), &tm);

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "gatehouse: the agent is gone since "
                  "%4d-%02d-%02dT%02d:%02d:%02dZ: workers sweep, and keys, "
                  "credentials and checkpoints grow old",
                  tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                  tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
}
