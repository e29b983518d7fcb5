/* The HTTP client against a server of the test's own on loopback, in clear text and in TLS with a certificate made here. */
#define _GNU_SOURCE   /* strcasestr */
#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy/agent/fetch.h"
#include "tests/unit/check.h"

#define REQUEST_MAX 65536

typedef struct {
    int        listener;
    int        port;
    SSL_CTX   *tls;       /* NULL: clear text */
    pthread_t  thread;
    _Atomic int requests;
} server_t;

/* One connection: its bytes, in TLS or not. */
typedef struct {
    int  fd;
    SSL *ssl;
} peer_t;

static ssize_t
peer_read(peer_t *peer, char *data, size_t size)
{
    return peer->ssl != NULL ? SSL_read(peer->ssl, data, (int) size) : recv(peer->fd, data, size, 0);
}

static int
peer_write(peer_t *peer, const char *data, size_t len)
{
    ssize_t n;

    while (len > 0) {
        n = peer->ssl != NULL ? SSL_write(peer->ssl, data, (int) len) : send(peer->fd, data, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return 0;
        }
        data += n;
        len -= (size_t) n;
    }
    return 1;
}

static void
peer_say(peer_t *peer, const char *text)
{
    (void) peer_write(peer, text, strlen(text));
}

/* Until the other side goes away, or two seconds are over. */
static void
peer_wait(peer_t *peer)
{
    struct pollfd one = { .fd = peer->fd, .events = POLLIN };

    (void) poll(&one, 1, 2000);
}

static void
answer(peer_t *peer, const char *path, const char *request, size_t len)
{
    char   head[256];
    size_t i;

    if (strcmp(path, "/echo") == 0) {
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Two:  a \r\nx-two: b\r\nETag: \"7\"\r\nContent-Length: %zu\r\n\r\n", len);
        peer_say(peer, head);
        (void) peer_write(peer, request, len);
    } else if (strcmp(path, "/continue") == 0) {
        peer_say(peer, "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!");
    } else if (strcmp(path, "/chunked") == 0) {
        peer_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: 1\r\n\r\n");
    } else if (strcmp(path, "/redirect") == 0) {
        peer_say(peer, "HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n");
    } else if (strcmp(path, "/big") == 0) {
        peer_say(peer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        for (i = 0; i < 4096 && peer_write(peer, "0123456789abcdef0123456789abcdef", 32); i++) {
        }
    } else if (strcmp(path, "/head") == 0) {
        peer_say(peer, "HTTP/1.1 200 OK\r\n");
        for (i = 0; i < 4096 && peer_write(peer, "X-Some: 0123456789abcdef01234567\r\n", 34); i++) {
        }
    } else if (strcmp(path, "/short") == 0) {
        peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    } else if (strcmp(path, "/none") == 0) {
        peer_say(peer, "220 mail.example ESMTP\r\n");
    } else if (strcmp(path, "/slow") == 0) {
        peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        peer_wait(peer);
    } else {
        peer_say(peer, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    }
}

static void
serve_one(server_t *server, peer_t *peer)
{
    static _Thread_local char request[REQUEST_MAX];
    char                      path[256] = "", *end;
    size_t                    len = 0, body = 0;
    ssize_t                   n;

    while (len < sizeof(request) - 1) {
        n = peer_read(peer, request + len, sizeof(request) - 1 - len);
        if (n <= 0) {
            return;
        }
        len += (size_t) n;
        request[len] = '\0';
        if (request[0] < 'A') {   /* a ClientHello */
            break;
        }
        end = strstr(request, "\r\n\r\n");
        if (end != NULL) {
            if (strcasestr(request, "content-length:") != NULL) {
                body = strtoul(strcasestr(request, "content-length:") + 15, NULL, 10);
            }
            if (len >= (size_t) (end + 4 - request) + body) {
                break;
            }
        }
    }
    server->requests++;
    sscanf(request, "%*s %255[^ ?]", path);
    /* A proxy is asked by the whole URL. */
    answer(peer, strrchr(path, '/') != NULL ? strrchr(path, '/') : path, request, len);
}

static void *
serve(void *context)
{
    server_t *server = context;
    peer_t    peer;

    /* Whoever goes away in the middle of an answer ends that answer alone. */
    sigset_t pipe;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    for ( ;; ) {
        peer.fd = accept(server->listener, NULL, NULL);
        if (peer.fd < 0) {
            return NULL;
        }
        peer.ssl = NULL;
        if (server->tls != NULL) {
            peer.ssl = SSL_new(server->tls);
            SSL_set_fd(peer.ssl, peer.fd);
        }
        if (peer.ssl == NULL || SSL_accept(peer.ssl) == 1) {
            serve_one(server, &peer);
            if (peer.ssl != NULL) {
                SSL_shutdown(peer.ssl);
            }
        }
        SSL_free(peer.ssl);
        close(peer.fd);
    }
}

static void
server_start(server_t *server, SSL_CTX *tls)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          size = sizeof(address);

    server->tls = tls;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server->listener, (struct sockaddr *) &address, size) != 0 || listen(server->listener, 16) != 0
        || getsockname(server->listener, (struct sockaddr *) &address, &size) != 0
        || pthread_create(&server->thread, NULL, serve, server) != 0)
    {
        perror("server");
        exit(1);
    }
    server->port = ntohs(address.sin_port);
}

