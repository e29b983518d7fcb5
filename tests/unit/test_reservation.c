/* Counters and reservations: what is taken, refused, settled, undone; windows; what dies in between; many processes; growing. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policy/ledger/counter_word.h"
#include "policy/ledger/reservation.h"
#include "policy/ledger/verify.h"
#include "tests/unit/check.h"

#define NOW UINT64_C(1790000000000)

static const uint8_t ledger_id[16] = { 1 }, store_id[16] = { 2 }, request[16] = { 7, 7, 7 };
static char          directory[64], path[96];

static gh_ledger_t *
open_ledger(void)
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

static gh_ledger_t *
fresh(uint64_t size)
{
    gh_error_t error = { 0 };
    bool       made;

    unlink(path);
    CHECK(gh_ledger_create(path, size, ledger_id, store_id, &made, &error) == GH_OK && made);
    return open_ledger();
}

static gh_counter_id_t
counter(uint64_t uid, gh_dimension_t dimension, gh_per_t per)
{
    return (gh_counter_id_t) { uid, 0, GH_LEVEL_TENANT, dimension, per, GH_LIMIT_BUDGET };
}

static gh_reservation_item_t
item(uint64_t uid, gh_dimension_t dimension, gh_per_t per, uint64_t now_ms, uint64_t limit, uint64_t amount)
{
    return (gh_reservation_item_t) { .id = counter(uid, dimension, per), .window = gh_window_number(per, now_ms), .limit = limit, .amount = amount };
}

static gh_reserved_t
take(gh_ledger_t *ledger, gh_reservation_item_t *items, unsigned count, gh_reservation_t *reservation, unsigned *refused)
{
    return gh_reservation_take(ledger, items, count, request, NOW + 60000, reservation, refused);
}

static uint64_t
value(const gh_ledger_t *ledger, uint64_t uid, gh_dimension_t dimension, gh_per_t per, uint64_t now_ms)
{
    gh_counter_id_t id = counter(uid, dimension, per);

    return gh_counter_read(ledger, &id, gh_window_number(per, now_ms));
}

/* ---- windows ---- */

/* Against the C library's calendar. */
static void
test_windows(void)
{
    for (uint64_t day = 0; day < 60000; day += 1 + day % 3) {
        time_t    seconds = (time_t) day * 86400 + 43200;
        struct tm tm, next = { 0 };
        uint32_t  month;

        gmtime_r(&seconds, &tm);
        month = gh_window_number(GH_PER_MONTH, (uint64_t) seconds * 1000);
        if (month != (uint32_t) ((tm.tm_year + 1900) * 12 + tm.tm_mon)) {
            CHECK_INT(month, (tm.tm_year + 1900) * 12 + tm.tm_mon);
            return;
        }
        next.tm_year = tm.tm_year + (tm.tm_mon == 11);
        next.tm_mon = (tm.tm_mon + 1) % 12;
        next.tm_mday = 1;
        if (gh_window_end(GH_PER_MONTH, month) != (uint64_t) timegm(&next) * 1000) {
            CHECK_INT(gh_window_end(GH_PER_MONTH, month), timegm(&next) * 1000);
            return;
        }
    }
    CHECK_INT(gh_window_number(GH_PER_MONTH, 951868799999), 2000 * 12 + 1);      /* 2000-02-29T23:59:59.999Z */
    CHECK_INT(gh_window_number(GH_PER_MONTH, 951868800000), 2000 * 12 + 2);
    CHECK_INT(gh_window_number(GH_PER_NONE, NOW), 0);
    CHECK_INT(gh_window_end(GH_PER_NONE, 0), 0);
    CHECK_INT(gh_window_number(GH_PER_SECOND, 1999), 1);
    CHECK_INT(gh_window_end(GH_PER_SECOND, 1), 2000);
    CHECK_INT(gh_window_end(GH_PER_MINUTE, gh_window_number(GH_PER_MINUTE, 60000)), 120000);
    CHECK_INT(gh_window_end(GH_PER_DAY, gh_window_number(GH_PER_DAY, 86399999)), 86400000);
    CHECK(gh_model_number(GH_STR("gpt-4o")) != gh_model_number(GH_STR("gpt-4o-mini")) && gh_model_number(GH_STR("")) != 0);
}

