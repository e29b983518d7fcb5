/*
 * The record of this worker process: a file of its own, which nobody else writes. Lines are built in one buffer and handed to the kernel before
 * what they tell of is done.
 */

#include "ngx_http_gatehouse.h"


static void ngx_http_gatehouse_record_flush(ngx_event_t *ev);
static void ngx_http_gatehouse_record_failed(gh_record_t *record,
    gh_error_t *error, ngx_log_t *log);


static struct {
    gh_record_t                     *record;
    gh_json_writer_t                 line;
    gh_json_marks_t                  marks;
    char                             buffer[GH_RECORD_LINE_MAX];
    ngx_event_t                      flush;
    uint64_t                         errors;
    ngx_msec_t                       error_logged;
    uint64_t                         failures;      /* as they were told */
    unsigned                         directory;
    unsigned                         no_hold:1;
} ngx_http_gatehouse_recorder;


/* An empty writer where the record keeps its lines, else over this worker's line buffer: one line at a time. */
gh_json_writer_t *
ngx_http_gatehouse_line(void)
{
    char  *room;

    room = NULL;

    if (ngx_http_gatehouse_recorder.record) {
        room = gh_record_later_room(ngx_http_gatehouse_recorder.record);
    }

    if (room == NULL) {
        room = ngx_http_gatehouse_recorder.buffer;
    }

    gh_json_writer_init(&ngx_http_gatehouse_recorder.line, room,
                        GH_RECORD_LINE_MAX);

    ngx_http_gatehouse_recorder.line.marks = &ngx_http_gatehouse_recorder.marks;
    gh_json_unmark(&ngx_http_gatehouse_recorder.line);

    return &ngx_http_gatehouse_recorder.line;
}


/* Where and how this worker writes; borrows from the configuration. */
void
ngx_http_gatehouse_record_options(gh_record_options_t *options)
{
    ngx_http_gatehouse_main_conf_t  *gmcf;

    gmcf = ngx_http_gatehouse_worker_conf();

    ngx_memzero(options, sizeof(gh_record_options_t));

    options->directories[0] = (char *) gmcf->audit.data;
    options->directories[1] = (char *) gmcf->audit_second.data;
    options->node = ngx_http_gatehouse_str(gmcf->node);
    options->version = GH_STR(GH_VERSION);
    options->epoch_ms = ngx_http_gatehouse_now_ms();
    options->worker = ngx_worker;
    options->pid = ngx_pid;
    options->segment_bytes = gmcf->audit_segment;
    options->roll_ms = gmcf->audit_roll;
}


static gh_record_t *
ngx_http_gatehouse_open_record(ngx_log_t *log)
{
    int                   country;
    gh_image_t           *image;
    gh_error_t            error;
    gh_record_options_t   options;

    ngx_http_gatehouse_record_options(&options);

    if (ngx_http_gatehouse_worker_conf()->audit_sync) {
        options.sync = 1;
        options.sync_ms = ngx_http_gatehouse_worker_conf()->audit_sync_time;
        options.sync_wake = ngx_http_gatehouse_sync_open(log);

        if (options.sync_wake == -1) {
            return NULL;
        }
    }

    image = ngx_http_gatehouse_image(log, &error);
    if (image) {
        country = gh_image_node_country(image, options.node);
        if (country >= 0) {
            options.country = (gh_str_t) { gh_country_codes[country], 2 };
        }
    }

    ngx_http_gatehouse_recorder.record = gh_record_open(&options);

    return ngx_http_gatehouse_recorder.record;
}


/* Said once each time: a segment that failed, a directory that took over, a file system that gives no room ahead. */
static void
ngx_http_gatehouse_record_tell(gh_record_t *record, ngx_log_t *log)
{
    const gh_record_state_t  *state;

    state = gh_record_state(record);

    if (state->failures != ngx_http_gatehouse_recorder.failures) {
        ngx_http_gatehouse_recorder.failures = state->failures;
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "gatehouse: a segment of the record was left: %s",
                      state->why);
    }

    if (state->directory != ngx_http_gatehouse_recorder.directory) {
        ngx_http_gatehouse_recorder.directory = state->directory;
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "gatehouse: the record is written in its %s directory",
                      state->directory ? "second" : "first");
    }

    if (state->no_hold && !ngx_http_gatehouse_recorder.no_hold) {
        ngx_http_gatehouse_recorder.no_hold = 1;
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "gatehouse: the record's file system cannot give room "
                      "ahead: on a full disk outcomes may be missing");
    }
}


