/*
 * Any bytes as a request body: the parser, then every dialect on what it took. What a splice makes of a body the parser
 * took must be a body it takes again, with the target's model and the same features. With a field that would steer it, it
 * is refused; with a URL in a video part it has that use.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/wire.h"
#include "tests/fuzz/standalone.h"

static void
respliced(gh_arena_t *arena, gh_str_t body, const gh_intake_t *intake, gh_dialect_t dialect)
{
    gh_str_t          pieces[2 * GH_SPLICE_MAX + 1];
    gh_wire_request_t request;
    gh_intake_t       again;
    gh_target_t       target;
    gh_error_t        error;
    unsigned          i, count;
    uint64_t          length;
    size_t            len = 0;
    char             *joined;

    memset(&target, 0, sizeof(target));
    target.dialect = dialect;
    target.upstream_model = GH_STR("up/stream \"1\"");
    target.api_version = GH_STR("2025-01-01-preview");

    if (gh_dialect_request(arena, &target, intake, GH_STR(""), true, &request, &error) != GH_OK) {
        return;
    }

    length = gh_splice_length(&request.splice, body);
    joined = malloc(length);
    count = gh_splice_pieces(&request.splice, body, pieces);
    for (i = 0; i < count; i++) {
        if (pieces[i].len > length - len) {
            abort();
        }
        memcpy(joined + len, pieces[i].data, pieces[i].len);
        len += pieces[i].len;
    }

    if (len != length
        || gh_intake_parse(arena, intake->endpoint, (gh_str_t) { joined, len }, &again, &error) != GH_OK
        || !gh_str_eq(again.model, target.upstream_model)
        || again.stream != intake->stream
        || (again.stream && !again.include_usage)
        || again.max_tokens != intake->max_tokens
        || again.n != intake->n
        || again.uninspected != intake->uninspected)
    {
        abort();
    }

    for (i = 0; i < again.feature_count; i++) {
        if (gh_str_is(again.features[i].name, "store")) {
            abort();
        }
    }

    free(joined);
}

/* The body with `member` as its first one: refused with `code`, or NULL: taken with the use "fetched_url". */
static void
with_member(gh_arena_t *arena, gh_str_t body, const gh_intake_t *intake, const char *member, const char *code)
{
    size_t      begin = intake->object_begin + 1, len = strlen(member), i;
    char       *joined = malloc(body.len + len);
    gh_intake_t again;
    gh_error_t  error;
    bool        found = false;
    int         rc;

    memset(&error, 0, sizeof(error));
    memcpy(joined, body.data, begin);
    memcpy(joined + begin, member, len);
    memcpy(joined + begin + len, body.data + begin, body.len - begin);
    rc = gh_intake_parse(arena, intake->endpoint, (gh_str_t) { joined, body.len + len }, &again, &error);

    if (code != NULL) {
        if (rc == GH_OK || strcmp(error.code, code) != 0) {
            abort();
        }
    } else if (rc == GH_OK) {
        for (i = 0; i < again.feature_count; i++) {
            found |= gh_str_is(again.features[i].name, "fetched_url") || gh_str_is(again.features[i].where, "too many features");
        }
        if (!found) {
            abort();
        }
    } else if (strcmp(error.code, "duplicate_key") != 0) {
        abort();
    }

    free(joined);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str_t    body = { (const char *) data, size };
    gh_intake_t intake;
    gh_error_t  error;
    gh_heap_t   heap;
    int         endpoint, dialect;

    for (endpoint = 0; endpoint < GH_ENDPOINTS; endpoint++) {
        gh_heap_init(&heap);
        memset(&error, 0, sizeof(error));
        if (gh_intake_parse(&heap.arena, (gh_endpoint_t) endpoint, body, &intake, &error) == GH_OK) {
            for (dialect = 0; dialect < GH_DIALECTS; dialect++) {
                respliced(&heap.arena, body, &intake, (gh_dialect_t) dialect);
            }
            with_member(&heap.arena, body, &intake, "\"inference_\\u0067eo\":null,", "invalid_places");
            with_member(&heap.arena, body, &intake, "\"\\u0061pi_base\":null,", "invalid_request");
            if (endpoint == GH_ENDPOINT_CHAT_COMPLETIONS) {
                with_member(&heap.arena, body, &intake, "\"prediction\":{\"content\":[{\"input_video\":{\"url\":\"ftp:x\"}}]},", NULL);
            }
        } else if (error.code == NULL || error.text[0] == '\0') {
            abort();
        }
        gh_heap_free(&heap);
    }

    return 0;
}
