/*
 * Server-sent events, WHATWG HTML section 9.2.5 and 9.2.6: lines end in LF, CR or CRLF, a blank line ends an event,
 * "data" lines are joined, fields nobody knows are ignored.
 */
#include "ngx_module/wire/sse.h"

#include "ngx_module/wire/hub/dialect.h"

#include <string.h>

#include "policy/base/json_reader.h"

/* The next line without its ending; *p moves past the ending. false at the end. */
static bool
line_next(const char **p, const char *end, gh_str_t *line)
{
    const char *start = *p, *lf, *cr, *stop;

    if (start == end) {
        return false;
    }

    lf = memchr(start, '\n', (size_t) (end - start));
    stop = lf != NULL ? lf : end;
    cr = memchr(start, '\r', (size_t) (stop - start));
    stop = cr != NULL ? cr : stop;

    *line = (gh_str_t) { start, (size_t) (stop - start) };
    if (cr != NULL) {
        stop++;
        if (stop < end && *stop == '\n') {
            stop++;
        }
    } else if (lf != NULL) {
        stop++;
    }
    *p = stop;

    return true;
}

size_t
gh_sse_end(gh_str_t text)
{
    const char *p = text.data, *end = text.data + text.len;
    gh_str_t    line;

    while (text.len != 0 && line_next(&p, end, &line)) {
        if (line.len == 0) {
            return (size_t) (p - text.data);
        }
    }

    return 0;
}

/* "name: value": the value when the line has that name, a space after the colon removed. */
static inline __attribute__((always_inline)) bool
field_value(gh_str_t line, gh_str_t name, gh_str_t *value)
{
    if (line.len < name.len || memcmp(line.data, name.data, name.len) != 0) {
        return false;
    }

    if (line.len == name.len) {
        *value = (gh_str_t) { line.data + line.len, 0 };
        return true;
    }

    if (line.data[name.len] != ':') {
        return false;
    }

    *value = (gh_str_t) { line.data + name.len + 1, line.len - name.len - 1 };
    if (value->len != 0 && value->data[0] == ' ') {
        value->data++;
        value->len--;
    }

    return true;
}

/* One line of data and a blank one, as almost all events are. false: it has to be read line by line. */
static bool
one_line(const char *p, const char *end, gh_str_t *value)
{
    const char *lf;

    if (end - p < 2 || end[-1] != '\n' || end[-2] != '\n') {
        return false;
    }
    lf = end - 2;

    return field_value((gh_str_t) { p, (size_t) (lf - p) }, GH_STR("data"), value) && memchr(p, '\n', (size_t) (lf - p)) == NULL
        && memchr(p, '\r', (size_t) (lf - p)) == NULL;
}

void
gh_sse_read(gh_str_t event, bool first, char *scratch, gh_sse_event_t *out)
{
    const char *p = event.data, *end = event.data + event.len;
    gh_str_t    line, value;
    size_t      len = 0;

    memset(out, 0, sizeof(*out));

    if (first && event.len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        p += 3;
    }

    if (one_line(p, end, &out->data)) {
        out->has_data = true;
        return;
    }
    out->data = (gh_str_t) { NULL, 0 };

    while (event.len != 0 && line_next(&p, end, &line)) {
        if (field_value(line, GH_STR("data"), &value)) {
            if (!out->has_data) {
                out->data = value;
                out->has_data = true;
                continue;
            }
            /* data lines do not overlap scratch: the first one is copied when the second comes */
            if (out->data.data != scratch) {
                memcpy(scratch, out->data.data, out->data.len);
                len = out->data.len;
            }
            scratch[len++] = '\n';
            memcpy(scratch + len, value.data, value.len);
            len += value.len;
            out->data = (gh_str_t) { scratch, len };
        } else if (field_value(line, GH_STR("event"), &value)) {
            out->is_error = gh_str_is(value, "error");
        } else if (field_value(line, GH_STR("error"), &value) && value.len != 0 && value.data[0] == '{') {
            out->is_error = true;
            if (!out->has_data) {
                out->data = value;
                out->has_data = true;
            }
        }
    }
}

/* Strings that say which, not what. */
static bool
is_label(const gh_json_reader_t *r)
{
    return gh_json_token_is(r, GH_STR("role")) || gh_json_token_is(r, GH_STR("id"))
        || gh_json_token_is(r, GH_STR("type"));
}

bool
gh_chunk_text(gh_json_reader_t *r, uint64_t *bytes)
{
    uint32_t outside = r->depth - (r->event == GH_JSON_OBJECT_BEGIN || r->event == GH_JSON_ARRAY_BEGIN);
    bool     label = false;

    for ( ;; ) {
        switch (r->event) {
        case GH_JSON_ERROR:
            return false;
        case GH_JSON_KEY:
            label = is_label(r);
            break;
        case GH_JSON_STRING:
            *bytes += label ? 0 : r->token.len - r->token_spare;   /* decoded */
            break;
        default:
            break;
        }

        if (r->depth <= outside) {
            return true;
        }
        gh_json_next(r);
    }
}

