/* OpenAI chat completions, streams. Source: openai-python's openai/types/chat/chat_completion_chunk.py. Of several choices the first alone passes. */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/chat.h"

#define CHAT_LATE_MAX 65536    /* bytes of an event behind the end that is still looked at */

/* ---- read ---- */

typedef struct {
    gh_str_t id, model, created, usage, error, tier;
    bool     seen;                               /* a choice */
    gh_str_t index, finish, stop_reason;
    gh_str_t content, parts, refusal, reasoning_content, reasoning, details, calls, tokens, annotations;    /* content: a string, or parts, raw */
} chunk_t;

/* A string, or, of Mistral's API and servers like it, parts. */
static int
read_content(gh_hub_reader_t *r, void *object)
{
    chunk_t *chunk = object;

    return r->json.event == GH_JSON_ARRAY_BEGIN ? gh_hub_raw(r, &chunk->parts) : gh_hub_string(r, &chunk->content);
}

static const gh_hub_field_t delta_fields[] = {
    GH_HUB_READS("content", read_content),
    GH_HUB_FIELD("refusal", STRING, GH_ASKS, chunk_t, refusal),
    GH_HUB_FIELD("reasoning_content", STRING, GH_ASKS, chunk_t, reasoning_content),
    GH_HUB_FIELD("reasoning", STRING, GH_ASKS, chunk_t, reasoning),
    GH_HUB_FIELD("reasoning_details", RAW, GH_ASKS, chunk_t, details),
    GH_HUB_FIELD("tool_calls", RAW, GH_ASKS, chunk_t, calls),
    GH_HUB_FIELD("annotations", RAW, GH_ASKS, chunk_t, annotations),
    GH_HUB_SKIPS("role"),
};

static int
read_delta(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, delta_fields, object);
}

static int
read_chunk_stop(gh_hub_reader_t *r, void *object)
{
    gh_str_t raw;

    return r->json.event == GH_JSON_STRING ? gh_hub_string(r, &((chunk_t *) object)->stop_reason) : gh_hub_raw(r, &raw);
}

static const gh_hub_field_t logprobs_fields[] = {
    GH_HUB_FIELD("content", RAW, GH_ASKS, chunk_t, tokens),
};

static int
read_logprobs(gh_hub_reader_t *r, void *object)
{
    gh_str_t raw;

    /* some servers have other forms */
    return r->json.event == GH_JSON_OBJECT_BEGIN ? GH_HUB_OBJECT(r, logprobs_fields, object) : gh_hub_raw(r, &raw);
}

static const gh_hub_field_t chunk_choice_fields[] = {
    GH_HUB_FIELD("index", NUMBER, GH_ASKS, chunk_t, index),
    GH_HUB_READS("delta", read_delta),
    GH_HUB_READS("logprobs", read_logprobs),
    GH_HUB_FIELD("finish_reason", STRING, GH_ASKS, chunk_t, finish),
    GH_HUB_READS("stop_reason", read_chunk_stop),
};

static int
read_chunk_choices(gh_hub_reader_t *r, void *object)
{
    chunk_t *chunk = object;
    gh_str_t raw;
    int      status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (gh_hub_element(r, &status)) {
        if (chunk->seen ? gh_hub_raw(r, &raw) != GH_OK
            : GH_HUB_EXPECT_OBJECT(r, chunk_choice_fields, chunk) != GH_OK)
        {
            return GH_ERROR;
        }
        chunk->seen = true;
    }

    return status;
}

static const gh_hub_field_t chunk_fields[] = {
    GH_HUB_READS("choices", read_chunk_choices),
    GH_HUB_FIELD("id", STRING, GH_ASKS, chunk_t, id),
    GH_HUB_FIELD("model", STRING, GH_ASKS, chunk_t, model),
    GH_HUB_FIELD("created", RAW, GH_ASKS, chunk_t, created),
    GH_HUB_FIELD("usage", RAW, GH_ASKS, chunk_t, usage),
    GH_HUB_FIELD("error", RAW, GH_ASKS, chunk_t, error),
    GH_HUB_SKIPS("object"), GH_HUB_SKIPS("system_fingerprint"), GH_HUB_SKIPS("obfuscation"),
    GH_HUB_FIELD("service_tier", STRING, GH_ASKS, chunk_t, tier),
};

