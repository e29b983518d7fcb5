/* `gatehouse policy plan`: the parts of it. */
#ifndef GH_CLI_PLAN_H
#define GH_CLI_PLAN_H

#include <jansson.h>

#include "policy/cli/places_text.h"
#include "policy/cli/policy.h"
#include "policy/review/plan.h"

typedef struct {                       /* one side of a plan */
    gh_cli_documents_t documents;
    gh_report_t        report;         /* of loading: warnings */
    gh_model_t        *model;          /* NULL: nothing is in force */
    gh_image_t        *image;
} gh_cli_side_t;

/* ---- plan_words.c: who and what, in sentences ---- */

typedef struct {
    gh_arena_t               *arena;
    const gh_review_groups_t *groups;
    const gh_cli_sets_t      *sets;
    uint32_t                 *tenant_of;          /* of each app */
    uint32_t                 *kinds;              /* of each app: how many kinds of its keys are told apart */
    uint32_t                 *apps_of, *org_of;   /* of each tenant */
    uint32_t                 *tenants_of, *apps_in;   /* of each organisation */
    uint32_t                  tenant_count, org_count;
} gh_cli_who_t;

/* GH_ERROR: out of memory. */
int gh_cli_who_init(gh_cli_who_t *who, gh_arena_t *arena, const gh_review_groups_t *groups, const gh_cli_sets_t *sets);

/* "nordbank/retail, nordbank/web-bot/site and 3 more", "all 12 tenants of nordbank". Arena-owned. */
gh_str_t gh_cli_who_text(const gh_cli_who_t *who, const uint32_t *groups, uint32_t count);

/* The same of whole tenants: chosen[i] for tenant i of who. */
gh_str_t gh_cli_who_tenants_text(const gh_cli_who_t *who, const bool *chosen);

/* Every one of them, as patterns: ["nordbank/retail", "fjord/web/site/batch*"]; NULL: out of memory. */
json_t *gh_cli_who_json(const gh_cli_who_t *who, const uint32_t *groups, uint32_t count);

typedef struct {                       /* changes that read alike, together */
    gh_str_t                who, classes, deployment, models, feature, what;
    bool                    gained;
    const gh_plan_change_t *change;    /* the first of them */
    uint32_t                first;     /* its index */
} gh_cli_statement_t;

/*
 * The changes of gh_plan_t.reach as statements about tenants ("may now be processed in US"), or those of gh_plan_t.deployments about
 * deployments ("now, processed in US"). operators: those about operators only, else those about processing and storing. GH_ERROR: out of memory.
 */
int gh_cli_statements(const gh_cli_who_t *who, const gh_plan_t *plan, bool deployments, bool operators, gh_cli_statement_t **statements,
    uint32_t *count);

/* "nordbank/retail: personal may now be processed in US" */
gh_str_t gh_cli_statement_text(gh_arena_t *arena, const gh_cli_statement_t *statement);

/* Is it about operators (or, else, about processing and storing)? One change can be both. */
bool gh_cli_change_speaks_of(const gh_plan_change_t *change, bool operators);

/* ---- plan_sentence.c ---- */

/*
 * The first line: gained before lost. *told: it holds every statement; else, for each set of tenants that gain (or lose) the same countries in
 * any of their classes, those countries; and where these would be too many, how many tenants and the countries of all.
 */
gh_str_t gh_cli_plan_sentence(const gh_cli_who_t *who, const gh_plan_t *plan, const gh_cli_statement_t *statements, uint32_t count,
    bool *told);

/* ---- plan_rules.c: what was written differently ---- */

typedef struct {
    char     sign;                     /* '+' added, '~' changed, '-' removed */
    gh_str_t where;                    /* "rule", "policy", "deployment", "tenants", "node", "model", "facts" */
    gh_str_t owner, id;                /* rule: its policy and id; policy: "" and its name; ... */
    gh_str_t details;                  /* of '~': "process within EU -> EU plus CH; max_days 0 -> 30" */
} gh_cli_edit_line_t;

typedef struct {
    gh_cli_edit_line_t *items;
    uint32_t            count, capacity;
    bool                failed;        /* out of memory */
} gh_cli_edit_lines_t;

/* Rules first, then policies, deployments, nodes, models, apps. before NULL: everything is added. */
void gh_cli_edit_lines(gh_arena_t *arena, const gh_cli_sets_t *sets, const gh_model_t *before, const gh_model_t *after,
    gh_cli_edit_lines_t *lines);

/* ---- plan_print.c ---- */

typedef struct {
    gh_cli_t             *cli;
    uint64_t              base;        /* revision; 0: nothing in force */
    uint64_t              now_ms;
    gh_cli_sets_t         sets;
    gh_cli_side_t         before, after;
    gh_cli_side_t         supposed;    /* after, with the sets of --if; model NULL: no --if */
    gh_cli_side_t         pinned;      /* after, with policies pinned to facts as before; model NULL: no pin moves */
    gh_str_t              supposition; /* "GDPR_ADEQUATE_DPF = {}" */
    gh_str_t              pins;        /* "nordbank from regions/2026-11-21 to regions/2027-02-01" */
    gh_plan_t             plan, if_plan, pin_plan;
    gh_cli_edit_lines_t   lines;
    const gh_report_item_t **warnings; /* of after that before does not have */
    uint32_t              warning_count;
    gh_cli_edit_line_t   *files;       /* documents that differ: id is the path */
    uint32_t              file_count;
    bool                  changes, if_changes;
} gh_cli_planned_t;

int     gh_cli_plan_print(const gh_cli_planned_t *planned);
json_t *gh_cli_plan_json(const gh_cli_planned_t *planned);

#endif
