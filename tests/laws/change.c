/* The laws: a change to a world, and what may be eligible after it. */
#include <stdio.h>
#include <string.h>

#include "tests/laws/world.h"

/* ---- where to change ---- */

static deployment_t *
some_deployment(random_t *r, world_t *world)
{
    unsigned at = below(r, DEPLOYMENTS);

    while (world->deployments[at].gone) {
        at = (at + 1) % DEPLOYMENTS;
    }
    return &world->deployments[at];
}

/* What a deployment states, or an entry of it. */
static statements_t *
some_statements(random_t *r, deployment_t *d, bool *entry)
{
    unsigned m = below(r, MODELS);

    *entry = chance(r, 30) && !d->models[m].gone;
    return *entry ? &d->models[m].states : &d->states;
}

static limits_t *
some_limits(random_t *r, world_t *world)
{
    tenant_t *tenant = &world->tenants[world->tenants[1].limits.gone ? 0 : below(r, TENANTS)];
    limits_t *app = &tenant->apps[tenant->apps[1].gone ? 0 : below(r, APPS)];

    return chance(r, 33) ? &world->organisation : chance(r, 50) ? &tenant->limits : app;
}

static rule_t *
some_rule(random_t *r, rule_t *rules, unsigned n)
{
    unsigned at = below(r, n);

    for (unsigned i = 0; i < n; i++) {
        rule_t *rule = &rules[(at + i) % n];

        if (!rule->gone) {
            return rule;
        }
    }
    return NULL;
}

static bool
lose_word(random_t *r, uint32_t *mask)
{
    if (__builtin_popcount(*mask) < 2) {
        return false;
    }
    *mask &= ~random_bit(r, *mask);
    return true;
}

/* ---- rules and documents ---- */

static bool
add_forbid(random_t *r, world_t *world, const answer_t *before)
{
    rule_t *rule = &world->policy.forbids[FORBIDS - 1];

    (void) before;
    *rule = make_forbid(r, world, false);
    return !world->policy.gone;
}

static bool
add_guard(random_t *r, world_t *world, const answer_t *before)
{
    guard_t *guard = &world->guards[GUARDS - 1];

    (void) before;
    guard->gone = false;
    guard->applies_to = chance(r, 70) ? PATTERN_ORG : PATTERN_T0;
    for (unsigned i = 0; i < FORBIDS; i++) {
        guard->forbids[i] = make_forbid(r, world, true);
        guard->forbids[i].gone = i > 0 && chance(r, 60);
    }
    return true;
}

static bool
drop_guard(random_t *r, world_t *world, const answer_t *before)
{
    guard_t *guard = &world->guards[below(r, 2)];

    (void) before;
    if (guard->gone) {
        return false;
    }
    guard->gone = true;
    return true;
}

static bool
drop_forbid(random_t *r, world_t *world, const answer_t *before)
{
    rule_t *rule = some_rule(r, world->policy.forbids, FORBIDS);

    (void) before;
    if (rule == NULL || world->policy.gone) {
        return false;
    }
    rule->gone = true;
    return true;
}

static bool
add_allow(random_t *r, world_t *world, const answer_t *before)
{
    (void) before;
    world->policy.allows[ALLOWS - 1] = make_allow(r, world, 1 + below(r, (1u << world->policy.class_count) - 1));
    return !world->policy.gone;
}

/* An allow whose classes have another one: a class without any is an error. */
static bool
drop_allow(random_t *r, world_t *world, const answer_t *before)
{
    rule_t  *rule = some_rule(r, world->policy.allows, ALLOWS);
    uint32_t others = 0;

    (void) before;
    rule->gone = true;
    for (unsigned i = 0; i < ALLOWS; i++) {
        others |= world->policy.allows[i].gone ? 0 : world->policy.allows[i].classes;
    }
    return !world->policy.gone && (others & rule->classes) == rule->classes;
}

