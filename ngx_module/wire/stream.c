/*
 * A running stream. Without strip_usage every byte passes at once and is only read; with it, and after an error, the
 * bytes of an event wait until its blank line tells what it is: the usage chunk is removed, and a [DONE] behind an
 * error, for what broke must not look complete. What comes out, and what is read, does not depend on how the input was
 * split: an event is judged whole when it is at most GH_STREAM_CARRY bytes long, else never.
 *
 * Comment lines in front of an event are no part of it: they pass at once, so that keep-alives keep alive.
 *
 * With include_usage the other chunks of OpenAI's (and vLLM's, Azure's) streams carry "usage":null, also to clients
 * that did not ask. SDKs read null as absent; removing it would cost a rewrite of every chunk.
 */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/dialect.h"
#include "ngx_module/wire/sse.h"

enum {
    LINE_START = 0,    /* its first byte must come */
    LINE_FIELD,        /* of an event */
    LINE_COMMENT       /* in front of one */
};

void
gh_stream_init(gh_stream_t *stream, gh_hub_dialect_t dialect, bool strip_usage, char *carry)
{
    memset(stream, 0, offsetof(gh_stream_t, scan));
    stream->dialect = dialect;
    stream->strip_usage = strip_usage;
    stream->carry = carry;
    gh_usage_scan_init(&stream->scan, dialect);
}

static void
usage_seen(gh_stream_t *stream, bool partial)
{
    stream->usage_seen = true;
    stream->usage_partial = partial && !stream->done;
}

static void
event_chunk(gh_stream_t *stream, gh_str_t data, gh_chunk_t *chunk)
{
    bool alike = gh_hub_traits(stream->dialect)->chunks_alike;

    if (alike && gh_chunk_like(&stream->like, data, chunk)) {
        return;
    }
    gh_chunk_read(stream->dialect, data, chunk);
    if (alike) {
        gh_chunk_learn(&stream->like, data, chunk);
    }
}

/* A complete event of at most GH_STREAM_CARRY bytes. true: it is to be removed. */
static bool
event_judge(gh_stream_t *stream, gh_str_t bytes)
{
    char           scratch[GH_STREAM_CARRY];
    gh_sse_event_t event;
    gh_chunk_t     chunk;
    bool           first = !stream->started;

    stream->started = true;
    gh_sse_read(bytes, first, scratch, &event);

    if (event.is_error) {
        stream->error = true;
    }

    if (!event.has_data) {
        return false;
    }

    event_chunk(stream, event.data, &chunk);

    if (chunk.done) {
        stream->done = true;
        stream->usage_partial = false;
        return stream->holding && stream->error;
    }

    if (!chunk.readable) {
        stream->usage_partial = stream->usage_seen;
        stream->events++;
        stream->content_bytes += event.data.len;
        return false;
    }

    stream->error |= chunk.error;
    if (chunk.content_bytes != 0) {
        stream->events++;
        stream->content_bytes += chunk.content_bytes;
        stream->usage_partial = stream->usage_seen;
    }
    if (chunk.usage_value.data != NULL && gh_hub_usage_read(stream->dialect, chunk.usage_value, &stream->usage)) {
        usage_seen(stream, chunk.content_bytes != 0);
    }

    return stream->holding && stream->strip_usage && chunk.usage_only && !chunk.error;
}

static void
passing_feed(gh_stream_t *stream, const char *data, size_t len)
{
    gh_usage_scan_feed(&stream->scan, data, len);
    stream->event_bytes += len;
}

/* The end of an event that passed unjudged. */
static void
passing_end(gh_stream_t *stream)
{
    if (stream->scan.found) {
        stream->usage = stream->scan.usage;
        usage_seen(stream, true);
    } else {
        stream->usage_partial = stream->usage_seen && !stream->done;
    }

    stream->events++;
    stream->content_bytes += stream->event_bytes;
    stream->started = true;
    stream->passing = false;
}

static void
passing_begin(gh_stream_t *stream)
{
    stream->passing = true;
    stream->event_bytes = 0;
    gh_usage_scan_init(&stream->scan, stream->dialect);
}

/* What one call has to pass on: a run of input bytes, cut where an event is removed. */
typedef struct {
    gh_stream_t     *stream;
    gh_stream_out_fn out;
    void            *context;
    const char      *run;        /* first input byte not yet passed on or removed */
} output_t;

static void
output_to(output_t *o, const char *to)
{
    if (to > o->run) {
        o->out(o->context, o->run, (size_t) (to - o->run));
    }
    o->run = to;
}

