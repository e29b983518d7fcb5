/*
 * OpenAI chat completions, answers. Source: openai-python's openai/types/chat. One choice: more are not asked for across dialects, and others are passed
 * over.
 */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/chat.h"

gh_hub_finish_t
chat_finish(gh_str_t reason)
{
    static const struct {
        const char *name;
        uint8_t     finish;
    } reasons[] = {
        { "stop", GH_HUB_STOP }, { "tool_calls", GH_HUB_TOOL_CALLS }, { "length", GH_HUB_LENGTH }, { "content_filter", GH_HUB_FILTERED },
        { "function_call", GH_HUB_TOOL_CALLS },
    };
    size_t i;

    if (reason.data == NULL) {
        return GH_HUB_FINISH_NONE;
    }

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (gh_hub_is(reason, reasons[i].name)) {
            return reasons[i].finish;
        }
    }

    return GH_HUB_STOP;    /* of servers that have words of their own */
}

void
chat_error_write(gh_hub_put_t *p, const gh_hub_error_t *error, gh_str_t request_id)
{
    gh_str_t code = error->code.len != 0 ? error->code : error->failure == GH_HUB_RATE_LIMIT ? GH_STR("rate_limit_exceeded") : (gh_str_t) { NULL, 0 };
    gh_str_t type = GH_STR("invalid_request_error");

    (void) request_id;    /* a header says it */

    if (error->failure == GH_HUB_PERMISSION) {
        type = GH_STR("permission_error");
    } else if (error->failure == GH_HUB_RATE_LIMIT) {
        type = GH_STR("rate_limit_error");
    } else if (error->failure >= GH_HUB_TIMEOUT) {
        type = GH_STR("api_error");
    }

    GH_HUB_PUT(p, "{\"error\":{\"message\":\"");
    gh_hub_put(p, error->message);
    GH_HUB_PUT(p, "\"");
    gh_hub_put_kv_string(p, "type", type);
    gh_hub_put_key(p, "param");
    if (error->param.len != 0) {
        gh_hub_put_string(p, error->param);
    } else {
        GH_HUB_PUT(p, "null");
    }
    gh_hub_put_key(p, "code");
    if (code.len != 0) {
        gh_hub_put_string(p, code);
    } else {
        GH_HUB_PUT(p, "null");
    }
    GH_HUB_PUT(p, "}}");
}

gh_str_t
chat_finish_name(gh_hub_finish_t finish)
{
    switch (finish) {
    case GH_HUB_LENGTH:
    case GH_HUB_CONTEXT_LENGTH:
        return GH_STR("length");
    case GH_HUB_TOOL_CALLS:
        return GH_STR("tool_calls");
    case GH_HUB_REFUSED:
    case GH_HUB_FILTERED:
    case GH_HUB_GUARDED:
        return GH_STR("content_filter");
    default:
        return GH_STR("stop");
    }
}

/* ---- answers ---- */

typedef struct {
    chat_message_t message;
    size_t         message_at;
    gh_str_t       finish, stop_reason, index, tokens;
    bool           seen;
} choice_t;

static int
read_choice_message(gh_hub_reader_t *r, void *object)
{
    choice_t *choice = object;

    choice->message_at = r->json.token_offset;
    return chat_message_read(r, &choice->message);
}

/* vLLM says which stop sequence it was; null, a token's id or nothing otherwise. */
static int
read_stop_reason(gh_hub_reader_t *r, void *object)
{
    gh_str_t raw;

    return r->json.event == GH_JSON_STRING ? gh_hub_string(r, &((choice_t *) object)->stop_reason) : gh_hub_raw(r, &raw);
}

static const gh_hub_field_t logprobs_fields[] = {
    GH_HUB_FIELD("content", RAW, GH_ASKS, choice_t, tokens),
};

static int
read_logprobs(gh_hub_reader_t *r, void *object)
{
    gh_str_t raw;

    /* some servers have other forms */
    return r->json.event == GH_JSON_OBJECT_BEGIN ? GH_HUB_OBJECT(r, logprobs_fields, object) : gh_hub_raw(r, &raw);
}

static const gh_hub_field_t choice_fields[] = {
    GH_HUB_READS("logprobs", read_logprobs),
    GH_HUB_FIELD("index", NUMBER, GH_ASKS, choice_t, index),
    GH_HUB_READS("message", read_choice_message),
    GH_HUB_FIELD("finish_reason", STRING, GH_ASKS, choice_t, finish),
    GH_HUB_READS("stop_reason", read_stop_reason),
};

typedef struct {
    gh_str_t id, model, created, usage, tier;
    choice_t choice;
} answer_t;