static bool
tighten_allow(random_t *r, world_t *world, const answer_t *before)
{
    rule_t  *rule = some_rule(r, world->policy.allows, ALLOWS);
    uint32_t word;

    (void) before;
    switch (below(r, 10)) {
    case 0:
        return lose_word(r, &rule->process);
    case 1:
        return rule->store.kind == STORE_SET && lose_word(r, &rule->store.in);
    case 2:
        if (rule->store.kind == STORE_SET && rule->store.days != 0) {
            rule->store.days = rule->store.days < 0 ? 30 : rule->store.days - 1;
            return true;
        }
        return false;
    case 3:
        word = rule->home;
        rule->home = word ? word : some_words(r, 4);
        return word ? lose_word(r, &rule->home) : true;
    case 4:
        rule->partitions = rule->partitions ? rule->partitions : 15;
        return lose_word(r, &rule->partitions);
    case 5:
        word = rule->attest;
        rule->attest |= 1u << below(r, ATTESTS);
        return rule->attest != word;
    case 6:
        word = rule->training;
        rule->training = false;
        return word;
    case 7:
        word = rule->unlisted_accepted;
        rule->unlisted_accepted = false;
        return word;
    case 8:
        word = rule->until;
        rule->until = word == 0 ? 1 + below(r, 4) : word - 1;
        return rule->until != 0;
    default:
        if (rule->models == 0) {
            rule->models = 1 + below(r, 7);
            return true;
        }
        word = rule->tenants;
        rule->tenants = PATTERN_T0_A0;
        return word == 0;
    }
}

/* One that states nothing is the off switch: stating a fact would take less away. */
static bool
widen_forbid(random_t *r, world_t *world, const answer_t *before)
{
    rule_t  *rule = some_rule(r, chance(r, 50) ? world->policy.forbids : world->guards[0].forbids, FORBIDS);
    bool     states = rule != NULL && (rule->process || rule->home || rule->store.kind || rule->partitions || rule->training);
    uint32_t was;

    (void) before;
    if (rule == NULL || world->policy.gone || world->guards[0].gone) {
        return false;
    }
    switch (below(r, 5)) {
    case 0:
        rule->process |= some_words(r, 2);
        return states;
    case 1:
        rule->store = (store_t) { STORE_SET, rule->store.in | some_words(r, 2), -1 };
        return states;
    case 2:
        rule->home |= some_words(r, 2);
        return states;
    case 3:
        was = rule->tenants | rule->models | rule->classes;
        rule->tenants = rule->models = rule->classes = 0;
        return was != 0;
    default:
        rule->partitions |= 1u << below(r, 4);
        return states;
    }
}

/* ---- the caller ---- */

static bool
add_class(random_t *r, world_t *world, const answer_t *before)
{
    limits_t *limits = some_limits(r, world);
    uint32_t  was = limits->classes;

    (void) before;
    limits->classes |= 1u << below(r, world->policy.class_count);
    return limits->classes != was && !world->policy.gone && world->policy.applies_to == PATTERN_ORG;
}

/* Words of a level below are among those of the levels above: what is more is refused when it is applied. */
static bool
inside(const limits_t *above, const limits_t *limits)
{
    return (above->places == 0 || (limits->places & ~above->places & ~OWN) == 0) && (above->models == 0 || (limits->models & ~above->models) == 0);
}

static bool
only_narrows(const world_t *world)
{
    bool holds = true;

    for (unsigned t = 0; t < TENANTS; t++) {
        const tenant_t *tenant = &world->tenants[t];

        holds = holds && inside(&world->organisation, &tenant->limits);
        for (unsigned a = 0; a < APPS; a++) {
            holds = holds && inside(&world->organisation, &tenant->apps[a]) && inside(&tenant->limits, &tenant->apps[a]);
        }
    }
    return holds;
}

static bool
add_places(random_t *r, world_t *world, const answer_t *before)
{
    limits_t *limits = some_limits(r, world);

    (void) before;
    if (limits->places == 0) {
        limits->places = some_words(r, 5) | (chance(r, 50) ? world->policy.allows[0].process & ~OWN : 0);
        return only_narrows(world);
    }
    return lose_word(r, &limits->places) && only_narrows(world);
}

static bool
add_models(random_t *r, world_t *world, const answer_t *before)
{
    limits_t *limits = some_limits(r, world);

    (void) before;
    if (limits->models != 0) {
        return lose_word(r, &limits->models) && only_narrows(world);
    }
    limits->models = 1 + below(r, 7);
    return only_narrows(world);
}

