/*
 * Real processes on one ledger, killed by SIGKILL: from outside at any moment, and by themselves at every point inside the protocol.
 *
 *     build/tests/kill/kill [--kills N] [--points N] [--seconds N] [--workers N] [--seed N] [--ledger FILE]
 *
 * Each worker reserves, settles, undoes, sweeps and grows under limits that are reached, and writes what it is about to do and what it did
 * into a log of its own in shared memory, outside of the ledger. Every hundred deaths or so the living pause between two operations; what the
 * dead left is swept, and every counter has to be what the logs say was settled plus what the living hold; what is in flight is what they
 * hold. Only a worker's last entry can be in doubt: before or after the point of no return. Each of its reservations also counts in a counter
 * of its own (3 reserved, 1 settled, 0 undone), which says which it was, and then all the others must say the same; so must whoever swept it.
 * Then the clock goes on, and some windows begin anew. No counter is ever seen above its limit. With --points N it goes on beyond the kills
 * asked for, up to eight times as many, until somebody has died at N points.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policy/ledger/ledger_internal.h"

#define WORKERS_MAX 16
#define AREAS       256
#define ENTRIES     512
#define ITEMS       8
#define HELD_MAX    6
#define HOT         10
#define COLD        3000
#define COUNTERS    (HOT + COLD)
#define PRIVATE     COUNTERS          /* an item's counter: the incarnation's own */
#define POINTS      64
#define DEATHS      100               /* between two looks */
#define LOOKS       8                 /* at one ledger */
#define CROWDED     6                 /* slots beside the workers' in a crowded ledger */
#define PATIENCE    8                 /* times the kills asked for, until every point was met */

typedef enum { INTENT = 1, HELD, SETTLING, SETTLED, UNDOING, NOTHING, FOLDED } entry_state_t;

typedef struct {
    uint32_t state, count, told;      /* told: of it, by who swept it; bit 31, and the charge of the private counter */
    struct { uint32_t counter, window, amount, actual; } items[ITEMS];
} entry_t;

typedef struct {
    uint64_t incarnation;             /* 0: free */
    uint32_t count, paused, dead;
    entry_t  entries[ENTRIES];
} area_t;

static struct shared_s {
    uint64_t    now_ms;
    uint32_t    pause;                /* odd: between two operations, stop, and say so by this number */
    const char *points[POINTS];       /* the same in every process: all are forks */
    uint64_t    died_at[POINTS];
    uint64_t    takes, refused, settled, undone, swept, grown, full, told;
    area_t      areas[AREAS];
} *shared;

static struct { gh_counter_id_t id; uint64_t limit; uint64_t settled, holds; uint32_t window; } counters[COUNTERS];

static struct { pid_t pid; unsigned area; } workers[WORKERS_MAX];
static bool        crowded;              /* in such a ledger who takes a slot may have recovered it, and tells nobody */
static struct { uint64_t kills, outside, inside, ended, looks, rounds, compared, doubts, incarnations, crowds; } told;
static unsigned    worker_count = 4;
static const char *path = "/dev/shm/gatehouse-kill";
static uint64_t    random_state = 1;
static int         others[2] = { -1, -1 };

/* ---- in every process ---- */

static uint64_t
draw(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % below;
}

static void
fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static gh_counter_id_t
private_id(uint64_t incarnation)
{
    return (gh_counter_id_t) { .uid = 1000000 + incarnation, .level = GH_LEVEL_KEY, .dimension = GH_COUNT_TOKENS, .per = GH_PER_NONE,
                               .limit_class = GH_LIMIT_BUDGET };
}

