/*
 * Credentials of backends, in this worker's memory: their files are looked at once a second by a timer, never in a request's way, and what has
 * become of them is told to the ledger, so that a deployment without a credential is out before a request meets it. Which credential a request
 * gets is its deployment's affair alone.
 */

#include "ngx_http_gatehouse.h"
#include "ngx_http_gatehouse_sign.h"

#include <openssl/crypto.h>


#define NGX_HTTP_GATEHOUSE_CREDENTIAL_MS  1000


static void ngx_http_gatehouse_credential_handler(ngx_event_t *ev);
static void ngx_http_gatehouse_credential_look(
    ngx_http_gatehouse_backend_t *backend, ngx_log_t *log);
static const char *ngx_http_gatehouse_credential_file(
    ngx_http_gatehouse_backend_t *backend, ngx_file_info_t *fi);
static const char *ngx_http_gatehouse_credential_load(
    ngx_http_gatehouse_backend_t *backend, ngx_file_info_t *fi,
    gh_error_t *error, ngx_err_t *err);
static ngx_int_t ngx_http_gatehouse_credential_use(
    ngx_http_gatehouse_backend_t *backend, gh_error_t *error);
static void ngx_http_gatehouse_credential_forget(
    ngx_http_gatehouse_held_t *held);
static void ngx_http_gatehouse_credential_tell(ngx_log_t *log);
static void *ngx_http_gatehouse_held_alloc(gh_arena_t *arena, size_t size);


static ngx_event_t  ngx_http_gatehouse_credential_timer;


void
ngx_http_gatehouse_credentials_start(ngx_cycle_t *cycle)
{
    static ngx_connection_t  dummy;    /* timers of nginx are printed with one */

    dummy.fd = (ngx_socket_t) -1;

    ngx_http_gatehouse_credential_timer.handler =
        ngx_http_gatehouse_credential_handler;
    ngx_http_gatehouse_credential_timer.data = &dummy;
    ngx_http_gatehouse_credential_timer.log = cycle->log;
    ngx_http_gatehouse_credential_timer.cancelable = 1;

    ngx_http_gatehouse_credential_handler(&ngx_http_gatehouse_credential_timer);
}


/* The worker's end: nothing secret stays in memory that the process gives back. */
void
ngx_http_gatehouse_credentials_stop(void)
{
    ngx_uint_t                       i;
    ngx_http_gatehouse_backend_t   **backend;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    if (ngx_http_gatehouse_credential_timer.timer_set) {
        ngx_del_timer(&ngx_http_gatehouse_credential_timer);
    }

    gmcf = ngx_http_gatehouse_worker_conf();

    if (gmcf == NULL) {
        return;
    }

    backend = gmcf->backends.elts;

    for (i = 0; i < gmcf->backends.nelts; i++) {
        if (backend[i]->held) {
            ngx_http_gatehouse_credential_forget(backend[i]->held);
            ngx_free(backend[i]->held);
            backend[i]->held = NULL;
        }
    }
}


static void
ngx_http_gatehouse_credential_handler(ngx_event_t *ev)
{
    ngx_uint_t                       i, any, worth;
    static ngx_uint_t                told;
    ngx_http_gatehouse_backend_t   **backend;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    gmcf = ngx_http_gatehouse_worker_conf();
    backend = gmcf->backends.elts;
    any = 0;
    worth = 0;

    for (i = 0; i < gmcf->backends.nelts; i++) {
        if (backend[i]->credential.len) {
            ngx_http_gatehouse_credential_look(backend[i], ev->log);
            any = 1;
            worth |= ngx_http_gatehouse_credential_lacks(backend[i]) != NULL
                     || backend[i]->held->credential.expires_ms != 0
                     || ngx_http_gatehouse_refused(backend[i]);
        }
    }

    if (!any) {
        return;
    }

    /* a worker of an older configuration says nothing of what the newer ones have */

    if (!ngx_exiting && (worth || told)) {
        ngx_http_gatehouse_credential_tell(ev->log);
        told = worth;
    }

    ngx_add_timer(ev, NGX_HTTP_GATEHOUSE_CREDENTIAL_MS);
}


/* NULL: it can be used now; else the word of the record for why it cannot. */
const char *
ngx_http_gatehouse_credential_lacks(ngx_http_gatehouse_backend_t *backend)
{
    ngx_http_gatehouse_held_t  *held;

    held = backend->held;

    if (backend->credential.len == 0) {
        return NULL;
    }

    if (held == NULL || !held->there) {
        return "credential_unavailable";
    }

    if (held->credential.expires_ms
        && (int64_t) held->credential.expires_ms
           <= (int64_t) ngx_http_gatehouse_now_ms() + held->skew_ms)
    {
        return "credential_expired";
    }

    return NULL;
}


