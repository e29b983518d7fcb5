/*
 * What the flows of credentials read, and when they come again: STS's XML, AWS's files, times, forms. The flows themselves meet their clouds in
 * tests/cli/test_credential.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/agent/aws_files.h"
#include "policy/agent/credential_hand.h"
#include "policy/agent/credential_own.h"
#include "policy/agent/exchange.h"
#include "policy/agent/sts_answer.h"
#include "policy/base/base64.h"
#include "tests/unit/check.h"

#define T0 UINT64_C(1764201600000)               /* 2025-11-27T00:00:00Z, ms */

#define STS(id, rest)                                                                                                                                  \
    "<?xml version=\"1.0\"?>\n<R xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><X><Credentials><AccessKeyId>" id "</AccessKeyId>\n"              \
    "<SecretAccessKey>a&amp;b&#x2f;&#43;</SecretAccessKey> <SessionToken> t&lt;&gt; </SessionToken><Expiration>2025-11-27T00:00:01.5Z</Expiration>" rest \
    "</Credentials><Empty/></X></R>\n"

static void
test_sts(void)
{
    static const char *const wrong[] = {
        "", "x", "<a>", "<a></b>", "<a/>x", "<a>&amp;</a><Credentials>", STS("<b/>x", "") "x", STS("AKID", "<AccessKeyId>twice</AccessKeyId>"), STS("&x;", ""), STS("&#0;", ""),
        STS("&#300;", ""), STS("&amp", ""), "<!DOCTYPE a>" STS("AKID", ""), STS("AKID", "<![CDATA[x]]>"), STS("AKID", "<!-- x -->"), STS("AKID", "text<b/>"),
        "<?xml ", "<Credentials><AccessKeyId>AKID</AccessKeyId></Credentials>", "<a b=\"<\"/>", "<a b='x></a>"
    };
    gh_aws_credential_t credential;
    gh_error_t          error;
    gh_heap_t           heap;
    char                deep[400] = "";

    gh_heap_init(&heap);
    CHECK_INT(gh_sts_credentials_read(&heap.arena, gh_str_from(STS("AKID", "")), &credential, &error), GH_OK);
    CHECK_STR(credential.access_key_id, "AKID");
    CHECK_STR(credential.secret_access_key, "a&b/+");
    CHECK_STR(credential.session_token, "t<>");
    CHECK(credential.expires_ms == T0 + 1000);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        error.code = NULL;
        if (!CHECK_INT(gh_sts_credentials_read(&heap.arena, gh_str_from(wrong[i]), &credential, &error), GH_ERROR) || !CHECK(error.code != NULL)) {
            fprintf(stderr, "    %s\n", wrong[i]);
        }
    }
    for (unsigned i = 0; i < 17; i++) {
        snprintf(deep + 3 * i, sizeof(deep) - 3 * i, "<a>");
    }
    CHECK_INT(gh_sts_credentials_read(&heap.arena, gh_str_from(deep), &credential, &error), GH_ERROR);
    CHECK_STR(gh_sts_error_code(&heap.arena, GH_STR("<E><Error><Type>Sender</Type><Code>AccessDenied</Code></Error></E>")), "AccessDenied");
    CHECK_INT((long) gh_sts_error_code(&heap.arena, GH_STR("<E><Code>AccessDenied</Code></E>")).len, 0);
    CHECK_INT((long) gh_sts_error_code(&heap.arena, GH_STR("<html>")).len, 0);
    gh_heap_free(&heap);
}

