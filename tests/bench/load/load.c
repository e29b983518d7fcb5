/*
 * Clients of a chat completions endpoint, all of them in one thread, for measuring: prints one JSON object.
 *
 *     load serial|closed|open|streams PORT [options]
 *
 *       serial   one connection, --requests N one after the other, blocking
 *       closed   --connections C, each sends its next request when it has its answer, for --seconds S; --awake: this processor never sleeps meanwhile,
 *                so that no server is charged for waking it (a slower one would be more often)
 *       open     --rate R requests a second, due at equal distances whether or not others are answered, on at most C connections; times from when each was due
 *       streams  C connections of one stream each, begun over a second; looks for lost and late chunks (a backend with an interval says when it wrote them)
 *
 *       --size BYTES   of the body          --stream      ask for one         --header TEXT   one more line
 *       --keys N --first F   API keys of N tenants from the F-th on, at random, uniformly        --key TEXT   this one always       --expect STATUS
 *
 * A connection that ends with no byte of an answer, between two requests, is "raced": nginx ended it as it was used. One that ends inside an answer is
 * "cut". Both and other statuses are counted, not hidden; the times are those of the answers expected.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "policy/identity/key.h"
#include "tests/bench/load/histogram.h"
#include "tests/bench/load/http.h"

#define CONNECTIONS 4096
#define EVENT_MAX   1024              /* of a chunk's text that is looked at */

typedef struct {
    int         fd;
    char        head[768];
    size_t      head_len, sent;
    http_t      http;
    uint64_t    begun_ns;             /* or due */
    uint64_t    got;                  /* bytes of this answer */
    unsigned    tries;                /* of this request: ended without a byte */
    bool        busy, first;          /* first: no chunk of this stream came yet */
    char        event[EVENT_MAX];
    size_t      event_len;
    uint64_t    chunks, expected;     /* of this stream: come; the number that comes next */
    bool        done;                 /* [DONE] came */
} connection_t;

static connection_t connections[CONNECTIONS];
static histogram_t  times, first_chunks, transits;
static struct {
    uint64_t ok, other, cut, raced, chunks, lost, late_due, complete, bytes;
    int      status;                  /* the last other one */
} counts;

static const char *mode, *key, *header = "";
static unsigned    port, connection_count = 1, expect = 200;
static uint64_t    requests = 1000, keys = 1, first_key, rate = 1000;
static double      seconds = 1;
static size_t      size = 1024, body_len;
static bool        stream, awake, look;      /* look: into the chunks */
static char       *body;
static int         epoll = -1;

/* ---- requests ---- */

static uint64_t
next_random(void)
{
    static uint64_t state = 0;

    if (state == 0) {
        state = now_ns() | 1;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state >> 11;
}

/* {"model":...,"messages":[{"role":"system",...},{"role":"user","content":"..."}]}, of `size` bytes. */
static void
make_body(void)
{
    static const char words[] = "which of these invoices was paid late, and by whom? ";
    int               len;

    body = malloc(size + 1024);
    len = snprintf(body, 1024, "{\"model\":\"model-0\",%s\"max_completion_tokens\":100,\"temperature\":0.2,\"messages\":[{\"role\":\"system\",\"content\":"
        "\"You answer in one sentence.\"},{\"role\":\"user\",\"content\":\"", stream ? "\"stream\":true," : "");
    body_len = (size_t) len;
    while (body_len + 4 < size) {
        body[body_len] = words[(body_len - (size_t) len) % (sizeof(words) - 1)];
        body_len++;
    }
    memcpy(body + body_len, "\"}]}", 4);
    body_len += 4;
}

/* As gatehouse's tests/bench/scale makes them: a key's random bytes are the number of its tenant. */
static void
write_key(char text[GH_KEY_TEXT])
{
    uint8_t  random[32] = { 0 };
    uint32_t number = (uint32_t) (first_key + next_random() % keys);

    memcpy(random, &number, sizeof(number));
    gh_key_text(random, text);
}

static const char authorization[] = "authorization: Bearer ";

static void
make_head(connection_t *c)
{
    c->head_len = (size_t) snprintf(c->head, sizeof(c->head), "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n%s%.*s\r\n"
        "content-type: application/json\r\n%s%scontent-length: %zu\r\nuser-agent: bench/1\r\naccept: application/json\r\n\r\n",
        authorization, GH_KEY_TEXT, key != NULL ? key : "----------------------------------------------------", header,
        *header != '\0' ? "\r\n" : "", body_len);
}

static void
connect_to(connection_t *c)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t) port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int                one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *) &address, sizeof(address)) != 0) {
        die("connect");
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (epoll >= 0) {
        epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &(struct epoll_event) { .events = EPOLLIN, .data.ptr = c });
    }
}

