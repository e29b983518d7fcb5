/* When keys were last used: workers write no store, but every request of a key has a decision in the record. */
#include "policy/cli/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/audit/segment_read.h"
#include "policy/cli/audit.h"

typedef struct {
    const gh_store_key_t *keys;          /* by path, in byte order */
    size_t                count;
    uint64_t             *last_ms;
    size_t               *order;         /* of keys, by their names */
    size_t                damaged, unknown;   /* lines that cannot be read; those without what stands once for many */
} uses_t;

typedef struct { gh_str_t part[4]; } names_t;

static names_t
names_of(const gh_store_key_t *key)
{
    return (names_t) { { key->org, key->tenant, key->app, key->name } };
}

static int
compare(const names_t *a, const names_t *b)
{
    int sign = 0;

    for (int i = 0; i < 4 && sign == 0; i++) {
        sign = gh_str_cmp(a->part[i], b->part[i]);
    }

    return sign;
}

static const uses_t *sorting;

static int
by_names(const void *left, const void *right)
{
    names_t a = names_of(&sorting->keys[*(const size_t *) left]), b = names_of(&sorting->keys[*(const size_t *) right]);

    return compare(&a, &b);
}

static gh_str_t
unquoted(gh_str_t text, const char *key)
{
    gh_str_t value = gh_line_member(text, key);

    return value.len < 2 || value.data[0] != '"' ? GH_STR("") : (gh_str_t) { value.data + 1, value.len - 2 };
}

static void
count_line(uses_t *uses, gh_str_t text, uint64_t t)
{
    names_t wanted = { { unquoted(text, "org"), unquoted(text, "tenant"), unquoted(text, "app"), unquoted(text, "key") } };
    size_t  low = 0, high = uses->count;

    while (low < high) {
        size_t  middle = low + (high - low) / 2, at = uses->order[middle];
        names_t names = names_of(&uses->keys[at]);
        int     sign = compare(&names, &wanted);

        if (sign == 0) {
            uses->last_ms[at] = t > uses->last_ms[at] ? t : uses->last_ms[at];
            return;
        }
        if (sign < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
}

static int
read_segment(gh_cli_t *cli, uses_t *uses, const gh_cli_segment_t *segment)
{
    gh_segment_reader_t reader;
    gh_str_t            text;
    gh_line_t           line;
    int                 status = GH_EXIT_DONE, rc = 0, fd = open(segment->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd == -1 && errno == ENOENT) {
        return GH_EXIT_DONE;             /* moved between the listing and now */
    }
    if (fd == -1 || !gh_segment_reader_open(&reader, fd, 0)) {
        return gh_cli_fail(cli, "cannot read %s: %s", segment->path, strerror(errno));
    }
    for (uint64_t n = 0; n < segment->counted && (rc = gh_segment_reader_next(&reader, &text)) == 1; n++) {
        if (!gh_line_read(text, &line)) {
            uses->damaged++;
            continue;
        }
        uses->unknown += reader.unknown;
        if (line.type == GH_LINE_DECISION) {
            count_line(uses, text, line.t);
        }
    }
    if (rc == GH_ERROR) {
        status = gh_cli_fail(cli, "cannot read %s: %s", segment->path, strerror(errno));
    }
    gh_segment_reader_close(&reader);
    close(fd);

    return status;
}

int
gh_cli_key_last_use(gh_cli_t *cli, const gh_store_key_t *keys, size_t count, uint64_t *last_ms)
{
    uses_t            uses = { .keys = keys, .count = count, .last_ms = last_ms, .order = gh_arena_array(cli->arena, count + 1, sizeof(size_t)) };
    unsigned          arguments = cli->argument_count;
    gh_cli_segments_t segments;
    int               status;

    if (uses.order == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        uses.order[i] = i;
    }
    sorting = &uses;
    if (count > 0) {
        qsort(uses.order, count, sizeof(*uses.order), by_names);
    }

    cli->argument_count = 0;             /* the command's argument is no directory of the record */
    status = gh_cli_segments_list(cli, &segments);
    cli->argument_count = arguments;
    if (status == GH_EXIT_DONE) {
        status = gh_cli_segments_count(cli, &segments);
    }
    for (size_t i = 0; status == GH_EXIT_DONE && i < segments.count; i++) {
        status = read_segment(cli, &uses, &segments.items[i]);
    }
    if (uses.unknown != 0) {
        gh_cli_say("%zu line%s read without what stands once for many: that is missing or damaged, and a key may have been used later than is shown; `gatehouse audit verify` says where",
            uses.unknown, uses.unknown == 1 ? " was" : "s were");
    }
    if (uses.damaged != 0) {
        gh_cli_say("%zu line%s could not be read, and a key may have been used later than is shown: `gatehouse audit verify` says where", uses.damaged, uses.damaged == 1 ? "" : "s");
    }

    return status;
}
