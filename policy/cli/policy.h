/* What the `gatehouse policy` commands share: documents read and reports printed. */
#ifndef GH_CLI_POLICY_H
#define GH_CLI_POLICY_H

#include <jansson.h>

#include "policy/cli/cli.h"
#include "policy/document/model.h"

typedef struct {
    const char           *prefix;      /* put before a document's name in messages: "DIR/", or "" */
    gh_document_source_t *sources;
    size_t                count;
    const char *const    *shown;       /* what messages call each source instead; NULL: prefix and path */
    const char           *others;      /* prefix of documents that are not among the sources, "revision 7: "; NULL: prefix */
} gh_cli_documents_t;

/* Every *.json below one directory, named relative to it. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
int gh_cli_documents_read(gh_cli_t *cli, const char *directory, gh_cli_documents_t *documents);

/* Files and directories mixed, named as given. */
int gh_cli_documents_read_all(gh_cli_t *cli, const char **paths, unsigned count, gh_cli_documents_t *documents);

/* "file:line:col: error: text" of every item, on stderr, in the report's order. */
void gh_cli_report_print(const gh_cli_t *cli, const gh_cli_documents_t *documents, const gh_report_t *report);

/* [{"severity","code","file","line","column","text"}]; NULL when out of memory. The caller's reference. */
json_t *gh_cli_report_json(const gh_cli_documents_t *documents, const gh_report_t *report);

/* Prints an object and drops it. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
int gh_cli_print_json(const gh_cli_t *cli, json_t *object);

#endif
