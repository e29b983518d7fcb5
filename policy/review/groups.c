/* Grouping by what decisions look at: see groups.h. Two sets of covering patterns are compared whole, never by hash alone. */
#include "policy/review/groups.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t length;              /* of words: one profile an image, then the covering patterns */
    uint32_t words[];
} signature_t;

typedef struct {
    gh_arena_t               *arena;
    const gh_image_t *const  *images;
    uint32_t                  image_count;
    gh_review_groups_t       *out;
    gh_review_patterns_t      patterns;
    uint32_t                  member_capacity, key_capacity, group_capacity;
    uint32_t                 *group_of;       /* of each member */
    const signature_t       **signatures;     /* of each group */
    uint32_t                 *slots;          /* open addressing by signature: group + 1; 0: free */
    uint32_t                  slot_count;
    uint32_t                  cursor[GH_REVIEW_SIDES_MAX];   /* in the apps of each image: both are walked in the same order */
} grouping_t;

/* One more element; the array grows by half. NULL: out of memory. */
static void *
push(gh_arena_t *arena, void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    uint32_t more = count + count / 2 + 64;

    if (count < *capacity) {
        return items;
    }
    items = gh_arena_grow(arena, items, count, more, size);
    *capacity = items == NULL ? 0 : more;
    return items;
}

/* ---- apps of all images ---- */

static int
merge_apps(grouping_t *g)
{
    uint32_t at[GH_REVIEW_SIDES_MAX] = { 0 }, total = 0;

    for (uint32_t i = 0; i < g->image_count; i++) {
        total += g->images[i]->count[GH_SECTION_APP];
    }
    g->out->apps = gh_arena_array(g->arena, total, sizeof(*g->out->apps));
    if (g->out->apps == NULL) {
        return GH_ERROR;
    }
    for (;;) {
        gh_str_t least = { NULL, 0 };

        for (uint32_t i = 0; i < g->image_count; i++) {
            if (at[i] < g->images[i]->count[GH_SECTION_APP]) {
                gh_str_t path = gh_image_app_path(g->images[i], at[i]);

                if (least.data == NULL || gh_str_cmp(path, least) < 0) {
                    least = path;
                }
            }
        }
        if (least.data == NULL) {
            return GH_OK;
        }
        for (uint32_t i = 0; i < g->image_count; i++) {
            if (at[i] < g->images[i]->count[GH_SECTION_APP] && gh_str_eq(gh_image_app_path(g->images[i], at[i]), least)) {
                at[i]++;
            }
        }
        g->out->apps[g->out->app_count++] = least;
    }
}

/* ---- signatures ---- */

static uint32_t
hash_words(const uint32_t *words, uint32_t count)
{
    uint64_t hash = 14695981039346656037ull;

    for (uint32_t i = 0; i < count; i++) {
        hash = (hash ^ words[i]) * 1099511628211ull;
        hash ^= hash >> 29;
    }
    return (uint32_t) (hash ^ hash >> 32);
}

static uint32_t *
slot_of(const grouping_t *g, const uint32_t *words, uint32_t count)
{
    uint32_t at = hash_words(words, count) & (g->slot_count - 1);

    while (g->slots[at] != 0) {
        const signature_t *signature = g->signatures[g->slots[at] - 1];

        if (signature->length == count && memcmp(signature->words, words, count * sizeof(*words)) == 0) {
            break;
        }
        at = (at + 1) & (g->slot_count - 1);
    }
    return &g->slots[at];
}

static int
more_slots(grouping_t *g)
{
    if (g->slot_count != 0 && g->out->group_count * 2 < g->slot_count) {
        return GH_OK;
    }
    g->slot_count = g->slot_count == 0 ? 1024 : g->slot_count * 2;
    g->slots = gh_arena_array(g->arena, g->slot_count, sizeof(*g->slots));
    if (g->slots == NULL) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < g->out->group_count; i++) {
        *slot_of(g, g->signatures[i]->words, g->signatures[i]->length) = i + 1;
    }
    return GH_OK;
}

/* The group of a signature, a new one when there is none. -1: out of memory. */
static int64_t
group_of(grouping_t *g, const uint32_t *words, uint32_t count, gh_str_t path, gh_str_t key)
{
    gh_review_groups_t *out = g->out;
    gh_review_group_t  *group;
    signature_t        *signature;
    uint32_t           *slot, capacity = g->group_capacity;

    if (more_slots(g) != GH_OK) {
        return -1;
    }
    slot = slot_of(g, words, count);
    if (*slot != 0) {
        return *slot - 1;
    }
    signature = gh_arena_alloc(g->arena, sizeof(*signature) + count * sizeof(*words));
    g->signatures = push(g->arena, g->signatures, out->group_count, &capacity, sizeof(*g->signatures));
    out->groups = push(g->arena, out->groups, out->group_count, &g->group_capacity, sizeof(*out->groups));
    if (signature == NULL || g->signatures == NULL || out->groups == NULL) {
        return -1;
    }
    signature->length = count;
    memcpy(signature->words, words, count * sizeof(*words));
    g->signatures[out->group_count] = signature;
    group = &out->groups[out->group_count];
    group->path = path;
    group->key = key;
    for (uint32_t i = 0; i < GH_REVIEW_SIDES_MAX; i++) {
        group->profile[i] = i < g->image_count ? (int32_t) words[i] : -1;
    }
    *slot = ++out->group_count;
    return out->group_count - 1;
}

