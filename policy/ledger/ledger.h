/*
 * The ledger: one small mapped file in which every worker says what it is doing with policy, so that an edit knows when all obey it. What
 * will hurt you first:
 *  - only `gatehouse init` makes it (gh_ledger_create); everything else refuses with the command to run;
 *  - alive means holding an open-file-description lock on the slot's byte, never a process id: the kernel drops it at the owner's death,
 *    after which the slot's words say nothing any more;
 *  - a slot is written by its owner alone, a window never spans an event, and bytes of a request are written inside a window only.
 *
 * The edit barrier. A worker, in front of every write: gh_window_open (stored, then a full fence), a new snapshot of the store,
 * gh_window_at(its transaction), the judgement, the write, gh_window_close. An editor: commits, gh_barrier_announce (a full fence), then
 * gh_barrier_wait. Either the editor sees the window, or the window's snapshot sees the edit.
 */
#ifndef GH_LEDGER_H
#define GH_LEDGER_H

#include <stdbool.h>

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/ledger/ledger_format.h"
#include "policy/ledger/trace.h"

/* Of the one gateway of a host; one with another home has HOME/ledger unless it is told. */
#define GH_LEDGER_PATH "/run/gatehouse/ledger"

typedef struct gh_ledger_s gh_ledger_t;

/*
 * Makes PATH with all its blocks, complete or not there. A file that is there stays as it is: GH_OK and *made false; gh_ledger_open tells
 * what it is. size: bytes, GH_LEDGER_SIZE_MIN to GH_LEDGER_SIZE_MAX, rounded up to pages. id, store_id: 16 bytes each. GH_ERROR:
 * "ledger_size", "ledger_denied", "ledger_full" (no space), "ledger_missing" (no directory).
 */
int gh_ledger_create(const char *path, uint64_t size, const uint8_t id[16], const uint8_t store_id[16], bool *made, gh_error_t *error);

/*
 * Maps it. writable: for workers and editors; else only to look. NULL and *error: "ledger_missing", "ledger_denied", "ledger_damaged" (not a
 * ledger, or cut short), "ledger_version", "ledger_processor" (without the instruction that counting needs).
 */
gh_ledger_t *gh_ledger_open(const char *path, bool writable, gh_error_t *error);

/*
 * Makes it larger, to `size` bytes in all, while workers use it: they find the new room by themselves. GH_ERROR: "ledger_size" (it has that
 * already, or cannot have it), "ledger_full" (no space), "ledger_busy", "ledger_denied"; the ledger is as it was.
 */
int gh_ledger_grow(gh_ledger_t *ledger, uint64_t size, gh_error_t *error);

/* Bytes, as of now. */
uint64_t gh_ledger_size(const gh_ledger_t *ledger);

/* Unmaps it; a slot taken is free from then on. */
void gh_ledger_close(gh_ledger_t *ledger);

const gh_ledger_header_t *gh_ledger_header(const gh_ledger_t *ledger);

/* Is this the ledger of that store, and the one that the store's head names? GH_ERROR "ledger_other" says which of them it is not. */
int gh_ledger_check(const gh_ledger_t *ledger, const uint8_t store_id[16], const uint8_t ledger_id[16], gh_error_t *error);

/* Does PATH still lead to the file that is mapped? GH_ERROR "ledger_missing" or "ledger_other". */
int gh_ledger_still(const gh_ledger_t *ledger, gh_error_t *error);

/* Was it made before the machine was booted last? */
bool gh_ledger_of_earlier_boot(const gh_ledger_t *ledger);

/* Does anybody hold a slot of the file at PATH, whatever its layout? On any doubt: true. */
bool gh_ledger_in_use(const char *path);

/* ---- the owner of a slot: a worker ---- */

typedef struct {
    uint32_t pid, generation;
    uint64_t start_ms;
} gh_slot_owner_t;

#define GH_GENERATION_AGENT UINT32_MAX  /* of the agent's slot: it counts what the dead left and sends nothing, so no editor waits for it */

/*
 * Takes a free slot: locks its byte, finishes and resets what the last owner left, fills it in. One whose last owner left nothing is
 * preferred: what others left is the sweeper's, who tells of it. The slot is the ledger's until gh_ledger_close or the process's end. NULL:
 * "ledger_full" when all are taken, "ledger_denied".
 */
gh_slot_t *gh_ledger_slot_take(gh_ledger_t *ledger, const gh_slot_owner_t *owner, gh_error_t *error);

/* The number of the slot taken. */
uint32_t gh_ledger_slot_number(const gh_ledger_t *ledger);

#define gh_slot_set(slot, field, value) __atomic_store_n(&(slot)->field, (value), __ATOMIC_RELEASE)
#define gh_slot_get(slot, field)        __atomic_load_n(&(slot)->field, __ATOMIC_ACQUIRE)

