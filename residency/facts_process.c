/*
 * What the artefact says of processing, provider by provider. Whatever is not clearly derivable must be stated, and
 * whatever cannot even be stated soundly is unknown.
 */
#include <string.h>

#include "residency/facts_private.h"

typedef enum {
    WHY_DERIVED,
    WHY_REGION,
    WHY_SKU,
    WHY_ZONE,
    WHY_SELLER,
    WHY_SELLER_UNKNOWN,
    WHY_ARN,
    WHY_PROFILE,
    WHY_MODEL_ID,
    WHY_HOST,
    WHY_SELF,
    WHY_PROVIDER
} why_t;

typedef struct {
    gh_process_rule_t rule;
    gh_places_t       places;
    why_t             why;
} answer_t;

static answer_t
unknown(why_t why)
{
    return (answer_t) { GH_PROCESS_UNKNOWN, gh_places_unknown(), why };
}

/* country: the region's, or -1 where no region counts. why: of a row that must be stated. */
static answer_t
apply_row(const gh_facts_row_t *row, int country, why_t why)
{
    gh_places_t home = gh_places_none();

    if (country >= 0) {
        gh_places_add(&home, country);
    }
    switch (row->process) {
    case DO_REGION:
        return country >= 0 ? (answer_t) { GH_PROCESS_DERIVED, home, WHY_DERIVED } : unknown(WHY_REGION);
    case DO_ANY:
    case DO_PLACES:
        return (answer_t) { GH_PROCESS_DERIVED, row->places, WHY_DERIVED };
    case DO_STATE:
        return (answer_t) { GH_PROCESS_STATE, home, why };
    case DO_UNKNOWN:
        break;
    }
    return unknown(why);
}

static answer_t
azure(const gh_facts_t *facts, const gh_facts_query_t *query)
{
    answer_t    answer = unknown(WHY_SKU);
    gh_places_t home = gh_places_none();
    int         country;
    bool        seller_known = false;

    if (!gh_facts_region(facts, query->provider, query->region, &country, NULL)) {
        return unknown(WHY_REGION);
    }
    gh_places_add(&home, country);

    for (size_t i = facts->row_count; i-- > 0;) {   /* the first matching row is written last */
        const gh_facts_row_t *row = &facts->rows[i];

        if (!gh_str_is(row->provider, "azure")) {
            continue;
        }
        if (row->seller.len != 0) {
            seller_known |= gh_str_eq(row->seller, query->seller);
        } else if (gh_facts_contains(row->skus, query->sku)
                   && (!row->limited || gh_places_inside(home, row->region_in))) {
            answer = apply_row(row, country, WHY_ZONE);
        }
    }
    if (query->seller.len != 0 && answer.rule != GH_PROCESS_UNKNOWN) {
        if (!seller_known) {
            return unknown(WHY_SELLER_UNKNOWN);
        }
        answer.rule = GH_PROCESS_STATE;
        answer.why = WHY_SELLER;
    }
    return answer;
}

/* The part of s before its first dot, the dot excluded; empty when there is none. */
static gh_str_t
label(gh_str_t s)
{
    const char *dot = s.len ? memchr(s.data, '.', s.len) : NULL;

    return (gh_str_t) { s.data, dot ? (size_t) (dot - s.data) : 0 };
}

static const gh_facts_row_t *
bedrock_row(const gh_facts_t *facts, gh_str_t vendor, gh_str_t profile, bool arn)
{
    for (size_t i = 0; i < facts->row_count; i++) {
        const gh_facts_row_t *row = &facts->rows[i];

        if (gh_str_is(row->provider, "aws-bedrock")
            && ((vendor.len && gh_facts_contains(row->vendors, vendor))
                || (profile.len && gh_str_eq(row->profile, profile)) || (arn && row->arn))) {
            return row;
        }
    }
    return NULL;
}

