/* `gatehouse audit verify`: is the record one chain for each writer, and has every request its lines? */
#include "policy/cli/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/audit/record_writer.h"
#include "policy/audit/segment_read.h"
#include "policy/base/hash.h"
#include "policy/cli/policy.h"

#define EXIT_DAMAGED GH_EXIT_DENIED   /* 3 */
#define VERIFY_SAID  200u             /* problems that are printed one by one */

static const char limits_of_it[] =
    "The record is not signed yet. An unkeyed chain shows damage and clumsy edits; a tail cut off with its seal, the last segments\n"
    "of a writer removed, and lines made up by somebody who may write here cannot be told from this.";

typedef struct {
    gh_cli_t *cli;
    json_t   *problems, *notices;     /* NULL without --json */
    size_t    problem_count, notice_count;
    uint64_t  segments, lines, writers, live, decided, denied, ended, lost, running, changes, gaps, gap_requests, gap_attempts;
    gh_owed_t said_gaps;              /* of all writers: one that was said again for a dead one is one */

    /* the writer that is being read */
    const gh_cli_segments_t *all;
    const gh_cli_segment_t *segment;
    uint64_t  line;                   /* number in the file, from 1 */
    char      chain[64];              /* of its last line */
    char      previous[GH_SEGMENT_NAME], promised[GH_SEGMENT_NAME];   /* its last segment; the next one by that one's seal */
    uint64_t  last_change;
    bool      begun;                  /* a segment of it was read */
    bool      headless;               /* its first segment is not here: decisions may be in one before */
    bool      is_live, sealed;
    gh_owed_t owed;                   /* decisions that allowed */
} verify_t;

static void __attribute__((format(printf, 4, 5)))
say(verify_t *verify, bool problem, const char *code, const char *format, ...)
{
    char    text[512];
    va_list args;
    size_t *count = problem ? &verify->problem_count : &verify->notice_count;
    json_t *list = problem ? verify->problems : verify->notices;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    if (list != NULL) {
        json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:s}", "file", verify->segment->path, "line", (json_int_t) verify->line,
            "code", code, "text", gh_cli_shown(verify->cli->arena, gh_str_from(text)).data));
    } else if (*count < VERIFY_SAID) {
        gh_str_t shown = gh_cli_shown(verify->cli->arena, gh_str_from(text));

        printf("%s:%" PRIu64 ": %s: %.*s\n", verify->segment->path, verify->line, problem ? "problem" : "note", GH_STR_ARG(shown));
    }
    (*count)++;
}

/* ---- requests ---- */

static void
check_request(verify_t *verify, const gh_line_t *line)
{
    uint64_t key = gh_line_id_key(line->id), ignored;
    bool     known = gh_owed_find(&verify->owed, key, &ignored);

    if (line->type == GH_LINE_DECISION) {
        verify->decided += line->allow;
        verify->denied += !line->allow;
        if (known) {
            say(verify, true, "decided_twice", "request %.*s is decided once more", GH_STR_ARG(line->id));
        } else if (line->allow && !gh_owed_add(&verify->owed, key, verify->segment->parts.sequence)) {
            say(verify, true, "out_of_memory", "no memory for the requests of this writer");
        }
        return;
    }

    if (!known && !verify->headless) {
        say(verify, true, "without_decision", "%s of request %.*s, which was not decided before or is closed already",
            line->type == GH_LINE_ATTEMPT ? "an attempt" : line->type == GH_LINE_LOST ? "a lost line" : "an outcome", GH_STR_ARG(line->id));
    }
    if (line->type != GH_LINE_ATTEMPT) {
        verify->ended += line->type == GH_LINE_OUTCOME;
        verify->lost += line->type == GH_LINE_LOST;
        (void) gh_owed_remove(&verify->owed, key);
    }
}

/* ---- lines ---- */

