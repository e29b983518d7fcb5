/*
 * Translation between dialects: one canonical request, answer and stream, and for each dialect a way to them and from them. Only unequal dialects
 * are translated; where both sides speak the same one, the bytes are spliced (dialect.c) and nothing here is called.
 *
 * Texts are copied as they were written: a gh_str_t called "escaped" is the inside of a JSON string without its quotes, escapes and all, since both
 * sides take JSON strings. One called "raw" is a whole JSON value. Both borrow from the body or the event they were read from.
 *
 * What the other side cannot say is known as soon as the request is read: see gh_hub_ask_t, and asks.h, which is the table conf/dialects.md shows.
 */
#ifndef GH_HUB_H
#define GH_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "ngx_module/wire/hub/asks.h"
#include "ngx_module/wire/ids.h"
#include "policy/audit/record.h"
#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"
#include "policy/quota/quota.h"

/* ---- a conversation ---- */

typedef enum { GH_HUB_SYSTEM = 0, GH_HUB_DEVELOPER, GH_HUB_USER, GH_HUB_ASSISTANT, GH_HUB_TOOL } gh_hub_role_t;

typedef enum {
    GH_HUB_TEXT = 0,
    GH_HUB_REFUSAL,
    GH_HUB_REASONING,      /* text, with a signature or without */
    GH_HUB_REDACTED,       /* reasoning that only its provider can read: data, base64 or what it likes */
    GH_HUB_IMAGE,
    GH_HUB_DOCUMENT,
    GH_HUB_AUDIO,
    GH_HUB_TOOL_CALL,
    GH_HUB_TEXT_CALL,      /* of a tool that takes text */
    GH_HUB_TOOL_RESULT,
    GH_HUB_SEARCH_RESULT   /* what the client found, for the model to cite */
} gh_hub_kind_t;

/* Where an image, a document or a sound is. */
typedef enum { GH_HUB_DATA = 0 /* base64 */, GH_HUB_URL, GH_HUB_PLAIN /* the document's text */,
    GH_HUB_BLOCKS /* its texts: parts */ } gh_hub_source_t;

/* A point up to which the prompt may be cached, by how long at least. */
typedef enum { GH_HUB_NO_CACHE = 0, GH_HUB_CACHE, GH_HUB_CACHE_5M, GH_HUB_CACHE_30M, GH_HUB_CACHE_1H, GH_HUB_CACHE_12H } gh_hub_cache_t;

/* What a text is drawn from, and what a place in it counts. Places are [start, end). */
typedef enum {
    GH_HUB_CITES_NOTHING = 0,    /* of which it can be told where it stands */
    GH_HUB_CITES_WEB,            /* a web page: characters of the text that cites it, from 0 */
    GH_HUB_CITES_CHARS,          /* a document's characters, from 0 */
    GH_HUB_CITES_PAGES,          /* its pages, from 1 */
    GH_HUB_CITES_BLOCKS,         /* its blocks, from 0 */
    GH_HUB_CITES_RESULT          /* a search result's blocks, from 0 */
} gh_hub_cites_t;

typedef struct gh_hub_citation_s gh_hub_citation_t;

struct gh_hub_citation_s {
    gh_hub_cites_t     kind;
    bool               all;       /* of WEB: all of the text cites it, no place is said */
    uint64_t           index;     /* among the request's documents, or its search results, from 0 */
    uint64_t           start, end;
    gh_str_t           url;       /* escaped: of WEB; of RESULT what the client called its source */
    gh_str_t           title;     /* escaped; data NULL: none */
    gh_str_t           cited;     /* escaped: the source's text; data NULL: not said, or in */
    gh_str_t           pieces;    /* raw: the same in an array of {"text"} */
    gh_hub_citation_t *next;
};

typedef struct gh_hub_part_s gh_hub_part_t;

