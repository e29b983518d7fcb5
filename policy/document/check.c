/* What only the whole set of documents can show: ids given twice, limits, no policy, nodes. */
#include <stdlib.h>
#include <string.h>

#include "policy/document/check.h"

/* ---- ids ---- */

static int
where_cmp(gh_where_t a, gh_where_t b)
{
    int order = strcmp(a.source, b.source);

    if (order != 0) {
        return order;
    }
    return a.line != b.line ? (a.line < b.line ? -1 : 1) : (a.column > b.column) - (a.column < b.column);
}

static int
id_cmp(const void *left, const void *right)
{
    const gh_given_id_t *a = left, *b = right;
    int                  order = strcmp(a->what, b->what);

    if (order == 0) {
        order = gh_str_cmp(a->id, b->id);
    }
    return order != 0 ? order : where_cmp(a->where, b->where);
}

static uint64_t
id_hash(const gh_given_id_t *id)
{
    uint64_t hash = 14695981039346656037u;   /* FNV-1a: only speed depends on it */

    for (const char *c = id->what; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t) *c) * 1099511628211u;
    }
    for (size_t i = 0; i < id->id.len; i++) {
        hash = (hash ^ (uint8_t) id->id.data[i]) * 1099511628211u;
    }
    return hash == 0 ? 1 : hash;             /* 0: a free slot */
}

/* No two ids have the same hash: then none is given twice, and a million need not be sorted to see it. */
static bool
all_differ(gh_loader_t *loader)
{
    size_t    slots = 64;
    uint64_t *table;

    while (slots < (size_t) loader->id_count * 2) {
        slots *= 2;
    }
    table = gh_arena_array(loader->arena, slots, sizeof(*table));
    for (uint32_t i = 0; table != NULL && i < loader->id_count; i++) {
        uint64_t hash = id_hash(&loader->ids[i]);
        size_t   at = (hash ^ hash >> 32) & (slots - 1);

        while (table[at] != 0 && table[at] != hash) {
            at = (at + 1) & (slots - 1);
        }
        if (table[at] == hash) {
            return false;
        }
        table[at] = hash;
    }
    return table != NULL;
}

static void
check_ids(gh_loader_t *loader)
{
    if (loader->id_count == 0 || all_differ(loader)) {
        return;
    }
    qsort(loader->ids, loader->id_count, sizeof(*loader->ids), id_cmp);
    for (uint32_t i = 1; i < loader->id_count; i++) {
        const gh_given_id_t *before = &loader->ids[i - 1], *id = &loader->ids[i];

        if (strcmp(before->what, id->what) == 0 && gh_str_eq(before->id, id->id)) {
            gh_doc_error(loader, id->where, "duplicate", "%s \"%.*s\" is already given at %s:%u:%u", id->what,
                GH_STR_ARG(id->id), before->where.source, before->where.line, before->where.column);
        }
    }
}

static void
check_limits(gh_loader_t *loader)
{
    const gh_model_t *model = loader->model;

    if (model->deployment_count > GH_MAX_DEPLOYMENTS) {
        gh_doc_error(loader, model->deployments[GH_MAX_DEPLOYMENTS].where, "limit", "%u deployments: at most %d",
            model->deployment_count, GH_MAX_DEPLOYMENTS);
    }
    if (model->model_count > GH_MAX_MODELS) {
        gh_doc_error(loader, model->models[GH_MAX_MODELS].where, "limit", "%u models: at most %d", model->model_count,
            GH_MAX_MODELS);
    }
    if (model->node_count > GH_MAX_NODES) {
        gh_doc_error(loader, model->nodes[GH_MAX_NODES].where, "limit", "%u nodes: at most %d", model->node_count,
            GH_MAX_NODES);
    }
}

/* ---- policies, tenants, nodes ---- */

static void
check_tenants(gh_loader_t *loader)
{
    for (uint32_t o = 0; o < loader->model->organisation_count; o++) {
        const gh_model_organisation_t *organisation = &loader->model->organisations[o];
        uint32_t                       without = 0;

        for (uint32_t t = 0; t < organisation->tenant_count; t++) {
            without += organisation->tenants[t].policy < 0;
        }
        if (without != 0 && without == organisation->tenant_count) {
            gh_doc_warn(loader, organisation->where, "no_policy",
                "no policy covers organisation \"%.*s\": every request is denied", GH_STR_ARG(organisation->id));
            continue;
        }
        for (uint32_t t = 0; without != 0 && t < organisation->tenant_count; t++) {
            const gh_model_tenant_t *tenant = &organisation->tenants[t];

            if (tenant->policy < 0) {
                gh_doc_warn(loader, tenant->where, "no_policy",
                    "no policy covers tenant \"%.*s\": every request is denied", GH_STR_ARG(tenant->path));
            }
        }
    }
}

/* Of a part: whether to warn of a tenant or of its whole organisation depends on the others. */
static void
check_covered(gh_loader_t *loader)
{
    for (uint32_t o = 0; o < loader->model->organisation_count; o++) {
        const gh_model_organisation_t *organisation = &loader->model->organisations[o];

        for (uint32_t t = 0; t < organisation->tenant_count; t++) {
            loader->part->uncertain |= organisation->tenants[t].policy < 0;
        }
    }
}

