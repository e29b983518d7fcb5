/* Random worlds: rules are written around what some deployment really has, then often bent, so that much is allowed and most denials are near. */
#include "tests/laws/world.h"

#include <stdio.h>
#include <string.h>

const char *const place_words[WORDS] = { "DE", "SE", "FR", "NL", "IE", "CH", "GB", "US", "CA", "CN", "JP", "NO",
    "EU", "EEA", "EU_DATA_BOUNDARY", "GDPR_ADEQUATE", "DOJ_COUNTRIES_OF_CONCERN", "FIVE", "GDPR_TERRITORY", "ANYWHERE", "home", "near" };
const char *const feature_words[FEATURES] = { "web_search", "file_search", "code_interpreter", "mcp", "image_generation" };
const char *const attest_words[ATTESTS] = { "c5", "hipaa-baa", "iso27001" };
const char *const class_words[CLASSES] = { "public", "internal", "personal", "secret" };

enum { DE = 1, SE = 2, FR = 4, NL = 8, CH = 32, US = 128, CN = 512, EU = 1 << COUNTRIES, EEA = 2 << COUNTRIES };

uint32_t
random_bit(random_t *r, uint32_t mask)
{
    unsigned n = (unsigned) __builtin_popcount(mask), skip;

    if (n == 0) {
        return 0;
    }
    for (skip = below(r, n); skip > 0; skip--) {
        mask &= mask - 1;
    }
    return mask & -mask;
}

static uint32_t
some_of(random_t *r, unsigned words, unsigned most)
{
    uint32_t mask = 0;

    for (unsigned n = 1 + below(r, most); n > 0; n--) {
        mask |= 1u << below(r, words);
    }
    return mask;
}

uint32_t
some_words(random_t *r, unsigned most)
{
    return some_of(r, COUNTRIES + SETS, most);
}

/* ---- facts ---- */

static evidence_t
evidence(random_t *r)
{
    unsigned roll = below(r, 100);

    return roll < 2 ? EVIDENCE_NONE : roll < 4 ? EVIDENCE_OVER : roll < 7 ? EVIDENCE_TODAY : roll < 12 ? EVIDENCE_SOON
         : roll < 60 ? EVIDENCE_LONG : EVIDENCE_FOR_GOOD;
}

static uint32_t
fact_places(random_t *r)
{
    return chance(r, 4) ? ANYWHERE : chance(r, 12) ? some_words(r, 2) : some_of(r, 8, 2);
}

static store_t
store(random_t *r)
{
    static const int days[] = { -1, 0, 1, 30, 30, 90 };

    if (chance(r, 55)) {
        return (store_t) { STORE_NOTHING, 0, 0 };
    }
    return (store_t) { STORE_SET, fact_places(r), days[below(r, 6)] };
}

static void
common_facts(random_t *r, statements_t *states, unsigned percent)
{
    if (chance(r, percent)) {
        states->store = store(r);
    }
    if (chance(r, percent)) {
        states->home = chance(r, 80) ? some_of(r, 8, 1) : some_of(r, COUNTRIES, 2);
    }
    if (chance(r, percent)) {
        states->training = chance(r, 12) ? TRAINING_YES : TRAINING_NO;
    }
    if (chance(r, percent)) {
        states->attest = some_of(r, ATTESTS, 3);
    }
}

static void
some_features(random_t *r, statements_t *states)
{
    states->features = some_of(r, FEATURES, 4);
    for (unsigned i = 0; i < FEATURES; i++) {
        states->feature[i].process = chance(r, 94) ? some_of(r, 8, 1) : 0;
        states->feature[i].store = chance(r, 94) ? store(r) : (store_t) { STORE_UNSTATED, 0, -1 };
    }
}

static void
every_evidence(random_t *r, statements_t *states)
{
    evidence_t one = evidence(r);

    states->one_evidence = chance(r, 15);
    for (unsigned i = 0; i < FACTS; i++) {
        states->evidence[i] = states->one_evidence ? one : evidence(r);
    }
}

