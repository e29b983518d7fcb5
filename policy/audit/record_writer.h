/*
 * The record of one process: JSON lines in files of its own (segment.h), of which it is the only writer. Every line begins
 * {"prev":"<64 hex>","n":<0,1,2...>, where prev is the SHA-256 of the line before without its newline; the first line of a file continues
 * the writer's last one. What will hurt you first:
 *  - a line that was not written must stop what it tells of: GH_ERROR "audit_unavailable" means do not dispatch;
 *  - every decision that allows is owed an outcome, and room for all of these is held: only lines that pay may use it;
 *  - without a second directory a disk that fails stops everything.
 */
#ifndef GH_RECORD_WRITER_H
#define GH_RECORD_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/audit/segment.h"
#include "policy/audit/sync.h"
#include "policy/base/json_writer.h"

#define GH_RECORD_LINE_MAX 32768                        /* newline included */
#define GH_RECORD_BODY_MAX (GH_RECORD_LINE_MAX - 128)   /* of the body handed to gh_record_append */
#define GH_RECORD_OWED     8192                         /* of an outcome or lost line, at most; held for each that is owed */

#define GH_RECORD_SEGMENT     (UINT64_C(64) * 1024 * 1024)
#define GH_RECORD_SEGMENT_MIN (UINT64_C(256) * 1024)
#define GH_RECORD_SEGMENT_MAX (UINT64_C(512) * 1024 * 1024)
#define GH_RECORD_ROLL_MS     UINT64_C(3600000)

#define GH_RECORD_DIRECTORIES 2

typedef struct gh_record_s gh_record_t;

typedef struct {
    const char *directories[GH_RECORD_DIRECTORIES];   /* audit directories, with open/ in each; the second may be NULL */
    gh_str_t    node;
    gh_str_t    country;              /* ISO code, "" when not known yet */
    gh_str_t    version;              /* of Gatehouse */
    uint64_t    epoch_ms;             /* start of this writer */
    unsigned    worker;               /* nginx worker number */
    uint64_t    pid;
    uint64_t    segment_bytes;        /* lines of one file, preallocated with the room for what is owed; 0: GH_RECORD_SEGMENT */
    uint64_t    roll_ms;              /* age of a file at which the next one begins; 0: GH_RECORD_ROLL_MS */
    uint64_t    recovered_by;         /* pid of who finishes what this writer left; 0: it writes itself */
    bool        sync;                 /* lines are brought to the disk by a thread; false: they are with the kernel */
    int         sync_wake;            /* its eventfd, see gh_sync_start */
    unsigned    sync_ms;              /* of patience with the disk; 0: GH_RECORD_SYNC_MS */
    const gh_sync_calls_t *sync_calls;   /* NULL: the system's */
} gh_record_options_t;

#define GH_RECORD_SYNC_MS 5000u

/* malloc'ed; the file is made at the first append. NULL when out of memory, or when there can be no thread that syncs. */
gh_record_t *gh_record_open(const gh_record_options_t *options);

/* Seals the file, unless outcomes are owed: whoever recovers it names those. */
void gh_record_close(gh_record_t *record);

/*
 * Appends one line: `body` is the text of a JSON object, {"v":1,"type":...,"t":...: its leading "{" is replaced by the chain's keys. One
 * write(2). GH_ERROR "audit_unavailable": nothing of it is in the record.
 *
 * Blocks for the whole segment are there before its first line. A segment ends at its size or age, and when the next one cannot be made, lines
 * that pay what is owed go on in the old one while others are refused. A segment that failed (EIO, changed by somebody else) is never
 * written again: the line goes into a new one, in the other directory when there is one, and so it does where the disk is full. The first
 * directory is tried again every GH_RECORD_BACK_MS. Whether somebody else changed or removed the segment is looked at when a line comes
 * GH_RECORD_LOOK_MS or more after the last look: what was written in between went where that file went.
 */
int gh_record_append(gh_record_t *record, gh_str_t body, gh_error_t *error);

