/*
 * What an answer cites: documents and search results of the request, and web pages. Messages and Converse of Anthropic's models count alike (characters and blocks
 * from 0, pages from 1, ends are exclusive; documents and search results each from 0 in the order they stand in), so that no number changes between them.
 */
#include <string.h>

#include "ngx_module/wire/hub/dialect.h"

int
gh_hub_citations(gh_hub_reader_t *r, int (*one)(gh_hub_reader_t *r, gh_hub_citation_t *citation), gh_hub_citation_t **first)
{
    gh_hub_citation_t **tail = first, read;
    size_t              offset = r->json.token_offset;
    int                 status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    while (gh_hub_element(r, &status)) {
        if (one(r, &read) != GH_OK) {
            return GH_ERROR;
        }
        gh_hub_ask_at(r, read.kind > GH_HUB_CITES_WEB ? GH_ASK_CITED_SOURCE : GH_ASK_CITED, offset);
        if (read.kind != GH_HUB_CITES_NOTHING) {
            *tail = gh_hub_new(r, sizeof(gh_hub_citation_t));
            if (*tail == NULL) {
                return GH_ERROR;
            }
            **tail = read;
            tail = &(*tail)->next;
        }
    }

    return status;
}

void
gh_hub_citation_settle(gh_hub_citation_t *citation)
{
    bool said = citation->kind == GH_HUB_CITES_WEB ? citation->url.data != NULL
        : citation->index != GH_HUB_UNSAID && citation->start != GH_HUB_UNSAID && citation->end != GH_HUB_UNSAID && citation->start <= citation->end;

    if (!said) {
        citation->kind = GH_HUB_CITES_NOTHING;
    }
    if (citation->kind == GH_HUB_CITES_WEB) {
        citation->all = true;
        citation->index = citation->start = citation->end = 0;
    }
}

static int
read_enabled(gh_hub_reader_t *r, void *object)
{
    if (r->json.event != GH_JSON_TRUE && r->json.event != GH_JSON_FALSE) {
        return gh_hub_invalid(r, "must be true or false");
    }

    *(bool *) object = r->json.event == GH_JSON_TRUE;
    if (r->json.event == GH_JSON_TRUE) {
        gh_hub_ask(r, GH_ASK_CITATIONS);
    }

    return GH_OK;
}

static const gh_hub_field_t citing_fields[] = {
    GH_HUB_READS("enabled", read_enabled),
};

int
gh_hub_read_citing(gh_hub_reader_t *r, bool *cites)
{
    return GH_HUB_EXPECT_OBJECT(r, citing_fields, cites);
}

void
gh_hub_ask_blocks(gh_hub_reader_t *r, gh_hub_part_t *part, size_t offset)
{
    const gh_hub_part_t *inner;

    for (inner = part->parts; inner != NULL; inner = inner->next) {
        if (inner->kind != GH_HUB_TEXT || inner->citations != NULL) {
            gh_hub_ask_at(r, inner->kind == GH_HUB_IMAGE ? GH_ASK_DOCUMENT_IMAGES : GH_ASK_UNKNOWN, offset);
        }
        part->cache = inner->cache > part->cache ? inner->cache : part->cache;
    }
}

bool
gh_hub_citation_mend(gh_hub_citation_t *citation, gh_hub_put_t *copy)
{
    gh_str_t *texts[] = { &citation->url, &citation->title, &citation->cited, &citation->pieces };
    size_t    total = 0, i, begin;
    bool      any = false;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        any |= gh_hub_lone(*texts[i], false);
        total += texts[i]->len;
    }
    if (!any) {
        return true;
    }

    copy->len = 0;
    if (!gh_hub_put_room(copy, total)) {
        return false;
    }
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i]->len != 0) {
            begin = copy->len;
            gh_hub_put(copy, *texts[i]);
            gh_hub_mend(copy->data + begin, texts[i]->len, false);
            texts[i]->data = copy->data + begin;
        }
    }

    return true;
}

/* ---- written ---- */

/* The texts of an array of {"text"}, which has been read before. */
static void
put_pieces(gh_hub_put_t *p, gh_str_t raw)
{
    gh_json_reader_t r;
    bool             text;

    gh_json_reader_init(&r, raw, 0);
    r.lone_surrogates = true;
    if (gh_json_next(&r) != GH_JSON_ARRAY_BEGIN) {
        return;
    }

    while (gh_json_next(&r) == GH_JSON_OBJECT_BEGIN) {
        while (gh_json_next(&r) == GH_JSON_KEY) {
            text = gh_json_token_is(&r, GH_STR("text"));
            gh_json_next(&r);
            if (text && r.event == GH_JSON_STRING) {
                gh_hub_put(p, r.token);
            } else if (r.event == GH_JSON_OBJECT_BEGIN || r.event == GH_JSON_ARRAY_BEGIN) {
                gh_json_skip_rest(&r);
            }
        }
    }
}

void
gh_hub_put_cited(gh_hub_put_t *p, const char *key, const gh_hub_citation_t *citation)
{
    gh_hub_put_key(p, key);
    GH_HUB_PUT(p, "\"");
    gh_hub_put(p, citation->cited);
    put_pieces(p, citation->pieces);
    GH_HUB_PUT(p, "\"");
}

void
gh_hub_put_citing(gh_hub_put_t *p, const gh_hub_part_t *part)
{
    if (part->cites) {
        GH_HUB_PUT(p, ",\"citations\":{\"enabled\":true}");
    }
}
