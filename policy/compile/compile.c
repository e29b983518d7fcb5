/* The image: fleet and policies here, apps and their profiles in profiles.c. */
#include "policy/compile/compile.h"

#include <stdlib.h>
#include <string.h>

#include "policy/compile/profiles.h"
#include "policy/compile/section.h"

typedef struct { gh_str_t key; uint32_t major, index; } order_t;

static int
order_compare(const void *left, const void *right)
{
    const order_t *a = left, *b = right;

    if (a->major != b->major) {
        return a->major < b->major ? -1 : 1;
    }
    return gh_str_cmp(a->key, b->key);
}

static void
compile_nodes(gh_builder_t *builder, const gh_model_t *model)
{
    order_t         *order = gh_arena_array(builder->arena, model->node_count, sizeof(*order));
    gh_image_node_t *nodes = gh_section_append(builder, GH_SECTION_NODE, model->node_count);

    if (order == NULL || nodes == NULL) {
        builder->failed = true;
        return;
    }
    for (uint32_t i = 0; i < model->node_count; i++) {
        order[i] = (order_t) { model->nodes[i].id, 0, i };
    }
    qsort(order, model->node_count, sizeof(*order), order_compare);
    for (uint32_t i = 0; i < model->node_count; i++) {
        nodes[i].name = gh_section_string(builder, order[i].key);
        nodes[i].country = (uint32_t) model->nodes[order[i].index].country;
    }
}

/* ---- whose account a backend is ---- */

typedef struct {
    gh_str_t backend, tenant;        /* "org/tenant"; empty: of several */
    uint32_t deployment;
} account_t;

/* The tenant that a pattern covers nothing outside of. */
static gh_str_t
tenant_of(gh_str_t pattern)
{
    unsigned slashes = 0;
    size_t   end = 0;

    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.data[i] == '/' && ++slashes == 2) {
            end = i;
        } else if (pattern.data[i] == '*' && slashes < 2) {
            return GH_STR("");
        }
    }

    return slashes == 0 ? GH_STR("") : (gh_str_t) { pattern.data, slashes >= 2 ? end : pattern.len };
}

static int
account_compare(const void *a, const void *b)
{
    return gh_str_cmp(((const account_t *) a)->backend, ((const account_t *) b)->backend);
}

/* One entry for each pattern of each target, by backend. */
static void
mark_accounts(gh_builder_t *builder, const gh_model_t *model, gh_image_deployment_t *out)
{
    account_t *accounts;
    uint32_t   count = 0, n = 0, from, to, i;

    for (i = 0; i < model->target_count; i++) {
        count += model->targets[i].serves.count;
    }
    accounts = gh_arena_array(builder->arena, count, sizeof(*accounts));
    if (accounts == NULL) {
        builder->failed = true;
        return;
    }
    for (i = 0; i < model->target_count; i++) {
        const gh_model_target_t *target = &model->targets[i];

        for (uint32_t p = 0; p < target->serves.count; p++) {
            accounts[n++] = (account_t) { model->deployments[target->deployment].backend, tenant_of(target->serves.items[p]), target->deployment };
        }
    }
    qsort(accounts, n, sizeof(*accounts), account_compare);

    for (from = 0; from < n; from = to) {
        bool one = accounts[from].tenant.len != 0;

        for (to = from; to < n && gh_str_eq(accounts[to].backend, accounts[from].backend); to++) {
            one = one && gh_str_eq(accounts[to].tenant, accounts[from].tenant);
        }
        for (i = from; one && i < to; i++) {
            out[accounts[i].deployment].one_tenant = 1;
        }
    }
}

static void
compile_deployments(gh_builder_t *builder, const gh_model_t *model)
{
    gh_image_deployment_t *out = gh_section_append(builder, GH_SECTION_DEPLOYMENT, model->deployment_count);

    for (uint32_t i = 0; out != NULL && i < model->deployment_count; i++) {
        const gh_model_deployment_t *in = &model->deployments[i];

        out[i].id = gh_section_string(builder, in->id);
        out[i].backend = gh_section_string(builder, in->backend);
        out[i].provider = gh_section_string(builder, in->provider);
        out[i].region = gh_section_string(builder, in->region);
        out[i].api_version = gh_section_string(builder, in->api_version);
        out[i].dialect = (uint32_t) in->dialect;
    }
    if (out != NULL) {
        mark_accounts(builder, model, out);
    }
}

