/*
 * The order of a route by cost, latency or weights, over random targets and states: it holds what it was given, is the same whatever order
 * that came in, agrees with scores computed in double arithmetic, and nobody moves ahead by becoming dearer or slower. Targets are made up;
 * whose they are is all that an order looks at in an image.
 */
#include "policy/decide/order.h"
#include "policy/route/route.h"
#include "policy/store/image_format.h"

#include <math.h>

#include "tests/unit/check.h"

#define MOST 100u

static gh_image_target_t     targets[MOST];
static gh_image_deployment_t deployments[MOST];
static char                  strings[MOST * 4 + 1];
static gh_image_t            image = { .targets = targets, .deployments = deployments, .strings = strings };
static uint64_t              random_state = 42;

static uint64_t
below(uint64_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % limit;
}

static void
some_state(gh_backend_state_t *state)
{
    *state = (gh_backend_state_t) { .in_flight = (uint32_t) below(4), .asked = (uint32_t) below(10) };
    if (below(3) > 0) {
        state->samples = state->asked = 5 + (uint32_t) below(9);
        state->first_byte_us = 1 + (below(2) ? below(5) : below(4000000));
        state->token_us = below(4) ? 1 + below(50000) : 0;
    }
    if (below(5) == 0) {
        state->breaker = (uint8_t) (1 + below(2));
    }
    if (below(6) == 0) {
        state->retry_at_ms = 1 + below(1000);
    }
    if (below(6) == 0) {
        state->credential = (uint8_t) (1 + below(2));
    }
}

/* count targets, in the order of gh_route_sort, of which the first GH_ROUTE_LOOKED are looked at. */
static void
some_steps(gh_route_step_t *steps, uint32_t count)
{
    uint32_t route[MOST], levels = 1 + (uint32_t) below(3);

    for (uint32_t i = 0; i < count; i++) {
        snprintf(strings + 4 * i, 5, "%04u", (unsigned) ((i * 37 + 11) % MOST));   /* ids in another order than targets */
        deployments[i].id = (gh_ref_t) { 4 * i, 4 };
        targets[i] = (gh_image_target_t) { .deployment = i, .priority = (uint32_t) below(levels), .price_known = below(6) != 0 };
        targets[i].price.rates[0] = below(2) ? below(4) : below(20000000);
        targets[i].price.rates[3] = below(2) ? below(3) : below(90000000);
        route[i] = i;
    }
    gh_route_sort(&image, route, count);
    for (uint32_t i = 0; i < count; i++) {
        steps[i] = (gh_route_step_t) { .target = route[i], .looked = i < GH_ROUTE_LOOKED };
        if (steps[i].looked) {
            some_state(&steps[i].state);
        }
    }
}

static uint32_t
rank_of(const gh_route_step_t *steps, uint32_t count, uint32_t target)
{
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].target == target) {
            return i;
        }
    }
    return UINT32_MAX;
}

static double
price_of(const gh_route_step_t *step)
{
    const gh_image_target_t *target = &targets[step->target];

    return target->price_known ? (double) target->price.rates[0] + (double) target->price.rates[3] : -1;
}

/* ---- the score in doubles ---- */

static bool
mates(const gh_route_step_t *a, const gh_route_step_t *b)
{
    return b->looked && gh_route_ready(b) && targets[a->target].priority == targets[b->target].priority;
}

static double
time_of(const gh_route_step_t *steps, uint32_t count, const gh_route_step_t *of, const gh_route_step_t *in)
{
    bool   tokens = true;
    double slowest = 0;

    for (uint32_t i = 0; i < count; i++) {
        tokens = tokens && !(mates(in, &steps[i]) && steps[i].state.first_byte_us && !steps[i].state.token_us);
    }
    if (of->state.first_byte_us != 0) {
        return (double) of->state.first_byte_us + (tokens ? 256.0 * (double) of->state.token_us : 0);
    }
    if (of->state.asked + of->state.in_flight < 5) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (mates(in, &steps[i]) && steps[i].state.first_byte_us != 0) {
            slowest = fmax(slowest, time_of(steps, count, &steps[i], in));
        }
    }
    return slowest;
}

