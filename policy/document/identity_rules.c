/*
 * identity/1: rules. Which app those are that fit, and which classes they add: apps are those of tenants/1, classes those of the organisation's own policies.
 */
#include "policy/document/identity_reading.h"
#include "policy/document/scope.h"
#include "policy/identity/rules.h"

static const gh_member_t app_members[] = { { "when", GH_IS_OBJECT, GH_REQUIRED }, { "app", GH_IS_STRING, GH_REQUIRED }, { NULL, 0, 0 } };
static const gh_member_t class_members[] = { { "when", GH_IS_OBJECT, GH_REQUIRED }, { "classes", GH_IS_LIST, GH_REQUIRED }, { NULL, 0, 0 } };

/* ---- apps and classes that there are ---- */

static const gh_model_organisation_t *
organisation_of(const gh_loader_t *loader, gh_str_t id)
{
    for (uint32_t i = 0; i < loader->model->organisation_count; i++) {
        if (gh_str_eq(loader->model->organisations[i].id, id)) {
            return &loader->model->organisations[i];
        }
    }
    return NULL;
}

/* What a part of the documents gave before may be gone; what others give is as it was. */
static bool
given_before(const gh_loader_t *loader, gh_str_t path)
{
    for (uint32_t i = 0; i < loader->part->before_count; i++) {
        if (gh_str_eq(loader->part->before[i], path)) {
            return true;
        }
    }
    return false;
}

static void
check_app(gh_identity_reading_t *r, const gh_node_t *node, gh_str_t path)
{
    const gh_model_organisation_t *organisation = organisation_of(r->loader, r->organisation);
    gh_str_t                       near[256];
    size_t                         count = 0;

    for (uint32_t t = 0; organisation != NULL && t < organisation->tenant_count; t++) {
        const gh_model_tenant_t *tenant = &organisation->tenants[t];

        for (uint32_t a = 0; a < tenant->app_count; a++) {
            if (gh_str_eq(tenant->apps[a].path, path)) {
                return;
            }
            if (count < sizeof(near) / sizeof(near[0])) {
                near[count++] = gh_doc_format(r->loader, "%.*s/%.*s", GH_STR_ARG(tenant->id), GH_STR_ARG(tenant->apps[a].id));
            }
        }
    }
    if (r->loader->part != NULL) {
        r->loader->part->uncertain |= given_before(r->loader, path);
    } else if (!r->loader->incomplete) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "unknown_app", "tenants/1 does not list %.*s%s", GH_STR_ARG(path),
            gh_doc_near(r->loader, node->text, near, count));
    }
}

/* Of the organisation's own policies. */
static void
check_class(gh_identity_reading_t *r, const gh_node_t *node)
{
    gh_str_t near[256];
    size_t   count = 0;

    for (uint32_t i = 0; i < r->loader->policy_count; i++) {
        const gh_model_policy_t *policy = r->loader->policies[i];

        if (policy->guard || policy->applies_to.count == 0
            || !gh_str_eq(gh_pattern_organisation(policy->applies_to.items[0]), r->organisation))
        {
            continue;
        }
        for (uint32_t c = 0; c < policy->classes.count; c++) {
            if (gh_str_eq(policy->classes.items[c], node->text)) {
                return;
            }
            if (count < sizeof(near) / sizeof(near[0])) {
                near[count++] = policy->classes.items[c];
            }
        }
    }
    if (!r->loader->incomplete) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "unknown_class", "no policy of organisation \"%.*s\" has the class \"%.*s\"%s",
            GH_STR_ARG(r->organisation), GH_STR_ARG(node->text), gh_doc_near(r->loader, node->text, near, count));
    }
}

/* ---- rules ---- */

void
gh_identity_when(gh_identity_reading_t *r, const gh_node_t *rule, gh_identity_test_fn check)
{
    const gh_node_t *when = gh_doc_get(rule, "when", GH_IS_OBJECT);

    for (const gh_node_t *test = when != NULL ? when->first : NULL; test != NULL; test = test->next) {
        check(r, test);
    }
}

