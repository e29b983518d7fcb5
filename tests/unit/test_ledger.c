/* The ledger file and the edit barrier over it, with real processes: what is waited for, what is not, and who is named. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policy/ledger/ledger.h"
#include "tests/unit/check.h"

#define STORE_INODE 4711u

static const uint8_t ledger_id[16] = { 1, 2, 3 }, store_id[16] = { 4, 5, 6 }, other_id[16] = { 9 };
static char          directory[64], path[96];
static gh_heap_t     heap;

static bool
is(const gh_error_t *error, const char *code)
{
    bool same = error->code != NULL && strcmp(error->code, code) == 0;

    if (!same) {
        fprintf(stderr, "    code %s: %s\n", error->code == NULL ? "none" : error->code, error->text);
    }
    return same;
}

static void
fresh(void)
{
    gh_error_t error = { 0 };
    bool       made;

    unlink(path);
    CHECK(gh_ledger_create(path, GH_LEDGER_SIZE_MIN, ledger_id, store_id, &made, &error) == GH_OK && made);
}

/* A worker: takes a slot, does what it is told, and stays until it is killed. */
typedef struct {
    uint64_t window, inode, swept, proposal_seen;
    uint32_t running, proposal_forbidden, cut, finishing;
} pose_t;

static pid_t
worker(const pose_t *pose)
{
    int   ready[2];
    char  byte;
    pid_t pid;

    CHECK(pipe(ready) == 0);
    pid = fork();
    if (pid == 0) {
        gh_error_t      error = { 0 };
        gh_ledger_t    *ledger = gh_ledger_open(path, true, &error);
        gh_slot_owner_t owner = { (uint32_t) getpid(), 1, 77 };
        gh_slot_t      *slot = ledger == NULL ? NULL : gh_ledger_slot_take(ledger, &owner, &error);

        if (slot == NULL) {
            _exit(9);
        }
        gh_slot_store(slot, pose->inode);
        gh_slot_set(slot, swept, pose->swept);
        gh_slot_set(slot, running, pose->running);
        gh_slot_set(slot, cut, pose->cut);
        gh_slot_set(slot, finishing, pose->finishing);
        gh_slot_set(slot, proposal_forbidden, pose->proposal_forbidden);
        gh_slot_set(slot, proposal_seen, pose->proposal_seen);
        if (pose->window != 0) {
            gh_window_open(slot);
            gh_window_at(slot, pose->window);
        }
        if (write(ready[1], "x", 1) != 1) {
            _exit(8);
        }
        for ( ;; ) {
            pause();
        }
    }
    close(ready[1]);
    CHECK(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    return pid;
}

static void
end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static gh_ledger_t *
editor(void)
{
    gh_error_t   error = { 0 };
    gh_ledger_t *ledger = gh_ledger_open(path, true, &error);

    if (!CHECK(ledger != NULL)) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    return ledger;
}

static gh_barrier_report_t
wait_ms(gh_ledger_t *ledger, uint64_t transaction, uint64_t ms)
{
    gh_barrier_report_t report;
    gh_error_t          error = { 0 };

    CHECK_INT(gh_barrier_wait(ledger, transaction, STORE_INODE, ms, &heap.arena, &report, &error), GH_OK);
    return report;
}

/* ---- the file ---- */

static void
test_file(void)
{
    gh_error_t   error = { 0 };
    gh_ledger_t *ledger;
    struct stat  st;
    uint32_t     version = 1;
    char         copy[128], command[8] = "GHLEDGR1";
    bool         made;
    int          fd;

    CHECK(gh_ledger_open(path, true, &error) == NULL && is(&error, "ledger_missing"));
    fresh();
    CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0660 && (uint64_t) st.st_size == GH_LEDGER_SIZE_MIN && st.st_nlink == 1);
    CHECK((uint64_t) st.st_blocks * 512 >= GH_LEDGER_SIZE_MIN);                           /* no holes */
    CHECK(gh_ledger_create(path, GH_LEDGER_SIZE_MIN, other_id, other_id, &made, &error) == GH_OK && !made);   /* kept */
    ledger = editor();
    CHECK_MEM(gh_ledger_header(ledger)->id, ledger_id, 16);
    CHECK((uintptr_t) gh_ledger_header(ledger) % (2 << 20) == 0);          /* where large pages fit */
    CHECK_MEM(gh_ledger_header(ledger)->magic, command, 8);
    CHECK_INT(gh_ledger_check(ledger, store_id, ledger_id, &error), GH_OK);
    CHECK(gh_ledger_check(ledger, other_id, ledger_id, &error) == GH_ERROR && is(&error, "ledger_other"));
    CHECK(gh_ledger_check(ledger, store_id, other_id, &error) == GH_ERROR && is(&error, "ledger_other"));
    CHECK(!gh_ledger_of_earlier_boot(ledger) && gh_ledger_still(ledger, &error) == GH_OK);

    /* a copy has nobody's locks */
    snprintf(copy, sizeof(copy), "%s/copy", directory);
    fd = open(copy, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, gh_ledger_header(ledger), GH_LEDGER_SIZE_MIN) == (ssize_t) GH_LEDGER_SIZE_MIN);
    CHECK(gh_ledger_open(copy, true, &error) == NULL && is(&error, "ledger_other"));
    CHECK(rename(copy, path) == 0 && gh_ledger_still(ledger, &error) == GH_ERROR && is(&error, "ledger_other"));
    close(fd);
    unlink(path);
    CHECK(gh_ledger_still(ledger, &error) == GH_ERROR && is(&error, "ledger_missing"));
    gh_ledger_close(ledger);

    fresh();
    fd = open(path, O_RDWR);
    CHECK(pwrite(fd, &version, 4, 8) == 4);
    CHECK(gh_ledger_open(path, true, &error) == NULL && is(&error, "ledger_version"));
    version = GH_LEDGER_VERSION;
    CHECK(pwrite(fd, &version, 4, 8) == 4 && ftruncate(fd, 8192) == 0);
    CHECK(gh_ledger_open(path, true, &error) == NULL && is(&error, "ledger_damaged"));
    CHECK(ftruncate(fd, 0) == 0 && gh_ledger_open(path, true, &error) == NULL && is(&error, "ledger_damaged"));
    close(fd);
    fresh();
}

