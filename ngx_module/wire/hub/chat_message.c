/*
 * OpenAI chat completions, messages as they are read, in requests and in answers. Sources: openai-python's openai/types/chat; for reasoning what vLLM,
 * SGLang, llama.cpp (`reasoning_content`, `reasoning`) and OpenRouter (`reasoning_details`) write, of which OpenAI itself knows nothing.
 */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/chat.h"

/* ---- parts of a message ---- */

typedef struct {
    gh_str_t       type, text, refusal, url, detail, audio_data, audio_format, file_data, filename, thinking, signature;
    bool           other;      /* what it thinks has parts that are no text */
    bool           media;      /* what it names is kept by the provider, or more than we read */
    gh_hub_cache_t cache;
} part_t;

static const gh_hub_field_t image_fields[] = {
    GH_HUB_FIELD("url", STRING, GH_ASKS, part_t, url),
    GH_HUB_FIELD("detail", STRING, GH_ASK_IMAGE_DETAIL, part_t, detail),
};

static const gh_hub_field_t audio_fields[] = {
    GH_HUB_FIELD("data", STRING, GH_ASKS, part_t, audio_data),
    GH_HUB_FIELD("format", STRING, GH_ASKS, part_t, audio_format),
};

static const gh_hub_field_t file_fields[] = {
    GH_HUB_FIELD("file_data", STRING, GH_ASKS, part_t, file_data),
    GH_HUB_FIELD("filename", STRING, GH_ASKS, part_t, filename),
    GH_HUB_ASKED("file_id", PRESENT, GH_ASK_FILE_ID),
};

static int
read_image(gh_hub_reader_t *r, void *object)
{
    part_t *part = object;

    /* some servers take the URL itself */
    return r->json.event == GH_JSON_STRING ? gh_hub_string(r, &part->url)
        : GH_HUB_EXPECT_OBJECT(r, image_fields, object);
}

static int
read_audio(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, audio_fields, object);
}

static int
read_file(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, file_fields, object);
}

static int
read_part_cache(gh_hub_reader_t *r, void *object)
{
    return gh_hub_read_cache(r, &((part_t *) object)->cache);
}

static int
read_thinking(gh_hub_reader_t *r, void *object)
{
    return chat_thinking_read(r, &((part_t *) object)->thinking, &((part_t *) object)->other);
}

static const gh_hub_field_t part_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, part_t, type),
    GH_HUB_FIELD("text", STRING, GH_ASKS, part_t, text),
    GH_HUB_FIELD("refusal", STRING, GH_ASKS, part_t, refusal),
    GH_HUB_READS("image_url", read_image),
    GH_HUB_READS("input_audio", read_audio),
    GH_HUB_READS("file", read_file),
    GH_HUB_READS("thinking", read_thinking),
    GH_HUB_FIELD("signature", STRING, GH_ASKS, part_t, signature),
    GH_HUB_SKIPS("closed"),
    GH_HUB_READS("cache_control", read_part_cache),
    GH_HUB_READS("prompt_cache_breakpoint", read_part_cache),
};

static const struct {
    const char *format, *media_type;
} audio_types[] = { { "wav", "audio/wav" }, { "mp3", "audio/mpeg" } };

/* The part's kind is known: what it says becomes the canonical one. */
static int
part_media(gh_hub_reader_t *r, const part_t *read, gh_hub_part_t *part, size_t offset)
{
    size_t i;

    if (part->kind == GH_HUB_IMAGE) {
        if (read->url.data == NULL) {
            return gh_hub_invalid(r, "must have a URL");
        }
        if (!gh_hub_data_url(read->url, &part->media_type, &part->text)) {
            part->source = GH_HUB_URL;
            part->text = read->url;
        }
        part->detail = read->detail;
        gh_hub_ask_image(r, part, offset);

    } else if (part->kind == GH_HUB_AUDIO) {
        for (i = 0; i < sizeof(audio_types) / sizeof(audio_types[0]); i++) {
            if (gh_hub_is(read->audio_format, audio_types[i].format)) {
                part->media_type = gh_str_from(audio_types[i].media_type);
            }
        }
        part->text = read->audio_data;
        gh_hub_ask_at(r, part->media_type.data != NULL && read->audio_data.data != NULL ? GH_ASK_AUDIO : GH_ASK_UNKNOWN, offset);

    } else {
        if (read->file_data.data == NULL) {
            gh_hub_ask_at(r, GH_ASK_FILE_ID, offset);
        } else if (!gh_hub_data_url(read->file_data, &part->media_type, &part->text)) {
            gh_hub_ask_at(r, GH_ASK_UNKNOWN, offset);
        } else {
            part->name = read->filename;
            gh_hub_ask_document(r, part, offset);
        }
    }

    return GH_OK;
}

