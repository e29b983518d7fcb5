#include "policy/quota/limits.h"

_Static_assert(sizeof(gh_limit_t) == 24, "a limit as it lies in records");

const char *const gh_level_names[GH_LEVELS] = { "", "organisation", "tenant", "app", "key", "deployment", "user" };

const char *const gh_dimension_names[GH_DIMENSIONS] = {
    "", [GH_COUNT_REQUESTS] = "requests", [GH_COUNT_TOKENS] = "tokens", [GH_COUNT_MICRO_DOLLARS] = "micro-dollars",
    [GH_COUNT_IN_FLIGHT] = "in-flight", [GH_COUNT_INPUT] = "input", [GH_COUNT_OUTPUT] = "output", [GH_COUNT_STREAMS] = "streams"
};

const char *const gh_per_names[GH_PERS] = { "none", "second", "minute", "day", "month" };

const char *const gh_limit_class_names[GH_LIMIT_CLASSES] = { "", "budget", "rate", "shadow" };

#define NONE   (1u << GH_PER_NONE)
#define SECOND (1u << GH_PER_SECOND)
#define MINUTE (1u << GH_PER_MINUTE)
#define DAY    (1u << GH_PER_DAY)
#define MONTH  (1u << GH_PER_MONTH)

uint32_t
gh_limit_windows(gh_dimension_t dimension, gh_limit_class_t limit_class)
{
    static const uint32_t windows[GH_DIMENSIONS] = {
        [GH_COUNT_REQUESTS] = SECOND | MINUTE | DAY,
        [GH_COUNT_TOKENS] = MINUTE | DAY | MONTH, [GH_COUNT_INPUT] = MINUTE | DAY | MONTH, [GH_COUNT_OUTPUT] = MINUTE | DAY | MONTH,
        [GH_COUNT_MICRO_DOLLARS] = DAY | MONTH | NONE,
        [GH_COUNT_IN_FLIGHT] = NONE, [GH_COUNT_STREAMS] = NONE,
    };
    uint32_t possible = windows[dimension];

    /* A second's budget is over before it is used, and what has no window has no rate; in flight is neither, but comes back. */
    if (limit_class == GH_LIMIT_BUDGET) {
        possible &= ~SECOND;
    } else if (limit_class == GH_LIMIT_RATE && dimension == GH_COUNT_MICRO_DOLLARS) {
        possible &= ~NONE;
    }
    return possible;
}

bool
gh_limit_valid(const gh_limit_t *limit)
{
    return limit->level >= GH_LEVEL_ORGANISATION && limit->level <= GH_LEVEL_USER && limit->level != GH_LEVEL_DEPLOYMENT && limit->dimension >= GH_COUNT_REQUESTS
        && limit->dimension < GH_DIMENSIONS && limit->per < GH_PERS && limit->limit_class >= GH_LIMIT_BUDGET
        && limit->limit_class < GH_LIMIT_CLASSES && limit->reserved == 0 && limit->amount <= GH_COUNT_MAX
        && (gh_limit_windows((gh_dimension_t) limit->dimension, (gh_limit_class_t) limit->limit_class) >> limit->per & 1);
}

bool
gh_limit_same_counter(const gh_limit_t *a, const gh_limit_t *b)
{
    return a->level == b->level && a->dimension == b->dimension && a->per == b->per && a->limit_class == b->limit_class && a->model == b->model;
}

bool
gh_limits_tighten(gh_limits_t *limits, const gh_limit_t *limit)
{
    for (uint32_t i = 0; i < limits->count; i++) {
        gh_limit_t *held = &limits->items[i];

        if (gh_limit_same_counter(held, limit)) {
            held->amount = limit->amount < held->amount ? limit->amount : held->amount;
            return true;
        }
    }
    if (limits->count == GH_LIMITS_MAX) {
        return false;
    }
    limits->items[limits->count++] = *limit;
    return true;
}

void
gh_limits_without(gh_limits_t *limits, gh_level_t level)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < limits->count; i++) {
        if (limits->items[i].level != level) {
            limits->items[left++] = limits->items[i];
        }
    }
    limits->count = left;
}
