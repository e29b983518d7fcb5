#include "policy/audit/recover.h"

#include "policy/audit/line.h"
#include "policy/audit/owed.h"
#include "policy/audit/record.h"
#include "policy/audit/segment_read.h"
#include "policy/audit/voided.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECOVER_LOOKS 64              /* writers asked for in one step */
#define RECOVER_LINES 64              /* written in one step */
#define RECOVER_ID    64

typedef struct {
    uint64_t epoch_ms, pid, sequence; /* the highest sequence there is */
    unsigned directory;
    bool     done;                    /* ended as it should */
} writer_t;

typedef struct {                      /* a request that is owed an outcome */
    char     id[RECOVER_ID];
    uint64_t sequence;                /* of the segment with its decision */
    unsigned number;                  /* of its last attempt */
    char    *reserve;                 /* malloc'ed, or NULL */
    bool     paid;
} request_t;

typedef struct { uint64_t sequence; unsigned directory; } part_t;

typedef struct {                      /* the writer being recovered */
    bool               active, writing;
    size_t             writer;        /* index */
    gh_record_left_t   left;
    gh_record_t       *record;        /* writing */
    part_t            *parts;         /* its segments from open_from on */
    size_t             part_count, part_capacity, part;
    gh_voids_t         voids;         /* lines of them that were taken back */
    uint64_t           counted;       /* lines of the part being read that still count */
    int                fd;            /* of the part being read; -1: none */
    gh_segment_reader_t reader;
    gh_owed_t          owed;          /* key -> index of requests */
    request_t         *requests;
    size_t             request_count, request_capacity, request;
} work_t;

struct gh_recover_s {
    gh_recover_options_t options;
    char                 node[GH_SEGMENT_NAME];   /* as it stands in names */
    writer_t            *writers;
    size_t               writer_count, writer_capacity, look;
    gh_owed_t            known;       /* key of a writer -> index */
    struct timespec      seen[GH_RECORD_DIRECTORIES];   /* change of each open/ when it was listed last */
    work_t               work;
};

static void *
grow(void *items, size_t count, size_t *capacity, size_t size)
{
    void *larger = items;

    if (count == *capacity) {
        size_t wanted = *capacity * 2 + 16;

        larger = realloc(items, wanted * size);
        if (larger != NULL) {
            *capacity = wanted;
        }
    }

    return larger;
}

gh_recover_t *
gh_recover_new(const gh_recover_options_t *options)
{
    gh_recover_t     *recover = calloc(1, sizeof(*recover));
    gh_segment_name_t name = { options->record.node, 0, 0, 0 };

    if (recover != NULL) {
        recover->options = *options;
        recover->options.record.recovered_by = options->recovered_by;
        recover->work.fd = -1;
        gh_segment_name_write(&name, recover->node);
    }

    return recover;
}

static void
open_directory(const gh_recover_t *recover, unsigned d, char path[GH_SEGMENT_PATH])
{
    snprintf(path, GH_SEGMENT_PATH, "%s/open", recover->options.record.directories[d]);
}

static void
segment_name(const gh_recover_t *recover, const writer_t *writer, uint64_t sequence, char name[GH_SEGMENT_NAME])
{
    gh_segment_name_t parts = { recover->options.record.node, writer->epoch_ms, writer->pid, sequence };

    gh_segment_name_write(&parts, name);
}

/* Is it one of this node's, and a worker's? */
static bool
is_ours(const gh_recover_t *recover, const char *name, const gh_segment_name_t *parts)
{
    return parts->pid != 0 && strncmp(name, recover->node, parts->node.len) == 0
           && strncmp(recover->node + parts->node.len, "-0-0-0.", 7) == 0;
}

/* ---- which writers there are ---- */

typedef struct { gh_recover_t *recover; unsigned directory; } scan_t;

