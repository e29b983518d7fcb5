/* What could be reached: see check_reach.h. */
#include "policy/document/check_reach.h"

#include <stdlib.h>
#include <string.h>

#define STEPS 20000000ull

/* ---- facts ---- */

static gh_judged_facts_t
facts_now(const gh_loader_t *loader, const gh_model_target_t *target)
{
    gh_judged_facts_t facts;
    uint64_t          now = loader->now_ms;

#define ENDED(until) ((until) != 0 && now >= (until))
    memset(&facts, 0, sizeof(facts));    /* compared byte by byte */
    facts.process = ENDED(target->process_until_ms) ? gh_places_unknown() : target->process;
    facts.store = ENDED(target->store_until_ms) ? gh_places_unknown() : target->store.places;
    if (!ENDED(target->store_until_ms)) {
        facts.store_nothing = target->store.nothing;
        facts.store_days_known = target->store.days_known;
        facts.store_days = target->store.days;
    }
    facts.operator_home = ENDED(target->operator_home_until_ms) ? gh_places_unknown() : target->operator_home;
    facts.partition_known = target->partition >= 0;
    facts.partition_bit = target->partition >= 0 ? 1ull << target->partition : 0;
    facts.attest_mask = ENDED(target->attest_until_ms) ? 0 : target->attest_mask;
    facts.training = ENDED(target->training_until_ms) ? GH_TRAINING_UNKNOWN : target->training;
#undef ENDED
    return facts;
}

typedef struct { gh_judged_facts_t facts; uint32_t target; } numbered_t;

static int
facts_cmp(const void *left, const void *right)
{
    const numbered_t *a = left, *b = right;

    return memcmp(&a->facts, &b->facts, sizeof(a->facts));
}

static bool
collect_facts(gh_reach_t *reach)
{
    const gh_model_t *model = reach->loader->model;
    numbered_t       *all = gh_arena_array(reach->loader->arena, model->target_count, sizeof(*all));

    reach->facts = gh_arena_array(reach->loader->arena, model->target_count, sizeof(*reach->facts));
    reach->fact_of = gh_arena_array(reach->loader->arena, model->target_count, sizeof(*reach->fact_of));
    if (all == NULL || reach->facts == NULL || reach->fact_of == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < model->target_count; i++) {
        all[i] = (numbered_t) { facts_now(reach->loader, &model->targets[i]), i };
    }
    if (model->target_count > 1) {
        qsort(all, model->target_count, sizeof(*all), facts_cmp);
    }
    for (uint32_t i = 0; i < model->target_count; i++) {
        if (i == 0 || facts_cmp(&all[i - 1], &all[i]) != 0) {
            reach->facts[reach->fact_count++] = all[i].facts;
        }
        reach->fact_of[all[i].target] = reach->fact_count - 1;
    }
    return true;
}

static bool
collect_nodes(gh_reach_t *reach)
{
    const gh_model_t *model = reach->loader->model;
    gh_places_t       seen = gh_places_none();

    reach->nodes = gh_arena_array(reach->loader->arena, (size_t) model->node_count + 1, sizeof(*reach->nodes));
    if (reach->nodes == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < model->node_count; i++) {
        gh_places_t country = gh_places_none();

        gh_places_add(&country, model->nodes[i].country);
        if (!gh_places_inside(country, seen)) {
            seen = gh_places_union(seen, country);
            reach->nodes[reach->node_count++] = country;
        }
    }
    reach->node_count += reach->node_count == 0;
    return true;
}

bool
gh_reach_begin(gh_loader_t *loader, gh_reach_t *reach)
{
    *reach = (gh_reach_t) { .loader = loader, .steps = STEPS };

    if (!collect_facts(reach) || !collect_nodes(reach)) {
        loader->report->no_memory = 1;
        return false;
    }
    return true;
}

/* ---- apps ---- */

static int
app_cmp(const void *left, const void *right)
{
    return gh_str_cmp(((const gh_reach_app_t *) left)->path, ((const gh_reach_app_t *) right)->path);
}

static void
sort_apps(gh_reach_app_t *apps, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (app_cmp(&apps[i - 1], &apps[i]) > 0) {
            qsort(apps, count, sizeof(*apps), app_cmp);
            return;
        }
    }
}

