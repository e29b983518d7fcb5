/*
 * A gap of the record: requests of tenants whose audit mode is best-effort that were sent though their decision could not be written. Who sends them
 * counts them here and in its slot of the ledger, and writes one `gap` line as soon as lines can be written again, before any other decision:
 *
 * {"v":1,"type":"gap","t":...,"from":...,"to":...,"pid":...,"requests":N,"attempts":N,"ended":N,"charged":{...},"tenants":[{"org","tenant","requests",...}],"tenants_more":{...}}
 *
 * from, to: when the first and the last of them were sent. requests: sent without a decision. attempts: further attempts sent without their line, of these or of others. ended:
 * requests of this gap, or of those before, that have ended since, and "charged" what they were, which no outcome says. What will hurt you first:
 *  - a death between the line and the slot's forgetting has it said again, by whoever sweeps ("recovered_by"), with the same pid, from and requests;
 *  - that one knows neither whose they were nor what they were charged: the ledger has counted it.
 */
#ifndef GH_AUDIT_GAP_H
#define GH_AUDIT_GAP_H

#include "policy/audit/record_writer.h"
#include "policy/base/json_writer.h"
#include "policy/ledger/ledger.h"
#include "policy/quota/quota.h"

#define GH_GAP_TENANTS 32             /* that are told apart */
#define GH_GAP_NAME    64
#define GH_GAP_LINE    16384          /* bytes of a body, at most */

typedef struct {
    uint64_t           requests, attempts, ended;
    gh_quota_amounts_t charged;
} gh_gap_counts_t;

typedef struct {
    char            org[GH_GAP_NAME], tenant[GH_GAP_NAME];
    gh_gap_counts_t counts;
} gh_gap_tenant_t;

typedef struct {                      /* zeroed: there is none */
    uint64_t        from_ms, to_ms;   /* 0: nothing was sent */
    gh_gap_counts_t all, more;        /* more: of tenants beyond those */
    gh_gap_tenant_t tenants[GH_GAP_TENANTS];
    unsigned        tenant_count;
} gh_gap_t;

/* One more of that tenant was sent: a request without its decision, or an attempt of one without its line. */
void gh_gap_request(gh_gap_t *gap, gh_str_t org, gh_str_t tenant, uint64_t now_ms);
void gh_gap_attempt(gh_gap_t *gap, gh_str_t org, gh_str_t tenant, uint64_t now_ms);

/* One of them has ended, and was charged this. */
void gh_gap_ended(gh_gap_t *gap, gh_str_t org, gh_str_t tenant, const gh_quota_amounts_t *charged);

/* What an earlier owner of the slot left. */
void gh_gap_adopt(gh_gap_t *gap, const gh_ledger_gap_t *left);

/* Something was sent: its line comes before any other decision. */
static inline bool
gh_gap_due(const gh_gap_t *gap)
{
    return gap->all.requests != 0 || gap->all.attempts != 0;
}

/* Or something has ended: its line may wait a moment. */
static inline bool
gh_gap_any(const gh_gap_t *gap)
{
    return gh_gap_due(gap) || gap->all.ended != 0;
}

/* For the slot of the ledger. */
gh_ledger_gap_t gh_gap_of_slot(const gh_gap_t *gap);

/* The line's body. pid: of the process that sent them; recovered_by: who writes it, when that is another one, else 0. */
void gh_gap_write(gh_json_writer_t *w, const gh_gap_t *gap, uint64_t now_ms, uint64_t pid, uint64_t recovered_by);

/*
 * Gaps of dead owners of slots, each as a chain of one segment of its own: its writer may never have been able to begin one. options: of the record, as for gh_recover_new;
 * *lines, of `gap` lines, is added to. GH_ERROR: the record or the ledger cannot be written; it is tried again by a later call.
 */
int gh_gaps_finish(gh_ledger_t *ledger, const gh_record_options_t *options, uint64_t recovered_by, uint64_t now_ms, uint64_t *lines, gh_error_t *error);

#endif