static gh_range_t
compile_features(gh_builder_t *builder, const gh_model_target_t *target)
{
    gh_range_t          range = { gh_section_count(builder, GH_SECTION_FEATURE), target->feature_count };
    gh_image_feature_t *out = gh_section_append(builder, GH_SECTION_FEATURE, target->feature_count);

    for (uint32_t i = 0; out != NULL && i < target->feature_count; i++) {
        const gh_model_feature_t *in = &target->features[i];

        out[i].name = gh_section_string(builder, in->name);
        out[i].until_ms = in->until_ms;
        out[i].process = in->process;
        out[i].store = in->store.places;
        out[i].store_nothing = in->store.nothing;
        out[i].store_days_known = in->store.days_known;
        out[i].store_days = in->store.days;
    }
    return range;
}

static gh_image_price_t
compile_price(gh_builder_t *builder, const gh_price_t *in)
{
    gh_image_price_t price = {
        .rates = { in->input, in->cached, in->cache_write, in->output, in->reasoning },
        .tiers = { gh_section_count(builder, GH_SECTION_TIER), in->tier_count },
    };
    gh_price_tier_t *tiers = gh_section_append(builder, GH_SECTION_TIER, in->tier_count);

    if (tiers != NULL && in->tier_count != 0) {
        memcpy(tiers, in->tiers, in->tier_count * sizeof(*tiers));
    }
    return price;
}

static gh_range_t
compile_service_prices(gh_builder_t *builder, const gh_model_target_t *target)
{
    gh_range_t range = { gh_section_count(builder, GH_SECTION_PRICE), 0 };

    for (uint32_t i = 0; i < GH_SERVICE_TIERS; i++) {
        gh_image_price_t *out;

        if (!target->service_prices[i].known) {
            continue;
        }
        out = gh_section_append(builder, GH_SECTION_PRICE, 1);
        if (out != NULL) {
            *out = compile_price(builder, &target->service_prices[i]);
            out->service_tier = i;
            range.count++;
        }
    }
    return range;
}

static void
compile_target(gh_builder_t *builder, const gh_model_target_t *in)
{
    gh_range_t         serves = gh_section_strings(builder, GH_SECTION_PATTERN, &in->serves);
    gh_range_t         features = compile_features(builder, in);
    gh_range_t         service_prices = compile_service_prices(builder, in);
    gh_image_price_t   price = compile_price(builder, &in->price);
    gh_image_target_t *out = gh_section_append(builder, GH_SECTION_TARGET, 1);

    if (out == NULL) {
        return;
    }
    out->deployment = in->deployment;
    out->model = in->model;
    out->upstream = gh_section_string(builder, in->upstream);
    out->sku = gh_section_string(builder, in->sku);
    out->inference_geo = gh_section_string(builder, in->inference_geo);
    out->price_source = gh_section_string(builder, in->price_source);
    out->serves = serves;
    out->features = features;
    out->endpoints = in->endpoints;
    out->priority = in->priority;
    out->partition = in->partition;
    out->price_as_of = in->price_as_of;
    out->store_nothing = in->store.nothing;
    out->store_days_known = in->store.days_known;
    out->store_days = in->store.days;
    out->training = in->training;
    out->price_known = in->price.known;
    out->price = price;
    out->service_prices = service_prices;
    out->attest_mask = in->attest_mask;
    out->until = (gh_image_expiry_t) { in->process_until_ms, in->store_until_ms, in->operator_home_until_ms,
                                       in->attest_until_ms, in->training_until_ms };
    out->process = in->process;
    out->store = in->store.places;
    out->operator_home = in->operator_home;
}