struct gh_hub_part_s {
    gh_hub_kind_t   kind;
    gh_hub_source_t source;       /* of IMAGE, DOCUMENT, AUDIO */
    gh_hub_cache_t  cache;        /* a point behind this part */
    bool            failed;       /* of TOOL_RESULT: the tool says so */
    bool            to_text;      /* of TOOL_RESULT: of a TEXT_CALL */
    bool            cites;        /* of DOCUMENT and SEARCH_RESULT: the answer is to cite it */
    gh_str_t        text;         /* escaped: the text, the data, the URL, a search result's source, what a tool that takes text is given */
    gh_str_t        media_type;   /* escaped: "image/png", "application/pdf", "audio/wav" */
    gh_str_t        id;           /* escaped: of TOOL_CALL and TOOL_RESULT the call's; of REASONING what its provider calls it */
    gh_str_t        name;         /* escaped: the tool's, the search result's title, the document's or its file name; data NULL: none */
    gh_str_t        context;      /* escaped: what is said about a document; data NULL: nothing */
    gh_str_t        detail;       /* escaped: of IMAGE; data NULL: not said */
    gh_str_t        input;        /* raw: of TOOL_CALL, an object; data NULL: `arguments` is none (GH_ASK_ARGUMENTS_TEXT) */
    gh_str_t        arguments;    /* escaped: the same as text, where it was written so; else data NULL */
    gh_str_t        signature;    /* escaped: of REASONING; empty: none */
    gh_str_t        logprobs;     /* raw: of an answer's TEXT, elements of OpenAI's array of tokens; empty: none */
    gh_hub_citation_t *citations; /* of an assistant's TEXT */
    gh_hub_part_t  *parts;        /* of TOOL_RESULT; of SEARCH_RESULT and of DOCUMENT that has BLOCKS its texts */
    gh_hub_part_t  *next;
};

typedef struct gh_hub_message_s gh_hub_message_t;

struct gh_hub_message_s {
    gh_hub_role_t     role;
    gh_str_t          name;       /* escaped: of its author; data NULL: none */
    gh_hub_part_t    *parts;
    gh_hub_message_t *next;
};

typedef struct gh_hub_name_s gh_hub_name_t;

struct gh_hub_name_s {
    gh_str_t       name;          /* escaped */
    gh_hub_name_t *next;
};

typedef struct gh_hub_tool_s gh_hub_tool_t;

struct gh_hub_tool_s {
    gh_str_t       name;          /* escaped */
    gh_str_t       raw;           /* of a tool of Anthropic's that the client runs, all of it; data NULL: it is none */
    gh_str_t       description;   /* escaped; data NULL: none */
    gh_str_t       schema;        /* raw; data NULL: none was given */
    gh_str_t       strict;        /* "true", "false"; data NULL: not said */
    bool           takes_text;    /* no arguments, and no schema, but a text */
    bool           allowed;       /* one of those that may be called, where request->some_tools */
    gh_str_t       format;        /* escaped: of text, "text" or "grammar"; data NULL: not said */
    gh_str_t       grammar, syntax;    /* escaped: of a grammar */
    gh_hub_cache_t cache;
    gh_hub_tool_t *next;
};

typedef enum { GH_HUB_CHOICE_UNSAID = 0, GH_HUB_CHOICE_AUTO, GH_HUB_CHOICE_NONE, GH_HUB_CHOICE_REQUIRED, GH_HUB_CHOICE_TOOL } gh_hub_choice_t;
typedef enum { GH_HUB_TIER_UNSAID = 0, GH_HUB_TIER_AUTO, GH_HUB_TIER_DEFAULT, GH_HUB_TIER_FLEX, GH_HUB_TIER_PRIORITY, GH_HUB_TIER_SCALE, GH_HUB_TIER_FAST,
    GH_HUB_TIER_RESERVED } gh_hub_tier_t;

