/*
 * Who presented API keys, kept for as long as it stands: an edit of one key forgets that key alone. For plain keys, which differ in little but their names: what their app's profile and
 * limits make of them is kept once for all that have it alike. 136 bytes a key, for as many as the store has, up to GH_KNOWN_KEYS_MAX.
 */
#ifndef GH_KNOWN_KEYS_H
#define GH_KNOWN_KEYS_H

#include "policy/base/arena.h"
#include "policy/identity/identity.h"

#define GH_KNOWN_KEYS_MAX (1u << 20)

typedef struct gh_known_keys_s gh_known_keys_t;

/* keys: how many the store has. NULL: no memory, which only costs time. */
gh_known_keys_t *gh_known_keys_new(uint64_t keys);
void             gh_known_keys_free(gh_known_keys_t *known);

/* Would a new one for so many keys be larger? */
bool gh_known_keys_outgrown(const gh_known_keys_t *known, uint64_t keys);

/* Nothing that was kept stands any more. */
void gh_known_keys_forget(gh_known_keys_t *known);

/* Nothing that was kept of the key of this name, "org/tenant/app/key", stands any more, whatever its secrets. */
void gh_known_keys_changed(gh_known_keys_t *known, gh_str_t path);

/* Asks memory for what a look at the key with this hash will need: as soon as the hash is known, before the store is looked at. */
void gh_known_keys_prefetch(const gh_known_keys_t *known, const uint8_t hash[32]);

/*
 * The identity of the key with this hash, without the transaction and the revision that it is of; its strings are the arena's. Whether the key may be used now is the caller's to ask.
 * false: it is not kept, or there is no memory.
 */
bool gh_known_keys_find(gh_known_keys_t *known, const uint8_t hash[32], gh_arena_t *arena, gh_identity_t *identity);

/* Of an API key that is not revoked, with identity->key_hash set. false: it is not one of those that can be kept here. */
bool gh_known_keys_keep(gh_known_keys_t *known, const gh_identity_t *identity);

#endif
