/* Anthropic Messages, answers and streams. Source: anthropic-sdk-python's anthropic/types and anthropic/_streaming.py. */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/messages.h"

static const struct {
    const char *name;
    uint8_t     finish;
} reasons[] = {
    { "end_turn", GH_HUB_STOP }, { "tool_use", GH_HUB_TOOL_CALLS }, { "max_tokens", GH_HUB_LENGTH }, { "stop_sequence", GH_HUB_STOP_SEQUENCE },
    { "pause_turn", GH_HUB_PAUSE }, { "refusal", GH_HUB_REFUSED }, { "refusal", GH_HUB_FILTERED }, { "refusal", GH_HUB_GUARDED },
    { "model_context_window_exceeded", GH_HUB_CONTEXT_LENGTH },
};

static gh_hub_finish_t
finish_read(gh_str_t reason)
{
    size_t i;

    for (i = 0; reason.data != NULL && i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (gh_hub_is(reason, reasons[i].name)) {
            return reasons[i].finish;
        }
    }

    return reason.data != NULL ? GH_HUB_STOP : GH_HUB_FINISH_NONE;
}

static gh_str_t
finish_name(gh_hub_finish_t finish)
{
    size_t i;

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].finish == finish) {
            return gh_str_from(reasons[i].name);
        }
    }

    return GH_STR("end_turn");
}

/* ---- usage, with the service tier in it ---- */

typedef struct {
    gh_str_t tier;
} usage_t;

static const gh_hub_field_t usage_fields[] = {
    GH_HUB_FIELD("service_tier", STRING, GH_ASKS, usage_t, tier),
};

static gh_hub_tier_t
usage_tier(gh_hub_reader_t *r)
{
    usage_t read = { { NULL, 0 } };

    if (gh_json_next(&r->json) != GH_JSON_OBJECT_BEGIN || GH_HUB_OBJECT(r, usage_fields, &read) != GH_OK) {
        return GH_HUB_TIER_UNSAID;
    }

    return gh_hub_is(read.tier, "standard") ? GH_HUB_TIER_DEFAULT : gh_hub_is(read.tier, "priority") ? GH_HUB_TIER_PRIORITY : GH_HUB_TIER_UNSAID;
}

/* The members of a usage object. input is not told again where the client has it already. */
static void
put_usage(gh_hub_put_t *p, const gh_usage_t *usage, gh_hub_tier_t tier)
{
    gh_usage_t whole = gh_hub_usage_whole(usage);

    gh_hub_put_key(p, "usage");
    gh_hub_put_open(p, '{');
    gh_hub_put_kv_u64(p, "input_tokens", gh_hub_usage_fresh(usage));
    gh_hub_put_kv_u64(p, "cache_creation_input_tokens", whole.cache_write);
    gh_hub_put_kv_u64(p, "cache_read_input_tokens", whole.cached);
    gh_hub_put_kv_u64(p, "output_tokens", whole.output);
    if (whole.reasoning != 0) {
        GH_HUB_PUT(p, ",\"output_tokens_details\":{");
        gh_hub_put_kv_u64(p, "thinking_tokens", whole.reasoning);
        GH_HUB_PUT(p, "}");
    }
    if (tier == GH_HUB_TIER_DEFAULT || tier == GH_HUB_TIER_PRIORITY) {
        gh_hub_put_kv_string(p, "service_tier", tier == GH_HUB_TIER_DEFAULT ? GH_STR("standard") : GH_STR("priority"));
    }
    gh_hub_put_close(p, '}');
}

static void
put_stop_sequence(gh_hub_put_t *p, gh_str_t stop_sequence)
{
    gh_hub_put_key(p, "stop_sequence");
    if (stop_sequence.data != NULL) {
        gh_hub_put_string(p, stop_sequence);
    } else {
        GH_HUB_PUT(p, "null");
    }
}

/* ---- answers ---- */

typedef struct {
    gh_str_t       id, model, stop_reason, stop_sequence, usage, guardrail;
    gh_hub_part_t *content;
} answer_t;

