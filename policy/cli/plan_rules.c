/* What two sets of documents say differently, by id and by name: numbers of bits and indices differ between any two. */
#define _GNU_SOURCE
#include "policy/cli/plan_lines.h"

#include <string.h>

#include "policy/document/reading.h"

/* ---- words ---- */

static bool
cut_short(gh_str_t text)
{
    return memmem(text.data, text.len, " more", 5) != NULL;
}

/* Two sets whose texts are cut short, by what is between them. */
static void
by_difference(gh_cli_comparing_t *c, gh_places_t before, gh_places_t after, gh_str_t words[2])
{
    gh_places_t more = gh_places_minus(after, before), less = gh_places_minus(before, after);

    if (gh_str_eq(words[0], words[1]) && gh_places_equal(before, after)) {
        return;
    }
    if (words[0].len > 0 && words[1].len > 0 && (cut_short(words[0]) || cut_short(words[1]))) {
        words[0] = GH_STR("as it was");
        words[1] = gh_str_format(c->arena, "%s%.*s%s%s%.*s", gh_places_empty(more) ? "" : "with ",
            GH_STR_ARG(gh_places_empty(more) ? GH_STR("") : gh_cli_line_places(c, more)), gh_places_empty(more) || gh_places_empty(less) ? "" : ", ",
            gh_places_empty(less) ? "" : "without ", GH_STR_ARG(gh_places_empty(less) ? GH_STR("") : gh_cli_line_places(c, less)));
    }
}

/* The last day, as documents write it; they hold nothing finer. */
static gh_str_t
day(gh_arena_t *arena, uint64_t until_ms)
{
    gh_str_t text = until_ms == 0 ? GH_STR("") : gh_str_from(gh_cli_time_text(arena, until_ms - GH_DAY_MS));

    return (gh_str_t) { text.data, text.len < 10 ? text.len : 10 };
}

static gh_str_t
store(gh_cli_comparing_t *c, const gh_model_store_t *s)
{
    if (s->nothing) {
        return GH_STR("nothing");
    }
    if (!s->days_known) {
        return gh_str_format(c->arena, "%.*s for unknown days", GH_STR_ARG(gh_cli_line_places(c, s->places)));
    }
    return gh_str_format(c->arena, "%.*s for %u days", GH_STR_ARG(gh_cli_line_places(c, s->places)), (unsigned) s->days);
}

static gh_str_t
training(uint8_t value)
{
    return value == GH_TRAINING_NO ? GH_STR("no") : value == GH_TRAINING_YES ? GH_STR("yes") : GH_STR("unknown");
}

/* ---- rules ---- */

static gh_str_t
rule_places(gh_cli_comparing_t *c, const gh_model_rule_t *rule, uint32_t states, gh_places_t value)
{
    return rule->states & states ? gh_cli_line_places(c, value) : GH_STR("");
}

static gh_str_t
rule_store(gh_cli_comparing_t *c, const gh_model_rule_t *rule)
{
    if (rule->states & GH_STATES_STORE_NOTHING) {
        return GH_STR("nothing");
    }
    if (!(rule->states & GH_STATES_STORE)) {
        return GH_STR("");
    }
    if (rule->states & GH_STATES_MAX_DAYS) {
        return gh_str_format(c->arena, "%.*s for at most %u days", GH_STR_ARG(gh_cli_line_places(c, rule->store)), (unsigned) rule->max_days);
    }
    return gh_cli_line_places(c, rule->store);
}

static gh_str_t
said(const gh_model_rule_t *rule, uint32_t states)
{
    return rule->states & states ? GH_STR("yes") : GH_STR("");
}

