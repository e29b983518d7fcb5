/* The documents of a revision that the store keeps. */
#ifndef GH_CLI_REVISION_DOCUMENTS_H
#define GH_CLI_REVISION_DOCUMENTS_H

#include "policy/cli/policy.h"

/* The sources of a revision; 0: of the one in force. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
int gh_cli_revision_documents(gh_cli_t *cli, gh_store_t *store, uint64_t revision, gh_cli_documents_t *documents);

#endif