static void
make_deployment(random_t *r, deployment_t *d)
{
    static const uint32_t regions[] = { SE, NL, DE, US, CH, CN };       /* of the names in text.c */
    static const uint32_t skus[] = { 0, 0, 0, US | ANYWHERE, ANYWHERE, 0 };
    static const kind_t   kinds[] = { KIND_OTHER, KIND_OTHER, KIND_SELF, KIND_SELF, KIND_AZURE, KIND_AZURE, KIND_AWS, KIND_AWS_PROFILE };

    d->kind = kinds[below(r, 8)];
    d->region = below(r, 6);
    d->sku = below(r, 6);
    d->country = below(r, 8);
    d->partition_stated = chance(r, 96);
    d->endpoints = d->kind >= KIND_AWS ? 1 : chance(r, 85) ? 7 : 1 + below(r, 7);
    d->serves = chance(r, 75) ? PATTERN_ORG : chance(r, 96) ? 1 + below(r, 63) : 0;
    d->priority = 1 + below(r, 3);
    every_evidence(r, &d->states);
    common_facts(r, &d->states, 96);
    if (d->kind == KIND_OTHER ? chance(r, 95) : chance(r, 15)) {
        d->states.process = fact_places(r);
    }
    if (chance(r, 60)) {
        some_features(r, &d->states);
    }
    if (d->kind == KIND_SELF) {
        d->reach = 1u << d->country;
    } else if (d->kind == KIND_AZURE) {
        d->reach = regions[d->region] | skus[d->sku];
    } else if (d->kind != KIND_OTHER) {
        d->reach = regions[d->region] | (d->kind == KIND_AWS_PROFILE ? DE | SE : 0);
    }
    for (unsigned m = 0; m < MODELS; m++) {
        entry_t *entry = &d->models[m];

        entry->gone = chance(r, m == 0 ? 5 : 30);
        entry->has_price = chance(r, 70);
        entry->price = below(r, 3);
        entry->priority = chance(r, 20) ? 1 + below(r, 3) : 0;
        entry->upstream_is_name = chance(r, 10);
        every_evidence(r, &entry->states);
        if (chance(r, 20)) {
            common_facts(r, &entry->states, 35);
        }
        if (chance(r, 6)) {
            entry->states.process = fact_places(r);
        }
        if (chance(r, 6)) {
            some_features(r, &entry->states);
        }
    }
}

/* ---- rules ---- */

static const deployment_t *
favourite(random_t *r, const world_t *world)
{
    unsigned d = chance(r, 75) ? 0 : below(r, DEPLOYMENTS);

    return &world->deployments[world->deployments[d].gone ? 0 : d];
}

static uint32_t
all_process(const deployment_t *d)
{
    return d->states.process | d->reach | d->models[0].states.process;
}

/* Mostly words that hold the places, at times one less. */
static uint32_t
words_for(random_t *r, const world_t *world, uint32_t places)
{
    uint32_t words = places | (chance(r, 50) ? EEA : 0) | (chance(r, 30) ? some_words(r, 2) : 0);

    if (chance(r, 22)) {
        words &= ~random_bit(r, words);
    }
    if (chance(r, 6)) {
        words |= ANYWHERE;
    }
    for (unsigned i = 0; i < OWN_PLACES; i++) {
        if (world->policy.own[i] && chance(r, 25)) {
            words |= 1u << (COUNTRIES + SETS + i);
        }
    }
    return words ? words : EU;
}

static uint32_t
some_patterns(random_t *r, const world_t *world)
{
    uint32_t mask = 1 + below(r, 63);

    if (world->tenants[1].limits.gone) {
        mask &= ~(uint32_t) (PATTERN_T1 | PATTERN_T1_A0);
    }
    return mask ? mask : PATTERN_ORG;
}

rule_t
make_allow(random_t *r, const world_t *world, uint32_t classes)
{
    const deployment_t *d = favourite(r, world);
    const store_t      *stored = d->models[0].states.store.kind ? &d->models[0].states.store : &d->states.store;
    uint32_t            home = d->models[0].states.home ? d->models[0].states.home : d->states.home;
    uint32_t            attest = d->models[0].states.attest ? d->models[0].states.attest : d->states.attest;
    rule_t              rule = { .classes = classes };

    rule.process = words_for(r, world, all_process(d) | DE | (chance(r, 60) ? US | FR : 0));
    if (stored->kind != STORE_SET && chance(r, 60)) {
        rule.store = (store_t) { STORE_NOTHING, 0, -1 };
    } else {
        rule.store = (store_t) { STORE_SET, words_for(r, world, stored->in | DE | SE), chance(r, 50) ? -1 : stored->days < 0 ? 30 : stored->days };
    }
    if (chance(r, 25)) {
        rule.home = words_for(r, world, home);
    }
    if (chance(r, 20)) {
        rule.partitions = 15 & ~(chance(r, 50) ? 1u << below(r, 4) : 0);
    }
    if (chance(r, 20)) {
        rule.attest = chance(r, 70) ? random_bit(r, attest) : some_of(r, ATTESTS, 2);
    }
    rule.training = chance(r, 40);
    rule.unlisted_accepted = world->lenient && chance(r, 45);
    rule.until = chance(r, 15) ? 1 + below(r, 4) : 0;
    rule.tenants = chance(r, 15) ? some_patterns(r, world) : 0;
    rule.models = chance(r, 15) ? 1 + below(r, 15) : 0;
    return rule;
}

