/*
 * AWS event streams: what tests/data/check_event_stream.py cannot see from outside: memory, what borrows from where, the encoder's limits. The first vector
 * is the empty message that every implementation's tests have.
 */
#include <stdlib.h>

#include "ngx_module/wire/aws_event_stream.h"
#include "tests/unit/check.h"

static const char empty_message[] = "\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2\x48\xeb\x7d\x98\xc8\xff";

typedef struct {
    gh_arena_t arena;
    gh_heap_t  heap;
    size_t     bytes, count;
} counted_t;

static void *
counted_alloc(gh_arena_t *arena, size_t size)
{
    counted_t *counted = arena->context;

    counted->bytes += size;
    counted->count++;
    return counted->heap.arena.alloc(&counted->heap.arena, size);
}

static void
counted_init(counted_t *counted)
{
    memset(counted, 0, sizeof(*counted));
    gh_heap_init(&counted->heap);
    counted->arena.alloc = counted_alloc;
    counted->arena.context = counted;
}

static void
test_vector(void)
{
    gh_aws_decoder_t decoder;
    gh_aws_message_t message;
    gh_str_t         data = { empty_message, 16 };
    gh_error_t       error;
    char             out[16];

    gh_aws_decoder_init(&decoder, NULL, GH_AWS_MESSAGE_MAX);
    CHECK_INT(gh_aws_decoder_next(&decoder, &data, &message, &error), GH_AWS_MESSAGE);
    CHECK(message.headers.len == 0 && message.header_count == 0 && message.payload.len == 0 && data.len == 0);
    CHECK_INT(gh_aws_decoder_next(&decoder, &data, &message, &error), GH_AWS_MORE);
    CHECK_INT(gh_aws_decoder_finish(&decoder, &error), GH_OK);

    CHECK_INT(gh_aws_encode(NULL, 0, GH_STR(""), out, sizeof(out)), 16);
    CHECK_MEM(out, empty_message, 16);
}

/* Messages in one part take no memory; of those in parts, what came, never what is announced. */
static void
test_memory(void)
{
    const uint32_t   max = 1 << 20;
    counted_t        counted;
    gh_aws_decoder_t decoder;
    gh_aws_message_t message;
    gh_str_t         data, payload;
    gh_error_t       error;
    char            *stream = malloc(max), *bytes = calloc(1, max);
    size_t           len, at, i;

    payload = (gh_str_t) { bytes, max - 300 };
    len = gh_aws_encode_json(GH_AWS_EVENT, GH_STR("metadata"), payload, stream, max);
    if (!CHECK(len != 0)) {
        return;
    }

    counted_init(&counted);
    gh_aws_decoder_init(&decoder, &counted.arena, max);
    for (i = 0; i < 3; i++) {
        data = (gh_str_t) { stream, len };
        CHECK_INT(gh_aws_decoder_next(&decoder, &data, &message, &error), GH_AWS_MESSAGE);
        CHECK(message.payload.data > stream && message.payload.data < stream + len && message.payload.len == payload.len);
    }
    CHECK_INT(counted.count, 0);

    for (at = 0; at < 5000; at++) {
        data = (gh_str_t) { stream + at, 1 };
        CHECK_INT(gh_aws_decoder_next(&decoder, &data, &message, &error), GH_AWS_MORE);
    }
    CHECK(counted.bytes <= 3 * 5000 + 4096);

    for (; at < len; at++) {
        data = (gh_str_t) { stream + at, 1 };
        if (gh_aws_decoder_next(&decoder, &data, &message, &error) != (at + 1 < len ? GH_AWS_MORE : GH_AWS_MESSAGE)) {
            CHECK(at == len);
            break;
        }
    }
    CHECK(message.payload.len == payload.len && counted.bytes < 3 * (size_t) max);

    /* once more without any */
    counted.count = 0;
    for (at = 0; at < len; at += data.len) {
        data = (gh_str_t) { stream + at, len - at < 1000 ? len - at : 1000 };
        i = data.len;
        CHECK_INT(gh_aws_decoder_next(&decoder, &data, &message, &error), at + i < len ? GH_AWS_MORE : GH_AWS_MESSAGE);
        data.len = i;
    }
    CHECK_INT(counted.count, 0);
    gh_heap_free(&counted.heap);
    free(stream);
    free(bytes);
}