/* false: it is none that is known, or of an answer none that can be told. */
static bool
part_kind(const part_t *read, bool answer, gh_hub_kind_t *kind)
{
    static const struct {
        const char   *type;
        gh_hub_kind_t kind;
        bool          answered;     /* an answer may have it */
    } types[] = {
        { "text", GH_HUB_TEXT, true }, { "refusal", GH_HUB_REFUSAL, true }, { "thinking", GH_HUB_REASONING, true },
        { "image_url", GH_HUB_IMAGE, false }, { "input_audio", GH_HUB_AUDIO, false }, { "file", GH_HUB_DOCUMENT, false },
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (gh_hub_is(read->type, types[i].type)) {
            *kind = types[i].kind;
            return (types[i].answered || !answer) && !(types[i].kind == GH_HUB_REASONING && read->other);
        }
    }

    return false;
}

static int
read_part(gh_hub_reader_t *r, gh_hub_part_t ***tail)
{
    gh_hub_part_t *part;
    size_t         offset = r->json.token_offset;
    part_t         read;
    gh_hub_kind_t  kind;
    bool           answer = strcmp(r->invalid, "bad_answer") == 0;

    memset(&read, 0, sizeof(read));
    if (GH_HUB_EXPECT_OBJECT(r, part_fields, &read) != GH_OK) {
        return GH_ERROR;
    }

    if (!part_kind(&read, answer, &kind)) {
        gh_hub_ask_at(r, GH_ASK_UNKNOWN, offset);
        return !answer || gh_hub_is(read.type, "reference") || gh_hub_is(read.type, "tool_reference") ? GH_OK
            : gh_hub_invalid(r, "must be text, thinking, a refusal or a reference");
    }

    part = gh_hub_part_add(r, tail, kind);
    if (part == NULL) {
        return GH_ERROR;
    }
    part->cache = read.cache;

    switch (kind) {

    case GH_HUB_REASONING:
        part->text = read.thinking;
        part->signature = read.signature;
        gh_hub_ask_reasoning(r, part, offset);
        break;

    case GH_HUB_TEXT:
    case GH_HUB_REFUSAL:
        part->text = kind == GH_HUB_TEXT ? read.text : read.refusal;
        break;

    default:
        return part_media(r, &read, part, offset);
    }

    return part->text.data != NULL ? GH_OK : gh_hub_invalid(r, "must have a text");
}

/* A string or parts. */
static int
read_content(gh_hub_reader_t *r, gh_hub_part_t **parts)
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

/* ---- calls ---- */

typedef struct {
    gh_str_t id, type, name, arguments, input;
    size_t   arguments_at;
} call_t;

static int
read_call_arguments(gh_hub_reader_t *r, void *object)
{
    call_t *call = object;

    call->arguments_at = r->json.token_offset;
    return gh_hub_string(r, &call->arguments);
}

static const gh_hub_field_t call_function_fields[] = {
    GH_HUB_FIELD("name", STRING, GH_ASKS, call_t, name),
    GH_HUB_READS("arguments", read_call_arguments),
};

static int
read_call_function(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, call_function_fields, object);
}

static const gh_hub_field_t call_custom_fields[] = {
    GH_HUB_FIELD("name", STRING, GH_ASKS, call_t, name),
    GH_HUB_FIELD("input", STRING, GH_ASKS, call_t, input),
};

static int
read_call_custom(gh_hub_reader_t *r, void *object)
{
    gh_hub_ask(r, GH_ASK_CUSTOM_TOOL);
    ((call_t *) object)->input = GH_STR("");
    return GH_HUB_EXPECT_OBJECT(r, call_custom_fields, object);
}

