/* OpenAI chat completions, requests and messages as they are written. */
#include "ngx_module/wire/hub/chat.h"

static bool
is_text(const gh_hub_part_t *part)
{
    return part->kind == GH_HUB_TEXT;
}

static bool
is_refusal(const gh_hub_part_t *part)
{
    return part->kind == GH_HUB_REFUSAL;
}

static bool
is_call(const gh_hub_part_t *part)
{
    return part->kind == GH_HUB_TOOL_CALL || part->kind == GH_HUB_TEXT_CALL;
}

/* What a user says besides the results of tools. */
static bool
is_input(const gh_hub_part_t *part)
{
    return part->kind == GH_HUB_TEXT || part->kind == GH_HUB_REFUSAL || part->kind == GH_HUB_IMAGE || part->kind == GH_HUB_DOCUMENT
        || part->kind == GH_HUB_AUDIO;
}

static bool
is_media(const gh_hub_part_t *part)
{
    return is_input(part) && !is_text(part) && !is_refusal(part);
}

static unsigned
count(const gh_hub_part_t *parts, bool (*wanted)(const gh_hub_part_t *part))
{
    unsigned n = 0;

    for (; parts != NULL; parts = parts->next) {
        n += wanted(parts);
    }

    return n;
}

static void
put_data_url(gh_hub_put_t *p, const char *key, const gh_hub_part_t *part)
{
    gh_hub_put_key(p, key);
    GH_HUB_PUT(p, "\"data:");
    gh_hub_put(p, part->media_type);
    GH_HUB_PUT(p, ";base64,");
    gh_hub_put(p, part->text);
    GH_HUB_PUT(p, "\"");
}

static void
put_part(gh_hub_put_t *p, const gh_hub_part_t *part)
{
    gh_hub_put_open(p, '{');

    switch (part->kind) {

    case GH_HUB_IMAGE:
        GH_HUB_PUT(p, "\"type\":\"image_url\",\"image_url\":{");
        if (part->source == GH_HUB_URL) {
            gh_hub_put_kv_string(p, "url", part->text);
        } else {
            put_data_url(p, "url", part);
        }
        gh_hub_put_kv_string(p, "detail", part->detail);
        gh_hub_put_close(p, '}');
        break;

    case GH_HUB_DOCUMENT:
        GH_HUB_PUT(p, "\"type\":\"file\",\"file\":{");
        gh_hub_put_kv_string(p, "filename", gh_hub_file_name(part));
        put_data_url(p, "file_data", part);
        gh_hub_put_close(p, '}');
        break;

    case GH_HUB_AUDIO:
        GH_HUB_PUT(p, "\"type\":\"input_audio\",\"input_audio\":{");
        gh_hub_put_kv_string(p, "data", part->text);
        gh_hub_put_kv_string(p, "format", gh_hub_is(part->media_type, "audio/wav") ? GH_STR("wav") : GH_STR("mp3"));
        gh_hub_put_close(p, '}');
        break;

    case GH_HUB_REFUSAL:
        GH_HUB_PUT(p, "\"type\":\"refusal\"");
        gh_hub_put_kv_string(p, "refusal", part->text);
        break;

    default:
        GH_HUB_PUT(p, "\"type\":\"text\"");
        gh_hub_put_kv_string(p, "text", part->text);
        break;
    }

    gh_hub_put_close(p, '}');
}

/* The value of content: one text as a string, more of it as parts. `none`: what stands for no part at all. */
static void
put_content(gh_hub_put_t *p, const gh_hub_part_t *parts, bool (*wanted)(const gh_hub_part_t *part), gh_str_t none)
{
    unsigned             n = count(parts, wanted);
    const gh_hub_part_t *part;

    gh_hub_put_key(p, "content");

    if (n == 0) {
        gh_hub_put_raw(p, none);
        return;
    }

    for (part = parts; !wanted(part); part = part->next) { }
    if (n == 1 && is_text(part)) {
        gh_hub_put_string(p, part->text);
        return;
    }

    gh_hub_put_open(p, '[');
    for (; part != NULL; part = part->next) {
        if (wanted(part)) {
            put_part(p, part);
        }
    }
    gh_hub_put_close(p, ']');
}

static void
put_call(gh_hub_put_t *p, const gh_hub_part_t *part)
{
    gh_hub_put_open(p, '{');
    gh_hub_put_kv_string(p, "id", part->id);
    if (part->kind == GH_HUB_TEXT_CALL) {
        GH_HUB_PUT(p, ",\"type\":\"custom\",\"custom\":{");
        gh_hub_put_kv_string(p, "name", part->name);
        gh_hub_put_kv_string(p, "input", part->text);
        GH_HUB_PUT(p, "}}");
        return;
    }
    GH_HUB_PUT(p, ",\"type\":\"function\",\"function\":{");
    gh_hub_put_kv_string(p, "name", part->name);
    if (part->arguments.data != NULL && part->arguments.len != 0) {
        gh_hub_put_kv_string(p, "arguments", part->arguments);
    } else {
        gh_hub_put_kv_text(p, "arguments", part->input);
    }
    GH_HUB_PUT(p, "}}");
}

