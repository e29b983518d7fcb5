/*
 * Any bytes as what a deployment answers at Responses, chat completions and Messages, stream and plain: the same comes out in any parts, nothing but ids is
 * changed, and as the head of a stream of Responses it is judged, and its error made a body.
 */
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/ids_walk.h"
#include "ngx_module/wire/responses.h"
#include "policy/base/json_reader.h"
#include "tests/fuzz/standalone.h"

typedef struct { char *data; size_t len, size; } sink_t;

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

static gh_responses_t *
run(const char *text, size_t size, size_t step, bool stream, const gh_ids_owner_t *owner, sink_t *sink)
{
    static gh_responses_t w;
    size_t                at, part;

    sink->len = 0;
    gh_responses_init(&w, stream, owner);
    for (at = 0; at < size; at += part) {
        part = size - at < step ? size - at : step;
        gh_responses_feed(&w, text + at, part, sink_out, sink);
    }
    gh_responses_finish(&w, sink_out, sink);
    return &w;
}

static void
run_shape(const gh_ids_shape_t *shape, bool stream, const char *text, size_t size, size_t step, const gh_ids_owner_t *owner, sink_t *sink)
{
    static gh_ids_t ids;
    size_t          at, part;

    sink->len = 0;
    gh_ids_init(&ids, shape, stream, owner, NULL);
    for (at = 0; at < size; at += part) {
        part = size - at < step ? size - at : step;
        gh_ids_feed(&ids, text + at, part, sink_out, sink);
    }
    gh_ids_finish(&ids, sink_out, sink);
}

/* The other dialects' answers. */
static void
shapes(const char *text, size_t size, size_t step, const gh_ids_owner_t *owner, const gh_ids_owner_t *nobody, sink_t *whole, sink_t *parts)
{
    const gh_ids_shape_t *const all[] = { &gh_ids_completion, &gh_ids_kept_message, &gh_ids_kept_message_event };

    for (size_t i = 0; i < 2 * sizeof(all) / sizeof(all[0]); i++) {
        run_shape(all[i / 2], i % 2, text, size, size != 0 ? size : 1, owner, whole);
        run_shape(all[i / 2], i % 2, text, size, step, owner, parts);
        if (whole->len != parts->len || memcmp(whole->data, parts->data, whole->len) != 0) {
            abort();
        }
        run_shape(all[i / 2], i % 2, text, size, step, nobody, parts);
        if (parts->len != size || memcmp(parts->data, text, size) != 0) {
            abort();
        }
    }
}

/* Its error as a body of its own is JSON whatever it was, and so is the event that ends a stream. */
static void
errors(gh_str_t text, const gh_responses_t *responses)
{
    char             event[1024];
    gh_json_reader_t r;
    gh_heap_t        heap;
    gh_str_t         body;
    size_t           len;
    int              status;

    gh_heap_init(&heap);
    if (gh_responses_look(text, &status) == GH_COMMIT_ERROR) {
        body = gh_responses_error(&heap.arena, text);
        gh_json_reader_init(&r, body, 0);
        if (gh_json_skip(&r) != GH_OK || gh_json_next(&r) != GH_JSON_END) {
            abort();
        }
    }
    len = gh_responses_error_event(responses, event, sizeof(event), GH_STR("bad_gateway"), GH_STR("the answer \"broke\""));
    if (len == 0 || len > sizeof(event) || memcmp(event + len - 2, "\n\n", 2) != 0) {
        abort();
    }
    gh_heap_free(&heap);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t        secret[32] = "32 bytes that are no secret here";
    static gh_ids_owner_t owner, nobody;
    const char                 *text = (const char *) data;
    sink_t                      whole, parts;
    gh_responses_t              first;
    int                         stream;

    if (owner.handles == NULL) {
        owner = (gh_ids_owner_t) { .handles = gh_handles_new(secret), .tenant_uid = 7, .deployment = GH_STR("d"), .model = GH_STR("m") };
    }
    if (size > 1 << 16) {
        return 0;
    }
    whole = (sink_t) { malloc(size * 40 + 4096), 0, size * 40 + 4096 };
    parts = (sink_t) { malloc(size * 40 + 4096), 0, size * 40 + 4096 };

    for (stream = 0; stream < 2; stream++) {
        first = *run(text, size, size != 0 ? size : 1, stream, &owner, &whole);
        if (run(text, size, size != 0 ? data[0] % 13 + 1 : 1, stream, &owner, &parts)->ids.content_bytes != first.ids.content_bytes
            || whole.len != parts.len || memcmp(whole.data, parts.data, whole.len) != 0)
        {
            abort();
        }
        run(text, size, 5, stream, &nobody, &parts);
        if (parts.len != size || memcmp(parts.data, text, size) != 0) {
            abort();
        }
    }
    shapes(text, size, size != 0 ? data[0] % 13 + 1 : 1, &owner, &nobody, &whole, &parts);
    errors((gh_str_t) { text, size }, &first);

    free(whole.data);
    free(parts.data);
    return 0;
}
