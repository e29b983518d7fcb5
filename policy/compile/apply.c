#include "policy/compile/apply_internal.h"

#include <string.h>

#include "policy/store/image_format.h"

static int
refuse(gh_report_t *report, const gh_error_t *error)
{
    gh_report_add(report, GH_SEVERITY_ERROR, error->code, error->source, error->line, error->column, "%s", error->text);
    return GH_ERROR;
}

/* Every document read, checked and compiled. */
static int
prepare_whole(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, const gh_image_t *previous, gh_apply_ready_t *ready,
    gh_report_t *report)
{
    gh_document_source_t *sources;
    gh_error_t            error = { 0 };

    if (gh_apply_texts(store, arena, ready, report) != GH_OK) {
        return GH_ERROR;
    }
    sources = gh_arena_array(arena, ready->document_count, sizeof(*sources));
    if (sources == NULL) {
        gh_error_set(&error, "out_of_memory", "no memory for the documents");
        return refuse(report, &error);
    }
    for (size_t i = 0; i < ready->document_count; i++) {
        sources[i] = (gh_document_source_t) { ready->documents[i].path, ready->documents[i].text };
    }
    if (gh_documents_load(arena, sources, ready->document_count, apply->now_ms, &ready->model, report) != GH_OK) {
        return GH_ERROR;
    }
    return gh_compile(arena, ready->model, previous, apply->now_ms, &ready->compiled, &error) == GH_OK ? GH_OK
        : refuse(report, &error);
}

int
gh_apply_prepare(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, gh_apply_ready_t *ready,
    gh_report_t *report)
{
    gh_store_revision_t      base;
    gh_image_t              *previous = NULL;
    const gh_image_header_t *header;
    gh_error_t               error = { 0 };

    if (gh_apply_collect_only(store, arena, apply, ready, &base, report) != GH_OK) {
        return GH_ERROR;
    }
    if (ready->base != 0 && gh_store_current(store, apply->now_ms, &previous, &error) != GH_OK
        && (error.code == NULL || strcmp(error.code, "store_outdated") != 0))
    {
        return refuse(report, &error);
    }
    if (previous != NULL && gh_image_revision(previous) != ready->base) {
        gh_error_set(&error, "store_moved", "another edit came in between");
        return refuse(report, &error);
    }
    if (gh_apply_part(store, arena, apply, &base, previous, ready, report) != GH_OK
        && prepare_whole(store, arena, apply, previous, ready, report) != GH_OK)
    {
        return GH_ERROR;
    }
    header = ready->compiled.image.data;
    ready->counts = (gh_image_counts_t) { header->organisation_count, header->tenant_count, header->app_count };
    return GH_OK;
}

static gh_store_revision_new_t
as_revision(const gh_apply_t *apply, const gh_apply_ready_t *ready)
{
    return (gh_store_revision_new_t) {
        .base = ready->base,
        .image = ready->compiled.image,
        .listed = ready->compiled.listed,
        .listed_count = ready->compiled.listed_count,
        .part = ready->compiled.part,
        .dropped = ready->compiled.dropped,
        .dropped_count = ready->compiled.dropped_count,
        .token_apps = ready->compiled.token_apps.items,
        .token_app_count = ready->compiled.token_apps.count,
        .sources = ready->documents,
        .source_count = ready->document_count,
        .changed = ready->changed,
        .changed_count = ready->changed_count,
        .rollback_of = apply->rollback_of,
        .author = apply->author,
        .reason = apply->reason,
        .now_ms = apply->now_ms,
        .let_finish = apply->let_finish,
    };
}

int
gh_apply_propose(gh_store_t *store, const gh_apply_t *apply, const gh_apply_ready_t *ready, uint64_t number, gh_error_t *error)
{
    gh_store_revision_new_t new = as_revision(apply, ready);

    return gh_store_propose(store, &new, number, error);
}

int
gh_apply_commit(gh_store_t *store, const gh_apply_t *apply, const gh_apply_ready_t *ready, uint64_t *revision,
    gh_error_t *error)
{
    gh_store_revision_new_t new = as_revision(apply, ready);

    return gh_store_commit(store, &new, revision, error);
}

/* Whether the only thing that is wrong is that another editor was faster. */
static bool
moved(const gh_report_t *report)
{
    bool found = false;

    for (size_t i = 0; report->errors == 1 && i < report->count; i++) {
        const gh_report_item_t *item = &report->items[i];

        found = found || (item->severity == GH_SEVERITY_ERROR && item->error.code != NULL
                          && strcmp(item->error.code, "store_moved") == 0);
    }
    return found;
}

int
gh_apply(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, uint64_t *revision, gh_report_t *report)
{
    gh_apply_ready_t ready;

    for (int i = 0; i < GH_APPLY_TRIES; i++) {
        gh_error_t error = { 0 };

        gh_report_init(report, arena);
        if (gh_apply_prepare(store, arena, apply, &ready, report) == GH_OK) {
            if (gh_apply_commit(store, apply, &ready, revision, &error) == GH_OK) {
                return GH_OK;
            }
            refuse(report, &error);
        }
        if (!moved(report)) {
            break;
        }
    }
    return GH_ERROR;
}
