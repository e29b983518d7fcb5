#include "policy/agent/tree.h"

#include <string.h>

#define COLUMNS 120
#define INDENT  2

/* ---- making ---- */

static gh_node_t *
make(gh_tree_maker_t *maker, gh_node_type_t type, gh_str_t text)
{
    gh_node_t *node = gh_arena_alloc(maker->arena, sizeof(*node));

    if (node == NULL) {
        maker->no_memory = true;
        return NULL;
    }
    node->type = type;
    node->text = text;

    return node;
}

gh_node_t *
gh_tree_object(gh_tree_maker_t *maker)
{
    return make(maker, GH_NODE_OBJECT, GH_STR(""));
}

gh_node_t *
gh_tree_array(gh_tree_maker_t *maker)
{
    return make(maker, GH_NODE_ARRAY, GH_STR(""));
}

gh_node_t *
gh_tree_string(gh_tree_maker_t *maker, gh_str_t text)
{
    return make(maker, GH_NODE_STRING, text);
}

gh_node_t *
gh_tree_number(gh_tree_maker_t *maker, uint64_t number)
{
    char     digits[GH_STR_DIGITS];
    gh_str_t text = gh_str_copy(maker->arena, gh_str_u64(number, digits));

    if (text.data == NULL) {
        maker->no_memory = true;
        return NULL;
    }

    return make(maker, GH_NODE_NUMBER, text);
}

void
gh_tree_append(gh_node_t *array, gh_node_t *value)
{
    gh_node_t **at;

    if (array == NULL || value == NULL) {
        return;
    }
    for (at = &array->first; *at != NULL; at = &(*at)->next) {
        ;
    }
    value->next = NULL;
    *at = value;
    array->count++;
}

void
gh_tree_set(gh_node_t *object, gh_str_t key, gh_node_t *value)
{
    gh_node_t **at;

    if (object == NULL || value == NULL) {
        return;
    }
    value->key = key;
    for (at = &object->first; *at != NULL; at = &(*at)->next) {
        if (gh_str_eq((*at)->key, key)) {
            value->next = (*at)->next;
            *at = value;
            return;
        }
    }
    value->next = NULL;
    *at = value;
    object->count++;
}

void
gh_tree_remove(gh_node_t *object, const char *key)
{
    for (gh_node_t **at = &object->first; *at != NULL; at = &(*at)->next) {
        if (gh_str_is((*at)->key, key)) {
            *at = (*at)->next;
            object->count--;
            return;
        }
    }
}

gh_node_t *
gh_tree_copy(gh_tree_maker_t *maker, const gh_node_t *node)
{
    gh_node_t *copy = make(maker, node->type, node->text), **at;

    if (copy == NULL) {
        return NULL;
    }
    copy->key = node->key;
    copy->line = node->line;
    copy->column = node->column;
    copy->key_line = node->key_line;
    copy->key_column = node->key_column;
    at = &copy->first;
    for (const gh_node_t *child = node->first; child != NULL; child = child->next) {
        *at = gh_tree_copy(maker, child);
        if (*at == NULL) {
            return NULL;
        }
        at = &(*at)->next;
        copy->count++;
    }

    return copy;
}

bool
gh_tree_same(const gh_node_t *a, const gh_node_t *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    if (a->type != b->type || a->count != b->count) {
        return false;
    }
    if (a->type == GH_NODE_STRING || a->type == GH_NODE_NUMBER) {
        return gh_str_eq(a->text, b->text);
    }
    if (a->type == GH_NODE_ARRAY) {
        for (a = a->first, b = b->first; a != NULL; a = a->next, b = b->next) {
            if (!gh_tree_same(a, b)) {
                return false;
            }
        }
        return true;
    }
    for (const gh_node_t *member = a->first; member != NULL; member = member->next) {
        const gh_node_t *other = b->first;

        while (other != NULL && !gh_str_eq(other->key, member->key)) {
            other = other->next;
        }
        if (other == NULL || !gh_tree_same(member, other)) {
            return false;
        }
    }

    return true;
}

/* ---- writing ---- */

