/* OpenAI's Responses. */
#include "ngx_module/wire/hub/responses.h"

#include "ngx_module/wire/hub/chat.h"
#include "ngx_module/wire/responses.h"
#include "ngx_module/wire/ids_walk.h"

const gh_hub_row_t gh_hub_responses = {
    .traits = { .walked = true, .chunks_alike = true, .error_codes = true, .cites_pages = true, .text_calls = true, .some_tools = true, .limits = GH_QUOTA_OPENAI },
    .asks = {
        GH_MAPS(SYSTEM_LATER), GH_MAPS(DEVELOPER), GH_MAPS(IMAGE_DATA), GH_MAPS(IMAGE_TYPE), GH_MAPS(IMAGE_URL), GH_MAPS(IMAGE_DETAIL), GH_MAPS(DOCUMENT_PDF),
        GH_MAPS(DOCUMENT_OTHER), GH_MAPS(DOCUMENT_TYPE), GH_MAPS(DOCUMENT_URL), GH_MAPS(RESULT_MEDIA), GH_MAPS(CACHE_HINT), GH_MAPS(TOOLS), GH_MAPS(TOOL_STRICT), GH_MAPS(CUSTOM_TOOL), GH_MAPS(TOOL_CHOICE),
        GH_MAPS(TOOL_CHOICE_NONE), GH_MAPS(ALLOWED_TOOLS), GH_MAPS(ONE_CALL), GH_MAPS(ARGUMENTS_TEXT), GH_MAPS(JSON_OBJECT), GH_MAPS(JSON_SCHEMA), GH_MAPS(TEMPERATURE),
        GH_MAPS(TEMPERATURE_HIGH), GH_MAPS(TOP_P), GH_MAPS(LOGPROBS), GH_MAPS(MAX_TOKENS), GH_MAPS(EFFORT), GH_MAPS(EFFORT_BOUNDED), GH_MAPS(EFFORT_MOST), GH_MAPS(EFFORT_NONE), GH_MAPS(EFFORT_MINIMAL), GH_MAPS(VERBOSITY),
        GH_MAPS(USER), GH_MAPS(METADATA), GH_MAPS(TIER_DEFAULT), GH_MAPS(TIER_FLEX), GH_MAPS(TIER_PRIORITY), GH_MAPS(TIER_OPENAI), GH_MAPS(STORE), GH_MAPS(INCLUDE),
        GH_DROPS(CITED), GH_DROPS(CITED_SOURCE), GH_DROPS(RESULT_FAILED), GH_DROPS(REASONING_SIGNED), GH_DROPS(REASONING_UNSIGNED), GH_DROPS(REASONING_REDACTED), GH_DROPS(REASONING_ITEM),
        GH_DROPS(CACHE_POINT), GH_DROPS(CACHE_OPTIONS), GH_DROPS(TOOL_OPTIONS), GH_DROPS(THINKING), GH_DROPS(USER_LONG), GH_DROPS(REQUEST_METADATA), GH_DROPS(LABELS_OTHER), GH_DROPS(LATENCY), GH_DROPS(PREDICTION),
        GH_DROPS(STREAM_PADDING), GH_DROPS(CONTEXT_KEPT), GH_DROPS(BETA), GH_DROPS(INFERENCE_GEO),
    },
    .request_read = responses_request_read, .request_write = responses_request_write, .answer_read = responses_answer_read,
    .answer_write = responses_answer_write, .event_read = responses_event_read, .event_write = responses_event_write,
    .error_write = chat_error_write, .error_event = "data: ", .overloaded = 503,
    .usage_read = gh_hub_counts_read, .shape = { "choices", 3, { "message", "text", "delta" } }, .chunk_read = gh_chunk_chat,
    .commit = gh_responses_look,    /* its first events repeat the request, however long */
    .ids = { &gh_ids_response, &gh_ids_response_event }, .kept = { &gh_ids_response, &gh_ids_response_event },
};
