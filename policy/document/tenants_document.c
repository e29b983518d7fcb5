/*
 * tenants/1: organisations, their tenants, their apps. Whatever stands here adds classes or narrows, never the reverse.
 * Read after every residency document, since classes and places are those of the policy that covers the tenant.
 */
#include "policy/document/reading.h"
#include "policy/document/scope.h"
#include "policy/document/tenants.h"

#include <string.h>

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
    gh_said_t        said_classes[3];   /* outermost first */
    gh_said_t        said_places[3];
    unsigned         depth;
    const uint32_t  *policies;      /* indexes of those that may cover the organisation's tenants */
    uint32_t         policy_count;
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
read_limits(gh_loader_t *loader, const gh_node_t *node, const char *member)
{
    gh_limit_list_t list = { NULL, 0 };

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
read_models(gh_loader_t *loader, const gh_node_t *node)
{
    gh_str_list_t list = gh_doc_list(loader, node, GH_LIST_MODEL_PATTERNS, 0);

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

static void
check_places(gh_loader_t *loader, const gh_node_t *places)
{
    if (places != NULL && places->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, places), "empty_list", "\"places\" must not be empty");
    }
}

/* What one object says over what it inherits; classes and places wait until the policy is known. */
static void
read_common(gh_loader_t *loader, const gh_node_t *object, level_t *level)
{
    const gh_node_t *places = gh_doc_get(object, "places", GH_IS_LIST);

    level->said_classes[level->depth] = (gh_said_t) { gh_doc_get(object, "classes", GH_IS_LIST), loader->source };
    level->said_places[level->depth++] = (gh_said_t) { places, loader->source };
    read_audit(loader, gh_doc_get(object, "audit", GH_IS_STRING));
    read_objective(loader, gh_doc_get(object, "objective", GH_IS_STRING | GH_IS_OBJECT), &level->objective);
    check_places(loader, places);
}

/* A member of the right types, read as of the document that says it; NULL, when none does. */
static const gh_node_t *
turn_to(gh_loader_t *loader, const gh_said_t *said, unsigned types)
{
    if (said->node == NULL || !(types >> said->node->type & 1)) {
        return NULL;
    }
    loader->source = said->source;
    return said->node;
}

