/* Bedrock Converse and ConverseStream, answers and streams. Source: the service model of bedrock-runtime (botocore). */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/converse.h"

static const struct {
    const char *name;
    uint8_t     finish;
} reasons[] = {
    { "end_turn", GH_HUB_STOP }, { "tool_use", GH_HUB_TOOL_CALLS }, { "max_tokens", GH_HUB_LENGTH }, { "stop_sequence", GH_HUB_STOP_SEQUENCE },
    { "content_filtered", GH_HUB_FILTERED }, { "content_filtered", GH_HUB_REFUSED }, { "guardrail_intervened", GH_HUB_GUARDED },
    { "malformed_model_output", GH_HUB_MALFORMED }, { "malformed_tool_use", GH_HUB_MALFORMED },
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

/* ---- the service tier: of requests and answers ---- */

static const char *const tiers[] = { [GH_HUB_TIER_DEFAULT] = "default", [GH_HUB_TIER_FLEX] = "flex", [GH_HUB_TIER_PRIORITY] = "priority",
                                     [GH_HUB_TIER_RESERVED] = "reserved" };

void
converse_put_tier(gh_hub_put_t *p, gh_hub_tier_t tier)
{
    if (tier < sizeof(tiers) / sizeof(tiers[0]) && tiers[tier] != NULL) {
        gh_hub_put_key(p, "serviceTier");
        gh_hub_put_open(p, '{');
        gh_hub_put_kv_string(p, "type", gh_str_from(tiers[tier]));
        gh_hub_put_close(p, '}');
    }
}

static int
read_tier_type(gh_hub_reader_t *r, void *object)
{
    unsigned tier;

    for (tier = 0; tier < sizeof(tiers) / sizeof(tiers[0]); tier++) {
        if (r->json.event == GH_JSON_STRING && tiers[tier] != NULL && gh_hub_is(r->json.token, tiers[tier])) {
            *(gh_hub_tier_t *) object = tier;
        }
    }

    return GH_OK;
}

static const gh_hub_field_t tier_fields[] = {
    GH_HUB_READS("type", read_tier_type),
};

/* ---- usage ---- */

/* usage and metrics, in an open object. */
static void
put_usage(gh_hub_put_t *p, const gh_usage_t *usage, uint64_t latency_ms)
{
    gh_usage_t whole = gh_hub_usage_whole(usage);

    gh_hub_put_key(p, "usage");
    gh_hub_put_open(p, '{');
    gh_hub_put_kv_u64(p, "inputTokens", gh_hub_usage_fresh(usage));
    gh_hub_put_kv_u64(p, "outputTokens", whole.output);
    gh_hub_put_kv_u64(p, "totalTokens", whole.input + whole.output);
    gh_hub_put_kv_u64(p, "cacheReadInputTokens", whole.cached);
    gh_hub_put_kv_u64(p, "cacheWriteInputTokens", whole.cache_write);
    GH_HUB_PUT(p, "},\"metrics\":{");
    gh_hub_put_kv_u64(p, "latencyMs", latency_ms);
    GH_HUB_PUT(p, "}");
}

/* ---- answers ---- */

typedef struct {
    gh_str_t       stop_reason, usage;
    gh_hub_tier_t  tier;
    gh_hub_part_t *content;
} answer_t;

static int
read_tier(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, tier_fields, &((answer_t *) object)->tier);
}

static int
read_content(gh_hub_reader_t *r, void *object)
{
    return converse_content_read(r, &((answer_t *) object)->content);
}

static const gh_hub_field_t message_fields[] = {
    GH_HUB_SKIPS("role"),
    GH_HUB_READS("content", read_content),
};

static int
read_message(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, message_fields, object);
}

static const gh_hub_field_t output_fields[] = {
    GH_HUB_READS("message", read_message),
};

static int
read_output(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, output_fields, object);
}

static const gh_hub_field_t answer_fields[] = {
    GH_HUB_READS("output", read_output),
    GH_HUB_FIELD("stopReason", STRING, GH_ASKS, answer_t, stop_reason),
    GH_HUB_FIELD("usage", RAW, GH_ASKS, answer_t, usage),
    GH_HUB_READS("serviceTier", read_tier),
};