static int
read_content(gh_hub_reader_t *r, void *object)
{
    return messages_content_read(r, &((answer_t *) object)->content);
}

static const gh_hub_field_t answer_fields[] = {
    GH_HUB_FIELD("id", STRING, GH_ASKS, answer_t, id),
    GH_HUB_FIELD("model", STRING, GH_ASKS, answer_t, model),
    GH_HUB_READS("content", read_content),
    GH_HUB_FIELD("stop_reason", STRING, GH_ASKS, answer_t, stop_reason),
    GH_HUB_FIELD("stop_sequence", STRING, GH_ASKS, answer_t, stop_sequence),
    GH_HUB_FIELD("usage", RAW, GH_ASKS, answer_t, usage),
    GH_HUB_FIELD(GUARDRAIL_ACTION, STRING, GH_ASKS, answer_t, guardrail),
};

int
messages_answer_read(gh_hub_reader_t *r, gh_hub_answer_t *answer)
{
    gh_hub_reader_t usage = *r;
    answer_t        read;

    memset(&read, 0, sizeof(read));
    if (GH_HUB_OBJECT(r, answer_fields, &read) != GH_OK) {
        return GH_ERROR;
    }
    if (read.stop_reason.data == NULL) {
        return gh_error_set(r->error, r->invalid, "an answer without a stop_reason");
    }

    answer->id = read.id;
    answer->model = read.model;
    answer->parts = read.content;
    answer->finish = gh_hub_is(read.guardrail, "INTERVENED") ? GH_HUB_GUARDED : finish_read(read.stop_reason);
    answer->stop_sequence = read.stop_sequence;
    if (read.usage.data != NULL) {
        gh_hub_usage_read(GH_HUB_MESSAGES, read.usage, &answer->usage);
        gh_json_reader_init(&usage.json, read.usage, 0);
        answer->tier = usage_tier(&usage);
    }

    return GH_OK;
}

void
messages_answer_write(gh_hub_put_t *p, const gh_hub_answer_t *answer, const gh_hub_reply_t *reply)
{
    const gh_hub_part_t *part;

    gh_hub_put_open(p, '{');
    if (answer->id.len != 0) {
        gh_hub_put_kv_string(p, "id", answer->id);
    } else {
        gh_hub_put_kv_text(p, "id", reply->id);
    }
    GH_HUB_PUT(p, ",\"type\":\"message\",\"role\":\"assistant\"");
    if (answer->model.len != 0) {
        gh_hub_put_kv_string(p, "model", answer->model);
    } else {
        gh_hub_put_kv_text(p, "model", reply->model);
    }

    gh_hub_put_key(p, "content");
    gh_hub_put_open(p, '[');
    for (part = answer->parts; part != NULL; part = part->next) {
        if ((part->kind != GH_HUB_TEXT && part->kind != GH_HUB_REFUSAL) || part->text.len != 0) {
            messages_put_part(p, part, GH_HUB_WRITES_CITED);
        }
    }
    gh_hub_put_close(p, ']');

    gh_hub_put_kv_string(p, "stop_reason", finish_name(answer->finish));
    put_stop_sequence(p, answer->stop_sequence);
    put_usage(p, &answer->usage, answer->tier);
    gh_hub_put_close(p, '}');
}

void
messages_error_write(gh_hub_put_t *p, const gh_hub_error_t *error, gh_str_t request_id)
{
    static const char *const types[GH_HUB_FAILURES] = {
        "invalid_request_error", "authentication_error", "permission_error", "not_found_error", "request_too_large", "rate_limit_error",
        "timeout_error", "api_error", "overloaded_error"
    };

    GH_HUB_PUT(p, "{\"type\":\"error\",\"error\":{");
    gh_hub_put_kv_string(p, "type", gh_str_from(types[error->failure]));
    gh_hub_put_key(p, "message");
    GH_HUB_PUT(p, "\"");
    if (gh_str_is(error->code, "context_length_exceeded") && (error->message.len < 18 || memcmp(error->message.data, "prompt is too long", 18) != 0)) {
        GH_HUB_PUT(p, "prompt is too long: ");
    }
    gh_hub_put(p, error->message);
    GH_HUB_PUT(p, "\"}");
    if (request_id.len != 0) {
        gh_hub_put_kv_text(p, "request_id", request_id);
    }
    GH_HUB_PUT(p, "}");
}

