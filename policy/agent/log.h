/*
 * The agent's log: one JSON object a line on stderr, {"t","level","what",...}, with a syslog priority in front where systemd reads it. Secrets are never handed to it:
 * what is said of a source is its name and an error's text, which holds none.
 *
 * Safe to call from several threads: a line is one write.
 */
#ifndef GH_AGENT_LOG_H
#define GH_AGENT_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/error.h"

typedef enum { GH_LOG_ERROR = 3, GH_LOG_WARNING = 4, GH_LOG_NOTICE = 5, GH_LOG_INFO = 6, GH_LOG_DEBUG = 7 } gh_log_level_t;

extern const char *const gh_log_level_names[];   /* by level; NULL: there is none of that number; ends at GH_LOG_DEBUG */

/* Lines of a level above `most` are left out. priorities: "<5>" in front, as sd-daemon(3) has it. */
void gh_log_open(gh_log_level_t most, bool priorities);

/*
 * what: what happened, in a few words that stay the same ("keys fetched"). Then pairs of a name and a value, both C strings, ended by NULL; pairs with a NULL value are
 * left out. Long lines are cut at a pair.
 */
void gh_log(gh_log_level_t level, const char *what, ...) __attribute__((sentinel));

/* The same with "error" and "code" of an error in front of the pairs. */
void gh_log_error(gh_log_level_t level, const char *what, const gh_error_t *error, ...) __attribute__((sentinel));

#endif
