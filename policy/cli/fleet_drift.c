/* `gatehouse fleet drift`: whether what the policy in force says of deployments is still what the cloud says; what is not can be taken out. */
#include <stdio.h>
#include <string.h>

#include "policy/cli/barrier.h"
#include "policy/cli/fleet_clouds.h"
#include "policy/cli/policy.h"

typedef struct {
    gh_cli_t         *cli;
    gh_store_t       *store;
    gh_drift_fleet_t  fleet;
    gh_import_t       import;
    gh_differences_t  differences;
    gh_drift_taken_t  taken;
    bool              take_out;
} drifting_t;

static int
find(drifting_t *d)
{
    gh_error_t error = { 0 };
    unsigned   tries = 0;
    int        rc, status;

    do {
        rc = gh_drift_fleet(d->store, d->cli->arena, &d->fleet, &error);
    } while (rc != GH_OK && gh_cli_again(&error, &tries));
    if (rc != GH_OK) {
        return gh_cli_fail_store(d->cli, &error);
    }
    if (d->fleet.revision == 0) {
        return gh_cli_fail(d->cli, "no policy was applied yet: there is nothing to compare");
    }
    status = gh_cli_cloud_import(d->cli, d->cli->arguments[0], &d->fleet, &d->import);
    if (status != GH_EXIT_DONE) {
        return status;
    }

    return gh_drift_find(&d->import, &d->fleet, &d->differences, &error) == GH_OK ? GH_EXIT_DONE : gh_cli_fail_error(d->cli, &error);
}

static int
take_out(drifting_t *d)
{
    gh_cli_documents_t documents = { .prefix = "" };
    gh_cli_barrier_t   barrier;
    gh_error_t         error = { 0 };
    int                status;

    if (!d->take_out || d->differences.taken_out == 0) {
        return GH_EXIT_DONE;
    }
    status = gh_cli_barrier_begin(d->cli, d->store, &barrier);
    if (status != GH_EXIT_DONE) {
        return status;
    }
    if (gh_drift_take_out(d->store, barrier.ledger, d->cli->arena, &d->differences, gh_cli_now_ms(), barrier.wait_ms, &d->taken, &error) != GH_OK) {
        gh_cli_report_print(d->cli, &documents, &d->taken.report);
        status = gh_cli_fail_error(d->cli, &error);
        if (d->taken.revision != 0) {
            status = GH_EXIT_UNOBEYED;
        }
    } else if (!d->taken.obeyed) {
        gh_cli_say("revision %llu is in force, but not confirmed by %zu worker%s", (unsigned long long) d->taken.revision, d->taken.barrier.waiting,
            d->taken.barrier.waiting == 1 ? "" : "s");
        status = GH_EXIT_UNOBEYED;
    }
    gh_cli_barrier_end(&barrier);

    return status;
}

static int
print(const drifting_t *d)
{
    uint32_t watched = d->fleet.watched;

    if (d->differences.taken_out == 0) {
        printf("Nothing drifted: %u deployment%s in force %s a resource.\n", watched, watched == 1 ? "" : "s", watched == 1 ? "has" : "have");
    } else {
        printf("%u fact%s in force %s not what the cloud says.\n", d->differences.taken_out, d->differences.taken_out == 1 ? "" : "s",
            d->differences.taken_out == 1 ? "is" : "are");
    }
    gh_cli_differences_print(d->cli, &d->differences);
    for (uint32_t i = 0; i < d->import.note_count; i++) {
        printf("  note: %.*s\n", GH_STR_ARG(gh_cli_shown(d->cli->arena, d->import.notes[i])));
    }
    if (d->taken.revision != 0) {
        printf("revision %llu: %u deployment%s taken out; back only by an edit of people: gatehouse policy apply DIR%s\n",
            (unsigned long long) d->taken.revision, d->taken.deployments, d->taken.deployments == 1 ? "" : "s", gh_cli_store_words(d->cli));
    } else if (d->differences.taken_out > 0) {
        printf("Nothing was changed: --take-out takes these deployments out.\n");
    }

    return gh_cli_flush(d->cli);
}

static int
print_json(const drifting_t *d)
{
    json_t *notes = json_array();

    for (uint32_t i = 0; i < d->import.note_count; i++) {
        json_array_append_new(notes, json_stringn(d->import.notes[i].data, d->import.notes[i].len));
    }

    return gh_cli_print_json(d->cli, json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:b}", "in_force", (json_int_t) d->fleet.revision, "watched",
        (json_int_t) d->fleet.watched, "drifted", (json_int_t) d->differences.taken_out, "differences", gh_cli_differences_json(&d->differences), "notes",
        notes, "revision", d->taken.revision != 0 ? json_integer((json_int_t) d->taken.revision) : json_null(), "taken_out",
        (json_int_t) d->taken.deployments, "obeyed", d->taken.obeyed));
}

static int
run(gh_cli_t *cli)
{
    drifting_t d = { .cli = cli, .take_out = gh_cli_flag(cli, "take-out"), .taken.obeyed = true };
    int        status, printed;

    d.store = gh_cli_store_open(cli, d.take_out);
    if (d.store == NULL) {
        return GH_EXIT_ERROR;
    }
    status = find(&d);
    if (status == GH_EXIT_DONE) {
        status = take_out(&d);
        if (status == GH_EXIT_DONE || status == GH_EXIT_UNOBEYED) {
            printed = gh_cli_flag(cli, "json") ? print_json(&d) : print(&d);
            status = printed != GH_EXIT_DONE ? printed : status;
        }
        status = status == GH_EXIT_DONE && d.differences.taken_out > 0 ? GH_EXIT_CHANGES : status;
    }
    gh_store_close(d.store);

    return status;
}

static const gh_cli_option_t options[] = {
    { "take-out", NULL, "a deployment whose facts are no longer so serves nobody from now on", false },
    GH_CLI_STORE_OPTIONS,
    GH_CLI_BARRIER_OPTIONS,
    GH_CLI_CLOUD_OPTIONS,
    { "json", NULL, "prints an object: in_force, watched, drifted, differences, notes,\nrevision, taken_out, obeyed", false },
    { 0 }
};

const gh_cli_command_t gh_cli_fleet_drift = {
    .name = "fleet drift",
    .usage = "azure|bedrock [options]",
    .summary = "compares the fleet in force with what a cloud says of it now",
    .help =
        "Asks a cloud, as `gatehouse fleet import` does, about every deployment of the policy in force that has a\n"
        "\"resource\" there, and names what is no longer so: it is gone; a region, SKU, profile or destination is another\n"
        "one; more is kept than is stated. What is stated and at least as wide as what the cloud says stays true.\n"
        "\n"
        "With --take-out these deployments serve nobody from the next revision on, and what runs there is cut. The\n"
        "revision's author is \"" GH_DRIFT_AUTHOR "\", its reason begins with \"incident facts_drift\". Only an edit of people\n"
        "(`gatehouse policy apply`) puts them back. A deployment that is not to be compared has no \"resource\".",
    .exits = ", 2 something is no longer so, 3 in force but not confirmed by every worker",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