static bool
add_label(random_t *r, world_t *world, const answer_t *before)
{
    (void) before;
    for (unsigned i = 0; i < REQUESTS; i++) {
        request_t  *request = &world->requests[i];
        unsigned    line = below(r, 2);
        const char *word = chance(r, 85) ? class_words[below(r, CLASSES)] : "nonsense";
        size_t      len = strlen(request->labels[line]);

        if (request->label_sent[line]) {
            snprintf(request->labels[line] + len, sizeof(request->labels[line]) - len, ",%s", word);
        } else {
            snprintf(request->labels[line], sizeof(request->labels[line]), "%s", word);
        }
        request->label_sent[line] = true;
    }
    return true;
}

static bool
narrow_request(random_t *r, world_t *world, const answer_t *before)
{
    (void) before;
    for (unsigned i = 0; i < REQUESTS; i++) {
        uint32_t *places = world->requests[i].places;

        if (places[0] == 0 || places[1] == 0) {
            places[places[0] != 0] = some_words(r, 6) | (chance(r, 60) ? world->policy.allows[0].process & ~OWN : 0);
        } else {
            lose_word(r, &places[0]);
        }
    }
    return true;
}

static bool
add_uninspected(random_t *r, world_t *world, const answer_t *before)
{
    (void) r;
    (void) before;
    for (unsigned i = 0; i < REQUESTS; i++) {
        world->requests[i].uninspected = true;
    }
    return true;
}

static bool
add_feature(random_t *r, world_t *world, const answer_t *before)
{
    (void) before;
    for (unsigned i = 0; i < REQUESTS; i++) {
        world->requests[i].features |= 1u << below(r, FEATURES + 1);
    }
    return true;
}

static bool
send_headers(random_t *r, world_t *world, const answer_t *before)
{
    for (unsigned i = 0; i < REQUESTS; i++) {
        world->requests[i].noise = true;
    }
    return (chance(r, 50) || add_label(r, world, before)) && (chance(r, 50) || narrow_request(r, world, before));
}

static bool
send_noise(random_t *r, world_t *world, const answer_t *before)
{
    (void) r;
    (void) before;
    for (unsigned i = 0; i < REQUESTS; i++) {
        world->requests[i].noise = true;
    }
    return true;
}

static bool
spell_model(random_t *r, world_t *world, const answer_t *before)
{
    (void) before;
    for (unsigned i = 0; i < REQUESTS; i++) {
        world->requests[i].odd_model = 1 + below(r, ODD_MODELS - 1);
    }
    return true;
}

static bool
other_node(random_t *r, world_t *world, const answer_t *before)
{
    (void) r;
    (void) before;
    for (unsigned i = 0; i < REQUESTS; i++) {
        world->requests[i].node = 9;
    }
    return true;
}

static bool
later(random_t *r, world_t *world, const answer_t *before)
{
    static const unsigned days[] = { 1, 2, 100, 2000 };

    (void) before;
    for (unsigned i = 0; i < REQUESTS; i++) {
        world->requests[i].days += days[below(r, 4)];
    }
    return true;
}

/* The last instant at which the answer before says it holds. */
static bool
still_valid(random_t *r, world_t *world, const answer_t *before)
{
    (void) r;
    for (unsigned i = 0; i < REQUESTS; i++) {
        world->requests[i].at_ms = before[i].until_ms == UINT64_MAX ? NOW_MS + 4000 * DAY_MS : before[i].until_ms - 1;
    }
    return true;
}

/* ---- facts ---- */

static bool
worse_evidence(random_t *r, world_t *world, evidence_t worse)
{
    bool          entry;
    statements_t *states = some_statements(r, some_deployment(r, world), &entry);
    evidence_t   *evidence = &states->evidence[below(r, FACTS)];
    bool          changed = *evidence > worse;

    *evidence = worse;
    return changed;
}

static bool
drop_evidence(random_t *r, world_t *world, const answer_t *before)
{
    (void) before;
    return worse_evidence(r, world, EVIDENCE_NONE);
}

static bool
end_evidence(random_t *r, world_t *world, const answer_t *before)
{
    (void) before;
    return worse_evidence(r, world, EVIDENCE_OVER);
}

