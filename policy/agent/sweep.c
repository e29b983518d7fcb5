#include "policy/agent/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/agent/log.h"
#include "policy/audit/changes.h"
#include "policy/audit/charged.h"
#include "policy/audit/gap.h"
#include "policy/audit/record_mark.h"
#include "policy/audit/recover.h"
#include "policy/ledger/reservation.h"

#define TURN_MS       1000u
#define SOON_MS       10u             /* there was more than one turn could do */
#define WAIT_MS       100u            /* for the lease of a worker that had it before the agent came */
#define LEASE_MS      3000u
#define SLOTS         256u            /* reservations in one turn */
#define BYTES         (256u * 1024)
#define CHANGES       64u
#define SAID_EVERY_MS 10000u
#define DAY_MS        86400000u

struct gh_sweep_s {
    gh_record_options_t record;
    gh_recover_t       *recover;
    gh_changes_t       *changes;
    gh_charged_t        charged;
    uint64_t            until_ms;     /* of the lease; 0: it is another's */
    uint64_t            said_ms;
    const char         *wrong;        /* gh_sweep_wrong */
    uint64_t            wrong_said_ms;
    uint64_t            now_ms;       /* of the turn */
    unsigned            copied;       /* changes, in this turn */
};

gh_sweep_t *
gh_sweep_new(const gh_record_options_t *record)
{
    gh_sweep_t *sweep = calloc(1, sizeof(*sweep));

    if (sweep != NULL) {
        sweep->record = *record;
        sweep->wrong = "";
    }
    return sweep;
}

static void
let_go(gh_sweep_t *sweep)
{
    gh_recover_free(sweep->recover);
    sweep->recover = NULL;
    gh_changes_free(sweep->changes);
    sweep->changes = NULL;
}

void
gh_sweep_free(gh_sweep_t *sweep, gh_ledger_t *ledger)
{
    if (sweep == NULL) {
        return;
    }
    let_go(sweep);
    if (ledger != NULL) {
        gh_ledger_agent_place(ledger, 0, 0);
        gh_ledger_sweep_leave(ledger, &sweep->until_ms);
    }
    free(sweep);
}

const char *
gh_sweep_wrong(const gh_sweep_t *sweep)
{
    return sweep->wrong;
}

bool
gh_sweep_leads(const gh_sweep_t *sweep)
{
    return sweep->until_ms != 0;
}

static void
failed(gh_sweep_t *sweep, const gh_error_t *error)
{
    if (sweep->said_ms == 0 || sweep->now_ms - sweep->said_ms >= SAID_EVERY_MS) {
        sweep->said_ms = sweep->now_ms;
        gh_log_error(GH_LOG_ERROR, "what dead workers or edits left cannot be brought to the record", error, NULL);
    }
}

static void
say_recovered(const gh_recover_report_t *report)
{
    char writers[24], lost[24], torn[24], damaged[24];

    snprintf(writers, sizeof(writers), "%" PRIu64, report->writers);
    snprintf(lost, sizeof(lost), "%" PRIu64, report->lost);
    snprintf(torn, sizeof(torn), "%" PRIu64, report->torn_bytes);
    snprintf(damaged, sizeof(damaged), "%" PRIu64, report->damaged);
    gh_log(GH_LOG_NOTICE, "the record of dead writers was finished", "writers", writers, "lost", lost, "torn_bytes", torn, "damaged", damaged, NULL);
}

/* true: there is more to do soon. */
static bool
sweep_dead(gh_sweep_t *sweep, gh_ledger_t *ledger)
{
    gh_recover_report_t  report = { 0 };
    gh_recover_options_t options = { .record = sweep->record, .recovered_by = (uint64_t) getpid(), .charged = gh_charged_text, .context = &sweep->charged };
    gh_error_t           error = { 0 };
    bool                 left = false, more = false;
    uint64_t             gaps = 0;

    /* first: the lost lines say what was charged */
    if (gh_ledger_sweep(ledger, sweep->now_ms, SLOTS, &left, gh_charged_add, &sweep->charged, &error) != GH_OK) {
        failed(sweep, &error);
    }
    if (sweep->recover == NULL) {
        sweep->recover = gh_recover_new(&options);
        if (sweep->recover == NULL) {
            return left;
        }
    }
    if (gh_recover_step(sweep->recover, sweep->now_ms, BYTES, &more, &report, &error) != GH_OK) {
        failed(sweep, &error);
    }
    if (report.writers != 0 || report.lost != 0) {
        say_recovered(&report);
    }
    if (gh_gaps_finish(ledger, &sweep->record, (uint64_t) getpid(), sweep->now_ms, &gaps, &error) != GH_OK) {
        failed(sweep, &error);
    }
    if (gaps != 0) {
        gh_log(GH_LOG_WARNING, "a dead worker had sent requests without a line in the record: it says so now", NULL);
    }
    return left || more;
}

