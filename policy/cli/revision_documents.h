/* The documents of a revision, back from the store. */
#ifndef GH_CLI_REVISION_DOCUMENTS_H
#define GH_CLI_REVISION_DOCUMENTS_H

#include "policy/cli/policy.h"
#include "policy/document/scope.h"

/*
 * The sources of a revision, by path; 0: of the one in force. Messages call them "revision 7: fleet.json". GH_EXIT_DONE, or GH_EXIT_ERROR
 * after a message, also when nothing was applied yet.
 */
int gh_cli_revision_documents(gh_cli_t *cli, gh_store_t *store, uint64_t revision, gh_cli_documents_t *documents);

/* Only those of a scope. */
int gh_cli_revision_documents_of(gh_cli_t *cli, gh_store_t *store, uint64_t revision, const gh_scope_t *scope,
    gh_cli_documents_t *documents);

/* A failed look at a revision: the error, and which revisions there are when there is none of that number. Returns GH_EXIT_ERROR. */
int gh_cli_fail_revision(gh_cli_t *cli, gh_store_t *store, const gh_error_t *error);

#endif
