/*
 * Any bytes as a request, an answer, an error and a stream of any dialect for any other. What is written is JSON, and can be read in the dialect it
 * was written in; a stream comes out the same however it is split, and never both well and not. The first three bytes choose. And as a header of flags of
 * betas: what is taken is an array of strings that says the same as a header again.
 */
#include "tests/fuzz/hub_streams.h"
#include "tests/fuzz/standalone.h"

static const gh_hub_reply_t reply = { { "req\"1", 5 }, { "m\n", 2 }, 1, 2, true };

static void
request(gh_hub_dialect_t from, gh_hub_dialect_t to, gh_str_t body)
{
    gh_hub_send_t    send = { .model = { "up\\", 3 }, .default_max = 5 };
    gh_hub_request_t read, again;
    gh_heap_t        heap;
    gh_error_t       error;
    gh_str_t         out;

    gh_heap_init(&heap);
    if (gh_hub_request_read(&heap.arena, from, body, &read, &error) == GH_OK) {
        if (gh_hub_expressible(&read, to) != (gh_hub_express(&read, to, NULL, 0, &error) == GH_OK)) {
            abort();
        }
        if (gh_hub_request_write(&heap.arena, &read, to, &send, &out, &error) == GH_OK) {
            valid(out);
            /* a message whose every part was dropped is left out: nothing may be left of all */
            if (gh_hub_request_read(&heap.arena, to, out, &again, &error) != GH_OK && strstr(error.text, "is missing") == NULL
                && strcmp(error.code, "duplicate_key") != 0)
            {
                abort();
            }
        }
    }
    gh_heap_free(&heap);
}

static void
answer(gh_hub_dialect_t from, gh_hub_dialect_t to, gh_str_t body)
{
    char            buffer[GH_HUB_ERROR_BYTES];
    gh_hub_answer_t read;
    gh_hub_error_t  failure;
    gh_heap_t       heap;
    gh_error_t      error;
    gh_str_t        out;
    size_t          len;
    int             status;

    gh_heap_init(&heap);
    if (gh_hub_answer_read(&heap.arena, from, body, &read, &error) == GH_OK
        && gh_hub_answer_write(&heap.arena, &read, to, &reply, &out, &error) == GH_OK)
    {
        valid(out);
    }
    gh_heap_free(&heap);

    gh_hub_error_read(from, 0, GH_STR(""), body, &failure);
    len = gh_hub_error_write(&failure, to, GH_STR("r"), buffer, sizeof(buffer), &status, NULL);
    if (len == 0 || status < 400 || status > 599) {
        abort();
    }
    valid((gh_str_t) { buffer, len });
}

static void
sink_message(void *context, const char *type, bool exception, gh_str_t payload)
{
    valid(payload);
    sink_bytes(context, type, strlen(type));
    sink_bytes(context, exception ? "!" : ".", 1);
    sink_bytes(context, payload.data, payload.len);
}

static gh_hub_stream_state_t
run(gh_hub_dialect_t from, gh_hub_dialect_t to, gh_str_t text, unsigned seed, sink_t *sink)
{
    gh_heap_t        heap;
    gh_hub_stream_t *stream = stream_begun(&heap, from, to, sink_message, sink);

    stream_fed(stream, text, seed);
    return stream_over(&heap, stream);
}

/* Lines "TYPE JSON" as messages of a framed dialect. */
static void
messages(gh_hub_dialect_t from, gh_hub_dialect_t to, gh_str_t text, sink_t *sink)
{
    gh_heap_t        heap;
    gh_hub_stream_t *stream = stream_begun(&heap, from, to, sink_message, sink);
    gh_str_t         line;
    const char      *space;

    while (next_line(&text, &line)) {
        space = memchr(line.data, ' ', line.len);
        if (space != NULL) {
            gh_hub_stream_message(stream, (gh_str_t) { line.data, (size_t) (space - line.data) }, line.data[0] == '!',
                (gh_str_t) { space + 1, (size_t) (line.data + line.len - space - 1) });
        }
    }
    (void) stream_over(&heap, stream);
}

static void
betas(gh_str_t header)
{
    gh_heap_t heap;
    gh_str_t  flags, again, none = { NULL, 0 };

    gh_heap_init(&heap);
    flags = gh_hub_betas_join(&heap.arena, none, header);
    if (flags.data != NULL) {
        valid(flags);
        again = gh_hub_betas_header(&heap.arena, flags);
        if (again.data == NULL || again.len > header.len || !gh_str_eq(gh_hub_betas_join(&heap.arena, none, again), flags)) {
            abort();
        }
    }
    gh_heap_free(&heap);
}

/* The last three are what requests of Converse are written as, by whose model is asked: answers and streams are Converse's own. */
static const struct {
    uint8_t dialect, endpoint;    /* endpoint: those of the same one are not translated to each other */
} choices[] = {
    { GH_HUB_CHAT, GH_HUB_CHAT }, { GH_HUB_CHAT_OPEN, GH_HUB_CHAT }, { GH_HUB_MESSAGES, GH_HUB_MESSAGES }, { GH_HUB_CONVERSE, GH_HUB_CONVERSE },
    { GH_HUB_RESPONSES, GH_HUB_RESPONSES }, { GH_HUB_INVOKE, GH_HUB_INVOKE },
    { GH_HUB_CONVERSE_ANTHROPIC, GH_HUB_CONVERSE }, { GH_HUB_CONVERSE_NOVA, GH_HUB_CONVERSE }, { GH_HUB_CONVERSE_GPT_OSS, GH_HUB_CONVERSE },
};

#define CHOICES  (sizeof(choices) / sizeof(choices[0]))
#define ANSWERED 6    /* of them, the first */

static void
streams(gh_hub_dialect_t from, gh_hub_dialect_t to, gh_str_t text, unsigned seed)
{
    static sink_t         whole, parts;
    gh_hub_stream_state_t a, b;

    if (gh_hub_framed(from)) {
        messages(from, to, text, &whole);
        return;
    }

    a = run(from, to, text, 0, &whole);
    b = run(from, to, text, seed, &parts);
    if (!same(&whole, &parts) || a.done != b.done || a.events != b.events || a.usage.input != b.usage.input || a.usage.output != b.usage.output) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned from, to;
    gh_str_t text;
    char    *copy;

    if (size < 3) {
        return 0;
    }

    from = data[0] % CHOICES;
    to = data[1] % CHOICES;
    copy = malloc(size - 3 + 1);
    memcpy(copy, data + 3, size - 3);
    text = (gh_str_t) { copy, size - 3 };
    betas(text);

    if (choices[from].endpoint != choices[to].endpoint) {
        request(choices[from].dialect, choices[to].dialect, text);
        if (from < ANSWERED && to < ANSWERED) {
            answer(choices[from].dialect, choices[to].dialect, text);
            streams(choices[from].dialect, choices[to].dialect, text, data[2] + 1u);
        }
    }

    free(copy);
    return 0;
}
