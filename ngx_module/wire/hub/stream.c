/*
 * Streams: bytes are split into events (WHATWG HTML section 9.2.6), events read by the backend's dialect, and what they say told to the client's. The
 * order of what is told is kept here, so that no reader has to: a start before all, one open part at a time, nothing behind an end or an error.
 */
#include "ngx_module/wire/hub/stream.h"

#include "ngx_module/wire/bedrock.h"
#include "ngx_module/wire/hub/dialect.h"
#include "ngx_module/wire/sse.h"

#define FIRST_BYTES 2048
#define NAME_BYTES  4096    /* an id or a model's name that is longer is not told: ours is */
#define FLUSH_BYTES 16384

gh_hub_stream_t *
gh_hub_stream_new(gh_arena_t *arena, gh_hub_dialect_t backend, gh_hub_dialect_t client, const gh_hub_reply_t *reply, gh_hub_out_t out)
{
    gh_hub_stream_t *s = gh_arena_alloc(arena, sizeof(gh_hub_stream_t));

    if (s == NULL) {
        return NULL;
    }

    s->arena = arena;
    s->backend = backend;
    s->client = client;
    s->reply = *reply;
    s->out = out;
    s->open = GH_HUB_NO_PART;
    s->line_empty = true;
    s->first = true;
    s->passes = gh_hub_traits(backend)->events_alike && gh_hub_traits(client)->events_alike;

    gh_hub_put_init(&s->event, arena, 0, 4 * GH_HUB_EVENT_MAX);
    gh_hub_put_init(&s->carry, arena, FIRST_BYTES, GH_HUB_EVENT_MAX);
    gh_hub_put_init(&s->scratch, arena, 0, GH_HUB_EVENT_MAX);
    gh_hub_put_init(&s->mended[0], arena, 0, GH_HUB_EVENT_MAX);
    gh_hub_put_init(&s->mended[1], arena, 0, GH_HUB_EVENT_MAX);
    gh_hub_put_init(&s->put, arena, FIRST_BYTES, 4 * GH_HUB_EVENT_MAX);
    gh_hub_put_init(&s->wrapped, arena, 0, 8 * GH_HUB_EVENT_MAX);
    gh_hub_put_init(&s->id, arena, 128, NAME_BYTES);
    gh_hub_put_init(&s->model, arena, 128, NAME_BYTES);
    gh_hub_put_init(&s->stop_sequence, arena, 0, 65536);

    return s->carry.failed || s->put.failed || s->id.failed || s->model.failed ? NULL : s;
}

gh_hub_stream_state_t
gh_hub_stream_state(const gh_hub_stream_t *s)
{
    gh_hub_stream_state_t state = s->state;

    state.usage = s->usage;
    return state;
}

void
gh_hub_stream_latency(gh_hub_stream_t *s, uint64_t latency_ms)
{
    s->reply.latency_ms = latency_ms;
}

bool
gh_hub_framed(gh_hub_dialect_t dialect)
{
    return gh_hub_traits(dialect)->framed;
}

static bool
ended(const gh_hub_stream_t *s)
{
    return s->state.done || s->state.failed;
}

/* Some servers of chat completions tell their usage behind [DONE]: nobody is told of it any more, but it is what was used. */
static bool
heard(const gh_hub_stream_t *s)
{
    return !ended(s) || (s->state.done && gh_hub_rows[s->backend]->traits.usage_behind);
}

static void
flush(gh_hub_stream_t *s)
{
    if (s->put.len != 0 && s->out.bytes != NULL) {
        s->out.bytes(s->out.context, s->put.data, s->put.len);
    }
    s->put.len = 0;
}

/* ---- what is told ---- */

static void
emit(gh_hub_stream_t *s, const gh_hub_event_t *event)
{
    if (ended(s)) {
        return;
    }

    gh_hub_rows[s->client]->event_write(s, event);

    if (s->put.failed && event->type != GH_HUB_EVENT_ERROR) {
        s->put.failed = false;
        s->put.len = 0;
        gh_hub_tell_broken(s, "the gateway has no memory for more of the answer");
        return;
    }

    if (s->put.len >= FLUSH_BYTES) {
        flush(s);
    }
}

/* A name from outside that stays. */
static void
keep(gh_hub_put_t *copy, gh_str_t escaped)
{
    copy->len = 0;
    gh_hub_put(copy, escaped);
}

