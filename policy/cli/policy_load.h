/* The documents a command looks at without changing them: of a directory, or of the revision in force; loaded and compiled. */
#ifndef GH_CLI_POLICY_LOAD_H
#define GH_CLI_POLICY_LOAD_H

#include "policy/cli/policy.h"
#include "policy/store/image.h"

typedef struct {
    gh_cli_documents_t documents;
    gh_report_t        report;       /* of loading: warnings only, when it succeeded */
    gh_model_t        *model;
    gh_image_t        *image;        /* gh_image_unref is the caller's */
    uint64_t           revision;     /* 0: a directory */
} gh_cli_policy_t;

/*
 * directory NULL: a revision of the store of --home, 0: the one in force. compiled_ms: the earliest time that will be judged at; policy time never runs
 * backwards, so the image refuses to go before it. GH_EXIT_DONE, or GH_EXIT_ERROR after every error was printed.
 */
int gh_cli_policy_load(gh_cli_t *cli, const char *directory, uint64_t revision, uint64_t compiled_ms, gh_cli_policy_t *policy);

#endif
