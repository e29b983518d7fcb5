/* Key names that patterns tell apart, each kind with a name that stands for it. Private to policy/review. */
#ifndef GH_REVIEW_KEYS_H
#define GH_REVIEW_KEYS_H

#include "policy/review/patterns.h"

typedef enum {
    GH_REVIEW_KEY_OTHER = 0,      /* any key that no pattern below the app names */
    GH_REVIEW_KEY_NAMED,          /* exactly this one */
    GH_REVIEW_KEY_BEGINS          /* any that begins so and that no longer pattern names */
} gh_review_key_kind_t;

typedef struct {
    gh_review_key_kind_t kind;
    gh_str_t             stem;    /* NAMED: the name; BEGINS: how it begins; borrowed from the patterns */
    gh_str_t             example; /* a valid name of that kind */
} gh_review_key_t;

/*
 * The kinds of keys of "org/tenant/app"; every possible key is of exactly one. A kind without a possible name is left out. Strings in
 * the arena or borrowed. GH_ERROR: out of memory.
 */
int gh_review_keys(gh_arena_t *arena, const gh_review_patterns_t *patterns, gh_str_t app, gh_review_key_t **keys, uint32_t *count);

#endif
