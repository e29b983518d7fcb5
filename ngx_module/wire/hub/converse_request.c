/* Bedrock Converse, requests as they are read but for their blocks. Model and streaming are said by the path. */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/converse.h"

static int
read_content(gh_hub_reader_t *r, void *object)
{
    return converse_content_read(r, &((gh_hub_turn_t *) object)->content);
}

static const gh_hub_field_t message_fields[] = {
    GH_HUB_FIELD("role", STRING, GH_ASKS, gh_hub_turn_t, role),
    GH_HUB_READS("content", read_content),
};

static int
read_messages(gh_hub_reader_t *r, void *object)
{
    return gh_hub_read_turns(r, object, message_fields, sizeof(message_fields) / sizeof(message_fields[0]));
}

static int
read_system(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_hub_message_t *message = gh_hub_new(r, sizeof(gh_hub_message_t));

    if (message == NULL || converse_content_read(r, &message->parts) != GH_OK) {
        return GH_ERROR;
    }

    if (message->parts != NULL) {
        message->role = GH_HUB_SYSTEM;
        message->next = request->messages;
        request->messages = message;
    }

    return GH_OK;
}

static const gh_hub_field_t inference_fields[] = {
    GH_HUB_FIELD("maxTokens", COUNT, GH_ASK_MAX_TOKENS, gh_hub_request_t, max_tokens),
    GH_HUB_READS("temperature", gh_hub_read_temperature),
    GH_HUB_FIELD("topP", NUMBER, GH_ASK_TOP_P, gh_hub_request_t, top_p),
    GH_HUB_READS("stopSequences", gh_hub_read_stop),
};

static int
read_inference(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, inference_fields, object);
}

/* ---- tools ---- */

static const gh_hub_field_t schema_fields[] = {
    GH_HUB_FIELD("json", RAW, GH_ASKS, gh_hub_tool_t, schema),
};

static int
read_schema(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, schema_fields, object);
}

static const gh_hub_field_t spec_fields[] = {
    GH_HUB_FIELD("name", STRING, GH_ASKS, gh_hub_tool_t, name),
    GH_HUB_FIELD("description", STRING, GH_ASKS, gh_hub_tool_t, description),
    GH_HUB_READS("inputSchema", read_schema),
    GH_HUB_FIELD("strict", WORD, GH_ASK_TOOL_STRICT, gh_hub_tool_t, strict),
};

static int
read_spec(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, spec_fields, object);
}

static int
read_tool_point(gh_hub_reader_t *r, void *object)
{
    return gh_hub_read_cache(r, &((gh_hub_tool_t *) object)->cache);
}

static const gh_hub_field_t tool_fields[] = {
    GH_HUB_READS("toolSpec", read_spec),
    GH_HUB_READS("cachePoint", read_tool_point),
    GH_HUB_ASKED("systemTool", PRESENT, GH_ASK_HOSTED_TOOL),
};

static int
read_tools(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_hub_tool_t   **tail, *tool, *last = NULL;
    size_t            offset;
    int               status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    /* others may stand in additionalModelRequestFields */
    for (tail = &request->tools; *tail != NULL; tail = &(*tail)->next) { }

    while (gh_hub_element(r, &status)) {
        offset = r->json.token_offset;
        tool = gh_hub_new(r, sizeof(gh_hub_tool_t));
        if (tool == NULL || GH_HUB_EXPECT_OBJECT(r, tool_fields, tool) != GH_OK) {
            return GH_ERROR;
        }

        if (tool->name.data != NULL) {
            gh_hub_ask_at(r, GH_ASK_TOOLS, offset);
            request->values_bytes += tool->schema.len;
            *tail = last = tool;
            tail = &tool->next;
        } else if (last != NULL && tool->cache != GH_HUB_NO_CACHE) {
            last->cache = tool->cache;
        }
    }

    return status;
}

typedef struct {
    gh_hub_choice_t choice;
    gh_str_t        name;
} choice_t;

static const gh_hub_field_t choice_tool_fields[] = {
    GH_HUB_FIELD("name", STRING, GH_ASKS, choice_t, name),
};

static int
read_choice_tool(gh_hub_reader_t *r, void *object)
{
    ((choice_t *) object)->choice = GH_HUB_CHOICE_TOOL;
    return GH_HUB_EXPECT_OBJECT(r, choice_tool_fields, object);
}

static int
read_choice_auto(gh_hub_reader_t *r, void *object)
{
    ((choice_t *) object)->choice = GH_HUB_CHOICE_AUTO;
    return gh_hub_expect_object(r, NULL, 0, NULL);
}

static int
read_choice_any(gh_hub_reader_t *r, void *object)
{
    ((choice_t *) object)->choice = GH_HUB_CHOICE_REQUIRED;
    return gh_hub_expect_object(r, NULL, 0, NULL);
}

