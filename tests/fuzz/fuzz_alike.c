/*
 * Any bytes as what passes between Messages and InvokeModel of Anthropic's models without being written anew. A request: what is sent is a body that the other
 * endpoint takes, with the same content, and as many tokens as allowed. A stream: the same events come out from either backend, split anywhere, ids given out among
 * them, and each is JSON in one line or one chunk; it ends well or not, never both. The first three bytes choose; a request's first line is its header of flags.
 */
#include "ngx_module/wire/alike.h"
#include "ngx_module/wire/bedrock.h"
#include "ngx_module/wire/ids_walk.h"
#include "tests/fuzz/hub_streams.h"
#include "tests/fuzz/standalone.h"

#define CAP 7   /* tokens an answer may have at most */

enum { TO_MESSAGES = 1, STREAM = 2, CAPPED = 4, GEO = 8, TIER = 16 };

static bool
has(gh_str_t text, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i + len <= text.len; i++) {
        if (memcmp(text.data + i, word, len) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- requests ---- */

static int
parse(gh_arena_t *arena, gh_endpoint_t endpoint, bool stream, gh_str_t body, gh_intake_t *intake, gh_error_t *error)
{
    gh_url_t url = { .endpoint = endpoint };

    if (endpoint == GH_ENDPOINT_INVOKE) {
        url.model = GH_STR("m");
        url.stream = stream;
    }

    return gh_intake_parse_url(arena, &url, body, intake, error);
}

/* What is sent, in memory of its own size. */
static gh_str_t
joined(const gh_splice_t *splice, gh_str_t body)
{
    gh_str_t pieces[2 * GH_SPLICE_MAX + 1];
    size_t   length = gh_splice_length(splice, body), len = 0;
    unsigned i, count = gh_splice_pieces(splice, body, pieces);
    char    *data = malloc(length != 0 ? length : 1);

    for (i = 0; i < count; i++) {
        if (pieces[i].len > length - len) {
            abort();
        }
        memcpy(data + len, pieces[i].data, pieces[i].len);
        len += pieces[i].len;
    }
    if (len != length) {
        abort();
    }

    return (gh_str_t) { data, len };
}

static void
request(unsigned options, gh_str_t header, gh_str_t body)
{
    gh_endpoint_t     from = (options & TO_MESSAGES) ? GH_ENDPOINT_INVOKE : GH_ENDPOINT_MESSAGES;
    gh_endpoint_t     to = (options & TO_MESSAGES) ? GH_ENDPOINT_MESSAGES : GH_ENDPOINT_INVOKE;
    gh_hub_send_t     send = { .model = GH_STR("up\\\"1"), .output_cap = (options & CAPPED) ? CAP : 0, .default_max = 5, .inference_geo = GH_STR("") };
    gh_wire_request_t wire;
    gh_intake_t       intake, again;
    gh_error_t        error;
    gh_heap_t         heap;
    gh_str_t          sent;
    bool              zero = has(body, "max_tokens") || has(body, "\\u");    /* what the client writes stays, and is the provider's to refuse */

    send.inference_geo = (options & GEO) ? GH_STR("e\"u") : GH_STR("");
    gh_heap_init(&heap);
    if (parse(&heap.arena, from, (options & STREAM) != 0, body, &intake, &error) == GH_OK) {
        gh_intake_header(&heap.arena, &intake, GH_STR("anthropic-beta"), header);
        if (options & TIER) {
            gh_intake_header(&heap.arena, &intake, GH_STR("x-amzn-bedrock-service-tier"), GH_STR("default"));
        }
        memset(&wire, 0, sizeof(wire));
        if (gh_alike_refused(&intake).data == NULL && gh_alike_request(&heap.arena, &intake, body, &send, &wire, &error) == GH_OK) {
            sent = joined(&wire.splice, body);
            valid(sent);
            if (parse(&heap.arena, to, intake.stream, sent, &again, &error) != GH_OK || again.stream != intake.stream
                || !gh_str_eq(again.model, to == GH_ENDPOINT_INVOKE ? GH_STR("m") : send.model) || (again.max_tokens == 0 && !zero)
                || ((options & CAPPED) && again.max_tokens > CAP) || again.messages != intake.messages || again.images != intake.images
                || ((options & GEO) && to == GH_ENDPOINT_MESSAGES && again.moved[GH_MOVED_GEO].end == 0))
            {
                abort();
            }
            free((char *) sent.data);
        }
    }
    gh_heap_free(&heap);
}

/* What is to be counted: what is sent is a count that the other endpoint takes, with the same content. */
static void
counted(bool to_messages, gh_str_t header, gh_str_t body)
{
    gh_endpoint_t     from = to_messages ? GH_ENDPOINT_INVOKE : GH_ENDPOINT_COUNT_TOKENS, inner = GH_ENDPOINTS;
    gh_hub_send_t     send = { .model = GH_STR("up\\\"1"), .default_max = 5, .inference_geo = GH_STR("") };
    gh_wire_request_t wire;
    gh_intake_t       intake, again;
    gh_error_t        error;
    gh_heap_t         heap;
    gh_str_t          sent;

    gh_heap_init(&heap);
    if (parse(&heap.arena, from, false, body, &intake, &error) == GH_OK && !(to_messages && (intake.handle_count != 0 || intake.geo_member.length != 0))) {
        if (to_messages) {
            intake.endpoint = GH_ENDPOINT_BEDROCK_COUNT;
        } else {
            gh_intake_header(&heap.arena, &intake, GH_STR("anthropic-beta"), header);
        }
        memset(&wire, 0, sizeof(wire));
        if (gh_alike_count_refused(&heap.arena, &intake, body).data == NULL && gh_alike_count(&heap.arena, &intake, body, &send, &wire, &sent, &error) == GH_OK) {
            valid(sent);
            if ((!to_messages && (gh_intake_count_input(&heap.arena, sent, &inner, &sent, &error) != GH_OK || inner != GH_ENDPOINT_INVOKE))
                || parse(&heap.arena, to_messages ? GH_ENDPOINT_COUNT_TOKENS : GH_ENDPOINT_INVOKE, false, sent, &again, &error) != GH_OK
                || again.messages != intake.messages || again.images != intake.images)
            {
                abort();
            }
            for (uint32_t i = 0; i < again.feature_count; i++) {
                if (again.features[i].name.len == 0) {
                    abort();
                }
            }
        }
    }
    gh_heap_free(&heap);
}

/* ---- streams ---- */

static void
sink_message(void *context, const char *type, bool exception, gh_str_t payload)
{
    char    *buffer = malloc(payload.len != 0 ? payload.len : 1);
    gh_str_t event = payload;

    if (exception != (strcmp(type, "chunk") != 0) || (!exception && gh_bedrock_chunk_read(payload, buffer, &event, NULL) != GH_OK)) {
        abort();
    }
    valid(event);
    sink_bytes(context, type, strlen(type));
    sink_bytes(context, " ", 1);
    sink_bytes(context, event.data, event.len);
    sink_bytes(context, "\n", 1);
    free(buffer);
}

/* Every event is a line of a name, where it has one, a line of JSON, and an empty one. */
static void
lines(const sink_t *sink)
{
    gh_str_t rest = { sink->data, sink->len }, line;

    if (rest.len != 0 && rest.data[rest.len - 1] != '\n') {
        abort();
    }
    while (next_line(&rest, &line)) {
        if (line.len >= 6 && memcmp(line.data, "data: ", 6) == 0) {
            valid((gh_str_t) { line.data + 6, line.len - 6 });
        } else if (line.len != 0 && (line.len < 7 || memcmp(line.data, "event: ", 7) != 0)) {
            abort();
        }
    }
}

static gh_hub_stream_t *
begun(gh_heap_t *heap, gh_hub_dialect_t from, gh_hub_dialect_t to, const gh_ids_owner_t *owner, sink_t *sink)
{
    static gh_ids_t  ids;
    gh_hub_stream_t *stream = stream_begun(heap, from, to, sink_message, sink);

    if (owner != NULL) {
        gh_hub_stream_ids(stream, &ids, &gh_ids_kept_message_event, owner);
    }
    return stream;
}

static gh_hub_stream_state_t
over(gh_heap_t *heap, gh_hub_stream_t *stream, gh_hub_dialect_t to, const sink_t *sink)
{
    gh_hub_stream_state_t state = stream_over(heap, stream);

    if (!gh_hub_framed(to)) {
        lines(sink);
    }
    return state;
}

static gh_hub_stream_state_t
bytes(gh_hub_dialect_t to, const gh_ids_owner_t *owner, gh_str_t text, unsigned seed, sink_t *sink)
{
    gh_heap_t        heap;
    gh_hub_stream_t *stream = begun(&heap, GH_HUB_MESSAGES, to, owner, sink);

    stream_fed(stream, text, seed);
    return over(&heap, stream, to, sink);
}

/* Each line is one event; "!" begins one of an exception. What is passed on as it came is no message of its own. */
static gh_hub_stream_state_t
chunks(gh_hub_dialect_t to, const gh_ids_owner_t *owner, gh_str_t text, sink_t *sink)
{
    gh_heap_t        heap;
    gh_hub_stream_t *stream = begun(&heap, GH_HUB_INVOKE, to, owner, sink);
    char            *payload = malloc(GH_BEDROCK_CHUNK_LENGTH(text.len));
    gh_str_t         line;
    size_t           before;

    while (next_line(&text, &line)) {
        if (line.len != 0 && line.data[0] == '!') {
            gh_hub_stream_message(stream, GH_STR("throttlingException"), true, (gh_str_t) { line.data + 1, line.len - 1 });
            continue;
        }
        before = sink->len;
        gh_hub_stream_message(stream, GH_STR("chunk"), false, (gh_str_t) { payload, gh_bedrock_chunk_write(line, payload) });
        if (to == GH_HUB_INVOKE && sink->len != before && !gh_hub_stream_changed(stream) && !gh_hub_stream_state(stream).failed) {
            abort();
        }
    }
    free(payload);
    return over(&heap, stream, to, sink);
}

/* Lines of JSON as events of Messages: they say what the same chunks do. */
static void
either(gh_hub_dialect_t to, const gh_ids_owner_t *owner, gh_str_t text, const sink_t *whole, gh_hub_stream_state_t told, sink_t *sink)
{
    static sink_t         events;
    gh_hub_stream_state_t state;
    gh_str_t              line;

    /* exceptions and counts are Bedrock's alone */
    if (to != GH_HUB_MESSAGES || has(text, "\r") || has(text, "!") || has(text, "amazon") || has(text, "\\u")) {
        return;
    }
    events.len = 0;
    while (next_line(&text, &line)) {
        sink_bytes(&events, "data: ", 6);
        sink_bytes(&events, line.data, line.len);
        sink_bytes(&events, "\n\n", 2);
    }
    state = bytes(to, owner, (gh_str_t) { events.data, events.len }, 0, sink);
    if (state.done != told.done || state.events != told.events || state.content_bytes != told.content_bytes || (told.done && !same(whole, sink))) {
        abort();
    }
}

/* A plain answer, told as a stream: all of it is JSON, and it ends well or not. */
static void
plain(gh_hub_dialect_t to, const gh_ids_owner_t *owner, gh_str_t text, sink_t *sink)
{
    gh_heap_t        heap;
    gh_hub_stream_t *stream = begun(&heap, GH_HUB_INVOKE, to, owner, sink);
    gh_hub_answer_t  answer;
    gh_error_t       error;

    if (gh_hub_answer_read(&heap.arena, GH_HUB_INVOKE, text, &answer, &error) == GH_OK) {
        gh_hub_stream_plain(stream, text);
    }
    (void) over(&heap, stream, to, sink);
}

static void
stream(unsigned choice, unsigned seed, gh_str_t text)
{
    static const uint8_t  secret[32] = "32 bytes that are no secret here";
    static gh_ids_owner_t owner;
    static sink_t         whole, parts;
    gh_hub_dialect_t      to = (choice & 1) ? GH_HUB_INVOKE : GH_HUB_MESSAGES;
    gh_hub_stream_state_t a, b;

    if (owner.handles == NULL) {
        owner = (gh_ids_owner_t) { .handles = gh_handles_new(secret), .tenant_uid = 7, .deployment = GH_STR("d"), .model = GH_STR("m") };
    }
    plain(to, (choice & 2) ? &owner : NULL, text, &parts);
    if (choice & 4) {
        a = chunks(to, (choice & 2) ? &owner : NULL, text, &whole);
        either(to, (choice & 2) ? &owner : NULL, text, &whole, a, &parts);
        return;
    }
    a = bytes(to, (choice & 2) ? &owner : NULL, text, 0, &whole);
    b = bytes(to, (choice & 2) ? &owner : NULL, text, seed + 1, &parts);
    if (!same(&whole, &parts) || a.done != b.done || a.events != b.events || a.content_bytes != b.content_bytes || a.usage.input != b.usage.input
        || a.usage.output != b.usage.output)
    {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str_t text, header = { "", 0 };
    char    *copy;
    size_t   line;

    if (size < 3 || size > 1 << 16) {
        return 0;
    }

    /* memory of its own size */
    copy = malloc(size - 3 + 1);
    memcpy(copy, data + 3, size - 3);
    text = (gh_str_t) { copy, size - 3 };
    if (data[0] % 2 == 0) {
        for (line = 0; line < text.len && text.data[line] != '\n'; line++) { }
        if (line < text.len) {
            header = (gh_str_t) { text.data, line };
            text = (gh_str_t) { text.data + line + 1, text.len - line - 1 };
        }
        request(data[1], header, text);
        counted((data[1] & TO_MESSAGES) != 0, header, text);
    } else {
        stream(data[1], data[2], text);
    }

    free(copy);
    return 0;
}
