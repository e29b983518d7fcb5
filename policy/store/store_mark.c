/*
 * home/store/identity: which file is the store, and how far it had come when it was written last. A data.mdb that was put in its place by
 * anything but `gatehouse init` and `gatehouse restore`, or an older copy of it, does not fit, and is denied by name. The device is not in
 * it: its number may be another one after each boot.
 */
#include "policy/store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_KEY ((gh_bytes_t) { "identity", 8 })

static const char advice[] = "\"gatehouse restore FILE\" puts a backup in force";

int
gh_mark_read(gh_hmac_t *mac, const char *directory, gh_mark_t *mark, gh_error_t *error)
{
    char    path[1100];
    uint8_t bytes[sizeof(*mark) + 1];
    ssize_t n;
    int     fd;

    snprintf(path, sizeof(path), "%s/identity", directory);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT
            ? gh_error_at(error, "store_replaced", path, 0, 0, "the store has no identity beside it: the file was put there by hand; %s", advice)
            : gh_error_at(error, "store_denied", path, 0, 0, "the store's identity cannot be opened: %s", strerror(errno));
    }
    n = read(fd, bytes, sizeof(bytes));
    close(fd);
    if (n != (ssize_t) sizeof(*mark)) {
        return gh_error_at(error, "store_damaged", path, 0, 0, "the store's identity has not the size of one; %s", advice);
    }
    if (gh_envelope_check(mac, GH_DB_HEAD, MARK_KEY, bytes, sizeof(*mark), error) != GH_OK) {
        return gh_error_at(error, "store_damaged", path, 0, 0, "the store's identity does not match its MAC; %s", advice);
    }
    memcpy(mark, bytes, sizeof(*mark));
    return GH_OK;
}

/* Written beside and renamed into place; its owner and group are those of data.mdb. */
int
gh_mark_write(gh_hmac_t *mac, const char *directory, const gh_head_t *head, gh_error_t *error)
{
    gh_mark_t   mark;
    char        path[1100], fresh[1100], data[1100];
    struct stat st;
    int         fd, rc = -1;

    snprintf(data, sizeof(data), "%s/data.mdb", directory);
    snprintf(path, sizeof(path), "%s/identity", directory);
    snprintf(fresh, sizeof(fresh), "%s/.identity.new", directory);
    memset(&mark, 0, sizeof(mark));
    memcpy(mark.store_id, head->store_id, 16);
    mark.revision = head->revision;
    mark.transaction = head->transaction;
    mark.last_uid = head->last_uid;
    mark.last_change = head->last_change;
    if (stat(data, &st) != 0) {
        return gh_error_at(error, "store_denied", data, 0, 0, "cannot be looked at: %s", strerror(errno));
    }
    mark.inode = (uint64_t) st.st_ino;
    if (gh_envelope_seal(mac, GH_DB_HEAD, MARK_KEY, (uint8_t *) &mark, sizeof(mark)) != GH_OK) {
        return gh_error_at(error, "store_denied", path, 0, 0, "the store's identity cannot be sealed");
    }
    unlink(fresh);
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd >= 0) {
        rc = geteuid() == 0 ? fchown(fd, st.st_uid, st.st_gid) : 0;
        rc = rc == 0 ? fchmod(fd, 0640) : rc;
        rc = rc == 0 && write(fd, &mark, sizeof(mark)) == (ssize_t) sizeof(mark) ? fsync(fd) : -1;
        close(fd);
        rc = rc == 0 ? rename(fresh, path) : rc;
    }
    if (rc != 0) {
        gh_error_at(error, "store_denied", path, 0, 0, "the store's identity cannot be written: %s", strerror(errno));
        unlink(fresh);
        return GH_ERROR;
    }
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    return GH_OK;
}

int
gh_mark_check_file(const gh_mark_t *mark, ino_t inode, gh_error_t *error)
{
    return mark->inode == (uint64_t) inode ? GH_OK
        : gh_error_set(error, "store_replaced", "the store's file was copied or moved there by something else than Gatehouse; %s", advice);
}

/* mark was read before the head, so the head is never behind it. */
int
gh_mark_check(const gh_mark_t *mark, ino_t inode, const gh_head_t *head, gh_error_t *error)
{
    if (memcmp(mark->store_id, head->store_id, 16) != 0) {
        return gh_error_set(error, "store_replaced", "the store's file is of another policy store; %s", advice);
    }
    if (gh_mark_check_file(mark, inode, error) != GH_OK) {
        return GH_ERROR;
    }
    if (head->revision < mark->revision || head->transaction < mark->transaction) {
        return gh_error_set(error, "store_replaced", "the store's file is an older copy: revision %llu of write %llu, where revision %llu of "
            "write %llu was in force; %s", (unsigned long long) head->revision, (unsigned long long) head->transaction,
            (unsigned long long) mark->revision, (unsigned long long) mark->transaction, advice);
    }
    return GH_OK;
}