gh_str_t
gh_facts_profile(const gh_facts_t *facts, gh_str_t upstream)
{
    gh_str_t first = label(upstream), none = { "", 0 }, profile = { upstream.data, first.len + 1 };
    gh_str_t rest;

    if (first.len == 0 || bedrock_row(facts, first, none, false) != NULL) {
        return none;
    }
    if (bedrock_row(facts, none, profile, false) != NULL) {
        return profile;
    }
    rest = (gh_str_t) { upstream.data + profile.len, upstream.len - profile.len };
    return bedrock_row(facts, label(rest), none, false) != NULL ? profile : none;
}

static answer_t
bedrock(const gh_facts_t *facts, const gh_facts_query_t *query)
{
    const gh_str_t none = { "", 0 };
    gh_str_t       profile = query->profile;
    const gh_facts_row_t   *row;
    gh_places_t    home = gh_places_none();
    int            country;

    if (gh_str_starts(query->upstream, GH_STR("arn:"))) {
        row = bedrock_row(facts, none, none, true);
        return row ? apply_row(row, -1, WHY_ARN) : unknown(WHY_ARN);
    }
    if (!gh_facts_region(facts, query->provider, query->region, &country, NULL)) {
        return unknown(WHY_REGION);
    }
    if (profile.len == 0) {
        profile = gh_facts_profile(facts, query->upstream);
    }
    if (profile.len != 0) {
        row = bedrock_row(facts, none, profile, false);
        if (row == NULL) {
            gh_places_add(&home, country);
            return (answer_t) { GH_PROCESS_STATE, home, WHY_PROFILE };
        }
        return apply_row(row, country, WHY_PROFILE);
    }
    row = bedrock_row(facts, label(query->upstream), none, false);
    return row ? apply_row(row, country, WHY_MODEL_ID) : unknown(WHY_MODEL_ID);
}

/* openai by host, anthropic by inference_geo, self by its one row. */
static answer_t
by_key(const gh_facts_t *facts, const gh_facts_query_t *query, why_t why)
{
    for (size_t i = 0; i < facts->row_count; i++) {
        const gh_facts_row_t *row = &facts->rows[i];

        if (!gh_str_eq(row->provider, query->provider)) {
            continue;
        }
        if (row->host.len != 0 && !gh_str_is(row->host, "*") && !gh_str_eq(row->host, query->host)) {
            continue;
        }
        if (row->inference_geo.len != 0 && !gh_str_is(row->inference_geo, "*") && !gh_str_eq(row->inference_geo, query->inference_geo)) {
            continue;
        }
        return apply_row(row, -1, why);
    }
    return unknown(WHY_PROVIDER);
}

static answer_t
answer(const gh_facts_t *facts, const gh_facts_query_t *query)
{
    if (gh_str_is(query->provider, "azure")) {
        return azure(facts, query);
    }
    if (gh_str_is(query->provider, "aws")) {
        return bedrock(facts, query);
    }
    if (gh_str_is(query->provider, "openai")) {
        return by_key(facts, query, WHY_HOST);
    }
    if (gh_str_is(query->provider, "self")) {
        answer_t self = by_key(facts, query, WHY_SELF);
        int      country = gh_country_index(query->country);

        if (self.rule == GH_PROCESS_STATE && country >= 0) {
            gh_places_add(&self.places, country);
        }
        return self;
    }
    if (gh_str_is(query->provider, "other")) {
        return (answer_t) { GH_PROCESS_STATE, gh_places_none(), WHY_PROVIDER };
    }
    return by_key(facts, query, WHY_PROVIDER);
}

gh_process_rule_t
gh_facts_process(const gh_facts_t *facts, const gh_facts_query_t *query, gh_places_t *places)
{
    answer_t a = answer(facts, query);

    *places = a.places;
    return a.rule;
}

