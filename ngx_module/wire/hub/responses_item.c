/* OpenAI Responses, items of inputs and outputs as they are read. Source: openai-python's openai/types/responses. */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/responses.h"

/* ---- parts of a message, and of a call's output ---- */

typedef struct {
    gh_str_t           type, text, refusal, image_url, detail, file_data, file_url, filename, logprobs;
    gh_hub_cache_t     cache;
    gh_hub_citation_t *citations;
} part_t;

static int
read_cache(gh_hub_reader_t *r, void *object)
{
    return gh_hub_read_cache(r, &((part_t *) object)->cache);
}

/* "auto" is what it is without. */
static int
read_detail(gh_hub_reader_t *r, void *object)
{
    part_t *part = object;

    if (gh_hub_string(r, &part->detail) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_hub_is(part->detail, "auto")) {
        part->detail = (gh_str_t) { NULL, 0 };
    } else {
        gh_hub_ask(r, GH_ASK_IMAGE_DETAIL);
    }

    return GH_OK;
}

typedef struct {
    gh_str_t          type;
    gh_hub_citation_t page;
} annotation_t;

static const gh_hub_field_t annotation_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, annotation_t, type),
    GH_HUB_FIELD("start_index", COUNT, GH_ASKS, annotation_t, page.start),
    GH_HUB_FIELD("end_index", COUNT, GH_ASKS, annotation_t, page.end),
    GH_HUB_FIELD("url", STRING, GH_ASKS, annotation_t, page.url),
    GH_HUB_FIELD("title", STRING, GH_ASKS, annotation_t, page.title),
};

/* It cites a web page or nothing. */
int
responses_annotation_read(gh_hub_reader_t *r, gh_hub_citation_t *citation)
{
    annotation_t read;

    memset(&read, 0, sizeof(read));
    if (GH_HUB_EXPECT_OBJECT(r, annotation_fields, &read) != GH_OK) {
        return GH_ERROR;
    }
    *citation = read.page;
    citation->kind = citation->url.data != NULL && gh_hub_is(read.type, "url_citation") ? GH_HUB_CITES_WEB : GH_HUB_CITES_NOTHING;

    return GH_OK;
}

/* Of an answer; those of earlier ones are dropped. */
static int
read_annotations(gh_hub_reader_t *r, void *object)
{
    return gh_hub_citations(r, responses_annotation_read, &((part_t *) object)->citations);
}

static const gh_hub_field_t part_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, part_t, type),
    GH_HUB_FIELD("text", STRING, GH_ASKS, part_t, text),
    GH_HUB_FIELD("refusal", STRING, GH_ASKS, part_t, refusal),
    GH_HUB_FIELD("image_url", STRING, GH_ASKS, part_t, image_url),
    GH_HUB_READS("detail", read_detail),
    GH_HUB_FIELD("file_data", STRING, GH_ASKS, part_t, file_data),
    GH_HUB_FIELD("file_url", STRING, GH_ASKS, part_t, file_url),
    GH_HUB_FIELD("filename", STRING, GH_ASKS, part_t, filename),
    GH_HUB_ASKED("file_id", PRESENT, GH_ASK_FILE_ID),
    GH_HUB_READS("annotations", read_annotations),
    GH_HUB_READS("prompt_cache_breakpoint", read_cache),
    GH_HUB_FIELD("logprobs", RAW, GH_ASKS, part_t, logprobs),
};

static int
part_media(gh_hub_reader_t *r, const part_t *read, gh_hub_part_t *part, size_t offset)
{
    if (part->kind == GH_HUB_IMAGE) {
        part->detail = read->detail;
        if (read->image_url.data == NULL) {
            gh_hub_ask_at(r, GH_ASK_FILE_ID, offset);
            return GH_OK;
        }
        if (!gh_hub_data_url(read->image_url, &part->media_type, &part->text)) {
            part->source = GH_HUB_URL;
            part->text = read->image_url;
        }
        gh_hub_ask_image(r, part, offset);
        return GH_OK;
    }

    part->name = read->filename;
    if (read->file_url.data != NULL) {
        part->source = GH_HUB_URL;
        part->text = read->file_url;
    } else if (read->file_data.data == NULL) {
        gh_hub_ask_at(r, GH_ASK_FILE_ID, offset);
        return GH_OK;
    } else if (!gh_hub_data_url(read->file_data, &part->media_type, &part->text)) {
        gh_hub_ask_at(r, GH_ASK_UNKNOWN, offset);
        return GH_OK;
    }
    gh_hub_ask_document(r, part, offset);

    return GH_OK;
}

