/* Who and what of a plan, in as few words as are exact. */
#include "policy/cli/plan.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_SHOWN      4      /* of tenants and apps, in a sentence */
#define TENANTS_LISTED   3      /* an organisation that is whole and has more is named itself */

/* ---- tenants and organisations ---- */

/* Bytes of the first `parts` names of a path. */
static gh_str_t
head_of(gh_str_t path, unsigned parts)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.data[i] == '/' && --parts == 0) {
            return (gh_str_t) { path.data, i };
        }
    }
    return path;
}

int
gh_cli_who_init(gh_cli_who_t *who, gh_arena_t *arena, const gh_review_groups_t *groups, const gh_cli_sets_t *sets)
{
    uint32_t apps = groups->app_count;

    *who = (gh_cli_who_t) { .arena = arena, .groups = groups, .sets = sets };
    who->tenant_of = gh_arena_array(arena, apps, sizeof(uint32_t));
    who->kinds = gh_arena_array(arena, apps, sizeof(uint32_t));
    who->apps_of = gh_arena_array(arena, apps, sizeof(uint32_t));
    who->org_of = gh_arena_array(arena, apps, sizeof(uint32_t));
    who->tenants_of = gh_arena_array(arena, apps, sizeof(uint32_t));
    who->apps_in = gh_arena_array(arena, apps, sizeof(uint32_t));
    if (who->tenant_of == NULL || who->kinds == NULL || who->apps_of == NULL || who->org_of == NULL || who->tenants_of == NULL
        || who->apps_in == NULL)
    {
        return GH_ERROR;
    }

    for (uint32_t i = 0; i < apps; i++) {
        gh_str_t path = groups->apps[i], last = i == 0 ? GH_STR("") : groups->apps[i - 1];

        if (i == 0 || !gh_str_eq(head_of(path, 1), head_of(last, 1))) {
            who->org_count++;
        }
        if (i == 0 || !gh_str_eq(head_of(path, 2), head_of(last, 2))) {
            who->org_of[who->tenant_count++] = who->org_count - 1;
            who->tenants_of[who->org_count - 1]++;
        }
        who->tenant_of[i] = who->tenant_count - 1;
        who->apps_of[who->tenant_count - 1]++;
        who->apps_in[who->org_count - 1]++;
    }
    for (uint32_t i = 0; i < groups->member_count; i++) {
        who->kinds[groups->members[i].app]++;
    }

    return GH_OK;
}

typedef struct {
    gh_review_member_t *items;    /* by app */
    uint32_t            count;
} members_t;

static int
compare_members(const void *left, const void *right)
{
    const gh_review_member_t *a = left, *b = right;

    return a->app != b->app ? (a->app < b->app ? -1 : 1) : (int) a->key - (int) b->key;
}

static int
members_of(const gh_cli_who_t *who, const uint32_t *groups, uint32_t count, members_t *members)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < count; i++) {
        total += who->groups->groups[groups[i]].count;
    }
    members->count = 0;
    members->items = gh_arena_array(who->arena, total, sizeof(*members->items));
    if (members->items == NULL) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < count; i++) {
        const gh_review_group_t *group = &who->groups->groups[groups[i]];

        memcpy(members->items + members->count, who->groups->members + group->first, group->count * sizeof(*members->items));
        members->count += group->count;
    }
    qsort(members->items, members->count, sizeof(*members->items), compare_members);

    return GH_OK;
}

/* Members from `at` on that are all of a tenant's, or of an organisation's; 0 when one of them is missing. */
static uint32_t
whole(const gh_cli_who_t *who, const members_t *members, uint32_t at, bool organisation)
{
    uint32_t tenant = who->tenant_of[members->items[at].app], org = who->org_of[tenant], apps = 0, begin = at, end;

    for (end = at; end < members->count; ) {
        uint32_t app = members->items[end].app, kinds = 0;

        if (organisation ? who->org_of[who->tenant_of[app]] != org : who->tenant_of[app] != tenant) {
            break;
        }
        while (end < members->count && members->items[end].app == app) {
            end++;
            kinds++;
        }
        if (kinds != who->kinds[app]) {
            return 0;
        }
        apps++;
    }

    return apps == (organisation ? who->apps_in[org] : who->apps_of[tenant]) ? end - begin : 0;
}

