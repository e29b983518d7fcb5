/* Bedrock Converse, blocks as they are read. Source: the service model of bedrock-runtime (botocore), whose blobs are base64 in JSON. */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/converse.h"

typedef struct {
    int             kind;          /* gh_hub_kind_t; -1: nothing was read that makes a part */
    gh_str_t        text, format, name, context, bytes, plain, signature, id, input, status, source, title;
    gh_hub_part_t  *content, *texts;
    gh_hub_citation_t *citations;
    gh_hub_cache_t  cache;
    bool            point;         /* it is a cache point */
    bool            cites, blocks;
} block_t;

/* ---- media ---- */

static int
read_source_content(gh_hub_reader_t *r, void *object)
{
    ((block_t *) object)->blocks = true;
    return converse_texts_read(r, &((block_t *) object)->texts);
}

static const gh_hub_field_t source_fields[] = {
    GH_HUB_FIELD("bytes", STRING, GH_ASKS, block_t, bytes),
    GH_HUB_FIELD("text", STRING, GH_ASKS, block_t, plain),
    GH_HUB_ASKED("s3Location", PRESENT, GH_ASK_FILE_ID),
    GH_HUB_READS("content", read_source_content),
};

static int
read_source(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, source_fields, object);
}

static int
read_citing(gh_hub_reader_t *r, void *object)
{
    return gh_hub_read_citing(r, &((block_t *) object)->cites);
}

static const gh_hub_field_t media_fields[] = {
    GH_HUB_FIELD("format", STRING, GH_ASKS, block_t, format),
    GH_HUB_FIELD("name", STRING, GH_ASKS, block_t, name),
    GH_HUB_FIELD("context", STRING, GH_ASKS, block_t, context),
    GH_HUB_READS("source", read_source),
    GH_HUB_READS("citations", read_citing),
    GH_HUB_SKIPS("error"),
};

static int
read_media(gh_hub_reader_t *r, block_t *block, gh_hub_kind_t kind)
{
    block->kind = (int) kind;
    return GH_HUB_EXPECT_OBJECT(r, media_fields, block);
}

static int
read_image(gh_hub_reader_t *r, void *object)
{
    return read_media(r, object, GH_HUB_IMAGE);
}

static int
read_document(gh_hub_reader_t *r, void *object)
{
    return read_media(r, object, GH_HUB_DOCUMENT);
}

static int
read_audio(gh_hub_reader_t *r, void *object)
{
    return read_media(r, object, GH_HUB_AUDIO);
}

/* ---- search results ---- */

static int
read_texts(gh_hub_reader_t *r, void *object)
{
    return converse_texts_read(r, &((block_t *) object)->texts);
}

static const gh_hub_field_t search_fields[] = {
    GH_HUB_FIELD("source", STRING, GH_ASKS, block_t, source),
    GH_HUB_FIELD("title", STRING, GH_ASKS, block_t, title),
    GH_HUB_READS("content", read_texts),
    GH_HUB_READS("citations", read_citing),
};

static int
read_search_result(gh_hub_reader_t *r, void *object)
{
    block_t *block = object;

    block->kind = GH_HUB_SEARCH_RESULT;
    if (GH_HUB_EXPECT_OBJECT(r, search_fields, block) != GH_OK) {
        return GH_ERROR;
    }

    return block->source.data != NULL && block->title.data != NULL && block->texts != NULL ? GH_OK
        : gh_hub_invalid(r, "must have a source, a title and a content that is not empty");
}

/* ---- tools ---- */

static const gh_hub_field_t use_fields[] = {
    GH_HUB_FIELD("toolUseId", STRING, GH_ASKS, block_t, id),
    GH_HUB_FIELD("name", STRING, GH_ASKS, block_t, name),
    GH_HUB_FIELD("input", RAW, GH_ASKS, block_t, input),
    GH_HUB_ASKED("type", PRESENT, GH_ASK_HOSTED_TOOL),
};

static int
read_use(gh_hub_reader_t *r, void *object)
{
    block_t *block = object;

    block->kind = GH_HUB_TOOL_CALL;
    if (GH_HUB_EXPECT_OBJECT(r, use_fields, block) != GH_OK) {
        return GH_ERROR;
    }

    return block->id.data != NULL && block->name.data != NULL && block->input.len != 0 && block->input.data[0] == '{' ? GH_OK
        : gh_hub_invalid(r, "must have a toolUseId, a name and an input that is an object");
}

