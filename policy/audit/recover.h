/*
 * Finishing what dead writers left. A writer is dead when nobody holds the lock on its newest segment; who takes that lock goes on in its
 * place: cuts off an incomplete last line, writes a `lost` line for every request that is owed an outcome, and seals. The lines stand in
 * the dead writer's own chain, where room for them was held, so that each is there exactly once however often the one who recovers dies:
 * the next one reads what is written already.
 *
 * Works in steps of bounded size, for a worker's timer. One at a time is enough; two do no harm.
 */
#ifndef GH_RECOVER_H
#define GH_RECOVER_H

#include "policy/audit/record_writer.h"

typedef struct gh_recover_s gh_recover_t;

typedef struct {
    gh_record_options_t record;       /* directories, node, version, segment_bytes, roll_ms; its strings must live as long */
    uint64_t            recovered_by; /* pid of this process */

    /* What the ledger charged for a request: a JSON object, or empty when it is not known. May be NULL. */
    gh_str_t          (*charged)(void *context, gh_str_t id);
    void               *context;
} gh_recover_options_t;

typedef struct {
    uint64_t writers;                 /* recovered */
    uint64_t lost;                    /* lines written */
    uint64_t torn_bytes;              /* cut off */
    uint64_t damaged;                 /* lines that could not be read, or whose basis is not there, in segments of those writers */
} gh_recover_report_t;

/* NULL: out of memory. */
gh_recover_t *gh_recover_new(const gh_recover_options_t *options);

/* Gives back the locks; what is half done goes on later. */
void gh_recover_free(gh_recover_t *recover);

/*
 * Reads about `bytes` of segments, at most, or writes a few lines. *more: there is work left for a next call soon. *report (added to). GH_ERROR:
 * a directory or a dead writer's segment cannot be read or written; the others went on, and it is tried again by a later call.
 */
int gh_recover_step(gh_recover_t *recover, uint64_t now_ms, size_t bytes, bool *more, gh_recover_report_t *report, gh_error_t *error);

#endif
