/* Which segments the audit directories have. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* F_OFD_GETLK */
#endif

#include "policy/cli/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/audit/segment_read.h"
#include "policy/audit/voided.h"

const char gh_cli_audit_words[] =
    "The record: a line for each decision before anything is sent, for each further attempt, for how a request ended, for requests\n"
    "that a dead worker lost, and for each edit of policy and keys. It lies in segments below HOME/audit, each a chain of hashes.\n";

typedef struct {
    gh_cli_t          *cli;
    gh_cli_segments_t *segments;
    const char        *directory;
} listing_t;

static int
add(void *context, const char *name, const gh_segment_name_t *parts)
{
    listing_t         *listing = context;
    gh_cli_segments_t *segments = listing->segments;
    gh_cli_segment_t  *item;
    gh_str_t           path = gh_str_format(listing->cli->arena, "%s/%s", listing->directory, name);
    struct stat        st;

    (void) parts;
    if (segments->count == segments->capacity) {
        size_t capacity = segments->capacity * 2 + 64;

        segments->items = gh_arena_grow(listing->cli->arena, segments->items, segments->count, capacity, sizeof(*item));
        segments->capacity = segments->items != NULL ? capacity : 0;
    }
    if (path.data == NULL || segments->items == NULL) {
        errno = ENOMEM;
        return GH_ERROR;
    }
    if (stat(path.data, &st) != 0 || !S_ISREG(st.st_mode)) {
        return GH_OK;                    /* moved between the listing and now */
    }

    item = &segments->items[segments->count++];
    item->path = path.data;
    item->name = path.data + strlen(listing->directory) + 1;
    gh_segment_name_parse(item->name, &item->parts);
    item->modified_ms = (uint64_t) st.st_mtim.tv_sec * 1000 + (uint64_t) st.st_mtim.tv_nsec / 1000000;
    item->size = (uint64_t) st.st_size;
    item->counted = UINT64_MAX;

    return GH_OK;
}

static int
compare(const void *a, const void *b)
{
    const gh_segment_name_t *x = &((const gh_cli_segment_t *) a)->parts, *y = &((const gh_cli_segment_t *) b)->parts;
    int                      node = gh_str_cmp(x->node, y->node);

    if (node != 0) {
        return node;
    }
    if (x->epoch_ms != y->epoch_ms) {
        return x->epoch_ms < y->epoch_ms ? -1 : 1;
    }
    if (x->pid != y->pid) {
        return x->pid < y->pid ? -1 : 1;
    }

    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static int
list_directory(gh_cli_t *cli, const char *directory, gh_cli_segments_t *segments)
{
    static const char *const parts[] = { "/open", "/sealed", "" };
    bool                     any = false;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !(i == 2 && any); i++) {
        gh_str_t  path = gh_str_format(cli->arena, "%s%s", directory, parts[i]);
        listing_t listing = { cli, segments, path.data };
        bool      there = false;

        if (path.data == NULL) {
            return gh_cli_fail(cli, "out of memory");
        }
        if (gh_segment_each(path.data, add, &listing, &there) != GH_OK && (there || i == 2)) {
            gh_cli_fail(cli, "cannot list %s: %s", path.data, strerror(errno));
            gh_cli_advise("run this as a user who may read the record, or name its directory");
            return GH_EXIT_ERROR;
        }
        any = any || there;
    }

    return GH_EXIT_DONE;
}

int
gh_cli_segments_list(gh_cli_t *cli, gh_cli_segments_t *segments)
{
    const char *directory;
    unsigned    given = 0;
    int         status = GH_EXIT_DONE;

    memset(segments, 0, sizeof(*segments));

    for (; given < cli->argument_count && status == GH_EXIT_DONE; given++) {
        status = list_directory(cli, cli->arguments[given], segments);
    }
    for (unsigned i = 0; (directory = gh_cli_value_at(cli, "audit", i)) != NULL && status == GH_EXIT_DONE; i++, given++) {
        status = list_directory(cli, directory, segments);
    }
    if (given == 0) {
        gh_str_t home = gh_str_format(cli->arena, "%s/audit", gh_cli_home(cli));

        status = home.data != NULL ? list_directory(cli, home.data, segments) : gh_cli_fail(cli, "out of memory");
    }
    if (segments->count != 0) {
        qsort(segments->items, segments->count, sizeof(segments->items[0]), compare);
    }

    return status;
}

int
gh_cli_segments_count(gh_cli_t *cli, gh_cli_segments_t *segments)
{
    gh_voids_t voids = { 0 };
    int        status = GH_EXIT_DONE;

    for (size_t i = 0; i < segments->count && status == GH_EXIT_DONE; i++) {
        status = gh_voids_look(&voids, segments->items[i].path) == GH_OK ? GH_EXIT_DONE : gh_cli_fail(cli, "out of memory");
    }
    for (size_t i = 0; i < segments->count; i++) {
        segments->items[i].counted = gh_voids_counted(&voids, segments->items[i].path);
    }
    gh_voids_free(&voids);

    return status;
}

bool
gh_cli_segment_live(int fd)
{
    struct flock lock;

    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
