/* Anthropic Messages, requests as they are read, in InvokeModel too. Source: anthropic-sdk-python's anthropic/types. */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/messages.h"

/* ---- blocks ---- */

typedef struct {
    gh_str_t        type, text, thinking, signature, data, id, name, input, tool_use_id, title, context;
    gh_str_t        source_type, source_media, source_data, source_url, source;
    gh_hub_part_t  *content, *source_content;
    gh_hub_citation_t *citations;
    bool            is_error, cites;
    gh_hub_cache_t  cache;
} block_t;

static int
read_source_content(gh_hub_reader_t *r, void *object)
{
    return messages_content_read(r, &((block_t *) object)->source_content);
}

static const gh_hub_field_t source_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, block_t, source_type),
    GH_HUB_FIELD("media_type", STRING, GH_ASKS, block_t, source_media),
    GH_HUB_FIELD("data", STRING, GH_ASKS, block_t, source_data),
    GH_HUB_FIELD("url", STRING, GH_ASKS, block_t, source_url),
    GH_HUB_ASKED("file_id", PRESENT, GH_ASK_FILE_ID),
    GH_HUB_READS("content", read_source_content),
};

/* Of search results it is a string. */
static int
read_source(gh_hub_reader_t *r, void *object)
{
    return r->json.event == GH_JSON_STRING ? gh_hub_string(r, &((block_t *) object)->source)
        : GH_HUB_EXPECT_OBJECT(r, source_fields, object);
}

static int
read_block_content(gh_hub_reader_t *r, void *object)
{
    return messages_content_read(r, &((block_t *) object)->content);
}

static int
read_block_cache(gh_hub_reader_t *r, void *object)
{
    return gh_hub_read_cache(r, &((block_t *) object)->cache);
}

/* Of a document {"enabled": true}, of a text those of an earlier answer. */
static int
read_citations(gh_hub_reader_t *r, void *object)
{
    block_t *block = object;
    gh_str_t raw;

    if (r->json.event == GH_JSON_OBJECT_BEGIN) {
        return gh_hub_read_citing(r, &block->cites);
    }
    if (block->type.data != NULL && !gh_hub_is(block->type, "text")) {
        gh_hub_ask(r, GH_ASK_CITED);        /* of a block that nobody knows, whatever it is */
        return gh_hub_raw(r, &raw);
    }
    return gh_hub_citations(r, messages_citation_read, &block->citations);
}

/* {"type": "direct"} is what every caller of a client's own tool is. */
static const gh_hub_field_t caller_fields[] = {
    GH_HUB_SKIPS("type"),
    GH_HUB_ASKED("tool_id", PRESENT, GH_ASK_HOSTED_TOOL),
};

static int
read_caller(gh_hub_reader_t *r, void *object)
{
    (void) object;
    return GH_HUB_EXPECT_OBJECT(r, caller_fields, NULL);
}

static const gh_hub_field_t block_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, block_t, type),
    GH_HUB_FIELD("text", STRING, GH_ASKS, block_t, text),
    GH_HUB_FIELD("thinking", STRING, GH_ASKS, block_t, thinking),
    GH_HUB_FIELD("signature", STRING, GH_ASKS, block_t, signature),
    GH_HUB_FIELD("data", STRING, GH_ASKS, block_t, data),
    GH_HUB_FIELD("id", STRING, GH_ASKS, block_t, id),
    GH_HUB_FIELD("name", STRING, GH_ASKS, block_t, name),
    GH_HUB_FIELD("input", RAW, GH_ASKS, block_t, input),
    GH_HUB_FIELD("tool_use_id", STRING, GH_ASKS, block_t, tool_use_id),
    GH_HUB_READS("content", read_block_content),
    GH_HUB_FIELD("is_error", BOOL, GH_ASKS, block_t, is_error),
    GH_HUB_READS("source", read_source),
    GH_HUB_FIELD("title", STRING, GH_ASKS, block_t, title),
    GH_HUB_FIELD("context", STRING, GH_ASKS, block_t, context),
    GH_HUB_READS("citations", read_citations),
    GH_HUB_READS("cache_control", read_block_cache),
    GH_HUB_READS("caller", read_caller),
    GH_HUB_ASKED("toolset_name", PRESENT, GH_ASK_HOSTED_TOOL),
    GH_HUB_ASKED("transformations", PRESENT, GH_ASK_UNKNOWN),
};

