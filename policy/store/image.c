/* An image in memory: opening, reference counts, and what others may read of it. The checks are in image_check.c. */
#include "policy/store/image_check.h"
#include "policy/store/image_patterns.h"

#include <stdlib.h>
#include <string.h>

const char *const gh_dialect_names[GH_DIALECTS] = {
#define D(name, word, row, traits, endpoints) word,
    GH_DIALECT_ROWS(D)
#undef D
};

bool
gh_dialect_is(uint32_t dialect, unsigned traits)
{
    static const uint8_t of[GH_DIALECTS] = {
#define T(trait) | GH_HOST_##trait
#define D(name, word, row, traits, endpoints) 0 traits,
        GH_DIALECT_ROWS(D)
#undef D
#undef T
    };

    return dialect < GH_DIALECTS && (of[dialect] & traits) != 0;
}

const char *const gh_service_tier_names[GH_SERVICE_TIERS] = { "priority", "flex", "scale", "fast" };

const uint32_t gh_section_entry[GH_SECTIONS] = {
    [GH_SECTION_NODE] = sizeof(gh_image_node_t),
    [GH_SECTION_DEPLOYMENT] = sizeof(gh_image_deployment_t),
    [GH_SECTION_MODEL] = sizeof(gh_image_model_t),
    [GH_SECTION_NAME] = sizeof(gh_image_name_t),
    [GH_SECTION_TARGET] = sizeof(gh_image_target_t),
    [GH_SECTION_FEATURE] = sizeof(gh_image_feature_t),
    [GH_SECTION_POLICY] = sizeof(gh_image_policy_t),
    [GH_SECTION_RULE] = sizeof(gh_rule_t),
    [GH_SECTION_PATTERN] = sizeof(gh_ref_t),
    [GH_SECTION_CLASS] = sizeof(gh_ref_t),
    [GH_SECTION_LABEL] = sizeof(gh_ref_t),
    [GH_SECTION_ASSIGN] = sizeof(gh_image_assign_t),
    [GH_SECTION_PLACE] = sizeof(gh_image_place_t),
    [GH_SECTION_PROFILE] = sizeof(gh_image_profile_t),
    [GH_SECTION_BITMAP] = sizeof(uint64_t),
    [GH_SECTION_APP] = sizeof(gh_image_app_t),
    [GH_SECTION_PARTITION] = sizeof(gh_ref_t),
    [GH_SECTION_ATTEST] = sizeof(gh_ref_t),
    [GH_SECTION_PRICE] = sizeof(gh_image_price_t),
    [GH_SECTION_TIER] = sizeof(gh_price_tier_t),
    [GH_SECTION_LIMIT] = sizeof(gh_limit_t),
    [GH_SECTION_IDENTITY] = sizeof(gh_ref_t),
    [GH_SECTION_STRINGS] = 1,
};

static void
image_point(gh_image_t *image)
{
    const void *at[GH_SECTIONS];

    for (int i = 0; i < GH_SECTIONS; i++) {
        at[i] = image->bytes + image->header->section[i].offset;
        image->count[i] = (uint32_t) (image->header->section[i].length / gh_section_entry[i]);
    }
    image->nodes = at[GH_SECTION_NODE];
    image->deployments = at[GH_SECTION_DEPLOYMENT];
    image->models = at[GH_SECTION_MODEL];
    image->names = at[GH_SECTION_NAME];
    image->targets = at[GH_SECTION_TARGET];
    image->features = at[GH_SECTION_FEATURE];
    image->policies = at[GH_SECTION_POLICY];
    image->rules = at[GH_SECTION_RULE];
    image->patterns = at[GH_SECTION_PATTERN];
    image->classes = at[GH_SECTION_CLASS];
    image->labels = at[GH_SECTION_LABEL];
    image->assigns = at[GH_SECTION_ASSIGN];
    image->places = at[GH_SECTION_PLACE];
    image->profiles = at[GH_SECTION_PROFILE];
    image->bitmaps = at[GH_SECTION_BITMAP];
    image->apps = at[GH_SECTION_APP];
    image->partitions = at[GH_SECTION_PARTITION];
    image->attests = at[GH_SECTION_ATTEST];
    image->prices = at[GH_SECTION_PRICE];
    image->tiers = at[GH_SECTION_TIER];
    image->limits = at[GH_SECTION_LIMIT];
    image->identities = at[GH_SECTION_IDENTITY];
    image->strings = at[GH_SECTION_STRINGS];
}

