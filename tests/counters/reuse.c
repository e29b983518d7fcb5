/*
 * The next owner of a dead one's slot, while another counts: a process that holds one reservation dies at every point of taking and of
 * settling a second; its slot, the only one that is free, is taken; and at every point of what that does, another process counts on the same
 * counters. Every counter has to be right afterwards.
 *
 *     build/tests/counters/reuse [--ledger FILE]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/ledger/ledger_internal.h"

#define STEPS 200

static const char  *path = "/dev/shm/gatehouse-reuse";
static sigjmp_buf   away;
static const char  *died_at;
static unsigned     countdown;
static bool         dies;             /* at the point: else another counts there */
static gh_ledger_t *other;
static uint64_t     uid = 1;          /* of the first counter; the second is the next */

static void
fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static gh_ledger_t *
open_ledger(bool takes_slot)
{
    const gh_slot_owner_t owner = { .pid = 1, .generation = 1, .start_ms = 1 };
    gh_error_t            error;
    gh_ledger_t          *ledger = gh_ledger_open(path, true, &error);

    if (ledger == NULL || (takes_slot && gh_ledger_slot_take(ledger, &owner, &error) == NULL)) {
        fail(error.text);
    }
    return ledger;
}

static gh_counter_id_t
counter(unsigned which)
{
    return (gh_counter_id_t) { .uid = uid + which, .level = GH_LEVEL_KEY, .dimension = GH_COUNT_TOKENS, .limit_class = GH_LIMIT_BUDGET };
}

static gh_reservation_t
take(gh_ledger_t *ledger, unsigned which, uint64_t amount)
{
    static const uint8_t  id[16] = { 7 };
    gh_reservation_item_t item = { .id = counter(which), .limit = GH_NO_LIMIT, .amount = amount };
    gh_reservation_t      reservation;
    unsigned              refused;

    if (gh_reservation_take(ledger, &item, 1, id, 1, &reservation, &refused) != GH_RESERVED) {
        fail("there is no room");
    }
    return reservation;
}

static void
settle(gh_ledger_t *ledger, gh_reservation_t reservation, uint64_t actual)
{
    uint32_t over;

    gh_reservation_settle(ledger, &reservation, &actual, &over, NULL);
}

static void
at_point(const char *name)
{
    if (countdown == 0 || --countdown != 0) {
        return;
    }
    if (dies) {
        died_at = name;
        siglongjmp(away, 1);
    }
    for (unsigned which = 0; which < 2; which++) {
        settle(other, take(other, which, 1), 1);
    }
}

/* To its end, or to where it dies. */
static __attribute__((noinline)) void
act(gh_ledger_t *ledger, const gh_reservation_t *second)
{
    if (sigsetjmp(away, 0) == 0) {
        if (second != NULL) {
            settle(ledger, *second, 2);
        } else {
            (void) take(ledger, 1, 3);
        }
    }
}

/* It holds 5 of the first counter, and dies at that point of what it does with 3 of the second, or settles it at 2. */
static __attribute__((noinline)) bool
die(gh_ledger_t *ledger, unsigned point, bool settles)
{
    gh_reservation_t second = { 0 };

    died_at = NULL;
    (void) take(ledger, 0, 5);
    if (settles) {
        second = take(ledger, 1, 3);
    }
    dies = true;
    countdown = point;
    act(ledger, settles ? &second : NULL);
    countdown = 0;
    ledger->own = NULL;                                    /* death writes nothing */
    gh_ledger_close(ledger);
    return died_at != NULL;
}

static uint64_t
owed(bool settles)
{
    if (settles) {
        return strcmp(died_at, "settle_written") == 0 || strcmp(died_at, "phase_set_written") == 0 ? 3 : 2;
    }
    return strcmp(died_at, "take_held") == 0 ? 3 : 0;
}

/* Whether the process died, and another counted: else there are no more points. */
static bool
one(unsigned death, unsigned count, bool settles, bool *died)
{
    gh_counter_id_t first, second;
    gh_ledger_t    *next;
    bool            counted;
    uint64_t        one_more;
    char            text[200];

    uid += 2;
    settle(other, take(other, 0, 0), 0);                   /* both are there: nobody dies while making one */
    settle(other, take(other, 1, 0), 0);
    *died = die(open_ledger(true), death, settles);
    if (!*died) {
        gh_ledger_close(open_ledger(true));                /* finishes what it held */
        return false;
    }
    dies = false;
    countdown = count;
    next = open_ledger(true);
    counted = countdown == 0;
    countdown = 0;
    one_more = counted ? 1 : 0;
    first = counter(0);
    second = counter(1);
    if (gh_counter_read(next, &first, 0) != 5 + one_more || gh_counter_read(next, &second, 0) != owed(settles) + one_more) {
        snprintf(text, sizeof(text), "death at %s, point %u of what the next owner does: %" PRIu64 " and %" PRIu64 ", not %" PRIu64 " and %" PRIu64, died_at,
            count, gh_counter_read(next, &first, 0), gh_counter_read(next, &second, 0), 5 + one_more, owed(settles) + one_more);
        fail(text);
    }
    gh_ledger_close(next);
    return counted;
}

int
main(int argc, char **argv)
{
    static const uint8_t id[16] = { 1 }, store[16] = { 2 };
    struct flock         lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
    gh_error_t           error;
    unsigned             done = 0;
    bool                 made, died;
    int                  others[2];

    if (argc == 3 && strcmp(argv[1], "--ledger") == 0) {
        path = argv[2];
    }
    unlink(path);
    if (gh_ledger_create(path, UINT64_C(16) << 20, id, store, &made, &error) != GH_OK) {
        fail(error.text);
    }
    other = open_ledger(true);
    others[0] = open(path, O_RDWR | O_CLOEXEC);
    others[1] = open(path, O_RDWR | O_CLOEXEC);
    for (unsigned slot = 2; slot < GH_LEDGER_SLOTS; slot++) {
        lock.l_start = GH_LEDGER_HEADER + slot * GH_LEDGER_SLOT;
        if (fcntl(others[slot % 2], F_OFD_SETLK, &lock) != 0) {
            fail("the other slots cannot be locked");
        }
    }
    gh_kill_hook = at_point;
    for (int settles = 0; settles < 2; settles++) {
        died = true;
        for (unsigned death = 1; death < STEPS && died; death++) {
            for (unsigned count = 1; count < STEPS && one(death, count, settles != 0, &died); count++) {
                done++;
            }
        }
    }
    unlink(path);
    printf("%u pairs of a death and a point of what the next owner does: every counter is right\n", done);
    return done > 100 ? 0 : 1;
}
