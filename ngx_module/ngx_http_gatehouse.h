/*
 * The nginx shell of Gatehouse: configuration, the request's context, and what each file gives the others.
 * One phase or duty a file; a request goes access -> content -> peer -> request -> response -> stream -> log.
 */
#ifndef NGX_HTTP_GATEHOUSE_H
#define NGX_HTTP_GATEHOUSE_H

#include "ngx_http_gatehouse_compat.h"

#include "ngx_module/wire/credential.h"
#include "ngx_module/wire/hub/hub.h"
#include "ngx_module/wire/responses.h"
#include "ngx_module/wire/wire.h"
#include "policy/audit/record.h"
#include "policy/decide/order.h"
#include "policy/ledger/ledger.h"
#include "policy/ledger/refusals.h"
#include "policy/quota/quota.h"
#include "policy/base/id.h"
#include "policy/base/version.h"
#include "policy/store/store.h"


/* Steps of one route: dispatches, the repeats over a stale idle connection, and deployments passed over. */
#define NGX_HTTP_GATEHOUSE_STEPS         16

/* The head of a provider's error that is kept while another backend is tried. */
#define NGX_HTTP_GATEHOUSE_ERROR_BODY    16384
#define NGX_HTTP_GATEHOUSE_ERROR_WAIT    1000    /* ms for that body to arrive */

/* bytes of decisions a worker keeps, at most */
#define NGX_HTTP_GATEHOUSE_CELLS         (32u << 20)

/* how often a worker with running dispatches looks whether policy moved */
#define NGX_HTTP_GATEHOUSE_SWEEP         100     /* ms */

#define NGX_HTTP_GATEHOUSE_TOKENS        "x-amzn-bedrock-input-token-count"

#define NGX_HTTP_GATEHOUSE_BUFFER        8192    /* a response buffer's first size */

/* answers of clients that left, read on at one time by one worker */
#define NGX_HTTP_GATEHOUSE_DRAINS             512
#define NGX_HTTP_GATEHOUSE_TENANT_DRAINS      64
#define NGX_HTTP_GATEHOUSE_CONNECTION_DRAINS  16      /* of one client's HTTP/2 connection */


typedef struct ngx_http_gatehouse_translation_s
    ngx_http_gatehouse_translation_t;
typedef struct ngx_http_gatehouse_signed_s  ngx_http_gatehouse_signed_t;
typedef struct ngx_http_gatehouse_digest_s  ngx_http_gatehouse_digest_t;

/* Two copies of what a credential's file has at most, the nodes of its JSON, and what alignment takes. */
#define NGX_HTTP_GATEHOUSE_HELD          (2 * 8192 + 2048)

/* A backend's credential in this worker's memory. */
typedef struct {
    gh_credential_t                credential;     /* strings are text's, or memory's */
    gh_arena_t                     arena;          /* of memory */
    size_t                         used;
    time_t                         mtime;
    ngx_file_uniq_t                uniq;
    const char                    *said;           /* what the log was told is wrong with it; NULL: nothing is */
    int64_t                        skew_ms;        /* of the backend's clock, to be added to ours */
    size_t                         len;
    unsigned                       seen:1;         /* the file was read as it is */
    unsigned                       was:1;          /* one was there before */
    unsigned                       there:1;        /* and credential is what it has */
    unsigned                       fresh:1;        /* it has changed since the log was told */
    u_char                         text[8192];
    _Alignas(16) u_char            memory[NGX_HTTP_GATEHOUSE_HELD];
} ngx_http_gatehouse_held_t;


typedef struct {
    ngx_str_t                      name;
    ngx_str_t                      group;          /* the upstream{} block's name */
    ngx_str_t                      server_name;    /* TLS name; empty: clear text */
    ngx_str_t                      credential;     /* absolute path; empty: none */
    ngx_str_t                      signature;      /* AWS service that requests are signed for; empty: the credential is sent */
    ngx_str_t                      trusted;        /* CA bundle */
    ngx_str_t                      path;           /* prefix of every path */
    ngx_uint_t                     line;
    ngx_str_t                      file;
    ngx_http_upstream_srv_conf_t  *upstream;
    ngx_http_upstream_conf_t       conf;           /* the same address for the whole configuration's life */
    ngx_ssl_session_t             *session;        /* this worker's last TLS session */

    unsigned                       everybody:1;    /* may read the credential's file, as the configuration says */
    ngx_http_gatehouse_held_t     *held;           /* this worker's copy of the credential; NULL: none yet */
    uint64_t                       refusals;       /* whom the ledger knows it as: refusals.h */
} ngx_http_gatehouse_backend_t;