/* All of it, blocking when the socket is full: the other end reads. */
static void
send_request(connection_t *c)
{
    struct iovec  parts[2];
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    ssize_t       sent;

    if (key == NULL) {
        write_key(strstr(c->head, authorization) + sizeof(authorization) - 1);
    }
    c->http.state = HTTP_HEAD;
    c->http.head_len = 0;
    c->got = c->chunks = c->expected = 0;
    c->first = c->busy = true;
    c->done = false;
    c->event_len = 0;
    parts[0] = (struct iovec) { c->head, c->head_len };
    parts[1] = (struct iovec) { body, body_len };
    sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    if (sent >= 0 && (size_t) sent < c->head_len + body_len) {
        size_t rest = c->head_len + body_len - (size_t) sent;

        while (rest > 0 && (sent = send(c->fd, body + body_len - rest, rest, MSG_NOSIGNAL)) > 0) {
            rest -= (size_t) sent;
        }
    }
}

/* ---- answers ---- */

static void
take_event(connection_t *c)
{
    static const char content[] = "\"content\":\"";
    const char       *at;
    char             *end;
    uint64_t          number, written;

    c->event[c->event_len] = '\0';
    if (strstr(c->event, "data: [DONE]") != NULL) {
        c->done = true;
        return;
    }
    if ((at = strstr(c->event, content)) == NULL) {
        return;
    }
    at += sizeof(content) - 1;
    number = strtoull(at, &end, 10);
    if (end == at || *end != ' ') {
        return;
    }
    written = strtoull(end, NULL, 10);
    histogram_add(&transits, now_ns() - written);
    if (c->first) {
        histogram_add(&first_chunks, now_ns() - c->begun_ns);
        c->first = false;
    }
    counts.lost += number > c->expected ? number - c->expected : 0;
    c->expected = number + 1;
    c->chunks++;
    counts.chunks++;
}

/* Events end in an empty line. */
static void
take_stream(connection_t *c, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' && c->event_len > 0 && c->event[c->event_len - 1] == '\n') {
            take_event(c);
            c->event_len = 0;
        } else if (c->event_len + 1 < EVENT_MAX) {
            c->event[c->event_len++] = data[i];
        }
    }
}

typedef enum { GOES_ON, ANSWERED, ENDED } taken_t;

/* One read. ENDED: the connection is closed and made anew; its request was cut or raced. */
static taken_t
read_answer(connection_t *c)
{
    static char buffer[256 * 1024];
    ssize_t     got = recv(c->fd, buffer, sizeof(buffer), 0);
    size_t      used = 0;

    if (got <= 0) {
        close(c->fd);
        connect_to(c);
        return ENDED;
    }
    c->got += (uint64_t) got;
    counts.bytes += (uint64_t) got;
    while (used < (size_t) got && c->http.state != HTTP_DONE) {
        const char *data;
        size_t      len;

        used += http_take(&c->http, buffer + used, (size_t) got - used, true, &data, &len);
        if (len > 0 && look) {
            take_stream(c, data, len);
        }
        if (c->http.state == HTTP_BROKEN) {
            fprintf(stderr, "an answer that is no HTTP/1.1\n");
            exit(1);
        }
    }
    return c->http.state == HTTP_DONE ? ANSWERED : GOES_ON;
}

