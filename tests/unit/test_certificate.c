/*
 * Client certificates: what OpenSSL signs here is read and judged. Names compare as RFC 5280, 4343 and 3986 have it, whatever would be nobody's or of two apps is refused, and an
 * authority counts by its own certificate, never by what it says.
 */
#include "policy/identity/certificate.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

#include "policy/identity/issuers.h"
#include "tests/unit/check.h"

#define NOW 1800000000000ull

static gh_heap_t heap;
static EVP_PKEY *key;
static X509     *root, *other;

typedef struct { const char *uri[3], *dns[3]; size_t dns_len; const char *common; bool ca; long begin, end; } made_t;   /* seconds from NOW */

static void
add_san(GENERAL_NAMES *names, int type, const char *text, size_t len)
{
    GENERAL_NAME   *name = GENERAL_NAME_new();
    ASN1_IA5STRING *string = ASN1_IA5STRING_new();

    ASN1_STRING_set(string, text, (int) len);
    GENERAL_NAME_set0_value(name, type, string);
    sk_GENERAL_NAME_push(names, name);
}

static X509 *
make(const made_t *made, X509 *issuer)
{
    X509          *x = X509_new();
    X509_NAME     *subject = X509_get_subject_name(x);
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    BASIC_CONSTRAINTS *basic = BASIC_CONSTRAINTS_new();
    time_t         now = NOW / 1000;

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), rand());
    X509_time_adj_ex(X509_getm_notBefore(x), 0, made->begin, &now);
    X509_time_adj_ex(X509_getm_notAfter(x), 0, made->end != 0 ? made->end : 3600, &now);
    if (made->common != NULL) {
        X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *) "Acme, Inc", -1, -1, 0);
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *) made->common, -1, -1, 0);
    }
    X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ? issuer : x));
    X509_set_pubkey(x, key);
    basic->ca = made->ca ? 0xff : 0;
    X509_add1_ext_i2d(x, NID_basic_constraints, basic, 1, 0);
    for (int i = 0; i < 3; i++) {
        if (made->uri[i] != NULL) {
            add_san(names, GEN_URI, made->uri[i], strlen(made->uri[i]));
        }
        if (made->dns[i] != NULL) {
            add_san(names, GEN_DNS, made->dns[i], made->dns_len != 0 ? made->dns_len : strlen(made->dns[i]));
        }
    }
    if (sk_GENERAL_NAME_num(names) > 0) {
        X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0);
    }
    GENERAL_NAMES_free(names);
    BASIC_CONSTRAINTS_free(basic);
    X509_sign(x, key, EVP_sha256());
    return x;
}

/* In hexadecimal. */
static gh_str_t
sha256_of(X509 *x)
{
    uint8_t  digest[32];
    unsigned len = sizeof(digest);
    char    *text = gh_arena_alloc(&heap.arena, 65);

    X509_digest(x, EVP_sha256(), digest, &len);
    for (int i = 0; i < 32; i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    return (gh_str_t) { text, 64 };
}

/* The certificate of a chain up to `above` (NULL: it is trusted itself); the code of an error. */
static const char *
reads(X509 *leaf, X509 *above, gh_certificate_t *c)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    static gh_error_t error;
    int rc;

    sk_X509_push(chain, leaf);
    if (above != NULL) {
        sk_X509_push(chain, above);
    }
    memset(&error, 0, sizeof(error));
    rc = gh_certificate_read(leaf, chain, &heap.arena, c, &error);
    sk_X509_free(chain);
    return rc == GH_OK ? "ok" : error.code;
}

static const char *
judged(gh_issuers_t *issuers, const made_t *made, X509 *above, uint64_t now_ms, gh_caller_t *caller)
{
    static gh_error_t error;
    gh_certificate_t  c;
    X509             *leaf = make(made, above);
    const char       *code = reads(leaf, above, &c);

    memset(&error, 0, sizeof(error));
    if (strcmp(code, "ok") == 0
        && gh_authorities_judge(issuers->authorities, issuers->authority_count, &heap.arena, &c, now_ms, caller, &error) != GH_OK)
    {
        code = error.code;
    }
    X509_free(leaf);
    return code;
}

