/*
 * Counts of tokens between Messages and InvokeModel: what is counted is the same body, in Bedrock's count as base64. Members that Anthropic's count does not take, since they say
 * nothing of the prompt, are left out there. Sources: anthropic-sdk-python (MessageCountTokensParams), the service model of bedrock-runtime (CountTokensInput).
 */
#include <string.h>

#include "ngx_module/wire/alike.h"
#include "ngx_module/wire/fields.h"
#include "ngx_module/wire/hub/dialect.h"

static const char *const uncounted[] = { "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier", "anthropic_version",
                                         "anthropic_beta" };

gh_endpoint_t
gh_alike_counted(gh_endpoint_t endpoint, gh_endpoint_t inner)
{
    return endpoint == GH_ENDPOINT_COUNT_TOKENS ? GH_ENDPOINT_BEDROCK_COUNT
           : endpoint == GH_ENDPOINT_BEDROCK_COUNT && inner == GH_ENDPOINT_INVOKE ? GH_ENDPOINT_COUNT_TOKENS : GH_ENDPOINTS;
}

static bool
is_counted(const gh_json_reader_t *r)
{
    for (size_t i = 0; i < sizeof(uncounted) / sizeof(uncounted[0]); i++) {
        if (gh_json_token_is(r, gh_str_from(uncounted[i]))) {
            return false;
        }
    }

    return true;
}

/* Of an InvokeModel: the first member that Anthropic's count has not. */
static gh_str_t
member_refused(gh_arena_t *arena, gh_str_t inner)
{
    gh_str_t         none = { NULL, 0 }, name;
    gh_json_reader_t r;
    char            *room;

    gh_json_reader_init(&r, inner, 0);
    if (gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return none;
    }

    while (gh_json_next(&r) == GH_JSON_KEY) {
        if (is_counted(&r)) {
            room = gh_arena_alloc(arena, r.token.len + 1);
            if (room == NULL || gh_json_token_decode(&r, room, r.token.len + 1, &name) != GH_OK
                || gh_field_find(gh_body_tables[GH_ENDPOINT_COUNT_TOKENS], name, GH_ENDPOINT_COUNT_TOKENS) < 0)
            {
                name = gh_str_copy(arena, r.token);
                return name.data != NULL ? name : GH_STR("");
            }
        }
        if (gh_json_skip(&r) != GH_OK) {
            break;
        }
    }

    return none;
}

gh_str_t
gh_alike_count_refused(gh_arena_t *arena, const gh_intake_t *intake, gh_str_t inner)
{
    gh_str_t where = gh_alike_refused(intake);

    return where.data != NULL || intake->endpoint == GH_ENDPOINT_COUNT_TOKENS ? where : member_refused(arena, inner);
}

/* Into Bedrock's: as it is between the two where a model runs. */
static int
to_bedrock(gh_arena_t *arena, const gh_intake_t *intake, gh_str_t inner, const gh_hub_send_t *send, gh_str_t *body, gh_error_t *error)
{
    gh_wire_request_t wire;
    gh_hub_send_t     counted = *send;
    gh_str_t          pieces[2 * GH_SPLICE_MAX + 1], text;
    char             *p;
    unsigned          count, i;

    memset(&wire, 0, sizeof(wire));
    counted.output_cap = 0;
    if (gh_alike_request(arena, intake, inner, &counted, &wire, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!gh_splice_holds(&wire.splice, inner)) {
        return gh_error_set(error, "bad_splice", "the changes of a body overlap");
    }

    text.len = gh_splice_length(&wire.splice, inner);
    text.data = p = gh_arena_alloc(arena, text.len + 1);
    if (p == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    count = gh_splice_pieces(&wire.splice, inner, pieces);
    for (i = 0; i < count; i++) {
        memcpy(p, pieces[i].data, pieces[i].len);
        p += pieces[i].len;
    }

    return gh_hub_count_wrap(arena, text, body, error);
}

static int
to_anthropic(gh_arena_t *arena, gh_str_t inner, const gh_hub_send_t *send, gh_wire_request_t *wire, gh_str_t *body, gh_error_t *error)
{
    gh_str_t         betas = { NULL, 0 };
    gh_json_reader_t r;
    gh_hub_put_t     p;
    size_t           key, value;
    bool             counted, flags;

    gh_hub_put_init(&p, arena, inner.len + send->model.len + 16, SIZE_MAX / 4);
    gh_hub_put_open(&p, '{');
    gh_hub_put_kv_text(&p, "model", send->model);

    gh_json_reader_init(&r, inner, 0);
    gh_json_next(&r);
    while (gh_json_next(&r) == GH_JSON_KEY) {
        key = r.token_offset;
        counted = is_counted(&r);
        flags = gh_json_token_is(&r, GH_STR("anthropic_beta"));
        value = r.token_end;
        if (gh_json_skip(&r) != GH_OK) {
            return gh_error_set(error, "invalid_json", "what is to be counted is no JSON");
        }
        if (counted) {
            GH_HUB_PUT(&p, ",");
            gh_hub_put(&p, (gh_str_t) { inner.data + key, r.token_end - key });
        } else if (flags) {
            for (; value < r.token_end && inner.data[value] != '['; value++) { }
            betas = value < r.token_end ? (gh_str_t) { inner.data + value, r.token_end - value } : betas;
        }
    }
    gh_hub_put_close(&p, '}');
    if (p.failed) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    wire->betas = gh_hub_betas_header(arena, gh_hub_betas_native(arena, betas));
    *body = (gh_str_t) { p.data, p.len };

    return GH_OK;
}

int
gh_alike_count(gh_arena_t *arena, const gh_intake_t *intake, gh_str_t inner, const gh_hub_send_t *send, gh_wire_request_t *wire, gh_str_t *body,
    gh_error_t *error)
{
    return intake->endpoint == GH_ENDPOINT_COUNT_TOKENS ? to_bedrock(arena, intake, inner, send, body, error)
           : to_anthropic(arena, inner, send, wire, body, error);
}