int
converse_answer_read(gh_hub_reader_t *r, gh_hub_answer_t *answer)
{
    answer_t read;

    memset(&read, 0, sizeof(read));
    if (GH_HUB_OBJECT(r, answer_fields, &read) != GH_OK) {
        return GH_ERROR;
    }
    if (read.stop_reason.data == NULL) {
        return gh_error_set(r->error, r->invalid, "an answer without a stopReason");
    }

    answer->parts = read.content;
    answer->finish = finish_read(read.stop_reason);
    answer->tier = read.tier;
    if (read.usage.data != NULL) {
        gh_hub_usage_read(GH_HUB_CONVERSE, read.usage, &answer->usage);
    }

    return GH_OK;
}

void
converse_answer_write(gh_hub_put_t *p, const gh_hub_answer_t *answer, const gh_hub_reply_t *reply)
{
    const gh_hub_part_t *part;

    GH_HUB_PUT(p, "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[");
    for (part = answer->parts; part != NULL; part = part->next) {
        if ((part->kind != GH_HUB_TEXT && part->kind != GH_HUB_REFUSAL) || part->text.len != 0) {
            converse_put_part(p, part, GH_HUB_WRITES_CITED);
        }
    }
    GH_HUB_PUT(p, "]}}");
    gh_hub_put_kv_string(p, "stopReason", finish_name(answer->finish));
    put_usage(p, &answer->usage, reply->latency_ms);
    converse_put_tier(p, answer->tier);
    gh_hub_put_close(p, '}');
}

void
converse_error_write(gh_hub_put_t *p, const gh_hub_error_t *error, gh_str_t request_id)
{
    (void) request_id;    /* a header says it */

    GH_HUB_PUT(p, "{\"message\":\"");
    if (gh_str_is(error->code, "context_length_exceeded")) {
        GH_HUB_PUT(p, "Input is too long: ");
    }
    gh_hub_put(p, error->message);
    GH_HUB_PUT(p, "\"}");
}

/* ---- streams, read ---- */

/* All that an event of any type holds. */
typedef struct {
    uint64_t index;
    bool     call;                                        /* a tool's call begins */
    gh_str_t id, name, hosted;
    gh_str_t text, input, reasoning, signature, redacted;
    bool     cites;
    gh_hub_citation_t citation;
    gh_str_t stop_reason, usage;
    gh_hub_tier_t tier;
} event_t;

static const gh_hub_field_t start_use_fields[] = {
    GH_HUB_FIELD("toolUseId", STRING, GH_ASKS, event_t, id),
    GH_HUB_FIELD("name", STRING, GH_ASKS, event_t, name),
    GH_HUB_FIELD("type", STRING, GH_ASKS, event_t, hosted),
};

static int
read_start_use(gh_hub_reader_t *r, void *object)
{
    ((event_t *) object)->call = true;
    return GH_HUB_EXPECT_OBJECT(r, start_use_fields, object);
}

static const gh_hub_field_t start_fields[] = {
    GH_HUB_READS("toolUse", read_start_use),
};

static int
read_start(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, start_fields, object);
}

static const gh_hub_field_t delta_use_fields[] = {
    GH_HUB_FIELD("input", STRING, GH_ASKS, event_t, input),
};

static int
read_delta_use(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, delta_use_fields, object);
}

static const gh_hub_field_t delta_reasoning_fields[] = {
    GH_HUB_FIELD("text", STRING, GH_ASKS, event_t, reasoning),
    GH_HUB_FIELD("signature", STRING, GH_ASKS, event_t, signature),
    GH_HUB_FIELD("redactedContent", STRING, GH_ASKS, event_t, redacted),
};

static int
read_delta_reasoning(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, delta_reasoning_fields, object);
}

static int
read_delta_citation(gh_hub_reader_t *r, void *object)
{
    ((event_t *) object)->cites = true;
    return converse_citation_read(r, &((event_t *) object)->citation);
}

static const gh_hub_field_t delta_fields[] = {
    GH_HUB_FIELD("text", STRING, GH_ASKS, event_t, text),
    GH_HUB_READS("toolUse", read_delta_use),
    GH_HUB_READS("reasoningContent", read_delta_reasoning),
    GH_HUB_READS("citation", read_delta_citation),
};

static int
read_delta(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, delta_fields, object);
}

static int
read_event_tier(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, tier_fields, &((event_t *) object)->tier);
}

