/*
 * The nginx shell of Gatehouse: configuration, the request's context, and what each file gives the others.
 * One phase or duty a file; a request goes access -> content -> peer -> request -> response -> stream -> log.
 */
#ifndef NGX_HTTP_GATEHOUSE_H
#define NGX_HTTP_GATEHOUSE_H

#include "ngx_http_gatehouse_compat.h"

#include "ngx_module/wire/wire.h"
#include "policy/audit/record.h"
#include "policy/decide/decide.h"
#include "policy/ledger/ledger.h"
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

#define NGX_HTTP_GATEHOUSE_BUFFER        8192    /* a response buffer's first size */

/* answers of clients that left, read on at one time by one worker */
#define NGX_HTTP_GATEHOUSE_DRAINS             512
#define NGX_HTTP_GATEHOUSE_TENANT_DRAINS      64
#define NGX_HTTP_GATEHOUSE_CONNECTION_DRAINS  16      /* of one client's HTTP/2 connection */


typedef struct {
    ngx_str_t                      name;
    ngx_str_t                      group;          /* the upstream{} block's name */
    ngx_str_t                      server_name;    /* TLS name; empty: clear text */
    ngx_str_t                      credential;     /* absolute path; empty: none */
    ngx_str_t                      trusted;        /* CA bundle */
    ngx_str_t                      path;           /* prefix of every path */
    ngx_uint_t                     line;
    ngx_str_t                      file;
    ngx_http_upstream_srv_conf_t  *upstream;
    ngx_http_upstream_conf_t       conf;           /* the same address for the whole configuration's life */
    ngx_ssl_session_t             *session;        /* this worker's last TLS session */

    /* this worker's copy of the credential */
    ngx_str_t                      secret;
    ngx_msec_t                     secret_checked;
    time_t                         secret_mtime;
    ngx_file_uniq_t                secret_uniq;
    unsigned                       secret_read:1;
} ngx_http_gatehouse_backend_t;


typedef struct {
    ngx_str_t                      home;
    ngx_str_t                      ledger;
    ngx_str_t                      secrets;
    ngx_str_t                      credentials;
    ngx_str_t                      node;
    ngx_str_t                      audit;
    ngx_array_t                    backends;       /* ngx_http_gatehouse_backend_t * */
    ngx_array_t                    resolvers;      /* ngx_http_gatehouse_resolve_t * */
    ngx_shm_zone_t                *zone;
    size_t                         zone_size;
    u_char                         key[32];
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
} ngx_http_gatehouse_loc_conf_t;


typedef struct ngx_http_gatehouse_ctx_s  ngx_http_gatehouse_ctx_t;

