/*
 * Any bytes as an AWS event stream, as they are and with their checksums made right: in any parts the same messages and the same error; what is read is
 * written again as the same bytes. Any bytes as base64, in any parts. The first byte chooses the parts.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/aws_event_stream.h"
#include "policy/base/base64.h"
#include "policy/base/hash.h"
#include "tests/fuzz/standalone.h"

typedef struct {
    uint64_t    digest;      /* of all messages */
    uint64_t    messages;
    const char *error;
} told_t;

static uint64_t
mix(uint64_t digest, gh_str_t bytes)
{
    size_t i;

    digest = (digest ^ bytes.len) * UINT64_C(0x100000001b3);
    for (i = 0; i < bytes.len; i++) {
        digest = (digest ^ (uint8_t) bytes.data[i]) * UINT64_C(0x100000001b3);
    }
    return digest;
}

static void
look(told_t *told, const gh_aws_message_t *message)
{
    gh_aws_header_t headers[GH_AWS_HEADER_COUNT];
    gh_aws_class_t  class;
    gh_str_t        rest = message->headers;
    gh_aws_header_t found;
    unsigned        n;
    size_t          size = GH_AWS_OVERHEAD + message->headers.len + message->payload.len;
    char           *again = malloc(size);

    for (n = 0; gh_aws_header_next(&rest, &headers[n]); n++) { }
    if (rest.len != 0 || n != message->header_count) {
        abort();
    }
    if (gh_aws_encode(headers, n, message->payload, again, size) != size
        || memcmp(again + 12, message->headers.data, message->headers.len + message->payload.len) != 0)
    {
        abort();
    }
    free(again);

    for (unsigned i = 0; i < n; i++) {
        if (!gh_aws_header_find(message, headers[i].name, &found) || !gh_str_eq(found.name, headers[i].name)) {
            abort();
        }
    }
    (void) gh_aws_classify(message, &class, NULL);
    told->messages++;
    told->digest = mix(mix(told->digest, message->headers), message->payload);
}

static void
run(told_t *told, const char *text, size_t size, size_t step)
{
    gh_heap_t        heap;
    gh_aws_decoder_t decoder;
    gh_aws_message_t message;
    gh_error_t       error;
    size_t           at, part;

    memset(told, 0, sizeof(*told));
    memset(&error, 0, sizeof(error));
    gh_heap_init(&heap);
    gh_aws_decoder_init(&decoder, &heap.arena, 1 << 20);

    for (at = 0; at < size; at += part) {
        char    *copy;
        gh_str_t data;

        part = size - at < step ? size - at : step;
        copy = malloc(part);
        memcpy(copy, text + at, part);
        data = (gh_str_t) { copy, part };
        while (gh_aws_decoder_next(&decoder, &data, &message, &error) == GH_AWS_MESSAGE) {
            look(told, &message);
        }
        free(copy);
    }

    if (gh_aws_decoder_finish(&decoder, &error) != GH_OK) {
        told->error = error.code;
    }
    gh_heap_free(&heap);
}

static void
put_u32(uint8_t *p, uint32_t n)
{
    p[0] = (uint8_t) (n >> 24);
    p[1] = (uint8_t) (n >> 16);
    p[2] = (uint8_t) (n >> 8);
    p[3] = (uint8_t) n;
}

/* Messages of up to 255 bytes as the bytes say, with checksums that are right. */
static void
mend(uint8_t *p, size_t size)
{
    size_t total;

    for (; size >= GH_AWS_OVERHEAD; p += total, size -= total) {
        total = GH_AWS_OVERHEAD + p[3] % 240;
        total = total < size ? total : size;
        put_u32(p, (uint32_t) total);
        put_u32(p + 4, p[7]);
        put_u32(p + 8, gh_crc32(p, 8));
        put_u32(p + total - 4, gh_crc32(p, total - 4));
    }
}

static void
base64(gh_str_t text, size_t step)
{
    gh_base64_decoder_t decoder;
    uint8_t *whole = malloc(text.len + 4), *parts = malloc(text.len + 4);
    char    *again = malloc(GH_BASE64_LENGTH(text.len) + 1);
    size_t   at, part, len = 0;
    long     n, told = gh_base64_decode(text, whole, text.len);

    gh_base64_decoder_init(&decoder);
    for (at = 0; at < text.len; at += part) {
        part = text.len - at < step ? text.len - at : step;
        n = gh_base64_decoder_feed(&decoder, (gh_str_t) { text.data + at, part }, parts + len);
        len += n > 0 ? (size_t) n : 0;
    }

    if ((told >= 0) != gh_base64_decoder_done(&decoder) || (told >= 0 && ((size_t) told != len || memcmp(whole, parts, len) != 0))) {
        abort();
    }
    if (told >= 0 && (gh_base64(whole, len, again) != text.len || memcmp(again, text.data, text.len) != 0)) {
        abort();
    }
    free(whole);
    free(parts);
    free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    told_t   whole, parts;
    uint8_t *copy;
    size_t   step;
    int      round;

    if (size < 2) {
        return 0;
    }

    step = data[0] % 61 + 1;
    base64((gh_str_t) { (const char *) data + 1, size - 1 }, step);

    copy = malloc(--size);
    memcpy(copy, data + 1, size);
    for (round = 0; round < 2; round++) {
        run(&whole, (const char *) copy, size, size);
        run(&parts, (const char *) copy, size, step);
        if (whole.digest != parts.digest || whole.messages != parts.messages || whole.error != parts.error) {
            abort();
        }
        mend(copy, size);
    }
    free(copy);

    return 0;
}
