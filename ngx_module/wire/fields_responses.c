/*
 * The field tables of OpenAI's Responses: the body, its items and their parts, and its tools.
 *
 * Sources: openai-python's openai/types/responses, the request's and the items'; the Azure OpenAI v1 specification; vLLM's
 * entrypoints/openai protocol. Read in autumn 2026.
 *
 * Ids of what a provider keeps are HANDLE rows: they have to be ids that were given out here (policy/identity/handle.h). An item's fields are
 * judged by their own name, whatever its "type" says, as those of parts are.
 */
#include "ngx_module/wire/fields_rows.h"

#define R GH_AT_RESPONSES

#define OPENED(n, h, ...) ROW(R, n, GH_FIELD_HANDLE, .handle = (h), __VA_ARGS__)

static const char *const service_tiers[] = { "auto", "default", "flex", "scale", "priority", "fast", "ultrafast", "standard", NULL };
static const char *const retentions[] = { "in_memory", "in-memory", NULL };
static const char *const truncations[] = { "auto", "disabled", NULL };
static const char *const compactions[] = { "compaction", NULL };
static const char *const text_formats[] = { "text", "json_object", "json_schema", NULL };
static const char *const custom_formats[] = { "text", "grammar", NULL };

/* All of them only show more of what the answer is made of. */
static const char *const includables[] = {
    "file_search_call.results", "web_search_call.results", "web_search_call.action.sources", "message.input_image.image_url",
    "computer_call_output.output.image_url", "code_interpreter_call.outputs", "reasoning.encrypted_content", "message.output_text.logprobs",
    NULL
};

static const gh_field_table_t
    conversation_fields, prompt_fields, cache_options_fields, reasoning_fields, text_fields, text_format_fields, stream_options_fields, context_fields,
    image_fields, program_fields, choice_fields, choice_types, allowed_fields, name_fields, item_fields, item_types, part_fields, part_types, media_fields,
    annotation_fields, logprob_fields, tool_fields, tool_types, custom_format_fields, container_fields, mask_fields, environment_fields,
    action_fields, point_fields, source_fields, check_fields, result_fields, output_fields, outcome_fields, error_fields, caller_fields,
    operation_fields, summary_fields, svg_usage_fields, moderation_fields;

