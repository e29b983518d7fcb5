/* What a request may use at most, what is expected of it and what usage costs, against numbers worked out by hand. */
#include "tests/unit/quota_world.h"

static gh_quota_bound_t
bound(void)
{
    gh_quota_bound_t out;

    gh_quota_bound(&identity.limits, 0, &target, &intake, &out);
    return out;
}

static void
test_bound(void)
{
    gh_quota_bound_t b;

    fresh();
    b = bound();
    CHECK_INT(b.budget.input, 400 + 2 * 16);
    CHECK_INT(b.budget.output, 1000);
    CHECK_INT(b.budget.micro_dollars, (432 * 3 + 1000 * 8));       /* each token of input may be written to a cache */
    CHECK_INT(b.rate.input, 100);
    CHECK_INT(b.rate.output, 1000);
    CHECK_INT(b.rate.micro_dollars, 100 * 2 + 1000 * 8);
    CHECK(!b.unpriced);
    CHECK_INT(b.output_cap, 0);                                    /* no limit asks */

    intake.text_bytes = 401;
    intake.images = 3;
    b = bound();
    CHECK_INT(b.budget.input, 401 + 2 * 16 + 3 * 85);
    CHECK_INT(b.rate.input, 101);
    CHECK_INT(b.estimate, 101 + 3 * 85);

    intake.text_bytes = 100000;
    CHECK_INT(bound().budget.input, 8000);                         /* the context is the most */

    intake.text_bytes = 400;
    target.image_tokens = 0;
    CHECK_INT(bound().budget.input, 8000);                         /* of an image nothing is known */
    CHECK_INT(bound().estimate, 8000);
    intake.images = 0;
    intake.unbounded = 1;
    CHECK_INT(bound().budget.input, 8000);
    intake.prompts = 3;
    CHECK_INT(bound().budget.input, 24000);
    CHECK_INT(bound().budget.output, 3000);
}

static void
test_bound_output(void)
{
    gh_quota_bound_t b;

    fresh();
    limit(GH_LEVEL_KEY, GH_COUNT_MICRO_DOLLARS, GH_PER_DAY, GH_LIMIT_BUDGET, M(5));
    CHECK_INT(bound().output_cap, 1000);                           /* put in where the client gave none */
    intake.max_tokens = 300;
    CHECK_INT(bound().output_cap, 0);
    CHECK_INT(bound().budget.output, 300);
    intake.max_tokens = 5000;
    CHECK_INT(bound().output_cap, 1000);                           /* and in the place of more */
    CHECK_INT(bound().budget.output, 1000);
    intake.n = 4;
    CHECK_INT(bound().budget.output, 4000);
    CHECK_INT(bound().output_cap, 1000);
    identity.limits.max_output = 2000;                             /* all choices together */
    CHECK_INT(bound().budget.output, 2000);
    CHECK_INT(bound().output_cap, 500);
    intake.n = 128;
    identity.limits.max_output = 100;
    CHECK_INT(bound().output_cap, 1);

    /* nothing says it but the context: that is the bound, and nothing is put in */
    fresh();
    limit(GH_LEVEL_KEY, GH_COUNT_TOKENS, GH_PER_DAY, GH_LIMIT_BUDGET, M(5));
    target.max_output = 0;
    b = bound();
    CHECK_INT(b.budget.output, 8000);
    CHECK_INT(b.output_cap, 0);
    CHECK(!b.unpriced);
    target.context = 0;
    CHECK(bound().unpriced);
    intake.max_tokens = 10;
    CHECK(!bound().unpriced);
    intake.unbounded = 1;
    CHECK(bound().unpriced);

    /* tenants/1 by itself; rate limits ask for nothing */
    fresh();
    identity.limits.max_output = 200;
    CHECK_INT(bound().output_cap, 200);
    intake.max_tokens = 150;
    CHECK_INT(bound().output_cap, 0);
    identity.limits.max_output = 0;
    intake.max_tokens = 0;
    limit(GH_LEVEL_KEY, GH_COUNT_TOKENS, GH_PER_MINUTE, GH_LIMIT_RATE, 1000);
    limit(GH_LEVEL_KEY, GH_COUNT_INPUT, GH_PER_DAY, GH_LIMIT_BUDGET, 1000);
    limit(GH_LEVEL_KEY, GH_COUNT_TOKENS, GH_PER_DAY, GH_LIMIT_SHADOW, 1000);
    CHECK_INT(bound().output_cap, 0);

    /* embeddings answer with no tokens */
    limit(GH_LEVEL_KEY, GH_COUNT_TOKENS, GH_PER_DAY, GH_LIMIT_BUDGET, 1000);
    intake.endpoint = GH_ENDPOINT_EMBEDDINGS;
    b = bound();
    CHECK(b.budget.output == 0 && b.output_cap == 0 && b.rate.output == 0 && !b.unpriced);

    /* hostile numbers */
    fresh();
    intake.n = 128;
    intake.prompts = UINT32_MAX;
    intake.max_tokens = UINT64_MAX - 1;
    intake.text_bytes = UINT64_MAX;
    intake.messages = UINT32_MAX;
    intake.images = UINT32_MAX;
    target.context = target.max_output = target.image_tokens = target.message_tokens = UINT64_MAX;
    target.price.input = target.price.output = UINT64_MAX;
    b = bound();
    CHECK(b.budget.input == GH_QUOTA_TOKENS_MAX && b.budget.output == GH_QUOTA_TOKENS_MAX && b.budget.micro_dollars == GH_COUNT_MAX);
    CHECK(b.rate.input == GH_QUOTA_TOKENS_MAX && b.rate.output == GH_QUOTA_TOKENS_MAX && gh_quota_tokens(&b.budget) == 2 * GH_QUOTA_TOKENS_MAX);
}