/* ---- streams, read ---- */

/* All that an event of any type holds. */
typedef struct {
    gh_str_t type, message_id, model, usage;
    uint64_t index;
    gh_str_t block_type, id, name, data;                  /* of content_block */
    gh_str_t text, thinking, signature, partial_json;     /* of content_block and delta */
    gh_str_t stop_reason, stop_sequence;
    gh_str_t guardrail;                                   /* of Bedrock, in any event */
    gh_str_t citation, citations;                         /* raw: of delta, of content_block */
} event_t;

static const gh_hub_field_t message_fields[] = {
    GH_HUB_FIELD("id", STRING, GH_ASKS, event_t, message_id),
    GH_HUB_FIELD("model", STRING, GH_ASKS, event_t, model),
    GH_HUB_FIELD("usage", RAW, GH_ASKS, event_t, usage),
};

static int
read_message(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, message_fields, object);
}

static const gh_hub_field_t block_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, event_t, block_type),
    GH_HUB_FIELD("id", STRING, GH_ASKS, event_t, id),
    GH_HUB_FIELD("name", STRING, GH_ASKS, event_t, name),
    GH_HUB_FIELD("data", STRING, GH_ASKS, event_t, data),
    GH_HUB_FIELD("text", STRING, GH_ASKS, event_t, text),
    GH_HUB_FIELD("thinking", STRING, GH_ASKS, event_t, thinking),
    GH_HUB_FIELD("signature", STRING, GH_ASKS, event_t, signature),
    GH_HUB_FIELD("citations", RAW, GH_ASKS, event_t, citations),
};

static int
read_block(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, block_fields, object);
}

static const gh_hub_field_t delta_fields[] = {
    GH_HUB_FIELD("text", STRING, GH_ASKS, event_t, text),
    GH_HUB_FIELD("partial_json", STRING, GH_ASKS, event_t, partial_json),
    GH_HUB_FIELD("thinking", STRING, GH_ASKS, event_t, thinking),
    GH_HUB_FIELD("signature", STRING, GH_ASKS, event_t, signature),
    GH_HUB_FIELD("stop_reason", STRING, GH_ASKS, event_t, stop_reason),
    GH_HUB_FIELD("stop_sequence", STRING, GH_ASKS, event_t, stop_sequence),
    GH_HUB_FIELD("citation", RAW, GH_ASKS, event_t, citation),
    GH_HUB_SKIPS("type"),
};

static int
read_delta(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, delta_fields, object);
}

static const gh_hub_field_t event_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, event_t, type),
    GH_HUB_FIELD("index", COUNT, GH_ASKS, event_t, index),
    GH_HUB_READS("delta", read_delta),
    GH_HUB_READS("content_block", read_block),
    GH_HUB_READS("message", read_message),
    GH_HUB_FIELD("usage", RAW, GH_ASKS, event_t, usage),
    GH_HUB_FIELD(GUARDRAIL_ACTION, STRING, GH_ASKS, event_t, guardrail),
};

/* One, of the part that is open. What cannot be read ends the stream, as it would that of an event. */
static bool
tell_citation(gh_hub_stream_t *s, gh_hub_reader_t *r)
{
    gh_hub_citation_t citation;

    if (messages_citation_read(r, &citation) != GH_OK) {
        gh_hub_tell_broken(s, "a citation of the backend cannot be read");
        return false;
    }
    gh_hub_tell_citation(s, &citation);

    return true;
}