/* ticket: NULL: at once. NGX_DECLINED: the record cannot be written; NGX_ERROR: this line cannot. */
static ngx_int_t
ngx_http_gatehouse_record_line(gh_json_writer_t *w, uint64_t *ticket,
    ngx_log_t *log)
{
    gh_str_t      body;
    ngx_int_t     rc;
    gh_error_t    error;
    gh_record_t  *record;

    gh_error_clear(&error);

    rc = NGX_DECLINED;
    record = ngx_http_gatehouse_recorder.record;
    body = (gh_str_t) { w->data, w->len };

    if (record == NULL) {
        record = ngx_http_gatehouse_open_record(log);
    }

    if (record == NULL) {
        gh_error_set(&error, "audit_unavailable",
                     ngx_http_gatehouse_worker_conf()->audit_sync
                     ? "no memory, descriptor or thread for it"
                     : "out of memory");

    } else if (!gh_json_writer_ok(w) || body.len > GH_RECORD_BODY_MAX) {
        rc = NGX_ERROR;
        gh_error_set(&error, "audit_unavailable",
                     "a record above %d bytes", GH_RECORD_LINE_MAX);

    } else if (ngx_http_gatehouse_gap_due()
               && !gh_str_starts(body,
                                 GH_STR("{\"v\":1,\"type\":\"outcome\""))
               && ngx_http_gatehouse_gap_record(record, &error) != NGX_OK)
    {
        /* what was sent without a line is told first; what is owed has room where nothing else has */

    } else if ((ticket ? gh_record_later(record, body, w->marks, ticket, &error)
                       : gh_record_append(record, body, &error))
               == GH_OK)
    {
        ngx_http_gatehouse_record_tell(record, log);
        return NGX_OK;
    }

    ngx_http_gatehouse_record_failed(record, &error, log);

    return rc;
}


/*
 * Appends the line. Anything but NGX_OK: it is not in the record; the caller must not dispatch. NGX_DECLINED: nothing can be written now; what may be sent
 * without a line may be.
 */
ngx_int_t
ngx_http_gatehouse_record(gh_json_writer_t *w, ngx_log_t *log)
{
    return ngx_http_gatehouse_record_line(w, NULL, log);
}


/*
 * The same of a decision or an outcome, which is written with the next line, or when this turn of the event loop has no more to do: as one with
 * those of all requests that it served. *ticket: see ngx_http_gatehouse_sync_line.
 */
ngx_int_t
ngx_http_gatehouse_record_later(gh_json_writer_t *w, uint64_t *ticket,
    ngx_log_t *log)
{
    ngx_int_t     rc;
    ngx_event_t  *ev;

    rc = ngx_http_gatehouse_record_line(w, ticket, log);

    if (rc != NGX_OK) {
        return rc;
    }

    ev = &ngx_http_gatehouse_recorder.flush;

    if (!ev->posted) {
        ev->handler = ngx_http_gatehouse_record_flush;
        ev->log = ngx_cycle->log;
        ngx_post_event(ev, &ngx_posted_events);
    }

    return NGX_OK;
}


static void
ngx_http_gatehouse_record_flush(ngx_event_t *ev)
{
    ngx_int_t     rc;
    gh_error_t    error;
    gh_record_t  *record;

    record = ngx_http_gatehouse_recorder.record;

    if (record == NULL) {
        return;
    }

    rc = NGX_OK;

    if (gh_record_flush(record, &error) != GH_OK) {
        rc = NGX_ERROR;

        if (ngx_strcmp(error.code, "outcome_missing") == 0) {
            ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                          "gatehouse: not in the record: %s", error.text);
        } else {
            ngx_http_gatehouse_record_failed(record, &error, ev->log);
        }
    }

    ngx_http_gatehouse_record_tell(record, ev->log);

    ngx_http_gatehouse_sync_written(rc);
}


static void
ngx_http_gatehouse_record_failed(gh_record_t *record, gh_error_t *error,
    ngx_log_t *log)
{
    if (record) {
        ngx_http_gatehouse_record_tell(record, log);
    }

    ngx_http_gatehouse_recorder.errors++;

    if (ngx_http_gatehouse_recorder.errors == 1
        || ngx_current_msec - ngx_http_gatehouse_recorder.error_logged
           >= 1000)
    {
        ngx_http_gatehouse_recorder.error_logged = ngx_current_msec;
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "gatehouse: the record cannot be written: %s "
                      "(%uL times)", error->text,
                      ngx_http_gatehouse_recorder.errors);
    }
}


/* From the timer. */
void
ngx_http_gatehouse_record_tick(ngx_log_t *log)
{
    gh_error_t  error;

    if (ngx_http_gatehouse_recorder.record) {
        gh_record_tick(ngx_http_gatehouse_recorder.record,
                       ngx_http_gatehouse_now_ms());
        (void) ngx_http_gatehouse_gap_record(ngx_http_gatehouse_recorder.record,
                                             &error);
        ngx_http_gatehouse_record_tell(ngx_http_gatehouse_recorder.record,
                                       log);
    }
}


/* The worker's end. */
void
ngx_http_gatehouse_record_close(void)
{
    gh_error_t  error;

    if (ngx_http_gatehouse_recorder.record) {
        /* what cannot be told now stays in the ledger, for who sweeps */
        (void) ngx_http_gatehouse_gap_record(ngx_http_gatehouse_recorder.record,
                                             &error);
    }

    gh_record_close(ngx_http_gatehouse_recorder.record);
    ngx_http_gatehouse_recorder.record = NULL;
    ngx_http_gatehouse_sync_close();
}


uint64_t
ngx_http_gatehouse_record_ticket(void)
{
    return ngx_http_gatehouse_recorder.record
           ? gh_record_ticket(ngx_http_gatehouse_recorder.record) : 0;
}


