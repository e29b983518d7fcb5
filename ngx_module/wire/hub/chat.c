/*
 * OpenAI's chat completions: of OpenAI, Azure and Bedrock, which refuse fields they do not know (chat), and of vLLM, SGLang, llama.cpp, which have more and
 * ignore them (chat-open).
 */
#include "ngx_module/wire/hub/chat.h"
#include "ngx_module/wire/ids_walk.h"

#define BOTH_ASKS \
    GH_MAPS(SYSTEM_LATER), GH_MAPS(DEVELOPER), GH_MAPS(AUTHOR), GH_MAPS(IMAGE_DATA), GH_MAPS(IMAGE_TYPE), GH_MAPS(IMAGE_URL), GH_MAPS(IMAGE_DETAIL), GH_MAPS(DOCUMENT_PDF), \
    GH_MAPS(AUDIO), GH_MAPS(RESULT_MEDIA), GH_MAPS(CACHE_HINT), GH_MAPS(TOOLS), GH_MAPS(TOOL_STRICT), GH_MAPS(TOOL_CHOICE), GH_MAPS(TOOL_CHOICE_NONE), GH_MAPS(ALLOWED_TOOLS), \
    GH_MAPS(ONE_CALL), GH_MAPS(ARGUMENTS_TEXT), GH_MAPS(JSON_OBJECT), GH_MAPS(JSON_SCHEMA), GH_MAPS(TEMPERATURE), GH_MAPS(TEMPERATURE_HIGH), GH_MAPS(TOP_P), GH_MAPS(STOP), \
    GH_MAPS(SEED), GH_MAPS(CHOICES), GH_MAPS(LOGPROBS), GH_MAPS(PENALTY), GH_MAPS(MAX_TOKENS), GH_MAPS(EFFORT), GH_MAPS(EFFORT_BOUNDED), GH_MAPS(EFFORT_MOST), GH_MAPS(EFFORT_NONE), GH_MAPS(EFFORT_MINIMAL), \
    GH_MAPS(VERBOSITY), GH_MAPS(USER), GH_MAPS(METADATA), GH_MAPS(TIER_DEFAULT), GH_MAPS(TIER_FLEX), GH_MAPS(TIER_PRIORITY), GH_MAPS(TIER_OPENAI), GH_MAPS(STORE), \
    GH_MAPS(AUDIO_OUTPUT), GH_MAPS(PREDICTION), \
    GH_DROPS(CITED), GH_DROPS(CITED_SOURCE), GH_DROPS(RESULT_FAILED), GH_DROPS(REASONING_ITEM), GH_DROPS(CACHE_POINT), GH_DROPS(CACHE_OPTIONS), GH_DROPS(TOOL_OPTIONS), GH_DROPS(THINKING), \
    GH_DROPS(USER_LONG), GH_DROPS(REQUEST_METADATA), GH_DROPS(LABELS_OTHER), GH_DROPS(LATENCY), GH_DROPS(STREAM_PADDING), GH_DROPS(INCLUDE), GH_DROPS(CONTEXT_KEPT), GH_DROPS(BETA), GH_DROPS(INFERENCE_GEO)

#define BOTH \
    .request_read = chat_request_read, .request_write = chat_request_write, .answer_read = chat_answer_read, .answer_write = chat_answer_write, \
    .event_read = chat_event_read, .event_write = chat_event_write, .error_write = chat_error_write, .error_event = "data: ", .overloaded = 503, \
    .usage_read = gh_usage_parse, .shape = { "choices", 3, { "message", "text", "delta" } }, .chunk_read = gh_chunk_chat, \
    .ids = { &gh_ids_completion, &gh_ids_completion }, .kept = { &gh_ids_completion, &gh_ids_completion }

#define TRAITS(open) { \
    .usage_asked = true, .usage_behind = true, .chunks_alike = true, .error_codes = true, .cites_pages = true, .text_calls = true, \
    .results_alike = true, .some_tools = !(open), .limits = GH_QUOTA_OPENAI \
}

const gh_hub_row_t gh_hub_chat = {
    .traits = TRAITS(false),
    .asks = {
        BOTH_ASKS,
        GH_MAPS(CUSTOM_TOOL), GH_MAPS(DOCUMENT_OTHER), GH_MAPS(DOCUMENT_TYPE),
        GH_DROPS(REASONING_SIGNED), GH_DROPS(REASONING_UNSIGNED), GH_DROPS(REASONING_REDACTED),
    },
    BOTH
};

const gh_hub_row_t gh_hub_chat_open = {
    .traits = TRAITS(true),
    .asks = {
        BOTH_ASKS,
        GH_MAPS(REASONING_SIGNED), GH_MAPS(REASONING_UNSIGNED), GH_MAPS(REASONING_REDACTED), GH_MAPS(TOP_K), GH_MAPS(STOP_MANY),
    },
    BOTH
};
