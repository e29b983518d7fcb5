/*
 * OpenAI's "usage" object: prompt_tokens, completion_tokens, prompt_tokens_details{cached_tokens, cache_write_tokens},
 * completion_tokens_details{reasoning_tokens}. Cached tokens are among the prompt's, reasoning among the completion's.
 * SGLang has reasoning_tokens beside the two counts.
 */
#include <string.h>

#include "ngx_module/wire/wire.h"
#include "policy/base/json_reader.h"

#define TOKENS_MAX (UINT64_C(1) << 40)

enum {
    SCAN_BEFORE = 0,   /* the root's { has not come */
    SCAN_KEY,          /* a key of the root must come */
    SCAN_IN_KEY,
    SCAN_COLON,
    SCAN_VALUE,        /* the first byte of the root's "usage" must come */
    SCAN_OTHER,        /* anything up to the root's next comma */
    SCAN_DONE
};

/* A count; null leaves it as it is. */
static bool
usage_count(gh_json_reader_t *r, uint64_t *out)
{
    if (gh_json_next(r) == GH_JSON_NULL) {
        return true;
    }

    return r->event == GH_JSON_NUMBER && gh_json_token_u64(r, out) == GH_OK && *out <= TOKENS_MAX;
}

/* prompt_tokens_details, completion_tokens_details; null and absent are the same. */
static bool
usage_details(gh_json_reader_t *r, gh_usage_t *usage, bool prompt)
{
    bool good;

    if (gh_json_next(r) == GH_JSON_NULL) {
        return true;
    }

    if (r->event != GH_JSON_OBJECT_BEGIN) {
        return false;
    }

    while (gh_json_next(r) == GH_JSON_KEY) {
        if (prompt && gh_json_token_is(r, GH_STR("cached_tokens"))) {
            good = usage_count(r, &usage->cached);
        } else if (prompt && gh_json_token_is(r, GH_STR("cache_write_tokens"))) {
            good = usage_count(r, &usage->cache_write);
        } else if (!prompt && gh_json_token_is(r, GH_STR("reasoning_tokens"))) {
            good = usage_count(r, &usage->reasoning);
        } else {
            good = gh_json_skip(r) == GH_OK;
        }
        if (!good) {
            return false;
        }
    }

    return r->event == GH_JSON_OBJECT_END;
}

bool
gh_usage_parse(gh_str_t json, gh_usage_t *usage)
{
    gh_json_reader_t r;
    gh_usage_t       read;
    uint64_t         absent = UINT64_MAX;
    bool             good;

    memset(&read, 0, sizeof(read));
    read.input = absent;
    read.output = absent;

    gh_json_reader_init(&r, json, 0);
    if (gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return false;
    }

    while (gh_json_next(&r) == GH_JSON_KEY) {
        if (gh_json_token_is(&r, GH_STR("prompt_tokens"))) {
            good = usage_count(&r, &read.input);
        } else if (gh_json_token_is(&r, GH_STR("completion_tokens"))) {
            good = usage_count(&r, &read.output);
        } else if (gh_json_token_is(&r, GH_STR("prompt_tokens_details"))) {
            good = usage_details(&r, &read, true);
        } else if (gh_json_token_is(&r, GH_STR("completion_tokens_details"))) {
            good = usage_details(&r, &read, false);
        } else if (read.reasoning == 0 && gh_json_token_is(&r, GH_STR("reasoning_tokens"))) {
            good = usage_count(&r, &read.reasoning);
        } else {
            good = gh_json_skip(&r) == GH_OK;
        }
        if (!good) {
            return false;
        }
    }

    if (r.event != GH_JSON_OBJECT_END || gh_json_next(&r) != GH_JSON_END
        || (read.input == absent && read.output == absent))
    {
        return false;
    }

    /* embeddings have no completion_tokens */
    read.input = read.input == absent ? 0 : read.input;
    read.output = read.output == absent ? 0 : read.output;
    read.reported = true;
    *usage = read;

    return true;
}

void
gh_usage_scan_init(gh_usage_scan_t *scan)
{
    scan->found = false;
    memset(&scan->usage, 0, sizeof(scan->usage));
    scan->depth = 0;
    scan->state = SCAN_BEFORE;
    scan->in_string = false;
    scan->escape = false;
    scan->capturing = false;
    scan->key_len = 0;
    scan->capture_len = 0;
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
}

