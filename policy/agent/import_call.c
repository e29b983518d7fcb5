/* One read of a control plane: signed or with a token, again when it is throttled, its answer parsed, its refusal in words. */
#include "policy/agent/import_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ngx_module/wire/aws_error.h"
#include "policy/agent/signed_headers.h"

#define HEADERS (1 + GH_SIGNED_HEADERS)

gh_str_t
gh_import_percent(gh_arena_t *arena, gh_str_t text)
{
    static const char digits[] = "0123456789ABCDEF";
    char             *out = gh_arena_alloc(arena, text.len * 3 + 1);
    size_t            len = 0;

    if (out == NULL) {
        return (gh_str_t) { NULL, 0 };
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char) text.data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~') {
            out[len++] = (char) c;
        } else {
            out[len++] = '%';
            out[len++] = digits[c >> 4];
            out[len++] = digits[c & 15];
        }
    }

    return (gh_str_t) { out, len };
}

int
gh_import_bad(gh_error_t *error, gh_str_t what, const char *format, ...)
{
    char    text[300];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    return gh_error_set(error, "import_answer", "%.*s: %s", GH_STR_ARG(what), text);
}

/* ---- asking ---- */

static int
authorise(gh_import_t *import, const gh_import_call_t *call, gh_fetch_header_t headers[HEADERS], size_t *count, gh_error_t *error)
{
    gh_sigv4_request_t request = { .method = GH_STR("GET"), .path = call->path, .query = call->query };
    gh_str_t           no_path, no_query;

    headers[(*count)++] = (gh_fetch_header_t) { GH_STR("accept"), GH_STR("application/json") };
    if (call->token.len != 0) {
        gh_str_t bearer = gh_str_format(import->arena, "Bearer %.*s", GH_STR_ARG(call->token));

        headers[(*count)++] = (gh_fetch_header_t) { GH_STR("authorization"), bearer };
        return bearer.data != NULL ? GH_OK : gh_error_set(error, "no_memory", "out of memory");
    }

    gh_url_parts(call->origin, &request.host, &no_path, &no_query);
    return gh_signed_headers(import->arena, call->credential, &call->scope, &request, import->io.now_ms(import->io.context), headers, count, error);
}

