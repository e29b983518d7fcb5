/* Signatures of clients: read, held against the clock, and computed again. */
#include "ngx_module/wire/sigv4_verify.h"

#include <openssl/crypto.h>
#include <string.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"

static int
incomplete(gh_error_t *error, const char *what)
{
    return gh_error_set(error, "incomplete_signature", "%s", what);
}

static int
mismatch(gh_error_t *error)
{
    return gh_error_set(error, "invalid_signature", "The signature is not that of this request with the secret of its access key");
}

static bool
all_of(gh_str_t s, size_t len, const char *low, const char *high)
{
    if (s.len != len) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        size_t range = 0;

        while (low[range] != '\0' && (s.data[i] < low[range] || s.data[i] > high[range])) {
            range++;
        }
        if (low[range] == '\0') {
            return false;
        }
    }
    return true;
}

static bool
is_hex_digest(gh_str_t s)
{
    return all_of(s, 64, "0a", "9f");
}

bool
gh_sigv4_signs(gh_str_t authorization)
{
    return gh_str_starts(authorization, GH_STR("AWS4-"));
}

/* ---- the Authorization header ---- */

/* Up to the separator, which is taken away too; all of it when there is none. */
static gh_str_t
part_next(gh_str_t *rest, char separator)
{
    const char *end = rest->len != 0 ? memchr(rest->data, separator, rest->len) : NULL;
    size_t      len = end != NULL ? (size_t) (end - rest->data) : rest->len, used = len + (end != NULL);
    gh_str_t    part = { rest->data, len };

    *rest = (gh_str_t) { rest->data + used, rest->len - used };
    return part;
}

/* id/day/region/service/aws4_request */
static int
credential_read(gh_str_t text, gh_sigv4_shown_t *shown, gh_error_t *error)
{
    shown->access_key_id = part_next(&text, '/');
    shown->day = part_next(&text, '/');
    shown->scope.region = part_next(&text, '/');
    shown->scope.service = part_next(&text, '/');
    if (shown->access_key_id.len == 0 || !all_of(shown->day, 8, "0", "9") || shown->scope.region.len == 0 || shown->scope.region.len > 64
        || !gh_str_is(text, "aws4_request"))
    {
        return incomplete(error, "Credential is not ID/YYYYMMDD/REGION/SERVICE/aws4_request");
    }
    for (size_t i = 0; i < shown->scope.region.len; i++) {
        if (!all_of((gh_str_t) { shown->scope.region.data + i, 1 }, 1, "a0-", "z9-")) {
            return incomplete(error, "Credential's region is not of a-z, 0-9 and \"-\"");
        }
    }
    if (!gh_str_is(shown->scope.service, "bedrock") && !gh_str_is(shown->scope.service, "bedrock-mantle")) {
        return gh_error_set(error, "invalid_signature", "Credential should be scoped to the service bedrock");
    }
    return GH_OK;
}

static int
authorization_read(gh_str_t text, gh_sigv4_shown_t *shown, gh_error_t *error)
{
    static const char *const names[] = { "Credential=", "SignedHeaders=", "Signature=" };
    gh_str_t values[3] = { { NULL, 0 } };

    if (!gh_str_starts(text, GH_STR(ALGORITHM " "))) {
        return incomplete(error, "Authorization is not of " ALGORITHM);
    }
    text.data += sizeof(ALGORITHM);
    text.len -= sizeof(ALGORITHM);
    while (text.len != 0) {
        gh_str_t part = gh_str_trim(part_next(&text, ','));
        size_t   i = 0;

        while (i < 3 && !gh_str_starts(part, gh_str_from(names[i]))) {
            i++;
        }
        if (i == 3 || values[i].data != NULL) {
            return incomplete(error, "Authorization has Credential, SignedHeaders and Signature, each once");
        }
        values[i] = (gh_str_t) { part.data + strlen(names[i]), part.len - strlen(names[i]) };
    }
    if (values[0].data == NULL || values[1].data == NULL || values[2].data == NULL) {
        return incomplete(error, "Authorization has Credential, SignedHeaders and Signature, each once");
    }
    shown->signed_headers = values[1];
    shown->signature = values[2];
    if (!is_hex_digest(shown->signature)) {
        return incomplete(error, "Signature is not 64 hexadecimal digits");
    }
    return credential_read(values[0], shown, error);
}

/* ---- time ---- */

static void
date_text(int64_t ms, char text[17])
{
    struct tm tm;
    time_t    seconds = (time_t) (ms / 1000);

    if (gmtime_r(&seconds, &tm) == NULL || strftime(text, 17, "%Y%m%dT%H%M%SZ", &tm) != 16) {
        text[0] = '\0';
    }
}

