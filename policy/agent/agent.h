/*
 * `gatehouse agent`: everything slow or blocking that the workers must not do. One process; its main thread keeps time, hears signals, sweeps, and writes
 * all that is written; what waits for others is a source (source.h) with a thread of its own while it runs. The gateway serves on while the agent is down.
 */
#ifndef GH_AGENT_H
#define GH_AGENT_H

#include "policy/agent/log.h"
#include "policy/audit/record_writer.h"

typedef struct {
    const char    *home, *secrets, *ledger;
    const char    *audit[GH_RECORD_DIRECTORIES];   /* the second may be NULL */
    const char    *node;              /* as gatehouse_node has it */
    const char    *ca_file;           /* PEM: whom identity providers are believed by; NULL: the system's */
    uint64_t       checkpoint_ms;
    gh_log_level_t level;
} gh_agent_options_t;

/*
 * Until SIGTERM or SIGINT. GH_OK; GH_ERROR with *error when it could not begin: "agent_running" (another one has HOME/agent/lock), "agent_missing" (no HOME/agent:
 * gatehouse init makes it), "agent_denied", a store_* code of the key, or "no_memory". What fails later is logged and tried again.
 */
int gh_agent_run(const gh_agent_options_t *options, gh_error_t *error);

#endif
