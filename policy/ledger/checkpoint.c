/* Taking a checkpoint of the ledger, writing it and reading it. */
#define _GNU_SOURCE                   /* open-file-description locks */
#include "policy/ledger/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "policy/base/hash.h"

#define MAC        32u
#define LENGTH_MAX (UINT64_C(8) << 30)
#define FUTURE_MS  60000u             /* clocks are set back by that much without a word */
#define TURNS      2000u              /* looks, 5 ms apart, at another process that writes the same file */

/* ---- taking it ---- */

/* Room for one more entry of that size. */
static void *
room_for(void **entries, uint64_t count, size_t *room, size_t size)
{
    if (count == *room) {
        size_t more = *room == 0 ? 1024 : *room * 2;
        void  *larger = realloc(*entries, more * size);

        if (larger == NULL) {
            return NULL;
        }
        *entries = larger;
        *room = more;
    }
    return memset((char *) *entries + count * size, 0, size);
}

static int
add_counter(void *context, const gh_counter_view_t *view)
{
    gh_checkpoint_t         *checkpoint = context;
    gh_checkpoint_counter_t *counter;

    if (view->value == 0) {
        return GH_OK;
    }
    counter = room_for((void **) &checkpoint->counters, checkpoint->header.counters, &checkpoint->counters_room, sizeof(*counter));
    if (counter == NULL) {
        return GH_ERROR;
    }
    counter->uid = view->id.uid;
    counter->model = view->id.model;
    counter->value = view->value;
    counter->window = view->window;
    counter->level = view->id.level;
    counter->dimension = view->id.dimension;
    counter->per = view->id.per;
    counter->limit_class = view->id.limit_class;
    checkpoint->header.counters++;
    return GH_OK;
}

/* One that is still being taken is not in all of its counters yet: it is left to the record. */
static int
add_reservation(void *context, const gh_reservation_view_t *view)
{
    gh_checkpoint_t *checkpoint = context;

    for (unsigned i = 0; i < view->count && strcmp(view->phase, "reserve") != 0; i++) {
        const gh_reservation_item_t *item = &view->items[i];
        gh_checkpoint_open_t        *open;

        if (item->optional) {
            continue;
        }
        open = room_for((void **) &checkpoint->open, checkpoint->header.open, &checkpoint->open_room, sizeof(*open));
        if (open == NULL) {
            return GH_ERROR;
        }
        memcpy(open->request_id, view->request_id, sizeof(open->request_id));
        open->uid = item->id.uid;
        open->model = item->id.model;
        open->amount = item->amount;
        open->window = item->window;
        open->level = item->id.level;
        open->dimension = item->id.dimension;
        open->per = item->id.per;
        open->limit_class = item->id.limit_class;
        checkpoint->header.open++;
    }
    return GH_OK;
}

int
gh_checkpoint_take(const gh_ledger_t *ledger, uint64_t now_ms, gh_checkpoint_t *checkpoint, gh_error_t *error)
{
    memset(checkpoint, 0, sizeof(*checkpoint));
    memcpy(checkpoint->header.magic, GH_CHECKPOINT_MAGIC, sizeof(checkpoint->header.magic));
    checkpoint->header.version = GH_CHECKPOINT_VERSION;
    checkpoint->header.header_size = sizeof(checkpoint->header);
    checkpoint->header.taken_ms = now_ms;
    memcpy(checkpoint->header.store_id, gh_ledger_header(ledger)->store_id, 16);
    memcpy(checkpoint->header.ledger_id, gh_ledger_header(ledger)->id, 16);
    if (gh_ledger_each_reservation(ledger, add_reservation, checkpoint) != GH_OK || gh_ledger_each_counter(ledger, add_counter, checkpoint) != GH_OK) {
        gh_checkpoint_free(checkpoint);
        return gh_error_set(error, "no_memory", "out of memory");
    }
    return GH_OK;
}

/* ---- the file ---- */

