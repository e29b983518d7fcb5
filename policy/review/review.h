/*
 * Everything there is under one image, decided by the worker's own function: every group of apps and keys x what a request may carry x
 * model x endpoint x node x feature x time. plan and prove are built on it; nothing here judges.
 *
 * What need not be decided one by one, because gh_decide cannot tell it apart: apps and keys of a group; endpoints of a model that the
 * same deployments offer; nodes of one country; names of features that no deployment lists; instants between two at which an
 * `until` or evidence ends (decision.valid_until_ms). What need not be decided at all, because it is eligible for no more and reaches
 * no country that its parts do not reach: several added classes together (every class needs its own allow, and a forbid fires for any of
 * them), several features together (their places are united), places narrowed by the request. The tests hold every one of these
 * against the full enumeration.
 */
#ifndef GH_REVIEW_H
#define GH_REVIEW_H

#include "policy/decide/decide.h"
#include "policy/review/groups.h"

typedef enum { GH_REVIEW_NO_FEATURE = 0, GH_REVIEW_LISTED_FEATURE, GH_REVIEW_UNLISTED_FEATURE } gh_review_feature_kind_t;

typedef struct {
    gh_review_feature_kind_t kind;
    gh_str_t                 name;         /* LISTED: some deployment of the model lists it */
} gh_review_feature_t;

typedef enum { GH_REVIEW_PLAIN = 0, GH_REVIEW_LABELLED, GH_REVIEW_UNINSPECTED } gh_review_carry_t;

typedef struct {                           /* how the classes of a request come about */
    gh_review_carry_t how;
    gh_str_t          header, label;       /* LABELLED: "header: label" */
    uint32_t          minimal;             /* classes, in the policy's order, that no request of the app carries with fewer others */
} gh_review_request_t;

typedef struct {                           /* one decision, and what it stands for */
    const gh_image_t          *image;
    const gh_review_group_t   *group;
    const gh_review_request_t *request;
    const gh_image_policy_t   *policy;     /* of the group; its classes are what request->minimal counts */
    uint32_t                   model;
    gh_review_feature_t        feature;
    uint64_t                   from_ms, until_ms;   /* it holds from .. until, exclusive; UINT64_MAX: for good */
    uint64_t                   stands_for; /* requests that differ in app, key, endpoint and node only */
    const gh_decide_input_t   *input;
    const gh_decision_t       *decision;
} gh_review_case_t;

typedef struct {
    uint64_t groups, apps;                 /* apps: that the image lists */
    uint64_t classes;                      /* pairs of group and class that can be carried */
    uint64_t uncarried;                    /* and that no request carries */
    uint64_t models, endpoints, nodes, features, instants;   /* different ones that were looked at; features: with none and unlisted */
    uint64_t decisions, stood_for;         /* made, and requests they stand for */
    uint64_t allowed;                      /* decisions with a route */
    uint64_t eligible;                     /* deployments eligible, over all decisions */
} gh_review_counts_t;

/* GH_ERROR stops the review; anything else goes on. What a case points to lives until it returns. */
typedef int (*gh_review_visit_fn)(void *context, const gh_review_case_t *one);

typedef struct {                           /* for a progress bar; may be NULL */
    void (*tick)(void *context, uint64_t done, uint64_t total);
    void  *context;
    uint64_t done, total;                  /* groups */
} gh_review_progress_t;

typedef struct gh_review_s gh_review_t;

/*
 * One image from now_ms on: side is its index in the groups. Borrows all of them. Policy time never runs backwards: an image is looked
 * at from its own clock at the earliest. NULL: out of memory.
 */
gh_review_t *gh_review_new(gh_arena_t *arena, const gh_image_t *image, uint32_t side, const gh_review_groups_t *groups, uint64_t now_ms);

/* Visits every case of one group. GH_ERROR: what visit said, or out of memory (*error). Memory of decisions is given back. */
int gh_review_group(gh_review_t *review, uint32_t group, gh_review_visit_fn visit, void *context, gh_error_t *error);

/* All groups, one after the other. */
int gh_review_all(gh_review_t *review, gh_review_visit_fn visit, void *context, gh_review_progress_t *progress, gh_error_t *error);

/* What the groups visited so far came to. */
gh_review_counts_t gh_review_counts(const gh_review_t *review);

/* Instants in the future, ascending, at which some decision so far could change. Borrowed. */
const uint64_t *gh_review_instants(const gh_review_t *review, uint32_t *count);

/* A class that the request carries minimally, by name. index: of the policy's order. */
gh_str_t gh_review_class(const gh_review_case_t *one, uint32_t index);

#endif