typedef struct {
    ngx_str_t                      home;
    ngx_str_t                      ledger;
    ngx_str_t                      secrets;
    ngx_str_t                      credentials;
    ngx_str_t                      node;
    ngx_str_t                      audit;          /* directories of the record; the second takes over when the first fails */
    ngx_str_t                      audit_second;
    size_t                         audit_segment;  /* bytes */
    ngx_msec_t                     audit_roll;
    ngx_msec_t                     audit_sync_time;    /* of patience with the disk */
    ngx_array_t                    backends;       /* ngx_http_gatehouse_backend_t * */
    ngx_array_t                    resolvers;      /* ngx_http_gatehouse_resolve_t * */
    u_char                         key[32];
    unsigned                       audit_sync:1;   /* lines are on the disk before what they tell of is done */
    unsigned                       key_read:1;
    unsigned                       enabled:1;      /* some location says "gatehouse on" */
    uint32_t                       generation;     /* of this configuration, as the master counts them */
    ngx_http_upstream_srv_conf_t   plan;           /* stands in front of the backends' groups */
    ngx_http_upstream_conf_t       plan_conf;
    ngx_resolver_t                *resolver;
    ngx_msec_t                     resolver_timeout;
} ngx_http_gatehouse_main_conf_t;


typedef struct {
    ngx_flag_t                     answers;        /* a location of this server is ours: errors before any location are too */
} ngx_http_gatehouse_srv_conf_t;


typedef struct {
    ngx_flag_t                     enable;
    ngx_msec_t                     route_timeout;
    ngx_uint_t                     tries;
    size_t                         commit_size;
    ngx_msec_t                     commit_time;
    ngx_msec_t                     drain_time;
    off_t                          drain_size;
    size_t                         translate_size;
    ngx_msec_t                     stream_keepalive;
} ngx_http_gatehouse_loc_conf_t;


typedef struct ngx_http_gatehouse_deadlines_s
    ngx_http_gatehouse_deadlines_t;
typedef struct ngx_http_gatehouse_ctx_s  ngx_http_gatehouse_ctx_t;

typedef void (*ngx_http_gatehouse_synced_pt)(ngx_http_gatehouse_ctx_t *ctx,
    ngx_int_t rc);

/* One step of the route on the wire. */
typedef struct {
    uint32_t                       target;         /* of ctx->image */
    gh_target_t                    facts;
    ngx_http_gatehouse_backend_t  *backend;
    gh_wire_request_t              wire;
    ngx_str_t                      head;           /* that was sent: it has the backend's credential */
    gh_endpoint_t                  endpoint;       /* it is asked at; another than the client's: body was written for it */
    gh_str_t                       body;           /* that wire's splice is of */
    gh_record_attempt_t            record;
    gh_str_t                       rules[GH_CLASSES_MAX];  /* of record */
    gh_image_t                    *image;          /* held: what facts and rules are from */
    int                            node_country;   /* index, of that image */
    ngx_uint_t                     servers;        /* of the group, as its balancer counts them */
    uint64_t                       begun;          /* revision under which its first byte was sent; 0: none was */
    uint64_t                       reserved;       /* revision under whose price its limits were taken; 0: they were not */
    gh_quota_charge_t              charge;
    gh_backend_id_t                health;         /* whom the ledger knows it as */
    uint64_t                       probe;          /* of its breaker, since then: how it ends has to be told; 0: it is none */
    uint64_t                       asked;          /* whether its backend accepts the credential: when, ms; 0: it was not */
    int64_t                        event_us;       /* when its first event was here; 0: it was none */
    struct timeval                 clock;          /* start, for microseconds, without what it was held */
    struct timeval                 held_clock;     /* when that began */
    ngx_msec_t                     held_msec;
    ngx_msec_t                     clock_msec;     /* the same by the clock that is never set */
    unsigned                       store_false:1;  /* a rule that let it in says "store": "nothing" */
    unsigned                       dispatched:1;   /* counts against gatehouse_tries */
    unsigned                       stale:1;        /* because the step before met a stale idle connection */
    unsigned                       stale_next:1;
    unsigned                       clock_next:1;   /* the same once more, signed with the backend's time */
    unsigned                       held:1;         /* connected, and its line not on the disk yet */
    unsigned                       denied:1;       /* policy said no before or between its bytes, or its line got on no disk */
    unsigned                       lingers:1;      /* its connection is reset when it is closed */
    unsigned                       ended:1;
    unsigned                       embeds:1;       /* embeddings of a model of Bedrock, which has a body of its own */
    unsigned                       framed:1;       /* an AWS event stream is asked for in the client's own dialect */
    unsigned                       told:1;         /* the ledger, how it ended or began */
    unsigned                       gap:1;          /* it has no line, or none on the disk: a gap counts it */
} ngx_http_gatehouse_attempt_t;