static int
block_media(gh_hub_reader_t *r, const block_t *read, gh_hub_part_t *part, size_t offset)
{
    part->media_type = read->source_media;
    part->text = read->source_data;

    if (gh_hub_is(read->source_type, "url")) {
        part->source = GH_HUB_URL;
        part->text = read->source_url;
    } else if (gh_hub_is(read->source_type, "text")) {
        part->source = GH_HUB_PLAIN;
    } else if (gh_hub_is(read->source_type, "content") && part->kind == GH_HUB_DOCUMENT) {
        part->source = GH_HUB_BLOCKS;
        part->parts = read->source_content;
        part->text = GH_STR("");
    } else if (!gh_hub_is(read->source_type, "base64") || part->media_type.data == NULL) {
        gh_hub_ask_at(r, gh_hub_is(read->source_type, "file") ? GH_ASK_FILE_ID : GH_ASK_UNKNOWN, offset);
        part->text = GH_STR("");
        return GH_OK;
    }

    if (part->text.data == NULL) {
        return gh_hub_invalid(r, "must have a source with its data or its URL");
    }

    if (part->kind == GH_HUB_IMAGE) {
        gh_hub_ask_image(r, part, offset);
    } else {
        part->name = read->title;
        part->context = read->context;
        part->cites = read->cites;
        gh_hub_ask_document(r, part, offset);
    }

    return GH_OK;
}

static int
block_search_result(gh_hub_reader_t *r, const block_t *read, gh_hub_part_t *part, size_t offset)
{
    if (read->source.data == NULL || read->title.data == NULL || read->content == NULL) {
        return gh_hub_invalid(r, "must have a source that is a string, a title and a content that is not empty");
    }

    part->text = read->source;
    part->name = read->title;
    part->parts = read->content;
    part->cites = read->cites;
    gh_hub_ask_at(r, GH_ASK_SEARCH_RESULTS, offset);
    gh_hub_ask_blocks(r, part, offset);

    return GH_OK;
}

static int
block_result(gh_hub_reader_t *r, const block_t *read, gh_hub_part_t *part, size_t offset)
{
    const gh_hub_part_t *inner;

    if (read->tool_use_id.data == NULL) {
        return gh_hub_invalid(r, "must have a tool_use_id");
    }

    part->id = read->tool_use_id;
    part->parts = read->content;
    part->failed = read->is_error;
    if (part->failed) {
        gh_hub_ask_at(r, GH_ASK_RESULT_FAILED, offset);
    }

    for (inner = part->parts; inner != NULL; inner = inner->next) {
        if (inner->kind != GH_HUB_TEXT && inner->kind != GH_HUB_SEARCH_RESULT) {
            gh_hub_ask_at(r, GH_ASK_RESULT_MEDIA, offset);
        }
    }

    return GH_OK;
}

static int
block_part(gh_hub_reader_t *r, const block_t *read, gh_hub_part_t *part, size_t offset)
{
    part->cache = read->cache;

    switch (part->kind) {

    case GH_HUB_TEXT:
        part->text = read->text;
        part->citations = read->citations;
        return part->text.data != NULL ? GH_OK : gh_hub_invalid(r, "must have a text");

    case GH_HUB_REASONING:
        part->text = read->thinking;
        part->signature = read->signature;
        gh_hub_ask_reasoning(r, part, offset);
        return part->text.data != NULL ? GH_OK : gh_hub_invalid(r, "must have a thinking");

    case GH_HUB_REDACTED:
        part->text = read->data;
        gh_hub_ask_reasoning(r, part, offset);
        return part->text.data != NULL ? GH_OK : gh_hub_invalid(r, "must have data");

    case GH_HUB_TOOL_CALL:
        part->id = read->id;
        part->name = read->name;
        part->input = read->input;
        r->request->values_bytes += part->input.len;
        return part->id.data != NULL && part->name.data != NULL && part->input.len != 0 && part->input.data[0] == '{' ? GH_OK
            : gh_hub_invalid(r, "must have an id, a name and an input that is an object");

    case GH_HUB_TOOL_RESULT:
        return block_result(r, read, part, offset);

    case GH_HUB_SEARCH_RESULT:
        return block_search_result(r, read, part, offset);

    default:
        return block_media(r, read, part, offset);
    }
}

