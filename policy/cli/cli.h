/*
 * The `gatehouse` command: what its subcommands share. A subcommand is one file with one gh_cli_command_t, its
 * options and help text in it, and one row of the table in main.c.
 *
 * Results go to stdout, everything else to stderr. An error says what is wrong and then what to do about it.
 */
#ifndef GH_CLI_H
#define GH_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/base/version.h"
#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"
#include "policy/ledger/ledger.h"
#include "policy/store/store.h"

/* Exit codes, the same for every command. */
enum {
    GH_EXIT_DONE    = 0,
    GH_EXIT_ERROR   = 1,    /* nothing was changed */
    GH_EXIT_CHANGES = 2,    /* policy plan: there is something to apply */
    GH_EXIT_AGEING  = 2,    /* agent status --check: something is not fine */
    GH_EXIT_DENIED  = 3,    /* explain: the request is denied */
    GH_EXIT_UNOBEYED = 3,   /* edits: in force, but a worker has not confirmed it */
    GH_EXIT_USAGE   = 64    /* the command line itself is wrong; nothing was done (EX_USAGE of sysexits.h) */
};

typedef struct {
    const char *name;      /* without "--"; NULL ends a table */
    const char *argument;  /* "DIR"; NULL: a flag */
    const char *text;      /* for --help; lines are wrapped by hand, "\n" between them */
    bool        repeats;
} gh_cli_option_t;

typedef struct gh_cli_s gh_cli_t;

typedef struct {
    const char            *name;       /* "init", "policy apply" */
    const char            *usage;      /* what follows the name: "DIR [options]" */
    const char            *summary;    /* one line of the list of commands */
    const char            *help;       /* paragraphs below the usage line */
    const char            *exits;      /* exit codes of its own, ", 3 denied"; NULL: 0, 1 and 64 only */
    const gh_cli_option_t *options;
    unsigned               least, most;  /* arguments that are not options */
    int                  (*run)(gh_cli_t *cli);
} gh_cli_command_t;

#define GH_CLI_GIVEN_MAX 128

struct gh_cli_s {
    const gh_cli_command_t *command;
    gh_heap_t               heap;
    gh_arena_t             *arena;        /* &heap.arena */
    const char            **arguments;    /* NUL-terminated, borrowed from argv */
    unsigned                argument_count;
    struct {
        const gh_cli_option_t *option;
        const char            *value;     /* NULL for a flag */
    } given[GH_CLI_GIVEN_MAX];
    unsigned                given_count;
    bool                    help;         /* --help or -h was there */
};

/* One row a command: two that are added side by side do not meet. */
extern const gh_cli_command_t gh_cli_agent;
extern const gh_cli_command_t gh_cli_agent_status;
extern const gh_cli_command_t gh_cli_backend_status;
extern const gh_cli_command_t gh_cli_audit_schema;
extern const gh_cli_command_t gh_cli_audit_show;
extern const gh_cli_command_t gh_cli_audit_tail;
extern const gh_cli_command_t gh_cli_audit_verify;
extern const gh_cli_command_t gh_cli_backup;
extern const gh_cli_command_t gh_cli_restore;
extern const gh_cli_command_t gh_cli_credential_check;
extern const gh_cli_command_t gh_cli_credential_list;
extern const gh_cli_command_t gh_cli_credential_refresh;
extern const gh_cli_command_t gh_cli_explain;
extern const gh_cli_command_t gh_cli_facts_diff;
extern const gh_cli_command_t gh_cli_facts_show;
extern const gh_cli_command_t gh_cli_fleet_check;
extern const gh_cli_command_t gh_cli_fleet_drift;
extern const gh_cli_command_t gh_cli_fleet_import;
extern const gh_cli_command_t gh_cli_init;
extern const gh_cli_command_t gh_cli_limits;
extern const gh_cli_command_t gh_cli_usage;
extern const gh_cli_command_t gh_cli_key_create;
extern const gh_cli_command_t gh_cli_key_import;
extern const gh_cli_command_t gh_cli_key_list;
extern const gh_cli_command_t gh_cli_key_edit;
extern const gh_cli_command_t gh_cli_key_revoke;
extern const gh_cli_command_t gh_cli_key_rotate;
extern const gh_cli_command_t gh_cli_ledger_check;
extern const gh_cli_command_t gh_cli_ledger_checkpoint;
extern const gh_cli_command_t gh_cli_ledger_grow;
extern const gh_cli_command_t gh_cli_ledger_show;
extern const gh_cli_command_t gh_cli_policy_apply;
extern const gh_cli_command_t gh_cli_policy_diff;
extern const gh_cli_command_t gh_cli_policy_export;
extern const gh_cli_command_t gh_cli_policy_history;
extern const gh_cli_command_t gh_cli_policy_new;
extern const gh_cli_command_t gh_cli_policy_plan;
extern const gh_cli_command_t gh_cli_policy_prove;
extern const gh_cli_command_t gh_cli_policy_rollback;
extern const gh_cli_command_t gh_cli_policy_schema;
extern const gh_cli_command_t gh_cli_policy_show;
extern const gh_cli_command_t gh_cli_policy_test;
extern const gh_cli_command_t gh_cli_policy_validate;
extern const gh_cli_command_t gh_cli_policy_wait;