void
gh_hub_tell_start(gh_hub_stream_t *s, gh_str_t id, gh_str_t model, uint64_t created)
{
    if (s->begun) {
        return;
    }

    /* Azure's first event has empty ones */
    if (id.len != 0 && id.len <= NAME_BYTES) {
        keep(&s->id, id);
    }
    if (model.len != 0 && model.len <= NAME_BYTES) {
        keep(&s->model, model);
    }
    s->created = created != 0 ? created : s->created;
}

static void
begin(gh_hub_stream_t *s)
{
    gh_hub_event_t event = { .type = GH_HUB_EVENT_START };

    if (s->begun || ended(s)) {
        return;
    }

    s->begun = true;
    s->state.started = true;

    /* ours are text, not JSON yet: they are escaped where they are kept */
    if (s->id.len == 0) {
        gh_hub_put_text(&s->id, s->reply.id);
        s->id.data++;
        s->id.size--;
        s->id.len -= 2;
    }
    if (s->model.len == 0) {
        gh_hub_put_text(&s->model, s->reply.model);
        s->model.data++;
        s->model.size--;
        s->model.len -= 2;
    }
    if (s->created == 0) {
        s->created = s->reply.created;
    }

    emit(s, &event);
}

uint32_t
gh_hub_part_at(const gh_hub_stream_t *s, uint32_t index)
{
    return index < GH_HUB_PARTS_MAX && s->backend_part[index] != 0 ? s->backend_part[index] - 1u : GH_HUB_NO_PART;
}

/* The other half never came. */
static void
held_end(gh_hub_stream_t *s)
{
    gh_hub_event_t event = { .type = GH_HUB_EVENT_DELTA, .part = s->open, .kind = s->open_kind, .text = GH_STR("\\ufffd") };

    if (s->held_len != 0) {
        s->held_len = 0;
        emit(s, &event);
    }
}

void
gh_hub_tell_part_end(gh_hub_stream_t *s)
{
    gh_hub_event_t event = { .type = GH_HUB_EVENT_PART_END, .part = s->open, .kind = s->open_kind };

    if (s->open == GH_HUB_NO_PART) {
        return;
    }

    held_end(s);
    emit(s, &event);
    s->open = GH_HUB_NO_PART;
}

/* An answer that goes on behind its reason to finish cannot be told to those whose streams say the reason last. */
static bool
finished(gh_hub_stream_t *s)
{
    if (s->finished) {
        gh_hub_tell_broken(s, "the backend's answer went on behind its end");
    }

    return s->finished;
}

uint32_t
gh_hub_tell_part(gh_hub_stream_t *s, uint32_t index, gh_hub_kind_t kind, gh_str_t id, gh_str_t name, gh_str_t text)
{
    char           own[GH_HUB_CALL_ID];
    gh_hub_event_t event = { .type = GH_HUB_EVENT_PART, .part = s->parts, .kind = kind, .id = id, .name = name, .text = text };

    gh_hub_tell_part_end(s);
    if (finished(s)) {
        return GH_HUB_NO_PART;
    }
    if (!gh_hub_tells(kind, s->client)) {
        gh_hub_tell_broken(s, "the model called a tool that takes text, and there is none");
        return GH_HUB_NO_PART;
    }
    begin(s);

    if (s->parts == GH_HUB_PARTS_MAX || (index != GH_HUB_NO_PART && index >= GH_HUB_PARTS_MAX)) {
        gh_hub_tell_broken(s, "the answer has too many parts");
        return GH_HUB_NO_PART;
    }

    if (index != GH_HUB_NO_PART) {
        s->backend_part[index] = (uint16_t) (s->parts + 1);
    }

    s->open = s->parts++;
    s->open_kind = kind;
    s->detail = 0;
    s->signed_ = false;
    s->before = s->chars;
    s->called |= kind == GH_HUB_TOOL_CALL || kind == GH_HUB_TEXT_CALL;
    if ((kind == GH_HUB_TOOL_CALL || kind == GH_HUB_TEXT_CALL) && id.len == 0) {
        event.id = gh_hub_call_id(s->reply.id, s->open, own);
    }
    s->refused |= kind == GH_HUB_REFUSAL;
    emit(s, &event);

    return s->open;
}

/* Dialects that cite web pages say which characters of a text do, from wherever they are told of them. alone: it begins with half of a pair, which becomes a character. */
static void
count_chars(gh_hub_stream_t *s, gh_hub_kind_t kind, gh_str_t text, bool alone)
{
    if (kind == GH_HUB_TEXT && gh_hub_rows[s->client]->traits.cites_pages) {
        s->chars += gh_hub_chars(text) + alone;
    }
}

