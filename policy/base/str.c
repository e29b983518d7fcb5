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
gh_str_join(gh_arena_t *arena, const gh_str_t *parts, size_t count)
{
    gh_str_t joined = { NULL, 0 };
    size_t   len = 0, i;
    char    *p;

    for (i = 0; i < count; i++) {
        len += parts[i].len;
    }
    p = arena->alloc(arena, len + 1);
    if (p == NULL) {
        return joined;
    }

    joined = (gh_str_t) { p, len };
    for (i = 0; i < count; i++) {
        if (parts[i].len != 0) {
            memcpy(p, parts[i].data, parts[i].len);
            p += parts[i].len;
        }
    }
    *p = '\0';

    return joined;
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

bool
gh_utf8_valid(gh_str_t s)
{
    const char *p = s.data, *end = s.data + s.len;
    size_t      n;

    for (; p < end; p += n) {
        n = gh_utf8_sequence(p, end);
        if (n == 0) {
            return false;
        }
    }

    return true;
}

#define EIGHT_DIGITS UINT64_C(100000000)

/*
 * The digits of n < 10^8 as the bytes of a word, 0..9, the first one lowest: halves, then quarters, then digits are split off in all lanes at
 * once. x * 10486 >> 20 is x / 100 for x < 10,000, x * 103 >> 10 is x / 10 for x < 100.
 */
static uint64_t
eight_digits(uint64_t n)
{
    uint64_t halves = n / 10000 | (n % 10000) << 32;
    uint64_t high = (halves * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    uint64_t pairs = high | (halves - high * 100) << 16;

    high = (pairs * 103 >> 10) & UINT64_C(0x000f000f000f000f);

    return high | (pairs - high * 10) << 8;
}

static void
put_eight(uint64_t n, char *out)
{
    uint64_t text = eight_digits(n) + UINT64_C(0x3030303030303030);

    memcpy(out, &text, 8);
}

/* Without zeros in front; all 8 bytes are written. n > 0. */
static size_t
put_first(uint64_t n, char *out)
{
    uint64_t digits = eight_digits(n);
    unsigned zeros = (unsigned) __builtin_ctzll(digits) / 8;
    uint64_t text = (digits + UINT64_C(0x3030303030303030)) >> 8 * zeros;

    memcpy(out, &text, 8);

    return 8 - zeros;
}

/* Likewise of 0 < n < 10,000, which most numbers are; 4 bytes are written. */
static size_t
put_four(uint32_t n, char *out)
{
    uint32_t high = n * 10486 >> 20, pairs = high | (n - high * 100) << 16, digits, text;
    unsigned zeros;

    high = (pairs * 103 >> 10) & 0x000f000f;
    digits = high | (pairs - high * 10) << 8;
    zeros = (unsigned) __builtin_ctz(digits) / 8;
    text = (digits + 0x30303030) >> 8 * zeros;
    memcpy(out, &text, 4);

    return 4 - zeros;
}

size_t
gh_u64_put(uint64_t n, char out[GH_STR_DIGITS])
{
    uint64_t first, rest;
    size_t   len;

    if (n < 10) {
        *out = (char) ('0' + n);
        return 1;
    }

    if (n < 10000) {
        return put_four((uint32_t) n, out);
    }

    if (n < EIGHT_DIGITS) {
        return put_first(n, out);
    }

    first = n / EIGHT_DIGITS;
    if (first < EIGHT_DIGITS) {
        len = put_first(first, out);
    } else {
        rest = first % EIGHT_DIGITS;
        len = put_first(first / EIGHT_DIGITS, out);
        put_eight(rest, out + len);
        len += 8;
    }
    put_eight(n % EIGHT_DIGITS, out + len);

    return len + 8;
}

gh_str_t
gh_str_u64(uint64_t n, char digits[GH_STR_DIGITS])
{
    return (gh_str_t) { digits, gh_u64_put(n, digits) };
}
