/* Evidence that ends: what of a fleet is known until then, and unknown from then on. */
#ifndef GH_EVIDENCE_H
#define GH_EVIDENCE_H

#include "policy/store/image.h"

typedef struct {
    gh_str_t    deployment, feature;  /* feature: whose facts it is of; empty: the deployment's. The image's */
    const char *fact;                 /* "process", "store", "operator_home", "training", "attest", "features": static */
    uint64_t    until_ms;
} gh_evidence_end_t;

/*
 * Facts whose evidence ends before before_ms, or has ended, each once a deployment, in the fleet's order: the first `room` of them in ends.
 * Returns how many there are.
 */
size_t gh_evidence_ending(const gh_image_t *image, uint64_t before_ms, gh_evidence_end_t *ends, size_t room);

#endif
