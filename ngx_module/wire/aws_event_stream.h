/*
 * application/vnd.amazon.eventstream, the framing of AWS's event streams (ConverseStream, InvokeModelWithResponseStream). Format:
 * smithy.io "Amazon Event Stream Specification"; limits: those of aws-c-event-stream and botocore.
 *
 *     u32 total length | u32 length of headers | u32 CRC-32 of these 8 bytes | headers | payload | u32 CRC-32 of all before
 *     header: u8 length of name | name | u8 type | value
 *
 * Integers are big-endian. Neither CRC is a secret or a signature: they find damage, TLS keeps others out.
 */
#ifndef GH_AWS_EVENT_STREAM_H
#define GH_AWS_EVENT_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"

#define GH_AWS_MESSAGE_MAX  (24u << 20)    /* bytes of a message */
#define GH_AWS_HEADERS_MAX  (128u << 10)   /* bytes of a message's headers */
#define GH_AWS_HEADER_COUNT 128            /* of a message; the format has no number, what services send has 3 to 5 */
#define GH_AWS_VALUE_MAX    32767u         /* bytes of a header's value */
#define GH_AWS_OVERHEAD     16u            /* bytes of a message without headers and payload */

typedef enum {
    GH_AWS_TRUE = 0, GH_AWS_FALSE, GH_AWS_INT8, GH_AWS_INT16, GH_AWS_INT32, GH_AWS_INT64, GH_AWS_BYTES, GH_AWS_STRING,
    GH_AWS_TIMESTAMP, GH_AWS_UUID,
    GH_AWS_HEADER_TYPES
} gh_aws_header_type_t;   /* the byte on the wire */

typedef struct {
    gh_str_t             name;     /* 1..255 bytes of UTF-8 */
    gh_aws_header_type_t type;
    int64_t              number;   /* of the four integers, and milliseconds since 1970 of a timestamp */
    gh_str_t             value;    /* of BYTES, STRING (UTF-8) and UUID (16 bytes) */
} gh_aws_header_t;

typedef struct {
    gh_str_t headers;        /* checked; read them with gh_aws_header_next */
    unsigned header_count;
    gh_str_t payload;
} gh_aws_message_t;

/* All of a message that was read, from its prelude to its checksum; borrows as the message does. */
static inline gh_str_t
gh_aws_message_bytes(const gh_aws_message_t *message)
{
    return (gh_str_t) { message->headers.data - 12, 12 + message->headers.len + message->payload.len + 4 };
}

/* ---- reading ---- */

typedef enum {
    GH_AWS_MORE = 0,      /* all bytes are taken, no message is complete */
    GH_AWS_MESSAGE,
    GH_AWS_WRONG          /* *error says what; stays */
} gh_aws_read_t;

typedef struct {
    /* private */
    gh_arena_t *arena;
    uint32_t    max_message;
    char       *carry;            /* of a message that came in parts */
    uint32_t    carry_size, carry_len;
    uint32_t    total, headers;   /* of the message being read; total 0: its prelude is not there yet */
    uint64_t    messages;         /* complete ones */
    uint64_t    offset;           /* of the message being read */
    gh_error_t  failure;          /* code NULL: none */
} gh_aws_decoder_t;

/*
 * max_message: bytes of a message, GH_AWS_OVERHEAD..GH_AWS_MESSAGE_MAX. A message that lies in one part is read where it is; of others, what came is kept
 * in a buffer that grows as they come, never as they announce: less than 3 * max_message bytes of the arena in a decoder's life.
 */
void gh_aws_decoder_init(gh_aws_decoder_t *decoder, gh_arena_t *arena, uint32_t max_message);

/*
 * Takes bytes from *data, moving it, until a message is complete. *message borrows from data or from the decoder until the next call. Parts may be cut
 * anywhere: messages and errors are the same. Codes of errors:
 *   event_stream_prelude_checksum, event_stream_message_checksum
 *   event_stream_length                          less than the 16 bytes that every message has
 *   event_stream_too_long                        more than max_message
 *   event_stream_headers_length                  more than the message or GH_AWS_HEADERS_MAX
 *   event_stream_header_cut                      a header goes beyond the headers
 *   event_stream_header_name                     empty or no UTF-8
 *   event_stream_header_type                     none of the ten
 *   event_stream_header_value                    above GH_AWS_VALUE_MAX, or a string that is no UTF-8
 *   event_stream_header_twice                    two of one name
 *   event_stream_header_count                    more than GH_AWS_HEADER_COUNT
 *   no_memory
 */
gh_aws_read_t gh_aws_decoder_next(gh_aws_decoder_t *decoder, gh_str_t *data, gh_aws_message_t *message, gh_error_t *error);

/* The end of the stream. GH_ERROR: it failed before, or ends inside of a message ("event_stream_cut"). */
int gh_aws_decoder_finish(const gh_aws_decoder_t *decoder, gh_error_t *error);

/* The next of a message's headers; *rest begins as message->headers. false: there are no more. */
bool gh_aws_header_next(gh_str_t *rest, gh_aws_header_t *header);

bool gh_aws_header_find(const gh_aws_message_t *message, gh_str_t name, gh_aws_header_t *header);

/* ---- what a message is ---- */

typedef enum {
    GH_AWS_EVENT = 0,        /* type: :event-type */
    GH_AWS_EXCEPTION,        /* modelled: type is :exception-type, the payload its JSON */
    GH_AWS_FAULT,            /* not modelled: type is :error-code, text :error-message */
    GH_AWS_UNKNOWN           /* a :message-type from later than this; type is its value */
} gh_aws_kind_t;

typedef struct {
    gh_aws_kind_t kind;
    gh_str_t      type;
    gh_str_t      text;           /* of a fault; else "" */
    gh_str_t      content_type;   /* "" when there is none */
} gh_aws_class_t;

/* GH_ERROR, "event_stream_message_type": no :message-type, or not the header that says which event or exception it is, or it is no string. */
int gh_aws_classify(const gh_aws_message_t *message, gh_aws_class_t *class, gh_error_t *error);

/* ---- writing ---- */

/* Bytes of the message, or 0 when it is above one of the limits. */
size_t gh_aws_encoded_length(const gh_aws_header_t *headers, size_t count, size_t payload_len);

/*
 * Writes the message and returns its length, or 0 when a header is wrong, it is above a limit, or size is too small. The payload may lie in buffer, at its
 * place there (12 bytes and those of the headers behind the beginning), too. Two headers of one name are not looked for.
 */
size_t gh_aws_encode(const gh_aws_header_t *headers, size_t count, gh_str_t payload, char *buffer, size_t size);

/* An event or a modelled exception with a JSON payload, headers as services send them. The same, for those two kinds. */
size_t gh_aws_encode_json(gh_aws_kind_t kind, gh_str_t type, gh_str_t payload, char *buffer, size_t size);

#endif
