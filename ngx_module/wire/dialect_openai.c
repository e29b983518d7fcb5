/*
 * OpenAI's own API and everything that speaks it: vLLM, SGLang, llama.cpp. Path /v1/..., a Bearer key when the
 * backend wants one. vLLM, SGLang and llama.cpp ignore fields they do not know.
 */
#include "ngx_module/wire/dialect.h"

static gh_str_t
openai_path(gh_arena_t *arena, const gh_target_t *target, gh_endpoint_t endpoint, gh_error_t *error)
{
    gh_str_t path = gh_str_format(arena, "/v1/%s", gh_dialect_endpoint_paths[endpoint]);

    (void) target;

    if (path.data == NULL) {
        gh_error_set(error, "no_memory", "out of memory");
    }

    return path;
}

const gh_dialect_row_t gh_dialect_openai = {
    "authorization", "Bearer ", openai_path, gh_dialect_yes, gh_dialect_yes
};