static bool
begins_organisation(const gh_cli_who_t *who, const members_t *members, uint32_t at)
{
    return at == 0 || who->org_of[who->tenant_of[members->items[at].app]] != who->org_of[who->tenant_of[members->items[at - 1].app]];
}

/* One app, or one kind of its keys. as_pattern: as a pattern where there is one. */
static gh_str_t
one_name(const gh_cli_who_t *who, const members_t *members, uint32_t at, bool as_pattern, uint32_t *taken)
{
    const gh_review_member_t *member = &members->items[at];
    gh_str_t                  app = who->groups->apps[member->app];
    const gh_review_key_t    *key = &who->groups->keys[member->key];
    uint32_t                  kinds = 0;

    while (at + kinds < members->count && members->items[at + kinds].app == member->app) {
        kinds++;
    }
    *taken = kinds == who->kinds[member->app] ? kinds : 1;
    if (*taken > 1 || who->kinds[member->app] == 1) {
        return app;
    }
    if (key->kind == GH_REVIEW_KEY_OTHER) {
        return gh_str_format(who->arena, "%.*s (other keys)", GH_STR_ARG(app));
    }
    return gh_str_format(who->arena, as_pattern ? "%.*s/%.*s%s" : "%.*s (key %.*s%s)", GH_STR_ARG(app), GH_STR_ARG(key->stem),
        key->kind == GH_REVIEW_KEY_BEGINS ? "*" : "");
}

/* The next name of the list, and how many members it takes. */
static gh_str_t
next_name(const gh_cli_who_t *who, const members_t *members, uint32_t at, bool as_pattern, uint32_t *taken)
{
    gh_str_t path = who->groups->apps[members->items[at].app];
    uint32_t tenants = who->tenants_of[who->org_of[who->tenant_of[members->items[at].app]]];

    *taken = begins_organisation(who, members, at) && (as_pattern || tenants > TENANTS_LISTED) ? whole(who, members, at, true) : 0;
    if (*taken > 0) {
        return as_pattern ? head_of(path, 1)
                          : gh_str_format(who->arena, "all %u tenants of %.*s", tenants, GH_STR_ARG(head_of(path, 1)));
    }
    *taken = at == 0 || who->tenant_of[members->items[at].app] != who->tenant_of[members->items[at - 1].app]
        ? whole(who, members, at, false) : 0;

    return *taken > 0 ? head_of(path, 2) : one_name(who, members, at, as_pattern, taken);
}

gh_str_t
gh_cli_who_text(const gh_cli_who_t *who, const uint32_t *groups, uint32_t count)
{
    gh_str_t  text = GH_STR("");
    members_t members;
    uint32_t  names = 0, taken;

    if (members_of(who, groups, count, &members) != GH_OK) {
        return text;
    }
    if (members.count == who->groups->member_count && who->org_count > TENANTS_LISTED) {
        return gh_str_format(who->arena, "all %u tenants", who->tenant_count);
    }
    for (uint32_t at = 0; at < members.count; at += taken, names++) {
        gh_str_t name = next_name(who, &members, at, false, &taken);

        if (names < NAMES_SHOWN) {
            text = gh_str_format(who->arena, "%.*s%s%.*s", GH_STR_ARG(text), names > 0 ? ", " : "", GH_STR_ARG(name));
        }
    }
    if (names > NAMES_SHOWN) {
        text = gh_str_format(who->arena, "%.*s and %u more", GH_STR_ARG(text), names - NAMES_SHOWN);
    }

    return text;
}

gh_str_t
gh_cli_who_tenants_text(const gh_cli_who_t *who, const bool *chosen)
{
    gh_str_t text = GH_STR("");
    uint32_t names = 0, tenant = 0, app = 0;

    while (tenant < who->tenant_count) {
        uint32_t org = who->org_of[tenant], first = tenant, in = 0;
        gh_str_t path, name;

        while (who->tenant_of[app] < tenant) {
            app++;
        }
        path = who->groups->apps[app];
        for (uint32_t i = tenant; i < who->tenant_count && who->org_of[i] == org; i++) {
            in += chosen[i];
        }
        if (in == who->tenants_of[org] && in > TENANTS_LISTED && (tenant == 0 || who->org_of[tenant - 1] != org)) {
            name = gh_str_format(who->arena, "all %u tenants of %.*s", in, GH_STR_ARG(head_of(path, 1)));
            tenant += in;
        } else {
            name = head_of(path, 2);
            tenant++;
        }
        if (!chosen[first]) {
            continue;
        }
        if (names++ < NAMES_SHOWN) {
            text = gh_str_format(who->arena, "%.*s%s%.*s", GH_STR_ARG(text), names > 1 ? ", " : "", GH_STR_ARG(name));
        }
    }
    if (names > NAMES_SHOWN) {
        text = gh_str_format(who->arena, "%.*s and %u more", GH_STR_ARG(text), names - NAMES_SHOWN);
    }

    return text;
}