static void
compare_rule(gh_cli_comparing_t *c, const gh_model_policy_t *policies[2], const gh_model_rule_t *rules[2])
{
    const gh_model_t *models[2] = { c->before, c->after };
    gh_str_t          words[12][2];

    for (int side = 0; side < 2; side++) {
        const gh_model_rule_t *rule = rules[side];

        words[0][side] = rule->kind == GH_RULE_ALLOW ? GH_STR("allow") : GH_STR("forbid");
        words[1][side] = gh_cli_line_mask(c->arena, &policies[side]->classes, rule->class_mask);
        words[2][side] = gh_cli_line_list(c->arena, &rule->tenants);
        words[3][side] = gh_cli_line_list(c->arena, &rule->models);
        words[4][side] = rule_places(c, rule, GH_STATES_PROCESS, rule->process);
        words[5][side] = rule_store(c, rule);
        words[6][side] = rule_places(c, rule, GH_STATES_OPERATOR_HOME, rule->operator_home);
        words[7][side] = gh_cli_line_mask(c->arena, &models[side]->partitions, rule->states & GH_STATES_PARTITIONS ? rule->partition_mask : 0);
        words[8][side] = gh_cli_line_mask(c->arena, &models[side]->attests, rule->states & GH_STATES_ATTEST ? rule->attest_mask : 0);
        words[9][side] = said(rule, GH_STATES_TRAINING);
        words[10][side] = said(rule, GH_STATES_UNLISTED_OK);
        words[11][side] = day(c->arena, rule->states & GH_STATES_UNTIL ? rule->until_ms : 0);
    }
    by_difference(c, rules[0]->process, rules[1]->process, words[4]);
    by_difference(c, rules[0]->operator_home, rules[1]->operator_home, words[6]);
    if (gh_str_eq(words[5][0], words[5][1])) {
        by_difference(c, rules[0]->store, rules[1]->store, words[5]);
    }
    static const char *const names[12] = { "kind", "classes", "tenants", "models", "process", "store", "operator_home", "partitions",
        "attest", "training", "unlisted_features accepted", "holds until" };

    for (int i = 0; i < 12; i++) {
        gh_cli_line_differ(c, names[i], words[i][0], words[i][1]);
    }
    gh_cli_line_differ(c, "why", rules[0]->why, rules[1]->why);
    gh_cli_line_differ(c, "law", rules[0]->law, rules[1]->law);
}

/* *hint: where it probably stands; becomes the place behind it, so that two lists in the same order are compared in one pass. */
static const gh_model_rule_t *
find_rule(const gh_model_policy_t *policy, gh_str_t id, uint32_t *hint)
{
    for (uint32_t i = 0; policy != NULL && i < policy->rule_count; i++) {
        uint32_t at = (*hint + i) % policy->rule_count;

        if (gh_str_eq(policy->rules[at].id, id)) {
            *hint = at + 1;
            return &policy->rules[at];
        }
    }
    return NULL;
}

static const gh_model_policy_t *
find_policy(const gh_model_t *model, gh_str_t name)
{
    for (uint32_t i = 0; model != NULL && i < model->policy_count; i++) {
        if (gh_str_eq(model->policies[i].name, name)) {
            return &model->policies[i];
        }
    }
    return NULL;
}

static const char *
kind_of(const gh_model_rule_t *rule)
{
    return rule->kind == GH_RULE_ALLOW ? "allow" : "forbid";
}

static void
compare_rules(gh_cli_comparing_t *c, const gh_model_policy_t *before, const gh_model_policy_t *after)
{
    const gh_model_policy_t *policies[2] = { before, after };
    uint32_t                 hint = 0;

    for (uint32_t i = 0; after != NULL && i < after->rule_count; i++) {
        const gh_model_rule_t *rules[2] = { find_rule(before, after->rules[i].id, &hint), &after->rules[i] };

        if (rules[0] == NULL) {
            gh_cli_line_add(c, '+', kind_of(rules[1]), after->name, rules[1]->id, rules[1]->why);
            continue;
        }
        c->details = GH_STR("");
        compare_rule(c, policies, rules);
        if (c->details.len > 0) {
            gh_cli_line_add(c, '~', kind_of(rules[1]), after->name, rules[1]->id, c->details);
        }
    }
    hint = 0;
    for (uint32_t i = 0; before != NULL && i < before->rule_count; i++) {
        if (find_rule(after, before->rules[i].id, &hint) == NULL) {
            gh_cli_line_add(c, '-', kind_of(&before->rules[i]), before->name, before->rules[i].id, before->rules[i].why);
        }
    }
}

