/*
 * Classes that nobody is given, allows that never fit or whose every deployment is forbidden, forbids that never fire or leave nothing.
 * All of it is exact: what is warned of here cannot happen with these documents, whatever a request carries.
 */
#include "policy/document/check_reach.h"

#include <string.h>

typedef struct {
    const gh_model_rule_t *rule;
    const gh_model_policy_t *from;
    gh_rule_t              judged;
    uint32_t               classes;      /* of requests it fires for; all when it names none */
    gh_spans_t             apps;         /* whatever their key */
    bool                   everywhere;   /* that is all of them */
} forbid_t;

typedef struct { uint32_t forbid, next; } entry_t;       /* next: index + 1 */

typedef struct {
    gh_reached_t *reached;
    gh_reach_t   *reach;
    gh_loader_t  *loader;
    forbid_t     *forbids;               /* of the policy and of guards over it */
    uint32_t      forbid_count;
    bool         *offered;               /* by fact: some offer has it */
    uint32_t     *by_fact;               /* [fact][node]: classes taken away by a forbid of every app and model */
    uint32_t     *by_offer;              /* [offer][node]: by one of every app and of its model */
    uint32_t     *heads;                 /* a segment tree over the apps: forbids of some of them, index + 1 of entries */
    entry_t      *entries;
    uint32_t      entry_count, leaves;
    bool          emptied;               /* some forbid leaves nothing */
} rules_t;

static void *
zeroed(gh_loader_t *loader, size_t count, size_t size)
{
    void *array = gh_arena_array(loader->arena, count, size);

    if (array == NULL) {
        loader->report->no_memory = 1;
    }
    return array;
}

/* ---- forbids ---- */

static void
add_forbids(rules_t *r, const gh_model_policy_t *from)
{
    gh_reached_t *reached = r->reached;
    gh_spans_t    within = gh_spans_of_list(r->loader, &reached->names, from->guard ? &from->applies_to : NULL, GH_SPANS_WHOLE);

    for (uint32_t i = 0; within.count != 0 && i < from->rule_count; i++) {
        const gh_model_rule_t *rule = &from->rules[i];
        forbid_t              *forbid;
        gh_spans_t             apps = within;

        if (rule->kind != GH_RULE_FORBID) {
            continue;
        }
        if (rule->states & GH_STATES_TENANTS) {
            apps = gh_spans_both(r->loader, within, gh_spans_of_list(r->loader, &reached->names, &rule->tenants, GH_SPANS_WHOLE));
        }
        forbid = gh_doc_push(r->loader, &r->forbids, &r->forbid_count, sizeof(*forbid));
        if (forbid == NULL) {
            return;
        }
        *forbid = (forbid_t) { rule, from, gh_reach_rule(rule), rule->states & GH_STATES_CLASSES ? rule->class_mask : UINT32_MAX,
                               apps, gh_spans_size(apps) == reached->names.count };
    }
}

static bool
fires(rules_t *r, const forbid_t *forbid, uint32_t fact, uint32_t node)
{
    gh_judged_facts_t facts = gh_reach_facts(r->reach, fact, node);

    return gh_rule_forbid_fires(&forbid->judged, &facts);
}

/* Notes what a forbid of every app takes away. true: all there is, from every node. */
static bool
take_away(rules_t *r, const forbid_t *forbid)
{
    uint32_t nodes = r->reach->node_count;
    bool     models = forbid->rule->states & GH_STATES_MODELS, all = true;
    uint32_t count = models ? r->reached->offer_count : r->reach->fact_count;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t fact = models ? r->reach->fact_of[r->reached->offers[i].target] : i;

        if (!models && !r->offered[i]) {
            continue;
        }
        if (!gh_reach_step(r->reach)) {
            return false;
        }
        if (models && !gh_reach_model(r->reach, forbid->rule, r->reached->offers[i].target)) {
            all = false;
            continue;
        }
        for (uint32_t node = 0; node < nodes; node++) {
            bool fired = fires(r, forbid, fact, node);

            (models ? r->by_offer : r->by_fact)[i * nodes + node] |= fired ? forbid->classes : 0;
            all = all && fired;
        }
    }
    return all && ((forbid->classes & r->reached->given) == r->reached->given || (forbid->classes & r->reached->always) != 0);
}

