/*
 * Translates between dialects, for tests.
 *
 *   dialects table                       the table of what is mapped, dropped and refused, as conf/dialects.md has it
 *   dialects models                      the same by whose model is asked
 *   dialects embeddings                  that of models of embeddings
 *   dialects endpoints                   that of the endpoints to which requests are translated, in their order
 *   dialects batch                       each question is a line "WHAT FROM TO NUMBER LENGTH", then LENGTH bytes; each answer a line "ok LENGTH" or
 *                                        "no LENGTH", then LENGTH bytes; no: "CODE TEXT"
 *
 * WHAT: request, answer, error (NUMBER its status), stream (NUMBER bytes at once, 0: all), and splits: the stream in two parts, split at every byte,
 * must come out the same, and cut at every byte it must not end well; of framed dialects the bytes are those of the frames, behind whose decoder the translator stands. embed: NUMBER is the model (gh_bedrock_model_t), what it is asked; embedded: the question,
 * LF, and the model's answer, what the client is told. Streams of Converse and InvokeModel are lines "TYPE LENGTH", then LENGTH bytes of JSON and LF;
 * an exception's TYPE begins with "!".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/aws_event_stream.h"
#include "ngx_module/wire/hub/embeddings.h"
#include "ngx_module/wire/hub/hub.h"

typedef struct {
    char  *data;
    size_t len, size;
} sink_t;

static void
sink_add(sink_t *sink, const char *data, size_t len)
{
    if (sink->len + len > sink->size) {
        sink->size = (sink->len + len) * 2;
        sink->data = realloc(sink->data, sink->size);
    }
    memcpy(sink->data + sink->len, data, len);
    sink->len += len;
}

static void
sink_bytes(void *context, const char *data, size_t len)
{
    sink_add(context, data, len);
}

static void
sink_message(void *context, const char *type, bool exception, gh_str_t payload)
{
    char line[128];

    snprintf(line, sizeof(line), "%s%s %zu\n", exception ? "!" : "", type, payload.len);
    sink_add(context, line, strlen(line));
    sink_add(context, payload.data, payload.len);
    sink_add(context, "\n", 1);
}

static const gh_hub_reply_t reply = { { "req-1", 5 }, { "a-model", 7 }, 1700000000, 12, true };

static gh_hub_dialect_t
dialect(const char *name)
{
    unsigned i;

    for (i = 0; i < GH_HUB_DIALECTS; i++) {
        if (strcmp(name, gh_hub_dialect_names[i]) == 0) {
            return i;
        }
    }

    fprintf(stderr, "dialects: no dialect %s\n", name);
    exit(2);
}

static void
say(bool ok, gh_str_t text)
{
    printf("%s %zu\n", ok ? "ok" : "no", text.len);
    fwrite(text.data, 1, text.len, stdout);
    fflush(stdout);
}

static void
say_error(const gh_error_t *error)
{
    char text[GH_ERROR_TEXT + 64];

    snprintf(text, sizeof(text), "%s %s", error->code, error->text);
    say(false, gh_str_from(text));
}

/* The stream as its backend sends it: of framed dialects each message becomes a frame, of all others the bytes are those given. */
static void
wire_of(gh_hub_dialect_t from, gh_str_t input, sink_t *wire)
{
    size_t at = 0;

    if (!gh_hub_framed(from)) {
        sink_add(wire, input.data, input.len);
        return;
    }

    while (at < input.len) {
        char          type[64], *frame;
        unsigned long length;
        int           used = 0;
        size_t        size;

        if (sscanf(input.data + at, "%63s %lu%n", type, &length, &used) != 2 || at + (size_t) used + 1 + length > input.len) {
            return;
        }
        at += (size_t) used + 1;
        size = length + 512;
        frame = malloc(size);
        size = gh_aws_encode_json(type[0] == '!' ? GH_AWS_EXCEPTION : GH_AWS_EVENT, gh_str_from(type + (type[0] == '!')),
            (gh_str_t) { input.data + at, length }, frame, size);
        if (size == 0) {
            fprintf(stderr, "dialects: no frame can say %s\n", type);
            exit(2);
        }
        sink_add(wire, frame, size);
        free(frame);
        at += length + 1;
    }
}

/* As the worker does: whole frames to the translator, nothing behind one that cannot be read. */
static void
feed_frames(gh_hub_stream_t *s, gh_aws_decoder_t *decoder, gh_str_t part)
{
    gh_aws_message_t message;
    gh_aws_class_t   class;
    gh_error_t       error;
    gh_aws_read_t    read;

    while ((read = gh_aws_decoder_next(decoder, &part, &message, &error)) == GH_AWS_MESSAGE && gh_aws_classify(&message, &class, &error) == GH_OK) {
        gh_hub_stream_message(s, class.type, class.kind == GH_AWS_EXCEPTION, message.payload);
    }
    if (read != GH_AWS_MORE) {
        gh_hub_stream_break(s, "The backend's stream cannot be read.");
    }
}

