/* Two sides of an edit, compared group by group; equal changes of several groups are kept once. */
#include "policy/review/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    gh_arena_t   *arena;               /* of the plan */
    gh_plan_t    *plan;
    gh_review_t  *before, *after;      /* before NULL: nothing */
    gh_error_t   *error;
    gh_heap_t     scratch;             /* of one group */
    gh_reach_table_t sides[2];         /* before, after */
    uint32_t      group;
} planning_t;

/* ---- changes, once each ---- */

static uint64_t
hash_bytes(uint64_t hash, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ ((const uint8_t *) data)[i]) * 1099511628211ull;
    }
    return hash;
}

static uint32_t
hash_change(const gh_plan_change_t *c)
{
    uint64_t hash = 14695981039346656037ull;

    hash = hash_bytes(hash, c->class_name.data, c->class_name.len);
    hash = hash_bytes(hash, c->deployment.data, c->deployment.len);
    hash = hash_bytes(hash, c->model.data, c->model.len);
    hash = hash_bytes(hash, c->feature.name.data, c->feature.name.len);
    hash = hash_bytes(hash, &c->from_ms, sizeof(c->from_ms));
    hash = hash_bytes(hash, &c->what, sizeof(c->what));
    return (uint32_t) (hash ^ hash >> 32);
}

static bool
same_change(const gh_plan_change_t *a, const gh_plan_change_t *b)
{
    return a->gained == b->gained && a->status == b->status && a->from_ms == b->from_ms && a->feature.kind == b->feature.kind
        && memcmp(&a->what, &b->what, sizeof(a->what)) == 0 && gh_str_eq(a->class_name, b->class_name)
        && gh_str_eq(a->deployment, b->deployment) && gh_str_eq(a->model, b->model) && gh_str_eq(a->feature.name, b->feature.name);
}

static uint32_t *
slot_of(const gh_plan_changes_t *changes, const gh_plan_change_t *change)
{
    uint32_t at = hash_change(change) & (changes->slot_count - 1);

    while (changes->slots[at] != 0 && !same_change(&changes->items[changes->slots[at] - 1], change)) {
        at = (at + 1) & (changes->slot_count - 1);
    }
    return &changes->slots[at];
}

static int
more_room(gh_arena_t *arena, gh_plan_changes_t *changes)
{
    if (changes->count == changes->capacity) {
        uint32_t more = changes->capacity * 2 + 32;

        changes->items = gh_arena_grow(arena, changes->items, changes->count, more, sizeof(*changes->items));
        changes->capacity = changes->items == NULL ? 0 : more;
    }
    if (changes->items != NULL && changes->count * 2 >= changes->slot_count) {
        changes->slot_count = changes->slot_count == 0 ? 64 : changes->slot_count * 2;
        changes->slots = gh_arena_array(arena, changes->slot_count, sizeof(*changes->slots));
        for (uint32_t i = 0; changes->slots != NULL && i < changes->count; i++) {
            *slot_of(changes, &changes->items[i]) = i + 1;
        }
    }
    return changes->items == NULL || changes->slots == NULL ? GH_ERROR : GH_OK;
}

static int
add_change(planning_t *p, gh_plan_changes_t *changes, const gh_plan_change_t *change)
{
    gh_plan_change_t *kept;
    uint32_t         *slot;

    if (more_room(p->arena, changes) != GH_OK) {
        return GH_ERROR;
    }
    slot = slot_of(changes, change);
    if (*slot == 0) {
        changes->items[changes->count] = *change;
        *slot = ++changes->count;
    }
    kept = &changes->items[*slot - 1];
    if (kept->group_count == kept->group_capacity) {
        uint32_t more = kept->group_capacity * 2 + 4;

        kept->groups = gh_arena_grow(p->arena, kept->groups, kept->group_count, more, sizeof(*kept->groups));
        if (kept->groups == NULL) {
            return GH_ERROR;
        }
        kept->group_capacity = more;
    }
    kept->groups[kept->group_count++] = p->group;
    return GH_OK;
}

/* ---- two timelines ---- */

typedef struct { const gh_timeline_t *before, *after; } pair_t;

static gh_reached_t
minus(gh_reached_t a, gh_reached_t b)
{
    for (int kind = 0; kind < GH_REACHES; kind++) {
        a.of[kind] = gh_places_minus(a.of[kind], b.of[kind]);
    }
    return a;
}

static bool
is_nothing(const gh_reached_t *reached)
{
    for (int kind = 0; kind < GH_REACHES; kind++) {
        if (!gh_places_empty(reached->of[kind])) {
            return false;
        }
    }
    return true;
}

