/* `gatehouse explain`: the parts of it. */
#ifndef GH_CLI_EXPLAIN_H
#define GH_CLI_EXPLAIN_H

#include <jansson.h>

#include "policy/cli/cli.h"
#include "policy/cli/places_text.h"
#include "policy/cli/record_find.h"
#include "policy/decide/decide.h"

typedef struct {
    gh_cli_t          *cli;
    gh_image_t        *image;
    uint64_t           revision;     /* of --revision; 0: not given */
    gh_intake_t        intake;
    gh_identity_t      identity;
    gh_decide_input_t  input;
    gh_decision_t      decision;
    gh_cli_sets_t      sets;
} gh_cli_explain_t;

/* The decision in sentences and one line per deployment, or as JSON. Returns GH_EXIT_DONE or GH_EXIT_ERROR. */
int gh_cli_explain_print(const gh_cli_explain_t *explain);
int gh_cli_explain_print_json(const gh_cli_explain_t *explain);

/* One line per deployment: those of the route in its order, then the others. */
void gh_cli_explain_print_targets(const gh_cli_explain_t *explain);

/* What the request's own tenant may see: the verdict, and the ids of the rules it rests on. Returns GH_EXIT_DONE or GH_EXIT_ERROR. */
int gh_cli_explain_print_tenant(const gh_cli_explain_t *explain);

/* --role: false for "security", which is the default, true for "tenant". GH_EXIT_DONE, or GH_EXIT_USAGE after a message. */
int gh_cli_explain_role(const gh_cli_t *cli, bool *tenant);

/* The same of lines of the record; id as in x-request-id. GH_EXIT_ERROR when the request is not of --tenant, as if it were not there. */
int gh_cli_explain_tenant_record(gh_cli_t *cli, const char *id, const gh_cli_lines_t *lines);

/*
 * Decides once more on what a decision line holds, by the documents of its revision, and prints every deployment; says whether it comes out
 * as recorded. GH_EXIT_DONE when it does, else GH_EXIT_ERROR after a message.
 */
int gh_cli_explain_again(gh_cli_t *cli, const json_t *decision);

/* What the record says of a request id. GH_EXIT_DONE, GH_EXIT_DENIED when it was denied, GH_EXIT_ERROR. */
int gh_cli_explain_id(gh_cli_t *cli, const char *id);

#endif