static const gh_field_t body_rows[] = {
    READ(R, "model", GH_FIELD_MODEL),
    LIST(R, "input", GH_FIELD_ITEMS, item_fields, &item_types),
    LIST(R, "instructions", GH_FIELD_CONTENT, part_fields, &part_types),
    READ(R, "stream", GH_FIELD_STREAM),
    OBJECT(R, "stream_options", stream_options_fields),
    READ(R, "max_output_tokens", GH_FIELD_MAX_TOKENS),
    LIST(R, "tools", GH_FIELD_OBJECTS, tool_fields, &tool_types),
    ROW(R, "tool_choice", GH_FIELD_WORD_OR_OBJECT, .table = &choice_fields, .types = &choice_types),

    /* state */
    READ(R, "store", GH_FIELD_STORE),
    OPENED("previous_response_id", GH_HANDLE_RESPONSE, .feature = "store", .unread = true),
    OPENED("conversation", GH_HANDLE_CONVERSATION, .feature = "conversation", .unread = true, .table = &conversation_fields),
    FLAG(R, "background", "background"),
    OBJECT(R, "prompt", prompt_fields),
    OBJECT(R, "context_management", context_fields),

    INERT(R, "max_tool_calls"),
    INERT(R, "parallel_tool_calls"),
    INERT(R, "temperature"),
    INERT(R, "top_p"),
    INERT(R, "top_logprobs"),
    OBJECT(R, "text", text_fields),
    OBJECT(R, "reasoning", reasoning_fields),
    CHOICE(R, "truncation", GH_FIELD_CHOICE, NULL, truncations),
    CHOICE(R, "include", GH_FIELD_CHOICES, NULL, includables),
    ROW(R, "metadata", GH_FIELD_FREE, .session = GH_SESSION_METADATA_SESSION),    /* labels of the client's own, for its own filters */
    ROW(R, "client_metadata", GH_FIELD_FREE, .session = GH_SESSION_CLIENT_SESSION),   /* likewise: what Codex says of its installation */
    INERT(R, "user"),
    INERT(R, "safety_identifier"),
    ROW(R, "prompt_cache_key", GH_FIELD_INERT, .session = GH_SESSION_CACHE_KEY),
    CHOICE(R, "prompt_cache_retention", GH_FIELD_CHOICE, "prompt_cache", retentions),
    OBJECT(R, "prompt_cache_options", cache_options_fields),
    CHOICE(R, "service_tier", GH_FIELD_SERVICE_TIER, NULL, service_tiers),
    FEATURE(R, "moderation", "moderation"),
    FEATURE(R, "user_security_context", "user_security_context"),
    OBJECT(R, "image", image_fields),
    OBJECT(R, "access_programs", program_fields),

    /* vLLM, SGLang, llama.cpp */
    INERT(R, "seed"),
    INERT(R, "stop"),
    INERT(R, "top_k"),
    INERT(R, "min_p"),
    INERT(R, "repetition_penalty"),
    INERT(R, "frequency_penalty"),
    INERT(R, "presence_penalty"),
    INERT(R, "ignore_eos"),
    INERT(R, "skip_special_tokens"),
    INERT(R, "include_stop_str_in_output"),
    INERT(R, "request_id"),
    INERT(R, "cache_salt"),
    INERT(R, "priority"),
    INERT(R, "enable_response_messages"),

    /* Where the request goes is not the client's to say: as fields.c has them. */
    READ(R, "inference_geo", GH_FIELD_PLACES),
    READ(R, "api_base", GH_FIELD_OVERRIDE),
    READ(R, "base_url", GH_FIELD_OVERRIDE),
    READ(R, "fallbacks", GH_FIELD_OVERRIDE),
    READ(R, "context_window_fallbacks", GH_FIELD_OVERRIDE),
    READ(R, "content_policy_fallbacks", GH_FIELD_OVERRIDE),
    READ(R, "extra_body", GH_FIELD_OVERRIDE),
    READ(R, "model_list", GH_FIELD_OVERRIDE),
    READ(R, "user_config", GH_FIELD_OVERRIDE),
    READ(R, "deployment_id", GH_FIELD_OVERRIDE),
};

static const gh_field_t conversation_rows[] = {
    OPENED("id", GH_HANDLE_CONVERSATION, .feature = "conversation", .unread = true),
};

/* A template that its provider keeps, made where nobody here sees it; what its variables bring is looked at. */
static const gh_field_t prompt_rows[] = {
    ROW(R, "id", GH_FIELD_FEATURE, .feature = "stored_prompt", .unread = true, .unbounded = true),
    INERT(R, "version"),
    ROW(R, "variables", GH_FIELD_MAP, .table = &part_fields, .types = &part_types),
};

static const gh_field_t cache_options_rows[] = {
    FEATURE(R, "mode", "prompt_cache"),
    FEATURE(R, "ttl", "prompt_cache"),
    FLAG(R, "prewarm", "prompt_cache"),
    OPENED("comparison_response_id", GH_HANDLE_RESPONSE, .feature = "store"),
};

static const gh_field_t reasoning_rows[] = {
    INERT(R, "effort"),
    INERT(R, "summary"),
    INERT(R, "generate_summary"),
    INERT(R, "context"),
    INERT(R, "mode"),
};

static const gh_field_t text_rows[] = {
    OBJECT(R, "format", text_format_fields),
    INERT(R, "verbosity"),
};

static const gh_field_t text_format_rows[] = {
    CHOICE(R, "type", GH_FIELD_CHOICE, NULL, text_formats),
    INERT(R, "name"),
    INERT(R, "description"),
    INERT(R, "strict"),
    SCHEMA(R, "schema"),
};

static const gh_field_t stream_options_rows[] = {
    INERT(R, "include_obfuscation"),
};

