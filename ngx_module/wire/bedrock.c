#include "ngx_module/wire/bedrock.h"

#include <string.h>

#include "ngx_module/wire/dialect.h"
#include "policy/base/base64.h"
#include "policy/base/json_reader.h"

#define PREFIX "/model/"

static const char *const operations[GH_BEDROCK_OPERATIONS] = {
    [GH_BEDROCK_CONVERSE] = "converse",
    [GH_BEDROCK_CONVERSE_STREAM] = "converse-stream",
    [GH_BEDROCK_INVOKE] = "invoke",
    [GH_BEDROCK_INVOKE_STREAM] = "invoke-with-response-stream",
    [GH_BEDROCK_COUNT_TOKENS] = "count-tokens",
};

#define SAID(name) { (name), sizeof(name) - 1 }

const gh_str_t gh_bedrock_headers[GH_BEDROCK_HEADERS] = {
    [GH_BEDROCK_HEADER_TIER] = SAID("x-amzn-bedrock-service-tier"),
    [GH_BEDROCK_HEADER_GUARDRAIL] = SAID("x-amzn-bedrock-guardrailidentifier"),
    [GH_BEDROCK_HEADER_GUARDRAIL_VERSION] = SAID("x-amzn-bedrock-guardrailversion"),
    [GH_BEDROCK_HEADER_TRACE] = SAID("x-amzn-bedrock-trace"),
    [GH_BEDROCK_HEADER_LATENCY] = SAID("x-amzn-bedrock-performanceconfig-latency"),
    [GH_BEDROCK_HEADER_LABELS] = SAID("x-amzn-bedrock-request-metadata"),
};

/* What model ids, profile ids and ARNs are made of. */
static bool
id_valid(gh_str_t id)
{
    size_t i;

    for (i = 0; i < id.len; i++) {
        char c = id.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("-._:/", c) != NULL))) {
            return false;
        }
    }

    return id.len != 0 && id.len <= GH_BEDROCK_ID_MAX && !gh_str_is(id, ".") && !gh_str_is(id, "..");
}

gh_str_t
gh_bedrock_path(gh_arena_t *arena, gh_bedrock_operation_t operation, gh_str_t id, gh_error_t *error)
{
    gh_str_t path = { NULL, 0 }, segment;

    if (!id_valid(id) || (unsigned) operation >= GH_BEDROCK_OPERATIONS) {
        gh_error_set(error, "bad_gateway", "the model of a target is no model id, profile id or ARN of Bedrock");
        return path;
    }

    segment = gh_dialect_segment(arena, id, error);
    if (segment.data == NULL) {
        return path;
    }

    path = gh_str_format(arena, PREFIX "%.*s/%s", GH_STR_ARG(segment), operations[operation]);
    if (path.data == NULL) {
        gh_error_set(error, "no_memory", "out of memory");
    }
    return path;
}

bool
gh_aws_arn_read(gh_str_t id, gh_aws_arn_t *arn)
{
    gh_str_t    parts[5], rest = id;
    const char *p;
    size_t      i;

    for (i = 0; i < 5; i++) {
        p = rest.len != 0 ? memchr(rest.data, ':', rest.len) : NULL;
        if (p == NULL) {
            return false;
        }
        parts[i] = (gh_str_t) { rest.data, (size_t) (p - rest.data) };
        rest = (gh_str_t) { p + 1, rest.len - parts[i].len - 1 };
    }

    p = rest.len != 0 ? memchr(rest.data, '/', rest.len) : NULL;
    if (!gh_str_is(parts[0], "arn") || !gh_str_starts(parts[1], GH_STR("aws")) || parts[2].len == 0 || parts[3].len == 0 || p == NULL
        || p == rest.data || p + 1 == rest.data + rest.len)
    {
        return false;
    }

    arn->partition = parts[1];
    arn->service = parts[2];
    arn->region = parts[3];
    arn->account = parts[4];
    arn->kind = (gh_str_t) { rest.data, (size_t) (p - rest.data) };
    arn->name = (gh_str_t) { p + 1, rest.len - arn->kind.len - 1 };
    return true;
}

/* ---- the stream ---- */

int
gh_bedrock_chunk_read(gh_str_t payload, char *buffer, gh_str_t *event, gh_error_t *error)
{
    gh_json_reader_t r;
    gh_str_t         text = { NULL, 0 };
    long             len;

    gh_json_reader_init(&r, payload, 0);
    if (payload.len == 0 || gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return gh_error_set(error, "bedrock_chunk", "a chunk of the model's stream is no JSON object");
    }

    while (gh_json_next(&r) == GH_JSON_KEY) {
        if (!gh_json_token_is(&r, GH_STR("bytes"))) {
            if (gh_json_skip(&r) != GH_OK) {
                break;
            }
        } else if (text.data != NULL || gh_json_next(&r) != GH_JSON_STRING || gh_json_token_decode(&r, buffer, payload.len, &text) != GH_OK) {
            return gh_error_set(error, "bedrock_chunk", "bytes of a chunk of the model's stream are not one string");
        }
    }

    if (r.event != GH_JSON_OBJECT_END || gh_json_next(&r) != GH_JSON_END || text.data == NULL) {
        return gh_error_set(error, "bedrock_chunk", "a chunk of the model's stream is no JSON object with bytes");
    }

    len = gh_base64_decode(text, buffer, text.len);
    if (len < 0) {
        return gh_error_set(error, "bedrock_chunk", "bytes of a chunk of the model's stream are no base64");
    }

    *event = (gh_str_t) { buffer, (size_t) len };
    return GH_OK;
}

gh_str_t
gh_bedrock_padding(gh_str_t payload)
{
    gh_json_reader_t r;

    gh_json_reader_init(&r, payload, 0);
    if (payload.len != 0 && gh_json_next(&r) == GH_JSON_OBJECT_BEGIN) {
        while (gh_json_next(&r) == GH_JSON_KEY) {
            if (gh_json_token_is(&r, GH_STR("p"))) {
                return gh_json_next(&r) == GH_JSON_STRING ? r.token : GH_STR("");
            }
            if (gh_json_skip(&r) != GH_OK) {
                break;
            }
        }
    }

    return GH_STR("");
}

size_t
gh_bedrock_chunk_write(gh_str_t event, char *buffer)
{
    size_t len;

    memcpy(buffer, "{\"bytes\":\"", 10);
    len = 10 + gh_base64(event.data, event.len, buffer + 10);
    memcpy(buffer + len, "\"}", 2);
    return len + 2;
}
