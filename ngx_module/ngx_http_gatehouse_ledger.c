/*
 * This worker's slot of the ledger: where it says under which policy it is writing. Without a slot nothing is served, and without the ledger
 * that its policy store names neither: an edit would not know of the worker.
 */

#include "ngx_http_gatehouse.h"


#define NGX_HTTP_GATEHOUSE_LEDGER_LOOK  1000    /* ms */


static gh_slot_t *ngx_http_gatehouse_ledger_open(ngx_log_t *log,
    gh_error_t *error);


static struct {
    gh_ledger_t  *ledger;
    gh_slot_t    *slot;
    ngx_msec_t    tried;
    ngx_msec_t    looked;
    uint64_t      fits;           /* the store's state whose ids are the ledger's */
    uint64_t      store_inode;    /* of the store that is open; 0: none */
    uint64_t      revision;       /* highest used */
    uint32_t      number;         /* of the openings: which ledger it is */
    unsigned      failed:1;
} ngx_http_gatehouse_ledger;


/*
 * NULL: *error says why there is none; tried again at most once a second. The ledger stays mapped and its lock held until the process ends,
 * after the last of its sockets.
 */
gh_slot_t *
ngx_http_gatehouse_take_slot(ngx_log_t *log, gh_error_t *error)
{
    if (ngx_http_gatehouse_ledger.slot) {

        if (ngx_current_msec - ngx_http_gatehouse_ledger.looked
            < NGX_HTTP_GATEHOUSE_LEDGER_LOOK)
        {
            return ngx_http_gatehouse_ledger.slot;
        }

        gh_error_clear(error);
        ngx_http_gatehouse_ledger.looked = ngx_current_msec;

        if (gh_ledger_still(ngx_http_gatehouse_ledger.ledger, error) == GH_OK) {
            return ngx_http_gatehouse_ledger.slot;
        }

        ngx_log_error(NGX_LOG_ERR, log, 0, "gatehouse: %s: %s (%s)",
                      error->source, error->text, error->code);

        gh_ledger_close(ngx_http_gatehouse_ledger.ledger);
        ngx_http_gatehouse_ledger.ledger = NULL;
        ngx_http_gatehouse_ledger.slot = NULL;

        return ngx_http_gatehouse_ledger_open(log, error);
    }

    if (ngx_http_gatehouse_ledger.failed
        && ngx_current_msec - ngx_http_gatehouse_ledger.tried
           < NGX_HTTP_GATEHOUSE_LEDGER_LOOK)
    {
        gh_error_set(error, "ledger_missing", "the ledger is not open");
        return NULL;
    }

    return ngx_http_gatehouse_ledger_open(log, error);
}


/* As it is: NULL when there is none. */
gh_slot_t *
ngx_http_gatehouse_held_slot(void)
{
    return ngx_http_gatehouse_ledger.slot;
}


/* The ledger in which this worker has its slot, NULL: none. *number tells it from the ones before. */
gh_ledger_t *
ngx_http_gatehouse_held_ledger(uint32_t *number)
{
    *number = ngx_http_gatehouse_ledger.number;

    return ngx_http_gatehouse_ledger.ledger;
}


static gh_slot_t *
ngx_http_gatehouse_ledger_open(ngx_log_t *log, gh_error_t *error)
{
    gh_slot_t        *slot;
    gh_ledger_t      *ledger;
    gh_slot_owner_t   owner;

    gh_error_clear(error);

    ngx_http_gatehouse_ledger.failed = 1;
    ngx_http_gatehouse_ledger.tried = ngx_current_msec;
    ngx_http_gatehouse_ledger.looked = ngx_current_msec;

    ledger = gh_ledger_open((char *)
                            ngx_http_gatehouse_worker_conf()->ledger.data,
                            true, error);

    owner.pid = ngx_pid;
    owner.generation = ngx_http_gatehouse_worker_conf()->generation;
    owner.start_ms = ngx_http_gatehouse_now_ms();

    slot = ledger ? gh_ledger_slot_take(ledger, &owner, error) : NULL;

    if (slot == NULL) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "gatehouse: %s: %s (%s): nothing is served until "
                      "\"gatehouse init\" has run", error->source, error->text,
                      error->code);
        gh_ledger_close(ledger);
        return NULL;
    }

    ngx_http_gatehouse_ledger.ledger = ledger;
    ngx_http_gatehouse_ledger.slot = slot;
    ngx_http_gatehouse_ledger.fits = 0;
    ngx_http_gatehouse_ledger.failed = 0;
    ngx_http_gatehouse_ledger.number++;

    gh_slot_set(slot, used_revision, ngx_http_gatehouse_ledger.revision);
    ngx_http_gatehouse_running_tell(slot);
    ngx_http_gatehouse_gap_slot();
    gh_slot_store(slot, ngx_http_gatehouse_ledger.store_inode);

    return slot;
}


