/*
 * Intake: what a request asks for. Made by ngx_module/wire from the body's bytes, judged by gh_decide.
 * It borrows from the body and from the arena it was made in.
 */
#ifndef GH_INTAKE_H
#define GH_INTAKE_H

#include "policy/base/dialects.h"
#include "policy/base/str.h"
#include "policy/decide/bedrock_model.h"
#include "policy/identity/handle.h"
#include "policy/session/session.h"

/*
 * What is spoken: by a client to the gateway, and by the gateway to a deployment, which may be another one; the rows of policy/base/dialects.h. Some have a path of
 * their own for streams (/converse-stream), which is the same endpoint.
 */
typedef enum {
#define E(name, word, api, client, form, open, fields, mounts, path, stream, traits, to) GH_ENDPOINT_##name,
    GH_ENDPOINT_ROWS(E)
#undef E
    GH_ENDPOINTS
} gh_endpoint_t;

/* As written in fleet/1 and in records: "chat.completions", "completions", ... */
extern const char *const gh_endpoint_names[GH_ENDPOINTS];

/* Bits; the table says what each means. */
enum {
    GH_IS_COUNTS = 1 << 0, GH_IS_EMBEDS = 1 << 1, GH_IS_ANSWERS = 1 << 2, GH_IS_WRAPS = 1 << 3, GH_IS_USAGE_ASKED = 1 << 4, GH_IS_STORES = 1 << 5,
    GH_IS_KEEPS = 1 << 6, GH_IS_MODEL_IN_PATH = 1 << 7, GH_IS_MAX_COMPLETION = 1 << 8, GH_IS_MAX_OUTPUT = 1 << 9, GH_IS_MAX_INFERENCE = 1 << 10,
    GH_IS_PLACED = 1 << 11, GH_IS_BLOB = 1 << 12, GH_IS_BETA_HEADER = 1 << 13, GH_IS_TIER_HEADER = 1 << 14, GH_IS_FLAGS = 1 << 15, GH_IS_ALIKE = 1 << 16,
    GH_IS_BY_MODEL = 1 << 17
};

/* The one that is asked in the words of the model's provider. */
gh_endpoint_t gh_endpoint_by_model(void);

/* Does it have one of these traits? */
bool gh_endpoint_is(gh_endpoint_t endpoint, unsigned traits);

/*
 * What is done: CREATE asks a model; the others are about a response that a deployment keeps. They have no body, no model runs for them, and only the
 * deployment that keeps it can do them.
 */
typedef enum {
    GH_OPERATION_CREATE = 0,
    GH_OPERATION_RETRIEVE,
    GH_OPERATION_CANCEL,
    GH_OPERATION_DELETE,
    GH_OPERATION_INPUT_ITEMS,
    GH_OPERATIONS
} gh_operation_t;

/* As written in records, and how a deployment is asked: "create" by "POST", "retrieve" by "GET", "cancel", "delete", "input_items". */
extern const char *const gh_operation_names[GH_OPERATIONS];
extern const char *const gh_operation_methods[GH_OPERATIONS];

/* Does it count tokens alone? No model runs. */
static inline bool
gh_endpoint_counts(gh_endpoint_t endpoint)
{
    return gh_endpoint_is(endpoint, GH_IS_COUNTS);
}

/* Whose API it is, as records say: "openai", "anthropic", "bedrock". */
const char *gh_endpoint_dialect(gh_endpoint_t endpoint);

/* What a target's models take beyond what its endpoint documents for all: words.h. */
typedef enum {
    GH_WORDS_PLAIN = 0,
    GH_WORDS_OPEN,         /* fields they do not know are ignored: vLLM, SGLang, llama.cpp */
    GH_WORDS_ANTHROPIC,    /* of Bedrock's Converse: whose model it is */
    GH_WORDS_NOVA,
    GH_WORDS_GPT_OSS,
    GH_WORDS
} gh_words_t;

/* As records say them: "other", "self", "anthropic", "nova", "gpt-oss". */
extern const char *const gh_words_names[GH_WORDS];

/*
 * The other endpoint whose bodies, answers and events are the same but for some members of the object: Messages and InvokeModel of Anthropic's models.
 * GH_ENDPOINTS: none. Between such nothing is written anew.
 */
gh_endpoint_t gh_endpoint_alike(gh_endpoint_t endpoint);

/*
 * Which endpoints a request can be translated to, and where it says what they cannot be asked. Made by ngx_module/wire from the body, once a request, when
 * a deployment that may serve it does not offer the client's own endpoint.
 */
