/* JSON trees that are made rather than read, and written for people: what an import makes, and what it is merged into. */
#ifndef GH_TREE_H
#define GH_TREE_H

#include "policy/base/json_tree.h"

typedef struct {
    gh_arena_t *arena;
    bool        no_memory;     /* something could not be made: the tree is not to be used */
} gh_tree_maker_t;

/* Texts are borrowed. NULL, which every function here takes, when out of memory. */
gh_node_t *gh_tree_object(gh_tree_maker_t *maker);
gh_node_t *gh_tree_array(gh_tree_maker_t *maker);
gh_node_t *gh_tree_string(gh_tree_maker_t *maker, gh_str_t text);
gh_node_t *gh_tree_number(gh_tree_maker_t *maker, uint64_t number);

/* A node with everything below it, anew, under the same key. */
gh_node_t *gh_tree_copy(gh_tree_maker_t *maker, const gh_node_t *node);

/* Puts value at the end of an array. */
void gh_tree_append(gh_node_t *array, gh_node_t *value);

/* A member: in the place of the one that has this key, else at the end. */
void gh_tree_set(gh_node_t *object, gh_str_t key, gh_node_t *value);

/* Takes a member away, if it is there. */
void gh_tree_remove(gh_node_t *object, const char *key);

/* Same values; members of objects in any order. Numbers by their spelling. */
bool gh_tree_same(const gh_node_t *a, const gh_node_t *b);

/*
 * For people: what fits on a line of 120 columns stands on one, everything else one member a line, indented by 2. Ends with a newline. The same tree is always
 * the same text. data NULL: out of memory.
 */
gh_str_t gh_tree_print(gh_arena_t *arena, const gh_node_t *node);

#endif
