/*
 * The one decision function: the worker, explain, plan, test, prove and replay call it.
 * Deterministic: everything it looks at is handed in.
 */
#ifndef GH_DECIDE_H
#define GH_DECIDE_H

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/json_writer.h"
#include "policy/decide/cells.h"
#include "policy/decide/intake.h"
#include "policy/identity/identity.h"
#include "policy/identity/narrowing.h"
#include "policy/store/image.h"

/* Values of header number `index` (0, 1, ...) of that name, case-insensitive. false when there are no more. */
typedef bool (*gh_header_fn)(void *context, gh_str_t name, unsigned index, gh_str_t *value);

typedef struct {
    const gh_identity_t *identity;
    const gh_intake_t   *intake;
    gh_str_t             node;           /* gatehouse_node; a node that fleet/1 does not list serves nothing */
    uint64_t             now_ms;
    gh_header_fn         header;         /* for class labels and x-gatehouse-places; NULL: no headers */
    void                *header_context;
    gh_express_fn        express;          /* asked at most once a decision, and when a translation is needed; NULL: whatever can be translated can be expressed */
    void                *express_context;
    gh_cells_t          *cells;          /* NULL: none. They change how long a decision takes, nothing else. */
} gh_decide_input_t;

typedef enum {
    GH_DECIDED_ALLOW = 0,
    GH_DENIED_MODEL_UNKNOWN,      /* 404 model_not_found */
    GH_DENIED_MODEL,              /* 403 model_not_allowed: the tenant may not use it */
    GH_DENIED_RESIDENCY,          /* 403 residency_denied */
    GH_DENIED_LABEL,              /* 403 unknown_data_class: unknown_label is "deny" */
    GH_DENIED_PLACES,             /* 400 invalid_places: x-gatehouse-places or inference_geo names something unknown */
    GH_DENIED_NO_POLICY,          /* 403 no_policy: no residency document covers the tenant */
    GH_DENIED_ENDPOINT,           /* 404 model_not_found: no deployment serves this model at this endpoint, or none serves the tenant */
    GH_DENIED_NODE,               /* 503 policy_unavailable: the node is not in fleet/1 */
    GH_DENIED_STATE,              /* 404 state_not_found: the deployment that keeps what the request uses does not serve the model here */
    GH_DENIED_NOT_EXPRESSIBLE     /* 400 not_expressible: residency allows deployments, and none of them can be asked that */
} gh_verdict_code_t;

typedef struct { const char *code; int status; } gh_verdict_answer_t;
/* Indexed by gh_verdict_code_t: the error code given to clients and the HTTP status. */
extern const gh_verdict_answer_t gh_verdict_answers[];

#define GH_CLASSES_MAX 32             /* of a policy */

typedef enum {
    GH_TARGET_ELIGIBLE = 0,
    GH_TARGET_FORBIDDEN,          /* rule fired */
    GH_TARGET_NO_ALLOW,           /* for `class` no allow fits; rule is the one that missed fewest facts, or -1 */
    GH_TARGET_NOT_SERVED,         /* not in `serves` */
    GH_TARGET_ENDPOINT,           /* does not offer the endpoint, nor one that requests of it can be translated to */
    GH_TARGET_NARROWED,           /* outside x-gatehouse-places or the tenant's own places */
    GH_TARGET_ELSEWHERE,          /* allowed, but the state that the request uses is with another deployment */
    GH_TARGET_NOT_EXPRESSIBLE     /* allowed, but it cannot be asked what stands at `feature` */
} gh_target_verdict_code_t;

typedef struct {
    uint32_t                 target;
    gh_target_verdict_code_t code;
    int32_t                  rule;        /* index for gh_decision_rule_*, -1 none */
    uint32_t                 misses;      /* gh_miss_t bits of `rule` */
    uint8_t                  class_index; /* of NO_ALLOW, in decision->classes */
    gh_places_t              places;      /* the offending places */
    gh_str_t                 feature;     /* the unlisted feature or unknown field that made it unknown, or empty; of NOT_EXPRESSIBLE a path of the body */
    int32_t                 *fits;        /* decision->class_count of them; eligible: for class i of decision->classes the allow that fits, else -1 */
    bool                     store_false; /* eligible: one of the allows that fit says "store": "nothing", or only without being stored is it allowed */
} gh_target_verdict_t;

typedef struct { gh_str_t name; gh_str_t from; } gh_class_source_t;   /* from: "default", "assign", "label", "tenant", "app", "key", "uninspected" */

