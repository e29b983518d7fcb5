/*
 * Loaded into nginx by disk.py: a disk below FAULTY_DISK_BELOW that fails as the file FAULTY_DISK says, for all processes at once. That file is an array
 * of 32-bit numbers, see the enumeration. Files elsewhere are as they are. What nginx hands on of its environment is what `env` names.
 *
 * FAULTY_DISK_SYNCS (may be unset) gets a line for each fsync and fdatasync below FAULTY_DISK_SYNCED (unset: the same place) when it is done:
 * nanoseconds since 1970, device:i-number, bytes that it had when it began, errno.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    WRITE_ERRORS,      /* of 1000 writes end in EIO */
    SHORT_WRITES,      /* of 1000 writes take a part only */
    NO_SPACE,          /* not 0: nothing more can be allocated, and of a write that needs none nothing is refused */
    SYNC_ERRORS,       /* not 0: fsync and fdatasync end in that error */
    OPEN_ERRORS,       /* not 0: nothing is made anew */
    SLOW,              /* microseconds that each write takes longer */
    SLOW_SYNCS,        /* microseconds that fsync and fdatasync take longer */
    FAULTS,            /* how many were made */
    WORDS
};

#define FILES 65536

static volatile uint32_t *control;
static char               below[4096], synced[4096];
static int                syncs = -1;
static uint8_t            ours[FILES];

__attribute__((constructor)) static void
begin(void)
{
    const char *path = getenv("FAULTY_DISK"), *place = getenv("FAULTY_DISK_BELOW");
    int         fd;

    if (path == NULL || place == NULL || strlen(place) >= sizeof(below)) {
        return;
    }
    memcpy(below, place, strlen(place));
    snprintf(synced, sizeof(synced), "%s", getenv("FAULTY_DISK_SYNCED") != NULL ? getenv("FAULTY_DISK_SYNCED") : place);
    if (getenv("FAULTY_DISK_SYNCS") != NULL) {
        syncs = open(getenv("FAULTY_DISK_SYNCS"), O_WRONLY | O_APPEND | O_CLOEXEC);
    }
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        control = mmap(NULL, WORDS * sizeof(uint32_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        control = control == MAP_FAILED ? NULL : control;
        close(fd);
    }
}

#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

static void
opened(int fd, const char *path)
{
    if (fd >= 0 && fd < FILES) {
        ours[fd] = below[0] != '\0' && strncmp(path, below, strlen(below)) == 0;
    }
}

static int
fault(int code)
{
    __atomic_add_fetch(&control[FAULTS], 1, __ATOMIC_RELAXED);
    errno = code;
    return -1;
}

static int
is_ours(int fd)
{
    return control != NULL && fd >= 0 && fd < FILES && ours[fd];
}

static uint32_t
dice(void)
{
    static __thread uint64_t state;

    state = (state == 0 ? (uint64_t) getpid() * 2654435761u : state) * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t) (state >> 40) % 1000;
}

/* Bytes that may be written of len; -1 with errno: none. */
static ssize_t
allowed(int fd, size_t len)
{
    if (!is_ours(fd)) {
        return (ssize_t) len;
    }
    if (control[SLOW] != 0) {
        struct timespec time = { 0, (long) control[SLOW] * 1000 };

        nanosleep(&time, NULL);
    }
    if (dice() < control[WRITE_ERRORS]) {
        return fault(EIO);
    }
    return dice() < control[SHORT_WRITES] && len > 1 ? (ssize_t) (len / 2) : (ssize_t) len;
}

ssize_t
write(int fd, const void *data, size_t len)
{
    ssize_t may = allowed(fd, len);

    return may < 0 ? -1 : REAL(write)(fd, data, (size_t) may);
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
    ssize_t may = allowed(fd, len);

    return may < 0 ? -1 : REAL(pwrite)(fd, data, (size_t) may, at);
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    ssize_t may = allowed(fd, len);

    return may < 0 ? -1 : REAL(pwrite64)(fd, data, (size_t) may, at);
}