typedef struct {
    gh_hub_dialect_t  dialect;        /* it was written in */
    gh_str_t          body;
    uint64_t          asks[GH_ASK_WORDS];    /* bits by gh_hub_ask_t: what it asks for */
    size_t            where[GH_ASKS];        /* offset into the body where it first does */

    gh_str_t          model;          /* escaped; data NULL where the path says it (Converse, InvokeModel) */
    bool              stream;
    bool              include_usage;  /* the client wants the usage chunk of chat completions */
    gh_hub_message_t *messages;       /* system messages among them */
    gh_hub_tool_t    *tools;
    gh_hub_choice_t   choice;
    gh_str_t          choice_name;    /* escaped: of CHOICE_TOOL */
    bool              choice_text;    /* it is one that takes text */
    bool              some_tools;     /* only those that are `allowed` may be called: of CHOICE_AUTO, CHOICE_REQUIRED */
    gh_hub_name_t    *allowed;        /* their names */
    bool              logprobs;       /* of the answer's tokens */
    uint64_t          top_logprobs;   /* and of so many others in each place */
    bool              one_call;       /* no tool calls beside each other */
    uint64_t          max_tokens;     /* 0: not said */
    gh_str_t          temperature, top_p, top_k;   /* as they were spelled */
    gh_str_t          stop;           /* raw: an array of strings, or one string */
    gh_str_t          schema;         /* raw: the answer's; data NULL: none */
    gh_str_t          schema_name, schema_description, schema_strict;    /* escaped, escaped, "true" or "false" */
    gh_str_t          effort;         /* escaped */
    gh_str_t          thinking;       /* raw: Anthropic's object */
    gh_str_t          management;     /* raw: Anthropic's context_management */
    gh_str_t          verbosity;      /* escaped */
    gh_str_t          user;           /* escaped */
    gh_str_t          metadata;       /* raw */
    gh_str_t          cache_key;      /* escaped */
    gh_str_t          betas;          /* raw: Anthropic's, an array of strings; data NULL: none */
    uint32_t          betas_written;  /* so many of them, the first, stood in the body; the others in a header */
    gh_hub_tier_t     tier;
    gh_str_t          guardrail, guardrail_version;    /* of Bedrock, its id or ARN; empty: not said */
    const char       *trace, *latency;                 /* words of Converse, static: "enabled", "optimized"; NULL: not said */
    gh_str_t          labels;         /* raw: of Converse's requestMetadata, printable ASCII in one line; data NULL: none */
    bool              store, json_object;

    /* How long what is written from it may get: text that changes between being a string and being a value is longer as a string. */
    size_t            values_bytes;
    uint32_t          nodes;
} gh_hub_request_t;

/*
 * Reads a request. Of Converse and InvokeModel the path says whether it streams: request->stream is the caller's to set then. The body, which has to stay, is borrowed; all else comes from the arena. GH_ERROR: error->code is "invalid_json", "duplicate_key" or
 * "invalid_request" (error->text begins with the JSON path), "no_memory". What is unknown is no error: it is GH_ASK_UNKNOWN.
 */
int gh_hub_request_read(gh_arena_t *arena, gh_hub_dialect_t dialect, gh_str_t body, gh_hub_request_t *request, gh_error_t *error);

/* Can a backend of this dialect be asked that? Some words of bits are compared: for each deployment of a route. */
bool gh_hub_expressible(const gh_hub_request_t *request, gh_hub_dialect_t target);

/*
 * The same with the reason: GH_ERROR, code "not_expressible" and a sentence that begins with the JSON path: "top_logprobs (logprobs) cannot be asked of a
 * backend that speaks messages". path (size bytes, may be NULL) is filled with the path alone.
 */
int gh_hub_express(const gh_hub_request_t *request, gh_hub_dialect_t target, char *path, size_t size, gh_error_t *error);

typedef struct {
    gh_str_t model;          /* the upstream's name for it; left out where the path says it */
    uint64_t output_cap;     /* at most so many tokens are asked for; 0: what the client wrote */
    bool     store_false;    /* chat, responses: nothing is to be kept, whatever the client wrote */
    bool     old_maximum;    /* chat: it is called max_tokens (Azure's API before 2024-09-01) */
    gh_str_t inference_geo;  /* messages: where it is to be run; empty: not said */
    bool     counts;         /* messages: its tokens are counted, nothing is said of an answer */
    uint64_t default_max;    /* where the dialect must have a maximum (messages) and neither the client nor output_cap says one; 0: that is an error */
} gh_hub_send_t;