static void
name_counters(void)
{
    static const struct { uint8_t dimension, per; uint64_t limit; } hot[HOT] = {
        { GH_COUNT_IN_FLIGHT, GH_PER_NONE, 7 },       { GH_COUNT_STREAMS, GH_PER_NONE, 4 },           { GH_COUNT_IN_FLIGHT, GH_PER_NONE, GH_NO_LIMIT },
        { GH_COUNT_REQUESTS, GH_PER_MINUTE, 600 },    { GH_COUNT_TOKENS, GH_PER_MINUTE, 9000 },       { GH_COUNT_MICRO_DOLLARS, GH_PER_DAY, 200000 },
        { GH_COUNT_TOKENS, GH_PER_MONTH, GH_NO_LIMIT }, { GH_COUNT_MICRO_DOLLARS, GH_PER_NONE, 900000 }, { GH_COUNT_OUTPUT, GH_PER_NONE, GH_NO_LIMIT },
        { GH_COUNT_REQUESTS, GH_PER_SECOND, 300 },
    };

    for (unsigned i = 0; i < COUNTERS; i++) {
        counters[i].id = (gh_counter_id_t) { .uid = 1 + i, .level = GH_LEVEL_TENANT, .limit_class = GH_LIMIT_BUDGET,
                                             .dimension = i < HOT ? hot[i].dimension : GH_COUNT_TOKENS, .per = i < HOT ? hot[i].per : GH_PER_MINUTE };
        counters[i].limit = i < HOT ? hot[i].limit : 500;
    }
}

/* ---- a worker ---- */

static struct { gh_ledger_t *ledger; area_t *area; unsigned number; long countdown; unsigned target; bool grower; gh_reservation_t held[HELD_MAX]; unsigned entries[HELD_MAX]; } me;

static void
at_point(const char *name)
{
    unsigned i = 0;

    while (i < POINTS - 1 && shared->points[i] != NULL && shared->points[i] != name && strcmp(shared->points[i], name) != 0) {
        i++;
    }
    if (shared->points[i] == NULL) {
        __atomic_store_n(&shared->points[i], name, __ATOMIC_RELAXED);
    }
    if ((me.target == POINTS || me.target == i) && me.countdown > 0 && --me.countdown == 0) {
        __atomic_fetch_add(&shared->died_at[i], 1, __ATOMIC_RELAXED);
        kill(getpid(), SIGKILL);
    }
}

static void
state_is(entry_t *entry, entry_state_t state)
{
    __atomic_store_n(&entry->state, state, __ATOMIC_RELEASE);
}