typedef struct {
    gh_arena_t *arena;
    char       *data;
    size_t      len, size;
    bool        failed;
} text_t;

static char *
room(text_t *t, size_t len)
{
    if (t->failed) {
        return NULL;
    }
    if (t->size - t->len < len) {
        size_t size = (t->size + len) * 2 + 4096;
        char  *data = gh_arena_grow(t->arena, t->data, t->len, size, 1);

        if (data == NULL) {
            t->failed = true;
            return NULL;
        }
        t->data = data;
        t->size = size;
    }

    return t->data + t->len;
}

static void
put(text_t *t, const char *data, size_t len)
{
    char *at = room(t, len);

    if (at != NULL) {
        memcpy(at, data, len);
        t->len += len;
    }
}

static void
line(text_t *t, size_t indent)
{
    char *at = room(t, indent + 1);

    if (at != NULL) {
        at[0] = '\n';
        memset(at + 1, ' ', indent);
        t->len += indent + 1;
    }
}

/* A string escapes to at most six bytes a byte, and two quotes. */
static void
string(text_t *t, gh_str_t s)
{
    char            *at = room(t, s.len * 6 + 2);
    gh_json_writer_t w;

    if (at != NULL) {
        gh_json_writer_init(&w, at, s.len * 6 + 2);
        gh_json_string(&w, s);
        t->failed = !gh_json_writer_ok(&w);
        t->len += w.len;
    }
}

static bool
is_container(const gh_node_t *node)
{
    return node->type == GH_NODE_OBJECT || node->type == GH_NODE_ARRAY;
}

static void
scalar(text_t *t, const gh_node_t *node)
{
    static const char *const words[] = { [GH_NODE_TRUE] = "true", [GH_NODE_FALSE] = "false", [GH_NODE_NULL] = "null" };

    if (node->type == GH_NODE_STRING) {
        string(t, node->text);
    } else if (node->type == GH_NODE_NUMBER) {
        put(t, node->text.data, node->text.len);
    } else {
        put(t, words[node->type], strlen(words[node->type]));
    }
}

static void
key(text_t *t, const gh_node_t *parent, const gh_node_t *node)
{
    if (parent->type == GH_NODE_OBJECT) {
        string(t, node->key);
        put(t, ": ", 2);
    }
}

/* On one line: { "a": 1, "b": [ 2 ] } */
static void
flat(text_t *t, const gh_node_t *node)
{
    bool object = node->type == GH_NODE_OBJECT;

    if (!is_container(node)) {
        scalar(t, node);
        return;
    }
    if (node->count == 0) {
        put(t, object ? "{}" : "[]", 2);
        return;
    }
    put(t, object ? "{ " : "[ ", 2);
    for (const gh_node_t *child = node->first; child != NULL; child = child->next) {
        key(t, node, child);
        flat(t, child);
        put(t, ", ", child->next != NULL ? 2 : 0);
    }
    put(t, object ? " }" : " ]", 2);
}

static void
wide(text_t *t, const gh_node_t *node, size_t indent)
{
    size_t begin = t->len, line_begin = begin;
    bool   object = node->type == GH_NODE_OBJECT;

    while (line_begin > 0 && t->data[line_begin - 1] != '\n') {
        line_begin--;
    }
    flat(t, node);
    if (t->failed || !is_container(node) || node->count == 0 || (indent > 0 && t->len - line_begin < COLUMNS)) {
        return;
    }
    t->len = begin;
    put(t, object ? "{" : "[", 1);
    for (const gh_node_t *child = node->first; child != NULL; child = child->next) {
        line(t, indent + INDENT);
        key(t, node, child);
        wide(t, child, indent + INDENT);
        put(t, ",", child->next != NULL ? 1 : 0);
    }
    line(t, indent);
    put(t, object ? "}" : "]", 1);
}

gh_str_t
gh_tree_print(gh_arena_t *arena, const gh_node_t *node)
{
    text_t t = { .arena = arena };

    wide(&t, node, 0);
    put(&t, "\n", 1);
    put(&t, "", 1);

    return t.failed ? (gh_str_t) { NULL, 0 } : (gh_str_t) { t.data, t.len - 1 };
}