static void
server_stop(server_t *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
}

/* A certificate of its own for that name, written to file; the context that shows it. */
static SSL_CTX *
make_tls(const char *name, const char *file)
{
    EVP_PKEY       *key = EVP_EC_gen("P-256");
    X509           *certificate = X509_new();
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, name);
    SSL_CTX        *tls = SSL_CTX_new(TLS_server_method());
    FILE           *out = fopen(file, "w");

    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *) "test", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    X509_add_ext(certificate, extension, -1);
    X509_sign(certificate, key, EVP_sha256());
    PEM_write_X509(out, certificate);
    fclose(out);
    CHECK(SSL_CTX_use_certificate(tls, certificate) == 1 && SSL_CTX_use_PrivateKey(tls, key) == 1);
    X509_EXTENSION_free(extension);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return tls;
}

/* One exchange with http://127.0.0.1:port/path; NULL when it worked, else the error's code. */
static gh_fetch_answer_t got;
static gh_error_t        error;

static const char *
fetch(gh_heap_t *heap, gh_fetch_request_t request, const char *scheme, int port, const char *path)
{
    request.url = gh_str_format(&heap->arena, "%s://127.0.0.1:%d%s", scheme, port, path);
    memset(&error, 0, sizeof(error));
    return gh_fetch(&request, &heap->arena, &got, &error) == GH_OK ? NULL : error.code;
}

static gh_str_t
code_text(const char *code)
{
    return gh_str_from(code != NULL ? code : "ok");
}

#define CHECK_CODE(code, expected) CHECK_STR(code_text(code), expected)

static void
test_exchanges(gh_heap_t *heap, server_t *server)
{
    gh_fetch_header_t  headers[3] = { { GH_STR("Authorization"), GH_STR("Bearer hidden") }, { GH_STR("X-Empty"), GH_STR("") },
                                      { GH_STR("Content-Type"), GH_STR("application/json") } };
    gh_fetch_request_t request = { .headers = headers, .headers_count = 2 };

    CHECK_CODE(fetch(heap, request, "http", server->port, "/echo?a=b"), "ok");
    CHECK_INT(got.status, 200);
    CHECK_STR(gh_fetch_header(&got, "content-type"), "text/plain");
    CHECK_STR(gh_fetch_header(&got, "X-TWO"), "a");
    CHECK_STR(gh_fetch_header(&got, "etag"), "\"7\"");
    CHECK(gh_fetch_header(&got, "x-none").data == NULL);
    CHECK(strncmp(got.body.data, "GET /echo?a=b HTTP/1.1\r\n", 24) == 0);
    CHECK(strstr(got.body.data, "\r\nAuthorization: Bearer hidden\r\n") != NULL);
    CHECK(strstr(got.body.data, "\r\nX-Empty:\r\n") != NULL);
    CHECK(strstr(got.body.data, "Content-Length") == NULL);

    request.method = GH_STR("PUT");
    request.body = GH_STR("{}");
    CHECK_CODE(fetch(heap, request, "http", server->port, "/echo"), "ok");
    CHECK(strncmp(got.body.data, "PUT /echo HTTP/1.1\r\n", 20) == 0 && strstr(got.body.data, "\r\n\r\n{}") != NULL);
    CHECK(strcasestr(got.body.data, "content-type") == NULL && strcasestr(got.body.data, "expect") == NULL);
    request.headers_count = 3;
    CHECK_CODE(fetch(heap, request, "http", server->port, "/echo"), "ok");
    CHECK(strstr(got.body.data, "\r\nContent-Type: application/json\r\n") != NULL);
    request.body = GH_STR("");
    CHECK_CODE(fetch(heap, request, "http", server->port, "/echo"), "ok");
    CHECK(strstr(got.body.data, "\r\nContent-Length: 0\r\n") != NULL);

    request = (gh_fetch_request_t) { 0 };
    CHECK_CODE(fetch(heap, request, "http", server->port, "/continue"), "ok");
    CHECK_INT(got.status, 404);
    CHECK_STR(got.body, "no!");
    CHECK(gh_fetch_header(&got, "x-early").data == NULL);
    CHECK_CODE(fetch(heap, request, "http", server->port, "/chunked"), "ok");
    CHECK_STR(got.body, "abcde");
    CHECK(gh_fetch_header(&got, "x-late").data == NULL);
    CHECK_CODE(fetch(heap, request, "http", server->port, "/redirect"), "ok");
    CHECK_INT(got.status, 302);
    CHECK_STR(got.body, "");
}

