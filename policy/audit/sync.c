#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* F_DUPFD_CLOEXEC, pthread_condattr_setclock */
#endif

#include "policy/audit/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct gh_sync_file_s {
    gh_sync_file_t *next;
    int             fd;
    bool            entered;          /* its directory entry is on the disk */
    uint64_t        wanted, size, done;   /* positions, and the size at `wanted` */
    char            directory[];
};

struct gh_sync_s {
    pthread_mutex_t  mutex;
    pthread_cond_t   wanted, done;    /* something to do; something is done, or the thread ends */
    gh_sync_file_t  *files, **last;   /* the newest is kept when all of it is done, those before are not */
    gh_sync_file_t  *busy;            /* the one in a call, no longer in files when it was dropped */
    gh_sync_state_t  state;
    gh_sync_calls_t  calls;
    int              wake;
    pthread_t        thread;
    bool             idle, stopping, ended;
};

/* ---- the calls ---- */

/* What was removed or cut by somebody is on no disk, whatever the kernel says of the rest. */
static int
system_data(void *context, int fd, uint64_t size)
{
    struct stat st;

    (void) context;
    if (fdatasync(fd) != 0 || fstat(fd, &st) != 0) {
        return -1;
    }
    if (st.st_nlink == 0 || (uint64_t) st.st_size < size) {
        errno = ESTALE;
        return -1;
    }

    return 0;
}

static int
system_entry(void *context, const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc, code;

    (void) context;
    if (fd == -1) {
        return -1;
    }
    rc = fsync(fd);
    code = errno;
    close(fd);
    errno = code;

    return rc;
}

/* ---- the thread ---- */

static void
wake(const gh_sync_t *sync)
{
    uint64_t one = 1;

    if (sync->wake != -1) {
        (void) !write(sync->wake, &one, sizeof(one));   /* full: it is awake */
    }
}

/* Done with the files in front that have a newer one behind them. */
static void
pass(gh_sync_t *sync)
{
    gh_sync_file_t *file;

    while ((file = sync->files) != NULL && file->next != NULL && file->done == file->wanted) {
        sync->files = file->next;
        gh_sync_file_free(file);
    }
}

/* One round, without the mutex in its calls. */
static void
turn(gh_sync_t *sync, gh_sync_file_t *file)
{
    uint64_t position = file->wanted, size = file->size;
    bool     entered = file->entered;
    int      rc, code;

    sync->busy = file;
    sync->state.calls++;
    pthread_mutex_unlock(&sync->mutex);

    rc = sync->calls.data(sync->calls.context, file->fd, size);
    if (rc == 0 && !entered) {
        rc = sync->calls.entry(sync->calls.context, file->directory);
    }
    code = errno;

    pthread_mutex_lock(&sync->mutex);
    if (sync->busy == NULL) {                           /* it was dropped meanwhile */
        gh_sync_file_free(file);
        return;
    }
    sync->busy = NULL;
    if (rc == 0) {
        file->entered = true;
        file->done = position;
        sync->state.position = position;
        pass(sync);
    } else {
        sync->state.error = code != 0 ? code : EIO;
    }
    pthread_cond_broadcast(&sync->done);
    wake(sync);
}

static void *
run(void *argument)
{
    gh_sync_t *sync = argument;

    pthread_mutex_lock(&sync->mutex);
    while (!sync->stopping) {
        if (sync->files != NULL && sync->state.error == 0 && sync->files->done != sync->files->wanted) {
            turn(sync, sync->files);
            continue;
        }
        sync->idle = true;
        pthread_cond_wait(&sync->wanted, &sync->mutex);
        sync->idle = false;
    }
    sync->ended = true;
    pthread_cond_broadcast(&sync->done);
    pthread_mutex_unlock(&sync->mutex);

    return NULL;
}

gh_sync_t *
gh_sync_start(int wake_fd, const gh_sync_calls_t *calls, gh_error_t *error)
{
    static const gh_sync_calls_t of_system = { system_data, system_entry, NULL };
    gh_sync_t         *sync = calloc(1, sizeof(*sync));
    pthread_condattr_t clock;
    sigset_t           all, before;
    int                code;

    if (sync == NULL) {
        gh_error_set(error, "audit_unavailable", "out of memory");
        return NULL;
    }
    sync->calls = calls != NULL ? *calls : of_system;
    sync->wake = wake_fd;
    sync->last = &sync->files;
    pthread_mutex_init(&sync->mutex, NULL);
    pthread_cond_init(&sync->wanted, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&sync->done, &clock);
    pthread_condattr_destroy(&clock);

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    code = pthread_create(&sync->thread, NULL, run, sync);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (code != 0) {
        gh_error_set(error, "audit_unavailable", "cannot start the thread that syncs the record: %s", strerror(code));
        free(sync);
        return NULL;
    }

    return sync;
}

