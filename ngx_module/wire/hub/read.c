#include "ngx_module/wire/hub/read.h"

#include <stdio.h>
#include <string.h>

#define PATH_LEVELS 24
#define STEP_TEXT   64

/* ---- paths ---- */

typedef struct {
    gh_str_t key;       /* data NULL: an element */
    unsigned index;
} step_t;

static size_t
path_append(char *buffer, size_t size, size_t len, gh_str_t text)
{
    size_t n = text.len < size - len ? text.len : size - len;

    memcpy(buffer + len, text.data, n);
    return len + n;
}

static size_t
path_write(const step_t *steps, uint32_t depth, char *buffer, size_t size)
{
    char     number[16];
    size_t   len = 0;
    uint32_t i;

    for (i = 0; i < depth && i < PATH_LEVELS; i++) {
        if (steps[i].key.data == NULL) {
            snprintf(number, sizeof(number), "[%u]", steps[i].index);
            len = path_append(buffer, size, len, gh_str_from(number));
            continue;
        }
        if (i != 0) {
            len = path_append(buffer, size, len, GH_STR("."));
        }
        len = path_append(buffer, size, len,
            (gh_str_t) { steps[i].key.data, steps[i].key.len < STEP_TEXT ? steps[i].key.len : STEP_TEXT });
    }

    return len;
}

/* steps[depth - 1] is what stands in the innermost open object or array. */
size_t
gh_hub_path(gh_str_t body, size_t offset, char *buffer, size_t size)
{
    gh_json_reader_t r;
    step_t           steps[PATH_LEVELS + 1];
    uint32_t         at;

    memset(steps, 0, sizeof(steps));
    gh_json_reader_init(&r, body, 0);

    for ( ;; ) {
        bool element = r.depth != 0 && r.depth <= PATH_LEVELS && r.event != GH_JSON_KEY;

        gh_json_next(&r);
        if (r.event == GH_JSON_ERROR || r.event == GH_JSON_END) {
            return path_write(steps, r.depth, buffer, size);
        }

        if (r.event == GH_JSON_OBJECT_END || r.event == GH_JSON_ARRAY_END) {
            if (r.token_offset >= offset) {
                return path_write(steps, r.depth, buffer, size);   /* what ends here */
            }
            continue;
        }

        at = r.event == GH_JSON_OBJECT_BEGIN || r.event == GH_JSON_ARRAY_BEGIN ? r.depth - 1 : r.depth;
        if (at != 0 && at <= PATH_LEVELS) {
            if (r.event == GH_JSON_KEY) {
                steps[at - 1].key = r.token;
            } else if (element && steps[at - 1].key.data == NULL) {
                steps[at - 1].index++;
            }
        }

        if (r.token_offset >= offset) {
            return path_write(steps, at, buffer, size);
        }

        /* the first element will make it 0 */
        if (at != r.depth && at < PATH_LEVELS) {
            steps[at] = (step_t) { { NULL, 0 }, r.event == GH_JSON_ARRAY_BEGIN ? UINT32_MAX : 0 };
        }
    }
}

/* ---- errors and asks ---- */

int
gh_hub_invalid(gh_hub_reader_t *r, const char *expected)
{
    char     path[256];
    size_t   len;
    uint32_t line, column;
    size_t   offset = r->json.event == GH_JSON_ERROR ? r->json.error_offset : r->json.token_offset;

    gh_json_position(r->body, offset, &line, &column);

    if (r->json.event == GH_JSON_ERROR) {
        return gh_error_at(r->error, strcmp(r->invalid, "invalid_request") == 0 ? "invalid_json" : r->invalid, "", line, column,
            "%s at byte %zu (line %u, column %u)", r->json.error_code, offset, (unsigned) line, (unsigned) column);
    }

    len = gh_hub_path(r->body, offset, path, sizeof(path));
    return gh_error_at(r->error, r->invalid, "", line, column, "%.*s%s%s", (int) len, path, len != 0 ? " " : "", expected);
}

int
gh_hub_no_memory(gh_hub_reader_t *r)
{
    return gh_error_set(r->error, "no_memory", "out of memory");
}

void
gh_hub_ask_at(gh_hub_reader_t *r, gh_hub_ask_t ask, size_t offset)
{
    uint64_t bit = UINT64_C(1) << (ask % 64);

    if ((r->request->asks[ask / 64] & bit) == 0) {
        r->request->asks[ask / 64] |= bit;
        r->request->where[ask] = offset;
    }
}

void
gh_hub_ask(gh_hub_reader_t *r, gh_hub_ask_t ask)
{
    gh_hub_ask_at(r, ask, r->json.token_offset);
}

void *
gh_hub_new(gh_hub_reader_t *r, size_t size)
{
    void *p = gh_arena_alloc(r->arena, size);

    r->request->nodes++;
    if (p == NULL) {
        gh_hub_no_memory(r);
    }

    return p;
}

