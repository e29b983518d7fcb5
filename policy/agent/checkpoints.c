#include "policy/agent/checkpoints.h"

#include <string.h>
#include <time.h>

#include "policy/agent/log.h"
#include "policy/ledger/checkpoint.h"

int
gh_checkpoints_make(const gh_checkpoints_t *checkpoints, gh_error_t *error)
{
    gh_checkpoint_t checkpoint;
    struct timespec now;
    gh_ledger_t    *ledger = gh_ledger_open(checkpoints->ledger, false, error);
    int             rc;

    if (ledger == NULL) {
        return GH_ERROR;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    rc = gh_checkpoint_take(ledger, (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000, &checkpoint, error);
    gh_ledger_close(ledger);
    if (rc == GH_OK) {
        rc = gh_checkpoint_write(checkpoints->path, checkpoints->key, &checkpoint, error);
        gh_checkpoint_free(&checkpoint);
    }
    return rc;
}

static int
run(void *context, const _Atomic int *stop, gh_arena_t *arena, void **result, gh_error_t *error)
{
    (void) stop;
    (void) arena;
    (void) result;
    return gh_checkpoints_make(context, error);
}

static uint64_t
done(void *context, void *result, const gh_error_t *error, uint64_t now_ms, gh_error_t *failed)
{
    gh_checkpoints_t *checkpoints = context;

    (void) result;
    (void) now_ms;
    (void) failed;
    if (error != NULL && !checkpoints->failing) {
        gh_log_error(GH_LOG_ERROR, "no checkpoint can be made; the last one stays", error, "file", checkpoints->path, NULL);
    } else if (error == NULL && checkpoints->failing) {
        gh_log(GH_LOG_NOTICE, "a checkpoint is made again", "file", checkpoints->path, NULL);
    }
    checkpoints->failing = error != NULL;
    return checkpoints->every_ms;
}

void
gh_checkpoints_init(gh_checkpoints_t *checkpoints, const char *ledger, const char *path, const uint8_t key[32], uint64_t every_ms)
{
    memset(checkpoints, 0, sizeof(*checkpoints));
    checkpoints->ledger = ledger;
    checkpoints->path = path;
    checkpoints->every_ms = every_ms;
    memcpy(checkpoints->key, key, sizeof(checkpoints->key));
    checkpoints->source = (gh_source_t) { .kind = "checkpoint", .name = path, .context = checkpoints, .run = run, .done = done };
}
