/* Bedrock Converse, requests and blocks as they are written. */
#include "ngx_module/wire/hub/converse.h"

static void
put_point(gh_hub_put_t *p, gh_hub_cache_t cache)
{
    if (cache == GH_HUB_NO_CACHE) {
        return;
    }

    gh_hub_put_open(p, '{');
    if (cache >= GH_HUB_CACHE_30M) {
        GH_HUB_PUT(p, "\"cachePoint\":{\"type\":\"default\",\"ttl\":\"1h\"}}");
    } else if (cache == GH_HUB_CACHE_5M) {
        GH_HUB_PUT(p, "\"cachePoint\":{\"type\":\"default\",\"ttl\":\"5m\"}}");
    } else {
        GH_HUB_PUT(p, "\"cachePoint\":{\"type\":\"default\"}}");
    }
}

/*
 * A document's name may hold letters, digits, single spaces, hyphens, parentheses and square brackets, and has to be there: everything else becomes
 * a hyphen. The name's end that says the format goes, the format stands beside it.
 */
static void
put_name(gh_hub_put_t *p, gh_str_t name, const char *format)
{
    size_t i, n = strlen(format);
    char   last = ' ', c;
    bool   any = false;

    if (name.len > n + 1 && name.data[name.len - n - 1] == '.' && gh_str_eq_nocase((gh_str_t) { name.data + name.len - n, n }, gh_str_from(format))) {
        name.len -= n + 1;
    }

    gh_hub_put_key(p, "name");
    GH_HUB_PUT(p, "\"");
    for (i = 0; i < name.len && i < 200; i++) {
        c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || memchr(" -()[]", c, 6) != NULL)) {
            c = '-';
        }
        if (c == last && c == ' ') {
            continue;
        }
        gh_hub_put(p, (gh_str_t) { &c, 1 });
        last = c;
        any = true;
    }
    if (!any) {
        GH_HUB_PUT(p, "document");
    }
    GH_HUB_PUT(p, "\"");
}

static void
put_media(gh_hub_put_t *p, const gh_hub_part_t *part)
{
    const char *format = part->source == GH_HUB_PLAIN || part->source == GH_HUB_BLOCKS ? "txt" : gh_hub_media_format(part->kind, part->media_type);

    /* what has no word here was refused */
    format = format != NULL ? format : "txt";

    gh_hub_put_key(p, part->kind == GH_HUB_IMAGE ? "image" : part->kind == GH_HUB_AUDIO ? "audio" : "document");
    gh_hub_put_open(p, '{');
    gh_hub_put_kv_string(p, "format", gh_str_from(format));
    if (part->kind == GH_HUB_DOCUMENT) {
        put_name(p, part->name, format);
        gh_hub_put_kv_string(p, "context", part->context);
    }
    GH_HUB_PUT(p, ",\"source\":{");
    if (part->source == GH_HUB_BLOCKS) {
        converse_put_texts(p, part->parts);
    } else {
        gh_hub_put_kv_string(p, part->source == GH_HUB_PLAIN ? "text" : "bytes", part->text);
    }
    GH_HUB_PUT(p, "}");
    gh_hub_put_citing(p, part);
    GH_HUB_PUT(p, "}");
}