uint64_t
ngx_http_gatehouse_record_durable(void)
{
    return ngx_http_gatehouse_recorder.record
           ? gh_record_durable(ngx_http_gatehouse_recorder.record) : 0;
}


/* The thread has something to say. NGX_ERROR: a sync failed, and what has to be written again can be so nowhere. */
ngx_int_t
ngx_http_gatehouse_record_synced(ngx_log_t *log)
{
    gh_error_t    error;
    ngx_int_t     rc;
    gh_record_t  *record;

    record = ngx_http_gatehouse_recorder.record;

    if (record == NULL) {
        return NGX_OK;
    }

    rc = gh_record_synced(record, ngx_http_gatehouse_now_ms(), &error) == GH_OK
         ? NGX_OK : NGX_ERROR;

    ngx_http_gatehouse_gap_synced(gh_record_durable(record));
    ngx_http_gatehouse_record_tell(record, log);

    return rc;
}


/* ---- gatehouse_audit DIRECTORY [DIRECTORY] [segment=SIZE] [roll=TIME] [sync=written|group] [sync_timeout=TIME] ---- */

static ngx_int_t
ngx_http_gatehouse_audit_directory(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *field)
{
    *field = *value;

    if (field->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "gatehouse_audit needs a "
                           "path");
        return NGX_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, field, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    while (field->len > 1 && field->data[field->len - 1] == '/') {
        field->len--;
        field->data[field->len] = '\0';
    }

    return NGX_OK;
}


/* *known: it is one of them. */
static ngx_int_t
ngx_http_gatehouse_audit_option(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf, ngx_str_t *value, ngx_uint_t *known)
{
    ssize_t     size;
    ngx_int_t   ms;
    ngx_str_t   text;

    *known = 1;

    if (ngx_strncmp(value->data, "segment=", 8) == 0) {
        text.data = value->data + 8;
        text.len = value->len - 8;
        size = ngx_parse_size(&text);

        if (size < (ssize_t) GH_RECORD_SEGMENT_MIN
            || size > (ssize_t) GH_RECORD_SEGMENT_MAX)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": a segment of the "
                               "record has from 256k to 512m", value);
            return NGX_ERROR;
        }

        gmcf->audit_segment = size;

        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "roll=", 5) == 0) {
        text.data = value->data + 5;
        text.len = value->len - 5;
        ms = ngx_parse_time(&text, 0);

        if (ms == NGX_ERROR || ms < 1000 || ms > 30 * 86400 * (ngx_int_t) 1000)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": a segment of the "
                               "record is rolled after 1s to 30d", value);
            return NGX_ERROR;
        }

        gmcf->audit_roll = ms;

        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "sync=", 5) == 0) {

        gmcf->audit_sync = (ngx_strcmp(value->data + 5, "group") == 0);

        if (gmcf->audit_sync || ngx_strcmp(value->data + 5, "written") == 0) {
            return NGX_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": expected "
                           "\"sync=written\" (lines are with the kernel before "
                           "a dispatch) or \"sync=group\" (they are on the "
                           "disk)", value);
        return NGX_ERROR;
    }

    if (ngx_strncmp(value->data, "sync_timeout=", 13) == 0) {
        text.data = value->data + 13;
        text.len = value->len - 13;
        ms = ngx_parse_time(&text, 0);

        if (ms == NGX_ERROR || ms < 100 || ms > 60000) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": a request waits "
                               "100ms to 60s for the record's disk", value);
            return NGX_ERROR;
        }

        gmcf->audit_sync_time = ms;

        return NGX_OK;
    }

    *known = 0;

    return NGX_OK;
}


char *
ngx_http_gatehouse_audit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gatehouse_main_conf_t *gmcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i, known;

    if (gmcf->audit.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    gmcf->audit_segment = GH_RECORD_SEGMENT;
    gmcf->audit_roll = GH_RECORD_ROLL_MS;

    for (i = 1; i < cf->args->nelts; i++) {

        known = 0;

        if (i > 1
            && ngx_http_gatehouse_audit_option(cf, gmcf, &value[i], &known)
               != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        if (known) {
            continue;
        }

        if (i > 2 || ngx_strlchr(value[i].data,
                                 value[i].data + value[i].len, '='))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": expected one "
                               "directory or two, then \"segment=\", "
                               "\"roll=\", \"sync=\", \"sync_timeout=\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_gatehouse_audit_directory(cf, &value[i],
                                               i == 1 ? &gmcf->audit
                                                      : &gmcf->audit_second)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (gmcf->audit_sync_time && !gmcf->audit_sync) {
        return "has \"sync_timeout=\" without \"sync=group\"";
    }

    if (gmcf->audit_sync && gmcf->audit_sync_time == 0) {
        gmcf->audit_sync_time = GH_RECORD_SYNC_MS;
    }

    if (gmcf->audit_second.data
        && gmcf->audit_second.len == gmcf->audit.len
        && ngx_strncmp(gmcf->audit_second.data, gmcf->audit.data,
                       gmcf->audit.len) == 0)
    {
        return "names the same directory twice";
    }

    return NGX_CONF_OK;
}
