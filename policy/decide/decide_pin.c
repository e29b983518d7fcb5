/*
 * A request that uses what a deployment keeps goes there or nowhere: the others of the route are taken away here, after residency, which the state's own
 * deployment has to satisfy now, whatever held when the state was made.
 */
#include "policy/decide/decide_internal.h"

static gh_str_t
deployment_of(const gh_deciding_t *d, uint32_t target)
{
    return gh_image_str(d->image, d->image->deployments[d->image->targets[target].deployment].id);
}

static int
detail(gh_deciding_t *d, gh_str_t text)
{
    d->decision->detail = text;
    return text.data == NULL ? GH_ERROR : GH_OK;
}

/* Nothing is left: why the state's own deployment is not. */
static int
why_not(gh_deciding_t *d)
{
    gh_decision_t             *decision = d->decision;
    const gh_pin_t            *pin = &d->input->intake->pin;
    const gh_target_verdict_t *own = NULL;

    for (uint32_t i = 0; i < decision->target_count && own == NULL; i++) {
        if (gh_str_eq(deployment_of(d, decision->targets[i].target), pin->deployment)) {
            own = &decision->targets[i];
        }
    }
    if (own == NULL || own->code == GH_TARGET_NOT_SERVED || own->code == GH_TARGET_ENDPOINT) {
        decision->code = GH_DENIED_STATE;
        return detail(d, gh_str_format(d->arena, "what %.*s names is kept by deployment \"%.*s\", which does not serve the model here",
            GH_STR_ARG(pin->where), GH_STR_ARG(pin->deployment)));
    }
    decision->code = GH_DENIED_RESIDENCY;
    decision->rule = gh_decision_rule_id(d->image, own->rule);
    return detail(d, gh_str_format(d->arena, "what %.*s names is kept by deployment \"%.*s\", which may not be used: %s%.*s", GH_STR_ARG(pin->where),
        GH_STR_ARG(pin->deployment), own->code == GH_TARGET_FORBIDDEN ? "a forbid fires, " : own->code == GH_TARGET_NARROWED ? "it is outside the places asked for"
            : decision->rule.len > 0 ? "nearest is the allow " : "no allow is about it", GH_STR_ARG(decision->rule)));
}

int
gh_decide_pin(gh_deciding_t *d)
{
    gh_decision_t *decision = d->decision;
    uint32_t       left = 0, first = d->image->models[d->model].targets.first;

    if (d->input->intake->pin.deployment.len == 0) {
        return GH_OK;
    }
    decision->from.cell = NULL;
    for (uint32_t i = 0; i < decision->route_count; i++) {
        if (gh_str_eq(deployment_of(d, decision->route[i]), d->input->intake->pin.deployment)) {
            decision->route[left++] = decision->route[i];
            continue;
        }
        decision->targets[decision->route[i] - first].code = GH_TARGET_ELSEWHERE;
        decision->targets[decision->route[i] - first].store_false = false;
    }
    decision->route_count = left;
    return left > 0 ? GH_OK : why_not(d);
}
