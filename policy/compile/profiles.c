/*
 * A profile is what tenants/1 says of an app, without its name: apps of which the same is said share one. Its identity is the digest
 * of what it says, so a residency edit changes no profile, and an app whose membership changes moves to another one. Numbers are
 * labels for records: given once, never reused. Which app has which profile is written with the image, in one transaction, and not in
 * the keys' records: a request judged with one image cannot take half of it from another revision.
 */
#include "policy/compile/limits.h"
#include "policy/compile/profiles.h"

#include <stdlib.h>
#include <string.h>

#include "policy/base/hash.h"

typedef struct {
    const gh_model_organisation_t *organisation;
    const gh_model_tenant_t       *tenant;
    const gh_model_app_t          *app;
    uint32_t                       profile;   /* index of the made profiles */
} listed_app_t;

typedef struct {
    gh_image_profile_t  entry;
    const listed_app_t *example;              /* NULL: it is as in the previous image */
    uint32_t            made;                 /* index before sorting */
    uint32_t            previous;             /* its index in the previous image, and 1; 0: it is new */
} made_profile_t;

typedef struct { made_profile_t *items; uint32_t count, capacity; } made_profiles_t;

typedef struct {                              /* open addressing by digest */
    uint32_t *slots;                          /* index + 1; 0: free */
    size_t    capacity;
} digest_table_t;

typedef struct { uint8_t *data; size_t length, capacity; gh_arena_t *arena; bool failed; } bytes_t;

static void
put(bytes_t *bytes, const void *data, size_t len)
{
    if (bytes->length + len > bytes->capacity) {
        size_t capacity = (bytes->length + len) * 2 + 256;

        bytes->data = gh_arena_grow(bytes->arena, bytes->data, bytes->length, capacity, 1);
        bytes->capacity = bytes->data == NULL ? 0 : capacity;
        if (bytes->data == NULL) {
            bytes->failed = true;
            bytes->length = 0;
            return;
        }
    }
    if (len > 0) {
        memcpy(bytes->data + bytes->length, data, len);
    }
    bytes->length += len;
}

static void
put_string(bytes_t *bytes, gh_str_t s)
{
    uint32_t len = (uint32_t) s.len;

    put(bytes, &len, sizeof(len));
    put(bytes, s.data, s.len);
}

static void
put_list(bytes_t *bytes, const gh_str_list_t *list)
{
    put(bytes, &list->count, sizeof(list->count));
    for (uint32_t i = 0; i < list->count; i++) {
        put_string(bytes, list->items[i]);
    }
}

/* Classes by name: moving one within its policy's list changes masks, not what is said. */
static void
put_classes(bytes_t *bytes, const gh_model_policy_t *policy, uint32_t mask)
{
    for (uint32_t i = 0; policy != NULL && i < policy->classes.count; i++) {
        if (mask >> i & 1) {
            put_string(bytes, policy->classes.items[i]);
        }
    }
    put_string(bytes, GH_STR(""));
}

static bool
profile_digest(bytes_t *bytes, const gh_model_t *model, const listed_app_t *listed, gh_image_profile_t *profile)
{
    const gh_model_policy_t *policy = profile->policy < 0 ? NULL : &model->policies[profile->policy];

    bytes->length = 0;
    put_string(bytes, policy == NULL ? GH_STR("") : policy->name);
    put_classes(bytes, policy, profile->tenant_classes);
    put_classes(bytes, policy, profile->app_classes);
    put(bytes, &profile->narrowed, sizeof(profile->narrowed));
    put(bytes, &profile->audit, sizeof(profile->audit));
    put(bytes, &profile->latency_weight, sizeof(profile->latency_weight));
    put(bytes, &profile->places, sizeof(profile->places));
    put_list(bytes, &listed->organisation->models);
    put_list(bytes, &listed->tenant->models);
    put_list(bytes, &listed->app->models);
    if (bytes->failed) {
        return false;
    }
    gh_sha256(bytes->data, bytes->length, profile->digest);
    return true;
}

static void
profile_of(const listed_app_t *listed, gh_image_profile_t *profile)
{
    const gh_model_tenant_t *tenant = listed->tenant;
    const gh_model_app_t    *app = listed->app;

    memset(profile, 0, sizeof(*profile));
    profile->policy = tenant->policy;
    profile->tenant_classes = tenant->class_mask;
    profile->app_classes = app->class_mask;
    profile->audit = app->audit;
    profile->latency_weight = app->latency_weight;
    if (tenant->narrowed || app->narrowed) {
        profile->narrowed = 1;
        profile->places = gh_places_intersect(tenant->narrowed ? tenant->places : gh_places_anywhere(),
            app->narrowed ? app->places : gh_places_anywhere());
    }
}

