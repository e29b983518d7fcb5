/*
 * A request's context and its memory. Both lie in one block, which the worker keeps for the next request: what a request needs first is in the
 * processor's cache then, and nothing is asked of malloc. What does not fit is of the request's pool, and wiped with it.
 */

#include "ngx_http_gatehouse.h"


/* of a block, for what the core and the shell allocate: a plain answer's whole request fits, of a long route the first steps */
#define NGX_HTTP_GATEHOUSE_ROOM    9216

/* of it, what is cleared at once */
#define NGX_HTTP_GATEHOUSE_PIECE   1024

/* blocks kept while no request has them */
#define NGX_HTTP_GATEHOUSE_BLOCKS  64


typedef struct ngx_http_gatehouse_block_s  ngx_http_gatehouse_block_t;
typedef struct ngx_http_gatehouse_more_s  ngx_http_gatehouse_more_t;

struct ngx_http_gatehouse_more_s {
    ngx_http_gatehouse_more_t     *next;
    size_t                         size;           /* of what lies behind it */
};

struct ngx_http_gatehouse_block_s {
    ngx_http_gatehouse_ctx_t       ctx;
    ngx_http_gatehouse_block_t    *next;
    ngx_pool_t                    *pool;           /* the request's: while it is destroyed, r->pool is NULL */
    u_char                        *free;           /* in room */
    ngx_http_gatehouse_more_t     *more;           /* of that pool */
    u_char                         room[NGX_HTTP_GATEHOUSE_ROOM];
};


static void *ngx_http_gatehouse_alloc(gh_arena_t *arena, size_t size);
static void *ngx_http_gatehouse_alloc_more(ngx_http_gatehouse_block_t *block,
    size_t size);
static ngx_http_gatehouse_block_t *ngx_http_gatehouse_block(ngx_log_t *log);
static void ngx_http_gatehouse_block_done(ngx_http_gatehouse_block_t *block);
static ngx_uint_t ngx_http_gatehouse_in_pool(ngx_pool_t *pool, u_char *data);
static ngx_uint_t ngx_http_gatehouse_in_chain(ngx_chain_t *chain,
    u_char *data);
static ngx_uint_t ngx_http_gatehouse_received(ngx_http_request_t *r,
    ngx_pool_t *pool, u_char *data);
static void ngx_http_gatehouse_wipe(ngx_http_gatehouse_ctx_t *ctx);
static void ngx_http_gatehouse_cleanup(void *data);


static struct {
    ngx_http_gatehouse_block_t    *free;
    ngx_uint_t                     count;
} ngx_http_gatehouse_blocks;


/* Internal redirects clear module contexts: ours is found again by its cleanup. */
ngx_http_gatehouse_ctx_t *
ngx_http_gatehouse_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_gatehouse_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_gatehouse_module);

    if (ctx == NULL && (r->internal || r->filter_finalize)) {

        for (cln = r->pool->cleanup; cln; cln = cln->next) {
            if (cln->handler == ngx_http_gatehouse_cleanup) {
                ctx = cln->data;
                ngx_http_set_ctx(r, ctx, ngx_http_gatehouse_module);
                break;
            }
        }
    }

    return ctx;
}


ngx_http_gatehouse_ctx_t *
ngx_http_gatehouse_make_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_gatehouse_ctx_t    *ctx;
    ngx_http_gatehouse_block_t  *block;

    ctx = ngx_http_gatehouse_get_ctx(r);
    if (ctx) {
        return ctx;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    block = ngx_http_gatehouse_block(r->connection->log);
    if (block == NULL) {
        return NULL;
    }

    ctx = &block->ctx;
    ngx_memzero(ctx, sizeof(ngx_http_gatehouse_ctx_t));
    block->free = block->room;
    block->more = NULL;
    block->pool = r->pool;

    ctx->request = r;
    ctx->conf = ngx_http_get_module_loc_conf(r, ngx_http_gatehouse_module);
    ctx->arena.alloc = ngx_http_gatehouse_alloc;
    ctx->arena.context = block;
    ctx->begun_ms = ngx_http_gatehouse_now_ms();
    ctx->begun = ngx_current_msec;
    ngx_http_gatehouse_make_id(ctx->id);

    cln->handler = ngx_http_gatehouse_cleanup;
    cln->data = ctx;

    ngx_http_set_ctx(r, ctx, ngx_http_gatehouse_module);

    return ctx;
}


