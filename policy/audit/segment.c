#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* fallocate, open-file-description locks */
#endif

#include "policy/audit/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_BLOCK  4096
#define SEGMENT_SUFFIX ".jsonl"
#define SEGMENT_NODE   128            /* bytes of the node in a name */

/* ---- names ---- */

/* The number between the dash before *end and *end, which is moved to that dash. */
static bool
number_before(const char *name, const char **end, uint64_t *number)
{
    const char *begin = *end;
    char       *stop;

    while (begin > name && begin[-1] >= '0' && begin[-1] <= '9') {
        begin--;
    }
    if (begin == *end || *end - begin > 20 || begin - name < 2 || begin[-1] != '-') {
        return false;
    }

    errno = 0;
    *number = strtoull(begin, &stop, 10);
    *end = begin - 1;

    return errno == 0;
}

bool
gh_segment_name_parse(const char *name, gh_segment_name_t *parsed)
{
    size_t      len = strlen(name), suffix = sizeof(SEGMENT_SUFFIX) - 1;
    const char *end;

    if (len <= suffix || len >= GH_SEGMENT_NAME || strcmp(name + len - suffix, SEGMENT_SUFFIX) != 0 || name[0] == '.') {
        return false;
    }

    end = name + len - suffix;
    if (!number_before(name, &end, &parsed->sequence) || !number_before(name, &end, &parsed->pid)
        || !number_before(name, &end, &parsed->epoch_ms))
    {
        return false;
    }

    parsed->node = (gh_str_t) { name, (size_t) (end - name) };

    return true;
}

/* Bytes of the node's name that would reach into the path, or hide the file, become "_". */
void
gh_segment_name_write(const gh_segment_name_t *parts, char name[GH_SEGMENT_NAME])
{
    char   node[SEGMENT_NODE + 1];
    size_t len = parts->node.len < SEGMENT_NODE ? parts->node.len : SEGMENT_NODE;

    for (size_t i = 0; i < len; i++) {
        char c = parts->node.data[i];

        node[i] = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'
                  || (c == '.' && i != 0) ? c : '_';
    }
    if (len == 0) {
        node[len++] = '_';
    }
    node[len] = '\0';

    snprintf(name, GH_SEGMENT_NAME, "%s-%" PRIu64 "-%" PRIu64 "-%" PRIu64 SEGMENT_SUFFIX, node, parts->epoch_ms, parts->pid,
        parts->sequence);
}

static void
path_of(const char *directory, const char *name, char path[GH_SEGMENT_PATH])
{
    snprintf(path, GH_SEGMENT_PATH, "%s/open/%s", directory, name);
}

static void
path_unnamed(const char *directory, const char *name, char path[GH_SEGMENT_PATH])
{
    snprintf(path, GH_SEGMENT_PATH, "%s/open/.%s.new", directory, name);
}

/* ---- making one ---- */

static int
segment_lock(int fd)
{
    struct flock lock;

    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;

    return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? GH_OK : GH_ERROR;
}

int
gh_segment_make(const char *directory, const gh_segment_name_t *name, uint64_t hold, bool *no_hold, gh_segment_t *segment)
{
    char path[GH_SEGMENT_PATH];
    int  code;

    memset(segment, 0, sizeof(*segment));
    segment->sequence = name->sequence;
    gh_segment_name_write(name, segment->name);
    path_unnamed(directory, segment->name, path);

    /* left by a death in this very place, of an owner with the same name: nobody's */
    unlink(path);

    segment->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (segment->fd == -1) {
        return GH_ERROR;
    }

    /* The agent and the workers finish what the other left: they share the directory's group, whatever their umask says. */
    (void) fchmod(segment->fd, 0660);

    if (segment_lock(segment->fd) == GH_OK && gh_segment_hold(segment, hold, no_hold) == GH_OK) {
        return GH_OK;
    }

    code = errno;
    gh_segment_discard(directory, segment);
    errno = code;

    return GH_ERROR;
}

/* link, not rename: that would take the place of a file that is there. */
int
gh_segment_publish(const char *directory, gh_segment_t *segment)
{
    char path[GH_SEGMENT_PATH], fresh[GH_SEGMENT_PATH];

    path_of(directory, segment->name, path);
    path_unnamed(directory, segment->name, fresh);

    if (link(fresh, path) != 0) {
        return GH_ERROR;
    }
    unlink(fresh);

    return GH_OK;
}

void
gh_segment_discard(const char *directory, gh_segment_t *segment)
{
    char path[GH_SEGMENT_PATH];

    path_unnamed(directory, segment->name, path);
    unlink(path);
    close(segment->fd);
    segment->fd = -1;
}

