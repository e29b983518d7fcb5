/*
 * The record: JSON lines, one file per worker process: <audit>/open/<node>-<epoch>-<pid>-<sequence>.jsonl.
 * Every line begins {"prev":"<64 hex>","n":<0,1,2,...>, where prev is the SHA-256 of the line before without its newline.
 */
#ifndef GH_RECORD_H
#define GH_RECORD_H

#include "policy/base/error.h"
#include "policy/audit/record_writer.h"
#include "policy/base/json_writer.h"
#include "policy/decide/order.h"

/* Members of a line that others know of, the limits above all: written into the object that is open. write NULL: none. */
typedef struct {
    void      (*write)(gh_json_writer_t *w, const void *context);
    const void *context;
} gh_record_members_t;

typedef struct {
    gh_str_t             id;
    uint64_t             now_ms;
    gh_str_t             node;
    gh_str_t             node_country;
    const gh_image_t    *image;
    const gh_decide_input_t *input;
    const gh_decision_t *decision;
    const gh_order_t    *order;       /* what the route's order depended on; NULL: on the documents alone */
    const char          *limited;      /* policy allows it, but limits refuse it with this code: a denial; NULL: they do not */
    gh_record_members_t  more;         /* "reserve", or "limit" */
} gh_record_request_t;

/*
 * {"v":1,"type":"decision","t":...,"id":...,...}: every input of the decision, and the verdict on each of the model's targets,
 * so that it can be derived again from the line and the documents of its revision.
 *
 * "deployments" lists the targets: the deployments that list the model, in the byte order of their ids.
 * "no" maps a rule's id, or "(not_served)" "(endpoint)" "(narrowed)" "(not_expressible)" "(no_allow)", to a bitmap over that list: lower-case
 * hexadecimal, two digits a byte, target 8k + b is bit b (from the lowest) of byte k. "verdicts" says the same in words.
 *
 * "order_by" and "terms" are what the order of "route" depended on, as gh_route_write has them.
 *
 * Of a model with more than 16 targets, and where the line would be too long, it is abridged: so that neither it nor the time for it grows with
 * them. Then "deployments" and "verdicts" are not there, but "targets", how many there are, and a bitmap "yes" of the eligible ones; only the
 * first 4 of "route" are there in full, "route_more" has the rest as positions; "terms" has those of whose backends something is known.
 * A model nobody knows and the place of a feature are cut when they are long; "model_bytes", "where_bytes" then say how long.
 * Ends in an overflow of the writer (refuse the request) only for a writer below GH_RECORD_BODY_MAX, kilobytes of labels and
 * narrowings, or hundreds of different rules that refuse hundreds of targets.
 */
void gh_record_decision(gh_json_writer_t *w, const gh_record_request_t *request);

/*
 * The same of a request that ended before it was decided: without model, classes and targets. Limits refused it before its body was read ("limit";
 * skipped: lines not written before it), or it was admitted, and its body was refused or never came whole ("reserve").
 */
typedef struct {
    gh_str_t             id;
    uint64_t             now_ms;
    gh_str_t             node;
    const gh_identity_t *identity;
    gh_endpoint_t        endpoint;
    gh_operation_t       operation;
    const char          *code;         /* of the answer, or "client_left" */
    const gh_intake_unopened_t *unopened;   /* the id that stood against it; NULL: none did */
    uint64_t             skipped;
    gh_record_members_t  more;         /* "limit", or "reserve" */
} gh_record_undecided_t;

void gh_record_undecided(gh_json_writer_t *w, const gh_record_undecided_t *undecided);

/* What is left of an account's rate limits at a provider, as that says. -1: not said. */
typedef struct { int64_t limit, remaining, reset_ms; } gh_record_allowance_t;

#define GH_RECORD_ALLOWANCES 4    /* of requests, tokens, input tokens, output tokens */

/* What a backend's headers say of it. */
typedef struct {
    gh_str_t              region, deployment;   /* its provider's names; empty: not said */
    gh_record_allowance_t allowance[GH_RECORD_ALLOWANCES];
} gh_record_said_t;

