/* Says in the log which facts of the fleet in force are about to be unknown, since their evidence ends, and which have become so. */
#ifndef GH_AGENT_EVIDENCE_WATCH_H
#define GH_AGENT_EVIDENCE_WATCH_H

#include "policy/store/store.h"

#define GH_EVIDENCE_SOON_MS (UINT64_C(14) * 86400000)
#define GH_EVIDENCE_SAID    32u              /* facts that are named at one time; of more, how many */

typedef struct {
    uint64_t said_ms;                        /* 0: not yet */
    uint64_t serial;                         /* of the image that it was said of */
} gh_evidence_watch_t;

/* At the start, once a day, and of another policy an hour after the last time at the earliest. Cheap else. */
void gh_evidence_watch_look(gh_evidence_watch_t *watch, gh_store_t *store, uint64_t now_ms);

#endif
