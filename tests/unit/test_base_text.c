/* Arena, strings, errors and request ids. */
#include <stdlib.h>

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/id.h"
#include "policy/base/str.h"
#include "tests/unit/check.h"

static void
test_arena(void)
{
    gh_heap_t heap;
    char     *p, *q;
    size_t    i;

    gh_heap_init(&heap);

    p = gh_arena_alloc(&heap.arena, 0);
    CHECK(p != NULL);

    for (i = 1; i < 3000; i += 7) {
        p = gh_arena_alloc(&heap.arena, i);
        if (!CHECK(p != NULL && (uintptr_t) p % 16 == 0 && p[0] == 0 && p[i - 1] == 0)) {
            break;
        }
        memset(p, 0xff, i);
    }

    p = gh_arena_alloc(&heap.arena, 10 * 1024 * 1024);
    CHECK(p != NULL && p[10 * 1024 * 1024 - 1] == 0);

    CHECK(gh_arena_array(&heap.arena, SIZE_MAX / 2, 4) == NULL);
    CHECK(gh_arena_alloc(&heap.arena, SIZE_MAX) == NULL);

    p = gh_arena_array(&heap.arena, 3, 2);
    memcpy(p, "abcdef", 6);
    q = gh_arena_grow(&heap.arena, p, 3, 5, 2);
    CHECK(q != p);
    CHECK_MEM(q, "abcdef\0\0\0\0", 10);
    q = gh_arena_grow(&heap.arena, NULL, 0, 2, 8);
    CHECK(q != NULL && q[15] == 0);

    heap.limit = 2;
    CHECK(gh_arena_alloc(&heap.arena, 1) != NULL);
    CHECK(gh_arena_alloc(&heap.arena, 1) != NULL);
    CHECK(gh_arena_alloc(&heap.arena, 1) == NULL);
    CHECK(gh_str_copy(&heap.arena, GH_STR("a")).data == NULL);
    CHECK(gh_str_format(&heap.arena, "%d", 1).data == NULL);

    gh_heap_free(&heap);
}

static void
test_compare(void)
{
    gh_str_t none = { NULL, 0 };

    CHECK(gh_str_eq(none, GH_STR("")) && gh_str_eq(GH_STR("a"), GH_STR("a")));
    CHECK(!gh_str_eq(GH_STR("a"), GH_STR("A")) && !gh_str_eq(GH_STR("a"), GH_STR("ab")));
    CHECK(gh_str_is(GH_STR("abc"), "abc") && !gh_str_is(GH_STR("abc"), "ab") && gh_str_is(none, ""));
    CHECK(gh_str_eq_nocase(GH_STR("X-Data-Class"), GH_STR("x-data-CLASS")));
    CHECK(!gh_str_eq_nocase(GH_STR("[a"), GH_STR("{a")) && !gh_str_eq_nocase(GH_STR("@"), GH_STR("`")));
    CHECK(gh_str_starts(GH_STR("abc"), GH_STR("ab")) && gh_str_starts(none, none));
    CHECK(!gh_str_starts(GH_STR("ab"), GH_STR("abc")));
    CHECK(gh_str_cmp(GH_STR("a"), GH_STR("b")) < 0 && gh_str_cmp(GH_STR("b"), GH_STR("a")) > 0);
    CHECK(gh_str_cmp(GH_STR("a"), GH_STR("ab")) < 0 && gh_str_cmp(none, GH_STR("")) == 0);
    CHECK(gh_str_cmp(GH_STR("\x80"), GH_STR("a")) > 0);
    CHECK_STR(gh_str_trim(GH_STR(" \t a b \t")), "a b");
    CHECK_STR(gh_str_trim(GH_STR(" \t ")), "");
    CHECK_STR(gh_str_trim(GH_STR("\n")), "\n");
}

