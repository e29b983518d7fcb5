/*
 * Deployments whose facts are not what the policy in force says of them are taken out: they serve nobody from the next revision on, which says why. Only an
 * edit of people puts them back.
 */
#ifndef GH_DRIFT_H
#define GH_DRIFT_H

#include "policy/agent/import_compare.h"
#include "policy/ledger/ledger.h"
#include "policy/store/store_write.h"

/* Who makes that edit, as the history of revisions has it; its reason begins with "incident facts_drift: ". */
#define GH_DRIFT_AUTHOR "gatehouse drift"

typedef struct {
    gh_node_t          **documents;              /* fleet/1 of the revision in force */
    size_t               count;
    uint64_t             revision;
    gh_str_list_t        subscriptions;          /* of Azure, that resources are in */
    gh_str_list_t        accounts;               /* their ids */
    gh_str_list_t        regions;                /* of Amazon Bedrock */
    uint32_t             watched;                /* deployments with a "resource" */
} gh_drift_fleet_t;

/* What there is to be asked after. GH_ERROR: a store_* code, "no_memory". No revision yet: count is 0. */
int gh_drift_fleet(gh_store_t *store, gh_arena_t *arena, gh_drift_fleet_t *fleet, gh_error_t *error);

/* gh_import_compare over all of them. Deployments that serve nobody are not told of: there is nothing to take out. */
int gh_drift_find(gh_import_t *import, const gh_drift_fleet_t *fleet, gh_differences_t *differences, gh_error_t *error);

/*
 * A fleet/1 document whose deployments of these ids serve nobody, otherwise byte for byte as it is. data NULL: out of memory, or it is no such document.
 * *changed: how many there were that served somebody.
 */
gh_str_t gh_drift_out(gh_arena_t *arena, gh_str_t document, const gh_str_list_t *ids, uint32_t *changed);

typedef struct {
    uint64_t            revision;                /* 0: nothing had to be taken out */
    uint32_t            deployments;
    bool                obeyed;                  /* by every worker */
    gh_barrier_report_t barrier;
    gh_report_t         report;
} gh_drift_taken_t;

/*
 * Takes out what the differences take out, cuts what runs there, and waits until every worker obeys. ledger NULL: there are no workers. GH_ERROR: nothing was
 * changed; taken->report or *error says why.
 */
int gh_drift_take_out(gh_store_t *store, gh_ledger_t *ledger, gh_arena_t *arena, const gh_differences_t *differences, uint64_t now_ms, uint64_t wait_ms,
    gh_drift_taken_t *taken, gh_error_t *error);

#endif
