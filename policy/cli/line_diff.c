#include "policy/cli/line_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT   3
#define EDITS_MAX 2000

typedef struct {
    gh_str_t *lines;       /* without their newlines */
    bool     *changed;     /* deleted from the first text, added in the second */
    size_t    count;
} text_t;

static bool
split(gh_arena_t *arena, gh_str_t text, text_t *out)
{
    size_t count = 0, at = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += text.data[i] == '\n';
    }
    out->count = count + (text.len != 0 && text.data[text.len - 1] != '\n');
    out->lines = gh_arena_array(arena, out->count, sizeof(*out->lines));
    out->changed = gh_arena_array(arena, out->count, sizeof(*out->changed));
    if (out->lines == NULL || out->changed == NULL) {
        return false;
    }
    for (size_t i = 0; i < out->count; i++) {
        const char *end = memchr(text.data + at, '\n', text.len - at);
        size_t      len = end ? (size_t) (end - text.data) - at : text.len - at;

        out->lines[i] = (gh_str_t) { text.data + at, len };
        at += len + 1;
    }

    return true;
}

static void
mark(text_t *text, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        text->changed[i] = true;
    }
}

/* Back from the end over the saved fronts: which step of the shortest script came from where. */
static void
walk_back(text_t *a, text_t *b, size_t from, long x, long y, long **fronts, long edits)
{
    for (long d = edits; d > 0; d--) {
        const long *front = fronts[d - 1] + (d - 1);
        long        k = x - y;
        bool        down = k == -d || (k != d && front[k - 1] < front[k + 1]);
        long        before = down ? k + 1 : k - 1;

        x = front[before];
        y = x - before;
        if (down) {
            b->changed[from + (size_t) y] = true;
        } else {
            a->changed[from + (size_t) x] = true;
        }
    }
}

/* The greedy search over furthest points, one front for every number of edits. false: too many edits, or no memory. */
static bool
search(text_t *a, text_t *b, size_t from, long n, long m)
{
    long *fronts[EDITS_MAX + 1] = { NULL };
    bool  found = false;

    for (long d = 0; d <= EDITS_MAX && !found; d++) {
        const long *last = d > 0 ? fronts[d - 1] + (d - 1) : NULL;
        long       *front;

        fronts[d] = malloc((size_t) (2 * d + 1) * sizeof(long));
        if (fronts[d] == NULL) {
            break;
        }
        front = fronts[d] + d;

        for (long k = -d; k <= d && !found; k += 2) {
            long x = d == 0 ? 0 : k == -d || (k != d && last[k - 1] < last[k + 1]) ? last[k + 1] : last[k - 1] + 1;

            while (x < n && x - k < m && gh_str_eq(a->lines[from + (size_t) x], b->lines[from + (size_t) (x - k)])) {
                x++;
            }
            front[k] = x;
            if (x >= n && x - k >= m) {
                walk_back(a, b, from, n, m, fronts, d);
                found = true;
            }
        }
    }

    for (size_t d = 0; d <= EDITS_MAX; d++) {
        free(fronts[d]);
    }

    return found;
}

static void
compare(text_t *a, text_t *b)
{
    size_t from = 0, a_end = a->count, b_end = b->count;

    while (from < a_end && from < b_end && gh_str_eq(a->lines[from], b->lines[from])) {
        from++;
    }
    while (a_end > from && b_end > from && gh_str_eq(a->lines[a_end - 1], b->lines[b_end - 1])) {
        a_end--;
        b_end--;
    }
    if (!search(a, b, from, (long) (a_end - from), (long) (b_end - from))) {
        mark(a, from, a_end);
        mark(b, from, b_end);
    }
}

/* ---- hunks ---- */

static void
print_line(FILE *out, char sign, gh_str_t line)
{
    fputc(sign, out);
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char) line.data[i];

        fputc((c < 0x20 && c != '\t') || c == 0x7f ? '.' : c, out);
    }
    fputc('\n', out);
}

/* From a place where both texts stand at equal lines or at a change: the lines up to `to`, changes before additions. */
static void
print_lines(FILE *out, const text_t *a, const text_t *b, size_t i, size_t k, size_t a_to, size_t b_to)
{
    while (i < a_to || k < b_to) {
        if (i < a_to && a->changed[i]) {
            print_line(out, '-', a->lines[i++]);
        } else if (k < b_to && b->changed[k]) {
            print_line(out, '+', b->lines[k++]);
        } else {
            print_line(out, ' ', a->lines[i]);
            i++;
            k++;
        }
    }
}

/* Unchanged lines that follow, at most limit. */
static size_t
quiet(const text_t *a, const text_t *b, size_t i, size_t k, size_t limit)
{
    size_t run = 0;

    while (run < limit && i + run < a->count && k + run < b->count && !a->changed[i + run] && !b->changed[k + run]) {
        run++;
    }

    return run;
}

static void
print_hunks(FILE *out, const text_t *a, const text_t *b)
{
    size_t i = 0, k = 0;

    for ( ;; ) {
        size_t run = quiet(a, b, i, k, SIZE_MAX), lead = run < CONTEXT ? run : CONTEXT, from_a, from_b;

        i += run;
        k += run;
        if (i == a->count && k == b->count) {
            return;
        }
        from_a = i - lead;
        from_b = k - lead;

        for ( ;; ) {
            while (i < a->count && a->changed[i]) {
                i++;
            }
            while (k < b->count && b->changed[k]) {
                k++;
            }
            run = quiet(a, b, i, k, 2 * CONTEXT + 1);
            if (run > 2 * CONTEXT || (i + run == a->count && k + run == b->count)) {
                break;
            }
            i += run;
            k += run;
        }
        run = run < CONTEXT ? run : CONTEXT;
        fprintf(out, "@@ -%zu,%zu +%zu,%zu @@\n", from_a + (i + run > from_a), i + run - from_a, from_b + (k + run > from_b),
            k + run - from_b);
        print_lines(out, a, b, from_a, from_b, i + run, k + run);
        i += run;
        k += run;
    }
}

gh_str_t
gh_cli_line_diff(gh_arena_t *arena, gh_str_t before, gh_str_t after)
{
    text_t   a, b;
    char    *text = NULL;
    size_t   len = 0;
    FILE    *out;
    gh_str_t copy = { NULL, 0 };

    if (!split(arena, before, &a) || !split(arena, after, &b)) {
        return copy;
    }
    compare(&a, &b);

    out = open_memstream(&text, &len);
    if (out != NULL) {
        print_hunks(out, &a, &b);
        if (fclose(out) == 0) {
            copy = gh_str_copy(arena, (gh_str_t) { text, len });
        }
    }
    free(text);

    return copy;
}
