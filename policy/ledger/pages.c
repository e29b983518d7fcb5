/*
 * The pages of a ledger. Its counters lie wherever their hashes say, over the whole file: with pages of 4 KiB nearly every look at one costs a
 * walk through page tables, longer than the look. So a ledger is moved into pages of 2 MiB when it is made, and mapped where they fit, whatever
 * the system's setting for tmpfs is; where the kernel does not do that (before Linux 6.1, or without memory in one piece) it stays as it is.
 */
#define _GNU_SOURCE
#include "policy/ledger/ledger_internal.h"

#include <sys/mman.h>

#define HUGE_PAGE (UINT64_C(2) << 20)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

void *
gh_ledger_map(int fd, bool writable)
{
    char *room = mmap(NULL, GH_LEDGER_SIZE_MAX + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *address, *end;

    if (room == MAP_FAILED) {
        return NULL;
    }
    address = room + (HUGE_PAGE - (uintptr_t) room % HUGE_PAGE) % HUGE_PAGE;
    if (mmap(address, GH_LEDGER_SIZE_MAX, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
        munmap(room, GH_LEDGER_SIZE_MAX + HUGE_PAGE);
        return NULL;
    }
    end = room + GH_LEDGER_SIZE_MAX + HUGE_PAGE;
    if (address > room) {
        munmap(room, (size_t) (address - room));
    }
    if (address + GH_LEDGER_SIZE_MAX < end) {
        munmap(address + GH_LEDGER_SIZE_MAX, (size_t) (end - address) - GH_LEDGER_SIZE_MAX);
    }
    madvise(address, GH_LEDGER_SIZE_MAX, MADV_DONTDUMP);
    return address;
}

void
gh_ledger_unmap(void *address)
{
    munmap(address, GH_LEDGER_SIZE_MAX);
}

void
gh_ledger_gather(void *address, uint64_t from, uint64_t upto)
{
    madvise((char *) address + from, upto - from, MADV_COLLAPSE);
}
