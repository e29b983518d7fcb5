/* The route of a decision, put into order by the state of its backends. */
#include "policy/decide/decide_internal.h"
#include "policy/decide/order.h"

#include <string.h>

int
gh_order_weights(const gh_image_t *image, const gh_identity_t *identity, gh_route_weights_t *weights, gh_error_t *error)
{
    int32_t profile;

    *weights = (gh_route_weights_t) { 1000, 0 };
    if (gh_decide_profile(image, identity, &profile, error) != GH_OK) {
        return GH_ERROR;
    }
    if (profile >= 0) {
        weights->latency = image->profiles[profile].latency_weight;
        weights->cost = (uint16_t) (1000 - weights->latency);
    }
    return GH_OK;
}

int
gh_order_steps(const gh_decision_t *decision, gh_arena_t *arena, gh_order_t *order)
{
    uint32_t looked = gh_route_looked(order->weights, order->service_tier);

    order->count = looked == GH_ROUTE_LOOKED_PRICE && decision->route_count > looked ? looked : decision->route_count;
    order->steps = arena->alloc(arena, (order->count + 1) * sizeof(*order->steps));
    if (order->steps == NULL) {
        order->count = 0;
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < order->count; i++) {
        order->steps[i] = (gh_route_step_t) { .target = decision->route[i], .looked = i < looked };
    }
    return GH_OK;
}

void
gh_order_apply(const gh_image_t *image, gh_decision_t *decision, gh_order_t *order)
{
    uint32_t others = decision->route_count - order->count, ready = 0;

    gh_route_order(image, order->steps, order->count, order->weights, order->service_tier);
    while (ready < order->count && gh_route_ready(&order->steps[ready])) {
        ready++;
    }
    memmove(decision->route + ready, decision->route + order->count, others * sizeof(*decision->route));
    for (uint32_t i = 0; i < order->count; i++) {
        decision->route[i < ready ? i : i + others] = order->steps[i].target;
    }
}

int
gh_order_decide(const gh_image_t *image, const gh_decide_input_t *input, const gh_ledger_t *ledger, gh_arena_t *arena,
    gh_decision_t *decision, gh_order_t *order, gh_error_t *error)
{
    *order = (gh_order_t) { 0 };
    if (decision->code != GH_DECIDED_ALLOW) {
        return GH_OK;
    }
    order->service_tier = input->intake->service_tier;
    if (gh_order_weights(image, input->identity, &order->weights, error) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_order_steps(decision, arena, order) != GH_OK) {
        return gh_error_set(error, "out_of_memory", "no memory for the order of a route");
    }
    for (uint32_t i = 0; ledger != NULL && i < order->count && order->steps[i].looked; i++) {
        gh_backend_look(ledger, gh_image_backend(image, order->steps[i].target), input->now_ms, &order->steps[i].state);
    }
    gh_order_apply(image, decision, order);
    return GH_OK;
}
