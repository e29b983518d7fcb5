/* What fuzz targets of the hub's streams share: a sink, a stream that is begun, fed in any parts and over, and lines of a text. */
#ifndef GH_FUZZ_HUB_STREAMS_H
#define GH_FUZZ_HUB_STREAMS_H

#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/hub/hub.h"
#include "policy/base/json_reader.h"

typedef struct { char *data; size_t len, size; } sink_t;

static inline void
valid(gh_str_t json)
{
    gh_json_reader_t r;

    gh_json_reader_init(&r, json, 0);
    r.lone_surrogates = true;
    if (gh_json_skip(&r) != GH_OK || gh_json_next(&r) != GH_JSON_END) {
        abort();
    }
}

/* For gh_hub_out_t: context is a sink_t. */
static inline void
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

static inline bool
same(const sink_t *a, const sink_t *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* The sink is emptied, the heap made anew; message: for gh_hub_out_t. */
static inline gh_hub_stream_t *
stream_begun(gh_heap_t *heap, gh_hub_dialect_t from, gh_hub_dialect_t to, void (*message)(void *context, const char *type, bool exception, gh_str_t payload),
    sink_t *sink)
{
    static const gh_hub_reply_t reply = { { "req\"1", 5 }, { "m\n", 2 }, 1, 2, true };

    gh_heap_init(heap);
    sink->len = 0;

    return gh_hub_stream_new(&heap->arena, from, to, &reply, (gh_hub_out_t) { sink_bytes, message, sink });
}

/* In parts of 1 to 53 bytes, as the seed has it; 0: at once. */
static inline void
stream_fed(gh_hub_stream_t *stream, gh_str_t text, unsigned seed)
{
    size_t at, part;

    for (at = 0; at < text.len; at += part) {
        part = text.len - at;
        if (seed != 0) {
            seed = seed * 1103515245u + 12345u;
            part = (seed >> 16) % 53 + 1 < part ? (seed >> 16) % 53 + 1 : part;
        }
        gh_hub_stream_feed(stream, text.data + at, part);
    }
}

/* It ended well or not, never both, and never neither. The heap is given back. */
static inline gh_hub_stream_state_t
stream_over(gh_heap_t *heap, gh_hub_stream_t *stream)
{
    gh_hub_stream_state_t state;

    gh_hub_stream_finish(stream);
    state = gh_hub_stream_state(stream);
    if (state.done == state.failed) {
        abort();
    }
    gh_heap_free(heap);

    return state;
}

/* The next line of what is left, without its end, of which the last may have none. false: nothing is left. */
static inline bool
next_line(gh_str_t *rest, gh_str_t *line)
{
    const char *end;

    if (rest->len == 0) {
        return false;
    }
    end = memchr(rest->data, '\n', rest->len);
    *line = (gh_str_t) { rest->data, end != NULL ? (size_t) (end - rest->data) : rest->len };
    rest->data += line->len + (end != NULL);
    rest->len -= line->len + (end != NULL);

    return true;
}

#endif
