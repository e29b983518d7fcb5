#include "policy/base/json_reader.h"

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <immintrin.h>
#endif

/* gh_json_reader_t.state */
enum {
    STATE_VALUE = 0,       /* a value must come */
    STATE_ELEMENT_OR_END,  /* after [ */
    STATE_KEY_OR_END,      /* after { */
    STATE_COMMA_OR_END,    /* after a value inside an object or array */
    STATE_TAIL,            /* after the root value */
    STATE_DONE
};

/*
 * 2^1024 - 2^970, half way between the largest double and the next power of two: the smallest value that
 * IEEE 754 rounds to infinity. As an integer, 309 digits: a decimal exponent of 308.
 */
static const char infinity_digits[] =
    "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633"
    "0286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270"
    "069855571366959622842914819860834936475292719074168444365510704342711559699508093042880177904174497792";

#define INFINITY_EXPONENT 308
#define EXPONENT_LIMIT    (INT64_C(1) << 40)

void
gh_json_reader_init(gh_json_reader_t *reader, gh_str_t text, uint32_t max_depth)
{
    memset(reader, 0, sizeof(*reader));
    if (text.data == NULL) {
        text = GH_STR("");
    }
    reader->start = text.data;
    reader->pos = text.data;
    reader->end = text.data + text.len;
    reader->event = GH_JSON_NULL;
    reader->max_depth = max_depth == 0 || max_depth > GH_JSON_MAX_DEPTH ? GH_JSON_MAX_DEPTH : max_depth;
    reader->state = STATE_VALUE;
}

static gh_json_event_t
json_fail(gh_json_reader_t *reader, const char *at, const char *code)
{
    reader->event = GH_JSON_ERROR;
    reader->error_code = code;
    reader->error_offset = (size_t) (at - reader->start);
    return GH_JSON_ERROR;
}

static gh_json_event_t
json_unexpected(gh_json_reader_t *reader, const char *at)
{
    return json_fail(reader, at, at < reader->end ? "unexpected byte" : "unexpected end");
}

static __attribute__((noinline)) void
json_spaces(gh_json_reader_t *reader)
{
    const char *p = reader->pos, *end = reader->end;

    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }

    reader->spare += (uint64_t) (p - reader->pos);
    reader->pos = p;
}

/* Between most tokens there is none. */
static inline void
json_space(gh_json_reader_t *reader)
{
    if (reader->pos == reader->end || (unsigned char) *reader->pos <= ' ') {
        json_spaces(reader);
    }
}

#ifdef __SSE2__
/* Of 16 bytes: all ones where one is not plain. The comparison is signed: bytes above 0x7f are below 0x20, too. */
static inline __m128i
json_marks(const char *p)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *) p);

    return _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
}
#endif

#ifdef __SSE2__
/* The same of 32. */
__attribute__((target("avx2"))) static inline __m256i
json_wide_marks(const char *p)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *) p);

    return _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes),
        _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')), _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'))));
}

/* Over as many blocks of 128 bytes as are plain: most bytes of a long prompt, on processors that take them so. */
__attribute__((target("avx2"))) static const char *
json_wide_plain(const char *p, const char *end)
{
    for (; end - p >= 128; p += 128) {
        __m256i found = _mm256_or_si256(_mm256_or_si256(json_wide_marks(p), json_wide_marks(p + 32)),
            _mm256_or_si256(json_wide_marks(p + 64), json_wide_marks(p + 96)));

        if (!_mm256_testz_si256(found, found)) {
            break;
        }
    }

    return p;
}
#endif

