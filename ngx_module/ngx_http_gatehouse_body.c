/*
 * A request's body, as one span of bytes.
 */

#include "ngx_http_gatehouse.h"

#include <sys/mman.h>


static ngx_int_t ngx_http_gatehouse_map(ngx_http_request_t *r,
    ngx_buf_t *file, gh_str_t *body);


/*
 * Before the body is read: nginx puts what came with the head and what comes later into two buffers, unless the first has room for all of it.
 * It is given one that has, and its own again when the body is here: the pieces lie behind each other then.
 */
void
ngx_http_gatehouse_body_room(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    off_t                      length, preread;
    ngx_buf_t                 *b, *room;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    b = r->header_in;
    length = r->headers_in.content_length_n;
    preread = b->last - b->pos;

    if (r->http_version > NGX_HTTP_VERSION_11 || r->headers_in.chunked
        || preread == 0 || length - preread <= b->end - b->last
        || length > (off_t) clcf->client_body_buffer_size)
    {
        return;
    }

    room = ngx_create_temp_buf(r->pool, length);
    if (room == NULL) {
        return;
    }

    room->last = ngx_cpymem(room->last, b->pos, preread);
    b->pos = b->last;

    ctx->header_in = b;
    r->header_in = room;
}


/* The body as one span: in place, mapped from its temp file, or joined when it lies in several places. */
ngx_int_t
ngx_http_gatehouse_body(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx)
{
    off_t         size;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_uint_t    together;
    ngx_chain_t  *cl;

    if (ctx->header_in) {
        r->header_in = ctx->header_in;
        ctx->header_in = NULL;
    }

    ctx->body = GH_STR("");

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    cl = r->request_body->bufs;

    if (cl->next == NULL) {
        b = cl->buf;

        if (b->in_file) {
            return ngx_http_gatehouse_map(r, b, &ctx->body);
        }

        ctx->body = (gh_str_t) { (char *) b->pos, b->last - b->pos };
        return NGX_OK;
    }

    size = 0;
    together = 1;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;
        size += ngx_buf_size(b);

        if (b->in_file || (cl->next && cl->next->buf->pos != b->last)) {
            together = 0;
        }
    }

    if (together) {
        b = r->request_body->bufs->buf;
        ctx->body = (gh_str_t) { (char *) b->pos, size };
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, size + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->body = (gh_str_t) { (char *) p, size };

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        gh_str_t  piece;

        b = cl->buf;

        if (b->in_file) {
            if (ngx_http_gatehouse_map(r, b, &piece) != NGX_OK) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

        } else {
            piece = (gh_str_t) { (char *) b->pos, b->last - b->pos };
        }

        if (piece.len) {
            p = ngx_cpymem(p, piece.data, piece.len);
        }
    }

    return NGX_OK;
}


typedef struct {
    void    *address;
    size_t   size;
} ngx_http_gatehouse_mapping_t;


static void
ngx_http_gatehouse_unmap(void *data)
{
    ngx_http_gatehouse_mapping_t  *mapping = data;

    (void) munmap(mapping->address, mapping->size);
}


static ngx_int_t
ngx_http_gatehouse_map(ngx_http_request_t *r, ngx_buf_t *file, gh_str_t *body)
{
    off_t                          start;
    size_t                         lead;
    void                          *address;
    ngx_pool_cleanup_t            *cln;
    ngx_http_gatehouse_mapping_t  *mapping;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_gatehouse_mapping_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    start = file->file_pos & ~((off_t) ngx_pagesize - 1);
    lead = file->file_pos - start;

    mapping = cln->data;
    mapping->size = file->file_last - start;

    address = mmap(NULL, mapping->size, PROT_READ, MAP_PRIVATE,
                   file->file->fd, start);

    if (address == MAP_FAILED) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, ngx_errno,
                      "gatehouse: a body's temporary file cannot be mapped");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    mapping->address = address;
    cln->handler = ngx_http_gatehouse_unmap;

    body->data = (char *) address + lead;
    body->len = file->file_last - file->file_pos;

    return NGX_OK;
}
