/* A whole set of documents, one after the other in an order that lets each refer to those before it. */
#include <stdlib.h>
#include <string.h>

#include "policy/base/hash.h"
#include "policy/document/reading.h"

typedef enum { KIND_RESIDENCY, KIND_FLEET, KIND_TENANTS, KIND_IDENTITY, KIND_NONE } kind_t;

typedef struct {
    gh_document_t document;
    kind_t        kind;
} parsed_t;

static const char *const kind_names[] = { "residency/1", "fleet/1", "tenants/1", "identity/1", NULL };

static kind_t
read_kind(gh_loader_t *loader, const gh_node_t *root)
{
    const gh_node_t *kind;

    if (root->type != GH_NODE_OBJECT) {
        gh_doc_error(loader, GH_WHERE(loader, root), "wrong_type", "a document must be an object, not %s",
                     root->type == GH_NODE_ARRAY ? "a list" : gh_node_type_name(root->type));
        return KIND_NONE;
    }
    kind = gh_node_get(root, "kind");
    if (kind == NULL || kind->type != GH_NODE_STRING) {
        gh_doc_error(loader, GH_WHERE(loader, kind ? kind : root), "missing_member",
                     "a document must say \"kind\": \"residency/1\", \"fleet/1\", \"tenants/1\" or \"identity/1\"");
        return KIND_NONE;
    }
    if (gh_str_is(kind->text, "cases/1")) {
        gh_doc_error(loader, GH_WHERE(loader, kind), "not_policy", "cases are no part of a policy: keep this file outside of the directory "
            "that is applied, and run it with `gatehouse policy test`");
        return KIND_NONE;
    }
    if (gh_str_is(kind->text, "credentials/1")) {
        gh_doc_error(loader, GH_WHERE(loader, kind), "not_policy", "credentials of backends are no part of a policy: keep this file outside of the directory "
            "that is applied, as credentials.json in the secrets directory, and run it with `gatehouse credential check`");
        return KIND_NONE;
    }
    for (int i = 0; kind_names[i]; i++) {
        gh_str_t name = gh_str_from(kind_names[i]), stem = { name.data, name.len - 1 };

        if (gh_str_starts(kind->text, stem) && !gh_str_eq(kind->text, name)) {
            gh_doc_error(loader, GH_WHERE(loader, kind), "unknown_word",
                "kind \"%.*s\" is a version that this program does not know: it reads \"%s\"", GH_STR_ARG(kind->text),
                kind_names[i]);
            return KIND_NONE;
        }
    }
    int index = gh_doc_word(loader, kind, "kind", kind_names);

    return index < 0 ? KIND_NONE : (kind_t) index;
}

static parsed_t
parse(gh_loader_t *loader, const gh_document_source_t *source)
{
    parsed_t   parsed = { .kind = KIND_NONE };
    gh_str_t   path = gh_str_copy(loader->arena, source->path);
    gh_error_t error;

    if (path.data == NULL) {
        loader->report->no_memory = 1;
        return parsed;
    }
    loader->source = parsed.document.source = path.data;

    if (gh_json_parse(loader->arena, source->bytes, path.data, &parsed.document.root, &error) != GH_OK) {
        gh_report_add(
            loader->report, GH_SEVERITY_ERROR, error.code, path.data, error.line, error.column, "%s", error.text);
        parsed.document.root = NULL;
    } else {
        parsed.kind = read_kind(loader, parsed.document.root);
    }
    if (parsed.kind == KIND_NONE) {
        loader->incomplete = true;
    }
    return parsed;
}

/* ---- facts ---- */

static void
pin(gh_loader_t *loader, const parsed_t *parsed, const gh_str_t *names, size_t count, bool *used)
{
    const gh_node_t *node = gh_doc_get(parsed->document.root, "facts", GH_IS_STRING);
    gh_str_t         name = gh_doc_pinned(loader, parsed->document.root);

    loader->source = parsed->document.source;

    for (size_t i = 0; i < count; i++) {
        if (gh_str_eq(names[i], name)) {
            used[i] = true;
            return;
        }
    }
    if (node != NULL) {
        gh_doc_error(loader, GH_WHERE(loader, node), "unknown_facts", "unknown facts \"%.*s\"%s",
            GH_STR_ARG(node->text), gh_doc_near(loader, node->text, names, count));
    }
}

/* The newest artefact and every one that a policy pins. */
static int
load_facts(gh_loader_t *loader, const parsed_t *parsed, size_t count)
{
    gh_str_t   names[GH_MAX_FACTS];
    bool       used[GH_MAX_FACTS] = { true };
    size_t     known = gh_facts_names(names, GH_MAX_FACTS);
    gh_error_t error;

    known = known > GH_MAX_FACTS ? GH_MAX_FACTS : known;
    for (size_t i = 0; i < count; i++) {
        if (parsed[i].kind == KIND_RESIDENCY) {
            pin(loader, &parsed[i], names, known, used);
        }
    }
    for (size_t i = 0; i < known; i++) {
        if (!used[i]) {
            continue;
        }
        if (gh_facts_load(loader->arena, names[i], &loader->facts[loader->facts_count], &error) != GH_OK) {
            gh_report_add(loader->report, GH_SEVERITY_ERROR, error.code, error.source, error.line, error.column, "%s",
                error.text);
            return GH_ERROR;
        }
        loader->facts_count++;
    }
    return GH_OK;
}