/* Past the string that p is inside of, or end. A root's key is kept as far as it may be "usage". */
static const char *
scan_string(gh_usage_scan_t *scan, const char *p, const char *end)
{
    const char *quote = NULL, *backslash = NULL, *stop;

    while (p < end) {
        if (scan->escape) {
            scan->escape = false;
            p++;
            continue;
        }

        /* both are looked for once, however many escapes there are */
        if (quote == NULL || quote < p) {
            quote = memchr(p, '"', (size_t) (end - p));
            quote = quote != NULL ? quote : end;
        }
        if (backslash == NULL || backslash < p) {
            backslash = memchr(p, '\\', (size_t) (quote - p));
            backslash = backslash != NULL ? backslash : quote;
        }

        stop = backslash < quote ? backslash : quote;
        if (scan->state == SCAN_IN_KEY) {
            size_t len = (size_t) (stop - p), room = sizeof(scan->key) - scan->key_len;

            if (stop < end && *stop == '\\') {
                scan->key_len = sizeof(scan->key);   /* an escaped spelling is none that backends use */
            } else {
                len = len < room ? len : room;
                memcpy(scan->key + scan->key_len, p, len);
                scan->key_len += len;
            }
        }

        p = stop;
        if (p == end) {
            break;
        }

        if (*p++ == '\\') {
            scan->escape = true;
            continue;
        }

        scan->in_string = false;
        if (scan->state == SCAN_IN_KEY) {
            scan->state = SCAN_COLON;
        }
        break;
    }

    return p;
}

/* A closing bracket has been counted; p is past it. */
static void
scan_closed(gh_usage_scan_t *scan, const char *from, const char *p)
{
    gh_usage_t usage;

    if (scan->depth == 1 && scan->capturing) {
        scan_capture(scan, from, (size_t) (p - from));
        scan->capturing = false;
        if (scan->capture_len <= GH_USAGE_MAX
            && gh_usage_parse((gh_str_t) { scan->capture, scan->capture_len }, &usage))
        {
            scan->found = true;
            scan->usage = usage;
        }
    }

    if (scan->depth == 0) {
        scan->state = SCAN_DONE;
    }
}

void
gh_usage_scan_feed(gh_usage_scan_t *scan, const char *data, size_t len)
{
    const char *p = data, *end = data + len, *from = data;

    while (p < end && scan->state != SCAN_DONE) {
        if (scan->in_string) {
            p = scan_string(scan, p, end);
            continue;
        }

        switch (*p++) {

        case '"':
            scan->in_string = true;
            if (scan->state == SCAN_KEY && scan->depth == 1) {
                scan->state = SCAN_IN_KEY;
                scan->key_len = 0;
            } else if (scan->state == SCAN_VALUE) {
                scan->state = SCAN_OTHER;
            } else if (scan->state == SCAN_BEFORE) {
                scan->in_string = false;
            }
            break;

        case ':':
            if (scan->state == SCAN_COLON) {
                scan->state = scan->key_len == 5 && memcmp(scan->key, "usage", 5) == 0 ? SCAN_VALUE : SCAN_OTHER;
            }
            break;

        case ',':
            if (scan->depth == 1) {
                scan->state = SCAN_KEY;
            }
            break;

        case '{':
            if (scan->state == SCAN_BEFORE) {
                scan->state = SCAN_KEY;
            } else if (scan->state == SCAN_VALUE) {
                scan->capturing = true;
                scan->capture_len = 0;
                from = p - 1;
                scan->state = SCAN_OTHER;
            }
            scan->depth++;
            break;

        case '[':
            if (scan->state != SCAN_BEFORE) {
                scan->state = scan->depth == 1 ? SCAN_OTHER : scan->state;
                scan->depth++;
            }
            break;

        case '}':
        case ']':
            if (scan->depth != 0) {
                scan->depth--;
                scan_closed(scan, from, p);
            }
            break;

        default:
            break;
        }
    }

    if (scan->capturing) {
        scan_capture(scan, from, (size_t) (p - from));
    }
}
