/* fleet/1: deployments and, for each model of one, a target. */
#include "policy/decide/bedrock_model.h"
#include "policy/document/fleet_facts.h"
#include "policy/document/fleet_price.h"

#include <string.h>

#define MAX_PRIORITY     1000000ull
#define DEFAULT_PRIORITY 100

static const gh_member_t deployment_members[] = {
    { "id", GH_IS_STRING, GH_REQUIRED }, { "backend", GH_IS_STRING, GH_REQUIRED },
    { "provider", GH_IS_STRING, GH_REQUIRED }, { "dialect", GH_IS_STRING, GH_REQUIRED },
    { "models", GH_IS_OBJECT, GH_REQUIRED }, { "serves", GH_IS_LIST, 0 }, { "priority", GH_IS_NUMBER, 0 },
    { "partition", GH_IS_STRING, 0 }, { "region", GH_IS_STRING, 0 }, { "sku", GH_IS_STRING, 0 },
    { "seller", GH_IS_STRING, 0 }, { "profile", GH_IS_STRING, 0 }, { "host", GH_IS_STRING, 0 },
    { "inference_geo", GH_IS_STRING, 0 },
    { "country", GH_IS_STRING, 0 }, { "api_version", GH_IS_STRING, 0 }, { "endpoints", GH_IS_LIST, 0 },
    { "resource", GH_IS_STRING, 0 }, GH_FACT_MEMBERS, { NULL, 0, 0 }
};

static const gh_member_t entry_members[] = {
    { "upstream", GH_IS_STRING, 0 }, { "price", GH_IS_OBJECT, 0 }, { "source", GH_IS_STRING, 0 },
    { "as_of", GH_IS_STRING, 0 }, { "serves", GH_IS_LIST, 0 }, { "priority", GH_IS_NUMBER, 0 },
    { "sku", GH_IS_STRING, 0 }, { "seller", GH_IS_STRING, 0 }, { "profile", GH_IS_STRING, 0 },
    { "inference_geo", GH_IS_STRING, 0 }, { "endpoints", GH_IS_LIST, 0 }, GH_FACT_MEMBERS, { NULL, 0, 0 }
};

/* Bits by gh_endpoint_t: what ngx_module/wire can ask for in each dialect. */
static const uint32_t dialect_endpoints[GH_DIALECTS] = {
#define E(endpoint) | 1u << GH_ENDPOINT_##endpoint
#define D(name, word, row, traits, endpoints) 0 endpoints,
    GH_DIALECT_ROWS(D)
#undef D
#undef E
};

static const char *const providers[] = { "azure", "aws", "openai", "anthropic", "self", "other", NULL };

typedef struct {                    /* what a deployment says and a model's entry may override */
    gh_str_t      sku, seller, profile, inference_geo;
    gh_str_list_t serves;
    uint32_t      endpoints;
    bool          endpoints_said;
    uint32_t      priority;
    gh_statements_t stated;
} settings_t;

typedef struct {
    gh_loader_t     *loader;
    const gh_node_t *node;
    const char      *what;          /* "deployment \"x\"" */
    uint32_t         index;
    gh_str_t         provider, region, host;
    gh_where_t       where;
    int              partition;
    int              dialect;       /* -1: unreadable, which is reported */
    settings_t       settings;
    bool             warned[GH_FACTS], warned_serves, warned_endpoints;
    gh_str_t         last_why;
} deployment_t;

/* An unreadable provider is reported once, not everywhere. */
static bool
is(gh_str_t provider, const char *name)
{
    return provider.len == 0 || gh_str_is(provider, name);
}

static void
only_for(deployment_t *d, const gh_node_t *node, const char *provider)
{
    if (node != NULL && !is(d->provider, provider)) {
        gh_doc_error(d->loader, GH_WHERE_KEY(d->loader, node), "conflict", "\"%.*s\" is for provider \"%s\" only",
            GH_STR_ARG(node->key), provider);
    }
}

/* ---- settings ---- */

