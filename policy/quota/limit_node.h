/* A limit as documents write it, whatever else stands beside it: for whoever compares documents, and for what an image holds as text. */
#ifndef GH_QUOTA_LIMIT_NODE_H
#define GH_QUOTA_LIMIT_NODE_H

#include "policy/base/json_tree.h"
#include "policy/quota/limits.h"

/* false: it cannot be read. Whether it can be held is not looked at. *model borrows from the node. */
bool gh_limit_node_read(const gh_node_t *node, gh_level_t level, gh_limit_t *limit, gh_str_t *model);

#endif
