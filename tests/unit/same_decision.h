/* Are two decisions on one request the same in everything they say? The first difference by name, or NULL. */
#ifndef GH_TEST_SAME_DECISION_H
#define GH_TEST_SAME_DECISION_H

#include <string.h>

#include "policy/decide/decide.h"

static inline const char *
same_verdict(const gh_target_verdict_t *a, const gh_target_verdict_t *b, uint32_t classes)
{
    return a->target != b->target ? "target" : a->code != b->code ? "target code" : a->rule != b->rule ? "target rule"
        : a->misses != b->misses ? "misses" : a->class_index != b->class_index ? "class_index"
        : !gh_places_equal(a->places, b->places) ? "places" : !gh_str_eq(a->feature, b->feature) ? "feature"
        : memcmp(a->fits, b->fits, classes * sizeof(*a->fits)) != 0 ? "fits" : a->store_false != b->store_false ? "store_false" : NULL;
}

static inline const char *
same_decision(const gh_decision_t *a, const gh_decision_t *b)
{
    const char *different = NULL;

    if (a->code != b->code || a->revision != b->revision || a->clock_ms != b->clock_ms) {
        return "code, revision or clock";
    }
    if (!gh_str_eq(a->model, b->model) || !gh_str_eq(a->policy, b->policy) || !gh_str_eq(a->narrowing, b->narrowing)) {
        return "model, policy or narrowing";
    }
    if (!gh_str_eq(a->rule, b->rule)) {
        return "rule";
    }
    if (!gh_str_eq(a->detail, b->detail)) {
        return "detail";
    }
    if (a->narrowed != b->narrowed || a->narrowed_by_request != b->narrowed_by_request) {
        return "narrowed";
    }
    if (a->valid_until_ms != b->valid_until_ms) {
        return "valid_until";
    }
    if (a->class_count != b->class_count || a->target_count != b->target_count || a->route_count != b->route_count) {
        return "counts";
    }
    for (uint32_t i = 0; i < a->class_count; i++) {
        if (!gh_str_eq(a->classes[i].name, b->classes[i].name) || !gh_str_eq(a->classes[i].from, b->classes[i].from)) {
            return "classes";
        }
    }
    for (uint32_t i = 0; i < a->target_count && different == NULL; i++) {
        different = same_verdict(&a->targets[i], &b->targets[i], a->class_count);
    }
    for (uint32_t i = 0; i < a->route_count && different == NULL; i++) {
        different = a->route[i] != b->route[i] ? "route" : NULL;
    }
    return different;
}

#endif