static void
read_app(gh_identity_reading_t *r, const gh_node_t *rule, gh_identity_test_fn test)
{
    const gh_node_t *app = gh_doc_get(rule, "app", GH_IS_STRING);
    gh_str_t        *given, path;

    gh_identity_when(r, rule, test);
    if (app == NULL) {
        return;
    }
    path = gh_doc_format(r->loader, "%.*s/%.*s", GH_STR_ARG(r->organisation), GH_STR_ARG(app->text));
    if (gh_doc_segments(path) != 3) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, app), "invalid_name", "\"app\" is TENANT/APP of organisation \"%.*s\"", GH_STR_ARG(r->organisation));
        return;
    }
    check_app(r, app, path);
    given = gh_doc_push(r->loader, &r->loader->model->token_apps.items, &r->loader->model->token_apps.count, sizeof(*given));
    if (given != NULL) {
        *given = path;
    }
}

/* Every test of the one stands in the other too: whatever the other fits, it fits. */
static bool
wider(const gh_node_t *rule, const gh_node_t *other)
{
    const gh_node_t *when = gh_doc_get(rule, "when", GH_IS_OBJECT), *of = gh_doc_get(other, "when", GH_IS_OBJECT), *same;

    for (const gh_node_t *test = when != NULL ? when->first : NULL; test != NULL; test = test->next) {
        for (same = of != NULL ? of->first : NULL; same != NULL && !gh_str_eq(same->key, test->key); same = same->next) {
        }
        if (same == NULL || same->type != test->type || !gh_str_eq(same->text, test->text)) {
            return false;
        }
    }
    return when != NULL && of != NULL;
}

/* Of two rules for different apps none may be wider than the other: what the narrower one fits would be of two apps, and so of none, always. */
static void
check_apart(gh_identity_reading_t *r, const gh_node_t *apps)
{
    for (const gh_node_t *rule = apps->first; rule != NULL; rule = rule->next) {
        const gh_node_t *app = rule->type == GH_NODE_OBJECT ? gh_doc_get(rule, "app", GH_IS_STRING) : NULL;

        for (const gh_node_t *other = apps->first; app != NULL && other != rule; other = other->next) {
            const gh_node_t *of = other->type == GH_NODE_OBJECT ? gh_doc_get(other, "app", GH_IS_STRING) : NULL;

            if (of != NULL && !gh_str_eq(of->text, app->text) && (wider(rule, other) || wider(other, rule))) {
                gh_doc_error(r->loader, GH_WHERE(r->loader, rule), "ambiguous_rule", "this rule and the one at %u:%u name different apps, and whatever fits the %s fits the "
                    "other too, so that it would be refused always: let each say something that the other denies", other->line, other->column,
                    wider(rule, other) ? "earlier one" : "later one");
                break;
            }
        }
    }
}

void
gh_identity_id(gh_identity_reading_t *r)
{
    const gh_node_t *id = gh_doc_get(r->node, "id", GH_IS_STRING);

    r->id = gh_doc_id(r->loader, r->node, "id");
    if (r->id.len > 0) {
        gh_doc_given(r->loader, "issuer", gh_doc_format(r->loader, "%.*s/%.*s", GH_STR_ARG(r->organisation), GH_STR_ARG(r->id)), GH_WHERE(r->loader, id));
    }
}

void
gh_identity_rules(gh_identity_reading_t *r, gh_identity_test_fn test)
{
    const gh_node_t *apps = gh_doc_get(r->node, "apps", GH_IS_LIST), *classes = gh_doc_get(r->node, "classes", GH_IS_LIST);

    if (apps != NULL && (apps->count == 0 || apps->count > GH_RULES_MAX)) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, apps), "limit", "\"apps\" has 1 to %d rules", GH_RULES_MAX);
    }
    for (const gh_node_t *rule = apps != NULL ? apps->first : NULL; rule != NULL; rule = rule->next) {
        if (gh_doc_members(r->loader, rule, "a rule of \"apps\"", app_members)) {
            read_app(r, rule, test);
        }
    }
    if (apps != NULL && apps->count <= GH_RULES_MAX) {
        check_apart(r, apps);
    }
    for (const gh_node_t *rule = classes != NULL ? classes->first : NULL; rule != NULL; rule = rule->next) {
        if (!gh_doc_members(r->loader, rule, "a rule of \"classes\"", class_members)) {
            continue;
        }
        gh_identity_when(r, rule, test);
        gh_doc_list(r->loader, gh_doc_get(rule, "classes", GH_IS_LIST), GH_LIST_NAMES, 0);
        for (const gh_node_t *name = gh_doc_get(rule, "classes", GH_IS_LIST) ? gh_doc_get(rule, "classes", GH_IS_LIST)->first : NULL; name != NULL;
             name = name->next)
        {
            if (name->type == GH_NODE_STRING) {
                check_class(r, name);
            }
        }
    }
    gh_identity_narrow(r, test);
}
