/* `gatehouse audit show`: lines of the record, by time. */
#include "policy/cli/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/audit/segment_read.h"

#define SHOW_MAX 1000000u             /* lines that are sorted at once */

typedef struct {
    uint64_t t;
    size_t   at;                      /* order in which they were read */
    char    *text;                    /* malloc'ed */
    size_t   len;
} row_t;

typedef struct {
    gh_cli_t       *cli;
    gh_cli_filter_t filter;
    row_t          *rows;
    size_t          count, capacity, damaged, unknown;
} show_t;

static int
keep(show_t *show, gh_str_t text, uint64_t t)
{
    if (show->count == SHOW_MAX) {
        gh_cli_fail(show->cli, "more than %u lines fit", SHOW_MAX);
        gh_cli_advise("narrow it with --since and --until, or with --type");
        return GH_EXIT_ERROR;
    }
    if (show->count == show->capacity) {
        size_t capacity = show->capacity * 2 + 256;
        row_t *rows = realloc(show->rows, capacity * sizeof(*rows));

        if (rows == NULL) {
            return gh_cli_fail(show->cli, "out of memory");
        }
        show->rows = rows;
        show->capacity = capacity;
    }
    show->rows[show->count] = (row_t) { t, show->count, malloc(text.len + 1), text.len };
    if (show->rows[show->count].text == NULL) {
        return gh_cli_fail(show->cli, "out of memory");
    }
    memcpy(show->rows[show->count++].text, text.data, text.len);

    return GH_EXIT_DONE;
}

static int
show_segment(show_t *show, const gh_cli_segment_t *segment)
{
    gh_segment_reader_t reader;
    gh_str_t            text;
    gh_line_t           line;
    int                 status = GH_EXIT_DONE, rc = 0, fd = open(segment->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd == -1 && errno == ENOENT) {
        return GH_EXIT_DONE;
    }
    if (fd == -1 || !gh_segment_reader_open(&reader, fd, 0)) {
        return gh_cli_fail(show->cli, "cannot read %s: %s", segment->path, strerror(errno));
    }
    for (uint64_t n = 0; n < segment->counted && status == GH_EXIT_DONE && (rc = gh_segment_reader_next(&reader, &text)) == 1; n++) {
        if (!gh_line_read(text, &line)) {
            show->damaged++;
            continue;
        }
        show->unknown += reader.unknown;
        if (gh_cli_filter_line(&show->filter, text, &line)) {
            status = keep(show, text, line.t);
        }
    }
    if (rc == GH_ERROR) {
        status = gh_cli_fail(show->cli, "cannot read %s: %s", segment->path, strerror(errno));
    }
    gh_segment_reader_close(&reader);
    close(fd);

    return status;
}

static int
compare(const void *a, const void *b)
{
    const row_t *x = a, *y = b;

    return x->t != y->t ? (x->t < y->t ? -1 : 1) : (x->at < y->at ? -1 : 1);
}

static int
run(gh_cli_t *cli)
{
    show_t            show = { .cli = cli };
    gh_cli_segments_t segments;
    gh_line_t         line;
    int               status = gh_cli_filter_read(cli, &show.filter);

    if (status == GH_EXIT_DONE) {
        status = gh_cli_segments_list(cli, &segments);
    }
    if (status == GH_EXIT_DONE) {
        status = gh_cli_segments_count(cli, &segments);
    }
    for (size_t i = 0; status == GH_EXIT_DONE && i < segments.count; i++) {
        if (gh_cli_filter_segment(&show.filter, &segments.items[i])) {
            status = show_segment(&show, &segments.items[i]);
        }
    }

    if (status == GH_EXIT_DONE && show.count != 0) {
        qsort(show.rows, show.count, sizeof(show.rows[0]), compare);
    }
    for (size_t i = 0; i < show.count; i++) {
        gh_str_t text = { show.rows[i].text, show.rows[i].len };

        if (status == GH_EXIT_DONE && gh_line_read(text, &line)) {
            gh_cli_audit_print(cli, text, &line);
        }
        free(show.rows[i].text);
    }
    free(show.rows);
    gh_cli_filter_free(&show.filter);
    if (show.unknown != 0) {
        gh_cli_say("%zu line%s shown without what stands once for many: that is missing or damaged; `gatehouse audit verify` says where", show.unknown,
            show.unknown == 1 ? " is" : "s are");
    }
    if (show.damaged != 0) {
        gh_cli_say("%zu line%s could not be read: `gatehouse audit verify` says where", show.damaged, show.damaged == 1 ? "" : "s");
    }

    return status == GH_EXIT_DONE ? gh_cli_flush(cli) : status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_FILTER_OPTIONS,
    { "home", "DIR", "the gateway's home (default: $GATEHOUSE_HOME, else " GH_CLI_HOME ")", false },
    { "json", NULL, "prints the lines of the record, decisions whole, one JSON object a line", false },
    { 0 }
};

const gh_cli_command_t gh_cli_audit_show = {
    .name = "audit show",
    .usage = "[DIR...] [options]",
    .summary = "prints lines of the record, by time and filter",
    .help =
        "Prints the lines of the record that fit every filter given, by time: of DIR/open and DIR/sealed, of several DIRs when there\n"
        "are a second directory or archives. --org, --tenant, --app, --key, --session, --model and --verdict choose requests by their\n"
        "decision, with all their lines; the others choose lines. --session takes the id that the record has (64 hexadecimal digits), or\n"
        "the name that a client gave its session, which is computed with the store's secret for each tenant; what uses the session's\n"
        "state is shown too. What decisions of a file have in common is put back into each; the lines that have it, of type basis, are\n"
        "shown with --type alone. `gatehouse explain ID` tells one request as a story.",
    .options = options,
    .least = 0,
    .most = 16,
    .run = run,
};
