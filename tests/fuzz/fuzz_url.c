/*
 * Any bytes as a URL, served as a decoder of its own reads it: what is taken names what the decoder found there, says its methods, and is taken for that
 * path alone. A query after it changes nothing, but for the list of models, which is JSON however it is asked for.
 */
#define _GNU_SOURCE   /* memmem */
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/wire.h"
#include "policy/base/json_reader.h"
#include "tests/fuzz/standalone.h"

static int
digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static size_t
decode(const uint8_t *data, size_t size, char *out)
{
    size_t i, len = 0;

    for (i = 0; i < size && data[i] != '?'; i++) {
        if (data[i] == '%' && size - i > 2 && digit(data[i + 1]) >= 0 && digit(data[i + 2]) >= 0) {
            out[len++] = (char) (digit(data[i + 1]) * 16 + digit(data[i + 2]));
            i += 2;
        } else {
            out[len++] = (char) data[i];
        }
    }

    return len;
}

/* Whatever its query says: what a deployment would be asked is one line of a request, which names the same response. */
static void
kept(gh_arena_t *arena, const gh_url_t *url)
{
    gh_target_t       target = { .dialect = GH_DIALECT_OPENAI, .upstream_model = GH_STR("m"), .provider = GH_STR("openai") };
    gh_wire_request_t wire;
    gh_intake_t       intake;
    gh_error_t        error;

    if (url->id.len == 0 || memchr(url->id.data, '\0', url->id.len) != NULL) {
        abort();
    }
    if (gh_intake_parse_url(arena, url, GH_STR(""), &intake, &error) != GH_OK) {
        return;
    }
    intake.kept = url->id;               /* as if it had been opened */
    intake.model = GH_STR("m");
    if (gh_dialect_request(arena, &target, &intake, GH_STR(""), false, 0, &wire, &error) != GH_OK) {
        return;
    }
    for (size_t i = 0; i < wire.path.len; i++) {
        if (wire.path.data[i] <= ' ' || wire.path.data[i] > '~') {
            abort();
        }
    }
    if (!gh_str_starts(wire.path, GH_STR("/v1/responses/")) || wire.splice.count != 0) {
        abort();
    }
}

/* Of whatever models: JSON, or the reason why not. */
static void
models(gh_arena_t *arena, const gh_url_t *url)
{
    static const gh_str_t names[] = { { "a", 1 }, { "b/\"1\"", 5 }, { "c", 1 }, { "gpt", 3 } };
    gh_json_reader_t      r;
    gh_error_t            error;
    gh_str_t              json;

    for (size_t count = 0; count <= sizeof(names) / sizeof(names[0]); count++) {
        memset(&error, 0, sizeof(error));
        if (gh_models_write(arena, url, names, count, &json, &error) != GH_OK) {
            if (error.code == NULL || strcmp(error.code, "no_memory") == 0) {
                abort();
            }
            continue;
        }
        gh_json_reader_init(&r, json, 0);
        if (gh_json_skip(&r) != GH_OK || gh_json_next(&r) != GH_JSON_END) {
            abort();
        }
    }
}

static void
check(gh_arena_t *arena, const uint8_t *data, size_t size, const char *method)
{
    char      *served = malloc(size + 1);
    gh_str_t   target = { (const char *) data, size }, path = { served, decode(data, size, served) }, value;
    gh_url_t   url, again;
    gh_error_t error;
    size_t     i;

    if (gh_url_read(arena, gh_str_from(method), target, path, &url, &error) == GH_OK) {
        if (url.allow == NULL || strstr(url.allow, method) == NULL || (url.operation == GH_URL_CREATE || url.operation == GH_URL_KEPT) != (url.endpoint != GH_ENDPOINTS)
            || (url.operation == GH_URL_KEPT) != (url.id.data != NULL) || (url.kept != GH_OPERATION_CREATE) != (url.operation == GH_URL_KEPT))
        {
            abort();
        }
        if (url.model.data != NULL) {
            if (url.model.len == 0 || url.model.len > GH_URL_NAME_MAX || url.model.len > path.len || !gh_utf8_valid(url.model)
                || memmem(path.data, path.len, url.model.data, url.model.len) == NULL)
            {
                abort();
            }
            for (i = 0; i < url.model.len; i++) {
                if ((unsigned char) url.model.data[i] < 0x20 || url.model.data[i] == 0x7f) {
                    abort();
                }
            }
        }

        if (gh_url_read(arena, gh_str_from(method), target, (gh_str_t) { NULL, 0 }, &again, &error) == GH_OK && !gh_str_eq(again.model, url.model)) {
            abort();
        }
        if (url.operation == GH_URL_KEPT) {
            kept(arena, &url);
        }
        if (url.operation == GH_URL_MODELS || url.operation == GH_URL_MODEL) {
            models(arena, &url);
            url.client = GH_HUB_MESSAGES;
            models(arena, &url);
        }

        served[path.len] = 'x';
        path.len++;
        if (gh_url_read(arena, gh_str_from(method), target, path, &again, &error) == GH_OK) {
            abort();
        }
    }

    (void) gh_url_parameter(url.query, GH_STR("limit"), &value);
    free(served);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = { "GET", "POST", "DELETE" };
    gh_heap_t                heap;
    size_t                   i;

    gh_heap_init(&heap);
    for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        check(&heap.arena, data, size, methods[i]);
    }
    gh_heap_free(&heap);

    return 0;
}
