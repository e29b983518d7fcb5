#include "policy/review/reach.h"

#include <string.h>

void
gh_reach_init(gh_reach_table_t *table, gh_arena_t *arena)
{
    memset(table, 0, sizeof(*table));
    table->arena = arena;
}

int
gh_reach_of_use(const gh_review_case_t *one, uint32_t target, gh_reached_t *reached)
{
    gh_judged_facts_t facts;

    if (gh_decide_use(one->image, one->input, one->decision, target, &facts) != GH_OK) {
        return GH_ERROR;
    }
    reached->of[GH_REACH_PROCESS] = facts.process;
    reached->of[GH_REACH_STORE] = facts.store_nothing ? gh_places_none() : facts.store;
    reached->of[GH_REACH_OPERATOR] = facts.operator_home;
    return GH_OK;
}

static uint32_t *
slot_of(const gh_reach_table_t *table, uint32_t class_index, uint32_t target, const gh_review_feature_t *feature)
{
    uint64_t hash = ((uint64_t) target * 64 + class_index) * 4 + (uint64_t) feature->kind;
    uint32_t at;

    for (size_t i = 0; i < feature->name.len; i++) {
        hash = (hash ^ (uint8_t) feature->name.data[i]) * 1099511628211ull;
    }
    hash *= 0x9e3779b97f4a7c15ull;
    at = (uint32_t) (hash >> 32) & (table->slot_count - 1);
    while (table->slots[at] != 0) {
        const gh_reach_row_t *row = &table->rows[table->slots[at] - 1];

        if (row->class_index == class_index && row->target == target && row->feature.kind == feature->kind
            && gh_str_eq(row->feature.name, feature->name))
        {
            break;
        }
        at = (at + 1) & (table->slot_count - 1);
    }
    return &table->slots[at];
}

static int
more_room(gh_reach_table_t *table)
{
    if (table->count == table->capacity) {
        uint32_t more = table->capacity * 2 + 16;

        table->rows = gh_arena_grow(table->arena, table->rows, table->count, more, sizeof(*table->rows));
        table->capacity = table->rows == NULL ? 0 : more;
    }
    if (table->count * 2 >= table->slot_count) {
        table->slot_count = table->slot_count * 2 + 64;
        while (table->slot_count & (table->slot_count - 1)) {
            table->slot_count &= table->slot_count - 1;
        }
        table->slots = gh_arena_array(table->arena, table->slot_count, sizeof(*table->slots));
        for (uint32_t i = 0; table->rows != NULL && table->slots != NULL && i < table->count; i++) {
            *slot_of(table, table->rows[i].class_index, table->rows[i].target, &table->rows[i].feature) = i + 1;
        }
    }
    return table->rows == NULL || table->slots == NULL ? GH_ERROR : GH_OK;
}

static gh_reach_row_t *
row_of(gh_reach_table_t *table, const gh_review_case_t *one, uint32_t class_index, uint32_t target)
{
    const gh_image_t        *image = one->image;
    const gh_image_target_t *t = &image->targets[target];
    gh_reach_row_t          *row;
    uint32_t                *slot;

    if (more_room(table) != GH_OK) {
        return NULL;
    }
    slot = slot_of(table, class_index, target, &one->feature);
    if (*slot != 0) {
        return &table->rows[*slot - 1];
    }
    row = &table->rows[table->count];
    row->class_name = gh_review_class(one, class_index);
    row->deployment = gh_image_str(image, image->deployments[t->deployment].id);
    row->model = gh_image_str(image, image->models[t->model].name);
    row->upstream = gh_image_str(image, t->upstream);
    row->feature = one->feature;
    row->class_index = class_index;
    row->target = target;
    *slot = ++table->count;
    return row;
}

int
gh_reach_visit(void *context, const gh_review_case_t *one)
{
    gh_reach_table_t *table = context;

    for (uint32_t i = 0; i < one->decision->route_count; i++) {
        uint32_t     target = one->decision->route[i];
        gh_reached_t reached;

        if (gh_reach_of_use(one, target, &reached) != GH_OK) {
            return GH_ERROR;
        }
        for (uint32_t c = 0; c < one->policy->classes.count && c < GH_CLASSES_MAX; c++) {
            gh_reach_row_t *row;

            if (!(one->request->minimal >> c & 1)) {
                continue;
            }
            row = row_of(table, one, c, target);
            if (row == NULL || gh_timeline_add(table->arena, &row->timeline, one->from_ms, one->until_ms, &reached) != GH_OK) {
                return GH_ERROR;
            }
        }
    }
    return GH_OK;
}
