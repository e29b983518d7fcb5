/* Where an image or a document of Messages is, objects whose keys are the client's own, and flags. */
#include "ngx_module/wire/intake_reader.h"

/*
 * The data of a source: "text" is the document itself, of every other type it is what no detector reads. The type may stand behind it, so both are
 * judged when the object has been read.
 */
int
gh_intake_source_data(gh_intake_reader_t *r)
{
    gh_intake_source_t *source = r->source;

    switch (gh_json_next(&r->json)) {
    case GH_JSON_NULL:
        return GH_OK;
    case GH_JSON_STRING:
        break;
    default:
        return gh_intake_refuse(r, "must be a string");
    }

    if (source != NULL) {
        source->data = r->json.token.len != 0;
        source->data_bytes = r->json.token.len - r->json.token_spare;
        source->fetched = !gh_intake_is_base64(r) && !gh_intake_is_data_url(r);
    }

    return GH_OK;
}

static int
source_object(gh_intake_reader_t *r, const gh_field_t *field, int *type)
{
    const gh_field_table_t *outer_types = r->types;
    int                     outer_type = r->type, rc;

    r->types = field->types;
    r->type = GH_INTAKE_TYPE_NONE;

    rc = gh_intake_object(r, field->table);

    *type = r->type;
    r->types = outer_types;
    r->type = outer_type;

    return rc;
}

int
gh_intake_source(gh_intake_reader_t *r, const gh_field_t *field)
{
    gh_intake_source_t source = { 0, false, false }, *outer = r->source;
    bool               in_media = r->in_media;
    int                type, rc;

    switch (gh_json_next(&r->json)) {
    case GH_JSON_NULL:
        return GH_OK;
    case GH_JSON_STRING:
        r->source_name = true;
        return GH_OK;
    case GH_JSON_OBJECT_BEGIN:
        break;
    default:
        return gh_intake_refuse(r, "must be an object");
    }

    r->source = &source;
    r->in_media = true;
    rc = source_object(r, field, &type);
    r->source = outer;
    r->in_media = in_media;

    if (rc != GH_OK || (type >= 0 && !field->types->rows[type].unread)) {
        return rc;
    }

    r->medium = true;
    r->intake->uninspected = true;

    if (source.fetched) {
        gh_intake_use(r, "fetched_url");
    } else if (source.data) {
        r->media_bytes += source.data_bytes;
    }

    return GH_OK;
}

void
gh_intake_source_end(gh_intake_reader_t *r, const gh_field_t *type)
{
    if (type != NULL) {
        r->intake->unbounded += type->unbounded;
    }

    if (r->medium) {
        if (type != NULL && type->image) {
            r->intake->images++;
        } else {
            r->intake->unbounded++;
        }
    }

    if (r->source_name && (type == NULL || !type->named)) {
        gh_intake_unknown(r);   /* as an address it would be fetched */
    }
}

int
gh_intake_map(gh_intake_reader_t *r, const gh_field_t *field)
{
    static const gh_field_t plain = { .kind = GH_FIELD_INERT };
    gh_json_seen_t          seen;
    gh_field_t              value = plain;
    int                     rc;

    switch (gh_json_next(&r->json)) {
    case GH_JSON_NULL:
        return GH_OK;
    case GH_JSON_OBJECT_BEGIN:
        break;
    default:
        return gh_intake_refuse(r, "must be an object");
    }

    if (field->table != NULL) {
        value.kind = field->types != NULL ? GH_FIELD_WORD_OR_OBJECT : GH_FIELD_OBJECT;
        value.table = field->table;
        value.types = field->types;
    }

    gh_json_seen_init(&seen);

    while (gh_json_next(&r->json) == GH_JSON_KEY) {
        gh_intake_push(r, (gh_intake_step_t) { r->json.token, 0 });
        if (gh_json_seen_add(&seen, &r->json) != GH_OK) {
            return gh_intake_json_error(r);
        }
        rc = gh_intake_nested(r, &value);
        if (rc != GH_OK) {
            return rc;
        }
        gh_intake_pop(r);
    }

    return r->json.event == GH_JSON_OBJECT_END ? GH_OK : gh_intake_json_error(r);
}

/* The string just read. */
static void
beta(gh_intake_reader_t *r)
{
    char     buffer[64];
    gh_str_t name;
    int      row = -1;

    if (gh_json_token_decode(&r->json, buffer, sizeof(buffer), &name) == GH_OK) {
        row = gh_field_find(&gh_beta_flags, name, r->intake->endpoint);
    }

    if (row < 0) {
        gh_intake_unknown_word(r);
    } else if (gh_beta_flags.rows[row].kind == GH_FIELD_FEATURE) {
        gh_intake_use(r, gh_beta_flags.rows[row].feature);
    }
}

static int
beta_element(gh_intake_reader_t *r, const void *context)
{
    (void) context;

    if (r->json.event != GH_JSON_STRING) {
        return gh_intake_refuse(r, "must be a string");
    }
    beta(r);
    return GH_OK;
}

int
gh_intake_betas(gh_intake_reader_t *r)
{
    if (gh_json_next(&r->json) == GH_JSON_STRING) {
        beta(r);
        return GH_OK;
    }

    return gh_intake_list(r, beta_element, NULL, NULL);
}
