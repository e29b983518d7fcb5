/*
 * gatehouse_backend NAME { ... }: where a backend of fleet/1 is reached, with which TLS name and credential.
 * One upstream group has one TLS name: nginx's keepalive cache matches the socket address only.
 */

#include "ngx_http_gatehouse.h"


static char *ngx_http_gatehouse_backend_line(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_gatehouse_backend_upstream(ngx_conf_t *cf,
    ngx_http_gatehouse_backend_t *backend);
static ngx_int_t ngx_http_gatehouse_backend_tls(ngx_conf_t *cf,
    ngx_http_gatehouse_backend_t *backend);
static ngx_uint_t ngx_http_gatehouse_service(ngx_str_t *name);
static void ngx_http_gatehouse_conf_defaults(ngx_http_upstream_conf_t *conf);


/* No header is hidden by nginx: the response parser keeps the ones clients get. */
static ngx_hash_elt_t  *ngx_http_gatehouse_no_buckets[1];
static ngx_hash_t       ngx_http_gatehouse_no_hidden = {
    ngx_http_gatehouse_no_buckets, 1
};


char *
ngx_http_gatehouse_backend(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gatehouse_main_conf_t *gmcf = conf;

    char                           *rv;
    ngx_str_t                      *value;
    ngx_conf_t                      save;
    ngx_http_gatehouse_backend_t   *backend, **entry;

    value = cf->args->elts;

    if (ngx_http_gatehouse_find_backend(gmcf,
                                        ngx_http_gatehouse_str(value[1])))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate gatehouse_backend \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_gatehouse_name_check(cf, &value[1], "backend") != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    backend = ngx_pcalloc(cf->pool, sizeof(ngx_http_gatehouse_backend_t));
    if (backend == NULL) {
        return NGX_CONF_ERROR;
    }

    backend->name = value[1];
    backend->line = cf->conf_file->line;
    backend->file = cf->conf_file->file.name;
    backend->conf.connect_timeout = NGX_CONF_UNSET_MSEC;
    backend->conf.read_timeout = NGX_CONF_UNSET_MSEC;
    backend->conf.send_timeout = NGX_CONF_UNSET_MSEC;

    save = *cf;
    cf->handler = ngx_http_gatehouse_backend_line;
    cf->handler_conf = (void *) backend;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (backend->group.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "gatehouse_backend \"%V\" has no "
                           "\"upstream GROUP;\"", &backend->name);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_msec_value(backend->conf.connect_timeout, 5000);
    ngx_conf_init_msec_value(backend->conf.read_timeout, 300000);
    ngx_conf_init_msec_value(backend->conf.send_timeout, 60000);

    entry = ngx_array_push(&gmcf->backends);
    if (entry == NULL) {
        return NGX_CONF_ERROR;
    }

    *entry = backend;

    return NGX_CONF_OK;
}


/* Names as documents write them: [a-z0-9][a-z0-9-]{0,62}. */
ngx_int_t
ngx_http_gatehouse_name_check(ngx_conf_t *cf, ngx_str_t *name,
    const char *what)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')
              || (ch == '-' && i > 0)))
        {
            break;
        }
    }

    if (name->len && name->len <= 63 && i == name->len) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid %s name \"%V\": 1 to 63 of a-z, 0-9 and "
                       "\"-\", not beginning with \"-\"", what, name);

    return NGX_ERROR;
}


static char *
ngx_http_gatehouse_backend_string(ngx_conf_t *cf, ngx_str_t *field,
    ngx_str_t *value)
{
    if (field->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"%V\" in gatehouse_backend", &value[0]);
        return NGX_CONF_ERROR;
    }

    *field = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_gatehouse_backend_time(ngx_conf_t *cf, ngx_msec_t *field,
    ngx_str_t *value)
{
    if (*field != NGX_CONF_UNSET_MSEC) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"%V\" in gatehouse_backend", &value[0]);
        return NGX_CONF_ERROR;
    }

    *field = ngx_parse_time(&value[1], 0);

    if (*field == (ngx_msec_t) NGX_ERROR || *field == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in \"%V\"", &value[1],
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gatehouse_backend_line(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_gatehouse_backend_t *backend = conf;

    ngx_str_t  *value;

    /* words of the block, and where each goes */
    struct {
        ngx_str_t    name;
        ngx_str_t   *string;
        ngx_msec_t  *time;
    } words[] = {
        { ngx_string("upstream"), &backend->group, NULL },
        { ngx_string("tls"), &backend->server_name, NULL },
        { ngx_string("credential"), &backend->credential, NULL },
        { ngx_string("aws_signature"), &backend->signature, NULL },
        { ngx_string("trusted_certificate"), &backend->trusted, NULL },
        { ngx_string("path"), &backend->path, NULL },
        { ngx_string("connect_timeout"), NULL,
          &backend->conf.connect_timeout },
        { ngx_string("read_timeout"), NULL, &backend->conf.read_timeout },
        { ngx_string("send_timeout"), NULL, &backend->conf.send_timeout },
        { ngx_null_string, NULL, NULL }
    }, *w;

    value = cf->args->elts;

    for (w = words; w->name.len; w++) {

        if (value[0].len != w->name.len
            || ngx_strcmp(value[0].data, w->name.data) != 0)
        {
            continue;
        }

        if (w->string == &backend->credential && cf->args->nelts == 3) {
            if (ngx_strcmp(value[2].data, "readable_by=everybody") != 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"credential\" in gatehouse_backend knows "
                                   "\"readable_by=everybody\" behind its file, "
                                   "not \"%V\"", &value[2]);
                return NGX_CONF_ERROR;
            }

            backend->everybody = 1;

        } else if (cf->args->nelts != 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" in gatehouse_backend takes one value",
                               &value[0]);
            return NGX_CONF_ERROR;
        }

        return w->string
               ? ngx_http_gatehouse_backend_string(cf, w->string, value)
               : ngx_http_gatehouse_backend_time(cf, w->time, value);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown \"%V\" in gatehouse_backend: it knows "
                       "upstream, tls, credential, aws_signature, "
                       "trusted_certificate, path, "
                       "connect_timeout, read_timeout and send_timeout",
                       &value[0]);

    return NGX_CONF_ERROR;
}


