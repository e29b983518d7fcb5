/*
 * Amazon Bedrock on bedrock-runtime. Its OpenAI-compatible endpoint: chat completions and Responses, an API key as Bearer. It keeps no chat completions by
 * itself, and `store` is not among the fields it documents for them, so none is added there. Its native API: Converse and InvokeModel, the model in the path, and another path for a
 * stream, CountTokens, and embeddings, whose bodies hub/embeddings.c writes; the same key, or a signature for it.
 */
#include "ngx_module/wire/bedrock.h"
#include "ngx_module/wire/dialect.h"

static gh_str_t
bedrock_openai_path(gh_arena_t *arena, const gh_target_t *target, gh_endpoint_t endpoint, bool stream, gh_error_t *error)
{
    gh_str_t path = { NULL, 0 };

    (void) target;
    (void) stream;

    if (endpoint != GH_ENDPOINT_CHAT_COMPLETIONS && endpoint != GH_ENDPOINT_RESPONSES) {
        gh_error_set(error, "bad_gateway", "Bedrock's OpenAI endpoint has chat completions and responses only");
        return path;
    }

    return gh_dialect_openai_endpoint(arena, "/openai/v1/", endpoint, error);
}

static gh_str_t
bedrock_path(gh_arena_t *arena, const gh_target_t *target, gh_endpoint_t endpoint, bool stream, gh_error_t *error)
{
    if (endpoint == GH_ENDPOINT_CONVERSE) {
        return gh_bedrock_path(arena, stream ? GH_BEDROCK_CONVERSE_STREAM : GH_BEDROCK_CONVERSE, target->upstream_model, error);
    }

    if (endpoint == GH_ENDPOINT_INVOKE) {
        return gh_bedrock_path(arena, stream ? GH_BEDROCK_INVOKE_STREAM : GH_BEDROCK_INVOKE, target->upstream_model, error);
    }

    if (endpoint == GH_ENDPOINT_BEDROCK_COUNT) {
        return gh_bedrock_path(arena, GH_BEDROCK_COUNT_TOKENS, target->upstream_model, error);
    }

    if (endpoint == GH_ENDPOINT_EMBEDDINGS) {
        return gh_bedrock_path(arena, GH_BEDROCK_INVOKE, target->upstream_model, error);
    }

    gh_error_set(error, "bad_gateway", "Bedrock's native API has Converse, InvokeModel, CountTokens and models of embeddings only");
    return (gh_str_t) { NULL, 0 };
}

const gh_dialect_row_t gh_dialect_bedrock_openai = {
    "authorization", "Bearer ", { NULL, NULL }, bedrock_openai_path, gh_dialect_no, gh_dialect_yes, gh_dialect_yes
};

const gh_dialect_row_t gh_dialect_bedrock = {
    "authorization", "Bearer ", { NULL, NULL }, bedrock_path, gh_dialect_no, gh_dialect_no, gh_dialect_no
};
