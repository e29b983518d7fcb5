/*
 * OpenAI Responses, streams. Source: openai-python's openai/types/responses/response_*_event.py.
 *
 * Its last events repeat what the deltas said, so that what is written is kept until the end: `items` those that are done, `text` the one that is open,
 * both bounded. Each part is one item of the output with one content.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/hub/chat.h"
#include "ngx_module/wire/hub/responses.h"

/* ---- read ---- */

/* All that an event of any type holds. */
typedef struct {
    gh_str_t type, delta, error, code, message;
    uint64_t index;
    gh_str_t item_type, call_id, name, encrypted, item_id;                      /* of item */
    gh_str_t id, model, created, status, reason, usage, response_error, filters, tier;    /* of response */
    gh_str_t logprobs, annotation;
} event_t;

static const gh_hub_field_t item_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, event_t, item_type),
    GH_HUB_FIELD("id", STRING, GH_ASKS, event_t, item_id),
    GH_HUB_FIELD("call_id", STRING, GH_ASKS, event_t, call_id),
    GH_HUB_FIELD("name", STRING, GH_ASKS, event_t, name),
    GH_HUB_FIELD("encrypted_content", STRING, GH_ASKS, event_t, encrypted),
};

static int
read_item(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, item_fields, object);
}

static const gh_hub_field_t incomplete_fields[] = {
    GH_HUB_FIELD("reason", STRING, GH_ASKS, event_t, reason),
};

static int
read_incomplete(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, incomplete_fields, object);
}

static const gh_hub_field_t response_fields[] = {
    GH_HUB_FIELD("id", STRING, GH_ASKS, event_t, id),
    GH_HUB_FIELD("model", STRING, GH_ASKS, event_t, model),
    GH_HUB_FIELD("created_at", RAW, GH_ASKS, event_t, created),
    GH_HUB_FIELD("status", STRING, GH_ASKS, event_t, status),
    GH_HUB_READS("incomplete_details", read_incomplete),
    GH_HUB_FIELD("usage", RAW, GH_ASKS, event_t, usage),
    GH_HUB_FIELD("service_tier", STRING, GH_ASKS, event_t, tier),
    GH_HUB_FIELD("error", RAW, GH_ASKS, event_t, response_error),
    GH_HUB_FIELD("content_filters", RAW, GH_ASKS, event_t, filters),
};

static int
read_response(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, response_fields, object);
}

/* A string in text and calls; of other events whatever it is. */
static int
read_delta(gh_hub_reader_t *r, void *object)
{
    gh_str_t raw;

    return r->json.event == GH_JSON_STRING ? gh_hub_string(r, &((event_t *) object)->delta) : gh_hub_raw(r, &raw);
}

static const gh_hub_field_t event_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, event_t, type),
    GH_HUB_READS("delta", read_delta),
    GH_HUB_FIELD("output_index", COUNT, GH_ASKS, event_t, index),
    GH_HUB_READS("item", read_item),
    GH_HUB_READS("response", read_response),
    GH_HUB_FIELD("error", RAW, GH_ASKS, event_t, error),
    GH_HUB_SKIPS("sequence_number"), GH_HUB_SKIPS("item_id"), GH_HUB_SKIPS("content_index"), GH_HUB_SKIPS("obfuscation"),
    GH_HUB_FIELD("logprobs", RAW, GH_ASKS, event_t, logprobs),
    GH_HUB_FIELD("annotation", RAW, GH_ASKS, event_t, annotation),
};

static const struct {
    const char   *type;
    gh_hub_kind_t kind;
} deltas[] = {
    { "response.output_text.delta", GH_HUB_TEXT }, { "response.function_call_arguments.delta", GH_HUB_TOOL_CALL },
    { "response.custom_tool_call_input.delta", GH_HUB_TEXT_CALL },
    { "response.reasoning_text.delta", GH_HUB_REASONING }, { "response.reasoning_summary_text.delta", GH_HUB_REASONING },
    { "response.refusal.delta", GH_HUB_REFUSAL },
};