typedef struct {
    gh_str_t where[GH_WORDS][GH_ENDPOINTS];   /* data NULL: it can be asked so; else a JSON path or a header */
    gh_str_t embeddings[GH_BEDROCK_MODELS];   /* the same, of embeddings from models of Bedrock, by gh_bedrock_model_t */
} gh_express_t;

typedef const gh_express_t *(*gh_express_fn)(void *context);   /* NULL: no memory */

/* Does a deployment that offers these (bits) serve requests of the endpoint, as they come or translated, as far as they can be expressed? */
bool gh_endpoint_served(uint32_t offered, gh_endpoint_t endpoint);

/*
 * The endpoint a deployment is asked at: the client's own when it offers that, else the first it offers of those a request can be translated to, in the order
 * of intake.c, in which it can be expressed. express NULL: everything can be. words: what its models take. GH_ENDPOINTS: none; *where (may be NULL)
 * then says what of the request stands against the first, empty when there is none to begin with.
 */
gh_endpoint_t gh_endpoint_upstream(uint32_t offered, gh_endpoint_t endpoint, gh_words_t words, const gh_express_t *express, gh_str_t *where);

typedef struct {
    gh_str_t name;    /* "web_search", "store", ...; empty: nobody knows this field, tool type or header */
    gh_str_t where;   /* JSON path or header, e.g. "tools[2].type", "web_search_options", "header openai-beta" */
} gh_feature_use_t;

#define GH_FEATURES_MAX 32   /* more: the last one becomes {"" , "too many features"} */

/* The spellings of the most tokens that one choice may have. */
enum { GH_MAX_TOKENS = 0, GH_MAX_COMPLETION_TOKENS, GH_N_PREDICT, GH_MAX_OUTPUT_TOKENS, GH_MAXIMA };

/* Headers in which InvokeModel has what stands in Converse's body: gh_bedrock_headers (ngx_module/wire/bedrock.h). */
typedef enum {
    GH_BEDROCK_HEADER_TIER = 0, GH_BEDROCK_HEADER_GUARDRAIL, GH_BEDROCK_HEADER_GUARDRAIL_VERSION, GH_BEDROCK_HEADER_TRACE, GH_BEDROCK_HEADER_LATENCY,
    GH_BEDROCK_HEADER_LABELS, GH_BEDROCK_HEADERS
} gh_bedrock_header_t;

/* An object in the body; a length of 0: absent. */
typedef struct {
    size_t   offset, length;             /* of the value */
    size_t   end;                        /* offset of its closing }; 0: it is null */
    bool     empty;                      /* "{}" */
} gh_intake_object_t;

typedef struct {
    size_t   offset, length;             /* of the value; a length of 0: absent */
    uint64_t tokens;                     /* 0 for null and 0 */
    bool     null, unlimited;            /* unlimited: -1 */
} gh_intake_maximum_t;

/* Members of a body that the endpoint alike has elsewhere, or not: in the path, in a header, in a member of another name. */
typedef enum { GH_MOVED_MODEL = 0, GH_MOVED_STREAM, GH_MOVED_VERSION, GH_MOVED_BETAS, GH_MOVED_TIER, GH_MOVED_CACHE, GH_MOVED_GEO, GH_MOVED } gh_intake_moved_t;

typedef struct {
    size_t   begin, end;                 /* from the comma in front of its key, or of the first member from the key, to its value's end; end 0: absent */
    size_t   value;
    bool     first;                      /* of the object */
} gh_intake_member_t;

#define GH_CUTS_MAX 4    /* members that the endpoint alike leaves out: no provider takes more cache points */

/* An id of what a provider keeps, as the client wrote it. */
typedef struct {
    gh_handle_kind_t kind;
    gh_str_t         text;               /* decoded */
    gh_str_t         where;              /* JSON path */
    size_t           offset, length;     /* of the value */
    size_t           member;             /* offset of its key; 0: it is an array's element */
    uint32_t         depth;              /* of the path, private to the reader */
    bool             own;                /* it names the object it stands in */
    bool             required;           /* has to be one that was given out here; else it is left out when it is not */
    bool             pins;               /* what it names is where it was made alone */
} gh_intake_handle_t;

#define GH_HANDLES_MAX 1024    /* of one body; more are refused */

/* A parameter of a URL's query, decoded. */
typedef struct {
    gh_str_t name, value;
    bool     item;                       /* the value is an item's id: the client's own, then the provider's */
} gh_intake_parameter_t;

#define GH_PARAMETERS_MAX 16   /* of one query; more are refused */

