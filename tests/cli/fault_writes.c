/*
 * Preloaded: at the GATEHOUSE_FAULT_AT-th write to a file (from 1; standard output and errors are not counted) the process is killed, or with
 * GATEHOUSE_FAULT=full the disk is full from there on. Data, its flushing and its header count, each by itself.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static int
fails(int fd)
{
    static int  count;
    const char *at = getenv("GATEHOUSE_FAULT_AT"), *kind = getenv("GATEHOUSE_FAULT");

    if (fd <= 2 || at == NULL || ++count < strtol(at, NULL, 10)) {
        return 0;
    }
    if (kind == NULL || strcmp(kind, "full") != 0) {
        raise(SIGKILL);
    }
    errno = ENOSPC;
    return 1;
}

#define NEXT(name) __typeof__(&name) next = (__typeof__(&name)) dlsym(RTLD_NEXT, #name)

ssize_t
write(int fd, const void *data, size_t len)
{
    NEXT(write);
    return fails(fd) ? -1 : next(fd, data, len);
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t offset)
{
    NEXT(pwrite);
    return fails(fd) ? -1 : next(fd, data, len, offset);
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
    NEXT(pwrite64);
    return fails(fd) ? -1 : next(fd, data, len, offset);
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
    NEXT(writev);
    return fails(fd) ? -1 : next(fd, parts, count);
}

ssize_t
pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    NEXT(pwritev);
    return fails(fd) ? -1 : next(fd, parts, count, offset);
}

ssize_t
pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    NEXT(pwritev64);
    return fails(fd) ? -1 : next(fd, parts, count, offset);
}

int
fdatasync(int fd)
{
    NEXT(fdatasync);
    return fails(fd) ? -1 : next(fd);
}

int
fsync(int fd)
{
    NEXT(fsync);
    return fails(fd) ? -1 : next(fd);
}

int
msync(void *data, size_t len, int flags)
{
    NEXT(msync);
    return fails(3) ? -1 : next(data, len, flags);
}
