/*
 * The beginning of a line of the record, which is the same in every line: {"prev":"<64 hex>","n":N,"v":1,"type":"...","t":N,"id":"...",
 * and in a decision "verdict":"...", without white space. Read by bytes, not as JSON: a line that does not begin so was not written by Gatehouse.
 */
#ifndef GH_LINE_H
#define GH_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/str.h"

typedef enum {
    GH_LINE_OTHER = 0, GH_LINE_SEGMENT, GH_LINE_DECISION, GH_LINE_ATTEMPT, GH_LINE_OUTCOME, GH_LINE_LOST, GH_LINE_CHANGE, GH_LINE_SEAL,
    GH_LINE_BASIS, GH_LINE_GAP
} gh_line_type_t;

typedef struct {
    gh_str_t       prev;              /* 64 bytes of hexadecimal */
    uint64_t       n;
    gh_line_type_t type;              /* OTHER: none of these */
    uint64_t       t;                 /* ms since the epoch */
    gh_str_t       id;                /* empty: it has none */
    bool           allow;             /* a decision that allows: an outcome is owed */
} gh_line_t;

/* Of a body, which has no "prev" and "n" yet: they stay as they are. false: it does not begin with "v", "type" and "t". */
bool gh_line_body(gh_str_t body, gh_line_t *line);

/* Of a whole line, without its newline. */
bool gh_line_read(gh_str_t text, gh_line_t *line);

/* The value of a member of an object, a line or a part of one, as it is written; objects and arrays whole. Empty when there is none. */
gh_str_t gh_line_member(gh_str_t text, const char *key);

/* The last item of an array, likewise. */
gh_str_t gh_line_last(gh_str_t array);

/* A member that is a number; 0 when there is none. */
uint64_t gh_line_number(gh_str_t text, const char *key);

/* 64 bits of an id, for tables: of a UUIDv7 its random ones. */
uint64_t gh_line_id_key(gh_str_t id);

#endif