/* Items of one kind of content begin a part with their first delta, and once more where the kind changes. */
static void
tell_delta(gh_hub_stream_t *s, uint32_t index, gh_hub_kind_t kind, gh_str_t text, gh_str_t tokens)
{
    uint32_t part = gh_hub_part_at(s, index);

    if (kind != GH_HUB_TOOL_CALL && kind != GH_HUB_TEXT_CALL && text.len + tokens.len != 0 && (part == GH_HUB_NO_PART || (part == s->open && kind != s->open_kind))) {
        part = gh_hub_tell_part(s, index, kind, GH_STR(""), GH_STR(""), GH_STR(""));
    }
    if (kind == GH_HUB_TEXT && tokens.len != 0) {
        gh_hub_tell_tokens(s, part, text, tokens);
    } else {
        gh_hub_tell_delta(s, part, kind, text, GH_STR(""));
    }
}

static void
tell_annotation(gh_hub_stream_t *s, uint32_t index, gh_str_t raw)
{
    gh_hub_reader_t   r;
    gh_hub_citation_t citation;

    gh_hub_event_reader(s, &r, raw);
    gh_json_next(&r.json);
    if (responses_annotation_read(&r, &citation) == GH_OK && gh_hub_part_at(s, index) == s->open) {
        gh_hub_tell_citation(s, &citation);
    }
}

static void
tell_item_done(gh_hub_stream_t *s, uint32_t index, const event_t *event)
{
    size_t unused;

    /* of ours, a gateway behind a gateway */
    if (gh_hub_is(event->item_type, "reasoning") && event->encrypted.len != 0) {
        if (gh_hub_starts(event->item_id, RESPONSES_SIGNED, &unused)) {
            gh_hub_tell_delta(s, gh_hub_part_at(s, index), GH_HUB_REASONING, GH_STR(""), event->encrypted);
        } else if (gh_hub_starts(event->item_id, RESPONSES_REDACTED, &unused)) {
            gh_hub_tell_part(s, index, GH_HUB_REDACTED, GH_STR(""), GH_STR(""), event->encrypted);
        }
    }
    gh_hub_tell_part_end(s);
}

static void
tell_end(gh_hub_stream_t *s, const event_t *event)
{
    gh_hub_error_t  error;
    gh_hub_finish_t finish = responses_finish(event->status, event->reason, event->response_error, event->filters);

    if (event->usage.data != NULL) {
        gh_hub_usage_read(GH_HUB_RESPONSES, event->usage, &s->usage);
    }
    if (event->tier.data != NULL) {
        s->tier = gh_hub_openai_tier(event->tier);
    }

    if (finish == GH_HUB_FINISH_NONE && event->response_error.data == NULL) {
        s->failing = true;
        return;
    }
    if (finish == GH_HUB_FINISH_NONE) {
        gh_hub_error_read(GH_HUB_RESPONSES, 0, GH_STR(""), event->response_error, &error);
        gh_hub_tell_error(s, &error);
        return;
    }

    gh_hub_tell_finish(s, finish, (gh_str_t) { NULL, 0 });
    gh_hub_tell_end(s);
}