static void
test_unpriced(void)
{
    fresh();
    target.price.known = false;
    CHECK(!bound().unpriced);
    limit(GH_LEVEL_KEY, GH_COUNT_MICRO_DOLLARS, GH_PER_DAY, GH_LIMIT_SHADOW, 1);
    CHECK(!bound().unpriced);                                      /* a shadow never refuses */
    limit(GH_LEVEL_KEY, GH_COUNT_TOKENS, GH_PER_DAY, GH_LIMIT_BUDGET, M(1));
    CHECK(!bound().unpriced);                                      /* tokens have no price */
    limit(GH_LEVEL_KEY, GH_COUNT_MICRO_DOLLARS, GH_PER_MONTH, GH_LIMIT_RATE, 1);
    CHECK(bound().unpriced);
    identity.limits.items[2].model = 77;
    CHECK(!bound().unpriced);                                      /* another model's limit */

    target.price = (gh_price_t) { .known = true };                 /* free is a price */
    identity.limits.items[2].model = 0;
    CHECK(!bound().unpriced);
    CHECK_INT(bound().budget.micro_dollars, 0);
}

static void
test_cost(void)
{
    static const gh_price_tier_t tiers[] = { { 1000, M(4), M(1), M(6), M(12), M(16) }, { 5000, M(1), M(1), M(1), M(1), M(1) } };
    gh_price_t price = { .known = true, .input = M(2), .cached = M(1) / 2, .cache_write = M(3), .output = M(8), .reasoning = M(10) };
    gh_usage_t usage = { .reported = true, .input = 1000, .cached = 400, .cache_write = 100, .output = 50, .reasoning = 20 };

    CHECK_INT(gh_quota_cost(&price, &usage), 500 * 2 + 200 + 100 * 3 + 30 * 8 + 20 * 10);
    usage.cached_outside = true;
    CHECK_INT(gh_quota_cost(&price, &usage), 1000 * 2 + 200 + 100 * 3 + 30 * 8 + 20 * 10);
    CHECK_INT(gh_quota_input(&usage), 1500);
    usage.reasoning_outside = true;
    CHECK_INT(gh_quota_cost(&price, &usage), 1000 * 2 + 200 + 100 * 3 + 50 * 8 + 20 * 10);
    CHECK_INT(gh_quota_output(&usage), 70);

    /* more cached than input can only be beside it */
    usage = (gh_usage_t) { .input = 10, .cached = 11 };
    CHECK_INT(gh_quota_input(&usage), 21);
    usage = (gh_usage_t) { .output = 10, .reasoning = 11 };
    CHECK_INT(gh_quota_output(&usage), 21);

    /* rounded up once, not for each kind */
    price = (gh_price_t) { .known = true, .input = 400000, .cached = 400000, .output = 200000 };
    usage = (gh_usage_t) { .input = 2, .cached = 1, .output = 1 };
    CHECK_INT(gh_quota_cost(&price, &usage), 1);
    usage.output = 2;
    CHECK_INT(gh_quota_cost(&price, &usage), 2);                   /* 1.2 */
    usage = (gh_usage_t) { .input = 0 };
    CHECK_INT(gh_quota_cost(&price, &usage), 0);                   /* zero is zero */

    /* tiers: the whole request, by all its input */
    price = (gh_price_t) { .known = true, .input = M(2), .cached = M(1), .cache_write = M(2), .output = M(8), .reasoning = M(8), .tiers = tiers,
                           .tier_count = 2 };
    usage = (gh_usage_t) { .input = 1000, .output = 10 };
    CHECK_INT(gh_quota_cost(&price, &usage), 1000 * 2 + 10 * 8);
    usage.input = 1001;
    CHECK_INT(gh_quota_cost(&price, &usage), 1001 * 4 + 10 * 12);
    usage = (gh_usage_t) { .input = 900, .cached = 200, .cached_outside = true, .output = 10 };
    CHECK_INT(gh_quota_cost(&price, &usage), 900 * 4 + 200 * 1 + 10 * 12);
    usage = (gh_usage_t) { .input = 6000, .output = 10 };
    CHECK_INT(gh_quota_cost(&price, &usage), 6010);

    /* a bound holds for every tier that may be reached: 3,000 tokens may end in the dear one, or stay below it */
    fresh();
    target.price = price;
    intake.text_bytes = 7000;
    CHECK_INT(bound().budget.micro_dollars, (7000 + 32) * 6 + 1000 * 16);
    intake.text_bytes = 968;                                       /* 1,000 do not exceed 1,000 */
    CHECK_INT(bound().budget.micro_dollars, 1000 * 2 + 1000 * 8);
    intake.text_bytes = 969;
    CHECK_INT(bound().budget.micro_dollars, 1001 * 6 + 1000 * 16);

    price.known = false;
    CHECK(gh_quota_cost(&price, &usage) == UINT64_MAX);
    price = (gh_price_t) { .known = true, .input = UINT64_MAX, .output = UINT64_MAX };
    usage = (gh_usage_t) { .input = UINT64_MAX, .output = UINT64_MAX, .cached = UINT64_MAX, .cached_outside = true };
    CHECK(gh_quota_cost(&price, &usage) == UINT64_MAX);
    CHECK(gh_quota_input(&usage) == GH_COUNT_MAX);
}

int
main(void)
{
    world_begin();
    test_bound();
    test_bound_output();
    test_unpriced();
    test_cost();

    return world_end("quota bound");
}
