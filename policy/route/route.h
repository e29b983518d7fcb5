/* The order in which eligible targets are tried. A pure ordering: nothing is added, nothing left out. */
#ifndef GH_ROUTE_H
#define GH_ROUTE_H

#include "policy/base/json_writer.h"
#include "policy/ledger/backends.h"
#include "policy/store/image.h"

/* By what the documents say alone: priority (lower first), then price (input + output, unknown last), then deployment id. In place, no memory. */
void gh_route_sort(const gh_image_t *image, uint32_t *targets, uint32_t count);

/*
 * Targets of a route whose state counts: the first so many as gh_route_sort gives them. By price alone the others stay where they are, and each is
 * asked about once more before it is tried.
 */
#define GH_ROUTE_LOOKED       64u
#define GH_ROUTE_LOOKED_PRICE 8u      /* with time weighing nothing, and no service tier's prices */
#define GH_ROUTE_TOKENS 256u          /* the time of a target is that of an answer of so many tokens */

/* Of "objective": what the price weighs and what the time does, of 1000 together. */
typedef struct { uint16_t cost, latency; } gh_route_weights_t;

static inline uint32_t
gh_route_looked(gh_route_weights_t weights, gh_str_t service_tier)
{
    return weights.latency > 0 || service_tier.len > 0 ? GH_ROUTE_LOOKED : GH_ROUTE_LOOKED_PRICE;
}

typedef struct {
    uint32_t           target;
    bool               looked;        /* state counts */
    gh_backend_state_t state;
    /* what gh_route_order made of them */
    uint64_t           group;         /* those that may be asked first, of those the lowest priority first */
    uint64_t           price;         /* input + output, of the service tier; UINT64_MAX: unknown */
    uint64_t           time_us;       /* with time weighing nothing 0, as the score; 0: not known, and tried to find out; UINT64_MAX: not known, held to be as slow as the slowest known */
    uint64_t           score;         /* the lower the better, among those of its priority; 2^20 * 1000: as dear, or as slow, as the mean */
} gh_route_step_t;

/* May it be asked, as its state has it? */
static inline bool
gh_route_ready(const gh_route_step_t *step)
{
    return step->state.retry_at_ms == 0 && step->state.breaker != GH_BREAKER_OPEN && step->state.credential == GH_CREDENTIAL_IS_READY;
}

/*
 * Puts the steps, which come in the order of gh_route_sort, into the order in which they are tried; a function of what is handed in alone, the
 * same for every order of steps that are looked at.
 *  - Those whose breaker is open, that are to be left alone or are without a credential come last, after all that are not looked at.
 *  - Then priority; of one priority, with cost weighing anything, unknown prices come last.
 *  - Then the score: the sum of price and time, each as a part of its mean over the ready steps of the priority, by their weights. The time is
 *    the average to the first byte, and GH_ROUTE_TOKENS tokens when their time is known of all that have one.
 *  - A time that is not known counts as 0 while fewer than GH_BACKEND_SAMPLES_MIN requests were sent there, or are on their way: so that it
 *    becomes known, from a few requests at a time. After that it counts as the slowest, until GH_BACKEND_STALE_MS pass without one.
 *  - Ties: with latency weighing anything, known times first, then those with fewer such requests; then price, then deployment id.
 * Prices are those of the service tier that was asked for, as gh_image_price has them: what is not priced for it is unknown.
 */
void gh_route_order(const gh_image_t *image, gh_route_step_t *steps, uint32_t count, gh_route_weights_t weights, gh_str_t service_tier);

/*
 * "order_by":{"cost","latency"},"terms":[{"deployment","price","first_byte_us","token_us","samples","asked","in_flight","retry_at","breaker","credential"}]:
 * all that gh_route_order looked at, of the steps that were looked at, in their order. A number that is 0, a closed breaker and a
 * credential that is there are left out, and so is a price that is unknown; one of 0 is written. told_only: only the steps of which something besides the price is known, which is
 * the documents'. For an object that is open in w.
 */
void gh_route_write(gh_json_writer_t *w, const gh_image_t *image, const gh_route_step_t *steps, uint32_t count, gh_route_weights_t weights,
    bool told_only);

extern const char *const gh_breaker_names[3];      /* by GH_BREAKER_*: "closed", "open", "half_open" */
extern const char *const gh_credential_names[4];   /* by GH_CREDENTIAL_IS_*: "ready", "expired", "unavailable", "refused" */

#endif
