/* One target: its facts as this request would use it, and the rules held against them. */
#include "policy/decide/decide_internal.h"

#include <string.h>

static void
valid_until(gh_deciding_t *d, uint64_t instant_ms)
{
    if (instant_ms > d->now_ms && instant_ms < d->decision->valid_until_ms) {
        d->decision->valid_until_ms = instant_ms;
    }
}

/* Has the evidence of a fact ended? */
static bool
ended(gh_deciding_t *d, uint64_t until_ms)
{
    valid_until(d, until_ms);
    return until_ms != 0 && d->now_ms >= until_ms;
}

bool
gh_decide_covers(const gh_deciding_t *d, gh_range_t patterns)
{
    for (uint32_t i = 0; i < patterns.count; i++) {
        uint32_t number = d->image->patterns_index->number[patterns.first + i];

        if (d->covering[number / 64] >> number % 64 & 1) {
            return true;
        }
    }
    return false;
}

static bool
tenants_match(const gh_deciding_t *d, const gh_rule_t *rule)
{
    return !(rule->states & GH_STATES_TENANTS)
        || gh_decide_covers(d, (gh_range_t) { rule->tenants_first, rule->tenants_count });
}

static void
gather_rules(gh_deciding_t *d, const gh_image_policy_t *policy)
{
    for (uint32_t i = 0; i < policy->rules.count; i++) {
        const gh_rule_t *rule = &d->image->rules[policy->rules.first + i];

        if (!tenants_match(d, rule)) {
            continue;
        }
        if (rule->kind == GH_RULE_ALLOW) {
            if (rule->class_mask & d->class_mask) {
                d->allows[d->allow_count++] = rule;
            }
        } else if (!(rule->states & GH_STATES_CLASSES) || policy->guard || (rule->class_mask & d->class_mask)) {
            d->forbids[d->forbid_count++] = rule;
        }
        if (rule->states & GH_STATES_UNTIL) {
            valid_until(d, rule->until_ms);
        }
    }
}

/* A guard above the caller, by its place in the list of guards; NULL: it is about others. */
static const gh_image_policy_t *
guard_above(const gh_deciding_t *d, uint32_t guard)
{
    const gh_image_policy_t *policy = &d->image->policies[d->image->patterns_index->guards[guard]];

    return gh_decide_covers(d, policy->applies_to) ? policy : NULL;
}

int
gh_decide_rules(gh_deciding_t *d)
{
    uint32_t count = d->policy->rules.count, guards = d->image->patterns_index->guard_count;

    d->covering = gh_arena_array(d->arena, d->image->patterns_index->count / 64 + 1, sizeof(*d->covering));
    if (d->covering == NULL) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < d->pattern_count; i++) {
        d->covering[d->patterns[i] / 64] |= (uint64_t) 1 << d->patterns[i] % 64;
    }
    for (uint32_t i = 0; i < guards; i++) {
        const gh_image_policy_t *guard = guard_above(d, i);

        count += guard == NULL ? 0 : guard->rules.count;
    }
    d->forbids = gh_arena_array(d->arena, count, sizeof(*d->forbids));
    d->allows = gh_arena_array(d->arena, count, sizeof(*d->allows));
    if (d->forbids == NULL || d->allows == NULL) {
        return GH_ERROR;
    }
    gather_rules(d, d->policy);
    for (uint32_t i = 0; i < guards; i++) {
        const gh_image_policy_t *guard = guard_above(d, i);

        if (guard != NULL) {
            gather_rules(d, guard);
        }
    }
    return GH_OK;
}

static const gh_image_feature_t *
listed_feature(const gh_image_t *image, const gh_image_target_t *target, gh_str_t name)
{
    for (uint32_t i = 0; i < target->features.count; i++) {
        const gh_image_feature_t *feature = &image->features[target->features.first + i];

        if (gh_str_eq(gh_image_str(image, feature->name), name)) {
            return feature;
        }
    }
    return NULL;
}

static void
add_features(gh_deciding_t *d, const gh_image_target_t *target, gh_judged_target_t *judged)
{
    const gh_intake_t *intake = d->input->intake;

    for (uint32_t i = 0; i < intake->feature_count && i < GH_FEATURES_MAX; i++) {
        const gh_image_feature_t *feature = NULL;

        if (judged->left_out && i + 1 == intake->by_default) {
            continue;
        }
        if (intake->features[i].name.len > 0) {
            feature = listed_feature(d->image, target, intake->features[i].name);
        }
        if (feature == NULL) {
            if (judged->unlisted == NULL) {
                judged->unlisted = &intake->features[i];
            }
        } else if (ended(d, feature->until_ms)) {
            gh_judged_add_feature(&judged->facts, gh_places_unknown(), gh_places_unknown(), false, false, 0);
        } else {
            gh_judged_add_feature(&judged->facts, feature->process, feature->store, feature->store_nothing,
                feature->store_days_known, feature->store_days);
        }
    }
}

