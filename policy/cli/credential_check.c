/* `gatehouse credential check`: runs sources of credentials once and says what works. */
#include "policy/cli/credential.h"

static int
run(gh_cli_t *cli)
{
    return gh_cli_credential_run(cli, false);
}

static const gh_cli_option_t options[] = {
    GH_CLI_CREDENTIAL_OPTIONS,
    { "json", NULL, "prints an object", false },
    { 0 }
};

const gh_cli_command_t gh_cli_credential_check = {
    .name = "credential check",
    .usage = "[ID...] [options]",
    .summary = "fetches credentials once, says what works, and keeps none",
    .help =
        "Runs each source of the credentials/1 document, or those named, and prints whether it gave a credential, of which form and\n"
        "until when, or what failed; never the credential. One with a \"check\" is tried at its page, too. Nothing is written. Run it as the user of the agent, with its\n"
        "environment. Exits with 1 when one of them failed.\n",
    .options = options,
    .least = 0,
    .most = 64,
    .run = run,
};