static void
add_tenant(gh_reached_t *reached, const gh_model_organisation_t *organisation, const gh_model_tenant_t *tenant)
{
    for (uint32_t a = 0; a < tenant->app_count; a++) {
        const gh_model_app_t *app = &tenant->apps[a];

        reached->apps[reached->names.count++] = (gh_reach_app_t) {
            app->path, organisation, tenant, app, tenant->class_mask | app->class_mask, tenant->class_mask | app->class_mask, 0
        };
    }
}

/* The apps of each policy. First counted, then filled. */
static bool
collect_apps(gh_reach_t *reach, gh_reached_t *all)
{
    gh_loader_t      *loader = reach->loader;
    const gh_model_t *model = loader->model;

    for (int filling = 0; filling < 2; filling++) {
        for (uint32_t i = 0; filling && i < loader->policy_count; i++) {
            all[i].apps = gh_arena_array(loader->arena, all[i].names.count, sizeof(*all[i].apps));
            all[i].names.items = gh_arena_array(loader->arena, all[i].names.count, sizeof(*all[i].names.items));
            if (all[i].apps == NULL || all[i].names.items == NULL) {
                return false;
            }
            all[i].names.count = 0;
        }
        for (uint32_t o = 0; o < model->organisation_count; o++) {
            for (uint32_t t = 0; t < model->organisations[o].tenant_count; t++) {
                const gh_model_tenant_t *tenant = &model->organisations[o].tenants[t];

                if (tenant->policy >= 0 && filling) {
                    add_tenant(&all[tenant->policy], &model->organisations[o], tenant);
                } else if (tenant->policy >= 0) {
                    all[tenant->policy].names.count += tenant->app_count;
                }
            }
        }
    }
    for (uint32_t i = 0; i < loader->policy_count; i++) {
        sort_apps(all[i].apps, all[i].names.count);
        for (uint32_t k = 0; k < all[i].names.count; k++) {
            all[i].names.items[k] = all[i].apps[k].path;
        }
    }
    return true;
}

/* ---- classes ---- */

typedef struct {
    uint32_t at;
    int32_t  class_index;
    int      change;                 /* +1 where a span begins, -1 where it ends */
    bool     whole;                  /* for every key of the app: the default is not carried */
} event_t;

static int
event_cmp(const void *left, const void *right)
{
    const event_t *a = left, *b = right;

    return (a->at > b->at) - (a->at < b->at);
}

static event_t *
assign_events(gh_reached_t *reached, uint32_t *count)
{
    const gh_model_policy_t *policy = reached->policy;
    event_t                 *events = NULL;

    *count = 0;
    for (uint32_t i = 0; i < policy->assign_count; i++) {
        const gh_model_assign_t *assign = &policy->assigns[i];

        for (uint32_t k = 0; k < assign->tenants.count; k++) {
            gh_str_t  pattern = assign->tenants.items[k];
            gh_span_t spans[2];
            unsigned  found = gh_spans_of(&reached->names, gh_pattern_of_app(pattern), spans);

            for (unsigned s = 0; s < found * 2; s++) {
                event_t *event = gh_doc_push(reached->reach->loader, &events, count, sizeof(*events));

                if (event == NULL) {
                    return NULL;
                }
                *event = (event_t) { s % 2 ? spans[s / 2].end : spans[s / 2].begin, (int32_t) assign->class_index,
                                     s % 2 ? -1 : 1, gh_pattern_is_whole(pattern) };
            }
        }
    }
    if (*count > 1) {
        qsort(events, *count, sizeof(*events), event_cmp);
    }
    return events;
}

/* Of every app at once: assigns begin and end along the sorted paths. */
static void
collect_classes(gh_reached_t *reached)
{
    const gh_model_policy_t *policy = reached->policy;
    uint32_t  all = policy->classes.count >= 32 ? UINT32_MAX : (1u << policy->classes.count) - 1;
    uint32_t  count, at = 0, some[GH_MAX_CLASSES] = { 0 }, every[GH_MAX_CLASSES] = { 0 }, assigned = 0, whole = 0;
    event_t  *events = assign_events(reached, &count);

    reached->always = UINT32_MAX;

    for (uint32_t i = 0; i < reached->names.count; i++) {
        gh_reach_app_t *app = &reached->apps[i];

        for (; at < count && events[at].at <= i; at++) {
            uint32_t change = (uint32_t) events[at].change;

            assigned += change;
            some[events[at].class_index] += change;
            whole += events[at].whole ? change : 0;
            every[events[at].class_index] += events[at].whole ? change : 0;
        }
        for (uint32_t k = 0; k < policy->classes.count; k++) {
            app->carries |= some[k] != 0 ? 1u << k : 0;
            app->always |= every[k] != 0 ? 1u << k : 0;
        }
        app->carries |= whole == 0 ? 1u << policy->default_class : 0;
        app->always |= assigned == 0 ? 1u << policy->default_class : 0;
        app->carries |= policy->label_headers.count != 0 ? all : 0;
        app->alone = app->carries;
        app->carries |= policy->uninspected_mask;
        reached->given |= app->carries;
        reached->always &= app->always;
    }
}

