/*
 * A request waits until its line is there. With sync=written that is the end of this turn of the event loop, when the lines of all requests
 * that it served are handed to the kernel as one. With sync=group it is when the line is on the disk: the record's helper thread tells by an eventfd
 * how far it came. Before the first dispatch the request waits here, without any connection; before a further one that has its own line, in front
 * of the first byte. A wait ends in time: with the line on the disk, or with the request refused.
 */

#include "ngx_http_gatehouse.h"

#include <sys/eventfd.h>


static void ngx_http_gatehouse_sync_event(ngx_event_t *ev);
static void ngx_http_gatehouse_sync_timeout(ngx_event_t *ev);
static void ngx_http_gatehouse_sync_arm(void);
static void ngx_http_gatehouse_sync_resume(uint64_t ticket, ngx_int_t rc);
static void ngx_http_gatehouse_attempt_synced(ngx_http_gatehouse_ctx_t *ctx,
    ngx_int_t rc);


static struct {
    ngx_queue_t        waiting;    /* ngx_http_gatehouse_ctx_t, by ticket */
    ngx_event_t        timer;      /* of the first one */
    ngx_connection_t   dumb;       /* what nginx logs of it */
    ngx_connection_t  *wake;
    unsigned           ready:1;
} ngx_http_gatehouse_syncing;


static void
ngx_http_gatehouse_sync_init(void)
{
    ngx_http_gatehouse_syncing.ready = 1;
    ngx_queue_init(&ngx_http_gatehouse_syncing.waiting);

    /* not cancelable: a worker that is to end stays for those who wait */

    ngx_http_gatehouse_syncing.dumb.fd = (ngx_socket_t) -1;
    ngx_http_gatehouse_syncing.timer.data = &ngx_http_gatehouse_syncing.dumb;
    ngx_http_gatehouse_syncing.timer.handler = ngx_http_gatehouse_sync_timeout;
    ngx_http_gatehouse_syncing.timer.log = ngx_cycle->log;
}


/* The eventfd that the thread writes to; -1: there can be none. */
int
ngx_http_gatehouse_sync_open(ngx_log_t *log)
{
    int                fd;
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    if (!ngx_http_gatehouse_syncing.ready) {
        ngx_http_gatehouse_sync_init();
    }

    if (ngx_http_gatehouse_syncing.wake) {
        return ngx_http_gatehouse_syncing.wake->fd;
    }

    fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno, "eventfd() failed");
        return -1;
    }

    c = ngx_get_connection(fd, ngx_cycle->log);

    if (c == NULL) {
        (void) close(fd);
        return -1;
    }

    rev = c->read;
    rev->handler = ngx_http_gatehouse_sync_event;
    rev->log = ngx_cycle->log;
    rev->channel = 1;    /* no client's: left alone when a worker is to end */
    c->write->channel = 1;

    if (ngx_add_event(rev, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_close_connection(c);
        return -1;
    }

    ngx_http_gatehouse_syncing.wake = c;

    return fd;
}


/* After the record was closed: nobody writes to it any more. */
void
ngx_http_gatehouse_sync_close(void)
{
    if (ngx_http_gatehouse_syncing.wake) {
        ngx_close_connection(ngx_http_gatehouse_syncing.wake);
        ngx_http_gatehouse_syncing.wake = NULL;
    }

    if (ngx_http_gatehouse_syncing.timer.timer_set) {
        ngx_del_timer(&ngx_http_gatehouse_syncing.timer);
    }
}


/* The line of that ticket is this request's: nothing that it tells of is done before it is there. */
void
ngx_http_gatehouse_sync_line(ngx_http_gatehouse_ctx_t *ctx, uint64_t ticket)
{
    ctx->ticket = ticket;
    ctx->ticket_msec = ngx_current_msec;
}


/* Is it there? */
ngx_uint_t
ngx_http_gatehouse_synced(ngx_http_gatehouse_ctx_t *ctx)
{
    return ctx->ticket <= ngx_http_gatehouse_record_durable();
}


