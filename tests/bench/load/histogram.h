/* Times in nanoseconds, counted in steps of less than 1 %. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_FINE  128
#define HISTOGRAM_STEPS (58 * HISTOGRAM_FINE)

typedef struct {
    uint64_t counts[HISTOGRAM_STEPS];
    uint64_t total;
} histogram_t;

static inline unsigned
histogram_step(uint64_t ns)
{
    unsigned shift;

    if (ns < 2 * HISTOGRAM_FINE) {
        return (unsigned) ns;
    }
    shift = 63 - (unsigned) __builtin_clzll(ns) - 7;
    return shift * HISTOGRAM_FINE + (unsigned) (ns >> shift);
}

static inline void
histogram_add(histogram_t *histogram, uint64_t ns)
{
    unsigned step = histogram_step(ns);

    histogram->counts[step < HISTOGRAM_STEPS ? step : HISTOGRAM_STEPS - 1]++;
    histogram->total++;
}

/* The middle of the step that holds the part (0 to 1) of all; in microseconds. 0 when there are none. */
static inline double
histogram_us(const histogram_t *histogram, double part)
{
    uint64_t want = (uint64_t) (part * (double) histogram->total), seen = 0;

    for (unsigned step = 0; step < HISTOGRAM_STEPS; step++) {
        seen += histogram->counts[step];
        if (seen > want) {
            unsigned shift = step < 2 * HISTOGRAM_FINE ? 0 : step / HISTOGRAM_FINE - 1;

            return ((double) ((uint64_t) (step - shift * HISTOGRAM_FINE) << shift) + (double) (UINT64_C(1) << shift) / 2) / 1000;
        }
    }
    return 0;
}

#endif
