/*
 * What the load generator and its backend share: HTTP/1.1 messages as they come, and time. Trusts its peer: both ends are ours, and nginx in
 * between; what it cannot read it calls broken, and the measurement says so.
 */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static inline uint64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * UINT64_C(1000000000) + (uint64_t) t.tv_nsec;
}

static inline void
die(const char *what)
{
    perror(what);
    exit(1);
}

/* A message's end, found as its bytes come: by length, by chunks, or by the connection's end. */
typedef struct {
    enum { HTTP_HEAD = 0, HTTP_LENGTH, HTTP_CHUNK_SIZE, HTTP_CHUNK_DATA, HTTP_CHUNK_END, HTTP_TRAILER, HTTP_TO_END, HTTP_DONE, HTTP_BROKEN } state;
    char     head[4096];
    size_t   head_len;
    uint64_t left;                    /* bytes of the body, or of this chunk */
    bool     digits;                  /* of the chunk's size, still */
    unsigned ends;                    /* line ends seen in a row, behind the last chunk */
    int      status;                  /* of an answer */
    bool     close;                   /* the connection ends behind it */
} http_t;

/* A header's value, from its head; NULL: it is not there. */
static inline const char *
http_header(const http_t *http, const char *name)
{
    size_t      len = strlen(name);
    const char *line = http->head, *next;

    while ((next = strstr(line, "\r\n")) != NULL) {
        line = next + 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            line += len + 1;
            return line + strspn(line, " ");
        }
    }
    return NULL;
}

static inline void
http_head_done(http_t *http, bool answer)
{
    const char *length, *coding, *connection;

    http->head[http->head_len] = '\0';
    if (answer) {
        http->status = http->head_len > 12 ? (int) strtol(http->head + 9, NULL, 10) : 0;
    }
    connection = http_header(http, "connection");
    http->close = connection != NULL && strncasecmp(connection, "close", 5) == 0;
    coding = http_header(http, "transfer-encoding");
    if (coding != NULL && strncasecmp(coding, "chunked", 7) == 0) {
        http->state = HTTP_CHUNK_SIZE;
        http->left = 0;
        http->digits = true;
        return;
    }
    length = http_header(http, "content-length");
    http->left = length == NULL ? 0 : strtoull(length, NULL, 10);
    http->state = length == NULL && answer ? HTTP_TO_END : http->left > 0 ? HTTP_LENGTH : HTTP_DONE;
}

/* Takes in what there is of the head; returns the bytes used. */
static inline size_t
http_head(http_t *http, const char *data, size_t len, bool answer)
{
    for (size_t i = 0; i < len; i++) {
        if (http->head_len + 1 == sizeof(http->head)) {
            http->state = HTTP_BROKEN;
            return len;
        }
        http->head[http->head_len++] = data[i];
        if (data[i] == '\n' && http->head_len >= 4 && memcmp(http->head + http->head_len - 4, "\r\n\r\n", 4) == 0) {
            http_head_done(http, answer);
            return i + 1;
        }
    }
    return len;
}

static inline void
http_chunk_size(http_t *http, char c)
{
    if (c == '\n') {
        http->state = http->left > 0 ? HTTP_CHUNK_DATA : HTTP_TRAILER;
        http->ends = 1;
    } else if (c == ';' || c == '\r') {
        http->digits = false;
    } else if (http->digits) {
        http->left = http->left * 16 + (uint64_t) (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
}

/*
 * Takes in bytes up to the message's end or the next piece of its body, which it points out: *body, *body_len (0: none in these bytes).
 * Returns the bytes used.
 */
static inline size_t
http_take(http_t *http, const char *data, size_t len, bool answer, const char **body, size_t *body_len)
{
    size_t used = 0;

    *body_len = 0;
    while (used < len && http->state != HTTP_DONE && http->state != HTTP_BROKEN) {
        switch (http->state) {
        case HTTP_HEAD:
            used += http_head(http, data + used, len - used, answer);
            break;
        case HTTP_CHUNK_SIZE:
            http_chunk_size(http, data[used++]);
            break;
        case HTTP_CHUNK_END:
            if (data[used++] == '\n') {
                http->state = HTTP_CHUNK_SIZE;
                http->digits = true;
            }
            break;
        case HTTP_TRAILER:
            http->ends = data[used] == '\n' ? http->ends + 1 : data[used] == '\r' ? http->ends : 0;
            used++;
            http->state = http->ends == 2 ? HTTP_DONE : HTTP_TRAILER;
            break;
        default:
            *body = data + used;
            *body_len = http->state == HTTP_TO_END || http->left > len - used ? len - used : (size_t) http->left;
            used += *body_len;
            if (http->state != HTTP_TO_END && (http->left -= *body_len) == 0) {
                http->state = http->state == HTTP_LENGTH ? HTTP_DONE : HTTP_CHUNK_END;
            }
            return used;
        }
    }
    return used;
}

#endif