static uint64_t
next_of(const pair_t *pair, uint64_t instant_ms)
{
    uint64_t before = gh_timeline_next(pair->before, instant_ms), after = gh_timeline_next(pair->after, instant_ms);

    return before < after ? before : after;
}

/*
 * Every difference, at the first instant at which it is one. without: differences that are told already (of the same deployment without a
 * feature).
 */
static int
compare(planning_t *p, gh_plan_changes_t *changes, gh_plan_change_t *change, const pair_t *pair, const pair_t *without)
{
    gh_reached_t last[2];
    uint64_t     instant_ms = p->plan->now_ms;

    memset(last, 0, sizeof(last));

    while (instant_ms != UINT64_MAX) {
        gh_reached_t sides[2] = { gh_timeline_at(pair->before, instant_ms), gh_timeline_at(pair->after, instant_ms) };
        gh_reached_t told[2] = { gh_timeline_at(without->before, instant_ms), gh_timeline_at(without->after, instant_ms) };
        uint64_t     others_ms = next_of(without, instant_ms);

        for (int gained = 1; gained >= 0; gained--) {
            gh_reached_t differs = minus(minus(sides[gained], sides[!gained]), minus(told[gained], told[!gained]));

            change->what = minus(differs, last[gained]);
            change->gained = gained;
            change->from_ms = instant_ms;
            change->status = !gh_places_empty(sides[!gained].of[GH_REACH_PROCESS]) ? GH_PLAN_MORE : gained ? GH_PLAN_NEW : GH_PLAN_GONE;
            if (!is_nothing(&change->what) && add_change(p, changes, change) != GH_OK) {
                return GH_ERROR;
            }
            last[gained] = differs;
        }
        instant_ms = next_of(pair, instant_ms);
        instant_ms = others_ms < instant_ms ? others_ms : instant_ms;
    }
    return GH_OK;
}

/* ---- one group ---- */

static const gh_timeline_t nothing;

static const gh_timeline_t *
find_row(const gh_reach_table_t *table, const gh_reach_row_t *like, const gh_review_feature_t *feature)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const gh_reach_row_t *row = &table->rows[i];

        if (row->feature.kind == feature->kind && gh_str_eq(row->class_name, like->class_name)
            && gh_str_eq(row->deployment, like->deployment) && gh_str_eq(row->model, like->model)
            && gh_str_eq(row->feature.name, feature->name))
        {
            return &row->timeline;
        }
    }
    return &nothing;
}

static int
compare_row(planning_t *p, const gh_reach_row_t *row)
{
    const gh_review_feature_t plain = { GH_REVIEW_NO_FEATURE, GH_STR("") };
    gh_plan_change_t          change = { .class_name = row->class_name, .deployment = row->deployment, .model = row->model,
        .feature = row->feature };
    pair_t                    pair = { find_row(&p->sides[0], row, &row->feature), find_row(&p->sides[1], row, &row->feature) };
    pair_t                    without = { &nothing, &nothing };

    if (row->feature.kind != GH_REVIEW_NO_FEATURE) {
        without = (pair_t) { find_row(&p->sides[0], row, &plain), find_row(&p->sides[1], row, &plain) };
    }
    return compare(p, &p->plan->deployments, &change, &pair, &without);
}

static int
compare_deployments(planning_t *p)
{
    for (int side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < p->sides[side].count; i++) {
            const gh_reach_row_t *row = &p->sides[side].rows[i];

            if (side == 1 && find_row(&p->sides[0], row, &row->feature) != &nothing) {
                continue;
            }
            if (compare_row(p, row) != GH_OK) {
                return GH_ERROR;
            }
        }
    }
    return GH_OK;
}

static bool
class_seen(const gh_reach_table_t *table, uint32_t count, gh_str_t class_name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (gh_str_eq(table->rows[i].class_name, class_name)) {
            return true;
        }
    }
    return false;
}