/* KEEP_SIZE: readers see whole lines only, and never zeros behind them. */
int
gh_segment_hold(gh_segment_t *segment, uint64_t upto, bool *no_hold)
{
    if (*no_hold || upto <= segment->held) {
        return GH_OK;
    }

    upto = (upto + SEGMENT_BLOCK - 1) / SEGMENT_BLOCK * SEGMENT_BLOCK;

    while (fallocate(segment->fd, FALLOC_FL_KEEP_SIZE, (off_t) segment->held, (off_t) (upto - segment->held)) != 0) {
        if (errno == EOPNOTSUPP || errno == ENOSYS) {
            *no_hold = true;
            return GH_OK;
        }
        if (errno != EINTR) {
            return GH_ERROR;
        }
    }

    segment->held = upto;

    return GH_OK;
}

/* ---- writing ---- */

/* No room is no damage, as long as what was begun can be cut off again. */
static bool
only_full(int code)
{
    return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

/* What stays in a file that failed: whole lines among the bytes that went through. */
static void
segment_through(gh_segment_t *segment, const char *text, size_t done)
{
    const char *p = text, *newline;

    while ((newline = memchr(p, '\n', (size_t) (text + done - p))) != NULL) {
        p = newline + 1;
        segment->through++;
    }
    segment->size += (uint64_t) (p - text);
    segment->n += segment->through;
}

int
gh_segment_write(gh_segment_t *segment, const char *text, size_t len, unsigned lines)
{
    size_t  done = 0;
    ssize_t written;
    int     code;

    while (done < len) {
        written = write(segment->fd, text + done, len - done);
        if (written >= 0) {
            done += (size_t) written;        /* short: the next one says why */
        } else if (errno != EINTR) {
            break;
        }
    }

    if (done == len) {
        segment->size += len;
        segment->n += lines;
        if (segment->held < segment->size) {
            segment->held = segment->size;
        }
        return GH_OK;
    }

    code = errno;
    segment->through = 0;

    if (!only_full(code)) {
        segment->failed = true;

    } else if (done > 0) {
        segment->held = segment->size;       /* cutting gives the blocks behind it back too */
        segment->failed = ftruncate(segment->fd, (off_t) segment->size) != 0;
    }

    if (segment->failed && done > 0) {
        segment_through(segment, text, done);
    }

    segment->error = code;
    errno = code;

    return GH_ERROR;
}

bool
gh_segment_intact(const gh_segment_t *segment, uint64_t *torn)
{
    struct stat st;

    *torn = 0;

    if (fstat(segment->fd, &st) != 0) {
        return false;
    }
    if (st.st_nlink != 0 && (uint64_t) st.st_size == segment->size) {
        return true;
    }
    if ((uint64_t) st.st_size > segment->size) {
        *torn = (uint64_t) st.st_size - segment->size;
    }

    return false;
}

/* Blocks behind the end go back; bytes of one that failed stay as they are, whoever wrote them. */
static int
segment_give_back(const gh_segment_t *segment)
{
    struct stat st = { .st_size = (off_t) segment->size };

    if (segment->failed && fstat(segment->fd, &st) != 0) {
        return GH_ERROR;
    }

    return ftruncate(segment->fd, st.st_size) == 0 ? GH_OK : GH_ERROR;
}

void
gh_segment_close(gh_segment_t *segment)
{
    if (segment->fd == -1) {
        return;
    }

    if (segment->held > segment->size && segment_give_back(segment) != GH_OK) {
        segment->held = segment->size;       /* only room is lost */
    }

    close(segment->fd);
    segment->fd = -1;
}

/* ---- somebody else's ---- */

gh_segment_take_t
gh_segment_take(const char *directory, const char *name, gh_segment_t *segment)
{
    gh_segment_name_t parts;
    char              path[GH_SEGMENT_PATH];
    struct stat       st;

    memset(segment, 0, sizeof(*segment));
    segment->fd = -1;
    if (!gh_segment_name_parse(name, &parts)) {
        errno = EINVAL;
        return GH_SEGMENT_UNREADABLE;
    }
    snprintf(segment->name, sizeof(segment->name), "%s", name);
    segment->sequence = parts.sequence;
    path_of(directory, name, path);

    segment->fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (segment->fd == -1) {
        return errno == ENOENT ? GH_SEGMENT_GONE : GH_SEGMENT_UNREADABLE;
    }

    if (segment_lock(segment->fd) != GH_OK) {
        gh_segment_take_t why = errno == EAGAIN || errno == EACCES ? GH_SEGMENT_LIVE : GH_SEGMENT_UNREADABLE;

        close(segment->fd);
        segment->fd = -1;
        return why;
    }

    if (fstat(segment->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink == 0) {
        close(segment->fd);
        segment->fd = -1;
        errno = EINVAL;
        return GH_SEGMENT_UNREADABLE;
    }

    segment->size = segment->held = (uint64_t) st.st_size;
    if ((uint64_t) st.st_blocks * 512 > segment->held) {
        segment->held = (uint64_t) st.st_blocks * 512 / SEGMENT_BLOCK * SEGMENT_BLOCK;
    }

    return GH_SEGMENT_TAKEN;
}
