/*
 * What one worker does for a request, measured on a store as it is: who asks (two look-ups), and the decision, without cells and with
 * them. Medians over batches. And many API keys, made in one transaction, to have a store that is as large as one of years.
 *
 *   scale keys HOME STORE_KEY COUNT ORGANISATIONS          keys of the apps of documents.py, one each, from the first on
 *   scale decide HOME STORE_KEY TENANTS ORGANISATIONS      one JSON object with nanoseconds
 *   scale presented HOME STORE_KEY TENANTS                 one JSON object with nanoseconds of knowing who presents a key: of all keys once, then of a
 *                                                          thousand of them, then of all, chosen evenly
 *   scale churn HOME STORE_KEY COMMITS RECORDS SECONDS     COMMITS a second of RECORDS keys each, until SIGTERM or the time is over; prints
 *                                                          how many commits a second there were
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/decide/decide.h"
#include "policy/store/store_edit.h"

#define CALLERS 2000
#define BATCHES 200
#define BATCH   100

static uint64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

static uint64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}

static uint32_t
next_random(uint32_t below)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t) (state >> 11) % below;
}

static gh_store_t *
open_store(const char *home, const char *key, bool writable)
{
    gh_store_options_t options = { .home = home, .writable = writable };
    gh_error_t         error = { 0 };
    gh_store_t        *store;

    if (gh_store_key_read(key, options.key, &error) != GH_OK || (store = gh_store_open(&options, &error)) == NULL) {
        fprintf(stderr, "%s: %s\n", error.source, error.text);
        exit(1);
    }
    return store;
}

/* The tenant of a number is of the organisation that documents.py puts it in. */
static uint32_t
organisation_of(uint32_t tenant, uint32_t tenants, uint32_t organisations)
{
    uint32_t organisation = (uint32_t) ((uint64_t) tenant * organisations / tenants);

    while (organisation + 1 < organisations && (uint64_t) tenants * (organisation + 1) / organisations <= tenant) {
        organisation++;
    }
    return organisation;
}

