/*
 * What requests to AWS are made of, for differential tests: a JSON object a line in, one out. "op" says what is asked:
 *
 *   sign        access secret token region service method host path query headers ([[name, value]]) body_sha256 (hex) content_sha256 (boolean) now_ms skew_ms
 *   verify      secret method target headers ([[name, value]]) body_sha256 (hex) now_ms
 *   skew        status type_header body date now_ms skew_ms
 *   credential  text
 *   path        operation (number) id                      url         path            arn   id
 *   host        service region fips dual_stack             host_read   host
 *   chunk_read  payload                                    chunk_write hex
 *
 * An error is {"error": code, "sentence": text}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/aws_error.h"
#include "ngx_module/wire/bedrock.h"
#include "ngx_module/wire/sigv4.h"
#include "ngx_module/wire/sigv4_verify.h"
#include "ngx_module/wire/url.h"
#include "policy/base/json_tree.h"
#include "policy/base/json_writer.h"

static gh_heap_t       heap;
static gh_sigv4_keys_t keys;

static gh_str_t
text_of(const gh_node_t *ask, const char *name)
{
    const gh_node_t *node = gh_node_get(ask, name);

    return node != NULL && node->type == GH_NODE_STRING ? node->text : GH_STR("");
}

static int64_t
number_of(const gh_node_t *ask, const char *name)
{
    const gh_node_t *node = gh_node_get(ask, name);
    gh_str_t         text = node != NULL ? gh_str_copy(&heap.arena, node->text) : GH_STR("0");

    return strtoll(text.data, NULL, 10);
}

static bool
is_true(const gh_node_t *ask, const char *name)
{
    const gh_node_t *node = gh_node_get(ask, name);

    return node != NULL && node->type == GH_NODE_TRUE;
}

static gh_str_t
from_hex(gh_str_t hex)
{
    uint8_t *bytes = gh_arena_alloc(&heap.arena, hex.len / 2);
    unsigned byte;
    size_t   i;

    for (i = 0; i < hex.len / 2; i++) {
        char two[3] = { hex.data[i * 2], hex.data[i * 2 + 1], '\0' };

        sscanf(two, "%2x", &byte);
        bytes[i] = (uint8_t) byte;
    }

    return (gh_str_t) { (const char *) bytes, hex.len / 2 };
}

static void
write_error(gh_json_writer_t *w, const gh_error_t *error)
{
    gh_json_kv_string(w, "error", gh_str_from(error->code));
    gh_json_kv_string(w, "sentence", gh_str_from(error->text));
}

static void
sign(gh_json_writer_t *w, const gh_node_t *ask)
{
    gh_aws_credential_t credential = { text_of(ask, "access"), text_of(ask, "secret"), text_of(ask, "token"), 0 };
    gh_sigv4_scope_t    scope = { text_of(ask, "region"), text_of(ask, "service") };
    gh_sigv4_header_t   headers[GH_SIGV4_HEADERS + 1];
    gh_sigv4_request_t  request;
    gh_sigv4_signed_t   out;
    gh_str_t            canonical, names, digest = from_hex(text_of(ask, "body_sha256"));
    gh_error_t          error;
    const gh_node_t    *node = gh_node_get(ask, "headers");

    memset(&request, 0, sizeof(request));
    request.method = text_of(ask, "method");
    request.host = text_of(ask, "host");
    request.path = text_of(ask, "path");
    request.query = text_of(ask, "query");
    request.headers = headers;
    request.body_sha256 = (const uint8_t *) digest.data;
    request.content_sha256 = is_true(ask, "content_sha256");
    for (node = node != NULL ? node->first : NULL; node != NULL && request.header_count <= GH_SIGV4_HEADERS; node = node->next) {
        headers[request.header_count++] = (gh_sigv4_header_t) { node->first->text, node->first->next->text };
    }

    if (gh_sigv4_sign(&heap.arena, &keys, &credential, &scope, &request, (uint64_t) number_of(ask, "now_ms"), number_of(ask, "skew_ms"), &out, &error)
        != GH_OK || gh_sigv4_canonical(&heap.arena, &request, &scope, credential.session_token, out.date, &canonical, &names, &error) != GH_OK)
    {
        write_error(w, &error);
        return;
    }

    gh_json_kv_string(w, "authorization", out.authorization);
    gh_json_kv_string(w, "date", (gh_str_t) { out.date, sizeof(out.date) });
    gh_json_kv_string(w, "content_sha256", (gh_str_t) { out.content_sha256, sizeof(out.content_sha256) });
    gh_json_kv_string(w, "canonical", canonical);
    gh_json_kv_string(w, "signed_headers", names);
    gh_json_kv_u64(w, "derived", keys.derived);
}

/* gh_header_fn over the names and values that are asked about. */
static bool
header_of(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    const gh_node_t *node = gh_node_get(context, "headers");

    for (node = node != NULL ? node->first : NULL; node != NULL; node = node->next) {
        if (gh_str_eq_nocase(node->first->text, name) && index-- == 0) {
            *value = node->first->next->text;
            return true;
        }
    }
    return false;
}