static bool
permitted(const gh_str_list_t *patterns, gh_str_t name)
{
    for (uint32_t i = 0; i < patterns->count; i++) {
        if (gh_pattern_permits(patterns->items[i], name)) {
            return true;
        }
    }
    return patterns->count == 0;
}

static gh_range_t
compile_permitted(gh_builder_t *builder, const gh_model_t *model, const listed_app_t *listed)
{
    gh_range_t range = { gh_section_count(builder, GH_SECTION_BITMAP), (model->model_count + 63) / 64 };
    uint64_t  *words = gh_section_append(builder, GH_SECTION_BITMAP, range.count);

    for (uint32_t m = 0; words != NULL && m < model->model_count; m++) {
        gh_str_t name = model->models[m].name;

        if (permitted(&listed->organisation->models, name) && permitted(&listed->tenant->models, name)
            && permitted(&listed->app->models, name))
        {
            words[m / 64] |= (uint64_t) 1 << (m % 64);
        }
    }
    return range;
}

static bool
table_init(digest_table_t *table, gh_arena_t *arena, size_t count)
{
    table->capacity = 64;
    while (table->capacity < count * 2) {
        table->capacity *= 2;
    }
    table->slots = gh_arena_array(arena, table->capacity, sizeof(*table->slots));
    return table->slots != NULL;
}

/* The slot that holds the digest, or a free one. digests: of entry 0, each stride bytes apart. */
static uint32_t *
table_slot(digest_table_t *table, const uint8_t *digests, size_t stride, const uint8_t digest[32])
{
    uint64_t hash;
    size_t   at;

    memcpy(&hash, digest, sizeof(hash));
    at = hash & (table->capacity - 1);
    while (table->slots[at] != 0 && memcmp(digests + (table->slots[at] - 1) * stride, digest, 32) != 0) {
        at = (at + 1) & (table->capacity - 1);
    }
    return &table->slots[at];
}

static int
app_compare(const void *left, const void *right)
{
    return gh_str_cmp(((const listed_app_t *) left)->app->path, ((const listed_app_t *) right)->app->path);
}

static int
profile_compare(const void *left, const void *right)
{
    const made_profile_t *a = left, *b = right;

    return a->entry.number < b->entry.number ? -1 : a->entry.number > b->entry.number;
}

static listed_app_t *
list_apps(gh_arena_t *arena, const gh_model_t *model, uint32_t *count)
{
    listed_app_t *apps;
    uint32_t      n = 0;

    *count = 0;
    for (uint32_t o = 0; o < model->organisation_count; o++) {
        for (uint32_t t = 0; t < model->organisations[o].tenant_count; t++) {
            *count += model->organisations[o].tenants[t].app_count;
        }
    }
    apps = gh_arena_array(arena, *count, sizeof(*apps));
    for (uint32_t o = 0; apps != NULL && o < model->organisation_count; o++) {
        const gh_model_organisation_t *organisation = &model->organisations[o];

        for (uint32_t t = 0; t < organisation->tenant_count; t++) {
            for (uint32_t a = 0; a < organisation->tenants[t].app_count; a++) {
                apps[n++] = (listed_app_t) { organisation, &organisation->tenants[t], &organisation->tenants[t].apps[a], 0 };
            }
        }
    }
    return apps;
}

/* Gives every profile its number: the one the previous image gave this digest, or the next free one. */
static int
number_profiles(gh_arena_t *arena, const gh_image_t *previous, made_profiles_t *made, gh_image_header_t *header)
{
    digest_table_t known;
    uint32_t       known_count = previous == NULL ? 0 : previous->count[GH_SECTION_PROFILE];

    header->next_profile = previous == NULL ? 1 : previous->header->next_profile;
    if (!table_init(&known, arena, known_count)) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < known_count; i++) {
        *table_slot(&known, previous->profiles[0].digest, sizeof(gh_image_profile_t), previous->profiles[i].digest) = i + 1;
    }
    for (uint32_t i = 0; i < made->count; i++) {
        made_profile_t *profile = &made->items[i];

        profile->previous = known_count == 0 ? 0
            : *table_slot(&known, previous->profiles[0].digest, sizeof(gh_image_profile_t), profile->entry.digest);
        profile->entry.number = profile->previous != 0 ? previous->profiles[profile->previous - 1].number : header->next_profile++;
    }
    return GH_OK;
}

/* How many apps of a part that is made anew had each profile. NULL: out of memory, or the part cannot be of that image. */
static uint32_t *
count_gone(gh_arena_t *arena, const gh_image_t *previous, const gh_compile_change_t *change)
{
    uint32_t *gone = gh_arena_array(arena, previous->count[GH_SECTION_PROFILE], sizeof(*gone));

    for (size_t i = 0; gone != NULL && i < change->before_count; i++) {
        int32_t profile = gh_image_profile_find(previous, change->before[i].profile);

        if (change->before[i].profile == 0) {
            continue;
        }
        if (profile < 0 || gone[profile] == previous->profiles[profile].apps) {
            return NULL;
        }
        gone[profile]++;
    }
    return gone;
}