static void
take(unsigned place)
{
    entry_t               *entry = &me.area->entries[me.area->count];
    gh_reservation_item_t  items[ITEMS];
    uint64_t               id[2] = { me.area->incarnation, (uint64_t) (me.area - shared->areas) << 32 | me.area->count }, now = shared->now_ms;
    unsigned               refused;
    gh_reserved_t          verdict;

    memset(items, 0, sizeof(items));
    entry->count = 1 + (unsigned) draw(ITEMS);
    entry->told = 0;
    for (unsigned i = 0; i < entry->count; i++) {
        unsigned counter = draw(4) == 0 ? HOT + (unsigned) draw(COLD) : (unsigned) draw(HOT);

        for (unsigned other = 0; other < i; other++) {
            counter = entry->items[other].counter == counter ? HOT + (unsigned) draw(COLD) : counter;
        }
        entry->items[i].counter = counter;
        entry->items[i].amount = counters[counter].id.dimension == GH_COUNT_IN_FLIGHT || counters[counter].id.dimension == GH_COUNT_STREAMS
            || counters[counter].id.dimension == GH_COUNT_REQUESTS ? 1 : (uint32_t) draw(100);
    }
    entry->items[draw(entry->count)].counter = PRIVATE;
    for (unsigned i = 0; i < entry->count; i++) {
        bool own = entry->items[i].counter == PRIVATE;

        entry->items[i].amount = own ? 3 : entry->items[i].amount;
        items[i].id = own ? private_id(me.area->incarnation) : counters[entry->items[i].counter].id;
        items[i].limit = own ? GH_NO_LIMIT : counters[entry->items[i].counter].limit;
        items[i].amount = entry->items[i].amount;
        items[i].window = entry->items[i].window = gh_window_number((gh_per_t) items[i].id.per, now);
    }
    state_is(entry, INTENT);
    __atomic_store_n(&me.area->count, me.area->count + 1, __ATOMIC_RELEASE);
    verdict = gh_reservation_take(me.ledger, items, entry->count, (const uint8_t *) id, now + 60000, &me.held[place], &refused);
    state_is(entry, verdict == GH_RESERVED ? HELD : NOTHING);
    me.entries[place] = me.area->count - 1;
    me.held[place].serial = verdict == GH_RESERVED ? me.held[place].serial : 0;
    __atomic_fetch_add(&shared->takes, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(verdict == GH_RESERVE_FULL ? &shared->full : verdict == GH_RESERVE_LIMIT ? &shared->refused : &shared->told, verdict != GH_RESERVED, __ATOMIC_RELAXED);
}

static void
end(unsigned place)
{
    entry_t *entry = &me.area->entries[me.entries[place]];
    uint64_t actual[ITEMS];
    uint32_t over;

    if (draw(5) == 0) {
        state_is(entry, UNDOING);
        gh_reservation_undo(me.ledger, &me.held[place]);
        state_is(entry, NOTHING);
        __atomic_fetch_add(&shared->undone, 1, __ATOMIC_RELAXED);
    } else {
        for (unsigned i = 0; i < entry->count; i++) {
            unsigned counter = entry->items[i].counter;
            bool     own = counter == PRIVATE, returns = !own && (counters[counter].id.dimension == GH_COUNT_IN_FLIGHT || counters[counter].id.dimension == GH_COUNT_STREAMS);

            actual[i] = own ? 1 : returns ? 0 : counters[counter].limit != GH_NO_LIMIT ? draw(entry->items[i].amount + 1) : draw(200);
            entry->items[i].actual = (uint32_t) actual[i];
        }
        state_is(entry, SETTLING);
        gh_reservation_settle(me.ledger, &me.held[place], actual, &over, NULL);
        state_is(entry, SETTLED);
        __atomic_fetch_add(&shared->settled, 1, __ATOMIC_RELAXED);
    }
    me.held[place].serial = 0;
}

/* Whoever sweeps says what was charged; the private counter's charge is kept, for all. */
static void
recovered(void *context, const gh_recovered_t *one)
{
    uint64_t id[2];
    area_t  *area;
    entry_t *entry;

    (void) context;
    memcpy(id, one->request_id, sizeof(id));
    area = &shared->areas[id[1] >> 32];
    entry = &area->entries[(uint32_t) id[1] % ENTRIES];
    if (id[1] >> 32 >= AREAS || area->incarnation != id[0]) {
        fail("somebody's reservation was recovered that is over long since");
    }
    for (unsigned i = 0; i < one->count; i++) {
        if (entry->items[i].counter == PRIVATE) {
            uint32_t before = __atomic_exchange_n(&entry->told, UINT32_C(1) << 31 | (uint32_t) one->charged[i], __ATOMIC_RELAXED);

            if (before != 0 && before != (UINT32_C(1) << 31 | (uint32_t) one->charged[i])) {
                fail("two who recovered a reservation tell of it differently");
            }
        }
    }
}

static void
wait_for_all(void)
{
    uint32_t pause;

    while ((pause = __atomic_load_n(&shared->pause, __ATOMIC_ACQUIRE)) % 2 == 1) {
        __atomic_store_n(&me.area->paused, pause, __ATOMIC_RELEASE);
        usleep(200);
    }
}

static int
gap_found(void *context, const gh_ledger_gap_t *gap)    /* both counts stand in one word */
{
    if (context != NULL || gap->requests == 0 || gap->requests != gap->attempts) {
        fail("a gap that nobody wrote");
    }
    return GH_OK;
}

static void
tell_gaps(gh_slot_t *slot)
{
    uint32_t   count = 1 + (uint32_t) draw(1000);
    gh_error_t error;

    gh_slot_gap_set(slot, &(gh_ledger_gap_t) { 0, 0, count, count, shared->now_ms, shared->now_ms });
    if (gh_ledger_gaps(me.ledger, gap_found, NULL, &error) != GH_OK) {
        fail(error.text);
    }
}

static void
work(unsigned number, unsigned area, bool grows)
{
    gh_slot_t      *slot;
    gh_error_t      error;
    gh_slot_owner_t owner = { .pid = (uint32_t) getpid(), .generation = 1, .start_ms = shared->now_ms };
    bool            left;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    random_state = random_state * UINT64_C(0x9e3779b97f4a7c15) + (told.incarnations << 20) + number + 1;
    me.area = &shared->areas[area];
    me.target = draw(2) == 0 ? POINTS : 0;
    for (unsigned i = 0; me.target < POINTS && i < POINTS && shared->points[i] != NULL; i++) {   /* where fewest died, more or less */
        me.target = shared->died_at[i] < shared->died_at[me.target] && draw(5) != 0 ? i : me.target;
    }
    me.grower = me.target < POINTS && shared->points[me.target] != NULL && strncmp(shared->points[me.target], "grow", 4) == 0;
    me.countdown = draw(5) == 0 ? 0 : 1 + (long) draw(me.target == POINTS ? 4000 : draw(2) == 0 ? 40 : 1);
    gh_kill_hook = at_point;
    me.ledger = gh_ledger_open(path, true, &error);
    if (me.ledger == NULL || (slot = gh_ledger_slot_take(me.ledger, &owner, &error)) == NULL) {
        fail(error.text);
    }
    while (me.area->count < ENTRIES) {
        unsigned place = (unsigned) draw(HELD_MAX);

        wait_for_all();
        if (draw(12) == 0) {
            if (gh_ledger_sweep(me.ledger, shared->now_ms, 1 + (unsigned) draw(6), &left, recovered, NULL, &error) != GH_OK) {
                fail(error.text);
            }
            __atomic_fetch_add(&shared->swept, 1, __ATOMIC_RELAXED);
            tell_gaps(slot);
        } else if (grows && draw(me.grower ? 40 : 400) == 0) {
            __atomic_fetch_add(&shared->grown, gh_ledger_grow(me.ledger, gh_ledger_size(me.ledger) + (64 << 10), NULL) == GH_OK, __ATOMIC_RELAXED);
        } else if (me.held[place].serial == 0) {
            take(place);
        } else {
            end(place);
        }
    }
    _exit(0);
}

/* ---- the one who watches ---- */

static void
start(unsigned number, bool grows)
{
    unsigned area = 0;

    while (shared->areas[area].incarnation != 0) {
        area++;
    }
    shared->areas[area].count = shared->areas[area].paused = shared->areas[area].dead = 0;
    shared->areas[area].incarnation = ++told.incarnations;
    workers[number].area = area;
    draw(2);
    workers[number].pid = fork();
    if (workers[number].pid < 0) {
        fail("fork");
    }
    if (workers[number].pid == 0) {
        work(number, area, grows);
    }
}

/* Who has died since: they stay dead until they are started again. */
static unsigned
reap(void)
{
    unsigned died = 0;
    int      status;
    pid_t    pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (unsigned i = 0; i < worker_count; i++) {
            if (workers[i].pid == pid) {
                workers[i].pid = 0;
                shared->areas[workers[i].area].dead = 1;
                died++;
            }
        }
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
            told.kills++;
        } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            told.ended++;
        } else {
            fail("a worker ended in a way that it should not");
        }
    }
    return died;
}

