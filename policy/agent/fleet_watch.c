#include "policy/agent/fleet_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/agent/drift.h"
#include "policy/agent/log.h"

#define DAY_MS   86400000u
#define SOON_MS  5000u        /* least between two looks that edits ask for */
#define WAIT_MS  3000u        /* for workers, after taking out: the main thread has other things to do */

typedef enum { AZURE, BEDROCK, CLOUDS } cloud_t;

typedef struct {
    gh_source_t             source;
    const gh_fleet_watch_t *watch;
    cloud_t                 cloud;
    gh_heap_t               heap;         /* of fleet */
    gh_drift_fleet_t        fleet;        /* what is asked about; does not change while a flight is under way */
    bool                    has_fleet, added;
} row_t;

struct gh_fleet_watch_s {
    gh_sources_t          *sources;
    const char            *file;
    gh_fleet_watch_store_t store;
    row_t                  rows[CLOUDS];
};

static const char *const cloud_names[CLOUDS] = { "azure", "bedrock" };

/* ---- a flight, in its thread ---- */

typedef struct {
    const _Atomic int *stop;
} flight_t;

static uint64_t
clock_ms(void *context)
{
    struct timespec t;

    (void) context;
    clock_gettime(CLOCK_REALTIME, &t);

    return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}

static int
fetch(void *context, const gh_fetch_request_t *request, gh_arena_t *arena, gh_fetch_answer_t *answer, gh_error_t *error)
{
    const flight_t    *flight = context;
    gh_fetch_request_t stoppable = *request;

    stoppable.stop = flight->stop;

    return gh_fetch(&stoppable, arena, answer, error);
}

static void
wait_ms(void *context, uint64_t ms)
{
    const flight_t *flight = context;
    struct timespec step = { .tv_nsec = 100000000 };

    for (; ms > 0 && *flight->stop == 0; ms -= ms < 100 ? ms : 100) {
        nanosleep(&step, NULL);
    }
}

static const char **
words_of(gh_arena_t *arena, const gh_str_list_t *list)
{
    const char **words = gh_arena_array(arena, list->count + 1, sizeof(*words));

    for (uint32_t i = 0; words != NULL && i < list->count; i++) {
        words[i] = gh_str_copy(arena, list->items[i]).data;
        if (words[i] == NULL) {
            return NULL;
        }
    }

    return words;
}