/* In AWS's words, from which SDKs take our time. */
static int
in_time(gh_str_t date, uint64_t now_ms, gh_error_t *error)
{
    int64_t at = gh_sigv4_date_ms(date), now = (int64_t) now_ms, window = (int64_t) GH_SIGV4_WINDOW;
    char    edge[17], present[17];

    if (at < 0) {
        return incomplete(error, "x-amz-date is not YYYYMMDDTHHMMSSZ");
    }
    if (at >= now - window && at <= now + window) {
        return GH_OK;
    }
    date_text(now, present);
    date_text(at < now ? now - window : now + window, edge);
    return at < now
        ? gh_error_set(error, "invalid_signature", "Signature expired: %.16s is now earlier than %s (%s - 5 min.)", date.data, edge, present)
        : gh_error_set(error, "invalid_signature", "Signature not yet current: %.16s is still later than %s (%s + 5 min.)", date.data, edge, present);
}

/* ---- the head ---- */

/* 1: there, once; 0: not there; -1: more than once. */
static int
header_once(gh_header_fn header, void *context, gh_str_t name, gh_str_t *value)
{
    gh_str_t second;

    *value = GH_STR("");
    if (!header(context, name, 0, value)) {
        return 0;
    }
    *value = gh_str_trim(*value);
    return header(context, name, 1, &second) ? -1 : 1;
}

/* Is it one of the names? */
static bool
is_signed(gh_str_t names, const char *name)
{
    while (names.len != 0) {
        if (gh_str_is(part_next(&names, ';'), name)) {
            return true;
        }
    }
    return false;
}

static int
payload_read(gh_header_fn header, void *context, gh_sigv4_shown_t *shown, gh_error_t *error)
{
    int count = header_once(header, context, GH_STR("x-amz-content-sha256"), &shown->content_sha256);

    if (count < 0 || (count > 0 && !is_signed(shown->signed_headers, "x-amz-content-sha256"))) {
        return incomplete(error, "x-amz-content-sha256 is sent once, and signed");
    }
    if (count > 0 && !is_hex_digest(shown->content_sha256)) {
        return gh_error_set(error, "invalid_signature", "x-amz-content-sha256 has to be the SHA-256 of the body: payloads are signed, as one");
    }
    return count == 0 && is_signed(shown->signed_headers, "x-amz-content-sha256") ? incomplete(error, "x-amz-content-sha256 is signed and not sent") : GH_OK;
}

int
gh_sigv4_shown(gh_header_fn header, void *context, uint64_t now_ms, gh_sigv4_shown_t *shown, gh_error_t *error)
{
    gh_str_t value;

    memset(shown, 0, sizeof(*shown));
    if (header_once(header, context, GH_STR("authorization"), &value) != 1) {
        return incomplete(error, "Authorization is sent once");
    }
    if (authorization_read(value, shown, error) != GH_OK) {
        return GH_ERROR;
    }
    if (header_once(header, context, GH_STR("x-amz-security-token"), &value) != 0) {
        return gh_error_set(error, "invalid_access_key", "The security token included in the request is invalid: access keys of this gateway have none");
    }
    if (!is_signed(shown->signed_headers, "host") || !is_signed(shown->signed_headers, "x-amz-date")) {
        return incomplete(error, "SignedHeaders has host and x-amz-date");
    }
    if (header_once(header, context, GH_STR("x-amz-date"), &shown->date) != 1 || shown->date.len != 16 || memcmp(shown->date.data, shown->day.data, 8) != 0) {
        return incomplete(error, "x-amz-date is sent once, YYYYMMDDTHHMMSSZ, of the day of Credential");
    }
    return in_time(shown->date, now_ms, error) == GH_OK ? payload_read(header, context, shown, error) : GH_ERROR;
}

/* ---- the signature ---- */

/* Every value of the names but those that the canonical request adds by itself. */
static int
headers_read(const gh_sigv4_shown_t *shown, const gh_sigv4_received_t *received, gh_sigv4_header_t *headers, size_t *count, gh_error_t *error)
{
    gh_str_t rest = shown->signed_headers, value;

    *count = 0;
    while (rest.len != 0) {
        gh_str_t name = part_next(&rest, ';');
        unsigned i = 0;

        if (gh_str_is(name, "host") || gh_str_is(name, "x-amz-date") || gh_str_is(name, "x-amz-content-sha256")) {
            continue;
        }
        for (; received->header(received->context, name, i, &value); i++) {
            if (*count == GH_SIGV4_HEADERS) {
                return incomplete(error, "more headers are signed than the gateway reads");
            }
            headers[(*count)++] = (gh_sigv4_header_t) { name, value };
        }
        if (i == 0) {
            return incomplete(error, "a header is signed that was not sent");
        }
    }
    return GH_OK;
}

