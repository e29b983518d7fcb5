/*
 * A small option parser: --name VALUE, --name=VALUE, flags, "--" ends them. Options may stand before, between and after the
 * other arguments. No abbreviations: an unknown one is answered with the nearest spelling.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cli/cli.h"

#define OPTIONS_MAX 32

static const gh_cli_option_t *find_option(const gh_cli_command_t *command, gh_str_t name) {
    for (const gh_cli_option_t *o = command->options; o->name != NULL; o++) {
        if (gh_str_is(name, o->name)) {
            return o;
        }
    }

    return NULL;
}

static int
unknown_option(const gh_cli_t *cli, gh_str_t name)
{
    gh_str_t names[OPTIONS_MAX + 1];
    size_t   count = 0;

    for (const gh_cli_option_t *o = cli->command->options; o->name != NULL && count < OPTIONS_MAX; o++) {
        names[count++] = gh_str_from(o->name);
    }
    names[count++] = GH_STR("help");

    gh_str_t near = gh_str_nearest(name, names, count);

    if (near.len > 0) {
        return gh_cli_misuse(cli, "unknown option --%.*s; did you mean --%.*s?", GH_STR_ARG(name), GH_STR_ARG(near));
    }

    return gh_cli_misuse(cli, "unknown option --%.*s", GH_STR_ARG(name));
}

/* One argument that begins with "--". *used_next: the next argument was its value. */
static int
take_option(gh_cli_t *cli, const char *argument, const char *next, bool *used_next)
{
    const char *name_start = argument + 2;
    const char *equals = strchr(name_start, '=');
    gh_str_t    name = { name_start, equals ? (size_t) (equals - name_start) : strlen(name_start) };

    *used_next = false;

    if (gh_str_is(name, "help")) {
        cli->help = true;
        return GH_EXIT_DONE;
    }

    const gh_cli_option_t *option = find_option(cli->command, name);

    if (option == NULL) {
        return unknown_option(cli, name);
    }

    if (!option->repeats && (option->argument ? gh_cli_value(cli, option->name) != NULL
                                              : gh_cli_flag(cli, option->name)))
    {
        return gh_cli_misuse(cli, "--%s was given twice", option->name);
    }

    if (cli->given_count == GH_CLI_GIVEN_MAX) {
        return gh_cli_misuse(cli, "more than %d options", GH_CLI_GIVEN_MAX);
    }

    const char *value = NULL;

    if (option->argument == NULL) {
        if (equals != NULL) {
            return gh_cli_misuse(cli, "--%s takes no value", option->name);
        }

    } else if (equals != NULL) {
        value = equals + 1;

    } else if (next != NULL) {
        value = next;
        *used_next = true;

    } else {
        return gh_cli_misuse(cli, "--%s needs a value: --%s %s", option->name, option->name, option->argument);
    }

    if (value != NULL && value[0] == '\0') {
        return gh_cli_misuse(cli, "--%s was given an empty value", option->name);
    }

    cli->given[cli->given_count].option = option;
    cli->given[cli->given_count].value = value;
    cli->given_count++;

    return GH_EXIT_DONE;
}

int
gh_cli_parse(gh_cli_t *cli, int argc, char **argv)
{
    bool options_over = false;

    cli->arguments = gh_arena_array(cli->arena, (size_t) argc + 1, sizeof(char *));
    if (cli->arguments == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }

    for (int i = 0; i < argc; i++) {
        if (options_over || argv[i][0] != '-' || argv[i][1] == '\0') {
            cli->arguments[cli->argument_count++] = argv[i];
            continue;
        }

        if (strcmp(argv[i], "--") == 0) {
            options_over = true;
            continue;
        }

        if (strcmp(argv[i], "-h") == 0) {
            cli->help = true;
            continue;
        }

        if (argv[i][1] != '-') {
            return gh_cli_misuse(cli, "unknown option %s; options have two dashes", argv[i]);
        }

        bool used_next;
        int  status = take_option(cli, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used_next);

        if (status != GH_EXIT_DONE) {
            return status;
        }

        i += used_next;
    }

    if (cli->help) {
        return GH_EXIT_DONE;
    }

    if (cli->argument_count < cli->command->least) {
        return gh_cli_misuse(cli, "something is missing: gatehouse %s %s", cli->command->name, cli->command->usage);
    }

    if (cli->argument_count > cli->command->most) {
        return gh_cli_misuse(cli, "unexpected argument %s", cli->arguments[cli->command->most]);
    }

    return GH_EXIT_DONE;
}

