/*
 * Lines that a writer took back: the disk did not have them for certain when a sync failed, so they stand again, with the same text, at the
 * beginning of a later segment, whose first line says {"void":{"file":NAME,"line":N}}: of this writer, nothing counts from line N of that
 * file on up to this segment. Whoever reads the record passes over them.
 */
#ifndef GH_VOIDED_H
#define GH_VOIDED_H

#include "policy/audit/segment.h"

typedef struct {
    char     writer[GH_SEGMENT_NAME]; /* the names of its segments up to their number */
    uint64_t from, line, until;       /* numbers of segments: from that line of the first one on, before the last one */
} gh_void_t;

typedef struct {
    gh_void_t *items;                 /* malloc'ed */
    size_t     count, capacity;
} gh_voids_t;

/* Takes in what the first line of that segment says. path: its file. GH_ERROR: out of memory. One that cannot be read says nothing. */
int gh_voids_look(gh_voids_t *voids, const char *path);

/* How many lines of that segment (its path or its name) count; UINT64_MAX: all. */
uint64_t gh_voids_counted(const gh_voids_t *voids, const char *path);

void gh_voids_free(gh_voids_t *voids);

#endif
