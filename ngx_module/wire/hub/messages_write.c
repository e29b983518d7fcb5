/* Anthropic Messages, requests and blocks as they are written. */
#include "ngx_module/wire/hub/messages.h"


static void
put_cache(gh_hub_put_t *p, gh_hub_cache_t cache)
{
    if (cache == GH_HUB_NO_CACHE) {
        return;
    }

    gh_hub_put_key(p, "cache_control");
    if (cache >= GH_HUB_CACHE_30M) {
        GH_HUB_PUT(p, "{\"type\":\"ephemeral\",\"ttl\":\"1h\"}");
    } else if (cache == GH_HUB_CACHE_5M) {
        GH_HUB_PUT(p, "{\"type\":\"ephemeral\",\"ttl\":\"5m\"}");
    } else {
        GH_HUB_PUT(p, "{\"type\":\"ephemeral\"}");
    }
}

static void
put_texts(gh_hub_put_t *p, const gh_hub_part_t *part)
{
    gh_hub_put_key(p, "content");
    gh_hub_put_open(p, '[');
    for (; part != NULL; part = part->next) {
        if (part->kind == GH_HUB_TEXT) {
            gh_hub_put_open(p, '{');
            GH_HUB_PUT(p, "\"type\":\"text\"");
            gh_hub_put_kv_string(p, "text", part->text);
            gh_hub_put_close(p, '}');
        }
    }
    gh_hub_put_close(p, ']');
}

static void
put_source(gh_hub_put_t *p, const gh_hub_part_t *part)
{
    gh_hub_put_key(p, "source");
    gh_hub_put_open(p, '{');

    switch (part->source) {
    case GH_HUB_URL:
        GH_HUB_PUT(p, "\"type\":\"url\"");
        gh_hub_put_kv_string(p, "url", part->text);
        break;
    case GH_HUB_BLOCKS:
        GH_HUB_PUT(p, "\"type\":\"content\"");
        put_texts(p, part->parts);
        break;
    case GH_HUB_PLAIN:
        GH_HUB_PUT(p, "\"type\":\"text\",\"media_type\":\"text/plain\"");
        gh_hub_put_kv_string(p, "data", part->text);
        break;
    default:
        GH_HUB_PUT(p, "\"type\":\"base64\"");
        gh_hub_put_kv_string(p, "media_type", part->media_type);
        gh_hub_put_kv_string(p, "data", part->text);
        break;
    }

    gh_hub_put_close(p, '}');
}

static void
put_result(gh_hub_put_t *p, const gh_hub_part_t *part)
{
    const gh_hub_part_t *inner = part->parts;

    GH_HUB_PUT(p, "\"type\":\"tool_result\"");
    gh_hub_put_kv_call_id(p, "tool_use_id", part->id);

    if (inner != NULL && inner->next == NULL && inner->kind == GH_HUB_TEXT && inner->cache == GH_HUB_NO_CACHE) {
        gh_hub_put_kv_string(p, "content", inner->text);
    } else if (inner != NULL) {
        gh_hub_put_key(p, "content");
        gh_hub_put_open(p, '[');
        for (; inner != NULL; inner = inner->next) {
            messages_put_part(p, inner, GH_HUB_WRITES_NONE);
        }
        gh_hub_put_close(p, ']');
    }

    if (part->failed) {
        GH_HUB_PUT(p, ",\"is_error\":true");
    }
}

void
messages_put_part(gh_hub_put_t *p, const gh_hub_part_t *part, gh_hub_writes_t writes)
{
    gh_hub_put_open(p, '{');

    switch (part->kind) {

    case GH_HUB_REASONING:
        GH_HUB_PUT(p, "\"type\":\"thinking\"");
        gh_hub_put_kv_string(p, "thinking", part->text.data != NULL ? part->text : GH_STR(""));
        gh_hub_put_kv_string(p, "signature", part->signature.data != NULL ? part->signature : GH_STR(""));
        break;

    case GH_HUB_REDACTED:
        GH_HUB_PUT(p, "\"type\":\"redacted_thinking\"");
        gh_hub_put_kv_string(p, "data", part->text);
        break;

    case GH_HUB_IMAGE:
        GH_HUB_PUT(p, "\"type\":\"image\"");
        put_source(p, part);
        break;

    case GH_HUB_DOCUMENT:
        GH_HUB_PUT(p, "\"type\":\"document\"");
        put_source(p, part);
        gh_hub_put_kv_string(p, "title", part->name);
        gh_hub_put_kv_string(p, "context", part->context);
        gh_hub_put_citing(p, part);
        break;

    case GH_HUB_SEARCH_RESULT:
        GH_HUB_PUT(p, "\"type\":\"search_result\"");
        gh_hub_put_kv_string(p, "source", part->text);
        gh_hub_put_kv_string(p, "title", part->name);
        put_texts(p, part->parts);
        gh_hub_put_citing(p, part);
        break;

    case GH_HUB_TOOL_CALL:
        GH_HUB_PUT(p, "\"type\":\"tool_use\"");
        gh_hub_put_kv_call_id(p, "id", part->id);
        gh_hub_put_kv_string(p, "name", part->name);
        gh_hub_put_kv_raw(p, "input", part->input);
        break;

    case GH_HUB_TOOL_RESULT:
        put_result(p, part);
        break;

    default:
        GH_HUB_PUT(p, "\"type\":\"text\"");
        gh_hub_put_kv_string(p, "text", part->text);
        messages_put_citations(p, part->citations, writes);
        break;
    }

    put_cache(p, part->cache);
    gh_hub_put_close(p, '}');
}

