/* Bedrock Converse, citations of a text and what they cite. Source: the service model of bedrock-runtime (botocore): Citation, CitationsDelta, CitationLocation. */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/converse.h"

/* ---- texts ---- */

typedef struct {
    gh_str_t text;
} text_t;

static const gh_hub_field_t text_fields[] = {
    GH_HUB_FIELD("text", STRING, GH_ASKS, text_t, text),
};

int
converse_texts_read(gh_hub_reader_t *r, gh_hub_part_t **parts)
{
    gh_hub_part_t **tail = parts, *part;
    text_t          read;
    int             status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (gh_hub_element(r, &status)) {
        read = (text_t) { { NULL, 0 } };
        if (GH_HUB_EXPECT_OBJECT(r, text_fields, &read) != GH_OK) {
            return GH_ERROR;
        }
        if (read.text.data != NULL) {
            part = gh_hub_part_add(r, &tail, GH_HUB_TEXT);
            if (part == NULL) {
                return GH_ERROR;
            }
            part->text = read.text;
        }
    }

    return status;
}

void
converse_put_texts(gh_hub_put_t *p, const gh_hub_part_t *parts)
{
    gh_hub_put_key(p, "content");
    gh_hub_put_open(p, '[');
    for (; parts != NULL; parts = parts->next) {
        if (parts->kind == GH_HUB_TEXT) {
            gh_hub_put_open(p, '{');
            gh_hub_put_kv_string(p, "text", parts->text);
            gh_hub_put_close(p, '}');
        }
    }
    gh_hub_put_close(p, ']');
}

int
converse_texts_join(gh_hub_reader_t *r, const gh_hub_part_t *parts, gh_str_t *text)
{
    const gh_hub_part_t *part;
    size_t               len = 0;
    char                *data;

    if (parts == NULL || parts->next == NULL) {
        *text = parts != NULL ? parts->text : GH_STR("");
        return GH_OK;
    }

    for (part = parts; part != NULL; part = part->next) {
        len += part->text.len;
    }
    data = r->arena->alloc(r->arena, len + 1);
    if (data == NULL) {
        return gh_hub_no_memory(r);
    }

    *text = (gh_str_t) { data, 0 };
    for (part = parts; part != NULL; part = part->next) {
        if (part->text.len != 0) {
            memcpy(data + text->len, part->text.data, part->text.len);
            text->len += part->text.len;
        }
    }

    return GH_OK;
}

/* ---- citations ---- */

/* Members of the union, and what each calls its index. */
static const struct {
    const char    *name, *index;
    gh_hub_cites_t kind;
} places[] = {
    { "documentChar", "documentIndex", GH_HUB_CITES_CHARS }, { "documentPage", "documentIndex", GH_HUB_CITES_PAGES },
    { "documentChunk", "documentIndex", GH_HUB_CITES_BLOCKS }, { "searchResultLocation", "searchResultIndex", GH_HUB_CITES_RESULT },
};

#define PLACES (sizeof(places) / sizeof(places[0]))

static const gh_hub_field_t place_fields[] = {
    GH_HUB_FIELD("documentIndex", COUNT, GH_ASKS, gh_hub_citation_t, index),
    GH_HUB_FIELD("start", COUNT, GH_ASKS, gh_hub_citation_t, start),
    GH_HUB_FIELD("end", COUNT, GH_ASKS, gh_hub_citation_t, end),
};

static const gh_hub_field_t result_fields[] = {
    GH_HUB_FIELD("searchResultIndex", COUNT, GH_ASKS, gh_hub_citation_t, index),
    GH_HUB_FIELD("start", COUNT, GH_ASKS, gh_hub_citation_t, start),
    GH_HUB_FIELD("end", COUNT, GH_ASKS, gh_hub_citation_t, end),
};

static const gh_hub_field_t web_fields[] = {
    GH_HUB_FIELD("url", STRING, GH_ASKS, gh_hub_citation_t, url),
    GH_HUB_SKIPS("domain"),    /* the URL says it */
};

static int
read_place(gh_hub_reader_t *r, gh_hub_citation_t *citation, gh_hub_cites_t kind)
{
    citation->kind = kind;
    return kind == GH_HUB_CITES_RESULT ? GH_HUB_EXPECT_OBJECT(r, result_fields, citation)
        : GH_HUB_EXPECT_OBJECT(r, place_fields, citation);
}

static int
read_chars(gh_hub_reader_t *r, void *object)
{
    return read_place(r, object, GH_HUB_CITES_CHARS);
}

