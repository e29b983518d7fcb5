/* The editor's side of the edit barrier. */
#include "policy/ledger/ledger_internal.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#define LOOKS_AT_ONCE  64              /* windows are microseconds long: most are over by the next look */
#define PAUSE_MS_FIRST 1
#define PAUSE_MS_MOST  20

/* What is waited for. */
typedef struct {
    uint64_t transaction, inode;      /* transaction 0: nothing */
    uint64_t proposal;                /* 0: none */
} wanted_t;

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/*
 * NULL: the worker obeys. The window is read before anything else of the slot: one that is closed was closed after its dispatch was counted
 * as running, and one opened later reads policy that is no older than the edit.
 */
static const char *
missing(const gh_barrier_worker_t *worker, const wanted_t *wanted)
{
    if (wanted->proposal != 0) {
        return worker->running == 0 || worker->swept == wanted->proposal ? NULL : "it has not said what the edit would forbid";
    }
    if (wanted->transaction == 0) {
        return NULL;
    }
    if (worker->window == GH_WINDOW_READING) {
        return "it is reading policy and has not said which";
    }
    if (worker->window != GH_WINDOW_CLOSED && worker->store_inode != wanted->inode) {
        return "it is sending under another policy store";
    }
    if (worker->window != GH_WINDOW_CLOSED && worker->window < wanted->transaction) {
        return "it is sending under an older policy";
    }
    if (worker->running > 0 && worker->store_inode != wanted->inode) {
        return "its running dispatches were judged by another policy store";
    }
    if (worker->running > 0 && worker->swept < wanted->transaction) {
        return "its running dispatches have not been judged again";
    }
    return NULL;
}

static void
look_at(const gh_slot_t *slot, uint32_t number, const wanted_t *wanted, gh_barrier_worker_t *worker)
{
    memset(worker, 0, sizeof(*worker));
    worker->slot = number;
    worker->store_inode = gh_slot_get(slot, store_inode);    /* before the window: numbers of another store never pass for this one's */
    worker->window = __atomic_load_n(&slot->window, __ATOMIC_SEQ_CST);
    gh_trace(slot, "scan", worker->window);
    worker->running = gh_slot_get(slot, running);
    worker->swept = wanted->proposal != 0 ? gh_slot_get(slot, proposal_seen) : gh_slot_get(slot, swept);
    worker->forbidden = worker->running > 0 && gh_slot_get(slot, proposal_seen) == wanted->proposal
        ? gh_slot_get(slot, proposal_forbidden) : 0;
    worker->pid = gh_slot_get(slot, pid);
    worker->generation = gh_slot_get(slot, generation);
    worker->start_ms = gh_slot_get(slot, start_ms);
    worker->used_revision = gh_slot_get(slot, used_revision);
    worker->cut = gh_slot_get(slot, cut);
    worker->finishing = gh_slot_get(slot, finishing);
    worker->waits_for = missing(worker, wanted);
}

/* workers: room for every slot. */
static int
scan(const gh_ledger_t *ledger, const wanted_t *wanted, gh_barrier_worker_t *workers, gh_barrier_report_t *report, gh_error_t *error)
{
    uint32_t numbers[GH_LEDGER_SLOTS];
    size_t   live;

    report->waiting = 0;
    if (gh_ledger_live(ledger, numbers, &report->count, error) != GH_OK) {
        return GH_ERROR;
    }
    live = report->count;
    report->count = 0;
    for (size_t i = 0; i < live; i++) {
        gh_barrier_worker_t *worker = &workers[report->count];

        look_at(&ledger->slots[numbers[i]], numbers[i], wanted, worker);
        if (worker->generation != GH_GENERATION_AGENT) {
            report->waiting += worker->waits_for != NULL;
            report->count++;
        }
    }
    report->workers = workers;
    return GH_OK;
}

static int
wait_for(const gh_ledger_t *ledger, const wanted_t *wanted, uint64_t timeout_ms, gh_arena_t *arena, gh_barrier_report_t *report,
    gh_error_t *error)
{
    gh_barrier_worker_t *workers = gh_arena_array(arena, GH_LEDGER_SLOTS, sizeof(*workers));
    uint64_t             begun = now_ms(), pause_ms = PAUSE_MS_FIRST;
    unsigned             looks = 0;

    memset(report, 0, sizeof(*report));
    if (workers == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory to look at the workers");
    }
    for ( ;; ) {
        struct timespec pause = { 0, (long) pause_ms * 1000000 };

        if (scan(ledger, wanted, workers, report, error) != GH_OK) {
            return GH_ERROR;
        }
        if (report->waiting == 0 || now_ms() - begun >= timeout_ms) {
            return GH_OK;
        }
        if (looks++ < LOOKS_AT_ONCE) {
            sched_yield();
            continue;
        }
        nanosleep(&pause, NULL);
        pause_ms = pause_ms * 2 > PAUSE_MS_MOST ? PAUSE_MS_MOST : pause_ms * 2;
    }
}

