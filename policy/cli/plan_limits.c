/* Limits of tenants/1 that are new, gone, raised or lowered, and of whom. What nobody limits costs nothing here. */
#include "policy/cli/plan_lines.h"

#include <stdlib.h>

#include "policy/cli/limits_text.h"

#define NAMED_MOST 1000    /* lines; more are counted */

typedef struct {           /* whom a list of limits is of, and what their answers may have at most, when that is said below nobody else */
    gh_level_t      level;
    gh_str_t        path;
    gh_limit_list_t limits;
    uint64_t        max_output;
} subject_t;

typedef struct {
    gh_arena_t *arena;
    subject_t  *items;
    uint32_t    count, capacity;
    bool        failed;
} subjects_t;

static void
add(subjects_t *subjects, gh_level_t level, gh_str_t path, const gh_limit_list_t *limits, uint64_t max_output)
{
    if (limits->count == 0 && max_output == 0) {
        return;
    }
    if (subjects->count == subjects->capacity) {
        uint32_t more = subjects->capacity * 2 + 32;

        subjects->items = gh_arena_grow(subjects->arena, subjects->items, subjects->count, more, sizeof(*subjects->items));
        subjects->capacity = subjects->items == NULL ? 0 : more;
    }
    if (subjects->items == NULL) {
        subjects->failed = true;
        subjects->count = 0;
        return;
    }
    subjects->items[subjects->count++] = (subject_t) { level, path, *limits, max_output };
}

static int
compare(const void *left, const void *right)
{
    const subject_t *a = left, *b = right;
    int              order = (int) a->level - (int) b->level;

    return order != 0 ? order : gh_str_cmp(a->path, b->path);
}

static uint64_t
own(uint64_t max_output, uint64_t above)
{
    return max_output == above ? 0 : max_output;
}

static void
add_tenant(subjects_t *subjects, const gh_model_tenant_t *tenant, uint64_t above)
{
    add(subjects, GH_LEVEL_TENANT, tenant->path, &tenant->limits, own(tenant->max_output, above));
    add(subjects, GH_LEVEL_KEY, tenant->path, &tenant->key_limits, 0);
    add(subjects, GH_LEVEL_USER, tenant->path, &tenant->user_limits, 0);
    for (uint32_t a = 0; a < tenant->app_count; a++) {
        const gh_model_app_t *app = &tenant->apps[a];

        add(subjects, GH_LEVEL_APP, app->path, &app->limits, own(app->max_output, tenant->max_output));
        add(subjects, GH_LEVEL_KEY, app->path, &app->key_limits, 0);
        add(subjects, GH_LEVEL_USER, app->path, &app->user_limits, 0);
    }
}

static subjects_t
subjects_of(gh_arena_t *arena, const gh_model_t *model)
{
    subjects_t subjects = { .arena = arena };

    for (uint32_t o = 0; model != NULL && o < model->organisation_count; o++) {
        const gh_model_organisation_t *organisation = &model->organisations[o];

        add(&subjects, GH_LEVEL_ORGANISATION, organisation->id, &organisation->limits, organisation->max_output);
        add(&subjects, GH_LEVEL_KEY, organisation->id, &organisation->key_limits, 0);
        add(&subjects, GH_LEVEL_USER, organisation->id, &organisation->user_limits, 0);
        for (uint32_t t = 0; t < organisation->tenant_count; t++) {
            add_tenant(&subjects, &organisation->tenants[t], organisation->max_output);
        }
    }
    if (subjects.count > 0) {
        qsort(subjects.items, subjects.count, sizeof(*subjects.items), compare);
    }
    return subjects;
}

/* ---- lines ---- */

typedef struct {
    gh_cli_comparing_t *c;
    gh_str_t            whose;
    uint32_t           *count;
} line_t;

static void
add_line(void *context, char sign, gh_str_t text)
{
    const line_t *line = context;

    if (++*line->count <= NAMED_MOST) {
        gh_cli_line_add(line->c, sign, "limit", GH_STR(""), line->whose, text);
    }
}

static void
compare_max_output(const line_t *line, uint64_t before, uint64_t after)
{
    gh_arena_t *arena = line->c->arena;
    gh_str_t    text = gh_str_format(arena, "at most %llu tokens an answer", (unsigned long long) (after != 0 ? after : before));

    if (before != 0 && after != 0 && before != after) {
        add_line((void *) (uintptr_t) line, '~', gh_str_format(arena, "%s from %llu to %llu: %.*s", after > before ? "raised" : "lowered",
            (unsigned long long) before, (unsigned long long) after, GH_STR_ARG(text)));
    } else if (before != after) {
        add_line((void *) (uintptr_t) line, before == 0 ? '+' : '-', text);
    }
}

static void
compare_subject(gh_cli_comparing_t *c, const subject_t *before, const subject_t *after, uint32_t *count)
{
    static const subject_t nobody = { 0 };
    const subject_t       *any = after != NULL ? after : before;
    line_t                 line = { c, gh_cli_limited_text(c->arena, any->level, any->path), count };

    before = before != NULL ? before : &nobody;
    after = after != NULL ? after : &nobody;
    gh_cli_limits_differ(c->arena, &before->limits, &after->limits, add_line, &line);
    compare_max_output(&line, before->max_output, after->max_output);
}

void
gh_cli_compare_limits(gh_cli_comparing_t *c)
{
    subjects_t before = subjects_of(c->arena, c->before), after = subjects_of(c->arena, c->after);
    uint32_t   b = 0, a = 0, count = 0;

    if (before.failed || after.failed) {
        c->lines->failed = true;
        return;
    }
    while (b < before.count || a < after.count) {
        int order = b == before.count ? 1 : a == after.count ? -1 : compare(&before.items[b], &after.items[a]);

        compare_subject(c, order <= 0 ? &before.items[b] : NULL, order >= 0 ? &after.items[a] : NULL, &count);
        b += order <= 0;
        a += order >= 0;
    }
    if (count > NAMED_MOST) {
        gh_cli_line_add(c, '~', "limits", GH_STR(""), gh_str_format(c->arena, "%u more", (unsigned) (count - NAMED_MOST)), GH_STR(""));
    }
}
