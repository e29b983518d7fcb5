/*
 * An average in which a sample's weight halves every GH_BACKEND_DECAY_MS: the sum over samples of x * 2^(-age / DECAY), divided by the sum of
 * those weights. It is the same whenever it is looked at, since all weights shrink alike; a clock that steps back makes no sample older.
 */
#include "policy/ledger/backend_state.h"

#define ONE        4096u                              /* the weight of a new sample */
#define WEIGHT_MAX ((1u << 30) - 1)
#define AT_MASK    ((UINT64_C(1) << 42) - 1)

/* low: average 48, samples 8, weight's low 8. high: at 42, weight's high 22. */
gh_pair_t
gh_average_pack(const gh_average_t *average)
{
    return (gh_pair_t) { average->average << 16 | (uint64_t) average->samples << 8 | (average->weight & 0xff),
        (average->at_ms & AT_MASK) << 22 | average->weight >> 8 };
}

gh_average_t
gh_average_unpack(gh_pair_t pair)
{
    return (gh_average_t) { .average = pair.low >> 16, .samples = pair.low >> 8 & 0xff,
        .weight = (uint32_t) ((pair.high & ((1u << 22) - 1)) << 8 | (pair.low & 0xff)), .at_ms = pair.high >> 22 };
}

uint32_t
gh_average_decay(uint32_t weight, uint64_t ms)
{
    static const uint32_t roots[16] = {               /* 2^(-1/2), 2^(-1/4), ... in 2^-32 */
        3037000500u, 3611622603u, 3938502376u, 4112874773u, 4202935003u, 4248701965u, 4271771996u, 4283353945u,
        4289156690u, 4292061010u, 4293513907u, 4294240540u, 4294603903u, 4294785595u, 4294876445u, 4294921870u
    };
    uint64_t halvings = ms / GH_BACKEND_DECAY_MS, part, factor = UINT64_C(1) << 32;

    if (halvings >= 31) {
        return 0;
    }
    part = ((ms % GH_BACKEND_DECAY_MS << 16) + GH_BACKEND_DECAY_MS / 2) / GH_BACKEND_DECAY_MS;   /* of one halving, in 2^-16 */
    for (unsigned bit = 0; bit < 16; bit++) {
        if (part >> (15 - bit) & 1) {
            factor = factor * roots[bit] >> 32;
        }
    }
    if (part >> 16 & 1) {
        factor >>= 1;
    }
    return (uint32_t) ((weight * factor + (UINT64_C(1) << (31 + halvings))) >> (32 + halvings));
}

void
gh_average_add(gh_average_t *average, uint64_t sample, uint64_t now_ms)
{
    uint64_t elapsed = gh_backend_elapsed(average->at_ms, now_ms);
    int64_t  difference;

    if (elapsed == UINT64_MAX) {
        elapsed = 0;
    }
    if (average->samples == 0 || elapsed > GH_BACKEND_STALE_MS) {
        *average = (gh_average_t) { 0 };
    }
    sample = (sample < GH_AVERAGE_MAX ? sample : GH_AVERAGE_MAX) << 16;
    average->weight = gh_average_decay(average->weight, elapsed);
    average->weight = average->weight < WEIGHT_MAX - ONE ? average->weight + ONE : WEIGHT_MAX;
    difference = (int64_t) sample - (int64_t) average->average;
    average->average = (uint64_t) ((int64_t) average->average + difference * (int64_t) ONE / (int64_t) average->weight);
    average->samples += average->samples < GH_BACKEND_SAMPLES_MAX;
    average->at_ms = elapsed == 0 && average->at_ms > now_ms && average->at_ms - now_ms <= GH_BACKEND_CLOCK_MS ? average->at_ms : now_ms;
}

uint64_t
gh_average_look(const gh_average_t *average, uint64_t now_ms, uint32_t *samples)
{
    uint64_t elapsed = gh_backend_elapsed(average->at_ms, now_ms);

    *samples = average->samples;
    if (average->samples == 0 || (elapsed > GH_BACKEND_STALE_MS && elapsed != UINT64_MAX)) {
        *samples = 0;
        return 0;
    }
    return (average->average + (1u << 15)) >> 16;
}