/* An id that could not be opened: what the record says of it, and clients are not told. */
typedef struct {
    const char *code;                    /* "handle_unknown", "handle_foreign", "handle_kind"; NULL: none */
    gh_str_t    where;                   /* JSON path, or "path", or "query NAME" */
    gh_str_t    deployment;              /* that keeps it; empty: nobody knows */
} gh_intake_unopened_t;

/* An id of a request, opened. */
typedef struct {
    gh_handle_kind_t kind;
    gh_str_t         deployment;         /* that keeps it */
    gh_str_t         id;                 /* the provider's own */
    gh_str_t         text;               /* as the client wrote it */
    gh_str_t         session;            /* it was given out in, GH_SESSION_ID bytes; empty: in none */
} gh_intake_opened_t;

/* The session a request belongs to. */
typedef struct {
    gh_session_source_t source;          /* NONE: to none, and id is all zero */
    uint8_t          id[GH_SESSION_ID];
} gh_session_t;

/* Where the state is that a request uses. An operation but CREATE uses what its path names. */
typedef struct {
    gh_str_t deployment;                 /* empty: it uses none */
    gh_str_t where;                      /* JSON path that says so, or "path" */
} gh_pin_t;

typedef struct {
    gh_endpoint_t    endpoint;
    gh_operation_t   operation;
    gh_str_t         model;              /* decoded; of what is kept: of the one that made it, once its id was opened */
    gh_str_t         inference_geo;      /* names of places that the client asks for in the body; empty: none. The gateway's own is the deployment's */
    gh_str_t         betas;              /* the header anthropic-beta, as it came, several as one list; borrowed, or the arena's; empty: none */
    gh_str_t         said[GH_BEDROCK_HEADERS];      /* headers of InvokeModel, as they came, several of a name as one list; borrowed, or the arena's; empty: not said */
    bool             model_in_path;      /* the URL named it: what the body says, if anything, does not count */
    bool             stream;
    bool             include_usage;      /* the client asked for the usage chunk itself */
    uint64_t         body_bytes;
    uint64_t         max_tokens;         /* the largest that was given for one choice; 0: none that every backend obeys */
    uint64_t         n;                  /* 1 when not given; the largest of n and best_of */
    gh_str_t         service_tier;       /* "priority", ...; empty when not given */

    /* What a bound of its prompt's tokens needs. */
    uint64_t         text_bytes;         /* of the body: without white space between values, escapes decoded, data of media left out */
    uint32_t         messages;
    uint32_t         prompts;            /* texts that are answered one by one; 1 for a conversation */
    uint32_t         images;
    uint32_t         unbounded;          /* what may put any number of tokens into it: other media, stored content, hosted tools, unknown fields */
    gh_feature_use_t features[GH_FEATURES_MAX];
    uint32_t         feature_count;
    uint32_t         by_default;         /* which of them, 1 is the first, the client did not ask for: the gateway turns it off where it is not allowed; 0: none */
    gh_intake_handle_t *handles;         /* in the body's order */
    uint32_t         handle_count;
    gh_pin_t         pin;                /* of what the handles lead to, once they were opened */
    gh_intake_unopened_t unopened;
    gh_session_label_t label;            /* the best that was read so far of what names its session: body, then headers */
    gh_session_t     session;            /* once both were, and its ids were opened */
    gh_intake_opened_t *opened;          /* the ids of it that were given out in a session */
    uint32_t         opened_count;
    bool             translated;         /* items stand in it that were translated for the client, and are left out where nothing is translated */
    gh_str_t         kept;               /* of an operation but CREATE: the provider's own id, once it was opened */
    gh_intake_parameter_t *parameters;   /* likewise: what the URL's query says, in its order, but for what deployments do not get */
    uint32_t         parameter_count;
    bool             uninspected;        /* it holds what no detector reads (images, audio, files, token arrays, encrypted items) */

    /* Where the fields stand, for splicing; offsets into the body. A length of 0: absent. */
    struct { size_t offset, length; } model_value, store_value, geo_value;
    struct { size_t offset, length; } geo_member;    /* inference_geo with its key and a comma */
    gh_intake_object_t stream_options;
    gh_intake_object_t inference;           /* Converse's inferenceConfig, where its most tokens stand */
    struct { size_t offset, length; } include_usage_value;
    gh_intake_maximum_t maxima[GH_MAXIMA];
    size_t           object_begin;          /* offset of the body's first { */

    /* What becomes of it at the endpoint alike. */
    gh_str_t         unlike;                /* JSON path of the first that providers do not have there; data NULL: they have all of it */
    gh_intake_member_t moved[GH_MOVED];
    struct { size_t offset, length; } cut[GH_CUTS_MAX];   /* members, with a comma, in the body's order */
    uint32_t         cuts;
} gh_intake_t;

#endif
