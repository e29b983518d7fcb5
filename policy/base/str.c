#include "policy/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GH_NEAREST_LEN 64

gh_str_t
gh_str_from(const char *c_string)
{
    return (gh_str_t) { c_string, c_string != NULL ? strlen(c_string) : 0 };
}

bool
gh_str_eq(gh_str_t a, gh_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool
gh_str_is(gh_str_t a, const char *c_string)
{
    return gh_str_eq(a, gh_str_from(c_string));
}

static unsigned char
ascii_lower(char c)
{
    unsigned char u = (unsigned char) c;

    return u >= 'A' && u <= 'Z' ? u | 0x20 : u;
}

bool
gh_str_eq_nocase(gh_str_t a, gh_str_t b)
{
    size_t i;

    if (a.len != b.len) {
        return false;
    }

    for (i = 0; i < a.len; i++) {
        if (ascii_lower(a.data[i]) != ascii_lower(b.data[i])) {
            return false;
        }
    }

    return true;
}

bool
gh_str_starts(gh_str_t s, gh_str_t prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}

int
gh_str_cmp(gh_str_t a, gh_str_t b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int    order = len != 0 ? memcmp(a.data, b.data, len) : 0;

    if (order != 0) {
        return order;
    }

    return a.len < b.len ? -1 : a.len > b.len;
}

gh_str_t
gh_str_trim(gh_str_t s)
{
    while (s.len != 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }

    while (s.len != 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) {
        s.len--;
    }

    return s;
}

gh_str_t
gh_str_copy(gh_arena_t *arena, gh_str_t s)
{
    char *p;

    p = s.len < SIZE_MAX ? arena->alloc(arena, s.len + 1) : NULL;
    if (p == NULL) {
        return (gh_str_t) { NULL, 0 };
    }

    if (s.len != 0) {
        memcpy(p, s.data, s.len);
    }
    p[s.len] = '\0';

    return (gh_str_t) { p, s.len };
}

gh_str_t
gh_str_format(gh_arena_t *arena, const char *format, ...)
{
    char     small[256], *p;
    int      len;
    va_list  args;

    va_start(args, format);
    len = vsnprintf(small, sizeof(small), format, args);
    va_end(args);

    if (len < 0) {
        return (gh_str_t) { NULL, 0 };
    }

    if ((size_t) len < sizeof(small)) {
        return gh_str_copy(arena, (gh_str_t) { small, (size_t) len });
    }

    p = arena->alloc(arena, (size_t) len + 1);
    if (p == NULL) {
        return (gh_str_t) { NULL, 0 };
    }

    va_start(args, format);
    vsnprintf(p, (size_t) len + 1, format, args);
    va_end(args);

    return (gh_str_t) { p, (size_t) len };
}

static unsigned
smallest(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: edits and swaps of neighbours, no substring edited twice. */
static unsigned
edit_distance(gh_str_t a, gh_str_t b)
{
    unsigned  rows[3][GH_NEAREST_LEN + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2], *spare, cost;
    size_t    i, j;

    for (j = 0; j <= b.len; j++) {
        last[j] = (unsigned) j;
    }

    for (i = 1; i <= a.len; i++) {
        row[0] = (unsigned) i;

        for (j = 1; j <= b.len; j++) {
            cost = a.data[i - 1] != b.data[j - 1];
            row[j] = smallest(smallest(last[j] + 1, row[j - 1] + 1), last[j - 1] + cost);

            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1]) {
                row[j] = smallest(row[j], before[j - 2] + 1);
            }
        }

        spare = before;
        before = last;
        last = row;
        row = spare;
    }

    return last[b.len];
}

gh_str_t
gh_str_nearest(gh_str_t word, const gh_str_t *candidates, size_t count)
{
    gh_str_t  best = { "", 0 };
    unsigned  distance, best_distance;
    size_t    i;

    if (word.len == 0 || word.len > GH_NEAREST_LEN) {
        return best;
    }

    best_distance = 2 + (unsigned) (word.len / 3);

    for (i = 0; i < count; i++) {
        if (candidates[i].len == 0 || candidates[i].len > GH_NEAREST_LEN) {
            continue;
        }

        if ((word.len > candidates[i].len ? word.len - candidates[i].len : candidates[i].len - word.len) >= best_distance) {
            continue;
        }
        distance = edit_distance(word, candidates[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidates[i];
        }
    }

    return best;
}

static bool
continuation(char c, unsigned char low, unsigned char high)
{
    unsigned char u = (unsigned char) c;

    return u >= low && u <= high;
}

size_t
gh_utf8_sequence(const char *p, const char *end)
{
    unsigned char first = (unsigned char) p[0];
    size_t        left = (size_t) (end - p);

    if (first < 0x80) {
        return 1;
    }

    if (first >= 0xc2 && first <= 0xdf) {
        return left >= 2 && continuation(p[1], 0x80, 0xbf) ? 2 : 0;
    }

    if (first >= 0xe0 && first <= 0xef) {
        return left >= 3
            && continuation(p[1], first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf)
            && continuation(p[2], 0x80, 0xbf) ? 3 : 0;
    }

    if (first >= 0xf0 && first <= 0xf4) {
        return left >= 4
            && continuation(p[1], first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf)
            && continuation(p[2], 0x80, 0xbf) && continuation(p[3], 0x80, 0xbf) ? 4 : 0;
    }

    return 0;
}