/* Named sets as they are supposed to be. */
static void
suppose(gh_loader_t *loader)
{
    for (size_t i = 0; i < loader->supposition_count; i++) {
        gh_supposition_t *one = &loader->suppositions[i];

        for (size_t k = 0; one->policy.len == 0 && k < loader->facts_count; k++) {
            one->met = gh_facts_redefine(loader->facts[k], one->name, one->places) || one->met;
        }
    }
}

static void
add_name(gh_loader_t *loader, gh_str_list_t *list, gh_str_t name)
{
    gh_str_t *item;

    if (gh_list_find(list, name) >= 0) {
        return;
    }
    item = gh_doc_push(loader, &list->items, &list->count, sizeof(*item));
    if (item != NULL) {
        *item = name;
    }
}

/* Names that come from the artefacts: partitions, sets. */
static void
fill_from_facts(gh_loader_t *loader)
{
    static const char *const others[] = { "self", "openai", "anthropic", "other", NULL };
    gh_model_t              *model = loader->model;
    gh_str_t                 names[64];

    for (size_t i = 0; i < loader->facts_count; i++) {
        size_t count = gh_facts_partitions(loader->facts[i], names, 64);

        for (size_t k = 0; k < count && k < 64; k++) {
            add_name(loader, &model->partitions, names[k]);
        }
        add_name(loader, &model->facts, gh_facts_name(loader->facts[i]));
    }
    for (int i = 0; others[i]; i++) {
        add_name(loader, &model->partitions, gh_str_from(others[i]));
    }
    size_t count = gh_facts_set_names(loader->facts[0], names, 64);

    for (size_t i = 0; i < count && i < 64; i++) {
        gh_model_place_t *set = gh_doc_push(loader, &model->sets, &model->set_count, sizeof(*set));

        if (set != NULL) {
            set->name = names[i];
            gh_facts_set(loader->facts[0], names[i], &set->places);
        }
    }
}

/* ---- digests ---- */

static int
source_cmp(const void *left, const void *right)
{
    const gh_model_source_t *a = left, *b = right;

    return gh_str_cmp(a->path, b->path);
}

static int
list_sources(gh_loader_t *loader, const gh_document_source_t *sources, size_t count)
{
    gh_model_t *model = loader->model;

    if (loader->part != NULL) {
        model->sources = gh_arena_grow(loader->arena, loader->part->whole, loader->part->whole_count, loader->part->whole_count,
            sizeof(*model->sources));
        model->source_count = loader->part->whole_count;
        return model->sources == NULL ? GH_ERROR : GH_OK;
    }
    model->sources = gh_arena_array(loader->arena, count, sizeof(*model->sources));
    if (model->sources == NULL) {
        return GH_ERROR;
    }
    model->source_count = (uint32_t) count;
    for (size_t i = 0; i < count; i++) {
        model->sources[i].path = gh_str_copy(loader->arena, sources[i].path);
        model->sources[i].bytes = sources[i].bytes.len;
        gh_sha256(sources[i].bytes.data, sources[i].bytes.len, model->sources[i].sha256);
    }
    qsort(model->sources, count, sizeof(*model->sources), source_cmp);
    return GH_OK;
}

static int
digest(gh_loader_t *loader, const gh_document_source_t *sources, size_t count)
{
    gh_model_t *model = loader->model;
    size_t      size = 0, len = 0;
    uint8_t    *text;

    if (list_sources(loader, sources, count) != GH_OK) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < model->source_count; i++) {
        size += model->sources[i].path.len + 1 + 32;
    }

    text = gh_arena_alloc(loader->arena, size + loader->facts_count * 32);
    if (text == NULL) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < model->source_count; i++) {
        const gh_model_source_t *source = &model->sources[i];

        if (source->path.data == NULL) {
            return GH_ERROR;
        }
        memcpy(text + len, source->path.data, source->path.len);
        memcpy(text + len + source->path.len + 1, source->sha256, 32);
        len += source->path.len + 1 + 32;
    }
    gh_sha256(text, len, model->policy_sha256);

    for (size_t i = 0; i < loader->facts_count; i++) {
        memcpy(text + len + i * 32, gh_facts_digest(loader->facts[i]), 32);
    }
    if (loader->facts_count == 1) {
        memcpy(model->facts_sha256, text + len, 32);
    } else {
        gh_sha256(text + len, loader->facts_count * 32, model->facts_sha256);
    }
    return GH_OK;
}

/* ---- the report ---- */

