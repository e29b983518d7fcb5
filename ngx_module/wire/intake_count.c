/*
 * Bedrock's CountTokens: a body that holds the request whose tokens are to be counted, {"input": {"converse": {...}}} or {"input": {"invokeModel": {"body":
 * "<base64 of it>"}}}. What is in it is judged like that request. Source: the service model of bedrock-runtime (CountTokensInput, a union).
 */
#include <string.h>

#include "ngx_module/wire/intake_reader.h"
#include "policy/base/base64.h"

static int
count_wrong(const gh_json_reader_t *r, gh_error_t *error, const char *what)
{
    uint32_t line, column;

    if (r->event == GH_JSON_ERROR) {
        gh_json_position((gh_str_t) { r->start, (size_t) (r->end - r->start) }, r->error_offset, &line, &column);
        return gh_error_at(error, "invalid_json", "", line, column, "%s at byte %zu (line %u, column %u)", r->error_code, r->error_offset, (unsigned) line,
            (unsigned) column);
    }

    return gh_error_set(error, "invalid_request", "%s", what);
}

/* The value of an object's only member, which has this name: its first event has been read. */
static bool
only_member(gh_json_reader_t *r, gh_str_t name)
{
    return gh_json_next(r) == GH_JSON_OBJECT_BEGIN && gh_json_next(r) == GH_JSON_KEY && gh_json_token_is(r, name);
}

static int
read_blob(gh_arena_t *arena, gh_json_reader_t *r, gh_str_t *inner, gh_error_t *error)
{
    static const char expected[] = "input.invokeModel must be an object with body, a request in base64";
    gh_str_t          text;
    char             *buffer;
    long              len;

    if (!only_member(r, GH_STR("body")) || gh_json_next(r) != GH_JSON_STRING) {
        return count_wrong(r, error, expected);
    }

    buffer = gh_arena_alloc(arena, r->token.len + 1);
    if (buffer == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    len = gh_json_token_decode(r, buffer, r->token.len, &text) == GH_OK ? gh_base64_decode(text, buffer, text.len) : -1;
    if (len < 0) {
        return gh_error_set(error, "invalid_request", "input.invokeModel.body is no base64");
    }

    *inner = (gh_str_t) { buffer, (size_t) len };
    return gh_json_next(r) == GH_JSON_OBJECT_END ? GH_OK : count_wrong(r, error, expected);
}

int
gh_intake_count_input(gh_arena_t *arena, gh_str_t body, gh_endpoint_t *endpoint, gh_str_t *inner, gh_error_t *error)
{
    static const char expected[] = "the body must be an object with input, an object with either converse or invokeModel";
    gh_json_reader_t  r;
    size_t            begin;

    gh_json_reader_init(&r, body, 0);

    if (!only_member(&r, GH_STR("input")) || gh_json_next(&r) != GH_JSON_OBJECT_BEGIN || gh_json_next(&r) != GH_JSON_KEY) {
        return count_wrong(&r, error, expected);
    }

    if (gh_json_token_is(&r, GH_STR("invokeModel"))) {
        *endpoint = GH_ENDPOINT_INVOKE;
        if (read_blob(arena, &r, inner, error) != GH_OK) {
            return GH_ERROR;
        }

    } else if (gh_json_token_is(&r, GH_STR("converse"))) {
        *endpoint = GH_ENDPOINT_CONVERSE;
        if (gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
            return count_wrong(&r, error, "input.converse must be an object");
        }
        begin = r.token_offset;
        if (gh_json_skip_rest(&r) != GH_OK) {
            return count_wrong(&r, error, expected);
        }
        *inner = (gh_str_t) { body.data + begin, r.token_end - begin };

    } else {
        return count_wrong(&r, error, expected);
    }

    return gh_json_next(&r) == GH_JSON_OBJECT_END && gh_json_next(&r) == GH_JSON_OBJECT_END && gh_json_next(&r) == GH_JSON_END ? GH_OK
           : count_wrong(&r, error, expected);
}

gh_endpoint_t
gh_intake_alike(gh_endpoint_t endpoint)
{
    return endpoint == GH_ENDPOINT_COUNT_TOKENS ? GH_ENDPOINT_INVOKE : gh_endpoint_alike(endpoint);
}

int
gh_intake_count(gh_arena_t *arena, const gh_url_t *url, gh_str_t body, gh_intake_t *intake, gh_error_t *error)
{
    gh_url_t counted = *url;
    gh_str_t inner;

    if (gh_intake_count_input(arena, body, &counted.endpoint, &inner, error) != GH_OK
        || gh_intake_parse_url(arena, &counted, inner, intake, error) != GH_OK)
    {
        return GH_ERROR;
    }

    if (intake->geo_member.length != 0) {
        return gh_error_set(error, "invalid_places", "inference_geo cannot be said where tokens are counted: name places in the header x-gatehouse-places");
    }

    if (intake->handle_count != 0) {
        return gh_error_set(error, "invalid_request", "%.*s of the model's body is the id of something kept, which cannot be counted here",
            GH_STR_ARG(intake->handles[0].where));
    }

    /* offsets are those of what is in it, and nothing of that is ever changed */
    intake->endpoint = url->endpoint;
    intake->body_bytes = body.len;
    memset(intake->maxima, 0, sizeof(intake->maxima));
    intake->max_tokens = 0;

    return GH_OK;
}