/* Empty texts are refused by the provider; reasoning without its signature, too. */
static bool
is_written(const gh_hub_part_t *part)
{
    switch (part->kind) {
    case GH_HUB_TEXT:
    case GH_HUB_REFUSAL:
        return part->text.len != 0;
    case GH_HUB_REASONING:
        return part->signature.len != 0;
    default:
        return true;
    }
}

static bool
cites(const gh_hub_part_t *part, gh_hub_writes_t writes)
{
    const gh_hub_citation_t *citation;

    for (citation = part->citations; citation != NULL && !gh_hub_is_cited(citation, writes); citation = citation->next) { }

    return citation != NULL;
}

/*
 * The content of messages from first up to last, which are one turn: one text alone as a string. none: what stands for nothing. Returns whether there
 * was any.
 */
static bool
put_content(gh_hub_put_t *p, const char *key, const gh_hub_message_t *first, const gh_hub_message_t *last)
{
    const gh_hub_message_t *message;
    const gh_hub_part_t    *part, *only = NULL;
    unsigned                count = 0;
    gh_hub_writes_t         writes = first != NULL && first->role == GH_HUB_ASSISTANT ? GH_HUB_WRITES_SOURCES : GH_HUB_WRITES_NONE;

    for (message = first; message != last; message = message->next) {
        for (part = message->parts; part != NULL; part = part->next) {
            if (is_written(part)) {
                only = part;
                count++;
            }
        }
    }

    if (count == 0) {
        return false;
    }

    gh_hub_put_key(p, key);
    if (count == 1 && only->kind == GH_HUB_TEXT && only->cache == GH_HUB_NO_CACHE && !cites(only, writes)) {
        gh_hub_put_string(p, only->text);
        return true;
    }

    gh_hub_put_open(p, '[');
    for (message = first; message != last; message = message->next) {
        for (part = message->parts; part != NULL; part = part->next) {
            if (is_written(part)) {
                messages_put_part(p, part, writes);
            }
        }
    }
    gh_hub_put_close(p, ']');

    return true;
}

static void
put_tools(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    static const char *const choices[] = { "auto", "auto", "none", "any", "tool" };
    const gh_hub_tool_t     *tool;

    if (request->tools == NULL) {
        return;
    }

    gh_hub_put_key(p, "tools");
    gh_hub_put_open(p, '[');
    for (tool = request->tools; tool != NULL; tool = tool->next) {
        if (tool->raw.data != NULL) {
            gh_hub_put_raw(p, tool->raw);
            continue;
        }
        gh_hub_put_open(p, '{');
        gh_hub_put_kv_string(p, "name", tool->name);
        gh_hub_put_kv_string(p, "description", tool->description);
        gh_hub_put_kv_raw(p, "input_schema", tool->schema.data != NULL ? tool->schema : GH_STR("{\"type\":\"object\",\"properties\":{}}"));
        gh_hub_put_kv_raw(p, "strict", tool->strict);
        put_cache(p, tool->cache);
        gh_hub_put_close(p, '}');
    }
    gh_hub_put_close(p, ']');

    if (request->choice != GH_HUB_CHOICE_UNSAID || request->one_call) {
        gh_hub_put_key(p, "tool_choice");
        gh_hub_put_open(p, '{');
        gh_hub_put_kv_string(p, "type", gh_str_from(choices[request->choice]));
        if (request->choice == GH_HUB_CHOICE_TOOL) {
            gh_hub_put_kv_string(p, "name", request->choice_name);
        }
        if (request->one_call && request->choice != GH_HUB_CHOICE_NONE) {
            GH_HUB_PUT(p, ",\"disable_parallel_tool_use\":true");
        }
        gh_hub_put_close(p, '}');
    }
}