static void
test_files(void)
{
    static const char config[] = "# comment\n[default]\r\nregion = eu-central-1\r\n\n[profile \"a b\"]\nrole_arn=arn:aws:iam::1:role/x=y\n s3 =\n   nested = 1\n"
                                 "[sso-session x]\nregion = nowhere\n[profile  c ]\nregion=\n; end";
    static const char credentials[] = "[default]\naws_access_key_id = AKID\n[a b]\nrole_arn = later\n";
    static const char *const wrong[] = { "[x\n", "[default]\nword\n", "[default]\n= x\n", "a = b\n" };
    gh_aws_settings_t settings = { NULL, 0 };
    gh_error_t        error = { 0 };
    gh_heap_t         heap;

    gh_heap_init(&heap);
    CHECK_INT(gh_aws_file_read(&heap.arena, GH_STR(config), "config", false, &settings, &error), GH_OK);
    CHECK_STR(gh_aws_setting(&settings, GH_STR("default"), "region"), "eu-central-1");
    CHECK_STR(gh_aws_setting(&settings, GH_STR("a b"), "role_arn"), "arn:aws:iam::1:role/x=y");
    CHECK_INT((long) gh_aws_setting(&settings, GH_STR("a b"), "nested").len, 0);
    CHECK_INT((long) gh_aws_setting(&settings, GH_STR("c"), "region").len, 0);
    CHECK(gh_aws_profile_there(&settings, GH_STR("c")) && !gh_aws_profile_there(&settings, GH_STR("x")));
    CHECK_INT(gh_aws_file_read(&heap.arena, GH_STR(credentials), "credentials", true, &settings, &error), GH_OK);
    CHECK_STR(gh_aws_setting(&settings, GH_STR("a b"), "role_arn"), "later");
    CHECK_STR(gh_aws_setting(&settings, GH_STR("default"), "region"), "eu-central-1");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK_INT(gh_aws_file_read(&heap.arena, gh_str_from(wrong[i]), "/f", false, &settings, &error), GH_ERROR);
        CHECK(strncmp(error.text, "/f:", 3) == 0);
    }
    gh_heap_free(&heap);
}

/* For every life and chance: after now, ahead of the end, by five minutes where there is time for it; nobody comes at two thirds exactly. */
static void
test_due(void)
{
    for (uint64_t life = 0; life < 100000000; life = life * 5 / 4 + 997) {
        for (uint64_t random = 0; random < 1000000000; random = random * 3 + 7919) {
            uint64_t due = gh_credential_due(T0, T0 + life, 0, random), said = gh_credential_due(T0, T0 + life, T0 + life / 2, random);

            CHECK(due > T0 && said > T0);
            if (life > 3000) {
                CHECK(due <= T0 + life * 2 / 3 && said <= T0 + life / 2 && due < T0 + life);
                CHECK(due + life / 20 + 1001 >= T0 + life * 2 / 3 || due + life / 20 + 1 >= T0 + life - 300000);
            }
            if (life >= 600000) {
                CHECK(due <= T0 + life - 300000);
            }
        }
    }
    CHECK(gh_credential_due(T0, 0, 0, 0) == T0 + 60000);
    CHECK(gh_credential_due(T0, T0 - 1, 0, 5) == T0 + 1000);
}

static void
test_form(void)
{
    gh_form_field_t fields[] = { { "a", GH_STR("x y+/\xc3\xa9") }, { "left-out", { NULL, 0 } }, { "b~", GH_STR("") } };
    gh_heap_t       heap;

    gh_heap_init(&heap);
    CHECK_STR(gh_form(&heap.arena, fields, 3), "a=x%20y%2B%2F%C3%A9&b~=");
    CHECK(strcmp(gh_exchange_word(&heap.arena, GH_STR("Access_Denied-1.x: secret")), "Access_Denied-1.x") == 0);
    CHECK(strcmp(gh_exchange_word(&heap.arena, GH_STR("\nsecret")), "no reason") == 0);
    gh_heap_free(&heap);
}

/* Complete under its name or as it was, whatever memory there is; the reason comes and goes. */
static void
test_handing(void)
{
    char                path[] = "/tmp/test_credentials_XXXXXX", name[64];
    gh_credential_t     credential = { .form = GH_CREDENTIAL_BEARER, .secret = { "eyJ", 3 }, .expires_ms = T0 };
    gh_credential_why_t why = { .code = "fetch_timeout", .text = "nobody \"answered\"", .since_ms = T0, .tried_ms = T0 + 1, .failures = 3 }, read;
    gh_error_t          error = { 0 };
    bool                changed = false;

    CHECK(mkdtemp(path) != NULL && chmod(path, 0750) == 0);
    for (size_t limit = 0; limit < 20 && !changed; limit++) {
        gh_heap_t heap;

        gh_heap_init(&heap);
        heap.limit = limit;
        (void) gh_credential_hand(&heap.arena, path, GH_STR("x"), &credential, &changed, &error);
        gh_heap_free(&heap);
    }
    CHECK(changed);
    {
        gh_heap_t heap;

        gh_heap_init(&heap);
        CHECK(gh_credential_hand(&heap.arena, path, GH_STR("x"), &credential, &changed, &error) == GH_OK && !changed);
        CHECK_INT(gh_credential_hand(&heap.arena, path, GH_STR("../x"), &credential, &changed, &error), GH_ERROR);
        CHECK_INT(gh_credential_hand(&heap.arena, path, GH_STR(".x"), &credential, &changed, &error), GH_ERROR);
        credential.secret = GH_STR("two\nlines");
        CHECK_INT(gh_credential_hand(&heap.arena, path, GH_STR("x"), &credential, &changed, &error), GH_ERROR);
        CHECK_INT(gh_credential_why_write(&heap.arena, path, GH_STR("x"), &why, &error), GH_OK);
        gh_credential_why_read(&heap.arena, path, GH_STR("x"), &read);
        CHECK(strcmp(read.code, why.code) == 0 && strcmp(read.text, why.text) == 0 && read.since_ms == T0 && read.failures == 3);
        why.code[0] = '\0';
        CHECK_INT(gh_credential_why_write(&heap.arena, path, GH_STR("x"), &why, &error), GH_OK);
        gh_credential_why_read(&heap.arena, path, GH_STR("x"), &read);
        CHECK(read.code[0] == '\0' && read.failures == 0);
        gh_heap_free(&heap);
    }
    snprintf(name, sizeof(name), "%s/x", path);
    unlink(name);
    CHECK_INT(rmdir(path), 0);
}

