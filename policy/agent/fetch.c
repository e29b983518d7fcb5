#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "policy/agent/fetch.h"
#include "policy/base/version.h"

#define HEADERS_MAX 256   /* in number */

typedef struct {
    const gh_fetch_request_t *request;
    gh_arena_t               *arena;
    gh_fetch_header_t         headers[HEADERS_MAX];
    size_t                    headers_count;
    size_t                    headers_bytes;
    size_t                    body_max;
    char                     *body;
    size_t                    body_len;
    size_t                    body_capacity;
    bool                      body_began;
    bool                      large;
    bool                      no_memory;
} exchange_t;

/* One request as libcurl wants it: NUL-terminated, checked. */
typedef struct {
    const char        *url;
    const char        *method;
    struct curl_slist *headers;
    bool               clear;   /* http:// */
} wire_t;

/* The parts of a URL that matter here. */
typedef struct {
    bool     http;
    bool     https;
    gh_str_t authority;   /* host:port, user and all */
    gh_str_t rest;        /* path, query and fragment */
} url_t;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode       begun;

static void
begin(void)
{
    begun = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static url_t
url_parts(gh_str_t url)
{
    static const gh_str_t schemes[2] = { { "https://", 8 }, { "http://", 7 } };
    url_t                 parts = { 0 };
    size_t                i, end;

    for (i = 0; i < 2; i++) {
        if (url.len >= schemes[i].len && gh_str_eq_nocase((gh_str_t) { url.data, schemes[i].len }, schemes[i])) {
            break;
        }
    }
    if (i == 2) {
        return parts;
    }
    parts.https = i == 0;
    parts.http = i == 1;
    for (end = schemes[i].len; end < url.len && memchr("/?#\\", url.data[end], 4) == NULL; end++) {
    }
    parts.authority = (gh_str_t) { url.data + schemes[i].len, end - schemes[i].len };
    parts.rest = (gh_str_t) { url.data + end, url.len - end };
    return parts;
}

gh_str_t
gh_fetch_shown(gh_str_t url)
{
    url_t  parts = url_parts(url);
    size_t end;

    /* A user's name stands in the middle of a URL and cannot be left out of a view into it: then nothing is shown of what follows the scheme. */
    if (parts.authority.len > 0 && memchr(parts.authority.data, '@', parts.authority.len) != NULL) {
        return (gh_str_t) { url.data, (size_t) (parts.authority.data - url.data) };
    }
    for (end = 0; end < url.len && memchr("?#@", url.data[end], 3) == NULL && (unsigned char) url.data[end] > ' '; end++) {
    }
    return (gh_str_t) { url.data, end };
}

/* "a.b.c.d" with nothing before or behind it, its bytes in out. */
static bool
is_ipv4(gh_str_t host, unsigned out[4])
{
    size_t i = 0, part, digits;

    for (part = 0; part < 4; part++) {
        out[part] = 0;
        for (digits = 0; i < host.len && host.data[i] >= '0' && host.data[i] <= '9' && digits < 3; digits++, i++) {
            out[part] = out[part] * 10 + (unsigned) (host.data[i] - '0');
        }
        if (digits == 0 || out[part] > 255 || (digits > 1 && host.data[i - digits] == '0')) {
            return false;
        }
        if (part < 3 && (i == host.len || host.data[i++] != '.')) {
            return false;
        }
    }
    return i == host.len;
}

/*
 * Addresses that no clear text leaves a machine or its host by: loopback, and the link-local ones of metadata and container credentials. Literal ones alone
 * ("localhost" is one by RFC 6761, and libcurl holds to it): a name could lead anywhere.
 */
static bool
is_near(gh_str_t authority)
{
    static const char *const six[] = { "[::1]", "[fd00:ec2::254]", "[fd00:ec2::23]" };
    gh_str_t                 host = authority;
    unsigned                 bytes[4];
    size_t                   i;

    if (host.len > 0 && host.data[0] == '[') {
        for (i = 0; i < host.len && host.data[i] != ']'; i++) {
        }
        host.len = i < host.len ? i + 1 : host.len;
        for (i = 0; i < sizeof(six) / sizeof(six[0]); i++) {
            if (gh_str_eq_nocase(host, gh_str_from(six[i]))) {
                return true;
            }
        }
        return false;
    }
    for (i = 0; i < host.len && host.data[i] != ':'; i++) {
    }
    host.len = i;
    if (gh_str_eq_nocase(host, GH_STR("localhost"))) {
        return true;
    }
    return is_ipv4(host, bytes) && (bytes[0] == 127 || (bytes[0] == 169 && bytes[1] == 254));
}

static bool
has_controls(gh_str_t s, bool spaces_too)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        if ((unsigned char) s.data[i] < (spaces_too ? '!' : ' ') ? s.data[i] != '\t' || spaces_too : s.data[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool
is_token(gh_str_t s)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        if (!((s.data[i] | 0x20) >= 'a' && (s.data[i] | 0x20) <= 'z') && !(s.data[i] >= '0' && s.data[i] <= '9')
            && memchr("!#$%&'*+-.^_`|~", s.data[i], 15) == NULL)
        {
            return false;
        }
    }
    return s.len > 0;
}

static int
check_url(const gh_fetch_request_t *request, wire_t *wire, gh_arena_t *arena, gh_error_t *error)
{
    gh_str_t url = request->url, shown = gh_fetch_shown(url), copy;
    url_t    parts = url_parts(url);

    if ((!parts.http && !parts.https) || parts.authority.len == 0) {
        return gh_error_set(error, "fetch_refused", "\"%.*s\" is no https:// URL with a host", GH_STR_ARG(shown));
    }
    if (memchr(url.data, '\\', url.len) != NULL) {       /* where the host ends would be a matter of taste */
        return gh_error_set(error, "fetch_refused", "\"%.*s\" has a backslash in it", GH_STR_ARG(shown));
    }
    if (has_controls(url, true)) {
        return gh_error_set(error, "fetch_refused", "\"%.*s\" has a space or a control character in it", GH_STR_ARG(shown));
    }
    if (memchr(parts.authority.data, '@', parts.authority.len) != NULL) {
        return gh_error_set(error, "fetch_refused", "\"%.*s...\" has a user name in it: leave it out", GH_STR_ARG(shown));
    }
    if (parts.http && !request->clear && !is_near(parts.authority)) {
        return gh_error_set(error, "fetch_refused", "\"%.*s\" would be asked in clear text: write https://", GH_STR_ARG(shown));
    }
    copy = gh_str_copy(arena, url);
    if (copy.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    wire->url = copy.data;
    wire->clear = parts.http;
    return GH_OK;
}

static int
add_header(wire_t *wire, const char *line, gh_error_t *error)
{
    struct curl_slist *longer = line != NULL ? curl_slist_append(wire->headers, line) : NULL;

    if (longer == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    wire->headers = longer;
    return GH_OK;
}

static int
check_headers(const gh_fetch_request_t *request, wire_t *wire, gh_arena_t *arena, gh_error_t *error)
{
    gh_str_t line, name, value, method = request->method.len > 0 ? request->method : GH_STR("GET");
    size_t   i;

    if (!is_token(method)) {
        return gh_error_set(error, "fetch_refused", "the method is no token of RFC 9110");
    }
    wire->method = gh_str_copy(arena, method).data;
    if (wire->method == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    for (i = 0; i < request->headers_count; i++) {
        name = request->headers[i].name;
        value = request->headers[i].value;
        if (!is_token(name) || has_controls(value, false)) {
            return gh_error_set(error, "fetch_refused", "header %zu has characters that no header has: is there a newline at the end of what was read from a file?", i + 1);
        }
        /* libcurl's word for a header without a value ends in a semicolon; with a colon it would leave the header out. */
        line = value.len > 0 ? gh_str_format(arena, "%.*s: %.*s", GH_STR_ARG(name), GH_STR_ARG(value)) : gh_str_format(arena, "%.*s;", GH_STR_ARG(name));
        if (add_header(wire, line.data, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    /* No waiting for a 100, and no form where a body's type is not said. */
    if (request->body.data == NULL) {
        return GH_OK;
    }
    if (add_header(wire, "Expect:", error) != GH_OK) {
        return GH_ERROR;
    }
    for (i = 0; i < request->headers_count; i++) {
        if (gh_str_eq_nocase(request->headers[i].name, GH_STR("content-type"))) {
            return GH_OK;
        }
    }
    return add_header(wire, "Content-Type:", error);
}

static size_t
on_header(char *data, size_t size, size_t count, void *context)
{
    exchange_t        *exchange = context;
    gh_str_t           line = { data, size * count };
    gh_fetch_header_t *header;
    size_t             colon;

    exchange->headers_bytes += line.len;
    if (exchange->headers_bytes > GH_FETCH_HEADERS_MAX) {
        exchange->large = true;
        return 0;
    }
    /* Trailers are not looked at; a further status line begins a further answer (after a 1xx, or a proxy's). */
    if (exchange->body_began) {
        return size * count;
    }
    if (gh_str_starts(line, GH_STR("HTTP/"))) {
        exchange->headers_count = 0;
        return size * count;
    }
    for (colon = 0; colon < line.len && line.data[colon] != ':'; colon++) {
    }
    if (colon == line.len) {
        return size * count;
    }
    if (exchange->headers_count == HEADERS_MAX) {
        exchange->large = true;
        return 0;
    }
    while (line.len > 0 && (line.data[line.len - 1] == '\r' || line.data[line.len - 1] == '\n')) {
        line.len--;
    }
    header = &exchange->headers[exchange->headers_count++];
    header->name = gh_str_copy(exchange->arena, (gh_str_t) { line.data, colon });
    header->value = gh_str_copy(exchange->arena, gh_str_trim((gh_str_t) { line.data + colon + 1, line.len - colon - 1 }));
    if (header->name.data == NULL || header->value.data == NULL) {
        exchange->no_memory = true;
        return 0;
    }
    return size * count;
}

static size_t
on_body(char *data, size_t size, size_t count, void *context)
{
    exchange_t *exchange = context;
    size_t      bytes = size * count, capacity;

    exchange->body_began = true;
    if (bytes > exchange->body_max - exchange->body_len) {
        exchange->large = true;
        return 0;
    }
    if (exchange->body_len + bytes + 1 > exchange->body_capacity) {
        capacity = exchange->body_capacity > 0 ? exchange->body_capacity * 2 : 16384;
        while (capacity < exchange->body_len + bytes + 1) {
            capacity *= 2;
        }
        exchange->body = gh_arena_grow(exchange->arena, exchange->body, exchange->body_len, capacity, 1);
        if (exchange->body == NULL) {
            exchange->no_memory = true;
            return 0;
        }
        exchange->body_capacity = capacity;
    }
    memcpy(exchange->body + exchange->body_len, data, bytes);
    exchange->body_len += bytes;
    return bytes;
}

static int
on_progress(void *context, curl_off_t expected, curl_off_t received, curl_off_t to_send, curl_off_t sent)
{
    const exchange_t *exchange = context;

    (void) expected;
    (void) received;
    (void) to_send;
    (void) sent;
    return exchange->request->stop != NULL && atomic_load(exchange->request->stop) != 0;
}

/* All the options are such that a failure to set one must not go unseen. */
static CURLcode
set_options(CURL *curl, const gh_fetch_request_t *request, const wire_t *wire, exchange_t *exchange, char *said)
{
    long     connect_ms = request->connect_ms > 0 ? (long) request->connect_ms : GH_FETCH_CONNECT_MS;
    long     total_ms = request->total_ms > 0 ? (long) request->total_ms : GH_FETCH_TOTAL_MS;
    CURLcode code = CURLE_OK;

#define SET(option, value) (code = code != CURLE_OK ? code : curl_easy_setopt(curl, option, value))

    SET(CURLOPT_ERRORBUFFER, said);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_URL, wire->url);
    SET(CURLOPT_PROTOCOLS_STR, wire->clear ? "http" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, request->proxy != NULL && !(wire->clear && !request->clear) ? request->proxy : "");
    SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
    SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    SET(CURLOPT_TIMEOUT_MS, total_ms);
    SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (request->ca_file != NULL) {
        SET(CURLOPT_CAPATH, NULL);
        SET(CURLOPT_CAINFO, request->ca_file);
    }
    SET(CURLOPT_USERAGENT, "gatehouse/" GH_VERSION);
    SET(CURLOPT_HTTPHEADER, wire->headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, exchange);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, exchange);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, exchange);
    if (request->body.data != NULL) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->body.len);
        SET(CURLOPT_POSTFIELDS, request->body.data);
    }
    if (strcmp(wire->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else {
        SET(CURLOPT_CUSTOMREQUEST, wire->method);
    }

#undef SET

    return code;
}

/* What libcurl says of a failure, in our words. */
static int
failed(CURLcode code, const exchange_t *exchange, const char *said, gh_error_t *error)
{
    gh_str_t    shown = gh_fetch_shown(exchange->request->url);
    const char *why = said[0] != '\0' ? said : curl_easy_strerror(code);

    if (exchange->no_memory || code == CURLE_OUT_OF_MEMORY) {
        return gh_error_set(error, "no_memory", "%.*s: out of memory", GH_STR_ARG(shown));
    }
    if (exchange->large) {
        return gh_error_set(error, "fetch_large", "%.*s: the answer is larger than %zu bytes, or its head than %d", GH_STR_ARG(shown), exchange->body_max,
            GH_FETCH_HEADERS_MAX);
    }
    switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
        return gh_error_set(error, "fetch_stopped", "%.*s: ended before the answer", GH_STR_ARG(shown));
    case CURLE_OPERATION_TIMEDOUT:
        return gh_error_set(error, "fetch_timeout", "%.*s: %s", GH_STR_ARG(shown), why);
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return gh_error_set(error, "fetch_unreachable", "%.*s: %s", GH_STR_ARG(shown), why);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return gh_error_set(error, "fetch_tls", "%.*s: %s", GH_STR_ARG(shown), why);
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_NOT_BUILT_IN:
        return gh_error_set(error, "fetch_refused", "%.*s: %s", GH_STR_ARG(shown), curl_easy_strerror(code));
    default:
        return gh_error_set(error, "fetch_broken", "%.*s: %s", GH_STR_ARG(shown), why);
    }
}

static int
finish(CURL *curl, const exchange_t *exchange, gh_fetch_answer_t *answer, gh_error_t *error)
{
    gh_fetch_header_t *headers = gh_arena_array(exchange->arena, exchange->headers_count, sizeof(*headers));
    char              *empty = gh_arena_alloc(exchange->arena, 1);
    long               status = 0;

    if (headers == NULL || empty == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status < 200 || status > 599) {
        return gh_error_set(error, "fetch_broken", "%.*s: the answer has no status", GH_STR_ARG(gh_fetch_shown(exchange->request->url)));
    }
    memcpy(headers, exchange->headers, exchange->headers_count * sizeof(*headers));
    answer->status = (unsigned) status;
    answer->headers = headers;
    answer->headers_count = exchange->headers_count;
    answer->body = (gh_str_t) { exchange->body != NULL ? exchange->body : empty, exchange->body_len };
    return GH_OK;
}

/* A server that goes away must not end the process: libcurl leaves SIGPIPE to its caller, and what other threads do with theirs is not ours to change. */
static CURLcode
perform(CURL *curl)
{
    const struct timespec at_once = { 0, 0 };
    sigset_t              pipe, before;
    CURLcode              code;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    code = curl_easy_perform(curl);
    if (!sigismember(&before, SIGPIPE)) {
        while (sigtimedwait(&pipe, NULL, &at_once) == SIGPIPE) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

int
gh_fetch(const gh_fetch_request_t *request, gh_arena_t *arena, gh_fetch_answer_t *answer, gh_error_t *error)
{
    char        said[CURL_ERROR_SIZE] = "";
    exchange_t *exchange;
    wire_t      wire = { 0 };
    CURLcode    code;
    CURL       *curl;
    int         result;

    memset(answer, 0, sizeof(*answer));
    pthread_once(&once, begin);
    exchange = gh_arena_alloc(arena, sizeof(*exchange));
    curl = begun == CURLE_OK && exchange != NULL ? curl_easy_init() : NULL;
    if (curl == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    exchange->request = request;
    exchange->arena = arena;
    exchange->body_max = request->body_max > 0 ? request->body_max : GH_FETCH_BODY_MAX;
    result = check_url(request, &wire, arena, error);
    if (result == GH_OK) {
        result = check_headers(request, &wire, arena, error);
    }
    if (result == GH_OK) {
        code = set_options(curl, request, &wire, exchange, said);
        code = code == CURLE_OK ? perform(curl) : code;
        result = code == CURLE_OK ? finish(curl, exchange, answer, error) : failed(code, exchange, said, error);
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(wire.headers);
    return result;
}

gh_str_t
gh_fetch_header(const gh_fetch_answer_t *answer, const char *name)
{
    size_t i;

    for (i = 0; i < answer->headers_count; i++) {
        if (gh_str_eq_nocase(answer->headers[i].name, gh_str_from(name))) {
            return answer->headers[i].value;
        }
    }
    return (gh_str_t) { NULL, 0 };
}

/* Decimal seconds at the start of s; -1 when there are none. At most 365 days. */
static int64_t
seconds(gh_str_t s)
{
    const int64_t most = 365 * 86400;
    int64_t       n = 0;
    size_t        i;

    for (i = 0; i < s.len && s.data[i] >= '0' && s.data[i] <= '9'; i++) {
        n = n < most ? n * 10 + (s.data[i] - '0') : most;
    }
    return i == 0 ? -1 : n < most ? n : most;
}

int64_t
gh_fetch_fresh_ms(const gh_fetch_answer_t *answer)
{
    gh_str_t control = gh_fetch_header(answer, "cache-control"), word;
    int64_t  fresh = -1, age = seconds(gh_fetch_header(answer, "age"));
    size_t   i, begin;

    for (i = 0; i < control.len; i++) {
        begin = i;
        for (; i < control.len && control.data[i] != ','; i++) {
        }
        word = gh_str_trim((gh_str_t) { control.data + begin, i - begin });
        if (gh_str_eq_nocase(word, GH_STR("no-store")) || gh_str_eq_nocase(word, GH_STR("no-cache"))) {
            return 0;
        }
        if (word.len > 8 && gh_str_eq_nocase((gh_str_t) { word.data, 8 }, GH_STR("max-age="))) {
            fresh = seconds((gh_str_t) { word.data + 8, word.len - 8 });
        }
    }
    if (fresh >= 0 && age > 0) {
        fresh = fresh > age ? fresh - age : 0;
    }
    return fresh < 0 ? -1 : fresh * 1000;
}
