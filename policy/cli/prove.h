/* `gatehouse policy prove`: the parts of it. */
#ifndef GH_CLI_PROVE_H
#define GH_CLI_PROVE_H

#include <jansson.h>

#include "policy/cli/places_text.h"
#include "policy/cli/policy_load.h"
#include "policy/review/prove.h"

typedef struct {
    gh_cli_t           *cli;
    gh_cli_policy_t     policy;
    gh_claim_t         *claims;
    gh_proof_t         *proofs;
    uint32_t            count;
    uint64_t            from_ms;
    gh_review_counts_t  counts;
    gh_cli_sets_t       sets;
} gh_cli_prove_t;

/* Every claim with its verdict and counter-examples, and what was looked at. */
void gh_cli_prove_print(const gh_cli_prove_t *prove);

/* The same as an object; NULL: out of memory. The caller's reference. */
json_t *gh_cli_prove_json(const gh_cli_prove_t *prove);

/* The counter-examples as "cases/1": each fails until the claim holds of it. NULL: out of memory. The caller's reference. */
json_t *gh_cli_prove_cases(const gh_cli_prove_t *prove, size_t *count);

#endif
