/* A progress bar on stderr for work that takes long: only on a terminal, only after the first moments. */
#ifndef GH_CLI_PROGRESS_H
#define GH_CLI_PROGRESS_H

#include "policy/cli/cli.h"

typedef struct {
    const char *what;              /* "reviewing" */
    bool        terminal;
    bool        shown;
    uint64_t    begun_ms, last_ms;
} gh_cli_progress_t;

void gh_cli_progress_begin(gh_cli_progress_t *progress, const char *what);

/* As often as wanted: draws at most ten times a second. context: the gh_cli_progress_t. */
void gh_cli_progress_tick(void *context, uint64_t done, uint64_t total);

/* Takes the bar away. */
void gh_cli_progress_end(gh_cli_progress_t *progress);

#endif