/* ---- values ---- */

int
gh_hub_string(gh_hub_reader_t *r, gh_str_t *escaped)
{
    if (r->json.event != GH_JSON_STRING) {
        return gh_hub_invalid(r, "must be a string");
    }

    *escaped = r->json.token;
    return GH_OK;
}

int
gh_hub_array(gh_hub_reader_t *r)
{
    return r->json.event == GH_JSON_ARRAY_BEGIN ? GH_OK : gh_hub_invalid(r, "must be an array");
}

int
gh_hub_raw(gh_hub_reader_t *r, gh_str_t *raw)
{
    size_t begin = r->json.token_offset;

    if (r->json.event == GH_JSON_ERROR
        || ((r->json.event == GH_JSON_OBJECT_BEGIN || r->json.event == GH_JSON_ARRAY_BEGIN) && gh_json_skip_rest(&r->json) != GH_OK))
    {
        return gh_hub_invalid(r, "");
    }

    *raw = (gh_str_t) { r->json.start + begin, r->json.token_end - begin };
    return GH_OK;
}

bool
gh_hub_element(gh_hub_reader_t *r, int *status)
{
    *status = GH_OK;

    switch (gh_json_next(&r->json)) {
    case GH_JSON_ARRAY_END:
        return false;
    case GH_JSON_ERROR:
        *status = gh_hub_invalid(r, "");
        return false;
    default:
        return true;
    }
}

bool
gh_hub_string_element(gh_hub_reader_t *r, int *status)
{
    if (!gh_hub_element(r, status)) {
        return false;
    }
    if (r->json.event != GH_JSON_STRING) {
        *status = gh_hub_invalid(r, "must be a string");
        return false;
    }

    return true;
}

bool
gh_hub_object_element(gh_hub_reader_t *r, const gh_hub_field_t *fields, unsigned count, void *object, size_t size, size_t *offset, int *status)
{
    if (!gh_hub_element(r, status)) {
        return false;
    }

    if (offset != NULL) {
        *offset = r->json.token_offset;
    }
    memset(object, 0, size);
    *status = gh_hub_expect_object(r, fields, count, object);

    return *status == GH_OK;
}

static bool
number_zero(gh_str_t number)
{
    size_t i;

    for (i = 0; i < number.len && number.data[i] != 'e' && number.data[i] != 'E'; i++) {
        if (number.data[i] >= '1' && number.data[i] <= '9') {
            return false;
        }
    }

    return true;
}

static int
field_count(gh_hub_reader_t *r, uint64_t *out)
{
    if (gh_str_is(r->json.token, "-1")) {
        *out = 0;
        return GH_OK;
    }

    return gh_json_token_u64(&r->json, out) == GH_OK ? GH_OK : gh_hub_invalid(r, "must be a whole number from 0 on");
}

/* The value's first event has been read, and it is not null. */
static int
field_value(gh_hub_reader_t *r, const gh_hub_field_t *field, void *object)
{
    gh_json_event_t event = r->json.event;
    size_t          offset = r->json.token_offset;
    gh_str_t        raw, *text = object != NULL ? (gh_str_t *) (void *) ((char *) object + field->offset) : &raw;
    bool            asked = true;

    switch (field->kind) {

    case GH_HUB_FIELD_CALL:
        return field->call(r, object);

    case GH_HUB_FIELD_STRING:
        if (gh_hub_string(r, text) != GH_OK) {
            return GH_ERROR;
        }
        break;

    case GH_HUB_FIELD_NUMBER:
    case GH_HUB_FIELD_COUNT:
    case GH_HUB_FIELD_NONZERO:
        if (event != GH_JSON_NUMBER) {
            return gh_hub_invalid(r, "must be a number");
        }
        if (field->kind == GH_HUB_FIELD_COUNT) {
            if (field_count(r, (uint64_t *) (void *) text) != GH_OK) {
                return GH_ERROR;
            }
        } else if (field->kind == GH_HUB_FIELD_NUMBER) {
            *text = r->json.token;
        } else {
            asked = !number_zero(r->json.token);
        }
        break;

    case GH_HUB_FIELD_BOOL:
    case GH_HUB_FIELD_WORD:
    case GH_HUB_FIELD_TRUE:
        if (event != GH_JSON_TRUE && event != GH_JSON_FALSE) {
            return gh_hub_invalid(r, "must be true or false");
        }
        if (field->kind == GH_HUB_FIELD_BOOL) {
            *(bool *) (void *) text = event == GH_JSON_TRUE;
        } else if (field->kind == GH_HUB_FIELD_WORD) {
            *text = event == GH_JSON_TRUE ? GH_STR("true") : GH_STR("false");
        }
        asked = field->kind != GH_HUB_FIELD_TRUE || event == GH_JSON_TRUE;
        break;

    case GH_HUB_FIELD_RAW:
        if (gh_hub_raw(r, text) != GH_OK) {
            return GH_ERROR;
        }
        break;

    default:
        if (gh_hub_raw(r, &raw) != GH_OK) {
            return GH_ERROR;
        }
        asked = field->kind == GH_HUB_FIELD_PRESENT || (field->kind == GH_HUB_FIELD_FILLED && raw.len > 2);
        break;
    }

    if (asked && field->ask != GH_ASKS) {
        gh_hub_ask_at(r, field->ask, offset);
    }

    return GH_OK;
}

