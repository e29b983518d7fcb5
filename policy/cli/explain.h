/* `gatehouse explain`: the parts of it. */
#ifndef GH_CLI_EXPLAIN_H
#define GH_CLI_EXPLAIN_H

#include <jansson.h>

#include "ngx_module/wire/hub/hub.h"
#include "ngx_module/wire/url.h"
#include "policy/cli/cli.h"
#include "policy/cli/places_text.h"
#include "policy/cli/record_find.h"
#include "policy/decide/order.h"

typedef struct {
    gh_cli_t          *cli;
    gh_image_t        *image;
    uint64_t           revision;     /* of --revision; 0: not given */
    gh_url_t           url;          /* of --url or --endpoint */
    gh_intake_t        intake;
    gh_hub_asked_t     asked;        /* of --request: what it can be translated to */
    gh_identity_t      identity;
    gh_decide_input_t  input;
    gh_decision_t      decision;
    gh_order_t         order;
    bool               state;        /* of the order: what workers know was looked at */
    gh_cli_sets_t      sets;
} gh_cli_explain_t;

/* The decision in sentences and one line per deployment, or as JSON. Returns GH_EXIT_DONE or GH_EXIT_ERROR. */
int gh_cli_explain_print(const gh_cli_explain_t *explain);
int gh_cli_explain_print_json(const gh_cli_explain_t *explain);

/* One line per deployment: those of the route in its order, then the others. */
void gh_cli_explain_print_targets(const gh_cli_explain_t *explain);

/* Puts the route into the order that it would have now. GH_EXIT_DONE, or GH_EXIT_ERROR after a message: a ledger that was named is not there. */
int gh_cli_explain_order(gh_cli_explain_t *explain);

/* The same from "order_by" and "terms" of a decision line, which may have none. GH_ERROR: out of memory. */
int gh_cli_explain_order_again(gh_cli_explain_t *explain, const json_t *line);

/* What the order rests on, a line a deployment; nothing when it is priority and price, and nothing else is known. */
void gh_cli_explain_print_order(const gh_cli_explain_t *explain);

/* The same of a decision line, as it was recorded. */
void gh_cli_explain_tell_order(gh_arena_t *arena, const json_t *line);

/* "priority and price" and so on. */
const char *gh_cli_order_words(gh_route_weights_t weights);

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