static int
read_result_content(gh_hub_reader_t *r, void *object)
{
    return converse_content_read(r, &((block_t *) object)->content);
}

static const gh_hub_field_t result_fields[] = {
    GH_HUB_FIELD("toolUseId", STRING, GH_ASKS, block_t, id),
    GH_HUB_READS("content", read_result_content),
    GH_HUB_FIELD("status", STRING, GH_ASKS, block_t, status),
    GH_HUB_ASKED("type", PRESENT, GH_ASK_HOSTED_TOOL),
};

static int
read_result(gh_hub_reader_t *r, void *object)
{
    block_t *block = object;

    block->kind = GH_HUB_TOOL_RESULT;
    if (GH_HUB_EXPECT_OBJECT(r, result_fields, block) != GH_OK) {
        return GH_ERROR;
    }

    return block->id.data != NULL ? GH_OK : gh_hub_invalid(r, "must have a toolUseId");
}

/* A result as a value: other dialects have it as text. */
static int
read_json(gh_hub_reader_t *r, void *object)
{
    block_t     *block = object;
    gh_hub_put_t text;
    gh_str_t     raw;

    if (gh_hub_raw(r, &raw) != GH_OK) {
        return GH_ERROR;
    }

    gh_hub_put_init(&text, r->arena, raw.len + 64, SIZE_MAX / 4);
    gh_hub_put_text(&text, raw);
    if (text.failed) {
        return gh_hub_no_memory(r);
    }

    block->kind = GH_HUB_TEXT;
    block->text = (gh_str_t) { text.data + 1, text.len - 2 };
    r->request->values_bytes += text.len;

    return GH_OK;
}

/* ---- reasoning, cache points, citations ---- */

static const gh_hub_field_t reasoning_text_fields[] = {
    GH_HUB_FIELD("text", STRING, GH_ASKS, block_t, text),
    GH_HUB_FIELD("signature", STRING, GH_ASKS, block_t, signature),
};

static int
read_reasoning_text(gh_hub_reader_t *r, void *object)
{
    ((block_t *) object)->kind = GH_HUB_REASONING;
    return GH_HUB_EXPECT_OBJECT(r, reasoning_text_fields, object);
}

static int
read_redacted(gh_hub_reader_t *r, void *object)
{
    ((block_t *) object)->kind = GH_HUB_REDACTED;
    return gh_hub_string(r, &((block_t *) object)->text);
}

static const gh_hub_field_t reasoning_fields[] = {
    GH_HUB_READS("reasoningText", read_reasoning_text),
    GH_HUB_READS("redactedContent", read_redacted),
};

static int
read_reasoning(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, reasoning_fields, object);
}

static int
read_point(gh_hub_reader_t *r, void *object)
{
    ((block_t *) object)->point = true;
    return gh_hub_read_cache(r, &((block_t *) object)->cache);
}

static int
read_citations(gh_hub_reader_t *r, void *object)
{
    return gh_hub_citations(r, converse_citation_read, &((block_t *) object)->citations);
}

/* A text with what it cites: of an answer, and of an earlier one. */
static const gh_hub_field_t cited_fields[] = {
    GH_HUB_READS("content", read_texts),
    GH_HUB_READS("citations", read_citations),
};

static int
read_cited(gh_hub_reader_t *r, void *object)
{
    block_t *block = object;

    if (GH_HUB_EXPECT_OBJECT(r, cited_fields, object) != GH_OK) {
        return GH_ERROR;
    }

    block->kind = GH_HUB_TEXT;
    return converse_texts_join(r, block->texts, &block->text);
}

static int
read_text(gh_hub_reader_t *r, void *object)
{
    ((block_t *) object)->kind = GH_HUB_TEXT;
    return gh_hub_string(r, &((block_t *) object)->text);
}

static const gh_hub_field_t block_fields[] = {
    GH_HUB_READS("text", read_text),
    GH_HUB_READS("toolUse", read_use),
    GH_HUB_READS("toolResult", read_result),
    GH_HUB_READS("image", read_image),
    GH_HUB_READS("document", read_document),
    GH_HUB_READS("reasoningContent", read_reasoning),
    GH_HUB_READS("cachePoint", read_point),
    GH_HUB_READS("json", read_json),
    GH_HUB_READS("audio", read_audio),
    GH_HUB_READS("citationsContent", read_cited),
    GH_HUB_ASKED("guardContent", PRESENT, GH_ASK_GUARDED),
    GH_HUB_READS("searchResult", read_search_result),
};

