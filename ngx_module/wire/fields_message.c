/* The field tables of messages, their parts and tool calls, and of tools. */
#include "ngx_module/wire/fields_rows.h"

static const gh_field_table_t
    tool_call_fields, tool_call_types, call_fields, custom_fields, custom_call_fields, format_fields, grammar_fields, reasoning_detail_fields,
    audio_fields, annotation_fields, context_fields, citation_fields, media_fields, file_fields, input_media_fields, embeds_fields;

static const char *const custom_formats[] = { "text", "grammar", NULL };

static const gh_field_t message_rows[] = {
    LIST(ALL, "content", GH_FIELD_CONTENT, gh_part_fields, &gh_part_types),
    INERT(ALL, "role"),
    INERT(ALL, "name"),
    INERT(ALL, "tool_call_id"),
    LIST(ALL, "tool_calls", GH_FIELD_OBJECTS, tool_call_fields, &tool_call_types),
    OBJECT(ALL, "function_call", call_fields),
    INERT(ALL, "refusal"),
    OBJECT(ALL, "annotations", annotation_fields),
    INERT(ALL, "reasoning"),
    INERT(ALL, "reasoning_content"),
    ROW(ALL, "reasoning_details", GH_FIELD_OBJECT, .unread = true, .table = &reasoning_detail_fields),
    OBJECT(ALL, "context", context_fields),
    INERT(ALL, "prefix"),
    INERT(ALL, "partial"),
    ROW(ALL, "audio", GH_FIELD_HANDLE, .handle = GH_HANDLE_AUDIO, .whole = true, .unread = true, .feature = "stored_audio", .table = &audio_fields),
    FEATURE(ALL, "cache_control", "prompt_cache"),
    FEATURE(ALL, "prompt_cache_breakpoint", "prompt_cache"),
    LIST(C, "tools", GH_FIELD_OBJECTS, gh_tool_fields, &gh_tool_types),
};

/* An answer that the provider kept, by its id; clients send back all of it. */
static const gh_field_t audio_rows[] = {
    HANDLE(ALL, "id", GH_HANDLE_AUDIO, "stored_audio"),
    READ(ALL, "data", GH_FIELD_DATA),
    INERT(ALL, "transcript"),
    INERT(ALL, "expires_at"),
};

static const gh_field_t reasoning_detail_rows[] = {
    INERT(ALL, "type"),
    INERT(ALL, "id"),
    INERT(ALL, "format"),
    INERT(ALL, "index"),
    INERT(ALL, "summary"),
    INERT(ALL, "text"),
    UNREAD(ALL, "data"),
    UNREAD(ALL, "signature"),
};

/* Citations of an earlier answer, sent back. Nobody is known to fetch them again, but nobody says so: their URLs count. */
static const gh_field_t annotation_rows[] = {
    INERT(ALL, "type"),
    INERT(ALL, "index"),
    INERT(ALL, "start_index"),
    INERT(ALL, "end_index"),
    INERT(ALL, "title"),
    INERT(ALL, "filename"),
    READ(ALL, "url", GH_FIELD_URL),
    HANDLE(ALL, "file_id", GH_HANDLE_FILE, "files"),
    OBJECT(ALL, "url_citation", annotation_fields),
    OBJECT(ALL, "file_citation", annotation_fields),
};

/* Azure's, likewise. */
static const gh_field_t context_rows[] = {
    INERT(ALL, "intent"),
    OBJECT(ALL, "citations", citation_fields),
    OBJECT(ALL, "all_retrieved_documents", citation_fields),
};

static const gh_field_t citation_rows[] = {
    INERT(ALL, "content"),
    INERT(ALL, "title"),
    INERT(ALL, "filepath"),
    INERT(ALL, "chunk_id"),
    INERT(ALL, "search_queries"),
    INERT(ALL, "data_source_index"),
    INERT(ALL, "original_search_score"),
    INERT(ALL, "rerank_score"),
    INERT(ALL, "filter_reason"),
    READ(ALL, "url", GH_FIELD_URL),
};

/* Fields are judged by their own name, whatever "type" says. */
static const gh_field_t part_rows[] = {
    READ(ALL, "type", GH_FIELD_TYPE),
    INERT(ALL, "text"),
    INERT(ALL, "refusal"),
    LIST(ALL, "thinking", GH_FIELD_CONTENT, gh_part_fields, &gh_part_types),
    INERT(ALL, "reasoning"),
    UNREAD(ALL, "signature"),
    INERT(ALL, "closed"),                    /* of thinking: it had come to its end */
    OBJECT(ALL, "annotations", annotation_fields),
    INERT(ALL, "name"),
    INERT(ALL, "detail"),
    INERT(ALL, "modalities"),
    MEDIA(ALL, "input_audio", GH_FIELD_DATA, input_media_fields),
    MEDIA(ALL, "input_video", GH_FIELD_DATA, input_media_fields),
    MEDIA(ALL, "image_embeds", GH_FIELD_DATA, embeds_fields),
    MEDIA(ALL, "audio_embeds", GH_FIELD_DATA, embeds_fields),
    IMAGE(ALL, "image_url", media_fields),
    MEDIA(ALL, "video_url", GH_FIELD_MEDIA, media_fields),
    MEDIA(ALL, "audio_url", GH_FIELD_MEDIA, media_fields),
    MEDIA(ALL, "file", GH_FIELD_FILE, file_fields),
    HANDLE(ALL, "file_id", GH_HANDLE_FILE, "files"),
    KEPT(ALL, "uuid", "media_cache"),        /* names media an earlier request left behind */
    FEATURE(ALL, "cache_control", "prompt_cache"),
    FEATURE(ALL, "prompt_cache_breakpoint", "prompt_cache"),
};

