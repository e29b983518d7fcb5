/*
 * Who presents a key or a token (store_tokens.c), a client certificate (store_certificates.c), or both. A key: one HMAC, two look-ups, two MACs: the key, and its app's profile in the image of the same snapshot. While the store stands
 * still the two look-ups need not be made again.
 */
#include "policy/audit/mode.h"
#include "policy/store/store_internal.h"

#include "policy/identity/narrowing.h"

#include <string.h>

static int
malformed(gh_error_t *error)
{
    return gh_error_set(error, "key_malformed", "the API key is not one of this gateway: it is mistyped or cut short");
}

/* What is narrowed for one caller alone, besides what its app says: no more than can be counted. */
int
gh_store_own_limits(gh_identity_t *identity, const gh_limit_t *limits, uint32_t count, gh_error_t *error)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!gh_limits_tighten(&identity->limits, &limits[i])) {
            return gh_error_set(error, "too_many_limits", "more than %d limits hold for this caller of %.*s, those of its key or token, its user and its certificate together",
                GH_LIMITS_MAX, GH_STR_ARG(identity->path));
        }
    }
    return GH_OK;
}

/* Of a key: its app's, but for those of users, and its own. */
static int
key_limits(const gh_key_record_t *record, gh_identity_t *identity, gh_error_t *error)
{
    gh_limits_without(&identity->limits, GH_LEVEL_USER);
    return gh_store_own_limits(identity, record->limit, record->limit_count, error);
}

