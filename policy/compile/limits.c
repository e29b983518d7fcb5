/* The limits of an app's keys, of all their levels. */
#include "policy/compile/limits.h"

gh_limit_t *
gh_compile_limits(gh_arena_t *arena, const gh_model_organisation_t *organisation, const gh_model_tenant_t *tenant, const gh_model_app_t *app,
    uint32_t *count)
{
    const gh_limit_list_t *const lists[] = { &organisation->limits, &tenant->limits, &app->limits, &app->key_limits, &app->user_limits };
    gh_limit_t                  *limits;
    uint32_t                     all = 0;

    *count = 0;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        all += lists[i]->count;
    }
    limits = gh_arena_array(arena, all, sizeof(*limits));
    for (size_t i = 0; limits != NULL && i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (uint32_t k = 0; k < lists[i]->count; k++) {
            limits[(*count)++] = lists[i]->items[k].limit;
        }
    }
    return limits;
}
