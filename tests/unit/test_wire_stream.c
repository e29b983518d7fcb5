/*
 * Streams: every shape of tests/data/wire, written from the formats, fed at once, byte by byte, in two parts split at every byte, and in
 * parts of every small size. NAME.sse is what a backend sends, NAME.out what a client gets that did not ask for usage,
 * NAME.asked what one gets that did (without the file: every byte), NAME.expect what is read from it.
 */
#include <dirent.h>
#include <stdlib.h>

#include "ngx_module/wire/sse.h"
#include "ngx_module/wire/wire.h"
#include "tests/unit/check.h"

#define FOLDER "tests/data/wire"

typedef struct {
    char  *data;
    size_t len, size;
} sink_t;

static void
sink_out(void *context, const char *data, size_t len)
{
    sink_t *sink = context;

    if (sink->len + len > sink->size) {
        abort();
    }
    memcpy(sink->data + sink->len, data, len);
    sink->len += len;
}

static gh_str_t
file_read(const char *name, const char *suffix)
{
    char     path[512];
    gh_str_t text = { NULL, 0 };
    FILE    *file;
    long     size;
    char    *data;

    snprintf(path, sizeof(path), FOLDER "/%s%s", name, suffix);
    file = fopen(path, "rb");
    if (file == NULL) {
        return text;
    }
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    data = malloc((size_t) size + 1);
    text = (gh_str_t) { data, fread(data, 1, (size_t) size, file) };
    data[text.len] = '\0';
    fclose(file);

    return text;
}

/* What is read, as the .expect file says it. */
static void
describe(const gh_stream_t *s, char *text, size_t size)
{
    int n = snprintf(text, size, "done %d\nerror %d\nevents %llu\ncontent %llu\nusage ", s->done, s->error,
        (unsigned long long) s->events, (unsigned long long) s->content_bytes);

    if (!s->usage_seen) {
        snprintf(text + n, size - (size_t) n, "none\n");
    } else {
        snprintf(text + n, size - (size_t) n, "%llu %llu %llu %llu %llu\n",
            (unsigned long long) s->usage.input, (unsigned long long) s->usage.cached,
            (unsigned long long) s->usage.cache_write, (unsigned long long) s->usage.output,
            (unsigned long long) s->usage.reasoning);
    }
}

static gh_stream_t stream;
static char        carry[GH_STREAM_CARRY];

/* first bytes, then parts of step; each part in memory of its own, so that a sanitizer sees a byte too far. */
static void
feed(gh_str_t input, bool strip, size_t first, size_t step, sink_t *sink)
{
    size_t at = 0, part = first;

    sink->len = 0;
    gh_stream_init(&stream, GH_HUB_CHAT, strip, carry);

    while (at < input.len) {
        char *copy;

        if (part > input.len - at) {
            part = input.len - at;
        }
        copy = malloc(part + 1);
        memcpy(copy, input.data + at, part);
        gh_stream_feed(&stream, copy, part, sink_out, sink);
        free(copy);
        at += part;
        part = step;
    }

    gh_stream_finish(&stream, sink_out, sink);
}

static bool
same(sink_t *sink, gh_str_t out, const char *expect, const char *name, size_t first, size_t step)
{
    char text[512];

    describe(&stream, text, sizeof(text));

    if (sink->len == out.len && memcmp(sink->data, out.data, out.len) == 0 && strcmp(text, expect) == 0) {
        return true;
    }

    fprintf(stderr, "%s, first %zu, then %zu: %zu bytes of %zu\n%sexpected\n%s", name, first, step, sink->len, out.len,
        text, expect);
    return false;
}

static void
test_splits(const char *name, gh_str_t input, gh_str_t out, gh_str_t asked, const char *expect)
{
    sink_t sink = { malloc(input.len + 1), 0, input.len + 1 };
    size_t i, step = input.len > 4096 ? 97 : 1;

    feed(input, true, input.len + 1, 1, &sink);
    CHECK(same(&sink, out, expect, name, input.len, 0));

    for (i = 1; i < 20; i++) {
        feed(input, true, i, i, &sink);
        CHECK(same(&sink, out, expect, name, i, i));
    }

    for (i = 1; i < input.len; i += step) {
        feed(input, true, i, input.len, &sink);
        if (!CHECK(same(&sink, out, expect, name, i, input.len))) {
            break;
        }
    }

    feed(input, false, input.len + 1, 1, &sink);
    CHECK(same(&sink, asked, expect, name, input.len, 0));

    for (i = 1; i < 40; i += 3) {
        feed(input, false, i, i, &sink);
        CHECK(same(&sink, asked, expect, name, i, i));
    }

    free(sink.data);
}

