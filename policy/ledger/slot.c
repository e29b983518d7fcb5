/* Slots: taking one, and which of them have a living owner. */
#define _GNU_SOURCE                   /* open-file-description locks, mkostemp */
#include "policy/ledger/ledger_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct flock
lock_range(uint32_t first, uint32_t count)
{
    struct flock lock;

    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = (off_t) GH_LEDGER_HEADER + (off_t) first * GH_LEDGER_SLOT;
    lock.l_len = (off_t) count * GH_LEDGER_SLOT;
    return lock;
}

/* What the last owner left means nothing any more; the window first, which editors look at. */
static void
reset(gh_slot_t *slot, const gh_slot_owner_t *owner)
{
    __atomic_store_n(&slot->window, GH_WINDOW_CLOSED, __ATOMIC_SEQ_CST);
    gh_slot_set(slot, running, 0);
    gh_slot_set(slot, store_inode, 0);
    gh_slot_set(slot, swept, 0);
    gh_slot_set(slot, cut, 0);
    gh_slot_set(slot, finishing, 0);
    gh_slot_set(slot, proposal_seen, 0);
    gh_slot_set(slot, proposal_forbidden, 0);
    gh_slot_set(slot, used_revision, 0);
    gh_slot_set(slot, start_ms, owner->start_ms);
    gh_slot_set(slot, generation, owner->generation);
    gh_slot_set(slot, pid, owner->pid);
}

/* GH_OK: *locked says whether it is this process's now. */
static int
try_lock(const gh_ledger_t *ledger, uint32_t number, bool *locked, gh_error_t *error)
{
    struct flock lock = lock_range(number, 1);

    lock.l_len = 1;
    *locked = fcntl(ledger->fd, F_OFD_SETLK, &lock) == 0;
    if (!*locked && errno != EAGAIN && errno != EACCES && errno != EINTR) {
        return gh_error_at(error, "ledger_denied", ledger->path, 0, 0, "a slot of the ledger cannot be locked: %s", strerror(errno));
    }
    return GH_OK;
}

bool
gh_slot_lock(const gh_ledger_t *ledger, uint32_t number)
{
    gh_slot_t *slot = &ledger->slots[number];
    bool       locked;

    if (slot == ledger->own || try_lock(ledger, number, &locked, NULL) != GH_OK || !locked) {
        return false;
    }
    /* what it says of its dispatches is nobody's any more; an editor that looks now sees the lock */
    __atomic_store_n(&slot->window, GH_WINDOW_CLOSED, __ATOMIC_SEQ_CST);
    gh_slot_set(slot, running, 0);
    return true;
}

void
gh_slot_unlock(const gh_ledger_t *ledger, uint32_t number)
{
    struct flock lock = lock_range(number, 1);

    lock.l_len = 1;
    lock.l_type = F_UNLCK;
    fcntl(ledger->fd, F_OFD_SETLK, &lock);
}

/* The slot is locked: it is this process's from here on, in the words of recovery as well. */
static gh_slot_t *
begin(gh_ledger_t *ledger, uint32_t number, const gh_slot_owner_t *owner)
{
    unsigned most = UINT32_MAX;
    uint64_t clock = gh_slot_get(ledger->header, clock_ms);

    ledger->own = &ledger->slots[number];
    ledger->owner = number + 1;
    gh_kill_point("slot_locked");
    if (gh_slot_get(ledger->own, dirty) != 0) {
        gh_recover_slot(ledger, number, &most, NULL, NULL);
    }
    reset(ledger->own, owner);
    if (clock < owner->start_ms) {
        gh_slot_set(ledger->header, clock_ms, owner->start_ms);
    }
    gh_slot_set(ledger->own, dirty, 1);
    gh_kill_point("slot_taken");
    gh_trace(ledger->own, "take", number);
    return ledger->own;
}