/* Profiles that apps outside of the part have, too or alone. */
static int
carry_profiles(gh_arena_t *arena, const gh_image_t *previous, const gh_compile_change_t *change, made_profiles_t *made)
{
    uint32_t  count = previous->count[GH_SECTION_PROFILE], anew = made->count;
    uint32_t *gone = count_gone(arena, previous, change), *found = gh_arena_array(arena, count, sizeof(*found));

    if (gone == NULL || found == NULL) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < anew; i++) {
        if (made->items[i].previous != 0) {
            found[made->items[i].previous - 1] = i + 1;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t left = previous->profiles[i].apps - gone[i];

        if (found[i] != 0) {
            made->items[found[i] - 1].entry.apps += left;
        } else if (left != 0) {
            made_profile_t *profile = &made->items[made->count++];

            *profile = (made_profile_t) { previous->profiles[i], NULL, 0, i + 1 };
            profile->entry.apps = left;
        }
    }
    return GH_OK;
}

/* The permitted models of a profile that is as it was, of the same models. */
static gh_range_t
copy_permitted(gh_builder_t *builder, const gh_model_t *model, const gh_image_t *previous, gh_range_t before)
{
    gh_range_t range = { gh_section_count(builder, GH_SECTION_BITMAP), (model->model_count + 63) / 64 };
    uint64_t  *words = gh_section_append(builder, GH_SECTION_BITMAP, range.count);

    if (words == NULL || range.count != before.count) {
        builder->failed = true;
    } else if (range.count != 0) {
        memcpy(words, previous->bitmaps + before.first, range.count * sizeof(*words));
    }
    return range;
}

static int
write_image_apps(gh_builder_t *builder, const listed_app_t *apps, uint32_t count, const uint32_t *position)
{
    gh_image_app_t *out = gh_section_append(builder, GH_SECTION_APP, count);

    for (uint32_t i = 0; out != NULL && i < count; i++) {
        const listed_app_t *app = &apps[i];
        uint32_t            limit_count;
        const gh_limit_t   *limits = gh_compile_limits(builder->arena, app->organisation, app->tenant, app->app, &limit_count);
        gh_limit_t         *at = gh_section_append(builder, GH_SECTION_LIMIT, limit_count);

        if (limits == NULL || builder->failed) {
            return GH_ERROR;
        }
        if (limit_count > 0) {
            memcpy(at, limits, limit_count * sizeof(*at));
        }
        out[i].path = gh_section_string(builder, app->app->path);
        out[i].profile = position[app->profile];
        out[i].max_output = app->app->max_output;
        out[i].limits = (gh_range_t) { gh_section_count(builder, GH_SECTION_LIMIT) - limit_count, limit_count };
    }
    return out == NULL && count > 0 ? GH_ERROR : GH_OK;
}

/* Of compiled NULL, APP; else the list beside the image. position: of the profiles made, in PROFILE. */
static int
write_apps(gh_builder_t *builder, const gh_model_t *model, const gh_compile_change_t *change, const listed_app_t *apps,
    uint32_t count, const uint32_t *position, gh_compiled_t *compiled)
{
    const gh_image_profile_t *profiles = (const gh_image_profile_t *) builder->section[GH_SECTION_PROFILE].data;
    gh_store_listed_t        *listed;

    if (compiled == NULL) {
        return write_image_apps(builder, apps, count, position);
    }
    listed = gh_arena_array(builder->arena, count, sizeof(*listed));
    for (uint32_t i = 0; listed != NULL && i < count; i++) {
        const listed_app_t *app = &apps[i];

        listed[i].path = app->app->path;
        listed[i].profile = profiles[position[app->profile]].number;
        listed[i].max_output = app->app->max_output;
        listed[i].limits = gh_compile_limits(builder->arena, app->organisation, app->tenant, app->app, &listed[i].limit_count);
        if (listed[i].limits == NULL) {
            return GH_ERROR;
        }
    }
    return listed == NULL ? GH_ERROR : gh_compile_listed(builder->arena, model, change, listed, count, compiled);
}

