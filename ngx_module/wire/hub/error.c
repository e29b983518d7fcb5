/*
 * Errors of providers, read whatever their shape: {"error":{"message","type","param","code"}} of OpenAI and Azure, {"type":"error","error":{...}} of
 * Anthropic, {"message"} or {"Message"} of AWS with its name in a header or frame, {"object":"error",...} of vLLM and SGLang.
 */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/dialect.h"
#include "ngx_module/wire/sse.h"

#define MESSAGE_MAX 2048
#define WORD_MAX    128

/* Not inside of an escape or a UTF-8 sequence. */
static gh_str_t
cut(gh_str_t escaped, size_t max)
{
    const char *p = escaped.data, *end;
    size_t      step;

    if (escaped.len <= max) {
        return escaped;
    }

    for (end = escaped.data + max; p < end; p += step) {
        if (*p == '\\') {
            step = p[1] != 'u' ? 2 : (p[2] | 0x20) == 'd' && strchr("89abAB", p[3]) != NULL ? 12 : 6;
        } else {
            step = gh_utf8_sequence(p, escaped.data + escaped.len);
            step = step != 0 ? step : 1;
        }
        if (step > (size_t) (end - p)) {
            break;
        }
    }

    return (gh_str_t) { escaped.data, (size_t) (p - escaped.data) };
}

typedef struct {
    gh_str_t message, message_upper, type, code, param, object;
    gh_str_t inner;          /* raw: the value of "error" */
} error_t;

/* A string; anything else says nothing here. */
static int
read_code(gh_hub_reader_t *r, void *object)
{
    gh_str_t raw;

    return r->json.event == GH_JSON_STRING ? gh_hub_string(r, &((error_t *) object)->code) : gh_hub_raw(r, &raw);
}

static int
read_param(gh_hub_reader_t *r, void *object)
{
    gh_str_t raw;

    return r->json.event == GH_JSON_STRING ? gh_hub_string(r, &((error_t *) object)->param) : gh_hub_raw(r, &raw);
}

static const gh_hub_field_t error_fields[] = {
    GH_HUB_FIELD("message", STRING, GH_ASKS, error_t, message),
    GH_HUB_FIELD("Message", STRING, GH_ASKS, error_t, message_upper),
    GH_HUB_FIELD("type", STRING, GH_ASKS, error_t, type),
    GH_HUB_FIELD("object", STRING, GH_ASKS, error_t, object),
    GH_HUB_FIELD("error", RAW, GH_ASKS, error_t, inner),
    GH_HUB_READS("code", read_code),
    GH_HUB_READS("param", read_param),
};

static bool
object_read(gh_str_t raw, error_t *read)
{
    gh_hub_reader_t  r;
    gh_hub_request_t unused;
    gh_error_t       error;

    memset(&unused, 0, sizeof(unused));
    memset(&r, 0, sizeof(r));
    memset(read, 0, sizeof(*read));
    r.body = raw;
    r.request = &unused;
    r.error = &error;
    r.invalid = "bad_answer";
    gh_json_reader_init(&r.json, raw, 0);

    if (gh_json_next(&r.json) == GH_JSON_STRING) {
        read->message = r.json.token;
        return true;
    }

    return r.json.event == GH_JSON_OBJECT_BEGIN && GH_HUB_OBJECT(&r, error_fields, read) == GH_OK;
}

bool
gh_hub_flat_error(gh_str_t data)
{
    error_t read;

    return object_read(data, &read) && (gh_hub_is(read.object, "error") || gh_hub_is(read.type, "error"));
}

/* AWS's names, without the namespace in front and the URL behind that some services add. */
static int
exception_status(gh_str_t type)
{
    static const struct {
        const char *name;
        int         status;
    } names[] = {
        { "ValidationException", 400 }, { "AccessDeniedException", 403 }, { "ResourceNotFoundException", 404 }, { "ModelTimeoutException", 408 },
        { "ModelErrorException", GH_HUB_MODEL_FAILED }, { "ModelStreamErrorException", GH_HUB_MODEL_FAILED }, { "ThrottlingException", 429 }, { "ModelNotReadyException", 429 },
        { "ServiceQuotaExceededException", 429 }, { "InternalServerException", 500 }, { "ServiceUnavailableException", 503 },
        { "UnrecognizedClientException", 403 }, { "ExpiredTokenException", 403 }, { "InvalidSignatureException", 403 },
    };
    const char *hash = type.len != 0 ? memchr(type.data, '#', type.len) : NULL, *colon;
    size_t      i;

    if (hash != NULL) {
        type.len -= (size_t) (hash + 1 - type.data);
        type.data = hash + 1;
    }
    colon = type.len != 0 ? memchr(type.data, ':', type.len) : NULL;
    if (colon != NULL) {
        type.len = (size_t) (colon - type.data);
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (gh_str_eq_nocase(type, gh_str_from(names[i].name))) {
            return names[i].status;
        }
    }

    return 0;
}

