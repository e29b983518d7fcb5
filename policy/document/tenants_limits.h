/* What tenants/1 says of how much may be used. Private to tenants_*.c. */
#ifndef GH_TENANTS_LIMITS_H
#define GH_TENANTS_LIMITS_H

#include "policy/document/reading.h"

/* "limits", or "key_limits" for GH_LEVEL_KEY, "user_limits" for GH_LEVEL_USER. NULL: none. */
gh_limit_list_t gh_tenants_limits(gh_loader_t *loader, const gh_node_t *list, gh_level_t level);

/* Lowers *max_output, where 0 is no bound, to what is said. */
void gh_tenants_max_output(gh_loader_t *loader, const gh_node_t *node, uint64_t *max_output);

/* Those of a level above hold too: of two that one counter would count, the smaller. */
void gh_tenants_inherit_limits(gh_loader_t *loader, const gh_limit_list_t *above, gh_limit_list_t *limits);

/* A request is held to those of its app and key and the `above` of its tenant and organisation: not more than it can take at once. */
void gh_tenants_check_limits(gh_loader_t *loader, const gh_model_app_t *app, uint32_t above);

#endif
