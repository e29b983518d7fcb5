/* Signatures of clients: what the head tells, each way to be wrong, every failing allocation. tests/data/check_sigv4.py compares with botocore. */
#include <stdlib.h>

#include "ngx_module/wire/sigv4_verify.h"
#include "policy/identity/access_key.h"
#include "tests/unit/check.h"

#define AT UINT64_C(1440938160000)   /* 2015-08-30T12:36:00Z */
#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define CREDENTIAL "GHAKAAAA/20150830/eu-central-1/bedrock/aws4_request"

typedef struct {
    const char *authorization, *date, *digest, *token;
    const char *note;
} head_t;

static bool
header(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    const head_t *head = context;
    const char   *text = gh_str_is(name, "authorization") ? head->authorization : gh_str_is(name, "x-amz-date") ? head->date
        : gh_str_is(name, "x-amz-content-sha256") ? head->digest : gh_str_is(name, "x-amz-security-token") ? head->token
        : gh_str_is(name, "host") ? "h" : gh_str_is(name, "x-note") ? head->note : NULL;

    if (text == NULL || index != 0) {
        return false;
    }
    *value = gh_str_from(text);
    return true;
}

static void
test_head(void)
{
    static const struct {
        head_t      head;
        const char *code;
    } cases[] = {
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150830T123600Z", NULL, NULL, NULL }, NULL },
        { { "AWS4-HMAC-SHA256 Signature=" HEX64 ",SignedHeaders=host;x-amz-date,Credential=" CREDENTIAL, "20150830T123600Z", NULL, NULL, NULL }, NULL },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150830T123100Z", NULL, NULL, NULL }, NULL },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150830T124100Z", NULL, NULL, NULL }, NULL },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150830T123059Z", NULL, NULL, NULL }, "invalid_signature" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150830T124101Z", NULL, NULL, NULL }, "invalid_signature" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150831T123600Z", NULL, NULL, NULL }, "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150830X123600Z", NULL, NULL, NULL }, "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HEX64, NULL, NULL, NULL, NULL }, "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host, Signature=" HEX64, "20150830T123600Z", NULL, NULL, NULL }, "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=x-amz-date, Signature=" HEX64, "20150830T123600Z", NULL, NULL, NULL }, "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date", "20150830T123600Z", NULL, NULL, NULL }, "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150830T123600Z", NULL, NULL, NULL },
          "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=E" HEX64, "20150830T123600Z", NULL, NULL, NULL }, "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=GHAK/20150830/EU/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150830T123600Z", NULL, NULL, NULL },
          "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=GHAK/20150830/eu/bedrock/aws4_request/x, SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150830T123600Z", NULL, NULL, NULL },
          "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=GHAK/20150830/eu/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150830T123600Z", NULL, NULL, NULL },
          "invalid_signature" },
        { { "AWS4-HMAC-SHA256", "20150830T123600Z", NULL, NULL, NULL }, "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 ", "20150830T123600Z", NULL, NULL, NULL }, "incomplete_signature" },
        { { NULL, NULL, NULL, NULL, NULL }, "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150830T123600Z", NULL, "t", NULL }, "invalid_access_key" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HEX64, "20150830T123600Z", HEX64, NULL, NULL }, "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" HEX64, "20150830T123600Z", HEX64, NULL, NULL }, NULL },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" HEX64, "20150830T123600Z", NULL, NULL, NULL },
          "incomplete_signature" },
        { { "AWS4-HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" HEX64, "20150830T123600Z", "UNSIGNED-PAYLOAD", NULL, NULL },
          "invalid_signature" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gh_sigv4_shown_t shown;
        gh_error_t       error = { 0 };
        int              rc = gh_sigv4_shown(header, (void *) &cases[i].head, AT, &shown, &error);

        if (!CHECK_STR(gh_str_from(rc == GH_OK ? "" : error.code), cases[i].code != NULL ? cases[i].code : "")) {
            fprintf(stderr, "    case %zu: %s\n", i, error.text);
        }
        if (rc == GH_OK) {
            CHECK_STR(shown.access_key_id, "GHAKAAAA");
            CHECK_STR(shown.scope.region, "eu-central-1");
        }
    }
}

