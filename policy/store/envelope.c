#include "policy/store/envelope.h"

#include <string.h>

const char *const gh_db_names[GH_DBS] = { "head", "image", "revision", "document", "key", "name", "change", "app" };
const uint16_t gh_db_versions[GH_DBS] = { 2, 1, 2, 1, 2, 1, 1, 1 };

/* Read too: the oldest. */
static const uint16_t oldest[GH_DBS] = { 2, 1, 2, 1, 1, 1, 1, 1 };

static int
envelope_mac(gh_hmac_t *hmac, gh_db_t db, gh_bytes_t key, const uint8_t *value, size_t len, uint8_t mac[32])
{
    static const uint8_t zeros[16];
    uint8_t    key_len[2] = { (uint8_t) key.len, (uint8_t) (key.len >> 8) };
    gh_bytes_t parts[6] = {
        { gh_db_names[db], strlen(gh_db_names[db]) + 1 },   /* its NUL is the 0 */
        { key_len, sizeof(key_len) },
        key,
        { value, 16 },
        { zeros, sizeof(zeros) },
        { value + GH_ENVELOPE_SIZE, len - GH_ENVELOPE_SIZE },
    };

    return gh_hmac(hmac, parts, 6, mac);
}

int
gh_envelope_seal(gh_hmac_t *hmac, gh_db_t db, gh_bytes_t key, uint8_t *value, size_t len)
{
    gh_envelope_t envelope;
    uint8_t       mac[32];

    if (len < GH_ENVELOPE_SIZE || len > UINT32_MAX || key.len > UINT16_MAX) {
        return GH_ERROR;
    }
    memset(&envelope, 0, sizeof(envelope));
    envelope.magic = GH_ENVELOPE_MAGIC;
    envelope.version = gh_db_versions[db];
    envelope.length = (uint32_t) len;
    memcpy(value, &envelope, sizeof(envelope));
    if (envelope_mac(hmac, db, key, value, len, mac) != GH_OK) {
        return GH_ERROR;
    }
    memcpy(value + 16, mac, 16);
    return GH_OK;
}

int
gh_envelope_check(gh_hmac_t *hmac, gh_db_t db, gh_bytes_t key, const uint8_t *value, size_t len, gh_error_t *error)
{
    gh_envelope_t envelope;
    uint8_t       mac[32];

    if (len < GH_ENVELOPE_SIZE || len > UINT32_MAX || key.len > UINT16_MAX) {
        return gh_error_set(error, "store_damaged", "a record of \"%s\" has %zu bytes, fewer than its envelope",
            gh_db_names[db], len);
    }
    memcpy(&envelope, value, sizeof(envelope));
    if (envelope.magic != GH_ENVELOPE_MAGIC) {
        return gh_error_set(error, "store_damaged", "a record of \"%s\" does not begin as one", gh_db_names[db]);
    }
    if (envelope.version > gh_db_versions[db] || envelope.version < oldest[db]) {
        return gh_error_set(error, "store_version", "a record of \"%s\" has version %u, this program reads version %u",
            gh_db_names[db], envelope.version, gh_db_versions[db]);
    }
    if (envelope.length != len || envelope.flags != 0 || envelope.reserved != 0) {
        return gh_error_set(error, "store_damaged", "a record of \"%s\" says %u bytes and has %zu", gh_db_names[db],
            envelope.length, len);
    }
    if (envelope_mac(hmac, db, key, value, len, mac) != GH_OK) {
        return gh_error_set(error, "store_damaged", "a record of \"%s\" could not be checked: HMAC failed", gh_db_names[db]);
    }
    if (gh_memcmp_constant(mac, envelope.mac, 16) != 0) {
        return gh_error_set(error, "store_damaged",
            "a record of \"%s\" does not match its MAC: changed on disk, or written with another store.key", gh_db_names[db]);
    }
    return GH_OK;
}