/* Without halves of surrogate pairs that cannot be one half any more: those become U+FFFD. */
static gh_str_t
mended(gh_hub_stream_t *s, gh_hub_put_t *copy, gh_str_t text, bool piece)
{
    if (!gh_hub_lone(text, piece)) {
        return text;
    }

    keep(copy, text);
    if (copy->failed) {
        gh_hub_tell_broken(s, "an event of the backend is too long");
        return GH_STR("");
    }
    gh_hub_mend(copy->data, copy->len, piece);

    return gh_hub_kept(copy);
}

static void
tell_delta(gh_hub_stream_t *s, gh_hub_event_t *event)
{
    gh_str_t text = mended(s, &s->mended[0], event->text, true);
    char     held[6];
    bool     low = gh_hub_low_half(text);

    if (event->part == GH_HUB_NO_PART || (text.len == 0 && event->signature.len == 0 && event->logprobs.len == 0) || finished(s)) {
        return;
    }

    s->state.events++;
    s->state.content_bytes += text.len;
    event->logprobs = mended(s, &s->mended[1], event->logprobs, false);
    count_chars(s, event->kind, text, low && s->held_len == 0);
    s->signed_ |= event->signature.len != 0;
    event->text = text;

    if (event->part == s->open && text.len != 0) {
        if (s->held_len != 0) {
            memcpy(held, s->held, sizeof(held));
            event->held = low ? (gh_str_t) { held, sizeof(held) } : GH_STR("\\ufffd");
            s->held_len = 0;
        } else if (low) {
            event->held = GH_STR("\\ufffd");    /* its first half never came */
            event->text.data += sizeof(held);
            event->text.len -= sizeof(held);
        }
        if (gh_hub_half_pair(event->text)) {
            event->text.len -= sizeof(s->held);
            memcpy(s->held, event->text.data + event->text.len, sizeof(s->held));
            s->held_len = sizeof(s->held);
            if (event->text.len == 0 && event->held.len == 0 && event->signature.len == 0 && event->logprobs.len == 0) {
                return;
            }
        }
    }

    emit(s, event);
}

void
gh_hub_tell_delta(gh_hub_stream_t *s, uint32_t part, gh_hub_kind_t kind, gh_str_t text, gh_str_t signature)
{
    gh_hub_event_t event = { .type = GH_HUB_EVENT_DELTA, .part = part, .kind = kind, .text = text, .signature = signature };

    tell_delta(s, &event);
}

void
gh_hub_tell_tokens(gh_hub_stream_t *s, uint32_t part, gh_str_t text, gh_str_t logprobs)
{
    gh_hub_event_t event = { .type = GH_HUB_EVENT_DELTA, .part = part, .kind = GH_HUB_TEXT, .text = text, .logprobs = logprobs };

    tell_delta(s, &event);
}

void
gh_hub_tell_citation(gh_hub_stream_t *s, const gh_hub_citation_t *citation)
{
    gh_hub_citation_t own = *citation;
    gh_hub_event_t    event = { .type = GH_HUB_EVENT_CITATION, .part = s->open, .kind = GH_HUB_TEXT, .citation = &own };

    if (own.kind == GH_HUB_CITES_NOTHING || s->open == GH_HUB_NO_PART || s->open_kind != GH_HUB_TEXT || finished(s)) {
        return;
    }
    if (!gh_hub_citation_mend(&own, &s->mended[0])) {
        gh_hub_tell_broken(s, "an event of the backend is too long");
        return;
    }
    s->state.events++;
    emit(s, &event);
}

void
gh_hub_tell_finish(gh_hub_stream_t *s, gh_hub_finish_t finish, gh_str_t stop_sequence)
{
    gh_hub_event_t event = { .type = GH_HUB_EVENT_FINISH };

    if (finish == GH_HUB_FINISH_NONE || s->finished) {
        return;
    }

    gh_hub_tell_part_end(s);
    if (finish == GH_HUB_MALFORMED) {
        gh_hub_tell_broken(s, "the model's output could not be read by its provider");
        return;
    }

    begin(s);
    s->finished = true;
    s->finish = finish == GH_HUB_STOP && s->called ? GH_HUB_TOOL_CALLS : finish == GH_HUB_STOP && s->refused ? GH_HUB_REFUSED : finish;
    if (stop_sequence.data != NULL) {
        keep(&s->stop_sequence, stop_sequence);
    }

    event.finish = s->finish;
    event.stop_sequence = s->stop_sequence.len != 0 ? gh_hub_kept(&s->stop_sequence) : (gh_str_t) { NULL, 0 };
    emit(s, &event);
}