void
responses_event_read(gh_hub_stream_t *s, gh_str_t type, gh_str_t data)
{
    gh_hub_reader_t r;
    gh_hub_error_t  error;
    event_t         event;
    uint32_t        index;
    size_t          i;

    if (gh_str_is(gh_str_trim(data), "[DONE]")) {
        if (s->failing) {
            gh_hub_tell_failed(s);
        }
        return;    /* some servers send it behind the end; it is none by itself */
    }

    memset(&event, 0, sizeof(event));
    gh_hub_event_reader(s, &r, data);
    if (gh_json_next(&r.json) != GH_JSON_OBJECT_BEGIN || GH_HUB_OBJECT(&r, event_fields, &event) != GH_OK || gh_json_next(&r.json) != GH_JSON_END) {
        gh_hub_tell_broken(s, "an event of the backend cannot be read");
        return;
    }
    if (s->failing && !gh_hub_is(event.type, "error") && event.error.data == NULL) {
        gh_hub_tell_failed(s);
        return;
    }
    index = event.index < GH_HUB_PARTS_MAX ? (uint32_t) event.index : GH_HUB_PARTS_MAX;

    for (i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++) {
        if (gh_hub_is(event.type, deltas[i].type)) {
            tell_delta(s, index, deltas[i].kind, event.delta, deltas[i].kind == GH_HUB_TEXT ? gh_hub_elements(event.logprobs) : GH_STR(""));
            return;
        }
    }

    if (gh_hub_is(event.type, "response.created")) {
        s->tier = gh_hub_openai_tier(event.tier);
        gh_hub_tell_start(s, event.id, event.model, event.created.data != NULL ? strtoull(event.created.data, NULL, 10) : 0);
    } else if (gh_hub_is(event.type, "response.output_item.added")) {
        if (gh_hub_is(event.item_type, "function_call") || gh_hub_is(event.item_type, "custom_tool_call")) {
            gh_hub_tell_part(s, index, gh_hub_is(event.item_type, "function_call") ? GH_HUB_TOOL_CALL : GH_HUB_TEXT_CALL, event.call_id, event.name,
                GH_STR(""));
        }
    } else if (gh_hub_is(event.type, "response.output_text.annotation.added")) {
        tell_annotation(s, index, event.annotation);
    } else if (gh_hub_is(event.type, "response.output_item.done")) {
        tell_item_done(s, index, &event);
    } else if (gh_hub_is(event.type, "response.completed") || gh_hub_is(event.type, "response.incomplete")
               || gh_hub_is(event.type, "response.failed"))
    {
        tell_end(s, &event);
    } else if (gh_hub_is(event.type, "error") || type.len != 0 || event.error.data != NULL) {
        gh_hub_error_read(GH_HUB_RESPONSES, 0, GH_STR(""), data, &error);
        gh_hub_tell_error(s, &error);
    }
}

/* ---- written ---- */

#define ITEM_BYTES 4096    /* of an item's members but text, citations and log probabilities there are less */

typedef struct {
    uint64_t     sequence;
    char         own[RESPONSES_OWN];
    gh_hub_put_t items;        /* raw, with commas between */
    gh_hub_put_t text;         /* escaped: of the open part */
    gh_hub_put_t tokens;       /* raw, with commas between: its log probabilities, all of them or none */
    bool         tokens_full;  /* they are more than what is said again */
    gh_hub_put_t citations;    /* raw, with commas between */
    uint32_t     cited;        /* of them */
    gh_hub_put_t head;         /* ,"call_id":...,"name":... of the open call; escaped signature of open reasoning */
} writer_t;

static writer_t *
writer_of(gh_hub_stream_t *s)
{
    writer_t *w = s->writer;

    if (w == NULL) {
        w = gh_arena_alloc(s->arena, sizeof(writer_t));
        if (w == NULL) {
            s->put.failed = true;
            return NULL;
        }
        gh_hub_put_init(&w->items, s->arena, 0, GH_HUB_EVENT_MAX);
        gh_hub_put_init(&w->text, s->arena, 512, GH_HUB_EVENT_MAX);
        gh_hub_put_init(&w->head, s->arena, 128, GH_HUB_EVENT_MAX);
        gh_hub_put_init(&w->tokens, s->arena, 0, GH_HUB_EVENT_MAX);
        gh_hub_put_init(&w->citations, s->arena, 0, GH_HUB_EVENT_MAX);
        responses_own(s->reply.id, w->own);
        s->writer = w;
    }

    return w;
}

/* {"type":TYPE,"sequence_number":N */
static void
event_begin(gh_hub_stream_t *s, writer_t *w, const char *type)
{
    gh_hub_event_begin(s, type);
    gh_hub_put_open(&s->put, '{');
    gh_hub_put_kv_string(&s->put, "type", gh_str_from(type));
    gh_hub_put_kv_u64(&s->put, "sequence_number", w->sequence++);
}

static void
event_end(gh_hub_stream_t *s)
{
    gh_hub_put_close(&s->put, '}');
    gh_hub_event_end(s);
}

/* ,"item_id":...,"output_index":N,"content_index":0 */
static void
put_where(gh_hub_put_t *p, const char *id, const writer_t *w, uint32_t part, bool content)
{
    gh_hub_put_key(p, "item_id");
    responses_put_item_id(p, id, w->own, part);
    gh_hub_put_kv_u64(p, "output_index", part);
    if (content) {
        GH_HUB_PUT(p, ",\"content_index\":0");
    }
}

