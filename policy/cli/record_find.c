/*
 * Segment files are named <node>-<epoch>-<pid>-<sequence>.jsonl: a request with an id of time t stands in one whose writer
 * began before t and wrote after it. Files are read, not mapped: a writer may cut a failed line off while we look.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* memmem */
#endif

#include "policy/cli/record_find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/audit/basis.h"
#include "policy/audit/record_writer.h"
#include "policy/audit/segment.h"

#define SLACK_MS    300000u           /* clocks that were set between an id and its line */
#define SEGMENT_MAX (1024u << 20)     /* bytes of one segment file */

typedef struct {
    gh_arena_t     *arena;
    gh_str_t        id;
    uint64_t        id_ms;
    bool            likely;           /* this pass reads the likely files; the next one the others */
    gh_cli_lines_t *lines;
    gh_error_t     *error;
    gh_basis_texts_t bases;           /* of the file */
    bool            based;            /* they were looked for */
} search_t;

static bool
is_likely(const search_t *search, const char *name, const struct stat *info)
{
    gh_segment_name_t parts;
    uint64_t          modified_ms = (uint64_t) info->st_mtim.tv_sec * 1000;

    if (gh_segment_name_parse(name, &parts) && parts.epoch_ms > search->id_ms + SLACK_MS) {
        return false;
    }

    return modified_ms + SLACK_MS >= search->id_ms;
}

/* One line that names the id somewhere, of a file's bytes `data`: kept when it is this request's. */
static int
take_line(search_t *search, gh_str_t data, gh_str_t line, const char *path)
{
    char            whole[GH_RECORD_LINE_MAX];
    gh_str_t        text;
    gh_cli_lines_t *lines = search->lines;
    gh_str_t        file;
    json_error_t    why;
    json_t         *json, *id;

    if (!search->based) {
        search->based = true;
        lines->damaged += gh_basis_take_all(&search->bases, data) != GH_OK;
    }
    lines->damaged += gh_basis_whole(&search->bases, line, whole, sizeof(whole), &text) != GH_OK;
    json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &why);
    if (json == NULL) {
        lines->damaged++;
        return GH_OK;
    }

    id = json_object_get(json, "id");
    if (!json_is_string(id) || !gh_str_eq(search->id, (gh_str_t) { json_string_value(id), json_string_length(id) })) {
        json_decref(json);
        return GH_OK;
    }

    file = gh_str_copy(search->arena, gh_str_from(path));
    if (lines->count == GH_CLI_LINES_MAX || file.data == NULL) {
        json_decref(json);
        return gh_error_set(search->error, "record", "more than %d lines of one request", GH_CLI_LINES_MAX);
    }

    lines->lines[lines->count].json = json;
    lines->lines[lines->count].file = file.data;
    lines->count++;

    return GH_OK;
}

static int
search_bytes(search_t *search, const char *data, size_t len, const char *path)
{
    const char *at = data, *end = data + len;

    while ((at = memmem(at, (size_t) (end - at), search->id.data, search->id.len)) != NULL) {
        const char *begin = at, *stop = memchr(at, '\n', (size_t) (end - at));

        while (begin > data && begin[-1] != '\n') {
            begin--;
        }

        if (stop == NULL) {
            break;    /* a line that is still being written */
        }

        if (take_line(search, (gh_str_t) { data, len }, (gh_str_t) { begin, (size_t) (stop - begin) }, path) != GH_OK) {
            return GH_ERROR;
        }
        at = stop;
    }

    return GH_OK;
}

static int
search_file(search_t *search, int fd, size_t size, const char *path)
{
    char  *data = malloc(size + 1);
    size_t len = 0;
    int    status;

    if (data == NULL) {
        return gh_error_at(search->error, "record", path, 0, 0, "out of memory");
    }

    while (len < size) {
        ssize_t n = read(fd, data + len, size - len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            free(data);
            return gh_error_at(search->error, "record", path, 0, 0, "cannot read %s: %s", path, strerror(errno));
        }
        if (n == 0) {
            break;
        }
        len += (size_t) n;
    }

    search->lines->files++;
    search->based = false;
    status = search_bytes(search, data, len, path);
    gh_basis_texts_free(&search->bases);
    free(data);

    return status;
}