static int
read_part(gh_hub_reader_t *r, gh_hub_part_t ***tail)
{
    static const struct {
        const char *type;
        uint8_t     kind;
    } kinds[] = {
        { "input_text", GH_HUB_TEXT }, { "output_text", GH_HUB_TEXT }, { "text", GH_HUB_TEXT }, { "refusal", GH_HUB_REFUSAL },
        { "input_image", GH_HUB_IMAGE }, { "input_file", GH_HUB_DOCUMENT }, { "reasoning_text", GH_HUB_TEXT }, { "summary_text", GH_HUB_TEXT },
    };
    gh_hub_part_t *part;
    size_t         offset = r->json.token_offset, i;
    part_t         read;

    memset(&read, 0, sizeof(read));
    if (GH_HUB_EXPECT_OBJECT(r, part_fields, &read) != GH_OK) {
        return GH_ERROR;
    }

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (gh_hub_is(read.type, kinds[i].type)) {
            break;
        }
    }
    if (i == sizeof(kinds) / sizeof(kinds[0])) {
        gh_hub_ask_at(r, GH_ASK_UNKNOWN, offset);
        return GH_OK;
    }

    part = gh_hub_part_add(r, tail, kinds[i].kind);
    if (part == NULL) {
        return GH_ERROR;
    }
    part->cache = read.cache;

    if (part->kind == GH_HUB_IMAGE || part->kind == GH_HUB_DOCUMENT) {
        return part_media(r, &read, part, offset);
    }

    part->text = part->kind == GH_HUB_TEXT ? read.text : read.refusal;
    part->logprobs = gh_hub_elements(read.logprobs);
    part->citations = read.citations;
    return part->text.data != NULL ? GH_OK : gh_hub_invalid(r, "must have a text");
}

static int
content_read(gh_hub_reader_t *r, gh_hub_part_t **parts)
{
    gh_hub_part_t **tail = parts, *part;
    int             status;

    if (r->json.event == GH_JSON_STRING) {
        part = gh_hub_part_add(r, &tail, GH_HUB_TEXT);
        return part != NULL ? gh_hub_string(r, &part->text) : GH_ERROR;
    }

    if (r->json.event != GH_JSON_ARRAY_BEGIN) {
        return gh_hub_invalid(r, "must be a string or an array of parts");
    }

    while (gh_hub_element(r, &status)) {
        if (read_part(r, &tail) != GH_OK) {
            return GH_ERROR;
        }
    }

    return status;
}

/* ---- items ---- */

typedef struct {
    gh_str_t       type, role, id, call_id, name, arguments, input, encrypted;
    size_t         arguments_at;
    gh_hub_part_t *content, *output, *summary;
} item_t;

static int
read_content(gh_hub_reader_t *r, void *object)
{
    return content_read(r, &((item_t *) object)->content);
}

/* Of hosted tools it is whatever they give. */
static int
read_output(gh_hub_reader_t *r, void *object)
{
    gh_str_t raw;

    return r->json.event == GH_JSON_STRING || r->json.event == GH_JSON_ARRAY_BEGIN ? content_read(r, &((item_t *) object)->output) : gh_hub_raw(r, &raw);
}

static int
read_summary(gh_hub_reader_t *r, void *object)
{
    return content_read(r, &((item_t *) object)->summary);
}

static int
read_arguments(gh_hub_reader_t *r, void *object)
{
    item_t  *item = object;
    gh_str_t raw;

    item->arguments_at = r->json.token_offset;
    return r->json.event == GH_JSON_STRING ? gh_hub_string(r, &item->arguments) : gh_hub_raw(r, &raw);
}

/* Of tools that take text. */
static int
read_call_input(gh_hub_reader_t *r, void *object)
{
    gh_str_t raw;

    return r->json.event == GH_JSON_STRING ? gh_hub_string(r, &((item_t *) object)->input) : gh_hub_raw(r, &raw);
}

