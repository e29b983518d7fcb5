/* What a new key narrows by itself, held against the policy in force: names that mean something there, and nothing that is more than its app has. */
#include "policy/store/store_internal.h"

#include "policy/identity/narrowing.h"
#include "policy/store/store_edit.h"

#define NEAR_NAMES 512u               /* looked at for the nearest spelling */

static int
unknown(const char *code, const char *what, gh_str_t name, const gh_str_t *known, size_t count, gh_error_t *error)
{
    gh_str_t near = gh_str_nearest(name, known, count);

    return gh_error_set(error, code, "%s \"%.*s\"%s%.*s%s", what, GH_STR_ARG(name), near.len > 0 ? "; did you mean \"" : "", GH_STR_ARG(near),
        near.len > 0 ? "\"?" : "");
}

static size_t
place_names(const gh_image_t *image, gh_range_t range, gh_str_t *names, size_t count)
{
    for (uint32_t i = 0; i < range.count && count < NEAR_NAMES; i++) {
        names[count++] = gh_image_str(image, image->places[range.first + i].name);
    }
    return count;
}

/* One list; what it names that the app has not is refused: a level below can only narrow. */
static int
check_places(const gh_image_t *image, const gh_image_profile_t *profile, gh_str_t list, gh_error_t *error)
{
    const gh_image_policy_t *policy = profile->policy >= 0 ? &image->policies[profile->policy] : NULL;
    gh_places_t              all = gh_places_none(), one;
    gh_str_t                 name, known[NEAR_NAMES];
    size_t                   count;

    while (gh_narrowing_next(&list, GH_NARROWING_LIST, &name)) {
        if (!gh_image_place(image, policy, name, &one)) {
            count = place_names(image, image->header->sets, known, policy != NULL ? place_names(image, policy->places, known, 0) : 0);
            return unknown("place_unknown", "neither a country's code nor a set nor a place of the policy that covers the app:", name, known, count, error);
        }
        if (profile->narrowed && !gh_places_empty(gh_places_minus(one, profile->places))) {
            return gh_error_set(error, "loosens", "places: \"%.*s\" is more than tenants/1 allows the app: a key can only narrow", GH_STR_ARG(name));
        }
        all = gh_places_union(all, one);
    }
    return gh_places_empty(all) ? gh_error_set(error, "place_unknown", "a list of places that names no country leaves nothing") : GH_OK;
}

static int
check_models(const gh_image_t *image, const gh_image_profile_t *profile, gh_str_t list, gh_error_t *error)
{
    gh_str_t pattern, known[NEAR_NAMES];
    size_t   count = 0;

    for (uint32_t i = 0; i < image->count[GH_SECTION_MODEL] && count < NEAR_NAMES; i++) {
        known[count++] = gh_image_str(image, image->models[i].name);
    }
    while (gh_narrowing_next(&list, GH_NARROWING_LIST, &pattern)) {
        bool fits = false, allowed = false;

        for (uint32_t i = 0; i < image->count[GH_SECTION_MODEL]; i++) {
            bool one = gh_narrowing_permits(pattern, gh_image_str(image, image->models[i].name));

            fits = fits || one;
            allowed = allowed || (one && gh_image_profile_permits(image, profile, i));
        }
        if (!fits) {
            return unknown("model_unknown", "no model of the catalogue is called", pattern, known, count, error);
        }
        if (!allowed) {
            return gh_error_set(error, "loosens", "models: \"%.*s\" fits none that tenants/1 allows the app: a key can only narrow", GH_STR_ARG(pattern));
        }
    }
    return GH_OK;
}

/* With all that the app has: beside a certificate those of its users hold for a key, too. */
static int
check_limits(const gh_image_t *image, const gh_identity_t *app, const gh_store_key_new_t *key, gh_error_t *error)
{
    gh_limits_t all = app->limits;

    for (uint32_t i = 0; i < key->limit_count; i++) {
        const gh_limit_t *limit = &key->limits[i];
        bool              known = limit->model == 0;

        for (uint32_t m = 0; m < image->count[GH_SECTION_MODEL] && !known; m++) {
            known = gh_model_number(gh_image_str(image, image->models[m].name)) == limit->model;
        }
        if (!known || !gh_limit_valid(limit) || limit->level != GH_LEVEL_KEY) {
            return gh_error_set(error, known ? "invalid_request" : "model_unknown", known ? "a limit of a key is not one that can be held"
                : "a limit names a model that the catalogue does not have");
        }
        for (uint32_t k = 0; k < app->limits.count; k++) {
            const gh_limit_t *above = &app->limits.items[k];

            if (above->level != GH_LEVEL_USER && above->dimension == limit->dimension && above->per == limit->per && above->limit_class == limit->limit_class
                && above->model == limit->model && limit->limit_class != GH_LIMIT_SHADOW && limit->amount > above->amount)
            {
                return gh_error_set(error, "loosens", "a limit of %llu %s can never be reached: tenants/1 allows %llu of the same, and a key can only narrow",
                    (unsigned long long) limit->amount, gh_dimension_names[limit->dimension], (unsigned long long) above->amount);
            }
        }
        if (!gh_limits_tighten(&all, limit)) {
            return gh_error_set(error, "invalid_request", "more than %d limits would hold for the key, of all levels together", GH_LIMITS_MAX);
        }
    }
    return GH_OK;
}

int
gh_store_key_narrow_check(gh_store_t *store, const gh_identity_t *app, const gh_store_key_new_t *key, gh_error_t *error)
{
    const gh_image_t *image = store->image;
    int32_t           number = gh_image_profile_find(image, app->profile);
    gh_str_t          lists, list;

    if (key->limit_count > GH_KEY_LIMITS) {
        return gh_error_set(error, "invalid_request", "a key has at most %u limits of its own", GH_KEY_LIMITS);
    }
    if (number < 0) {
        return gh_error_set(error, "store_damaged", "the app %.*s has no profile", GH_STR_ARG(app->path));
    }
    for (lists = key->places; gh_narrowing_next(&lists, GH_NARROWING_LISTS, &list);) {
        if (check_places(image, &image->profiles[number], list, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    for (lists = key->models; gh_narrowing_next(&lists, GH_NARROWING_LISTS, &list);) {
        if (check_models(image, &image->profiles[number], list, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return check_limits(image, app, key, error);
}
