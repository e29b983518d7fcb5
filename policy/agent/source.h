/*
 * What the agent fetches again and again: each source is one row, with a function that may block, run in a thread of its own, and one that takes what came of it in the
 * main thread. One flight for each source at a time, GH_SOURCES_AT_ONCE of all of them; the next comes when the source says, a little earlier or later than
 * others that said the same, and after failures at growing distances.
 */
#ifndef GH_AGENT_SOURCE_H
#define GH_AGENT_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "policy/base/arena.h"
#include "policy/base/error.h"

#define GH_SOURCES_AT_ONCE      8
#define GH_SOURCE_RETRY_MS      1000u       /* after the first failure; twice as much after each further one */
#define GH_SOURCE_RETRY_MAX_MS  300000u

typedef struct gh_source_s gh_source_t;

struct gh_source_s {
    const char *kind;                 /* "keys", "credential", ...: static */
    const char *name;                 /* for the log; owned by whoever adds the source */
    void       *context;

    /*
     * In a thread: may block, and touches nothing but its context's unchanging parts. *result is handed to done(); it and what it points to live in the arena.
     * *stop (not NULL) becomes 1 when the agent ends. GH_ERROR with *error.
     */
    int (*run)(void *context, const _Atomic int *stop, gh_arena_t *arena, void **result, gh_error_t *error);

    /*
     * In the main thread, after run. error NULL: it went well, and what done() then cannot do with the result it says in *failed, which counts as a failure of run
     * does. Returns how many milliseconds from now it is due again, 0: after a failure, at the growing distance; after a success that is GH_SOURCE_RETRY_MAX_MS.
     */
    uint64_t (*done)(void *context, void *result, const gh_error_t *error, uint64_t now_ms, gh_error_t *failed);

    /* Kept by gh_sources_t; to be read in the main thread. */
    uint64_t due_ms;
    uint64_t hurried_ms;              /* due again then, as was said while it ran; 0: nobody did */
    uint64_t began_ms, succeeded_ms;  /* last; 0: never */
    uint64_t until_ms;                /* what it brought last holds until then, as done() says; 0: it does not end, or nothing was */
    bool     again;                   /* what it brought last was there already, as done() says: nobody has renewed it */
    uint32_t failures;                /* since the last success */
    bool     idle;                    /* there is nothing to fetch, as done() says */
    bool     running, leaving;
    char     code[32], error[512];    /* of the last failure, "" after a success */
};

typedef struct gh_sources_s gh_sources_t;

/* NULL: no memory, or no descriptor. seed: of the jitter. */
gh_sources_t *gh_sources_new(uint64_t seed);

/* Asks what runs to end, waits for it (about a second), and frees. */
void gh_sources_free(gh_sources_t *sources);

/* Readable when a flight has ended: gh_sources_tick then. */
int gh_sources_descriptor(const gh_sources_t *sources);

/* The row is the caller's, and must live until gh_sources_remove says true. Due at once. GH_ERROR: no memory. */
int gh_sources_add(gh_sources_t *sources, gh_source_t *source);

/* No flight of it begins any more. false: one is under way: ask again later. */
bool gh_sources_remove(gh_sources_t *sources, gh_source_t *source);

/* Due now, but not within least_ms of the last beginning. */
void gh_source_hurry(gh_source_t *source, uint64_t now_ms, uint64_t least_ms);

/* Takes what has ended, begins what is due. Returns the milliseconds until something is due, at most `most`. */
uint64_t gh_sources_tick(gh_sources_t *sources, uint64_t now_ms, uint64_t most);

/* Rows, in the order added. */
size_t       gh_sources_count(const gh_sources_t *sources);
gh_source_t *gh_sources_at(const gh_sources_t *sources, size_t index);

#endif