/* handler is called once, unless ngx_http_gatehouse_sync_forget is: NGX_OK, or NGX_ERROR: it was not to be had. */
void
ngx_http_gatehouse_sync_wait(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_synced_pt handler)
{
    ngx_queue_t               *q;
    ngx_http_gatehouse_ctx_t  *other;

    if (!ngx_http_gatehouse_syncing.ready) {
        ngx_http_gatehouse_sync_init();
    }

    ctx->synced = handler;

    for (q = ngx_queue_last(&ngx_http_gatehouse_syncing.waiting);
         q != ngx_queue_sentinel(&ngx_http_gatehouse_syncing.waiting);
         q = ngx_queue_prev(q))
    {
        other = ngx_queue_data(q, ngx_http_gatehouse_ctx_t, syncing);

        if (other->ticket <= ctx->ticket) {
            break;
        }
    }

    ngx_queue_insert_after(q, &ctx->syncing);

    ngx_http_gatehouse_sync_arm();
}


void
ngx_http_gatehouse_sync_forget(ngx_http_gatehouse_ctx_t *ctx)
{
    if (ctx->synced) {
        ctx->synced = NULL;
        ngx_queue_remove(&ctx->syncing);
        ngx_http_gatehouse_sync_arm();
    }
}


/* For the first one that waits: tickets are given in the order of time. */
static void
ngx_http_gatehouse_sync_arm(void)
{
    ngx_msec_t                 passed, patience;
    ngx_event_t               *timer;
    ngx_http_gatehouse_ctx_t  *ctx;

    if (!ngx_http_gatehouse_worker_conf()->audit_sync) {
        return;
    }

    timer = &ngx_http_gatehouse_syncing.timer;

    if (ngx_queue_empty(&ngx_http_gatehouse_syncing.waiting)) {

        if (timer->timer_set) {
            ngx_del_timer(timer);
        }

        return;
    }

    ctx = ngx_queue_data(ngx_queue_head(&ngx_http_gatehouse_syncing.waiting),
                         ngx_http_gatehouse_ctx_t, syncing);

    patience = ngx_http_gatehouse_worker_conf()->audit_sync_time;
    passed = ngx_current_msec - ctx->ticket_msec;

    ngx_add_timer(timer, passed < patience ? patience - passed : 1);
}


static void
ngx_http_gatehouse_sync_event(ngx_event_t *ev)
{
    uint64_t           count, ticket;
    ngx_connection_t  *c = ev->data;

    (void) !read(c->fd, &count, sizeof(count));

    /* what could not be written anywhere is refused, whatever comes of its line */
    ticket = ngx_http_gatehouse_record_ticket();

    if (ngx_http_gatehouse_record_synced(ev->log) != NGX_OK) {
        ngx_http_gatehouse_sync_resume(ngx_http_gatehouse_record_durable(),
                                       NGX_OK);
        ngx_http_gatehouse_sync_resume(ticket, NGX_ERROR);

    } else {
        ngx_http_gatehouse_sync_resume(ngx_http_gatehouse_record_durable(),
                                       NGX_OK);
    }

    ngx_http_gatehouse_sync_arm();
}


/* The kernel has all that was kept; NGX_ERROR: but for those that still wait then. */
void
ngx_http_gatehouse_sync_written(ngx_int_t rc)
{
    uint64_t                   last;
    ngx_http_gatehouse_ctx_t  *ctx;

    if (!ngx_http_gatehouse_syncing.ready
        || ngx_queue_empty(&ngx_http_gatehouse_syncing.waiting))
    {
        return;
    }

    /* who is resumed may give way to others, who wait for the next time */

    ctx = ngx_queue_data(ngx_queue_last(&ngx_http_gatehouse_syncing.waiting),
                         ngx_http_gatehouse_ctx_t, syncing);
    last = ctx->ticket;

    ngx_http_gatehouse_sync_resume(ngx_http_gatehouse_record_durable(),
                                   NGX_OK);

    if (rc != NGX_OK && !ngx_http_gatehouse_worker_conf()->audit_sync) {
        ngx_http_gatehouse_sync_resume(last, NGX_ERROR);
    }
}


/* The disk does not answer in time. */
static void
ngx_http_gatehouse_sync_timeout(ngx_event_t *ev)
{
    ngx_uint_t                 count;
    ngx_queue_t               *q;
    ngx_http_gatehouse_ctx_t  *ctx;

    count = 0;

    while (!ngx_queue_empty(&ngx_http_gatehouse_syncing.waiting)) {
        q = ngx_queue_head(&ngx_http_gatehouse_syncing.waiting);
        ctx = ngx_queue_data(q, ngx_http_gatehouse_ctx_t, syncing);

        if (ngx_current_msec - ctx->ticket_msec
            < ngx_http_gatehouse_worker_conf()->audit_sync_time)
        {
            break;
        }

        count++;
        ngx_http_gatehouse_sync_resume(ctx->ticket, NGX_ERROR);
    }

    if (count) {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                      "gatehouse: the record's disk does not answer: lines "
                      "of %ui requests were not on it after %M ms", count,
                      ngx_http_gatehouse_worker_conf()->audit_sync_time);
    }

    ngx_http_gatehouse_sync_arm();
}


