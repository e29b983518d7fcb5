#include "ngx_module/wire/sigv4.h"

#include <openssl/crypto.h>
#include <string.h>
#include <time.h>

#define HEADERS (GH_SIGV4_HEADERS + 4)

/* Bytes go to p, which has room for what was counted before. */
typedef struct {
    char *p;
} writer_t;

static void
put(writer_t *w, gh_str_t s)
{
    if (s.len != 0) {
        memcpy(w->p, s.data, s.len);
    }
    w->p += s.len;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 3986 section 2.3 */
static bool
is_unreserved(char c)
{
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static int
hex_value(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void
put_encoded(writer_t *w, char c, bool slash)
{
    static const char digits[] = "0123456789ABCDEF";

    if (is_unreserved(c) || (slash && c == '/')) {
        *w->p++ = c;
    } else {
        *w->p++ = '%';
        *w->p++ = digits[(uint8_t) c >> 4];
        *w->p++ = digits[(uint8_t) c & 15];
    }
}

/* Only what RFC 3986 lets stand in a path or query (sections 3.3, 3.4), so that nobody between can read it another way. */
static bool
uri_valid(gh_str_t s, const char *also)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '%') {
            if (s.len - i < 3 || hex_value(s.data[i + 1]) < 0 || hex_value(s.data[i + 2]) < 0) {
                return false;
            }
            i += 2;
        } else if (!is_unreserved(s.data[i]) && (s.data[i] == '\0' || strchr("!$&'()*+,;=:@", s.data[i]) == NULL)
                   && (s.data[i] == '\0' || strchr(also, s.data[i]) == NULL))
        {
            return false;
        }
    }

    return true;
}

/* ---- the path ---- */

/* The next segment of a path, behind its slash. */
static gh_str_t
segment_next(gh_str_t *rest)
{
    const char *slash = rest->len != 0 ? memchr(rest->data, '/', rest->len) : NULL;
    size_t      len = slash != NULL ? (size_t) (slash - rest->data) : rest->len;
    gh_str_t    segment = { rest->data, len };

    if (slash != NULL) {
        len++;
    }
    *rest = (gh_str_t) { rest->data + len, rest->len - len };
    return segment;
}

/*
 * Encoded once more, with dot segments and double slashes taken out, as every service but S3 does; S3's objects have any name. Room: 3 bytes a byte, and one.
 */
static void
put_path(writer_t *w, gh_str_t path, bool s3)
{
    gh_str_t rest = { path.data + 1, path.len - 1 }, segment;
    char    *start = w->p;
    size_t   i;

    if (s3) {
        put(w, path);
        return;
    }

    while (rest.len != 0) {
        segment = segment_next(&rest);
        if (gh_str_is(segment, "..")) {
            while (w->p > start && *--w->p != '/') { }
        } else if (segment.len != 0 && !gh_str_is(segment, ".")) {
            *w->p++ = '/';
            for (i = 0; i < segment.len; i++) {
                put_encoded(w, segment.data[i], false);
            }
        }
    }

    if (w->p == start || path.data[path.len - 1] == '/') {
        *w->p++ = '/';
    }
}

/* ---- the query ---- */

typedef struct {
    gh_str_t name, value;
} param_t;

/* Decoded and encoded again, so that each byte has one spelling. */
static gh_str_t
param_text(writer_t *w, gh_str_t text)
{
    gh_str_t out = { w->p, 0 };
    size_t   i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '%') {
            put_encoded(w, (char) (hex_value(text.data[i + 1]) << 4 | hex_value(text.data[i + 2])), false);
            i += 2;
        } else {
            put_encoded(w, text.data[i], false);
        }
    }

    out.len = (size_t) (w->p - out.data);
    return out;
}

static int
param_cmp(const param_t *a, const param_t *b)
{
    int order = gh_str_cmp(a->name, b->name);

    return order != 0 ? order : gh_str_cmp(a->value, b->value);
}

