/* Private to the field tables: how a row is written, shared by fields.c and fields_message.c. */
#ifndef GH_FIELDS_ROWS_H
#define GH_FIELDS_ROWS_H

#include "ngx_module/wire/fields.h"

#define NAME(s)                 { (s), sizeof(s) - 1 }
#define ROW(at, n, k, ...)      { .name = NAME(n), .endpoints = (at), .kind = (k), __VA_ARGS__ }
#define INERT(at, n)            ROW(at, n, GH_FIELD_INERT)
#define UNREAD(at, n)           ROW(at, n, GH_FIELD_UNREAD)
#define FREE(at, n)             ROW(at, n, GH_FIELD_FREE)
#define SCHEMA(at, n)           ROW(at, n, GH_FIELD_SCHEMA)
#define OBJECT(at, n, t)        ROW(at, n, GH_FIELD_OBJECT, .table = &(t))
#define WORD(at, n, t)          ROW(at, n, GH_FIELD_WORD_OR_OBJECT, .table = &(t))
#define FEATURE(at, n, f)       ROW(at, n, GH_FIELD_FEATURE, .feature = (f))
#define KEPT(at, n, f)          ROW(at, n, GH_FIELD_FEATURE, .unread = true, .feature = (f))
#define HANDLE(at, n, h, f)     ROW(at, n, GH_FIELD_HANDLE, .handle = (h), .unread = true, .feature = (f))
#define FLAG(at, n, f)          ROW(at, n, GH_FIELD_FLAG, .feature = (f))
#define READ(at, n, k)          ROW(at, n, k)
#define MEDIA(at, n, k, t)      ROW(at, n, k, .table = &(t))
#define LIST(at, n, k, t, y)    ROW(at, n, k, .table = &(t), .types = (y))   /* y: a table of types, or NULL */
#define IMAGE(at, n, t)         ROW(at, n, GH_FIELD_MEDIA, .image = true, .table = &(t))
#define SIZES(at, n)            ROW(at, n, GH_FIELD_INERT, .sizes = true)
#define CHOICE(at, n, k, f, v)  ROW(at, n, k, .feature = (f), .values = (v))
#define TABLE(name, rows)       const gh_field_table_t name = { (rows), sizeof(rows) / sizeof((rows)[0]), false }
#define LATE_TABLE(name, rows)  const gh_field_table_t name = { (rows), sizeof(rows) / sizeof((rows)[0]), true }

#define C   GH_AT_CHAT
#define P   GH_AT_COMPLETIONS
#define E   GH_AT_EMBEDDINGS
#define CP  GH_AT_TEXT
#define CE  (GH_AT_CHAT | GH_AT_EMBEDDINGS)
#define ALL GH_AT_ALL

/* Tools the provider runs: a type of a tool and of a tool choice. */
#define HOSTED_TOOLS \
    FEATURE(ALL, "web_search", "web_search"), \
    FEATURE(ALL, "web_search_preview", "web_search"), \
    FEATURE(ALL, "web_search_2025_08_26", "web_search"), \
    FEATURE(ALL, "web_search_preview_2025_03_11", "web_search"), \
    FEATURE(ALL, "file_search", "file_search"), \
    FEATURE(ALL, "retrieval", "file_search"), \
    FEATURE(ALL, "code_interpreter", "code_interpreter"), \
    FEATURE(ALL, "image_generation", "image_generation"), \
    FEATURE(ALL, "mcp", "mcp"), \
    FEATURE(ALL, "computer", "computer_use"), \
    FEATURE(ALL, "computer_use_preview", "computer_use"), \
    FEATURE(ALL, "shell", "shell"), \
    FEATURE(ALL, "local_shell", "shell"), \
    FEATURE(ALL, "apply_patch", "apply_patch")

/*
 * Where the request goes is not the client's to say. A backend may itself be a proxy that obeys these (LiteLLM does),
 * so they are refused rather than unknown: a rule that accepts unlisted features would forward them. inference_geo narrows,
 * and is the gateway's own where it is sent.
 */
#define STEERING(at) \
    ROW(at, "inference_geo", GH_FIELD_PLACES, .moved = 1 + GH_MOVED_GEO), \
    READ(at, "api_base", GH_FIELD_OVERRIDE), \
    READ(at, "base_url", GH_FIELD_OVERRIDE), \
    READ(at, "fallbacks", GH_FIELD_OVERRIDE), \
    READ(at, "context_window_fallbacks", GH_FIELD_OVERRIDE), \
    READ(at, "content_policy_fallbacks", GH_FIELD_OVERRIDE), \
    READ(at, "extra_body", GH_FIELD_OVERRIDE), \
    READ(at, "model_list", GH_FIELD_OVERRIDE), \
    READ(at, "user_config", GH_FIELD_OVERRIDE), \
    READ(at, "deployment_id", GH_FIELD_OVERRIDE)

/* Tables of OpenAI's messages, which lie in fields_message.c. */
extern const gh_field_table_t gh_message_fields, gh_part_fields, gh_tool_fields, gh_function_fields, gh_part_types, gh_tool_types;

/* Tables of Anthropic's tools, which lie in fields_messages.c. */
extern const gh_field_table_t gh_anthropic_tool_fields, gh_anthropic_tool_types;

/* The other dialects' bodies, a file each. */
extern const gh_field_table_t gh_chat_fields, gh_messages_fields, gh_converse_fields, gh_responses_fields;

#endif