/* ---- slots ---- */

static void
test_slots(void)
{
    gh_ledger_t    *ledger = editor(), *owners[GH_LEDGER_SLOTS + 1];
    gh_slot_owner_t owner = { 42, 3, 99 };
    gh_error_t      error = { 0 };
    uint32_t        numbers[GH_LEDGER_SLOTS];
    size_t          count;
    bool            distinct = true;

    CHECK(gh_ledger_live(ledger, numbers, &count, &error) == GH_OK && count == 0 && !gh_ledger_in_use(path));
    for (uint32_t i = 0; i < GH_LEDGER_SLOTS; i++) {
        owners[i] = gh_ledger_open(path, true, &error);
        distinct = owners[i] != NULL && gh_ledger_slot_take(owners[i], &owner, &error) != NULL
            && gh_ledger_slot_number(owners[i]) == i && distinct;
    }
    CHECK(distinct);
    CHECK(gh_ledger_live(ledger, numbers, &count, &error) == GH_OK && count == GH_LEDGER_SLOTS && gh_ledger_in_use(path));
    owners[GH_LEDGER_SLOTS] = editor();
    CHECK(gh_ledger_slot_take(owners[GH_LEDGER_SLOTS], &owner, &error) == NULL && is(&error, "ledger_full"));

    /* one in the middle is free again, and is the next one's */
    gh_ledger_close(owners[500]);
    CHECK(gh_ledger_live(ledger, numbers, &count, &error) == GH_OK && count == GH_LEDGER_SLOTS - 1 && numbers[499] == 499 && numbers[500] == 501);
    CHECK(gh_ledger_slot_take(owners[GH_LEDGER_SLOTS], &owner, &error) != NULL && gh_ledger_slot_number(owners[GH_LEDGER_SLOTS]) == 500);
    for (uint32_t i = 0; i <= GH_LEDGER_SLOTS; i++) {
        if (i != 500) {
            gh_ledger_close(owners[i]);
        }
    }
    CHECK(gh_ledger_live(ledger, numbers, &count, &error) == GH_OK && count == 0);
    gh_ledger_close(ledger);
}

/* What a killed worker left is not seen by anybody, and its slot's next owner begins anew. */
static void
test_dead_owner(void)
{
    gh_ledger_t        *ledger = editor(), *next;
    gh_barrier_report_t report;
    gh_slot_owner_t     owner = { 1, 1, 1 };
    gh_error_t          error = { 0 };
    gh_slot_t          *slot;
    pid_t               pid = worker(&(pose_t) { .window = 5, .inode = STORE_INODE, .running = 3, .swept = 5, .cut = 9 });

    report = wait_ms(ledger, 10, 0);
    CHECK(report.count == 1 && report.waiting == 1 && report.workers[0].pid == (uint32_t) pid);
    end(pid);
    report = wait_ms(ledger, 10, 0);
    CHECK(report.count == 0 && report.waiting == 0);
    next = editor();
    slot = gh_ledger_slot_take(next, &owner, &error);
    CHECK(slot != NULL && slot->window == 0 && slot->running == 0 && slot->cut == 0 && slot->swept == 0 && slot->pid == 1);
    gh_ledger_close(next);
    gh_ledger_close(ledger);
}

/* ---- what an editor waits for ---- */