static void
read_profile(deployment_t *d, const gh_node_t *object, gh_str_t *profile)
{
    const gh_node_t *node = gh_doc_get(object, "profile", GH_IS_STRING);
    gh_str_t         text = gh_doc_text(d->loader, node, 64);

    only_for(d, node, "aws");
    if (text.len == 0) {
        return;
    }
    if (text.len < 2 || text.data[text.len - 1] != '.' || memchr(text.data, '.', text.len - 1) != NULL) {
        gh_doc_error(d->loader, GH_WHERE(d->loader, node), "bad_profile",
            "profile \"%.*s\" must be a prefix that ends in its only dot, such as \"eu.\"", GH_STR_ARG(text));
        return;
    }
    *profile = text;
}

/*
 * What requests to it say of where they are run, which the artefact has places for; "global" is anywhere. Only Messages has it: where tokens are counted
 * nobody says.
 */
static void
read_inference_geo(deployment_t *d, const gh_node_t *object, gh_str_t *geo)
{
    const gh_node_t *node = gh_doc_get(object, "inference_geo", GH_IS_STRING);
    gh_str_t         names[16] = { GH_STR("global") };
    size_t           count;

    only_for(d, node, "anthropic");
    if (node == NULL) {
        return;
    }
    if (d->dialect >= 0 && !gh_dialect_is((uint32_t) d->dialect, GH_HOST_PLACED)) {
        gh_doc_error(d->loader, GH_WHERE_KEY(d->loader, node), "conflict", "\"inference_geo\" is for dialect \"anthropic\" only");
    }
    count = 1 + gh_facts_inference_geos(d->loader->facts[0], names + 1, sizeof(names) / sizeof(names[0]) - 1);
    for (size_t i = 0; i < count; i++) {
        if (gh_str_eq(names[i], node->text)) {
            *geo = node->text;
            return;
        }
    }
    gh_doc_error(d->loader, GH_WHERE(d->loader, node), "unknown_word", "inference_geo \"%.*s\" is neither \"global\" nor in %.*s%s", GH_STR_ARG(node->text),
        GH_STR_ARG(gh_facts_name(d->loader->facts[0])), gh_doc_near(d->loader, node->text, names, count));
}

static void
check_count_place(deployment_t *d, const gh_node_t *node, const settings_t *settings)
{
    if (settings->inference_geo.len != 0 && !gh_str_is(settings->inference_geo, "global") && (settings->endpoints & 1u << GH_ENDPOINT_COUNT_TOKENS)) {
        gh_doc_error(d->loader, GH_WHERE_KEY(d->loader, node), "conflict",
            "model \"%.*s\" of %s has \"inference_geo\", which a count of tokens cannot say: leave \"messages.count_tokens\" out of its \"endpoints\"",
            GH_STR_ARG(node->key), d->what);
    }
}

static void
read_endpoints(deployment_t *d, const gh_node_t *object, settings_t *settings)
{
    const gh_node_t *list = gh_doc_get(object, "endpoints", GH_IS_LIST);

    if (list == NULL) {
        return;
    }
    settings->endpoints = 0;
    settings->endpoints_said = true;
    if (list->count == 0) {
        gh_doc_error(d->loader, GH_WHERE(d->loader, list), "empty_list", "\"endpoints\" must not be empty");
    }
    for (const gh_node_t *node = list->first; node; node = node->next) {
        int index;

        if (node->type != GH_NODE_STRING) {
            gh_doc_error(d->loader, GH_WHERE(d->loader, node), "wrong_type", "an endpoint must be a string");
            continue;
        }
        index = gh_doc_word_of(d->loader, node, "endpoint", gh_endpoint_names, GH_ENDPOINTS);
        if (index >= 0 && (settings->endpoints >> index & 1)) {
            gh_doc_error(d->loader, GH_WHERE(d->loader, node), "duplicate", "\"%.*s\" stands in this list twice",
                GH_STR_ARG(node->text));
        }
        if (index >= 0 && d->dialect >= 0 && !(dialect_endpoints[d->dialect] >> index & 1)) {
            gh_doc_error(d->loader, GH_WHERE(d->loader, node), "conflict", "dialect \"%s\" of %s has no endpoint \"%s\"",
                gh_dialect_names[d->dialect], d->what, gh_endpoint_names[index]);
        }
        settings->endpoints |= index >= 0 ? 1u << index : 0;
    }
}

