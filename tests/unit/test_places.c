/* Sets of countries: the table, the unknown, and the algebra on random sets. */
#include <stdlib.h>

#include "residency/places.h"
#include "tests/unit/check.h"

static gh_places_t
of(const char *codes)
{
    gh_places_t places = gh_places_none();

    for (; codes[0]; codes += codes[2] ? 3 : 2) {
        gh_places_add(&places, gh_country_index((gh_str_t) { codes, 2 }));
    }
    return places;
}

static void
test_table(void)
{
    FILE *file = fopen("/usr/share/zoneinfo/iso3166.tab", "r");
    char  line[256];
    int   listed = 0;

    for (int i = 0; i < GH_COUNTRIES; i++) {
        CHECK_INT(gh_country_index((gh_str_t) { gh_country_codes[i], 2 }), i);
        CHECK(i == 0 || strcmp(gh_country_codes[i - 1], gh_country_codes[i]) < 0);
    }
    CHECK_INT(gh_country_index(GH_STR("AD")), 0);
    CHECK_INT(gh_country_index(GH_STR("ZW")), 248);
    CHECK_INT(gh_country_index(GH_STR("de")), -1);
    CHECK_INT(gh_country_index(GH_STR("UK")), -1);
    CHECK_INT(gh_country_index(GH_STR("EU")), -1);
    CHECK_INT(gh_country_index(GH_STR("DEU")), -1);
    CHECK_INT(gh_country_index(GH_STR("D")), -1);
    CHECK_INT(gh_country_index(GH_STR("")), -1);

    while (file != NULL && fgets(line, sizeof(line), file)) {   /* an independent list, where the system has one */
        if (line[0] != '#') {
            listed++;
            CHECK(gh_country_index((gh_str_t) { line, 2 }) >= 0);
        }
    }
    if (file != NULL) {
        CHECK_INT(listed, GH_COUNTRIES);
        fclose(file);
    }
}

static void
test_unknown(void)
{
    gh_places_t unknown = gh_places_unknown(), anywhere = gh_places_anywhere(), none = gh_places_none(), bad = none;

    CHECK_INT(gh_places_count(anywhere), 249);
    CHECK_INT(gh_places_count(unknown), 250);
    CHECK(!gh_places_has_unknown(anywhere) && gh_places_has_unknown(unknown) && !gh_places_has_unknown(none));
    CHECK(!gh_places_inside(unknown, anywhere));
    CHECK(!gh_places_inside(unknown, unknown));
    CHECK(gh_places_inside(anywhere, anywhere) && gh_places_inside(none, of("DE")));
    CHECK(gh_places_touch(unknown, of("DE")) && gh_places_touch(unknown, none));
    CHECK(!gh_places_touch(none, anywhere) && gh_places_touch(anywhere, of("ZW")));
    CHECK(gh_places_has_unknown(gh_places_union(of("DE"), unknown)));

    gh_places_add(&bad, -1);
    CHECK(gh_places_equal(bad, unknown));
    bad = none;
    gh_places_add(&bad, GH_COUNTRIES);
    CHECK(gh_places_equal(bad, unknown));
}

static void
test_text(void)
{
    gh_heap_t heap;

    gh_heap_init(&heap);
    CHECK_STR(gh_places_text(&heap.arena, of("SE DE")), "DE SE");
    CHECK_STR(gh_places_text(&heap.arena, of("ZW")), "ZW");
    CHECK_STR(gh_places_text(&heap.arena, gh_places_none()), "nothing");
    CHECK_STR(gh_places_text(&heap.arena, gh_places_anywhere()), "ANYWHERE");
    CHECK_STR(gh_places_text(&heap.arena, gh_places_unknown()), "?");
    CHECK_INT(gh_places_text(&heap.arena, gh_places_minus(gh_places_anywhere(), of("AD"))).len, 248 * 3 - 1);
    gh_heap_free(&heap);
}

static uint64_t
next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Against plain arrays of booleans. */
static void
test_algebra(void)
{
    uint64_t state = 88172645463325252ull;

    for (int round = 0; round < 2000; round++) {
        bool        in_a[GH_COUNTRIES], in_b[GH_COUNTRIES], inside = true, touch = false;
        gh_places_t a = gh_places_none(), b = gh_places_none();
        unsigned    count = 0;

        for (int i = 0; i < GH_COUNTRIES; i++) {
            in_a[i] = next(&state) % 61 == 0;
            in_b[i] = next(&state) % (round % 2 ? 2 : 61) != 0 || (round % 3 == 0 && in_a[i]);
            if (in_a[i]) {
                gh_places_add(&a, i);
                count++;
            }
            if (in_b[i]) {
                gh_places_add(&b, i);
            }
            inside = inside && (!in_a[i] || in_b[i]);
            touch = touch || (in_a[i] && in_b[i]);
        }
        if (gh_places_count(a) != count || gh_places_inside(a, b) != inside || gh_places_touch(a, b) != touch
            || gh_places_empty(a) != (count == 0) || gh_places_empty(gh_places_intersect(a, b)) == touch
            || gh_places_empty(gh_places_minus(a, b)) != inside
            || gh_places_equal(gh_places_union(a, b), b) != inside) {
            CHECK(!"the algebra of places");
            return;
        }
    }
    CHECK(1);
}

int
main(void)
{
    test_table();
    test_unknown();
    test_text();
    test_algebra();
    return check_done("places");
}
