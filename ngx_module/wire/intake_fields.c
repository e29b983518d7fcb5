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
value_messages(gh_intake_reader_t *r, const gh_field_t *field)
{
    r->messages = true;
    return gh_intake_array(r, field->table, field->types, &r->intake->messages);
}

/* count (NULL: not wanted): how many stand in it. */
static int
value_content(gh_intake_reader_t *r, const gh_field_t *field, uint32_t *count)
{
    uint32_t i;

    if (count != NULL) {
        *count = 1;
    }

    switch (next(r)) {
    case GH_JSON_STRING:
    case GH_JSON_NULL:
        return GH_OK;
    case GH_JSON_OBJECT_BEGIN:
        return gh_intake_typed(r, field->table, field->types);
    case GH_JSON_ARRAY_BEGIN:
        break;
    default:
        return gh_intake_refuse(r, "must be a string or an array");
    }

    for (i = 0; next(r) != GH_JSON_ARRAY_END; i++) {
        gh_intake_push(r, (gh_intake_step_t) { { NULL, 0 }, i });

        if (r->json.event == GH_JSON_OBJECT_BEGIN) {
            if (gh_intake_typed(r, field->table, field->types) != GH_OK) {
                return GH_ERROR;
            }
        } else if (r->json.event != GH_JSON_STRING) {
            return gh_intake_refuse(r, "must be an object or a string");
        }

        gh_intake_pop(r);
    }

    if (count != NULL) {
        *count = i;
    }

    return GH_OK;
}

