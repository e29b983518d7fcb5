#include "ngx_module/wire/fields.h"

#include <string.h>

#define NAME(s)                 { (s), sizeof(s) - 1 }
#define INERT(at, n)            { NAME(n), (at), GH_FIELD_INERT, false, NULL, NULL }
#define UNREAD(at, n)           { NAME(n), (at), GH_FIELD_UNREAD, true, NULL, NULL }
#define FEATURE(at, n, f)       { NAME(n), (at), GH_FIELD_FEATURE, false, (f), NULL }
#define KEPT(at, n, f)          { NAME(n), (at), GH_FIELD_FEATURE, true, (f), NULL }
#define FLAG(at, n, f)          { NAME(n), (at), GH_FIELD_FLAG, false, (f), NULL }
#define READ(at, n, k)          { NAME(n), (at), (k), false, NULL, NULL }
#define CHOICE(at, n, k, f, v)  { NAME(n), (at), (k), false, (f), (v) }
#define TABLE(name, rows)       const gh_field_table_t name = { (rows), sizeof(rows) / sizeof((rows)[0]) }

#define C   GH_AT_CHAT
#define P   GH_AT_COMPLETIONS
#define E   GH_AT_EMBEDDINGS
#define CP  GH_AT_TEXT
#define CE  (GH_AT_CHAT | GH_AT_EMBEDDINGS)
#define ALL GH_AT_ALL

static const char *const service_tiers[] = { "auto", "default", "flex", "scale", "priority", "fast", "standard", NULL };
static const char *const retentions[] = { "in_memory", "in-memory", NULL };
static const char *const modalities[] = { "text", "image", NULL };

