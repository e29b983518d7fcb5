/*
 * A policy in sentences that counsel can sign. Every sentence is true of the decision function, and together they say the whole policy:
 * tests/cli/test_policy_words.py reads them back into rules.
 */
#ifndef GH_CLI_POLICY_WORDS_H
#define GH_CLI_POLICY_WORDS_H

#include "policy/cli/places_words.h"
#include "policy/cli/policy_load.h"

typedef struct {
    gh_cli_t                *cli;
    gh_arena_t              *arena;
    const gh_cli_policy_t   *loaded;
    const gh_model_t        *model;
    const gh_model_policy_t *policy;      /* the one that is told; not a guard */
    const char              *source;      /* where the documents are from, for the head */
    gh_cli_place_words_t     places;
    uint64_t                 now_ms;
    unsigned                 section;     /* the last heading's number */
} gh_policy_words_t;

/* The whole of one policy. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
int gh_policy_words_print(gh_policy_words_t *words);

/* ---- policy_words_rules.c ---- */

/* "3.2 Permission ..." or "4.1 Prohibition ..." with its sentences. number: 2 of "3.2". policy: the rule's own, a guard too. */
void gh_policy_words_rule(gh_policy_words_t *words, const gh_model_policy_t *policy, const gh_model_rule_t *rule, unsigned number);

/* ---- policy_words_limits.c ---- */

/* The section of limits. */
void gh_policy_words_limits(gh_policy_words_t *words);

/* ---- policy_words_callers.c ---- */

/* What keys, tokens and certificates take away, in the section of narrower places. */
void gh_policy_words_callers(const gh_policy_words_t *words);

/* ---- policy_words_text.c ---- */

/* "3. WHERE DATA MAY GO" */
void gh_policy_words_heading(gh_policy_words_t *words, const char *title);

/* A paragraph of a section. */
void gh_policy_words_say(const gh_policy_words_t *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One of a list: "- text". */
void gh_policy_words_item(const gh_policy_words_t *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `"a", "b" and "c"`; `or` instead with GH_WORDS_OR. Arena-owned. */
typedef enum { GH_WORDS_AND, GH_WORDS_OR } gh_words_join_t;
gh_str_t gh_policy_words_list(const gh_policy_words_t *words, const gh_str_list_t *list, gh_words_join_t join);
/* Names of a list whose bit is set in mask. */
gh_str_t gh_policy_words_mask(const gh_policy_words_t *words, const gh_str_list_t *names, uint64_t mask, gh_words_join_t join);
/* Names of countries and sets of the policy's facts, exactly. */
gh_str_t gh_policy_words_places(gh_policy_words_t *words, gh_places_t places);
/* "2026-12-31": the last day, UTC, of what ends at an instant. */
gh_str_t gh_policy_words_last_day(const gh_policy_words_t *words, uint64_t until_ms);

#endif