/* In parts of memory of their own. */
static void
feed(gh_hub_stream_t *s, gh_aws_decoder_t *decoder, gh_str_t wire, size_t first, size_t step)
{
    size_t at = 0, part = first;

    while (at < wire.len) {
        char *copy;

        part = part == 0 || part > wire.len - at ? wire.len - at : part;
        copy = malloc(part);
        memcpy(copy, wire.data + at, part);
        if (decoder != NULL) {
            feed_frames(s, decoder, (gh_str_t) { copy, part });
        } else {
            gh_hub_stream_feed(s, copy, part);
        }
        free(copy);
        at += part;
        part = step;
    }
}

static gh_hub_stream_state_t
run(gh_hub_dialect_t from, gh_hub_dialect_t to, gh_str_t wire, size_t first, size_t step, sink_t *sink)
{
    gh_heap_t             heap;
    gh_hub_stream_t      *s;
    gh_hub_stream_state_t state;
    gh_aws_decoder_t      decoder;

    gh_heap_init(&heap);
    gh_aws_decoder_init(&decoder, &heap.arena, GH_AWS_MESSAGE_MAX);
    sink->len = 0;
    s = gh_hub_stream_new(&heap.arena, from, to, &reply, (gh_hub_out_t) { sink_bytes, sink_message, sink });
    feed(s, gh_hub_framed(from) ? &decoder : NULL, wire, first, step);
    gh_hub_stream_finish(s);
    state = gh_hub_stream_state(s);
    gh_heap_free(&heap);

    return state;
}

static void
splits(gh_hub_dialect_t from, gh_hub_dialect_t to, gh_str_t wire)
{
    sink_t                whole = { NULL, 0, 0 }, parts = { NULL, 0, 0 };
    gh_hub_stream_state_t state = run(from, to, wire, 0, 0, &whole), cut;
    char                  text[128];
    size_t                i;

    for (i = 1; i < wire.len; i++) {
        run(from, to, wire, i, 0, &parts);
        if (parts.len != whole.len || memcmp(parts.data, whole.data, whole.len) != 0) {
            snprintf(text, sizeof(text), "split at %zu: %zu bytes, not %zu", i, parts.len, whole.len);
            say(false, gh_str_from(text));
            break;
        }

        cut = run(from, to, (gh_str_t) { wire.data, i }, 0, 0, &parts);
        if (cut.done == cut.failed || (cut.done && (!state.done || parts.len != whole.len || memcmp(parts.data, whole.data, whole.len) != 0))) {
            snprintf(text, sizeof(text), "cut at %zu of %zu: done %d, failed %d", i, wire.len, cut.done, cut.failed);
            say(false, gh_str_from(text));
            break;
        }
    }

    if (i >= wire.len) {
        run(from, to, wire, 1, 1, &parts);
        say(parts.len == whole.len && memcmp(parts.data, whole.data, whole.len) == 0, GH_STR("byte by byte"));
    }
    free(whole.data);
    free(parts.data);
}

static void
ask(const char *what, gh_hub_dialect_t from, gh_hub_dialect_t to, unsigned long number, gh_str_t body)
{
    gh_heap_t        heap;
    gh_error_t       error = { 0 };
    gh_str_t         out;
    gh_hub_request_t request;
    gh_hub_answer_t  answer;
    gh_hub_error_t   failure;
    gh_hub_send_t    send = { .model = GH_STR("upstream"), .default_max = 4096 };
    char             buffer[GH_HUB_ERROR_BYTES + 4], number_text[16];
    size_t           len;
    int              status;
    sink_t           sink = { NULL, 0, 0 }, wire = { NULL, 0, 0 };

    gh_heap_init(&heap);

    if (strcmp(what, "request") == 0) {
        if (gh_hub_request_read(&heap.arena, from, body, &request, &error) == GH_OK
            && gh_hub_request_write(&heap.arena, &request, to, &send, &out, &error) == GH_OK)
        {
            say(true, out);
        } else {
            say_error(&error);
        }
    } else if (strcmp(what, "answer") == 0) {
        if (gh_hub_answer_read(&heap.arena, from, body, &answer, &error) == GH_OK
            && gh_hub_answer_write(&heap.arena, &answer, to, &reply, &out, &error) == GH_OK)
        {
            say(true, out);
        } else {
            say_error(&error);
        }
    } else if (strcmp(what, "error") == 0) {
        gh_hub_error_read(from, (int) number, GH_STR(""), body, &failure);
        len = gh_hub_error_write(&failure, to, GH_STR("req-1"), buffer + 4, GH_HUB_ERROR_BYTES, &status, NULL);
        snprintf(number_text, sizeof(number_text), "%3d ", status);
        memcpy(buffer, number_text, 4);
        say(true, (gh_str_t) { buffer, len + 4 });
    } else if (strcmp(what, "stream") == 0) {
        wire_of(from, body, &wire);
        run(from, to, (gh_str_t) { wire.data, wire.len }, number, number, &sink);
        say(true, (gh_str_t) { sink.data, sink.len });
    } else if (strcmp(what, "splits") == 0) {
        wire_of(from, body, &wire);
        splits(from, to, (gh_str_t) { wire.data, wire.len });
    } else {
        fprintf(stderr, "dialects: what is %s?\n", what);
        exit(2);
    }

    free(sink.data);
    free(wire.data);
    gh_heap_free(&heap);
}

