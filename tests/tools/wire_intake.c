/*
 * Shows what the gateway reads in a request and what it would send, for differential tests.
 *
 *   wire_intake [ENDPOINT [DIALECT UPSTREAM API_VERSION STORE_FALSE [OUTPUT_CAP [INFERENCE_GEO]]]] < body
 *   wire_intake --batch     each request is a line "ENDPOINT DIALECT UPSTREAM API_VERSION STORE_FALSE OUTPUT_CAP INFERENCE_GEO LENGTH", then LENGTH bytes
 *
 * ENDPOINT and DIALECT are names as in fleet/1, or "self" for the dialect "openai" of provider "self"; API_VERSION "-" for none, STORE_FALSE 0 or 1,
 * OUTPUT_CAP 0 for none, INFERENCE_GEO "-" for none. One JSON line an answer; the new body is in hexadecimal, so that every byte of it can be compared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/wire.h"
#include "policy/base/hash.h"
#include "policy/base/json_writer.h"


typedef struct {
    char endpoint[32], dialect[32], upstream[512], api_version[64], geo[32];
    int  store_false;
    unsigned long long output_cap;
} ask_t;

static int
name_index(const char *name, const char *const *names, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }

    fprintf(stderr, "wire_intake: unknown name %s\n", name);
    exit(2);
}

static void
write_intake(gh_json_writer_t *w, const gh_intake_t *intake)
{
    uint32_t i;

    gh_json_kv_string(w, "model", intake->model);
    gh_json_kv_bool(w, "stream", intake->stream);
    gh_json_kv_bool(w, "include_usage", intake->include_usage);
    gh_json_kv_bool(w, "uninspected", intake->uninspected);
    gh_json_kv_u64(w, "max_tokens", intake->max_tokens);
    gh_json_kv_u64(w, "n", intake->n);
    gh_json_kv_u64(w, "text_bytes", intake->text_bytes);
    gh_json_kv_u64(w, "messages", intake->messages);
    gh_json_kv_u64(w, "prompts", intake->prompts);
    gh_json_kv_u64(w, "images", intake->images);
    gh_json_kv_u64(w, "unbounded", intake->unbounded);
    gh_json_kv_string(w, "inference_geo", intake->inference_geo);
    gh_json_kv_string(w, "service_tier", intake->service_tier);
    gh_json_key(w, "features");
    gh_json_begin_array(w);
    for (i = 0; i < intake->feature_count; i++) {
        gh_json_begin_object(w);
        gh_json_kv_string(w, "name", intake->features[i].name);
        gh_json_kv_string(w, "where", intake->features[i].where);
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
}

static void
write_request(gh_json_writer_t *w, gh_heap_t *heap, gh_str_t body, const gh_wire_request_t *request)
{
    gh_str_t pieces[2 * GH_SPLICE_MAX + 1];
    unsigned i, count = gh_splice_pieces(&request->splice, body, pieces);
    size_t   length = gh_splice_length(&request->splice, body), len = 0;
    char    *joined = gh_arena_alloc(&heap->arena, length), *hex = gh_arena_alloc(&heap->arena, length * 2);

    for (i = 0; i < count; i++) {
        memcpy(joined + len, pieces[i].data, pieces[i].len);
        len += pieces[i].len;
    }
    gh_hex((const uint8_t *) joined, len, hex);

    gh_json_kv_string(w, "path", request->path);
    gh_json_kv_string(w, "credential_header", request->credential_header);
    gh_json_key(w, "edits");
    gh_json_begin_array(w);
    for (i = 0; i < request->splice.count; i++) {
        gh_json_begin_object(w);
        gh_json_kv_u64(w, "offset", request->splice.edit[i].offset);
        gh_json_kv_u64(w, "length", request->splice.edit[i].length);
        gh_json_kv_string(w, "text", request->splice.edit[i].text);
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
    gh_json_kv_string(w, "body_hex", (gh_str_t) { hex, len * 2 });
}

static void
write_error(gh_json_writer_t *w, const gh_error_t *error)
{
    gh_json_kv_string(w, "error", gh_str_from(error->code));
    gh_json_kv_string(w, "text", gh_str_from(error->text));
}

static void
answer(const ask_t *ask, gh_str_t body)
{
    gh_heap_t         heap;
    gh_intake_t       intake;
    gh_error_t        error;
    gh_target_t       target;
    gh_wire_request_t request;
    gh_url_t          url = { .operation = GH_URL_CREATE };
    gh_json_writer_t  w;
    size_t            size = 65536 + body.len * 8;
    char             *text;
    int               endpoint = name_index(ask->endpoint, gh_endpoint_names, GH_ENDPOINTS);

    gh_heap_init(&heap);
    memset(&error, 0, sizeof(error));
    text = malloc(size);
    gh_json_writer_init(&w, text, size);
    gh_json_begin_object(&w);

    url.endpoint = (gh_endpoint_t) endpoint;
    if (endpoint == GH_ENDPOINT_CONVERSE || endpoint == GH_ENDPOINT_INVOKE) {
        url.model = GH_STR("m");    /* which the path says */
    }

    if (gh_intake_parse_url(&heap.arena, &url, body, &intake, &error) != GH_OK) {
        write_error(&w, &error);
    } else {
        write_intake(&w, &intake);
        memset(&target, 0, sizeof(target));
        target.provider = gh_str_from(ask->dialect);
        target.dialect = strcmp(ask->dialect, "self") == 0 ? GH_DIALECT_OPENAI
            : (gh_dialect_t) name_index(ask->dialect, gh_dialect_names, GH_DIALECTS);
        target.upstream_model = gh_str_from(ask->upstream);
        target.inference_geo = gh_str_from(strcmp(ask->geo, "-") == 0 ? "" : ask->geo);
        target.api_version = gh_str_from(strcmp(ask->api_version, "-") == 0 ? "" : ask->api_version);
        if (gh_dialect_request(&heap.arena, &target, &intake, GH_STR(""), ask->store_false != 0, ask->output_cap, &request, &error) != GH_OK) {
            write_error(&w, &error);
        } else {
            write_request(&w, &heap, body, &request);
        }
    }

    gh_json_end_object(&w);
    if (!gh_json_writer_ok(&w)) {
        fprintf(stderr, "wire_intake: the answer is too long\n");
        exit(1);
    }
    fwrite(text, 1, w.len, stdout);
    putchar('\n');
    fflush(stdout);

    free(text);
    gh_heap_free(&heap);
}

