/* The ledger file: making it, mapping it, and whose it is. */
#define _GNU_SOURCE                   /* open-file-description locks, mkostemp */
#include "policy/ledger/counter_word.h"
#include "policy/ledger/ledger_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel's random number of this boot, as 16 bytes; zeros where there is none. */
static void
boot_id(uint8_t id[16])
{
    char text[40] = "";
    int  fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC), digits = 0;

    memset(id, 0, 16);
    if (fd < 0) {
        return;
    }
    if (read(fd, text, sizeof(text) - 1) > 0) {
        for (const char *p = text; *p != '\0' && digits < 32; p++) {
            int value = *p >= '0' && *p <= '9' ? *p - '0' : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 : -1;

            if (value >= 0) {
                id[digits / 2] = (uint8_t) (id[digits / 2] << 4 | value);
                digits++;
            }
        }
    }
    close(fd);
}

static int
file_error(const char *path, const char *what, gh_error_t *error)
{
    const char *code = errno == ENOENT || errno == ENOTDIR ? "ledger_missing"
        : errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? "ledger_full" : "ledger_denied";

    return gh_error_at(error, code, path, 0, 0, "the ledger %s: %s", what, strerror(errno));
}

static void
fill_header(gh_ledger_header_t *header, uint64_t size, const uint8_t id[16], const uint8_t store_id[16], ino_t inode)
{
    memset(header, 0, sizeof(*header));
    memcpy(header->magic, GH_LEDGER_MAGIC, sizeof(header->magic));
    header->version = GH_LEDGER_VERSION;
    header->header_size = GH_LEDGER_HEADER;
    header->slot_count = GH_LEDGER_SLOTS;
    header->slot_size = GH_LEDGER_SLOT;
    header->inode = (uint64_t) inode;
    memcpy(header->id, id, 16);
    memcpy(header->store_id, store_id, 16);
    boot_id(header->boot_id);
    gh_ledger_lay_out(header, size);
}

int
gh_ledger_create(const char *path, uint64_t size, const uint8_t id[16], const uint8_t store_id[16], bool *made, gh_error_t *error)
{
    gh_ledger_header_t header;
    struct stat        st;
    char               fresh[1024];
    void              *address;
    int                fd, rc = GH_OK;
    bool               good;

    *made = false;
    if (snprintf(fresh, sizeof(fresh), "%s.new-XXXXXX", path) >= (int) sizeof(fresh)) {
        return gh_error_set(error, "ledger_denied", "the ledger's name is too long");
    }
    if (access(path, F_OK) == 0) {
        return GH_OK;
    }
    if (size < GH_LEDGER_SIZE_MIN || size > GH_LEDGER_SIZE_MAX) {
        return gh_error_at(error, "ledger_size", path, 0, 0, "a ledger has from %llu to %llu bytes, not %llu",
            (unsigned long long) GH_LEDGER_SIZE_MIN, (unsigned long long) GH_LEDGER_SIZE_MAX, (unsigned long long) size);
    }
    size = (size + 4095) / 4096 * 4096;
    fd = mkostemp(fresh, O_CLOEXEC);
    if (fd < 0) {
        return file_error(path, "cannot be made", error);
    }
    /* every block now: a store into a hole of a full file system would be a SIGBUS */
    errno = posix_fallocate(fd, 0, (off_t) size);
    good = errno == 0 && fstat(fd, &st) == 0;
    if (good) {
        address = gh_ledger_map(fd, true);
        if (address != NULL) {
            gh_ledger_gather(address, 0, size);
            gh_ledger_unmap(address);
        }
        fill_header(&header, size, id, store_id, st.st_ino);
        good = fchmod(fd, 0660) == 0 && pwrite(fd, &header, sizeof(header), 0) == (ssize_t) sizeof(header) && fsync(fd) == 0;
    }
    if (!good) {
        rc = file_error(path, "cannot be written", error);
    } else if (link(fresh, path) == 0) {
        *made = true;
    } else if (errno != EEXIST) {
        rc = file_error(path, "cannot be made", error);
    }
    close(fd);
    unlink(fresh);
    return rc;
}

/* Says what is wrong with a file that is no ledger this program knows. */
static int
check_header(const gh_ledger_header_t *header, const char *path, const struct stat *st, gh_error_t *error)
{
    uint64_t size = (uint64_t) st->st_size;

    if (size < GH_LEDGER_HEADER || memcmp(header->magic, GH_LEDGER_MAGIC, sizeof(header->magic)) != 0) {
        return gh_error_at(error, "ledger_damaged", path, 0, 0, "the file is not a ledger");
    }
    if (header->version != GH_LEDGER_VERSION) {
        return gh_error_at(error, "ledger_version", path, 0, 0, "the ledger has layout %u, this program knows layout %u: end the "
            "workers that use it, then \"gatehouse init\" makes it anew", header->version, GH_LEDGER_VERSION);
    }
    if (header->header_size != GH_LEDGER_HEADER || header->slot_count != GH_LEDGER_SLOTS || header->slot_size != GH_LEDGER_SLOT
        || !gh_ledger_layout_ok(header))
    {
        return gh_error_at(error, "ledger_damaged", path, 0, 0, "the ledger's header does not fit its layout");
    }
    if (size < header->file_size) {
        return gh_error_at(error, "ledger_damaged", path, 0, 0, "the ledger has %llu bytes, its header says %llu",
            (unsigned long long) size, (unsigned long long) header->file_size);
    }
    if (header->inode != (uint64_t) st->st_ino) {
        return gh_error_at(error, "ledger_other", path, 0, 0, "the ledger is a copy of another file, in which no worker holds a slot");
    }
    return GH_OK;
}

