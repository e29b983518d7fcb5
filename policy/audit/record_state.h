/*
 * What the files of the record's writer share: record_writer.c has lines and segments, record_later.c the lines that may wait, record_sync.c
 * those that have to get to the disk.
 */
#ifndef GH_RECORD_STATE_H
#define GH_RECORD_STATE_H

#include "policy/audit/group.h"
#include "policy/audit/line.h"
#include "policy/audit/owed.h"
#include "policy/audit/record_writer.h"

#define RECORD_CHAIN   128            /* "prev" and "n" of a line, at most */

typedef struct gh_record_later_s gh_record_later_t;

struct gh_record_s {
    char              directory[GH_RECORD_DIRECTORIES][PATH_MAX];
    unsigned          directory_count;
    char              node[256];
    char              country[8];
    char              version[64];
    gh_record_options_t options;      /* its strings are those above */
    uint64_t          now_ms;         /* of the newest line or tick */
    uint64_t          looked_ms;      /* at the segment, whether it is as it was left */
    uint64_t          sequence;       /* of the next file */
    gh_owed_t         owed;
    gh_record_later_t *later;         /* lines that are kept; NULL: none ever was */
    uint64_t          ticket;         /* of the last decision that was kept */
    uint64_t          durable;        /* of the last one of them that was written */
    gh_group_t       *group;          /* NULL: lines are with the kernel, and that is all */
    gh_segment_t      segment;
    bool              sealed;         /* its last line is a seal */
    uint64_t          torn_bytes;     /* behind its last line, or cut off there */
    char              chain[64];      /* SHA-256 of the last line, hexadecimal */
    char              previous[GH_SEGMENT_NAME];
    char              previous_error[128];   /* why that was left; "": by plan */
    uint64_t          tried_ms;       /* to begin a segment, in vain; 0: the last one was begun */
    uint64_t          failed_ms[GH_RECORD_DIRECTORIES];   /* when that directory failed; 0: it works */
    uint64_t          again_ms[GH_RECORD_DIRECTORIES];    /* when lines were last written again there; 0: never */
    gh_record_state_t state;
    char              line[GH_RECORD_LINE_MAX + 1];
};

/* ---- record_writer.c ---- */

/* Is it a body, and of what? */
bool gh_record_body(gh_str_t body, gh_line_t *line);

/* {"prev":"...","n":N, to `out`. Returns the length. */
size_t gh_record_line_head(const gh_record_t *record, char *out, uint64_t n);

/*
 * That, and then the body without its brace, to `out`, which has GH_RECORD_LINE_MAX bytes left. Returns the length, with the newline;
 * 0: it would be too long.
 */
size_t gh_record_line(const gh_record_t *record, char *out, uint64_t n, gh_str_t body);

/* The chain behind a line of len bytes without its newline. */
void gh_record_chain(gh_record_t *record, const char *line, size_t len);

/* A segment into which lines of len bytes in all may go. */
int gh_record_ready(gh_record_t *record, bool owed, size_t len, gh_error_t *error);

/* The segment in use could not be written. */
void gh_record_broken(gh_record_t *record);

/* One line into a segment that is there, in directory d. GH_ERROR: the record's chain is as before. */
int gh_record_write(gh_record_t *record, gh_segment_t *segment, unsigned d, gh_str_t body, gh_error_t *error);

/* A new segment, in the first directory that can; one that failed a moment ago is asked last. owed: also when that was tried a moment ago. */
int gh_record_begin(gh_record_t *record, bool owed, size_t len, gh_error_t *error);

/* next: NULL at the writer's end. A seal that cannot be written is missed by nobody but `gatehouse audit verify`. */
void gh_record_seal(gh_record_t *record, const char *next);

/* line: of the group, taken over when it is written; NULL: nothing is synced. */
int gh_record_append_line(gh_record_t *record, gh_str_t body, bool owed, gh_group_line_t *line, gh_error_t *error);

/* ---- record_later.c ---- */

void gh_record_later_free(gh_record_later_t *later);

/* gh_record_append_line where nothing is synced: what waits is written before it. */
int gh_record_append_behind(gh_record_t *record, gh_str_t body, bool owed, gh_error_t *error);

/* ---- record_sync.c ---- */

/* The place of the line that was written last. */
void gh_record_place(const gh_record_t *record, const gh_segment_t *segment, unsigned d, gh_group_line_t *line);

/* line: what was just written into the record's segment; NULL: nothing is synced. */
void gh_record_sync(gh_record_t *record, gh_group_line_t *line);

/* What was taken back from another segment, into one that is being begun. */
int gh_record_rewrite(gh_record_t *record, gh_segment_t *segment, unsigned d, gh_error_t *error);

/* The record's segment was begun, and has its name: the thread may have its file. first: its own line. */
void gh_record_begun(gh_record_t *record, gh_sync_file_t *file, gh_group_line_t *first);

/* gh_record_append_line where lines have to get to the disk. */
int gh_record_append_synced(gh_record_t *record, gh_str_t body, bool owed, gh_error_t *error);

/* All of it is on the disk when this returns, unless that does not answer or nothing can be written. */
void gh_record_end(gh_record_t *record);

/* Name of the segment of that number. */
void gh_record_name(const gh_record_t *record, uint64_t sequence, char name[GH_SEGMENT_NAME]);

#endif
