/*
 * A table from 64-bit keys to numbers; for the requests that are owed an outcome: which segment has the decision of each. Malloc'ed, grows;
 * one thread.
 */
#ifndef GH_OWED_H
#define GH_OWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t key;                     /* gh_line_id_key; 0: free */
    uint64_t sequence;                /* of the segment */
} gh_owed_entry_t;

typedef struct {
    gh_owed_entry_t *entries;
    size_t           capacity;        /* a power of two; 0 at the start */
    size_t           count;
} gh_owed_t;

/* false: out of memory; nothing changed. One that is there already gets the sequence. */
bool gh_owed_add(gh_owed_t *owed, uint64_t key, uint64_t sequence);

/* false: it is not there. */
bool gh_owed_find(const gh_owed_t *owed, uint64_t key, uint64_t *sequence);
bool gh_owed_remove(gh_owed_t *owed, uint64_t key);

/* The lowest sequence of all; UINT64_MAX when there is none. Looks at every entry. */
uint64_t gh_owed_lowest(const gh_owed_t *owed);

void gh_owed_free(gh_owed_t *owed);

#endif
