/* `gatehouse ledger grow`: more room in the ledger while workers use it. */
#include <stdio.h>
#include <string.h>

#include "policy/cli/ledger.h"
#include "policy/cli/policy.h"

static int
print(const gh_cli_t *cli, uint64_t before, uint64_t after)
{
    if (gh_cli_flag(cli, "json")) {
        return gh_cli_print_json(cli, json_pack("{s:s, s:I, s:I}", "ledger", gh_cli_ledger(cli), "before", (json_int_t) before,
            "size", (json_int_t) after));
    }
    printf("%s: %s, was %s\n", gh_cli_ledger(cli), gh_cli_size_text(cli->arena, after), gh_cli_size_text(cli->arena, before));
    return gh_cli_flush(cli);
}

static int
run(gh_cli_t *cli)
{
    gh_error_t   error = { 0 };
    gh_ledger_t *ledger;
    uint64_t     size, before;
    int          status;

    if (gh_cli_size_parse(cli->arguments[0], &size) != GH_OK) {
        return gh_cli_misuse(cli, "%s is no size: 256m, 1g, 512k or bytes are", cli->arguments[0]);
    }
    ledger = gh_cli_ledger_open(cli, true);
    if (ledger == NULL) {
        return GH_EXIT_ERROR;
    }
    before = gh_ledger_size(ledger);
    if (gh_ledger_grow(ledger, size, &error) == GH_OK) {
        status = print(cli, before, gh_ledger_size(ledger));
    } else {
        status = gh_cli_fail_error(cli, &error);
        if (strcmp(error.code, "ledger_full") == 0) {
            gh_cli_advise("make room on its file system, or a larger one: mount -o remount,size=... when it is a tmpfs");
        } else if (strcmp(error.code, "ledger_busy") == 0) {
            gh_cli_advise("run this again");
        }
    }
    gh_ledger_close(ledger);
    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_LEDGER_OPTION,
    { "json", NULL, "prints an object: ledger, before, size (bytes)", false },
    { 0 }
};

const gh_cli_command_t gh_cli_ledger_grow = {
    .name = "ledger grow",
    .usage = "SIZE [options]",
    .summary = "makes the ledger larger while workers use it",
    .help =
        "Makes the ledger SIZE large in all (256m, 1g, or bytes): half of what is added is for counters, half for\n"
        "reservations of running requests. Workers find the new room by themselves; nothing is reloaded, and what is\n"
        "counted stays where it is. A ledger never shrinks; one made anew by `gatehouse init --ledger-size` may be small.\n"
        "When this is killed, the ledger is as it was, or has grown: it may be run again.\n",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