static unsigned gone_count;

static void
count_gone(const char *name)
{
    gone_count += strcmp(name, "x") == 0;
}

static void
put(const char *directory, const char *name, const char *text)
{
    char  path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static bool
is_there(const char *directory, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

/* What was handed over is known again, of which source it was too; what somebody else wrote is never taken away. */
static void
test_own(void)
{
    char                   path[] = "/tmp/test_credentials_XXXXXX", name[128], marks[2][65];
    gh_credential_source_t a = { .id = GH_STR("x"), .kind = gh_credential_kind(GH_STR("api_key")), .secret = { GH_SECRET_FILE, GH_STR("/s") } }, b = a;
    gh_credential_list_t   list = { &a, 1 }, none = { NULL, 0 };
    gh_credential_t        credential = { .form = GH_CREDENTIAL_KEY, .secret = GH_STR("key") };
    gh_error_t             error = { 0 };
    gh_heap_t              heap;
    bool                   changed;

    gh_heap_init(&heap);
    b.secret.kind = GH_SECRET_ENVIRONMENT;
    gh_credential_source_mark(&a, marks[0]);
    gh_credential_source_mark(&b, marks[1]);
    CHECK(strlen(marks[0]) == 64 && strcmp(marks[0], marks[1]) != 0);
    CHECK(mkdtemp(path) != NULL && chmod(path, 0750) == 0);
    CHECK_INT(gh_credential_own(&heap.arena, path, &a, &error), GH_ERROR);
    CHECK(gh_credential_hand(&heap.arena, path, a.id, &credential, &changed, &error) == GH_OK && !gh_credential_own_replaced(&heap.arena, path, &b));
    CHECK(gh_credential_own(&heap.arena, path, &a, &error) == GH_OK && is_there(path, ".x.from"));
    gh_credential_own_sweep(path, &list, count_gone);
    CHECK(gone_count == 0 && is_there(path, "x") && is_there(path, ".x.from"));
    CHECK(!gh_credential_own_replaced(&heap.arena, path, &a) && is_there(path, "x"));
    CHECK(gh_credential_own_replaced(&heap.arena, path, &b) && !is_there(path, "x"));

    credential.expires_ms = T0;
    CHECK(gh_credential_hand(&heap.arena, path, a.id, &credential, &changed, &error) == GH_OK && gh_credential_own(&heap.arena, path, &a, &error) == GH_OK);
    CHECK(!gh_credential_own_replaced(&heap.arena, path, &b) && is_there(path, "x"));
    put(path, ".y.why", "{}");
    put(path, "y", "by hand");
    gh_credential_own_sweep(path, &none, count_gone);
    CHECK(gone_count == 1 && !is_there(path, "x") && !is_there(path, ".x.from") && !is_there(path, ".y.why") && is_there(path, "y"));

    CHECK(gh_credential_hand(&heap.arena, path, a.id, &credential, &changed, &error) == GH_OK && gh_credential_own(&heap.arena, path, &a, &error) == GH_OK);
    put(path, "x", "by hand");
    gh_credential_own_sweep(path, &none, count_gone);
    CHECK(gone_count == 1 && is_there(path, "x") && !is_there(path, ".x.from"));
    for (unsigned i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), "%s/%c", path, "xy"[i]);
        CHECK_INT(unlink(name), 0);
    }
    CHECK_INT(rmdir(path), 0);
    gh_heap_free(&heap);
}

