/*
 * Any bytes as an event stream, fed at once and in parts: output and what is read must be the same. The first two bytes
 * choose the parts. Without strip_usage and without an error the output is the input; it is never longer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/wire.h"
#include "tests/fuzz/standalone.h"

typedef struct {
    gh_stream_t stream;
    char       *data;
    size_t      len, size;
    char        carry[GH_STREAM_CARRY];
} run_t;

static void
keep(void *context, const char *data, size_t len)
{
    run_t *run = context;

    if (len == 0 || len > run->size - run->len) {
        abort();
    }
    memcpy(run->data + run->len, data, len);
    run->len += len;
}

static void
feed(run_t *run, const char *data, size_t size, bool strip, unsigned seed)
{
    size_t at = 0, part;

    run->size = size;
    run->len = 0;
    run->data = malloc(size + 1);
    gh_stream_init(&run->stream, GH_HUB_CHAT, strip, run->carry);

    while (at < size) {
        part = size - at;
        if (seed != 0) {
            seed = seed * 1103515245u + 12345u;
            if ((seed >> 16) % 97 + 1 < part) {
                part = (seed >> 16) % 97 + 1;
            }
        }
        gh_stream_feed(&run->stream, data + at, part, keep, run);
        at += part;
    }

    gh_stream_finish(&run->stream, keep, run);
}

static void
compare(const run_t *a, const run_t *b)
{
    const gh_stream_t *s = &a->stream, *t = &b->stream;

    if (a->len != b->len || memcmp(a->data, b->data, a->len) != 0
        || s->done != t->done || s->error != t->error || s->usage_seen != t->usage_seen
        || s->usage_partial != t->usage_partial || s->events != t->events || s->content_bytes != t->content_bytes
        || s->usage.input != t->usage.input || s->usage.output != t->usage.output || s->usage.cached != t->usage.cached
        || s->usage.cache_write != t->usage.cache_write || s->usage.reasoning != t->usage.reasoning)
    {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static run_t whole, parts;
    const char  *text = (const char *) data;
    unsigned     seed = 1;
    int          strip, status;
    char        *copy;

    if (size >= 2) {
        seed = data[0] * 256u + data[1] + 1;
        text += 2;
        size -= 2;
    }

    /* memory of its own size */
    copy = malloc(size + 1);
    memcpy(copy, text, size);

    for (strip = 0; strip < 2; strip++) {
        feed(&whole, copy, size, strip != 0, 0);
        feed(&parts, copy, size, strip != 0, seed);
        compare(&whole, &parts);
        if (strip == 0 && !whole.stream.error && (whole.len != size || memcmp(whole.data, copy, size) != 0)) {
            abort();
        }
        free(whole.data);
        free(parts.data);
    }

    status = 0;
    if (gh_commit_look(GH_HUB_CHAT, (gh_str_t) { copy, size }, &status) == GH_COMMIT_ERROR && (status < 400 || status > 599)) {
        abort();
    }

    free(copy);
    return 0;
}