static void
all_rules(gh_cli_comparing_t *c)
{
    for (uint32_t i = 0; i < c->after->policy_count; i++) {
        compare_rules(c, find_policy(c->before, c->after->policies[i].name), &c->after->policies[i]);
    }
    for (uint32_t i = 0; c->before != NULL && i < c->before->policy_count; i++) {
        if (find_policy(c->after, c->before->policies[i].name) == NULL) {
            compare_rules(c, &c->before->policies[i], NULL);
        }
    }
}

/* ---- what else a policy says ---- */

static gh_str_t
assigned(gh_arena_t *arena, const gh_model_policy_t *policy)
{
    gh_str_t text = GH_STR("");

    for (uint32_t i = 0; i < policy->assign_count; i++) {
        text = gh_str_format(arena, "%.*s%s%.*s to %.*s", GH_STR_ARG(text), i > 0 ? ", " : "",
            GH_STR_ARG(policy->classes.items[policy->assigns[i].class_index]), GH_STR_ARG(gh_cli_line_list(arena, &policy->assigns[i].tenants)));
    }

    return text;
}

static gh_str_t
named_places(gh_cli_comparing_t *c, const gh_model_policy_t *policy)
{
    gh_str_t text = GH_STR("");

    for (uint32_t i = 0; i < policy->place_count; i++) {
        text = gh_str_format(c->arena, "%.*s%s%.*s = %.*s", GH_STR_ARG(text), i > 0 ? ", " : "", GH_STR_ARG(policy->places[i].name),
            GH_STR_ARG(gh_cli_line_places(c, policy->places[i].places)));
    }

    return text;
}

static void
compare_policy(gh_cli_comparing_t *c, const gh_model_policy_t *before, const gh_model_policy_t *after)
{
    const gh_model_policy_t *sides[2] = { before, after };
    gh_str_t                 words[11][2];
    static const char *const names[11] = { "applies_to", "classes", "default", "assign", "labels", "unknown_label", "uninspected", "places",
        "audit_store", "facts", "audit" };

    for (int side = 0; side < 2; side++) {
        const gh_model_policy_t *policy = sides[side];

        words[0][side] = gh_cli_line_list(c->arena, &policy->applies_to);
        words[1][side] = gh_cli_line_list(c->arena, &policy->classes);
        words[2][side] = policy->guard || policy->classes.count == 0 ? GH_STR("") : policy->classes.items[policy->default_class];
        words[3][side] = assigned(c->arena, policy);
        words[4][side] = gh_cli_line_list(c->arena, &policy->label_headers);
        words[5][side] = policy->unknown_label == GH_LABEL_DENY ? GH_STR("deny") : GH_STR("highest");
        words[6][side] = gh_cli_line_mask(c->arena, &policy->classes, policy->uninspected_mask);
        words[7][side] = named_places(c, policy);
        words[8][side] = policy->has_audit_store ? gh_cli_line_places(c, policy->audit_store) : GH_STR("");
        words[9][side] = policy->facts;
        words[10][side] = policy->guard ? GH_STR("") : gh_str_from(gh_audit_names[policy->audit]);
    }
    for (int i = 0; i < 11; i++) {
        gh_cli_line_differ(c, names[i], words[i][0], words[i][1]);
    }
}

static void
all_policies(gh_cli_comparing_t *c)
{
    for (uint32_t i = 0; i < c->after->policy_count; i++) {
        const gh_model_policy_t *after = &c->after->policies[i], *before = find_policy(c->before, after->name);

        c->details = GH_STR("");
        if (before == NULL) {
            gh_cli_line_add(c, '+', after->guard ? "guard" : "policy", GH_STR(""), after->name, c->details);
            continue;
        }
        compare_policy(c, before, after);
        if (c->details.len > 0) {
            gh_cli_line_add(c, '~', after->guard ? "guard" : "policy", GH_STR(""), after->name, c->details);
        }
    }
    for (uint32_t i = 0; c->before != NULL && i < c->before->policy_count; i++) {
        const gh_model_policy_t *before = &c->before->policies[i];

        if (find_policy(c->after, before->name) == NULL) {
            gh_cli_line_add(c, '-', before->guard ? "guard" : "policy", GH_STR(""), before->name, GH_STR(""));
        }
    }
}

