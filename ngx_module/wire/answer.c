#include <string.h>

#include "ngx_module/wire/wire.h"
#include "policy/base/json_writer.h"

static gh_str_t
answer_type(int status)
{
    switch (status) {
    case 401:
        return GH_STR("invalid_request_error");   /* with code invalid_api_key, as OpenAI does */
    case 403:
        return GH_STR("permission_error");
    case 429:
        return GH_STR("rate_limit_error");
    default:
        return status >= 500 ? GH_STR("api_error") : GH_STR("invalid_request_error");
    }
}

static size_t
error_write(char *buffer, size_t size, gh_str_t type, gh_str_t code, gh_str_t message, gh_str_t param)
{
    gh_json_writer_t w;

    gh_json_writer_init(&w, buffer, size);
    gh_json_begin_object(&w);
    gh_json_key(&w, "error");
    gh_json_begin_object(&w);
    gh_json_kv_string(&w, "message", message);
    gh_json_kv_string(&w, "type", type);
    gh_json_key(&w, "param");
    if (param.len != 0) {
        gh_json_string(&w, param);
    } else {
        gh_json_null(&w);
    }
    gh_json_key(&w, "code");
    if (code.len != 0) {
        gh_json_string(&w, code);
    } else {
        gh_json_null(&w);
    }
    gh_json_end_object(&w);
    gh_json_end_object(&w);

    return gh_json_writer_ok(&w) ? w.len : 0;
}

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

/* Escapes may make one byte six: halving finds a length that fits in a few tries. */
static size_t
error_fit(char *buffer, size_t size, gh_str_t type, gh_str_t code, gh_str_t message, gh_str_t param)
{
    size_t len, cut = message.len < size ? message.len : size;

    code = text_cut(code, 64);
    param = text_cut(param, 128);

    for ( ;; ) {
        len = error_write(buffer, size, type, code, text_cut(message, cut), param);
        if (len != 0) {
            return len;
        }
        if (cut == 0) {
            if (param.len == 0) {
                return 0;   /* size is below what the header asks for */
            }
            param.len = 0;
            cut = message.len < size ? message.len : size;
            continue;
        }
        cut = cut * 3 / 4;
    }
}

size_t
gh_answer_error(char *buffer, size_t size, int status, gh_str_t code, gh_str_t message, gh_str_t param)
{
    return error_fit(buffer, size, answer_type(status), code, message, param);
}

size_t
gh_stream_error_event(char *buffer, size_t size, gh_str_t code, gh_str_t message)
{
    static const char before[] = "data: ", after[] = "\n\n";
    const size_t      frame = sizeof(before) - 1 + sizeof(after) - 1;
    size_t            len;

    if (size <= frame) {
        return 0;
    }

    /* the writer escapes CR and LF, so nothing in it ends the line */
    len = error_fit(buffer + sizeof(before) - 1, size - frame, GH_STR("api_error"), code, message, GH_STR(""));
    if (len == 0) {
        return 0;
    }

    memcpy(buffer, before, sizeof(before) - 1);
    memcpy(buffer + sizeof(before) - 1 + len, after, sizeof(after) - 1);

    return len + frame;
}

gh_str_t
gh_answer_models(gh_arena_t *arena, const gh_str_t *names, size_t count)
{
    gh_json_writer_t w;
    gh_str_t         out = { NULL, 0 };
    size_t           i, size = 64;
    char            *buffer;

    for (i = 0; i < count; i++) {
        size += names[i].len * 6 + 80;
    }

    buffer = gh_arena_alloc(arena, size);
    if (buffer == NULL) {
        return out;
    }

    gh_json_writer_init(&w, buffer, size);
    gh_json_begin_object(&w);
    gh_json_kv_string(&w, "object", GH_STR("list"));
    gh_json_key(&w, "data");
    gh_json_begin_array(&w);
    for (i = 0; i < count; i++) {
        gh_json_begin_object(&w);
        gh_json_kv_string(&w, "id", names[i]);
        gh_json_kv_string(&w, "object", GH_STR("model"));
        gh_json_kv_u64(&w, "created", 0);
        gh_json_kv_string(&w, "owned_by", GH_STR("gatehouse"));
        gh_json_end_object(&w);
    }
    gh_json_end_array(&w);
    gh_json_end_object(&w);

    if (gh_json_writer_ok(&w)) {
        out = (gh_str_t) { buffer, w.len };
    }

    return out;
}
