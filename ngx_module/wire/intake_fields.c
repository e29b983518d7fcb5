/*
 * The values of an intake, by the kind their field's row names. One pass: what has no meaning for the decision is
 * skipped (and checked) by the reader.
 */
#include <string.h>

#include "ngx_module/wire/intake_reader.h"

#define MODEL_MAX 256
#define COUNT_MAX 128
#define TYPE_TEXT 64

static gh_json_event_t
next(gh_intake_reader_t *r)
{
    return gh_json_next(&r->json);
}

static int
value_messages(gh_intake_reader_t *r)
{
    r->messages = true;
    return gh_intake_array(r, &gh_message_fields, NULL);
}

static int
value_content(gh_intake_reader_t *r)
{
    uint32_t i;

    switch (next(r)) {
    case GH_JSON_STRING:
    case GH_JSON_NULL:
        return GH_OK;
    case GH_JSON_OBJECT_BEGIN:
        return gh_intake_typed(r, &gh_part_fields, &gh_part_types);
    case GH_JSON_ARRAY_BEGIN:
        break;
    default:
        return gh_intake_refuse(r, "must be a string or an array");
    }

    for (i = 0; next(r) != GH_JSON_ARRAY_END; i++) {
        gh_intake_push(r, (gh_intake_step_t) { { NULL, 0 }, i });

        if (r->json.event == GH_JSON_OBJECT_BEGIN) {
            if (gh_intake_typed(r, &gh_part_fields, &gh_part_types) != GH_OK) {
                return GH_ERROR;
            }
        } else if (r->json.event != GH_JSON_STRING) {
            return gh_intake_refuse(r, "must be an object or a string");
        }

        gh_intake_pop(r);
    }

    return GH_OK;
}

static int
value_texts(gh_intake_reader_t *r)
{
    uint32_t outside = r->json.depth;

    do {
        switch (next(r)) {
        case GH_JSON_ERROR:
            return gh_intake_json_error(r);
        case GH_JSON_OBJECT_BEGIN:
            gh_intake_use(r, NULL);
            if (gh_intake_skip_rest(r) != GH_OK) {
                return GH_ERROR;
            }
            break;
        case GH_JSON_NUMBER:
            r->intake->uninspected = true;   /* token ids */
            break;
        default:
            break;
        }
    } while (r->json.depth > outside);

    return GH_OK;
}

static int
value_type(gh_intake_reader_t *r)
{
    const gh_field_t *row;
    char              buffer[TYPE_TEXT];
    gh_str_t          name;

    switch (next(r)) {
    case GH_JSON_NULL:
        return GH_OK;
    case GH_JSON_STRING:
        break;
    default:
        return gh_intake_refuse(r, "must be a string");
    }

    r->type = GH_INTAKE_TYPE_UNKNOWN;
    if (gh_json_token_decode(&r->json, buffer, sizeof(buffer), &name) == GH_OK) {
        r->type = gh_field_find(r->types, name, r->intake->endpoint);
    }

    if (r->type < 0) {
        r->type = GH_INTAKE_TYPE_UNKNOWN;
        gh_intake_unknown_word(r);
        return GH_OK;
    }

    row = &r->types->rows[r->type];
    if (row->kind == GH_FIELD_FEATURE) {
        gh_intake_use(r, row->feature);
    }

    return GH_OK;
}

/* The string just read, out of a CHOICE's values. */
static void
choice(gh_intake_reader_t *r, const gh_field_t *field)
{
    const char *const *value;

    for (value = field->values; r->json.event == GH_JSON_STRING && *value != NULL; value++) {
        if (gh_json_token_is(&r->json, gh_str_from(*value))) {
            return;
        }
    }

    if (field->feature != NULL) {
        gh_intake_use(r, field->feature);
    } else {
        gh_intake_unknown_word(r);
    }
}

