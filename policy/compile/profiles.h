/* Apps of tenants/1 and the profiles they share. Private to policy/compile. */
#ifndef GH_PROFILES_H
#define GH_PROFILES_H

#include "policy/compile/compile.h"
#include "policy/compile/section.h"

#define GH_MAX_PROFILES 65535
#define GH_MAX_APPS     (1u << 22)

/*
 * Fills PROFILE and BITMAP, and of the header next_profile and the counts. A profile whose digest `previous` knows keeps its number. Apps go
 * to compiled->apps, and to APP only when compiled is NULL.
 */
int gh_compile_profiles(gh_builder_t *builder, const gh_model_t *model, const gh_image_t *previous,
    gh_image_header_t *header, gh_compiled_t *compiled, gh_error_t *error);

#endif