ngx_http_gatehouse_backend_t *
ngx_http_gatehouse_find_backend(ngx_http_gatehouse_main_conf_t *gmcf,
    gh_str_t name)
{
    ngx_uint_t                      i;
    ngx_http_gatehouse_backend_t  **backend;

    backend = gmcf->backends.elts;

    for (i = 0; i < gmcf->backends.nelts; i++) {
        if (backend[i]->name.len == name.len
            && ngx_memcmp(backend[i]->name.data, name.data, name.len) == 0)
        {
            return backend[i];
        }
    }

    return NULL;
}


/* After the whole configuration is read: groups exist or not, in whatever order they were written. */
ngx_int_t
ngx_http_gatehouse_backends_init(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf)
{
    ngx_uint_t                      i, j;
    ngx_http_gatehouse_backend_t  **backend;

    gmcf->plan.peer.init = ngx_http_gatehouse_peer_init;
    ngx_str_set(&gmcf->plan.host, "gatehouse");
    gmcf->plan_conf.upstream = &gmcf->plan;
    gmcf->plan_conf.connect_timeout = 5000;
    gmcf->plan_conf.read_timeout = 300000;
    gmcf->plan_conf.send_timeout = 60000;
    ngx_http_gatehouse_conf_defaults(&gmcf->plan_conf);

    backend = gmcf->backends.elts;

    for (i = 0; i < gmcf->backends.nelts; i++) {

        if (ngx_http_gatehouse_backend_upstream(cf, backend[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        for (j = 0; j < i; j++) {

            if (backend[i]->upstream != backend[j]->upstream
                || (backend[i]->server_name.len == backend[j]->server_name.len
                    && ngx_strncmp(backend[i]->server_name.data,
                                   backend[j]->server_name.data,
                                   backend[i]->server_name.len) == 0
                    && backend[i]->trusted.len == backend[j]->trusted.len
                    && ngx_strncmp(backend[i]->trusted.data,
                                   backend[j]->trusted.data,
                                   backend[i]->trusted.len) == 0))
            {
                continue;
            }

            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "gatehouse_backend \"%V\" and \"%V\" share upstream "
                          "\"%V\" but not one TLS name and CA (\"%V\" and "
                          "\"%V\"): a kept-alive connection verified for one "
                          "would serve the other; give each its own upstream "
                          "block in %V:%ui",
                          &backend[j]->name, &backend[i]->name,
                          &backend[i]->group, &backend[j]->server_name,
                          &backend[i]->server_name, &backend[i]->file,
                          backend[i]->line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gatehouse_backend_upstream(ngx_conf_t *cf,
    ngx_http_gatehouse_backend_t *backend)
{
    size_t                           len;
    u_char                          *p;
    ngx_uint_t                       i;
    ngx_http_upstream_srv_conf_t   **uscf;
    ngx_http_upstream_main_conf_t   *umcf;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
    uscf = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {
        if ((uscf[i]->flags & NGX_HTTP_UPSTREAM_CREATE)
            && uscf[i]->host.len == backend->group.len
            && ngx_strncasecmp(uscf[i]->host.data, backend->group.data,
                               backend->group.len) == 0)
        {
            backend->upstream = uscf[i];
            break;
        }
    }

    if (backend->upstream == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "gatehouse_backend \"%V\": there is no \"upstream %V "
                      "{ ... }\" in %V:%ui", &backend->name, &backend->group,
                      &backend->file, backend->line);
        return NGX_ERROR;
    }

    if (backend->path.len
        && (backend->path.data[0] != '/'
            || backend->path.data[backend->path.len - 1] == '/'
            || ngx_strlchr(backend->path.data,
                           backend->path.data + backend->path.len, ' ')))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "gatehouse_backend \"%V\": path \"%V\" must begin with "
                      "\"/\" and not end with it in %V:%ui", &backend->name,
                      &backend->path, &backend->file, backend->line);
        return NGX_ERROR;
    }

    if (backend->signature.len
        && (backend->credential.len == 0
            || !ngx_http_gatehouse_service(&backend->signature)))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "gatehouse_backend \"%V\": aws_signature \"%V\" must be "
                      "a service such as \"bedrock\", beside a \"credential\" "
                      "to sign with, in %V:%ui", &backend->name,
                      &backend->signature, &backend->file, backend->line);
        return NGX_ERROR;
    }

    if (backend->credential.len) {

        if (backend->credential.len < sizeof("file:x") - 1
            || ngx_strncmp(backend->credential.data, "file:", 5) != 0)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "gatehouse_backend \"%V\": credential \"%V\" must be "
                          "\"file:NAME\" or \"file:/absolute/path\" in "
                          "%V:%ui", &backend->name, &backend->credential,
                          &backend->file, backend->line);
            return NGX_ERROR;
        }

        backend->credential.data += 5;
        backend->credential.len -= 5;

        if (backend->credential.data[0] != '/') {

            if (ngx_strlchr(backend->credential.data,
                            backend->credential.data + backend->credential.len,
                            '/')
                || backend->credential.data[0] == '.')
            {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "gatehouse_backend \"%V\": credential "
                              "\"file:%V\" must be a name in "
                              "gatehouse_credentials or an absolute path in "
                              "%V:%ui", &backend->name, &backend->credential,
                              &backend->file, backend->line);
                return NGX_ERROR;
            }

            gmcf = ngx_http_conf_get_module_main_conf(cf,
                                                   ngx_http_gatehouse_module);

            len = gmcf->credentials.len + 1 + backend->credential.len;

            p = ngx_pnalloc(cf->pool, len + 1);
            if (p == NULL) {
                return NGX_ERROR;
            }

            ngx_sprintf(p, "%V/%V%Z", &gmcf->credentials,
                        &backend->credential);
            backend->credential.data = p;
            backend->credential.len = len;
        }

        backend->refusals =
            gh_refusal_number(ngx_http_gatehouse_str(backend->name));
    }

    ngx_http_gatehouse_conf_defaults(&backend->conf);
    backend->conf.upstream = backend->upstream;

    if (backend->server_name.len == 0) {
        return NGX_OK;
    }

    return ngx_http_gatehouse_backend_tls(cf, backend);
}


