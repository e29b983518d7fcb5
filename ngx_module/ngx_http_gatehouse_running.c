/*
 * The dispatches that this worker has under way. When policy moved they are judged again, whether they are written to or not: what an edit
 * forbids is cut, or left to finish as the edit says, and the worker's slot of the ledger says up to which edit that was done.
 */

#include "ngx_http_gatehouse.h"


static void ngx_http_gatehouse_look(ngx_event_t *ev);
static void ngx_http_gatehouse_sweep(void);
static ngx_http_gatehouse_attempt_t *ngx_http_gatehouse_begun(
    ngx_http_gatehouse_ctx_t *ctx);
static void ngx_http_gatehouse_answer_proposal(uint64_t number);
static ngx_int_t ngx_http_gatehouse_sweep_one(ngx_http_gatehouse_ctx_t *ctx,
    gh_image_t *image);
static void ngx_http_gatehouse_cut(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt);


static struct {
    ngx_queue_t       queue;       /* ngx_http_gatehouse_ctx_t */
    ngx_event_t       timer;
    ngx_connection_t  dumb;        /* what nginx logs of the timer */
    uint32_t          count;
    uint32_t          finishing;
    uint32_t          cut;
    uint64_t          swept;       /* ngx_http_gatehouse_transaction() */
    uint64_t          answered;    /* the last proposal that was */
    unsigned          ready:1;
} ngx_http_gatehouse_running;


/* Before the first dispatch is asked for: an edit has to count it before its first byte can be written. */
void
ngx_http_gatehouse_running_begin(ngx_http_gatehouse_ctx_t *ctx)
{
    gh_slot_t  *slot;

    if (ctx->running) {
        return;
    }

    if (!ngx_http_gatehouse_running.ready) {
        ngx_http_gatehouse_running.ready = 1;
        ngx_queue_init(&ngx_http_gatehouse_running.queue);

        ngx_http_gatehouse_running.dumb.fd = (ngx_socket_t) -1;
        ngx_http_gatehouse_running.timer.data =
            &ngx_http_gatehouse_running.dumb;
        ngx_http_gatehouse_running.timer.handler = ngx_http_gatehouse_look;
        ngx_http_gatehouse_running.timer.log = ngx_cycle->log;
        ngx_http_gatehouse_running.timer.cancelable = 1;
    }

    ctx->running = 1;
    ngx_queue_insert_tail(&ngx_http_gatehouse_running.queue, &ctx->run);

    slot = ngx_http_gatehouse_held_slot();

    ngx_http_gatehouse_running.count++;

    if (slot) {
        gh_slot_set(slot, running, ngx_http_gatehouse_running.count);
    }

    if (!ngx_http_gatehouse_running.timer.timer_set) {
        ngx_add_timer(&ngx_http_gatehouse_running.timer,
                      NGX_HTTP_GATEHOUSE_SWEEP);
    }
}


/* When the last connection of the request is ended, or about to be in the same callback, with nothing unsent in it. */
void
ngx_http_gatehouse_running_end(ngx_http_gatehouse_ctx_t *ctx)
{
    gh_slot_t  *slot;

    if (!ctx->running) {
        return;
    }

    ngx_http_gatehouse_finishing(ctx, 0);

    ctx->running = 0;
    ngx_queue_remove(&ctx->run);
    ngx_http_gatehouse_running.count--;

    slot = ngx_http_gatehouse_held_slot();

    if (slot) {
        gh_slot_set(slot, running, ngx_http_gatehouse_running.count);
    }
}


/* A slot that was just taken. */
void
ngx_http_gatehouse_running_tell(gh_slot_t *slot)
{
    ngx_http_gatehouse_running.swept = 0;

    gh_slot_set(slot, cut, ngx_http_gatehouse_running.cut);
    gh_slot_set(slot, finishing, ngx_http_gatehouse_running.finishing);
    gh_slot_set(slot, running, ngx_http_gatehouse_running.count);
}


