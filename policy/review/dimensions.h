/* What of an image requests can differ in, besides who asks. Private to policy/review. */
#ifndef GH_REVIEW_DIMENSIONS_H
#define GH_REVIEW_DIMENSIONS_H

#include "policy/review/review.h"

typedef struct { gh_str_t id; uint32_t country, stands_for; } gh_review_node_t;          /* nodes of one country */
typedef struct { gh_endpoint_t endpoint; uint32_t stands_for; bool offered; } gh_review_endpoint_t;   /* that the same targets offer, or none */

typedef struct {
    gh_review_endpoint_t endpoints[GH_ENDPOINTS];
    uint32_t             endpoint_count;
    gh_review_feature_t *features;                 /* none, each that a target lists, unlisted */
    uint32_t             feature_count;
} gh_review_model_t;

typedef struct {
    gh_review_node_t  *nodes;
    uint32_t           node_count;
    gh_review_model_t *models;                     /* by index of the image's models */
    uint32_t           feature_names;              /* different listed ones, over all models */
} gh_review_dimensions_t;

/* GH_ERROR: out of memory. */
int gh_review_dimensions_of(gh_arena_t *arena, const gh_image_t *image, gh_review_dimensions_t *dimensions);

#endif
