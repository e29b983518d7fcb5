/*
 * AWS Signature Version 4: the example of AWS's own test suite ("get-vanilla"), every failing allocation, and that keys are wiped.
 * tests/data/check_sigv4.py compares with botocore.
 */
#include <stdlib.h>

#include "ngx_module/wire/aws_error.h"
#include "ngx_module/wire/sigv4.h"
#include "tests/unit/check.h"

static const uint8_t empty_sha256[32] = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55
};

static const gh_aws_credential_t credential = {
    { "AKIDEXAMPLE", 11 }, { "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 40 }, { "", 0 }, 0
};
static const gh_sigv4_scope_t    scope = { { "us-east-1", 9 }, { "service", 7 } };
static const uint64_t            at_ms = UINT64_C(1440938160000);   /* 2015-08-30T12:36:00Z */

static gh_sigv4_request_t
vanilla(void)
{
    gh_sigv4_request_t request;

    memset(&request, 0, sizeof(request));
    request.method = GH_STR("GET");
    request.host = GH_STR("example.amazonaws.com");
    request.path = GH_STR("/");
    request.query = GH_STR("");
    request.body_sha256 = empty_sha256;
    return request;
}

static void
test_published(void)
{
    gh_sigv4_request_t request = vanilla();
    gh_sigv4_keys_t    keys;
    gh_sigv4_signed_t  out;
    gh_heap_t          heap;
    gh_error_t         error;

    gh_heap_init(&heap);
    gh_sigv4_keys_init(&keys);
    CHECK_INT(gh_sigv4_sign(&heap.arena, &keys, &credential, &scope, &request, at_ms + 999, 0, &out, &error), GH_OK);
    CHECK_STR(out.authorization, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    CHECK_MEM(out.date, "20150830T123600Z", 16);

    /* What our clock lacks comes back by the skew. */
    CHECK_INT(gh_sigv4_sign(&heap.arena, &keys, &credential, &scope, &request, at_ms - 86400000, 86400000, &out, &error), GH_OK);
    CHECK_MEM(out.date, "20150830T123600Z", 16);
    CHECK_INT(keys.derived, 1);
    gh_sigv4_keys_clear(&keys);
    gh_heap_free(&heap);
}

static void
test_no_memory(void)
{
    gh_sigv4_request_t request = vanilla();
    gh_sigv4_keys_t    keys;
    gh_sigv4_signed_t  out;
    gh_heap_t          heap;
    gh_error_t         error;
    size_t             n;
    int                rc = GH_ERROR;

    request.query = GH_STR("b=2&a=1");
    gh_sigv4_keys_init(&keys);
    for (n = 0; n < 20 && rc != GH_OK; n++) {
        gh_heap_init(&heap);
        heap.limit = n;
        memset(&error, 0, sizeof(error));
        rc = gh_sigv4_sign(&heap.arena, &keys, &credential, &scope, &request, at_ms, 0, &out, &error);
        if (rc != GH_OK) {
            CHECK_STR(gh_str_from(error.code), "no_memory");
        }
        gh_heap_free(&heap);
    }
    CHECK(n > 3 && n < 20);
    gh_sigv4_keys_clear(&keys);
}

static void
test_wiped(void)
{
    static const gh_sigv4_keys_t none;
    gh_str_t                     one = GH_STR("one"), two = GH_STR("two"), region = GH_STR("r"), service = GH_STR("s");
    gh_sigv4_keys_t              keys;

    gh_sigv4_keys_init(&keys);
    CHECK(gh_sigv4_key(&keys, one, "20150830", region, service) != NULL);
    CHECK(gh_sigv4_key(&keys, one, "20150830", region, region) != NULL);
    CHECK(gh_sigv4_key(&keys, two, "20150830", region, service) != NULL);
    CHECK_INT(keys.derived, 3);

    gh_sigv4_keys_forget(&keys, one);
    CHECK(gh_sigv4_key(&keys, two, "20150830", region, service) != NULL);
    CHECK_INT(keys.derived, 3);
    gh_sigv4_keys_forget(&keys, two);
    CHECK_MEM(keys.entries, none.entries, sizeof(none.entries));

    CHECK(gh_sigv4_key(&keys, one, "20150830", region, service) != NULL);
    CHECK_INT(keys.derived, 4);
    gh_sigv4_keys_clear(&keys);
    CHECK_MEM(keys.entries, none.entries, sizeof(none.entries));
    CHECK(gh_sigv4_key(&keys, GH_STR(""), "20150830", region, service) == NULL);
    CHECK_MEM(keys.entries, none.entries, sizeof(none.entries));
}

static void
test_errors(void)
{
    gh_heap_t           heap;
    gh_aws_error_t      read;
    gh_aws_credential_t held;
    gh_error_t          error;
    size_t              n;

    /* Without memory an escaped text cannot be read, and the rest is as if the body could not. */
    gh_heap_init(&heap);
    heap.limit = 0;
    gh_aws_error_read(&heap.arena, GH_STR("A"), GH_STR("{\"message\":\"a\\n\"}"), &read);
    CHECK_STR(read.type, "A");
    CHECK_STR(read.message, "");
    gh_aws_error_read(&heap.arena, GH_STR(""), GH_STR("{\"__type\":\"A\",\"message\":\"a\"}"), &read);
    CHECK_STR(read.type, "A");
    CHECK_STR(read.message, "a");
    gh_heap_free(&heap);

    for (n = 0; n < 2; n++) {
        gh_heap_init(&heap);
        heap.limit = n;
        CHECK_INT(gh_aws_credential_read(&heap.arena, GH_STR("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"B\"}"), &held, &error), GH_ERROR);
        CHECK_STR(gh_str_from(error.code), "no_memory");
        gh_heap_free(&heap);
    }
}

int
main(void)
{
    test_published();
    test_no_memory();
    test_wiped();
    test_errors();
    return check_done("sigv4");
}
