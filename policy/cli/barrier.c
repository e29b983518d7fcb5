#include "policy/cli/barrier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WAIT_DEFAULT_MS 10000
#define WAIT_MAX_S      86400

/* --wait SECONDS, whole or with a fraction of up to three digits. */
static int
read_wait(gh_cli_barrier_t *barrier)
{
    const char *text = gh_cli_value(barrier->cli, "wait"), *p = text;
    uint64_t    seconds = 0, milli = 0, place = 100;

    barrier->wait_ms = WAIT_DEFAULT_MS;
    if (text == NULL) {
        return GH_EXIT_DONE;
    }
    for (; *p >= '0' && *p <= '9' && seconds <= WAIT_MAX_S; p++) {
        seconds = seconds * 10 + (uint64_t) (*p - '0');
    }
    if (p > text && *p == '.') {
        for (p++; *p >= '0' && *p <= '9' && place > 0; p++, place /= 10) {
            milli += (uint64_t) (*p - '0') * place;
        }
    }
    if (p == text || *p != '\0' || seconds > WAIT_MAX_S) {
        return gh_cli_misuse(barrier->cli, "--wait takes seconds, from 0 to %d, not \"%s\"", WAIT_MAX_S, text);
    }
    barrier->wait_ms = seconds * 1000 + milli;
    return GH_EXIT_DONE;
}

static int
fail_ledger(gh_cli_t *cli, const gh_error_t *error)
{
    gh_cli_fail_error(cli, error);
    if (strcmp(error->code, "ledger_denied") == 0) {
        gh_cli_advise("run this as root or as the owner of %s; `gatehouse init%s` repairs owners and modes", gh_cli_ledger(cli),
            gh_cli_init_words(cli));
    } else {
        gh_cli_advise("gatehouse init%s   (nothing was changed; without their ledger it cannot be known that workers obey)",
            gh_cli_init_words(cli));
    }
    return GH_EXIT_ERROR;
}

/* The ids in the head of the store, which is read for them. */
static int
check_ids(gh_cli_barrier_t *barrier, gh_error_t *error)
{
    uint64_t revision;
    unsigned tries = 0;

    while (gh_store_revision_number(barrier->store, &revision, error) != GH_OK) {
        if (!gh_cli_again(error, &tries)) {
            return gh_cli_fail_store(barrier->cli, error);
        }
    }
    if (gh_ledger_check(barrier->ledger, gh_store_id(barrier->store), gh_store_ledger_id(barrier->store), error) != GH_OK
        || gh_barrier_look(barrier->ledger, barrier->cli->arena, &barrier->before, error) != GH_OK)
    {
        return fail_ledger(barrier->cli, error);
    }
    return GH_EXIT_DONE;
}

static int
read_options(gh_cli_t *cli, gh_store_t *store, gh_cli_barrier_t *barrier)
{
    *barrier = (gh_cli_barrier_t) { .cli = cli, .store = store, .let_finish = gh_cli_flag(cli, "let-finish") };
    barrier->told = barrier->let_finish || gh_cli_flag(cli, "cut");

    if (barrier->let_finish && gh_cli_flag(cli, "cut")) {
        return gh_cli_misuse(cli, "--cut and --let-finish are two different things: say one of them");
    }
    return read_wait(barrier);
}

int
gh_cli_barrier_begin_lost(gh_cli_t *cli, gh_cli_barrier_t *barrier)
{
    gh_error_t error = { 0 };
    int        status = read_options(cli, NULL, barrier);

    if (status != GH_EXIT_DONE) {
        return status;
    }
    barrier->ledger = gh_ledger_open(gh_cli_ledger(cli), true, &error);
    if (barrier->ledger == NULL) {
        return strcmp(error.code, "ledger_missing") == 0 ? GH_EXIT_DONE : fail_ledger(cli, &error);
    }
    if (gh_barrier_look(barrier->ledger, cli->arena, &barrier->before, &error) != GH_OK) {
        gh_cli_barrier_end(barrier);
        return fail_ledger(cli, &error);
    }
    return GH_EXIT_DONE;
}

