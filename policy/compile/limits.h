/* Private to policy/compile. */
#ifndef GH_COMPILE_LIMITS_H
#define GH_COMPILE_LIMITS_H

#include "policy/document/model.h"

/* What a key of the app is held to: limits of its organisation, tenant, app, and its own. In the arena; NULL: out of memory. */
gh_limit_t *gh_compile_limits(gh_arena_t *arena, const gh_model_organisation_t *organisation, const gh_model_tenant_t *tenant,
    const gh_model_app_t *app, uint32_t *count);

#endif