static const gh_hub_field_t event_fields[] = {
    GH_HUB_READS("serviceTier", read_event_tier),
    GH_HUB_FIELD("contentBlockIndex", COUNT, GH_ASKS, event_t, index),
    GH_HUB_READS("delta", read_delta),
    GH_HUB_READS("start", read_start),
    GH_HUB_FIELD("stopReason", STRING, GH_ASKS, event_t, stop_reason),
    GH_HUB_FIELD("usage", RAW, GH_ASKS, event_t, usage),
    GH_HUB_SKIPS("p"), GH_HUB_SKIPS("role"),
};

/* Texts, what they cite, and reasoning begin without saying so. */
static uint32_t
part_of(gh_hub_stream_t *s, uint32_t index, gh_hub_kind_t kind)
{
    uint32_t part = gh_hub_part_at(s, index);

    return part != GH_HUB_NO_PART ? part : gh_hub_tell_part(s, index, kind, GH_STR(""), GH_STR(""), GH_STR(""));
}

static void
tell_delta(gh_hub_stream_t *s, uint32_t index, const event_t *event)
{
    if (event->text.len != 0) {
        gh_hub_tell_delta(s, part_of(s, index, GH_HUB_TEXT), GH_HUB_TEXT, event->text, GH_STR(""));
    } else if (event->reasoning.len != 0 || event->signature.len != 0) {
        gh_hub_tell_delta(s, part_of(s, index, GH_HUB_REASONING), GH_HUB_REASONING, event->reasoning, event->signature);
    } else if (event->cites) {
        if (part_of(s, index, GH_HUB_TEXT) == s->open) {
            gh_hub_tell_citation(s, &event->citation);
        }
    } else if (event->redacted.len != 0) {
        gh_hub_tell_part(s, index, GH_HUB_REDACTED, GH_STR(""), GH_STR(""), event->redacted);
    } else {
        gh_hub_tell_delta(s, gh_hub_part_at(s, index), GH_HUB_TOOL_CALL, event->input, GH_STR(""));
    }
}

void
converse_event_read(gh_hub_stream_t *s, gh_str_t type, gh_str_t data)
{
    gh_hub_reader_t r;
    event_t         event;
    uint32_t        index;

    memset(&event, 0, sizeof(event));
    gh_hub_event_reader(s, &r, data);
    if (gh_json_next(&r.json) != GH_JSON_OBJECT_BEGIN || GH_HUB_OBJECT(&r, event_fields, &event) != GH_OK || gh_json_next(&r.json) != GH_JSON_END) {
        gh_hub_tell_broken(s, "an event of the backend cannot be read");
        return;
    }

    index = event.index < GH_HUB_PARTS_MAX ? (uint32_t) event.index : GH_HUB_PARTS_MAX;

    if (gh_str_is(type, "contentBlockDelta")) {
        tell_delta(s, index, &event);
    } else if (gh_str_is(type, "contentBlockStart")) {
        if (event.call && event.hosted.data == NULL) {
            gh_hub_tell_part(s, index, GH_HUB_TOOL_CALL, event.id, event.name, GH_STR(""));
        }
    } else if (gh_str_is(type, "contentBlockStop")) {
        gh_hub_tell_part_end(s);
    } else if (gh_str_is(type, "messageStop")) {
        gh_hub_tell_finish(s, finish_read(event.stop_reason), (gh_str_t) { NULL, 0 });
    } else if (gh_str_is(type, "metadata")) {
        if (event.usage.data != NULL) {
            gh_hub_usage_read(GH_HUB_CONVERSE, event.usage, &s->usage);
        }
        s->tier = event.tier;
        gh_hub_tell_end(s);
    }
}

/* ---- streams, written ---- */