static gh_issuers_t *
issuers_of(const char *format, gh_str_t sha256)
{
    gh_issuers_t *issuers = gh_issuers_new();
    gh_error_t    error = { 0 };

    if (gh_issuers_add(issuers, gh_str_format(&heap.arena, format, GH_STR_ARG(sha256)), &error) != GH_OK) {
        printf("%s\n", error.text);
    }
    return issuers;
}

static const char document[] = "{\"kind\":\"identity/1\",\"organisation\":\"acme\",\"certificates\":[{\"id\":\"mesh\",\"authorities\":[\"%.*s\"],\"user\":\"dns\",\"apps\":["
    "{\"when\":{\"uri\":\"spiffe://acme.example/ns/Red\"},\"app\":\"red/app\"},{\"when\":{\"dns\":\"blue.example\"},\"app\":\"blue/app\"},"
    "{\"when\":{\"dns\":\"*.star.example\"},\"app\":\"blue/app\"},"
    "{\"when\":{\"subject\":\"CN=both,O=Acme\\\\, Inc\",\"dns\":\"both.example\"},\"app\":\"red/app\"}],"
    "\"classes\":[{\"when\":{\"dns\":\"blue.example\"},\"classes\":[\"hr\",\"pay\"]}]}]}";

#define CHECK_JUDGED(made, above, now, code) CHECK_STR(gh_str_from(judged(issuers, &(made_t) made, above, now, &caller)), code)
#define _(...) { __VA_ARGS__ }

static void
test_names(void)
{
    gh_issuers_t *issuers = issuers_of(document, sha256_of(root));
    gh_caller_t   caller;

    CHECK_INT(issuers->authority_count, 1);
    CHECK_JUDGED(_(.uri = { "spiffe://acme.example/ns/Red" }, .dns = { "anna.example" }), root, NOW, "ok");
    CHECK(gh_str_is(caller.app, "acme/red/app") && gh_str_is(caller.user, "anna.example") && caller.classes.len == 0 && gh_str_is(caller.id, "mesh"));
    CHECK_JUDGED(_(.uri = { "SPIFFE://ACME.example/ns/Red" }, .dns = { "anna.example" }), root, NOW, "ok");      /* scheme and authority without case */
    CHECK_JUDGED(_(.uri = { "spiffe://acme.example/ns/red" }, .dns = { "anna.example" }), root, NOW, "certificate_unmapped");
    CHECK_JUDGED(_(.uri = { "spiffe://acme.example/ns/Redd" }, .dns = { "anna.example" }), root, NOW, "certificate_unmapped");
    CHECK_JUDGED(_(.uri = { "spiffe://acme.exampl/ens/Red" }, .dns = { "anna.example" }), root, NOW, "certificate_unmapped");
    CHECK_JUDGED(_(.uri = { "spiffe://acme.example/ns/Red" }), root, NOW, "certificate_user");
    CHECK_JUDGED(_(.uri = { "spiffe://acme.example/ns/Red" }, .dns = { "a.example", "b.example" }), root, NOW, "certificate_user");
    CHECK_JUDGED(_(.dns = { "BLUE.Example" }), root, NOW, "ok");
    CHECK(gh_str_is(caller.app, "acme/blue/app") && gh_str_is(caller.classes, "hr,pay"));
    CHECK_JUDGED(_(.dns = { "a.star.example" }), root, NOW, "certificate_unmapped");
    CHECK_JUDGED(_(.dns = { "*.star.example" }), root, NOW, "certificate_unmapped");
    CHECK_JUDGED(_(.common = "blue.example"), root, NOW, "certificate_unmapped");
    CHECK_JUDGED(_(.common = "both", .dns = { "both.example" }), root, NOW, "ok");
    CHECK_JUDGED(_(.common = "Both", .dns = { "both.example" }), root, NOW, "certificate_unmapped");
    CHECK_JUDGED(_(.dns = { "both.example" }), root, NOW, "certificate_unmapped");                              /* every test of a rule has to fit */
    CHECK_JUDGED(_(.uri = { "spiffe://acme.example/ns/Red" }, .dns = { "blue.example" }), root, NOW, "certificate_ambiguous");
    gh_issuers_free(issuers);
}

