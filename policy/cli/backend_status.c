/* `gatehouse backend status`: what the workers know of each deployment and model now. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli/cli.h"
#include "policy/cli/credential.h"
#include "policy/cli/ledger_look.h"
#include "policy/ledger/backends.h"
#include "policy/ledger/refusals.h"
#include "policy/route/route.h"

const char gh_cli_backend_words[] =
    "What the workers learn of backends while they use them: how long answers take, what fails, when one may be asked again. It is kept\n"
    "in the ledger, and decides the order in which the deployments that policy allows are tried.\n";

typedef struct {
    gh_cli_t          *cli;
    const gh_image_t  *image;
    const gh_ledger_t *ledger;
    gh_str_t           only;         /* a deployment; empty: all */
    uint64_t           now_ms;
    bool              *repeated;     /* by target: an earlier one is the same deployment and upstream model */
    uint32_t           shown, used, room;
    gh_cli_failing_t  *failing;      /* credentials that cannot be fetched */
    size_t             failing_count;
    bool               agent_missing;
    uint64_t           agent_since_ms;  /* 0: none ever ran */
} status_t;

typedef struct { gh_target_t target; gh_backend_state_t state; gh_refusal_state_t refusal; uint64_t wait_ms; } row_t;

/* Two models of the catalogue may be one upstream model of a deployment. */
static int
find_repeated(status_t *status)
{
    uint32_t  count = gh_image_target_count(status->image), size = 64;
    uint64_t *seen;

    while (size < 2 * count) {
        size *= 2;
    }
    seen = gh_arena_array(status->cli->arena, size, sizeof(*seen));
    status->repeated = gh_arena_array(status->cli->arena, count, sizeof(*status->repeated));
    for (uint32_t i = 0; seen != NULL && status->repeated != NULL && i < count; i++) {
        uint64_t number = gh_image_backend(status->image, i)->number;
        uint32_t at = (uint32_t) (number & (size - 1));

        while (seen[at] != 0 && seen[at] != number) {
            at = (at + 1) & (size - 1);
        }
        status->repeated[i] = seen[at] == number;
        seen[at] = number;
    }
    return seen == NULL || status->repeated == NULL ? gh_cli_fail(status->cli, "out of memory") : GH_EXIT_DONE;
}

/* Of a target of the image; false when it is not asked for. */
static bool
row_of(const status_t *status, uint32_t index, row_t *row)
{
    const gh_backend_id_t *id = gh_image_backend(status->image, index);

    gh_image_target(status->image, index, &row->target);
    if (status->repeated[index] || (status->only.len != 0 && !gh_str_eq(status->only, row->target.deployment))) {
        return false;
    }
    gh_backend_look(status->ledger, id, status->now_ms, &row->state);
    row->wait_ms = gh_backend_wait_ms(status->ledger, id, status->now_ms);
    gh_refusal_look(status->ledger, gh_refusal_number(row->target.backend), status->now_ms, &row->refusal);
    return true;
}

/* "0.31 s", "12.4 ms", or "-" when it is not known. */
static const char *
time_text(const status_t *status, uint64_t us)
{
    gh_str_t text;

    if (us == 0) {
        return "-";
    }
    text = us >= 1000000 ? gh_str_format(status->cli->arena, "%llu.%02llu s", (unsigned long long) us / 1000000, (unsigned long long) us % 1000000 / 10000)
        : gh_str_format(status->cli->arena, "%llu.%llu ms", (unsigned long long) us / 1000, (unsigned long long) us % 1000 / 100);
    return text.data != NULL ? text.data : "";
}

static const char *
count_text(const status_t *status, uint32_t count)
{
    gh_str_t text = gh_str_format(status->cli->arena, "%u%s", count, count == GH_BACKEND_SAMPLES_MAX ? "+" : "");

    return text.data != NULL ? text.data : "";
}