static int
identify_hash(gh_store_t *store, gh_str_t text, const uint8_t hash[32], uint64_t now_ms, gh_arena_t *arena, gh_identity_t *identity,
    gh_error_t *error)
{
    gh_key_record_t  record;
    gh_known_keys_t *known;
    bool             found;

    if (gh_store_load_image(store, now_ms, error) != GH_OK) {
        return gh_store_blame(store, error);
    }
    known = gh_store_known_keys(store);
    if (known != NULL && gh_known_keys_find(known, hash, arena, identity)) {
        identity->revision = gh_image_revision(store->image);
        identity->transaction = gh_store_transaction(store);
        return gh_key_in_time(identity->not_before_ms, identity->not_after_ms, store->clock_ms, error);
    }
    if (gh_identities_find(store->identities, store->loads, hash, arena, identity)) {
        return gh_key_in_time(identity->not_before_ms, identity->not_after_ms, store->clock_ms, error);
    }
    if (gh_store_read(store, GH_DB_KEY, (gh_bytes_t) { hash, 32 }, &found, error) != GH_OK) {
        return gh_store_blame(store, error);
    }
    if (!found) {
        /* it is nobody's secret: what it looks like may be looked at */
        return text.len > 0 && gh_key_form(text) != GH_KEY_OWN ? malformed(error) : gh_error_set(error, "key_unknown", "the API key is not known");
    }
    if (gh_key_record_read(store->value.data, store->value.len, arena, &record, identity, error) != GH_OK) {
        return gh_store_blame(store, error);
    }
    memcpy(identity->key_hash, hash, 32);
    if (gh_key_record_usable(&record, store->clock_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_store_app_identity(store, identity, &found, error) != GH_OK) {
        return gh_store_blame(store, error);
    }
    if (!found) {
        return gh_error_set(error, "key_unknown", "tenants/1 does not list the key's app %.*s any more",
            GH_STR_ARG(identity->path));
    }
    if (record.audit_required) {
        identity->audit = GH_AUDIT_REQUIRED;
    }
    if (key_limits(&record, identity, error) != GH_OK) {
        return GH_ERROR;
    }
    if (known == NULL || !gh_known_keys_keep(known, identity)) {
        gh_identities_keep(store->identities, store->loads, identity);
    }
    return GH_OK;
}

/* Each level's own, of the beginnings of its path. */
int
gh_store_path_uids(gh_store_t *store, gh_identity_t *identity, gh_error_t *error)
{
    uint64_t *uids[] = { &identity->org_uid, &identity->tenant_uid, &identity->app_uid };
    unsigned  level = 0;

    for (size_t i = 1; i <= identity->path.len && level < 3; i++) {
        if (i < identity->path.len && identity->path.data[i] != '/') {
            continue;
        }
        if (gh_store_path_uid(store, (gh_str_t) { identity->path.data, i }, uids[level++], error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

/* Ends the snapshot that the identity was read in. */
static int
identified(gh_store_t *store, int rc, gh_image_t **image)
{
    gh_store_end(store);
    if (rc == GH_OK && image != NULL) {
        *image = gh_store_give(store);
    }
    return rc;
}

/* What a caller shows: one of key, token and nothing, and beside it a certificate or none. */
typedef struct {
    gh_str_t                token;
    gh_str_t                key;           /* empty: its hash is known */
    uint8_t                 hash[32];      /* of a key */
    bool                    keyless;       /* neither key nor token */
    const gh_certificate_t *certificate;
    uint64_t                at_ms;         /* when tokens and certificates have to be valid; 0: now */
} shown_t;

/* Begins the snapshot; a key that is known already comes meanwhile. */
static int
begin(gh_store_t *store, const shown_t *shown, uint64_t now_ms, gh_error_t *error)
{
    if (store->known != NULL && shown->token.len == 0 && !shown->keyless) {
        gh_known_keys_prefetch(store->known, shown->hash);
    }
    return gh_store_begin(store, now_ms, error);
}

static int
identify_key(gh_store_t *store, const shown_t *shown, uint64_t now_ms, gh_arena_t *arena, gh_identity_t *identity, gh_error_t *error)
{
    if (shown->token.len > 0) {
        return gh_store_token_identity(store, shown->token, shown->at_ms, arena, identity, error);
    }
    return identify_hash(store, shown->key, shown->hash, now_ms, arena, identity, error);
}

/* Limits of the certificate's user, beside those of a key, which is no user. Beside a token its user counts. */
static int
user_limits(const gh_identity_t *certificate, gh_identity_t *identity, gh_error_t *error)
{
    if (identity->user_uid != 0) {
        return GH_OK;
    }
    identity->user_uid = certificate->user_uid;
    for (uint32_t i = 0; i < certificate->limits.count; i++) {
        if (certificate->limits.items[i].level == GH_LEVEL_USER
            && gh_store_own_limits(identity, &certificate->limits.items[i], 1, error) != GH_OK)
        {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

/* A certificate that is somebody's has to be of the key's app, adds its classes to those of the key, and narrows what it may use. */
static int
agree(const gh_identity_t *certificate, gh_arena_t *arena, gh_identity_t *identity, gh_error_t *error)
{
    if (!gh_str_eq(certificate->path, identity->path)) {
        return gh_error_set(error, "certificate_conflict", "the client certificate is of another app than the key or token beside it");
    }
    if (certificate->own_classes.len > 0) {
        identity->own_classes = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(identity->own_classes), identity->own_classes.len ? "," : "",
            GH_STR_ARG(certificate->own_classes));
    }
    if (identity->own_classes.data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for an identity");
    }
    if (certificate->audit == GH_AUDIT_REQUIRED) {
        identity->audit = GH_AUDIT_REQUIRED;
    }
    return gh_narrowing_add_all(arena, &identity->own_places, certificate->own_places, error) == GH_OK
        && gh_narrowing_add_all(arena, &identity->own_models, certificate->own_models, error) == GH_OK ? user_limits(certificate, identity, error) : GH_ERROR;
}

static int
identify_shown(gh_store_t *store, const shown_t *shown, uint64_t now_ms, gh_arena_t *arena, gh_identity_t *identity, gh_error_t *error)
{
    gh_identity_t certificate;
    bool          known = false;

    if (shown->certificate == NULL) {
        return identify_key(store, shown, now_ms, arena, identity, error);
    }
    if (gh_store_load_image(store, now_ms, error) != GH_OK) {
        return gh_store_blame(store, error);
    }
    if (gh_store_certificate_identity(store, shown->certificate, shown->at_ms, arena, &certificate, &known, error) != GH_OK) {
        return GH_ERROR;
    }
    if (shown->keyless && !known) {
        return gh_error_set(error, "certificate_unknown", "no identity/1 document names who signed the client certificate, and there is no API key");
    }
    if (shown->keyless) {
        *identity = certificate;
    } else if (identify_key(store, shown, now_ms, arena, identity, error) != GH_OK || (known && agree(&certificate, arena, identity, error) != GH_OK)) {
        return GH_ERROR;
    }
    identity->certificate = shown->certificate;
    identity->keyless = shown->keyless;
    identity->judged_ms = shown->at_ms != 0 ? shown->at_ms : store->clock_ms;
    return GH_OK;
}

static int
identify(gh_store_t *store, const shown_t *shown, uint64_t now_ms, gh_arena_t *arena, gh_identity_t *identity, gh_image_t **image, gh_error_t *error)
{
    int rc;

    if (begin(store, shown, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = shown->token.len > 0 ? gh_store_load_image(store, now_ms, error) : GH_OK;
    rc = rc == GH_OK ? identify_shown(store, shown, now_ms, arena, identity, error) : gh_store_blame(store, error);
    return identified(store, rc, image);
}

int
gh_store_identify_client(gh_store_t *store, gh_str_t presented, const gh_certificate_t *certificate, uint64_t now_ms, gh_arena_t *arena,
    gh_identity_t *identity, gh_image_t **image, gh_error_t *error)
{
    shown_t       shown = { .certificate = certificate, .keyless = presented.len == 0 && certificate != NULL };
    gh_key_form_t shape;

    if (image != NULL) {
        *image = NULL;
    }
    if (gh_jwt_looks(presented)) {
        shown.token = presented;
    } else if (!shown.keyless) {
        shape = gh_key_shape(presented);
        if (shape == GH_KEY_NONE) {
            return malformed(error);
        }
        shown.key = presented;
        if (gh_key_presented_hash(store->api_key, shape, presented, shown.hash) != GH_OK) {
            return gh_error_set(error, "store_damaged", "the API key cannot be hashed: OpenSSL failed");
        }
    }
    return identify(store, &shown, now_ms, arena, identity, image, error);
}

int
gh_store_identify_access_key(gh_store_t *store, gh_str_t id, const gh_certificate_t *certificate, uint64_t now_ms, gh_arena_t *arena,
    gh_identity_t *identity, gh_image_t **image, gh_error_t *error)
{
    shown_t shown = { .certificate = certificate };

    if (image != NULL) {
        *image = NULL;
    }
    if (!gh_access_key_well_formed(id)) {
        return gh_error_set(error, "key_malformed", "the access key id is not one of this gateway");
    }
    if (gh_access_key_hash(store->api_key, id, shown.hash) != GH_OK) {
        return gh_error_set(error, "store_damaged", "the access key id cannot be hashed: OpenSSL failed");
    }
    return identify(store, &shown, now_ms, arena, identity, image, error);
}

int
gh_store_access_secret(const gh_store_t *store, gh_str_t id, char secret[GH_ACCESS_KEY_SECRET + 1], gh_error_t *error)
{
    secret[0] = '\0';
    if (gh_access_key_secret(store->access_key, id, secret) != GH_OK) {
        return gh_error_set(error, "store_denied", "the secret of an access key cannot be computed: OpenSSL failed");
    }
    secret[GH_ACCESS_KEY_SECRET] = '\0';
    return GH_OK;
}

int
gh_store_identify(gh_store_t *store, gh_str_t presented, uint64_t now_ms, gh_arena_t *arena,
    gh_identity_t *identity, gh_image_t **image, gh_error_t *error)
{
    return gh_store_identify_client(store, presented, NULL, now_ms, arena, identity, image, error);
}

/* What was presented before may have come to mean somebody else: that is the end of what it began. */
static int
same_caller(const gh_identity_t *now, const gh_identity_t *before, gh_error_t *error)
{
    if (gh_str_eq(now->path, before->path) && gh_str_eq(now->user, before->user)
        && (before->token.len > 0 || before->keyless || now->key_uid == before->key_uid))
    {
        return GH_OK;
    }
    return before->token.len > 0 ? gh_error_set(error, "token_unmapped", "the token's claims name another app than before")
        : before->keyless ? gh_error_set(error, "certificate_unmapped", "the client certificate's names are those of another app than before")
                          : gh_error_set(error, "store_damaged", "the record of an API key names another key than before");
}

int
gh_store_identify_again(gh_store_t *store, const gh_identity_t *before, uint64_t now_ms, gh_arena_t *arena,
    gh_identity_t *identity, gh_image_t **image, gh_error_t *error)
{
    shown_t       shown = { .token = before->token, .keyless = before->keyless, .certificate = before->certificate,
                            .at_ms = before->judged_ms };
    gh_identity_t now;
    int           rc;

    if (image != NULL) {
        *image = NULL;
    }
    memcpy(shown.hash, before->key_hash, sizeof(shown.hash));
    if (begin(store, &shown, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = shown.token.len > 0 ? gh_store_load_image(store, now_ms, error) : GH_OK;
    rc = rc == GH_OK ? identify_shown(store, &shown, now_ms, arena, &now, error) : gh_store_blame(store, error);
    rc = rc == GH_OK ? same_caller(&now, before, error) : rc;
    if (identified(store, rc, image) != GH_OK) {
        return GH_ERROR;
    }
    *identity = now;
    return GH_OK;
}

/* Ends a look by name: what is not there is said as such, not as a fault of the store. */
static int
identified_by_name(gh_store_t *store, int rc, gh_image_t **image, gh_error_t *error)
{
    if (identified(store, rc, image) == GH_OK) {
        return GH_OK;
    }
    return error->code != NULL && (strcmp(error->code, "app_unknown") == 0 || strcmp(error->code, "key_unknown") == 0) ? GH_ERROR
        : gh_store_blame(store, error);
}

int
gh_store_identify_app(gh_store_t *store, uint64_t now_ms, gh_identity_t *identity, gh_image_t **image, gh_error_t *error)
{
    bool listed = false;
    int  rc;

    if (image != NULL) {
        *image = NULL;
    }
    if (gh_store_begin(store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = gh_store_load_image(store, now_ms, error);
    if (rc == GH_OK) {
        rc = gh_store_app_identity(store, identity, &listed, error);
    }
    if (rc == GH_OK && !listed) {
        rc = gh_store_app_unknown(store, identity->path, error);
    }
    if (rc == GH_OK) {
        rc = gh_store_path_uids(store, identity, error);
    }
    return identified_by_name(store, rc, image, error);
}

int
gh_store_identify_key(gh_store_t *store, gh_str_t path, uint64_t now_ms, gh_arena_t *arena, gh_identity_t *identity,
    gh_image_t **image, gh_error_t *error)
{
    gh_key_record_t record;
    uint8_t         hash[32];
    bool            found = false;
    int             rc;

    if (image != NULL) {
        *image = NULL;
    }
    if (gh_store_begin(store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = gh_store_load_image(store, now_ms, error);
    if (rc == GH_OK) {
        rc = gh_store_path_key(store, path, hash, &found, error);
    }
    if (rc == GH_OK && found) {
        rc = gh_store_read(store, GH_DB_KEY, (gh_bytes_t) { hash, 32 }, &found, error);
    }
    if (rc == GH_OK) {
        rc = found ? gh_key_record_read(store->value.data, store->value.len, arena, &record, identity, error)
                   : gh_error_set(error, "key_unknown", "there is no key %.*s; \"gatehouse key list\" shows all", GH_STR_ARG(path));
    }
    if (rc == GH_OK) {
        memcpy(identity->key_hash, hash, sizeof(hash));
        rc = gh_store_app_identity(store, identity, &found, error);
    }
    if (rc == GH_OK && !found) {
        rc = gh_store_app_unknown(store, identity->path, error);
    }
    if (rc == GH_OK) {
        rc = key_limits(&record, identity, error);
    }
    return identified_by_name(store, rc, image, error);
}