static double
score_of(const gh_route_step_t *steps, uint32_t count, const gh_route_step_t *of, gh_route_weights_t weights)
{
    double prices = 0, times = 0, priced = 0, timed = 0, score = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (mates(of, &steps[i]) && price_of(&steps[i]) >= 0) {
            prices += price_of(&steps[i]);
            priced++;
        }
        if (mates(of, &steps[i]) && steps[i].state.first_byte_us != 0) {
            times += time_of(steps, count, &steps[i], of);
            timed++;
        }
    }
    if (prices > 0 && price_of(of) >= 0) {
        score += weights.cost / 1000.0 * price_of(of) / (prices / priced);
    }
    if (times > 0) {
        score += weights.latency / 1000.0 * time_of(steps, count, of, of) / (times / timed);
    }
    return score;
}

static unsigned
class_of(const gh_route_step_t *step)
{
    return !step->looked ? 1 : step->state.breaker == GH_BREAKER_OPEN || step->state.retry_at_ms != 0 || step->state.credential != GH_CREDENTIAL_IS_READY ? 2 : 0;
}

/* May b stand behind a? */
static bool
in_order(const gh_route_step_t *steps, uint32_t count, const gh_route_step_t *a, const gh_route_step_t *b, gh_route_weights_t weights)
{
    double score_a, score_b;

    if (class_of(a) != class_of(b)) {
        return class_of(a) < class_of(b);
    }
    if (targets[a->target].priority != targets[b->target].priority) {
        return targets[a->target].priority < targets[b->target].priority;
    }
    if (weights.cost > 0 && (price_of(a) < 0) != (price_of(b) < 0)) {
        return price_of(b) < 0;
    }
    if (class_of(a) != 0) {
        return true;
    }
    score_a = score_of(steps, count, a, weights);
    score_b = score_of(steps, count, b, weights);
    return score_a <= score_b + 1e-5 * (1 + score_b);
}

/* ---- properties ---- */

static gh_route_weights_t
some_weights(void)
{
    uint16_t latency = (uint16_t) (below(3) == 0 ? below(2) * 1000 : below(1001));

    return (gh_route_weights_t) { (uint16_t) (1000 - latency), latency };
}

static bool
same_order(const gh_route_step_t *a, const gh_route_step_t *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (a[i].target != b[i].target || a[i].score != b[i].score) {
            return false;
        }
    }
    return true;
}

static void
shuffle(gh_route_step_t *steps, uint32_t count)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t        other = (uint32_t) below(i);
        gh_route_step_t step = steps[i - 1];

        steps[i - 1] = steps[other];
        steps[other] = step;
    }
}

static unsigned disordered, lost, unstable, moved_ahead, moved_behind;

/* One becomes dearer, or slower: whoever was ahead of it still is. */
static void
worsen(const gh_route_step_t *given, const gh_route_step_t *ordered, uint32_t count, gh_route_weights_t weights, bool by_price)
{
    static gh_route_step_t steps[MOST];
    uint32_t               victim = (uint32_t) below(count < GH_ROUTE_LOOKED ? count : GH_ROUTE_LOOKED), target = given[victim].target, before, after;
    gh_image_price_t       price = targets[target].price;

    memcpy(steps, given, count * sizeof(*steps));
    if (by_price) {
        targets[target].price.rates[0] += 1 + below(30000000);
    } else if (steps[victim].state.first_byte_us != 0) {
        steps[victim].state.first_byte_us += 1 + below(3000000);
        steps[victim].state.token_us += steps[victim].state.token_us ? below(9000) : 0;
    }
    gh_route_order(&image, steps, count, weights, GH_STR(""));
    before = rank_of(ordered, count, target);
    after = rank_of(steps, count, target);
    moved_behind += after > before;
    for (uint32_t i = 0; i < before; i++) {
        moved_ahead += rank_of(steps, count, ordered[i].target) > after;
    }
    targets[target].price = price;
}