/* PROFILE sorted by number; *position: of the profiles made before, in it. */
static int
write_profiles(gh_builder_t *builder, const gh_model_t *model, const gh_image_t *previous, const made_profiles_t *made,
    uint32_t **position)
{
    gh_image_profile_t *profiles = gh_section_append(builder, GH_SECTION_PROFILE, made->count);

    *position = gh_arena_array(builder->arena, made->count, sizeof(**position));
    if (*position == NULL || (profiles == NULL && made->count > 0)) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < made->count; i++) {
        made->items[i].made = i;
    }
    if (made->count > 0) {
        qsort(made->items, made->count, sizeof(*made->items), profile_compare);
    }
    for (uint32_t i = 0; i < made->count; i++) {
        const made_profile_t *profile = &made->items[i];

        (*position)[profile->made] = i;
        profiles[i] = profile->entry;
        profiles[i].models = profile->example != NULL ? compile_permitted(builder, model, profile->example)
            : copy_permitted(builder, model, previous, profile->entry.models);
    }
    return builder->failed ? GH_ERROR : GH_OK;
}

/* One profile for each different thing said. apps[i].profile becomes an index of made. 1: there are too many. */
static int
share_profiles(gh_builder_t *builder, const gh_model_t *model, listed_app_t *apps, uint32_t count, made_profiles_t *made)
{
    bytes_t        bytes = { .arena = builder->arena };
    digest_table_t table;

    if (!table_init(&table, builder->arena, made->capacity)) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < count; i++) {
        gh_image_profile_t profile;
        uint32_t          *slot;

        profile_of(&apps[i], &profile);
        if (!profile_digest(&bytes, model, &apps[i], &profile)) {
            return GH_ERROR;
        }
        slot = table_slot(&table, made->items[0].entry.digest, sizeof(made_profile_t), profile.digest);
        if (*slot == 0) {
            if (made->count == GH_MAX_PROFILES) {
                return 1;
            }
            made->items[made->count] = (made_profile_t) { profile, &apps[i], 0, 0 };
            *slot = ++made->count;
        }
        made->items[*slot - 1].entry.apps++;
        apps[i].profile = *slot - 1;
    }
    return GH_OK;
}

/* What is listed now: of a part, what was, without what the part had, and with what it has. */
static int
count_listed(const gh_model_t *model, const gh_image_t *previous, const gh_compile_change_t *change, uint32_t apps,
    gh_image_header_t *header, gh_error_t *error)
{
    uint32_t before = 0, organisations = 0, tenants = 0;

    for (uint32_t o = 0; o < model->organisation_count; o++) {
        tenants += model->organisations[o].tenant_count;
    }
    if (change == NULL) {
        header->organisation_count = model->organisation_count;
        header->tenant_count = tenants;
        header->app_count = apps;
    } else {
        for (size_t i = 0; i < change->before_count; i++) {
            before += change->before[i].profile != 0;
            organisations += change->before[i].documents != 0;
        }
        header->organisation_count = previous->header->organisation_count - organisations + (uint32_t) change->organisation_count;
        header->tenant_count = previous->header->tenant_count - change->tenants_before + tenants;
        header->app_count = previous->header->app_count - before + apps;
    }
    if (header->app_count > GH_MAX_APPS) {
        return gh_error_set(error, "too_large", "tenants/1 lists %u apps, at most %u are possible", header->app_count, GH_MAX_APPS);
    }
    return GH_OK;
}

int
gh_compile_profiles(gh_builder_t *builder, const gh_model_t *model, const gh_image_t *previous,
    const gh_compile_change_t *change, gh_image_header_t *header, gh_compiled_t *compiled, gh_error_t *error)
{
    made_profiles_t made = { 0 };
    listed_app_t   *apps;
    uint32_t        count, *position;
    int             rc;

    apps = list_apps(builder->arena, model, &count);
    header->apps_elsewhere = compiled != NULL;
    if (count_listed(model, previous, change, count, header, error) != GH_OK) {
        return GH_ERROR;
    }
    /* a fleet and its policies may be there before their tenants */
    made.capacity = (count < GH_MAX_PROFILES ? count : GH_MAX_PROFILES) + (change == NULL ? 0 : previous->count[GH_SECTION_PROFILE]) + 1;
    made.items = gh_arena_array(builder->arena, made.capacity, sizeof(*made.items));
    if (apps == NULL || made.items == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the apps of tenants/1");
    }
    if (count > 0) {
        qsort(apps, count, sizeof(*apps), app_compare);
    }
    rc = share_profiles(builder, model, apps, count, &made);
    if (rc == GH_OK) {
        rc = number_profiles(builder->arena, previous, &made, header);
    }
    if (rc == GH_OK && change != NULL) {
        rc = carry_profiles(builder->arena, previous, change, &made);
    }
    if (rc == 1 || made.count > GH_MAX_PROFILES) {
        return gh_error_set(error, "too_large", "the apps of tenants/1 differ in more than %u ways", GH_MAX_PROFILES);
    }
    if (rc != GH_OK || write_profiles(builder, model, previous, &made, &position) != GH_OK
        || write_apps(builder, model, change, apps, count, position, compiled) != GH_OK)
    {
        return gh_error_set(error, "out_of_memory", "no memory for the apps of tenants/1");
    }
    return GH_OK;
}