size_t
gh_facts_inference_geos(const gh_facts_t *facts, gh_str_t *names, size_t size)
{
    size_t count = 0;

    for (size_t i = 0; i < facts->row_count && count < size; i++) {
        if (facts->rows[i].inference_geo.len != 0 && !gh_str_is(facts->rows[i].inference_geo, "*")) {
            names[count++] = facts->rows[i].inference_geo;
        }
    }
    return count;
}

gh_str_t
gh_facts_nearest_region(gh_arena_t *arena, const gh_facts_t *facts, gh_str_t provider, gh_str_t region)
{
    gh_str_t *names = gh_arena_array(arena, facts->region_count, sizeof(gh_str_t));
    size_t    count = 0;

    for (size_t i = 0; names && i < facts->region_count; i++) {
        if (facts->regions[i].usable && gh_str_eq(facts->regions[i].provider, provider)) {
            names[count++] = facts->regions[i].id;
        }
    }
    return gh_str_nearest(region, names, count);
}

static gh_str_t
nearest_sku(const gh_facts_t *facts, gh_str_t sku)
{
    gh_str_t names[64];
    size_t   count = 0;

    for (size_t i = 0; i < facts->row_count; i++) {
        const gh_node_t *node = facts->rows[i].skus ? facts->rows[i].skus->first : NULL;

        for (; node && count < 64; node = node->next) {
            names[count++] = node->text;
        }
    }
    return gh_str_nearest(sku, names, count);
}

static gh_str_t
not_in(gh_arena_t *arena, const gh_facts_t *facts, const char *what, gh_str_t word, gh_str_t near)
{
    if (word.len == 0) {
        return gh_str_format(arena, "it has no %s", what);
    }
    if (near.len == 0 || gh_str_eq(near, word)) {
        return gh_str_format(arena, "%s \"%.*s\" is not in %.*s", what, GH_STR_ARG(word), GH_STR_ARG(facts->name));
    }
    return gh_str_format(arena, "%s \"%.*s\" is not in %.*s; did you mean \"%.*s\"?", what, GH_STR_ARG(word),
                         GH_STR_ARG(facts->name), GH_STR_ARG(near));
}

gh_str_t
gh_facts_process_why(gh_arena_t *arena, const gh_facts_t *facts, const gh_facts_query_t *query)
{
    gh_str_t profile = query->profile.len ? query->profile : gh_facts_profile(facts, query->upstream);

    switch (answer(facts, query).why) {
    case WHY_DERIVED:
        break;
    case WHY_REGION:
        return not_in(
            arena, facts, "region", query->region, gh_facts_nearest_region(arena, facts, query->provider, query->region));
    case WHY_SKU:
        return not_in(arena, facts, "sku", query->sku, nearest_sku(facts, query->sku));
    case WHY_ZONE:
        return gh_str_format(
            arena, "the data zone of region \"%.*s\" is not published and must be stated", GH_STR_ARG(query->region));
    case WHY_SELLER:
        return GH_STR("Claude in Foundry is run by its seller and may leave Azure, so it must be stated");
    case WHY_SELLER_UNKNOWN:
        return gh_str_format(
            arena, "seller \"%.*s\" is not in %.*s", GH_STR_ARG(query->seller), GH_STR_ARG(facts->name));
    case WHY_ARN:
        return GH_STR("an ARN hides where it runs, and that cannot be stated");
    case WHY_PROFILE:
        return gh_str_format(arena, "the destinations of profile \"%.*s\" must be stated", GH_STR_ARG(profile));
    case WHY_MODEL_ID:
        return gh_str_format(arena, "upstream model \"%.*s\" does not begin with a vendor or profile known to %.*s",
                             GH_STR_ARG(query->upstream), GH_STR_ARG(facts->name));
    case WHY_HOST:
        return GH_STR("at this host it depends on model and endpoint and must be stated");
    case WHY_SELF:
        return GH_STR("the country of own machines must be stated");
    case WHY_PROVIDER:
        return GH_STR("for this provider it must be stated");
    }
    return (gh_str_t) { "", 0 };
}