static void
test_bounds(gh_heap_t *heap, server_t *server)
{
    gh_fetch_request_t request = { .body_max = 131072 };
    _Atomic int        stop = 1;

    CHECK_CODE(fetch(heap, request, "http", server->port, "/big"), "ok");
    CHECK_INT(got.body.len, 131072);
    request.body_max = 131071;
    CHECK_CODE(fetch(heap, request, "http", server->port, "/big"), "fetch_large");
    CHECK(got.body.len == 0);
    CHECK_CODE(fetch(heap, request, "http", server->port, "/head"), "fetch_large");
    CHECK_CODE(fetch(heap, request, "http", server->port, "/short"), "fetch_broken");
    CHECK_CODE(fetch(heap, request, "http", server->port, "/none?secret=1"), "fetch_broken");
    CHECK(strstr(error.text, "/none") != NULL && strstr(error.text, "secret") == NULL);
    request.total_ms = 50;
    CHECK_CODE(fetch(heap, request, "http", server->port, "/slow"), "fetch_timeout");
    request.total_ms = 0;
    request.stop = &stop;
    CHECK_CODE(fetch(heap, request, "http", server->port, "/slow"), "fetch_stopped");
}

static void
test_refused(gh_heap_t *heap, server_t *server)
{
    static const struct {
        const char *url;
        const char *code;
        bool        clear;
    } cases[] = {
        { "http://idp.example/jwks", "fetch_refused", false },
        { "http://127.0.0.1.example/", "fetch_refused", false },
        { "http://localhost.example/", "fetch_refused", false },
        { "http://0127.0.0.1/", "fetch_refused", false },
        { "http://127.1/", "fetch_refused", false },
        { "http://[::ffff:1.2.3.4]/", "fetch_refused", false },
        { "http://127.0.0.1@idp.example/", "fetch_refused", false },
        { "http://127.0.0.1\\@idp.example/", "fetch_refused", false },
        { "https://idp.example\\@127.0.0.1/", "fetch_refused", false },
        { "http://idp.example\\@127.0.0.1/", "fetch_refused", false },
        { "https://user:password@idp.example/", "fetch_refused", false },
        { "ftp://127.0.0.1/", "fetch_refused", true },
        { "file:///etc/passwd", "fetch_refused", true },
        { "https://", "fetch_refused", false },
        { "idp.example", "fetch_refused", false },
        { "https://idp.example/a b", "fetch_refused", false },
        { "https://idp.example/\r\nx: y", "fetch_refused", false },
        { "", "fetch_refused", false },
        /* port 9 of loopback: nobody listens, which is an answer of the network and not of the checks */
        { "http://127.0.0.1:9/", "fetch_unreachable", false },
        { "http://localhost:9/", "fetch_unreachable", false },
        { "https://127.0.0.1:9/", "fetch_unreachable", false },
    };
    gh_fetch_header_t bad[] = { { GH_STR("A"), GH_STR("secret\r\nB: c") }, { GH_STR("A b"), GH_STR("c") }, { GH_STR(""), GH_STR("c") },
                                { GH_STR("A:"), GH_STR("c") }, { GH_STR("A"), { "secret\0", 7 } } };
    gh_fetch_request_t request;
    size_t             i;
    int                before = server->requests;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        request = (gh_fetch_request_t) { .url = gh_str_from(cases[i].url), .clear = cases[i].clear, .total_ms = 30000 };
        memset(&error, 0, sizeof(error));
        CHECK(gh_fetch(&request, &heap->arena, &got, &error) == GH_ERROR);
        if (!CHECK_STR(gh_str_from(error.code), cases[i].code)) {
            fprintf(stderr, "    %s: %s\n", cases[i].url, error.text);
        }
        CHECK(strstr(error.text, "password") == NULL);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request = (gh_fetch_request_t) { .headers = &bad[i], .headers_count = 1 };
        CHECK_CODE(fetch(heap, request, "http", server->port, "/echo"), "fetch_refused");
        CHECK(strstr(error.text, "secret") == NULL);
    }
    request = (gh_fetch_request_t) { .method = GH_STR("GET /other HTTP/1.1\r\nA:") };
    CHECK_CODE(fetch(heap, request, "http", server->port, "/echo"), "fetch_refused");
    CHECK_INT(server->requests, before);
}