/* Each string, array and object of the outermost array is a prompt; token numbers in it are one together. */
static int
value_texts(gh_intake_reader_t *r)
{
    uint32_t outside = r->json.depth, prompts = 0;

    do {
        bool prompt = r->json.depth == outside + 1;

        switch (next(r)) {
        case GH_JSON_ERROR:
            return gh_intake_json_error(r);
        case GH_JSON_OBJECT_BEGIN:
            prompts += prompt;
            gh_intake_use(r, NULL);
            if (gh_intake_skip_rest(r) != GH_OK) {
                return GH_ERROR;
            }
            break;
        case GH_JSON_STRING:
        case GH_JSON_ARRAY_BEGIN:
            prompts += prompt;
            break;
        case GH_JSON_NUMBER:
            r->intake->uninspected = true;   /* token ids */
            break;
        default:
            break;
        }
    } while (r->json.depth > outside);

    r->intake->prompts += prompts != 0 ? prompts - 1 : 0;   /* one is counted from the start */

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
    if (gh_intake_lacks(r, row)) {
        gh_intake_unlike(r);
    }
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

    if ((field->lacks_others & r->alike) != 0) {
        gh_intake_unlike(r);
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

/* An object of the field's table, or null; where it stands is kept. */
static int
value_placed(gh_intake_reader_t *r, const gh_field_t *field, gh_intake_object_t *place)
{
    size_t begin;

    switch (next(r)) {
    case GH_JSON_NULL:
        place->offset = r->json.token_offset;
        place->length = r->json.token_end - r->json.token_offset;
        return GH_OK;
    case GH_JSON_OBJECT_BEGIN:
        break;
    default:
        return gh_intake_refuse(r, "must be an object");
    }

    begin = r->json.token_offset;

    if (gh_intake_object(r, field->table) != GH_OK) {
        return GH_ERROR;
    }

    place->offset = begin;
    place->length = r->json.token_end - begin;
    place->end = r->json.token_offset;

    do {
        begin++;
    } while (memchr(" \t\r\n", r->body.data[begin], 4) != NULL);
    place->empty = begin == place->end;

    return GH_OK;
}

/* Whole numbers; -1 is llama.cpp's "no limit". */
static int
value_max_tokens(gh_intake_reader_t *r, const gh_field_t *field)
{
    gh_intake_maximum_t *maximum = &r->intake->maxima[GH_MAX_TOKENS];

    if (gh_str_is(field->name, "max_completion_tokens")) {
        maximum = &r->intake->maxima[GH_MAX_COMPLETION_TOKENS];
    } else if (gh_str_is(field->name, "n_predict")) {
        maximum = &r->intake->maxima[GH_N_PREDICT];
    } else if (gh_str_is(field->name, "max_output_tokens")) {
        maximum = &r->intake->maxima[GH_MAX_OUTPUT_TOKENS];
    }

    if (next(r) == GH_JSON_NULL) {
        maximum->null = true;
    } else if (r->json.event != GH_JSON_NUMBER) {
        return gh_intake_refuse(r, "must be a whole number");
    } else if (gh_str_is(r->json.token, "-1")) {
        maximum->unlimited = true;
    } else if (gh_json_token_u64(&r->json, &maximum->tokens) != GH_OK) {
        return gh_intake_invalid(r, "must be a whole number");
    }

    maximum->offset = r->json.token_offset;
    maximum->length = r->json.token_end - r->json.token_offset;

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

/* The string just read, a service tier: one that costs what nothing said would, which takes no word back that stood before. */
static bool
tier_is_base(const gh_intake_reader_t *r)
{
    static const char *const names[] = { "auto", "default", "standard", "standard_only" };
    size_t                   i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (gh_json_token_is(&r->json, gh_str_from(names[i]))) {
            return true;
        }
    }

    return false;
}

/* FEATURE, FLAG, CHOICE and SERVICE_TIER: one value, nothing of it read but its first event. */
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

    if (field->kind == GH_FIELD_SERVICE_TIER && r->json.event == GH_JSON_STRING
        && (r->intake->service_tier.len == 0 || !tier_is_base(r)))
    {
        char buffer[TYPE_TEXT];

        if (gh_json_token_decode(&r->json, buffer, sizeof(buffer), &r->intake->service_tier) != GH_OK) {
            r->intake->service_tier = r->json.token;   /* longer than any that has a price */
        } else if (r->intake->service_tier.data == buffer) {
            r->intake->service_tier = gh_str_copy(r->arena, r->intake->service_tier);
            r->no_memory |= r->intake->service_tier.data == NULL;
        }
    }

    if (field->kind == GH_FIELD_CHOICE || field->kind == GH_FIELD_SERVICE_TIER) {
        choice(r, field);
    } else {
        r->intake->uninspected |= field->unread;
        gh_intake_use(r, field->feature);
    }

    return gh_intake_skip_rest(r);
}

/*
 * inference_geo narrows like the header x-gatehouse-places, and is never sent on as it came. A country is written as Anthropic does, in small letters;
 * "global" and null ask for nothing.
 */
static int
value_places(gh_intake_reader_t *r)
{
    static const char expected[] = "must be a string that names a place: a country's code, a set, or one of the policy's own";
    char              buffer[MODEL_MAX];
    char             *places;
    size_t            begin = r->key_offset, end, i;
    gh_str_t          name = GH_STR("");

    if (gh_json_next(&r->json) != GH_JSON_NULL) {
        if (r->json.event == GH_JSON_ERROR) {
            return gh_intake_json_error(r);
        }
        if (r->json.event != GH_JSON_STRING || gh_json_token_decode(&r->json, buffer, sizeof(buffer), &name) != GH_OK || name.len == 0
            || name.len > MODEL_MAX)
        {
            return gh_intake_error(r, "invalid_places", expected);
        }
    }

    r->intake->geo_value.offset = r->json.token_offset;
    r->intake->geo_value.length = r->json.token_end - r->json.token_offset;
    end = r->json.token_end;
    gh_intake_member(r->body, &begin, &end);
    r->intake->geo_member.offset = begin;
    r->intake->geo_member.length = end - begin;

    if (name.len == 0 || gh_str_is(name, "global")) {
        return GH_OK;
    }

    places = gh_arena_alloc(r->arena, name.len);
    if (places == NULL) {
        return gh_error_set(r->error, "no_memory", "out of memory");
    }
    for (i = 0; i < name.len; i++) {
        places[i] = (char) (name.len == 2 && name.data[i] >= 'a' && name.data[i] <= 'z' ? name.data[i] - 'a' + 'A' : name.data[i]);
    }
    r->intake->inference_geo = (gh_str_t) { places, name.len };

    return GH_OK;
}

static int
value_of(gh_intake_reader_t *r, const gh_field_t *field)
{
    r->sizes_media |= field->sizes;
    r->intake->unbounded += field->unbounded;
    if (gh_intake_lacks(r, field) && !gh_intake_null_comes(r)) {
        gh_intake_unlike(r);
    }

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
    case GH_FIELD_CHOICE:
    case GH_FIELD_SERVICE_TIER:   return value_plain(r, field);
    case GH_FIELD_CHOICES:        return value_choices(r, field);
    case GH_FIELD_MODEL:          return value_model(r);
    case GH_FIELD_STREAM:         return value_bool(r, &r->intake->stream);
    case GH_FIELD_STREAM_OPTIONS: return value_placed(r, field, &r->intake->stream_options);
    case GH_FIELD_INCLUDE_USAGE:  return value_include_usage(r);
    case GH_FIELD_STORE:          return value_store(r);
    case GH_FIELD_COUNT:          return value_count(r);
    case GH_FIELD_MAX_TOKENS:     return value_max_tokens(r, field);
    case GH_FIELD_MESSAGES:       return value_messages(r, field);
    case GH_FIELD_ITEMS:          return value_content(r, field, &r->intake->messages);
    case GH_FIELD_CONTENT:        return value_content(r, field, NULL);
    case GH_FIELD_TEXTS:          return value_texts(r);
    case GH_FIELD_OBJECTS:        return gh_intake_array(r, field->table, field->types, NULL);
    case GH_FIELD_TYPE:           return value_type(r);
    case GH_FIELD_SOURCE:         return gh_intake_source(r, field);
    case GH_FIELD_SOURCE_DATA:    return gh_intake_source_data(r);
    case GH_FIELD_MAP:            return gh_intake_map(r, field);
    case GH_FIELD_BETAS:          return gh_intake_betas(r);
    case GH_FIELD_INFERENCE:      return value_placed(r, field, &r->intake->inference);
    case GH_FIELD_HANDLE:         return gh_intake_handle(r, field);
    case GH_FIELD_PLACES:         return value_places(r);
    case GH_FIELD_OVERRIDE:
        return gh_intake_invalid(r, "is not accepted: the gateway alone says where a request goes");
    }

    return gh_intake_skip(r);
}

int
gh_intake_value(gh_intake_reader_t *r, const gh_field_t *field)
{
    size_t begin;

    if (field->session == GH_SESSION_NONE) {
        return value_of(r, field);
    }

    for (begin = r->json.token_end; begin < r->body.len && memchr(": \t\r\n", r->body.data[begin], 5) != NULL; begin++) { }
    if (value_of(r, field) != GH_OK) {
        return GH_ERROR;
    }
    gh_session_field(r->arena, &r->intake->label, (gh_session_source_t) field->session,
        (gh_str_t) { r->body.data + begin, r->json.token_end - begin });

    return GH_OK;
}