const char *
gh_cli_value_at(const gh_cli_t *cli, const char *name, unsigned index)
{
    for (unsigned i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].option->name, name) == 0 && index-- == 0) {
            return cli->given[i].value;
        }
    }

    return NULL;
}

const char *
gh_cli_value(const gh_cli_t *cli, const char *name)
{
    return gh_cli_value_at(cli, name, 0);
}

bool
gh_cli_flag(const gh_cli_t *cli, const char *name)
{
    for (unsigned i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].option->name, name) == 0) {
            return true;
        }
    }

    return false;
}

static const char *
place(const gh_cli_t *cli, const char *option, const char *variable, const char *otherwise)
{
    const char *value = gh_cli_value(cli, option);

    if (value != NULL) {
        return value;
    }

    value = getenv(variable);

    return value != NULL && value[0] != '\0' ? value : otherwise;
}

const char *
gh_cli_home(const gh_cli_t *cli)
{
    return place(cli, "home", "GATEHOUSE_HOME", GH_CLI_HOME);
}

const char *
gh_cli_secrets(const gh_cli_t *cli)
{
    return place(cli, "secrets", "GATEHOUSE_SECRETS", GH_CLI_SECRETS);
}

const char *
gh_cli_ledger(const gh_cli_t *cli)
{
    const char *home = gh_cli_home(cli), *given = place(cli, "ledger", "GATEHOUSE_LEDGER", NULL);
    gh_str_t    path;

    if (given != NULL) {
        return given;
    }
    if (strcmp(home, GH_CLI_HOME) == 0) {
        return GH_LEDGER_PATH;
    }
    path = gh_str_format(cli->arena, "%s/ledger", home);

    return path.data ? path.data : GH_LEDGER_PATH;
}

const char *
gh_cli_store_words(const gh_cli_t *cli)
{
    const char *ledger = place(cli, "ledger", "GATEHOUSE_LEDGER", NULL);
    const char *home = gh_cli_home(cli), *secrets = gh_cli_secrets(cli);
    bool        home_differs = strcmp(home, GH_CLI_HOME) != 0, secrets_differ = strcmp(secrets, GH_CLI_SECRETS) != 0;
    gh_str_t    text;

    text = gh_str_format(cli->arena, "%s%s%s%s%s%s", home_differs ? " --home " : "", home_differs ? home : "",
        secrets_differ ? " --secrets " : "", secrets_differ ? secrets : "", ledger ? " --ledger " : "", ledger ? ledger : "");

    return text.data ? text.data : "";
}

/* A line of --help: the option in a column of 26, the text beside it. */
static void
print_option(const char *name, const char *argument, const char *text)
{
    char left[64];

    snprintf(left, sizeof(left), "--%s%s%s", name, argument ? " " : "", argument ? argument : "");
    printf("  %-26s", left);

    for (const char *line = text; ; ) {
        const char *end = strchr(line, '\n');

        if (end == NULL) {
            printf(" %s\n", line);
            return;
        }

        printf(" %.*s\n%28s", (int) (end - line), line, "");
        line = end + 1;
    }
}

void
gh_cli_print_help(const gh_cli_command_t *command)
{
    printf("usage: gatehouse %s %s\n\n%s\n", command->name, command->usage, command->help);

    printf("\noptions:\n");
    for (const gh_cli_option_t *o = command->options; o->name != NULL; o++) {
        print_option(o->name, o->argument, o->text);
    }
    print_option("help", NULL, "this text");

    printf("\nexit codes: 0 done, 1 error%s, 64 wrong command line\n", command->exits ? command->exits : "");
}
