/* Claims held against everything that an image permits, by policy/review/review.h. */
#ifndef GH_REVIEW_PROVE_H
#define GH_REVIEW_PROVE_H

#include "policy/review/claim.h"
#include "policy/review/review.h"

#define GH_EXAMPLES_MAX 200                /* kept of one claim; the others are counted */

typedef struct {                           /* one eligible use that breaks a claim */
    gh_str_t            app, key;          /* "org/tenant/app", and a key name that stands for the group */
    bool                key_matters;       /* other keys of the app are told apart from it */
    uint64_t            apps;              /* members of its group: all of them may do the same */
    gh_str_t            class_name;
    gh_str_t            classes;           /* all that the request carries, "a b" */
    gh_review_carry_t   how;
    gh_str_t            label_header, label;
    gh_str_t            model;
    gh_endpoint_t       endpoint;
    gh_str_t            node;
    gh_review_feature_t feature;
    bool                unlisted;          /* the deployment does not list the feature; a rule accepts that */
    uint64_t            at_ms;             /* the first instant */
    bool                later;             /* it is not so now */
    gh_str_t            deployment, upstream;
    gh_str_t            rules;             /* the allows that fit, "a b" */
    gh_reached_t        reached, offending;
} gh_example_t;

typedef enum { GH_PROOF_HOLDS = 0, GH_PROOF_BROKEN, GH_PROOF_VACUOUS } gh_proof_verdict_t;

typedef struct {
    const gh_claim_t  *claim;
    gh_proof_verdict_t verdict;
    uint64_t           decisions;          /* about a class and a caller of the claim */
    uint64_t           uses;               /* eligible deployments in them, looked at for the claim */
    uint64_t           broken;             /* of the uses */
    uint64_t           unlisted_left_out;  /* uses that "except unlisted features" leaves out */
    uint64_t           groups, deployments, models, features, later_uses;   /* different ones that uses were of; later: not now */
    gh_example_t      *examples;           /* one for each class, deployment, feature and offending fact, as they were found */
    uint32_t           example_count;
    bool               carried;            /* some request carries a class of the claim */
} gh_proof_t;

/*
 * One enumeration for all claims from now_ms on. *counts: of all of it. proofs has room for one each. Strings borrow from the image and the
 * arena. GH_ERROR: out of memory.
 */
int gh_prove(gh_arena_t *arena, const gh_image_t *image, const gh_claim_t *claims, uint32_t claim_count, uint64_t now_ms,
    gh_review_progress_t *progress, gh_proof_t *proofs, gh_review_counts_t *counts, gh_error_t *error);

#endif
