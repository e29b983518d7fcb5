/* `gatehouse credential list`: where each credential comes from, and what the workers have of it. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/agent/credential_hand.h"
#include "policy/cli/credential.h"
#include "policy/cli/policy.h"

typedef struct {
    const gh_credential_source_t *source;
    const char                   *state;     /* "ready", "expired", "missing", "unusable" */
    gh_credential_t               credential;
    gh_error_t                    error;
    gh_credential_why_t           why;
} row_t;

static void
look(gh_cli_t *cli, row_t *row)
{
    const char *directory = gh_cli_credential_directory(cli);
    gh_str_t    path = gh_str_format(cli->arena, "%s/%.*s", directory, GH_STR_ARG(row->source->id)), text;

    gh_credential_why_read(cli->arena, directory, row->source->id, &row->why);
    if (path.data == NULL || gh_secret_file(cli->arena, path.data, "the credential", true, &text, &row->error) != GH_OK) {
        row->state = "missing";
        return;
    }
    if (gh_credential_read(cli->arena, gh_token_trim(text), &row->credential, &row->error) != GH_OK) {
        row->state = "unusable";
        return;
    }
    row->error.code = NULL;
    row->state = row->credential.expires_ms != 0 && row->credential.expires_ms <= gh_cli_now_ms() ? "expired" : "ready";
}

static void
print_row(gh_cli_t *cli, const row_t *row, int width)
{
    printf("%-*.*s  %-24s  %-8s", width, GH_STR_ARG(row->source->id), row->source->kind->word, row->state);
    if (row->credential.expires_ms != 0) {
        printf("  until %s", gh_cli_time_text(cli->arena, row->credential.expires_ms));
    }
    if (row->error.code != NULL) {
        printf("  %s", row->error.text);
    }
    if (row->why.code[0] != '\0') {
        printf("  fails since %s: %s", gh_cli_time_text(cli->arena, row->why.since_ms), row->why.text);
    }
    printf("\n");
}

static json_t *
row_json(gh_cli_t *cli, const row_t *row)
{
    json_t *object = json_pack("{s:s%, s:s, s:s, s:s*, s:s*}", "id", row->source->id.data, row->source->id.len, "source", row->source->kind->word, "state", row->state,
        "expires", row->credential.expires_ms != 0 ? gh_cli_time_text(cli->arena, row->credential.expires_ms) : NULL, "form",
        strcmp(row->state, "ready") == 0 || strcmp(row->state, "expired") == 0 ? gh_cli_credential_forms[row->credential.form] : NULL);

    if (object != NULL && row->why.code[0] != '\0'
        && json_object_set_new(object, "fails", json_pack("{s:s, s:s, s:s, s:I}", "code", row->why.code, "error", row->why.text, "since",
               gh_cli_time_text(cli->arena, row->why.since_ms), "failures", (json_int_t) row->why.failures)) != 0)
    {
        json_decref(object);
        return NULL;
    }
    return object;
}

static int
run(gh_cli_t *cli)
{
    gh_credential_list_t list;
    json_t              *rows = gh_cli_flag(cli, "json") ? json_array() : NULL;
    int                  width = 2, status = gh_cli_credential_load(cli, &list);

    status = status == GH_EXIT_DONE ? gh_cli_credential_names(cli, &list) : status;
    for (uint32_t i = 0; status == GH_EXIT_DONE && i < list.count; i++) {
        width = (int) list.items[i].id.len > width ? (int) list.items[i].id.len : width;
    }
    for (uint32_t i = 0; status == GH_EXIT_DONE && i < list.count; i++) {
        row_t row = { .source = &list.items[i] };

        if (!gh_cli_credential_wanted(cli, row.source)) {
            continue;
        }
        look(cli, &row);
        if (rows == NULL) {
            print_row(cli, &row, width);
        } else if (json_array_append_new(rows, row_json(cli, &row)) != 0) {
            status = gh_cli_fail(cli, "out of memory");
        }
    }
    if (status != GH_EXIT_DONE || rows == NULL) {
        json_decref(rows);
        return status != GH_EXIT_DONE ? status : gh_cli_flush(cli);
    }
    return gh_cli_print_json(cli, json_pack("{s:o}", "credentials", rows));
}

static const gh_cli_option_t options[] = {
    GH_CLI_CREDENTIAL_OPTIONS,
    { "json", NULL, "prints an object", false },
    { 0 }
};

const gh_cli_command_t gh_cli_credential_list = {
    .name = "credential list",
    .usage = "[ID...] [options]",
    .summary = "shows where credentials come from and what the workers have",
    .help =
        "Prints a line for each credential of the credentials/1 document: its source, and its file in the credentials directory: ready,\n"
        "expired, missing or unusable, until when, and since when and why it cannot be fetched, when that is so. Nothing is fetched.\n",
    .options = options,
    .least = 0,
    .most = 64,
    .run = run,
};