static void
test_wait(void)
{
    static const struct { pose_t pose; const char *reason; } cases[] = {
        { { .window = 0 }, NULL },
        { { .window = 10, .inode = STORE_INODE }, NULL },
        { { .window = 11, .inode = STORE_INODE }, NULL },
        { { .window = GH_WINDOW_READING, .inode = STORE_INODE }, "reading policy" },
        { { .window = 9, .inode = STORE_INODE }, "older policy" },
        { { .window = 50, .inode = STORE_INODE + 1 }, "another policy store" },
        { { .window = 50 }, "another policy store" },
        { { .running = 1, .swept = 9, .inode = STORE_INODE }, "have not been judged" },
        { { .running = 1, .swept = 10, .inode = STORE_INODE }, NULL },
        { { .running = 1, .swept = 50, .inode = STORE_INODE + 1 }, "another policy store" },
        { { .running = 0, .swept = 3, .inode = STORE_INODE + 1 }, NULL },
    };
    gh_ledger_t *ledger = editor();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pid_t               pid = worker(&cases[i].pose);
        gh_barrier_report_t report = wait_ms(ledger, 10, 5);

        if (!CHECK(report.count == 1 && report.workers[0].pid == (uint32_t) pid
                && (cases[i].reason == NULL ? report.waiting == 0 && report.workers[0].waits_for == NULL
                        : report.waiting == 1 && strstr(report.workers[0].waits_for, cases[i].reason) != NULL)))
        {
            fprintf(stderr, "    case %zu: %s\n", i, report.count ? report.workers[0].waits_for : "nobody");
        }
        end(pid);
    }
    gh_ledger_close(ledger);
}

/* One of three stands in the way; when it is killed the waiting is over. */
static void
test_kill_ends_waiting(void)
{
    gh_ledger_t        *ledger = editor();
    gh_barrier_report_t report;
    pid_t               good = worker(&(pose_t) { .window = 10, .inode = STORE_INODE }), idle = worker(&(pose_t) { .window = 0 }), stuck, killer;

    stuck = worker(&(pose_t) { .window = 3, .inode = STORE_INODE });
    kill(stuck, SIGSTOP);
    report = wait_ms(ledger, 10, 20);
    CHECK(report.count == 3 && report.waiting == 1);
    for (size_t i = 0; i < report.count; i++) {
        CHECK((report.workers[i].waits_for != NULL) == (report.workers[i].pid == (uint32_t) stuck));
    }
    killer = fork();
    if (killer == 0) {
        usleep(50000);
        kill(stuck, SIGKILL);
        _exit(0);
    }
    report = wait_ms(ledger, 10, 30000);
    CHECK(report.count == 2 && report.waiting == 0);
    waitpid(killer, NULL, 0);
    end(stuck);
    end(good);
    end(idle);
    gh_ledger_close(ledger);
}

static void
test_numbers(void)
{
    gh_ledger_t        *ledger = editor();
    gh_barrier_report_t before, after;
    gh_error_t          error = { 0 };
    pid_t               one = worker(&(pose_t) { .cut = 2, .finishing = 1 }), two;

    CHECK_INT(gh_barrier_look(ledger, &heap.arena, &before, &error), GH_OK);
    two = worker(&(pose_t) { .cut = 5, .finishing = 2, .running = 4, .proposal_seen = 88, .proposal_forbidden = 3 });
    CHECK_INT(gh_barrier_look(ledger, &heap.arena, &after, &error), GH_OK);
    CHECK_INT(gh_barrier_cut(ledger, &before, &after), 5);       /* what the first one cut before is not counted */
    CHECK_INT(gh_barrier_finishing(&after), 3);

    CHECK_INT(gh_barrier_propose(ledger, 88, STORE_INODE, 0, &heap.arena, &after, &error), GH_OK);
    CHECK(after.waiting == 0 && gh_barrier_forbidden(&after) == 3 && gh_ledger_header(ledger)->proposal == 0);
    CHECK_INT(gh_barrier_propose(ledger, 89, STORE_INODE, 0, &heap.arena, &after, &error), GH_OK);
    CHECK(after.waiting == 1 && gh_barrier_forbidden(&after) == 0);

    gh_barrier_announce(ledger, 20);
    gh_barrier_announce(ledger, 12);
    CHECK_INT(gh_ledger_header(ledger)->policy, 20);
    end(one);
    end(two);
    gh_ledger_close(ledger);
}

/* ---- the protocol under load ---- */

#define STRESS_WORKERS 3

/* The world the workers write into, and policy, as words: shared, seen by the test alone. */
typedef struct {
    uint64_t policy;                  /* newest committed */
    uint64_t acknowledged;            /* newest that every worker obeys, as the editor was told */
    uint64_t late;                    /* writes under a policy older than one acknowledged before them */
    uint64_t writes;
    uint32_t slots[STRESS_WORKERS];   /* 1 + number of each worker's */
} world_t;

