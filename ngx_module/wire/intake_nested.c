/*
 * Values that only hold something: text, media, options, schemas. What is inside is judged by its rows, however deep; an
 * object without rows is unknown.
 */
#include <string.h>

#include "ngx_module/wire/intake_reader.h"

static bool
token_starts(const gh_intake_reader_t *r, const char *prefix)
{
    size_t i, len = strlen(prefix);

    if (r->json.token.len < len) {
        return false;
    }

    for (i = 0; i < len; i++) {
        char c = r->json.token.data[i];

        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != prefix[i]) {
            return false;
        }
    }

    return true;
}

/*
 * RFC 4648 sections 4 and 5, padding and line breaks included. Of the escapes only those that PHP and line breaks need
 * ("\/", "\r", "\n"): any other could hide a URL.
 */
bool
gh_intake_is_base64(const gh_intake_reader_t *r)
{
    const char *p = r->json.token.data, *end = p + r->json.token.len;

    for ( ; p < end; p++) {
        char c = *p;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
            || c == '+' || c == '/' || c == '=' || c == '-' || c == '_')
        {
            continue;
        }

        if (c != '\\') {
            return false;
        }

        p++;   /* the reader has seen what follows */
        if (*p != '/' && *p != 'r' && *p != 'n') {
            return false;
        }
    }

    return true;
}

bool
gh_intake_is_data_url(const gh_intake_reader_t *r)
{
    return token_starts(r, "data:");
}

/* An escaped or unusual spelling of a scheme counts as fetched. */
static void
judge_url(gh_intake_reader_t *r)
{
    if (!gh_intake_is_data_url(r)) {
        gh_intake_use(r, "fetched_url");
        r->intake->unbounded += !r->in_media;   /* what it leads to may be read as text */
    } else if (r->in_media) {
        gh_intake_media_data(r);
    }
}

static void
judge_data(gh_intake_reader_t *r)
{
    if (gh_intake_is_base64(r)) {
        gh_intake_media_data(r);
    } else {
        judge_url(r);
    }
}

/* INERT and UNREAD. One use however many objects: the path is the field's. */
static int
nested_plain(gh_intake_reader_t *r, bool unread)
{
    uint32_t outside = r->json.depth;
    bool     noted = false;

    do {
        switch (gh_json_next(&r->json)) {

        case GH_JSON_ERROR:
            return gh_intake_json_error(r);

        case GH_JSON_OBJECT_BEGIN:
            if (!noted) {
                gh_intake_unknown(r);
                noted = true;
            }
            if (gh_intake_skip_rest(r) != GH_OK) {
                return GH_ERROR;
            }
            break;

        case GH_JSON_STRING:
            r->intake->uninspected |= unread && r->json.token.len != 0;
            break;

        case GH_JSON_NUMBER:
            r->intake->uninspected |= unread;
            break;

        default:
            break;
        }
    } while (r->json.depth > outside);

    return GH_OK;
}

static bool
key_is_reference(const gh_json_reader_t *json)
{
    return gh_json_token_is(json, GH_STR("$ref"))
           || gh_json_token_is(json, GH_STR("$dynamicRef"))
           || gh_json_token_is(json, GH_STR("$recursiveRef"));
}

/*
 * JSON Schema 2020-12 section 8.2.3: a reference is a URI; "#..." stays in the document. Any other may be retrieved.
 * *text: the schema was a string, which is the last event; its text is not read.
 */
static int
schema_references(gh_json_reader_t *json, bool *text, bool *leaves)
{
    uint32_t outside = json->depth;
    bool     reference = false;

    *text = false;

    do {
        switch (gh_json_next(json)) {

        case GH_JSON_ERROR:
            return GH_ERROR;

        case GH_JSON_KEY:
            reference = key_is_reference(json);
            continue;

        case GH_JSON_STRING:
            *text = json->depth == outside;
            *leaves |= reference && json->token.len != 0 && json->token.data[0] != '#';
            break;

        default:
            break;
        }
        reference = false;
    } while (json->depth > outside);

    return GH_OK;
}

static int
nested_schema(gh_intake_reader_t *r)
{
    gh_json_reader_t inner;
    gh_str_t         schema;
    char            *buffer;
    bool             text, leaves = false;

    if (schema_references(&r->json, &text, &leaves) != GH_OK) {
        return gh_intake_json_error(r);
    }

    if (text && r->json.token.len != 0) {
        buffer = gh_arena_alloc(r->arena, r->json.token.len);
        if (buffer == NULL) {
            r->no_memory = true;
            return GH_OK;
        }
        if (gh_json_token_decode(&r->json, buffer, r->json.token.len, &schema) == GH_OK) {
            gh_json_reader_init(&inner, schema, 0);
            if (schema_references(&inner, &text, &leaves) != GH_OK || text || gh_json_next(&inner) != GH_JSON_END) {
                gh_intake_unknown(r);   /* a laxer reader may find one in it */
            }
        }
    }

    if (leaves) {
        gh_intake_use(r, "fetched_url");
        r->intake->unbounded++;
    }

    return GH_OK;
}

