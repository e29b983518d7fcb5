/* OpenAI chat completions, requests but for their messages. Source: openai-python's openai/types/chat/completion_create_params.py. */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/chat.h"

typedef struct {
    gh_str_t       type;
    gh_hub_tool_t *tool;
} tool_t;

static const gh_hub_field_t function_fields[] = {
    GH_HUB_FIELD("name", STRING, GH_ASKS, gh_hub_tool_t, name),
    GH_HUB_FIELD("description", STRING, GH_ASKS, gh_hub_tool_t, description),
    GH_HUB_FIELD("parameters", RAW, GH_ASKS, gh_hub_tool_t, schema),
    GH_HUB_FIELD("strict", WORD, GH_ASK_TOOL_STRICT, gh_hub_tool_t, strict),
    GH_HUB_ASKED("defer_loading", TRUE, GH_ASK_TOOL_DEFERRED),
};

static int
read_function(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, function_fields, ((tool_t *) object)->tool);
}

static const gh_hub_field_t grammar_fields[] = {
    GH_HUB_FIELD("definition", STRING, GH_ASKS, gh_hub_tool_t, grammar),
    GH_HUB_FIELD("syntax", STRING, GH_ASKS, gh_hub_tool_t, syntax),
};

static int
read_grammar(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, grammar_fields, object);
}

static const gh_hub_field_t text_format_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, gh_hub_tool_t, format),
    GH_HUB_READS("grammar", read_grammar),
};

static int
read_text_format(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, text_format_fields, object);
}

static const gh_hub_field_t custom_fields[] = {
    GH_HUB_FIELD("name", STRING, GH_ASKS, gh_hub_tool_t, name),
    GH_HUB_FIELD("description", STRING, GH_ASKS, gh_hub_tool_t, description),
    GH_HUB_READS("format", read_text_format),
};

static int
read_custom(gh_hub_reader_t *r, void *object)
{
    gh_hub_ask(r, GH_ASK_CUSTOM_TOOL);
    ((tool_t *) object)->tool->takes_text = true;
    return GH_HUB_EXPECT_OBJECT(r, custom_fields, ((tool_t *) object)->tool);
}

static int
read_tool_cache(gh_hub_reader_t *r, void *object)
{
    return gh_hub_read_cache(r, &((tool_t *) object)->tool->cache);
}

static const gh_hub_field_t tool_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, tool_t, type),
    GH_HUB_READS("function", read_function),
    GH_HUB_READS("custom", read_custom),
    GH_HUB_ASKED("defer_loading", TRUE, GH_ASK_TOOL_DEFERRED),
    GH_HUB_READS("cache_control", read_tool_cache),
};

static int
read_tools(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_hub_tool_t   **tail = &request->tools;
    tool_t            read;
    size_t            offset;
    int               status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (gh_hub_element(r, &status)) {
        offset = r->json.token_offset;
        read.type = (gh_str_t) { NULL, 0 };
        read.tool = gh_hub_new(r, sizeof(gh_hub_tool_t));
        if (read.tool == NULL || GH_HUB_EXPECT_OBJECT(r, tool_fields, &read) != GH_OK) {
            return GH_ERROR;
        }
        if (!gh_hub_is(read.type, "function") && !gh_hub_is(read.type, "custom")) {
            gh_hub_ask_at(r, GH_ASK_HOSTED_TOOL, offset);
            continue;
        }
        if (read.tool->name.data == NULL || read.tool->takes_text != gh_hub_is(read.type, "custom")) {
            return gh_hub_invalid(r, "must have a function, or what is custom, with a name");
        }
        if (!read.tool->takes_text) {
            gh_hub_ask_at(r, GH_ASK_TOOLS, offset);
        }
        *tail = read.tool;
        tail = &read.tool->next;
        request->values_bytes += read.tool->schema.len;
    }

    return status;
}

typedef struct {
    gh_str_t type, name;
} choice_t;

static const gh_hub_field_t choice_function_fields[] = {
    GH_HUB_FIELD("name", STRING, GH_ASKS, choice_t, name),
};

static int
read_choice_function(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, choice_function_fields, object);
}

static const gh_hub_field_t named_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, choice_t, type),
    GH_HUB_READS("function", read_choice_function),
    GH_HUB_READS("custom", read_choice_function),
};

