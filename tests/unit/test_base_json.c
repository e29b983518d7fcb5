/* The pull reader: what RFC 8259 accepts and refuses, offsets, tokens, skipping, duplicates. */
#include <stdlib.h>

#include "policy/base/json_reader.h"
#include "policy/base/json_writer.h"
#include "tests/unit/check.h"

/* A copy that ends exactly where the text does, so that a byte read too far is seen. */
static char *
exact(gh_str_t text)
{
    char *copy = malloc(text.len != 0 ? text.len : 1);

    memcpy(copy, text.data, text.len);
    return copy;
}

static const char *
read_all(gh_str_t text, uint32_t max_depth, size_t *offset)
{
    gh_json_reader_t reader;
    gh_json_event_t  event;
    char            *copy = exact(text);
    const char      *code;

    gh_json_reader_init(&reader, (gh_str_t) { copy, text.len }, max_depth);
    do {
        event = gh_json_next(&reader);
    } while (event != GH_JSON_END && event != GH_JSON_ERROR);

    CHECK(gh_json_next(&reader) == event);   /* stays */
    code = event == GH_JSON_END ? NULL : reader.error_code;
    *offset = reader.error_offset;
    CHECK(event == GH_JSON_END || (code != NULL && reader.error_offset <= text.len));
    free(copy);
    return code;
}

static void
accepts(gh_str_t text)
{
    size_t      offset;
    const char *code = read_all(text, 0, &offset);

    if (!CHECK(code == NULL)) {
        fprintf(stderr, "    refused: %.*s: %s at %zu\n", GH_STR_ARG(text), code, offset);
    }
}

static void
refuses(gh_str_t text, const char *code, size_t at)
{
    size_t      offset;
    const char *got = read_all(text, 0, &offset);

    if (!CHECK(got != NULL && strcmp(got, code) == 0 && offset == at)) {
        fprintf(stderr, "    %.*s: got %s at %zu, expected %s at %zu\n", GH_STR_ARG(text), got != NULL ? got : "accepted",
            offset, code, at);
    }
}

#define ACCEPTS(literal)          accepts(GH_STR(literal))
#define REFUSES(literal, code, at) refuses(GH_STR(literal), code, at)

