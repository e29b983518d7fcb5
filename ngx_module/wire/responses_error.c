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

gh_str_t
gh_responses_error(gh_arena_t *arena, gh_str_t held)
{
    gh_str_t event = GH_STR("{}"), error;
    size_t   i, begin = 0;

    /* its last complete line that holds an object is the event that decided */
    for (i = 0; i < held.len; i++) {
        if (held.data[i] == '\n' || held.data[i] == '\r') {
            const char *brace = i != begin ? memchr(held.data + begin, '{', i - begin) : NULL;

            if (brace != NULL) {
                event = (gh_str_t) { brace, (size_t) (held.data + i - brace) };
            }
            begin = i + 1;
        }
    }
    error = member_of(event, "error");
    if (error.len == 0) {
        error = member_of(member_of(event, "response"), "error");
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

    /* too many to be anything but an answer */
    return w.commit == GH_COMMIT_HOLD && w.all_events >= EVENTS_MAX ? GH_COMMIT_GO : w.commit;
}