/* What the kinds of parts call themselves. */
static const struct {
    const char *id, *part_type, *key, *delta, *done;
    bool        content;      /* it is one content of its item */
} kinds[] = {
    [GH_HUB_TEXT] = { "msg_gh_", "output_text", "text", "response.output_text.delta", "response.output_text.done", true },
    [GH_HUB_REFUSAL] = { "msg_gh_", "refusal", "refusal", "response.refusal.delta", "response.refusal.done", true },
    [GH_HUB_REASONING] = { RESPONSES_SIGNED, "reasoning_text", "text", "response.reasoning_text.delta", "response.reasoning_text.done", true },
    [GH_HUB_REDACTED] = { RESPONSES_REDACTED, NULL, NULL, NULL, NULL, false },
    [GH_HUB_TOOL_CALL] = { "fc_gh_", NULL, "arguments", "response.function_call_arguments.delta", "response.function_call_arguments.done", false },
    [GH_HUB_TEXT_CALL] = { "ctc_gh_", NULL, "input", "response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", false },
};

/* {"type":"output_text","text":TEXT,...}; whole: with what was said beside it. */
static void
put_content(gh_hub_put_t *p, gh_hub_kind_t kind, gh_str_t text, const writer_t *w, bool whole)
{
    gh_hub_put_open(p, '{');
    gh_hub_put_kv_string(p, "type", gh_str_from(kinds[kind].part_type));
    gh_hub_put_kv_string(p, kinds[kind].key, text);
    if (kind == GH_HUB_TEXT) {
        GH_HUB_PUT(p, ",\"annotations\":[");
        gh_hub_put(p, whole ? gh_hub_kept(&w->citations) : GH_STR(""));
        GH_HUB_PUT(p, "],\"logprobs\":[");
        gh_hub_put(p, whole ? gh_hub_kept(&w->tokens) : GH_STR(""));
        GH_HUB_PUT(p, "]");
    }
    gh_hub_put_close(p, '}');
}

/* The item as it begins, or, done, with all that came. */
static void
put_item(gh_hub_put_t *p, gh_hub_kind_t kind, uint32_t part, writer_t *w, bool done)
{
    gh_str_t text = done && w->text.len != 0 ? gh_hub_kept(&w->text) : GH_STR("");

    responses_item_open(p, kind, w->own, part, done ? "completed" : "in_progress");

    switch (kind) {

    case GH_HUB_TOOL_CALL:
    case GH_HUB_TEXT_CALL:
        gh_hub_put(p, gh_hub_kept(&w->head));
        gh_hub_put_kv_string(p, kinds[kind].key, text);
        break;

    case GH_HUB_REDACTED:
        GH_HUB_PUT(p, ",\"summary\":[]");
        gh_hub_put_kv_string(p, "encrypted_content", gh_hub_kept(&w->text));
        break;

    default:
        if (kind == GH_HUB_REASONING) {
            GH_HUB_PUT(p, ",\"summary\":[]");
            if (done && w->head.len != 0) {
                gh_hub_put_kv_string(p, "encrypted_content", gh_hub_kept(&w->head));
            }
        }
        gh_hub_put_key(p, "content");
        gh_hub_put_open(p, '[');
        if (done) {
            put_content(p, kind, text, w, true);
        }
        gh_hub_put_close(p, ']');
        break;
    }

    gh_hub_put_close(p, '}');
}

/* ,"response":{...} */
static void
put_response(gh_hub_stream_t *s, writer_t *w, const gh_hub_event_t *end)
{
    gh_hub_put_t *p = &s->put;

    gh_hub_put_key(p, "response");
    gh_hub_put_open(p, '{');
    gh_hub_put_kv_string(p, "id", gh_hub_kept(&s->id));
    GH_HUB_PUT(p, ",\"object\":\"response\"");
    gh_hub_put_kv_u64(p, "created_at", s->created);
    gh_hub_put_kv_string(p, "model", gh_hub_kept(&s->model));
    if (end != NULL) {
        responses_put_status(p, end->finish);
    } else {
        GH_HUB_PUT(p, ",\"status\":\"in_progress\",\"incomplete_details\":null");
    }
    gh_hub_put_key(p, "output");
    gh_hub_put_open(p, '[');
    gh_hub_put(p, gh_hub_kept(&w->items));
    gh_hub_put_close(p, ']');
    responses_put_rest(p);
    responses_put_tier(p, s->tier);
    if (end != NULL) {
        responses_put_usage(p, &end->usage);
    } else {
        GH_HUB_PUT(p, ",\"usage\":null");
    }
    gh_hub_put_close(p, '}');
}