static void
test_copies(void)
{
    gh_heap_t heap;
    gh_str_t  s;
    char      longer[1000];

    gh_heap_init(&heap);
    s = gh_str_copy(&heap.arena, GH_STR("a\0b"));
    CHECK(s.len == 3 && memcmp(s.data, "a\0b", 4) == 0);
    s = gh_str_copy(&heap.arena, (gh_str_t) { NULL, 0 });
    CHECK(s.data != NULL && s.len == 0 && s.data[0] == '\0');
    CHECK_STR(gh_str_format(&heap.arena, "%s-%d", "x", 5), "x-5");
    memset(longer, 'y', 999);
    longer[999] = '\0';
    s = gh_str_format(&heap.arena, "<%s>", longer);
    CHECK(s.len == 1001 && s.data[0] == '<' && s.data[1000] == '>' && s.data[1001] == '\0');
    gh_heap_free(&heap);
}

static void
test_nearest(void)
{
    static const gh_str_t words[] = {
        { "process", 7 }, { "store", 5 }, { "operator_home", 13 }, { "EU", 2 }, { "EEA", 3 }, { "", 0 }
    };
    char longer[65];

    CHECK_STR(gh_str_nearest(GH_STR("proces"), words, 6), "process");
    CHECK_STR(gh_str_nearest(GH_STR("porcess"), words, 6), "process");     /* a swap is one edit */
    CHECK_STR(gh_str_nearest(GH_STR("operatr_hoem"), words, 6), "operator_home");
    CHECK_STR(gh_str_nearest(GH_STR("UE"), words, 6), "EU");
    CHECK_STR(gh_str_nearest(GH_STR("banana"), words, 6), "");
    CHECK_STR(gh_str_nearest(GH_STR("store"), words, 6), "store");
    CHECK_STR(gh_str_nearest(GH_STR(""), words, 6), "");
    CHECK_STR(gh_str_nearest(GH_STR("store"), words, 0), "");
    memset(longer, 'a', 65);
    CHECK_STR(gh_str_nearest((gh_str_t) { longer, 65 }, words, 6), "");
}

/* RFC 3629 section 4, at the edges of each row. */
static void
test_utf8(void)
{
    static const struct { const char *bytes; size_t len, expected; } cases[] = {
        { "\x7f", 1, 1 }, { "\x80", 1, 0 }, { "\xc1\xbf", 2, 0 }, { "\xc2\x80", 2, 2 }, { "\xdf\xbf", 2, 2 },
        { "\xdf", 1, 0 }, { "\xdf\xc0", 2, 0 }, { "\xe0\x9f\xbf", 3, 0 }, { "\xe0\xa0\x80", 3, 3 },
        { "\xed\x9f\xbf", 3, 3 }, { "\xed\xa0\x80", 3, 0 }, { "\xed\xbf\xbf", 3, 0 }, { "\xee\x80\x80", 3, 3 },
        { "\xef\xbf\xbf", 3, 3 }, { "\xef\xbf", 2, 0 }, { "\xf0\x8f\xbf\xbf", 4, 0 }, { "\xf0\x90\x80\x80", 4, 4 },
        { "\xf4\x8f\xbf\xbf", 4, 4 }, { "\xf4\x90\x80\x80", 4, 0 }, { "\xf5\x80\x80\x80", 4, 0 },
        { "\xf0\x90\x80", 3, 0 }, { "\xff", 1, 0 }, { "\xfe", 1, 0 }, { "\xe2\x82\xac", 3, 3 }
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(gh_utf8_sequence(cases[i].bytes, cases[i].bytes + cases[i].len), cases[i].expected);
    }
}