static int
read_allowed_tools(gh_hub_reader_t *r, void *object)
{
    choice_t named;
    size_t   offset;
    int      status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (GH_HUB_OBJECT_ELEMENT(r, named_fields, &named, &offset, &status)) {
        if (named.name.data == NULL) {
            gh_hub_ask_at(r, GH_ASK_HOSTED_TOOL, offset);
        } else if (gh_hub_allow(r, object, named.name) != GH_OK) {
            return GH_ERROR;
        }
    }

    return status;
}

static const gh_hub_field_t allowed_fields[] = {
    GH_HUB_READS("mode", gh_hub_read_mode),
    GH_HUB_READS("tools", read_allowed_tools),
};

static int
read_allowed(gh_hub_reader_t *r, void *object)
{
    (void) object;

    gh_hub_ask(r, GH_ASK_ALLOWED_TOOLS);
    return GH_HUB_EXPECT_OBJECT(r, allowed_fields, r->request);
}

static const gh_hub_field_t choice_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, choice_t, type),
    GH_HUB_READS("function", read_choice_function),
    GH_HUB_READS("custom", read_choice_function),
    GH_HUB_READS("allowed_tools", read_allowed),
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
            return gh_hub_invalid(r, "must have allowed_tools with a mode, and tools");
        }
    } else if (!gh_hub_openai_choice(r, request, offset, read.type, read.name)) {
        gh_hub_ask_at(r, GH_ASK_HOSTED_TOOL, offset);
    }

    return GH_OK;
}

static int
read_parallel(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;

    if (r->json.event == GH_JSON_FALSE) {
        request->one_call = true;
        gh_hub_ask(r, GH_ASK_ONE_CALL);
        return GH_OK;
    }

    return r->json.event == GH_JSON_TRUE ? GH_OK : gh_hub_invalid(r, "must be true or false");
}

static const gh_hub_field_t schema_fields[] = {
    GH_HUB_FIELD("name", STRING, GH_ASKS, gh_hub_request_t, schema_name),
    GH_HUB_FIELD("description", STRING, GH_ASKS, gh_hub_request_t, schema_description),
    GH_HUB_FIELD("schema", RAW, GH_ASKS, gh_hub_request_t, schema),
    GH_HUB_FIELD("strict", WORD, GH_ASKS, gh_hub_request_t, schema_strict),
};

static int
read_schema(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, schema_fields, object);
}

static int
read_format_type(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_str_t          type;

    if (gh_hub_string(r, &type) != GH_OK) {
        return GH_ERROR;
    }

    if (gh_hub_is(type, "json_object")) {
        request->json_object = true;
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
    GH_HUB_READS("json_schema", read_schema),
};

static int
read_format(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;

    if (GH_HUB_EXPECT_OBJECT(r, format_fields, object) != GH_OK) {
        return GH_ERROR;
    }

    request->values_bytes += request->schema.len;
    if (gh_hub_asks(request, GH_ASK_JSON_SCHEMA) && request->schema.data == NULL) {
        request->schema = GH_STR("{}");
    }

    return GH_OK;
}

static int
read_maximum(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    uint64_t          count;

    if (gh_str_is(r->json.token, "-1") && r->json.event == GH_JSON_NUMBER) {
        return GH_OK;
    }
    if (gh_json_token_u64(&r->json, &count) != GH_OK) {
        return gh_hub_invalid(r, "must be a number of tokens");
    }

    request->max_tokens = count > request->max_tokens ? count : request->max_tokens;
    gh_hub_ask(r, GH_ASK_MAX_TOKENS);

    return GH_OK;
}

static int
read_n(gh_hub_reader_t *r, void *object)
{
    uint64_t n;

    (void) object;

    if (gh_json_token_u64(&r->json, &n) != GH_OK || n == 0) {
        return gh_hub_invalid(r, "must be a number from 1 on");
    }

    if (n > 1) {
        gh_hub_ask(r, GH_ASK_CHOICES);
    }

    return GH_OK;
}

/* ["text"] is what everybody gives. */
static int
read_modalities(gh_hub_reader_t *r, void *object)
{
    int status;

    (void) object;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (gh_hub_string_element(r, &status)) {
        if (!gh_json_token_is(&r->json, GH_STR("text"))) {
            gh_hub_ask(r, GH_ASK_AUDIO_OUTPUT);
        }
    }

    return status;
}

static const gh_hub_field_t stream_fields[] = {
    GH_HUB_FIELD("include_usage", BOOL, GH_ASKS, gh_hub_request_t, include_usage),
    GH_HUB_ASKED("include_obfuscation", PRESENT, GH_ASK_STREAM_PADDING),
};

static int
read_stream_options(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, stream_fields, object);
}

