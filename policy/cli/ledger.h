/* What the `gatehouse ledger` commands share. */
#ifndef GH_CLI_LEDGER_H
#define GH_CLI_LEDGER_H

#include <jansson.h>

#include "policy/cli/cli.h"
#include "policy/ledger/reservation.h"

/* "64m", "1g", "512k", or bytes. GH_ERROR: it is none of these. */
int gh_cli_size_parse(const char *text, uint64_t *size);

/* "64m" when it is whole, else bytes. Arena-owned. */
const char *gh_cli_size_text(gh_arena_t *arena, uint64_t size);

/* The ledger that the command names, and its store's head does not have to know of it. NULL after a message with the command to run. */
gh_ledger_t *gh_cli_ledger_open(const gh_cli_t *cli, bool writable);

/* {"level","uid","dimension","per","class","model"}: model is its number in 16 hexadecimal digits, not there for all models. */
json_t *gh_cli_counter_json(const gh_counter_id_t *id);

/* "tenant 17: tokens per day, budget, of model 0123456789abcdef". Arena-owned. */
const char *gh_cli_counter_text(gh_arena_t *arena, const gh_counter_id_t *id);

/* "2026-11-27T00:00:00Z", when the window begins; NULL: it has none. Arena-owned. */
const char *gh_cli_window_text(gh_arena_t *arena, gh_per_t per, uint32_t window);

#endif
