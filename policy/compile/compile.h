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

/* What a store keeps: the image without its apps, and what tenants/1 lists. Arena-owned. */
typedef struct {
    gh_bytes_t               image;        /* revision 0, without an envelope */
    const gh_store_listed_t *listed;       /* all of it; of gh_compile_part what is new or another than before; sorted by path */
    size_t                   listed_count;
    const gh_str_t          *dropped;      /* of gh_compile_part: paths that are listed no longer */
    size_t                   dropped_count;
    bool                     part;
    gh_str_list_t token_apps;      /* as in gh_store_revision_new_t */
} gh_compiled_t;

/*
 * The same model, previous image and now_ms give the same bytes. previous: the image in force, whose profile numbers are kept; NULL: none.
 * GH_ERROR: out of memory, or "too_large" naming what there is too much of (the loader refuses most of it before).
 */
int gh_compile(gh_arena_t *arena, const gh_model_t *model, const gh_image_t *previous, uint64_t now_ms,
    gh_compiled_t *compiled, gh_error_t *error);

/* What tenants/1 documents that changed listed before, and how organisations stand now. */
typedef struct {
    const gh_store_listed_t *before;       /* sorted by path, as the store has it */
    size_t                   before_count;
    uint32_t                 tenants_before;   /* how many tenants that was */
    const gh_store_listed_t *organisations;    /* of all in `before` and in the model, those that are left; sorted by path */
    size_t                   organisation_count;
} gh_compile_change_t;

/*
 * gh_compile of a model of gh_documents_load_part: the same image, byte for byte, as of a model of the whole set, and the difference of what
 * is listed. previous: the image of the revision that the change is to. GH_ERROR: also when `change` cannot be of it.
 */
int gh_compile_part(gh_arena_t *arena, const gh_model_t *model, const gh_image_t *previous, const gh_compile_change_t *change,
    uint64_t now_ms, gh_compiled_t *compiled, gh_error_t *error);

/*
 * An image by itself, which holds its apps: for explain on a directory, plan, test, prove and tests. The caller owns a reference:
 * gh_image_unref.
 */
int gh_compile_image(gh_arena_t *arena, const gh_model_t *model, uint64_t now_ms, gh_image_t **image, gh_error_t *error);

#endif
