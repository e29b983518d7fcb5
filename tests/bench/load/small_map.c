/*
 * For LD_PRELOAD under valgrind, which keeps half of a process's addresses for itself: a map of 32 GiB and more, as the policy store's, is made 4 GiB
 * long. What lies in it is shorter.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define LARGE (UINT64_C(32) << 30)
#define SMALL (UINT64_C(4) << 30)

static size_t
fitting(size_t length)
{
    return length >= LARGE ? SMALL : length;
}

void *
mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return (void *) syscall(SYS_mmap, address, fitting(length), protection, flags, fd, offset);
}

void *
mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset)
{
    return mmap(address, length, protection, flags, fd, offset);
}

int
munmap(void *address, size_t length)
{
    return (int) syscall(SYS_munmap, address, fitting(length));
}
