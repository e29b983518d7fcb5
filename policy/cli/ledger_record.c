#include "policy/cli/ledger_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/cli/ledger.h"

#define DIRECTORIES_MAX 8
#define LOOKS           100u          /* 1 ms apart, before a difference is one: reservations come and go meanwhile */

typedef struct {
    gh_record_charge_t *items;        /* by identity and window once they are sorted; malloc'ed */
    size_t              count, capacity;
    bool                no_memory;
} charges_t;

typedef struct {
    const gh_cli_t     *cli;
    const gh_ledger_t  *ledger;
    const charges_t    *charges;
    bool                exact;
    gh_verify_fn        problem;
    void               *context;
    gh_ledger_record_t *result;
    gh_held_table_t     held;
} compare_t;

static void
keep(void *context, const gh_record_charge_t *charge)
{
    charges_t *charges = context;

    if (charges->count == charges->capacity) {
        size_t              capacity = charges->capacity == 0 ? 4096 : 2 * charges->capacity;
        gh_record_charge_t *items = realloc(charges->items, capacity * sizeof(*items));

        if (items == NULL) {
            charges->no_memory = true;
            return;
        }
        charges->items = items;
        charges->capacity = capacity;
    }
    charges->items[charges->count++] = *charge;
}

static int
compare(const void *a, const void *b)
{
    const gh_record_charge_t *x = a, *y = b;
    const uint64_t            of_x[] = { x->id.uid, x->id.model, x->id.level, x->id.dimension, x->id.per, x->id.limit_class, x->window };
    const uint64_t            of_y[] = { y->id.uid, y->id.model, y->id.level, y->id.dimension, y->id.per, y->id.limit_class, y->window };

    for (size_t i = 0; i < sizeof(of_x) / sizeof(of_x[0]); i++) {
        if (of_x[i] != of_y[i]) {
            return of_x[i] < of_y[i] ? -1 : 1;
        }
    }
    return 0;
}

/* What is charged of one counter: for certain, and at most. */
static void
sum(const charges_t *charges, const gh_counter_view_t *counter, uint64_t *least, uint64_t *most)
{
    gh_record_charge_t key = { .id = counter->id, .window = counter->window };
    size_t             low = 0, high = charges->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(&charges->items[middle], &key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *least = *most = 0;
    for (; low < charges->count && compare(&charges->items[low], &key) == 0; low++) {
        *least += charges->items[low].sure ? charges->items[low].amount : 0;
        *most += charges->items[low].amount;
    }
}

/* As it is by now; false: its window has moved on, or its place is another's. */
static bool
settled_now(compare_t *all, const gh_counter_view_t *counter, uint64_t *settled)
{
    struct timespec pause = { 0, 1000000 };
    gh_held_table_t held = { 0 };
    uint64_t        value, reserved;

    nanosleep(&pause, NULL);
    if (gh_held_collect(all->ledger, &held) != GH_OK) {
        return false;
    }
    reserved = gh_held_of(&held, counter->place);
    gh_held_free(&held);
    value = gh_counter_read(all->ledger, &counter->id, counter->window);
    *settled = value > reserved ? value - reserved : 0;
    return gh_counter_read(all->ledger, &counter->id, counter->window + 1) == 0 || counter->id.per == GH_PER_NONE;
}

static int
each_counter(void *context, const gh_counter_view_t *counter)
{
    compare_t *all = context;
    uint64_t   least, most, reserved = gh_held_of(&all->held, counter->place), settled = counter->value > reserved ? counter->value - reserved : 0;
    char       text[256];

    if (counter->id.level == GH_LEVEL_DEPLOYMENT || counter->id.dimension == GH_COUNT_IN_FLIGHT || counter->id.dimension == GH_COUNT_STREAMS) {
        return GH_OK;
    }
    sum(all->charges, counter, &least, &most);
    for (unsigned i = 0; i < LOOKS && (settled < least || settled > most); i++) {
        if (!settled_now(all, counter, &settled)) {
            return GH_OK;
        }
        if (settled >= least && !all->exact) {
            break;
        }
    }
    all->result->compared++;
    if (settled < least || (settled > most && all->exact)) {
        snprintf(text, sizeof(text), "%s: settled in the ledger: %" PRIu64 ", in the record: %" PRIu64, gh_cli_counter_text(all->cli->arena,
            &counter->id), settled, settled < least ? least : most);
        all->problem(all->context, text);
    }
    all->result->less += settled < least;
    all->result->more += settled > most;
    return GH_OK;
}

int
gh_cli_ledger_record(const gh_cli_t *cli, const gh_ledger_t *ledger, bool exact, gh_verify_fn problem, void *context,
    gh_ledger_record_t *result)
{
    const char *directories[DIRECTORIES_MAX];
    charges_t   charges = { 0 };
    compare_t   all = { .cli = cli, .ledger = ledger, .charges = &charges, .exact = exact, .problem = problem, .context = context, .result = result };
    gh_error_t  error = { 0 };
    unsigned    count = 0;
    int         status = GH_EXIT_DONE;

    memset(result, 0, sizeof(*result));
    while (count < DIRECTORIES_MAX && (directories[count] = gh_cli_value_at(cli, "record", count)) != NULL) {
        count++;
    }
    if (gh_cli_record_charges(directories, count, keep, &charges, &result->read, &error) != GH_OK) {
        status = gh_cli_fail_error(cli, &error);
    } else if (charges.no_memory || gh_held_collect(ledger, &all.held) != GH_OK) {
        status = gh_cli_fail(cli, "out of memory");
    } else {
        if (charges.count > 0) {
            qsort(charges.items, charges.count, sizeof(*charges.items), compare);
        }
        gh_ledger_each_counter(ledger, each_counter, &all);
    }
    gh_held_free(&all.held);
    free(charges.items);
    return status;
}
