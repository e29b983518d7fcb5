/* Patterns over sorted names: see spans.h. */
#include "policy/document/spans.h"

#include <stdlib.h>
#include <string.h>

static int
name_cmp(const void *left, const void *right)
{
    return gh_str_cmp(*(const gh_str_t *) left, *(const gh_str_t *) right);
}

void
gh_names_sort(gh_names_t *names)
{
    for (uint32_t i = 1; i < names->count; i++) {
        if (gh_str_cmp(names->items[i - 1], names->items[i]) > 0) {
            qsort(names->items, names->count, sizeof(*names->items), name_cmp);
            return;
        }
    }
}

/* Order of a name against all that begin with prefix and then have next: <0 before them, 0 one of them, >0 behind. next 0: anything. */
static int
against(gh_str_t name, gh_str_t prefix, char next)
{
    size_t len = name.len < prefix.len ? name.len : prefix.len;
    int    order = len != 0 ? memcmp(name.data, prefix.data, len) : 0;

    if (order != 0 || name.len < prefix.len) {
        return order != 0 ? order : -1;
    }
    if (next == '\0') {
        return 0;
    }
    if (name.len == prefix.len) {
        return -1;
    }
    return (int) (unsigned char) name.data[prefix.len] - (int) (unsigned char) next;
}

/* First index at which against() is at least `least`. */
static uint32_t
bound(const gh_names_t *names, gh_str_t prefix, char next, int least)
{
    uint32_t low = 0, high = names->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (against(names->items[middle], prefix, next) < least) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static unsigned
add_prefix(const gh_names_t *names, gh_str_t prefix, char next, gh_span_t spans[2], unsigned count)
{
    gh_span_t span = { bound(names, prefix, next, 0), bound(names, prefix, next, 1) };

    if (span.begin < span.end) {
        spans[count++] = span;
    }
    return count;
}

unsigned
gh_spans_of(const gh_names_t *names, gh_str_t pattern, gh_span_t spans[2])
{
    unsigned  count = 0;
    gh_span_t same;

    if (pattern.len == 0) {
        return 0;
    }
    if (pattern.data[pattern.len - 1] == '*') {
        return add_prefix(names, (gh_str_t) { pattern.data, pattern.len - 1 }, '\0', spans, 0);
    }
    same.begin = same.end = bound(names, pattern, '\0', 0);
    while (same.end < names->count && gh_str_eq(names->items[same.end], pattern)) {
        same.end++;
    }
    if (same.begin < same.end) {
        spans[count++] = same;
    }
    return add_prefix(names, pattern, '/', spans, count);
}

static int
span_cmp(const void *left, const void *right)
{
    const gh_span_t *a = left, *b = right;

    return (a->begin > b->begin) - (a->begin < b->begin);
}

static gh_spans_t
merged(gh_spans_t spans)
{
    uint32_t kept = 0;

    if (spans.count > 1) {
        qsort(spans.items, spans.count, sizeof(*spans.items), span_cmp);
    }
    for (uint32_t i = 1; i < spans.count; i++) {
        gh_span_t *last = &spans.items[kept];

        if (spans.items[i].begin <= last->end) {
            last->end = spans.items[i].end > last->end ? spans.items[i].end : last->end;
        } else {
            spans.items[++kept] = spans.items[i];
        }
    }
    spans.count = spans.count ? kept + 1 : 0;
    return spans;
}

static gh_spans_t
room(gh_loader_t *loader, size_t count)
{
    gh_spans_t spans = { gh_arena_array(loader->arena, count, sizeof(gh_span_t)), 0 };

    if (spans.items == NULL) {
        loader->report->no_memory = 1;
    }
    return spans;
}

gh_spans_t
gh_spans_of_list(gh_loader_t *loader, const gh_names_t *names, const gh_str_list_t *patterns, gh_spans_how_t how)
{
    gh_spans_t spans = room(loader, patterns == NULL ? 1 : (size_t) patterns->count * 2);

    if (spans.items == NULL) {
        return spans;
    }
    if (patterns == NULL) {
        spans.items[0] = (gh_span_t) { 0, names->count };
        spans.count = names->count != 0;
        return spans;
    }
    for (uint32_t i = 0; i < patterns->count; i++) {
        if (how == GH_SPANS_SOME || gh_pattern_is_whole(patterns->items[i])) {
            spans.count += gh_spans_of(names, gh_pattern_of_app(patterns->items[i]), spans.items + spans.count);
        }
    }
    return merged(spans);
}

bool
gh_spans_next(gh_common_t *common)
{
    while (common->at_a < common->a.count && common->at_b < common->b.count) {
        gh_span_t x = common->a.items[common->at_a], y = common->b.items[common->at_b];

        common->span = (gh_span_t) { x.begin > y.begin ? x.begin : y.begin, x.end < y.end ? x.end : y.end };
        common->at_a += x.end <= y.end;
        common->at_b += y.end <= x.end;
        if (common->span.begin < common->span.end) {
            return true;
        }
    }
    return false;
}

gh_spans_t
gh_spans_both(gh_loader_t *loader, gh_spans_t a, gh_spans_t b)
{
    gh_spans_t  both = room(loader, (size_t) a.count + b.count);
    gh_common_t common = { .a = a, .b = b };

    while (both.items != NULL && gh_spans_next(&common)) {
        both.items[both.count++] = common.span;
    }
    return both;
}

uint32_t
gh_spans_size(gh_spans_t spans)
{
    uint32_t size = 0;

    for (uint32_t i = 0; i < spans.count; i++) {
        size += spans.items[i].end - spans.items[i].begin;
    }
    return size;
}

bool
gh_spans_touch(gh_spans_t spans, gh_span_t span)
{
    for (uint32_t i = 0; i < spans.count; i++) {
        if (spans.items[i].begin < span.end && span.begin < spans.items[i].end) {
            return true;
        }
    }
    return false;
}

gh_str_t
gh_pattern_of_app(gh_str_t pattern)
{
    unsigned slashes = 0;

    for (size_t i = 0; i < pattern.len; i++) {
        slashes += pattern.data[i] == '/';
        if (slashes == 3) {
            return (gh_str_t) { pattern.data, i };
        }
    }
    return pattern;
}

bool
gh_pattern_is_whole(gh_str_t pattern)
{
    gh_str_t app = gh_pattern_of_app(pattern);

    return app.len == pattern.len || (pattern.len == app.len + 2 && pattern.data[pattern.len - 1] == '*');
}
