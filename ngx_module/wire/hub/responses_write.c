/* OpenAI Responses, requests as they are written. Source: openai-python's openai/types/responses/response_create_params.py. */
#include "ngx_module/wire/hub/responses.h"

static void
put_part(gh_hub_put_t *p, const gh_hub_part_t *part)
{
    gh_hub_put_open(p, '{');

    switch (part->kind) {

    case GH_HUB_IMAGE:
        GH_HUB_PUT(p, "\"type\":\"input_image\"");
        gh_hub_put_kv_string(p, "detail", part->detail.data != NULL ? part->detail : GH_STR("auto"));
        gh_hub_put_key(p, "image_url");
        break;

    case GH_HUB_DOCUMENT:
        GH_HUB_PUT(p, "\"type\":\"input_file\"");
        if (part->source == GH_HUB_URL) {
            gh_hub_put_key(p, "file_url");
        } else {
            gh_hub_put_kv_string(p, "filename", gh_hub_file_name(part));
            gh_hub_put_key(p, "file_data");
        }
        break;

    default:
        GH_HUB_PUT(p, "\"type\":\"input_text\"");
        gh_hub_put_kv_string(p, "text", part->text);
        gh_hub_put_close(p, '}');
        return;
    }

    if (part->source == GH_HUB_URL) {
        gh_hub_put_string(p, part->text);
    } else {
        GH_HUB_PUT(p, "\"data:");
        gh_hub_put(p, part->media_type);
        GH_HUB_PUT(p, ";base64,");
        gh_hub_put(p, part->text);
        GH_HUB_PUT(p, "\"");
    }
    gh_hub_put_close(p, '}');
}

static void
put_assistant(gh_hub_put_t *p, const gh_hub_part_t *part)
{
    switch (part->kind) {

    case GH_HUB_TEXT:
    case GH_HUB_REFUSAL:
        if (part->text.len != 0) {
            gh_hub_put_open(p, '{');
            GH_HUB_PUT(p, "\"type\":\"message\",\"role\":\"assistant\"");
            gh_hub_put_kv_string(p, "content", part->text);
            gh_hub_put_close(p, '}');
        }
        break;

    case GH_HUB_TEXT_CALL:
        gh_hub_put_open(p, '{');
        GH_HUB_PUT(p, "\"type\":\"custom_tool_call\"");
        gh_hub_put_kv_string(p, "call_id", part->id);
        gh_hub_put_kv_string(p, "name", part->name);
        gh_hub_put_kv_string(p, "input", part->text);
        gh_hub_put_close(p, '}');
        break;

    case GH_HUB_TOOL_CALL:
        gh_hub_put_open(p, '{');
        GH_HUB_PUT(p, "\"type\":\"function_call\"");
        gh_hub_put_kv_string(p, "call_id", part->id);
        gh_hub_put_kv_string(p, "name", part->name);
        if (part->arguments.len != 0) {
            gh_hub_put_kv_string(p, "arguments", part->arguments);
        } else {
            gh_hub_put_kv_text(p, "arguments", part->input);
        }
        gh_hub_put_close(p, '}');
        break;

    default:
        break;    /* reasoning: dropped */
    }
}

static void
put_results(gh_hub_put_t *p, const gh_hub_part_t *part)
{
    const gh_hub_part_t *inner;

    for (; part != NULL; part = part->next) {
        if (part->kind != GH_HUB_TOOL_RESULT) {
            continue;
        }

        inner = part->parts;
        gh_hub_put_open(p, '{');
        gh_hub_put_kv_string(p, "type", part->to_text ? GH_STR("custom_tool_call_output") : GH_STR("function_call_output"));
        gh_hub_put_kv_string(p, "call_id", part->id);
        if (inner == NULL || (inner->next == NULL && inner->kind == GH_HUB_TEXT)) {
            gh_hub_put_kv_string(p, "output", inner != NULL ? inner->text : GH_STR(""));
        } else {
            gh_hub_put_key(p, "output");
            gh_hub_put_open(p, '[');
            for (; inner != NULL; inner = inner->next) {
                put_part(p, inner);
            }
            gh_hub_put_close(p, ']');
        }
        gh_hub_put_close(p, '}');
    }
}

