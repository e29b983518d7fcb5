/*
 * What gatehouse knows of the bodies clients send: for every field, tool type and content part type the feature it
 * turns on, or that it is inert (moves and keeps nothing beyond prompt in, answer out). What no table lists is a use
 * with an empty name, which makes the places of every deployment unknown for that request.
 *
 * Sources: openai-python's request types (openai/types), the Azure OpenAI inference specification, vLLM's
 * entrypoints/openai protocol, SGLang's entrypoints/openai/protocol.py, llama.cpp's tools/server, read in autumn 2026.
 */
#ifndef GH_FIELDS_H
#define GH_FIELDS_H

#include <stdint.h>

#include "policy/base/str.h"
#include "policy/decide/intake.h"

/* How a value is read. null turns nothing on, whatever the kind. */
typedef enum {
    GH_FIELD_INERT = 0,
    GH_FIELD_UNREAD,           /* inert content that no detector reads: media, token ids, encrypted items */
    GH_FIELD_FEATURE,          /* any value turns the feature on */
    GH_FIELD_FLAG,             /* true does, false does not; anything else counts as true */
    GH_FIELD_CHOICE,           /* a string out of `values`, which is inert; another one turns the feature on */
    GH_FIELD_CHOICES,          /* an array of such strings */
    GH_FIELD_MODEL,
    GH_FIELD_STREAM,
    GH_FIELD_STREAM_OPTIONS,
    GH_FIELD_INCLUDE_USAGE,
    GH_FIELD_STORE,
    GH_FIELD_COUNT,            /* n, best_of: 1..128 */
    GH_FIELD_MAX_TOKENS,
    GH_FIELD_MESSAGES,
    GH_FIELD_CONTENT,          /* a string, a part, or an array of strings and parts */
    GH_FIELD_TEXTS,            /* strings, token numbers and arrays of them; an object inside is unknown */
    GH_FIELD_TOOLS,
    GH_FIELD_TOOL_CALLS,
    GH_FIELD_TYPE,             /* a string out of the object's type table */
    GH_FIELD_MEDIA,            /* a URL, or an object with one */
    GH_FIELD_URL,              /* data: is inert, everything else is fetched by the provider */
    GH_FIELD_FILE,             /* an object of gh_file_fields */
    GH_FIELD_FILE_DATA         /* base64 or data: is inert, http(s) is fetched */
} gh_field_kind_t;

#define GH_AT_CHAT        (1u << GH_ENDPOINT_CHAT_COMPLETIONS)
#define GH_AT_COMPLETIONS (1u << GH_ENDPOINT_COMPLETIONS)
#define GH_AT_EMBEDDINGS  (1u << GH_ENDPOINT_EMBEDDINGS)
#define GH_AT_ALL         (GH_AT_CHAT | GH_AT_COMPLETIONS | GH_AT_EMBEDDINGS)
#define GH_AT_TEXT        (GH_AT_CHAT | GH_AT_COMPLETIONS)

typedef struct {
    gh_str_t           name;
    uint8_t            endpoints;   /* GH_AT_* bits; elsewhere the field is unknown */
    uint8_t            kind;        /* gh_field_kind_t */
    bool               unread;      /* of FEATURE: it stands for content that no detector reads */
    const char        *feature;     /* NULL: the use has an empty name */
    const char *const *values;      /* of CHOICE and CHOICES, NULL-terminated */
} gh_field_t;

typedef struct {
    const gh_field_t *rows;
    unsigned          count;        /* at most GH_FIELDS_MAX */
} gh_field_table_t;

#define GH_FIELDS_MAX 256

extern const gh_field_table_t gh_body_fields;
extern const gh_field_table_t gh_stream_options_fields;
extern const gh_field_table_t gh_message_fields;
extern const gh_field_table_t gh_part_fields;
extern const gh_field_table_t gh_media_fields;      /* image_url, video_url, audio_url */
extern const gh_field_table_t gh_file_fields;
extern const gh_field_table_t gh_tool_fields;
extern const gh_field_table_t gh_tool_call_fields;

/* Rows of these are values of "type": INERT or FEATURE. */
extern const gh_field_table_t gh_part_types;
extern const gh_field_table_t gh_tool_types;
extern const gh_field_table_t gh_tool_call_types;

/* The row's index, or -1: nobody knows the name at this endpoint. Byte-exact. */
int gh_field_find(const gh_field_table_t *table, gh_str_t name, gh_endpoint_t endpoint);

#endif