static int
ask(const row_t *row, gh_import_t *import, const gh_credential_t *credential, gh_error_t *error)
{
    const gh_drift_fleet_t *fleet = &row->fleet;
    const char            **words = words_of(import->arena, row->cloud == AZURE ? &fleet->subscriptions : &fleet->regions);

    if (words == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    if (row->cloud == AZURE) {
        gh_import_azure_t azure = { .token = credential->secret, .subscriptions = words, .subscription_count = fleet->subscriptions.count,
                                    .resources = fleet->accounts.items, .resource_count = fleet->accounts.count };

        azure.endpoint = gh_cloud_arm_endpoint(&azure.partition);
        return gh_import_azure(import, &azure, error);
    }
    const char         *endpoint = getenv("AWS_ENDPOINT_URL_BEDROCK");
    gh_import_bedrock_t bedrock = { .credential = &credential->aws, .regions = words, .region_count = fleet->regions.count,
                                    .endpoint = gh_str_from(endpoint != NULL ? endpoint : "") };

    return gh_import_bedrock(import, &bedrock, error);
}

static int
run(void *context, const _Atomic int *stop, gh_arena_t *arena, void **result, gh_error_t *error)
{
    const row_t      *row = context;
    flight_t          flight = { stop };
    gh_import_io_t    io = { .fetch = fetch, .wait = wait_ms, .now_ms = clock_ms, .context = &flight };
    gh_import_t      *import = gh_arena_alloc(arena, sizeof(*import));
    gh_differences_t *differences = gh_arena_alloc(arena, sizeof(*differences));
    gh_credential_t   credential = { 0 };
    gh_str_t          partition;
    bool              found;

    *result = NULL;
    if (import == NULL || differences == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    if ((row->cloud == AZURE ? row->fleet.subscriptions.count : row->fleet.regions.count) == 0) {
        return GH_OK;
    }
    if (gh_cloud_credential(arena, row->watch->file, cloud_names[row->cloud], gh_cloud_arm_endpoint(&partition), clock_ms(NULL), stop, &found, &credential,
            error) != GH_OK)
    {
        return GH_ERROR;
    }
    if (!found) {
        return GH_OK;
    }
    if (gh_import_begin(import, arena, &io, error) != GH_OK || ask(row, import, &credential, error) != GH_OK || gh_import_finish(import, error) != GH_OK
        || gh_drift_find(import, &row->fleet, differences, error) != GH_OK)
    {
        return GH_ERROR;
    }
    *result = differences;

    return GH_OK;
}

/* ---- what came of it, in the main thread ---- */

static void
log_taken(const row_t *row, const gh_drift_taken_t *taken)
{
    char revision[24], deployments[16], waiting[16];

    snprintf(revision, sizeof(revision), "%llu", (unsigned long long) taken->revision);
    snprintf(deployments, sizeof(deployments), "%u", taken->deployments);
    snprintf(waiting, sizeof(waiting), "%zu", taken->barrier.waiting);
    gh_log(GH_LOG_ERROR, "incident facts_drift: deployments were taken out", "cloud", cloud_names[row->cloud], "revision", revision, "deployments", deployments,
        "workers_that_did_not_confirm", taken->obeyed ? NULL : waiting, NULL);
}

/* GH_ERROR: try again soon; without an error when it is of another revision by now, which has to be asked about first. */
static int
take_out(row_t *row, const gh_differences_t *differences, uint64_t now_ms, gh_error_t *error)
{
    const gh_fleet_watch_store_t *lender = &row->watch->store;
    gh_drift_taken_t              taken = { 0 };
    gh_ledger_t                  *ledger = NULL;
    gh_store_t                   *store = lender->lend(lender->context, &ledger);
    gh_heap_t                     heap;
    uint64_t                      revision = 0;
    int                           rc = GH_ERROR;

    if (store == NULL) {
        return gh_error_set(error, "store_busy", "the policy store cannot be opened for an edit");
    }
    gh_heap_init(&heap);
    if (gh_store_revision_number(store, &revision, error) == GH_OK && revision == row->fleet.revision) {
        rc = gh_drift_take_out(store, ledger, &heap.arena, differences, now_ms, WAIT_MS, &taken, error);
        if (taken.revision != 0) {
            log_taken(row, &taken);
            gh_error_clear(error);
            rc = GH_OK;
        } else if (rc != GH_OK) {
            gh_log_error(GH_LOG_ERROR, "deployments that drifted could not be taken out", error, "cloud", cloud_names[row->cloud], NULL);
        }
    }
    gh_heap_free(&heap);
    lender->give_back(lender->context);

    return rc;
}

static uint64_t
done(void *context, void *result, const gh_error_t *error, uint64_t now_ms, gh_error_t *failed)
{
    row_t                  *row = context;
    const gh_differences_t *differences = result;
    gh_heap_t               heap;

    row->source.idle = error == NULL && differences == NULL;
    if (error != NULL) {
        gh_log_error(GH_LOG_WARNING, "a cloud could not be asked about the fleet", error, "cloud", cloud_names[row->cloud], NULL);
        return 0;
    }
    if (differences == NULL) {
        return DAY_MS;
    }
    gh_heap_init(&heap);
    for (uint32_t i = 0; i < differences->count; i++) {
        const gh_difference_t *one = &differences->items[i];
        gh_str_t               text = gh_difference_text(&heap.arena, one);

        gh_log(gh_difference_takes_out(one) ? GH_LOG_ERROR : GH_LOG_INFO,
            gh_difference_takes_out(one) ? "incident facts_drift: a fact in force is no longer so" : "a cloud says less than is stated",
            "cloud", cloud_names[row->cloud], "kind", gh_difference_names[one->kind], "difference", text.data, NULL);
    }
    gh_heap_free(&heap);
    if (differences->taken_out > 0 && take_out(row, differences, now_ms, failed) != GH_OK) {
        return SOON_MS;
    }
    if (differences->taken_out == 0) {
        gh_log(GH_LOG_INFO, "the fleet in force is what the cloud says", "cloud", cloud_names[row->cloud], NULL);
    }

    return DAY_MS;
}

/* ---- what is in force ---- */

gh_fleet_watch_t *
gh_fleet_watch_new(gh_sources_t *sources, const char *file, const gh_fleet_watch_store_t *store)
{
    gh_fleet_watch_t *watch = calloc(1, sizeof(*watch));

    if (watch == NULL) {
        return NULL;
    }
    watch->sources = sources;
    watch->file = file;
    watch->store = *store;
    for (int i = 0; i < CLOUDS; i++) {
        row_t *row = &watch->rows[i];

        row->watch = watch;
        row->cloud = (cloud_t) i;
        gh_heap_init(&row->heap);
        row->source = (gh_source_t) { .kind = "fleet", .name = cloud_names[i], .context = row, .run = run, .done = done };
    }

    return watch;
}

void
gh_fleet_watch_look(gh_fleet_watch_t *watch, gh_store_t *store, uint64_t now_ms)
{
    gh_error_t error = { 0 };
    uint64_t   revision;

    if (store == NULL || gh_store_revision_number(store, &revision, &error) != GH_OK) {
        return;
    }
    for (int i = 0; i < CLOUDS; i++) {
        row_t *row = &watch->rows[i];

        if (row->source.running || (row->has_fleet && row->fleet.revision == revision)) {
            continue;
        }
        gh_heap_free(&row->heap);
        gh_heap_init(&row->heap);
        row->has_fleet = gh_drift_fleet(store, &row->heap.arena, &row->fleet, &error) == GH_OK;
        if (row->has_fleet && row->added) {
            gh_source_hurry(&row->source, now_ms, SOON_MS);
        } else if (row->has_fleet) {
            row->added = gh_sources_add(watch->sources, &row->source) == GH_OK;
        }
    }
}

void
gh_fleet_watch_free(gh_fleet_watch_t *watch)
{
    if (watch == NULL) {
        return;
    }
    for (int i = 0; i < CLOUDS; i++) {
        gh_heap_free(&watch->rows[i].heap);
    }
    free(watch);
}
