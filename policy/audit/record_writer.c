#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "policy/audit/record_state.h"

#include "policy/audit/line.h"
#include "policy/base/hash.h"
#include "policy/base/json_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_SEAL    1024           /* a seal, at most */
#define RECORD_AHEAD   (UINT64_C(256) * GH_RECORD_OWED)   /* held behind a new segment's own bytes, at most, so that few lines ask for more */
#define RECORD_STEP    (UINT64_C(64) * 1024)              /* asked for at once when that is used up */
#define RECORD_NAMES   64             /* tried when one is taken */
#define RECORD_AGAIN   100            /* ms between two tries to begin a segment for a line that is not owed */

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
    gh_record_t *record = calloc(1, sizeof(*record));

    if (record == NULL) {
        return NULL;
    }

    record->options = *options;
    for (unsigned i = 0; i < GH_RECORD_DIRECTORIES && options->directories[i] != NULL; i++) {
        copy_text(record->directory[i], sizeof(record->directory[i]), gh_str_from(options->directories[i]));
        record->directory_count++;
    }
    copy_text(record->node, sizeof(record->node), options->node);
    copy_text(record->country, sizeof(record->country), options->country);
    copy_text(record->version, sizeof(record->version), options->version);
    record->options.segment_bytes = options->segment_bytes != 0 ? options->segment_bytes : GH_RECORD_SEGMENT;
    record->options.roll_ms = options->roll_ms != 0 ? options->roll_ms : GH_RECORD_ROLL_MS;
    record->now_ms = options->epoch_ms;
    record->segment.fd = -1;
    memset(record->chain, '0', sizeof(record->chain));

    if (options->sync) {
        record->options.sync_ms = options->sync_ms != 0 ? options->sync_ms : GH_RECORD_SYNC_MS;
        record->group = gh_group_open(options->sync_wake, options->sync_calls, NULL);
        if (record->group == NULL) {
            free(record);
            return NULL;
        }
    }

    return record;
}

/* The segment is taken over in any case. */
gh_record_t *
gh_record_resume(const gh_record_options_t *options, const gh_record_left_t *left)
{
    gh_record_t *record = gh_record_open(options);
    gh_segment_t segment = left->segment;

    if (record == NULL) {
        gh_segment_close(&segment);
        return NULL;
    }

    record->segment = segment;
    record->segment.n = left->n;
    record->segment.begun_ms = options->epoch_ms;
    record->segment.failed = left->sealed || left->torn_bytes != 0;
    record->sealed = left->sealed;
    record->torn_bytes = left->torn_bytes;
    record->sequence = segment.sequence + 1;
    record->state.directory = segment.directory;
    memcpy(record->chain, left->chain, sizeof(record->chain));
    copy_text(record->previous, sizeof(record->previous), gh_str_from(segment.name));

    return record;
}

bool
gh_record_owe(gh_record_t *record, gh_str_t id, uint64_t sequence)
{
    return gh_owed_add(&record->owed, gh_line_id_key(id), sequence);
}

const gh_record_state_t *
gh_record_state(const gh_record_t *record)
{
    return &record->state;
}

const char *
gh_record_file(const gh_record_t *record)
{
    return record->segment.fd != -1 && !record->segment.failed ? record->segment.name : "";
}

/* A clock that was set back has no patience. */
static uint64_t
elapsed(uint64_t now_ms, uint64_t since_ms)
{
    return now_ms >= since_ms ? now_ms - since_ms : UINT64_MAX;
}

static int
record_failed(const gh_record_t *record, unsigned d, const char *name, gh_error_t *error, const char *what, int code)
{
    return gh_error_set(error, "audit_unavailable", "%s %s/open/%s: %s", what, record->directory[d], name, strerror(code));
}

/* What is written goes elsewhere, if it can. */
static void
record_leave(gh_record_t *record, const char *why)
{
    const gh_segment_t *segment = &record->segment;

    record->state.failures++;
    snprintf(record->state.why, sizeof(record->state.why), "%.160s: %.80s", segment->name, why);
    if (segment->failed) {
        copy_text(record->previous_error, sizeof(record->previous_error), gh_str_from(why));
    }
}

/* ---- one line ---- */

static size_t
put(char *out, const char *text, size_t len)
{
    memcpy(out, text, len);
    return len;
}