static void
verify(gh_json_writer_t *w, const gh_node_t *ask)
{
    gh_str_t            digest = from_hex(text_of(ask, "body_sha256"));
    gh_sigv4_received_t received = { text_of(ask, "method"), text_of(ask, "target"), header_of, (void *) ask,
                                     digest.len != 0 ? (const uint8_t *) digest.data : NULL };
    gh_sigv4_shown_t    shown;
    gh_error_t          error = { 0 };

    if (gh_sigv4_shown(header_of, (void *) ask, (uint64_t) number_of(ask, "now_ms"), &shown, &error) != GH_OK
        || gh_sigv4_verify(&heap.arena, &keys, &shown, text_of(ask, "secret"), &received, &error) != GH_OK)
    {
        write_error(w, &error);
        return;
    }

    gh_json_kv_string(w, "access", shown.access_key_id);
}

static void
skew(gh_json_writer_t *w, const gh_node_t *ask)
{
    gh_aws_error_t error;
    int64_t        skew_ms = number_of(ask, "skew_ms");
    bool           learned;

    gh_aws_error_read(&heap.arena, text_of(ask, "type_header"), text_of(ask, "body"), &error);
    learned = gh_sigv4_learn_skew((int) number_of(ask, "status"), error.type, error.message, text_of(ask, "date"), (uint64_t) number_of(ask, "now_ms"),
        &skew_ms);

    gh_json_kv_string(w, "type", error.type);
    gh_json_kv_string(w, "message", error.message);
    gh_json_kv_u64(w, "status", (uint64_t) gh_aws_error_status(error.type));
    gh_json_kv_bool(w, "learned", learned);
    gh_json_key(w, "skew_ms");
    gh_json_i64(w, skew_ms);
}

static void
credential(gh_json_writer_t *w, const gh_node_t *ask)
{
    gh_aws_credential_t read;
    gh_error_t          error;

    if (gh_aws_credential_read(&heap.arena, text_of(ask, "text"), &read, &error) != GH_OK) {
        write_error(w, &error);
        return;
    }

    gh_json_kv_string(w, "access", read.access_key_id);
    gh_json_kv_string(w, "secret", read.secret_access_key);
    gh_json_kv_string(w, "token", read.session_token);
    gh_json_kv_u64(w, "expires_ms", read.expires_ms);
}

static void
path(gh_json_writer_t *w, const gh_node_t *ask)
{
    gh_error_t error;
    gh_str_t   text = gh_bedrock_path(&heap.arena, (gh_bedrock_operation_t) number_of(ask, "operation"), text_of(ask, "id"), &error);

    if (text.data == NULL) {
        write_error(w, &error);
    } else {
        gh_json_kv_string(w, "path", text);
    }
}

static void
url(gh_json_writer_t *w, const gh_node_t *ask)
{
    gh_url_t   read;
    gh_error_t error;

    if (gh_url_read(&heap.arena, GH_STR("POST"), text_of(ask, "path"), (gh_str_t) { NULL, 0 }, &read, &error) != GH_OK) {
        write_error(w, &error);
    } else {
        gh_json_kv_string(w, "endpoint", gh_str_from(gh_endpoint_names[read.endpoint]));
        gh_json_kv_bool(w, "stream", read.stream);
        gh_json_kv_string(w, "id", read.model);
    }
}

static void
arn(gh_json_writer_t *w, const gh_node_t *ask)
{
    gh_aws_arn_t read;

    if (gh_aws_arn_read(text_of(ask, "id"), &read)) {
        gh_json_kv_string(w, "partition", read.partition);
        gh_json_kv_string(w, "service", read.service);
        gh_json_kv_string(w, "region", read.region);
        gh_json_kv_string(w, "account", read.account);
        gh_json_kv_string(w, "kind", read.kind);
        gh_json_kv_string(w, "name", read.name);
    }
}

static const char *const services[GH_AWS_SERVICES] = { "bedrock-runtime", "bedrock-mantle", "bedrock" };