static void
add(const entry_t *entry, bool holds, bool used)
{
    for (unsigned i = 0; i < entry->count; i++) {
        unsigned counter = entry->items[i].counter;
        bool     returns = counter != PRIVATE
            && (counters[counter].id.dimension == GH_COUNT_IN_FLIGHT || counters[counter].id.dimension == GH_COUNT_STREAMS);

        if (counter != PRIVATE && entry->items[i].window == counters[counter].window) {
            if (holds) {
                counters[counter].holds += entry->items[i].amount;
            } else {
                counters[counter].settled += used ? entry->items[i].actual : returns ? 0 : entry->items[i].amount;
            }
        }
    }
}

/* What a log says, as far as it is not counted yet. own: what its private counter should be; may: the entry in doubt. */
static entry_t *
fold(area_t *area, uint64_t *own)
{
    entry_t *doubt = NULL;

    *own = 0;
    for (unsigned i = 0; i < area->count; i++) {
        entry_t *entry = &area->entries[i];
        bool     folded = entry->told == FOLDED;

        switch (__atomic_load_n(&entry->state, __ATOMIC_ACQUIRE)) {
        case HELD:
            if (area->dead && (entry->told == 0 ? !crowded : (entry->told & 0xffff) != 3)) {
                fail("nobody was told of what a dead worker held, or the wrong charge");
            }
            add(entry, !area->dead, false);
            *own += 3;
            break;
        case SETTLED:
            *own += 1;
            if (!folded) {
                add(entry, false, true);
                entry->told = FOLDED;
            }
            break;
        case INTENT:
        case SETTLING:
        case UNDOING:
            if (doubt != NULL || !area->dead) {
                fail("a log has two entries in doubt, or one of the living");
            }
            doubt = entry;
            break;
        default:
            break;
        }
    }
    return doubt;
}

