/*
 * The field tables of Bedrock's Converse and ConverseStream. Source: the service model of bedrock-runtime (botocore), Bedrock's API reference, autumn 2026.
 * Its unions have one member each, whose name says what it is. Bytes are base64.
 */
#include "ngx_module/wire/fields_rows.h"

#define V GH_AT_CONVERSE

static const gh_field_table_t
    message_fields, block_fields, result_fields, image_fields, media_fields, document_fields, media_source_fields, document_source_fields, text_fields,
    tool_use_fields, tool_result_fields, guard_fields, guard_text_fields, cache_fields, reasoning_fields, reasoning_text_fields, cited_fields,
    citation_fields, location_fields, web_fields, place_fields, search_fields, switch_fields, error_fields, change_fields, reference_fields, inference_fields,
    tool_config_fields, tool_fields, spec_fields, schema_fields, choice_fields, nothing_fields, name_fields, performance_fields, tier_fields, output_fields,
    format_fields, structure_fields, json_schema_fields, model_fields, thinking_fields, model_inference_fields,
    reasoning_config_fields, model_output_fields, model_format_fields;

static const char *const lifetimes[] = { "5m", NULL };
static const char *const cache_types[] = { "default", NULL };
static const char *const tiers[] = { "default", "priority", "flex", "reserved", NULL };
static const char *const latencies[] = { "standard", "optimized", NULL };
static const char *const formats[] = { "json_schema", NULL };
static const char *const thinking_types[] = { "enabled", "disabled", "adaptive", NULL };

static const gh_field_t body_rows[] = {
    LIST(V, "messages", GH_FIELD_MESSAGES, message_fields, NULL),
    LIST(V, "system", GH_FIELD_CONTENT, block_fields, NULL),
    ROW(V, "inferenceConfig", GH_FIELD_INFERENCE, .table = &inference_fields),
    OBJECT(V, "toolConfig", tool_config_fields),
    OBJECT(V, "performanceConfig", performance_fields),
    OBJECT(V, "serviceTier", tier_fields),
    OBJECT(V, "outputConfig", output_fields),
    INERT(V, "additionalModelResponseFieldPaths"),
    ROW(V, "requestMetadata", GH_FIELD_MAP, .session = GH_SESSION_METADATA_SESSION, .table = NULL),   /* labels of the client's own, for its own filters */
    OBJECT(V, "additionalModelRequestFields", model_fields),
    FEATURE(V, "guardrailConfig", "guardrail"),
    KEPT(V, "promptVariables", "stored_prompt"),                         /* of a prompt that Bedrock keeps */
    FEATURE(V, "projectIdentifier", "project"),
    STEERING(V),
};

static const gh_field_t message_rows[] = {
    INERT(V, "role"),
    LIST(V, "content", GH_FIELD_CONTENT, block_fields, NULL),
};

static const gh_field_t block_rows[] = {
    INERT(V, "text"),
    IMAGE(V, "image", image_fields),
    OBJECT(V, "document", document_fields),
    MEDIA(V, "video", GH_FIELD_MEDIA, media_fields),
    MEDIA(V, "audio", GH_FIELD_MEDIA, media_fields),
    OBJECT(V, "toolUse", tool_use_fields),
    OBJECT(V, "toolResult", tool_result_fields),
    OBJECT(V, "guardContent", guard_fields),
    OBJECT(V, "cachePoint", cache_fields),
    OBJECT(V, "reasoningContent", reasoning_fields),
    OBJECT(V, "citationsContent", cited_fields),
    OBJECT(V, "searchResult", search_fields),
    OBJECT(V, "toolAddition", change_fields),
    OBJECT(V, "toolRemoval", change_fields),
};

static const gh_field_t image_rows[] = {
    INERT(V, "format"),
    OBJECT(V, "source", media_source_fields),
    OBJECT(V, "error", error_fields),
};

static const gh_field_t media_rows[] = {
    INERT(V, "format"),
    OBJECT(V, "source", media_source_fields),
    OBJECT(V, "error", error_fields),
};

static const gh_field_t media_source_rows[] = {
    READ(V, "bytes", GH_FIELD_DATA),
    KEPT(V, "s3Location", "s3_location"),
};

static const gh_field_t document_rows[] = {
    INERT(V, "format"),
    INERT(V, "name"),
    INERT(V, "context"),
    OBJECT(V, "citations", switch_fields),
    OBJECT(V, "source", document_source_fields),
};

static const gh_field_t document_source_rows[] = {
    READ(V, "bytes", GH_FIELD_DATA),
    KEPT(V, "s3Location", "s3_location"),
    INERT(V, "text"),
    OBJECT(V, "content", text_fields),
};

static const gh_field_t text_rows[] = {
    INERT(V, "text"),
};

static const gh_field_t error_rows[] = {
    INERT(V, "message"),
};