static int
copy_change(void *context, uint64_t number, gh_str_t entry, gh_error_t *error)
{
    gh_sweep_t *sweep = context;

    if (gh_changes_add(sweep->changes, number, entry, sweep->now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    return ++sweep->copied >= CHANGES;
}

static bool
sweep_changes(gh_sweep_t *sweep, gh_store_t *store)
{
    gh_error_t error = { 0 };
    uint64_t   last;
    bool       held;

    if (sweep->changes == NULL) {
        sweep->changes = gh_changes_new(&sweep->record);
        if (sweep->changes == NULL) {
            return false;
        }
    }
    sweep->copied = 0;
    if (gh_changes_hold(sweep->changes, gh_store_id(store), &held, &last, &error) != GH_OK
        || (held && gh_store_changes(store, last, copy_change, sweep, &error) != GH_OK))
    {
        failed(sweep, &error);
    }
    return sweep->copied >= CHANGES;
}

/* Is the record that this would finish the one that the workers write? They are told; GH_ERROR: it is not. */
static int
look_at_place(gh_sweep_t *sweep, gh_ledger_t *ledger, gh_error_t *error)
{
    gh_record_mark_t own, workers;
    int               rc = GH_OK;

    gh_record_mark(&sweep->record, true, &own);
    gh_ledger_workers_placed(ledger, &workers.node, &workers.audit);
    if (workers.node != 0 && workers.node != own.node) {
        rc = gh_error_set(error, "sweep_node", "the workers are of another node than --node %.*s: gatehouse_node in nginx.conf says of which",
            GH_STR_ARG(sweep->record.node));
    } else if (own.audit == 0) {
        rc = gh_error_set(error, "sweep_denied", "open/ of the audit directory %s%s%s cannot be written by this process: its user has to be allowed to, and ReadWritePaths= of its unit to name it",
            sweep->record.directories[0], sweep->record.directories[1] != NULL ? ", or of " : "", sweep->record.directories[1] != NULL ? sweep->record.directories[1] : "");
    } else if (workers.audit != 0 && workers.audit != own.audit) {
        rc = gh_error_set(error, "sweep_audit", "the workers' audit directories are others than %s%s: --audit has to name each that gatehouse_audit in nginx.conf names",
            sweep->record.directories[0], sweep->record.directories[1] != NULL ? " and the second one" : "");
    }
    gh_ledger_agent_place(ledger, rc == GH_OK ? own.node : 0, rc == GH_OK ? own.audit : 0);
    return rc;
}

/* The workers sweep: that is said when it begins, when the reason changes, and once a day. */
static void
stand_back(gh_sweep_t *sweep, gh_ledger_t *ledger, const gh_error_t *error)
{
    let_go(sweep);
    gh_ledger_sweep_leave(ledger, &sweep->until_ms);
    if (strcmp(sweep->wrong, error->code) != 0 || sweep->now_ms - sweep->wrong_said_ms >= DAY_MS) {
        sweep->wrong_said_ms = sweep->now_ms;
        gh_log_error(GH_LOG_ERROR, "the agent does not sweep, workers do: its record is not theirs", error, NULL);
    }
    sweep->wrong = error->code;
}

uint64_t
gh_sweep_turn(gh_sweep_t *sweep, gh_ledger_t *ledger, gh_store_t *store, uint64_t now_ms)
{
    gh_error_t error = { 0 };
    bool       led = gh_sweep_leads(sweep), more;

    sweep->now_ms = now_ms;
    if (look_at_place(sweep, ledger, &error) != GH_OK) {
        stand_back(sweep, ledger, &error);
        return TURN_MS;
    }
    sweep->wrong = "";
    if (!gh_ledger_sweep_keep(ledger, now_ms, LEASE_MS, &sweep->until_ms)) {
        if (led) {
            let_go(sweep);
            gh_log(GH_LOG_WARNING, "the agent did not come to its turns, and a worker sweeps", NULL);
        }
        return WAIT_MS;
    }
    if (!led) {
        gh_log(GH_LOG_INFO, "the agent sweeps from now on", NULL);
    }
    more = sweep_dead(sweep, ledger);
    if (store != NULL) {
        more |= sweep_changes(sweep, store);
    }
    return more ? SOON_MS : TURN_MS;
}