ssize_t
writev(int fd, const struct iovec *pieces, int count)
{
    return allowed(fd, 1) < 0 ? -1 : REAL(writev)(fd, pieces, count);
}

/* By its place: it may be the duplicate of one that was opened. */
static int
is_below(int fd, const char *where)
{
    char    link[64], place[4096];
    ssize_t len;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, place, sizeof(place) - 1);
    place[len < 0 ? 0 : len] = '\0';
    return control != NULL && where[0] != '\0' && strncmp(place, where, strlen(where)) == 0;
}

static int
sync_one(int fd, int (*call)(int))
{
    struct stat     was = { 0 };
    struct timespec now;
    char            line[128];
    int             rc, code, known = syncs != -1 && is_below(fd, synced);

    if (known) {
        fstat(fd, &was);
    }
    if (is_below(fd, below)) {
        for (uint32_t waited = 0; waited < control[SLOW_SYNCS]; waited += 2000) {
            nanosleep(&(struct timespec) { 0, 2000000 }, NULL);       /* until it is quick again */
        }
        rc = control[SYNC_ERRORS] ? fault((int) control[SYNC_ERRORS]) : call(fd);
    } else {
        rc = call(fd);
    }
    code = errno;
    if (known) {
        clock_gettime(CLOCK_REALTIME, &now);
        REAL(write)(syncs, line, (size_t) snprintf(line, sizeof(line), "%lld%09ld %llu:%llu %llu %d\n", (long long) now.tv_sec, now.tv_nsec,
            (unsigned long long) was.st_dev, (unsigned long long) was.st_ino, (unsigned long long) was.st_size, rc == 0 ? 0 : code));
    }
    errno = code;
    return rc;
}

int
fsync(int fd)
{
    return sync_one(fd, REAL(fsync));
}

int
fdatasync(int fd)
{
    return sync_one(fd, REAL(fdatasync));
}

int
fallocate(int fd, int mode, off_t at, off_t len)
{
    return is_ours(fd) && control[NO_SPACE] ? fault(ENOSPC) : REAL(fallocate)(fd, mode, at, len);
}

int
fallocate64(int fd, int mode, off64_t at, off64_t len)
{
    return is_ours(fd) && control[NO_SPACE] ? fault(ENOSPC) : REAL(fallocate64)(fd, mode, at, len);
}

/* Its result is the error. */
int
posix_fallocate(int fd, off_t at, off_t len)
{
    return is_ours(fd) && control[NO_SPACE] ? -fault(ENOSPC) * ENOSPC : REAL(posix_fallocate)(fd, at, len);
}

static int
refused(const char *path, int flags)
{
    return control != NULL && (flags & O_CREAT) != 0 && control[OPEN_ERRORS] && below[0] != '\0' && strncmp(path, below, strlen(below)) == 0;
}

#define MODE(flags)                                              \
    mode_t  mode = 0;                                            \
    va_list rest;                                                \
    va_start(rest, flags);                                       \
    mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0; \
    va_end(rest)

int
open(const char *path, int flags, ...)
{
    MODE(flags);
    int fd = refused(path, flags) ? fault(EIO) : REAL(open)(path, flags, mode);

    opened(fd, path);
    return fd;
}

int
open64(const char *path, int flags, ...)
{
    MODE(flags);
    int fd = refused(path, flags) ? fault(EIO) : REAL(open64)(path, flags, mode);

    opened(fd, path);
    return fd;
}

/* Of a relative path the place is asked for. */
int
openat(int directory, const char *path, int flags, ...)
{
    char    link[64], place[4096];
    ssize_t len;
    MODE(flags);
    int fd = REAL(openat)(directory, path, flags, mode);

    if (fd >= 0 && fd < FILES) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        len = readlink(link, place, sizeof(place) - 1);
        place[len < 0 ? 0 : len] = '\0';
        opened(fd, place);
        if (refused(place, flags)) {
            close(fd);
            return fault(EIO);
        }
    }
    return fd;
}

int
close(int fd)
{
    if (fd >= 0 && fd < FILES) {
        ours[fd] = 0;
    }
    return REAL(close)(fd);
}
