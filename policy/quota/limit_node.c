#include "policy/quota/limit_node.h"

#include <string.h>

/* Index in names of a string member; 0 when it is not there and may not be; -1: it is no such word. */
static int
word(const gh_node_t *object, const char *member, const char *const *names, int count, bool required)
{
    const gh_node_t *node = gh_node_get(object, member);

    if (node == NULL) {
        return required ? -1 : 0;
    }
    for (int i = 0; node->type == GH_NODE_STRING && i < count; i++) {
        if (names[i][0] != '\0' && gh_str_is(node->text, names[i])) {
            return i;
        }
    }
    return -1;
}

bool
gh_limit_node_read(const gh_node_t *node, gh_level_t level, gh_limit_t *limit, gh_str_t *model)
{
    const gh_node_t *amount, *name;
    int              dimension, per, class;

    memset(limit, 0, sizeof(*limit));
    *model = GH_STR("");
    if (node->type != GH_NODE_OBJECT) {
        return false;
    }
    dimension = word(node, "dimension", gh_dimension_names, GH_DIMENSIONS, true);
    per = word(node, "per", gh_per_names, GH_PERS, false);
    class = word(node, "class", gh_limit_class_names, GH_LIMIT_CLASSES, true);
    amount = gh_node_get(node, "amount");
    name = gh_node_get(node, "model");
    if (dimension < 0 || per < 0 || class < 0 || amount == NULL || gh_node_u64(amount, &limit->amount) != GH_OK
        || (name != NULL && name->type != GH_NODE_STRING))
    {
        return false;
    }
    limit->level = (uint8_t) level;
    limit->dimension = (uint8_t) dimension;
    limit->per = (uint8_t) per;
    limit->limit_class = (uint8_t) class;
    if (name != NULL) {
        *model = name->text;
        limit->model = gh_model_number(name->text);
    }
    return true;
}
