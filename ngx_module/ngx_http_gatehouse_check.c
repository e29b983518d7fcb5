/*
 * What the master reads of Gatehouse's files when nginx is configured: the store's key, and whether store and nginx.conf fit. All
 * of it is a warning; nothing is made or changed.
 */

#include "ngx_http_gatehouse.h"
#include "ngx_http_gatehouse_sign.h"

#include "policy/store/evidence.h"


#define NGX_HTTP_GATEHOUSE_EVIDENCE_DAYS  14
#define NGX_HTTP_GATEHOUSE_EVIDENCE_ENDS  64


static void ngx_http_gatehouse_read_key(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf);
static void ngx_http_gatehouse_check_ledger(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf, gh_store_t *store);
static void ngx_http_gatehouse_clear_text(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf, gh_image_t *image,
    ngx_http_gatehouse_backend_t *backend);
static void ngx_http_gatehouse_check_evidence(ngx_conf_t *cf,
    gh_image_t *image);
static void ngx_http_gatehouse_compare(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf, gh_image_t *image);


/*
 * The store is closed again before any fork; workers open their own.
 */
void
ngx_http_gatehouse_check_store(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf)
{
    gh_image_t          *image;
    gh_store_t          *store;
    gh_error_t           error;
    gh_store_options_t   options;

    ngx_http_gatehouse_read_key(cf, gmcf);

    if (!gmcf->key_read) {
        return;
    }

    ngx_memzero(&options, sizeof(gh_store_options_t));
    gh_error_clear(&error);

    options.home = (char *) gmcf->home.data;
    options.unlocked = 1;
    ngx_memcpy(options.key, gmcf->key, sizeof(options.key));

    store = gh_store_open(&options, &error);
    ngx_memzero(options.key, sizeof(options.key));

    if (store == NULL) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "gatehouse: policy store: %s", error.text);
        return;
    }

    if (gh_store_current(store, (uint64_t) ngx_time() * 1000, &image, &error)
        == GH_OK)
    {
        ngx_http_gatehouse_compare(cf, gmcf, image);
        ngx_http_gatehouse_check_evidence(cf, image);

    } else {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "gatehouse: policy store: %s", error.text);
    }

    ngx_http_gatehouse_check_ledger(cf, gmcf, store);

    gh_store_close(store);
}


/* Looked at only: no slot is taken before the fork. */
static void
ngx_http_gatehouse_check_ledger(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf, gh_store_t *store)
{
    gh_error_t    error;
    gh_ledger_t  *ledger;

    gh_error_clear(&error);

    ledger = gh_ledger_open((char *) gmcf->ledger.data, false, &error);

    if (ledger == NULL
        || gh_ledger_check(ledger, gh_store_id(store),
                           gh_store_ledger_id(store), &error)
           != GH_OK)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "gatehouse: %s: %s: requests are answered 503 "
                           "until \"gatehouse init\" has run", error.source,
                           error.text);
    }

    gh_ledger_close(ledger);
}


/*
 * Read in the master, before the fork: workers cannot open the file. What is
 * missing is a warning, so that a certificate reload is never blocked by it.
 */
static void
ngx_http_gatehouse_read_key(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf)
{
    u_char      *path;
    gh_error_t   error;

    path = ngx_pnalloc(cf->pool, gmcf->secrets.len + sizeof("/store.key"));
    if (path == NULL) {
        return;
    }

    ngx_sprintf(path, "%V/store.key%Z", &gmcf->secrets);
    gh_error_clear(&error);

    if (gh_store_key_read((char *) path, gmcf->key, &error) == GH_OK) {
        gmcf->key_read = 1;
        return;
    }

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "gatehouse: %s: requests are answered 503 until "
                       "\"gatehouse init --home %V --secrets %V\" has run "
                       "and nginx is reloaded", error.text, &gmcf->home,
                       &gmcf->secrets);
}