void
gh_hub_tell_ping(gh_hub_stream_t *s)
{
    gh_hub_event_t event = { .type = GH_HUB_EVENT_PING };

    if (s->begun) {
        emit(s, &event);
    }
}

void
gh_hub_tell_end(gh_hub_stream_t *s)
{
    gh_hub_event_t event = { .type = GH_HUB_EVENT_END };

    if (ended(s)) {
        return;
    }

    if (!s->finished) {
        gh_hub_tell_broken(s, "the backend's stream ended before the answer did");
        return;
    }

    event.usage = s->usage;
    event.finish = s->finish;
    emit(s, &event);
    s->state.done = !s->state.failed;
}

void
gh_hub_tell_error(gh_hub_stream_t *s, const gh_hub_error_t *error)
{
    gh_hub_event_t event = { .type = GH_HUB_EVENT_ERROR, .error = *error };

    if (ended(s)) {
        return;
    }

    s->failure = *error;
    s->failure.message = gh_str_copy(s->arena, error->message);
    s->failure.code = gh_str_copy(s->arena, error->code);
    s->failure.param = gh_str_copy(s->arena, error->param);

    emit(s, &event);
    s->state.failed = true;
    s->state.status = error->status;
}

gh_hub_error_t
gh_hub_stream_error(const gh_hub_stream_t *s)
{
    return s->failure;
}

void
gh_hub_tell_failed(gh_hub_stream_t *s)
{
    gh_hub_error_t error;

    gh_hub_error_read(s->backend, 0, GH_STR(""), GH_STR("{}"), &error);
    gh_hub_tell_error(s, &error);
}

void
gh_hub_tell_broken(gh_hub_stream_t *s, const char *sentence)
{
    gh_hub_error_t error = { 502, GH_HUB_API, gh_str_from(sentence), GH_STR("bad_gateway"), GH_STR("") };

    s->state.broken |= !ended(s);
    gh_hub_tell_error(s, &error);
}

/* ---- events out of bytes ---- */

void
gh_hub_event_reader(gh_hub_stream_t *s, gh_hub_reader_t *r, gh_str_t data)
{
    memset(r, 0, sizeof(*r));
    r->body = data;
    r->request = &s->unused;
    r->invalid = "bad_answer";
    gh_json_reader_init(&r->json, data, 0);
    r->json.lone_surrogates = true;
}

/* How many lines begin with "data"? More than one have to be joined. */
static bool
several_data(gh_str_t event)
{
    const char *p = event.data, *end = event.data + event.len;
    unsigned    count = 0;

    while (p != NULL && end - p >= 4) {
        count += memcmp(p, "data", 4) == 0;
        p = memchr(p, '\n', (size_t) (end - p));
        p = p != NULL ? p + 1 : NULL;
    }

    return count > 1 || memchr(event.data, '\r', event.len) != NULL;
}

/* A whole event, its blank line included. */
static void
event_take(gh_hub_stream_t *s, gh_str_t bytes)
{
    gh_sse_event_t event;

    s->state.seen++;
    s->scratch.len = 0;
    if (several_data(bytes) && !gh_hub_put_room(&s->scratch, bytes.len)) {
        gh_hub_tell_broken(s, "an event of the backend is too long");
        return;
    }

    gh_sse_read(bytes, s->first, s->scratch.data, &event);
    s->first = false;

    if (event.has_data && s->passes) {
        gh_hub_pass_event(s, event.data, event.is_error);
    } else if (event.has_data) {
        gh_hub_rows[s->backend]->event_read(s, event.is_error ? GH_STR("error") : GH_STR(""), event.data);
    } else if (event.is_error) {
        gh_hub_tell_broken(s, "the backend reported an error without saying which");
    } else if (bytes.data[0] == ':') {
        gh_hub_tell_ping(s);    /* a comment */
    }
}

static void
carry_add(gh_hub_stream_t *s, const char *data, size_t len)
{
    gh_hub_put(&s->carry, (gh_str_t) { data, len });
    if (s->carry.failed) {
        gh_hub_tell_broken(s, "an event of the backend is too long");
    }
}

/* The event that ends at `end`, whose beginning may be carried. */
static void
event_end(gh_hub_stream_t *s, const char *from, const char *end)
{
    gh_str_t bytes = { from, (size_t) (end - from) };

    if (s->carry.len != 0) {
        carry_add(s, from, bytes.len);
        bytes = gh_hub_kept(&s->carry);
    }

    if (!s->carry.failed) {
        event_take(s, bytes);
    }
    s->carry.len = 0;
}

