/* From statements and the facts artefact to the facts of one target: of two sources, the wider one counts. */
#include "policy/document/fleet_facts.h"

gh_statements_t
gh_statements_merge(const gh_statements_t *deployment, const gh_statements_t *entry)
{
    gh_statements_t out = *deployment;

    for (int fact = 0; fact < GH_FACTS; fact++) {
        if (entry->facts[fact].stated) {
            out.facts[fact] = entry->facts[fact];
        }
    }
    if (entry->facts[GH_FACT_STORE].stated) {
        out.store = entry->store;
    }
    if (entry->facts[GH_FACT_ATTEST].stated) {
        out.attest_mask = entry->attest_mask;
    }
    if (entry->facts[GH_FACT_TRAINING].stated) {
        out.training = entry->training;
    }
    if (entry->facts[GH_FACT_FEATURES].stated) {
        out.features = entry->features;
        out.feature_count = entry->feature_count;
    }
    return out;
}

/* Over every artefact in use: the strictest rule, the union of the places. */
static gh_process_rule_t
derive(gh_loader_t *loader, const gh_facts_query_t *query, gh_places_t *places, gh_str_t *why)
{
    gh_process_rule_t strictest = GH_PROCESS_DERIVED;

    *places = gh_places_none();
    *why = (gh_str_t) { "", 0 };

    for (size_t i = 0; i < loader->facts_count; i++) {
        gh_places_t       one;
        gh_process_rule_t rule = gh_facts_process(loader->facts[i], query, &one);

        *places = gh_places_union(*places, one);
        if (rule > strictest) {
            strictest = rule;
            *why = gh_facts_process_why(loader->arena, loader->facts[i], query);
        }
    }
    return strictest;
}

static void
sooner(uint64_t *until_ms, uint64_t other)
{
    if (other != 0 && (*until_ms == 0 || other < *until_ms)) {
        *until_ms = other;
    }
}

static void
resolve_process(gh_loader_t *loader, const gh_statements_t *stated, const gh_facts_query_t *query,
    gh_model_target_t *target, gh_str_t *why)
{
    static const gh_fact_t sources[] = { GH_FACT_PROCESS, GH_FACT_COUNTRY, GH_FACT_DESTINATIONS };
    gh_process_rule_t      rule = derive(loader, query, &target->process, why);
    bool                   any = false, known = true;

    if (rule == GH_PROCESS_UNKNOWN) {
        target->process = gh_places_unknown();
        return;
    }
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        const gh_statement_t *statement = &stated->facts[sources[i]];

        if (!statement->stated) {
            continue;
        }
        any = true;
        known = known && statement->known;
        target->process = gh_places_union(target->process, statement->places);
        sooner(&target->process_until_ms, statement->until_ms);
    }
    if (any) {
        *why = (gh_str_t) { "", 0 };
    }
    if (!known || (rule == GH_PROCESS_STATE && !any)) {
        target->process = gh_places_unknown();
        target->process_until_ms = 0;
    }
}

void
gh_statements_resolve(gh_loader_t *loader, const gh_statements_t *stated, const gh_facts_query_t *query,
    gh_model_target_t *target, gh_str_t *why)
{
    const gh_statement_t *facts = stated->facts;

    resolve_process(loader, stated, query, target, why);

    target->store = (gh_model_store_t) { .places = gh_places_unknown() };
    if (facts[GH_FACT_STORE].known) {
        target->store = stated->store;
        target->store_until_ms = facts[GH_FACT_STORE].until_ms;
    }
    target->operator_home = gh_places_unknown();
    if (facts[GH_FACT_OPERATOR_HOME].known) {
        target->operator_home = facts[GH_FACT_OPERATOR_HOME].places;
        target->operator_home_until_ms = facts[GH_FACT_OPERATOR_HOME].until_ms;
    }
    if (facts[GH_FACT_ATTEST].known) {
        target->attest_mask = stated->attest_mask;
        target->attest_until_ms = facts[GH_FACT_ATTEST].until_ms;
    }
    target->training = GH_TRAINING_UNKNOWN;
    if (facts[GH_FACT_TRAINING].known) {
        target->training = stated->training;
        target->training_until_ms = facts[GH_FACT_TRAINING].until_ms;
    }
    target->features = gh_arena_array(loader->arena, stated->feature_count, sizeof(*target->features));
    if (target->features == NULL) {
        loader->report->no_memory = 1;
        return;
    }
    target->feature_count = stated->feature_count;
    for (uint32_t i = 0; i < stated->feature_count; i++) {
        target->features[i] = stated->features[i];
        target->features[i].until_ms = facts[GH_FACT_FEATURES].until_ms;
        if (!facts[GH_FACT_FEATURES].known) {
            target->features[i].process = gh_places_unknown();
            target->features[i].store = (gh_model_store_t) { .places = gh_places_unknown() };
        }
    }
}
