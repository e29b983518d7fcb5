/* Private to policy/quota: what its files share. */
#ifndef GH_QUOTA_INTERNAL_H
#define GH_QUOTA_INTERNAL_H

#include "policy/quota/quota.h"

#define GH_BIT(i) (UINT32_C(1) << (i))

static inline uint64_t
gh_quota_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t
gh_quota_sum(uint64_t a, uint64_t b)
{
    return gh_quota_least(GH_COUNT_MAX, gh_quota_least(a, GH_COUNT_MAX) + gh_quota_least(b, GH_COUNT_MAX));
}

/* What a limit of this dimension counts of a request that comes to these amounts. */
uint64_t gh_quota_amount_of(unsigned dimension, const gh_quota_amounts_t *amounts);

#endif
