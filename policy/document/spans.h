/*
 * What a pattern covers of sorted names, as spans of their indexes: whole sets are compared by a few numbers, and nothing is compared
 * with everything. Says the same as gh_pattern_covers in residency/judge.h.
 */
#ifndef GH_SPANS_H
#define GH_SPANS_H

#include "policy/document/reading.h"

typedef struct { uint32_t begin, end; } gh_span_t;      /* begin <= index < end */

typedef struct {                                        /* in order, apart from each other, none empty */
    gh_span_t *items;
    uint32_t   count;
} gh_spans_t;

typedef struct {                                        /* in byte order; a name may stand in it more than once */
    gh_str_t *items;
    uint32_t  count;
} gh_names_t;

/* Puts names in byte order; those that are in order already cost one look at each. */
void gh_names_sort(gh_names_t *names);

/* The at most two spans that a pattern covers; the count. */
unsigned gh_spans_of(const gh_names_t *names, gh_str_t pattern, gh_span_t spans[2]);

typedef enum { GH_SPANS_SOME, GH_SPANS_WHOLE } gh_spans_how_t;

/*
 * What any of the patterns covers of names of apps; NULL: every name. SOME: at least some key of it; WHOLE: whatever its key.
 * Nothing when out of memory (reported).
 */
gh_spans_t gh_spans_of_list(gh_loader_t *loader, const gh_names_t *names, const gh_str_list_t *patterns, gh_spans_how_t how);

/* Does it cover an app whatever the key, if it covers it at all? */
bool gh_pattern_is_whole(gh_str_t pattern);

typedef struct {                                        /* what both cover, one span after the other */
    gh_spans_t a, b;
    uint32_t   at_a, at_b;
    gh_span_t  span;                                    /* after gh_spans_next that gave true */
} gh_common_t;

bool gh_spans_next(gh_common_t *common);

/* What both cover. Nothing when out of memory (reported). */
gh_spans_t gh_spans_both(gh_loader_t *loader, gh_spans_t a, gh_spans_t b);

/* How many indexes; whether a span touches any. */
uint32_t gh_spans_size(gh_spans_t spans);
bool gh_spans_touch(gh_spans_t spans, gh_span_t span);

/* A key is in no document, so a pattern of keys is judged by its app: "a/b/c/k*" is "a/b/c". */
gh_str_t gh_pattern_of_app(gh_str_t pattern);

#endif