size_t
gh_record_line_head(const gh_record_t *record, char *line, uint64_t n)
{
    size_t len;

    len = put(line, "{\"prev\":\"", 9);
    len += put(line + len, record->chain, sizeof(record->chain));
    len += put(line + len, "\",\"n\":", 6);
    len += gh_u64_put(n, line + len);
    line[len++] = ',';

    return len;
}

size_t
gh_record_line(const gh_record_t *record, char *line, uint64_t n, gh_str_t body)
{
    size_t len = gh_record_line_head(record, line, n);

    if (len + body.len > GH_RECORD_LINE_MAX) {
        return 0;
    }
    len += put(line + len, body.data + 1, body.len - 1);
    line[len++] = '\n';

    return len;
}

void
gh_record_chain(gh_record_t *record, const char *line, size_t len)
{
    uint8_t digest[32];

    gh_sha256(line, len, digest);
    gh_hex(digest, sizeof(digest), record->chain);
}

int
gh_record_write(gh_record_t *record, gh_segment_t *segment, unsigned d, gh_str_t body, gh_error_t *error)
{
    size_t len = gh_record_line(record, record->line, segment->n, body);

    if (len == 0) {
        return gh_error_set(error, "audit_unavailable", "a record line of %zu bytes is above %d", body.len + RECORD_CHAIN,
            GH_RECORD_LINE_MAX);
    }
    if (gh_segment_write(segment, record->line, len, 1) != GH_OK) {
        return record_failed(record, d, segment->name, error, "cannot write", errno);
    }

    gh_record_chain(record, record->line, len - 1);

    return GH_OK;
}

/* ---- beginning and ending a segment ---- */

static gh_str_t
segment_body(const gh_record_t *record, char *buffer, size_t size)
{
    uint64_t         lowest = gh_owed_lowest(&record->owed);
    gh_json_writer_t w;

    gh_json_writer_init(&w, buffer, size);
    gh_json_begin_object(&w);
    gh_json_kv_u64(&w, "v", 1);
    gh_json_kv_string(&w, "type", GH_STR("segment"));
    gh_json_kv_u64(&w, "t", record->now_ms);
    gh_json_kv_string(&w, "node", gh_str_from(record->node));
    if (record->country[0] != '\0') {
        gh_json_kv_string(&w, "country", gh_str_from(record->country));
    }
    gh_json_kv_u64(&w, "worker", record->options.worker);
    gh_json_kv_u64(&w, "epoch", record->options.epoch_ms);
    gh_json_kv_u64(&w, "pid", record->options.pid);
    gh_json_kv_string(&w, "version", gh_str_from(record->version));
    if (record->previous[0] != '\0') {
        gh_json_kv_string(&w, "previous_file", gh_str_from(record->previous));
    }
    if (record->previous_error[0] != '\0') {
        gh_json_kv_string(&w, "previous_error", gh_str_from(record->previous_error));
    }
    if (record->torn_bytes != 0) {
        gh_json_kv_u64(&w, "torn_bytes", record->torn_bytes);
    }
    if (record->group != NULL && record->group->again && record->group->voided) {
        char name[GH_SEGMENT_NAME];

        gh_record_name(record, record->group->void_sequence, name);
        gh_json_key(&w, "void");
        gh_json_begin_object(&w);
        gh_json_kv_string(&w, "file", gh_str_from(name));
        gh_json_kv_u64(&w, "line", record->group->void_n);
        gh_json_end_object(&w);
    }
    if (lowest != UINT64_MAX) {
        gh_json_kv_u64(&w, "open_from", lowest);
    }
    if (record->options.recovered_by != 0) {
        gh_json_kv_u64(&w, "recovered_by", record->options.recovered_by);
    }
    gh_json_end_object(&w);

    return (gh_str_t) { buffer, w.len };
}

void
gh_record_seal(gh_record_t *record, const char *next)
{
    gh_segment_t    *segment = &record->segment;
    gh_group_line_t *line = NULL;
    gh_json_writer_t w;
    char             buffer[RECORD_SEAL];

    if (segment->fd == -1 || segment->failed || record->sealed || segment->n == 0
        || (record->group != NULL && (line = gh_group_line(GH_STR(""), record->now_ms)) == NULL))
    {
        return;
    }

    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_json_begin_object(&w);
    gh_json_kv_u64(&w, "v", 1);
    gh_json_kv_string(&w, "type", GH_STR("seal"));
    gh_json_kv_u64(&w, "t", record->now_ms);
    gh_json_kv_u64(&w, "lines", segment->n);
    gh_json_kv_u64(&w, "bytes", segment->size);
    if (next != NULL) {
        gh_json_kv_string(&w, "next_file", gh_str_from(next));
    }
    if (record->options.recovered_by != 0) {
        gh_json_kv_u64(&w, "recovered_by", record->options.recovered_by);
    }
    gh_json_end_object(&w);

    if (gh_record_write(record, segment, segment->directory, (gh_str_t) { buffer, w.len }, NULL) == GH_OK) {
        record->sealed = true;
        gh_record_sync(record, line);
        return;
    }
    gh_group_line_free(line);
    if (segment->failed) {
        record_leave(record, strerror(segment->error));
    }
}