static int
field_duplicate(gh_hub_reader_t *r)
{
    char     path[256];
    size_t   len = gh_hub_path(r->body, r->json.token_offset, path, sizeof(path));
    uint32_t line, column;

    gh_json_position(r->body, r->json.token_offset, &line, &column);
    return gh_error_at(r->error, strcmp(r->invalid, "invalid_request") == 0 ? "duplicate_key" : r->invalid, "", line, column,
        "the key %.*s stands twice at byte %zu (line %u, column %u)", (int) len, path, r->json.token_offset, (unsigned) line, (unsigned) column);
}

int
gh_hub_object(gh_hub_reader_t *r, const gh_hub_field_t *fields, unsigned count, void *object)
{
    uint64_t seen = 0;
    unsigned i;
    gh_str_t raw;

    while (gh_json_next(&r->json) == GH_JSON_KEY) {
        for (i = 0; i < count; i++) {
            if (r->json.escaped ? gh_json_token_is(&r->json, fields[i].name)
                : r->json.token.len == fields[i].name.len && memcmp(r->json.token.data, fields[i].name.data, fields[i].name.len) == 0)
            {
                break;
            }
        }

        if (i == count) {
            gh_hub_ask(r, GH_ASK_UNKNOWN);
            gh_json_next(&r->json);
            if (gh_hub_raw(r, &raw) != GH_OK) {
                return GH_ERROR;
            }
            continue;
        }

        if ((seen >> i & 1) != 0) {
            return field_duplicate(r);
        }
        seen |= UINT64_C(1) << i;

        if (gh_json_next(&r->json) == GH_JSON_ERROR) {
            return gh_hub_invalid(r, "");
        }
        if (r->json.event != GH_JSON_NULL && field_value(r, &fields[i], object) != GH_OK) {
            return GH_ERROR;
        }
    }

    return r->json.event == GH_JSON_OBJECT_END ? GH_OK : gh_hub_invalid(r, "");
}

int
gh_hub_expect_object(gh_hub_reader_t *r, const gh_hub_field_t *fields, unsigned count, void *object)
{
    if (r->json.event != GH_JSON_OBJECT_BEGIN) {
        return gh_hub_invalid(r, "must be an object");
    }

    return gh_hub_object(r, fields, count, object);
}

/* ---- escaped text ---- */

static gh_json_reader_t
token_of(gh_str_t escaped)
{
    gh_json_reader_t r;

    memset(&r, 0, sizeof(r));
    r.token = escaped;
    r.escaped = escaped.len != 0 && memchr(escaped.data, '\\', escaped.len) != NULL;

    return r;
}

bool
gh_hub_is(gh_str_t escaped, const char *text)
{
    gh_json_reader_t r = token_of(escaped);

    return escaped.data != NULL && gh_json_token_is(&r, gh_str_from(text));
}

/* ASCII text without a quote or a backslash; "\/" is the only escape that is looked for, since some writers make it of every slash. */
bool
gh_hub_starts(gh_str_t escaped, const char *text, size_t *length)
{
    size_t i = 0;

    for (; *text != '\0'; text++, i++) {
        if (i + 1 < escaped.len && escaped.data[i] == '\\' && escaped.data[i + 1] == '/') {
            i++;
        }
        if (i >= escaped.len || escaped.data[i] != *text) {
            return false;
        }
    }

    *length = i;
    return true;
}

gh_str_t
gh_hub_decode(gh_arena_t *arena, gh_str_t escaped)
{
    gh_json_reader_t r = token_of(escaped);
    gh_str_t         out = { NULL, 0 };
    char            *buffer = NULL;

    if (r.escaped) {
        buffer = arena->alloc(arena, escaped.len);
        if (buffer == NULL) {
            return out;
        }
    }

    if (gh_json_token_decode(&r, buffer, escaped.len, &out) != GH_OK) {
        out = (gh_str_t) { NULL, 0 };
    }

    return out;
}

bool
gh_hub_is_object(gh_str_t raw)
{
    gh_json_reader_t r;

    gh_json_reader_init(&r, raw, 0);
    return gh_json_next(&r) == GH_JSON_OBJECT_BEGIN && gh_json_skip_rest(&r) == GH_OK && gh_json_next(&r) == GH_JSON_END;
}