/* Those that wait for a ticket up to this one. Each may end others with it, or wait again. */
static void
ngx_http_gatehouse_sync_resume(uint64_t ticket, ngx_int_t rc)
{
    ngx_queue_t                   *q;
    ngx_http_gatehouse_ctx_t      *ctx;
    ngx_http_gatehouse_synced_pt   handler;

    while (!ngx_queue_empty(&ngx_http_gatehouse_syncing.waiting)) {
        q = ngx_queue_head(&ngx_http_gatehouse_syncing.waiting);
        ctx = ngx_queue_data(q, ngx_http_gatehouse_ctx_t, syncing);

        if (ctx->ticket > ticket) {
            break;
        }

        handler = ctx->synced;
        ctx->synced = NULL;
        ngx_queue_remove(q);

        handler(ctx, rc);
    }
}


/* ---- a connection that is there before the line is on the disk ---- */

/* Instead of writing: what is to be sent is kept with the connection, in the order in which it came. */
ngx_int_t
ngx_http_gatehouse_held(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, ngx_chain_t *in)
{
    ngx_chain_t             *cl;
    ngx_chain_writer_ctx_t  *writer;

    if (ctx->unrecorded) {
        attempt->denied = 1;
        attempt->record.error = "audit_unavailable";
        return NGX_ERROR;
    }

    writer = &ctx->request->upstream->writer;

    for ( /* void */ ; in; in = in->next) {
        cl = ngx_alloc_chain_link(writer->pool);
        if (cl == NULL) {
            return NGX_ERROR;
        }

        cl->buf = in->buf;
        cl->next = NULL;
        *writer->last = cl;
        writer->last = &cl->next;
    }

    if (!attempt->held) {
        attempt->held = 1;
        attempt->record.connect_us =
            ngx_http_gatehouse_elapsed_us(&attempt->clock);
        ngx_gettimeofday(&attempt->held_clock);
        attempt->held_msec = ngx_current_msec;

        ngx_http_gatehouse_sync_wait(ctx, ngx_http_gatehouse_attempt_synced);
    }

    return NGX_AGAIN;
}


/* The attempt's line is on the disk: nginx goes on writing. NGX_ERROR: it is not, and nothing more is sent of this request. */
static void
ngx_http_gatehouse_attempt_synced(ngx_http_gatehouse_ctx_t *ctx, ngx_int_t rc)
{
    int64_t                        held;
    ngx_connection_t              *c;
    ngx_http_gatehouse_attempt_t  *attempt;

    c = ctx->request->upstream->peer.connection;
    attempt = ngx_http_gatehouse_attempt(ctx);

    if (rc != NGX_OK && ngx_http_gatehouse_gap_attempt(ctx) != NGX_OK) {
        ctx->unrecorded = 1;
        ctx->closed = 1;
    }

    /* what was waited for is none of the backend's time */

    held = attempt->clock.tv_usec
           + ngx_http_gatehouse_elapsed_us(&attempt->held_clock);
    attempt->clock.tv_sec += held / 1000000;
    attempt->clock.tv_usec = held % 1000000;
    attempt->clock_msec += ngx_current_msec - attempt->held_msec;
    attempt->held = 0;

    ngx_post_event(c->write, &ngx_posted_events);
}


/* The connection is given up. One that was held when its time to be written to was over has done nothing wrong. */
void
ngx_http_gatehouse_held_end(ngx_peer_connection_t *pc,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt)
{
    if (!attempt->held) {
        return;
    }

    attempt->held = 0;
    ngx_http_gatehouse_sync_forget(ctx);

    if (pc->connection && pc->connection->write->timedout
        && !ctx->client_left && !ctx->closed)
    {
        attempt->denied = 1;
        attempt->record.error = "audit_unavailable";
        ctx->unrecorded = 1;
        ctx->closed = 1;
    }
}