static void
one_case(uint32_t count)
{
    static gh_route_step_t given[MOST], ordered[MOST], again[MOST];
    gh_route_weights_t     weights = some_weights();

    some_steps(given, count);
    memcpy(ordered, given, count * sizeof(*given));
    gh_route_order(&image, ordered, count, weights, GH_STR(""));
    for (uint32_t i = 0; i < count; i++) {
        lost += rank_of(ordered, count, given[i].target) == UINT32_MAX;
        disordered += i > 0 && !in_order(ordered, count, &ordered[i - 1], &ordered[i], weights);
    }
    memcpy(again, given, count * sizeof(*given));
    shuffle(again, count < GH_ROUTE_LOOKED ? count : GH_ROUTE_LOOKED);
    gh_route_order(&image, again, count, weights, GH_STR(""));
    unstable += !same_order(ordered, again, count);
    worsen(given, ordered, count, weights, true);
    worsen(given, ordered, count, weights, false);
}

/* Nothing known and cost alone: as the documents have it. */
static void
test_plain(uint32_t count)
{
    static gh_route_step_t steps[MOST];

    some_steps(steps, count);
    for (uint32_t i = 0; i < count; i++) {
        steps[i].state = (gh_backend_state_t) { 0 };
    }
    for (uint16_t latency = 0; latency <= 1000; latency += 1000) {
        uint32_t route[MOST];

        for (uint32_t i = 0; i < count; i++) {
            route[i] = i;
        }
        gh_route_sort(&image, route, count);
        gh_route_order(&image, steps, count, (gh_route_weights_t) { (uint16_t) (1000 - latency), latency }, GH_STR(""));
        for (uint32_t i = 0; i < count; i++) {
            CHECK_INT(steps[i].target, route[i]);
        }
    }
}

/* What an operator would expect of two. */
static void
test_two(void)
{
    gh_route_step_t          slow = { .target = 0, .looked = true }, fast = { .target = 1, .looked = true }, steps[2];
    const gh_route_weights_t cost = { 1000, 0 }, latency = { 0, 1000 }, both = { 700, 300 };

    some_steps(steps, 2);
    targets[0].priority = targets[1].priority = 1;
    targets[0].price_known = targets[1].price_known = 1;
    targets[0].price = (gh_image_price_t) { .rates = { 1000000, 0, 0, 1000000, 0 } };
    targets[1].price = (gh_image_price_t) { .rates = { 2000000, 0, 0, 2000000, 0 } };
    slow.state = (gh_backend_state_t) { .first_byte_us = 900000, .samples = 9, .asked = 9 };
    fast.state = (gh_backend_state_t) { .first_byte_us = 300000, .samples = 9, .asked = 9 };

    #define FIRST(a, b, weights) (steps[0] = (a), steps[1] = (b), gh_route_order(&image, steps, 2, weights, GH_STR("")), steps[0].target)
    CHECK_INT(FIRST(slow, fast, cost), 0);
    CHECK_INT(FIRST(slow, fast, latency), 1);
    CHECK_INT(FIRST(slow, fast, both), 0);          /* 0.7 * 2/3 + 0.3 * 3/2 = 0.917 against 0.7 * 4/3 + 0.3 * 1/2 = 1.083 */
    slow.state.first_byte_us = 3000000;             /* 0.7 * 2/3 + 0.3 * 2 * 10/11 = 1.012 against 0.7 * 4/3 + 0.3 * 2/11 = 0.988 */
    CHECK_INT(FIRST(slow, fast, both), 1);

    fast.state.breaker = GH_BREAKER_OPEN;
    CHECK_INT(FIRST(fast, slow, latency), 0);
    fast.state.breaker = GH_BREAKER_HALF_OPEN;
    CHECK_INT(FIRST(slow, fast, latency), 1);
    fast.state.retry_at_ms = 1;
    CHECK_INT(FIRST(fast, slow, latency), 0);
    fast.state.retry_at_ms = 0;

    /* not known: tried with four at a time, then behind what is known */
    fast.state = (gh_backend_state_t) { .in_flight = 4 };
    CHECK_INT(FIRST(slow, fast, latency), 1);
    fast.state.in_flight = 5;
    CHECK_INT(FIRST(slow, fast, latency), 0);
    fast.state = (gh_backend_state_t) { .asked = 3, .in_flight = 1 };
    CHECK_INT(FIRST(slow, fast, latency), 1);
    CHECK_INT(FIRST(slow, fast, cost), 0);
    slow.state = (gh_backend_state_t) { .in_flight = 2 };
    fast.state = (gh_backend_state_t) { .in_flight = 1 };
    CHECK_INT(FIRST(slow, fast, latency), 1);
    CHECK_INT(FIRST(slow, fast, cost), 0);

    /* an answer's tokens count when they are known of both */
    slow.state = (gh_backend_state_t) { .first_byte_us = 200000, .token_us = 30000, .samples = 9, .asked = 9 };
    fast.state = (gh_backend_state_t) { .first_byte_us = 300000, .token_us = 10000, .samples = 9, .asked = 9 };
    CHECK_INT(FIRST(slow, fast, latency), 1);
    fast.state.token_us = 0;
    CHECK_INT(FIRST(slow, fast, latency), 0);

    targets[1].price_known = 0;
    CHECK_INT(FIRST(fast, slow, both), 0);
    fast.state.first_byte_us = 1;
    CHECK_INT(FIRST(fast, slow, latency), 1);
    targets[0].priority = 0;
    CHECK_INT(FIRST(fast, slow, latency), 0);
}

