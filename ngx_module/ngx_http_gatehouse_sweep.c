/*
 * The worker's timer: what dead workers left behind is finished here while no agent lives that would finish this very record. One worker at a time, by the lease in the
 * ledger: reservations of dead slots are charged, and their requests named in the record as lost. What changed in the policy store is copied
 * to the record by whichever worker has that chain. Each turn does a bounded amount of work.
 */

#include "ngx_http_gatehouse.h"
#include "policy/audit/changes.h"
#include "policy/audit/charged.h"
#include "policy/audit/gap.h"
#include "policy/audit/record_mark.h"
#include "policy/audit/recover.h"


#define NGX_HTTP_GATEHOUSE_SWEEP_MS       1000
#define NGX_HTTP_GATEHOUSE_SWEEP_SOON_MS  10         /* there was more than one turn could do */
#define NGX_HTTP_GATEHOUSE_SWEEP_LEASE    900        /* ms: shorter than the timer, so that its holder may go on */
#define NGX_HTTP_GATEHOUSE_SWEEP_SLOTS    256        /* reservations in one turn */
#define NGX_HTTP_GATEHOUSE_SWEEP_BYTES    (256 * 1024)
#define NGX_HTTP_GATEHOUSE_SWEEP_CHANGES  64


static void ngx_http_gatehouse_sweep_handler(ngx_event_t *ev);
static void ngx_http_gatehouse_sweep_leave(void);
static void ngx_http_gatehouse_sweep_place(gh_ledger_t *ledger);
static ngx_uint_t ngx_http_gatehouse_sweep_dead(gh_ledger_t *ledger,
    ngx_log_t *log);
static ngx_uint_t ngx_http_gatehouse_sweep_changes(ngx_uint_t leader,
    ngx_log_t *log);
static int ngx_http_gatehouse_sweep_change(void *context, uint64_t number,
    gh_str_t entry, gh_error_t *error);
static void ngx_http_gatehouse_sweep_failed(gh_error_t *error,
    ngx_log_t *log);


static struct {
    ngx_event_t          timer;
    gh_recover_t        *recover;
    gh_changes_t        *changes;
    gh_charged_t         charged;
    ngx_msec_t           logged;
    ngx_uint_t           copied;       /* changes, in this turn */
    gh_record_mark_t     place;        /* of this worker's record */
    uint32_t             told;         /* number of the ledger that has it */
    unsigned             busy:1;
    unsigned             holds:1;      /* the chain of changes */
} ngx_http_gatehouse_sweeper;


void
ngx_http_gatehouse_sweep_start(ngx_cycle_t *cycle)
{
    static ngx_connection_t  dummy;    /* timers of nginx are printed with one */

    dummy.fd = (ngx_socket_t) -1;

    ngx_http_gatehouse_sweeper.timer.handler = ngx_http_gatehouse_sweep_handler;
    ngx_http_gatehouse_sweeper.timer.data = &dummy;
    ngx_http_gatehouse_sweeper.timer.log = cycle->log;
    ngx_http_gatehouse_sweeper.timer.cancelable = 1;

    ngx_add_timer(&ngx_http_gatehouse_sweeper.timer,
                  NGX_HTTP_GATEHOUSE_SWEEP_MS);
}


/* The worker's end: locks go, and what is half done is for another worker. */
void
ngx_http_gatehouse_sweep_stop(void)
{
    if (ngx_http_gatehouse_sweeper.timer.timer_set) {
        ngx_del_timer(&ngx_http_gatehouse_sweeper.timer);
    }

    ngx_http_gatehouse_sweep_leave();
}


/* What is half done is for the agent, or for another worker. */
static void
ngx_http_gatehouse_sweep_leave(void)
{
    gh_recover_free(ngx_http_gatehouse_sweeper.recover);
    ngx_http_gatehouse_sweeper.recover = NULL;

    gh_changes_free(ngx_http_gatehouse_sweeper.changes);
    ngx_http_gatehouse_sweeper.changes = NULL;

    ngx_http_gatehouse_sweeper.busy = 0;
    ngx_http_gatehouse_sweeper.holds = 0;
}