static bool
good_evidence(random_t *r, world_t *world, const answer_t *before)
{
    bool          entry, changed = false;
    statements_t *states = some_statements(r, some_deployment(r, world), &entry);

    (void) before;
    for (unsigned i = 0; i < FACTS; i++) {
        changed |= states->evidence[i] < EVIDENCE_LONG;
        states->evidence[i] = EVIDENCE_FOR_GOOD;
    }
    return changed;
}

/* An entry's fact hides its deployment's: taken away there, the deployment's would count again. */
static bool
drop_fact(random_t *r, world_t *world, const answer_t *before)
{
    deployment_t *d = some_deployment(r, world);
    bool          entry;
    statements_t *states = some_statements(r, d, &entry);
    unsigned      feature = below(r, FEATURES), was;

    (void) before;
    switch (below(r, entry ? 3 : 8)) {
    case 0:
        was = states->store.kind == STORE_SET && states->store.days >= 0;
        states->store.days = -1;
        return was;
    case 1:
        was = states->feature[feature].process;
        states->feature[feature].process = 0;
        return was && (states->features >> feature & 1);
    case 2:
        was = states->feature[feature].store.kind;
        states->feature[feature].store.kind = STORE_UNSTATED;
        return was && (states->features >> feature & 1);
    case 3:
        was = states->store.kind;
        states->store.kind = STORE_UNSTATED;
        return was;
    case 4:
        was = states->home;
        states->home = 0;
        return was;
    case 5:
        was = states->training;
        states->training = TRAINING_UNSTATED;
        return was;
    case 6:
        was = states->attest;
        states->attest = 0;
        return was;
    default:
        was = d->kind == KIND_OTHER ? states->process : d->kind == KIND_SELF && d->partition_stated;
        d->partition_stated = d->kind == KIND_SELF ? false : d->partition_stated;
        states->process = d->kind == KIND_OTHER ? 0 : states->process;
        return was;
    }
}

static bool
unknown_region(random_t *r, world_t *world, const answer_t *before)
{
    deployment_t *d = some_deployment(r, world);

    (void) before;
    if (d->kind == KIND_AZURE && chance(r, 50)) {
        d->sku = 9;
    } else {
        d->region = 9;
    }
    return d->kind >= KIND_AZURE;
}

/* Nothing is known of where any deployment processes: not even "ANYWHERE" holds that. */
static bool
all_unknown(random_t *r, world_t *world, const answer_t *before)
{
    (void) before;
    for (unsigned i = 0; i < DEPLOYMENTS; i++) {
        deployment_t *d = &world->deployments[i];

        if (chance(r, 50)) {
            d->kind = d->kind == KIND_SELF || d->kind == KIND_OTHER ? KIND_OTHER : d->kind;
            d->region = 9;
            d->states.process = d->models[0].states.process = d->models[1].states.process = 0;
        } else {
            d->states.evidence[FACT_STORE] = d->models[0].states.evidence[FACT_STORE] = EVIDENCE_OVER;
            d->models[1].states.evidence[FACT_STORE] = EVIDENCE_NONE;
        }
    }
    for (unsigned i = 0; i < ALLOWS; i++) {
        world->policy.allows[i].process |= ANYWHERE;
    }
    return true;
}

/* Where no allow accepts unlisted features: such a rule judges the deployment without what the feature would add. */
static bool
unlist_feature(random_t *r, world_t *world, const answer_t *before)
{
    bool          entry;
    statements_t *states = some_statements(r, some_deployment(r, world), &entry);
    uint32_t      used, lost;

    (void) before;
    for (unsigned i = 0; i < ALLOWS; i++) {
        if (!world->policy.allows[i].gone && world->policy.allows[i].unlisted_accepted) {
            return false;
        }
    }
    used = states->features & world->requests[0].features;
    lost = states->features & ~random_bit(r, used ? used : states->features);
    if (lost == states->features || (entry && lost == 0)) {
        return false;                  /* without any of its own, an entry has its deployment's */
    }
    states->features = lost;
    return true;
}

static bool
serve_fewer(random_t *r, world_t *world, const answer_t *before)
{
    deployment_t *d = some_deployment(r, world);
    uint32_t      all = world->tenants[1].limits.gone ? ~(uint32_t) (PATTERN_T1 | PATTERN_T1_A0) : ~0u;

    (void) before;
    d->serves &= all;
    if (d->serves == PATTERN_ORG) {
        d->serves = chance(r, 80) ? PATTERN_T0_A0 : 0;
        return true;
    }
    return lose_word(r, &d->serves);
}

