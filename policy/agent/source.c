#include "policy/agent/source.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETRY_DOUBLINGS 16

#define FARTHEST_MS (UINT64_C(30) * 86400000)     /* whatever a source says, it is asked again by then */

typedef struct flight_s flight_t;

struct flight_s {
    gh_sources_t *sources;
    gh_source_t  *source;
    flight_t     *next;               /* of those that have ended */
    pthread_t     thread;
    gh_heap_t     heap;
    void         *result;
    int           rc;
    gh_error_t    error;
};

struct gh_sources_s {
    gh_source_t   **items;
    size_t          count, capacity;
    unsigned        under_way;
    uint64_t        random;
    int             wake;             /* eventfd */
    _Atomic int     stop;
    pthread_mutex_t mutex;            /* of ended */
    flight_t       *ended;
};

gh_sources_t *
gh_sources_new(uint64_t seed)
{
    gh_sources_t *sources = calloc(1, sizeof(*sources));

    if (sources == NULL) {
        return NULL;
    }
    sources->random = seed | 1;
    sources->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sources->wake == -1) {
        free(sources);
        return NULL;
    }
    pthread_mutex_init(&sources->mutex, NULL);
    return sources;
}

int
gh_sources_descriptor(const gh_sources_t *sources)
{
    return sources->wake;
}

int
gh_sources_add(gh_sources_t *sources, gh_source_t *source)
{
    if (sources->count == sources->capacity) {
        size_t        capacity = sources->capacity * 2 + 16;
        gh_source_t **items = realloc(sources->items, capacity * sizeof(*items));

        if (items == NULL) {
            return GH_ERROR;
        }
        sources->items = items;
        sources->capacity = capacity;
    }
    source->due_ms = 0;
    source->running = source->leaving = false;
    sources->items[sources->count++] = source;
    return GH_OK;
}

bool
gh_sources_remove(gh_sources_t *sources, gh_source_t *source)
{
    source->leaving = true;
    if (source->running) {
        return false;
    }
    for (size_t i = 0; i < sources->count; i++) {
        if (sources->items[i] == source) {
            memmove(&sources->items[i], &sources->items[i + 1], (sources->count - i - 1) * sizeof(source));
            sources->count--;
            break;
        }
    }
    return true;
}

size_t
gh_sources_count(const gh_sources_t *sources)
{
    return sources->count;
}

gh_source_t *
gh_sources_at(const gh_sources_t *sources, size_t index)
{
    return sources->items[index];
}

void
gh_source_hurry(gh_source_t *source, uint64_t now_ms, uint64_t least_ms)
{
    uint64_t soonest = source->began_ms != 0 && source->began_ms <= now_ms ? source->began_ms + least_ms : now_ms;

    soonest = soonest > now_ms ? soonest : now_ms;
    /* What runs may have begun with what was known before. Who asks for it at most every so often is served by what runs, or asks again. */
    if (source->running && least_ms == 0) {
        source->hurried_ms = soonest;
    }
    source->due_ms = source->due_ms < soonest ? source->due_ms : soonest;
}

/* Up to a tenth less, or one more or less: what was begun together does not stay together. xorshift64*. */
static uint64_t
jitter(gh_sources_t *sources, uint64_t ms, bool later)
{
    uint64_t x = sources->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    sources->random = x;
    return ms - ms / 10 + (x * UINT64_C(2685821657736338717) >> 33) % (ms / (later ? 5 : 10) + 1);
}

static uint64_t
retry_after(const gh_source_t *source)
{
    unsigned doublings = source->failures > RETRY_DOUBLINGS ? RETRY_DOUBLINGS : source->failures - 1;
    uint64_t ms = (uint64_t) GH_SOURCE_RETRY_MS << doublings;

    return ms < GH_SOURCE_RETRY_MAX_MS ? ms : GH_SOURCE_RETRY_MAX_MS;
}

static void *
fly(void *context)
{
    flight_t      *flight = context;
    gh_sources_t  *sources = flight->sources;
    const uint64_t one = 1;

    flight->rc = flight->source->run(flight->source->context, &sources->stop, &flight->heap.arena, &flight->result, &flight->error);
    pthread_mutex_lock(&sources->mutex);
    flight->next = sources->ended;
    sources->ended = flight;
    pthread_mutex_unlock(&sources->mutex);
    while (write(sources->wake, &one, sizeof(one)) < 0) {
        break;                           /* the counter is full of ones already: it is readable */
    }
    return NULL;
}

