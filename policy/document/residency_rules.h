/* Rules of residency/1. */
#ifndef GH_RESIDENCY_RULES_H
#define GH_RESIDENCY_RULES_H

#include "policy/document/reading.h"

/* Appends a list of allows or forbids (NULL: none) to policy->rules. */
void gh_residency_rules(gh_loader_t *loader, const gh_node_t *list, uint8_t kind, gh_model_policy_t *policy,
    const gh_place_scope_t *scope);

/* A list of places that must not be empty. */
gh_places_t gh_residency_within(gh_loader_t *loader, const gh_node_t *list, const gh_place_scope_t *scope);

#endif