/* The balancer in front of the groups' own: lives in the request's pool, found only through pc->data. */
typedef struct {
    ngx_http_gatehouse_ctx_t      *ctx;
    ngx_http_request_t            *request;
    void                          *data;
    ngx_event_get_peer_pt          get;
    ngx_event_free_peer_pt         free;
    ngx_event_notify_peer_pt       notify;
    ngx_http_gatehouse_backend_t  *backend;        /* of the connection in use */
    unsigned                       engaged:1;      /* the inner get gave a peer that its free must see */
} ngx_http_gatehouse_peer_t;


/* A provider's error, kept for the end of the route. */
typedef struct {
    ngx_uint_t                     status;
    ngx_str_t                      content_type;
    ngx_str_t                      body;
    ngx_array_t                   *headers;        /* ngx_table_elt_t, those that clients get */
} ngx_http_gatehouse_provider_error_t;


struct ngx_http_gatehouse_ctx_s {
    ngx_http_request_t            *request;
    ngx_http_gatehouse_loc_conf_t *conf;
    gh_arena_t                     arena;
    u_char                         id[GH_ID_LEN];
    uint64_t                       begun_ms;
    ngx_msec_t                     begun;

    gh_identity_t                  identity;
    ngx_http_gatehouse_signed_t   *signed_by;      /* who asks, when the body proves it; NULL: no signature was shown */
    gh_url_t                       url;            /* what it asks for, by its path */
    gh_intake_t                    intake;
    ngx_array_t                    forward;        /* ngx_table_elt_t *: headers a backend gets as they came */
    ngx_http_event_handler_pt      read_handler;   /* nginx's, while the body is read */
    ngx_http_event_handler_pt      write_handler;  /* nginx's, while the answer is written */
    ngx_buf_t                     *header_in;      /* nginx's, while the body is read into another; or NULL */
    gh_str_t                       body;
    ngx_http_gatehouse_digest_t   *digest;         /* of what was hashed last for a signature; NULL: nothing was */
    gh_hub_asked_t                 asked;          /* what it can be translated to */
    gh_image_t                    *image;          /* held */
    gh_decide_input_t              input;
    gh_decision_t                  decision;
    gh_order_t                     order;          /* of its route */
    gh_quota_t                     quota;
    uint64_t                       wait_ms;        /* of a caller who is refused for a while; else 0 */
    gh_quota_verdict_t             limited;        /* why limits refuse it, or a target of it */
    uint32_t                       ledger;         /* the one that quota holds in, as ngx_http_gatehouse_held_ledger numbers them */
    ngx_queue_t                    held_in;        /* in the worker's list, while admitted */
    uint64_t                       checked_revision;   /* the newest under which the running attempt was found eligible */
    uint64_t                       checked_transaction;
    uint64_t                       checked_until_ms;   /* when time alone may change what was found then */