/* The off switch only for a class, a tenant and a model. */
rule_t
make_forbid(random_t *r, const world_t *world, bool guard)
{
    const deployment_t *d = favourite(r, world);
    rule_t              rule = { .store = { STORE_UNSTATED, 0, -1 } };
    bool                touch = chance(r, 35), off_switch = chance(r, 10);

    if (!off_switch) {
        unsigned fact = below(r, 5);

        if (fact == 0 || chance(r, 10)) {
            rule.process = touch ? random_bit(r, all_process(d) | CN) : 1u << (8 + below(r, COUNTRIES + SETS - 9));
        }
        if (fact == 1 || chance(r, 10)) {
            rule.store = (store_t) { STORE_SET, touch ? random_bit(r, d->states.store.in | CN) : 1u << (8 + below(r, 4)), -1 };
        }
        if (fact == 2 || chance(r, 10)) {
            rule.home = touch ? random_bit(r, d->states.home | CN) : 1u << (8 + below(r, 4));
        }
        if (fact == 3) {
            rule.partitions = 1u << below(r, 4);
        }
        rule.training = fact == 4;
    }
    if (!guard && (off_switch || chance(r, 30))) {
        rule.classes = 1u << below(r, world->policy.class_count);
    }
    rule.tenants = chance(r, off_switch ? 70 : 25) ? some_patterns(r, world) : 0;
    rule.models = chance(r, off_switch ? 70 : 25) ? 1 + below(r, 15) : 0;
    return rule;
}

static void
make_policy(random_t *r, world_t *world)
{
    policy_t *policy = &world->policy;

    policy->gone = chance(r, 2);
    policy->applies_to = chance(r, 95) ? PATTERN_ORG : PATTERN_T0;
    policy->class_count = 1 + below(r, CLASSES);
    policy->class_order = below(r, 24);
    policy->default_class = below(r, policy->class_count);
    for (unsigned i = 0; i < OWN_PLACES; i++) {
        policy->own[i] = chance(r, 50) ? some_of(r, 8, 3) | (chance(r, 30) ? EU : 0) : 0;
    }
    for (unsigned i = 0; i < ASSIGNS; i++) {
        policy->assigns[i] = (assign_t) { !chance(r, 15), chance(r, 50) ? PATTERN_T0 : PATTERN_T0_A0 | PATTERN_T0,
            below(r, policy->class_count) };
    }
    policy->label_count = below(r, 3);
    policy->highest = chance(r, 50);
    policy->uninspected = chance(r, 50) ? some_of(r, policy->class_count, 2) : 0;
    for (unsigned i = 0; i < ALLOWS; i++) {
        uint32_t classes = i < policy->class_count ? 1u << i : some_of(r, policy->class_count, 3);

        policy->allows[i] = make_allow(r, world, classes);
        policy->allows[i].gone = i >= policy->class_count + below(r, 3);
    }
    for (unsigned i = 0; i < FORBIDS; i++) {
        policy->forbids[i] = make_forbid(r, world, false);
        policy->forbids[i].gone = i >= 2 || !chance(r, 30);
    }
}

static void
make_limits(random_t *r, const world_t *world, const limits_t *above, limits_t *limits)
{
    if (world->policy.applies_to == PATTERN_ORG && !world->policy.gone && chance(r, 8)) {
        limits->classes = 1u << below(r, world->policy.class_count);
    }
    if (chance(r, 6)) {
        limits->places = all_process(&world->deployments[0]) | DE | EEA;
    }
    if (chance(r, 6)) {
        limits->models = 1 + below(r, 7);
    }
    /* a level below can only narrow */
    if (above != NULL && above->models != 0) {
        limits->models &= above->models;
    }
}

/* ---- requests ---- */