/*
 * Text of a kind: it goes on with the part that is open, or begins one. tokens: log probabilities, of TEXT, which may have none that is whole; without any
 * they end no part of another kind.
 */
static void
tell_text(gh_hub_stream_t *s, gh_hub_kind_t kind, gh_str_t text, gh_str_t tokens)
{
    if (text.len == 0 && (tokens.len == 0 || (s->open != GH_HUB_NO_PART && s->open_kind != kind))) {
        return;
    }

    if (s->open == GH_HUB_NO_PART || s->open_kind != kind) {
        gh_hub_tell_part(s, GH_HUB_NO_PART, kind, GH_STR(""), GH_STR(""), GH_STR(""));
    }
    if (tokens.len != 0) {
        gh_hub_tell_tokens(s, s->open, text, tokens);
    } else {
        gh_hub_tell_delta(s, s->open, kind, text, GH_STR(""));
    }
}

/* Positions count from the message's beginning, here from the part's: what is cited for an earlier one is not told. */
static void
tell_citations(gh_hub_stream_t *s, gh_str_t raw)
{
    gh_hub_reader_t   r;
    gh_hub_citation_t citation;
    int               status;

    gh_hub_event_reader(s, &r, raw);
    if (gh_json_next(&r.json) != GH_JSON_ARRAY_BEGIN) {
        return;
    }

    while (gh_hub_element(&r, &status)) {
        if (chat_annotation_read(&r, &citation) != GH_OK) {
            return;
        }
        if (citation.kind == GH_HUB_CITES_WEB && citation.start >= s->before && citation.end >= citation.start) {
            citation.start -= s->before;
            citation.end -= s->before;
            gh_hub_tell_citation(s, &citation);
        }
    }
}

typedef struct {
    gh_str_t type, signature, data, text;
    uint64_t index;
} detail_t;

static const gh_hub_field_t detail_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, detail_t, type),
    GH_HUB_FIELD("text", STRING, GH_ASKS, detail_t, text),
    GH_HUB_FIELD("signature", STRING, GH_ASKS, detail_t, signature),
    GH_HUB_FIELD("data", STRING, GH_ASKS, detail_t, data),
    GH_HUB_FIELD("index", COUNT, GH_ASKS, detail_t, index),
};

/* The next of them. false: there is none, or it cannot be read. */
static bool
next_detail(gh_hub_reader_t *r, detail_t *detail)
{
    int status;

    memset(detail, 0, sizeof(*detail));
    return gh_hub_element(r, &status) && GH_HUB_EXPECT_OBJECT(r, detail_fields, detail) == GH_OK;
}

/* Pieces of one index are one part, until its signature has come. */
static void
tell_detail(gh_hub_stream_t *s, const detail_t *detail)
{
    if (detail->data.len != 0) {
        gh_hub_tell_part(s, GH_HUB_NO_PART, GH_HUB_REDACTED, GH_STR(""), GH_STR(""), detail->data);
        return;
    }
    if (detail->text.len == 0 && detail->signature.len == 0) {
        return;
    }

    if (s->open == GH_HUB_NO_PART || s->open_kind != GH_HUB_REASONING || (s->detail != 0 && s->detail != detail->index + 1)
        || (s->signed_ && detail->text.len != 0))
    {
        gh_hub_tell_part(s, GH_HUB_NO_PART, GH_HUB_REASONING, GH_STR(""), GH_STR(""), GH_STR(""));
    }
    s->detail = detail->index + 1;
    gh_hub_tell_delta(s, s->open, GH_HUB_REASONING, detail->text, detail->signature);
}

