/*
 * The append-only writer of one process. Only lines that are complete on the file count: a failed write is cut off
 * again, and when even that fails the segment is left behind and the next one's first line says so.
 *
 * Room for outcomes: every decision that allows is owed an outcome. Other lines are refused while the file system does not give
 * room for all of those behind them, and only outcome lines may use it. What was dispatched can be closed on a full disk.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* fallocate */
#endif

#include "policy/audit/record.h"

#include "policy/base/hash.h"
#include "policy/base/json_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GH_RECORD_SEGMENT  (UINT64_C(64) * 1024 * 1024)
#define GH_RECORD_RESERVE  8192        /* bytes held behind the last line, and for each request without its outcome: */
#define GH_RECORD_OUTCOME  2048
#define GH_RECORD_OPEN_MAX 4096        /* requests: no more room than for these is held */
#define GH_RECORD_BLOCK    4096
#define GH_RECORD_CHAIN    128         /* "prev" and "n" of a line, at most */
#define GH_RECORD_NAMES    64          /* file names tried when one is taken */

typedef struct {
    int      fd;                   /* -1: none */
    uint64_t size;                 /* of complete lines */
    uint64_t held;                 /* bytes of the file that have their room, size included */
    uint64_t n;                    /* of the next line */
    char     name[NAME_MAX + 1];
} gh_record_segment_t;

struct gh_record_s {
    char                directory[PATH_MAX];
    char                node[256];
    char                country[8];
    char                version[64];
    uint64_t            epoch_ms;
    unsigned            worker;
    int                 pid;
    uint64_t            segment_bytes;
    uint64_t            sequence;        /* of the next file */
    uint64_t            open;            /* decisions that allowed and have no outcome yet */
    bool                no_reserve;      /* the file system has no fallocate */
    gh_record_segment_t segment;
    char                previous[NAME_MAX + 1];
    uint64_t            torn_bytes;      /* left at the end of the previous segment */
    char                chain[64];       /* SHA-256 of the last line, hexadecimal */
    char                line[GH_RECORD_LINE_MAX + 1];
};

static void
copy_text(char *out, size_t size, gh_str_t s)
{
    size_t len = s.len < size ? s.len : size - 1;

    if (len != 0) {
        memcpy(out, s.data, len);
    }
    out[len] = '\0';
}

gh_record_t *
gh_record_open(const gh_record_options_t *options)
{
    gh_record_t *record;

    record = calloc(1, sizeof(*record));
    if (record == NULL) {
        return NULL;
    }

    copy_text(record->directory, sizeof(record->directory), gh_str_from(options->directory));
    copy_text(record->node, sizeof(record->node), options->node);
    copy_text(record->country, sizeof(record->country), options->country);
    copy_text(record->version, sizeof(record->version), options->version);
    record->epoch_ms = options->epoch_ms;
    record->worker = options->worker;
    record->pid = options->pid;
    record->segment_bytes = options->segment_bytes != 0 ? options->segment_bytes : GH_RECORD_SEGMENT;
    record->segment.fd = -1;
    memset(record->chain, '0', sizeof(record->chain));

    return record;
}

/* The room held for outcomes goes back to the file system. */
static void
segment_close(gh_record_segment_t *segment)
{
    if (segment->fd == -1) {
        return;
    }

    if (segment->held > segment->size && ftruncate(segment->fd, (off_t) segment->size) != 0) {
        segment->held = segment->size;   /* only room is lost */
    }

    close(segment->fd);
    segment->fd = -1;
}

void
gh_record_close(gh_record_t *record)
{
    if (record != NULL) {
        segment_close(&record->segment);
        free(record);
    }
}

static int
record_failed(const gh_record_t *record, const char *name, gh_error_t *error, const char *what, int code)
{
    return gh_error_set(error, "audit_unavailable", "%s %s/open/%s: %s", what, record->directory, name,
        strerror(code));
}

/* Letters, digits, ".", "-" and "_" of the node's name; the rest would reach into the path. */
static void
segment_name(const gh_record_t *record, char *name, size_t size)
{
    char     node[sizeof(record->node)];
    size_t   i;

    for (i = 0; record->node[i] != '\0'; i++) {
        char c = record->node[i];

        node[i] = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
                  || c == '-' || c == '_' || (c == '.' && i != 0) ? c : '_';
    }
    node[i] = '\0';

    snprintf(name, size, "%.128s-%" PRIu64 "-%d-%" PRIu64 ".jsonl", node, record->epoch_ms, record->pid,
        record->sequence);
}

