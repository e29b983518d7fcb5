/* Which record somebody writes or finishes, in two numbers: those that come to the same may finish each other's files. */
#ifndef GH_RECORD_MARK_H
#define GH_RECORD_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/audit/record_writer.h"

typedef struct { uint64_t node, audit; } gh_record_mark_t;

/*
 * Of the node's name, and of the directories themselves, by whatever path: neither is 0. finishes: audit is 0 when this process may not write in the open/ of
 * a directory that is there. Asks the file system.
 */
void gh_record_mark(const gh_record_options_t *options, bool finishes, gh_record_mark_t *mark);

#endif
