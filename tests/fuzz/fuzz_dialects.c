/*
 * Any bytes as a request, an answer, an error and a stream of any dialect for any other. What is written is JSON, and can be read in the dialect it
 * was written in; a stream comes out the same however it is split, and never both well and not. The first three bytes choose. And as a header of flags of
 * betas: what is taken is an array of strings that says the same as a header again.
 */
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/hub/hub.h"
#include "policy/base/json_reader.h"
#include "tests/fuzz/standalone.h"

static const gh_hub_reply_t reply = { { "req\"1", 5 }, { "m\n", 2 }, 1, 2, true };

static void
valid(gh_str_t json)
{
    gh_json_reader_t r;

    gh_json_reader_init(&r, json, 0);
    r.lone_surrogates = true;
    if (gh_json_skip(&r) != GH_OK || gh_json_next(&r) != GH_JSON_END) {
        abort();
    }
}

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

typedef struct {
    char  *data;
    size_t len, size;
} sink_t;

static void
sink_bytes(void *context, const char *data, size_t len)
{
    sink_t *sink = context;

    if (sink->len + len > sink->size) {
        sink->size = (sink->len + len) * 2;
        sink->data = realloc(sink->data, sink->size);
    }
    memcpy(sink->data + sink->len, data, len);
    sink->len += len;
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
    gh_heap_t             heap;
    gh_hub_stream_t      *stream;
    gh_hub_stream_state_t state;
    size_t                at = 0, part;

    gh_heap_init(&heap);
    sink->len = 0;
    stream = gh_hub_stream_new(&heap.arena, from, to, &reply, (gh_hub_out_t) { sink_bytes, sink_message, sink });

    while (at < text.len) {
        part = text.len - at;
        if (seed != 0) {
            seed = seed * 1103515245u + 12345u;
            part = (seed >> 16) % 53 + 1 < part ? (seed >> 16) % 53 + 1 : part;
        }
        gh_hub_stream_feed(stream, text.data + at, part);
        at += part;
    }

    gh_hub_stream_finish(stream);
    state = gh_hub_stream_state(stream);
    if (state.done == state.failed) {
        abort();
    }
    gh_heap_free(&heap);

    return state;
}

/* Lines "TYPE JSON" as messages of a framed dialect. */
static void
messages(gh_hub_dialect_t from, gh_hub_dialect_t to, gh_str_t text, sink_t *sink)
{
    gh_heap_t        heap;
    gh_hub_stream_t *stream;
    const char      *p = text.data, *end = text.data + text.len, *line, *space;

    gh_heap_init(&heap);
    sink->len = 0;
    stream = gh_hub_stream_new(&heap.arena, from, to, &reply, (gh_hub_out_t) { sink_bytes, sink_message, sink });

    while (p < end) {
        line = memchr(p, '\n', (size_t) (end - p));
        line = line != NULL ? line : end;
        space = memchr(p, ' ', (size_t) (line - p));
        if (space != NULL) {
            gh_hub_stream_message(stream, (gh_str_t) { p, (size_t) (space - p) }, *p == '!', (gh_str_t) { space + 1, (size_t) (line - space - 1) });
        }
        p = line < end ? line + 1 : end;
    }

    gh_hub_stream_finish(stream);
    gh_heap_free(&heap);
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t  dialects[] = { GH_HUB_CHAT, GH_HUB_CHAT_OPEN, GH_HUB_MESSAGES, GH_HUB_CONVERSE, GH_HUB_RESPONSES, GH_HUB_INVOKE };
    static sink_t         whole, parts;
    gh_hub_stream_state_t a, b;
    gh_hub_dialect_t      from, to;
    gh_str_t              text;
    char                 *copy;

    if (size < 3) {
        return 0;
    }

    from = dialects[data[0] % sizeof(dialects)];
    to = dialects[data[1] % sizeof(dialects)];
    copy = malloc(size - 3 + 1);
    memcpy(copy, data + 3, size - 3);
    text = (gh_str_t) { copy, size - 3 };
    betas(text);

    if (from != to && (from > GH_HUB_CHAT_OPEN || to > GH_HUB_CHAT_OPEN)) {
        request(from, to, text);
        answer(from, to, text);
        if (gh_hub_framed(from)) {
            messages(from, to, text, &whole);
        } else {
            a = run(from, to, text, 0, &whole);
            b = run(from, to, text, data[2] + 1u, &parts);
            if (whole.len != parts.len || (whole.len != 0 && memcmp(whole.data, parts.data, whole.len) != 0) || a.done != b.done
                || a.events != b.events || a.usage.input != b.usage.input || a.usage.output != b.usage.output)
            {
                abort();
            }
        }
    }

    free(copy);
    return 0;
}
