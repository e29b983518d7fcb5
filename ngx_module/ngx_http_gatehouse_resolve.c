/*
 * gatehouse_resolve NAME:PORT; inside upstream{}: the name is looked up at run time, again at its TTL, and a request's peers are made
 * from the answer in force. The last good answer is kept while look-ups fail. Starting needs no DNS.
 */

#include "ngx_http_gatehouse.h"


#define NGX_HTTP_GATEHOUSE_RESOLVE_MIN    1000     /* ms between look-ups, at least */
#define NGX_HTTP_GATEHOUSE_RESOLVE_MAX    300000   /* ms, at most, whatever the TTL says */
#define NGX_HTTP_GATEHOUSE_RESOLVE_AGAIN  2000     /* ms after a failure */


static ngx_int_t ngx_http_gatehouse_resolve_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_gatehouse_resolve_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static void ngx_http_gatehouse_resolve_query(ngx_event_t *ev);
static void ngx_http_gatehouse_resolve_answer(ngx_resolver_ctx_t *query);


char *
ngx_http_gatehouse_resolve(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_url_t                        url;
    ngx_str_t                       *value;
    ngx_http_upstream_server_t      *server;
    ngx_http_gatehouse_resolve_t    *resolve, **entry;
    ngx_http_upstream_srv_conf_t    *uscf;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    uscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);
    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gatehouse_module);
    value = cf->args->elts;

    if (uscf->peer.init_upstream) {
        return uscf->peer.init_upstream
               == ngx_http_gatehouse_resolve_init_upstream
               ? "is duplicate"
               : "must stand before \"keepalive\" and other balancers";
    }

    if (uscf->servers->nelts) {
        return "and \"server\" exclude each other";
    }

    ngx_memzero(&url, sizeof(ngx_url_t));
    url.url = value[1];
    url.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &url) != NGX_OK || url.port == 0
        || url.uri.len || url.family == AF_UNIX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\": NAME:PORT is expected",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    resolve = ngx_pcalloc(cf->pool, sizeof(ngx_http_gatehouse_resolve_t));
    if (resolve == NULL) {
        return NGX_CONF_ERROR;
    }

    resolve->name = url.host;
    resolve->port = url.port;
    resolve->main = gmcf;

    entry = ngx_array_push(&gmcf->resolvers);
    if (entry == NULL) {
        return NGX_CONF_ERROR;
    }

    *entry = resolve;

    /* an upstream without a server is refused: this one stands for the names */

    server = ngx_array_push(uscf->servers);
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_upstream_server_t));
    server->name = value[1];
    server->weight = 1;
    server->max_fails = 1;
    server->fail_timeout = 10;

    uscf->flags = NGX_HTTP_UPSTREAM_CREATE;
    uscf->peer.init_upstream = ngx_http_gatehouse_resolve_init_upstream;
    uscf->peer.data = resolve;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_gatehouse_resolve_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us)
{
#if (NGX_HTTP_UPSTREAM_ZONE)
    if (us->shm_zone) {
        /* nginx would read the peers of its own balancer there */
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"zone\" and \"gatehouse_resolve\" exclude each other "
                      "in upstream \"%V\" in %s:%ui", &us->host,
                      us->file_name, us->line);
        return NGX_ERROR;
    }
#endif

    if (us->servers->nelts != 1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"server\" and \"gatehouse_resolve\" exclude each other "
                      "in upstream \"%V\" in %s:%ui", &us->host,
                      us->file_name, us->line);
        return NGX_ERROR;
    }

    us->peer.init = ngx_http_gatehouse_resolve_init_peer;

    return NGX_OK;
}


/* resolver is inherited downwards only at merge time: look at the http block's own. */
ngx_int_t
ngx_http_gatehouse_resolve_check(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf)
{
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_gatehouse_resolve_t  **resolve;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    gmcf->resolver = clcf->resolver;
    gmcf->resolver_timeout = clcf->resolver_timeout;

    if (gmcf->resolver_timeout == NGX_CONF_UNSET_MSEC) {
        gmcf->resolver_timeout = 30000;
    }

    if (gmcf->resolvers.nelts == 0
        || (gmcf->resolver && gmcf->resolver->connections.nelts))
    {
        return NGX_OK;
    }

    resolve = gmcf->resolvers.elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"gatehouse_resolve %V:%d\" needs \"resolver ADDRESS;\""
                       " in the http block", &resolve[0]->name,
                       (int) resolve[0]->port);

    return NGX_ERROR;
}


void
ngx_http_gatehouse_resolve_start(ngx_cycle_t *cycle,
    ngx_http_gatehouse_main_conf_t *gmcf)
{
    ngx_uint_t                      i;
    ngx_http_gatehouse_resolve_t  **resolve;

    resolve = gmcf->resolvers.elts;

    for (i = 0; i < gmcf->resolvers.nelts; i++) {
        resolve[i]->log = cycle->log;
        resolve[i]->timer.handler = ngx_http_gatehouse_resolve_query;
        resolve[i]->timer.data = resolve[i];
        resolve[i]->timer.log = cycle->log;
        resolve[i]->timer.cancelable = 1;

        ngx_add_timer(&resolve[i]->timer, 1);
    }
}


