#include "policy/document/scope.h"

#include <string.h>

#include "policy/base/json_tree.h"

bool
gh_scope_replaces(const gh_scope_t *scope, gh_str_t owner)
{
    return scope->kind == GH_SCOPE_ALL
        || gh_str_eq(owner, scope->kind == GH_SCOPE_GATEWAY ? GH_OWNER_GATEWAY : scope->organisation);
}

bool
gh_scope_depends(const gh_scope_t *scope, gh_str_t owner)
{
    return scope->kind != GH_SCOPE_ORGANISATION || owner.len == 0 || gh_str_eq(owner, scope->organisation);
}

const char *
gh_scope_words(gh_arena_t *arena, const gh_scope_t *scope)
{
    gh_str_t words;

    switch (scope->kind) {
    case GH_SCOPE_ALL:
        return "every document";
    case GH_SCOPE_GATEWAY:
        return "the gateway's documents";
    default:
        words = gh_str_format(arena, "the documents of organisation \"%.*s\"", GH_STR_ARG(scope->organisation));
        return words.data != NULL ? words.data : "";
    }
}

gh_str_t
gh_scope_path(gh_arena_t *arena, const gh_scope_t *scope, gh_str_t name)
{
    return scope->kind != GH_SCOPE_ORGANISATION
        ? gh_str_copy(arena, name)
        : gh_str_format(arena, "%.*s/%.*s", GH_STR_ARG(scope->organisation), GH_STR_ARG(name));
}

gh_str_t
gh_pattern_organisation(gh_str_t pattern)
{
    const char *slash = pattern.len != 0 ? memchr(pattern.data, '/', pattern.len) : NULL;

    if (gh_str_is(pattern, "*")) {
        return GH_STR("");
    }
    return (gh_str_t) { pattern.data, slash ? (size_t) (slash - pattern.data) : pattern.len };
}

/* ---- what a document says of its owner ---- */

typedef struct {                   /* a place that makes the document somebody's */
    gh_str_t         owner;
    const gh_node_t *node;
} mention_t;

typedef struct {
    gh_arena_t *arena;
    mention_t  *items;
    size_t      count, capacity;
    bool        no_memory;
    bool        tenants;           /* a tenants/1 document */
    const char *what;              /* "a fleet/1 document"; NULL: no kind that is known */
} mentions_t;

static void
mention(mentions_t *mentions, gh_str_t owner, const gh_node_t *node)
{
    if (mentions->count == mentions->capacity) {
        size_t capacity = mentions->capacity * 2 + 4;

        mentions->items = gh_arena_grow(mentions->arena, mentions->items, mentions->count, capacity, sizeof(mention_t));
        mentions->capacity = mentions->items != NULL ? capacity : 0;
    }
    if (mentions->items == NULL) {
        mentions->no_memory = true;
        return;
    }
    mentions->items[mentions->count++] = (mention_t) { owner, node };
}

static void
mention_pattern(mentions_t *mentions, const gh_node_t *node)
{
    if (node->type == GH_NODE_STRING) {
        mention(mentions, gh_pattern_organisation(node->text), node);
    }
}

static void
mention_policy(mentions_t *mentions, const gh_node_t *root)
{
    const gh_node_t *role = gh_node_get(root, "role"), *applies_to = gh_node_get(root, "applies_to");

    mentions->what = role != NULL ? "a guard" : "a policy";
    if (role != NULL) {
        mention(mentions, GH_OWNER_GATEWAY, role);
        return;
    }
    if (applies_to != NULL) {
        mention_pattern(mentions, applies_to);
    }
    for (const gh_node_t *item = applies_to != NULL && applies_to->type == GH_NODE_ARRAY ? applies_to->first : NULL; item;
         item = item->next)
    {
        mention_pattern(mentions, item);
    }
}

static void
mention_organisations(mentions_t *mentions, const gh_node_t *root)
{
    const gh_node_t *list = gh_node_get(root, "organisations");

    mentions->what = "a tenants/1 document";
    mentions->tenants = true;
    for (const gh_node_t *item = list != NULL && list->type == GH_NODE_ARRAY ? list->first : NULL; item; item = item->next) {
        const gh_node_t *id = item->type == GH_NODE_OBJECT ? gh_node_get(item, "id") : NULL;

        if (id != NULL && id->type == GH_NODE_STRING) {
            mention(mentions, id->text, id);
        }
    }
}

static void
mention_identity(mentions_t *mentions, const gh_node_t *root)
{
    const gh_node_t *organisation = gh_node_get(root, "organisation");

    mentions->what = "an identity document";
    if (organisation != NULL && organisation->type == GH_NODE_STRING) {
        mention(mentions, organisation->text, organisation);
    }
}

/* Every place of a parsed document that says whose it is; none when it is too broken to say. */
static mentions_t
find_mentions(gh_arena_t *arena, const gh_node_t *root)
{
    mentions_t       mentions = { .arena = arena };
    const gh_node_t *kind = root->type == GH_NODE_OBJECT ? gh_node_get(root, "kind") : NULL;

    if (kind == NULL || kind->type != GH_NODE_STRING) {
        return mentions;
    }
    if (gh_str_is(kind->text, "fleet/1")) {
        mentions.what = "a fleet/1 document";
        mention(&mentions, GH_OWNER_GATEWAY, kind);
    } else if (gh_str_is(kind->text, "residency/1")) {
        mention_policy(&mentions, root);
    } else if (gh_str_is(kind->text, "tenants/1")) {
        mention_organisations(&mentions, root);
    } else if (gh_str_is(kind->text, "identity/1")) {
        mention_identity(&mentions, root);
    }
    return mentions;
}

