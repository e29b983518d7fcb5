/*
 * identity/1: "narrow" and "places". What tokens and certificates take away from what their app has: places, models, its audit mode and, of each user, limits. Names are those of the organisation's own
 * policies and of the catalogue; what would be more than every app of the issuer has is refused, as it is at any level below another.
 */
#include "policy/document/identity_reading.h"

#include "policy/document/scope.h"
#include "policy/document/tenants_inherit.h"
#include "policy/document/tenants_limits.h"
#include "policy/identity/rules.h"

#define VALUES_MAX 256                 /* of one claim */

static const gh_member_t narrow_members[] = {
    { "when", GH_IS_OBJECT, GH_REQUIRED }, { "places", GH_IS_LIST, 0 }, { "models", GH_IS_LIST, 0 }, { "limits", GH_IS_LIST, 0 }, { "audit", GH_IS_STRING, 0 },
    { NULL, 0, 0 }
};
static const gh_member_t map_members[] = {
    { "claim", GH_IS_STRING, GH_REQUIRED }, { "values", GH_IS_OBJECT, GH_REQUIRED }, { "optional", GH_IS_BOOL, 0 }, { NULL, 0, 0 }
};

/* ---- what the apps of this issuer have ---- */

typedef struct {
    const gh_model_organisation_t *organisation;
    const gh_model_tenant_t       *tenant;
    const gh_model_app_t          *app;
} place_in_t;

/* The app that a rule of "apps" names; false: it is not there, which is reported elsewhere. */
static bool
app_named(const gh_identity_reading_t *r, const gh_node_t *rule, place_in_t *found)
{
    const gh_model_t *model = r->loader->model;
    const gh_node_t  *name = rule->type == GH_NODE_OBJECT ? gh_doc_get(rule, "app", GH_IS_STRING) : NULL;
    gh_str_t          path = name == NULL ? GH_STR("") : gh_doc_format(r->loader, "%.*s/%.*s", GH_STR_ARG(r->organisation), GH_STR_ARG(name->text));

    for (uint32_t o = 0; path.len > 0 && o < model->organisation_count; o++) {
        for (uint32_t t = 0; gh_str_eq(model->organisations[o].id, r->organisation) && t < model->organisations[o].tenant_count; t++) {
            const gh_model_tenant_t *tenant = &model->organisations[o].tenants[t];

            for (uint32_t a = 0; a < tenant->app_count; a++) {
                if (gh_str_eq(tenant->apps[a].path, path)) {
                    *found = (place_in_t) { &model->organisations[o], tenant, &tenant->apps[a] };
                    return true;
                }
            }
        }
    }
    return false;
}

/* Does `more` hold of every app that the issuer names, and are they all there? */
static bool
of_every_app(const gh_identity_reading_t *r, bool (*more)(const place_in_t *in, const void *what), const void *what)
{
    const gh_node_t *apps = gh_doc_get(r->node, "apps", GH_IS_LIST);
    bool             any = false;
    place_in_t       in;

    for (const gh_node_t *rule = apps != NULL ? apps->first : NULL; rule != NULL; rule = rule->next) {
        if (!app_named(r, rule, &in) || !more(&in, what)) {
            return false;
        }
        any = true;
    }
    return any;
}

static bool
more_places(const place_in_t *in, const void *what)
{
    return in->app->narrowed && !gh_places_empty(gh_places_minus(*(const gh_places_t *) what, in->app->places));
}

static bool
more_models(const place_in_t *in, const void *what)
{
    const gh_str_list_t *const lists[] = { &in->organisation->models, &in->tenant->models, &in->app->models };
    gh_str_t                   pattern = *(const gh_str_t *) what;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (lists[i]->count > 0 && !gh_inherit_pattern_inside(pattern, lists[i])) {
            return true;
        }
    }
    return false;
}

static bool
more_limit(const place_in_t *in, const void *what)
{
    const gh_limit_list_t *const lists[] = { &in->organisation->limits, &in->tenant->limits, &in->app->limits, &in->app->key_limits, &in->app->user_limits };
    const gh_limit_t            *limit = what;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (uint32_t k = 0; k < lists[i]->count; k++) {
            gh_limit_t above = lists[i]->items[k].limit;

            above.level = limit->level;
            if (gh_limit_same_counter(&above, limit) && limit->limit_class != GH_LIMIT_SHADOW && limit->amount > above.amount) {
                return true;
            }
        }
    }
    return false;
}

