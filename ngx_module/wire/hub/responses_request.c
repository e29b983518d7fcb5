/* OpenAI Responses, requests to create one, but for their items. Source: openai-python's openai/types/responses/response_create_params.py. */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/responses.h"

static int
read_input(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_hub_message_t *message, **tail;
    gh_hub_part_t   **parts;

    if (r->json.event != GH_JSON_STRING) {
        return r->json.event == GH_JSON_ARRAY_BEGIN ? responses_items_read(r, &request->messages, false)
            : gh_hub_invalid(r, "must be a string or an array of items");
    }

    message = gh_hub_new(r, sizeof(gh_hub_message_t));
    if (message == NULL) {
        return GH_ERROR;
    }
    message->role = GH_HUB_USER;
    parts = &message->parts;
    if (gh_hub_part_add(r, &parts, GH_HUB_TEXT) == NULL) {
        return GH_ERROR;
    }
    message->parts->text = r->json.token;

    for (tail = &request->messages; *tail != NULL; tail = &(*tail)->next) { }
    *tail = message;

    return GH_OK;
}

/* In front of all, wherever it stands in the body. */
static int
read_instructions(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_hub_message_t *message = gh_hub_new(r, sizeof(gh_hub_message_t));
    gh_hub_part_t   **parts;

    if (message == NULL) {
        return GH_ERROR;
    }
    parts = &message->parts;
    if (gh_hub_part_add(r, &parts, GH_HUB_TEXT) == NULL || gh_hub_string(r, &message->parts->text) != GH_OK) {
        return GH_ERROR;
    }

    message->role = GH_HUB_SYSTEM;
    message->next = request->messages;
    request->messages = message;

    return GH_OK;
}

/* ---- tools ---- */

/* false is what tools are elsewhere without a word. */
static int
read_strict(gh_hub_reader_t *r, void *object)
{
    if (r->json.event == GH_JSON_TRUE) {
        ((gh_hub_tool_t *) object)->strict = GH_STR("true");
        gh_hub_ask(r, GH_ASK_TOOL_STRICT);
        return GH_OK;
    }

    return r->json.event == GH_JSON_FALSE ? GH_OK : gh_hub_invalid(r, "must be true or false");
}

/* A tool's fields are those of a function; what other types have is unknown, but their type is noted first. */
static int
read_type(gh_hub_reader_t *r, void *object)
{
    gh_str_t type;

    if (gh_hub_string(r, &type) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_hub_is(type, "custom")) {
        ((gh_hub_tool_t *) object)->takes_text = true;
        gh_hub_ask(r, GH_ASK_CUSTOM_TOOL);
    } else if (!gh_hub_is(type, "function")) {
        gh_hub_ask(r, GH_ASK_HOSTED_TOOL);
    }

    return GH_OK;
}

static const gh_hub_field_t text_format_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, gh_hub_tool_t, format),
    GH_HUB_FIELD("definition", STRING, GH_ASKS, gh_hub_tool_t, grammar),
    GH_HUB_FIELD("syntax", STRING, GH_ASKS, gh_hub_tool_t, syntax),
};

static int
read_text_format(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, text_format_fields, object);
}

static const gh_hub_field_t tool_fields[] = {
    GH_HUB_READS("type", read_type),
    GH_HUB_READS("format", read_text_format),
    GH_HUB_FIELD("name", STRING, GH_ASKS, gh_hub_tool_t, name),
    GH_HUB_FIELD("description", STRING, GH_ASKS, gh_hub_tool_t, description),
    GH_HUB_FIELD("parameters", RAW, GH_ASKS, gh_hub_tool_t, schema),
    GH_HUB_READS("strict", read_strict),
    GH_HUB_READS("allowed_callers", gh_hub_read_callers),
    GH_HUB_ASKED("defer_loading", TRUE, GH_ASK_TOOL_DEFERRED),
    GH_HUB_ASKED("output_schema", PRESENT, GH_ASK_TOOL_OPTIONS),
};

static int
read_tools(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_hub_tool_t   **tail = &request->tools, *tool;
    size_t            offset;
    int               status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (gh_hub_element(r, &status)) {
        offset = r->json.token_offset;
        tool = gh_hub_new(r, sizeof(gh_hub_tool_t));
        if (tool == NULL || GH_HUB_EXPECT_OBJECT(r, tool_fields, tool) != GH_OK) {
            return GH_ERROR;
        }
        if (tool->name.data != NULL) {
            if (!tool->takes_text) {
                gh_hub_ask_at(r, GH_ASK_TOOLS, offset);
            }
            request->values_bytes += tool->schema.len;
            *tail = tool;
            tail = &tool->next;
        } else if (!gh_hub_asks(r->request, GH_ASK_HOSTED_TOOL)) {
            return gh_hub_invalid(r, "must have a name");
        }
    }

    return status;
}

