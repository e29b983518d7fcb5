#include "policy/store/image_patterns.h"

#include <stdlib.h>
#include <string.h>

#define HASH_START 14695981039346656037u   /* FNV-1a: only speed depends on it */
#define HASH_PRIME 1099511628211u

static bool
is_star(gh_str_t text)
{
    return text.len > 0 && text.data[text.len - 1] == '*';
}

/* The part that is compared. */
static gh_str_t
stem(gh_str_t text)
{
    return (gh_str_t) { text.data, text.len - is_star(text) };
}

static uint64_t
hash_end(uint64_t hash, bool star)
{
    hash = (hash ^ star) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

static uint64_t
text_hash(gh_str_t text)
{
    gh_str_t s = stem(text);
    uint64_t hash = HASH_START;

    for (size_t i = 0; i < s.len; i++) {
        hash = (hash ^ (uint8_t) s.data[i]) * HASH_PRIME;
    }
    return hash_end(hash, is_star(text));
}

/* The number of a stem, with or without a star, or GH_PATTERN_NONE; *slot is where it is or would be. */
static uint32_t
find(const gh_image_t *image, const gh_patterns_t *patterns, uint64_t hash, gh_str_t wanted, bool star, size_t *slot)
{
    for (*slot = hash & patterns->slot_mask; patterns->slots[*slot] != 0; *slot = (*slot + 1) & patterns->slot_mask) {
        uint32_t number = patterns->slots[*slot] - 1;
        gh_str_t text = gh_image_pattern(image, patterns->first[number]);

        if (is_star(text) == star && gh_str_eq(stem(text), wanted)) {
            return number;
        }
    }
    return GH_PATTERN_NONE;
}

static void
add_range(const gh_image_t *image, gh_patterns_t *patterns, gh_range_t range)
{
    for (uint32_t i = range.first; i < range.first + range.count; i++) {
        gh_str_t text = gh_image_pattern(image, i);
        size_t   slot;

        if (patterns->number[i] != GH_PATTERN_NONE) {
            continue;
        }
        patterns->number[i] = find(image, patterns, text_hash(text), stem(text), is_star(text), &slot);
        if (patterns->number[i] == GH_PATTERN_NONE) {
            patterns->first[patterns->count] = i;
            patterns->number[i] = patterns->count++;
            patterns->slots[slot] = patterns->count;
        }
    }
}

/* What no policy names was not checked and is never looked at. */
static void
add_policy(const gh_image_t *image, gh_patterns_t *patterns, const gh_image_policy_t *policy)
{
    add_range(image, patterns, policy->applies_to);
    for (uint32_t i = 0; i < policy->assigns.count; i++) {
        add_range(image, patterns, image->assigns[policy->assigns.first + i].tenants);
    }
    for (uint32_t i = 0; i < policy->rules.count; i++) {
        const gh_rule_t *rule = &image->rules[policy->rules.first + i];

        if (rule->states & GH_STATES_TENANTS) {
            add_range(image, patterns, (gh_range_t) { rule->tenants_first, rule->tenants_count });
        }
    }
}

static void
add_all(const gh_image_t *image, gh_patterns_t *patterns)
{
    for (uint32_t i = 0; i < image->count[GH_SECTION_TARGET]; i++) {
        add_range(image, patterns, image->targets[i].serves);
    }
    for (uint32_t i = 0; i < image->count[GH_SECTION_POLICY]; i++) {
        add_policy(image, patterns, &image->policies[i]);
    }
}

static bool
note_lengths(const gh_image_t *image, gh_patterns_t *patterns)
{
    for (uint32_t i = 0; i < patterns->count; i++) {
        gh_str_t text = gh_image_pattern(image, patterns->first[i]);

        if (is_star(text) && text.len - 1 > patterns->longest) {
            patterns->longest = (uint32_t) text.len - 1;
        }
    }
    patterns->lengths = calloc(patterns->longest / 64 + 1, sizeof(*patterns->lengths));
    for (uint32_t i = 0; patterns->lengths != NULL && i < patterns->count; i++) {
        gh_str_t text = gh_image_pattern(image, patterns->first[i]);

        if (is_star(text)) {
            patterns->lengths[(text.len - 1) / 64] |= (uint64_t) 1 << (text.len - 1) % 64;
        }
    }
    return patterns->lengths != NULL;
}

static int
assign_compare(const void *left, const void *right)
{
    const gh_pattern_assign_t *a = left, *b = right;

    if (a->pattern != b->pattern) {
        return a->pattern < b->pattern ? -1 : 1;
    }
    return (a->policy > b->policy) - (a->policy < b->policy);
}

/* One entry for each (pattern, policy): an image's checks do not keep two policies from naming the same assigns, so all are counted first. */
static bool
list_assigns(const gh_image_t *image, gh_patterns_t *patterns)
{
    size_t   count = 0;
    uint32_t kept = 0;

    for (uint32_t p = 0; p < image->count[GH_SECTION_POLICY]; p++) {
        gh_range_t range = image->policies[p].assigns;

        for (uint32_t a = range.first; a < range.first + range.count; a++) {
            count += image->assigns[a].tenants.count;
        }
    }
    if (count > UINT32_MAX / sizeof(*patterns->assigns)) {
        return false;
    }
    patterns->assigns = calloc(count + 1, sizeof(*patterns->assigns));
    if (patterns->assigns == NULL) {
        return false;
    }
    count = 0;
    for (uint32_t p = 0; p < image->count[GH_SECTION_POLICY]; p++) {
        gh_range_t range = image->policies[p].assigns;

        for (uint32_t a = range.first; a < range.first + range.count; a++) {
            const gh_image_assign_t *assign = &image->assigns[a];

            for (uint32_t i = 0; i < assign->tenants.count; i++) {
                patterns->assigns[count++] = (gh_pattern_assign_t) { patterns->number[assign->tenants.first + i], p,
                                                                     (uint32_t) 1 << assign->class_index };
            }
        }
    }
    qsort(patterns->assigns, count, sizeof(*patterns->assigns), assign_compare);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && assign_compare(&patterns->assigns[kept - 1], &patterns->assigns[i]) == 0) {
            patterns->assigns[kept - 1].class_mask |= patterns->assigns[i].class_mask;
        } else {
            patterns->assigns[kept++] = patterns->assigns[i];
        }
    }
    patterns->assign_count = kept;
    return true;
}

