/*
 * Claims about everything that a policy permits:
 *
 *   never CLASS[, CLASS...] [process|store|operator|any] outside PLACES   [for TENANTS] [except unlisted features]
 *   never CLASS[, CLASS...] [process|store|operator|any] in PLACES        ...
 *   never CLASS[, CLASS...] on DEPLOYMENT[, DEPLOYMENT...]                ...
 *   always CLASS[, CLASS...] [process|store|operator|any] within PLACES   ...   as never ... outside
 *
 * CLASS: a class of a policy, or "anything". Without a fact it is any. PLACES: codes, sets of the facts and places of the policies, taken
 * away behind "minus": EEA minus LI. TENANTS: patterns as in the policy. What is unknown is outside of every place and in each.
 */
#ifndef GH_REVIEW_CLAIM_H
#define GH_REVIEW_CLAIM_H

#include "policy/review/timeline.h"
#include "policy/store/image_format.h"
#include "policy/base/error.h"

typedef enum { GH_CLAIM_OUTSIDE = 0, GH_CLAIM_IN, GH_CLAIM_ON } gh_claim_relation_t;

typedef struct {
    gh_str_t            text;             /* as given; borrowed */
    gh_str_t           *classes;          /* none: every class */
    uint32_t            class_count;
    uint32_t            facts;            /* bits by gh_reach_t; ON: none */
    gh_claim_relation_t relation;
    gh_str_t            places_text;      /* as given: "EEA minus LI" */
    gh_str_t           *place_names;      /* when there is no "minus": the names; else none */
    uint32_t            place_count;
    gh_places_t        *places;           /* by index of the image's policies, whose own places may differ */
    gh_str_t           *deployments;      /* ON */
    uint32_t            deployment_count;
    gh_str_t           *tenants;          /* patterns; none: all */
    uint32_t            tenant_count;
    bool                listed_only;      /* "except unlisted features" */
} gh_claim_t;

/*
 * GH_ERROR: *error has column (bytes from 1) in the text, what was expected and the nearest spelling. Strings are borrowed from the text
 * and the image, or in the arena.
 */
int gh_claim_parse(gh_arena_t *arena, const gh_image_t *image, gh_str_t text, gh_claim_t *claim, gh_error_t *error);

/* Bits, in the policy's order, of the classes that the claim speaks of. */
uint32_t gh_claim_classes(const gh_claim_t *claim, const gh_image_t *image, const gh_image_policy_t *policy);

/* Does it speak of this "org/tenant/app/key"? */
bool gh_claim_covers(const gh_claim_t *claim, gh_str_t path);

/*
 * What stands against it in one eligible use: for each fact of the claim the offending places. GH_CLAIM_ON: reached.of[PROCESS] of a
 * deployment that is named. True when there is any.
 */
bool gh_claim_broken(const gh_claim_t *claim, uint32_t policy, gh_str_t deployment, const gh_reached_t *reached, gh_reached_t *offending);

#endif
