/* Countries over time: what may be reached from which instant on. */
#ifndef GH_REVIEW_TIMELINE_H
#define GH_REVIEW_TIMELINE_H

#include "residency/places.h"

typedef enum { GH_REACH_PROCESS = 0, GH_REACH_STORE, GH_REACH_OPERATOR, GH_REACHES } gh_reach_t;

/* For sentences: "processed", "stored", "under an operator". */
extern const char *const gh_reach_words[GH_REACHES];

typedef struct { gh_places_t of[GH_REACHES]; } gh_reached_t;   /* "?": a place nobody knows */

typedef struct {
    uint64_t     from_ms;              /* until the next step's */
    gh_reached_t reached;              /* process is not empty exactly when something is eligible */
} gh_timeline_step_t;

typedef struct {
    gh_timeline_step_t *steps;         /* ascending; the first begins at 0 */
    uint32_t            count, capacity;
} gh_timeline_t;

/* Adds what is reached from .. until, exclusive (UINT64_MAX: for good). A zeroed timeline is empty. GH_ERROR: out of memory. */
int gh_timeline_add(gh_arena_t *arena, gh_timeline_t *timeline, uint64_t from_ms, uint64_t until_ms, const gh_reached_t *reached);

/* Adds all of another one. */
int gh_timeline_unite(gh_arena_t *arena, gh_timeline_t *timeline, const gh_timeline_t *other);

/* What is reached at an instant. */
gh_reached_t gh_timeline_at(const gh_timeline_t *timeline, uint64_t instant_ms);

/* The first instant after this one at which it may differ; UINT64_MAX: none. */
uint64_t gh_timeline_next(const gh_timeline_t *timeline, uint64_t instant_ms);

#endif