static bool
list_guards(const gh_image_t *image, gh_patterns_t *patterns)
{
    patterns->guards = calloc((size_t) image->count[GH_SECTION_POLICY] + 1, sizeof(*patterns->guards));
    for (uint32_t i = 0; patterns->guards != NULL && i < image->count[GH_SECTION_POLICY]; i++) {
        if (image->policies[i].guard) {
            patterns->guards[patterns->guard_count++] = i;
        }
    }
    return patterns->guards != NULL;
}

gh_patterns_t *
gh_patterns_new(const gh_image_t *image)
{
    size_t         count = image->count[GH_SECTION_PATTERN], slots = 64;
    gh_patterns_t *patterns = calloc(1, sizeof(*patterns));

    if (patterns == NULL) {
        return NULL;
    }
    while (slots < count * 2) {
        slots *= 2;
    }
    patterns->slot_mask = slots - 1;
    patterns->slots = calloc(slots, sizeof(*patterns->slots));
    patterns->number = malloc((count + 1) * sizeof(*patterns->number));
    patterns->first = malloc((count + 1) * sizeof(*patterns->first));
    if (patterns->slots == NULL || patterns->number == NULL || patterns->first == NULL) {
        gh_patterns_free(patterns);
        return NULL;
    }
    memset(patterns->number, 0xff, (count + 1) * sizeof(*patterns->number));
    add_all(image, patterns);
    if (!note_lengths(image, patterns) || !list_assigns(image, patterns) || !list_guards(image, patterns)) {
        gh_patterns_free(patterns);
        return NULL;
    }
    return patterns;
}

void
gh_patterns_free(gh_patterns_t *patterns)
{
    if (patterns != NULL) {
        free(patterns->slots);
        free(patterns->number);
        free(patterns->first);
        free(patterns->lengths);
        free(patterns->assigns);
        free(patterns->guards);
        free(patterns);
    }
}

uint32_t *
gh_patterns_match(const gh_image_t *image, gh_arena_t *arena, gh_str_t path, uint32_t *count)
{
    const gh_patterns_t *patterns = image->patterns_index;
    uint32_t            *numbers = gh_arena_array(arena, 2 * (path.len + 1), sizeof(*numbers));
    uint64_t             hash = HASH_START;

    *count = 0;
    for (size_t i = 0; numbers != NULL && i <= path.len; i++) {
        gh_str_t prefix = { path.data, i };
        size_t   slot;
        bool     end = i == path.len || path.data[i] == '/';
        bool     star = i <= patterns->longest && (patterns->lengths[i / 64] >> i % 64 & 1);

        for (int kind = 0; kind < 2; kind++) {
            uint32_t number;

            if (!(kind == 0 ? end : star)) {
                continue;
            }
            number = find(image, patterns, hash_end(hash, kind), prefix, kind, &slot);
            if (number != GH_PATTERN_NONE) {
                numbers[(*count)++] = number;
            }
        }
        if (i < path.len) {
            hash = (hash ^ (uint8_t) path.data[i]) * HASH_PRIME;
        }
    }
    return numbers;
}

uint32_t
gh_patterns_assigned(const gh_patterns_t *patterns, uint32_t pattern, uint32_t policy)
{
    gh_pattern_assign_t wanted = { pattern, policy, 0 };
    uint32_t            low = 0, high = patterns->assign_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (assign_compare(&patterns->assigns[middle], &wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < patterns->assign_count && assign_compare(&patterns->assigns[low], &wanted) == 0
        ? patterns->assigns[low].class_mask : 0;
}
