/* Apps of tenants/1 and the profiles they share. Private to policy/compile. */
#ifndef GH_PROFILES_H
#define GH_PROFILES_H

#include "policy/compile/compile.h"
#include "policy/compile/section.h"

#define GH_MAX_PROFILES 65535
#define GH_MAX_APPS     (1u << 22)

/*
 * Fills PROFILE and BITMAP, and of the header next_profile and the counts. A profile whose digest `previous` knows keeps its number. Apps go
 * to compiled->listed, and to APP only when compiled is NULL. change: the model is a part, the rest is as in `previous`; NULL: it is all.
 */
int gh_compile_profiles(gh_builder_t *builder, const gh_model_t *model, const gh_image_t *previous,
    const gh_compile_change_t *change, gh_image_header_t *header, gh_compiled_t *compiled, gh_error_t *error);

/* Fills what is listed, and dropped, from the apps, sorted by path. GH_ERROR: out of memory. */
int gh_compile_listed(gh_arena_t *arena, const gh_model_t *model, const gh_compile_change_t *change,
    const gh_store_listed_t *apps, size_t app_count, gh_compiled_t *compiled);

#endif
