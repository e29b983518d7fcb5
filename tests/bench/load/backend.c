/*
 * A model's server that does nothing but answer, as quickly as it can: OpenAI's chat completions, for measuring what stands in front of it.
 *
 *     backend PORT [--chunks N] [--interval-us N]
 *
 * Answers every POST alike: a completion, or, when the body says "stream":true in its first or last 512 bytes, N chunks and [DONE] (and a chunk with
 * usage, when the body says include_usage). Without an interval they are written at once; with one, each by itself, and its text is "NUMBER NANOSECONDS", of
 * CLOCK_MONOTONIC, for a reader that looks for lost and late ones. One process, one thread; ends with the process that started it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/bench/load/http.h"

#define CONNECTIONS 8192
#define EDGE        512               /* of a body's beginning and end that are looked at */

#define USAGE "\"usage\":{\"prompt_tokens\":250,\"completion_tokens\":60,\"total_tokens\":310}"
#define CHUNK "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"m0\",\"choices\":["

typedef struct connection_s {
    int                  fd;
    http_t               http;
    char                 first[EDGE], last[EDGE];
    size_t               first_len, last_len;
    bool                 usage;           /* asked for, of a stream */
    unsigned             chunk;           /* the next one's number */
    uint64_t             due_ns;          /* 0: no paced stream */
    struct connection_s *next;            /* due behind this one */
} connection_t;

static connection_t *connections[CONNECTIONS];
static unsigned      chunks = 20;
static uint64_t      interval_ns;
static char          plain[2048], *burst[2];
static size_t        plain_len, burst_len[2];
static connection_t *due_first, *due_last;
static int           epoll, timer, listener;

/* ---- what it says ---- */

static size_t
chunk_framed(char *to, size_t size, const char *event)
{
    return (size_t) snprintf(to, size, "%zx\r\ndata: %s\n\n\r\n", strlen(event) + 8, event);
}

static size_t
chunk_text(char *to, size_t size, const char *text)
{
    char event[512];

    snprintf(event, sizeof(event), CHUNK "{\"index\":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":null}]}", text);
    return chunk_framed(to, size, event);
}

static size_t
stream_end(char *to, size_t size, bool usage)
{
    size_t len = chunk_framed(to, size, CHUNK "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}");

    if (usage) {
        len += chunk_framed(to + len, size - len, CHUNK "]," USAGE "}");
    }
    len += chunk_framed(to + len, size - len, "[DONE]");
    return len + (size_t) snprintf(to + len, size - len, "0\r\n\r\n");
}

static const char stream_head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nx-request-id: req_0123456789\r\n\r\n";

static void
make_answers(void)
{
    char   body[1024];
    size_t room = sizeof(stream_head) + 2048 + chunks * 256;

    snprintf(body, sizeof(body), "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1790000000,\"model\":\"m0\",\"choices\":[{\"index\":0,"
        "\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}]," USAGE "}",
        "Sweden, Norway and Denmark share a border of sorts: the first two by land, the last one by a bridge and a tunnel of sixteen kilometres.");
    plain_len = (size_t) snprintf(plain, sizeof(plain), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
        "x-request-id: req_0123456789\r\n\r\n%s", strlen(body), body);
    for (int usage = 0; usage < 2; usage++) {
        char *to = burst[usage] = malloc(room);

        memcpy(to, stream_head, sizeof(stream_head) - 1);
        burst_len[usage] = sizeof(stream_head) - 1;
        for (unsigned i = 0; i < chunks; i++) {
            burst_len[usage] += chunk_text(to + burst_len[usage], room - burst_len[usage], " a token");
        }
        burst_len[usage] += stream_end(to + burst_len[usage], room - burst_len[usage], usage);
    }
}

/* ---- connections ---- */

static void
leave(connection_t *c)
{
    connections[c->fd] = NULL;
    close(c->fd);
    c->fd = -1;                       /* freed when nothing is due any more */
    if (c->due_ns == 0) {
        free(c);
    }
}

/* Whole or not at all: what does not fit into a socket's buffer ends the connection, and the reader calls it cut. */
static bool
say(connection_t *c, const char *data, size_t len)
{
    if (send(c->fd, data, len, MSG_NOSIGNAL) == (ssize_t) len) {
        return true;
    }
    leave(c);
    return false;
}