/* Counts what came of a request. true: it is over; false: it was raced and has been sent again. */
static bool
count_answer(connection_t *c, taken_t taken)
{
    if (taken == ENDED) {
        if (c->got == 0 && c->tries++ < 3) {
            counts.raced++;
            send_request(c);
            return false;
        }
        counts.cut++;
        c->busy = false;
        return true;
    }
    c->busy = false;
    if ((unsigned) c->http.status == expect) {
        counts.ok++;
        counts.complete += c->done;
        histogram_add(&times, now_ns() - c->begun_ns);
    } else {
        counts.other++;
        counts.status = c->http.status;
    }
    if (c->http.close) {
        close(c->fd);
        connect_to(c);
    }
    return true;
}

/* ---- the modes ---- */

static void
begin(connection_t *c, uint64_t at_ns)
{
    c->begun_ns = at_ns;
    c->tries = 0;
    send_request(c);
}

static void
serial(void)
{
    connection_t *c = &connections[0];

    connect_to(c);
    for (uint64_t i = 0; i < requests; i++) {
        taken_t taken;

        begin(c, now_ns());
        do {
            while ((taken = read_answer(c)) == GOES_ON) {
                /* its next part */
            }
        } while (!count_answer(c, taken));
    }
}

/* Events until then at the latest; `over` is called for each connection whose request is over. */
static void
turn(uint64_t until_ns, void (*over)(connection_t *c))
{
    struct epoll_event events[256];
    uint64_t           now = now_ns(), wait = until_ns > now ? until_ns - now : 0;
    struct timespec    timeout = { (time_t) (wait / 1000000000), (long) (wait % 1000000000) };
    int                count = epoll_pwait2(epoll, events, 256, &timeout, NULL);

    for (int i = 0; i < count; i++) {
        connection_t *c = events[i].data.ptr;
        taken_t       taken;

        if (!c->busy) {               /* nginx closes what is idle */
            close(c->fd);
            connect_to(c);
            continue;
        }
        taken = read_answer(c);
        if (taken != GOES_ON && count_answer(c, taken)) {
            over(c);
        }
    }
}

static uint64_t end_ns;

static void
again(connection_t *c)
{
    if (now_ns() < end_ns) {
        begin(c, now_ns());
    }
}

static void
nothing(connection_t *c)
{
    (void) c;
}

static unsigned
busy(void)
{
    unsigned found = 0;

    for (unsigned i = 0; i < connection_count; i++) {
        found += connections[i].busy;
    }
    return found;
}

/* What runs may end. */
static void
drain(void)
{
    uint64_t limit = now_ns() + UINT64_C(30000000000);

    while (busy() > 0 && now_ns() < limit) {
        turn(now_ns() + 100000000, nothing);
    }
    counts.cut += busy();
}

static void
closed(void)
{
    for (unsigned i = 0; i < connection_count; i++) {
        begin(&connections[i], now_ns());
    }
    while (now_ns() < end_ns) {
        turn(awake ? 0 : end_ns, again);
        if (awake) {
            sched_yield();
        }
    }
    drain();
}

static connection_t *idle[CONNECTIONS];
static unsigned      idle_count;

static void
put_idle(connection_t *c)
{
    idle[idle_count++] = c;
}

static void
open_loop(void)
{
    uint64_t begun = now_ns(), distance = UINT64_C(1000000000) / rate, due = begun;

    for (unsigned i = 0; i < connection_count; i++) {
        put_idle(&connections[i]);
    }
    while (now_ns() < end_ns) {
        uint64_t now = now_ns();

        while (due <= now && idle_count > 0) {
            begin(idle[--idle_count], due);
            due += distance;
        }
        counts.late_due += due <= now;
        turn(idle_count > 0 ? due : end_ns, put_idle);
    }
    drain();
}

static void
streams(void)
{
    uint64_t begun = now_ns();

    for (unsigned i = 0; i < connection_count; i++) {
        uint64_t at = begun + UINT64_C(1000000000) * i / connection_count;

        while (now_ns() < at) {
            turn(at, again);
        }
        begin(&connections[i], now_ns());
    }
    while (now_ns() < end_ns) {
        turn(end_ns, again);
    }
    drain();
}