static void
check_classes(gh_loader_t *loader)
{
    for (uint32_t i = 0; i < loader->policy_count; i++) {
        const gh_model_policy_t *policy = loader->policies[i];
        uint32_t                 allowed = 0;

        for (uint32_t k = 0; k < policy->rule_count; k++) {
            allowed |= policy->rules[k].kind == GH_RULE_ALLOW ? policy->rules[k].class_mask : 0;
        }
        for (uint32_t k = 0; k < policy->classes.count && k < GH_MAX_CLASSES; k++) {
            if (!(allowed >> k & 1)) {
                gh_doc_warn(loader, policy->class_wheres[k], "class_without_allow",
                    "class \"%.*s\" of policy \"%.*s\" has no allow: it may go nowhere",
                    GH_STR_ARG(policy->classes.items[k]), GH_STR_ARG(policy->name));
            }
        }
    }
}

/* Any name may be an attestation: one that no deployment has is unknown, and mostly misspelt. */
static void
check_attests(gh_loader_t *loader)
{
    const gh_model_t *model = loader->model;
    gh_str_t          stated[GH_MAX_NAMES];
    uint64_t          mask = 0;
    size_t            count = 0;

    for (uint32_t i = 0; i < model->target_count; i++) {
        mask |= model->targets[i].attest_mask;
    }
    for (uint32_t i = 0; i < model->attests.count && i < GH_MAX_NAMES; i++) {
        if (mask >> i & 1) {
            stated[count++] = model->attests.items[i];
        }
    }
    for (uint32_t i = 0; model->target_count != 0 && i < loader->attest_use_count; i++) {
        const gh_attest_use_t *use = &loader->attest_uses[i];
        int32_t                index = gh_list_find(&model->attests, use->name);

        if (index < 0 || !(mask >> index & 1)) {
            gh_doc_warn(loader, use->where, "unknown_attest", "%s asks for \"%.*s\", which no deployment is known to have%s",
                use->what, GH_STR_ARG(use->name), gh_doc_near(loader, use->name, stated, count));
        }
    }
}

static const gh_model_node_t *
find_node(const gh_model_t *model, gh_str_t id)
{
    for (uint32_t i = 0; i < model->node_count; i++) {
        if (gh_str_eq(model->nodes[i].id, id)) {
            return &model->nodes[i];
        }
    }
    return NULL;
}

static void
check_pins(gh_loader_t *loader, bool errors_only)
{
    for (uint32_t i = 0; i < loader->pin_count; i++) {
        const gh_node_pin_t   *pin = &loader->pins[i];
        const gh_model_node_t *node = find_node(loader->model, pin->id);

        if (node == NULL && !errors_only) {
            gh_doc_warn(loader, pin->where, "unknown_node",
                "guard \"%.*s\" pins node \"%.*s\", which no fleet document lists", GH_STR_ARG(pin->guard),
                GH_STR_ARG(pin->id));
        }
        if (node != NULL && node->country >= 0 && pin->country >= 0 && node->country != pin->country) {
            gh_doc_error(loader, node->where, "conflict",
                "node \"%.*s\" is in %s here, but guard \"%.*s\" pins it to %s (%s:%u:%u)", GH_STR_ARG(node->id),
                gh_country_codes[node->country], GH_STR_ARG(pin->guard), gh_country_codes[pin->country],
                pin->where.source, pin->where.line, pin->where.column);
        }
    }
}

/* Every node may answer for every organisation, and keeps the records of what it answers. */
static void
check_audit_stores(gh_loader_t *loader)
{
    const gh_model_t *model = loader->model;

    for (uint32_t i = 0; i < loader->policy_count; i++) {
        const gh_model_policy_t *policy = loader->policies[i];

        for (uint32_t k = 0; policy->has_audit_store && k < model->node_count; k++) {
            const gh_model_node_t *node = &model->nodes[k];
            gh_places_t            place = gh_places_none();

            if (node->country < 0) {
                continue;
            }
            gh_places_add(&place, node->country);
            if (!gh_places_inside(place, policy->audit_store)) {
                gh_doc_error(loader, policy->audit_store_where, "audit_store",
                    "node \"%.*s\" in %s (%s:%u:%u) would keep records outside \"audit_store\" of policy \"%.*s\"",
                    GH_STR_ARG(node->id), gh_country_codes[node->country], node->where.source, node->where.line,
                    node->where.column, GH_STR_ARG(policy->name));
            }
        }
    }
}

static void
check_nodes(gh_loader_t *loader)
{
    const gh_model_t *model = loader->model;

    if (model->deployment_count != 0 && model->node_count == 0) {
        gh_doc_warn(loader, model->deployments[0].where, "no_nodes",
            "no fleet document lists a node: nothing is served");
    }
}

/* Warnings of the whole set are kept for a set without errors: most would only repeat what an error says. */
void
gh_documents_check(gh_loader_t *loader)
{
    bool wrong;

    check_ids(loader);
    check_limits(loader);
    check_audit_stores(loader);
    wrong = loader->report->errors != 0;

    if (!loader->incomplete) {
        gh_check_patterns(loader, wrong);
        check_pins(loader, wrong);
    }
    if (!wrong) {
        check_classes(loader);
        if (loader->part == NULL) {
            check_tenants(loader);
        } else {
            check_covered(loader);
        }
        check_nodes(loader);
        check_attests(loader);
        gh_check_facts(loader);
    }
    if (loader->report->errors == 0 && loader->part == NULL) {
        gh_check_rules(loader);
    }
}