static int
map(gh_ledger_t *ledger, gh_error_t *error)
{
    gh_ledger_header_t header;
    struct stat        st;
    void              *address;

    ledger->fd = open(ledger->path, (ledger->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (ledger->fd < 0) {
        return file_error(ledger->path, "cannot be opened", error);
    }
    if (fstat(ledger->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return gh_error_at(error, "ledger_damaged", ledger->path, 0, 0, "the ledger is not a regular file");
    }
    memset(&header, 0, sizeof(header));
    if (pread(ledger->fd, &header, sizeof(header), 0) < 0) {
        return file_error(ledger->path, "cannot be read", error);
    }
    /* the size again, behind the header: one that grows meanwhile is longer first, and says so then */
    if (fstat(ledger->fd, &st) != 0) {
        return file_error(ledger->path, "cannot be read", error);
    }
    if (check_header(&header, ledger->path, &st, error) != GH_OK) {
        return GH_ERROR;
    }
    if (ledger->writable && !gh_pair_swap_works()) {
        return gh_error_at(error, "ledger_processor", ledger->path, 0, 0, "this processor has no compare-and-swap of 16 bytes (cmpxchg16b), "
            "which the ledger's counters need");
    }
    /* more than there is: when the file grows, what is added is in the mapping already, and pointers stay */
    address = gh_ledger_map(ledger->fd, ledger->writable);
    if (address == NULL) {
        return file_error(ledger->path, "cannot be mapped", error);
    }
    ledger->device = st.st_dev;
    ledger->inode = st.st_ino;
    ledger->header = address;
    ledger->slots = (gh_slot_t *) ((char *) address + GH_LEDGER_HEADER);
    gh_trace_slots(ledger->slots);
    return GH_OK;
}

gh_ledger_t *
gh_ledger_open(const char *path, bool writable, gh_error_t *error)
{
    gh_ledger_t *ledger = calloc(1, sizeof(*ledger));

    if (ledger == NULL) {
        gh_error_set(error, "out_of_memory", "no memory for the ledger");
        return NULL;
    }
    ledger->fd = -1;
    ledger->writable = writable;
    if (snprintf(ledger->path, sizeof(ledger->path), "%s", path) >= (int) sizeof(ledger->path)) {
        gh_error_set(error, "ledger_missing", "the ledger's name is too long");
    } else if (map(ledger, error) == GH_OK) {
        return ledger;
    }
    gh_ledger_close(ledger);
    return NULL;
}

void
gh_ledger_close(gh_ledger_t *ledger)
{
    if (ledger == NULL) {
        return;
    }
    if (ledger->own != NULL && ledger->held == 0) {
        gh_slot_set(ledger->own, dirty, 0);
    }
    if (ledger->header != NULL) {
        gh_ledger_unmap(ledger->header);
    }
    if (ledger->fd >= 0) {
        close(ledger->fd);
    }
    free(ledger);
}

const gh_ledger_header_t *
gh_ledger_header(const gh_ledger_t *ledger)
{
    return ledger->header;
}

int
gh_ledger_check(const gh_ledger_t *ledger, const uint8_t store_id[16], const uint8_t ledger_id[16], gh_error_t *error)
{
    if (memcmp(ledger->header->store_id, store_id, 16) != 0) {
        return gh_error_at(error, "ledger_other", ledger->path, 0, 0, "the ledger belongs to another policy store");
    }
    if (memcmp(ledger->header->id, ledger_id, 16) != 0) {
        return gh_error_at(error, "ledger_other", ledger->path, 0, 0, "the ledger is not the one that its policy store names: "
            "it is an earlier or a copied one");
    }
    return GH_OK;
}

int
gh_ledger_still(const gh_ledger_t *ledger, gh_error_t *error)
{
    struct stat st;

    if (stat(ledger->path, &st) != 0) {
        return file_error(ledger->path, "is gone", error);
    }
    if (st.st_dev != ledger->device || st.st_ino != ledger->inode) {
        return gh_error_at(error, "ledger_other", ledger->path, 0, 0, "the ledger was replaced while it was in use");
    }
    if ((uint64_t) st.st_size < gh_ledger_size(ledger)) {
        return gh_error_at(error, "ledger_damaged", ledger->path, 0, 0, "the ledger was truncated");
    }
    return GH_OK;
}

bool
gh_ledger_of_earlier_boot(const gh_ledger_t *ledger)
{
    uint8_t now[16];

    boot_id(now);
    return memcmp(now, ledger->header->boot_id, 16) != 0;
}
