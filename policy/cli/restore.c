/* `gatehouse restore`: a backup becomes the next revision, whatever stands in the store's place. */
#include <stdio.h>
#include <string.h>

#include "policy/cli/barrier.h"
#include "policy/cli/policy.h"
#include "policy/store/store_backup.h"

/* The ledger is of use as far as it can be opened: restore is what helps when little else is there. */
static int
begin(gh_cli_t *cli, gh_cli_barrier_t *barrier, gh_restore_t *restore)
{
    gh_barrier_report_t report;
    gh_backup_t         backup;
    gh_error_t          error = { 0 };
    uint64_t            running = 0;
    int                 status = gh_cli_barrier_begin_lost(cli, barrier);

    if (status != GH_EXIT_DONE) {
        return status;
    }
    if (gh_backup_check(restore->file, restore->key, &backup, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }
    if (barrier->ledger == NULL) {
        return GH_EXIT_DONE;
    }
    if (memcmp(gh_ledger_header(barrier->ledger)->store_id, backup.store_id, 16) != 0) {
        gh_cli_fail(cli, "the ledger %s belongs to another policy store than the backup's", gh_cli_ledger(cli));
        gh_cli_advise("name the right one with --ledger, or take a backup of this store");
        return GH_EXIT_ERROR;
    }
    if (gh_barrier_look(barrier->ledger, cli->arena, &report, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }
    for (size_t i = 0; i < report.count; i++) {
        running += report.workers[i].running;
    }
    if (running > 0 && !barrier->told) {
        gh_cli_fail(cli, "%llu dispatch%s running; what the backup's policy forbids of them has to end or may finish",
            (unsigned long long) running, running == 1 ? " is" : "es are");
        gh_cli_advise("say --cut to end them, or --let-finish");
        return GH_EXIT_ERROR;
    }
    restore->used_revision = gh_barrier_used_revision(&report);
    memcpy(restore->ledger_id, gh_ledger_header(barrier->ledger)->id, 16);
    return GH_EXIT_DONE;
}

static int
fail(gh_cli_t *cli, const gh_error_t *error)
{
    if (strcmp(error->code, "store_lost") != 0) {
        return gh_cli_fail_store(cli, error);
    }
    gh_cli_fail_error(cli, error);
    gh_cli_say("so keys that were revoked after the backup was made would be valid again, and revisions made since are lost");
    gh_cli_advise("say --keys-as-saved to accept that, then look at `gatehouse key list%s` and revoke them again", gh_cli_store_words(cli));
    return GH_EXIT_ERROR;
}

static int
print(gh_cli_t *cli, const gh_cli_barrier_t *barrier, const gh_restored_t *restored)
{
    if (!restored->present) {
        gh_cli_say("warning: the store that stood there could not be relied on (%s)", restored->why.text);
        gh_cli_say("warning: keys are as the backup has them: what was revoked after it was made is valid again, unless it could still be read");
    }
    if (gh_cli_flag(cli, "json")) {
        return gh_cli_print_json(cli, gh_cli_barrier_json(barrier, json_pack("{s:I, s:I, s:b}", "revision",
            (json_int_t) restored->revision, "of", (json_int_t) restored->of, "revocations_kept", restored->present)));
    }
    printf("revision %llu: the policy of revision %llu again%s\n", (unsigned long long) restored->revision,
        (unsigned long long) restored->of, restored->present ? "; history and keys of the present store kept, revocations too" : "");
    gh_cli_barrier_print(barrier);
    return gh_cli_flush(cli);
}

/* The new store is in its place: what workers have to open and obey. */
static int
finish(gh_cli_t *cli, gh_cli_barrier_t *barrier, const gh_restored_t *restored)
{
    gh_store_t *store = gh_cli_store_open(cli, true);
    int         status = GH_EXIT_DONE, printed;

    if (store == NULL) {
        return GH_EXIT_ERROR;
    }
    if (barrier->ledger != NULL) {
        barrier->store = store;
        status = gh_cli_barrier_again(barrier, "the restored policy");
    } else {
        gh_cli_say("there is no ledger, so no worker can run: `gatehouse init%s` makes it", gh_cli_store_words(cli));
        barrier->obeyed = true;
    }
    printed = print(cli, barrier, restored);
    gh_store_close(store);
    return printed != GH_EXIT_DONE ? printed : status;
}

static int
run(gh_cli_t *cli)
{
    const char      *reason = gh_cli_value(cli, "reason");
    gh_restore_t     restore = { .home = gh_cli_home(cli), .file = cli->arguments[0], .author = gh_cli_actor(cli),
                                 .reason = gh_str_from(reason ? reason : "restore"), .now_ms = gh_cli_now_ms(),
                                 .keys_as_saved = gh_cli_flag(cli, "keys-as-saved") };
    gh_str_t         path = gh_str_format(cli->arena, "%s/store.key", gh_cli_secrets(cli));
    gh_cli_barrier_t barrier = { 0 };
    gh_restored_t    restored;
    gh_error_t       error = { 0 };
    int              status;

    if (path.data == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }
    if (gh_store_key_read(path.data, restore.key, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }
    status = begin(cli, &barrier, &restore);
    if (status == GH_EXIT_DONE) {
        restore.let_finish = barrier.let_finish;
        status = gh_store_restore(&restore, cli->arena, &restored, &error) == GH_OK ? finish(cli, &barrier, &restored) : fail(cli, &error);
    }
    explicit_bzero(restore.key, sizeof(restore.key));
    gh_cli_barrier_end(&barrier);
    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_BARRIER_OPTIONS,
    GH_CLI_CUT_OPTIONS,
    { "keys-as-saved", NULL, "when the present store is lost: accepts that keys revoked since\nthe backup may be valid again", false },
    { "author", "NAME", "who does it (default: $SUDO_USER, $USER)", false },
    { "reason", "TEXT", "why, kept with the revision for ever", false },
    { "json", NULL, "prints an object: revision, of, revocations_kept, obeyed, workers, cut,\nfinishing, waiting", false },
    { 0 }
};

const gh_cli_command_t gh_cli_restore = {
    .name = "restore",
    .usage = "FILE [options]",
    .summary = "puts a backup in force as a new revision",
    .help =
        "FILE, of `gatehouse backup`, is checked to its last byte, and its policy becomes a revision above any that\n"
        "was used. From the store that stands there, when it can be relied on, all revisions and documents are kept,\n"
        "and every key; one that is revoked in it or in the backup stays revoked. When it is lost (damaged, removed,\n"
        "replaced by a copy) nothing is done without --keys-as-saved, which says what that costs. Running workers take\n"
        "up the new store within a second, and the command waits for them as `policy apply` does.\n",
    .options = options,
    .exits = GH_CLI_BARRIER_EXITS,
    .least = 1,
    .most = 1,
    .run = run,
};