/* Compaction leaves an encrypted item in the answer, and nothing with the provider. */
static const gh_field_t context_rows[] = {
    CHOICE(R, "type", GH_FIELD_CHOICE, NULL, compactions),
    INERT(R, "compact_threshold"),
};

static const gh_field_t image_rows[] = {
    SIZES(R, "context_compression"),
};

static const gh_field_t program_rows[] = {
    INERT(R, "cyber"),
};

/* ---- tools ---- */

#define RESPONSES_TOOLS \
    INERT(R, "function"), \
    INERT(R, "custom"), \
    FEATURE(R, "web_search", "web_search"), \
    FEATURE(R, "web_search_2025_08_26", "web_search"), \
    FEATURE(R, "web_search_preview", "web_search"), \
    FEATURE(R, "web_search_preview_2025_03_11", "web_search"), \
    FEATURE(R, "file_search", "file_search"), \
    FEATURE(R, "code_interpreter", "code_interpreter"), \
    FEATURE(R, "image_generation", "image_generation"), \
    FEATURE(R, "mcp", "mcp"), \
    FEATURE(R, "computer", "computer_use"), \
    FEATURE(R, "computer_use", "computer_use"), \
    FEATURE(R, "computer_use_preview", "computer_use"), \
    FEATURE(R, "shell", "shell"), \
    FEATURE(R, "local_shell", "shell"), \
    FEATURE(R, "apply_patch", "apply_patch"), \
    FEATURE(R, "programmatic_tool_calling", "programmatic_tool_calling")

static const gh_field_t choice_rows[] = {
    READ(R, "type", GH_FIELD_TYPE),
    INERT(R, "name"),
    INERT(R, "mode"),
    INERT(R, "server_label"),
    LIST(R, "tools", GH_FIELD_OBJECTS, allowed_fields, &tool_types),
};

static const gh_field_t choice_type_rows[] = {
    RESPONSES_TOOLS,
    INERT(R, "allowed_tools"),
    INERT(R, "auto"),
    INERT(R, "none"),
    INERT(R, "required"),
};

/* Names of tools that the body's own list has. */
static const gh_field_t allowed_rows[] = {
    READ(R, "type", GH_FIELD_TYPE),
    INERT(R, "name"),
    INERT(R, "server_label"),
    OBJECT(R, "function", name_fields),
};

static const gh_field_t name_rows[] = {
    INERT(R, "name"),
};

/* What a hosted tool has besides belongs to its feature; ids of what is kept do not. */
static const gh_field_t tool_rows[] = {
    READ(R, "type", GH_FIELD_TYPE),
    INERT(R, "name"),
    INERT(R, "description"),
    SCHEMA(R, "parameters"),
    SCHEMA(R, "output_schema"),
    SCHEMA(R, "input_schema"),                               /* of a tool in mcp_list_tools */
    FREE(R, "annotations"),                                  /* of the same: hints of the MCP server */
    INERT(R, "strict"),
    INERT(R, "async"),
    INERT(R, "defer_loading"),
    INERT(R, "allowed_callers"),
    INERT(R, "execution"),
    WORD(R, "format", custom_format_fields),
    LIST(R, "tools", GH_FIELD_OBJECTS, tool_fields, &tool_types),   /* of a namespace */
    OPENED("container", GH_HANDLE_CONTAINER, .feature = "code_interpreter", .unread = true, .table = &container_fields),
    OBJECT(R, "environment", environment_fields),
    OBJECT(R, "input_image_mask", mask_fields),
    FEATURE(R, "cache_control", "prompt_cache"),
};

static const gh_field_t tool_type_rows[] = {
    RESPONSES_TOOLS,
    INERT(R, "namespace"),
    INERT(R, "tool_search"),
};

static const gh_field_t custom_format_rows[] = {
    CHOICE(R, "type", GH_FIELD_CHOICE, NULL, custom_formats),
    INERT(R, "definition"),
    INERT(R, "syntax"),
};

static const gh_field_t container_rows[] = {
    INERT(R, "type"),
    INERT(R, "memory_limit"),
    FREE(R, "network_policy"),                               /* which hosts the container reaches: of the feature */
    OPENED("file_ids", GH_HANDLE_FILE, .feature = "files", .unread = true),
};

