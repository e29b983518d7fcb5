/* Key names are [a-z0-9][a-z0-9-]{0,62}: a kind's example is searched along the names that the patterns spell. */
#include "policy/review/keys.h"

#include <string.h>

#define NAME_MAX_BYTES 63

static const char letters[] = "xabcdefghijklmnopqrstuvwyz0123456789-";

typedef struct {
    const gh_review_patterns_t *patterns;
    gh_range_t                  range;       /* patterns below the app */
    size_t                      skip;        /* bytes of "org/tenant/app/" in their literals */
    char                        name[NAME_MAX_BYTES + 1];
} search_t;

static gh_str_t
spelled(const search_t *s, uint32_t index)
{
    gh_str_t literal = s->patterns->items[s->range.first + index].literal;

    return (gh_str_t) { literal.data + s->skip, literal.len - s->skip };
}

/* The first of the range not before name; its count when all are. */
static uint32_t
lower(const search_t *s, gh_str_t name)
{
    uint32_t low = 0, high = s->range.count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (gh_str_cmp(spelled(s, middle), name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool
begins_some(const search_t *s, gh_str_t name)
{
    uint32_t at = lower(s, name);

    return at < s->range.count && gh_str_starts(spelled(s, at), name);
}

static bool
is_listed(const search_t *s, gh_str_t name, bool open)
{
    for (uint32_t at = lower(s, name); at < s->range.count && gh_str_eq(spelled(s, at), name); at++) {
        if (s->patterns->items[s->range.first + at].open == open) {
            return true;
        }
    }
    return false;
}

/* Extends name[0..len) to a name that no closed pattern is and no further open one begins. 0: there is none; else its length. */
static size_t
find_free(search_t *s, size_t len)
{
    if (len > 0 && !is_listed(s, (gh_str_t) { s->name, len }, false)) {
        return len;
    }
    for (size_t i = 0; len < NAME_MAX_BYTES && letters[i] != '\0'; i++) {
        s->name[len] = letters[i];
        if ((len > 0 || letters[i] != '-') && !begins_some(s, (gh_str_t) { s->name, len + 1 })) {
            return len + 1;
        }
    }
    for (size_t i = 0; len < NAME_MAX_BYTES && letters[i] != '\0'; i++) {
        size_t found = 0;

        s->name[len] = letters[i];
        if ((len > 0 || letters[i] != '-') && !is_listed(s, (gh_str_t) { s->name, len + 1 }, true)) {
            found = find_free(s, len + 1);
        }
        if (found > 0) {
            return found;
        }
    }
    return 0;
}

static int
add(gh_arena_t *arena, search_t *s, gh_review_key_kind_t kind, gh_str_t stem, gh_review_key_t *keys, uint32_t *count)
{
    size_t   len = stem.len;
    gh_str_t example;

    if (len > NAME_MAX_BYTES || (len > 0 && stem.data[0] == '-')) {
        return GH_OK;
    }
    memcpy(s->name, stem.data, len);
    if (kind != GH_REVIEW_KEY_NAMED && (len = find_free(s, len)) == 0) {
        return GH_OK;
    }
    example = gh_str_copy(arena, (gh_str_t) { s->name, len });
    if (example.data == NULL) {
        return GH_ERROR;
    }
    keys[(*count)++] = (gh_review_key_t) { kind, stem, example };
    return GH_OK;
}

int
gh_review_keys(gh_arena_t *arena, const gh_review_patterns_t *patterns, gh_str_t app, gh_review_key_t **keys, uint32_t *count)
{
    char     prefix[GH_REVIEW_PATH_MAX + 2];
    search_t s = { .patterns = patterns, .skip = app.len + 1 };

    *count = 0;
    if (app.len > GH_REVIEW_PATH_MAX) {
        return GH_ERROR;
    }
    memcpy(prefix, app.data, app.len);
    prefix[app.len] = '/';
    s.range = gh_review_patterns_below(patterns, (gh_str_t) { prefix, s.skip });
    *keys = gh_arena_array(arena, s.range.count + 1, sizeof(**keys));
    if (*keys == NULL || add(arena, &s, GH_REVIEW_KEY_OTHER, GH_STR(""), *keys, count) != GH_OK) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < s.range.count; i++) {
        bool open = patterns->items[s.range.first + i].open;

        if (add(arena, &s, open ? GH_REVIEW_KEY_BEGINS : GH_REVIEW_KEY_NAMED, spelled(&s, i), *keys, count) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}
