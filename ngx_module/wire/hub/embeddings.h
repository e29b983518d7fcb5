/*
 * OpenAI's embeddings, of models that Bedrock has: Titan Text Embeddings and Cohere Embed, each with a body of its own behind InvokeModel. Sources: AWS's
 * "Amazon Titan Embeddings Text" and "Cohere Embed" parameter pages, openai-python's types of embeddings.
 *
 * What cannot be said there is refused with its field's path, before anything is sent: Titan takes one text a request, Cohere 96, neither token ids.
 */
#ifndef GH_HUB_EMBEDDINGS_H
#define GH_HUB_EMBEDDINGS_H

#include "ngx_module/wire/hub/hub.h"
#include "policy/decide/bedrock_model.h"

struct gh_embed_request_s {
    gh_str_t  body;
    gh_str_t *texts;             /* escaped */
    uint32_t  count, size;
    uint64_t  dimensions;        /* 0: not said */
    gh_str_t  input_type;        /* escaped; data NULL: not said */
    bool      base64;            /* vectors as base64 of little-endian 32-bit floats */
    bool      tokens, unknown;   /* asks of it: ids of tokens; a field nobody knows */
    size_t    input_at, dimensions_at, input_type_at, unknown_at;   /* offsets into the body */
};

/* GH_ERROR: as gh_hub_request_read. body is borrowed, all else comes from the arena. */
int gh_embed_request_read(gh_arena_t *arena, gh_str_t body, gh_embed_request_t *request, gh_error_t *error);

/* Can the model be asked that? Else GH_ERROR, "not_expressible", and the field's path in path (size bytes). */
int gh_embed_express(const gh_embed_request_t *request, gh_bedrock_model_t model, char *path, size_t size, gh_error_t *error);

/* InvokeModel's body, arena-owned. GH_ERROR: as gh_embed_express, or "no_memory". */
int gh_embed_request_write(gh_arena_t *arena, const gh_embed_request_t *request, gh_bedrock_model_t model, gh_str_t *body, gh_error_t *error);

/*
 * The client's answer from the model's. input_tokens: of x-amzn-bedrock-input-token-count, which Cohere's bodies do not say; 0: it was not there. name: the model
 * as the client calls it. usage->reported false: nobody said. GH_ERROR: "bad_answer", "no_memory".
 */
int gh_embed_answer(gh_arena_t *arena, const gh_embed_request_t *request, gh_bedrock_model_t model, gh_str_t answer, uint64_t input_tokens, gh_str_t name,
    gh_str_t *body, gh_usage_t *usage, gh_error_t *error);

/* What the models take, as conf/dialects.md shows it. Bytes needed; at most size are written. */
size_t gh_embed_table(char *buffer, size_t size);

#endif
