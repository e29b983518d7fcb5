/* A request's way through its limits, against numbers worked out by hand, on a real ledger. */
#include "tests/unit/quota_world.h"

static void
test_way(void)
{
    gh_quota_charge_t charge;
    uint64_t          running;

    seven_limits();
    running = in_flight();
    intake.stream = true;
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    CHECK(quota.shadowed == 1u << L_SHADOW && !quota.skipped);
    CHECK_INT(counted(L_REQUESTS, NOW), 1);
    CHECK_INT(counted(L_FLIGHT, NOW), 1);
    CHECK_INT(counted(L_STREAMS, NOW), 1);
    CHECK_INT(counted(L_TOKENS, NOW), 1432);
    CHECK_INT(counted(L_MONEY, NOW), 432 * 3 + 8000);
    CHECK_INT(counted(L_RATE, NOW), 1100);
    CHECK_INT(counted(L_SHADOW, NOW), 1000);
    CHECK_INT(in_flight(), running + 1);
    CHECK_INT(quota.bound.output_cap, 1000);

    charge = settle(&quota, reports(200, 100, 50));
    CHECK_STR(gh_str_from(charge.source), "reported");
    CHECK(charge.amounts.input == 200 && charge.amounts.output == 50 && charge.amounts.micro_dollars == 100 * 2 + 50 + 50 * 8);
    CHECK_INT(counted(L_TOKENS, NOW), 250);
    CHECK_INT(counted(L_MONEY, NOW), 650);
    CHECK_INT(counted(L_RATE, NOW), 250);
    CHECK_INT(counted(L_SHADOW, NOW), 50);
    CHECK_INT(in_flight(), running);
    CHECK(!quota.over && quota.values[L_TOKENS] == 250);

    gh_quota_end(ledger, &quota);
    CHECK_INT(counted(L_REQUESTS, NOW), 1);                        /* a request stays counted, however it ended */
    CHECK_INT(counted(L_FLIGHT, NOW), 0);
    CHECK_INT(counted(L_STREAMS, NOW), 0);
    gh_quota_end(ledger, &quota);                                  /* once */
    CHECK_INT(counted(L_REQUESTS, NOW), 1);
}

static void
test_charges(void)
{
    gh_quota_charge_t charge;
    gh_quota_use_t    use;

    /* explicit zero is zero */
    seven_limits();
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    charge = settle(&quota, reports(0, 0, 0));
    CHECK_STR(gh_str_from(charge.source), "reported");
    CHECK_INT(counted(L_TOKENS, NOW) + counted(L_MONEY, NOW), 0);

    /* a provider's error is free, an answer without usage is not */
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, NOW, &quota, &verdict), GH_OK);
    charge = settle(&quota, (gh_quota_use_t) { .charge = GH_CHARGE_NOTHING, .usage = { .reported = true, .input = 9 } });
    CHECK_STR(gh_str_from(charge.source), "nothing");
    CHECK_INT(counted(L_TOKENS, NOW), 0);

    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, NOW, &quota, &verdict), GH_OK);
    charge = settle(&quota, (gh_quota_use_t) { .charge = GH_CHARGE_ANSWER, .delivered_bytes = 401, .delivered_events = 7 });
    CHECK_STR(gh_str_from(charge.source), "counted");
    CHECK(charge.amounts.input == 100 && charge.amounts.output == 101);
    CHECK_INT(counted(L_TOKENS, NOW), 201);

    /* events of one byte are a token each; no more than was reserved */
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, NOW, &quota, &verdict), GH_OK);
    charge = settle(&quota, (gh_quota_use_t) { .charge = GH_CHARGE_ANSWER, .delivered_bytes = 40, .delivered_events = 30 });
    CHECK_INT(charge.amounts.output, 30);
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, NOW, &quota, &verdict), GH_OK);
    charge = settle(&quota, (gh_quota_use_t) { .charge = GH_CHARGE_ANSWER, .delivered_bytes = 4000000 });
    CHECK_INT(charge.amounts.output, 1000);
    CHECK(!quota.over);
    gh_quota_end(ledger, &quota);

    /* bytes were sent and no status came: all of it */
    seven_limits();
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    charge = settle(&quota, (gh_quota_use_t) { .charge = GH_CHARGE_RESERVATION });
    CHECK_STR(gh_str_from(charge.source), "reservation");
    CHECK_INT(counted(L_TOKENS, NOW), 1432);
    CHECK_INT(counted(L_MONEY, NOW), 432 * 3 + 8000);
    CHECK_INT(counted(L_RATE, NOW), 1100);                         /* each its own */
    CHECK_INT(charge.amounts.micro_dollars, 432 * 3 + 8000);
    gh_quota_end(ledger, &quota);

    /* a stream that was cut while it told what it had used so far */
    seven_limits();
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    use = reports(0, 0, 0);
    use.partial = true;
    use.delivered_bytes = 400;
    charge = settle(&quota, use);
    CHECK(charge.amounts.input == 100 && charge.amounts.output == 100);
    CHECK_STR(gh_str_from(charge.source), "counted");
    gh_quota_end(ledger, &quota);

    /* absurd numbers are none */
    seven_limits();
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    use = reports(UINT64_C(1) << 33, 0, 1);
    use.delivered_bytes = 40;
    charge = settle(&quota, use);
    CHECK(charge.amounts.input == 100 && charge.amounts.output == 10);
    gh_quota_end(ledger, &quota);

    /* a report nobody reads may still be unsettled at the end: charged */
    seven_limits();
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    gh_quota_end(ledger, &quota);
    CHECK_INT(counted(L_TOKENS, NOW), 1432);
    CHECK_INT(counted(L_FLIGHT, NOW), 0);
}