static int
read_pages(gh_hub_reader_t *r, void *object)
{
    return read_place(r, object, GH_HUB_CITES_PAGES);
}

static int
read_blocks(gh_hub_reader_t *r, void *object)
{
    return read_place(r, object, GH_HUB_CITES_BLOCKS);
}

static int
read_result(gh_hub_reader_t *r, void *object)
{
    return read_place(r, object, GH_HUB_CITES_RESULT);
}

static int
read_web(gh_hub_reader_t *r, void *object)
{
    gh_hub_citation_t *citation = object;

    citation->kind = GH_HUB_CITES_WEB;
    return GH_HUB_EXPECT_OBJECT(r, web_fields, object);
}

static const gh_hub_field_t location_fields[] = {
    GH_HUB_READS("documentChar", read_chars),
    GH_HUB_READS("documentPage", read_pages),
    GH_HUB_READS("documentChunk", read_blocks),
    GH_HUB_READS("searchResultLocation", read_result),
    GH_HUB_READS("web", read_web),
};

typedef struct {
    gh_str_t          title, source, pieces;
    gh_hub_citation_t place;
} citation_t;

static int
read_location(gh_hub_reader_t *r, void *object)
{
    return GH_HUB_EXPECT_OBJECT(r, location_fields, &((citation_t *) object)->place);
}

static int
read_pieces(gh_hub_reader_t *r, void *object)
{
    return gh_hub_array(r) == GH_OK ? gh_hub_raw(r, &((citation_t *) object)->pieces) : GH_ERROR;
}

static const gh_hub_field_t citation_fields[] = {
    GH_HUB_FIELD("title", STRING, GH_ASKS, citation_t, title),
    GH_HUB_FIELD("source", STRING, GH_ASKS, citation_t, source),
    GH_HUB_READS("sourceContent", read_pieces),
    GH_HUB_READS("location", read_location),
};

int
converse_citation_read(gh_hub_reader_t *r, gh_hub_citation_t *citation)
{
    citation_t read;

    memset(&read, 0, sizeof(read));
    read.place.index = read.place.start = read.place.end = GH_HUB_UNSAID;
    if (GH_HUB_EXPECT_OBJECT(r, citation_fields, &read) != GH_OK) {
        return GH_ERROR;
    }

    *citation = read.place;
    citation->title = read.title;
    citation->pieces = read.pieces;
    if (citation->kind == GH_HUB_CITES_RESULT) {
        citation->url = read.source;
    }
    gh_hub_citation_settle(citation);

    return GH_OK;
}

void
converse_put_citation(gh_hub_put_t *p, const gh_hub_citation_t *citation)
{
    size_t i;

    gh_hub_put_open(p, '{');
    gh_hub_put_kv_string(p, "title", citation->title);
    if (citation->kind == GH_HUB_CITES_RESULT) {
        gh_hub_put_kv_string(p, "source", citation->url);
    }
    if (citation->cited.data != NULL) {
        gh_hub_put_key(p, "sourceContent");
        GH_HUB_PUT(p, "[{");
        gh_hub_put_kv_string(p, "text", citation->cited);
        GH_HUB_PUT(p, "}]");
    }

    gh_hub_put_key(p, "location");
    gh_hub_put_open(p, '{');
    if (citation->kind == GH_HUB_CITES_WEB) {
        GH_HUB_PUT(p, "\"web\":{");
        gh_hub_put_kv_string(p, "url", citation->url);
    } else {
        for (i = 0; i < PLACES - 1 && places[i].kind != citation->kind; i++) { }
        gh_hub_put_key(p, places[i].name);
        gh_hub_put_open(p, '{');
        gh_hub_put_kv_u64(p, places[i].index, citation->index);
        gh_hub_put_kv_u64(p, "start", citation->start);
        gh_hub_put_kv_u64(p, "end", citation->end);
    }
    GH_HUB_PUT(p, "}}}");
}

bool
converse_put_cited(gh_hub_put_t *p, const gh_hub_part_t *part, gh_hub_writes_t writes)
{
    const gh_hub_citation_t *citation;
    bool                     any = false;

    for (citation = part->citations; citation != NULL; citation = citation->next) {
        if (gh_hub_is_cited(citation, writes)) {
            if (!any) {
                GH_HUB_PUT(p, "\"citationsContent\":{\"content\":[{");
                gh_hub_put_kv_string(p, "text", part->text);
                GH_HUB_PUT(p, "}],\"citations\":[");
                any = true;
            }
            converse_put_citation(p, citation);
        }
    }
    if (any) {
        GH_HUB_PUT(p, "]}");
    }

    return any;
}