static const gh_hub_field_t call_fields[] = {
    GH_HUB_FIELD("id", STRING, GH_ASKS, call_t, id),
    GH_HUB_FIELD("type", STRING, GH_ASKS, call_t, type),
    GH_HUB_READS("function", read_call_function),
    GH_HUB_READS("custom", read_call_custom),
    GH_HUB_SKIPS("index"),
};

static int
read_calls(gh_hub_reader_t *r, gh_hub_part_t ***tail)
{
    gh_hub_part_t *part;
    call_t         call;
    int            status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (GH_HUB_OBJECT_ELEMENT(r, call_fields, &call, NULL, &status)) {
        if (call.id.data == NULL && strcmp(r->invalid, "bad_answer") == 0) {
            call.id = GH_STR("");    /* of some servers; one is made when it is written */
        }
        if (call.id.data == NULL || call.name.data == NULL) {
            return gh_hub_invalid(r, "must have an id, and a function, or what is custom, with a name");
        }

        part = gh_hub_part_add(r, tail, call.input.data != NULL ? GH_HUB_TEXT_CALL : GH_HUB_TOOL_CALL);
        if (part == NULL) {
            return GH_ERROR;
        }
        part->id = call.id;
        part->name = call.name;
        part->text = call.input;
        if (part->kind == GH_HUB_TOOL_CALL && gh_hub_arguments(r, part, call.arguments, call.arguments_at) != GH_OK) {
            return GH_ERROR;
        }
    }

    return status;
}

/* ---- reasoning ---- */

/*
 * `reasoning_details`: as a stream's deltas left them, texts of one index come in pieces, the signature last or with any of them.
 */
static int
reasoning_piece(gh_hub_reader_t *r, gh_hub_part_t *part, gh_str_t text, gh_hub_put_t *joined)
{
    if (text.len == 0) {
        return GH_OK;
    }

    if (part->text.len == 0) {
        part->text = text;
        joined->len = 0;
        return GH_OK;
    }

    if (joined->len == 0) {
        gh_hub_put_init(joined, r->arena, part->text.len + text.len, SIZE_MAX / 4);
        gh_hub_put(joined, part->text);
    }
    gh_hub_put(joined, text);
    part->text = (gh_str_t) { joined->data, joined->len };

    return joined->failed ? gh_hub_no_memory(r) : GH_OK;
}

typedef struct {
    gh_str_t type, text, signature, data, index;
} detail_t;

static const gh_hub_field_t detail_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, detail_t, type),
    GH_HUB_FIELD("text", STRING, GH_ASKS, detail_t, text),
    GH_HUB_FIELD("signature", STRING, GH_ASKS, detail_t, signature),
    GH_HUB_FIELD("data", STRING, GH_ASKS, detail_t, data),
    GH_HUB_FIELD("index", NUMBER, GH_ASKS, detail_t, index),
    GH_HUB_SKIPS("id"), GH_HUB_SKIPS("format"), GH_HUB_SKIPS("summary"),
};

static int
read_details(gh_hub_reader_t *r, void *object)
{
    chat_message_t *message = object;
    gh_hub_part_t **tail = &message->reasoning, *part = NULL;
    gh_hub_put_t    joined;
    gh_str_t        index = { NULL, 0 };
    detail_t        detail;
    int             status;

    memset(&joined, 0, sizeof(joined));
    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (GH_HUB_OBJECT_ELEMENT(r, detail_fields, &detail, NULL, &status)) {
        if (gh_hub_is(detail.type, "reasoning.encrypted") && detail.data.len != 0) {
            part = gh_hub_part_add(r, &tail, GH_HUB_REDACTED);
            if (part == NULL) {
                return GH_ERROR;
            }
            part->text = detail.data;
            part = NULL;
        } else if (gh_hub_is(detail.type, "reasoning.text")) {
            if (part == NULL || !gh_str_eq(index, detail.index) || (part->signature.len != 0 && detail.text.len != 0)) {
                part = gh_hub_part_add(r, &tail, GH_HUB_REASONING);
                if (part == NULL) {
                    return GH_ERROR;
                }
                joined.len = 0;
            }
            index = detail.index;
            if (reasoning_piece(r, part, detail.text, &joined) != GH_OK) {
                return GH_ERROR;
            }
            if (detail.signature.len != 0) {
                part->signature = detail.signature;
            }
        }
    }

    return status;
}

