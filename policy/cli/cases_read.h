/* Reading one case of "cases/1", by its parts: cases_read.c, cases_request.c, cases_expect.c. Mistakes are reported at their places in loader->report. */
#ifndef GH_CLI_CASES_READ_H
#define GH_CLI_CASES_READ_H

#include "ngx_module/wire/wire.h"
#include "policy/cli/cases.h"

typedef struct {
    gh_loader_t     *loader;
    const gh_node_t *node, *defaults;    /* defaults: NULL when the document has none */
    gh_cli_case_t   *item;
    gh_url_t         url;                /* of "url" or "endpoint" */
} gh_cli_case_reading_t;

/* A string of the case, else of the defaults; NULL: of neither. */
const gh_node_t *gh_cli_case_member(const gh_cli_case_reading_t *r, const char *name);

/* r->url, and of r->item: intake, body, headers, labels and what the key itself was given. */
void gh_cli_case_request_read(gh_cli_case_reading_t *r);

/* r->item->expect. */
void gh_cli_case_expect_read(gh_cli_case_reading_t *r);

#endif
