/*
 * A path is covered by at most one closed pattern for each of its parts and one open pattern for each of its lengths, so that
 * finding them all takes as many look-ups as the path has bytes, however many patterns there are.
 */
#include "policy/review/patterns.h"

#include <stdlib.h>
#include <string.h>

#define HASH_BEGIN 14695981039346656037ull             /* FNV-1a */
#define HASH_STEP(hash, byte) (((hash) ^ (uint8_t) (byte)) * 1099511628211ull)

typedef struct {
    const gh_image_t    *image;
    gh_review_pattern_t *out;                          /* NULL: only counted */
    uint32_t             count;
} gathering_t;

static void
gather_one(gathering_t *g, gh_str_t text)
{
    if (text.len == 0) {
        return;
    }
    if (g->out != NULL) {
        bool open = text.data[text.len - 1] == '*';

        g->out[g->count] = (gh_review_pattern_t) { { text.data, text.len - open }, open };
    }
    g->count++;
}

static void
gather(gathering_t *g, gh_range_t range)
{
    for (uint32_t i = 0; i < range.count; i++) {
        gather_one(g, gh_image_pattern(g->image, range.first + i));
    }
}

static void
gather_image(gathering_t *g)
{
    const gh_image_t *image = g->image;

    for (uint32_t i = 0; i < image->count[GH_SECTION_RULE]; i++) {
        const gh_rule_t *rule = &image->rules[i];

        if (rule->states & GH_STATES_TENANTS) {
            gather(g, (gh_range_t) { rule->tenants_first, rule->tenants_count });
        }
    }
    for (uint32_t i = 0; i < image->count[GH_SECTION_ASSIGN]; i++) {
        gather(g, image->assigns[i].tenants);
    }
    for (uint32_t i = 0; i < image->count[GH_SECTION_TARGET]; i++) {
        gather(g, image->targets[i].serves);
    }
    for (uint32_t i = 0; i < image->count[GH_SECTION_POLICY]; i++) {
        if (image->policies[i].guard) {
            gather(g, image->policies[i].applies_to);
        }
    }
}

static int
compare(const void *left, const void *right)
{
    const gh_review_pattern_t *a = left, *b = right;
    int                        order = gh_str_cmp(a->literal, b->literal);

    return order != 0 ? order : (int) a->open - (int) b->open;
}

static uint64_t
hash_of(gh_str_t literal)
{
    uint64_t hash = HASH_BEGIN;

    for (size_t i = 0; i < literal.len; i++) {
        hash = HASH_STEP(hash, literal.data[i]);
    }
    return hash;
}

/* The slot of a literal, or the free one where it would stand. */
static uint32_t *
slot_of(const gh_review_patterns_t *patterns, uint64_t hash, gh_str_t literal, bool open)
{
    uint32_t at = (uint32_t) hash & (patterns->capacity - 1);

    while (patterns->slots[at] != 0) {
        const gh_review_pattern_t *item = &patterns->items[patterns->slots[at] - 1];

        if (item->open == open && gh_str_eq(item->literal, literal)) {
            break;
        }
        at = (at + 1) & (patterns->capacity - 1);
    }
    return &patterns->slots[at];
}

static int
index_patterns(gh_arena_t *arena, gh_review_patterns_t *patterns)
{
    patterns->capacity = 64;
    while (patterns->capacity < patterns->count * 2) {
        patterns->capacity *= 2;
    }
    patterns->slots = gh_arena_array(arena, patterns->capacity, sizeof(*patterns->slots));
    if (patterns->slots == NULL) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < patterns->count; i++) {
        const gh_review_pattern_t *item = &patterns->items[i];

        *slot_of(patterns, hash_of(item->literal), item->literal, item->open) = i + 1;
        if (item->open && item->literal.len <= GH_REVIEW_PATH_MAX) {
            patterns->open_lengths[item->literal.len / 64] |= (uint64_t) 1 << (item->literal.len % 64);
        }
    }
    return GH_OK;
}

int
gh_review_patterns_gather(gh_arena_t *arena, const gh_image_t *const *images, uint32_t image_count, const gh_str_t *more,
    uint32_t more_count, gh_review_patterns_t *patterns)
{
    gathering_t g = { 0 };
    uint32_t    kept = 0;

    memset(patterns, 0, sizeof(*patterns));
    for (uint32_t i = 0; i < image_count; i++) {
        g.image = images[i];
        gather_image(&g);
    }
    g.out = patterns->items = gh_arena_array(arena, g.count + more_count, sizeof(*patterns->items));
    if (patterns->items == NULL) {
        return GH_ERROR;
    }
    g.count = 0;
    for (uint32_t i = 0; i < image_count; i++) {
        g.image = images[i];
        gather_image(&g);
    }
    for (uint32_t i = 0; i < more_count; i++) {
        gather_one(&g, more[i]);
    }
    qsort(patterns->items, g.count, sizeof(*patterns->items), compare);
    for (uint32_t i = 0; i < g.count; i++) {
        if (kept == 0 || compare(&patterns->items[kept - 1], &patterns->items[i]) != 0) {
            patterns->items[kept++] = patterns->items[i];
        }
    }
    patterns->count = kept;
    return index_patterns(arena, patterns);
}

uint32_t
gh_review_patterns_covering(const gh_review_patterns_t *patterns, gh_str_t path, uint32_t *found)
{
    uint64_t hash = HASH_BEGIN;
    uint32_t count = 0;

    for (size_t len = 0; len <= path.len && len <= GH_REVIEW_PATH_MAX; len++) {
        gh_str_t  head = { path.data, len };
        uint32_t *slot;

        if (len > 0 && (len == path.len || path.data[len] == '/') && *(slot = slot_of(patterns, hash, head, false)) != 0) {
            found[count++] = *slot - 1;
        }
        if ((patterns->open_lengths[len / 64] >> (len % 64) & 1) && *(slot = slot_of(patterns, hash, head, true)) != 0) {
            found[count++] = *slot - 1;
        }
        if (len < path.len) {
            hash = HASH_STEP(hash, path.data[len]);
        }
    }
    return count;
}

gh_range_t
gh_review_patterns_below(const gh_review_patterns_t *patterns, gh_str_t prefix)
{
    uint32_t   low = 0, high = patterns->count;
    gh_range_t range;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (gh_str_cmp(patterns->items[middle].literal, prefix) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    range = (gh_range_t) { low, 0 };
    while (low < patterns->count && gh_str_starts(patterns->items[low].literal, prefix)) {
        low++;
        range.count++;
    }
    return range;
}
