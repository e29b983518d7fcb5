/*
 * A policy means the sets of the facts that it pins, and deployments are judged by the newest too: what a set gained or lost since the
 * policy was reviewed is for its owners to know, before somebody moves the pin.
 */
#include "policy/document/check.h"

static gh_str_t
add(gh_loader_t *loader, gh_str_t text, gh_str_t name, const char *verb, gh_places_t places)
{
    return gh_doc_format(loader, "%.*s%s%.*s %s %.*s", GH_STR_ARG(text), text.len ? "; " : "", GH_STR_ARG(name), verb,
        GH_STR_ARG(gh_doc_some_places(loader, places)));
}

/* "EEA gained HR; EEA lost GB"; empty when the set is the same. */
static gh_str_t
changes(gh_loader_t *loader, const gh_facts_t *pinned, const gh_facts_t *newest, gh_str_t name, gh_str_t text)
{
    gh_places_t then, now;

    if (!gh_facts_set(pinned, name, &then)) {
        return text;
    }
    if (!gh_facts_set(newest, name, &now)) {
        return gh_doc_format(loader, "%.*s%s%.*s is gone", GH_STR_ARG(text), text.len ? "; " : "", GH_STR_ARG(name));
    }
    if (!gh_places_inside(now, then)) {
        text = add(loader, text, name, "gained", gh_places_minus(now, then));
    }
    if (!gh_places_inside(then, now)) {
        text = add(loader, text, name, "lost", gh_places_minus(then, now));
    }
    return text;
}

void
gh_check_facts(gh_loader_t *loader)
{
    const gh_facts_t *newest = loader->facts[0];

    for (uint32_t i = 0; i < loader->policy_count; i++) {
        const gh_model_policy_t *policy = loader->policies[i];
        gh_str_t                 text = { "", 0 };

        if (loader->pinned[i] == newest) {
            continue;
        }
        for (uint32_t k = 0; k < policy->sets.count; k++) {
            text = changes(loader, loader->pinned[i], newest, policy->sets.items[k], text);
        }
        gh_doc_warn(loader, policy->facts_where, "facts_older",
            "%s \"%.*s\" was reviewed against %.*s, and %.*s is newer: %.*s", policy->guard ? "guard" : "policy",
            GH_STR_ARG(policy->name), GH_STR_ARG(policy->facts), GH_STR_ARG(gh_facts_name(newest)),
            GH_STR_ARG(text.len ? text : GH_STR("the sets it uses are the same")));
    }
}