static const gh_hub_field_t item_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, item_t, type),
    GH_HUB_FIELD("role", STRING, GH_ASKS, item_t, role),
    GH_HUB_READS("content", read_content),
    GH_HUB_FIELD("id", STRING, GH_ASKS, item_t, id),
    GH_HUB_FIELD("call_id", STRING, GH_ASKS, item_t, call_id),
    GH_HUB_FIELD("name", STRING, GH_ASKS, item_t, name),
    GH_HUB_READS("arguments", read_arguments),
    GH_HUB_READS("input", read_call_input),
    GH_HUB_READS("output", read_output),
    GH_HUB_READS("summary", read_summary),
    GH_HUB_FIELD("encrypted_content", STRING, GH_ASKS, item_t, encrypted),
    GH_HUB_ASKED("namespace", PRESENT, GH_ASK_HOSTED_TOOL),
    GH_HUB_SKIPS("status"), GH_HUB_SKIPS("phase"),
};

/* The message that an item belongs to: the assistant's last one, when it still is its turn, or a new one. */
static gh_hub_message_t *
message_of(gh_hub_reader_t *r, gh_hub_message_t **messages, gh_hub_role_t role)
{
    gh_hub_message_t **tail = messages, *message, *last = NULL;

    for (; *tail != NULL; tail = &(*tail)->next) {
        last = *tail;
    }

    if (role == GH_HUB_ASSISTANT && last != NULL && last->role == GH_HUB_ASSISTANT) {
        return last;
    }

    message = gh_hub_new(r, sizeof(gh_hub_message_t));
    if (message != NULL) {
        message->role = role;
        *tail = message;
    }

    return message;
}

static gh_hub_part_t **
parts_end(gh_hub_message_t *message)
{
    gh_hub_part_t **tail = &message->parts;

    while (*tail != NULL) {
        tail = &(*tail)->next;
    }

    return tail;
}

/* Texts behind each other as one. */
static int
joined_text(gh_hub_reader_t *r, const gh_hub_part_t *parts, gh_str_t *text)
{
    gh_hub_put_t         all;
    const gh_hub_part_t *part;
    size_t               size = 0;

    if (parts != NULL && parts->next == NULL) {
        *text = parts->text;
        return GH_OK;
    }

    for (part = parts; part != NULL; part = part->next) {
        size += part->text.len;
    }
    gh_hub_put_init(&all, r->arena, size, SIZE_MAX / 4);
    for (part = parts; part != NULL; part = part->next) {
        gh_hub_put(&all, part->text);
    }
    *text = gh_hub_kept(&all);
    if (text->data == NULL) {
        *text = GH_STR("");
    }

    return all.failed ? gh_hub_no_memory(r) : GH_OK;
}

static int
item_reasoning(gh_hub_reader_t *r, gh_hub_message_t **messages, const item_t *read, bool answer, size_t offset)
{
    gh_hub_message_t *message;
    gh_hub_part_t   **tail, *part;
    size_t            unused;
    bool              ours = gh_hub_starts(read->id, RESPONSES_SIGNED, &unused), redacted = gh_hub_starts(read->id, RESPONSES_REDACTED, &unused);

    if (!ours && !redacted && !answer) {
        gh_hub_ask_at(r, GH_ASK_REASONING_ITEM, offset);
        return GH_OK;
    }
    if (!redacted && read->content == NULL && read->summary == NULL) {
        return GH_OK;
    }

    message = message_of(r, messages, GH_HUB_ASSISTANT);
    if (message == NULL) {
        return GH_ERROR;
    }
    tail = parts_end(message);
    part = gh_hub_part_add(r, &tail, redacted ? GH_HUB_REDACTED : GH_HUB_REASONING);
    if (part == NULL) {
        return GH_ERROR;
    }

    if (redacted) {
        part->text = read->encrypted.data != NULL ? read->encrypted : GH_STR("");
    } else {
        if (joined_text(r, read->content != NULL ? read->content : read->summary, &part->text) != GH_OK) {
            return GH_ERROR;
        }
        part->signature = ours ? read->encrypted : (gh_str_t) { NULL, 0 };
    }
    gh_hub_ask_reasoning(r, part, offset);

    return GH_OK;
}

static int
item_call(gh_hub_reader_t *r, gh_hub_message_t **messages, const item_t *read, bool text)
{
    gh_hub_message_t *message = message_of(r, messages, GH_HUB_ASSISTANT);
    gh_hub_part_t   **tail, *part;

    if (read->call_id.data == NULL || read->name.data == NULL || (text ? read->input : read->arguments).data == NULL) {
        return gh_hub_invalid(r, text ? "must have a call_id, a name and an input" : "must have a call_id, a name and arguments");
    }
    if (message == NULL) {
        return GH_ERROR;
    }

    tail = parts_end(message);
    part = gh_hub_part_add(r, &tail, text ? GH_HUB_TEXT_CALL : GH_HUB_TOOL_CALL);
    if (part == NULL) {
        return GH_ERROR;
    }
    part->id = read->call_id;
    part->name = read->name;
    if (text) {
        part->text = read->input;
        return GH_OK;
    }

    return gh_hub_arguments(r, part, read->arguments, read->arguments_at);
}