/* Is the ledger the one that the store names? Looked at once for each state of the store. */
ngx_int_t
ngx_http_gatehouse_ledger_fits(gh_store_t *store, gh_error_t *error)
{
    if (ngx_http_gatehouse_ledger.slot == NULL) {
        gh_error_set(error, "ledger_missing", "the ledger is not open");
        return NGX_ERROR;
    }

    if (ngx_http_gatehouse_ledger.fits == gh_store_transaction(store)) {
        return NGX_OK;
    }

    if (gh_ledger_check(ngx_http_gatehouse_ledger.ledger, gh_store_id(store),
                        gh_store_ledger_id(store), error)
        != GH_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_gatehouse_ledger.fits = gh_store_transaction(store);

    return NGX_OK;
}


/* Of the data.mdb that is opened; 0 before it is closed. */
void
ngx_http_gatehouse_slot_store(uint64_t inode)
{
    ngx_http_gatehouse_ledger.store_inode = inode;

    if (ngx_http_gatehouse_ledger.slot) {
        gh_slot_store(ngx_http_gatehouse_ledger.slot, inode);
    }
}


void
ngx_http_gatehouse_slot_revision(uint64_t revision)
{
    if (revision == ngx_http_gatehouse_ledger.revision) {
        return;
    }

    ngx_http_gatehouse_ledger.revision = revision;

    if (ngx_http_gatehouse_ledger.slot) {
        gh_slot_set(ngx_http_gatehouse_ledger.slot, used_revision, revision);
    }
}


/*
 * Opened in front of a write, with the policy that the write is judged by; it must be closed in the same callback. NGX_ERROR: none is open,
 * nothing may be written.
 */
ngx_int_t
ngx_http_gatehouse_window(ngx_log_t *log, gh_image_t **image)
{
    gh_slot_t   *slot;
    gh_error_t   error;

    slot = ngx_http_gatehouse_take_slot(log, &error);
    if (slot == NULL) {
        return NGX_ERROR;
    }

    gh_window_open(slot);

    *image = ngx_http_gatehouse_image(log, &error);

    if (*image == NULL) {
        gh_trace(slot, "refuse", 0);
        gh_window_close(slot);
        return NGX_ERROR;
    }

    gh_window_at(slot, ngx_http_gatehouse_snapshot());

    return NGX_OK;
}


void
ngx_http_gatehouse_window_close(ngx_uint_t written)
{
    gh_slot_t  *slot;

    slot = ngx_http_gatehouse_ledger.slot;

#ifdef GH_TRACE
    gh_trace(slot, written ? "write" : "refuse", slot->window);
#else
    (void) written;
#endif

    gh_window_close(slot);
}


#ifdef GH_TRACE

void
ngx_http_gatehouse_window_event(const char *event)
{
    gh_trace(ngx_http_gatehouse_ledger.slot, event,
             ngx_http_gatehouse_ledger.slot->window);
}

#endif


/* Moves with every edit that is announced, before its command looks at this worker; 0: it cannot be known. */
uint64_t
ngx_http_gatehouse_edits(void)
{
    if (ngx_http_gatehouse_ledger.ledger == NULL) {
        return 0;
    }

    return 1 + __atomic_load_n(&gh_ledger_header(ngx_http_gatehouse_ledger.ledger)
                                   ->edits, __ATOMIC_ACQUIRE);
}


/* The edit that asks what it would forbid, or 0. */
uint64_t
ngx_http_gatehouse_proposal(void)
{
    if (ngx_http_gatehouse_ledger.ledger == NULL) {
        return 0;
    }

    return __atomic_load_n(&gh_ledger_header(ngx_http_gatehouse_ledger.ledger)
                               ->proposal, __ATOMIC_ACQUIRE);
}


/* The ledger that the slot is in; only while there is one. */
gh_ledger_t *
ngx_http_gatehouse_slot_ledger(void)
{
    return ngx_http_gatehouse_ledger.ledger;
}