static void
hang(rules_t *r, uint32_t at, uint32_t forbid)
{
    entry_t *entry = gh_doc_push(r->loader, &r->entries, &r->entry_count, sizeof(*entry));

    if (entry != NULL) {
        *entry = (entry_t) { forbid, r->heads[at] };
        r->heads[at] = r->entry_count;
    }
}

/* Into the fewest nodes of the tree that make up the span. */
static void
hang_span(rules_t *r, gh_span_t span, uint32_t forbid)
{
    uint32_t low = span.begin + r->leaves, high = span.end + r->leaves;

    for (; low < high; low >>= 1, high >>= 1) {
        if (low & 1) {
            hang(r, low++, forbid);
        }
        if (high & 1) {
            hang(r, --high, forbid);
        }
    }
}

static void
warn_emptied(rules_t *r, const forbid_t *forbid)
{
    const char *kind = forbid->from->guard ? "guard" : "policy";

    r->emptied = true;
    gh_doc_warn(r->loader, forbid->rule->where, "forbids_everything",
        "forbid \"%.*s\" of %s \"%.*s\" leaves nothing: every request under policy \"%.*s\" is denied", GH_STR_ARG(forbid->rule->id),
        kind, GH_STR_ARG(forbid->from->name), GH_STR_ARG(r->reached->policy->name));
}

static bool
read_forbids(rules_t *r)
{
    gh_reached_t *reached = r->reached;
    size_t        nodes = r->reach->node_count;

    for (r->leaves = 1; r->leaves < reached->names.count; r->leaves *= 2) {
    }
    r->offered = zeroed(r->loader, r->reach->fact_count, sizeof(*r->offered));
    r->by_fact = zeroed(r->loader, r->reach->fact_count * nodes, sizeof(*r->by_fact));
    r->by_offer = zeroed(r->loader, reached->offer_count * nodes, sizeof(*r->by_offer));
    r->heads = zeroed(r->loader, (size_t) r->leaves * 2, sizeof(*r->heads));
    if (r->offered == NULL || r->by_fact == NULL || r->by_offer == NULL || r->heads == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < reached->offer_count; i++) {
        r->offered[r->reach->fact_of[reached->offers[i].target]] = true;
    }
    add_forbids(r, reached->policy);
    for (uint32_t i = 0; i < r->loader->policy_count; i++) {
        if (r->loader->policies[i]->guard) {
            add_forbids(r, r->loader->policies[i]);
        }
    }
    for (uint32_t i = 0; i < r->forbid_count; i++) {
        forbid_t *forbid = &r->forbids[i];

        if (forbid->everywhere && take_away(r, forbid)) {
            warn_emptied(r, forbid);
        }
        for (uint32_t k = 0; !forbid->everywhere && k < forbid->apps.count; k++) {
            hang_span(r, forbid->apps.items[k], i);
        }
    }
    return r->loader->report->no_memory == 0;
}

/* The classes that forbids take away of one offer, from one node, for one app. */
static uint32_t
taken(rules_t *r, uint32_t offer, uint32_t node, uint32_t app)
{
    uint32_t target = r->reached->offers[offer].target, fact = r->reach->fact_of[target];
    uint32_t classes = r->by_fact[fact * r->reach->node_count + node] | r->by_offer[offer * r->reach->node_count + node];

    for (uint32_t at = app + r->leaves; at != 0 && classes != UINT32_MAX; at >>= 1) {
        for (uint32_t e = r->heads[at]; e != 0 && gh_reach_step(r->reach); e = r->entries[e - 1].next) {
            const forbid_t *forbid = &r->forbids[r->entries[e - 1].forbid];

            if (gh_reach_model(r->reach, forbid->rule, target) && fires(r, forbid, fact, node)) {
                classes |= forbid->classes;
            }
        }
    }
    return classes;
}

