/* fleet/1: nodes and the catalogue of models. */
#include "policy/document/reading.h"

#include <stdlib.h>

#define MAX_TOKENS 1000000000ull

static const gh_member_t fleet_members[] = {
    { "kind", GH_IS_STRING, GH_REQUIRED }, { "nodes", GH_IS_LIST, 0 }, { "models", GH_IS_OBJECT, 0 },
    { "deployments", GH_IS_LIST, 0 }, { NULL, 0, 0 }
};

static const gh_member_t node_members[] = {
    { "id", GH_IS_STRING, GH_REQUIRED }, { "country", GH_IS_STRING, GH_REQUIRED }, { NULL, 0, 0 }
};

static const gh_member_t entry_members[] = {
    { "context", GH_IS_NUMBER, 0 }, { "max_output", GH_IS_NUMBER, 0 }, { "aliases", GH_IS_LIST, 0 },
    { "image_tokens", GH_IS_NUMBER, 0 }, { "message_tokens", GH_IS_NUMBER, 0 }, { NULL, 0, 0 }
};

static void
read_nodes(gh_loader_t *loader, const gh_node_t *list)
{
    if (list == NULL) {
        return;
    }
    if (list->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, list), "empty_list", "\"nodes\" must not be empty");
    }
    for (const gh_node_t *node = list->first; node; node = node->next) {
        const gh_node_t *id, *country;
        gh_model_node_t *item;

        if (!gh_doc_members(loader, node, "a node", node_members)) {
            continue;
        }
        id = gh_doc_get(node, "id", GH_IS_STRING);
        country = gh_doc_get(node, "country", GH_IS_STRING);
        item = gh_doc_push(loader, &loader->model->nodes, &loader->model->node_count, sizeof(*item));
        if (item == NULL) {
            return;
        }
        item->where = GH_WHERE(loader, id ? id : node);
        item->id = gh_doc_id(loader, node, "id");
        item->country = country ? gh_doc_country(loader, country) : -1;
        gh_doc_given(loader, "node", item->id, item->where);
    }
}

/* What a prompt may count beyond its bytes of text: bounds of what a budget reserves, so 0 is not one. */
static void
read_overhead(gh_loader_t *loader, const gh_node_t *node, gh_model_entry_t *entry)
{
    const gh_node_t *image = gh_doc_get(node, "image_tokens", GH_IS_NUMBER);
    const gh_node_t *message = gh_doc_get(node, "message_tokens", GH_IS_NUMBER);

    gh_doc_positive(loader, image, MAX_TOKENS, &entry->image_tokens);
    if (!gh_doc_positive(loader, message, MAX_TOKENS, &entry->message_tokens)) {
        entry->message_tokens = GH_MESSAGE_TOKENS;
    }
}

static void
read_entry(gh_loader_t *loader, const gh_node_t *node, gh_model_entry_t *entry)
{
    const gh_node_t *aliases;
    const char      *what;

    entry->name = node->key;
    entry->where = GH_WHERE_KEY(loader, node);
    if (gh_doc_model_name(loader, node->key, entry->where)) {
        gh_doc_given(loader, "model", entry->name, entry->where);
    }
    what = gh_doc_format(loader, "model \"%.*s\"", GH_STR_ARG(node->key)).data;
    if (!gh_doc_members(loader, node, what, entry_members)) {
        return;
    }
    gh_doc_integer(loader, gh_doc_get(node, "context", GH_IS_NUMBER), MAX_TOKENS, &entry->context);
    gh_doc_integer(loader, gh_doc_get(node, "max_output", GH_IS_NUMBER), MAX_TOKENS, &entry->max_output);

    read_overhead(loader, node, entry);

    aliases = gh_doc_get(node, "aliases", GH_IS_LIST);
    entry->aliases = gh_doc_list(loader, aliases, GH_LIST_MODELS, 0);
    for (const gh_node_t *alias = aliases ? aliases->first : NULL; alias; alias = alias->next) {
        if (alias->type == GH_NODE_STRING && gh_list_find(&entry->aliases, alias->text) >= 0) {
            gh_doc_given(loader, "model", alias->text, GH_WHERE(loader, alias));
        }
    }
}

void
gh_fleet_read_catalogue(gh_loader_t *loader, const gh_document_t *document)
{
    const gh_node_t *models = gh_doc_get(document->root, "models", GH_IS_OBJECT);
    gh_model_t      *model = loader->model;

    gh_doc_members(loader, document->root, "a fleet document", fleet_members);
    read_nodes(loader, gh_doc_get(document->root, "nodes", GH_IS_LIST));

    for (const gh_node_t *node = models ? models->first : NULL; node; node = node->next) {
        gh_model_entry_t *entry = gh_doc_push(loader, &model->models, &model->model_count, sizeof(*entry));

        if (entry != NULL) {
            read_entry(loader, node, entry);
        }
    }
}

static int
by_name(const void *a, const void *b)
{
    const gh_model_entry_t *const *left = a, *const *right = b;

    return gh_str_cmp((*left)->name, (*right)->name);
}

void
gh_catalogue_index(gh_loader_t *loader)
{
    uint32_t count = loader->model->model_count;

    loader->catalogue = gh_arena_array(loader->arena, count, sizeof(*loader->catalogue));
    if (loader->catalogue == NULL) {
        loader->report->no_memory = 1;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        loader->catalogue[i] = &loader->model->models[i];
    }
    qsort(loader->catalogue, count, sizeof(*loader->catalogue), by_name);
}

int32_t
gh_catalogue_find(gh_loader_t *loader, gh_str_t name)
{
    gh_model_entry_t   key = { .name = name }, *pointer = &key;
    gh_model_entry_t **found;

    if (loader->catalogue == NULL || loader->model->model_count == 0) {
        return -1;
    }
    found = bsearch(&pointer, loader->catalogue, loader->model->model_count, sizeof(*loader->catalogue), by_name);
    return found ? (int32_t) (*found - loader->model->models) : -1;
}

int32_t
gh_catalogue_said(gh_loader_t *loader, gh_str_t name, gh_where_t where)
{
    int32_t   index = gh_catalogue_find(loader, name);
    gh_str_t *names;

    if (index >= 0 || loader->incomplete) {
        return index;
    }
    for (uint32_t i = 0; i < loader->model->model_count; i++) {
        if (gh_list_find(&loader->model->models[i].aliases, name) >= 0) {
            gh_doc_error(loader, where, "unknown_model", "\"%.*s\" is an alias of model \"%.*s\": use the model's name",
                GH_STR_ARG(name), GH_STR_ARG(loader->model->models[i].name));
            return -1;
        }
    }
    names = gh_arena_array(loader->arena, loader->model->model_count, sizeof(gh_str_t));
    for (uint32_t i = 0; names && i < loader->model->model_count; i++) {
        names[i] = loader->model->models[i].name;
    }
    gh_doc_error(loader, where, "unknown_model", "model \"%.*s\" is not in the catalogue%s", GH_STR_ARG(name),
        names ? gh_doc_near(loader, name, names, loader->model->model_count) : "");
    return -1;
}