/* Sorted by name, then by value. scratch: room for 3 bytes a byte. */
static int
params_read(gh_str_t query, char *scratch, param_t *params, size_t *count, gh_error_t *error)
{
    writer_t w = { scratch };
    size_t   n = 0, i;

    while (query.len != 0) {
        const char *end = memchr(query.data, '&', query.len), *equals;
        gh_str_t    one = { query.data, end != NULL ? (size_t) (end - query.data) : query.len };
        param_t     param;

        if (one.len == 0 || one.data[0] == '=' || (end != NULL && one.len + 1 == query.len)) {
            return gh_error_set(error, "bad_signature_input", "the query to be signed has a parameter without a name");
        }
        if (n == GH_SIGV4_PARAMS) {
            return gh_error_set(error, "bad_signature_input", "the query to be signed has more than %d parameters", GH_SIGV4_PARAMS);
        }

        equals = memchr(one.data, '=', one.len);
        param.name = param_text(&w, (gh_str_t) { one.data, equals != NULL ? (size_t) (equals - one.data) : one.len });
        param.value = equals != NULL
            ? param_text(&w, (gh_str_t) { equals + 1, one.len - (size_t) (equals + 1 - one.data) }) : GH_STR("");

        for (i = n++; i > 0 && param_cmp(&params[i - 1], &param) > 0; i--) {
            params[i] = params[i - 1];
        }
        params[i] = param;

        query = end != NULL ? (gh_str_t) { end + 1, query.len - one.len - 1 } : GH_STR("");
    }

    *count = n;
    return GH_OK;
}

/* ---- the headers ---- */

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
}

static int
name_cmp(gh_str_t a, gh_str_t b)
{
    size_t i;

    for (i = 0; i < a.len && i < b.len; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return (uint8_t) lower(a.data[i]) < (uint8_t) lower(b.data[i]) ? -1 : 1;
        }
    }

    return a.len < b.len ? -1 : a.len > b.len;
}

/* A token of RFC 9110 as a name; no control bytes but the tab in a value. */
static bool
header_valid(const gh_sigv4_header_t *header)
{
    size_t i;

    for (i = 0; i < header->name.len; i++) {
        char c = header->name.data[i];

        if (!is_alphanumeric(c) && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }

    for (i = 0; i < header->value.len; i++) {
        uint8_t c = (uint8_t) header->value.data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }

    return header->name.len != 0;
}

/* Sorted by name; those of one name stay in their order. */
static void
header_add(gh_sigv4_header_t *headers, size_t *count, const char *name, gh_str_t value)
{
    gh_sigv4_header_t header = { gh_str_from(name), value };
    size_t            i;

    for (i = (*count)++; i > 0 && name_cmp(headers[i - 1].name, header.name) > 0; i--) {
        headers[i] = headers[i - 1];
    }
    headers[i] = header;
}

static int
headers_collect(const gh_sigv4_request_t *request, gh_str_t session_token, gh_str_t date, gh_str_t content_sha256, gh_sigv4_header_t *headers,
    size_t *count, gh_error_t *error)
{
    static const char *const own[] = { "host", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "authorization" };
    size_t i, j;

    if (request->header_count > GH_SIGV4_HEADERS) {
        return gh_error_set(error, "bad_signature_input", "more than %d headers are to be signed", GH_SIGV4_HEADERS);
    }

    *count = 0;
    header_add(headers, count, "host", request->host);
    header_add(headers, count, "x-amz-date", date);
    if (session_token.len != 0) {
        header_add(headers, count, "x-amz-security-token", session_token);
    }
    if (request->content_sha256) {
        header_add(headers, count, "x-amz-content-sha256", content_sha256);
    }

    for (i = 0; i < request->header_count; i++) {
        const gh_sigv4_header_t *header = &request->headers[i];

        if (!header_valid(header)) {
            return gh_error_set(error, "bad_signature_input", "header %zu of those to be signed is none", i + 1);
        }
        for (j = 0; j < sizeof(own) / sizeof(own[0]); j++) {
            if (gh_str_eq_nocase(header->name, gh_str_from(own[j]))) {
                return gh_error_set(error, "bad_signature_input", "%s is signed by itself, and not one of the headers handed in", own[j]);
            }
        }

        for (j = (*count)++; j > 0 && name_cmp(headers[j - 1].name, header->name) > 0; j--) {
            headers[j] = headers[j - 1];
        }
        headers[j] = *header;
    }

    return GH_OK;
}

static void
put_lower(writer_t *w, gh_str_t name)
{
    size_t i;

    for (i = 0; i < name.len; i++) {
        *w->p++ = lower(name.data[i]);
    }
}

/* Without white space at its ends, and one space for each inside. */
static void
put_value(writer_t *w, gh_str_t value)
{
    size_t i;
    bool   space = false;

    value = gh_str_trim(value);
    for (i = 0; i < value.len; i++) {
        if (value.data[i] == ' ' || value.data[i] == '\t') {
            space = true;
            continue;
        }
        if (space) {
            *w->p++ = ' ';
        }
        space = false;
        *w->p++ = value.data[i];
    }
}

static void
put_headers(writer_t *w, const gh_sigv4_header_t *headers, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (i != 0 && name_cmp(headers[i].name, headers[i - 1].name) == 0) {
            w->p[-1] = ',';
        } else {
            put_lower(w, headers[i].name);
            *w->p++ = ':';
        }
        put_value(w, headers[i].value);
        *w->p++ = '\n';
    }
}

