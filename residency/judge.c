/*
 * Every comparison of residency policy is here, and nothing else compares. An empty set of places that is not "nothing" is
 * never built by the loader; should a damaged image hold one, it is judged as unknown.
 */
#include "residency/judge.h"

#include <string.h>

static bool
known(gh_places_t places)
{
    return !gh_places_empty(places) && !gh_places_has_unknown(places);
}

static bool
inside(gh_places_t places, gh_places_t within)
{
    return known(places) && gh_places_inside(places, within);
}

static bool
touched(gh_places_t places, gh_places_t by)
{
    return !known(places) || gh_places_touch(places, by);
}

static uint32_t
store_misses(const gh_rule_t *rule, const gh_judged_facts_t *facts)
{
    uint32_t misses = 0;

    if (facts->store_nothing) {
        return 0;
    }
    if (rule->states & GH_STATES_STORE_NOTHING) {
        return GH_MISS_STORE;
    }
    if (!inside(facts->store, rule->store)) {
        misses |= GH_MISS_STORE;
    }
    if ((rule->states & GH_STATES_MAX_DAYS) && !(facts->store_days_known && facts->store_days <= rule->max_days)) {
        misses |= GH_MISS_STORE_DAYS;
    }
    return misses;
}

uint32_t
gh_rule_allow_misses(const gh_rule_t *rule, const gh_judged_facts_t *facts, uint64_t now_ms)
{
    uint32_t misses = 0;

    if ((rule->states & GH_STATES_PROCESS) && !inside(facts->process, rule->process)) {
        misses |= GH_MISS_PROCESS;
    }
    if (rule->states & (GH_STATES_STORE | GH_STATES_STORE_NOTHING)) {
        misses |= store_misses(rule, facts);
    }
    if ((rule->states & GH_STATES_OPERATOR_HOME) && !inside(facts->operator_home, rule->operator_home)) {
        misses |= GH_MISS_OPERATOR_HOME;
    }
    if ((rule->states & GH_STATES_PARTITIONS)
        && !(facts->partition_known && (facts->partition_bit & rule->partition_mask)))
    {
        misses |= GH_MISS_PARTITION;
    }
    if ((rule->states & GH_STATES_ATTEST) && (rule->attest_mask & ~facts->attest_mask)) {
        misses |= GH_MISS_ATTEST;
    }
    if (!(rule->states & GH_STATES_TRAINING) && facts->training != GH_TRAINING_NO) {
        misses |= GH_MISS_TRAINING;
    }
    if ((rule->states & GH_STATES_UNTIL) && now_ms >= rule->until_ms) {
        misses |= GH_MISS_UNTIL;
    }
    return misses;
}

bool
gh_rule_forbid_fires(const gh_rule_t *rule, const gh_judged_facts_t *facts)
{
    const uint32_t any = GH_STATES_PROCESS | GH_STATES_STORE | GH_STATES_OPERATOR_HOME | GH_STATES_PARTITIONS
                         | GH_STATES_TRAINING;

    if (!(rule->states & any)) {
        return true;
    }
    if ((rule->states & GH_STATES_PROCESS) && touched(facts->process, rule->process)) {
        return true;
    }
    if ((rule->states & GH_STATES_STORE) && !facts->store_nothing && touched(facts->store, rule->store)) {
        return true;
    }
    if ((rule->states & GH_STATES_OPERATOR_HOME) && touched(facts->operator_home, rule->operator_home)) {
        return true;
    }
    if ((rule->states & GH_STATES_PARTITIONS)
        && (!facts->partition_known || (facts->partition_bit & rule->partition_mask)))
    {
        return true;
    }
    return (rule->states & GH_STATES_TRAINING) && facts->training != GH_TRAINING_NO;
}

void
gh_judged_add_feature(gh_judged_facts_t *facts, gh_places_t process, gh_places_t store, bool store_nothing,
    bool store_days_known, uint32_t store_days)
{
    facts->process = gh_places_union(facts->process, process);

    if (store_nothing) {
        return;
    }
    if (facts->store_nothing) {
        facts->store = store;
        facts->store_days_known = store_days_known;
        facts->store_days = store_days;
    } else {
        bool unknown = !known(facts->store) || !known(store);

        facts->store = unknown ? gh_places_unknown() : gh_places_union(facts->store, store);
        facts->store_days_known = facts->store_days_known && store_days_known;
        facts->store_days = facts->store_days > store_days ? facts->store_days : store_days;
    }
    facts->store_nothing = false;
}

void
gh_judged_add_unlisted(gh_judged_facts_t *facts)
{
    facts->process = gh_places_unknown();
    facts->store = gh_places_unknown();
    facts->store_nothing = false;
    facts->store_days_known = false;
    facts->store_days = 0;
}

bool
gh_pattern_covers(gh_str_t pattern, gh_str_t name)
{
    if (pattern.len == 0) {
        return false;
    }
    if (pattern.data[pattern.len - 1] == '*') {
        return name.len >= pattern.len - 1 && memcmp(name.data, pattern.data, pattern.len - 1) == 0;
    }
    if (name.len < pattern.len || memcmp(name.data, pattern.data, pattern.len) != 0) {
        return false;
    }
    return name.len == pattern.len || name.data[pattern.len] == '/';
}

bool
gh_pattern_permits(gh_str_t pattern, gh_str_t model)
{
    return gh_pattern_covers(pattern, model) && (pattern.data[pattern.len - 1] == '*' || pattern.len == model.len);
}

bool
gh_rule_names(uint8_t kind, gh_str_t pattern, gh_str_t model)
{
    return kind == GH_RULE_FORBID ? gh_pattern_covers(pattern, model) : gh_pattern_permits(pattern, model);
}
