/* OpenAI Responses, answers, and what answers and streams write alike. Source: openai-python's openai/types/responses/response.py. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/hub/responses.h"
#include "ngx_module/wire/responses.h"
#include "policy/base/hash.h"

gh_hub_finish_t
responses_finish(gh_str_t status, gh_str_t reason, gh_str_t error, gh_str_t filters)
{
    bool failed = gh_hub_is(status, "failed") && error.data == NULL;

    /* Azure says it beside the status, whatever that is */
    if ((failed || gh_hub_is(status, "completed") || gh_hub_is(status, "incomplete")) && gh_responses_blocked(filters)) {
        return GH_HUB_FILTERED;
    }
    if (gh_hub_is(status, "incomplete")) {
        return gh_hub_is(reason, "content_filter") ? GH_HUB_FILTERED : GH_HUB_LENGTH;
    }

    return gh_hub_is(status, "completed") ? GH_HUB_STOP : GH_HUB_FINISH_NONE;
}

/* ---- read ---- */

typedef struct {
    gh_str_t          id, model, created, status, reason, error, filters, usage, tier;
    gh_hub_message_t *messages;
} answer_t;

static int
read_output(gh_hub_reader_t *r, void *object)
{
    return gh_hub_array(r) == GH_OK ? responses_items_read(r, &((answer_t *) object)->messages, true) : GH_ERROR;
}

static const gh_hub_field_t incomplete_fields[] = {
    GH_HUB_FIELD("reason", STRING, GH_ASKS, answer_t, reason),
};

static int
read_incomplete(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, incomplete_fields, object);
}

static const gh_hub_field_t answer_fields[] = {
    GH_HUB_FIELD("id", STRING, GH_ASKS, answer_t, id),
    GH_HUB_FIELD("model", STRING, GH_ASKS, answer_t, model),
    GH_HUB_FIELD("created_at", RAW, GH_ASKS, answer_t, created),
    GH_HUB_FIELD("status", STRING, GH_ASKS, answer_t, status),
    GH_HUB_READS("incomplete_details", read_incomplete),
    GH_HUB_READS("output", read_output),
    GH_HUB_FIELD("usage", RAW, GH_ASKS, answer_t, usage),
    GH_HUB_FIELD("service_tier", STRING, GH_ASKS, answer_t, tier),
    GH_HUB_FIELD("error", RAW, GH_ASKS, answer_t, error),
    GH_HUB_FIELD("content_filters", RAW, GH_ASKS, answer_t, filters),
};

int
responses_answer_read(gh_hub_reader_t *r, gh_hub_answer_t *answer)
{
    answer_t read;

    memset(&read, 0, sizeof(read));
    if (GH_HUB_OBJECT(r, answer_fields, &read) != GH_OK) {
        return GH_ERROR;
    }

    answer->finish = responses_finish(read.status, read.reason, read.error, read.filters);
    if (answer->finish == GH_HUB_FINISH_NONE) {
        return gh_error_set(r->error, r->invalid, "a response that was not completed");
    }

    answer->id = read.id;
    answer->model = read.model;
    answer->created = read.created.data != NULL ? strtoull(read.created.data, NULL, 10) : 0;    /* a digit ends what it reads at the latest at "," */
    answer->parts = read.messages != NULL ? read.messages->parts : NULL;
    if (read.usage.data != NULL) {
        gh_hub_usage_read(GH_HUB_RESPONSES, read.usage, &answer->usage);
    }

    answer->tier = gh_hub_openai_tier(read.tier);
    gh_hub_answer_finish(answer);

    return GH_OK;
}

/* ---- written ---- */

void
responses_put_status(gh_hub_put_t *p, gh_hub_finish_t finish)
{
    switch (finish) {
    case GH_HUB_LENGTH:
    case GH_HUB_CONTEXT_LENGTH:
        GH_HUB_PUT(p, ",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"}");
        break;
    case GH_HUB_FILTERED:
    case GH_HUB_GUARDED:
    case GH_HUB_REFUSED:
        GH_HUB_PUT(p, ",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"}");
        break;
    default:
        GH_HUB_PUT(p, ",\"status\":\"completed\",\"incomplete_details\":null");
        break;
    }
}