/* Each service tier has an order of its own; what is not priced for it comes last. */
static void
test_service_tiers(void)
{
    static gh_image_price_t prices[3] = { { .rates = { 9, 0, 0, 9, 0 }, .service_tier = 1 }, { .rates = { 1, 0, 0, 1, 0 }, .service_tier = 1 },
                                          { .rates = { 5, 0, 0, 5, 0 }, .service_tier = 0 } };
    gh_route_step_t         steps[2];
    static const struct { const char *tier; uint32_t first; uint64_t price; } cases[] = {
        { "", 0, 4 }, { "auto", 0, 4 }, { "standard", 0, 4 }, { "flex", 1, 2 }, { "priority", 1, 10 }, { "scale", 0, UINT64_MAX },
    };

    some_steps(steps, 2);
    image.prices = prices;
    image.count[GH_SECTION_TARGET] = 2;
    for (uint32_t i = 0; i < 2; i++) {
        targets[i].priority = 0;
        targets[i].price_known = 1;
        targets[i].price = (gh_image_price_t) { .rates = { 2 + i, 0, 0, 2 + i, 0 } };
    }
    targets[0].service_prices = (gh_range_t) { 0, 1 };
    targets[1].service_prices = (gh_range_t) { 1, 2 };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        for (uint32_t i = 0; i < 2; i++) {
            steps[i] = (gh_route_step_t) { .target = i, .looked = true };
        }
        gh_route_order(&image, steps, 2, (gh_route_weights_t) { 1000, 0 }, gh_str_from(cases[c].tier));
        CHECK_INT(steps[0].target, cases[c].first);
        CHECK(steps[0].price == cases[c].price);
    }
}

