/* Sets of countries in words that mean exactly that set: names of countries, named sets of a facts artefact, and differences of them. */
#ifndef GH_CLI_PLACES_WORDS_H
#define GH_CLI_PLACES_WORDS_H

#include "policy/cli/places_text.h"

typedef struct {
    gh_cli_sets_t sets;                       /* of the artefact that the policy pins */
    bool          used[GH_CLI_SETS_MAX];      /* sets that some words named: to be spelled out */
} gh_cli_place_words_t;

/* The sets of an artefact; those that the documents name are preferred. */
void gh_cli_place_words_load(gh_arena_t *arena, gh_str_t artefact, const gh_document_source_t *sources, size_t count,
    gh_cli_place_words_t *words);

/*
 * "Germany (DE), Sweden (SE)", "EEA, United States (US)", "GDPR_TERRITORY without EU", "any country without China (CN)", "no country", "an
 * unknown place": one term after the other, then what is taken away again. Arena-owned; empty when out of memory.
 */
gh_str_t gh_cli_places_words(gh_cli_place_words_t *words, gh_places_t places);

/* Every country by its name, whatever sets there are. */
gh_str_t gh_cli_places_spelled(gh_arena_t *arena, gh_places_t places);

#endif