static void
tell_citations(gh_hub_stream_t *s, gh_str_t raw)
{
    gh_hub_reader_t r;
    int             status;

    gh_hub_event_reader(s, &r, raw);
    if (gh_json_next(&r.json) == GH_JSON_ARRAY_BEGIN) {
        while (gh_hub_element(&r, &status) && tell_citation(s, &r)) { }
    }
}

/* Blocks of hosted tools have no part: what comes of them is passed over. */
static void
tell_block(gh_hub_stream_t *s, const event_t *event)
{
    uint32_t index = event->index < GH_HUB_PARTS_MAX ? (uint32_t) event->index : GH_HUB_PARTS_MAX, part;

    if (gh_hub_is(event->block_type, "text")) {
        part = gh_hub_tell_part(s, index, GH_HUB_TEXT, GH_STR(""), GH_STR(""), GH_STR(""));
        gh_hub_tell_delta(s, part, GH_HUB_TEXT, event->text, GH_STR(""));
        tell_citations(s, event->citations);
    } else if (gh_hub_is(event->block_type, "tool_use")) {
        gh_hub_tell_part(s, index, GH_HUB_TOOL_CALL, event->id, event->name, GH_STR(""));
    } else if (gh_hub_is(event->block_type, "thinking")) {
        part = gh_hub_tell_part(s, index, GH_HUB_REASONING, GH_STR(""), GH_STR(""), GH_STR(""));
        gh_hub_tell_delta(s, part, GH_HUB_REASONING, event->thinking, event->signature);
    } else if (gh_hub_is(event->block_type, "redacted_thinking")) {
        gh_hub_tell_part(s, index, GH_HUB_REDACTED, GH_STR(""), GH_STR(""), event->data);
    } else {
        gh_hub_tell_part_end(s);
    }
}

static void
tell_delta(gh_hub_stream_t *s, const event_t *event)
{
    uint32_t        part = event->index < GH_HUB_PARTS_MAX ? gh_hub_part_at(s, (uint32_t) event->index) : GH_HUB_NO_PART;
    gh_hub_reader_t r;

    gh_hub_tell_delta(s, part, GH_HUB_TEXT, event->text, GH_STR(""));
    gh_hub_tell_delta(s, part, GH_HUB_TOOL_CALL, event->partial_json, GH_STR(""));
    gh_hub_tell_delta(s, part, GH_HUB_REASONING, event->thinking, event->signature);
    if (event->citation.data != NULL && part != GH_HUB_NO_PART && part == s->open) {
        gh_hub_event_reader(s, &r, event->citation);
        gh_json_next(&r.json);
        tell_citation(s, &r);
    }
}

void
messages_event_read(gh_hub_stream_t *s, gh_str_t type, gh_str_t data)
{
    gh_hub_reader_t r;
    gh_hub_error_t  error;
    event_t         event;

    memset(&event, 0, sizeof(event));
    gh_hub_event_reader(s, &r, data);
    if (gh_json_next(&r.json) != GH_JSON_OBJECT_BEGIN || GH_HUB_OBJECT(&r, event_fields, &event) != GH_OK || gh_json_next(&r.json) != GH_JSON_END) {
        gh_hub_tell_broken(s, "an event of the backend cannot be read");
        return;
    }

    if (event.usage.data != NULL) {
        gh_hub_usage_read(GH_HUB_MESSAGES, event.usage, &s->usage);
    }

    s->guarded |= gh_hub_is(event.guardrail, "INTERVENED");

    if (gh_hub_is(event.type, "content_block_delta")) {
        tell_delta(s, &event);
    } else if (gh_hub_is(event.type, "content_block_start")) {
        tell_block(s, &event);
    } else if (gh_hub_is(event.type, "content_block_stop")) {
        gh_hub_tell_part_end(s);
    } else if (gh_hub_is(event.type, "message_start")) {
        if (event.usage.data != NULL) {
            gh_hub_event_reader(s, &r, event.usage);
            s->tier = usage_tier(&r);
        }
        gh_hub_tell_start(s, event.message_id, event.model, 0);
    } else if (gh_hub_is(event.type, "message_delta")) {
        gh_hub_tell_finish(s, finish_read(event.stop_reason), event.stop_sequence);
    } else if (gh_hub_is(event.type, "message_stop")) {
        s->finish = s->guarded ? GH_HUB_GUARDED : s->finish;
        gh_hub_tell_end(s);
    } else if (gh_hub_is(event.type, "ping")) {
        gh_hub_tell_ping(s);
    } else if (gh_hub_is(event.type, "error") || type.len != 0) {
        gh_hub_error_read(GH_HUB_MESSAGES, 0, GH_STR(""), data, &error);
        gh_hub_tell_error(s, &error);
    }
}