static void
put_block(gh_hub_put_t *p, const gh_hub_part_t *part, gh_hub_writes_t writes)
{
    const gh_hub_part_t *inner;

    gh_hub_put_open(p, '{');

    switch (part->kind) {

    case GH_HUB_IMAGE:
    case GH_HUB_DOCUMENT:
    case GH_HUB_AUDIO:
        put_media(p, part);
        break;

    case GH_HUB_REASONING:
        GH_HUB_PUT(p, "\"reasoningContent\":{\"reasoningText\":{");
        gh_hub_put_kv_string(p, "text", part->text.data != NULL ? part->text : GH_STR(""));
        if (part->signature.len != 0) {
            gh_hub_put_kv_string(p, "signature", part->signature);
        }
        GH_HUB_PUT(p, "}}");
        break;

    case GH_HUB_REDACTED:
        GH_HUB_PUT(p, "\"reasoningContent\":{");
        gh_hub_put_kv_string(p, "redactedContent", part->text);
        GH_HUB_PUT(p, "}");
        break;

    case GH_HUB_TOOL_CALL:
        GH_HUB_PUT(p, "\"toolUse\":{");
        gh_hub_put_kv_call_id(p, "toolUseId", part->id);
        gh_hub_put_kv_string(p, "name", part->name);
        gh_hub_put_kv_raw(p, "input", part->input);
        GH_HUB_PUT(p, "}");
        break;

    case GH_HUB_TOOL_RESULT:
        GH_HUB_PUT(p, "\"toolResult\":{");
        gh_hub_put_kv_call_id(p, "toolUseId", part->id);
        gh_hub_put_key(p, "content");
        gh_hub_put_open(p, '[');
        for (inner = part->parts; inner != NULL; inner = inner->next) {
            put_block(p, inner, GH_HUB_WRITES_NONE);
        }
        gh_hub_put_close(p, ']');
        if (part->failed) {
            GH_HUB_PUT(p, ",\"status\":\"error\"");
        }
        GH_HUB_PUT(p, "}");
        break;

    case GH_HUB_SEARCH_RESULT:
        GH_HUB_PUT(p, "\"searchResult\":{");
        gh_hub_put_kv_string(p, "source", part->text);
        gh_hub_put_kv_string(p, "title", part->name);
        converse_put_texts(p, part->parts);
        gh_hub_put_citing(p, part);
        GH_HUB_PUT(p, "}");
        break;

    default:
        if (!converse_put_cited(p, part, writes)) {
            gh_hub_put_kv_string(p, "text", part->text);
        }
        break;
    }

    gh_hub_put_close(p, '}');
}

void
converse_put_part(gh_hub_put_t *p, const gh_hub_part_t *part, gh_hub_writes_t writes)
{
    put_block(p, part, writes);
    put_point(p, part->cache);
}

/* Empty texts are refused by the provider. */
static bool
is_written(const gh_hub_part_t *part)
{
    return (part->kind != GH_HUB_TEXT && part->kind != GH_HUB_REFUSAL) || part->text.len != 0;
}

/* Of messages from first up to last; false: there is none, and nothing was written. */
static bool
put_content(gh_hub_put_t *p, const char *key, const gh_hub_message_t *first, const gh_hub_message_t *last, bool citing)
{
    const gh_hub_part_t *part;
    size_t               begin = p->len;
    bool                 any = false;

    gh_hub_put_key(p, key);
    gh_hub_put_open(p, '[');
    for (; first != last; first = first->next) {
        for (part = first->parts; part != NULL; part = part->next) {
            if (is_written(part)) {
                converse_put_part(p, part, citing && first->role == GH_HUB_ASSISTANT ? GH_HUB_WRITES_SOURCES : GH_HUB_WRITES_NONE);
                any = true;
            }
        }
    }
    gh_hub_put_close(p, ']');

    if (!any) {
        p->len = begin;
    }
    return any;
}

static bool
put_plain(gh_hub_put_t *p, const char *key, const gh_hub_message_t *first, const gh_hub_message_t *last)
{
    return put_content(p, key, first, last, false);
}

static bool
put_cited(gh_hub_put_t *p, const char *key, const gh_hub_message_t *first, const gh_hub_message_t *last)
{
    return put_content(p, key, first, last, true);
}

