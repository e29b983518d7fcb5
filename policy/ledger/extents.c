/*
 * Where the sections lie, and growing. A ledger grows at its end while workers use it: their mappings already reach behind the end, and what
 * is there becomes theirs when extent_count says so. A `ledger grow` that is killed leaves a longer file, nothing else; the next one goes on.
 */
#define _GNU_SOURCE                   /* open-file-description locks */
#include "policy/ledger/ledger_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PAGE        4096u
#define GROW_LEAST  (UINT64_C(64) << 10)
#define FIXED       (GH_LEDGER_HEADER + (uint64_t) GH_LEDGER_SLOTS * GH_LEDGER_SLOT + (uint64_t) GH_LEDGER_CLAIMS * 8)

/* Half of it for counters, half for reservations. begin and end: multiples of a page. */
static gh_ledger_extent_t
divide(uint64_t begin, uint64_t end)
{
    uint64_t           counters = (end - begin) / 2 / PAGE * PAGE;
    gh_ledger_extent_t extent = { { begin, counters }, { begin + counters, 0 } };

    extent.reservations.length = (end - begin - counters) / GH_LEDGER_RESERVATION * GH_LEDGER_RESERVATION;
    return extent;
}

static uint64_t
backends_length(uint64_t size)
{
    uint64_t count = size / 32 / GH_LEDGER_BACKEND / 32 * 32;

    return (count > GH_LEDGER_BACKENDS ? GH_LEDGER_BACKENDS : count) * GH_LEDGER_BACKEND;
}

void
gh_ledger_lay_out(gh_ledger_header_t *header, uint64_t size)
{
    uint64_t backends = backends_length(size);

    header->file_size = size;
    header->slots = (gh_ledger_section_t) { GH_LEDGER_HEADER, (uint64_t) GH_LEDGER_SLOTS * GH_LEDGER_SLOT };
    header->claims = (gh_ledger_section_t) { GH_LEDGER_HEADER + header->slots.length, (uint64_t) GH_LEDGER_CLAIMS * 8 };
    header->backends = (gh_ledger_section_t) { FIXED, backends };
    header->extents[0] = divide(FIXED + backends, size);
    header->extent_count = 1;
}

static bool
section_is(gh_ledger_section_t section, uint64_t offset, uint64_t length)
{
    return section.offset == offset && section.length == length;
}

bool
gh_ledger_layout_ok(const gh_ledger_header_t *header)
{
    uint64_t at = FIXED + header->backends.length;

    if (header->file_size < GH_LEDGER_SIZE_MIN || header->file_size > GH_LEDGER_SIZE_MAX || header->file_size % PAGE != 0
        || !section_is(header->slots, GH_LEDGER_HEADER, (uint64_t) GH_LEDGER_SLOTS * GH_LEDGER_SLOT)
        || !section_is(header->claims, GH_LEDGER_HEADER + header->slots.length, (uint64_t) GH_LEDGER_CLAIMS * 8)
        || header->backends.offset != FIXED || header->backends.length % PAGE != 0 || header->backends.length == 0
        || header->backends.length > (uint64_t) GH_LEDGER_BACKENDS * GH_LEDGER_BACKEND
        || header->extent_count == 0 || header->extent_count > GH_LEDGER_EXTENTS)
    {
        return false;
    }
    for (uint64_t e = 0; e < header->extent_count; e++) {
        const gh_ledger_section_t *counters = &header->extents[e].counters, *reservations = &header->extents[e].reservations;

        if (counters->offset < at || counters->offset % PAGE != 0 || counters->length % PAGE != 0 || counters->length < PAGE
            || counters->length > header->file_size || reservations->offset != counters->offset + counters->length
            || reservations->length % GH_LEDGER_RESERVATION != 0 || reservations->length < GH_LEDGER_RESERVATION
            || reservations->length > header->file_size || reservations->offset + reservations->length > header->file_size)
        {
            return false;
        }
        at = reservations->offset + reservations->length;
    }
    return true;
}

uint64_t
gh_ledger_size(const gh_ledger_t *ledger)
{
    return __atomic_load_n(&ledger->header->file_size, __ATOMIC_ACQUIRE);
}

/* One grows at a time: the file's first byte is locked. */
static int
lock_growing(const gh_ledger_t *ledger, short type, gh_error_t *error)
{
    struct flock lock;

    memset(&lock, 0, sizeof(lock));
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_len = 1;
    if (fcntl(ledger->fd, F_OFD_SETLK, &lock) == 0) {
        return GH_OK;
    }
    return errno == EAGAIN || errno == EACCES
        ? gh_error_at(error, "ledger_busy", ledger->path, 0, 0, "somebody else makes the ledger larger just now")
        : gh_error_at(error, "ledger_denied", ledger->path, 0, 0, "the ledger cannot be locked: %s", strerror(errno));
}

/* Under the lock. */
static int
grow(gh_ledger_t *ledger, uint64_t size, gh_error_t *error)
{
    gh_ledger_header_t *header = ledger->header;
    uint64_t            old = gh_ledger_size(ledger);
    unsigned            count = gh_ledger_extent_count(ledger);

    if (size > GH_LEDGER_SIZE_MAX) {
        return gh_error_at(error, "ledger_size", ledger->path, 0, 0, "a ledger has at most %llu bytes", (unsigned long long) GH_LEDGER_SIZE_MAX);
    }
    if (size < old + GROW_LEAST) {
        return gh_error_at(error, "ledger_size", ledger->path, 0, 0, "the ledger has %llu bytes already, and grows by %llu at least",
            (unsigned long long) old, (unsigned long long) GROW_LEAST);
    }
    if (count == GH_LEDGER_EXTENTS) {
        return gh_error_at(error, "ledger_size", ledger->path, 0, 0, "the ledger has grown %u times, which is as often as it can",
            GH_LEDGER_EXTENTS - 1);
    }
    errno = posix_fallocate(ledger->fd, (off_t) old, (off_t) (size - old));
    if (errno != 0) {
        return gh_error_at(error, errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? "ledger_full" : "ledger_denied", ledger->path, 0, 0,
            "the ledger cannot be made larger: %s", strerror(errno));
    }
    gh_ledger_gather(header, old, size);
    gh_kill_point("grow_allocated");
    header->extents[count] = divide(old, size);
    gh_kill_point("grow_written");
    __atomic_store_n(&header->file_size, size, __ATOMIC_SEQ_CST);
    gh_kill_point("grow_sized");
    __atomic_store_n(&header->extent_count, count + 1, __ATOMIC_SEQ_CST);
    gh_kill_point("grow_published");
    return GH_OK;
}

int
gh_ledger_grow(gh_ledger_t *ledger, uint64_t size, gh_error_t *error)
{
    gh_error_t ignored;
    int        rc;

    if (lock_growing(ledger, F_WRLCK, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = grow(ledger, size > GH_LEDGER_SIZE_MAX ? size : (size + PAGE - 1) / PAGE * PAGE, error);
    lock_growing(ledger, F_UNLCK, &ignored);
    return rc;
}
