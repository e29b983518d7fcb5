#include "ngx_module/wire/credential.h"

#include <string.h>
#include <time.h>

#include "ngx_module/wire/http_date.h"
#include "policy/base/json_tree.h"
#include "policy/base/json_writer.h"

#define KIND "credential/1"

/* What may stand in a header's value; anything else would end it, or is no secret. */
static int
secret_check(gh_str_t secret, gh_error_t *error)
{
    if (secret.len == 0) {
        return gh_error_set(error, "credential", "the credential is empty");
    }
    for (size_t i = 0; i < secret.len; i++) {
        unsigned char byte = (unsigned char) secret.data[i];

        if (byte < ' ' || byte >= 0x7f || (byte == ' ' && (i == 0 || i + 1 == secret.len))) {
            return gh_error_set(error, "credential", "the credential is not one line of visible ASCII");
        }
    }
    return GH_OK;
}

static int
member_text(const gh_node_t *root, const char *name, gh_str_t *text, gh_error_t *error)
{
    const gh_node_t *member = gh_node_get(root, name);

    if (member != NULL && member->type != GH_NODE_STRING) {
        return gh_error_set(error, "credential", "\"%s\" of the credential is no string", name);
    }
    *text = member != NULL ? member->text : GH_STR("");
    return GH_OK;
}

static int
read_members(const gh_node_t *root, gh_credential_t *credential, gh_error_t *error)
{
    gh_str_t send, expires;
    int64_t  at;

    if (member_text(root, "send", &send, error) != GH_OK || member_text(root, "secret", &credential->secret, error) != GH_OK
        || member_text(root, "expires", &expires, error) != GH_OK)
    {
        return GH_ERROR;
    }
    if (!gh_str_is(send, "key") && !gh_str_is(send, "bearer")) {
        return gh_error_set(error, "credential", "\"send\" of the credential is neither \"key\" nor \"bearer\"");
    }
    credential->form = gh_str_is(send, "key") ? GH_CREDENTIAL_KEY : GH_CREDENTIAL_BEARER;
    if (expires.len != 0) {
        at = gh_utc_text_ms(expires);
        if (at <= 0) {
            return gh_error_set(error, "credential", "\"expires\" of the credential is no time such as \"2026-11-27T08:00:00Z\"");
        }
        credential->expires_ms = (uint64_t) at;
    }
    return secret_check(credential->secret, error);
}

static int
read_aws(gh_arena_t *arena, gh_str_t text, gh_credential_t *credential, gh_error_t *error)
{
    if (gh_aws_credential_read(arena, text, &credential->aws, error) != GH_OK) {
        return GH_ERROR;
    }
    credential->form = GH_CREDENTIAL_AWS;
    credential->expires_ms = credential->aws.expires_ms;
    return GH_OK;
}

int
gh_credential_read(gh_arena_t *arena, gh_str_t text, gh_credential_t *credential, gh_error_t *error)
{
    gh_json_reader_t r;
    gh_node_t       *root;
    gh_error_t       inner = { 0 };

    memset(credential, 0, sizeof(*credential));
    if (text.len > GH_CREDENTIAL_MAX) {
        return gh_error_set(error, "credential", "the credential is longer than %u bytes", GH_CREDENTIAL_MAX);
    }
    if (text.len == 0 || text.data[0] != '{') {
        credential->secret = text;
        return secret_check(text, error);
    }

    gh_json_reader_init(&r, text, 0);
    (void) gh_json_next(&r);
    if (gh_json_next(&r) != GH_JSON_KEY || !gh_json_token_is(&r, GH_STR("kind"))) {
        return read_aws(arena, text, credential, error);
    }
    if (gh_json_parse(arena, text, "", &root, &inner) != GH_OK) {
        return gh_error_set(error, "credential", "the credential is no JSON object of kind " KIND);
    }
    if (gh_node_get(root, "kind")->type != GH_NODE_STRING || !gh_str_is(gh_node_get(root, "kind")->text, KIND)) {
        return gh_error_set(error, "credential", "\"kind\" of the credential is not \"" KIND "\"");
    }
    return read_members(root, credential, error);
}

/* RFC 3339, whole seconds: what it ends in is cut, so that it is never used too long. */
static void
write_time(gh_json_writer_t *w, const char *name, uint64_t ms)
{
    char      text[32];
    struct tm tm;
    time_t    seconds = (time_t) (ms / 1000);

    if (ms != 0 && gmtime_r(&seconds, &tm) != NULL && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) != 0) {
        gh_json_kv_string(w, name, gh_str_from(text));
    }
}

int
gh_credential_write(gh_arena_t *arena, const gh_credential_t *credential, gh_str_t *text, gh_error_t *error)
{
    gh_json_writer_t w;
    char            *buffer = gh_arena_alloc(arena, GH_CREDENTIAL_MAX);

    if (buffer == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    gh_json_writer_init(&w, buffer, GH_CREDENTIAL_MAX);
    gh_json_begin_object(&w);
    if (credential->form == GH_CREDENTIAL_AWS) {
        gh_json_kv_u64(&w, "Version", 1);
        gh_json_kv_string(&w, "AccessKeyId", credential->aws.access_key_id);
        gh_json_kv_string(&w, "SecretAccessKey", credential->aws.secret_access_key);
        if (credential->aws.session_token.len != 0) {
            gh_json_kv_string(&w, "SessionToken", credential->aws.session_token);
        }
        write_time(&w, "Expiration", credential->expires_ms);
    } else {
        gh_json_kv_string(&w, "kind", GH_STR(KIND));
        gh_json_kv_string(&w, "send", credential->form == GH_CREDENTIAL_KEY ? GH_STR("key") : GH_STR("bearer"));
        gh_json_kv_string(&w, "secret", credential->secret);
        write_time(&w, "expires", credential->expires_ms);
    }
    gh_json_end_object(&w);
    if (!gh_json_writer_ok(&w)) {
        return gh_error_set(error, "credential", "the credential is longer than %u bytes", GH_CREDENTIAL_MAX);
    }
    *text = (gh_str_t) { buffer, w.len };
    return GH_OK;
}

bool
gh_credential_refused(int status, gh_str_t name, gh_str_t body, bool bedrock)
{
    static const char *const names[] = {
        "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "InvalidSignatureException", "SignatureDoesNotMatch",
        "IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException"
    };
    static const char *const words[] = { "API Key is valid", "Bearer Token has expired" };

    if (status != 403) {
        return status == 401;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (gh_str_is(name, names[i])) {
            return true;
        }
    }
    for (size_t i = 0; bedrock && i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i]);

        for (size_t at = 0; at + len <= body.len; at++) {
            if (memcmp(body.data + at, words[i], len) == 0) {
                return true;
            }
        }
    }
    return false;
}