/* Reservations, or a gap of the record: a new owner has the gap then as if it were its own. */
static bool
left_something(const gh_slot_t *slot)
{
    gh_ledger_gap_t gap;

    return gh_slot_get(slot, dirty) != 0 || gh_slot_gap(slot, &gap);
}

gh_slot_t *
gh_ledger_slot_take(gh_ledger_t *ledger, const gh_slot_owner_t *owner, gh_error_t *error)
{
    if (ledger->own != NULL) {
        return ledger->own;
    }
    for (int leftovers = 0; leftovers < 2; leftovers++) {
        for (uint32_t i = 0; i < GH_LEDGER_SLOTS; i++) {
            bool locked;

            if (leftovers == 0 && left_something(&ledger->slots[i])) {
                continue;
            }
            if (try_lock(ledger, i, &locked, error) != GH_OK) {
                return NULL;
            }
            if (!locked) {
                continue;
            }
            if (leftovers == 1 || !left_something(&ledger->slots[i])) {
                return begin(ledger, i, owner);
            }
            gh_slot_unlock(ledger, i);    /* its owner came and went in between */
        }
    }
    gh_error_at(error, "ledger_full", ledger->path, 0, 0, "all %u slots of the ledger are taken: end old workers", GH_LEDGER_SLOTS);
    return NULL;
}

uint32_t
gh_ledger_slot_number(const gh_ledger_t *ledger)
{
    return ledger->own == NULL ? 0 : ledger->owner - 1;
}

void
gh_slot_store(gh_slot_t *slot, uint64_t inode)
{
    __atomic_store_n(&slot->store_inode, 0, __ATOMIC_SEQ_CST);
    gh_slot_set(slot, swept, 0);
    gh_slot_set(slot, store_inode, inode);
}

/*
 * The kernel names one lock of a range, not the first. So a range in which it found one is looked at again on both sides: two questions for
 * each living owner, whatever the number of slots.
 */
int
gh_ledger_live(const gh_ledger_t *ledger, uint32_t numbers[GH_LEDGER_SLOTS], size_t *count, gh_error_t *error)
{
    uint64_t found[GH_LEDGER_SLOTS / 64] = { 0 };
    uint32_t stack[GH_LEDGER_SLOTS + 2][2], depth = 1;

    stack[0][0] = 0;
    stack[0][1] = GH_LEDGER_SLOTS;
    *count = 0;
    while (depth > 0) {
        uint32_t     begin = stack[--depth][0], end = stack[depth][1], at;
        struct flock lock = lock_range(begin, end - begin);

        if (begin >= end) {
            continue;
        }
        while (fcntl(ledger->fd, F_OFD_GETLK, &lock) != 0) {
            if (errno != EINTR) {
                return gh_error_at(error, "ledger_denied", ledger->path, 0, 0, "the ledger's slots cannot be looked at: %s",
                    strerror(errno));
            }
        }
        if (lock.l_type == F_UNLCK) {
            continue;
        }
        at = (uint32_t) ((lock.l_start - (off_t) GH_LEDGER_HEADER) / GH_LEDGER_SLOT);
        if (lock.l_start < (off_t) GH_LEDGER_HEADER || at < begin || at >= end || lock.l_len != 1) {
            return gh_error_at(error, "ledger_denied", ledger->path, 0, 0, "something else holds a lock on the ledger");
        }
        found[at / 64] |= (uint64_t) 1 << (at % 64);
        stack[depth][0] = begin;
        stack[depth++][1] = at;
        stack[depth][0] = at + 1;
        stack[depth++][1] = end;
    }
    for (uint32_t i = 0; i < GH_LEDGER_SLOTS; i++) {
        if (found[i / 64] >> (i % 64) & 1) {
            numbers[(*count)++] = i;
        }
    }
    return GH_OK;
}

bool
gh_ledger_in_use(const char *path)
{
    struct flock lock;
    bool         used;
    int          fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0) {
        return errno != ENOENT;
    }
    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    used = fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
    close(fd);
    return used;
}
