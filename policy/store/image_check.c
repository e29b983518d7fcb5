/*
 * Everything that reading an image relies on. A MAC says who wrote the bytes, not that they are right: a wrong compiler or a future
 * one must end in a refusal, never in a read outside.
 */
#include "policy/store/image_check.h"

#include "policy/decide/intake.h"

#define IMAGE_ENTRIES_MAX (1u << 24)

static int
bad(gh_error_t *error, const char *what, uint32_t index)
{
    return gh_error_set(error, "store_damaged", "the image's %s %u is not valid", what, index);
}

static bool
ref_ok(const gh_image_t *image, gh_ref_t ref)
{
    return ref.offset <= image->count[GH_SECTION_STRINGS]
        && ref.length <= image->count[GH_SECTION_STRINGS] - ref.offset;
}

static bool
named(const gh_image_t *image, gh_ref_t ref)
{
    return ref.length > 0 && ref_ok(image, ref);
}

static bool
range_ok(const gh_image_t *image, gh_section_t section, gh_range_t range)
{
    return range.first <= image->count[section] && range.count <= image->count[section] - range.first;
}

/* Real places or exactly UNKNOWN: nothing between. */
static bool
places_ok(gh_places_t places)
{
    if (gh_places_has_unknown(places)) {
        return gh_places_equal(places, gh_places_unknown());
    }
    return gh_places_inside(places, gh_places_anywhere());
}

static bool
places_known(gh_places_t places)
{
    return places_ok(places) && !gh_places_has_unknown(places);
}

static bool
sorted(const gh_image_t *image, gh_ref_t before, gh_ref_t after)
{
    return gh_str_cmp(gh_image_str(image, before), gh_image_str(image, after)) < 0;
}

static bool
mask_ok(uint32_t mask, uint32_t count)
{
    return count >= 32 || (mask >> count) == 0;
}

static bool
store_ok(bool nothing, gh_places_t store)
{
    if (nothing) {
        return gh_places_empty(store);
    }
    return places_ok(store) && !gh_places_empty(store);
}

int
gh_image_check_sections(const gh_image_t *image, gh_error_t *error)
{
    const gh_image_header_t *header = image->header;

    if (image->length < GH_IMAGE_HEADER || image->length > UINT32_MAX) {
        return gh_error_set(error, "store_damaged", "the image has %zu bytes, its header alone %u", image->length,
            GH_IMAGE_HEADER);
    }
    if (header->format < GH_IMAGE_FORMAT) {
        return gh_error_set(error, "store_outdated", "the policy in force was compiled by an older version (format %u, this one reads format %u): "
            "\"gatehouse policy rollback\" to the newest revision compiles its documents again", header->format, GH_IMAGE_FORMAT);
    }
    if (header->format > GH_IMAGE_FORMAT) {
        return gh_error_set(error, "store_version", "the image has format %u, this program reads format %u", header->format,
            GH_IMAGE_FORMAT);
    }
    for (uint32_t i = 0; i < GH_IMAGE_SECTIONS_ROOM; i++) {
        const gh_image_section_t *section = &header->section[i];

        if (i >= GH_SECTIONS) {
            if (section->offset != 0 || section->length != 0) {
                return bad(error, "section", i);
            }
            continue;
        }
        if (section->offset < GH_IMAGE_HEADER || section->offset % 64 != 0 || section->offset > image->length
            || section->length > image->length - section->offset || section->length % gh_section_entry[i] != 0
            || (i != GH_SECTION_STRINGS && section->length / gh_section_entry[i] > IMAGE_ENTRIES_MAX))
        {
            return bad(error, "section", i);
        }
    }
    return GH_OK;
}

static int
check_fleet(const gh_image_t *image, gh_error_t *error)
{
    uint32_t n;

    n = image->count[GH_SECTION_NODE];
    for (uint32_t i = 0; i < n; i++) {
        const gh_image_node_t *node = &image->nodes[i];

        if (!named(image, node->name) || node->country >= GH_COUNTRIES
            || (i > 0 && !sorted(image, image->nodes[i - 1].name, node->name)))
        {
            return bad(error, "node", i);
        }
    }
    n = image->count[GH_SECTION_DEPLOYMENT];
    for (uint32_t i = 0; i < n; i++) {
        const gh_image_deployment_t *d = &image->deployments[i];

        if (!named(image, d->id) || !named(image, d->backend) || !ref_ok(image, d->provider)
            || !ref_ok(image, d->region) || !ref_ok(image, d->api_version) || d->dialect >= GH_DIALECTS || d->one_tenant > 1)
        {
            return bad(error, "deployment", i);
        }
    }
    n = image->count[GH_SECTION_MODEL];
    for (uint32_t i = 0; i < n; i++) {
        const gh_image_model_t *model = &image->models[i];

        if (!named(image, model->name) || !range_ok(image, GH_SECTION_TARGET, model->targets) || model->message_tokens == 0) {
            return bad(error, "model", i);
        }
        for (uint32_t t = 0; t < model->targets.count; t++) {
            if (image->targets[model->targets.first + t].model != i) {
                return bad(error, "model", i);
            }
        }
    }
    n = image->count[GH_SECTION_NAME];
    for (uint32_t i = 0; i < n; i++) {
        const gh_image_name_t *name = &image->names[i];

        if (!named(image, name->name) || name->model >= image->count[GH_SECTION_MODEL]
            || (i > 0 && !sorted(image, image->names[i - 1].name, name->name)))
        {
            return bad(error, "model name", i);
        }
    }
    return GH_OK;
}

