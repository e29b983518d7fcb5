/*
 * tenants/1: organisations, their tenants, their apps. Whatever stands here adds classes or narrows, never the reverse.
 * Read after every residency document, since classes and places are those of the policy that covers the tenant.
 */
#include "policy/document/objective.h"
#include "policy/document/reading.h"
#include "policy/document/scope.h"
#include "policy/document/tenants.h"
#include "policy/document/tenants_inherit.h"
#include "policy/document/tenants_limits.h"

#include <string.h>

#define COMMON_MEMBERS                                                                                              \
    { "id", GH_IS_STRING, GH_REQUIRED }, { "classes", GH_IS_LIST, 0 }, { "places", GH_IS_LIST, 0 },                 \
    { "models", GH_IS_LIST, 0 }, { "objective", GH_IS_STRING | GH_IS_OBJECT, 0 }, { "audit", GH_IS_STRING, 0 },                    \
    { "limits", GH_IS_LIST, 0 }, { "max_output", GH_IS_NUMBER, 0 }, { "claims", 0, GH_LATER }, { "sessions", 0, GH_LATER }, { "tools", 0, GH_LATER },  \
    { "approvals", 0, GH_LATER }, { "credentials", 0, GH_LATER }

#define CALLER_MEMBERS { "key_limits", GH_IS_LIST, 0 }, { "user_limits", GH_IS_LIST, 0 }

static const gh_member_t document_members[] = {
    { "kind", GH_IS_STRING, GH_REQUIRED }, { "organisations", GH_IS_LIST, GH_REQUIRED }, { NULL, 0, 0 }
};

static const gh_member_t organisation_members[] = {
    { "tenants", GH_IS_LIST, GH_REQUIRED }, CALLER_MEMBERS, COMMON_MEMBERS, { NULL, 0, 0 }
};
static const gh_member_t tenant_members[] = { { "apps", GH_IS_LIST, 0 }, CALLER_MEMBERS, COMMON_MEMBERS, { NULL, 0, 0 } };
static const gh_member_t app_members[] = { CALLER_MEMBERS, COMMON_MEMBERS, { NULL, 0, 0 } };

typedef struct {                    /* inherited from organisation to tenant to app */
    gh_said_t        said_classes[3];   /* outermost first */
    gh_said_t        said_places[3];
    gh_said_t        said_audit;    /* by the innermost that says it */
    const gh_node_t *organisation_audit;   /* by the organisation */
    bool            *audit_told;    /* that a policy does not permit that */
    unsigned         depth;
    const uint32_t  *policies;      /* indexes of those that may cover the organisation's tenants */
    uint32_t         policy_count;
    int32_t          policy;
    uint16_t         latency_weight;
    bool             narrowed;
    gh_places_t      places;
    uint64_t         max_output;    /* 0: not said */
    uint32_t         limits;        /* how many */
    gh_inherited_t   above;
} level_t;

static gh_str_list_t
read_models(gh_loader_t *loader, const gh_node_t *node, level_t *level)
{
    gh_str_list_t list = gh_doc_list(loader, node, GH_LIST_MODEL_PATTERNS, 0);

    gh_inherit_models(loader, &level->above, node, &list);
    gh_doc_must_cover(loader, node, &list, &(gh_cover_check_t) { .models = true, .names_only = true, .what = "models" });
    return list;
}

static void
read_audit(gh_loader_t *loader, const gh_node_t *node, level_t *level)
{
    gh_inherit_audit(loader, &level->above, node);
    if (node != NULL) {
        level->said_audit = (gh_said_t) { node, loader->source };
    }
}

/*
 * What holds where `level` says it: "best-effort" when no level says "required" and the policy that covers the tenant permits it; else that is refused where it
 * is said. Without a policy nothing is permitted, this no more than the rest.
 */