/* The request as the target's dialect writes it, arena-owned. GH_ERROR: as gh_hub_express, or "no_memory". */
int gh_hub_request_write(gh_arena_t *arena, const gh_hub_request_t *request, gh_hub_dialect_t target, const gh_hub_send_t *send, gh_str_t *body,
    gh_error_t *error);

/* ---- counts of tokens: count.c ---- */

/*
 * A request whose tokens are to be counted, for GH_ENDPOINT_COUNT_TOKENS, or as the body of an InvokeModel for GH_ENDPOINT_BEDROCK_COUNT; in the arena. Errors
 * as gh_hub_request_write.
 */
int gh_hub_count_write(gh_arena_t *arena, const gh_hub_request_t *request, gh_endpoint_t endpoint, const gh_hub_send_t *send, gh_str_t *body,
    gh_error_t *error);

/* The answer of either, for a client of the other; in the arena. GH_ERROR: "bad_answer", "no_memory". */
int gh_hub_count_answer(gh_arena_t *arena, gh_str_t answer, gh_endpoint_t client, gh_str_t *body, gh_error_t *error);

/* ---- which endpoints it can be asked at: express.c ---- */

/* GH_HUB_DIALECTS: nothing is translated to or from that endpoint. */
gh_hub_dialect_t gh_hub_dialect_of(gh_endpoint_t endpoint, gh_words_t words);

/* What a request for it is written as: Converse is asked in the words of the model's provider. Answers and streams are the dialect's own. */
gh_hub_dialect_t gh_hub_target_of(gh_endpoint_t endpoint, gh_words_t words);

typedef struct gh_embed_request_s gh_embed_request_t;    /* embeddings.h */

/* A request that may have to be translated: read when it is asked for first. */
typedef struct {
    gh_arena_t        *arena;
    const gh_intake_t *intake;
    gh_str_t           body;
    gh_hub_request_t  *request;      /* NULL: not read yet, or it is one of embeddings: */
    gh_embed_request_t *embed;
    gh_str_t           counted;      /* what is to be counted, where that is a body of Messages or InvokeModel: gh_alike_count writes it; data NULL: it is none */
    gh_express_t      *express;
} gh_hub_asked_t;

/* For gh_decide_input_t: context is a gh_hub_asked_t. A header of the client's that turns something on has no translation. */
const gh_express_t *gh_hub_asked(void *context);

/*
 * Flags of betas, as InvokeModel's bodies have them in anthropic_beta: those of the body (data NULL: none), and behind them those of the client's header anthropic-beta
 * that they lack; in the arena. Those of the body alone: the header has no others, not only flags (letters, digits, "-", "_", "."), or no memory.
 */
gh_str_t gh_hub_betas_join(gh_arena_t *arena, gh_str_t betas, gh_str_t header);

/* The other way, for the header; in the arena. data NULL: there are none, they are no flags, or no memory. */
gh_str_t gh_hub_betas_header(gh_arena_t *arena, gh_str_t betas);

/* An array of flags as Anthropic knows them: Bedrock has some under names of its own. In the arena, or the array itself. */
gh_str_t gh_hub_betas_native(gh_arena_t *arena, gh_str_t betas);

/* What InvokeModel has in headers, of a request: values by gh_bedrock_header_t, printable ASCII; empty: that one is not sent. They borrow from the request. */
void gh_hub_said_write(const gh_hub_request_t *request, gh_str_t said[GH_BEDROCK_HEADERS]);

/*
 * The other way: of an InvokeModel's client. Labels that no body of Converse can have are GH_ASK_LABELS_OTHER, a guardrail that none can name GH_ASK_UNKNOWN. Strings borrow; labels lie in
 * the arena.
 */
void gh_hub_said_read(gh_arena_t *arena, const gh_str_t said[GH_BEDROCK_HEADERS], gh_hub_request_t *request);

