/*
 * Citations where a test in Python does not get: memory that fails and is bounded, what does not say its place, what no answer has, what a backend may send. What is
 * translated into what is tests/dialects.
 */
#include <stdlib.h>

#include "ngx_module/wire/hub/hub.h"
#include "tests/unit/check.h"

static const gh_hub_reply_t reply = { { "req", 3 }, { "a-model", 7 }, 1700000000, 12, false };

static const char asked[] =
    "{\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\",\"source\":{\"type\":\"content\",\"content\":[{\"type\":\"text\",\"text\":\"b1\"},{\"type\":\"text\",\"text\":\"b2\"}]},\"citations\":{\"enabled\":true}},"
    "{\"type\":\"search_result\",\"source\":\"s\",\"title\":\"t\",\"content\":[{\"type\":\"text\",\"text\":\"r\"}]}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"citations\":["
    "{\"type\":\"char_location\",\"cited_text\":\"c\",\"document_index\":0,\"document_title\":null,\"start_char_index\":0,\"end_char_index\":1}]}]}]}";

static const char answered[] =
    "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"citationsContent\":{\"content\":[{\"text\":\"two \"},{\"text\":\"pieces\"}],\"citations\":["
    "{\"title\":\"t\",\"sourceContent\":[{\"text\":\"of \"},{\"text\":\"it\"}],\"location\":{\"documentPage\":{\"documentIndex\":1,\"start\":2,\"end\":3}}},"
    "{\"title\":\"no place\"},{\"location\":{\"documentChar\":{\"documentIndex\":0,\"start\":1}}},{\"location\":{\"documentChar\":{\"start\":1,\"end\":2}}},"
    "{\"location\":{\"documentChar\":{\"documentIndex\":0,\"start\":3,\"end\":2}}},{\"location\":{\"searchResultLocation\":{\"searchResultIndex\":4,\"start\":0,\"end\":1}}},"
    "{\"location\":{\"elsewhere\":{}}},{\"location\":{\"web\":{\"domain\":\"e.org\"}}},{\"location\":{\"web\":{\"url\":\"https://e.org/\"}}}]}},"
    "{\"image\":{\"format\":\"png\",\"source\":{\"bytes\":\"AAAA\"}}},{\"toolResult\":{\"toolUseId\":\"i\",\"content\":[]}},{\"searchResult\":{\"source\":\"s\",\"title\":\"t\",\"content\":[{\"text\":\"x\"}]}}"
    "]}},\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":1,\"outputTokens\":1,\"totalTokens\":2}}";

typedef struct {
    char  *data;
    size_t len, size;
} sink_t;

static void
sink_bytes(void *context, const char *data, size_t len)
{
    sink_t *sink = context;

    if (sink->len + len + 1 > sink->size) {
        sink->size = (sink->len + len + 1) * 2;
        sink->data = realloc(sink->data, sink->size);
    }
    memcpy(sink->data + sink->len, data, len);
    sink->len += len;
    sink->data[sink->len] = '\0';
}

static bool
holds(const sink_t *sink, const char *text)
{
    return strstr(sink->data, text) != NULL;
}

/* The answer above for a client of Messages, of chat and of Responses; each allocation fails once. */
static void
test_answers(void)
{
    static const gh_hub_dialect_t clients[] = { GH_HUB_MESSAGES, GH_HUB_CHAT, GH_HUB_RESPONSES, GH_HUB_INVOKE };
    static const char *const      wanted[] = {
        "\"content\":"
        "[{\"type\":\"text\",\"text\":\"two pieces\",\"citations\":[{\"type\":\"page_location\",\"cited_text\":\"of it\",\"document_title\":\"t\",\"document_index\":1,\"start_page_number\":2,\"end_page_number\":3},"
        "{\"type\":\"search_result_location\",\"cited_text\":\"\",\"title\":null,\"source\":\"\",\"search_result_index\":4,\"start_block_index\":0,\"end_block_index\":1},"
        "{\"type\":\"web_search_result_location\",\"cited_text\":\"\",\"title\":null,\"url\":\"https://e.org/\",\"encrypted_index\":\"\"}]}]",
        "\"content\":\"two pieces\",\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"start_index\":0,\"end_index\":10,\"title\":\"\",\"url\":\"https://e.org/\"}}]}",
        "\"content\":[{\"type\":\"output_text\",\"text\":\"two pieces\",\"annotations\":[{\"type\":\"url_citation\",\"start_index\":0,\"end_index\":10,\"title\":\"\",\"url\":\"https://e.org/\"}],\"logprobs\":[]}]}],",
        "\"start_page_number\":2,\"end_page_number\":3}",
    };
    gh_hub_answer_t answer;
    gh_heap_t       heap;
    gh_error_t      error;
    gh_str_t        out;
    sink_t          sink = { 0 };
    size_t          n, client;
    int             status;

    for (client = 0; client < sizeof(clients) / sizeof(clients[0]); client++) {
        for (n = 0, status = GH_ERROR; status != GH_OK && n < 100; n++) {
            gh_heap_init(&heap);
            heap.limit = n;
            error.code = NULL;
            status = gh_hub_answer_read(&heap.arena, GH_HUB_CONVERSE, gh_str_from(answered), &answer, &error);
            if (status == GH_OK) {
                status = gh_hub_answer_write(&heap.arena, &answer, clients[client], &reply, &out, &error);
            }
            if (status != GH_OK) {
                CHECK(error.code != NULL && strcmp(error.code, "no_memory") == 0);
            } else {
                sink.len = 0;
                sink_bytes(&sink, out.data, out.len);
                CHECK(holds(&sink, wanted[client]));
                CHECK(!holds(&sink, "AAAA") && !holds(&sink, "no place") && !holds(&sink, "\"x\""));
            }
            gh_heap_free(&heap);
        }
        CHECK(status == GH_OK && n > 3);
    }

    free(sink.data);
}