/* Most windows are short; some last as long as an editor needs to look at everything. */
static void
serve(world_t *world, gh_slot_t *slot)
{
    for (uint32_t turn = (uint32_t) getpid();;) {
        uint64_t under, known;

        gh_window_open(slot);
        under = __atomic_load_n(&world->policy, __ATOMIC_RELAXED);
        gh_window_at(slot, under);
        turn = turn * 1664525 + 1013904223;
        for (volatile uint32_t i = turn >> 26 ? turn >> 25 : 20000; i > 0; i--) {
            /* judging */
        }
        known = __atomic_load_n(&world->acknowledged, __ATOMIC_SEQ_CST);     /* the write: nothing newer may be promised by now */
        if (known > under) {
            __atomic_add_fetch(&world->late, 1, __ATOMIC_SEQ_CST);
        }
        gh_window_close(slot);
        __atomic_add_fetch(&world->writes, 1, __ATOMIC_RELAXED);
        if (turn >> 27 == 0) {
            usleep(100);
        }
    }
}

/* An editor that happens to look at the very next instant, as gh_barrier_wait does after a few system calls. */
static bool
obeyed_at_once(const world_t *world, const gh_slot_t *slots, uint64_t transaction)
{
    for (int i = 0; i < STRESS_WORKERS; i++) {
        uint64_t window = __atomic_load_n(&slots[world->slots[i] - 1].window, __ATOMIC_SEQ_CST);

        if (window != GH_WINDOW_CLOSED && (window == GH_WINDOW_READING || window < transaction)) {
            return false;
        }
    }
    return true;
}

static void
test_stress(void)
{
    world_t      *world = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    gh_ledger_t  *ledger = editor();
    gh_error_t    error = { 0 };
    const char   *edits_text = getenv("GH_STRESS_EDITS");
    uint64_t      edits = edits_text == NULL ? 500 : strtoull(edits_text, NULL, 10), failed = 0;
    pid_t         pids[STRESS_WORKERS];
    const gh_slot_t *slots = (const gh_slot_t *) ((const char *) gh_ledger_header(ledger) + GH_LEDGER_HEADER);

    world->policy = 2;
    for (int i = 0; i < STRESS_WORKERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            gh_ledger_t    *own = gh_ledger_open(path, true, &error);
            gh_slot_owner_t owner = { (uint32_t) getpid(), 1, 1 };
            gh_slot_t      *slot = own == NULL ? NULL : gh_ledger_slot_take(own, &owner, &error);

            if (slot == NULL) {
                _exit(9);
            }
            gh_slot_store(slot, STORE_INODE);
            __atomic_store_n(&world->slots[i], gh_ledger_slot_number(own) + 1, __ATOMIC_SEQ_CST);
            serve(world, slot);
        }
    }
    for (int i = 0; i < STRESS_WORKERS; i++) {
        while (__atomic_load_n(&world->slots[i], __ATOMIC_SEQ_CST) == 0) {
            usleep(1000);
        }
    }
    while (__atomic_load_n(&world->writes, __ATOMIC_RELAXED) < 1000) {
        usleep(1000);
    }
    for (uint64_t t = 3; t < 3 + edits; t++) {
        gh_heap_t           own;
        gh_barrier_report_t report;

        __atomic_store_n(&world->policy, t, __ATOMIC_RELAXED);
        gh_barrier_announce(ledger, t);
        if (t % 2 == 0 && obeyed_at_once(world, slots, t)) {
            __atomic_store_n(&world->acknowledged, t, __ATOMIC_SEQ_CST);
            continue;
        }
        gh_heap_init(&own);
        failed += gh_barrier_wait(ledger, t, STORE_INODE, 60000, &own.arena, &report, &error) != GH_OK || report.waiting != 0;
        gh_heap_free(&own);
        __atomic_store_n(&world->acknowledged, t, __ATOMIC_SEQ_CST);
    }
    CHECK_INT(failed, 0);
    CHECK_INT(world->late, 0);
    if (edits_text != NULL) {
        printf("%llu edits, %llu writes, %llu late\n", (unsigned long long) edits, (unsigned long long) world->writes,
            (unsigned long long) world->late);
    }
    for (int i = 0; i < STRESS_WORKERS; i++) {
        end(pids[i]);
    }
    gh_ledger_close(ledger);
    munmap(world, 4096);
}

int
main(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(directory, sizeof(directory), "%.40s/gh-ledger-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    snprintf(path, sizeof(path), "%s/ledger", directory);
    gh_heap_init(&heap);
    test_file();
    test_slots();
    test_dead_owner();
    test_wait();
    test_kill_ends_waiting();
    test_numbers();
    test_stress();
    gh_heap_free(&heap);
    unlink(path);
    rmdir(directory);
    return check_done("ledger");
}
