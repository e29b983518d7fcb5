/* Apps, by path: both sides sorted and walked side by side, so that a million take a moment. */
#include "policy/cli/plan_lines.h"

#include <stdlib.h>

#define NAMED_MOST 20      /* apps that are new, and as many that are gone, by name; more are counted */

typedef struct {
    const gh_model_t              *model;
    const gh_model_organisation_t *organisation;
    const gh_model_tenant_t       *tenant;
    const gh_model_app_t          *app;
} listed_t;

typedef struct { listed_t *items; uint32_t count; } apps_t;

static int
compare_paths(const void *left, const void *right)
{
    return gh_str_cmp(((const listed_t *) left)->app->path, ((const listed_t *) right)->app->path);
}

static bool
apps_of(gh_arena_t *arena, const gh_model_t *model, apps_t *apps)
{
    uint32_t count = 0;

    *apps = (apps_t) { 0 };
    for (uint32_t o = 0; model != NULL && o < model->organisation_count; o++) {
        for (uint32_t t = 0; t < model->organisations[o].tenant_count; t++) {
            count += model->organisations[o].tenants[t].app_count;
        }
    }
    apps->items = gh_arena_array(arena, count, sizeof(*apps->items));
    if (apps->items == NULL) {
        return false;
    }
    for (uint32_t o = 0; model != NULL && o < model->organisation_count; o++) {
        const gh_model_organisation_t *organisation = &model->organisations[o];

        for (uint32_t t = 0; t < organisation->tenant_count; t++) {
            for (uint32_t a = 0; a < organisation->tenants[t].app_count; a++) {
                apps->items[apps->count++] = (listed_t) { model, organisation, &organisation->tenants[t], &organisation->tenants[t].apps[a] };
            }
        }
    }
    if (count > 0) {
        qsort(apps->items, count, sizeof(*apps->items), compare_paths);
    }

    return true;
}

static const gh_model_policy_t *
policy_of(const listed_t *listed)
{
    return listed->tenant->policy < 0 ? NULL : &listed->model->policies[listed->tenant->policy];
}

static gh_str_t
classes_of(gh_arena_t *arena, const listed_t *listed)
{
    const gh_model_policy_t *policy = policy_of(listed);

    return policy == NULL ? GH_STR("") : gh_cli_line_mask(arena, &policy->classes, listed->tenant->class_mask | listed->app->class_mask);
}

static gh_str_t
places_of(gh_cli_comparing_t *c, const listed_t *listed)
{
    gh_places_t places = gh_places_anywhere();

    if (!listed->tenant->narrowed && !listed->app->narrowed) {
        return GH_STR("");
    }
    places = listed->tenant->narrowed ? gh_places_intersect(places, listed->tenant->places) : places;
    places = listed->app->narrowed ? gh_places_intersect(places, listed->app->places) : places;

    return gh_cli_line_places(c, places);
}

static gh_str_t
models_of(gh_arena_t *arena, const listed_t *listed)
{
    const gh_str_list_t *lists[] = { &listed->organisation->models, &listed->tenant->models, &listed->app->models };
    gh_str_t             text = GH_STR("");

    for (int i = 0; i < 3; i++) {
        gh_str_t one = gh_cli_line_list(arena, lists[i]);

        if (one.len > 0) {
            text = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(text), text.len > 0 ? " within " : "", GH_STR_ARG(one));
        }
    }

    return text;
}

static bool
same_list(const gh_str_list_t *a, const gh_str_list_t *b)
{
    for (uint32_t i = 0; a->count == b->count && i < a->count; i++) {
        if (!gh_str_eq(a->items[i], b->items[i])) {
            return false;
        }
    }
    return a->count == b->count;
}

/* Cheap, for the many that did not change; masks are of the same meaning while the policies' classes are. */
static bool
surely_same(const listed_t *a, const listed_t *b)
{
    const gh_model_policy_t *before = policy_of(a), *after = policy_of(b);

    return a->tenant->class_mask == b->tenant->class_mask && a->app->class_mask == b->app->class_mask
        && a->tenant->narrowed == b->tenant->narrowed && a->app->narrowed == b->app->narrowed
        && gh_places_equal(a->tenant->places, b->tenant->places) && gh_places_equal(a->app->places, b->app->places)
        && same_list(&a->organisation->models, &b->organisation->models) && same_list(&a->tenant->models, &b->tenant->models)
        && same_list(&a->app->models, &b->app->models) && a->app->audit == b->app->audit && (before == NULL) == (after == NULL)
        && (before == NULL || (gh_str_eq(before->name, after->name) && same_list(&before->classes, &after->classes)));
}

static void
compare_app(gh_cli_comparing_t *c, const listed_t *before, const listed_t *after)
{
    const gh_model_policy_t *policies[2] = { policy_of(before), policy_of(after) };

    if (surely_same(before, after)) {
        return;
    }
    c->details = GH_STR("");
    gh_cli_line_differ(c, "policy", policies[0] == NULL ? GH_STR("") : policies[0]->name, policies[1] == NULL ? GH_STR("") : policies[1]->name);
    gh_cli_line_differ(c, "classes", classes_of(c->arena, before), classes_of(c->arena, after));
    gh_cli_line_differ(c, "places", places_of(c, before), places_of(c, after));
    gh_cli_line_differ(c, "models", models_of(c->arena, before), models_of(c->arena, after));
    gh_cli_line_differ(c, "audit", gh_str_from(gh_audit_names[before->app->audit]), gh_str_from(gh_audit_names[after->app->audit]));
    if (c->details.len > 0) {
        gh_cli_line_add(c, '~', "app", GH_STR(""), after->app->path, c->details);
    }
}

static void
one_sided(gh_cli_comparing_t *c, char sign, const listed_t *listed, uint32_t *count)
{
    if (++*count <= NAMED_MOST) {
        gh_cli_line_add(c, sign, "app", GH_STR(""), listed->app->path, GH_STR(""));
    }
}

static void
rest(gh_cli_comparing_t *c, char sign, uint32_t count)
{
    if (count > NAMED_MOST) {
        gh_cli_line_add(c, sign, "apps", GH_STR(""), gh_str_format(c->arena, "%u more", (unsigned) (count - NAMED_MOST)), GH_STR(""));
    }
}

void
gh_cli_compare_apps(gh_cli_comparing_t *c)
{
    apps_t   before, after;
    uint32_t b = 0, a = 0, gone = 0, new = 0;

    if (!apps_of(c->arena, c->before, &before) || !apps_of(c->arena, c->after, &after)) {
        c->lines->failed = true;
        return;
    }
    while (b < before.count || a < after.count) {
        int order = b == before.count ? 1 : a == after.count ? -1 : compare_paths(&before.items[b], &after.items[a]);

        if (order < 0) {
            one_sided(c, '-', &before.items[b++], &gone);
        } else if (order > 0) {
            one_sided(c, '+', &after.items[a++], &new);
        } else {
            compare_app(c, &before.items[b++], &after.items[a++]);
        }
    }
    rest(c, '+', new);
    rest(c, '-', gone);
}
