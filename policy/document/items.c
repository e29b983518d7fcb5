#include "policy/document/items.h"

#include <stdlib.h>
#include <string.h>

#include "policy/base/hash.h"
#include "policy/base/json_tree.h"
#include "policy/document/limit_node.h"

const char *const gh_item_kind_names[] = {
    "policy", "guard", "allow", "forbid", "node", "model", "deployment", "organisation", "tenant", "app", "issuer"
};

typedef struct {                     /* a value in one spelling, for its digest; malloc'ed, used again and again */
    char  *data;
    size_t len, capacity;
    bool   no_memory;
} spelled_t;

typedef struct {
    gh_arena_t *arena;
    gh_items_t *items;
    const char *source;
    spelled_t   spelled;
    bool        no_memory;
} reader_t;

/* ---- one spelling ---- */

static void
spell_bytes(spelled_t *out, const void *data, size_t len)
{
    if (out->len + len > out->capacity) {
        size_t capacity = (out->len + len) * 2 + 256;
        char  *grown = realloc(out->data, capacity);

        if (grown == NULL) {
            out->no_memory = true;
            return;
        }
        out->data = grown;
        out->capacity = capacity;
    }
    if (len != 0) {
        memcpy(out->data + out->len, data, len);
    }
    out->len += len;
}

/* A type, a length and the bytes: no value's spelling is the beginning of another's. */
static void
spell_text(spelled_t *out, char type, gh_str_t text)
{
    uint64_t len = text.len;

    spell_bytes(out, &type, 1);
    spell_bytes(out, &len, sizeof(len));
    spell_bytes(out, text.data, text.len);
}

static int
key_cmp(const void *left, const void *right)
{
    const gh_node_t *const *a = left, *const *b = right;

    return gh_str_cmp((*a)->key, (*b)->key);
}

/* Members by key. malloc'ed; NULL when out of memory or there are none. */
static const gh_node_t **
sorted_members(const gh_node_t *object, bool *no_memory)
{
    const gh_node_t **members = object->count != 0 ? malloc(object->count * sizeof(*members)) : NULL;
    size_t            count = 0;

    if (members == NULL) {
        *no_memory = *no_memory || object->count != 0;
        return NULL;
    }
    for (const gh_node_t *member = object->first; member != NULL; member = member->next) {
        members[count++] = member;
    }
    qsort(members, count, sizeof(*members), key_cmp);
    return members;
}

static void
spell(spelled_t *out, const gh_node_t *node)
{
    const gh_node_t **members;
    uint64_t          count = node->count;

    switch (node->type) {
    case GH_NODE_OBJECT:
        spell_bytes(out, "{", 1);
        spell_bytes(out, &count, sizeof(count));
        members = sorted_members(node, &out->no_memory);
        for (size_t i = 0; members != NULL && i < node->count; i++) {
            spell_text(out, 'k', members[i]->key);
            spell(out, members[i]);
        }
        free(members);
        return;
    case GH_NODE_ARRAY:
        spell_bytes(out, "[", 1);
        spell_bytes(out, &count, sizeof(count));
        for (const gh_node_t *item = node->first; item != NULL; item = item->next) {
            spell(out, item);
        }
        return;
    case GH_NODE_STRING:
        spell_text(out, 's', node->text);
        return;
    case GH_NODE_NUMBER:
        spell_text(out, 'n', node->text);
        return;
    default:
        spell_bytes(out, node->type == GH_NODE_TRUE ? "t" : node->type == GH_NODE_FALSE ? "f" : "0", 1);
    }
}

/* ---- items ---- */

/* A new item with the object's members but those named in `without` (ended by NULL). */
static void
add_item(reader_t *reader, gh_item_kind_t kind, gh_str_t id, const gh_node_t *object, const gh_node_t *where,
    const char *const *without)
{
    gh_items_t       *items = reader->items;
    const gh_node_t **members;
    gh_item_t        *item;

    if (items->count == items->capacity) {
        items->items = gh_arena_grow(reader->arena, items->items, items->count, items->capacity * 2 + 16, sizeof(*items->items));
        items->capacity = items->capacity * 2 + 16;
    }
    if (items->items == NULL) {
        items->capacity = items->count = 0;
        reader->no_memory = true;
        return;
    }
    item = &items->items[items->count];
    *item = (gh_item_t) { .kind = kind, .id = gh_str_copy(reader->arena, id),
                          .where = { reader->source, where->line, where->column } };
    item->members = gh_arena_array(reader->arena, object->count, sizeof(*item->members));
    members = object->type == GH_NODE_OBJECT ? sorted_members(object, &reader->no_memory) : NULL;

    for (size_t i = 0; members != NULL && item->members != NULL && i < object->count; i++) {
        gh_item_member_t *member = &item->members[item->member_count];
        bool              left_out = false;

        for (size_t w = 0; without != NULL && without[w] != NULL; w++) {
            left_out = left_out || gh_str_is(members[i]->key, without[w]);
        }
        if (left_out) {
            continue;
        }
        reader->spelled.len = 0;
        spell(&reader->spelled, members[i]);
        gh_sha256(reader->spelled.data, reader->spelled.len, member->sha256);
        member->name = gh_str_copy(reader->arena, members[i]->key);
        reader->no_memory = reader->no_memory || member->name.data == NULL || reader->spelled.no_memory;
        item->member_count++;
    }
    free(members);
    reader->no_memory = reader->no_memory || item->id.data == NULL || item->members == NULL;
    items->count++;
}