static const gh_field_t environment_rows[] = {
    INERT(R, "type"),
    INERT(R, "memory_limit"),
    FREE(R, "network_policy"),
    OPENED("file_ids", GH_HANDLE_FILE, .feature = "files", .unread = true),
    OPENED("container_id", GH_HANDLE_CONTAINER, .feature = "shell", .unread = true),
    KEPT(R, "skills", "skills"),
};

static const gh_field_t mask_rows[] = {
    OPENED("file_id", GH_HANDLE_FILE, .feature = "files", .unread = true),
    IMAGE(R, "image_url", media_fields),
};

/* ---- items ---- */

/* state: it lives, or can be read, where it was made alone. reference: it is nothing but an id. */
#define STATE(n)     ROW(R, n, GH_FIELD_INERT, .state = true)

static const gh_field_t item_type_rows[] = {
    INERT(R, "message"),
    INERT(R, "function_call"),
    INERT(R, "function_call_output"),
    INERT(R, "custom_tool_call"),
    INERT(R, "custom_tool_call_output"),
    INERT(R, "tool_search_call"),
    INERT(R, "tool_search_output"),
    INERT(R, "additional_tools"),
    INERT(R, "configuration_update"),
    INERT(R, "compaction_trigger"),
    STATE("reasoning"),
    STATE("compaction"),
    STATE("file_search_call"),
    STATE("web_search_call"),
    STATE("code_interpreter_call"),
    STATE("image_generation_call"),
    STATE("computer_call"),
    INERT(R, "computer_call_output"),
    INERT(R, "local_shell_call"),
    INERT(R, "local_shell_call_output"),
    STATE("shell_call"),
    INERT(R, "shell_call_output"),
    INERT(R, "apply_patch_call"),
    INERT(R, "apply_patch_call_output"),
    STATE("mcp_call"),
    STATE("mcp_list_tools"),
    STATE("mcp_approval_request"),
    FEATURE(R, "mcp_approval_response", "mcp"),              /* the provider goes on with the call */
    STATE("program"),
    STATE("program_output"),
    ROW(R, "item_reference", GH_FIELD_INERT, .state = true, .reference = true),
};

static const gh_field_t item_rows[] = {
    READ(R, "type", GH_FIELD_TYPE),
    OPENED("id", GH_HANDLE_ITEM, .own = true),
    INERT(R, "role"),
    INERT(R, "status"),
    INERT(R, "phase"),
    INERT(R, "name"),
    INERT(R, "namespace"),
    INERT(R, "call_id"),
    INERT(R, "async"),
    INERT(R, "execution"),
    INERT(R, "created_by"),
    LIST(R, "content", GH_FIELD_CONTENT, part_fields, &part_types),
    OBJECT(R, "summary", summary_fields),
    UNREAD(R, "encrypted_content"),
    FREE(R, "arguments"),                                    /* for the client's own function, or one that has run */
    INERT(R, "input"),
    LIST(R, "output", GH_FIELD_CONTENT, output_fields, &part_types),
    LIST(R, "outputs", GH_FIELD_CONTENT, output_fields, &part_types),
    WORD(R, "action", action_fields),
    OBJECT(R, "actions", action_fields),
    INERT(R, "queries"),
    OBJECT(R, "results", result_fields),
    OBJECT(R, "pending_safety_checks", check_fields),
    OBJECT(R, "acknowledged_safety_checks", check_fields),
    INERT(R, "code"),
    OPENED("container_id", GH_HANDLE_CONTAINER, .feature = "code_interpreter", .unread = true),
    UNREAD(R, "result"),                                     /* a generated image, or what a program gave */
    INERT(R, "background"),
    INERT(R, "output_format"),
    INERT(R, "quality"),
    INERT(R, "size"),
    INERT(R, "revised_prompt"),
    OBJECT(R, "svg_usage", svg_usage_fields),
    WORD(R, "error", error_fields),
    OBJECT(R, "operation", operation_fields),
    INERT(R, "server_label"),
    INERT(R, "approve"),
    INERT(R, "reason"),
    OPENED("approval_request_id", GH_HANDLE_ITEM, .feature = "store", .unread = true),
    LIST(R, "tools", GH_FIELD_OBJECTS, tool_fields, &tool_types),
    OBJECT(R, "caller", caller_fields),
    INERT(R, "max_output_length"),
    OBJECT(R, "environment", environment_fields),
    UNREAD(R, "fingerprint"),
    OBJECT(R, "reasoning", reasoning_fields),
    OBJECT(R, "text", text_fields),
    FEATURE(R, "prompt_cache_breakpoint", "prompt_cache"),
};

