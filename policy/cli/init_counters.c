/* A new ledger's counters in `gatehouse init`: from the checkpoint and the record, or the ledger is not made. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy/cli/replay.h"
#include "policy/cli/init.h"
#include "policy/store/store.h"

static int
fail(const gh_init_t *init, const gh_error_t *error)
{
    gh_cli_fail_error(init->cli, error);
    if (strncmp(error->code, "checkpoint_", 11) == 0) {
        if (strcmp(error->code, "checkpoint_future") == 0) {
            gh_cli_advise("set the clock, and run this again");
        }
        gh_cli_advise("without it all counters come from the record alone: move %s away and run this again", error->source);
        gh_cli_advise("gatehouse init%s --no-checkpoint   begins with counters of 0: budgets that were used are granted again",
            gh_cli_init_words(init->cli));
    } else if (strncmp(error->code, "ledger_", 7) == 0) {
        gh_cli_advise("%s", GH_INIT_LEDGER_ADVICE);
    } else if (strcmp(error->code, "audit_denied") == 0) {
        gh_cli_advise("run this as root or as the record's owner, or name its directory with --audit");
    }
    return GH_EXIT_ERROR;
}

/* The ledger has another name until its counters are in it: one that is half filled is never taken for a good one. */
static int
make_filled(gh_init_t *init, gh_replay_t *replay, const char *path, const uint8_t id[16], const uint8_t store_id[16], bool *made, gh_error_t *error)
{
    gh_slot_owner_t owner = { .pid = (uint32_t) getpid(), .generation = 0, .start_ms = gh_cli_now_ms() };
    gh_str_t        other = gh_str_format(init->cli->arena, "%s.loading", path);
    gh_ledger_t    *ledger = NULL;
    int             rc = GH_ERROR;

    if (other.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    unlink(other.data);
    if (gh_ledger_create(other.data, init->ledger_size, id, store_id, made, error) == GH_OK
        && (ledger = gh_ledger_open(other.data, true, error)) != NULL && gh_ledger_slot_take(ledger, &owner, error) != NULL)
    {
        rc = gh_replay_load(replay, ledger, owner.start_ms, error);
    }
    gh_ledger_close(ledger);
    if (rc == GH_OK && link(other.data, path) != 0) {
        rc = errno == EEXIST ? GH_OK : gh_error_at(error, "ledger_denied", path, 0, 0, "the ledger cannot be given its name: %s", strerror(errno));
        *made = false;
    }
    unlink(other.data);
    return rc;
}

static int
read_record(gh_init_t *init, gh_replay_t *replay, gh_error_t *error)
{
    gh_str_t    standard = gh_str_format(init->cli->arena, "%s/audit", init->home);
    const char *directory = gh_cli_value_at(init->cli, "audit", 0);

    if (standard.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    if (gh_replay_add(replay, directory == NULL ? standard.data : directory, error) != GH_OK) {
        return GH_ERROR;
    }
    for (unsigned i = 1; directory != NULL && (directory = gh_cli_value_at(init->cli, "audit", i)) != NULL; i++) {
        if (gh_replay_add(replay, directory, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return gh_replay_read(replay, error);
}

int
gh_init_counters(gh_init_t *init, const char *path, const gh_store_t *store, const uint8_t id[16], bool *made)
{
    gh_str_t         standard = gh_str_format(init->cli->arena, "%s/ledger.ckpt", init->home);
    const char      *file = gh_cli_value(init->cli, "checkpoint");
    gh_checkpoint_t  checkpoint = { 0 };
    gh_error_t       error = { 0 };
    gh_replay_t     *replay;
    bool             there;
    int              rc, status = GH_EXIT_DONE;

    file = file != NULL ? file : standard.data;
    if (file == NULL) {
        return gh_cli_fail(init->cli, "out of memory");
    }
    there = gh_checkpoint_read(file, init->key, gh_store_id(store), gh_cli_now_ms(), &checkpoint, &error) == GH_OK;
    if (!there && (strcmp(error.code, "checkpoint_missing") != 0 || gh_cli_value(init->cli, "checkpoint") != NULL)) {
        return fail(init, &error);
    }
    replay = gh_replay_new(there ? &checkpoint : NULL);
    rc = replay == NULL ? gh_error_set(&error, "no_memory", "out of memory") : read_record(init, replay, &error);
    if (rc == GH_OK) {
        rc = make_filled(init, replay, path, id, gh_store_id(store), made, &error);
    }
    if (rc == GH_OK) {
        init->checkpoint = there ? file : NULL;
        init->checkpoint_ms = checkpoint.header.taken_ms;
        init->replayed = *gh_replay_told(replay);
    } else {
        status = fail(init, &error);
    }
    gh_replay_free(replay);
    gh_checkpoint_free(&checkpoint);
    return status;
}
