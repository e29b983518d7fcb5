/* `gatehouse ledger checkpoint`: the counters as a file that survives a reboot, once or every few seconds. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/cli/duration.h"
#include "policy/cli/ledger.h"
#include "policy/cli/policy.h"
#include "policy/ledger/checkpoint.h"
#include "policy/store/store.h"

typedef struct {
    gh_cli_t   *cli;
    const char *path;
    uint8_t     key[32];
    uint64_t    every_ms;             /* 0: once */
    uint64_t    made, failed;
    uint64_t    taken_ms, counters, open, bytes;   /* of the last one */
} checkpoint_t;

static int
make_one(checkpoint_t *run)
{
    gh_error_t      error = { 0 };
    gh_checkpoint_t checkpoint;
    gh_ledger_t    *ledger = gh_cli_ledger_open(run->cli, false);
    int             rc;

    if (ledger == NULL) {
        run->failed++;
        return GH_EXIT_ERROR;
    }
    rc = gh_checkpoint_take(ledger, gh_cli_now_ms(), &checkpoint, &error);
    gh_ledger_close(ledger);
    if (rc == GH_OK) {
        rc = gh_checkpoint_write(run->path, run->key, &checkpoint, &error);
        run->taken_ms = rc == GH_OK ? checkpoint.header.taken_ms : run->taken_ms;
        run->counters = checkpoint.header.counters;
        run->open = checkpoint.header.open;
        run->bytes = checkpoint.header.length;
        gh_checkpoint_free(&checkpoint);
    }
    if (rc == GH_OK) {
        run->made++;
        return GH_EXIT_DONE;
    }
    run->failed++;
    gh_cli_fail_error(run->cli, &error);
    if (strcmp(error.code, "checkpoint_full") == 0) {
        gh_cli_advise("make room on its file system; the last checkpoint stays as it was");
    } else if (strcmp(error.code, "checkpoint_denied") == 0) {
        gh_cli_advise("run this as root or as the owner of the home, or name another FILE");
    }
    return GH_EXIT_ERROR;
}

static int
print(const checkpoint_t *run)
{
    if (gh_cli_flag(run->cli, "json")) {
        return gh_cli_print_json(run->cli, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "file", run->path, "time",
            gh_cli_time_text(run->cli->arena, run->taken_ms), "counters", (json_int_t) run->counters, "open", (json_int_t) run->open, "bytes",
            (json_int_t) run->bytes, "made", (json_int_t) run->made, "failed", (json_int_t) run->failed));
    }
    printf("%s: %" PRIu64 " counters, %" PRIu64 " of them in open reservations, at %s", run->path, run->counters, run->open,
        gh_cli_time_text(run->cli->arena, run->taken_ms));
    if (run->every_ms != 0) {
        printf("; %" PRIu64 " checkpoints made, %" PRIu64 " failed", run->made, run->failed);
    }
    printf("\n");
    return gh_cli_flush(run->cli);
}

/* Until SIGTERM or SIGINT, and then once more. One that fails is tried again at its next time; the file stays what it was. */
static int
go_on(checkpoint_t *run)
{
    struct timespec every = { (time_t) (run->every_ms / 1000), (long) (run->every_ms % 1000) * 1000000 };
    sigset_t        ends;
    int             status;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    status = make_one(run);
    if (status == GH_EXIT_DONE) {
        gh_cli_say("%s: first checkpoint made, with %" PRIu64 " counters; one every %" PRIu64 ".%03" PRIu64 " s from now on", run->path, run->counters,
            run->every_ms / 1000, run->every_ms % 1000);
    }
    while (status == GH_EXIT_DONE && sigtimedwait(&ends, NULL, &every) < 0) {
        uint64_t failed = run->failed;

        (void) make_one(run);
        if (failed != 0 && run->failed == failed) {
            gh_cli_say("%s: a checkpoint is made again, after %" PRIu64 " that failed", run->path, failed);
            run->failed = 0;
        }
    }
    if (status == GH_EXIT_DONE) {
        status = make_one(run);
    }
    return status;
}

/* Two that write the same file again and again would only do the work twice. */
static bool
agent_makes_them(const gh_cli_t *cli)
{
    gh_ledger_t *ledger = gh_ledger_open(gh_cli_ledger(cli), false, NULL);
    bool         lives = ledger != NULL && gh_ledger_agent_lives(ledger, gh_cli_now_ms());

    gh_ledger_close(ledger);
    if (lives) {
        gh_cli_fail(cli, "the agent makes checkpoints already");
        gh_cli_advise("gatehouse agent --checkpoint TIME   says how often");
    }
    return lives;
}

static int
run_command(gh_cli_t *cli)
{
    checkpoint_t run = { .cli = cli };
    gh_str_t     path = gh_str_format(cli->arena, "%s/ledger.ckpt", gh_cli_home(cli));
    gh_str_t     key = gh_str_format(cli->arena, "%s/store.key", gh_cli_secrets(cli));
    const char  *every = gh_cli_value(cli, "every");
    gh_error_t   error = { 0 };
    int          status;

    if (path.data == NULL || key.data == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }
    run.path = cli->argument_count > 0 ? cli->arguments[0] : path.data;
    if (every != NULL && gh_cli_every_parse(every, &run.every_ms) != GH_OK) {
        return gh_cli_misuse(cli, "--every: %s is no time from 100ms to 1h: 5s, 500ms or 1m are", every);
    }
    if (gh_store_key_read(key.data, run.key, &error) != GH_OK) {
        gh_cli_fail_error(cli, &error);
        gh_cli_advise("gatehouse init%s   makes home and key", gh_cli_init_words(cli));
        return GH_EXIT_ERROR;
    }
    status = run.every_ms == 0 ? make_one(&run) : agent_makes_them(cli) ? GH_EXIT_ERROR : go_on(&run);
    explicit_bzero(run.key, sizeof(run.key));
    return status == GH_EXIT_DONE ? print(&run) : status;
}

static const gh_cli_option_t options[] = {
    { "every", "TIME", "goes on, with one every TIME (5s, 500ms, 1m), until SIGTERM", false },
    GH_CLI_STORE_OPTIONS,
    GH_CLI_LEDGER_OPTION,
    { "json", NULL, "prints an object: file, time, counters, open, bytes, made, failed", false },
    { 0 }
};

const gh_cli_command_t gh_cli_ledger_checkpoint = {
    .name = "ledger checkpoint",
    .usage = "[FILE] [options]",
    .summary = "writes the counters to a file that survives a reboot",
    .help =
        "Writes every counter of the ledger and what is reserved to FILE (default: HOME/ledger.ckpt), while workers go on.\n"
        "FILE is replaced in one step, and is on the disk when this says so. With --every it goes on until SIGTERM or\n"
        "SIGINT and makes a last one then; a checkpoint that fails is said, tried again at the next time, and leaves FILE\n"
        "as it was. conf/systemd/gatehouse-checkpoint.service runs it so where no `gatehouse agent` does it.\n"
        "After a reboot `gatehouse init` makes a new ledger from FILE and from the record written since: gatehouse(1), LEDGER,\n"
        "says what can be charged twice, and what can be lost.\n",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run_command,
};
