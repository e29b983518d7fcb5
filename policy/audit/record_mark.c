#include "policy/audit/record_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/audit/line.h"
#include "policy/audit/segment.h"

static uint64_t
number(const void *data, size_t len)
{
    uint64_t key = gh_line_id_key((gh_str_t) { data, len });

    return key != 0 ? key : 1;
}

/* One that is not there yet is told from others by its path alone. */
static uint64_t
directory_number(const char *path)
{
    struct stat info;
    uint64_t    pair[2];

    if (stat(path, &info) != 0) {
        return number(path, strlen(path));
    }
    pair[0] = (uint64_t) info.st_dev;
    pair[1] = (uint64_t) info.st_ino;
    return number(pair, sizeof(pair));
}

static bool
may_finish(const char *directory)
{
    char path[GH_SEGMENT_PATH];

    snprintf(path, sizeof(path), "%s/open", directory);
    return faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) == 0 || errno == ENOENT;
}

void
gh_record_mark(const gh_record_options_t *options, bool finishes, gh_record_mark_t *mark)
{
    uint64_t directories[GH_RECORD_DIRECTORIES] = { 0 };
    bool     may = true;

    for (unsigned d = 0; d < GH_RECORD_DIRECTORIES && options->directories[d] != NULL; d++) {
        directories[d] = directory_number(options->directories[d]);
        may = may && (!finishes || may_finish(options->directories[d]));
    }
    mark->node = number(options->node.data, options->node.len);
    mark->audit = may ? number(directories, sizeof(directories)) : 0;
}