static int
ask(gh_import_t *import, const gh_import_call_t *call, gh_fetch_answer_t *answer, gh_error_t *error)
{
    gh_fetch_header_t  headers[HEADERS];
    gh_fetch_request_t request = { .headers = headers, .ca_file = import->ca_file, .proxy = import->proxy, .body_max = GH_IMPORT_BODY_MAX };
    size_t             count = 0;
    gh_str_t           parts[] = { call->origin, call->path, call->query.len != 0 ? GH_STR("?") : GH_STR(""), call->query };

    if (import->calls++ >= GH_IMPORT_CALLS_MAX) {
        return gh_error_set(error, "import_failed", "more than %d calls would be made: import fewer subscriptions or regions at once",
            GH_IMPORT_CALLS_MAX);
    }
    request.url = gh_str_join(import->arena, parts, 4);
    if (request.url.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    if (authorise(import, call, headers, &count, error) != GH_OK) {
        return GH_ERROR;
    }
    request.headers_count = count;

    return import->io.fetch(import->io.context, &request, import->arena, answer, error);
}

static bool
may_again(const gh_fetch_answer_t *answer)
{
    return answer->status == 429 || answer->status == 500 || answer->status == 502 || answer->status == 503 || answer->status == 504;
}

/* Retry-After in seconds, else 1, 2, 4, 8 s. */
static void
wait_for(gh_import_t *import, const gh_fetch_answer_t *answer, unsigned attempt)
{
    gh_str_t said = gh_fetch_header(answer, "retry-after");
    uint64_t ms = UINT64_C(1000) << attempt;

    if (said.len > 0 && said.len <= 6) {
        uint64_t seconds = 0;
        size_t   i = 0;

        while (i < said.len && said.data[i] >= '0' && said.data[i] <= '9') {
            seconds = seconds * 10 + (uint64_t) (said.data[i++] - '0');
        }
        ms = i == said.len ? seconds * 1000 : ms;
    }
    import->io.wait(import->io.context, ms < GH_IMPORT_WAIT_MS ? ms : GH_IMPORT_WAIT_MS);
}

/* ---- what came ---- */

static gh_str_t
request_id(const gh_fetch_answer_t *answer)
{
    static const char *const names[] = { "x-amzn-requestid", "x-ms-request-id", "x-ms-correlation-request-id" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        gh_str_t id = gh_fetch_header(answer, names[i]);

        if (id.len > 0 && id.len <= 64 && gh_model_name_ok(id)) {
            return id;
        }
    }

    return GH_STR("");
}

static gh_str_t
evidence_of(gh_import_t *import, const gh_import_call_t *call, const gh_fetch_answer_t *answer)
{
    gh_str_t  id = request_id(answer);
    time_t    now = (time_t) (import->io.now_ms(import->io.context) / 1000);
    struct tm at;

    gmtime_r(&now, &at);

    return gh_str_format(import->arena, "%.*s%s%.*s, %04d-%02d-%02dT%02d:%02d:%02dZ", GH_STR_ARG(call->what), id.len ? ", request " : "",
        GH_STR_ARG(id), at.tm_year + 1900, at.tm_mon + 1, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec);
}

/* The type and message of an error: AWS's, or Azure's {"error": {"code", "message"}}. */
static void
error_words(gh_import_t *import, const gh_import_call_t *call, const gh_fetch_answer_t *answer, gh_str_t *type, gh_str_t *message)
{
    gh_error_t     ignored;
    gh_node_t     *root;
    gh_aws_error_t aws;

    *type = *message = GH_STR("");
    if (call->token.len == 0) {
        gh_str_t header = gh_fetch_header(answer, "x-amzn-errortype");

        gh_aws_error_read(import->arena, header.data != NULL ? header : GH_STR(""), answer->body, &aws);
        *type = aws.type;
        *message = aws.message;
    } else if (gh_json_parse(import->arena, answer->body, "answer", &root, &ignored) == GH_OK && root->type == GH_NODE_OBJECT) {
        *type = gh_import_text(gh_node_get(root, "error"), "code");
        *message = gh_import_text(gh_node_get(root, "error"), "message");
    }
    type->len = type->len < 80 ? type->len : 80;
    message->len = message->len < 200 ? message->len : 200;
}

static int
refused(gh_import_t *import, const gh_import_call_t *call, const gh_fetch_answer_t *answer, gh_error_t *error)
{
    gh_str_t    type, message;
    const char *colon;

    error_words(import, call, answer, &type, &message);
    colon = type.len != 0 && message.len != 0 ? ": " : "";
    if (answer->status == 401) {
        return gh_error_set(error, "import_denied", "%.*s was refused: the credential is not accepted (401 %.*s%s%.*s)", GH_STR_ARG(call->what),
            GH_STR_ARG(type), colon, GH_STR_ARG(message));
    }
    if (answer->status == 403 && (gh_str_is(type, "ExpiredTokenException") || gh_str_is(type, "UnrecognizedClientException")
            || gh_str_is(type, "InvalidSignatureException") || gh_str_is(type, "InvalidClientTokenId")))
    {
        return gh_error_set(error, "import_denied", "%.*s was refused: the credential is not accepted (403 %.*s%s%.*s)", GH_STR_ARG(call->what),
            GH_STR_ARG(type), colon, GH_STR_ARG(message));
    }
    if (answer->status == 403) {
        return gh_error_set(error, "import_denied", "%.*s was refused: the credential lacks %.*s (403 %.*s%s%.*s)", GH_STR_ARG(call->what),
            GH_STR_ARG(call->permission), GH_STR_ARG(type), colon, GH_STR_ARG(message));
    }

    return gh_error_set(error, "import_failed", "%.*s was answered with %u%s%.*s%s%.*s", GH_STR_ARG(call->what), answer->status,
        type.len != 0 ? " " : "", GH_STR_ARG(type), message.len != 0 ? ": " : "", GH_STR_ARG(message));
}

int
gh_import_get(gh_import_t *import, const gh_import_call_t *call, gh_import_answer_t *answer, gh_error_t *error)
{
    gh_fetch_answer_t got;

    *answer = (gh_import_answer_t) { .evidence = GH_STR("") };
    for (unsigned attempt = 0;; attempt++) {
        if (ask(import, call, &got, error) != GH_OK) {
            return GH_ERROR;
        }
        if (!may_again(&got) || attempt + 1 == GH_IMPORT_TRIES) {
            break;
        }
        wait_for(import, &got, attempt);
    }
    answer->status = got.status;
    if (got.status != 200) {
        return refused(import, call, &got, error);
    }
    if (gh_json_parse(import->arena, got.body, "answer", &answer->root, error) != GH_OK) {
        gh_error_t broken = *error;

        return gh_import_bad(error, call->what, "the answer is no JSON: line %u, column %u: %.200s", broken.line, broken.column, broken.text);
    }
    if (answer->root->type != GH_NODE_OBJECT) {
        return gh_import_bad(error, call->what, "the answer is %s, not an object", gh_node_type_name(answer->root->type));
    }
    answer->evidence = evidence_of(import, call, &got);

    return answer->evidence.data != NULL ? GH_OK : gh_error_set(error, "no_memory", "out of memory");
}