static ngx_http_gatehouse_block_t *
ngx_http_gatehouse_block(ngx_log_t *log)
{
    ngx_http_gatehouse_block_t  *block;

    block = ngx_http_gatehouse_blocks.free;

    if (block) {
        ngx_http_gatehouse_blocks.free = block->next;
        ngx_http_gatehouse_blocks.count--;
        return block;
    }

    return ngx_memalign(NGX_CPU_CACHE_LINE, sizeof(ngx_http_gatehouse_block_t),
                        log);
}


/* The context is gone when this returns, and what stood in its memory, that of the request's pool included, which is not given back yet. */
static void
ngx_http_gatehouse_block_done(ngx_http_gatehouse_block_t *block)
{
    u_char                     *p;
    ngx_http_gatehouse_more_t  *more, *next;

    for (more = block->more; more; more = next) {
        next = more->next;
        explicit_bzero(more + 1, more->size);
    }

    /* what a plain answer is read in is large, comes last, and has little in it */

    if (block->ctx.scan && (u_char *) (block->ctx.scan + 1) == block->free) {
        block->free = (u_char *) block->ctx.scan
                      + gh_usage_scan_written(block->ctx.scan);
    }

    /* in pieces, which the C library writes with plain stores */

    for (p = block->room; p < block->free; p += NGX_HTTP_GATEHOUSE_PIECE) {
        explicit_bzero(p, ngx_min(block->free - p, NGX_HTTP_GATEHOUSE_PIECE));
    }

#if !(NGX_DEBUG_PALLOC)

    if (ngx_http_gatehouse_blocks.count < NGX_HTTP_GATEHOUSE_BLOCKS) {
        block->next = ngx_http_gatehouse_blocks.free;
        ngx_http_gatehouse_blocks.free = block;
        ngx_http_gatehouse_blocks.count++;
        return;
    }

#endif

    ngx_free(block);
}


/* A core arena over the block, then over the request's pool: 16-byte aligned, freed with the request. */
static void *
ngx_http_gatehouse_alloc(gh_arena_t *arena, size_t size)
{
    ngx_http_gatehouse_block_t *block = arena->context;

#if !(NGX_DEBUG_PALLOC)

    u_char  *p;

    p = ngx_align_ptr(block->free, 16);

    if (p <= block->room + NGX_HTTP_GATEHOUSE_ROOM
        && size <= (size_t) (block->room + NGX_HTTP_GATEHOUSE_ROOM - p))
    {
        block->free = p + size;
        return p;
    }

#endif

    return ngx_http_gatehouse_alloc_more(block, size);
}


static void *
ngx_http_gatehouse_alloc_more(ngx_http_gatehouse_block_t *block, size_t size)
{
    u_char                     *p;
    ngx_http_gatehouse_more_t  *more;

    p = ngx_palloc(block->ctx.request->pool,
                   sizeof(ngx_http_gatehouse_more_t) + size + 15);
    if (p == NULL) {
        return NULL;
    }

    more = (ngx_http_gatehouse_more_t *) ngx_align_ptr(p, 16);
    more->next = block->more;
    more->size = size;
    block->more = more;

    return more + 1;
}


/* Something large that the arena gave is needed no longer: it is wiped, and the pool's before the request ends. What is no block of its own stays. */
void
ngx_http_gatehouse_release(ngx_http_gatehouse_ctx_t *ctx, const void *data)
{
    ngx_http_gatehouse_more_t   *more, **next;
    ngx_http_gatehouse_block_t  *block = ctx->arena.context;

    for (next = &block->more; *next; next = &more->next) {
        more = *next;

        if ((const void *) (more + 1) == data) {
            *next = more->next;
            explicit_bzero(more + 1, more->size);
            /* malloc aligns what is large, so that its header stands first */
            (void) ngx_pfree(ctx->request->pool, more);
            return;
        }
    }
}


