/* The ledger's counters, copied to the disk again and again: a source, so that a slow disk keeps nothing else from its turn. */
#ifndef GH_AGENT_CHECKPOINTS_H
#define GH_AGENT_CHECKPOINTS_H

#include "policy/agent/source.h"

#define GH_CHECKPOINTS_EVERY_MS 5000u

typedef struct {
    gh_source_t source;
    const char *ledger, *path;        /* borrowed */
    uint8_t     key[32];              /* of store.key */
    uint64_t    every_ms;
    bool        failing;
} gh_checkpoints_t;

void gh_checkpoints_init(gh_checkpoints_t *checkpoints, const char *ledger, const char *path, const uint8_t key[32], uint64_t every_ms);

/* One now, in this thread: at the agent's end. */
int gh_checkpoints_make(const gh_checkpoints_t *checkpoints, gh_error_t *error);

#endif
