/*
 * tenants/1: organisations, their tenants, their apps. Whatever stands here adds classes or narrows, never the reverse.
 * Read after every residency document, since classes and places are those of the policy that covers the tenant.
 */
#include "policy/document/reading.h"

#define MAX_AMOUNT 9007199254740991ull

#define COMMON_MEMBERS                                                                                              \
    { "id", GH_IS_STRING, GH_REQUIRED }, { "classes", GH_IS_LIST, 0 }, { "places", GH_IS_LIST, 0 },                 \
    { "models", GH_IS_LIST, 0 }, { "objective", GH_IS_STRING | GH_IS_OBJECT, 0 }, { "audit", GH_IS_STRING, 0 },                    \
    { "limits", GH_IS_LIST, 0 }, { "claims", 0, GH_LATER }, { "sessions", 0, GH_LATER }, { "tools", 0, GH_LATER },  \
    { "approvals", 0, GH_LATER }, { "credentials", 0, GH_LATER }

static const gh_member_t document_members[] = {
    { "kind", GH_IS_STRING, GH_REQUIRED }, { "organisations", GH_IS_LIST, GH_REQUIRED }, { NULL, 0, 0 }
};

static const gh_member_t organisation_members[] = {
    { "tenants", GH_IS_LIST, GH_REQUIRED }, COMMON_MEMBERS, { NULL, 0, 0 }
};
static const gh_member_t tenant_members[] = { { "apps", GH_IS_LIST, 0 }, COMMON_MEMBERS, { NULL, 0, 0 } };
static const gh_member_t app_members[] = { { "key_limits", GH_IS_LIST, 0 }, COMMON_MEMBERS, { NULL, 0, 0 } };

static const gh_member_t limit_members[] = {
    { "dimension", GH_IS_STRING, GH_REQUIRED }, { "per", GH_IS_STRING, 0 }, { "amount", GH_IS_NUMBER, GH_REQUIRED },
    { "class", GH_IS_STRING, GH_REQUIRED }, { NULL, 0, 0 }
};

static const char *const dimensions[] = {
    "requests", "tokens", "micro-dollars", "in-flight", "input", "output", "streams", NULL
};
static const char *const windows[] = { "none", "second", "minute", "day", "month", NULL };
static const char *const limit_classes[] = { "budget", "rate", "shadow", NULL };

typedef struct {                    /* inherited from organisation to tenant to app */
    const gh_node_t *nodes[3];      /* the objects themselves, outermost first */
    unsigned         depth;
    int32_t          policy;
    gh_objective_t   objective;
    bool             narrowed;
    gh_places_t      places;
} level_t;

static void
read_limit(gh_loader_t *loader, const gh_node_t *node, gh_limit_list_t *list)
{
    const gh_node_t  *dimension, *per, *class;
    gh_model_limit_t *limit;
    int               index;

    if (!gh_doc_members(loader, node, "a limit", limit_members)) {
        return;
    }
    dimension = gh_doc_get(node, "dimension", GH_IS_STRING);
    per = gh_doc_get(node, "per", GH_IS_STRING);
    class = gh_doc_get(node, "class", GH_IS_STRING);
    limit = gh_doc_push(loader, &list->items, &list->count, sizeof(*limit));
    if (limit == NULL) {
        return;
    }
    index = dimension ? gh_doc_word(loader, dimension, "dimension", dimensions) : -1;
    limit->dimension = gh_str_from(index < 0 ? "" : dimensions[index]);
    index = per ? gh_doc_word(loader, per, "window", windows) : 0;
    limit->per = gh_str_from(index < 0 ? "" : windows[index]);
    index = class ? gh_doc_word(loader, class, "class of limits", limit_classes) : -1;
    limit->limit_class = gh_str_from(index < 0 ? "" : limit_classes[index]);
    gh_doc_integer(loader, gh_doc_get(node, "amount", GH_IS_NUMBER), MAX_AMOUNT, &limit->amount);
}

static gh_limit_list_t
read_limits(gh_loader_t *loader, const gh_node_t *object, const char *member)
{
    const gh_node_t *node = gh_doc_get(object, member, GH_IS_LIST);
    gh_limit_list_t  list = { NULL, 0 };

    if (node == NULL || node->count == 0) {
        return list;
    }
    gh_doc_warn(
        loader, GH_WHERE_KEY(loader, node), "limits", "\"%s\" are kept, but nothing enforces them yet", member);
    for (const gh_node_t *item = node->first; item; item = item->next) {
        read_limit(loader, item, &list);
    }
    return list;
}