static void
test_no_memory(void)
{
    gh_heap_t        heap;
    gh_aws_decoder_t decoder;
    gh_aws_message_t message;
    gh_str_t         data = { empty_message, 5 };
    gh_error_t       error;

    gh_heap_init(&heap);
    heap.limit = 0;
    gh_aws_decoder_init(&decoder, &heap.arena, GH_AWS_MESSAGE_MAX);
    CHECK_INT(gh_aws_decoder_next(&decoder, &data, &message, &error), GH_AWS_WRONG);
    CHECK_STR(gh_str_from(error.code), "no_memory");

    /* It stays so: bytes are missing. */
    heap.limit = SIZE_MAX;
    data = (gh_str_t) { empty_message, 16 };
    CHECK_INT(gh_aws_decoder_next(&decoder, &data, &message, &error), GH_AWS_WRONG);
    CHECK_INT(gh_aws_decoder_finish(&decoder, &error), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "no_memory");
    gh_heap_free(&heap);
}

/* A message stays as it is until the next call; the sentence of an error says where. */
static void
test_places(void)
{
    gh_heap_t        heap;
    gh_aws_decoder_t decoder;
    gh_aws_message_t message;
    gh_aws_header_t  header;
    gh_aws_class_t   class;
    gh_str_t         data;
    gh_error_t       error;
    char             stream[512];
    size_t           first, len;

    first = gh_aws_encode_json(GH_AWS_EXCEPTION, GH_STR("throttlingException"), GH_STR("{\"message\":\"slow\"}"), stream, sizeof(stream));
    len = first + gh_aws_encode_json(GH_AWS_EVENT, GH_STR("messageStop"), GH_STR("{}"), stream + first, sizeof(stream) - first);
    stream[len - 5] ^= 1;

    gh_heap_init(&heap);
    gh_aws_decoder_init(&decoder, &heap.arena, 512);
    data = (gh_str_t) { stream, 20 };
    CHECK_INT(gh_aws_decoder_next(&decoder, &data, &message, &error), GH_AWS_MORE);
    data = (gh_str_t) { stream + 20, len - 20 };
    CHECK_INT(gh_aws_decoder_next(&decoder, &data, &message, &error), GH_AWS_MESSAGE);
    CHECK_INT(data.len, len - first);
    CHECK_INT(gh_aws_classify(&message, &class, &error), GH_OK);
    CHECK_INT(class.kind, GH_AWS_EXCEPTION);
    CHECK_STR(class.type, "throttlingException");
    CHECK_STR(class.content_type, "application/json");
    CHECK_STR(message.payload, "{\"message\":\"slow\"}");
    CHECK(gh_aws_header_find(&message, GH_STR(":message-type"), &header) && !gh_aws_header_find(&message, GH_STR(":Message-type"), &header));

    CHECK_INT(gh_aws_decoder_next(&decoder, &data, &message, &error), GH_AWS_WRONG);
    CHECK_STR(gh_str_from(error.code), "event_stream_message_checksum");
    snprintf(stream, sizeof(stream), "message 2 of the event stream, at byte %zu, does not match its checksum", first);
    CHECK_STR(gh_str_from(error.text), stream);
    gh_heap_free(&heap);
}

static size_t
encode_one(gh_aws_header_type_t type, int64_t number, gh_str_t name, gh_str_t value)
{
    static char     out[70000];
    gh_aws_header_t header = { name, type, number, value };

    return gh_aws_encode(&header, 1, GH_STR("x"), out, sizeof(out));
}