static int
unite_class(planning_t *p, int side, gh_str_t class_name, gh_timeline_t *all)
{
    *all = (gh_timeline_t) { 0 };
    for (uint32_t i = 0; i < p->sides[side].count; i++) {
        const gh_reach_row_t *row = &p->sides[side].rows[i];

        if (gh_str_eq(row->class_name, class_name) && gh_timeline_unite(&p->scratch.arena, all, &row->timeline) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

static int
compare_classes(planning_t *p)
{
    const pair_t none = { &nothing, &nothing };

    for (int side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < p->sides[side].count; i++) {
            gh_str_t         name = p->sides[side].rows[i].class_name;
            gh_plan_change_t change = { .class_name = name };
            gh_timeline_t    all[2];

            if (class_seen(&p->sides[side], i, name) || (side == 1 && class_seen(&p->sides[0], p->sides[0].count, name))) {
                continue;
            }
            if (unite_class(p, 0, name, &all[0]) != GH_OK || unite_class(p, 1, name, &all[1]) != GH_OK
                || compare(p, &p->plan->reach, &change, &(pair_t) { &all[0], &all[1] }, &none) != GH_OK)
            {
                return GH_ERROR;
            }
        }
    }
    return GH_OK;
}

static int
plan_group(planning_t *p, uint32_t group)
{
    int status = GH_OK;

    p->group = group;
    gh_heap_init(&p->scratch);
    gh_reach_init(&p->sides[0], &p->scratch.arena);
    gh_reach_init(&p->sides[1], &p->scratch.arena);
    if (p->before != NULL) {
        status = gh_review_group(p->before, group, gh_reach_visit, &p->sides[0], p->error);
    }
    if (status == GH_OK) {
        status = gh_review_group(p->after, group, gh_reach_visit, &p->sides[1], p->error);
    }
    if (status == GH_OK) {
        status = compare_classes(p);
    }
    if (status == GH_OK) {
        status = compare_deployments(p);
    }
    gh_heap_free(&p->scratch);
    return status;
}

/* ---- all ---- */

static int
order(const void *left, const void *right)
{
    const gh_plan_change_t *a = left, *b = right;
    int                     names;

    if (a->gained != b->gained) {
        return a->gained ? -1 : 1;
    }
    if (a->from_ms != b->from_ms) {
        return a->from_ms < b->from_ms ? -1 : 1;
    }
    if (a->group_count != b->group_count) {
        return a->group_count > b->group_count ? -1 : 1;
    }
    names = gh_str_cmp(a->deployment, b->deployment);
    names = names != 0 ? names : gh_str_cmp(a->model, b->model);
    names = names != 0 ? names : gh_str_cmp(a->class_name, b->class_name);
    names = names != 0 ? names : gh_str_cmp(a->feature.name, b->feature.name);
    names = names != 0 ? names : (int) a->feature.kind - (int) b->feature.kind;
    return names != 0 ? names : memcmp(&a->what, &b->what, sizeof(a->what));
}

int
gh_plan_make(gh_arena_t *arena, const gh_image_t *before, const gh_image_t *after, uint64_t now_ms, gh_review_progress_t *progress,
    gh_plan_t *plan, gh_error_t *error)
{
    const gh_image_t *images[2] = { after, before };
    planning_t        p = { .arena = arena, .plan = plan, .error = error };
    uint64_t          clock_ms = before != NULL && before->clock_ms > after->clock_ms ? before->clock_ms : after->clock_ms;

    *plan = (gh_plan_t) { .now_ms = now_ms > clock_ms ? now_ms : clock_ms };
    if (gh_review_groups_make(arena, images, before == NULL ? 1 : 2, NULL, 0, &plan->groups, error) != GH_OK) {
        return GH_ERROR;
    }
    p.after = gh_review_new(arena, after, 0, &plan->groups, plan->now_ms);
    p.before = before == NULL ? NULL : gh_review_new(arena, before, 1, &plan->groups, plan->now_ms);
    if (p.after == NULL || (before != NULL && p.before == NULL)) {
        return gh_error_set(error, "out_of_memory", "no memory for a plan");
    }
    if (progress != NULL) {
        progress->total = plan->groups.group_count;
        progress->done = 0;
    }
    for (uint32_t i = 0; i < plan->groups.group_count; i++) {
        if (plan_group(&p, i) != GH_OK) {
            return error->code != NULL ? GH_ERROR : gh_error_set(error, "out_of_memory", "no memory for a plan");
        }
        if (progress != NULL && progress->tick != NULL) {
            progress->tick(progress->context, ++progress->done, progress->total);
        }
    }
    if (plan->reach.count > 0) {
        qsort(plan->reach.items, plan->reach.count, sizeof(*plan->reach.items), order);
    }
    if (plan->deployments.count > 0) {
        qsort(plan->deployments.items, plan->deployments.count, sizeof(*plan->deployments.items), order);
    }
    plan->after = gh_review_counts(p.after);
    if (p.before != NULL) {
        plan->before = gh_review_counts(p.before);
    }
    return GH_OK;
}
