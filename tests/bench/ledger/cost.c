/*
 * What counting costs: reserve and settle over six scopes. By hand, on a machine that does nothing else:
 *
 *     make build/tests/bench/ledger/cost && build/tests/bench/ledger/cost [--seconds N] [--only PART] [--directory DIR]
 *
 * hot: the same six counters again and again; cold: six of 300,000 at random; then 2, 4 and 8 processes on the same six, all of them together
 * against one; and 8 processes on six of their own each. DIR (default /dev/shm) is where the ledger lies.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policy/ledger/reservation.h"

#define SCOPES  6
#define TENANTS 50000
#define SHARED  0u
#define NOW     UINT64_C(1790000000000)

static char        path[256];
static const char *only = "";
static double      seconds = 1;

typedef struct {
    uint64_t operations[8], refused;
    double   took[8], cpu[8];         /* seconds */
} result_t;

static double
now_s(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static gh_ledger_t *
join_ledger(void)
{
    gh_error_t      error = { 0 };
    gh_slot_owner_t owner = { (uint32_t) getpid(), 1, NOW };
    gh_ledger_t    *ledger = gh_ledger_open(path, true, &error);

    if (ledger == NULL || gh_ledger_slot_take(ledger, &owner, &error) == NULL) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    return ledger;
}

/* Of a tenant: two requests a minute, tokens a minute, a day, money a month, in flight. */
static void
scopes(gh_reservation_item_t items[SCOPES], uint64_t tenant)
{
    static const struct { gh_level_t level; gh_dimension_t dimension; gh_per_t per; uint64_t amount; } shape[SCOPES] = {
        { GH_LEVEL_TENANT, GH_COUNT_REQUESTS, GH_PER_MINUTE, 1 }, { GH_LEVEL_KEY, GH_COUNT_REQUESTS, GH_PER_MINUTE, 1 },
        { GH_LEVEL_TENANT, GH_COUNT_TOKENS, GH_PER_MINUTE, 900 }, { GH_LEVEL_APP, GH_COUNT_TOKENS, GH_PER_DAY, 900 },
        { GH_LEVEL_TENANT, GH_COUNT_MICRO_DOLLARS, GH_PER_MONTH, 4000 }, { GH_LEVEL_TENANT, GH_COUNT_IN_FLIGHT, GH_PER_NONE, 1 },
    };

    for (int i = 0; i < SCOPES; i++) {
        items[i] = (gh_reservation_item_t) { .id = { .uid = 1 + tenant, .level = shape[i].level, .dimension = shape[i].dimension, .per = shape[i].per,
            .limit_class = GH_LIMIT_BUDGET }, .window = gh_window_number(shape[i].per, NOW), .limit = UINT64_C(1) << 47, .amount = shape[i].amount };
    }
}

/* cold: another tenant each time. */
static void
work(gh_ledger_t *ledger, result_t *result, int number, uint64_t tenant, bool cold)
{
    static const uint8_t  request[16] = { 1 };
    uint64_t              actual[SCOPES] = { 1, 1, 700, 700, 3000, 0 }, count = 0, turn = (uint64_t) number + 1, refused_count = 0;
    gh_reservation_item_t items[SCOPES];
    double                begun = now_s(CLOCK_MONOTONIC), end = begun + seconds, cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);

    scopes(items, tenant);
    do {
        for (int i = 0; i < 256; i++) {
            gh_reservation_t held;
            unsigned         refused;
            uint32_t         over;

            if (cold) {
                turn = turn * 6364136223846793005u + 1442695040888963407u;
                for (int k = 0; k < SCOPES; k++) {
                    items[k].id.uid = 1 + (turn >> 33) % TENANTS;
                }
            }
            refused_count += gh_reservation_take(ledger, items, SCOPES, request, NOW + 60000, &held, &refused) != GH_RESERVED;
            gh_reservation_settle(ledger, &held, actual, &over, NULL);
        }
        count += 256;
    } while (now_s(CLOCK_MONOTONIC) < end);
    result->took[number] = now_s(CLOCK_MONOTONIC) - begun;
    result->cpu[number] = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    result->operations[number] = count;
    __atomic_add_fetch(&result->refused, refused_count, __ATOMIC_SEQ_CST);
}

/* Pairs of reserve and settle in a second, all processes together. */
static double
run(const char *name, int processes, bool own, bool cold, double against)
{
    result_t *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double    rate = 0, cpu = 0, count = 0;

    if (strstr(name, only) == NULL) {
        return 0;
    }
    for (int i = 0; i < processes; i++) {
        if (fork() == 0) {
            work(join_ledger(), result, i, own ? 1000 + (uint64_t) i : SHARED, cold);
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {
        /* all of them */
    }
    for (int i = 0; i < processes; i++) {
        rate += (double) result->operations[i] / result->took[i];
        cpu += result->cpu[i];
        count += (double) result->operations[i];
    }
    printf("%-40s %8.3f us CPU   %10.0f a second, all together", name, 1e6 * cpu / count, rate);
    printf(against > 0 ? "   %.2f of one\n" : "\n", rate / against);
    if (result->refused > 0) {
        printf("  %llu refused\n", (unsigned long long) result->refused);
    }
    fflush(stdout);
    munmap(result, sizeof(*result));
    return rate;
}

int
main(int argc, char **argv)
{
    static const uint8_t id[16] = { 1 };
    const char          *directory = "/dev/shm";
    gh_error_t           error = { 0 };
    gh_ledger_t         *ledger;
    double               one;
    bool                 made;

    for (int i = 1; i + 1 < argc; i += 2) {
        seconds = strcmp(argv[i], "--seconds") == 0 ? strtod(argv[i + 1], NULL) : seconds;
        directory = strcmp(argv[i], "--directory") == 0 ? argv[i + 1] : directory;
        only = strcmp(argv[i], "--only") == 0 ? argv[i + 1] : only;
    }
    snprintf(path, sizeof(path), "%s/gh-cost-%d", directory, (int) getpid());
    if (gh_ledger_create(path, UINT64_C(256) << 20, id, id, &made, &error) != GH_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    ledger = join_ledger();
    for (uint64_t tenant = 0; tenant < TENANTS; tenant++) {          /* all counters there, all pages touched */
        gh_reservation_item_t items[SCOPES];
        gh_reservation_t      held;
        unsigned              refused;

        scopes(items, tenant);
        gh_reservation_take(ledger, items, SCOPES, id, NOW, &held, &refused);
        gh_reservation_undo(ledger, &held);
    }
    gh_ledger_close(ledger);

    printf("reserve and settle over six scopes, processor time of one, and how many:\n");
    one = run("hot", 1, false, false, 0);
    run("cold: one of 50,000 tenants", 1, false, true, 0);
    run("2 processes, the same six", 2, false, false, one);
    run("4 processes, the same six", 4, false, false, one);
    run("8 processes, the same six", 8, false, false, one);
    run("8 processes, six of their own each", 8, true, false, one);
    unlink(path);
    return 0;
}
