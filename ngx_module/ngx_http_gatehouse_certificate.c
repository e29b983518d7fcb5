/*
 * The client certificate of a connection, as the server that a request is for accepts it. nginx verifies it in the handshake; what came by another way is verified again here: a
 * session that was resumed, perhaps begun with another server of this address, and a request whose Host is another server than the handshake's. Read once per connection.
 */

#include "ngx_http_gatehouse.h"

#include "policy/identity/certificate.h"

#if (NGX_HTTP_SSL)


typedef struct ngx_http_gatehouse_certificate_s
    ngx_http_gatehouse_certificate_t;

struct ngx_http_gatehouse_certificate_s {
    SSL_CTX                           *server;         /* that accepts it, or not */
    ngx_int_t                          rc;
    gh_certificate_t                   certificate;
    gh_error_t                         error;
    gh_heap_t                          heap;
    ngx_http_gatehouse_certificate_t  *next;
};


static ngx_connection_t *ngx_http_gatehouse_tls_connection(
    ngx_http_request_t *r);
static ngx_http_gatehouse_certificate_t **ngx_http_gatehouse_certificates(
    ngx_connection_t *c);
static ngx_int_t ngx_http_gatehouse_read_certificate(ngx_ssl_conn_t *ssl,
    X509 *leaf, ngx_http_gatehouse_certificate_t *found);
static void ngx_http_gatehouse_certificates_cleanup(void *data);


/*
 * NGX_OK: *certificate lives as long as the connection. NGX_DECLINED: there is none that the request's server asked for and nginx accepted. NGX_ERROR: there is one that counts
 * for nothing here.
 */
ngx_int_t
ngx_http_gatehouse_certificate(ngx_http_request_t *r,
    const gh_certificate_t **certificate, gh_error_t *error)
{
    X509                               *leaf;
    ngx_ssl_conn_t                     *ssl;
    ngx_http_ssl_srv_conf_t            *sscf;
    ngx_http_gatehouse_certificate_t   *found, **list;

    *certificate = NULL;

    if (r->connection->ssl == NULL) {
        return NGX_DECLINED;
    }

    sscf = ngx_http_get_module_srv_conf(r, ngx_http_ssl_module);

    if (sscf->verify == 0 || sscf->ssl.ctx == NULL) {
        return NGX_DECLINED;
    }

    ssl = r->connection->ssl->connection;
    leaf = SSL_get0_peer_certificate(ssl);

    if (leaf == NULL || SSL_get_verify_result(ssl) != X509_V_OK) {
        return NGX_DECLINED;
    }

    list = ngx_http_gatehouse_certificates(
                                         ngx_http_gatehouse_tls_connection(r));
    if (list == NULL) {
        gh_error_set(error, "out_of_memory", "no memory for a certificate");
        return NGX_ERROR;
    }

    for (found = *list; found; found = found->next) {
        if (found->server == sscf->ssl.ctx) {
            break;
        }
    }

    if (found == NULL) {
        found = ngx_calloc(sizeof(ngx_http_gatehouse_certificate_t),
                           r->connection->log);
        if (found == NULL) {
            gh_error_set(error, "out_of_memory", "no memory for a certificate");
            return NGX_ERROR;
        }

        gh_heap_init(&found->heap);
        found->server = sscf->ssl.ctx;
        found->next = *list;
        *list = found;

        found->rc = ngx_http_gatehouse_read_certificate(ssl, leaf, found);

        if (found->rc != NGX_OK) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "gatehouse: %s",
                          found->error.text);
        }
    }

    if (found->rc == NGX_OK) {
        *certificate = &found->certificate;

    } else {
        *error = found->error;
    }

    return found->rc;
}


/*
 * What nginx refused a connection's requests for before it looked for a location: 495, 496 or 497, which it answers as 400 all of them; 0: none of these. *why: in words, of 495; static.
 */