static const gh_field_t part_type_rows[] = {
    INERT(R, "input_text"),
    INERT(R, "input_image"),
    INERT(R, "input_file"),
    INERT(R, "input_audio"),
    INERT(R, "output_text"),
    INERT(R, "refusal"),
    INERT(R, "summary_text"),
    INERT(R, "reasoning_text"),
    INERT(R, "text"),
    INERT(R, "computer_screenshot"),
    INERT(R, "logs"),
    INERT(R, "image"),
};

#define PART_ROWS \
    READ(R, "type", GH_FIELD_TYPE), \
    INERT(R, "text"), \
    INERT(R, "refusal"), \
    INERT(R, "detail"), \
    INERT(R, "filename"), \
    IMAGE(R, "image_url", media_fields), \
    READ(R, "file_data", GH_FIELD_DATA), \
    READ(R, "file_url", GH_FIELD_URL), \
    OPENED("file_id", GH_HANDLE_FILE, .feature = "files", .unread = true), \
    MEDIA(R, "input_audio", GH_FIELD_DATA, media_fields), \
    OBJECT(R, "annotations", annotation_fields), \
    OBJECT(R, "logprobs", logprob_fields), \
    FEATURE(R, "prompt_cache_breakpoint", "prompt_cache")

static const gh_field_t part_rows[] = {
    PART_ROWS,
};

/* Outputs of tools: parts, what a shell said, what an interpreter drew. */
static const gh_field_t output_rows[] = {
    PART_ROWS,
    INERT(R, "stdout"),
    INERT(R, "stderr"),
    OBJECT(R, "outcome", outcome_fields),
    INERT(R, "logs"),
    READ(R, "url", GH_FIELD_URL),
};

static const gh_field_t media_rows[] = {
    READ(R, "url", GH_FIELD_URL),
    READ(R, "data", GH_FIELD_DATA),
    INERT(R, "format"),
    INERT(R, "detail"),
};

/* Citations of an earlier answer, sent back. */
static const gh_field_t annotation_rows[] = {
    INERT(R, "type"),
    INERT(R, "index"),
    INERT(R, "start_index"),
    INERT(R, "end_index"),
    INERT(R, "title"),
    INERT(R, "filename"),
    READ(R, "url", GH_FIELD_URL),
    OPENED("file_id", GH_HANDLE_FILE, .feature = "files", .unread = true),
    OPENED("container_id", GH_HANDLE_CONTAINER, .feature = "code_interpreter", .unread = true),
};

static const gh_field_t logprob_rows[] = {
    INERT(R, "token"),
    INERT(R, "bytes"),
    INERT(R, "logprob"),
    OBJECT(R, "top_logprobs", logprob_fields),
};

static const gh_field_t summary_rows[] = {
    INERT(R, "type"),
    INERT(R, "text"),
};

/* What a hosted tool did: nothing of it is done again. */
static const gh_field_t action_rows[] = {
    INERT(R, "type"),
    INERT(R, "button"),
    INERT(R, "x"),
    INERT(R, "y"),
    INERT(R, "scroll_x"),
    INERT(R, "scroll_y"),
    INERT(R, "keys"),
    INERT(R, "text"),
    OBJECT(R, "path", point_fields),
    INERT(R, "query"),
    INERT(R, "queries"),
    INERT(R, "pattern"),
    READ(R, "url", GH_FIELD_URL),
    OBJECT(R, "sources", source_fields),
    INERT(R, "command"),
    INERT(R, "commands"),
    FREE(R, "env"),                                          /* variables of the client's own shell */
    INERT(R, "timeout_ms"),
    INERT(R, "max_output_length"),
    INERT(R, "user"),
    INERT(R, "working_directory"),
};

