/*
 * The field tables of Anthropic's Messages: /v1/messages, its count_tokens, and InvokeModel of Anthropic's models, which has the same body but for a few
 * fields. Sources: the request types of anthropic-sdk-python (anthropic/types, beta ones included), Anthropic's API reference, autumn 2026.
 *
 * What InvokeModel does not have (HOSTED, LACKING, and rows that are not of I) is refused where only a deployment that offers that could serve the request.
 * Sources: AWS's "Anthropic Claude Messages API" and its pages on tools, compaction and system messages; availability by platform in Anthropic's
 * features overview and in its pages on prompt caching, fast mode, files and server tools, autumn 2026.
 *
 * Tools with a version in their name that the client runs (bash, text_editor, computer, memory, browser) are inert; those that Anthropic runs are
 * features, and so are what they left in a conversation: the blocks of their results.
 */
#include "ngx_module/wire/fields_rows.h"

#define M   GH_AT_MESSAGES
#define K   GH_AT_COUNT_TOKENS
#define I   GH_AT_INVOKE
#define MI  (M | I)
#define MKI (M | K | I)

#define TOOL (MKI | GH_AT_CONVERSE)   /* Converse has tools of Anthropic's among additionalModelRequestFields */

#define HOSTED_TOOL(n, f) ROW(TOOL, n, GH_FIELD_FEATURE, .feature = (f), .lacks = I)
#define LACKING_TOOL(n)   ROW(TOOL, n, GH_FIELD_INERT, .lacks = I)
#define HOSTED(n, f)      ROW(MKI, n, GH_FIELD_FEATURE, .feature = (f), .lacks = I)    /* Anthropic runs it, Bedrock does not */
#define LACKING(n)        ROW(MKI, n, GH_FIELD_INERT, .lacks = I)
#define FILE_ID           ROW(MKI, "file_id", GH_FIELD_HANDLE, .handle = GH_HANDLE_FILE, .unread = true, .feature = "files", .lacks = I)
#define MOVED(at, n, k, m) ROW(at, n, k, .moved = 1 + (m))

static const gh_field_table_t
    container_fields, thread_fields, diagnostics_fields, message_fields, block_fields, block_types, source_fields, source_types, citation_fields, citation_types, caller_fields, caller_types,
    tool_change_fields, tool_change_types, switch_fields, model_fields, cache_fields, metadata_fields, thinking_fields,
    binding_fields, choice_fields, choice_types, output_fields, format_fields, budget_fields, management_fields, edit_fields, edit_types, amount_fields,
    billing_fields, credit_fields, compaction_fields, tab_fields, change_fields, transformation_fields;

static const char *const service_tiers[] = { "auto", "standard_only", NULL };
static const char *const speeds[] = { "standard", "fast", NULL };
static const char *const lifetimes[] = { "5m", NULL };
static const char *const cache_types[] = { "ephemeral", NULL };
static const char *const callers[] = { "direct", NULL };
static const char *const formats[] = { "json_schema", NULL };
static const char *const thinking_types[] = { "enabled", "disabled", "adaptive", "between_tools", NULL };
static const char *const amounts[] = { "input_tokens", "tool_uses", "thinking_turns", "all", NULL };
static const char *const budgets[] = { "tokens", NULL };
static const char *const billing_types[] = { "billing_policy", NULL };
static const char *const changes[] = { "tab_opened", "download_started", "download_completed", "download_failed", NULL };
static const char *const thread_types[] = { "create", "continue", NULL };
static const char *const compactions[] = { "summarize", NULL };

