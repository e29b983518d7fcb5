/*
 * The wire: what clients send and providers answer, as bytes in and bytes out. No nginx types, no I/O, no allocation
 * but from an arena handed in.
 */
#ifndef GH_WIRE_H
#define GH_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "ngx_module/wire/url.h"
#include "policy/audit/record.h"
#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/json_writer.h"
#include "policy/decide/intake.h"
#include "policy/decide/words.h"
#include "policy/store/image.h"

/* ---- intake.c: the body of an OpenAI-shaped request ---- */

/*
 * Reads the body once. GH_ERROR: error->code is "invalid_json" (text says offset, line and column), "invalid_request" (text names the
 * field and what was expected: model missing or not a string of 1..256 bytes, stream not a boolean, n not 1..128, ...), "duplicate_key" or
 * "invalid_places" (inference_geo is no string).
 * The field tables per endpoint (wire/fields.c) say for every known field, tool type and content part which feature it turns on, or
 * that it is inert; anything else is a use with an empty name. That holds for objects inside values too: their fields are known one by
 * one, and a URL in them that is not data: is the use "fetched_url".
 *
 * Refused whatever their value, null too, because no rule may let them through (one that accepts unlisted features forwards what nobody
 * knows, and the backend may be a proxy that obeys them):
 *   api_base, base_url, deployment_id, model_list, user_config, extra_body, fallbacks, context_window_fallbacks,
 *   content_policy_fallbacks                               "invalid_request": the gateway alone says where a request goes
 * Only at the top level and spelled so, escapes decoded; elsewhere and in other cases they are unknown uses. So are provider, route,
 * models, transforms, region, location and the like.
 */
int gh_intake_parse(gh_arena_t *arena, gh_endpoint_t endpoint, gh_str_t body, gh_intake_t *intake, gh_error_t *error);

/* false: clients cannot ask this endpoint, gh_intake_parse gives an error for all its bodies. */
bool gh_intake_reads(gh_endpoint_t endpoint);

/*
 * The same for a body that came to this URL. When the path names the model, the body need not, and what it says does not count: it is spliced over like
 * any other, or inserted, so the body must not be {}.
 */
int gh_intake_parse_url(gh_arena_t *arena, const gh_url_t *url, gh_str_t body, gh_intake_t *intake, gh_error_t *error);

/*
 * The request inside of a body of Bedrock's CountTokens: *endpoint is CONVERSE, and *inner borrows, or INVOKE, and it is in the arena. GH_ERROR: "invalid_json",
 * "invalid_request": it is none of the two, or more than that; "no_memory".
 */
int gh_intake_count_input(gh_arena_t *arena, gh_str_t body, gh_endpoint_t *endpoint, gh_str_t *inner, gh_error_t *error);

/*
 * Opens the ids of what providers keep in a body that was just read: those given out here become the provider's own again, *body (in the arena) and *intake
 * are those of what is sent then, and intake->pin says where the state is. An item that stands in full and whose id is not one of ours goes without it. GH_ERROR:
 * "state_not_found" (an id that was not given out here, or not to this tenant: the text does not tell which), "state_elsewhere" (it uses what more than one
 * deployment keeps), or as gh_intake_parse. Text begins with the JSON path; of an id that could not be opened intake->unopened says more.
 */
int gh_intake_open(gh_arena_t *arena, gh_handles_t *handles, uint64_t tenant_uid, const gh_url_t *url, gh_str_t *body, gh_intake_t *intake,
    gh_error_t *error);

/*
 * The body of Responses and its intake (intake->translated) for a deployment that speaks it: reasoning that was translated for the client stands in it no more,
 * since its provider would refuse it. *sent lies in the arena. Errors as gh_intake_parse_url.
 */
int gh_intake_native(gh_arena_t *arena, const gh_url_t *url, gh_str_t body, gh_str_t *sent, gh_intake_t *intake, gh_error_t *error);

/* Is it the id of an item of reasoning that was translated? */
bool gh_intake_is_translated(gh_str_t id);

/*
 * A request about what is kept (url->operation is KEPT; gh_intake_parse_url comes here for it): its URL says all of it, and its body has to be empty, or {}.
 * A parameter of the query that nobody knows is a use with an empty name. It has a model and a place once its id was opened, by gh_intake_open, which
 * comes to gh_intake_open_kept for it. Errors as those of both.
 */
int gh_intake_kept(gh_arena_t *arena, const gh_url_t *url, gh_str_t body, gh_intake_t *intake, gh_error_t *error);
int gh_intake_open_kept(gh_arena_t *arena, gh_handles_t *handles, uint64_t tenant_uid, gh_str_t id, gh_intake_t *intake, gh_error_t *error);

