/*
 * Who presents a token: judged by the issuers of the image in the snapshot, once while the store stands still. A token that was accepted is known by the digest of all of
 * it until it expires or anything is edited.
 */
#include "policy/audit/mode.h"
#include "policy/store/store_internal.h"

#include <string.h>

bool
gh_store_look_at_keys(gh_store_t *store, uint64_t now_ms, gh_error_t *error)
{
    memset(error, 0, sizeof(*error));
    if (store->key_sets == NULL) {
        store->key_sets = gh_key_sets_new();
        if (store->key_sets == NULL) {
            gh_error_set(error, "out_of_memory", "no memory for issuers' keys");
            return false;
        }
        if (store->issuers != NULL) {
            store->issuers->sets = store->key_sets;
        }
    }
    if (!gh_key_sets_look(store->key_sets, store->keys_path, now_ms, error)) {
        return false;
    }
    store->loads++;                      /* who was known by the old keys is asked again */
    return true;
}

uint64_t
gh_store_keys_wanted(gh_store_t *store)
{
    uint64_t bits = store->keys_wanted;

    store->keys_wanted = 0;
    return bits;
}

int
gh_store_load_issuers(gh_store_t *store, gh_error_t *error)
{
    const gh_image_t *image = store->image;
    gh_issuers_t     *issuers;

    if (store->issuers != NULL && store->issuers_serial == image->serial) {
        return GH_OK;
    }
    gh_issuers_free(store->issuers);
    store->issuers = NULL;
    issuers = gh_issuers_new();
    if (issuers == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for issuers");
    }
    for (uint32_t i = 0; i < image->count[GH_SECTION_IDENTITY]; i++) {
        if (gh_issuers_add(issuers, gh_image_str(image, image->identities[i]), error) != GH_OK) {
            gh_issuers_free(issuers);
            return GH_ERROR;
        }
    }
    if (store->key_sets == NULL) {
        gh_error_t wrong;

        (void) gh_store_look_at_keys(store, store->clock_ms, &wrong);   /* what is wrong is said by whoever looks again and again */
    }
    issuers->sets = store->key_sets;
    issuers->wanted = &store->keys_wanted;
    store->issuers = issuers;
    store->issuers_serial = image->serial;
    return GH_OK;
}

/* "org/tenant/app": three names, as the documents' check had it. */
static int
take_path(gh_identity_t *identity, gh_str_t app, gh_arena_t *arena, gh_error_t *error)
{
    gh_str_t *parts[] = { &identity->org, &identity->tenant, &identity->app }, rest;

    identity->path = rest = gh_str_copy(arena, app);
    if (rest.data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for an identity");
    }
    for (int i = 0; i < 3; i++) {
        const char *slash = i < 2 ? memchr(rest.data, '/', rest.len) : NULL;

        if (i < 2 && slash == NULL) {
            return gh_error_set(error, "store_damaged", "claims name an app that is none");
        }
        *parts[i] = (gh_str_t) { rest.data, slash != NULL ? (size_t) (slash - rest.data) : rest.len };
        rest = (gh_str_t) { rest.data + parts[i]->len + 1, rest.len - parts[i]->len - (slash != NULL) };
    }
    return GH_OK;
}

int
gh_store_caller_identity(gh_store_t *store, const gh_caller_t *caller, gh_arena_t *arena, gh_identity_t *identity, bool *listed, gh_error_t *error)
{
    if (take_path(identity, caller->app, arena, error) != GH_OK) {
        return gh_store_blame(store, error);
    }
    identity->key = gh_str_format(arena, "@%.*s", GH_STR_ARG(caller->id));
    if (identity->key.data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for an identity");
    }
    identity->own_classes = caller->classes;
    identity->own_places = caller->places;
    identity->own_models = caller->models;
    identity->user = caller->user;
    identity->not_before_ms = caller->not_before_ms;
    identity->not_after_ms = caller->not_after_ms;
    identity->key_uid = identity->user_uid = gh_rules_user_uid(caller->number, identity->path, identity->user);
    if (gh_store_app_identity(store, identity, listed, error) != GH_OK || gh_store_path_uids(store, identity, error) != GH_OK) {
        return gh_store_blame(store, error);
    }
    if (gh_store_own_limits(identity, caller->limits.items, caller->limits.count, error) != GH_OK) {
        return GH_ERROR;
    }
    if (caller->audit_required) {
        identity->audit = GH_AUDIT_REQUIRED;
    }
    *listed = *listed && identity->app_uid != 0;
    if (*listed) {
        gh_identities_keep(store->identities, store->loads, identity);
    }
    return GH_OK;
}

void
gh_store_from(gh_store_t *store, gh_bytes_t address)
{
    store->from = address;
}