static void
ngx_http_gatehouse_resolve_query(ngx_event_t *ev)
{
    ngx_resolver_ctx_t            *query, temp;
    ngx_http_gatehouse_resolve_t  *resolve = ev->data;

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return;
    }

    ngx_memzero(&temp, sizeof(ngx_resolver_ctx_t));
    temp.name = resolve->name;

    query = ngx_resolve_start(resolve->main->resolver, &temp);

    if (query == NULL || query == NGX_NO_RESOLVER) {
        ngx_add_timer(ev, NGX_HTTP_GATEHOUSE_RESOLVE_AGAIN);
        return;
    }

    query->name = resolve->name;
    query->handler = ngx_http_gatehouse_resolve_answer;
    query->data = resolve;
    query->timeout = resolve->main->resolver_timeout;
    query->cancelable = 1;

    resolve->query = query;

    if (ngx_resolve_name(query) != NGX_OK) {
        resolve->query = NULL;

        if (!ev->timer_set) {
            ngx_add_timer(ev, NGX_HTTP_GATEHOUSE_RESOLVE_AGAIN);
        }
    }
}


static void
ngx_http_gatehouse_resolve_answer(ngx_resolver_ctx_t *query)
{
    u_char                        *p;
    size_t                         size;
    time_t                         ttl;
    ngx_uint_t                     i;
    ngx_msec_t                     again;
    ngx_resolver_addr_t           *addresses;
    ngx_http_gatehouse_resolve_t  *resolve = query->data;

    again = NGX_HTTP_GATEHOUSE_RESOLVE_AGAIN;

    if (query->state || query->naddrs == 0) {
        ngx_log_error(NGX_LOG_ERR, resolve->log, 0,
                      "gatehouse: \"%V\" could not be resolved (%i: %s)%s",
                      &resolve->name, query->state,
                      ngx_resolver_strerror(query->state),
                      resolve->count ? ", the last good answer is kept" : "");
        goto done;
    }

    size = query->naddrs * sizeof(ngx_resolver_addr_t);

    for (i = 0; i < query->naddrs; i++) {
        size += ngx_align(query->addrs[i].socklen, 16);
    }

    addresses = ngx_calloc(size, resolve->log);
    if (addresses == NULL) {
        goto done;
    }

    p = (u_char *) (addresses + query->naddrs);

    for (i = 0; i < query->naddrs; i++) {
        addresses[i].sockaddr = (struct sockaddr *) p;
        addresses[i].socklen = query->addrs[i].socklen;
        ngx_memcpy(p, query->addrs[i].sockaddr, query->addrs[i].socklen);
        p += ngx_align(query->addrs[i].socklen, 16);
    }

    if (resolve->addresses) {
        ngx_free(resolve->addresses);
    }

    resolve->addresses = addresses;
    resolve->count = query->naddrs;

    ttl = query->valid - ngx_time();

    if (ttl < 0) {
        ttl = 0;
    }

    again = ttl > NGX_HTTP_GATEHOUSE_RESOLVE_MAX / 1000
            ? NGX_HTTP_GATEHOUSE_RESOLVE_MAX : (ngx_msec_t) ttl * 1000;

    if (again < NGX_HTTP_GATEHOUSE_RESOLVE_MIN) {
        again = NGX_HTTP_GATEHOUSE_RESOLVE_MIN;
    }

done:

    resolve->query = NULL;
    ngx_resolve_name_done(query);

    if (!ngx_exiting && !ngx_terminate) {
        ngx_add_timer(&resolve->timer, again);
    }
}


/* NGX_ERROR while there is no answer yet: the route goes on to the next backend. */
static ngx_int_t
ngx_http_gatehouse_resolve_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_uint_t                     i;
    ngx_resolver_addr_t           *addresses;
    ngx_http_gatehouse_resolve_t  *resolve = us->peer.data;
    ngx_http_upstream_resolved_t   resolved;

    if (resolve->count == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gatehouse: \"%V\" has no address yet", &resolve->name);
        return NGX_ERROR;
    }

    addresses = ngx_palloc(r->pool,
                           resolve->count * sizeof(ngx_resolver_addr_t));
    if (addresses == NULL) {
        return NGX_ERROR;
    }

    /* peers made for one request start at its first: each request has another first */

    resolve->turn = (resolve->turn + 1) % resolve->count;

    for (i = 0; i < resolve->count; i++) {
        addresses[i] = resolve->addresses[(i + resolve->turn)
                                          % resolve->count];
    }

    ngx_memzero(&resolved, sizeof(ngx_http_upstream_resolved_t));

    resolved.host = resolve->name;
    resolved.port = resolve->port;
    resolved.naddrs = resolve->count;
    resolved.addrs = addresses;

    /* it keeps what it finds in peer.data, which may be another balancer's */

    r->upstream->peer.data = NULL;

    if (ngx_http_upstream_create_round_robin_peer(r, &resolved) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the peers' common name outlives this call in logs */

    ((ngx_http_upstream_rr_peer_data_t *) r->upstream->peer.data)
        ->peers->name = &resolve->name;

    return NGX_OK;
}
