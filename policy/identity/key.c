#include "policy/identity/key.h"

#include <stddef.h>
#include <string.h>

#include "policy/base/base64.h"
#include "policy/identity/jwt.h"

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

gh_key_form_t
gh_key_form(gh_str_t text)
{
    if (gh_str_starts(text, GH_STR(KEY_PREFIX))) {
        return gh_key_well_formed(text) ? GH_KEY_OWN : GH_KEY_NONE;
    }
    if (text.len < GH_KEY_FOREIGN_MIN || text.len > GH_KEY_FOREIGN_MAX
        || gh_jwt_looks(text))
    {
        return GH_KEY_NONE;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~') {
            return GH_KEY_NONE;
        }
    }
    return GH_KEY_FOREIGN;
}

gh_key_form_t
gh_key_shape(gh_str_t text)
{
    unsigned wrong = 0;

    if (gh_str_starts(text, GH_STR(KEY_PREFIX))) {
        return text.len == GH_KEY_TEXT ? GH_KEY_OWN : GH_KEY_NONE;
    }
    if (text.len < GH_KEY_FOREIGN_MIN || text.len > GH_KEY_FOREIGN_MAX || gh_jwt_looks(text)) {
        return GH_KEY_NONE;
    }
    for (size_t i = 0; i < text.len; i++) {
        wrong |= (unsigned) (text.data[i] <= ' ') | (unsigned) (text.data[i] > '~');
    }
    return wrong ? GH_KEY_NONE : GH_KEY_FOREIGN;
}

bool
gh_key_owner_ok(gh_str_t owner)
{
    for (size_t i = 0; i < owner.len; i++) {
        if ((unsigned char) owner.data[i] < ' ' || owner.data[i] == 0x7f) {
            return false;
        }
    }
    return owner.len <= GH_KEY_OWNER_MAX && gh_utf8_valid(owner);
}

int
gh_key_foreign_hash(gh_hmac_t *hmac, const uint8_t sha256[32], uint8_t hash[32])
{
    gh_bytes_t parts[] = { { "sha256", sizeof("sha256") }, { sha256, 32 } };

    return gh_hmac(hmac, parts, 2, hash);
}

