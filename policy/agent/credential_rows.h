/*
 * Credentials of backends, as sources of the agent: credentials/1 is read again when its file changes; each credential is fetched ahead of its end and handed to the
 * workers. A document that cannot be read leaves those in force that the last good one said.
 */
#ifndef GH_AGENT_CREDENTIAL_ROWS_H
#define GH_AGENT_CREDENTIAL_ROWS_H

#include "policy/agent/source.h"

#define GH_CREDENTIAL_REFUSED_MS 10000u

typedef struct gh_credential_rows_s gh_credential_rows_t;

/* file: the document, which may be missing: then there are none. directory: of credential_hand.h. Both are borrowed. NULL: no memory. */
gh_credential_rows_t *gh_credential_rows_new(gh_sources_t *sources, const char *file, const char *directory);

/* Now and then, in the main thread: is the document another one? again: read it whether it is or not. */
void gh_credential_rows_look(gh_credential_rows_t *rows, bool again);

/* bits: of gh_ledger_credentials_refused. Those are fetched anew, each at most every GH_CREDENTIAL_REFUSED_MS. */
void gh_credential_rows_refused(gh_credential_rows_t *rows, uint64_t bits, uint64_t now_ms);

/* After gh_sources_free. */
void gh_credential_rows_free(gh_credential_rows_t *rows);

#endif