typedef struct {
    gh_str_t type, name;
} choice_t;

static const gh_hub_field_t named_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, choice_t, type),
    GH_HUB_FIELD("name", STRING, GH_ASKS, choice_t, name),
};

static int
read_allowed_tools(gh_hub_reader_t *r, void *object)
{
    choice_t named;
    size_t   offset;
    int      status;

    (void) object;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (GH_HUB_OBJECT_ELEMENT(r, named_fields, &named, &offset, &status)) {
        if (named.name.data == NULL || (!gh_hub_is(named.type, "function") && !gh_hub_is(named.type, "custom"))) {
            gh_hub_ask_at(r, GH_ASK_HOSTED_TOOL, offset);
        } else if (gh_hub_allow(r, r->request, named.name) != GH_OK) {
            return GH_ERROR;
        }
    }

    return status;
}

static int
read_mode(gh_hub_reader_t *r, void *object)
{
    (void) object;

    gh_hub_ask(r, GH_ASK_ALLOWED_TOOLS);
    return gh_hub_read_mode(r, r->request);
}

static const gh_hub_field_t choice_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, choice_t, type),
    GH_HUB_FIELD("name", STRING, GH_ASKS, choice_t, name),
    GH_HUB_READS("mode", read_mode),
    GH_HUB_READS("tools", read_allowed_tools),
};

static int
read_choice(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    size_t            offset = r->json.token_offset;
    choice_t          read;

    memset(&read, 0, sizeof(read));
    if (r->json.event == GH_JSON_STRING) {
        read.type = r->json.token;
    } else if (GH_HUB_EXPECT_OBJECT(r, choice_fields, &read) != GH_OK) {
        return GH_ERROR;
    }

    if (gh_hub_is(read.type, "allowed_tools")) {
        if ((!request->some_tools || request->choice == GH_HUB_CHOICE_UNSAID) && !gh_hub_asks(request, GH_ASK_HOSTED_TOOL)) {
            return gh_hub_invalid(r, "must have a mode, and tools");
        }
    } else if (!gh_hub_openai_choice(r, request, offset, read.type, read.name)) {
        gh_hub_ask_at(r, GH_ASK_HOSTED_TOOL, offset);
    }

    return GH_OK;
}

static int
read_parallel(gh_hub_reader_t *r, void *object)
{
    if (r->json.event == GH_JSON_FALSE) {
        ((gh_hub_request_t *) object)->one_call = true;
        gh_hub_ask(r, GH_ASK_ONE_CALL);
        return GH_OK;
    }

    return r->json.event == GH_JSON_TRUE ? GH_OK : gh_hub_invalid(r, "must be true or false");
}

/* ---- the rest ---- */

static int
read_format_type(gh_hub_reader_t *r, void *object)
{
    gh_str_t type;

    if (gh_hub_string(r, &type) != GH_OK) {
        return GH_ERROR;
    }

    if (gh_hub_is(type, "json_object")) {
        ((gh_hub_request_t *) object)->json_object = true;
        gh_hub_ask(r, GH_ASK_JSON_OBJECT);
    } else if (gh_hub_is(type, "json_schema")) {
        gh_hub_ask(r, GH_ASK_JSON_SCHEMA);
    } else if (!gh_hub_is(type, "text")) {
        gh_hub_ask(r, GH_ASK_UNKNOWN);
    }

    return GH_OK;
}

static const gh_hub_field_t format_fields[] = {
    GH_HUB_READS("type", read_format_type),
    GH_HUB_FIELD("name", STRING, GH_ASKS, gh_hub_request_t, schema_name),
    GH_HUB_FIELD("description", STRING, GH_ASKS, gh_hub_request_t, schema_description),
    GH_HUB_FIELD("schema", RAW, GH_ASKS, gh_hub_request_t, schema),
    GH_HUB_FIELD("strict", WORD, GH_ASKS, gh_hub_request_t, schema_strict),
};

static int
read_format(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, format_fields, object);
}

static const gh_hub_field_t text_fields[] = {
    GH_HUB_READS("format", read_format),
    GH_HUB_FIELD("verbosity", STRING, GH_ASK_VERBOSITY, gh_hub_request_t, verbosity),
};

static int
read_text(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;

    if (GH_HUB_EXPECT_OBJECT(r, text_fields, object) != GH_OK) {
        return GH_ERROR;
    }

    request->values_bytes += request->schema.len;
    if (gh_hub_asks(request, GH_ASK_JSON_SCHEMA) && request->schema.data == NULL) {
        request->schema = GH_STR("{}");
    }

    return GH_OK;
}