static void
test_error(void)
{
    gh_error_t  error;
    gh_report_t report;
    gh_heap_t   heap;
    char        longer[2000];
    int         i;

    CHECK(gh_error_set(NULL, "x", "y") == GH_ERROR);
    CHECK(gh_error_set(&error, "code", "a \"%s\"", "b\nc\x1b[31m\x7f\xc2\x9b" "d\xff\xc3\xa9") == GH_ERROR);
    CHECK_STR(gh_str_from(error.text), "a \"b\\x0ac\\x1b[31m\\x7f\\xc2\\x9bd\\xff\xc3\xa9\"");
    CHECK(error.line == 0 && error.source[0] == '\0');

    CHECK(gh_error_at(&error, "code", "f.json", 3, 7, "%d", 5) == GH_ERROR);
    CHECK(error.line == 3 && error.column == 7);
    CHECK_STR(gh_str_from(error.source), "f.json");

    for (i = 0; i < 1999; i++) {
        longer[i] = i % 2 != 0 ? '\xa9' : '\xc3';
    }
    longer[1999] = '\0';
    gh_error_set(&error, "code", "x%s", longer);
    CHECK(strlen(error.text) <= GH_ERROR_TEXT - 1 && strlen(error.text) > GH_ERROR_TEXT - 8);
    CHECK(error.text[strlen(error.text) - 1] == '\xa9');
    memset(longer, 1, 1999);
    gh_error_at(&error, "code", longer, 1, 1, "%s", longer);
    CHECK(strlen(error.text) < GH_ERROR_TEXT && strlen(error.source) == sizeof(error.source) - 1);

    gh_heap_init(&heap);
    gh_report_init(&report, &heap.arena);
    for (i = 0; i < 20; i++) {
        gh_report_add(&report, i % 2 != 0 ? GH_SEVERITY_WARNING : GH_SEVERITY_ERROR, "c", "s", 1, 1, "n %d", i);
    }
    CHECK(report.count == 20 && report.errors == 10 && !report.no_memory);
    CHECK_STR(gh_str_from(report.items[19].error.text), "n 19");
    heap.limit = 0;
    for (i = 0; i < 20; i++) {
        gh_report_add(&report, GH_SEVERITY_WARNING, "c", "s", 1, 1, "n");
    }
    CHECK(report.no_memory && report.count < 40);
    gh_heap_free(&heap);
}

/* RFC 9562 appendix A.6. */
static void
test_id(void)
{
    static const uint8_t random[10] = { 0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f };
    char     text[GH_ID_LEN], again[GH_ID_LEN];
    uint8_t  bytes[16];
    uint64_t time = 0;

    gh_uuid7(UINT64_C(0x017F22E279B0), random, text);
    CHECK_STR(((gh_str_t) { text, GH_ID_LEN }), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    CHECK(gh_uuid7_time((gh_str_t) { text, GH_ID_LEN }, &time) == GH_OK && time == UINT64_C(0x017F22E279B0));
    CHECK(gh_uuid7_time(GH_STR("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &time) == GH_OK);
    CHECK(gh_uuid7_time(GH_STR("017f22e2-79b0-4cc3-98c4-dc0c0c07398f"), &time) == GH_ERROR);
    CHECK(gh_uuid7_time(GH_STR("017f22e2-79b0-7cc3-c8c4-dc0c0c07398f"), &time) == GH_ERROR);
    CHECK(gh_uuid7_time(GH_STR("017f22e2-79b0-7cc3-98c4-dc0c0c07398"), &time) == GH_ERROR);
    CHECK(gh_uuid7_time(GH_STR("017f22e2x79b0-7cc3-98c4-dc0c0c07398f"), &time) == GH_ERROR);
    CHECK(gh_uuid7_time(GH_STR("017f22e2-79g0-7cc3-98c4-dc0c0c07398f"), &time) == GH_ERROR);
    CHECK(gh_uuid7_time(GH_STR(""), &time) == GH_ERROR);

    CHECK(gh_uuid_bytes((gh_str_t) { text, GH_ID_LEN }, bytes) == GH_OK && bytes[0] == 0x01 && bytes[5] == 0xB0 && bytes[15] == random[9]);
    gh_uuid_text(bytes, again);
    CHECK(memcmp(again, text, GH_ID_LEN) == 0);
    CHECK(gh_uuid_bytes(GH_STR("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), bytes) == GH_OK && bytes[15] == 0x8f);
    CHECK(gh_uuid_bytes(GH_STR("017f22e2-79b0-7cc3-98c4-dc0c0c07398"), bytes) == GH_ERROR);
    CHECK(gh_uuid_bytes(GH_STR("017f22e2x79b0-7cc3-98c4-dc0c0c07398f"), bytes) == GH_ERROR);
    CHECK(gh_uuid_bytes(GH_STR("017f22e2-79g0-7cc3-98c4-dc0c0c07398f"), bytes) == GH_ERROR);
}

int
main(void)
{
    test_arena();
    test_compare();
    test_copies();
    test_nearest();
    test_utf8();
    test_error();
    test_id();
    return check_done("base text");
}
