/* One decision under way, shared by decide*.c. */
#ifndef GH_DECIDE_INTERNAL_H
#define GH_DECIDE_INTERNAL_H

#include "policy/decide/decide.h"
#include "policy/store/image_format.h"
#include "policy/store/image_patterns.h"

typedef struct {                      /* one target, as this request would use it */
    gh_judged_facts_t       facts;    /* with the node's country and the listed features used */
    const gh_feature_use_t *unlisted; /* a feature used that it does not list, or NULL */
    bool                    left_out; /* without the feature that the client did not ask for */
} gh_judged_target_t;

typedef struct {
    const gh_image_t         *image;
    const gh_decide_input_t  *input;
    gh_arena_t               *arena;
    gh_decision_t            *decision;

    const gh_image_profile_t *profile;
    const gh_image_policy_t  *policy;     /* of the organisation */
    gh_str_t                  path;       /* org/tenant/app/key: what patterns of tenants are held against */
    const uint32_t           *patterns;   /* numbers of those that cover it */
    uint32_t                  pattern_count;
    uint64_t                 *covering;   /* the same as bits, once targets are judged */
    uint64_t                  now_ms;
    int                       node_country;
    uint32_t                  model;

    uint32_t                  class_mask; /* in the policy's order */
    const char               *class_from[32];
    uint8_t                   class_number[32];   /* of decision->classes[i] */
    bool                      label_unknown;      /* deny */
    gh_str_t                  label;              /* the unknown one */

    bool                      narrowed;
    gh_places_t               narrow;
    bool                      narrowed_own;   /* by tenants/1 or by the caller itself, whatever the request says */
    gh_places_t               narrow_own;
    bool                      place_unknown;
    gh_str_t                  place;              /* the unknown one */

    const gh_rule_t         **forbids;    /* whose scope of tenants and classes matches: of the policy and of guards */
    uint32_t                  forbid_count;
    const gh_rule_t         **allows;     /* likewise */
    uint32_t                  allow_count;
    gh_judged_target_t       *judged;     /* by decision->targets */
} gh_deciding_t;

/* decide_classes.c. GH_ERROR: out of memory. */
int gh_decide_classes(gh_deciding_t *d);
int gh_decide_narrowing(gh_deciding_t *d);

/* Does any pattern of the range, of tenants, cover the caller's path? Only while targets are judged. */
bool gh_decide_covers(const gh_deciding_t *d, gh_range_t patterns);

/* decide_cells.c. Everything behind gh_decide_narrowing, as a call before gave it. found false: it has to be judged. GH_ERROR: out of memory. */
int  gh_cells_take(gh_deciding_t *d, bool *found);
void gh_cells_put(const gh_deciding_t *d);

/* decide_target.c */
int  gh_decide_rules(gh_deciding_t *d);
void gh_decide_facts(gh_deciding_t *d, const gh_image_target_t *target, gh_judged_target_t *judged);
void gh_decide_target(gh_deciding_t *d, uint32_t index);

/*
 * The first allow that fits a class (misses 0), or the one that misses fewest facts, or NULL when none is about the class, the tenant and
 * the model.
 */
const gh_rule_t *gh_decide_allow(const gh_deciding_t *d, const gh_image_target_t *target, const gh_judged_target_t *judged,
    uint32_t class_number, uint32_t *misses);

/*
 * decide_express.c: takes away those of the route that cannot be asked what the request asks. After the cells, which know nothing of bodies. GH_ERROR: out of
 * memory.
 */
int gh_decide_express(gh_deciding_t *d);

/* decide_pin.c: takes away those of the route that are not where the state is that the request uses; after the cells, too. GH_ERROR: out of memory. */
int gh_decide_pin(gh_deciding_t *d);

/* decide_why.c: decision->rule and decision->detail of a denial. GH_ERROR: out of memory. */
int gh_decide_why(gh_deciding_t *d);

#endif
