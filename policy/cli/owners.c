/*
 * Directories, owners and modes for `gatehouse init`. It runs as root over a tree that another user owns, so below
 * the two directories the administrator named nothing is reached through a path: each step opens without following links
 * and changes what it opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/cli/files.h"

/* Owner first: changing it clears the set-group-id bit. */
static int
own(int fd, const gh_cli_owner_t *owner, gh_error_t *error)
{
    struct stat info;

    if (fstat(fd, &info) == -1) {
        return gh_error_set(error, "owner", "cannot look at %s: %s", owner->name, strerror(errno));
    }

    if ((info.st_uid != owner->uid || info.st_gid != owner->gid) && fchown(fd, owner->uid, owner->gid) == -1) {
        return gh_error_set(error, "owner", "cannot give %s to uid %u, gid %u: %s", owner->name, (unsigned) owner->uid,
            (unsigned) owner->gid, strerror(errno));
    }

    if (fstat(fd, &info) == -1 || ((info.st_mode & 07777) != owner->mode && fchmod(fd, owner->mode) == -1)) {
        return gh_error_set(error, "owner", "cannot set mode %04o on %s: %s", (unsigned) owner->mode, owner->name,
            strerror(errno));
    }

    return GH_OK;
}

int
gh_cli_make_directory(int parent, const char *name, const gh_cli_owner_t *owner, bool *made, gh_error_t *error)
{
    int fd, flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (parent == AT_FDCWD ? 0 : O_NOFOLLOW);

    *made = mkdirat(parent, name, 0700) == 0;

    if (!*made && errno != EEXIST) {
        return gh_error_set(error, errno == ENOENT ? "no_parent" : "directory", "cannot make %s: %s", owner->name,
            errno == ENOENT ? "the directory it is to stand in does not exist" : strerror(errno)), -1;
    }

    fd = openat(parent, name, flags);
    if (fd == -1) {
        return gh_error_set(error, "directory", "cannot open %s: %s", owner->name,
            errno == ENOTDIR || errno == ELOOP ? "it is there, but not a directory" : strerror(errno)), -1;
    }

    if (own(fd, owner, error) != GH_OK) {
        close(fd);
        return -1;
    }

    return fd;
}

int
gh_cli_own_file(int directory, const char *name, const gh_cli_owner_t *owner, gh_error_t *error)
{
    struct stat info;
    int         fd, status;

    fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd == -1) {
        return gh_error_set(error, "owner", "cannot open %s: %s", owner->name,
            errno == ELOOP ? "it is a symbolic link" : strerror(errno));
    }

    if (fstat(fd, &info) == -1 || !S_ISREG(info.st_mode)) {
        close(fd);
        return gh_error_set(error, "owner", "%s is there, but not a file", owner->name);
    }

    if (info.st_nlink != 1) {
        close(fd);
        return gh_error_set(error, "owner", "%s has a second name (a hard link); its owner is not changed", owner->name);
    }

    status = own(fd, owner, error);
    close(fd);

    return status;
}

static int
write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return GH_ERROR;
        }
        p += n;
        len -= (size_t) n;
    }

    return GH_OK;
}

int
gh_cli_create_file(int directory, const char *name, const void *data, size_t len, const gh_cli_owner_t *owner,
    bool *made, gh_error_t *error)
{
    char temporary[64];
    int  fd, status = GH_OK, place;

    *made = false;
    if (faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return GH_OK;
    }

    place = strlen(name) < 48;
    memcpy(temporary, ".new-", 5);
    memcpy(temporary + 5, place ? name : "file", place ? strlen(name) + 1 : 5);

    unlinkat(directory, temporary, 0);
    fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd == -1) {
        return gh_error_set(error, "file", "cannot make %s: %s", owner->name, strerror(errno));
    }

    if (write_all(fd, data, len) != GH_OK || fsync(fd) == -1) {
        status = gh_error_set(error, "file", "cannot write %s: %s", owner->name, strerror(errno));

    } else if (own(fd, owner, error) != GH_OK) {
        status = GH_ERROR;

    } else if (linkat(directory, temporary, directory, name, 0) == 0) {
        *made = true;

    } else if (errno != EEXIST) {
        status = gh_error_set(error, "file", "cannot make %s: %s", owner->name, strerror(errno));
    }

    close(fd);
    unlinkat(directory, temporary, 0);
    fsync(directory);

    return status;
}
