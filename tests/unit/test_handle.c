/* Ids under MAC: what is given out comes back, and nothing else does. */
#include "policy/identity/handle.h"
#include "tests/unit/check.h"

static uint8_t secret[32];

static uint64_t
next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* As computed from the header's description with another language's HMAC and HKDF. */
static void
test_vectors(gh_handles_t *handles)
{
    static const struct { gh_handle_t handle; const char *text; } vectors[] = {
        { { GH_HANDLE_RESPONSE, 7, { "azure-se", 8 }, { "gpt-4.1", 7 }, { "resp_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b", 53 }, { NULL, 0 } },
          "resp_AZouF9Ol2XFEuamY54UWXgkbuXVM-DwzQ1GszuxCOZ6JW9FdqBgjfD4Y4tsTFSd9aygFau17huDWrl2E9eROlheqrP_LRzJPCXtFRhbbKG2LjSiP-1B4lv1Zn0"
          "9AcWNteA" },
        { { GH_HANDLE_ITEM, (UINT64_C(1) << 63) + 5, { "gpu-fkb", 7 }, { "llama-3.3-70b", 13 }, { "0123456789", 10 }, { NULL, 0 } },
          "item_AeZVf2RDqsEXmSlVDDlrDL0Myv3ngl8X1X2KO4tFQ9N_vIOG3NUd1M5BPowriMs-9X3YKNii3NJXd-w" },
        { { GH_HANDLE_AUDIO, 7, { "azure-se", 8 }, { "gpt-audio", 9 }, { "audio_68af4030592c", 18 },
              { "\x84\x09\x78\x28\xfc\x31\xa8\xc8\xd2\x92\x10\xdf\x48\x90\x1a\x85\xde\x7f\xd0\x13\xf6\x86\xb1\x7b\xe7\x7d\x1b\xe2\x9c\xb7\xa9\x8b", 32 } },
          "audio_AWc9odlbC5vCimroS5KrTKdueVAkUbdrjVCrT5pxxhEDWTZtpraccqtimZxIC2itcuVxcaYuyWAd0YJq13B5XBoNldxdRWjTrr0_Lv3bWFyfAa8jH5aoUhzpMNF1r-0j"
          "Zw" },
    };
    char        text[GH_HANDLE_MAX], buffer[GH_HANDLE_MAX];
    gh_handle_t read;
    gh_error_t  error;

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const gh_handle_t *handle = &vectors[i].handle;
        gh_str_t           given = { text, gh_handle_write(handles, handle, text, sizeof(text)) };

        CHECK_STR(given, vectors[i].text);
        CHECK_INT(gh_handle_read(handles, given, handle->kind, handle->tenant_uid, buffer, &read, &error), GH_OK);
        CHECK(gh_str_eq(read.id, handle->id));
        CHECK(gh_str_eq(read.deployment, handle->deployment));
        CHECK(gh_str_eq(read.model, handle->model));
        CHECK(gh_str_eq(read.session, handle->session));
    }
}

/* Every byte of the text replaced by every other, every prefix of it, and more behind it: none opens. */
static void
test_tampered(gh_handles_t *handles)
{
    gh_handle_t handle = { GH_HANDLE_RESPONSE, 7, GH_STR("azure-se"), GH_STR("gpt-4.1"), GH_STR("resp_0123abcd"), GH_STR("") }, read;
    char        text[GH_HANDLE_MAX], changed[GH_HANDLE_MAX], buffer[GH_HANDLE_MAX];
    size_t      len = gh_handle_write(handles, &handle, text, sizeof(text));
    gh_error_t  error;

    CHECK(len > 0);
    for (size_t at = 0; at < len; at++) {
        unsigned opened = 0;

        for (unsigned c = 0; c < 256; c++) {
            memcpy(changed, text, len);
            if ((uint8_t) text[at] == c) {
                continue;
            }
            changed[at] = (char) c;
            opened += gh_handle_read(handles, (gh_str_t) { changed, len }, GH_HANDLE_RESPONSE, 7, buffer, &read, &error) == GH_OK;
            opened += read.id.data != NULL || read.deployment.data != NULL;
        }
        CHECK_INT(opened, 0);
        CHECK_INT(gh_handle_read(handles, (gh_str_t) { text, at }, GH_HANDLE_RESPONSE, 7, buffer, &read, &error), GH_ERROR);
        CHECK(strcmp(error.code, "handle_unknown") == 0);
    }
    memcpy(changed, text, len);
    memcpy(changed + len, "AAAA", 4);
    for (size_t more = 1; more <= 4; more++) {
        CHECK_INT(gh_handle_read(handles, (gh_str_t) { changed, len + more }, GH_HANDLE_RESPONSE, 7, buffer, &read, &error), GH_ERROR);
    }
}