void
gh_hub_stream_feed(gh_hub_stream_t *s, const char *data, size_t len)
{
    const char *p = data, *end = data + len, *from = data, *lf, *cr, *stop;

    while (p < end && heard(s)) {
        if (s->after_cr) {
            s->after_cr = false;
            if (*p == '\n') {
                from = from == p && s->carry.len == 0 ? p + 1 : from;
                p++;
                continue;
            }
        }

        lf = memchr(p, '\n', (size_t) (end - p));
        stop = lf != NULL ? lf : end;
        cr = memchr(p, '\r', (size_t) (stop - p));
        stop = cr != NULL ? cr : stop;

        if (stop == end) {
            s->line_empty = false;
            break;
        }

        s->after_cr = *stop == '\r';
        if (stop == p && s->line_empty) {
            event_end(s, from, stop + 1);
            from = stop + 1;
        }
        s->line_empty = true;
        p = stop + 1;
    }

    if (heard(s)) {
        carry_add(s, from, (size_t) (end - from));
    }
    flush(s);
}

void
gh_hub_stream_message(gh_hub_stream_t *s, gh_str_t type, bool exception, gh_str_t payload)
{
    gh_hub_error_t error;

    s->state.seen++;
    s->changed = false;
    s->padding = !exception && gh_hub_framed(s->client) && (s->backend != s->client || s->ids != NULL) ? gh_bedrock_padding(payload) : GH_STR("");
    if (exception) {
        gh_hub_error_read(s->backend, 0, type, payload, &error);
        gh_hub_tell_error(s, &error);
    } else if (!ended(s)) {
        gh_hub_rows[s->backend]->event_read(s, type, payload);
    }
    s->padding = GH_STR("");
    flush(s);
}

/* An event without its blank line is none. */
void
gh_hub_stream_finish(gh_hub_stream_t *s)
{
    if (s->failing) {
        gh_hub_tell_failed(s);
    }
    if (!ended(s)) {
        gh_hub_tell_broken(s, "the backend's stream ended before the answer did");
    }
    flush(s);
}

/* ---- a plain answer instead ---- */

/* A raw value as a string has it. Too long to be one, which the client is told: nothing. */
static gh_str_t
as_text(gh_hub_stream_t *s, gh_str_t raw)
{
    s->scratch.len = 0;
    gh_hub_put_text(&s->scratch, raw);
    if (s->scratch.failed) {
        gh_hub_tell_broken(s, "the input of a tool call is too long for a stream");
        return GH_STR("");
    }

    return (gh_str_t) { s->scratch.data + 1, s->scratch.len - 2 };
}

void
gh_hub_stream_answer(gh_hub_stream_t *s, const gh_hub_answer_t *answer)
{
    const gh_hub_citation_t *citation;
    const gh_hub_part_t     *part;
    gh_hub_event_t           event;

    gh_hub_tell_start(s, answer->id, answer->model, answer->created);
    s->tier = answer->tier;
    s->usage = answer->usage;

    for (part = answer->parts; part != NULL; part = part->next) {
        if ((part->kind == GH_HUB_TEXT || part->kind == GH_HUB_REFUSAL) && part->text.len == 0) {
            continue;
        }
        event = (gh_hub_event_t) { .type = GH_HUB_EVENT_DELTA, .kind = part->kind, .text = part->text, .signature = part->signature, .logprobs = part->logprobs };
        event.part = gh_hub_tell_part(s, GH_HUB_NO_PART, part->kind, part->id, part->name, part->kind == GH_HUB_REDACTED ? part->text : GH_STR(""));
        if (part->kind == GH_HUB_TOOL_CALL) {
            event.text = part->arguments.len != 0 ? part->arguments : as_text(s, part->input);
        }
        if (part->kind != GH_HUB_REDACTED) {
            tell_delta(s, &event);
        }
        for (citation = part->citations; citation != NULL; citation = citation->next) {
            gh_hub_tell_citation(s, citation);
        }
    }

    gh_hub_tell_finish(s, answer->finish, answer->stop_sequence);
    gh_hub_tell_end(s);
    flush(s);
}

void
gh_hub_stream_fail(gh_hub_stream_t *s, const gh_hub_error_t *error)
{
    gh_hub_tell_error(s, error);
    flush(s);
}

void
gh_hub_stream_break(gh_hub_stream_t *s, const char *sentence)
{
    gh_hub_tell_broken(s, sentence);
    flush(s);
}