/* Some forbid that takes one of the classes away there: there is one. */
static const forbid_t *
taker(rules_t *r, uint32_t offer, uint32_t node, uint32_t app, uint32_t classes)
{
    uint32_t target = r->reached->offers[offer].target;

    for (uint32_t i = 0; i < r->forbid_count; i++) {
        const forbid_t *forbid = &r->forbids[i];

        if ((forbid->classes & classes) && gh_spans_touch(forbid->apps, (gh_span_t) { app, app + 1 })
            && gh_reach_model(r->reach, forbid->rule, target) && fires(r, forbid, r->reach->fact_of[target], node))
        {
            return forbid;
        }
    }
    return NULL;
}

/* ---- one rule ---- */

typedef struct {
    const gh_model_rule_t *rule;
    gh_rule_t              judged;
    gh_spans_t             apps;         /* its scope */
    uint32_t               classes;      /* its own that somebody is given */
    bool                   offered, fits, permitted, fitting;   /* how far it came: some offer is for its scope; it fits one; ... */
    uint32_t               best;         /* offer that misses fewest facts */
    uint32_t               best_misses, best_node;
    bool                   missed;
    const forbid_t        *shadow;       /* of what fits, and where */
    uint32_t               shadow_offer;
} matching_t;

typedef enum { MATCHES, NEVER, UNKNOWN } answer_t;

static bool
fits_from(rules_t *r, matching_t *m, uint32_t offer, uint32_t node)
{
    gh_judged_facts_t facts = gh_reach_facts(r->reach, r->reach->fact_of[r->reached->offers[offer].target], node);
    uint32_t          misses = gh_rule_allow_misses(&m->judged, &facts, r->loader->now_ms);

    if (misses != GH_FITS && (!m->missed || __builtin_popcount(misses) < __builtin_popcount(m->best_misses))) {
        m->missed = true;
        m->best = offer;
        m->best_node = node;
        m->best_misses = misses;
    }
    m->fits = m->fits || misses == GH_FITS;
    return misses == GH_FITS;
}

/* Can a request carry one of the classes without carrying one that is gone? */
static bool
remain(const rules_t *r, const gh_reach_app_t *app, uint32_t classes, uint32_t gone)
{
    if (gone & app->always) {
        return false;
    }
    return (classes & app->alone & ~gone) != 0 || ((classes & ~gone) != 0 && (r->reached->policy->uninspected_mask & gone) == 0);
}

/* Does a rule count for some app that the offer is for? Of an allow: one that fits the offer from the node. */
static answer_t
counts(rules_t *r, matching_t *m, uint32_t offer, uint32_t node)
{
    const gh_model_t *model = r->loader->model;
    gh_str_t          name = model->models[model->targets[r->reached->offers[offer].target].model].name;
    gh_common_t       apps = { .a = m->apps, .b = r->reached->offers[offer].apps };

    while (gh_spans_next(&apps)) {
        for (uint32_t app = apps.span.begin; app < apps.span.end; app++) {
            uint32_t classes = r->reached->apps[app].carries & m->classes;

            if (!gh_reach_step(r->reach)) {
                return UNKNOWN;
            }
            if (!gh_reach_permits(&r->reached->apps[app], name)) {
                continue;
            }
            m->permitted = true;
            if (classes == 0) {
                continue;
            }
            m->fitting = true;
            if (m->rule->kind == GH_RULE_FORBID) {
                return MATCHES;
            }
            if (remain(r, &r->reached->apps[app], classes, taken(r, offer, node, app))) {
                return MATCHES;
            }
            if (m->shadow == NULL) {
                m->shadow = taker(r, offer, node, app, classes | r->reached->apps[app].always | r->reached->policy->uninspected_mask);
                m->shadow_offer = offer;
            }
        }
    }
    return NEVER;
}

static answer_t
matches(rules_t *r, matching_t *m)
{
    for (uint32_t offer = 0; offer < r->reached->offer_count; offer++) {
        uint32_t    nodes = m->rule->kind == GH_RULE_FORBID ? 1 : r->reach->node_count;
        gh_common_t apps = { .a = m->apps, .b = r->reached->offers[offer].apps };

        if (!gh_reach_step(r->reach)) {
            return UNKNOWN;
        }
        if (!gh_reach_model(r->reach, m->rule, r->reached->offers[offer].target) || !gh_spans_next(&apps)) {
            continue;
        }
        m->offered = true;
        for (uint32_t node = 0; node < nodes; node++) {
            answer_t answer = NEVER;

            if (m->rule->kind == GH_RULE_FORBID || fits_from(r, m, offer, node)) {
                answer = counts(r, m, offer, node);
            }
            if (answer != NEVER) {
                return answer;
            }
        }
    }
    return NEVER;
}