/* ---- streams, written ---- */

static void
put_joined(gh_hub_put_t *p, const char *key, const gh_hub_event_t *event)
{
    gh_hub_put_key(p, key);
    GH_HUB_PUT(p, "\"");
    gh_hub_put(p, event->held);
    gh_hub_put(p, event->text);
    GH_HUB_PUT(p, "\"");
}

static void
write_start(gh_hub_stream_t *s)
{
    gh_hub_put_t *p = &s->put;

    gh_hub_event_begin(s, "message_start");
    GH_HUB_PUT(p, "{\"type\":\"message_start\",\"message\":{");
    gh_hub_put_kv_string(p, "id", gh_hub_kept(&s->id));
    GH_HUB_PUT(p, ",\"type\":\"message\",\"role\":\"assistant\"");
    gh_hub_put_kv_string(p, "model", gh_hub_kept(&s->model));
    GH_HUB_PUT(p, ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null");
    put_usage(p, &s->usage, s->tier);
    GH_HUB_PUT(p, "}}");
    gh_hub_event_end(s);
}

static void
write_part(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    gh_hub_put_t *p = &s->put;

    gh_hub_event_begin(s, "content_block_start");
    GH_HUB_PUT(p, "{\"type\":\"content_block_start\"");
    gh_hub_put_kv_u64(p, "index", event->part);
    GH_HUB_PUT(p, ",\"content_block\":{");

    switch (event->kind) {
    case GH_HUB_TOOL_CALL:
        GH_HUB_PUT(p, "\"type\":\"tool_use\"");
        gh_hub_put_kv_call_id(p, "id", event->id);
        gh_hub_put_kv_string(p, "name", event->name);
        GH_HUB_PUT(p, ",\"input\":{}");
        break;
    case GH_HUB_REASONING:
        GH_HUB_PUT(p, "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"");
        break;
    case GH_HUB_REDACTED:
        GH_HUB_PUT(p, "\"type\":\"redacted_thinking\"");
        gh_hub_put_kv_string(p, "data", event->text);
        break;
    default:
        GH_HUB_PUT(p, "\"type\":\"text\",\"text\":\"\"");
        break;
    }

    GH_HUB_PUT(p, "}}");
    gh_hub_event_end(s);
}

static void
delta_begin(gh_hub_stream_t *s, uint32_t part, const char *type)
{
    gh_hub_event_begin(s, "content_block_delta");
    GH_HUB_PUT(&s->put, "{\"type\":\"content_block_delta\"");
    gh_hub_put_kv_u64(&s->put, "index", part);
    GH_HUB_PUT(&s->put, ",\"delta\":{");
    gh_hub_put_kv_string(&s->put, "type", gh_str_from(type));
}

static void
write_delta(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    static const char *const types[] = { [GH_HUB_TOOL_CALL] = "input_json_delta", [GH_HUB_REASONING] = "thinking_delta" };
    static const char *const keys[] = { [GH_HUB_TOOL_CALL] = "partial_json", [GH_HUB_REASONING] = "thinking" };
    bool                     plain = event->kind != GH_HUB_TOOL_CALL && event->kind != GH_HUB_REASONING;

    if (event->text.len + event->held.len != 0) {
        delta_begin(s, event->part, plain ? "text_delta" : types[event->kind]);
        put_joined(&s->put, plain ? "text" : keys[event->kind], event);
        GH_HUB_PUT(&s->put, "}}");
        gh_hub_event_end(s);
    }

    if (event->signature.len != 0) {
        delta_begin(s, event->part, "signature_delta");
        gh_hub_put_kv_string(&s->put, "signature", event->signature);
        GH_HUB_PUT(&s->put, "}}");
        gh_hub_event_end(s);
    }
}

void
messages_put_guardrail(gh_hub_put_t *p, gh_hub_finish_t finish)
{
    if (finish == GH_HUB_GUARDED) {
        gh_hub_put_kv_string(p, GUARDRAIL_ACTION, GH_STR("INTERVENED"));
    }
}

/* Bedrock's own counts stand in the last event. */
void
gh_hub_put_metrics(gh_hub_put_t *p, const gh_usage_t *usage, uint64_t latency_ms)
{
    GH_HUB_PUT(p, ",\"amazon-bedrock-invocationMetrics\":{");
    gh_hub_put_kv_u64(p, "inputTokenCount", gh_hub_usage_fresh(usage));
    gh_hub_put_kv_u64(p, "outputTokenCount", gh_hub_usage_whole(usage).output);
    gh_hub_put_kv_u64(p, "invocationLatency", latency_ms);
    GH_HUB_PUT(p, "}");
}

/* What the answer ended with waits until usage is known. */
static void
write_end(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    gh_hub_put_t *p = &s->put;

    gh_hub_event_begin(s, "message_delta");
    GH_HUB_PUT(p, "{\"type\":\"message_delta\",\"delta\":{");
    gh_hub_put_kv_string(p, "stop_reason", finish_name(event->finish));
    put_stop_sequence(p, s->stop_sequence.len != 0 ? gh_hub_kept(&s->stop_sequence) : (gh_str_t) { NULL, 0 });
    GH_HUB_PUT(p, "}");
    put_usage(p, &event->usage, GH_HUB_TIER_UNSAID);    /* its type has none there */
    GH_HUB_PUT(p, "}");
    gh_hub_event_end(s);

    gh_hub_event_begin(s, "message_stop");
    GH_HUB_PUT(p, "{\"type\":\"message_stop\"");
    if (s->client == GH_HUB_INVOKE) {
        messages_put_guardrail(p, event->finish);
        gh_hub_put_metrics(p, &event->usage, s->reply.latency_ms);
    }
    GH_HUB_PUT(p, "}");
    gh_hub_event_end(s);
}

void
messages_event_write(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    switch (event->type) {

    case GH_HUB_EVENT_START:
        write_start(s);
        break;

    case GH_HUB_EVENT_PART:
        write_part(s, event);
        break;

    case GH_HUB_EVENT_DELTA:
        write_delta(s, event);
        break;

    case GH_HUB_EVENT_CITATION:
        delta_begin(s, event->part, "citations_delta");
        gh_hub_put_key(&s->put, "citation");
        messages_put_citation(&s->put, event->citation);
        GH_HUB_PUT(&s->put, "}}");
        gh_hub_event_end(s);
        break;

    case GH_HUB_EVENT_PART_END:
        gh_hub_event_begin(s, "content_block_stop");
        GH_HUB_PUT(&s->put, "{\"type\":\"content_block_stop\"");
        gh_hub_put_kv_u64(&s->put, "index", event->part);
        GH_HUB_PUT(&s->put, "}");
        gh_hub_event_end(s);
        break;

    case GH_HUB_EVENT_END:
        write_end(s, event);
        break;

    case GH_HUB_EVENT_ERROR:
        gh_hub_event_begin(s, "error");
        messages_error_write(&s->put, &event->error, GH_STR(""));
        gh_hub_event_end(s);
        break;

    case GH_HUB_EVENT_PING:
        gh_hub_event_begin(s, "ping");
        GH_HUB_PUT(&s->put, "{\"type\":\"ping\"}");
        gh_hub_event_end(s);
        break;

    default:
        break;
    }
}
