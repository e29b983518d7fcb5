/*
 * What one event of a stream of Anthropic's Messages says: message_start and message_delta have usage, content_block_delta the answer's text, message_stop
 * ends it, error breaks it. All others open and close what these are in.
 */
#include <string.h>

#include "ngx_module/wire/sse.h"
#include "policy/base/json_reader.h"

/* The rest of a value whose first event has been read. */
static bool
value_rest(gh_json_reader_t *r)
{
    switch (r->event) {
    case GH_JSON_ERROR:
        return false;
    case GH_JSON_OBJECT_BEGIN:
    case GH_JSON_ARRAY_BEGIN:
        return gh_json_skip_rest(r) == GH_OK;
    default:
        return true;
    }
}

/* The object to come: its "usage", and how long its texts are. A value of another kind says nothing. */
static bool
object_read(gh_json_reader_t *r, gh_chunk_t *chunk)
{
    gh_str_t span;
    bool     object;

    if (gh_json_next(r) != GH_JSON_OBJECT_BEGIN) {
        return value_rest(r);
    }

    while (gh_json_next(r) == GH_JSON_KEY) {
        if (gh_json_token_is(r, GH_STR("usage"))) {
            span = gh_chunk_span(r, &object);
            chunk->usage_value = object ? span : chunk->usage_value;
            if (span.data == NULL) {
                return false;
            }
        } else if (gh_json_token_is(r, GH_STR("text")) || gh_json_token_is(r, GH_STR("thinking")) || gh_json_token_is(r, GH_STR("partial_json"))) {
            gh_json_next(r);
            if (!gh_chunk_text(r, &chunk->content_bytes)) {
                return false;
            }
        } else if (gh_json_token_is(r, GH_STR("stop_reason"))) {
            chunk->finish |= gh_json_next(r) == GH_JSON_STRING;
            if (!value_rest(r)) {
                return false;
            }
        } else if (gh_json_skip(r) != GH_OK) {
            return false;
        }
    }

    return r->event == GH_JSON_OBJECT_END;
}

static void
type_read(const gh_json_reader_t *r, gh_chunk_t *chunk)
{
    static const char *const waiting[] = { "message_start", "ping", "content_block_start", "content_block_stop" };
    size_t                   i;

    chunk->type = r->token;
    chunk->done = gh_json_token_is(r, GH_STR("message_stop"));
    chunk->error |= gh_json_token_is(r, GH_STR("error"));

    for (i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++) {
        chunk->waits |= gh_json_token_is(r, gh_str_from(waiting[i]));
    }
}

static bool
member_read(gh_json_reader_t *r, gh_chunk_t *chunk)
{
    gh_str_t span;
    bool     object;

    if (gh_json_token_is(r, GH_STR("type"))) {
        if (gh_json_next(r) == GH_JSON_STRING) {
            type_read(r, chunk);
        }
        return value_rest(r);
    }

    if (gh_json_token_is(r, GH_STR("message")) || gh_json_token_is(r, GH_STR("delta")) || gh_json_token_is(r, GH_STR("content_block"))) {
        return object_read(r, chunk);
    }

    if (gh_json_token_is(r, GH_STR("usage"))) {
        span = gh_chunk_span(r, &object);
        chunk->usage_value = object ? span : chunk->usage_value;
        return span.data != NULL;
    }

    if (gh_json_token_is(r, GH_STR("error"))) {
        span = gh_chunk_span(r, &object);
        chunk->error_value = span.len != 0 ? span : chunk->error_value;
        return span.data != NULL;
    }

    return gh_json_skip(r) == GH_OK;
}

void
gh_chunk_messages(gh_str_t data, gh_chunk_t *chunk)
{
    gh_json_reader_t r;

    memset(chunk, 0, sizeof(*chunk));

    gh_json_reader_init(&r, data, 0);
    r.lone_surrogates = true;
    if (gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return;
    }

    while (gh_json_next(&r) == GH_JSON_KEY) {
        if (!member_read(&r, chunk)) {
            break;
        }
    }

    if (r.event != GH_JSON_OBJECT_END || gh_json_next(&r) != GH_JSON_END) {
        memset(chunk, 0, sizeof(*chunk));
        return;
    }

    chunk->readable = true;

    if (chunk->error && chunk->error_value.data == NULL) {
        chunk->error_value = data;
    }

}