/* What the environment says of proxies is not asked; what the caller says is, except for this machine. */
static void
test_proxies(gh_heap_t *heap, server_t *server, server_t *tls, const char *ca)
{
    char               proxy[64];
    gh_fetch_request_t request = { .ca_file = ca };

    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("https_proxy", "http://127.0.0.1:9", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
    CHECK_CODE(fetch(heap, request, "http", server->port, "/echo"), "ok");
    CHECK_CODE(fetch(heap, request, "https", tls->port, "/echo"), "ok");
    request.proxy = "http://127.0.0.1:9";
    CHECK_CODE(fetch(heap, request, "http", server->port, "/echo"), "ok");
    CHECK_CODE(fetch(heap, request, "https", tls->port, "/echo"), "fetch_unreachable");
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", server->port);
    request = (gh_fetch_request_t) { .url = GH_STR("http://idp.example/echo?q"), .clear = true, .proxy = proxy };
    CHECK(gh_fetch(&request, &heap->arena, &got, &error) == GH_OK && strncmp(got.body.data, "GET http://idp.example/echo?q HTTP/1.1\r\n", 40) == 0);
}

static void
test_tls(gh_heap_t *heap, server_t *tls, server_t *other, server_t *clear, const char *ca, const char *other_ca)
{
    gh_fetch_request_t request = { .ca_file = ca };

    CHECK_CODE(fetch(heap, request, "https", tls->port, "/echo"), "ok");
    CHECK_INT(got.status, 200);
    request.ca_file = NULL;
    CHECK_CODE(fetch(heap, request, "https", tls->port, "/echo"), "fetch_tls");
    request.ca_file = other_ca;
    CHECK_CODE(fetch(heap, request, "https", tls->port, "/echo"), "fetch_tls");
    /* trusted, but not for this name */
    CHECK_CODE(fetch(heap, request, "https", other->port, "/echo"), "fetch_tls");
    request.ca_file = "/nonexistent/ca.pem";
    CHECK_CODE(fetch(heap, request, "https", tls->port, "/echo"), "fetch_tls");
    request.ca_file = ca;
    CHECK_CODE(fetch(heap, request, "https", clear->port, "/echo"), "fetch_tls");
    CHECK_CODE(fetch(heap, request, "http", tls->port, "/echo"), "fetch_broken");
}

static void
test_words(void)
{
    static const struct {
        const char *control, *age;
        int64_t     ms;
    } cases[] = {
        { "max-age=300", NULL, 300000 }, { "public, MAX-AGE=300 , must-revalidate", "100", 200000 }, { "max-age=10", "100", 0 },
        { "no-store, max-age=300", NULL, 0 }, { "no-cache", NULL, 0 }, { "private", NULL, -1 }, { NULL, NULL, -1 },
        { "max-age=99999999999999999999999", NULL, 365LL * 86400000 }, { "max-age=-5", NULL, -1 }, { "s-maxage=5", NULL, -1 },
    };
    gh_fetch_header_t headers[2];
    gh_fetch_answer_t answer;
    size_t            i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        answer = (gh_fetch_answer_t) { .headers = headers };
        if (cases[i].control != NULL) {
            headers[answer.headers_count++] = (gh_fetch_header_t) { GH_STR("Cache-Control"), gh_str_from(cases[i].control) };
        }
        if (cases[i].age != NULL) {
            headers[answer.headers_count++] = (gh_fetch_header_t) { GH_STR("Age"), gh_str_from(cases[i].age) };
        }
        CHECK_INT(gh_fetch_fresh_ms(&answer), cases[i].ms);
    }
    CHECK_STR(gh_fetch_shown(GH_STR("https://a.example:8/b/c?secret=1#x")), "https://a.example:8/b/c");
    CHECK_STR(gh_fetch_shown(GH_STR("https://user:secret@a.example/b")), "https://");
    CHECK_STR(gh_fetch_shown(GH_STR("rubbish?secret")), "rubbish");
}

