/* `gatehouse explain`: the parts of it. */
#ifndef GH_CLI_EXPLAIN_H
#define GH_CLI_EXPLAIN_H

#include "policy/cli/cli.h"
#include "policy/cli/places_text.h"
#include "policy/decide/decide.h"

typedef struct {
    gh_cli_t          *cli;
    gh_image_t        *image;
    gh_intake_t        intake;
    gh_identity_t      identity;
    gh_decide_input_t  input;
    gh_decision_t      decision;
    gh_cli_sets_t      sets;
} gh_cli_explain_t;

/* The decision in sentences and one line per deployment, or as JSON. Returns GH_EXIT_DONE or GH_EXIT_ERROR. */
int gh_cli_explain_print(const gh_cli_explain_t *explain);
int gh_cli_explain_print_json(const gh_cli_explain_t *explain);

/* What the record says of a request id. GH_EXIT_DONE, GH_EXIT_DENIED when it was denied, GH_EXIT_ERROR. */
int gh_cli_explain_id(gh_cli_t *cli, const char *id);

#endif