static void
put_tokens(gh_hub_put_t *p, gh_str_t elements)
{
    GH_HUB_PUT(p, ",\"logprobs\":[");
    gh_hub_put(p, elements);
    GH_HUB_PUT(p, "]");
}

static void
write_part(gh_hub_stream_t *s, writer_t *w, const gh_hub_event_t *event)
{
    gh_hub_put_t *p = &s->put;

    w->text.len = 0;
    w->head.len = 0;
    w->tokens.len = 0;
    w->tokens_full = false;
    w->citations.len = 0;
    w->cited = 0;
    if (event->kind == GH_HUB_TOOL_CALL || event->kind == GH_HUB_TEXT_CALL) {
        GH_HUB_PUT(&w->head, ",\"call_id\":\"");
        gh_hub_put(&w->head, event->id);
        GH_HUB_PUT(&w->head, "\",\"name\":\"");
        gh_hub_put(&w->head, event->name);
        GH_HUB_PUT(&w->head, "\"");
    } else if (event->kind == GH_HUB_REDACTED) {
        gh_hub_put(&w->text, event->text);
    }

    event_begin(s, w, "response.output_item.added");
    gh_hub_put_kv_u64(p, "output_index", event->part);
    gh_hub_put_key(p, "item");
    put_item(p, event->kind, event->part, w, false);
    event_end(s);

    if (kinds[event->kind].content) {
        event_begin(s, w, "response.content_part.added");
        put_where(p, kinds[event->kind].id, w, event->part, true);
        gh_hub_put_key(p, "part");
        put_content(p, event->kind, GH_STR(""), w, false);
        event_end(s);
    }
}

static void
tokens_drop(writer_t *w)
{
    w->tokens.len = 0;
    w->tokens_full = true;
}

/* Log probabilities take many times the text's bytes. Those that are too many to be said again were told in the deltas. */
static void
keep_tokens(writer_t *w, gh_str_t logprobs)
{
    if (logprobs.len == 0 || w->tokens_full) {
        return;
    }
    if (logprobs.len >= GH_HUB_EVENT_MAX - w->tokens.len) {
        tokens_drop(w);
        return;
    }

    gh_hub_put(&w->tokens, w->tokens.len != 0 ? GH_STR(",") : GH_STR(""));
    gh_hub_put(&w->tokens, logprobs);
}

static void
write_delta(gh_hub_stream_t *s, writer_t *w, const gh_hub_event_t *event)
{
    gh_hub_put_t *p = &s->put;

    if (event->part != s->open) {
        /* its item is done, and said all of it */
        gh_hub_tell_broken(s, "the backend went back to an earlier tool call");
        return;
    }

    gh_hub_put(&w->head, event->signature);
    keep_tokens(w, event->logprobs);

    if (event->text.len + event->held.len + event->logprobs.len != 0) {
        gh_hub_put(&w->text, event->held);
        gh_hub_put(&w->text, event->text);

        event_begin(s, w, kinds[event->kind].delta);
        put_where(p, kinds[event->kind].id, w, event->part, kinds[event->kind].content);
        gh_hub_put_key(p, "delta");
        GH_HUB_PUT(p, "\"");
        gh_hub_put(p, event->held);
        gh_hub_put(p, event->text);
        GH_HUB_PUT(p, "\"");
        if (event->kind == GH_HUB_TEXT) {
            put_tokens(p, event->logprobs);
        }
        event_end(s);
    }
}

