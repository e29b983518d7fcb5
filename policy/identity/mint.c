#include "policy/identity/mint.h"

#include "policy/identity/key.h"
#include "policy/identity/narrowing.h"
#include "residency/judge.h"

static int
tighten(const gh_identity_t *minter, gh_limits_t *limits, gh_error_t *error)
{
    for (uint32_t i = 0; i < minter->limits.count; i++) {
        const gh_limit_t *limit = &minter->limits.items[i];

        if (limit->level == GH_LEVEL_KEY && (!gh_limits_tighten(limits, limit) || limits->count > GH_KEY_LIMITS)) {
            return gh_error_set(error, "mint_limits", "with the minter's own limits the key would have more than %u", GH_KEY_LIMITS);
        }
    }
    return GH_OK;
}

static bool
makes_keys(const gh_identity_t *minter, gh_str_t mints, gh_str_t path)
{
    gh_str_t scope;

    if (gh_str_eq(minter->path, path)) {
        return true;
    }
    while (gh_narrowing_next(&mints, GH_NARROWING_LIST, &scope)) {
        if (gh_pattern_covers(scope, path)) {
            return true;
        }
    }
    return false;
}

/* Each once, in front of those that are there. */
static int
add_classes(gh_arena_t *arena, gh_str_t more, gh_str_t *classes, gh_error_t *error)
{
    gh_str_t all = GH_STR(""), name, one;

    while (gh_narrowing_next(&more, ',', &name)) {
        gh_str_t rest = *classes;
        bool     there = false;

        while (!there && gh_narrowing_next(&rest, ',', &one)) {
            there = gh_str_eq(one, name);
        }
        all = there ? all : gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(all), all.len ? "," : "", GH_STR_ARG(name));
        if (all.data == NULL) {
            return gh_error_set(error, "out_of_memory", "no memory for a key");
        }
    }
    if (all.len > 0) {
        *classes = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(all), classes->len ? "," : "", GH_STR_ARG(*classes));
    }
    return classes->data != NULL ? GH_OK : gh_error_set(error, "out_of_memory", "no memory for a key");
}

/* What takes away from the minter takes away from what it makes. */
static int
narrow(const gh_identity_t *minter, gh_arena_t *arena, gh_minted_t *minted, gh_error_t *error)
{
    if (minter->not_after_ms != 0 && (minted->not_after_ms == 0 || minted->not_after_ms > minter->not_after_ms)) {
        minted->not_after_ms = minter->not_after_ms;
    }
    minted->audit_required = minted->audit_required || minter->own_required;
    return add_classes(arena, minter->own_classes, &minted->classes, error) == GH_OK && gh_narrowing_add_all(arena, &minted->places, minter->own_places, error) == GH_OK
        && gh_narrowing_add_all(arena, &minted->models, minter->own_models, error) == GH_OK ? tighten(minter, &minted->limits, error) : GH_ERROR;
}

int
gh_mint_follow(const gh_identity_t *minter, gh_str_t mints, gh_arena_t *arena, gh_minted_t *minted, gh_error_t *error)
{
    gh_str_t rest = minted->mints, left = GH_STR(""), scope;

    while (gh_narrowing_next(&rest, GH_NARROWING_LIST, &scope)) {
        if (makes_keys(minter, mints, scope)) {
            left = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(left), left.len ? " " : "", GH_STR_ARG(scope));
        }
        if (left.data == NULL) {
            return gh_error_set(error, "out_of_memory", "no memory for a key");
        }
    }
    minted->mints = left;
    return narrow(minter, arena, minted, error);
}

int
gh_mint_within(const gh_identity_t *minter, gh_str_t mints, gh_str_t path, gh_arena_t *arena, gh_minted_t *minted, gh_error_t *error)
{
    gh_str_t rest = minted->mints, scope;

    if (minter->token.len > 0 || minter->keyless) {
        return gh_error_set(error, "mint_no_key", "only an API key makes keys: tokens and certificates end by themselves");
    }
    if (!makes_keys(minter, mints, path)) {
        return gh_error_set(error, "mint_elsewhere", "the minter is a key of %.*s, and makes keys of that app%s%.*s alone", GH_STR_ARG(minter->path), mints.len > 0 ? " and below " : "",
            GH_STR_ARG(mints));
    }
    while (gh_narrowing_next(&rest, GH_NARROWING_LIST, &scope)) {
        if (!makes_keys(minter, mints, scope)) {
            return gh_error_set(error, "mint_elsewhere", "it would make keys for %.*s, where the minter makes none", GH_STR_ARG(scope));
        }
    }
    if (minter->not_after_ms != 0 && minted->not_after_ms > minter->not_after_ms) {
        return gh_error_set(error, "mint_longer", "the minter ends before the key that it would make");
    }
    return narrow(minter, arena, minted, error);
}
