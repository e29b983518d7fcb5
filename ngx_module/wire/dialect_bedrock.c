/*
 * Amazon Bedrock's OpenAI-compatible endpoint on bedrock-runtime: chat completions only, an API key as Bearer. It
 * keeps nothing by itself, and `store` is not among the fields it documents, so none is added.
 */
#include "ngx_module/wire/dialect.h"

static gh_str_t
bedrock_path(gh_arena_t *arena, const gh_target_t *target, gh_endpoint_t endpoint, gh_error_t *error)
{
    gh_str_t path = { NULL, 0 };

    (void) target;

    if (endpoint != GH_ENDPOINT_CHAT_COMPLETIONS) {
        gh_error_set(error, "bad_gateway", "Bedrock's OpenAI endpoint has chat completions only");
        return path;
    }

    path = gh_str_format(arena, "/openai/v1/%s", gh_dialect_endpoint_paths[endpoint]);
    if (path.data == NULL) {
        gh_error_set(error, "no_memory", "out of memory");
    }

    return path;
}

const gh_dialect_row_t gh_dialect_bedrock_openai = {
    "authorization", "Bearer ", bedrock_path, gh_dialect_no, gh_dialect_yes
};
