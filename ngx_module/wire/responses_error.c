/* Streams of Responses that fail: before the commit point, where they are the error they tell of, and behind it, where they end in one. */
#include <string.h>

#include "ngx_module/wire/responses.h"
#include "ngx_module/wire/sse.h"

#define EVENTS_MAX 64   /* as commit.c has it */

size_t
gh_responses_error_event(const gh_responses_t *w, char *buffer, size_t size, gh_str_t code, gh_str_t message)
{
    gh_json_writer_t json;
    static const char before[] = "event: error\ndata: ", after[] = "\n\n";

    memcpy(buffer, before, sizeof(before) - 1);
    gh_json_writer_init(&json, buffer + sizeof(before) - 1, size - sizeof(before) - sizeof(after));
    gh_json_begin_object(&json);
    gh_json_kv_string(&json, "type", GH_STR("error"));
    gh_json_kv_string(&json, "code", code);
    gh_json_kv_string(&json, "message", message);
    gh_json_key(&json, "param");
    gh_json_null(&json);
    gh_json_kv_u64(&json, "sequence_number", w->all_events);   /* they are counted from 0 */
    gh_json_end_object(&json);
    if (!gh_json_writer_ok(&json)) {
        return 0;
    }
    memcpy(buffer + sizeof(before) - 1 + json.len, after, sizeof(after) - 1);
    return sizeof(before) - 1 + json.len + sizeof(after) - 1;
}

/* The value of a member of the object that begins the text; empty when there is none. */
static gh_str_t
member_of(gh_str_t object, const char *name)
{
    gh_json_reader_t r;
    size_t           from;

    gh_json_reader_init(&r, object, 0);
    if (gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return GH_STR("");
    }
    while (gh_json_next(&r) == GH_JSON_KEY) {
        bool found = gh_json_token_is(&r, gh_str_from(name));

        gh_json_next(&r);
        from = r.token_offset;
        if ((r.event == GH_JSON_OBJECT_BEGIN || r.event == GH_JSON_ARRAY_BEGIN) && gh_json_skip_rest(&r) != GH_OK) {
            break;
        }
        if (found && r.event != GH_JSON_NULL) {
            return (gh_str_t) { object.data + from, r.token_end - from };
        }
    }
    return GH_STR("");
}

static bool
is_json(gh_str_t text)
{
    gh_json_reader_t r;

    gh_json_reader_init(&r, text, 0);
    return gh_json_skip(&r) == GH_OK && gh_json_next(&r) == GH_JSON_END;
}

bool
gh_responses_blocked(gh_str_t filters)
{
    gh_json_reader_t r;
    bool             blocked = false, named;

    gh_json_reader_init(&r, filters, 0);
    r.lone_surrogates = true;
    if (gh_json_next(&r) != GH_JSON_ARRAY_BEGIN) {
        return false;
    }
    while (gh_json_next(&r) == GH_JSON_OBJECT_BEGIN) {
        while (gh_json_next(&r) == GH_JSON_KEY) {
            named = gh_json_token_is(&r, GH_STR("blocked"));
            gh_json_next(&r);
            blocked |= named && r.event == GH_JSON_TRUE;
            if (r.event == GH_JSON_OBJECT_BEGIN || r.event == GH_JSON_ARRAY_BEGIN) {
                gh_json_skip_rest(&r);
            }
        }
    }
    return blocked && r.event == GH_JSON_ARRAY_END;
}

/* The next complete line that holds an object, from it on; *at moves behind it. false: there is none. */
static bool
next_event(gh_str_t held, size_t *at, gh_str_t *event)
{
    size_t i, begin = *at;

    for (i = begin; i < held.len; i++) {
        if (held.data[i] == '\n' || held.data[i] == '\r') {
            const char *brace = i != begin ? memchr(held.data + begin, '{', i - begin) : NULL;

            begin = i + 1;
            if (brace != NULL) {
                *event = (gh_str_t) { brace, (size_t) (held.data + i - brace) };
                *at = begin;
                return true;
            }
        }
    }
    return false;
}

static bool
is_there(gh_str_t value)
{
    return value.len != 0;
}

/* The first value of that member of an event's response that is one; empty: none is. */
static gh_str_t
response_member(gh_str_t held, const char *name, bool (*wanted)(gh_str_t value))
{
    gh_str_t event, value;
    size_t   at = 0;

    while (next_event(held, &at, &event)) {
        value = member_of(member_of(event, "response"), name);
        if (wanted(value)) {
            return value;
        }
    }
    return GH_STR("");
}

gh_str_t
gh_responses_error(gh_arena_t *arena, gh_str_t held)
{
    gh_str_t event = GH_STR("{}"), error, filters;
    size_t   at = 0;

    while (next_event(held, &at, &event)) { }    /* the last one decided */

    error = member_of(event, "error");
    if (error.len == 0) {
        error = member_of(member_of(event, "response"), "error");
    }
    filters = error.len == 0 ? response_member(held, "content_filters", gh_responses_blocked) : GH_STR("");
    if (filters.len != 0 && is_json(filters)) {
        return gh_str_format(arena, "{\"error\":{\"message\":\"the provider's content filter blocked it\",\"type\":\"invalid_request_error\",\"param\":null,"
            "\"code\":\"content_filter\",\"content_filters\":%.*s}}", GH_STR_ARG(filters));
    }
    return gh_str_format(arena, "{\"error\":%.*s}", GH_STR_ARG(error.len != 0 ? error : is_json(event) ? event : GH_STR("{}")));
}

gh_commit_t
gh_responses_look(gh_str_t held, int *status)
{
    static const gh_ids_owner_t nobody = { 0 };
    char                              code[GH_IDS_WORD + 2];
    gh_responses_t                    w;

    gh_responses_init(&w, true, &nobody);
    gh_responses_feed(&w, held.data, held.len, NULL, NULL);

    if (w.commit == GH_COMMIT_ERROR && w.ids.code_len < sizeof(code) - 1) {
        code[0] = '"';
        memcpy(code + 1, w.ids.code, w.ids.code_len);
        code[w.ids.code_len + 1] = '"';
        *status = gh_chunk_error_status((gh_str_t) { code, w.ids.code_len + 2 });
    }
    if (w.error && w.commit != GH_COMMIT_GO) {
        if (response_member(held, "content_filters", gh_responses_blocked).len != 0) {
            *status = 400;
            w.commit = GH_COMMIT_ERROR;
        } else if (response_member(held, "error", is_there).len != 0) {
            w.commit = GH_COMMIT_ERROR;
        }
    }

    /* too many to be anything but an answer */
    return w.commit == GH_COMMIT_HOLD && w.all_events >= EVENTS_MAX ? GH_COMMIT_GO : w.commit;
}