void
responses_put_usage(gh_hub_put_t *p, const gh_usage_t *usage)
{
    gh_usage_t whole = gh_hub_usage_whole(usage);

    gh_hub_put_key(p, "usage");
    gh_hub_put_open(p, '{');
    gh_hub_put_kv_u64(p, "input_tokens", whole.input);
    GH_HUB_PUT(p, ",\"input_tokens_details\":{");
    gh_hub_put_kv_u64(p, "cached_tokens", whole.cached);
    gh_hub_put_kv_u64(p, "cache_write_tokens", whole.cache_write);
    GH_HUB_PUT(p, "}");
    gh_hub_put_kv_u64(p, "output_tokens", whole.output);
    GH_HUB_PUT(p, ",\"output_tokens_details\":{");
    gh_hub_put_kv_u64(p, "reasoning_tokens", whole.reasoning);
    GH_HUB_PUT(p, "}");
    gh_hub_put_kv_u64(p, "total_tokens", whole.input + whole.output);
    gh_hub_put_close(p, '}');
}

void
responses_put_tier(gh_hub_put_t *p, gh_hub_tier_t tier)
{
    const char *name = gh_hub_openai_tier_name(tier);

    if (name != NULL) {
        gh_hub_put_kv_string(p, "service_tier", gh_str_from(name));
    }
}

void
responses_put_citation(gh_hub_put_t *p, const gh_hub_citation_t *citation, uint64_t all)
{
    gh_hub_put_open(p, '{');
    GH_HUB_PUT(p, "\"type\":\"url_citation\"");
    gh_hub_put_kv_u64(p, "start_index", citation->start);
    gh_hub_put_kv_u64(p, "end_index", citation->all ? all : citation->end);
    gh_hub_put_kv_string(p, "title", citation->title.data != NULL ? citation->title : GH_STR(""));
    gh_hub_put_kv_string(p, "url", citation->url);
    gh_hub_put_close(p, '}');
}

void
responses_put_rest(gh_hub_put_t *p)
{
    GH_HUB_PUT(p, ",\"error\":null,\"instructions\":null,\"metadata\":{},\"parallel_tool_calls\":true,\"temperature\":null,\"tool_choice\":\"auto\","
        "\"tools\":[],\"top_p\":null,\"store\":false");
}

void
responses_own(gh_str_t reply_id, char own[RESPONSES_OWN])
{
    uint8_t hash[32];

    gh_sha256(reply_id.data, reply_id.len, hash);
    gh_hex(hash, RESPONSES_OWN / 2, own);
}

void
responses_put_item_id(gh_hub_put_t *p, const char *prefix, const char own[RESPONSES_OWN], uint32_t index)
{
    char digits[GH_STR_DIGITS];

    GH_HUB_PUT(p, "\"");
    gh_hub_put(p, gh_str_from(prefix));
    gh_hub_put(p, (gh_str_t) { own, RESPONSES_OWN });
    GH_HUB_PUT(p, "_");
    gh_hub_put(p, gh_str_u64(index, digits));
    GH_HUB_PUT(p, "\"");
}

void
responses_item_open(gh_hub_put_t *p, gh_hub_kind_t kind, const char own[RESPONSES_OWN], uint32_t index, const char *status)
{
    static const char *const types[] = { [GH_HUB_REASONING] = "reasoning", [GH_HUB_REDACTED] = "reasoning", [GH_HUB_TOOL_CALL] = "function_call",
                                         [GH_HUB_TEXT_CALL] = "custom_tool_call" };
    static const char *const ids[] = { [GH_HUB_REASONING] = RESPONSES_SIGNED, [GH_HUB_REDACTED] = RESPONSES_REDACTED, [GH_HUB_TOOL_CALL] = "fc_gh_",
                                       [GH_HUB_TEXT_CALL] = "ctc_gh_" };
    bool                     message = kind == GH_HUB_TEXT || kind == GH_HUB_REFUSAL;

    gh_hub_put_open(p, '{');
    gh_hub_put_kv_string(p, "type", gh_str_from(message ? "message" : types[kind]));
    gh_hub_put_key(p, "id");
    responses_put_item_id(p, message ? "msg_gh_" : ids[kind], own, index);
    gh_hub_put_kv_string(p, "status", gh_str_from(status));
    if (message) {
        GH_HUB_PUT(p, ",\"role\":\"assistant\"");
    }
}