/*
 * One request header. Known: consumed, inert or a feature; call for every header of the request. Adds a use for headers that turn
 * something on ("openai-beta", "anthropic-beta", ...); true: forward it to the backend. A positive list: everything unknown is not forwarded.
 * At InvokeModel's the service tier, and what else Converse has in its body. At Messages' endpoints the flags of anthropic-beta are judged one by one (fields_betas.c); one nobody knows is a use with an empty name.
 */
bool gh_intake_header(gh_arena_t *arena, gh_intake_t *intake, gh_str_t name, gh_str_t value);

/*
 * intake->session, when body and headers were read and ids opened. That of the best label, or, where no better one than an id is there, that of the response,
 * the conversation, else the item or answer, that the request goes on with. A request that is of none, and whose answer gives out ids, begins one, named by
 * its own id. intake->label.refused is for the caller to look at. GH_ERROR: OpenSSL fails.
 */
int gh_intake_session(const gh_sessions_t *sessions, uint64_t tenant_uid, gh_str_t request_id, gh_intake_t *intake);

/* What ids in its answer carry as their session, GH_SESSION_ID bytes, or empty; borrowed from the intake. */
gh_str_t gh_intake_ids_session(const gh_intake_t *intake);

/* Every name of a feature that a body or a header can turn on, each once, static. Returns how many were filled in, at most size. */
size_t gh_intake_feature_names(gh_str_t *names, size_t size);

/* ---- splice.c: changed fields into the original bytes ---- */

#define GH_SPLICE_MAX 14

typedef struct {
    size_t   offset, length;       /* replaced bytes of the body; length 0: insertion */
    gh_str_t text;
} gh_splice_edit_t;

typedef struct {
    gh_splice_edit_t edit[GH_SPLICE_MAX];   /* ascending, not overlapping */
    unsigned         count;
} gh_splice_t;

/* Do the edits ascend, within the body, none in another? Those of a splice that is not so must not be sent: its length and its pieces mean nothing. */
bool gh_splice_holds(const gh_splice_t *splice, gh_str_t body);

/* Pieces of the new body in order, at most 2 * GH_SPLICE_MAX + 1; they borrow from body and from the edits. Returns the count. */
unsigned gh_splice_pieces(const gh_splice_t *splice, gh_str_t body, gh_str_t *pieces);
uint64_t gh_splice_length(const gh_splice_t *splice, gh_str_t body);

/* ---- dialect.c and dialect_*.c: one attempt on the wire ---- */

typedef struct {
    const char *method;            /* "POST", static */
    gh_str_t    path;              /* "/openai/v1/chat/completions", query included; arena-owned */
    gh_str_t    credential_header; /* "authorization", "api-key" or "x-api-key" */
    gh_str_t    credential_prefix; /* "Bearer " or "" */
    gh_str_t    version_header;    /* "anthropic-version", sent with version_value unless the client's own goes; empty: none */
    gh_str_t    version_value;
    bool        knows_store;       /* `store` may be added */
    bool        knows_max_completion;   /* the most tokens of a choice is max_completion_tokens */
    gh_str_t    betas;             /* what anthropic-beta says of a translated request; empty: nothing */
    gh_str_t    said[GH_BEDROCK_HEADERS];     /* what InvokeModel's headers say of a translated request, by gh_bedrock_header_t, printable ASCII; empty: nothing */
    gh_splice_t splice;            /* model name, stream_options.include_usage, store:false, inference_geo, the most tokens of a choice */
} gh_wire_request_t;

/*
 * The request for a target. A client's inference_geo goes, and the target's is said where it has one. `store_false`: the rule that allowed it says "store": "nothing", so "store": false is sent where the endpoint has that
 * field (chat.completions) and dialect knows it. base_path: prefix configured for the backend, "" normally.
 * usage is always asked for when streaming (stream_options.include_usage = true).
 *
 * output_cap: tokens that one choice may have at most (gh_quota_bound_t.output_cap); 0: what the client wrote stays. A larger maximum of the client's,
 * and -1, is replaced where it stands; when none is left that every backend obeys, one is added: max_completion_tokens to chat.completions,
 * max_tokens where that is the field's only name (completions, servers of one's own, Azure's API before 2024-09-01), never beside a maximum of the
 * other name. An explicit 0 stays.
 */
int gh_dialect_request(gh_arena_t *arena, const gh_target_t *target, const gh_intake_t *intake,
    gh_str_t base_path, bool store_false, uint64_t output_cap, gh_wire_request_t *out, gh_error_t *error);

/*
 * All of that but the body's changes, none: for a request that is written anew, to an endpoint that the target offers. stream: where the path says it.
 */
