/*
 * The hub of dialects where a test in Python does not get: memory that fails and is bounded, ends and errors told from outside, limits of what a
 * backend may send. What is translated into what is tests/dialects.
 */
#include <stdlib.h>

#include "ngx_module/wire/hub/hub.h"
#include "tests/unit/check.h"

static const gh_hub_reply_t reply = { { "req\"1", 5 }, { "a-model", 7 }, 1700000000, 12, false };

static const char chat_body[] =
    "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"},"
    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]},{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\","
    "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"r\"}],"
    "\"max_tokens\":100,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}]}";

typedef struct {
    char  *data;
    size_t len, size, calls;
} sink_t;

static void
sink_bytes(void *context, const char *data, size_t len)
{
    sink_t *sink = context;

    sink->calls++;
    if (sink->len + len + 1 > sink->size) {
        sink->size = (sink->len + len + 1) * 2;
        sink->data = realloc(sink->data, sink->size);
    }
    memcpy(sink->data + sink->len, data, len);
    sink->len += len;
    sink->data[sink->len] = '\0';
}

static gh_hub_stream_t *
stream_new(gh_heap_t *heap, gh_hub_dialect_t from, gh_hub_dialect_t to, sink_t *sink)
{
    sink->len = 0;
    sink->calls = 0;
    sink_bytes(sink, "", 0);
    gh_heap_init(heap);
    return gh_hub_stream_new(&heap->arena, from, to, &reply, (gh_hub_out_t) { sink_bytes, NULL, sink });
}

static void
feed(gh_hub_stream_t *s, const char *text)
{
    gh_hub_stream_feed(s, text, strlen(text));
}

static bool
holds(const sink_t *sink, const char *text)
{
    return strstr(sink->data, text) != NULL;
}

static void
test_maximum(void)
{
    gh_heap_t        heap;
    gh_hub_request_t request;
    gh_error_t       error;
    gh_str_t         out;
    gh_hub_send_t    send = { .model = GH_STR("up") };

    gh_heap_init(&heap);

    CHECK(gh_hub_request_read(&heap.arena, GH_HUB_CHAT, gh_str_from(chat_body), &request, &error) == GH_OK);
    send.output_cap = 50;
    CHECK(gh_hub_request_write(&heap.arena, &request, GH_HUB_MESSAGES, &send, &out, &error) == GH_OK);
    CHECK(strstr(gh_str_copy(&heap.arena, out).data, "\"max_tokens\":50,") != NULL);
    send.output_cap = 500;
    CHECK(gh_hub_request_write(&heap.arena, &request, GH_HUB_CONVERSE, &send, &out, &error) == GH_OK);
    CHECK(strstr(gh_str_copy(&heap.arena, out).data, "\"maxTokens\":100}") != NULL);

    /* nobody says a maximum: messages must have one */
    CHECK(gh_hub_request_read(&heap.arena, GH_HUB_CHAT, GH_STR("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":null}"), &request,
        &error) == GH_OK);
    send.output_cap = 0;
    CHECK(gh_hub_request_write(&heap.arena, &request, GH_HUB_MESSAGES, &send, &out, &error) == GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "not_expressible");
    send.default_max = 4096;
    CHECK(gh_hub_request_write(&heap.arena, &request, GH_HUB_MESSAGES, &send, &out, &error) == GH_OK);
    CHECK_STR(out, "{\"model\":\"up\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
    CHECK(gh_hub_request_write(&heap.arena, &request, GH_HUB_RESPONSES, &send, &out, &error) == GH_OK);
    CHECK(strstr(gh_str_copy(&heap.arena, out).data, "max_output_tokens") == NULL);

    gh_heap_free(&heap);
}

static void
test_refusal(void)
{
    static const char body[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"logit_bias\":{\"5\":1},\"n\":2}";
    gh_heap_t         heap;
    gh_hub_request_t  request;
    gh_error_t        error;
    char              path[64];

    gh_heap_init(&heap);
    CHECK(gh_hub_request_read(&heap.arena, GH_HUB_CHAT, gh_str_from(body), &request, &error) == GH_OK);
    CHECK(!gh_hub_expressible(&request, GH_HUB_MESSAGES));
    CHECK(gh_hub_express(&request, GH_HUB_MESSAGES, path, sizeof(path), &error) == GH_ERROR);
    CHECK_STR(gh_str_from(path), "n");
    CHECK(gh_hub_express(&request, GH_HUB_CHAT_OPEN, path, sizeof(path), NULL) == GH_ERROR);
    CHECK_STR(gh_str_from(path), "logit_bias");
    gh_heap_free(&heap);
}

static void
test_betas(void)
{
    static const struct { const char *header, *betas, *back; } cases[] = {
        { "context-1m-2025-08-07", "[\"context-1m-2025-08-07\"]", "context-1m-2025-08-07" },
        { " a-1 ,\tb_2,,c.3, ", "[\"a-1\",\"b_2\",\"c.3\"]", "a-1,b_2,c.3" },
        { "", NULL, NULL }, { " , ", NULL, NULL }, { "a b", NULL, NULL }, { "a\"", NULL, NULL }, { "a\r\nx: y", NULL, NULL },
    };
    static const char *const wrong[] = { "[]", "[1]", "[\"a b\"]", "[\"a\\u000d\"]", "{}", "[\"a\"", "[\"a,b\"]" };
    gh_heap_t                heap;
    gh_str_t                 betas, none = { NULL, 0 };
    size_t                   i;

    gh_heap_init(&heap);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        betas = gh_hub_betas_join(&heap.arena, none, gh_str_from(cases[i].header));
        CHECK_INT(betas.data != NULL, cases[i].betas != NULL);
        if (cases[i].betas != NULL) {
            CHECK_STR(betas, cases[i].betas);
            CHECK_STR(gh_hub_betas_header(&heap.arena, betas), cases[i].back);
        }
    }
    betas = gh_str_from("[ \"a\", \"b\\u002d1\" ]");
    CHECK_STR(gh_hub_betas_header(&heap.arena, betas), "a,b-1");
    CHECK_STR(gh_hub_betas_join(&heap.arena, betas, GH_STR("b-1,c,a,c")), "[\"a\",\"b\\u002d1\",\"c\"]");
    CHECK_STR(gh_hub_betas_join(&heap.arena, betas, GH_STR("a")), "[ \"a\", \"b\\u002d1\" ]");
    CHECK_STR(gh_hub_betas_join(&heap.arena, GH_STR("[\n]"), GH_STR("a")), "[\"a\"]");
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK(gh_hub_betas_header(&heap.arena, gh_str_from(wrong[i])).data == NULL);
    }
    CHECK(gh_hub_betas_header(&heap.arena, (gh_str_t) { NULL, 0 }).data == NULL);
    gh_heap_free(&heap);
}

/* The n-th allocation fails: an error, and nothing else. */
static void
test_no_memory(void)
{
    gh_heap_t        heap;
    gh_hub_request_t request;
    gh_error_t       error;
    gh_str_t         out;
    gh_hub_send_t    send = { .model = GH_STR("up"), .default_max = 9 };
    size_t           n;
    int              status = GH_ERROR;

    for (n = 0; status != GH_OK && n < 200; n++) {
        gh_heap_init(&heap);
        heap.limit = n;
        error.code = NULL;
        status = gh_hub_request_read(&heap.arena, GH_HUB_CHAT, gh_str_from(chat_body), &request, &error);
        if (status == GH_OK) {
            status = gh_hub_request_write(&heap.arena, &request, GH_HUB_MESSAGES, &send, &out, &error);
        }
        if (status != GH_OK) {
            CHECK(error.code != NULL && strcmp(error.code, "no_memory") == 0);
        }
        gh_heap_free(&heap);
    }
    CHECK(status == GH_OK && n > 5);
}

static void
test_stream_no_memory(void)
{
    static const gh_hub_dialect_t clients[] = { GH_HUB_MESSAGES, GH_HUB_RESPONSES };
    gh_heap_t                     heap;
    gh_hub_stream_t              *s;
    sink_t                        sink = { 0 };
    size_t                        n, i, client;
    bool                          whole;
    char                          event[4096];

    memset(event, 'x', sizeof(event));
    memcpy(event, "data: {\"choices\":[{\"delta\":{\"content\":\"", 39);
    memcpy(event + sizeof(event) - 9, "\"}}]}\n\n", 8);

    for (client = 0; client < 2; client++) {
        for (n = 0, whole = false; !whole && n < 100; n++) {
            sink.len = 0;
            sink_bytes(&sink, "", 0);
            gh_heap_init(&heap);
            heap.limit = n;
            s = gh_hub_stream_new(&heap.arena, GH_HUB_CHAT, clients[client], &reply, (gh_hub_out_t) { sink_bytes, NULL, &sink });
            if (s != NULL) {
                for (i = 0; i < 20; i++) {
                    feed(s, event);
                }
                feed(s, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
                gh_hub_stream_finish(s);
                whole = gh_hub_stream_state(s).done;
                CHECK(whole != gh_hub_stream_state(s).failed);
                CHECK(whole || !holds(&sink, client == 0 ? "message_stop" : "response.completed"));
            }
            gh_heap_free(&heap);
        }
        CHECK(whole);
    }

    free(sink.data);
}

/* Memory of an arena that counts. */
static size_t taken;

static void *
counting(gh_arena_t *arena, size_t size)
{
    taken += size;
    return ((gh_heap_t *) arena->context)->arena.alloc(&((gh_heap_t *) arena->context)->arena, size);
}

static void
test_bounds(void)
{
    gh_heap_t        heap;
    gh_arena_t       arena = { counting, &heap };
    gh_hub_stream_t *s;
    sink_t           sink = { 0 };
    size_t           i, begun;
    char            *chunk = malloc(65536);

    /* an event without an end */
    gh_heap_init(&heap);
    sink_bytes(&sink, "", 0);
    taken = 0;
    memset(chunk, 'x', 65536);
    s = gh_hub_stream_new(&arena, GH_HUB_CHAT, GH_HUB_MESSAGES, &reply, (gh_hub_out_t) { sink_bytes, NULL, &sink });
    feed(s, "data: {\"choices\":[{\"delta\":{\"content\":\"");
    for (i = 0; i < 64; i++) {
        gh_hub_stream_feed(s, chunk, 65536);
    }
    CHECK(gh_hub_stream_state(s).failed);
    CHECK(holds(&sink, "event: error\n") && holds(&sink, "too long"));
    CHECK(taken < 4 * GH_HUB_EVENT_MAX);
    gh_heap_free(&heap);

    /* many events take no more memory than few */
    gh_heap_init(&heap);
    taken = 0;
    s = gh_hub_stream_new(&arena, GH_HUB_CHAT, GH_HUB_MESSAGES, &reply, (gh_hub_out_t) { sink_bytes, NULL, &sink });
    for (i = 0, begun = 0; i < 20000; i++) {
        sink.len = 0;
        feed(s, "data: {\"choices\":[{\"delta\":{\"content\":\"some words\"}}]}\n\n");
        begun = i == 10 ? taken : begun;
    }
    CHECK_INT(taken, begun);
    CHECK_INT(gh_hub_stream_state(s).events, 20000);
    gh_heap_free(&heap);

    /* Responses has to say everything again: up to a bound */
    gh_heap_init(&heap);
    taken = 0;
    sink.len = 0;
    s = gh_hub_stream_new(&arena, GH_HUB_CHAT, GH_HUB_RESPONSES, &reply, (gh_hub_out_t) { sink_bytes, NULL, &sink });
    for (i = 0; i < 200000 && !gh_hub_stream_state(s).failed; i++) {
        sink.len = 0;
        feed(s, "data: {\"choices\":[{\"delta\":{\"content\":\"some words\"}}]}\n\n");
    }
    CHECK(gh_hub_stream_state(s).failed);
    CHECK(i > GH_HUB_EVENT_MAX / 20 && taken < 8 * GH_HUB_EVENT_MAX);
    CHECK(holds(&sink, "event: error\n"));
    gh_heap_free(&heap);

    /* parts without end */
    s = stream_new(&heap, GH_HUB_CHAT, GH_HUB_MESSAGES, &sink);
    for (i = 0; i <= GH_HUB_PARTS_MAX / 2; i++) {
        feed(s, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"refusal\":\"b\"}}]}\n\n");
    }
    CHECK(gh_hub_stream_state(s).failed && holds(&sink, "too many parts"));
    gh_heap_free(&heap);

    free(chunk);
    free(sink.data);
}

/* A plain answer with a call whose input is an array of empty strings, told as a stream: of 3 bytes each becomes 5. */
static gh_hub_stream_t *
told_call(gh_heap_t *heap, size_t members, sink_t *sink)
{
    gh_hub_part_t    part = { .kind = GH_HUB_TOOL_CALL, .id = GH_STR("call_1"), .name = GH_STR("look") };
    gh_hub_answer_t  answer = { .parts = &part, .finish = GH_HUB_TOOL_CALLS };
    gh_hub_stream_t *s = stream_new(heap, GH_HUB_MESSAGES, GH_HUB_CHAT, sink);
    char            *input = malloc(members * 3 + 1);

    for (size_t i = 0; i < members; i++) {
        memcpy(input + i * 3, i == 0 ? "[\"\"" : ",\"\"", 3);
    }
    input[members * 3] = ']';
    part.input = (gh_str_t) { input, members * 3 + 1 };
    gh_hub_stream_answer(s, &answer);
    free(input);

    return s;
}

static size_t
count(const sink_t *sink, const char *text)
{
    size_t found = 0, len = strlen(text);

    /* by hand: strstr with a sanitizer looks at all that is left each time */
    for (size_t i = 0; i + len <= sink->len; i++) {
        found += sink->data[i] == text[0] && memcmp(sink->data + i, text, len) == 0;
    }
    return found;
}

/* Input of a call that stood in a plain answer: all of it as text, or an error. */
static void
test_long_input(void)
{
    static const size_t fits[] = { 1, 66000, 200000 };
    gh_heap_t           heap;
    gh_hub_stream_t    *s;
    sink_t              sink = { 0 };

    for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
        s = told_call(&heap, fits[i], &sink);
        CHECK(gh_hub_stream_state(s).done && !gh_hub_stream_state(s).failed);
        CHECK_INT(count(&sink, "\\\"\\\""), fits[i]);
        gh_heap_free(&heap);
    }

    s = told_call(&heap, 220000, &sink);
    CHECK(gh_hub_stream_state(s).failed && !gh_hub_stream_state(s).done);
    CHECK(holds(&sink, "too long for a stream") && !holds(&sink, "[DONE]") && !holds(&sink, "\"finish_reason\":\"tool_calls\""));
    gh_heap_free(&heap);

    free(sink.data);
}

#define TOKENS "\"logprobs\":{\"content\":[{\"token\":\"x\",\"logprob\":-0.1,\"bytes\":[120],\"top_logprobs\":[]}]}"

/* Servers give them with every token, also with those that are no text. */
static void
test_tokens_of_no_text(void)
{
    static const char *const others[] = {
        "\"reasoning_content\":\"r\"", "\"reasoning\":\"r\",\"content\":\"\"", "\"reasoning_content\":\"\",\"content\":\"\"",
        "\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"r\",\"index\":0}]",
    };
    gh_heap_t        heap;
    gh_hub_stream_t *s;
    sink_t           sink = { 0 };
    char             event[512];

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        s = stream_new(&heap, GH_HUB_CHAT, GH_HUB_RESPONSES, &sink);
        feed(s, "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"r\"}}]}\n\n");
        snprintf(event, sizeof(event), "data: {\"choices\":[{\"delta\":{%s}," TOKENS "}]}\n\n", others[i]);
        for (size_t n = 0; n < GH_HUB_PARTS_MAX; n++) {
            feed(s, event);
        }
        feed(s, "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}," TOKENS "}]}\n\n");
        feed(s, "data: {\"choices\":[{\"delta\":{\"content\":\"\"}," TOKENS "}]}\n\n");
        feed(s, "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}," TOKENS "}]}\n\n");
        feed(s, "data: {\"choices\":[{\"delta\":{\"content\":\"\"}," TOKENS "}]}\n\n");
        feed(s, "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"}\"}}]}," TOKENS ",\"finish_reason\":\"tool_calls\"}]}\n\n");
        feed(s, "data: [DONE]\n\n");
        CHECK(gh_hub_stream_state(s).done && holds(&sink, "\"arguments\":\"{}\""));
        CHECK_INT(count(&sink, "event: response.output_item.added\n"), 3);
        CHECK_INT(count(&sink, "\"token\":\"x\""), 2 + 4 * 2);    /* two deltas, and again in four places */
        gh_heap_free(&heap);
    }

    free(sink.data);
}

