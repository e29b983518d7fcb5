/*
 * Lines are kept until one is appended at once, or until the caller says that there is time: all of them go into one write(2), which costs
 * hardly more for ten lines than for one. Where that cannot be, each is appended by itself, and behind a decision that got nowhere no further
 * decision: what waits for them is told up to which they are there.
 *
 * What decisions that are kept have in common with others is written once a segment, as a line of its own (basis.h), in the same write.
 */
#include "policy/audit/record_state.h"

#include "policy/audit/basis.h"
#include "policy/audit/line.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *data;
    size_t      len;
    uint64_t    key;                  /* of its request; 0: it neither owes nor pays an outcome */
    uint64_t    ticket;               /* of a decision; 0: an outcome, for which nothing waits */
    uint64_t    t;
    unsigned    end;                  /* lines of the write up to it */
    gh_json_marks_t marks;
} later_t;

#define LATER_LINES 128
#define LATER_BYTES (128 * 1024)      /* of what is kept */
#define LATER_BASES (256 * 1024)      /* of lines that come on top of it, at most, all with their chain */
#define LATER_OUT   (LATER_BYTES + LATER_BASES + GH_RECORD_LINE_MAX)   /* that, and a line behind it */

struct gh_record_later_s {
    later_t    lines[LATER_LINES];
    unsigned   count;
    unsigned   decisions;             /* among them */
    size_t     len;
    size_t     most;                  /* bytes that they are in a write, at most */
    bool       lost;                  /* a line got nowhere, and nobody was told yet */
    bool       lost_decision;         /* it, or one behind it, is a decision: none may follow before that was told */
    gh_error_t why;
    gh_bases_t *bases;                /* NULL: no memory for them, all stands in full */
    char       bodies[LATER_BYTES];
    char       out[LATER_OUT];
};

/* Bytes of a line, and of those that may come before it, at most. */
static size_t
later_most(const later_t *line)
{
    return line->len + RECORD_CHAIN + line->marks.runs * (RECORD_CHAIN + 2 * GH_BASIS_EXTRA) + line->marks.holes * 32;
}

/* Without the first of what is kept. */
static void
later_drop(gh_record_later_t *later, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        later->decisions -= later->lines[i].ticket != 0;
        later->most -= later_most(&later->lines[i]);
    }
    later->count -= count;
    memmove(later->lines, later->lines + count, later->count * sizeof(later->lines[0]));
    later->len = later->count != 0 ? later->len : 0;
}

/* The first of what is kept are in the record, in its segment. */
static void
later_there(gh_record_t *record, gh_record_later_t *later, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const later_t *line = &later->lines[i];

        if (line->ticket == 0) {
            (void) gh_owed_remove(&record->owed, line->key);
            continue;
        }
        record->durable = line->ticket;
        if (line->key != 0) {
            (void) gh_owed_add(&record->owed, line->key, record->segment.sequence);   /* it is there already */
        }
    }
    record->state.owed = record->owed.count;
    later_drop(later, count);
}

/* Of lines in later->out the first `through` got into a segment that failed then: the chain goes on behind them. */
static void
later_through(gh_record_t *record, gh_record_later_t *later, const char *chain, unsigned through)
{
    const char *line = later->out, *newline = NULL;
    unsigned    there = 0;

    memcpy(record->chain, chain, sizeof(record->chain));
    for (unsigned i = 0; i < through; i++) {
        line = newline != NULL ? newline + 1 : line;
        newline = memchr(line, '\n', (size_t) (later->out + sizeof(later->out) - line));
    }
    if (newline != NULL) {
        gh_record_chain(record, line, (size_t) (newline - line));
    }
    while (there < later->count && later->lines[there].end <= through) {
        there++;
    }
    later_there(record, later, there);
}

/* The line and its chain behind what is written already, its newline included; 0: it is too long. */
static size_t
later_end(gh_record_t *record, char *line, size_t len)
{
    if (len + 1 > GH_RECORD_LINE_MAX) {
        return 0;
    }
    gh_record_chain(record, line, len);
    line[len] = '\n';

    return len + 1;
}

