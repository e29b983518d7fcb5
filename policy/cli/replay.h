/*
 * The counters of a ledger that is gone, from its last checkpoint and from the record written after it.
 *
 * A request decided after the checkpoint is charged what its outcome says, by each limit that its decision names; one without an outcome what
 * it had reserved, or, its last attempt, what its `lost` line says. One that was denied once it was admitted is a request, by the limits
 * that counted it. What the checkpoint has of it already is taken off. On any doubt it is charged: a request
 * decided within GH_REPLAY_MARGIN_MS before the checkpoint, or while it was made, may be charged twice. Nothing that is in the record is
 * charged less than it was.
 */
#ifndef GH_REPLAY_H
#define GH_REPLAY_H

#include "policy/ledger/checkpoint.h"

#define GH_REPLAY_MARGIN_MS 1000u     /* a worker's clock is that of its last event */

typedef struct gh_replay_s gh_replay_t;

typedef struct {
    uint64_t segments, lines;         /* that were read */
    uint64_t requests, unfinished;    /* charged; of them: without an outcome */
    uint64_t damaged;                 /* lines that are none, whose basis is not there, or that name what nobody counts */
    uint64_t open;                    /* reservations of the checkpoint, charged in full */
    uint64_t counters;                /* that are not zero now */
} gh_replay_told_t;

/* checkpoint: borrowed; NULL: none, and the whole record is replayed. NULL: out of memory. */
gh_replay_t *gh_replay_new(const gh_checkpoint_t *checkpoint);
void gh_replay_free(gh_replay_t *replay);

/* A directory of the record: its segments, or those in its open/ and sealed/. One that is not there has none. GH_ERROR "audit_denied". */
int gh_replay_add(gh_replay_t *replay, const char *directory, gh_error_t *error);

/* Reads all segments that may say anything from the checkpoint on. GH_ERROR "audit_denied", "no_memory". */
int gh_replay_read(gh_replay_t *replay, gh_error_t *error);

/* Into a new ledger, of which this process has a slot; windows that are over by now_ms are left out. It grows when it has to. GH_ERROR "ledger_*". */
int gh_replay_load(gh_replay_t *replay, gh_ledger_t *ledger, uint64_t now_ms, gh_error_t *error);

const gh_replay_told_t *gh_replay_told(const gh_replay_t *replay);

#endif