/* Reads what object says into settings, which already holds what it overrides; the caller merges statements. */
static void
read_settings(deployment_t *d, const gh_node_t *object, const char *what, settings_t *settings,
    gh_statements_t *stated)
{
    static const char *const sellers[] = { "anthropic", NULL };
    gh_loader_t             *loader = d->loader;
    const gh_node_t         *sku = gh_doc_get(object, "sku", GH_IS_STRING);
    const gh_node_t         *seller = gh_doc_get(object, "seller", GH_IS_STRING);
    const gh_node_t         *serves = gh_doc_get(object, "serves", GH_IS_LIST);
    uint64_t                 number;

    only_for(d, sku, "azure");
    only_for(d, seller, "azure");
    if (sku != NULL) {
        settings->sku = gh_doc_text(loader, sku, 64);
    }
    if (seller != NULL && gh_doc_word(loader, seller, "seller", sellers) == 0) {
        settings->seller = seller->text;
    }
    read_profile(d, object, &settings->profile);
    read_inference_geo(d, object, &settings->inference_geo);
    if (serves != NULL) {
        settings->serves = gh_doc_list(loader, serves, GH_LIST_TENANT_PATTERNS, GH_ALLOW_EMPTY);
        gh_doc_must_cover(loader, serves, &settings->serves, &(gh_cover_check_t) { .what = "serves" });
    }
    read_endpoints(d, object, settings);
    if (gh_doc_integer(loader, gh_doc_get(object, "priority", GH_IS_NUMBER), MAX_PRIORITY, &number)) {
        settings->priority = (uint32_t) number;
    }
    gh_statements_read(loader, object, what, d->provider, stated);
}

/* ---- targets ---- */

static bool
mentions(gh_str_t text, const char *lower_word)
{
    size_t len = strlen(lower_word);

    for (size_t i = 0; i + len <= text.len; i++) {
        size_t k = 0;

        while (k < len && (text.data[i + k] | 0x20) == lower_word[k]) {
            k++;
        }
        if (k == len) {
            return true;
        }
    }
    return false;
}

static void
warn_missing(deployment_t *d, const settings_t *settings)
{
    static const struct { gh_fact_t fact; const char *name; } facts[] = {
        { GH_FACT_STORE, "store" }, { GH_FACT_OPERATOR_HOME, "operator_home" }, { GH_FACT_TRAINING, "training" },
    };

    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        if (!settings->stated.facts[facts[i].fact].stated && !d->warned[facts[i].fact]
            && !gh_node_get(d->node, facts[i].name)) {
            d->warned[facts[i].fact] = true;
            gh_doc_warn(d->loader, d->where, "unknown_fact", "\"%s\" of %s is unknown: it is not stated",
                facts[i].name, d->what);
        }
    }
    if (settings->serves.count == 0 && !d->warned_serves) {
        d->warned_serves = true;
        gh_doc_warn(d->loader, d->where, "serves_nobody", "%s serves nobody: it has no \"serves\"", d->what);
    }
    if (settings->endpoints == 0 && !settings->endpoints_said && !d->warned_endpoints) {
        d->warned_endpoints = true;
        gh_doc_warn(d->loader, d->where, "no_endpoints", "%s is never eligible: it has no \"endpoints\"", d->what);
    }
}

static void
check_profile(deployment_t *d, const gh_node_t *node, const settings_t *settings, gh_str_t upstream)
{
    gh_str_t own;

    if (!gh_str_is(d->provider, "aws") || settings->profile.len == 0) {
        return;
    }
    own = gh_facts_profile(d->loader->facts[0], upstream);
    if (own.len != 0 && !gh_str_eq(own, settings->profile)) {
        gh_doc_error(d->loader, GH_WHERE_KEY(d->loader, node), "conflict",
            "upstream \"%.*s\" has profile \"%.*s\", but \"profile\" is \"%.*s\"", GH_STR_ARG(upstream),
            GH_STR_ARG(own), GH_STR_ARG(settings->profile));
    }
}

