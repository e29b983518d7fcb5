/*
 * `gatehouse`: the command line for security teams, operators and CI. This file finds the subcommand;
 * a new one is its own file, a declaration in cli.h and a row here.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/cli/cli.h"

static const gh_cli_command_t *const commands[] = {
    &gh_cli_init,
    &gh_cli_policy_apply,
    &gh_cli_policy_new,
    &gh_cli_policy_validate,
    &gh_cli_policy_test,
    &gh_cli_policy_plan,
    &gh_cli_policy_show,
    &gh_cli_policy_prove,
    &gh_cli_policy_schema,
    &gh_cli_policy_history,
    &gh_cli_policy_diff,
    &gh_cli_policy_rollback,
    &gh_cli_policy_export,
    &gh_cli_fleet_check,
    &gh_cli_fleet_drift,
    &gh_cli_fleet_import,
    &gh_cli_facts_show,
    &gh_cli_facts_diff,
    &gh_cli_policy_wait,
    &gh_cli_key_create,
    &gh_cli_key_rotate,
    &gh_cli_key_edit,
    &gh_cli_key_revoke,
    &gh_cli_key_list,
    &gh_cli_key_import,
    &gh_cli_agent,
    &gh_cli_agent_status,
    &gh_cli_backend_status,
    &gh_cli_credential_list,
    &gh_cli_credential_check,
    &gh_cli_credential_refresh,
    &gh_cli_limits,
    &gh_cli_usage,
    &gh_cli_explain,
    &gh_cli_audit_show,
    &gh_cli_audit_tail,
    &gh_cli_audit_verify,
    &gh_cli_audit_schema,
    &gh_cli_ledger_show,
    &gh_cli_ledger_check,
    &gh_cli_ledger_grow,
    &gh_cli_ledger_checkpoint,
    &gh_cli_backup,
    &gh_cli_restore,
};

/* First words of commands of two words, with the text their --help begins with. */
static const struct {
    const char *name;
    const char *words;
} groups[] = {
    { "policy", gh_cli_policy_words },
    { "fleet", gh_cli_fleet_words },
    { "facts", gh_cli_facts_words },
    { "key", gh_cli_key_words },
    { "backend", gh_cli_backend_words },
    { "ledger", gh_cli_ledger_words },
    { "credential", gh_cli_credential_words },
    { "audit", gh_cli_audit_words },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char help_head[] =
    "usage: gatehouse COMMAND [arguments]\n"
    "\n"
    "Gatehouse sends each AI request only where the tenant's residency policy allows.\n"
    "This command makes its home, applies policy, hands out API keys and explains decisions.\n"
    "\n"
    "commands:\n";

static const char help_tail[] =
    "\n"
    "environment:\n"
    "  GATEHOUSE_HOME             instead of " GH_CLI_HOME "\n"
    "  GATEHOUSE_SECRETS          instead of " GH_CLI_SECRETS "\n"
    "  GATEHOUSE_LEDGER           instead of " GH_LEDGER_PATH "\n"
    "\n"
    "exit codes: 0 done, 1 error, 64 wrong command line; --help of a command says what 2 and 3 mean there\n"
    "`gatehouse COMMAND --help` says more; so does the manual page gatehouse(1).\n";

static void
print_row(const char *name, const char *text)
{
    printf("  %-18s %s\n", name, text);
}

static int
print_overview(const gh_cli_t *cli)
{
    fputs(help_head, stdout);
    for (size_t i = 0; i < COUNT(commands); i++) {
        print_row(commands[i]->name, commands[i]->summary);
    }
    print_row("version", "prints the version");
    print_row("help [COMMAND]", "this text, or that of a command");
    fputs(help_tail, stdout);

    return gh_cli_flush(cli);
}

static bool
in_group(const gh_cli_command_t *command, const char *group)
{
    size_t len = strlen(group);

    return strncmp(command->name, group, len) == 0 && command->name[len] == ' ';
}

static int
print_group(const gh_cli_t *cli, size_t group)
{
    printf("%s\nusage: gatehouse %s COMMAND [arguments]\n\ncommands:\n", groups[group].words, groups[group].name);

    for (size_t i = 0; i < COUNT(commands); i++) {
        if (in_group(commands[i], groups[group].name)) {
            print_row(commands[i]->name, commands[i]->summary);
        }
    }
    printf("\n`gatehouse %s COMMAND --help` says more.\n", groups[group].name);

    return gh_cli_flush(cli);
}

/* The index of a group, or -1. */
static int
find_group(const char *name)
{
    for (size_t i = 0; i < COUNT(groups); i++) {
        if (strcmp(name, groups[i].name) == 0) {
            return (int) i;
        }
    }

    return -1;
}

/* second: NULL when the name has one word. */
static const gh_cli_command_t *
named(const char *first, const char *second)
{
    char name[128];

    snprintf(name, sizeof(name), "%s%s%s", first, second != NULL ? " " : "", second != NULL ? second : "");
    for (size_t i = 0; i < COUNT(commands); i++) {
        if (strcmp(name, commands[i]->name) == 0) {
            return commands[i];
        }
    }

    return NULL;
}

/* The command that argv names, and how many words its name takes: two when there is one of that name, though the first alone may be one too. */
static const gh_cli_command_t *
find_command(int argc, char **argv, int *words)
{
    const gh_cli_command_t *command = argc >= 2 ? named(argv[0], argv[1]) : NULL;

    *words = command != NULL ? 2 : 1;

    return command != NULL ? command : argc >= 2 && find_group(argv[0]) >= 0 ? NULL : named(argv[0], NULL);
}

static int
unknown_command(const gh_cli_t *cli, int argc, char **argv)
{
    gh_str_t near[COUNT(commands) + COUNT(groups) + 2];
    size_t   count = 0;
    bool     grouped = argc >= 2 && find_group(argv[0]) >= 0;
    gh_str_t word = gh_str_from(grouped ? argv[1] : argv[0]);

    for (size_t i = 0; i < COUNT(commands); i++) {
        if (grouped && in_group(commands[i], argv[0])) {
            near[count++] = gh_str_from(commands[i]->name + strlen(argv[0]) + 1);

        } else if (!grouped && strchr(commands[i]->name, ' ') == NULL) {
            near[count++] = gh_str_from(commands[i]->name);
        }
    }

    for (size_t i = 0; i < COUNT(groups) && !grouped; i++) {
        near[count++] = gh_str_from(groups[i].name);
    }
    if (!grouped) {
        near[count++] = GH_STR("version");
        near[count++] = GH_STR("help");
    }

    gh_str_t found = gh_str_nearest(word, near, count);

    if (found.len > 0) {
        return gh_cli_misuse(cli, "unknown command %s%s%.*s; did you mean %s%s%.*s?", grouped ? argv[0] : "",
            grouped ? " " : "", GH_STR_ARG(word), grouped ? argv[0] : "", grouped ? " " : "", GH_STR_ARG(found));
    }

    return gh_cli_misuse(cli, "unknown command %s%s%.*s", grouped ? argv[0] : "", grouped ? " " : "", GH_STR_ARG(word));
}

static bool
is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* `gatehouse help ...`: argv is what follows. */
static int
run_help(gh_cli_t *cli, int argc, char **argv)
{
    int words;

    if (argc == 0) {
        return print_overview(cli);
    }

    if (argc == 1 && find_group(argv[0]) >= 0) {
        return print_group(cli, (size_t) find_group(argv[0]));
    }

    const gh_cli_command_t *command = find_command(argc, argv, &words);

    if (command != NULL) {
        gh_cli_print_help(command);
        return gh_cli_flush(cli);
    }

    return strcmp(argv[0], "help") == 0 || strcmp(argv[0], "version") == 0 ? print_overview(cli)
                                                                           : unknown_command(cli, argc, argv);
}

static int
run_command(gh_cli_t *cli, int argc, char **argv)
{
    int words, group, status;

    if (argc == 0) {
        return gh_cli_misuse(cli, "a command is missing");
    }

    if (is_help(argv[0])) {
        return run_help(cli, argc - 1, argv + 1);
    }

    if (strcmp(argv[0], "version") == 0 || strcmp(argv[0], "--version") == 0) {
        printf("gatehouse %s\n", GH_VERSION);
        return gh_cli_flush(cli);
    }

    group = find_group(argv[0]);
    if (group >= 0 && argc == 1) {
        return gh_cli_misuse(cli, "%s needs one more word; `gatehouse help %s` lists them", argv[0], argv[0]);
    }

    if (group >= 0 && is_help(argv[1])) {
        return print_group(cli, (size_t) group);
    }

    cli->command = find_command(argc, argv, &words);
    if (cli->command == NULL) {
        return unknown_command(cli, argc, argv);
    }

    status = gh_cli_parse(cli, argc - words, argv + words);
    if (status != GH_EXIT_DONE) {
        return status;
    }

    if (cli->help) {
        gh_cli_print_help(cli->command);
        return gh_cli_flush(cli);
    }

    return cli->command->run(cli);
}

/* A closed stdout would give its number to the next file opened, and a printed key would be written into the store. */
static void
occupy_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDONLY) == -1) {
            _exit(GH_EXIT_ERROR);
        }
    }
}

int
main(int argc, char **argv)
{
    gh_cli_t cli = { 0 };
    int      status;

    occupy_standard_files();
    signal(SIGXFSZ, SIG_IGN);    /* a file size limit is an error with a sentence, not a core dump */
    signal(SIGPIPE, SIG_IGN);
    umask(027);

    gh_heap_init(&cli.heap);
    cli.arena = &cli.heap.arena;

    status = run_command(&cli, argc - 1, argv + 1);

    gh_heap_free(&cli.heap);

    return status;
}