/* Bytes of blocks that must be there: for lines up to `size`, a seal, and what is owed. */
static uint64_t
room_for(const gh_record_t *record, uint64_t size)
{
    return size + RECORD_SEAL + record->owed.count * GH_RECORD_OWED;
}

typedef struct {
    gh_segment_t     segment;
    gh_sync_file_t  *file;            /* NULL: nothing is synced */
    gh_group_line_t *first;           /* its own line */
    char             chain[64];       /* before it */
} beginning_t;

static void
record_undo(gh_record_t *record, unsigned d, beginning_t *next)
{
    memcpy(record->chain, next->chain, sizeof(record->chain));
    gh_sync_file_free(next->file);
    gh_group_line_free(next->first);
    gh_segment_discard(record->directory[d], &next->segment);
}

/* The lines that it begins with, before it has its name. */
static int
record_fill(gh_record_t *record, unsigned d, beginning_t *next, gh_error_t *error)
{
    char buffer[4096], open[PATH_MAX + 8];

    next->file = NULL;
    next->first = NULL;
    memcpy(next->chain, record->chain, sizeof(next->chain));
    if (gh_record_write(record, &next->segment, d, segment_body(record, buffer, sizeof(buffer)), error) != GH_OK) {
        return GH_ERROR;
    }
    if (record->group == NULL) {
        return GH_OK;
    }

    snprintf(open, sizeof(open), "%s/open", record->directory[d]);
    next->first = gh_group_line(GH_STR(""), record->now_ms);
    next->file = next->first != NULL ? gh_sync_file_new(next->segment.fd, open) : NULL;
    if (next->file == NULL) {
        return record_failed(record, d, next->segment.name, error, "cannot sync", next->first != NULL ? errno : ENOMEM);
    }
    gh_record_place(record, &next->segment, d, next->first);

    return record->group->again ? gh_record_rewrite(record, &next->segment, d, error) : GH_OK;
}

/* A new segment in that directory, with its first line; on success it takes the place of the old one, which is sealed. */
static int
record_begin_in(gh_record_t *record, unsigned d, size_t len, gh_error_t *error)
{
    gh_segment_name_t name = { gh_str_from(record->node), record->options.epoch_ms, record->options.pid, 0 };
    beginning_t       next;
    uint64_t          bytes = record->options.segment_bytes, ahead = bytes / 4 < RECORD_AHEAD ? bytes / 4 : RECORD_AHEAD;
    uint64_t          hold = room_for(record, bytes + len) + ahead + (record->group != NULL ? gh_group_room(record->group, RECORD_CHAIN) : 0);
    int               tries, code = EEXIST;

    for (tries = 0; tries < RECORD_NAMES; tries++) {
        name.sequence = record->sequence;
        if (gh_segment_make(record->directory[d], &name, hold, &record->state.no_hold, &next.segment) != GH_OK) {
            return record_failed(record, d, next.segment.name, error, "cannot make", errno);
        }

        gh_record_seal(record, next.segment.name);
        if (record_fill(record, d, &next, error) != GH_OK) {
            record_undo(record, d, &next);
            return GH_ERROR;
        }
        if (gh_segment_publish(record->directory[d], &next.segment) == GH_OK) {
            break;
        }

        code = errno;
        record_undo(record, d, &next);

        /* who takes up another's chain must not fork it */
        if (code != EEXIST || record->options.recovered_by != 0 || record->options.pid == 0) {
            return record_failed(record, d, next.segment.name, error, "cannot name", code);
        }
        record->sequence++;
    }
    if (tries == RECORD_NAMES) {
        return record_failed(record, d, next.segment.name, error, "cannot name", code);
    }

    gh_segment_close(&record->segment);
    record->segment = next.segment;
    record->segment.directory = d;
    record->segment.begun_ms = record->looked_ms = record->now_ms;
    record->sealed = false;
    record->sequence++;
    record->torn_bytes = 0;
    record->previous_error[0] = '\0';
    memcpy(record->previous, next.segment.name, sizeof(record->previous));
    record->tried_ms = 0;
    record->failed_ms[d] = 0;
    record->state.directory = d;
    if (record->group != NULL) {
        gh_record_begun(record, next.file, next.first);
    }

    return GH_OK;
}