static const gh_field_t switch_rows[] = {
    INERT(V, "enabled"),
};

static const gh_field_t tool_use_rows[] = {
    INERT(V, "toolUseId"),
    INERT(V, "name"),
    FREE(V, "input"),                        /* for the client's own tool, which has run */
    FEATURE(V, "type", "system_tool"),
};

static const gh_field_t tool_result_rows[] = {
    INERT(V, "toolUseId"),
    INERT(V, "status"),
    LIST(V, "content", GH_FIELD_CONTENT, result_fields, NULL),
    FEATURE(V, "type", "system_tool"),
};

static const gh_field_t result_rows[] = {
    INERT(V, "text"),
    FREE(V, "json"),                         /* what the client's own tool answered, shown to the model */
    IMAGE(V, "image", image_fields),
    OBJECT(V, "document", document_fields),
    MEDIA(V, "video", GH_FIELD_MEDIA, media_fields),
    OBJECT(V, "searchResult", search_fields),
};

/* Which text a guardrail looks at; the guardrail itself is in guardrailConfig. */
static const gh_field_t guard_rows[] = {
    OBJECT(V, "text", guard_text_fields),
    IMAGE(V, "image", image_fields),
};

static const gh_field_t guard_text_rows[] = {
    INERT(V, "text"),
    INERT(V, "qualifiers"),
};

/* In memory for minutes unless it says an hour. */
static const gh_field_t cache_rows[] = {
    CHOICE(V, "type", GH_FIELD_CHOICE, NULL, cache_types),
    CHOICE(V, "ttl", GH_FIELD_CHOICE, "prompt_cache", lifetimes),
};

static const gh_field_t reasoning_rows[] = {
    OBJECT(V, "reasoningText", reasoning_text_fields),
    UNREAD(V, "redactedContent"),
};

static const gh_field_t reasoning_text_rows[] = {
    INERT(V, "text"),
    UNREAD(V, "signature"),
};

static const gh_field_t cited_rows[] = {
    OBJECT(V, "content", text_fields),
    OBJECT(V, "citations", citation_fields),
};

static const gh_field_t citation_rows[] = {
    INERT(V, "title"),
    INERT(V, "source"),
    OBJECT(V, "sourceContent", text_fields),
    OBJECT(V, "location", location_fields),
};

static const gh_field_t location_rows[] = {
    OBJECT(V, "web", web_fields),
    OBJECT(V, "documentChar", place_fields),
    OBJECT(V, "documentPage", place_fields),
    OBJECT(V, "documentChunk", place_fields),
    OBJECT(V, "searchResultLocation", place_fields),
};

static const gh_field_t web_rows[] = {
    READ(V, "url", GH_FIELD_URL),
    INERT(V, "domain"),
};

static const gh_field_t place_rows[] = {
    INERT(V, "documentIndex"),
    INERT(V, "searchResultIndex"),
    INERT(V, "start"),
    INERT(V, "end"),
};

static const gh_field_t search_rows[] = {
    INERT(V, "source"),
    INERT(V, "title"),
    OBJECT(V, "content", text_fields),
    OBJECT(V, "citations", switch_fields),
};

static const gh_field_t change_rows[] = {
    OBJECT(V, "tool", reference_fields),
};

static const gh_field_t reference_rows[] = {
    INERT(V, "type"),
    INERT(V, "name"),
    FEATURE(V, "serverName", "mcp"),
};

static const gh_field_t inference_rows[] = {
    READ(V, "maxTokens", GH_FIELD_MAX_TOKENS),
    INERT(V, "temperature"),
    INERT(V, "topP"),
    INERT(V, "stopSequences"),
};

static const gh_field_t tool_config_rows[] = {
    LIST(V, "tools", GH_FIELD_OBJECTS, tool_fields, NULL),
    OBJECT(V, "toolChoice", choice_fields),
};

static const gh_field_t tool_rows[] = {
    OBJECT(V, "toolSpec", spec_fields),
    OBJECT(V, "cachePoint", cache_fields),
    FEATURE(V, "systemTool", "system_tool"), /* that Bedrock runs: searches, programs */
};

static const gh_field_t spec_rows[] = {
    INERT(V, "name"),
    INERT(V, "description"),
    INERT(V, "strict"),
    OBJECT(V, "inputSchema", schema_fields),
};

static const gh_field_t schema_rows[] = {
    SCHEMA(V, "json"),
};

static const gh_field_t choice_rows[] = {
    OBJECT(V, "auto", nothing_fields),
    OBJECT(V, "any", nothing_fields),
    OBJECT(V, "tool", name_fields),
};

static const gh_field_t name_rows[] = {
    INERT(V, "name"),
};

static const gh_field_t performance_rows[] = {
    CHOICE(V, "latency", GH_FIELD_CHOICE, NULL, latencies),
};