static const gh_field_t body_rows[] = {

    /* what every request has */
    READ(ALL, "model", GH_FIELD_MODEL),
    READ(CE, "messages", GH_FIELD_MESSAGES),
    READ(P, "prompt", GH_FIELD_TEXTS),
    READ(E, "input", GH_FIELD_TEXTS),
    READ(CP, "stream", GH_FIELD_STREAM),
    READ(CP, "stream_options", GH_FIELD_STREAM_OPTIONS),
    READ(CP, "max_tokens", GH_FIELD_MAX_TOKENS),
    READ(CP, "max_completion_tokens", GH_FIELD_MAX_TOKENS),
    READ(CP, "n", GH_FIELD_COUNT),
    READ(CP, "best_of", GH_FIELD_COUNT),
    READ(C, "tools", GH_FIELD_TOOLS),

    /* OpenAI */
    INERT(CP, "temperature"),
    INERT(CP, "top_p"),
    INERT(CP, "stop"),
    INERT(CP, "seed"),
    INERT(CP, "frequency_penalty"),
    INERT(CP, "presence_penalty"),
    INERT(CP, "logit_bias"),
    INERT(CP, "logprobs"),
    INERT(CP, "top_logprobs"),
    INERT(CP, "response_format"),
    INERT(C, "tool_choice"),
    INERT(C, "parallel_tool_calls"),
    INERT(C, "functions"),
    INERT(C, "function_call"),
    INERT(C, "prediction"),
    INERT(C, "reasoning_effort"),
    INERT(C, "verbosity"),
    INERT(CP, "metadata"),
    INERT(ALL, "user"),
    INERT(CP, "safety_identifier"),
    INERT(CP, "prompt_cache_key"),
    INERT(CP, "echo"),
    INERT(P, "suffix"),
    INERT(E, "dimensions"),
    INERT(E, "encoding_format"),
    CHOICE(CP, "service_tier", GH_FIELD_CHOICE, NULL, service_tiers),
    CHOICE(CP, "prompt_cache_retention", GH_FIELD_CHOICE, "prompt_cache", retentions),
    FEATURE(CP, "prompt_cache_options", "prompt_cache"),
    CHOICE(C, "modalities", GH_FIELD_CHOICES, "audio_output", modalities),   /* audio answers are kept for a follow-up */
    FEATURE(C, "audio", "audio_output"),
    READ(C, "store", GH_FIELD_STORE),
    FEATURE(C, "web_search_options", "web_search"),
    FEATURE(C, "moderation", "moderation"),

    /* Azure OpenAI */
    FEATURE(C, "data_sources", "data_sources"),
    FEATURE(C, "dataSources", "data_sources"),
    FEATURE(C, "enhancements", "enhancements"),
    FEATURE(CP, "user_security_context", "user_security_context"),
    INERT(E, "input_type"),

    /* Bedrock */
    FEATURE(CP, "amazon-bedrock-guardrailConfig", "guardrail"),

    /* reasoning switches of open models */
    INERT(C, "thinking"),
    INERT(C, "enable_thinking"),
    INERT(C, "reasoning"),
    INERT(C, "include_reasoning"),
    INERT(CP, "thinking_token_budget"),
    FLAG(C, "enable_search", "web_search"),
    FEATURE(C, "search_parameters", "web_search"),

    /* vLLM, SGLang, llama.cpp: sampling */
    INERT(CP, "top_k"),
    INERT(CP, "min_p"),
    INERT(CP, "min_tokens"),
    INERT(CP, "repetition_penalty"),
    INERT(CP, "length_penalty"),
    INERT(CP, "use_beam_search"),
    INERT(CP, "stop_token_ids"),
    INERT(CP, "stop_regex"),
    INERT(CP, "include_stop_str_in_output"),
    INERT(CP, "no_stop_trim"),
    INERT(CP, "ignore_eos"),
    INERT(CP, "skip_special_tokens"),
    INERT(CP, "spaces_between_special_tokens"),
    INERT(ALL, "truncate_prompt_tokens"),
    INERT(ALL, "truncation_side"),
    INERT(CP, "prompt_logprobs"),
    INERT(CP, "logprob_token_ids"),
    INERT(CP, "allowed_token_ids"),
    INERT(CP, "bad_words"),
    INERT(CP, "watermarking"),
    INERT(CP, "repetition_detection"),
    INERT(CP, "stream_interval"),
    INERT(ALL, "priority"),
    INERT(CE, "add_generation_prompt"),
    INERT(CE, "continue_final_message"),
    INERT(ALL, "add_special_tokens"),
    INERT(C, "documents"),
    INERT(CE, "chat_template"),
    INERT(CE, "chat_template_kwargs"),
    INERT(CE, "media_io_kwargs"),
    INERT(CE, "mm_processor_kwargs"),
    INERT(C, "separate_reasoning"),
    INERT(C, "stream_reasoning"),
    INERT(C, "task"),
    INERT(C, "max_dynamic_patch"),
    INERT(C, "min_dynamic_patch"),
    INERT(C, "use_audio_in_video"),
    INERT(CP, "images_config"),

    /* constrained output */
    INERT(CP, "structured_outputs"),
    INERT(CP, "structural_tag"),
    INERT(CP, "guided_json"),
    INERT(CP, "guided_regex"),
    INERT(CP, "guided_choice"),
    INERT(CP, "guided_grammar"),
    INERT(CP, "guided_decoding_backend"),
    INERT(CP, "guided_whitespace_pattern"),
    INERT(CP, "json_schema"),
    INERT(CP, "regex"),
    INERT(CP, "ebnf"),
    INERT(CP, "grammar"),
    INERT(CP, "grammar_lazy"),
    INERT(CP, "grammar_triggers"),
    INERT(CP, "preserved_tokens"),

    /* what the answer shows */
    INERT(CP, "return_tokens_as_token_ids"),
    INERT(CP, "return_token_ids"),
    INERT(CP, "return_token_offsets"),
    INERT(CP, "return_prompt_text"),
    INERT(CP, "return_prompt_token_ids"),
    INERT(CP, "return_mm_kwargs"),
    INERT(CP, "return_hidden_states"),
    INERT(CP, "return_routed_experts"),
    INERT(CP, "return_cached_tokens_details"),
    INERT(CP, "return_meta_info"),
    INERT(CP, "routed_experts_prompt_start"),
    INERT(CP, "routed_experts_start_len"),
    INERT(CP, "return_tokens"),
    INERT(CP, "return_progress"),
    INERT(CP, "sse_ping_interval"),
    INERT(CP, "timings_per_token"),
    INERT(CP, "verbose"),
    INERT(CP, "response_fields"),
    INERT(CP, "post_sampling_probs"),
    INERT(CP, "n_probs"),
    INERT(CP, "parse_tool_calls"),
    INERT(CP, "reasoning_format"),
    INERT(CP, "reasoning_control"),
    INERT(CP, "reasoning_budget_tokens"),

    /* placed inside one cluster; kept in memory, apart by salt */
    INERT(ALL, "request_id"),
    INERT(ALL, "rid"),
    INERT(ALL, "cache_salt"),
    INERT(CP, "extra_key"),
    INERT(CP, "routed_dp_rank"),
    INERT(CP, "data_parallel_rank"),
    INERT(CP, "disagg_prefill_dp_rank"),
    INERT(CP, "cache_prompt"),
    INERT(CP, "n_cache_reuse"),
    UNREAD(C, "input_ids"),
    UNREAD(P, "prompt_embeds"),
    INERT(E, "additional_data"),
    INERT(E, "normalize"),
    INERT(E, "use_activation"),
    INERT(E, "embed_dtype"),
    INERT(E, "endianness"),
    INERT(E, "embd_normalize"),

    /* llama.cpp: sampling */
    READ(CP, "n_predict", GH_FIELD_MAX_TOKENS),
    READ(CP, "n_cmpl", GH_FIELD_COUNT),
    INERT(CP, "n_indent"),
    INERT(CP, "n_keep"),
    INERT(CP, "n_discard"),
    INERT(CP, "t_max_predict_ms"),
    INERT(CP, "top_n_sigma"),
    INERT(CP, "xtc_probability"),
    INERT(CP, "xtc_threshold"),
    INERT(CP, "typical_p"),
    INERT(CP, "dynatemp_range"),
    INERT(CP, "dynatemp_exponent"),
    INERT(CP, "repeat_last_n"),
    INERT(CP, "repeat_penalty"),
    INERT(CP, "dry_multiplier"),
    INERT(CP, "dry_base"),
    INERT(CP, "dry_allowed_length"),
    INERT(CP, "dry_penalty_last_n"),
    INERT(CP, "dry_sequence_breakers"),
    INERT(CP, "mirostat"),
    INERT(CP, "mirostat_tau"),
    INERT(CP, "mirostat_eta"),
    INERT(CP, "adaptive_target"),
    INERT(CP, "adaptive_decay"),
    INERT(CP, "min_keep"),
    INERT(CP, "backend_sampling"),
    INERT(CP, "samplers"),

    /* these reach further: another host, code, an adapter, another request's state, metrics */
    FEATURE(CP, "kv_transfer_params", "kv_transfer"),
    FEATURE(CP, "ec_transfer_params", "kv_transfer"),
    FEATURE(CP, "bootstrap_host", "kv_transfer"),
    FEATURE(CP, "bootstrap_port", "kv_transfer"),
    FEATURE(CP, "bootstrap_room", "kv_transfer"),
    FEATURE(CP, "logits_processors", "custom_code"),
    FEATURE(CP, "custom_logit_processor", "custom_code"),
    FEATURE(CP, "custom_params", "custom_code"),
    FEATURE(CP, "vllm_xargs", "custom_code"),
    FEATURE(ALL, "lora_path", "lora"),
    FEATURE(CP, "lora", "lora"),
    FEATURE(CP, "id_slot", "session"),
    FEATURE(CP, "session_id", "session"),
    FEATURE(CP, "session_params", "session"),
    FEATURE(CP, "ngram_corpus_id", "ngram_corpus"),
    FEATURE(CP, "custom_labels", "metric_labels"),
};