/* ---- places ---- */

/* Names of each of the organisation's own policies, and of the newest facts, as x-gatehouse-places has them. */
static bool
read_places(gh_identity_reading_t *r, const gh_node_t *list, gh_places_t *places)
{
    gh_loader_t     *loader = r->loader;
    gh_place_scope_t scope = { .facts = loader->facts, .facts_count = 1 };
    bool             found = false;

    if (list->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, list), "empty_list", "a list of places must not be empty");
        return false;
    }
    for (uint32_t i = 0; i < loader->policy_count; i++) {
        const gh_model_policy_t *policy = loader->policies[i];

        if (policy->guard || policy->applies_to.count == 0 || !gh_str_eq(gh_pattern_organisation(policy->applies_to.items[0]), r->organisation)) {
            continue;
        }
        found = true;
        scope.own = policy->places;
        scope.own_count = policy->place_count;
        if (!gh_doc_places(loader, list, &scope, places)) {
            return false;
        }
    }
    if (!found && loader->incomplete) {
        return false;
    }
    return found || gh_doc_places(loader, list, &scope, places);
}

static void
narrow_places(gh_identity_reading_t *r, const gh_node_t *list)
{
    gh_places_t places;

    if (!read_places(r, list, &places)) {
        return;
    }
    if (of_every_app(r, more_places, &places)) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, list), "loosens", "these places are more than tenants/1 allows any app that is named here: what a token or a certificate says can only "
            "narrow");
    }
}

static void
read_map(gh_identity_reading_t *r, const gh_node_t *node)
{
    const gh_node_t *claim = gh_doc_get(node, "claim", GH_IS_STRING), *values = gh_doc_get(node, "values", GH_IS_OBJECT);
    gh_places_t      places;

    if (claim != NULL && (claim->text.len == 0 || claim->text.len > GH_IDENTITY_TEXT_MAX || gh_str_is(claim->text, "/"))) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, claim), "wrong_claim", "a claim is named by 1 to %d bytes, or by a JSON pointer such as \"/realm_access/roles\"",
            GH_IDENTITY_TEXT_MAX);
    }
    if (values != NULL && (values->count == 0 || values->count > VALUES_MAX)) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, values), "limit", "\"values\" has 1 to %d values of the claim, each with its list of places", VALUES_MAX);
        return;
    }
    for (const gh_node_t *value = values != NULL ? values->first : NULL; value != NULL; value = value->next) {
        if (value->key.len == 0 || value->key.len > GH_IDENTITY_TEXT_MAX) {
            gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, value), "wrong_claim", "a claim is compared with a string of 1 to %d bytes", GH_IDENTITY_TEXT_MAX);
        }
        if (value->type != GH_NODE_ARRAY) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, value), "wrong_type", "a value of a claim has a list of places, not %s", gh_node_type_name(value->type));
        } else {
            read_places(r, value, &places);   /* more than the apps have is no mistake: a value that is not mapped is refused */
        }
    }
}

/* ---- models and limits ---- */

static void
narrow_models(gh_identity_reading_t *r, const gh_node_t *node)
{
    gh_str_list_t list = gh_doc_list(r->loader, node, GH_LIST_MODEL_PATTERNS, 0);

    gh_doc_must_cover(r->loader, node, &list, &(gh_cover_check_t) { .models = true, .names_only = true, .forbid = true, .what = "models" });
    for (const gh_node_t *item = node->first; item != NULL; item = item->next) {
        if (item->type == GH_NODE_STRING && of_every_app(r, more_models, &item->text)) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, item), "loosens", "models: \"%.*s\" is more than tenants/1 allows any app that is named here: what a token or a certificate says "
                "can only narrow", GH_STR_ARG(item->text));
        }
    }
}

static void
narrow_audit(gh_identity_reading_t *r, const gh_node_t *node)
{
    if (gh_doc_word(r->loader, node, "audit mode", gh_audit_names) == GH_AUDIT_BEST_EFFORT) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "loosens", "audit: what a token or a certificate says can only tighten: \"required\"");
    }
}

