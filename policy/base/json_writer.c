#include "policy/base/json_writer.h"

#include <stdio.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

void
gh_json_writer_init(gh_json_writer_t *w, char *buffer, size_t size)
{
    memset(w, 0, sizeof(*w));
    w->data = buffer;
    w->size = size;
}

uint64_t
gh_json_serial(void)
{
    static uint64_t last;

    return ++last;
}

bool
gh_json_writer_ok(const gh_json_writer_t *w)
{
    return !w->overflow;
}

/* Bytes behind others of the same value. */
static void
writer_bytes(gh_json_writer_t *w, const char *data, size_t len)
{
    w->comma = false;
    gh_json_copy(w, data, len, false);
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

/* A string of which some byte may have to be escaped; its opening quote is there. */
static void
writer_escaped(gh_json_writer_t *w, gh_str_t s)
{
    const char *p = s.data, *end = p + s.len, *run = p;
    char        escape[8];
    size_t      step, len;

    while (p < end) {
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
    writer_bytes(w, "\"", 1);
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * Upper bits of bytes that do not stand as themselves: all but ASCII without control bytes, DEL, " and \. A borrow or carry can mark a byte
 * beside one of these as well.
 */
static uint64_t
odd_bytes(uint64_t word)
{
    return (word | (word + EACH(0x01)) | (word - EACH(0x20)) | ((word ^ EACH('"')) - EACH(0x01)) | ((word ^ EACH('\\')) - EACH(0x01)))
        & EACH(0x80);
}

static uint64_t
load(const char *at, size_t len)
{
    uint64_t word = EACH('a');

    memcpy(&word, at, len);

    return word;
}

#ifdef __SSE2__
/* Sixteen of them: all ones where a byte does not stand as itself. The comparison is signed: bytes above 0x7f are below 0x20, too. */
static inline __m128i
odd_wide(__m128i bytes)
{
    return _mm_or_si128(_mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f))),
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
}

/* Of 16 bytes or more; the last ones overlap those before them. */
static bool
copy_wide(char *to, const char *from, size_t len)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *) (from + len - 16)), odd = odd_wide(bytes);

    _mm_storeu_si128((__m128i *) (to + len - 16), bytes);
    for (size_t at = 0; at + 16 < len; at += 16) {
        bytes = _mm_loadu_si128((const __m128i *) (from + at));
        odd = _mm_or_si128(odd, odd_wide(bytes));
        _mm_storeu_si128((__m128i *) (to + at), bytes);
    }

    return _mm_movemask_epi8(odd) == 0;
}
#endif

/* Copies what most strings are: bytes that stand as themselves. false: they do not, and what was copied is not the string. Never overlapping. */
static bool
copy_plain(char *to, const char *from, size_t len)
{
    uint64_t odd = 0, word;
    size_t   at;

#ifdef __SSE2__
    if (len >= 16) {
        return copy_wide(to, from, len);
    }
#endif

    if (len >= 8) {
        for (at = 0; at + 8 <= len; at += 8) {
            word = load(from + at, 8);
            odd |= odd_bytes(word);
            memcpy(to + at, &word, 8);
        }
        word = load(from + len - 8, 8);
        memcpy(to + len - 8, &word, 8);
        return (odd | odd_bytes(word)) == 0;
    }

    if (len >= 4) {
        word = load(from, 4) & UINT32_MAX;
        word |= load(from + len - 4, 4) << 32;
        memcpy(to, &word, 4);
        memcpy(to + len - 4, (char *) &word + 4, 4);
        return odd_bytes(word) == 0;
    }

    for (at = 0; at < len; at++) {
        odd |= odd_bytes(load(from + at, 1));
        to[at] = from[at];
    }

    return odd == 0;
}

void
gh_json_string(gh_json_writer_t *w, gh_str_t s)
{
    char *at = gh_json_room(w, s.len + 2);

    if (at != NULL) {
        *at++ = '"';
        if (copy_plain(at, s.data, s.len)) {
            at[s.len] = '"';
        } else {
            w->len -= s.len + 1;
            writer_escaped(w, s);
        }
    }
    w->comma = true;
}

void
gh_json_key_text(gh_json_writer_t *w, gh_str_t key)
{
    gh_json_string(w, key);
    w->comma = false;
    writer_bytes(w, ":", 1);
}

/* Where so many digits do not fit any more, there may be room for those that there are. */
static __attribute__((noinline)) void
writer_digits(gh_json_writer_t *w, uint64_t n)
{
    char digits[GH_STR_DIGITS];

    gh_json_raw(w, gh_str_u64(n, digits));
}

void
gh_json_u64(gh_json_writer_t *w, uint64_t n)
{
    char *at = w->data + w->len;

    if (w->size - w->len <= GH_STR_DIGITS) {
        writer_digits(w, n);
        return;
    }
    *at = ',';
    at += w->comma;
    w->len += w->comma + gh_u64_put(n, at);
    w->comma = true;
}

void
gh_json_i64(gh_json_writer_t *w, int64_t n)
{
    char   digits[GH_STR_DIGITS + 1] = "-";
    size_t len = n < 0 ? 1 + gh_u64_put(-(uint64_t) n, digits + 1) : gh_u64_put((uint64_t) n, digits);

    gh_json_raw(w, (gh_str_t) { digits, len });
}