/* Embeddings: the body is the client's question, with the model's answer in a line of its own behind it. */
static void
embed(gh_bedrock_model_t model, gh_str_t body, bool answered)
{
    gh_heap_t          heap;
    gh_error_t         error = { 0 };
    gh_embed_request_t request;
    gh_usage_t         usage;
    gh_str_t           answer = GH_STR(""), out;
    const char        *line = answered ? memchr(body.data, '\n', body.len) : NULL;
    int                rc;

    if (line != NULL) {
        answer = (gh_str_t) { line + 1, body.len - (size_t) (line + 1 - body.data) };
        body.len = (size_t) (line - body.data);
    }

    gh_heap_init(&heap);
    rc = gh_embed_request_read(&heap.arena, body, &request, &error);
    if (rc == GH_OK && line != NULL) {
        rc = gh_embed_answer(&heap.arena, &request, model, answer, 11, GH_STR("a-model"), &out, &usage, &error);
    } else if (rc == GH_OK) {
        rc = gh_embed_request_write(&heap.arena, &request, model, &out, &error);
    }

    if (rc == GH_OK) {
        say(true, out);
    } else {
        say_error(&error);
    }
    gh_heap_free(&heap);
}

/* The order is found by offering everything but the client's own endpoint, and then less and less. */
static void
print_endpoints(void)
{
    printf("| the client asks | the deployment is asked at |\n|---|---|\n");

    for (unsigned client = 0; client < GH_ENDPOINTS; client++) {
        uint32_t      offered = ((1u << GH_ENDPOINTS) - 1) & ~(1u << client);
        gh_endpoint_t to = gh_endpoint_upstream(offered, (gh_endpoint_t) client, GH_WORDS_PLAIN, NULL, NULL);

        if (to == GH_ENDPOINTS) {
            continue;
        }

        printf("| `%s` | `%s`", gh_endpoint_names[client], gh_endpoint_names[to]);
        for (offered &= ~(1u << to); gh_endpoint_served(offered, (gh_endpoint_t) client); offered &= ~(1u << to)) {
            to = gh_endpoint_upstream(offered, (gh_endpoint_t) client, GH_WORDS_PLAIN, NULL, NULL);
            printf(", `%s`", gh_endpoint_names[to]);
        }
        printf(" |\n");
    }
}

int
main(int argc, char **argv)
{
    char          what[32], from[32], to[32], *body;
    unsigned long number, length;

    if (argc == 2 && (strcmp(argv[1], "table") == 0 || strcmp(argv[1], "models") == 0 || strcmp(argv[1], "embeddings") == 0)) {
        size_t (*table)(char *, size_t) = argv[1][0] == 't' ? gh_hub_table : argv[1][0] == 'm' ? gh_hub_model_table : gh_embed_table;
        size_t size = table(NULL, 0) + 1;

        body = malloc(size);
        table(body, size);
        fputs(body, stdout);
        free(body);
        return 0;
    }

    if (argc == 2 && strcmp(argv[1], "endpoints") == 0) {
        print_endpoints();
        return 0;
    }

    if (argc != 2 || strcmp(argv[1], "batch") != 0) {
        fprintf(stderr, "usage: dialects table | models | embeddings | endpoints | batch\n");
        return 64;
    }

    while (scanf("%31s %31s %31s %lu %lu", what, from, to, &number, &length) == 5) {
        getchar();
        body = malloc(length + 1);
        if (fread(body, 1, length, stdin) != length) {
            return 1;
        }
        body[length] = '\0';
        if (strncmp(what, "embed", 5) == 0) {
            embed((gh_bedrock_model_t) number, (gh_str_t) { body, length }, what[5] != '\0');
        } else {
            ask(what, dialect(from), dialect(to), number, (gh_str_t) { body, length });
        }
        free(body);
    }

    return 0;
}