static void
put_names(writer_t *w, const gh_sigv4_header_t *headers, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (i != 0 && name_cmp(headers[i].name, headers[i - 1].name) == 0) {
            continue;
        }
        if (i != 0) {
            *w->p++ = ';';
        }
        put_lower(w, headers[i].name);
    }
}

/* ---- the request ---- */

static int
request_check(const gh_sigv4_request_t *request, gh_error_t *error)
{
    gh_sigv4_header_t host = { GH_STR("host"), request->host };
    size_t            i;

    for (i = 0; i < request->method.len; i++) {
        if (request->method.data[i] < 'A' || request->method.data[i] > 'Z') {
            break;
        }
    }
    if (i != request->method.len || i == 0) {
        return gh_error_set(error, "bad_signature_input", "the method to be signed is not of capital letters");
    }
    if (request->host.len == 0 || !header_valid(&host)) {
        return gh_error_set(error, "bad_signature_input", "the host to be signed is none");
    }
    if (request->path.len == 0 || request->path.data[0] != '/' || !uri_valid(request->path, "/")) {
        return gh_error_set(error, "bad_signature_input", "the path to be signed does not begin with \"/\" or is not percent-encoded");
    }
    if (!uri_valid(request->query, "/?")) {
        return gh_error_set(error, "bad_signature_input", "the query to be signed is not percent-encoded");
    }

    return GH_OK;
}

int
gh_sigv4_canonical(gh_arena_t *arena, const gh_sigv4_request_t *request, const gh_sigv4_scope_t *scope, gh_str_t session_token, const char *date,
    gh_str_t *canonical, gh_str_t *signed_headers, gh_error_t *error)
{
    gh_sigv4_header_t headers[HEADERS];
    param_t           params[GH_SIGV4_PARAMS];
    size_t            header_count = 0, param_count = 0, size, names = 0, i;
    char              digest[64], *text, *scratch;
    gh_str_t          digest_text = { digest, sizeof(digest) };
    writer_t          w;

    gh_hex(request->body_sha256, 32, digest);

    if (request_check(request, error) != GH_OK
        || headers_collect(request, session_token, (gh_str_t) { date, 16 }, digest_text, headers, &header_count, error) != GH_OK)
    {
        return GH_ERROR;
    }

    size = request->method.len + 1 + request->path.len * 3 + 2 + request->query.len * 3 + GH_SIGV4_PARAMS + 1;
    for (i = 0; i < header_count; i++) {
        names += headers[i].name.len + 1;
        size += headers[i].name.len + headers[i].value.len + 2;
    }
    size += 1 + names + 1 + sizeof(digest);

    text = gh_arena_alloc(arena, size);
    scratch = gh_arena_alloc(arena, request->query.len * 3);
    if (text == NULL || scratch == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    if (params_read(request->query, scratch, params, &param_count, error) != GH_OK) {
        return GH_ERROR;
    }

    w.p = text;
    put(&w, request->method);
    *w.p++ = '\n';
    put_path(&w, request->path, gh_str_is(scope->service, "s3"));
    *w.p++ = '\n';

    for (i = 0; i < param_count; i++) {
        if (i != 0) {
            *w.p++ = '&';
        }
        put(&w, params[i].name);
        *w.p++ = '=';
        put(&w, params[i].value);
    }
    *w.p++ = '\n';

    put_headers(&w, headers, header_count);
    *w.p++ = '\n';
    signed_headers->data = w.p;
    put_names(&w, headers, header_count);
    signed_headers->len = (size_t) (w.p - signed_headers->data);
    *w.p++ = '\n';
    put(&w, digest_text);

    *canonical = (gh_str_t) { text, (size_t) (w.p - text) };
    return GH_OK;
}

/* ---- the signature ---- */

/* 1..most bytes, each a letter, a digit, or one of `also`. also NULL: any visible ASCII. */
static bool
word_valid(gh_str_t word, size_t most, const char *also)
{
    size_t i;

    for (i = 0; i < word.len; i++) {
        if (word.data[i] <= ' ' || word.data[i] >= 0x7f || (also != NULL && !is_alphanumeric(word.data[i]) && strchr(also, word.data[i]) == NULL)) {
            return false;
        }
    }

    return word.len != 0 && word.len <= most;
}

static int
signer_check(const gh_aws_credential_t *credential, const gh_sigv4_scope_t *scope, gh_error_t *error)
{
    if (!word_valid(credential->access_key_id, 128, "_")) {
        return gh_error_set(error, "bad_signature_input", "the access key id is not 1 to 128 letters, digits and underscores");
    }
    if (!word_valid(credential->secret_access_key, 256, NULL)) {
        return gh_error_set(error, "bad_signature_input", "the secret access key is not 1 to 256 bytes of visible ASCII");
    }
    if (credential->session_token.len != 0 && !word_valid(credential->session_token, 8192, NULL)) {
        return gh_error_set(error, "bad_signature_input", "the session token is not at most 8192 bytes of visible ASCII");
    }
    if (!word_valid(scope->region, 64, "-") || !word_valid(scope->service, 64, "-")) {
        return gh_error_set(error, "bad_signature_input", "region or service are not 1 to 64 letters, digits and hyphens");
    }

    return GH_OK;
}

static int
date_write(uint64_t now_ms, int64_t skew_ms, char date[16], gh_error_t *error)
{
    char      text[24];
    struct tm tm;
    time_t    seconds = (time_t) (((int64_t) now_ms + skew_ms) / 1000);

    if (now_ms > INT64_MAX / 2 || skew_ms < INT64_MIN / 2 || skew_ms > INT64_MAX / 2 || (int64_t) now_ms + skew_ms < 0
        || gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 9999 - 1900
        || strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm) != 16)
    {
        return gh_error_set(error, "bad_signature_input", "the time to sign for is none");
    }

    memcpy(date, text, 16);
    return GH_OK;
}

