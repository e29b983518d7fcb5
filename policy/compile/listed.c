/* What tenants/1 lists, as the store keeps it beside the image: everything, or what differs. */
#include <stdlib.h>
#include <string.h>

#include "policy/compile/profiles.h"

static int
compare(const void *left, const void *right)
{
    return gh_str_cmp(((const gh_store_listed_t *) left)->path, ((const gh_store_listed_t *) right)->path);
}

/* Organisations, and tenants without apps; sorted. */
static gh_store_listed_t *
list_others(gh_arena_t *arena, const gh_model_t *model, const gh_compile_change_t *change, size_t *count)
{
    gh_store_listed_t *others;
    size_t             capacity = change == NULL ? model->organisation_count : change->organisation_count;

    for (uint32_t o = 0; o < model->organisation_count; o++) {
        for (uint32_t t = 0; t < model->organisations[o].tenant_count; t++) {
            capacity += model->organisations[o].tenants[t].app_count == 0;
        }
    }
    *count = 0;
    others = gh_arena_array(arena, capacity, sizeof(*others));
    for (size_t i = 0; others != NULL && change != NULL && i < change->organisation_count; i++) {
        others[(*count)++] = change->organisations[i];
    }
    for (uint32_t o = 0; others != NULL && o < model->organisation_count; o++) {
        const gh_model_organisation_t *organisation = &model->organisations[o];

        if (change == NULL) {
            others[(*count)++] = (gh_store_listed_t) { .path = organisation->id, .documents = organisation->document_count,
                                                       .tenants = organisation->tenant_count, .said = organisation->said };
        }
        for (uint32_t t = 0; t < organisation->tenant_count; t++) {
            if (organisation->tenants[t].app_count == 0) {
                others[(*count)++].path = organisation->tenants[t].path;
            }
        }
    }
    if (*count > 0) {
        qsort(others, *count, sizeof(*others), compare);
    }
    return others;
}

static gh_store_listed_t *
merge(gh_arena_t *arena, const gh_store_listed_t *a, size_t a_count, const gh_store_listed_t *b, size_t b_count)
{
    gh_store_listed_t *out = gh_arena_array(arena, a_count + b_count, sizeof(*out));
    size_t             n = 0;

    for (size_t i = 0, k = 0; out != NULL && i + k < a_count + b_count;) {
        bool of_b = i == a_count || (k < b_count && compare(&b[k], &a[i]) < 0);

        out[n++] = of_b ? b[k++] : a[i++];
    }
    return out;
}

static bool
same(const gh_store_listed_t *a, const gh_store_listed_t *b)
{
    return a->profile == b->profile && a->documents == b->documents && a->tenants == b->tenants && gh_str_eq(a->said, b->said)
        && a->max_output == b->max_output && a->limit_count == b->limit_count
        && (a->limit_count == 0 || memcmp(a->limits, b->limits, a->limit_count * sizeof(*a->limits)) == 0);
}

static int
difference(gh_arena_t *arena, const gh_compile_change_t *change, const gh_store_listed_t *now, size_t count,
    gh_compiled_t *compiled)
{
    gh_store_listed_t *listed = gh_arena_array(arena, count, sizeof(*listed));
    gh_str_t          *dropped = gh_arena_array(arena, change->before_count, sizeof(*dropped));

    if (listed == NULL || dropped == NULL) {
        return GH_ERROR;
    }
    for (size_t i = 0, k = 0; i < change->before_count || k < count;) {
        int order = i == change->before_count ? 1 : k == count ? -1 : compare(&change->before[i], &now[k]);

        if (order < 0) {
            dropped[compiled->dropped_count++] = change->before[i++].path;
        } else {
            if (order > 0 || !same(&change->before[i], &now[k])) {
                listed[compiled->listed_count++] = now[k];
            }
            i += order == 0;
            k++;
        }
    }
    compiled->listed = listed;
    compiled->dropped = dropped;
    return GH_OK;
}

int
gh_compile_listed(gh_arena_t *arena, const gh_model_t *model, const gh_compile_change_t *change,
    const gh_store_listed_t *apps, size_t app_count, gh_compiled_t *compiled)
{
    size_t             count;
    gh_store_listed_t *others = list_others(arena, model, change, &count), *now;

    now = others == NULL ? NULL : merge(arena, others, count, apps, app_count);
    if (now == NULL) {
        return GH_ERROR;
    }
    if (change != NULL) {
        return difference(arena, change, now, count + app_count, compiled);
    }
    compiled->listed = now;
    compiled->listed_count = count + app_count;
    return GH_OK;
}