static void
test_accepts(void)
{
    ACCEPTS("null");
    ACCEPTS(" \t\r\n true \t\r\n ");
    ACCEPTS("false");
    ACCEPTS("\"\"");
    ACCEPTS("[]");
    ACCEPTS("{}");
    ACCEPTS("[[] ]");
    ACCEPTS("[ null, 1, \"1\", {}]");
    ACCEPTS("{\"a\":{\"b\":[]},\"\":0}");
    ACCEPTS("{\"a\":1,\"a\":2}");   /* duplicates are the business of the object's reader */
    ACCEPTS("0");
    ACCEPTS("-0");
    ACCEPTS("-0.0e-0");
    ACCEPTS("123.456e78");
    ACCEPTS("1E+2");
    ACCEPTS("0e1");
    ACCEPTS("20E1");
    ACCEPTS("123456789012345678901234567890");
    ACCEPTS("0.4e006");
    ACCEPTS("1e-400");
    ACCEPTS("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"");
    ACCEPTS("\"\\u0001\\u00e9\\u20AC\\ud83d\\uDE00\"");
    ACCEPTS("\"\\\\u0000\"");
    ACCEPTS("\"\x7f\"");
    ACCEPTS("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf\"");
    ACCEPTS("\"\xe2\x80\xa8\xe2\x80\xa9\"");
    ACCEPTS("[\"asd\"]");
    ACCEPTS("{\"title\":\"\\u041f\\u043e\" }");
}

static void
test_refuses_structure(void)
{
    REFUSES("", "unexpected end", 0);
    REFUSES("  ", "unexpected end", 2);
    REFUSES("\xef\xbb\xbf{}", "unexpected byte", 0);
    REFUSES("{", "unexpected end", 1);
    REFUSES("[", "unexpected end", 1);
    REFUSES("]", "unexpected byte", 0);
    REFUSES("[1", "unexpected end", 2);
    REFUSES("[1,", "unexpected end", 3);
    REFUSES("[1,]", "unexpected byte", 3);
    REFUSES("[,1]", "unexpected byte", 1);
    REFUSES("[1 2]", "unexpected byte", 3);
    REFUSES("[1}", "unexpected byte", 2);
    REFUSES("{]", "unexpected byte", 1);
    REFUSES("{\"a\"}", "unexpected byte", 4);
    REFUSES("{\"a\" 1}", "unexpected byte", 5);
    REFUSES("{\"a\":}", "unexpected byte", 5);
    REFUSES("{\"a\":1,}", "unexpected byte", 7);
    REFUSES("{\"a\":1 \"b\":2}", "unexpected byte", 7);
    REFUSES("{\"a\"::1}", "unexpected byte", 5);
    REFUSES("{a:1}", "unexpected byte", 1);
    REFUSES("{'a':1}", "unexpected byte", 1);
    REFUSES("{1:1}", "unexpected byte", 1);
    REFUSES("{null:1}", "unexpected byte", 1);
    REFUSES("{\"a\":1]", "unexpected byte", 6);
    REFUSES("[]x", "bytes after the value", 2);
    REFUSES("{}{}", "bytes after the value", 2);
    REFUSES("1 2", "bytes after the value", 2);
    REFUSES("\"a\"\0", "bytes after the value", 3);
    REFUSES("[1]//c", "bytes after the value", 3);
    REFUSES("/**/1", "unexpected byte", 0);
    REFUSES("\f1", "unexpected byte", 0);
    REFUSES("\xc2\xa0" "1", "unexpected byte", 0);
    REFUSES("1\x0b", "bytes after the value", 1);
    REFUSES("nul", "unexpected byte", 0);
    REFUSES("True", "unexpected byte", 0);
    REFUSES("NaN", "unexpected byte", 0);
    REFUSES("Infinity", "unexpected byte", 0);
    REFUSES("nulll", "bytes after the value", 4);
    REFUSES("[tru]", "unexpected byte", 1);
}

static void
test_refuses_strings(void)
{
    REFUSES("\"", "unexpected end", 1);
    REFUSES("\"abc", "unexpected end", 4);
    REFUSES("\"\\", "unexpected end", 2);
    REFUSES("\"\\\"", "unexpected end", 3);
    REFUSES("\"\\x\"", "invalid escape", 1);
    REFUSES("\"\\U0041\"", "invalid escape", 1);
    REFUSES("\"\\a\"", "invalid escape", 1);
    REFUSES("\"\\'\"", "invalid escape", 1);
    REFUSES("\"\\u\"", "invalid escape", 1);
    REFUSES("\"\\u00A\"", "invalid escape", 1);
    REFUSES("\"\\u00G0\"", "invalid escape", 1);
    REFUSES("\"\\u 041\"", "invalid escape", 1);
    REFUSES("\"\\u-041\"", "invalid escape", 1);
    REFUSES("\"\\u0000\"", "NUL in a string", 1);
    REFUSES("\"a\0b\"", "control byte in a string", 2);
    REFUSES("\"\n\"", "control byte in a string", 1);
    REFUSES("\"\x1f\"", "control byte in a string", 1);
    REFUSES("\"\t\"", "control byte in a string", 1);
    REFUSES("\"\\\n\"", "invalid escape", 1);
    REFUSES("\"\\ud800\"", "lone surrogate", 1);
    REFUSES("\"\\ud800abcdef\"", "lone surrogate", 1);
    REFUSES("\"\\udc00\"", "lone surrogate", 1);
    REFUSES("\"\\udc00\\ud800\"", "lone surrogate", 1);
    REFUSES("\"\\ud800\\ud800\"", "lone surrogate", 1);
    REFUSES("\"\\ud83d\\n\\ude00\"", "lone surrogate", 1);
    REFUSES("\"\\ud800\\u", "lone surrogate", 1);
    REFUSES("\"\\ud800\\uDC0x\"", "lone surrogate", 1);
    REFUSES("\"\x80\"", "invalid UTF-8", 1);
    REFUSES("\"\xc0\xaf\"", "invalid UTF-8", 1);
    REFUSES("\"\xe9\"", "invalid UTF-8", 1);
    REFUSES("\"\xed\xa0\x80\"", "invalid UTF-8", 1);
    REFUSES("\"\xf4\x90\x80\x80\"", "invalid UTF-8", 1);
    REFUSES("\"\xff\"", "invalid UTF-8", 1);
    REFUSES("\"\xe2\x82\"", "invalid UTF-8", 1);
    REFUSES("\"\xc3", "invalid UTF-8", 1);
    REFUSES("\"\xc3\xa9\xc3\"", "invalid UTF-8", 3);
    REFUSES("{\"\xff\":1}", "invalid UTF-8", 2);
}

static void
test_refuses_numbers(void)
{
    REFUSES("-", "invalid number", 0);
    REFUSES("--1", "invalid number", 0);
    REFUSES("+1", "unexpected byte", 0);
    REFUSES(".5", "unexpected byte", 0);
    REFUSES("-.5", "invalid number", 0);
    REFUSES("1.", "invalid number", 0);
    REFUSES("1.e1", "invalid number", 0);
    REFUSES("01", "invalid number", 0);
    REFUSES("-01", "invalid number", 0);
    REFUSES("00", "invalid number", 0);
    REFUSES("1e", "invalid number", 0);
    REFUSES("1e+", "invalid number", 0);
    REFUSES("1e1.5", "bytes after the value", 3);
    REFUSES("0x1", "bytes after the value", 1);
    REFUSES("1_000", "bytes after the value", 1);
    REFUSES("[1a]", "unexpected byte", 2);
    REFUSES("-Infinity", "invalid number", 0);
    REFUSES("[-]", "invalid number", 1);
}

/* The edge of the doubles: 2^1024 - 2^970 rounds to infinity, anything below does not. */
static void
test_number_range(void)
{
    static const char half[] =
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416"
        "692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959"
        "622842914819860834936475292719074168444365510704342711559699508093042880177904174497792";
    char text[800];

    ACCEPTS("1.7976931348623157e308");
    ACCEPTS("-1.7976931348623158079e308");
    ACCEPTS("1.7976931348623158e308");
    REFUSES("1.7976931348623159e308", "number out of range", 0);
    REFUSES("1e309", "number out of range", 0);
    REFUSES("-1e309", "number out of range", 0);
    REFUSES("[0.1e310]", "number out of range", 1);
    ACCEPTS("0.1e309");
    ACCEPTS("0.0000000001e318");
    REFUSES("0.0000000001e319", "number out of range", 0);
    REFUSES("1e99999999999999999999999999999", "number out of range", 0);
    ACCEPTS("1e-99999999999999999999999999999");
    ACCEPTS("0e99999999999999999999999999999");
    ACCEPTS("0.000e99999999999999999999999999999");
    REFUSES("0.0001e99999999999999999999999999999", "number out of range", 0);

    snprintf(text, sizeof(text), "%s", half);
    refuses((gh_str_t) { text, 309 }, "number out of range", 0);
    text[308] = '1';
    accepts((gh_str_t) { text, 309 });
    snprintf(text, sizeof(text), "%.308s1.99999", half);
    accepts(gh_str_from(text));
    snprintf(text, sizeof(text), "%s.0", half);
    refuses(gh_str_from(text), "number out of range", 0);
    snprintf(text, sizeof(text), "0.%s99e309", half);
    refuses(gh_str_from(text), "number out of range", 0);
    snprintf(text, sizeof(text), "0.%.308s1e309", half);
    accepts(gh_str_from(text));
    snprintf(text, sizeof(text), "%s0e-1", half);
    refuses(gh_str_from(text), "number out of range", 0);
    memset(text, '9', 309);
    refuses((gh_str_t) { text, 309 }, "number out of range", 0);
    accepts((gh_str_t) { text, 308 });
    memcpy(text + 309, "e-1", 3);
    accepts((gh_str_t) { text, 312 });
}

static void
test_depth(void)
{
    char   text[600];
    size_t offset;

    memset(text, '[', 300);
    memset(text + GH_JSON_MAX_DEPTH, ']', GH_JSON_MAX_DEPTH);
    accepts((gh_str_t) { text, 2 * GH_JSON_MAX_DEPTH });

    memset(text, '[', 300);
    memset(text + 300, ']', 300);
    refuses((gh_str_t) { text, 600 }, "nested too deep", GH_JSON_MAX_DEPTH);

    CHECK(read_all(GH_STR("[{\"a\":[]}]"), 3, &offset) == NULL);
    CHECK(read_all(GH_STR("[{\"a\":[]}]"), 2, &offset) != NULL && offset == 6);
    CHECK(read_all(GH_STR("[[],[],{}]"), 2, &offset) == NULL);
    CHECK(read_all(GH_STR("1"), 1, &offset) == NULL);
    CHECK(read_all(GH_STR("[]"), 4000000000u, &offset) == NULL);

    /* which kind each level is, across the word of the bit stack */
    for (offset = 0; offset < 100; offset++) {
        memcpy(text + 5 * offset, offset % 3 != 0 ? "    [" : "{\"\": ", 5);
    }
    text[500] = '1';
    for (offset = 0; offset < 100; offset++) {
        text[501 + offset - (offset == 99)] = (99 - offset) % 3 != 0 ? ']' : '}';
    }
    text[599] = (99 - 98) % 3 != 0 ? ']' : '}';
    refuses((gh_str_t) { text, 599 }, "unexpected end", 599);
}

static void
test_events(void)
{
    const gh_str_t   text = GH_STR(" {\"a\\n\": [1.50, \"x\"] , \"b\":true}");
    gh_json_reader_t reader;

    gh_json_reader_init(&reader, text, 0);
    CHECK(gh_json_next(&reader) == GH_JSON_OBJECT_BEGIN && reader.depth == 1);
    CHECK(reader.token_offset == 1 && reader.token_end == 2);
    CHECK(gh_json_next(&reader) == GH_JSON_KEY && reader.escaped);
    CHECK_STR(reader.token, "a\\n");
    CHECK(reader.token_offset == 2 && reader.token_end == 7);
    CHECK(gh_json_next(&reader) == GH_JSON_ARRAY_BEGIN && reader.depth == 2 && reader.token_offset == 9);
    CHECK(gh_json_next(&reader) == GH_JSON_NUMBER && !reader.escaped);
    CHECK_STR(reader.token, "1.50");
    CHECK(reader.token_offset == 10 && reader.token_end == 14);
    CHECK(gh_json_next(&reader) == GH_JSON_STRING);
    CHECK_STR(reader.token, "x");
    CHECK(reader.token_offset == 16 && reader.token_end == 19);
    CHECK(gh_json_next(&reader) == GH_JSON_ARRAY_END && reader.depth == 1 && reader.token_offset == 19);
    CHECK(gh_json_next(&reader) == GH_JSON_KEY && !reader.escaped);
    CHECK(gh_json_next(&reader) == GH_JSON_TRUE && reader.token_offset == 27 && reader.token_end == 31);
    CHECK(gh_json_next(&reader) == GH_JSON_OBJECT_END && reader.depth == 0 && reader.token_end == text.len);
    CHECK(gh_json_next(&reader) == GH_JSON_END);
    CHECK(gh_json_next(&reader) == GH_JSON_END);
}

static void
test_skip(void)
{
    gh_json_reader_t reader;

    gh_json_reader_init(&reader, GH_STR("{\"a\":[1,{\"b\":[]},\"]\"],\"c\":2,\"d\":{\"e\":3}}"), 0);
    gh_json_next(&reader);
    CHECK(gh_json_next(&reader) == GH_JSON_KEY && gh_json_skip(&reader) == GH_OK && reader.depth == 1);
    CHECK(gh_json_next(&reader) == GH_JSON_KEY && gh_json_token_is(&reader, GH_STR("c")));
    CHECK(gh_json_skip(&reader) == GH_OK);
    CHECK(gh_json_next(&reader) == GH_JSON_KEY && gh_json_next(&reader) == GH_JSON_OBJECT_BEGIN);
    CHECK(gh_json_skip_rest(&reader) == GH_OK && reader.event == GH_JSON_OBJECT_END && reader.depth == 1);
    CHECK(gh_json_skip_rest(&reader) == GH_OK && reader.depth == 0);
    CHECK(gh_json_skip_rest(&reader) == GH_ERROR);
    CHECK(gh_json_next(&reader) == GH_JSON_END);

    gh_json_reader_init(&reader, GH_STR("[[],5,6]"), 0);
    gh_json_next(&reader);
    CHECK(gh_json_skip(&reader) == GH_OK && gh_json_skip(&reader) == GH_OK);
    CHECK(gh_json_next(&reader) == GH_JSON_NUMBER);
    CHECK(gh_json_skip(&reader) == GH_ERROR);
    CHECK_STR(gh_str_from(reader.error_code), "no value here");

    gh_json_reader_init(&reader, GH_STR("[[1,tru]]"), 0);
    gh_json_next(&reader);
    CHECK(gh_json_skip(&reader) == GH_ERROR && reader.error_offset == 4 && gh_json_next(&reader) == GH_JSON_ERROR);
    CHECK(gh_json_skip_rest(&reader) == GH_ERROR && gh_json_skip(&reader) == GH_ERROR);

    gh_json_reader_init(&reader, GH_STR("{} "), 0);
    CHECK(gh_json_skip(&reader) == GH_OK && gh_json_next(&reader) == GH_JSON_END);
}

static void
decodes(gh_str_t text, const char *expected)
{
    gh_json_reader_t reader;
    gh_str_t         out;
    char             buffer[64];
    size_t           len = strlen(expected);

    gh_json_reader_init(&reader, text, 0);
    CHECK(gh_json_next(&reader) == GH_JSON_STRING);
    CHECK(gh_json_token_decode(&reader, buffer, len, &out) == GH_OK);
    CHECK_STR(out, expected);
    CHECK(!reader.escaped || gh_json_token_decode(&reader, buffer, len - 1, &out) == GH_ERROR);
    CHECK(gh_json_token_is(&reader, gh_str_from(expected)));
    CHECK(!gh_json_token_is(&reader, (gh_str_t) { expected, len - 1 }));
    CHECK(!gh_json_token_is(&reader, GH_STR("something else")));
}

static void
test_decode(void)
{
    decodes(GH_STR("\"model\""), "model");
    decodes(GH_STR("\"mod\\u0065l\""), "model");
    decodes(GH_STR("\"\\u006dodel\""), "model");
    decodes(GH_STR("\"mode\\u006C\""), "model");
    decodes(GH_STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\/\b\f\n\r\t");
    decodes(GH_STR("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\""), "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf");
    decodes(GH_STR("\"x\\ud800\\udc00y\\uDBFF\\uDFFFz\""), "x\xf0\x90\x80\x80y\xf4\x8f\xbf\xbfz");
    decodes(GH_STR("\"\xc3\xa9\\n\xe2\x82\xac\""), "\xc3\xa9\n\xe2\x82\xac");
}

static void
test_u64(void)
{
    static const struct { const char *text; int status; uint64_t value; } cases[] = {
        { "0", GH_OK, 0 }, { "42", GH_OK, 42 }, { "9223372036854775807", GH_OK, INT64_MAX },
        { "9223372036854775808", GH_ERROR, 0 }, { "9999999999999999999", GH_ERROR, 0 },
        { "10000000000000000000", GH_ERROR, 0 }, { "-1", GH_ERROR, 0 }, { "-0", GH_ERROR, 0 }, { "1.0", GH_ERROR, 0 },
        { "1e3", GH_ERROR, 0 }, { "\"1\"", GH_ERROR, 0 }, { "true", GH_ERROR, 0 }
    };
    gh_json_reader_t reader;
    uint64_t         value;
    size_t           i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        value = 0;
        gh_json_reader_init(&reader, gh_str_from(cases[i].text), 0);
        gh_json_next(&reader);
        CHECK_INT(gh_json_token_u64(&reader, &value), cases[i].status);
        CHECK(value == cases[i].value);
    }
}

static void
test_position(void)
{
    uint32_t line, column;

    gh_json_position(GH_STR("ab\nc\n\nd"), 0, &line, &column);
    CHECK(line == 1 && column == 1);
    gh_json_position(GH_STR("ab\nc\n\nd"), 2, &line, &column);
    CHECK(line == 1 && column == 3);
    gh_json_position(GH_STR("ab\nc\n\nd"), 3, &line, &column);
    CHECK(line == 2 && column == 1);
    gh_json_position(GH_STR("ab\nc\n\nd"), 6, &line, &column);
    CHECK(line == 4 && column == 1);
    gh_json_position(GH_STR("ab\nc\n\nd"), 99, &line, &column);
    CHECK(line == 4 && column == 2);
    gh_json_position(GH_STR(""), 0, &line, &column);
    CHECK(line == 1 && column == 1);
}

/* Reads one object with every key through the set. */
static const char *
seen(const char *text)
{
    gh_json_reader_t reader;
    gh_json_seen_t   keys;

    gh_json_reader_init(&reader, gh_str_from(text), 0);
    gh_json_seen_init(&keys);
    gh_json_next(&reader);
    while (gh_json_next(&reader) == GH_JSON_KEY) {
        if (gh_json_seen_add(&keys, &reader) != GH_OK || gh_json_skip(&reader) != GH_OK) {
            CHECK(gh_json_next(&reader) == GH_JSON_ERROR);
            return reader.error_code;
        }
    }
    return gh_json_next(&reader) == GH_JSON_END ? NULL : reader.error_code;
}

static void
test_seen(void)
{
    static char text[8192];
    const char *code;
    size_t      len = 0;
    int         i;

    CHECK(seen("{\"a\":1,\"b\":{\"a\":2},\"\":3,\"A\":4}") == NULL);
    CHECK((code = seen("{\"a\":1,\"b\":2,\"a\":3}")) != NULL && strcmp(code, "duplicate key") == 0);
    CHECK((code = seen("{\"model\":1,\"mod\\u0065l\":3}")) != NULL && strcmp(code, "duplicate key") == 0);
    CHECK((code = seen("{\"\\u00e9\":1,\"\xc3\xa9\":3}")) != NULL && strcmp(code, "duplicate key") == 0);
    CHECK((code = seen("{\"\":1,\"\":3}")) != NULL && strcmp(code, "duplicate key") == 0);

    text[len++] = '{';
    for (i = 0; i <= GH_JSON_MAX_KEYS; i++) {
        if (i == GH_JSON_MAX_KEYS) {
            text[len] = '}';
            text[len + 1] = '\0';
            CHECK(seen(text) == NULL);
        }
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%s\"k%d\":0", i != 0 ? "," : "", i);
    }
    snprintf(text + len, sizeof(text) - len, "}");
    CHECK((code = seen(text)) != NULL && strcmp(code, "too many keys") == 0);
}