int
gh_key_presented_hash(gh_hmac_t *hmac, gh_key_form_t form, gh_str_t text, uint8_t hash[32])
{
    uint8_t digest[32];

    switch (form) {
    case GH_KEY_OWN:
        return gh_key_hash(hmac, text, hash);
    case GH_KEY_FOREIGN:
        gh_sha256(text.data, text.len, digest);
        return gh_key_foreign_hash(hmac, digest, hash);
    default:
        return GH_ERROR;
    }
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
gh_key_record_fixed(const gh_key_record_t *record)
{
    return offsetof(gh_key_record_t, limit) + record->limit_count * sizeof(record->limit[0]);
}

bool
gh_key_record_numbers(const void *bytes, size_t len, gh_key_record_t *record)
{
    size_t fixed;

    if (len < offsetof(gh_key_record_t, limit)) {
        return false;
    }
    memcpy(record, bytes, offsetof(gh_key_record_t, limit));
    fixed = gh_key_record_fixed(record);
    if (record->limit_count > GH_KEY_LIMITS || fixed > len) {
        return false;
    }
    memcpy(record, bytes, fixed);
    memset((uint8_t *) record + fixed, 0, sizeof(*record) - fixed);
    return true;
}

void
gh_key_record_renumber(const gh_key_record_t *record, uint8_t *bytes)
{
    memcpy(bytes, record, gh_key_record_fixed(record));
}

size_t
gh_key_record_write(const gh_key_record_t *record, const gh_key_words_t *words, uint8_t *buffer)
{
    gh_key_record_t out = *record;
    size_t          len = gh_key_record_fixed(record);

    memset(out.envelope, 0, sizeof(out.envelope));
    if (!record_string(buffer, &len, words->org, &out.org) || !record_string(buffer, &len, words->tenant, &out.tenant)
        || !record_string(buffer, &len, words->app, &out.app) || !record_string(buffer, &len, words->name, &out.name)
        || !record_string(buffer, &len, words->classes, &out.own_classes) || !record_string(buffer, &len, words->places, &out.own_places)
        || !record_string(buffer, &len, words->models, &out.own_models))
    {
        return 0;
    }
    out.form = words->places.len > 0 || words->models.len > 0 || out.limit_count > 0 ? GH_KEY_NARROWED : GH_KEY_PLAIN;
    out.form = out.audit_required ? GH_KEY_RECORDED : out.form;
    gh_key_record_renumber(&out, buffer);
    return len;
}

/* The strings of a record, borrowed from it. */
static bool
record_ref(const uint8_t *bytes, size_t len, size_t fixed, gh_key_ref_t ref, gh_str_t *out)
{
    if (ref.offset < fixed || ref.offset > len || ref.length > len - ref.offset) {
        return false;
    }
    *out = (gh_str_t) { (const char *) bytes + ref.offset, ref.length };
    return true;
}

/* "org/tenant/app"; data NULL: no memory. */
static gh_str_t
record_path(gh_arena_t *arena, gh_str_t org, gh_str_t tenant, gh_str_t app)
{
    gh_str_t path = { gh_arena_alloc(arena, org.len + tenant.len + app.len + 2), org.len + tenant.len + app.len + 2 };
    char    *at = (char *) path.data;

    if (at != NULL) {
        memcpy(at, org.data, org.len);
        at[org.len] = '/';
        memcpy(at + org.len + 1, tenant.data, tenant.len);
        at[org.len + 1 + tenant.len] = '/';
        memcpy(at + org.len + 2 + tenant.len, app.data, app.len);
    }
    return path;
}

/* What narrows it; nothing in a record of the plain form, whatever else stands there. */
static bool
record_narrowing(const uint8_t *bytes, size_t len, size_t fixed, const gh_key_record_t *record, gh_str_t *places, gh_str_t *models)
{
    *places = *models = GH_STR("");
    if (record->form == GH_KEY_PLAIN) {
        return record->limit_count == 0 && record->audit_required == 0;
    }
    if ((record->form != GH_KEY_NARROWED && record->form != GH_KEY_RECORDED) || record->audit_required != (record->form == GH_KEY_RECORDED) || record->limit_count > GH_KEY_LIMITS || !record_ref(bytes, len, fixed, record->own_places, places)
        || !record_ref(bytes, len, fixed, record->own_models, models))
    {
        return false;
    }
    for (unsigned i = 0; i < record->limit_count; i++) {
        if (!gh_limit_valid(&record->limit[i]) || record->limit[i].level != GH_LEVEL_KEY) {
            return false;
        }
    }
    return true;
}

int
gh_key_record_read(const uint8_t *bytes, size_t len, gh_arena_t *arena, gh_key_record_t *record,
    gh_identity_t *identity, gh_error_t *error)
{
    gh_str_t org, tenant, app, name, classes, places, models;
    size_t   fixed;

    if (len > GH_KEY_RECORD_MAX || !gh_key_record_numbers(bytes, len, record)) {
        return gh_error_set(error, "store_damaged", "a key's record has %zu bytes", len);
    }
    fixed = gh_key_record_fixed(record);
    if (!record_ref(bytes, len, fixed, record->org, &org) || !record_ref(bytes, len, fixed, record->tenant, &tenant)
        || !record_ref(bytes, len, fixed, record->app, &app) || !record_ref(bytes, len, fixed, record->name, &name)
        || !record_ref(bytes, len, fixed, record->own_classes, &classes) || !gh_key_name_ok(org) || !gh_key_name_ok(tenant)
        || !gh_key_name_ok(app) || !gh_key_name_ok(name) || !record_narrowing(bytes, len, fixed, record, &places, &models) || record->state < GH_KEY_LIVE
        || record->state > GH_KEY_REVOKED)
    {
        return gh_error_set(error, "store_damaged", "a key's record is not valid");
    }
    memset(identity, 0, sizeof(*identity));
    identity->path = record_path(arena, org, tenant, app);
    identity->key = gh_str_copy(arena, name);
    identity->own_classes = gh_str_copy(arena, classes);
    identity->own_places = gh_str_copy(arena, places);
    identity->own_models = gh_str_copy(arena, models);
    if (identity->path.data == NULL || identity->key.data == NULL || identity->own_classes.data == NULL || identity->own_places.data == NULL
        || identity->own_models.data == NULL)
    {
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
    identity->own_required = record->audit_required != 0;
    identity->not_before_ms = record->not_before_ms;
    identity->not_after_ms = record->not_after_ms;
    return GH_OK;
}

int
gh_key_record_usable(const gh_key_record_t *record, uint64_t now_ms, gh_error_t *error)
{
    if (record->state == GH_KEY_REVOKED) {
        return gh_error_set(error, "key_revoked", "the API key was revoked");
    }
    return gh_key_in_time(record->not_before_ms, record->not_after_ms, now_ms, error);
}

int
gh_key_in_time(uint64_t not_before_ms, uint64_t not_after_ms, uint64_t now_ms, gh_error_t *error)
{
    if (not_after_ms != 0 && now_ms >= not_after_ms) {
        return gh_error_set(error, "key_expired", "the API key has expired");
    }
    if (now_ms < not_before_ms) {
        return gh_error_set(error, "key_not_yet", "the API key is not valid yet");
    }
    return GH_OK;
}
