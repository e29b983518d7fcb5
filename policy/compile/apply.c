#include "policy/compile/compile.h"

#include <string.h>

#define APPLY_TRIES 8

static int
refuse(gh_report_t *report, const gh_error_t *error)
{
    gh_report_add(report, GH_SEVERITY_ERROR, error->code, error->source, error->line, error->column, "%s", error->text);
    return GH_ERROR;
}

static int
apply_once(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, const gh_model_t *model,
    const gh_store_source_t *sources, uint64_t *revision, gh_error_t *error)
{
    gh_store_revision_new_t new = { .sources = sources, .source_count = apply->source_count, .author = apply->author,
                                    .reason = apply->reason, .now_ms = apply->now_ms };
    gh_image_t             *previous = NULL;
    gh_compiled_t           compiled;

    if (gh_store_revision_number(store, &new.base, error) != GH_OK) {
        return GH_ERROR;
    }
    if (new.base != 0) {
        if (gh_store_current(store, apply->now_ms, &previous, error) != GH_OK) {
            return GH_ERROR;
        }
        new.base = gh_image_revision(previous);
    }
    if (gh_compile(arena, model, previous, apply->now_ms, &compiled, error) != GH_OK) {
        return GH_ERROR;
    }
    new.image = compiled.image;
    new.apps = compiled.apps;
    new.app_count = compiled.app_count;
    return gh_store_commit(store, &new, revision, error);
}

int
gh_apply(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, uint64_t *revision, gh_report_t *report)
{
    gh_model_t        *model;
    gh_store_source_t *sources;
    gh_error_t         error;

    memset(&error, 0, sizeof(error));
    if (gh_documents_load(arena, apply->sources, apply->source_count, apply->now_ms, &model, report) != GH_OK) {
        return GH_ERROR;
    }
    sources = gh_arena_array(arena, apply->source_count, sizeof(*sources));
    if (sources == NULL) {
        gh_error_set(&error, "out_of_memory", "no memory for the documents");
        return refuse(report, &error);
    }
    for (size_t i = 0; i < apply->source_count; i++) {
        sources[i] = (gh_store_source_t) { apply->sources[i].path, apply->sources[i].bytes };
    }
    for (int i = 0; i < APPLY_TRIES; i++) {
        memset(&error, 0, sizeof(error));
        if (apply_once(store, arena, apply, model, sources, revision, &error) == GH_OK) {
            return GH_OK;
        }
        if (error.code == NULL || strcmp(error.code, "store_moved") != 0) {
            break;
        }
    }
    return refuse(report, &error);
}
