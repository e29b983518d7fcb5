/*
 * Random histories of reserve, settle, undo, expire, crash, adopt, reload and clock steps, on the real ledger and on the reference:
 *
 *     build/tests/counters/histories [--histories N] [--seed N] [--ledger FILE] [--trace FROM_HISTORY]
 *
 * Several processes are several handles of one ledger, each with its slot; a crash is a jump out of the middle of the protocol
 * (gh_kill_hook), after which the handle's lock is free. What a crash left, only the counters tell: the reference goes on with every world
 * that may be, and a world in which the ledger says otherwise is given up. When none is left, the ledger is wrong.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/ledger/ledger_internal.h"
#include "tests/counters/crash.h"
#include "tests/counters/worlds.h"

#define PROCESSES   4
#define SLOTS       6                 /* of a crowded ledger, where slots of the dead are taken again */
#define LIFE        300               /* histories of one ledger; a crowded one, which costs more: */
#define LIFE_CROWDED 8
#define DAY_MS      UINT64_C(86400000)

typedef struct {
    gh_ledger_t     *ledger;
    int              slot;
    gh_reservation_t held[REFERENCE_OPEN];   /* by the number in the reference; serial 0: none */
} process_t;

static struct {
    uint64_t         seed, state, floor_ms, now_ms, history, life, life_history;
    const char      *path;
    process_t        processes[PROCESSES];
    unsigned         counters;
    bool             trace, huge;     /* huge: values are held at their maximum; then nothing dies, because the order in which orphans end would matter */
    uint64_t         trace_from;
    gh_counter_id_t  ids[REFERENCE_COUNTERS];
    uint64_t         limits[REFERENCE_COUNTERS];
    int              others[2];       /* hold the slots nobody may take: one the even, one the odd, so that each lock stays one slot's */
    uint32_t         last_id;
} run;

static struct { uint64_t takes, refused, settles, undos, crashes, sweeps, slots_taken, reads, ticks, ledgers, given_up; } told;

static void
wrong(const char *what)
{
    fprintf(stderr, "history %" PRIu64 " of seed %" PRIu64 ": %s\n", run.history, run.seed, what);
    exit(1);
}

/* What was found to be possible is what there may be. */
static void
go_on(const char *otherwise)
{
    if (!turn_worlds()) {
        print_worlds(run.counters);
        wrong(otherwise);
    }
}

__attribute__((format(printf, 1, 2))) static void
trace(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (run.trace) {
        vfprintf(stderr, format, arguments);
    }
    va_end(arguments);
}

