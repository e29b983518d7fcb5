/*
 * Streams between Messages and InvokeModel of Anthropic's models: server-sent events on one side, chunks of AWS's framing on the other, the same JSON in both. It
 * is read for what it says of usage, content and end, and passes as it is, but for ids that are given out and Bedrock's own counts in the last event, which are
 * taken out for clients of Messages and made for those of InvokeModel.
 */
#include <string.h>

#include "ngx_module/wire/hub/dialect.h"
#include "ngx_module/wire/sse.h"

#define METRICS     "amazon-bedrock-invocationMetrics"
#define FLUSH_BYTES 16384

/* Lines of one event's data end at its own end alone: white space between JSON's tokens becomes blanks. Nothing else in it can be a line's end. */
static gh_str_t
one_line(gh_hub_stream_t *s, gh_str_t data)
{
    char *p, *end;

    if (data.len == 0 || (memchr(data.data, '\n', data.len) == NULL && memchr(data.data, '\r', data.len) == NULL)) {
        return data;
    }

    s->event.len = 0;
    gh_hub_put(&s->event, data);
    if (s->event.failed) {
        return data;
    }
    for (p = s->event.data, end = p + s->event.len; p < end; p++) {
        *p = *p == '\n' || *p == '\r' ? ' ' : *p;
    }
    s->changed = true;

    return gh_hub_kept(&s->event);
}

/* ---- the last event's counts of Bedrock ---- */

/* From the member's key, with a comma, to behind its value. false: it has none. */
static bool
metrics_find(gh_str_t data, size_t *begin, size_t *end)
{
    gh_json_reader_t r;
    size_t           comma = 0, key;

    gh_json_reader_init(&r, data, 0);
    if (gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return false;
    }

    while (gh_json_next(&r) == GH_JSON_KEY) {
        key = r.token_offset;
        if (!gh_json_token_is(&r, GH_STR(METRICS))) {
            if (gh_json_skip(&r) != GH_OK) {
                return false;
            }
            comma = r.token_end;
            continue;
        }
        if (gh_json_skip(&r) != GH_OK) {
            return false;
        }
        *end = r.token_end;
        *begin = comma != 0 ? comma : key;
        if (comma == 0 && gh_json_next(&r) == GH_JSON_KEY) {
            *end = r.token_offset;      /* the first, with the comma behind */
        }
        return true;
    }

    return false;
}

static gh_str_t
without_metrics(gh_hub_stream_t *s, gh_str_t data)
{
    size_t begin, end;

    if (!metrics_find(data, &begin, &end) || !gh_hub_put_room(&s->mended[0], data.len)) {
        return data;
    }

    s->mended[0].len = 0;
    gh_hub_put(&s->mended[0], (gh_str_t) { data.data, begin });
    gh_hub_put(&s->mended[0], (gh_str_t) { data.data + end, data.len - end });

    return gh_hub_kept(&s->mended[0]);
}

static gh_str_t
with_metrics(gh_hub_stream_t *s, gh_str_t data)
{
    gh_hub_put_t *p = &s->mended[0];
    size_t        begin, end, len = data.len;

    while (len != 0 && data.data[len - 1] != '}') {
        len--;
    }
    if (len == 0 || metrics_find(data, &begin, &end)) {
        return data;
    }

    p->len = 0;
    gh_hub_put(p, (gh_str_t) { data.data, len - 1 });
    gh_hub_put_metrics(p, &s->usage, s->reply.latency_ms);
    GH_HUB_PUT(p, "}");

    return p->failed ? data : gh_hub_kept(p);
}

/* ---- ids ---- */

static void
id_out(void *context, const char *data, size_t len)
{
    gh_hub_put(context, (gh_str_t) { data, len });
}

