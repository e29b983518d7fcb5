#include "policy/base/json_tree.h"

#include <string.h>

typedef struct {                /* an object or array whose end has not come */
    gh_node_t  *node;
    gh_node_t  *last;
    gh_node_t **slots;          /* of an object: its members by hash of the key; NULL: empty */
    size_t      slot_count;     /* 0 or a power of 2, at least twice the members */
} gh_tree_level_t;

typedef struct {
    gh_arena_t      *arena;
    gh_str_t         text;
    const char      *source;
    gh_error_t      *error;
    gh_json_reader_t reader;
    gh_tree_level_t  levels[GH_JSON_MAX_DEPTH];
    uint32_t         depth;
    gh_str_t         key;       /* of the value to come */
    uint32_t         key_line, key_column;
    size_t           offset;    /* line and line_start are those of this offset */
    size_t           line_start;
    uint32_t         line;
} gh_tree_t;

/* Offsets only grow, so that every byte is counted once. */
static void
tree_position(gh_tree_t *tree, size_t offset, uint32_t *line, uint32_t *column)
{
    const char *newline;

    while (tree->offset < offset
           && (newline = memchr(tree->text.data + tree->offset, '\n', offset - tree->offset)) != NULL)
    {
        tree->line++;
        tree->line_start = (size_t) (newline - tree->text.data) + 1;
        tree->offset = tree->line_start;
    }

    tree->offset = offset;
    *line = tree->line;
    *column = (uint32_t) (offset - tree->line_start) + 1;
}

static int
tree_no_memory(gh_tree_t *tree)
{
    return gh_error_at(tree->error, "no_memory", tree->source, tree->line, 0, "out of memory");
}

static int
tree_token(gh_tree_t *tree, gh_str_t *out)
{
    gh_str_t token = tree->reader.token;
    char    *buffer;

    if (!tree->reader.escaped) {
        *out = gh_str_copy(tree->arena, token);
        return out->data != NULL ? GH_OK : tree_no_memory(tree);
    }

    buffer = gh_arena_alloc(tree->arena, token.len + 1);   /* decoding only shrinks */
    if (buffer == NULL) {
        return tree_no_memory(tree);
    }

    if (gh_json_token_decode(&tree->reader, buffer, token.len, out) != GH_OK) {
        return gh_error_at(tree->error, "json_syntax", tree->source, tree->line, 0, "string cannot be decoded");
    }

    return GH_OK;
}

static size_t
key_hash(gh_str_t key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    size_t   i;

    for (i = 0; i < key.len; i++) {
        hash = (hash ^ (unsigned char) key.data[i]) * UINT64_C(0x100000001b3);
    }

    return (size_t) (hash ^ hash >> 32);
}

/* The slot of a key: of the member that has it, else the free one. */
static gh_node_t **
level_slot(gh_tree_level_t *level, gh_str_t key)
{
    size_t i;

    for (i = key_hash(key); ; i++) {
        gh_node_t **slot = &level->slots[i & (level->slot_count - 1)];

        if (*slot == NULL || gh_str_eq((*slot)->key, key)) {
            return slot;
        }
    }
}

static int
level_grow(gh_tree_t *tree, gh_tree_level_t *level)
{
    gh_node_t *member;

    level->slot_count = level->slot_count != 0 ? level->slot_count * 2 : 16;
    level->slots = gh_arena_array(tree->arena, level->slot_count, sizeof(gh_node_t *));
    if (level->slots == NULL) {
        return tree_no_memory(tree);
    }

    for (member = level->node->first; member != NULL; member = member->next) {
        *level_slot(level, member->key) = member;
    }

    return GH_OK;
}

static int
tree_key(gh_tree_t *tree)
{
    gh_tree_level_t *level = &tree->levels[tree->depth - 1];
    gh_node_t       *same;

    tree_position(tree, tree->reader.token_offset, &tree->key_line, &tree->key_column);

    if (tree_token(tree, &tree->key) != GH_OK) {
        return GH_ERROR;
    }

    if ((level->node->count + 1) * 2 > level->slot_count && level_grow(tree, level) != GH_OK) {
        return GH_ERROR;
    }

    same = *level_slot(level, tree->key);
    if (same != NULL) {
        return gh_error_at(tree->error, "json_duplicate", tree->source, tree->key_line, tree->key_column,
            "the key \"%.*s\" is given twice, first on line %u", GH_STR_ARG(tree->key), same->key_line);
    }

    return GH_OK;
}

static gh_node_t *
tree_add(gh_tree_t *tree, gh_node_type_t type)
{
    gh_tree_level_t *level;
    gh_node_t       *node;

    node = gh_arena_alloc(tree->arena, sizeof(gh_node_t));
    if (node == NULL) {
        tree_no_memory(tree);
        return NULL;
    }

    node->type = type;
    tree_position(tree, tree->reader.token_offset, &node->line, &node->column);

    if (tree->depth == 0) {
        return node;
    }

    level = &tree->levels[tree->depth - 1];

    if (level->node->type == GH_NODE_OBJECT) {
        node->key = tree->key;
        node->key_line = tree->key_line;
        node->key_column = tree->key_column;
        *level_slot(level, node->key) = node;
    }

    if (level->last != NULL) {
        level->last->next = node;
    } else {
        level->node->first = node;
    }
    level->last = node;
    level->node->count++;

    return node;
}

static gh_node_type_t
tree_type(gh_json_event_t event)
{
    switch (event) {
    case GH_JSON_OBJECT_BEGIN:
        return GH_NODE_OBJECT;
    case GH_JSON_ARRAY_BEGIN:
        return GH_NODE_ARRAY;
    case GH_JSON_STRING:
        return GH_NODE_STRING;
    case GH_JSON_NUMBER:
        return GH_NODE_NUMBER;
    case GH_JSON_TRUE:
        return GH_NODE_TRUE;
    case GH_JSON_FALSE:
        return GH_NODE_FALSE;
    default:
        return GH_NODE_NULL;
    }
}

