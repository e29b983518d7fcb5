#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* memrchr */
#endif

#include "policy/audit/segment_read.h"

#include "policy/audit/line.h"
#include "policy/audit/record_writer.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READER_SIZE (8 * GH_RECORD_LINE_MAX)

int
gh_segment_each(const char *directory, gh_segment_each_fn each, void *context, bool *there)
{
    DIR              *stream = opendir(directory);
    struct dirent    *entry;
    gh_segment_name_t parts;
    int               rc = GH_OK;

    if (there != NULL) {
        *there = stream != NULL || errno != ENOENT;
    }
    if (stream == NULL) {
        return GH_ERROR;
    }

    while (rc == GH_OK && (entry = readdir(stream)) != NULL) {
        if (gh_segment_name_parse(entry->d_name, &parts)) {
            rc = each(context, entry->d_name, &parts);
        }
    }
    closedir(stream);

    return rc;
}

bool
gh_segment_reader_open(gh_segment_reader_t *reader, int fd, uint64_t offset)
{
    memset(reader, 0, sizeof(*reader));
    reader->fd = fd;
    reader->at = reader->from = offset;
    reader->buffer = malloc(READER_SIZE);

    return reader->buffer != NULL;
}

void
gh_segment_reader_close(gh_segment_reader_t *reader)
{
    free(reader->buffer);
    free(reader->whole);
    reader->buffer = reader->whole = NULL;
    gh_basis_texts_free(&reader->bases);
}

/* More bytes behind those that are there. 1; 0: the file has no more; GH_ERROR. */
static int
reader_fill(gh_segment_reader_t *reader)
{
    ssize_t n;

    if (reader->begin != 0) {
        memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
        reader->end -= reader->begin;
        reader->begin = 0;
    }

    do {
        n = pread(reader->fd, reader->buffer + reader->end, READER_SIZE - reader->end, (off_t) reader->at);
    } while (n == -1 && errno == EINTR);

    if (n <= 0) {
        return n == 0 ? 0 : GH_ERROR;
    }
    reader->end += (size_t) n;
    reader->at += (uint64_t) n;

    return 1;
}

/* The next line as it stands. */
static int
reader_raw(gh_segment_reader_t *reader, gh_str_t *text)
{
    char  *newline;
    size_t looked = 0;
    int    rc;

    for (;;) {
        newline = memchr(reader->buffer + reader->begin + looked, '\n', reader->end - reader->begin - looked);
        if (newline != NULL) {
            break;
        }

        looked = reader->end - reader->begin;
        if (looked == READER_SIZE) {
            reader->line = reader->at - looked;
            *text = (gh_str_t) { reader->buffer, looked };
            reader->begin = reader->end = 0;
            reader->oversize = true;
            return 1;
        }

        rc = reader_fill(reader);
        if (rc != 1) {
            return rc;
        }
    }

    reader->oversize = false;
    reader->line = reader->at - (reader->end - reader->begin);
    *text = (gh_str_t) { reader->buffer + reader->begin, (size_t) (newline - reader->buffer) - reader->begin };
    reader->begin = (size_t) (newline - reader->buffer) + 1;

    return 1;
}

/* What stands before the place where reading began. */
static void
reader_before(gh_segment_reader_t *reader)
{
    gh_segment_reader_t before;
    gh_str_t            text;
    gh_line_t           line;

    if (!gh_segment_reader_open(&before, reader->fd, 0)) {
        return;
    }
    while (reader_raw(&before, &text) == 1 && before.line < reader->from) {
        if (gh_line_read(text, &line) && line.type == GH_LINE_BASIS) {
            (void) gh_basis_take(&reader->bases, text);
        }
    }
    gh_segment_reader_close(&before);
    reader->from = 0;
}

int
gh_segment_reader_next(gh_segment_reader_t *reader, gh_str_t *text)
{
    int       rc = reader_raw(reader, text);
    gh_line_t line;

    reader->raw = rc == 1 ? *text : (gh_str_t) { 0 };
    reader->unknown = false;
    if (rc != 1 || reader->oversize || !gh_line_read(*text, &line)) {
        return rc;
    }
    if (line.type == GH_LINE_BASIS) {
        reader->unknown = gh_basis_take(&reader->bases, *text) != GH_OK;
        return rc;
    }
    if (line.type != GH_LINE_DECISION) {
        return rc;
    }
    if (reader->whole == NULL && (reader->whole = malloc(GH_RECORD_LINE_MAX)) == NULL) {
        errno = ENOMEM;
        return GH_ERROR;
    }
    if (gh_basis_whole(&reader->bases, reader->raw, reader->whole, GH_RECORD_LINE_MAX, text) == GH_OK) {
        return rc;
    }
    if (reader->from != 0) {
        reader_before(reader);
    }
    reader->unknown = gh_basis_whole(&reader->bases, reader->raw, reader->whole, GH_RECORD_LINE_MAX, text) != GH_OK;

    return rc;
}

size_t
gh_segment_reader_torn(const gh_segment_reader_t *reader)
{
    return reader->end - reader->begin;
}

/* The offset behind the last newline before `end`; 0: there is none. */
static int
line_end(int fd, uint64_t end, uint64_t *offset)
{
    char buffer[8192];

    while (end > 0) {
        size_t      len = end < sizeof(buffer) ? (size_t) end : sizeof(buffer);
        ssize_t     n = pread(fd, buffer, len, (off_t) (end - len));
        const char *newline;

        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n != (ssize_t) len) {
            errno = n == -1 ? errno : EIO;
            return GH_ERROR;
        }

        newline = memrchr(buffer, '\n', len);
        if (newline != NULL) {
            *offset = end - len + (uint64_t) (newline - buffer) + 1;
            return GH_OK;
        }
        end -= len;
    }
    *offset = 0;

    return GH_OK;
}

int
gh_segment_last(int fd, uint64_t size, char **text, size_t *len, uint64_t *torn)
{
    uint64_t end, begin;

    *text = NULL;
    *len = 0;
    if (line_end(fd, size, &end) != GH_OK) {
        return GH_ERROR;
    }
    *torn = size - end;
    if (end == 0) {
        return GH_OK;
    }
    if (line_end(fd, end - 1, &begin) != GH_OK) {
        return GH_ERROR;
    }

    *len = (size_t) (end - 1 - begin);
    *text = malloc(*len + 1);
    if (*text == NULL) {
        errno = ENOMEM;
        return GH_ERROR;
    }
    if (pread(fd, *text, *len, (off_t) begin) != (ssize_t) *len) {
        free(*text);
        *text = NULL;
        errno = EIO;
        return GH_ERROR;
    }
    (*text)[*len] = '\0';

    return GH_OK;
}
