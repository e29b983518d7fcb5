/* Reading "cases/1": who asks, when and where; every name is held against the documents under test. */
#include <string.h>

#include "policy/cli/cases_read.h"

static const gh_member_t document_members[] = {
    { "kind", GH_IS_STRING, GH_REQUIRED }, { "cases", GH_IS_LIST, GH_REQUIRED }, { "defaults", GH_IS_OBJECT, 0 }, { NULL, 0, 0 }
};

#define REQUEST_MEMBERS                                                                                                    \
    { "tenant", GH_IS_STRING, 0 }, { "app", GH_IS_STRING, 0 }, { "key", GH_IS_STRING, 0 }, { "model", GH_IS_STRING, 0 },   \
    { "url", GH_IS_STRING, 0 }, { "endpoint", GH_IS_STRING, 0 }, { "node", GH_IS_STRING, 0 }, { "at", GH_IS_STRING, 0 }

static const gh_member_t defaults_members[] = { REQUEST_MEMBERS, { NULL, 0, 0 } };

static const gh_member_t case_members[] = {
    { "name", GH_IS_STRING, GH_REQUIRED }, { "because", GH_IS_STRING, GH_REQUIRED }, { "expect", GH_IS_OBJECT, GH_REQUIRED },
    REQUEST_MEMBERS, { "request", GH_IS_OBJECT, 0 }, { "key_classes", GH_IS_LIST, 0 }, { "key_places", GH_IS_LIST, 0 }, { "key_models", GH_IS_LIST, 0 }, { "labels", GH_IS_LIST, 0 },
    { "headers", GH_IS_OBJECT, 0 }, { "features", GH_IS_LIST, 0 }, { "unknown_fields", GH_IS_LIST, 0 },
    { "uninspected", GH_IS_BOOL, 0 }, { NULL, 0, 0 }
};

const gh_node_t *
gh_cli_case_member(const gh_cli_case_reading_t *r, const char *name)
{
    const gh_node_t *own = gh_node_get(r->node, name);

    if (own == NULL && r->defaults != NULL) {
        return gh_doc_get(r->defaults, name, GH_IS_STRING);
    }
    return gh_doc_get(r->node, name, GH_IS_STRING);
}

/* ---- who ---- */

static const gh_node_t *
who_node(gh_cli_case_reading_t *r, unsigned *parts)
{
    static const char *const names[] = { "tenant", "app", "key" };
    const gh_node_t         *found = NULL;

    for (int pass = 0; pass < 2 && found == NULL; pass++) {
        const gh_node_t *object = pass == 0 ? r->node : r->defaults;

        for (unsigned i = 0; object != NULL && i < 3; i++) {
            const gh_node_t *node = gh_node_get(object, names[i]);

            if (node != NULL && found != NULL) {
                gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, node), "conflict", "\"%s\" stands beside \"%.*s\": give one of them",
                    names[i], GH_STR_ARG(found->key));
            } else if (node != NULL) {
                found = node;
                *parts = i + 2;
            }
        }
    }
    return found;
}

static void
read_who(gh_cli_case_reading_t *r)
{
    static const char *const forms[] = { "organisation/tenant", "organisation/tenant/app", "organisation/tenant/app/key" };
    unsigned                 parts = 0;
    const gh_node_t         *node = who_node(r, &parts);
    gh_error_t               error;
    gh_cli_path_t            path;
    gh_str_t                 text;

    if (node == NULL) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, r->node), "missing_member",
            "a case must say who asks: \"tenant\", \"app\" or \"key\"");
        return;
    }
    text = gh_str_copy(r->loader->arena, node->text);
    if (node->type != GH_NODE_STRING || text.data == NULL) {
        return;
    }
    if (gh_cli_path_parse(text.data, parts, parts, &path, &error) != GH_OK) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "bad_name", "\"%.*s\" must be %s, not \"%.*s\"", GH_STR_ARG(node->key),
            forms[parts - 2], GH_STR_ARG(node->text));
        return;
    }
    r->item->who = text;
    r->item->who_parts = parts;
}

static const gh_model_organisation_t *
find_organisation(const gh_model_t *model, gh_str_t id)
{
    for (uint32_t i = 0; i < model->organisation_count; i++) {
        if (gh_str_eq(model->organisations[i].id, id)) {
            return &model->organisations[i];
        }
    }
    return NULL;
}

/* Is the tenant or app listed? Else an error with the nearest of the same organisation. */
static void
check_who(gh_cli_case_reading_t *r)
{
    const gh_model_organisation_t *organisation;
    gh_str_t                       who = r->item->who, near[256];
    unsigned                       parts = r->item->who_parts, slashes = 0;
    size_t                         count = 0, end = 0, first = who.len;
    const gh_node_t               *node = who_node(r, &parts);

    if (who.len == 0) {
        return;
    }
    for (size_t i = 0; i < who.len; i++) {
        slashes += who.data[i] == '/';
        first = slashes == 1 && first == who.len && who.data[i] == '/' ? i : first;
        end = slashes == 3 && end == 0 ? i : end;
    }
    who.len = end != 0 ? end : who.len;         /* a key stands in no document */
    organisation = find_organisation(r->loader->model, (gh_str_t) { who.data, first });

    for (uint32_t t = 0; organisation != NULL && t < organisation->tenant_count; t++) {
        const gh_model_tenant_t *tenant = &organisation->tenants[t];

        for (uint32_t a = 0; a < (parts == 2 ? 1 : tenant->app_count); a++) {
            gh_str_t path = parts == 2 ? tenant->path : tenant->apps[a].path;

            if (gh_str_eq(path, who)) {
                return;
            }
            if (count < sizeof(near) / sizeof(near[0])) {
                near[count++] = path;
            }
        }
    }
    gh_doc_error(r->loader, GH_WHERE(r->loader, node), "unknown_name", "tenants/1 does not list \"%.*s\"%s", GH_STR_ARG(who),
        gh_doc_near(r->loader, who, near, count));
}