/* text: what the chunk has outside of them, which is the same where they have texts. */
static void
tell_details(gh_hub_stream_t *s, gh_str_t raw, gh_str_t text)
{
    gh_hub_reader_t r;
    detail_t        detail;
    bool            texts = false;

    gh_hub_event_reader(s, &r, raw);
    if (gh_json_next(&r.json) == GH_JSON_ARRAY_BEGIN) {
        while (next_detail(&r, &detail)) {
            texts |= detail.text.len != 0;
        }
    }
    if (!texts) {
        tell_text(s, GH_HUB_REASONING, text, GH_STR(""));
    }

    gh_hub_event_reader(s, &r, raw);
    if (gh_json_next(&r.json) == GH_JSON_ARRAY_BEGIN) {
        while (next_detail(&r, &detail)) {
            tell_detail(s, &detail);
        }
    }
}

/* Of reasoning that is a part of the content, which has no index. */
static void
tell_thinking(gh_hub_stream_t *s, gh_str_t text, gh_str_t signature)
{
    detail_t detail = { .text = text, .signature = signature, .index = s->detail != 0 ? s->detail - 1 : 0 };

    tell_detail(s, &detail);
}

static void
tell_thinking_list(gh_hub_stream_t *s, gh_str_t raw)
{
    gh_hub_reader_t      r;
    chat_content_part_t  part;
    int                  status;

    gh_hub_event_reader(s, &r, raw);
    gh_json_next(&r.json);
    while (gh_hub_element(&r, &status) && chat_content_part_read(&r, &part) == GH_OK) {
        tell_thinking(s, part.text, GH_STR(""));
    }
}

/* tokens: log probabilities, which are those of a text that nothing else stands beside. */
static void
tell_parts(gh_hub_stream_t *s, gh_str_t raw, gh_str_t tokens)
{
    gh_hub_reader_t     r;
    chat_content_part_t part;
    bool                thinks = false;
    int                 status;

    gh_hub_event_reader(s, &r, raw);
    gh_json_next(&r.json);
    while (gh_hub_element(&r, &status)) {
        if (chat_content_part_read(&r, &part) != GH_OK || part.kind == CHAT_OTHER) {
            status = GH_ERROR;
            break;
        }
        thinks |= part.kind == CHAT_THINKING;
    }
    if (status != GH_OK) {
        gh_hub_tell_broken(s, "the content of the backend's answer has a part that is neither text, thinking nor a reference");
        return;
    }

    gh_hub_event_reader(s, &r, raw);
    gh_json_next(&r.json);
    while (gh_hub_element(&r, &status) && chat_content_part_read(&r, &part) == GH_OK) {
        if (part.kind == CHAT_TEXT) {
            tell_text(s, GH_HUB_TEXT, part.text, thinks ? GH_STR("") : tokens);
            tokens = GH_STR("");
        } else if (part.kind == CHAT_THINKING) {
            if (part.list.data != NULL) {
                tell_thinking_list(s, part.list);
            }
            tell_thinking(s, part.text, part.signature);
        }
    }
}

typedef struct {
    uint64_t index;
    gh_str_t id, name, arguments;
    bool     text;
} call_t;

static const gh_hub_field_t call_function_fields[] = {
    GH_HUB_FIELD("name", STRING, GH_ASKS, call_t, name),
    GH_HUB_FIELD("arguments", STRING, GH_ASKS, call_t, arguments),
};

static int
read_call_function(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, call_function_fields, object);
}

static const gh_hub_field_t call_custom_fields[] = {
    GH_HUB_FIELD("name", STRING, GH_ASKS, call_t, name),
    GH_HUB_FIELD("input", STRING, GH_ASKS, call_t, arguments),
};

static int
read_call_custom(gh_hub_reader_t *r, void *object)
{
    ((call_t *) object)->text = true;
    return GH_HUB_EXPECT_OBJECT(r, call_custom_fields, object);
}

static const gh_hub_field_t call_fields[] = {
    GH_HUB_FIELD("index", COUNT, GH_ASKS, call_t, index),
    GH_HUB_FIELD("id", STRING, GH_ASKS, call_t, id),
    GH_HUB_READS("function", read_call_function),
    GH_HUB_READS("custom", read_call_custom),
    GH_HUB_SKIPS("type"),
};

/*
 * A call begins with its name. Some servers send calls beside each other and come back to an earlier one: its arguments still go where they belong,
 * with its part's number.
 */
