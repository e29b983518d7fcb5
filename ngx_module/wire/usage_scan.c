/*
 * A plain JSON answer on its way, in fixed memory: its "usage", and how much text its choices hold, for an estimate when usage is missing or never
 * comes. Text is what a stream's deltas would count: strings in a choice's message, text or delta, but for its labels.
 */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/dialect.h"
#include "ngx_module/wire/wire.h"
#include "policy/base/find.h"

enum {
    SCAN_BEFORE = 0,   /* the root's { has not come */
    SCAN_KEY,          /* a key of the root must come */
    SCAN_IN_KEY,
    SCAN_COLON,
    SCAN_VALUE,        /* the first byte of the root's "usage" must come */
    SCAN_OTHER,        /* anything up to the root's next comma */
    SCAN_DONE
};

void
gh_usage_scan_init(gh_usage_scan_t *scan, gh_hub_dialect_t dialect)
{
    scan->dialect = dialect;
    scan->shape = &gh_hub_rows[dialect]->shape;
    scan->found = false;
    scan->content_bytes = 0;
    memset(&scan->usage, 0, sizeof(scan->usage));
    scan->depth = 0;
    scan->state = SCAN_BEFORE;
    scan->in_string = false;
    scan->escape = false;
    scan->capturing = false;
    scan->key_len = 0;
    scan->unicode_left = 0;
    scan->choices = false;
    scan->choice_key = false;
    scan->counting = false;
    scan->label = false;
    scan->capture_len = 0;
    scan->capture_most = 0;
}

size_t
gh_usage_scan_written(const gh_usage_scan_t *scan)
{
    return offsetof(gh_usage_scan_t, capture) + scan->capture_most;
}

static void
scan_capture(gh_usage_scan_t *scan, const char *data, size_t len)
{
    if (len > GH_USAGE_MAX || scan->capture_len + len > GH_USAGE_MAX) {
        scan->capture_len = GH_USAGE_MAX + 1;
        return;
    }

    memcpy(scan->capture + scan->capture_len, data, len);
    scan->capture_len += len;
    scan->capture_most = scan->capture_most > scan->capture_len ? scan->capture_most : scan->capture_len;
}

/*
 * len bytes of a string, and more behind them up to end. The first bytes of each are kept, for it may be a key; an escaped spelling is none that
 * backends use.
 */
static void
string_run(gh_usage_scan_t *scan, const char *data, size_t len, const char *end)
{
    size_t room = sizeof(scan->key) - scan->key_len;

    scan->string_bytes += len;
    len = len < room ? len : room;
    if (scan->key_len == 0 && (size_t) (end - data) >= sizeof(scan->key)) {
        memcpy(scan->key, data, sizeof(scan->key));   /* one word, whatever of it counts */
    } else {
        memcpy(scan->key + scan->key_len, data, len);
    }
    scan->key_len += len;
}

/* One byte behind a backslash. */
static void
string_escape(gh_usage_scan_t *scan, char c)
{
    if (scan->unicode_left == 0) {
        if (c == 'u') {
            scan->unicode_left = 4;
            scan->unicode = 0;
            return;
        }
        scan->string_bytes++;
        scan->escape = false;
        return;
    }

    /* not a hexadecimal digit: nobody's JSON, whatever it counts */
    scan->unicode = scan->unicode << 4 | (uint32_t) (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) % 16;
    if (--scan->unicode_left == 0) {
        /* halves of a surrogate pair are two bytes each */
        scan->string_bytes += scan->unicode < 0x80 ? 1 : scan->unicode < 0x800 || (scan->unicode & 0xf800) == 0xd800 ? 2 : 3;
        scan->escape = false;
    }
}

static void
string_begin(gh_usage_scan_t *scan)
{
    scan->in_string = true;
    scan->key_len = 0;
    scan->string_bytes = 0;
}

/* It may still turn out to be a key. */
static void
string_end(gh_usage_scan_t *scan)
{
    scan->in_string = false;

    if (scan->state == SCAN_IN_KEY) {
        scan->state = SCAN_COLON;
    } else if (scan->counting && !scan->label) {
        scan->content_bytes += scan->string_bytes;
    }
}

/* Past the string that p is inside of, or end. */
static const char *
scan_string(gh_usage_scan_t *scan, const char *p, const char *end)
{
    const char *stop;

    while (p < end) {
        if (scan->escape) {
            string_escape(scan, *p++);
            continue;
        }

        stop = gh_find_quote(p, end);
        string_run(scan, p, (size_t) (stop - p), end);

        p = stop;
        if (p == end) {
            break;
        }

        if (*p++ == '\\') {
            scan->key_len = sizeof(scan->key);
            scan->escape = true;
            continue;
        }

        string_end(scan);
        break;
    }

    return p;
}

