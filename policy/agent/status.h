/*
 * What the agent does and when it did it last, for `gatehouse agent status`: a file that it writes again and again while it runs, and once more when it ends. After that
 * the file stays as it is, and what stands in it grows old.
 *
 *   HOME/agent/status.json   {"kind":"agent-status/1","version","node","pid","began_ms","written_ms","ended","ledger","store","sweeps","sweep","swept_ms",
 *                             "sources":[{"kind","name","began_ms","succeeded_ms","due_ms","until_ms","again","idle","failures","code","error"}]}
 *
 * ledger, store: "" when they can be used, else the code of why not; sweep: "" unless it is left to the workers for good. Nothing secret is in it.
 */
#ifndef GH_AGENT_STATUS_H
#define GH_AGENT_STATUS_H

#include "policy/agent/source.h"

#define GH_STATUS_EVERY_MS 2000u
#define GH_STATUS_MAX      (8u << 20)        /* bytes of the file */

typedef struct {
    const char *version, *node, *ledger, *store, *sweep;
    uint64_t    pid, began_ms, written_ms, swept_ms;
    bool        ended, sweeps;
} gh_status_t;

/* directory: HOME/agent. The file is replaced in one step; it is not waited for until it is on the disk. GH_ERROR "status_write". */
int gh_status_write(const char *directory, const gh_status_t *status, const gh_sources_t *sources, gh_error_t *error);

/* ---- of the file, as it was read ---- */

typedef struct {
    gh_str_t kind, name, code, error;
    uint64_t began_ms, succeeded_ms, due_ms, until_ms, failures;
    bool     again, idle;
} gh_status_source_t;

typedef struct {
    gh_str_t            version, node, ledger, store, sweep;
    uint64_t            pid, began_ms, written_ms, swept_ms;
    bool                ended, sweeps;
    gh_status_source_t *sources;
    size_t              count;
} gh_status_seen_t;

/* Strings are the arena's. *there false: no agent of this home ever wrote one. GH_ERROR "status": it is none. */
int gh_status_read(gh_arena_t *arena, const char *directory, gh_status_seen_t *seen, bool *there, gh_error_t *error);

#endif
