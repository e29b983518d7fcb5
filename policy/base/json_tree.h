/*
 * Documents are read by the same strict reader into a tree that knows the line and column of every value.
 * Duplicate keys are errors. Nodes live in the arena; strings are decoded UTF-8.
 */
#ifndef GH_JSON_TREE_H
#define GH_JSON_TREE_H

#include "policy/base/error.h"
#include "policy/base/json_reader.h"
#include "policy/base/json_writer.h"
#include "policy/base/str.h"

typedef enum {
    GH_NODE_OBJECT, GH_NODE_ARRAY, GH_NODE_STRING, GH_NODE_NUMBER, GH_NODE_TRUE, GH_NODE_FALSE, GH_NODE_NULL
} gh_node_type_t;

typedef struct gh_node_s gh_node_t;

struct gh_node_s {
    gh_node_type_t type;
    uint32_t       line, column;          /* of the value, from 1 */
    gh_str_t       key;                   /* decoded, when the parent is an object */
    uint32_t       key_line, key_column;
    gh_str_t       text;                  /* STRING: decoded; NUMBER: original spelling */
    gh_node_t     *first;                 /* children in order */
    gh_node_t     *next;
    size_t         count;                 /* children */
};

/* GH_ERROR with source:line:column in *error for the first syntax error, duplicate key included. */
int gh_json_parse(gh_arena_t *arena, gh_str_t text, const char *source, gh_node_t **root, gh_error_t *error);

/* Member of an object by decoded key, or NULL. */
const gh_node_t *gh_node_get(const gh_node_t *object, const char *key);

/* "an object", "a string", ... for messages. */
const char *gh_node_type_name(gh_node_type_t type);

/* NUMBER that is an integer 0..2^63-1. */
int gh_node_u64(const gh_node_t *node, uint64_t *out);

/* The value as JSON again: numbers in their spelling, no white space. */
void gh_node_write(gh_json_writer_t *w, const gh_node_t *node);

/* The same value, members in any order? The key that it stands behind is not looked at. */
bool gh_node_same(const gh_node_t *a, const gh_node_t *b);

#endif