static uint64_t
draw(uint64_t below)
{
    run.state ^= run.state << 13;
    run.state ^= run.state >> 7;
    run.state ^= run.state << 17;
    return (run.state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % below;
}

/* Only worlds stay in which every counter is what the ledger says. */
static void
look(void)
{
    const gh_ledger_t *ledger = NULL;

    for (unsigned i = 0; i < PROCESSES && ledger == NULL; i++) {
        ledger = run.processes[i].ledger;
    }
    if (ledger == NULL) {
        return;
    }
    for (unsigned i = 0; i < worlds.count; i++) {
        const reference_t *world = &worlds.now[i];
        bool               same = true;

        for (unsigned c = 0; c < run.counters && same; c++) {
            same = gh_counter_read(ledger, &run.ids[c], world->counters[c].window) == (uint64_t) world->counters[c].value
                && (i > 0 || gh_counter_read(ledger, &run.ids[c], world->counters[c].window + 1) == 0);
            told.reads++;
        }
        if (same) {
            add_world(world);
        }
    }
    for (unsigned c = 0; c < run.counters && worlds.next_count == 0; c++) {
        fprintf(stderr, " %" PRIu64, gh_counter_read(ledger, &run.ids[c], worlds.now[0].counters[c].window));
    }
    go_on("no world has these counters");
}

/* Death writes nothing: the mapping and the locks are gone. */
static void
die(gh_ledger_t *ledger)
{
    ledger->own = NULL;
    gh_ledger_close(ledger);
}

/* One operation of the ledger, out of which a crash may jump: it has a frame of its own, in which nothing is changed behind the jump. */
typedef struct {
    enum { START, TAKE, SETTLE, UNDO, SWEEP } what;
    gh_ledger_t           *ledger;
    gh_reservation_item_t *items;
    unsigned               count, most, refused;
    uint8_t                id[16];
    gh_reservation_t      *reservation;
    const uint64_t        *actual;
    uint64_t               values[REFERENCE_ITEMS];
    uint32_t               over;
    bool                   left, failed;
    gh_reserved_t          verdict;
} call_t;

static __attribute__((noinline)) bool
crashes(call_t *call, long after)
{
    const gh_slot_owner_t owner = { .pid = 1, .generation = 1, .start_ms = run.floor_ms };
    gh_error_t            error;

    countdown = run.huge ? 0 : after;
    if (sigsetjmp(away, 0) != 0) {
        told.crashes++;
        die(call->ledger);
        return true;
    }
    switch (call->what) {
    case START:
        call->failed = gh_ledger_slot_take(call->ledger, &owner, &error) == NULL;
        break;
    case TAKE:                                             /* what has expired long ago is not taken from a living owner either */
        call->verdict = gh_reservation_take(call->ledger, call->items, call->count, call->id, run.floor_ms - 1, call->reservation, &call->refused);
        break;
    case SETTLE:
        gh_reservation_settle(call->ledger, call->reservation, call->actual, &call->over, call->values);
        break;
    case UNDO:
        gh_reservation_undo(call->ledger, call->reservation);
        break;
    case SWEEP:
        call->failed = gh_ledger_sweep(call->ledger, run.floor_ms, call->most, &call->left, NULL, NULL, &error) != GH_OK;
        break;
    }
    countdown = 0;
    if (call->failed) {
        wrong(error.text);
    }
    return false;
}

/* ---- processes ---- */

/* It is gone: what it held is an orphan, charged. */
static void
bury(process_t *process)
{
    for (unsigned i = 0; i < worlds.count; i++) {
        for (unsigned at = 0; at < REFERENCE_OPEN; at++) {
            open_t *open = &worlds.now[i].open[at];

            if (open->open && !open->orphan && open->slot == process->slot) {
                open->orphan = true;
                open->fate = FATE_CHARGED;
                open->from = 0;
            }
        }
    }
    memset(process, 0, sizeof(*process));
}

static void
start(process_t *process)
{
    gh_error_t error;

    for (;;) {
        call_t call = { .what = START, .ledger = gh_ledger_open(run.path, true, &error) };

        if (call.ledger == NULL) {
            wrong(error.text);
        }
        if (!crashes(&call, draw(8) == 0 ? (long) (1 + draw(30)) : 0)) {
            process->ledger = call.ledger;
            break;
        }
        for (unsigned i = 0; i < worlds.count; i++) {
            half_recovered(0, worlds.now[i], true, -1);
        }
        go_on("no world at all");
        look();
    }
    told.slots_taken++;
    trace("slot %u taken\n", gh_ledger_slot_number(process->ledger));
    process->slot = (int) gh_ledger_slot_number(process->ledger);
    for (unsigned i = 0; i < worlds.count; i++) {
        reference_t world = worlds.now[i];

        for (unsigned at = 0; at < REFERENCE_OPEN; at++) {
            if (world.open[at].open && world.open[at].slot == process->slot) {
                finish(&world, &world.open[at]);
            }
        }
        add_world(&world);
    }
    go_on("no world at all");
    look();
}

/* Between two operations it ends, or is killed. */
static void
leave(process_t *process)
{
    if (draw(2) == 0) {
        gh_ledger_close(process->ledger);
    } else {
        die(process->ledger);
    }
    bury(process);
}

/* ---- what a process does ---- */

static unsigned
free_place(void)
{
    for (unsigned at = 0; at < REFERENCE_OPEN; at++) {
        bool open = false;

        for (unsigned i = 0; i < worlds.count; i++) {
            open = open || worlds.now[i].open[at].open;
        }
        if (!open) {
            return at;
        }
    }
    return REFERENCE_OPEN;
}

static void
took(process_t *process, open_t open, unsigned at, const gh_reservation_item_t *items, unsigned count, gh_reserved_t verdict, unsigned refused)
{
    for (unsigned i = 0; i < worlds.count; i++) {
        reference_t world = worlds.now[i];
        open_t      mine = open;
        unsigned    in;
        uint64_t    value = 0;
        bool        room = true, same = true;

        for (in = 0; in < count && room; in++) {
            room = reference_take(&world, &mine.items[in], items[in].window, items[in].limit, &value);
            same = same && (value == items[in].value || (room && verdict != GH_RESERVED));
        }
        mine.open = true;
        mine.slot = process->slot;
        mine.count = (uint8_t) (room ? count : in - 1);
        world.open[at] = mine;
        if (!room) {
            finish(&world, &world.open[at]);
        }
        if (same && room == (verdict == GH_RESERVED) && (room || refused == in - 1)) {
            add_world(&world);
        }
    }
    go_on(verdict == GH_RESERVED ? "taken, and in no world there was room or this value" : "refused, and in no world for this item or with this value");
}

static void
take(process_t *process)
{
    gh_reservation_item_t items[REFERENCE_ITEMS];
    gh_reservation_t      reservation = { 0 };
    unsigned              count, at = free_place();
    uint8_t               order[REFERENCE_COUNTERS];
    uint32_t              windows[REFERENCE_ITEMS];
    uint64_t              limits[REFERENCE_ITEMS];
    open_t                open;
    call_t                call = { .what = TAKE, .ledger = process->ledger, .items = items, .reservation = &reservation };

    if (at == REFERENCE_OPEN) {
        return;
    }
    memset(&open, 0, sizeof(open));
    memset(items, 0, sizeof(items));
    for (unsigned i = 0; i < run.counters; i++) {
        unsigned other = (unsigned) draw(i + 1);

        order[i] = order[other];
        order[other] = (uint8_t) i;
    }
    count = (unsigned) draw((draw(4) == 0 ? run.counters : 3) + 1);
    for (unsigned i = 0; i < count; i++) {
        const gh_counter_id_t *counter = &run.ids[order[i]];
        bool                   returns = counter->dimension == GH_COUNT_IN_FLIGHT || counter->dimension == GH_COUNT_STREAMS;

        items[i].id = *counter;
        items[i].window = gh_window_number((gh_per_t) counter->per, run.now_ms);
        items[i].limit = draw(16) == 0 ? GH_NO_LIMIT : run.limits[order[i]];
        windows[i] = items[i].window;
        limits[i] = items[i].limit;
        items[i].amount = returns ? 1 : run.huge && order[i] >= 4 && draw(4) == 0 ? GH_COUNT_MAX - draw(9) : draw(11);
        open.items[i] = (item_t) { .counter = order[i], .returns = returns, .amount = (int64_t) items[i].amount };
    }
    open.id = ++run.last_id;
    memcpy(call.id, &open.id, sizeof(open.id));
    call.count = count;
    told.takes++;
    trace("take in slot %d, at %u:", process->slot, at);
    for (unsigned i = 0; i < count; i++) {
        trace(" %u@%" PRIu32 ":%" PRIu64 " below %" PRId64, order[i], items[i].window, items[i].amount, (int64_t) items[i].limit);
    }
    trace("\n");
    if (crashes(&call, draw(24) == 0 ? (long) (1 + draw(8 + 8 * count)) : 0)) {
        open.slot = process->slot;
        for (unsigned i = 0; i < worlds.count; i++) {
            half_taken(&worlds.now[i], open, at, windows, limits, count);
        }
        go_on("no world at all");
        bury(process);
        return;
    }
    if (call.verdict == GH_RESERVE_FULL) {
        wrong("no room in the ledger");
    }
    told.refused += call.verdict != GH_RESERVED;
    took(process, open, at, items, count, call.verdict, call.refused);
    if (call.verdict == GH_RESERVED) {
        process->held[at] = reservation;
    }
}

static void
end(process_t *process, unsigned at, fate_t fate)
{
    uint64_t actual[REFERENCE_ITEMS];
    item_t   items[REFERENCE_ITEMS];
    unsigned count = worlds.now[0].open[at].count;
    call_t   call = { .what = fate == FATE_USED ? SETTLE : UNDO, .ledger = process->ledger, .reservation = &process->held[at], .actual = actual };

    memcpy(items, worlds.now[0].open[at].items, sizeof(items));
    for (unsigned i = 0; i < count; i++) {
        actual[i] = items[i].returns ? 0 : draw(4) == 0 ? draw(14) : draw(3) == 0 ? (uint64_t) items[i].amount : draw((uint64_t) items[i].amount + 1);
        actual[i] = run.huge && items[i].counter >= 4 && draw(4) == 0 ? GH_COUNT_MAX - draw(9) : actual[i];
        items[i].used = (int64_t) actual[i];
    }
    trace("%s in slot %d, at %u\n", fate == FATE_USED ? "settle" : "undo", process->slot, at);
    *(fate == FATE_USED ? &told.settles : &told.undos) += 1;
    if (crashes(&call, draw(24) == 0 ? (long) (1 + draw(8 + 8 * count)) : 0)) {
        half_ended(at, fate, actual);
        bury(process);
        return;
    }
    process->held[at].serial = 0;
    for (unsigned i = 0; i < worlds.count; i++) {
        reference_t world = worlds.now[i];
        bool        same = true;

        for (unsigned n = 0; n < count; n++) {
            world.open[at].items[n].used = items[n].used;
            same = same && (fate != FATE_USED || (call.over >> n & 1) == (items[n].used > items[n].amount));
        }
        world.open[at].fate = (uint8_t) fate;
        world.open[at].from = 0;
        while (world.open[at].from < count) {
            const item_t *item = &world.open[at].items[world.open[at].from];

            reference_step(&world, &world.open[at]);
            same = same && (fate != FATE_USED || world.counters[item->counter].window != item->window
                || call.values[item - world.open[at].items] == (uint64_t) world.counters[item->counter].value);
        }
        finish(&world, &world.open[at]);
        if (same) {
            add_world(&world);
        }
    }
    go_on("settled, and in no world with these values or excesses");
}

static void
sweep(process_t *process, unsigned most)
{
    call_t call = { .what = SWEEP, .ledger = process->ledger, .most = most, .left = true };

    told.sweeps++;
    trace("sweep in slot %d, at most %u\n", process->slot, most);
    if (crashes(&call, most < 1000 && draw(3) == 0 ? (long) (1 + draw(60)) : 0)) {
        for (unsigned i = 0; i < worlds.count; i++) {
            half_recovered(0, worlds.now[i], true, process->slot);
        }
        go_on("no world at all");
        bury(process);
        return;
    }
    if (call.left && most >= 1000) {
        wrong("a whole sweep leaves something");
    }
    for (unsigned i = 0; i < worlds.count; i++) {
        if (call.left) {
            half_recovered(0, worlds.now[i], false, -1);
        } else {
            reference_t world = worlds.now[i];

            for (unsigned at = 0; at < REFERENCE_OPEN; at++) {
                if (world.open[at].open && world.open[at].orphan) {
                    finish(&world, &world.open[at]);
                }
            }
            add_world(&world);
        }
    }
    go_on("no world at all");
}

/* ---- histories ---- */

static void
tick(void)
{
    static const uint64_t steps[] = { 300, 1000, 61000, 3600000, DAY_MS, 31 * DAY_MS };
    uint64_t              ahead = run.now_ms - run.floor_ms;

    told.ticks++;
    if (draw(3) == 0) {
        run.now_ms = run.floor_ms + draw(ahead + 1);       /* it steps back */
    } else if (ahead < 8 * DAY_MS) {
        run.now_ms += steps[draw(sizeof(steps) / sizeof(steps[0]))];
    }
}

static void
new_ledger(void)
{
    static const uint8_t id[16] = { 1 }, store[16] = { 2 };
    gh_error_t           error;
    struct flock         lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
    bool                 made;

    told.ledgers++;
    run.life = told.ledgers % 2 ? LIFE_CROWDED : LIFE;
    close(run.others[0]);
    close(run.others[1]);
    unlink(run.path);
    if (gh_ledger_create(run.path, GH_LEDGER_SIZE_MIN, id, store, &made, &error) != GH_OK || !made) {
        wrong(error.text);
    }
    run.others[0] = open(run.path, O_RDWR | O_CLOEXEC);
    run.others[1] = open(run.path, O_RDWR | O_CLOEXEC);
    for (unsigned slot = SLOTS; slot < GH_LEDGER_SLOTS && run.life == LIFE_CROWDED; slot++) {
        lock.l_start = GH_LEDGER_HEADER + slot * GH_LEDGER_SLOT;
        if (fcntl(run.others[slot % 2], F_OFD_SETLK, &lock) != 0) {
            wrong("the other slots cannot be locked");
        }
    }
    memset(worlds.now, 0, sizeof(*worlds.now));
    worlds.count = 1;
    run.now_ms = run.floor_ms = UINT64_C(1767225600000) + draw(40 * DAY_MS);
}

/* New counters, but for the first four, which go on through the ledger's life; and some that only take room. */
static void
new_counters(void)
{
    static const uint8_t forever[4] = { GH_COUNT_IN_FLIGHT, GH_COUNT_STREAMS, GH_COUNT_MICRO_DOLLARS, GH_COUNT_TOKENS };
    gh_reservation_item_t junk[REFERENCE_ITEMS];
    gh_reservation_t      reservation;
    unsigned              refused;

    run.counters = 4 + (unsigned) draw(draw(8) == 0 ? 21 : 5);
    for (unsigned i = 0; i < run.counters; i++) {
        gh_counter_id_t *id = &run.ids[i];

        memset(id, 0, sizeof(*id));
        id->uid = i < 4 ? i + 1 : (run.life_history << 8) + 256 + i;
        id->level = (uint8_t) (1 + draw(i < 4 ? 1 : 4));
        id->dimension = i < 4 ? forever[i] : (uint8_t) (1 + draw(3));
        id->per = i < 4 ? GH_PER_NONE : (uint8_t) (1 + draw(4));
        id->limit_class = i < 4 ? GH_LIMIT_BUDGET : (uint8_t) (1 + draw(2));
        id->model = i < 4 || draw(2) ? 0 : 1 + draw(UINT64_MAX >> 2);
        run.limits[i] = i < 2 ? 2 + draw(4) : i < 4 ? (uint64_t) worlds.now[0].counters[i].value + draw(60) : draw(40);
        for (unsigned n = 0; i >= 4 && n < worlds.count; n++) {
            memset(&worlds.now[n].counters[i], 0, sizeof(counter_t));
        }
    }
    memset(junk, 0, sizeof(junk));
    for (unsigned i = 0; i < REFERENCE_ITEMS; i++) {
        junk[i].id = (gh_counter_id_t) { .uid = (run.life_history << 8) + 1024 * 1024 + i, .level = 4, .dimension = 1, .per = GH_PER_MINUTE, .limit_class = 2 };
        junk[i].window = gh_window_number(GH_PER_MINUTE, run.now_ms);
        junk[i].limit = GH_NO_LIMIT;
        junk[i].amount = 1;
        junk[i].optional = true;
    }
    if (gh_reservation_take(run.processes[0].ledger, junk, REFERENCE_ITEMS, (const uint8_t[16]) { 9 }, run.now_ms, &reservation, &refused) == GH_RESERVED) {
        gh_reservation_undo(run.processes[0].ledger, &reservation);
    }
}

static void
finish_orphans(void)
{
    if (run.processes[0].ledger == NULL) {
        start(&run.processes[0]);
    }
    sweep(&run.processes[0], 100000);
    look();
}

/* What was taken of counters that the next history does not have. */
static void
settle_all(void)
{
    for (unsigned i = 0; i < PROCESSES; i++) {
        for (unsigned at = 0; at < REFERENCE_OPEN && run.processes[i].ledger != NULL; at++) {
            bool         passes = false;
            const open_t *open = &worlds.now[0].open[at];

            for (unsigned n = 0; n < open->count; n++) {
                passes = passes || open->items[n].counter >= 4;
            }
            if (passes && run.processes[i].held[at].serial != 0) {
                end(&run.processes[i], at, FATE_USED);
            }
        }
    }
    finish_orphans();
}

static void
history(void)
{
    unsigned steps = 12 + (unsigned) draw(50);

    settle_all();                     /* while nothing dies yet, when there are huge ones among them */
    run.huge = draw(40) == 0;
    new_counters();
    while (steps-- > 0) {
        process_t *process = &run.processes[draw(PROCESSES)];
        unsigned   at = (unsigned) draw(REFERENCE_OPEN);
        uint64_t   what = draw(100);

        if (process->ledger == NULL) {
            start(process);
        } else if (what < 45) {
            take(process);
        } else if (what < 85) {
            for (unsigned tried = 0; tried < REFERENCE_OPEN && process->held[at].serial == 0; tried++) {
                at = (at + 1) % REFERENCE_OPEN;
            }
            if (process->held[at].serial != 0) {
                end(process, at, draw(4) == 0 ? FATE_NOTHING : FATE_USED);
            }
        } else if (what < 90) {
            sweep(process, (unsigned) (1 + draw(4)));
        } else if (what < 92 && !run.huge) {
            leave(process);
        } else {
            tick();
        }
        look();
        if (worlds.count > 100) {
            finish_orphans();
        }
    }
}

/* Everybody ends; one comes and finishes what is left: nothing is in flight, and no reservation is open. */
static int
one_more(void *context, const gh_reservation_view_t *reservation)
{
    (void) reservation;
    ++*(unsigned *) context;
    return GH_OK;
}

static void
end_of_ledger(void)
{
    unsigned open = 0;

    settle_all();                     /* of huge ones the order in which orphans end would matter */
    for (unsigned i = 0; i < PROCESSES; i++) {
        if (run.processes[i].ledger != NULL) {
            leave(&run.processes[i]);
        }
    }
    finish_orphans();
    if (gh_ledger_each_reservation(run.processes[0].ledger, one_more, &open) != GH_OK || open != 0) {
        wrong("reservations are open when everybody is gone");
    }
    if (gh_counter_read(run.processes[0].ledger, &run.ids[0], 0) != 0 || gh_counter_read(run.processes[0].ledger, &run.ids[1], 0) != 0) {
        wrong("something is in flight when everybody is gone");
    }
    leave(&run.processes[0]);
}

static void
say(void)
{
    unsigned died, passed = say_points(&died);

    printf("%" PRIu64 " reserved, of which %" PRIu64 " refused; %" PRIu64 " settled, %" PRIu64 " undone, %" PRIu64 " sweeps, %" PRIu64 " slots taken, "
        "%" PRIu64 " clock steps, %" PRIu64 " ledgers, at most %" PRIu64 " worlds, %" PRIu64 " histories given up for more\n", told.takes, told.refused, told.settles, told.undos, told.sweeps,
        told.slots_taken, told.ticks, told.ledgers, (uint64_t) worlds.most, told.given_up);
    printf("%" PRIu64 " crashes at %u of %u points; %" PRIu64 " counters compared\n", told.crashes, died, passed, told.reads);
}

static void
one_ledger(uint64_t histories)
{
    new_ledger();
    for (run.life_history = 0; run.life_history < run.life && run.history < histories; run.life_history++, run.history++) {
        run.trace = run.history >= run.trace_from;
        history();
        run.floor_ms += 72 * DAY_MS;
        run.now_ms = run.floor_ms;
    }
    end_of_ledger();
}

/* Too many crashes one after the other: nobody knows any more what should be there. */
static void
give_up(void)
{
    told.given_up++;
    for (unsigned i = 0; i < PROCESSES; i++) {
        if (run.processes[i].ledger != NULL) {
            die(run.processes[i].ledger);
        }
    }
    memset(run.processes, 0, sizeof(run.processes));
    worlds.next_count = 0;
    run.history++;
}

int
main(int argc, char **argv)
{
    uint64_t histories = 10000;

    run.seed = 1;
    run.trace_from = UINT64_MAX;
    run.path = "/dev/shm/gatehouse-histories";
    run.others[0] = run.others[1] = -1;
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t number = strtoull(argv[i + 1], NULL, 10);

        if (strcmp(argv[i], "--ledger") == 0) {
            run.path = argv[i + 1];
        } else {
            *(strcmp(argv[i], "--trace") == 0 ? &run.trace_from : strcmp(argv[i], "--seed") == 0 ? &run.seed : &histories) = number;
        }
    }
    run.state = run.seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    worlds.now = calloc(WORLDS_MAX, sizeof(reference_t));
    worlds.next = calloc(WORLDS_MAX, sizeof(reference_t));
    if (worlds.now == NULL || worlds.next == NULL) {
        wrong("no memory");
    }
    gh_kill_hook = at_point;
    while (run.history < histories) {
        if (sigsetjmp(worlds.too_many, 0) == 0) {
            one_ledger(histories);
        } else {
            give_up();
        }
    }
    unlink(run.path);
    say();
    if (told.given_up * 100 > histories) {
        wrong("too many histories were given up");
    }
    printf("%" PRIu64 " histories, seed %" PRIu64 ": every verdict and every counter is the reference's\n", histories, run.seed);
    return 0;
}
