/*
 * A request's charges stand in several lines: its decision, and the attempt lines of further hops, say which counters each reservation was
 * taken from ("reserve"); its outcome says what each attempt was charged. Lines of one request are in one writer's segments, the decision
 * first; the lost line of a dead writer's request stands in the same chain.
 */
#include "policy/cli/record_charges.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/audit/line.h"
#include "policy/audit/segment_read.h"
#include "policy/audit/voided.h"
#include "policy/quota/limits.h"

typedef struct {
    char              path[GH_SEGMENT_PATH];
    gh_segment_name_t parts;
} file_t;

typedef struct {
    gh_record_charge_fn  each;
    void                *context;
    gh_record_charges_t *charges;
    gh_error_t          *error;
    json_t              *open;        /* by id: {"at": ms, "reserves": [...]} of requests that have not ended */
    file_t              *files;
    size_t               count, capacity;
    gh_voids_t           voids;
    const char          *directory;   /* being listed */
} reader_t;

/* ---- one request ---- */

static unsigned
index_of(const char *const *names, unsigned count, const json_t *word)
{
    const char *text = json_string_value(word);

    for (unsigned i = 0; text != NULL && i < count; i++) {
        if (names[i] != NULL && strcmp(names[i], text) == 0) {
            return i;
        }
    }
    return 0;
}

static uint64_t
number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));

    return value < 0 ? 0 : (uint64_t) value;
}

static bool
read_limit(const json_t *limit, gh_counter_id_t *id)
{
    const char *model = json_string_value(json_object_get(limit, "model"));

    *id = (gh_counter_id_t) { .uid = number(limit, "uid"), .model = model != NULL ? gh_model_number(gh_str_from(model)) : 0,
        .level = (uint8_t) index_of(gh_level_names, GH_LEVELS, json_object_get(limit, "level")),
        .dimension = (uint8_t) index_of(gh_dimension_names, GH_DIMENSIONS, json_object_get(limit, "dimension")),
        .per = (uint8_t) index_of(gh_per_names, GH_PERS, json_object_get(limit, "per")),
        .limit_class = (uint8_t) index_of(gh_limit_class_names, GH_LIMIT_CLASSES, json_object_get(limit, "class")) };
    return id->level != 0 && id->dimension != 0 && id->limit_class != 0 && !json_is_true(json_object_get(limit, "left_out"));
}

/* Of a "charged" object; NULL: in flight, which charges nothing. */
static const char *
member_of(gh_dimension_t dimension)
{
    static const char *const members[] = { NULL, "requests", "tokens", "micro_dollars", NULL, "input", "output", NULL };

    return dimension <= GH_COUNT_STREAMS ? members[dimension] : NULL;
}

/*
 * charged: of the attempt that this reservation was for (NULL: of none), or lost: of what the sweeper charged in full (NULL: it was not that
 * reservation, or nobody knows).
 */
static void
charge_reserve(reader_t *reader, const json_t *reserve, uint64_t at_ms, const json_t *charged, bool lost)
{
    size_t  i;
    json_t *limit;

    json_array_foreach(json_object_get(reserve, "limits"), i, limit) {
        gh_record_charge_t charge = { .window = (uint32_t) number(limit, "window"), .decided_ms = at_ms, .sure = true };
        const char        *member;

        if (!read_limit(limit, &charge.id) || (member = member_of((gh_dimension_t) charge.id.dimension)) == NULL) {
            continue;
        }
        charge.amount = number(limit, "amount");
        if (charge.id.dimension != GH_COUNT_REQUESTS) {
            charge.sure = !lost || json_object_get(charged, member) != NULL;
            charge.amount = lost ? charge.amount : number(charged, member);
        }
        if (charge.amount > 0) {
            reader->each(reader->context, &charge);
        }
    }
}