/* The commit point: found on the whole, and never another one on a part. */
static void
test_commit(const char *name, gh_str_t input, const char *expect)
{
    static const char *const words[] = { "hold", "go", "error" };
    char                     text[64];
    gh_commit_t              found = GH_COMMIT_HOLD;
    int                      status = 0;
    size_t                   i, step = input.len > 4096 ? 97 : 1;

    for (i = 0; i <= input.len && found == GH_COMMIT_HOLD; i += step) {
        char *copy = malloc(i + 1);

        memcpy(copy, input.data, i);
        found = gh_commit_look(GH_HUB_CHAT, (gh_str_t) { copy, i }, &status);
        free(copy);
    }

    snprintf(text, sizeof(text), "%s %d", words[found], found == GH_COMMIT_GO ? 0 : status);
    if (!CHECK(strncmp(expect, text, strlen(text)) == 0)) {
        fprintf(stderr, "    %s: commit %s, expected %s\n", name, text, expect);
    }

    CHECK_INT(gh_commit_look(GH_HUB_CHAT, input, &status), found);
}

static void
test_shapes(void)
{
    DIR           *folder = opendir(FOLDER);
    struct dirent *entry;
    unsigned       count = 0;

    if (!CHECK(folder != NULL)) {
        return;
    }

    while ((entry = readdir(folder)) != NULL) {
        char     name[256];
        size_t   len = strlen(entry->d_name);
        gh_str_t input, out, asked, expect;

        if (len < 5 || len > 255 || strcmp(entry->d_name + len - 4, ".sse") != 0) {
            continue;
        }
        memcpy(name, entry->d_name, len - 4);
        name[len - 4] = '\0';

        input = file_read(name, ".sse");
        out = file_read(name, ".out");
        expect = file_read(name, ".expect");
        if (CHECK(input.data != NULL && out.data != NULL && expect.data != NULL)) {
            const char *rest = strchr(expect.data, '\n') + 1;

            test_commit(name, input, expect.data + strlen("commit "));
            asked = file_read(name, ".asked");
            test_splits(name, input, out, asked.data != NULL ? asked : input, rest);
            free((char *) asked.data);
            count++;
        }
        free((char *) input.data);
        free((char *) out.data);
        free((char *) expect.data);
    }

    closedir(folder);
    CHECK(count >= 30);
}

/* Around the carry's size: the same judgement at every split. */
static void
test_carry_edge(void)
{
    static const char head[] = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2},\"x\":\"";
    static const char tail[] = "\"}\n\n";
    size_t            total, fill;

    for (total = GH_STREAM_CARRY - 2; total <= GH_STREAM_CARRY + 2; total++) {
        char  *text = malloc(total);
        sink_t sink = { malloc(total), 0, total };
        size_t i;
        static const size_t steps[] = { 1, 2, 7, 4096, 16383, 16384, 16385, 20000 };

        fill = total - (sizeof(head) - 1) - (sizeof(tail) - 1);
        memcpy(text, head, sizeof(head) - 1);
        memset(text + sizeof(head) - 1, 'x', fill);
        memcpy(text + sizeof(head) - 1 + fill, tail, sizeof(tail) - 1);

        for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            feed((gh_str_t) { text, total }, true, steps[i], steps[i], &sink);
            CHECK_INT(sink.len, total <= GH_STREAM_CARRY ? 0 : total);
            CHECK(stream.usage_seen && stream.usage.input == 1 && stream.usage.output == 2);
        }

        free(text);
        free(sink.data);
    }
}

/* An event above the carry that ends without its blank line, and a head that is one long event. */
static void
test_long_unterminated(void)
{
    static char text[20000], out[20000];
    sink_t      sink = { out, 0, sizeof(out) };
    int         status;

    memset(text, 'x', sizeof(text));
    memcpy(text, "data: {\"usage\":{\"prompt_tokens\":3},\"choices\":[],\"x\":\"", 53);

    feed((gh_str_t) { text, sizeof(text) }, true, 1000, 1000, &sink);
    CHECK_INT(sink.len, sizeof(text));
    CHECK_INT(stream.content_bytes, sizeof(text));
    CHECK(stream.usage_seen && stream.usage.input == 3);
    CHECK(memcmp(out, text, sizeof(text)) == 0);

    /* its end is not waited for */
    CHECK_INT(gh_commit_look(GH_HUB_CHAT, (gh_str_t) { text, GH_STREAM_CARRY }, &status), GH_COMMIT_HOLD);
    CHECK_INT(gh_commit_look(GH_HUB_CHAT, (gh_str_t) { text, GH_STREAM_CARRY + 1 }, &status), GH_COMMIT_GO);
    memcpy(text + sizeof(text) - 2, "\n\n", 2);
    CHECK_INT(gh_commit_look(GH_HUB_CHAT, (gh_str_t) { text, sizeof(text) }, &status), GH_COMMIT_GO);
}

