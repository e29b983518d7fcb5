#include "policy/audit/changes.h"

#include "policy/audit/line.h"
#include "policy/audit/record.h"
#include "policy/audit/segment_read.h"
#include "policy/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANGES_SEGMENT (UINT64_C(1) << 20)
#define CHANGES_LINE    4096          /* as the store bounds its entries */

struct gh_changes_s {
    gh_record_options_t options;
    char                node[GH_SEGMENT_NAME];
    gh_record_t        *record;       /* NULL: another process writes */
    uint64_t            last;
    uint8_t             store_id[16];
    bool                waits;        /* somebody else held the newest segment when the directories were listed last: this one */
    uint64_t            waits_sequence;
    unsigned            waits_directory;
};

typedef struct {
    const gh_changes_t *changes;
    uint64_t            below;        /* only sequences below it */
    bool                found;
    uint64_t            sequence;     /* the highest of them */
    unsigned            directory, looking;
} newest_t;

gh_changes_t *
gh_changes_new(const gh_record_options_t *options)
{
    gh_changes_t     *changes = calloc(1, sizeof(*changes));
    gh_segment_name_t name = { options->node, 0, 0, 0 };

    if (changes != NULL) {
        changes->options = *options;
        changes->options.epoch_ms = changes->options.pid = 0;
        changes->options.segment_bytes = CHANGES_SEGMENT;
        gh_segment_name_write(&name, changes->node);
    }

    return changes;
}

void
gh_changes_free(gh_changes_t *changes)
{
    if (changes != NULL) {
        gh_record_close(changes->record);
        free(changes);
    }
}

static int
newest_entry(void *context, const char *name, const gh_segment_name_t *parts)
{
    newest_t   *newest = context;
    const char *node = newest->changes->node;

    if (parts->pid == 0 && parts->epoch_ms == 0 && strncmp(name, node, parts->node.len) == 0
        && strncmp(node + parts->node.len, "-0-0-0.", 7) == 0 && parts->sequence < newest->below
        && (!newest->found || parts->sequence > newest->sequence))
    {
        newest->found = true;
        newest->sequence = parts->sequence;
        newest->directory = newest->looking;
    }

    return GH_OK;
}

static int
find_newest(const gh_changes_t *changes, uint64_t below, newest_t *newest, gh_error_t *error)
{
    *newest = (newest_t) { .changes = changes, .below = below };

    for (unsigned d = 0; d < GH_RECORD_DIRECTORIES && changes->options.directories[d] != NULL; d++) {
        char path[GH_SEGMENT_PATH];

        snprintf(path, sizeof(path), "%s/open", changes->options.directories[d]);
        newest->looking = d;
        if (gh_segment_each(path, newest_entry, newest, NULL) != GH_OK && errno != ENOENT) {
            return gh_error_at(error, "audit_unreadable", path, 0, 0, "cannot list %s: %s", path, strerror(errno));
        }
    }

    return GH_OK;
}

static void
name_of(const gh_changes_t *changes, uint64_t sequence, char name[GH_SEGMENT_NAME])
{
    gh_segment_name_t parts = { changes->options.node, 0, 0, sequence };

    gh_segment_name_write(&parts, name);
}

/*
 * Takes the newest segment's lock. While the one that was somebody else's stays so, no directory is listed, which grows with all that was ever
 * recorded: whoever holds it lets go of it only when the next one is there, or at its death. *found: there is one.
 */
static int
take_newest(gh_changes_t *changes, gh_record_left_t *left, gh_segment_take_t *taken, bool *found, gh_error_t *error)
{
    newest_t newest = { .sequence = changes->waits_sequence, .directory = changes->waits_directory };
    char     name[GH_SEGMENT_NAME];

    memset(left, 0, sizeof(*left));
    left->segment.fd = -1;
    *found = true;
    if (changes->waits) {
        name_of(changes, newest.sequence, name);
        *taken = gh_segment_take(changes->options.directories[newest.directory], name, &left->segment);
        left->segment.directory = newest.directory;
        if (*taken == GH_SEGMENT_LIVE || *taken == GH_SEGMENT_TAKEN) {
            changes->waits = *taken == GH_SEGMENT_LIVE;
            return GH_OK;
        }
        changes->waits = false;
    }

    if (find_newest(changes, UINT64_MAX, &newest, error) != GH_OK) {
        return GH_ERROR;
    }
    *found = newest.found;
    if (!newest.found) {
        return GH_OK;
    }
    name_of(changes, newest.sequence, name);
    *taken = gh_segment_take(changes->options.directories[newest.directory], name, &left->segment);
    left->segment.directory = newest.directory;
    if (*taken == GH_SEGMENT_UNREADABLE) {
        return gh_error_at(error, "audit_unreadable", name, 0, 0, "cannot open %s: %s", name, strerror(errno));
    }
    changes->waits = *taken == GH_SEGMENT_LIVE;
    changes->waits_sequence = newest.sequence;
    changes->waits_directory = newest.directory;

    return GH_OK;
}