int
gh_image_open(const void *bytes, size_t len, gh_image_t **out, gh_error_t *error)
{
    static uint64_t serial;
    gh_image_t     *image;

    *out = NULL;
    image = calloc(1, sizeof(*image));
    if (image == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for an image");
    }
    /* One byte more than needed: an empty section may stand at the very end. */
    image->bytes = aligned_alloc(64, (len + 64) / 64 * 64);
    if (image->bytes == NULL) {
        free(image);
        return gh_error_set(error, "out_of_memory", "no memory for an image of %zu bytes", len);
    }
    if (len > 0) {
        memcpy(image->bytes, bytes, len);
    }
    image->references = 1;
    image->length = len;
    image->header = (const gh_image_header_t *) image->bytes;

    if (gh_image_check_sections(image, error) != GH_OK) {
        gh_image_unref(image);
        return GH_ERROR;
    }
    image_point(image);
    if (gh_image_check_entries(image, error) != GH_OK) {
        gh_image_unref(image);
        return GH_ERROR;
    }
    image->patterns_index = gh_patterns_new(image);
    if (image->patterns_index == NULL) {
        gh_image_unref(image);
        return gh_error_set(error, "out_of_memory", "no memory for the patterns of an image");
    }
    image->backends = calloc(image->count[GH_SECTION_TARGET] + 1, sizeof(*image->backends));
    image->memos = calloc(image->count[GH_SECTION_TARGET] + 1, sizeof(*image->memos));
    if (image->backends == NULL || image->memos == NULL) {
        gh_image_unref(image);
        return gh_error_set(error, "out_of_memory", "no memory for the backends of an image");
    }
    image->serial = ++serial;
    image->clock_ms = image->header->compiled_ms;
    *out = image;
    return GH_OK;
}

gh_image_t *
gh_image_ref(gh_image_t *image)
{
    image->references++;
    return image;
}

void
gh_image_unref(gh_image_t *image)
{
    if (image != NULL && --image->references == 0) {
        gh_patterns_free(image->patterns_index);
        for (uint32_t i = 0; image->memos != NULL && i < image->count[GH_SECTION_TARGET]; i++) {
            free(image->memos[i].text);
        }
        free(image->memos);
        free(image->backends);
        free(image->bytes);
        free(image);
    }
}

uint64_t
gh_image_revision(const gh_image_t *image)
{
    return image->header->revision;
}

const uint8_t *
gh_image_policy_digest(const gh_image_t *image)
{
    return image->header->policy_digest;
}

const uint8_t *
gh_image_facts_digest(const gh_image_t *image)
{
    return image->header->facts_digest;
}

uint32_t
gh_image_target_count(const gh_image_t *image)
{
    return image->count[GH_SECTION_TARGET];
}

static gh_price_t
as_price(const gh_image_t *image, const gh_image_price_t *price)
{
    return (gh_price_t) { true, price->rates[0], price->rates[1], price->rates[2], price->rates[3], price->rates[4],
                          image->tiers + price->tiers.first, price->tiers.count };
}

gh_price_t
gh_image_price(const gh_image_t *image, uint32_t index, gh_str_t service_tier)
{
    const gh_image_target_t *target;

    if (index >= image->count[GH_SECTION_TARGET]) {
        return (gh_price_t) { 0 };
    }
    target = &image->targets[index];
    if (service_tier.len == 0 || gh_str_is(service_tier, "auto") || gh_str_is(service_tier, "default")
        || gh_str_is(service_tier, "standard"))
    {
        return target->price_known ? as_price(image, &target->price) : (gh_price_t) { 0 };
    }
    for (uint32_t i = 0; i < target->service_prices.count; i++) {
        const gh_image_price_t *price = &image->prices[target->service_prices.first + i];

        if (gh_str_is(service_tier, gh_service_tier_names[price->service_tier])) {
            return as_price(image, price);
        }
    }
    return (gh_price_t) { 0 };
}