static void
test_authorities(void)
{
    gh_issuers_t    *issuers = issuers_of(document, sha256_of(root)), *lone;
    X509            *alone = make(&(made_t) { .common = "alone", .dns = { "blue.example" } }, NULL);
    gh_certificate_t c, again;
    gh_caller_t      caller;
    gh_error_t       error = { 0 };

    CHECK_JUDGED(_(.dns = { "blue.example" }), other, NOW, "certificate_unknown");       /* the same name, key and all, but another certificate */
    CHECK(strcmp(reads(alone, NULL, &c), "ok") == 0);
    CHECK(!gh_authorities_know(issuers->authorities, issuers->authority_count, &c));
    lone = issuers_of(document, sha256_of(alone));
    CHECK(gh_authorities_know(lone->authorities, lone->authority_count, &c));            /* trusted itself: its own authority */
    CHECK_INT(gh_authorities_judge(lone->authorities, lone->authority_count, &heap.arena, &c, NOW, &caller, &error), GH_OK);
    CHECK(strcmp(reads(alone, root, &again), "ok") == 0);
    CHECK(!gh_authorities_know(lone->authorities, lone->authority_count, &again));       /* but not when something stands above it */
    CHECK(memcmp(c.digest, again.digest, 32) != 0 && memcmp(c.sha256, again.sha256, 32) == 0);
    CHECK_JUDGED(_(.dns = { "blue.example" }, .begin = -10, .end = 10), root, NOW, "ok");
    CHECK_JUDGED(_(.dns = { "blue.example" }, .begin = -10, .end = 10), root, NOW + 10999, "ok");
    CHECK_JUDGED(_(.dns = { "blue.example" }, .begin = -10, .end = 10), root, NOW + 11000, "certificate_expired");
    CHECK_JUDGED(_(.dns = { "blue.example" }, .begin = -10, .end = 10), root, NOW - 10000, "ok");
    CHECK_JUDGED(_(.dns = { "blue.example" }, .begin = -10, .end = 10), root, NOW - 10001, "certificate_not_yet");
    X509_free(alone);
    gh_issuers_free(issuers);
    gh_issuers_free(lone);
}

static void
test_malformed(void)
{
    gh_issuers_t *issuers = issuers_of(document, sha256_of(root));
    gh_caller_t   caller;

    CHECK_JUDGED(_(.dns = { "blue.example\0.evil" }, .dns_len = 18), root, NOW, "certificate_malformed");
    CHECK_JUDGED(_(.dns = { "blue.example ", "blue.example" }, .dns_len = 13), root, NOW, "certificate_malformed");
    CHECK_JUDGED(_(.dns = { "bl\xc3\xbc.example" }), root, NOW, "certificate_malformed");
    CHECK_JUDGED(_(.dns = { "" }), root, NOW, "certificate_malformed");
    CHECK_JUDGED(_(.uri = { "spiffe://acme.example/ns/Red", "spiffe://acme.example/x" }, .dns = { "a.example" }), root, NOW, "certificate_malformed");
    CHECK_JUDGED(_(.uri = { "https://acme.example/", "Spiffe://acme.example/ns/Red" }, .dns = { "a.example" }), root, NOW, "certificate_malformed");
    CHECK_JUDGED(_(.uri = { "spiffe://acme.example/ns/Red" }, .dns = { "a.example" }, .ca = true), root, NOW, "certificate_malformed");
    CHECK_JUDGED(_(.dns = { "blue.example" }, .ca = true), root, NOW, "ok");
    gh_issuers_free(issuers);
}