/* Shapes no backend should send: nothing is removed, nothing is read into them. */
static void
test_odd_chunks(void)
{
    static const struct { const char *event; uint64_t content; } cases[] = {
        { "data: {\"choices\":[7,\"ab\",null]}\n\n", 2 },
        { "data: {\"choices\":{\"delta\":\"ab\"},\"usage\":{\"total_tokens\":1}}\n\n", 0 },
        { "data: {\"choices\":[],\"usage\":7}\n\n", 0 },
        { "data: {\"choices\":[],\"usage\":[]}\n\n", 0 },
        { "data: {\"choices\":[],\"usage\":{},\"error\":{}}\n\n", 0 },
        { "data: {\"usage\":{}}\n\n", 0 },
        { "data: {\"error\":\"\",\"choices\":[{\"delta\":[\"a\",[\"b\"]]}]}\n\n", 2 },
        { "data: [1]\n\n", 3 },
        { "data: {\"choices\":[{\"delta\":{\"content\":\"a\n\n", 34 },
        { "data: {\"choices\":[],\"usage\":{}} x\n\n", 27 },
        { "datax: {\"choices\":[],\"usage\":{}}\n\n", 0 },
        { "dat: {\"choices\":[],\"usage\":{}}\n\n", 0 },
        { "data\n\n", 0 },
    };
    char   data[256];
    sink_t sink = { data, 0, sizeof(data) };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gh_str_t event = gh_str_from(cases[i].event);

        feed(event, true, event.len, 1, &sink);
        CHECK_STR(((gh_str_t) { data, sink.len }), cases[i].event);
        CHECK(!stream.usage_seen);
        if (!CHECK_INT(stream.content_bytes, cases[i].content)) {
            fprintf(stderr, "    %s", cases[i].event);
        }
    }
}

/* Bytes are not kept back longer than they must be. */
static void
test_latency(void)
{
    char   data[256];
    sink_t sink = { data, 0, sizeof(data) };

    gh_stream_init(&stream, GH_HUB_CHAT, true, carry);
    gh_stream_feed(&stream, ": wait\n", 7, sink_out, &sink);
    CHECK_INT(sink.len, 7);
    gh_stream_feed(&stream, ": w", 3, sink_out, &sink);
    CHECK_INT(sink.len, 10);
    gh_stream_feed(&stream, "\ndata: {}\n", 10, sink_out, &sink);
    CHECK_INT(sink.len, 11);
    gh_stream_feed(&stream, "\n", 1, sink_out, &sink);
    CHECK_INT(sink.len, 21);

    sink.len = 0;
    gh_stream_init(&stream, GH_HUB_CHAT, false, carry);
    gh_stream_feed(&stream, "dat", 3, sink_out, &sink);
    CHECK_INT(sink.len, 3);
    gh_stream_feed(&stream, "a: [DONE]\r\n\r", 12, sink_out, &sink);
    CHECK_INT(sink.len, 15);
    CHECK(stream.done);
    gh_stream_feed(&stream, "\n", 1, sink_out, &sink);
    gh_stream_finish(&stream, sink_out, &sink);
    CHECK_INT(sink.len, 16);
}

