/*
 * OpenAI's own API and everything that speaks it: vLLM, SGLang, llama.cpp. Path /v1/..., a Bearer key when the
 * backend wants one. vLLM, SGLang and llama.cpp ignore fields they do not know, and all know max_tokens, which OpenAI's reasoning models refuse.
 */
#include "ngx_module/wire/dialect.h"

static gh_str_t
openai_path(gh_arena_t *arena, const gh_target_t *target, gh_endpoint_t endpoint, bool stream, gh_error_t *error)
{
    gh_str_t path = gh_dialect_openai_endpoint(arena, "/v1/", endpoint, error);

    (void) target;
    (void) stream;

    return path;
}

static bool
openai_max_completion(const gh_target_t *target)
{
    return !gh_str_is(target->provider, "self");
}

const gh_dialect_row_t gh_dialect_openai = {
    "authorization", "Bearer ", { NULL, NULL }, openai_path, gh_dialect_yes, gh_dialect_yes, openai_max_completion
};
