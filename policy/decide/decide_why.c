/*
 * Why a request is denied: the narrowing or the forbid that took away the last deployment, or for each class the allow that failed in
 * fewest facts. For the security role; clients get the rule's id and the request's.
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
    } else if (gh_places_has_unknown(verdict->places)) {
        places = GH_STR("a place that is unknown");
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

static bool
offered(const gh_target_verdict_t *verdict)
{
    return verdict->code != GH_TARGET_NOT_SERVED && verdict->code != GH_TARGET_ENDPOINT;
}

static gh_judged_facts_t
worst_facts(const gh_deciding_t *d, uint32_t index)
{
    gh_judged_facts_t worst = d->judged[index].facts;

    if (d->judged[index].unlisted != NULL) {
        gh_judged_add_unlisted(&worst);
    }
    return worst;
}

/* Does a forbid, of those about the caller and the classes, fire for a target? The verdict names only the first that does. */
static bool
fires(const gh_deciding_t *d, const gh_rule_t *forbid, uint32_t index)
{
    const gh_image_target_t *target = &d->image->targets[d->decision->targets[index].target];
    gh_judged_facts_t        worst = worst_facts(d, index);

    return gh_rule_forbid_fires(forbid, &worst) && gh_image_rule_names(d->image, forbid, target);
}

static bool
fires_everywhere(const gh_deciding_t *d, const gh_rule_t *forbid)
{
    for (uint32_t i = 0; i < d->decision->target_count; i++) {
        if (offered(&d->decision->targets[i]) && !fires(d, forbid, i)) {
            return false;
        }
    }
    return true;
}

static bool
allowed_but_for_forbids(const gh_deciding_t *d, uint32_t index)
{
    for (uint32_t c = 0; c < d->decision->class_count; c++) {
        uint32_t misses;

        if (gh_decide_allow(d, &d->image->targets[d->decision->targets[index].target], &d->judged[index], d->class_number[c],
                &misses) == NULL || misses != GH_FITS)
        {
            return false;
        }
    }
    return true;
}

static bool
inside(const gh_deciding_t *d, uint32_t index, gh_places_t places)
{
    gh_judged_facts_t worst = worst_facts(d, index);

    return gh_places_inside(gh_places_union(worst.process, worst.store), places);
}

/*
 * The forbid to name, in the verdict of a target that it took away: one that fires for every target, else one that stands in front of a
 * target which every class may use otherwise, else the first that fired. Not that last one when there is a target without an allow
 * (no_allow): the allow that came nearest says more. false: none.
 */
static bool
deciding_forbid(const gh_deciding_t *d, bool no_allow, gh_target_verdict_t *found)
{
    const gh_target_verdict_t *first = NULL, *allowed = NULL, *regained = NULL;
    const gh_rule_t           *everywhere = NULL;

    for (uint32_t i = 0; i < d->forbid_count && everywhere == NULL; i++) {
        everywhere = fires_everywhere(d, d->forbids[i]) ? d->forbids[i] : NULL;
    }
    for (uint32_t i = 0; i < d->decision->target_count; i++) {
        const gh_target_verdict_t *verdict = &d->decision->targets[i];

        if (verdict->code != GH_TARGET_FORBIDDEN) {
            continue;
        }
        if (first == NULL || verdict->rule < first->rule) {
            first = verdict;
        }
        if (!allowed_but_for_forbids(d, i)) {
            continue;
        }
        if (allowed == NULL || verdict->rule < allowed->rule) {
            allowed = verdict;
        }
        if ((!d->narrowed || inside(d, i, d->narrow)) && (regained == NULL || verdict->rule < regained->rule)) {
            regained = verdict;
        }
    }
    if (first == NULL) {
        return false;
    }
    if (everywhere != NULL) {
        int32_t rule = (int32_t) (everywhere - d->image->rules);

        *found = *first;
        if (first->rule != rule) {      /* its places are those that the other one touches */
            found->rule = rule;
            found->places = gh_places_none();
            found->feature = GH_STR("");
        }
        return true;
    }
    if (allowed == NULL && no_allow) {
        return false;
    }
    *found = regained != NULL ? *regained : allowed != NULL ? *allowed : *first;
    return true;
}

/* There is a target that nothing but the narrowing excludes. */
static int
why_narrowed(gh_deciding_t *d)
{
    const gh_target_verdict_t *first = NULL;
    bool                       own = d->narrowed_own;   /* the places of tenants/1 and of the caller itself exclude every one of them */
    const char                *whose = d->input->identity->own_places.len > 0 ? "tenants/1 and of the caller's key, token or certificate" : "tenants/1";
    gh_str_t                   leave;

    for (uint32_t i = 0; i < d->decision->target_count; i++) {
        const gh_target_verdict_t *verdict = &d->decision->targets[i];

        if (verdict->code != GH_TARGET_NARROWED) {
            continue;
        }
        if (first == NULL) {
            first = verdict;
        }
        own = own && !inside(d, i, d->narrow_own);
    }
    d->decision->narrowed = true;
    d->decision->narrowed_by_request = !own;
    leave = own ? gh_str_format(d->arena, "the places of %s leave", whose)
        : d->narrowed_own ? gh_str_format(d->arena, "the places that the request names, within those of %s, leave", whose)
                          : GH_STR("the places that the request names leave");
    return leave.data == NULL ? GH_ERROR
        : detail(d, gh_str_format(d->arena, "%.*s no deployment: \"%.*s\" is allowed otherwise, but reaches %.*s", GH_STR_ARG(leave), GH_STR_ARG(deployment_of(d, first)), GH_STR_ARG(gh_places_text(d->arena, first->places))));
}

static int
why_residency(gh_deciding_t *d)
{
    gh_target_verdict_t forbidden;
    bool                no_allow = false;

    for (uint32_t i = 0; i < d->decision->target_count; i++) {
        if (d->decision->targets[i].code == GH_TARGET_NARROWED) {
            return why_narrowed(d);
        }
        no_allow |= d->decision->targets[i].code == GH_TARGET_NO_ALLOW;
    }
    return deciding_forbid(d, no_allow, &forbidden) ? why_forbidden(d, &forbidden) : why_no_allow(d);
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
    case GH_DENIED_STATE:               /* decide_pin.c says it */
    case GH_DENIED_NOT_EXPRESSIBLE:     /* decide_express.c says it */
        break;
    }
    return GH_OK;
}
