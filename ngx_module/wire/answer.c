/* Errors of ours, in the client's dialect: the hub writes them like those of a backend that were translated. */
#include <string.h>

#include "ngx_module/wire/hub/dialect.h"
#include "ngx_module/wire/wire.h"
#include "policy/base/json_writer.h"

#define CODE_MAX    64
#define PARAM_MAX   128
#define MESSAGE_MAX 2048

/* Not inside a UTF-8 sequence. */
static gh_str_t
text_cut(gh_str_t text, size_t len)
{
    if (len >= text.len) {
        return text;
    }

    while (len > 0 && ((unsigned char) text.data[len] & 0xc0) == 0x80) {
        len--;
    }

    return (gh_str_t) { text.data, len };
}

/* The inside of a JSON string; buffer has 6 bytes for each of text's, and 2. */
static gh_str_t
escaped(gh_str_t text, char *buffer, size_t size)
{
    gh_json_writer_t w;

    gh_json_writer_init(&w, buffer, size);
    gh_json_string(&w, text);

    return gh_json_writer_ok(&w) ? (gh_str_t) { buffer + 1, w.len - 2 } : GH_STR("");
}

/* Where the dialect has no place for a code, it stands in front of the message. */
static gh_str_t
told(gh_hub_dialect_t client, gh_str_t code, gh_str_t message, size_t cut, char *buffer, size_t size)
{
    size_t len = 0;

    if (!gh_hub_traits(client)->error_codes) {
        memcpy(buffer, code.data, code.len);
        len = code.len;
        if (len != 0) {
            memcpy(buffer + len, ": ", 2);
            len += 2;
        }
    }

    message = text_cut(message, cut < size - len ? cut : size - len);
    memcpy(buffer + len, message.data, message.len);

    return (gh_str_t) { buffer, len + message.len };
}

/* What AWS has names for, from which its SDKs take whether the clock is wrong. */
static const char *
exception_of(gh_str_t code, const char *other)
{
    static const char *const names[][2] = {
        { "invalid_signature", "InvalidSignatureException" },
        { "incomplete_signature", "IncompleteSignatureException" },
        { "invalid_access_key", "UnrecognizedClientException" },
    };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (gh_str_is(code, names[i][0])) {
            return names[i][1];
        }
    }

    return other;
}

size_t
gh_answer_error(gh_hub_dialect_t client, char *buffer, size_t size, const gh_answer_error_t *error, int *status, const char **type)
{
    char           text[MESSAGE_MAX], message[6 * MESSAGE_MAX + 2], code[6 * CODE_MAX + 2], param[6 * PARAM_MAX + 2];
    gh_hub_error_t hub;
    const char    *exception;
    size_t         len, cut = error->message.len < size ? error->message.len : size;
    int            given;

    memset(&hub, 0, sizeof(hub));
    hub.status = error->status;
    hub.failure = error->status == 408 ? GH_HUB_INVALID : gh_hub_failure(error->status);   /* it was the client's body that took too long */
    hub.code = escaped(text_cut(error->code, CODE_MAX), code, sizeof(code));
    hub.param = escaped(text_cut(error->param, PARAM_MAX), param, sizeof(param));

    for ( ;; ) {
        hub.message = escaped(told(client, text_cut(error->code, CODE_MAX), error->message, cut, text, sizeof(text)), message, sizeof(message));
        len = gh_hub_error_write(&hub, client, error->request_id, buffer, size, &given, &exception);
        if (len != 0) {
            break;
        }
        if (cut == 0) {
            if (hub.param.len == 0) {
                return 0;   /* size is below what the header asks for */
            }
            hub.param.len = 0;
            cut = error->message.len < size ? error->message.len : size;
            continue;
        }
        cut = cut * 3 / 4;   /* escapes may make one byte six: a length that fits is found in a few tries */
    }

    if (status != NULL) {
        *status = given;
    }
    if (type != NULL) {
        *type = gh_hub_framed(client) ? exception_of(error->code, exception) : NULL;
    }

    return len;
}

size_t
gh_stream_error_event(gh_hub_dialect_t client, char *buffer, size_t size, gh_str_t code, gh_str_t message, gh_str_t request_id)
{
    static const char       after[] = "\n\n";
    const char             *before = gh_hub_rows[client]->error_event;
    const gh_answer_error_t error = { 502, code, message, GH_STR(""), request_id };
    const size_t            frame = strlen(before) + sizeof(after) - 1;
    size_t                  len;

    if (size <= frame) {
        return 0;
    }

    /* CR and LF are escaped, so nothing in it ends the line */
    len = gh_answer_error(client, buffer + strlen(before), size - frame, &error, NULL, NULL);
    if (len == 0) {
        return 0;
    }

    memcpy(buffer, before, strlen(before));
    memcpy(buffer + strlen(before) + len, after, sizeof(after) - 1);

    return len + frame;
}