static void
test_requests(void)
{
    gh_hub_send_t    send = { .model = GH_STR("up"), .default_max = 9 };
    gh_hub_request_t request;
    gh_heap_t        heap;
    gh_error_t       error;
    gh_str_t         out;
    size_t           n;
    int              status = GH_ERROR;

    for (n = 0; status != GH_OK && n < 200; n++) {
        gh_heap_init(&heap);
        heap.limit = n;
        error.code = NULL;
        status = gh_hub_request_read(&heap.arena, GH_HUB_MESSAGES, gh_str_from(asked), &request, &error);
        if (status == GH_OK) {
            status = gh_hub_request_write(&heap.arena, &request, GH_HUB_CONVERSE, &send, &out, &error);
        }
        if (status != GH_OK) {
            CHECK(error.code != NULL && strcmp(error.code, "no_memory") == 0);
        }
        gh_heap_free(&heap);
    }
    CHECK(status == GH_OK && n > 5);
}

/* What is wrong is said with its path. */
static void
test_wrong(void)
{
    static const struct {
        gh_hub_dialect_t dialect;
        const char      *block, *sentence;
    } wrong[] = {
        { GH_HUB_MESSAGES, "{\"type\":\"search_result\",\"source\":\"s\",\"title\":\"t\",\"content\":[]}",
          "messages[0].content[0] must have a source that is a string, a title and a content that is not empty" },
        { GH_HUB_MESSAGES, "{\"type\":\"document\",\"source\":{\"type\":\"text\",\"data\":\"x\",\"media_type\":\"text/plain\"},\"citations\":{\"enabled\":1}}",
          "messages[0].content[0].citations.enabled must be true or false" },
        { GH_HUB_MESSAGES, "{\"type\":\"text\",\"text\":\"x\",\"citations\":\"all\"}", "messages[0].content[0].citations must be an array" },
        { GH_HUB_MESSAGES, "{\"type\":\"text\",\"text\":\"x\",\"citations\":[{\"type\":\"char_location\",\"document_index\":\"0\"}]}",
          "messages[0].content[0].citations[0].document_index must be a number" },
        { GH_HUB_CONVERSE, "{\"searchResult\":{\"source\":\"s\",\"title\":\"t\"}}",
          "messages[0].content[0].searchResult must have a source, a title and a content that is not empty" },
        { GH_HUB_CONVERSE, "{\"citationsContent\":{\"content\":[{\"text\":\"x\"}],\"citations\":[{\"sourceContent\":\"x\"}]}}",
          "messages[0].content[0].citationsContent.citations[0].sourceContent must be an array" },
        { GH_HUB_CONVERSE, "{\"citationsContent\":{\"content\":[{\"text\":\"x\"}],\"citations\":[{\"location\":{\"documentPage\":{\"start\":-7}}}]}}",
          "messages[0].content[0].citationsContent.citations[0].location.documentPage.start must be a whole number from 0 on" },
    };
    gh_hub_request_t request;
    gh_heap_t        heap;
    gh_error_t       error;
    char             body[1024];
    size_t           i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        gh_heap_init(&heap);
        snprintf(body, sizeof(body), "{\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[%s]}]}", wrong[i].block);
        CHECK(gh_hub_request_read(&heap.arena, wrong[i].dialect, gh_str_from(body), &request, &error) == GH_ERROR);
        CHECK_STR(gh_str_from(error.text), wrong[i].sentence);
        gh_heap_free(&heap);
    }
}

/* Memory of an arena that counts. */
static size_t taken;

static void *
counting(gh_arena_t *arena, size_t size)
{
    taken += size;
    return ((gh_heap_t *) arena->context)->arena.alloc(&((gh_heap_t *) arena->context)->arena, size);
}

