#include "policy/route/route.h"

#include <string.h>

#include "policy/store/image_format.h"

#define ONE (UINT64_C(1) << 20)       /* of a score: the mean, before it is weighed */

static uint64_t
price_sum(bool known, uint64_t input, uint64_t output)
{
    uint64_t sum;

    return !known || __builtin_add_overflow(input, output, &sum) ? UINT64_MAX : sum;
}

static uint64_t
target_price(const gh_image_target_t *target)
{
    return price_sum(target->price_known, target->price.rates[0], target->price.rates[3]);
}

static uint64_t
tier_price(const gh_image_t *image, uint32_t target, gh_str_t service_tier)
{
    gh_price_t price;

    if (service_tier.len == 0) {
        return target_price(&image->targets[target]);
    }
    price = gh_image_price(image, target, service_tier);
    return price_sum(price.known, price.input, price.output);
}

/* By deployment id. */
static bool
named_before(const gh_image_t *image, uint32_t left, uint32_t right)
{
    int order = gh_str_cmp(gh_image_str(image, image->deployments[image->targets[left].deployment].id),
        gh_image_str(image, image->deployments[image->targets[right].deployment].id));

    return order != 0 ? order < 0 : left < right;
}

static bool
before(const gh_image_t *image, uint32_t left, uint32_t right)
{
    const gh_image_target_t *a = &image->targets[left], *b = &image->targets[right];
    uint64_t                 price_a, price_b;

    if (a->priority != b->priority) {
        return a->priority < b->priority;
    }
    price_a = target_price(a);
    price_b = target_price(b);
    return price_a != price_b ? price_a < price_b : named_before(image, left, right);
}

static void
sift(const gh_image_t *image, uint32_t *targets, uint32_t root, uint32_t count)
{
    for (;;) {
        uint32_t child = root * 2 + 1, swap;

        if (child >= count) {
            return;
        }
        if (child + 1 < count && before(image, targets[child], targets[child + 1])) {
            child++;
        }
        if (!before(image, targets[root], targets[child])) {
            return;
        }
        swap = targets[root];
        targets[root] = targets[child];
        targets[child] = swap;
        root = child;
    }
}

/* Heapsort: qsort may allocate. */
void
gh_route_sort(const gh_image_t *image, uint32_t *targets, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;) {
        sift(image, targets, i, count);
    }
    while (count > 1) {
        uint32_t last = targets[--count];

        targets[count] = targets[0];
        targets[0] = last;
        sift(image, targets, 0, count);
    }
}

/* ---- by state ---- */

/* Requests from which a time may become known. */
static uint64_t
tries(const gh_route_step_t *step)
{
    return (uint64_t) step->state.asked + step->state.in_flight;
}

/* 0: its time is known; else 1 and how many requests it was or is tried with. */
static uint64_t
guessed(const gh_route_step_t *step)
{
    return step->state.first_byte_us != 0 ? 0 : 1 + tries(step);
}

/* 0: those that may be asked, 1: those nobody looked at, 2: those that may not. */
static unsigned
place(const gh_route_step_t *step)
{
    return !step->looked ? 1 : gh_route_ready(step) ? 0 : 2;
}

/* Of two of one group: see gh_route_order. Never both ways round, nor neither: ids are different. */
static bool
sooner(const gh_image_t *image, const gh_route_step_t *a, const gh_route_step_t *b, gh_route_weights_t weights)
{
    bool unpriced_a = weights.cost > 0 && a->price == UINT64_MAX, unpriced_b = weights.cost > 0 && b->price == UINT64_MAX;

    if (unpriced_a != unpriced_b) {
        return unpriced_b;
    }
    if (a->score != b->score) {
        return a->score < b->score;
    }
    if (weights.latency > 0 && guessed(a) != guessed(b)) {
        return guessed(a) < guessed(b);
    }
    return a->price != b->price ? a->price < b->price : named_before(image, a->target, b->target);
}

