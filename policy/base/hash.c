/*
 * SHA-256 by libcrypto's own state instead of its EVP: a state can be copied without allocating, and of a short line EVP would take more time than
 * the digest.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "policy/base/hash.h"

#include "policy/base/error.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GH_SHA256_BLOCK 64

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

struct gh_hmac_s {
    SHA256_CTX inner;     /* has eaten key ^ ipad */
    SHA256_CTX outer;     /* has eaten key ^ opad */
};

/* These calls cannot fail: they return 1, whatever they are given. */
static void
eat(SHA256_CTX *state, const gh_bytes_t *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void) SHA256_Update(state, parts[i].data, parts[i].len);
    }
}

void
gh_sha256(const void *data, size_t len, uint8_t out[32])
{
    gh_sha256_parts(&(gh_bytes_t) { data, len }, 1, out);
}

void
gh_sha256_parts(const gh_bytes_t *parts, size_t count, uint8_t out[32])
{
    SHA256_CTX state;

    (void) SHA256_Init(&state);
    eat(&state, parts, count);
    (void) SHA256_Final(out, &state);
}

static void
keyed_state(SHA256_CTX *state, const uint8_t key[GH_SHA256_BLOCK], uint8_t pad)
{
    uint8_t block[GH_SHA256_BLOCK];

    for (int i = 0; i < GH_SHA256_BLOCK; i++) {
        block[i] = key[i] ^ pad;
    }
    (void) SHA256_Init(state);
    (void) SHA256_Update(state, block, sizeof(block));
    OPENSSL_cleanse(block, sizeof(block));
}

gh_hmac_t *
gh_hmac_new(const uint8_t *key, size_t key_len)
{
    gh_hmac_t *hmac;
    uint8_t    padded[GH_SHA256_BLOCK] = { 0 };

    hmac = malloc(sizeof(*hmac));
    if (hmac == NULL) {
        return NULL;
    }

    if (key_len > GH_SHA256_BLOCK) {
        gh_sha256(key, key_len, padded);
    } else if (key_len != 0) {
        memcpy(padded, key, key_len);
    }
    keyed_state(&hmac->inner, padded, 0x36);
    keyed_state(&hmac->outer, padded, 0x5c);
    OPENSSL_cleanse(padded, sizeof(padded));

    return hmac;
}

void
gh_hmac_free(gh_hmac_t *hmac)
{
    if (hmac != NULL) {
        OPENSSL_cleanse(hmac, sizeof(*hmac));
        free(hmac);
    }
}

int
gh_hmac(const gh_hmac_t *hmac, const gh_bytes_t *parts, size_t count, uint8_t out[32])
{
    SHA256_CTX work = hmac->inner;
    uint8_t    digest[32];

    eat(&work, parts, count);
    (void) SHA256_Final(digest, &work);
    work = hmac->outer;
    (void) SHA256_Update(&work, digest, sizeof(digest));
    (void) SHA256_Final(out, &work);
    OPENSSL_cleanse(&work, sizeof(work));

    return GH_OK;
}

int
gh_hkdf(const uint8_t *secret, size_t secret_len, const char *info, uint8_t *out, size_t out_len)
{
    EVP_KDF     *kdf;
    EVP_KDF_CTX *context;
    OSSL_PARAM   params[4];
    int          ok;

    kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    EVP_KDF_free(kdf);
    if (context == NULL) {
        return GH_ERROR;
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *) "SHA256", 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *) secret, secret_len);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *) info, strlen(info));
    params[3] = OSSL_PARAM_construct_end();

    ok = EVP_KDF_derive(context, out, out_len, params) == 1;
    EVP_KDF_CTX_free(context);

    return ok ? GH_OK : GH_ERROR;
}

bool
gh_ed25519_verify(const uint8_t key[32], const uint8_t signature[64], const void *data, size_t len)
{
    EVP_PKEY   *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool        good;

    good = public != NULL && context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1
        && EVP_DigestVerify(context, signature, 64, data, len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    return good;
}

int
gh_memcmp_constant(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len);
}

void
gh_hex(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t          four;
    uint64_t          eight;

    /* four bytes at a time: each spread over two, a digit in each, which is a letter where adding 6 carries */
    for (; len >= 4; data += 4, len -= 4, out += 8) {
        memcpy(&four, data, 4);
        eight = four;
        eight = (eight | eight << 16) & UINT64_C(0x0000ffff0000ffff);
        eight = (eight | eight << 8) & UINT64_C(0x00ff00ff00ff00ff);
        eight = (eight >> 4 & UINT64_C(0x000f000f000f000f)) | (eight & UINT64_C(0x000f000f000f000f)) << 8;
        eight += EACH('0') + (((eight + EACH(6)) >> 4) & EACH(1)) * ('a' - '0' - 10);
        memcpy(out, &eight, 8);
    }
    for (; len > 0; data++, len--) {
        *out++ = digits[*data >> 4];
        *out++ = digits[*data & 15];
    }
}

uint32_t
gh_crc32(const void *data, size_t len)
{
    return gh_crc32_more(0, data, len);
}

uint32_t
gh_crc32_more(uint32_t crc, const void *data, size_t len)
{
    /* zlib takes a NULL as a question for the value to begin with. */
    return len != 0 ? (uint32_t) crc32_z(crc, data, len) : crc;
}