static gh_str_t
say_miss(gh_loader_t *loader, gh_str_t text, const char *member, gh_places_t outside)
{
    gh_str_t where = { "", 0 };

    if (!gh_places_empty(outside)) {
        where = gh_doc_format(loader, " (%.*s)", GH_STR_ARG(gh_doc_some_places(loader, outside)));
    }
    return gh_doc_format(loader, "%.*s%s\"%s\"%.*s", GH_STR_ARG(text), text.len ? ", " : "", member, GH_STR_ARG(where));
}

/* The members that the nearest offer misses, and the places outside. */
static gh_str_t
say_misses(rules_t *r, const matching_t *m)
{
    gh_judged_facts_t facts = gh_reach_facts(r->reach, r->reach->fact_of[r->reached->offers[m->best].target], m->best_node);
    gh_loader_t      *loader = r->loader;
    gh_places_t       none = gh_places_none();
    bool              nothing = m->rule->states & GH_STATES_STORE_NOTHING;
    gh_str_t          text = { "", 0 };

    if (m->best_misses & GH_MISS_PROCESS) {
        text = say_miss(loader, text, "process", gh_places_has_unknown(facts.process) ? gh_places_unknown()
                                                     : gh_places_minus(facts.process, m->rule->process));
    }
    if (m->best_misses & GH_MISS_STORE) {
        text = say_miss(loader, text, "store", gh_places_has_unknown(facts.store) ? gh_places_unknown()
                                                   : nothing ? none : gh_places_minus(facts.store, m->rule->store));
    }
    if (m->best_misses & GH_MISS_STORE_DAYS) {
        text = say_miss(loader, text, "max_days", none);
    }
    if (m->best_misses & GH_MISS_OPERATOR_HOME) {
        text = say_miss(loader, text, "operator_home", gh_places_has_unknown(facts.operator_home) ? gh_places_unknown()
                                                           : gh_places_minus(facts.operator_home, m->rule->operator_home));
    }
    if (m->best_misses & GH_MISS_PARTITION) {
        text = say_miss(loader, text, "partitions", none);
    }
    if (m->best_misses & GH_MISS_ATTEST) {
        text = say_miss(loader, text, "attest", none);
    }
    if (m->best_misses & GH_MISS_TRAINING) {
        text = say_miss(loader, text, "training", none);
    }
    return text;
}

static gh_str_t
offer_name(rules_t *r, uint32_t offer)
{
    const gh_model_target_t *target = &r->loader->model->targets[r->reached->offers[offer].target];

    return gh_doc_format(r->loader, "\"%.*s\" with model \"%.*s\"", GH_STR_ARG(r->loader->model->deployments[target->deployment].id),
        GH_STR_ARG(r->loader->model->models[target->model].name));
}

static void
warn_never(rules_t *r, const matching_t *m)
{
    const gh_model_rule_t *rule = m->rule;
    bool                   allow = rule->kind == GH_RULE_ALLOW;
    const char            *code = allow ? "never_fits" : "never_fires", *verb = allow ? "fits" : "fires", *kind = allow ? "allow" : "forbid";

    if (m->fitting) {
        if (!r->emptied) {
            gh_doc_warn(r->loader, rule->where, "shadowed", "allow \"%.*s\" permits nothing: all that it fits is forbidden, %.*s by \"%.*s\"",
                GH_STR_ARG(rule->id), GH_STR_ARG(offer_name(r, m->shadow_offer)),
                GH_STR_ARG(m->shadow ? m->shadow->rule->id : GH_STR("several")));
        }
    } else if (!m->offered) {
        gh_doc_warn(r->loader, rule->where, code, "%s \"%.*s\" never %s: no deployment serves its tenants%s", kind, GH_STR_ARG(rule->id),
            verb, rule->states & GH_STATES_MODELS ? " with its models" : "");
    } else if (m->permitted) {
        gh_doc_warn(r->loader, rule->where, code, "%s \"%.*s\" never %s: no app in its scope is ever given one of its classes", kind,
            GH_STR_ARG(rule->id), verb);
    } else if (m->missed && !m->fits) {
        gh_doc_warn(r->loader, rule->where, code, "allow \"%.*s\" never fits: %.*s comes nearest, and misses %.*s", GH_STR_ARG(rule->id),
            GH_STR_ARG(offer_name(r, m->best)), GH_STR_ARG(say_misses(r, m)));
    } else {
        gh_doc_warn(r->loader, rule->where, code, "%s \"%.*s\" never %s: the apps in its scope may not use the models served to them", kind,
            GH_STR_ARG(rule->id), verb);
    }
}

