/*
 * Sets of eight places, by a part of the hash, which is an HMAC: nobody chooses where. A set begins with a line of the processor's cache that has another part of each key's hash; the keys stand
 * behind it, and most of them where a third part says, so that line and key are asked of memory at once. Of a million keys one in fifteen finds its set full, and stands in another one, by a fourth
 * part. A set that was full never has an empty place again, so behind one that has nobody looks further. What stands is told by numbers that grow: a key's, when it was kept; that of whatever has
 * a name with the same check sum, when such a name was edited; that of all, when all were forgotten.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "policy/store/known_keys.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WAYS     8u
#define NAMES    65536u               /* check sums of names */
#define SHAPES   4096u                /* different limits and profiles */
#define PLACES   (2 * SHAPES)
#define HUGE     ((size_t) 2 << 20)   /* bytes of a large page of x86-64 and of most others */
#define TEXT     72u

typedef struct {
    uint8_t  hash[16];
    uint64_t not_after_ms;
    uint32_t key_uid, tenant_uid, app_uid, org_uid;
    uint32_t since;                   /* 0: nothing was kept here yet */
    uint16_t name, shape;
    uint8_t  org_len, tenant_len, app_len, key_len;
    uint8_t  unused[4];
    char     text[TEXT];              /* path, key */
} kept_t;

_Static_assert(sizeof(kept_t) == 128, "two lines of the processor's cache");

typedef struct {
    uint64_t tags[WAYS];              /* 0: that place is empty */
    kept_t   kept[WAYS];
} set_t;

_Static_assert(sizeof(set_t) == 64 + WAYS * sizeof(kept_t), "whole lines, side by side");

/* What keys of the same kind have alike. */
typedef struct {
    uint32_t    profile;
    uint8_t     audit;
    gh_limits_t limits;
} shape_t;

struct gh_known_keys_s {
    set_t     *set;
    uint32_t   sets, clock;           /* clock: of what is kept now; it stops at its end, and nothing is kept any more */
    uint32_t   floor;                 /* what was kept before does not stand */
    uint32_t   newest_edit;           /* of any name */
    uint32_t   shape_count;
    uint16_t   shape_at[PLACES];      /* 0: none; else its number and 1 */
    uint32_t   edited[NAMES];
    shape_t    shapes[SHAPES];
    void      *mapping;
    size_t     mapped;
};

static uint32_t
sets_for(uint64_t keys)
{
    uint64_t most = keys < GH_KNOWN_KEYS_MAX ? keys : GH_KNOWN_KEYS_MAX;

    return (uint32_t) ((most + most / 4) / WAYS + 16);
}