static void
check_first(verify_t *verify, gh_str_t text, const gh_line_t *line)
{
    gh_str_t previous = gh_line_member(text, "previous_file");
    bool     zeros = strspn(line->prev.data, "0") >= 64;
    size_t   len = strlen(verify->previous);

    if (line->type != GH_LINE_SEGMENT) {
        say(verify, true, "no_segment_line", "a segment begins with a segment line");
    }
    if (gh_line_number(text, "torn_bytes") != 0) {
        say(verify, false, "torn", "the segment before ended in %" PRIu64 " bytes of an incomplete line", gh_line_number(text, "torn_bytes"));
    }

    if (!verify->begun) {
        if (previous.len != 0) {
            verify->headless = true;
            say(verify, false, "begins_later", "continues %.*s, which is not here", GH_STR_ARG(previous));
        } else if (!zeros) {
            say(verify, true, "chain", "continues a segment that it does not name");
        }
        return;
    }

    if (previous.len != len + 2 || memcmp(previous.data + 1, verify->previous, len) != 0) {
        say(verify, true, "gap", "continues %.*s, which is not here; the one before it is %s", GH_STR_ARG(previous), verify->previous);
        verify->headless = true;
    } else if (memcmp(line->prev.data, verify->chain, 64) != 0) {
        say(verify, true, "chain", "does not continue the last line of %s: that was cut, changed, or written by somebody else",
            verify->previous);
    }
}

static void
check_seal(verify_t *verify, gh_str_t text, const gh_line_t *line, uint64_t offset)
{
    gh_str_t next = gh_line_member(text, "next_file");

    verify->sealed = true;
    if (gh_line_number(text, "lines") != line->n || gh_line_number(text, "bytes") != offset) {
        say(verify, true, "seal", "the seal is of %" PRIu64 " lines and %" PRIu64 " bytes; there are %" PRIu64 " and %" PRIu64 " before it",
            gh_line_number(text, "lines"), gh_line_number(text, "bytes"), line->n, offset);
    }
    snprintf(verify->promised, sizeof(verify->promised), "%.*s", next.len > 2 ? (int) next.len - 2 : 0, next.len > 2 ? next.data + 1 : "");
}

static void
check_change(verify_t *verify, gh_str_t text)
{
    uint64_t number = gh_line_number(text, "number");

    verify->changes++;
    if (number <= verify->last_change && number != 1) {
        say(verify, true, "change", "change %" PRIu64 " follows change %" PRIu64, number, verify->last_change);
    }
    verify->last_change = number;
}

static void
check_gap(verify_t *verify, gh_str_t text)
{
    uint64_t said[4] = { gh_line_number(text, "pid"), gh_line_number(text, "from"), gh_line_number(text, "requests"), gh_line_number(text, "attempts") };
    uint64_t key = gh_line_id_key((gh_str_t) { (const char *) said, sizeof(said) }), ignored;

    verify->gaps++;
    if (said[1] == 0 || gh_owed_find(&verify->said_gaps, key, &ignored)) {
        return;
    }
    if (!gh_owed_add(&verify->said_gaps, key, 1)) {
        say(verify, true, "out_of_memory", "no memory for the gaps of the record");
    }
    verify->gap_requests += said[2];
    verify->gap_attempts += said[3];
    say(verify, false, "unrecorded", "%" PRIu64 " request%s of best-effort callers %s sent without a decision, and %" PRIu64 " further attempt%s without a line", said[2],
        said[2] == 1 ? "" : "s", said[2] == 1 ? "was" : "were", said[3], said[3] == 1 ? "" : "s");
}

