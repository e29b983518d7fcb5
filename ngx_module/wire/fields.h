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
    GH_FIELD_SERVICE_TIER,     /* a CHOICE that is kept */
    GH_FIELD_MODEL,
    GH_FIELD_STREAM,
    GH_FIELD_STREAM_OPTIONS,
    GH_FIELD_INCLUDE_USAGE,
    GH_FIELD_STORE,
    GH_FIELD_COUNT,            /* n, best_of: 1..128 */
    GH_FIELD_MAX_TOKENS,
    GH_FIELD_MESSAGES,         /* OBJECTS: the conversation */
    GH_FIELD_ITEMS,            /* the same of Responses: a string, or an array of items */
    GH_FIELD_CONTENT,          /* a string, a part, or an array of strings and parts */
    GH_FIELD_TEXTS,            /* strings, token numbers and arrays of them; an object inside is unknown */
    GH_FIELD_OBJECTS,          /* an array of objects, anything else is refused */
    GH_FIELD_TYPE,             /* a string out of the object's type table */
    GH_FIELD_MEDIA,            /* a URL, or an object of `table` with one */
    GH_FIELD_URL,              /* data: is inert, everything else is fetched by the provider */
    GH_FIELD_FILE,             /* an object of `table` */
    GH_FIELD_DATA,             /* base64 or data:, which no detector reads; any other string is fetched. Also arrays of them, and
                                  objects of `table`; without one an object is unknown */
    GH_FIELD_SOURCE,           /* where a block's image or document is: an object of `table` whose "type" is one of `types` */
    GH_FIELD_SOURCE_DATA,      /* in it, a string: text, or base64, as the type says, wherever that stands */
    GH_FIELD_MAP,              /* an object whose keys are the client's own; its values are objects of `table`, with `types` also plain, without either plain as INERT */
    GH_FIELD_BETAS,            /* flags, each a row of gh_beta_flags */
    GH_FIELD_INFERENCE,        /* an OBJECT, whose place is kept: the most tokens may have to be put into it */
    GH_FIELD_HANDLE,           /* an id of what a provider keeps, or an array of such; also an object of `table`; turns `feature` on */
    GH_FIELD_PLACES,           /* a narrowing, which is never sent on: inference_geo */
    GH_FIELD_OVERRIDE          /* refused, null too: "invalid_request" */
} gh_field_kind_t;

#define GH_AT_CHAT         (1u << GH_ENDPOINT_CHAT_COMPLETIONS)
#define GH_AT_COMPLETIONS  (1u << GH_ENDPOINT_COMPLETIONS)
#define GH_AT_EMBEDDINGS   (1u << GH_ENDPOINT_EMBEDDINGS)
#define GH_AT_RESPONSES    (1u << GH_ENDPOINT_RESPONSES)
#define GH_AT_MESSAGES     (1u << GH_ENDPOINT_MESSAGES)
#define GH_AT_COUNT_TOKENS (1u << GH_ENDPOINT_COUNT_TOKENS)
#define GH_AT_CONVERSE     (1u << GH_ENDPOINT_CONVERSE)
#define GH_AT_INVOKE       (1u << GH_ENDPOINT_INVOKE)
#define GH_AT_ALL          (GH_AT_CHAT | GH_AT_COMPLETIONS | GH_AT_EMBEDDINGS)   /* that read gh_body_fields */
#define GH_AT_TEXT         (GH_AT_CHAT | GH_AT_COMPLETIONS)

typedef struct gh_field_table_s gh_field_table_t;

typedef struct {
    gh_str_t           name;
    uint16_t           endpoints;   /* GH_AT_* bits; elsewhere the field is unknown */
    uint8_t            kind;        /* gh_field_kind_t */
    uint8_t            handle;      /* of HANDLE: gh_handle_kind_t */
    uint8_t            session;     /* gh_session_source_t: what it says may name the session; gh_session_field */
    bool               own;         /* of HANDLE: it names the object it stands in; a label where the object's type is known and says no other */
    bool               whole;       /* of HANDLE: an object turns the feature on whatever is in it */
    bool               state;       /* of a type's row: an object of it lives, or can be read, where it was made alone */
    bool               reference;   /* of a type's row: it is nothing but its id */
    bool               unread;      /* of FEATURE, HANDLE, OBJECT, and of a type: it stands for content that no detector reads */
    bool               image;       /* of MEDIA, and of a type: a catalogue may say how many tokens it becomes at most */
    bool               named;       /* of a type: "source" is only a name in it */
    bool               sizes;       /* says how many tokens an image becomes */
    bool               unbounded;   /* may put any number of tokens into the prompt, whatever it holds */
    uint16_t           lacks;       /* GH_AT_* bits of endpoints whose bodies are alike (gh_endpoint_alike), where providers do not have it: a request
                                       that says it is not sent there. An endpoint that the row is not of lacks it anyway */
    uint16_t           lacks_others;/* of CHOICE and CHOICES: the same of what is not among `values` */
    uint16_t           dropped;     /* likewise: it is left out there, and the answer is no worse a one */
    uint8_t            moved;       /* of a body's own members: 1 + gh_intake_moved_t, said in another place between endpoints whose bodies are alike; 0: it is not */
    const char        *feature;     /* NULL: the use has an empty name */
    const char *const *values;      /* of CHOICE and CHOICES, NULL-terminated */

    /* Of OBJECT, WORD_OR_OBJECT, MEDIA, FILE, DATA, STREAM_OPTIONS: the object's fields. Of OBJECTS, MESSAGES, CONTENT: those of each object in it. */
    const gh_field_table_t *table;
    const gh_field_table_t *types;  /* of OBJECTS, MESSAGES, CONTENT, WORD_OR_OBJECT: what its "type" may be; NULL: it has no such meaning */
} gh_field_t;

struct gh_field_table_s {
    const gh_field_t *rows;
    unsigned          count;        /* at most GH_FIELDS_MAX */
    bool              late;         /* of types: fields nobody knows are judged when the type is known; what belongs to a feature is that feature's */
};

#define GH_FIELDS_MAX 256

/* The fields of a body, by endpoint: every other table is reached from there. Rows of a table of types are values of "type": INERT or FEATURE. */
extern const gh_field_table_t *const gh_body_tables[GH_ENDPOINTS];

/* Flags of anthropic-beta; rows are INERT or FEATURE. */
extern const gh_field_table_t gh_beta_flags;

/* The row's index, or -1: nobody knows the name at this endpoint. Byte-exact. */
int gh_field_find(const gh_field_table_t *table, gh_str_t name, gh_endpoint_t endpoint);

#endif