/* The string member `name` of an object, or NULL. */
static const gh_node_t *
name_of(const gh_node_t *object, const char *name)
{
    const gh_node_t *node = object->type == GH_NODE_OBJECT ? gh_node_get(object, name) : NULL;

    return node != NULL && node->type == GH_NODE_STRING ? node : NULL;
}

static const gh_node_t *
first_of(const gh_node_t *object, const char *name, gh_node_type_t type)
{
    const gh_node_t *node = gh_node_get(object, name);

    return node != NULL && node->type == type ? node->first : NULL;
}

static gh_str_t
below(reader_t *reader, gh_str_t parent, gh_str_t id)
{
    gh_str_t path = gh_str_format(reader->arena, "%.*s/%.*s", GH_STR_ARG(parent), GH_STR_ARG(id));

    reader->no_memory = reader->no_memory || path.data == NULL;
    return path;
}

static void
read_residency(reader_t *reader, const gh_node_t *root)
{
    static const char *const without[] = { "allow", "forbid", NULL };
    const gh_node_t         *name = name_of(root, "name");

    if (name == NULL) {
        return;
    }
    add_item(reader, gh_node_get(root, "role") != NULL ? GH_ITEM_GUARD : GH_ITEM_POLICY, name->text, root, name, without);
    for (int kind = GH_ITEM_ALLOW; kind <= GH_ITEM_FORBID; kind++) {
        for (const gh_node_t *rule = first_of(root, gh_item_kind_names[kind], GH_NODE_ARRAY); rule; rule = rule->next) {
            const gh_node_t *id = name_of(rule, "id");

            if (id != NULL) {
                add_item(reader, (gh_item_kind_t) kind, below(reader, name->text, id->text), rule, id, NULL);
            }
        }
    }
}

static void
read_fleet(reader_t *reader, const gh_node_t *root)
{
    for (const gh_node_t *node = first_of(root, "nodes", GH_NODE_ARRAY); node; node = node->next) {
        if (name_of(node, "id") != NULL) {
            add_item(reader, GH_ITEM_NODE, name_of(node, "id")->text, node, name_of(node, "id"), NULL);
        }
    }
    for (const gh_node_t *model = first_of(root, "models", GH_NODE_OBJECT); model; model = model->next) {
        add_item(reader, GH_ITEM_MODEL, model->key, model, model, NULL);
    }
    for (const gh_node_t *node = first_of(root, "deployments", GH_NODE_ARRAY); node; node = node->next) {
        if (name_of(node, "id") != NULL) {
            add_item(reader, GH_ITEM_DEPLOYMENT, name_of(node, "id")->text, node, name_of(node, "id"), NULL);
        }
    }
}

/* To the item that was added last. */
static void
add_limits(reader_t *reader, const gh_node_t *object, gh_item_kind_t kind)
{
    gh_level_t level = (gh_level_t) (GH_LEVEL_ORGANISATION + (kind - GH_ITEM_ORGANISATION));
    gh_item_t *item = reader->items->count > 0 ? &reader->items->items[reader->items->count - 1] : NULL;

    if (item == NULL || gh_limit_node_list(reader->arena, gh_node_get(object, "limits"), level, &item->limits) != GH_OK
        || gh_limit_node_list(reader->arena, gh_node_get(object, "key_limits"), GH_LEVEL_KEY, &item->key_limits) != GH_OK
        || gh_limit_node_list(reader->arena, gh_node_get(object, "user_limits"), GH_LEVEL_USER, &item->user_limits) != GH_OK)
    {
        reader->no_memory = true;
    }
}

/* An organisation, a tenant or an app, and what is below it. */
static void
read_owner(reader_t *reader, const gh_node_t *object, gh_item_kind_t kind, gh_str_t parent)
{
    static const char *const inner[] = { [GH_ITEM_ORGANISATION] = "tenants", [GH_ITEM_TENANT] = "apps", [GH_ITEM_APP] = NULL };
    const char *const        without[] = { inner[kind], NULL };
    const gh_node_t         *id = name_of(object, "id");
    gh_str_t                 path;

    if (id == NULL) {
        return;
    }
    path = kind == GH_ITEM_ORGANISATION ? id->text : below(reader, parent, id->text);
    add_item(reader, kind, path, object, id, without);
    add_limits(reader, object, kind);
    for (const gh_node_t *node = inner[kind] ? first_of(object, inner[kind], GH_NODE_ARRAY) : NULL; node; node = node->next) {
        read_owner(reader, node, (gh_item_kind_t) (kind + 1), path);
    }
}

