/* Verdicts on deployments in words: for explain, and for what a test expected otherwise. */
#ifndef GH_CLI_VERDICT_TEXT_H
#define GH_CLI_VERDICT_TEXT_H

#include "policy/cli/places_text.h"
#include "policy/decide/decide.h"

typedef struct {
    gh_arena_t          *arena;      /* owns every text made; without memory a text is empty */
    const gh_image_t    *image;
    const gh_decision_t *decision;
    const gh_intake_t   *intake;
    const gh_cli_sets_t *sets;
} gh_cli_verdict_words_t;

/* "rule a", or "rules a (public), b (personal)", of a target that may be used. */
gh_str_t gh_cli_rules_text(const gh_cli_verdict_words_t *words, const gh_target_verdict_t *verdict);

/* The same, or why it may not: "CN: forbidden by rule x", "ANYWHERE minus EU: outside rule y (process) for class z". */
gh_str_t gh_cli_verdict_text(const gh_cli_verdict_words_t *words, const gh_target_verdict_t *verdict);

/* "allowed, by rule a: azure-se first" or "denied with 403 residency_denied by rule x: detail", without a full stop. */
gh_str_t gh_cli_decision_text(const gh_cli_verdict_words_t *words);

/* "process, store days": what an allow missed. */
gh_str_t gh_cli_misses_text(gh_arena_t *arena, uint32_t misses);

#endif
