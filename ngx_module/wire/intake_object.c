/* The walk over a body's objects: keys found in their tables, duplicates refused, the path kept for messages. */
#include <string.h>

#include "ngx_module/wire/intake_reader.h"

#define KEY_TEXT 128

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void
gh_intake_member(gh_str_t body, size_t *begin, size_t *end)
{
    size_t after = *end;

    while (after < body.len && is_space(body.data[after])) {
        after++;
    }
    if (after < body.len && body.data[after] == ',') {
        *end = after + 1;
        return;
    }
    while (is_space(body.data[*begin - 1])) {
        (*begin)--;                /* the object's beginning comes first */
    }
    *begin -= body.data[*begin - 1] == ',';
}

bool
gh_intake_null_comes(const gh_intake_reader_t *r)
{
    const char *p = r->json.pos;

    while (p < r->json.end && (is_space(*p) || *p == ':')) {
        p++;
    }

    return p < r->json.end && *p == 'n';
}

void
gh_intake_unlike(gh_intake_reader_t *r)
{
    char text[256];

    if (r->intake->unlike.data == NULL) {
        r->intake->unlike = gh_str_copy(r->arena, gh_intake_path(r, text, sizeof(text)));
        r->no_memory |= r->intake->unlike.data == NULL;
    }
}

/* A member of the body itself; all of those may go, so each takes the comma in front. */
static void
moved_note(gh_intake_reader_t *r, gh_intake_member_t *moved, size_t key, size_t key_end)
{
    const char *data = r->body.data;

    moved->begin = key;
    do {
        moved->begin--;
    } while (is_space(data[moved->begin]));
    moved->first = data[moved->begin] != ',';
    moved->begin = moved->first ? key : moved->begin;

    for (moved->value = key_end; is_space(data[moved->value]) || data[moved->value] == ':'; moved->value++) { }
    moved->end = r->json.token_end;
}

void
gh_intake_relocate(gh_intake_reader_t *r, const gh_field_t *field, size_t key, size_t key_end)
{
    gh_intake_t *intake = r->intake;
    size_t       begin = key, end = r->json.token_end;

    if (field->moved != 0 && r->depth == 1) {
        gh_intake_member_t *moved = &intake->moved[field->moved - 1];

        moved_note(r, moved, key, key_end);
        while (intake->cuts != 0 && intake->cut[intake->cuts - 1].offset >= moved->begin) {
            intake->cuts--;        /* goes with it */
        }
    } else if ((field->dropped & r->alike) != 0 && intake->cuts == GH_CUTS_MAX) {
        gh_intake_unlike(r);
    } else if ((field->dropped & r->alike) != 0) {
        gh_intake_member(r->body, &begin, &end);
        intake->cut[intake->cuts].offset = begin;
        intake->cut[intake->cuts++].length = end - begin;
    }
}

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
        r->key_offset = r->json.token_offset;
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
    size_t         key_begin, key_end;
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

        key_begin = r->json.token_offset;
        key_end = r->json.token_end;
        if ((row >= 0 ? gh_intake_value(r, &table->rows[row]) : unknown_value(r)) != GH_OK) {
            return GH_ERROR;
        }
        if (row >= 0 && (table->rows[row].moved | table->rows[row].dropped) != 0) {
            gh_intake_relocate(r, &table->rows[row], key_begin, key_end);
        }

        gh_intake_pop(r);
    }
}

int
gh_intake_typed(gh_intake_reader_t *r, const gh_field_table_t *table, const gh_field_table_t *types)
{
    const gh_field_table_t *outer_types = r->types;
    gh_str_t                outer_unknown = r->unknown;
    bool                    outer_medium = r->medium, outer_name = r->source_name, outer_defer = r->defer, late = types != NULL && types->late;
    uint32_t                handles = r->intake->handle_count;
    int                     outer_type = r->type, rc;

    r->types = types;
    r->type = GH_INTAKE_TYPE_NONE;
    r->medium = false;
    r->source_name = false;
    r->unknown = (gh_str_t) { NULL, 0 };
    r->defer = late;

    rc = gh_intake_object(r, table);

    if (rc == GH_OK) {
        gh_intake_source_end(r, r->type >= 0 ? &types->rows[r->type] : NULL);
    }
    r->medium = outer_medium;
    r->source_name = outer_name;

    if (rc == GH_OK && late) {
        if (r->unknown.data != NULL && (r->type < 0 || types->rows[r->type].kind == GH_FIELD_INERT)) {
            gh_intake_use_add(r->intake, GH_STR(""), r->unknown);
            r->intake->uninspected = true;
        }
    }

    if (rc == GH_OK && types != NULL && r->intake->handle_count != handles) {
        gh_intake_handles_typed(r, handles);
    }

    r->unknown = outer_unknown;
    r->defer = outer_defer;

    r->types = outer_types;
    r->type = outer_type;

    return rc;
}

int
gh_intake_list(gh_intake_reader_t *r, int (*element)(gh_intake_reader_t *r, const void *context), const void *context, uint32_t *count)
{
    uint32_t i;

    switch (r->json.event) {
    case GH_JSON_NULL:
        return GH_OK;
    case GH_JSON_ARRAY_BEGIN:
        break;
    default:
        return gh_intake_refuse(r, "must be an array");
    }

    for (i = 0; gh_json_next(&r->json) != GH_JSON_ARRAY_END; i++) {
        gh_intake_push(r, (gh_intake_step_t) { { NULL, 0 }, i });
        if (element(r, context) != GH_OK) {
            return GH_ERROR;
        }
        gh_intake_pop(r);
    }

    if (count != NULL) {
        *count = i;
    }

    return GH_OK;
}

typedef struct { const gh_field_table_t *table, *types; } objects_t;

static int
object_element(gh_intake_reader_t *r, const void *context)
{
    const objects_t *objects = context;

    return r->json.event == GH_JSON_OBJECT_BEGIN ? gh_intake_typed(r, objects->table, objects->types) : gh_intake_refuse(r, "must be an object");
}

int
gh_intake_array(gh_intake_reader_t *r, const gh_field_table_t *table, const gh_field_table_t *types, uint32_t *count)
{
    const objects_t objects = { table, types };

    gh_json_next(&r->json);
    return gh_intake_list(r, object_element, &objects, count);
}