static int
item_cmp(const void *left, const void *right)
{
    const gh_report_item_t *a = left, *b = right;
    int                     order = strcmp(a->error.source, b->error.source);

    if (order == 0) {
        order = (a->error.line > b->error.line) - (a->error.line < b->error.line);
    }
    if (order == 0) {
        order = (a->error.column > b->error.column) - (a->error.column < b->error.column);
    }
    if (order == 0) {
        order = (int) a->severity - (int) b->severity;
    }
    return order != 0 ? order : strcmp(a->error.text, b->error.text);
}

/* By place; what was found more than once (a class of an organisation, seen from each tenant) is said once. */
static void
sort_report(gh_report_t *report, size_t first)
{
    size_t kept = first;

    if (report->count - first < 2) {
        return;
    }
    qsort(report->items + first, report->count - first, sizeof(*report->items), item_cmp);
    for (size_t i = first; i < report->count; i++) {
        if (kept > first && item_cmp(&report->items[kept - 1], &report->items[i]) == 0) {
            report->errors -= report->items[i].severity == GH_SEVERITY_ERROR;
            continue;
        }
        report->items[kept++] = report->items[i];
    }
    report->count = kept;
}

/* ---- all of it ---- */

static void
read_kinds(gh_loader_t *loader, const parsed_t *parsed, size_t count, kind_t kind,
    void (*read)(gh_loader_t *loader, const gh_document_t *document))
{
    for (size_t i = 0; i < count; i++) {
        if (parsed[i].kind == kind) {
            loader->source = parsed[i].document.source;
            read(loader, &parsed[i].document);
        }
    }
}

static void
read_all(gh_loader_t *loader, const parsed_t *parsed, size_t count)
{
    gh_model_t *model = loader->model;

    fill_from_facts(loader);
    read_kinds(loader, parsed, count, KIND_RESIDENCY, gh_residency_read);
    read_kinds(loader, parsed, count, KIND_FLEET, gh_fleet_read_catalogue);
    gh_catalogue_index(loader);
    read_kinds(loader, parsed, count, KIND_FLEET, gh_fleet_read_deployments);
    read_kinds(loader, parsed, count, KIND_TENANTS, gh_tenants_read);
    gh_tenants_finish(loader);
    read_kinds(loader, parsed, count, KIND_IDENTITY, gh_identity_read);
    if (loader->report->no_memory) {
        return;
    }
    gh_documents_check(loader);

    model->policies = gh_arena_array(loader->arena, loader->policy_count, sizeof(*model->policies));
    if (model->policies == NULL) {
        loader->report->no_memory = 1;
        return;
    }
    model->policy_count = loader->policy_count;
    for (uint32_t i = 0; i < loader->policy_count; i++) {
        model->policies[i] = *loader->policies[i];
    }
}

static int
load(gh_loader_t *loader, const gh_document_source_t *sources, size_t count, gh_model_t **model)
{
    gh_arena_t  *arena = loader->arena;
    gh_report_t *report = loader->report;
    size_t       first = report->count;
    parsed_t    *parsed = gh_arena_array(arena, count, sizeof(*parsed));

    *model = NULL;
    loader->model = gh_arena_alloc(arena, sizeof(*loader->model));

    if (parsed == NULL || loader->model == NULL) {
        report->no_memory = 1;
        return GH_ERROR;
    }
    if (count == 0) {
        gh_report_add(report, GH_SEVERITY_ERROR, "no_documents", "", 0, 0, "there is no document to read");
        return GH_ERROR;
    }
    for (size_t i = 0; i < count; i++) {
        parsed[i] = parse(loader, &sources[i]);
    }
    if (load_facts(loader, parsed, count) == GH_OK) {
        suppose(loader);
        read_all(loader, parsed, count);
    }
    if (report->no_memory || digest(loader, sources, count) != GH_OK) {
        report->no_memory = 1;
        return GH_ERROR;
    }
    sort_report(report, first);
    for (size_t i = first; i < report->count; i++) {
        if (report->items[i].severity == GH_SEVERITY_ERROR) {
            return GH_ERROR;
        }
    }
    *model = loader->model;
    return GH_OK;
}

int
gh_documents_load(gh_arena_t *arena, const gh_document_source_t *sources, size_t count, uint64_t now_ms,
    gh_model_t **model, gh_report_t *report)
{
    gh_loader_t loader = { .arena = arena, .report = report, .now_ms = now_ms, .source = "" };

    return load(&loader, sources, count, model);
}

int
gh_documents_suppose(gh_arena_t *arena, const gh_document_source_t *sources, size_t count, uint64_t now_ms,
    gh_supposition_t *suppositions, size_t supposition_count, gh_model_t **model, gh_report_t *report)
{
    gh_loader_t loader = { .arena = arena, .report = report, .now_ms = now_ms, .source = "", .suppositions = suppositions,
        .supposition_count = supposition_count };

    return load(&loader, sources, count, model);
}

int
gh_documents_load_part(gh_arena_t *arena, const gh_document_source_t *sources, size_t count, gh_documents_part_t *part,
    uint64_t now_ms, gh_model_t **model, gh_report_t *report)
{
    gh_loader_t loader = { .arena = arena, .report = report, .now_ms = now_ms, .source = "", .part = part };

    return load(&loader, sources, count, model);
}