/* ---- one owner ---- */

static void
test_take_and_end(void)
{
    gh_ledger_t          *ledger = fresh(GH_LEDGER_SIZE_MIN);
    gh_reservation_item_t items[3] = {
        item(1, GH_COUNT_REQUESTS, GH_PER_MINUTE, NOW, 2, 1), item(1, GH_COUNT_IN_FLIGHT, GH_PER_NONE, NOW, 10, 1),
        item(1, GH_COUNT_TOKENS, GH_PER_DAY, NOW, 1000, 400),
    };
    gh_reservation_t one, two, three;
    unsigned         refused;
    uint32_t         over;
    uint64_t         actual[3] = { 1, 99, 650 }, values[3];

    CHECK_INT(take(ledger, items, 3, &one, &refused), GH_RESERVED);
    CHECK(items[0].value == 1 && items[1].value == 1 && items[2].value == 400 && one.serial != 0);
    CHECK_INT(take(ledger, items, 3, &two, &refused), GH_RESERVED);

    /* the third has no room: nothing of it stays */
    CHECK_INT(take(ledger, items, 3, &three, &refused), GH_RESERVE_LIMIT);
    CHECK(refused == 0 && items[0].value == 2 && three.serial == 0);
    items[0].limit = 100;
    CHECK_INT(take(ledger, items, 3, &three, &refused), GH_RESERVE_LIMIT);
    CHECK(refused == 2 && items[2].value == 800);
    CHECK_INT(value(ledger, 1, GH_COUNT_REQUESTS, GH_PER_MINUTE, NOW), 2);
    CHECK_INT(value(ledger, 1, GH_COUNT_IN_FLIGHT, GH_PER_NONE, NOW), 2);
    CHECK_INT(value(ledger, 1, GH_COUNT_TOKENS, GH_PER_DAY, NOW), 800);

    /* settled above what was reserved, in flight comes back whatever is said */
    gh_reservation_settle(ledger, &one, actual, &over, values);
    CHECK(over == 4 && values[0] == 2 && values[1] == 1 && values[2] == 1050 && one.serial == 0);
    gh_reservation_settle(ledger, &one, actual, &over, NULL);        /* it holds nothing any more */
    CHECK_INT(value(ledger, 1, GH_COUNT_TOKENS, GH_PER_DAY, NOW), 1050);
    gh_reservation_undo(ledger, &two);
    CHECK_INT(value(ledger, 1, GH_COUNT_REQUESTS, GH_PER_MINUTE, NOW), 1);
    CHECK_INT(value(ledger, 1, GH_COUNT_IN_FLIGHT, GH_PER_NONE, NOW), 0);
    CHECK_INT(value(ledger, 1, GH_COUNT_TOKENS, GH_PER_DAY, NOW), 650);

    /* exhausted: not even nothing is admitted above the limit; at it, nothing more */
    items[2].limit = 649;
    items[2].amount = 0;
    CHECK(take(ledger, &items[2], 1, &three, &refused) == GH_RESERVE_LIMIT);
    items[2].limit = 650;
    CHECK(take(ledger, &items[2], 1, &three, &refused) == GH_RESERVED);
    gh_reservation_undo(ledger, &three);
    CHECK(take(ledger, NULL, 0, &three, &refused) == GH_RESERVED && three.serial != 0);
    gh_reservation_undo(ledger, &three);

    /* held at the end of its range */
    items[2] = item(2, GH_COUNT_TOKENS, GH_PER_NONE, NOW, GH_NO_LIMIT, UINT64_MAX);
    CHECK(take(ledger, &items[2], 1, &three, &refused) == GH_RESERVED && items[2].value == GH_COUNT_MAX);
    items[2].amount = 5;
    CHECK(take(ledger, &items[2], 1, &two, &refused) == GH_RESERVED && items[2].value == GH_COUNT_MAX);
    gh_ledger_close(ledger);
}