/* In large pages where the system gives them to who asks: each key lies elsewhere, and looking its page up costs as much as the key. */
gh_known_keys_t *
gh_known_keys_new(uint64_t keys)
{
    gh_known_keys_t *known = calloc(1, sizeof(*known));
    uint32_t         sets = sets_for(keys);
    size_t           size = sets * sizeof(*known->set);
    uintptr_t        begin;

    if (known == NULL) {
        return NULL;
    }
    known->mapped = size + HUGE;
    known->mapping = mmap(NULL, known->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (known->mapping == MAP_FAILED) {
        free(known);
        return NULL;
    }
    begin = ((uintptr_t) known->mapping + HUGE - 1) / HUGE * HUGE;
#ifdef MADV_HUGEPAGE
    if (size >= HUGE) {
        (void) madvise((void *) begin, size / HUGE * HUGE, MADV_HUGEPAGE);
    }
#endif
    known->set = (set_t *) begin;
    known->sets = sets;
    known->clock = known->floor = 1;
    return known;
}

void
gh_known_keys_free(gh_known_keys_t *known)
{
    if (known != NULL) {
        (void) munmap(known->mapping, known->mapped);
        free(known);
    }
}

bool
gh_known_keys_outgrown(const gh_known_keys_t *known, uint64_t keys)
{
    return sets_for(keys) > 2 * known->sets;
}

static uint64_t
part_of(const uint8_t *hash)
{
    uint64_t part;

    memcpy(&part, hash, sizeof(part));
    return part;
}

static set_t *
set_of(const gh_known_keys_t *known, const uint8_t hash[32])
{
    return &known->set[(part_of(hash + 16) >> 32) * known->sets >> 32];
}

/* For those that it has no place for. */
static set_t *
second_of(const gh_known_keys_t *known, const uint8_t hash[16])
{
    return &known->set[(part_of(hash + 8) & UINT32_MAX) * known->sets >> 32];
}

static uint64_t
tag_of(const uint8_t hash[32])
{
    uint64_t tag = part_of(hash + 24);

    return tag + (tag == 0);
}

/* Where in its set it is looked for in advance. */
static unsigned
first_way(const uint8_t hash[16])
{
    return hash[15] % WAYS;
}

void
gh_known_keys_prefetch(const gh_known_keys_t *known, const uint8_t hash[32])
{
    const set_t  *set = set_of(known, hash);
    const kept_t *kept = &set->kept[first_way(hash)];

    __builtin_prefetch(set);
    __builtin_prefetch(kept);
    __builtin_prefetch((const char *) kept + sizeof(*kept) / 2);
}

static uint64_t
sum(uint64_t sum, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++) {
        sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

static uint16_t
name_of(gh_str_t path, gh_str_t key)
{
    uint64_t of = sum(sum(sum(UINT64_C(0xcbf29ce484222325), path.data, path.len), "/", key.len > 0), key.data, key.len);

    return (uint16_t) (of ^ of >> 16 ^ of >> 32 ^ of >> 48);
}

static void
tick(gh_known_keys_t *known)
{
    known->clock += known->clock != UINT32_MAX;
}

void
gh_known_keys_forget(gh_known_keys_t *known)
{
    tick(known);
    known->floor = known->clock;
    known->shape_count = 0;
    memset(known->shape_at, 0, sizeof(known->shape_at));
}

void
gh_known_keys_changed(gh_known_keys_t *known, gh_str_t path)
{
    known->edited[name_of(path, GH_STR(""))] = known->newest_edit = known->clock;
    tick(known);
}

static bool
stands(const gh_known_keys_t *known, const kept_t *kept)
{
    return known->clock != UINT32_MAX && kept->since >= known->floor && (kept->since > known->newest_edit || kept->since > known->edited[kept->name]);
}

/* NULL: it is not in the set. */
static kept_t *
in_set(set_t *set, const uint8_t hash[32])
{
    uint64_t tag = tag_of(hash);

    for (unsigned i = 0; i < WAYS; i++) {
        if (set->tags[i] == tag && memcmp(set->kept[i].hash, hash, sizeof(set->kept[i].hash)) == 0) {
            return &set->kept[i];
        }
    }
    return NULL;
}

static bool
was_full(const set_t *set)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < WAYS; i++) {
        least = set->tags[i] < least ? set->tags[i] : least;
    }
    return least != 0;
}

/* Whether it stands is not asked. NULL: it is nowhere. */
static kept_t *
anywhere(const gh_known_keys_t *known, const uint8_t hash[32])
{
    set_t  *set = set_of(known, hash);
    kept_t *kept = in_set(set, hash);

    return kept != NULL ? kept : was_full(set) ? in_set(second_of(known, hash), hash) : NULL;
}

bool
gh_known_keys_find(gh_known_keys_t *known, const uint8_t hash[32], gh_arena_t *arena, gh_identity_t *identity)
{
    const kept_t  *kept = anywhere(known, hash);
    const shape_t *shape;
    size_t         path, len;
    char          *text;

    if (kept == NULL || !stands(known, kept)) {
        return false;
    }
    path = (size_t) kept->org_len + kept->tenant_len + kept->app_len + 2;
    len = path + kept->key_len;
    text = arena->alloc(arena, len);
    if (text == NULL) {
        return false;
    }
    memcpy(text, kept->text, len);
    shape = &known->shapes[kept->shape];
    memset(identity, 0, sizeof(*identity));
    memcpy(identity->key_hash, hash, 32);
    identity->key_uid = kept->key_uid;
    identity->tenant_uid = kept->tenant_uid;
    identity->app_uid = kept->app_uid;
    identity->org_uid = kept->org_uid;
    identity->path = (gh_str_t) { text, path };
    identity->org = (gh_str_t) { text, kept->org_len };
    identity->tenant = (gh_str_t) { text + kept->org_len + 1, kept->tenant_len };
    identity->app = (gh_str_t) { text + path - kept->app_len, kept->app_len };
    identity->key = (gh_str_t) { text + path, kept->key_len };
    identity->own_classes = identity->own_places = identity->own_models = identity->user = GH_STR("");
    identity->profile = shape->profile;
    identity->audit = shape->audit;
    identity->not_after_ms = kept->not_after_ms;
    memcpy(identity->limits.items, shape->limits.items, shape->limits.count * sizeof(shape->limits.items[0]));
    identity->limits.count = shape->limits.count;
    identity->limits.max_output = shape->limits.max_output;
    return true;
}