json_t *
gh_cli_who_json(const gh_cli_who_t *who, const uint32_t *groups, uint32_t count)
{
    json_t   *list = json_array();
    members_t members;
    uint32_t  taken;

    if (members_of(who, groups, count, &members) != GH_OK) {
        json_decref(list);
        return NULL;
    }
    for (uint32_t at = 0; at < members.count; at += taken) {
        gh_str_t name = next_name(who, &members, at, true, &taken);

        json_array_append_new(list, json_stringn(name.data, name.len));
    }

    return list;
}

/* ---- what ---- */

static gh_str_t
where(const gh_cli_who_t *who, gh_reach_t kind, gh_places_t places)
{
    if (gh_places_has_unknown(places)) {
        return kind == GH_REACH_OPERATOR ? GH_STR("under an operator whose home nobody knows")
             : kind == GH_REACH_STORE ? GH_STR("stored where nobody knows") : GH_STR("processed where nobody knows");
    }
    return gh_str_format(who->arena, "%s %s %.*s", gh_reach_words[kind], kind == GH_REACH_OPERATOR ? "of" : "in",
        GH_STR_ARG(gh_cli_places_text(who->sets, places)));
}

/* "processed and stored in US", "processed in DE, stored in FR". */
static gh_str_t
reached_text(const gh_cli_who_t *who, const gh_reached_t *what, bool operators)
{
    gh_str_t    text = GH_STR("");
    gh_places_t process = what->of[GH_REACH_PROCESS];

    if (!operators && !gh_places_empty(process) && !gh_places_has_unknown(process)
        && gh_places_equal(process, what->of[GH_REACH_STORE]))
    {
        return gh_str_format(who->arena, "processed and stored in %.*s", GH_STR_ARG(gh_cli_places_text(who->sets, process)));
    }
    for (int kind = 0; kind < GH_REACHES; kind++) {
        if (!gh_places_empty(what->of[kind]) && (kind == GH_REACH_OPERATOR) == operators) {
            gh_str_t one = where(who, (gh_reach_t) kind, what->of[kind]);

            text = gh_str_format(who->arena, "%.*s%s%.*s", GH_STR_ARG(text), text.len > 0 ? " and " : "", GH_STR_ARG(one));
        }
    }

    return text;
}

static gh_str_t
since(const gh_cli_who_t *who, const gh_plan_t *plan, const gh_plan_change_t *change)
{
    if (change->from_ms <= plan->now_ms) {
        return GH_STR("");
    }
    return gh_str_format(who->arena, " from %s on", gh_cli_time_text(who->arena, change->from_ms));
}

static gh_str_t
what_text(const gh_cli_who_t *who, const gh_plan_t *plan, const gh_plan_change_t *change, bool deployments, bool operators)
{
    gh_str_t    places = reached_text(who, &change->what, operators), from = since(who, plan, change);
    const char *may = change->gained ? (from.len > 0 ? "may be" : "may now be") : "may no longer be";

    if (deployments) {
        may = change->status == GH_PLAN_NEW ? "new:" : change->status == GH_PLAN_GONE ? "gone:" : change->gained ? "now also" : "no longer";
    }
    return gh_str_format(who->arena, "%s %.*s%.*s", may, GH_STR_ARG(places), GH_STR_ARG(from));
}

/* ---- statements ---- */

bool
gh_cli_change_speaks_of(const gh_plan_change_t *change, bool operators)
{
    if (operators) {
        return !gh_places_empty(change->what.of[GH_REACH_OPERATOR]);
    }
    return !gh_places_empty(change->what.of[GH_REACH_PROCESS]) || !gh_places_empty(change->what.of[GH_REACH_STORE]);
}

