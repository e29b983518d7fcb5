/*
 * AWS event streams through the decoder and back, for differential tests: each request is a line "MAX_MESSAGE SPLIT LENGTH", then LENGTH bytes; the answer is
 * one JSON line. The stream is read at once and in parts of 1, 2, 3 and 13 bytes, and with SPLIT 1 split in two at every byte: "same" says whether all of them
 * gave this answer, "encoded" whether the encoder makes the same bytes of each message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/aws_event_stream.h"
#include "policy/base/hash.h"
#include "policy/base/json_writer.h"

typedef struct {
    gh_aws_decoder_t decoder;
    gh_json_writer_t w;
    gh_error_t       error;
    bool             encoded;
} run_t;

static void
write_hex(gh_json_writer_t *w, gh_str_t bytes)
{
    char *text = malloc(bytes.len * 2 + 1);

    gh_hex((const uint8_t *) bytes.data, bytes.len, text);
    gh_json_string(w, (gh_str_t) { text, bytes.len * 2 });
    free(text);
}

static void
write_message(run_t *run, const gh_aws_message_t *message)
{
    static const char *const kinds[] = { "event", "exception", "fault", "unknown" };
    gh_aws_header_t headers[GH_AWS_HEADER_COUNT];
    gh_aws_class_t  class;
    gh_str_t        rest = message->headers;
    gh_error_t      error;
    size_t          count, size = GH_AWS_OVERHEAD + message->headers.len + message->payload.len;
    char           *again = malloc(size);

    gh_json_begin_object(&run->w);
    gh_json_key(&run->w, "headers");
    gh_json_begin_array(&run->w);
    for (count = 0; gh_aws_header_next(&rest, &headers[count]); count++) {
        gh_json_begin_array(&run->w);
        gh_json_string(&run->w, headers[count].name);
        gh_json_u64(&run->w, headers[count].type);
        gh_json_i64(&run->w, headers[count].number);
        write_hex(&run->w, headers[count].value);
        gh_json_end_array(&run->w);
    }
    gh_json_end_array(&run->w);
    gh_json_key(&run->w, "payload");
    write_hex(&run->w, message->payload);

    if (gh_aws_classify(message, &class, &error) == GH_OK) {
        gh_json_kv_string(&run->w, "kind", gh_str_from(kinds[class.kind]));
        gh_json_kv_string(&run->w, "type", class.type);
        gh_json_kv_string(&run->w, "text", class.text);
        gh_json_kv_string(&run->w, "content_type", class.content_type);
    }
    gh_json_end_object(&run->w);

    run->encoded &= count == message->header_count && gh_aws_encode(headers, count, message->payload, again, size) == size
        && memcmp(again + 12, message->headers.data, size - GH_AWS_OVERHEAD) == 0
        && memcmp(again, message->headers.data - 12, 12) == 0
        && memcmp(again + size - 4, message->payload.data + message->payload.len, 4) == 0;
    free(again);
}

static void
feed(run_t *run, gh_str_t part)
{
    gh_aws_message_t message;
    /* memory of its own size */
    char            *copy = malloc(part.len + 1);
    gh_str_t         data = { copy, part.len };

    memcpy(copy, part.data, part.len);
    while (gh_aws_decoder_next(&run->decoder, &data, &message, &run->error) == GH_AWS_MESSAGE) {
        write_message(run, &message);
    }
    free(copy);
}

/* first: bytes of the first part; step: of those behind it. */
static void
decode(run_t *run, char *text, size_t size, uint32_t max_message, gh_str_t stream, size_t first, size_t step)
{
    gh_heap_t heap;
    size_t    at, part;

    gh_heap_init(&heap);
    memset(&run->error, 0, sizeof(run->error));
    gh_aws_decoder_init(&run->decoder, &heap.arena, max_message);
    gh_json_writer_init(&run->w, text, size);
    gh_json_begin_object(&run->w);
    gh_json_key(&run->w, "messages");
    gh_json_begin_array(&run->w);

    for (at = 0; at < stream.len; at += part) {
        part = at == 0 && first != 0 ? first : step;
        part = part < stream.len - at ? part : stream.len - at;
        feed(run, (gh_str_t) { stream.data + at, part });
    }

    gh_json_end_array(&run->w);
    if (gh_aws_decoder_finish(&run->decoder, &run->error) != GH_OK) {
        gh_json_kv_string(&run->w, "error", gh_str_from(run->error.code));
        gh_json_kv_string(&run->w, "sentence", gh_str_from(run->error.text));
    }

    if (!gh_json_writer_ok(&run->w)) {
        fprintf(stderr, "event_stream: the answer is too long\n");
        exit(1);
    }
    gh_heap_free(&heap);
}

static void
answer(uint32_t max_message, bool split, gh_str_t stream)
{
    static const size_t steps[] = { 1, 2, 3, 13 };
    size_t size = stream.len * 16 + 4096, i;
    char  *text = malloc(size), *other = malloc(size);
    run_t  whole, parts;
    bool   same = true;

    whole.encoded = true;
    decode(&whole, text, size, max_message, stream, 0, stream.len + 1);

    for (i = 1; split && i < stream.len; i++) {
        decode(&parts, other, size, max_message, stream, i, stream.len);
        same &= parts.w.len == whole.w.len && memcmp(text, other, whole.w.len) == 0;
    }
    for (i = 0; i < 4; i++) {
        decode(&parts, other, size, max_message, stream, 0, steps[i]);
        same &= parts.w.len == whole.w.len && memcmp(text, other, whole.w.len) == 0;
    }

    gh_json_kv_bool(&whole.w, "same", same);
    gh_json_kv_bool(&whole.w, "encoded", whole.encoded);
    gh_json_end_object(&whole.w);
    fwrite(text, 1, whole.w.len, stdout);
    putchar('\n');
    fflush(stdout);
    free(text);
    free(other);
}

int
main(void)
{
    char     line[256];
    unsigned max_message, split;
    size_t   length;
    char    *bytes;

    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (sscanf(line, "%u %u %zu", &max_message, &split, &length) != 3 || length > 64u << 20) {
            fprintf(stderr, "event_stream: unreadable line %s", line);
            return 2;
        }
        bytes = malloc(length + 1);
        if (fread(bytes, 1, length, stdin) != length) {
            fprintf(stderr, "event_stream: the input ends in a stream\n");
            free(bytes);
            return 2;
        }
        answer(max_message, split != 0, (gh_str_t) { bytes, length });
        free(bytes);
    }

    return 0;
}
