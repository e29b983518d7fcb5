/* `gatehouse ledger show`: the ledger as it is at this moment, while workers go on. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli/ledger.h"
#include "policy/cli/policy.h"

typedef struct {
    gh_cli_t *cli;
    uint64_t  now_ms;
    bool      all;                    /* --all: expired windows too */
    json_t   *list;                   /* NULL: printed */
    size_t    count, left_out;
    bool      no_memory;
} show_t;

static bool
expired(const gh_counter_view_t *counter, uint64_t now_ms)
{
    return counter->id.per == GH_PER_NONE ? counter->value == 0 : gh_window_end((gh_per_t) counter->id.per, counter->window) <= now_ms;
}

static void
append(show_t *show, json_t *object)
{
    show->no_memory = object == NULL || json_array_append_new(show->list, object) != 0 || show->no_memory;
}

static void
hex(const uint8_t id[16], char text[37])
{
    snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", id[0], id[1], id[2], id[3], id[4], id[5], id[6],
        id[7], id[8], id[9], id[10], id[11], id[12], id[13], id[14], id[15]);
}

static int
each_counter(void *context, const gh_counter_view_t *counter)
{
    show_t     *show = context;
    const char *window = gh_cli_window_text(show->cli->arena, (gh_per_t) counter->id.per, counter->window);
    json_t     *object;

    if (!show->all && expired(counter, show->now_ms)) {
        show->left_out++;
        return GH_OK;
    }
    show->count++;
    if (show->list == NULL) {
        printf("  %-60s %12" PRIu64 "%s%s\n", gh_cli_counter_text(show->cli->arena, &counter->id), counter->value, window ? "  since " : "",
            window ? window : "");
        return GH_OK;
    }
    object = gh_cli_counter_json(&counter->id);
    if (object != NULL) {
        json_object_set_new(object, "value", json_integer((json_int_t) counter->value));
        json_object_set_new(object, "window", json_integer(counter->window));
        if (window != NULL) {
            json_object_set_new(object, "since", json_string(window));
        }
    }
    append(show, object);
    return GH_OK;
}

static json_t *
items_json(const gh_reservation_view_t *reservation)
{
    json_t *items = json_array();

    for (unsigned i = 0; items != NULL && i < reservation->count; i++) {
        json_t *item = gh_cli_counter_json(&reservation->items[i].id);

        if (item != NULL) {
            json_object_set_new(item, "window", json_integer(reservation->items[i].window));
            json_object_set_new(item, "reserved", json_integer((json_int_t) reservation->items[i].amount));
            if (reservation->items[i].optional) {
                json_object_set_new(item, "left_out", json_true());
            }
            json_array_append_new(items, item);
        }
    }
    return items;
}

static int
each_reservation(void *context, const gh_reservation_view_t *reservation)
{
    show_t *show = context;
    char    id[37];

    hex(reservation->request_id, id);
    show->count++;
    if (show->list != NULL) {
        append(show, json_pack("{s:s, s:i, s:s, s:s, s:o}", "request", id, "slot", (int) reservation->owner, "phase", reservation->phase,
            "expires", gh_cli_time_text(show->cli->arena, reservation->expires_ms), "items", items_json(reservation)));
        return GH_OK;
    }
    printf("  %s  slot %u, %s, expires %s\n", id, reservation->owner, reservation->phase,
        gh_cli_time_text(show->cli->arena, reservation->expires_ms));
    for (unsigned i = 0; i < reservation->count; i++) {
        printf("    %-58s %12" PRIu64 "%s\n", gh_cli_counter_text(show->cli->arena, &reservation->items[i].id), reservation->items[i].amount,
            reservation->items[i].optional ? "  left out: no room" : "");
    }
    return GH_OK;
}

static void
print_workers(const gh_barrier_report_t *report)
{
    printf("workers: %zu\n", report->count);
    for (size_t i = 0; i < report->count; i++) {
        const gh_barrier_worker_t *worker = &report->workers[i];

        printf("  slot %u  pid %u, configuration %u, revision %" PRIu64 ", %u running\n", worker->slot, worker->pid, worker->generation,
            worker->used_revision, worker->running);
    }
}

/* Does the agent run, or when was it there last? */
static void
print_agent(const show_t *show, const gh_ledger_t *ledger)
{
    const gh_ledger_header_t *header = gh_ledger_header(ledger);
    uint64_t                  seen_ms = gh_ledger_agent_seen_ms(ledger);

    if (gh_ledger_agent_lives(ledger, show->now_ms)) {
        printf("agent: pid %" PRIu64 ", since %s\n", header->agent_pid, gh_cli_time_text(show->cli->arena, header->agent_since_ms));
    } else if (seen_ms != 0) {
        printf("agent: gone, seen last at %s: workers sweep; keys, credentials and checkpoints grow old\n", gh_cli_time_text(show->cli->arena, seen_ms));
    } else {
        printf("agent: none\n");
    }
}