static void
put_reasoning(gh_hub_put_t *p, const gh_hub_part_t *parts)
{
    const gh_hub_part_t *part;
    unsigned             index = 0;
    bool                 text = false, signature = false;

    for (part = parts; part != NULL; part = part->next) {
        text |= part->kind == GH_HUB_REASONING;
        signature |= part->kind == GH_HUB_REDACTED || part->signature.len != 0;
    }

    if (text) {
        gh_hub_put_key(p, "reasoning_content");
        GH_HUB_PUT(p, "\"");
        for (part = parts; part != NULL; part = part->next) {
            if (part->kind == GH_HUB_REASONING) {
                gh_hub_put(p, part->text);
            }
        }
        GH_HUB_PUT(p, "\"");
    }

    if (!signature) {
        return;
    }

    gh_hub_put_key(p, "reasoning_details");
    gh_hub_put_open(p, '[');
    for (part = parts; part != NULL; part = part->next) {
        if (part->kind == GH_HUB_REASONING) {
            gh_hub_put_open(p, '{');
            GH_HUB_PUT(p, "\"type\":\"reasoning.text\"");
            gh_hub_put_kv_string(p, "text", part->text);
            if (part->signature.len != 0) {
                gh_hub_put_kv_string(p, "signature", part->signature);
            }
        } else if (part->kind == GH_HUB_REDACTED) {
            gh_hub_put_open(p, '{');
            GH_HUB_PUT(p, "\"type\":\"reasoning.encrypted\"");
            gh_hub_put_kv_string(p, "data", part->text);
        } else {
            continue;
        }
        gh_hub_put_kv_u64(p, "index", index++);
        gh_hub_put_close(p, '}');
    }
    gh_hub_put_close(p, ']');
}

/* Texts behind each other as one string. */
static void
put_joined(gh_hub_put_t *p, const char *key, const gh_hub_part_t *part, bool (*wanted)(const gh_hub_part_t *part))
{
    gh_hub_put_key(p, key);
    GH_HUB_PUT(p, "\"");
    for (; part != NULL; part = part->next) {
        if (wanted(part)) {
            gh_hub_put(p, part->text);
        }
    }
    GH_HUB_PUT(p, "\"");
}

void
chat_put_citation(gh_hub_put_t *p, const gh_hub_citation_t *citation, uint64_t before, uint64_t all)
{
    gh_hub_put_open(p, '{');
    GH_HUB_PUT(p, "\"type\":\"url_citation\",\"url_citation\":{");
    gh_hub_put_kv_u64(p, "start_index", before + citation->start);
    gh_hub_put_kv_u64(p, "end_index", before + (citation->all ? all : citation->end));
    gh_hub_put_kv_string(p, "title", citation->title.data != NULL ? citation->title : GH_STR(""));
    gh_hub_put_kv_string(p, "url", citation->url);
    GH_HUB_PUT(p, "}}");
}

static void
put_citations(gh_hub_put_t *p, const gh_hub_part_t *part)
{
    const gh_hub_citation_t *citation;
    uint64_t                 before = 0;
    bool                     any = false;

    for (; part != NULL; part = part->next) {
        for (citation = part->citations; citation != NULL; citation = citation->next) {
            if (!gh_hub_is_page(citation)) {
                continue;
            }
            if (!any) {
                gh_hub_put_key(p, "annotations");
                gh_hub_put_open(p, '[');
                any = true;
            }
            chat_put_citation(p, citation, before, citation->all ? gh_hub_chars(part->text) : 0);
        }
        before += is_text(part) ? gh_hub_chars(part->text) : 0;
    }
    if (any) {
        gh_hub_put_close(p, ']');
    }
}

static bool
is_assistant_text(const gh_hub_part_t *part)
{
    return is_text(part) && part->text.len != 0;
}

void
chat_put_assistant(gh_hub_put_t *p, const gh_hub_part_t *parts, bool reasoning, bool answer)
{
    gh_str_t             none;
    const gh_hub_part_t *part;
    bool                 calls = false;

    for (part = parts; part != NULL; part = part->next) {
        calls |= is_call(part);
    }

    none = calls || count(parts, is_refusal) != 0 ? GH_STR("null") : GH_STR("\"\"");
    if (answer && count(parts, is_assistant_text) != 0) {
        put_joined(p, "content", parts, is_assistant_text);
    } else {
        put_content(p, parts, is_assistant_text, none);
    }
    if (count(parts, is_refusal) != 0) {
        put_joined(p, "refusal", parts, is_refusal);
    }

    if (answer) {
        put_citations(p, parts);
    }
    if (reasoning) {
        put_reasoning(p, parts);
    }

    if (calls) {
        gh_hub_put_key(p, "tool_calls");
        gh_hub_put_open(p, '[');
        for (part = parts; part != NULL; part = part->next) {
            if (is_call(part)) {
                put_call(p, part);
            }
        }
        gh_hub_put_close(p, ']');
    }
}