int
gh_cli_barrier_begin(gh_cli_t *cli, gh_store_t *store, gh_cli_barrier_t *barrier)
{
    gh_error_t error = { 0 };
    int        status = read_options(cli, store, barrier);

    if (status != GH_EXIT_DONE) {
        return status;
    }
    barrier->ledger = gh_ledger_open(gh_cli_ledger(cli), true, &error);
    if (barrier->ledger == NULL) {
        return fail_ledger(cli, &error);
    }
    status = check_ids(barrier, &error);
    if (status != GH_EXIT_DONE) {
        gh_cli_barrier_end(barrier);
    }
    return status;
}

void
gh_cli_barrier_end(gh_cli_barrier_t *barrier)
{
    gh_ledger_close(barrier->ledger);
    barrier->ledger = NULL;
}

/* "3 (worker 12: 2, worker 14: 1)" of those that have any; at most 8 are named. */
static gh_str_t
name_numbers(const gh_cli_barrier_t *barrier, const gh_barrier_report_t *report, bool unknown)
{
    gh_str_t text = GH_STR("");
    size_t   named = 0;

    for (size_t i = 0; i < report->count && text.data != NULL; i++) {
        const gh_barrier_worker_t *worker = &report->workers[i];
        uint32_t                   number = unknown ? (worker->waits_for != NULL ? worker->running : 0) : worker->forbidden;

        if (number > 0 && named++ < 8) {
            text = gh_str_format(barrier->cli->arena, "%.*s%sworker %u: %u", GH_STR_ARG(text), named == 1 ? "" : ", ", worker->pid,
                number);
        }
    }
    return text;
}