static uint8_t
audit_mode(gh_loader_t *loader, const level_t *level)
{
    const gh_said_t         *said = &level->said_audit;
    const gh_model_policy_t *policy = level->policy < 0 ? NULL : loader->policies[level->policy];
    const char              *source = loader->source;

    if (said->node == NULL || level->above.audit_required || policy == NULL || !gh_str_is(said->node->text, gh_audit_names[GH_AUDIT_BEST_EFFORT])) {
        return GH_AUDIT_REQUIRED;
    }
    if (policy->audit == GH_AUDIT_BEST_EFFORT) {
        return GH_AUDIT_BEST_EFFORT;
    }
    if (!*level->audit_told || said->node != level->organisation_audit) {
        *level->audit_told = *level->audit_told || said->node == level->organisation_audit;
        loader->source = said->source;
        gh_doc_error(loader, GH_WHERE(loader, said->node), "loosens", "audit: policy \"%.*s\" (%s:%u:%u) does not permit \"best-effort\": it has to say so itself, with "
            "\"audit\": \"best-effort\"", GH_STR_ARG(policy->name), policy->audit_where.source, policy->audit_where.line, policy->audit_where.column);
        loader->source = source;
    }
    return GH_AUDIT_REQUIRED;
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
    read_audit(loader, gh_doc_get(object, "audit", GH_IS_STRING), level);
    gh_doc_objective(loader, gh_doc_get(object, "objective", GH_IS_STRING | GH_IS_OBJECT), &level->latency_weight);
    gh_tenants_max_output(loader, gh_doc_get(object, "max_output", GH_IS_NUMBER), &level->max_output);
    gh_inherit_max_output(loader, &level->above, gh_doc_get(object, "max_output", GH_IS_NUMBER));
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
    level->organisation_audit = turn_to(loader, &said[GH_SAID_AUDIT], GH_IS_STRING);
    read_audit(loader, level->organisation_audit, level);
    gh_doc_objective(loader, turn_to(loader, &said[GH_SAID_OBJECTIVE], GH_IS_STRING | GH_IS_OBJECT), &level->latency_weight);
    gh_tenants_max_output(loader, turn_to(loader, &said[GH_SAID_MAX_OUTPUT], GH_IS_NUMBER), &level->max_output);
    gh_inherit_max_output(loader, &level->above, turn_to(loader, &said[GH_SAID_MAX_OUTPUT], GH_IS_NUMBER));
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
    bool             inside;

    if (node == NULL || (loader->incomplete && level->policy < 0)) {
        return;
    }
    loader->source = level->said_places[by].source;
    inside = !gh_doc_places(loader, node, &scope, &places) || gh_inherit_places(loader, &level->above, node, places);
    level->places = level->narrowed ? gh_places_intersect(level->places, places) : places;
    level->narrowed = true;
    if (inside && gh_places_empty(level->places)) {
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

/* Limits of each key, and of each user, below. What holds for each key holds for each user too. */
typedef struct { gh_limit_list_t keys, users; } caller_limits_t;

/* above: those of the level above, none of the organisation. Lists that are read; loader->source is turned to where they stand. */
static caller_limits_t
read_caller_limits(gh_loader_t *loader, const gh_said_t *keys, const gh_said_t *users, const level_t *level, const caller_limits_t *above)
{
    gh_inherited_t  inherited = level->above;
    caller_limits_t limits;

    gh_inherit_held(&inherited, above->keys);
    limits.keys = gh_tenants_limits(loader, turn_to(loader, keys, GH_IS_LIST), GH_LEVEL_KEY);
    gh_inherit_limits(loader, &inherited, limits.keys);
    gh_inherit_held(&inherited, above->users);
    limits.users = gh_tenants_limits(loader, turn_to(loader, users, GH_IS_LIST), GH_LEVEL_USER);
    gh_inherit_limits(loader, &inherited, limits.users);
    gh_tenants_inherit_limits(loader, &above->keys, &limits.keys);
    gh_tenants_inherit_limits(loader, &above->users, &limits.users);
    return limits;
}

/* Of a tenant or an app. */
static caller_limits_t
read_own_caller_limits(gh_loader_t *loader, const gh_node_t *node, const level_t *level, const caller_limits_t *above)
{
    const gh_said_t keys = { gh_node_get(node, "key_limits"), loader->source }, users = { gh_node_get(node, "user_limits"), loader->source };

    return read_caller_limits(loader, &keys, &users, level, above);
}

static void
read_app(gh_loader_t *loader, const gh_node_t *node, const gh_model_tenant_t *tenant, level_t level,
    gh_model_app_t *app)
{
    const gh_node_t *id = gh_doc_get(node, "id", GH_IS_STRING);
    caller_limits_t  limits;

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
    app->models = read_models(loader, gh_doc_get(node, "models", GH_IS_LIST), &level);
    app->audit = gh_doc_get(node, "audit", GH_IS_STRING) != NULL ? audit_mode(loader, &level) : tenant->audit;
    app->latency_weight = level.latency_weight;
    app->max_output = level.max_output;
    app->limits = gh_tenants_limits(loader, gh_doc_get(node, "limits", GH_IS_LIST), GH_LEVEL_APP);
    gh_inherit_limits(loader, &level.above, app->limits);
    limits = read_own_caller_limits(loader, node, &level, &(caller_limits_t) { tenant->key_limits, tenant->user_limits });
    app->key_limits = limits.keys;
    app->user_limits = limits.users;
    gh_tenants_check_limits(loader, app, level.limits);
}

static void
read_tenant(gh_loader_t *loader, const gh_node_t *node, const gh_model_organisation_t *organisation, level_t level,
    gh_model_tenant_t *tenant)
{
    const gh_node_t *id = gh_doc_get(node, "id", GH_IS_STRING), *apps = gh_doc_get(node, "apps", GH_IS_LIST);
    caller_limits_t  limits;

    tenant->where = GH_WHERE(loader, id ? id : node);
    tenant->id = gh_doc_id(loader, node, "id");
    tenant->path = join(loader, organisation->id, tenant->id);
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
    tenant->models = read_models(loader, gh_doc_get(node, "models", GH_IS_LIST), &level);
    tenant->audit = audit_mode(loader, &level);
    tenant->latency_weight = level.latency_weight;
    tenant->max_output = level.max_output;
    tenant->limits = gh_tenants_limits(loader, gh_doc_get(node, "limits", GH_IS_LIST), GH_LEVEL_TENANT);
    gh_inherit_limits(loader, &level.above, tenant->limits);
    level.limits += tenant->limits.count;
    limits = read_own_caller_limits(loader, node, &level, &(caller_limits_t) { organisation->key_limits, organisation->user_limits });
    tenant->key_limits = limits.keys;
    tenant->user_limits = limits.users;

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
            read_tenant(loader, item, organisation, *level, tenant);
        }
    }
}

static void
read_organisation(gh_loader_t *loader, const gh_organisation_t *from, gh_model_organisation_t *organisation)
{
    bool    audit_told = false;
    level_t level = { .policy = -1, .audit_told = &audit_told };
    caller_limits_t limits;

    organisation->where = from->parts[0].where;
    organisation->id = from->id;
    organisation->said = gh_tenants_said(loader, from);
    read_organisation_common(loader, from, &level);
    organisation->models = read_models(loader, turn_to(loader, &from->said[GH_SAID_MODELS], GH_IS_LIST), &level);
    organisation->limits = gh_tenants_limits(loader, turn_to(loader, &from->said[GH_SAID_LIMITS], GH_IS_LIST), GH_LEVEL_ORGANISATION);
    organisation->max_output = level.max_output;
    gh_inherit_limits(loader, &level.above, organisation->limits);
    level.limits = organisation->limits.count;
    limits = read_caller_limits(loader, &from->said[GH_SAID_KEY_LIMITS], &from->said[GH_SAID_USER_LIMITS], &level, &(caller_limits_t) { { NULL, 0 }, { NULL, 0 } });
    organisation->key_limits = limits.keys;
    organisation->user_limits = limits.users;
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
