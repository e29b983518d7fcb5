/*
 * OpenAI's "usage" object: prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details{cached_tokens, cache_write_tokens, audio_tokens},
 * completion_tokens_details{reasoning_tokens, audio_tokens}. Cached tokens are among the prompt's, reasoning among the completion's. SGLang has
 * reasoning_tokens beside the two counts.
 *
 * Some that speak this format count cached tokens beside the prompt's (as Anthropic's and Bedrock's own formats do), or reasoning beside the
 * completion's (xAI): their total_tokens tells.
 */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/wire.h"
#include "policy/base/json_reader.h"

#define TOKENS_MAX (UINT64_C(1) << 40)

/* A count; null leaves it as it is. */
static bool
usage_count(gh_json_reader_t *r, uint64_t *out)
{
    if (gh_json_next(r) == GH_JSON_NULL) {
        return true;
    }

    return r->event == GH_JSON_NUMBER && gh_json_token_u64(r, out) == GH_OK && *out <= TOKENS_MAX;
}

typedef struct {
    gh_usage_t usage;
    uint64_t   total;
    uint32_t   seen;      /* bits by the counts' place in `counts` */
} reading_t;

enum { IN_USAGE = 0, IN_PROMPT, IN_COMPLETION };

static const struct {
    uint8_t  where;
    gh_str_t name;
    size_t   offset;      /* in reading_t */
} counts[] = {
#define COUNT(where, name, field) { where, { (name), sizeof(name) - 1 }, offsetof(reading_t, field) }
    COUNT(IN_USAGE, "prompt_tokens", usage.input),
    COUNT(IN_USAGE, "completion_tokens", usage.output),
    COUNT(IN_USAGE, "reasoning_tokens", usage.reasoning),
    COUNT(IN_PROMPT, "cached_tokens", usage.cached),
    COUNT(IN_PROMPT, "cache_write_tokens", usage.cache_write),
    COUNT(IN_PROMPT, "audio_tokens", usage.audio_input),
    COUNT(IN_COMPLETION, "reasoning_tokens", usage.reasoning),
    COUNT(IN_COMPLETION, "audio_tokens", usage.audio_output),
};

enum { SEEN_INPUT = 1, SEEN_OUTPUT = 2 };

/* The value of the key just read. A count that stands twice says nothing. */
static bool
usage_member(gh_json_reader_t *r, reading_t *reading, unsigned where)
{
    uint64_t *count;
    size_t    i;

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (counts[i].where != where || !gh_json_token_is(r, counts[i].name)) {
            continue;
        }
        if ((reading->seen & 1u << i) != 0) {
            return false;
        }
        count = (uint64_t *) ((char *) reading + counts[i].offset);
        if (where == IN_USAGE && count == &reading->usage.reasoning && *count != 0) {
            break;   /* the details have said it */
        }
        if (!usage_count(r, count)) {
            return false;
        }
        reading->seen |= r->event == GH_JSON_NULL ? 0 : 1u << i;
        return true;
    }

    return gh_json_skip(r) == GH_OK;
}

/* prompt_tokens_details, completion_tokens_details; null and absent are the same. */
static bool
usage_details(gh_json_reader_t *r, reading_t *reading, unsigned where)
{
    if (gh_json_next(r) == GH_JSON_NULL) {
        return true;
    }

    if (r->event != GH_JSON_OBJECT_BEGIN) {
        return false;
    }

    while (gh_json_next(r) == GH_JSON_KEY) {
        if (!usage_member(r, reading, where)) {
            return false;
        }
    }

    return r->event == GH_JSON_OBJECT_END;
}

/* Nothing is charged on it: one that cannot be read is none. */
static bool
usage_total(gh_json_reader_t *r, uint64_t *total)
{
    switch (gh_json_next(r)) {
    case GH_JSON_NUMBER:
        if (gh_json_token_u64(r, total) != GH_OK || *total > 4 * TOKENS_MAX) {
            *total = 0;
        }
        return true;
    case GH_JSON_OBJECT_BEGIN:
    case GH_JSON_ARRAY_BEGIN:
        return gh_json_skip_rest(r) == GH_OK;
    default:
        return r->event != GH_JSON_ERROR;
    }
}

/* Where the parts are counted, and parts that are more than their whole cut to it. */
static void
usage_place(gh_usage_t *usage, uint64_t total)
{
    uint64_t whole = usage->input + usage->output, cached = usage->cached + usage->cache_write;

    if (total == 0) {
        usage->cached_outside = cached > usage->input;
        usage->reasoning_outside = usage->reasoning > usage->output;
        return;
    }

    if (cached != 0 && usage->reasoning != 0 && total == whole + cached + usage->reasoning) {
        usage->cached_outside = true;
        usage->reasoning_outside = true;
    } else if (usage->reasoning != 0 && total == whole + usage->reasoning) {
        usage->reasoning_outside = true;
    } else if (cached != 0 && total == whole + cached) {
        usage->cached_outside = true;
    }

    if (!usage->cached_outside && cached > usage->input) {
        usage->cached = usage->cached < usage->input ? usage->cached : usage->input;
        usage->cache_write = usage->input - usage->cached;
    }
    if (!usage->reasoning_outside && usage->reasoning > usage->output) {
        usage->reasoning = usage->output;
    }
}

bool
gh_usage_parse(gh_str_t json, gh_usage_t *usage)
{
    gh_json_reader_t r;
    reading_t        reading;
    bool             good;

    memset(&reading, 0, sizeof(reading));

    gh_json_reader_init(&r, json, 0);
    if (gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return false;
    }

    while (gh_json_next(&r) == GH_JSON_KEY) {
        if (gh_json_token_is(&r, GH_STR("prompt_tokens_details"))) {
            good = usage_details(&r, &reading, IN_PROMPT);
        } else if (gh_json_token_is(&r, GH_STR("completion_tokens_details"))) {
            good = usage_details(&r, &reading, IN_COMPLETION);
        } else if (gh_json_token_is(&r, GH_STR("total_tokens"))) {
            good = usage_total(&r, &reading.total);
        } else {
            good = usage_member(&r, &reading, IN_USAGE);
        }
        if (!good) {
            return false;
        }
    }

    /* embeddings have no completion_tokens */
    if (r.event != GH_JSON_OBJECT_END || gh_json_next(&r) != GH_JSON_END || (reading.seen & (SEEN_INPUT | SEEN_OUTPUT)) == 0) {
        return false;
    }

    usage_place(&reading.usage, reading.total);
    reading.usage.reported = true;
    *usage = reading.usage;

    return true;
}
