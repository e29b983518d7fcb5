/* `gatehouse agent`: the daemon beside the workers, in the foreground. */
#include "policy/agent/agent.h"

#include <stdlib.h>
#include <string.h>

#include "policy/agent/checkpoints.h"
#include "policy/cli/cli.h"
#include "policy/cli/duration.h"

static int
read_options(gh_cli_t *cli, gh_agent_options_t *options)
{
    const char *level = gh_cli_value(cli, "log"), *every = gh_cli_value(cli, "checkpoint");
    gh_str_t    audit = gh_str_format(cli->arena, "%s/audit", gh_cli_home(cli)), names[GH_LOG_DEBUG + 1], near;
    size_t      count = 0;

    if (gh_cli_value(cli, "node") == NULL) {
        return gh_cli_misuse(cli, "--node NAME is missing: the name that gatehouse_node has in nginx.conf");
    }
    if (!gh_cli_name_ok(gh_str_from(gh_cli_value(cli, "node")))) {
        return gh_cli_misuse(cli, "--node: \"%s\" is no node's name", gh_cli_value(cli, "node"));
    }
    if (gh_cli_value_at(cli, "audit", GH_RECORD_DIRECTORIES) != NULL) {
        return gh_cli_misuse(cli, "--audit: a gateway has %d audit directories at most", GH_RECORD_DIRECTORIES);
    }
    *options = (gh_agent_options_t) { .home = gh_cli_home(cli), .secrets = gh_cli_secrets(cli), .ledger = gh_cli_ledger(cli),
        .node = gh_cli_value(cli, "node"), .ca_file = gh_cli_value(cli, "ca"), .checkpoint_ms = GH_CHECKPOINTS_EVERY_MS, .level = GH_LOG_INFO };
    for (unsigned i = 0; i < GH_RECORD_DIRECTORIES; i++) {
        options->audit[i] = gh_cli_value_at(cli, "audit", i);
    }
    if (options->audit[0] == NULL) {
        options->audit[0] = audit.data;
    }
    if (audit.data == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }
    if (every != NULL && gh_cli_every_parse(every, &options->checkpoint_ms) != GH_OK) {
        return gh_cli_misuse(cli, "--checkpoint: %s is no time from 100ms to 1h: 5s, 500ms or 1m are", every);
    }
    for (int i = GH_LOG_ERROR; level != NULL && i <= GH_LOG_DEBUG; i++) {
        names[count++] = gh_str_from(gh_log_level_names[i]);
        if (strcmp(gh_log_level_names[i], level) == 0) {
            options->level = (gh_log_level_t) i;
            return GH_EXIT_DONE;
        }
    }
    if (level != NULL) {
        near = gh_str_nearest(gh_str_from(level), names, count);
        return gh_cli_misuse(cli, "--log: \"%s\" is none of error, warning, notice, info, debug%s%.*s%s", level, near.len != 0 ? ": did you mean \"" : "",
            GH_STR_ARG(near), near.len != 0 ? "\"?" : "");
    }
    return GH_EXIT_DONE;
}

static int
run_command(gh_cli_t *cli)
{
    gh_agent_options_t options;
    gh_error_t         error = { 0 };
    int                status = read_options(cli, &options);

    if (status != GH_EXIT_DONE) {
        return status;
    }
    gh_log_open(options.level, getenv("JOURNAL_STREAM") != NULL);
    if (gh_agent_run(&options, &error) == GH_OK) {
        return GH_EXIT_DONE;
    }
    gh_cli_fail_error(cli, &error);
    if (strcmp(error.code, "agent_running") != 0) {
        gh_cli_advise("gatehouse init%s   makes and repairs home and key; run this as the owner of the home", gh_cli_init_words(cli));
    }
    return GH_EXIT_ERROR;
}

static const gh_cli_option_t options[] = {
    { "node", "NAME", "this node's name in fleet/1, as gatehouse_node has it", false },
    { "audit", "DIR", "an audit directory, as gatehouse_audit has it (default: HOME/audit);\nrepeat it for the second one", true },
    { "ca", "FILE", "certificates that identity providers are believed by (default: the system's)", false },
    { "checkpoint", "TIME", "between two checkpoints of the ledger: 5s (the default), 500ms, 1m", false },
    { "log", "LEVEL", "error, warning, notice, info (the default), or debug", false },
    GH_CLI_STORE_OPTIONS,
    GH_CLI_LEDGER_OPTION,
    { 0 }
};

const gh_cli_command_t gh_cli_agent = {
    .name = "agent",
    .usage = "--node NAME [options]",
    .summary = "runs beside the workers and does what they must not wait for",
    .help =
        "Runs in the foreground until SIGTERM or SIGINT; conf/systemd/gatehouse-agent.service runs it so. While it lives it does what\n"
        "a worker would do else, charging what dead workers reserved, naming their requests as lost and copying edits to\n"
        "the record, and it copies the ledger's counters to HOME/ledger.ckpt; workers take the sweeping back within three seconds of\n"
        "its end. It fetches the keys of identity providers, and the credentials that credentials.json in the secrets directory names,\n"
        "ahead of their ends. Only one runs for a home. SIGHUP reads everything again and tries at once what failed.\n"
        "It logs JSON lines to stderr: {\"t\",\"level\",\"what\",...}.\n",
    .options = options,
    .least = 0,
    .most = 0,
    .run = run_command,
};
