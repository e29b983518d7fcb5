/*
 * Every difference between the nginx versions that the module is built for (1.22.1, 1.26.3, 1.30), each with the
 * nginx change it bridges.
 */
#ifndef NGX_HTTP_GATEHOUSE_COMPAT_H
#define NGX_HTTP_GATEHOUSE_COMPAT_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

/* 1.23.0: known headers that may come several times are linked lists; an element pushed must have its next set. */
#if (nginx_version >= 1023000)
#define ngx_http_gatehouse_header_end(h)  (h)->next = NULL
#else
#define ngx_http_gatehouse_header_end(h)
#endif

/* 1.27.5: the parser of chunked bodies can keep trailers; they are not passed on here. */
#if (nginx_version >= 1027005)
#define ngx_http_gatehouse_parse_chunked(r, b, ctx)  ngx_http_parse_chunked(r, b, ctx, 0)
#else
#define ngx_http_gatehouse_parse_chunked(r, b, ctx)  ngx_http_parse_chunked(r, b, ctx)
#endif

/* 1.29.6: nginx tells a balancer when the header has come. */
#ifdef NGX_HTTP_UPSTREAM_NOTIFY_HEADER
#define NGX_HTTP_GATEHOUSE_NOTIFY  1
#else
#define NGX_HTTP_GATEHOUSE_NOTIFY  0
#endif

#endif