static int
read_block(gh_hub_reader_t *r, gh_hub_part_t ***tail)
{
    static const struct {
        const char *type;
        uint8_t     kind;
    } kinds[] = {
        { "text", GH_HUB_TEXT }, { "tool_use", GH_HUB_TOOL_CALL }, { "tool_result", GH_HUB_TOOL_RESULT }, { "image", GH_HUB_IMAGE },
        { "thinking", GH_HUB_REASONING }, { "redacted_thinking", GH_HUB_REDACTED }, { "document", GH_HUB_DOCUMENT },
        { "search_result", GH_HUB_SEARCH_RESULT },
    };
    gh_hub_part_t *part;
    size_t         offset = r->json.token_offset, i;
    block_t        read;

    memset(&read, 0, sizeof(read));
    if (GH_HUB_EXPECT_OBJECT(r, block_fields, &read) != GH_OK) {
        return GH_ERROR;
    }

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (gh_hub_is(read.type, kinds[i].type)) {
            part = gh_hub_part_add(r, tail, kinds[i].kind);
            return part != NULL ? block_part(r, &read, part, offset) : GH_ERROR;
        }
    }

    gh_hub_ask_at(r, GH_ASK_HOSTED_TOOL, offset);
    return GH_OK;
}

int
messages_content_read(gh_hub_reader_t *r, gh_hub_part_t **parts)
{
    gh_hub_part_t **tail = parts, *part;
    gh_str_t        raw;
    int             status;

    if (r->json.event == GH_JSON_STRING) {
        part = gh_hub_part_add(r, &tail, GH_HUB_TEXT);
        return part != NULL ? gh_hub_string(r, &part->text) : GH_ERROR;
    }

    if (r->json.event == GH_JSON_OBJECT_BEGIN) {
        return gh_hub_raw(r, &raw);    /* of a hosted tool's result, whose type is refused */
    }

    if (r->json.event != GH_JSON_ARRAY_BEGIN) {
        return gh_hub_invalid(r, "must be a string or an array of blocks");
    }

    while (gh_hub_element(r, &status)) {
        if (read_block(r, &tail) != GH_OK) {
            return GH_ERROR;
        }
    }

    return status;
}

/* ---- messages ---- */

static int
read_message_content(gh_hub_reader_t *r, void *object)
{
    return messages_content_read(r, &((gh_hub_turn_t *) object)->content);
}

static const gh_hub_field_t message_fields[] = {
    GH_HUB_FIELD("role", STRING, GH_ASKS, gh_hub_turn_t, role),
    GH_HUB_READS("content", read_message_content),
};

static int
read_messages(gh_hub_reader_t *r, void *object)
{
    return gh_hub_read_turns(r, object, message_fields, sizeof(message_fields) / sizeof(message_fields[0]));
}

/* In front of all messages, wherever it stands in the body. */
static int
read_system(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_hub_message_t *message = gh_hub_new(r, sizeof(gh_hub_message_t));

    if (message == NULL || messages_content_read(r, &message->parts) != GH_OK) {
        return GH_ERROR;
    }

    if (message->parts != NULL) {
        message->role = GH_HUB_SYSTEM;
        message->next = request->messages;
        request->messages = message;
    }

    return GH_OK;
}

/* ---- tools ---- */

static int
read_tool_cache(gh_hub_reader_t *r, void *object)
{
    return gh_hub_read_cache(r, &((gh_hub_tool_t *) object)->cache);
}

/* Only a hosted tool has a type but "custom". */
static int
read_tool_type(gh_hub_reader_t *r, void *object)
{
    gh_str_t type;

    (void) object;

    if (gh_hub_string(r, &type) != GH_OK) {
        return GH_ERROR;
    }
    if (!gh_hub_is(type, "custom")) {
        gh_hub_ask(r, GH_ASK_HOSTED_TOOL);
    }

    return GH_OK;
}

static const gh_hub_field_t tool_fields[] = {
    GH_HUB_FIELD("name", STRING, GH_ASKS, gh_hub_tool_t, name),
    GH_HUB_FIELD("description", STRING, GH_ASKS, gh_hub_tool_t, description),
    GH_HUB_FIELD("input_schema", RAW, GH_ASKS, gh_hub_tool_t, schema),
    GH_HUB_FIELD("strict", WORD, GH_ASK_TOOL_STRICT, gh_hub_tool_t, strict),
    GH_HUB_READS("type", read_tool_type),
    GH_HUB_READS("cache_control", read_tool_cache),
    GH_HUB_READS("allowed_callers", gh_hub_read_callers),
    GH_HUB_ASKED("defer_loading", TRUE, GH_ASK_TOOL_DEFERRED),
    GH_HUB_ASKED("input_examples", FILLED, GH_ASK_TOOL_OPTIONS),
    GH_HUB_ASKED("eager_input_streaming", PRESENT, GH_ASK_TOOL_OPTIONS),
};