/* The private counter says which it was: nothing, used or held. */
static void
decide(entry_t *entry, uint64_t rest)
{
    char text[120];
    bool told_charge = (entry->told >> 31) != 0;

    told.doubts++;
    if ((rest == 0 && entry->state != SETTLING && !told_charge) || (rest == 1 && entry->state == SETTLING)) {
        if (rest == 1) {
            add(entry, false, true);
        }
    } else if (rest == 3 && (told_charge || crowded)) {
        add(entry, false, false);
    } else {
        rest = UINT64_MAX;
    }
    if (rest == UINT64_MAX || (told_charge && (entry->told & 0xffff) != rest)) {
        snprintf(text, sizeof(text), "in doubt in state %u: its own counter says %" PRIu64 ", who swept said %x", entry->state, rest, entry->told);
        fail(text);
    }
}

static int
show(void *context, const gh_counter_view_t *view)
{
    if (view->id.uid == ((const gh_counter_id_t *) context)->uid) {
        fprintf(stderr, "in the ledger: window %" PRIu32 ", value %" PRIu64 "\n", view->window, view->value);
    }
    return GH_OK;
}

/* Nobody is in an operation: what the dead left is swept, and every counter compared. */
static void
look(gh_ledger_t *ledger)
{
    gh_error_t error;
    bool       left = true;
    char       text[200];

    told.looks++;
    while (left) {
        if (gh_ledger_sweep(ledger, shared->now_ms, 1000, &left, recovered, NULL, &error) != GH_OK) {
            fail(error.text);
        }
    }
    for (unsigned i = 0; i < COUNTERS; i++) {
        counters[i].holds = 0;
    }
    for (unsigned i = 0; i < AREAS; i++) {
        area_t         *area = &shared->areas[i];
        gh_counter_id_t id = private_id(area->incarnation);
        uint64_t        own, value;
        entry_t        *doubt;

        if (area->incarnation == 0) {
            continue;
        }
        doubt = fold(area, &own);
        value = gh_counter_read(ledger, &id, 0);
        if (value < own || (doubt == NULL && value != own)) {
            snprintf(text, sizeof(text), "incarnation %" PRIu64 ": its own counter is %" PRIu64 " and should be %" PRIu64, area->incarnation, value, own);
            fail(text);
        }
        if (doubt != NULL) {
            decide(doubt, value - own);
        }
        told.compared++;
        area->incarnation = area->dead ? 0 : area->incarnation;
    }
    for (unsigned i = 0; i < COUNTERS; i++) {
        uint64_t value = gh_counter_read(ledger, &counters[i].id, counters[i].window);

        told.compared++;
        if (value != counters[i].settled + counters[i].holds) {
            snprintf(text, sizeof(text), "counter %u is %" PRIu64 " in window %" PRIu32 "; settled %" PRIu64 ", reserved %" PRIu64 "; look %" PRIu64 " of ledger %" PRIu64,
                i, value, counters[i].window, counters[i].settled, counters[i].holds, told.looks % LOOKS, told.rounds);
            (void) gh_ledger_each_counter(ledger, show, &counters[i].id);
            fail(text);
        }
    }
}

