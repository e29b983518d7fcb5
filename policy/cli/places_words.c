#include "policy/cli/places_words.h"

#define FEW 6          /* so many countries are named, whatever set they make */
#define TERMS_FAMILIAR 6   /* so many terms of the sets that the documents name are better than fewer of others */

void
gh_cli_place_words_load(gh_arena_t *arena, gh_str_t artefact, const gh_document_source_t *sources, size_t count,
    gh_cli_place_words_t *words)
{
    gh_cli_sets_t all;

    *words = (gh_cli_place_words_t) { .sets.arena = arena };
    gh_cli_sets_load_of(arena, artefact, &all);
    gh_cli_sets_prefer(&all, sources, count);
    for (size_t i = 0; i < all.count; i++) {
        if (!gh_places_equal(all.places[i], gh_places_anywhere())) {      /* that one is "any country" */
            words->sets.names[words->sets.count] = all.names[i];
            words->sets.places[words->sets.count++] = all.places[i];
            words->sets.familiar += i < all.familiar;
        }
    }
}

gh_str_t
gh_cli_places_spelled(gh_arena_t *arena, gh_places_t places)
{
    gh_str_t text = GH_STR("");

    for (int i = 0; i < GH_COUNTRIES; i++) {
        if (places.word[i / 64] >> (i % 64) & 1) {
            text = gh_str_format(arena, "%.*s%s%s (%s)", GH_STR_ARG(text), text.len ? ", " : "", gh_country_names[i], gh_country_codes[i]);
        }
    }

    return text;
}

/* A union of named sets and single countries. */
typedef struct {
    bool        sets[GH_CLI_SETS_MAX];
    gh_places_t rest;                         /* in no set of them */
    unsigned    terms;
} sum_t;

/* Of sets that say the same in a sum, the one that the artefact lists first. */
static void
prefer_first(const gh_cli_sets_t *sets, gh_places_t places, sum_t *sum)
{
    for (size_t i = 0; i < sets->count; i++) {
        gh_places_t others = sum->rest;

        for (size_t k = 0; sum->sets[i] && k < sets->count; k++) {
            others = sum->sets[k] && k != i ? gh_places_union(others, sets->places[k]) : others;
        }
        for (size_t k = 0; sum->sets[i] && k < i; k++) {
            if (!sum->sets[k] && gh_places_inside(sets->places[k], places)
                && gh_places_equal(gh_places_union(others, sets->places[k]), places))
            {
                sum->sets[i] = false;
                sum->sets[k] = true;
            }
        }
    }
}

/* The sets that lie inside, the one that adds most first; what remains is named. */
static sum_t
sum_of(const gh_cli_sets_t *sets, gh_places_t places)
{
    sum_t sum = { .rest = places };

    for ( ;; ) {
        size_t   best = sets->count;
        unsigned gain = 2;                    /* a set for two countries says no more than they do */

        for (size_t i = 0; i < sets->count; i++) {
            unsigned adds = gh_places_count(gh_places_intersect(sets->places[i], sum.rest));

            if (!sum.sets[i] && adds > gain && gh_places_inside(sets->places[i], places)) {
                gain = adds;
                best = i;
            }
        }
        if (best == sets->count) {
            break;
        }
        sum.sets[best] = true;
        sum.rest = gh_places_minus(sum.rest, sets->places[best]);
        sum.terms++;
    }
    sum.terms += gh_places_count(sum.rest);
    prefer_first(sets, places, &sum);

    return sum;
}

static gh_str_t
sum_text(gh_cli_place_words_t *words, const sum_t *sum)
{
    gh_arena_t *arena = words->sets.arena;
    gh_str_t    text = GH_STR(""), rest = gh_cli_places_spelled(arena, sum->rest);

    for (size_t i = 0; i < words->sets.count; i++) {
        if (sum->sets[i]) {
            words->used[i] = true;
            text = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(text), text.len ? ", " : "", GH_STR_ARG(words->sets.names[i]));
        }
    }

    return gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(text), text.len && rest.len ? ", " : "", GH_STR_ARG(rest));
}

/* A set, or any country, without a sum. */
typedef struct {
    sum_t    sum;              /* all of it, or what is taken away */
    size_t   from;             /* the set; the count of sets: any country; count + 1: the sum is all of it */
    unsigned terms;
} said_t;

/* The fewest terms of: the sum itself; a set, or any country, without another sum. */
static said_t
say(const gh_cli_sets_t *sets, gh_places_t places)
{
    said_t said = { sum_of(sets, places), sets->count + 1, 0 };

    said.terms = said.sum.terms;
    for (size_t i = 0; i <= sets->count; i++) {
        gh_places_t whole = i < sets->count ? sets->places[i] : gh_places_anywhere();
        sum_t       minus;

        if (!gh_places_inside(places, whole)) {
            continue;
        }
        minus = sum_of(sets, gh_places_minus(whole, places));
        if (minus.terms + 1 < said.terms) {
            said = (said_t) { minus, i, minus.terms + 1 };
        }
    }

    return said;
}

gh_str_t
gh_cli_places_words(gh_cli_place_words_t *words, gh_places_t places)
{
    const gh_cli_sets_t *sets = &words->sets;
    gh_cli_sets_t        familiar = words->sets;
    said_t               said;

    if (gh_places_has_unknown(places)) {
        return GH_STR("an unknown place");
    }
    if (gh_places_empty(places)) {
        return GH_STR("no country");
    }
    if (gh_places_equal(places, gh_places_anywhere())) {
        return GH_STR("any country");
    }
    if (gh_places_count(places) <= FEW) {
        return gh_cli_places_spelled(sets->arena, places);
    }

    familiar.count = familiar.familiar;                  /* the first of the sets: the same numbers */
    said = say(&familiar, places);
    if (said.terms > TERMS_FAMILIAR) {
        familiar.count = sets->count;
        said = say(sets, places);
    }
    if (said.from > familiar.count) {
        return sum_text(words, &said.sum);
    }
    if (said.from < familiar.count) {
        words->used[said.from] = true;
    }

    return gh_str_format(sets->arena, "%.*s without %.*s",
        GH_STR_ARG(said.from < familiar.count ? sets->names[said.from] : GH_STR("any country")), GH_STR_ARG(sum_text(words, &said.sum)));
}
