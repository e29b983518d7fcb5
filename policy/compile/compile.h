/*
 * Documents, parsed and resolved (policy/document/model.h), to the image workers judge with. Without a store: gh_compile, then
 * gh_image_open on its bytes. Applying them to a store: policy/compile/apply.h.
 */
#ifndef GH_COMPILE_H
#define GH_COMPILE_H

#include "policy/base/hash.h"
#include "policy/document/model.h"
#include "policy/store/image.h"
#include "policy/store/store_write.h"

/* What a store keeps: the image without its apps, and the apps. Arena-owned. */
typedef struct {
    gh_bytes_t            image;           /* revision 0, without an envelope */
    const gh_store_app_t *apps;            /* sorted by path */
    uint32_t              app_count;
} gh_compiled_t;

/*
 * The same model, previous image and now_ms give the same bytes. previous: the image in force, whose profile numbers are kept; NULL: none.
 * GH_ERROR: out of memory, or "too_large" naming what there is too much of (the loader refuses most of it before).
 */
int gh_compile(gh_arena_t *arena, const gh_model_t *model, const gh_image_t *previous, uint64_t now_ms,
    gh_compiled_t *compiled, gh_error_t *error);

/*
 * An image by itself, which holds its apps: for explain on a directory, plan, test, prove and tests. The caller owns a reference:
 * gh_image_unref.
 */
int gh_compile_image(gh_arena_t *arena, const gh_model_t *model, uint64_t now_ms, gh_image_t **image, gh_error_t *error);

#endif