void
ngx_http_gatehouse_finishing(ngx_http_gatehouse_ctx_t *ctx,
    ngx_uint_t finishing)
{
    gh_slot_t  *slot;

    if (ctx->finishing == finishing) {
        return;
    }

    ctx->finishing = finishing;

    if (finishing) {
        ngx_http_gatehouse_running.finishing++;

    } else {
        ngx_http_gatehouse_running.finishing--;
    }

    slot = ngx_http_gatehouse_held_slot();

    if (slot) {
        gh_slot_set(slot, finishing, ngx_http_gatehouse_running.finishing);
    }
}


/* A dispatch that had begun was ended because an edit forbids it. */
void
ngx_http_gatehouse_count_cut(void)
{
    gh_slot_t  *slot;

    ngx_http_gatehouse_running.cut++;

    slot = ngx_http_gatehouse_held_slot();

    if (slot) {
        gh_slot_set(slot, cut, ngx_http_gatehouse_running.cut);
    }
}


/* Ten times a second while anything runs. Cancelable: it keeps no worker from ending. */
static void
ngx_http_gatehouse_look(ngx_event_t *ev)
{
    uint64_t  number;

    if (ngx_http_gatehouse_running.count == 0) {
        return;
    }

    ngx_http_gatehouse_sweep();

    number = ngx_http_gatehouse_proposal();

    if (number && number != ngx_http_gatehouse_running.answered) {
        ngx_http_gatehouse_answer_proposal(number);
    }

    if (ngx_http_gatehouse_running.count) {
        ngx_add_timer(ev, NGX_HTTP_GATEHOUSE_SWEEP);
    }
}


/*
 * The announcement in the ledger is not asked: the store itself says whether it moved, which also holds for an editor that died between its
 * commit and its announcement.
 */
static void
ngx_http_gatehouse_sweep(void)
{
    uint64_t                   transaction, snapshot, inode;
    gh_slot_t                 *slot;
    gh_image_t                *image;
    gh_error_t                 error;
    ngx_queue_t                waiting, *q;
    ngx_http_gatehouse_ctx_t  *ctx;

    image = ngx_http_gatehouse_image(ngx_cycle->log, &error);
    if (image == NULL) {
        /* nothing further is sent meanwhile, and no edit is told that it is obeyed */
        return;
    }

    transaction = ngx_http_gatehouse_transaction();
    snapshot = ngx_http_gatehouse_snapshot();

    if (transaction == ngx_http_gatehouse_running.swept) {
        return;
    }

    slot = ngx_http_gatehouse_held_slot();
    inode = slot ? gh_slot_get(slot, store_inode) : 0;

    /* what is cut may end others with it: each is taken from one list to the other before it is looked at */

    ngx_queue_init(&waiting);
    ngx_queue_add(&waiting, &ngx_http_gatehouse_running.queue);
    ngx_queue_init(&ngx_http_gatehouse_running.queue);

    while (!ngx_queue_empty(&waiting)) {
        q = ngx_queue_head(&waiting);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&ngx_http_gatehouse_running.queue, q);

        ctx = ngx_queue_data(q, ngx_http_gatehouse_ctx_t, run);

        if (ngx_http_gatehouse_sweep_one(ctx, image) != NGX_OK) {
            break;
        }
    }

    if (!ngx_queue_empty(&waiting)) {
        ngx_queue_add(&ngx_http_gatehouse_running.queue, &waiting);
        return;
    }

    ngx_http_gatehouse_running.swept = transaction;

    slot = ngx_http_gatehouse_held_slot();

    if (slot && gh_slot_get(slot, store_inode) == inode) {
        /* else a route that went on has opened another store, whose numbers are others: all are judged again */
        gh_slot_set(slot, swept, snapshot);
        gh_trace(slot, "sweep", snapshot);
    }
}


/* The attempt that is under way; NULL: none, or one whose first byte is still to be judged. */
static ngx_http_gatehouse_attempt_t *
ngx_http_gatehouse_begun(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_gatehouse_attempt_t  *attempt;

    attempt = ngx_http_gatehouse_attempt(ctx);

    return attempt && attempt->begun && !attempt->denied && !attempt->ended
           ? attempt : NULL;
}