static void
make_request(random_t *r, const world_t *world, request_t *request)
{
    static const char *const labels[] = { "public", "internal", "personal", "secret", "personal, public", "top-secret", "", "Public" };
    static const unsigned    days[] = { 0, 0, 0, 0, 0, 1, 3, 300 };

    request->tenant = world->tenants[1].limits.gone ? 0 : below(r, TENANTS);
    request->app = world->tenants[request->tenant].apps[1].gone ? 0 : below(r, APPS);
    request->node = chance(r, 85) ? 0 : 1;
    request->model = chance(r, 80) ? 0 : 1;
    request->alias = chance(r, 15);
    request->endpoint = chance(r, 88) ? 0 : below(r, 3);
    request->features = chance(r, 70) ? 0 : some_of(r, FEATURES, 2) | (chance(r, 8) ? 1u << FEATURES : 0);
    request->uninspected = chance(r, 20);
    for (unsigned i = 0; i < 2; i++) {
        request->label_sent[i] = chance(r, i == 0 ? 25 : 6);
        snprintf(request->labels[i], sizeof(request->labels[i]), "%s",
            chance(r, 85) ? class_words[below(r, world->policy.class_count)] : labels[below(r, 8)]);
    }
    if (chance(r, 20)) {
        request->places[0] = all_process(favourite(r, world)) | DE | some_words(r, 3);
        request->places[1] = chance(r, 20) ? EEA | some_words(r, 2) : 0;
    }
    request->days = days[below(r, 8)];
}

void
make_world(world_t *world, uint64_t seed, uint64_t number)
{
    random_t r = { seed * 0x9e3779b97f4a7c15ull ^ number * 0xd1342543de82ef95ull };

    random_next(&r);
    memset(world, 0, sizeof(*world));
    world->seed = seed;
    world->number = number;
    world->fleet_in_two = chance(&r, 20);
    world->lenient = chance(&r, 40);
    for (unsigned d = 0; d < DEPLOYMENTS; d++) {
        make_deployment(&r, &world->deployments[d]);
        world->deployments[d].gone = d > 0 && !chance(&r, 55);
    }
    world->tenants[1].limits.gone = chance(&r, 40);
    for (unsigned t = 0; t < TENANTS; t++) {
        world->tenants[t].apps[1].gone = chance(&r, 60);
    }
    make_policy(&r, world);
    for (unsigned g = 0; g < GUARDS; g++) {
        guard_t *guard = &world->guards[g];

        guard->gone = !chance(&r, g == GUARDS - 1 ? 0 : 15);
        guard->applies_to = chance(&r, 80) ? PATTERN_ORG : PATTERN_T0;
        for (unsigned f = 0; f < FORBIDS; f++) {
            guard->forbids[f] = make_forbid(&r, world, true);
            guard->forbids[f].gone = f >= 1 + below(&r, 2);
        }
    }
    make_limits(&r, world, NULL, &world->organisation);
    for (unsigned t = 0; t < TENANTS; t++) {
        make_limits(&r, world, &world->organisation, &world->tenants[t].limits);
        for (unsigned a = 0; a < APPS; a++) {
            make_limits(&r, world, world->tenants[t].limits.models != 0 ? &world->tenants[t].limits : &world->organisation, &world->tenants[t].apps[a]);
        }
    }
    for (unsigned i = 0; i < REQUESTS; i++) {
        make_request(&r, world, &world->requests[i]);
    }
}

unsigned
gone_flags(world_t *world, bool *flags[GONE_MAX])
{
    unsigned n = 0;

    for (unsigned d = 0; d < DEPLOYMENTS; d++) {
        flags[n++] = &world->deployments[d].gone;
    }
    for (unsigned d = 0; d < DEPLOYMENTS; d++) {
        for (unsigned m = 0; m < MODELS; m++) {
            flags[n++] = &world->deployments[d].models[m].gone;
        }
    }
    for (unsigned g = 0; g < GUARDS; g++) {
        flags[n++] = &world->guards[g].gone;
        for (unsigned f = 0; f < FORBIDS; f++) {
            flags[n++] = &world->guards[g].forbids[f].gone;
        }
    }
    for (unsigned i = 0; i < ALLOWS; i++) {
        flags[n++] = &world->policy.allows[i].gone;
    }
    for (unsigned i = 0; i < FORBIDS; i++) {
        flags[n++] = &world->policy.forbids[i].gone;
    }
    for (unsigned i = 0; i < ASSIGNS; i++) {
        flags[n++] = &world->policy.assigns[i].gone;
    }
    for (unsigned t = 0; t < TENANTS; t++) {
        flags[n++] = &world->tenants[t].limits.gone;
        for (unsigned a = 0; a < APPS; a++) {
            flags[n++] = &world->tenants[t].apps[a].gone;
        }
    }
    for (unsigned i = 0; i < REQUESTS; i++) {
        flags[n++] = &world->requests[i].gone;
    }
    return n;
}