/* Which of the headers asks that: "header x-amzn-bedrock-service-tier", static. */
gh_str_t gh_hub_said_where(unsigned ask);

/* ---- its answer ---- */

typedef enum {
    GH_HUB_FINISH_NONE = 0,
    GH_HUB_STOP,
    GH_HUB_STOP_SEQUENCE,
    GH_HUB_LENGTH,
    GH_HUB_CONTEXT_LENGTH,    /* the model's window is full */
    GH_HUB_TOOL_CALLS,
    GH_HUB_PAUSE,             /* the turn goes on when it is sent back */
    GH_HUB_REFUSED,           /* by the model or its provider */
    GH_HUB_FILTERED,          /* by a content filter */
    GH_HUB_GUARDED,           /* by a guardrail of the request's */
    GH_HUB_MALFORMED          /* what the model wrote could not be read by its provider: the answer is a failure */
} gh_hub_finish_t;

typedef struct {
    gh_str_t        id, model;       /* escaped; empty: not said */
    uint64_t        created;         /* seconds of Unix time; 0: not said */
    gh_hub_part_t  *parts;
    gh_hub_finish_t finish;
    gh_str_t        stop_sequence;   /* escaped; data NULL: none */
    gh_usage_t      usage;           /* usage.reported: it was there */
    gh_hub_tier_t   tier;            /* it was served in */
} gh_hub_answer_t;

/* What a client is told that the backend does not say. */
typedef struct {
    gh_str_t id;             /* ours, e.g. the request's; where the backend gives none */
    gh_str_t model;          /* as the client named it; where the backend gives none */
    uint64_t created;        /* seconds of Unix time */
    uint64_t latency_ms;     /* Converse tells it */
    bool     include_usage;  /* of chat completions: the client wants the usage chunk */
} gh_hub_reply_t;

/* A whole answer with status 2xx. GH_ERROR: code "bad_answer", text says what was expected and where. */
int gh_hub_answer_read(gh_arena_t *arena, gh_hub_dialect_t dialect, gh_str_t body, gh_hub_answer_t *answer, gh_error_t *error);
int gh_hub_answer_write(gh_arena_t *arena, const gh_hub_answer_t *answer, gh_hub_dialect_t client, const gh_hub_reply_t *reply, gh_str_t *body,
    gh_error_t *error);

/* ---- errors ---- */

typedef enum {
    GH_HUB_INVALID = 0, GH_HUB_AUTHENTICATION, GH_HUB_PERMISSION, GH_HUB_NOT_FOUND, GH_HUB_TOO_LARGE, GH_HUB_RATE_LIMIT, GH_HUB_TIMEOUT,
    GH_HUB_API, GH_HUB_OVERLOADED, GH_HUB_FAILURES
} gh_hub_failure_t;

/* What a status stands for. */
gh_hub_failure_t gh_hub_failure(int status);

#define GH_HUB_MODEL_FAILED 424    /* the status of AWS's ModelErrorException: not what was asked was wrong, but what the model made of it */

#define GH_HUB_ERROR_BYTES 4096   /* enough for every error that was read: long messages are cut there */

typedef struct {
    int              status;
    gh_hub_failure_t failure;
    gh_str_t         message;    /* escaped; empty: none was given */
    gh_str_t         code;       /* escaped: "context_length_exceeded", "ThrottlingException", ...; empty: none */
    gh_str_t         param;      /* escaped; empty: none */
} gh_hub_error_t;

/*
 * An error answer of a backend, of any shape: what cannot be read is a failure of its status alone. type: its x-amzn-errortype header or
 * :exception-type; empty: none. Strings borrow from body.
 */
void gh_hub_error_read(gh_hub_dialect_t dialect, int status, gh_str_t type, gh_str_t body, gh_hub_error_t *error);

/*
 * Its body for a client, and the status to send it with: 529 is Anthropic's alone. Bytes written; size at least GH_HUB_ERROR_BYTES. *type (may be NULL): of Bedrock's native API, the name for x-amzn-errortype or :exception-type, static.
 */