/* ---- when ---- */

static void
read_at(gh_cli_case_reading_t *r)
{
    const gh_node_t *node = gh_cli_case_member(r, "at");
    gh_str_t         text;

    if (node == NULL) {
        return;
    }
    text = gh_str_copy(r->loader->arena, node->text);
    if (text.data == NULL || gh_cli_time_parse(text.data, &r->item->at_ms) != GH_OK) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "bad_date", "\"%.*s\" is not a time such as 2026-11-21T09:30:00Z, nor a day",
            GH_STR_ARG(node->text));
    }
}

/* ---- names of the documents under test ---- */

static void
check_model(gh_cli_case_reading_t *r)
{
    const gh_model_t *model = r->loader->model;
    gh_str_t          wanted = r->item->intake.model, near[512];
    size_t            count = 0;
    const gh_node_t  *node = gh_cli_case_member(r, "model");

    for (uint32_t i = 0; i < model->model_count; i++) {
        for (uint32_t k = 0; k <= model->models[i].aliases.count; k++) {
            gh_str_t name = k == 0 ? model->models[i].name : model->models[i].aliases.items[k - 1];

            if (gh_str_eq(name, wanted)) {
                return;
            }
            if (count < sizeof(near) / sizeof(near[0])) {
                near[count++] = name;
            }
        }
    }
    node = gh_doc_get(r->node, "request", GH_IS_OBJECT) ? gh_node_get(r->node, "request") : node;
    gh_doc_error(r->loader, GH_WHERE(r->loader, node ? node : r->node), "unknown_name", "fleet/1 has no model \"%.*s\"%s; a case that is "
        "about this expects \"code\": \"model_not_found\"", GH_STR_ARG(wanted), gh_doc_near(r->loader, wanted, near, count));
}

static void
check_node(gh_cli_case_reading_t *r)
{
    const gh_model_t *model = r->loader->model;
    const gh_node_t  *node = gh_cli_case_member(r, "node");
    gh_str_t          near[256];
    uint32_t          count = model->node_count < 256 ? model->node_count : 256;

    for (uint32_t i = 0; i < model->node_count; i++) {
        if (node == NULL || gh_str_eq(model->nodes[i].id, node->text)) {
            return;
        }
        near[i < 256 ? i : 255] = model->nodes[i].id;
    }
    gh_doc_error(r->loader, GH_WHERE(r->loader, node ? node : r->node), "unknown_name", "fleet/1 lists no node \"%.*s\"%s",
        GH_STR_ARG(node ? node->text : GH_STR("")), node ? gh_doc_near(r->loader, node->text, near, count) : "");
}

/* A name that nobody has is a slip, but in a case about just that. */
static void
check_names(gh_cli_case_reading_t *r)
{
    gh_str_t code = r->item->expect.code;

    if (!gh_str_is(code, "no_policy") || r->item->who_parts == 2) {
        check_who(r);
    }
    if (!gh_str_is(code, "model_not_found") && r->item->intake.model.len > 0) {
        check_model(r);
    }
    if (!gh_str_is(code, "policy_unavailable")) {
        check_node(r);
    }
}

static void
read_case(gh_cli_case_reading_t *r)
{
    const gh_node_t *name = gh_doc_get(r->node, "name", GH_IS_STRING), *node;

    r->item->where = GH_WHERE(r->loader, r->node);
    r->item->name = gh_doc_text(r->loader, name, 256);
    r->item->because = gh_doc_text(r->loader, gh_doc_get(r->node, "because", GH_IS_STRING), 1024);
    r->item->own_classes = r->item->own_places = r->item->own_models = GH_STR("");
    if (name != NULL) {
        gh_doc_given(r->loader, "case", r->item->name, GH_WHERE(r->loader, name));
    }
    read_who(r);
    gh_cli_case_request_read(r);
    read_at(r);
    node = gh_cli_case_member(r, "node");
    r->item->node = node ? node->text : GH_STR("");
    gh_cli_case_expect_read(r);
    check_names(r);
}

void
gh_cli_cases_read(gh_loader_t *loader, const gh_node_t *root, gh_cli_cases_t *cases)
{
    const gh_node_t *list, *defaults;

    if (!gh_doc_members(loader, root, "a cases document", document_members)) {
        return;
    }
    defaults = gh_doc_get(root, "defaults", GH_IS_OBJECT);
    if (defaults != NULL) {
        gh_doc_members(loader, defaults, "\"defaults\"", defaults_members);
    }
    list = gh_doc_get(root, "cases", GH_IS_LIST);
    if (list != NULL && list->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, list), "empty_list", "\"cases\" must not be empty");
    }
    for (const gh_node_t *node = list ? list->first : NULL; node; node = node->next) {
        gh_cli_case_reading_t r = { .loader = loader, .node = node, .defaults = defaults };

        if (!gh_doc_members(loader, node, "a case", case_members)) {
            continue;
        }
        r.item = gh_doc_push(loader, &cases->items, &cases->count, sizeof(*r.item));
        if (r.item != NULL) {
            memset(r.item, 0, sizeof(*r.item));
            read_case(&r);
        }
    }
}