/* By any of its names: the upstream's is the customer's own choice on Azure, so the catalogue's and its aliases count too. */
static bool
is_claude(const gh_loader_t *loader, const gh_model_target_t *target, gh_str_t name)
{
    const gh_str_list_t *aliases;

    if (mentions(target->upstream, "claude") || mentions(name, "claude")) {
        return true;
    }
    if (target->model >= loader->model->model_count) {
        return false;
    }
    aliases = &loader->model->models[target->model].aliases;
    for (uint32_t i = 0; i < aliases->count; i++) {
        if (mentions(aliases->items[i], "claude")) {
            return true;
        }
    }
    return false;
}

static void
resolve_target(deployment_t *d, const gh_node_t *node, settings_t *settings, gh_model_target_t *target)
{
    gh_loader_t     *loader = d->loader;
    bool             claude = is_claude(loader, target, node->key);
    gh_facts_query_t query = {
        .provider = d->provider, .region = d->region, .sku = settings->sku, .seller = settings->seller,
        .profile = settings->profile, .upstream = target->upstream, .host = d->host, .inference_geo = settings->inference_geo
    };
    gh_str_t         why;

    if (gh_str_is(d->provider, "azure") && claude) {
        query.seller = GH_STR("anthropic");
    }
    target->sku = settings->sku;
    target->inference_geo = settings->inference_geo;
    check_count_place(d, node, settings);
    target->serves = settings->serves;
    target->endpoints = settings->endpoints;
    if (d->dialect >= 0 && gh_dialect_is((uint32_t) d->dialect, GH_HOST_CATALOGUE) && settings->endpoints != 0) {
        target->endpoints = gh_bedrock_endpoints(target->upstream, settings->endpoints);
        if (target->endpoints == 0) {
            gh_doc_warn(loader, GH_WHERE_KEY(loader, node), "no_endpoints",
                "model \"%.*s\" of %s is never eligible: \"%.*s\" has none of its \"endpoints\" on Bedrock", GH_STR_ARG(node->key), d->what,
                GH_STR_ARG(target->upstream));
        }
    }
    target->priority = settings->priority;
    target->partition = d->partition;
    check_profile(d, node, settings, target->upstream);
    warn_missing(d, settings);
    gh_statements_resolve(loader, &settings->stated, &query, target, &why);
    if (d->provider.len != 0 && why.len != 0 && !gh_str_eq(why, d->last_why)) {
        d->last_why = why;
        gh_doc_warn(loader, GH_WHERE_KEY(loader, node), "unknown_fact",
            "\"process\" of model \"%.*s\" of %s is unknown: %.*s", GH_STR_ARG(node->key), d->what, GH_STR_ARG(why));
    }
}

static void
read_target(deployment_t *d, const gh_node_t *node)
{
    gh_loader_t       *loader = d->loader;
    gh_str_t           what = gh_doc_format(loader, "model \"%.*s\" of %s", GH_STR_ARG(node->key), d->what);
    int32_t            model = gh_catalogue_said(loader, node->key, GH_WHERE_KEY(loader, node));
    const gh_node_t   *upstream;
    gh_model_target_t *target;
    settings_t         settings = d->settings;
    gh_statements_t    stated;

    if (!gh_doc_members(loader, node, what.data, entry_members)) {
        return;
    }
    upstream = gh_doc_get(node, "upstream", GH_IS_STRING);
    if (upstream != NULL && !gh_doc_model_name(loader, upstream->text, GH_WHERE(loader, upstream))) {
        upstream = NULL;
    }
    target = gh_doc_push(loader, &loader->model->targets, &loader->model->target_count, sizeof(*target));
    if (target == NULL) {
        return;
    }
    target->deployment = d->index;
    target->model = model < 0 ? 0 : (uint32_t) model;
    target->upstream = upstream ? upstream->text : node->key;
    target->where = GH_WHERE_KEY(loader, node);

    gh_fleet_read_price(loader, node, target);
    read_settings(d, node, what.data, &settings, &stated);
    settings.stated = gh_statements_merge(&d->settings.stated, &stated);
    resolve_target(d, node, &settings, target);
}

