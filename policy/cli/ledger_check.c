/* `gatehouse ledger check`: is the ledger whole, and does it add up? */
#include <inttypes.h>
#include <stdio.h>

#include "policy/cli/ledger.h"
#include "policy/cli/ledger_record.h"
#include "policy/cli/policy.h"

#define PROBLEMS_SHOWN 50

typedef struct {
    gh_cli_t          *cli;
    json_t            *problems;      /* NULL: printed */
    uint64_t           count;
    bool               compared;      /* --record */
    gh_ledger_record_t record;
} check_t;

static void
each_problem(void *context, const char *text)
{
    check_t *check = context;

    if (check->count++ >= PROBLEMS_SHOWN) {
        return;
    }
    if (check->problems != NULL) {
        json_array_append_new(check->problems, json_string(text));
    } else {
        gh_cli_say("%s: %s", gh_cli_ledger(check->cli), text);
    }
}

static json_t *
record_json(const gh_ledger_record_t *record)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "lines", (json_int_t) record->read.lines, "requests",
        (json_int_t) record->read.requests, "running", (json_int_t) record->read.running, "damaged", (json_int_t) record->read.damaged,
        "compared", (json_int_t) record->compared, "less", (json_int_t) record->less, "more", (json_int_t) record->more);
}

static int
print_json(check_t *check, const gh_ledger_t *ledger, const gh_verified_t *verified)
{
    json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "ledger", gh_cli_ledger(check->cli),
        "size", (json_int_t) gh_ledger_size(ledger), "counters", (json_int_t) verified->counters,
        "counter_room", (json_int_t) verified->counter_room, "reservations", (json_int_t) verified->reservations,
        "reservation_room", (json_int_t) verified->reservation_room, "orphans", (json_int_t) verified->orphans,
        "overdue", (json_int_t) verified->overdue, "problems", check->problems);

    if (object != NULL && check->compared) {
        json_object_set_new(object, "record", record_json(&check->record));
    }
    return gh_cli_print_json(check->cli, object);
}

static void
print_record(const gh_ledger_record_t *record)
{
    printf("record: %" PRIu64 " requests, %" PRIu64 " running; %" PRIu64 " counters compared in the window they are in\n", record->read.requests,
        record->read.running, record->compared);
    if (record->more > 0) {
        printf("%" PRIu64 " counters have settled more than the record says: requests run, or a worker died before it wrote their lines\n",
            record->more);
    }
    if (record->read.damaged > 0) {
        printf("%" PRIu64 " lines of the record are damaged\n", record->read.damaged);
    }
}

static int
print_text(check_t *check, const gh_ledger_t *ledger, const gh_verified_t *verified)
{
    const gh_cli_t *cli = check->cli;

    printf("%s: %s, %" PRIu64 " of %" PRIu64 " counters, %" PRIu64 " of %" PRIu64 " reservations\n", gh_cli_ledger(cli),
        gh_cli_size_text(cli->arena, gh_ledger_size(ledger)), verified->counters, verified->counter_room, verified->reservations,
        verified->reservation_room);
    if (verified->orphans > 0) {
        printf("%" PRIu64 " reservations of dead workers wait for the sweeper\n", verified->orphans);
    }
    if (verified->overdue > 0) {
        printf("%" PRIu64 " reservations of living workers are held beyond their expiry\n", verified->overdue);
    }
    if (check->compared) {
        print_record(&check->record);
    }
    if (check->count == 0) {
        printf("whole: every counter is at least what is reserved of it%s\n", check->compared ? ", and what the record says was charged" : "");
    } else {
        printf("%" PRIu64 " problems\n", check->count);
    }
    return gh_cli_flush(cli);
}

static int
check_all(check_t *check, const gh_ledger_t *ledger)
{
    gh_error_t    error = { 0 };
    gh_verified_t verified;
    int           status;

    if (gh_ledger_verify(ledger, gh_cli_now_ms(), each_problem, check, &verified, &error) != GH_OK) {
        return gh_cli_fail_error(check->cli, &error);
    }
    check->compared = gh_cli_value(check->cli, "record") != NULL;
    if (check->compared) {
        status = gh_cli_ledger_record(check->cli, ledger, gh_cli_flag(check->cli, "exact"), each_problem, check, &check->record);
        if (status != GH_EXIT_DONE) {
            return status;
        }
    }
    if (check->problems != NULL) {
        json_incref(check->problems);
        status = print_json(check, ledger, &verified);
    } else {
        status = print_text(check, ledger, &verified);
    }
    return status != GH_EXIT_DONE ? status : check->count > 0 ? GH_EXIT_ERROR : GH_EXIT_DONE;
}

static int
run(gh_cli_t *cli)
{
    check_t      check = { .cli = cli };
    gh_ledger_t *ledger;
    int          status;

    if (gh_cli_flag(cli, "exact") && gh_cli_value(cli, "record") == NULL) {
        return gh_cli_misuse(cli, "--exact is about --record DIR");
    }
    ledger = gh_cli_ledger_open(cli, false);
    if (ledger == NULL) {
        return GH_EXIT_ERROR;
    }
    check.problems = gh_cli_flag(cli, "json") ? json_array() : NULL;
    status = check_all(&check, ledger);
    json_decref(check.problems);
    gh_ledger_close(ledger);
    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_LEDGER_OPTION,
    { "record", "DIR", "compares what is settled with what this record says was\ncharged; may be given again for a second directory", true },
    { "exact", NULL, "the ledger may not have more than the record, either: for a\ngateway at rest, none of whose workers died", false },
    { "json", NULL, "prints an object: ledger, size (bytes), counters, counter_room,\nreservations, reservation_room, orphans, overdue, problems,\nrecord (of --record): lines, requests, running, damaged, compared,\nless, more", false },
    { 0 }
};

const gh_cli_command_t gh_cli_ledger_check = {
    .name = "ledger check",
    .usage = "[options]",
    .summary = "says whether the ledger is whole and adds up",
    .help =
        "Looks at the ledger while workers use it: whether every counter is where it is looked for and there once,\n"
        "every reservation is somebody's, and every counter is at least what its reservations hold (what is settled\n"
        "and what is reserved are the counter). What is only between two steps of a worker is no problem. Exit code 1\n"
        "when there is one: no crash of workers makes any, so the file was written by something else.\n"
        "\n"
        "With --record every counter, in the window it is in now, must also have settled what the decisions, attempts,\n"
        "outcomes and lost requests of the record add up to. It may have more: requests that run, or that died\n"
        "before their lines were written. It has less when the ledger is younger than its windows, and nothing was\n"
        "replayed.",
    .options = options,
    .least = 0,
    .most = 0,
    .run = run,
};
