/*
 * Which patterns of tenants cover a path, found in time that grows with the path and with what is found, not with the patterns there
 * are. Made once, when an image is opened.
 */
#ifndef GH_IMAGE_PATTERNS_H
#define GH_IMAGE_PATTERNS_H

#include "policy/store/image_format.h"

#define GH_PATTERN_NONE UINT32_MAX

typedef struct { uint32_t pattern, policy, class_mask; } gh_pattern_assign_t;

struct gh_patterns_s {
    uint32_t            *number;        /* by index of PATTERN; the same text has the same number; GH_PATTERN_NONE: a pattern of models */
    uint32_t            *first;         /* by number: an index of PATTERN that has its text */
    uint32_t             count;         /* of numbers */
    uint32_t            *slots;         /* open addressing by text: number + 1; 0 free */
    size_t               slot_mask;
    uint64_t            *lengths;       /* bit n: a pattern of n bytes and "*" is there */
    uint32_t             longest;       /* of those n */
    gh_pattern_assign_t *assigns;       /* what `assign` of each policy gives to a pattern, sorted by pattern, then policy */
    uint32_t             assign_count;
    uint32_t            *guards;        /* indexes of POLICY */
    uint32_t             guard_count;
};

/* Of an image whose entries were checked. NULL: out of memory. */
gh_patterns_t *gh_patterns_new(const gh_image_t *image);
void           gh_patterns_free(gh_patterns_t *patterns);

/*
 * Numbers of the patterns that cover the path, in an order that only the path and the image decide; in the arena. NULL: out of memory.
 * At most two for each byte of the path, and two.
 */
uint32_t *gh_patterns_match(const gh_image_t *image, gh_arena_t *arena, gh_str_t path, uint32_t *count);

/* Classes (a mask) that policy's `assign` gives to a pattern's paths; 0: none. */
uint32_t gh_patterns_assigned(const gh_patterns_t *patterns, uint32_t pattern, uint32_t policy);

#endif