static int
block_media(gh_hub_reader_t *r, const block_t *read, gh_hub_part_t *part, size_t offset)
{
    const char *media_type = gh_hub_media_type(part->kind, read->format);

    part->text = read->bytes;
    if (part->kind == GH_HUB_DOCUMENT) {
        part->name = read->name;
        part->context = read->context;
        part->cites = read->cites;
        if (read->blocks) {
            part->source = GH_HUB_BLOCKS;
            part->text = GH_STR("");
            part->parts = read->texts;
        } else if (read->plain.data != NULL) {
            part->source = GH_HUB_PLAIN;
            part->text = read->plain;
        }
    }

    if (part->text.data == NULL || (part->source == GH_HUB_DATA && media_type == NULL)) {
        /* kept by the provider, which has been noted, or nothing we know */
        if (!gh_hub_asks(r->request, GH_ASK_FILE_ID)) {
            gh_hub_ask_at(r, GH_ASK_UNKNOWN, offset);
        }
        part->text = GH_STR("");
        return GH_OK;
    }

    part->media_type = gh_str_from(media_type);
    if (part->kind == GH_HUB_IMAGE) {
        gh_hub_ask_image(r, part, offset);
    } else if (part->kind == GH_HUB_DOCUMENT) {
        gh_hub_ask_document(r, part, offset);
    } else {
        gh_hub_ask_at(r, GH_ASK_AUDIO, offset);
    }

    return GH_OK;
}

static int
block_part(gh_hub_reader_t *r, const block_t *read, gh_hub_part_t *part, size_t offset)
{
    const gh_hub_part_t *inner;

    part->text = read->text;
    part->citations = read->citations;

    switch (part->kind) {

    case GH_HUB_IMAGE:
    case GH_HUB_DOCUMENT:
    case GH_HUB_AUDIO:
        return block_media(r, read, part, offset);

    case GH_HUB_REASONING:
    case GH_HUB_REDACTED:
        part->signature = read->signature;
        gh_hub_ask_reasoning(r, part, offset);
        return part->text.data != NULL ? GH_OK : gh_hub_invalid(r, "must have a text");

    case GH_HUB_TOOL_CALL:
        part->id = read->id;
        part->name = read->name;
        part->input = read->input;
        r->request->values_bytes += part->input.len;
        return GH_OK;

    case GH_HUB_TOOL_RESULT:
        part->id = read->id;
        part->parts = read->content;
        part->failed = read->status.data != NULL && gh_hub_is(read->status, "error");
        if (part->failed) {
            gh_hub_ask_at(r, GH_ASK_RESULT_FAILED, offset);
        }
        for (inner = part->parts; inner != NULL; inner = inner->next) {
            if (inner->kind != GH_HUB_TEXT && inner->kind != GH_HUB_SEARCH_RESULT) {
                gh_hub_ask_at(r, GH_ASK_RESULT_MEDIA, offset);
            }
        }
        return GH_OK;

    case GH_HUB_SEARCH_RESULT:
        part->text = read->source;
        part->name = read->title;
        part->parts = read->texts;
        part->cites = read->cites;
        gh_hub_ask_at(r, GH_ASK_SEARCH_RESULTS, offset);
        return GH_OK;

    default:
        return GH_OK;
    }
}

int
converse_content_read(gh_hub_reader_t *r, gh_hub_part_t **parts)
{
    gh_hub_part_t **tail = parts, *last = NULL;
    size_t          offset;
    block_t         read;
    int             status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (gh_hub_element(r, &status)) {
        offset = r->json.token_offset;
        memset(&read, 0, sizeof(read));
        read.kind = -1;
        if (GH_HUB_EXPECT_OBJECT(r, block_fields, &read) != GH_OK) {
            return GH_ERROR;
        }

        if (read.point && last != NULL) {
            last->cache = read.cache;
        }
        if (read.kind >= 0) {
            last = gh_hub_part_add(r, &tail, (gh_hub_kind_t) read.kind);
            if (last == NULL || block_part(r, &read, last, offset) != GH_OK) {
                return GH_ERROR;
            }
        }
    }

    return status;
}
