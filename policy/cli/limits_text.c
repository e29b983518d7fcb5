#include "policy/cli/limits_text.h"

gh_str_t
gh_cli_counted_text(gh_arena_t *arena, const gh_limit_t *limit, gh_str_t model)
{
    static const char *const words[GH_DIMENSIONS] = {
        "", [GH_COUNT_REQUESTS] = "requests", [GH_COUNT_TOKENS] = "tokens", [GH_COUNT_MICRO_DOLLARS] = "micro-dollars",
        [GH_COUNT_IN_FLIGHT] = "requests at one time", [GH_COUNT_INPUT] = "input tokens", [GH_COUNT_OUTPUT] = "output tokens",
        [GH_COUNT_STREAMS] = "streamed answers at one time"
    };
    const char *per = limit->per != GH_PER_NONE ? gh_per_names[limit->per] : "";
    gh_str_t    text = gh_str_format(arena, "%s%s%s%s", words[limit->dimension], *per != '\0' ? " per " : "", per,
        limit->dimension == GH_COUNT_MICRO_DOLLARS && limit->per == GH_PER_NONE ? " for ever" : "");

    return model.len == 0 ? text : gh_str_format(arena, "%.*s for model \"%.*s\"", GH_STR_ARG(text), GH_STR_ARG(model));
}

gh_str_t
gh_cli_limit_text(gh_arena_t *arena, const gh_model_limit_t *limit)
{
    return gh_str_format(arena, "at most %llu %.*s, as a %s", (unsigned long long) limit->limit.amount,
        GH_STR_ARG(gh_cli_counted_text(arena, &limit->limit, limit->model)), gh_limit_class_names[limit->limit.limit_class]);
}

gh_str_t
gh_cli_limited_text(gh_arena_t *arena, gh_level_t level, gh_str_t path)
{
    return level == GH_LEVEL_KEY || level == GH_LEVEL_USER ? gh_str_format(arena, "each %s of %.*s", gh_level_names[level], GH_STR_ARG(path))
                                 : gh_str_format(arena, "%s %.*s", gh_level_names[level], GH_STR_ARG(path));
}

static const gh_model_limit_t *
find(const gh_limit_list_t *list, const gh_limit_t *limit)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const gh_limit_t *other = &list->items[i].limit;

        if (other->dimension == limit->dimension && other->per == limit->per && other->limit_class == limit->limit_class
            && other->model == limit->model)
        {
            return &list->items[i];
        }
    }
    return NULL;
}

void
gh_cli_limits_differ(gh_arena_t *arena, const gh_limit_list_t *before, const gh_limit_list_t *after, gh_cli_limit_change_fn each,
    void *context)
{
    for (uint32_t i = 0; i < after->count; i++) {
        const gh_model_limit_t *now = &after->items[i], *was = find(before, &now->limit);
        gh_str_t                text = gh_cli_limit_text(arena, now);

        if (was == NULL) {
            each(context, '+', text);
        } else if (was->limit.amount != now->limit.amount) {
            each(context, '~', gh_str_format(arena, "%s from %llu to %llu: %.*s", now->limit.amount > was->limit.amount ? "raised" : "lowered",
                (unsigned long long) was->limit.amount, (unsigned long long) now->limit.amount, GH_STR_ARG(text)));
        }
    }
    for (uint32_t i = 0; i < before->count; i++) {
        if (find(after, &before->items[i].limit) == NULL) {
            each(context, '-', gh_cli_limit_text(arena, &before->items[i]));
        }
    }
}