/* What begins a stream without being an answer, and what is one. */
static void
test_commit_first_word(void)
{
    static const struct { const char *choice; gh_commit_t found; } cases[] = {
        { "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}", GH_COMMIT_HOLD },
        { "{\"delta\":{\"role\":\"assistant\"},\"content_filter_results\":{\"hate\":{\"severity\":\"safe\"}}}", GH_COMMIT_HOLD },
        { "{\"delta\":{},\"finish_reason\":null}", GH_COMMIT_HOLD },
        { "{\"delta\":{\"content\":\"a\"}}", GH_COMMIT_GO },
        { "{\"text\":\"a\"}", GH_COMMIT_GO },
        { "{\"delta\":{\"reasoning_content\":\"a\"}}", GH_COMMIT_GO },
        { "{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}", GH_COMMIT_GO },
        { "{\"delta\":{},\"finish_reason\":\"stop\"}", GH_COMMIT_GO },
    };
    char   text[64 * 128] = "";
    size_t i, len = 0;
    int    status;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char event[512];

        snprintf(event, sizeof(event), "data: {\"choices\":[%s]}\n\n", cases[i].choice);
        if (!CHECK_INT(gh_commit_look(GH_HUB_CHAT, gh_str_from(event), &status), cases[i].found)) {
            fprintf(stderr, "    %s", event);
        }
        snprintf(event, sizeof(event), "data: {\"choices\":[%s]}\n\ndata: {\"error\":{\"code\":429}}\n\n", cases[i].choice);
        CHECK_INT(gh_commit_look(GH_HUB_CHAT, gh_str_from(event), &status), cases[i].found == GH_COMMIT_HOLD ? GH_COMMIT_ERROR : GH_COMMIT_GO);
    }

    for (i = 0; i < 64; i++) {
        CHECK_INT(gh_commit_look(GH_HUB_CHAT, (gh_str_t) { text, len }, &status), GH_COMMIT_HOLD);
        len += (size_t) snprintf(text + len, sizeof(text) - len, "data: {\"choices\":[]}\n\n");
    }
    CHECK_INT(gh_commit_look(GH_HUB_CHAT, (gh_str_t) { text, len }, &status), GH_COMMIT_HOLD);
    len += (size_t) snprintf(text + len, sizeof(text) - len, "data: {\"error\":{}}\n\n");
    CHECK_INT(gh_commit_look(GH_HUB_CHAT, (gh_str_t) { text, len }, &status), GH_COMMIT_GO);
}

static void
test_commit_status(void)
{
    static const struct { const char *text; int status; } cases[] = {
        { "data: {\"error\":{\"message\":\"x\",\"code\":\"rate_limit_exceeded\"}}\n\n", 429 },
        { "data: {\"error\":{\"message\":\"x\",\"type\":\"Rate limit reached\",\"code\":null}}\n\n", 429 },
        { "data: {\"error\":{\"type\":\"insufficient_quota\"}}\n\n", 429 },
        { "data: {\"error\":{\"type\":\"overloaded_error\"}}\n\n", 503 },
        { "data: {\"error\":{\"code\":503,\"type\":\"x\"}}\n\n", 503 },
        { "data: {\"error\":{\"code\":\"404\"}}\n\n", 404 },
        { "data: {\"error\":{\"code\":200}}\n\n", 502 },
        { "data: {\"error\":{\"code\":600}}\n\n", 502 },
        { "data: {\"error\":{\"code\":-429}}\n\n", 502 },
        { "data: {\"error\":{\"type\":\"invalid_request_error\",\"status\":422}}\n\n", 422 },
        { "data: {\"error\":{\"type\":\"invalid_request_error\"}}\n\n", 400 },
        { "data: {\"error\":{\"code\":{\"a\":[1]},\"type\":[1],\"status\":{}}}\n\n", 502 },
        { "data: {\"error\":\"rate limit\"}\n\n", 429 },
        { "data: {\"error\":\"boom\"}\n\n", 502 },
        { "data: {\"error\":[1]}\n\n", 502 },
        { "data: {\"error\":{}}\n\n", 502 },
        { "event: error\ndata: nothing readable\n\n", 502 },
        { "event: error\n\n", 502 },
        { "{\"error\":{\"code\":401}}", 401 },
    };
    size_t i;
    int    status;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        status = 0;
        CHECK_INT(gh_commit_look(GH_HUB_CHAT, gh_str_from(cases[i].text), &status), GH_COMMIT_ERROR);
        if (!CHECK_INT(status, cases[i].status)) {
            fprintf(stderr, "    %s", cases[i].text);
        }
    }

    CHECK_INT(gh_commit_look(GH_HUB_CHAT, GH_STR("data: {\"error\":null,\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"), &status), GH_COMMIT_GO);
    CHECK_INT(gh_commit_look(GH_HUB_CHAT, GH_STR("data: {\"error\":false,\"choices\":[]}\n\n"), &status), GH_COMMIT_HOLD);
    CHECK_INT(gh_commit_look(GH_HUB_CHAT, GH_STR("data: {\"choices\":[{\"error\":{\"code\":1}}]}\n\n"), &status), GH_COMMIT_HOLD);
    CHECK_INT(gh_commit_look(GH_HUB_CHAT, GH_STR("data: {\"choices\":[{}]}\n"), &status), GH_COMMIT_HOLD);
    CHECK_INT(gh_commit_look(GH_HUB_CHAT, GH_STR("data: {\"a\":\"\\ud800\"}\n\n"), &status), GH_COMMIT_GO);
    CHECK_INT(gh_commit_look(GH_HUB_CHAT, GH_STR("data:\n\n"), &status), GH_COMMIT_HOLD);
    CHECK_INT(gh_commit_look(GH_HUB_CHAT, GH_STR("{\"choices\":"), &status), GH_COMMIT_HOLD);
    CHECK_INT(gh_commit_look(GH_HUB_CHAT, GH_STR(""), &status), GH_COMMIT_HOLD);
}

