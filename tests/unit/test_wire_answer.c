/* Retry-After, usage of plain answers, and the errors given to clients. */
#include <stdlib.h>

#include "ngx_module/wire/sse.h"
#include "ngx_module/wire/wire.h"
#include "policy/base/json_tree.h"
#include "tests/unit/check.h"

#define NOW UINT64_C(784111777000)   /* Sun, 06 Nov 1994 08:49:37 GMT, RFC 9110's example */

static void
test_retry_after(void)
{
    static const struct { const char *ms, *seconds; uint64_t now, wait; } cases[] = {
        { "", "", NOW, 0 },
        { "1500", "9", NOW, 1500 },
        { "1500.9", "", NOW, 1500 },
        { "0", "9", NOW, 0 },
        { " 20 ", "", NOW, 20 },
        { "soon", "2", NOW, 2000 },
        { "-5", "2", NOW, 2000 },
        { "", "6", NOW, 6000 },
        { "", "0.25", NOW, 250 },
        { "", "0.2504999999999999999999999999999999", NOW, 250 },
        { "", "1.", NOW, 1000 },
        { "", "3600", NOW, 3600000 },
        { "", "3601", NOW, 3600000 },
        { "", "999999999999", NOW, 3600000 },
        { "", "9999999999999", NOW, 0 },
        { "", "-1", NOW, 0 },
        { "", "1e3", NOW, 0 },
        { "", "6s", NOW, 0 },
        { "", "nan", NOW, 0 },
        { "", "0x10", NOW, 0 },
        { "", "6 7", NOW, 0 },

        { "", "Sun, 06 Nov 1994 08:49:37 GMT", NOW, 0 },
        { "", "Sun, 06 Nov 1994 08:49:37 GMT", NOW - 7000, 7000 },
        { "", "Sunday, 06-Nov-94 08:49:37 GMT", NOW - 7000, 7000 },
        { "", "Sun Nov  6 08:49:37 1994", NOW - 7000, 7000 },
        { "", "Sun Nov 16 08:49:37 1994", NOW + UINT64_C(863999000), 1000 },
        { "", "Sun, 06 Nov 1994 08:49:36 GMT", NOW, 0 },
        { "", "Sun, 06 Nov 2094 08:49:37 GMT", NOW, 3600000 },
        { "", "Saturday, 06-Nov-99 08:49:37 GMT", UINT64_C(1763712000000), 0 },        /* 1999 */
        { "", "Saturday, 06-Nov-70 08:49:37 GMT", UINT64_C(1763712000000), 3600000 },  /* 2070 */
        { "", "Saturday, 01-Jan-00 00:00:01 GMT", UINT64_C(946684799000), 2000 },      /* 2000 */
        { "", "Thu, 29 Feb 2024 00:00:01 GMT", UINT64_C(1709164800000), 1000 },
        { "", "Fri, 01 Mar 2024 00:00:00 GMT", UINT64_C(1709251199000), 1000 },
        { "", "Wed, 31 Dec 2025 23:59:60 GMT", UINT64_C(1767225599000), 1000 },
        { "", "Sunday, 01-Mar-26 00:00:01 GMT", UINT64_C(1772323200000), 1000 },
        { "", "Sun, 06 Nov 1994 08:49:37 CET", NOW - 7000, 0 },
        { "", "Sun, 06 Nov 1994 08:49:37", NOW - 7000, 0 },
        { "", "Sun, 6 Nov 1994 08:49:37 GMT", NOW - 7000, 0 },
        { "", "Sun, 06 nov 1994 08:49:37 GMT", NOW - 7000, 0 },
        { "", "Sun, 32 Nov 1994 08:49:37 GMT", NOW - 7000, 0 },
        { "", "Sun, 00 Nov 1994 08:49:37 GMT", NOW - 7000, 0 },
        { "", "Sun, 06 Nov 1994 24:49:37 GMT", NOW - 7000, 0 },
        { "", "Sun, 06 Nov 1994 08:60:37 GMT", NOW - 7000, 0 },
        { "", ", 06 Nov 1994 08:49:37 GMT", NOW - 7000, 0 },
        { "", "Sun", NOW, 0 },
        { "", "Sun,", NOW, 0 },
        { "", "Sun, ", NOW, 0 },
        { "", "Sun Nov ", NOW, 0 },
        { "", "Sun, 06 Nov 0001 00:00:00 GMT", NOW, 0 },
    };
    static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!CHECK_INT(gh_retry_after_ms(gh_str_from(cases[i].ms), gh_str_from(cases[i].seconds), cases[i].now), cases[i].wait)) {
            fprintf(stderr, "    \"%s\" \"%s\"\n", cases[i].ms, cases[i].seconds);
        }
    }

    for (i = 0; i < sizeof(date) - 1; i++) {
        char *copy = malloc(i + 1);

        memcpy(copy, date, i);
        CHECK_INT(gh_retry_after_ms(GH_STR(""), (gh_str_t) { copy, i }, NOW - 7000), 0);
        free(copy);
    }

    CHECK_INT(gh_retry_after_ms((gh_str_t) { NULL, 0 }, (gh_str_t) { NULL, 0 }, NOW), 0);
}

