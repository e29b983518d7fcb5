/* The walk over a body's objects: keys found in their tables, duplicates refused, the path kept for messages. */
#include <string.h>

#include "ngx_module/wire/intake_reader.h"

#define KEY_TEXT 128

int
gh_intake_skip(gh_intake_reader_t *r)
{
    return gh_json_skip(&r->json) == GH_OK ? GH_OK : gh_intake_json_error(r);
}

int
gh_intake_skip_rest(gh_intake_reader_t *r)
{
    switch (r->json.event) {

    case GH_JSON_ERROR:
        return gh_intake_json_error(r);

    case GH_JSON_OBJECT_BEGIN:
    case GH_JSON_ARRAY_BEGIN:
        return gh_json_skip_rest(&r->json) == GH_OK ? GH_OK : gh_intake_json_error(r);

    default:
        return GH_OK;
    }
}

int
gh_intake_refuse(gh_intake_reader_t *r, const char *expected)
{
    return r->json.event == GH_JSON_ERROR ? gh_intake_json_error(r) : gh_intake_invalid(r, expected);
}

/*
 * One key of the object: finds its row and refuses it when it stood before. Known fields are bits of a set; the
 * hashed set, 2 KiB, is made for the first unknown one.
 */
static int
object_key(gh_intake_reader_t *r, const gh_field_table_t *table, uint64_t known[GH_FIELDS_MAX / 64],
    gh_json_seen_t *unknown, bool *unknown_begun, int *row, gh_str_t *key, char *buffer)
{
    if (gh_json_token_decode(&r->json, buffer, KEY_TEXT, key) != GH_OK) {
        *key = r->json.token;   /* above every known name's length, decoded or not */
        *row = -1;
    } else {
        *row = gh_field_find(table, *key, r->intake->endpoint);
    }

    gh_intake_push(r, (gh_intake_step_t) { *key, 0 });

    if (*row >= 0) {
        uint64_t bit = UINT64_C(1) << (*row % 64);

        if ((known[*row / 64] & bit) != 0) {
            r->json.event = GH_JSON_ERROR;
            r->json.error_code = "duplicate key";
            r->json.error_offset = r->json.token_offset;
            return gh_intake_json_error(r);
        }
        known[*row / 64] |= bit;
        return GH_OK;
    }

    if (!*unknown_begun) {
        gh_json_seen_init(unknown);
        *unknown_begun = true;
    }

    return gh_json_seen_add(unknown, &r->json) == GH_OK ? GH_OK : gh_intake_json_error(r);
}

void
gh_intake_unknown(gh_intake_reader_t *r)
{
    char text[256];

    if (!r->defer) {
        gh_intake_use(r, NULL);
    } else if (r->unknown.data == NULL) {
        r->unknown = gh_str_copy(r->arena, gh_intake_path(r, text, sizeof(text)));
        r->no_memory |= r->unknown.data == NULL;
    }
}

static int
unknown_value(gh_intake_reader_t *r)
{
    gh_intake_unknown(r);
    return gh_intake_skip(r);
}

int
gh_intake_object(gh_intake_reader_t *r, const gh_field_table_t *table)
{
    uint64_t       known[GH_FIELDS_MAX / 64] = { 0 };
    gh_json_seen_t unknown;
    bool           unknown_begun = false;
    char           buffer[KEY_TEXT];
    gh_str_t       key;
    int            row;

    for ( ;; ) {
        switch (gh_json_next(&r->json)) {

        case GH_JSON_OBJECT_END:
            return GH_OK;

        case GH_JSON_KEY:
            break;

        default:
            return gh_intake_json_error(r);
        }

        if (object_key(r, table, known, &unknown, &unknown_begun, &row, &key, buffer) != GH_OK) {
            return GH_ERROR;
        }

        if ((row >= 0 ? gh_intake_value(r, &table->rows[row]) : unknown_value(r)) != GH_OK) {
            return GH_ERROR;
        }

        gh_intake_pop(r);
    }
}

int
gh_intake_typed(gh_intake_reader_t *r, const gh_field_table_t *table, const gh_field_table_t *types)
{
    const gh_field_table_t *outer_types = r->types;
    int                     outer_type = r->type, rc;

    r->types = types;
    r->type = GH_INTAKE_TYPE_NONE;

    rc = gh_intake_object(r, table);

    if (rc == GH_OK && types == &gh_tool_types) {
        /* what belongs to a listed feature is that feature's; a function has no other fields */
        if (r->unknown.data != NULL && (r->type < 0 || types->rows[r->type].kind == GH_FIELD_INERT)) {
            gh_intake_use_add(r->intake, GH_STR(""), r->unknown);
            r->intake->uninspected = true;
        }
        r->unknown = (gh_str_t) { NULL, 0 };
    }

    r->types = outer_types;
    r->type = outer_type;

    return rc;
}

int
gh_intake_array(gh_intake_reader_t *r, const gh_field_table_t *table, const gh_field_table_t *types)
{
    bool     defer = r->defer;
    uint32_t i;
    int      rc;

    switch (gh_json_next(&r->json)) {
    case GH_JSON_NULL:
        return GH_OK;
    case GH_JSON_ARRAY_BEGIN:
        break;
    default:
        return gh_intake_refuse(r, "must be an array");
    }

    for (i = 0; gh_json_next(&r->json) != GH_JSON_ARRAY_END; i++) {
        gh_intake_push(r, (gh_intake_step_t) { { NULL, 0 }, i });

        if (r->json.event != GH_JSON_OBJECT_BEGIN) {
            return gh_intake_refuse(r, "must be an object");
        }

        r->defer = types == &gh_tool_types;
        rc = gh_intake_typed(r, table, types);
        r->defer = defer;
        if (rc != GH_OK) {
            return GH_ERROR;
        }

        gh_intake_pop(r);
    }

    return GH_OK;
}

