/* What a report of usage costs. Sums in 128 bits: counts below 2^64 times prices below 2^64, five of them, fit by far. */
#include "policy/quota/quota.h"

typedef unsigned __int128 wide_t;

static uint64_t
narrow(wide_t n)
{
    return n > GH_COUNT_MAX ? GH_COUNT_MAX : (uint64_t) n;
}

/* What a report counts among a total may be more than that total only when it stands beside it. */
static bool
cached_beside(const gh_usage_t *usage)
{
    return usage->cached_outside || (wide_t) usage->cached + usage->cache_write > usage->input;
}

static bool
reasoning_beside(const gh_usage_t *usage)
{
    return usage->reasoning_outside || usage->reasoning > usage->output;
}

uint64_t
gh_quota_input(const gh_usage_t *usage)
{
    wide_t all = usage->input;

    return narrow(cached_beside(usage) ? all + usage->cached + usage->cache_write : all);
}

uint64_t
gh_quota_output(const gh_usage_t *usage)
{
    wide_t all = usage->output;

    return narrow(reasoning_beside(usage) ? all + usage->reasoning : all);
}

uint64_t
gh_quota_tokens(const gh_quota_amounts_t *amounts)
{
    return narrow((wide_t) amounts->input + amounts->output);
}

/* The rates that hold for so many tokens of input, in the shape of a tier. */
static gh_price_tier_t
price_for(const gh_price_t *price, uint64_t input)
{
    gh_price_tier_t rates = { 0, price->input, price->cached, price->cache_write, price->output, price->reasoning };
    uint32_t        i;

    for (i = 0; i < price->tier_count && price->tiers[i].input_above < input; i++) {
        rates = price->tiers[i];
    }

    return rates;
}

uint64_t
gh_quota_cost(const gh_price_t *price, const gh_usage_t *usage)
{
    gh_price_tier_t rates = price_for(price, gh_quota_input(usage));
    wide_t          plain = usage->input, answer = usage->output, sum;

    if (!price->known) {
        return UINT64_MAX;
    }

    if (!cached_beside(usage)) {
        plain -= (wide_t) usage->cached + usage->cache_write;
    }
    if (!reasoning_beside(usage)) {
        answer -= usage->reasoning;
    }

    sum = plain * rates.input + (wide_t) usage->cached * rates.cached + (wide_t) usage->cache_write * rates.cache_write
        + answer * rates.output + (wide_t) usage->reasoning * rates.reasoning;
    sum = (sum + 999999) / 1000000;

    return sum > GH_COUNT_MAX ? UINT64_MAX : (uint64_t) sum;
}