static void
write_host(gh_json_writer_t *w, gh_str_t name)
{
    gh_aws_host_t host;

    if (gh_aws_host_read(name, &host)) {
        gh_json_kv_string(w, "service", gh_str_from(services[host.service]));
        gh_json_kv_string(w, "region", host.region);
        gh_json_kv_bool(w, "fips", host.fips);
        gh_json_kv_bool(w, "dual_stack", host.dual_stack);
    }
}

static void
host_read(gh_json_writer_t *w, const gh_node_t *ask)
{
    write_host(w, text_of(ask, "host"));
}

static void
host(gh_json_writer_t *w, const gh_node_t *ask)
{
    gh_aws_host_t asked = { GH_AWS_SERVICES, text_of(ask, "region"), is_true(ask, "fips"), is_true(ask, "dual_stack") };
    gh_error_t    error;
    gh_str_t      name;
    unsigned      i;

    for (i = 0; i < GH_AWS_SERVICES; i++) {
        if (gh_str_is(text_of(ask, "service"), services[i])) {
            asked.service = (gh_aws_service_t) i;
        }
    }

    name = gh_aws_host(&heap.arena, &asked, &error);
    if (name.data == NULL) {
        write_error(w, &error);
        return;
    }

    gh_json_kv_string(w, "host", name);
    gh_json_kv_string(w, "signing", gh_aws_signing_name(asked.service));
    gh_json_kv_string(w, "partition", gh_aws_partition(asked.region));
    gh_json_key(w, "read");
    gh_json_begin_object(w);
    write_host(w, name);
    gh_json_end_object(w);
}

static void
chunk_read(gh_json_writer_t *w, const gh_node_t *ask)
{
    gh_error_t error;
    gh_str_t   event;
    gh_str_t   payload = text_of(ask, "payload");
    char      *hex, *buffer = gh_arena_alloc(&heap.arena, payload.len);

    if (gh_bedrock_chunk_read(payload, buffer, &event, &error) != GH_OK) {
        write_error(w, &error);
        return;
    }

    hex = gh_arena_alloc(&heap.arena, event.len * 2);
    gh_hex((const uint8_t *) event.data, event.len, hex);
    gh_json_kv_string(w, "hex", (gh_str_t) { hex, event.len * 2 });
}

static void
chunk_write(gh_json_writer_t *w, const gh_node_t *ask)
{
    gh_str_t event = from_hex(text_of(ask, "hex"));
    char    *payload = malloc(GH_BEDROCK_CHUNK_LENGTH(event.len));

    gh_json_kv_string(w, "payload", (gh_str_t) { payload, gh_bedrock_chunk_write(event, payload) });
    free(payload);
}

static void
answer(gh_str_t line)
{
    static const struct {
        const char *op;
        void      (*run)(gh_json_writer_t *w, const gh_node_t *ask);
    } ops[] = {
        { "sign", sign }, { "verify", verify }, { "skew", skew }, { "credential", credential }, { "path", path }, { "url", url }, { "arn", arn },
        { "host", host }, { "host_read", host_read }, { "chunk_read", chunk_read }, { "chunk_write", chunk_write },
    };
    gh_json_writer_t w;
    gh_error_t       error;
    gh_node_t       *ask;
    size_t           size = line.len * 8 + 65536, i;
    char            *text = malloc(size);

    if (gh_json_parse(&heap.arena, line, "stdin", &ask, &error) != GH_OK) {
        fprintf(stderr, "aws_request: %u:%u: %s\n", error.line, error.column, error.text);
        exit(2);
    }

    gh_json_writer_init(&w, text, size);
    gh_json_begin_object(&w);
    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (gh_str_is(text_of(ask, "op"), ops[i].op)) {
            ops[i].run(&w, ask);
        }
    }
    gh_json_end_object(&w);

    if (!gh_json_writer_ok(&w)) {
        fprintf(stderr, "aws_request: the answer is too long\n");
        exit(1);
    }
    fwrite(text, 1, w.len, stdout);
    putchar('\n');
    fflush(stdout);
    free(text);
}

int
main(void)
{
    char   *line = NULL;
    size_t  size = 0;
    ssize_t len;

    gh_sigv4_keys_init(&keys);
    while ((len = getline(&line, &size, stdin)) > 0) {
        gh_heap_init(&heap);
        answer((gh_str_t) { line, (size_t) len });
        gh_heap_free(&heap);
    }

    gh_sigv4_keys_clear(&keys);
    free(line);
    return 0;
}