static int
item_result(gh_hub_reader_t *r, gh_hub_message_t **messages, const item_t *read, size_t offset)
{
    gh_hub_message_t    *message = message_of(r, messages, GH_HUB_TOOL);
    gh_hub_part_t      **tail, *part;
    const gh_hub_part_t *inner;

    if (read->call_id.data == NULL) {
        return gh_hub_invalid(r, "must have a call_id");
    }
    if (message == NULL) {
        return GH_ERROR;
    }

    tail = &message->parts;
    part = gh_hub_part_add(r, &tail, GH_HUB_TOOL_RESULT);
    if (part == NULL) {
        return GH_ERROR;
    }
    part->id = read->call_id;
    part->to_text = gh_hub_is(read->type, "custom_tool_call_output");
    part->parts = read->output;
    for (inner = part->parts; inner != NULL; inner = inner->next) {
        if (inner->kind != GH_HUB_TEXT) {
            gh_hub_ask_at(r, GH_ASK_RESULT_MEDIA, offset);
        }
    }

    return GH_OK;
}

static int
item_message(gh_hub_reader_t *r, gh_hub_message_t **messages, gh_hub_message_t **last, const item_t *read, size_t offset)
{
    static const struct {
        const char *name;
        uint8_t     role;
    } roles[] = { { "user", GH_HUB_USER }, { "assistant", GH_HUB_ASSISTANT }, { "system", GH_HUB_SYSTEM }, { "developer", GH_HUB_DEVELOPER } };
    gh_hub_message_t *message;
    size_t            i;

    for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (gh_hub_is(read->role, roles[i].name)) {
            break;
        }
    }
    if (i == sizeof(roles) / sizeof(roles[0])) {
        return gh_hub_invalid(r, "must have a role: user, assistant, system or developer");
    }

    if (roles[i].role == GH_HUB_DEVELOPER) {
        gh_hub_ask_at(r, GH_ASK_DEVELOPER, offset);
    }
    if (roles[i].role <= GH_HUB_DEVELOPER) {
        for (message = *messages; message != NULL; message = message->next) {
            if (message->role > GH_HUB_DEVELOPER) {
                gh_hub_ask_at(r, GH_ASK_SYSTEM_LATER, offset);
                break;
            }
        }
    }

    message = message_of(r, last, roles[i].role);
    if (message == NULL) {
        return GH_ERROR;
    }
    *parts_end(message) = read->content;

    return GH_OK;
}

int
responses_items_read(gh_hub_reader_t *r, gh_hub_message_t **messages, bool answer)
{
    gh_hub_message_t **tail = messages;    /* the last one, so that a long input is not walked for each item */
    size_t             offset;
    item_t             read;
    int                status;

    while (GH_HUB_OBJECT_ELEMENT(r, item_fields, &read, &offset, &status)) {
        if (read.type.data == NULL ? read.role.data != NULL : gh_hub_is(read.type, "message")) {
            status = item_message(r, messages, tail, &read, offset);
        } else if (gh_hub_is(read.type, "function_call")) {
            status = item_call(r, tail, &read, false);
        } else if (gh_hub_is(read.type, "custom_tool_call")) {
            gh_hub_ask_at(r, GH_ASK_CUSTOM_TOOL, offset);
            status = item_call(r, tail, &read, true);
        } else if (gh_hub_is(read.type, "function_call_output")) {
            status = item_result(r, tail, &read, offset);
        } else if (gh_hub_is(read.type, "custom_tool_call_output")) {
            gh_hub_ask_at(r, GH_ASK_CUSTOM_TOOL, offset);
            status = item_result(r, tail, &read, offset);
        } else if (gh_hub_is(read.type, "reasoning")) {
            status = item_reasoning(r, tail, &read, answer, offset);
        } else {
            gh_hub_ask_at(r, read.type.data == NULL || gh_hub_is(read.type, "item_reference") ? GH_ASK_STATE : GH_ASK_HOSTED_TOOL, offset);
        }
        if (status != GH_OK) {
            return GH_ERROR;
        }

        while (*tail != NULL && (*tail)->next != NULL) {
            tail = &(*tail)->next;
        }
    }

    return status;
}