/* As at the first key below a name. */
static int
path_uid(gh_edit_t *edit, const char *path, uint64_t *uid, gh_error_t *error)
{
    gh_store_name_key_t key;
    gh_name_uid_t       record;
    bool                found;

    gh_store_name_key(&key, "u/", gh_str_from(path));
    if (gh_edit_get(edit, GH_DB_NAME, (gh_bytes_t) { key.text, key.len }, &record, sizeof(record), &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found) {
        memset(&record, 0, sizeof(record));
        record.uid = ++edit->head.last_uid;
    }
    *uid = record.uid;
    return found ? GH_OK : gh_edit_put(edit, GH_DB_NAME, (gh_bytes_t) { key.text, key.len }, &record, sizeof(record), error);
}

static int
make_key(gh_edit_t *edit, uint32_t tenant, uint32_t tenants, uint32_t organisations, gh_error_t *error)
{
    char            org[24], name[24], named[64], path[96], text[GH_KEY_TEXT];
    uint8_t         random[32] = { 0 }, hash[32], buffer[GH_KEY_RECORD_MAX];
    gh_key_record_t record;
    gh_name_key_t   index;
    size_t          len;

    snprintf(org, sizeof(org), "org%u", organisation_of(tenant, tenants, organisations));
    snprintf(name, sizeof(name), "t%u", tenant);
    snprintf(path, sizeof(path), "k/%s/%s/app/k", org, name);
    memcpy(random, &tenant, sizeof(tenant));
    gh_key_text(random, text);
    memset(&record, 0, sizeof(record));
    snprintf(named, sizeof(named), "%s/%s", org, name);
    if (path_uid(edit, org, &record.org_uid, error) != GH_OK || path_uid(edit, named, &record.tenant_uid, error) != GH_OK) {
        return GH_ERROR;
    }
    snprintf(named, sizeof(named), "%s/%s/app", org, name);
    if (path_uid(edit, named, &record.app_uid, error) != GH_OK) {
        return GH_ERROR;
    }
    record.key_uid = ++edit->head.last_uid;
    record.state = GH_KEY_LIVE;
    len = gh_key_record_write(&record, &(gh_key_words_t) { .org = gh_str_from(org), .tenant = gh_str_from(name), .app = GH_STR("app"), .name = GH_STR("k") }, buffer);
    if (gh_key_hash(edit->store->api_key, (gh_str_t) { text, GH_KEY_TEXT }, hash) != GH_OK
        || gh_edit_put(edit, GH_DB_KEY, (gh_bytes_t) { hash, 32 }, buffer, len, error) != GH_OK)
    {
        return GH_ERROR;
    }
    memset(&index, 0, sizeof(index));
    memcpy(index.hash, hash, 32);
    index.created_ms = edit->now_ms;
    return gh_edit_put(edit, GH_DB_NAME, (gh_bytes_t) { path, strlen(path) }, &index, GH_NAME_KEY_PLAIN, error);
}

static int
keys(const char *home, const char *key, uint32_t count, uint32_t organisations)
{
    gh_store_t *store = open_store(home, key, true);
    gh_error_t  error = { 0 };
    gh_edit_t   edit;

    if (gh_edit_begin(&edit, store, now_ms(), &error) != GH_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (make_key(&edit, i, count, organisations, &error) != GH_OK) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
    }
    if (gh_edit_commit(&edit, &error) != GH_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    gh_store_close(store);
    return 0;
}

static volatile sig_atomic_t stopped;

static void
stop(int number)
{
    (void) number;
    stopped = 1;
}

/* Keys of an app that nobody uses, written again and again: their number is bounded, whatever the time. */
static int
churn_records(gh_store_t *store, uint32_t records, uint32_t *number, gh_error_t *error)
{
    static uint64_t uid;
    gh_edit_t       edit;

    if (gh_edit_begin(&edit, store, now_ms(), error) != GH_OK) {
        return GH_ERROR;
    }
    uid = uid == 0 ? ++edit.head.last_uid : uid;
    for (uint32_t i = 0; i < records; i++) {
        uint8_t         random[32] = { 0xff }, hash[32], buffer[GH_KEY_RECORD_MAX];
        char            text[GH_KEY_TEXT];
        gh_key_record_t record = { .key_uid = uid, .state = GH_KEY_LIVE };
        size_t          len = gh_key_record_write(&record, &(gh_key_words_t) { .org = GH_STR("org0"), .tenant = GH_STR("t0"), .app = GH_STR("app"), .name = GH_STR("churn") }, buffer);

        *number = (*number + 1) % 5000;
        memcpy(random + 8, number, sizeof(*number));
        gh_key_text(random, text);
        if (gh_key_hash(store->api_key, (gh_str_t) { text, GH_KEY_TEXT }, hash) != GH_OK
            || gh_edit_put(&edit, GH_DB_KEY, (gh_bytes_t) { hash, 32 }, buffer, len, error) != GH_OK)
        {
            return GH_ERROR;
        }
    }
    return gh_edit_commit(&edit, error);
}

static int
churn(const char *home, const char *key, uint32_t commits, uint32_t records, uint32_t seconds)
{
    gh_store_t *store = open_store(home, key, true);
    uint64_t    begun = now_ns(), due = begun, count = 0;
    uint32_t    number = 0;
    gh_error_t  error = { 0 };

    signal(SIGTERM, stop);
    while (!stopped && now_ns() - begun < (uint64_t) seconds * 1000000000u) {
        if (now_ns() < due) {
            uint64_t wait = due - now_ns();

            nanosleep(&(struct timespec) { 0, (long) (wait < 999999999 ? wait : 999999999) }, NULL);
            continue;
        }
        if (churn_records(store, records, &number, &error) != GH_OK) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
        count++;
        due += 1000000000u / commits;
    }
    printf("%.1f commits a second\n", (double) count * 1e9 / (double) (now_ns() - begun));
    gh_store_close(store);
    return 0;
}

/* ---- who presents a key ---- */

static int
compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}

/* Of this process alone: others may use the machine. */
static uint64_t
processor_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

typedef struct {
    gh_store_t *store;
    char      (*text)[GH_KEY_TEXT];
    uint64_t    at_ms;
} callers_t;

/* An arena for one call: what the worker's is to a request. */
static char   room[65536];
static size_t room_used;

static void *
room_alloc(gh_arena_t *arena, size_t size)
{
    void *at = room + room_used;

    (void) arena;
    room_used += (size + 15) & ~(size_t) 15;
    return room_used <= sizeof(room) ? at : NULL;
}

static void
identify(const callers_t *callers, uint32_t number, const char text[GH_KEY_TEXT])
{
    gh_arena_t    arena = { room_alloc, NULL };
    gh_identity_t identity;
    gh_error_t    error = { 0 };

    room_used = 0;
    if (gh_store_identify(callers->store, (gh_str_t) { text, GH_KEY_TEXT }, callers->at_ms, &arena, &identity, NULL, &error) != GH_OK) {
        fprintf(stderr, "key %u: %s\n", number, error.text);
        exit(1);
    }
}

/* Of one call, of callers of the first `among`, chosen evenly, in nanoseconds. A worker has just read the key's text: here too it lies at hand. */
static double
median_presented(const callers_t *callers, uint32_t among)
{
    static uint32_t number[BATCHES * CALLERS];
    static char     text[CALLERS][GH_KEY_TEXT];
    uint64_t        took[BATCHES];

    for (unsigned i = 0; i < BATCHES * CALLERS; i++) {
        number[i] = next_random(among);
    }
    for (unsigned b = 0; b < BATCHES; b++) {
        uint64_t begun;

        for (unsigned i = 0; i < CALLERS; i++) {
            memcpy(text[i], callers->text[number[b * CALLERS + i]], GH_KEY_TEXT);
        }
        begun = processor_ns();
        for (unsigned i = 0; i < CALLERS; i++) {
            identify(callers, number[b * CALLERS + i], text[i]);
        }
        took[b] = processor_ns() - begun;
    }
    qsort(took, BATCHES, sizeof(*took), compare_u64);
    return (double) took[BATCHES / 2] / CALLERS;
}

static int
presented(const char *home, const char *key, uint32_t tenants)
{
    callers_t callers = { open_store(home, key, false), calloc(tenants, GH_KEY_TEXT), now_ms() };
    uint64_t  begun;
    double    first, few, many;

    gh_store_edits(callers.store, 1);                 /* as a worker does: no look at the files within a millisecond */
    for (uint32_t i = 0; i < tenants; i++) {
        uint8_t random[32] = { 0 };

        memcpy(random, &i, sizeof(i));
        gh_key_text(random, callers.text[i]);
    }
    begun = processor_ns();
    for (uint32_t i = 0; i < tenants; i++) {          /* in an order that no page of the store has */
        identify(&callers, i, callers.text[i]);
    }
    first = (double) (processor_ns() - begun) / tenants;
    median_presented(&callers, 1000);
    few = median_presented(&callers, 1000);
    many = median_presented(&callers, tenants);
    many = median_presented(&callers, tenants);
    printf("{\"keys\": %u, \"first_ns\": %.0f, \"thousand_ns\": %.0f, \"all_ns\": %.0f}\n", tenants, first, few, many);
    gh_store_close(callers.store);
    free(callers.text);
    return 0;
}

/* ---- decisions ---- */

typedef struct {
    gh_identity_t identity;
    gh_intake_t   intake;
    char          path[96];
} caller_t;

/* Of one decision, in nanoseconds. */
static double
median_decision(const gh_image_t *image, caller_t *callers, gh_cells_t *cells, unsigned batches, uint64_t at_ms)
{
    uint64_t *took = calloc(batches, sizeof(*took));
    double    median;

    for (unsigned b = 0; b < batches; b++) {
        gh_heap_t heap;
        uint64_t  begun;

        gh_heap_init(&heap);
        gh_arena_alloc(&heap.arena, 1);
        begun = now_ns();
        for (unsigned i = 0; i < BATCH; i++) {
            caller_t         *caller = &callers[next_random(CALLERS)];
            gh_decide_input_t input = { .identity = &caller->identity, .intake = &caller->intake, .node = GH_STR("n1"),
                                        .now_ms = at_ms, .cells = cells };
            gh_decision_t     decision;
            gh_error_t        error;

            if (gh_decide(image, &input, &heap.arena, &decision, &error) != GH_OK) {
                fprintf(stderr, "no decision: %s\n", error.text);
                exit(1);
            }
        }
        took[b] = now_ns() - begun;
        gh_heap_free(&heap);
    }
    qsort(took, batches, sizeof(*took), compare_u64);
    median = (double) took[batches / 2] / BATCH;
    free(took);
    return median;
}

/* Who asks, again: what is done in front of a dispatch when the store has moved. */
static double
median_identify(gh_store_t *store, caller_t *callers, uint64_t at_ms)
{
    uint64_t took[BATCHES];

    for (unsigned b = 0; b < BATCHES; b++) {
        gh_heap_t heap;
        uint64_t  begun = now_ns();

        gh_heap_init(&heap);
        for (unsigned i = 0; i < BATCH; i++) {
            gh_identity_t identity = callers[next_random(CALLERS)].identity;
            gh_error_t    error;

            if (gh_store_identify_app(store, at_ms, &identity, NULL, &error) != GH_OK) {
                fprintf(stderr, "%s\n", error.text);
                exit(1);
            }
        }
        took[b] = now_ns() - begun;
        gh_heap_free(&heap);
    }
    qsort(took, BATCHES, sizeof(*took), compare_u64);
    return (double) took[BATCHES / 2] / BATCH;
}

static int
decide(const char *home, const char *key, uint32_t tenants, uint32_t organisations)
{
    static const char *const models[] = { "model-0", "model-1", "model-5" };
    static caller_t          callers[CALLERS];
    gh_store_t              *store = open_store(home, key, false);
    gh_cells_t              *cells = gh_cells_new(32u << 20);
    uint64_t                 at_ms = now_ms(), revision;
    gh_image_t              *image = NULL;
    double                   identify, uncached, cached;

    for (unsigned i = 0; i < CALLERS; i++) {
        caller_t  *caller = &callers[i];
        uint32_t   tenant = next_random(tenants);
        gh_error_t error = { 0 };

        snprintf(caller->path, sizeof(caller->path), "org%u/t%u/app", organisation_of(tenant, tenants, organisations), tenant);
        caller->identity.path = gh_str_from(caller->path);
        caller->identity.key = GH_STR("k");
        caller->intake.model = gh_str_from(models[next_random(3)]);
        caller->intake.n = 1;
        if (gh_store_identify_app(store, at_ms, &caller->identity, &image, &error) != GH_OK) {
            fprintf(stderr, "%s: %s\n", error.source, error.text);
            return 1;
        }
    }
    image = gh_image_ref(image);
    revision = gh_image_revision(image);
    identify = median_identify(store, callers, at_ms);
    uncached = median_decision(image, callers, NULL, 20, at_ms);
    median_decision(image, callers, cells, BATCHES, at_ms);
    cached = median_decision(image, callers, cells, BATCHES, at_ms);
    printf("{\"revision\": %llu, \"identify_ns\": %.0f, \"decide_ns\": %.0f, \"decide_without_cells_ns\": %.0f, \"cells\": %zu}\n",
        (unsigned long long) revision, identify, cached, uncached, gh_cells_counts(cells).cells);
    gh_cells_free(cells);
    gh_image_unref(image);
    gh_store_close(store);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "keys") == 0) {
        return keys(argv[2], argv[3], (uint32_t) strtoul(argv[4], NULL, 10), (uint32_t) strtoul(argv[5], NULL, 10));
    }
    if (argc == 6 && strcmp(argv[1], "decide") == 0) {
        return decide(argv[2], argv[3], (uint32_t) strtoul(argv[4], NULL, 10), (uint32_t) strtoul(argv[5], NULL, 10));
    }
    if (argc == 5 && strcmp(argv[1], "presented") == 0) {
        return presented(argv[2], argv[3], (uint32_t) strtoul(argv[4], NULL, 10));
    }
    if (argc == 7 && strcmp(argv[1], "churn") == 0) {
        return churn(argv[2], argv[3], (uint32_t) strtoul(argv[4], NULL, 10), (uint32_t) strtoul(argv[5], NULL, 10),
            (uint32_t) strtoul(argv[6], NULL, 10));
    }
    fprintf(stderr, "usage: scale keys|decide HOME STORE_KEY TENANTS ORGANISATIONS\n       scale presented HOME STORE_KEY TENANTS\n       scale churn HOME STORE_KEY COMMITS RECORDS SECONDS\n");
    return 64;
}