static int
seal(const gh_checkpoint_t *checkpoint, const uint8_t key[32], uint8_t mac[MAC])
{
    uint8_t    subkey[32];
    gh_hmac_t *hmac;
    gh_bytes_t parts[] = {
        { &checkpoint->header, sizeof(checkpoint->header) },
        { checkpoint->counters, checkpoint->header.counters * sizeof(*checkpoint->counters) },
        { checkpoint->open, checkpoint->header.open * sizeof(*checkpoint->open) },
    };
    int rc;

    if (gh_hkdf(key, 32, "checkpoint", subkey, sizeof(subkey)) != GH_OK) {
        return GH_ERROR;
    }
    hmac = gh_hmac_new(subkey, sizeof(subkey));
    explicit_bzero(subkey, sizeof(subkey));
    rc = hmac == NULL ? GH_ERROR : gh_hmac(hmac, parts, 3, mac);
    gh_hmac_free(hmac);
    return rc;
}

static bool
write_all(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t) n;
    }
    return true;
}

static bool
read_all(int fd, void *data, size_t len)
{
    char *at = data;

    while (len > 0) {
        ssize_t n = read(fd, at, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t) n;
    }
    return true;
}

/* The rename is on the disk when the directory is. */
static int
sync_directory(const char *path)
{
    char        directory[4096];
    const char *slash = strrchr(path, '/');
    int         fd, rc;

    snprintf(directory, sizeof(directory), "%.*s", slash == NULL ? 1 : slash == path ? 1 : (int) (slash - path), slash == NULL ? "." : path);
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return GH_ERROR;
    }
    rc = fsync(fd);
    close(fd);
    return rc == 0 ? GH_OK : GH_ERROR;
}

static int
fail_write(const char *path, gh_error_t *error)
{
    if (errno == EBUSY) {
        return gh_error_at(error, "checkpoint_busy", path, 0, 0, "another process is writing this checkpoint, and does not end");
    }
    return gh_error_at(error, errno == ENOSPC || errno == EDQUOT || errno == EIO ? "checkpoint_full" : "checkpoint_denied", path, 0, 0,
        "the checkpoint cannot be written: %s", strerror(errno));
}

/* 1: the file is this process's alone until it is closed. 0: another's, or its name is by now. -1: errno. */
static int
take_file(int fd, const char *path)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct stat  mine, named;

    if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
        return errno == EAGAIN || errno == EACCES ? 0 : -1;
    }
    if (fstat(fd, &mine) != 0 || stat(path, &named) != 0) {
        return errno == ENOENT ? 0 : -1;
    }
    return mine.st_ino == named.st_ino;
}

/* Empty. -1: errno; EBUSY: somebody else writes it. */
static int
open_fresh(const char *path)
{
    struct timespec pause = { 0, 5000000 };
    int             taken = 0;

    for (unsigned i = 0; i < TURNS && taken == 0; i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

        if (fd < 0) {
            return -1;
        }
        taken = take_file(fd, path);
        if (taken == 1 && ftruncate(fd, 0) == 0) {
            return fd;
        }
        taken = taken == 1 ? -1 : taken;
        close(fd);
        if (taken == 0) {
            nanosleep(&pause, NULL);
        }
    }
    errno = taken == 0 ? EBUSY : errno;
    return -1;
}

int
gh_checkpoint_write(const char *path, const uint8_t key[32], gh_checkpoint_t *checkpoint, gh_error_t *error)
{
    gh_checkpoint_header_t *header = &checkpoint->header;
    char                    fresh[4096];
    uint8_t                 mac[MAC];
    int                     fd;

    header->length = sizeof(*header) + header->counters * sizeof(*checkpoint->counters) + header->open * sizeof(*checkpoint->open) + MAC;
    if (seal(checkpoint, key, mac) != GH_OK) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    if ((size_t) snprintf(fresh, sizeof(fresh), "%s.new", path) >= sizeof(fresh)) {
        errno = ENAMETOOLONG;
        return fail_write(path, error);
    }
    fd = open_fresh(fresh);
    if (fd < 0) {
        return fail_write(path, error);
    }
    if (!write_all(fd, header, sizeof(*header)) || !write_all(fd, checkpoint->counters, header->counters * sizeof(*checkpoint->counters))
        || !write_all(fd, checkpoint->open, header->open * sizeof(*checkpoint->open)) || !write_all(fd, mac, sizeof(mac)) || fsync(fd) != 0
        || rename(fresh, path) != 0)
    {
        int rc = fail_write(path, error);

        unlink(fresh);
        close(fd);
        return rc;
    }
    close(fd);
    return sync_directory(path) == GH_OK ? GH_OK : fail_write(path, error);
}

