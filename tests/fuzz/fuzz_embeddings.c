/*
 * Any bytes as a question of OpenAI's embeddings, and, behind the first line feed, as the answer of a model of Bedrock. What the model is asked is JSON; what the
 * client is told is JSON, and as base64 has as many numbers as in digits. The first byte chooses the model.
 */
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/hub/embeddings.h"
#include "policy/base/json_reader.h"
#include "tests/fuzz/standalone.h"

/* Numbers, and characters of strings called "embedding". */
static void
count(gh_str_t json, size_t *numbers, size_t *characters)
{
    gh_json_reader_t r;
    bool             vector = false;

    *numbers = 0;
    *characters = 0;
    gh_json_reader_init(&r, json, 0);
    while (gh_json_next(&r) != GH_JSON_END) {
        if (r.event == GH_JSON_ERROR) {
            abort();
        }
        if (r.event == GH_JSON_KEY) {
            vector = gh_json_token_is(&r, GH_STR("embedding"));
        } else if (r.event == GH_JSON_NUMBER) {
            *numbers += vector;
        } else if (r.event == GH_JSON_STRING && vector) {
            *characters += r.token.len / 4 * 3 - (r.token.len >= 2 && r.token.data[r.token.len - 1] == '=')
                - (r.token.len >= 2 && r.token.data[r.token.len - 2] == '=');
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_embed_request_t request;
    gh_heap_t          heap;
    gh_error_t         error;
    gh_usage_t         usage;
    gh_str_t           body, answer = { NULL, 0 }, out;
    gh_bedrock_model_t model;
    size_t             numbers, characters, none;
    char              *copy, *line;

    if (size < 1) {
        return 0;
    }

    model = (gh_bedrock_model_t) (data[0] % GH_BEDROCK_MODELS);
    copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    body = (gh_str_t) { copy, size - 1 };
    line = memchr(copy, '\n', body.len);
    if (line != NULL) {
        answer = (gh_str_t) { line + 1, body.len - (size_t) (line + 1 - copy) };
        body.len = (size_t) (line - copy);
    }

    gh_heap_init(&heap);
    if (gh_embed_request_read(&heap.arena, body, &request, &error) == GH_OK
        && gh_embed_request_write(&heap.arena, &request, model, &out, &error) == GH_OK)
    {
        count(out, &numbers, &none);
        request.base64 = false;
        if (answer.len != 0 && gh_embed_answer(&heap.arena, &request, model, answer, 1, GH_STR("m\""), &out, &usage, &error) == GH_OK) {
            count(out, &numbers, &none);
            if (none != 0 || usage.input > UINT64_C(1) << 40) {
                abort();
            }
            request.base64 = true;
            if (gh_embed_answer(&heap.arena, &request, model, answer, 1, GH_STR("m\""), &out, &usage, &error) != GH_OK) {
                abort();
            }
            count(out, &none, &characters);
            if (none != 0 || characters != numbers * 4) {
                abort();
            }
        }
    }

    gh_heap_free(&heap);
    free(copy);
    return 0;
}