static void
test_over(void)
{
    seven_limits();
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    settle(&quota, reports(5000, 0, 50));
    CHECK(quota.over);                                             /* the bound was wrong: charged, and said */
    CHECK_INT(counted(L_TOKENS, NOW), 5050);
    gh_quota_end(ledger, &quota);
    CHECK_INT(all_steps(&quota, NOW), GH_ERROR);
    CHECK_STR(gh_str_from(verdict.code), "insufficient_quota");
    gh_quota_undo(ledger, &quota);

    /* a rate's expectation may be passed: nobody promised */
    fresh();
    limit(GH_LEVEL_KEY, GH_COUNT_TOKENS, GH_PER_MINUTE, GH_LIMIT_RATE, 100000);
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    settle(&quota, reports(5000, 0, 5000));
    CHECK(!quota.over);
    gh_quota_end(ledger, &quota);
}

/* Eight first requests of a new key at once, concurrent ones at the limit, a budget full with nothing spent. */
static void
test_at_once(void)
{
    gh_quota_t quotas[8];
    unsigned   i, admitted = 0;

    seven_limits();
    identity.limits.items[L_FLIGHT].amount = 100;
    for (i = 0; i < 8; i++) {
        if (all_steps(&quotas[i], NOW) == GH_OK) {
            admitted++;
        } else {
            gh_quota_undo(ledger, &quotas[i]);
        }
    }
    CHECK_INT(admitted, 2);                                        /* 1,432 of 4,000 each */
    CHECK_INT(counted(L_TOKENS, NOW), 2 * 1432);
    CHECK_INT(counted(L_REQUESTS, NOW), 2);                        /* the others left nothing behind */
    CHECK_INT(counted(L_FLIGHT, NOW), 2);
    CHECK_STR(gh_str_from(verdict.code), "insufficient_quota");
    CHECK(!verdict.should_retry && verdict.limit == L_TOKENS && verdict.status == 429);
    CHECK_INT(verdict.retry_after_ms, (86400 - (3 * 3600 + 4 * 60 + 59)) * 1000 - 500);

    for (i = 0; i < 2; i++) {
        settle(&quotas[i], (gh_quota_use_t) { .charge = GH_CHARGE_NOTHING });
        gh_quota_end(ledger, &quotas[i]);
    }
    CHECK_INT(counted(L_TOKENS, NOW), 0);
    CHECK_INT(all_steps(&quota, NOW), GH_OK);                      /* nothing was spent: there is room again */
    gh_quota_undo(ledger, &quota);

    /* held, not used: who looks through the reservations can tell, once */
    for (i = 0; i < 2; i++) {
        CHECK_INT(all_steps(&quotas[i], NOW), GH_OK);
    }
    CHECK_INT(gh_quota_admit(ledger, &identity, id, NOW, &quota, &verdict), GH_OK);
    quota.look = true;
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, NOW, &quota, &verdict), GH_ERROR);
    CHECK(verdict.held && verdict.should_retry && verdict.retry_after_ms == 1000 && quota.looked);
    CHECK_STR(gh_str_from(verdict.code), "rate_limit_exceeded");
    CHECK_STR(gh_quota_message(&quota, &verdict, &heap.arena), "The limit of 4000 tokens per day of this key is reached: 1136 left, 1432 needed. "
        "Running requests hold the rest: try again in a moment, or ask for fewer tokens.");
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, NOW, &quota, &verdict), GH_ERROR);
    CHECK(!verdict.held && !verdict.should_retry);
    settle(&quotas[0], reports(2600, 0, 0));                       /* 2,600 used and 1,432 held: no room even when it comes back */
    quota.look = true;
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, NOW, &quota, &verdict), GH_ERROR);
    CHECK(!verdict.held && !verdict.should_retry);
    settle(&quotas[1], reports(0, 0, 0));
    gh_quota_end(ledger, &quotas[0]);
    gh_quota_end(ledger, &quotas[1]);
    gh_quota_undo(ledger, &quota);

    seven_limits();
    for (i = 0; i < 4; i++) {
        CHECK_INT(gh_quota_admit(ledger, &identity, id, NOW, &quotas[i], &verdict), i < 3 ? GH_OK : GH_ERROR);
    }
    CHECK_STR(gh_str_from(verdict.code), "rate_limit_exceeded");
    CHECK(verdict.should_retry && verdict.retry_after_ms == 0 && verdict.limit == L_FLIGHT);
    CHECK_INT(counted(L_REQUESTS, NOW), 3);
    gh_quota_end(ledger, &quotas[0]);
    CHECK_INT(gh_quota_admit(ledger, &identity, id, NOW, &quotas[3], &verdict), GH_OK);
    for (i = 1; i < 4; i++) {
        gh_quota_undo(ledger, &quotas[i]);
    }
    CHECK_INT(counted(L_REQUESTS, NOW), 1);
    CHECK_INT(counted(L_FLIGHT, NOW), 0);
}