/*
 * The same of an outcome or a decision, which is kept and written in front of the next line that is appended, or by gh_record_flush, in one call with
 * all that are kept. Call that as soon as there is time: what is kept is lost with the process. *ticket, of a decision: nothing that it tells of may be
 * done before gh_record_durable has come to it; 0: it is written already. GH_ERROR: it is nowhere.
 *
 * GH_ERROR of a flush: lines got nowhere since the last one; *error names one of them, "outcome_missing" when an outcome that is owed is among them, else
 * "audit_unavailable". Whoever waits for a ticket above gh_record_durable then waits
 * in vain: none of those decisions is in the record, and none is owed an outcome. With options.sync nothing is kept, and tickets are those of
 * gh_record_ticket.
 *
 * marks (NULL: none): runs of a decision's body that others have too, and that are written once a segment (basis.h). Where lines are written again, or one
 * by one, they stand in full.
 */
int gh_record_later(gh_record_t *record, gh_str_t body, const gh_json_marks_t *marks, uint64_t *ticket, gh_error_t *error);

/*
 * Where the next line may be made, so that gh_record_later finds it in its place: GH_RECORD_LINE_MAX bytes, the record's, good for one line until
 * another is kept or the record is closed. NULL: make it elsewhere.
 */
char *gh_record_later_room(gh_record_t *record);

int gh_record_flush(gh_record_t *record, gh_error_t *error);

#define GH_RECORD_BACK_MS 5000u
#define GH_RECORD_LOOK_MS 10u

/* ---- lines on the disk: with options.sync ---- */

/*
 * What was appended last has this ticket; 0: nothing was, or nothing is synced. Up to gh_record_durable all lines are on the disk; without
 * options.sync, all that were kept are with the kernel. A line that
 * is owed (an outcome) is taken also when no segment can be begun after a sync that failed, and written with the others when one can.
 */
uint64_t gh_record_ticket(const gh_record_t *record);
uint64_t gh_record_durable(const gh_record_t *record);

/*
 * When the eventfd says that something was done. After a sync that failed the lines since the last good one are written again into a new
 * segment, keeping their tickets. GH_ERROR: none could be begun; nothing that waits for a ticket up to now may go on, whatever comes of it.
 * A directory is given such a segment every GH_RECORD_BACK_MS at most, so that a disk that syncs nothing gets few.
 */
int gh_record_synced(gh_record_t *record, uint64_t now_ms, gh_error_t *error);

/* Calls of fdatasync so far. */
uint64_t gh_record_syncs(const gh_record_t *record);

/* From a timer: rolls by time though nobody writes, returns to the first directory. */
void gh_record_tick(gh_record_t *record, uint64_t now_ms);

typedef struct {
    unsigned directory;               /* of the segment in use */
    uint64_t owed;                    /* outcomes */
    uint64_t failures;                /* segments that were left because of an error; *why is of the last */
    bool     no_hold;                 /* the file system gives no blocks ahead: an outcome may not fit */
    char     why[256];
} gh_record_state_t;

const gh_record_state_t *gh_record_state(const gh_record_t *record);

/* File in use, "" when none is. */
const char *gh_record_file(const gh_record_t *record);

/* ---- going on where another writer ended ---- */

typedef struct {
    gh_segment_t segment;             /* taken; its bytes behind the last line were cut off already */
    uint64_t     n;                   /* of the next line */
    char         chain[64];           /* SHA-256 of the last line, hexadecimal */
    uint64_t     torn_bytes;          /* that were cut off */
    bool         sealed;              /* the last line is a seal: nothing follows in this file */
} gh_record_left_t;

/*
 * Reads how a taken segment ends; only left->segment is set. *done: in a seal that names no next one, so nothing is left to do. A segment
 * without a whole line, or whose last line is not ours, counts as sealed. GH_ERROR "audit_unreadable".
 */
int gh_record_left_read(gh_record_left_t *left, bool *done, gh_error_t *error);

/* Cuts off what stands behind the last line, left->torn_bytes of it. */
int gh_record_left_cut(gh_record_left_t *left, gh_error_t *error);

/*
 * The writer of that name (node, epoch_ms, pid of options) once more, behind its last segment: in it, or in the next one when it is
 * sealed or was torn. The segment is the record's from here on, in any case. NULL when out of memory.
 */
gh_record_t *gh_record_resume(const gh_record_options_t *options, const gh_record_left_t *left);

/* This request is owed an outcome by the decision in the segment of that number. false: out of memory. */
bool gh_record_owe(gh_record_t *record, gh_str_t id, uint64_t sequence);

#endif
