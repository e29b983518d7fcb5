/* How much may be used, in words. */
#include "policy/cli/limits_text.h"
#include "policy/cli/policy_words.h"

static void
say_limits(const gh_policy_words_t *words, gh_level_t level, gh_str_t path, const gh_limit_list_t *limits)
{
    static const char *const whose[] = {
        [GH_LEVEL_ORGANISATION] = "organisation", [GH_LEVEL_TENANT] = "tenant", [GH_LEVEL_APP] = "app", [GH_LEVEL_KEY] = "each key of app", [GH_LEVEL_USER] = "each user of app"
    };

    for (uint32_t i = 0; i < limits->count; i++) {
        gh_policy_words_item(words, "%s \"%.*s\": %.*s;", whose[level], GH_STR_ARG(path),
            GH_STR_ARG(gh_cli_limit_text(words->arena, &limits->items[i])));
    }
}

static bool
covered(const gh_policy_words_t *words, const gh_model_tenant_t *tenant)
{
    return tenant->policy >= 0 && &words->model->policies[tenant->policy] == words->policy;
}

static void
say_tenant(const gh_policy_words_t *words, const gh_model_tenant_t *tenant)
{
    say_limits(words, GH_LEVEL_TENANT, tenant->path, &tenant->limits);
    for (uint32_t a = 0; a < tenant->app_count; a++) {
        const gh_model_app_t *app = &tenant->apps[a];

        say_limits(words, GH_LEVEL_APP, app->path, &app->limits);
        say_limits(words, GH_LEVEL_KEY, app->path, &app->key_limits);
        say_limits(words, GH_LEVEL_USER, app->path, &app->user_limits);
        if (app->max_output != 0) {
            gh_policy_words_item(words, "an answer to app \"%.*s\": at most %llu tokens;", GH_STR_ARG(app->path),
                (unsigned long long) app->max_output);
        }
    }
}

void
gh_policy_words_limits(gh_policy_words_t *words)
{
    gh_policy_words_heading(words, "HOW MUCH MAY BE USED");
    gh_policy_words_say(words, "Each of these limits holds for everything below its name together, and a request is sent only when all that it is "
        "under admit it. Days and months are UTC. Of a budget, the most that a request can use is reserved before it is sent; of a rate, what is "
        "expected; a shadow refuses nothing, and is only counted and recorded:");
    for (uint32_t o = 0; o < words->model->organisation_count; o++) {
        const gh_model_organisation_t *organisation = &words->model->organisations[o];
        bool                           said = false;

        for (uint32_t t = 0; t < organisation->tenant_count; t++) {
            if (!covered(words, &organisation->tenants[t])) {
                continue;
            }
            if (!said) {
                say_limits(words, GH_LEVEL_ORGANISATION, organisation->id, &organisation->limits);
            }
            said = true;
            say_tenant(words, &organisation->tenants[t]);
        }
    }
    gh_policy_words_item(words, "no other.");
}