/* The number of what it has alike with others; SHAPES: there are too many. */
static uint32_t
shape_of(gh_known_keys_t *known, const gh_identity_t *identity)
{
    size_t   len = identity->limits.count * sizeof(identity->limits.items[0]);
    uint64_t of = sum(sum(identity->profile, identity->limits.items, len), &identity->limits.max_output, sizeof(identity->limits.max_output));
    shape_t *shape;

    for (uint32_t at = (uint32_t) ((of ^ of >> 32) % PLACES);; at = (at + 1) % PLACES) {
        if (known->shape_at[at] == 0) {
            if (known->shape_count == SHAPES) {
                return SHAPES;
            }
            shape = &known->shapes[known->shape_count];
            shape->profile = identity->profile;
            shape->audit = identity->audit;
            shape->limits = identity->limits;
            known->shape_at[at] = (uint16_t) ++known->shape_count;
            return known->shape_count - 1;
        }
        shape = &known->shapes[known->shape_at[at] - 1];
        if (shape->profile == identity->profile && shape->audit == identity->audit && shape->limits.count == identity->limits.count
            && shape->limits.max_output == identity->limits.max_output && memcmp(shape->limits.items, identity->limits.items, len) == 0)
        {
            return known->shape_at[at] - 1u;
        }
    }
}

/* Nothing but what a place has room for. */
static bool
plain(const gh_identity_t *identity)
{
    return identity->path.len + identity->key.len <= TEXT && (identity->key_uid | identity->tenant_uid | identity->app_uid | identity->org_uid) <= UINT32_MAX
        && identity->path.len == identity->org.len + identity->tenant.len + identity->app.len + 2
        && identity->not_before_ms == 0 && identity->user_uid == 0 && identity->own_classes.len == 0 && identity->own_places.len == 0 && identity->own_models.len == 0
        && identity->user.len == 0 && identity->token.len == 0 && identity->certificate == NULL && !identity->keyless;
}

/* Of a set that does not have the key, the way it is looked for first, else another one that nobody needs; WAYS: all are needed. */
static unsigned
room(const gh_known_keys_t *known, const set_t *set, const uint8_t hash[16])
{
    unsigned way = first_way(hash);

    if (!stands(known, &set->kept[way])) {
        return way;
    }
    for (way = 0; way < WAYS && set->tags[way] != 0; way++) {
    }
    if (way < WAYS) {
        return way;
    }
    for (way = 0; way < WAYS && stands(known, &set->kept[way]); way++) {
    }
    return way;
}

/* A full set's way that is free now: who stood there stands in its second set. WAYS: nobody's has room, or all stand in theirs already. */
static unsigned
move_one(const gh_known_keys_t *known, set_t *set)
{
    for (unsigned way = 0; way < WAYS; way++) {
        set_t   *second = second_of(known, set->kept[way].hash);
        unsigned to = second != set ? room(known, second, set->kept[way].hash) : WAYS;

        if (to < WAYS) {
            second->tags[to] = set->tags[way];
            second->kept[to] = set->kept[way];
            return way;
        }
    }
    return WAYS;
}

/* Where it stands already, else where there is room, or is made, else in the place of the one where it is looked for first. */
static kept_t *
place(const gh_known_keys_t *known, const uint8_t hash[32])
{
    kept_t  *kept = anywhere(known, hash);
    set_t   *set = set_of(known, hash);
    unsigned way;

    if (kept != NULL) {
        return kept;
    }
    way = room(known, set, hash);
    if (way == WAYS) {
        set = second_of(known, hash);
        way = room(known, set, hash);
    }
    if (way == WAYS) {
        set = set_of(known, hash);
        way = move_one(known, set);
    }
    way = way == WAYS ? first_way(hash) : way;
    set->tags[way] = tag_of(hash);
    return &set->kept[way];
}

bool
gh_known_keys_keep(gh_known_keys_t *known, const gh_identity_t *identity)
{
    uint32_t shape;
    kept_t  *kept;

    if (known->clock == UINT32_MAX || !plain(identity)) {
        return false;
    }
    shape = shape_of(known, identity);
    if (shape == SHAPES) {
        return false;
    }
    kept = place(known, identity->key_hash);
    memcpy(kept->hash, identity->key_hash, sizeof(kept->hash));
    kept->not_after_ms = identity->not_after_ms;
    kept->key_uid = (uint32_t) identity->key_uid;
    kept->tenant_uid = (uint32_t) identity->tenant_uid;
    kept->app_uid = (uint32_t) identity->app_uid;
    kept->org_uid = (uint32_t) identity->org_uid;
    kept->since = known->clock;
    kept->name = name_of(identity->path, identity->key);
    kept->shape = (uint16_t) shape;
    kept->org_len = (uint8_t) identity->org.len;
    kept->tenant_len = (uint8_t) identity->tenant.len;
    kept->app_len = (uint8_t) identity->app.len;
    kept->key_len = (uint8_t) identity->key.len;
    memcpy(kept->text, identity->path.data, identity->path.len);
    memcpy(kept->text + identity->path.len, identity->key.data, identity->key.len);
    return true;
}