size_t gh_hub_error_write(const gh_hub_error_t *error, gh_hub_dialect_t client, gh_str_t request_id, char *buffer, size_t size, int *status,
    const char **type);

/* ---- a stream ---- */

typedef enum {
    GH_HUB_EVENT_START = 0,    /* who answers is known: the stream's id, model, created */
    GH_HUB_EVENT_PART,         /* a part begins: part, kind, id and name of a call; text: the data of REDACTED */
    GH_HUB_EVENT_DELTA,        /* text of it, before it `held`; of a call its arguments; signature: of reasoning */
    GH_HUB_EVENT_CITATION,     /* citation: of the open part */
    GH_HUB_EVENT_PART_END,
    GH_HUB_EVENT_FINISH,       /* finish, stop_sequence */
    GH_HUB_EVENT_END,          /* the backend's own end, with usage; what has none is cut short */
    GH_HUB_EVENT_ERROR,        /* error; nothing follows */
    GH_HUB_EVENT_PING
} gh_hub_event_type_t;

typedef struct {
    gh_hub_event_type_t type;
    uint32_t            part;          /* from 0, in the order they began */
    gh_hub_kind_t       kind;
    gh_str_t            id, name;      /* escaped */
    gh_str_t            held, text;    /* escaped */
    gh_str_t            signature;     /* escaped */
    gh_str_t            logprobs;      /* raw: elements; of a delta of TEXT, whose text may be empty */
    const gh_hub_citation_t *citation;
    gh_hub_finish_t     finish;
    gh_str_t            stop_sequence; /* escaped; data NULL: none */
    gh_usage_t          usage;
    gh_hub_error_t      error;
} gh_hub_event_t;

#define GH_HUB_PARTS_MAX 1024                  /* of one answer; one more is an error */
#define GH_HUB_EVENT_MAX ((size_t) 1 << 20)    /* bytes of one event of the backend; a longer one is an error */

/* Where translated bytes go; they live during the call. */
typedef struct {
    /* Of dialects that are not framed: bytes of the event stream. */
    void (*bytes)(void *context, const char *data, size_t len);
    /* Of those that are: one message for the framing; type is static: "contentBlockDelta", "chunk", or the exception's name. */
    void (*message)(void *context, const char *type, bool exception, gh_str_t payload);
    void *context;
} gh_hub_out_t;

typedef struct gh_hub_stream_s gh_hub_stream_t;

/* Are its streams AWS event streams? */
bool gh_hub_framed(gh_hub_dialect_t dialect);

/*
 * A stream from a backend to a client. Its memory comes from the arena: some KiB at first, more only when an event is longer than all before it,
 * never above 4 * GH_HUB_EVENT_MAX whatever the backend sends, but for clients of Responses, whose last events repeat the whole answer: above
 * GH_HUB_EVENT_MAX of text such a stream ends in an error. reply is copied, its strings are borrowed. NULL: no memory.
 */
gh_hub_stream_t *gh_hub_stream_new(gh_arena_t *arena, gh_hub_dialect_t backend, gh_hub_dialect_t client, const gh_hub_reply_t *reply, gh_hub_out_t out);

/*
 * Of Messages and InvokeModel, whose events pass as they are: ids in them are given out. shape: of an event (gh_ids_shape_of); ids: the caller's, it stays as long
 * as the stream. Before anything is fed.
 */
void gh_hub_stream_ids(gh_hub_stream_t *stream, gh_ids_t *ids, const gh_ids_shape_t *shape, const gh_ids_owner_t *owner);

/* Of such a stream between equal dialects: was the last message another than the client gets? Then it was given out written anew, else not at all. */
bool gh_hub_stream_changed(const gh_hub_stream_t *stream);

/* Bytes of a text/event-stream. Split at any byte, the same comes out. */
void gh_hub_stream_feed(gh_hub_stream_t *stream, const char *data, size_t len);