static gh_str_list_t
read_models(gh_loader_t *loader, const gh_node_t *object)
{
    const gh_node_t *node = gh_doc_get(object, "models", GH_IS_LIST);
    gh_str_list_t    list = gh_doc_list(loader, node, GH_LIST_MODEL_PATTERNS, 0);

    gh_doc_must_cover(loader, node, &list, &(gh_cover_check_t) { .models = true, .names_only = true, .what = "models" });
    return list;
}

/*
 * Deployments are tried by priority and then by price, and what cannot be recorded is refused: the words that ask for anything else
 * are known, and refused until they do what they say.
 */
static void
read_audit(gh_loader_t *loader, const gh_node_t *node)
{
    static const char *const words[] = { "required", NULL };

    if (node != NULL && gh_str_is(node->text, "best-effort")) {
        gh_doc_error(loader, GH_WHERE(loader, node), "not_supported", "audit \"best-effort\" is not supported yet");
    } else if (node != NULL) {
        gh_doc_word(loader, node, "audit", words);
    }
}

static void
read_objective(gh_loader_t *loader, const gh_node_t *node, gh_objective_t *objective)
{
    static const char *const words[] = { "cost", NULL };

    if (node == NULL) {
        return;
    }
    if (node->type == GH_NODE_OBJECT) {
        gh_doc_error(loader, GH_WHERE(loader, node), "not_supported", "weights of an \"objective\" are not supported yet");
    } else if (gh_str_is(node->text, "latency")) {
        gh_doc_error(loader, GH_WHERE(loader, node), "not_supported", "objective \"latency\" is not supported yet");
    } else if (gh_doc_word(loader, node, "objective", words) == 0) {
        *objective = GH_OBJECTIVE_COST;
    }
}

/* What one object says over what it inherits; classes and places wait until the policy is known. */
static void
read_common(gh_loader_t *loader, const gh_node_t *object, level_t *level)
{
    const gh_node_t *places = gh_doc_get(object, "places", GH_IS_LIST);

    level->nodes[level->depth++] = object;
    read_audit(loader, gh_doc_get(object, "audit", GH_IS_STRING));
    read_objective(loader, gh_doc_get(object, "objective", GH_IS_STRING | GH_IS_OBJECT), &level->objective);

    if (places != NULL && places->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, places), "empty_list", "\"places\" must not be empty");
    }
}

static gh_place_scope_t
scope_of(gh_loader_t *loader, int32_t policy)
{
    gh_place_scope_t scope = { .facts = loader->facts, .facts_count = 1 };

    if (policy >= 0) {
        scope.facts = &loader->pinned[policy];
        scope.own = loader->policies[policy]->places;
        scope.own_count = loader->policies[policy]->place_count;
        scope.used = &loader->policies[policy]->sets;
    }
    return scope;
}

static void
narrow(gh_loader_t *loader, const gh_node_t *object, level_t *level)
{
    const gh_node_t *node = gh_doc_get(object, "places", GH_IS_LIST);
    gh_place_scope_t scope = scope_of(loader, level->policy);
    gh_places_t      places;

    if (node == NULL || (loader->incomplete && level->policy < 0)) {
        return;
    }
    gh_doc_places(loader, node, &scope, &places);
    level->places = level->narrowed ? gh_places_intersect(level->places, places) : places;
    level->narrowed = true;
    if (gh_places_empty(level->places)) {
        gh_doc_warn(loader, GH_WHERE_KEY(loader, node), "narrowed_away",
            "nothing is left of the places that the levels above allow");
    }
}

static uint32_t
classes(gh_loader_t *loader, const gh_node_t *object, const level_t *level)
{
    const gh_node_t *node = gh_doc_get(object, "classes", GH_IS_LIST);

    if (node == NULL || node->count == 0) {
        return 0;
    }
    if (level->policy < 0) {
        if (!loader->incomplete) {
            gh_doc_error(loader, GH_WHERE_KEY(loader, node), "no_policy",
                "\"classes\" mean nothing here: no policy covers the tenant");
        }
        return 0;
    }
    return (uint32_t) gh_doc_mask(loader, node, "class", &loader->policies[level->policy]->classes);
}

/* The one policy of the tenant's organisation, when it covers the tenant. */
static int32_t
find_policy(gh_loader_t *loader, const gh_model_tenant_t *tenant)
{
    for (uint32_t i = 0; i < loader->policy_count; i++) {
        const gh_model_policy_t *policy = loader->policies[i];
        bool                     covers = false;

        for (uint32_t k = 0; k < policy->applies_to.count; k++) {
            covers = covers || gh_pattern_covers(policy->applies_to.items[k], tenant->path);
        }
        if (!policy->guard && covers) {
            return (int32_t) i;
        }
    }
    return -1;
}

