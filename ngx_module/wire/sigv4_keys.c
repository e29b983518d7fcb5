/* Signing keys: HMAC(HMAC(HMAC(HMAC("AWS4" secret, day), region), service), "aws4_request"), kept as keyed states. */
#include "ngx_module/wire/sigv4.h"

#include <openssl/crypto.h>
#include <string.h>

#define SECRET_MAX 256

static void
entry_wipe(gh_sigv4_key_t *entry)
{
    gh_hmac_free(entry->hmac);   /* OpenSSL wipes a digest's state with it */
    OPENSSL_cleanse(entry, sizeof(*entry));
}

void
gh_sigv4_keys_init(gh_sigv4_keys_t *keys)
{
    memset(keys, 0, sizeof(*keys));
}

void
gh_sigv4_keys_clear(gh_sigv4_keys_t *keys)
{
    size_t i;

    for (i = 0; i < GH_SIGV4_KEYS; i++) {
        entry_wipe(&keys->entries[i]);
    }
}

void
gh_sigv4_keys_forget(gh_sigv4_keys_t *keys, gh_str_t secret_access_key)
{
    uint8_t secret[32];
    size_t  i;

    gh_sha256(secret_access_key.data, secret_access_key.len, secret);
    for (i = 0; i < GH_SIGV4_KEYS; i++) {
        if (keys->entries[i].used != 0 && gh_memcmp_constant(keys->entries[i].secret, secret, sizeof(secret)) == 0) {
            entry_wipe(&keys->entries[i]);
        }
    }
    OPENSSL_cleanse(secret, sizeof(secret));
}

/* One step: the HMAC of text under a key. */
static int
step(const uint8_t *key, size_t key_len, const void *text, size_t len, uint8_t out[32])
{
    gh_hmac_t *hmac = gh_hmac_new(key, key_len);
    gh_bytes_t part = { text, len };
    int        rc;

    if (hmac == NULL) {
        return GH_ERROR;
    }

    rc = gh_hmac(hmac, &part, 1, out);
    gh_hmac_free(hmac);
    return rc;
}

/* NULL: no memory, or a secret that is none. */
static gh_hmac_t *
derive(gh_str_t secret, const char day[8], gh_str_t region, gh_str_t service)
{
    uint8_t    first[4 + SECRET_MAX], key[32];
    gh_hmac_t *hmac = NULL;

    if (secret.len == 0 || secret.len > SECRET_MAX) {
        return NULL;
    }

    memcpy(first, "AWS4", 4);
    memcpy(first + 4, secret.data, secret.len);

    if (step(first, 4 + secret.len, day, 8, key) == GH_OK
        && step(key, sizeof(key), region.data, region.len, key) == GH_OK
        && step(key, sizeof(key), service.data, service.len, key) == GH_OK
        && step(key, sizeof(key), "aws4_request", 12, key) == GH_OK)
    {
        hmac = gh_hmac_new(key, sizeof(key));
    }

    OPENSSL_cleanse(first, sizeof(first));
    OPENSSL_cleanse(key, sizeof(key));
    return hmac;
}

gh_hmac_t *
gh_sigv4_key(gh_sigv4_keys_t *keys, gh_str_t secret_access_key, const char day[8], gh_str_t region, gh_str_t service)
{
    gh_bytes_t      scope_parts[3] = { { region.data, region.len }, { "/", 1 }, { service.data, service.len } };
    uint8_t         secret[32], scope[32];
    gh_sigv4_key_t *entry = &keys->entries[0];
    size_t          i;

    gh_sha256(secret_access_key.data, secret_access_key.len, secret);
    gh_sha256_parts(scope_parts, 3, scope);

    for (i = 0; i < GH_SIGV4_KEYS; i++) {
        gh_sigv4_key_t *one = &keys->entries[i];

        if (one->used != 0 && memcmp(one->scope, scope, sizeof(scope)) == 0 && gh_memcmp_constant(one->secret, secret, sizeof(secret)) == 0) {
            entry = one;
            break;
        }
        if (one->used < entry->used) {
            entry = one;
        }
    }

    /* Of another day, too, it gives way: the last one is of no more use. */
    if (i == GH_SIGV4_KEYS || memcmp(entry->day, day, sizeof(entry->day)) != 0) {
        entry_wipe(entry);
        entry->hmac = derive(secret_access_key, day, region, service);
        if (entry->hmac != NULL) {
            memcpy(entry->secret, secret, sizeof(secret));
            memcpy(entry->scope, scope, sizeof(scope));
            memcpy(entry->day, day, sizeof(entry->day));
            keys->derived++;
        }
    }

    OPENSSL_cleanse(secret, sizeof(secret));
    if (entry->hmac != NULL) {
        entry->used = ++keys->uses;
    }
    return entry->hmac;
}