/* Signed by what signs for backends, with a header of the client's own; and with the body's digest in the head. */
static void
signed_head(gh_arena_t *arena, head_t *head, const uint8_t digest[32], bool shown)
{
    static gh_sigv4_signed_t out;
    gh_aws_credential_t      credential = { GH_STR("GHAKAAAA"), GH_STR("secret"), GH_STR(""), 0 };
    gh_sigv4_scope_t         scope = { GH_STR("eu-central-1"), GH_STR("bedrock") };
    gh_sigv4_header_t        note = { GH_STR("x-note"), gh_str_from(head->note) };
    gh_sigv4_request_t       request = { GH_STR("POST"), GH_STR("h"), GH_STR("/model/a%3Ab/converse"), GH_STR(""), &note, 1, digest, shown };
    gh_sigv4_keys_t          keys;
    gh_error_t               error;

    gh_sigv4_keys_init(&keys);
    CHECK_INT(gh_sigv4_sign(arena, &keys, &credential, &scope, &request, AT, 0, &out, &error), GH_OK);
    gh_sigv4_keys_clear(&keys);
    head->authorization = gh_str_format(arena, "%.*s", GH_STR_ARG(out.authorization)).data;
    head->date = gh_str_format(arena, "%.16s", out.date).data;
}

/* The head alone, where it says the body's digest; then the body. */
static void
test_head_alone(void)
{
    static uint8_t      digest[32] = { 0xab, 0x09, [31] = 0xf0 }, other[32] = { 0xab, 0x09, [31] = 0xf1 };
    head_t              head = { .note = "a", .digest = "ab090000000000000000000000000000000000000000000000000000000000f0" };
    gh_sigv4_received_t received = { GH_STR("POST"), GH_STR("/model/a%3Ab/converse"), header, &head, NULL };
    gh_sigv4_shown_t    shown;
    gh_sigv4_keys_t     keys;
    gh_heap_t           heap;
    gh_error_t          error = { 0 };

    gh_heap_init(&heap);
    gh_sigv4_keys_init(&keys);
    signed_head(&heap.arena, &head, digest, true);
    CHECK_INT(gh_sigv4_shown(header, &head, AT, &shown, &error), GH_OK);
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secret"), &received, &error), GH_OK);
    CHECK_INT(gh_sigv4_body(&shown, digest, &error), GH_OK);
    CHECK_INT(gh_sigv4_body(&shown, other, &error), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "invalid_signature");
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secrex"), &received, &error), GH_ERROR);
    received.body_sha256 = other;
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secret"), &received, &error), GH_ERROR);
    received.body_sha256 = NULL;

    head.digest = "ab090000000000000000000000000000000000000000000000000000000000f1";   /* another body's than was signed */
    CHECK_INT(gh_sigv4_shown(header, &head, AT, &shown, &error), GH_OK);
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secret"), &received, &error), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "invalid_signature");

    head.digest = NULL;
    signed_head(&heap.arena, &head, digest, false);
    CHECK_INT(gh_sigv4_shown(header, &head, AT, &shown, &error), GH_OK);
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secret"), &received, &error), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "incomplete_signature");
    CHECK_INT(gh_sigv4_body(&shown, other, &error), GH_OK);
    gh_sigv4_keys_clear(&keys);
    gh_heap_free(&heap);
}

