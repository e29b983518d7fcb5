/*
 * Cases: documents of the kind "cases/1", which say what a policy must answer to a request, and why. conf/documents.md has the format.
 * Cases are no part of a revision: `gatehouse policy test` reads them, and prove writes its counter-examples in the same form.
 */
#ifndef GH_CLI_CASES_H
#define GH_CLI_CASES_H

#include <jansson.h>

#include "policy/cli/cli.h"
#include "policy/cli/places_text.h"
#include "policy/decide/decide.h"
#include "policy/document/reading.h"

typedef struct {
    gh_str_t name, value;
} gh_cli_case_header_t;

typedef struct {                         /* of "expect"; a member that is not there expects nothing */
    bool             has_verdict, allow;
    gh_str_t         code;               /* of gh_verdict_answers; empty: not said */
    gh_str_t         rule;
    gh_str_t         first;              /* the deployment that is tried first */
    gh_str_list_t    deployments;        /* exactly these may be used; none: not said */
    gh_str_list_t    never;              /* none of these may be used */
    gh_str_list_t    classes;            /* exactly these are carried; none: not said */
    const gh_node_t *process, *store, *operator_home;   /* lists of places that every deployment that may be used stays within; or NULL */
    bool             store_nothing;
    bool             has_max_days;
    uint64_t         max_days;
} gh_cli_expect_t;

typedef struct {
    gh_str_t              name, because;
    gh_where_t            where;
    gh_str_t              who;           /* "org/tenant": each of its apps; "org/tenant/app"; "org/tenant/app/key" */
    unsigned              who_parts;     /* 2, 3, 4 */
    gh_str_t              own_classes;   /* of the key itself, joined by "," */
    gh_str_t              own_places, own_models;   /* likewise, a list as in policy/identity/narrowing.h */
    gh_str_t              node;          /* empty: every node of fleet/1 */
    uint64_t              at_ms;         /* 0: the time of the run */
    gh_str_list_t         labels;        /* values of the policy's first label header */
    gh_cli_case_header_t *headers;
    uint32_t              header_count;
    gh_intake_t           intake;
    gh_str_t              body;          /* of "request"; data NULL: not said, so nothing that has to be translated is known */
    gh_cli_expect_t       expect;
} gh_cli_case_t;

typedef struct {
    gh_cli_case_t *items;
    uint32_t       count;
} gh_cli_cases_t;

/*
 * Appends the cases of one document. Every mistake is reported at its place in loader->report, against the names of loader->model; a case
 * with a mistake may be appended, so the caller runs nothing when report->errors is not 0. loader->source names the document.
 */
void gh_cli_cases_read(gh_loader_t *loader, const gh_node_t *root, gh_cli_cases_t *cases);

/* ---- running: cases_run.c ---- */

typedef struct gh_cli_coverage_s gh_cli_coverage_t;

typedef struct {
    gh_cli_t          *cli;
    gh_loader_t       *loader;           /* of the cases: its arena, report and model */
    const gh_image_t  *image;            /* compiled from the same model */
    gh_facts_t        *facts;            /* the newest: sets named in "expect" */
    gh_cli_sets_t      sets;
    uint64_t           now_ms;
    gh_cli_coverage_t *coverage;
} gh_cli_case_run_t;

typedef struct {
    const gh_cli_case_t *item;
    uint32_t             runs;           /* decisions made: apps x nodes */
    uint32_t             failed_runs;
    gh_str_list_t        reasons;        /* of the first run that failed: what was expected and what was decided */
    gh_str_t             failed_as;      /* "nordbank/retail/chat on node fra-1 in DE" */
} gh_cli_case_result_t;

/* GH_ERROR: out of memory or a damaged image, told. A mistake in the case goes to run->loader->report. */
int gh_cli_case_run(gh_cli_case_run_t *run, const gh_cli_case_t *item, gh_cli_case_result_t *result);

/* ---- coverage: cases_coverage.c ---- */

typedef enum { GH_CELL_IMPOSSIBLE = 0, GH_CELL_UNCOVERED, GH_CELL_COVERED } gh_cli_cell_t;

/* NULL: out of memory. */
gh_cli_coverage_t *gh_cli_coverage_new(gh_arena_t *arena, const gh_model_t *model, const gh_image_t *image);
void gh_cli_coverage_add(gh_cli_coverage_t *coverage, const gh_decision_t *decision, uint32_t policy);

/* How often rule number `rule` of the image decided on a deployment: as the allow that fits, or as the forbid that fires. */
uint64_t gh_cli_coverage_rule(const gh_cli_coverage_t *coverage, uint32_t rule);
/* Was class `class_index` of a policy held against a deployment? IMPOSSIBLE: it serves nobody of that policy. */
gh_cli_cell_t gh_cli_coverage_cell(const gh_cli_coverage_t *coverage, uint32_t policy, uint32_t class_index, uint32_t deployment);

typedef struct {
    uint32_t rules, rules_hit, cells, cells_hit;
} gh_cli_coverage_counts_t;

gh_cli_coverage_counts_t gh_cli_coverage_counts(const gh_cli_coverage_t *coverage);

/* Prints it: in brief, the rules and cells that no case reached; in full, every rule and class. prefix: before names of documents. */
void gh_cli_coverage_print(const gh_cli_coverage_t *coverage, const char *prefix, bool full);
json_t *gh_cli_coverage_json(const gh_cli_coverage_t *coverage);

#endif
