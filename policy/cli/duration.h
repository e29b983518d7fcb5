/* Lengths of time as people write them. */
#ifndef GH_CLI_DURATION_H
#define GH_CLI_DURATION_H

#include <stdint.h>

#define GH_CLI_EVERY_MIN_MS 100u
#define GH_CLI_EVERY_MAX_MS 3600000u

/* "5s", "500ms", "1m", or seconds, from 100 ms to an hour. GH_ERROR: it is none. */
int gh_cli_every_parse(const char *text, uint64_t *ms);

#endif
