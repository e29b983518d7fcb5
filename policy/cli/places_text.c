/* The shortest honest words for a set of countries. */
#include "policy/cli/places_text.h"

#include <string.h>

#include "residency/facts.h"

#define CODES_ALONE  4     /* a set this small is listed, whatever its name */
#define CODES_BESIDE 8     /* codes that may stand behind "plus" or "minus" */
#define CODES_FAMILIAR 4   /* and behind a set that the reader knows: more, and another set's name says it better */
#define CODES_CUT    12    /* codes shown of a set without a short description */

void
gh_cli_sets_load(gh_arena_t *arena, gh_cli_sets_t *sets)
{
    gh_cli_sets_load_of(arena, GH_STR(""), sets);
}

void
gh_cli_sets_load_of(gh_arena_t *arena, gh_str_t artefact, gh_cli_sets_t *sets)
{
    gh_error_t  error;
    gh_facts_t *facts;
    size_t      count;

    sets->arena = arena;
    sets->count = 0;
    sets->familiar = 0;

    if (gh_facts_load(arena, artefact, &facts, &error) != GH_OK) {
        return;
    }

    count = gh_facts_set_names(facts, sets->names, GH_CLI_SETS_MAX);
    count = count < GH_CLI_SETS_MAX ? count : GH_CLI_SETS_MAX;

    for (size_t i = 0; i < count; i++) {
        gh_str_t name = sets->names[i];

        if (gh_facts_set(facts, name, &sets->places[sets->count]) && !gh_places_empty(sets->places[sets->count])) {
            sets->names[sets->count++] = name;
        }
    }
    gh_cli_sets_prefer(sets, NULL, 0);
}

/* Marks the sets whose names are strings of a document. */
static void
mark_named(const gh_cli_sets_t *sets, gh_str_t text, bool *named)
{
    const char *end = text.data + text.len, *at = text.data;

    while (at != NULL && at < end && (at = memchr(at, '"', (size_t) (end - at))) != NULL) {
        at++;
        for (size_t i = 0; i < sets->count; i++) {
            gh_str_t name = sets->names[i];

            if ((size_t) (end - at) > name.len && at[name.len] == '"' && memcmp(at, name.data, name.len) == 0) {
                named[i] = true;
            }
        }
    }
}

void
gh_cli_sets_prefer(gh_cli_sets_t *sets, const gh_document_source_t *sources, size_t count)
{
    static const char *const known[] = { "ANYWHERE", "EU", "EEA" };
    bool                     named[GH_CLI_SETS_MAX] = { false }, common[GH_CLI_SETS_MAX] = { false };
    gh_cli_sets_t            old = *sets;

    for (size_t i = 0; i < count; i++) {
        mark_named(sets, sources[i].bytes, named);
    }
    for (size_t i = 0; i < sets->count; i++) {
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
            common[i] = common[i] || gh_str_is(sets->names[i], known[k]);
        }
        common[i] = common[i] || i < old.familiar;
    }

    sets->count = 0;
    for (int rank = 0; rank < 3; rank++) {
        for (size_t i = 0; i < old.count; i++) {
            if ((named[i] ? 0 : common[i] ? 1 : 2) == rank) {
                sets->names[sets->count] = old.names[i];
                sets->places[sets->count++] = old.places[i];
            }
        }
        sets->familiar = rank < 2 ? sets->count : sets->familiar;
    }
}

/* Up to `most` codes, and "and N more" behind them. */
static gh_str_t
codes(gh_arena_t *arena, gh_places_t places, unsigned most)
{
    unsigned    total = gh_places_count(places);
    gh_places_t shown = gh_places_none();

    if (total <= most) {
        return gh_places_text(arena, places);
    }

    for (int i = 0, taken = 0; i < GH_COUNTRIES && taken < (int) most; i++) {
        gh_places_t one = gh_places_none();

        gh_places_add(&one, i);
        if (gh_places_touch(places, one)) {
            shown = gh_places_union(shown, one);
            taken++;
        }
    }

    return gh_str_format(arena, "%.*s and %u more", GH_STR_ARG(gh_places_text(arena, shown)), total - most);
}