gh_hub_failure_t
gh_hub_failure(int status)
{
    switch (status) {
    case 401:
        return GH_HUB_AUTHENTICATION;
    case 403:
        return GH_HUB_PERMISSION;
    case 404:
        return GH_HUB_NOT_FOUND;
    case 408:
    case 504:
        return GH_HUB_TIMEOUT;
    case 413:
        return GH_HUB_TOO_LARGE;
    case 429:
        return GH_HUB_RATE_LIMIT;
    case 503:
    case 529:
        return GH_HUB_OVERLOADED;
    default:
        return status >= 400 && status < 500 && status != GH_HUB_MODEL_FAILED ? GH_HUB_INVALID : GH_HUB_API;
    }
}

/* What agents look for to shorten a conversation: each provider says it in words of its own. */
static bool
too_long(const gh_hub_error_t *error)
{
    static const char *const words[] = {
        "prompt is too long", "nput is too long", "context length", "context window", "input length and `max_tokens` exceed"
    };
    size_t i, k, n;

    if (gh_hub_is(error->code, "context_length_exceeded")) {
        return true;
    }
    if (error->failure != GH_HUB_INVALID) {
        return false;
    }

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        n = strlen(words[i]);
        for (k = 0; k + n <= error->message.len; k++) {
            if (memcmp(error->message.data + k, words[i], n) == 0) {
                return true;
            }
        }
    }

    return false;
}

void
gh_hub_error_read(gh_hub_dialect_t dialect, int status, gh_str_t type, gh_str_t body, gh_hub_error_t *error)
{
    error_t  read, inner;
    gh_str_t message = { NULL, 0 };
    int      named = exception_status(type);

    (void) dialect;    /* what stands there says which it is: gateways in front of a provider answer in shapes of their own */
    memset(error, 0, sizeof(*error));

    if (object_read(body, &read)) {
        if (read.inner.data != NULL && object_read(read.inner, &inner)) {
            body = read.inner;
            read = inner;
        }
        message = read.message.data != NULL ? read.message : read.message_upper;
        error->code = cut(read.code.data != NULL ? read.code : GH_STR(""), WORD_MAX);
        error->param = cut(read.param.data != NULL ? read.param : GH_STR(""), WORD_MAX);
        if (named == 0 && read.type.data != NULL) {
            named = exception_status(read.type);
        }
    }

    /* the name of an exception is right where the status of its frame is not */
    error->status = named != 0 ? named : status >= 400 ? status : gh_chunk_error_status(body);
    error->failure = gh_hub_failure(error->status);
    error->message = message.len != 0 ? cut(message, MESSAGE_MAX) : GH_STR("the backend gave no reason");
    if (too_long(error)) {
        error->code = GH_STR("context_length_exceeded");
    }
}

size_t
gh_hub_error_write(const gh_hub_error_t *error, gh_hub_dialect_t client, gh_str_t request_id, char *buffer, size_t size, int *status,
    const char **type)
{
    static const char *const exceptions[GH_HUB_FAILURES] = {
        "ValidationException", "AccessDeniedException", "AccessDeniedException", "ResourceNotFoundException", "ValidationException",
        "ThrottlingException", "ModelTimeoutException", "InternalServerException", "ServiceUnavailableException"
    };
    static const int statuses[GH_HUB_FAILURES] = { 400, 403, 403, 404, 400, 429, 408, 500, 503 };
    gh_hub_put_t     p;

    memset(&p, 0, sizeof(p));
    p.data = buffer;
    p.size = size;
    p.max = size;
    gh_hub_rows[client]->error_write(&p, error, request_id);

    *status = error->status;
    if (gh_hub_framed(client)) {
        *status = error->status == GH_HUB_MODEL_FAILED ? GH_HUB_MODEL_FAILED : statuses[error->failure];
    } else if (error->failure == GH_HUB_OVERLOADED) {
        *status = gh_hub_rows[client]->overloaded;
    }
    if (type != NULL) {
        *type = error->status == GH_HUB_MODEL_FAILED ? "ModelErrorException" : exceptions[error->failure];
    }

    return p.failed ? 0 : p.len;
}