/* Anthropic's own that the client runs: all of it is kept as it is written. */
static const gh_hub_field_t client_tool_fields[] = {
    GH_HUB_FIELD("name", STRING, GH_ASKS, gh_hub_tool_t, name),
    GH_HUB_SKIPS("type"), GH_HUB_SKIPS("cache_control"), GH_HUB_SKIPS("display_height_px"), GH_HUB_SKIPS("display_width_px"), GH_HUB_SKIPS("display_number"),
    GH_HUB_SKIPS("enable_zoom"), GH_HUB_SKIPS("max_characters"),
};

/* The object to come, whose beginning has been read. */
static bool
runs_at_client(const gh_hub_reader_t *r)
{
    static const char *const kinds[] = { "bash_", "text_editor_", "computer_2", "memory_" };
    gh_json_reader_t         ahead = r->json;
    size_t                   length;
    bool                     found = false;

    if (ahead.event != GH_JSON_OBJECT_BEGIN) {
        return false;
    }
    while (gh_json_next(&ahead) == GH_JSON_KEY) {
        if (!gh_json_token_is(&ahead, GH_STR("type"))) {
            if (gh_json_skip(&ahead) != GH_OK) {
                return false;
            }
        } else if (gh_json_next(&ahead) == GH_JSON_STRING) {
            for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                found |= gh_hub_starts(ahead.token, kinds[i], &length);
            }
            return found;
        } else {
            return false;
        }
    }

    return false;
}

/* Each as it is written for Messages; kept: of a body of Converse, whose own tools stand elsewhere. */
static int
tools_read(gh_hub_reader_t *r, gh_hub_request_t *request, bool kept)
{
    gh_hub_tool_t **tail, *tool;
    size_t          offset;
    int             status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    for (tail = &request->tools; *tail != NULL; tail = &(*tail)->next) { }

    while (gh_hub_element(r, &status)) {
        offset = r->json.token_offset;
        tool = gh_hub_new(r, sizeof(gh_hub_tool_t));
        if (tool == NULL) {
            return GH_ERROR;
        }
        if (kept && runs_at_client(r)) {
            if (GH_HUB_EXPECT_OBJECT(r, client_tool_fields, tool) != GH_OK) {
                return GH_ERROR;
            }
            tool->raw = (gh_str_t) { r->body.data + offset, r->json.token_end - offset };
            gh_hub_ask_at(r, GH_ASK_CLIENT_TOOL, offset);
        } else if (GH_HUB_EXPECT_OBJECT(r, tool_fields, tool) != GH_OK) {
            return GH_ERROR;
        }
        if (tool->name.data == NULL) {
            return gh_hub_invalid(r, "must have a name");
        }
        gh_hub_ask_at(r, GH_ASK_TOOLS, offset);
        request->values_bytes += tool->schema.len;
        *tail = tool;
        tail = &tool->next;
    }

    return status;
}

static int
read_tools(gh_hub_reader_t *r, void *object)
{
    return tools_read(r, object, false);
}

int
messages_tools_read(gh_hub_reader_t *r, void *object)
{
    return tools_read(r, object, true);
}

typedef struct {
    gh_str_t type, name;
    bool     one_call;
} choice_t;

static const gh_hub_field_t choice_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, choice_t, type),
    GH_HUB_FIELD("name", STRING, GH_ASKS, choice_t, name),
    GH_HUB_FIELD("disable_parallel_tool_use", BOOL, GH_ASKS, choice_t, one_call),
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

    if (gh_hub_is(read.type, "none")) {
        request->choice = GH_HUB_CHOICE_NONE;
    } else if (gh_hub_is(read.type, "auto")) {
        request->choice = GH_HUB_CHOICE_AUTO;
    } else if (gh_hub_is(read.type, "any")) {
        request->choice = GH_HUB_CHOICE_REQUIRED;
    } else if (gh_hub_is(read.type, "tool") && read.name.data != NULL) {
        request->choice = GH_HUB_CHOICE_TOOL;
        request->choice_name = read.name;
    } else {
        return gh_hub_invalid(r, "must have a type: auto, any, none, or tool with a name");
    }

    gh_hub_ask_at(r, request->choice == GH_HUB_CHOICE_NONE ? GH_ASK_TOOL_CHOICE_NONE : GH_ASK_TOOL_CHOICE, offset);
    if (read.one_call) {
        request->one_call = true;
        gh_hub_ask_at(r, GH_ASK_ONE_CALL, offset);
    }

    return GH_OK;
}