static int
batch(void)
{
    char   line[1024];
    ask_t  ask;
    size_t length;
    char  *body;

    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (sscanf(line, "%31s %31s %511s %63s %d %llu %31s %zu", ask.endpoint, ask.dialect, ask.upstream, ask.api_version,
                &ask.store_false, &ask.output_cap, ask.geo, &length) != 8 || length > 64u << 20)
        {
            fprintf(stderr, "wire_intake: unreadable line %s", line);
            return 2;
        }
        body = malloc(length + 1);
        if (fread(body, 1, length, stdin) != length) {
            fprintf(stderr, "wire_intake: the input ends in a body\n");
            free(body);
            return 2;
        }
        answer(&ask, (gh_str_t) { body, length });
        free(body);
    }

    return 0;
}

int
main(int argc, char **argv)
{
    ask_t  ask = { "chat.completions", "openai", "upstream", "-", "-", 0, 0 };
    size_t size = 1 << 16, len = 0, got;
    char  *body;

    if (argc > 1 && strcmp(argv[1], "--batch") == 0) {
        return batch();
    }

    if (argc > 1) {
        snprintf(ask.endpoint, sizeof(ask.endpoint), "%s", argv[1]);
    }
    if (argc > 5) {
        snprintf(ask.dialect, sizeof(ask.dialect), "%s", argv[2]);
        snprintf(ask.upstream, sizeof(ask.upstream), "%s", argv[3]);
        snprintf(ask.api_version, sizeof(ask.api_version), "%s", argv[4]);
        ask.store_false = argv[5][0] == '1';
        ask.output_cap = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
        snprintf(ask.geo, sizeof(ask.geo), "%s", argc > 7 ? argv[7] : "-");
    }

    body = malloc(size);
    while ((got = fread(body + len, 1, size - len, stdin)) != 0) {
        len += got;
        if (len == size) {
            size *= 2;
            body = realloc(body, size);
        }
    }
    answer(&ask, (gh_str_t) { body, len });
    free(body);

    return 0;
}