static int
segment_create(gh_record_t *record, gh_record_segment_t *segment, gh_error_t *error)
{
    char path[PATH_MAX + NAME_MAX + 8];
    int  tries;

    memset(segment, 0, sizeof(*segment));

    for (tries = 0; tries < GH_RECORD_NAMES; tries++) {
        segment_name(record, segment->name, sizeof(segment->name));
        snprintf(path, sizeof(path), "%s/open/%s", record->directory, segment->name);

        segment->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
        if (segment->fd == -1 && errno != EEXIST) {
            break;
        }

        record->sequence++;
        if (segment->fd != -1) {
            return GH_OK;
        }
    }

    return record_failed(record, segment->name, error, "cannot create", errno);
}

/* A file without a whole first line is no segment: its name is used again. */
static void
segment_discard(gh_record_t *record, gh_record_segment_t *segment)
{
    char path[PATH_MAX + NAME_MAX + 8];

    close(segment->fd);
    segment->fd = -1;
    snprintf(path, sizeof(path), "%s/open/%s", record->directory, segment->name);
    if (unlink(path) == 0) {
        record->sequence--;
    }
}

/* Room behind the last line for one more of len bytes and for the outcomes that are owed, without changing the file's length. */
static int
segment_hold(gh_record_t *record, gh_record_segment_t *segment, size_t len)
{
    uint64_t open = record->open < GH_RECORD_OPEN_MAX ? record->open : GH_RECORD_OPEN_MAX;
    uint64_t upto = segment->size + len + GH_RECORD_RESERVE + (open + 1) * GH_RECORD_OUTCOME;

    if (record->no_reserve || upto <= segment->held) {
        return GH_OK;
    }

    upto = (upto + GH_RECORD_BLOCK - 1) / GH_RECORD_BLOCK * GH_RECORD_BLOCK;

    while (fallocate(segment->fd, FALLOC_FL_KEEP_SIZE, (off_t) segment->held, (off_t) (upto - segment->held)) != 0) {
        if (errno == ENOSPC || errno == EDQUOT) {
            return GH_ERROR;
        }
        if (errno != EINTR) {
            record->no_reserve = true;
            return GH_OK;
        }
    }

    segment->held = upto;
    return GH_OK;
}

/*
 * One chained line, from a body that is one JSON object. *broken: the file has bytes of an incomplete line that could
 * not be cut off, torn of them.
 */
static int
segment_append(gh_record_t *record, gh_record_segment_t *segment, gh_str_t body, gh_error_t *error, bool *broken)
{
    uint8_t digest[32];
    ssize_t written;
    size_t  len;
    int     prefix, code;

    prefix = snprintf(record->line, sizeof(record->line), "{\"prev\":\"%.64s\",\"n\":%" PRIu64 ",", record->chain,
        segment->n);
    len = (size_t) prefix + body.len - 1;   /* without the newline */

    if (len + 1 > GH_RECORD_LINE_MAX) {
        return gh_error_set(error, "audit_unavailable", "a record line of %zu bytes is above %d", len + 1,
            GH_RECORD_LINE_MAX);
    }

    memcpy(record->line + prefix, body.data + 1, body.len - 1);
    record->line[len] = '\n';

    do {
        written = write(segment->fd, record->line, len + 1);
    } while (written == -1 && errno == EINTR);

    if (written != (ssize_t) len + 1) {
        code = written == -1 ? errno : ENOSPC;

        if (written > 0) {
            segment->held = segment->size;
            if (ftruncate(segment->fd, (off_t) segment->size) != 0) {
                *broken = true;
            }
        }
        return record_failed(record, segment->name, error, "cannot write", code);
    }

    gh_sha256(record->line, len, digest);
    gh_hex(digest, sizeof(digest), record->chain);

    segment->size += len + 1;
    segment->n++;
    if (segment->held < segment->size) {
        segment->held = segment->size;
    }

    return GH_OK;
}

/* A body's own "t": the writer has no clock. */
static uint64_t
body_time(const gh_record_t *record, gh_str_t body)
{
    gh_json_reader_t reader;
    uint64_t         t;

    gh_json_reader_init(&reader, body, 0);

    if (gh_json_next(&reader) == GH_JSON_OBJECT_BEGIN) {
        while (gh_json_next(&reader) == GH_JSON_KEY) {
            if (gh_json_token_is(&reader, GH_STR("t"))) {
                gh_json_next(&reader);
                return gh_json_token_u64(&reader, &t) == GH_OK ? t : record->epoch_ms;
            }
            if (gh_json_skip(&reader) != GH_OK) {
                break;
            }
        }
    }

    return record->epoch_ms;
}

