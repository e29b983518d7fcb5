/*
 * Usage objects of the dialects. OpenAI counts cached tokens among the prompt's and reasoning among the completion's; Anthropic and Bedrock count what
 * was cached beside the input. gh_usage_t says which it is; nothing is added up before a client of the other kind is told.
 */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/dialect.h"
#include "ngx_module/wire/wire.h"

#define TOKENS_MAX (UINT64_C(1) << 40)

enum { IN_USAGE = 0, IN_INPUT, IN_OUTPUT };

static const struct {
    gh_str_t name;
    uint8_t  where;
    bool     beside;     /* it is counted beside the input */
    size_t   offset;
} counts[] = {
#define COUNT(where, name, beside, field) { GH_HUB_NAME(name), where, beside, offsetof(gh_usage_t, field) }
    COUNT(IN_USAGE, "input_tokens", false, input),
    COUNT(IN_USAGE, "output_tokens", false, output),
    COUNT(IN_USAGE, "cache_read_input_tokens", true, cached),
    COUNT(IN_USAGE, "cache_creation_input_tokens", true, cache_write),
    COUNT(IN_USAGE, "inputTokens", false, input),
    COUNT(IN_USAGE, "outputTokens", false, output),
    COUNT(IN_USAGE, "cacheReadInputTokens", true, cached),
    COUNT(IN_USAGE, "cacheWriteInputTokens", true, cache_write),
    COUNT(IN_INPUT, "cached_tokens", false, cached),
    COUNT(IN_INPUT, "cache_write_tokens", false, cache_write),
    COUNT(IN_INPUT, "audio_tokens", false, audio_input),
    COUNT(IN_OUTPUT, "reasoning_tokens", false, reasoning),
    COUNT(IN_OUTPUT, "thinking_tokens", false, reasoning),
    COUNT(IN_OUTPUT, "audio_tokens", false, audio_output),
};

/* The value of the key just read. */
static bool
usage_member(gh_json_reader_t *r, gh_usage_t *usage, unsigned where)
{
    uint64_t count;
    size_t   i;
    bool     input = gh_json_token_is(r, GH_STR("input_tokens_details")), output = gh_json_token_is(r, GH_STR("output_tokens_details"));

    if (where == IN_USAGE && (input || output)) {
        if (gh_json_next(r) != GH_JSON_OBJECT_BEGIN) {
            return r->event == GH_JSON_NULL;
        }
        while (gh_json_next(r) == GH_JSON_KEY) {
            if (!usage_member(r, usage, input ? IN_INPUT : IN_OUTPUT)) {
                return false;
            }
        }
        return r->event == GH_JSON_OBJECT_END;
    }

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (counts[i].where == where && gh_json_token_is(r, counts[i].name)) {
            if (gh_json_next(r) == GH_JSON_NULL) {
                return true;
            }
            if (r->event != GH_JSON_NUMBER || gh_json_token_u64(r, &count) != GH_OK || count > TOKENS_MAX) {
                return false;
            }
            *(uint64_t *) (void *) ((char *) usage + counts[i].offset) = count;
            usage->reported = true;
            usage->cached_outside |= counts[i].beside;
            return true;
        }
    }

    return gh_json_skip(r) == GH_OK;
}

bool
gh_hub_usage_read(gh_hub_dialect_t dialect, gh_str_t raw, gh_usage_t *usage)
{
    return gh_hub_rows[dialect]->usage_read(raw, usage);
}

bool
gh_hub_counts_read(gh_str_t raw, gh_usage_t *usage)
{
    gh_json_reader_t r;
    gh_usage_t       read = *usage;

    gh_json_reader_init(&r, raw, 0);
    if (gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return false;
    }

    while (gh_json_next(&r) == GH_JSON_KEY) {
        if (!usage_member(&r, &read, IN_USAGE)) {
            return false;
        }
    }

    if (r.event != GH_JSON_OBJECT_END || gh_json_next(&r) != GH_JSON_END || !read.reported) {
        return false;
    }

    *usage = read;

    return true;
}

gh_usage_t
gh_hub_usage_whole(const gh_usage_t *usage)
{
    gh_usage_t whole = *usage;

    if (whole.cached_outside) {
        whole.input += whole.cached + whole.cache_write;
        whole.cached_outside = false;
    }
    if (whole.reasoning_outside) {
        whole.output += whole.reasoning;
        whole.reasoning_outside = false;
    }

    return whole;
}

uint64_t
gh_hub_usage_fresh(const gh_usage_t *usage)
{
    gh_usage_t whole = gh_hub_usage_whole(usage);
    uint64_t   cached = whole.cached + whole.cache_write;

    return whole.input > cached ? whole.input - cached : 0;
}

void
gh_hub_put_openai_usage(gh_hub_put_t *p, const gh_usage_t *usage)
{
    gh_usage_t whole = gh_hub_usage_whole(usage);

    gh_hub_put_open(p, '{');
    gh_hub_put_kv_u64(p, "prompt_tokens", whole.input);
    gh_hub_put_kv_u64(p, "completion_tokens", whole.output);
    gh_hub_put_kv_u64(p, "total_tokens", whole.input + whole.output);
    GH_HUB_PUT(p, ",\"prompt_tokens_details\":{");
    gh_hub_put_kv_u64(p, "cached_tokens", whole.cached);
    gh_hub_put_kv_u64(p, "cache_write_tokens", whole.cache_write);
    gh_hub_put_kv_u64(p, "audio_tokens", whole.audio_input);
    GH_HUB_PUT(p, "},\"completion_tokens_details\":{");
    gh_hub_put_kv_u64(p, "reasoning_tokens", whole.reasoning);
    gh_hub_put_kv_u64(p, "audio_tokens", whole.audio_output);
    GH_HUB_PUT(p, "}}");
}