/* The newest change of this store in one segment. *any: there is a change of whatever store. */
static bool
last_change(gh_changes_t *changes, int fd, bool *any)
{
    gh_segment_reader_t reader;
    gh_str_t            text, store;
    gh_line_t           line;
    char                id[32];

    gh_hex(changes->store_id, 16, id);
    *any = false;
    if (!gh_segment_reader_open(&reader, fd, 0)) {
        return false;
    }
    while (gh_segment_reader_next(&reader, &text) == 1) {
        if (gh_line_read(text, &line) && line.type == GH_LINE_CHANGE) {
            store = gh_line_member(text, "store");
            *any = true;
            changes->last = store.len == 34 && memcmp(store.data + 1, id, 32) == 0 ? gh_line_number(text, "number") : 0;
        }
    }
    gh_segment_reader_close(&reader);

    return true;
}

/* Backwards through the segments until one has a change. */
static int
find_last(gh_changes_t *changes, uint64_t from, gh_error_t *error)
{
    uint64_t below = from + 1;
    newest_t newest;
    bool     any = false;

    changes->last = 0;
    while (!any && find_newest(changes, below, &newest, error) == GH_OK && newest.found) {
        char name[GH_SEGMENT_NAME], path[2 * GH_SEGMENT_PATH];
        int  fd;

        name_of(changes, newest.sequence, name);
        snprintf(path, sizeof(path), "%s/open/%s", changes->options.directories[newest.directory], name);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd == -1 || !last_change(changes, fd, &any)) {
            if (fd != -1) {
                close(fd);
            }
            return gh_error_at(error, "audit_unreadable", name, 0, 0, "cannot read %s: %s", name, strerror(errno));
        }
        close(fd);
        below = newest.sequence;
    }

    return GH_OK;
}

/* The newest segment's lock is taken: go on behind it. */
static int
resume(gh_changes_t *changes, gh_record_left_t *left, gh_error_t *error)
{
    newest_t newest;
    bool     done;

    if (find_newest(changes, UINT64_MAX, &newest, error) != GH_OK || gh_record_left_read(left, &done, error) != GH_OK) {
        gh_segment_close(&left->segment);
        return GH_ERROR;
    }
    if (newest.sequence != left->segment.sequence) {
        gh_segment_close(&left->segment);    /* another process was faster */
        return GH_OK;
    }
    if (gh_record_left_cut(left, error) != GH_OK || find_last(changes, newest.sequence, error) != GH_OK) {
        gh_segment_close(&left->segment);
        return GH_ERROR;
    }

    changes->record = gh_record_resume(&changes->options, left);

    return changes->record != NULL ? GH_OK : gh_error_set(error, "out_of_memory", "no memory for the record of changes");
}

int
gh_changes_hold(gh_changes_t *changes, const uint8_t store_id[16], bool *held, uint64_t *last, gh_error_t *error)
{
    gh_record_left_t  left;
    gh_segment_take_t taken;
    bool              found;

    *held = false;
    if (changes->record != NULL && memcmp(changes->store_id, store_id, 16) != 0) {
        gh_record_close(changes->record);
        changes->record = NULL;
    }
    memcpy(changes->store_id, store_id, 16);

    if (changes->record == NULL) {
        if (take_newest(changes, &left, &taken, &found, error) != GH_OK) {
            return GH_ERROR;
        }
        if (!found) {
            changes->last = 0;
            changes->record = gh_record_open(&changes->options);
        } else if (taken == GH_SEGMENT_TAKEN && resume(changes, &left, error) != GH_OK) {
            return GH_ERROR;
        }
    }

    *held = changes->record != NULL;
    *last = changes->last;

    return GH_OK;
}

int
gh_changes_add(gh_changes_t *changes, uint64_t number, gh_str_t entry, uint64_t now_ms, gh_error_t *error)
{
    char             buffer[CHANGES_LINE + 512];
    gh_json_writer_t w;

    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_change(&w, now_ms, changes->store_id, entry);

    if (!gh_json_writer_ok(&w)) {
        return gh_error_set(error, "audit_unavailable", "change %llu is too long for the record", (unsigned long long) number);
    }
    if (gh_record_append(changes->record, (gh_str_t) { w.data, w.len }, error) != GH_OK) {
        gh_record_close(changes->record);    /* what is there is read again */
        changes->record = NULL;
        return GH_ERROR;
    }
    changes->last = number;

    return GH_OK;
}