static void
test_usage_parse(void)
{
    gh_usage_t u;

    CHECK(gh_usage_parse(GH_STR(" {\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29,\"prompt_tokens_details\":"
        "{\"cached_tokens\":4,\"cache_write_tokens\":2,\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":3,"
        "\"rejected_prediction_tokens\":0}} "), &u));
    CHECK(u.reported && u.input == 19 && u.output == 10 && u.cached == 4 && u.cache_write == 2 && u.reasoning == 3);

    CHECK(gh_usage_parse(GH_STR("{\"prompt_tokens\":5,\"total_tokens\":5}"), &u));
    CHECK(u.reported && u.input == 5 && u.output == 0 && u.cached == 0);
    CHECK(gh_usage_parse(GH_STR("{\"prompt_tokens\":5,\"completion_tokens\":null,\"prompt_tokens_details\":null,\"reasoning_tokens\":0}"), &u));
    CHECK(gh_usage_parse(GH_STR("{\"prompt_tokens\":1099511627776,\"completion_tokens\":0}"), &u));

    u.input = 77;
    CHECK(!gh_usage_parse(GH_STR("{\"prompt_tokens\":1099511627777,\"completion_tokens\":0}"), &u));
    CHECK(!gh_usage_parse(GH_STR("{\"prompt_tokens\":-1,\"completion_tokens\":0}"), &u));
    CHECK(!gh_usage_parse(GH_STR("{\"prompt_tokens\":1.5,\"completion_tokens\":0}"), &u));
    CHECK(!gh_usage_parse(GH_STR("{\"prompt_tokens\":\"1\",\"completion_tokens\":0}"), &u));
    CHECK(!gh_usage_parse(GH_STR("{\"prompt_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":-1}}"), &u));
    CHECK(!gh_usage_parse(GH_STR("{\"prompt_tokens\":1,\"prompt_tokens_details\":7}"), &u));
    CHECK(!gh_usage_parse(GH_STR("{\"total_tokens\":1}"), &u));
    CHECK(!gh_usage_parse(GH_STR("{}"), &u));
    CHECK(!gh_usage_parse(GH_STR("[]"), &u));
    CHECK(!gh_usage_parse(GH_STR("null"), &u));
    CHECK(!gh_usage_parse(GH_STR(""), &u));
    CHECK(!gh_usage_parse(GH_STR("{\"prompt_tokens\":1}x"), &u));
    CHECK(!gh_usage_parse(GH_STR("{\"prompt_tokens\":1"), &u));
    CHECK_INT(u.input, 77);
}

/* Whoever wipes what a scan has read need not wipe more. */
static void
check_written(const gh_usage_scan_t *scan)
{
    const unsigned char *bytes = (const unsigned char *) scan;

    for (size_t at = gh_usage_scan_written(scan); at < sizeof(*scan); at++) {
        if (!CHECK_INT(bytes[at], 0xa5)) {
            return;
        }
    }
}

/* input -1: none is found. Every split gives the same. */
static void
check_scan(const char *json, int64_t input, int64_t output)
{
    static gh_usage_scan_t scan;
    size_t                 len = strlen(json), step, at;

    for (step = 1; step <= len; step += step < 40 ? 1 : len) {
        memset(&scan, 0xa5, sizeof(scan));
        gh_usage_scan_init(&scan, GH_HUB_CHAT);
        for (at = 0; at < len; at += step) {
            size_t part = len - at < step ? len - at : step;
            char  *copy = malloc(part);

            memcpy(copy, json + at, part);
            gh_usage_scan_feed(&scan, copy, part);
            free(copy);
        }
        check_written(&scan);
        if (!CHECK_INT(scan.found ? (int64_t) scan.usage.input : -1, input)) {
            fprintf(stderr, "    step %zu: %s\n", step, json);
        }
        if (input >= 0) {
            CHECK_INT(scan.usage.output, output);
        }
    }
}

static void
test_usage_places(void)
{
    gh_usage_t u;

    /* the total says where the parts are */
    CHECK(gh_usage_parse(GH_STR("{\"prompt_tokens\":200,\"completion_tokens\":7,\"total_tokens\":1207,\"prompt_tokens_details\":{\"cached_tokens\":1000}}"), &u));
    CHECK(u.cached_outside && !u.reasoning_outside && u.input == 200 && u.cached == 1000);
    CHECK(gh_usage_parse(GH_STR("{\"prompt_tokens\":9,\"completion_tokens\":7,\"total_tokens\":36,\"completion_tokens_details\":{\"reasoning_tokens\":20}}"), &u));
    CHECK(!u.cached_outside && u.reasoning_outside && u.output == 7 && u.reasoning == 20);
    CHECK(gh_usage_parse(GH_STR("{\"total_tokens\":41,\"prompt_tokens\":9,\"completion_tokens\":7,\"completion_tokens_details\":{\"reasoning_tokens\":20},"
        "\"prompt_tokens_details\":{\"cached_tokens\":2,\"cache_write_tokens\":3,\"audio_tokens\":1}}"), &u));
    CHECK(u.cached_outside && u.reasoning_outside && u.audio_input == 1);
    CHECK(gh_usage_parse(GH_STR("{\"prompt_tokens\":9,\"completion_tokens\":7,\"total_tokens\":16,\"completion_tokens_details\":{\"reasoning_tokens\":8,"
        "\"audio_tokens\":2},\"prompt_tokens_details\":{\"cached_tokens\":4,\"cache_write_tokens\":30}}"), &u));
    CHECK(!u.cached_outside && !u.reasoning_outside && u.reasoning == 7 && u.cached == 4 && u.cache_write == 5 && u.audio_output == 2);

    /* no total, or one that says nothing */
    CHECK(gh_usage_parse(GH_STR("{\"prompt_tokens\":9,\"completion_tokens\":7,\"prompt_tokens_details\":{\"cached_tokens\":10}}"), &u) && u.cached_outside);
    CHECK(gh_usage_parse(GH_STR("{\"prompt_tokens\":9,\"completion_tokens\":7,\"total_tokens\":-3,\"reasoning_tokens\":8}"), &u) && u.reasoning_outside);
    CHECK(gh_usage_parse(GH_STR("{\"prompt_tokens\":9,\"total_tokens\":{\"a\":[1]},\"completion_tokens\":7}"), &u) && u.output == 7);
    CHECK(gh_usage_parse(GH_STR("{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}"), &u) && u.reported && u.input == 0 && u.output == 0);

    /* a count that stands twice */
    CHECK(!gh_usage_parse(GH_STR("{\"prompt_tokens\":9,\"prompt_tokens\":1,\"completion_tokens\":7}"), &u));
    CHECK(!gh_usage_parse(GH_STR("{\"prompt_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":1,\"cached_tokens\":1}}"), &u));
    CHECK(gh_usage_parse(GH_STR("{\"reasoning_tokens\":3,\"prompt_tokens\":9,\"completion_tokens\":7,\"completion_tokens_details\":{\"reasoning_tokens\":4}}"), &u)
        && u.reasoning == 4);
}

/* Bytes of text in a plain answer: the same in every split, and the same that a stream's event with these bytes would count. */
static void
check_content(const char *json, uint64_t expected)
{
    static gh_usage_scan_t scan;
    gh_chunk_t             chunk;
    size_t                 len = strlen(json), step, at;

    for (step = 1; step <= len; step += step < 40 ? 1 : len) {
        gh_usage_scan_init(&scan, GH_HUB_CHAT);
        for (at = 0; at < len; at += step) {
            gh_usage_scan_feed(&scan, json + at, len - at < step ? len - at : step);
        }
        if (!CHECK_INT(gh_usage_scan_content(&scan), expected)) {
            fprintf(stderr, "    step %zu: %s\n", step, json);
        }
    }

    gh_chunk_read(GH_HUB_CHAT, gh_str_from(json), &chunk);
    if (chunk.readable) {
        CHECK_INT(chunk.content_bytes, expected);
    }
}

static void
test_content(void)
{
    check_content("{\"id\":\"x\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"hello\"},\"finish_reason\":\"stop\"}],\"usage\":null}", 5);
    check_content("{\"choices\":[{\"text\":\"ab\",\"logprobs\":{\"tokens\":[\"ab\"]}},{\"finish_reason\":\"stop\",\"text\":\"cde\"}],\"text\":\"no\"}", 5);
    check_content("{\"choices\":[{\"message\":{\"content\":\"a\\n\\u00e4\\ud83d\\ude00\\u20ac\\\"\xc3\xa4\"}}]}", 1 + 1 + 2 + 4 + 3 + 1 + 2);
    check_content("{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{\\\"a\\\":1}\"}}],\"content\":null}}]}", 1 + 7);
    check_content("{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"abc\"},\"d\"],\"refusal\":\"\"}}], \"x\":[{\"message\":{\"a\":\"no\"}}]}", 4);
    check_content("{\"object\":\"list\",\"data\":[{\"embedding\":[0.5,1],\"message\":\"no\"}],\"choices\":[]}", 0);
    check_content("{\"choices\":[{\"delta\" : { \"content\" : \"ab\" , \"n\" : 1 } , \"message\" : \"c\" }]}", 3);

    /* cut */
    check_content("{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"hel", 3);
    check_content("{\"choices\":[{\"message\":{\"role\":\"assist", 0);
    check_content("{\"choices\":[{\"message\":{\"content\":\"hello\"},\"logprobs\":{\"content\":[{\"token\":\"hel", 5);

    /* no JSON */
    check_content("Bad gateway, and more", 21);
    check_content(" \n", 2);
}

static void
test_usage_scan(void)
{
    char *big = malloc(20000);

    check_scan("{\"id\":\"x\",\"choices\":[{\"message\":{\"content\":\"a \\\"usage\\\":{\\\\\"}}],"
        "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}", 7, 2);
    check_scan("\n{ \"usage\" : { \"prompt_tokens\" : 7 , \"completion_tokens\":2,\"x\":{\"y\":[{}]}} , \"z\" : 1 } \n", 7, 2);
    check_scan("{\"data\":[{\"embedding\":[0.1,-2e-3]}],\"usage\":{\"prompt_tokens\":7,\"total_tokens\":7}}", 7, 0);
    check_scan("{\"usage\":null,\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}", 1, 2);
    check_scan("{\"usage\":{\"prompt_tokens\":1},\"usage\":{\"prompt_tokens\":3}}", 3, 0);
    check_scan("{\"usage\":{\"prompt_tokens\":1},\"usage\":{\"prompt_tokens\":-3}}", 1, 0);
    check_scan("{\"usage\":{\"prompt_tokens\":1,\"a\":\"longer than the one behind it\"},\"usage\":{\"prompt_tokens\":3}}", 3, 0);
    check_scan("{\"x\":{\"usage\":{\"prompt_tokens\":1}}}", -1, 0);
    check_scan("[{\"usage\":{\"prompt_tokens\":1}}]", 1, 0);
    check_scan("{\"x\":\"usage\",\"y\":{\"prompt_tokens\":1}}", -1, 0);
    check_scan("{\"x\":[\"usage\",{\"prompt_tokens\":1}]}", -1, 0);
    check_scan("{\"usages\":{\"prompt_tokens\":1}}", -1, 0);
    check_scan("{\"usag\":{\"prompt_tokens\":1}}", -1, 0);
    check_scan("{\"usage\":[{\"prompt_tokens\":1}]}", -1, 0);
    check_scan("{\"usage\":\"{\",\"a\":{\"prompt_tokens\":1}}", -1, 0);
    check_scan("{\"usage\":7,\"a\":{\"prompt_tokens\":1}}", -1, 0);
    check_scan("{\"usage\":{\"prompt_tokens\":1", -1, 0);
    check_scan("{\"a\":1} {\"usage\":{\"prompt_tokens\":1}}", -1, 0);
    check_scan("}}]]{\"usage\":{\"prompt_tokens\":1}}", 1, 0);
    check_scan("<html>usage</html>", -1, 0);
    check_scan("\"{\"usage\":{\"prompt_tokens\":1}}", 1, 0);
    check_scan("{\"us\\u0061ge\":{\"prompt_tokens\":1}}", -1, 0);
    check_scan("{\"usage\\n\":{\"prompt_tokens\":1}}", -1, 0);
    check_scan("", -1, 0);

    /* as long as it may be, and one byte longer */
    memset(big, ' ', 20000);
    memcpy(big, "{\"usage\":{\"prompt_tokens\":5", 27);
    memcpy(big + 9 + GH_USAGE_MAX - 1, "}}", 3);
    check_scan(big, 5, 0);
    big[9 + GH_USAGE_MAX - 1] = ' ';
    memcpy(big + 9 + GH_USAGE_MAX, "}}", 3);
    check_scan(big, -1, 0);
    free(big);
}

/* The member of the error object of an answer, read by the tree. */
static gh_node_t *
error_object(gh_heap_t *heap, gh_str_t json)
{
    gh_node_t *root = NULL;
    gh_error_t error;

    if (!CHECK_INT(gh_json_parse(&heap->arena, json, "answer", &root, &error), GH_OK)) {
        return NULL;
    }
    return (gh_node_t *) gh_node_get(root, "error");
}

/* The same in the dialects that have another shape, status or name for it. */
static void
test_error_dialects(void)
{
    static const struct { gh_hub_dialect_t client; int status, given; const char *type, *text; } cases[] = {
        { GH_HUB_MESSAGES, 401, 401, NULL, "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":\"c: a\\\"b\"},\"request_id\":\"0123\"}" },
        { GH_HUB_MESSAGES, 403, 403, NULL, "{\"type\":\"error\",\"error\":{\"type\":\"permission_error\",\"message\":\"c: a\\\"b\"},\"request_id\":\"0123\"}" },
        { GH_HUB_MESSAGES, 408, 408, NULL, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"c: a\\\"b\"},\"request_id\":\"0123\"}" },
        { GH_HUB_MESSAGES, 503, 529, NULL, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"c: a\\\"b\"},\"request_id\":\"0123\"}" },
        { GH_HUB_CONVERSE, 400, 400, "ValidationException", "{\"message\":\"c: a\\\"b\"}" },
        { GH_HUB_CONVERSE, 401, 403, "AccessDeniedException", "{\"message\":\"c: a\\\"b\"}" },
        { GH_HUB_CONVERSE, 429, 429, "ThrottlingException", "{\"message\":\"c: a\\\"b\"}" },
        { GH_HUB_CONVERSE, 503, 503, "ServiceUnavailableException", "{\"message\":\"c: a\\\"b\"}" },
        { GH_HUB_CHAT, 503, 503, NULL, "{\"error\":{\"message\":\"a\\\"b\",\"type\":\"api_error\",\"param\":\"p\",\"code\":\"c\"}}" },
    };
    char   buffer[1024];
    size_t i, len;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const gh_answer_error_t error = { cases[i].status, GH_STR("c"), GH_STR("a\"b"), GH_STR("p"), GH_STR("0123") };
        const char             *type = "unset";
        int                     given = 0;

        len = gh_answer_error(cases[i].client, buffer, sizeof(buffer), &error, &given, &type);
        CHECK_STR(((gh_str_t) { buffer, len }), cases[i].text);
        CHECK_INT(given, cases[i].given);
        CHECK_STR(gh_str_from(type != NULL ? type : ""), cases[i].type != NULL ? cases[i].type : "");
    }

    len = gh_stream_error_event(GH_HUB_MESSAGES, buffer, sizeof(buffer), GH_STR("c"), GH_STR("m"), GH_STR("0123"));
    CHECK_STR(((gh_str_t) { buffer, len }),
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"c: m\"},\"request_id\":\"0123\"}\n\n");
}

static size_t
chat_error(char *buffer, size_t size, int status, gh_str_t code, gh_str_t message, gh_str_t param)
{
    const gh_answer_error_t error = { status, code, message, param, GH_STR("0123") };

    return gh_answer_error(GH_HUB_CHAT, buffer, size, &error, NULL, NULL);
}

static void
test_errors(void)
{
    static const struct { int status; const char *type; } types[] = {
        { 400, "invalid_request_error" }, { 401, "invalid_request_error" }, { 403, "permission_error" }, { 404, "invalid_request_error" },
        { 405, "invalid_request_error" }, { 408, "invalid_request_error" }, { 413, "invalid_request_error" },
        { 415, "invalid_request_error" }, { 429, "rate_limit_error" }, { 500, "api_error" }, { 502, "api_error" }, { 504, "api_error" },
    };
    char      buffer[4096], hostile[3000];
    gh_heap_t heap;
    size_t    i, len, size;

    gh_heap_init(&heap);

    len = chat_error(buffer, sizeof(buffer), 401, GH_STR("invalid_api_key"), GH_STR("No such key"), GH_STR(""));
    CHECK_STR(((gh_str_t) { buffer, len }),
        "{\"error\":{\"message\":\"No such key\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"invalid_api_key\"}}");
    len = chat_error(buffer, sizeof(buffer), 404, GH_STR("model_not_found"), GH_STR("a\"b\n"), GH_STR("model"));
    CHECK_STR(((gh_str_t) { buffer, len }),
        "{\"error\":{\"message\":\"a\\\"b\\n\",\"type\":\"invalid_request_error\",\"param\":\"model\",\"code\":\"model_not_found\"}}");

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        gh_node_t *error;

        len = chat_error(buffer, sizeof(buffer), types[i].status, GH_STR("c"), GH_STR("m"), GH_STR(""));
        error = error_object(&heap, (gh_str_t) { buffer, len });
        if (CHECK(error != NULL)) {
            CHECK_INT(error->count, 4);
            CHECK_STR(gh_node_get(error, "type")->text, types[i].type);
        }
    }

    /* shortened to fit, whatever the message is made of, and never inside a character */
    for (i = 0; i < sizeof(hostile); i++) {
        hostile[i] = (char) (i % 3 == 0 ? 1 : i % 3 == 1 ? 0xc3 : 0xa4);
    }
    for (size = 512; size < 4096; size += 37) {
        char      *exact = malloc(size);
        gh_node_t *error;

        len = chat_error(exact, size, 400, GH_STR("invalid_json"), (gh_str_t) { hostile, sizeof(hostile) },
            (gh_str_t) { hostile, size % 200 });
        CHECK(len != 0 && len <= size);
        error = error_object(&heap, (gh_str_t) { exact, len });
        CHECK(error != NULL && strstr(gh_node_get(error, "message")->text.data, "\xef\xbf\xbd") == NULL);

        len = gh_stream_error_event(GH_HUB_CHAT, exact, size, GH_STR("bad_gateway"), (gh_str_t) { hostile, sizeof(hostile) }, GH_STR("0123"));
        CHECK(len != 0 && len <= size);
        CHECK(memcmp(exact, "data: {", 7) == 0 && memcmp(exact + len - 3, "}\n\n", 3) == 0);
        CHECK(memchr(exact, '\n', len - 2) == NULL && memchr(exact, '\r', len) == NULL);
        free(exact);
    }

    len = chat_error(buffer, 160, 400, GH_STR(""), GH_STR("m"), (gh_str_t) { hostile, 100 });
    CHECK_STR(((gh_str_t) { buffer, len }),
        "{\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}");
    CHECK_INT(gh_stream_error_event(GH_HUB_CHAT, buffer, 20, GH_STR("c"), GH_STR("m"), GH_STR("0123")), 0);
    CHECK_INT(chat_error(buffer, 10, 400, GH_STR("c"), GH_STR("m"), GH_STR("")), 0);
    CHECK_INT(gh_stream_error_event(GH_HUB_CHAT, buffer, 3, GH_STR("c"), GH_STR("m"), GH_STR("0123")), 0);

    gh_heap_free(&heap);
}

int
main(void)
{
    test_retry_after();
    test_usage_parse();
    test_usage_places();
    test_content();
    test_usage_scan();
    test_errors();
    test_error_dialects();

    return check_done("wire_answer");
}