static int
read_choices(gh_hub_reader_t *r, void *object)
{
    answer_t *answer = object;
    gh_str_t  raw;
    int       status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (gh_hub_element(r, &status)) {
        if (answer->choice.seen) {
            if (gh_hub_raw(r, &raw) != GH_OK) {
                return GH_ERROR;
            }
            continue;
        }
        answer->choice.seen = true;
        if (GH_HUB_EXPECT_OBJECT(r, choice_fields, &answer->choice) != GH_OK) {
            return GH_ERROR;
        }
    }

    return status;
}

static const gh_hub_field_t answer_fields[] = {
    GH_HUB_FIELD("id", STRING, GH_ASKS, answer_t, id),
    GH_HUB_FIELD("model", STRING, GH_ASKS, answer_t, model),
    GH_HUB_FIELD("created", RAW, GH_ASKS, answer_t, created),
    GH_HUB_READS("choices", read_choices),
    GH_HUB_FIELD("usage", RAW, GH_ASKS, answer_t, usage),
    GH_HUB_FIELD("service_tier", STRING, GH_ASKS, answer_t, tier),
};

uint64_t
chat_seconds(gh_str_t raw)
{
    gh_json_reader_t r;
    uint64_t         seconds = 0;

    if (raw.data != NULL) {
        gh_json_reader_init(&r, raw, 0);
        gh_json_next(&r);
        (void) gh_json_token_u64(&r, &seconds);
    }

    return seconds;
}

int
chat_answer_read(gh_hub_reader_t *r, gh_hub_answer_t *answer)
{
    gh_hub_part_t *part, *text = NULL;
    answer_t       read;

    memset(&read, 0, sizeof(read));
    if (GH_HUB_OBJECT(r, answer_fields, &read) != GH_OK) {
        return GH_ERROR;
    }
    if (!read.choice.seen || read.choice.finish.data == NULL) {
        return gh_error_set(r->error, r->invalid, "an answer without a choice that has finished");
    }

    answer->id = read.id;
    answer->model = read.model;
    answer->created = chat_seconds(read.created);
    answer->finish = chat_finish(read.choice.finish);
    answer->stop_sequence = read.choice.stop_reason;
    answer->tier = gh_hub_openai_tier(read.tier);
    if (answer->finish == GH_HUB_STOP && read.choice.stop_reason.data != NULL) {
        answer->finish = GH_HUB_STOP_SEQUENCE;
    }
    if (read.usage.data != NULL) {
        gh_hub_usage_read(GH_HUB_CHAT, read.usage, &answer->usage);
    }

    if (chat_message_parts(r, &read.choice.message, read.choice.message_at, &answer->parts) != GH_OK) {
        return GH_ERROR;
    }
    for (part = answer->parts; part != NULL; part = part->next) {
        text = part->kind == GH_HUB_TEXT && text == NULL ? part : text;
    }
    if (text != NULL) {
        text->logprobs = gh_hub_elements(read.choice.tokens);
        text->citations = read.choice.message.citations;
    }
    gh_hub_answer_finish(answer);

    return GH_OK;
}

/* Of all texts, which are one here. */
static void
put_logprobs(gh_hub_put_t *p, const gh_hub_part_t *part)
{
    bool any = false;

    for (; part != NULL; part = part->next) {
        if (part->logprobs.len != 0) {
            gh_hub_put(p, any ? GH_STR(",") : GH_STR(",\"logprobs\":{\"content\":["));
            gh_hub_put(p, part->logprobs);
            any = true;
        }
    }
    gh_hub_put(p, any ? GH_STR("],\"refusal\":null}") : GH_STR(",\"logprobs\":null"));
}

void
chat_answer_write(gh_hub_put_t *p, const gh_hub_answer_t *answer, const gh_hub_reply_t *reply)
{
    gh_hub_put_open(p, '{');
    if (answer->id.len != 0) {
        gh_hub_put_kv_string(p, "id", answer->id);
    } else {
        gh_hub_put_kv_text(p, "id", reply->id);
    }
    GH_HUB_PUT(p, ",\"object\":\"chat.completion\"");
    gh_hub_put_kv_u64(p, "created", answer->created != 0 ? answer->created : reply->created);
    if (answer->model.len != 0) {
        gh_hub_put_kv_string(p, "model", answer->model);
    } else {
        gh_hub_put_kv_text(p, "model", reply->model);
    }
    GH_HUB_PUT(p, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\"");
    chat_put_assistant(p, answer->parts, true, true);
    GH_HUB_PUT(p, "}");
    put_logprobs(p, answer->parts);
    gh_hub_put_kv_string(p, "finish_reason", chat_finish_name(answer->finish));
    GH_HUB_PUT(p, "}]");
    if (gh_hub_openai_tier_name(answer->tier) != NULL) {
        gh_hub_put_kv_string(p, "service_tier", gh_str_from(gh_hub_openai_tier_name(answer->tier)));
    }
    if (answer->usage.reported) {
        gh_hub_put_key(p, "usage");
        gh_hub_put_openai_usage(p, &answer->usage);
    }
    gh_hub_put_close(p, '}');
}