static int
damaged(const char *path, const char *what, gh_error_t *error)
{
    return gh_error_at(error, "checkpoint_damaged", path, 0, 0, "%s", what);
}

/* The header says what the rest is; before the seal is checked it is believed in nothing but sizes that fit. */
static int
read_body(int fd, const char *path, const uint8_t key[32], uint64_t size, gh_checkpoint_t *checkpoint, gh_error_t *error)
{
    gh_checkpoint_header_t *header = &checkpoint->header;
    uint8_t                 mac[MAC], expected[MAC];

    if (size < sizeof(*header) + MAC || size > LENGTH_MAX || !read_all(fd, header, sizeof(*header))
        || memcmp(header->magic, GH_CHECKPOINT_MAGIC, sizeof(header->magic)) != 0)
    {
        return damaged(path, "this is no checkpoint of a ledger, or it is cut short", error);
    }
    if (header->version != GH_CHECKPOINT_VERSION) {
        return gh_error_at(error, "checkpoint_version", path, 0, 0, "the checkpoint has layout %u, and this gatehouse reads layout %u",
            header->version, GH_CHECKPOINT_VERSION);
    }
    if (header->header_size != sizeof(*header) || header->length != size || header->counters > size / sizeof(*checkpoint->counters)
        || header->open > size / sizeof(*checkpoint->open)
        || size != sizeof(*header) + header->counters * sizeof(*checkpoint->counters) + header->open * sizeof(*checkpoint->open) + MAC)
    {
        return damaged(path, "the checkpoint is cut short, or damaged", error);
    }
    checkpoint->counters = malloc(header->counters * sizeof(*checkpoint->counters) + 1);
    checkpoint->open = malloc(header->open * sizeof(*checkpoint->open) + 1);
    if (checkpoint->counters == NULL || checkpoint->open == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    if (!read_all(fd, checkpoint->counters, header->counters * sizeof(*checkpoint->counters))
        || !read_all(fd, checkpoint->open, header->open * sizeof(*checkpoint->open)) || !read_all(fd, mac, sizeof(mac))
        || seal(checkpoint, key, expected) != GH_OK || gh_memcmp_constant(mac, expected, sizeof(mac)) != 0)
    {
        return damaged(path, "the checkpoint is damaged, or was made with another store.key", error);
    }
    return GH_OK;
}

int
gh_checkpoint_read(const char *path, const uint8_t key[32], const uint8_t store_id[16], uint64_t now_ms, gh_checkpoint_t *checkpoint,
    gh_error_t *error)
{
    struct stat info;
    int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc;

    memset(checkpoint, 0, sizeof(*checkpoint));
    if (fd < 0 || fstat(fd, &info) != 0) {
        rc = gh_error_at(error, errno == ENOENT ? "checkpoint_missing" : "checkpoint_denied", path, 0, 0, "the checkpoint cannot be read: %s",
            strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    rc = !S_ISREG(info.st_mode) ? damaged(path, "this is no checkpoint of a ledger", error)
        : read_body(fd, path, key, (uint64_t) info.st_size, checkpoint, error);
    close(fd);
    if (rc == GH_OK && memcmp(checkpoint->header.store_id, store_id, 16) != 0) {
        rc = gh_error_at(error, "checkpoint_other", path, 0, 0, "the checkpoint is of another policy store");
    }
    if (rc == GH_OK && checkpoint->header.taken_ms > now_ms + FUTURE_MS) {
        rc = gh_error_at(error, "checkpoint_future", path, 0, 0, "the checkpoint was made %llu s from now: the clock is behind",
            (unsigned long long) ((checkpoint->header.taken_ms - now_ms) / 1000));
    }
    if (rc != GH_OK) {
        gh_checkpoint_free(checkpoint);
    }
    return rc;
}

void
gh_checkpoint_free(gh_checkpoint_t *checkpoint)
{
    free(checkpoint->counters);
    free(checkpoint->open);
    memset(checkpoint, 0, sizeof(*checkpoint));
}
