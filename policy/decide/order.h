/*
 * The order of a decision's route. Residency decides who is in it; what is known of the backends and the caller's "objective" decide who is
 * asked first. gh_decide leaves it as the documents alone have it.
 */
#ifndef GH_ORDER_H
#define GH_ORDER_H

#include "policy/decide/decide.h"
#include "policy/route/route.h"

typedef struct {
    gh_route_weights_t weights;
    gh_str_t           service_tier;  /* that was asked for, whose prices count; borrowed */
    gh_route_step_t   *steps;         /* of decision->route, in its order; arena-owned. By price alone only those whose state counts: the others stay as they are */
    uint32_t           count;         /* 0: the decision is no allow */
} gh_order_t;

/*
 * Looks at the backends of decision->route, which is as gh_decide left it, and puts it into order. ledger NULL: nothing is known of any.
 * GH_ERROR: out of memory, or as gh_decide_profile; the route is as it was.
 */
int gh_order_decide(const gh_image_t *image, const gh_decide_input_t *input, const gh_ledger_t *ledger, gh_arena_t *arena,
    gh_decision_t *decision, gh_order_t *order, gh_error_t *error);

/* The parts of it, for whoever has the states from elsewhere. Weights of an app that tenants/1 does not list: cost. */
int  gh_order_weights(const gh_image_t *image, const gh_identity_t *identity, gh_route_weights_t *weights, gh_error_t *error);
/* Steps of the route, of which nothing is known; weights and service_tier are set. GH_ERROR: out of memory. */
int  gh_order_steps(const gh_decision_t *decision, gh_arena_t *arena, gh_order_t *order);
/* decision->route in the order of the steps' states: those that are not to be asked first behind what has no step. */
void gh_order_apply(const gh_image_t *image, gh_decision_t *decision, gh_order_t *order);

#endif