void
gh_decide_facts(gh_deciding_t *d, const gh_image_target_t *target, gh_judged_target_t *judged)
{
    gh_judged_facts_t *facts = &judged->facts;

    facts->process = ended(d, target->until.process) ? gh_places_unknown() : target->process;
    gh_places_add(&facts->process, d->node_country);
    if (ended(d, target->until.store)) {
        facts->store = gh_places_unknown();
    } else {
        facts->store = target->store;
        facts->store_nothing = target->store_nothing;
        facts->store_days_known = target->store_days_known;
        facts->store_days = target->store_days;
    }
    facts->operator_home = ended(d, target->until.operator_home) ? gh_places_unknown() : target->operator_home;
    facts->partition_known = target->partition >= 0;
    facts->partition_bit = target->partition >= 0 ? (uint64_t) 1 << target->partition : 0;
    facts->attest_mask = ended(d, target->until.attest) ? 0 : target->attest_mask;
    facts->training = ended(d, target->until.training) ? GH_TRAINING_UNKNOWN : target->training;
    add_features(d, target, judged);
}

/*
 * With an unlisted feature process and store are unknown, so no allow fits; one that accepts unlisted features judges without them. Said
 * as a miss of its own, which is what has to change.
 */
static uint32_t
allow_misses(const gh_deciding_t *d, const gh_rule_t *rule, const gh_judged_target_t *judged)
{
    uint32_t misses = gh_rule_allow_misses(rule, &judged->facts, d->now_ms);

    if (judged->unlisted != NULL && !(rule->states & GH_STATES_UNLISTED_OK)) {
        misses |= GH_MISS_FEATURES;
    }
    return misses;
}

const gh_rule_t *
gh_decide_allow(const gh_deciding_t *d, const gh_image_target_t *target, const gh_judged_target_t *judged,
    uint32_t class_number, uint32_t *misses)
{
    const gh_rule_t *best = NULL;

    *misses = 0;
    for (uint32_t i = 0; i < d->allow_count; i++) {
        const gh_rule_t *rule = d->allows[i];
        uint32_t         missed;

        if (!(rule->class_mask >> class_number & 1) || !gh_image_rule_names(d->image, rule, target)) {
            continue;
        }
        missed = allow_misses(d, rule, judged);
        if (best == NULL || __builtin_popcount(missed) < __builtin_popcount(*misses)) {
            best = rule;
            *misses = missed;
            if (missed == GH_FITS) {
                return best;
            }
        }
    }
    return best;
}

/* The places that make it so, for people. */
static gh_places_t
places_missed(const gh_rule_t *rule, uint32_t misses, const gh_judged_facts_t *facts)
{
    if (misses & GH_MISS_PROCESS) {
        return gh_places_minus(facts->process, rule->process);
    }
    if (misses & GH_MISS_STORE) {
        return rule->states & GH_STATES_STORE_NOTHING ? facts->store : gh_places_minus(facts->store, rule->store);
    }
    if (misses & GH_MISS_OPERATOR_HOME) {
        return gh_places_minus(facts->operator_home, rule->operator_home);
    }
    return gh_places_none();
}

static gh_places_t
places_touched(const gh_rule_t *rule, const gh_judged_facts_t *facts)
{
    const struct { uint32_t states; gh_places_t fact, rule; } sides[] = {
        { GH_STATES_PROCESS, facts->process, rule->process },
        { GH_STATES_STORE, facts->store, rule->store },
        { GH_STATES_OPERATOR_HOME, facts->operator_home, rule->operator_home },
    };

    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        if (!(rule->states & sides[i].states)) {
            continue;
        }
        if (gh_places_has_unknown(sides[i].fact)) {
            return gh_places_unknown();
        }
        if (gh_places_touch(sides[i].fact, sides[i].rule)) {
            return gh_places_intersect(sides[i].fact, sides[i].rule);
        }
    }
    return gh_places_none();
}

static int32_t
rule_index(const gh_deciding_t *d, const gh_rule_t *rule)
{
    return rule == NULL ? -1 : (int32_t) (rule - d->image->rules);
}

static gh_str_t
unlisted_name(const gh_judged_target_t *judged)
{
    if (judged->unlisted == NULL) {
        return GH_STR("");
    }
    return judged->unlisted->name.len > 0 ? judged->unlisted->name : judged->unlisted->where;
}

