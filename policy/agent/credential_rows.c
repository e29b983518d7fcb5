#include "policy/agent/credential_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "policy/agent/credential_check.h"
#include "policy/agent/credential_hand.h"
#include "policy/agent/credential_own.h"
#include "policy/agent/log.h"
#include "policy/ledger/reservation.h"

#define MISTAKES_LOGGED 8u
#define WITHDRAW_AFTER  3u        /* failures of a secret that is not there, looks at a document that is not: whoever replaces a file may take it away for a moment */

typedef struct {
    gh_source_t                   source;
    const gh_credential_source_t *from;
    const gh_credential_rows_t   *rows;
    gh_credential_why_t           why;
    unsigned                      refusals;    /* checks in a row that refused it; counted a little beyond GH_CHECK_REFUSALS */
    bool                          unchecked;   /* the last check had no word, and that was said */
    bool                          added;
} row_t;

/* What one reading of the document gave; freed when none of its rows is in use any more. */
typedef struct reading_s reading_t;

struct reading_s {
    gh_heap_t            heap;
    gh_credential_list_t list;
    row_t               *rows;
    reading_t           *next;      /* older */
};

struct gh_credential_rows_s {
    gh_sources_t *sources;
    const char   *file, *directory;
    reading_t    *readings;         /* the first is in force, the others are leaving */
    struct stat   seen;             /* of the file; st_ino 0: it is not there */
    bool          looked;
    unsigned      missing;          /* looks in a row at which it was not there; counted a little beyond WITHDRAW_AFTER */
    int           refused;          /* errno of the last look; 0: it could be looked at */
};

typedef struct {                    /* what a flight brings */
    gh_credential_t credential;
    uint64_t        refresh_ms;
    gh_check_end_t  checked;        /* where it is to be checked */
    bool            handed_refused; /* what the workers have is refused as well */
    gh_error_t      said;           /* of the check */
} brought_t;

static uint64_t
clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}

/* ---- a flight ---- */

/* Is what the workers have refused, too? It may be an older one that still is good, and that is nothing to take away. refused NULL: nothing else was asked about. */
static bool
handed_refused(const row_t *row, const gh_credential_t *refused, gh_credential_run_t *flight, gh_error_t *error)
{
    gh_credential_t handed;
    gh_str_t        now, new;

    if (gh_credential_handed(flight->arena, row->rows->directory, row->from->id, &handed, error) != GH_OK) {
        return false;
    }
    if (refused != NULL && gh_credential_write(flight->arena, &handed, &now, error) == GH_OK && gh_credential_write(flight->arena, refused, &new, error) == GH_OK
        && gh_str_eq(now, new))
    {
        return true;
    }
    return gh_credential_check(row->from->check, &handed, flight->arena, clock_ms(), flight->stop, error) == GH_CHECK_REFUSED;
}

static void
check(const row_t *row, gh_credential_run_t *flight, brought_t *brought)
{
    brought->checked = gh_credential_check(row->from->check, &brought->credential, flight->arena, clock_ms(), flight->stop, &brought->said);
    if (brought->checked == GH_CHECK_REFUSED) {
        gh_error_t ignored = { 0 };

        brought->handed_refused = handed_refused(row, &brought->credential, flight, &ignored);
    }
}