/* One of what is kept, to `out`, with the lines that it needs before it. *n: of the next line. Returns the length; 0: it is too long. */
static size_t
later_line(gh_record_t *record, gh_record_later_t *later, later_t *line, char *out, uint64_t *n)
{
    gh_basis_t bases[GH_JSON_RUNS] = { { 0 } };
    gh_str_t   body = { line->data, line->len };
    size_t     len = 0, one;

    for (unsigned run = 0; run < line->marks.runs; run++) {
        bases[run] = gh_bases_find(later->bases, line->data, &line->marks, run);
        if (bases[run].fresh) {
            one = gh_record_line_head(record, out + len, (*n)++);
            one += gh_basis_line(out + len + one, line->t, &bases[run]);
            one = later_end(record, out + len, one);
            len += one;
            if (one == 0) {
                return 0;
            }
        }
    }

    one = gh_record_line_head(record, out + len, (*n)++);
    one += gh_basis_body(out + len + one, body, &line->marks, bases);
    one = later_end(record, out + len, one);

    return one != 0 ? len + one : 0;
}

/*
 * All that is kept, and body behind it if there is one (owed: it pays, too), into the segment in use. GH_ERROR: body is not in it; what still is
 * kept is not either.
 */
static int
later_write(gh_record_t *record, gh_record_later_t *later, gh_str_t body, bool owed)
{
    gh_segment_t *segment = &record->segment;
    char          chain[sizeof(record->chain)];
    size_t        len = 0, most = later->most + body.len + RECORD_CHAIN, line = 1;
    uint64_t      n;

    owed = owed && later->decisions == 0;
    if (most > sizeof(later->out) || gh_record_ready(record, owed, most, NULL) != GH_OK || segment->fd == -1 || segment->failed) {
        return GH_ERROR;
    }

    memcpy(chain, record->chain, sizeof(chain));
    n = segment->n;
    if (later->bases != NULL) {
        gh_bases_segment(later->bases, segment->sequence);
    }
    for (unsigned i = 0; i < later->count && line != 0; i++) {
        line = later_line(record, later, &later->lines[i], later->out + len, &n);
        later->lines[i].end = (unsigned) (n - segment->n);
        len += line;
    }
    if (body.len != 0 && line != 0) {
        line = gh_record_line(record, later->out + len, n++, body);
        if (line != 0) {
            gh_record_chain(record, later->out + len, line - 1);
        }
        len += line;
    }
    if (line != 0 && gh_segment_write(segment, later->out, len, (unsigned) (n - segment->n)) == GH_OK) {
        record->sealed = false;
        later_there(record, later, later->count);
        return GH_OK;
    }

    if (later->bases != NULL) {
        gh_bases_forget(later->bases);
    }
    if (line == 0) {
        memcpy(record->chain, chain, sizeof(record->chain));
        return GH_ERROR;
    }
    later_through(record, later, chain, segment->through);
    gh_record_broken(record);

    return GH_ERROR;
}

/* The first of what is kept got nowhere: a decision owes nothing then, an outcome stays owed. The next flush tells. */
static void
later_lost(gh_record_t *record, gh_record_later_t *later, const gh_error_t *why)
{
    const later_t *line = &later->lines[0];
    gh_line_t      head = { .id = GH_STR("") };
    uint64_t       ignored;
    bool           missing = line->ticket == 0 && gh_owed_find(&record->owed, line->key, &ignored);

    (void) gh_line_body((gh_str_t) { line->data, line->len }, &head);
    if (missing || !later->lost) {
        gh_error_set(&later->why, missing ? "outcome_missing" : "audit_unavailable", "the %s of request %.*s: %s",
            line->ticket != 0 ? "decision" : "outcome", GH_STR_ARG(head.id), why->text);
    }
    later->lost = true;
    if (line->ticket != 0) {
        later->lost_decision = true;
        (void) gh_owed_remove(&record->owed, line->key);
        record->state.owed = record->owed.count;
    }
    later_drop(later, 1);
}

/* Each by itself. */
static void
later_each(gh_record_t *record, gh_record_later_t *later)
{
    gh_error_t why = { 0 };
    uint64_t   ignored;

    while (later->count != 0) {
        const later_t *line = &later->lines[0];
        bool           decision = line->ticket != 0;

        /* an outcome may be of a decision that got nowhere */
        if ((later->lost_decision && (decision || !gh_owed_find(&record->owed, line->key, &ignored)))
            || gh_record_append_line(record, (gh_str_t) { line->data, line->len }, !decision, NULL, &why) != GH_OK)
        {
            later_lost(record, later, &why);
        } else {
            later_there(record, later, 1);
        }
    }
}

