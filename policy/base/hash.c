#include "policy/base/hash.h"

#include "policy/base/error.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#define GH_SHA256_BLOCK 64

struct gh_hmac_s {
    EVP_MD_CTX *inner;    /* has eaten key ^ ipad */
    EVP_MD_CTX *outer;    /* has eaten key ^ opad */
    EVP_MD_CTX *work;
};

/* Fetched once: an implicit fetch takes longer than hashing a short line. */
static EVP_MD *
sha256_md(void)
{
    static EVP_MD *md;

    if (md == NULL) {
        md = EVP_MD_fetch(NULL, "SHA256", NULL);
    }

    return md;
}

void
gh_sha256(const void *data, size_t len, uint8_t out[32])
{
    static _Thread_local EVP_MD_CTX *context;

    if (context == NULL) {
        context = EVP_MD_CTX_new();
    }

    /* Only the first call allocates. A process that cannot hash can neither check nor record anything. */
    if (context == NULL || sha256_md() == NULL || EVP_DigestInit_ex2(context, sha256_md(), NULL) != 1
        || EVP_DigestUpdate(context, data, len) != 1 || EVP_DigestFinal_ex(context, out, NULL) != 1)
    {
        abort();
    }
}

static EVP_MD_CTX *
keyed_state(const uint8_t key[GH_SHA256_BLOCK], uint8_t pad)
{
    EVP_MD_CTX *context;
    uint8_t     block[GH_SHA256_BLOCK];
    int         i, ok;

    context = EVP_MD_CTX_new();
    if (context == NULL || sha256_md() == NULL) {
        EVP_MD_CTX_free(context);
        return NULL;
    }

    for (i = 0; i < GH_SHA256_BLOCK; i++) {
        block[i] = key[i] ^ pad;
    }

    ok = EVP_DigestInit_ex2(context, sha256_md(), NULL) == 1
        && EVP_DigestUpdate(context, block, sizeof(block)) == 1;
    OPENSSL_cleanse(block, sizeof(block));

    if (!ok) {
        EVP_MD_CTX_free(context);
        return NULL;
    }

    return context;
}

gh_hmac_t *
gh_hmac_new(const uint8_t *key, size_t key_len)
{
    gh_hmac_t *hmac;
    uint8_t    padded[GH_SHA256_BLOCK] = { 0 };

    hmac = calloc(1, sizeof(*hmac));
    if (hmac == NULL) {
        return NULL;
    }

    if (key_len > GH_SHA256_BLOCK) {
        gh_sha256(key, key_len, padded);
    } else if (key_len != 0) {
        memcpy(padded, key, key_len);
    }

    hmac->inner = keyed_state(padded, 0x36);
    hmac->outer = keyed_state(padded, 0x5c);
    hmac->work = EVP_MD_CTX_new();
    OPENSSL_cleanse(padded, sizeof(padded));

    if (hmac->inner == NULL || hmac->outer == NULL || hmac->work == NULL) {
        gh_hmac_free(hmac);
        return NULL;
    }

    return hmac;
}

void
gh_hmac_free(gh_hmac_t *hmac)
{
    if (hmac == NULL) {
        return;
    }

    EVP_MD_CTX_free(hmac->inner);
    EVP_MD_CTX_free(hmac->outer);
    EVP_MD_CTX_free(hmac->work);
    free(hmac);
}

int
gh_hmac(gh_hmac_t *hmac, const gh_bytes_t *parts, size_t count, uint8_t out[32])
{
    uint8_t digest[32];
    size_t  i;

    if (EVP_MD_CTX_copy_ex(hmac->work, hmac->inner) != 1) {
        return GH_ERROR;
    }

    for (i = 0; i < count; i++) {
        if (EVP_DigestUpdate(hmac->work, parts[i].data, parts[i].len) != 1) {
            return GH_ERROR;
        }
    }

    if (EVP_DigestFinal_ex(hmac->work, digest, NULL) != 1
        || EVP_MD_CTX_copy_ex(hmac->work, hmac->outer) != 1
        || EVP_DigestUpdate(hmac->work, digest, sizeof(digest)) != 1
        || EVP_DigestFinal_ex(hmac->work, out, NULL) != 1)
    {
        return GH_ERROR;
    }

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
    size_t            i;

    for (i = 0; i < len; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 15];
    }
}

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t
gh_base64url(const uint8_t *data, size_t len, char *out)
{
    char    *start = out;
    uint32_t bits;

    for (; len >= 3; data += 3, len -= 3) {
        bits = (uint32_t) data[0] << 16 | (uint32_t) data[1] << 8 | data[2];
        *out++ = base64url[bits >> 18];
        *out++ = base64url[bits >> 12 & 63];
        *out++ = base64url[bits >> 6 & 63];
        *out++ = base64url[bits & 63];
    }

    if (len != 0) {
        bits = (uint32_t) data[0] << 16 | (len == 2 ? (uint32_t) data[1] << 8 : 0);
        *out++ = base64url[bits >> 18];
        *out++ = base64url[bits >> 12 & 63];
        if (len == 2) {
            *out++ = base64url[bits >> 6 & 63];
        }
    }

    return (size_t) (out - start);
}

static int
base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

long
gh_base64url_decode(gh_str_t text, uint8_t *out, size_t size)
{
    size_t   i, len = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    int      value;

    if (text.len % 4 == 1 || text.len / 4 * 3 + (text.len % 4 ? text.len % 4 - 1 : 0) > size) {
        return -1;
    }

    for (i = 0; i < text.len; i++) {
        value = base64url_value(text.data[i]);
        if (value < 0) {
            return -1;
        }

        bits = bits << 6 | (uint32_t) value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[len++] = (uint8_t) (bits >> held);
            bits &= (1u << held) - 1;
        }
    }

    /* Left-over bits that are not 0 would be a second spelling of the same bytes. */
    return bits == 0 ? (long) len : -1;
}

uint32_t
gh_crc32(const void *data, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c
    };
    const uint8_t *p = data;
    uint32_t       crc = 0xffffffff;

    for (; len != 0; len--) {
        crc ^= *p++;
        crc = table[crc & 15] ^ crc >> 4;
        crc = table[crc & 15] ^ crc >> 4;
    }

    return ~crc;
}