/* An older window counts as nothing, a newer one is kept, and what is given back goes to its own window or nowhere. */
static void
test_window_moves(void)
{
    gh_ledger_t          *ledger = fresh(GH_LEDGER_SIZE_MIN);
    uint64_t              later = NOW + 60000, actual[1] = { 7 };
    gh_reservation_item_t now = item(3, GH_COUNT_TOKENS, GH_PER_MINUTE, NOW, 100, 60), then = item(3, GH_COUNT_TOKENS, GH_PER_MINUTE, later, 100, 60);
    gh_reservation_t      first, second, third;
    unsigned              refused;
    uint32_t              over;
    uint64_t              values[1];

    CHECK(take(ledger, &now, 1, &first, &refused) == GH_RESERVED && take(ledger, &now, 1, &third, &refused) == GH_RESERVE_LIMIT);
    CHECK(take(ledger, &then, 1, &second, &refused) == GH_RESERVED && then.value == 60);
    CHECK(value(ledger, 3, GH_COUNT_TOKENS, GH_PER_MINUTE, later) == 60 && value(ledger, 3, GH_COUNT_TOKENS, GH_PER_MINUTE, later + 60000) == 0);

    /* the clock stepped back: counted in the window that is there */
    CHECK(take(ledger, &now, 1, &third, &refused) == GH_RESERVE_LIMIT && now.value == 60);
    now.amount = 40;
    CHECK(take(ledger, &now, 1, &third, &refused) == GH_RESERVED && now.value == 100);
    gh_reservation_settle(ledger, &first, actual, &over, values);    /* its minute is over */
    CHECK_INT(value(ledger, 3, GH_COUNT_TOKENS, GH_PER_MINUTE, later), 100);
    gh_reservation_undo(ledger, &third);
    CHECK_INT(value(ledger, 3, GH_COUNT_TOKENS, GH_PER_MINUTE, later), 60);
    gh_reservation_settle(ledger, &second, actual, &over, values);
    CHECK(values[0] == 7 && over == 0);
    gh_ledger_close(ledger);
}

/* ---- room ---- */

static void
test_room(void)
{
    gh_ledger_t          *ledger = fresh(GH_LEDGER_SIZE_MIN);
    gh_reservation_item_t one = item(1, GH_COUNT_TOKENS, GH_PER_DAY, NOW, GH_NO_LIMIT, 1);
    gh_reservation_t     *held = calloc(100000, sizeof(*held));
    gh_error_t            error = { 0 };
    bool                  left;
    unsigned              refused, count = 0, counters = 0;

    /* reservations run out, are given back, and come again */
    while (count < 100000 && take(ledger, &one, 1, &held[count], &refused) == GH_RESERVED) {
        count++;
    }
    CHECK(count > 100 && count < 1000 && refused == 1);
    for (unsigned i = 0; i < count; i++) {
        gh_reservation_undo(ledger, &held[i]);
    }
    CHECK(take(ledger, &one, 1, &held[0], &refused) == GH_RESERVED);
    gh_reservation_undo(ledger, &held[0]);
    CHECK_INT(value(ledger, 1, GH_COUNT_TOKENS, GH_PER_DAY, NOW), 0);

    /* counters run out: a needed one is refused, an optional one left out */
    for (uint64_t uid = 10; uid < 100000; uid++) {
        gh_reservation_item_t both[2] = { one, item(uid, GH_COUNT_TOKENS, GH_PER_DAY, NOW, GH_NO_LIMIT, 1) };

        if (take(ledger, both, 2, &held[0], &refused) != GH_RESERVED) {
            CHECK_INT(refused, 1);
            both[1].optional = true;
            CHECK(take(ledger, both, 2, &held[0], &refused) == GH_RESERVED && both[1].value == 0);
            gh_reservation_undo(ledger, &held[0]);
            break;
        }
        gh_reservation_undo(ledger, &held[0]);
        counters++;
    }
    CHECK(counters > 1000 && counters < 100000);
    CHECK_INT(value(ledger, 1, GH_COUNT_TOKENS, GH_PER_DAY, NOW), 0);

    /* two days later their places are others' */
    CHECK_INT(gh_ledger_sweep(ledger, NOW + 2 * 86400000, 100, &left, NULL, NULL, &error), GH_OK);
    for (uint64_t uid = 200000; uid < 200000 + counters / 2; uid++) {
        gh_reservation_item_t next = item(uid, GH_COUNT_TOKENS, GH_PER_DAY, NOW + 2 * 86400000, GH_NO_LIMIT, uid);

        if (take(ledger, &next, 1, &held[0], &refused) != GH_RESERVED || next.value != uid) {
            CHECK(false);
            break;
        }
        gh_reservation_undo(ledger, &held[0]);
    }
    gh_ledger_close(ledger);
    free(held);
}