static void
ngx_http_gatehouse_sweep_handler(ngx_event_t *ev)
{
    ngx_uint_t    leader, lives, more;
    gh_error_t    error;
    gh_ledger_t  *ledger;

    more = 0;

    ngx_http_gatehouse_record_tick(ev->log);

    if (ngx_http_gatehouse_take_slot(ev->log, &error)) {
        ledger = ngx_http_gatehouse_slot_ledger();

        ngx_http_gatehouse_sweep_place(ledger);

        lives = gh_ledger_agent_lives(ledger, ngx_http_gatehouse_now_ms());

        if (gh_ledger_agent_sweeps(ledger, ngx_http_gatehouse_now_ms(),
                                   ngx_http_gatehouse_sweeper.place.node,
                                   ngx_http_gatehouse_sweeper.place.audit))
        {
            ngx_http_gatehouse_sweep_leave();
            leader = 0;

        } else {
            leader = gh_ledger_sweep_lease(ledger, ngx_http_gatehouse_now_ms(),
                                           NGX_HTTP_GATEHOUSE_SWEEP_LEASE);
        }

        ngx_http_gatehouse_keys_agent(lives, leader, ledger, ev->log);

        if (leader || ngx_http_gatehouse_sweeper.busy) {
            more = ngx_http_gatehouse_sweep_dead(ledger, ev->log);
            ngx_http_gatehouse_sweeper.busy = more;
        }

        more |= ngx_http_gatehouse_sweep_changes(leader, ev->log);

        ngx_http_gatehouse_keys_look(ev->log);
    }

    ngx_add_timer(ev, more ? NGX_HTTP_GATEHOUSE_SWEEP_SOON_MS
                           : NGX_HTTP_GATEHOUSE_SWEEP_MS);
}


/*
 * The agent is told which record is written here, so that it leaves the sweep
 * to workers when it knows another one. Only what is new is told: a worker of
 * an older configuration does not say so again.
 */
static void
ngx_http_gatehouse_sweep_place(gh_ledger_t *ledger)
{
    uint32_t              number;
    gh_record_mark_t     place;
    gh_record_options_t   options;

    ngx_http_gatehouse_record_options(&options);
    gh_record_mark(&options, false, &place);

    (void) ngx_http_gatehouse_held_ledger(&number);

    if (ngx_http_gatehouse_sweeper.told == number
        && ngx_http_gatehouse_sweeper.place.node == place.node
        && ngx_http_gatehouse_sweeper.place.audit == place.audit)
    {
        return;
    }

    ngx_http_gatehouse_sweeper.told = number;
    ngx_http_gatehouse_sweeper.place = place;

    gh_ledger_workers_place(ledger, place.node, place.audit);
}