static bool
key_is(const gh_usage_scan_t *scan, const char *name)
{
    return scan->key_len == strlen(name) && memcmp(scan->key, name, scan->key_len) == 0;
}

/* What the colon follows is a key. */
static void
scan_colon(gh_usage_scan_t *scan)
{
    if (scan->state == SCAN_COLON) {
        scan->state = key_is(scan, "usage") ? SCAN_VALUE : SCAN_OTHER;
        scan->choices = key_is(scan, scan->shape->member);
        return;
    }

    if (!scan->choices) {
        return;
    }

    if (scan->depth == scan->shape->depth && scan->choice_key) {
        scan->choice_key = false;
        scan->counting = key_is(scan, scan->shape->keys[0]) || key_is(scan, scan->shape->keys[1]) || key_is(scan, scan->shape->keys[2]);
        scan->label = false;
        scan->string_bytes = 0;
        return;
    }

    if (scan->counting) {
        scan->content_bytes -= scan->label ? 0 : scan->string_bytes;   /* it was counted as a value */
        scan->string_bytes = 0;
        scan->label = key_is(scan, "role") || key_is(scan, "id") || key_is(scan, "type");
    }
}

static void
scan_comma(gh_usage_scan_t *scan)
{
    if (scan->depth == 1) {
        scan->state = SCAN_KEY;
        scan->choices = false;
        scan->counting = false;
    } else if (scan->depth == scan->shape->depth) {
        scan->choice_key = scan->choices;
        scan->counting = false;
    }
}

/* A closing bracket has been counted; p is past it. */
static void
scan_closed(gh_usage_scan_t *scan, const char *from, const char *p)
{
    gh_usage_t usage;

    if (scan->depth == 1 && scan->capturing) {
        scan_capture(scan, from, (size_t) (p - from));
        scan->capturing = false;
        if (scan->capture_len <= GH_USAGE_MAX) {
            memset(&usage, 0, sizeof(usage));
            if (gh_hub_usage_read(scan->dialect, (gh_str_t) { scan->capture, scan->capture_len }, &usage)) {
                scan->found = true;
                scan->usage = usage;
            }
        }
    }

    if (scan->depth == 0) {
        scan->state = SCAN_DONE;
    }
}

uint64_t
gh_usage_scan_content(const gh_usage_scan_t *scan)
{
    /* the answer broke off inside of a text */
    return scan->content_bytes + (scan->in_string && scan->counting && !scan->label ? scan->string_bytes : 0);
}

/* Past the root's opening brace, or end. What is no JSON counts as text. */
static const char *
scan_before(gh_usage_scan_t *scan, const char *p, const char *end)
{
    const char *brace = memchr(p, '{', (size_t) (end - p));

    if (brace == NULL) {
        scan->content_bytes += (uint64_t) (end - p);
        return end;
    }

    scan->state = SCAN_KEY;
    scan->content_bytes = 0;
    scan->depth = 1;

    return brace + 1;
}

/* The next byte that is neither of a number nor of a word nor a space, or end. */
static const char *
scan_between(const char *p, const char *end)
{
    static const bool marks[256] = { ['"'] = true, [':'] = true, [','] = true, ['{'] = true, ['}'] = true, ['['] = true, [']'] = true };

    while (p < end && !marks[(unsigned char) *p]) {
        p++;
    }

    return p;
}

void
gh_usage_scan_feed(gh_usage_scan_t *scan, const char *data, size_t len)
{
    const char *p = data, *end = data + len, *from = data;

    if (scan->state == SCAN_BEFORE && len != 0) {
        p = scan_before(scan, p, end);
    }

    while (p < end && scan->state != SCAN_DONE) {
        if (scan->in_string) {
            p = scan_string(scan, p, end);
            continue;
        }

        p = scan_between(p, end);
        if (p == end) {
            break;
        }

        switch (*p++) {

        case '"':
            string_begin(scan);
            if (scan->state == SCAN_KEY && scan->depth == 1) {
                scan->state = SCAN_IN_KEY;
            } else if (scan->state == SCAN_VALUE) {
                scan->state = SCAN_OTHER;
            }
            break;

        case ':':
            scan_colon(scan);
            break;

        case ',':
            scan_comma(scan);
            break;

        case '{':
            if (scan->state == SCAN_VALUE) {
                scan->capturing = true;
                scan->capture_len = 0;
                from = p - 1;
                scan->state = SCAN_OTHER;
            }
            scan->depth++;
            if (scan->depth == scan->shape->depth) {
                scan->choice_key = scan->choices;
                scan->counting = false;
            }
            break;

        case '[':
            scan->state = scan->depth == 1 ? SCAN_OTHER : scan->state;
            scan->depth++;
            break;

        default:
            scan->depth--;
            scan_closed(scan, from, p);
            break;
        }
    }

    if (scan->capturing) {
        scan_capture(scan, from, (size_t) (p - from));
    }
}
