/*
 * InvokeModel of Bedrock for Anthropic's models: the bodies of Messages without model and stream, with anthropic_version and anthropic_beta (messages_*.c
 * knows which), streams as chunks of the framing, errors as Bedrock's. Sources: AWS's "Anthropic Claude Messages API", the service model of bedrock-runtime
 * (ResponseStream), anthropic-sdk-python's anthropic/lib/bedrock.
 */
#include "ngx_module/wire/bedrock.h"
#include "ngx_module/wire/hub/converse.h"
#include "ngx_module/wire/hub/messages.h"
#include "ngx_module/wire/ids_walk.h"

/* ---- streams ---- */

void
gh_hub_chunk_out(gh_hub_stream_t *s)
{
    size_t length = GH_BEDROCK_CHUNK_LENGTH(s->put.len);

    s->wrapped.len = 0;
    if (s->put.failed || !gh_hub_put_room(&s->wrapped, length)) {
        s->put.failed = true;
        return;
    }

    s->wrapped.len = gh_bedrock_chunk_write(gh_hub_kept(&s->put), s->wrapped.data);
    if (s->padding.len != 0) {
        s->wrapped.len--;
        gh_hub_put_kv_string(&s->wrapped, "p", s->padding);
        GH_HUB_PUT(&s->wrapped, "}");
    }
    if (s->wrapped.failed) {
        s->wrapped.failed = false;
        s->put.failed = true;
        return;
    }
    if (s->out.message != NULL) {
        s->out.message(s->out.context, "chunk", false, gh_hub_kept(&s->wrapped));
    }
    s->put.len = 0;
}

static void
invoke_event_read(gh_hub_stream_t *s, gh_str_t type, gh_str_t data)
{
    gh_str_t event;

    if (!gh_str_is(type, "chunk")) {
        s->changed = true;    /* none that is known: where ids in it cannot be given out, nobody gets it */
        return;
    }

    s->scratch.len = 0;    /* only streams of bytes have another use for it */
    if (gh_hub_put_room(&s->scratch, data.len) && gh_bedrock_chunk_read(data, s->scratch.data, &event, NULL) == GH_OK) {
        if (s->passes) {
            gh_hub_pass_event(s, event, false);
        } else {
            messages_event_read(s, GH_STR(""), event);
        }
    } else {
        gh_hub_tell_broken(s, "a chunk of the backend cannot be read");
    }
}

static void
invoke_event_write(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    if (event->type == GH_HUB_EVENT_ERROR) {
        s->put.len = 0;
        converse_exception_write(s, event);
    } else {
        messages_event_write(s, event);
    }
}

static void
invoke_answer_write(gh_hub_put_t *p, const gh_hub_answer_t *answer, const gh_hub_reply_t *reply)
{
    messages_answer_write(p, answer, reply);
    if (p->len != 0) {
        p->len--;    /* the object is open again */
        messages_put_guardrail(p, answer->finish);
        gh_hub_put_close(p, '}');
    }
}

const gh_hub_row_t gh_hub_invoke = {
    .traits = { .framed = true, .events_alike = true, .chunks_alike = true, .id_header = "x-amzn-requestid", .limits = GH_QUOTA_OPENAI },
    .asks = {
        GH_MAPS(SYSTEM_LATER), GH_MAPS(DEVELOPER), GH_MAPS(IMAGE_DATA), GH_MAPS(DOCUMENT_PDF), GH_MAPS(DOCUMENT_TEXT), GH_MAPS(DOCUMENT_CONTEXT), GH_MAPS(RESULT_MEDIA),
        GH_MAPS(RESULT_FAILED), GH_MAPS(REASONING_SIGNED), GH_MAPS(REASONING_REDACTED), GH_MAPS(CACHE_POINT), GH_MAPS(TOOLS), GH_MAPS(TOOL_STRICT), GH_MAPS(TOOL_CHOICE),
        GH_MAPS(CLIENT_TOOL), GH_MAPS(TOOL_CHOICE_NONE), GH_MAPS(ALLOWED_TOOLS), GH_MAPS(ONE_CALL), GH_MAPS(JSON_SCHEMA), GH_MAPS(TEMPERATURE), GH_MAPS(TOP_P), GH_MAPS(TOP_K), GH_MAPS(STOP),
        GH_MAPS(STOP_MANY), GH_MAPS(MAX_TOKENS), GH_MAPS(EFFORT), GH_MAPS(EFFORT_BOUNDED), GH_MAPS(EFFORT_MOST), GH_MAPS(EFFORT_NONE), GH_MAPS(THINKING), GH_MAPS(USER), GH_MAPS(USER_LONG), GH_MAPS(TIER_DEFAULT),
        GH_MAPS(TIER_FLEX), GH_MAPS(TIER_PRIORITY), GH_MAPS(TIER_RESERVED), GH_MAPS(CONTEXT_EDITS), GH_MAPS(CONTEXT_KEPT), GH_MAPS(BETA),
        GH_MAPS(REQUEST_METADATA), GH_MAPS(LATENCY), GH_MAPS(GUARDRAIL),
        GH_DROPS(IMAGE_DETAIL), GH_MAPS(DOCUMENT_BLOCKS), GH_MAPS(CITATIONS), GH_MAPS(SEARCH_RESULTS), GH_MAPS(CITED_SOURCE), GH_DROPS(CITED), GH_DROPS(REASONING_UNSIGNED), GH_DROPS(REASONING_ITEM), GH_DROPS(CACHE_HINT), GH_DROPS(CACHE_OPTIONS), GH_DROPS(TOOL_OPTIONS),
        GH_DROPS(METADATA), GH_DROPS(PREDICTION), GH_DROPS(STREAM_PADDING), GH_DROPS(INCLUDE), GH_DROPS(INFERENCE_GEO),
    },
    .request_read = messages_request_read, .request_write = messages_request_write, .answer_read = messages_answer_read,
    .answer_write = invoke_answer_write, .event_read = invoke_event_read, .event_write = invoke_event_write,
    .error_write = converse_error_write, .error_event = "data: ", .overloaded = 503,
    .usage_read = gh_hub_counts_read, .shape = { "content", 3, { "text", "thinking", "input" } }, .chunk_read = gh_chunk_chat,
    .ids = { &gh_ids_message, &gh_ids_message_event }, .kept = { &gh_ids_kept_message, &gh_ids_kept_message_event },
};
