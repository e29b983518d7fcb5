/*
 * What counters and reservations are, for one who has the world to himself: no swaps, tags or locks. A counter is a window and a value; a
 * reservation is what each of its items counts, in which window, and what is to become of it.
 */
#ifndef REFERENCE_H
#define REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#define REFERENCE_COUNTERS 24
#define REFERENCE_ITEMS    24
#define REFERENCE_OPEN     6
#define REFERENCE_MAX      ((INT64_C(1) << 48) - 1)

typedef enum { FATE_NOTHING = 0, FATE_CHARGED, FATE_USED } fate_t;   /* undone; as it was reserved, in flight comes back; as it was used */

typedef struct { uint32_t window; int64_t value; } counter_t;
typedef struct { uint8_t counter; bool returns; uint32_t window; int64_t amount, used; } item_t;

typedef struct {
    bool     open, orphan;            /* orphan: of a dead owner, its fate is sealed */
    uint8_t  fate, from, count;       /* items from..count-1 are still to be done */
    int      slot;                    /* of its owner */
    uint32_t id;
    item_t   items[REFERENCE_ITEMS];
} open_t;

typedef struct { counter_t counters[REFERENCE_COUNTERS]; open_t open[REFERENCE_OPEN]; } reference_t;

/* Counts one item; false: no room. *value: the counter with it, or without it when there is no room. */
static inline bool
reference_take(reference_t *world, item_t *item, uint32_t asked, uint64_t limit, uint64_t *value)
{
    counter_t *counter = &world->counters[item->counter];
    int64_t    had = counter->window < asked ? 0 : counter->value;

    *value = (uint64_t) had;
    if (limit != UINT64_MAX && (uint64_t) (had + item->amount) > limit) {
        return false;
    }
    counter->window = counter->window < asked ? asked : counter->window;
    counter->value = had + item->amount > REFERENCE_MAX ? REFERENCE_MAX : had + item->amount;
    item->window = counter->window;
    *value = (uint64_t) counter->value;
    return true;
}

/* What the item leaves behind. */
static inline int64_t
reference_stays(fate_t fate, const item_t *item)
{
    return fate == FATE_NOTHING ? 0 : fate == FATE_USED ? item->used : item->returns ? 0 : item->amount;
}

/* The next item of a reservation gets what its fate says. */
static inline void
reference_step(reference_t *world, open_t *open)
{
    item_t    *item = &open->items[open->from++];
    counter_t *counter = &world->counters[item->counter];
    int64_t    stays = reference_stays((fate_t) open->fate, item);

    if (counter->window == item->window) {
        counter->value = counter->value < item->amount ? 0 : counter->value - item->amount;    /* less only when it was held at its most */
        counter->value = counter->value + stays > REFERENCE_MAX ? REFERENCE_MAX : counter->value + stays;
    }
}

static inline void
reference_finish(reference_t *world, open_t *open)
{
    while (open->from < open->count) {
        reference_step(world, open);
    }
    open->open = false;
}

#endif