static const gh_field_t body_rows[] = {
    MOVED(M | K, "model", GH_FIELD_MODEL, GH_MOVED_MODEL),
    LIST(MKI, "messages", GH_FIELD_MESSAGES, message_fields, NULL),
    LIST(MKI, "system", GH_FIELD_CONTENT, block_fields, &block_types),
    LIST(MKI, "tools", GH_FIELD_OBJECTS, gh_anthropic_tool_fields, &gh_anthropic_tool_types),
    ROW(MKI, "tool_choice", GH_FIELD_WORD_OR_OBJECT, .table = &choice_fields, .types = &choice_types),
    READ(MI, "max_tokens", GH_FIELD_MAX_TOKENS),
    MOVED(M, "stream", GH_FIELD_STREAM, GH_MOVED_STREAM),
    INERT(MI, "temperature"),
    INERT(MI, "top_p"),
    INERT(MI, "top_k"),
    INERT(MI, "stop_sequences"),
    OBJECT(MKI, "thinking", thinking_fields),
    OBJECT(MKI, "output_config", output_fields),
    ROW(MKI, "output_format", GH_FIELD_OBJECT, .table = &format_fields, .lacks = I),
    OBJECT(MI, "metadata", metadata_fields),
    ROW(MKI, "cache_control", GH_FIELD_OBJECT, .table = &cache_fields, .moved = 1 + GH_MOVED_CACHE),   /* Bedrock has cache points alone */
    ROW(MI, "service_tier", GH_FIELD_SERVICE_TIER, .values = service_tiers, .moved = 1 + GH_MOVED_TIER),
    ROW(MKI, "speed", GH_FIELD_SERVICE_TIER, .values = speeds, .lacks = I),
    OBJECT(MKI, "context_management", management_fields),
    ROW(MKI, "compaction", GH_FIELD_OBJECT, .unbounded = true, .table = &compaction_fields, .lacks = I),   /* one more run over the conversation */
    OBJECT(M | K, "billing_policy", billing_fields),
    WORD(M, "fallback_credit_token", credit_fields),

    HOSTED("mcp_servers", "mcp"),
    /* files, skills and programs that outlive the request; the conversation is kept; fingerprints of earlier requests are */
    ROW(MI, "container", GH_FIELD_HANDLE, .handle = GH_HANDLE_CONTAINER, .whole = true, .feature = "container", .table = &container_fields, .lacks = I),
    ROW(M, "thread", GH_FIELD_HANDLE, .handle = GH_HANDLE_MESSAGE, .whole = true, .feature = "thread", .table = &thread_fields),
    ROW(M, "diagnostics", GH_FIELD_HANDLE, .handle = GH_HANDLE_MESSAGE, .whole = true, .feature = "cache_diagnosis", .table = &diagnostics_fields),

    /* in the body where the path says the model */
    MOVED(I, "anthropic_version", GH_FIELD_INERT, GH_MOVED_VERSION),
    MOVED(I, "anthropic_beta", GH_FIELD_BETAS, GH_MOVED_BETAS),

    STEERING(MKI),
};

static const gh_field_t container_rows[] = {
    ROW(MI, "id", GH_FIELD_HANDLE, .handle = GH_HANDLE_CONTAINER, .feature = "container"),
    KEPT(MI, "skills", "skills"),                /* by their ids; those of the client's own are kept where they were made */
};

static const gh_field_t thread_rows[] = {
    CHOICE(M, "type", GH_FIELD_CHOICE, NULL, thread_types),
    HANDLE(M, "previous_message_id", GH_HANDLE_MESSAGE, "thread"),
};

static const gh_field_t diagnostics_rows[] = {
    ROW(M, "previous_message_id", GH_FIELD_HANDLE, .handle = GH_HANDLE_MESSAGE, .feature = "cache_diagnosis"),
};

static const gh_field_t message_rows[] = {
    INERT(MKI, "role"),
    LIST(MKI, "content", GH_FIELD_CONTENT, block_fields, &block_types),
    LACKING("clear_at"),
    OBJECT(MKI, "output_config", output_fields),
};

