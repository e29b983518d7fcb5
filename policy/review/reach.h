/* Where the data of one group may get: for each class, deployment and feature the countries over time, over all endpoints and nodes. */
#ifndef GH_REVIEW_REACH_H
#define GH_REVIEW_REACH_H

#include "policy/review/review.h"
#include "policy/review/timeline.h"

typedef struct {
    gh_str_t            class_name;
    gh_str_t            deployment, model, upstream;
    gh_review_feature_t feature;
    uint32_t            class_index, target;   /* of the image it was made under */
    gh_timeline_t       timeline;
} gh_reach_row_t;

typedef struct {
    gh_arena_t     *arena;
    gh_reach_row_t *rows;
    uint32_t        count, capacity;
    uint32_t       *slots;                /* open addressing: row + 1; 0: free */
    uint32_t        slot_count;
} gh_reach_table_t;

void gh_reach_init(gh_reach_table_t *table, gh_arena_t *arena);

/* A gh_review_visit_fn: context is the table, of one group and one image. */
int gh_reach_visit(void *context, const gh_review_case_t *one);

/* The places of one eligible target of the case. GH_ERROR: never for a target of its decision. */
int gh_reach_of_use(const gh_review_case_t *one, uint32_t target, gh_reached_t *reached);

#endif