/* More room is there at once for a process that has had it mapped before. */
static void
test_grow(void)
{
    gh_ledger_t          *ledger = fresh(GH_LEDGER_SIZE_MIN), *cli, *late;
    gh_reservation_item_t one = item(1, GH_COUNT_TOKENS, GH_PER_DAY, NOW, GH_NO_LIMIT, 1);
    gh_reservation_t     *held = calloc(100000, sizeof(*held));
    gh_error_t            error = { 0 };
    unsigned              refused, count = 0, before;

    while (take(ledger, &one, 1, &held[count], &refused) == GH_RESERVED) {
        count++;
    }
    before = count;
    cli = gh_ledger_open(path, true, &error);
    CHECK(gh_ledger_grow(cli, GH_LEDGER_SIZE_MIN, &error) == GH_ERROR && strcmp(error.code, "ledger_size") == 0);
    CHECK(gh_ledger_grow(cli, GH_LEDGER_SIZE_MAX + 1, &error) == GH_ERROR && strcmp(error.code, "ledger_size") == 0);
    CHECK(gh_ledger_grow(cli, 2 * GH_LEDGER_SIZE_MIN + 1, &error) == GH_OK && gh_ledger_size(ledger) == 2 * GH_LEDGER_SIZE_MIN + 4096);
    while (count < 100000 && take(ledger, &one, 1, &held[count], &refused) == GH_RESERVED) {
        count++;
    }
    CHECK(count > 2 * before - 50);
    for (uint64_t uid = 10; uid < 8000; uid++) {
        gh_reservation_item_t next = item(uid, GH_COUNT_TOKENS, GH_PER_NONE, NOW, GH_NO_LIMIT, uid);

        gh_reservation_undo(ledger, &held[--count]);
        if (take(ledger, &next, 1, &held[count], &refused) != GH_RESERVED) {
            break;
        }
        count++;
    }
    late = gh_ledger_open(path, false, &error);
    CHECK(late != NULL && value(late, 1, GH_COUNT_TOKENS, GH_PER_DAY, NOW) == value(ledger, 1, GH_COUNT_TOKENS, GH_PER_DAY, NOW));
    CHECK(gh_ledger_still(ledger, &error) == GH_OK);
    for (unsigned i = 1; i < GH_LEDGER_EXTENTS - 1; i++) {
        if (gh_ledger_grow(cli, gh_ledger_size(cli) + (64 << 10), &error) != GH_OK) {
            CHECK(false);
            break;
        }
    }
    CHECK(gh_ledger_grow(cli, gh_ledger_size(cli) + (64 << 10), &error) == GH_ERROR && strstr(error.text, "31 times") != NULL);
    gh_ledger_close(late);
    gh_ledger_close(cli);
    gh_ledger_close(ledger);
    free(held);
}

/* ---- deaths ---- */

static gh_recovered_t last_recovered;
static unsigned       recovered_count;

static void
note(void *context, const gh_recovered_t *recovered)
{
    (void) context;
    last_recovered = *recovered;
    recovered_count++;
}