static void
read_app(gh_loader_t *loader, const gh_node_t *node, const gh_model_tenant_t *tenant, level_t level,
    gh_model_app_t *app)
{
    const gh_node_t *id = gh_doc_get(node, "id", GH_IS_STRING);

    app->where = GH_WHERE(loader, id ? id : node);
    app->id = gh_doc_id(loader, node, "id");
    app->path = gh_doc_format(loader, "%.*s/%.*s", GH_STR_ARG(tenant->path), GH_STR_ARG(app->id));
    if (app->id.len != 0) {
        gh_doc_given(loader, "app", app->path, app->where);
    }
    read_common(loader, node, &level);
    narrow(loader, node, &level);
    app->class_mask = classes(loader, node, &level);
    app->narrowed = level.narrowed;
    app->places = level.places;
    app->models = read_models(loader, node);
    app->objective = level.objective;
    app->limits = read_limits(loader, node, "limits");
    app->key_limits = read_limits(loader, node, "key_limits");
}

static void
read_tenant(gh_loader_t *loader, const gh_node_t *node, gh_str_t organisation, level_t level,
    gh_model_tenant_t *tenant)
{
    const gh_node_t *id = gh_doc_get(node, "id", GH_IS_STRING), *apps = gh_doc_get(node, "apps", GH_IS_LIST);

    tenant->where = GH_WHERE(loader, id ? id : node);
    tenant->id = gh_doc_id(loader, node, "id");
    tenant->path = gh_doc_format(loader, "%.*s/%.*s", GH_STR_ARG(organisation), GH_STR_ARG(tenant->id));
    if (tenant->id.len != 0) {
        gh_doc_given(loader, "tenant", tenant->path, tenant->where);
    }
    tenant->policy = level.policy = tenant->id.len != 0 ? find_policy(loader, tenant) : -1;
    read_common(loader, node, &level);
    for (unsigned i = 0; i < level.depth; i++) {
        narrow(loader, level.nodes[i], &level);
        tenant->class_mask |= classes(loader, level.nodes[i], &level);
    }
    tenant->narrowed = level.narrowed;
    tenant->places = level.places;
    tenant->models = read_models(loader, node);
    tenant->objective = level.objective;
    tenant->limits = read_limits(loader, node, "limits");

    if (apps != NULL && apps->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, apps), "empty_list", "\"apps\" must not be empty");
    }
    for (const gh_node_t *item = apps ? apps->first : NULL; item; item = item->next) {
        gh_model_app_t *app;

        if (!gh_doc_members(loader, item, "an app", app_members)) {
            continue;
        }
        app = gh_doc_push(loader, &tenant->apps, &tenant->app_count, sizeof(*app));
        if (app != NULL) {
            read_app(loader, item, tenant, level, app);
        }
    }
}

static void
read_organisation(gh_loader_t *loader, const gh_node_t *node, gh_model_organisation_t *organisation)
{
    const gh_node_t *id = gh_doc_get(node, "id", GH_IS_STRING), *tenants = gh_doc_get(node, "tenants", GH_IS_LIST);
    level_t          level = { .policy = -1 };

    organisation->where = GH_WHERE(loader, id ? id : node);
    organisation->id = gh_doc_id(loader, node, "id");
    gh_doc_given(loader, "organisation", organisation->id, organisation->where);
    read_common(loader, node, &level);
    organisation->models = read_models(loader, node);
    organisation->limits = read_limits(loader, node, "limits");

    if (tenants != NULL && tenants->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, tenants), "empty_list", "\"tenants\" must not be empty");
    }
    for (const gh_node_t *item = tenants ? tenants->first : NULL; item; item = item->next) {
        gh_model_tenant_t *tenant;

        if (!gh_doc_members(loader, item, "a tenant", tenant_members)) {
            continue;
        }
        tenant = gh_doc_push(loader, &organisation->tenants, &organisation->tenant_count, sizeof(*tenant));
        if (tenant != NULL) {
            read_tenant(loader, item, organisation->id, level, tenant);
        }
    }
}

void
gh_tenants_read(gh_loader_t *loader, const gh_document_t *document)
{
    gh_model_t      *model = loader->model;
    const gh_node_t *list = gh_doc_get(document->root, "organisations", GH_IS_LIST);

    gh_doc_members(loader, document->root, "a tenants document", document_members);
    if (list != NULL && list->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, list), "empty_list", "\"organisations\" must not be empty");
    }
    for (const gh_node_t *node = list ? list->first : NULL; node; node = node->next) {
        gh_model_organisation_t *organisation;

        if (!gh_doc_members(loader, node, "an organisation", organisation_members)) {
            continue;
        }
        organisation = gh_doc_push(loader, &model->organisations, &model->organisation_count, sizeof(*organisation));
        if (organisation != NULL) {
            read_organisation(loader, node, organisation);
        }
    }
}