static gh_hub_stream_t *
stream(gh_heap_t *heap, gh_arena_t *arena, gh_hub_dialect_t backend, gh_hub_dialect_t client, sink_t *sink)
{
    gh_heap_init(heap);
    *arena = (gh_arena_t) { counting, heap };
    taken = 0;
    sink->len = 0;
    sink_bytes(sink, "", 0);
    return gh_hub_stream_new(arena, backend, client, &reply, (gh_hub_out_t) { sink_bytes, NULL, sink });
}

static void
message(gh_hub_stream_t *s, const char *type, const char *payload)
{
    gh_hub_stream_message(s, gh_str_from(type), false, gh_str_from(payload));
}

#define CITATION(title, text) "{\"contentBlockIndex\":0,\"delta\":{\"citation\":{\"title\":\"" title "\",\"sourceContent\":[{\"text\":\"" text \
    "\"}],\"location\":{\"documentChar\":{\"documentIndex\":0,\"start\":0,\"end\":9}}}}}"

static void
test_streams(void)
{
    gh_hub_stream_t *s;
    gh_arena_t       arena;
    gh_heap_t        heap;
    sink_t           sink = { 0 };
    size_t           i, begun;

    /* a citation begins a text; halves of surrogate pairs that are none become characters; one that is of no place is not told */
    s = stream(&heap, &arena, GH_HUB_CONVERSE, GH_HUB_MESSAGES, &sink);
    message(s, "contentBlockDelta", CITATION("\\ud83d", "\\ude00."));
    message(s, "contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"citation\":{\"title\":\"no place\"}}}");
    message(s, "contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"x\"}}");
    message(s, "messageStop", "{\"stopReason\":\"end_turn\"}");
    message(s, "metadata", "{\"usage\":{}}");
    CHECK(gh_hub_stream_state(s).done && holds(&sink, "\"cited_text\":\"\\ufffd.\",\"document_title\":\"\\ufffd\",\"document_index\":0,"));
    CHECK(!holds(&sink, "no place"));
    gh_heap_free(&heap);

    /* many take no more memory than few */
    s = stream(&heap, &arena, GH_HUB_CONVERSE, GH_HUB_MESSAGES, &sink);
    for (i = 0, begun = 0; i < 20000; i++) {
        message(s, "contentBlockDelta", CITATION("\\ud83d title", "some words of the source"));
        begun = i == 100 ? taken : begun;
        sink.len = 0;
    }
    CHECK(taken == begun && !gh_hub_stream_state(s).failed);
    gh_heap_free(&heap);

    /* what is none ends the stream in an error */
    s = stream(&heap, &arena, GH_HUB_CONVERSE, GH_HUB_MESSAGES, &sink);
    message(s, "contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"citation\":[]}}");
    CHECK(gh_hub_stream_state(s).failed && gh_hub_stream_state(s).broken);
    gh_heap_free(&heap);
    free(sink.data);
}

#define BEGIN "data: " "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"hé\",\"citations\":"
#define PAGE  "{\"type\":\"web_search_result_location\",\"cited_text\":\"c\",\"url\":\"https://e.org/\",\"title\":\"t\",\"encrypted_index\":\"e\"}"
#define DELTA "data: " "{\"type\":\"content_block_delta\",\"index\":"

static void
feed(gh_hub_stream_t *s, const char *text)
{
    gh_hub_stream_feed(s, text, strlen(text));
}

static void
test_pages(void)
{
    gh_hub_stream_t *s;
    gh_arena_t       arena;
    gh_heap_t        heap;
    sink_t           sink = { 0 };

    /* at a block's beginning, and for a part that is not open; places are those of the text so far */
    s = stream(&heap, &arena, GH_HUB_MESSAGES, GH_HUB_CHAT, &sink);
    feed(s, BEGIN "[" PAGE "]}}\n\n");
    CHECK(holds(&sink, "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"start_index\":0,\"end_index\":2,\"title\":\"t\",\"url\":\"https://e.org/\"}}]"));
    sink.len = 0;
    feed(s, DELTA "1,\"delta\":{\"type\":\"citations_delta\",\"citation\":" PAGE "}}\n\n");
    feed(s, DELTA "0,\"delta\":{\"type\":\"citations_delta\",\"citation\":{\"type\":\"of_tomorrow\"}}}\n\n");
    CHECK(!gh_hub_stream_state(s).failed && sink.len == 0);
    feed(s, DELTA "0,\"delta\":{\"type\":\"citations_delta\",\"citation\":[]}}\n\n");
    CHECK(gh_hub_stream_state(s).failed && gh_hub_stream_state(s).broken);
    gh_heap_free(&heap);

    s = stream(&heap, &arena, GH_HUB_MESSAGES, GH_HUB_CHAT, &sink);
    feed(s, BEGIN "[1]}}\n\n");
    CHECK(gh_hub_stream_state(s).failed && gh_hub_stream_state(s).broken);
    gh_heap_free(&heap);
    free(sink.data);
}

int
main(void)
{
    test_answers();
    test_requests();
    test_wrong();
    test_streams();
    test_pages();

    return check_done("citations");
}
