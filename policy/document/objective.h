/* tenants/1: "objective". Private to policy/document. */
#ifndef GH_OBJECTIVE_H
#define GH_OBJECTIVE_H

#include "policy/document/reading.h"

/* Of 1000, what latency weighs; cost weighs the rest. Left as it is when node is NULL or wrong, which is reported. */
void gh_doc_objective(gh_loader_t *loader, const gh_node_t *node, uint16_t *latency_weight);

#endif