static void *
fetch_many(void *context)
{
    server_t          *server = context;
    gh_fetch_request_t request = { 0 };
    gh_fetch_answer_t  answer;
    gh_heap_t          heap;
    uintptr_t          good = 0;
    int                i;

    gh_heap_init(&heap);
    request.url = gh_str_format(&heap.arena, "http://127.0.0.1:%d/echo", server->port);
    for (i = 0; i < 20; i++) {
        good += gh_fetch(&request, &heap.arena, &answer, NULL) == GH_OK && answer.status == 200;
    }
    gh_heap_free(&heap);
    return (void *) good;
}

static void
test_threads(server_t *server)
{
    pthread_t threads[4];
    uintptr_t good = 0;
    void     *each;
    size_t    i;

    for (i = 0; i < 4; i++) {
        CHECK(pthread_create(&threads[i], NULL, fetch_many, server) == 0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &each);
        good += (uintptr_t) each;
    }
    CHECK_INT(good, 80);
}

/* Memory that runs out at any moment is an error and no crash. */
static void
test_memory(server_t *server)
{
    gh_heap_t heap;
    size_t    limit;
    int       failed = 0;

    for (limit = 0; limit < 64; limit++) {
        gh_fetch_request_t request = { 0 };
        gh_heap_init(&heap);
        request.url = gh_str_format(&heap.arena, "http://127.0.0.1:%d/echo", server->port);
        heap.limit = limit;
        if (gh_fetch(&request, &heap.arena, &got, &error) == GH_OK) {
            gh_heap_free(&heap);
            break;
        }
        failed++;
        CHECK_STR(gh_str_from(error.code), "no_memory");
        gh_heap_free(&heap);
    }
    CHECK(failed > 5 && limit < 64);
}

int
main(void)
{
    char      directory[] = "/tmp/gatehouse-fetch-XXXXXX", ca[64], other_ca[64];
    server_t  clear = { 0 }, tls = { 0 }, other = { 0 };
    gh_heap_t heap;

    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    snprintf(ca, sizeof(ca), "%s/ca.pem", directory);
    snprintf(other_ca, sizeof(other_ca), "%s/other.pem", directory);
    gh_heap_init(&heap);
    server_start(&clear, NULL);
    server_start(&tls, make_tls("IP:127.0.0.1", ca));
    server_start(&other, make_tls("DNS:idp.example", other_ca));
    test_exchanges(&heap, &clear);
    test_bounds(&heap, &clear);
    test_refused(&heap, &clear);
    test_proxies(&heap, &clear, &tls, ca);
    test_tls(&heap, &tls, &other, &clear, ca, other_ca);
    test_words();
    test_threads(&clear);
    test_memory(&clear);
    server_stop(&clear);
    server_stop(&tls);
    server_stop(&other);
    SSL_CTX_free(tls.tls);
    SSL_CTX_free(other.tls);
    unlink(ca);
    unlink(other_ca);
    rmdir(directory);
    gh_heap_free(&heap);
    return check_done("agent_fetch");
}