static void
test_terms(void)
{
    gh_route_step_t  steps[3];
    char             text[1024];
    gh_json_writer_t w;

    some_steps(steps, 3);
    for (uint32_t i = 0; i < 3; i++) {
        steps[i] = (gh_route_step_t) { .target = i, .looked = i < 2 };
        targets[i].priority = 0;
    }
    targets[0].price_known = 0;
    targets[1].price_known = 1;
    targets[1].price = (gh_image_price_t) { 0 };
    steps[0].state = (gh_backend_state_t) { 300000, 20000, 9, 12, 250, 3, 0, GH_BREAKER_HALF_OPEN, GH_CREDENTIAL_IS_READY, 0 };
    steps[1].state.retry_at_ms = 77;
    steps[1].state.credential = GH_CREDENTIAL_IS_EXPIRED;
    gh_route_order(&image, steps, 3, (gh_route_weights_t) { 300, 700 }, GH_STR(""));
    gh_json_writer_init(&w, text, sizeof(text));
    gh_json_begin_object(&w);
    gh_route_write(&w, &image, steps, 3, (gh_route_weights_t) { 300, 700 }, false);
    gh_json_end_object(&w);
    CHECK(gh_json_writer_ok(&w));
    CHECK_STR(((gh_str_t) { text, w.len }), "{\"order_by\":{\"cost\":300,\"latency\":700},\"terms\":[{\"deployment\":\"0011\","
        "\"first_byte_us\":300000,\"token_us\":20000,\"samples\":9,\"asked\":12,\"in_flight\":3,\"breaker\":\"half_open\"},"
        "{\"deployment\":\"0048\",\"price\":0,\"retry_at\":77,\"credential\":\"expired\"}]}");

    for (uint32_t i = 0; i < 3; i++) {
        steps[i].state.retry_at_ms = 0;
        steps[i].state.credential = GH_CREDENTIAL_IS_READY;
        steps[i].looked = true;
    }
    gh_json_writer_init(&w, text, sizeof(text));
    gh_json_begin_object(&w);
    gh_route_write(&w, &image, steps, 3, (gh_route_weights_t) { 300, 700 }, true);
    gh_json_end_object(&w);
    CHECK_STR(((gh_str_t) { text, w.len }), "{\"order_by\":{\"cost\":300,\"latency\":700},\"terms\":[{\"deployment\":\"0011\","
        "\"first_byte_us\":300000,\"token_us\":20000,\"samples\":9,\"asked\":12,\"in_flight\":3,\"breaker\":\"half_open\"}]}");
}

/* By price alone: as if each had a step, of whatever many. */
static void
test_few_steps(void)
{
    unsigned behind = 0;

    for (unsigned i = 0; i < 4000; i++) {
        uint32_t         count = 1 + (uint32_t) below(i % 4 == 0 ? MOST : 20), route[MOST], other = 0;
        gh_route_step_t  all[MOST];
        gh_decision_t    decision = { .route = route, .route_count = count };
        gh_order_t       order = { .weights = { 1000, 0 }, .service_tier = GH_STR("") };
        gh_heap_t        heap;

        gh_heap_init(&heap);
        some_steps(all, count);
        for (uint32_t t = 0; t < count; t++) {
            all[t].looked = t < GH_ROUTE_LOOKED_PRICE;
            if (!all[t].looked) {
                all[t].state = (gh_backend_state_t) { 0 };
            }
            route[t] = all[t].target;
        }
        if (CHECK(gh_order_steps(&decision, &heap.arena, &order) == GH_OK) && CHECK(order.count == (count < 8 ? count : 8))) {
            for (uint32_t t = 0; t < order.count; t++) {
                order.steps[t].state = all[t].state;
            }
            gh_order_apply(&image, &decision, &order);
            gh_route_order(&image, all, count, order.weights, order.service_tier);
            for (uint32_t t = 0; t < count; t++) {
                other += route[t] != all[t].target;
            }
            CHECK_INT(other, 0);
            behind += count > 8 && all[count - 1].looked;
        }
        gh_heap_free(&heap);
    }
    CHECK(behind > 500);
}

int
main(void)
{
    for (unsigned i = 0; i < 40000; i++) {
        one_case(1 + (uint32_t) below(i % 50 == 0 ? MOST : 7));
    }
    for (unsigned i = 0; i < 200; i++) {
        test_plain(1 + (uint32_t) below(i % 10 == 0 ? MOST : 7));
    }
    CHECK_INT(lost, 0);
    CHECK_INT(disordered, 0);
    CHECK_INT(unstable, 0);
    CHECK_INT(moved_ahead, 0);
    CHECK(moved_behind > 1000);
    test_two();
    test_few_steps();
    test_terms();
    test_service_tiers();
    return check_done("route_order");
}