/* ---- citations ---- */

typedef struct {
    gh_str_t          type;
    gh_hub_citation_t page;
} annotation_t;

static const gh_hub_field_t page_fields[] = {
    GH_HUB_FIELD("start_index", COUNT, GH_ASKS, annotation_t, page.start),
    GH_HUB_FIELD("end_index", COUNT, GH_ASKS, annotation_t, page.end),
    GH_HUB_FIELD("url", STRING, GH_ASKS, annotation_t, page.url),
    GH_HUB_FIELD("title", STRING, GH_ASKS, annotation_t, page.title),
};

static int
read_page(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, page_fields, object);
}

static const gh_hub_field_t annotation_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, annotation_t, type),
    GH_HUB_READS("url_citation", read_page),
};

int
chat_annotation_read(gh_hub_reader_t *r, gh_hub_citation_t *citation)
{
    annotation_t read;

    memset(&read, 0, sizeof(read));
    if (GH_HUB_EXPECT_OBJECT(r, annotation_fields, &read) != GH_OK) {
        return GH_ERROR;
    }
    *citation = read.page;
    citation->kind = citation->url.data != NULL ? GH_HUB_CITES_WEB : GH_HUB_CITES_NOTHING;

    return GH_OK;
}

/* Of an answer; those of earlier ones are dropped. */
static int
read_annotations(gh_hub_reader_t *r, void *object)
{
    return gh_hub_citations(r, chat_annotation_read, &((chat_message_t *) object)->citations);
}

/* ---- messages ---- */

static int
read_message_content(gh_hub_reader_t *r, void *object)
{
    return read_content(r, &((chat_message_t *) object)->content);
}

static int
read_message_calls(gh_hub_reader_t *r, void *object)
{
    gh_hub_part_t **tail = &((chat_message_t *) object)->calls;

    return read_calls(r, &tail);
}

static int
read_message_cache(gh_hub_reader_t *r, void *object)
{
    return gh_hub_read_cache(r, &((chat_message_t *) object)->cache);
}

static const gh_hub_field_t message_fields[] = {
    GH_HUB_FIELD("role", STRING, GH_ASKS, chat_message_t, role),
    GH_HUB_READS("content", read_message_content),
    GH_HUB_FIELD("name", STRING, GH_ASKS, chat_message_t, name),
    GH_HUB_FIELD("tool_call_id", STRING, GH_ASKS, chat_message_t, tool_call_id),
    GH_HUB_READS("tool_calls", read_message_calls),
    GH_HUB_FIELD("refusal", STRING, GH_ASKS, chat_message_t, refusal),
    GH_HUB_FIELD("reasoning_content", STRING, GH_ASKS, chat_message_t, reasoning_content),
    GH_HUB_FIELD("reasoning", STRING, GH_ASKS, chat_message_t, reasoning_text),
    GH_HUB_READS("reasoning_details", read_details),
    GH_HUB_ASKED("function_call", PRESENT, GH_ASK_FUNCTIONS),
    GH_HUB_READS("annotations", read_annotations),
    GH_HUB_ASKED("audio", PRESENT, GH_ASK_FILE_ID),
    GH_HUB_READS("cache_control", read_message_cache),
    GH_HUB_READS("prompt_cache_breakpoint", read_message_cache),
};

int
chat_message_read(gh_hub_reader_t *r, chat_message_t *message)
{
    return GH_HUB_EXPECT_OBJECT(r, message_fields, message);
}

/* Reasoning, then text, then a refusal, then calls. */
int
chat_message_parts(gh_hub_reader_t *r, chat_message_t *message, size_t offset, gh_hub_part_t **parts)
{
    gh_hub_part_t **tail = parts, *part, *list;
    gh_str_t        text = message->reasoning_content.data != NULL ? message->reasoning_content : message->reasoning_text;
    bool            said = false;

    for (part = message->reasoning; part != NULL; part = part->next) {
        if (part->kind == GH_HUB_REASONING) {
            if (part->text.len == 0) {
                part->text = text;    /* the details hold the signature alone */
            }
            said = true;
        }
        gh_hub_ask_reasoning(r, part, offset);
    }

    if (!said && text.len != 0) {
        part = gh_hub_part_add(r, &tail, GH_HUB_REASONING);
        if (part == NULL) {
            return GH_ERROR;
        }
        part->text = text;
        gh_hub_ask_reasoning(r, part, offset);
    }

    for (list = message->reasoning; list != NULL; list = list->next) {
        *tail = list;
        tail = &list->next;
    }
    for (list = message->content; list != NULL; list = list->next) {
        *tail = list;
        tail = &list->next;
    }
    if (message->refusal.len != 0) {
        part = gh_hub_part_add(r, &tail, GH_HUB_REFUSAL);
        if (part == NULL) {
            return GH_ERROR;
        }
        part->text = message->refusal;
    }
    *tail = message->calls;

    return GH_OK;
}

