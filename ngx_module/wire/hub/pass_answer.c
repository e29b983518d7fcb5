/*
 * A plain answer of Messages or InvokeModel where a stream of the other was asked for: its own JSON in the events that a stream of it would have, so that whoever puts them together has the answer again,
 * blocks that nobody knows included. Source: anthropic-sdk-python's anthropic/lib/streaming, which puts them together.
 */
#include <string.h>

#include "ngx_module/wire/hub/dialect.h"

/* What a member has there instead of its value, JSON. */
typedef struct {
    const char *name, *value;
} instead_t;

static bool
next_value(gh_json_reader_t *r, gh_str_t text, gh_str_t *raw)
{
    size_t          begin;
    gh_json_event_t event = gh_json_next(r);

    begin = r->token_offset;
    if (event == GH_JSON_ERROR || ((event == GH_JSON_OBJECT_BEGIN || event == GH_JSON_ARRAY_BEGIN) && gh_json_skip_rest(r) != GH_OK)) {
        return false;
    }

    *raw = (gh_str_t) { text.data + begin, r->token_end - begin };
    return true;
}

static void
reader(gh_json_reader_t *r, gh_str_t text)
{
    gh_json_reader_init(r, text, 0);
    r->lone_surrogates = true;
}

/* A member's value, raw; data NULL: the object has none. */
static gh_str_t
member(gh_str_t object, const char *name)
{
    gh_str_t         none = { NULL, 0 }, raw;
    gh_json_reader_t r;
    bool             found;

    reader(&r, object);
    if (object.len == 0 || gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return none;
    }
    while (gh_json_next(&r) == GH_JSON_KEY) {
        found = gh_json_token_is(&r, gh_str_from(name));
        if (!next_value(&r, object, &raw)) {
            return none;
        }
        if (found) {
            return raw;
        }
    }

    return none;
}

/* The object with what stands in `instead`, as far as it has such members. */
static void
put_object(gh_hub_put_t *p, gh_str_t object, const instead_t *instead, size_t count)
{
    gh_json_reader_t r;
    gh_str_t         key, raw;
    size_t           i;

    gh_hub_put_open(p, '{');
    reader(&r, object);
    gh_json_next(&r);
    while (gh_json_next(&r) == GH_JSON_KEY) {
        key = (gh_str_t) { object.data + r.token_offset, r.token_end - r.token_offset };
        for (i = 0; i < count && !gh_json_token_is(&r, gh_str_from(instead[i].name)); i++) { }
        if (!next_value(&r, object, &raw)) {
            break;
        }
        gh_hub_put_comma(p);
        gh_hub_put(p, key);
        GH_HUB_PUT(p, ":");
        gh_hub_put(p, i < count ? gh_str_from(instead[i].value) : raw);
    }
    gh_hub_put_close(p, '}');
}

#define PUT_OBJECT(p, object, instead) put_object((p), (object), (instead), sizeof(instead) / sizeof((instead)[0]))

static bool
is_word(gh_str_t raw, const char *word)
{
    return raw.len > 2 && raw.data[0] == '"' && gh_hub_is((gh_str_t) { raw.data + 1, raw.len - 2 }, word);
}

static bool
is_filled(gh_str_t raw)
{
    return raw.len > 2 && raw.data[0] == '"';
}

/* ---- events ---- */

static void
begin(gh_hub_put_t *p, const char *type)
{
    p->len = 0;
    gh_hub_put_open(p, '{');
    gh_hub_put_kv_string(p, "type", gh_str_from(type));
}

static void
end(gh_hub_stream_t *s, gh_hub_put_t *p)
{
    gh_hub_put_close(p, '}');
    if (p->failed) {
        gh_hub_tell_broken(s, "the gateway has no memory for more of the answer");
        return;
    }
    gh_hub_pass_event(s, gh_hub_kept(p), false);
}

/* text: instead of a raw value, one that becomes a string. */
static void
delta(gh_hub_stream_t *s, gh_hub_put_t *p, uint64_t index, const char *type, const char *key, gh_str_t raw, bool text)
{
    begin(p, "content_block_delta");
    gh_hub_put_kv_u64(p, "index", index);
    gh_hub_put_key(p, "delta");
    gh_hub_put_open(p, '{');
    gh_hub_put_kv_string(p, "type", gh_str_from(type));
    if (text) {
        gh_hub_put_kv_text(p, key, raw);
    } else {
        gh_hub_put_kv_raw(p, key, raw);
    }
    gh_hub_put_close(p, '}');
    end(s, p);
}

static void
citations(gh_hub_stream_t *s, gh_hub_put_t *p, uint64_t index, gh_str_t all)
{
    gh_json_reader_t r;
    size_t           at;
    bool             nested;

    reader(&r, all);
    if (all.len == 0 || gh_json_next(&r) != GH_JSON_ARRAY_BEGIN) {
        return;
    }
    while (gh_json_next(&r) != GH_JSON_ARRAY_END && r.event != GH_JSON_ERROR) {
        at = r.token_offset;
        nested = r.event == GH_JSON_OBJECT_BEGIN || r.event == GH_JSON_ARRAY_BEGIN;
        if (nested && gh_json_skip_rest(&r) != GH_OK) {
            return;
        }
        delta(s, p, index, "citations_delta", "citation", (gh_str_t) { all.data + at, r.token_end - at }, false);
    }
}

