/* The end of an attempt and of a request: what it is charged, and on what. */
#include <string.h>

#include "policy/quota/quota_internal.h"

uint64_t
gh_quota_amount_of(unsigned dimension, const gh_quota_amounts_t *amounts)
{
    switch (dimension) {
    case GH_COUNT_TOKENS:        return gh_quota_tokens(amounts);
    case GH_COUNT_INPUT:         return amounts->input;
    case GH_COUNT_OUTPUT:        return amounts->output;
    case GH_COUNT_MICRO_DOLLARS: return amounts->micro_dollars;
    default:                     return 0;
    }
}

static bool
reserved_budget(const gh_quota_t *quota)
{
    unsigned i;

    for (i = 0; i < quota->limits.count; i++) {
        if ((quota->attempt_limits & GH_BIT(i)) != 0 && quota->limits.items[i].limit_class == GH_LIMIT_BUDGET) {
            return true;
        }
    }

    return false;
}

gh_quota_amounts_t
gh_quota_reserved(const gh_quota_t *quota)
{
    const gh_quota_amounts_t *most = &quota->bound.budget, *expected = &quota->bound.rate;

    if (!reserved_budget(quota)) {
        return *expected;
    }

    return (gh_quota_amounts_t) {
        most->input < GH_COUNT_MAX ? most->input : expected->input,
        most->output < GH_COUNT_MAX ? most->output : expected->output,
        most->micro_dollars < GH_COUNT_MAX ? most->micro_dollars : expected->micro_dollars
    };
}

/* Of what was delivered. A token of text is some four bytes, and an event of a stream has one at least. */
static gh_usage_t
estimate(const gh_quota_t *quota, const gh_quota_use_t *use)
{
    uint64_t output = use->delivered_bytes / 4 + (use->delivered_bytes % 4 != 0);

    output = output < use->delivered_events ? use->delivered_events : output;

    return (gh_usage_t) { .input = quota->bound.estimate, .output = gh_quota_least(output, quota->bound.budget.output) };
}

/* Can a request have used so much? */
static bool
plausible(const gh_price_t *price, const gh_usage_t *usage)
{
    return usage->reported && gh_quota_input(usage) <= GH_QUOTA_TOKENS_MAX && gh_quota_output(usage) <= GH_QUOTA_TOKENS_MAX
        && (!price->known || gh_quota_cost(price, usage) <= GH_COUNT_MAX);
}

/* A report that came before the end: not less than what was delivered. true: it said less. */
static bool
raise(gh_usage_t *usage, const gh_usage_t *least_usage)
{
    bool raised = false;

    if (gh_quota_input(usage) < least_usage->input) {
        usage->input = least_usage->input;
        usage->cached_outside = false;
        usage->cached = gh_quota_least(usage->cached, usage->input);
        usage->cache_write = gh_quota_least(usage->cache_write, usage->input - usage->cached);
        raised = true;
    }

    if (gh_quota_output(usage) < least_usage->output) {
        usage->output = least_usage->output;
        usage->reasoning_outside = false;
        usage->reasoning = gh_quota_least(usage->reasoning, usage->output);
        raised = true;
    }

    return raised;
}

static void
charge_on(gh_quota_charge_t *charge, const gh_price_t *price, const char *source)
{
    charge->source = source;
    charge->amounts.input = gh_quota_input(&charge->usage);
    charge->amounts.output = gh_quota_output(&charge->usage);
    charge->amounts.micro_dollars = price->known ? gh_quota_least(gh_quota_cost(price, &charge->usage), GH_COUNT_MAX) : 0;
}

static void
charge_answer(const gh_quota_t *quota, const gh_price_t *price, const gh_quota_use_t *use, gh_quota_charge_t *charge)
{
    gh_usage_t counted = estimate(quota, use);

    if (!plausible(price, &use->usage)) {
        charge->usage = counted;
        charge_on(charge, price, "counted");
        return;
    }

    charge->usage = use->usage;
    charge_on(charge, price, use->partial && raise(&charge->usage, &counted) ? "counted" : "reported");
}

static void
charge_reservation(const gh_quota_t *quota, gh_quota_charge_t *charge)
{
    charge->source = "reservation";
    charge->amounts = gh_quota_reserved(quota);
    charge->usage.input = charge->amounts.input;
    charge->usage.output = charge->amounts.output;
}