/* ---- order, company ---- */

static bool
other_order(random_t *r, world_t *world, const answer_t *before)
{
    (void) before;
    world->order = 1 + below(r, 1000000);
    if (!world->policy.highest) {
        world->policy.class_order = below(r, 24);      /* says only which is the highest */
    }
    return true;
}

/* Nothing changes here, while other organisations' documents do, come or go. */
static bool
nothing(random_t *r, world_t *world, const answer_t *before)
{
    (void) r;
    (void) world;
    (void) before;
    return true;
}

const law_t laws[] = {
    { "forbid", "one more forbid never permits", LAW_FEWER, add_forbid },
    { "document", "one more document never permits", LAW_FEWER, add_guard },
    { "class", "a class of tenants/1 never permits", LAW_FEWER, add_class },
    { "label", "a label never permits", LAW_FEWER, add_label },
    { "uninspected", "content that nobody can read never permits", LAW_FEWER, add_uninspected },
    { "feature", "one more feature used never permits", LAW_FEWER, add_feature },
    { "no-evidence", "a fact without its evidence never permits", LAW_FEWER, drop_evidence },
    { "evidence-over", "a fact whose evidence is over never permits", LAW_FEWER, end_evidence },
    { "no-fact", "a fact that is not stated never permits", LAW_FEWER, drop_fact },
    { "no-region", "an unknown region or SKU never permits", LAW_FEWER, unknown_region },
    { "unlisted", "a feature no longer listed never permits", LAW_FEWER, unlist_feature },
    { "places", "places of tenants/1 never permit", LAW_FEWER, add_places },
    { "narrowing", "x-gatehouse-places never permits", LAW_FEWER, narrow_request },
    { "models", "models of tenants/1 never permit", LAW_FEWER, add_models },
    { "serves", "a deployment that serves fewer never permits", LAW_FEWER, serve_fewer },
    { "stricter-allow", "a stricter allow never permits", LAW_FEWER, tighten_allow },
    { "wider-forbid", "a wider forbid never permits", LAW_FEWER, widen_forbid },
    { "fewer-allows", "an allow taken away never permits", LAW_FEWER, drop_allow },
    { "headers", "no header a client sends widens", LAW_FEWER, send_headers },
    { "later", "time never permits", LAW_FEWER, later },
    { "node", "a node that is not listed serves nothing", LAW_NONE, other_node },
    { "spelling", "a spelling that is no model's name serves nothing", LAW_NONE, spell_model },
    { "unknown", "where process or store is unknown nothing is allowed, not even by ANYWHERE", LAW_NONE, all_unknown },
    { "allow", "one more allow never takes away", LAW_MORE, add_allow },
    { "no-forbid", "a forbid taken away never takes away", LAW_MORE, drop_forbid },
    { "no-document", "a guard taken away never takes away", LAW_MORE, drop_guard },
    { "evidence", "evidence never takes away", LAW_MORE, good_evidence },
    { "order", "order never matters", LAW_SAME, other_order },
    { "others", "other organisations' documents change nothing", LAW_SAME, nothing },
    { "noise", "headers without a meaning change nothing", LAW_SAME, send_noise },
    { "valid-until", "an answer holds as long as it says", LAW_SAME, still_valid },
};
const unsigned law_count = sizeof(laws) / sizeof(laws[0]);

/* Is one route the other without some of its steps? */
static bool
steps_of(const answer_t *fewer, const answer_t *more)
{
    unsigned at = 0;

    for (unsigned i = 0; i < more->count && at < fewer->count; i++) {
        at += more->route[i] == fewer->route[at];
    }
    return at == fewer->count;
}

bool
law_kept(relation_t relation, const answer_t *before, const answer_t *after)
{
    switch (relation) {
    case LAW_FEWER:
        return steps_of(after, before);
    case LAW_MORE:
        return steps_of(before, after);
    case LAW_SAME:
        return before->code == after->code && before->classes == after->classes && before->count == after->count
               && memcmp(before->route, after->route, before->count) == 0;
    case LAW_NONE:
        return after->count == 0;
    }
    return false;
}