static void
test_verify(void)
{
    X509_STORE       *store = X509_STORE_new();
    X509_VERIFY_PARAM *param = X509_VERIFY_PARAM_new();
    X509             *leaf = make(&(made_t) { .dns = { "blue.example" }, .begin = -10, .end = 10 }, root);
    X509             *stranger = make(&(made_t) { .common = "stranger", .ca = true, .begin = -1000, .end = 100000 }, NULL);
    STACK_OF(X509)   *chain;
    gh_error_t        error = { 0 };

    X509_STORE_add_cert(store, root);
    X509_VERIFY_PARAM_set_time(param, NOW / 1000);
    CHECK_INT(gh_certificate_verify(store, param, 1, leaf, NULL, &chain, &error), GH_OK);
    CHECK_INT(sk_X509_num(chain), 2);
    sk_X509_pop_free(chain, X509_free);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);                    /* and there is no list */
    CHECK_INT(gh_certificate_verify(store, param, 1, leaf, NULL, &chain, &error), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "certificate_untrusted");
    X509_STORE_free(store);
    store = X509_STORE_new();
    X509_STORE_add_cert(store, stranger);
    CHECK_INT(gh_certificate_verify(store, param, 1, leaf, NULL, &chain, &error), GH_ERROR);
    CHECK(chain == NULL);
    X509_STORE_free(store);
    store = X509_STORE_new();
    X509_STORE_add_cert(store, root);
    X509_VERIFY_PARAM_set_time(param, NOW / 1000 + 11);
    CHECK_INT(gh_certificate_verify(store, param, 1, leaf, NULL, &chain, &error), GH_ERROR);
    X509_VERIFY_PARAM_free(param);
    X509_STORE_free(store);
    X509_free(leaf);
    X509_free(stranger);
}

static void
test_values(void)
{
    static const struct { gh_certificate_kind_t kind; const char *text; bool good; } values[] = {
        { GH_CERTIFICATE_URI, "spiffe://acme.example/Ns", true }, { GH_CERTIFICATE_URI, "urn:acme:Red", true }, { GH_CERTIFICATE_URI, "acme", false },
        { GH_CERTIFICATE_URI, "spiffe://Acme.example/ns", false }, { GH_CERTIFICATE_URI, "Spiffe://acme.example/ns", false }, { GH_CERTIFICATE_URI, "urn:a b", false },
        { GH_CERTIFICATE_DNS, "a.example", true }, { GH_CERTIFICATE_DNS, "*.example", false }, { GH_CERTIFICATE_DNS, "A.example", false },
        { GH_CERTIFICATE_DNS, "a.example.", false }, { GH_CERTIFICATE_DNS, "b\xc3\xbc.example", false }, { GH_CERTIFICATE_DNS, "", false },
        { GH_CERTIFICATE_SUBJECT, "CN=Anna", true }, { GH_CERTIFICATE_SUBJECT, "", false }, { GH_CERTIFICATE_SHA256, "00", false },
        { GH_CERTIFICATE_SHA256, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", true },
        { GH_CERTIFICATE_SHA256, "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f", false },
        { GH_CERTIFICATE_SHA256, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g", false },
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        CHECK((gh_certificate_value_wrong(values[i].kind, gh_str_from(values[i].text)) == NULL) == values[i].good);
    }
}

int
main(void)
{
    gh_heap_init(&heap);
    srand(1);
    key = EVP_EC_gen("P-256");
    root = make(&(made_t) { .common = "root", .ca = true, .begin = -1000, .end = 100000 }, NULL);
    other = make(&(made_t) { .common = "root", .ca = true, .begin = -1000, .end = 100000 }, NULL);
    test_names();
    test_authorities();
    test_malformed();
    test_verify();
    test_values();
    X509_free(root);
    X509_free(other);
    EVP_PKEY_free(key);
    gh_heap_free(&heap);
    return check_done("certificate");
}