/* More of them than what is said again at the end: the text is, and they were told. */
static void
test_tokens_without_end(void)
{
    static const size_t counts[] = { 1, 14000, 16800, 30000 };    /* the third: too many beside their text */
    gh_heap_t           heap;
    gh_hub_stream_t    *s;
    sink_t              sink = { 0 };
    bool                again;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        s = stream_new(&heap, GH_HUB_CHAT, GH_HUB_RESPONSES, &sink);
        for (size_t n = 0; n < counts[i]; n++) {
            feed(s, "data: {\"choices\":[{\"delta\":{\"content\":\"word\"}," TOKENS "}]}\n\n");
        }
        feed(s, "data: {\"choices\":[{\"delta\":{\"refusal\":\"no\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"more\"}," TOKENS "}]}\n\n");
        feed(s, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
        CHECK(gh_hub_stream_state(s).done && holds(&sink, "event: response.incomplete\n"));
        again = counts[i] <= 14000;
        CHECK_INT(count(&sink, "\"token\":\"x\""), counts[i] * (again ? 5 : 1) + 5);
        CHECK_INT(count(&sink, "word"), counts[i] * 5);
        gh_heap_free(&heap);
    }

    free(sink.data);
}

static void
test_ends(void)
{
    gh_hub_error_t   error = { 504, GH_HUB_TIMEOUT, GH_STR("too late"), GH_STR(""), GH_STR("") };
    gh_heap_t        heap;
    gh_hub_stream_t *s;
    sink_t           sink = { 0 };
    size_t           len;

    /* nothing is written before there is something to say: another backend may still take over */
    s = stream_new(&heap, GH_HUB_CHAT, GH_HUB_MESSAGES, &sink);
    feed(s, ": hello\n\ndata: {\"choices\":[],\"prompt_filter_results\":[]}\n\ndata: {\"id\":\"c\",\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n");
    CHECK(sink.len == 0 && !gh_hub_stream_state(s).started);
    feed(s, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n");
    CHECK(gh_hub_stream_state(s).started && holds(&sink, "\"id\":\"c\""));
    feed(s, ":\n\n");
    CHECK(holds(&sink, "event: ping\n"));

    /* what broke outside, once */
    gh_hub_stream_fail(s, &error);
    len = sink.len;
    CHECK(holds(&sink, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"timeout_error\",\"message\":\"too late\"}}\n\n"));
    CHECK_INT(gh_hub_stream_state(s).status, 504);
    gh_hub_stream_fail(s, &error);
    feed(s, "data: [DONE]\n\n");
    gh_hub_stream_finish(s);
    CHECK_INT(sink.len, len);
    gh_heap_free(&heap);

    /* bytes behind the end are nobody's */
    s = stream_new(&heap, GH_HUB_MESSAGES, GH_HUB_CHAT, &sink);
    feed(s, "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n");
    len = sink.len;
    CHECK(gh_hub_stream_state(s).done && holds(&sink, "data: [DONE]\n\n") && holds(&sink, "\"id\":\"req\\\"1\""));
    feed(s, "data: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"x\"}}\n\n");
    gh_hub_stream_finish(s);
    CHECK(sink.len == len && !gh_hub_stream_state(s).failed);
    gh_heap_free(&heap);

    /* but a server's of chat completions that tells its usage there */
    s = stream_new(&heap, GH_HUB_CHAT, GH_HUB_MESSAGES, &sink);
    feed(s, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
    len = sink.len;
    feed(s, "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}],\"error\":{\"message\":\"x\"}}\n\ndata: {\"choi");
    feed(s, "ces\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}}\n\ndata: {x\n\n");
    gh_hub_stream_finish(s);
    CHECK(sink.len == len && gh_hub_stream_state(s).done && !gh_hub_stream_state(s).failed && gh_hub_stream_state(s).events == 1);
    CHECK(gh_hub_stream_state(s).usage.reported && gh_hub_stream_state(s).usage.input == 7 && gh_hub_stream_state(s).usage.output == 3);
    gh_heap_free(&heap);

    free(sink.data);
}

static void
test_errors(void)
{
    static const struct {
        gh_hub_dialect_t from, to;
        int              status;
        const char      *type, *body;
        int              told;
        const char      *out;
    } errors[] = {
        { GH_HUB_CONVERSE, GH_HUB_CHAT, 400, "ThrottlingException:http://internal.amazon.com/", "{\"message\":\"slow \\\"down\\\"\"}", 429,
          "{\"error\":{\"message\":\"slow \\\"down\\\"\",\"type\":\"rate_limit_error\",\"param\":null,\"code\":\"rate_limit_exceeded\"}}" },
        { GH_HUB_CONVERSE, GH_HUB_MESSAGES, 403, "", "{\"Message\":\"no\"}", 403,
          "{\"type\":\"error\",\"error\":{\"type\":\"permission_error\",\"message\":\"no\"},\"request_id\":\"r\"}" },
        { GH_HUB_MESSAGES, GH_HUB_CHAT, 529, "", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", 503,
          "{\"error\":{\"message\":\"Overloaded\",\"type\":\"api_error\",\"param\":null,\"code\":null}}" },
        { GH_HUB_MESSAGES, GH_HUB_CHAT, 400, "", "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long: 9\"}}", 400,
          "{\"error\":{\"message\":\"prompt is too long: 9\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"context_length_exceeded\"}}" },
        { GH_HUB_CHAT, GH_HUB_MESSAGES, 503, "", "{\"error\":{\"message\":\"full\",\"type\":\"x\",\"param\":null,\"code\":null}}", 529,
          "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"full\"},\"request_id\":\"r\"}" },
        { GH_HUB_CHAT, GH_HUB_CONVERSE, 401, "", "{\"error\":{\"message\":\"key\",\"type\":\"x\",\"param\":null,\"code\":\"invalid_api_key\"}}", 403,
          "{\"message\":\"key\"}" },
        { GH_HUB_CHAT, GH_HUB_MESSAGES, 400, "", "{\"object\":\"error\",\"message\":\"flat\",\"code\":400}", 400,
          "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"flat\"},\"request_id\":\"r\"}" },
        { GH_HUB_CHAT, GH_HUB_MESSAGES, 502, "", "<html>", 502,
          "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"the backend gave no reason\"},\"request_id\":\"r\"}" },
        { GH_HUB_RESPONSES, GH_HUB_MESSAGES, 429, "", "{\"error\":{\"message\":\"m\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}", 429,
          "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\"},\"request_id\":\"r\"}" },
    };
    gh_hub_error_t error;
    char           buffer[GH_HUB_ERROR_BYTES], *body;
    size_t         i, len;
    int            status;
    const char    *type;

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        gh_hub_error_read(errors[i].from, errors[i].status, gh_str_from(errors[i].type), gh_str_from(errors[i].body), &error);
        len = gh_hub_error_write(&error, errors[i].to, GH_STR("r"), buffer, sizeof(buffer), &status, &type);
        CHECK_STR(((gh_str_t) { buffer, len }), errors[i].out);
        CHECK_INT(status, errors[i].told);
    }
    CHECK_STR(gh_str_from(type), "ThrottlingException");

    /* a long message is cut between its characters */
    body = malloc(40000);
    strncpy(body, "{\"message\":\"", 40000);
    for (i = 12; i < 36000; i += 12) {
        memcpy(body + i, "\\ud83d\\ude00", 12);
    }
    memcpy(body + i, "\"}", 3);
    gh_hub_error_read(GH_HUB_CONVERSE, 400, GH_STR(""), gh_str_from(body), &error);
    CHECK(error.message.len > 2000 && error.message.len % 12 == 0);
    CHECK(gh_hub_error_write(&error, GH_HUB_CHAT, GH_STR("r"), buffer, sizeof(buffer), &status, NULL) > 2000);
    free(body);
}

int
main(void)
{
    test_maximum();
    test_refusal();
    test_betas();
    test_no_memory();
    test_stream_no_memory();
    test_bounds();
    test_long_input();
    test_tokens_of_no_text();
    test_tokens_without_end();
    test_ends();
    test_errors();

    return check_done("dialects");
}