/* "  out: its credential is refused by the backend, asked again at ..." */
static gh_str_t
refusal_text(const status_t *status, const gh_refusal_state_t *refusal)
{
    gh_arena_t *arena = status->cli->arena;

    return gh_str_format(arena, "  out%s: its credential %s%s%s%s%s", refusal->everybody ? "" : " for one tenant, the only one that met it",
        gh_cli_credential_text(GH_CREDENTIAL_IS_REFUSED), refusal->since_ms != 0 ? ", last at " : "",
        refusal->since_ms != 0 ? gh_cli_time_text(arena, refusal->since_ms) : "", refusal->wait_ms != 0 ? "; one request may try again at " : "; one request may try",
        refusal->wait_ms != 0 ? gh_cli_time_text(arena, status->now_ms + refusal->wait_ms) : "");
}

static void
print_row(status_t *status, const row_t *row, int deployment_width, int model_width)
{
    const gh_backend_state_t *state = &row->state;
    gh_str_t                  retry = GH_STR(""), credential = GH_STR("");

    if (status->shown++ == 0) {
        printf("%-*s  %-*s  %-9s  %10s  %9s  %7s  %6s  %9s\n", deployment_width, "deployment", model_width, "model", "breaker", "first byte",
            "per token", "samples", "errors", "in flight");
    }
    if (row->wait_ms > 0) {
        retry = gh_str_format(status->cli->arena, "  asked again at %s%s", gh_cli_time_text(status->cli->arena, status->now_ms + row->wait_ms),
            state->retry_at_ms != 0 ? ", as it said" : "");
    }
    if (row->refusal.out) {
        credential = refusal_text(status, &row->refusal);
    } else if (state->credential != GH_CREDENTIAL_IS_READY) {
        credential = gh_str_format(status->cli->arena, "  out: its credential %s%s%s", gh_cli_credential_text(state->credential),
            state->credential == GH_CREDENTIAL_IS_EXPIRED ? ", at " : "",
            state->credential == GH_CREDENTIAL_IS_EXPIRED ? gh_cli_time_text(status->cli->arena, state->credential_until_ms) : "");
    }
    printf("%-*.*s  %-*.*s  %-9s  %10s  %9s  %7s  %4u.%u%%  %9u%.*s%.*s\n", deployment_width, GH_STR_ARG(row->target.deployment), model_width,
        GH_STR_ARG(row->target.upstream_model), gh_breaker_names[state->breaker], time_text(status, state->first_byte_us),
        time_text(status, state->token_us), count_text(status, state->samples), state->errors / 10, state->errors % 10, state->in_flight,
        GH_STR_ARG(retry), GH_STR_ARG(credential));
}

static int
print_text(status_t *status)
{
    int   deployment_width = 10, model_width = 5;
    row_t row;

    for (uint32_t i = 0; i < gh_image_target_count(status->image); i++) {
        if (row_of(status, i, &row)) {
            int deployment = (int) row.target.deployment.len, model = (int) row.target.upstream_model.len;

            deployment_width = deployment > deployment_width ? deployment : deployment_width;
            model_width = model > model_width ? model : model_width;
        }
    }
    for (uint32_t i = 0; i < gh_image_target_count(status->image); i++) {
        if (row_of(status, i, &row)) {
            print_row(status, &row, deployment_width, model_width);
        }
    }
    for (size_t i = 0; i < status->failing_count; i++) {
        const gh_cli_failing_t *one = &status->failing[i];

        printf("%scredential %.*s cannot be fetched since %s: %s\n", i == 0 ? "\n" : "", GH_STR_ARG(one->name),
            gh_cli_time_text(status->cli->arena, one->why.since_ms), gh_cli_shown(status->cli->arena, gh_str_from(one->why.text)).data);
    }
    if (status->agent_missing) {
        printf("%sagent: not running%s%s: keys, credentials and checkpoints grow old\n", status->failing_count == 0 ? "\n" : "", status->agent_since_ms != 0 ? " since " : ", and none ever did",
            status->agent_since_ms != 0 ? gh_cli_time_text(status->cli->arena, status->agent_since_ms) : "");
    }
    if (status->used == status->room) {
        printf("\nThe ledger has room for %u of these and is full: of later ones nothing is remembered, and they are tried as if nothing were known.\n",
            status->room);
    }
    return gh_cli_flush(status->cli);
}