/* What no budget asks for may be unknown, and is then charged as it is expected: nothing is without bounds in the record. */
static void
test_unknown_parts(void)
{
    gh_quota_charge_t charge;

    fresh();
    limit(GH_LEVEL_KEY, GH_COUNT_OUTPUT, GH_PER_DAY, GH_LIMIT_BUDGET, 5000);
    limit(GH_LEVEL_KEY, GH_COUNT_TOKENS, GH_PER_DAY, GH_LIMIT_RATE, 5000);
    target.price.known = false;
    target.context = 0;
    intake.unbounded = 1;
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    CHECK_INT(counted(0, NOW), 1000);
    CHECK_INT(counted(1, NOW), 1100);
    CHECK(gh_quota_reserved(&quota).input == 100 && gh_quota_reserved(&quota).output == 1000 && gh_quota_reserved(&quota).micro_dollars == 0);
    charge = settle(&quota, (gh_quota_use_t) { .charge = GH_CHARGE_RESERVATION });
    CHECK(charge.amounts.input == 100 && charge.amounts.output == 1000 && charge.amounts.micro_dollars == 0);
    CHECK(counted(0, NOW) == 1000 && counted(1, NOW) == 1100);
    gh_quota_end(ledger, &quota);
}

/* A free model falls back to a paid one: money is reserved where it is billed. */
static void
test_fail_over(void)
{
    gh_price_t paid;

    seven_limits();
    identity.limits.items[L_MONEY].amount = 9000;
    paid = target.price;
    target.price = (gh_price_t) { .known = true };
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    CHECK_INT(counted(L_MONEY, NOW), 0);
    settle(&quota, (gh_quota_use_t) { .charge = GH_CHARGE_NOTHING });

    target.price = paid;
    target.deployment = GH_STR("dear");
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, NOW, &quota, &verdict), GH_ERROR);    /* 9,296 micro-dollars */
    CHECK_STR(gh_str_from(verdict.code), "insufficient_quota");
    CHECK(verdict.limit == L_MONEY && verdict.retry_after_ms == 0 && !verdict.should_retry);
    CHECK_INT(counted(L_TOKENS, NOW), 0);
    CHECK_INT(counted(L_FLIGHT, NOW), 1);                          /* the request is still held: another target may be asked */

    target.price.known = false;
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, NOW, &quota, &verdict), GH_ERROR);
    CHECK(strcmp(verdict.code, "unpriced_model") == 0 && verdict.status == 403 && verdict.limit == -1);

    target.price = paid;
    target.max_output = 900;
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, NOW, &quota, &verdict), GH_OK);
    CHECK_INT(counted(L_MONEY, NOW), 432 * 3 + 7200);
    settle(&quota, reports(400, 0, 100));
    CHECK_INT(quota.charged.micro_dollars, 400 * 2 + 800);
    gh_quota_end(ledger, &quota);
    CHECK_INT(counted(L_REQUESTS, NOW), 1);
    CHECK_INT(counted(L_FLIGHT, NOW), 0);
}