/* Models with their targets, grouped by model and ordered by deployment id; then the names. */
static void
compile_models(gh_builder_t *builder, const gh_model_t *model)
{
    uint32_t          names = model->model_count;
    order_t          *order = gh_arena_array(builder->arena, model->target_count, sizeof(*order));
    gh_image_model_t *models = gh_section_append(builder, GH_SECTION_MODEL, model->model_count);
    gh_image_name_t  *out;
    uint32_t          n = 0, next = 0;

    if (order == NULL || models == NULL) {
        builder->failed = true;
        return;
    }
    for (uint32_t i = 0; i < model->target_count; i++) {
        order[i] = (order_t) { model->deployments[model->targets[i].deployment].id, model->targets[i].model, i };
    }
    qsort(order, model->target_count, sizeof(*order), order_compare);

    for (uint32_t i = 0; i < model->model_count; i++) {
        uint32_t first = next;

        while (next < model->target_count && order[next].major == i) {
            compile_target(builder, &model->targets[order[next++].index]);
        }
        models[i].name = gh_section_string(builder, model->models[i].name);
        models[i].targets = (gh_range_t) { first, next - first };
        models[i].context = model->models[i].context;
        models[i].max_output = model->models[i].max_output;
        models[i].image_tokens = model->models[i].image_tokens;
        models[i].message_tokens = model->models[i].message_tokens;
        names += model->models[i].aliases.count;
    }

    order = gh_arena_array(builder->arena, names, sizeof(*order));
    out = gh_section_append(builder, GH_SECTION_NAME, names);
    if (order == NULL || out == NULL) {
        builder->failed = true;
        return;
    }
    for (uint32_t i = 0; i < model->model_count; i++) {
        order[n++] = (order_t) { model->models[i].name, 0, i * 2 };
        for (uint32_t a = 0; a < model->models[i].aliases.count; a++) {
            order[n++] = (order_t) { model->models[i].aliases.items[a], 0, i * 2 + 1 };
        }
    }
    qsort(order, names, sizeof(*order), order_compare);
    for (uint32_t i = 0; i < names; i++) {
        out[i].name = gh_section_string(builder, order[i].key);
        out[i].model = order[i].index / 2;
        out[i].alias = order[i].index % 2;
    }
}

static gh_range_t
compile_places(gh_builder_t *builder, const gh_model_place_t *places, uint32_t count)
{
    gh_range_t        range = { gh_section_count(builder, GH_SECTION_PLACE), count };
    gh_image_place_t *out = gh_section_append(builder, GH_SECTION_PLACE, count);

    for (uint32_t i = 0; out != NULL && i < count; i++) {
        out[i].name = gh_section_string(builder, places[i].name);
        out[i].places = places[i].places;
    }
    return range;
}

static void
compile_rule(gh_builder_t *builder, const gh_model_rule_t *in)
{
    gh_range_t tenants = gh_section_strings(builder, GH_SECTION_PATTERN, &in->tenants);
    gh_range_t models = gh_section_strings(builder, GH_SECTION_PATTERN, &in->models);
    gh_ref_t   id = gh_section_string(builder, in->id);
    gh_ref_t   why = gh_section_string(builder, in->why);
    gh_ref_t   law = gh_section_string(builder, in->law);
    gh_rule_t *out = gh_section_append(builder, GH_SECTION_RULE, 1);

    if (out == NULL) {
        return;
    }
    *out = (gh_rule_t) {
        .id_offset = id.offset, .id_len = id.length,
        .why_offset = why.offset, .why_len = why.length,
        .law_offset = law.offset, .law_len = law.length,
        .kind = in->kind, .states = in->states, .class_mask = in->class_mask, .max_days = in->max_days,
        .until_ms = in->until_ms, .partition_mask = in->partition_mask, .attest_mask = in->attest_mask,
        .process = in->process, .store = in->store, .operator_home = in->operator_home,
        .tenants_first = tenants.first, .tenants_count = tenants.count,
        .models_first = models.first, .models_count = models.count,
    };
}

static gh_range_t
compile_assigns(gh_builder_t *builder, const gh_model_policy_t *policy)
{
    gh_range_t         range = { gh_section_count(builder, GH_SECTION_ASSIGN), policy->assign_count };
    gh_image_assign_t *out = gh_section_append(builder, GH_SECTION_ASSIGN, policy->assign_count);

    for (uint32_t i = 0; out != NULL && i < policy->assign_count; i++) {
        out[i].tenants = gh_section_strings(builder, GH_SECTION_PATTERN, &policy->assigns[i].tenants);
        out[i].class_index = policy->assigns[i].class_index;
    }
    return range;
}