static json_t *
row_json(const status_t *status, const row_t *row)
{
    const gh_backend_state_t *state = &row->state;
    json_t                   *object = json_pack("{s:s%, s:s%, s:s%, s:s, s:I, s:I, s:I, s:I}",
        "deployment", row->target.deployment.data, row->target.deployment.len, "backend", row->target.backend.data, row->target.backend.len,
        "upstream_model", row->target.upstream_model.data, row->target.upstream_model.len, "breaker", gh_breaker_names[state->breaker],
        "samples", (json_int_t) state->samples, "asked", (json_int_t) state->asked, "errors_per_1000", (json_int_t) state->errors,
        "in_flight", (json_int_t) state->in_flight);
    int failed = object == NULL;

    if (!failed && state->first_byte_us != 0) {
        failed = json_object_set_new(object, "first_byte_us", json_integer((json_int_t) state->first_byte_us));
    }
    if (!failed && state->token_us != 0) {
        failed = json_object_set_new(object, "token_us", json_integer((json_int_t) state->token_us));
    }
    if (!failed && state->retry_at_ms != 0) {
        failed = json_object_set_new(object, "retry_at", json_string(gh_cli_time_text(status->cli->arena, state->retry_at_ms)));
    }
    if (!failed && row->wait_ms != 0) {
        failed = json_object_set_new(object, "wait_ms", json_integer((json_int_t) row->wait_ms));
    }
    if (!failed && state->credential != GH_CREDENTIAL_IS_READY) {
        failed = json_object_set_new(object, "credential", json_string(gh_credential_names[state->credential]));
    }
    if (!failed && row->refusal.out) {
        failed = json_object_set_new(object, "credential", json_string(gh_credential_names[GH_CREDENTIAL_IS_REFUSED])) != 0
            || json_object_set_new(object, "credential_refused", json_pack("{s:s, s:I}", "for", row->refusal.everybody ? "everybody" : "one_tenant",
                   "wait_ms", (json_int_t) row->refusal.wait_ms)) != 0;
    }
    if (!failed && state->credential_until_ms != 0) {
        failed = json_object_set_new(object, "credential_until", json_string(gh_cli_time_text(status->cli->arena, state->credential_until_ms)));
    }
    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *
failing_json(const status_t *status)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < status->failing_count; i++) {
        const gh_cli_failing_t *one = &status->failing[i];

        if (json_array_append_new(list, json_pack("{s:s%, s:s, s:s, s:s, s:I}", "id", one->name.data, one->name.len, "code", one->why.code, "error", one->why.text, "since",
                gh_cli_time_text(status->cli->arena, one->why.since_ms), "failures", (json_int_t) one->why.failures)) != 0)
        {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static int
print_json(status_t *status)
{
    json_t *list = json_array(), *all = json_pack("{s:I, s:I, s:o}", "used", (json_int_t) status->used, "room", (json_int_t) status->room, "backends", list);
    row_t   row;

    for (uint32_t i = 0; all != NULL && i < gh_image_target_count(status->image); i++) {
        if (row_of(status, i, &row) && json_array_append_new(list, row_json(status, &row)) != 0) {
            json_decref(all);
            all = NULL;
        }
    }
    if (all != NULL && status->failing_count != 0 && json_object_set_new(all, "credentials", failing_json(status)) != 0) {
        json_decref(all);
        all = NULL;
    }
    if (all != NULL && status->agent_missing
        && json_object_set_new(all, "agent", json_pack("{s:b, s:s*}", "runs", 0, "since",
               status->agent_since_ms != 0 ? gh_cli_time_text(status->cli->arena, status->agent_since_ms) : NULL)) != 0)
    {
        json_decref(all);
        all = NULL;
    }
    if (all == NULL) {
        return gh_cli_fail(status->cli, "out of memory");
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
    return gh_cli_flush(status->cli);
}

/* A deployment that fleet/1 does not have is more likely a mistyped one than an empty answer. */
static int
check_name(const status_t *status)
{
    uint32_t count = gh_image_target_count(status->image);
    gh_str_t *names = gh_arena_array(status->cli->arena, count, sizeof(*names)), near;

    for (uint32_t i = 0; names != NULL && i < count; i++) {
        gh_target_t target;

        gh_image_target(status->image, i, &target);
        names[i] = target.deployment;
        if (gh_str_eq(target.deployment, status->only)) {
            return GH_EXIT_DONE;
        }
    }
    near = names != NULL ? gh_str_nearest(status->only, names, count) : GH_STR("");
    return gh_cli_fail(status->cli, "fleet/1 has no deployment %.*s%s%.*s%s", GH_STR_ARG(status->only), near.len ? "; did you mean " : "",
        GH_STR_ARG(near), near.len ? "?" : "");
}

static int
show(gh_cli_t *cli, gh_store_t *store)
{
    status_t     status = { .cli = cli, .now_ms = gh_cli_now_ms(), .only = gh_str_from(cli->argument_count > 0 ? cli->arguments[0] : "") };
    gh_error_t   error = { 0 };
    gh_image_t  *image;
    gh_ledger_t *ledger;
    unsigned     tries = 0;
    int          result;

    while (gh_store_current(store, status.now_ms, &image, &error) != GH_OK) {
        if (!gh_cli_again(&error, &tries)) {
            return gh_cli_fail_store(cli, &error);
        }
    }
    status.image = image;
    result = status.only.len != 0 ? check_name(&status) : GH_EXIT_DONE;
    result = result == GH_EXIT_DONE ? find_repeated(&status) : result;
    if (result != GH_EXIT_DONE) {
        return result;
    }
    status.ledger = ledger = gh_cli_ledger_look(cli, store);
    if (ledger == NULL) {
        return GH_EXIT_ERROR;
    }
    gh_backend_room(ledger, &status.used, &status.room);
    status.failing_count = gh_cli_credential_failing(cli, &status.failing);
    status.agent_missing = gh_cli_agent_missing(cli, image, ledger, status.now_ms, &status.agent_since_ms);
    result = gh_cli_flag(cli, "json") ? print_json(&status) : print_text(&status);
    gh_ledger_close(ledger);
    return result;
}

static int
run(gh_cli_t *cli)
{
    gh_store_t *store = gh_cli_store_open(cli, false);
    int         result;

    if (store == NULL) {
        return GH_EXIT_ERROR;
    }
    result = show(cli, store);
    gh_store_close(store);
    return result;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_LEDGER_OPTION,
    { "json", NULL, "prints an object", false },
    { 0 }
};

const gh_cli_command_t gh_cli_backend_status = {
    .name = "backend status",
    .usage = "[DEPLOYMENT] [options]",
    .summary = "shows what the workers know of each backend",
    .help =
        "Prints a line for each deployment and model of the revision in force: its breaker, the average times to the\n"
        "first byte and per token behind it, how many samples the first one is of, the share of answers that were no\n"
        "success, how many dispatches are under way, and when it may be asked again. A sample that is 30 s old weighs\n"
        "half of a new one; \"-\" is a time of which there are fewer than 5 samples, or none for 5 minutes. One whose credential\n"
        "has ended, is not there or is refused by the backend is out; below stands which credentials cannot be fetched, since when and why,\n"
        "and since when no agent runs, when one ran, or credentials/1 or issuers' keys need one.\n"
        "Reads the ledger as it is, while workers write it.",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run,
};
