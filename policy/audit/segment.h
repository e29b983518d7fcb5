/*
 * One file of the record: <audit>/open/<node>-<epoch>-<pid>-<sequence>.jsonl. What will hurt you first:
 *  - its writer is alive as long as somebody holds the open-file-description lock on it, never judged by the process id in its name;
 *  - it gets its name when its first line is in it, and all its blocks before that; its length is that of whole lines;
 *  - after an error that may have lost bytes it is never written again (`failed`).
 */
#ifndef GH_SEGMENT_H
#define GH_SEGMENT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "policy/base/error.h"
#include "policy/base/str.h"

#define GH_SEGMENT_NAME 208           /* bytes of a name with its NUL, at most */
#define GH_SEGMENT_PATH (PATH_MAX + GH_SEGMENT_NAME + 16)

typedef struct {
    gh_str_t node;                    /* as in the name: other bytes than letters, digits, ".", "-" and "_" are "_" */
    uint64_t epoch_ms, pid, sequence; /* pid 0: of no process, the chain of changes */
} gh_segment_name_t;

/* node borrows from name. false: not the name of a segment. */
bool gh_segment_name_parse(const char *name, gh_segment_name_t *parsed);
void gh_segment_name_write(const gh_segment_name_t *parts, char name[GH_SEGMENT_NAME]);

typedef struct {
    int      fd;                      /* holds the lock; -1: none */
    unsigned directory;               /* of the writer's */
    uint64_t sequence;
    uint64_t size;                    /* of whole lines */
    uint64_t held;                    /* bytes of the file that have their blocks, size included */
    uint64_t n;                       /* of the next line */
    uint64_t begun_ms;
    bool     failed;
    int      error;                   /* errno of what failed */
    unsigned through;                 /* whole lines of the write that failed which are in the file nevertheless: they count */
    char     name[GH_SEGMENT_NAME];
} gh_segment_t;

/*
 * A new one that has no name yet, locked, with `hold` bytes of blocks. *no_hold is set where the file system has none to give ahead.
 * GH_ERROR and errno; nothing is left behind.
 */
int gh_segment_make(const char *directory, const gh_segment_name_t *name, uint64_t hold, bool *no_hold, gh_segment_t *segment);

/* Gives it its name. GH_ERROR and errno, EEXIST when that is taken: it still has none. */
int gh_segment_publish(const char *directory, gh_segment_t *segment);

/* One that has no name yet goes away. */
void gh_segment_discard(const char *directory, gh_segment_t *segment);

/* Blocks up to this many bytes. GH_ERROR and errno. */
int gh_segment_hold(gh_segment_t *segment, uint64_t upto, bool *no_hold);

/*
 * Appends len bytes, whole lines with their newlines, in one write(2). GH_ERROR and errno: what was written is cut off again where the disk was
 * full; after any other error the segment has `failed`, and the first `through` lines count.
 */
int gh_segment_write(gh_segment_t *segment, const char *text, size_t len, unsigned lines);

/* Is it still there and as long as we left it? false: somebody removed it, cut it or wrote into it. *torn: bytes too many. */
bool gh_segment_intact(const gh_segment_t *segment, uint64_t *torn);

/* Gives back the blocks behind the last line, and the lock. */
void gh_segment_close(gh_segment_t *segment);

/* ---- a segment that somebody else wrote ---- */

typedef enum { GH_SEGMENT_TAKEN = 0, GH_SEGMENT_LIVE, GH_SEGMENT_GONE, GH_SEGMENT_UNREADABLE } gh_segment_take_t;

/*
 * Locks the file and opens it for appending; the caller decides what its writer left. UNREADABLE: errno. size is the file's length, held
 * too; n and begun_ms are not known yet.
 */
gh_segment_take_t gh_segment_take(const char *directory, const char *name, gh_segment_t *segment);

#endif