/* Fields are judged by their own name, whatever "type" says. */
static const gh_field_t block_rows[] = {
    READ(MKI, "type", GH_FIELD_TYPE),
    OBJECT(MKI, "cache_control", cache_fields),
    INERT(MKI, "text"),
    ROW(MKI, "citations", GH_FIELD_WORD_OR_OBJECT, .table = &citation_fields, .types = &citation_types),

    /* images and documents; of a search result, what the client calls its source */
    ROW(MKI, "source", GH_FIELD_SOURCE, .table = &source_fields, .types = &source_types),
    ROW(MKI, "transformations", GH_FIELD_OBJECT, .table = &transformation_fields, .lacks = I),
    INERT(MKI, "title"),
    INERT(MKI, "context"),
    LIST(MKI, "content", GH_FIELD_CONTENT, block_fields, &block_types),

    /* reasoning */
    INERT(MKI, "thinking"),
    UNREAD(MKI, "signature"),
    UNREAD(MKI, "data"),

    /* calls of tools and what came of them */
    INERT(MKI, "id"),
    INERT(MKI, "name"),
    FREE(MKI, "input"),                      /* for the client's own tool, which has run, or of one that had a block of its own */
    ROW(MKI, "caller", GH_FIELD_WORD_OR_OBJECT, .table = &caller_fields, .types = &caller_types),
    LACKING("toolset_name"),
    INERT(MKI, "tool_use_id"),
    INERT(MKI, "is_error"),
    INERT(MKI, "tool_name"),
    LACKING("server_name"),
    LACKING("mcp_server_name"),
    FILE_ID,
    LIST(MKI, "tool_references", GH_FIELD_CONTENT, block_fields, &block_types),
    ROW(MKI, "tool", GH_FIELD_WORD_OR_OBJECT, .table = &tool_change_fields, .types = &tool_change_types),
    LIST(MKI, "tool_changes", GH_FIELD_CONTENT, block_fields, &block_types),
    ROW(MKI, "tools", GH_FIELD_OBJECTS, .table = &gh_anthropic_tool_fields, .types = &gh_anthropic_tool_types, .lacks = I),

    /* inside of results */
    INERT(MKI, "error_code"),
    INERT(MKI, "error_message"),
    INERT(MKI, "url"),                       /* of a page whose text is here: it was fetched before */
    INERT(MKI, "page_age"),
    INERT(MKI, "retrieved_at"),
    INERT(MKI, "stop_reason"),
    INERT(MKI, "return_code"),
    INERT(MKI, "stdout"),
    INERT(MKI, "stderr"),
    INERT(MKI, "file_type"),
    INERT(MKI, "num_lines"),
    INERT(MKI, "start_line"),
    INERT(MKI, "total_lines"),
    INERT(MKI, "is_file_update"),
    INERT(MKI, "lines"),
    INERT(MKI, "new_lines"),
    INERT(MKI, "new_start"),
    INERT(MKI, "old_lines"),
    INERT(MKI, "old_start"),
    UNREAD(MKI, "encrypted_content"),
    UNREAD(MKI, "encrypted_stdout"),

    /* the client's browser, in its own words */
    ROW(MKI, "tabs", GH_FIELD_OBJECT, .table = &tab_fields, .lacks = I),
    ROW(MKI, "state_changes", GH_FIELD_OBJECT, .table = &change_fields, .lacks = I),

    /* an answer that another model went on with */
    ROW(MKI, "from", GH_FIELD_OBJECT, .table = &model_fields, .lacks = I),
    ROW(MKI, "to", GH_FIELD_OBJECT, .table = &model_fields, .lacks = I),
    ROW(MKI, "trigger", GH_FIELD_FREE, .lacks = I),                    /* the provider's own words about it, sent back */
};

static const gh_field_t block_type_rows[] = {
    INERT(MKI, "text"),
    ROW(MKI, "image", GH_FIELD_INERT, .image = true),
    INERT(MKI, "document"),
    ROW(MKI, "search_result", GH_FIELD_INERT, .named = true),
    INERT(MKI, "thinking"),
    INERT(MKI, "redacted_thinking"),
    INERT(MKI, "tool_use"),
    INERT(MKI, "tool_result"),
    INERT(MKI, "tool_reference"),
    INERT(MKI, "tool_addition"),
    INERT(MKI, "tool_removal"),
    LACKING("browser_state"),
    INERT(MKI, "compaction"),
    LACKING("fallback"),
    INERT(MKI, "server_tool_use"),           /* the model's own words; their results name what was done */
    LACKING("mcp_tool_use"),
    INERT(MKI, "tool_search_tool_result"),   /* of the request's own tools */
    INERT(MKI, "tool_search_tool_search_result"),
    INERT(MKI, "tool_search_tool_result_error"),
    HOSTED("web_search_tool_result", "web_search"),
    HOSTED("web_search_result", "web_search"),
    HOSTED("web_search_tool_result_error", "web_search"),
    HOSTED("web_fetch_tool_result", "web_fetch"),
    HOSTED("web_fetch_result", "web_fetch"),
    HOSTED("web_fetch_tool_result_error", "web_fetch"),
    HOSTED("advisor_tool_result", "advisor"),
    HOSTED("advisor_result", "advisor"),
    HOSTED("advisor_redacted_result", "advisor"),
    HOSTED("advisor_tool_result_error", "advisor"),
    HOSTED("code_execution_tool_result", "code_execution"),
    HOSTED("code_execution_result", "code_execution"),
    HOSTED("code_execution_output", "code_execution"),
    HOSTED("encrypted_code_execution_result", "code_execution"),
    HOSTED("code_execution_tool_result_error", "code_execution"),
    HOSTED("bash_code_execution_tool_result", "code_execution"),
    HOSTED("bash_code_execution_result", "code_execution"),
    HOSTED("bash_code_execution_output", "code_execution"),
    HOSTED("bash_code_execution_tool_result_error", "code_execution"),
    HOSTED("text_editor_code_execution_tool_result", "code_execution"),
    HOSTED("text_editor_code_execution_view_result", "code_execution"),
    HOSTED("text_editor_code_execution_create_result", "code_execution"),
    HOSTED("text_editor_code_execution_str_replace_result", "code_execution"),
    HOSTED("text_editor_code_execution_tool_result_error", "code_execution"),
    HOSTED("mcp_tool_result", "mcp"),
    HOSTED("mcp_tool_listing", "mcp"),
    HOSTED("container_upload", "container"),
};