/* What the store says and nginx.conf does not, or the other way round: a fleet edit never blocks a certificate reload. */
static void
ngx_http_gatehouse_compare(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf, gh_image_t *image)
{
    uint32_t                        i, n;
    gh_str_t                        name;
    ngx_str_t                       text;
    ngx_uint_t                      b;
    ngx_http_gatehouse_backend_t  **backend;

    n = gh_image_deployment_count(image);

    if (gh_image_node_country(image, ngx_http_gatehouse_str(gmcf->node)) < 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "gatehouse: node \"%V\" is not in fleet/1: it "
                           "serves nothing", &gmcf->node);
    }

    for (i = 0; i < n; i++) {
        name = gh_image_deployment_backend(image, i);

        if (ngx_http_gatehouse_find_backend(gmcf, name) == NULL) {
            text.data = (u_char *) name.data;
            text.len = name.len;
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "gatehouse: fleet/1 names backend \"%V\", "
                               "which is no gatehouse_backend", &text);
        }
    }

    backend = gmcf->backends.elts;

    for (b = 0; b < gmcf->backends.nelts; b++) {

        ngx_http_gatehouse_clear_text(cf, gmcf, image, backend[b]);
        ngx_http_gatehouse_check_signature(cf, image, backend[b]);

        for (i = 0; i < n; i++) {
            name = gh_image_deployment_backend(image, i);

            if (gh_str_eq(name, ngx_http_gatehouse_str(backend[b]->name))) {
                break;
            }
        }

        if (i == n) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "gatehouse_backend \"%V\" is in no deployment of "
                          "fleet/1 in %V:%ui", &backend[b]->name,
                          &backend[b]->file, backend[b]->line);
        }
    }
}


/* A fact whose evidence ends is unknown from then on, and what is unknown is denied: said while there is time. */
static void
ngx_http_gatehouse_check_evidence(ngx_conf_t *cf, gh_image_t *image)
{
    size_t              i, n, first;
    uint64_t            now;
    gh_evidence_end_t   ends[NGX_HTTP_GATEHOUSE_EVIDENCE_ENDS];

    now = (uint64_t) ngx_time() * 1000;

    n = gh_evidence_ending(image, now
                       + NGX_HTTP_GATEHOUSE_EVIDENCE_DAYS * (uint64_t) 86400000,
                       ends, NGX_HTTP_GATEHOUSE_EVIDENCE_ENDS);
    if (n == 0) {
        return;
    }

    first = 0;

    for (i = 1; i < ngx_min(n, NGX_HTTP_GATEHOUSE_EVIDENCE_ENDS); i++) {
        if (ends[i].until_ms < ends[first].until_ms) {
            first = i;
        }
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "gatehouse: evidence of %uz facts ends within %d days, that "
                  "of %s of deployment \"%*s\" %s; \"gatehouse agent status\" "
                  "lists them", n, NGX_HTTP_GATEHOUSE_EVIDENCE_DAYS,
                  ends[first].fact, ends[first].deployment.len,
                  ends[first].deployment.data,
                  ends[first].until_ms <= now ? "is over" : "first");
}


/* Prompts and credentials that leave the host unencrypted, and credentials that everybody may read. */
static void
ngx_http_gatehouse_clear_text(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf, gh_image_t *image,
    ngx_http_gatehouse_backend_t *backend)
{
    uint32_t         i;
    ngx_uint_t       others;
    gh_target_t      target;
    ngx_file_info_t  fi;

    if (backend->credential.len
        && ngx_file_info(backend->credential.data, &fi) != NGX_FILE_ERROR
        && !backend->everybody && (ngx_file_access(&fi) & 07))
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "gatehouse_backend \"%V\": everybody may read or write "
                      "its credential \"%V\", which is not used: chmod 0640, "
                      "or say \"readable_by=everybody\" in %V:%ui",
                      &backend->name, &backend->credential, &backend->file,
                      backend->line);
    }

    if (backend->server_name.len) {
        return;
    }

    others = 0;

    for (i = 0; i < gh_image_target_count(image); i++) {
        gh_image_target(image, i, &target);

        if (gh_str_eq(target.backend, ngx_http_gatehouse_str(backend->name))
            && !gh_str_eq(target.provider, GH_STR("self")))
        {
            others = 1;
            break;
        }
    }

    if (others || backend->credential.len) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "gatehouse_backend \"%V\" has no \"tls\": prompts%s "
                      "leave in clear text in %V:%ui", &backend->name,
                      backend->credential.len ? " and its credential" : "",
                      &backend->file, backend->line);
    }
}