/* One step of the route on the wire. */
typedef struct {
    uint32_t                       target;         /* of ctx->image */
    gh_target_t                    facts;
    ngx_http_gatehouse_backend_t  *backend;
    gh_wire_request_t              wire;
    gh_record_attempt_t            record;
    gh_str_t                       rules[GH_CLASSES_MAX];  /* of record */
    gh_image_t                    *image;          /* held: what facts and rules are from */
    int                            node_country;   /* index, of that image */
    ngx_uint_t                     servers;        /* of the group, as its balancer counts them */
    uint64_t                       begun;          /* revision under which its first byte was sent; 0: none was */
    struct timeval                 clock;          /* start, for microseconds */
    unsigned                       store_false:1;  /* a rule that let it in says "store": "nothing" */
    unsigned                       dispatched:1;   /* counts against gatehouse_tries */
    unsigned                       stale:1;        /* because the step before met a stale idle connection */
    unsigned                       stale_next:1;
    unsigned                       denied:1;       /* policy said no before or between its bytes */
    unsigned                       lingers:1;      /* its connection is reset when it is closed */
    unsigned                       ended:1;
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
    gh_endpoint_t                  endpoint;
    gh_intake_t                    intake;
    ngx_array_t                    forward;        /* ngx_table_elt_t *: headers a backend gets as they came */
    ngx_http_event_handler_pt      read_handler;   /* nginx's, while the body is read */
    ngx_http_event_handler_pt      write_handler;  /* nginx's, while the answer is written */
    gh_str_t                       body;
    gh_image_t                    *image;          /* held */
    gh_decide_input_t              input;
    gh_decision_t                  decision;
    uint64_t                       checked_revision;   /* the newest under which the running attempt was found eligible */
    uint64_t                       checked_transaction;
    uint64_t                       checked_until_ms;   /* when time alone may change what was found then */

    ngx_http_gatehouse_attempt_t  *attempts;       /* NGX_HTTP_GATEHOUSE_STEPS */
    ngx_uint_t                     steps;
    ngx_uint_t                     dispatches;
    uint32_t                       next;           /* index in decision.route */
    ngx_uint_t                     recorded;       /* attempts in the record, the decision's own included */
    ngx_uint_t                     same_deployment;
    ngx_http_gatehouse_peer_t      peer;
    ngx_http_gatehouse_provider_error_t  provider;
    const char                    *late;           /* code of what stopped the last attempt before its bytes, or NULL */

    /* the answer's head */
    ngx_http_status_t              status;
    ngx_http_chunked_t             chunked;
    ngx_http_chunked_t             hold_chunked;
    gh_str_t                       held;           /* decoded body so far, hold_size allocated */
    size_t                         hold_size;
    size_t                         hold_seen;      /* raw bytes of u->buffer looked at */
    ngx_uint_t                     real_status;    /* as the backend said */
    ngx_event_t                    hold_timer;
    ngx_event_t                    deadline;
    ngx_event_t                    drain;
    ngx_recv_pt                    held_recv;
    u_char                         held_byte;
    ngx_str_t                      retry_after;
    ngx_str_t                      retry_after_ms;
    uint64_t                       first_byte_ms;

    /* the answer's body */
    gh_stream_t                    stream;
    gh_usage_scan_t               *scan;
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
    const char                    *allow;          /* the method, for 405 */
    ngx_str_t                      error_message;
    ngx_chain_t                   *replacement;

    const char                    *end;
    unsigned                       models:1;       /* GET /v1/models */
    unsigned                       identified:1;
    unsigned                       decided:1;      /* an allowing decision is recorded: an outcome is owed */
    unsigned                       event_stream:1;
    unsigned                       holding:1;
    unsigned                       hold_error:1;
    unsigned                       stream_failed:1;
    unsigned                       commit_now:1;
    unsigned                       body_done:1;
    unsigned                       content_length_seen:1;
    unsigned                       refused_encoding:1;
    unsigned                       client_left:1;
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

/* access, content */
ngx_int_t ngx_http_gatehouse_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_gatehouse_content_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_gatehouse_endpoint(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
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
ngx_int_t ngx_http_gatehouse_secret(ngx_http_gatehouse_backend_t *backend,
    ngx_log_t *log);

/* the route */
ngx_int_t ngx_http_gatehouse_peer_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
int64_t ngx_http_gatehouse_elapsed_us(struct timeval *since);
ngx_uint_t ngx_http_gatehouse_more(ngx_http_gatehouse_ctx_t *ctx);
ngx_http_gatehouse_attempt_t *ngx_http_gatehouse_attempt(
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
ngx_int_t ngx_http_gatehouse_input_init(void *data);
ngx_int_t ngx_http_gatehouse_input(void *data, ssize_t bytes);
void ngx_http_gatehouse_finalize(ngx_http_request_t *r, ngx_int_t rc);
void ngx_http_gatehouse_keep_error(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);

/* the client */
void ngx_http_gatehouse_watch_client(ngx_http_request_t *r);
void ngx_http_gatehouse_write_client(ngx_http_request_t *r);
void ngx_http_gatehouse_client_gone(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_end_upstream(ngx_http_request_t *r);
void ngx_http_gatehouse_drain_stop(ngx_http_gatehouse_ctx_t *ctx);

/* our own answers */
ngx_int_t ngx_http_gatehouse_refuse(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_uint_t status, const char *code,
    const char *format, ...);
ngx_int_t ngx_http_gatehouse_wait_header(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_filters_init(ngx_conf_t *cf);
ngx_int_t ngx_http_gatehouse_send_json(ngx_http_request_t *r, gh_str_t json);

/* the end */
const gh_usage_t *ngx_http_gatehouse_usage(ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_log_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_gatehouse_add_variables(ngx_conf_t *cf);

/* names at run time */
char *ngx_http_gatehouse_resolve(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_gatehouse_resolve_check(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf);
void ngx_http_gatehouse_resolve_start(ngx_cycle_t *cycle,
    ngx_http_gatehouse_main_conf_t *gmcf);

/* the shared zone */
char *ngx_http_gatehouse_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_gatehouse_zone_add(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf);
uint64_t ngx_http_gatehouse_retry_at(ngx_http_gatehouse_main_conf_t *gmcf,
    gh_str_t deployment, gh_str_t model);
void ngx_http_gatehouse_retry_set(ngx_http_gatehouse_main_conf_t *gmcf,
    gh_str_t deployment, gh_str_t model, uint64_t until_ms);

/* this worker's slot of the ledger */
gh_slot_t *ngx_http_gatehouse_take_slot(ngx_log_t *log, gh_error_t *error);
gh_slot_t *ngx_http_gatehouse_held_slot(void);
ngx_int_t ngx_http_gatehouse_ledger_fits(gh_store_t *store,
    gh_error_t *error);
void ngx_http_gatehouse_slot_store(uint64_t inode);
void ngx_http_gatehouse_slot_revision(uint64_t revision);
ngx_int_t ngx_http_gatehouse_window(ngx_log_t *log, gh_image_t **image);
void ngx_http_gatehouse_window_close(ngx_uint_t written);
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

/* this worker: store, record, clock */
ngx_int_t ngx_http_gatehouse_init_process(ngx_cycle_t *cycle);
void ngx_http_gatehouse_exit_process(ngx_cycle_t *cycle);
gh_store_t *ngx_http_gatehouse_store(ngx_log_t *log, gh_error_t *error);
uint64_t ngx_http_gatehouse_transaction(void);
ngx_uint_t ngx_http_gatehouse_store_replaced(gh_error_t *error);
uint64_t ngx_http_gatehouse_snapshot(void);
uint64_t ngx_http_gatehouse_finish_from(void);
ngx_int_t ngx_http_gatehouse_record(gh_json_writer_t *w, ngx_log_t *log);
gh_json_writer_t *ngx_http_gatehouse_line(void);
uint64_t ngx_http_gatehouse_now_ms(void);
void ngx_http_gatehouse_make_id(u_char *id);
gh_image_t *ngx_http_gatehouse_image(ngx_log_t *log, gh_error_t *error);
gh_cells_t *ngx_http_gatehouse_cells(void);
ngx_http_gatehouse_main_conf_t *ngx_http_gatehouse_worker_conf(void);

#endif
