/*
 * Documents, parsed and resolved (policy/document/model.h), to the image workers judge with; and applying them to a store.
 * Without a store: gh_compile, then gh_image_open on its bytes.
 */
#ifndef GH_COMPILE_H
#define GH_COMPILE_H

#include "policy/base/hash.h"
#include "policy/document/model.h"
#include "policy/store/image.h"
#include "policy/store/store_write.h"

/*
 * The image's bytes, arena-owned; revision 0, without an envelope. The same model, previous image and now_ms give the same bytes.
 * previous: the image in force, whose profile numbers are kept; NULL: none. GH_ERROR: out of memory, or "too_large" naming what there is
 * too much of (the loader refuses most of it before).
 */
int gh_compile(gh_arena_t *arena, const gh_model_t *model, const gh_image_t *previous, uint64_t now_ms,
    gh_bytes_t *image, gh_error_t *error);

/* gh_compile and gh_image_open in one: for explain on a directory and for tests. The caller owns a reference: gh_image_unref. */
int gh_compile_image(gh_arena_t *arena, const gh_model_t *model, uint64_t now_ms, gh_image_t **image, gh_error_t *error);

typedef struct {
    const gh_document_source_t *sources;   /* the documents, whose bytes are kept */
    size_t   source_count;
    gh_str_t author, reason;
    uint64_t now_ms;
} gh_apply_t;

/*
 * All of `apply` but reading the directory: gh_documents_load, compile against the revision in force, gh_store_commit. When another
 * editor was faster it is done again on the new base. GH_OK: *revision is in force (report may hold warnings). GH_ERROR: nothing
 * changed; every reason is in *report.
 */
int gh_apply(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, uint64_t *revision, gh_report_t *report);

#endif