static answer_t
check_rule(rules_t *r, const gh_model_rule_t *rule)
{
    bool       classes = rule->kind == GH_RULE_ALLOW || (rule->states & GH_STATES_CLASSES);
    gh_span_t  all = { 0, r->reached->names.count };
    matching_t m = { .rule = rule, .judged = gh_reach_rule(rule), .classes = r->reached->given, .apps = { &all, 1 } };
    answer_t   answer;

    m.classes &= classes ? rule->class_mask : UINT32_MAX;
    if (m.classes == 0 || ((rule->states & GH_STATES_UNTIL) && r->loader->now_ms >= rule->until_ms)) {
        return UNKNOWN;    /* both are said already */
    }
    if (rule->states & GH_STATES_TENANTS) {
        m.apps = gh_spans_of_list(r->loader, &r->reached->names, &rule->tenants, GH_SPANS_SOME);
        if (m.apps.count == 0) {
            return UNKNOWN;    /* each of its patterns covers nothing, or tenants without an app: said already */
        }
    }
    answer = matches(r, &m);
    if (answer == NEVER) {
        warn_never(r, &m);
    }
    return answer;
}

/* ---- a policy ---- */

static void
check_given(gh_reached_t *reached)
{
    const gh_model_policy_t *policy = reached->policy;

    for (uint32_t k = 0; k < policy->classes.count; k++) {
        if (!(reached->given >> k & 1)) {
            gh_doc_warn(reached->reach->loader, policy->class_wheres[k], "class_never_given",
                "class \"%.*s\" of policy \"%.*s\" is never given: no default, assign, label, \"uninspected\" or tenants document gives it",
                GH_STR_ARG(policy->classes.items[k]), GH_STR_ARG(policy->name));
        }
    }
}

static void
check_policy(gh_reached_t *reached)
{
    rules_t r = { .reached = reached, .reach = reached->reach, .loader = reached->reach->loader };

    if (reached->names.count == 0) {
        return;    /* no tenant, or none with an app */
    }
    check_given(reached);
    if (reached->offer_count == 0) {
        gh_doc_warn(r.loader, reached->policy->where, "nothing_served",
            "no deployment serves a tenant of policy \"%.*s\": every request is denied", GH_STR_ARG(reached->policy->name));
        return;
    }
    if (!read_forbids(&r)) {
        return;
    }
    for (uint32_t i = 0; i < reached->policy->rule_count && r.reach->steps != 0; i++) {
        check_rule(&r, &reached->policy->rules[i]);
    }
}

void
gh_check_rules(gh_loader_t *loader)
{
    gh_reach_t    reach;
    gh_reached_t *all;

    if (!gh_reach_begin(loader, &reach) || (all = gh_reach_policies(&reach)) == NULL) {
        return;
    }
    for (uint32_t i = 0; i < loader->policy_count && !loader->report->no_memory; i++) {
        if (!loader->policies[i]->guard && reach.steps != 0) {
            check_policy(&all[i]);
        }
        if (reach.steps == 0) {
            gh_doc_warn(loader, loader->policies[i]->where, "not_checked",
                "policy \"%.*s\": too many rules, deployments and apps to look for all rules that never match", GH_STR_ARG(loader->policies[i]->name));
            return;
        }
    }
}
