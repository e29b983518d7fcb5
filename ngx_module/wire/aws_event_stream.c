#include "ngx_module/wire/aws_event_stream.h"

#include <string.h>

#include "policy/base/hash.h"

#define PRELUDE 12u
#define CARRY   4096u   /* of the first buffer: most messages are shorter */

static uint32_t
read_u32(const char *p)
{
    const uint8_t *b = (const uint8_t *) p;

    return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

static uint64_t
read_big_endian(const char *p, unsigned bytes)
{
    uint64_t n = 0;

    for (; bytes != 0; bytes--) {
        n = n << 8 | (uint8_t) *p++;
    }

    return n;
}

/* ---- headers ---- */

/* Bytes of a value by its type; the two with 2 take their length from these. */
static const uint8_t value_bytes[GH_AWS_HEADER_TYPES] = { 0, 0, 1, 2, 4, 8, 2, 2, 8, 16 };

static bool
has_length(gh_aws_header_type_t type)
{
    return type == GH_AWS_BYTES || type == GH_AWS_STRING;
}

/* Reads a header at *p and moves behind it. NULL, or the code of what is wrong with it. */
static const char *
header_read(const char **p, const char *end, gh_aws_header_t *header)
{
    const char *at = *p;
    size_t      len;

    memset(header, 0, sizeof(*header));

    len = (uint8_t) *at++;
    if (len == 0) {
        return "event_stream_header_name";
    }
    if ((size_t) (end - at) < len + 1) {
        return "event_stream_header_cut";
    }

    header->name = (gh_str_t) { at, len };
    at += len;
    if ((uint8_t) *at >= GH_AWS_HEADER_TYPES) {
        return "event_stream_header_type";
    }

    header->type = (gh_aws_header_type_t) *at++;
    len = value_bytes[header->type];
    if ((size_t) (end - at) < len) {
        return "event_stream_header_cut";
    }

    if (has_length(header->type)) {
        len = (size_t) read_big_endian(at, 2);
        at += 2;
        if (len > GH_AWS_VALUE_MAX) {
            return "event_stream_header_value";
        }
        if ((size_t) (end - at) < len) {
            return "event_stream_header_cut";
        }
    }

    switch (header->type) {
    case GH_AWS_INT8:
        header->number = (int8_t) read_big_endian(at, 1);
        break;
    case GH_AWS_INT16:
        header->number = (int16_t) read_big_endian(at, 2);
        break;
    case GH_AWS_INT32:
        header->number = (int32_t) read_big_endian(at, 4);
        break;
    case GH_AWS_INT64:
    case GH_AWS_TIMESTAMP:
        header->number = (int64_t) read_big_endian(at, 8);
        break;
    default:
        header->value = (gh_str_t) { at, len };
        break;
    }

    *p = at + len;
    return NULL;
}

bool
gh_aws_header_next(gh_str_t *rest, gh_aws_header_t *header)
{
    const char *p = rest->data;

    if (rest->len == 0 || header_read(&p, rest->data + rest->len, header) != NULL) {
        return false;
    }

    *rest = (gh_str_t) { p, rest->len - (size_t) (p - rest->data) };
    return true;
}

bool
gh_aws_header_find(const gh_aws_message_t *message, gh_str_t name, gh_aws_header_t *header)
{
    gh_str_t rest = message->headers;

    while (gh_aws_header_next(&rest, header)) {
        if (gh_str_eq(header->name, name)) {
            return true;
        }
    }

    return false;
}

/* All headers of a message. NULL, or the code of what is wrong. */
static const char *
headers_check(gh_str_t headers, unsigned *count)
{
    const char     *p = headers.data, *end = headers.data + headers.len, *wrong;
    gh_aws_header_t header;
    gh_str_t        names[GH_AWS_HEADER_COUNT];
    unsigned        i, n = 0;

    while (p < end) {
        wrong = header_read(&p, end, &header);
        if (wrong != NULL) {
            return wrong;
        }
        if (!gh_utf8_valid(header.name)) {
            return "event_stream_header_name";
        }
        if (header.type == GH_AWS_STRING && !gh_utf8_valid(header.value)) {
            return "event_stream_header_value";
        }
        if (n == GH_AWS_HEADER_COUNT) {
            return "event_stream_header_count";
        }

        for (i = 0; i < n; i++) {
            if (gh_str_eq(names[i], header.name)) {
                return "event_stream_header_twice";
            }
        }
        names[n++] = header.name;
    }

    *count = n;
    return NULL;
}

/* ---- the decoder ---- */

void
gh_aws_decoder_init(gh_aws_decoder_t *decoder, gh_arena_t *arena, uint32_t max_message)
{
    memset(decoder, 0, sizeof(*decoder));
    decoder->arena = arena;
    decoder->max_message = max_message < GH_AWS_OVERHEAD ? GH_AWS_OVERHEAD
        : max_message > GH_AWS_MESSAGE_MAX ? GH_AWS_MESSAGE_MAX : max_message;
}

static gh_aws_read_t
failed(gh_aws_decoder_t *d, const char *code, const char *what)
{
    gh_error_set(&d->failure, code, "message %llu of the event stream, at byte %llu, %s", (unsigned long long) d->messages + 1,
        (unsigned long long) d->offset, what);
    return GH_AWS_WRONG;
}

/* The sentence behind a code of header_read and headers_check. */
static const char *
header_sentence(const char *code)
{
    static const char *const sentences[][2] = {
        { "event_stream_header_cut", "has a header that goes beyond its headers" },
        { "event_stream_header_name", "has a header whose name is empty or no UTF-8" },
        { "event_stream_header_type", "has a header of no type that the format has" },
        { "event_stream_header_value", "has a header whose value is above 32767 bytes or a string that is no UTF-8" },
        { "event_stream_header_twice", "has two headers of one name" },
        { "event_stream_header_count", "has more than 128 headers" },
    };
    size_t i;

    for (i = 0; strcmp(sentences[i][0], code) != 0; i++) { }

    return sentences[i][1];
}

/* The checksum comes before what it covers is believed. */
static gh_aws_read_t
prelude_read(gh_aws_decoder_t *d, const char *p)
{
    uint32_t total = read_u32(p), headers = read_u32(p + 4);

    if (gh_crc32(p, 8) != read_u32(p + 8)) {
        return failed(d, "event_stream_prelude_checksum", "begins with lengths that do not match their checksum");
    }
    if (total < GH_AWS_OVERHEAD) {
        return failed(d, "event_stream_length", "says it is shorter than the 16 bytes that every message has");
    }
    if (total > d->max_message) {
        return failed(d, "event_stream_too_long", "is longer than a message may be");
    }
    if (headers > total - GH_AWS_OVERHEAD || headers > GH_AWS_HEADERS_MAX) {
        return failed(d, "event_stream_headers_length", "has headers longer than itself or than 128 KiB");
    }

    d->total = total;
    d->headers = headers;
    return GH_AWS_MESSAGE;
}

static gh_aws_read_t
message_read(gh_aws_decoder_t *d, const char *p, gh_aws_message_t *message)
{
    const char *wrong;

    if (gh_crc32(p, d->total - 4) != read_u32(p + d->total - 4)) {
        return failed(d, "event_stream_message_checksum", "does not match its checksum");
    }

    message->headers = (gh_str_t) { p + PRELUDE, d->headers };
    message->payload = (gh_str_t) { p + PRELUDE + d->headers, d->total - d->headers - GH_AWS_OVERHEAD };

    wrong = headers_check(message->headers, &message->header_count);
    if (wrong != NULL) {
        return failed(d, wrong, header_sentence(wrong));
    }

    d->messages++;
    d->offset += d->total;
    d->total = 0;
    return GH_AWS_MESSAGE;
}

/* Moves up to `want` bytes to the carry. */
static bool
keep(gh_aws_decoder_t *d, gh_str_t *data, uint32_t want)
{
    uint32_t take = data->len < want ? (uint32_t) data->len : want, size = d->carry_size;

    if (take == 0) {
        return true;
    }

    if (take > size - d->carry_len) {
        size = size == 0 ? CARRY : size * 2;
        size = size < d->carry_len + take ? d->carry_len + take : size;
        size = size > d->max_message ? d->max_message : size;
        d->carry = gh_arena_grow(d->arena, d->carry, d->carry_len, size, 1);
        if (d->carry == NULL) {
            return false;
        }
        d->carry_size = size;
    }

    memcpy(d->carry + d->carry_len, data->data, take);
    d->carry_len += take;
    data->data += take;
    data->len -= take;
    return true;
}

gh_aws_read_t
gh_aws_decoder_next(gh_aws_decoder_t *decoder, gh_str_t *data, gh_aws_message_t *message, gh_error_t *error)
{
    gh_aws_decoder_t *d = decoder;
    gh_aws_read_t     result = GH_AWS_MESSAGE;
    const char       *at;
    uint32_t          need;

    if (d->total == 0 && d->carry_len >= GH_AWS_OVERHEAD) {
        d->carry_len = 0;   /* the message handed out last */
    }

    while (d->failure.code == NULL) {
        need = d->total != 0 ? d->total : PRELUDE;

        if (d->carry_len == 0 && data->len >= need) {
            at = data->data;
        } else if (!keep(d, data, need - d->carry_len)) {
            result = failed(d, "no_memory", "is more than there is memory for");
            break;
        } else if (d->carry_len < need) {
            return GH_AWS_MORE;
        } else {
            at = d->carry;
        }

        if (d->total == 0) {
            result = prelude_read(d, at);
            continue;
        }

        result = message_read(d, at, message);
        if (result == GH_AWS_MESSAGE && at == data->data) {
            data->data += need;
            data->len -= need;
        }
        if (result == GH_AWS_MESSAGE) {
            return GH_AWS_MESSAGE;
        }
    }

    if (error != NULL) {
        *error = d->failure;
    }
    return GH_AWS_WRONG;
}

int
gh_aws_decoder_finish(const gh_aws_decoder_t *decoder, gh_error_t *error)
{
    if (decoder->failure.code != NULL) {
        if (error != NULL) {
            *error = decoder->failure;
        }
        return GH_ERROR;
    }

    if (decoder->total != 0 || (decoder->carry_len != 0 && decoder->carry_len < GH_AWS_OVERHEAD)) {
        return gh_error_set(error, "event_stream_cut", "the event stream ends inside of message %llu, which begins at byte %llu",
            (unsigned long long) decoder->messages + 1, (unsigned long long) decoder->offset);
    }

    return GH_OK;
}

/* ---- what a message is ---- */

/* A string header. false: it is not there, or no string. */
static bool
string_find(const gh_aws_message_t *message, const char *name, gh_str_t *value)
{
    gh_aws_header_t header;

    *value = GH_STR("");
    if (!gh_aws_header_find(message, gh_str_from(name), &header) || header.type != GH_AWS_STRING) {
        return false;
    }

    *value = header.value;
    return true;
}

int
gh_aws_classify(const gh_aws_message_t *message, gh_aws_class_t *class, gh_error_t *error)
{
    gh_str_t    type;
    const char *which;

    memset(class, 0, sizeof(*class));
    class->text = GH_STR("");
    (void) string_find(message, ":content-type", &class->content_type);

    if (!string_find(message, ":message-type", &type)) {
        return gh_error_set(error, "event_stream_message_type", "a message of the event stream does not say in :message-type what it is");
    }

    if (gh_str_is(type, "event")) {
        class->kind = GH_AWS_EVENT;
        which = ":event-type";
    } else if (gh_str_is(type, "exception")) {
        class->kind = GH_AWS_EXCEPTION;
        which = ":exception-type";
    } else if (gh_str_is(type, "error")) {
        class->kind = GH_AWS_FAULT;
        which = ":error-code";
        (void) string_find(message, ":error-message", &class->text);
    } else {
        class->kind = GH_AWS_UNKNOWN;
        class->type = type;
        return GH_OK;
    }

    if (!string_find(message, which, &class->type)) {
        return gh_error_set(error, "event_stream_message_type", "a message of the event stream does not say in %s which it is", which);
    }

    return GH_OK;
}

/* ---- writing ---- */

static char *
write_big_endian(char *p, uint64_t n, unsigned bytes)
{
    while (bytes != 0) {
        *p++ = (char) (n >> --bytes * 8);
    }

    return p;
}

static bool
fits(int64_t number, unsigned bits)
{
    int64_t top = INT64_C(1) << (bits - 1);

    return number >= -top && number < top;
}

/* Bytes of a header, 0: it cannot be written. */
static size_t
header_length(const gh_aws_header_t *h)
{
    size_t value;

    if (h->name.len == 0 || h->name.len > 255 || !gh_utf8_valid(h->name) || (unsigned) h->type >= GH_AWS_HEADER_TYPES) {
        return 0;
    }

    value = value_bytes[h->type];
    switch (h->type) {
    case GH_AWS_INT8:
    case GH_AWS_INT16:
    case GH_AWS_INT32:
        if (!fits(h->number, (unsigned) value * 8)) {
            return 0;
        }
        break;
    case GH_AWS_BYTES:
    case GH_AWS_STRING:
        if (h->value.len > GH_AWS_VALUE_MAX || (h->type == GH_AWS_STRING && !gh_utf8_valid(h->value))) {
            return 0;
        }
        value += h->value.len;
        break;
    case GH_AWS_UUID:
        if (h->value.len != 16) {
            return 0;
        }
        break;
    default:
        break;
    }

    return 1 + h->name.len + 1 + value;
}

size_t
gh_aws_encoded_length(const gh_aws_header_t *headers, size_t count, size_t payload_len)
{
    size_t i, len = 0, one;

    if (count > GH_AWS_HEADER_COUNT || payload_len > GH_AWS_MESSAGE_MAX) {
        return 0;
    }

    for (i = 0; i < count; i++) {
        one = header_length(&headers[i]);
        if (one == 0) {
            return 0;
        }
        len += one;
    }

    if (len > GH_AWS_HEADERS_MAX || GH_AWS_OVERHEAD + len + payload_len > GH_AWS_MESSAGE_MAX) {
        return 0;
    }

    return GH_AWS_OVERHEAD + len + payload_len;
}

static char *
header_write(char *p, const gh_aws_header_t *h)
{
    *p++ = (char) h->name.len;
    memcpy(p, h->name.data, h->name.len);
    p += h->name.len;
    *p++ = (char) h->type;

    if (has_length(h->type)) {
        p = write_big_endian(p, h->value.len, 2);
    } else if (h->type != GH_AWS_UUID) {
        return write_big_endian(p, (uint64_t) h->number, value_bytes[h->type]);
    }

    if (h->value.len != 0) {
        memcpy(p, h->value.data, h->value.len);
    }
    return p + h->value.len;
}

size_t
gh_aws_encode(const gh_aws_header_t *headers, size_t count, gh_str_t payload, char *buffer, size_t size)
{
    size_t i, total = gh_aws_encoded_length(headers, count, payload.len);
    char  *p = buffer + PRELUDE;

    if (total == 0 || total > size) {
        return 0;
    }

    /* First, since it may lie where headers are about to be. */
    if (payload.len != 0) {
        memmove(buffer + total - 4 - payload.len, payload.data, payload.len);
    }

    for (i = 0; i < count; i++) {
        p = header_write(p, &headers[i]);
    }

    (void) write_big_endian(buffer, total, 4);
    (void) write_big_endian(buffer + 4, (uint64_t) (p - buffer) - PRELUDE, 4);
    (void) write_big_endian(buffer + 8, gh_crc32(buffer, 8), 4);
    (void) write_big_endian(buffer + total - 4, gh_crc32(buffer, total - 4), 4);

    return total;
}

size_t
gh_aws_encode_json(gh_aws_kind_t kind, gh_str_t type, gh_str_t payload, char *buffer, size_t size)
{
    gh_aws_header_t headers[3];
    bool            exception = kind == GH_AWS_EXCEPTION;

    headers[0] = (gh_aws_header_t) { exception ? GH_STR(":exception-type") : GH_STR(":event-type"), GH_AWS_STRING, 0, type };
    headers[1] = (gh_aws_header_t) { GH_STR(":content-type"), GH_AWS_STRING, 0, GH_STR("application/json") };
    headers[2] = (gh_aws_header_t) { GH_STR(":message-type"), GH_AWS_STRING, 0, exception ? GH_STR("exception") : GH_STR("event") };

    return gh_aws_encode(headers, 3, payload, buffer, size);
}
