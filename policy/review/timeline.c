#include "policy/review/timeline.h"

#include <string.h>

#include "policy/base/error.h"

const char *const gh_reach_words[GH_REACHES] = { "processed", "stored", "under an operator" };

/* The last step that does not begin after the instant. */
static uint32_t
step_at(const gh_timeline_t *timeline, uint64_t instant_ms)
{
    uint32_t low = 0, high = timeline->count;

    while (low + 1 < high) {
        uint32_t middle = low + (high - low) / 2;

        if (timeline->steps[middle].from_ms <= instant_ms) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Makes a step begin at the instant. */
static int
split(gh_arena_t *arena, gh_timeline_t *timeline, uint64_t instant_ms)
{
    uint32_t at;

    if (timeline->count + 2 > timeline->capacity) {
        uint32_t more = timeline->capacity == 0 ? 4 : timeline->capacity * 2;

        timeline->steps = gh_arena_grow(arena, timeline->steps, timeline->count, more, sizeof(*timeline->steps));
        if (timeline->steps == NULL) {
            timeline->count = timeline->capacity = 0;
            return GH_ERROR;
        }
        timeline->capacity = more;
    }
    if (timeline->count == 0) {
        timeline->steps[timeline->count++] = (gh_timeline_step_t) { 0 };
    }
    at = step_at(timeline, instant_ms);
    if (timeline->steps[at].from_ms != instant_ms) {
        memmove(timeline->steps + at + 1, timeline->steps + at, (timeline->count - at) * sizeof(*timeline->steps));
        timeline->steps[at + 1].from_ms = instant_ms;
        timeline->count++;
    }
    return GH_OK;
}

int
gh_timeline_add(gh_arena_t *arena, gh_timeline_t *timeline, uint64_t from_ms, uint64_t until_ms, const gh_reached_t *reached)
{
    if (split(arena, timeline, from_ms) != GH_OK || (until_ms != UINT64_MAX && split(arena, timeline, until_ms) != GH_OK)) {
        return GH_ERROR;
    }
    for (uint32_t i = step_at(timeline, from_ms); i < timeline->count && timeline->steps[i].from_ms < until_ms; i++) {
        for (int kind = 0; kind < GH_REACHES; kind++) {
            gh_places_t *places = &timeline->steps[i].reached.of[kind];

            *places = gh_places_union(*places, reached->of[kind]);
        }
    }
    return GH_OK;
}

int
gh_timeline_unite(gh_arena_t *arena, gh_timeline_t *timeline, const gh_timeline_t *other)
{
    for (uint32_t i = 0; i < other->count; i++) {
        uint64_t until_ms = i + 1 < other->count ? other->steps[i + 1].from_ms : UINT64_MAX;

        if (gh_timeline_add(arena, timeline, other->steps[i].from_ms, until_ms, &other->steps[i].reached) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

gh_reached_t
gh_timeline_at(const gh_timeline_t *timeline, uint64_t instant_ms)
{
    if (timeline->count == 0) {
        return (gh_reached_t) { 0 };
    }
    return timeline->steps[step_at(timeline, instant_ms)].reached;
}

uint64_t
gh_timeline_next(const gh_timeline_t *timeline, uint64_t instant_ms)
{
    uint32_t at;

    if (timeline->count == 0) {
        return UINT64_MAX;
    }
    at = step_at(timeline, instant_ms);
    return at + 1 < timeline->count ? timeline->steps[at + 1].from_ms : UINT64_MAX;
}