/* Every special byte at every offset of the blocks that are scanned at once. */
static void
test_blocks(void)
{
    static const struct { const char *bytes; size_t len; bool ok; } odd[] = {
        { "\x01", 1, false }, { "\x1f", 1, false }, { "\x80", 1, false }, { "\xff", 1, false }, { "\xc3\xa9", 2, true },
        { "\\n", 2, true }, { "\\x", 2, false }, { " ", 1, true }, { "\x7f", 1, true }, { "!", 1, true }, { "#", 1, true },
        { "[", 1, true }, { "]", 1, true }, { "\xf0\x9f\x98\x80", 4, true }
    };
    char   text[240];
    size_t i, at, len, offset;

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        for (at = 1; at < 160; at++) {
            for (len = at + odd[i].len; len < at + 72; len += 7) {
                memset(text, 'a', sizeof(text));
                text[0] = '"';
                memcpy(text + at, odd[i].bytes, odd[i].len);
                text[len] = '"';
                if ((read_all((gh_str_t) { text, len + 1 }, 0, &offset) == NULL) != odd[i].ok
                    || (!odd[i].ok && offset != at))
                {
                    CHECK(!"a byte in a block");
                }
            }
        }
    }
}

/* Each ASCII byte at each place of strings of each length: as it is, or escaped as RFC 8259 lets it be, whatever stands before and behind. */
static void
test_writer_every_byte(void)
{
    static const char *const short_ones[0x20] = { ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r" };
    static const char as[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    char             text[sizeof(as) - 1], expected[128], buffer[128], one[8];
    gh_json_writer_t w;
    unsigned         c, at, len;
    bool             good = true;

    for (c = 0; c < 0x80; c++) {
        for (at = 0, len = 1; len <= sizeof(text); at = at + 1 < len ? at + 1 : 0, len += at == 0) {
            memset(text, 'a', sizeof(text));
            text[at] = (char) c;
            if (c == '"' || c == '\\') {
                snprintf(one, sizeof(one), "\\%c", (int) c);
            } else if (c < 0x20 && short_ones[c] != NULL) {
                snprintf(one, sizeof(one), "%s", short_ones[c]);
            } else if (c < 0x20 || c == 0x7f) {
                snprintf(one, sizeof(one), "\\u%04x", c);
            } else {
                snprintf(one, sizeof(one), "%c", (int) c);
            }
            snprintf(expected, sizeof(expected), "\"%.*s%s%.*s\"", (int) at, as, one, (int) (len - 1 - at), as);
            gh_json_writer_init(&w, buffer, sizeof(buffer));
            gh_json_string(&w, (gh_str_t) { text, len });
            good &= gh_json_writer_ok(&w) && w.len == strlen(expected) && memcmp(buffer, expected, w.len) == 0;
        }
    }
    CHECK(good);
}

static void
test_writer_numbers(void)
{
    uint64_t         numbers[3 + 3 * 84] = { 0, UINT64_C(9223372036854775807), UINT64_MAX }, power;
    char             expected[32], buffer[32];
    gh_json_writer_t w;
    unsigned         i, count = 3;

    for (i = 0, power = 1; i < 84; i++) {                    /* about the powers of 2, and of 10 */
        numbers[count++] = power - 1;
        numbers[count++] = power;
        numbers[count++] = power + 1;
        power = i == 63 ? 1 : power * (i < 63 ? 2 : 10);
    }
    for (i = 0; i < count; i++) {
        gh_json_writer_init(&w, buffer, sizeof(buffer));
        gh_json_u64(&w, numbers[i]);
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long) numbers[i]);
        CHECK(w.len == strlen(expected) && memcmp(buffer, expected, w.len) == 0);
        gh_json_writer_init(&w, buffer, sizeof(buffer));
        gh_json_i64(&w, (int64_t) numbers[i]);
        snprintf(expected, sizeof(expected), "%lld", (long long) (int64_t) numbers[i]);
        CHECK(w.len == strlen(expected) && memcmp(buffer, expected, w.len) == 0);
    }
}