static void
test_encoder(void)
{
    static const char bytes[40000];
    gh_aws_header_t   many[GH_AWS_HEADER_COUNT + 1];
    gh_str_t          n = GH_STR("n");
    char              out[64];
    size_t            i, len;

    CHECK_INT(encode_one(GH_AWS_INT8, 127, n, GH_STR("")), 16 + 1 + 4);
    CHECK_INT(encode_one(GH_AWS_INT8, 128, n, GH_STR("")), 0);
    CHECK_INT(encode_one(GH_AWS_INT8, -129, n, GH_STR("")), 0);
    CHECK_INT(encode_one(GH_AWS_INT16, -32769, n, GH_STR("")), 0);
    CHECK_INT(encode_one(GH_AWS_INT32, INT64_C(1) << 31, n, GH_STR("")), 0);
    CHECK_INT(encode_one(GH_AWS_INT64, INT64_MIN, n, GH_STR("")), 16 + 1 + 11);
    CHECK_INT(encode_one(GH_AWS_UUID, 0, n, GH_STR("123")), 0);
    CHECK_INT(encode_one(GH_AWS_HEADER_TYPES, 0, n, GH_STR("")), 0);
    CHECK_INT(encode_one(GH_AWS_TRUE, 0, GH_STR(""), GH_STR("")), 0);
    CHECK_INT(encode_one(GH_AWS_TRUE, 0, GH_STR("\xc3"), GH_STR("")), 0);
    CHECK_INT(encode_one(GH_AWS_TRUE, 0, (gh_str_t) { bytes, 256 }, GH_STR("")), 0);
    CHECK(encode_one(GH_AWS_BYTES, 0, n, (gh_str_t) { bytes, GH_AWS_VALUE_MAX }) != 0);
    CHECK_INT(encode_one(GH_AWS_BYTES, 0, n, (gh_str_t) { bytes, GH_AWS_VALUE_MAX + 1 }), 0);
    CHECK_INT(encode_one(GH_AWS_STRING, 0, n, GH_STR("\xff")), 0);

    for (i = 0; i <= GH_AWS_HEADER_COUNT; i++) {
        many[i] = (gh_aws_header_t) { n, GH_AWS_TRUE, 0, GH_STR("") };
    }
    CHECK(gh_aws_encoded_length(many, GH_AWS_HEADER_COUNT, 0) != 0);
    CHECK_INT(gh_aws_encoded_length(many, GH_AWS_HEADER_COUNT + 1, 0), 0);
    CHECK_INT(gh_aws_encoded_length(NULL, 0, GH_AWS_MESSAGE_MAX - 16), GH_AWS_MESSAGE_MAX);
    CHECK_INT(gh_aws_encoded_length(NULL, 0, GH_AWS_MESSAGE_MAX - 15), 0);
    CHECK_INT(gh_aws_encoded_length(NULL, 0, SIZE_MAX), 0);
    for (i = 0; i < 5; i++) {
        many[i] = (gh_aws_header_t) { n, GH_AWS_BYTES, 0, (gh_str_t) { bytes, 30000 } };
    }
    CHECK(gh_aws_encoded_length(many, 4, 0) != 0);
    CHECK_INT(gh_aws_encoded_length(many, 5, 0), 0);

    /* The payload where it will be, and too small a buffer. */
    memcpy(out + 12, "payload", 7);
    len = gh_aws_encode(NULL, 0, (gh_str_t) { out + 12, 7 }, out, 23);
    CHECK_INT(len, 23);
    CHECK_MEM(out + 12, "payload", 7);
    CHECK_INT(gh_aws_encode(NULL, 0, GH_STR("payload"), out, 22), 0);
}

int
main(void)
{
    test_vector();
    test_memory();
    test_no_memory();
    test_places();
    test_encoder();
    return check_done("event_stream");
}
