/*
 * A profile is what tenants/1 says of an app, without its name: apps of which the same is said share one. Its identity is the digest
 * of what it says, so a residency edit changes no profile, and an app whose membership changes moves to another one. Numbers are
 * labels for records: given once, never reused. Which app has which profile is written with the image, in one transaction, and not in
 * the keys' records: a request judged with one image cannot take half of it from another revision.
 */
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
    const listed_app_t *example;
    uint32_t            made;                 /* index before sorting */
} made_profile_t;

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
    put(bytes, &profile->narrowed, 3);
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
    profile->objective = (uint8_t) app->objective;
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
        if (gh_pattern_covers(patterns->items[i], name)) {
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
number_profiles(gh_arena_t *arena, const gh_image_t *previous, made_profile_t *made, uint32_t count,
    gh_image_header_t *header)
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
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = known_count == 0 ? 0
            : *table_slot(&known, previous->profiles[0].digest, sizeof(gh_image_profile_t), made[i].entry.digest);

        made[i].entry.number = slot != 0 ? previous->profiles[slot - 1].number : header->next_profile++;
    }
    return GH_OK;
}

/* Of compiled NULL, APP; else the list beside the image. position: of the profiles made, in PROFILE. */
static int
write_apps(gh_builder_t *builder, const listed_app_t *apps, uint32_t count, const uint32_t *position, gh_compiled_t *compiled)
{
    const gh_image_profile_t *profiles = (const gh_image_profile_t *) builder->section[GH_SECTION_PROFILE].data;

    if (compiled == NULL) {
        gh_image_app_t *out = gh_section_append(builder, GH_SECTION_APP, count);

        for (uint32_t i = 0; out != NULL && i < count; i++) {
            out[i].path = gh_section_string(builder, apps[i].app->path);
            out[i].profile = position[apps[i].profile];
        }
        return out == NULL ? GH_ERROR : GH_OK;
    } else {
        gh_store_app_t *out = gh_arena_array(builder->arena, count, sizeof(*out));

        for (uint32_t i = 0; out != NULL && i < count; i++) {
            out[i] = (gh_store_app_t) { apps[i].app->path, profiles[position[apps[i].profile]].number };
        }
        compiled->apps = out;
        compiled->app_count = count;
        return out == NULL ? GH_ERROR : GH_OK;
    }
}

/* PROFILE sorted by number, and the apps. apps[i].profile is an index of made, which is sorted here. */
static int
write_profiles(gh_builder_t *builder, const gh_model_t *model, const listed_app_t *apps, uint32_t app_count,
    made_profile_t *made, uint32_t count, gh_compiled_t *compiled)
{
    uint32_t           *position = gh_arena_array(builder->arena, count, sizeof(*position));
    gh_image_profile_t *profiles;

    if (position == NULL) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < count; i++) {
        made[i].made = i;
    }
    qsort(made, count, sizeof(*made), profile_compare);
    profiles = gh_section_append(builder, GH_SECTION_PROFILE, count);
    if (profiles == NULL) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < count; i++) {
        position[made[i].made] = i;
        profiles[i] = made[i].entry;
        profiles[i].models = compile_permitted(builder, model, made[i].example);
    }
    return write_apps(builder, apps, app_count, position, compiled);
}

/* One profile for each different thing said. apps[i].profile becomes an index of made. */
static bool
share_profiles(gh_builder_t *builder, const gh_model_t *model, listed_app_t *apps, uint32_t count, made_profile_t *made,
    uint32_t *made_count)
{
    bytes_t        bytes = { .arena = builder->arena };
    digest_table_t table;

    if (!table_init(&table, builder->arena, count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        gh_image_profile_t profile;
        uint32_t          *slot;

        profile_of(&apps[i], &profile);
        if (!profile_digest(&bytes, model, &apps[i], &profile)) {
            return false;
        }
        slot = table_slot(&table, made[0].entry.digest, sizeof(made_profile_t), profile.digest);
        if (*slot == 0) {
            made[*made_count] = (made_profile_t) { profile, &apps[i], 0 };
            *slot = ++*made_count;
        }
        apps[i].profile = *slot - 1;
    }
    return true;
}

int
gh_compile_profiles(gh_builder_t *builder, const gh_model_t *model, const gh_image_t *previous,
    gh_image_header_t *header, gh_compiled_t *compiled, gh_error_t *error)
{
    listed_app_t   *apps;
    made_profile_t *made;
    uint32_t        count, made_count = 0;

    apps = list_apps(builder->arena, model, &count);
    header->apps_elsewhere = compiled != NULL;
    header->organisation_count = model->organisation_count;
    for (uint32_t o = 0; o < model->organisation_count; o++) {
        header->tenant_count += model->organisations[o].tenant_count;
    }
    header->app_count = count;
    if (count > GH_MAX_APPS) {
        return gh_error_set(error, "too_large", "tenants/1 lists %u apps, at most %u are possible", count, GH_MAX_APPS);
    }
    if (count == 0) {
        /* a fleet and its policies may be there before their tenants */
        return number_profiles(builder->arena, previous, NULL, 0, header);
    }
    made = gh_arena_array(builder->arena, count, sizeof(*made));
    if (apps == NULL || made == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the apps of tenants/1");
    }
    qsort(apps, count, sizeof(*apps), app_compare);
    if (!share_profiles(builder, model, apps, count, made, &made_count)) {
        return gh_error_set(error, "out_of_memory", "no memory for the apps of tenants/1");
    }
    if (made_count > GH_MAX_PROFILES) {
        return gh_error_set(error, "too_large", "the apps of tenants/1 differ in %u ways, at most %u are possible", made_count,
            GH_MAX_PROFILES);
    }
    if (number_profiles(builder->arena, previous, made, made_count, header) != GH_OK
        || write_profiles(builder, model, apps, count, made, made_count, compiled) != GH_OK)
    {
        return gh_error_set(error, "out_of_memory", "no memory for the apps of tenants/1");
    }
    return GH_OK;
}
