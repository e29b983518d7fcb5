/*
 * What a writer of the record keeps so that its lines are on the disk before what they tell of is done: the lines that are not known to be there,
 * with their text, and the thread that brings them there (sync.h). Lines are numbered by tickets, from 1. One thread, the writer's.
 *
 * When a sync fails, the file is not trusted any more from its first line that was not on the disk: everything from there on is taken back
 * ("void", see voided.h) and written again, in the same order and with the same text, at the beginning of a new segment.
 */
#ifndef GH_GROUP_H
#define GH_GROUP_H

#include "policy/audit/sync.h"
#include "policy/base/str.h"

#define GH_GROUP_BYTES (UINT64_C(32) * 1024 * 1024)   /* of lines that wait, above which only what is owed is taken */

/* Where a line ends. */
typedef struct {
    uint64_t sequence;                /* of its segment */
    unsigned directory;
    uint64_t n;                       /* of the line */
    char     chain[64];               /* its digest */
} gh_group_place_t;

typedef struct gh_group_line_s gh_group_line_t;

struct gh_group_line_s {
    gh_group_line_t *next;
    uint64_t         ticket;          /* 0: a segment's own line, which is not written again */
    uint64_t         position;        /* for the thread; 0: it is in no segment */
    uint64_t         at_ms;
    gh_group_place_t place;
    gh_str_t         body;
};

typedef struct {
    gh_sync_t       *sync;
    gh_group_line_t *first, **last;
    uint64_t         bytes;           /* of all of them */
    uint64_t         ticket, durable; /* the newest; the newest on the disk */
    uint64_t         position;        /* the newest */
    bool             known;           /* the next is the place of a line: something is on the disk */
    gh_group_place_t end;             /* the newest line on the disk */
    bool             again;           /* the lines are in no segment that counts */
    bool             voided;          /* and since the newest on the disk, these were taken back: */
    uint64_t         void_sequence, void_n;
    gh_group_place_t failed;          /* the line whose sync failed last */
} gh_group_t;

/* NULL and *error. */
gh_group_t *gh_group_open(int wake, const gh_sync_calls_t *calls, gh_error_t *error);
void gh_group_close(gh_group_t *group, unsigned ms);

/* A line before it is written, in nobody's list; body is copied, "" for a segment's own. NULL: out of memory. */
gh_group_line_t *gh_group_line(gh_str_t body, uint64_t now_ms);
void gh_group_line_free(gh_group_line_t *line);

/* It is written, or kept to be written again (`again`). Gets its ticket. */
void gh_group_add(gh_group_t *group, gh_group_line_t *line);

/* Was written again at the beginning of a segment, behind that one's own line `first`: what the others' places are is in them already. */
void gh_group_renew(gh_group_t *group, gh_group_line_t *first, uint64_t now_ms);

/* Bytes of all lines, with so many more for each. */
uint64_t gh_group_room(const gh_group_t *group, uint64_t each);

/* Takes what the thread has done. true: a call failed, *code says how; nothing is in a segment any more, and `again` is set. */
bool gh_group_look(gh_group_t *group, int *code);

/* ms since the oldest line waits, 0 when none does or the clock was set back. */
uint64_t gh_group_age(const gh_group_t *group, uint64_t now_ms);

#endif