ngx_uint_t
ngx_http_gatehouse_tls_refused(ngx_http_request_t *r, const char **why)
{
    long                      rc;
    X509                     *leaf;
    ngx_connection_t         *c;
    ngx_http_ssl_srv_conf_t  *sscf;

    *why = "";
    c = r->connection;

    if (!r->http_connection->ssl) {
        return 0;
    }

    if (c->ssl == NULL) {
        return NGX_HTTP_TO_HTTPS;
    }

    sscf = ngx_http_get_module_srv_conf(r, ngx_http_ssl_module);

    if (sscf->verify == 0) {
        return 0;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK
        && (sscf->verify != 3 || !ngx_ssl_verify_error_optional(rc)))
    {
        *why = X509_verify_cert_error_string(rc);
        return NGX_HTTPS_CERT_ERROR;
    }

    leaf = SSL_get0_peer_certificate(c->ssl->connection);

    if (leaf == NULL) {
        return sscf->verify == 1 ? NGX_HTTPS_NO_CERT : 0;
    }

    return ngx_ssl_ocsp_get_status(ngx_http_gatehouse_tls_connection(r), why)
           == NGX_OK ? 0 : NGX_HTTPS_CERT_ERROR;
}


/* A stream of HTTP/2 or HTTP/3 has a connection of its own; what lasts is behind it. */
static ngx_connection_t *
ngx_http_gatehouse_tls_connection(ngx_http_request_t *r)
{
#if (NGX_HTTP_V2)

    if (r->stream) {
        return r->stream->connection->connection;
    }

#endif

#if (NGX_HTTP_V3)

    if (r->connection->quic) {
        return r->connection->quic->parent;
    }

#endif

    return r->connection;
}


/* What was read of this connection's certificate, by server. */
static ngx_http_gatehouse_certificate_t **
ngx_http_gatehouse_certificates(ngx_connection_t *c)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_gatehouse_certificates_cleanup) {
            return cln->data;
        }
    }

    cln = ngx_pool_cleanup_add(c->pool, sizeof(void *));
    if (cln == NULL) {
        return NULL;
    }

    ngx_memzero(cln->data, sizeof(void *));
    cln->handler = ngx_http_gatehouse_certificates_cleanup;

    return cln->data;
}


static ngx_int_t
ngx_http_gatehouse_read_certificate(ngx_ssl_conn_t *ssl, X509 *leaf,
    ngx_http_gatehouse_certificate_t *found)
{
    int              rc;
    STACK_OF(X509)  *chain, *built;

    built = NULL;
    chain = NULL;

    if (!SSL_session_reused(ssl) && SSL_get_SSL_CTX(ssl) == found->server) {
        /* verified in this very handshake, with this server's authorities */
        chain = SSL_get0_verified_chain(ssl);
    }

    if (chain == NULL) {
        if (gh_certificate_verify(SSL_CTX_get_cert_store(found->server),
                                  SSL_CTX_get0_param(found->server),
                                  SSL_CTX_get_security_level(found->server),
                                  leaf, SSL_get_peer_cert_chain(ssl), &built,
                                  &found->error)
            != GH_OK)
        {
            ERR_clear_error();
            return NGX_ERROR;
        }

        chain = built;
    }

    rc = gh_certificate_read(leaf, chain, &found->heap.arena,
                             &found->certificate, &found->error);

    sk_X509_pop_free(built, X509_free);
    ERR_clear_error();

    return rc == GH_OK ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_gatehouse_certificates_cleanup(void *data)
{
    ngx_http_gatehouse_certificate_t  *found, *next;

    for (found = *(ngx_http_gatehouse_certificate_t **) data; found;
         found = next)
    {
        next = found->next;
        gh_heap_free(&found->heap);
        ngx_free(found);
    }
}


#else


ngx_int_t
ngx_http_gatehouse_certificate(ngx_http_request_t *r,
    const gh_certificate_t **certificate, gh_error_t *error)
{
    *certificate = NULL;

    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_gatehouse_tls_refused(ngx_http_request_t *r, const char **why)
{
    *why = "";

    return 0;
}


#endif