static void
discard(void *context, const char *data, size_t len)
{
    (void) context;
    (void) data;
    (void) len;
}

/* Was the report of usage the last word? A stream that is cut may have told it in every event. */
static void
test_partial(void)
{
#define SAYS   "data: {\"choices\":[{\"delta\":{\"content\":\"ab\"}}]}\n\n"
#define TELLS  "data: {\"choices\":[{\"delta\":{\"content\":\"ab\"}}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n"
#define STOPS  "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n"
#define TOTAL  "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n"
#define DONE   "data: [DONE]\n\n"
    static const struct { const char *text; bool seen, partial; } cases[] = {
        { SAYS, false, false }, { SAYS DONE, false, false }, { SAYS TOTAL, true, false }, { SAYS STOPS, true, false },
        { TELLS, true, true }, { TELLS TELLS, true, true }, { TELLS SAYS, true, true }, { TELLS TOTAL, true, false },
        { TELLS DONE, true, false }, { TOTAL SAYS, true, true }, { TOTAL SAYS DONE, true, false }, { SAYS DONE TOTAL, true, false },
        { TOTAL "data: garbage\n\n", true, true }, { TOTAL ": comment\n\n", true, false },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gh_stream_init(&stream, GH_HUB_CHAT, false, carry);
        gh_stream_feed(&stream, cases[i].text, strlen(cases[i].text), discard, NULL);
        gh_stream_finish(&stream, discard, NULL);
        if (!CHECK(stream.usage_seen == cases[i].seen && stream.usage_partial == cases[i].partial)) {
            fprintf(stderr, "    %s", cases[i].text);
        }
    }
}

/* The data of an event that ends in a blank line, by the letter of WHATWG HTML 9.2.6: lines end in CRLF, LF or CR, those named "data" are joined. */
static bool
data_by_letter(const char *event, char *out)
{
    bool has = false;

    while (*event != '\0') {
        size_t      len = strcspn(event, "\r\n"), name = strcspn(event, ":\r\n");
        const char *value = event + name + (event[name] == ':'), *end = event + len;

        value += value < end && *value == ' ';
        if (name == 4 && strncmp(event, "data", 4) == 0) {
            *out = '\n';
            out += has;
            memcpy(out, value, (size_t) (end - value));
            out += end - value;
            has = true;
        }
        event = end + (strncmp(end, "\r\n", 2) == 0 ? 2 : *end != '\0');
    }
    *out = '\0';

    return has;
}

/* Events of one line and of two, however they end. */
static void
test_event_lines(void)
{
    static const char *const lines[] = { "data: a", "data:b", "data:  c", "data", "data:", "data: {\"x\":1}", "dataset: d", "dat: e", "id: 1", ": f", "event: g", "" };
    static const char *const ends[] = { "\n", "\r", "\r\n" };
    enum { LINES = sizeof(lines) / sizeof(lines[0]), ENDS = sizeof(ends) / sizeof(ends[0]) };

    for (unsigned i = 0; i < LINES * LINES * ENDS * ENDS * ENDS; i++) {
        unsigned       first = i % LINES, second = i / LINES % LINES, at = i / LINES / LINES;
        char           event[64], expected[64], scratch[64];
        gh_sse_event_t read;
        bool           has;

        snprintf(event, sizeof(event), "%s%s%s%s%s", lines[first], ends[at % ENDS], lines[second], second != LINES - 1 ? ends[at / ENDS % ENDS] : "",
            ends[at / ENDS / ENDS]);
        has = data_by_letter(event, expected);
        gh_sse_read(gh_str_from(event), true, scratch, &read);
        if (!CHECK(read.has_data == has && (!has || gh_str_is(read.data, expected)) && !read.is_error)) {
            fprintf(stderr, "    %s", event);
        }
    }
}

int
main(void)
{
    test_event_lines();
    test_partial();
    test_shapes();
    test_carry_edge();
    test_long_unterminated();
    test_odd_chunks();
    test_latency();
    test_commit_first_word();
    test_commit_status();

    return check_done("wire_stream");
}
