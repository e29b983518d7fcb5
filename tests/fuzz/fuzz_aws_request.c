/*
 * Any bytes as what AWS and clients of Bedrock's native API send: an error, a credential, a Date, a chunk, a path, an ARN, a host; and as the parts of a
 * request to be signed. What is read back from what was written is the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/aws_error.h"
#include "ngx_module/wire/bedrock.h"
#include "ngx_module/wire/sigv4.h"
#include "ngx_module/wire/sigv4_verify.h"
#include "ngx_module/wire/url.h"
#include "tests/fuzz/standalone.h"

static void
check(bool good)
{
    if (!good) {
        abort();
    }
}

static void
names(gh_arena_t *arena, gh_str_t text)
{
    gh_url_t      url;
    gh_aws_host_t host;
    gh_aws_arn_t  arn;
    gh_str_t      id, path, event;
    char         *payload, *buffer, *again_buffer;

    path = gh_bedrock_path(arena, GH_BEDROCK_INVOKE, text, NULL);
    if (path.data != NULL && gh_url_read(arena, GH_STR("POST"), path, (gh_str_t) { NULL, 0 }, &url, NULL) == GH_OK) {
        check(url.endpoint == GH_ENDPOINT_INVOKE && gh_str_eq(url.model, text));
    }
    if (gh_aws_arn_read(text, &arn)) {
        check(arn.name.data + arn.name.len == text.data + text.len);
    }
    if (gh_aws_host_read(text, &host)) {
        check(gh_str_eq(gh_aws_host(arena, &host, NULL), text));
    }

    buffer = malloc(text.len + 1);
    if (gh_bedrock_chunk_read(text, buffer, &event, NULL) == GH_OK) {
        payload = malloc(GH_BEDROCK_CHUNK_LENGTH(event.len));
        path = (gh_str_t) { payload, gh_bedrock_chunk_write(event, payload) };
        again_buffer = malloc(path.len);
        check(gh_bedrock_chunk_read(path, again_buffer, &id, NULL) == GH_OK && gh_str_eq(id, event));
        free(again_buffer);
        free(payload);
    }
    free(buffer);
}

/* The parts are lines. */
static gh_str_t
line_next(gh_str_t *rest)
{
    const char *end = rest->len != 0 ? memchr(rest->data, '\n', rest->len) : NULL;
    gh_str_t    line = { rest->data, end != NULL ? (size_t) (end - rest->data) : rest->len };
    size_t      used = line.len + (end != NULL);

    *rest = (gh_str_t) { rest->data + used, rest->len - used };
    return line;
}

static void
sign(gh_arena_t *arena, gh_str_t rest)
{
    static const uint8_t digest[32];
    gh_sigv4_header_t    headers[GH_SIGV4_HEADERS];
    gh_aws_credential_t  credential = { GH_STR("A"), GH_STR("secret"), GH_STR(""), 0 };
    gh_sigv4_scope_t     scope;
    gh_sigv4_request_t   request;
    gh_sigv4_signed_t    out;
    gh_sigv4_keys_t      keys;
    gh_error_t           error;
    size_t               i;

    memset(&request, 0, sizeof(request));
    memset(&error, 0, sizeof(error));
    request.method = GH_STR("POST");
    request.path = line_next(&rest);
    request.query = line_next(&rest);
    request.host = line_next(&rest);
    scope.service = line_next(&rest);
    scope.region = GH_STR("r");
    request.headers = headers;
    request.body_sha256 = digest;
    while (rest.len != 0 && request.header_count < GH_SIGV4_HEADERS) {
        headers[request.header_count].name = line_next(&rest);
        headers[request.header_count++].value = line_next(&rest);
    }

    gh_sigv4_keys_init(&keys);
    if (gh_sigv4_sign(arena, &keys, &credential, &scope, &request, UINT64_C(1440938160000), 0, &out, &error) == GH_OK) {
        for (i = 0; i < out.authorization.len; i++) {
            check((uint8_t) out.authorization.data[i] >= 0x20);
        }
    } else {
        check(error.code != NULL && strstr(error.text, "secret") == NULL);
    }
    gh_sigv4_keys_clear(&keys);
}

/* Lines: the Authorization header, x-amz-date, x-amz-content-sha256, any other header that is signed, the path. */
static bool
header_line(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    gh_str_t    rest = *(gh_str_t *) context, lines[4];
    const char *names[] = { "authorization", "x-amz-date", "x-amz-content-sha256", "host" };

    for (size_t i = 0; i < 4; i++) {
        lines[i] = line_next(&rest);
        if (gh_str_eq_nocase(name, gh_str_from(names[i]))) {
            *value = lines[i];
            return index == 0 && lines[i].len != 0;
        }
    }
    *value = lines[3];
    return index < 2 && !gh_str_is(name, "x-amz-security-token");
}

/* Nothing that was not signed with the secret is taken for it. */
static void
verify(gh_arena_t *arena, gh_str_t text)
{
    static const uint8_t digest[32];
    gh_sigv4_received_t  received = { GH_STR("POST"), text, header_line, &text, digest };
    gh_sigv4_shown_t     shown;
    gh_sigv4_keys_t      keys;
    gh_error_t           error = { 0 };

    (void) gh_sigv4_signs(text);
    if (gh_sigv4_shown(header_line, &text, UINT64_C(1440938160000), &shown, &error) == GH_OK) {
        check(shown.date.len == 16 && shown.day.len == 8 && shown.signature.len == 64 && shown.access_key_id.len != 0);
        gh_sigv4_keys_init(&keys);
        check(gh_sigv4_verify(arena, &keys, &shown, GH_STR("secret"), &received, &error) != GH_OK && error.code != NULL);
        received.body_sha256 = NULL;
        check(gh_sigv4_verify(arena, &keys, &shown, GH_STR("secret"), &received, &error) != GH_OK && error.code != NULL);
        gh_sigv4_keys_clear(&keys);
    } else {
        check(error.code != NULL && strstr(error.text, "secret") == NULL);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_heap_t           heap;
    gh_str_t            text;
    gh_aws_error_t      error;
    gh_aws_credential_t credential;
    int64_t             skew = 0;
    char               *copy = malloc(size != 0 ? size : 1);

    /* memory of its own size */
    memcpy(copy, data, size);
    text = (gh_str_t) { copy, size };

    gh_heap_init(&heap);
    gh_aws_error_read(&heap.arena, GH_STR(""), text, &error);
    (void) gh_aws_error_status(gh_aws_error_name(text));
    if (gh_aws_credential_read(&heap.arena, text, &credential, NULL) == GH_OK) {
        check(credential.access_key_id.len != 0 && credential.secret_access_key.len != 0);
    }
    if (gh_sigv4_learn_skew(403, GH_STR("RequestExpired"), text, text, UINT64_C(1440938160000), &skew)) {
        check(skew >= -(int64_t) GH_SIGV4_SKEW_MAX && skew <= (int64_t) GH_SIGV4_SKEW_MAX && skew != 0);
    }
    names(&heap.arena, text);
    sign(&heap.arena, text);
    verify(&heap.arena, text);
    gh_heap_free(&heap);
    free(copy);

    return 0;
}
