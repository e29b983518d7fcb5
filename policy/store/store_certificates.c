/*
 * Who presents a client certificate: judged by the authorities of the image in the snapshot, and known by the digest of it and of its chain while the store stands still.
 */
#include "policy/store/store_internal.h"

#include <string.h>

static int
judge(gh_store_t *store, const gh_certificate_t *certificate, uint64_t at_ms, gh_arena_t *arena, gh_identity_t *identity, gh_error_t *error)
{
    gh_caller_t caller;
    bool        listed;

    if (gh_authorities_judge(store->issuers->authorities, store->issuers->authority_count, arena, certificate, at_ms, &caller, error) != GH_OK
        || gh_store_caller_identity(store, &caller, arena, identity, &listed, error) != GH_OK)
    {
        return GH_ERROR;
    }
    return listed ? GH_OK : gh_error_set(error, "certificate_unmapped", "the client certificate is of an app that tenants/1 does not list any more");
}

int
gh_store_certificate_identity(gh_store_t *store, const gh_certificate_t *certificate, uint64_t at_ms, gh_arena_t *arena, gh_identity_t *identity, bool *known,
    gh_error_t *error)
{
    *known = false;
    at_ms = at_ms != 0 ? at_ms : store->clock_ms;
    if (gh_identities_find(store->identities, store->loads, certificate->digest, arena, identity)) {
        *known = true;
        if (gh_certificate_in_time(certificate, at_ms, error) != GH_OK) {
            return GH_ERROR;
        }
    } else if (store->image->count[GH_SECTION_IDENTITY] == 0) {
        return GH_OK;
    } else {
        if (gh_store_load_issuers(store, error) != GH_OK) {
            return gh_store_blame(store, error);
        }
        *known = gh_authorities_know(store->issuers->authorities, store->issuers->authority_count, certificate);
        if (!*known) {
            return GH_OK;
        }
        memset(identity, 0, sizeof(*identity));
        memcpy(identity->key_hash, certificate->digest, sizeof(identity->key_hash));
        if (judge(store, certificate, at_ms, arena, identity, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    identity->not_before_ms = identity->not_after_ms = 0;
    return GH_OK;
}
