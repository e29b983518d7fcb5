/*
 * What a request may use at most, and what is expected of it. A tokenizer that works on bytes never makes more tokens than bytes; a chat template adds
 * a few tokens a message; an image becomes what the catalogue says at most; nothing is longer than the context.
 */
#include <string.h>

#include "policy/quota/quota.h"

#define NOT_SAID UINT64_MAX

static uint64_t
add(uint64_t a, uint64_t b)
{
    return a > GH_COUNT_MAX || b > GH_COUNT_MAX - a ? GH_COUNT_MAX : a + b;
}

static uint64_t
times(uint64_t a, uint64_t b)
{
    return a != 0 && b > GH_COUNT_MAX / a ? GH_COUNT_MAX : a * b;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
said(uint64_t n)
{
    return n != 0 ? n : NOT_SAID;
}

/*
 * No request has more: a report above it is none (gh_quota_use_t). What a client writes into max_tokens can so fill no counter up to GH_COUNT_MAX,
 * at which it would lose count of the others.
 */
static uint64_t
reachable(uint64_t tokens)
{
    return tokens == NOT_SAID ? NOT_SAID : least(tokens, GH_QUOTA_TOKENS_MAX);
}

/* The most tokens of all prompts together; NOT_SAID: there may be any number. */
static uint64_t
input_bound(const gh_target_t *target, const gh_intake_t *intake)
{
    uint64_t whole = target->context != 0 ? times(intake->prompts, target->context) : NOT_SAID;
    uint64_t count;

    if (intake->unbounded != 0 || (intake->images != 0 && target->image_tokens == 0)) {
        return reachable(whole);
    }

    count = add(intake->text_bytes, times(intake->messages, target->message_tokens));
    count = add(count, times(intake->images, target->image_tokens));

    return reachable(least(count, whole));
}

static uint64_t
choices(const gh_intake_t *intake)
{
    return times(intake->n, intake->prompts);
}

/* tenants/1 says it of the whole answer: a choice's part of it, one token at least; NOT_SAID. */
static uint64_t
tenants_most(const gh_limits_t *limits, const gh_intake_t *intake)
{
    uint64_t most = said(limits->max_output);

    if (most != NOT_SAID && choices(intake) > 1) {
        most = most > choices(intake) ? most / choices(intake) : 1;
    }

    return most;
}

/* A choice's most as far as somebody says it; NOT_SAID. */
static uint64_t
output_most(const gh_limits_t *limits, const gh_target_t *target, const gh_intake_t *intake)
{
    uint64_t most = least(said(target->max_output), tenants_most(limits, intake));

    most = least(most, said(intake->max_tokens));

    return least(most, said(target->context));
}

/*
 * The dearest that so many tokens can be: each at the highest rate of its kind, in any tier that the input may reach. The tier is not
 * monotonic: a longer prompt may be cheaper by the token.
 */
static uint64_t
cost_most(const gh_price_t *price, uint64_t input, uint64_t output)
{
    gh_price_t most = *price;
    gh_usage_t usage = { .input = input, .output = output };
    uint32_t   i;

    for (i = 0; i < price->tier_count && price->tiers[i].input_above < input; i++) {
        const gh_price_tier_t *tier = &price->tiers[i];

        most.input = tier->input > most.input ? tier->input : most.input;
        most.cached = tier->cached > most.cached ? tier->cached : most.cached;
        most.cache_write = tier->cache_write > most.cache_write ? tier->cache_write : most.cache_write;
        most.output = tier->output > most.output ? tier->output : most.output;
        most.reasoning = tier->reasoning > most.reasoning ? tier->reasoning : most.reasoning;
    }

    most.tier_count = 0;
    most.input = most.cached > most.input ? most.cached : most.input;
    most.input = most.cache_write > most.input ? most.cache_write : most.input;
    most.output = most.reasoning > most.output ? most.reasoning : most.output;

    return gh_quota_cost(&most, &usage);
}

static void
amounts_set(gh_quota_amounts_t *amounts, uint64_t input, uint64_t output, uint64_t micro_dollars)
{
    amounts->input = least(input, GH_COUNT_MAX);
    amounts->output = least(output, GH_COUNT_MAX);
    amounts->micro_dollars = least(micro_dollars, GH_COUNT_MAX);
}

typedef struct {
    bool caps;        /* a budget that a longer answer would take more of */
    bool unpriced;
} asked_t;

/* What the limits that count for this model ask, of what is known. */
static asked_t
asked(const gh_limits_t *limits, uint64_t model, uint64_t input, uint64_t output, bool priced)
{
    asked_t  out = { false, false };
    uint32_t i;

    for (i = 0; i < limits->count; i++) {
        const gh_limit_t *limit = &limits->items[i];
        bool              budget = limit->limit_class == GH_LIMIT_BUDGET;
        bool              needs_input, needs_output, money = limit->dimension == GH_COUNT_MICRO_DOLLARS;

        if (limit->limit_class == GH_LIMIT_SHADOW || (limit->model != 0 && limit->model != model)) {
            continue;
        }

        needs_input = money || limit->dimension == GH_COUNT_TOKENS || limit->dimension == GH_COUNT_INPUT;
        needs_output = money || limit->dimension == GH_COUNT_TOKENS || limit->dimension == GH_COUNT_OUTPUT;

        out.caps |= budget && needs_output;
        out.unpriced |= money && !priced;
        out.unpriced |= budget && needs_input && input == NOT_SAID;
        out.unpriced |= budget && needs_output && output == NOT_SAID;
    }

    return out;
}

/* 0: the client's own maximum is not above it, or there is none to hold it to. */
static uint64_t
output_cap(const gh_limits_t *limits, const gh_target_t *target, const gh_intake_t *intake, bool caps)
{
    uint64_t cap = tenants_most(limits, intake);

    if (caps) {
        cap = least(cap, said(target->max_output));
    } else if (cap != NOT_SAID && intake->max_tokens == 0) {
        cap = least(cap, said(target->max_output));   /* no more than the model would take */
    }

    if (cap == NOT_SAID || (intake->max_tokens != 0 && intake->max_tokens <= cap)) {
        return 0;
    }

    return cap;
}

void
gh_quota_bound(const gh_limits_t *limits, uint64_t model, const gh_target_t *target, const gh_intake_t *intake, gh_quota_bound_t *bound)
{
    uint64_t input = input_bound(target, intake), each = output_most(limits, target, intake), output, quarter;
    uint64_t most = GH_COUNT_MAX, expected = 0;
    asked_t  ask;

    memset(bound, 0, sizeof(*bound));

    if (gh_endpoint_counts(intake->endpoint) || intake->operation != GH_OPERATION_CREATE) {
        return;   /* no model runs, and nobody bills it: it counts as a request */
    }

    if (gh_endpoint_is(intake->endpoint, GH_IS_EMBEDS)) {
        output = 0;
    } else {
        output = each == NOT_SAID ? NOT_SAID : reachable(times(choices(intake), each));
    }

    quarter = reachable(intake->text_bytes / 4 + (intake->text_bytes % 4 != 0));

    if (target->price.known) {
        most = input == NOT_SAID || output == NOT_SAID ? GH_COUNT_MAX : cost_most(&target->price, input, output);
        expected = gh_quota_cost(&target->price, &(gh_usage_t) { .input = quarter, .output = output == NOT_SAID ? 0 : output });
    }

    amounts_set(&bound->budget, input, output, most);
    amounts_set(&bound->rate, quarter, output == NOT_SAID ? 0 : output, expected);

    bound->estimate = add(quarter, times(intake->images, target->image_tokens));
    if (intake->unbounded != 0 || (intake->images != 0 && target->image_tokens == 0)) {
        bound->estimate = input == NOT_SAID ? bound->estimate : input;
    }
    bound->estimate = least(bound->estimate, bound->budget.input);

    ask = asked(limits, model, input, output, target->price.known);
    bound->unpriced = ask.unpriced;

    if (!gh_endpoint_is(intake->endpoint, GH_IS_EMBEDS)) {
        bound->output_cap = output_cap(limits, target, intake, ask.caps);
    }
}
