/*
 * The wire: what clients send and providers answer, as bytes in and bytes out. No nginx types, no I/O, no allocation
 * but from an arena handed in.
 */
#ifndef GH_WIRE_H
#define GH_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/audit/record.h"
#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/decide/intake.h"
#include "policy/store/image.h"

/* ---- intake.c: the body of an OpenAI-shaped request ---- */

/*
 * Reads the body once. GH_ERROR: error->code is "invalid_json" (text says offset, line and column), "invalid_request" (text names the
 * field and what was expected: model missing or not a string of 1..256 bytes, stream not a boolean, n not 1..128, ...), "duplicate_key" or
 * "invalid_places".
 * The field tables per endpoint (wire/fields.c) say for every known field, tool type and content part which feature it turns on, or
 * that it is inert; anything else is a use with an empty name. That holds for objects inside values too: their fields are known one by
 * one, and a URL in them that is not data: is the use "fetched_url".
 *
 * Refused whatever their value, null too, because no rule may let them through (one that accepts unlisted features forwards what nobody
 * knows, and the backend may be a proxy that obeys them):
 *   inference_geo                                          "invalid_places": not supported yet, x-gatehouse-places narrows
 *   api_base, base_url, deployment_id, model_list, user_config, extra_body, fallbacks, context_window_fallbacks,
 *   content_policy_fallbacks                               "invalid_request": the gateway alone says where a request goes
 * Only at the top level and spelled so, escapes decoded; elsewhere and in other cases they are unknown uses. So are provider, route,
 * models, transforms, region, location and the like.
 */
int gh_intake_parse(gh_arena_t *arena, gh_endpoint_t endpoint, gh_str_t body, gh_intake_t *intake, gh_error_t *error);

/*
 * One request header. Known: consumed, inert or a feature; call for every header of the request. Adds a use for headers that turn
 * something on ("openai-beta", "anthropic-beta", ...); true: forward it to the backend. A positive list: everything unknown is not forwarded.
 */
bool gh_intake_header(gh_intake_t *intake, gh_str_t name, gh_str_t value);

/* Every name of a feature that a body or a header can turn on, each once, static. Returns how many were filled in, at most size. */
size_t gh_intake_feature_names(gh_str_t *names, size_t size);

/* ---- splice.c: changed fields into the original bytes ---- */

#define GH_SPLICE_MAX 8

typedef struct {
    size_t   offset, length;       /* replaced bytes of the body; length 0: insertion */
    gh_str_t text;
} gh_splice_edit_t;

typedef struct {
    gh_splice_edit_t edit[GH_SPLICE_MAX];   /* ascending, not overlapping */
    unsigned         count;
} gh_splice_t;

/* Pieces of the new body in order, at most 2 * GH_SPLICE_MAX + 1; they borrow from body and from the edits. Returns the count. */
unsigned gh_splice_pieces(const gh_splice_t *splice, gh_str_t body, gh_str_t *pieces);
uint64_t gh_splice_length(const gh_splice_t *splice, gh_str_t body);

/* ---- dialect.c and dialect_*.c: one attempt on the wire ---- */

typedef struct {
    gh_str_t    path;              /* "/openai/v1/chat/completions", query included; arena-owned */
    gh_str_t    credential_header; /* "authorization" or "api-key" */
    gh_str_t    credential_prefix; /* "Bearer " or "" */
    gh_splice_t splice;            /* model name, stream_options.include_usage, store:false */
} gh_wire_request_t;

/*
 * The request for a target. `store_false`: the rule that allowed it says "store": "nothing", so "store": false is sent where the endpoint has that
 * field (chat.completions) and dialect knows it. base_path: prefix configured for the backend, "" normally.
 * usage is always asked for when streaming (stream_options.include_usage = true).
 */
int gh_dialect_request(gh_arena_t *arena, const gh_target_t *target, const gh_intake_t *intake,
    gh_str_t base_path, bool store_false, gh_wire_request_t *out, gh_error_t *error);

/* Response headers of a backend that clients get (positive list + x-ratelimit-*: not those of ours); name case-insensitive. */
bool gh_dialect_response_header(gh_dialect_t dialect, gh_str_t name);