typedef struct { uint64_t count, sum; } mean_t;

/* value * ONE / mean */
static uint64_t
share(uint64_t value, const mean_t *mean)
{
    return mean->sum == 0 ? 0 : (uint64_t) ((unsigned __int128) value * ONE * mean->count / mean->sum);
}

static void
into_mean(mean_t *mean, uint64_t value)
{
    mean->count++;
    mean->sum += value < UINT64_MAX / (2 * GH_ROUTE_LOOKED) ? value : UINT64_MAX / (2 * GH_ROUTE_LOOKED);
}

/* The times of those that may be asked. *slowest: of the known ones. */
static void
find_times(gh_route_step_t *steps, uint32_t count, mean_t *mean, uint64_t *slowest)
{
    bool tokens = true;

    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].state.first_byte_us != 0 && steps[i].state.token_us == 0) {
            tokens = false;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        gh_route_step_t *step = &steps[i];

        if (step->state.first_byte_us == 0) {
            step->time_us = tries(step) < GH_BACKEND_SAMPLES_MIN ? 0 : UINT64_MAX;
            continue;
        }
        step->time_us = step->state.first_byte_us + (tokens ? step->state.token_us * GH_ROUTE_TOKENS : 0);
        into_mean(mean, step->time_us);
        *slowest = step->time_us > *slowest ? step->time_us : *slowest;
    }
}

/* Of one priority, all of which may be asked. */
static void
score_group(gh_route_step_t *steps, uint32_t count, gh_route_weights_t weights)
{
    mean_t   price = { 0, 0 }, time = { 0, 0 };
    uint64_t slowest = 0;

    find_times(steps, count, &time, &slowest);
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].price != UINT64_MAX) {
            into_mean(&price, steps[i].price);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        gh_route_step_t *step = &steps[i];

        step->score = (step->price == UINT64_MAX ? 0 : weights.cost * share(step->price, &price))
            + weights.latency * share(step->time_us == UINT64_MAX ? slowest : step->time_us, &time);
    }
}

/* steps[index] to place `at`, before it. */
static void
move_up(gh_route_step_t *steps, uint32_t index, uint32_t at)
{
    gh_route_step_t step = steps[index];

    memmove(&steps[at + 1], &steps[at], (index - at) * sizeof(step));
    steps[at] = step;
}

/* Those of one place and priority side by side, in the order they come in: which most often is that already. */
static void
sort_groups(gh_route_step_t *steps, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint32_t at = i;

        while (at > 0 && steps[i].group < steps[at - 1].group) {
            at--;
        }
        if (at < i) {
            move_up(steps, i, at);
        }
    }
}

/* Most often they come as they were a moment ago, or nearly: else the place is searched by halves. */
static void
sort_group(const gh_image_t *image, gh_route_step_t *steps, uint32_t count, gh_route_weights_t weights)
{
    for (uint32_t i = 1; i < count; i++) {
        uint32_t low = 0, high = i - 1;

        if (!sooner(image, &steps[i], &steps[i - 1], weights)) {
            continue;
        }
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;

            if (sooner(image, &steps[i], &steps[middle], weights)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        move_up(steps, i, low);
    }
}

void
gh_route_order(const gh_image_t *image, gh_route_step_t *steps, uint32_t count, gh_route_weights_t weights, gh_str_t service_tier)
{
    for (uint32_t i = 0; i < count; i++) {
        steps[i].price = tier_price(image, steps[i].target, service_tier);
        steps[i].time_us = steps[i].score = 0;
        steps[i].group = (uint64_t) place(&steps[i]) << 32 | image->targets[steps[i].target].priority;
    }
    sort_groups(steps, count);
    for (uint32_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count && steps[next].group == steps[first].group; next++) {
        }
        if (place(&steps[first]) == 0 && weights.latency > 0) {          /* else by price, which orders as its score would */
            score_group(&steps[first], next - first, weights);
        }
        sort_group(image, &steps[first], next - first, weights);
    }
}