/* ---- members ---- */

static int
add_member(grouping_t *g, uint32_t app, uint32_t key, gh_str_t example, const int32_t *profiles)
{
    gh_review_groups_t *out = g->out;
    uint32_t            words[GH_REVIEW_SIDES_MAX + GH_REVIEW_COVERING_MAX], count, capacity = g->member_capacity;
    gh_str_t            path = out->apps[app];
    char                full[2 * GH_REVIEW_PATH_MAX + 2];
    int64_t             group;

    memcpy(full, path.data, path.len);
    full[path.len] = '/';
    memcpy(full + path.len + 1, example.data, example.len);
    for (uint32_t i = 0; i < g->image_count; i++) {
        words[i] = (uint32_t) profiles[i];
    }
    count = g->image_count + gh_review_patterns_covering(&g->patterns, (gh_str_t) { full, path.len + 1 + example.len },
        words + g->image_count);
    group = group_of(g, words, count, path, example);
    out->members = push(g->arena, out->members, out->member_count, &g->member_capacity, sizeof(*out->members));
    g->group_of = push(g->arena, g->group_of, out->member_count, &capacity, sizeof(*g->group_of));
    if (group < 0 || out->members == NULL || g->group_of == NULL) {
        return GH_ERROR;
    }
    g->group_of[out->member_count] = (uint32_t) group;
    out->members[out->member_count++] = (gh_review_member_t) { app, key };
    return GH_OK;
}

static int
add_key(grouping_t *g, const gh_review_key_t *key)
{
    g->out->keys = push(g->arena, g->out->keys, g->out->key_count, &g->key_capacity, sizeof(*g->out->keys));
    if (g->out->keys == NULL) {
        return GH_ERROR;
    }
    g->out->keys[g->out->key_count++] = *key;
    return GH_OK;
}

static int
add_app(grouping_t *g, uint32_t app)
{
    gh_str_t         path = g->out->apps[app];
    gh_review_key_t *keys;
    int32_t          profiles[GH_REVIEW_SIDES_MAX];
    char             prefix[GH_REVIEW_PATH_MAX + 2];
    uint32_t         count;

    if (path.len > GH_REVIEW_PATH_MAX) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < g->image_count; i++) {
        const gh_image_t *image = g->images[i];

        profiles[i] = -1;
        if (g->cursor[i] < image->count[GH_SECTION_APP] && gh_str_eq(gh_image_app_path(image, g->cursor[i]), path)) {
            profiles[i] = (int32_t) image->apps[g->cursor[i]++].profile;
        }
    }
    memcpy(prefix, path.data, path.len);
    prefix[path.len] = '/';
    if (gh_review_patterns_below(&g->patterns, (gh_str_t) { prefix, path.len + 1 }).count == 0) {
        return add_member(g, app, 0, g->out->keys[0].example, profiles);
    }
    if (gh_review_keys(g->arena, &g->patterns, path, &keys, &count) != GH_OK) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = keys[i].kind == GH_REVIEW_KEY_OTHER ? 0 : g->out->key_count;

        if ((key != 0 && add_key(g, &keys[i]) != GH_OK) || add_member(g, app, key, keys[i].example, profiles) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

/* Members by group, in the order they came, which is that of the apps. */
static int
sort_members(grouping_t *g)
{
    gh_review_groups_t *out = g->out;
    gh_review_member_t *sorted = gh_arena_array(g->arena, out->member_count, sizeof(*sorted));
    uint32_t            first = 0;

    if (sorted == NULL) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < out->member_count; i++) {
        out->groups[g->group_of[i]].count++;
    }
    for (uint32_t i = 0; i < out->group_count; i++) {
        out->groups[i].first = first;
        first += out->groups[i].count;
        out->groups[i].count = 0;
    }
    for (uint32_t i = 0; i < out->member_count; i++) {
        gh_review_group_t *group = &out->groups[g->group_of[i]];

        sorted[group->first + group->count++] = out->members[i];
    }
    out->members = sorted;
    return GH_OK;
}

int
gh_review_groups_make(gh_arena_t *arena, const gh_image_t *const *images, uint32_t image_count, const gh_str_t *more,
    uint32_t more_count, gh_review_groups_t *groups, gh_error_t *error)
{
    grouping_t      g = { .arena = arena, .images = images, .image_count = image_count, .out = groups };
    gh_review_key_t any = { GH_REVIEW_KEY_OTHER, GH_STR(""), GH_STR("x") };

    memset(groups, 0, sizeof(*groups));
    if (gh_review_patterns_gather(arena, images, image_count, more, more_count, &g.patterns) != GH_OK || merge_apps(&g) != GH_OK
        || add_key(&g, &any) != GH_OK)
    {
        return gh_error_set(error, "out_of_memory", "no memory to review every app");
    }
    for (uint32_t i = 0; i < groups->app_count; i++) {
        if (add_app(&g, i) != GH_OK) {
            return gh_error_set(error, "out_of_memory", "no memory to review every app");
        }
    }
    if (sort_members(&g) != GH_OK) {
        return gh_error_set(error, "out_of_memory", "no memory to review every app");
    }
    return GH_OK;
}