static void
compile_policies(gh_builder_t *builder, const gh_model_t *model)
{
    for (uint32_t i = 0; i < model->policy_count; i++) {
        const gh_model_policy_t *in = &model->policies[i];
        gh_image_policy_t        out;
        gh_image_policy_t       *at;

        memset(&out, 0, sizeof(out));
        out.name = gh_section_string(builder, in->name);
        out.guard = in->guard;
        out.unknown_label = in->unknown_label == GH_LABEL_HIGHEST;
        out.applies_to = gh_section_strings(builder, GH_SECTION_PATTERN, &in->applies_to);
        out.classes = gh_section_strings(builder, GH_SECTION_CLASS, &in->classes);
        out.default_class = in->guard ? 0 : in->default_class;
        out.uninspected_mask = in->uninspected_mask;
        out.assigns = compile_assigns(builder, in);
        out.labels = gh_section_strings(builder, GH_SECTION_LABEL, &in->label_headers);
        out.places = compile_places(builder, in->places, in->place_count);
        out.rules = (gh_range_t) { gh_section_count(builder, GH_SECTION_RULE), in->rule_count };
        for (uint32_t r = 0; r < in->rule_count; r++) {
            compile_rule(builder, &in->rules[r]);
        }
        out.has_audit_store = in->has_audit_store;
        out.audit_store = in->audit_store;
        at = gh_section_append(builder, GH_SECTION_POLICY, 1);
        if (at != NULL) {
            *at = out;
        }
    }
}

static int
compile(gh_arena_t *arena, const gh_model_t *model, const gh_image_t *previous, const gh_compile_change_t *change,
    uint64_t now_ms, gh_bytes_t *image, gh_compiled_t *compiled, gh_error_t *error)
{
    gh_builder_t      builder;
    gh_image_header_t header;

    memset(&builder, 0, sizeof(builder));
    builder.arena = arena;
    memset(&header, 0, sizeof(header));
    header.format = GH_IMAGE_FORMAT;
    header.compiled_ms = previous != NULL && previous->clock_ms > now_ms ? previous->clock_ms : now_ms;
    memcpy(header.policy_digest, model->policy_sha256, 32);
    memcpy(header.facts_digest, model->facts_sha256, 32);

    compile_nodes(&builder, model);
    compile_deployments(&builder, model);
    compile_models(&builder, model);
    compile_policies(&builder, model);
    header.sets = compile_places(&builder, model->sets, model->set_count);
    gh_section_strings(&builder, GH_SECTION_PARTITION, &model->partitions);
    gh_section_strings(&builder, GH_SECTION_ATTEST, &model->attests);
    gh_section_strings(&builder, GH_SECTION_IDENTITY, &model->identities);
    if (gh_compile_profiles(&builder, model, previous, change, &header, compiled, error) != GH_OK) {
        return GH_ERROR;
    }
    if (compiled != NULL) {
        compiled->token_apps = model->token_apps;
    }
    if (gh_section_finish(&builder, &header, image) != GH_OK) {
        return gh_error_set(error, "out_of_memory", "no memory for the compiled policy, or it is above 4 GiB");
    }
    return GH_OK;
}

int
gh_compile(gh_arena_t *arena, const gh_model_t *model, const gh_image_t *previous, uint64_t now_ms,
    gh_compiled_t *compiled, gh_error_t *error)
{
    memset(compiled, 0, sizeof(*compiled));
    return compile(arena, model, previous, NULL, now_ms, &compiled->image, compiled, error);
}

int
gh_compile_part(gh_arena_t *arena, const gh_model_t *model, const gh_image_t *previous, const gh_compile_change_t *change,
    uint64_t now_ms, gh_compiled_t *compiled, gh_error_t *error)
{
    memset(compiled, 0, sizeof(*compiled));
    compiled->part = true;
    return compile(arena, model, previous, change, now_ms, &compiled->image, compiled, error);
}

int
gh_compile_image(gh_arena_t *arena, const gh_model_t *model, uint64_t now_ms, gh_image_t **image, gh_error_t *error)
{
    gh_bytes_t bytes;

    *image = NULL;
    if (compile(arena, model, NULL, NULL, now_ms, &bytes, NULL, error) != GH_OK) {
        return GH_ERROR;
    }
    return gh_image_open(bytes.data, bytes.len, image, error);
}
