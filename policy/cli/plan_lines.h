/* Lines about what two sets of documents say differently: shared by plan_rules.c and plan_tenants.c. */
#ifndef GH_CLI_PLAN_LINES_H
#define GH_CLI_PLAN_LINES_H

#include "policy/cli/plan.h"

typedef struct {
    gh_arena_t          *arena;
    const gh_cli_sets_t *sets;
    const gh_model_t    *before, *after;
    gh_cli_edit_lines_t *lines;
    gh_str_t             details;      /* of the thing under comparison */
} gh_cli_comparing_t;

void gh_cli_line_add(gh_cli_comparing_t *c, char sign, const char *where, gh_str_t owner, gh_str_t id, gh_str_t details);

/* One more difference of the thing, in c->details; nothing when both read alike. */
void gh_cli_line_differ(gh_cli_comparing_t *c, const char *what, gh_str_t before, gh_str_t after);

/* "a b", names of bits, countries in few words. */
gh_str_t gh_cli_line_list(gh_arena_t *arena, const gh_str_list_t *list);
gh_str_t gh_cli_line_mask(gh_arena_t *arena, const gh_str_list_t *names, uint64_t mask);
gh_str_t gh_cli_line_places(gh_cli_comparing_t *c, gh_places_t value);

/* plan_prices.c: what a target costs, all of it; empty without a price. And models of the catalogue: how many tokens they take. */
gh_str_t gh_cli_line_price(gh_arena_t *arena, const gh_model_target_t *target);
void     gh_cli_compare_models(gh_cli_comparing_t *c);

/* plan_tenants.c: apps of tenants/1 that are new, gone or limited otherwise. */
void gh_cli_compare_apps(gh_cli_comparing_t *c);

/* plan_limits.c: limits, and how long answers may be. where is "limit", id whose it is: "tenant nordbank/retail". */
void gh_cli_compare_limits(gh_cli_comparing_t *c);

/* plan_callers.c: issuers and authorities of identity/1, and what each says of callers. where is "issuer" or "certificates". */
void gh_cli_compare_callers(gh_cli_comparing_t *c);

#endif