static int
scan_entry(void *context, const char *name, const gh_segment_name_t *parts)
{
    scan_t       *scan = context;
    gh_recover_t *recover = scan->recover;
    uint64_t      pair[2] = { parts->epoch_ms, parts->pid }, key = gh_line_id_key((gh_str_t) { (char *) pair, sizeof(pair) });
    writer_t     *writer;
    uint64_t      index;

    if (!is_ours(recover, name, parts)) {
        return GH_OK;
    }

    if (!gh_owed_find(&recover->known, key, &index)) {
        writer = grow(recover->writers, recover->writer_count, &recover->writer_capacity, sizeof(*writer));
        if (writer == NULL) {
            return GH_ERROR;
        }
        recover->writers = writer;
        index = recover->writer_count;
        if (!gh_owed_add(&recover->known, key, index)) {
            return GH_ERROR;
        }
        recover->writers[recover->writer_count++] = (writer_t) { parts->epoch_ms, parts->pid, parts->sequence, scan->directory, false };
    }

    writer = &recover->writers[index];
    if (parts->sequence > writer->sequence) {
        writer->sequence = parts->sequence;
        writer->directory = scan->directory;
        writer->done = false;
    }

    return GH_OK;
}

/* Lists what has changed. A second directory that is not there is no error: nothing was written in it. */
static int
scan_all(gh_recover_t *recover, gh_error_t *error)
{
    int rc = GH_OK;

    for (unsigned d = 0; d < GH_RECORD_DIRECTORIES && recover->options.record.directories[d] != NULL; d++) {
        char        path[GH_SEGMENT_PATH];
        struct stat st;
        scan_t      scan = { recover, d };

        open_directory(recover, d, path);
        if (stat(path, &st) == 0 && st.st_mtim.tv_sec == recover->seen[d].tv_sec && st.st_mtim.tv_nsec == recover->seen[d].tv_nsec) {
            continue;
        }
        if (gh_segment_each(path, scan_entry, &scan, NULL) != GH_OK) {
            if (errno != ENOENT) {
                rc = gh_error_at(error, "audit_unreadable", path, 0, 0, "cannot list %s: %s", path, strerror(errno));
            }
            continue;
        }
        recover->seen[d] = st.st_mtim;
    }

    return rc;
}

/* ---- taking over one ---- */

static void
work_end(gh_recover_t *recover)
{
    work_t *work = &recover->work;

    if (work->record != NULL) {
        gh_record_close(work->record);
    } else if (work->active) {
        work->left.segment.held = work->left.segment.size;   /* the room stays */
        gh_segment_close(&work->left.segment);
    }
    if (work->fd != -1) {
        close(work->fd);
        gh_segment_reader_close(&work->reader);
    }
    for (size_t i = 0; i < work->request_count; i++) {
        free(work->requests[i].reserve);
    }
    free(work->requests);
    free(work->parts);
    gh_voids_free(&work->voids);
    gh_owed_free(&work->owed);
    memset(work, 0, sizeof(*work));
    work->fd = -1;
}

typedef struct { gh_recover_t *recover; const writer_t *writer; unsigned directory; } gather_t;

static int
gather_entry(void *context, const char *name, const gh_segment_name_t *parts)
{
    gather_t *gather = context;
    work_t   *work = &gather->recover->work;
    part_t   *part;

    if (!is_ours(gather->recover, name, parts) || parts->epoch_ms != gather->writer->epoch_ms || parts->pid != gather->writer->pid) {
        return GH_OK;
    }
    part = grow(work->parts, work->part_count, &work->part_capacity, sizeof(*part));
    if (part == NULL) {
        return GH_ERROR;
    }
    work->parts = part;
    work->parts[work->part_count++] = (part_t) { parts->sequence, gather->directory };

    return GH_OK;
}

