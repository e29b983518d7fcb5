#include "ngx_module/wire/aws_error.h"

#include <string.h>

#include "policy/base/json_reader.h"

gh_str_t
gh_aws_error_name(gh_str_t type)
{
    const char *p;

    type = gh_str_trim(type);
    if (type.len == 0) {
        return type;
    }

    p = memchr(type.data, ':', type.len);
    if (p != NULL) {
        type.len = (size_t) (p - type.data);
    }

    p = memchr(type.data, '#', type.len);
    if (p != NULL) {
        type.len -= (size_t) (p + 1 - type.data);
        type.data = p + 1;
    }

    return type;
}

int
gh_aws_error_status(gh_str_t type)
{
    static const struct {
        const char *name;
        int         status;
    } rows[] = {
        { "AccessDeniedException", 403 },
        { "ConflictException", 400 },
        { "InternalServerException", 500 },
        { "ModelErrorException", 424 },
        { "ModelNotReadyException", 429 },
        { "ModelStreamErrorException", 424 },
        { "ModelTimeoutException", 408 },
        { "ResourceNotFoundException", 404 },
        { "ServiceQuotaExceededException", 400 },
        { "ServiceUnavailableException", 503 },
        { "ThrottlingException", 429 },
        { "ValidationException", 400 },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].name);

        if (type.len == len && (type.data[0] | 0x20) == (rows[i].name[0] | 0x20) && memcmp(type.data + 1, rows[i].name + 1, len - 1) == 0) {
            return rows[i].status;
        }
    }

    return 0;
}

/* The string to come. "" for another value; false: unreadable. */
static bool
string_read(gh_arena_t *arena, gh_json_reader_t *r, gh_str_t *out)
{
    char *buffer;

    *out = GH_STR("");

    switch (gh_json_next(r)) {
    case GH_JSON_STRING:
        buffer = r->escaped ? gh_arena_alloc(arena, r->token.len) : NULL;
        if (!r->escaped || buffer != NULL) {
            return gh_json_token_decode(r, buffer, r->token.len, out) == GH_OK;
        }
        return false;
    case GH_JSON_OBJECT_BEGIN:
    case GH_JSON_ARRAY_BEGIN:
        return gh_json_skip_rest(r) == GH_OK;
    default:
        return r->event != GH_JSON_ERROR;
    }
}

void
gh_aws_error_read(gh_arena_t *arena, gh_str_t type_header, gh_str_t body, gh_aws_error_t *out)
{
    gh_json_reader_t r;
    gh_str_t         type = GH_STR(""), message = GH_STR("");
    bool             good = true;

    out->type = gh_aws_error_name(type_header);
    out->message = GH_STR("");

    gh_json_reader_init(&r, body, 0);
    if (body.len == 0 || gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return;
    }

    while (good && gh_json_next(&r) == GH_JSON_KEY) {
        if (gh_json_token_is(&r, GH_STR("__type")) || gh_json_token_is(&r, GH_STR("code"))) {
            good = string_read(arena, &r, &type);
        } else if (gh_json_token_is(&r, GH_STR("message")) || gh_json_token_is(&r, GH_STR("Message"))) {
            good = string_read(arena, &r, &message);
        } else {
            good = gh_json_skip(&r) == GH_OK;
        }
    }

    if (!good || r.event != GH_JSON_OBJECT_END || gh_json_next(&r) != GH_JSON_END) {
        return;
    }

    out->message = message;
    if (out->type.len == 0) {
        out->type = gh_aws_error_name(type);
    }
}
