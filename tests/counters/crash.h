/* Crashes inside one process: at a point of the protocol it is jumped away from, and nothing behind it is done. */
#ifndef CRASH_H
#define CRASH_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#define POINTS 64

static struct { const char *name; uint64_t passed, died; } points[POINTS];
static sigjmp_buf away;               /* where a crash leads to */
static long       countdown;          /* points until the next crash; 0: none */

/* gh_kill_hook. */
static inline void
at_point(const char *name)
{
    unsigned i = 0;

    while (points[i].name != NULL && strcmp(points[i].name, name) != 0) {
        i++;
    }
    points[i].name = name;
    points[i].passed++;
    if (countdown > 0 && --countdown == 0) {
        points[i].died++;
        siglongjmp(away, 1);
    }
}

/* One line for each; how many there are, and at how many there were crashes. */
static inline unsigned
say_points(unsigned *died)
{
    unsigned count = 0;

    for (*died = 0; count < POINTS && points[count].name != NULL; count++) {
        *died += points[count].died > 0;
        printf("  %-24s passed %10" PRIu64 "  crashed at %8" PRIu64 "\n", points[count].name, points[count].passed, points[count].died);
    }
    return count;
}

#endif
