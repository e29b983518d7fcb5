/* `gatehouse audit tail`: the newest lines of the record, and with --follow those that come, of every writer and across its segments. */
#include "policy/cli/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "policy/audit/segment_read.h"

#define TAIL_LINES   10u
#define TAIL_MAX     100000u
#define TAIL_POLL_NS 200000000L

typedef struct { uint64_t t; char *text; size_t len; } row_t;
typedef struct {
    char            *path;            /* malloc'ed */
    uint64_t         offset;          /* behind the last whole line that was read */
    uint64_t         unread;          /* bytes before it that were passed over */
    gh_basis_texts_t bases;           /* that stand before it, but for those in there */
} place_t;

typedef struct {
    gh_cli_t       *cli;
    gh_cli_filter_t filter;
    place_t        *places;           /* by name's key */
    size_t          place_count, place_capacity;
    gh_owed_t       known;            /* key of a path -> index of places */
    row_t          *rows;             /* of one look */
    size_t          count, capacity;
} tail_t;

static place_t *
place_of(tail_t *tail, const char *path, bool *fresh)
{
    uint64_t key = gh_line_id_key(gh_str_from(path)), index;

    *fresh = !gh_owed_find(&tail->known, key, &index);
    if (!*fresh) {
        return &tail->places[index];
    }
    if (tail->place_count == tail->place_capacity) {
        size_t   capacity = tail->place_capacity * 2 + 64;
        place_t *places = realloc(tail->places, capacity * sizeof(*places));

        if (places == NULL) {
            return NULL;
        }
        tail->places = places;
        tail->place_capacity = capacity;
    }
    if (!gh_owed_add(&tail->known, key, tail->place_count)) {
        return NULL;
    }
    tail->places[tail->place_count] = (place_t) { .path = strdup(path) };

    return &tail->places[tail->place_count++];
}

static int
keep(tail_t *tail, gh_str_t text, uint64_t t)
{
    if (tail->count == tail->capacity) {
        size_t capacity = tail->capacity * 2 + 256;
        row_t *rows = realloc(tail->rows, capacity * sizeof(*rows));

        if (rows == NULL) {
            return gh_cli_fail(tail->cli, "out of memory");
        }
        tail->rows = rows;
        tail->capacity = capacity;
    }
    tail->rows[tail->count] = (row_t) { t, malloc(text.len + 1), text.len };
    if (tail->rows[tail->count].text == NULL) {
        return gh_cli_fail(tail->cli, "out of memory");
    }
    memcpy(tail->rows[tail->count++].text, text.data, text.len);

    return GH_EXIT_DONE;
}

static int
read_segment(tail_t *tail, const gh_cli_segment_t *segment)
{
    gh_segment_reader_t reader;
    gh_str_t            text;
    gh_line_t           line;
    bool                fresh;
    place_t            *place = place_of(tail, segment->path, &fresh);
    size_t              unknown = 0;
    int                 fd, status = GH_EXIT_DONE;

    if (place == NULL) {
        return gh_cli_fail(tail->cli, "out of memory");
    }
    if (segment->size <= place->offset) {
        return GH_EXIT_DONE;
    }
    fd = open(segment->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd == -1) {
        return errno == ENOENT ? GH_EXIT_DONE : gh_cli_fail(tail->cli, "cannot read %s: %s", segment->path, strerror(errno));
    }
    if (!gh_segment_reader_open(&reader, fd, place->offset)) {
        close(fd);
        return gh_cli_fail(tail->cli, "out of memory");
    }
    reader.from = place->unread;
    reader.bases = place->bases;
    for (uint64_t n = place->offset == 0 ? 0 : segment->counted; status == GH_EXIT_DONE && gh_segment_reader_next(&reader, &text) == 1; n++) {
        bool counts = segment->counted == UINT64_MAX || n < segment->counted;

        if (counts && gh_line_read(text, &line) && gh_cli_filter_line(&tail->filter, text, &line)) {
            status = keep(tail, text, line.t);
        }
        unknown += reader.unknown;
        place->offset = reader.line + reader.raw.len + (reader.oversize ? 0 : 1);
    }
    if (unknown != 0) {
        gh_cli_say("%s: what stands once for many lines is missing or damaged: %zu line%s without it", segment->path, unknown, unknown == 1 ? " is" : "s are");
    }
    place->unread = reader.from;
    place->bases = reader.bases;
    reader.bases = (gh_basis_texts_t) { 0 };
    gh_segment_reader_close(&reader);
    close(fd);

    return status;
}

