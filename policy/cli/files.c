/* Reading documents and requests. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/cli/files.h"

/* Everything of fd up to max bytes. */
static int
read_all(gh_arena_t *arena, int fd, const char *path, size_t expected, size_t max, gh_str_t *text,
    gh_error_t *error)
{
    size_t size = expected + 2, len = 0;
    char  *data = gh_arena_alloc(arena, size);

    for ( ;; ) {
        if (data == NULL) {
            return gh_error_at(error, "no_memory", path, 0, 0, "out of memory");
        }

        ssize_t n = read(fd, data + len, size - 1 - len);

        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return gh_error_at(error, "file", path, 0, 0, "cannot read %s: %s", path, strerror(errno));
        }

        if (n == 0) {
            break;
        }

        len += (size_t) n;
        if (len > max) {
            return gh_error_at(error, "file", path, 0, 0, "%s is larger than %zu bytes", path, max);
        }

        if (len == size - 1) {
            data = gh_arena_grow(arena, data, len, size * 2, 1);
            size *= 2;
        }
    }

    data[len] = '\0';
    *text = (gh_str_t) { data, len };

    return GH_OK;
}

int
gh_cli_read_file(gh_arena_t *arena, const char *path, size_t max, gh_str_t *text, gh_error_t *error)
{
    struct stat info;
    int         fd, status;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);    /* a FIFO must not hold the command up */
    if (fd == -1) {
        return gh_error_at(error, "file", path, 0, 0, "cannot open %s: %s", path, strerror(errno));
    }

    if (fstat(fd, &info) == -1 || !S_ISREG(info.st_mode)) {
        close(fd);
        return gh_error_at(error, "file", path, 0, 0, "%s is not a file", path);
    }

    if ((uint64_t) info.st_size > max) {
        close(fd);
        return gh_error_at(error, "file", path, 0, 0, "%s is larger than %zu bytes", path, max);
    }

    status = read_all(arena, fd, path, (size_t) info.st_size, max, text, error);
    close(fd);

    return status;
}

int
gh_cli_read_input(gh_arena_t *arena, const char *path, size_t max, gh_str_t *text, gh_error_t *error)
{
    if (strcmp(path, "-") == 0) {
        return read_all(arena, STDIN_FILENO, "standard input", 65536, max, text, error);
    }

    return gh_cli_read_file(arena, path, max, text, error);
}

int
gh_cli_files_add(gh_arena_t *arena, gh_cli_files_t *files, const char *path, size_t skip, gh_error_t *error)
{
    gh_cli_file_t *file;

    if (files->count == GH_CLI_DOCUMENTS_MAX) {
        return gh_error_at(error, "file", path, 0, 0, "more than %d documents", GH_CLI_DOCUMENTS_MAX);
    }

    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? files->capacity * 2 : 16;

        files->files = gh_arena_grow(arena, files->files, files->count, capacity, sizeof(gh_cli_file_t));
        files->capacity = files->files ? capacity : 0;
    }

    if (files->files == NULL) {
        return gh_error_at(error, "no_memory", path, 0, 0, "out of memory");
    }

    file = &files->files[files->count];
    file->path = gh_str_copy(arena, gh_str_from(path));
    if (file->path.data == NULL) {
        return gh_error_at(error, "no_memory", path, 0, 0, "out of memory");
    }
    file->name = (gh_str_t) { file->path.data + skip, file->path.len - skip };

    if (gh_cli_read_file(arena, path, GH_CLI_DOCUMENT_MAX, &file->text, error) != GH_OK) {
        return GH_ERROR;
    }
    files->count++;

    return GH_OK;
}

static bool
ends_json(const char *name)
{
    size_t len = strlen(name);

    return len > 5 && strcmp(name + len - 5, ".json") == 0;
}

/* Where a walk is: skip is the length of the directory as given and its slash. */
typedef struct {
    gh_arena_t     *arena;
    gh_cli_files_t *files;
    size_t          skip;
    gh_error_t     *error;
} walk_t;

static int read_below(walk_t *walk, const char *directory, unsigned depth);

static int
read_entry(walk_t *walk, const char *path, const char *name, unsigned depth)
{
    struct stat info;

    if (lstat(path, &info) == -1) {
        return gh_error_at(walk->error, "file", path, 0, 0, "cannot look at %s: %s", path, strerror(errno));
    }

    if (S_ISDIR(info.st_mode)) {
        return read_below(walk, path, depth + 1);
    }

    if (S_ISLNK(info.st_mode) && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        return gh_error_at(walk->error, "file", path, 0, 0, "%s is a link to a directory, which is not followed; put the "
            "documents themselves below the directory that is applied", path);
    }

    return ends_json(name) ? gh_cli_files_add(walk->arena, walk->files, path, walk->skip, walk->error) : GH_OK;
}

static int
read_below(walk_t *walk, const char *directory, unsigned depth)
{
    DIR           *stream;
    struct dirent *entry;
    int            status = GH_OK;
    const char    *slash = directory[strlen(directory) - 1] == '/' ? "" : "/";

    if (depth > GH_CLI_DEPTH_MAX) {
        return gh_error_at(walk->error, "file", directory, 0, 0, "%s is more than %d directories deep", directory,
            GH_CLI_DEPTH_MAX);
    }

    stream = opendir(directory);
    if (stream == NULL) {
        return gh_error_at(walk->error, "file", directory, 0, 0, "cannot open %s: %s", directory, strerror(errno));
    }

    if (depth == 0) {
        walk->skip = strlen(directory) + strlen(slash);
    }

    while (status == GH_OK && (errno = 0, entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }

        gh_str_t path = gh_str_format(walk->arena, "%s%s%s", directory, slash, entry->d_name);

        status = path.data == NULL ? gh_error_at(walk->error, "no_memory", directory, 0, 0, "out of memory")
                                   : read_entry(walk, path.data, entry->d_name, depth);
    }

    if (status == GH_OK && errno != 0) {
        status = gh_error_at(walk->error, "file", directory, 0, 0, "cannot read %s: %s", directory, strerror(errno));
    }
    closedir(stream);

    return status;
}

static int
compare_names(const void *a, const void *b)
{
    return gh_str_cmp(((const gh_cli_file_t *) a)->name, ((const gh_cli_file_t *) b)->name);
}

int
gh_cli_read_directory(gh_arena_t *arena, const char *directory, gh_cli_files_t *files, gh_error_t *error)
{
    walk_t walk = { .arena = arena, .files = files, .error = error };

    *files = (gh_cli_files_t) { 0 };

    if (read_below(&walk, directory, 0) != GH_OK) {
        return GH_ERROR;
    }

    if (files->count == 0) {
        return gh_error_at(error, "file", directory, 0, 0, "no *.json file below %s", directory);
    }

    qsort(files->files, files->count, sizeof(gh_cli_file_t), compare_names);

    return GH_OK;
}