static int
value_choices(gh_intake_reader_t *r, const gh_field_t *field)
{
    uint32_t i;

    switch (next(r)) {
    case GH_JSON_NULL:
        return GH_OK;
    case GH_JSON_ARRAY_BEGIN:
        break;
    default:
        return gh_intake_refuse(r, "must be an array");
    }

    for (i = 0; next(r) != GH_JSON_ARRAY_END; i++) {
        gh_intake_push(r, (gh_intake_step_t) { { NULL, 0 }, i });
        choice(r, field);
        if (gh_intake_skip_rest(r) != GH_OK) {
            return GH_ERROR;
        }
        gh_intake_pop(r);
    }

    return GH_OK;
}

static int
value_model(gh_intake_reader_t *r)
{
    char     buffer[MODEL_MAX];
    gh_str_t model;
    size_t   i;

    if (next(r) != GH_JSON_STRING
        || gh_json_token_decode(&r->json, buffer, sizeof(buffer), &model) != GH_OK
        || model.len == 0 || model.len > MODEL_MAX)
    {
        return gh_intake_refuse(r, "must be a string of 1 to 256 bytes");
    }

    for (i = 0; i < model.len; i++) {
        if ((unsigned char) model.data[i] < 0x20 || model.data[i] == 0x7f) {
            return gh_intake_invalid(r, "must not hold control bytes");
        }
    }

    if (model.data == buffer) {
        model = gh_str_copy(r->arena, model);
        if (model.data == NULL) {
            return gh_error_set(r->error, "no_memory", "out of memory");
        }
    }

    r->intake->model = model;
    r->intake->model_value.offset = r->json.token_offset;
    r->intake->model_value.length = r->json.token_end - r->json.token_offset;

    return GH_OK;
}

static int
value_store(gh_intake_reader_t *r)
{
    switch (next(r)) {
    case GH_JSON_TRUE:
        gh_intake_use(r, "store");
        break;
    case GH_JSON_FALSE:
    case GH_JSON_NULL:
        break;
    default:
        return gh_intake_refuse(r, "must be true or false");
    }

    r->intake->store_value.offset = r->json.token_offset;
    r->intake->store_value.length = r->json.token_end - r->json.token_offset;

    return GH_OK;
}

static int
value_bool(gh_intake_reader_t *r, bool *out)
{
    switch (next(r)) {
    case GH_JSON_TRUE:
        *out = true;
        return GH_OK;
    case GH_JSON_FALSE:
    case GH_JSON_NULL:
        return GH_OK;
    default:
        return gh_intake_refuse(r, "must be true or false");
    }
}

static int
value_include_usage(gh_intake_reader_t *r)
{
    if (value_bool(r, &r->intake->include_usage) != GH_OK) {
        return GH_ERROR;
    }

    r->intake->include_usage_value.offset = r->json.token_offset;
    r->intake->include_usage_value.length = r->json.token_end - r->json.token_offset;

    return GH_OK;
}

static int
value_stream_options(gh_intake_reader_t *r)
{
    gh_intake_t *intake = r->intake;
    size_t       begin;

    switch (next(r)) {
    case GH_JSON_NULL:
        intake->stream_options_value.offset = r->json.token_offset;
        intake->stream_options_value.length = r->json.token_end - r->json.token_offset;
        return GH_OK;
    case GH_JSON_OBJECT_BEGIN:
        break;
    default:
        return gh_intake_refuse(r, "must be an object");
    }

    begin = r->json.token_offset;

    if (gh_intake_object(r, &gh_stream_options_fields) != GH_OK) {
        return GH_ERROR;
    }

    intake->stream_options_value.offset = begin;
    intake->stream_options_value.length = r->json.token_end - begin;
    intake->stream_options_end = r->json.token_offset;

    do {
        begin++;
    } while (memchr(" \t\r\n", r->body.data[begin], 4) != NULL);
    intake->stream_options_empty = begin == intake->stream_options_end;

    return GH_OK;
}

