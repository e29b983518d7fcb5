/* Anthropic Messages, citations of a text. Source: anthropic-sdk-python's anthropic/types (text_citation, text_citation_param, citations_delta). */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/messages.h"

typedef struct {
    gh_str_t type, cited, document_title, title, source, url;
    uint64_t document, result, start_char, end_char, start_page, end_page, start_block, end_block;
} citation_t;

/* Where each type says its index and its place, and whether it calls its title the document's. */
static const struct {
    const char    *type;
    const char    *index, *start, *end;    /* NULL: it has none */
    size_t         index_at, start_at, end_at;
    gh_hub_cites_t kind;
    bool           document;
} types[] = {
    { "char_location", "document_index", "start_char_index", "end_char_index",
      offsetof(citation_t, document), offsetof(citation_t, start_char), offsetof(citation_t, end_char), GH_HUB_CITES_CHARS, true },
    { "page_location", "document_index", "start_page_number", "end_page_number",
      offsetof(citation_t, document), offsetof(citation_t, start_page), offsetof(citation_t, end_page), GH_HUB_CITES_PAGES, true },
    { "content_block_location", "document_index", "start_block_index", "end_block_index",
      offsetof(citation_t, document), offsetof(citation_t, start_block), offsetof(citation_t, end_block), GH_HUB_CITES_BLOCKS, true },
    { "search_result_location", "search_result_index", "start_block_index", "end_block_index",
      offsetof(citation_t, result), offsetof(citation_t, start_block), offsetof(citation_t, end_block), GH_HUB_CITES_RESULT, false },
    { "web_search_result_location", NULL, NULL, NULL, 0, 0, 0, GH_HUB_CITES_WEB, false },
};

#define TYPES (sizeof(types) / sizeof(types[0]))

static const gh_hub_field_t citation_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, citation_t, type),
    GH_HUB_FIELD("cited_text", STRING, GH_ASKS, citation_t, cited),
    GH_HUB_FIELD("document_index", COUNT, GH_ASKS, citation_t, document),
    GH_HUB_FIELD("document_title", STRING, GH_ASKS, citation_t, document_title),
    GH_HUB_FIELD("start_char_index", COUNT, GH_ASKS, citation_t, start_char),
    GH_HUB_FIELD("end_char_index", COUNT, GH_ASKS, citation_t, end_char),
    GH_HUB_FIELD("start_page_number", COUNT, GH_ASKS, citation_t, start_page),
    GH_HUB_FIELD("end_page_number", COUNT, GH_ASKS, citation_t, end_page),
    GH_HUB_FIELD("start_block_index", COUNT, GH_ASKS, citation_t, start_block),
    GH_HUB_FIELD("end_block_index", COUNT, GH_ASKS, citation_t, end_block),
    GH_HUB_FIELD("search_result_index", COUNT, GH_ASKS, citation_t, result),
    GH_HUB_FIELD("source", STRING, GH_ASKS, citation_t, source),
    GH_HUB_FIELD("title", STRING, GH_ASKS, citation_t, title),
    GH_HUB_FIELD("url", STRING, GH_ASKS, citation_t, url),
    GH_HUB_SKIPS("encrypted_index"),    /* for Anthropic alone */
    GH_HUB_SKIPS("file_id"),            /* of a document that the provider keeps, which no other dialect can be asked of */
};

static uint64_t
number_at(const citation_t *read, size_t offset)
{
    uint64_t number;

    memcpy(&number, (const char *) read + offset, sizeof(number));
    return number;
}

int
messages_citation_read(gh_hub_reader_t *r, gh_hub_citation_t *citation)
{
    citation_t read;
    size_t     i;

    memset(&read, 0, sizeof(read));
    read.document = read.result = read.start_char = read.end_char = read.start_page = read.end_page = read.start_block = read.end_block = GH_HUB_UNSAID;
    if (GH_HUB_EXPECT_OBJECT(r, citation_fields, &read) != GH_OK) {
        return GH_ERROR;
    }

    memset(citation, 0, sizeof(*citation));
    for (i = 0; i < TYPES && !gh_hub_is(read.type, types[i].type); i++) { }
    if (i == TYPES) {
        return GH_OK;
    }

    citation->kind = types[i].kind;
    citation->title = types[i].document ? read.document_title : read.title;
    citation->cited = read.cited;
    if (citation->kind == GH_HUB_CITES_WEB) {
        citation->url = read.url;
    } else {
        citation->url = types[i].document ? (gh_str_t) { NULL, 0 } : read.source;
        citation->index = number_at(&read, types[i].index_at);
        citation->start = number_at(&read, types[i].start_at);
        citation->end = number_at(&read, types[i].end_at);
    }
    gh_hub_citation_settle(citation);

    return GH_OK;
}

static void
put_or_null(gh_hub_put_t *p, const char *key, gh_str_t escaped)
{
    if (escaped.data != NULL) {
        gh_hub_put_kv_string(p, key, escaped);
    } else {
        gh_hub_put_kv_raw(p, key, GH_STR("null"));
    }
}

void
messages_put_citation(gh_hub_put_t *p, const gh_hub_citation_t *citation)
{
    size_t i;

    for (i = 0; i < TYPES - 1 && types[i].kind != citation->kind; i++) { }

    gh_hub_put_open(p, '{');
    gh_hub_put_kv_string(p, "type", gh_str_from(types[i].type));
    gh_hub_put_cited(p, "cited_text", citation);
    put_or_null(p, types[i].document ? "document_title" : "title", citation->title);
    if (citation->kind == GH_HUB_CITES_WEB) {
        gh_hub_put_kv_string(p, "url", citation->url);
        gh_hub_put_kv_string(p, "encrypted_index", GH_STR(""));
    } else {
        if (!types[i].document) {
            gh_hub_put_kv_string(p, "source", citation->url.data != NULL ? citation->url : GH_STR(""));
        }
        gh_hub_put_kv_u64(p, types[i].index, citation->index);
        gh_hub_put_kv_u64(p, types[i].start, citation->start);
        gh_hub_put_kv_u64(p, types[i].end, citation->end);
    }
    gh_hub_put_close(p, '}');
}

void
messages_put_citations(gh_hub_put_t *p, const gh_hub_citation_t *citation, gh_hub_writes_t writes)
{
    bool any = false;

    for (; citation != NULL; citation = citation->next) {
        if (gh_hub_is_cited(citation, writes)) {
            if (!any) {
                gh_hub_put_key(p, "citations");
                gh_hub_put_open(p, '[');
                any = true;
            }
            messages_put_citation(p, citation);
        }
    }
    if (any) {
        gh_hub_put_close(p, ']');
    }
}