static const gh_field_t point_rows[] = {
    INERT(R, "x"),
    INERT(R, "y"),
};

static const gh_field_t source_rows[] = {
    INERT(R, "type"),
    READ(R, "url", GH_FIELD_URL),
};

static const gh_field_t check_rows[] = {
    INERT(R, "id"),
    INERT(R, "code"),
    INERT(R, "message"),
};

static const gh_field_t result_rows[] = {
    FREE(R, "attributes"),                                   /* labels of a file */
    OPENED("file_id", GH_HANDLE_FILE, .feature = "files", .unread = true),
    INERT(R, "filename"),
    INERT(R, "score"),
    INERT(R, "text"),
};

static const gh_field_t outcome_rows[] = {
    INERT(R, "type"),
    INERT(R, "exit_code"),
};

static const gh_field_t error_rows[] = {
    INERT(R, "type"),
    INERT(R, "code"),
    INERT(R, "message"),
    INERT(R, "param"),
    FREE(R, "content"),                                      /* what an MCP server's tool said */
    OBJECT(R, "moderation_details", moderation_fields),
};

static const gh_field_t moderation_rows[] = {
    INERT(R, "categories"),
    INERT(R, "moderation_stage"),
};

static const gh_field_t caller_rows[] = {
    INERT(R, "type"),
    INERT(R, "caller_id"),
};

static const gh_field_t operation_rows[] = {
    INERT(R, "type"),
    INERT(R, "path"),
    INERT(R, "diff"),
};

static const gh_field_t svg_usage_rows[] = {
    INERT(R, "input_tokens"),
    INERT(R, "model"),
    INERT(R, "output_tokens"),
    INERT(R, "reasoning_tokens"),
    INERT(R, "total_tokens"),
};

TABLE(gh_responses_fields, body_rows);
static TABLE(conversation_fields, conversation_rows);
static TABLE(prompt_fields, prompt_rows);
static TABLE(cache_options_fields, cache_options_rows);
static TABLE(reasoning_fields, reasoning_rows);
static TABLE(text_fields, text_rows);
static TABLE(text_format_fields, text_format_rows);
static TABLE(stream_options_fields, stream_options_rows);
static TABLE(context_fields, context_rows);
static TABLE(image_fields, image_rows);
static TABLE(program_fields, program_rows);
static TABLE(choice_fields, choice_rows);
static TABLE(choice_types, choice_type_rows);
static TABLE(allowed_fields, allowed_rows);
static TABLE(name_fields, name_rows);
static TABLE(item_fields, item_rows);
static TABLE(item_types, item_type_rows);
static TABLE(part_fields, part_rows);
static TABLE(part_types, part_type_rows);
static TABLE(media_fields, media_rows);
static TABLE(annotation_fields, annotation_rows);
static TABLE(logprob_fields, logprob_rows);
static TABLE(tool_fields, tool_rows);
static LATE_TABLE(tool_types, tool_type_rows);
static TABLE(custom_format_fields, custom_format_rows);
static TABLE(container_fields, container_rows);
static TABLE(mask_fields, mask_rows);
static TABLE(environment_fields, environment_rows);
static TABLE(action_fields, action_rows);
static TABLE(point_fields, point_rows);
static TABLE(source_fields, source_rows);
static TABLE(check_fields, check_rows);
static TABLE(result_fields, result_rows);
static TABLE(output_fields, output_rows);
static TABLE(outcome_fields, outcome_rows);
static TABLE(error_fields, error_rows);
static TABLE(caller_fields, caller_rows);
static TABLE(operation_fields, operation_rows);
static TABLE(summary_fields, summary_rows);
static TABLE(svg_usage_fields, svg_usage_rows);
static TABLE(moderation_fields, moderation_rows);
