#include "policy/document/limit_node.h"

int
gh_limit_node_list(gh_arena_t *arena, const gh_node_t *list, gh_level_t level, gh_limit_list_t *limits)
{
    *limits = (gh_limit_list_t) { NULL, 0 };
    if (list == NULL || list->type != GH_NODE_ARRAY) {
        return GH_OK;
    }
    limits->items = gh_arena_array(arena, list->count, sizeof(*limits->items));
    if (limits->items == NULL) {
        return GH_ERROR;
    }
    for (const gh_node_t *node = list->first; node != NULL; node = node->next) {
        gh_model_limit_t *item = &limits->items[limits->count];
        gh_str_t          model;

        if (gh_limit_node_read(node, level, &item->limit, &model)) {
            item->model = gh_str_copy(arena, model);
            if (item->model.data == NULL) {
                return GH_ERROR;
            }
            limits->count++;
        }
    }
    return GH_OK;
}
