/* The workers' ledger, to be looked at. */
#ifndef GH_CLI_LEDGER_LOOK_H
#define GH_CLI_LEDGER_LOOK_H

#include "policy/cli/cli.h"
#include "policy/ledger/ledger.h"
#include "policy/store/image.h"

/*
 * The ledger of --ledger, mapped to be read only; that of this store when one is given, whose head was read. NULL after a message with the
 * command to run. gh_ledger_close is the caller's.
 */
gh_ledger_t *gh_cli_ledger_look(const gh_cli_t *cli, gh_store_t *store);

/* "has expired", of GH_CREDENTIAL_IS_*. */
const char *gh_cli_credential_text(uint8_t credential);

/*
 * Is there no agent though one is needed: one ran and does not any more, or none ever did and credentials/1 is there, or the policy has issuers whose keys are fetched?
 * *since_ms: since when; 0: none ever ran.
 */
bool gh_cli_agent_missing(const gh_cli_t *cli, const gh_image_t *image, const gh_ledger_t *ledger, uint64_t now_ms, uint64_t *since_ms);

#endif