    ngx_http_gatehouse_attempt_t  *attempts[NGX_HTTP_GATEHOUSE_STEPS];
    ngx_uint_t                     steps;
    ngx_http_gatehouse_attempt_t  *first;          /* reserved behind the decision, not asked for yet */
    ngx_uint_t                     dispatches;
    uint32_t                       next;           /* index in decision.route */
    ngx_uint_t                     recorded;       /* attempts in the record, the decision's own included */
    uint64_t                       ticket;         /* of its last line that something waits for; 0: it is there */
    ngx_msec_t                     ticket_msec;    /* when that was made */
    ngx_int_t                      refusal;        /* status that follows then; NGX_OK: it goes on */
    ngx_queue_t                    syncing;        /* in the worker's list, while it waits */
    ngx_http_gatehouse_synced_pt   synced;         /* what goes on then; NULL: it does not wait */
    ngx_uint_t                     same_deployment;
    ngx_http_gatehouse_peer_t      peer;
    ngx_http_gatehouse_provider_error_t  provider;
    const char                    *late;           /* code of what stopped the last attempt before its bytes, or NULL */

    /* the answer's head */
    ngx_http_status_t              status;
    ngx_http_chunked_t             chunked;
    ngx_http_chunked_t             hold_chunked;
    gh_str_t                       held;           /* decoded body so far, hold_room allocated */
    size_t                         hold_room;
    size_t                         hold_size;      /* at most so much of it */
    size_t                         hold_seen;      /* raw bytes of u->buffer looked at */
    ngx_uint_t                     real_status;    /* as the backend said */
    ngx_event_t                    hold_timer;
    ngx_queue_t                    deadline;       /* of its whole route, in deadlines */
    ngx_http_gatehouse_deadlines_t  *deadlines;    /* NULL: it has none, or none any more */
    ngx_msec_t                     deadline_msec;
    ngx_event_t                    drain;
    ngx_event_t                    silence;
    ngx_msec_t                     spoke;          /* when something was last passed on to the client */
    ngx_recv_pt                    held_recv;
    u_char                         held_byte;
    ngx_str_t                      retry_after;
    ngx_str_t                      retry_after_ms;
    ngx_str_t                      backend_date;
    ngx_str_t                      error_type;     /* x-amzn-errortype */
    ngx_str_t                      input_tokens;   /* NGX_HTTP_GATEHOUSE_TOKENS */
    uint64_t                       first_byte_ms;

    /* the answer's body */
    gh_stream_t                   *stream;         /* of an event stream, once it is committed */
    gh_usage_scan_t               *scan;
    gh_responses_t                *responses;      /* instead of both, of an answer of Responses */
    gh_ids_t                      *ids;            /* behind one of both, where the answer may name what is kept */
    ngx_http_gatehouse_translation_t  *translation;   /* of the last attempt at another endpoint than the client's */
    u_char                        *out;            /* copies of pieces that are not in u->buffer */
    size_t                         out_size;
    size_t                         out_used;
    ngx_queue_t                    drains;         /* in the worker's list, while draining */
    ngx_queue_t                    run;            /* in the worker's list, while running */
    off_t                          drained;
    off_t                          bytes_out;

    /* the answer when it is ours */
    ngx_uint_t                     error_status;
    const char                    *error_code;
    const char                    *error_param;
    ngx_str_t                      error_message;
    ngx_chain_t                   *replacement;

    const char                    *end;
    unsigned                       identified:1;
    unsigned                       admitted:1;     /* limits hold something for it */
    unsigned                       undecided:1;    /* admitted, and no decision of it was made yet */
    unsigned                       passed_over:1;  /* limits do not admit a target that policy allows */
    unsigned                       over_said:1;
    unsigned                       decided:1;      /* an allowing decision is recorded: an outcome is owed */
    unsigned                       gap:1;          /* it is not, and the request is sent nevertheless: a gap has it */
    unsigned                       event_stream:1;
    unsigned                       alike:1;          /* the answer is of another endpoint, and passes as it is */
    unsigned                       holding:1;
    unsigned                       hold_error:1;
    unsigned                       stream_failed:1;
    unsigned                       commit_now:1;
    unsigned                       body_done:1;
    unsigned                       content_length_seen:1;
    unsigned                       refused_encoding:1;
    unsigned                       client_left:1;
    unsigned                       client_slow:1;  /* something of the answer had to wait for it */
    unsigned                       draining:1;
    unsigned                       running:1;      /* from the first dispatch until the upstream is done with */
    unsigned                       finishing:1;    /* forbidden by an edit that lets it finish */
    unsigned                       cut:1;          /* an edit ended it after the answer's head was sent */
    unsigned                       closed:1;       /* no further attempt */
    unsigned                       repeat:1;       /* the next step is the same deployment again */
    unsigned                       finished:1;     /* u->finalize_request was called */
    unsigned                       replacing:1;
    unsigned                       replaced:1;
    unsigned                       answered:1;     /* the id's header is in place */
    unsigned                       unrecorded:1;
    unsigned                       credentials:1;  /* the last answer was a backend's 401 or 403 */
    unsigned                       logged:1;
};


