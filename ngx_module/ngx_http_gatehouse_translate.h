/* Private to ngx_http_gatehouse_translate*.c: one answer of a deployment that speaks another dialect. */
#ifndef NGX_HTTP_GATEHOUSE_TRANSLATE_H
#define NGX_HTTP_GATEHOUSE_TRANSLATE_H

#include "ngx_http_gatehouse.h"

#include "ngx_module/wire/aws_event_stream.h"


struct ngx_http_gatehouse_translation_s {
    ngx_http_gatehouse_ctx_t  *ctx;
    gh_hub_dialect_t           backend;
    gh_hub_dialect_t           client;
    gh_hub_stream_t           *stream;
    gh_aws_decoder_t          *decoder;        /* of a backend that frames its events as AWS does */
    u_char                    *body;           /* of a plain answer or an error, as it came */
    size_t                     size;
    size_t                     len;
    size_t                     limit;
    off_t                      seen;           /* bytes of the body */
    gh_str_t                   answer;         /* as the client gets it */
    gh_usage_t                 usage;
    uint64_t                   content_bytes;
    ngx_int_t                  rc;
    unsigned                   done:1;         /* the body is here */
    unsigned                   surplus:1;      /* bytes came behind it */
    unsigned                   committed:1;
    unsigned                   spent:1;        /* the byte that is left in u->buffer was consumed */
    unsigned                   finishing:1;
    unsigned                   same:1;         /* both sides speak it: messages of the framing pass as they came */
    unsigned                   ids:1;          /* those in its events are given out */
    unsigned                   passed:1;       /* and so did the exception that ends it */
};


/* Raw bytes of the body, as the connection gave them. */
ngx_int_t ngx_http_gatehouse_translate_take(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_translation_t *t,
    ngx_buf_t *raw);

/* The same of a stream that is framed as AWS does. */
void ngx_http_gatehouse_translate_frames(ngx_http_gatehouse_translation_t *t,
    u_char *data, size_t len);

/* gh_hub_out_t's, context a translation. */
void ngx_http_gatehouse_bytes_out(void *context, const char *data,
    size_t len);
void ngx_http_gatehouse_message_out(void *context, const char *type,
    bool exception, gh_str_t payload);

#endif