static void
read_issuers(reader_t *reader, const gh_node_t *root)
{
    const gh_node_t *organisation = gh_node_get(root, "organisation");

    if (organisation == NULL || organisation->type != GH_NODE_STRING) {
        return;
    }
    for (const gh_node_t *node = first_of(root, "issuers", GH_NODE_ARRAY); node; node = node->next) {
        const gh_node_t *id = name_of(node, "id");

        if (id != NULL) {
            add_item(reader, GH_ITEM_ISSUER, below(reader, organisation->text, id->text), node, id, NULL);
        }
    }
}

static void
read_document(reader_t *reader, const gh_node_t *root)
{
    const gh_node_t *kind = name_of(root, "kind");

    if (kind == NULL) {
        return;
    }
    if (gh_str_is(kind->text, "residency/1")) {
        read_residency(reader, root);
    } else if (gh_str_is(kind->text, "fleet/1")) {
        read_fleet(reader, root);
    } else if (gh_str_is(kind->text, "identity/1")) {
        read_issuers(reader, root);
    } else if (gh_str_is(kind->text, "tenants/1")) {
        for (const gh_node_t *node = first_of(root, "organisations", GH_NODE_ARRAY); node; node = node->next) {
            read_owner(reader, node, GH_ITEM_ORGANISATION, GH_STR(""));
        }
    }
}

static int
item_cmp(const void *left, const void *right)
{
    const gh_item_t *a = left, *b = right;

    return a->kind != b->kind ? (int) a->kind - (int) b->kind : gh_str_cmp(a->id, b->id);
}

int
gh_document_items(gh_arena_t *arena, const gh_document_source_t *sources, size_t count, gh_items_t *items, gh_error_t *error)
{
    reader_t reader = { .arena = arena, .items = items };
    int      rc = GH_OK;

    *items = (gh_items_t) { 0 };
    for (size_t i = 0; i < count && rc == GH_OK; i++) {
        gh_str_t   path = gh_str_copy(arena, sources[i].path);
        gh_heap_t  heap;
        gh_node_t *root;

        gh_heap_init(&heap);
        reader.source = path.data != NULL ? path.data : "";
        rc = gh_json_parse(&heap.arena, sources[i].bytes, reader.source, &root, error);
        if (rc == GH_OK) {
            read_document(&reader, root);
        }
        gh_heap_free(&heap);
    }
    free(reader.spelled.data);
    if (rc == GH_OK && reader.no_memory) {
        return gh_error_set(error, "out_of_memory", "no memory for what the documents hold");
    }
    if (items->count != 0) {
        qsort(items->items, items->count, sizeof(*items->items), item_cmp);
    }
    return rc;
}

/* ---- what differs ---- */

static int
changed_members(gh_arena_t *arena, gh_item_change_t *change)
{
    const gh_item_t *a = change->before, *b = change->after;
    uint32_t         i = 0, k = 0;

    change->members = gh_arena_array(arena, (size_t) a->member_count + b->member_count, sizeof(*change->members));
    if (change->members == NULL) {
        return GH_ERROR;
    }
    while (i < a->member_count || k < b->member_count) {
        int order = i == a->member_count ? 1 : k == b->member_count ? -1 : gh_str_cmp(a->members[i].name, b->members[k].name);

        if (order != 0 || memcmp(a->members[i].sha256, b->members[k].sha256, 32) != 0) {
            change->members[change->member_count++] = order <= 0 ? a->members[i].name : b->members[k].name;
        }
        i += order <= 0;
        k += order >= 0;
    }
    return GH_OK;
}

int
gh_items_compare(gh_arena_t *arena, const gh_items_t *before, const gh_items_t *after, gh_item_change_t **changes,
    size_t *count)
{
    size_t i = 0, k = 0;

    *count = 0;
    *changes = gh_arena_array(arena, before->count + after->count, sizeof(**changes));
    if (*changes == NULL) {
        return GH_ERROR;
    }
    while (i < before->count || k < after->count) {
        const gh_item_t  *a = i < before->count ? &before->items[i] : NULL, *b = k < after->count ? &after->items[k] : NULL;
        int               order = a == NULL ? 1 : b == NULL ? -1 : item_cmp(a, b);
        gh_item_change_t *change = &(*changes)[*count];

        *change = (gh_item_change_t) { .change = order < 0 ? GH_ITEM_REMOVED : order > 0 ? GH_ITEM_ADDED : GH_ITEM_CHANGED,
                                       .before = order <= 0 ? a : NULL, .after = order >= 0 ? b : NULL };
        if (order == 0 && changed_members(arena, change) != GH_OK) {
            return GH_ERROR;
        }
        *count += order != 0 || change->member_count != 0;
        i += order <= 0;
        k += order >= 0;
    }
    return GH_OK;
}