static void
write_citation(gh_hub_stream_t *s, writer_t *w, const gh_hub_event_t *event)
{
    gh_hub_put_t *p = &s->put;
    uint64_t      all = s->chars - s->before;

    if (!gh_hub_is_page(event->citation)) {
        return;
    }

    responses_put_citation(&w->citations, event->citation, all);

    event_begin(s, w, "response.output_text.annotation.added");
    put_where(p, kinds[GH_HUB_TEXT].id, w, event->part, true);
    gh_hub_put_kv_u64(p, "annotation_index", w->cited++);
    gh_hub_put_key(p, "annotation");
    responses_put_citation(p, event->citation, all);
    event_end(s);
}

static void
write_part_end(gh_hub_stream_t *s, writer_t *w, const gh_hub_event_t *event)
{
    gh_hub_put_t *p = &s->put;
    gh_str_t      text = w->text.len != 0 ? gh_hub_kept(&w->text) : GH_STR("");

    if (w->tokens.len != 0 && w->items.len + w->text.len + w->citations.len + w->tokens.len > GH_HUB_EVENT_MAX - ITEM_BYTES) {
        tokens_drop(w);
    }

    if (kinds[event->kind].done != NULL) {
        event_begin(s, w, kinds[event->kind].done);
        put_where(p, kinds[event->kind].id, w, event->part, kinds[event->kind].content);
        gh_hub_put_kv_string(p, kinds[event->kind].key, text);
        if (event->kind == GH_HUB_TEXT) {
            put_tokens(p, gh_hub_kept(&w->tokens));
        }
        event_end(s);
    }
    if (kinds[event->kind].content) {
        event_begin(s, w, "response.content_part.done");
        put_where(p, kinds[event->kind].id, w, event->part, true);
        gh_hub_put_key(p, "part");
        put_content(p, event->kind, text, w, true);
        event_end(s);
    }

    event_begin(s, w, "response.output_item.done");
    gh_hub_put_kv_u64(p, "output_index", event->part);
    gh_hub_put_key(p, "item");
    put_item(p, event->kind, event->part, w, true);
    event_end(s);

    put_item(&w->items, event->kind, event->part, w, true);
}

/* The members of an error stand in the event itself. */
static void
write_error(gh_hub_stream_t *s, writer_t *w, const gh_hub_error_t *error)
{
    gh_hub_put_t *p = &s->put;

    event_begin(s, w, "error");
    gh_hub_put_kv_string(p, "code", error->code.len != 0 ? error->code : error->failure == GH_HUB_RATE_LIMIT ? GH_STR("rate_limit_exceeded")
        : GH_STR("server_error"));
    gh_hub_put_kv_string(p, "message", error->message);
    gh_hub_put_kv_raw(p, "param", GH_STR("null"));
    event_end(s);
}

void
responses_event_write(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    writer_t *w = writer_of(s), none;

    if (w == NULL) {
        memset(&none, 0, sizeof(none));
        w = &none;    /* only the error is written, and needs none of it */
        if (event->type != GH_HUB_EVENT_ERROR) {
            return;
        }
    }

    switch (event->type) {

    case GH_HUB_EVENT_START:
        event_begin(s, w, "response.created");
        put_response(s, w, NULL);
        event_end(s);
        event_begin(s, w, "response.in_progress");
        put_response(s, w, NULL);
        event_end(s);
        break;

    case GH_HUB_EVENT_PART:
        write_part(s, w, event);
        break;

    case GH_HUB_EVENT_DELTA:
        write_delta(s, w, event);
        break;

    case GH_HUB_EVENT_CITATION:
        write_citation(s, w, event);
        break;

    case GH_HUB_EVENT_PART_END:
        write_part_end(s, w, event);
        break;

    case GH_HUB_EVENT_END:
        event_begin(s, w, event->finish == GH_HUB_STOP || event->finish == GH_HUB_STOP_SEQUENCE || event->finish == GH_HUB_TOOL_CALLS
            || event->finish == GH_HUB_PAUSE ? "response.completed" : "response.incomplete");
        put_response(s, w, event);
        event_end(s);
        break;

    case GH_HUB_EVENT_ERROR:
        write_error(s, w, &event->error);
        return;

    case GH_HUB_EVENT_PING:
        GH_HUB_PUT(&s->put, ":\n\n");
        break;

    default:
        break;
    }

    s->put.failed |= w->items.failed || w->text.failed || w->head.failed || w->tokens.failed || w->citations.failed;
}
