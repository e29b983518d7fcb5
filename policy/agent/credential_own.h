/*
 * What the agent handed over, and what a person put there: beside each file of the credentials directory that the agent wrote stands of which source it came and what it was,
 * so that what credentials/1 does not say any more can be taken away, after a restart too. A file that is not what the agent wrote is never touched.
 *
 *   .NAME.from   {"source": gh_credential_source_mark, "file": SHA-256 of the file in lower-case hexadecimal}
 */
#ifndef GH_AGENT_CREDENTIAL_OWN_H
#define GH_AGENT_CREDENTIAL_OWN_H

#include "policy/agent/credentials.h"

/* The file of that name is the agent's, of that source. GH_ERROR "hand_over" or "no_memory": it is not written down. */
int gh_credential_own(gh_arena_t *arena, const char *directory, const gh_credential_source_t *source, gh_error_t *error);

/*
 * Takes away what the agent handed over under the source's name of another description of it, when it has no end: what ends does so by itself. true: it was
 * there and is gone.
 */
bool gh_credential_own_replaced(gh_arena_t *arena, const char *directory, const gh_credential_source_t *source);

/*
 * Takes away what the agent handed over for credentials that the list does not have, and why they could not be fetched. gone, which may be NULL, hears of each
 * file that went.
 */
void gh_credential_own_sweep(const char *directory, const gh_credential_list_t *list, void (*gone)(const char *name));

#endif