void
gh_barrier_announce(gh_ledger_t *ledger, uint64_t transaction)
{
    uint64_t newest = __atomic_load_n(&ledger->header->policy, __ATOMIC_RELAXED);

    gh_trace(NULL, "commit", transaction);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    /* editors may come here in another order than they committed; after a restore numbers may begin again, and every worker opens anew */
    while (newest < transaction
        && !__atomic_compare_exchange_n(&ledger->header->policy, &newest, transaction, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
    {
        /* newest was read again */
    }
    __atomic_add_fetch(&ledger->header->edits, 1, __ATOMIC_SEQ_CST);
    gh_trace(NULL, "announce", transaction);
}

int
gh_barrier_wait(gh_ledger_t *ledger, uint64_t transaction, uint64_t inode, uint64_t timeout_ms, gh_arena_t *arena,
    gh_barrier_report_t *report, gh_error_t *error)
{
    wanted_t wanted = { .transaction = transaction, .inode = inode };
    int      rc;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    rc = wait_for(ledger, &wanted, timeout_ms, arena, report, error);
    if (rc == GH_OK) {
        gh_trace(NULL, report->waiting == 0 ? "ack" : "giveup", transaction);
    }
    return rc;
}

int
gh_barrier_propose(gh_ledger_t *ledger, uint64_t number, uint64_t inode, uint64_t timeout_ms, gh_arena_t *arena,
    gh_barrier_report_t *report, gh_error_t *error)
{
    wanted_t wanted = { .proposal = number, .inode = inode };
    int      rc;

    __atomic_store_n(&ledger->header->proposal, number, __ATOMIC_SEQ_CST);
    rc = wait_for(ledger, &wanted, timeout_ms, arena, report, error);
    __atomic_compare_exchange_n(&ledger->header->proposal, &number, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    return rc;
}

int
gh_barrier_look(gh_ledger_t *ledger, gh_arena_t *arena, gh_barrier_report_t *report, gh_error_t *error)
{
    wanted_t wanted = { 0 };

    return wait_for(ledger, &wanted, 0, arena, report, error);
}

static bool
same_worker(const gh_barrier_worker_t *a, const gh_barrier_worker_t *b)
{
    return a->slot == b->slot && a->pid == b->pid && a->start_ms == b->start_ms;
}

/* NULL: it is not in the report. */
static const gh_barrier_worker_t *
find_worker(const gh_barrier_report_t *report, const gh_barrier_worker_t *worker)
{
    for (size_t i = 0; i < report->count; i++) {
        if (same_worker(&report->workers[i], worker)) {
            return &report->workers[i];
        }
    }
    return NULL;
}

uint64_t
gh_barrier_cut(const gh_ledger_t *ledger, const gh_barrier_report_t *before, const gh_barrier_report_t *after)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < after->count; i++) {
        const gh_barrier_worker_t *then = find_worker(before, &after->workers[i]);

        sum += after->workers[i].cut - (then != NULL ? then->cut : 0);
    }
    for (size_t i = 0; ledger != NULL && i < before->count; i++) {
        const gh_barrier_worker_t *then = &before->workers[i];
        const gh_slot_t           *slot = &ledger->slots[then->slot];

        if (find_worker(after, then) == NULL && gh_slot_get(slot, pid) == then->pid && gh_slot_get(slot, start_ms) == then->start_ms) {
            sum += gh_slot_get(slot, cut) - then->cut;
        }
    }
    return sum;
}

uint64_t
gh_barrier_finishing(const gh_barrier_report_t *report)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < report->count; i++) {
        sum += report->workers[i].finishing;
    }
    return sum;
}

uint64_t
gh_barrier_forbidden(const gh_barrier_report_t *report)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < report->count; i++) {
        sum += report->workers[i].forbidden;
    }
    return sum;
}

uint64_t
gh_barrier_used_revision(const gh_barrier_report_t *report)
{
    uint64_t highest = 0;

    for (size_t i = 0; i < report->count; i++) {
        highest = report->workers[i].used_revision > highest ? report->workers[i].used_revision : highest;
    }
    return highest;
}