static void
tick(void)
{
    static const uint64_t steps[] = { 1000, 1000, 60000, 60000, 3600000, 86400000 };

    shared->now_ms += steps[draw(6)];
    for (unsigned i = 0; i < COUNTERS; i++) {
        uint32_t window = gh_window_number((gh_per_t) counters[i].id.per, shared->now_ms);

        counters[i].settled = window == counters[i].window ? counters[i].settled : 0;
        counters[i].window = window;
    }
}

static void
above(const gh_ledger_t *ledger)
{
    for (unsigned i = 0; i < HOT; i++) {
        if (counters[i].limit != GH_NO_LIMIT && gh_counter_read(ledger, &counters[i].id, counters[i].window) > counters[i].limit) {
            fail("a counter is above its limit");
        }
    }
}

/* All but a few slots are somebody's, so that those of the dead are taken again. */
static void
crowd(void)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

    told.crowds++;
    others[0] = open(path, O_RDWR | O_CLOEXEC);
    others[1] = open(path, O_RDWR | O_CLOEXEC);
    for (unsigned slot = worker_count + CROWDED; slot < GH_LEDGER_SLOTS; slot++) {
        lock.l_start = GH_LEDGER_HEADER + slot * GH_LEDGER_SLOT;
        if (fcntl(others[slot % 2], F_OFD_SETLK, &lock) != 0) {
            fail("the other slots cannot be locked");
        }
    }
}

static gh_ledger_t *
new_ledger(void)
{
    static const uint8_t  id[16] = { 1 }, store[16] = { 2 };
    const gh_slot_owner_t owner = { .pid = (uint32_t) getpid(), .generation = 1, .start_ms = shared->now_ms };
    gh_error_t            error;
    gh_ledger_t          *ledger;
    bool                  made;

    unlink(path);
    if (gh_ledger_create(path, GH_LEDGER_SIZE_MIN, id, store, &made, &error) != GH_OK || (ledger = gh_ledger_open(path, true, &error)) == NULL
        || gh_ledger_slot_take(ledger, &owner, &error) == NULL) {
        fail(error.text);
    }
    for (unsigned i = 0; i < COUNTERS; i++) {
        counters[i].settled = 0;
    }
    return ledger;
}

static void
pause_all(void)
{
    uint32_t pause = __atomic_add_fetch(&shared->pause, 1, __ATOMIC_ACQ_REL);
    bool     all;

    do {
        reap();
        all = true;
        for (unsigned i = 0; i < worker_count; i++) {
            all = all && (workers[i].pid == 0 || __atomic_load_n(&shared->areas[workers[i].area].paused, __ATOMIC_ACQUIRE) == pause);
        }
        usleep(100);
    } while (!all);
}