/* The event with ids given out: their walk is fed lines, as in a stream of Messages. */
static gh_str_t
given_out(gh_hub_stream_t *s, gh_str_t data)
{
    gh_hub_put_t *p = &s->mended[1];

    p->len = 0;
    gh_ids_feed(s->ids, "data:", 5, NULL, NULL);
    gh_ids_feed(s->ids, data.data, data.len, id_out, p);
    gh_ids_feed(s->ids, "\n\n", 2, NULL, NULL);
    if (p->failed || (p->len == data.len && memcmp(p->data, data.data, data.len) == 0)) {
        return data;
    }

    s->changed = true;
    return gh_hub_kept(p);
}

void
gh_hub_stream_ids(gh_hub_stream_t *s, gh_ids_t *ids, const gh_ids_shape_t *shape, const gh_ids_owner_t *owner)
{
    gh_ids_init(ids, shape, true, owner, NULL);
    s->ids = ids;
}

bool
gh_hub_stream_changed(const gh_hub_stream_t *s)
{
    return s->changed;
}

/* ---- events ---- */

/* Names of events are letters and "_"; what is none is not said, and clients read it in the data. */
static bool
is_name(gh_str_t type)
{
    for (size_t i = 0; i < type.len; i++) {
        if (!((type.data[i] >= 'a' && type.data[i] <= 'z') || type.data[i] == '_')) {
            return false;
        }
    }

    return type.len != 0;
}

static void
put_event(gh_hub_stream_t *s, gh_str_t type, gh_str_t data)
{
    gh_hub_put_t *p = &s->put;

    if (gh_hub_framed(s->client)) {
        if (s->backend != s->client || s->changed || s->plain) {
            p->len = 0;
            gh_hub_put(p, data);
            gh_hub_chunk_out(s);
        }
        return;
    }

    if (is_name(type)) {
        GH_HUB_PUT(p, "event: ");
        gh_hub_put(p, type);
        GH_HUB_PUT(p, "\n");
    }
    GH_HUB_PUT(p, "data: ");
    gh_hub_put(p, data);
    GH_HUB_PUT(p, "\n\n");
}

/* What it says, before it is passed on. false: it is not. */
static bool
event_hear(gh_hub_stream_t *s, gh_str_t data, bool error, gh_chunk_t *chunk)
{
    gh_hub_error_t failure;

    gh_chunk_messages(data, chunk);
    if (error || chunk->error) {
        gh_hub_error_read(s->backend, 0, GH_STR(""), data, &failure);
        gh_hub_tell_error(s, &failure);
        return false;
    }
    if (!chunk->readable) {
        gh_hub_tell_broken(s, "an event of the backend cannot be read");
        return false;
    }

    if (chunk->usage_value.data != NULL) {
        gh_hub_usage_read(s->backend, chunk->usage_value, &s->usage);
    }
    if (chunk->content_bytes != 0) {
        s->state.events++;
        s->state.content_bytes += chunk->content_bytes;
    }
    s->finished |= chunk->finish;
    s->begun = true;
    s->state.started = true;

    if (chunk->done && !s->finished) {
        gh_hub_tell_broken(s, "the backend's stream ended before the answer did");
        return false;
    }

    return true;
}

void
gh_hub_pass_event(gh_hub_stream_t *s, gh_str_t data, bool error)
{
    gh_chunk_t chunk;

    s->changed = false;
    if (s->state.done || s->state.failed || !event_hear(s, data, error, &chunk)) {
        return;
    }

    if (chunk.done && s->client != s->backend) {
        data = gh_hub_framed(s->client) ? with_metrics(s, data) : without_metrics(s, data);
    }
    if (!gh_hub_framed(s->client) || s->ids != NULL) {
        data = one_line(s, data);
    }
    if (s->ids != NULL) {
        data = given_out(s, data);
    }

    put_event(s, chunk.type, data);
    if (s->put.failed || s->event.failed || s->mended[1].failed) {
        s->put.failed = false;
        s->put.len = 0;
        gh_hub_tell_broken(s, "the gateway has no memory for more of the answer");
        return;
    }
    if (!gh_hub_framed(s->client) && s->put.len >= FLUSH_BYTES && s->out.bytes != NULL) {
        s->out.bytes(s->out.context, s->put.data, s->put.len);
        s->put.len = 0;
    }

    s->state.done = chunk.done;
}