static void
test_verified(void)
{
    static uint8_t      digest[32], other[32] = { 1 };
    head_t              head = { .note = "a  b" };
    gh_sigv4_received_t received = { GH_STR("POST"), GH_STR("/model/a%3Ab/converse"), header, &head, digest };
    gh_sigv4_shown_t    shown;
    gh_sigv4_keys_t     keys;
    gh_heap_t           heap, small;
    gh_error_t          error = { 0 };
    int                 rc = GH_ERROR;
    size_t              n;

    gh_heap_init(&heap);
    gh_sigv4_keys_init(&keys);
    signed_head(&heap.arena, &head, digest, false);
    CHECK_INT(gh_sigv4_shown(header, &head, AT, &shown, &error), GH_OK);
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secret"), &received, &error), GH_OK);
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secrex"), &received, &error), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "invalid_signature");

    head.note = "a b";
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secret"), &received, &error), GH_OK);
    head.note = "ab";
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secret"), &received, &error), GH_ERROR);
    head.note = NULL;
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secret"), &received, &error), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "incomplete_signature");
    head.note = "a b";
    received.body_sha256 = other;
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secret"), &received, &error), GH_ERROR);
    received.body_sha256 = digest;
    received.target = GH_STR("/model/a:b/converse");
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secret"), &received, &error), GH_ERROR);
    received.target = GH_STR("/model/a%3Ab/converse?x=1");
    CHECK_INT(gh_sigv4_verify(&heap.arena, &keys, &shown, GH_STR("secret"), &received, &error), GH_ERROR);
    received.target = GH_STR("/model/a%3Ab/converse");

    for (n = 0; n < 10 && rc != GH_OK; n++) {
        gh_heap_init(&small);
        small.limit = n;
        rc = gh_sigv4_verify(&small.arena, &keys, &shown, GH_STR("secret"), &received, &error);
        if (rc != GH_OK) {
            CHECK_STR(gh_str_from(error.code), "no_memory");
        }
        gh_heap_free(&small);
    }
    CHECK(n > 1 && n < 10);
    gh_sigv4_keys_clear(&keys);
    gh_heap_free(&heap);
}

/* Ids are of their alphabet; secrets follow from the store's key and the id, and from nothing else. */
static void
test_access_key(void)
{
    uint8_t    random[32] = { 0 }, hash[32], again[32];
    char       id[GH_ACCESS_KEY_ID], secret[GH_ACCESS_KEY_SECRET], other[GH_ACCESS_KEY_SECRET];
    gh_str_t   text = { id, sizeof(id) };
    gh_hmac_t *one = gh_hmac_new((const uint8_t *) "one", 3), *two = gh_hmac_new((const uint8_t *) "two", 3);

    for (size_t i = 0; i < sizeof(random); i++) {
        random[i] = (uint8_t) (i * 37);
    }
    gh_access_key_id(random, id);
    CHECK(gh_access_key_well_formed(text) && memcmp(id, "GHAK", 4) == 0);
    CHECK(!gh_access_key_well_formed((gh_str_t) { id, sizeof(id) - 1 }) && !gh_access_key_well_formed(GH_STR("")));
    CHECK_INT(gh_access_key_secret(one, text, secret), GH_OK);
    CHECK_INT(gh_access_key_secret(one, text, other), GH_OK);
    CHECK_MEM(secret, other, sizeof(secret));
    CHECK_INT(gh_access_key_secret(two, text, other), GH_OK);
    CHECK(memcmp(secret, other, sizeof(secret)) != 0);
    CHECK_INT(gh_access_key_hash(one, text, hash), GH_OK);
    id[GH_ACCESS_KEY_ID - 1] = id[GH_ACCESS_KEY_ID - 1] == 'A' ? 'B' : 'A';
    CHECK_INT(gh_access_key_hash(one, text, again), GH_OK);
    CHECK(memcmp(hash, again, sizeof(hash)) != 0);
    CHECK_INT(gh_access_key_secret(one, text, other), GH_OK);
    CHECK(memcmp(secret, other, sizeof(secret)) != 0);
    id[5] = '1';
    CHECK(!gh_access_key_well_formed(text));
    gh_hmac_free(one);
    gh_hmac_free(two);
}

int
main(void)
{
    test_head();
    test_head_alone();
    test_verified();
    test_access_key();
    return check_done("sigv4_verify");
}
