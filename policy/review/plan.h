/*
 * What an edit changes: where the data of which tenants may get before and after, from now on. Everything there is is decided under both
 * images by the worker's function (policy/review/review.h), and compared for each group of callers that neither side tells apart.
 */
#ifndef GH_REVIEW_PLAN_H
#define GH_REVIEW_PLAN_H

#include "policy/review/reach.h"

typedef enum {
    GH_PLAN_MORE = 0,                  /* countries, on something that was eligible and stays so */
    GH_PLAN_NEW,                       /* gained: it was not eligible at all */
    GH_PLAN_GONE                       /* lost: it is not eligible any more */
} gh_plan_status_t;

typedef struct {                       /* true of every caller in its groups */
    gh_str_t            class_name;
    gh_str_t            deployment, model;   /* empty in gh_plan_t.reach: over all deployments */
    gh_review_feature_t feature;       /* of a deployment: only what is reached with it and not without */
    bool                gained;        /* else lost */
    gh_plan_status_t    status;
    uint64_t            from_ms;       /* the first instant at which before and after differ so */
    gh_reached_t        what;          /* countries gained or lost; "?": a place nobody knows */
    uint32_t           *groups;        /* ascending */
    uint32_t            group_count, group_capacity;
} gh_plan_change_t;

typedef struct {
    gh_plan_change_t *items;           /* gained first, then by instant, then more callers first */
    uint32_t          count, capacity;
    uint32_t         *slots;           /* private */
    uint32_t          slot_count;
} gh_plan_changes_t;

typedef struct {
    uint64_t           now_ms;
    gh_review_groups_t groups;
    gh_plan_changes_t  reach;          /* of each class over all deployments: may its data get to a country it could not get to? */
    gh_plan_changes_t  deployments;    /* of each class on each deployment and model */
    gh_review_counts_t before, after;
} gh_plan_t;

/*
 * before NULL: nothing is permitted. Images hold their apps (gh_compile_image) and outlive the plan, which borrows from them and the arena.
 * GH_ERROR: out of memory.
 */
int gh_plan_make(gh_arena_t *arena, const gh_image_t *before, const gh_image_t *after, uint64_t now_ms, gh_review_progress_t *progress,
    gh_plan_t *plan, gh_error_t *error);

#endif
