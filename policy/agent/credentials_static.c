/* Credentials that are somewhere already: API keys. */
#include "policy/agent/credentials.h"

#include <string.h>

#include "ngx_module/wire/http_date.h"
#include "policy/base/base64.h"

#define SHORT_TERM      "bedrock-api-key-"
#define PRESIGNED_MAX   604800u     /* seconds that a presigned URL may hold */
#define LOOK_AGAIN_MS   60000u      /* a key that a person replaces is read as often as one without an end */

int
gh_credential_from_key(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    *out = (gh_credential_t) { .form = GH_CREDENTIAL_KEY };
    return gh_secret_read(run->arena, &source->secret, "the key", &out->secret, error);
}

/* The value of a parameter that the query has once; "" else. */
static gh_str_t
parameter(gh_str_t query, gh_str_t name)
{
    gh_str_t    found = GH_STR("");
    const char *end = query.data + query.len, *stop;
    unsigned    count = 0;

    for (const char *at = query.data; at < end; at = stop + 1) {
        stop = memchr(at, '&', (size_t) (end - at));
        stop = stop != NULL ? stop : end;
        if ((size_t) (stop - at) > name.len && memcmp(at, name.data, name.len) == 0 && at[name.len] == '=') {
            found = (gh_str_t) { at + name.len + 1, (size_t) (stop - at) - name.len - 1 };
            count++;
        }
    }
    return count == 1 ? found : GH_STR("");
}

/* date: "20261127T080000Z". 0: they are not what a presigned URL has. */
static uint64_t
presigned_end(gh_str_t date, gh_str_t seconds)
{
    char     text[] = "yyyy-mm-ddThh:mm:ssZ";
    uint64_t life = 0;
    int64_t  from;

    if (date.len != 16 || seconds.len == 0 || seconds.len > 6) {
        return 0;
    }
    for (size_t i = 0; i < seconds.len; i++) {
        if (seconds.data[i] < '0' || seconds.data[i] > '9') {
            return 0;
        }
        life = life * 10 + (uint64_t) (seconds.data[i] - '0');
    }
    memcpy(text, date.data, 4);
    memcpy(text + 5, date.data + 4, 2);
    memcpy(text + 8, date.data + 6, 2);
    memcpy(text + 10, date.data + 8, 3);
    memcpy(text + 14, date.data + 11, 2);
    memcpy(text + 17, date.data + 13, 3);
    from = gh_utc_text_ms(gh_str_from(text));
    return from > 0 && life > 0 && life <= PRESIGNED_MAX ? (uint64_t) from + life * 1000 : 0;
}

/*
 * A short-term key of Bedrock is "bedrock-api-key-" and the base64 of a presigned URL of the action CallWithBearerToken, without its scheme; a long-term one says
 * nothing. Unix ms; 0: no end is known, which is no error: what the key is worth the backend says. https://github.com/aws/aws-bedrock-token-generator-python
 */
static uint64_t
bedrock_key_end(gh_arena_t *arena, gh_str_t key)
{
    gh_str_t    prefix = GH_STR(SHORT_TERM), encoded, query;
    char       *url;
    const char *question;
    uint64_t    end_ms = 0;
    long        len;

    if (!gh_str_starts(key, prefix)) {
        return 0;
    }
    encoded = (gh_str_t) { key.data + prefix.len, key.len - prefix.len };
    url = gh_arena_alloc(arena, GH_BASE64_DECODED(encoded.len));
    len = url != NULL ? gh_base64_decode(encoded, url, GH_BASE64_DECODED(encoded.len)) : -1;
    question = len > 0 ? memchr(url, '?', (size_t) len) : NULL;
    if (question != NULL) {
        query = (gh_str_t) { question + 1, (size_t) (url + len - question - 1) };
        end_ms = presigned_end(parameter(query, GH_STR("X-Amz-Date")), parameter(query, GH_STR("X-Amz-Expires")));
    }
    if (url != NULL) {
        explicit_bzero(url, GH_BASE64_DECODED(encoded.len));
    }
    return end_ms;
}

int
gh_credential_from_bearer(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    *out = (gh_credential_t) { .form = GH_CREDENTIAL_BEARER };
    if (gh_secret_read(run->arena, &source->secret, "the key", &out->secret, error) != GH_OK) {
        return GH_ERROR;
    }
    out->expires_ms = bedrock_key_end(run->arena, out->secret);
    run->refresh_ms = out->expires_ms != 0 ? run->now_ms + LOOK_AGAIN_MS : 0;
    return GH_OK;
}

int
gh_credential_run(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    int rc;

    if (run->depth >= GH_CREDENTIAL_CHAIN) {
        return gh_error_set(error, "source_config", "more than %u sources stand inside each other", GH_CREDENTIAL_CHAIN);
    }
    run->depth++;
    rc = source->kind->run(source, run, out, error);
    run->depth--;
    if (rc == GH_OK && out->expires_ms != 0 && out->expires_ms <= run->now_ms) {
        return gh_error_set(error, "source_answer", "%s gave a credential that has ended already", source->kind->word);
    }
    return rc;
}
