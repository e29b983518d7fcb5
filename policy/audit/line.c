#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* memmem */
#endif

#include "policy/audit/line.h"

#include <string.h>

static const struct { gh_str_t word; gh_line_type_t type; } types[] = {
    { { "decision", 8 }, GH_LINE_DECISION }, { { "outcome", 7 }, GH_LINE_OUTCOME }, { { "attempt", 7 }, GH_LINE_ATTEMPT },
    { { "lost", 4 }, GH_LINE_LOST }, { { "change", 6 }, GH_LINE_CHANGE }, { { "segment", 7 }, GH_LINE_SEGMENT }, { { "seal", 4 }, GH_LINE_SEAL },
    { { "basis", 5 }, GH_LINE_BASIS },
    { { "gap", 3 }, GH_LINE_GAP },
};

/* Inlined, so that the literal's length is known. */
static inline __attribute__((always_inline)) bool
take(gh_str_t *text, gh_str_t expected)
{
    if (text->len < expected.len || memcmp(text->data, expected.data, expected.len) != 0) {
        return false;
    }
    text->data += expected.len;
    text->len -= expected.len;

    return true;
}

static bool
take_number(gh_str_t *text, uint64_t *number)
{
    const char *p = text->data, *end = p + (text->len < 20 ? text->len : 20);
    uint64_t    value = 0;

    while (p < end && (unsigned char) (*p - '0') < 10) {
        value = value * 10 + (unsigned char) (*p++ - '0');
    }
    *number = value;
    end = text->data;
    text->len -= (size_t) (p - end);
    text->data = p;

    return p != end;
}

/* Up to the next quote: no word or id has an escape in it. */
static bool
take_word(gh_str_t *text, gh_str_t *word)
{
    const char *end = memchr(text->data, '"', text->len);

    if (end == NULL) {
        return false;
    }
    *word = (gh_str_t) { text->data, (size_t) (end - text->data) };
    text->len -= word->len + 1;
    text->data = end + 1;

    return true;
}

/* Lines of older programs have it further behind. A quote inside a string is escaped: only the member itself can match. */
static bool
allowed_below(gh_str_t text)
{
    return memmem(text.data, text.len, "\"verdict\":\"allow\"", 17) != NULL;
}

static bool
take_head(gh_str_t text, gh_line_t *line)
{
    gh_str_t word;

    line->type = GH_LINE_OTHER;
    line->id = GH_STR("");
    line->allow = false;

    if (!take(&text, GH_STR("\"v\":1,\"type\":\"")) || !take_word(&text, &word) || !take(&text, GH_STR(",\"t\":"))
        || !take_number(&text, &line->t))
    {
        return false;
    }

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (gh_str_eq(word, types[i].word)) {
            line->type = types[i].type;
            break;
        }
    }

    if (take(&text, GH_STR(",\"id\":\"")) && !take_word(&text, &line->id)) {
        return false;
    }

    if (line->type == GH_LINE_DECISION) {
        line->allow = take(&text, GH_STR(",\"verdict\":\"")) ? gh_str_starts(text, GH_STR("allow\"")) : allowed_below(text);
    }

    return true;
}

bool
gh_line_body(gh_str_t body, gh_line_t *line)
{
    return take(&body, GH_STR("{")) && take_head(body, line);
}

bool
gh_line_read(gh_str_t text, gh_line_t *line)
{
    if (!take(&text, GH_STR("{\"prev\":\"")) || !take_word(&text, &line->prev) || line->prev.len != 64
        || !take(&text, GH_STR(",\"n\":")) || !take_number(&text, &line->n) || !take(&text, GH_STR(",")))
    {
        return false;
    }

    return take_head(text, line);
}

/* Behind the string that begins there; NULL: it does not end. */
static const char *
string_end(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        p += *p == '\\';
    }

    return p < end ? p + 1 : NULL;
}

/* Behind the value that begins there. */
static const char *
value_end(const char *p, const char *end)
{
    int depth = 0;

    while (p != NULL && p < end && (depth != 0 || (*p != ',' && *p != '}' && *p != ']'))) {
        depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
        p = *p == '"' ? string_end(p, end) : p + 1;
    }

    return p;
}

gh_str_t
gh_line_member(gh_str_t text, const char *key)
{
    const char *p = text.data, *end = p + text.len, *value, *behind;
    size_t      len = strlen(key);

    while (p < end && (*p == '{' || *p == ',') && p + 1 < end && p[1] == '"') {
        value = string_end(++p, end);
        if (value == NULL || value >= end || *value++ != ':') {
            break;
        }
        behind = value_end(value, end);
        if (behind == NULL || behind >= end) {
            break;
        }
        if ((size_t) (value - p) == len + 3 && memcmp(p + 1, key, len) == 0) {
            return (gh_str_t) { value, (size_t) (behind - value) };
        }
        p = behind;
    }

    return GH_STR("");
}

gh_str_t
gh_line_last(gh_str_t array)
{
    const char *p = array.data, *end = p + array.len, *behind;
    gh_str_t    last = GH_STR("");

    while (p < end && (*p == '[' || *p == ',')) {
        behind = value_end(++p, end);
        if (behind == NULL || behind >= end) {
            break;
        }
        last = (gh_str_t) { p, (size_t) (behind - p) };
        p = behind;
    }

    return last;
}

uint64_t
gh_line_number(gh_str_t text, const char *key)
{
    gh_str_t value = gh_line_member(text, key);
    uint64_t number;

    return take_number(&value, &number) ? number : 0;
}

/* Multiplication by an odd number loses nothing, the shift brings the upper bits down. */
static uint64_t
mixed(uint64_t key, uint64_t part)
{
    key = (key ^ part) * UINT64_C(0x9e3779b97f4a7c15);

    return key ^ key >> 32;
}

uint64_t
gh_line_id_key(gh_str_t id)
{
    uint64_t key = id.len, part;
    size_t   at;

    for (at = 0; at + sizeof(part) <= id.len; at += sizeof(part)) {
        memcpy(&part, id.data + at, sizeof(part));
        key = mixed(key, part);
    }
    if (at < id.len) {
        part = 0;
        memcpy(&part, id.data + at, id.len - at);
        key = mixed(key, part);
    }

    return key != 0 ? key : 1;
}