typedef struct {
    gh_verdict_code_t    code;
    uint64_t             revision;
    uint64_t             clock_ms;         /* the time it was judged at: now_ms, or the image's policy time when that is later */
    gh_str_t             model;            /* catalogue name (aliases resolved) */
    gh_class_source_t   *classes;          /* in the policy's order */
    uint32_t             class_count;
    gh_target_verdict_t *targets;          /* every target of the model */
    uint32_t             target_count;
    uint32_t            *route;            /* eligible targets: by priority, then price, then deployment id, until order.h puts them into another order */
    uint32_t             route_count;
    gh_str_t             policy;           /* name of the organisation's residency document */
    gh_str_t             rule;             /* a denial's rule id, empty when none applies */
    gh_str_t             detail;           /* a sentence for the security role; arena-owned */
    const gh_express_t  *express;          /* what input->express said; NULL: it was not asked */
    gh_str_t             narrowing;        /* as sent, by headers and the body: "EU; US" */
    bool                 narrowed;         /* RESIDENCY: only places stand against it; `rule` is empty */
    bool                 narrowed_by_request;   /* and those that the request names by themselves: those of tenants/1 and of the caller leave a deployment */
    uint64_t             valid_until_ms;   /* the decision may change at this time by `until` or evidence expiry alone; UINT64_MAX: never */
    gh_cell_at_t         from;             /* where the verdicts, rule and detail were taken from; the route may be another one */
} gh_decision_t;

/*
 * The codes are looked for in this order: GH_DENIED_NO_POLICY for an app that tenants/1 does not list, GH_DENIED_NODE,
 * GH_DENIED_MODEL_UNKNOWN, GH_DENIED_MODEL, GH_DENIED_NO_POLICY, GH_DENIED_LABEL, GH_DENIED_PLACES, GH_DENIED_ENDPOINT,
 * GH_DENIED_RESIDENCY, GH_DENIED_STATE, GH_DENIED_NOT_EXPRESSIBLE. Of a target: NOT_SERVED, ENDPOINT, FORBIDDEN, NO_ALLOW, NARROWED, ELSEWHERE,
 * NOT_EXPRESSIBLE. A feature that the client did not ask for (intake->by_default) is judged where it is allowed; elsewhere the target is judged without it, and
 * its verdict says store_false.
 *
 * Everything in *decision is owned by the arena or borrowed from image and input. GH_OK: decision->code says allow or deny;
 * GH_ERROR: deny: out of memory, a damaged image, or "store_moved": identity and image are not of one revision (both have to be asked for
 * again).
 */
int gh_decide(const gh_image_t *image, const gh_decide_input_t *input, gh_arena_t *arena,
    gh_decision_t *decision, gh_error_t *error);

/*
 * For the check in front of a later dispatch or write, when the revision or the time has moved on: decides again under `image`, into
 * *decision, and gives the verdict on (deployment, upstream_model) when it is in that route. NULL on any doubt. The caller compares
 * the target's facts with those its bytes were made for: an edit may have moved the deployment to another backend.
 */
const gh_target_verdict_t *gh_decide_still(const gh_image_t *image, const gh_decide_input_t *input, gh_arena_t *arena,
    gh_str_t deployment, gh_str_t upstream_model, gh_decision_t *decision);

/*
 * Catalogue names that gh_decide allows this identity on this node now, at some endpoint, in a request without labels, narrowing and
 * features; sorted. input->intake and input->header are not looked at.
 */
int gh_decide_models(const gh_image_t *image, const gh_decide_input_t *input, gh_arena_t *arena,
    gh_str_t **names, size_t *count);

/*
 * The profile of the caller's app as an index of the image, -1 when tenants/1 does not list it. GH_ERROR as gh_decide: "store_moved",
 * "store_damaged".
 */
int gh_decide_profile(const gh_image_t *image, const gh_identity_t *identity, int32_t *profile, gh_error_t *error);

/* The endpoint at which a target of the image is asked this request; GH_ENDPOINTS: none. express: the decision's. */
gh_endpoint_t gh_decide_upstream(const gh_image_t *image, uint32_t target, gh_endpoint_t endpoint, const gh_express_t *express);

/* The verdict on a target of this decision, or NULL. */
const gh_target_verdict_t *gh_decision_verdict(const gh_decision_t *decision, uint32_t target);

/*
 * The worst-case facts of a target in this decision: with the node's country and the places that the features used add; with a feature that
 * it does not list, process and store are unknown though a rule may accept that. GH_ERROR: the node is not listed.
 */
int gh_decide_use(const gh_image_t *image, const gh_decide_input_t *input, const gh_decision_t *decision, uint32_t target,
    gh_judged_facts_t *facts);

/* Id and reason of a rule index found in a verdict. */
gh_str_t gh_decision_rule_id(const gh_image_t *image, int32_t rule);
gh_str_t gh_decision_rule_why(const gh_image_t *image, int32_t rule);

/*
 * The decision as JSON: {"verdict","code","revision","model","classes":[{name,from}],"policy","rule","narrowing",
 * "route":[{deployment,backend,upstream_model,process[],store,store_days,rules[]}],
 * "no":[{deployment,why,rule,places[],class,feature}]}.
 */
void gh_decision_write(gh_json_writer_t *w, const gh_image_t *image, const gh_decision_t *decision);

#endif