const gh_backend_id_t *
gh_image_backend(const gh_image_t *image, uint32_t index)
{
    gh_backend_id_t         *backend = &image->backends[index];
    const gh_image_target_t *target = &image->targets[index];

    if (backend->number == 0) {
        *backend = gh_backend_id(gh_image_str(image, image->deployments[target->deployment].id), gh_image_str(image, target->upstream));
    }
    return backend;
}

void
gh_image_target(const gh_image_t *image, uint32_t index, gh_target_t *out)
{
    const gh_image_target_t     *target;
    const gh_image_deployment_t *deployment;

    memset(out, 0, sizeof(*out));
    if (index >= image->count[GH_SECTION_TARGET]) {
        out->process = out->store = out->operator_home = gh_places_unknown();
        return;
    }
    target = &image->targets[index];
    deployment = &image->deployments[target->deployment];

    out->deployment = gh_image_str(image, deployment->id);
    out->backend = gh_image_str(image, deployment->backend);
    out->provider = gh_image_str(image, deployment->provider);
    out->region = gh_image_str(image, deployment->region);
    out->api_version = gh_image_str(image, deployment->api_version);
    out->dialect = (gh_dialect_t) deployment->dialect;
    out->one_tenant = deployment->one_tenant != 0;
    out->sku = gh_image_str(image, target->sku);
    out->inference_geo = gh_image_str(image, target->inference_geo);
    if (target->partition >= 0) {
        out->partition = gh_image_str(image, image->partitions[target->partition]);
    }
    out->endpoints = target->endpoints;
    out->upstream_model = gh_image_str(image, target->upstream);
    out->model = gh_image_str(image, image->models[target->model].name);
    out->priority = target->priority;
    if (target->price_known) {
        out->price = as_price(image, &target->price);
    }
    out->context = image->models[target->model].context;
    out->max_output = image->models[target->model].max_output;
    out->image_tokens = image->models[target->model].image_tokens;
    out->message_tokens = image->models[target->model].message_tokens;
    out->process = target->process;
    out->store = target->store;
    out->operator_home = target->operator_home;
    out->store_nothing = target->store_nothing;
    out->store_days_known = target->store_days_known;
    out->store_days = target->store_days;
    out->known = image->backends != NULL ? &image->backends[index] : NULL;
}

uint32_t
gh_image_deployment_count(const gh_image_t *image)
{
    return image->count[GH_SECTION_DEPLOYMENT];
}

gh_str_t
gh_image_deployment_backend(const gh_image_t *image, uint32_t deployment)
{
    if (deployment >= image->count[GH_SECTION_DEPLOYMENT]) {
        return GH_STR("");
    }
    return gh_image_str(image, image->deployments[deployment].backend);
}

/* Binary search over entries whose first member is the gh_ref_t they are sorted by. */
static int64_t
image_find(const gh_image_t *image, const void *entries, uint32_t count, size_t size, gh_str_t name)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        gh_ref_t ref;
        int      order;

        memcpy(&ref, (const char *) entries + middle * size, sizeof(ref));
        order = gh_str_cmp(gh_image_str(image, ref), name);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return -1;
}

int
gh_image_node_country(const gh_image_t *image, gh_str_t node)
{
    int64_t found = image_find(image, image->nodes, image->count[GH_SECTION_NODE], sizeof(gh_image_node_t), node);

    return found < 0 ? -1 : (int) image->nodes[found].country;
}

int32_t
gh_image_model_find(const gh_image_t *image, gh_str_t name)
{
    int64_t found = image_find(image, image->names, image->count[GH_SECTION_NAME], sizeof(gh_image_name_t), name);

    return found < 0 ? -1 : (int32_t) image->names[found].model;
}