extern const char gh_cli_policy_words[];   /* the policy language in five sentences: head of `gatehouse policy --help` */
extern const char gh_cli_backend_words[];
extern const char gh_cli_credential_words[];
extern const char gh_cli_audit_words[];
extern const char gh_cli_key_words[];
extern const char gh_cli_ledger_words[];
extern const char gh_cli_facts_words[];
extern const char gh_cli_fleet_words[];

/* Rows that every table of a command using the store begins with. */
#define GH_CLI_STORE_OPTIONS                                                                                     \
    { "home", "DIR", "the gateway's home (default: $GATEHOUSE_HOME, else " GH_CLI_HOME ")", false },               \
    { "secrets", "DIR", "where store.key is (default: $GATEHOUSE_SECRETS, else " GH_CLI_SECRETS ")", false }

/* The row of commands that edit the store or look at its workers. */
#define GH_CLI_LEDGER_OPTION                                                                                     \
    { "ledger", "FILE", "the workers' ledger (default: $GATEHOUSE_LEDGER, else\n" GH_LEDGER_PATH ", or DIR/ledger of another --home)", false }

#define GH_CLI_HOME    "/var/lib/gatehouse"
#define GH_CLI_SECRETS "/etc/gatehouse"

/* Who owns the home and which group its workers have, when init is run as root and not told otherwise. */
#define GH_CLI_USER    "gatehouse"
#define GH_CLI_GROUP   "www-data"

/* ---- options.c ---- */

/* Reads argv[0..argc) into cli. GH_EXIT_DONE, or GH_EXIT_USAGE after a message on stderr. */
int gh_cli_parse(gh_cli_t *cli, int argc, char **argv);

/* The value of an option, or NULL when it was not given. Of a repeated one: number `index`. */
const char *gh_cli_value(const gh_cli_t *cli, const char *name);
const char *gh_cli_value_at(const gh_cli_t *cli, const char *name, unsigned index);
bool        gh_cli_flag(const gh_cli_t *cli, const char *name);

const char *gh_cli_home(const gh_cli_t *cli);
const char *gh_cli_secrets(const gh_cli_t *cli);
const char *gh_cli_ledger(const gh_cli_t *cli);    /* arena-owned, or borrowed */

/* " --home X --secrets Y --ledger Z" as far as they differ from the defaults: for commands that messages suggest. Arena-owned. */
const char *gh_cli_store_words(const gh_cli_t *cli);

/* The same for `gatehouse init`, with --user and --group of the home that stands there, where they are not the default. */
const char *gh_cli_init_words(const gh_cli_t *cli);

void gh_cli_print_help(const gh_cli_command_t *command);

/* ---- say.c ---- */

/* "gatehouse COMMAND: text" on stderr. Returns GH_EXIT_ERROR. Control bytes in the text are escaped. */
int gh_cli_fail(const gh_cli_t *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a wrong command line, with a pointer to --help. Returns GH_EXIT_USAGE. */
int gh_cli_misuse(const gh_cli_t *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For a core error: its place, when it has one, and its text. Returns GH_EXIT_ERROR. */
int gh_cli_fail_error(const gh_cli_t *cli, const gh_error_t *error);

/* A line on stderr without the command's name: "file:1:2: error: text". */
void gh_cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A second line below a failure: "  do: ..." */
void gh_cli_advise(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Text that came from a client or a file, for a terminal: control bytes become ".". Borrows s when there are none, else arena-owned. */
gh_str_t gh_cli_shown(gh_arena_t *arena, gh_str_t s);

/* Flushes stdout. GH_EXIT_DONE, or GH_EXIT_ERROR after a message when something could not be written. */
int gh_cli_flush(const gh_cli_t *cli);

/* "2026-11-21T09:30:00Z" of a time in milliseconds, with ".123" when it is not a whole second. Arena-owned. */
const char *gh_cli_time_text(gh_arena_t *arena, uint64_t unix_ms);

/* RFC 3339 ("2026-11-21T09:30:00Z", ".123", "+01:00") or a day "2026-11-21" (its first instant, UTC). GH_ERROR when it is neither. */
int gh_cli_time_parse(const char *text, uint64_t *unix_ms);

uint64_t gh_cli_now_ms(void);

/* ---- store.c ---- */

/*
 * Opens the store of --home and --secrets; gh_store_close is the caller's. NULL after a message with the command to run: nothing
 * is made here, only `gatehouse init` makes a store.
 */
gh_store_t *gh_cli_store_open(const gh_cli_t *cli, bool writable);

/* After "store_busy" (others write all the time): waits a little and says true, at most 100 times. *tries begins at 0. */
bool gh_cli_again(const gh_error_t *error, unsigned *tries);

/* A failed store operation: the error, and the command that helps where there is one. Returns GH_EXIT_ERROR. */
int gh_cli_fail_store(const gh_cli_t *cli, const gh_error_t *error);

/* Who runs this: --author, $SUDO_USER, $USER, or the name of the user id. Arena-owned. */
gh_str_t gh_cli_actor(const gh_cli_t *cli);

/* ---- names.c ---- */

typedef struct { gh_str_t org, tenant, app, key; } gh_cli_path_t;

/* Splits "org/tenant/app" into exactly `parts` names of [a-z0-9][a-z0-9-]{0,62}. GH_ERROR with a sentence saying what is expected. */
int gh_cli_path_parse(const char *text, unsigned least, unsigned most, gh_cli_path_t *path, gh_error_t *error);

/* [a-z0-9][a-z0-9-]{0,62} */
bool gh_cli_name_ok(gh_str_t name);

#endif