static void
put_results(gh_hub_put_t *p, const gh_hub_part_t *parts)
{
    const gh_hub_part_t *part;

    for (part = parts; part != NULL; part = part->next) {
        if (part->kind == GH_HUB_TOOL_RESULT) {
            gh_hub_put_open(p, '{');
            GH_HUB_PUT(p, "\"role\":\"tool\"");
            gh_hub_put_kv_string(p, "tool_call_id", part->id);
            put_content(p, part->parts, is_text, GH_STR("\"\""));
            gh_hub_put_close(p, '}');
        }
    }
}

/* What is left when the results are written: media of the results first, then the rest. */
static void
put_user(gh_hub_put_t *p, const gh_hub_message_t *message)
{
    const gh_hub_part_t *part, *inner;
    bool                 moved = false;

    for (part = message->parts; part != NULL; part = part->next) {
        moved |= part->kind == GH_HUB_TOOL_RESULT && count(part->parts, is_media) != 0;
    }

    if (!moved) {
        if (count(message->parts, is_input) != 0 || message->parts == NULL) {
            gh_hub_put_open(p, '{');
            GH_HUB_PUT(p, "\"role\":\"user\"");
            gh_hub_put_kv_string(p, "name", message->name);
            put_content(p, message->parts, is_input, GH_STR("\"\""));
            gh_hub_put_close(p, '}');
        }
        return;
    }

    gh_hub_put_open(p, '{');
    GH_HUB_PUT(p, "\"role\":\"user\",\"content\":[");
    for (part = message->parts; part != NULL; part = part->next) {
        for (inner = part->parts; inner != NULL; inner = inner->next) {
            if (is_media(inner)) {
                put_part(p, inner);
            }
        }
    }
    for (part = message->parts; part != NULL; part = part->next) {
        if (is_input(part)) {
            put_part(p, part);
        }
    }
    GH_HUB_PUT(p, "]}");
}

static void
put_messages(gh_hub_put_t *p, const gh_hub_request_t *request, bool reasoning)
{
    const gh_hub_message_t *message, *first;

    gh_hub_put_key(p, "messages");
    gh_hub_put_open(p, '[');

    for (message = request->messages; message != NULL; message = message->next) {
        switch (message->role) {

        case GH_HUB_USER:
        case GH_HUB_TOOL:
            /* results follow their calls at once: of several messages of results, too, media come behind all */
            first = message;
            put_results(p, message->parts);
            while (message->role == GH_HUB_TOOL && message->next != NULL && message->next->role == GH_HUB_TOOL) {
                message = message->next;
                put_results(p, message->parts);
            }
            for (; first != message; first = first->next) {
                put_user(p, first);
            }
            put_user(p, message);
            break;

        case GH_HUB_ASSISTANT:
            gh_hub_put_open(p, '{');
            GH_HUB_PUT(p, "\"role\":\"assistant\"");
            gh_hub_put_kv_string(p, "name", message->name);
            chat_put_assistant(p, message->parts, reasoning, false);
            gh_hub_put_close(p, '}');
            break;

        default:
            gh_hub_put_open(p, '{');
            gh_hub_put_kv_string(p, "role", message->role == GH_HUB_SYSTEM ? GH_STR("system") : GH_STR("developer"));
            gh_hub_put_kv_string(p, "name", message->name);
            put_content(p, message->parts, is_text, GH_STR("\"\""));
            gh_hub_put_close(p, '}');
            break;
        }
    }

    gh_hub_put_close(p, ']');
}

/* Of a tool that takes text; its object is open, and ends here. */
static void
put_custom(gh_hub_put_t *p, const gh_hub_tool_t *tool)
{
    GH_HUB_PUT(p, "\"type\":\"custom\",\"custom\":{");
    gh_hub_put_kv_string(p, "name", tool->name);
    gh_hub_put_kv_string(p, "description", tool->description);
    if (tool->format.data != NULL) {
        gh_hub_put_key(p, "format");
        gh_hub_put_open(p, '{');
        gh_hub_put_kv_string(p, "type", tool->format);
        if (tool->grammar.data != NULL) {
            gh_hub_put_key(p, "grammar");
            gh_hub_put_open(p, '{');
            gh_hub_put_kv_string(p, "definition", tool->grammar);
            gh_hub_put_kv_string(p, "syntax", tool->syntax);
            gh_hub_put_close(p, '}');
        }
        gh_hub_put_close(p, '}');
    }
    GH_HUB_PUT(p, "}}");
}

