/* Credentials of backends: the three forms a file may have, every failing allocation, and what workers tell each other of one that is out. */
#include "ngx_module/wire/credential.h"

#include "policy/ledger/backend_state.h"
#include "tests/unit/check.h"

#define T0 UINT64_C(1764201600000)               /* 2025-11-27T00:00:00Z, ms */

static int
read_text(gh_heap_t *heap, const char *text, gh_credential_t *credential, gh_error_t *error)
{
    memset(error, 0, sizeof(*error));
    return gh_credential_read(&heap->arena, gh_str_from(text), credential, error);
}

static void
test_forms(void)
{
    gh_heap_t       heap;
    gh_credential_t credential;
    gh_error_t      error;

    gh_heap_init(&heap);
    CHECK_INT(read_text(&heap, "sk-plain of two words", &credential, &error), GH_OK);
    CHECK(credential.form == GH_CREDENTIAL_KEY && credential.expires_ms == 0);
    CHECK_STR(credential.secret, "sk-plain of two words");

    CHECK_INT(read_text(&heap, "{\"kind\":\"credential/1\",\"send\":\"bearer\",\"secret\":\"e\\u0079J\",\"expires\":\"2025-11-27T00:00:01Z\"}", &credential, &error), GH_OK);
    CHECK(credential.form == GH_CREDENTIAL_BEARER && credential.expires_ms == T0 + 1000);
    CHECK_STR(credential.secret, "eyJ");

    CHECK_INT(read_text(&heap, "{\"Version\":1,\"AccessKeyId\":\"AKID\",\"SecretAccessKey\":\"s\",\"Expiration\":\"2025-11-27T00:00:01Z\"}", &credential, &error), GH_OK);
    CHECK(credential.form == GH_CREDENTIAL_AWS && credential.expires_ms == T0 + 1000);
    CHECK_STR(credential.aws.secret_access_key, "s");
    gh_heap_free(&heap);
}

/* None of them is sent, and none is repeated in a sentence. */
static void
test_refused(void)
{
    static const char *const wrong[] = {
        "", "two\nlines", " canary", "canary ", "canary\x7f", "caf\xc3\xa9", "{", "{\"canary\":1}", "{\"kind\":\"canary\"}", "{\"kind\":1}",
        "{\"kind\":\"credential/1\",\"send\":\"key\"}", "{\"kind\":\"credential/1\",\"send\":\"canary\",\"secret\":\"x\"}",
        "{\"kind\":\"credential/1\",\"secret\":\"canary\"}", "{\"kind\":\"credential/1\",\"send\":\"key\",\"secret\":[\"canary\"]}",
        "{\"kind\":\"credential/1\",\"send\":\"key\",\"secret\":\"can\\r\\nary: 1\"}", "{\"kind\":\"credential/1\",\"send\":\"key\",\"secret\":\"canary\",\"secret\":\"x\"}",
        "{\"kind\":\"credential/1\",\"send\":\"key\",\"secret\":\"canary\",\"expires\":\"canary\"}",
        "{\"kind\":\"credential/1\",\"send\":\"key\",\"secret\":\"canary\",\"expires\":1764201600}", "{\"kind\":\"credential/1\",\"send\":\"key\",\"secret\":\"canary\"} x",
        "{\"AccessKeyId\":\"canary\"}", "{\"SecretAccessKey\":\"canary\"}"
    };
    char             longer[GH_CREDENTIAL_MAX + 2];
    gh_heap_t        heap;
    gh_credential_t  credential;
    gh_error_t       error;

    gh_heap_init(&heap);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (!CHECK_INT(read_text(&heap, wrong[i], &credential, &error), GH_ERROR) || !CHECK(strstr(error.text, "canary") == NULL && error.code != NULL)) {
            fprintf(stderr, "    %s: %s\n", wrong[i], error.text);
        }
    }
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    CHECK_INT(read_text(&heap, longer, &credential, &error), GH_ERROR);
    longer[GH_CREDENTIAL_MAX] = '\0';
    CHECK_INT(read_text(&heap, longer, &credential, &error), GH_OK);
    gh_heap_free(&heap);
}