static void
tell_calls(gh_hub_stream_t *s, gh_str_t raw)
{
    gh_hub_reader_t r;
    call_t          call;
    uint32_t        part;
    int             status;

    gh_hub_event_reader(s, &r, raw);
    if (gh_json_next(&r.json) != GH_JSON_ARRAY_BEGIN) {
        return;
    }

    while (gh_hub_element(&r, &status)) {
        memset(&call, 0, sizeof(call));
        if (GH_HUB_EXPECT_OBJECT(&r, call_fields, &call) != GH_OK) {
            gh_hub_tell_broken(s, "a tool call of the backend cannot be read");
            return;
        }

        part = call.index < GH_HUB_PARTS_MAX ? gh_hub_part_at(s, (uint32_t) call.index) : GH_HUB_NO_PART;
        if (part == GH_HUB_NO_PART) {
            if (call.name.len == 0) {
                gh_hub_tell_broken(s, "a tool call of the backend has no name");
                return;
            }
            part = gh_hub_tell_part(s, call.index < GH_HUB_PARTS_MAX ? (uint32_t) call.index : GH_HUB_PARTS_MAX,
                call.text ? GH_HUB_TEXT_CALL : GH_HUB_TOOL_CALL, call.id, call.name, GH_STR(""));
        }
        gh_hub_tell_delta(s, part, call.text ? GH_HUB_TEXT_CALL : GH_HUB_TOOL_CALL, call.arguments, GH_STR(""));
    }
}

void
chat_event_read(gh_hub_stream_t *s, gh_str_t type, gh_str_t data)
{
    gh_hub_reader_t r;
    gh_hub_error_t  error;
    chunk_t         chunk;
    gh_str_t        text, tokens;
    bool            others;

    if (gh_str_is(gh_str_trim(data), "[DONE]")) {
        gh_hub_tell_end(s);
        return;
    }
    if (s->state.done && data.len > CHAT_LATE_MAX) {
        return;
    }

    memset(&chunk, 0, sizeof(chunk));
    gh_hub_event_reader(s, &r, data);
    if (gh_json_next(&r.json) != GH_JSON_OBJECT_BEGIN || GH_HUB_OBJECT(&r, chunk_fields, &chunk) != GH_OK || gh_json_next(&r.json) != GH_JSON_END) {
        gh_hub_tell_broken(s, "an event of the backend cannot be read");
        return;
    }

    if (s->state.done) {
        if (chunk.usage.data != NULL) {
            gh_hub_usage_read(GH_HUB_CHAT, chunk.usage, &s->usage);
        }
        return;
    }

    if (chunk.error.data != NULL || type.len != 0 || (!chunk.seen && chunk.usage.data == NULL && gh_hub_flat_error(data))) {
        gh_hub_error_read(s->backend, 0, GH_STR(""), data, &error);
        gh_hub_tell_error(s, &error);
        return;
    }

    if (chunk.tier.data != NULL) {
        s->tier = gh_hub_openai_tier(chunk.tier);
    }
    gh_hub_tell_start(s, chunk.id, chunk.model, chat_seconds(s->begun ? (gh_str_t) { NULL, 0 } : chunk.created));

    if (chunk.index.data == NULL || gh_str_is(chunk.index, "0")) {
        text = chunk.reasoning_content.len != 0 ? chunk.reasoning_content : chunk.reasoning;
        if (chunk.details.data != NULL) {
            tell_details(s, chunk.details, text);
        } else {
            tell_text(s, GH_HUB_REASONING, text, GH_STR(""));
        }
        /* of which tokens they are is not said: where the chunk has others than its text's, they may be those */
        others = text.len != 0 || gh_hub_elements(chunk.details).len != 0 || gh_hub_elements(chunk.calls).len != 0;
        tokens = others ? GH_STR("") : gh_hub_elements(chunk.tokens);
        if (chunk.parts.data != NULL) {
            tell_parts(s, chunk.parts, tokens);
        } else {
            tell_text(s, GH_HUB_TEXT, chunk.content, tokens);
        }
        if (chunk.annotations.data != NULL) {
            tell_citations(s, chunk.annotations);
        }
        tell_text(s, GH_HUB_REFUSAL, chunk.refusal, GH_STR(""));
        if (chunk.calls.data != NULL) {
            tell_calls(s, chunk.calls);
        }
        gh_hub_tell_finish(s, chunk.stop_reason.data != NULL && gh_hub_is(chunk.finish, "stop") ? GH_HUB_STOP_SEQUENCE : chat_finish(chunk.finish),
            chunk.stop_reason);
    }

    if (chunk.usage.data != NULL) {
        gh_hub_usage_read(GH_HUB_CHAT, chunk.usage, &s->usage);
    }
}

