/*
 * Deployments that offer another endpoint than the client's are asked in their own words. Those of the route that cannot be, because the request asks for what
 * their endpoint has no words for, are taken away here: after residency, which is judged as if everything could be said.
 */
#include "policy/decide/decide_internal.h"
#include "policy/decide/words.h"

static gh_words_t
target_words(const gh_image_t *image, const gh_image_target_t *target)
{
    const gh_image_deployment_t *deployment = &image->deployments[target->deployment];

    return gh_words_of((gh_dialect_t) deployment->dialect, gh_image_str(image, deployment->provider), gh_image_str(image, target->upstream), target->endpoints);
}

gh_endpoint_t
gh_decide_upstream(const gh_image_t *image, uint32_t target, gh_endpoint_t endpoint, const gh_express_t *express)
{
    const gh_image_target_t *t = &image->targets[target];

    return t->endpoints >> endpoint & 1 ? endpoint
        : gh_endpoint_upstream(t->endpoints, endpoint, target_words(image, t), express, NULL);
}

static int
asked(gh_deciding_t *d)
{
    if (d->decision->express == NULL && d->input->express != NULL) {
        d->decision->express = d->input->express(d->input->express_context);
        return d->decision->express == NULL ? GH_ERROR : GH_OK;
    }
    return GH_OK;
}

/* Embeddings of Bedrock's models are written for each of them, though the endpoint is the client's. */
static int
embeddings_barred(gh_deciding_t *d, const gh_image_target_t *target, gh_str_t *where)
{
    *where = (gh_str_t) { NULL, 0 };
    if (!gh_endpoint_is(d->input->intake->endpoint, GH_IS_EMBEDS) || !gh_dialect_is(d->image->deployments[target->deployment].dialect, GH_HOST_CATALOGUE)) {
        return GH_OK;
    }
    if (asked(d) != GH_OK) {
        return GH_ERROR;
    }
    if (d->decision->express != NULL) {
        *where = d->decision->express->embeddings[gh_bedrock_model(gh_image_str(d->image, target->upstream))];
    }
    return GH_OK;
}

static int
why_not(gh_deciding_t *d, const gh_target_verdict_t *verdict)
{
    const gh_image_target_t *target = &d->image->targets[verdict->target];

    d->decision->detail = gh_str_format(d->arena, "deployment \"%.*s\" is allowed, but what the request says at %.*s cannot be translated for it",
        GH_STR_ARG(gh_image_str(d->image, d->image->deployments[target->deployment].id)), GH_STR_ARG(verdict->feature));
    return d->decision->detail.data == NULL ? GH_ERROR : GH_OK;
}

int
gh_decide_express(gh_deciding_t *d)
{
    gh_decision_t       *decision = d->decision;
    gh_endpoint_t        endpoint = d->input->intake->endpoint;
    uint32_t             left = 0, first = d->image->models[d->model].targets.first;
    gh_target_verdict_t *taken = NULL;

    for (uint32_t i = 0; i < decision->route_count; i++) {
        const gh_image_target_t *target = &d->image->targets[decision->route[i]];
        gh_str_t                 where;

        bool                     barred;

        if (embeddings_barred(d, target, &where) != GH_OK) {
            return GH_ERROR;
        }
        barred = where.data != NULL;
        if (!(target->endpoints >> endpoint & 1)) {
            if (asked(d) != GH_OK) {
                return GH_ERROR;
            }
            barred = gh_endpoint_upstream(target->endpoints, endpoint, target_words(d->image, target), decision->express, &where) == GH_ENDPOINTS;
        }
        if (barred) {
            gh_target_verdict_t *verdict = &decision->targets[decision->route[i] - first];

            decision->from.cell = NULL;
            verdict->code = GH_TARGET_NOT_EXPRESSIBLE;
            verdict->feature = where;
            verdict->store_false = false;
            taken = taken == NULL ? verdict : taken;
            continue;
        }
        decision->route[left++] = decision->route[i];
    }
    decision->route_count = left;
    if (left > 0) {
        return GH_OK;
    }
    decision->code = GH_DENIED_NOT_EXPRESSIBLE;
    return why_not(d, taken);
}
