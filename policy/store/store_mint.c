/* A key that makes another one, of its own app or of one that it makes keys for: nothing that a key can be narrowed in is wider than its minter. */
#include "policy/store/store_internal.h"

#include "policy/audit/mode.h"
#include "policy/identity/mint.h"
#include "policy/identity/narrowing.h"
#include "policy/store/store_write.h"

/* What an app and a key of it come to. */
typedef struct {
    const gh_image_t         *image;
    const gh_image_profile_t *profile;
    gh_str_t                  path;
    gh_str_t                  classes, places, models;   /* of the key itself */
    const gh_limits_t        *limits;                    /* those of GH_LEVEL_KEY count */
} rights_t;

static const gh_image_policy_t *
policy_of(const rights_t *rights)
{
    return rights->profile->policy >= 0 ? &rights->image->policies[rights->profile->policy] : NULL;
}

static bool
listed(gh_str_t names, gh_str_t name)
{
    gh_str_t one;

    while (gh_narrowing_next(&names, ',', &one)) {
        if (gh_str_eq(one, name)) {
            return true;
        }
    }
    return false;
}

/* Of its app's classes: does it carry one of that name? */
static bool
carries(const rights_t *rights, gh_str_t name)
{
    const gh_image_policy_t *policy = policy_of(rights);
    uint32_t                 mask = rights->profile->tenant_classes | rights->profile->app_classes;

    for (uint32_t i = 0; policy != NULL && i < policy->classes.count; i++) {
        if ((mask >> i & 1) && gh_str_eq(gh_image_str(rights->image, rights->image->classes[policy->classes.first + i]), name)) {
            return true;
        }
    }
    return listed(rights->classes, name);
}

static int
check_classes(const rights_t *minter, const rights_t *made, gh_error_t *error)
{
    const gh_image_policy_t *policy = policy_of(minter);

    for (uint32_t i = 0; policy != NULL && i < policy->classes.count; i++) {
        gh_str_t name = gh_image_str(minter->image, minter->image->classes[policy->classes.first + i]);

        if (carries(minter, name) && !carries(made, name)) {
            return gh_error_set(error, "mint_wider", "every request of the minter carries the class \"%.*s\", and one of a key of %.*s would not: ask for --class %.*s", GH_STR_ARG(name),
                GH_STR_ARG(made->path), GH_STR_ARG(name));
        }
    }
    return GH_OK;
}

/* Where requests may be processed and kept. A name that means nothing any more is nowhere. */
static gh_places_t
places_of(const rights_t *rights)
{
    gh_places_t left = rights->profile->narrowed ? rights->profile->places : gh_places_anywhere();
    gh_str_t    lists = rights->places, list, name;

    while (gh_narrowing_next(&lists, GH_NARROWING_LISTS, &list)) {
        gh_places_t all = gh_places_none(), one;

        while (gh_narrowing_next(&list, GH_NARROWING_LIST, &name)) {
            if (gh_image_place(rights->image, policy_of(rights), name, &one)) {
                all = gh_places_union(all, one);
            }
        }
        left = gh_places_intersect(left, all);
    }
    return left;
}

static int
check_places(const rights_t *minter, const rights_t *made, gh_error_t *error)
{
    gh_places_t more = gh_places_minus(places_of(made), places_of(minter));

    for (int i = 0; i < GH_COUNTRIES; i++) {
        gh_places_t one = gh_places_none();

        gh_places_add(&one, i);
        if (gh_places_inside(one, more)) {
            return gh_error_set(error, "mint_wider", "a key of %.*s may be served in %.2s, where its minter may not: ask for fewer --places", GH_STR_ARG(made->path), gh_country_codes[i]);
        }
    }
    return GH_OK;
}

static bool
permits(const rights_t *rights, uint32_t model)
{
    return gh_image_profile_permits(rights->image, rights->profile, model)
        && gh_narrowing_permits(rights->models, gh_image_str(rights->image, rights->image->models[model].name));
}

static int
check_models(const rights_t *minter, const rights_t *made, gh_error_t *error)
{
    for (uint32_t i = 0; i < made->image->count[GH_SECTION_MODEL]; i++) {
        if (permits(made, i) && !permits(minter, i)) {
            return gh_error_set(error, "mint_wider", "a key of %.*s may use %.*s, which its minter may not: ask for fewer --models", GH_STR_ARG(made->path),
                GH_STR_ARG(gh_image_str(made->image, made->image->models[i].name)));
        }
    }
    return GH_OK;
}