/* One of the first `known` sets without another: "ANYWHERE minus EU". The first that is, arena text empty when there is none. */
static gh_str_t
difference(const gh_cli_sets_t *sets, size_t known, gh_places_t places)
{
    for (size_t i = 0; i < known; i++) {
        if (!gh_places_inside(places, sets->places[i])) {
            continue;
        }

        gh_places_t rest = gh_places_minus(sets->places[i], places);

        for (size_t j = 0; j < known; j++) {
            if (gh_places_equal(rest, gh_places_intersect(sets->places[j], sets->places[i]))) {
                return gh_str_format(sets->arena, "%.*s minus %.*s", GH_STR_ARG(sets->names[i]),
                    GH_STR_ARG(sets->names[j]));
            }
        }
    }

    return GH_STR("");
}

/* Of the first `known` sets the one that needs the fewest codes added or taken away, `most` at most. */
static gh_str_t
nearly(const gh_cli_sets_t *sets, size_t known, unsigned most, gh_places_t places)
{
    unsigned    best = most + 1;
    size_t      set = 0;
    gh_places_t more, less;

    for (size_t i = 0; i < known; i++) {
        unsigned distance;

        more = gh_places_minus(places, sets->places[i]);
        less = gh_places_minus(sets->places[i], places);
        distance = gh_places_count(more) + gh_places_count(less);

        if (distance < best && distance < gh_places_count(places)) {
            best = distance;
            set = i;
        }
    }

    if (best > most) {
        return GH_STR("");
    }

    more = gh_places_minus(places, sets->places[set]);
    less = gh_places_minus(sets->places[set], places);

    return gh_str_format(sets->arena, "%.*s%s%.*s%s%.*s", GH_STR_ARG(sets->names[set]),
        gh_places_empty(more) ? "" : " plus ",
        GH_STR_ARG(gh_places_empty(more) ? GH_STR("") : gh_places_text(sets->arena, more)),
        gh_places_empty(less) ? "" : " minus ",
        GH_STR_ARG(gh_places_empty(less) ? GH_STR("") : gh_places_text(sets->arena, less)));
}

/* The first `known` sets in the order of how they say it: by name, one without another, with or without some codes. */
static gh_str_t
by_sets(const gh_cli_sets_t *sets, size_t known, unsigned most, gh_places_t places)
{
    gh_str_t text;

    for (size_t i = 0; i < known; i++) {
        if (gh_places_equal(places, sets->places[i])) {
            return sets->names[i];
        }
    }
    text = difference(sets, known, places);

    return text.len != 0 ? text : nearly(sets, known, most, places);
}

gh_str_t
gh_cli_places_text(const gh_cli_sets_t *sets, gh_places_t places)
{
    gh_str_t text;

    if (gh_places_empty(places)) {
        return GH_STR("nothing");
    }

    if (gh_places_has_unknown(places)) {
        return GH_STR("unknown");
    }

    if (gh_places_equal(places, gh_places_anywhere())) {
        return GH_STR("ANYWHERE");
    }

    if (gh_places_count(places) <= CODES_ALONE) {
        return gh_places_text(sets->arena, places);
    }

    text = by_sets(sets, sets->familiar, CODES_FAMILIAR, places);
    if (text.len == 0) {
        text = by_sets(sets, sets->count, CODES_BESIDE, places);
    }

    return text.len != 0 ? text : codes(sets->arena, places, CODES_CUT);
}

json_t *
gh_cli_places_json(gh_places_t places)
{
    json_t *list = json_array();

    if (gh_places_has_unknown(places)) {
        json_array_append_new(list, json_string("?"));
        return list;
    }

    if (gh_places_equal(places, gh_places_anywhere())) {
        json_array_append_new(list, json_string("ANYWHERE"));
        return list;
    }

    for (int i = 0; i < GH_COUNTRIES; i++) {
        if (places.word[i / 64] >> (i % 64) & 1) {
            json_array_append_new(list, json_string(gh_country_codes[i]));
        }
    }

    return list;
}
