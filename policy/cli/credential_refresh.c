/* `gatehouse credential refresh`: what the agent does, once, by hand or by a timer. */
#include "policy/cli/credential.h"

static int
run(gh_cli_t *cli)
{
    return gh_cli_credential_run(cli, true);
}

static const gh_cli_option_t options[] = {
    GH_CLI_CREDENTIAL_OPTIONS,
    { "json", NULL, "prints an object", false },
    { 0 }
};

const gh_cli_command_t gh_cli_credential_refresh = {
    .name = "credential refresh",
    .usage = "[ID...] [options]",
    .summary = "fetches credentials now and hands them to the workers",
    .help =
        "Runs each source of the credentials/1 document, or those named, and writes what it gives to a file of its name in the\n"
        "credentials directory (mode 0640, of the directory's group), renamed into place: workers have it within a second, without a\n"
        "reload. What fails leaves the file as it is, which holds until it ends. `gatehouse agent` does the same ahead of each end; this is\n"
        "for the moment after a secret was replaced, and for hosts without the agent. Exits with 1 when one of them failed.\n",
    .options = options,
    .least = 0,
    .most = 64,
    .run = run,
};