static void
put_item(gh_hub_put_t *p, const gh_hub_part_t *part, const char *own, uint32_t index)
{
    const gh_hub_citation_t *citation;

    responses_item_open(p, part->kind, own, index, "completed");

    switch (part->kind) {

    case GH_HUB_TOOL_CALL:
        gh_hub_put_kv_string(p, "call_id", part->id);
        gh_hub_put_kv_string(p, "name", part->name);
        if (part->arguments.len != 0) {
            gh_hub_put_kv_string(p, "arguments", part->arguments);
        } else {
            gh_hub_put_kv_text(p, "arguments", part->input);
        }
        break;

    case GH_HUB_TEXT_CALL:
        gh_hub_put_kv_string(p, "call_id", part->id);
        gh_hub_put_kv_string(p, "name", part->name);
        gh_hub_put_kv_string(p, "input", part->text);
        break;

    case GH_HUB_REDACTED:
        GH_HUB_PUT(p, ",\"summary\":[]");
        gh_hub_put_kv_string(p, "encrypted_content", part->text);
        break;

    case GH_HUB_REASONING:
        GH_HUB_PUT(p, ",\"summary\":[],\"content\":[{\"type\":\"reasoning_text\"");
        gh_hub_put_kv_string(p, "text", part->text.data != NULL ? part->text : GH_STR(""));
        GH_HUB_PUT(p, "}]");
        if (part->signature.len != 0) {
            gh_hub_put_kv_string(p, "encrypted_content", part->signature);
        }
        break;

    case GH_HUB_REFUSAL:
        GH_HUB_PUT(p, ",\"content\":[{\"type\":\"refusal\"");
        gh_hub_put_kv_string(p, "refusal", part->text);
        GH_HUB_PUT(p, "}]");
        break;

    default:
        GH_HUB_PUT(p, ",\"content\":[{\"type\":\"output_text\"");
        gh_hub_put_kv_string(p, "text", part->text);
        GH_HUB_PUT(p, ",\"annotations\":[");
        for (citation = part->citations; citation != NULL; citation = citation->next) {
            if (gh_hub_is_page(citation)) {
                responses_put_citation(p, citation, citation->all ? gh_hub_chars(part->text) : 0);
            }
        }
        GH_HUB_PUT(p, "],\"logprobs\":[");
        gh_hub_put(p, part->logprobs);
        GH_HUB_PUT(p, "]}]");
        break;
    }

    gh_hub_put_close(p, '}');
}

void
responses_answer_write(gh_hub_put_t *p, const gh_hub_answer_t *answer, const gh_hub_reply_t *reply)
{
    const gh_hub_part_t *part;
    uint32_t             index = 0;
    char                 own[RESPONSES_OWN];

    responses_own(reply->id, own);
    gh_hub_put_open(p, '{');
    if (answer->id.len != 0) {
        gh_hub_put_kv_string(p, "id", answer->id);
    } else {
        gh_hub_put_kv_text(p, "id", reply->id);
    }
    GH_HUB_PUT(p, ",\"object\":\"response\"");
    gh_hub_put_kv_u64(p, "created_at", answer->created != 0 ? answer->created : reply->created);
    responses_put_status(p, answer->finish);
    if (answer->model.len != 0) {
        gh_hub_put_kv_string(p, "model", answer->model);
    } else {
        gh_hub_put_kv_text(p, "model", reply->model);
    }
    gh_hub_put_key(p, "output");
    gh_hub_put_open(p, '[');
    for (part = answer->parts; part != NULL; part = part->next) {
        if ((part->kind != GH_HUB_TEXT && part->kind != GH_HUB_REFUSAL) || part->text.len != 0) {
            put_item(p, part, own, index++);
        }
    }
    gh_hub_put_close(p, ']');
    responses_put_rest(p);
    responses_put_tier(p, answer->tier);
    responses_put_usage(p, &answer->usage);
    gh_hub_put_close(p, '}');
}