/* The first byte from p on that is not plain: a quote, a backslash, below 0x20, or above 0x7f. */
static const char *
json_plain(const char *p, const char *end)
{
#ifdef __SSE2__
    __m128i found;
    int     mask;

    /* names and words end within a few bytes */
    if (end - p >= 16) {
        mask = _mm_movemask_epi8(json_marks(p));
        if (mask != 0) {
            return p + __builtin_ctz((unsigned) mask);
        }
        p += 16;
    }

    if (end - p >= 256 && __builtin_cpu_supports("avx2")) {
        p = json_wide_plain(p, end);
    }

    while (end - p >= 64) {
        found = _mm_or_si128(_mm_or_si128(json_marks(p), json_marks(p + 16)), _mm_or_si128(json_marks(p + 32), json_marks(p + 48)));
        if (_mm_movemask_epi8(found) != 0) {
            break;
        }
        p += 64;
    }

    while (end - p >= 16) {
        mask = _mm_movemask_epi8(json_marks(p));
        if (mask != 0) {
            return p + __builtin_ctz((unsigned) mask);
        }
        p += 16;
    }
#else
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t       bytes, quote, backslash;

    while (end - p >= 8) {
        memcpy(&bytes, p, 8);
        quote = bytes ^ ones * '"';
        backslash = bytes ^ ones * '\\';
        if (((bytes | (bytes - ones * 0x20) | (quote - ones) | (backslash - ones)) & tops) != 0) {
            break;
        }
        p += 8;
    }
#endif

    while (p < end && (signed char) *p >= 0x20 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}

/* Four hexadecimal digits, or -1. */
static int
json_hex4(const char *p, const char *end)
{
    int i, value = 0;

    if (end - p < 4) {
        return -1;
    }

    for (i = 0; i < 4; i++) {
        char c = p[i];

        if (c >= '0' && c <= '9') {
            value = value << 4 | (c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            value = value << 4 | ((c | 0x20) - 'a' + 10);
        } else {
            return -1;
        }
    }

    return value;
}

/* p is at a backslash. Past the escape, which is counted, or NULL with the error set. */
static const char *
json_escape(gh_json_reader_t *reader, const char *p)
{
    const char *end = reader->end;
    int         unit, low;

    if (end - p < 2) {
        json_unexpected(reader, end);
        return NULL;
    }

    switch (p[1]) {

    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        reader->token_spare++;
        return p + 2;

    case 'u':
        break;

    default:
        json_fail(reader, p, "invalid escape");
        return NULL;
    }

    unit = json_hex4(p + 2, end);
    if (unit < 0) {
        json_fail(reader, p, "invalid escape");
        return NULL;
    }

    if (unit == 0) {
        json_fail(reader, p, "NUL in a string");
        return NULL;
    }

    if (unit < 0xd800 || unit > 0xdfff) {
        reader->token_spare += unit < 0x80 ? 5 : unit < 0x800 ? 4 : 3;
        return p + 6;
    }

    low = unit <= 0xdbff && end - p >= 12 && p[6] == '\\' && p[7] == 'u' ? json_hex4(p + 8, end) : -1;
    if (low < 0xdc00 || low > 0xdfff) {
        if (reader->lone_surrogates) {
            reader->token_spare += 3;
            return p + 6;
        }
        json_fail(reader, p, "lone surrogate");
        return NULL;
    }

    reader->token_spare += 8;
    return p + 12;
}

/* pos is at the opening quote. */
static gh_json_event_t
json_string(gh_json_reader_t *reader, gh_json_event_t event)
{
    const char *open = reader->pos, *p = open + 1, *end = reader->end;
    size_t      step;

    reader->escaped = false;
    reader->token_spare = 0;

    for ( ;; ) {
        p = json_plain(p, end);

        if (p == end) {
            return json_unexpected(reader, end);
        }

        if (*p == '"') {
            break;
        }

        if (*p == '\\') {
            reader->escaped = true;
            p = json_escape(reader, p);
            if (p == NULL) {
                return GH_JSON_ERROR;
            }
            continue;
        }

        if ((unsigned char) *p < 0x20) {
            return json_fail(reader, p, "control byte in a string");
        }

        /* text outside ASCII comes in runs */
        do {
            step = gh_utf8_sequence(p, end);
            if (step == 0) {
                return json_fail(reader, p, "invalid UTF-8");
            }
            p += step;
        } while (p < end && (unsigned char) *p >= 0x80);
    }

    reader->spare += reader->token_spare;
    reader->token = (gh_str_t) { open + 1, (size_t) (p - open - 1) };
    reader->token_offset = (size_t) (open - reader->start);
    reader->pos = p + 1;
    reader->token_end = (size_t) (reader->pos - reader->start);

    return reader->event = event;
}

static const char *
json_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    return p;
}

/*
 * Would this number, whose grammar is checked, round to infinity? Exact, on the decimal digits: digits is the
 * first one, end is past the fraction, exponent the value behind the e.
 */
static bool
json_overflows(const char *digits, const char *point, const char *end, int64_t exponent)
{
    const char *p = digits;
    size_t      i;

    while (p < end && (*p == '0' || *p == '.')) {
        p++;
    }

    if (p == end) {
        return false;   /* zero, whatever the exponent */
    }

    exponent += p < point ? point - p - 1 : point - p;
    if (exponent != INFINITY_EXPONENT) {
        return exponent > INFINITY_EXPONENT;
    }

    for (i = 0; i < sizeof(infinity_digits) - 1; p++) {
        char digit = p < end ? *p : '0';

        if (digit == '.') {
            continue;
        }
        if (digit != infinity_digits[i]) {
            return digit > infinity_digits[i];
        }
        i++;
    }

    return true;
}

static gh_json_event_t
json_number(gh_json_reader_t *reader)
{
    const char *start = reader->pos, *end = reader->end, *p = start, *digits, *point, *last;
    int64_t     exponent = 0;
    bool        negative = false;

    if (*p == '-') {
        p++;
    }

    digits = p;
    p = json_digits(p, end);
    if (p == digits || (*digits == '0' && p - digits > 1)) {
        return json_fail(reader, start, "invalid number");
    }
    point = p;

    if (p < end && *p == '.') {
        last = p + 1;
        p = json_digits(last, end);
        if (p == last) {
            return json_fail(reader, start, "invalid number");
        }
    }
    last = p;

    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) {
            negative = *p == '-';
            p++;
        }
        if (p == end || *p < '0' || *p > '9') {
            return json_fail(reader, start, "invalid number");
        }
        for (; p < end && *p >= '0' && *p <= '9'; p++) {
            if (exponent < EXPONENT_LIMIT) {
                exponent = exponent * 10 + (*p - '0');
            }
        }
        if (negative) {
            exponent = -exponent;
        }
    }

    if ((exponent > 0 || point - digits > INFINITY_EXPONENT)
        && json_overflows(digits, point, last, exponent))
    {
        return json_fail(reader, start, "number out of range");
    }

    reader->token = (gh_str_t) { start, (size_t) (p - start) };
    reader->token_offset = (size_t) (start - reader->start);
    reader->token_end = (size_t) (p - reader->start);
    reader->escaped = false;
    reader->pos = p;

    return reader->event = GH_JSON_NUMBER;
}

