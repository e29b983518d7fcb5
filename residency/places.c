/*
 * The table below is frozen and append-only: a country's index is a bit in stored images. A code that ISO adds
 * later goes to the end, one that ISO withdraws stays. Nothing here may assume that it stays sorted.
 */
#include "residency/places.h"

#include <string.h>

const char gh_country_codes[GH_COUNTRIES][3] = {
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ",
    "BA", "BB", "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS",
    "BT", "BV", "BW", "BY", "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN",
    "CO", "CR", "CU", "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE",
    "EG", "EH", "ER", "ES", "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF",
    "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY", "HK", "HM",
    "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE", "JM",
    "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC",
    "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK",
    "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA",
    "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ", "OM", "PA", "PE", "PF", "PG",
    "PH", "PK", "PL", "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS", "RU", "RW",
    "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS",
    "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO",
    "TR", "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VI",
    "VN", "VU", "WF", "WS", "YE", "YT", "ZA", "ZM", "ZW"
};

int
gh_country_index(gh_str_t code)
{
    if (code.len != 2) {
        return -1;
    }
    for (int i = 0; i < GH_COUNTRIES; i++) {
        if (gh_country_codes[i][0] == code.data[0] && gh_country_codes[i][1] == code.data[1]) {
            return i;
        }
    }
    return -1;
}

gh_places_t
gh_places_none(void)
{
    return (gh_places_t) { { 0, 0, 0, 0 } };
}

gh_places_t
gh_places_anywhere(void)
{
    gh_places_t all = { { ~0ull, ~0ull, ~0ull, ~0ull } };

    all.word[3] &= (1ull << (GH_COUNTRIES - 192)) - 1;
    return all;
}

gh_places_t
gh_places_unknown(void)
{
    gh_places_t all = gh_places_anywhere();

    all.word[3] |= 1ull << (GH_PLACE_UNKNOWN_BIT - 192);
    return all;
}

void
gh_places_add(gh_places_t *places, int country)
{
    if (country >= 0 && country < GH_COUNTRIES) {
        places->word[country / 64] |= 1ull << (country % 64);
    } else {
        *places = gh_places_unknown();
    }
}

gh_places_t
gh_places_union(gh_places_t a, gh_places_t b)
{
    for (int i = 0; i < 4; i++) {
        a.word[i] |= b.word[i];
    }
    return a;
}

gh_places_t
gh_places_intersect(gh_places_t a, gh_places_t b)
{
    for (int i = 0; i < 4; i++) {
        a.word[i] &= b.word[i];
    }
    return a;
}

gh_places_t
gh_places_minus(gh_places_t a, gh_places_t b)
{
    for (int i = 0; i < 4; i++) {
        a.word[i] &= ~b.word[i];
    }
    return a;
}

bool
gh_places_inside(gh_places_t a, gh_places_t within)
{
    return !gh_places_has_unknown(a) && gh_places_empty(gh_places_minus(a, within));
}

bool
gh_places_touch(gh_places_t a, gh_places_t b)
{
    return gh_places_has_unknown(a) || !gh_places_empty(gh_places_intersect(a, b));
}

bool
gh_places_empty(gh_places_t a)
{
    return (a.word[0] | a.word[1] | a.word[2] | a.word[3]) == 0;
}

bool
gh_places_has_unknown(gh_places_t a)
{
    return a.word[3] >> (GH_PLACE_UNKNOWN_BIT - 192) & 1;
}

bool
gh_places_equal(gh_places_t a, gh_places_t b)
{
    return memcmp(a.word, b.word, sizeof(a.word)) == 0;
}

unsigned
gh_places_count(gh_places_t a)
{
    unsigned count = 0;

    for (int i = 0; i < 4; i++) {
        count += (unsigned) __builtin_popcountll(a.word[i]);
    }
    return count;
}

gh_str_t
gh_places_text(gh_arena_t *arena, gh_places_t a)
{
    char   text[GH_COUNTRIES * 3];
    size_t len = 0;

    if (gh_places_has_unknown(a)) {
        return GH_STR("?");
    }
    if (gh_places_empty(a)) {
        return GH_STR("nothing");
    }
    if (gh_places_equal(a, gh_places_anywhere())) {
        return GH_STR("ANYWHERE");
    }
    for (int i = 0; i < GH_COUNTRIES; i++) {
        if (a.word[i / 64] >> (i % 64) & 1) {
            memcpy(text + len, gh_country_codes[i], 2);
            text[len + 2] = ' ';
            len += 3;
        }
    }
    return gh_str_copy(arena, (gh_str_t) { text, len - 1 });
}