/* actual: by index in limits. Items were taken in the order of their limits. */
static void
step_settle(gh_ledger_t *ledger, gh_quota_t *quota, gh_reservation_t *reservation, uint32_t taken, const uint64_t *actual)
{
    uint64_t amounts[GH_RESERVATION_COUNTERS] = { 0 }, values[GH_RESERVATION_COUNTERS] = { 0 };
    uint8_t  limits[GH_RESERVATION_COUNTERS];
    uint32_t over = 0;
    unsigned i, count = 0;

    if (ledger == NULL || reservation->serial == 0) {
        return;
    }

    /* an attempt's deployment is behind them, and gives back its one */
    for (i = 0; i < quota->limits.count; i++) {
        if ((taken & GH_BIT(i)) != 0) {
            limits[count] = (uint8_t) i;
            amounts[count++] = actual[i];
        }
    }

    gh_reservation_settle(ledger, reservation, amounts, &over, values);
    reservation->serial = 0;

    for (i = 0; i < count; i++) {
        if ((quota->left_out & GH_BIT(limits[i])) == 0) {
            quota->values[limits[i]] = values[i];
        }
    }
}

void
gh_quota_settle_attempt(gh_ledger_t *ledger, const gh_target_t *target, const gh_quota_use_t *use, gh_quota_t *quota,
    gh_quota_charge_t *charge)
{
    uint64_t actual[GH_LIMITS_MAX] = { 0 };
    unsigned i;

    memset(charge, 0, sizeof(*charge));
    charge->source = "nothing";

    if (!quota->attempting) {
        return;
    }

    if (use->charge == GH_CHARGE_ANSWER) {
        charge_answer(quota, &target->price, use, charge);
    } else if (use->charge == GH_CHARGE_RESERVATION) {
        charge_reservation(quota, charge);
    }

    for (i = 0; i < quota->limits.count; i++) {
        if ((quota->attempt_limits & GH_BIT(i)) == 0) {
            continue;
        }
        actual[i] = use->charge == GH_CHARGE_RESERVATION ? quota->amounts[i]
            : gh_quota_amount_of(quota->limits.items[i].dimension, &charge->amounts);
        quota->over |= quota->limits.items[i].limit_class == GH_LIMIT_BUDGET && actual[i] > quota->amounts[i];
    }

    step_settle(ledger, quota, &quota->attempt, quota->attempt_limits, actual);
    quota->attempting = false;

    quota->charged.input = gh_quota_sum(quota->charged.input, charge->amounts.input);
    quota->charged.output = gh_quota_sum(quota->charged.output, charge->amounts.output);
    quota->charged.micro_dollars = gh_quota_sum(quota->charged.micro_dollars, charge->amounts.micro_dollars);
}

static void
step_undo(gh_ledger_t *ledger, gh_reservation_t *reservation)
{
    if (ledger != NULL && reservation->serial != 0) {
        gh_reservation_undo(ledger, reservation);
    }
    reservation->serial = 0;
}

void
gh_quota_undo_attempt(gh_ledger_t *ledger, gh_quota_t *quota)
{
    step_undo(ledger, &quota->attempt);
    quota->attempting = false;
}

void
gh_quota_undo(gh_ledger_t *ledger, gh_quota_t *quota)
{
    gh_quota_undo_attempt(ledger, quota);
    step_undo(ledger, &quota->request);
    step_undo(ledger, &quota->admission);
}

void
gh_quota_end(gh_ledger_t *ledger, gh_quota_t *quota)
{
    uint64_t actual[GH_LIMITS_MAX] = { 0 };
    unsigned i;

    if (quota->attempting) {
        /* nobody said how it ended, so it may have been billed */
        gh_quota_use_t    use = { .charge = GH_CHARGE_RESERVATION };
        gh_quota_charge_t charge;
        gh_target_t       none = { .priority = 0 };

        gh_quota_settle_attempt(ledger, &none, &use, quota, &charge);
    }

    for (i = 0; i < quota->limits.count; i++) {
        actual[i] = quota->limits.items[i].dimension == GH_COUNT_REQUESTS;
    }

    step_settle(ledger, quota, &quota->request, quota->request_limits, actual);
    step_settle(ledger, quota, &quota->admission, quota->admission_limits, actual);
}