/* A segment that can have none of the newest lines is passed over: nothing was written to it for long. */
static bool
is_old(const gh_cli_segments_t *segments, const gh_cli_segment_t *segment)
{
    uint64_t newest = 0;

    for (size_t i = 0; i < segments->count; i++) {
        newest = segments->items[i].modified_ms > newest ? segments->items[i].modified_ms : newest;
    }

    return segment->modified_ms + UINT64_C(7200000) < newest;
}

static int
compare(const void *a, const void *b)
{
    const row_t *x = a, *y = b;

    return x->t < y->t ? -1 : x->t > y->t;
}

/* By time, the last `most` of what was read. */
static void
print_rows(tail_t *tail, size_t most)
{
    gh_line_t line;

    if (tail->count != 0) {
        qsort(tail->rows, tail->count, sizeof(tail->rows[0]), compare);
    }
    for (size_t i = 0; i < tail->count; i++) {
        gh_str_t text = { tail->rows[i].text, tail->rows[i].len };

        if (i + most >= tail->count && gh_line_read(text, &line)) {
            gh_cli_audit_print(tail->cli, text, &line);
        }
        free(tail->rows[i].text);
    }
    tail->count = 0;
}

static int
look(tail_t *tail, bool first, size_t most)
{
    gh_cli_segments_t segments;
    int               status = gh_cli_segments_list(tail->cli, &segments);

    if (status == GH_EXIT_DONE && first) {
        status = gh_cli_segments_count(tail->cli, &segments);
    }
    for (size_t i = 0; status == GH_EXIT_DONE && i < segments.count; i++) {
        bool     fresh;
        place_t *place;

        if (first && is_old(&segments, &segments.items[i])) {
            place = place_of(tail, segments.items[i].path, &fresh);
            if (place != NULL) {
                place->offset = place->unread = segments.items[i].size;
            }
            continue;
        }
        status = read_segment(tail, &segments.items[i]);
    }
    print_rows(tail, most);

    return status;
}

/* With memory of its own: a look lists everything anew. */
static int
look_once(tail_t *tail, const gh_cli_t *cli, bool first, size_t most)
{
    gh_cli_t once = *cli;
    int      status;

    gh_heap_init(&once.heap);
    once.arena = &once.heap.arena;
    tail->cli = &once;
    status = look(tail, first, most);
    gh_heap_free(&once.heap);
    tail->cli = NULL;

    return status == GH_EXIT_DONE ? gh_cli_flush(cli) : status;
}

static int
run(gh_cli_t *cli)
{
    tail_t          tail = { 0 };
    const char     *given = gh_cli_value(cli, "lines");
    char           *end = NULL;
    unsigned long   most = given != NULL ? strtoul(given, &end, 10) : TAIL_LINES;
    struct timespec pause = { 0, TAIL_POLL_NS };
    int             status = gh_cli_filter_read(cli, &tail.filter);

    if (status == GH_EXIT_DONE && given != NULL && (*given == '\0' || *given == '-' || *end != '\0' || most > TAIL_MAX)) {
        status = gh_cli_misuse(cli, "--lines %s: expected a number up to %u", given, TAIL_MAX);
    }
    if (status == GH_EXIT_DONE) {
        status = look_once(&tail, cli, true, most);
    }
    while (status == GH_EXIT_DONE && gh_cli_flag(cli, "follow")) {
        nanosleep(&pause, NULL);
        status = look_once(&tail, cli, false, SIZE_MAX / 2);
    }

    for (size_t i = 0; i < tail.place_count; i++) {
        free(tail.places[i].path);
        gh_basis_texts_free(&tail.places[i].bases);
    }
    free(tail.places);
    free(tail.rows);
    gh_owed_free(&tail.known);
    gh_cli_filter_free(&tail.filter);

    return status;
}

static const gh_cli_option_t options[] = {
    { "follow", NULL, "goes on with the lines that come, until it is stopped", false },
    { "lines", "N", "how many of the newest come first (default: 10)", false },
    GH_CLI_FILTER_OPTIONS,
    { "home", "DIR", "the gateway's home (default: $GATEHOUSE_HOME, else " GH_CLI_HOME ")", false },
    { "json", NULL, "prints the lines of the record, decisions whole, one JSON object a line", false },
    { 0 }
};

const gh_cli_command_t gh_cli_audit_tail = {
    .name = "audit tail",
    .usage = "[DIR...] [options]",
    .summary = "prints the newest lines of the record, and those that come",
    .help =
        "Prints the newest lines of the record that fit, of all its writers, by time. With --follow it goes on with what they write, also in\n"
        "segments and by workers that are new. The filters are those of `gatehouse audit show`.",
    .options = options,
    .least = 0,
    .most = 16,
    .run = run,
};
