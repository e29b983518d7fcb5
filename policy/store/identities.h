/* Who presented keys lately, as the present state of the store has it. state: a number of it, never 0. */
#ifndef GH_IDENTITIES_H
#define GH_IDENTITIES_H

#include "policy/base/arena.h"
#include "policy/identity/identity.h"

typedef struct gh_identities_s gh_identities_t;

/* NULL: no memory, which only costs time. */
gh_identities_t *gh_identities_new(void);
void             gh_identities_free(gh_identities_t *identities);

/*
 * The identity of the key with this hash as it was kept in this state of the store; its strings are copied into the arena. Whether the key may
 * be used now is the caller's to ask. false: it was not kept, was kept in another state, or there is no memory.
 */
bool gh_identities_find(gh_identities_t *identities, uint64_t state, const uint8_t hash[32], gh_arena_t *arena,
    gh_identity_t *identity);

/* Of a key that is not revoked, with identity->key_hash set. What was kept in its place is forgotten. One whose names are longer than 4096 bytes is not kept. */
void gh_identities_keep(gh_identities_t *identities, uint64_t state, const gh_identity_t *identity);

#endif