/* ---- deployments ---- */

static const gh_model_target_t *
find_target(const gh_model_t *model, gh_str_t deployment, gh_str_t name)
{
    for (uint32_t i = 0; model != NULL && i < model->target_count; i++) {
        const gh_model_target_t *target = &model->targets[i];

        if (gh_str_eq(model->deployments[target->deployment].id, deployment) && gh_str_eq(model->models[target->model].name, name)) {
            return target;
        }
    }
    return NULL;
}

static gh_str_t
features(gh_cli_comparing_t *c, const gh_model_target_t *target)
{
    gh_str_t text = GH_STR("");

    for (uint32_t i = 0; i < target->feature_count; i++) {
        const gh_model_feature_t *feature = &target->features[i];

        text = gh_str_format(c->arena, "%.*s%s%.*s (process %.*s, store %.*s)", GH_STR_ARG(text), i > 0 ? ", " : "",
            GH_STR_ARG(feature->name), GH_STR_ARG(gh_cli_line_places(c, feature->process)), GH_STR_ARG(store(c, &feature->store)));
    }

    return text;
}

static gh_str_t
endpoints(gh_arena_t *arena, uint32_t mask)
{
    gh_str_t text = GH_STR("");

    for (int i = 0; i < GH_ENDPOINTS; i++) {
        if (mask >> i & 1) {
            text = gh_str_format(arena, "%.*s%s%s", GH_STR_ARG(text), text.len > 0 ? " " : "", gh_endpoint_names[i]);
        }
    }

    return text;
}

/* The last day of each fact's evidence: one day when they are the same, none when none ends. */
static gh_str_t
evidence_ends(gh_arena_t *arena, const gh_model_target_t *target)
{
    const struct { const char *name; uint64_t until_ms; } facts[] = { { "process", target->process_until_ms },
        { "store", target->store_until_ms }, { "operator_home", target->operator_home_until_ms }, { "attest", target->attest_until_ms },
        { "training", target->training_until_ms } };
    gh_str_t text = GH_STR("");
    uint64_t one = 0;
    bool     same = true;

    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        if (facts[i].until_ms != 0) {
            text = gh_str_format(arena, "%.*s%s%s %.*s", GH_STR_ARG(text), text.len > 0 ? ", " : "", facts[i].name,
                GH_STR_ARG(day(arena, facts[i].until_ms)));
            same = same && (one == 0 || one == facts[i].until_ms);
            one = facts[i].until_ms;
        }
    }

    return same && one != 0 ? day(arena, one) : text;
}

#define TARGET_WORDS 16

static void
compare_target(gh_cli_comparing_t *c, const gh_model_target_t *before, const gh_model_target_t *after)
{
    const gh_model_t        *models[2] = { c->before, c->after };
    const gh_model_target_t *sides[2] = { before, after };
    gh_str_t                 words[TARGET_WORDS][2];
    static const char *const names[TARGET_WORDS] = { "region", "sku", "upstream", "serves", "endpoints", "process", "store", "operator_home",
        "partition", "attest", "training", "features", "backend", "evidence ends", "price", "inference_geo" };

    for (int side = 0; side < 2; side++) {
        const gh_model_target_t     *target = sides[side];
        const gh_model_deployment_t *deployment = &models[side]->deployments[target->deployment];

        words[0][side] = deployment->region;
        words[1][side] = target->sku;
        words[2][side] = target->upstream;
        words[3][side] = gh_cli_line_list(c->arena, &target->serves);
        words[4][side] = endpoints(c->arena, target->endpoints);
        words[5][side] = gh_cli_line_places(c, target->process);
        words[6][side] = store(c, &target->store);
        words[7][side] = gh_cli_line_places(c, target->operator_home);
        words[8][side] = target->partition < 0 ? GH_STR("unknown") : models[side]->partitions.items[target->partition];
        words[9][side] = gh_cli_line_mask(c->arena, &models[side]->attests, target->attest_mask);
        words[10][side] = training(target->training);
        words[11][side] = features(c, target);
        words[12][side] = deployment->backend;
        words[13][side] = evidence_ends(c->arena, target);
        words[14][side] = gh_cli_line_price(c->arena, target);
        words[15][side] = target->inference_geo;
    }
    by_difference(c, before->process, after->process, words[5]);
    by_difference(c, before->operator_home, after->operator_home, words[7]);
    if (gh_str_eq(words[6][0], words[6][1])) {
        by_difference(c, before->store.places, after->store.places, words[6]);
    }
    for (int i = 0; i < TARGET_WORDS; i++) {
        gh_cli_line_differ(c, names[i], words[i][0], words[i][1]);
    }
}

