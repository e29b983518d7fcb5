/*
 * What one worker process holds: the policy store and the clock. Nothing here waits.
 */

#include "ngx_http_gatehouse.h"

#include <malloc.h>
#include <openssl/rand.h>


/* memory that a worker keeps for its next request instead of giving it back to the system, bytes */
#define NGX_HTTP_GATEHOUSE_KEEP         (32 * 1024 * 1024)
#define NGX_HTTP_GATEHOUSE_KEEP_PIECE   (4 * 1024 * 1024)

#define NGX_HTTP_GATEHOUSE_ID_ENTROPY   10      /* bytes that gh_uuid7 takes */
#define NGX_HTTP_GATEHOUSE_ENTROPY                                            \
    (100 * NGX_HTTP_GATEHOUSE_ID_ENTROPY)


static void ngx_http_gatehouse_keep_memory(void);
static void ngx_http_gatehouse_store_close(void);


static struct {
    ngx_http_gatehouse_main_conf_t  *conf;
    gh_store_t                      *store;
    gh_cells_t                      *cells;
    ngx_msec_t                       store_tried;
    unsigned                         store_failed:1;
    uint16_t                         openings;
    uint64_t                         revision;      /* the newest used: never a lower one again */
} ngx_http_gatehouse_worker;


ngx_http_gatehouse_main_conf_t *
ngx_http_gatehouse_worker_conf(void)
{
    return ngx_http_gatehouse_worker.conf;
}


/* Milliseconds of Unix time, UTC, as cached by the event loop. */
uint64_t
ngx_http_gatehouse_now_ms(void)
{
    ngx_time_t  *tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


/* Random bytes are drawn for many ids at once, in the worker: a draw costs as much as all else that an id does. */
void
ngx_http_gatehouse_make_id(u_char *id)
{
    size_t          i;
    static size_t   used = NGX_HTTP_GATEHOUSE_ENTROPY;
    static uint8_t  entropy[NGX_HTTP_GATEHOUSE_ENTROPY];

    if (used == sizeof(entropy)) {

        if (RAND_bytes(entropy, sizeof(entropy)) != 1) {

            for (i = 0; i < sizeof(entropy); i++) {
                entropy[i] = (uint8_t) ngx_random();
            }
        }

        used = 0;
    }

    gh_uuid7(ngx_http_gatehouse_now_ms(), &entropy[used], (char *) id);
    used += NGX_HTTP_GATEHOUSE_ID_ENTROPY;
}


ngx_int_t
ngx_http_gatehouse_init_process(ngx_cycle_t *cycle)
{
    gh_error_t                       error;
    ngx_http_conf_ctx_t             *http;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    if (ngx_process == NGX_PROCESS_HELPER) {
        return NGX_OK;
    }

    http = (ngx_http_conf_ctx_t *) ngx_get_conf(cycle->conf_ctx,
                                                ngx_http_module);
    if (http == NULL) {
        return NGX_OK;
    }

    gmcf = http->main_conf[ngx_http_gatehouse_module.ctx_index];

    ngx_http_gatehouse_resolve_start(cycle, gmcf);

    if (!gmcf->enabled) {
        return NGX_OK;
    }

    ngx_http_gatehouse_worker.conf = gmcf;

    ngx_http_gatehouse_keep_memory();

    (void) ngx_http_gatehouse_take_slot(cycle->log, &error);
    (void) ngx_http_gatehouse_store(cycle->log, &error);

    ngx_http_gatehouse_credentials_start(cycle);
    ngx_http_gatehouse_sweep_start(cycle);

    return NGX_OK;
}


/*
 * By itself glibc gives the heap's end back when 128 KB of it are free, and takes it anew, page by page, for the next request with a prompt of
 * that size: at 100 KB that costs more than reading the prompt.
 */
static void
ngx_http_gatehouse_keep_memory(void)
{
#ifdef __GLIBC__
    (void) mallopt(M_TRIM_THRESHOLD, NGX_HTTP_GATEHOUSE_KEEP);
    (void) mallopt(M_MMAP_THRESHOLD, NGX_HTTP_GATEHOUSE_KEEP_PIECE);
#endif
}


void
ngx_http_gatehouse_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_gatehouse_quota_exit();
    ngx_http_gatehouse_sweep_stop();
    ngx_http_gatehouse_credentials_stop();
    ngx_http_gatehouse_record_close();
    ngx_http_gatehouse_store_close();
    ngx_http_gatehouse_handles_exit();
    ngx_http_gatehouse_sessions_exit();

    gh_cells_free(ngx_http_gatehouse_worker.cells);
    ngx_http_gatehouse_worker.cells = NULL;

    /* the slot is the kernel's to free, after the last of this process's sockets */
}


static void
ngx_http_gatehouse_store_close(void)
{
    if (ngx_http_gatehouse_worker.store) {
        ngx_http_gatehouse_slot_store(0);
        gh_store_close(ngx_http_gatehouse_worker.store);
        ngx_http_gatehouse_worker.store = NULL;
    }
}


