/* A limit of tenants/1 as it is written, whatever else its document says: for whoever compares documents. */
#ifndef GH_LIMIT_NODE_H
#define GH_LIMIT_NODE_H

#include "policy/document/model.h"
#include "policy/quota/limit_node.h"

/* Every one of a list that can be read, with its strings in the arena; none when node is no list. GH_ERROR: out of memory. */
int gh_limit_node_list(gh_arena_t *arena, const gh_node_t *list, gh_level_t level, gh_limit_list_t *limits);

#endif