static ngx_uint_t
ngx_http_gatehouse_in_pool(ngx_pool_t *pool, u_char *data)
{
    ngx_pool_t        *block;
    ngx_pool_large_t  *large;

    for (block = pool; block; block = block->d.next) {
        if (data >= (u_char *) block && data < block->d.end) {
            return 1;
        }
    }

    for (large = pool->large; large; large = large->next) {
        if (large->alloc == data) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_gatehouse_in_chain(ngx_chain_t *chain, u_char *data)
{
    for ( /* void */ ; chain; chain = chain->next) {
        if (data >= chain->buf->start && data < chain->buf->end) {
            return 1;
        }
    }

    return 0;
}


/*
 * Is this memory that dies with the request's head? Another module may have set a header to a value of the configuration's, which all requests share: it
 * is not ours to write to.
 */
static ngx_uint_t
ngx_http_gatehouse_received(ngx_http_request_t *r, ngx_pool_t *pool,
    u_char *data)
{
    ngx_buf_t  *first;

    if (ngx_http_gatehouse_in_pool(pool, data)) {
        return 1;
    }

#if (NGX_HTTP_V2)

    if (r->stream) {
        return 0;
    }

#endif

#if (NGX_HTTP_V3)

    if (r->http_version == NGX_HTTP_VERSION_30) {
        return ngx_http_gatehouse_in_pool(r->connection->pool, data);
    }

#endif

    first = r->connection->buffer;

    return (first && data >= first->start && data < first->end)
           || (r->header_in && data >= r->header_in->start
               && data < r->header_in->end)
           || ngx_http_gatehouse_in_chain(r->http_connection->busy, data)
           || ngx_http_gatehouse_in_chain(r->http_connection->free, data);
}


/*
 * What the client showed, in nginx's buffer of its head or in the request's pool, and what the backends were shown: both would stay readable in the worker's memory until something
 * else is written there. The request is over, its line in the access log included.
 */
static void
ngx_http_gatehouse_wipe(ngx_http_gatehouse_ctx_t *ctx)
{
    u_char           *name;
    ngx_uint_t        i;
    ngx_pool_t       *pool;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    pool = ((ngx_http_gatehouse_block_t *) ctx->arena.context)->pool;

    for (part = &ctx->request->headers_in.headers.part; part;
         part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            switch (h[i].key.len) {
            case sizeof("authorization") - 1:
                name = (u_char *) "authorization";
                break;
            case sizeof("x-api-key") - 1:
                name = (u_char *) "x-api-key";
                break;
            case sizeof("api-key") - 1:
                name = (u_char *) "api-key";
                break;
            default:
                continue;
            }

            if (ngx_strncasecmp(h[i].key.data, name, h[i].key.len) == 0
                && ngx_http_gatehouse_received(ctx->request, pool,
                                               h[i].value.data))
            {
                explicit_bzero(h[i].value.data, h[i].value.len);
            }
        }
    }

    for (i = 0; i < ctx->steps; i++) {
        if (ctx->attempts[i]->head.len) {
            explicit_bzero(ctx->attempts[i]->head.data,
                           ctx->attempts[i]->head.len);
        }
    }
}


static void
ngx_http_gatehouse_cleanup(void *data)
{
    ngx_http_gatehouse_ctx_t *ctx = data;

    ngx_uint_t  i;

    ngx_http_gatehouse_sync_forget(ctx);
    ngx_http_gatehouse_hold_stop(ctx);
    ngx_http_gatehouse_drain_stop(ctx);
    ngx_http_gatehouse_running_end(ctx);
    ngx_http_gatehouse_quota_end(ctx);

    ngx_http_gatehouse_deadline_end(ctx);

    ngx_http_gatehouse_wipe(ctx);

    for (i = 0; i < ctx->steps; i++) {
        if (ctx->attempts[i]->image) {
            gh_image_unref(ctx->attempts[i]->image);
        }
    }

    ctx->steps = 0;

    if (ctx->image) {
        gh_image_unref(ctx->image);
        ctx->image = NULL;
    }

    ngx_http_gatehouse_block_done(ctx->arena.context);
}