static void
test_models(void)
{
    fresh();
    limit(GH_LEVEL_KEY, GH_COUNT_REQUESTS, GH_PER_DAY, GH_LIMIT_BUDGET, 1);
    limit(GH_LEVEL_KEY, GH_COUNT_REQUESTS, GH_PER_DAY, GH_LIMIT_BUDGET, 5);
    limit(GH_LEVEL_KEY, GH_COUNT_TOKENS, GH_PER_DAY, GH_LIMIT_BUDGET, 2000);
    identity.limits.items[0].model = gh_model_number(GH_STR("gpt"));
    identity.limits.items[2].model = gh_model_number(GH_STR("other"));

    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    CHECK(counted(0, NOW) == 1 && counted(1, NOW) == 1 && counted(2, NOW) == 0);
    settle(&quota, reports(1, 0, 1));
    gh_quota_end(ledger, &quota);

    CHECK_INT(gh_quota_admit(ledger, &identity, id, NOW, &quota, &verdict), GH_OK);
    CHECK_INT(counted(1, NOW), 2);
    CHECK_INT(gh_quota_reserve_request(ledger, &intake, GH_STR("gpt"), NOW, &quota, &verdict), GH_ERROR);
    CHECK_INT(verdict.limit, 0);
    CHECK_INT(counted(1, NOW), 1);                                 /* the step before is given back, too */

    CHECK_INT(gh_quota_admit(ledger, &identity, id, NOW, &quota, &verdict), GH_OK);
    CHECK_INT(gh_quota_reserve_request(ledger, &intake, GH_STR("other"), NOW, &quota, &verdict), GH_OK);
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, NOW, &quota, &verdict), GH_OK);
    CHECK_INT(counted(2, NOW), 1432);
    gh_quota_undo(ledger, &quota);
    CHECK(counted(0, NOW) == 1 && counted(1, NOW) == 1 && counted(2, NOW) == 0);
}

/* 2027-01-31T23:59:59.900Z and what comes after; a clock that steps back. */
static void
test_time(void)
{
    const uint64_t before = UINT64_C(1801439999900), after = before + 200;
    gh_quota_t     second;

    fresh();
    limit(GH_LEVEL_TENANT, GH_COUNT_TOKENS, GH_PER_MONTH, GH_LIMIT_BUDGET, 2000);
    CHECK_INT(all_steps(&quota, before), GH_OK);
    CHECK_INT(all_steps(&second, before), GH_ERROR);
    CHECK(verdict.should_retry && verdict.retry_after_ms == 100);  /* waiting helps: the month ends */
    CHECK_STR(gh_str_from(verdict.code), "rate_limit_exceeded");
    gh_quota_undo(ledger, &second);

    CHECK_INT(all_steps(&second, after), GH_OK);                   /* a new month */
    CHECK_INT(counted(0, after), 1432);
    settle(&quota, reports(10, 0, 10));                            /* of the old one: it has moved on */
    CHECK_INT(counted(0, after), 1432);
    settle(&second, reports(10, 0, 10));
    CHECK_INT(counted(0, after), 20);
    gh_quota_end(ledger, &quota);
    gh_quota_end(ledger, &second);

    CHECK_INT(all_steps(&quota, before), GH_OK);                   /* the clock stepped back: it counts on in the newer month */
    CHECK_INT(counted(0, after), 20 + 1432);
    CHECK_INT(all_steps(&second, before), GH_ERROR);
    gh_quota_undo(ledger, &second);
    settle(&quota, reports(1, 0, 1));
    gh_quota_end(ledger, &quota);
    CHECK_INT(counted(0, after), 22);

    /* asked in January, refused in February: no time is negative */
    fresh();
    limit(GH_LEVEL_TENANT, GH_COUNT_TOKENS, GH_PER_MINUTE, GH_LIMIT_BUDGET, 1500);
    CHECK_INT(all_steps(&quota, before), GH_OK);
    CHECK_INT(gh_quota_admit(ledger, &identity, id, before, &second, &verdict), GH_OK);
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, after, &second, &verdict), GH_ERROR);
    CHECK_INT(verdict.retry_after_ms, 1);
    gh_quota_undo(ledger, &second);
    gh_quota_undo(ledger, &quota);
}