/* One organisation that all of them name, else the gateway. */
static gh_str_t
owner_of(const mentions_t *mentions)
{
    for (size_t i = 1; i < mentions->count; i++) {
        if (!gh_str_eq(mentions->items[i].owner, mentions->items[0].owner)) {
            return GH_OWNER_GATEWAY;
        }
    }
    return mentions->count != 0 ? mentions->items[0].owner : GH_OWNER_GATEWAY;
}

/* The trees of large documents are not worth keeping: each is read in memory of its own. */
static int
read_mentions(gh_heap_t *heap, const gh_document_source_t *source, mentions_t *mentions, gh_error_t *error)
{
    gh_node_t *root;
    gh_str_t   path = gh_str_copy(&heap->arena, source->path);

    if (path.data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the documents");
    }
    if (gh_json_parse(&heap->arena, source->bytes, path.data, &root, error) != GH_OK) {
        return GH_ERROR;
    }
    *mentions = find_mentions(&heap->arena, root);
    if (mentions->no_memory) {
        return gh_error_set(error, "out_of_memory", "no memory for the documents");
    }
    if (mentions->count == 0) {
        return gh_error_at(error, "no_owner", path.data, root->line, root->column, "it does not say whose document it is");
    }
    return GH_OK;
}

int
gh_document_owner(gh_arena_t *arena, const gh_document_source_t *source, gh_str_t *owner, bool *tenants, gh_error_t *error)
{
    mentions_t mentions = { 0 };
    gh_heap_t  heap;
    int        rc;

    *owner = GH_OWNER_GATEWAY;
    if (tenants != NULL) {
        *tenants = false;
    }
    gh_heap_init(&heap);
    rc = read_mentions(&heap, source, &mentions, error);
    if (rc == GH_OK) {
        if (tenants != NULL) {
            *tenants = mentions.tenants;
        }
        *owner = gh_str_copy(arena, owner_of(&mentions));
        if (owner->data == NULL) {
            rc = gh_error_set(error, "out_of_memory", "no memory for the documents");
        }
    }
    gh_heap_free(&heap);
    return rc;
}

bool
gh_document_gives(gh_arena_t *arena, const gh_document_source_t *source, gh_str_t organisation, gh_where_t *where)
{
    mentions_t mentions = { 0 };
    gh_error_t ignored;
    gh_heap_t  heap;
    bool       found = false;

    gh_heap_init(&heap);
    if (read_mentions(&heap, source, &mentions, &ignored) != GH_OK || !mentions.tenants) {
        mentions.count = 0;
    }
    for (size_t i = 0; !found && i < mentions.count; i++) {
        const gh_node_t *node = mentions.items[i].node;

        found = gh_str_eq(mentions.items[i].owner, organisation);
        if (found) {
            gh_str_t path = gh_str_copy(arena, source->path);

            *where = (gh_where_t) { path.data != NULL ? path.data : "", node->line, node->column };
        }
    }
    gh_heap_free(&heap);
    return found;
}

/* ---- what an edit may hold ---- */

static void
refuse(gh_report_t *report, const char *path, const gh_scope_t *scope, const mentions_t *mentions, const mention_t *at)
{
    const gh_node_t *node = at->node;

    if (scope->kind == GH_SCOPE_GATEWAY) {
        gh_report_add(report, GH_SEVERITY_ERROR, "other_scope", path, node->line, node->column,
            "%s of organisation \"%.*s\" is not the gateway's: apply it with --organisation %.*s, or everything together",
            mentions->what, GH_STR_ARG(at->owner), GH_STR_ARG(at->owner));
    } else if (at->owner.len == 0) {
        gh_report_add(report, GH_SEVERITY_ERROR, "other_scope", path, node->line, node->column,
            "%s%s belongs to the gateway: an edit of organisation \"%.*s\" cannot hold it; take it out of the directory",
            mentions->what, node->type == GH_NODE_STRING && gh_str_is(node->text, "*") ? " for everybody" : "",
            GH_STR_ARG(scope->organisation));
    } else {
        gh_report_add(report, GH_SEVERITY_ERROR, "other_scope", path, node->line, node->column,
            "this is organisation \"%.*s\": an edit of organisation \"%.*s\" cannot touch it", GH_STR_ARG(at->owner),
            GH_STR_ARG(scope->organisation));
    }
}

int
gh_scope_check(const gh_scope_t *scope, const gh_document_source_t *source, gh_report_t *report)
{
    mentions_t mentions;
    gh_error_t error;
    gh_heap_t  heap;
    gh_str_t   path;
    int        rc = GH_OK;

    gh_heap_init(&heap);
    if (read_mentions(&heap, source, &mentions, &error) != GH_OK || gh_scope_replaces(scope, owner_of(&mentions))) {
        gh_heap_free(&heap);
        return GH_OK;
    }
    path = gh_str_copy(&heap.arena, source->path);
    for (size_t i = 0; i < mentions.count && path.data != NULL; i++) {
        if (scope->kind == GH_SCOPE_GATEWAY || !gh_str_eq(mentions.items[i].owner, scope->organisation)) {
            refuse(report, path.data, scope, &mentions, &mentions.items[i]);
            rc = GH_ERROR;
        }
    }
    report->no_memory |= path.data == NULL;
    gh_heap_free(&heap);
    return path.data == NULL ? GH_ERROR : rc;
}
