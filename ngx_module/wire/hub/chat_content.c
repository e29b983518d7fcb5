/* OpenAI chat completions, content of answers that is a list of parts, as Mistral's API and servers like it have it. */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/chat.h"

typedef struct {
    gh_str_t type, text, thinking, list, signature;
    bool     other;      /* what it thinks is no text */
} read_t;

static chat_content_kind_t
kind_of(const read_t *read)
{
    static const struct {
        const char         *type;
        chat_content_kind_t kind;
    } kinds[] = {
        { "text", CHAT_TEXT }, { "thinking", CHAT_THINKING }, { "reference", CHAT_REFERENCE }, { "tool_reference", CHAT_REFERENCE },
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (gh_hub_is(read->type, kinds[i].type)) {
            return kinds[i].kind;
        }
    }

    return CHAT_OTHER;
}

/* "text" of a list inside of "thinking". */
static const gh_hub_field_t inner_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, read_t, type),
    GH_HUB_FIELD("text", STRING, GH_ASKS, read_t, text),
};

static int
read_thinking(gh_hub_reader_t *r, void *object)
{
    read_t *part = object, inner;
    size_t  begin = r->json.token_offset;
    int     status;

    if (r->json.event != GH_JSON_ARRAY_BEGIN) {
        return gh_hub_string(r, &part->thinking);
    }

    while (GH_HUB_OBJECT_ELEMENT(r, inner_fields, &inner, NULL, &status)) {
        part->other |= kind_of(&inner) != CHAT_TEXT && kind_of(&inner) != CHAT_REFERENCE;
    }
    part->list = (gh_str_t) { r->json.start + begin, r->json.token_end - begin };

    return status;
}

static const gh_hub_field_t part_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, read_t, type),
    GH_HUB_FIELD("text", STRING, GH_ASKS, read_t, text),
    GH_HUB_READS("thinking", read_thinking),
    GH_HUB_FIELD("signature", STRING, GH_ASKS, read_t, signature),
    GH_HUB_SKIPS("closed"), GH_HUB_SKIPS("reference_ids"),
};

int
chat_thinking_read(gh_hub_reader_t *r, gh_str_t *text, bool *other)
{
    chat_content_part_t part;
    gh_hub_put_t        joined;
    unsigned            count = 0;
    int                 status;

    if (r->json.event == GH_JSON_STRING) {
        return gh_hub_string(r, text);
    }
    if (r->json.event != GH_JSON_ARRAY_BEGIN) {
        return gh_hub_invalid(r, "must be a string or an array of parts");
    }

    *text = GH_STR("");
    while (gh_hub_element(r, &status)) {
        if (chat_content_part_read(r, &part) != GH_OK) {
            return GH_ERROR;
        }
        *other |= part.kind != CHAT_TEXT && part.kind != CHAT_REFERENCE;
        if (part.kind != CHAT_TEXT) {
            continue;
        }
        if (count++ == 0) {
            *text = part.text;
            continue;
        }
        if (count == 2) {
            gh_hub_put_init(&joined, r->arena, 2 * (text->len + part.text.len), SIZE_MAX / 4);
            gh_hub_put(&joined, *text);
        }
        gh_hub_put(&joined, part.text);
        *text = (gh_str_t) { joined.data, joined.len };
        if (joined.failed) {
            return gh_hub_no_memory(r);
        }
    }

    return status;
}

int
chat_content_part_read(gh_hub_reader_t *r, chat_content_part_t *part)
{
    read_t read;

    memset(&read, 0, sizeof(read));
    if (GH_HUB_EXPECT_OBJECT(r, part_fields, &read) != GH_OK) {
        return GH_ERROR;
    }

    *part = (chat_content_part_t) { .kind = kind_of(&read), .list = read.list, .signature = read.signature };
    part->text = part->kind == CHAT_THINKING ? read.thinking : part->kind == CHAT_TEXT ? read.text : GH_STR("");
    if (part->kind == CHAT_THINKING ? read.other || (read.list.data == NULL && read.thinking.data == NULL) : part->kind == CHAT_TEXT && read.text.data == NULL) {
        part->kind = CHAT_OTHER;
    }

    return GH_OK;
}