static bool
json_in_object(const gh_json_reader_t *reader)
{
    uint32_t level = reader->depth - 1;

    return (reader->stack[level / 64] >> (level % 64) & 1) != 0;
}

/* A one-byte token: { [ } ]. */
static gh_json_event_t
json_mark(gh_json_reader_t *reader, gh_json_event_t event)
{
    reader->token_offset = (size_t) (reader->pos - reader->start);
    reader->token_end = reader->token_offset + 1;
    reader->pos++;
    return reader->event = event;
}

static gh_json_event_t
json_open(gh_json_reader_t *reader, bool object)
{
    uint32_t level = reader->depth;
    uint64_t bit = UINT64_C(1) << (level % 64);

    if (level >= reader->max_depth) {
        return json_fail(reader, reader->pos, "nested too deep");
    }

    if (object) {
        reader->stack[level / 64] |= bit;
    } else {
        reader->stack[level / 64] &= ~bit;
    }

    reader->depth++;
    reader->state = object ? STATE_KEY_OR_END : STATE_ELEMENT_OR_END;

    return json_mark(reader, object ? GH_JSON_OBJECT_BEGIN : GH_JSON_ARRAY_BEGIN);
}

static gh_json_event_t
json_close(gh_json_reader_t *reader, bool object)
{
    reader->depth--;
    reader->state = reader->depth == 0 ? STATE_TAIL : STATE_COMMA_OR_END;

    return json_mark(reader, object ? GH_JSON_OBJECT_END : GH_JSON_ARRAY_END);
}