static int
read_logprobs(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;

    if (r->json.event != GH_JSON_TRUE) {
        return r->json.event == GH_JSON_FALSE ? GH_OK : gh_hub_invalid(r, "must be true or false");
    }

    request->logprobs = true;
    gh_hub_ask(r, GH_ASK_LOGPROBS);

    return GH_OK;
}

static const gh_hub_field_t body_fields[] = {
    GH_HUB_FIELD("model", STRING, GH_ASKS, gh_hub_request_t, model),
    GH_HUB_READS("messages", chat_messages_read),
    GH_HUB_FIELD("stream", BOOL, GH_ASKS, gh_hub_request_t, stream),
    GH_HUB_READS("stream_options", read_stream_options),
    GH_HUB_READS("max_tokens", read_maximum),
    GH_HUB_READS("max_completion_tokens", read_maximum),
    GH_HUB_READS("tools", read_tools),
    GH_HUB_READS("tool_choice", read_choice),
    GH_HUB_READS("parallel_tool_calls", read_parallel),
    GH_HUB_READS("response_format", read_format),
    GH_HUB_READS("temperature", gh_hub_read_temperature),
    GH_HUB_FIELD("top_p", NUMBER, GH_ASK_TOP_P, gh_hub_request_t, top_p),
    GH_HUB_FIELD("top_k", NUMBER, GH_ASK_TOP_K, gh_hub_request_t, top_k),
    GH_HUB_READS("stop", gh_hub_read_stop),
    GH_HUB_ASKED("seed", PRESENT, GH_ASK_SEED),
    GH_HUB_READS("n", read_n),
    GH_HUB_READS("logprobs", read_logprobs),
    GH_HUB_READS("top_logprobs", gh_hub_read_top_logprobs),
    GH_HUB_ASKED("logit_bias", FILLED, GH_ASK_LOGIT_BIAS),
    GH_HUB_ASKED("frequency_penalty", NONZERO, GH_ASK_PENALTY),
    GH_HUB_ASKED("presence_penalty", NONZERO, GH_ASK_PENALTY),
    GH_HUB_READS("reasoning_effort", gh_hub_read_effort),
    GH_HUB_FIELD("verbosity", STRING, GH_ASK_VERBOSITY, gh_hub_request_t, verbosity),
    GH_HUB_READS("user", gh_hub_read_user),
    GH_HUB_READS("safety_identifier", gh_hub_read_user),
    GH_HUB_FIELD("metadata", RAW, GH_ASK_METADATA, gh_hub_request_t, metadata),
    GH_HUB_FIELD("prompt_cache_key", STRING, GH_ASK_CACHE_HINT, gh_hub_request_t, cache_key),
    GH_HUB_ASKED("prompt_cache_retention", PRESENT, GH_ASK_CACHE_OPTIONS),
    GH_HUB_ASKED("prompt_cache_options", PRESENT, GH_ASK_CACHE_OPTIONS),
    GH_HUB_READS("service_tier", gh_hub_read_openai_tier),
    GH_HUB_ASKED("store", TRUE, GH_ASK_STORE),
    GH_HUB_ASKED("functions", FILLED, GH_ASK_FUNCTIONS),
    GH_HUB_ASKED("function_call", PRESENT, GH_ASK_FUNCTIONS),
    GH_HUB_READS("modalities", read_modalities),
    GH_HUB_ASKED("audio", PRESENT, GH_ASK_AUDIO_OUTPUT),
    GH_HUB_ASKED("prediction", PRESENT, GH_ASK_PREDICTION),
    GH_HUB_ASKED("web_search_options", PRESENT, GH_ASK_HOSTED_TOOL),
    GH_HUB_ASKED("inference_geo", PRESENT, GH_ASK_INFERENCE_GEO),
};

_Static_assert(sizeof(body_fields) / sizeof(body_fields[0]) <= GH_HUB_FIELDS_MAX, "the set of seen fields is full");

int
chat_request_read(gh_hub_reader_t *r, gh_hub_request_t *request)
{
    if (GH_HUB_OBJECT(r, body_fields, request) != GH_OK) {
        return GH_ERROR;
    }

    request->store = gh_hub_asks(request, GH_ASK_STORE);

    return request->messages != NULL ? GH_OK : gh_error_set(r->error, r->invalid, "messages is missing: it must be an array that is not empty");
}