/* ---- written ---- */

/* {"id":...,"object":...,"created":...,"model":...,"choices":[{"index":0,"delta":{ */
static void
chunk_begin(gh_hub_stream_t *s)
{
    gh_hub_event_begin(s, NULL);
    GH_HUB_PUT(&s->put, "{\"id\":\"");
    gh_hub_put(&s->put, gh_hub_kept(&s->id));
    GH_HUB_PUT(&s->put, "\",\"object\":\"chat.completion.chunk\"");
    gh_hub_put_kv_u64(&s->put, "created", s->created);
    gh_hub_put_kv_string(&s->put, "model", gh_hub_kept(&s->model));
    if (gh_hub_openai_tier_name(s->tier) != NULL) {
        gh_hub_put_kv_string(&s->put, "service_tier", gh_str_from(gh_hub_openai_tier_name(s->tier)));
    }
    GH_HUB_PUT(&s->put, ",\"choices\":[");
}

static void
delta_begin(gh_hub_stream_t *s)
{
    chunk_begin(s);
    GH_HUB_PUT(&s->put, "{\"index\":0,\"delta\":{");
}

static void
delta_end(gh_hub_stream_t *s, gh_str_t logprobs)
{
    GH_HUB_PUT(&s->put, "}");
    if (logprobs.len != 0) {
        GH_HUB_PUT(&s->put, ",\"logprobs\":{\"content\":[");
        gh_hub_put(&s->put, logprobs);
        GH_HUB_PUT(&s->put, "],\"refusal\":null}");
    }
    GH_HUB_PUT(&s->put, ",\"finish_reason\":null}]}");
    gh_hub_event_end(s);
}

static void
put_joined(gh_hub_put_t *p, const char *key, const gh_hub_event_t *event)
{
    gh_hub_put_key(p, key);
    GH_HUB_PUT(p, "\"");
    gh_hub_put(p, event->held);
    gh_hub_put(p, event->text);
    GH_HUB_PUT(p, "\"");
}

/* The text stands there twice: for clients that show it, and, told apart by blocks, for those that send it back with its signature. */
static void
write_reasoning(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    gh_hub_put_t *p = &s->put;

    delta_begin(s);
    if (event->text.len + event->held.len != 0) {
        put_joined(p, "reasoning_content", event);
    }
    gh_hub_put_key(p, "reasoning_details");
    GH_HUB_PUT(p, "[{\"type\":\"reasoning.text\"");
    if (event->text.len + event->held.len != 0) {
        put_joined(p, "text", event);
    }
    if (event->signature.len != 0) {
        gh_hub_put_kv_string(p, "signature", event->signature);
    }
    gh_hub_put_kv_u64(p, "index", event->part);
    GH_HUB_PUT(p, "}]");
    delta_end(s, GH_STR(""));
}