static void
put_message(gh_hub_put_t *p, const gh_hub_message_t *message)
{
    static const char *const roles[] = { "system", "developer", "user", "assistant", "user" };
    const gh_hub_part_t     *part;
    unsigned                 count = 0;

    for (part = message->parts; part != NULL; part = part->next) {
        count += part->kind != GH_HUB_TOOL_RESULT;
        if (message->role == GH_HUB_ASSISTANT) {
            put_assistant(p, part);
        }
    }

    put_results(p, message->parts);
    if (message->role == GH_HUB_ASSISTANT || count == 0) {
        return;
    }

    gh_hub_put_open(p, '{');
    GH_HUB_PUT(p, "\"type\":\"message\"");
    gh_hub_put_kv_string(p, "role", gh_str_from(roles[message->role]));
    gh_hub_put_key(p, "content");
    gh_hub_put_open(p, '[');
    for (part = message->parts; part != NULL; part = part->next) {
        if (part->kind != GH_HUB_TOOL_RESULT) {
            put_part(p, part);
        }
    }
    GH_HUB_PUT(p, "]}");
}

static gh_str_t
tool_type(bool takes_text)
{
    return takes_text ? GH_STR("custom") : GH_STR("function");
}

/* Of a tool that takes text; its object is open, and ends here. */
static void
put_text_format(gh_hub_put_t *p, const gh_hub_tool_t *tool)
{
    if (tool->format.data != NULL) {
        gh_hub_put_key(p, "format");
        gh_hub_put_open(p, '{');
        gh_hub_put_kv_string(p, "type", tool->format);
        gh_hub_put_kv_string(p, "definition", tool->grammar);
        gh_hub_put_kv_string(p, "syntax", tool->syntax);
        gh_hub_put_close(p, '}');
    }
    gh_hub_put_close(p, '}');
}

/* The members of a named tool, in an open object that ends here. */
static void
put_tool_name(gh_hub_put_t *p, bool takes_text, gh_str_t name)
{
    gh_hub_put_kv_string(p, "type", tool_type(takes_text));
    gh_hub_put_kv_string(p, "name", name);
    gh_hub_put_close(p, '}');
}

static void
put_allowed(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    const gh_hub_tool_t *tool;

    GH_HUB_PUT(p, ",\"tool_choice\":{\"type\":\"allowed_tools\"");
    gh_hub_put_kv_string(p, "mode", request->choice == GH_HUB_CHOICE_AUTO ? GH_STR("auto") : GH_STR("required"));
    gh_hub_put_key(p, "tools");
    gh_hub_put_open(p, '[');
    for (tool = request->tools; tool != NULL; tool = tool->next) {
        if (tool->allowed) {
            gh_hub_put_open(p, '{');
            put_tool_name(p, tool->takes_text, tool->name);
        }
    }
    GH_HUB_PUT(p, "]}");
}

static void
put_tools(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    const gh_hub_tool_t *tool;

    if (request->tools != NULL) {
        gh_hub_put_key(p, "tools");
        gh_hub_put_open(p, '[');
        for (tool = request->tools; tool != NULL; tool = tool->next) {
            gh_hub_put_open(p, '{');
            gh_hub_put_kv_string(p, "type", tool_type(tool->takes_text));
            gh_hub_put_kv_string(p, "name", tool->name);
            gh_hub_put_kv_string(p, "description", tool->description);
            if (tool->takes_text) {
                put_text_format(p, tool);
                continue;
            }
            gh_hub_put_kv_raw(p, "parameters", tool->schema.data != NULL ? tool->schema : GH_STR("null"));
            gh_hub_put_kv_raw(p, "strict", tool->strict.data != NULL ? tool->strict : GH_STR("false"));    /* true without a word here alone */
            gh_hub_put_close(p, '}');
        }
        gh_hub_put_close(p, ']');
        if (request->one_call) {
            GH_HUB_PUT(p, ",\"parallel_tool_calls\":false");
        }
    }

    if (request->some_tools) {
        put_allowed(p, request);
        return;
    }

    switch (request->choice) {
    case GH_HUB_CHOICE_AUTO:
        GH_HUB_PUT(p, ",\"tool_choice\":\"auto\"");
        break;
    case GH_HUB_CHOICE_NONE:
        GH_HUB_PUT(p, ",\"tool_choice\":\"none\"");
        break;
    case GH_HUB_CHOICE_REQUIRED:
        GH_HUB_PUT(p, ",\"tool_choice\":\"required\"");
        break;
    case GH_HUB_CHOICE_TOOL:
        gh_hub_put_key(p, "tool_choice");
        gh_hub_put_open(p, '{');
        put_tool_name(p, request->choice_text, request->choice_name);
        break;
    default:
        break;
    }
}