/* The same of an organisation, whose members may stand in several documents. */
static void
read_organisation_common(gh_loader_t *loader, const gh_organisation_t *from, level_t *level)
{
    const gh_said_t *said = from->said;

    level->said_classes[0] = (gh_said_t) { turn_to(loader, &said[GH_SAID_CLASSES], GH_IS_LIST), said[GH_SAID_CLASSES].source };
    level->said_places[0] = (gh_said_t) { turn_to(loader, &said[GH_SAID_PLACES], GH_IS_LIST), said[GH_SAID_PLACES].source };
    level->depth = 1;
    check_places(loader, level->said_places[0].node);
    read_audit(loader, turn_to(loader, &said[GH_SAID_AUDIT], GH_IS_STRING));
    read_objective(loader, turn_to(loader, &said[GH_SAID_OBJECTIVE], GH_IS_STRING | GH_IS_OBJECT), &level->objective);
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

/* By what one of the levels says; errors stand where it does. */
static void
narrow(gh_loader_t *loader, unsigned by, level_t *level)
{
    const gh_node_t *node = level->said_places[by].node;
    const char      *source = loader->source;
    gh_place_scope_t scope = scope_of(loader, level->policy);
    gh_places_t      places;

    if (node == NULL || (loader->incomplete && level->policy < 0)) {
        return;
    }
    loader->source = level->said_places[by].source;
    gh_doc_places(loader, node, &scope, &places);
    level->places = level->narrowed ? gh_places_intersect(level->places, places) : places;
    level->narrowed = true;
    if (gh_places_empty(level->places)) {
        gh_doc_warn(loader, GH_WHERE_KEY(loader, node), "narrowed_away",
            "nothing is left of the places that the levels above allow");
    }
    loader->source = source;
}

static uint32_t
classes(gh_loader_t *loader, unsigned by, const level_t *level)
{
    const gh_node_t *node = level->said_classes[by].node;
    const char      *source = loader->source;
    uint32_t         mask = 0;

    if (node == NULL || node->count == 0) {
        return 0;
    }
    loader->source = level->said_classes[by].source;
    if (level->policy >= 0) {
        mask = (uint32_t) gh_doc_mask(loader, node, "class", &loader->policies[level->policy]->classes);
    } else if (!loader->incomplete) {
        gh_doc_error(loader, GH_WHERE_KEY(loader, node), "no_policy",
            "\"classes\" mean nothing here: no policy covers the tenant");
    }
    loader->source = source;
    return mask;
}

/* Policies of which a pattern lies in the organisation, or is for everybody: most often the one of the organisation. */
static void
find_policies(gh_loader_t *loader, gh_str_t organisation, level_t *level)
{
    uint32_t *found = gh_arena_array(loader->arena, loader->policy_count, sizeof(*found));

    if (found == NULL) {
        loader->report->no_memory = 1;
        return;
    }
    for (uint32_t i = 0; i < loader->policy_count; i++) {
        const gh_str_list_t *patterns = &loader->policies[i]->applies_to;
        bool                 near = false;

        for (uint32_t k = 0; k < patterns->count; k++) {
            gh_str_t of = gh_pattern_organisation(patterns->items[k]);

            near = near || of.len == 0 || gh_str_eq(of, organisation);
        }
        if (near && !loader->policies[i]->guard) {
            found[level->policy_count++] = i;
        }
    }
    level->policies = found;
}

/* The one policy of the tenant's organisation, when it covers the tenant. */
static int32_t
find_policy(gh_loader_t *loader, const gh_model_tenant_t *tenant, const level_t *level)
{
    for (uint32_t i = 0; i < level->policy_count; i++) {
        const gh_str_list_t *patterns = &loader->policies[level->policies[i]]->applies_to;

        for (uint32_t k = 0; k < patterns->count; k++) {
            if (gh_pattern_covers(patterns->items[k], tenant->path)) {
                return (int32_t) level->policies[i];
            }
        }
    }
    return -1;
}

static gh_str_t
join(gh_loader_t *loader, gh_str_t above, gh_str_t id)
{
    char *text = gh_arena_alloc(loader->arena, above.len + 1 + id.len);

    if (text == NULL) {
        loader->report->no_memory = 1;
        return GH_STR("");
    }
    memcpy(text, above.data, above.len);
    text[above.len] = '/';
    memcpy(text + above.len + 1, id.data, id.len);
    return (gh_str_t) { text, above.len + 1 + id.len };
}

static void
read_app(gh_loader_t *loader, const gh_node_t *node, const gh_model_tenant_t *tenant, level_t level,
    gh_model_app_t *app)
{
    const gh_node_t *id = gh_doc_get(node, "id", GH_IS_STRING);

    app->where = GH_WHERE(loader, id ? id : node);
    app->id = gh_doc_id(loader, node, "id");
    app->path = join(loader, tenant->path, app->id);
    if (app->id.len != 0) {
        gh_doc_given(loader, "app", app->path, app->where);
    }
    read_common(loader, node, &level);
    narrow(loader, 2, &level);
    app->class_mask = classes(loader, 2, &level);
    app->narrowed = level.narrowed;
    app->places = level.places;
    app->models = read_models(loader, gh_doc_get(node, "models", GH_IS_LIST));
    app->objective = level.objective;
    app->limits = read_limits(loader, gh_doc_get(node, "limits", GH_IS_LIST), "limits");
    app->key_limits = read_limits(loader, gh_doc_get(node, "key_limits", GH_IS_LIST), "key_limits");
}

static void
read_tenant(gh_loader_t *loader, const gh_node_t *node, gh_str_t organisation, level_t level,
    gh_model_tenant_t *tenant)
{
    const gh_node_t *id = gh_doc_get(node, "id", GH_IS_STRING), *apps = gh_doc_get(node, "apps", GH_IS_LIST);

    tenant->where = GH_WHERE(loader, id ? id : node);
    tenant->id = gh_doc_id(loader, node, "id");
    tenant->path = join(loader, organisation, tenant->id);
    if (tenant->id.len != 0) {
        gh_doc_given(loader, "tenant", tenant->path, tenant->where);
    }
    tenant->policy = level.policy = tenant->id.len != 0 ? find_policy(loader, tenant, &level) : -1;
    read_common(loader, node, &level);
    for (unsigned i = 0; i < level.depth; i++) {
        narrow(loader, i, &level);
        tenant->class_mask |= classes(loader, i, &level);
    }
    tenant->narrowed = level.narrowed;
    tenant->places = level.places;
    tenant->models = read_models(loader, gh_doc_get(node, "models", GH_IS_LIST));
    tenant->objective = level.objective;
    tenant->limits = read_limits(loader, gh_doc_get(node, "limits", GH_IS_LIST), "limits");

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

/* What one document says of the organisation's tenants. */
static void
read_part(gh_loader_t *loader, const gh_part_t *part, const level_t *level, gh_model_organisation_t *organisation)
{
    const gh_node_t *tenants = gh_doc_get(part->node, "tenants", GH_IS_LIST);

    loader->source = part->source;
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
            read_tenant(loader, item, organisation->id, *level, tenant);
        }
    }
}