int
gh_cli_barrier_propose(gh_cli_barrier_t *barrier, gh_cli_propose_fn show, void *context, gh_error_t *error)
{
    gh_barrier_report_t report;
    gh_error_t          ignored = { 0 };
    gh_str_t            names;
    uint64_t            number = 0, running = 0, forbidden;
    int                 rc;

    if (barrier->told) {
        return GH_OK;
    }
    if (gh_barrier_look(barrier->ledger, barrier->cli->arena, &report, error) != GH_OK) {
        return GH_ERROR;
    }
    for (size_t i = 0; i < report.count; i++) {
        running += report.workers[i].running;
    }
    if (running == 0) {
        return GH_OK;
    }
    while (number == 0) {
        if (getrandom(&number, sizeof(number), 0) != (ssize_t) sizeof(number)) {
            return gh_error_set(error, "store_busy", "the system gives no random bytes");
        }
    }
    if (show(context, number, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = gh_barrier_propose(barrier->ledger, number, gh_store_inode(barrier->store), barrier->wait_ms, barrier->cli->arena, &report,
        error);
    gh_store_propose_end(barrier->store, gh_cli_now_ms(), &ignored);
    if (rc != GH_OK) {
        return GH_ERROR;
    }
    forbidden = gh_barrier_forbidden(&report);
    if (forbidden > 0) {
        names = name_numbers(barrier, &report, false);
        return gh_error_set(error, "running", "%llu running dispatch%s would be forbidden (%.*s)", (unsigned long long) forbidden,
            forbidden == 1 ? "" : "es", GH_STR_ARG(names));
    }
    if (report.waiting > 0) {
        names = name_numbers(barrier, &report, true);
        return gh_error_set(error, "running", "%zu worker%s did not say in time which running dispatches would be forbidden (%.*s)",
            report.waiting, report.waiting == 1 ? "" : "s", GH_STR_ARG(names));
    }
    return GH_OK;
}

static void
name_waiting(const gh_cli_barrier_t *barrier, const char *what)
{
    for (size_t i = 0; i < barrier->after.count; i++) {
        const gh_barrier_worker_t *worker = &barrier->after.workers[i];

        if (worker->waits_for != NULL) {
            gh_cli_fail(barrier->cli, "%s is in force, but worker %u has not confirmed it: %s (slot %u, window %llu, judged up to "
                "transaction %llu)", what, worker->pid, worker->waits_for, worker->slot, (unsigned long long) worker->window,
                (unsigned long long) worker->swept);
        }
    }
    gh_cli_advise("gatehouse policy wait%s", gh_cli_store_words(barrier->cli));
}

static int
wait_for(gh_cli_barrier_t *barrier, uint64_t transaction, const char *what)
{
    gh_error_t error = { 0 };

    if (gh_barrier_wait(barrier->ledger, transaction, gh_store_inode(barrier->store), barrier->wait_ms, barrier->cli->arena,
            &barrier->after, &error) != GH_OK)
    {
        gh_cli_fail(barrier->cli, "%s is in force, but it cannot be seen whether workers obey: %s", what, error.text);
        return GH_EXIT_UNOBEYED;
    }
    barrier->obeyed = barrier->after.waiting == 0;
    if (!barrier->obeyed) {
        name_waiting(barrier, what);
        return GH_EXIT_UNOBEYED;
    }
    return GH_EXIT_DONE;
}

int
gh_cli_barrier_obeyed(gh_cli_barrier_t *barrier, const char *what)
{
    gh_barrier_announce(barrier->ledger, gh_store_committed(barrier->store));
    return wait_for(barrier, gh_store_committed(barrier->store), what);
}

int
gh_cli_barrier_obeyed_revision(gh_cli_barrier_t *barrier, uint64_t revision)
{
    gh_str_t what = gh_str_format(barrier->cli->arena, "revision %llu", (unsigned long long) revision);

    return gh_cli_barrier_obeyed(barrier, what.data ? what.data : "the revision");
}

int
gh_cli_barrier_again(gh_cli_barrier_t *barrier, const char *what)
{
    gh_error_t error = { 0 };
    uint64_t   revision;

    if (gh_store_revision_number(barrier->store, &revision, &error) != GH_OK) {
        gh_cli_fail_store(barrier->cli, &error);
        return GH_EXIT_UNOBEYED;
    }
    gh_barrier_announce(barrier->ledger, gh_store_snapshot(barrier->store));
    return wait_for(barrier, gh_store_snapshot(barrier->store), what);
}

void
gh_cli_barrier_print(const gh_cli_barrier_t *barrier)
{
    uint64_t cut = gh_barrier_cut(barrier->ledger, &barrier->before, &barrier->after), finishing = gh_barrier_finishing(&barrier->after);
    size_t   count = barrier->after.count;

    if (count == 0) {
        return;
    }
    if (barrier->obeyed) {
        printf("obeyed by %zu worker%s; ", count, count == 1 ? "" : "s");
    } else {
        printf("not confirmed by %zu of %zu worker%s; ", barrier->after.waiting, count, count == 1 ? "" : "s");
    }
    printf("%llu dispatch%s cut, %llu left to finish\n", (unsigned long long) cut, cut == 1 ? "" : "es", (unsigned long long) finishing);
}

static json_t *
waiting_json(const gh_cli_barrier_t *barrier)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < barrier->after.count; i++) {
        const gh_barrier_worker_t *worker = &barrier->after.workers[i];

        if (worker->waits_for != NULL
            && json_array_append_new(list, json_pack("{s:I, s:I, s:s}", "pid", (json_int_t) worker->pid, "slot",
                   (json_int_t) worker->slot, "reason", worker->waits_for)) != 0)
        {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *
gh_cli_barrier_json(const gh_cli_barrier_t *barrier, json_t *object)
{
    json_t *waiting = waiting_json(barrier);
    json_t *more = waiting == NULL ? NULL : json_pack("{s:b, s:I, s:I, s:I, s:o}", "obeyed", barrier->obeyed, "workers",
        (json_int_t) barrier->after.count, "cut", (json_int_t) gh_barrier_cut(barrier->ledger, &barrier->before, &barrier->after), "finishing",
        (json_int_t) gh_barrier_finishing(&barrier->after), "waiting", waiting);

    if (object == NULL || more == NULL || json_object_update(object, more) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(more);
    return object;
}
