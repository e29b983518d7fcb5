/*
 * What one worker process holds: the policy store, the record's writer, the clock. Nothing here waits.
 */

#include "ngx_http_gatehouse.h"

#include <openssl/rand.h>


static void ngx_http_gatehouse_store_close(void);


static struct {
    ngx_http_gatehouse_main_conf_t  *conf;
    gh_store_t                      *store;
    gh_cells_t                      *cells;
    gh_record_t                     *record;
    ngx_msec_t                       store_tried;
    unsigned                         store_failed:1;
    uint16_t                         openings;
    uint64_t                         revision;      /* the newest used: never a lower one again */
    gh_json_writer_t                 line;
    char                             buffer[GH_RECORD_LINE_MAX];
    uint64_t                         record_errors;
    ngx_msec_t                       record_error_logged;
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


void
ngx_http_gatehouse_make_id(u_char *id)
{
    size_t   i;
    uint8_t  entropy[10];

    if (RAND_bytes(entropy, sizeof(entropy)) != 1) {

        for (i = 0; i < sizeof(entropy); i++) {
            entropy[i] = (uint8_t) ngx_random();
        }
    }

    gh_uuid7(ngx_http_gatehouse_now_ms(), entropy, (char *) id);
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

    (void) ngx_http_gatehouse_take_slot(cycle->log, &error);
    (void) ngx_http_gatehouse_store(cycle->log, &error);

    return NGX_OK;
}


void
ngx_http_gatehouse_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_http_gatehouse_worker.record) {
        gh_record_close(ngx_http_gatehouse_worker.record);
        ngx_http_gatehouse_worker.record = NULL;
    }

    ngx_http_gatehouse_store_close();

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

    ngx_memzero(error, sizeof(gh_error_t));
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

    ngx_memzero(error, sizeof(gh_error_t));

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


/* An empty writer over this worker's line buffer: one line at a time. */
gh_json_writer_t *
ngx_http_gatehouse_line(void)
{
    gh_json_writer_init(&ngx_http_gatehouse_worker.line,
                        ngx_http_gatehouse_worker.buffer,
                        sizeof(ngx_http_gatehouse_worker.buffer));

    return &ngx_http_gatehouse_worker.line;
}


static gh_record_t *
ngx_http_gatehouse_open_record(ngx_log_t *log)
{
    int                              country;
    char                            *directory;
    gh_image_t                      *image;
    gh_error_t                       error;
    gh_record_options_t              options;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    gmcf = ngx_http_gatehouse_worker.conf;

    ngx_memzero(&options, sizeof(gh_record_options_t));

    directory = ngx_alloc(gmcf->audit.len + 1, log);
    if (directory == NULL) {
        return NULL;
    }

    ngx_cpystrn((u_char *) directory, gmcf->audit.data, gmcf->audit.len + 1);

    options.directory = directory;
    options.node = ngx_http_gatehouse_str(gmcf->node);
    options.version = GH_STR(GH_VERSION);
    options.epoch_ms = ngx_http_gatehouse_now_ms();
    options.worker = ngx_worker;
    options.pid = ngx_pid;

    image = ngx_http_gatehouse_image(log, &error);
    if (image) {
        country = gh_image_node_country(image, options.node);
        if (country >= 0) {
            options.country = (gh_str_t) { gh_country_codes[country], 2 };
        }
    }

    ngx_http_gatehouse_worker.record = gh_record_open(&options);

    ngx_free(directory);

    return ngx_http_gatehouse_worker.record;
}


/* Appends the line. NGX_ERROR: it is not in the record; the caller must not dispatch. */
ngx_int_t
ngx_http_gatehouse_record(gh_json_writer_t *w, ngx_log_t *log)
{
    gh_error_t    error;
    gh_record_t  *record;

    ngx_memzero(&error, sizeof(gh_error_t));

    record = ngx_http_gatehouse_worker.record;

    if (record == NULL) {
        record = ngx_http_gatehouse_open_record(log);
    }

    if (record == NULL) {
        gh_error_set(&error, "audit_unavailable", "out of memory");

    } else if (!gh_json_writer_ok(w)) {
        gh_error_set(&error, "audit_unavailable",
                     "a record above %d bytes", GH_RECORD_LINE_MAX);

    } else if (gh_record_append(record, (gh_str_t) { w->data, w->len }, &error)
               == GH_OK)
    {
        return NGX_OK;
    }

    ngx_http_gatehouse_worker.record_errors++;

    if (ngx_http_gatehouse_worker.record_errors == 1
        || ngx_current_msec - ngx_http_gatehouse_worker.record_error_logged
           >= 1000)
    {
        ngx_http_gatehouse_worker.record_error_logged = ngx_current_msec;
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "gatehouse: the record cannot be written: %s "
                      "(%uL times)", error.text,
                      ngx_http_gatehouse_worker.record_errors);
    }

    return NGX_ERROR;
}