static void
read_organisation(gh_loader_t *loader, const gh_organisation_t *from, gh_model_organisation_t *organisation)
{
    level_t level = { .policy = -1 };

    organisation->where = from->parts[0].where;
    organisation->id = from->id;
    organisation->said = gh_tenants_said(loader, from);
    read_organisation_common(loader, from, &level);
    organisation->models = read_models(loader, turn_to(loader, &from->said[GH_SAID_MODELS], GH_IS_LIST));
    organisation->limits = read_limits(loader, turn_to(loader, &from->said[GH_SAID_LIMITS], GH_IS_LIST), "limits");
    find_policies(loader, organisation->id, &level);
    for (uint32_t i = 0; i < from->part_count; i++) {
        organisation->document_count += !from->parts[i].told;
        read_part(loader, &from->parts[i], &level, organisation);
    }
}

void
gh_tenants_read(gh_loader_t *loader, const gh_document_t *document)
{
    const gh_node_t *list = gh_doc_get(document->root, "organisations", GH_IS_LIST);

    gh_doc_members(loader, document->root, "a tenants document", document_members);
    if (list != NULL && list->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, list), "empty_list", "\"organisations\" must not be empty");
    }
    for (const gh_node_t *node = list ? list->first : NULL; node; node = node->next) {
        if (gh_doc_members(loader, node, "an organisation", organisation_members)) {
            const gh_node_t *id = gh_doc_get(node, "id", GH_IS_STRING);

            gh_tenants_part(loader, node, gh_doc_id(loader, node, "id"), GH_WHERE(loader, id ? id : node));
        }
    }
}

void
gh_tenants_finish(gh_loader_t *loader)
{
    gh_model_t        *model = loader->model;
    gh_organisation_t *organisations;
    uint32_t           count;

    if (loader->part != NULL) {
        gh_tenants_told(loader);
    }
    organisations = gh_tenants_merge(loader, &count);
    model->organisations = gh_arena_array(loader->arena, count, sizeof(*model->organisations));
    if (organisations == NULL || model->organisations == NULL) {
        loader->report->no_memory = 1;
        return;
    }
    model->organisation_count = count;
    for (uint32_t i = 0; i < count; i++) {
        read_organisation(loader, &organisations[i], &model->organisations[i]);
    }
}