int32_t
gh_image_app_find(const gh_image_t *image, gh_str_t path)
{
    int64_t found = image_find(image, image->apps, image->count[GH_SECTION_APP], sizeof(gh_image_app_t), path);

    return found < 0 ? -1 : (int32_t) image->apps[found].profile;
}

bool
gh_image_app_limits(const gh_image_t *image, gh_str_t path, gh_limits_t *limits)
{
    int64_t               found = image_find(image, image->apps, image->count[GH_SECTION_APP], sizeof(gh_image_app_t), path);
    const gh_image_app_t *app;

    memset(limits, 0, sizeof(*limits));
    if (found < 0) {
        return false;
    }
    app = &image->apps[found];
    memcpy(limits->items, image->limits + app->limits.first, app->limits.count * sizeof(gh_limit_t));
    limits->count = app->limits.count;
    limits->max_output = app->max_output;
    return true;
}

gh_str_t
gh_image_model_name(const gh_image_t *image, uint64_t number)
{
    for (uint32_t i = 0; i < image->count[GH_SECTION_MODEL]; i++) {
        gh_str_t name = gh_image_str(image, image->models[i].name);

        if (gh_model_number(name) == number) {
            return name;
        }
    }
    return GH_STR("");
}

bool
gh_image_app_listed(const gh_image_t *image, gh_str_t path)
{
    return gh_image_app_find(image, path) >= 0;
}

gh_image_counts_t
gh_image_counts(const gh_image_t *image)
{
    return (gh_image_counts_t) { image->header->organisation_count, image->header->tenant_count, image->header->app_count };
}

bool
gh_image_holds_apps(const gh_image_t *image)
{
    return !image->header->apps_elsewhere;
}

int32_t
gh_image_profile_find(const gh_image_t *image, uint32_t number)
{
    uint32_t low = 0, high = image->count[GH_SECTION_PROFILE];

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (image->profiles[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < image->count[GH_SECTION_PROFILE] && image->profiles[low].number == number ? (int32_t) low : -1;
}

gh_str_t
gh_image_app_path(const gh_image_t *image, uint32_t app)
{
    return app < image->count[GH_SECTION_APP] ? gh_image_str(image, image->apps[app].path) : GH_STR("");
}

bool
gh_image_covers(const gh_image_t *image, gh_range_t patterns, gh_str_t name)
{
    for (uint32_t i = 0; i < patterns.count; i++) {
        if (gh_pattern_covers(gh_image_pattern(image, patterns.first + i), name)) {
            return true;
        }
    }
    return false;
}

static bool
rule_names(const gh_image_t *image, const gh_rule_t *rule, gh_str_t model)
{
    for (uint32_t i = 0; i < rule->models_count; i++) {
        if (gh_rule_names(rule->kind, gh_image_pattern(image, rule->models_first + i), model)) {
            return true;
        }
    }
    return false;
}

bool
gh_image_rule_names(const gh_image_t *image, const gh_rule_t *rule, const gh_image_target_t *target)
{
    return !(rule->states & GH_STATES_MODELS) || rule_names(image, rule, gh_image_str(image, image->models[target->model].name))
        || rule_names(image, rule, gh_image_str(image, target->upstream));
}

static bool
named_places(const gh_image_t *image, gh_range_t range, gh_str_t name, gh_places_t *places)
{
    for (uint32_t i = 0; i < range.count; i++) {
        if (gh_str_eq(gh_image_str(image, image->places[range.first + i].name), name)) {
            *places = image->places[range.first + i].places;
            return true;
        }
    }
    return false;
}

bool
gh_image_place(const gh_image_t *image, const gh_image_policy_t *policy, gh_str_t name, gh_places_t *places)
{
    int country;

    if (policy != NULL && named_places(image, policy->places, name, places)) {
        return true;
    }
    country = gh_country_index(name);
    if (country >= 0) {
        *places = gh_places_none();
        gh_places_add(places, country);
        return true;
    }
    return named_places(image, image->header->sets, name, places);
}
