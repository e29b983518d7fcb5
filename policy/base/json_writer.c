#include "policy/base/json_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
gh_json_writer_init(gh_json_writer_t *w, char *buffer, size_t size)
{
    memset(w, 0, sizeof(*w));
    w->data = buffer;
    w->size = size;
}

bool
gh_json_writer_ok(const gh_json_writer_t *w)
{
    return !w->overflow;
}

static void
writer_bytes(gh_json_writer_t *w, const char *data, size_t len)
{
    if (w->overflow || len > w->size - w->len) {
        w->overflow = true;
        return;
    }

    if (len != 0) {
        memcpy(w->data + w->len, data, len);
        w->len += len;
    }
}

static void
writer_comma(gh_json_writer_t *w)
{
    if (w->comma) {
        writer_bytes(w, ",", 1);
    }
}

static void
writer_open(gh_json_writer_t *w, const char *mark)
{
    writer_comma(w);
    writer_bytes(w, mark, 1);
    w->comma = false;
}

static void
writer_close(gh_json_writer_t *w, const char *mark)
{
    writer_bytes(w, mark, 1);
    w->comma = true;
}

void
gh_json_begin_object(gh_json_writer_t *w)
{
    writer_open(w, "{");
}

void
gh_json_end_object(gh_json_writer_t *w)
{
    writer_close(w, "}");
}

void
gh_json_begin_array(gh_json_writer_t *w)
{
    writer_open(w, "[");
}

void
gh_json_end_array(gh_json_writer_t *w)
{
    writer_close(w, "]");
}

/* One character that must not stand as itself, or nothing when it may. */
static size_t
writer_escape(const char *p, size_t step, char out[8])
{
    static const char letters[] = "btn_fr";   /* 0x08..0x0d */
    unsigned char     c = (unsigned char) *p;

    if (step == 0) {
        memcpy(out, "\xef\xbf\xbd", 3);   /* U+FFFD */
        return 3;
    }

    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = (char) c;
        return 2;
    }

    if (c >= 0x08 && c <= 0x0d && c != 0x0b) {
        out[0] = '\\';
        out[1] = letters[c - 0x08];
        return 2;
    }

    if (c < 0x20 || c == 0x7f) {
        return (size_t) snprintf(out, 8, "\\u%04x", c);
    }

    if (step == 3 && memcmp(p, "\xe2\x80", 2) == 0 && ((unsigned char) p[2] & 0xfe) == 0xa8) {
        memcpy(out, (unsigned char) p[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
        return 6;
    }

    return 0;
}

static void
writer_quoted(gh_json_writer_t *w, gh_str_t s)
{
    const char *p = s.data, *end, *run;
    char        escape[8];
    size_t      step, len;

    writer_bytes(w, "\"", 1);

    if (s.len != 0) {
        for (end = p + s.len, run = p; p < end; ) {
            step = gh_utf8_sequence(p, end);
            len = writer_escape(p, step, escape);
            if (len != 0) {
                writer_bytes(w, run, (size_t) (p - run));
                writer_bytes(w, escape, len);
            }
            p += step != 0 ? step : 1;
            if (len != 0) {
                run = p;
            }
        }
        writer_bytes(w, run, (size_t) (end - run));
    }

    writer_bytes(w, "\"", 1);
}

void
gh_json_key(gh_json_writer_t *w, const char *key)
{
    writer_comma(w);
    writer_quoted(w, gh_str_from(key));
    writer_bytes(w, ":", 1);
    w->comma = false;
}

void
gh_json_string(gh_json_writer_t *w, gh_str_t s)
{
    writer_comma(w);
    writer_quoted(w, s);
    w->comma = true;
}

void
gh_json_raw(gh_json_writer_t *w, gh_str_t json)
{
    writer_comma(w);
    writer_bytes(w, json.data, json.len);
    w->comma = true;
}

void
gh_json_u64(gh_json_writer_t *w, uint64_t n)
{
    char digits[24];

    gh_json_raw(w, (gh_str_t) { digits, (size_t) snprintf(digits, sizeof(digits), "%" PRIu64, n) });
}

void
gh_json_i64(gh_json_writer_t *w, int64_t n)
{
    char digits[24];

    gh_json_raw(w, (gh_str_t) { digits, (size_t) snprintf(digits, sizeof(digits), "%" PRId64, n) });
}

void
gh_json_bool(gh_json_writer_t *w, bool b)
{
    gh_json_raw(w, b ? GH_STR("true") : GH_STR("false"));
}

void
gh_json_null(gh_json_writer_t *w)
{
    gh_json_raw(w, GH_STR("null"));
}

void
gh_json_kv_string(gh_json_writer_t *w, const char *key, gh_str_t s)
{
    gh_json_key(w, key);
    gh_json_string(w, s);
}

void
gh_json_kv_u64(gh_json_writer_t *w, const char *key, uint64_t n)
{
    gh_json_key(w, key);
    gh_json_u64(w, n);
}

void
gh_json_kv_bool(gh_json_writer_t *w, const char *key, bool b)
{
    gh_json_key(w, key);
    gh_json_bool(w, b);
}
