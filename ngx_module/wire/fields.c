#include <string.h>

#include "ngx_module/wire/fields_rows.h"

static const char *const service_tiers[] = { "auto", "default", "flex", "scale", "priority", "fast", "standard", NULL };
static const char *const retentions[] = { "in_memory", "in-memory", NULL };
static const char *const modalities[] = { "text", "image", NULL };
static const char *const prediction_types[] = { "content", NULL };
static const char *const answer_formats[] = { "text", "json_object", "json_schema", "structural_tag", "grammar", "ebnf", "regex", NULL };

static const gh_field_table_t
    stream_options_fields, response_format_fields, named_schema_fields, structured_outputs_fields, trigger_fields, repetition_fields,
    tool_choice_fields, allowed_tools_fields, name_fields, tool_choice_types, thinking_fields, reasoning_fields,
    prediction_fields, document_fields, template_fields, media_io_fields, media_io_kind_fields, processor_fields,
    size_fields, images_config_fields;

static const gh_field_t body_rows[] = {

    /* what every request has */
    READ(ALL, "model", GH_FIELD_MODEL),
    LIST(CE, "messages", GH_FIELD_MESSAGES, gh_message_fields, NULL),
    READ(P, "prompt", GH_FIELD_TEXTS),
    READ(E, "input", GH_FIELD_TEXTS),
    READ(CP, "stream", GH_FIELD_STREAM),
    MEDIA(CP, "stream_options", GH_FIELD_STREAM_OPTIONS, stream_options_fields),
    READ(CP, "max_tokens", GH_FIELD_MAX_TOKENS),
    READ(CP, "max_completion_tokens", GH_FIELD_MAX_TOKENS),
    READ(CP, "n", GH_FIELD_COUNT),
    READ(CP, "best_of", GH_FIELD_COUNT),
    LIST(C, "tools", GH_FIELD_OBJECTS, gh_tool_fields, &gh_tool_types),

    /* OpenAI */
    INERT(CP, "temperature"),
    INERT(CP, "top_p"),
    INERT(CP, "stop"),
    INERT(CP, "seed"),
    INERT(CP, "frequency_penalty"),
    INERT(CP, "presence_penalty"),
    FREE(CP, "logit_bias"),                                  /* token ids to numbers */
    INERT(CP, "logprobs"),
    INERT(CP, "top_logprobs"),
    OBJECT(CP, "response_format", response_format_fields),
    ROW(C, "tool_choice", GH_FIELD_WORD_OR_OBJECT, .table = &tool_choice_fields, .types = &tool_choice_types),
    INERT(C, "parallel_tool_calls"),
    OBJECT(C, "functions", gh_function_fields),
    WORD(C, "function_call", name_fields),
    OBJECT(C, "prediction", prediction_fields),
    INERT(C, "reasoning_effort"),
    INERT(C, "verbosity"),
    ROW(CP, "metadata", GH_FIELD_FREE, .session = GH_SESSION_METADATA_SESSION),   /* labels of the client's own, for its own filters */
    INERT(ALL, "user"),
    INERT(CP, "safety_identifier"),
    ROW(CP, "prompt_cache_key", GH_FIELD_INERT, .session = GH_SESSION_CACHE_KEY),
    INERT(CP, "echo"),
    INERT(P, "suffix"),
    INERT(E, "dimensions"),
    INERT(E, "encoding_format"),
    CHOICE(CP, "service_tier", GH_FIELD_SERVICE_TIER, NULL, service_tiers),
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
    WORD(C, "thinking", thinking_fields),
    INERT(C, "enable_thinking"),
    WORD(C, "reasoning", reasoning_fields),
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
    OBJECT(CP, "repetition_detection", repetition_fields),
    INERT(CP, "stream_interval"),
    INERT(ALL, "priority"),
    INERT(CE, "add_generation_prompt"),
    INERT(CE, "continue_final_message"),
    INERT(ALL, "add_special_tokens"),
    OBJECT(C, "documents", document_fields),
    ROW(CE, "chat_template", GH_FIELD_INERT, .unbounded = true),   /* a program that writes the prompt */
    OBJECT(CE, "chat_template_kwargs", template_fields),
    ROW(CE, "media_io_kwargs", GH_FIELD_OBJECT, .sizes = true, .table = &media_io_fields),
    ROW(CE, "mm_processor_kwargs", GH_FIELD_OBJECT, .sizes = true, .table = &processor_fields),
    INERT(C, "separate_reasoning"),
    INERT(C, "stream_reasoning"),
    INERT(C, "task"),
    SIZES(C, "max_dynamic_patch"),
    SIZES(C, "min_dynamic_patch"),
    INERT(C, "use_audio_in_video"),
    ROW(CP, "images_config", GH_FIELD_OBJECT, .sizes = true, .table = &images_config_fields),

    /* constrained output; SCHEMA: a JSON schema describes the answer and is free-form, only its references are looked at */
    OBJECT(CP, "structured_outputs", structured_outputs_fields),
    SCHEMA(CP, "structural_tag"),
    SCHEMA(CP, "guided_json"),
    INERT(CP, "guided_regex"),
    INERT(CP, "guided_choice"),
    INERT(CP, "guided_grammar"),
    INERT(CP, "guided_decoding_backend"),
    INERT(CP, "guided_whitespace_pattern"),
    SCHEMA(CP, "json_schema"),
    INERT(CP, "regex"),
    INERT(CP, "ebnf"),
    INERT(CP, "grammar"),
    INERT(CP, "grammar_lazy"),
    OBJECT(CP, "grammar_triggers", trigger_fields),
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
    READ(P, "prompt_embeds", GH_FIELD_DATA),
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
    ROW(CP, "session_id", GH_FIELD_FEATURE, .session = GH_SESSION_BODY, .feature = "session"),
    FEATURE(CP, "session_params", "session"),
    FEATURE(CP, "ngram_corpus_id", "ngram_corpus"),
    FEATURE(CP, "custom_labels", "metric_labels"),

    STEERING(ALL),
};