/* The charge of the attempt that a reservation was for, from *next on: one that was never sent has none, and was given back. */
static const json_t *
charged_attempt(const json_t *attempts, size_t *next, const json_t *reserve)
{
    const char *deployment = json_string_value(json_object_get(reserve, "deployment"));

    for (size_t i = *next; deployment != NULL && i < json_array_size(attempts); i++) {
        const json_t *attempt = json_array_get(attempts, i), *charged = json_object_get(attempt, "charged");
        const char   *name = json_string_value(json_object_get(attempt, "deployment"));

        if (charged != NULL && name != NULL && strcmp(name, deployment) == 0) {
            *next = i + 1;
            return charged;
        }
    }
    return NULL;
}

static void
end_request(reader_t *reader, const char *id, const json_t *line, bool lost)
{
    json_t       *request = json_object_get(reader->open, id), *reserves = json_object_get(request, "reserves"), *reserve;
    const json_t *attempts = json_object_get(line, "attempts");
    size_t        i, next = 0, count = json_array_size(reserves);

    if (request == NULL) {
        return;
    }
    reader->charges->requests++;
    json_array_foreach(reserves, i, reserve) {
        uint64_t at_ms = number(request, "at");

        if (lost) {
            charge_reserve(reader, reserve, at_ms, i + 1 == count ? json_object_get(line, "charged") : NULL, true);
        } else {
            charge_reserve(reader, reserve, at_ms, charged_attempt(attempts, &next, reserve), false);
        }
    }
    json_object_del(reader->open, id);
}

static void
begin_request(reader_t *reader, const char *id, const json_t *line)
{
    json_t     *reserve = json_object_get(line, "reserve");
    const char *verdict = json_string_value(json_object_get(line, "verdict"));

    if (verdict != NULL && strcmp(verdict, "allow") != 0) {
        if (reserve != NULL) {
            reader->charges->requests++;
            charge_reserve(reader, reserve, number(line, "t"), NULL, false);    /* admitted, then denied: it was a request */
        }
        return;
    }
    json_object_set_new(reader->open, id, json_pack("{s:I, s:[]}", "at", (json_int_t) number(line, "t"), "reserves"));
    if (reserve != NULL) {
        json_array_append(json_object_get(json_object_get(reader->open, id), "reserves"), reserve);
    }
}

/* ---- lines and files ---- */

static void
take_line(reader_t *reader, gh_str_t text)
{
    json_t     *line;
    gh_line_t   head;
    const char *id;

    reader->charges->lines++;
    if (gh_line_read(text, &head) && head.type != GH_LINE_DECISION && head.type != GH_LINE_ATTEMPT && head.type != GH_LINE_OUTCOME
        && head.type != GH_LINE_LOST)
    {
        return;
    }
    line = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    id = json_string_value(json_object_get(line, "id"));
    reader->charges->damaged += line == NULL;
    if (id != NULL) {
        const char *type = json_string_value(json_object_get(line, "type"));
        json_t     *reserves = json_object_get(json_object_get(reader->open, id), "reserves");

        if (type != NULL && strcmp(type, "decision") == 0) {
            begin_request(reader, id, line);
        } else if (type != NULL && strcmp(type, "attempt") == 0 && json_object_get(line, "reserve") != NULL && reserves != NULL) {
            json_array_append(reserves, json_object_get(line, "reserve"));
        } else if (type != NULL && (strcmp(type, "outcome") == 0 || strcmp(type, "lost") == 0)) {
            end_request(reader, id, line, strcmp(type, "lost") == 0);
        }
    }
    json_decref(line);
}

static int
read_file(reader_t *reader, const char *path)
{
    gh_segment_reader_t lines;
    gh_str_t            text;
    uint64_t            counted = gh_voids_counted(&reader->voids, path);
    int                 fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), got = 0;

    if (fd == -1) {
        return errno == ENOENT ? GH_OK    /* moved between the listing and now */
            : gh_error_at(reader->error, "record", path, 0, 0, "cannot open %s: %s", path, strerror(errno));
    }
    if (!gh_segment_reader_open(&lines, fd, 0)) {
        close(fd);
        return gh_error_at(reader->error, "record", path, 0, 0, "out of memory");
    }
    for (; counted != 0 && (got = gh_segment_reader_next(&lines, &text)) == 1; counted--) {
        reader->charges->damaged += lines.unknown;
        take_line(reader, text);
    }
    gh_segment_reader_close(&lines);
    close(fd);
    return got != GH_ERROR ? GH_OK : gh_error_at(reader->error, "record", path, 0, 0, "cannot read %s: %s", path, strerror(errno));
}