static gh_str_t
feature_text(const gh_plan_change_t *change)
{
    return change->feature.kind == GH_REVIEW_UNLISTED_FEATURE ? GH_STR("unlisted features") : change->feature.name;
}

static int
compare_apart_from(const gh_cli_statement_t *a, const gh_cli_statement_t *b, bool models)
{
    int order = (int) b->gained - (int) a->gained;

    order = order != 0 ? order : gh_str_cmp(a->deployment, b->deployment);
    order = order != 0 ? order : gh_str_cmp(a->what, b->what);
    order = order != 0 ? order : gh_str_cmp(a->who, b->who);
    order = order != 0 ? order : gh_str_cmp(a->feature, b->feature);

    return order != 0 ? order : models ? gh_str_cmp(a->classes, b->classes) : gh_str_cmp(a->models, b->models);
}

static int
compare_for_classes(const void *a, const void *b)
{
    int order = compare_apart_from(a, b, false);

    return order != 0 ? order : (((const gh_cli_statement_t *) a)->first < ((const gh_cli_statement_t *) b)->first ? -1 : 1);
}

static int
compare_for_models(const void *a, const void *b)
{
    int order = compare_apart_from(a, b, true);

    return order != 0 ? order : (((const gh_cli_statement_t *) a)->first < ((const gh_cli_statement_t *) b)->first ? -1 : 1);
}

static int
compare_first(const void *a, const void *b)
{
    return ((const gh_cli_statement_t *) a)->first < ((const gh_cli_statement_t *) b)->first ? -1 : 1;
}

/* Statements that differ in their classes, or in their models, only become one. */
static uint32_t
join(gh_arena_t *arena, gh_cli_statement_t *items, uint32_t count, bool models)
{
    uint32_t kept = 0;

    if (count == 0) {
        return 0;
    }
    qsort(items, count, sizeof(*items), models ? compare_for_models : compare_for_classes);
    for (uint32_t i = 1; i < count; i++) {
        gh_cli_statement_t *last = &items[kept];
        gh_str_t           *list = models ? &last->models : &last->classes;

        if (compare_apart_from(last, &items[i], models) != 0) {
            items[++kept] = items[i];
            continue;
        }
        *list = gh_str_format(arena, "%.*s, %.*s", GH_STR_ARG(*list), GH_STR_ARG(models ? items[i].models : items[i].classes));
        last->first = items[i].first < last->first ? items[i].first : last->first;
    }

    return kept + 1;
}

int
gh_cli_statements(const gh_cli_who_t *who, const gh_plan_t *plan, bool deployments, bool operators, gh_cli_statement_t **statements,
    uint32_t *count)
{
    const gh_plan_changes_t *changes = deployments ? &plan->deployments : &plan->reach;

    *count = 0;
    *statements = gh_arena_array(who->arena, changes->count, sizeof(**statements));
    if (*statements == NULL) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < changes->count; i++) {
        const gh_plan_change_t *change = &changes->items[i];

        if (!gh_cli_change_speaks_of(change, operators)) {
            continue;
        }
        (*statements)[(*count)++] = (gh_cli_statement_t) {
            .who = gh_cli_who_text(who, change->groups, change->group_count), .classes = change->class_name,
            .deployment = change->deployment, .models = change->model, .feature = feature_text(change),
            .what = what_text(who, plan, change, deployments, operators), .gained = change->gained, .change = change, .first = i };
    }
    *count = join(who->arena, *statements, *count, false);
    *count = deployments ? join(who->arena, *statements, *count, true) : *count;
    if (*count > 0) {
        qsort(*statements, *count, sizeof(**statements), compare_first);
    }

    return GH_OK;
}

gh_str_t
gh_cli_statement_text(gh_arena_t *arena, const gh_cli_statement_t *s)
{
    if (s->deployment.len == 0) {
        return gh_str_format(arena, "%.*s: %.*s %.*s", GH_STR_ARG(s->who), GH_STR_ARG(s->classes), GH_STR_ARG(s->what));
    }
    return gh_str_format(arena, "%.*s (%.*s)%s%.*s, %.*s: %.*s; for %.*s", GH_STR_ARG(s->deployment), GH_STR_ARG(s->models),
        s->feature.len > 0 ? " with " : "", GH_STR_ARG(s->feature), GH_STR_ARG(s->classes), GH_STR_ARG(s->what), GH_STR_ARG(s->who));
}