static ngx_uint_t
ngx_http_gatehouse_service(ngx_str_t *name)
{
    size_t  i;

    for (i = 0; i < name->len; i++) {
        if ((name->data[i] < 'a' || name->data[i] > 'z')
            && (name->data[i] < '0' || name->data[i] > '9')
            && name->data[i] != '-')
        {
            return 0;
        }
    }

    return name->len <= 64;
}


static void
ngx_http_gatehouse_conf_defaults(ngx_http_upstream_conf_t *conf)
{
    conf->next_upstream = NGX_HTTP_UPSTREAM_FT_ERROR
                          |NGX_HTTP_UPSTREAM_FT_TIMEOUT
                          |NGX_HTTP_UPSTREAM_FT_INVALID_HEADER
                          |NGX_HTTP_UPSTREAM_FT_HTTP_502
                          |NGX_HTTP_UPSTREAM_FT_NOLIVE
                          |NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT;
    conf->buffer_size = NGX_HTTP_GATEHOUSE_BUFFER;
    conf->ignore_client_abort = 1;
    conf->pass_request_headers = 1;
    conf->pass_request_body = 1;
    conf->hide_headers_hash = ngx_http_gatehouse_no_hidden;
    conf->ignore_headers = NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT
                           |NGX_HTTP_UPSTREAM_IGN_XA_EXPIRES
                           |NGX_HTTP_UPSTREAM_IGN_XA_LIMIT_RATE
                           |NGX_HTTP_UPSTREAM_IGN_XA_BUFFERING
                           |NGX_HTTP_UPSTREAM_IGN_XA_CHARSET;
    ngx_str_set(&conf->module, "gatehouse");
}


static ngx_int_t
ngx_http_gatehouse_backend_tls(ngx_conf_t *cf,
    ngx_http_gatehouse_backend_t *backend)
{
    ngx_ssl_t           *ssl;
    ngx_str_t            ciphers;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_ERROR;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    ngx_str_set(&ciphers, "DEFAULT");

    if (ngx_ssl_ciphers(cf, ssl, &ciphers, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (backend->trusted.len == 0) {
        ngx_str_set(&backend->trusted, "/etc/ssl/certs/ca-certificates.crt");
    }

    if (ngx_ssl_trusted_certificate(cf, ssl, &backend->trusted, 4)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "gatehouse_backend \"%V\": no certificate authorities "
                      "in \"%V\" in %V:%ui", &backend->name,
                      &backend->trusted, &backend->file, backend->line);
        return NGX_ERROR;
    }

    if (ngx_ssl_client_session_cache(cf, ssl, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    backend->conf.ssl = ssl;
    backend->conf.ssl_session_reuse = 1;
    backend->conf.ssl_server_name = 1;
    backend->conf.ssl_verify = 1;

    return NGX_OK;
}