static const gh_hub_field_t reasoning_fields[] = {
    GH_HUB_READS("effort", gh_hub_read_effort),
    GH_HUB_ASKED("summary", PRESENT, GH_ASK_INCLUDE),
    GH_HUB_ASKED("generate_summary", PRESENT, GH_ASK_INCLUDE),
};

static int
read_reasoning(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, reasoning_fields, object);
}

static const gh_hub_field_t stream_fields[] = {
    GH_HUB_ASKED("include_obfuscation", PRESENT, GH_ASK_STREAM_PADDING),
};

/* What else an answer is to hold. */
static int
read_include(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    size_t            offset = r->json.token_offset;
    int               status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (gh_hub_string_element(r, &status)) {
        if (gh_json_token_is(&r->json, GH_STR(RESPONSES_LOGPROBS))) {
            request->logprobs = true;
            gh_hub_ask(r, GH_ASK_LOGPROBS);
        } else {
            gh_hub_ask_at(r, GH_ASK_INCLUDE, offset);
        }
    }

    return status;
}

static int
read_stream_options(gh_hub_reader_t *r, void *object)
{
    (void) object;
    return GH_HUB_EXPECT_OBJECT(r, stream_fields, NULL);
}

/* store: a response that can be asked for later lives where it was made; by default none is. */
static const gh_hub_field_t body_fields[] = {
    GH_HUB_FIELD("model", STRING, GH_ASKS, gh_hub_request_t, model),
    GH_HUB_READS("input", read_input),
    GH_HUB_READS("instructions", read_instructions),
    GH_HUB_FIELD("max_output_tokens", COUNT, GH_ASK_MAX_TOKENS, gh_hub_request_t, max_tokens),
    GH_HUB_FIELD("stream", BOOL, GH_ASKS, gh_hub_request_t, stream),
    GH_HUB_READS("stream_options", read_stream_options),
    GH_HUB_READS("tools", read_tools),
    GH_HUB_READS("tool_choice", read_choice),
    GH_HUB_READS("parallel_tool_calls", read_parallel),
    GH_HUB_READS("text", read_text),
    GH_HUB_READS("reasoning", read_reasoning),
    GH_HUB_READS("temperature", gh_hub_read_temperature),
    GH_HUB_FIELD("top_p", NUMBER, GH_ASK_TOP_P, gh_hub_request_t, top_p),
    GH_HUB_READS("top_logprobs", gh_hub_read_top_logprobs),
    GH_HUB_READS("user", gh_hub_read_user),
    GH_HUB_READS("safety_identifier", gh_hub_read_user),
    GH_HUB_FIELD("metadata", RAW, GH_ASK_METADATA, gh_hub_request_t, metadata),
    GH_HUB_FIELD("prompt_cache_key", STRING, GH_ASK_CACHE_HINT, gh_hub_request_t, cache_key),
    GH_HUB_ASKED("prompt_cache_retention", PRESENT, GH_ASK_CACHE_OPTIONS),
    GH_HUB_ASKED("prompt_cache_options", PRESENT, GH_ASK_CACHE_OPTIONS),
    GH_HUB_READS("service_tier", gh_hub_read_openai_tier),
    GH_HUB_ASKED("store", TRUE, GH_ASK_STATE),
    GH_HUB_ASKED("previous_response_id", PRESENT, GH_ASK_STATE),
    GH_HUB_ASKED("conversation", PRESENT, GH_ASK_STATE),
    GH_HUB_ASKED("prompt", PRESENT, GH_ASK_STATE),
    GH_HUB_ASKED("background", TRUE, GH_ASK_STATE),
    GH_HUB_READS("include", read_include),
    GH_HUB_ASKED("truncation", PRESENT, GH_ASK_INCLUDE),
    GH_HUB_ASKED("max_tool_calls", PRESENT, GH_ASK_INCLUDE),
    GH_HUB_ASKED("client_metadata", PRESENT, GH_ASK_INCLUDE),
    GH_HUB_ASKED("inference_geo", PRESENT, GH_ASK_INFERENCE_GEO),
};

int
responses_request_read(gh_hub_reader_t *r, gh_hub_request_t *request)
{
    if (GH_HUB_OBJECT(r, body_fields, request) != GH_OK) {
        return GH_ERROR;
    }

    return request->messages != NULL || gh_hub_asks(request, GH_ASK_STATE) ? GH_OK
        : gh_error_set(r->error, r->invalid, "input is missing: it must be a string or an array that is not empty");
}