static void
test_orphan(void)
{
    gh_ledger_t *ledger = fresh(GH_LEDGER_SIZE_MIN);
    gh_error_t   error = { 0 };
    bool         left;
    pid_t        pid = fork();
    int          status;

    if (pid == 0) {
        gh_ledger_t          *own = open_ledger();
        gh_reservation_item_t items[2] = { item(1, GH_COUNT_TOKENS, GH_PER_DAY, NOW, 1000, 300), item(1, GH_COUNT_IN_FLIGHT, GH_PER_NONE, NOW, 9, 1) };
        gh_reservation_t      held;
        unsigned              refused;

        take(own, items, 2, &held, &refused);
        take(own, items, 2, &held, &refused);
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, &status, 0);
    CHECK(value(ledger, 1, GH_COUNT_TOKENS, GH_PER_DAY, NOW) == 600 && value(ledger, 1, GH_COUNT_IN_FLIGHT, GH_PER_NONE, NOW) == 2);
    CHECK(gh_ledger_sweep(ledger, NOW, 1, &left, note, NULL, &error) == GH_OK && left && recovered_count == 1);
    CHECK(gh_ledger_sweep(ledger, NOW, 1, &left, note, NULL, &error) == GH_OK && recovered_count == 2);
    CHECK(gh_ledger_sweep(ledger, NOW, 1, &left, note, NULL, &error) == GH_OK && !left && recovered_count == 2);
    CHECK(value(ledger, 1, GH_COUNT_TOKENS, GH_PER_DAY, NOW) == 600 && value(ledger, 1, GH_COUNT_IN_FLIGHT, GH_PER_NONE, NOW) == 0);
    CHECK(last_recovered.count == 2 && last_recovered.charged[0] == 300 && last_recovered.charged[1] == 0 && last_recovered.reserved[1] == 1);
    CHECK(last_recovered.ids[0].uid == 1 && last_recovered.ids[0].dimension == GH_COUNT_TOKENS);
    CHECK_MEM(last_recovered.request_id, request, 16);
    CHECK(gh_ledger_sweep_lease(ledger, NOW, 1000) && !gh_ledger_sweep_lease(ledger, NOW + 999, 1000) && gh_ledger_sweep_lease(ledger, NOW + 1000, 1000));
    CHECK(gh_ledger_sweep_lease(ledger, NOW - 86400000, 1000));      /* the clock stepped back */
    gh_ledger_close(ledger);
}

/* One holder at a time, kept as long as it comes in time; the agent's word of its life; keys that are wanted, once each. */
static void
test_agent(void)
{
    gh_ledger_t *ledger = fresh(GH_LEDGER_SIZE_MIN);
    uint64_t     mine = 0, other = 0, node, audit;

    CHECK(gh_ledger_sweep_lease(ledger, NOW, 900) && !gh_ledger_sweep_keep(ledger, NOW + 899, 3000, &mine) && mine == 0);
    CHECK(gh_ledger_sweep_keep(ledger, NOW + 900, 3000, &mine) && mine == NOW + 3900);
    CHECK(!gh_ledger_sweep_lease(ledger, NOW + 1000, 900) && !gh_ledger_sweep_keep(ledger, NOW + 1000, 3000, &other));
    for (uint64_t t = NOW + 1900; t < NOW + 20000; t += 1000) {
        CHECK(gh_ledger_sweep_keep(ledger, t, 3000, &mine) && !gh_ledger_sweep_lease(ledger, t + 999, 900));
    }
    /* it comes too late, and somebody else was there; then that one's time is over as well */
    CHECK(gh_ledger_sweep_lease(ledger, NOW + 30000, 900) && !gh_ledger_sweep_keep(ledger, NOW + 30100, 3000, &mine) && mine == 0);
    CHECK(gh_ledger_sweep_keep(ledger, NOW + 30900, 3000, &mine) && mine == NOW + 33900);
    gh_ledger_sweep_leave(ledger, &other);
    CHECK(!gh_ledger_sweep_lease(ledger, NOW + 31000, 900));
    gh_ledger_sweep_leave(ledger, &mine);
    CHECK(mine == 0 && gh_ledger_sweep_lease(ledger, NOW + 31000, 900));

    CHECK(!gh_ledger_agent_lives(ledger, NOW) && gh_ledger_agent_seen_ms(ledger) == 0 && gh_ledger_agent_gone_ms(ledger) == 0);
    gh_ledger_agent_beat(ledger, NOW, NOW - 5, 77);
    CHECK(gh_ledger_agent_lives(ledger, NOW) && gh_ledger_agent_lives(ledger, NOW + GH_AGENT_BEAT_MS - 1) && !gh_ledger_agent_lives(ledger, NOW + GH_AGENT_BEAT_MS));
    CHECK(!gh_ledger_agent_lives(ledger, NOW - 86400000) && gh_ledger_agent_seen_ms(ledger) == NOW && gh_ledger_agent_gone_ms(ledger) == NOW);
    gh_ledger_agent_end(ledger, NOW + 7);
    CHECK(!gh_ledger_agent_lives(ledger, NOW) && gh_ledger_agent_seen_ms(ledger) == 0 && gh_ledger_agent_gone_ms(ledger) == NOW + 7);

    /* one that lives and finishes another record than the workers write is none that sweeps */
    gh_ledger_workers_placed(ledger, &node, &audit);
    CHECK(node == 0 && audit == 0 && !gh_ledger_agent_sweeps(ledger, NOW, 3, 4));
    gh_ledger_workers_place(ledger, 3, 4);
    gh_ledger_workers_placed(ledger, &node, &audit);
    CHECK(node == 3 && audit == 4);
    gh_ledger_agent_place(ledger, 3, 4);
    CHECK(!gh_ledger_agent_sweeps(ledger, NOW, 3, 4));
    gh_ledger_agent_beat(ledger, NOW, NOW - 5, 77);
    CHECK(gh_ledger_agent_sweeps(ledger, NOW, 3, 4) && !gh_ledger_agent_sweeps(ledger, NOW + GH_AGENT_BEAT_MS, 3, 4));
    CHECK(!gh_ledger_agent_sweeps(ledger, NOW, 2, 4) && !gh_ledger_agent_sweeps(ledger, NOW, 3, 5));
    gh_ledger_agent_place(ledger, 0, 0);
    CHECK(gh_ledger_agent_lives(ledger, NOW) && !gh_ledger_agent_sweeps(ledger, NOW, 3, 4));

    gh_ledger_keys_want(ledger, 5);
    gh_ledger_keys_want(ledger, 4);
    gh_ledger_keys_want(ledger, 8);
    CHECK(gh_ledger_keys_wanted(ledger) == 13 && gh_ledger_keys_wanted(ledger) == 0);
    gh_ledger_close(ledger);
}

