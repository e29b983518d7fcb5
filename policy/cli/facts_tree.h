/* Facts artefacts as trees, built in or of a file: for the commands that print and compare them. */
#ifndef GH_CLI_FACTS_TREE_H
#define GH_CLI_FACTS_TREE_H

#include <jansson.h>

#include "policy/base/json_tree.h"
#include "policy/cli/cli.h"
#include "residency/facts.h"

typedef enum { GH_FACTS_SIGNED, GH_FACTS_UNSIGNED, GH_FACTS_FORGED } gh_cli_signature_t;

typedef struct {
    gh_str_t           name;        /* "regions/2026-11-21", as the artefact says */
    gh_str_t           source;      /* a file's path, or the name */
    const gh_node_t   *root;
    uint8_t            digest[32];
    gh_cli_signature_t signature;   /* a file: of the file beside it that ends in ".sig" */
} gh_cli_facts_t;

/* word: the name of a built-in artefact, a file, or NULL: the newest. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
int gh_cli_facts_tree(gh_cli_t *cli, const char *word, gh_cli_facts_t *facts);

/* "signed by the project", "not signed", "not what was signed" */
const char *gh_cli_signature_text(gh_cli_signature_t signature);

/* Text of a member; empty when it is absent or no string. */
gh_str_t gh_cli_node_text(const gh_node_t *object, const char *member);

/* A list of country codes, or ["ANYWHERE"]; words that are neither are left out. */
gh_places_t gh_cli_node_places(const gh_node_t *list);

/* "any", "the region's country", "must be stated", "EU", "US": what a rule of processing says. Arena-owned. */
gh_str_t gh_cli_process_text(gh_arena_t *arena, const gh_node_t *process);

/* A value in one line, as JSON without spaces. Arena-owned. */
gh_str_t gh_cli_node_json(gh_arena_t *arena, const gh_node_t *node);

#endif