/* A name that is looked up again at its TTL: gatehouse_resolve. */
typedef struct {
    ngx_str_t                      name;
    in_port_t                      port;
    ngx_http_gatehouse_main_conf_t *main;
    ngx_event_t                    timer;
    ngx_resolver_ctx_t            *query;
    ngx_resolver_addr_t           *addresses;      /* malloc'ed: the last good answer */
    ngx_uint_t                     count;
    ngx_uint_t                     turn;           /* which address the next request begins with */
    ngx_log_t                     *log;
} ngx_http_gatehouse_resolve_t;


extern ngx_module_t  ngx_http_gatehouse_module;

#define ngx_http_gatehouse_str(s)                                             \
    ((gh_str_t) { (const char *) (s).data, (s).len })


#define ngx_http_gatehouse_is(name, literal)                                  \
    ((name).len == sizeof(literal) - 1                                        \
     && ngx_strncasecmp((name).data, (u_char *) literal,                      \
                        sizeof(literal) - 1) == 0)


/* context */
ngx_http_gatehouse_ctx_t *ngx_http_gatehouse_get_ctx(ngx_http_request_t *r);
ngx_http_gatehouse_ctx_t *ngx_http_gatehouse_make_ctx(ngx_http_request_t *r);
void ngx_http_gatehouse_release(ngx_http_gatehouse_ctx_t *ctx,
    const void *data);