/* ---- offers ---- */

static bool
collect_offers(gh_reached_t *reached)
{
    gh_loader_t         *loader = reached->reach->loader;
    const gh_model_t    *model = loader->model;
    const gh_str_list_t *last = NULL;
    gh_spans_t           spans = { NULL, 0 };

    reached->offers = gh_arena_array(loader->arena, model->target_count, sizeof(*reached->offers));
    if (reached->offers == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < model->target_count; i++) {
        const gh_model_target_t *target = &model->targets[i];

        if (last == NULL || last->items != target->serves.items || last->count != target->serves.count) {
            spans = gh_spans_of_list(loader, &reached->names, &target->serves, GH_SPANS_SOME);
            last = &target->serves;
        }
        if (spans.count != 0 && target->endpoints != 0) {
            reached->offers[reached->offer_count++] = (gh_offer_t) { i, spans };
        }
    }
    return true;
}

gh_reached_t *
gh_reach_policies(gh_reach_t *reach)
{
    gh_loader_t  *loader = reach->loader;
    gh_reached_t *all = gh_arena_array(loader->arena, loader->policy_count, sizeof(*all));

    if (all == NULL || !collect_apps(reach, all)) {
        loader->report->no_memory = 1;
        return NULL;
    }
    for (uint32_t i = 0; i < loader->policy_count; i++) {
        all[i].reach = reach;
        all[i].policy = loader->policies[i];
        if (loader->policies[i]->guard) {
            continue;
        }
        collect_classes(&all[i]);
        if (!collect_offers(&all[i])) {
            loader->report->no_memory = 1;
            return NULL;
        }
    }
    return loader->report->no_memory ? NULL : all;
}

/* ---- what rules are held against ---- */

bool
gh_reach_step(gh_reach_t *reach)
{
    reach->steps -= reach->steps != 0;
    return reach->steps != 0;
}

static bool
any_names(uint8_t kind, const gh_str_list_t *patterns, gh_str_t model)
{
    for (uint32_t i = 0; i < patterns->count; i++) {
        if (gh_rule_names(kind, patterns->items[i], model)) {
            return true;
        }
    }
    return false;
}

bool
gh_reach_permits(const gh_reach_app_t *app, gh_str_t model)
{
    const gh_str_list_t *lists[] = { &app->organisation->models, &app->tenant->models, &app->app->models };

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (lists[i]->count != 0 && !any_names(GH_RULE_ALLOW, lists[i], model)) {
            return false;
        }
    }
    return true;
}

bool
gh_reach_model(const gh_reach_t *reach, const gh_model_rule_t *rule, uint32_t target)
{
    const gh_model_t *model = reach->loader->model;

    return !(rule->states & GH_STATES_MODELS)
           || any_names(rule->kind, &rule->models, model->models[model->targets[target].model].name)
           || any_names(rule->kind, &rule->models, model->targets[target].upstream);
}

gh_rule_t
gh_reach_rule(const gh_model_rule_t *rule)
{
    return (gh_rule_t) {
        .kind = rule->kind, .states = rule->states, .class_mask = rule->class_mask, .max_days = rule->max_days,
        .until_ms = rule->until_ms, .partition_mask = rule->partition_mask, .attest_mask = rule->attest_mask,
        .process = rule->process, .store = rule->store, .operator_home = rule->operator_home,
    };
}

gh_judged_facts_t
gh_reach_facts(const gh_reach_t *reach, uint32_t fact, uint32_t node)
{
    gh_judged_facts_t facts = reach->facts[fact];

    facts.process = gh_places_union(facts.process, reach->nodes[node]);
    return facts;
}
