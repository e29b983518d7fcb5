/* Private to the wire: one server-sent event, and what a chat or completion chunk in it says. */
#ifndef GH_SSE_H
#define GH_SSE_H

#include "ngx_module/wire/wire.h"

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
    bool       done;            /* data is [DONE] */
    bool       error;           /* an error object, or an object of type error */
    bool       has_choices;
    bool       choices_empty;
    bool       has_usage;       /* an object that could be read */
    bool       usage_object;    /* an object */
    uint64_t   content_bytes;   /* of delta or text strings, decoded */
    gh_usage_t usage;
    gh_str_t   error_value;     /* the value of "error", or data itself */
} gh_chunk_t;

void gh_chunk_read(gh_str_t data, gh_chunk_t *chunk);

/* The HTTP status that an error value of a stream stands for: see gh_commit_look. */
int gh_chunk_error_status(gh_str_t error_value);

#endif
