/* Sets of countries as people read them: never a list of two hundred codes. */
#ifndef GH_CLI_PLACES_TEXT_H
#define GH_CLI_PLACES_TEXT_H

#include <jansson.h>

#include "policy/base/arena.h"
#include "policy/document/model.h"
#include "residency/places.h"

#define GH_CLI_SETS_MAX 128

typedef struct {
    gh_arena_t *arena;
    gh_str_t    names[GH_CLI_SETS_MAX];    /* sets of a facts artefact */
    gh_places_t places[GH_CLI_SETS_MAX];
    size_t      count;
    size_t      familiar;                  /* the first ones: those that the documents name, and ANYWHERE, EU and EEA */
} gh_cli_sets_t;

/* Without the artefact (out of memory) there are no named sets, and longer lists are counted. */
void gh_cli_sets_load(gh_arena_t *arena, gh_cli_sets_t *sets);
/* The same of one artefact, "regions/2026-11-21". */
void gh_cli_sets_load_of(gh_arena_t *arena, gh_str_t artefact, gh_cli_sets_t *sets);

/*
 * The sets that documents name come first, and texts are made of them, ANYWHERE, EU and EEA wherever these do: who wrote
 * ["EU_DATA_BOUNDARY", "GB"] reads "EU_DATA_BOUNDARY plus GB", not the name of another set that happens to have the same members. May be
 * called again for more documents.
 */
void gh_cli_sets_prefer(gh_cli_sets_t *sets, const gh_document_source_t *sources, size_t count);

/*
 * "nothing", "unknown", "ANYWHERE", "CH NO", "EU", "ANYWHERE minus EU", "EU plus CH NO", "EEA minus IS", else the first codes and how
 * many more. Arena-owned.
 */
gh_str_t gh_cli_places_text(const gh_cli_sets_t *sets, gh_places_t places);

/* As records write them: ["DE", "SE"], ["ANYWHERE"], ["?"] when unknown. The caller's reference; NULL: out of memory. */
json_t *gh_cli_places_json(gh_places_t places);

#endif