typedef struct {
    gh_str_t    deployment, upstream_model;
    uint64_t    revision;
    const char *upstream_endpoint;    /* it was asked at, and in which of fleet/1's dialects; NULL: at the client's own */
    const char *upstream_dialect;
    gh_places_t process, store;
    bool        store_nothing;
    int         status;               /* HTTP status from the backend, 0: none came */
    const gh_str_t *rules;            /* ids of the allows that fit, one a class; NULL: none */
    unsigned    rule_count;
    const char *error;                /* "refused", "timeout", "reset", "tls", "denied", "retry_after", ... or NULL */
    bool        cached;               /* on a kept-alive connection */
    uint64_t    sent, received;       /* bytes handed to / read from the connection */
    int64_t     connect_us, first_byte_us, total_us;   /* -1: not reached */
    gh_str_t    backend_request_id;   /* x-request-id / apim-request-id / x-amzn-requestid of the backend */
    gh_record_said_t *said;           /* NULL: nothing */
    gh_record_members_t reserve;      /* of its own line */
    gh_record_members_t charged;      /* of its entry in the outcome */
} gh_record_attempt_t;

/* "attempt" number (from 2), before every dispatch but the first. */
void gh_record_attempt(gh_json_writer_t *w, gh_str_t id, uint64_t now_ms, unsigned number,
    const gh_record_attempt_t *attempt);

typedef struct {
    bool     reported;                /* false: the backend gave none */
    bool     cached_outside;          /* cached and cache_write are counted beside input; else among it, as OpenAI does */
    bool     reasoning_outside;       /* likewise reasoning, beside output */
    uint64_t input, cached, cache_write, output, reasoning;   /* as the backend said */
    uint64_t audio_input, audio_output;   /* among input and output */
} gh_usage_t;

/* What was told of a response that a deployment keeps, or made. */
typedef struct {
    gh_str_t    id;                   /* the provider's own; empty: nothing was told */
    gh_str_t    status;               /* "queued", "completed", ... */
    gh_usage_t  usage;                /* that making it took, where that is not what this request is charged for; reported false: not told */
} gh_record_response_t;

typedef struct {
    gh_str_t    id;
    uint64_t    now_ms;
    int         status;               /* given to the client */
    const char *code;                 /* error code, NULL: none */
    const char *end;                  /* "complete" "cut" "client_left" "denied_late" "failed" */
    const gh_record_attempt_t *attempts;
    unsigned    attempt_count;
    gh_usage_t  usage;
    const char *usage_source;         /* "reported" "counted" "reservation"; NULL: no usage */
    gh_record_members_t more;         /* "charged" and what limits have to say */
    uint64_t    bytes_out;
    gh_record_response_t response;
} gh_record_outcome_t;

/*
 * "outcome". Its line is never longer than GH_RECORD_OWED, for which room is held: where it would be, attempts have no "request_id", no "provider" and cut
 * upstream models, and then only the first and last four stand there; "attempts_more" counts the others.
 */
void gh_record_outcome(gh_json_writer_t *w, const gh_record_outcome_t *outcome);

typedef struct {
    gh_str_t    id;
    uint64_t    now_ms;
    gh_str_t    segment;              /* file that has the decision */
    unsigned    number;               /* of the last attempt that was recorded; 1: the decision's own */
    gh_str_t    reserve;              /* "reserve" of the line of that attempt, as it stands there; may be empty */
    gh_str_t    charged;              /* JSON object of what the ledger charged; empty: not known */
} gh_record_lost_t;

/* "lost": the worker died, nobody knows how the request ended. Never longer than GH_RECORD_OWED; a long "reserve" is left out then. */
void gh_record_lost(gh_json_writer_t *w, const gh_record_lost_t *lost);

/* "change": number, actor, what, subject of the store's change entry, whose text `entry` is; store_id: 16 bytes. */
void gh_record_change(gh_json_writer_t *w, uint64_t now_ms, const uint8_t store_id[16], gh_str_t entry);

#endif