/* ---- many processes ---- */

#define WORKERS    4
#define IDENTITIES 40

typedef struct {
    uint64_t made, applied[IDENTITIES];    /* what each identity was charged in all */
} tally_t;

/* Takes and ends reservations of random identities until the parent kills it; what it charged is in shared memory. */
static void
work(tally_t *tally, uint64_t turn, uint64_t generation)
{
    gh_ledger_t *ledger = open_ledger();

    for ( ;; ) {
        gh_reservation_item_t items[3];
        gh_reservation_t      held;
        uint64_t              actual[3], uids[3];
        uint32_t              over;
        unsigned              refused;

        for (int i = 0; i < 3; i++) {
            turn = turn * 6364136223846793005u + 1442695040888963407u;
            uids[i] = turn >> 33;
            items[i] = item(generation * 1000 + 1 + uids[i] % IDENTITIES, GH_COUNT_TOKENS, GH_PER_NONE, NOW, GH_NO_LIMIT, 5);
            actual[i] = turn >> 61;
        }
        if (take(ledger, items, 3, &held, &refused) != GH_RESERVED) {
            _exit(3);
        }
        if (turn >> 20 & 1) {
            gh_reservation_undo(ledger, &held);
            continue;
        }
        gh_reservation_settle(ledger, &held, actual, &over, NULL);
        for (int i = 0; i < 3; i++) {
            __atomic_add_fetch(&tally->applied[uids[i] % IDENTITIES], actual[i], __ATOMIC_SEQ_CST);
        }
        __atomic_add_fetch(&tally->made, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&tally->made, __ATOMIC_SEQ_CST) > 20000) {
            _exit(0);
        }
    }
}

/* Nobody dies: the sum is exact. The same identities are made by all at once, and there is one of each. */
static int
count_one(void *context, const gh_counter_view_t *view)
{
    unsigned *seen = context;

    if (view->id.uid >= 1 && view->id.uid <= IDENTITIES) {
        seen[view->id.uid - 1]++;
    }
    return GH_OK;
}