/* What is written is read as it was, whatever memory there is. */
static void
test_written(void)
{
    static const gh_credential_t some[] = {
        { .form = GH_CREDENTIAL_KEY, .secret = { "a\"b\\c", 5 } },
        { .form = GH_CREDENTIAL_BEARER, .secret = { "eyJ", 3 }, .expires_ms = T0 + 1999 },
        { .form = GH_CREDENTIAL_AWS, .expires_ms = T0, .aws = { { "AKID", 4 }, { "s/+=", 4 }, { "tok", 3 }, T0 } },
    };
    gh_error_t error;

    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        gh_str_t text;
        int      rc = GH_ERROR;

        for (size_t limit = 0; rc != GH_OK && CHECK(limit < 100); limit++) {
            gh_heap_t       heap;
            gh_credential_t read;

            gh_heap_init(&heap);
            heap.limit = limit;
            memset(&error, 0, sizeof(error));
            rc = gh_credential_write(&heap.arena, &some[i], &text, &error);
            rc = rc == GH_OK ? gh_credential_read(&heap.arena, text, &read, &error) : rc;
            if (rc == GH_OK) {
                CHECK(read.form == some[i].form && gh_str_eq(read.secret, some[i].secret) && read.expires_ms == some[i].expires_ms / 1000 * 1000);
                CHECK(gh_str_eq(read.aws.secret_access_key, some[i].aws.secret_access_key) && gh_str_eq(read.aws.session_token, some[i].aws.session_token));
            } else {
                CHECK(error.code != NULL);
            }
            gh_heap_free(&heap);
        }
    }
}

/* A state lives as long as it is repeated; being there again holds at once; nothing is written while nothing changes. */
static void
test_told(void)
{
    gh_backend_slot_t  slot;
    gh_backend_state_t state;
    gh_pair_t          before;

    memset(&slot, 0, sizeof(slot));
    gh_backend_slot_look(&slot, T0, &state);
    CHECK(state.credential == GH_CREDENTIAL_IS_READY && state.credential_until_ms == 0);

    gh_credential_tell(&slot.credential, T0, GH_CREDENTIAL_IS_EXPIRED, T0 - 1);
    before = slot.credential;
    gh_credential_tell(&slot.credential, T0 + GH_BACKEND_CREDENTIAL_MS / 2 - 1, GH_CREDENTIAL_IS_EXPIRED, T0 - 1);
    CHECK_MEM((const char *) &slot.credential, (const char *) &before, sizeof(before));
    gh_backend_slot_look(&slot, T0 + GH_BACKEND_CREDENTIAL_MS - 1, &state);
    CHECK(state.credential == GH_CREDENTIAL_IS_EXPIRED && state.credential_until_ms == T0 - 1);
    gh_backend_slot_look(&slot, T0 + GH_BACKEND_CREDENTIAL_MS, &state);
    CHECK_INT(state.credential, GH_CREDENTIAL_IS_READY);

    gh_credential_tell(&slot.credential, T0 + 3000, GH_CREDENTIAL_IS_EXPIRED, T0 - 1);
    gh_backend_slot_look(&slot, T0 + GH_BACKEND_CREDENTIAL_MS, &state);
    CHECK_INT(state.credential, GH_CREDENTIAL_IS_EXPIRED);
    gh_credential_tell(&slot.credential, T0 + 3001, GH_CREDENTIAL_IS_UNAVAILABLE, 0);
    gh_backend_slot_look(&slot, T0 + 3001, &state);
    CHECK(state.credential == GH_CREDENTIAL_IS_UNAVAILABLE && state.credential_until_ms == 0);
    gh_credential_tell(&slot.credential, T0 + 3002, GH_CREDENTIAL_IS_READY, T0 + 9000000);
    gh_backend_slot_look(&slot, T0 + 3002, &state);
    CHECK(state.credential == GH_CREDENTIAL_IS_READY && state.credential_until_ms == T0 + 9000000);
}

/* 401, and the 403s that are a credential's: all others are of what was asked. elsewhere: one of AWS's alone. */
static void
test_refusals(void)
{
    static const struct { int status; const char *name, *body; bool refused, elsewhere; } some[] = {
        { 401, "", "", true, false }, { 401, "AccessDeniedException", "", true, false }, { 403, "", "", false, false }, { 400, "ExpiredTokenException", "", false, false },
        { 403, "UnrecognizedClientException", "", true, false }, { 403, "InvalidSignatureException", "", true, false }, { 403, "ExpiredTokenException", "", true, false },
        { 403, "AccessDeniedException", "{\"Message\":\"You don't have access to the model\"}", false, false },
        { 403, "AccessDeniedException", "{\"Message\":\"Authentication failed: Please make sure your API Key is valid.\"}", false, true },
        { 403, "AccessDeniedException", "Bearer Token has expired", false, true }, { 403, "", "Bearer Token has expire", false, false }, { 500, "", "API Key is valid", false, false },
    };

    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        CHECK(gh_credential_refused(some[i].status, gh_str_from(some[i].name), gh_str_from(some[i].body), true) == (some[i].refused || some[i].elsewhere));
        CHECK(gh_credential_refused(some[i].status, gh_str_from(some[i].name), gh_str_from(some[i].body), false) == some[i].refused);
    }
}

int
main(void)
{
    test_refusals();
    test_forms();
    test_refused();
    test_written();
    test_told();
    return check_done("credential");
}