static void
output_carry(output_t *o)
{
    gh_stream_t *stream = o->stream;

    if (stream->carry_len != 0 && stream->holding) {
        o->out(o->context, stream->carry, stream->carry_len);
    }
    stream->carry_len = 0;
}

/* The event's bytes of this input are [from, to), before them stands the carry; the blank line has come. */
static void
event_end(output_t *o, const char *from, const char *to)
{
    gh_stream_t *stream = o->stream;
    size_t       len = (size_t) (to - from);
    bool         remove = false;

    stream->in_event = false;
    stream->drop_lf = false;

    if (stream->passing || stream->carry_len + len > GH_STREAM_CARRY) {
        if (!stream->passing) {
            passing_begin(stream);
            passing_feed(stream, stream->carry, stream->carry_len);
            output_carry(o);
        }
        passing_feed(stream, from, len);
        passing_end(stream);
        return;
    }

    if (stream->carry_len == 0) {
        remove = event_judge(stream, (gh_str_t) { from, len });
    } else {
        memcpy(stream->carry + stream->carry_len, from, len);
        remove = event_judge(stream, (gh_str_t) { stream->carry, stream->carry_len + len });
    }

    if (!remove) {
        output_carry(o);
        return;
    }

    if (stream->carry_len == 0) {
        output_to(o, from);
    }
    stream->carry_len = 0;
    stream->drop_lf = true;
    o->run = to;
}

/* The input ends inside an event. */
static void
event_keep(output_t *o, const char *from, const char *end)
{
    gh_stream_t *stream = o->stream;
    size_t       len = (size_t) (end - from);

    if (!stream->passing && stream->carry_len + len > GH_STREAM_CARRY) {
        passing_begin(stream);
        passing_feed(stream, stream->carry, stream->carry_len);
        output_carry(o);
    }

    if (stream->passing) {
        passing_feed(stream, from, len);
        return;
    }

    memcpy(stream->carry + stream->carry_len, from, len);
    stream->carry_len += len;

    if (stream->holding) {
        output_to(o, from);
        o->run = end;
    }
}

bool
gh_stream_between(const gh_stream_t *stream)
{
    return stream->in_event ? stream->holding && !stream->passing : stream->state == LINE_START;
}

void
gh_stream_feed(gh_stream_t *stream, const char *data, size_t len, gh_stream_out_fn out, void *context)
{
    const char *p = data, *end = data + len, *event = data, *lf = NULL, *cr = NULL, *stop;
    output_t    o = { stream, out, context, data };

    while (p < end) {
        if (stream->after_cr) {
            stream->after_cr = false;
            if (*p == '\n') {
                p++;
                if (stream->drop_lf) {
                    output_to(&o, p - 1);
                    o.run = p;
                }
                continue;
            }
        }

        if (stream->state == LINE_START) {
            stream->drop_lf = false;

            if (*p == '\n' || *p == '\r') {
                stream->after_cr = *p == '\r';
                p++;
                if (stream->in_event) {
                    event_end(&o, event, p);
                }
                stream->started = true;
                continue;
            }

            if (stream->in_event || *p != ':') {
                stream->state = LINE_FIELD;
                if (!stream->in_event) {
                    stream->in_event = true;
                    stream->holding = stream->strip_usage || stream->error;
                    event = p;
                }
            } else {
                stream->state = LINE_COMMENT;
                stream->started = true;
            }
        }

        /* each byte is looked at once, whatever ends the lines */
        if (lf == NULL || lf < p) {
            lf = memchr(p, '\n', (size_t) (end - p));
            lf = lf != NULL ? lf : end;
        }
        if (cr == NULL || cr < p) {
            cr = memchr(p, '\r', (size_t) (end - p));
            cr = cr != NULL ? cr : end;
        }
        stop = lf < cr ? lf : cr;

        if (stop == end) {
            p = end;
            break;
        }

        stream->after_cr = *stop == '\r';
        stream->state = LINE_START;
        p = stop + 1;
    }

    if (stream->in_event) {
        event_keep(&o, event, end);
    }

    output_to(&o, end);
}

/* An event without its blank line is none to a client, but its bytes are the backend's, and it may say what was used. */
void
gh_stream_finish(gh_stream_t *stream, gh_stream_out_fn out, void *context)
{
    output_t o = { stream, out, context, NULL };

    if (stream->passing) {
        passing_end(stream);
    } else if (stream->in_event) {
        if (event_judge(stream, (gh_str_t) { stream->carry, stream->carry_len })) {
            stream->carry_len = 0;
        }
    }

    output_carry(&o);
    stream->in_event = false;
    stream->state = LINE_START;
}
