/* `gatehouse fleet check`: the parts of it. */
#ifndef GH_CLI_FLEET_CHECK_H
#define GH_CLI_FLEET_CHECK_H

#include <jansson.h>

#include "policy/cli/places_text.h"
#include "policy/cli/policy_load.h"
#include "policy/document/reading.h"
#include "policy/review/review.h"

/* ---- fleet_unknown.c: facts that nobody may rely on ---- */

typedef struct {
    const char *fact;            /* "process", "store", "store days", "operator_home", "training", "partition", "attest", "feature web_search" */
    uint32_t    deployment;      /* of the model */
    gh_str_t    models;          /* "gpt-4.1, gpt-4o"; empty: every model of the deployment */
    uint64_t    until_ms;        /* the end of its evidence; 0: there is none, or it does not end */
    gh_str_t    why;             /* half a sentence */
    gh_str_t    state;           /* what to write, and where: half a sentence */
    gh_where_t  where;           /* of the deployment, or of the model's entry */
} gh_fleet_gap_t;

typedef struct {
    gh_fleet_gap_t *items;
    uint32_t        count;
} gh_fleet_gaps_t;

/*
 * Facts that are unknown at now_ms, and facts whose evidence ends before soon_ms, each once for a deployment, in the fleet's order. The
 * report of loading says why. GH_ERROR: out of memory.
 */
int gh_fleet_unknowns(gh_arena_t *arena, const gh_cli_policy_t *policy, uint64_t now_ms, gh_fleet_gaps_t *unknown);
int gh_fleet_ending(gh_arena_t *arena, const gh_cli_policy_t *policy, uint64_t now_ms, uint64_t soon_ms, gh_fleet_gaps_t *ending);

/* ---- fleet_uses.c: who may use what, decided for everything there is ---- */

typedef struct {                 /* one target and what a request carries */
    uint32_t  target;            /* of the image */
    uint32_t  policy;            /* of the image */
    gh_str_t  carries;           /* "personal and secret" */
    uint64_t  yes, no;           /* requests that differ in app, key, endpoint and node only */
    gh_str_t  rules;             /* of the first yes: "rule a", "rules a (public), b (personal)" */
    gh_str_t  reason;            /* of the first no */
} gh_fleet_use_t;

typedef struct {
    gh_fleet_use_t     *items;   /* in the order found */
    uint32_t            count;
    gh_review_counts_t  counts;
    uint64_t            uncovered_apps;   /* that no policy covers: denied */
} gh_fleet_uses_t;

/* Requests without features, at now_ms. GH_ERROR: told on stderr. */
int gh_fleet_uses(gh_cli_t *cli, const gh_image_t *image, const gh_cli_sets_t *sets, uint64_t now_ms, gh_fleet_uses_t *uses);

#endif