static void
begin(gh_sources_t *sources, gh_source_t *source, uint64_t now_ms)
{
    flight_t *flight = calloc(1, sizeof(*flight));

    source->began_ms = now_ms;
    if (flight != NULL) {
        flight->sources = sources;
        flight->source = source;
        gh_heap_init(&flight->heap);
        if (pthread_create(&flight->thread, NULL, fly, flight) == 0) {
            source->running = true;
            sources->under_way++;
            return;
        }
        free(flight);
    }
    source->due_ms = now_ms + GH_SOURCE_RETRY_MS;
}

/* error NULL: it went well. */
static void
count(gh_source_t *source, const gh_error_t *error, uint64_t now_ms)
{
    if (error == NULL) {
        source->failures = 0;
        source->succeeded_ms = now_ms;
        source->code[0] = source->error[0] = '\0';
    } else {
        source->failures += source->failures < UINT32_MAX;
        snprintf(source->code, sizeof(source->code), "%s", error->code != NULL ? error->code : "failed");
        snprintf(source->error, sizeof(source->error), "%s", error->text);
    }
}

static void
land(gh_sources_t *sources, flight_t *flight, uint64_t now_ms)
{
    gh_source_t      *source = flight->source;
    const gh_error_t *error = flight->rc == GH_OK ? NULL : &flight->error;
    gh_error_t        failed = { 0 };
    uint64_t          next;

    pthread_join(flight->thread, NULL);
    source->running = false;
    sources->under_way--;
    /* What a source that is being removed brought is of no use any more. */
    if (!source->leaving) {
        next = source->done(source->context, flight->result, error, now_ms, &failed);
        error = error == NULL && failed.code != NULL ? &failed : error;
        count(source, error, now_ms);
        if (next == 0) {
            next = error == NULL ? GH_SOURCE_RETRY_MAX_MS : retry_after(source);
        }
        next = next < FARTHEST_MS ? next : FARTHEST_MS;
        source->due_ms = now_ms + jitter(sources, next, error != NULL);
        source->due_ms = source->hurried_ms != 0 && source->hurried_ms < source->due_ms ? source->hurried_ms : source->due_ms;
        source->hurried_ms = 0;
    }
    gh_heap_free(&flight->heap);
    free(flight);
}

static void
land_all(gh_sources_t *sources, uint64_t now_ms)
{
    flight_t *flight, *next;
    uint64_t  count;

    if (read(sources->wake, &count, sizeof(count)) != sizeof(count)) {
        return;
    }
    pthread_mutex_lock(&sources->mutex);
    flight = sources->ended;
    sources->ended = NULL;
    pthread_mutex_unlock(&sources->mutex);
    for (; flight != NULL; flight = next) {
        next = flight->next;
        land(sources, flight, now_ms);
    }
}

/* How long until it is due; 0: it is. One that is due farther ahead than any is planned was planned by a clock that has stepped back. */
static uint64_t
due_in(const gh_source_t *source, uint64_t now_ms)
{
    return source->due_ms > now_ms && source->due_ms - now_ms <= 2 * FARTHEST_MS ? source->due_ms - now_ms : 0;
}

/* Of those that are due the one that is so for longest: some that hang and are tried often do not keep others waiting. */
static gh_source_t *
longest_due(const gh_sources_t *sources, uint64_t now_ms)
{
    gh_source_t *found = NULL;

    for (size_t i = 0; i < sources->count; i++) {
        gh_source_t *source = sources->items[i];

        if (!source->running && !source->leaving && due_in(source, now_ms) == 0 && (found == NULL || source->due_ms < found->due_ms)) {
            found = source;
        }
    }
    return found;
}

uint64_t
gh_sources_tick(gh_sources_t *sources, uint64_t now_ms, uint64_t most)
{
    uint64_t     wait = most, in;
    gh_source_t *source;

    land_all(sources, now_ms);
    while (sources->under_way < GH_SOURCES_AT_ONCE && atomic_load(&sources->stop) == 0 && (source = longest_due(sources, now_ms)) != NULL) {
        begin(sources, source, now_ms);
    }
    for (size_t i = 0; i < sources->count; i++) {
        in = due_in(sources->items[i], now_ms);
        if (!sources->items[i]->running && !sources->items[i]->leaving && in != 0 && in < wait) {
            wait = in;
        }
    }
    return wait;
}

void
gh_sources_free(gh_sources_t *sources)
{
    if (sources == NULL) {
        return;
    }
    atomic_store(&sources->stop, 1);
    for (size_t i = 0; i < sources->count; i++) {
        sources->items[i]->leaving = true;
    }
    while (sources->under_way > 0) {
        land_all(sources, 0);
        usleep(sources->under_way > 0 ? 10000 : 0);
    }
    pthread_mutex_destroy(&sources->mutex);
    close(sources->wake);
    free(sources->items);
    free(sources);
}
