/*
 * What requests ask for. A reader notes what a request asks (gh_hub_ask_t); each dialect's row says which of it the dialect maps and which it drops, the rest is
 * refused. conf/dialects.md shows all of it as one table, which is made from here and the rows.
 *
 *   MAPPED   the target says the same
 *   DROPPED  the target cannot say it, the answer is no worse a one for it; the note says what is lost
 *   REFUSED  the request is not sent to such a backend
 *
 * chat: OpenAI, Azure OpenAI, Bedrock's OpenAI endpoint, which refuse fields they do not know; chat-open: vLLM, SGLang, llama.cpp. invoke: InvokeModel of
 * Bedrock for Anthropic's models. Where source and target are the same dialect nothing is translated and nothing lost.
 */
#ifndef GH_HUB_ASKS_H
#define GH_HUB_ASKS_H

#include "policy/base/dialects.h"

typedef enum {
#define F(name, word, row) GH_HUB_##name,
    GH_HUB_ROWS(F)
#undef F
    GH_HUB_DIALECTS
} gh_hub_dialect_t;

enum { GH_HUB_REFUSES = 0, GH_HUB_DROPS, GH_HUB_MAPS };

#define GH_HUB_ASKS(A) \
    A(SYSTEM_LATER,        "a system message behind others", "") \
    A(DEVELOPER,           "developer messages", "messages and converse have one kind of system text") \
    A(AUTHOR,              "`name` of a message", "that of a tool's result is dropped: its id says which") \
    A(IMAGE_DATA,          "images as data", "") \
    A(IMAGE_TYPE,          "images but PNG, JPEG, GIF and WebP", "") \
    A(IMAGE_URL,           "images by URL", "") \
    A(IMAGE_DETAIL,        "`detail` of an image", "the model's own choice") \
    A(DOCUMENT_PDF,        "PDF documents as data", "file names: converse knows letters, digits and a few signs") \
    A(DOCUMENT_TEXT,       "documents of plain text", "") \
    A(DOCUMENT_OTHER,      "text, CSV, HTML, Markdown, Word and Excel files as data", "as PDF: which model reads which is its provider's to say") \
    A(DOCUMENT_TYPE,       "files of other types as data", "likewise") \
    A(DOCUMENT_URL,        "documents by URL", "") \
    A(DOCUMENT_IMAGES,     "images in documents made of blocks", "") \
    A(DOCUMENT_BLOCKS,     "documents made of blocks", "cache points in them move behind the document") \
    A(DOCUMENT_CONTEXT,    "`context` of a document", "") \
    A(SEARCH_RESULTS,      "search results", "also in a tool's result; documented for Anthropic's models; cache points in them move behind the search result") \
    A(CITATIONS,           "citations of documents and search results", "documented for Anthropic's models") \
    A(CITED_SOURCE,        "documents and search results cited in an earlier answer", "of the assistant; where it is dropped the text stays") \
    A(CITED,               "web pages and all else cited in an earlier answer", "the text stays: a page has no place that all sides know, and Anthropic's are encrypted") \
    A(AUDIO,               "audio as data", "") \
    A(FILE_ID,             "files, images and documents kept by the provider (`file_id`, S3)", "") \
    A(RESULT_MEDIA,        "images and documents in a tool's result", "chat: they move to a user message behind the results") \
    A(RESULT_FAILED,       "`is_error` of a tool's result", "its text says it") \
    A(REASONING_SIGNED,    "earlier reasoning with a signature", "") \
    A(REASONING_UNSIGNED,  "earlier reasoning without a signature", "messages refuses it") \
    A(REASONING_REDACTED,  "earlier reasoning that only its provider reads", "") \
    A(REASONING_ITEM,      "reasoning items of Responses", "encrypted for OpenAI alone; summaries are no reasoning") \
    A(CACHE_POINT,         "cache points", "chat and responses cache by themselves; lifetimes become 5 minutes or an hour, `scope` is dropped") \
    A(CACHE_HINT,          "`prompt_cache_key`", "") \
    A(CACHE_OPTIONS,       "`prompt_cache_retention`, `prompt_cache_options`, `cache_control` of the request", "the target's own way to cache") \
    A(TOOLS,               "tools with a JSON schema", "") \
    A(TOOL_STRICT,         "`strict` of a tool", "") \
    A(TOOL_OPTIONS,        "`input_examples`, `eager_input_streaming` of a tool", "") \
    A(TOOL_DEFERRED,       "`defer_loading`, `allowed_callers` of a tool", "") \
    A(HOSTED_TOOL,         "tools of other types, their calls and results", "") \
    A(CLIENT_TOOL,         "`additionalModelRequestFields.tools`: Anthropic's bash, text editor, computer, memory", "the client runs them; the flag of their beta goes along") \
    A(CUSTOM_TOOL,         "tools that take text, and their calls", "with the grammar of the text") \
    A(TOOL_CHOICE,         "`tool_choice`: auto, any, one tool", "") \
    A(TOOL_CHOICE_NONE,    "`tool_choice`: none", "") \
    A(ALLOWED_TOOLS,       "`tool_choice`: some of the tools", "but in chat and responses the others are not sent") \
    A(ONE_CALL,            "no tool calls beside each other", "") \
    A(FUNCTIONS,           "`functions`, `function_call`, their role", "deprecated: tools say it") \
    A(ARGUMENTS_TEXT,      "an earlier tool call whose arguments are no JSON object", "") \
    A(JSON_OBJECT,         "an answer in JSON without a schema", "") \
    A(JSON_SCHEMA,         "an answer by a JSON schema", "messages: its name, description and `strict` are dropped; converse: `strict`") \
    A(TEMPERATURE,         "`temperature`", "") \
    A(TEMPERATURE_HIGH,    "`temperature` above 1", "") \
    A(TOP_P,               "`top_p`", "") \
    A(TOP_K,               "`top_k`", "") \
    A(STOP,                "stop sequences", "") \
    A(STOP_MANY,           "more than 4 stop sequences", "") \
    A(SEED,                "`seed`", "") \
    A(CHOICES,             "`n` above 1", "") \
    A(LOGPROBS,            "log probabilities", "those of a refusal are chat's alone") \
    A(LOGIT_BIAS,          "`logit_bias`", "token ids are one model's") \
    A(PENALTY,             "`frequency_penalty`, `presence_penalty` but 0", "") \
    A(MAX_TOKENS,          "the most tokens of an answer", "messages must have it: the gateway's default otherwise") \
    A(EFFORT_BOUNDED,      "an effort of `high` beside a maximum, `temperature` or `top_p`", "") \
    A(EFFORT,              "`reasoning_effort`, `output_config.effort`: low, medium, high", "") \
    A(EFFORT_MOST,         "the same: xhigh, max", "") \
    A(EFFORT_NONE,         "`reasoning_effort`: none", "") \
    A(EFFORT_MINIMAL,      "`reasoning_effort`: minimal", "") \
    A(THINKING,            "`thinking`", "how much a model reasons is its own choice") \
    A(VERBOSITY,           "`verbosity`", "") \
    A(USER,                "`user`, `safety_identifier`, `metadata.user_id`", "") \
    A(USER_LONG,           "the same above 64 bytes", "") \
    A(METADATA,            "`metadata` of OpenAI", "labels of the client's own") \
    A(REQUEST_METADATA,    "`requestMetadata`", "labels of the client's own; invoke: in a header") \
    A(LABELS_OTHER,        "`requestMetadata` that is not up to 16 strings as Bedrock takes them", "letters, digits, spaces and `:_@$#=/+,-.`, up to 256") \
    A(LATENCY,             "`performanceConfig`", "how quick the answer is to be; invoke: in a header") \
    A(TIER_DEFAULT,        "service tier: default, standard_only", "") \
    A(TIER_FLEX,           "service tier: flex", "invoke: in a header") \
    A(TIER_PRIORITY,       "service tier: priority", "") \
    A(TIER_OPENAI,         "service tier: scale, fast", "") \
    A(TIER_RESERVED,       "service tier: reserved", "") \
    A(STORE,               "`store: true`", "to Responses `store: false` is sent otherwise") \
    A(STATE,               "`previous_response_id`, `conversation`, `background`, stored prompts and items", "") \
    A(AUDIO_OUTPUT,        "audio answers", "") \
    A(PREDICTION,          "`prediction`", "it only makes an answer quicker") \
    A(STREAM_PADDING,      "`stream_options.include_obfuscation`", "") \
    A(GUARDED,             "`guardContent`, `streamProcessingMode` of a guardrail: async", "") \
    A(GUARDRAIL,           "`guardrailConfig`", "invoke: in headers; its trace is lost in the answer") \
    A(MODEL_FIELDS,        "`additionalModelRequestFields` but those named below, `promptVariables`", "") \
    A(MODEL_ANSWER,        "`additionalModelResponseFieldPaths`", "") \
    A(INCLUDE,             "`include`, `truncation`, `max_tool_calls`, `client_metadata`, `reasoning.summary` and `generate_summary` of Responses", "calls of tools that the provider runs are refused anyway; `client_metadata` is labels of the client's own") \
    A(CONTEXT_EDITS,       "`context_management`: tool uses or thinking are cleared", "") \
    A(CONTEXT_KEPT,        "`context_management` that clears nothing", "no edits, or `clear_thinking_20251015` that keeps all: what Claude Code sends by itself") \
    A(BETA,                "`anthropic_beta`, `anthropic-beta`", "messages has it in a header; to Bedrock go the flags it documents") \
    A(INFERENCE_GEO,       "`inference_geo`", "it narrows places; the gateway says the deployment's own") \
    A(UNKNOWN,             "anything else", "")

typedef enum {
#define A(name, what, note) GH_ASK_##name,
    GH_HUB_ASKS(A)
#undef A
    GH_ASKS
} gh_hub_ask_t;

#define GH_ASK_WORDS ((GH_ASKS + 63) / 64)

#endif