int gh_dialect_address(gh_arena_t *arena, const gh_target_t *target, gh_endpoint_t endpoint, bool stream, gh_str_t base_path, gh_wire_request_t *out,
    gh_error_t *error);

/* Response headers of a backend that clients get (a positive list: x-ratelimit-* is not in it, clients get those of their own limits); name case-insensitive. */
bool gh_dialect_response_header(gh_dialect_t dialect, gh_str_t name);

/*
 * What a provider says of itself and of its account's rate limits (provider_headers.c), into *said, which is made in the arena with the first. false: the
 * header is about something else. Negative and unreadable numbers are not said.
 */
bool gh_provider_header(gh_arena_t *arena, gh_record_said_t **said, gh_str_t name, gh_str_t value, uint64_t now_ms);

/* Milliseconds until what is used up begins anew; 0: nothing is, or it is not said when. Cut at 1 hour. said may be NULL. */
uint64_t gh_provider_wait_ms(const gh_record_said_t *said);

/*
 * Milliseconds to wait from now, from retry-after-ms, retry-after (float seconds or HTTP date); either may be empty. Negative, absurd or
 * unreadable: 0. Cut at 1 hour.
 */
uint64_t gh_retry_after_ms(gh_str_t retry_after_ms, gh_str_t retry_after, uint64_t now_ms);

/* ---- usage.c, usage_scan.c: the "usage" object of a plain JSON answer, found incrementally in fixed memory ---- */

#define GH_USAGE_MAX 4096   /* bytes of a usage object; a longer one is not read */

typedef struct gh_usage_shape_s gh_usage_shape_t;   /* where its text is */

typedef struct {
    bool       found;
    gh_usage_t usage;
    /* private */
    uint64_t   content_bytes;
    uint32_t   depth;
    int        state;
    bool       in_string, escape, capturing;
    gh_hub_dialect_t dialect;
    const gh_usage_shape_t *shape;
    bool       choices;           /* in the root's member that has the text */
    bool       choice_key;        /* a key of a choice must come */
    bool       counting;          /* in a choice's text */
    bool       label;             /* what stands there says which, not what */
    uint32_t   unicode, unicode_left;   /* of an escape */
    uint64_t   string_bytes;      /* of the last string, decoded */
    char       key[8];            /* its beginning */
    size_t     key_len;
    size_t     capture_len;       /* above GH_USAGE_MAX: too long to be one */
    size_t     capture_most;      /* of capture, bytes that were ever written */
    char       capture[GH_USAGE_MAX];
} gh_usage_scan_t;

/* Of an answer as a backend of this dialect writes it. */
void gh_usage_scan_init(gh_usage_scan_t *scan, gh_hub_dialect_t dialect);
void gh_usage_scan_feed(gh_usage_scan_t *scan, const char *data, size_t len);

/* Bytes from the scan's beginning; behind them nothing was written since gh_usage_scan_init. */
size_t gh_usage_scan_written(const gh_usage_scan_t *scan);

/*
 * Bytes of text so far in its choices' message, text or delta (of Messages and Converse: in its content), decoded, as a stream's deltas are counted: for an estimate when usage is missing or never
 * comes. All bytes of what is no JSON object.
 */
uint64_t gh_usage_scan_content(const gh_usage_scan_t *scan);

/*
 * Parses one "usage" object (OpenAI's, chat or completions or embeddings). Negative or absurd numbers (> 2^40), and counts that stand twice, give
 * false. cached_outside and reasoning_outside follow total_tokens; without one, parts larger than their whole stand beside it.
 */
bool gh_usage_parse(gh_str_t json, gh_usage_t *usage);

/* ---- sse.c, stream.c, chunk_*.c: server-sent events (WHATWG HTML section 9.2) of a stream that is passed on, as a backend of its dialect writes them ---- */

/*
 * The commit point: looks at the first bytes of a 200 text/event-stream body (what is held so far).
 */
typedef enum {
    GH_COMMIT_HOLD = 0,   /* only comments, annotations, roles, empty deltas or partial events so far, 64 at most */
    GH_COMMIT_GO,         /* a first useful event: text, reasoning, a tool's name, a finish_reason, or [DONE] */
    GH_COMMIT_ERROR       /* the stream starts with an error: *status has the HTTP status to treat it as (error.code / error.status / type; else 502) */
} gh_commit_t;

gh_commit_t gh_commit_look(gh_hub_dialect_t dialect, gh_str_t held, int *status);

/*
 * A running stream: consumes backend bytes, tells which to pass on. Split at any byte gives the same output. Partial
 * events are carried (bounded by GH_STREAM_CARRY; a longer event is passed on as it comes and cannot be removed).
 */