int
gh_record_begin(gh_record_t *record, bool owed, size_t len, gh_error_t *error)
{
    const gh_group_t *group = record->group;

    gh_error_set(error, "audit_unavailable", "no segment of the record could be begun a moment ago");
    if (!owed && record->tried_ms != 0 && elapsed(record->now_ms, record->tried_ms) < RECORD_AGAIN) {
        return GH_ERROR;
    }

    for (int ailing = 0; ailing < 2; ailing++) {
        for (unsigned d = 0; d < record->directory_count; d++) {
            bool fails = record->failed_ms[d] != 0 && elapsed(record->now_ms, record->failed_ms[d]) < GH_RECORD_BACK_MS;

            if (fails != (ailing != 0)
                || (group != NULL && group->again && elapsed(record->now_ms, record->again_ms[d]) < GH_RECORD_BACK_MS))
            {
                continue;
            }
            record->again_ms[d] = group != NULL && group->again ? record->now_ms : record->again_ms[d];
            if (record_begin_in(record, d, len, error) == GH_OK) {
                return GH_OK;
            }
            record->failed_ms[d] = record->now_ms;
        }
    }
    record->tried_ms = record->now_ms;

    return GH_ERROR;
}

/* Back to the first directory, when it can be written again. */
static void
record_return(gh_record_t *record)
{
    if (record->segment.directory != 0 && elapsed(record->now_ms, record->failed_ms[0]) >= GH_RECORD_BACK_MS
        && record_begin_in(record, 0, 0, NULL) != GH_OK)
    {
        record->failed_ms[0] = record->now_ms;
    }
}

/* Blocks for one more line of len bytes with all that is owed behind it. */
static int
record_hold(gh_record_t *record, size_t len)
{
    gh_segment_t *segment = &record->segment;
    uint64_t      upto = room_for(record, segment->size + len);

    if (upto <= segment->held || gh_segment_hold(segment, upto + RECORD_STEP, &record->state.no_hold) == GH_OK) {
        return GH_OK;
    }

    return gh_segment_hold(segment, upto, &record->state.no_hold);
}

/* Now and then, not before every line: a file that was looked at costs the next write a new time of change, a microsecond together. */
static void
record_look(gh_record_t *record)
{
    gh_segment_t *segment = &record->segment;

    if (segment->fd == -1 || segment->failed || elapsed(record->now_ms, record->looked_ms) < GH_RECORD_LOOK_MS) {
        return;
    }
    record->looked_ms = record->now_ms;
    if (!gh_segment_intact(segment, &record->torn_bytes)) {
        segment->failed = true;
        record_leave(record, "removed or changed by somebody else");
    }
}

int
gh_record_ready(gh_record_t *record, bool owed, size_t len, gh_error_t *error)
{
    gh_segment_t *segment = &record->segment;

    record_look(record);
    if (segment->fd == -1 || segment->failed) {
        return gh_record_begin(record, owed, len, error);
    }

    if (record->options.recovered_by != 0) {
        return GH_OK;                        /* room was held there for what is left to be written */
    }

    record_return(record);

    if (segment->n > 1 && segment->size + len > record->options.segment_bytes) {
        return gh_record_begin(record, owed, len, error) == GH_OK || owed ? GH_OK : GH_ERROR;
    }
    if (segment->n > 1 && elapsed(record->now_ms, segment->begun_ms) >= record->options.roll_ms) {
        (void) gh_record_begin(record, false, len, NULL);
    }

    if (!owed && record_hold(record, len) != GH_OK) {
        record_leave(record, strerror(errno));
        record->failed_ms[segment->directory] = record->now_ms;
        return gh_record_begin(record, owed, len, error);
    }

    return GH_OK;
}

void
gh_record_broken(gh_record_t *record)
{
    gh_segment_t *segment = &record->segment;
    uint64_t      torn;

    record_leave(record, strerror(segment->error));
    record->failed_ms[segment->directory] = record->now_ms;
    if (segment->failed) {
        (void) gh_segment_intact(segment, &torn);
        record->torn_bytes = torn;
    }
}