/* ---- deployments ---- */

static bool
partition_fits(gh_str_t provider, gh_str_t partition)
{
    if (gh_str_is(provider, "azure") || gh_str_is(provider, "aws")) {
        return gh_str_eq(provider, partition)
               || (gh_str_starts(partition, provider) && partition.data[provider.len] == '-');
    }
    return gh_str_eq(provider, partition);
}

/* The stated one, or the region's. The two must agree. */
static int
read_partition(deployment_t *d)
{
    gh_loader_t     *loader = d->loader;
    const gh_node_t *node = gh_doc_get(d->node, "partition", GH_IS_STRING);
    gh_str_list_t   *all = &loader->model->partitions;
    gh_str_t         region = { "", 0 };
    int32_t          index;

    gh_facts_region(loader->facts[0], d->provider, d->region, NULL, &region);
    if (node == NULL) {
        index = region.len ? gh_list_find(all, region) : -1;
        if (index < 0) {
            gh_doc_warn(
                loader, d->where, "unknown_fact", "\"partition\" of %s is unknown: it is not stated", d->what);
        }
        return index;
    }
    index = gh_list_find(all, node->text);
    if (index < 0) {
        gh_doc_error(loader, GH_WHERE(loader, node), "unknown_word", "unknown partition \"%.*s\"%s",
            GH_STR_ARG(node->text), gh_doc_near(loader, node->text, all->items, all->count));
        return -1;
    }
    if (region.len != 0 && !gh_str_eq(region, node->text)) {
        gh_doc_error(loader, GH_WHERE(loader, node), "conflict",
            "region \"%.*s\" is in partition \"%.*s\", not \"%.*s\"", GH_STR_ARG(d->region), GH_STR_ARG(region),
            GH_STR_ARG(node->text));
        return -1;
    }
    if (d->provider.len != 0 && !partition_fits(d->provider, node->text)) {
        gh_doc_error(loader, GH_WHERE(loader, node), "conflict", "partition \"%.*s\" is not one of provider \"%.*s\"",
            GH_STR_ARG(node->text), GH_STR_ARG(d->provider));
        return -1;
    }
    return index;
}

static void
check_operator(deployment_t *d)
{
    const gh_statement_t *home = &d->settings.stated.facts[GH_FACT_OPERATOR_HOME];
    gh_places_t           known;
    gh_str_t              partition;

    if (d->partition < 0 || !home->known) {
        return;
    }
    partition = d->loader->model->partitions.items[d->partition];
    if (gh_facts_operator_home(d->loader->facts[0], partition, &known) && !gh_places_inside(known, home->places)) {
        known = gh_places_minus(known, home->places);
        gh_doc_warn(d->loader, GH_WHERE_KEY(d->loader, gh_node_get(d->node, "operator_home")), "operator_home",
                    "\"operator_home\" of %s leaves out %.*s, which the facts name for partition \"%.*s\"", d->what,
                    GH_STR_ARG(gh_places_text(d->loader->arena, known)), GH_STR_ARG(partition));
    }
}