/* Of these alone inputs are put together. */
static bool
calls(gh_str_t type)
{
    return is_word(type, "tool_use") || is_word(type, "server_tool_use") || is_word(type, "mcp_tool_use");
}

static void
block(gh_hub_stream_t *s, gh_hub_put_t *p, uint64_t index, gh_str_t raw)
{
    static const instead_t text[] = { { "text", "\"\"" }, { "citations", "[]" } }, cited_none[] = { { "text", "\"\"" } };
    static const instead_t thinking[] = { { "thinking", "\"\"" }, { "signature", "\"\"" } }, call[] = { { "input", "{}" } };
    gh_str_t               type = member(raw, "type"), input = member(raw, "input"), said = member(raw, "text"), cited = member(raw, "citations");
    bool                   is_text = is_word(type, "text") && said.len != 0 && said.data[0] == '"', is_thinking = is_word(type, "thinking");
    bool                   is_call = input.len != 0 && input.data[0] == '{' && calls(type);

    begin(p, "content_block_start");
    gh_hub_put_kv_u64(p, "index", index);
    gh_hub_put_key(p, "content_block");
    if (is_text && cited.len != 0 && cited.data[0] == '[') {
        PUT_OBJECT(p, raw, text);
    } else if (is_text) {
        PUT_OBJECT(p, raw, cited_none);
    } else if (is_thinking) {
        PUT_OBJECT(p, raw, thinking);
    } else if (is_call) {
        PUT_OBJECT(p, raw, call);
    } else {
        gh_hub_put_raw(p, raw);
    }
    end(s, p);

    if (is_text) {
        if (is_filled(said)) {
            delta(s, p, index, "text_delta", "text", said, false);
        }
        citations(s, p, index, cited);
    } else if (is_thinking) {
        if (is_filled(member(raw, "thinking"))) {
            delta(s, p, index, "thinking_delta", "thinking", member(raw, "thinking"), false);
        }
        if (is_filled(member(raw, "signature"))) {
            delta(s, p, index, "signature_delta", "signature", member(raw, "signature"), false);
        }
    } else if (is_call) {
        delta(s, p, index, "input_json_delta", "partial_json", input, true);
    }

    begin(p, "content_block_stop");
    gh_hub_put_kv_u64(p, "index", index);
    end(s, p);
}

static void
blocks(gh_hub_stream_t *s, gh_hub_put_t *p, gh_str_t content)
{
    gh_json_reader_t r;
    uint64_t         index = 0;
    size_t           at;

    reader(&r, content);
    if (content.len != 0 && content.data[0] != '[') {
        gh_hub_tell_broken(s, "the backend's content is no list of blocks");
        return;
    }
    if (content.len == 0 || gh_json_next(&r) != GH_JSON_ARRAY_BEGIN) {
        return;
    }
    while (gh_json_next(&r) == GH_JSON_OBJECT_BEGIN && !s->state.failed) {
        at = r.token_offset;
        if (gh_json_skip_rest(&r) != GH_OK) {
            return;
        }
        block(s, p, index++, (gh_str_t) { content.data + at, r.token_end - at });
    }
}

void
gh_hub_stream_plain(gh_hub_stream_t *s, gh_str_t body)
{
    static const instead_t begun[] = { { "content", "[]" }, { "stop_reason", "null" }, { "stop_sequence", "null" } };
    gh_str_t               sequence = member(body, "stop_sequence");
    gh_hub_put_t           p;

    s->plain = true;
    gh_hub_put_init(&p, s->arena, 2048, 4 * GH_HUB_EVENT_MAX);        /* one event at a time */

    begin(&p, "message_start");
    gh_hub_put_key(&p, "message");
    PUT_OBJECT(&p, body, begun);
    end(s, &p);

    blocks(s, &p, member(body, "content"));

    begin(&p, "message_delta");
    gh_hub_put_key(&p, "delta");
    gh_hub_put_open(&p, '{');
    gh_hub_put_kv_raw(&p, "stop_reason", member(body, "stop_reason"));
    gh_hub_put_kv_raw(&p, "stop_sequence", sequence.data != NULL ? sequence : GH_STR("null"));
    gh_hub_put_kv_raw(&p, "container", member(body, "container"));
    gh_hub_put_kv_raw(&p, "stop_details", member(body, "stop_details"));
    gh_hub_put_close(&p, '}');
    gh_hub_put_kv_raw(&p, "usage", member(body, "usage"));
    gh_hub_put_kv_raw(&p, "context_management", member(body, "context_management"));
    end(s, &p);

    begin(&p, "message_stop");
    end(s, &p);
    gh_hub_stream_finish(s);
}