static const gh_hub_field_t choice_fields[] = {
    GH_HUB_READS("auto", read_choice_auto),
    GH_HUB_READS("any", read_choice_any),
    GH_HUB_READS("tool", read_choice_tool),
};

static int
read_choice(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    size_t            offset = r->json.token_offset;
    choice_t          read;

    memset(&read, 0, sizeof(read));
    if (GH_HUB_EXPECT_OBJECT(r, choice_fields, &read) != GH_OK) {
        return GH_ERROR;
    }
    if (read.choice == GH_HUB_CHOICE_TOOL && read.name.data == NULL) {
        return gh_hub_invalid(r, "must have a tool with a name");
    }

    request->choice = read.choice;
    request->choice_name = read.name;
    if (read.choice != GH_HUB_CHOICE_UNSAID) {
        gh_hub_ask_at(r, GH_ASK_TOOL_CHOICE, offset);
    }

    return GH_OK;
}

static const gh_hub_field_t tool_config_fields[] = {
    GH_HUB_READS("tools", read_tools),
    GH_HUB_READS("toolChoice", read_choice),
};

static int
read_tool_config(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, tool_config_fields, object);
}

/* ---- the rest ---- */

/* The schema is a string that holds JSON. */
static int
read_answer_schema(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_str_t          escaped;

    if (gh_hub_string(r, &escaped) != GH_OK) {
        return GH_ERROR;
    }

    request->schema = gh_hub_decode(r->arena, escaped);
    if (request->schema.data == NULL) {
        return gh_hub_no_memory(r);
    }
    if (!gh_hub_is_object(request->schema)) {
        return gh_hub_invalid(r, "must be a JSON object, as a string");
    }

    request->values_bytes += request->schema.len;
    gh_hub_ask(r, GH_ASK_JSON_SCHEMA);

    return GH_OK;
}

static const gh_hub_field_t json_schema_fields[] = {
    GH_HUB_READS("schema", read_answer_schema),
    GH_HUB_FIELD("name", STRING, GH_ASKS, gh_hub_request_t, schema_name),
    GH_HUB_FIELD("description", STRING, GH_ASKS, gh_hub_request_t, schema_description),
};

static int
read_json_schema(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, json_schema_fields, object);
}

static const gh_hub_field_t structure_fields[] = {
    GH_HUB_READS("jsonSchema", read_json_schema),
};

static int
read_structure(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, structure_fields, object);
}

static const gh_hub_field_t format_fields[] = {
    GH_HUB_SKIPS("type"),
    GH_HUB_READS("structure", read_structure),
};

static int
read_format(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, format_fields, object);
}

static const gh_hub_field_t output_fields[] = {
    GH_HUB_READS("textFormat", read_format),
    GH_HUB_READS("effort", gh_hub_read_effort),
};

static int
read_output(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, output_fields, object);
}

static int
read_tier_type(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;

    if (r->json.event == GH_JSON_STRING && gh_json_token_is(&r->json, GH_STR("reserved"))) {
        request->tier = GH_HUB_TIER_RESERVED;
        gh_hub_ask(r, GH_ASK_TIER_RESERVED);
        return GH_OK;
    }

    return gh_hub_read_openai_tier(r, object);
}

static const gh_hub_field_t tier_fields[] = {
    GH_HUB_READS("type", read_tier_type),
};

static int
read_tier(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, tier_fields, object);
}

static const gh_hub_field_t body_fields[] = {
    GH_HUB_READS("messages", read_messages),
    GH_HUB_READS("system", read_system),
    GH_HUB_READS("inferenceConfig", read_inference),
    GH_HUB_READS("toolConfig", read_tool_config),
    GH_HUB_READS("outputConfig", read_output),
    GH_HUB_READS("additionalModelRequestFields", converse_model_read),
    GH_HUB_READS("serviceTier", read_tier),
    GH_HUB_READS("guardrailConfig", converse_guardrail_read),
    GH_HUB_ASKED("promptVariables", FILLED, GH_ASK_MODEL_FIELDS),
    GH_HUB_ASKED("additionalModelResponseFieldPaths", FILLED, GH_ASK_MODEL_ANSWER),
    GH_HUB_READS("requestMetadata", converse_labels_read),
    GH_HUB_READS("performanceConfig", converse_performance_read),
};

int
converse_request_read(gh_hub_reader_t *r, gh_hub_request_t *request)
{
    if (GH_HUB_OBJECT(r, body_fields, request) != GH_OK) {
        return GH_ERROR;
    }

    return request->messages != NULL ? GH_OK : gh_error_set(r->error, r->invalid, "messages is missing: it must be an array that is not empty");
}