/* An edit that asks, before it is made, what it would forbid here. What cannot be known is not answered. */
static void
ngx_http_gatehouse_answer_proposal(uint64_t number)
{
    uint32_t                       forbidden;
    gh_heap_t                      heap;
    ngx_int_t                      rc;
    gh_slot_t                     *slot;
    gh_error_t                     error;
    gh_store_t                    *store;
    ngx_queue_t                   *q;
    gh_proposal_t                 *proposal;
    ngx_http_gatehouse_ctx_t      *ctx;
    ngx_http_gatehouse_attempt_t  *attempt;

    slot = ngx_http_gatehouse_held_slot();
    store = ngx_http_gatehouse_store(ngx_cycle->log, &error);

    gh_error_clear(&error);

    if (slot == NULL || store == NULL) {
        return;
    }

    if (gh_store_proposal(store, number, ngx_http_gatehouse_now_ms(),
                          &proposal, &error)
        != GH_OK)
    {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "gatehouse: proposed policy: %s (%s)", error.text,
                      error.code);
        return;
    }

    forbidden = 0;
    rc = NGX_OK;

    for (q = ngx_queue_head(&ngx_http_gatehouse_running.queue);
         q != ngx_queue_sentinel(&ngx_http_gatehouse_running.queue)
         && rc != NGX_ERROR;
         q = ngx_queue_next(q))
    {
        ctx = ngx_queue_data(q, ngx_http_gatehouse_ctx_t, run);
        attempt = ngx_http_gatehouse_begun(ctx);

        if (attempt) {
            gh_heap_init(&heap);
            rc = ngx_http_gatehouse_would(ctx, attempt, proposal, &heap.arena);
            gh_heap_free(&heap);
            forbidden += (rc == NGX_DECLINED);
        }
    }

    gh_proposal_free(proposal);

    if (rc != NGX_ERROR) {
        ngx_http_gatehouse_running.answered = number;
        gh_slot_set(slot, proposal_forbidden, forbidden);
        gh_slot_set(slot, proposal_seen, number);
    }
}


/* NGX_ERROR: policy cannot be read any more, the sweep is not done. */
static ngx_int_t
ngx_http_gatehouse_sweep_one(ngx_http_gatehouse_ctx_t *ctx, gh_image_t *image)
{
    gh_heap_t                      heap;
    ngx_int_t                      rc;
    ngx_http_gatehouse_attempt_t  *attempt;

    attempt = ngx_http_gatehouse_begun(ctx);
    if (attempt == NULL) {
        return NGX_OK;
    }

    gh_heap_init(&heap);
    rc = ngx_http_gatehouse_still(ctx, attempt, image, &heap.arena);
    gh_heap_free(&heap);

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (ngx_strcmp(ctx->late, "policy_unavailable") == 0) {
        return NGX_ERROR;
    }

    ngx_http_gatehouse_cut(ctx, attempt);

    return NGX_OK;
}


/*
 * Ends a dispatch at once: the socket's unsent bytes are dropped before anything else, whatever nginx still does with the connection. Before
 * the answer's head the route goes on to what is still allowed; after it the client is told in its stream. The request may be gone when
 * this returns.
 */
static void
ngx_http_gatehouse_cut(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    ngx_connection_t     *client, *peer;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = ctx->request;
    u = r->upstream;
    client = r->connection;
    peer = u->peer.connection;

    ngx_http_set_log_request(client->log, r);

    ngx_log_error(NGX_LOG_WARN, client->log, 0,
                  "gatehouse: request %*s is cut: %s", (size_t) GH_ID_LEN,
                  ctx->id, ctx->late);

    ngx_http_gatehouse_count_cut();

    attempt->denied = 1;
    attempt->record.error = "denied";

    if (peer == NULL) {
        return;
    }

    ngx_http_gatehouse_drop(peer);

    u->keepalive = 0;

    if (u->header_sent) {
        ctx->closed = 1;
        ctx->cut = 1;
    }

    peer->read->timedout = 1;
    peer->read->handler(peer->read);

    ngx_http_run_posted_requests(client);
}