static void
write_part(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    gh_hub_put_t *p = &s->put;

    if (event->kind == GH_HUB_TOOL_CALL || event->kind == GH_HUB_TEXT_CALL) {
        s->call_of[event->part] = s->calls++;
        delta_begin(s);
        GH_HUB_PUT(p, "\"tool_calls\":[{");
        gh_hub_put_kv_u64(p, "index", s->call_of[event->part]);
        gh_hub_put_kv_string(p, "id", event->id);
        gh_hub_put(p, event->kind == GH_HUB_TOOL_CALL ? GH_STR(",\"type\":\"function\",\"function\":{") : GH_STR(",\"type\":\"custom\",\"custom\":{"));
        gh_hub_put_kv_string(p, "name", event->name);
        gh_hub_put_kv_string(p, event->kind == GH_HUB_TOOL_CALL ? "arguments" : "input", GH_STR(""));
        GH_HUB_PUT(p, "}}]");
        delta_end(s, GH_STR(""));
    } else if (event->kind == GH_HUB_REDACTED) {
        delta_begin(s);
        GH_HUB_PUT(p, "\"reasoning_details\":[{\"type\":\"reasoning.encrypted\"");
        gh_hub_put_kv_string(p, "data", event->text);
        gh_hub_put_kv_u64(p, "index", event->part);
        GH_HUB_PUT(p, "}]");
        delta_end(s, GH_STR(""));
    }
}

static void
write_delta(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    gh_hub_put_t *p = &s->put;

    switch (event->kind) {

    case GH_HUB_REASONING:
        write_reasoning(s, event);
        return;

    case GH_HUB_TOOL_CALL:
    case GH_HUB_TEXT_CALL:
        delta_begin(s);
        GH_HUB_PUT(p, "\"tool_calls\":[{");
        gh_hub_put_kv_u64(p, "index", s->call_of[event->part]);
        gh_hub_put(p, event->kind == GH_HUB_TOOL_CALL ? GH_STR(",\"function\":{") : GH_STR(",\"custom\":{"));
        put_joined(p, event->kind == GH_HUB_TOOL_CALL ? "arguments" : "input", event);
        GH_HUB_PUT(p, "}}]");
        break;

    default:
        delta_begin(s);
        put_joined(p, event->kind == GH_HUB_REFUSAL ? "refusal" : "content", event);
        break;
    }

    delta_end(s, event->logprobs);
}

static void
write_citation(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    if (!gh_hub_is_page(event->citation)) {
        return;
    }

    delta_begin(s);
    GH_HUB_PUT(&s->put, "\"annotations\":[");
    chat_put_citation(&s->put, event->citation, s->before, s->chars - s->before);
    GH_HUB_PUT(&s->put, "]");
    delta_end(s, GH_STR(""));
}

static void
write_end(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    if (s->reply.include_usage && event->usage.reported) {
        chunk_begin(s);
        GH_HUB_PUT(&s->put, "]");
        gh_hub_put_key(&s->put, "usage");
        gh_hub_put_openai_usage(&s->put, &event->usage);
        GH_HUB_PUT(&s->put, "}");
        gh_hub_event_end(s);
    }

    gh_hub_event_begin(s, NULL);
    GH_HUB_PUT(&s->put, "[DONE]");
    gh_hub_event_end(s);
}

void
chat_event_write(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    switch (event->type) {

    case GH_HUB_EVENT_START:
        delta_begin(s);
        GH_HUB_PUT(&s->put, "\"role\":\"assistant\",\"content\":\"\"");
        delta_end(s, GH_STR(""));
        break;

    case GH_HUB_EVENT_PART:
        write_part(s, event);
        break;

    case GH_HUB_EVENT_DELTA:
        write_delta(s, event);
        break;

    case GH_HUB_EVENT_CITATION:
        write_citation(s, event);
        break;

    case GH_HUB_EVENT_FINISH:
        chunk_begin(s);
        GH_HUB_PUT(&s->put, "{\"index\":0,\"delta\":{}");
        gh_hub_put_kv_string(&s->put, "finish_reason", chat_finish_name(event->finish));
        GH_HUB_PUT(&s->put, "}]}");
        gh_hub_event_end(s);
        break;

    case GH_HUB_EVENT_END:
        write_end(s, event);
        break;

    case GH_HUB_EVENT_ERROR:
        gh_hub_event_begin(s, NULL);
        chat_error_write(&s->put, &event->error, GH_STR(""));
        gh_hub_event_end(s);
        break;

    case GH_HUB_EVENT_PING:
        GH_HUB_PUT(&s->put, ":\n\n");
        break;

    default:
        break;
    }
}