/* Opened after the fork, once; tried again at most once a second while it cannot be. */
gh_store_t *
ngx_http_gatehouse_store(ngx_log_t *log, gh_error_t *error)
{
    char                             home[1024];
    gh_store_options_t               options;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    if (ngx_http_gatehouse_worker.store) {
        gh_store_edits(ngx_http_gatehouse_worker.store,
                       ngx_http_gatehouse_edits());
        return ngx_http_gatehouse_worker.store;
    }

    gmcf = ngx_http_gatehouse_worker.conf;

    if (!gmcf->key_read) {
        gh_error_set(error, "store_missing",
                     "store.key was not there when nginx was configured");
        return NULL;
    }

    if (ngx_http_gatehouse_worker.store_failed
        && ngx_current_msec - ngx_http_gatehouse_worker.store_tried < 1000)
    {
        gh_error_set(error, "store_missing", "the policy store is not open");
        return NULL;
    }

    ngx_http_gatehouse_worker.store_failed = 1;
    ngx_http_gatehouse_worker.store_tried = ngx_current_msec;

    if (gmcf->home.len >= sizeof(home)) {
        gh_error_set(error, "store_missing", "gatehouse_home is too long");
        return NULL;
    }

    ngx_memcpy(home, gmcf->home.data, gmcf->home.len);
    home[gmcf->home.len] = '\0';

    ngx_memzero(&options, sizeof(gh_store_options_t));
    options.home = home;
    options.lowest = ngx_http_gatehouse_worker.revision;
    options.opening = ngx_http_gatehouse_worker.openings++;
    ngx_memcpy(options.key, gmcf->key, sizeof(options.key));

    gh_error_clear(error);
    ngx_http_gatehouse_worker.store = gh_store_open(&options, error);

    ngx_memzero(options.key, sizeof(options.key));

    if (ngx_http_gatehouse_worker.store == NULL) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "gatehouse: policy store: %s (%s)",
                      error->text, error->code);
        return NULL;
    }

    ngx_http_gatehouse_worker.store_failed = 0;
    ngx_http_gatehouse_slot_store(
                         gh_store_inode(ngx_http_gatehouse_worker.store));

    return ngx_http_gatehouse_worker.store;
}


/* The image in force, borrowed until the next call; NULL: deny, *error says why. */
gh_image_t *
ngx_http_gatehouse_image(ngx_log_t *log, gh_error_t *error)
{
    gh_image_t       *image;
    gh_store_t       *store;
    ngx_uint_t        again;
    static ngx_msec_t logged;

    if (ngx_http_gatehouse_take_slot(log, error) == NULL) {
        return NULL;
    }

    again = 0;

again:

    store = ngx_http_gatehouse_store(log, error);
    if (store == NULL) {
        return NULL;
    }

    gh_error_clear(error);

    if (gh_store_current(store, ngx_http_gatehouse_now_ms(), &image, error)
        == GH_OK
        && ngx_http_gatehouse_ledger_fits(store, error) == NGX_OK)
    {
        ngx_http_gatehouse_worker.revision = gh_image_revision(image);
        ngx_http_gatehouse_slot_revision(ngx_http_gatehouse_worker.revision);
        return image;
    }

    if (ngx_current_msec - logged >= 1000) {
        logged = ngx_current_msec;
        ngx_log_error(NGX_LOG_ERR, log, 0, "gatehouse: policy store: %s (%s)",
                      error->text, error->code ? error->code : "");
    }

    if (ngx_http_gatehouse_store_replaced(error) && !again) {
        again = 1;
        goto again;
    }

    return NULL;
}


/* What this worker's decisions are kept in, for the next ones of their kind. NULL, when there was no memory, only costs time. */
gh_cells_t *
ngx_http_gatehouse_cells(void)
{
    if (ngx_http_gatehouse_worker.cells == NULL) {
        ngx_http_gatehouse_worker.cells =
            gh_cells_new(NGX_HTTP_GATEHOUSE_CELLS);
    }

    return ngx_http_gatehouse_worker.cells;
}


/* Moves with every write to the store. */
uint64_t
ngx_http_gatehouse_transaction(void)
{
    return ngx_http_gatehouse_worker.store
           ? gh_store_transaction(ngx_http_gatehouse_worker.store) : 0;
}


/* 1: the error says that another file is in the store's place. The old one is closed: the next call opens what is there now. */
ngx_uint_t
ngx_http_gatehouse_store_replaced(gh_error_t *error)
{
    if (error->code == NULL || ngx_strcmp(error->code, "store_replaced") != 0
        || ngx_http_gatehouse_worker.store == NULL)
    {
        return 0;
    }

    ngx_http_gatehouse_store_close();

    return 1;
}


uint64_t
ngx_http_gatehouse_snapshot(void)
{
    return ngx_http_gatehouse_worker.store
           ? gh_store_snapshot(ngx_http_gatehouse_worker.store) : 0;
}


/* What a later edit forbids may finish when it began under this revision or a newer one. */
uint64_t
ngx_http_gatehouse_finish_from(void)
{
    return ngx_http_gatehouse_worker.store
           ? gh_store_finish_from(ngx_http_gatehouse_worker.store)
           : (uint64_t) -1;
}