static const gh_field_t source_rows[] = {
    READ(MKI, "type", GH_FIELD_TYPE),
    INERT(MKI, "media_type"),
    READ(MKI, "data", GH_FIELD_SOURCE_DATA),
    ROW(MKI, "url", GH_FIELD_URL, .lacks = I),
    FILE_ID,
    LIST(MKI, "content", GH_FIELD_CONTENT, block_fields, &block_types),
};

/* unread: what stands there is no text. */
static const gh_field_t source_type_rows[] = {
    ROW(MKI, "base64", GH_FIELD_INERT, .unread = true),
    ROW(MKI, "url", GH_FIELD_INERT, .unread = true, .lacks = I),
    ROW(MKI, "file", GH_FIELD_INERT, .unread = true, .lacks = I),
    INERT(MKI, "text"),
    INERT(MKI, "content"),
};

static const gh_field_t transformation_rows[] = {
    INERT(MKI, "oversized_image"),
};

/* Of a document: { "enabled" }. Of a text that came back: an array of places. */
static const gh_field_t citation_rows[] = {
    READ(MKI, "type", GH_FIELD_TYPE),
    INERT(MKI, "enabled"),
    INERT(MKI, "cited_text"),
    INERT(MKI, "document_index"),
    INERT(MKI, "document_title"),
    INERT(MKI, "start_char_index"),
    INERT(MKI, "end_char_index"),
    INERT(MKI, "start_page_number"),
    INERT(MKI, "end_page_number"),
    INERT(MKI, "start_block_index"),
    INERT(MKI, "end_block_index"),
    INERT(MKI, "search_result_index"),
    INERT(MKI, "source"),
    INERT(MKI, "title"),
    INERT(MKI, "url"),                       /* of a search that is a feature by its type */
    UNREAD(MKI, "encrypted_index"),
    FILE_ID,
};

static const gh_field_t citation_type_rows[] = {
    INERT(MKI, "char_location"),
    INERT(MKI, "page_location"),
    INERT(MKI, "content_block_location"),
    INERT(MKI, "search_result_location"),
    HOSTED("web_search_result_location", "web_search"),
};

static const gh_field_t caller_rows[] = {
    READ(MKI, "type", GH_FIELD_TYPE),
    INERT(MKI, "tool_id"),
};

static const gh_field_t caller_type_rows[] = {
    INERT(MKI, "direct"),
    HOSTED("code_execution_20250825", "code_execution"),
    HOSTED("code_execution_20260120", "code_execution"),
    HOSTED("code_execution_20260521", "code_execution"),
};

static const gh_field_t tool_rows[] = {
    READ(TOOL, "type", GH_FIELD_TYPE),
    INERT(TOOL, "name"),
    INERT(TOOL, "description"),
    SCHEMA(TOOL, "input_schema"),
    INERT(TOOL, "strict"),
    OBJECT(TOOL, "cache_control", cache_fields),
    INERT(TOOL, "defer_loading"),
    INERT(TOOL, "eager_input_streaming"),
    FREE(TOOL, "input_examples"),             /* of the client's own tool, shown to the model */
    ROW(TOOL, "allowed_callers", GH_FIELD_CHOICES, .feature = "code_execution", .values = callers, .lacks_others = I),
    INERT(TOOL, "display_height_px"),
    INERT(TOOL, "display_width_px"),
    INERT(TOOL, "display_number"),
    INERT(TOOL, "enable_zoom"),
    INERT(TOOL, "max_characters"),
    ROW(TOOL, "configs", GH_FIELD_MAP, .table = &switch_fields, .lacks = I),
};

static const gh_field_t switch_rows[] = {
    INERT(TOOL, "enabled"),
    INERT(TOOL, "defer_loading"),
};