/* Forbids and narrowings never accept an unlisted feature: for them process and store are unknown with one. */
static bool
taken_away(gh_deciding_t *d, const gh_image_target_t *target, const gh_judged_target_t *judged, const gh_judged_facts_t *worst,
    gh_target_verdict_t *verdict)
{
    for (uint32_t i = 0; i < d->forbid_count; i++) {
        const gh_rule_t *rule = d->forbids[i];

        if (gh_image_rule_names(d->image, rule, target) && gh_rule_forbid_fires(rule, worst)) {
            verdict->code = GH_TARGET_FORBIDDEN;
            verdict->rule = rule_index(d, rule);
            verdict->places = places_touched(rule, worst);
            if (!gh_rule_forbid_fires(rule, &judged->facts)) {
                verdict->feature = unlisted_name(judged);
            }
            return true;
        }
    }
    return false;
}

static bool
every_class_allowed(gh_deciding_t *d, const gh_image_target_t *target, const gh_judged_target_t *judged,
    gh_target_verdict_t *verdict)
{
    for (uint32_t i = 0; i < d->decision->class_count; i++) {
        uint32_t         misses;
        const gh_rule_t *rule = gh_decide_allow(d, target, judged, d->class_number[i], &misses);

        if (rule == NULL || misses != GH_FITS) {
            verdict->code = GH_TARGET_NO_ALLOW;
            verdict->rule = rule_index(d, rule);
            verdict->misses = misses;
            verdict->class_index = (uint8_t) i;
            if (rule != NULL) {
                verdict->places = places_missed(rule, misses, &judged->facts);
            }
            if (misses & GH_MISS_FEATURES) {
                verdict->feature = unlisted_name(judged);
            }
            return false;
        }
        verdict->fits[i] = rule_index(d, rule);
        if (rule->states & GH_STATES_STORE_NOTHING) {
            verdict->store_false = true;
        }
    }
    return true;
}

static bool
inside_narrowing(gh_deciding_t *d, const gh_judged_target_t *judged, const gh_judged_facts_t *worst, gh_target_verdict_t *verdict)
{
    gh_places_t outside, listed;

    if (!d->narrowed) {
        return true;
    }
    outside = gh_places_minus(gh_places_union(worst->process, worst->store), d->narrow);
    if (gh_places_empty(outside)) {
        return true;
    }
    listed = gh_places_minus(gh_places_union(judged->facts.process, judged->facts.store), d->narrow);
    if (gh_places_empty(listed)) {
        verdict->feature = unlisted_name(judged);
    }
    verdict->code = GH_TARGET_NARROWED;
    verdict->places = outside;
    return false;
}

/* By what it may be used for. */
static void
judge_target(gh_deciding_t *d, const gh_image_target_t *target, gh_judged_target_t *judged, gh_target_verdict_t *verdict)
{
    gh_judged_facts_t worst;

    verdict->rule = -1;
    memset(verdict->fits, 0xff, d->decision->class_count * sizeof(*verdict->fits));   /* -1 */
    verdict->feature = GH_STR("");
    verdict->misses = 0;
    verdict->places = gh_places_none();
    gh_decide_facts(d, target, judged);
    worst = judged->facts;
    if (judged->unlisted != NULL) {
        gh_judged_add_unlisted(&worst);
    }
    if (taken_away(d, target, judged, &worst, verdict) || !every_class_allowed(d, target, judged, verdict)
        || !inside_narrowing(d, judged, &worst, verdict))
    {
        verdict->store_false = false;
        return;
    }
    verdict->code = GH_TARGET_ELIGIBLE;
}

/* What is kept is asked for in the words it was made with, or not at all. */
static bool
serves(const gh_intake_t *intake, uint32_t offered)
{
    return intake->operation == GH_OPERATION_CREATE ? gh_endpoint_served(offered, intake->endpoint) : offered >> intake->endpoint & 1;
}

void
gh_decide_target(gh_deciding_t *d, uint32_t index)
{
    gh_target_verdict_t     *verdict = &d->decision->targets[index];
    const gh_image_target_t *target = &d->image->targets[verdict->target];
    gh_judged_target_t      *judged = &d->judged[index];

    verdict->rule = -1;
    memset(verdict->fits, 0xff, d->decision->class_count * sizeof(*verdict->fits));   /* -1 */
    verdict->feature = GH_STR("");
    if (!gh_decide_covers(d, target->serves)) {
        verdict->code = GH_TARGET_NOT_SERVED;
        return;
    }
    if (!serves(d->input->intake, target->endpoints)) {
        verdict->code = GH_TARGET_ENDPOINT;
        return;
    }
    judge_target(d, target, judged, verdict);
    if (verdict->code != GH_TARGET_ELIGIBLE && d->input->intake->by_default != 0) {
        memset(judged, 0, sizeof(*judged));
        judged->left_out = true;
        judge_target(d, target, judged, verdict);
        verdict->store_false |= verdict->code == GH_TARGET_ELIGIBLE;
    }
}