static gh_json_event_t
json_word(gh_json_reader_t *reader, const char *word, size_t len, gh_json_event_t event)
{
    if ((size_t) (reader->end - reader->pos) < len || memcmp(reader->pos, word, len) != 0) {
        return json_fail(reader, reader->pos, "unexpected byte");
    }

    reader->token_offset = (size_t) (reader->pos - reader->start);
    reader->token_end = reader->token_offset + len;
    reader->pos += len;
    reader->event = event;
    return event;
}

static gh_json_event_t
json_value(gh_json_reader_t *reader)
{
    if (reader->pos == reader->end) {
        return json_unexpected(reader, reader->end);
    }

    switch (*reader->pos) {
    case '{':
        return json_open(reader, true);
    case '[':
        return json_open(reader, false);
    default:
        break;
    }

    reader->state = reader->depth == 0 ? STATE_TAIL : STATE_COMMA_OR_END;

    switch (*reader->pos) {

    case '"':
        return json_string(reader, GH_JSON_STRING);

    case 't':
        return json_word(reader, "true", 4, GH_JSON_TRUE);

    case 'f':
        return json_word(reader, "false", 5, GH_JSON_FALSE);

    case 'n':
        return json_word(reader, "null", 4, GH_JSON_NULL);

    case '-':
    case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9':
        return json_number(reader);

    default:
        return json_unexpected(reader, reader->pos);
    }
}

/* The key, and the colon behind it. */
static gh_json_event_t
json_key(gh_json_reader_t *reader)
{
    if (reader->pos == reader->end || *reader->pos != '"') {
        return json_unexpected(reader, reader->pos);
    }

    if (json_string(reader, GH_JSON_KEY) == GH_JSON_ERROR) {
        return GH_JSON_ERROR;
    }

    json_space(reader);
    if (reader->pos == reader->end || *reader->pos != ':') {
        return json_unexpected(reader, reader->pos);
    }
    reader->pos++;
    reader->state = STATE_VALUE;

    return GH_JSON_KEY;
}

gh_json_event_t
gh_json_next(gh_json_reader_t *reader)
{
    bool object;

    if (reader->event == GH_JSON_ERROR || reader->state == STATE_DONE) {
        return reader->event;
    }

    json_space(reader);

    switch (reader->state) {

    case STATE_VALUE:
        return json_value(reader);

    case STATE_ELEMENT_OR_END:
        if (reader->pos < reader->end && *reader->pos == ']') {
            return json_close(reader, false);
        }
        return json_value(reader);

    case STATE_KEY_OR_END:
        if (reader->pos < reader->end && *reader->pos == '}') {
            return json_close(reader, true);
        }
        return json_key(reader);

    case STATE_COMMA_OR_END:
        object = json_in_object(reader);
        if (reader->pos < reader->end && *reader->pos == ',') {
            reader->pos++;
            json_space(reader);
            return object ? json_key(reader) : json_value(reader);
        }
        if (reader->pos < reader->end && *reader->pos == (object ? '}' : ']')) {
            return json_close(reader, object);
        }
        return json_unexpected(reader, reader->pos);

    default:
        if (reader->pos != reader->end) {
            return json_fail(reader, reader->pos, "bytes after the value");
        }
        reader->state = STATE_DONE;
        return reader->event = GH_JSON_END;
    }
}

int
gh_json_skip_rest(gh_json_reader_t *reader)
{
    uint32_t outside;

    if (reader->event == GH_JSON_ERROR || reader->depth == 0) {
        return GH_ERROR;
    }

    for (outside = reader->depth - 1; reader->depth > outside; ) {
        if (gh_json_next(reader) == GH_JSON_ERROR) {
            return GH_ERROR;
        }
    }

    return GH_OK;
}

int
gh_json_skip(gh_json_reader_t *reader)
{
    switch (gh_json_next(reader)) {

    case GH_JSON_OBJECT_BEGIN:
    case GH_JSON_ARRAY_BEGIN:
        return gh_json_skip_rest(reader);

    case GH_JSON_STRING:
    case GH_JSON_NUMBER:
    case GH_JSON_TRUE:
    case GH_JSON_FALSE:
    case GH_JSON_NULL:
        return GH_OK;

    case GH_JSON_ERROR:
        return GH_ERROR;

    default:
        json_fail(reader, reader->pos, "no value here");
        return GH_ERROR;
    }
}