/* Without room, or without a ledger: budgets are closed, the others let pass and say so. */
static void
test_no_ledger(void)
{
    gh_ledger_t *kept = ledger;

    ledger = NULL;
    seven_limits();
    CHECK_INT(gh_quota_admit(NULL, &identity, id, NOW, &quota, &verdict), GH_OK);
    CHECK(quota.skipped && quota.left_out == (1u << L_REQUESTS | 1u << L_FLIGHT));
    CHECK_INT(gh_quota_reserve_request(NULL, &intake, GH_STR("gpt"), NOW, &quota, &verdict), GH_OK);
    CHECK_INT(gh_quota_reserve_attempt(NULL, &intake, &target, NOW, &quota, &verdict), GH_ERROR);
    CHECK(strcmp(verdict.code, "ledger_full") == 0 && verdict.status == 503 && verdict.limit == L_TOKENS);
    gh_quota_undo(NULL, &quota);

    fresh();
    limit(GH_LEVEL_KEY, GH_COUNT_TOKENS, GH_PER_MINUTE, GH_LIMIT_RATE, 1);
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    CHECK(quota.skipped);
    CHECK_INT(settle(&quota, reports(5, 0, 5)).amounts.input, 5);
    gh_quota_end(NULL, &quota);

    fresh();
    limit(GH_LEVEL_KEY, GH_COUNT_REQUESTS, GH_PER_DAY, GH_LIMIT_BUDGET, 5);
    CHECK_INT(gh_quota_admit(NULL, &identity, id, NOW, &quota, &verdict), GH_ERROR);
    ledger = kept;

    /* without any limit nothing is in the way, and nothing is skipped */
    fresh();
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    CHECK(!quota.skipped);
    gh_quota_undo(ledger, &quota);
    CHECK_INT(in_flight(), 0);
}

/* A small ledger is filled, with what other requests hold or with what other keys used: then a rate is left out, a budget refused. */
static void
check_full(void)
{
    fresh();
    limit(GH_LEVEL_KEY, GH_COUNT_REQUESTS, GH_PER_DAY, GH_LIMIT_BUDGET, 5);
    CHECK_INT(gh_quota_admit(ledger, &identity, id, NOW, &quota, &verdict), GH_ERROR);
    CHECK(strcmp(verdict.code, "ledger_full") == 0 && verdict.status == 503 && verdict.limit == 0 && !verdict.should_retry);

    fresh();
    limit(GH_LEVEL_KEY, GH_COUNT_REQUESTS, GH_PER_DAY, GH_LIMIT_RATE, 5);
    CHECK_INT(gh_quota_admit(ledger, &identity, id, NOW, &quota, &verdict), GH_OK);
    CHECK(quota.skipped && quota.left_out == 1);
    gh_quota_end(ledger, &quota);

    fresh();
    limit(GH_LEVEL_KEY, GH_COUNT_REQUESTS, GH_PER_DAY, GH_LIMIT_RATE, 5);
    limit(GH_LEVEL_KEY, GH_COUNT_REQUESTS, GH_PER_DAY, GH_LIMIT_BUDGET, 5);
    CHECK_INT(gh_quota_admit(ledger, &identity, id, NOW, &quota, &verdict), GH_ERROR);
    CHECK_INT(verdict.limit, 1);
}

#define KEYS 20000

/* Keys of one budget each until a thousand in a row find no room: counters lie in buckets, which fill one by one. Returns how many found it. */
static unsigned
fill(gh_quota_t *held)
{
    unsigned count = 0, refused = 0, tries;

    for (tries = 0; tries < KEYS && refused < 1000; tries++) {
        gh_quota_t *q = held != NULL ? &held[count] : &quota;

        fresh();
        limit(GH_LEVEL_KEY, GH_COUNT_REQUESTS, GH_PER_DAY, GH_LIMIT_BUDGET, 5);
        if (gh_quota_admit(ledger, &identity, id, NOW, q, &verdict) != GH_OK) {
            refused++;
            continue;
        }
        refused = 0;
        count++;
        if (held == NULL) {
            gh_quota_end(ledger, q);
        }
    }
    CHECK(tries < KEYS && count > 100);

    return count;
}

static void
test_full(void)
{
    gh_quota_t *held = calloc(KEYS, sizeof(*held));
    unsigned    count = fill(held);

    check_full();
    while (count > 0) {
        gh_quota_undo(ledger, &held[--count]);
    }
    free(held);

    fill(NULL);
    check_full();
}

int
main(void)
{
    world_begin();
    test_way();
    test_charges();
    test_over();
    test_at_once();
    test_unknown_parts();
    test_fail_over();
    test_models();
    test_time();
    test_no_ledger();
    test_full();

    return world_end("quota");
}