/* The end that a short-term key of Bedrock says itself. Whatever is no such key has none, which is no failure. */
static void
test_bedrock_keys(void)
{
    static const struct { const char *url; uint64_t end_ms; } keys[] = {
        { "bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20251127%2Feu-central-1%2Fbedrock%2Faws4_request"
          "&X-Amz-Date=20251127T000000Z&X-Amz-Expires=43200&X-Amz-SignedHeaders=host&X-Amz-Security-Token=t&X-Amz-Signature=00&Version=1", T0 + 43200000 },
        { "h/?X-Amz-Expires=1&X-Amz-Date=20251127T000000Z", T0 + 1000 }, { "h/?X-Amz-Date=20251127T000000Z&X-Amz-Expires=604800", T0 + 604800000 },
        { "h/?X-Amz-Date=20251127T000000Z&X-Amz-Expires=604801", 0 }, { "h/?X-Amz-Date=20251127T000000Z&X-Amz-Expires=0", 0 },
        { "h/?X-Amz-Date=20251127T000000Z&X-Amz-Expires=", 0 }, { "h/?X-Amz-Date=20251127T000000Z&X-Amz-Expires=-1", 0 },
        { "h/?X-Amz-Date=20251127T000000Z&X-Amz-Expires=4320000000000000000000", 0 }, { "h/?X-Amz-Date=20251127T000000Z", 0 }, { "h/?X-Amz-Expires=43200", 0 },
        { "h/?X-Amz-Date=20251327T000000Z&X-Amz-Expires=1", 0 }, { "h/?X-Amz-Date=20251127 000000Z&X-Amz-Expires=1", 0 },
        { "h/?X-Amz-Date=20251127T00000Z&X-Amz-Expires=1", 0 }, { "h/?X-Amz-Date=2025-11-27T00:00:00Z&X-Amz-Expires=1", 0 },
        { "h/?X-Amz-Date=20251127T000000Z&X-Amz-Expires=1&X-Amz-Expires=43200", 0 }, { "h/X-Amz-Date=20251127T000000Z&X-Amz-Expires=1", 0 },
        { "h/?xX-Amz-Date=20251127T000000Z&X-Amz-Expires=1", 0 }, { "h/?&&&", 0 }, { "?", 0 }, { "", 0 }
    };
    static const char *const others[] = { "ABSKQmVkcm9jaw==", "bedrock-api-key-", "bedrock-api-key-A", "bedrock-api-key-****", "bedrock-api-key-QUJD QUJD", "bedrock-api-key" };
    gh_credential_source_t source = { .kind = gh_credential_kind(GH_STR("bedrock_api_key")), .secret = { GH_SECRET_ENVIRONMENT, GH_STR("TEST_BEDROCK_KEY") } };
    gh_credential_t        credential;
    gh_error_t             error = { 0 };
    gh_heap_t              heap;
    char                   key[1024] = "bedrock-api-key-";

    gh_heap_init(&heap);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        gh_credential_run_t run = { .arena = &heap.arena, .now_ms = T0 - 1000 };

        key[16 + gh_base64(keys[i].url, strlen(keys[i].url), key + 16)] = '\0';
        CHECK(setenv("TEST_BEDROCK_KEY", key, 1) == 0 && gh_credential_run(&source, &run, &credential, &error) == GH_OK);
        if (!CHECK(credential.form == GH_CREDENTIAL_BEARER && gh_str_is(credential.secret, key) && credential.expires_ms == keys[i].end_ms)) {
            fprintf(stderr, "    %s\n", keys[i].url);
        }
        CHECK(run.refresh_ms == (keys[i].end_ms != 0 ? T0 + 59000 : 0));
        run.now_ms = keys[i].end_ms;
        CHECK_INT(gh_credential_run(&source, &run, &credential, &error), keys[i].end_ms != 0 ? GH_ERROR : GH_OK);
    }
    CHECK_STR(gh_str_from(error.text), "bedrock_api_key gave a credential that has ended already");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        gh_credential_run_t run = { .arena = &heap.arena, .now_ms = T0 };

        CHECK(setenv("TEST_BEDROCK_KEY", others[i], 1) == 0 && gh_credential_run(&source, &run, &credential, &error) == GH_OK && credential.expires_ms == 0);
    }
    unsetenv("TEST_BEDROCK_KEY");
    gh_heap_free(&heap);
}

int
main(void)
{
    test_sts();
    test_files();
    test_due();
    test_form();
    test_handing();
    test_own();
    test_bedrock_keys();
    return check_done("agent credentials");
}