static gh_str_t
segment_body(const gh_record_t *record, uint64_t t, char *buffer, size_t size)
{
    gh_json_writer_t w;

    gh_json_writer_init(&w, buffer, size);
    gh_json_begin_object(&w);
    gh_json_kv_u64(&w, "v", 1);
    gh_json_kv_string(&w, "type", GH_STR("segment"));
    gh_json_kv_u64(&w, "t", t);
    gh_json_kv_string(&w, "node", gh_str_from(record->node));
    if (record->country[0] != '\0') {
        gh_json_kv_string(&w, "country", gh_str_from(record->country));
    }
    gh_json_kv_u64(&w, "worker", record->worker);
    gh_json_kv_u64(&w, "epoch", record->epoch_ms);
    gh_json_kv_u64(&w, "pid", (uint64_t) record->pid);
    gh_json_kv_string(&w, "version", gh_str_from(record->version));
    if (record->previous[0] != '\0') {
        gh_json_kv_string(&w, "previous_file", gh_str_from(record->previous));
    }
    if (record->torn_bytes != 0) {
        gh_json_kv_u64(&w, "torn_bytes", record->torn_bytes);
    }
    gh_json_end_object(&w);

    return (gh_str_t) { buffer, w.len };
}

/* A new segment with its first line; on success it takes the place of the old one. */
static int
segment_begin(gh_record_t *record, gh_str_t body, gh_error_t *error)
{
    gh_record_segment_t next;
    gh_str_t            line;
    char                buffer[4096];
    bool                broken = false;

    if (segment_create(record, &next, error) != GH_OK) {
        return GH_ERROR;
    }

    line = segment_body(record, body_time(record, body), buffer, sizeof(buffer));

    if (segment_hold(record, &next, line.len + body.len + 2 * GH_RECORD_CHAIN) != GH_OK) {
        record_failed(record, next.name, error, "no room for", ENOSPC);
        segment_discard(record, &next);
        return GH_ERROR;
    }

    if (segment_append(record, &next, line, error, &broken) != GH_OK) {
        segment_discard(record, &next);
        return GH_ERROR;
    }

    segment_close(&record->segment);
    record->segment = next;
    record->torn_bytes = 0;
    memcpy(record->previous, next.name, sizeof(record->previous));

    return GH_OK;
}

/* Somebody removed the file, cut it, or wrote into it: what follows must not go there. */
static bool
segment_intact(gh_record_t *record)
{
    struct stat st;

    if (fstat(record->segment.fd, &st) != 0) {
        return false;
    }

    if (st.st_nlink != 0 && (uint64_t) st.st_size == record->segment.size) {
        return true;
    }

    if ((uint64_t) st.st_size > record->segment.size) {
        record->torn_bytes = (uint64_t) st.st_size - record->segment.size;
    }

    return false;
}

/* A decision that is owed an outcome. A quote inside a string is escaped: only the member itself can match. */
static bool
body_allows(gh_str_t body)
{
    return gh_str_starts(body, GH_STR("{\"v\":1,\"type\":\"decision\""))
        && memmem(body.data, body.len, "\"verdict\":\"allow\"", 17) != NULL;
}

int
gh_record_append(gh_record_t *record, gh_str_t body, gh_error_t *error)
{
    gh_record_segment_t *segment = &record->segment;
    bool                 broken = false, admitted;
    int                  status;

    if (body.len < 3 || body.data[0] != '{' || body.data[body.len - 1] != '}'
        || memchr(body.data, '\n', body.len) != NULL)
    {
        return gh_error_set(error, "audit_unavailable", "a record body must be one JSON object on one line");
    }

    admitted = gh_str_starts(body, GH_STR("{\"v\":1,\"type\":\"outcome\""));
    if (admitted && record->open > 0) {
        record->open--;
    }

    if (segment->fd != -1 && !segment_intact(record)) {
        close(segment->fd);
        segment->fd = -1;
    }

    if (segment->fd == -1) {
        if (segment_begin(record, body, error) != GH_OK) {
            return GH_ERROR;
        }

    } else if (segment->size + body.len + GH_RECORD_CHAIN > record->segment_bytes && segment->n > 1
               && segment_begin(record, body, admitted ? NULL : error) != GH_OK && !admitted)
    {
        return GH_ERROR;
    }

    if (!admitted && segment_hold(record, segment, body.len + GH_RECORD_CHAIN) != GH_OK) {
        return record_failed(record, segment->name, error, "no room for", ENOSPC);
    }

    status = segment_append(record, segment, body, error, &broken);

    if (broken) {
        (void) segment_intact(record);   /* counts the torn bytes */
        close(segment->fd);
        segment->fd = -1;
    }

    if (status == GH_OK && body_allows(body)) {
        record->open++;
    }

    return status;
}
