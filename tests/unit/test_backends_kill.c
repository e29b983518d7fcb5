/*
 * Processes that ask and tell of the same few backends and are killed wherever they are. Whenever it is looked at: averages lie within what
 * was told, one probe is out at a time, a tenant alone has opened nothing; and in the end every breaker lets somebody through and closes.
 * Time is made up, so that hours of leases pass; it waits for whoever has read it and not done with it, because a process may be kept from
 * running anywhere and for long, and one whose time is far behind is to the breaker a clock that was set back. --seconds N runs for so long
 * (default: a quarter of a second).
 */
#include "policy/ledger/backend_state.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/check.h"

#define PROCESSES 4u
#define BACKENDS  8u              /* the first half: one tenant's failures only, and never unreached */
#define LEAST     1000u           /* us, of the samples told */
#define MOST      3000u
#define BEHIND    (GH_BACKEND_CLOCK_MS / 2)   /* of a process' time, at most */

typedef struct {
    gh_backend_slot_t slots[64];
    uint64_t          clock;      /* ms */
    uint64_t          reading[PROCESSES];   /* what each has read and works with; 0: nothing */
    uint64_t          probe[BACKENDS];   /* when the probe that is out was given; 0: none */
    uint64_t          together, asked, probes;
} shared_t;

static shared_t *shared;

static uint64_t
step(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return *random >> 33;
}

