#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "policy/audit/voided.h"

#include "policy/audit/line.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VOIDED_FIRST 8192             /* bytes of a segment line, at most */

/* The part of a segment's name that its writer's others have too; false: it is none. */
static bool
writer_of(const char *path, char writer[GH_SEGMENT_NAME], uint64_t *sequence)
{
    const char       *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path, *dash;
    gh_segment_name_t parts;

    if (!gh_segment_name_parse(name, &parts)) {
        return false;
    }
    dash = strrchr(name, '-');
    memcpy(writer, name, (size_t) (dash - name));
    writer[dash - name] = '\0';
    *sequence = parts.sequence;

    return true;
}

static bool
first_line(const char *path, char *buffer, gh_str_t *line)
{
    int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t     len = fd != -1 ? read(fd, buffer, VOIDED_FIRST) : -1;
    const char *newline = len > 0 ? memchr(buffer, '\n', (size_t) len) : NULL;

    if (fd != -1) {
        close(fd);
    }
    if (newline == NULL) {
        return false;
    }
    *line = (gh_str_t) { buffer, (size_t) (newline - buffer) };

    return true;
}

int
gh_voids_look(gh_voids_t *voids, const char *path)
{
    char       buffer[VOIDED_FIRST], other[GH_SEGMENT_NAME], name[GH_SEGMENT_NAME];
    gh_void_t  found;
    gh_void_t *items;
    gh_line_t  line;
    gh_str_t   text, what, file;

    if (!writer_of(path, found.writer, &found.until) || found.until == 0 || !first_line(path, buffer, &text)) {
        return GH_OK;
    }
    what = gh_line_read(text, &line) && line.type == GH_LINE_SEGMENT ? gh_line_member(text, "void") : GH_STR("");
    file = what.len != 0 ? gh_line_member(what, "file") : what;
    if (file.len < 3 || file.len - 2 >= sizeof(name)) {
        return GH_OK;
    }
    memcpy(name, file.data + 1, file.len - 2);
    name[file.len - 2] = '\0';
    if (!writer_of(name, other, &found.from) || strcmp(other, found.writer) != 0) {
        return GH_OK;                    /* of its own lines, and no others, may a writer say so */
    }
    found.line = gh_line_number(what, "line");

    if (voids->count == voids->capacity) {
        size_t capacity = voids->capacity * 2 + 16;

        items = realloc(voids->items, capacity * sizeof(*items));
        if (items == NULL) {
            return GH_ERROR;
        }
        voids->items = items;
        voids->capacity = capacity;
    }
    voids->items[voids->count++] = found;

    return GH_OK;
}

uint64_t
gh_voids_counted(const gh_voids_t *voids, const char *path)
{
    char     writer[GH_SEGMENT_NAME];
    uint64_t sequence, counted = UINT64_MAX;

    if (voids->count == 0 || !writer_of(path, writer, &sequence)) {
        return counted;
    }
    for (size_t i = 0; i < voids->count; i++) {
        const gh_void_t *item = &voids->items[i];

        if (sequence < item->from || sequence >= item->until || strcmp(writer, item->writer) != 0) {
            continue;
        }
        if (sequence > item->from) {
            counted = 0;
        } else if (item->line < counted) {
            counted = item->line;
        }
    }

    return counted;
}

void
gh_voids_free(gh_voids_t *voids)
{
    free(voids->items);
    memset(voids, 0, sizeof(*voids));
}