static void
one_round(uint64_t wanted, uint64_t kills, double until)
{
    gh_ledger_t *ledger = new_ledger();
    bool         grows = told.rounds % 2 == 1;

    crowded = told.kills >= wanted ? grows : told.rounds % 4 == 3;       /* beyond them only the seldom points are missing: those of such ledgers */
    if (crowded) {
        crowd();
    }
    for (unsigned looks = 0; looks < LOOKS && told.kills < kills && (double) time(NULL) < until; looks++) {
        for (unsigned died = 0; died < DEATHS; ) {
            unsigned one = (unsigned) draw(worker_count);

            for (unsigned i = 0; i < worker_count; i++) {
                if (workers[i].pid == 0) {
                    start(i, grows);
                }
            }
            usleep((useconds_t) (100 + draw(crowded ? 6000 : 1500)));    /* in a crowded ledger everything takes longer */
            above(ledger);
            if (draw(2) == 0) {
                kill(workers[one].pid, SIGKILL);
                told.outside++;
            }
            died += reap();
        }
        pause_all();
        look(ledger);
        tick();
        __atomic_add_fetch(&shared->pause, 1, __ATOMIC_RELEASE);
    }
    for (unsigned i = 0; i < worker_count; i++) {
        if (workers[i].pid != 0) {
            kill(workers[i].pid, SIGKILL);
            told.outside++;
        }
    }
    for (unsigned living = 1; living > 0; ) {
        reap();
        living = 0;
        for (unsigned i = 0; i < worker_count; i++) {
            living += workers[i].pid != 0;
        }
        usleep(100);
    }
    look(ledger);
    if (counters[0].holds + counters[1].holds + counters[2].holds != 0) {
        fail("something is in flight when everybody is dead");
    }
    gh_ledger_close(ledger);
    close(others[0]);
    close(others[1]);
    others[0] = others[1] = -1;
    told.rounds++;
}

/* At how many points somebody has died. */
static unsigned
points_met(void)
{
    unsigned met = 0;

    for (unsigned i = 0; i < POINTS && shared->points[i] != NULL; i++) {
        met += shared->died_at[i] > 0;
    }
    return met;
}

int
main(int argc, char **argv)
{
    uint64_t kills = 1000, seconds = 86400, points = 0;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--kills") == 0) {
            kills = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--points") == 0) {
            points = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--seconds") == 0) {
            seconds = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--workers") == 0) {
            worker_count = (unsigned) strtoul(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0) {
            random_state = strtoull(argv[i + 1], NULL, 10) * 2 + 1;
        } else if (strcmp(argv[i], "--ledger") == 0) {
            path = argv[i + 1];
        }
    }
    worker_count = worker_count < 2 ? 2 : worker_count > WORKERS_MAX ? WORKERS_MAX : worker_count;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        fail("no memory");
    }
    name_counters();
    shared->now_ms = UINT64_C(1767225600000);
    tick();
    for (double until = (double) time(NULL) + (double) seconds; (double) time(NULL) < until; ) {
        if (told.kills >= kills && (points_met() >= points || told.kills >= PATIENCE * kills)) {
            break;
        }
        one_round(kills, told.kills < kills ? kills : PATIENCE * kills, until);
    }
    unlink(path);
    for (unsigned i = 0; i < POINTS && shared->points[i] != NULL; i++) {
        told.inside += shared->died_at[i];
        printf("point %-24s %8" PRIu64 " died\n", shared->points[i], shared->died_at[i]);
    }
    printf("%" PRIu64 " reserved, of which %" PRIu64 " refused by limits and %" PRIu64 " for room; %" PRIu64 " settled, %" PRIu64 " undone, %" PRIu64 " sweeps, %" PRIu64
        " times grown; %" PRIu64 " ledgers, %" PRIu64 " of them crowded\n", shared->takes, shared->refused, shared->full, shared->settled, shared->undone,
        shared->swept, shared->grown, told.rounds, told.crowds);
    printf("%" PRIu64 " kills, %" PRIu64 " inside the protocol, %" PRIu64 " from outside; %" PRIu64 " ended by themselves; %" PRIu64 " looks, %" PRIu64
        " counters compared, %" PRIu64 " last entries in doubt: 0 wrong\n", told.kills, told.inside, told.kills - told.inside, told.ended, told.looks,
        told.compared, told.doubts);
    return 0;
}