/* Reads the file again when it is another one, or has changed. What is wrong with it is said once, not every second. */
static void
ngx_http_gatehouse_credential_look(ngx_http_gatehouse_backend_t *backend,
    ngx_log_t *log)
{
    ngx_err_t                   err;
    gh_error_t                  error;
    const char                 *what;
    ngx_file_info_t             fi;
    ngx_http_gatehouse_held_t  *held;

    held = backend->held;

    if (held == NULL) {
        held = ngx_calloc(sizeof(ngx_http_gatehouse_held_t), log);
        if (held == NULL) {
            return;
        }

        held->arena.alloc = ngx_http_gatehouse_held_alloc;
        held->arena.context = held;
        backend->held = held;
    }

    error.text[0] = '\0';
    err = 0;

    what = ngx_http_gatehouse_credential_load(backend, &fi, &error, &err);

    if (what == NULL && held->there) {
        what = ngx_http_gatehouse_credential_lacks(backend)
               ? "has expired" : NULL;
    }

    if (what == NULL) {

        if (held->said) {
            ngx_log_error(NGX_LOG_NOTICE, log, 0,
                          "gatehouse: credential of backend \"%V\" can be "
                          "used again", &backend->name);
            held->said = NULL;
        }

        return;
    }

    if (held->said && ngx_strcmp(held->said, what) == 0 && !held->fresh) {
        return;
    }

    held->said = what;
    held->fresh = 0;

    ngx_log_error(NGX_LOG_ERR, log, err,
                  "gatehouse: credential of backend \"%V\" %s%s%s: its "
                  "deployments are passed over", &backend->name, what,
                  error.text[0] ? ": " : "", error.text);
}


/* NULL: it can be one with a credential. */
static const char *
ngx_http_gatehouse_credential_file(ngx_http_gatehouse_backend_t *backend,
    ngx_file_info_t *fi)
{
    if (!ngx_is_file(fi)) {
        return "is no regular file";
    }

    if ((ngx_file_access(fi) & 07) && !backend->everybody) {
        return "may be read or written by everybody (chmod 0640, or "
               "\"readable_by=everybody\" behind its name)";
    }

    return NULL;
}


/* NULL: what is held is what the file has; else half a sentence. A static string, which may be compared. */
static const char *
ngx_http_gatehouse_credential_load(ngx_http_gatehouse_backend_t *backend,
    ngx_file_info_t *fi, gh_error_t *error, ngx_err_t *err)
{
    ssize_t                     n;
    ngx_fd_t                    fd;
    const char                 *wrong;
    ngx_http_gatehouse_held_t  *held;

    held = backend->held;

    if (ngx_file_info(backend->credential.data, fi) == NGX_FILE_ERROR) {
        *err = ngx_errno;
        ngx_http_gatehouse_credential_forget(held);
        held->seen = 0;
        return "is not there";
    }

    wrong = ngx_http_gatehouse_credential_file(backend, fi);

    if (wrong) {
        ngx_http_gatehouse_credential_forget(held);
        held->seen = 0;
        return wrong;
    }

    if (held->seen && ngx_file_mtime(fi) == held->mtime
        && ngx_file_uniq(fi) == held->uniq
        && ngx_file_mtime(fi) + 2 < ngx_time())
    {
        return held->there ? NULL : held->said;
    }

    /* it may be a pipe by now, whose other end nobody holds */

    fd = ngx_open_file(backend->credential.data, NGX_FILE_RDONLY,
                       NGX_FILE_OPEN|NGX_FILE_NONBLOCK, 0);
    if (fd == NGX_INVALID_FILE) {
        *err = ngx_errno;
        ngx_http_gatehouse_credential_forget(held);
        held->seen = 0;
        return "cannot be read";
    }

    wrong = ngx_fd_info(fd, fi) == NGX_FILE_ERROR
            ? "cannot be read" : ngx_http_gatehouse_credential_file(backend, fi);

    if (wrong) {
        ngx_close_file(fd);
        ngx_http_gatehouse_credential_forget(held);
        held->seen = 0;
        return wrong;
    }

    held->fresh = !held->seen || ngx_file_mtime(fi) != held->mtime
                  || ngx_file_uniq(fi) != held->uniq;

    ngx_http_gatehouse_credential_forget(held);

    held->seen = 1;
    held->mtime = ngx_file_mtime(fi);
    held->uniq = ngx_file_uniq(fi);

    n = read(fd, held->text, sizeof(held->text));
    ngx_close_file(fd);

    while (n > 0 && (held->text[n - 1] == '\n' || held->text[n - 1] == '\r')) {
        n--;
    }

    held->len = ngx_max(n, 0);

    if (ngx_http_gatehouse_credential_use(backend, error) != NGX_OK) {
        return "cannot be used";
    }

    held->there = 1;

    if (held->was && held->fresh && !ngx_exiting) {
        ngx_http_gatehouse_refusal_replaced(backend);
    }

    held->was = 1;

    return NULL;
}


