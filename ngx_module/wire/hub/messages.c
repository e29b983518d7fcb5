/* Anthropic's Messages. */
#include "ngx_module/wire/hub/messages.h"
#include "ngx_module/wire/ids_walk.h"

const gh_hub_row_t gh_hub_messages = {
    .traits = { .events_alike = true, .pages = true, .id_header = "request-id", .limits = GH_QUOTA_ANTHROPIC },
    .asks = {
        GH_MAPS(SYSTEM_LATER), GH_MAPS(DEVELOPER), GH_MAPS(IMAGE_DATA), GH_MAPS(IMAGE_URL), GH_MAPS(DOCUMENT_PDF), GH_MAPS(DOCUMENT_TEXT), GH_MAPS(DOCUMENT_URL),
        GH_MAPS(DOCUMENT_CONTEXT), GH_MAPS(RESULT_MEDIA), GH_MAPS(RESULT_FAILED), GH_MAPS(REASONING_SIGNED), GH_MAPS(REASONING_REDACTED), GH_MAPS(CACHE_POINT), GH_MAPS(TOOLS),
        GH_MAPS(TOOL_STRICT), GH_MAPS(TOOL_CHOICE), GH_MAPS(CLIENT_TOOL), GH_MAPS(TOOL_CHOICE_NONE), GH_MAPS(ALLOWED_TOOLS), GH_MAPS(ONE_CALL), GH_MAPS(JSON_SCHEMA), GH_MAPS(TEMPERATURE),
        GH_MAPS(TOP_P), GH_MAPS(TOP_K), GH_MAPS(STOP), GH_MAPS(STOP_MANY), GH_MAPS(MAX_TOKENS), GH_MAPS(EFFORT), GH_MAPS(EFFORT_BOUNDED), GH_MAPS(EFFORT_MOST), GH_MAPS(EFFORT_NONE), GH_MAPS(THINKING), GH_MAPS(USER),
        GH_MAPS(USER_LONG), GH_MAPS(TIER_DEFAULT), GH_MAPS(CONTEXT_EDITS), GH_MAPS(CONTEXT_KEPT), GH_MAPS(BETA),
        GH_DROPS(IMAGE_DETAIL), GH_MAPS(DOCUMENT_BLOCKS), GH_MAPS(CITATIONS), GH_MAPS(SEARCH_RESULTS), GH_MAPS(CITED_SOURCE), GH_DROPS(CITED), GH_DROPS(REASONING_UNSIGNED), GH_DROPS(REASONING_ITEM), GH_DROPS(CACHE_HINT), GH_DROPS(CACHE_OPTIONS), GH_DROPS(TOOL_OPTIONS),
        GH_DROPS(METADATA), GH_DROPS(REQUEST_METADATA), GH_DROPS(LABELS_OTHER), GH_DROPS(LATENCY), GH_DROPS(PREDICTION), GH_DROPS(STREAM_PADDING), GH_DROPS(INCLUDE), GH_DROPS(INFERENCE_GEO),
    },
    .request_read = messages_request_read, .request_write = messages_request_write, .answer_read = messages_answer_read,
    .answer_write = messages_answer_write, .event_read = messages_event_read, .event_write = messages_event_write,
    .error_write = messages_error_write, .error_event = "event: error\ndata: ", .overloaded = 529,
    .usage_read = gh_hub_counts_read, .shape = { "content", 3, { "text", "thinking", "input" } }, .chunk_read = gh_chunk_messages,
    .ids = { &gh_ids_message, &gh_ids_message_event }, .kept = { &gh_ids_kept_message, &gh_ids_kept_message_event },
};