static void
set_timer(uint64_t at_ns)
{
    struct itimerspec at = { .it_value = { (time_t) (at_ns / 1000000000), (long) (at_ns % 1000000000) } };

    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

/* All intervals are the same: who is due last stands last. */
static void
put_due(connection_t *c, uint64_t at_ns)
{
    c->due_ns = at_ns;
    c->next = NULL;
    if (due_first == NULL) {
        due_first = c;
        set_timer(at_ns);
    } else {
        due_last->next = c;
    }
    due_last = c;
}

/* The next chunk of a paced stream, or its end. false: nothing comes behind it. */
static bool
pace(connection_t *c)
{
    char   out[4096], text[64];
    size_t len = 0;

    if (c->chunk == 0) {
        len = sizeof(stream_head) - 1;
        memcpy(out, stream_head, len);
    }
    if (c->chunk < chunks) {
        snprintf(text, sizeof(text), "%u %llu", c->chunk++, (unsigned long long) now_ns());
        len += chunk_text(out + len, sizeof(out) - len, text);
        return say(c, out, len);
    }
    len = stream_end(out, sizeof(out), c->usage);
    if (say(c, out, len)) {
        c->due_ns = 0;
    }
    return false;
}

static void
run_due(void)
{
    uint64_t now = now_ns();

    while (due_first != NULL && due_first->due_ns <= now) {
        connection_t *c = due_first;

        due_first = c->next;
        if (c->fd < 0) {
            free(c);
        } else if (pace(c)) {
            put_due(c, c->due_ns + interval_ns);
        } else if (c->fd < 0) {
            free(c);
        }
    }
    if (due_first != NULL) {
        set_timer(due_first->due_ns);
    }
}

static bool
in_edges(const connection_t *c, const char *word)
{
    return memmem(c->first, c->first_len, word, strlen(word)) != NULL || memmem(c->last, c->last_len, word, strlen(word)) != NULL;
}

static bool
answer(connection_t *c)
{
    bool streamed = in_edges(c, "\"stream\":true"), sent;

    c->usage = streamed && in_edges(c, "include_usage");
    c->chunk = 0;
    if (!streamed) {
        sent = say(c, plain, plain_len);
    } else if (interval_ns == 0) {
        sent = say(c, burst[c->usage], burst_len[c->usage]);
    } else if ((sent = pace(c))) {
        put_due(c, now_ns() + interval_ns);
    }
    if (sent) {
        c->first_len = c->last_len = 0;
        c->http.state = HTTP_HEAD;
        c->http.head_len = 0;
    }
    return sent;
}

static void
keep_edges(connection_t *c, const char *data, size_t len)
{
    size_t part = len < EDGE - c->first_len ? len : EDGE - c->first_len;

    memcpy(c->first + c->first_len, data, part);
    c->first_len += part;
    part = len < EDGE ? len : EDGE;
    if (c->last_len + part > EDGE) {
        memmove(c->last, c->last + (c->last_len + part - EDGE), EDGE - part);
        c->last_len = EDGE - part;
    }
    memcpy(c->last + c->last_len, data + len - part, part);
    c->last_len += part;
}

static void
read_from(connection_t *c)
{
    static char buffer[256 * 1024];
    ssize_t     got = recv(c->fd, buffer, sizeof(buffer), 0);
    size_t      used = 0;

    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            leave(c);
        }
        return;
    }
    while (used < (size_t) got) {
        const char *body;
        size_t      len;

        used += http_take(&c->http, buffer + used, (size_t) got - used, false, &body, &len);
        if (len > 0) {
            keep_edges(c, body, len);
        }
        if (c->http.state == HTTP_BROKEN) {
            leave(c);
            return;
        }
        if (c->http.state == HTTP_DONE && !answer(c)) {
            return;
        }
    }
}

static void
accept_all(void)
{
    int fd, one = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        connection_t *c = fd < CONNECTIONS ? calloc(1, sizeof(*c)) : NULL;

        if (c == NULL) {
            close(fd);
            continue;
        }
        c->fd = fd;
        connections[fd] = c;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event) { .events = EPOLLIN, .data.fd = fd });
    }
}

static void
listen_on(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t) port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int                one = 1;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 || listen(listener, 4096) != 0) {
        die("bind");
    }
    epoll = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event) { .events = EPOLLIN, .data.fd = listener });
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &(struct epoll_event) { .events = EPOLLIN, .data.fd = timer });
}

int
main(int argc, char **argv)
{
    struct epoll_event events[256];

    if (argc < 2) {
        fprintf(stderr, "usage: backend PORT [--chunks N] [--interval-us N]\n");
        return 64;
    }
    for (int i = 2; i + 1 < argc; i += 2) {
        chunks = strcmp(argv[i], "--chunks") == 0 ? (unsigned) strtoul(argv[i + 1], NULL, 10) : chunks;
        interval_ns = strcmp(argv[i], "--interval-us") == 0 ? strtoull(argv[i + 1], NULL, 10) * 1000 : interval_ns;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    make_answers();
    listen_on((int) strtol(argv[1], NULL, 10));
    for (;;) {
        int count = epoll_wait(epoll, events, 256, -1);

        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;

            if (fd == listener) {
                accept_all();
            } else if (fd == timer) {
                uint64_t times;

                (void) !read(timer, &times, sizeof(times));
                run_due();
            } else if (connections[fd] != NULL) {
                read_from(connections[fd]);
            }
        }
    }
}
