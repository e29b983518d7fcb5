/* What tenants/1 documents that are not read again say: of the organisations they share with those that are, and what one listed. */
#include "policy/document/tenants.h"

#include <string.h>

void
gh_tenants_told(gh_loader_t *loader)
{
    for (uint32_t i = 0; i < loader->part->said_count; i++) {
        gh_error_t error;
        gh_node_t *root;
        uint32_t   before = loader->part_count;

        loader->source = "";
        if (gh_json_parse(loader->arena, loader->part->said[i], "", &root, &error) != GH_OK || root->type != GH_NODE_OBJECT
            || gh_doc_id(loader, root, "id").len == 0)
        {
            loader->part->uncertain = true;
            return;
        }
        gh_tenants_part(loader, root, gh_doc_id(loader, root, "id"), GH_WHERE(loader, root));
        if (loader->part_count > before) {
            loader->parts[before].told = true;
        }
    }
}

/* ---- outlines ---- */

static int
add(gh_arena_t *arena, gh_str_list_t *list, gh_str_t path)
{
    if ((list->count & (list->count - 1)) == 0) {
        list->items = gh_arena_grow(arena, list->items, list->count, list->count ? (size_t) list->count * 2 : 1, sizeof(path));
        if (list->items == NULL) {
            return GH_ERROR;
        }
    }
    list->items[list->count++] = path;
    return path.data == NULL ? GH_ERROR : GH_OK;
}

static gh_str_t
id_of(const gh_node_t *object)
{
    const gh_node_t *id = object->type == GH_NODE_OBJECT ? gh_node_get(object, "id") : NULL;

    return id != NULL && id->type == GH_NODE_STRING ? id->text : GH_STR("");
}

static const gh_node_t *
first_of(const gh_node_t *object, const char *member)
{
    const gh_node_t *list = object->type == GH_NODE_OBJECT ? gh_node_get(object, member) : NULL;

    return list != NULL && list->type == GH_NODE_ARRAY ? list->first : NULL;
}

static int
outline_tenant(gh_arena_t *arena, const gh_node_t *tenant, gh_str_t organisation, gh_outline_t *outline)
{
    gh_str_t         path = gh_str_format(arena, "%.*s/%.*s", GH_STR_ARG(organisation), GH_STR_ARG(id_of(tenant)));
    const gh_node_t *app = first_of(tenant, "apps");

    if (add(arena, &outline->tenants, path) != GH_OK || (app == NULL && add(arena, &outline->bare, path) != GH_OK)) {
        return GH_ERROR;
    }
    for (; app != NULL; app = app->next) {
        if (add(arena, &outline->apps, gh_str_format(arena, "%.*s/%.*s", GH_STR_ARG(path), GH_STR_ARG(id_of(app)))) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

static int
outline_organisation(gh_arena_t *arena, const gh_node_t *node, gh_outline_t *outline)
{
    gh_outline_organisation_t *organisation;

    if ((outline->organisation_count & (outline->organisation_count - 1)) == 0) {
        outline->organisations = gh_arena_grow(arena, outline->organisations, outline->organisation_count,
            outline->organisation_count ? (size_t) outline->organisation_count * 2 : 1, sizeof(*organisation));
        if (outline->organisations == NULL) {
            return GH_ERROR;
        }
    }
    organisation = &outline->organisations[outline->organisation_count++];
    *organisation = (gh_outline_organisation_t) { id_of(node), gh_tenants_said_members(node), 0 };
    for (const gh_node_t *tenant = first_of(node, "tenants"); tenant != NULL; tenant = tenant->next) {
        organisation->tenant_count++;
        if (outline_tenant(arena, tenant, organisation->id, outline) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

int
gh_document_outline(gh_arena_t *arena, gh_str_t text, gh_outline_t *outline, gh_error_t *error)
{
    gh_node_t *root;

    if (gh_json_parse(arena, text, "", &root, error) != GH_OK) {
        return GH_ERROR;
    }
    for (const gh_node_t *node = first_of(root, "organisations"); node != NULL; node = node->next) {
        if (outline_organisation(arena, node, outline) != GH_OK) {
            return gh_error_set(error, "out_of_memory", "no memory for the documents");
        }
    }
    return GH_OK;
}