/* The last tier that a request exceeds is looked for from the end: they are in order. */
static bool
price_ok(const gh_image_t *image, const gh_image_price_t *price)
{
    if (!range_ok(image, GH_SECTION_TIER, price->tiers) || price->tiers.count > GH_PRICE_TIERS_MAX
        || price->service_tier >= GH_SERVICE_TIERS)
    {
        return false;
    }
    for (uint32_t i = 0; i < price->tiers.count; i++) {
        const gh_price_tier_t *tier = &image->tiers[price->tiers.first + i];

        if (tier->input_above == 0 || (i > 0 && tier->input_above <= tier[-1].input_above)) {
            return false;
        }
    }
    return true;
}

static bool
prices_ok(const gh_image_t *image, const gh_image_target_t *target)
{
    if (!price_ok(image, &target->price) || !range_ok(image, GH_SECTION_PRICE, target->service_prices)
        || (target->service_prices.count != 0 && !target->price_known))
    {
        return false;
    }
    for (uint32_t i = 0; i < target->service_prices.count; i++) {
        if (!price_ok(image, &image->prices[target->service_prices.first + i])) {
            return false;
        }
    }
    return true;
}

static int
check_targets(const gh_image_t *image, gh_error_t *error)
{
    uint32_t n = image->count[GH_SECTION_TARGET];

    for (uint32_t i = 0; i < n; i++) {
        const gh_image_target_t *t = &image->targets[i];

        if (t->deployment >= image->count[GH_SECTION_DEPLOYMENT] || t->model >= image->count[GH_SECTION_MODEL]
            || !named(image, t->upstream) || !ref_ok(image, t->sku) || !ref_ok(image, t->inference_geo) || !ref_ok(image, t->price_source)
            || !range_ok(image, GH_SECTION_PATTERN, t->serves) || !range_ok(image, GH_SECTION_FEATURE, t->features)
            || t->partition < -1 || t->partition >= (int64_t) image->count[GH_SECTION_PARTITION]
            || t->endpoints >> GH_ENDPOINTS != 0 || t->training > GH_TRAINING_UNKNOWN || t->price_known > 1
            || t->store_nothing > 1 || t->store_days_known > 1 || !prices_ok(image, t)
            || !store_ok(t->store_nothing, t->store)
            || !places_ok(t->process) || gh_places_empty(t->process)
            || !places_ok(t->operator_home) || gh_places_empty(t->operator_home))
        {
            return bad(error, "target", i);
        }
    }
    n = image->count[GH_SECTION_FEATURE];
    for (uint32_t i = 0; i < n; i++) {
        const gh_image_feature_t *f = &image->features[i];

        /* A feature may add nothing to process. */
        if (!named(image, f->name) || !places_ok(f->process) || f->store_nothing > 1 || f->store_days_known > 1
            || !store_ok(f->store_nothing, f->store))
        {
            return bad(error, "feature", i);
        }
    }
    return GH_OK;
}

static bool
rule_ok(const gh_image_t *image, const gh_image_policy_t *policy, const gh_rule_t *rule)
{
    gh_ref_t id = { rule->id_offset, rule->id_len };
    gh_ref_t why = { rule->why_offset, rule->why_len };
    gh_ref_t law = { rule->law_offset, rule->law_len };

    if (!named(image, id) || !ref_ok(image, why) || !ref_ok(image, law)
        || !range_ok(image, GH_SECTION_PATTERN, (gh_range_t) { rule->tenants_first, rule->tenants_count })
        || !range_ok(image, GH_SECTION_PATTERN, (gh_range_t) { rule->models_first, rule->models_count })
        || !mask_ok(rule->class_mask, policy->classes.count)
        || !places_known(rule->process) || !places_known(rule->store) || !places_known(rule->operator_home))
    {
        return false;
    }
    if (rule->kind == GH_RULE_ALLOW) {
        return !policy->guard && rule->class_mask != 0 && (rule->states & GH_STATES_PROCESS)
            && (rule->states & (GH_STATES_STORE | GH_STATES_STORE_NOTHING));
    }
    return rule->kind == GH_RULE_FORBID;
}