static void
write_delta(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    gh_hub_put_t *p = &s->put;

    if (event->text.len + event->held.len != 0) {
        GH_HUB_PUT(p, "{\"delta\":{");
        if (event->kind == GH_HUB_TOOL_CALL) {
            GH_HUB_PUT(p, "\"toolUse\":{\"input\":\"");
        } else if (event->kind == GH_HUB_REASONING) {
            GH_HUB_PUT(p, "\"reasoningContent\":{\"text\":\"");
        } else {
            GH_HUB_PUT(p, "\"text\":\"");
        }
        gh_hub_put(p, event->held);
        gh_hub_put(p, event->text);
        if (event->kind == GH_HUB_TOOL_CALL || event->kind == GH_HUB_REASONING) {
            GH_HUB_PUT(p, "\"}}");
        } else {
            GH_HUB_PUT(p, "\"}");
        }
        gh_hub_put_kv_u64(p, "contentBlockIndex", event->part);
        GH_HUB_PUT(p, "}");
        gh_hub_message_out(s, "contentBlockDelta", false);
    }

    if (event->signature.len != 0) {
        GH_HUB_PUT(p, "{\"delta\":{\"reasoningContent\":{");
        gh_hub_put_kv_string(p, "signature", event->signature);
        GH_HUB_PUT(p, "}}");
        gh_hub_put_kv_u64(p, "contentBlockIndex", event->part);
        GH_HUB_PUT(p, "}");
        gh_hub_message_out(s, "contentBlockDelta", false);
    }
}

static void
write_part(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    gh_hub_put_t *p = &s->put;

    if (event->kind == GH_HUB_TOOL_CALL) {
        GH_HUB_PUT(p, "{\"start\":{\"toolUse\":{");
        gh_hub_put_kv_call_id(p, "toolUseId", event->id);
        gh_hub_put_kv_string(p, "name", event->name);
        GH_HUB_PUT(p, "}}");
        gh_hub_put_kv_u64(p, "contentBlockIndex", event->part);
        GH_HUB_PUT(p, "}");
        gh_hub_message_out(s, "contentBlockStart", false);
    } else if (event->kind == GH_HUB_REDACTED) {
        GH_HUB_PUT(p, "{\"delta\":{\"reasoningContent\":{");
        gh_hub_put_kv_string(p, "redactedContent", event->text);
        GH_HUB_PUT(p, "}}");
        gh_hub_put_kv_u64(p, "contentBlockIndex", event->part);
        GH_HUB_PUT(p, "}");
        gh_hub_message_out(s, "contentBlockDelta", false);
    }
}

void
converse_exception_write(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    static const char *const exceptions[GH_HUB_FAILURES] = {
        "validationException", "validationException", "validationException", "validationException", "validationException",
        "throttlingException", "modelStreamErrorException", "internalServerException", "serviceUnavailableException"
    };

    converse_error_write(&s->put, &event->error, GH_STR(""));
    gh_hub_message_out(s, event->error.status == GH_HUB_MODEL_FAILED ? "modelStreamErrorException" : exceptions[event->error.failure], true);
}

void
converse_event_write(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    gh_hub_put_t *p = &s->put;

    switch (event->type) {

    case GH_HUB_EVENT_START:
        GH_HUB_PUT(p, "{\"role\":\"assistant\"}");
        gh_hub_message_out(s, "messageStart", false);
        break;

    case GH_HUB_EVENT_PART:
        write_part(s, event);
        break;

    case GH_HUB_EVENT_DELTA:
        write_delta(s, event);
        break;

    case GH_HUB_EVENT_CITATION:
        GH_HUB_PUT(p, "{\"delta\":{\"citation\":");
        converse_put_citation(p, event->citation);
        GH_HUB_PUT(p, "}");
        gh_hub_put_kv_u64(p, "contentBlockIndex", event->part);
        GH_HUB_PUT(p, "}");
        gh_hub_message_out(s, "contentBlockDelta", false);
        break;

    case GH_HUB_EVENT_PART_END:
        GH_HUB_PUT(p, "{");
        gh_hub_put_kv_u64(p, "contentBlockIndex", event->part);
        GH_HUB_PUT(p, "}");
        gh_hub_message_out(s, "contentBlockStop", false);
        break;

    case GH_HUB_EVENT_END:
        /* the reason waits until then: a guardrail may be told last */
        GH_HUB_PUT(p, "{");
        gh_hub_put_kv_string(p, "stopReason", finish_name(event->finish));
        GH_HUB_PUT(p, "}");
        gh_hub_message_out(s, "messageStop", false);
        GH_HUB_PUT(p, "{");
        put_usage(p, &event->usage, s->reply.latency_ms);
        converse_put_tier(p, s->tier);
        GH_HUB_PUT(p, "}");
        gh_hub_message_out(s, "metadata", false);
        break;

    case GH_HUB_EVENT_ERROR:
        converse_exception_write(s, event);
        break;

    default:
        break;    /* the format has no keep-alive */
    }
}
