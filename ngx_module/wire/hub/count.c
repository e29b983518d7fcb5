/*
 * Counts of tokens: Anthropic's /v1/messages/count_tokens and Bedrock's CountTokens of Anthropic's models. What is counted is a request of Messages or of
 * Converse; the answer is one number. Sources: anthropic-sdk-python (MessageCountTokensParams, MessageTokensCount), the service model of bedrock-runtime.
 */
#include <stdio.h>
#include <string.h>

#include "ngx_module/wire/hub/dialect.h"
#include "policy/base/base64.h"

int
gh_hub_count_wrap(gh_arena_t *arena, gh_str_t inner, gh_str_t *body, gh_error_t *error)
{
    static const char begin[] = "{\"input\":{\"invokeModel\":{\"body\":\"", end[] = "\"}}}";
    char             *p = gh_arena_alloc(arena, sizeof(begin) + (inner.len + 2) / 3 * 4 + sizeof(end));

    if (p == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    body->data = p;
    memcpy(p, begin, sizeof(begin) - 1);
    p += sizeof(begin) - 1;
    p += gh_base64(inner.data, inner.len, p);
    memcpy(p, end, sizeof(end) - 1);
    body->len = (size_t) (p + sizeof(end) - 1 - body->data);

    return GH_OK;
}

int
gh_hub_count_write(gh_arena_t *arena, const gh_hub_request_t *request, gh_endpoint_t endpoint, const gh_hub_send_t *send, gh_str_t *body,
    gh_error_t *error)
{
    gh_hub_send_t counted = *send;
    gh_str_t      inner;

    counted.output_cap = 0;
    counted.counts = endpoint == GH_ENDPOINT_COUNT_TOKENS;

    if (endpoint == GH_ENDPOINT_COUNT_TOKENS) {
        return gh_hub_request_write(arena, request, GH_HUB_MESSAGES, &counted, body, error);
    }

    return gh_hub_request_write(arena, request, GH_HUB_INVOKE, &counted, &inner, error) == GH_OK ? gh_hub_count_wrap(arena, inner, body, error) : GH_ERROR;
}

int
gh_hub_count_answer(gh_arena_t *arena, gh_str_t answer, gh_endpoint_t client, gh_str_t *body, gh_error_t *error)
{
    gh_json_reader_t r;
    gh_str_t         number = { NULL, 0 };
    size_t           i;

    gh_json_reader_init(&r, answer, 0);
    if (gh_json_next(&r) == GH_JSON_OBJECT_BEGIN) {
        while (gh_json_next(&r) == GH_JSON_KEY) {
            if (!gh_json_token_is(&r, GH_STR("input_tokens")) && !gh_json_token_is(&r, GH_STR("inputTokens"))) {
                if (gh_json_skip(&r) != GH_OK) {
                    break;
                }
            } else if (gh_json_next(&r) == GH_JSON_NUMBER && number.data == NULL) {
                number = r.token;
            } else {
                break;
            }
        }
    }

    for (i = 0; i < number.len && number.data[i] >= '0' && number.data[i] <= '9'; i++) { }
    if (number.len == 0 || i != number.len || r.event != GH_JSON_OBJECT_END || gh_json_next(&r) != GH_JSON_END) {
        return gh_error_set(error, "bad_answer", "a count of tokens must be an object with one number of them");
    }

    *body = gh_str_format(arena, client == GH_ENDPOINT_COUNT_TOKENS ? "{\"input_tokens\":%.*s}" : "{\"inputTokens\":%.*s}", GH_STR_ARG(number));
    return body->data != NULL ? GH_OK : gh_error_set(error, "no_memory", "out of memory");
}
