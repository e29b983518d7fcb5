/*
 * What the model of the edit barrier is compared with: with -DGH_TRACE (test builds only) each event is a line of $GATEHOUSE_TRACE,
 * appended in one write: "<clock_ns> <pid> <slot> <event> <number>\n", clock_ns of CLOCK_MONOTONIC, slot "-" for an editor's own events.
 *
 *   worker   take SLOT, window 1, snapshot T, permit T, refuse T, write T, close 0, sweep T
 *   editor   commit T, announce T, scan WINDOW (of that slot), ack T, giveup T
 *
 * Without it nothing of this is compiled.
 */
#ifndef GH_TRACE_H
#define GH_TRACE_H

#include <stdint.h>

#ifdef GH_TRACE

/* slot: address of the slot in a mapping, or NULL. */
void gh_trace(const void *slot, const char *event, uint64_t number);

/* Where slot 0 of this process's mapping is: what turns addresses into numbers. */
void gh_trace_slots(const void *first);

#else

#define gh_trace(slot, event, number) ((void) 0)
#define gh_trace_slots(first)         ((void) 0)

#endif

#endif