static int
check_limits(const rights_t *minter, const rights_t *made, gh_error_t *error)
{
    for (uint32_t i = 0; i < minter->limits->count; i++) {
        const gh_limit_t *limit = &minter->limits->items[i];
        bool              held = limit->level != GH_LEVEL_KEY || limit->limit_class == GH_LIMIT_SHADOW;

        for (uint32_t k = 0; k < made->limits->count && !held; k++) {
            held = gh_limit_same_counter(limit, &made->limits->items[k]) && made->limits->items[k].amount <= limit->amount;
        }
        if (!held) {
            return gh_error_set(error, "mint_wider", "a key of %.*s would be held to no %s of %s%s%s that is at most the minter's %llu: ask for that --limit", GH_STR_ARG(made->path),
                gh_limit_class_names[limit->limit_class], gh_dimension_names[limit->dimension], limit->per != GH_PER_NONE ? " per " : "", gh_per_names[limit->per],
                (unsigned long long) limit->amount);
        }
    }
    return GH_OK;
}

static int
check_audit(const gh_identity_t *minter, const gh_identity_t *app, const gh_minted_t *minted, gh_error_t *error)
{
    if (minter->audit != GH_AUDIT_REQUIRED || app->audit == GH_AUDIT_REQUIRED || minted->audit_required) {
        return GH_OK;
    }
    return gh_error_set(error, "mint_wider", "requests of a key of %.*s are sent, too, while they cannot be recorded (\"audit\": \"%s\"), those of its minter are not: ask for --audit required",
        GH_STR_ARG(app->path), gh_audit_names[app->audit]);
}

static int
find_profile(gh_store_t *store, const gh_identity_t *identity, const gh_image_profile_t **profile, gh_error_t *error)
{
    int32_t number = gh_image_profile_find(store->image, identity->profile);

    *profile = number >= 0 ? &store->image->profiles[number] : NULL;
    return number >= 0 ? GH_OK : gh_error_set(error, "store_damaged", "the app %.*s has no profile", GH_STR_ARG(identity->path));
}

/* Of another app, which may have what the minter's has not. */
static int
check_app(gh_store_t *store, const gh_identity_t *minter, gh_str_t path, uint64_t now_ms, const gh_minted_t *minted, gh_error_t *error)
{
    gh_identity_t app = { .path = path };
    gh_limits_t   limits;
    rights_t      of_minter = { .path = minter->path, .classes = minter->own_classes, .places = minter->own_places, .models = minter->own_models, .limits = &minter->limits };
    rights_t      of_made = { .path = path, .classes = minted->classes, .places = minted->places, .models = minted->models, .limits = &limits };

    if (gh_store_identify_app(store, now_ms, &app, NULL, error) != GH_OK || find_profile(store, minter, &of_minter.profile, error) != GH_OK
        || find_profile(store, &app, &of_made.profile, error) != GH_OK)
    {
        return GH_ERROR;
    }
    if (minter->revision != app.revision) {
        return gh_error_set(error, "store_moved", "the policy was edited meanwhile: try again");
    }
    of_minter.image = of_made.image = store->image;
    if (check_audit(minter, &app, minted, error) != GH_OK) {
        return GH_ERROR;
    }
    limits = app.limits;
    for (uint32_t i = 0; i < minted->limits.count; i++) {
        if (!gh_limits_tighten(&limits, &minted->limits.items[i])) {
            return gh_error_set(error, "mint_limits", "more than %d limits would hold for the key, of all levels together", GH_LIMITS_MAX);
        }
    }
    return check_classes(&of_minter, &of_made, error) == GH_OK && check_places(&of_minter, &of_made, error) == GH_OK && check_models(&of_minter, &of_made, error) == GH_OK
        ? check_limits(&of_minter, &of_made, error) : GH_ERROR;
}

