/* Limits as people read them. */
#ifndef GH_CLI_LIMITS_TEXT_H
#define GH_CLI_LIMITS_TEXT_H

#include "policy/document/model.h"

/* "tokens per day for model \"m\"", "requests at one time", "micro-dollars for ever". model empty: of every model. Arena-owned. */
gh_str_t gh_cli_counted_text(gh_arena_t *arena, const gh_limit_t *limit, gh_str_t model);

/* "at most 5000 tokens per day, as a budget" */
gh_str_t gh_cli_limit_text(gh_arena_t *arena, const gh_model_limit_t *limit);

/* Whose it is: "organisation nordbank", "tenant nordbank/retail", "app nordbank/retail/chat", "each key of nordbank/retail/chat". */
gh_str_t gh_cli_limited_text(gh_arena_t *arena, gh_level_t level, gh_str_t path);

/*
 * What differs between two lists of one level, one call each: '+' and '-' with the limit's text, '~' with "raised from 5 to 10: at most 10
 * tokens ...". Limits are the same when dimension, window, class and model are.
 */
typedef void (*gh_cli_limit_change_fn)(void *context, char sign, gh_str_t text);
void gh_cli_limits_differ(gh_arena_t *arena, const gh_limit_list_t *before, const gh_limit_list_t *after, gh_cli_limit_change_fn each,
    void *context);

#endif
