#include "policy/identity/key.h"

#include <string.h>

_Static_assert(sizeof(gh_key_record_t) <= GH_KEY_RECORD_FIXED, "key record");

#define KEY_PREFIX "gh_"
#define KEY_SECRET 43u            /* base64url of 32 bytes */
#define KEY_CHECKED (sizeof(KEY_PREFIX) - 1 + KEY_SECRET)

static void
key_check(const char *text, char out[6])
{
    uint32_t crc = gh_crc32(text, KEY_CHECKED);
    uint8_t  bytes[4] = { (uint8_t) (crc >> 24), (uint8_t) (crc >> 16), (uint8_t) (crc >> 8), (uint8_t) crc };

    gh_base64url(bytes, sizeof(bytes), out);
}

void
gh_key_text(const uint8_t random[32], char text[GH_KEY_TEXT])
{
    memcpy(text, KEY_PREFIX, sizeof(KEY_PREFIX) - 1);
    gh_base64url(random, 32, text + sizeof(KEY_PREFIX) - 1);
    key_check(text, text + KEY_CHECKED);
}

bool
gh_key_well_formed(gh_str_t text)
{
    uint8_t secret[32];
    char    check[6];

    if (text.len != GH_KEY_TEXT || memcmp(text.data, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) != 0) {
        return false;
    }
    if (gh_base64url_decode((gh_str_t) { text.data + sizeof(KEY_PREFIX) - 1, KEY_SECRET }, secret, sizeof(secret)) != 32) {
        return false;
    }
    key_check(text.data, check);
    return memcmp(check, text.data + KEY_CHECKED, sizeof(check)) == 0;
}

bool
gh_key_name_ok(gh_str_t name)
{
    if (name.len == 0 || name.len > 63 || name.data[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return true;
}

int
gh_key_hash(gh_hmac_t *hmac, gh_str_t text, uint8_t hash[32])
{
    gh_bytes_t part = { text.data, text.len };

    return gh_hmac(hmac, &part, 1, hash);
}

static bool
record_string(uint8_t *buffer, size_t *len, gh_str_t s, gh_key_ref_t *ref)
{
    if (s.len > GH_KEY_RECORD_MAX - *len) {
        return false;
    }
    *ref = (gh_key_ref_t) { (uint16_t) *len, (uint16_t) s.len };
    if (s.len > 0) {
        memcpy(buffer + *len, s.data, s.len);
    }
    *len += s.len;
    return true;
}

size_t
gh_key_record_write(const gh_key_record_t *record, gh_str_t org, gh_str_t tenant, gh_str_t app, gh_str_t name,
    gh_str_t own_classes, uint8_t *buffer)
{
    gh_key_record_t out = *record;
    size_t          len = GH_KEY_RECORD_FIXED;

    memset(buffer, 0, GH_KEY_RECORD_FIXED);
    memset(out.envelope, 0, sizeof(out.envelope));
    if (!record_string(buffer, &len, org, &out.org) || !record_string(buffer, &len, tenant, &out.tenant)
        || !record_string(buffer, &len, app, &out.app) || !record_string(buffer, &len, name, &out.name)
        || !record_string(buffer, &len, own_classes, &out.own_classes))
    {
        return 0;
    }
    memcpy(buffer, &out, sizeof(out));
    return len;
}

/* The strings of a record, borrowed from it. */
static bool
record_ref(const uint8_t *bytes, size_t len, gh_key_ref_t ref, gh_str_t *out)
{
    if (ref.offset < GH_KEY_RECORD_FIXED || ref.offset > len || ref.length > len - ref.offset) {
        return false;
    }
    *out = (gh_str_t) { (const char *) bytes + ref.offset, ref.length };
    return true;
}

int
gh_key_record_read(const uint8_t *bytes, size_t len, gh_arena_t *arena, gh_key_record_t *record,
    gh_identity_t *identity, gh_error_t *error)
{
    gh_str_t org, tenant, app, name, classes;

    if (len < GH_KEY_RECORD_FIXED || len > GH_KEY_RECORD_MAX) {
        return gh_error_set(error, "store_damaged", "a key's record has %zu bytes", len);
    }
    memcpy(record, bytes, sizeof(*record));
    if (!record_ref(bytes, len, record->org, &org) || !record_ref(bytes, len, record->tenant, &tenant)
        || !record_ref(bytes, len, record->app, &app) || !record_ref(bytes, len, record->name, &name)
        || !record_ref(bytes, len, record->own_classes, &classes) || !gh_key_name_ok(org) || !gh_key_name_ok(tenant)
        || !gh_key_name_ok(app) || !gh_key_name_ok(name) || record->audit > 1 || record->state < GH_KEY_LIVE
        || record->state > GH_KEY_REVOKED)
    {
        return gh_error_set(error, "store_damaged", "a key's record is not valid");
    }
    memset(identity, 0, sizeof(*identity));
    identity->path = gh_str_format(arena, "%.*s/%.*s/%.*s", GH_STR_ARG(org), GH_STR_ARG(tenant), GH_STR_ARG(app));
    identity->key = gh_str_copy(arena, name);
    identity->own_classes = gh_str_copy(arena, classes);
    if (identity->path.data == NULL || identity->key.data == NULL || identity->own_classes.data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for an identity");
    }
    identity->org = (gh_str_t) { identity->path.data, org.len };
    identity->tenant = (gh_str_t) { identity->path.data + org.len + 1, tenant.len };
    identity->app = (gh_str_t) { identity->path.data + org.len + tenant.len + 2, app.len };
    identity->key_uid = record->key_uid;
    identity->tenant_uid = record->tenant_uid;
    identity->app_uid = record->app_uid;
    identity->org_uid = record->org_uid;
    identity->profile = record->profile;
    identity->not_before_ms = record->not_before_ms;
    identity->not_after_ms = record->not_after_ms;
    identity->audit = record->audit;
    return GH_OK;
}

int
gh_key_record_usable(const gh_key_record_t *record, uint64_t now_ms, gh_error_t *error)
{
    if (record->state == GH_KEY_REVOKED) {
        return gh_error_set(error, "key_revoked", "the API key was revoked");
    }
    if (record->not_after_ms != 0 && now_ms >= record->not_after_ms) {
        return gh_error_set(error, "key_expired", "the API key has expired");
    }
    if (now_ms < record->not_before_ms) {
        return gh_error_set(error, "key_not_yet", "the API key is not valid yet");
    }
    return GH_OK;
}
