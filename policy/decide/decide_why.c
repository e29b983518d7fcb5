/*
 * Why a request is denied: the forbid's name, or for each class the allow that failed in fewest facts. For the security role; clients
 * get the rule's id and the request's.
 */
#include "policy/decide/decide_internal.h"

#include <string.h>

static const char *const miss_words[] = {   /* by bit of gh_miss_t */
    "process", "store", "store days", "operator_home", "partition", "attest", "training", "until", "a feature it does not list"
};

/* "process, store" in the arena's memory; data NULL when there is none left. */
static gh_str_t
miss_text(gh_arena_t *arena, uint32_t misses)
{
    gh_str_t text = GH_STR("");

    for (size_t i = 0; i < sizeof(miss_words) / sizeof(miss_words[0]); i++) {
        if (misses >> i & 1) {
            text = gh_str_format(arena, "%.*s%s%s", GH_STR_ARG(text), text.len > 0 ? ", " : "", miss_words[i]);
        }
    }
    return text;
}

static gh_str_t
deployment_of(const gh_deciding_t *d, const gh_target_verdict_t *verdict)
{
    return gh_image_str(d->image, d->image->deployments[d->image->targets[verdict->target].deployment].id);
}

static int
detail(gh_deciding_t *d, gh_str_t text)
{
    d->decision->detail = text;
    return text.data == NULL ? GH_ERROR : GH_OK;
}

static int
why_forbidden(gh_deciding_t *d, const gh_target_verdict_t *verdict)
{
    gh_str_t places = gh_places_text(d->arena, verdict->places);

    d->decision->rule = gh_decision_rule_id(d->image, verdict->rule);
    if (gh_places_empty(verdict->places)) {
        places = GH_STR("");
    }
    return detail(d, gh_str_format(d->arena, "forbid \"%.*s\" fires for deployment \"%.*s\"%s%.*s%s%.*s",
        GH_STR_ARG(d->decision->rule), GH_STR_ARG(deployment_of(d, verdict)), places.len > 0 ? ": it touches " : "",
        GH_STR_ARG(places), verdict->feature.len > 0 ? ", for the unlisted feature " : "", GH_STR_ARG(verdict->feature)));
}

typedef struct {
    const gh_rule_t           *rule;
    const gh_target_verdict_t *verdict;   /* NULL: no target was judged for it */
    uint32_t                   misses;
    bool                       fits;      /* somewhere */
} nearest_t;

/* Over the targets without an allow: where does this class come nearest to one? */
static nearest_t
nearest_allow(const gh_deciding_t *d, uint32_t class_index)
{
    nearest_t nearest = { NULL, NULL, 0, false };

    for (uint32_t i = 0; i < d->decision->target_count; i++) {
        const gh_target_verdict_t *verdict = &d->decision->targets[i];
        const gh_rule_t           *rule;
        uint32_t                   misses;

        if (verdict->code != GH_TARGET_NO_ALLOW) {
            continue;
        }
        rule = gh_decide_allow(d, &d->image->targets[verdict->target], &d->judged[i], d->class_number[class_index], &misses);
        if (nearest.verdict == NULL
            || (rule != NULL && (nearest.rule == NULL
                                 || __builtin_popcount(misses) < __builtin_popcount(nearest.misses))))
        {
            nearest = (nearest_t) { rule, verdict, misses, rule != NULL && misses == GH_FITS };
        }
    }
    return nearest;
}