static void
test_refused(gh_handles_t *handles)
{
    gh_handle_t   handle = { GH_HANDLE_RESPONSE, 7, GH_STR("azure-se"), GH_STR("gpt-4.1"), GH_STR("resp_0123abcd"), GH_STR("") }, read;
    char          text[GH_HANDLE_MAX], buffer[GH_HANDLE_MAX], long_name[GH_HANDLE_ID_MAX + 1];
    gh_str_t      given = { text, gh_handle_write(handles, &handle, text, sizeof(text)) };
    gh_error_t    error;
    gh_handles_t *others;
    uint8_t       other[32];

    CHECK_INT(gh_handle_read(handles, given, GH_HANDLE_RESPONSE, 8, buffer, &read, &error), GH_ERROR);
    CHECK(strcmp(error.code, "handle_foreign") == 0);
    CHECK_STR(read.deployment, "azure-se");
    CHECK(read.id.data == NULL);
    CHECK_INT(gh_handle_read(handles, given, GH_HANDLE_CONVERSATION, 7, buffer, &read, &error), GH_ERROR);
    CHECK(strcmp(error.code, "handle_kind") == 0);
    CHECK(read.id.data == NULL);

    memcpy(other, secret, 32);
    other[31] ^= 1;
    others = gh_handles_new(other);
    CHECK_INT(gh_handle_read(others, given, GH_HANDLE_RESPONSE, 7, buffer, &read, &error), GH_ERROR);
    CHECK(strcmp(error.code, "handle_unknown") == 0);
    gh_handles_free(others);

    CHECK_INT(gh_handle_read(handles, handle.id, GH_HANDLE_RESPONSE, 7, buffer, &read, &error), GH_ERROR);
    CHECK_INT(gh_handle_read(handles, GH_STR(""), GH_HANDLE_RESPONSE, 7, buffer, &read, &error), GH_ERROR);
    CHECK_INT(gh_handle_read(handles, GH_STR("resp_"), GH_HANDLE_RESPONSE, 7, buffer, &read, &error), GH_ERROR);

    memset(long_name, 'a', sizeof(long_name));
    handle.id = (gh_str_t) { long_name, GH_HANDLE_ID_MAX + 1 };
    CHECK_INT(gh_handle_write(handles, &handle, text, sizeof(text)), 0);
    handle.id = GH_STR("");
    CHECK_INT(gh_handle_write(handles, &handle, text, sizeof(text)), 0);
    handle.id = GH_STR("a");
    handle.deployment = (gh_str_t) { long_name, GH_HANDLE_DEPLOYMENT_MAX + 1 };
    CHECK_INT(gh_handle_write(handles, &handle, text, sizeof(text)), 0);
    handle.deployment = GH_STR("a");
    CHECK(gh_handle_write(handles, &handle, text, sizeof(text)) > 0);
    handle.session = (gh_str_t) { long_name, GH_HANDLE_SESSION_MAX + 1 };
    CHECK_INT(gh_handle_write(handles, &handle, text, sizeof(text)), 0);
}

/* Random ones of every length come back; one id has one handle; the texts are URL-safe, bounded, and keep the prefix; what differs has different texts. */
static void
test_property(gh_handles_t *handles)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-ABCDEFGHIJKLMNOPQRSTUVWXYZ.:/";
    static const char *const prefixes[] = { "resp_", "msg_", "file-", "rs_", "", "UPPER_", "averyveryverylongprefix_" };
    char        names[3][GH_HANDLE_ID_MAX], text[GH_HANDLE_MAX], again[GH_HANDLE_MAX], buffer[GH_HANDLE_MAX];
    char        session[GH_HANDLE_SESSION_MAX];
    uint64_t    state = 42;
    unsigned    wrong = 0;

    for (unsigned i = 0; i < sizeof(session); i++) {
        session[i] = (char) (i * 37 + 128);
    }

    for (unsigned round = 0; round < 20000; round++) {
        const char *prefix = prefixes[next(&state) % 7];
        gh_handle_t handle, read;
        gh_error_t  error;
        size_t      len, most[3] = { GH_HANDLE_DEPLOYMENT_MAX, GH_HANDLE_MODEL_MAX, GH_HANDLE_ID_MAX };
        size_t      lengths[3];

        for (unsigned i = 0; i < 3; i++) {
            lengths[i] = next(&state) % (round % 5 == 0 ? most[i] : 60) + 1;
            for (size_t k = 0; k < lengths[i]; k++) {
                names[i][k] = letters[next(&state) % (sizeof(letters) - 1)];
            }
        }
        if (lengths[2] > strlen(prefix)) {
            memcpy(names[2], prefix, strlen(prefix));
        }
        handle = (gh_handle_t) { (gh_handle_kind_t) (next(&state) % GH_HANDLE_KINDS), next(&state) << 33 ^ next(&state),
            { names[0], lengths[0] }, { names[1], lengths[1] }, { names[2], lengths[2] },
            { session, round % 3 == 0 ? 0 : next(&state) % (GH_HANDLE_SESSION_MAX + 1) } };
        len = gh_handle_write(handles, &handle, text, sizeof(text));
        wrong += len == 0 || len > GH_HANDLE_MAX;
        wrong += gh_handle_write(handles, &handle, again, len - 1) != 0;
        wrong += gh_handle_write(handles, &handle, again, len) != len || memcmp(text, again, len) != 0;
        for (size_t i = 0; i < len; i++) {
            wrong += strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", text[i]) == NULL;
        }
        wrong += gh_handle_read(handles, (gh_str_t) { text, len }, handle.kind, handle.tenant_uid, buffer, &read, &error) != GH_OK
                 || !gh_str_eq(read.id, handle.id) || !gh_str_eq(read.model, handle.model)
                 || !gh_str_eq(read.deployment, handle.deployment) || !gh_str_eq(read.session, handle.session) || read.kind != handle.kind || read.tenant_uid != handle.tenant_uid;
        handle.tenant_uid++;
        wrong += gh_handle_write(handles, &handle, again, sizeof(again)) == len && memcmp(text, again, len) == 0;
    }
    CHECK_INT(wrong, 0);
}

int
main(void)
{
    gh_handles_t *handles;

    for (int i = 0; i < 32; i++) {
        secret[i] = (uint8_t) i;
    }
    handles = gh_handles_new(secret);
    CHECK(handles != NULL);
    test_vectors(handles);
    test_tampered(handles);
    test_refused(handles);
    test_property(handles);
    gh_handles_free(handles);
    return check_done("handle");
}