static void
put_tools(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    const gh_hub_tool_t *tool;

    if (request->tools == NULL) {
        return;
    }

    GH_HUB_PUT(p, ",\"toolConfig\":{\"tools\":[");
    for (tool = request->tools; tool != NULL; tool = tool->next) {
        gh_hub_put_open(p, '{');
        GH_HUB_PUT(p, "\"toolSpec\":{");
        gh_hub_put_kv_string(p, "name", tool->name);
        gh_hub_put_kv_string(p, "description", tool->description.len != 0 ? tool->description : (gh_str_t) { NULL, 0 });
        GH_HUB_PUT(p, ",\"inputSchema\":{");
        gh_hub_put_kv_raw(p, "json", tool->schema.data != NULL ? tool->schema : GH_STR("{\"type\":\"object\",\"properties\":{}}"));
        GH_HUB_PUT(p, "}");
        gh_hub_put_kv_raw(p, "strict", tool->strict);
        GH_HUB_PUT(p, "}}");
        put_point(p, tool->cache);
    }
    GH_HUB_PUT(p, "]");

    if (request->choice == GH_HUB_CHOICE_AUTO) {
        GH_HUB_PUT(p, ",\"toolChoice\":{\"auto\":{}}");
    } else if (request->choice == GH_HUB_CHOICE_REQUIRED) {
        GH_HUB_PUT(p, ",\"toolChoice\":{\"any\":{}}");
    } else if (request->choice == GH_HUB_CHOICE_TOOL) {
        GH_HUB_PUT(p, ",\"toolChoice\":{\"tool\":{");
        gh_hub_put_kv_string(p, "name", request->choice_name);
        GH_HUB_PUT(p, "}}");
    }
    GH_HUB_PUT(p, "}");
}

static void
put_inference(gh_hub_put_t *p, const gh_hub_request_t *request, uint64_t maximum)
{
    if (maximum == 0 && request->temperature.data == NULL && request->top_p.data == NULL && request->stop.data == NULL) {
        return;
    }

    GH_HUB_PUT(p, ",\"inferenceConfig\":{");
    if (maximum != 0) {
        gh_hub_put_kv_u64(p, "maxTokens", maximum);
    }
    gh_hub_put_kv_raw(p, "temperature", request->temperature);
    gh_hub_put_kv_raw(p, "topP", request->top_p);
    if (request->stop.data != NULL && request->stop.data[0] == '[') {
        gh_hub_put_kv_raw(p, "stopSequences", request->stop);
    } else if (request->stop.data != NULL) {
        gh_hub_put_key(p, "stopSequences");
        gh_hub_put_open(p, '[');
        gh_hub_put_raw(p, request->stop);
        gh_hub_put_close(p, ']');
    }
    GH_HUB_PUT(p, "}");
}

static void
put_output(gh_hub_put_t *p, const gh_hub_request_t *request, bool effort)
{
    GH_HUB_PUT(p, ",\"outputConfig\":{");
    if (request->schema.data != NULL) {
        GH_HUB_PUT(p, "\"textFormat\":{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":{");
        gh_hub_put_kv_text(p, "schema", request->schema);
        gh_hub_put_kv_string(p, "name", request->schema_name);
        gh_hub_put_kv_string(p, "description", request->schema_description);
        GH_HUB_PUT(p, "}}}");
    }
    if (effort && !gh_hub_effort_none(request)) {
        gh_hub_put_kv_string(p, "effort", request->effort);
    }
    GH_HUB_PUT(p, "}");
}

int
converse_request_write(gh_hub_put_t *p, const gh_hub_request_t *request, gh_hub_dialect_t target, const gh_hub_send_t *send, gh_error_t *error)
{
    const gh_hub_message_t *message;
    bool                    anthropic = target == GH_HUB_CONVERSE_ANTHROPIC;

    (void) error;

    for (message = request->messages; message != NULL && message->role <= GH_HUB_DEVELOPER; message = message->next) { }

    gh_hub_put_open(p, '{');
    gh_hub_put_turns(p, message, gh_hub_rows[target]->asks[GH_ASK_CITED_SOURCE] == GH_HUB_MAPS ? put_cited : put_plain);
    put_plain(p, "system", request->messages, message);
    put_inference(p, request, gh_hub_maximum(request, send));
    put_tools(p, request);

    if (request->schema.data != NULL || (anthropic && request->effort.data != NULL && !gh_hub_effort_none(request))) {
        put_output(p, request, anthropic);
    }
    converse_model_write(p, request, target);
    converse_put_tier(p, request->tier);
    converse_put_said(p, request);
    gh_hub_put_close(p, '}');

    return GH_OK;
}
