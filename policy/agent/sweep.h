/*
 * What dead workers left behind, and edits of the store, brought to the ledger and to the record by the agent instead of by a worker: as
 * the module does it while no agent lives. It begins once the lease in the ledger is the agent's, so that one process does it at a time; two would
 * do no harm. A record that is not the workers' is none to finish: then they go on, and the log says why. Each turn does a bounded amount of work, in the main thread: workers would otherwise think that the agent is gone.
 */
#ifndef GH_AGENT_SWEEP_H
#define GH_AGENT_SWEEP_H

#include "policy/audit/record_writer.h"
#include "policy/ledger/ledger.h"
#include "policy/store/store.h"

typedef struct gh_sweep_s gh_sweep_t;

/* record: directories, node and version of the workers' own; strings live as long. NULL: no memory. */
gh_sweep_t *gh_sweep_new(const gh_record_options_t *record);

/* The lease is given back to ledger (NULL: that is gone), the chain of changes too. */
void gh_sweep_free(gh_sweep_t *sweep, gh_ledger_t *ledger);

/* One turn. ledger: with a slot taken. store: NULL while there is none. Returns in how many milliseconds the next should come. */
uint64_t gh_sweep_turn(gh_sweep_t *sweep, gh_ledger_t *ledger, gh_store_t *store, uint64_t now_ms);

/* Is the lease the agent's? */
bool gh_sweep_leads(const gh_sweep_t *sweep);

/*
 * Why it is left to the workers for good: "sweep_node" (they are of another node), "sweep_audit" (they write elsewhere), "sweep_denied" (where this process may not),
 * "": it is not.
 */
const char *gh_sweep_wrong(const gh_sweep_t *sweep);

#endif
