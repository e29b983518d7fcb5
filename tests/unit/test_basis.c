/*
 * What decisions have in common, written once a segment: whatever is written, a reader is given every line byte for byte as it would have been, from any
 * place of a file, across segments and write errors; and what refers to nothing is said to.
 */
#include "tests/unit/record_world.h"

#include "policy/audit/basis.h"
#include "policy/audit/line.h"
#include "policy/audit/segment_read.h"

#define REQUESTS 1500

static struct {
    gh_json_writer_t w;
    gh_json_marks_t  marks;
    char             buffer[GH_RECORD_LINE_MAX];
} made;

static char    *bodies[REQUESTS];     /* of each request's decision */
static bool     said[REQUESTS];       /* it is in the record, as far as its writer was told */
static unsigned seen[REQUESTS];

static uint32_t
next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* The number of that text, which half of its lines tell. */
static void
numbered(uint32_t *state, unsigned variant, unsigned run)
{
    static uint64_t serials[3000][2];

    if (next(state) % 2 == 0) {
        serials[variant][run] = serials[variant][run] != 0 ? serials[variant][run] : gh_json_serial();
        gh_json_run_is(&made.w, serials[variant][run]);
    }
}

static void
limits(uint32_t *state, unsigned variant)
{
    gh_json_writer_t *w = &made.w;

    gh_json_run(w);
    gh_json_key(w, "limits");
    gh_json_begin_array(w);
    for (unsigned i = 0; i < variant % 7; i++) {
        size_t begin;

        gh_json_begin_object(w);
        gh_json_kv_string(w, "level", variant % 3 == 0 ? GH_STR("null") : GH_STR("tenant \"null\" \\"));
        gh_json_key(w, "uid");
        begin = w->len;
        gh_json_u64(w, next(state));
        gh_json_hole(w, begin);
        gh_json_kv_u64(w, "limit", 1000 + variant);
        gh_json_kv_hole(w, "window", next(state) % 10);
        gh_json_kv_hole(w, "value", next(state) % 3 == 0 ? UINT64_MAX : next(state) % 2);
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
    numbered(state, variant, 1);
    gh_json_run_end(w);
}

/* A decision with texts that look like what they are not. */
static gh_str_t
decision(uint32_t *state, unsigned number, unsigned variants, unsigned after_ms, bool allow)
{
    static const char *const names[] = { "null", "\"basis\":[1]", "\\\"basis\":[1,2]", "a\\", "\xe2\x80\xa8", "{[,]}", "nulls null", "" };
    gh_json_writer_t        *w = &made.w;
    unsigned                 variant = next(state) % variants;
    char                     id[16], text[80];

    gh_json_writer_init(w, made.buffer, sizeof(made.buffer));
    w->marks = &made.marks;
    gh_json_unmark(w);
    snprintf(id, sizeof(id), "r%u", number);
    gh_json_begin_object(w);
    gh_json_kv_u64(w, "v", 1);
    gh_json_kv_string(w, "type", GH_STR("decision"));
    gh_json_kv_u64(w, "t", UINT64_C(1700000000000) + after_ms);
    gh_json_kv_string(w, "id", gh_str_from(id));
    gh_json_kv_string(w, "verdict", allow ? GH_STR("allow") : GH_STR("deny"));
    gh_json_kv_string(w, "model", gh_str_from(names[next(state) % 8]));
    gh_json_run(w);
    gh_json_kv_u64(w, "revision", variant / 3);
    snprintf(text, sizeof(text), "%064u", variant);
    gh_json_kv_string(w, "policy", (gh_str_t) { text, 63 });
    gh_json_key(w, "route");
    gh_json_begin_array(w);
    for (unsigned i = 0; i < variant % 40; i++) {
        gh_json_begin_object(w);
        gh_json_kv_string(w, "deployment", gh_str_from(names[(variant + i) % 8]));
        gh_json_kv_bool(w, "kept", i % 2 == 0);
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
    if (variant % 11 == 0) {
        for (unsigned i = 0; i < 600 + variant % 3 * 200; i++) {
            gh_json_kv_string(w, "long", GH_STR("a text"));   /* above what is written once, from some variants on */
        }
    }
    numbered(state, variant, 0);
    gh_json_run_end(w);
    gh_json_kv_u64(w, "clock", next(state));
    if (variant % 5 != 4) {
        gh_json_key(w, "reserve");
        gh_json_begin_object(w);
        gh_json_kv_u64(w, "at", after_ms);
        limits(state, variant);
        gh_json_end_object(w);
    }
    gh_json_end_object(w);
    CHECK(gh_json_writer_ok(w));

    return (gh_str_t) { w->data, w->len };
}

/* Its text from "v" on. */
static gh_str_t
behind_chain(gh_str_t text)
{
    const char *at = memmem(text.data, text.len, "\"v\":1", 5);

    return at == NULL ? GH_STR("") : (gh_str_t) { at, (size_t) (text.data + text.len - at) };
}

static void
check_text(gh_str_t text)
{
    gh_line_t line;
    unsigned  number;

    CHECK(gh_line_read(text, &line));
    if (line.type != GH_LINE_DECISION) {
        return;
    }
    number = (unsigned) strtoul(line.id.data + 1, NULL, 10) % REQUESTS;
    CHECK_STR(behind_chain(text), bodies[number] + 1);
    seen[number]++;
}

typedef struct { unsigned bases, most; uint64_t bytes; } told_t;

/* All files, each from its beginning, and once more from somewhere inside. */
static told_t
read_all(uint32_t *state)
{
    told_t told = { 0, 0, 0 };

    memset(seen, 0, sizeof(seen));
    for (unsigned sequence = 0; sequence < 200; sequence++) {
        for (unsigned d = 0; d < DIRECTORIES; d++) {
            gh_segment_reader_t reader;
            gh_str_t            text;
            gh_line_t           line;
            char                path[600];
            unsigned            lines = 0, bases = 0, pick;
            uint64_t            middle = 0;
            int                 fd;

            snprintf(path, sizeof(path), "%s/open/fra-1-1700000000000-77-%u.jsonl", directories[d], sequence);
            fd = open(path, O_RDONLY);
            if (fd == -1) {
                continue;
            }
            pick = next(state) % 60;
            CHECK(gh_segment_reader_open(&reader, fd, 0));
            while (gh_segment_reader_next(&reader, &text) == 1) {
                CHECK(!reader.unknown);
                check_text(text);
                bases += gh_line_read(text, &line) && line.type == GH_LINE_BASIS;
                told.bytes += reader.raw.len + 1;
                middle = lines++ == pick ? reader.line : middle;
            }
            gh_segment_reader_close(&reader);
            told.bases += bases;
            told.most = bases > told.most ? bases : told.most;

            CHECK(gh_segment_reader_open(&reader, fd, middle));
            while (gh_segment_reader_next(&reader, &text) == 1) {
                gh_line_t one;

                CHECK(!reader.unknown && gh_line_read(text, &one));
                if (one.type == GH_LINE_DECISION) {
                    unsigned number = (unsigned) strtoul(one.id.data + 1, NULL, 10) % REQUESTS;

                    CHECK_STR(behind_chain(text), bodies[number] + 1);
                }
            }
            gh_segment_reader_close(&reader);
            close(fd);
        }
    }

    return told;
}

/* Many requests, with a write that fails now and then: each decision that is in the record is what it was. */
static told_t
run(uint32_t seed, unsigned variants, uint64_t segment, int code, unsigned requests)
{
    gh_record_options_t options = world_options(segment);
    gh_record_t        *record;
    gh_error_t          error;
    account_t           account;
    uint64_t            tickets[REQUESTS] = { 0 };
    uint32_t            state = seed;
    unsigned            waiting = 0, first = 0;
    told_t              told;

    world_clear();
    record = gh_record_open(&options);
    memset(said, 0, sizeof(said));
    for (unsigned i = 0; i < requests; i++) {
        bool     allow = next(&state) % 4 != 0;
        gh_str_t body = decision(&state, i, variants, i * 7, allow);
        uint64_t ignored;

        free(bodies[i]);
        bodies[i] = strndup(body.data, body.len);
        if (code != 0 && next(&state) % 25 == 0) {
            snprintf(fault.under, sizeof(fault.under), "%s", directories[next(&state) % 2]);
            fault.write_at = 1;
            fault.write_error = code;
            fault.write_bytes = (int) (next(&state) % 3000);
        }
        if (i % 2 == 0 && gh_record_later_room(record) != NULL) {
            body.data = memcpy(gh_record_later_room(record), body.data, body.len);
        }
        said[i] = gh_record_later(record, body, next(&state) % 9 != 0 ? &made.marks : NULL, &tickets[i], &error) == GH_OK;
        waiting++;
        if (said[i] && allow && next(&state) % 2 == 0) {
            char text[160];
            int  len = snprintf(text, sizeof(text), "{\"v\":1,\"type\":\"outcome\",\"t\":%llu,\"id\":\"r%u\"}",
                (unsigned long long) (UINT64_C(1700000000000) + i * 7), i);

            if (next(&state) % 3 == 0) {
                (void) gh_record_append(record, (gh_str_t) { text, (size_t) len }, &error);
            } else {
                CHECK(gh_record_later(record, (gh_str_t) { text, (size_t) len }, NULL, &ignored, &error) == GH_OK);
            }
        }
        if (next(&state) % 30 == 0) {
            (void) world_append(record, "attempt", i, i * 7, &error);   /* at once, behind what is kept */
        }
        if (waiting == 1 + next(&state) % 20 || i + 1 == requests || waiting > 20) {
            bool lost = gh_record_flush(record, &error) != GH_OK;

            for (; first <= i; first++) {
                said[first] = said[first] && (!lost || tickets[first] <= gh_record_durable(record));
            }
            waiting = 0;
        }
    }
    gh_record_close(record);
    fault.write_at = 0;

    world_account(&account, code == 0);        /* what failed may end in a part of a line */
    CHECK_INT(account.broken, 0);
    told = read_all(&state);
    for (unsigned i = 0; i < requests; i++) {
        CHECK(seen[i] == said[i]);
    }

    return told;
}

static void
test_whole(void)
{
    told_t few = run(1, 5, 1 << 20, 0, 900), full;
    unsigned i;

    CHECK_INT(few.most, 6);               /* four variants of the first run, one of which is too long, and two of limits: the others are too short */
    full = (told_t) { 0, 0, 0 };
    for (i = 0; i < 900; i++) {
        full.bytes += strlen(bodies[i]);
    }
    CHECK(few.bytes < full.bytes);

    for (i = 0; i < 12; i++) {
        static const uint64_t segments[] = { 1 << 20, 30000, 9000 };
        static const unsigned variants[] = { 1, 5, 40, 3000 };

        (void) run(100 + i, variants[i % 4], segments[i % 3], 0, 700);
        (void) run(200 + i, variants[i % 4], segments[i % 3], i % 2 ? EIO : ENOSPC, 700);
    }
}

/* A body whose marks did not fit, or are still open, has none. */
static void
test_marks(void)
{
    gh_json_marks_t  marks;
    char             buffer[GH_RECORD_LINE_MAX];
    gh_json_writer_t w;

    gh_json_writer_init(&w, buffer, sizeof(buffer));
    w.marks = &marks;
    gh_json_unmark(&w);
    gh_json_begin_object(&w);
    gh_json_kv_hole(&w, "outside", 1);
    CHECK_INT(marks.holes, 0);
    gh_json_run(&w);
    gh_json_kv_hole(&w, "a", 17);
    gh_json_run_end(&w);
    CHECK_INT(marks.runs, 1);
    CHECK_STR(((gh_str_t) { buffer + marks.run[0].begin, (size_t) (marks.run[0].end - marks.run[0].begin) }), "\"a\":17");
    CHECK_STR(((gh_str_t) { buffer + marks.hole[0].begin, (size_t) (marks.hole[0].end - marks.hole[0].begin) }), "17");
    gh_json_run(&w);
    gh_json_run_end(&w);
    gh_json_run(&w);
    CHECK(marks.full);

    gh_json_unmark(&w);
    gh_json_run(&w);
    for (unsigned i = 0; i <= GH_JSON_HOLES; i++) {
        gh_json_kv_hole(&w, "x", i);
    }
    gh_json_run_end(&w);
    CHECK(marks.full && marks.runs == 0);
}

static int
whole(gh_basis_texts_t *texts, const char *line, const char *expected)
{
    char     out[256];
    gh_str_t found;
    int      rc = gh_basis_whole(texts, gh_str_from(line), out, sizeof(out), &found);

    CHECK_STR(found, expected);

    return rc;
}

static void
test_damaged(void)
{
    static const char basis[] = "{\"prev\":\"0\",\"n\":1,\"v\":1,\"type\":\"basis\",\"t\":1,\"basis\":2,\"members\":{\"a\":null,\"b\":\"null\",\"c\":[null]}}";
    static const char *const wrong[] = {
        "{\"basis\":[1,5,6]}", "{\"basis\":[2]}", "{\"basis\":[2,5]}", "{\"basis\":[2,5,6,7]}", "{\"basis\":[2,5,\"x\"]}", "{\"basis\":[2,5,6", "{\"basis\":[]}",
        "{\"basis\":[99999999999999999999,5,6]}", "{\"basis\":[2,5,6],\"x\":{\"basis\":[3]}}",
    };
    gh_basis_texts_t texts = { 0 };
    char             large[] = "{\"basis\":[2,111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
                               "11111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111,6]}";

    CHECK(gh_basis_take(&texts, gh_str_from(basis)) == GH_OK);
    CHECK(gh_basis_take(&texts, gh_str_from(basis)) == GH_ERROR);
    CHECK(gh_basis_take(&texts, GH_STR("{\"basis\":0,\"members\":{\"a\":1}}")) == GH_ERROR);
    CHECK(gh_basis_take(&texts, GH_STR("{\"basis\":4097,\"members\":{\"a\":1}}")) == GH_ERROR);
    CHECK(gh_basis_take(&texts, GH_STR("{\"basis\":7,\"members\":[]}")) == GH_ERROR);
    CHECK(gh_basis_take(&texts, GH_STR("{\"basis\":7,\"members\":{\"a\":1")) == GH_ERROR);

    CHECK(whole(&texts, "{\"z\":1,\"basis\":[2,5,66],\"y\":2}", "{\"z\":1,\"a\":5,\"b\":\"null\",\"c\":[66],\"y\":2}") == GH_OK);
    CHECK(whole(&texts, "{\"z\":\"\\\"basis\\\":[9]\"}", "{\"z\":\"\\\"basis\\\":[9]\"}") == GH_OK);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK(whole(&texts, wrong[i], wrong[i]) == GH_ERROR);
    }
    CHECK(whole(&texts, large, large) == GH_ERROR);
    gh_basis_texts_free(&texts);

    CHECK(gh_basis_take_all(&texts, GH_STR("{\"prev\":\"0\",\"n\":1,\"v\":1,\"type\":\"basis\",\"t\":1,\"basis\":1,\"members\":{\"a\":1}}\n{\"prev\":\"0\",\"n\":1,"
        "\"v\":1,\"type\":\"basis\",\"t\":1,\"basis\":2,\"members\":{\"a\":1}}")) == GH_OK);
    CHECK(texts.count > 1 && texts.texts[1].data != NULL && texts.texts[2].data == NULL);
    gh_basis_texts_free(&texts);
}

int
main(void)
{
    world_open();
    test_marks();
    test_damaged();
    test_whole();
    world_close();
    for (unsigned i = 0; i < REQUESTS; i++) {
        free(bodies[i]);
    }

    return check_done("what decisions have in common");
}
