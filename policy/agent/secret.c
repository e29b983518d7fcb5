/* Secrets where they are kept: files, the environment, and what systemd hands to a service (systemd.exec, "CREDENTIALS"). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/agent/credentials.h"

static int
read_all(gh_arena_t *arena, int fd, const char *path, const char *what, gh_str_t *out, gh_error_t *error)
{
    char  *buffer = gh_arena_alloc(arena, GH_SECRET_FILE_MAX + 2);
    size_t len = 0;

    if (buffer == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    while (len <= GH_SECRET_FILE_MAX) {
        ssize_t n = read(fd, buffer + len, GH_SECRET_FILE_MAX + 1 - len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return gh_error_set(error, "source_secret", "%s cannot be read from %s: %s", what, path, strerror(errno));
        }
        if (n == 0) {
            break;
        }
        len += (size_t) n;
    }
    if (len > GH_SECRET_FILE_MAX) {
        return gh_error_set(error, "source_secret", "%s in %s is longer than %u bytes", what, path, GH_SECRET_FILE_MAX);
    }
    buffer[len] = '\0';
    *out = (gh_str_t) { buffer, len };
    return GH_OK;
}

int
gh_secret_file(gh_arena_t *arena, const char *path, const char *what, bool secret, gh_str_t *out, gh_error_t *error)
{
    struct stat info;
    int         rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd == -1) {
        return gh_error_set(error, "source_secret", "%s cannot be read from %s: %s", what, path, strerror(errno));
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        rc = gh_error_set(error, "source_secret", "%s: %s is no regular file", what, path);
    } else if (secret && (info.st_mode & 07) != 0) {
        rc = gh_error_set(error, "source_secret", "%s: everybody may read or write %s (mode %04o); chmod 0640 %s", what, path,
            (unsigned) (info.st_mode & 07777), path);
    } else {
        rc = read_all(arena, fd, path, what, out, error);
    }
    close(fd);
    return rc;
}

static int
from_systemd(gh_arena_t *arena, gh_str_t name, const char *what, gh_str_t *out, gh_error_t *error)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    gh_str_t    path;

    if (directory == NULL || directory[0] == '\0') {
        return gh_error_set(error, "source_secret", "%s: CREDENTIALS_DIRECTORY is not set: the service needs LoadCredential=%.*s:...", what, GH_STR_ARG(name));
    }
    path = gh_str_format(arena, "%s/%.*s", directory, GH_STR_ARG(name));
    if (path.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    return gh_secret_file(arena, path.data, what, true, out, error);
}

int
gh_secret_read(gh_arena_t *arena, const gh_secret_t *secret, const char *what, gh_str_t *out, gh_error_t *error)
{
    const char *value;

    switch (secret->kind) {
    case GH_SECRET_FILE:
        if (gh_secret_file(arena, secret->name.data, what, true, out, error) != GH_OK) {
            return GH_ERROR;
        }
        break;
    case GH_SECRET_SYSTEMD:
        if (from_systemd(arena, secret->name, what, out, error) != GH_OK) {
            return GH_ERROR;
        }
        break;
    case GH_SECRET_ENVIRONMENT:
        value = getenv(secret->name.data);
        if (value == NULL) {
            return gh_error_set(error, "source_secret", "%s: %s is not set in the environment", what, secret->name.data);
        }
        *out = gh_str_copy(arena, gh_str_from(value));
        if (out->data == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
        break;
    default:
        return gh_error_set(error, "source_secret", "%s is not said", what);
    }
    while (out->len > 0 && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r')) {
        out->len--;
    }
    return out->len != 0 ? GH_OK : gh_error_set(error, "source_secret", "%s is empty", what);
}

gh_str_t
gh_token_trim(gh_str_t text)
{
    while (text.len > 0 && (unsigned char) text.data[text.len - 1] <= ' ') {
        text.len--;
    }
    while (text.len > 0 && (unsigned char) text.data[0] <= ' ') {
        text.data++;
        text.len--;
    }
    return text;
}