int
gh_sigv4_sign(gh_arena_t *arena, gh_sigv4_keys_t *keys, const gh_aws_credential_t *credential, const gh_sigv4_scope_t *scope,
    const gh_sigv4_request_t *request, uint64_t now_ms, int64_t skew_ms, gh_sigv4_signed_t *out, gh_error_t *error)
{
    gh_str_t   canonical, names, authorization;
    gh_bytes_t parts[6];
    gh_hmac_t *key;
    uint8_t    digest[32], signature[32];
    char       hex[64];

    if (signer_check(credential, scope, error) != GH_OK || date_write(now_ms, skew_ms, out->date, error) != GH_OK
        || gh_sigv4_canonical(arena, request, scope, credential->session_token, out->date, &canonical, &names, error) != GH_OK)
    {
        return GH_ERROR;
    }

    gh_hex(request->body_sha256, 32, out->content_sha256);
    gh_sha256(canonical.data, canonical.len, digest);
    gh_hex(digest, sizeof(digest), hex);

    parts[0] = (gh_bytes_t) { "AWS4-HMAC-SHA256\n", 17 };
    parts[1] = (gh_bytes_t) { out->date, 16 };
    parts[2] = (gh_bytes_t) { "\n", 1 };
    parts[3] = (gh_bytes_t) { out->date, 8 };
    authorization = gh_str_format(arena, "/%.*s/%.*s/aws4_request\n", GH_STR_ARG(scope->region), GH_STR_ARG(scope->service));
    parts[4] = (gh_bytes_t) { authorization.data, authorization.len };
    parts[5] = (gh_bytes_t) { hex, sizeof(hex) };

    key = gh_sigv4_key(keys, credential->secret_access_key, out->date, scope->region, scope->service);
    if (authorization.data == NULL || key == NULL || gh_hmac(key, parts, 6, signature) != GH_OK) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    gh_hex(signature, sizeof(signature), hex);
    out->authorization = gh_str_format(arena, "AWS4-HMAC-SHA256 Credential=%.*s/%.8s/%.*s/%.*s/aws4_request, SignedHeaders=%.*s, Signature=%.64s",
        GH_STR_ARG(credential->access_key_id), out->date, GH_STR_ARG(scope->region), GH_STR_ARG(scope->service), GH_STR_ARG(names), hex);
    if (credential->session_token.len > 0) {
        OPENSSL_cleanse((char *) canonical.data, canonical.len);        /* it holds the token */
    }
    if (out->authorization.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    return GH_OK;
}