/* The value of an event that begins one. */
static int
tree_value(gh_tree_t *tree, gh_json_event_t event, gh_node_t **root)
{
    gh_node_t *node;

    node = tree_add(tree, tree_type(event));
    if (node == NULL) {
        return GH_ERROR;
    }

    if (*root == NULL) {
        *root = node;
    }

    if (event == GH_JSON_STRING || event == GH_JSON_NUMBER) {
        return tree_token(tree, &node->text);
    }

    if (event == GH_JSON_OBJECT_BEGIN || event == GH_JSON_ARRAY_BEGIN) {
        tree->levels[tree->depth++] = (gh_tree_level_t) { .node = node };
    }

    return GH_OK;
}

static int
tree_syntax(gh_tree_t *tree)
{
    gh_json_reader_t *reader = &tree->reader;
    size_t            offset = reader->error_offset;
    uint32_t          line, column;
    unsigned char     c;

    gh_json_position(tree->text, offset, &line, &column);

    if (offset < tree->text.len && strcmp(reader->error_code, "unexpected byte") == 0) {
        c = (unsigned char) tree->text.data[offset];
        if (c > 0x20 && c < 0x7f) {
            return gh_error_at(tree->error, "json_syntax", tree->source, line, column,
                "not valid JSON: unexpected '%c'", c);
        }
        return gh_error_at(tree->error, "json_syntax", tree->source, line, column,
            "not valid JSON: unexpected byte 0x%02x", c);
    }

    return gh_error_at(tree->error, "json_syntax", tree->source, line, column,
        "not valid JSON: %s", reader->error_code);
}

int
gh_json_parse(gh_arena_t *arena, gh_str_t text, const char *source, gh_node_t **root, gh_error_t *error)
{
    gh_tree_t       tree;
    gh_json_event_t event;
    int             status = GH_OK;

    memset(&tree, 0, sizeof(tree));
    tree.arena = arena;
    tree.text = text;
    tree.source = source;
    tree.error = error;
    tree.line = 1;
    *root = NULL;

    gh_json_reader_init(&tree.reader, text, 0);

    while (status == GH_OK) {
        event = gh_json_next(&tree.reader);

        switch (event) {

        case GH_JSON_END:
            return GH_OK;

        case GH_JSON_ERROR:
            status = tree_syntax(&tree);
            break;

        case GH_JSON_KEY:
            status = tree_key(&tree);
            break;

        case GH_JSON_OBJECT_END:
        case GH_JSON_ARRAY_END:
            tree.depth--;
            break;

        default:
            status = tree_value(&tree, event, root);
            break;
        }
    }

    *root = NULL;
    return status;
}

const gh_node_t *
gh_node_get(const gh_node_t *object, const char *key)
{
    const gh_node_t *member;

    if (object == NULL || object->type != GH_NODE_OBJECT) {
        return NULL;
    }

    for (member = object->first; member != NULL; member = member->next) {
        if (gh_str_is(member->key, key)) {
            return member;
        }
    }

    return NULL;
}

const char *
gh_node_type_name(gh_node_type_t type)
{
    static const char *const names[] = {
        [GH_NODE_OBJECT] = "an object", [GH_NODE_ARRAY] = "an array", [GH_NODE_STRING] = "a string",
        [GH_NODE_NUMBER] = "a number", [GH_NODE_TRUE] = "true", [GH_NODE_FALSE] = "false", [GH_NODE_NULL] = "null"
    };

    return names[type];
}

int
gh_node_u64(const gh_node_t *node, uint64_t *out)
{
    gh_json_reader_t reader;

    if (node == NULL || node->type != GH_NODE_NUMBER) {
        return GH_ERROR;
    }

    memset(&reader, 0, sizeof(reader));
    reader.event = GH_JSON_NUMBER;
    reader.token = node->text;

    return gh_json_token_u64(&reader, out);
}

void
gh_node_write(gh_json_writer_t *w, const gh_node_t *node)
{
    const gh_node_t *child;

    switch (node->type) {
    case GH_NODE_OBJECT:
        gh_json_begin_object(w);
        for (child = node->first; child != NULL; child = child->next) {
            gh_json_key_text(w, child->key);
            gh_node_write(w, child);
        }
        gh_json_end_object(w);
        break;
    case GH_NODE_ARRAY:
        gh_json_begin_array(w);
        for (child = node->first; child != NULL; child = child->next) {
            gh_node_write(w, child);
        }
        gh_json_end_array(w);
        break;
    case GH_NODE_STRING:
        gh_json_string(w, node->text);
        break;
    case GH_NODE_NUMBER:
        gh_json_raw(w, node->text);
        break;
    default:
        gh_json_raw(w, gh_str_from(gh_node_type_name(node->type)));
        break;
    }
}

bool
gh_node_same(const gh_node_t *a, const gh_node_t *b)
{
    const gh_node_t *of_b = b->first;

    if (a->type != b->type || a->count != b->count || !gh_str_eq(a->text, b->text)) {
        return false;
    }
    for (const gh_node_t *of_a = a->first; of_a != NULL; of_a = of_a->next) {
        if (a->type == GH_NODE_OBJECT) {
            for (of_b = b->first; of_b != NULL && !gh_str_eq(of_a->key, of_b->key); of_b = of_b->next) {
            }
        }
        if (of_b == NULL || !gh_node_same(of_a, of_b)) {
            return false;
        }
        of_b = of_b->next;
    }
    return true;
}