/* ---- the rest of the body ---- */

static const gh_hub_field_t format_fields[] = {
    GH_HUB_SKIPS("type"),
    GH_HUB_FIELD("schema", RAW, GH_ASK_JSON_SCHEMA, gh_hub_request_t, schema),
};

static int
read_format(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, format_fields, object);
}

static const gh_hub_field_t output_fields[] = {
    GH_HUB_READS("effort", gh_hub_read_effort),
    GH_HUB_READS("format", read_format),
};

int
messages_output_read(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;

    if (GH_HUB_EXPECT_OBJECT(r, output_fields, object) != GH_OK) {
        return GH_ERROR;
    }

    request->values_bytes += request->schema.len;
    return GH_OK;
}

static const gh_hub_field_t metadata_fields[] = {
    GH_HUB_READS("user_id", gh_hub_read_user),
};

static int
read_metadata(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, metadata_fields, object);
}

static int
read_tier(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_str_t          tier;

    if (gh_hub_string(r, &tier) != GH_OK) {
        return GH_ERROR;
    }

    if (gh_hub_is(tier, "auto")) {
        request->tier = GH_HUB_TIER_AUTO;
    } else if (gh_hub_is(tier, "standard_only")) {
        request->tier = GH_HUB_TIER_DEFAULT;
        gh_hub_ask(r, GH_ASK_TIER_DEFAULT);
    } else {
        gh_hub_ask(r, GH_ASK_UNKNOWN);
    }

    return GH_OK;
}

/* Flags, which stay as they are written. */
int
gh_hub_read_betas(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    const char       *begin = r->body.data + r->json.token_offset;
    int               status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }
    while (gh_hub_string_element(r, &status)) {
        gh_hub_ask(r, GH_ASK_BETA);
        request->betas_written++;
    }

    request->betas = (gh_str_t) { begin, (size_t) (r->body.data + r->json.token_end - begin) };
    return status;
}

#define SHARED_FIELDS \
    GH_HUB_FIELD("max_tokens", COUNT, GH_ASK_MAX_TOKENS, gh_hub_request_t, max_tokens), \
    GH_HUB_READS("messages", read_messages), \
    GH_HUB_READS("system", read_system), \
    GH_HUB_READS("tools", read_tools), \
    GH_HUB_READS("tool_choice", read_choice), \
    GH_HUB_READS("temperature", gh_hub_read_temperature), \
    GH_HUB_FIELD("top_p", NUMBER, GH_ASK_TOP_P, gh_hub_request_t, top_p), \
    GH_HUB_FIELD("top_k", NUMBER, GH_ASK_TOP_K, gh_hub_request_t, top_k), \
    GH_HUB_READS("stop_sequences", gh_hub_read_stop), \
    GH_HUB_FIELD("thinking", RAW, GH_ASK_THINKING, gh_hub_request_t, thinking), \
    GH_HUB_READS("output_config", messages_output_read), \
    GH_HUB_READS("context_management", messages_management_read), \
    GH_HUB_READS("metadata", read_metadata), \
    GH_HUB_ASKED("cache_control", PRESENT, GH_ASK_CACHE_OPTIONS), \
    GH_HUB_ASKED("inference_geo", PRESENT, GH_ASK_INFERENCE_GEO), \
    GH_HUB_ASKED("container", PRESENT, GH_ASK_STATE)

static const gh_hub_field_t body_fields[] = {
    GH_HUB_FIELD("model", STRING, GH_ASKS, gh_hub_request_t, model),
    GH_HUB_FIELD("stream", BOOL, GH_ASKS, gh_hub_request_t, stream),
    SHARED_FIELDS,
    GH_HUB_READS("service_tier", read_tier),
};

/* Of InvokeModel: model and stream are said by the path, the tier by a header. */
static const gh_hub_field_t invoke_fields[] = {
    GH_HUB_SKIPS("anthropic_version"),
    SHARED_FIELDS,
    GH_HUB_READS("anthropic_beta", gh_hub_read_betas),
};

int
messages_request_read(gh_hub_reader_t *r, gh_hub_request_t *request)
{
    int rc = request->dialect == GH_HUB_INVOKE ? GH_HUB_OBJECT(r, invoke_fields, request) : GH_HUB_OBJECT(r, body_fields, request);

    if (rc != GH_OK) {
        return GH_ERROR;
    }

    return request->messages != NULL ? GH_OK : gh_error_set(r->error, r->invalid, "messages is missing: it must be an array that is not empty");
}