/* Not further than BEHIND after any time that is in use: then it stands still. */
static void
advance(uint64_t ms)
{
    uint64_t clock = __atomic_load_n(&shared->clock, __ATOMIC_SEQ_CST);

    for (unsigned i = 0; i < PROCESSES; i++) {
        uint64_t reading = __atomic_load_n(&shared->reading[i], __ATOMIC_SEQ_CST);

        if (reading != 0 && clock + ms > reading + BEHIND) {
            return;
        }
    }
    __atomic_compare_exchange_n(&shared->clock, &clock, clock + ms, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* It is in use only when it is still the time after it was said so: whoever advances looks before that, or sees it. */
static uint64_t
read_clock(unsigned who)
{
    uint64_t now = __atomic_load_n(&shared->clock, __ATOMIC_SEQ_CST), again;

    for (;; now = again) {
        __atomic_store_n(&shared->reading[who], now, __ATOMIC_SEQ_CST);
        again = __atomic_load_n(&shared->clock, __ATOMIC_SEQ_CST);
        if (again == now) {
            return now;
        }
    }
}

static gh_backend_end_t
some_end(uint64_t *random, bool lonely)
{
    uint64_t draw = step(random) % 16;

    return draw < 3 ? GH_BACKEND_ANSWERED : draw < 11 ? GH_BACKEND_FAILED : draw < 12 ? GH_BACKEND_NO_WORD
        : draw < 13 ? GH_BACKEND_REFUSED : lonely ? GH_BACKEND_FAILED : GH_BACKEND_UNREACHED;
}

/*
 * Sooner than GH_BREAKER_OPEN_MS after another one that was not told: a late answer may have closed it, and failures opened it anew, by a time
 * that was behind.
 */
static void
note_probe(unsigned backend, uint64_t now)
{
    uint64_t before = __atomic_exchange_n(&shared->probe[backend], now, __ATOMIC_SEQ_CST);

    __atomic_fetch_add(&shared->probes, 1, __ATOMIC_RELAXED);
    if (before != 0 && now >= before && now - before < GH_BREAKER_OPEN_MS - BEHIND) {
        __atomic_fetch_add(&shared->together, 1, __ATOMIC_RELAXED);
    }
}

static void
work(unsigned who, uint64_t random)
{
    for (;; __atomic_store_n(&shared->reading[who], 0, __ATOMIC_SEQ_CST)) {
        unsigned            backend = (unsigned) (step(&random) % BACKENDS);
        bool                lonely = backend < BACKENDS / 2;
        gh_backend_slot_t  *slot = gh_backend_slot(shared->slots, 64, (backend + 1) * UINT64_C(0x1f3d5b79a2c4e687), true);
        uint64_t            now = read_clock(who), tenant = lonely ? 1 : 1 + step(&random) % 3;
        gh_backend_may_t    may = gh_backend_slot_ask(slot, tenant, now);
        gh_backend_result_t result = { .end = some_end(&random, lonely), .probe_ms = may == GH_BACKEND_PROBE ? now : 0, .tenant_uid = tenant };

        __atomic_fetch_add(&shared->asked, 1, __ATOMIC_RELAXED);
        if (step(&random) % 64 == 0) {
            advance(step(&random) % BEHIND);
        }
        if (may == GH_BACKEND_OPEN || may == GH_BACKEND_WAITS) {
            continue;
        }
        if (result.probe_ms != 0) {
            uint64_t own = now;

            note_probe(backend, now);
            if (step(&random) % 4 == 0) {
                continue;         /* never told */
            }
            __atomic_compare_exchange_n(&shared->probe[backend], &own, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        }
        result.first_byte_us = LEAST + step(&random) % (MOST - LEAST + 1);
        result.retry_after_ms = step(&random) % 64 == 0 ? step(&random) % 50 : 0;
        gh_backend_slot_tell(slot, now, &result);
    }
}

static pid_t
start(unsigned who, uint64_t random)
{
    pid_t pid = fork();

    if (pid == 0) {
        work(who, random);
    }
    return pid;
}

/* Halves that were never written together would show in one of these. */
static void
look(unsigned backend, uint64_t now)
{
    gh_backend_slot_t *slot = gh_backend_slot(shared->slots, 64, (backend + 1) * UINT64_C(0x1f3d5b79a2c4e687), false);
    gh_backend_state_t state;

    if (slot == NULL) {
        return;
    }
    gh_backend_slot_look(slot, now, &state);
    CHECK(state.first_byte_us == 0 || (state.first_byte_us >= LEAST && state.first_byte_us <= MOST));
    CHECK(state.errors <= 1000 && state.retry_at_ms <= __atomic_load_n(&shared->clock, __ATOMIC_SEQ_CST) + 50 && gh_backend_slot_wait_ms(slot, now) <= GH_BREAKER_PROBE_MS);
    if (backend < BACKENDS / 2) {
        CHECK_INT(state.breaker, GH_BREAKER_CLOSED);
    }
}

/* Whatever they left: some probe is let through in time, and its answer closes it. */
static void
heal(unsigned backend, uint64_t now)
{
    gh_backend_slot_t  *slot = gh_backend_slot(shared->slots, 64, (backend + 1) * UINT64_C(0x1f3d5b79a2c4e687), true);
    gh_backend_result_t result = { .end = GH_BACKEND_ANSWERED, .tenant_uid = 2, .first_byte_us = LEAST };
    gh_backend_may_t    may;

    now += 2 * GH_BREAKER_PROBE_MS;
    may = gh_backend_slot_ask(slot, 2, now);
    CHECK(may == GH_BACKEND_MAY || may == GH_BACKEND_PROBE);
    result.probe_ms = may == GH_BACKEND_PROBE ? now : 0;
    gh_backend_slot_tell(slot, now, &result);
    CHECK_INT(gh_backend_slot_ask(slot, 1, now), GH_BACKEND_MAY);
}

int
main(int argc, char **argv)
{
    double          seconds = argc == 3 && strcmp(argv[1], "--seconds") == 0 ? atof(argv[2]) : 0.25, passed;
    pid_t           pids[PROCESSES];
    uint64_t        random = 7, kills = 0;
    struct timespec begin, end, pause = { 0, 200000 };

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!CHECK(shared != MAP_FAILED)) {
        return check_done("backends_kill");
    }
    shared->clock = UINT64_C(1764201600000);
    for (unsigned i = 0; i < PROCESSES; i++) {
        pids[i] = start(i, step(&random));
    }
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        unsigned victim = (unsigned) (step(&random) % PROCESSES);

        nanosleep(&pause, NULL);
        advance(step(&random) % BEHIND);
        kill(pids[victim], SIGKILL);
        waitpid(pids[victim], NULL, 0);
        __atomic_store_n(&shared->reading[victim], 0, __ATOMIC_SEQ_CST);
        kills++;
        for (unsigned backend = 0; backend < BACKENDS; backend++) {
            look(backend, __atomic_load_n(&shared->clock, __ATOMIC_SEQ_CST));
        }
        pids[victim] = start(victim, step(&random));
        clock_gettime(CLOCK_MONOTONIC, &end);
        passed = (double) (end.tv_sec - begin.tv_sec) + (double) (end.tv_nsec - begin.tv_nsec) / 1e9;
    } while (passed < seconds || (__atomic_load_n(&shared->asked, __ATOMIC_RELAXED) == 0 && passed < 60));
    for (unsigned i = 0; i < PROCESSES; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    for (unsigned backend = 0; backend < BACKENDS; backend++) {
        heal(backend, shared->clock);
    }
    CHECK_INT(shared->together, 0);
    CHECK(kills > 0 && shared->asked > 0);
    printf("%llu kills, %llu asks, %llu probes\n", (unsigned long long) kills, (unsigned long long) shared->asked,
        (unsigned long long) shared->probes);
    return check_done("backends_kill");
}