static const gh_field_t media_rows[] = {
    READ(ALL, "url", GH_FIELD_URL),
    INERT(ALL, "detail"),
    SIZES(ALL, "max_dynamic_patch"),
    SIZES(ALL, "min_dynamic_patch"),
    KEPT(ALL, "content_hash", "media_cache"),
    HANDLE(ALL, "file_id", GH_HANDLE_FILE, "files"),
    KEPT(ALL, "uuid", "media_cache"),
};

static const gh_field_t input_media_rows[] = {
    READ(ALL, "data", GH_FIELD_DATA),
    INERT(ALL, "format"),
    INERT(ALL, "detail"),
    INERT(ALL, "fps"),
    READ(ALL, "url", GH_FIELD_URL),
    HANDLE(ALL, "file_id", GH_HANDLE_FILE, "files"),
    KEPT(ALL, "uuid", "media_cache"),
};

/* Tensors by their names in the model's processor. */
static const gh_field_t embeds_rows[] = {
    READ(ALL, "image_embeds", GH_FIELD_DATA),
    READ(ALL, "audio_embeds", GH_FIELD_DATA),
    READ(ALL, "image_grid_thw", GH_FIELD_DATA),
    READ(ALL, "image_sizes", GH_FIELD_DATA),
};

static const gh_field_t file_rows[] = {
    READ(ALL, "file_data", GH_FIELD_DATA),
    INERT(ALL, "filename"),
    HANDLE(ALL, "file_id", GH_HANDLE_FILE, "files"),
    READ(ALL, "file_url", GH_FIELD_URL),
};

static const gh_field_t tool_rows[] = {
    READ(ALL, "type", GH_FIELD_TYPE),
    OBJECT(ALL, "function", gh_function_fields),
    OBJECT(ALL, "custom", custom_fields),
    INERT(ALL, "defer_loading"),
    FEATURE(ALL, "cache_control", "prompt_cache"),
};

static const gh_field_t function_rows[] = {
    INERT(ALL, "name"),
    INERT(ALL, "description"),
    SCHEMA(ALL, "parameters"),               /* free-form, but for references */
    INERT(ALL, "strict"),
    INERT(ALL, "defer_loading"),
};

static const gh_field_t custom_rows[] = {
    INERT(ALL, "name"),
    INERT(ALL, "description"),
    WORD(ALL, "format", format_fields),
};

static const gh_field_t format_rows[] = {
    CHOICE(ALL, "type", GH_FIELD_CHOICE, NULL, custom_formats),
    OBJECT(ALL, "grammar", grammar_fields),
};

static const gh_field_t grammar_rows[] = {
    INERT(ALL, "definition"),
    INERT(ALL, "syntax"),
};

static const gh_field_t tool_call_rows[] = {
    READ(ALL, "type", GH_FIELD_TYPE),
    INERT(ALL, "id"),
    INERT(ALL, "index"),
    OBJECT(ALL, "function", call_fields),
    OBJECT(ALL, "custom", custom_call_fields),
};

static const gh_field_t call_rows[] = {
    INERT(ALL, "name"),
    FREE(ALL, "arguments"),                  /* for the client's own function, which has run */
};

static const gh_field_t custom_call_rows[] = {
    INERT(ALL, "name"),
    INERT(ALL, "input"),
};

static const gh_field_t part_type_rows[] = {
    INERT(ALL, "text"),
    INERT(ALL, "image_url"),
    INERT(ALL, "input_audio"),
    INERT(ALL, "file"),
    INERT(ALL, "refusal"),
    INERT(ALL, "input_text"),
    INERT(ALL, "output_text"),
    INERT(ALL, "input_image"),
    INERT(ALL, "input_video"),
    INERT(ALL, "video_url"),
    INERT(ALL, "audio_url"),
    INERT(ALL, "image_embeds"),
    INERT(ALL, "audio_embeds"),
    INERT(ALL, "thinking"),
    INERT(ALL, "reasoning"),
    INERT(ALL, "tool_reference"),
};

static const gh_field_t tool_type_rows[] = {
    INERT(ALL, "function"),
    INERT(ALL, "custom"),
    HOSTED_TOOLS,
};

static const gh_field_t tool_call_type_rows[] = {
    INERT(ALL, "function"),
    INERT(ALL, "custom"),
};

TABLE(gh_message_fields, message_rows);
TABLE(gh_part_fields, part_rows);
TABLE(gh_tool_fields, tool_rows);
static TABLE(tool_call_fields, tool_call_rows);
TABLE(gh_part_types, part_type_rows);
LATE_TABLE(gh_tool_types, tool_type_rows);
static TABLE(tool_call_types, tool_call_type_rows);
TABLE(gh_function_fields, function_rows);
static TABLE(call_fields, call_rows);
static TABLE(custom_fields, custom_rows);
static TABLE(custom_call_fields, custom_call_rows);
static TABLE(format_fields, format_rows);
static TABLE(grammar_fields, grammar_rows);
static TABLE(reasoning_detail_fields, reasoning_detail_rows);
static TABLE(audio_fields, audio_rows);
static TABLE(annotation_fields, annotation_rows);
static TABLE(context_fields, context_rows);
static TABLE(citation_fields, citation_rows);
static TABLE(media_fields, media_rows);
static TABLE(file_fields, file_rows);
static TABLE(input_media_fields, input_media_rows);
static TABLE(embeds_fields, embeds_rows);