static const gh_field_t stream_options_rows[] = {
    READ(CP, "include_usage", GH_FIELD_INCLUDE_USAGE),
    INERT(CP, "include_obfuscation"),
    INERT(CP, "continuous_usage_stats"),
};

/* The objects of the body, field by field. None is free-form as a whole; schemas inside are. */
static const gh_field_t response_format_rows[] = {
    CHOICE(CP, "type", GH_FIELD_CHOICE, NULL, answer_formats),
    OBJECT(CP, "json_schema", named_schema_fields),
    SCHEMA(CP, "schema"),
    SCHEMA(CP, "value"),
    SCHEMA(CP, "format"),                    /* of a structural tag: literal text around schemas */
    SCHEMA(CP, "structures"),
    INERT(CP, "triggers"),
    INERT(CP, "grammar"),
    INERT(CP, "regex"),
};

static const gh_field_t named_schema_rows[] = {
    INERT(CP, "name"),
    INERT(CP, "description"),
    INERT(CP, "strict"),
    SCHEMA(CP, "schema"),
};

static const gh_field_t structured_outputs_rows[] = {
    SCHEMA(CP, "json"),
    INERT(CP, "regex"),
    INERT(CP, "choice"),
    INERT(CP, "grammar"),
    INERT(CP, "json_object"),
    INERT(CP, "disable_fallback"),
    INERT(CP, "disable_any_whitespace"),
    INERT(CP, "disable_additional_properties"),
    INERT(CP, "whitespace_pattern"),
    SCHEMA(CP, "structural_tag"),
};

static const gh_field_t trigger_rows[] = {
    INERT(CP, "type"),
    INERT(CP, "value"),
    INERT(CP, "token"),
};

static const gh_field_t repetition_rows[] = {
    INERT(CP, "max_pattern_size"),
    INERT(CP, "min_pattern_size"),
    INERT(CP, "min_count"),
};

static const gh_field_t tool_choice_rows[] = {
    READ(C, "type", GH_FIELD_TYPE),
    OBJECT(C, "function", name_fields),
    OBJECT(C, "custom", name_fields),
    OBJECT(C, "allowed_tools", allowed_tools_fields),
    INERT(C, "mode"),
    LIST(C, "tools", GH_FIELD_OBJECTS, gh_tool_fields, &gh_tool_types),
    INERT(C, "name"),
    INERT(C, "disable_parallel_tool_use"),
};

static const gh_field_t allowed_tools_rows[] = {
    INERT(C, "mode"),
    LIST(C, "tools", GH_FIELD_OBJECTS, gh_tool_fields, &gh_tool_types),
};

static const gh_field_t name_rows[] = {
    INERT(ALL, "name"),
};

static const gh_field_t thinking_rows[] = {
    INERT(C, "type"),
    INERT(C, "enabled"),
    INERT(C, "budget_tokens"),
    INERT(C, "display"),
    INERT(C, "clear_thinking"),
};

static const gh_field_t reasoning_rows[] = {
    INERT(C, "effort"),
    INERT(C, "max_tokens"),
    INERT(C, "enabled"),
    INERT(C, "exclude"),
    INERT(C, "summary"),
    INERT(C, "generate_summary"),
};

static const gh_field_t prediction_rows[] = {
    CHOICE(C, "type", GH_FIELD_CHOICE, NULL, prediction_types),
    LIST(C, "content", GH_FIELD_CONTENT, gh_part_fields, &gh_part_types),
};

/* Retrieved texts for the template; a URL instead of the text is fetched. */
static const gh_field_t document_rows[] = {
    INERT(CE, "id"),
    INERT(CE, "doc_id"),
    INERT(CE, "title"),
    INERT(CE, "text"),
    INERT(CE, "content"),
    INERT(CE, "contents"),
    INERT(CE, "snippet"),
    WORD(CE, "data", document_fields),
    READ(CE, "url", GH_FIELD_URL),
};

