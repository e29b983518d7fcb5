/*
 * The record: JSON lines, one file per worker process: <audit>/open/<node>-<epoch>-<pid>-<sequence>.jsonl.
 * Every line begins {"prev":"<64 hex>","n":<0,1,2,...>, where prev is the SHA-256 of the line before without its newline.
 */
#ifndef GH_RECORD_H
#define GH_RECORD_H

#include "policy/base/error.h"
#include "policy/base/json_writer.h"
#include "policy/decide/decide.h"

#define GH_RECORD_LINE_MAX 32768                        /* newline included */
#define GH_RECORD_BODY_MAX (GH_RECORD_LINE_MAX - 128)   /* of the body handed to gh_record_append */

typedef struct gh_record_s gh_record_t;

typedef struct {
    const char *directory;      /* the audit directory; open/ is in it */
    gh_str_t    node;
    gh_str_t    country;        /* ISO code, "" when not known yet */
    gh_str_t    version;        /* of Gatehouse */
    uint64_t    epoch_ms;       /* start of this writer */
    unsigned    worker;         /* nginx worker number */
    int         pid;
    uint64_t    segment_bytes;  /* roll above this; 0: 64 MiB */
} gh_record_options_t;

/* malloc'ed; the file is made at the first append. NULL when out of memory. */
gh_record_t *gh_record_open(const gh_record_options_t *options);
void         gh_record_close(gh_record_t *record);

/*
 * A disk that fills up refuses decisions and attempts first: room for outcomes is held ready. After an error a later append tries
 * again, in a new file when the old one could not be repaired or was removed, cut or written to by somebody else.
 *
 * Appends one line: `body` is the text of a JSON object (the writer's buffer) whose leading "{" is replaced by the chain's keys.
 * One write(2); a short or failed write is undone (ftruncate) and GH_ERROR "audit_unavailable": the caller must not dispatch.
 */
int gh_record_append(gh_record_t *record, gh_str_t body, gh_error_t *error);

typedef struct {
    gh_str_t             id;
    uint64_t             now_ms;
    gh_str_t             node;
    gh_str_t             node_country;
    const gh_image_t    *image;
    const gh_decide_input_t *input;
    const gh_decision_t *decision;
} gh_record_request_t;

/*
 * {"v":1,"type":"decision","t":...,"id":...,...}: every input of the decision, and the verdict on each of the model's targets,
 * so that it can be derived again from the line and the documents of its revision.
 *
 * "deployments" lists the targets: the deployments that list the model, in the byte order of their ids.
 * "no" maps a rule's id, or "(not_served)" "(endpoint)" "(narrowed)" "(no_allow)", to a bitmap over that list: lower-case
 * hexadecimal, two digits a byte, target 8k + b is bit b (from the lowest) of byte k. "verdicts" says the same in words.
 *
 * A line that would be too long is abridged: 1 has no "verdicts", a bitmap "yes" of the eligible ones, and only the first 8 of
 * "route" in full; "route_more" has the rest as positions in the list. 2 has the length of the list, "targets", in place of it.
 * A model nobody knows and the place of a feature are cut when they are long; "model_bytes", "where_bytes" then say how long.
 * Ends in an overflow of the writer (refuse the request) only for a writer below GH_RECORD_BODY_MAX, kilobytes of labels and
 * narrowings, or hundreds of different rules that refuse hundreds of targets.
 */
void gh_record_decision(gh_json_writer_t *w, const gh_record_request_t *request);

typedef struct {
    gh_str_t    deployment, upstream_model;
    uint64_t    revision;
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
} gh_record_attempt_t;

/* "attempt" number (from 2), before every dispatch but the first. */
void gh_record_attempt(gh_json_writer_t *w, gh_str_t id, uint64_t now_ms, unsigned number,
    const gh_record_attempt_t *attempt);

typedef struct {
    bool     reported;                /* false: the backend gave none */
    uint64_t input, cached, cache_write, output, reasoning;
} gh_usage_t;

typedef struct {
    gh_str_t    id;
    uint64_t    now_ms;
    int         status;               /* given to the client */
    const char *code;                 /* error code, NULL: none */
    const char *end;                  /* "complete" "cut" "client_left" "denied_late" "failed" */
    const gh_record_attempt_t *attempts;
    unsigned    attempt_count;
    gh_usage_t  usage;
    uint64_t    bytes_out;
} gh_record_outcome_t;

void gh_record_outcome(gh_json_writer_t *w, const gh_record_outcome_t *outcome);

#endif