/*
 * An effort asks for reasoning. The provider refuses reasoning beside a forced tool or a temperature: then the effort alone is said, which holds for
 * all that is written.
 */
void
messages_put_thinking(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    if (request->thinking.data != NULL) {
        gh_hub_put_kv_raw(p, "thinking", request->thinking);
    } else if (gh_hub_effort_none(request)) {
        gh_hub_put_kv_raw(p, "thinking", GH_STR("{\"type\":\"disabled\"}"));
    } else if (request->effort.data != NULL && request->choice < GH_HUB_CHOICE_REQUIRED && request->temperature.data == NULL
               && request->top_p.data == NULL && request->top_k.data == NULL)
    {
        gh_hub_put_kv_raw(p, "thinking", GH_STR("{\"type\":\"adaptive\"}"));
    }
}

static void
put_reasoning(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    bool none = gh_hub_effort_none(request);

    messages_put_thinking(p, request);
    if ((request->effort.data != NULL && !none) || request->schema.data != NULL) {
        gh_hub_put_key(p, "output_config");
        gh_hub_put_open(p, '{');
        if (!none) {
            gh_hub_put_kv_string(p, "effort", request->effort);
        }
        if (request->schema.data != NULL) {
            gh_hub_put_key(p, "format");
            gh_hub_put_open(p, '{');
            GH_HUB_PUT(p, "\"type\":\"json_schema\"");
            gh_hub_put_kv_raw(p, "schema", request->schema);
            gh_hub_put_close(p, '}');
        }
        gh_hub_put_close(p, '}');
    }
}

/* How the answer is to be made. */
static void
put_sampling(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    gh_hub_put_kv_raw(p, "temperature", request->temperature);
    gh_hub_put_kv_raw(p, "top_p", request->top_p);
    gh_hub_put_kv_raw(p, "top_k", request->top_k);
    if (request->stop.data != NULL) {
        gh_hub_put_key(p, "stop_sequences");
        if (request->stop.data[0] == '[') {
            gh_hub_put_raw(p, request->stop);
        } else {
            gh_hub_put_open(p, '[');
            gh_hub_put_raw(p, request->stop);
            gh_hub_put_close(p, ']');
        }
    }
}

static void
put_labels(gh_hub_put_t *p, const gh_hub_request_t *request, gh_hub_dialect_t target)
{
    if (request->user.data != NULL) {
        GH_HUB_PUT(p, ",\"metadata\":{");
        gh_hub_put_kv_string(p, "user_id", request->user);
        gh_hub_put_close(p, '}');
    }
    if (target == GH_HUB_INVOKE) {
        /* what is said in no header is the default tier */
    } else if (request->tier == GH_HUB_TIER_AUTO) {
        GH_HUB_PUT(p, ",\"service_tier\":\"auto\"");
    } else if (request->tier == GH_HUB_TIER_DEFAULT) {
        GH_HUB_PUT(p, ",\"service_tier\":\"standard_only\"");
    }
}

int
messages_request_write(gh_hub_put_t *p, const gh_hub_request_t *request, gh_hub_dialect_t target, const gh_hub_send_t *send, gh_error_t *error)
{
    const gh_hub_message_t *message;
    uint64_t                maximum = gh_hub_maximum(request, send);

    if (maximum == 0) {
        maximum = send->default_max;
    }
    if (maximum == 0 && !send->counts) {
        return gh_error_set(error, "not_expressible", "max_tokens is missing: a backend that speaks messages must be told how many at most");
    }

    gh_hub_put_open(p, '{');
    if (target == GH_HUB_INVOKE) {
        GH_HUB_PUT(p, "\"anthropic_version\":\"" INVOKE_VERSION "\"");
        gh_hub_put_betas(p, request);
    } else {
        gh_hub_put_kv_text(p, "model", send->model);
    }
    if (!send->counts) {
        gh_hub_put_kv_u64(p, "max_tokens", maximum);
    }

    for (message = request->messages; message != NULL && message->role <= GH_HUB_DEVELOPER; message = message->next) { }
    put_content(p, "system", request->messages, message);
    gh_hub_put_turns(p, message, put_content);
    put_tools(p, request);

    if (request->stream && target != GH_HUB_INVOKE) {
        GH_HUB_PUT(p, ",\"stream\":true");
    }
    if (!send->counts) {
        put_sampling(p, request);
    }
    put_reasoning(p, request);
    gh_hub_put_kv_raw(p, "context_management", request->management);
    if (!send->counts) {
        put_labels(p, request, target);
        if (target == GH_HUB_MESSAGES && send->inference_geo.len != 0) {
            gh_hub_put_kv_text(p, "inference_geo", send->inference_geo);
        }
    }
    gh_hub_put_close(p, '}');

    return GH_OK;
}
