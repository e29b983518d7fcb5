/* Callers of the small world: tokens of one issuer and certificates of one authority, made and signed here by OpenSSL itself. */
#ifndef GH_TEST_CALLER_WORLD_H
#define GH_TEST_CALLER_WORLD_H

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "policy/base/base64.h"
#include "policy/identity/certificate.h"
#include "tests/unit/store_world.h"

static EVP_PKEY *caller_signer;        /* of the issuer, and of the authority */

/* A token, NUL-terminated: claims are its JSON. */
static inline void
caller_token(const char *claims, char out[1024])
{
    char          text[768];
    unsigned char der[128], raw[64];
    size_t        len, der_len = sizeof(der);
    EVP_MD_CTX   *ctx = EVP_MD_CTX_new();
    const unsigned char *p = der;
    ECDSA_SIG    *signature;

    len = gh_base64url((const uint8_t *) "{\"alg\":\"ES256\",\"typ\":\"JWT\"}", 27, text);
    text[len++] = '.';
    len += gh_base64url((const uint8_t *) claims, strlen(claims), text + len);
    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, caller_signer);
    EVP_DigestSign(ctx, der, &der_len, (const unsigned char *) text, len);
    signature = d2i_ECDSA_SIG(NULL, &p, (long) der_len);
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32);
    memcpy(out, text, len);
    out[len++] = '.';
    len += gh_base64url(raw, sizeof(raw), out + len);
    out[len] = '\0';
    ECDSA_SIG_free(signature);
    EVP_MD_CTX_free(ctx);
}

/* One that is trusted itself, with a DNS name or without. */
static inline X509 *
caller_certificate(const char *dns)
{
    X509           *x = X509_new();
    X509_EXTENSION *san = dns != NULL ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, dns) : NULL;

    X509_set_version(x, 2);
    ASN1_TIME_set_string(X509_getm_notBefore(x), "20200101000000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(x), "20991231000000Z");
    X509_set_pubkey(x, caller_signer);
    if (san != NULL) {
        X509_add_ext(x, san, -1);
        X509_EXTENSION_free(san);
    }
    X509_sign(x, caller_signer, EVP_sha256());
    return x;
}

/* The issuer's key as JSON, and the SHA-256 of an authority's certificate in hexadecimal. */
static inline gh_str_t
caller_key(gh_arena_t *arena)
{
    uint8_t point[65];
    size_t  len;
    char    x[64] = "", y[64] = "";

    EVP_PKEY_get_octet_string_param(caller_signer, "pub", point, sizeof(point), &len);
    x[gh_base64url(point + 1, 32, x)] = '\0';
    y[gh_base64url(point + 33, 32, y)] = '\0';
    return gh_str_format(arena, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
}

static inline gh_str_t
caller_sha256(gh_arena_t *arena, X509 *x)
{
    uint8_t  digest[32];
    unsigned len = sizeof(digest);
    char     hex[65];

    X509_digest(x, EVP_sha256(), digest, &len);
    for (int i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    return gh_str_format(arena, "%s", hex);
}

/* Applies the small world with an identity/1 document. */
static inline int
caller_apply(gh_store_t *store, gh_arena_t *arena, const char *tenants, gh_str_t identity)
{
    gh_document_source_t sources[4] = { { GH_STR("fleet.json"), gh_str_from(store_fleet) }, { GH_STR("residency.json"), gh_str_from(store_residency) },
                                        { GH_STR("tenants.json"), gh_str_from(tenants) }, { GH_STR("identity.json"), identity } };
    gh_apply_t           apply = { .sources = sources, .source_count = 4, .author = GH_STR("tests"), .reason = GH_STR("tests"), .now_ms = WORLD_NOW };
    gh_report_t          report;
    uint64_t             revision;
    int                  rc;

    gh_report_init(&report, arena);
    rc = gh_apply(store, arena, &apply, &revision, &report);
    for (size_t i = 0; rc != GH_OK && i < report.count; i++) {
        fprintf(stderr, "%s: %s\n", report.items[i].error.source, report.items[i].error.text);
    }
    return rc;
}

#endif