uint64_t
gh_store_attempts_wait_ms(const gh_store_t *store)
{
    return store->attempts_wait_ms;
}

/* What stands for signatures of an access key that come from here: those of elsewhere do not make it one that was refused. */
static bool
signature_digest(const gh_store_t *store, gh_str_t access_key_id, uint8_t digest[32])
{
    return store->attempts != NULL && store->from.len > 0
        && gh_hmac(store->api_key, (gh_bytes_t[]) { { "signature", sizeof("signature") }, { access_key_id.data, access_key_id.len }, store->from }, 3, digest) == GH_OK;
}

int
gh_store_signature_may(gh_store_t *store, gh_str_t access_key_id, gh_error_t *error)
{
    uint8_t digest[32];

    if (signature_digest(store, access_key_id, digest)
        && !gh_attempts_may(store->attempts, store->from, digest, store->clock_ms, &store->attempts_wait_ms))
    {
        return gh_error_set(error, "signature_attempts", "Too many signatures that came from this address were not right");
    }
    return GH_OK;
}

void
gh_store_signature_was(gh_store_t *store, gh_str_t access_key_id, gh_signature_was_t was, uint64_t bytes)
{
    uint8_t digest[32];

    if (!signature_digest(store, access_key_id, digest)) {
        return;
    }
    if (was == GH_SIGNATURE_RIGHT) {
        gh_attempts_accepted(store->attempts, digest);
    } else {
        gh_attempts_refused(store->attempts, store->from, was == GH_SIGNATURE_WRONG ? digest : NULL, bytes, store->clock_ms);
    }
}

/* Whose it is by the image, verified says whether its signature was looked at. */
static int
judge(gh_store_t *store, gh_str_t text, uint64_t at_ms, gh_arena_t *arena, gh_identity_t *identity, bool *verified, gh_error_t *error)
{
    gh_caller_t token;
    bool        listed;
    int         rc = gh_issuers_judge(store->issuers, arena, text, at_ms, &token, error);

    *verified = token.verified;
    if (rc != GH_OK || gh_store_caller_identity(store, &token, arena, identity, &listed, error) != GH_OK) {
        return GH_ERROR;
    }
    return listed ? GH_OK : gh_error_set(error, "token_unmapped", "the token's claims name an app that tenants/1 does not list any more");
}

/* What its signature cost is told to whom it came from. */
static int
judge_counted(gh_store_t *store, gh_str_t text, uint64_t at_ms, gh_arena_t *arena, gh_identity_t *identity, gh_error_t *error)
{
    const uint8_t *digest = identity->key_hash;
    bool           counted = store->attempts != NULL && store->from.len > 0, verified;
    int            rc;

    if (gh_store_load_issuers(store, error) != GH_OK) {
        return gh_store_blame(store, error);
    }
    if (counted && !gh_attempts_may(store->attempts, store->from, digest, store->clock_ms, &store->attempts_wait_ms)) {
        return gh_error_set(error, "token_attempts", "too many tokens that came from this address were refused");
    }
    rc = judge(store, text, at_ms, arena, identity, &verified, error);
    if (rc == GH_OK && store->attempts != NULL) {
        gh_attempts_accepted(store->attempts, digest);
    } else if (counted && verified) {
        gh_attempts_refused(store->attempts, store->from, digest, 0, store->clock_ms);
    }
    return rc;
}

int
gh_store_token_identity(gh_store_t *store, gh_str_t token, uint64_t at_ms, gh_arena_t *arena, gh_identity_t *identity, gh_error_t *error)
{
    uint8_t digest[32];

    if (store->image->count[GH_SECTION_IDENTITY] == 0) {
        return gh_error_set(error, "key_malformed", "a token is no API key, and no identity/1 document says who issues tokens");
    }
    if (token.len > GH_JWT_MAX) {
        return gh_error_set(error, "token_malformed", "the token is malformed: it has more than %u bytes", GH_JWT_MAX);
    }
    at_ms = at_ms != 0 ? at_ms : store->clock_ms;
    gh_sha256(token.data, token.len, digest);
    /* What is not valid any more is judged again: newer keys of its issuer may have come, and an expired token is told so. */
    if (gh_identities_find(store->identities, store->loads, digest, arena, identity) && at_ms < identity->not_after_ms) {
        if (at_ms < identity->not_before_ms) {
            return gh_error_set(error, "token_not_yet", "the token is not valid yet");
        }
    } else {
        memset(identity, 0, sizeof(*identity));
        memcpy(identity->key_hash, digest, sizeof(digest));
        if (judge_counted(store, token, at_ms, arena, identity, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    identity->not_before_ms = identity->not_after_ms = 0;
    identity->token = token;
    identity->judged_ms = at_ms;
    return GH_OK;
}