int
gh_record_append_line(gh_record_t *record, gh_str_t body, bool owed, gh_group_line_t *line, gh_error_t *error)
{
    gh_segment_t *segment = &record->segment;
    size_t        len = body.len + RECORD_CHAIN;

    if (gh_record_ready(record, owed, len, error) != GH_OK) {
        return GH_ERROR;
    }
    if (body.len <= GH_RECORD_BODY_MAX && gh_record_write(record, segment, segment->directory, body, error) == GH_OK) {
        record->sealed = false;
        gh_record_sync(record, line);
        return GH_OK;
    }
    if (body.len > GH_RECORD_BODY_MAX) {
        return gh_error_set(error, "audit_unavailable", "a record of %zu bytes is above %d", body.len, GH_RECORD_BODY_MAX);
    }

    gh_record_broken(record);

    if (gh_record_begin(record, owed, len, error) != GH_OK || gh_record_write(record, segment, segment->directory, body, error) != GH_OK) {
        return GH_ERROR;
    }
    record->sealed = false;
    gh_record_sync(record, line);

    return GH_OK;
}

bool
gh_record_body(gh_str_t body, gh_line_t *line)
{
    return body.len >= 3 && body.data[body.len - 1] == '}' && memchr(body.data, '\n', body.len) == NULL && gh_line_body(body, line);
}

int
gh_record_append(gh_record_t *record, gh_str_t body, gh_error_t *error)
{
    gh_line_t line;
    uint64_t  key;
    bool      owed;
    int       status;

    if (!gh_record_body(body, &line)) {
        return gh_error_set(error, "audit_unavailable", "a record body must be one JSON object on one line, with \"v\", \"type\" and \"t\"");
    }

    record->now_ms = line.t;
    owed = line.type == GH_LINE_OUTCOME || line.type == GH_LINE_LOST;
    key = gh_line_id_key(line.id);

    if (line.allow && !gh_owed_add(&record->owed, key, record->sequence)) {
        return gh_error_set(error, "audit_unavailable", "out of memory");
    }

    status = record->group == NULL ? gh_record_append_behind(record, body, owed, error) : gh_record_append_synced(record, body, owed, error);

    if (line.allow && status == GH_OK) {
        (void) gh_owed_add(&record->owed, key, record->segment.sequence);   /* it is there already */
    } else if (line.allow || (owed && status == GH_OK)) {
        (void) gh_owed_remove(&record->owed, key);
    }
    record->state.owed = record->owed.count;

    return status;
}

void
gh_record_tick(gh_record_t *record, uint64_t now_ms)
{
    gh_segment_t *segment = &record->segment;

    (void) gh_record_flush(record, NULL);
    record->now_ms = now_ms;
    if (record->group != NULL && record->group->again) {
        (void) gh_record_begin(record, true, 0, NULL);
        return;
    }
    if (segment->fd == -1 || segment->failed || record->options.recovered_by != 0) {
        return;
    }

    record_return(record);

    if (segment->n < 2 || elapsed(now_ms, segment->begun_ms) < record->options.roll_ms) {
        return;
    }
    if (record->owed.count != 0) {
        (void) gh_record_begin(record, false, 0, NULL);
        return;
    }
    gh_record_seal(record, NULL);
    gh_segment_close(segment);
}

void
gh_record_close(gh_record_t *record)
{
    gh_segment_t *segment;

    if (record == NULL) {
        return;
    }

    segment = &record->segment;
    (void) gh_record_flush(record, NULL);
    if (record->group != NULL && record->group->again) {
        memset(record->again_ms, 0, sizeof(record->again_ms));
        (void) gh_record_begin(record, true, 0, NULL);
    }
    if (segment->fd != -1 && record->owed.count == 0) {
        if (segment->failed) {
            (void) gh_record_begin(record, true, 0, NULL);   /* says what became of that one */
        }
        gh_record_seal(record, NULL);
    }
    if (record->group != NULL) {
        gh_record_end(record);
    }
    if (record->owed.count != 0) {
        segment->held = segment->size;                    /* the room stays for those who name what was lost */
    }
    gh_segment_close(segment);
    gh_owed_free(&record->owed);
    gh_group_close(record->group, record->options.sync_ms);
    gh_record_later_free(record->later);
    free(record);
}
