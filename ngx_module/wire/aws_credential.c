/* Credentials of AWS as its tools hand them on: docs.aws.amazon.com, "Sourcing credentials with an external process". */
#include "ngx_module/wire/sigv4.h"

#include <string.h>

#include "ngx_module/wire/http_date.h"
#include "policy/base/json_reader.h"

typedef struct {
    const char *name;
    gh_str_t   *to;
} member_t;

/* The string to come, decoded in the arena. */
static int
string_read(gh_arena_t *arena, gh_json_reader_t *r, const char *name, gh_str_t *out, gh_error_t *error)
{
    char    *buffer;
    gh_str_t text;

    if (gh_json_next(r) == GH_JSON_NULL) {
        *out = GH_STR("");
        return GH_OK;
    }
    if (r->event != GH_JSON_STRING) {
        return gh_error_set(error, "aws_credential", "%s of the credential is no string", name);
    }

    buffer = gh_arena_alloc(arena, r->token.len);
    if (buffer == NULL || gh_json_token_decode(r, buffer, r->token.len, &text) != GH_OK) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    *out = gh_str_copy(arena, text);
    return out->data != NULL ? GH_OK : gh_error_set(error, "no_memory", "out of memory");
}

static int
expiration_read(gh_str_t text, uint64_t *expires_ms, gh_error_t *error)
{
    int64_t at;

    if (text.len == 0) {
        return GH_OK;
    }

    at = gh_utc_text_ms(text);
    if (at < 0) {
        return gh_error_set(error, "aws_credential", "Expiration of the credential is no time such as \"2026-11-27T08:00:00Z\"");
    }

    *expires_ms = (uint64_t) at;
    return GH_OK;
}

int
gh_aws_credential_read(gh_arena_t *arena, gh_str_t text, gh_aws_credential_t *credential, gh_error_t *error)
{
    gh_str_t         expiration = GH_STR("");
    member_t         members[] = {
        { "AccessKeyId", &credential->access_key_id },
        { "SecretAccessKey", &credential->secret_access_key },
        { "SessionToken", &credential->session_token },
        { "Token", &credential->session_token },
        { "Expiration", &expiration },
    };
    gh_json_reader_t r;
    size_t           i;

    credential->access_key_id = GH_STR("");
    credential->secret_access_key = GH_STR("");
    credential->session_token = GH_STR("");
    credential->expires_ms = 0;

    gh_json_reader_init(&r, text, 0);
    if (gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return gh_error_set(error, "aws_credential", "the credential is no JSON object with AccessKeyId and SecretAccessKey");
    }

    while (gh_json_next(&r) == GH_JSON_KEY) {
        for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
            if (gh_json_token_is(&r, gh_str_from(members[i].name))) {
                break;
            }
        }
        if (i == sizeof(members) / sizeof(members[0])) {
            if (gh_json_skip(&r) != GH_OK) {
                break;
            }
        } else if (members[i].to->len != 0) {
            return gh_error_set(error, "aws_credential", "%s of the credential stands twice", members[i].name);
        } else if (string_read(arena, &r, members[i].name, members[i].to, error) != GH_OK) {
            return GH_ERROR;
        }
    }

    if (r.event != GH_JSON_OBJECT_END || gh_json_next(&r) != GH_JSON_END) {
        return gh_error_set(error, "aws_credential", "the credential is no JSON object: %s", r.error_code != NULL ? r.error_code : "more follows");
    }
    if (credential->access_key_id.len == 0 || credential->secret_access_key.len == 0) {
        return gh_error_set(error, "aws_credential", "the credential has no %s",
            credential->access_key_id.len == 0 ? "AccessKeyId" : "SecretAccessKey");
    }

    return expiration_read(expiration, &credential->expires_ms, error);
}
