#include <stdio.h>
#include <string.h>

#include "ngx_module/wire/intake_reader.h"

#define PATH_TEXT 256
#define STEP_TEXT 64

static size_t
path_append(char *buffer, size_t size, size_t len, const char *text, size_t text_len)
{
    if (text_len > size - len) {
        text_len = size - len;
    }
    memcpy(buffer + len, text, text_len);
    return len + text_len;
}

gh_str_t
gh_intake_path(const gh_intake_reader_t *r, char *buffer, size_t size)
{
    char     number[16];
    size_t   len = 0, cut;
    uint32_t i;

    for (i = 0; i < r->depth && i < GH_INTAKE_PATH_MAX; i++) {
        const gh_intake_step_t *step = &r->path[i];

        if (step->key.data == NULL) {
            cut = (size_t) snprintf(number, sizeof(number), "[%u]", (unsigned) step->index);
            len = path_append(buffer, size, len, number, cut);
            continue;
        }

        if (i != 0) {
            len = path_append(buffer, size, len, ".", 1);
        }

        cut = step->key.len;
        if (cut > STEP_TEXT) {
            /* not inside a UTF-8 sequence */
            for (cut = STEP_TEXT; cut > 0 && ((unsigned char) step->key.data[cut] & 0xc0) == 0x80; cut--) { }
        }
        len = path_append(buffer, size, len, step->key.data, cut);
        if (cut < step->key.len) {
            len = path_append(buffer, size, len, "...", 3);
        }
    }

    return (gh_str_t) { buffer, len };
}

void
gh_intake_use_add(gh_intake_t *intake, gh_str_t name, gh_str_t where)
{
    uint32_t i;

    if (name.len != 0) {
        for (i = 0; i < intake->feature_count; i++) {
            if (gh_str_eq(intake->features[i].name, name)) {
                return;
            }
        }
    }

    if (intake->feature_count == GH_FEATURES_MAX) {
        intake->features[GH_FEATURES_MAX - 1] = (gh_feature_use_t) { GH_STR(""), GH_STR("too many features") };
        return;
    }

    intake->features[intake->feature_count++] = (gh_feature_use_t) { name, where };
}

/* word: what stands at the path instead of anything known; empty: the path says it all. */
static void
intake_use(gh_intake_reader_t *r, const char *feature, gh_str_t word)
{
    char     buffer[PATH_TEXT + STEP_TEXT];
    gh_str_t name = feature != NULL ? gh_str_from(feature) : GH_STR("");
    gh_str_t where;
    uint32_t i;

    r->intake->uninspected |= feature == NULL;   /* nobody knows what it holds */

    if (r->intake->feature_count == GH_FEATURES_MAX) {
        gh_intake_use_add(r->intake, name, GH_STR(""));   /* no path is needed: no allocation either */
        return;
    }

    for (i = 0; feature != NULL && i < r->intake->feature_count; i++) {
        if (gh_str_eq(r->intake->features[i].name, name)) {
            return;
        }
    }

    where = gh_intake_path(r, buffer, PATH_TEXT);
    if (word.len != 0) {
        where.len = path_append(buffer, sizeof(buffer), where.len, "=", 1);
        where.len = path_append(buffer, sizeof(buffer), where.len, word.data, word.len);
    }

    where = gh_str_copy(r->arena, where);
    if (where.data == NULL) {
        r->no_memory = true;
        return;
    }

    gh_intake_use_add(r->intake, name, where);
}

void
gh_intake_use(gh_intake_reader_t *r, const char *feature)
{
    intake_use(r, feature, GH_STR(""));
}

void
gh_intake_unknown_word(gh_intake_reader_t *r)
{
    bool shown = r->json.event == GH_JSON_STRING && r->json.token.len <= STEP_TEXT;

    intake_use(r, NULL, shown ? r->json.token : GH_STR(""));
}

int
gh_intake_invalid(gh_intake_reader_t *r, const char *expected)
{
    return gh_intake_error(r, "invalid_request", expected);
}

int
gh_intake_error(gh_intake_reader_t *r, const char *code, const char *expected)
{
    char     buffer[PATH_TEXT];
    gh_str_t path = gh_intake_path(r, buffer, sizeof(buffer));
    uint32_t line, column;

    gh_json_position(r->body, r->json.token_offset, &line, &column);
    return gh_error_at(r->error, code, "", line, column, "%.*s%s%s",
        GH_STR_ARG(path), path.len != 0 ? " " : "", expected);
}

int
gh_intake_json_error(gh_intake_reader_t *r)
{
    const char *why = r->json.error_code != NULL ? r->json.error_code : "unreadable";
    char        buffer[PATH_TEXT];
    gh_str_t    path;
    uint32_t    line, column;

    gh_json_position(r->body, r->json.error_offset, &line, &column);

    if (strcmp(why, "duplicate key") == 0) {
        path = gh_intake_path(r, buffer, sizeof(buffer));
        return gh_error_at(r->error, "duplicate_key", "", line, column,
            "the key %.*s stands twice at byte %zu (line %u, column %u)", GH_STR_ARG(path),
            r->json.error_offset, (unsigned) line, (unsigned) column);
    }

    if (strcmp(why, "too many keys") == 0) {
        return gh_intake_invalid(r, "is one field too many");
    }

    return gh_error_at(r->error, "invalid_json", "", line, column, "%s at byte %zu (line %u, column %u)",
        why, r->json.error_offset, (unsigned) line, (unsigned) column);
}