static int
run(void *context, const _Atomic int *stop, gh_arena_t *arena, void **result, gh_error_t *error)
{
    const row_t        *row = context;
    gh_credential_run_t flight = { .arena = arena, .now_ms = clock_ms(), .stop = stop };
    brought_t          *brought = gh_arena_alloc(arena, sizeof(*brought));

    if (brought == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    memset(brought, 0, sizeof(*brought));
    *result = brought;
    if (gh_credential_run(row->from, &flight, &brought->credential, error) != GH_OK) {
        brought->handed_refused = row->from->check != NULL && handed_refused(row, NULL, &flight, &brought->said);   /* while its source fails it may be taken back */
        return GH_ERROR;
    }
    brought->refresh_ms = flight.refresh_ms;
    if (row->from->check != NULL) {
        check(row, &flight, brought);
    }
    return GH_OK;
}

static void
fails(row_t *row, gh_arena_t *arena, const gh_error_t *error, uint64_t now_ms)
{
    gh_error_t other = { 0 };
    char       failures[24];

    if (row->why.code[0] == '\0' || strcmp(row->why.text, error->text) != 0) {
        snprintf(failures, sizeof(failures), "%llu", (unsigned long long) row->why.failures + 1);
        gh_log_error(GH_LOG_ERROR, "a credential cannot be fetched", error, "credential", row->source.name, "source", row->from->kind->word, "failures", failures, NULL);
    }
    gh_credential_why_add(&row->why, error, now_ms);
    if (row->why.failures >= WITHDRAW_AFTER && strcmp(error->code, "source_secret") == 0
        && gh_credential_withdraw(arena, row->rows->directory, row->from->id, false))
    {
        gh_log(GH_LOG_WARNING, "a credential is withdrawn: its secret is not there any more", "credential", row->source.name, NULL);
    }
    if (gh_credential_own_replaced(arena, row->rows->directory, row->from)) {
        gh_log(GH_LOG_WARNING, "a credential is withdrawn: it comes from elsewhere now, and nothing came from there", "credential", row->source.name, NULL);
    }
    if (gh_credential_why_write(arena, row->rows->directory, row->from->id, &row->why, &other) != GH_OK) {
        gh_log_error(GH_LOG_WARNING, "why a credential fails cannot be written down", &other, "credential", row->source.name, NULL);
    }
}

static void
works(row_t *row, gh_arena_t *arena, const gh_credential_t *credential, bool changed)
{
    gh_error_t other = { 0 };
    char       expires[32] = "";
    time_t     seconds = (time_t) (credential->expires_ms / 1000);
    struct tm  tm;

    if (credential->expires_ms != 0 && gmtime_r(&seconds, &tm) != NULL) {
        strftime(expires, sizeof(expires), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    if (changed || row->why.code[0] != '\0') {
        gh_log(GH_LOG_INFO, "a credential is handed over", "credential", row->source.name, "source", row->from->kind->word, "expires",
            expires[0] != '\0' ? expires : NULL, NULL);
    }
    if (gh_credential_own(arena, row->rows->directory, row->from, &other) != GH_OK) {
        gh_log_error(GH_LOG_WARNING, "where a credential came from cannot be written down: it stays when credentials/1 does not have it any more", &other, "credential",
            row->source.name, NULL);
    }
    memset(&row->why, 0, sizeof(row->why));
    (void) gh_credential_why_write(arena, row->rows->directory, row->from->id, &row->why, &other);
}

/* Refused once more; what the workers have goes when that is refused as well, and for the second time in a row. */
static void
is_refused(row_t *row, gh_arena_t *arena, const brought_t *brought)
{
    row->refusals += row->refusals <= GH_CHECK_REFUSALS;
    if (row->refusals >= GH_CHECK_REFUSALS && brought->handed_refused && gh_credential_withdraw(arena, row->rows->directory, row->from->id, true)) {
        gh_log_error(GH_LOG_WARNING, "a credential is withdrawn: its backend refuses it", &brought->said, "credential", row->source.name, NULL);
    }
}

/* What the check said of what was fetched. false: it is not handed over: it is refused, or nothing was said since it was. */
static bool
passes(row_t *row, gh_arena_t *arena, const brought_t *brought)
{
    if (brought->checked == GH_CHECK_REFUSED) {
        is_refused(row, arena, brought);
        return false;
    }
    if (brought->checked == GH_CHECK_NO_WORD && row->refusals > 0) {
        return false;
    }
    row->refusals = 0;
    if (brought->checked == GH_CHECK_NO_WORD && !row->unchecked) {
        gh_log_error(GH_LOG_WARNING, "a credential is handed over unchecked", &brought->said, "credential", row->source.name, NULL);
    }
    row->unchecked = brought->checked == GH_CHECK_NO_WORD;
    return true;
}

static uint64_t
done(void *context, void *result, const gh_error_t *error, uint64_t now_ms, gh_error_t *failed)
{
    row_t     *row = context;
    brought_t *brought = result;
    gh_heap_t  heap;
    uint64_t   random = 0, wait = 0;
    bool       changed = false;

    if (row->source.leaving) {         /* a newer document says something else by now */
        return 0;
    }
    gh_heap_init(&heap);
    if (error != NULL && brought != NULL && brought->handed_refused) {
        is_refused(row, &heap.arena, brought);
    }
    if (error == NULL && !passes(row, &heap.arena, brought)) {
        *failed = brought->said;
        error = failed;
    }
    if (error == NULL && gh_credential_hand(&heap.arena, row->rows->directory, row->from->id, &brought->credential, &changed, failed) != GH_OK) {
        error = failed;
    }
    if (error != NULL) {
        fails(row, &heap.arena, error, now_ms);
    } else {
        works(row, &heap.arena, &brought->credential, changed);
        row->source.again = !changed;
        row->source.until_ms = brought->credential.expires_ms;
        (void) getrandom(&random, sizeof(random), GRND_NONBLOCK);
        wait = gh_credential_due(now_ms, brought->credential.expires_ms, brought->refresh_ms, random) - now_ms;
        wait = row->from->check != NULL && row->from->check->every_ms < wait ? row->from->check->every_ms : wait;
    }
    gh_heap_free(&heap);
    return wait;
}

/* ---- the document ---- */

gh_credential_rows_t *
gh_credential_rows_new(gh_sources_t *sources, const char *file, const char *directory)
{
    gh_credential_rows_t *rows = calloc(1, sizeof(*rows));

    if (rows != NULL) {
        *rows = (gh_credential_rows_t) { .sources = sources, .file = file, .directory = directory };
    }
    return rows;
}

static void
reading_free(reading_t *reading)
{
    gh_heap_free(&reading->heap);
    free(reading);
}

static void
log_mistakes(const char *file, const gh_report_t *report)
{
    char place[24];

    for (size_t i = 0; i < report->count && i < MISTAKES_LOGGED; i++) {
        const gh_error_t *one = &report->items[i].error;

        snprintf(place, sizeof(place), "%u:%u", one->line, one->column);
        gh_log_error(GH_LOG_ERROR, "credentials/1 has a mistake: what it said before stays", one, "file", file, "place", place, NULL);
    }
}

/* NULL after a word in the log. */
static reading_t *
reading_new(gh_credential_rows_t *rows)
{
    reading_t  *reading = calloc(1, sizeof(*reading));
    gh_error_t  error = { 0 };
    gh_report_t report;
    gh_str_t    text = GH_STR("{\"kind\":\"credentials/1\",\"credentials\":[]}");

    if (reading == NULL) {
        return NULL;
    }
    gh_heap_init(&reading->heap);
    gh_report_init(&report, &reading->heap.arena);
    if (rows->seen.st_ino != 0 && gh_secret_file(&reading->heap.arena, rows->file, "credentials/1", false, &text, &error) != GH_OK) {
        gh_log_error(GH_LOG_ERROR, "credentials/1 cannot be read: what it said before stays", &error, "file", rows->file, NULL);
        reading_free(reading);
        return NULL;
    }
    if (gh_credentials_read(&reading->heap.arena, text, rows->file, &reading->list, &report) != GH_OK
        || (reading->rows = gh_arena_array(&reading->heap.arena, reading->list.count + 1, sizeof(row_t))) == NULL)
    {
        log_mistakes(rows->file, &report);
        reading_free(reading);
        return NULL;
    }
    return reading;
}

static void
put_in_force(gh_credential_rows_t *rows, reading_t *reading)
{
    char count[16];

    reading->next = rows->readings;
    rows->readings = reading;
    for (uint32_t i = 0; i < reading->list.count; i++) {
        row_t *row = &reading->rows[i];

        row->from = &reading->list.items[i];
        row->rows = rows;
        row->source = (gh_source_t) { .kind = "credential", .name = row->from->id.data, .context = row, .run = run, .done = done };
        gh_credential_why_read(&reading->heap.arena, rows->directory, row->from->id, &row->why);
        row->added = gh_sources_add(rows->sources, &row->source) == GH_OK;
        if (!row->added) {
            gh_log(GH_LOG_ERROR, "no memory for a credential: it is not fetched", "credential", row->source.name, NULL);
        }
    }
    snprintf(count, sizeof(count), "%u", reading->list.count);
    gh_log(GH_LOG_NOTICE, "credentials/1 is read", "file", rows->file, "credentials", count, NULL);
}

/* Rows of older readings go when no flight of theirs is under way. */
static void
let_go(gh_credential_rows_t *rows)
{
    reading_t **at = rows->readings != NULL ? &rows->readings->next : NULL;

    while (at != NULL && *at != NULL) {
        reading_t *reading = *at;
        bool       used = false;

        for (uint32_t i = 0; i < reading->list.count; i++) {
            row_t *row = &reading->rows[i];

            row->added = row->added && !gh_sources_remove(rows->sources, &row->source);
            used = used || row->added;
        }
        if (used) {
            at = &reading->next;
        } else {
            *at = reading->next;
            reading_free(reading);
        }
    }
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec
        && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void
say_gone(const char *name)
{
    gh_log(GH_LOG_WARNING, "a credential is withdrawn: credentials/1 does not have it any more", "credential", name, NULL);
}

/* false: nobody knows what the document says, and what it said before stays. st_ino 0: it is not there. */
static bool
see(gh_credential_rows_t *rows, struct stat *info)
{
    int        refused = stat(rows->file, info) != 0 ? errno : 0;
    gh_error_t error = { 0 };

    if (refused != 0) {
        memset(info, 0, sizeof(*info));
    }
    if (refused == ENOENT) {
        refused = 0;
        rows->missing += rows->missing <= WITHDRAW_AFTER;
    } else if (refused == 0) {
        rows->missing = 0;
    } else if (refused != rows->refused) {
        gh_error_set(&error, "source_secret", "credentials/1 cannot be read from %s: %s", rows->file, strerror(refused));
        gh_log_error(GH_LOG_ERROR, "credentials/1 cannot be read: what it said before stays", &error, "file", rows->file, NULL);
    }
    rows->refused = refused;
    return refused == 0;
}

/* What no row says any more is used no more. A document that is not there says so when it stays away. */
static void
withdraw(gh_credential_rows_t *rows, bool anew)
{
    static const gh_credential_list_t none = { NULL, 0 };
    bool                              away = rows->missing == WITHDRAW_AFTER;

    if (away || (anew && rows->missing == 0)) {
        gh_credential_own_sweep(rows->directory, away ? &none : &rows->readings->list, say_gone);
    }
}

void
gh_credential_rows_look(gh_credential_rows_t *rows, bool again)
{
    struct stat info;
    reading_t  *reading;
    bool        anew = false;

    if (see(rows, &info) && (again || !rows->looked || !same_file(&info, &rows->seen))) {
        bool first = !rows->looked;

        rows->looked = true;
        rows->seen = info;
        reading = !first || info.st_ino != 0 ? reading_new(rows) : NULL;
        if (reading != NULL) {
            put_in_force(rows, reading);
            anew = true;
        }
    }
    let_go(rows);
    withdraw(rows, anew);
}

void
gh_credential_rows_refused(gh_credential_rows_t *rows, uint64_t bits, uint64_t now_ms)
{
    reading_t *reading = bits != 0 ? rows->readings : NULL;

    for (uint32_t i = 0; reading != NULL && i < reading->list.count; i++) {
        row_t *row = &reading->rows[i];

        if (row->added && (bits & gh_ledger_credential_bit(row->from->id)) != 0) {
            gh_log(GH_LOG_WARNING, "a backend refuses a credential: it is fetched again", "credential", row->source.name, NULL);
            gh_source_hurry(&row->source, now_ms, GH_CREDENTIAL_REFUSED_MS);
        }
    }
}

void
gh_credential_rows_free(gh_credential_rows_t *rows)
{
    if (rows == NULL) {
        return;
    }
    while (rows->readings != NULL) {
        reading_t *reading = rows->readings;

        rows->readings = reading->next;
        reading_free(reading);
    }
    free(rows);
}