static const gh_field_t tool_type_rows[] = {
    INERT(TOOL, "custom"),
    INERT(TOOL, "bash_20241022"),
    INERT(TOOL, "bash_20250124"),
    INERT(TOOL, "text_editor_20241022"),
    INERT(TOOL, "text_editor_20250124"),
    INERT(TOOL, "text_editor_20250429"),
    INERT(TOOL, "text_editor_20250728"),
    INERT(TOOL, "computer_20241022"),
    INERT(TOOL, "computer_20250124"),
    INERT(TOOL, "computer_20251124"),
    LACKING_TOOL("computer_toolset_20260801"),
    LACKING_TOOL("browser_toolset_20260801"),
    INERT(TOOL, "memory_20250818"),
    INERT(TOOL, "tool_search_tool_bm25"),     /* among the request's own tools */
    INERT(TOOL, "tool_search_tool_bm25_20251119"),
    INERT(TOOL, "tool_search_tool_regex"),
    INERT(TOOL, "tool_search_tool_regex_20251119"),
    HOSTED_TOOL("web_search_20250305", "web_search"),
    HOSTED_TOOL("web_search_20260209", "web_search"),
    HOSTED_TOOL("web_search_20260318", "web_search"),
    HOSTED_TOOL("web_fetch_20250910", "web_fetch"),
    HOSTED_TOOL("web_fetch_20260209", "web_fetch"),
    HOSTED_TOOL("web_fetch_20260309", "web_fetch"),
    HOSTED_TOOL("web_fetch_20260318", "web_fetch"),
    HOSTED_TOOL("code_execution_20250522", "code_execution"),
    HOSTED_TOOL("code_execution_20250825", "code_execution"),
    HOSTED_TOOL("code_execution_20260120", "code_execution"),
    HOSTED_TOOL("code_execution_20260521", "code_execution"),
    HOSTED_TOOL("advisor_20260301", "advisor"),     /* another model is asked */
    HOSTED_TOOL("mcp_toolset", "mcp"),
};

static const gh_field_t tool_change_rows[] = {
    READ(MKI, "type", GH_FIELD_TYPE),
    INERT(MKI, "name"),
    LACKING("server_name"),
    ROW(MKI, "definition", GH_FIELD_WORD_OR_OBJECT, .table = &gh_anthropic_tool_fields, .types = &gh_anthropic_tool_types),
};

static const gh_field_t tool_change_type_rows[] = {
    INERT(MKI, "tool_reference"),
    INERT(MKI, "tool_definition"),
    HOSTED("mcp_tool_reference", "mcp"),
    HOSTED("mcp_toolset_reference", "mcp"),
};

/* In memory for minutes, for the organisation that asks, unless it says an hour or a wider scope ("global"). */
static const gh_field_t cache_rows[] = {
    CHOICE(TOOL, "type", GH_FIELD_CHOICE, NULL, cache_types),
    CHOICE(TOOL, "ttl", GH_FIELD_CHOICE, "prompt_cache", lifetimes),
    ROW(TOOL, "scope", GH_FIELD_FEATURE, .feature = "prompt_cache", .dropped = I),
};

static const gh_field_t metadata_rows[] = {
    ROW(MKI, "user_id", GH_FIELD_INERT, .session = GH_SESSION_USER_ID),
};

static const gh_field_t thinking_rows[] = {
    CHOICE(MKI, "type", GH_FIELD_CHOICE, NULL, thinking_types),
    INERT(MKI, "budget_tokens"),
    INERT(MKI, "display"),
    OBJECT(MKI, "block_binding", binding_fields),
};

static const gh_field_t binding_rows[] = {
    INERT(MKI, "prefix_mismatch_behavior"),
};

static const gh_field_t choice_rows[] = {
    READ(MKI, "type", GH_FIELD_TYPE),
    INERT(MKI, "name"),
    INERT(MKI, "disable_parallel_tool_use"),
};

static const gh_field_t choice_type_rows[] = {
    INERT(MKI, "auto"),
    INERT(MKI, "any"),
    INERT(MKI, "tool"),
    INERT(MKI, "none"),
};

static const gh_field_t output_rows[] = {
    INERT(MKI, "effort"),
    OBJECT(MKI, "format", format_fields),
    ROW(MKI, "task_budget", GH_FIELD_OBJECT, .table = &budget_fields, .lacks = I),
};

static const gh_field_t format_rows[] = {
    CHOICE(MKI, "type", GH_FIELD_CHOICE, NULL, formats),
    SCHEMA(MKI, "schema"),
};