/* What the minter, a key that `own` lists, lets a key of `path` be. */
static int
minted_by(gh_store_t *store, const gh_identity_t *minter, const gh_store_key_t *listed, gh_str_t path, uint64_t now_ms, gh_arena_t *arena, gh_minted_t *minted, gh_error_t *error)
{
    gh_identity_t own = *minter;

    own.own_required = listed->audit_required;
    own.limits.count = 0;                            /* the rest its app says of every key */
    for (uint32_t i = 0; i < listed->limit_count; i++) {
        gh_limits_tighten(&own.limits, &listed->limits[i]);
    }
    if (gh_mint_within(&own, listed->mints, path, arena, minted, error) != GH_OK) {
        return GH_ERROR;
    }
    return gh_str_eq(minter->path, path) ? GH_OK : check_app(store, minter, path, now_ms, minted, error);
}

static int
one_key(gh_store_t *store, gh_str_t path, uint64_t now_ms, gh_arena_t *arena, gh_store_key_t **key, gh_error_t *error)
{
    size_t count;

    if (gh_store_key_list(store, path, now_ms, arena, key, &count, error) != GH_OK) {
        return GH_ERROR;
    }
    return count == 1 ? GH_OK : gh_error_set(error, "key_unknown", "there is no key %.*s", GH_STR_ARG(path));
}

int
gh_store_mint_edit(gh_store_t *store, gh_str_t by, gh_str_t path, uint64_t now_ms, gh_arena_t *arena, gh_minted_t *minted, gh_error_t *error)
{
    gh_identity_t   minter = { .path = by };
    gh_store_key_t *listed;

    if (one_key(store, by, now_ms, arena, &listed, error) != GH_OK) {
        return GH_ERROR;
    }
    minter.path.len -= listed->name.len + 1;
    minter.key = listed->name;
    if (gh_store_identify_app(store, now_ms, &minter, NULL, error) != GH_OK) {
        return GH_ERROR;
    }
    minter.audit = listed->audit_required ? GH_AUDIT_REQUIRED : minter.audit;
    minter.own_classes = listed->classes;
    minter.own_places = listed->places;
    minter.own_models = listed->models;
    minter.not_after_ms = listed->not_after_ms;
    gh_limits_without(&minter.limits, GH_LEVEL_USER);
    return gh_store_own_limits(&minter, listed->limits, listed->limit_count, error) == GH_OK ? minted_by(store, &minter, listed, path, now_ms, arena, minted, error) : GH_ERROR;
}

int
gh_store_minter_of(gh_store_t *store, gh_str_t presented, gh_str_t path, uint64_t now_ms, gh_arena_t *arena, gh_str_t *by, uint64_t *seen_change, gh_error_t *error)
{
    gh_identity_t   minter;
    gh_store_key_t *listed;
    gh_str_t        one = path;

    if (gh_store_identify(store, presented, now_ms, arena, &minter, NULL, error) != GH_OK) {
        return GH_ERROR;
    }
    *seen_change = store->head.last_change;
    *by = gh_str_format(arena, "%.*s/%.*s", GH_STR_ARG(minter.path), GH_STR_ARG(minter.key));
    if (by->data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for a key");
    }
    do {                                             /* a minter was there before what it made: the line ends */
        if (one_key(store, one, now_ms, arena, &listed, error) != GH_OK) {
            return GH_ERROR;
        }
        one = listed->minter;
    } while (one.len > 0 && !gh_str_eq(one, *by));
    return one.len > 0 ? GH_OK : gh_error_set(error, "mint_elsewhere", "%.*s was not made by the key %.*s, nor by one that it made", GH_STR_ARG(path), GH_STR_ARG(*by));
}

int
gh_store_mint(gh_store_t *store, gh_str_t presented, gh_str_t path, uint64_t now_ms, gh_arena_t *arena, gh_minted_t *minted, gh_str_t *by, uint64_t *seen_change,
    gh_error_t *error)
{
    gh_identity_t   minter;
    gh_store_key_t *listed;

    if (gh_store_identify(store, presented, now_ms, arena, &minter, NULL, error) != GH_OK) {
        return GH_ERROR;
    }
    *seen_change = store->head.last_change;          /* of the first snapshot: what a later one saw more is another */
    *by = gh_str_format(arena, "%.*s/%.*s", GH_STR_ARG(minter.path), GH_STR_ARG(minter.key));
    if (by->data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for a key");
    }
    return one_key(store, *by, now_ms, arena, &listed, error) == GH_OK ? minted_by(store, &minter, listed, path, now_ms, arena, minted, error) : GH_ERROR;
}