/* Adds those of one rule to what all rules together may come to. */
static void
narrow_limits(gh_identity_reading_t *r, const gh_node_t *node, gh_limits_t *all)
{
    gh_limit_list_t limits = gh_tenants_limits(r->loader, node, GH_LEVEL_USER);

    if (node->count == 0) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "empty_list", "\"limits\" must not be empty");
    }
    if (gh_doc_get(r->node, "user", GH_IS_STRING) == NULL) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "no_user", "limits of each user need \"user\", which says who a caller is");
    }
    for (uint32_t i = 0; i < limits.count; i++) {
        if (of_every_app(r, more_limit, &limits.items[i].limit)) {
            gh_doc_error(r->loader, limits.items[i].where, "loosens", "this limit of %llu can never be reached: tenants/1 allows less of the same wherever it could hold",
                (unsigned long long) limits.items[i].limit.amount);
        }
        if (limits.items[i].limit.dimension != 0 && !gh_limits_tighten(all, &limits.items[i].limit)) {
            gh_doc_error(r->loader, limits.items[i].where, "limit", "the rules of one issuer can have at most %d limits of users, of all together", GH_LIMITS_MAX);
        }
    }
}

/* A caller that every rule fits is held to all of them, and to its app's. */
static void
check_room(gh_identity_reading_t *r, const gh_node_t *narrow, const gh_limits_t *all)
{
    const gh_node_t *apps = gh_doc_get(r->node, "apps", GH_IS_LIST);
    place_in_t       in;

    for (const gh_node_t *rule = apps != NULL ? apps->first : NULL; rule != NULL && all->count > 0; rule = rule->next) {
        gh_limits_t together = *all;
        uint32_t    count;

        if (!app_named(r, rule, &in)) {
            if (r->loader->part != NULL) {
                r->loader->part->uncertain = true;
            }
            continue;
        }
        for (uint32_t i = 0; i < in.app->user_limits.count && together.count < GH_LIMITS_MAX; i++) {
            gh_limits_tighten(&together, &in.app->user_limits.items[i].limit);
        }
        count = together.count + in.organisation->limits.count + in.tenant->limits.count + in.app->limits.count + in.app->key_limits.count;
        if (count > GH_LIMITS_MAX) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, narrow), "limit", "with the limits of these rules %u could hold for a user of %.*s, of all levels together: at most %d", count,
                GH_STR_ARG(in.app->path), GH_LIMITS_MAX);
            return;
        }
    }
}

void
gh_identity_narrow(gh_identity_reading_t *r, gh_identity_test_fn test)
{
    const gh_node_t *narrow = gh_doc_get(r->node, "narrow", GH_IS_LIST), *maps = gh_doc_get(r->node, "places", GH_IS_LIST);
    gh_limits_t      all = { .count = 0 };

    for (int i = 0; i < 2; i++) {
        const gh_node_t *list = i == 0 ? narrow : maps;

        if (list != NULL && (list->count == 0 || list->count > GH_RULES_MAX)) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, list), list->count == 0 ? "empty_list" : "limit", "\"%s\" has 1 to %d rules", i == 0 ? "narrow" : "places", GH_RULES_MAX);
            return;
        }
    }
    for (const gh_node_t *rule = narrow != NULL ? narrow->first : NULL; rule != NULL; rule = rule->next) {
        const gh_node_t *places, *models, *limits, *audit;

        if (!gh_doc_members(r->loader, rule, "a rule of \"narrow\"", narrow_members)) {
            continue;
        }
        gh_identity_when(r, rule, test);
        places = gh_doc_get(rule, "places", GH_IS_LIST);
        models = gh_doc_get(rule, "models", GH_IS_LIST);
        limits = gh_doc_get(rule, "limits", GH_IS_LIST);
        audit = gh_doc_get(rule, "audit", GH_IS_STRING);
        if (places == NULL && models == NULL && limits == NULL && audit == NULL) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, rule), "missing_member", "a rule of \"narrow\" says \"places\", \"models\", \"limits\" or \"audit\"");
        }
        if (audit != NULL) {
            narrow_audit(r, audit);
        }
        if (places != NULL) {
            narrow_places(r, places);
        }
        if (models != NULL) {
            narrow_models(r, models);
        }
        if (limits != NULL) {
            narrow_limits(r, limits, &all);
        }
    }
    if (narrow != NULL) {
        check_room(r, narrow, &all);
    }
    for (const gh_node_t *map = maps != NULL ? maps->first : NULL; map != NULL; map = map->next) {
        if (gh_doc_members(r->loader, map, "one of \"places\"", map_members)) {
            read_map(r, map);
        }
    }
}