static const gh_field_t budget_rows[] = {
    CHOICE(MKI, "type", GH_FIELD_CHOICE, NULL, budgets),
    INERT(MKI, "total"),
    INERT(MKI, "remaining"),
};

static const gh_field_t management_rows[] = {
    LIST(MKI, "edits", GH_FIELD_OBJECTS, edit_fields, &edit_types),
};

static const gh_field_t edit_rows[] = {
    READ(MKI, "type", GH_FIELD_TYPE),
    INERT(MKI, "clear_tool_inputs"),
    INERT(MKI, "exclude_tools"),
    INERT(MKI, "instructions"),
    INERT(MKI, "pause_after_compaction"),
    OBJECT(MKI, "clear_at_least", amount_fields),
    WORD(MKI, "keep", amount_fields),
    OBJECT(MKI, "trigger", amount_fields),
};

static const gh_field_t edit_type_rows[] = {
    INERT(MKI, "clear_tool_uses_20250919"),
    INERT(MKI, "clear_thinking_20251015"),
    ROW(MKI, "compact_20260112", GH_FIELD_INERT, .unbounded = true),   /* one more run over the conversation */
};

static const gh_field_t amount_rows[] = {
    CHOICE(MKI, "type", GH_FIELD_CHOICE, NULL, amounts),
    INERT(MKI, "value"),
};

static const gh_field_t billing_rows[] = {
    CHOICE(MKI, "type", GH_FIELD_CHOICE, NULL, billing_types),
    INERT(MKI, "bill_to"),
};

static const gh_field_t credit_rows[] = {
    INERT(MKI, "token"),
    INERT(MKI, "mode"),
};

static const gh_field_t compaction_rows[] = {
    CHOICE(MKI, "type", GH_FIELD_CHOICE, NULL, compactions),
    INERT(MKI, "instructions"),
};

static const gh_field_t tab_rows[] = {
    INERT(MKI, "tab_id"),
    INERT(MKI, "title"),
    INERT(MKI, "url"),                       /* the client's browser is there, nobody else goes */
    INERT(MKI, "active"),
};

static const gh_field_t change_rows[] = {
    CHOICE(MKI, "type", GH_FIELD_CHOICE, NULL, changes),
    INERT(MKI, "tab_id"),
    INERT(MKI, "download_id"),
    INERT(MKI, "url"),
    INERT(MKI, "path"),
    INERT(MKI, "size_bytes"),
    INERT(MKI, "error"),
};

static const gh_field_t model_rows[] = {
    INERT(MKI, "model"),
};

TABLE(gh_messages_fields, body_rows);
static TABLE(container_fields, container_rows);
static TABLE(thread_fields, thread_rows);
static TABLE(diagnostics_fields, diagnostics_rows);
static TABLE(message_fields, message_rows);
static TABLE(block_fields, block_rows);
static TABLE(block_types, block_type_rows);
static TABLE(source_fields, source_rows);
static TABLE(source_types, source_type_rows);
static TABLE(transformation_fields, transformation_rows);
static TABLE(citation_fields, citation_rows);
static TABLE(citation_types, citation_type_rows);
static TABLE(caller_fields, caller_rows);
static TABLE(caller_types, caller_type_rows);
TABLE(gh_anthropic_tool_fields, tool_rows);
LATE_TABLE(gh_anthropic_tool_types, tool_type_rows);
static TABLE(switch_fields, switch_rows);
static TABLE(tool_change_fields, tool_change_rows);
static TABLE(tool_change_types, tool_change_type_rows);
static TABLE(cache_fields, cache_rows);
static TABLE(metadata_fields, metadata_rows);
static TABLE(thinking_fields, thinking_rows);
static TABLE(binding_fields, binding_rows);
static TABLE(choice_fields, choice_rows);
static TABLE(choice_types, choice_type_rows);
static TABLE(output_fields, output_rows);
static TABLE(format_fields, format_rows);
static TABLE(budget_fields, budget_rows);
static TABLE(management_fields, management_rows);
static TABLE(edit_fields, edit_rows);
static TABLE(edit_types, edit_type_rows);
static TABLE(amount_fields, amount_rows);
static TABLE(billing_fields, billing_rows);
static TABLE(credit_fields, credit_rows);
static TABLE(compaction_fields, compaction_rows);
static TABLE(tab_fields, tab_rows);
static TABLE(change_fields, change_rows);
static TABLE(model_fields, model_rows);