static void
check_line(verify_t *verify, gh_str_t text, bool oversize, uint64_t offset)
{
    gh_line_t    line;
    json_error_t why;
    json_t      *json;
    uint8_t      digest[32];

    verify->line++;
    verify->lines++;
    verify->sealed = false;
    verify->promised[0] = '\0';

    if (oversize || text.len >= GH_RECORD_LINE_MAX) {
        say(verify, true, "too_long", "a line is longer than %d bytes", GH_RECORD_LINE_MAX);
    }
    if (!gh_line_read(text, &line)) {
        say(verify, true, "form", "not a line of the record");
        memset(verify->chain, '?', sizeof(verify->chain));
        return;
    }
    json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(json)) {
        say(verify, true, "json", "not JSON: %s", why.text);
    }
    json_decref(json);

    if (line.n != verify->line - 1) {
        say(verify, true, "number", "line n %" PRIu64 " stands where %" PRIu64 " belongs: lines are missing, doubled or moved", line.n,
            verify->line - 1);
    }
    if (verify->line == 1) {
        check_first(verify, text, &line);
    } else if (memcmp(line.prev.data, verify->chain, 64) != 0) {
        say(verify, true, "chain", "does not continue the line before: one of the two was changed");
    }

    gh_sha256(text.data, text.len, digest);
    gh_hex(digest, sizeof(digest), verify->chain);

    switch (line.type) {
    case GH_LINE_DECISION: case GH_LINE_ATTEMPT: case GH_LINE_OUTCOME: case GH_LINE_LOST:
        check_request(verify, &line);
        break;
    case GH_LINE_SEAL:
        check_seal(verify, text, &line, offset);
        break;
    case GH_LINE_CHANGE:
        check_change(verify, text);
        break;
    case GH_LINE_GAP:
        check_gap(verify, text);
        break;
    case GH_LINE_SEGMENT:
        if (verify->line != 1) {
            say(verify, true, "form", "a segment line inside of a segment");
        }
        break;
    case GH_LINE_BASIS:
        break;
    default:
        say(verify, false, "type", "a line of a type that this version does not know");
    }
}

/* ---- segments and writers ---- */

/* Was the segment made after all were listed? Its writer lives on in it. */
static bool
made_since(const verify_t *verify, const char *name)
{
    char path[GH_SEGMENT_PATH];

    for (size_t i = 0; i < verify->all->count; i++) {
        const gh_cli_segment_t *item = &verify->all->items[i];
        int                     len = (int) (item->name - item->path);

        if (snprintf(path, sizeof(path), "%.*s%s", len, item->path, name) < (int) sizeof(path) && access(path, F_OK) == 0) {
            return true;
        }
    }

    return false;
}

/* failed: the next segment says that this one could not be written any more. */
static void
check_end(verify_t *verify, size_t torn, bool last, bool failed)
{
    if (last && !verify->is_live && verify->promised[0] != '\0' && made_since(verify, verify->promised)) {
        verify->is_live = true;
        verify->live++;
    }
    if (verify->is_live) {
        return;
    }
    if (torn != 0 && !failed) {
        say(verify, true, "torn", "ends in %zu bytes of an incomplete line, and nobody holds it: recovery, by any worker of this node, cuts and "
            "names them", torn);
    }
    if (!verify->sealed && !failed) {
        say(verify, true, "unsealed", last
            ? "no seal at its end, and nobody holds it: its writer died and no worker has recovered it yet, or its tail was cut off"
            : "no seal at its end, though another segment follows");
    }
    if (last && verify->promised[0] != '\0') {
        say(verify, true, "gap", "its seal names %s as the next segment, which is not here", verify->promised);
    }
}

