/*
 * Eight processes on the counters of one hot tenant: what they do beyond what one would is counted, not timed. Every operation on a counter
 * reads its word and swaps it; a swap that fails is one more read, and means that another one's succeeded. Counted are the reads of an
 * operation, with the processes left to themselves and with each of them made to give the processor away between read and swap, which
 * is the worst there is: then seven of eight reads may be in vain, and not one more. The sum is exact in the end.
 *
 *     crowd --ledger PATH [--pairs N]
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy/ledger/kill_point.h"
#include "policy/ledger/reservation.h"

#define PROCESSES 8
#define SCOPES    6
#define NOW       UINT64_C(1790000000000)
#define USED      3u                  /* settled of each */

typedef struct { uint64_t reads, others, most, refused; } counted_t;

static const char *path;
static counted_t  *shared;            /* one a process */
static counted_t  *own;
static bool        yielding;

static void
count_point(const char *name)
{
    if (strcmp(name, "op_read") == 0) {
        own->reads++;
        if (yielding) {
            sched_yield();
        }
    } else {
        own->others++;
    }
}

static gh_ledger_t *
join_ledger(void)
{
    gh_error_t      error = { 0 };
    gh_slot_owner_t owner = { (uint32_t) getpid(), 1, NOW };
    gh_ledger_t    *ledger = gh_ledger_open(path, true, &error);

    if (ledger == NULL || gh_ledger_slot_take(ledger, &owner, &error) == NULL) {
        fprintf(stderr, "crowd: %s\n", error.text);
        exit(1);
    }
    return ledger;
}

static void
scopes(gh_reservation_item_t items[SCOPES])
{
    static const gh_dimension_t dimensions[SCOPES] = { GH_COUNT_REQUESTS, GH_COUNT_TOKENS, GH_COUNT_INPUT, GH_COUNT_OUTPUT, GH_COUNT_MICRO_DOLLARS,
                                                       GH_COUNT_TOKENS };

    for (int i = 0; i < SCOPES; i++) {
        items[i] = (gh_reservation_item_t) { .id = { .uid = 1, .level = i == 5 ? GH_LEVEL_APP : GH_LEVEL_TENANT, .dimension = dimensions[i],
            .per = GH_PER_DAY, .limit_class = GH_LIMIT_BUDGET }, .window = gh_window_number(GH_PER_DAY, NOW), .limit = UINT64_C(1) << 47, .amount = 9 };
    }
}

/* Reserve and settle, so many times; most: reads of the pair that needed the most. */
static void
work(unsigned pairs)
{
    static const uint8_t  request[16] = { 1 };
    uint64_t              actual[SCOPES] = { USED, USED, USED, USED, USED, USED };
    gh_reservation_item_t items[SCOPES];
    gh_ledger_t          *ledger = join_ledger();

    scopes(items);
    gh_kill_hook = count_point;
    for (unsigned i = 0; i < pairs; i++) {
        uint64_t         before = own->reads;
        gh_reservation_t held;
        unsigned         refused;
        uint32_t         over;

        own->refused += gh_reservation_take(ledger, items, SCOPES, request, NOW + 60000, &held, &refused) != GH_RESERVED;
        gh_reservation_settle(ledger, &held, actual, &over, NULL);
        own->most = own->reads - before > own->most ? own->reads - before : own->most;
    }
    gh_kill_hook = NULL;
    gh_ledger_close(ledger);
}

static counted_t
crowd(unsigned processes, unsigned pairs, bool yields)
{
    counted_t sum = { 0 };

    memset(shared, 0, PROCESSES * sizeof(*shared));
    for (unsigned i = 0; i < processes; i++) {
        if (fork() == 0) {
            own = &shared[i];
            yielding = yields;
            work(pairs);
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {
        /* all of them */
    }
    for (unsigned i = 0; i < processes; i++) {
        sum.reads += shared[i].reads;
        sum.others += shared[i].others;
        sum.refused += shared[i].refused;
        sum.most = shared[i].most > sum.most ? shared[i].most : sum.most;
    }
    return sum;
}

/* What the counters say now, by reserving nothing. */
static bool
sums_are(uint64_t expected)
{
    static const uint8_t  request[16] = { 2 };
    gh_reservation_item_t items[SCOPES];
    gh_ledger_t          *ledger = join_ledger();
    gh_reservation_t      held;
    unsigned              refused;
    bool                  good;

    scopes(items);
    for (int i = 0; i < SCOPES; i++) {
        items[i].amount = 0;
    }
    good = gh_reservation_take(ledger, items, SCOPES, request, NOW + 60000, &held, &refused) == GH_RESERVED;
    for (int i = 0; good && i < SCOPES; i++) {
        good = items[i].value == expected;
    }
    gh_reservation_undo(ledger, &held);
    gh_ledger_close(ledger);
    return good;
}

static unsigned failed;

static void
check(bool good, const char *what)
{
    if (!good) {
        printf("failed: %s\n", what);
        failed++;
    }
}

int
main(int argc, char **argv)
{
    static const uint8_t id[16] = { 1 };
    gh_error_t           error = { 0 };
    unsigned             pairs = 20000;
    counted_t            one, many, worst;
    bool                 made;
    double               alone;

    for (int i = 1; i + 1 < argc; i += 2) {
        path = strcmp(argv[i], "--ledger") == 0 ? argv[i + 1] : path;
        pairs = strcmp(argv[i], "--pairs") == 0 ? (unsigned) strtoul(argv[i + 1], NULL, 10) : pairs;
    }
    shared = mmap(NULL, PROCESSES * sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (path == NULL || pairs == 0 || shared == MAP_FAILED || gh_ledger_create(path, UINT64_C(16) << 20, id, id, &made, &error) != GH_OK) {
        fprintf(stderr, "crowd --ledger PATH [--pairs N] %s\n", error.text);
        return 64;
    }
    one = crowd(1, pairs, false);
    many = crowd(PROCESSES, pairs, false);
    worst = crowd(PROCESSES, pairs / 10 + 1, true);
    alone = (double) one.reads / pairs;
    printf("reads of a pair of reserve and settle over six counters: alone %.2f; of eight %.2f, at most %llu; giving way each time %.2f\n", alone,
        (double) many.reads / pairs / PROCESSES, (unsigned long long) many.most, (double) worst.reads / (pairs / 10 + 1) / PROCESSES);
    check(one.reads == (uint64_t) pairs * 2 * SCOPES, "alone an operation reads once");
    check((double) many.reads <= 2 * alone * pairs * PROCESSES, "eight do not read twice as often, each, as one alone");
    check((double) worst.reads <= PROCESSES * alone * (pairs / 10 + 1) * PROCESSES, "a read is in vain only when another's was not");
    check(many.others <= one.others * PROCESSES + (many.reads - one.reads * PROCESSES) * 4, "nothing else is done more often but by a read again");
    check(one.refused + many.refused + worst.refused == 0, "nobody is refused");
    check(sums_are(((uint64_t) pairs * (1 + PROCESSES) + (pairs / 10 + 1) * PROCESSES) * USED), "the sums are exact");
    unlink(path);
    printf("crowd: %u failed\n", failed);
    return failed != 0;
}