static void
all_targets(gh_cli_comparing_t *c)
{
    for (uint32_t i = 0; i < c->after->target_count; i++) {
        const gh_model_target_t *after = &c->after->targets[i], *before;
        gh_str_t                 id = c->after->deployments[after->deployment].id, model = c->after->models[after->model].name;

        before = find_target(c->before, id, model);
        c->details = GH_STR("");
        if (before == NULL) {
            gh_cli_line_add(c, '+', "deployment", id, model, gh_str_format(c->arena, "process %.*s, store %.*s", GH_STR_ARG(gh_cli_line_places(c, after->process)),
                GH_STR_ARG(store(c, &after->store))));
            continue;
        }
        compare_target(c, before, after);
        if (c->details.len > 0) {
            gh_cli_line_add(c, '~', "deployment", id, model, c->details);
        }
    }
    for (uint32_t i = 0; c->before != NULL && i < c->before->target_count; i++) {
        const gh_model_target_t *before = &c->before->targets[i];
        gh_str_t                 id = c->before->deployments[before->deployment].id, model = c->before->models[before->model].name;

        if (find_target(c->after, id, model) == NULL) {
            gh_cli_line_add(c, '-', "deployment", id, model, GH_STR(""));
        }
    }
}

/* ---- nodes, facts ---- */

static const gh_model_node_t *
find_node(const gh_model_t *model, gh_str_t id)
{
    for (uint32_t i = 0; model != NULL && i < model->node_count; i++) {
        if (gh_str_eq(model->nodes[i].id, id)) {
            return &model->nodes[i];
        }
    }
    return NULL;
}

static void
all_nodes(gh_cli_comparing_t *c)
{
    for (uint32_t i = 0; i < c->after->node_count; i++) {
        const gh_model_node_t *after = &c->after->nodes[i], *before = find_node(c->before, after->id);
        gh_str_t               country = { gh_country_codes[after->country], 2 };

        c->details = GH_STR("");
        if (before == NULL) {
            gh_cli_line_add(c, '+', "node", GH_STR(""), after->id, country);
        } else if (before->country != after->country) {
            gh_cli_line_differ(c, "country", (gh_str_t) { gh_country_codes[before->country], 2 }, country);
            gh_cli_line_add(c, '~', "node", GH_STR(""), after->id, c->details);
        }
    }
    for (uint32_t i = 0; c->before != NULL && i < c->before->node_count; i++) {
        if (find_node(c->after, c->before->nodes[i].id) == NULL) {
            gh_cli_line_add(c, '-', "node", GH_STR(""), c->before->nodes[i].id, GH_STR(""));
        }
    }
}

void
gh_cli_edit_lines(gh_arena_t *arena, const gh_cli_sets_t *sets, const gh_model_t *before, const gh_model_t *after,
    gh_cli_edit_lines_t *lines)
{
    gh_cli_comparing_t c = { .arena = arena, .sets = sets, .before = before, .after = after, .lines = lines, .details = GH_STR("") };

    *lines = (gh_cli_edit_lines_t) { 0 };
    all_rules(&c);
    all_policies(&c);
    all_targets(&c);
    all_nodes(&c);
    gh_cli_compare_models(&c);
    gh_cli_compare_limits(&c);
    gh_cli_compare_apps(&c);
    gh_cli_compare_callers(&c);
    c.details = GH_STR("");
    if (before != NULL) {
        gh_cli_line_differ(&c, "artefacts", gh_cli_line_list(arena, &before->facts), gh_cli_line_list(arena, &after->facts));
        if (c.details.len > 0) {
            gh_cli_line_add(&c, '~', "facts", GH_STR(""), GH_STR("facts"), c.details);
        }
    }
}
