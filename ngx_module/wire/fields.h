/*
 * What gatehouse knows of the bodies clients send: for every field, tool type and content part type the feature it
 * turns on, or that it is inert (moves and keeps nothing beyond prompt in, answer out). What no table lists is a use
 * with an empty name, which makes the places of every deployment unknown for that request.
 *
 * Sources: openai-python's request types (openai/types), the Azure OpenAI inference specification, vLLM's
 * entrypoints/openai protocol, SGLang's entrypoints/openai/protocol.py, llama.cpp's tools/server, read in autumn 2026.
 *
 * No object or array is passed over unless its row is FREE or SCHEMA: its fields have rows of their own, at whatever depth,
 * or they are uses with an empty name.
 */
#ifndef GH_FIELDS_H
#define GH_FIELDS_H

#include <stdint.h>

#include "policy/base/str.h"
#include "policy/decide/intake.h"

/* How a value is read. null turns nothing on, whatever the kind, but for the two that are refused. */
typedef enum {
    GH_FIELD_INERT = 0,        /* a string, number or boolean, or arrays of them; an object inside is unknown */
    GH_FIELD_UNREAD,           /* the same, opaque to every detector: token ids, signatures, encrypted items */
    GH_FIELD_FREE,             /* anything: no provider fetches or keeps what it says; each such row says why */
    GH_FIELD_SCHEMA,           /* a JSON schema, or its text: free, but for a $ref that leaves the document: fetched */
    GH_FIELD_OBJECT,           /* an object of `table`, or an array of them; anything else inside is unknown */
    GH_FIELD_WORD_OR_OBJECT,   /* the same, and strings, numbers and booleans are inert; with `types` it has a "type" */
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
    GH_FIELD_MEDIA,            /* a URL, or an object of `table` with one */
    GH_FIELD_URL,              /* data: is inert, everything else is fetched by the provider */
    GH_FIELD_FILE,             /* an object of `table` */
    GH_FIELD_DATA,             /* base64 or data:, which no detector reads; any other string is fetched. Also arrays of them, and
                                  objects of `table`; without one an object is unknown */
    GH_FIELD_PLACES,           /* refused, null too: "invalid_places" */
    GH_FIELD_OVERRIDE          /* refused, null too: "invalid_request" */
} gh_field_kind_t;

#define GH_AT_CHAT        (1u << GH_ENDPOINT_CHAT_COMPLETIONS)
#define GH_AT_COMPLETIONS (1u << GH_ENDPOINT_COMPLETIONS)
#define GH_AT_EMBEDDINGS  (1u << GH_ENDPOINT_EMBEDDINGS)
#define GH_AT_ALL         (GH_AT_CHAT | GH_AT_COMPLETIONS | GH_AT_EMBEDDINGS)
#define GH_AT_TEXT        (GH_AT_CHAT | GH_AT_COMPLETIONS)

typedef struct gh_field_table_s gh_field_table_t;

typedef struct {
    gh_str_t           name;
    uint8_t            endpoints;   /* GH_AT_* bits; elsewhere the field is unknown */
    uint8_t            kind;        /* gh_field_kind_t */
    bool               unread;      /* of FEATURE, OBJECT: it stands for content that no detector reads */
    const char        *feature;     /* NULL: the use has an empty name */
    const char *const *values;      /* of CHOICE and CHOICES, NULL-terminated */

    const gh_field_table_t *table;  /* of OBJECT, WORD_OR_OBJECT, MEDIA, FILE, DATA: the object's fields */
    const gh_field_table_t *types;  /* of WORD_OR_OBJECT: what its "type" may be; NULL: it has no such meaning */
} gh_field_t;

struct gh_field_table_s {
    const gh_field_t *rows;
    unsigned          count;        /* at most GH_FIELDS_MAX */
};

#define GH_FIELDS_MAX 256

extern const gh_field_table_t gh_body_fields;
extern const gh_field_table_t gh_stream_options_fields;
extern const gh_field_table_t gh_message_fields;
extern const gh_field_table_t gh_part_fields;
extern const gh_field_table_t gh_tool_fields;
extern const gh_field_table_t gh_tool_call_fields;
extern const gh_field_table_t gh_function_fields;   /* of a function's definition */

/* Rows of these are values of "type": INERT or FEATURE. */
extern const gh_field_table_t gh_part_types;
extern const gh_field_table_t gh_tool_types;
extern const gh_field_table_t gh_tool_call_types;

/* The row's index, or -1: nobody knows the name at this endpoint. Byte-exact. */
int gh_field_find(const gh_field_table_t *table, gh_str_t name, gh_endpoint_t endpoint);

#endif