/* Every byte at every place of a string that is read in blocks, the whole text in memory of its own: nothing behind it is read. */
static void
test_long_strings(void)
{
    enum { LONG = 420 };

    for (unsigned at = 1; at < LONG - 1; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char            *text = malloc(LONG);
            gh_json_reader_t r;
            gh_json_event_t  event;

            memset(text, 'A' + at % 20, LONG);
            text[0] = text[LONG - 1] = '"';
            text[at] = (char) byte;
            gh_json_reader_init(&r, (gh_str_t) { text, LONG }, 0);
            event = gh_json_next(&r);
            if (byte == '"') {
                CHECK(event == GH_JSON_STRING && r.token.len == at - 1);
            } else if (byte < 0x20 || byte >= 0x80) {
                CHECK(event == GH_JSON_ERROR && r.error_offset == at);
            } else if (byte == '\\') {
                CHECK(event == GH_JSON_ERROR && r.error_offset == (at + 2 < LONG ? at : LONG));   /* \a, or an escaped end */
            } else {
                CHECK(event == GH_JSON_STRING && r.token.len == LONG - 2 && !r.escaped);
            }
            free(text);
        }
    }
}

/* Numbers of every length, all of those with few digits, into rooms that are as large as needed and one byte smaller. */
static void
test_number_digits(void)
{
    bool     good = true;
    uint64_t n = 0, seed = 1;

    for (unsigned i = 0; i < 300000 && good; i++) {
        char             expected[48], buffer[48], digits[GH_STR_DIGITS];
        gh_json_writer_t w;
        size_t           len, room;

        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        n = i < 120000 ? i : seed >> (i % 64);
        len = (size_t) snprintf(expected, sizeof(expected), "[\"k\":%llu,%llu", (unsigned long long) n, (unsigned long long) n);
        room = i % 2 != 0 ? len : len - 1;
        good = gh_str_is(gh_str_u64(n, digits), strchr(expected, ',') + 1);
        gh_json_writer_init(&w, buffer, i % 3 == 0 ? sizeof(buffer) : room);
        gh_json_begin_array(&w);
        gh_json_kv_u64(&w, "k", n);
        gh_json_u64(&w, n);
        if (i % 3 == 0 || i % 2 != 0) {
            good = good && gh_json_writer_ok(&w) && w.len == len && memcmp(buffer, expected, len) == 0;
        } else {
            good = good && !gh_json_writer_ok(&w) && w.len < len;
        }
    }
    CHECK(good);
}

int
main(void)
{
    test_long_strings();
    test_number_digits();
    test_writer_every_byte();
    test_writer_numbers();
    test_accepts();
    test_refuses_structure();
    test_refuses_strings();
    test_refuses_numbers();
    test_number_range();
    test_depth();
    test_events();
    test_skip();
    test_decode();
    test_u64();
    test_position();
    test_seen();
    test_blocks();
    return check_done("base json");
}