static int
why_no_allow(gh_deciding_t *d)
{
    gh_str_t text = GH_STR("");
    bool     every = true;

    for (int pass = 0; pass < 2 && every; pass++) {
        for (uint32_t c = 0; c < d->decision->class_count; c++) {
            nearest_t nearest = nearest_allow(d, c);
            gh_str_t  id;

            /* A class fits somewhere, but no one target fits every class: then each is told, in a second pass. */
            if (nearest.fits && pass == 0) {
                continue;
            }
            every = false;
            id = nearest.rule == NULL ? GH_STR("")
                : gh_decision_rule_id(d->image, (int32_t) (nearest.rule - d->image->rules));
            if (d->decision->rule.len == 0) {
                d->decision->rule = id;
            }
            if (nearest.rule == NULL) {
                text = gh_str_format(d->arena, "%.*s%sclass \"%.*s\": no allow is about it here", GH_STR_ARG(text),
                    text.len > 0 ? "; " : "", GH_STR_ARG(d->decision->classes[c].name));
            } else {
                text = gh_str_format(d->arena, "%.*s%sclass \"%.*s\": nearest is allow \"%.*s\" with deployment \"%.*s\", %s %.*s",
                    GH_STR_ARG(text), text.len > 0 ? "; " : "", GH_STR_ARG(d->decision->classes[c].name), GH_STR_ARG(id),
                    GH_STR_ARG(deployment_of(d, nearest.verdict)), nearest.fits ? "which fits, but not every class" : "which misses",
                    GH_STR_ARG(miss_text(d->arena, nearest.misses)));
            }
            if (text.data == NULL) {
                return GH_ERROR;
            }
        }
    }
    return detail(d, text);
}

static int
why_residency(gh_deciding_t *d)
{
    const gh_target_verdict_t *forbidden = NULL, *narrowed = NULL;
    bool                       no_allow = false;

    for (uint32_t i = 0; i < d->decision->target_count; i++) {
        const gh_target_verdict_t *verdict = &d->decision->targets[i];

        if (verdict->code == GH_TARGET_FORBIDDEN && (forbidden == NULL || verdict->rule < forbidden->rule)) {
            forbidden = verdict;
        }
        if (verdict->code == GH_TARGET_NARROWED && narrowed == NULL) {
            narrowed = verdict;
        }
        no_allow |= verdict->code == GH_TARGET_NO_ALLOW;
    }
    if (forbidden != NULL) {
        return why_forbidden(d, forbidden);
    }
    if (narrowed != NULL || !no_allow) {
        gh_str_t places = narrowed == NULL ? GH_STR("") : gh_places_text(d->arena, narrowed->places);

        return detail(d, gh_str_format(d->arena, "the request is narrowed to places that every deployment may leave, \"%.*s\" to %.*s",
            GH_STR_ARG(narrowed == NULL ? GH_STR("") : deployment_of(d, narrowed)), GH_STR_ARG(places)));
    }
    return why_no_allow(d);
}

int
gh_decide_why(gh_deciding_t *d)
{
    gh_str_t path = d->input->identity->path;

    switch (d->decision->code) {
    case GH_DENIED_NO_POLICY:
        return detail(d, gh_str_format(d->arena, d->profile == NULL ? "tenants/1 does not list %.*s"
            : "no residency document covers %.*s", GH_STR_ARG(path)));
    case GH_DENIED_NODE:
        return detail(d, gh_str_format(d->arena, "fleet/1 does not list the node \"%.*s\"", GH_STR_ARG(d->input->node)));
    case GH_DENIED_MODEL_UNKNOWN:
        return detail(d, GH_STR("fleet/1 has no model of that name"));
    case GH_DENIED_MODEL:
        return detail(d, gh_str_format(d->arena, "tenants/1 does not permit %.*s the model", GH_STR_ARG(path)));
    case GH_DENIED_LABEL:
        return detail(d, gh_str_format(d->arena, "\"%.*s\" is not a class of policy \"%.*s\"", GH_STR_ARG(d->label),
            GH_STR_ARG(d->decision->policy)));
    case GH_DENIED_PLACES:
        return detail(d, gh_str_format(d->arena, "\"%.*s\" names no place", GH_STR_ARG(d->place)));
    case GH_DENIED_ENDPOINT:
        return detail(d, gh_str_format(d->arena, "no deployment that serves %.*s offers the model at %s", GH_STR_ARG(path),
            gh_endpoint_names[d->input->intake->endpoint]));
    case GH_DENIED_RESIDENCY:
        return why_residency(d);
    case GH_DECIDED_ALLOW:
        break;
    }
    return GH_OK;
}