static int
search_entry(search_t *search, const char *directory, const char *name)
{
    gh_str_t    path = gh_str_format(search->arena, "%s/%s", directory, name);
    struct stat info;
    int         fd, status = GH_OK;

    if (path.data == NULL) {
        return gh_error_set(search->error, "record", "out of memory");
    }

    fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1) {
        return errno == ENOENT ? GH_OK    /* sealed and moved between the listing and now */
            : gh_error_at(search->error, "record", path.data, 0, 0, "cannot open %s: %s", path.data, strerror(errno));
    }

    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && is_likely(search, name, &info) == search->likely) {
        status = info.st_size > (off_t) SEGMENT_MAX
            ? gh_error_at(search->error, "record", path.data, 0, 0, "%s is larger than a segment can be", path.data)
            : search_file(search, fd, (size_t) info.st_size, path.data);
    }
    close(fd);

    return status;
}

/* *there: the directory exists. */
static int
search_directory(search_t *search, const char *directory, bool *there)
{
    DIR           *stream = opendir(directory);
    struct dirent *entry;
    int            status = GH_OK;

    *there = stream != NULL || errno != ENOENT;
    if (stream == NULL) {
        return errno == ENOENT ? GH_OK
            : gh_error_at(search->error, "record", directory, 0, 0, "cannot open %s: %s", directory, strerror(errno));
    }

    while (status == GH_OK && (entry = readdir(stream)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (len > 6 && strcmp(entry->d_name + len - 6, ".jsonl") == 0) {
            status = search_entry(search, directory, entry->d_name);
        }
    }
    closedir(stream);

    return status;
}

static int
search_all(search_t *search, const char *directory)
{
    static const char *const parts[] = { "open", "sealed" };
    bool                     any = false, there;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        gh_str_t path = gh_str_format(search->arena, "%s/%s", directory, parts[i]);

        if (path.data == NULL) {
            return gh_error_set(search->error, "record", "out of memory");
        }
        if (search_directory(search, path.data, &there) != GH_OK) {
            return GH_ERROR;
        }
        any = any || there;
    }

    if (any) {
        return GH_OK;
    }

    if (search_directory(search, directory, &there) != GH_OK) {
        return GH_ERROR;
    }

    return there ? GH_OK : gh_error_at(search->error, "record", directory, 0, 0, "there is no directory %s", directory);
}

/* The same line once more: written again when its file had failed. */
static bool
same_line(const json_t *a, const json_t *b)
{
    json_t *x = json_copy((json_t *) a), *y = json_copy((json_t *) b);
    bool    same;

    json_object_del(x, "prev");
    json_object_del(x, "n");
    json_object_del(y, "prev");
    json_object_del(y, "n");
    same = json_equal(x, y) != 0;
    json_decref(x);
    json_decref(y);

    return same;
}

static void
drop_doubled(gh_cli_lines_t *lines)
{
    size_t kept = 0;

    for (size_t i = 0; i < lines->count; i++) {
        bool doubled = false;

        for (size_t j = 0; j < kept && !doubled; j++) {
            doubled = same_line(lines->lines[j].json, lines->lines[i].json);
        }
        if (doubled) {
            json_decref(lines->lines[i].json);
        } else {
            lines->lines[kept++] = lines->lines[i];
        }
    }
    lines->count = kept;
}

/* By time; lines of the same millisecond in the order decision, attempt, outcome. */
static int
compare_lines(const void *a, const void *b)
{
    const json_t *x = ((const gh_cli_line_t *) a)->json, *y = ((const gh_cli_line_t *) b)->json;
    json_int_t    t = json_integer_value(json_object_get(x, "t")), u = json_integer_value(json_object_get(y, "t"));
    const char   *p = json_string_value(json_object_get(x, "type")), *q = json_string_value(json_object_get(y, "type"));

    if (t != u) {
        return t < u ? -1 : 1;
    }

    p = p && strcmp(p, "decision") != 0 ? p : "";
    q = q && strcmp(q, "decision") != 0 ? q : "";

    return strcmp(p, q);
}

int
gh_cli_record_find(gh_arena_t *arena, const char *const *directories, gh_str_t id, uint64_t id_ms, gh_cli_lines_t *lines,
    gh_error_t *error)
{
    search_t search = { .arena = arena, .id = id, .id_ms = id_ms, .lines = lines, .error = error };

    memset(lines, 0, sizeof(*lines));

    for (int pass = 0; pass < 2 && lines->count == 0; pass++) {
        search.likely = pass == 0;
        for (size_t i = 0; directories[i] != NULL; i++) {
            if (search_all(&search, directories[i]) != GH_OK) {
                return GH_ERROR;
            }
        }
    }

    drop_doubled(lines);
    qsort(lines->lines, lines->count, sizeof(lines->lines[0]), compare_lines);

    return GH_OK;
}

void
gh_cli_record_free(gh_cli_lines_t *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        json_decref(lines->lines[i].json);
    }
    lines->count = 0;
}