/* Whole numbers; -1 is llama.cpp's "no limit". The largest of the spellings counts. */
static int
value_max_tokens(gh_intake_reader_t *r)
{
    uint64_t n;

    if (next(r) == GH_JSON_NULL) {
        return GH_OK;
    }

    if (r->json.event != GH_JSON_NUMBER) {
        return gh_intake_refuse(r, "must be a whole number");
    }

    if (gh_str_is(r->json.token, "-1")) {
        return GH_OK;
    }

    if (gh_json_token_u64(&r->json, &n) != GH_OK) {
        return gh_intake_invalid(r, "must be a whole number");
    }

    if (n > r->intake->max_tokens) {
        r->intake->max_tokens = n;
    }

    return GH_OK;
}

static int
value_count(gh_intake_reader_t *r)
{
    uint64_t n;

    if (next(r) == GH_JSON_NULL) {
        return GH_OK;
    }

    if (r->json.event != GH_JSON_NUMBER || gh_json_token_u64(&r->json, &n) != GH_OK || n < 1 || n > COUNT_MAX) {
        return gh_intake_refuse(r, "must be a whole number from 1 to 128");
    }

    if (n > r->intake->n) {
        r->intake->n = n;
    }

    return GH_OK;
}

/* FEATURE, FLAG and CHOICE: one value, nothing of it read but its first event. */
static int
value_plain(gh_intake_reader_t *r, const gh_field_t *field)
{
    switch (next(r)) {

    case GH_JSON_ERROR:
        return gh_intake_json_error(r);

    case GH_JSON_NULL:
        return GH_OK;

    case GH_JSON_FALSE:
        if (field->kind == GH_FIELD_FLAG) {
            return GH_OK;
        }
        break;

    default:
        break;
    }

    if (field->kind == GH_FIELD_CHOICE) {
        choice(r, field);
    } else {
        r->intake->uninspected |= field->unread;
        gh_intake_use(r, field->feature);
    }

    return gh_intake_skip_rest(r);
}

int
gh_intake_value(gh_intake_reader_t *r, const gh_field_t *field)
{
    switch ((gh_field_kind_t) field->kind) {
    case GH_FIELD_INERT:
    case GH_FIELD_UNREAD:
    case GH_FIELD_SCHEMA:
    case GH_FIELD_OBJECT:
    case GH_FIELD_WORD_OR_OBJECT:
    case GH_FIELD_MEDIA:
    case GH_FIELD_URL:
    case GH_FIELD_FILE:
    case GH_FIELD_DATA:           return gh_intake_nested(r, field);
    case GH_FIELD_FREE:           return gh_intake_skip(r);
    case GH_FIELD_FEATURE:
    case GH_FIELD_FLAG:
    case GH_FIELD_CHOICE:         return value_plain(r, field);
    case GH_FIELD_CHOICES:        return value_choices(r, field);
    case GH_FIELD_MODEL:          return value_model(r);
    case GH_FIELD_STREAM:         return value_bool(r, &r->intake->stream);
    case GH_FIELD_STREAM_OPTIONS: return value_stream_options(r);
    case GH_FIELD_INCLUDE_USAGE:  return value_include_usage(r);
    case GH_FIELD_STORE:          return value_store(r);
    case GH_FIELD_COUNT:          return value_count(r);
    case GH_FIELD_MAX_TOKENS:     return value_max_tokens(r);
    case GH_FIELD_MESSAGES:       return value_messages(r);
    case GH_FIELD_CONTENT:        return value_content(r);
    case GH_FIELD_TEXTS:          return value_texts(r);
    case GH_FIELD_TOOLS:          return gh_intake_array(r, &gh_tool_fields, &gh_tool_types);
    case GH_FIELD_TOOL_CALLS:     return gh_intake_array(r, &gh_tool_call_fields, &gh_tool_call_types);
    case GH_FIELD_TYPE:           return value_type(r);
    case GH_FIELD_PLACES:
        return gh_intake_error(r, "invalid_places", "is not supported yet: name places in the header x-gatehouse-places");
    case GH_FIELD_OVERRIDE:
        return gh_intake_invalid(r, "is not accepted: the gateway alone says where a request goes");
    }

    return gh_intake_skip(r);
}