/* Before policy is read for a write. */
static inline void
gh_window_open(gh_slot_t *slot)
{
    __atomic_store_n(&slot->window, GH_WINDOW_READING, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    gh_trace(slot, "window", GH_WINDOW_READING);
}

/* Policy was read in the snapshot of this transaction. */
static inline void
gh_window_at(gh_slot_t *slot, uint64_t transaction)
{
    __atomic_store_n(&slot->window, transaction, __ATOMIC_RELEASE);
    gh_trace(slot, "snapshot", transaction);
}

/* What was to be written is in the socket, or refused. */
static inline void
gh_window_close(gh_slot_t *slot)
{
    gh_trace(slot, "close", 0);
    __atomic_store_n(&slot->window, GH_WINDOW_CLOSED, __ATOMIC_RELEASE);
}

/* Of another store from here on: what was swept was the last one's. 0: none is open. */
void gh_slot_store(gh_slot_t *slot, uint64_t inode);

/* ---- gaps of the record ---- */

typedef struct {
    uint32_t slot, pid;               /* of whoever sent them */
    uint32_t requests, attempts;
    uint64_t from_ms, to_ms;
} gh_ledger_gap_t;

/* What the owner of the slot sent without a line, in all, before the next of it is sent. */
void gh_slot_gap_set(gh_slot_t *slot, const gh_ledger_gap_t *gap);

/* As it stands; true: there is something. Also of what an earlier owner left, whose slot was taken. */
bool gh_slot_gap(const gh_slot_t *slot, gh_ledger_gap_t *gap);

/* GH_OK: the record has it now, and the slot forgets it; GH_ERROR: it stays, and the others are not asked. */
typedef int (*gh_ledger_gap_fn)(void *context, const gh_ledger_gap_t *gap);

/* What dead owners left, each slot locked meanwhile. GH_ERROR: the function said so, or "ledger_denied". */
int gh_ledger_gaps(gh_ledger_t *ledger, gh_ledger_gap_fn found, void *context, gh_error_t *error);

/* ---- editors ---- */

/* Slots whose owner is alive, in ascending order: numbers[0..*count), at most GH_LEDGER_SLOTS. GH_ERROR "ledger_denied". */
int gh_ledger_live(const gh_ledger_t *ledger, uint32_t numbers[GH_LEDGER_SLOTS], size_t *count, gh_error_t *error);

/* One worker as it was seen. */
typedef struct {
    uint32_t    slot, pid, generation;
    uint64_t    start_ms, window, swept, store_inode, used_revision;
    uint32_t    running, cut, finishing, forbidden;
    const char *waits_for;            /* NULL: it obeys; else what is missing, in words */
} gh_barrier_worker_t;

typedef struct {
    gh_barrier_worker_t *workers;     /* the living ones, arena-owned */
    size_t               count;
    size_t               waiting;     /* of them: those that do not obey yet, or have not answered */
} gh_barrier_report_t;

/* After the commit: a full fence, then the transaction's number for every worker to see, and one more of its edits. */
void gh_barrier_announce(gh_ledger_t *ledger, uint64_t transaction);

/*
 * Waits until every living worker obeys the transaction of the store whose data.mdb has this inode: no window open under an older one, and
 * running dispatches judged under it. GH_OK when *report says waiting 0 or timeout_ms is over; GH_ERROR: the ledger cannot be looked at.
 */
int gh_barrier_wait(gh_ledger_t *ledger, uint64_t transaction, uint64_t inode, uint64_t timeout_ms, gh_arena_t *arena,
    gh_barrier_report_t *report, gh_error_t *error);

/*
 * Asks every worker with running dispatches how many the proposal in the store would forbid (gh_slot_t.proposal_forbidden), and waits for the
 * answers as gh_barrier_wait does. number: random, not 0. The question is withdrawn when it returns.
 */
int gh_barrier_propose(gh_ledger_t *ledger, uint64_t number, uint64_t inode, uint64_t timeout_ms, gh_arena_t *arena,
    gh_barrier_report_t *report, gh_error_t *error);

/* The living workers as they are, none of them waited for. */
int gh_barrier_look(gh_ledger_t *ledger, gh_arena_t *arena, gh_barrier_report_t *report, gh_error_t *error);

/*
 * Dispatches cut between two looks. A worker that ended in between, as one that drains does with its last dispatch, has left its number in its
 * slot until another takes it. ledger NULL: those are not counted.
 */
uint64_t gh_barrier_cut(const gh_ledger_t *ledger, const gh_barrier_report_t *before, const gh_barrier_report_t *after);

/* The sum of one number over a report's workers. */
uint64_t gh_barrier_finishing(const gh_barrier_report_t *report);
uint64_t gh_barrier_forbidden(const gh_barrier_report_t *report);
uint64_t gh_barrier_used_revision(const gh_barrier_report_t *report);   /* the highest, not the sum */

#endif