static void
test_many(void)
{
    tally_t     *tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    gh_ledger_t *ledger = fresh(GH_LEDGER_SIZE_MIN);
    unsigned     seen[IDENTITIES] = { 0 }, wrong = 0;
    pid_t        pids[WORKERS];
    int          status;

    for (int i = 0; i < WORKERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            work(tally, (uint64_t) i + 1, 0);
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        CHECK(waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    for (int i = 0; i < IDENTITIES; i++) {
        wrong += value(ledger, (uint64_t) i + 1, GH_COUNT_TOKENS, GH_PER_NONE, NOW) != tally->applied[i];
    }
    CHECK_INT(wrong, 0);
    gh_ledger_each_counter(ledger, count_one, seen);
    for (int i = 0; i < IDENTITIES; i++) {
        wrong += seen[i] != 1;
    }
    CHECK_INT(wrong, 0);
    gh_ledger_close(ledger);
    munmap(tally, sizeof(*tally));
}

/*
 * Processes are killed at any instant, by the hundred (GH_KILLS says how many). Each reservation counts the same amounts at one identity and at
 * the sum of all, and something in flight: once everything is recovered, the identities add up to the sum, and nothing is in flight.
 */
static void
live_and_die(uint64_t turn)
{
    gh_ledger_t *ledger = open_ledger();
    gh_error_t   error = { 0 };

    for ( ;; ) {
        gh_reservation_item_t items[3] = { item(0, GH_COUNT_TOKENS, GH_PER_NONE, NOW, GH_NO_LIMIT, 0), item(9999, GH_COUNT_TOKENS, GH_PER_NONE, NOW, 0, 0),
            item(9999, GH_COUNT_IN_FLIGHT, GH_PER_NONE, NOW, 3, 1) };
        gh_reservation_t      held[2] = { { 0 } };
        uint64_t              actual[3] = { 0, 0, 0 };
        uint32_t              over;
        unsigned              refused;
        bool                  left;

        for (int i = 0; i < 2; i++) {
            turn = turn * 6364136223846793005u + 1442695040888963407u;
            items[0].id.uid = 1 + (turn >> 33) % (turn >> 63 ? 8 : 4000);
            items[0].amount = items[1].amount = turn >> 40 & 63;
            items[1].limit = turn >> 50 & 1 ? GH_NO_LIMIT : 1000;
            take(ledger, items, 3, &held[i], &refused);
        }
        actual[0] = actual[1] = turn >> 44 & 127;
        gh_reservation_settle(ledger, &held[1], actual, &over, NULL);
        gh_reservation_undo(ledger, &held[0]);
        if (turn >> 60 == 0) {
            gh_ledger_sweep(ledger, NOW, 3, &left, NULL, NULL, &error);
        }
    }
}

typedef struct {
    uint64_t sum, total, in_flight;
    unsigned held;
} audit_t;

static int
audit_counter(void *context, const gh_counter_view_t *view)
{
    audit_t *audit = context;

    if (view->id.dimension == GH_COUNT_IN_FLIGHT) {
        audit->in_flight += view->value;
    } else if (view->id.uid == 9999) {
        audit->total += view->value;
    } else {
        audit->sum += view->value;
    }
    return GH_OK;
}

static int
audit_reservation(void *context, const gh_reservation_view_t *view)
{
    audit_t *audit = context;

    (void) view;
    audit->held++;
    return GH_OK;
}

static void
say_problem(void *context, const char *text)
{
    (void) context;
    fprintf(stderr, "    %s\n", text);
}

static void
hear_problem(void *context, const char *text)
{
    snprintf(context, 256, "%s", text);
}

/* Is it whole, whatever goes on in it? */
static void
check_whole(const gh_ledger_t *ledger)
{
    gh_verified_t verified;
    gh_error_t    error = { 0 };

    CHECK_INT(gh_ledger_verify(ledger, NOW, say_problem, NULL, &verified, &error), GH_OK);
    CHECK_INT(verified.problems, 0);
}

static void
test_killed(void)
{
    const char  *text = getenv("GH_KILLS");
    unsigned     kills = text == NULL ? 300 : (unsigned) strtoul(text, NULL, 10);
    gh_ledger_t *ledger = fresh(GH_LEDGER_SIZE_MIN);
    gh_error_t   error = { 0 };
    audit_t      audit = { 0 };
    pid_t        pids[WORKERS] = { 0 };
    uint64_t     turn = 88172645463325252u;
    bool         left = true;

    for (unsigned i = 0; i < kills + WORKERS; i++) {
        pid_t *pid = &pids[i % WORKERS];

        if (*pid != 0) {
            turn ^= turn << 13, turn ^= turn >> 7, turn ^= turn << 17;
            usleep((useconds_t) (turn % 400));
            kill(*pid, SIGKILL);
            waitpid(*pid, NULL, 0);
        }
        if (i % 100 == 50) {
            check_whole(ledger);
        }
        *pid = i < kills ? fork() : 0;
        if (i < kills && *pid == 0) {
            live_and_die(i + 1);
        }
    }
    while (left && gh_ledger_sweep(ledger, NOW, 50, &left, NULL, NULL, &error) == GH_OK) {
        /* goes on */
    }
    gh_ledger_each_counter(ledger, audit_counter, &audit);
    gh_ledger_each_reservation(ledger, audit_reservation, &audit);
    CHECK(audit.sum == audit.total && audit.total > 0);
    CHECK(audit.in_flight == 0 && audit.held == 0);
    check_whole(ledger);
    if (text != NULL) {
        printf("%u kills, %llu counted, %llu at the identities, %llu in flight, %u held\n", kills, (unsigned long long) audit.total,
            (unsigned long long) audit.sum, (unsigned long long) audit.in_flight, audit.held);
    }
    gh_ledger_close(ledger);
}

/* ---- a ledger that something else wrote into ---- */

static gh_counter_t *
place_of(const gh_ledger_t *ledger, uint64_t uid)
{
    const gh_ledger_header_t *header = gh_ledger_header(ledger);
    gh_counter_t             *place = (gh_counter_t *) ((char *) (uintptr_t) header + header->extents[0].counters.offset);

    while ((place->id.low & GH_COUNT_MAX) != uid) {
        place++;
    }
    return place;
}

/* Each fault alone is found, and named. */
static void
test_damage(void)
{
    static const char *const expected[] = { "less than what its reservations hold", "not where a search finds it", "cannot be", "counts nothing",
        "by nobody", "is nobody's", "state that cannot be", "names a counter", NULL };

    for (unsigned fault = 0; fault < 9; fault++) {
        gh_ledger_t             *ledger = fresh(GH_LEDGER_SIZE_MIN);
        gh_reservation_item_t    one = item(77, GH_COUNT_TOKENS, GH_PER_DAY, NOW, GH_NO_LIMIT, 10);
        gh_reservation_t         held;
        gh_counter_t            *place;
        gh_reservation_record_t *record;
        gh_verified_t            verified;
        gh_error_t               error = { 0 };
        char                     heard[256] = "";
        unsigned                 refused;

        CHECK(take(ledger, &one, 1, &held, &refused) == GH_RESERVED);
        place = place_of(ledger, 77);
        record = (gh_reservation_record_t *) ((char *) (uintptr_t) gh_ledger_header(ledger) + (uint64_t) held.index * GH_LEDGER_UNIT);
        switch (fault) {
        case 0: place->word.low -= 1; break;
        case 1: place[1] = place[0]; break;
        case 2: place->id.low |= UINT64_C(1) << 62; break;
        case 3: memset(&place->id, 0, sizeof(place->id)); break;
        case 4: place->word = gh_word_pack((gh_word_t) { 5, GH_RETIRED, 0, 9 }); break;
        case 5: record->state &= ~(UINT64_C(0x7ff) << 9); break;
        case 6: record->state |= 7; break;
        case 7: record->entries[0].counter = 3; break;
        }
        CHECK_INT(gh_ledger_verify(ledger, NOW, hear_problem, heard, &verified, &error), GH_OK);
        if (!CHECK(expected[fault] == NULL ? verified.problems == 0 && verified.reservations == 1 : verified.problems >= 1
                && strstr(heard, expected[fault]) != NULL))
        {
            fprintf(stderr, "    fault %u: %s\n", fault, heard);
        }
        gh_ledger_close(ledger);
    }
}

int
main(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(directory, sizeof(directory), "%.40s/gh-reserve-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    snprintf(path, sizeof(path), "%s/ledger", directory);
    test_windows();
    test_take_and_end();
    test_window_moves();
    test_room();
    test_grow();
    test_orphan();
    test_agent();
    test_many();
    test_killed();
    test_damage();
    unlink(path);
    rmdir(directory);
    return check_done("reservation");
}