static json_t *
agent_json(const show_t *show, const gh_ledger_t *ledger)
{
    const gh_ledger_header_t *header = gh_ledger_header(ledger);
    uint64_t                  seen_ms = gh_ledger_agent_seen_ms(ledger);
    bool                      lives = gh_ledger_agent_lives(ledger, show->now_ms);
    json_t                   *object = json_pack("{s:b}", "runs", lives);

    if (object != NULL && lives) {
        json_object_set_new(object, "pid", json_integer((json_int_t) header->agent_pid));
        json_object_set_new(object, "since", json_string(gh_cli_time_text(show->cli->arena, header->agent_since_ms)));
    } else if (object != NULL && seen_ms != 0) {
        json_object_set_new(object, "seen", json_string(gh_cli_time_text(show->cli->arena, seen_ms)));
    }
    return object;
}

static json_t *
workers_json(gh_arena_t *arena, const gh_barrier_report_t *report)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < report->count; i++) {
        const gh_barrier_worker_t *worker = &report->workers[i];

        json_array_append_new(list, json_pack("{s:i, s:I, s:I, s:s, s:I, s:I}", "slot", (int) worker->slot, "pid", (json_int_t) worker->pid,
            "configuration", (json_int_t) worker->generation, "since", gh_cli_time_text(arena, worker->start_ms), "revision",
            (json_int_t) worker->used_revision, "running", (json_int_t) worker->running));
    }
    return list;
}

static int
show_json(show_t *show, const gh_ledger_t *ledger, const gh_barrier_report_t *report)
{
    json_t *counters = json_array(), *reservations = json_array(), *object;

    show->list = counters;
    gh_ledger_each_counter(ledger, each_counter, show);
    show->list = reservations;
    gh_ledger_each_reservation(ledger, each_reservation, show);
    object = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "ledger", gh_cli_ledger(show->cli), "size", (json_int_t) gh_ledger_size(ledger),
        "agent", agent_json(show, ledger), "workers", workers_json(show->cli->arena, report), "counters", counters, "reservations", reservations);
    return gh_cli_print_json(show->cli, show->no_memory ? NULL : object);
}

static int
show_text(show_t *show, const gh_ledger_t *ledger, const gh_barrier_report_t *report)
{
    printf("%s: %s\n", gh_cli_ledger(show->cli), gh_cli_size_text(show->cli->arena, gh_ledger_size(ledger)));
    print_agent(show, ledger);
    print_workers(report);
    printf("counters:\n");
    gh_ledger_each_counter(ledger, each_counter, show);
    printf("  %zu in use", show->count);
    if (show->left_out > 0) {
        printf("; %zu whose window is over, or at 0, are not shown (--all)", show->left_out);
    }
    show->count = 0;
    printf("\nreservations:\n");
    gh_ledger_each_reservation(ledger, each_reservation, show);
    printf("  %zu\n", show->count);
    return gh_cli_flush(show->cli);
}

static int
run(gh_cli_t *cli)
{
    show_t              show = { .cli = cli, .now_ms = gh_cli_now_ms(), .all = gh_cli_flag(cli, "all") };
    gh_ledger_t        *ledger = gh_cli_ledger_open(cli, false);
    gh_barrier_report_t report;
    gh_error_t          error = { 0 };
    int                 status;

    if (ledger == NULL) {
        return GH_EXIT_ERROR;
    }
    if (gh_barrier_look(ledger, cli->arena, &report, &error) != GH_OK) {
        status = gh_cli_fail_error(cli, &error);
    } else {
        status = gh_cli_flag(cli, "json") ? show_json(&show, ledger, &report) : show_text(&show, ledger, &report);
    }
    gh_ledger_close(ledger);
    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_LEDGER_OPTION,
    { "all", NULL, "counters whose window is over, or that are at 0, too", false },
    { "json", NULL, "prints an object: ledger, size (bytes), agent, workers, counters, reservations", false },
    { 0 }
};

const gh_cli_command_t gh_cli_ledger_show = {
    .name = "ledger show",
    .usage = "[options]",
    .summary = "prints workers, counters and reservations as they are",
    .help =
        "Prints the ledger while workers use it, without taking anything from them: the agent, the living workers, every\n"
        "counter with what was used and is reserved in its window, and every reservation of a running request.\n"
        "Organisations, tenants, apps and keys are named by the numbers the ledger knows them by; `gatehouse usage`\n"
        "says the same by name, with the limits.\n",
    .options = options,
    .least = 0,
    .most = 0,
    .run = run,
};