/*
 * Milliseconds to wait from now, from retry-after-ms, retry-after (float seconds or HTTP date); either may be empty. Negative, absurd or
 * unreadable: 0. Cut at 1 hour.
 */
uint64_t gh_retry_after_ms(gh_str_t retry_after_ms, gh_str_t retry_after, uint64_t now_ms);

/* ---- usage.c: the "usage" object of a plain JSON answer, found incrementally in fixed memory ---- */

#define GH_USAGE_MAX 4096   /* bytes of a usage object; a longer one is not read */

typedef struct {
    bool       found;
    gh_usage_t usage;
    /* private */
    uint32_t   depth;
    int        state;
    bool       in_string, escape, capturing;
    char       key[8];
    size_t     key_len;
    size_t     capture_len;       /* above GH_USAGE_MAX: too long to be one */
    char       capture[GH_USAGE_MAX];
} gh_usage_scan_t;

void gh_usage_scan_init(gh_usage_scan_t *scan);
void gh_usage_scan_feed(gh_usage_scan_t *scan, const char *data, size_t len);

/* Parses one "usage" object (OpenAI's, chat or completions or embeddings). Negative or absurd numbers (> 2^40) give false. */
bool gh_usage_parse(gh_str_t json, gh_usage_t *usage);

/* ---- sse.c, stream.c: server-sent events (WHATWG HTML section 9.2) of a chat or completion stream ---- */

/*
 * The commit point: looks at the first bytes of a 200 text/event-stream body (what is held so far).
 */
typedef enum {
    GH_COMMIT_HOLD = 0,   /* only comments, empty-choices annotations or partial events so far */
    GH_COMMIT_GO,         /* a first useful event (any choice, or [DONE]) */
    GH_COMMIT_ERROR       /* the stream starts with an error: *status has the HTTP status to treat it as (error.code / error.status / type; else 502) */
} gh_commit_t;

gh_commit_t gh_commit_look(gh_str_t held, int *status);

/*
 * A running stream: consumes backend bytes, tells which to pass on. Split at any byte gives the same output. Partial
 * events are carried (bounded by GH_STREAM_CARRY; a longer event is passed on as it comes and cannot be removed).
 */
#define GH_STREAM_CARRY 16384

typedef void (*gh_stream_out_fn)(void *context, const char *data, size_t len);

typedef struct {
    bool       strip_usage;       /* the client did not ask for the usage chunk: remove it (choices: [] and usage); "usage":null stays as is */
    bool       done;              /* [DONE] seen */
    bool       error;             /* an error event was seen; a [DONE] behind it is removed */
    bool       usage_seen;
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
    gh_usage_scan_t scan;         /* of a passing event */
} gh_stream_t;

void gh_stream_init(gh_stream_t *stream, bool strip_usage, char *carry);
/* Feeds len bytes; out is called zero or more times with bytes to pass on, which live in `data` or in the carry and only during the call. */
void gh_stream_feed(gh_stream_t *stream, const char *data, size_t len, gh_stream_out_fn out, void *context);
/* The backend's end: what is carried is passed on. */
void gh_stream_finish(gh_stream_t *stream, gh_stream_out_fn out, void *context);

/* The error event, in OpenAI's shape, that ends a stream which broke after the commit ("data: {...}\n\n"); no [DONE] follows. */
size_t gh_stream_error_event(char *buffer, size_t size, gh_str_t code, gh_str_t message);

/* ---- answer.c: errors in the caller's dialect ---- */

/*
 * {"error":{"message":...,"type":...,"param":...,"code":...}}; param empty: null. Returns bytes written, cut never: message is shortened to fit (size >= 512).
 * type follows the status: 400/404/413/415 invalid_request_error, 401 authentication_error (type "invalid_request_error" with code "invalid_api_key" as OpenAI does),
 * 403 permission_error, 429 rate_limit_error, 5xx api_error.
 */
size_t gh_answer_error(char *buffer, size_t size, int status, gh_str_t code, gh_str_t message, gh_str_t param);

/* {"object":"list","data":[{"id":...,"object":"model","created":0,"owned_by":"gatehouse"}]} in the arena. data NULL: no memory. */
gh_str_t gh_answer_models(gh_arena_t *arena, const gh_str_t *names, size_t count);

#endif