static bool
choice_read(gh_json_reader_t *r, gh_chunk_t *chunk)
{
    if (r->event != GH_JSON_OBJECT_BEGIN) {
        return gh_chunk_text(r, &chunk->content_bytes);
    }

    while (gh_json_next(r) == GH_JSON_KEY) {
        if (gh_json_token_is(r, GH_STR("delta")) || gh_json_token_is(r, GH_STR("text"))
            || gh_json_token_is(r, GH_STR("message")))
        {
            gh_json_next(r);
            if (!gh_chunk_text(r, &chunk->content_bytes)) {
                return false;
            }
        } else if (gh_json_token_is(r, GH_STR("finish_reason"))) {
            chunk->finish |= gh_json_next(r) == GH_JSON_STRING;
            if (!gh_chunk_text(r, &(uint64_t) { 0 })) {
                return false;
            }
        } else if (gh_json_skip(r) != GH_OK) {
            return false;
        }
    }

    return r->event == GH_JSON_OBJECT_END;
}

static bool
choices_read(gh_json_reader_t *r, gh_chunk_t *chunk)
{
    bool empty = true;

    if (gh_json_next(r) != GH_JSON_ARRAY_BEGIN) {
        return gh_chunk_text(r, &(uint64_t) { 0 });
    }

    while (gh_json_next(r) != GH_JSON_ARRAY_END) {
        empty = false;
        if (!choice_read(r, chunk)) {
            return false;
        }
    }
    chunk->choices = true;
    chunk->usage_only = empty;

    return true;
}

gh_str_t
gh_chunk_span(gh_json_reader_t *r, bool *object)
{
    gh_str_t span = { NULL, 0 };
    size_t   begin;

    gh_json_next(r);
    begin = r->token_offset;
    *object = r->event == GH_JSON_OBJECT_BEGIN;

    switch (r->event) {
    case GH_JSON_ERROR:
        return span;
    case GH_JSON_NULL:
    case GH_JSON_FALSE:
        return GH_STR("");
    case GH_JSON_STRING:
        if (r->token.len == 0) {
            return GH_STR("");
        }
        break;
    case GH_JSON_OBJECT_BEGIN:
    case GH_JSON_ARRAY_BEGIN:
        if (gh_json_skip_rest(r) != GH_OK) {
            return span;
        }
        break;
    default:
        break;
    }

    return (gh_str_t) { r->start + begin, r->token_end - begin };
}

static bool
member_read(gh_json_reader_t *r, gh_str_t data, gh_chunk_t *chunk)
{
    gh_str_t span;
    bool     object;

    if (gh_json_token_is(r, GH_STR("choices"))) {
        return choices_read(r, chunk);
    }

    if (gh_json_token_is(r, GH_STR("usage"))) {
        span = gh_chunk_span(r, &object);
        if (object && span.data != NULL) {
            chunk->usage_value = span;
        }
        return span.data != NULL;
    }

    if (gh_json_token_is(r, GH_STR("error"))) {
        span = gh_chunk_span(r, &object);
        if (span.len != 0) {
            chunk->error = true;
            chunk->error_value = span;
        }
        return span.data != NULL;
    }

    /* vLLM's and SGLang's flat form: {"object":"error","message":...}; Responses' and Anthropic's: {"type":"error",...} */
    if (gh_json_token_is(r, GH_STR("object")) || gh_json_token_is(r, GH_STR("type"))) {
        gh_json_next(r);
        if (r->event == GH_JSON_STRING && gh_json_token_is(r, GH_STR("error"))) {
            chunk->error = true;
            if (chunk->error_value.data == NULL) {
                chunk->error_value = data;
            }
        }
        return gh_chunk_text(r, &(uint64_t) { 0 });
    }

    return gh_json_skip(r) == GH_OK;
}

void
gh_chunk_chat(gh_str_t data, gh_chunk_t *chunk)
{
    gh_json_reader_t r;

    memset(chunk, 0, sizeof(*chunk));

    if (gh_str_is(gh_str_trim(data), "[DONE]")) {
        chunk->done = true;
        return;
    }

    gh_json_reader_init(&r, data, 0);
    if (gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return;
    }

    while (gh_json_next(&r) == GH_JSON_KEY) {
        if (!member_read(&r, data, chunk)) {
            break;
        }
    }

    if (r.event == GH_JSON_OBJECT_END && gh_json_next(&r) == GH_JSON_END) {
        chunk->readable = true;
        chunk->waits = chunk->choices && chunk->content_bytes == 0 && !chunk->finish;
        chunk->usage_only &= chunk->usage_value.data != NULL;
    } else {
        memset(chunk, 0, sizeof(*chunk));
    }
}

void
gh_chunk_read(gh_hub_dialect_t dialect, gh_str_t data, gh_chunk_t *chunk)
{
    gh_hub_rows[dialect]->chunk_read(data, chunk);
}