static void
read_dialect(deployment_t *d, gh_model_deployment_t *out)
{
    gh_loader_t     *loader = d->loader;
    const gh_node_t *dialect = gh_doc_get(d->node, "dialect", GH_IS_STRING);
    const gh_node_t *version = gh_doc_get(d->node, "api_version", GH_IS_STRING);
    int              index = dialect ? gh_doc_word_of(loader, dialect, "dialect", gh_dialect_names, GH_DIALECTS) : -1;
    gh_str_t         text = gh_doc_text(loader, version, 32);

    d->dialect = index;
    if (index < 0) {
        return;
    }
    out->dialect = (gh_dialect_t) index;
    out->api_version = text;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.')) {
            gh_doc_error(
                loader, GH_WHERE(loader, version), "bad_text", "\"%.*s\" is not an API version", GH_STR_ARG(text));
            return;
        }
    }
    if (gh_dialect_is(out->dialect, GH_HOST_VERSIONED) && gh_node_get(d->node, "api_version") == NULL) {
        gh_doc_error(
            loader, GH_WHERE(loader, dialect), "missing_member", "dialect \"azure-classic\" needs \"api_version\"");
    }
    if (!gh_dialect_is(out->dialect, GH_HOST_VERSIONED) && version != NULL) {
        gh_doc_error(loader, GH_WHERE_KEY(loader, version), "conflict",
            "\"api_version\" is for dialect \"azure-classic\" only");
    }
}

static void
read_deployment(gh_loader_t *loader, const gh_node_t *node)
{
    const gh_node_t       *id = gh_doc_get(node, "id", GH_IS_STRING);
    const gh_node_t       *provider = gh_doc_get(node, "provider", GH_IS_STRING);
    const gh_node_t       *host = gh_doc_get(node, "host", GH_IS_STRING);
    const gh_node_t       *resource = gh_doc_get(node, "resource", GH_IS_STRING);
    const gh_node_t       *models = gh_doc_get(node, "models", GH_IS_OBJECT);
    deployment_t           d = {
        .loader = loader, .node = node, .what = "a deployment", .index = loader->model->deployment_count,
        .settings.priority = DEFAULT_PRIORITY
    };
    gh_model_deployment_t *out;

    if (id != NULL) {
        d.what = gh_doc_format(loader, "deployment \"%.*s\"", GH_STR_ARG(id->text)).data;
    }
    d.where = GH_WHERE(loader, id ? id : node);
    if (!gh_doc_members(loader, node, d.what, deployment_members)) {
        return;
    }
    out = gh_doc_push(loader, &loader->model->deployments, &loader->model->deployment_count, sizeof(*out));
    if (out == NULL) {
        return;
    }
    if (provider != NULL && gh_doc_word(loader, provider, "provider", providers) >= 0) {
        d.provider = provider->text;
    }
    d.region = gh_doc_text(loader, gh_doc_get(node, "region", GH_IS_STRING), 64);
    d.host = gh_doc_text(loader, host, 255);
    only_for(&d, host, "openai");
    gh_doc_text(loader, resource, 512);
    if (resource != NULL && !is(d.provider, "azure") && !is(d.provider, "aws")) {
        gh_doc_error(loader, GH_WHERE_KEY(loader, resource), "conflict", "\"resource\" is for providers \"azure\" and \"aws\" only");
    }

    out->id = gh_doc_id(loader, node, "id");
    out->backend = gh_doc_id(loader, node, "backend");
    out->provider = d.provider;
    out->region = d.region;
    out->where = d.where;
    gh_doc_given(loader, "deployment", out->id, d.where);
    read_dialect(&d, out);

    d.partition = read_partition(&d);
    read_settings(&d, node, d.what, &d.settings, &d.settings.stated);
    check_operator(&d);

    if (models != NULL && models->count == 0) {
        gh_doc_warn(loader, d.where, "no_models", "%s has no models", d.what);
        warn_missing(&d, &d.settings);
    }
    for (const gh_node_t *entry = models ? models->first : NULL; entry; entry = entry->next) {
        read_target(&d, entry);
    }
}

void
gh_fleet_read_deployments(gh_loader_t *loader, const gh_document_t *document)
{
    const gh_node_t *list = gh_doc_get(document->root, "deployments", GH_IS_LIST);

    if (list != NULL && list->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, list), "empty_list", "\"deployments\" must not be empty");
    }
    for (const gh_node_t *node = list ? list->first : NULL; node; node = node->next) {
        read_deployment(loader, node);
    }
}