/* Returns 1 when there is more to do soon. */
static ngx_uint_t
ngx_http_gatehouse_sweep_dead(gh_ledger_t *ledger, ngx_log_t *log)
{
    bool                   left, more;
    uint64_t               gaps, now;
    gh_error_t             error;
    gh_record_options_t    options;
    gh_recover_report_t    report;
    gh_recover_options_t   finishes;

    now = ngx_http_gatehouse_now_ms();
    left = false;
    more = false;
    ngx_http_gatehouse_record_options(&options);

    /* first: the lost lines say what was charged */

    gh_error_clear(&error);

    if (gh_ledger_sweep(ledger, now, NGX_HTTP_GATEHOUSE_SWEEP_SLOTS, &left,
                        gh_charged_add, &ngx_http_gatehouse_sweeper.charged,
                        &error)
        != GH_OK)
    {
        ngx_http_gatehouse_sweep_failed(&error, log);
    }

    if (ngx_http_gatehouse_sweeper.recover == NULL) {
        ngx_memzero(&finishes, sizeof(gh_recover_options_t));
        finishes.record = options;
        finishes.recovered_by = ngx_pid;
        finishes.charged = gh_charged_text;
        finishes.context = &ngx_http_gatehouse_sweeper.charged;

        ngx_http_gatehouse_sweeper.recover = gh_recover_new(&finishes);
        if (ngx_http_gatehouse_sweeper.recover == NULL) {
            return 0;
        }
    }

    ngx_memzero(&report, sizeof(gh_recover_report_t));

    if (gh_recover_step(ngx_http_gatehouse_sweeper.recover, now,
                        NGX_HTTP_GATEHOUSE_SWEEP_BYTES, &more, &report, &error)
        != GH_OK)
    {
        ngx_http_gatehouse_sweep_failed(&error, log);
    }

    if (report.writers || report.lost) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "gatehouse: the record of %uL dead writers was finished: "
                      "%uL requests lost, %uL bytes torn, %uL lines damaged",
                      report.writers, report.lost, report.torn_bytes,
                      report.damaged);
    }

    gh_error_clear(&error);
    gaps = 0;

    if (gh_gaps_finish(ledger, &options, ngx_pid, now, &gaps, &error)
        != GH_OK)
    {
        ngx_http_gatehouse_sweep_failed(&error, log);
    }

    if (gaps) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "gatehouse: %uL dead workers had sent requests without "
                      "a line in the record: it says so now", gaps);
    }

    return left || more;
}


static ngx_uint_t
ngx_http_gatehouse_sweep_changes(ngx_uint_t leader, ngx_log_t *log)
{
    bool                  held;
    uint64_t              last;
    gh_error_t            error;
    gh_store_t           *store;
    gh_record_options_t   options;

    if (!leader && !ngx_http_gatehouse_sweeper.holds) {
        return 0;
    }

    store = ngx_http_gatehouse_store(log, &error);
    if (store == NULL) {
        return 0;
    }

    if (ngx_http_gatehouse_sweeper.changes == NULL) {
        ngx_http_gatehouse_record_options(&options);

        ngx_http_gatehouse_sweeper.changes = gh_changes_new(&options);
        if (ngx_http_gatehouse_sweeper.changes == NULL) {
            return 0;
        }
    }

    gh_error_clear(&error);
    ngx_http_gatehouse_sweeper.copied = 0;

    if (gh_changes_hold(ngx_http_gatehouse_sweeper.changes, gh_store_id(store),
                        &held, &last, &error)
        != GH_OK)
    {
        ngx_http_gatehouse_sweeper.holds = 0;
        ngx_http_gatehouse_sweep_failed(&error, log);
        return 0;
    }

    ngx_http_gatehouse_sweeper.holds = held;

    if (held && gh_store_changes(store, last, ngx_http_gatehouse_sweep_change,
                                 NULL, &error)
                != GH_OK)
    {
        ngx_http_gatehouse_sweep_failed(&error, log);
        return 0;
    }

    return ngx_http_gatehouse_sweeper.copied
           >= NGX_HTTP_GATEHOUSE_SWEEP_CHANGES;
}


static int
ngx_http_gatehouse_sweep_change(void *context, uint64_t number, gh_str_t entry,
    gh_error_t *error)
{
    if (gh_changes_add(ngx_http_gatehouse_sweeper.changes, number, entry,
                       ngx_http_gatehouse_now_ms(), error)
        != GH_OK)
    {
        ngx_http_gatehouse_sweeper.holds = 0;
        return GH_ERROR;
    }

    return ++ngx_http_gatehouse_sweeper.copied
           >= NGX_HTTP_GATEHOUSE_SWEEP_CHANGES;
}


static void
ngx_http_gatehouse_sweep_failed(gh_error_t *error, ngx_log_t *log)
{
    if (ngx_http_gatehouse_sweeper.logged
        && ngx_current_msec - ngx_http_gatehouse_sweeper.logged < 10000)
    {
        return;
    }

    ngx_http_gatehouse_sweeper.logged = ngx_current_msec;

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "gatehouse: what dead workers or edits left cannot be "
                  "brought to the record: %s (%s)", error->text,
                  error->code ? error->code : "");
}