static const gh_field_t tier_rows[] = {
    CHOICE(V, "type", GH_FIELD_SERVICE_TIER, NULL, tiers),
};

static const gh_field_t output_rows[] = {
    INERT(V, "effort"),
    OBJECT(V, "textFormat", format_fields),
};

static const gh_field_t format_rows[] = {
    CHOICE(V, "type", GH_FIELD_CHOICE, NULL, formats),
    OBJECT(V, "structure", structure_fields),
};

static const gh_field_t structure_rows[] = {
    OBJECT(V, "jsonSchema", json_schema_fields),
};

static const gh_field_t json_schema_rows[] = {
    SCHEMA(V, "schema"),
    INERT(V, "name"),
    INERT(V, "description"),
};

/* Fields of the model's own API: of Anthropic's and Amazon's what is known. Others could be anything. */
static const gh_field_t model_rows[] = {
    INERT(V, "top_k"),
    INERT(V, "topK"),
    OBJECT(V, "thinking", thinking_fields),
    OBJECT(V, "reasoning_config", thinking_fields),
    INERT(V, "reasoning_effort"),
    OBJECT(V, "reasoningConfig", reasoning_config_fields),
    OBJECT(V, "output_config", model_output_fields),
    READ(V, "anthropic_beta", GH_FIELD_BETAS),
    OBJECT(V, "inferenceConfig", model_inference_fields),
    LIST(V, "tools", GH_FIELD_OBJECTS, gh_anthropic_tool_fields, &gh_anthropic_tool_types),
};

static const gh_field_t thinking_rows[] = {
    CHOICE(V, "type", GH_FIELD_CHOICE, NULL, thinking_types),
    INERT(V, "budget_tokens"),
    INERT(V, "display"),
};

/* Of Amazon Nova 2. */
static const gh_field_t reasoning_config_rows[] = {
    CHOICE(V, "type", GH_FIELD_CHOICE, NULL, thinking_types),
    INERT(V, "maxReasoningEffort"),
};

/* Of Anthropic's models. */
static const gh_field_t model_output_rows[] = {
    INERT(V, "effort"),
    OBJECT(V, "format", model_format_fields),
};

static const gh_field_t model_format_rows[] = {
    CHOICE(V, "type", GH_FIELD_CHOICE, NULL, formats),
    SCHEMA(V, "schema"),
};

static const gh_field_t model_inference_rows[] = {
    INERT(V, "topK"),
};

static const gh_field_table_t nothing_fields = { NULL, 0, false };

TABLE(gh_converse_fields, body_rows);
static TABLE(message_fields, message_rows);
static TABLE(block_fields, block_rows);
static TABLE(image_fields, image_rows);
static TABLE(media_fields, media_rows);
static TABLE(media_source_fields, media_source_rows);
static TABLE(document_fields, document_rows);
static TABLE(document_source_fields, document_source_rows);
static TABLE(text_fields, text_rows);
static TABLE(error_fields, error_rows);
static TABLE(switch_fields, switch_rows);
static TABLE(tool_use_fields, tool_use_rows);
static TABLE(tool_result_fields, tool_result_rows);
static TABLE(result_fields, result_rows);
static TABLE(guard_fields, guard_rows);
static TABLE(guard_text_fields, guard_text_rows);
static TABLE(cache_fields, cache_rows);
static TABLE(reasoning_fields, reasoning_rows);
static TABLE(reasoning_text_fields, reasoning_text_rows);
static TABLE(cited_fields, cited_rows);
static TABLE(citation_fields, citation_rows);
static TABLE(location_fields, location_rows);
static TABLE(web_fields, web_rows);
static TABLE(place_fields, place_rows);
static TABLE(search_fields, search_rows);
static TABLE(change_fields, change_rows);
static TABLE(reference_fields, reference_rows);
static TABLE(inference_fields, inference_rows);
static TABLE(tool_config_fields, tool_config_rows);
static TABLE(tool_fields, tool_rows);
static TABLE(spec_fields, spec_rows);
static TABLE(schema_fields, schema_rows);
static TABLE(choice_fields, choice_rows);
static TABLE(name_fields, name_rows);
static TABLE(performance_fields, performance_rows);
static TABLE(tier_fields, tier_rows);
static TABLE(output_fields, output_rows);
static TABLE(format_fields, format_rows);
static TABLE(structure_fields, structure_rows);
static TABLE(json_schema_fields, json_schema_rows);
static TABLE(model_fields, model_rows);
static TABLE(thinking_fields, thinking_rows);
static TABLE(model_inference_fields, model_inference_rows);
static TABLE(reasoning_config_fields, reasoning_config_rows);
static TABLE(model_output_fields, model_output_rows);
static TABLE(model_format_fields, model_format_rows);