static const gh_field_t stream_options_rows[] = {
    READ(CP, "include_usage", GH_FIELD_INCLUDE_USAGE),
    INERT(CP, "include_obfuscation"),
    INERT(CP, "continuous_usage_stats"),
};

static const gh_field_t message_rows[] = {
    READ(ALL, "content", GH_FIELD_CONTENT),
    INERT(ALL, "role"),
    INERT(ALL, "name"),
    INERT(ALL, "tool_call_id"),
    READ(ALL, "tool_calls", GH_FIELD_TOOL_CALLS),
    INERT(ALL, "function_call"),
    INERT(ALL, "refusal"),
    INERT(ALL, "annotations"),
    INERT(ALL, "reasoning"),
    INERT(ALL, "reasoning_content"),
    UNREAD(ALL, "reasoning_details"),
    INERT(ALL, "context"),
    INERT(ALL, "prefix"),
    INERT(ALL, "partial"),
    KEPT(ALL, "audio", "stored_audio"),      /* the id of an answer the provider kept */
    FEATURE(ALL, "cache_control", "prompt_cache"),
    FEATURE(ALL, "prompt_cache_breakpoint", "prompt_cache"),
    READ(C, "tools", GH_FIELD_TOOLS),
};

/* Fields are judged by their own name, whatever "type" says. */
static const gh_field_t part_rows[] = {
    READ(ALL, "type", GH_FIELD_TYPE),
    INERT(ALL, "text"),
    INERT(ALL, "refusal"),
    INERT(ALL, "thinking"),
    INERT(ALL, "reasoning"),
    UNREAD(ALL, "signature"),
    INERT(ALL, "annotations"),
    INERT(ALL, "name"),
    INERT(ALL, "detail"),
    INERT(ALL, "modalities"),
    UNREAD(ALL, "input_audio"),
    UNREAD(ALL, "input_video"),
    UNREAD(ALL, "image_embeds"),
    UNREAD(ALL, "audio_embeds"),
    READ(ALL, "image_url", GH_FIELD_MEDIA),
    READ(ALL, "video_url", GH_FIELD_MEDIA),
    READ(ALL, "audio_url", GH_FIELD_MEDIA),
    READ(ALL, "file", GH_FIELD_FILE),
    KEPT(ALL, "file_id", "files"),
    KEPT(ALL, "uuid", "media_cache"),        /* names media an earlier request left behind */
    FEATURE(ALL, "cache_control", "prompt_cache"),
    FEATURE(ALL, "prompt_cache_breakpoint", "prompt_cache"),
};

