/* Who presents a key: one HMAC, two look-ups, two MACs: the key, and its app's profile in the image of the same snapshot. */
#include "policy/store/store_internal.h"

#include <string.h>

static int
identify_hash(gh_store_t *store, const uint8_t hash[32], uint64_t now_ms, gh_arena_t *arena, gh_identity_t *identity,
    gh_error_t *error)
{
    gh_key_record_t record;
    bool            found;

    if (gh_store_load_image(store, now_ms, error) != GH_OK
        || gh_store_read(store, GH_DB_KEY, (gh_bytes_t) { hash, 32 }, &found, error) != GH_OK)
    {
        return gh_store_blame(store, error);
    }
    if (!found) {
        return gh_error_set(error, "key_unknown", "the API key is not known");
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

int
gh_store_identify(gh_store_t *store, gh_str_t presented, uint64_t now_ms, gh_arena_t *arena,
    gh_identity_t *identity, gh_image_t **image, gh_error_t *error)
{
    uint8_t hash[32];

    if (image != NULL) {
        *image = NULL;
    }
    if (!gh_key_well_formed(presented)) {
        return gh_error_set(error, "key_malformed", "the API key is not one of this gateway: it is mistyped or cut short");
    }
    if (gh_key_hash(store->api_key, presented, hash) != GH_OK) {
        return gh_error_set(error, "store_damaged", "the API key cannot be hashed: OpenSSL failed");
    }
    if (gh_store_begin(store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    return identified(store, identify_hash(store, hash, now_ms, arena, identity, error), image);
}

int
gh_store_identify_again(gh_store_t *store, const gh_identity_t *before, uint64_t now_ms, gh_arena_t *arena,
    gh_identity_t *identity, gh_image_t **image, gh_error_t *error)
{
    gh_identity_t now;
    int           rc;

    if (image != NULL) {
        *image = NULL;
    }
    if (gh_store_begin(store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = identify_hash(store, before->key_hash, now_ms, arena, &now, error);
    if (rc == GH_OK && (now.key_uid != before->key_uid || !gh_str_eq(now.path, before->path))) {
        rc = gh_error_set(error, "store_damaged", "the record of an API key names another key than before");
    }
    if (identified(store, rc, image) != GH_OK) {
        return GH_ERROR;
    }
    *identity = now;
    return GH_OK;
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
    if (identified(store, rc, image) == GH_OK) {
        return GH_OK;
    }
    return error->code != NULL && strcmp(error->code, "app_unknown") == 0 ? GH_ERROR : gh_store_blame(store, error);
}