#define GH_STREAM_CARRY 16384

typedef void (*gh_stream_out_fn)(void *context, const char *data, size_t len);

/* Private to the wire, chunk_like.c: what the chunks of a stream have in common. Zeroed: nothing is known yet. */
typedef struct {
    bool       known;
    bool       padded, finish;
    uint16_t   head, middle, tail;    /* bytes of text: before the string that is new, between that and the padding, behind */
    uint32_t   tries, hits;
    uint64_t   other_bytes;           /* of text that does not change */
    char       text[512];
} gh_chunk_like_t;

typedef struct {
    gh_hub_dialect_t dialect;
    bool       strip_usage;       /* the client did not ask for the usage chunk: remove it (choices: [] and usage); "usage":null stays as is */
    bool       done;              /* its own end was seen: [DONE], message_stop */
    bool       error;             /* an error event was seen; an end behind it is removed */
    bool       usage_seen;
    bool       usage_partial;     /* and it was not the last word: it stood in an event with content, or one came behind it, and no [DONE] did */
    uint64_t   events;            /* with content */
    uint64_t   content_bytes;     /* of delta text, for estimates when cut; an unreadable or too long event counts whole */
    gh_usage_t usage;
    /* private */
    char      *carry;             /* GH_STREAM_CARRY bytes, the caller's */
    size_t     carry_len;
    int        state;             /* of the line being read */
    bool       passing;           /* the event being read is longer than the carry */
    bool       in_event;          /* a line of it has begun */
    bool       holding;           /* its bytes are kept back until it is complete */
    bool       after_cr;          /* the last byte was a CR: a LF belongs to it */
    bool       drop_lf;           /* and that LF goes with the removed event */
    bool       started;           /* the first line has begun: no byte order mark any more */
    uint64_t   event_bytes;       /* of a passing event */
    gh_chunk_like_t like;         /* of OpenAI's chunks */
    gh_usage_scan_t scan;         /* of a passing event */
} gh_stream_t;

void gh_stream_init(gh_stream_t *stream, gh_hub_dialect_t dialect, bool strip_usage, char *carry);
/* May a comment or an event be written to the client here? Nothing of an event, and of another comment, has been passed on that is not at its end. */
bool gh_stream_between(const gh_stream_t *stream);
/* Feeds len bytes; out is called zero or more times with bytes to pass on, which live in `data` or in the carry and only during the call. */
void gh_stream_feed(gh_stream_t *stream, const char *data, size_t len, gh_stream_out_fn out, void *context);
/* The backend's end: what is carried is passed on. */
void gh_stream_finish(gh_stream_t *stream, gh_stream_out_fn out, void *context);

/*
 * The error event, in the client's dialect, that ends a stream which broke after the commit ("data: {...}\n\n"); no [DONE] follows. request_id: empty, or
 * told where the dialect has a place for it. Of Converse there is none: its events are framed.
 */
size_t gh_stream_error_event(gh_hub_dialect_t client, char *buffer, size_t size, gh_str_t code, gh_str_t message, gh_str_t request_id);

/* ---- answer.c: errors in the caller's dialect ---- */

/* An answer of ours that is an error. Strings are UTF-8, not escaped; empty ones are not said. */
typedef struct {
    int      status;
    gh_str_t code;          /* "residency_denied", ... */
    gh_str_t message;
    gh_str_t param;         /* path of the body's field */
    gh_str_t request_id;
} gh_answer_error_t;

/*
 * Its body as the client's dialect has it. Returns bytes written, cut never: message is shortened to fit (size >= 512). *status (may be NULL): to send it
 * with, which is the error's but where the dialect has another for the same (Anthropic's 529, Bedrock's 403 for 401). *type (may be NULL): of Converse, the
 * name for x-amzn-errortype, static; else NULL.
 *   OpenAI     {"error":{"message","type","param","code"}}
 *   Anthropic  {"type":"error","error":{"type","message"},"request_id"}; the code stands in front of the message
 *   Bedrock    {"message"}, likewise
 */
size_t gh_answer_error(gh_hub_dialect_t client, char *buffer, size_t size, const gh_answer_error_t *error, int *status, const char **type);

/* ---- models.c ---- */

/*
 * The answer to a MODELS or MODEL URL, in the arena, in the client's words: OpenAI's list and object, or Anthropic's, with its limit,
 * after_id and before_id. names: what the key may use, sorted. GH_ERROR: "model_not_found", "invalid_request" (a parameter), "no_memory".
 */
int gh_models_write(gh_arena_t *arena, const gh_url_t *url, const gh_str_t *names, size_t count, gh_str_t *json, gh_error_t *error);

#endif