static void
put_text(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    if (request->schema.data == NULL && !request->json_object && request->verbosity.data == NULL) {
        return;
    }

    GH_HUB_PUT(p, ",\"text\":{");
    gh_hub_put_kv_string(p, "verbosity", request->verbosity);
    if (request->json_object) {
        gh_hub_put_key(p, "format");
        GH_HUB_PUT(p, "{\"type\":\"json_object\"}");
    } else if (request->schema.data != NULL) {
        gh_hub_put_key(p, "format");
        GH_HUB_PUT(p, "{\"type\":\"json_schema\"");
        gh_hub_put_kv_string(p, "name", request->schema_name.len != 0 ? request->schema_name : GH_STR("answer"));
        gh_hub_put_kv_string(p, "description", request->schema_description);
        gh_hub_put_kv_raw(p, "schema", request->schema);
        gh_hub_put_kv_raw(p, "strict", request->schema_strict);
        GH_HUB_PUT(p, "}");
    }
    GH_HUB_PUT(p, "}");
}

int
responses_request_write(gh_hub_put_t *p, const gh_hub_request_t *request, gh_hub_dialect_t target, const gh_hub_send_t *send, gh_error_t *error)
{
    const gh_hub_message_t *message;
    uint64_t                maximum = gh_hub_maximum(request, send);

    (void) target;
    (void) error;

    gh_hub_put_open(p, '{');
    gh_hub_put_kv_text(p, "model", send->model);
    gh_hub_put_key(p, "input");
    gh_hub_put_open(p, '[');
    for (message = request->messages; message != NULL; message = message->next) {
        put_message(p, message);
    }
    gh_hub_put_close(p, ']');
    put_tools(p, request);
    put_text(p, request);

    gh_hub_put_kv_raw(p, "store", request->store && !send->store_false ? GH_STR("true") : GH_STR("false"));
    if (request->stream) {
        GH_HUB_PUT(p, ",\"stream\":true");
    }
    if (maximum != 0) {
        gh_hub_put_kv_u64(p, "max_output_tokens", maximum);
    }
    gh_hub_put_kv_raw(p, "temperature", request->temperature);
    gh_hub_put_kv_raw(p, "top_p", request->top_p);
    if (request->effort.data != NULL) {
        GH_HUB_PUT(p, ",\"reasoning\":{");
        gh_hub_put_kv_string(p, "effort", request->effort);
        GH_HUB_PUT(p, "}");
    }
    if (!gh_hub_asks(request, GH_ASK_USER_LONG)) {
        gh_hub_put_kv_string(p, "user", request->user);
    }
    gh_hub_put_kv_raw(p, "metadata", request->metadata);
    gh_hub_put_kv_string(p, "prompt_cache_key", request->cache_key);
    responses_put_tier(p, request->tier);
    if (request->logprobs) {
        GH_HUB_PUT(p, ",\"include\":[\"" RESPONSES_LOGPROBS "\"]");
        if (request->top_logprobs != 0) {
            gh_hub_put_kv_u64(p, "top_logprobs", request->top_logprobs);
        }
    }
    gh_hub_put_close(p, '}');

    return GH_OK;
}
