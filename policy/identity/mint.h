/* A key that makes another one: what the new one may do lies within what its minter may. */
#ifndef GH_MINT_H
#define GH_MINT_H

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/identity/identity.h"

typedef struct {
    gh_str_t    classes;              /* comma separated, in the arena */
    gh_str_t    mints;                /* names below which it makes keys itself, with a space between */
    gh_str_t    places, models;       /* lists, as in policy/identity/narrowing.h */
    gh_limits_t limits;               /* of GH_LEVEL_KEY */
    uint64_t    not_after_ms;         /* 0: no end is asked for */
    bool        audit_required;
} gh_minted_t;

/*
 * What is asked for a new key of the app `path` ("org/tenant/app"), held against its minter, who presented a key just now: one of that app, or one that makes keys there (mints, as in
 * gh_minted_t). The minter's own classes, places, models, audit mode and limits (minter->limits: of the key itself alone) are added to
 * those that are asked for: all of them hold for the new key, of two limits that one counter counts the smaller. Its end is the new key's where none is asked for. Everything else a
 * key may do comes from its app. GH_ERROR: "mint_elsewhere" (the minter makes no keys there, or the new one would make some where it does not), "mint_longer" (than the minter's end), "mint_no_key" (a token or a certificate, which end by
 * themselves, makes none), "mint_limits" (both together have more limits than a key can have), "out_of_memory".
 */
int gh_mint_within(const gh_identity_t *minter, gh_str_t mints, gh_str_t path, gh_arena_t *arena, gh_minted_t *minted, gh_error_t *error);

/*
 * A key that was made once, held against its minter as that is now: the minter's own classes, places, models, audit mode and limits are added, its end is not behind the minter's, and names below which
 * the minter makes no keys (any more) are no longer among its own. What it has already is not added again. GH_ERROR: "mint_limits", "out_of_memory".
 */
int gh_mint_follow(const gh_identity_t *minter, gh_str_t mints, gh_arena_t *arena, gh_minted_t *minted, gh_error_t *error);

#endif