/* Does the first line of the segment say that the one before failed, or was torn? */
static bool
says_failed(const gh_cli_segment_t *segment)
{
    gh_segment_reader_t reader;
    gh_str_t            text;
    bool                failed = false;
    int                 fd = segment != NULL ? open(segment->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;

    if (fd != -1 && gh_segment_reader_open(&reader, fd, 0)) {
        failed = gh_segment_reader_next(&reader, &text) == 1
                 && (gh_line_member(text, "previous_error").len != 0 || gh_line_member(text, "torn_bytes").len != 0);
        gh_segment_reader_close(&reader);
    }
    if (fd != -1) {
        close(fd);
    }

    return failed;
}

static int
check_segment(verify_t *verify, const gh_cli_segment_t *segment, const gh_cli_segment_t *next)
{
    bool                failed = segment->counted != UINT64_MAX || says_failed(next);
    gh_segment_reader_t reader;
    gh_str_t            text;
    int                 rc, fd = open(segment->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    verify->segment = segment;
    verify->line = 0;
    verify->sealed = false;
    verify->promised[0] = '\0';
    if (fd == -1 || !gh_segment_reader_open(&reader, fd, 0)) {
        return gh_cli_fail(verify->cli, "cannot read %s: %s", segment->path, strerror(errno));
    }

    verify->segments++;
    verify->is_live = gh_cli_segment_live(fd);     /* before it is read: what is written meanwhile is whole or comes later */
    verify->live += verify->is_live;
    while ((rc = verify->line < segment->counted ? gh_segment_reader_next(&reader, &text) : GH_OK) == 1) {
        check_line(verify, reader.raw, reader.oversize, reader.line);
        if (reader.unknown) {
            say(verify, true, "basis", "does not say what it is about: a basis that was not written before it in this segment, or two of one number");
        }
    }
    if (rc == GH_OK) {
        if (segment->counted != UINT64_MAX && verify->line < segment->counted) {
            say(verify, true, "void", "ends at line %" PRIu64 ", though lines were taken back from line %" PRIu64 " on only", verify->line,
                segment->counted);
        } else if (segment->counted != UINT64_MAX) {
            say(verify, false, "void", "what follows was not on the disk when that failed: it stands again in another segment");
        } else if (verify->line == 0 && !verify->is_live) {
            say(verify, !failed, "empty", "has no line");
        } else {
            check_end(verify, gh_segment_reader_torn(&reader), next == NULL, failed);
        }
    }
    gh_segment_reader_close(&reader);
    close(fd);
    if (segment->counted != 0) {
        snprintf(verify->previous, sizeof(verify->previous), "%s", segment->name);
        verify->begun = true;
    }

    return rc == GH_OK ? GH_EXIT_DONE : gh_cli_fail(verify->cli, "cannot read %s: %s", segment->path, strerror(errno));
}

static bool
same_writer(const gh_cli_segment_t *a, const gh_cli_segment_t *b)
{
    return gh_str_eq(a->parts.node, b->parts.node) && a->parts.epoch_ms == b->parts.epoch_ms && a->parts.pid == b->parts.pid;
}

/* The requests of a writer that has ended all have their end. */
static void
end_writer(verify_t *verify)
{
    if (verify->is_live) {
        verify->running += verify->owed.count;
    } else if (verify->owed.count != 0) {
        say(verify, true, "without_outcome", "%zu request%s of this writer %s neither an outcome nor a lost line", verify->owed.count,
            verify->owed.count == 1 ? "" : "s", verify->owed.count == 1 ? "has" : "have");
    }
    gh_owed_free(&verify->owed);
}

static int
check_all(verify_t *verify, const gh_cli_segments_t *segments)
{
    int status = GH_EXIT_DONE;

    for (size_t i = 0; i < segments->count && status == GH_EXIT_DONE; i++) {
        const gh_cli_segment_t *segment = &segments->items[i];
        const gh_cli_segment_t *next = i + 1 < segments->count && same_writer(segment, segment + 1) ? segment + 1 : NULL;

        if (i == 0 || !same_writer(segment - 1, segment)) {
            verify->writers++;
            verify->begun = verify->headless = false;
            verify->previous[0] = '\0';
            verify->last_change = 0;
        } else if (segment[-1].parts.sequence == segment->parts.sequence) {
            verify->segment = segment;
            say(verify, true, "doubled", "stands in two places: %s", segment[-1].path);
            continue;
        }
        status = check_segment(verify, segment, next);
        if (next == NULL) {
            end_writer(verify);
        }
    }

    return status;
}

static int
print_all(verify_t *verify)
{
    if (verify->problems != NULL) {
        int status = gh_cli_print_json(verify->cli, json_pack(
            "{s:b, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I}, s:o, s:o}", "sound", verify->problem_count == 0,
            "signed", 0, "undetectable", "tails cut off with their seal, last segments removed, forgery by who may write the files",
            "segments", (json_int_t) verify->segments, "lines", (json_int_t) verify->lines, "writers", (json_int_t) verify->writers, "live",
            (json_int_t) verify->live, "changes", (json_int_t) verify->changes, "requests", "allowed", (json_int_t) verify->decided, "denied",
            (json_int_t) verify->denied, "ended", (json_int_t) verify->ended, "lost", (json_int_t) verify->lost, "running",
            (json_int_t) verify->running, "gaps", "lines", (json_int_t) verify->gaps, "requests", (json_int_t) verify->gap_requests, "attempts",
            (json_int_t) verify->gap_attempts, "problems", verify->problems, "notes", verify->notices));

        return status != GH_EXIT_DONE ? status : verify->problem_count != 0 ? EXIT_DAMAGED : GH_EXIT_DONE;
    }

    if (verify->problem_count > VERIFY_SAID) {
        printf("... and %zu more problems\n", verify->problem_count - VERIFY_SAID);
    }
    printf("%" PRIu64 " lines in %" PRIu64 " segments of %" PRIu64 " writers, %" PRIu64 " of them still written: %" PRIu64 " requests allowed (%"
        PRIu64 " ended, %" PRIu64 " lost, %" PRIu64 " running), %" PRIu64 " denied, %" PRIu64 " changes.\n", verify->lines, verify->segments,
        verify->writers, verify->live, verify->decided, verify->ended, verify->lost, verify->running, verify->denied, verify->changes);
    if (verify->gaps != 0) {
        printf("%" PRIu64 " lines tell of gaps: %" PRIu64 " requests of best-effort callers were sent without a decision, %" PRIu64 " further attempts without a line.\n",
            verify->gaps, verify->gap_requests, verify->gap_attempts);
    }
    printf("%s\n%s\n", verify->problem_count == 0 ? "Every chain is whole, and every request has its lines." : "The record is damaged.",
        limits_of_it);

    return gh_cli_flush(verify->cli) != GH_EXIT_DONE ? GH_EXIT_ERROR : verify->problem_count != 0 ? EXIT_DAMAGED : GH_EXIT_DONE;
}

static int
run(gh_cli_t *cli)
{
    verify_t          verify = { .cli = cli };
    gh_cli_segments_t segments;
    int               status = gh_cli_segments_list(cli, &segments);

    if (status != GH_EXIT_DONE) {
        return status;
    }
    if (segments.count == 0) {
        return gh_cli_fail(cli, "there is no segment of a record there");
    }
    verify.all = &segments;
    status = gh_cli_segments_count(cli, &segments);
    if (status != GH_EXIT_DONE) {
        return status;
    }
    if (gh_cli_flag(cli, "json")) {
        verify.problems = json_array();
        verify.notices = json_array();
    }

    status = check_all(&verify, &segments);
    gh_owed_free(&verify.said_gaps);

    return status == GH_EXIT_DONE ? print_all(&verify) : status;
}

static const gh_cli_option_t options[] = {
    { "audit", "DIR", "an audit directory (default: HOME/audit); repeat it for the second one", true },
    { "home", "DIR", "the gateway's home (default: $GATEHOUSE_HOME, else " GH_CLI_HOME ")", false },
    { "json", NULL, "prints an object: sound, segments, lines, writers, requests, gaps, problems, notes", false },
    { 0 }
};

const gh_cli_command_t gh_cli_audit_verify = {
    .name = "audit verify",
    .usage = "[DIR...] [options]",
    .summary = "checks the record's chains, and that each request has its lines",
    .help =
        "Reads every segment of DIR/open and DIR/sealed, of several DIRs together when a second directory took over: each line continues\n"
        "the one before, each segment its writer's last; seals are right; none is missing between two; ends are sealed, or still written;\n"
        "each allowed request has one outcome or one lost line. The record is not signed yet: tails that were cut off with their\n"
        "seal, last segments that were removed, and forgery by who may write the files are not detected.",
    .exits = ", 3 the record is damaged or unfinished",
    .options = options,
    .least = 0,
    .most = 16,
    .run = run,
};
