/*
 * fleet/1: prices. A price has five rates; it may have tiers, by which longer prompts are dearer, and service tiers, which are prices of
 * their own. A rate that is not said is the one of what it is a kind of: cached and cache_write are input, reasoning is output.
 */
#include "policy/document/fleet_price.h"

#define MAX_PRICE  1000000000000000ull   /* micro-dollars per 1,000,000 tokens */
#define MAX_TOKENS 1000000000ull

#define RATE_MEMBERS                                                                                                \
    { "input", GH_IS_NUMBER, GH_REQUIRED }, { "output", GH_IS_NUMBER, GH_REQUIRED }, { "cached", GH_IS_NUMBER, 0 }, \
    { "cache_write", GH_IS_NUMBER, 0 }, { "reasoning", GH_IS_NUMBER, 0 }

static const gh_member_t price_members[] = {
    RATE_MEMBERS, { "tiers", GH_IS_LIST, 0 }, { "service_tiers", GH_IS_OBJECT, 0 }, { NULL, 0, 0 }
};

static const gh_member_t service_members[] = {
    RATE_MEMBERS, { "tiers", GH_IS_LIST, 0 }, { "service_tiers", GH_IS_OBJECT, GH_FOREIGN }, { NULL, 0, 0 }
};

static const gh_member_t tier_members[] = {
    { "input_above", GH_IS_NUMBER, GH_REQUIRED }, RATE_MEMBERS, { NULL, 0, 0 }
};

/* false: input or output is missing or wrong, which is reported. */
static bool
read_rates(gh_loader_t *loader, const gh_node_t *object, gh_price_tier_t *rates)
{
    bool input = gh_doc_integer(loader, gh_doc_get(object, "input", GH_IS_NUMBER), MAX_PRICE, &rates->input);
    bool output = gh_doc_integer(loader, gh_doc_get(object, "output", GH_IS_NUMBER), MAX_PRICE, &rates->output);

    if (!gh_doc_integer(loader, gh_doc_get(object, "cached", GH_IS_NUMBER), MAX_PRICE, &rates->cached)) {
        rates->cached = rates->input;
    }
    if (!gh_doc_integer(loader, gh_doc_get(object, "cache_write", GH_IS_NUMBER), MAX_PRICE, &rates->cache_write)) {
        rates->cache_write = rates->input;
    }
    if (!gh_doc_integer(loader, gh_doc_get(object, "reasoning", GH_IS_NUMBER), MAX_PRICE, &rates->reasoning)) {
        rates->reasoning = rates->output;
    }
    return input && output;
}

static void
read_tiers(gh_loader_t *loader, const gh_node_t *list, gh_price_t *price)
{
    gh_price_tier_t *tiers = NULL;

    if (list->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, list), "empty_list", "\"tiers\" must not be empty");
    }
    if (list->count > GH_PRICE_TIERS_MAX) {
        gh_doc_error(loader, GH_WHERE(loader, list), "limit", "%u tiers of a price: at most %d", (unsigned) list->count,
            GH_PRICE_TIERS_MAX);
    }
    for (const gh_node_t *node = list->first; node; node = node->next) {
        const gh_node_t *above;
        gh_price_tier_t *tier;

        if (!gh_doc_members(loader, node, "a tier", tier_members)) {
            continue;
        }
        tier = gh_doc_push(loader, &tiers, &price->tier_count, sizeof(*tier));
        if (tier == NULL) {
            return;
        }
        read_rates(loader, node, tier);
        above = gh_doc_get(node, "input_above", GH_IS_NUMBER);
        if (gh_doc_positive(loader, above, MAX_TOKENS, &tier->input_above) && price->tier_count > 1
            && tier->input_above <= tier[-1].input_above)
        {
            gh_doc_error(loader, GH_WHERE(loader, above), "conflict",
                "\"input_above\" of a tier must be more than that of the tier before it, which is %llu",
                (unsigned long long) tier[-1].input_above);
        }
    }
    price->tiers = tiers;
}

static void
read_price(gh_loader_t *loader, const gh_node_t *object, gh_price_t *price)
{
    const gh_node_t *tiers = gh_doc_get(object, "tiers", GH_IS_LIST);
    gh_price_tier_t  rates = { 0 };

    price->known = read_rates(loader, object, &rates);
    price->input = rates.input;
    price->cached = rates.cached;
    price->cache_write = rates.cache_write;
    price->output = rates.output;
    price->reasoning = rates.reasoning;
    if (tiers != NULL) {
        read_tiers(loader, tiers, price);
    }
}

static void
read_service_tiers(gh_loader_t *loader, const gh_node_t *object, gh_model_target_t *target)
{
    gh_str_t names[GH_SERVICE_TIERS];

    for (int i = 0; i < GH_SERVICE_TIERS; i++) {
        names[i] = gh_str_from(gh_service_tier_names[i]);
    }
    for (const gh_node_t *node = object->first; node; node = node->next) {
        int      index = 0;
        gh_str_t what = gh_doc_format(loader, "service tier \"%.*s\"", GH_STR_ARG(node->key));

        while (index < GH_SERVICE_TIERS && !gh_str_eq(names[index], node->key)) {
            index++;
        }
        if (index == GH_SERVICE_TIERS) {
            gh_doc_error(loader, GH_WHERE_KEY(loader, node), "unknown_member",
                "\"service_tiers\" has no \"%.*s\"%s; the price itself is that of \"auto\", \"default\" and \"standard\"",
                GH_STR_ARG(node->key), gh_doc_near(loader, node->key, names, GH_SERVICE_TIERS));
        } else if (gh_doc_members(loader, node, what.data, service_members)) {
            read_price(loader, node, &target->service_prices[index]);
        }
    }
}

void
gh_fleet_read_price(gh_loader_t *loader, const gh_node_t *entry, gh_model_target_t *target)
{
    const gh_node_t *object = gh_doc_get(entry, "price", GH_IS_OBJECT), *services;
    const gh_node_t *as_of = gh_doc_get(entry, "as_of", GH_IS_STRING);

    target->price_source = gh_doc_text(loader, gh_doc_get(entry, "source", GH_IS_STRING), 1024);
    if (as_of != NULL) {
        gh_doc_date(loader, as_of, NULL, &target->price_as_of);
    }
    if (object == NULL) {
        return;
    }
    gh_doc_members(loader, object, "\"price\"", price_members);
    read_price(loader, object, &target->price);
    services = gh_doc_get(object, "service_tiers", GH_IS_OBJECT);
    if (services != NULL) {
        read_service_tiers(loader, services, target);
    }
}
