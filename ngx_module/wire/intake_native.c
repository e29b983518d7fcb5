/*
 * A request of Responses on its way to a deployment that speaks it, when reasoning stands in it that another dialect's model gave and that was translated for
 * the client (hub/responses.h): no Responses reads that, and its provider would refuse the request. Such items are left out; what stands beside them stays as it is.
 */
#include <string.h>

#include "ngx_module/wire/hub/responses.h"
#include "ngx_module/wire/wire.h"
#include "policy/base/json_reader.h"

typedef struct {
    gh_json_reader_t json;
    gh_str_t         body;
    char            *out;
    size_t           len;
    size_t           from;         /* what stands in front of it was written or left out */
    bool             kept;         /* an element of this array was written */
    bool             dropped;      /* the last one was not */
} native_t;

bool
gh_intake_is_translated(gh_str_t id)
{
    return gh_str_starts(id, gh_str_from(RESPONSES_SIGNED)) || gh_str_starts(id, gh_str_from(RESPONSES_REDACTED));
}

static void
put(native_t *n, size_t begin, size_t end)
{
    memcpy(n->out + n->len, n->body.data + begin, end - begin);
    n->len += end - begin;
    n->from = end;
}

/* An object has begun: to its end. Is it reasoning that was translated? */
static bool
is_translated(native_t *n)
{
    bool     reasoning = false, ours = false, id, type;
    char     text[64];
    gh_str_t value;

    while (gh_json_next(&n->json) == GH_JSON_KEY) {
        id = gh_json_token_is(&n->json, GH_STR("id"));
        type = gh_json_token_is(&n->json, GH_STR("type"));
        switch (gh_json_next(&n->json)) {
        case GH_JSON_STRING:
            reasoning |= type && gh_json_token_is(&n->json, GH_STR("reasoning"));
            ours |= id && gh_json_token_decode(&n->json, text, sizeof(text), &value) == GH_OK && gh_intake_is_translated(value);
            break;
        case GH_JSON_OBJECT_BEGIN:
        case GH_JSON_ARRAY_BEGIN:
            (void) gh_json_skip_rest(&n->json);
            break;
        default:
            break;
        }
    }

    return reasoning && ours;
}

/* An element that ends here. What separates it from the one before it stays, unless something was left out between them. */
static void
element(native_t *n, size_t begin, bool drop)
{
    size_t end = n->json.token_end;

    if (drop) {
        n->from = end;
        n->dropped = true;
        return;
    }
    if (n->dropped && n->kept) {
        n->out[n->len++] = ',';
    }
    put(n, n->dropped ? begin : n->from, end);
    n->kept = true;
    n->dropped = false;
}

static void
items(native_t *n)
{
    put(n, n->from, n->json.token_end);
    while (gh_json_next(&n->json) != GH_JSON_ARRAY_END && n->json.event != GH_JSON_ERROR) {
        size_t begin = n->json.token_offset;
        bool   drop = false;

        if (n->json.event == GH_JSON_OBJECT_BEGIN) {
            drop = is_translated(n);
        } else if (n->json.event == GH_JSON_ARRAY_BEGIN) {
            (void) gh_json_skip_rest(&n->json);
        }
        element(n, begin, drop);
    }
}

int
gh_intake_native(gh_arena_t *arena, const gh_url_t *url, gh_str_t body, gh_str_t *sent, gh_intake_t *intake, gh_error_t *error)
{
    native_t n;
    bool     input;

    memset(&n, 0, sizeof(n));
    n.body = body;
    n.out = gh_arena_alloc(arena, body.len);
    if (n.out == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    gh_json_reader_init(&n.json, body, 0);
    gh_json_next(&n.json);
    while (gh_json_next(&n.json) == GH_JSON_KEY) {
        input = gh_json_token_is(&n.json, GH_STR("input"));
        gh_json_next(&n.json);
        if (n.json.event == GH_JSON_ARRAY_BEGIN && input) {
            items(&n);
        } else if (n.json.event == GH_JSON_OBJECT_BEGIN || n.json.event == GH_JSON_ARRAY_BEGIN) {
            (void) gh_json_skip_rest(&n.json);
        }
    }
    put(&n, n.from, body.len);

    *sent = (gh_str_t) { n.out, n.len };
    return gh_intake_parse_url(arena, url, *sent, intake, error);
}