/* One message of an AWS event stream, unframed. type: its :event-type or :exception-type. */
void gh_hub_stream_message(gh_hub_stream_t *stream, gh_str_t type, bool exception, gh_str_t payload);

/* The backend's connection ended. Without its own end before, the client gets an error and no good end. */
void gh_hub_stream_finish(gh_hub_stream_t *stream);

/* Ends the stream with this error, unless it has ended: for what broke outside of it. */
void gh_hub_stream_fail(gh_hub_stream_t *stream, const gh_hub_error_t *error);

/* The same, where what the backend sent is none of its format. */
void gh_hub_stream_break(gh_hub_stream_t *stream, const char *sentence);

/* All of a stream that was asked for, of a backend that gave a plain answer instead. */
void gh_hub_stream_answer(gh_hub_stream_t *stream, const gh_hub_answer_t *answer);

/*
 * The same of Messages and InvokeModel, whose events pass as they are, of the answer's own JSON, which gh_hub_answer_read could read: ids in it are given out as in a stream. Nothing of it is lost.
 */
void gh_hub_stream_plain(gh_hub_stream_t *stream, gh_str_t body);

typedef struct {
    bool       done;            /* the backend's own end has come */
    bool       failed;          /* an error was sent */
    bool       broken;          /* and it was not the backend's: what it sent could not be read, or ended before its end */
    int        status;          /* of that error, as an HTTP status */
    bool       started;         /* something of the answer was written; before, what was written is an error at most, and another backend may take over */
    uint64_t   seen;            /* events of the backend, comments and pings among them */
    uint64_t   events;          /* with content */
    uint64_t   content_bytes;   /* of text, reasoning and arguments, escapes not decoded: for an estimate when it is cut */
    gh_usage_t usage;
} gh_hub_stream_state_t;

gh_hub_stream_state_t gh_hub_stream_state(const gh_hub_stream_t *stream);

/* Of a stream that failed: that error. Its strings live as long as the stream. */
gh_hub_error_t gh_hub_stream_error(const gh_hub_stream_t *stream);

/* For clients of Bedrock's native API: how long it took, told before the end. */
void gh_hub_stream_latency(gh_hub_stream_t *stream, uint64_t latency_ms);

/* ---- names ---- */

/* By gh_hub_dialect_t: "chat", "chat-open", ... of policy/base/dialects.h. */
extern const char *const gh_hub_dialect_names[GH_HUB_DIALECTS];

/* What is to be known of a dialect, as clients speak it, where nothing is translated. */
typedef struct {
    bool framed;              /* its streams are AWS event streams, its errors AWS's exceptions */
    bool walked;              /* answers at its endpoint are looked into whatever was asked, for ids (responses.h) */
    bool usage_asked;         /* a stream tells its usage in a chunk of its own, to those that ask for it */
    bool usage_behind;        /* some servers tell it behind the stream's end */
    bool chunks_alike;        /* chunks of a stream differ in their text alone (gh_chunk_like) */
    bool error_codes;         /* an error has a code */
    bool cites_pages;         /* its texts cite web pages, by their characters */
    bool text_calls;          /* its tools may take text */
    bool results_alike;       /* results of those are written as those of all others */
    bool some_tools;          /* it can say that some of the tools may be called */
    bool events_alike;        /* its events are those of the others that have it, whatever frames them */
    bool pages;               /* its list of models is Anthropic's, with pages; else OpenAI's */
    const char *id_header;    /* of the request's id, beside x-request-id; NULL: none */
    gh_quota_spelling_t limits;   /* headers of rate limits */
} gh_hub_traits_t;

/* Of GH_HUB_DIALECTS, as an endpoint has that is not translated, none. */
const gh_hub_traits_t *gh_hub_traits(gh_hub_dialect_t dialect);

/* Of what is lost or refused between dialects, as conf/dialects.md shows it. Bytes needed; at most size are written. */
size_t gh_hub_table(char *buffer, size_t size);

/* The same by whose model is asked, where that differs. */
size_t gh_hub_model_table(char *buffer, size_t size);

#endif