/* Variables of chat templates. Others may replace the template, its tools or the conversation: unknown. */
static const gh_field_t template_rows[] = {
    INERT(CE, "enable_thinking"),
    INERT(CE, "thinking"),
    INERT(CE, "thinking_mode"),
    INERT(CE, "thinking_budget"),
    INERT(CE, "preserve_thinking"),
    INERT(CE, "clear_thinking"),
    INERT(CE, "reasoning_effort"),
    INERT(CE, "low_effort"),
    INERT(CE, "add_generation_prompt"),
    INERT(CE, "add_vision_id"),
    INERT(CE, "date_string"),
    INERT(CE, "current_date"),
    INERT(CE, "model_identity"),
    OBJECT(CE, "documents", document_fields),
};

static const gh_field_t media_io_rows[] = {
    OBJECT(CE, "image", media_io_kind_fields),
    OBJECT(CE, "video", media_io_kind_fields),
    OBJECT(CE, "audio", media_io_kind_fields),
};

static const gh_field_t media_io_kind_rows[] = {
    INERT(CE, "num_frames"),
    INERT(CE, "max_frames"),
    INERT(CE, "min_frames"),
    INERT(CE, "fps"),
    INERT(CE, "max_duration"),
    INERT(CE, "image_mode"),
    INERT(CE, "rgba_background_color"),
};

/* Arguments of a processor's call. Others may be its images, videos or sounds, URLs among them: unknown. */
static const gh_field_t processor_rows[] = {
    INERT(CE, "num_crops"),
    INERT(CE, "min_pixels"),
    INERT(CE, "max_pixels"),
    INERT(CE, "total_pixels"),
    INERT(CE, "fps"),
    INERT(CE, "num_frames"),
    INERT(CE, "max_frames"),
    INERT(CE, "min_frames"),
    INERT(CE, "do_sample_frames"),
    INERT(CE, "do_resize"),
    INERT(CE, "do_rescale"),
    INERT(CE, "do_pan_and_scan"),
    INERT(CE, "use_thumbnail"),
    INERT(CE, "use_audio_in_video"),
    INERT(CE, "max_dynamic_patch"),
    INERT(CE, "min_dynamic_patch"),
    INERT(CE, "sampling_rate"),
    INERT(CE, "truncation"),
    OBJECT(CE, "size", size_fields),
    OBJECT(CE, "max_image_size", size_fields),
    OBJECT(CE, "images_kwargs", processor_fields),
    OBJECT(CE, "videos_kwargs", processor_fields),
    OBJECT(CE, "audio_kwargs", processor_fields),
};

static const gh_field_t size_rows[] = {
    INERT(CE, "shortest_edge"),
    INERT(CE, "longest_edge"),
    INERT(CE, "height"),
    INERT(CE, "width"),
};

static const gh_field_t images_config_rows[] = {
    INERT(CP, "image_mode"),
};

static const gh_field_t tool_choice_type_rows[] = {
    INERT(ALL, "function"),
    INERT(ALL, "custom"),
    INERT(ALL, "allowed_tools"),
    INERT(ALL, "auto"),
    INERT(ALL, "any"),
    INERT(ALL, "none"),
    INERT(ALL, "required"),
    INERT(ALL, "tool"),
    HOSTED_TOOLS,
};

TABLE(gh_chat_fields, body_rows);
static TABLE(stream_options_fields, stream_options_rows);
static TABLE(response_format_fields, response_format_rows);
static TABLE(named_schema_fields, named_schema_rows);
static TABLE(structured_outputs_fields, structured_outputs_rows);
static TABLE(trigger_fields, trigger_rows);
static TABLE(repetition_fields, repetition_rows);
static TABLE(tool_choice_fields, tool_choice_rows);
static TABLE(allowed_tools_fields, allowed_tools_rows);
static TABLE(name_fields, name_rows);
static TABLE(tool_choice_types, tool_choice_type_rows);
static TABLE(thinking_fields, thinking_rows);
static TABLE(reasoning_fields, reasoning_rows);
static TABLE(prediction_fields, prediction_rows);
static TABLE(document_fields, document_rows);
static TABLE(template_fields, template_rows);
static TABLE(media_io_fields, media_io_rows);
static TABLE(media_io_kind_fields, media_io_kind_rows);
static TABLE(processor_fields, processor_rows);
static TABLE(size_fields, size_rows);
static TABLE(images_config_fields, images_config_rows);

_Static_assert(sizeof(body_rows) / sizeof(body_rows[0]) <= GH_FIELDS_MAX, "the reader's set of seen fields is full");

/* Of Bedrock's count of tokens those of Converse, or those of InvokeModel: what is in it says which (intake_count.c). */
const gh_field_table_t *const gh_body_tables[GH_ENDPOINTS] = {
#define FIELDS_OF(name, word, api, client, form, open, fields, mounts, path, stream, traits, to) &gh_##fields##_fields,
    GH_ENDPOINT_ROWS(FIELDS_OF)
#undef FIELDS_OF
};

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