static int
message_role(gh_hub_reader_t *r, chat_message_t *read, gh_hub_message_t *message, bool *later, size_t offset)
{
    static const struct {
        const char *name;
        uint8_t     role;
    } roles[] = { { "system", GH_HUB_SYSTEM }, { "developer", GH_HUB_DEVELOPER }, { "user", GH_HUB_USER }, { "assistant", GH_HUB_ASSISTANT },
        { "tool", GH_HUB_TOOL } };
    const gh_hub_part_t *part;
    size_t               i;

    for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (gh_hub_is(read->role, roles[i].name)) {
            break;
        }
    }

    if (i == sizeof(roles) / sizeof(roles[0])) {
        gh_hub_ask_at(r, gh_hub_is(read->role, "function") ? GH_ASK_FUNCTIONS : GH_ASK_UNKNOWN, offset);
        return GH_OK;
    }

    message->role = roles[i].role;
    if (message->role == GH_HUB_DEVELOPER) {
        gh_hub_ask_at(r, GH_ASK_DEVELOPER, offset);
    }
    if (message->role > GH_HUB_DEVELOPER) {
        *later = true;
    } else if (*later) {
        gh_hub_ask_at(r, GH_ASK_SYSTEM_LATER, offset);
    }
    for (part = read->content; part != NULL && message->role != GH_HUB_ASSISTANT; part = part->next) {
        if (part->kind == GH_HUB_REASONING) {
            gh_hub_ask_at(r, GH_ASK_UNKNOWN, offset);    /* of nobody else's */
        }
    }
    if (read->name.len != 0 && message->role != GH_HUB_TOOL) {
        message->name = read->name;
        gh_hub_ask_at(r, GH_ASK_AUTHOR, offset);
    }

    return GH_OK;
}

int
chat_messages_read(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t  *request = object;
    gh_hub_message_t **tail = &request->messages, *message;
    gh_hub_part_t    **result, *part;
    chat_message_t     read;
    size_t             offset;
    bool               later = false;
    int                status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (gh_hub_element(r, &status)) {
        offset = r->json.token_offset;
        memset(&read, 0, sizeof(read));
        if (chat_message_read(r, &read) != GH_OK) {
            return GH_ERROR;
        }

        message = gh_hub_new(r, sizeof(gh_hub_message_t));
        if (message == NULL || message_role(r, &read, message, &later, offset) != GH_OK
            || chat_message_parts(r, &read, offset, &message->parts) != GH_OK)
        {
            return GH_ERROR;
        }
        *tail = message;
        tail = &message->next;

        if (message->role == GH_HUB_TOOL) {
            if (read.tool_call_id.data == NULL) {
                return gh_hub_invalid(r, "must have a tool_call_id");
            }
            part = message->parts;
            result = &message->parts;
            message->parts = NULL;
            if (gh_hub_part_add(r, &result, GH_HUB_TOOL_RESULT) == NULL) {
                return GH_ERROR;
            }
            message->parts->id = read.tool_call_id;
            message->parts->parts = part;
            message->parts->cache = read.cache;
            for (; part != NULL; part = part->next) {
                if (part->kind != GH_HUB_TEXT) {
                    gh_hub_ask_at(r, GH_ASK_RESULT_MEDIA, offset);
                }
            }
        } else if (read.cache != GH_HUB_NO_CACHE) {
            for (part = message->parts; part != NULL && part->next != NULL; part = part->next) { }
            if (part != NULL) {
                part->cache = read.cache;
            }
        }
    }

    return status;
}