static bool
is_media(const gh_field_t *field)
{
    return field->kind == GH_FIELD_MEDIA || field->kind == GH_FIELD_FILE || field->kind == GH_FIELD_DATA;
}

static int
nested_object(gh_intake_reader_t *r, const gh_field_t *field)
{
    bool in_media = r->in_media;
    int  rc;

    r->intake->uninspected |= field->unread || is_media(field);

    if (field->table == NULL) {
        gh_intake_unknown(r);
        return gh_intake_skip_rest(r);
    }

    r->in_media |= is_media(field);
    rc = field->types != NULL ? gh_intake_typed(r, field->table, field->types) : gh_intake_object(r, field->table);
    r->in_media = in_media;

    return rc;
}

/* A medium has begun, with the event just read; what is inside one belongs to it. */
static void
count_medium(gh_intake_reader_t *r, const gh_field_t *field)
{
    if (!is_media(field) || r->in_media || r->json.event == GH_JSON_NULL) {
        return;
    }

    if (field->image) {
        r->intake->images++;
    } else {
        r->intake->unbounded++;
    }
}

/*
 * The value whose first event has been read, of OBJECT, WORD_OR_OBJECT and DATA; an array's elements likewise. Only data
 * (tensors) stands in arrays of arrays.
 */
static int
nested_value(gh_intake_reader_t *r, const gh_field_t *field)
{
    uint32_t i;
    int      rc;

    switch (r->json.event) {

    case GH_JSON_ERROR:
        return gh_intake_json_error(r);

    case GH_JSON_OBJECT_BEGIN:
        return nested_object(r, field);

    case GH_JSON_ARRAY_BEGIN:
        for (i = 0; gh_json_next(&r->json) != GH_JSON_ARRAY_END; i++) {
            gh_intake_push(r, (gh_intake_step_t) { { NULL, 0 }, i });
            if (r->json.event == GH_JSON_ARRAY_BEGIN && field->kind != GH_FIELD_DATA) {
                gh_intake_unknown(r);
                rc = gh_intake_skip_rest(r);
            } else {
                rc = nested_value(r, field);
            }
            if (rc != GH_OK) {
                return GH_ERROR;
            }
            gh_intake_pop(r);
        }
        if (field->kind == GH_FIELD_DATA && field->table == NULL && !r->in_media && r->json.depth == 1) {
            r->intake->prompts += i;   /* prompt_embeds: each is answered, besides the texts */
        }
        return GH_OK;

    case GH_JSON_NULL:
        return GH_OK;

    default:
        break;
    }

    if (field->kind == GH_FIELD_OBJECT) {
        gh_intake_unknown(r);

    } else if (field->kind == GH_FIELD_DATA) {
        r->intake->uninspected |= r->json.event == GH_JSON_NUMBER
                                  || (r->json.event == GH_JSON_STRING && r->json.token.len != 0);
        if (r->json.event == GH_JSON_STRING) {
            bool in_media = r->in_media;

            r->in_media = true;
            judge_data(r);
            r->in_media = in_media;
        }
    }

    return GH_OK;
}

/* MEDIA and FILE: null, an object, of MEDIA also a URL. */
static int
nested_media(gh_intake_reader_t *r, const gh_field_t *field)
{
    bool in_media = r->in_media;

    gh_json_next(&r->json);
    count_medium(r, field);

    switch (r->json.event) {

    case GH_JSON_NULL:
        return GH_OK;

    case GH_JSON_OBJECT_BEGIN:
        return nested_object(r, field);

    case GH_JSON_STRING:
        if (field->kind == GH_FIELD_FILE) {
            return gh_intake_refuse(r, "must be an object");
        }
        r->intake->uninspected = true;
        r->in_media = true;
        judge_url(r);
        r->in_media = in_media;
        return GH_OK;

    default:
        return gh_intake_refuse(r, "must be a string or an object");
    }
}

/* No detector reads what a URL stands for, in it or behind it. */
static int
nested_url(gh_intake_reader_t *r)
{
    switch (gh_json_next(&r->json)) {

    case GH_JSON_NULL:
        return GH_OK;

    case GH_JSON_STRING:
        r->intake->uninspected = true;
        judge_url(r);
        return GH_OK;

    default:
        return gh_intake_refuse(r, "must be a string");
    }
}

int
gh_intake_nested(gh_intake_reader_t *r, const gh_field_t *field)
{
    switch ((gh_field_kind_t) field->kind) {
    case GH_FIELD_INERT:  return nested_plain(r, false);
    case GH_FIELD_UNREAD: return nested_plain(r, true);
    case GH_FIELD_SCHEMA: return nested_schema(r);
    case GH_FIELD_MEDIA:
    case GH_FIELD_FILE:   return nested_media(r, field);
    case GH_FIELD_URL:    return nested_url(r);
    default:
        gh_json_next(&r->json);
        count_medium(r, field);
        return nested_value(r, field);
    }
}