int
gh_record_flush(gh_record_t *record, gh_error_t *error)
{
    gh_record_later_t *later = record->later;

    if (later == NULL) {
        return GH_OK;
    }
    if (later->count != 0 && later_write(record, later, GH_STR(""), true) != GH_OK) {
        later_each(record, later);
    }
    if (!later->lost) {
        return GH_OK;
    }

    if (error != NULL) {
        later->lost = later->lost_decision = false;
        *error = later->why;
    }

    return GH_ERROR;
}

int
gh_record_append_behind(gh_record_t *record, gh_str_t body, bool owed, gh_error_t *error)
{
    gh_record_later_t *later = record->later;

    if (later != NULL && later->count != 0) {
        if (later_write(record, later, body, owed) == GH_OK) {
            return GH_OK;
        }
        later_each(record, later);
    }

    return gh_record_append_line(record, body, owed, NULL, error);
}

void
gh_record_later_free(gh_record_later_t *later)
{
    if (later != NULL) {
        gh_bases_free(later->bases);
        free(later);
    }
}

char *
gh_record_later_room(gh_record_t *record)
{
    gh_record_later_t *later = record->later;

    return later != NULL && sizeof(later->bodies) - later->len >= GH_RECORD_LINE_MAX ? later->bodies + later->len : NULL;
}

/* Keeps it, with its marks when they can be used. */
static void
later_keep(gh_record_later_t *later, gh_str_t body, const gh_json_marks_t *marks, const gh_line_t *head, uint64_t key, uint64_t ticket)
{
    later_t *line = &later->lines[later->count++];

    if (body.data != later->bodies + later->len) {
        memmove(later->bodies + later->len, body.data, body.len);   /* made elsewhere, or behind lines that were written since */
    }
    line->data = later->bodies + later->len;
    line->len = body.len;
    line->key = key;
    line->ticket = ticket;
    line->t = head->t;
    line->marks.runs = line->marks.holes = 0;
    if (marks != NULL && !marks->full && !marks->open && later->bases != NULL) {
        memcpy(&line->marks, marks, offsetof(gh_json_marks_t, hole) + marks->holes * sizeof(marks->hole[0]));
    }
    later->len += body.len;
    later->most += later_most(line);
}

int
gh_record_later(gh_record_t *record, gh_str_t body, const gh_json_marks_t *marks, uint64_t *ticket, gh_error_t *error)
{
    gh_record_later_t *later = record->later;
    gh_line_t          line;
    uint64_t           key;

    *ticket = 0;
    if (later == NULL && record->group == NULL) {
        later = record->later = calloc(1, sizeof(*later));
        if (later != NULL) {
            later->bases = gh_bases_new();
        }
    }
    if (later == NULL || body.len > sizeof(later->bodies) / 4 || !gh_record_body(body, &line)
        || (line.type != GH_LINE_OUTCOME && line.type != GH_LINE_DECISION))
    {
        if (gh_record_append(record, body, error) != GH_OK) {
            return GH_ERROR;
        }
        *ticket = gh_record_ticket(record);
        return GH_OK;
    }
    if ((later->count == LATER_LINES || later->len + body.len > sizeof(later->bodies))
        && later_write(record, later, GH_STR(""), true) != GH_OK)
    {
        later_each(record, later);
    }

    record->now_ms = line.t;
    key = gh_line_id_key(line.id);
    if (line.type == GH_LINE_DECISION) {
        if (later->lost_decision) {
            return gh_error_set(error, "audit_unavailable", "%s", later->why.text);
        }
        if (line.allow && !gh_owed_add(&record->owed, key, record->sequence)) {
            return gh_error_set(error, "audit_unavailable", "out of memory");
        }
        record->state.owed = record->owed.count;
        key = line.allow ? key : 0;
        *ticket = ++record->ticket;
        later->decisions++;
    }

    later_keep(later, body, line.type == GH_LINE_DECISION ? marks : NULL, &line, key, *ticket);

    return GH_OK;
}
