/*
 * The whole route of a request has one deadline, until its answer is committed. Requests with the same time-out end in the order in which they began, so
 * they wait in a queue with one timer, of the first: what ends before its time, as almost all do, costs no look at nginx's tree of timers.
 */

#include "ngx_http_gatehouse.h"


struct ngx_http_gatehouse_deadlines_s {
    ngx_http_gatehouse_deadlines_t  *next;
    ngx_msec_t                       timeout;
    ngx_queue_t                      waiting;    /* ngx_http_gatehouse_ctx_t, the first to end first */
    ngx_event_t                      timer;      /* at or before the first one's end; stays set when that is removed */
    ngx_connection_t                 dumb;       /* what nginx logs of it */
};


static void ngx_http_gatehouse_deadline(ngx_event_t *ev);
static void ngx_http_gatehouse_deadline_over(ngx_http_gatehouse_ctx_t *ctx);


/* One for each time-out that a location has: as many as the configuration names, kept as long as the process. */
static ngx_http_gatehouse_deadlines_t  *ngx_http_gatehouse_all_deadlines;


static ngx_http_gatehouse_deadlines_t *
ngx_http_gatehouse_deadlines(ngx_msec_t timeout)
{
    ngx_http_gatehouse_deadlines_t  *deadlines;

    for (deadlines = ngx_http_gatehouse_all_deadlines;
         deadlines;
         deadlines = deadlines->next)
    {
        if (deadlines->timeout == timeout) {
            return deadlines;
        }
    }

    deadlines = ngx_calloc(sizeof(ngx_http_gatehouse_deadlines_t),
                           ngx_cycle->log);
    if (deadlines == NULL) {
        return NULL;
    }

    ngx_queue_init(&deadlines->waiting);

    deadlines->timeout = timeout;
    deadlines->dumb.fd = (ngx_socket_t) -1;
    deadlines->timer.data = &deadlines->dumb;
    deadlines->timer.handler = ngx_http_gatehouse_deadline;
    deadlines->timer.log = ngx_cycle->log;

    deadlines->next = ngx_http_gatehouse_all_deadlines;
    ngx_http_gatehouse_all_deadlines = deadlines;

    return deadlines;
}


ngx_int_t
ngx_http_gatehouse_deadline_begin(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_gatehouse_deadlines_t  *deadlines;

    deadlines = ngx_http_gatehouse_deadlines(ctx->conf->route_timeout);
    if (deadlines == NULL) {
        return NGX_ERROR;
    }

    ngx_http_gatehouse_deadline_end(ctx);

    ctx->deadlines = deadlines;
    ctx->deadline_msec = ngx_current_msec + deadlines->timeout;

    ngx_queue_insert_tail(&deadlines->waiting, &ctx->deadline);

    deadlines->timer.log = ngx_cycle->log;
    deadlines->timer.cancelable = 0;

    if (!deadlines->timer.timer_set) {
        ngx_add_timer(&deadlines->timer, deadlines->timeout);
    }

    return NGX_OK;
}


/* Nothing where there is none. */
void
ngx_http_gatehouse_deadline_end(ngx_http_gatehouse_ctx_t *ctx)
{
    if (ctx->deadlines == NULL) {
        return;
    }

    ngx_queue_remove(&ctx->deadline);

    /* a worker that is to end does not wait for nobody's deadline */

    ctx->deadlines->timer.cancelable =
                                  ngx_queue_empty(&ctx->deadlines->waiting);
    ctx->deadlines = NULL;
}


static void
ngx_http_gatehouse_deadline(ngx_event_t *ev)
{
    ngx_queue_t                     *q;
    ngx_msec_int_t                   left;
    ngx_http_gatehouse_ctx_t        *ctx;
    ngx_http_gatehouse_deadlines_t  *deadlines;

    deadlines = (ngx_http_gatehouse_deadlines_t *)
                ((u_char *) ev - offsetof(ngx_http_gatehouse_deadlines_t,
                                          timer));

    while (!ngx_queue_empty(&deadlines->waiting)) {

        q = ngx_queue_head(&deadlines->waiting);
        ctx = ngx_queue_data(q, ngx_http_gatehouse_ctx_t, deadline);
        left = (ngx_msec_int_t) (ctx->deadline_msec - ngx_current_msec);

        if (left > 0) {
            ngx_add_timer(ev, (ngx_msec_t) left);
            return;
        }

        ngx_http_gatehouse_deadline_end(ctx);
        ngx_http_gatehouse_deadline_over(ctx);
    }
}


static void
ngx_http_gatehouse_deadline_over(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);
    ngx_log_error(NGX_LOG_WARN, c->log, 0,
                  "gatehouse: the route's time is over");

    ctx->closed = 1;
    ngx_http_gatehouse_end_upstream(r);
    ngx_http_run_posted_requests(c);
}