/* ---- files ---- */

gh_sync_file_t *
gh_sync_file_new(int fd, const char *directory)
{
    size_t          len = strlen(directory) + 1;
    gh_sync_file_t *file = calloc(1, sizeof(*file) + len);

    if (file == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    memcpy(file->directory, directory, len);
    file->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (file->fd == -1) {
        free(file);
        return NULL;
    }

    return file;
}

void
gh_sync_file_free(gh_sync_file_t *file)
{
    if (file != NULL) {
        close(file->fd);
        free(file);
    }
}

void
gh_sync_add(gh_sync_t *sync, gh_sync_file_t *file)
{
    pthread_mutex_lock(&sync->mutex);
    *sync->last = file;
    sync->last = &file->next;
    pass(sync);
    pthread_mutex_unlock(&sync->mutex);
}

void
gh_sync_want(gh_sync_t *sync, uint64_t position, uint64_t size)
{
    gh_sync_file_t *file;

    pthread_mutex_lock(&sync->mutex);
    if (sync->files != NULL) {
        for (file = sync->files; file->next != NULL; file = file->next) {
            /* the newest */
        }
        file->wanted = position;
        file->size = size;
        if (sync->idle) {
            pthread_cond_signal(&sync->wanted);
        }
    }
    pthread_mutex_unlock(&sync->mutex);
}

void
gh_sync_state(gh_sync_t *sync, gh_sync_state_t *state)
{
    pthread_mutex_lock(&sync->mutex);
    *state = sync->state;
    pthread_mutex_unlock(&sync->mutex);
}

static void
drop(gh_sync_t *sync)
{
    gh_sync_file_t *file;

    while ((file = sync->files) != NULL) {
        sync->files = file->next;
        if (file != sync->busy) {
            gh_sync_file_free(file);                    /* that one is the thread's to free */
        }
    }
    sync->last = &sync->files;
    sync->busy = NULL;
    sync->state.error = 0;
}

void
gh_sync_drop(gh_sync_t *sync)
{
    pthread_mutex_lock(&sync->mutex);
    drop(sync);
    pthread_mutex_unlock(&sync->mutex);
}

/* ---- the end ---- */

static void
deadline(struct timespec *until, unsigned ms)
{
    clock_gettime(CLOCK_MONOTONIC, until);
    until->tv_sec += ms / 1000;
    until->tv_nsec += (long) (ms % 1000) * 1000000;
    if (until->tv_nsec >= 1000000000) {
        until->tv_sec++;
        until->tv_nsec -= 1000000000;
    }
}

static bool
all_there(const gh_sync_t *sync)
{
    for (const gh_sync_file_t *file = sync->files; file != NULL; file = file->next) {
        if (file->done != file->wanted) {
            return false;
        }
    }

    return true;
}

bool
gh_sync_wait(gh_sync_t *sync, unsigned ms)
{
    struct timespec until;
    bool            there;

    deadline(&until, ms);
    pthread_mutex_lock(&sync->mutex);
    while (!(there = all_there(sync)) && sync->state.error == 0
        && pthread_cond_timedwait(&sync->done, &sync->mutex, &until) == 0)
    {
        /* once more */
    }
    pthread_mutex_unlock(&sync->mutex);

    return there;
}

void
gh_sync_stop(gh_sync_t *sync, unsigned ms)
{
    struct timespec until;
    bool            ended;

    if (sync == NULL) {
        return;
    }

    deadline(&until, ms);
    pthread_mutex_lock(&sync->mutex);
    drop(sync);
    sync->stopping = true;
    sync->wake = -1;
    pthread_cond_signal(&sync->wanted);
    while (!(ended = sync->ended) && pthread_cond_timedwait(&sync->done, &sync->mutex, &until) == 0) {
        /* once more */
    }
    pthread_mutex_unlock(&sync->mutex);

    if (!ended) {
        pthread_detach(sync->thread);
    } else {
        pthread_join(sync->thread, NULL);
        pthread_cond_destroy(&sync->wanted);
        pthread_cond_destroy(&sync->done);
        pthread_mutex_destroy(&sync->mutex);
        free(sync);
    }
}