/* The signature that the request has to have, in hexadecimal. */
static int
computed(gh_sigv4_keys_t *keys, const gh_sigv4_shown_t *shown, gh_str_t secret, gh_str_t canonical, char hex[64])
{
    uint8_t    digest[32], signature[32];
    char       canonical_hex[64];
    gh_hmac_t *key = gh_sigv4_key(keys, secret, shown->day.data, shown->scope.region, shown->scope.service);
    gh_bytes_t parts[] = {
        { ALGORITHM "\n", sizeof(ALGORITHM) }, { shown->date.data, 16 }, { "\n", 1 }, { shown->day.data, 8 }, { "/", 1 },
        { shown->scope.region.data, shown->scope.region.len }, { "/", 1 }, { shown->scope.service.data, shown->scope.service.len },
        { "/aws4_request\n", 14 }, { canonical_hex, sizeof(canonical_hex) }
    };

    gh_sha256(canonical.data, canonical.len, digest);
    gh_hex(digest, sizeof(digest), canonical_hex);
    if (key == NULL || gh_hmac(key, parts, sizeof(parts) / sizeof(parts[0]), signature) != GH_OK) {
        return GH_ERROR;
    }
    gh_hex(signature, sizeof(signature), hex);
    OPENSSL_cleanse(signature, sizeof(signature));
    return GH_OK;
}

/* What the head says that the body's digest is. */
static void
digest_shown(gh_str_t hex, uint8_t digest[32])
{
    for (size_t i = 0; i < 64; i++) {
        uint8_t value = (uint8_t) (hex.data[i] <= '9' ? hex.data[i] - '0' : hex.data[i] - 'a' + 10);

        digest[i / 2] = (uint8_t) (i % 2 == 0 ? value << 4 : digest[i / 2] | value);
    }
}

int
gh_sigv4_body(const gh_sigv4_shown_t *shown, const uint8_t body_sha256[32], gh_error_t *error)
{
    char hex[64];

    gh_hex(body_sha256, 32, hex);
    return shown->content_sha256.len == 0 || memcmp(hex, shown->content_sha256.data, sizeof(hex)) == 0 ? GH_OK
        : gh_error_set(error, "invalid_signature", "x-amz-content-sha256 is not the SHA-256 of the body");
}

int
gh_sigv4_verify(gh_arena_t *arena, gh_sigv4_keys_t *keys, const gh_sigv4_shown_t *shown, gh_str_t secret, const gh_sigv4_received_t *received,
    gh_error_t *error)
{
    gh_sigv4_header_t  headers[GH_SIGV4_HEADERS];
    gh_sigv4_request_t request;
    gh_str_t           canonical, names, target = received->target;
    gh_error_t         unsignable = { 0 };
    uint8_t            digest[32];
    char               hex[64];
    int                equal;

    memset(&request, 0, sizeof(request));
    request.method = received->method;
    request.path = part_next(&target, '?');
    request.query = target;
    request.headers = headers;
    if (received->body_sha256 == NULL && shown->content_sha256.len == 0) {
        return incomplete(error, "x-amz-content-sha256 is needed to judge the head alone");
    }
    if (received->body_sha256 == NULL) {
        digest_shown(shown->content_sha256, digest);
    }
    request.body_sha256 = received->body_sha256 != NULL ? received->body_sha256 : digest;
    request.content_sha256 = shown->content_sha256.len != 0;
    if (header_once(received->header, received->context, GH_STR("host"), &request.host) != 1) {
        return incomplete(error, "Host is sent once");
    }
    if (headers_read(shown, received, headers, &request.header_count, error) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_sigv4_body(shown, request.body_sha256, error) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_sigv4_canonical(arena, &request, &shown->scope, GH_STR(""), shown->date.data, &canonical, &names, &unsignable) != GH_OK) {
        return unsignable.code != NULL && strcmp(unsignable.code, "no_memory") == 0 ? gh_error_set(error, "no_memory", "out of memory")
            : incomplete(error, "what is signed cannot be: the path, the query or a header is not as it has to be");
    }
    if (!gh_str_eq(names, shown->signed_headers)) {
        return incomplete(error, "SignedHeaders is not lower-case, in order, each name once");
    }
    if (computed(keys, shown, secret, canonical, hex) != GH_OK) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    equal = gh_memcmp_constant(hex, shown->signature.data, sizeof(hex)) == 0;
    OPENSSL_cleanse(hex, sizeof(hex));
    return equal ? GH_OK : mismatch(error);
}