/* {"type":"function","function":{"name":...}} */
static void
put_tool_name(gh_hub_put_t *p, bool takes_text, gh_str_t name)
{
    const char *kind = takes_text ? "custom" : "function";

    gh_hub_put_open(p, '{');
    gh_hub_put_kv_string(p, "type", gh_str_from(kind));
    gh_hub_put_key(p, kind);
    gh_hub_put_open(p, '{');
    gh_hub_put_kv_string(p, "name", name);
    GH_HUB_PUT(p, "}}");
}

static void
put_allowed(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    const gh_hub_tool_t *tool;

    GH_HUB_PUT(p, ",\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{");
    gh_hub_put_kv_string(p, "mode", request->choice == GH_HUB_CHOICE_AUTO ? GH_STR("auto") : GH_STR("required"));
    gh_hub_put_key(p, "tools");
    gh_hub_put_open(p, '[');
    for (tool = request->tools; tool != NULL; tool = tool->next) {
        if (tool->allowed) {
            put_tool_name(p, tool->takes_text, tool->name);
        }
    }
    GH_HUB_PUT(p, "]}}");
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
            if (tool->takes_text) {
                put_custom(p, tool);
                continue;
            }
            GH_HUB_PUT(p, "\"type\":\"function\",\"function\":{");
            gh_hub_put_kv_string(p, "name", tool->name);
            gh_hub_put_kv_string(p, "description", tool->description);
            gh_hub_put_kv_raw(p, "parameters", tool->schema);
            gh_hub_put_kv_raw(p, "strict", tool->strict);
            GH_HUB_PUT(p, "}}");
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
        put_tool_name(p, request->choice_text, request->choice_name);
        break;
    default:
        break;
    }
}

static void
put_format(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    if (request->json_object) {
        GH_HUB_PUT(p, ",\"response_format\":{\"type\":\"json_object\"}");
    } else if (request->schema.data != NULL) {
        GH_HUB_PUT(p, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{");
        gh_hub_put_kv_string(p, "name", request->schema_name.len != 0 ? request->schema_name : GH_STR("answer"));
        gh_hub_put_kv_string(p, "description", request->schema_description);
        gh_hub_put_kv_raw(p, "schema", request->schema);
        gh_hub_put_kv_raw(p, "strict", request->schema_strict);
        GH_HUB_PUT(p, "}}");
    }
}

int
chat_request_write(gh_hub_put_t *p, const gh_hub_request_t *request, gh_hub_dialect_t target, const gh_hub_send_t *send, gh_error_t *error)
{
    const char              *tier = gh_hub_openai_tier_name(request->tier);
    bool                     open = target == GH_HUB_CHAT_OPEN;
    uint64_t                 maximum = gh_hub_maximum(request, send);

    (void) error;

    gh_hub_put_open(p, '{');
    gh_hub_put_kv_text(p, "model", send->model);
    put_messages(p, request, open);
    put_tools(p, request);
    put_format(p, request);

    if (request->stream) {
        GH_HUB_PUT(p, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    }
    if (maximum != 0) {
        gh_hub_put_kv_u64(p, open || send->old_maximum ? "max_tokens" : "max_completion_tokens", maximum);
    }

    gh_hub_put_kv_raw(p, "temperature", request->temperature);
    gh_hub_put_kv_raw(p, "top_p", request->top_p);
    gh_hub_put_kv_raw(p, "top_k", request->top_k);
    gh_hub_put_kv_raw(p, "stop", request->stop);
    gh_hub_put_kv_string(p, "reasoning_effort", request->effort);
    gh_hub_put_kv_string(p, "verbosity", request->verbosity);
    if (!gh_hub_asks(request, GH_ASK_USER_LONG)) {
        gh_hub_put_kv_string(p, "user", request->user);
    }
    if (!gh_hub_asks(request, GH_ASK_REQUEST_METADATA)) {
        gh_hub_put_kv_raw(p, "metadata", request->metadata);
    }
    gh_hub_put_kv_string(p, "prompt_cache_key", request->cache_key);
    if (tier != NULL) {
        gh_hub_put_kv_string(p, "service_tier", gh_str_from(tier));
    }
    if (request->logprobs) {
        gh_hub_put_kv_raw(p, "logprobs", GH_STR("true"));
        if (request->top_logprobs != 0) {
            gh_hub_put_kv_u64(p, "top_logprobs", request->top_logprobs);
        }
    }
    if (send->store_false) {
        GH_HUB_PUT(p, ",\"store\":false");
    } else if (request->store) {
        GH_HUB_PUT(p, ",\"store\":true");
    }
    gh_hub_put_close(p, '}');

    return GH_OK;
}
