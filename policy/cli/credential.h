/* What the commands about backends' credentials share. */
#ifndef GH_CLI_CREDENTIAL_H
#define GH_CLI_CREDENTIAL_H

#include "policy/agent/credential_hand.h"
#include "policy/cli/cli.h"

/* Rows that the tables of these commands begin with. */
#define GH_CLI_CREDENTIAL_OPTIONS                                                                                       \
    { "file", "FILE", "the credentials/1 document (default: credentials.json in the secrets directory)", false },         \
    { "directory", "DIR", "where credentials are handed over (default: cred in the gateway's home)", false },             \
    { "home", "DIR", "the gateway's home (default: $GATEHOUSE_HOME, else " GH_CLI_HOME ")", false },                       \
    { "secrets", "DIR", "where store.key is (default: $GATEHOUSE_SECRETS, else " GH_CLI_SECRETS ")", false }

/* Paths, NUL-terminated and arena-owned. */
const char *gh_cli_credential_file(const gh_cli_t *cli);
const char *gh_cli_credential_directory(const gh_cli_t *cli);

/* The document, all of its mistakes on stderr. GH_EXIT_DONE, or GH_EXIT_ERROR. */
int gh_cli_credential_load(gh_cli_t *cli, gh_credential_list_t *list);

/* Is it among the command's arguments, of which none means all? */
bool gh_cli_credential_wanted(const gh_cli_t *cli, const gh_credential_source_t *source);

/* Every argument must be a credential of the document; else a message with the nearest. */
int gh_cli_credential_names(gh_cli_t *cli, const gh_credential_list_t *list);

/* Runs the sources that are wanted, hands what they give over when `hand`, and says how each went. */
int gh_cli_credential_run(gh_cli_t *cli, bool hand);

/* Those that cannot be fetched, by name; arena-owned. Of a directory that cannot be read: none. */
typedef struct { gh_str_t name; gh_credential_why_t why; } gh_cli_failing_t;
size_t gh_cli_credential_failing(const gh_cli_t *cli, gh_cli_failing_t **failing);

extern const char *const gh_cli_credential_forms[3];   /* by gh_credential_form_t: "key", "bearer", "aws" */

#endif