static const gh_field_t media_rows[] = {
    READ(ALL, "url", GH_FIELD_URL),
    INERT(ALL, "detail"),
    INERT(ALL, "max_dynamic_patch"),
    INERT(ALL, "min_dynamic_patch"),
    INERT(ALL, "content_hash"),
    KEPT(ALL, "file_id", "files"),
    KEPT(ALL, "uuid", "media_cache"),
};

static const gh_field_t file_rows[] = {
    READ(ALL, "file_data", GH_FIELD_FILE_DATA),
    INERT(ALL, "filename"),
    KEPT(ALL, "file_id", "files"),
    READ(ALL, "file_url", GH_FIELD_URL),
};

static const gh_field_t tool_rows[] = {
    READ(ALL, "type", GH_FIELD_TYPE),
    INERT(ALL, "function"),
    INERT(ALL, "custom"),
    INERT(ALL, "defer_loading"),
    FEATURE(ALL, "cache_control", "prompt_cache"),
};

static const gh_field_t tool_call_rows[] = {
    READ(ALL, "type", GH_FIELD_TYPE),
    INERT(ALL, "id"),
    INERT(ALL, "index"),
    INERT(ALL, "function"),
    INERT(ALL, "custom"),
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
    FEATURE(ALL, "web_search", "web_search"),
    FEATURE(ALL, "web_search_preview", "web_search"),
    FEATURE(ALL, "web_search_2025_08_26", "web_search"),
    FEATURE(ALL, "web_search_preview_2025_03_11", "web_search"),
    FEATURE(ALL, "file_search", "file_search"),
    FEATURE(ALL, "retrieval", "file_search"),
    FEATURE(ALL, "code_interpreter", "code_interpreter"),
    FEATURE(ALL, "image_generation", "image_generation"),
    FEATURE(ALL, "mcp", "mcp"),
    FEATURE(ALL, "computer", "computer_use"),
    FEATURE(ALL, "computer_use_preview", "computer_use"),
    FEATURE(ALL, "shell", "shell"),
    FEATURE(ALL, "local_shell", "shell"),
    FEATURE(ALL, "apply_patch", "apply_patch"),
};

static const gh_field_t tool_call_type_rows[] = {
    INERT(ALL, "function"),
    INERT(ALL, "custom"),
};

TABLE(gh_body_fields, body_rows);
TABLE(gh_stream_options_fields, stream_options_rows);
TABLE(gh_message_fields, message_rows);
TABLE(gh_part_fields, part_rows);
TABLE(gh_media_fields, media_rows);
TABLE(gh_file_fields, file_rows);
TABLE(gh_tool_fields, tool_rows);
TABLE(gh_tool_call_fields, tool_call_rows);
TABLE(gh_part_types, part_type_rows);
TABLE(gh_tool_types, tool_type_rows);
TABLE(gh_tool_call_types, tool_call_type_rows);

_Static_assert(sizeof(body_rows) / sizeof(body_rows[0]) <= GH_FIELDS_MAX, "the reader's set of seen fields is full");

int
gh_field_find(const gh_field_table_t *table, gh_str_t name, gh_endpoint_t endpoint)
{
    const gh_field_t *row;
    unsigned          i;

    if (name.len == 0) {
        return -1;
    }

    for (i = 0; i < table->count; i++) {
        row = &table->rows[i];
        if (row->name.len == name.len
            && row->name.data[0] == name.data[0]
            && memcmp(row->name.data, name.data, name.len) == 0)
        {
            return (row->endpoints & (1u << endpoint)) != 0 ? (int) i : -1;
        }
    }

    return -1;
}
