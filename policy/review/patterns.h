/* Every pattern of tenants that some images hold anything against, each once, and which of them cover a path. Private to policy/review. */
#ifndef GH_REVIEW_PATTERNS_H
#define GH_REVIEW_PATTERNS_H

#include "policy/base/arena.h"
#include "policy/store/image_format.h"

#define GH_REVIEW_PATH_MAX 255                         /* org/tenant/app/key, four names of at most 63 bytes */
#define GH_REVIEW_COVERING_MAX (2 * (GH_REVIEW_PATH_MAX + 1))   /* patterns that can cover one path */

typedef struct {
    gh_str_t literal;             /* without the trailing '*' */
    bool     open;                /* it had one */
} gh_review_pattern_t;

typedef struct {
    gh_review_pattern_t *items;   /* by literal, the closed one first */
    uint32_t             count;
    uint32_t            *slots;   /* open addressing by hash of the literal: index + 1; 0: free */
    uint32_t             capacity;
    uint64_t             open_lengths[GH_REVIEW_PATH_MAX / 64 + 1];   /* bits: some open literal is that long */
} gh_review_patterns_t;

/* Patterns of rules, assigns, `serves` and guards of all the images, and some more; literals borrow from them. GH_ERROR: out of memory. */
int gh_review_patterns_gather(gh_arena_t *arena, const gh_image_t *const *images, uint32_t image_count, const gh_str_t *more,
    uint32_t more_count, gh_review_patterns_t *patterns);

/* Indices, ascending, of the patterns that cover "org/tenant/app/key". found has room for GH_REVIEW_COVERING_MAX. */
uint32_t gh_review_patterns_covering(const gh_review_patterns_t *patterns, gh_str_t path, uint32_t *found);

/* The patterns whose literal begins with prefix and is longer: a range of items. */
gh_range_t gh_review_patterns_below(const gh_review_patterns_t *patterns, gh_str_t prefix);

#endif