/* What was read, in its form, which has to be the one that the backend is asked with. */
static ngx_int_t
ngx_http_gatehouse_credential_use(ngx_http_gatehouse_backend_t *backend,
    gh_error_t *error)
{
    gh_str_t                    text;
    ngx_http_gatehouse_held_t  *held;

    held = backend->held;
    text.data = (char *) held->text;
    text.len = held->len;

    if (backend->signature.len && (text.len == 0 || text.data[0] != '{')) {
        gh_error_set(error, "credential", "it is no JSON object with "
                     "AccessKeyId and SecretAccessKey, to sign with");
        return NGX_ERROR;
    }

    if (gh_credential_read(&held->arena, text, &held->credential, error)
        != GH_OK)
    {
        return NGX_ERROR;
    }

    if (backend->signature.len && held->credential.form != GH_CREDENTIAL_AWS) {
        gh_error_set(error, "credential", "it is to be sent, but "
                     "\"aws_signature\" of the backend needs one to sign "
                     "with");
        return NGX_ERROR;
    }

    if (!backend->signature.len && held->credential.form == GH_CREDENTIAL_AWS) {
        gh_error_set(error, "credential", "it is one to sign with, and the "
                     "backend has no \"aws_signature\"");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_gatehouse_credential_forget(ngx_http_gatehouse_held_t *held)
{
    if (held->there && held->credential.form == GH_CREDENTIAL_AWS) {
        ngx_http_gatehouse_sign_forget(
                                held->credential.aws.secret_access_key);
    }

    OPENSSL_cleanse(held->memory, held->used);
    OPENSSL_cleanse(held->text, sizeof(held->text));
    ngx_memzero(&held->credential, sizeof(gh_credential_t));

    held->used = 0;
    held->len = 0;
    held->there = 0;
}


/* To every deployment and model of the policy in force: what its backend's credential is now. */
static void
ngx_http_gatehouse_credential_tell(ngx_log_t *log)
{
    uint8_t                        state;
    uint32_t                       i, number;
    uint64_t                       until;
    gh_error_t                     error;
    gh_image_t                    *image;
    const char                    *lacks;
    gh_target_t                    target;
    gh_ledger_t                   *ledger;
    ngx_http_gatehouse_backend_t  *backend;

    image = ngx_http_gatehouse_image(log, &error);
    ledger = ngx_http_gatehouse_held_ledger(&number);

    if (image == NULL || ledger == NULL) {
        return;
    }

    backend = NULL;
    state = GH_CREDENTIAL_IS_READY;
    until = 0;

    for (i = 0; i < gh_image_target_count(image); i++) {
        gh_image_target(image, i, &target);

        if (backend == NULL
            || !gh_str_eq(target.backend,
                          ngx_http_gatehouse_str(backend->name)))
        {
            backend = ngx_http_gatehouse_find_backend(
                              ngx_http_gatehouse_worker_conf(), target.backend);
            if (backend == NULL) {
                continue;
            }

            lacks = ngx_http_gatehouse_credential_lacks(backend);

            state = lacks == NULL
                    ? ngx_http_gatehouse_refused(backend)
                      ? GH_CREDENTIAL_IS_REFUSED : GH_CREDENTIAL_IS_READY
                    : ngx_strcmp(lacks, "credential_expired") == 0
                    ? GH_CREDENTIAL_IS_EXPIRED : GH_CREDENTIAL_IS_UNAVAILABLE;
            until = backend->held ? backend->held->credential.expires_ms : 0;
        }

        (void) gh_backend_tell_credential(ledger, gh_image_backend(image, i),
                                          ngx_http_gatehouse_now_ms(), state,
                                          until);
    }
}


static void *
ngx_http_gatehouse_held_alloc(gh_arena_t *arena, size_t size)
{
    u_char                     *p;
    ngx_http_gatehouse_held_t  *held = arena->context;

    size = ngx_align(size, 16);

    if (size > NGX_HTTP_GATEHOUSE_HELD - held->used) {
        return NULL;
    }

    p = held->memory + held->used;
    held->used += size;

    return p;
}
