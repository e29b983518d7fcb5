/* Private to the wire: one server-sent event, and what the chunk of an answer in it says. */
#ifndef GH_SSE_H
#define GH_SSE_H

#include "ngx_module/wire/wire.h"
#include "policy/base/json_reader.h"

typedef struct {
    gh_str_t data;         /* the data lines joined by LF; borrows from the event, or from scratch when there are several */
    bool     has_data;
    bool     is_error;     /* "event: error", or llama.cpp's former "error: {...}" line */
} gh_sse_event_t;

/*
 * Reads a complete event: all its lines, the blank one included or not. first: it begins the stream, so a byte order
 * mark may stand in front. scratch has at least event.len bytes.
 */
void gh_sse_read(gh_str_t event, bool first, char *scratch, gh_sse_event_t *out);

/* Offset past the first complete event (its blank line), 0 when there is none. A CR at the very end may have a LF to come. */
size_t gh_sse_end(gh_str_t text);

typedef struct {
    bool       readable;        /* data is one JSON object */
    bool       done;            /* the answer's own end: [DONE], message_stop */
    bool       error;           /* an error object, or an object of type error */
    bool       waits;           /* it says nothing of the answer yet: roles, annotations, beginnings, pings */
    bool       choices;         /* chat: there is a list of them */
    bool       finish;          /* chat: a choice has a finish_reason; messages: the answer has a stop_reason */
    bool       usage_only;      /* chat: choices are empty, and usage is an object */
    uint64_t   content_bytes;   /* of delta or text strings, decoded */
    gh_str_t   usage_value;     /* of "usage", when it is an object; data NULL: it is none */
    gh_str_t   error_value;     /* the value of "error", or data itself */
    gh_str_t   type;            /* messages: what it says of itself, escaped; empty: nothing */
} gh_chunk_t;

/* As a backend of this dialect writes it. */
void gh_chunk_read(gh_hub_dialect_t dialect, gh_str_t data, gh_chunk_t *chunk);

/* The same, a dialect each. */
void gh_chunk_chat(gh_str_t data, gh_chunk_t *chunk);
void gh_chunk_messages(gh_str_t data, gh_chunk_t *chunk);

/* true: data is one of OpenAI's chunks and like one that was learned from; what it says is in *chunk, as gh_chunk_chat finds it. */
bool gh_chunk_like(gh_chunk_like_t *like, gh_str_t data, gh_chunk_t *chunk);

/* What gh_chunk_chat found in data. */
void gh_chunk_learn(gh_chunk_like_t *like, gh_str_t data, const gh_chunk_t *chunk);

/* The bytes of the value to come, skipped. Empty when it is null, false or ""; data NULL when unreadable. */
gh_str_t gh_chunk_span(gh_json_reader_t *r, bool *object);

/* Adds how long all strings are, decoded, inside a value whose first event has been read, but for labels (role, id, type). */
bool gh_chunk_text(gh_json_reader_t *r, uint64_t *bytes);

/* The HTTP status that an error value of a stream stands for: see gh_commit_look. */
int gh_chunk_error_status(gh_str_t error_value);

#endif