static int
note_file(void *context, const char *name, const gh_segment_name_t *parts)
{
    reader_t *reader = context;
    file_t   *file;

    if (reader->count == reader->capacity) {
        size_t  capacity = reader->capacity == 0 ? 64 : 2 * reader->capacity;
        file_t *files = realloc(reader->files, capacity * sizeof(*files));

        if (files == NULL) {
            errno = ENOMEM;
            return GH_ERROR;
        }
        reader->files = files;
        reader->capacity = capacity;
    }
    file = &reader->files[reader->count++];
    file->parts = *parts;
    file->parts.node = (gh_str_t) { NULL, 0 };
    return snprintf(file->path, sizeof(file->path), "%s/%s", reader->directory, name) < (int) sizeof(file->path) ? GH_OK : GH_ERROR;
}

static int
list(reader_t *reader, const char *directory, bool *there)
{
    reader->directory = directory;
    return gh_segment_each(directory, note_file, reader, there) == GH_OK ? GH_OK
        : gh_error_at(reader->error, "record", directory, 0, 0, "cannot read %s: %s", directory, strerror(errno));
}

static int
list_all(reader_t *reader, const char *directory)
{
    static const char *const parts[] = { "open", "sealed" };
    bool                     any = false, there = false;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char path[GH_SEGMENT_PATH];

        if (snprintf(path, sizeof(path), "%s/%s", directory, parts[i]) >= (int) sizeof(path) || list(reader, path, &there) != GH_OK) {
            return GH_ERROR;
        }
        any = any || there;
    }
    if (any) {
        return GH_OK;
    }
    if (list(reader, directory, &there) != GH_OK) {
        return GH_ERROR;
    }
    return there ? GH_OK : gh_error_at(reader->error, "record", directory, 0, 0, "there is no directory %s", directory);
}

static int
compare_files(const void *a, const void *b)
{
    const gh_segment_name_t *x = &((const file_t *) a)->parts, *y = &((const file_t *) b)->parts;

    return x->epoch_ms != y->epoch_ms ? (x->epoch_ms < y->epoch_ms ? -1 : 1) : x->pid != y->pid ? (x->pid < y->pid ? -1 : 1)
        : x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

int
gh_cli_record_charges(const char *const *directories, unsigned count, gh_record_charge_fn each, void *context,
    gh_record_charges_t *charges, gh_error_t *error)
{
    reader_t reader = { .each = each, .context = context, .charges = charges, .error = error, .open = json_object() };
    int      rc = reader.open == NULL ? gh_error_set(error, "out_of_memory", "no memory to read the record") : GH_OK;

    memset(charges, 0, sizeof(*charges));
    for (unsigned i = 0; i < count && rc == GH_OK; i++) {
        rc = list_all(&reader, directories[i]);
    }
    if (reader.count > 0) {
        qsort(reader.files, reader.count, sizeof(*reader.files), compare_files);
    }
    for (size_t i = 0; i < reader.count && rc == GH_OK; i++) {
        rc = gh_voids_look(&reader.voids, reader.files[i].path) == GH_OK ? GH_OK : gh_error_set(error, "out_of_memory", "no memory to read the record");
    }
    for (size_t i = 0; i < reader.count && rc == GH_OK; i++) {
        rc = read_file(&reader, reader.files[i].path);
    }
    charges->running = json_object_size(reader.open);
    json_decref(reader.open);
    free(reader.files);
    gh_voids_free(&reader.voids);
    return rc;
}
