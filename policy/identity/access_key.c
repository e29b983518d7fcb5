#include "policy/identity/access_key.h"

#include <openssl/crypto.h>
#include <string.h>

#include "policy/base/base64.h"
#include "policy/base/error.h"

#define PREFIX "GHAK"

void
gh_access_key_id(const uint8_t random[32], char id[GH_ACCESS_KEY_ID])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    memcpy(id, PREFIX, sizeof(PREFIX) - 1);
    for (size_t i = sizeof(PREFIX) - 1; i < GH_ACCESS_KEY_ID; i++) {
        id[i] = alphabet[random[i] & 31];
    }
}

bool
gh_access_key_well_formed(gh_str_t id)
{
    if (id.len != GH_ACCESS_KEY_ID || memcmp(id.data, PREFIX, sizeof(PREFIX) - 1) != 0) {
        return false;
    }
    for (size_t i = sizeof(PREFIX) - 1; i < id.len; i++) {
        if (!((id.data[i] >= 'A' && id.data[i] <= 'Z') || (id.data[i] >= '2' && id.data[i] <= '7'))) {
            return false;
        }
    }
    return true;
}

int
gh_access_key_hash(const gh_hmac_t *hmac, gh_str_t id, uint8_t hash[32])
{
    gh_bytes_t parts[] = { { "aws", sizeof("aws") }, { id.data, id.len } };

    return gh_hmac(hmac, parts, 2, hash);
}

int
gh_access_key_secret(const gh_hmac_t *hmac, gh_str_t id, char secret[GH_ACCESS_KEY_SECRET])
{
    gh_bytes_t part = { id.data, id.len };
    uint8_t    bytes[32];
    int        rc = gh_hmac(hmac, &part, 1, bytes);

    if (rc == GH_OK) {
        gh_base64url(bytes, sizeof(bytes), secret);
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return rc;
}