static int
check_policies(const gh_image_t *image, gh_error_t *error)
{
    uint32_t n = image->count[GH_SECTION_POLICY];

    for (uint32_t i = 0; i < n; i++) {
        const gh_image_policy_t *p = &image->policies[i];

        if (!named(image, p->name) || p->guard > 1 || p->unknown_label > 1
            || !range_ok(image, GH_SECTION_PATTERN, p->applies_to) || !range_ok(image, GH_SECTION_CLASS, p->classes)
            || !range_ok(image, GH_SECTION_ASSIGN, p->assigns) || !range_ok(image, GH_SECTION_LABEL, p->labels)
            || !range_ok(image, GH_SECTION_PLACE, p->places) || !range_ok(image, GH_SECTION_RULE, p->rules)
            || p->classes.count > 32 || (!p->guard && p->default_class >= p->classes.count)
            || !mask_ok(p->uninspected_mask, p->classes.count) || !places_ok(p->audit_store))
        {
            return bad(error, "policy", i);
        }
        for (uint32_t a = 0; a < p->assigns.count; a++) {
            const gh_image_assign_t *assign = &image->assigns[p->assigns.first + a];

            if (assign->class_index >= p->classes.count || !range_ok(image, GH_SECTION_PATTERN, assign->tenants)) {
                return bad(error, "policy", i);
            }
        }
        for (uint32_t r = 0; r < p->rules.count; r++) {
            if (!rule_ok(image, p, &image->rules[p->rules.first + r])) {
                return bad(error, "rule", p->rules.first + r);
            }
        }
    }
    return GH_OK;
}

static int
check_tenants(const gh_image_t *image, gh_error_t *error)
{
    uint32_t words = (image->count[GH_SECTION_MODEL] + 63) / 64;
    uint32_t n = image->count[GH_SECTION_PROFILE];
    uint64_t apps = 0;

    for (uint32_t i = 0; i < n; i++) {
        const gh_image_profile_t *p = &image->profiles[i];
        uint32_t                  classes = 0;

        if (p->policy < -1 || p->policy >= (int64_t) image->count[GH_SECTION_POLICY]) {
            return bad(error, "profile", i);
        }
        if (p->policy >= 0) {
            if (image->policies[p->policy].guard) {
                return bad(error, "profile", i);
            }
            classes = image->policies[p->policy].classes.count;
        }
        if (!mask_ok(p->tenant_classes, classes) || !mask_ok(p->app_classes, classes) || p->narrowed > 1 || p->audit > 1
            || p->latency_weight > 1000
            || !range_ok(image, GH_SECTION_BITMAP, p->models) || p->models.count != words || !places_known(p->places)
            || p->number >= image->header->next_profile || (i > 0 && p->number <= image->profiles[i - 1].number) || p->apps == 0)
        {
            return bad(error, "profile", i);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        apps += image->profiles[i].apps;
    }
    n = image->count[GH_SECTION_APP];
    if (apps != image->header->app_count || image->header->apps_elsewhere > 1 || n != (image->header->apps_elsewhere ? 0 : image->header->app_count)) {
        return bad(error, "count of apps", image->header->app_count);
    }
    for (uint32_t i = 0; i < n; i++) {
        const gh_image_app_t *app = &image->apps[i];

        if (!named(image, app->path) || app->profile >= image->count[GH_SECTION_PROFILE]
            || !range_ok(image, GH_SECTION_LIMIT, app->limits) || app->limits.count > GH_LIMITS_MAX
            || (i > 0 && !sorted(image, image->apps[i - 1].path, app->path)))
        {
            return bad(error, "app", i);
        }
    }
    return GH_OK;
}

static int
check_limits(const gh_image_t *image, gh_error_t *error)
{
    for (uint32_t i = 0; i < image->count[GH_SECTION_LIMIT]; i++) {
        if (!gh_limit_valid(&image->limits[i])) {
            return bad(error, "limit", i);
        }
    }
    return GH_OK;
}

static int
check_lists(const gh_image_t *image, gh_error_t *error)
{
    static const struct { gh_section_t section; const char *what; } lists[] = {
        { GH_SECTION_PATTERN, "pattern" }, { GH_SECTION_CLASS, "class" }, { GH_SECTION_LABEL, "label" },
        { GH_SECTION_PARTITION, "partition" }, { GH_SECTION_ATTEST, "attestation" }, { GH_SECTION_IDENTITY, "identity document" },
    };

    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        const gh_ref_t *refs = (const gh_ref_t *) (image->bytes + image->header->section[lists[l].section].offset);

        for (uint32_t i = 0; i < image->count[lists[l].section]; i++) {
            if (!named(image, refs[i])) {
                return bad(error, lists[l].what, i);
            }
        }
    }
    if (image->count[GH_SECTION_PARTITION] > 64 || image->count[GH_SECTION_ATTEST] > 64) {
        return bad(error, "partition or attestation", 64);
    }
    for (uint32_t i = 0; i < image->count[GH_SECTION_PLACE]; i++) {
        if (!named(image, image->places[i].name) || !places_known(image->places[i].places)) {
            return bad(error, "place", i);
        }
    }
    if (!range_ok(image, GH_SECTION_PLACE, image->header->sets)) {
        return bad(error, "list of sets", 0);
    }
    return GH_OK;
}

int
gh_image_check_entries(const gh_image_t *image, gh_error_t *error)
{
    if (check_lists(image, error) != GH_OK || check_fleet(image, error) != GH_OK || check_targets(image, error) != GH_OK
        || check_policies(image, error) != GH_OK || check_tenants(image, error) != GH_OK
        || check_limits(image, error) != GH_OK)
    {
        return GH_ERROR;
    }
    return GH_OK;
}
