/* The first line of a plan: which tenants' data may get to which country. */
#include "policy/cli/plan.h"

#include <stdlib.h>

#define STATEMENTS_SHOWN 4      /* of gained and of lost ones; more are said by tenant */
#define GROUPS_SHOWN     6      /* tenants that get to the same countries are a group; more groups are counted */

typedef struct {
    gh_places_t now, later;     /* countries of any class and kind; later: from a later instant on only */
} got_t;

static bool
nobody(const got_t *got)
{
    return gh_places_empty(got->now) && gh_places_empty(got->later);
}

static bool
same(const got_t *a, const got_t *b)
{
    return gh_places_equal(a->now, b->now) && gh_places_equal(a->later, b->later);
}

/* What each tenant gains, or loses, by all changes together. NULL: out of memory. */
static got_t *
by_tenant(const gh_cli_who_t *who, const gh_plan_t *plan, bool gained)
{
    got_t *got = gh_arena_array(who->arena, who->tenant_count, sizeof(*got));

    for (uint32_t i = 0; got != NULL && i < plan->reach.count; i++) {
        const gh_plan_change_t *change = &plan->reach.items[i];
        gh_places_t             places = gh_places_union(change->what.of[GH_REACH_PROCESS], change->what.of[GH_REACH_STORE]);

        for (uint32_t g = 0; change->gained == gained && g < change->group_count; g++) {
            const gh_review_group_t *group = &who->groups->groups[change->groups[g]];

            for (uint32_t m = 0; m < group->count; m++) {
                got_t       *one = &got[who->tenant_of[who->groups->members[group->first + m].app]];
                gh_places_t *of = change->from_ms > plan->now_ms ? &one->later : &one->now;

                *of = gh_places_union(*of, places);
            }
        }
    }
    for (uint32_t i = 0; got != NULL && i < who->tenant_count; i++) {
        got[i].later = gh_places_has_unknown(got[i].now) ? gh_places_none() : gh_places_has_unknown(got[i].later) ? got[i].later
                     : gh_places_minus(got[i].later, got[i].now);
    }

    return got;
}

static gh_str_t
places_text(const gh_cli_who_t *who, gh_places_t places)
{
    return gh_places_has_unknown(places) ? GH_STR("places that nobody knows") : gh_cli_places_text(who->sets, places);
}

static gh_str_t
got_text(const gh_cli_who_t *who, const got_t *got)
{
    gh_str_t now = places_text(who, got->now), later = places_text(who, got->later);

    if (gh_places_empty(got->later)) {
        return now;
    }
    if (gh_places_empty(got->now)) {
        return gh_str_format(who->arena, "%.*s (later)", GH_STR_ARG(later));
    }
    return gh_str_format(who->arena, "%.*s and later to %.*s", GH_STR_ARG(now), GH_STR_ARG(later));
}

typedef struct {
    got_t    got;
    uint32_t first;             /* tenant */
} group_t;

/* Farthest first. */
static int
compare_groups(const void *left, const void *right)
{
    const group_t *a = left, *b = right;
    gh_places_t    of_a = gh_places_union(a->got.now, a->got.later), of_b = gh_places_union(b->got.now, b->got.later);
    unsigned       far_a = gh_places_has_unknown(of_a) ? GH_COUNTRIES + 1 : gh_places_count(of_a);
    unsigned       far_b = gh_places_has_unknown(of_b) ? GH_COUNTRIES + 1 : gh_places_count(of_b);

    return far_a != far_b ? (far_a > far_b ? -1 : 1) : a->first < b->first ? -1 : 1;
}

/* "Data of 12 tenants may now get to US and CN, as told below" */
static gh_str_t
counted(const gh_cli_who_t *who, const got_t *got, bool gained)
{
    got_t    all = { gh_places_none(), gh_places_none() };
    uint32_t tenants = 0;

    for (uint32_t i = 0; i < who->tenant_count; i++) {
        tenants += !nobody(&got[i]);
        all.now = gh_places_union(all.now, got[i].now);
        all.later = gh_places_union(all.later, got[i].later);
    }

    return gh_str_format(who->arena, "%s of %u tenants %s %.*s, as told below", gained ? "Data" : "data", tenants,
        gh_places_empty(all.later) ? gained ? "may now get to" : "may no longer get to"
                                   : gained ? "may now or later get to" : "may no longer, or later not, get to",
        GH_STR_ARG(places_text(who, gh_places_union(all.now, all.later))));
}

/* "Data of nordbank/web-bot may now get to ANYWHERE, of nordbank/retail to DE SE, in the classes told below" */
static gh_str_t
by_group(const gh_cli_who_t *who, const gh_plan_t *plan, bool gained)
{
    got_t   *got = by_tenant(who, plan, gained);
    bool    *chosen = gh_arena_array(who->arena, who->tenant_count, sizeof(bool));
    group_t  groups[GROUPS_SHOWN];
    unsigned count = 0;
    gh_str_t text = GH_STR("");

    if (got == NULL || chosen == NULL) {
        return text;
    }
    for (uint32_t i = 0; i < who->tenant_count; i++) {
        unsigned k = 0;

        while (k < count && !same(&groups[k].got, &got[i])) {
            k++;
        }
        if (k < count || nobody(&got[i])) {
            continue;
        }
        if (count == GROUPS_SHOWN) {
            return counted(who, got, gained);
        }
        groups[count++] = (group_t) { got[i], i };
    }
    qsort(groups, count, sizeof(groups[0]), compare_groups);
    for (unsigned k = 0; k < count; k++) {
        for (uint32_t i = 0; i < who->tenant_count; i++) {
            chosen[i] = same(&groups[k].got, &got[i]);
        }
        text = gh_str_format(who->arena, "%.*s%s of %.*s%s to %.*s", GH_STR_ARG(text), k > 0 ? "," : gained ? "Data" : "data",
            GH_STR_ARG(gh_cli_who_tenants_text(who, chosen)), k > 0 ? "" : gained ? " may now get" : " may no longer get",
            GH_STR_ARG(got_text(who, &groups[k].got)));
    }

    return gh_str_format(who->arena, "%.*s, in the classes told below", GH_STR_ARG(text));
}

static gh_str_t
said(const gh_cli_who_t *who, const gh_plan_t *plan, const gh_cli_statement_t *statements, uint32_t count, bool gained, bool *told)
{
    gh_str_t text = GH_STR("");
    uint32_t number = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (statements[i].gained == gained) {
            gh_str_t one = gh_cli_statement_text(who->arena, &statements[i]);

            text = gh_str_format(who->arena, "%.*s%s%.*s", GH_STR_ARG(text), number > 0 ? "; " : "", GH_STR_ARG(one));
            number++;
        }
    }

    if (number <= STATEMENTS_SHOWN) {
        return text;
    }
    *told = false;

    return by_group(who, plan, gained);
}

gh_str_t
gh_cli_plan_sentence(const gh_cli_who_t *who, const gh_plan_t *plan, const gh_cli_statement_t *statements, uint32_t count, bool *told)
{
    gh_str_t gained, lost;

    *told = true;
    gained = said(who, plan, statements, count, true, told);
    lost = said(who, plan, statements, count, false, told);
    if (gained.len == 0) {
        gained = GH_STR("No tenant's data may reach a new country");
        if (lost.len == 0) {
            return gh_str_format(who->arena, "%.*s, and none loses one.", GH_STR_ARG(gained));
        }
    }
    return gh_str_format(who->arena, "%.*s%s%.*s.", GH_STR_ARG(gained), lost.len > 0 ? "; " : "", GH_STR_ARG(lost));
}
