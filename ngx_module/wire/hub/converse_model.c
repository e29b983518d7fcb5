/*
 * Bedrock Converse's additionalModelRequestFields: what each provider's models take in words of their own. Sources: AWS's "Model parameters" of Anthropic's models;
 * the Amazon Nova 2 user guide, "Extended thinking" and "Request and response schema"; gpt-oss: its model card on Bedrock.
 */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/converse.h"
#include "ngx_module/wire/hub/messages.h"

/* ---- read ---- */

static int
read_thinking(gh_hub_reader_t *r, void *object)
{
    gh_hub_ask(r, GH_ASK_THINKING);
    return r->json.event == GH_JSON_OBJECT_BEGIN ? gh_hub_raw(r, &((gh_hub_request_t *) object)->thinking) : gh_hub_invalid(r, "must be an object");
}

typedef struct {
    gh_str_t type, effort;
} reasoning_t;

static const gh_hub_field_t reasoning_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, reasoning_t, type),
    GH_HUB_FIELD("maxReasoningEffort", STRING, GH_ASKS, reasoning_t, effort),
};

/* Of Nova. How much it reasons without being told an effort is its own. */
static int
read_reasoning(gh_hub_reader_t *r, void *object)
{
    size_t      offset = r->json.token_offset;
    reasoning_t read;

    memset(&read, 0, sizeof(read));
    if (GH_HUB_EXPECT_OBJECT(r, reasoning_fields, &read) != GH_OK) {
        return GH_ERROR;
    }

    if (read.type.data != NULL && gh_hub_is(read.type, "disabled")) {
        gh_hub_effort(r, object, GH_STR("none"), offset);
    } else if (read.effort.data != NULL && gh_hub_is(read.type, "enabled")) {
        gh_hub_effort(r, object, read.effort, offset);
    } else {
        gh_hub_ask_at(r, GH_ASK_MODEL_FIELDS, offset);
    }

    return GH_OK;
}

static const gh_hub_field_t inference_fields[] = {
    GH_HUB_FIELD("topK", NUMBER, GH_ASK_TOP_K, gh_hub_request_t, top_k),
};

static int
read_inference(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, inference_fields, object);
}

static int
read_top_k(gh_hub_reader_t *r, void *object)
{
    if (r->json.event != GH_JSON_NUMBER) {
        return gh_hub_invalid(r, "must be a number");
    }

    ((gh_hub_request_t *) object)->top_k = r->json.token;
    gh_hub_ask(r, GH_ASK_TOP_K);
    return GH_OK;
}

static const struct {
    const char *name;
    int       (*read)(gh_hub_reader_t *r, void *object);
} model_fields[] = {
    { "top_k", read_top_k }, { "thinking", read_thinking }, { "reasoning_config", read_thinking },
    { "anthropic_beta", gh_hub_read_betas }, { "output_config", messages_output_read }, { "reasoning_effort", gh_hub_read_effort },
    { "tools", messages_tools_read }, { "reasoningConfig", read_reasoning }, { "inferenceConfig", read_inference },
};

#define MODEL_FIELDS (sizeof(model_fields) / sizeof(model_fields[0]))

/* What is not known is any model's own, and no other dialect's. */
int
converse_model_read(gh_hub_reader_t *r, void *object)
{
    gh_str_t raw;
    size_t   offset, i;

    if (r->json.event != GH_JSON_OBJECT_BEGIN) {
        return gh_hub_invalid(r, "must be an object");
    }

    while (gh_json_next(&r->json) == GH_JSON_KEY) {
        offset = r->json.token_offset;
        for (i = 0; i < MODEL_FIELDS && !gh_json_token_is(&r->json, gh_str_from(model_fields[i].name)); i++) { }
        gh_json_next(&r->json);

        if (i < MODEL_FIELDS) {
            if (model_fields[i].read(r, object) != GH_OK) {
                return GH_ERROR;
            }
            continue;
        }

        gh_hub_ask_at(r, GH_ASK_MODEL_FIELDS, offset);
        if (gh_hub_raw(r, &raw) != GH_OK) {
            return GH_ERROR;
        }
    }

    return r->json.event == GH_JSON_OBJECT_END ? GH_OK : gh_hub_invalid(r, "");
}

/* ---- written ---- */

static void
put_nova(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    if (gh_hub_effort_none(request)) {
        gh_hub_put_kv_raw(p, "reasoningConfig", GH_STR("{\"type\":\"disabled\"}"));
    } else if (request->effort.data != NULL) {
        gh_hub_put_key(p, "reasoningConfig");
        gh_hub_put_open(p, '{');
        gh_hub_put_kv_string(p, "type", GH_STR("enabled"));
        gh_hub_put_kv_string(p, "maxReasoningEffort", request->effort);
        gh_hub_put_close(p, '}');
    }
    if (request->top_k.data != NULL) {
        gh_hub_put_key(p, "inferenceConfig");
        gh_hub_put_open(p, '{');
        gh_hub_put_kv_raw(p, "topK", request->top_k);
        gh_hub_put_close(p, '}');
    }
}

void
converse_model_write(gh_hub_put_t *p, const gh_hub_request_t *request, gh_hub_dialect_t target)
{
    size_t begin = p->len, empty;

    gh_hub_put_key(p, "additionalModelRequestFields");
    gh_hub_put_open(p, '{');
    empty = p->len;

    if (target == GH_HUB_CONVERSE_ANTHROPIC) {
        gh_hub_put_kv_raw(p, "top_k", request->top_k);
        messages_put_thinking(p, request);
        gh_hub_put_betas(p, request);
    } else if (target == GH_HUB_CONVERSE_NOVA) {
        put_nova(p, request);
    } else if (target == GH_HUB_CONVERSE_GPT_OSS) {
        gh_hub_put_kv_string(p, "reasoning_effort", request->effort);
    }

    if (p->len == empty) {
        p->len = begin;
    } else {
        gh_hub_put_close(p, '}');
    }
}