static int
compare_parts(const void *a, const void *b)
{
    const part_t *x = a, *y = b;

    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void
part_path(const gh_recover_t *recover, const writer_t *writer, const part_t *part, char path[2 * GH_SEGMENT_PATH])
{
    char name[GH_SEGMENT_NAME], directory[GH_SEGMENT_PATH];

    segment_name(recover, writer, part->sequence, name);
    open_directory(recover, part->directory, directory);
    snprintf(path, 2 * GH_SEGMENT_PATH, "%s/%s", directory, name);
}

/* With the lock held, every segment there is of it: a living writer gives one up only when the next is there. */
static int
gather(gh_recover_t *recover, const writer_t *writer, gh_error_t *error)
{
    work_t *work = &recover->work;

    for (unsigned d = 0; d < GH_RECORD_DIRECTORIES && recover->options.record.directories[d] != NULL; d++) {
        char     path[GH_SEGMENT_PATH];
        gather_t to = { recover, writer, d };

        open_directory(recover, d, path);
        if (gh_segment_each(path, gather_entry, &to, NULL) != GH_OK && errno != ENOENT) {
            return gh_error_at(error, "audit_unreadable", path, 0, 0, "cannot list %s: %s", path, strerror(errno));
        }
    }
    qsort(work->parts, work->part_count, sizeof(work->parts[0]), compare_parts);

    for (size_t i = 0; i < work->part_count; i++) {
        char path[2 * GH_SEGMENT_PATH];

        part_path(recover, writer, &work->parts[i], path);
        if (gh_voids_look(&work->voids, path) != GH_OK) {
            return gh_error_set(error, "out_of_memory", "no memory to recover the record");
        }
    }

    return GH_OK;
}

/* The number of the segment from which on decisions may be owed something: its first line says. */
static uint64_t
read_open_from(const work_t *work)
{
    gh_segment_reader_t reader;
    gh_str_t            text;
    uint64_t            from = work->left.segment.sequence;

    if (gh_segment_reader_open(&reader, work->left.segment.fd, 0) && gh_segment_reader_next(&reader, &text) == 1
        && gh_line_member(text, "open_from").len != 0)
    {
        from = gh_line_number(text, "open_from");
    }
    gh_segment_reader_close(&reader);

    return from;
}

/* Begins the recovery of a writer, if it is dead and left something. */
static int
work_begin(gh_recover_t *recover, size_t index, gh_recover_report_t *report, gh_error_t *error)
{
    work_t           *work = &recover->work;
    writer_t         *writer = &recover->writers[index];
    gh_segment_t     *segment = &work->left.segment;
    gh_segment_take_t taken;
    char              name[GH_SEGMENT_NAME];
    uint64_t          from;
    bool              done = false;

    segment_name(recover, writer, writer->sequence, name);
    taken = gh_segment_take(recover->options.record.directories[writer->directory], name, segment);

    if (taken == GH_SEGMENT_GONE) {
        writer->done = true;                 /* moved away; a later segment makes it known again */
        return GH_OK;
    }
    if (taken == GH_SEGMENT_LIVE) {
        return GH_OK;
    }
    if (taken == GH_SEGMENT_UNREADABLE) {
        return gh_error_at(error, "audit_unreadable", name, 0, 0, "cannot open %s: %s", name, strerror(errno));
    }

    work->active = true;
    work->writer = index;
    segment->directory = writer->directory;

    if (gather(recover, writer, error) != GH_OK || gh_record_left_read(&work->left, &done, error) != GH_OK) {
        work_end(recover);
        return GH_ERROR;
    }

    if (work->part_count != 0 && work->parts[work->part_count - 1].sequence > writer->sequence) {
        writer->sequence = work->parts[work->part_count - 1].sequence;    /* it lives, or lived on */
        writer->directory = work->parts[work->part_count - 1].directory;
        work_end(recover);
        return GH_OK;
    }
    if (done) {
        writer->done = true;
        work_end(recover);
        return GH_OK;
    }

    if (gh_record_left_cut(&work->left, error) != GH_OK) {
        work_end(recover);
        return GH_ERROR;
    }
    report->torn_bytes += work->left.torn_bytes;

    from = read_open_from(work);
    while (work->part < work->part_count && work->parts[work->part].sequence < from) {
        work->part++;
    }

    return GH_OK;
}

/* ---- reading what it wrote ---- */

static bool
request_add(work_t *work, const gh_line_t *line, gh_str_t text)
{
    request_t *request;
    gh_str_t   reserve = gh_line_member(text, "reserve");
    uint64_t   key = gh_line_id_key(line->id);

    if (line->id.len == 0 || line->id.len >= RECOVER_ID) {
        return true;
    }

    request = grow(work->requests, work->request_count, &work->request_capacity, sizeof(*request));
    if (request == NULL) {
        return false;
    }
    work->requests = request;
    request = &work->requests[work->request_count];
    memset(request, 0, sizeof(*request));
    memcpy(request->id, line->id.data, line->id.len);
    request->sequence = work->parts[work->part].sequence;
    request->number = 1;
    request->reserve = reserve.len != 0 ? strndup(reserve.data, reserve.len) : NULL;

    return gh_owed_add(&work->owed, key, work->request_count++);
}

static bool
take_line(work_t *work, gh_str_t text, gh_recover_report_t *report)
{
    gh_line_t  line;
    gh_str_t   reserve;
    request_t *request;
    uint64_t   index;

    if (!gh_line_read(text, &line)) {
        report->damaged++;
        return true;
    }
    if (line.type == GH_LINE_DECISION) {
        return !line.allow || request_add(work, &line, text);
    }
    if ((line.type != GH_LINE_ATTEMPT && line.type != GH_LINE_OUTCOME && line.type != GH_LINE_LOST)
        || !gh_owed_find(&work->owed, gh_line_id_key(line.id), &index))
    {
        return true;
    }

    request = &work->requests[index];
    if (line.type != GH_LINE_ATTEMPT) {
        request->paid = true;
        gh_owed_remove(&work->owed, gh_line_id_key(line.id));
        return true;
    }

    request->number = (unsigned) gh_line_number(text, "number");
    reserve = gh_line_member(text, "reserve");
    if (reserve.len != 0) {
        free(request->reserve);
        request->reserve = strndup(reserve.data, reserve.len);
    }

    return true;
}

/* Opens the next part. A part that was moved away is passed over: what it had is not known to be owed. */
static int
part_open(gh_recover_t *recover, gh_error_t *error)
{
    work_t *work = &recover->work;
    char    path[2 * GH_SEGMENT_PATH];

    part_path(recover, &recover->writers[work->writer], &work->parts[work->part], path);

    work->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (work->fd == -1 && errno == ENOENT) {
        work->part++;
        return GH_OK;
    }
    if (work->fd == -1 || !gh_segment_reader_open(&work->reader, work->fd, 0)) {
        return gh_error_at(error, "audit_unreadable", path, 0, 0, "cannot read %s: %s", path, strerror(errno));
    }
    work->counted = gh_voids_counted(&work->voids, path);
    (void) posix_fadvise(work->fd, 0, 0, POSIX_FADV_SEQUENTIAL);

    return GH_OK;
}

static int
work_read(gh_recover_t *recover, size_t *bytes, gh_recover_report_t *report, gh_error_t *error)
{
    work_t  *work = &recover->work;
    gh_str_t text;
    int      rc;

    while (*bytes != 0 && work->part < work->part_count) {
        if (work->fd == -1) {
            if (part_open(recover, error) != GH_OK) {
                return GH_ERROR;
            }
            continue;
        }

        rc = work->counted != 0 ? gh_segment_reader_next(&work->reader, &text) : 0;
        if (rc == GH_ERROR) {
            return gh_error_set(error, "audit_unreadable", "cannot read a segment of the record: %s", strerror(errno));
        }
        if (rc == 1) {
            *bytes -= text.len < *bytes ? text.len : *bytes;
            work->counted--;
            report->damaged += work->reader.unknown;
            if (!take_line(work, text, report)) {
                return gh_error_set(error, "out_of_memory", "no memory to recover the record");
            }
            continue;
        }
        gh_segment_reader_close(&work->reader);
        close(work->fd);
        work->fd = -1;
        work->part++;
    }

    return GH_OK;
}

/* ---- writing what is missing ---- */

static int
write_begin(gh_recover_t *recover, uint64_t now_ms, gh_error_t *error)
{
    work_t             *work = &recover->work;
    const writer_t     *writer = &recover->writers[work->writer];
    gh_record_options_t options = recover->options.record;

    options.epoch_ms = writer->epoch_ms;
    options.pid = writer->pid;
    options.worker = 0;
    work->record = gh_record_resume(&options, &work->left);
    work->writing = true;
    if (work->record == NULL) {
        work->active = false;
        return gh_error_set(error, "out_of_memory", "no memory to recover the record");
    }

    for (size_t i = 0; i < work->request_count; i++) {
        if (!work->requests[i].paid
            && !gh_record_owe(work->record, gh_str_from(work->requests[i].id), work->requests[i].sequence))
        {
            return gh_error_set(error, "out_of_memory", "no memory to recover the record");
        }
    }
    gh_record_tick(work->record, now_ms);

    return GH_OK;
}

static int
write_lost(gh_recover_t *recover, const request_t *request, uint64_t now_ms, gh_error_t *error)
{
    work_t          *work = &recover->work;
    char             buffer[2 * GH_RECORD_OWED], name[GH_SEGMENT_NAME];
    gh_json_writer_t w;
    gh_record_lost_t lost = { .id = gh_str_from(request->id), .now_ms = now_ms, .number = request->number };

    segment_name(recover, &recover->writers[work->writer], request->sequence, name);
    lost.segment = gh_str_from(name);
    if (request->reserve != NULL) {
        lost.reserve = gh_str_from(request->reserve);
    }
    if (recover->options.charged != NULL) {
        lost.charged = recover->options.charged(recover->options.context, lost.id);
    }

    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_lost(&w, &lost);

    return gh_record_append(work->record, (gh_str_t) { w.data, w.len }, error);
}

/* *finished: all is written, and sealed. */
static int
work_write(gh_recover_t *recover, uint64_t now_ms, bool *finished, gh_recover_report_t *report, gh_error_t *error)
{
    work_t *work = &recover->work;
    size_t  lines = 0;

    *finished = false;
    if (!work->writing && write_begin(recover, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }

    for (; work->request < work->request_count; work->request++) {
        if (work->requests[work->request].paid) {
            continue;
        }
        if (lines++ == RECOVER_LINES) {
            return GH_OK;
        }
        if (write_lost(recover, &work->requests[work->request], now_ms, error) != GH_OK) {
            return GH_ERROR;
        }
        work->requests[work->request].paid = true;
        report->lost++;
    }

    *finished = true;
    report->writers++;

    return GH_OK;
}

/* ---- one step ---- */

static int
work_step(gh_recover_t *recover, uint64_t now_ms, size_t *bytes, gh_recover_report_t *report, gh_error_t *error)
{
    work_t *work = &recover->work;
    bool    finished = false;
    int     rc = GH_OK;

    if (!work->writing) {
        rc = work_read(recover, bytes, report, error);
    }
    if (rc == GH_OK && (work->writing || work->part == work->part_count)) {
        rc = work_write(recover, now_ms, &finished, report, error);
        *bytes = 0;
    }
    if (rc != GH_OK || finished) {
        work_end(recover);       /* looked at once more: then it has to be found sealed */
    }

    return rc;
}

int
gh_recover_step(gh_recover_t *recover, uint64_t now_ms, size_t bytes, bool *more, gh_recover_report_t *report, gh_error_t *error)
{
    size_t looked = 0, count;
    int    rc = GH_OK;

    *more = false;
    if (!recover->work.active) {
        rc = scan_all(recover, error);
    }

    count = recover->writer_count;
    while (bytes != 0) {
        if (recover->work.active) {
            if (work_step(recover, now_ms, &bytes, report, error) != GH_OK) {
                rc = GH_ERROR;
                break;
            }
            continue;
        }

        if (looked == count || looked == RECOVER_LOOKS) {
            break;
        }
        looked++;
        recover->look = recover->look + 1 < count ? recover->look + 1 : 0;
        if (!recover->writers[recover->look].done && work_begin(recover, recover->look, report, error) != GH_OK) {
            rc = GH_ERROR;
        }
    }
    *more = rc == GH_OK && (recover->work.active || (bytes == 0) || looked < count);

    return rc;
}

void
gh_recover_free(gh_recover_t *recover)
{
    if (recover == NULL) {
        return;
    }
    work_end(recover);
    gh_owed_free(&recover->known);
    free(recover->writers);
    free(recover);
}