/* access, content */
ngx_int_t ngx_http_gatehouse_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_gatehouse_content_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_gatehouse_deny(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_body_room(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_body(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_endpoint(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_refuse_error(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, const gh_error_t *error);
ngx_int_t ngx_http_gatehouse_models(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_key_again(ngx_http_gatehouse_ctx_t *ctx,
    gh_image_t **image);
/* _certificate.c */
ngx_int_t ngx_http_gatehouse_certificate(ngx_http_request_t *r,
    const struct gh_certificate_s **certificate, gh_error_t *error);
ngx_uint_t ngx_http_gatehouse_tls_refused(ngx_http_request_t *r,
    const char **why);

ngx_int_t ngx_http_gatehouse_admitted(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
gh_bytes_t ngx_http_gatehouse_address(ngx_connection_t *c);
ngx_int_t ngx_http_gatehouse_refuse_caller(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, const gh_error_t *error);

bool ngx_http_gatehouse_header_value(void *context, gh_str_t name,
    unsigned index, gh_str_t *value);

/* what the master reads at configuration */
void ngx_http_gatehouse_check_store(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf);

/* backends */
char *ngx_http_gatehouse_backend(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_gatehouse_backends_init(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf);
ngx_http_gatehouse_backend_t *ngx_http_gatehouse_find_backend(
    ngx_http_gatehouse_main_conf_t *gmcf, gh_str_t name);
ngx_int_t ngx_http_gatehouse_name_check(ngx_conf_t *cf, ngx_str_t *name,
    const char *what);
/* credentials of backends */
void ngx_http_gatehouse_credentials_start(ngx_cycle_t *cycle);
void ngx_http_gatehouse_credentials_stop(void);
const char *ngx_http_gatehouse_credential_lacks(
    ngx_http_gatehouse_backend_t *backend);

/* the route */
ngx_int_t ngx_http_gatehouse_peer_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
int64_t ngx_http_gatehouse_elapsed_us(struct timeval *since);
ngx_uint_t ngx_http_gatehouse_more(ngx_http_gatehouse_ctx_t *ctx);
ngx_http_gatehouse_attempt_t *ngx_http_gatehouse_attempt(
    ngx_http_gatehouse_ctx_t *ctx);
ngx_http_gatehouse_attempt_t *ngx_http_gatehouse_next_attempt(
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_build(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt);
ngx_int_t ngx_http_gatehouse_send_filter(void *data, ngx_chain_t *in);
void ngx_http_gatehouse_checked(ngx_http_gatehouse_ctx_t *ctx,
    gh_image_t *image, const gh_decision_t *decision);
ngx_int_t ngx_http_gatehouse_refuse_late(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
gh_str_t ngx_http_gatehouse_late_text(ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_key_holds(ngx_http_gatehouse_ctx_t *ctx,
    gh_arena_t *arena, uint64_t now, gh_identity_t *identity,
    gh_image_t **image);
ngx_int_t ngx_http_gatehouse_still(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_image_t *image,
    gh_arena_t *arena);
ngx_int_t ngx_http_gatehouse_would(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, const gh_proposal_t *proposal,
    gh_arena_t *arena);
ngx_int_t ngx_http_gatehouse_adopt(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt);

/* the answer */
ngx_int_t ngx_http_gatehouse_process_status(ngx_http_request_t *r);
ngx_int_t ngx_http_gatehouse_grow(ngx_http_request_t *r, size_t limit);
ngx_int_t ngx_http_gatehouse_answer_begin(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_answer_reset(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_uint_t ngx_http_gatehouse_retriable(ngx_uint_t status);
ngx_int_t ngx_http_gatehouse_hold_start(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, size_t size);
void ngx_http_gatehouse_hold_stop(ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_deadline_begin(ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_deadline_end(ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_hold_more(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_msec_t wait);
ngx_int_t ngx_http_gatehouse_stream_error(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, int status);
ngx_int_t ngx_http_gatehouse_pass(ngx_http_request_t *r, u_char *data,
    size_t len);
ngx_int_t ngx_http_gatehouse_input_init(void *data);
ngx_int_t ngx_http_gatehouse_input(void *data, ssize_t bytes);
void ngx_http_gatehouse_finalize(ngx_http_request_t *r, ngx_int_t rc);
void ngx_http_gatehouse_keep_error(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);

/* between endpoints: another body, or the same but for some members; and another answer, or one whose frames are passed on and understood */
#define ngx_http_gatehouse_rewritten(ctx, attempt)                            \
    ((attempt)->endpoint != (ctx)->url.endpoint || (attempt)->embeds)

#define ngx_http_gatehouse_translated(ctx, attempt)                           \
    (!(ctx)->alike                                                            \
     && (ngx_http_gatehouse_rewritten(ctx, attempt) || (attempt)->framed))

ngx_int_t ngx_http_gatehouse_translate_request(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt);
ngx_int_t ngx_http_gatehouse_embed_request(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_error_t *error);
ngx_int_t ngx_http_gatehouse_embed_answer(ngx_http_gatehouse_ctx_t *ctx,
    gh_str_t body, gh_str_t *answer, gh_usage_t *usage, gh_error_t *error);
ngx_int_t ngx_http_gatehouse_translate_head(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t failed);
void ngx_http_gatehouse_translate_init(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_translate_input(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_buf_t *raw);
ngx_uint_t ngx_http_gatehouse_translate_end(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t complete);
void ngx_http_gatehouse_translate_use(ngx_http_gatehouse_ctx_t *ctx,
    gh_quota_use_t *use);
ngx_int_t ngx_http_gatehouse_translate_error(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_provider_error_t *provider);
ngx_str_t ngx_http_gatehouse_translated_type(ngx_http_gatehouse_ctx_t *ctx);

void ngx_http_gatehouse_silence_start(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_silence_stop(ngx_http_gatehouse_ctx_t *ctx);

/* the client */
void ngx_http_gatehouse_watch_client(ngx_http_request_t *r);
void ngx_http_gatehouse_write_client(ngx_http_request_t *r);
void ngx_http_gatehouse_client_gone(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_end_upstream(ngx_http_request_t *r);
void ngx_http_gatehouse_drain_stop(ngx_http_gatehouse_ctx_t *ctx);

/* limits */
ngx_int_t ngx_http_gatehouse_admit(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_reserve(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_reserve_attempt(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt);
void ngx_http_gatehouse_unreserve(ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_settle(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt,
    ngx_uint_t sent);
void ngx_http_gatehouse_quota_end(ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_record_undecided(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_quota_exit(void);
ngx_int_t ngx_http_gatehouse_refuse_limit(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_limit_headers(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_record_reserve(gh_json_writer_t *w,
    const void *context);
void ngx_http_gatehouse_record_reserve_attempt(gh_json_writer_t *w,
    const void *context);
void ngx_http_gatehouse_record_limit(gh_json_writer_t *w,
    const void *context);
void ngx_http_gatehouse_record_charge(gh_json_writer_t *w,
    const void *context);
void ngx_http_gatehouse_record_charged(gh_json_writer_t *w,
    const void *context);

/* our own answers */
ngx_int_t ngx_http_gatehouse_refuse(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t status, const char *code,
    const char *format, ...)
    __attribute__((cold));
ngx_int_t ngx_http_gatehouse_wait_header(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_filters_init(ngx_conf_t *cf);
ngx_int_t ngx_http_gatehouse_add_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);
ngx_int_t ngx_http_gatehouse_send_json(ngx_http_request_t *r, gh_str_t json);

/* the end */
ngx_uint_t ngx_http_gatehouse_charged(ngx_http_gatehouse_attempt_t *attempt);
ngx_int_t ngx_http_gatehouse_log_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_gatehouse_add_variables(ngx_conf_t *cf);

/* names at run time */
char *ngx_http_gatehouse_resolve(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_gatehouse_resolve_check(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf);
void ngx_http_gatehouse_resolve_start(ngx_cycle_t *cycle,
    ngx_http_gatehouse_main_conf_t *gmcf);

/* what is known of backends */
ngx_int_t ngx_http_gatehouse_order(ngx_http_gatehouse_ctx_t *ctx,
    gh_error_t *error);
ngx_uint_t ngx_http_gatehouse_ready(ngx_http_gatehouse_ctx_t *ctx,
    uint32_t target);
const char *ngx_http_gatehouse_ask(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt);
uint64_t ngx_http_gatehouse_route_wait(ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_tell_status(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_uint_t status, uint64_t wait);
void ngx_http_gatehouse_tell_event(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt);
void ngx_http_gatehouse_tell_end(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_uint_t sent);
void ngx_http_gatehouse_tell_nothing(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt);
void ngx_http_gatehouse_tell_unreached(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt);
void ngx_http_gatehouse_tell_rest(ngx_http_gatehouse_ctx_t *ctx);

/* credentials that backends refuse */
ngx_uint_t ngx_http_gatehouse_refused(ngx_http_gatehouse_backend_t *backend);
const char *ngx_http_gatehouse_refusal_ask(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt);
void ngx_http_gatehouse_refusal_tell(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_refusal_end_t end);
void ngx_http_gatehouse_refusal_status(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_uint_t status, gh_str_t body);
void ngx_http_gatehouse_refusal_replaced(
    ngx_http_gatehouse_backend_t *backend);

/* this worker's slot of the ledger */
gh_slot_t *ngx_http_gatehouse_take_slot(ngx_log_t *log, gh_error_t *error);
gh_slot_t *ngx_http_gatehouse_held_slot(void);
gh_ledger_t *ngx_http_gatehouse_held_ledger(uint32_t *number);
ngx_int_t ngx_http_gatehouse_ledger_fits(gh_store_t *store,
    gh_error_t *error);
void ngx_http_gatehouse_slot_store(uint64_t inode);
void ngx_http_gatehouse_slot_revision(uint64_t revision);
ngx_int_t ngx_http_gatehouse_window(ngx_log_t *log, gh_image_t **image);
void ngx_http_gatehouse_window_close(ngx_uint_t written);
uint64_t ngx_http_gatehouse_edits(void);
uint64_t ngx_http_gatehouse_proposal(void);

#ifdef GH_TRACE
void ngx_http_gatehouse_window_event(const char *event);
#else
#define ngx_http_gatehouse_window_event(event)
#endif

/* its running dispatches */
void ngx_http_gatehouse_running_begin(ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_running_end(ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_running_tell(gh_slot_t *slot);
void ngx_http_gatehouse_finishing(ngx_http_gatehouse_ctx_t *ctx,
    ngx_uint_t finishing);
void ngx_http_gatehouse_count_cut(void);
void ngx_http_gatehouse_drop(ngx_connection_t *c);
void ngx_http_gatehouse_connection_done(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);

/* this worker's record */
char *ngx_http_gatehouse_audit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void ngx_http_gatehouse_record_options(gh_record_options_t *options);
void ngx_http_gatehouse_record_tick(ngx_log_t *log);
ngx_int_t ngx_http_gatehouse_record(gh_json_writer_t *w, ngx_log_t *log);
ngx_int_t ngx_http_gatehouse_record_later(gh_json_writer_t *w,
    uint64_t *ticket, ngx_log_t *log);
gh_json_writer_t *ngx_http_gatehouse_line(void);
void ngx_http_gatehouse_record_close(void);
uint64_t ngx_http_gatehouse_record_ticket(void);
uint64_t ngx_http_gatehouse_record_durable(void);
ngx_int_t ngx_http_gatehouse_record_synced(ngx_log_t *log);

/* what is sent without a line in it */
ngx_int_t ngx_http_gatehouse_gap_request(ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_gap_attempt(ngx_http_gatehouse_ctx_t *ctx);
ngx_uint_t ngx_http_gatehouse_gap_over(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt);
void ngx_http_gatehouse_gap_ended(ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_gap_slot(void);
ngx_uint_t ngx_http_gatehouse_gap_due(void);
ngx_int_t ngx_http_gatehouse_gap_record(gh_record_t *record,
    gh_error_t *error);
void ngx_http_gatehouse_gap_synced(uint64_t durable);

/* its lines on the disk */
int ngx_http_gatehouse_sync_open(ngx_log_t *log);
void ngx_http_gatehouse_sync_close(void);
void ngx_http_gatehouse_sync_line(ngx_http_gatehouse_ctx_t *ctx,
    uint64_t ticket);
void ngx_http_gatehouse_sync_written(ngx_int_t rc);
ngx_uint_t ngx_http_gatehouse_synced(ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_sync_wait(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_synced_pt handler);
void ngx_http_gatehouse_sync_forget(ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_held(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_chain_t *in);
void ngx_http_gatehouse_held_end(ngx_peer_connection_t *pc,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt);

/* what dead workers left, and what was edited */
void ngx_http_gatehouse_keys_look(ngx_log_t *log);
void ngx_http_gatehouse_keys_want(gh_store_t *store);
void ngx_http_gatehouse_keys_agent(ngx_uint_t lives, ngx_uint_t leader,
    gh_ledger_t *ledger, ngx_log_t *log);
void ngx_http_gatehouse_sweep_start(ngx_cycle_t *cycle);
void ngx_http_gatehouse_sweep_stop(void);
gh_ledger_t *ngx_http_gatehouse_slot_ledger(void);

/* this worker: store, clock */
ngx_int_t ngx_http_gatehouse_init_process(ngx_cycle_t *cycle);
void ngx_http_gatehouse_exit_process(ngx_cycle_t *cycle);
gh_store_t *ngx_http_gatehouse_store(ngx_log_t *log, gh_error_t *error);
uint64_t ngx_http_gatehouse_transaction(void);
ngx_uint_t ngx_http_gatehouse_store_replaced(gh_error_t *error);
uint64_t ngx_http_gatehouse_snapshot(void);
uint64_t ngx_http_gatehouse_finish_from(void);
uint64_t ngx_http_gatehouse_now_ms(void);
void ngx_http_gatehouse_make_id(u_char *id);
gh_image_t *ngx_http_gatehouse_image(ngx_log_t *log, gh_error_t *error);
gh_cells_t *ngx_http_gatehouse_cells(void);
ngx_http_gatehouse_main_conf_t *ngx_http_gatehouse_worker_conf(void);

#include "ngx_http_gatehouse_ids.h"

#endif
