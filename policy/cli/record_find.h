/* Finding the lines of one request in the record's segment files. */
#ifndef GH_CLI_RECORD_FIND_H
#define GH_CLI_RECORD_FIND_H

#include <jansson.h>

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"

#define GH_CLI_LINES_MAX 256    /* of one request: a decision, an outcome and its attempts are a handful */

typedef struct {
    json_t     *json;           /* the parsed line; dropped by gh_cli_record_free */
    const char *file;           /* where it stands, arena-owned */
} gh_cli_line_t;

typedef struct {
    gh_cli_line_t lines[GH_CLI_LINES_MAX];
    size_t        count;
    size_t        damaged;      /* lines that name the id and are not JSON */
    size_t        files;        /* segment files looked at */
} gh_cli_lines_t;

/*
 * Every line whose "id" is this one, by time, from DIR/open and DIR/sealed, or from DIR itself when it has neither, for each directory (NULL ends
 * them). The id's own time (milliseconds) says which files are read first; the others are read only when those have nothing. GH_ERROR: a directory or file
 * cannot be read.
 */
int gh_cli_record_find(gh_arena_t *arena, const char *const *directories, gh_str_t id, uint64_t id_ms, gh_cli_lines_t *lines,
    gh_error_t *error);

void gh_cli_record_free(gh_cli_lines_t *lines);

#endif