/* ---- the command ---- */

static int
options(int argc, char **argv)
{
    for (int i = 3; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(name, "--stream") == 0) {
            stream = true;
            continue;
        }
        if (strcmp(name, "--awake") == 0) {
            awake = true;
            continue;
        }
        i++;
        if (strcmp(name, "--requests") == 0) {
            requests = strtoull(value, NULL, 10);
        } else if (strcmp(name, "--connections") == 0) {
            connection_count = (unsigned) strtoul(value, NULL, 10);
        } else if (strcmp(name, "--seconds") == 0) {
            seconds = strtod(value, NULL);
        } else if (strcmp(name, "--rate") == 0) {
            rate = strtoull(value, NULL, 10);
        } else if (strcmp(name, "--size") == 0) {
            size = strtoull(value, NULL, 10);
        } else if (strcmp(name, "--keys") == 0) {
            keys = strtoull(value, NULL, 10);
        } else if (strcmp(name, "--first") == 0) {
            first_key = strtoull(value, NULL, 10);
        } else if (strcmp(name, "--key") == 0) {
            key = value;
        } else if (strcmp(name, "--header") == 0) {
            header = value;
        } else if (strcmp(name, "--expect") == 0) {
            expect = (unsigned) strtoul(value, NULL, 10);
        } else {
            fprintf(stderr, "load: %s?\n", name);
            return 64;
        }
    }
    return connection_count > 0 && connection_count <= CONNECTIONS && keys > 0 && rate > 0 ? 0 : 64;
}

static void
print(double took)
{
    printf("{\"ok\": %llu, \"other\": %llu, \"other_status\": %d, \"cut\": %llu, \"raced\": %llu, \"seconds\": %.6f, \"bytes\": %llu, "
        "\"p50_us\": %.2f, \"p90_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, ",
        (unsigned long long) counts.ok, (unsigned long long) counts.other, counts.status, (unsigned long long) counts.cut,
        (unsigned long long) counts.raced, took, (unsigned long long) counts.bytes, histogram_us(&times, 0.5), histogram_us(&times, 0.9),
        histogram_us(&times, 0.99), histogram_us(&times, 0.999));
    printf("\"chunks\": %llu, \"lost\": %llu, \"complete\": %llu, \"first_p50_us\": %.2f, \"first_p99_us\": %.2f, \"transit_p50_us\": %.2f, "
        "\"transit_p99_us\": %.2f, \"waited\": %llu}\n",
        (unsigned long long) counts.chunks, (unsigned long long) counts.lost, (unsigned long long) counts.complete,
        histogram_us(&first_chunks, 0.5), histogram_us(&first_chunks, 0.99), histogram_us(&transits, 0.5), histogram_us(&transits, 0.99),
        (unsigned long long) counts.late_due);
}

int
main(int argc, char **argv)
{
    static const struct { const char *name; void (*run)(void); } modes[] = {
        { "serial", serial }, { "closed", closed }, { "open", open_loop }, { "streams", streams },
    };
    uint64_t begun;

    if (argc < 3 || options(argc, argv) != 0) {
        fprintf(stderr, "usage: load serial|closed|open|streams PORT [options]\n");
        return 64;
    }
    mode = argv[1];
    port = (unsigned) strtoul(argv[2], NULL, 10);
    look = strcmp(mode, "streams") == 0;
    stream |= look;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    make_body();
    epoll = strcmp(mode, "serial") == 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < connection_count; i++) {
        make_head(&connections[i]);
        if (epoll >= 0) {
            connect_to(&connections[i]);
        }
    }
    begun = now_ns();
    end_ns = begun + (uint64_t) (seconds * 1e9);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(mode, modes[i].name) == 0) {
            modes[i].run();
            print((double) (now_ns() - begun) / 1e9);
            return 0;
        }
    }
    fprintf(stderr, "load: no mode %s\n", mode);
    return 64;
}
