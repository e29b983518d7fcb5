/*
 * Bedrock's Converse and ConverseStream. What it has for models of every provider is one row; each provider's models take words of their own beside it, which
 * requests alone have: answers and streams are the same.
 */
#include "ngx_module/wire/hub/converse.h"

#define EVERY_ASKS \
    GH_MAPS(DEVELOPER), GH_MAPS(IMAGE_DATA), GH_MAPS(DOCUMENT_PDF), GH_MAPS(DOCUMENT_TEXT), GH_MAPS(DOCUMENT_OTHER), GH_MAPS(DOCUMENT_CONTEXT), GH_MAPS(AUDIO), \
    GH_MAPS(RESULT_MEDIA), GH_MAPS(RESULT_FAILED), GH_MAPS(REASONING_SIGNED), GH_MAPS(REASONING_UNSIGNED), GH_MAPS(REASONING_REDACTED), GH_MAPS(CACHE_POINT), \
    GH_MAPS(TOOLS), GH_MAPS(TOOL_STRICT), GH_MAPS(CLIENT_TOOL), GH_MAPS(TOOL_CHOICE), GH_MAPS(ALLOWED_TOOLS), GH_MAPS(JSON_SCHEMA), GH_MAPS(TEMPERATURE), GH_MAPS(TOP_P), \
    GH_MAPS(STOP), GH_MAPS(STOP_MANY), GH_MAPS(MAX_TOKENS), GH_MAPS(REQUEST_METADATA), GH_MAPS(LATENCY), GH_MAPS(TIER_DEFAULT), GH_MAPS(TIER_FLEX), GH_MAPS(TIER_PRIORITY), \
    GH_MAPS(TIER_RESERVED), GH_MAPS(GUARDRAIL), GH_MAPS(GUARDED), GH_MAPS(MODEL_FIELDS), GH_MAPS(MODEL_ANSWER), \
    GH_DROPS(IMAGE_DETAIL), GH_DROPS(CITED), GH_DROPS(REASONING_ITEM), GH_DROPS(CACHE_HINT), GH_DROPS(CACHE_OPTIONS), GH_DROPS(TOOL_OPTIONS), GH_DROPS(USER), \
    GH_DROPS(USER_LONG), GH_DROPS(METADATA), GH_DROPS(PREDICTION), GH_DROPS(STREAM_PADDING), GH_DROPS(INCLUDE), GH_DROPS(CONTEXT_KEPT), GH_DROPS(INFERENCE_GEO)

/* What is documented for Anthropic's models; models whose provider is not known may be those. */
#define CITING GH_MAPS(DOCUMENT_BLOCKS), GH_MAPS(CITATIONS), GH_MAPS(SEARCH_RESULTS), GH_MAPS(CITED_SOURCE)

#define EVERY \
    .traits = { .framed = true, .chunks_alike = true, .id_header = "x-amzn-requestid", .limits = GH_QUOTA_OPENAI }, \
    .request_read = converse_request_read, .request_write = converse_request_write, .answer_read = converse_answer_read, \
    .answer_write = converse_answer_write, .event_read = converse_event_read, .event_write = converse_event_write, \
    .error_write = converse_error_write, .error_event = "data: ", .overloaded = 503, \
    .usage_read = gh_hub_counts_read, .shape = { "output", 5, { "text", "toolUse", "reasonin" } }, .chunk_read = gh_chunk_chat

const gh_hub_row_t gh_hub_converse = {
    .asks = { EVERY_ASKS, CITING, GH_DROPS(THINKING), GH_DROPS(BETA) },
    .by_words = {
        [GH_WORDS_ANTHROPIC] = { true, GH_HUB_CONVERSE_ANTHROPIC }, [GH_WORDS_NOVA] = { true, GH_HUB_CONVERSE_NOVA },
        [GH_WORDS_GPT_OSS] = { true, GH_HUB_CONVERSE_GPT_OSS },
    },
    EVERY
};

const gh_hub_row_t gh_hub_converse_anthropic = {
    .model = "Anthropic",
    .asks = {
        EVERY_ASKS, CITING,
        GH_MAPS(SYSTEM_LATER), GH_MAPS(TOP_K), GH_MAPS(EFFORT), GH_MAPS(EFFORT_BOUNDED), GH_MAPS(EFFORT_MOST), GH_MAPS(EFFORT_NONE), GH_MAPS(THINKING), GH_MAPS(BETA),
    },
    EVERY
};

const gh_hub_row_t gh_hub_converse_nova = {
    .model = "Amazon Nova 2",
    .asks = { EVERY_ASKS, GH_MAPS(TOP_K), GH_MAPS(EFFORT), GH_MAPS(EFFORT_NONE), GH_DROPS(CITED_SOURCE), GH_DROPS(THINKING), GH_DROPS(BETA) },
    EVERY
};

const gh_hub_row_t gh_hub_converse_gpt_oss = {
    .model = "gpt-oss",
    .asks = { EVERY_ASKS, GH_MAPS(EFFORT), GH_MAPS(EFFORT_BOUNDED), GH_DROPS(CITED_SOURCE), GH_DROPS(THINKING), GH_DROPS(BETA) },
    EVERY
};
