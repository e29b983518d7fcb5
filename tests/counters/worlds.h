/* The worlds that may be, after crashes of which only the counters tell how far they came. */
#ifndef WORLDS_H
#define WORLDS_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/counters/reference.h"

#define WORLDS_MAX 4096

static struct {
    reference_t *now, *next;          /* next: those that are found to be still possible */
    unsigned     count, next_count, most;
    uint64_t     hashes[WORLDS_MAX];  /* of next */
    sigjmp_buf   too_many;            /* where it leads to when there are more than can be followed */
} worlds;

/* What there may be. */
static inline void
print_worlds(unsigned counters)
{
    for (unsigned i = 0; i < worlds.count && i < 8; i++) {
        const reference_t *world = &worlds.now[i];

        fprintf(stderr, "    world");
        for (unsigned c = 0; c < counters; c++) {
            fprintf(stderr, " %" PRIu32 ":%" PRId64, world->counters[c].window, world->counters[c].value);
        }
        for (unsigned at = 0; at < REFERENCE_OPEN; at++) {
            const open_t *open = &world->open[at];

            if (open->open) {
                fprintf(stderr, " [%u slot %d%s fate %u, %u of %u:", at, open->slot, open->orphan ? " orphan" : "", open->fate, open->from, open->count);
                for (unsigned n = 0; n < open->count; n++) {
                    fprintf(stderr, " %u@%" PRIu32 ":%" PRId64 "/%" PRId64, open->items[n].counter, open->items[n].window, open->items[n].amount, open->items[n].used);
                }
                fprintf(stderr, "]");
            }
        }
        fprintf(stderr, "\n");
    }
}

/* Orphans as what is still to come of them, so that worlds which differ in nothing that can be seen any more are one. */
static inline void
simplify(reference_t *world)
{
    for (unsigned at = 0; at < REFERENCE_OPEN; at++) {
        open_t *open = &world->open[at], rest;

        if (!open->open || !open->orphan) {
            continue;
        }
        memset(&rest, 0, sizeof(rest));
        for (unsigned i = open->from; i < open->count; i++) {
            const item_t *item = &open->items[i];
            int64_t       stays = reference_stays((fate_t) open->fate, item);

            if (world->counters[item->counter].window == item->window && stays != item->amount) {
                rest.items[rest.count] = *item;
                rest.items[rest.count].returns = false;
                rest.items[rest.count++].used = stays;
            }
        }
        rest.open = rest.orphan = rest.count > 0;
        rest.fate = rest.count > 0 ? FATE_USED : 0;
        rest.slot = rest.count > 0 ? open->slot : 0;
        *open = rest;
    }
}

static inline void
add_world(const reference_t *given)
{
    reference_t  simple = *given, *world = &simple;
    uint64_t     hash = 0, words[sizeof(simple) / 8];

    simplify(world);
    memcpy(words, world, sizeof(words));
    for (unsigned i = 0; i < sizeof(*world) / 8; i++) {
        hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15) ^ hash >> 29;
    }
    for (unsigned i = 0; i < worlds.next_count; i++) {
        if (worlds.hashes[i] == hash && memcmp(&worlds.next[i], world, sizeof(*world)) == 0) {
            return;
        }
    }
    if (worlds.next_count == WORLDS_MAX) {
        siglongjmp(worlds.too_many, 1);
    }
    worlds.hashes[worlds.next_count] = hash;
    worlds.next[worlds.next_count++] = *world;
}

static inline bool
turn_worlds(void)
{
    reference_t *kept = worlds.now;

    if (worlds.next_count == 0) {
        return false;
    }
    worlds.now = worlds.next;
    worlds.count = worlds.next_count;
    worlds.next = kept;
    worlds.next_count = 0;
    worlds.most = worlds.count > worlds.most ? worlds.count : worlds.most;
    return true;
}

/* A reservation that is over is forgotten, so that equal worlds are equal. */
static inline void
finish(reference_t *world, open_t *open)
{
    reference_finish(world, open);
    memset(open, 0, sizeof(*open));
}

/* Whatever a recovery that was not whole left: of each orphan nothing or all; of one some, as the slot's owner or (adopter) who died had it. */
static inline void
half_recovered(unsigned at, reference_t world, bool broken, int adopter)
{
    open_t *open;

    while (at < REFERENCE_OPEN && (!world.open[at].open || !world.open[at].orphan)) {
        at++;
    }
    if (at == REFERENCE_OPEN) {
        add_world(&world);
        return;
    }
    open = &world.open[at];
    half_recovered(at + 1, world, broken, adopter);
    if (broken) {
        reference_t some = world;

        open = &some.open[at];
        if (adopter >= 0) {
            open->slot = adopter;
        }
        half_recovered(at + 1, some, false, adopter);
        while (open->from < open->count) {
            reference_step(&some, open);
            half_recovered(at + 1, some, false, adopter);
        }
    }
    finish(&world, &world.open[at]);
    half_recovered(at + 1, world, broken, adopter);
}

/* The worlds in which `used` of the items were in, and then something happened to the owner or to the rest. */
static inline void
half_taken(const reference_t *before, open_t open, unsigned at, const uint32_t *windows, const uint64_t *limits, unsigned count)
{
    reference_t world = *before, there;
    unsigned    in = 0;
    uint64_t    value;

    open.open = open.orphan = true;
    open.fate = FATE_NOTHING;
    for (;; in++) {
        open.count = (uint8_t) in;
        there = world;
        there.open[at] = open;
        while (there.open[at].from < in) {
            add_world(&there);
            reference_step(&there, &there.open[at]);
        }
        add_world(&there);
        memset(&there.open[at], 0, sizeof(open));
        add_world(&there);
        if (in == count || !reference_take(&world, &open.items[in], windows[in], limits[in], &value)) {
            break;
        }
    }
    if (in == count) {
        world.open[at] = open;
        world.open[at].fate = FATE_CHARGED;
        world.open[at].from = 0;
        add_world(&world);
    }
}

/* The worlds in which the owner died while it settled or undid: nothing of it, some or all is done. */
static inline void
half_ended(unsigned at, fate_t fate, const uint64_t *actual)
{
    for (unsigned i = 0; i < worlds.count; i++) {
        reference_t world = worlds.now[i];
        open_t     *open = &world.open[at];

        for (unsigned n = 0; n < open->count; n++) {
            open->items[n].used = (int64_t) actual[n];
        }
        open->orphan = true;
        open->fate = FATE_CHARGED;
        open->from = 0;
        add_world(&world);
        open->fate = (uint8_t) fate;
        while (open->from < open->count) {
            add_world(&world);
            reference_step(&world, open);
        }
        add_world(&world);
        memset(open, 0, sizeof(*open));
        add_world(&world);
    }
    (void) turn_worlds();
}

#endif