int
gh_intake_parse(gh_arena_t *arena, gh_endpoint_t endpoint, gh_str_t body, gh_intake_t *intake, gh_error_t *error)
{
    gh_intake_reader_t r;

    memset(intake, 0, sizeof(*intake));
    intake->endpoint = endpoint;
    intake->body_bytes = body.len;
    intake->n = 1;

    memset(&r, 0, sizeof(r));
    r.body = body;
    r.arena = arena;
    r.intake = intake;
    r.error = error;
    r.type = GH_INTAKE_TYPE_NONE;
    gh_json_reader_init(&r.json, body, 0);

    switch (gh_json_next(&r.json)) {

    case GH_JSON_OBJECT_BEGIN:
        break;

    case GH_JSON_ERROR:
        return gh_intake_json_error(&r);

    default:
        return gh_intake_invalid(&r, "the body must be a JSON object");
    }

    intake->object_begin = r.json.token_offset;

    if (gh_intake_object(&r, &gh_body_fields) != GH_OK) {
        return GH_ERROR;
    }

    if (gh_json_next(&r.json) != GH_JSON_END) {
        return gh_intake_json_error(&r);
    }

    if (r.no_memory) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    if (intake->model.len == 0) {
        return gh_error_set(error, "invalid_request", "model is missing: it must be a string of 1 to 256 bytes");
    }

    if (endpoint == GH_ENDPOINT_CHAT_COMPLETIONS && !r.messages) {
        return gh_error_set(error, "invalid_request", "messages is missing: it must be an array");
    }

    return GH_OK;
}

#define HEADER(name, feature) { { (name), sizeof(name) - 1 }, (feature), "header " name }

static const struct {
    gh_str_t    name;
    const char *feature;
    const char *where;
} headers[] = {
    HEADER("openai-beta", "openai-beta"),
    HEADER("anthropic-beta", "anthropic-beta"),
    HEADER("aoai-evals", "aoai-evals"),
    HEADER("x-ms-enable-preview", "x-ms-enable-preview"),
    HEADER("x-amzn-bedrock-guardrailidentifier", "guardrail"),
    HEADER("x-amzn-bedrock-guardrailversion", "guardrail"),
    HEADER("x-amzn-bedrock-trace", "guardrail"),
};

/* 00-<32>-<16>-<2>, lower-case hexadecimal: W3C Trace Context section 3.2. Anything else could carry content. */
static bool
header_traceparent(gh_str_t value)
{
    size_t i;

    if (value.len != 55) {
        return false;
    }

    for (i = 0; i < value.len; i++) {
        char c = value.data[i];

        if (i == 2 || i == 35 || i == 52) {
            if (c != '-') {
                return false;
            }
        } else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }

    return true;
}

bool
gh_intake_header(gh_intake_t *intake, gh_str_t name, gh_str_t value)
{
    size_t i;

    value = gh_str_trim(value);

    if (gh_str_eq_nocase(name, GH_STR("traceparent"))) {
        return header_traceparent(value);
    }

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (gh_str_eq_nocase(name, headers[i].name)) {
            if (value.len == 0) {
                return false;   /* turns nothing on, so it need not be sent */
            }
            gh_intake_use_add(intake, gh_str_from(headers[i].feature), gh_str_from(headers[i].where));
            return true;
        }
    }

    return false;
}

typedef struct {
    gh_str_t               *names;
    size_t                  size, count;
    const gh_field_table_t *seen[64];
    size_t                  seen_count;
} feature_names_t;

static void
name_add(feature_names_t *all, const char *feature)
{
    gh_str_t name = gh_str_from(feature != NULL ? feature : "");
    size_t   i;

    for (i = 0; i < all->count; i++) {
        if (gh_str_eq(all->names[i], name)) {
            return;
        }
    }

    if (name.len > 0 && all->count < all->size) {
        all->names[all->count++] = name;
    }
}

/* Tables lead to each other, some in a ring. */
static void
names_of(feature_names_t *all, const gh_field_table_t *table)
{
    size_t   i;
    unsigned row;

    for (i = 0; i < all->seen_count; i++) {
        if (all->seen[i] == table) {
            return;
        }
    }

    if (table == NULL || all->seen_count == sizeof(all->seen) / sizeof(all->seen[0])) {
        return;
    }
    all->seen[all->seen_count++] = table;

    for (row = 0; row < table->count; row++) {
        name_add(all, table->rows[row].feature);
        names_of(all, table->rows[row].table);
        names_of(all, table->rows[row].types);
    }
}

size_t
gh_intake_feature_names(gh_str_t *names, size_t size)
{
    const gh_field_table_t *const roots[] = {
        &gh_body_fields, &gh_stream_options_fields, &gh_message_fields, &gh_part_fields, &gh_tool_fields, &gh_tool_call_fields,
        &gh_function_fields, &gh_part_types, &gh_tool_types, &gh_tool_call_types
    };
    feature_names_t all = { .names = names, .size = size };
    size_t          i;

    for (i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        names_of(&all, roots[i]);
    }

    /* uses that no table row stands for: what intake finds inside values, and headers */
    name_add(&all, "store");
    name_add(&all, "fetched_url");
    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        name_add(&all, headers[i].feature);
    }

    return all.count;
}
