/* An edit against the store: what it would make, and making it. */
#include <stdio.h>
#include <string.h>

#include "policy/cli/barrier.h"
#include "policy/cli/edit.h"

static const char *
plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* ---- in the core's words ---- */

static gh_apply_t
apply_of(gh_cli_t *cli, const gh_cli_edit_t *edit, uint64_t now_ms)
{
    const char *reason = gh_cli_value(cli, "reason");

    return (gh_apply_t) {
        .scope = edit->scope,
        .sources = edit->documents.sources,
        .source_count = edit->documents.count,
        .based = edit->based,
        .base = edit->base,
        .rollback_of = edit->rollback_of,
        .author = gh_cli_actor(cli),
        .reason = gh_str_from(reason ? reason : ""),
        .now_ms = now_ms,
    };
}

/* The documents that a report speaks of: those of the edit under their own names, the others as those of the base. */
static gh_cli_documents_t
spoken_of(gh_cli_t *cli, const gh_cli_edit_t *edit, uint64_t base)
{
    gh_cli_documents_t documents = edit->documents;

    documents.others = gh_str_format(cli->arena, "revision %llu: ", (unsigned long long) base).data;

    return documents;
}

/* The last error of a report; without one, an empty error. */
static gh_error_t
last_error(const gh_report_t *report)
{
    for (size_t i = report->count; i > 0; i--) {
        if (report->items[i - 1].severity == GH_SEVERITY_ERROR) {
            return report->items[i - 1].error;
        }
    }

    return (gh_error_t) { 0 };
}

/* What helps after an error of the whole edit, rather than of a line in it. */
static void
advise(gh_cli_t *cli, const gh_cli_edit_t *edit, const gh_report_t *report)
{
    gh_error_t error = last_error(report);

    if (error.code == NULL) {
        return;
    }

    if (strcmp(error.code, "base_moved") == 0) {
        gh_cli_advise("look at `gatehouse policy diff %llu%s`, then make the edit again on what is in force",
            (unsigned long long) edit->base, gh_cli_store_words(cli));

    } else if (strcmp(error.code, "base_unknown") == 0) {
        gh_cli_advise("gatehouse policy history%s", gh_cli_store_words(cli));

    } else if (strcmp(error.code, "running") == 0) {
        gh_cli_advise("say --cut to end them, or --let-finish");

    } else if (strcmp(error.code, "promise") == 0) {
        gh_cli_advise("make the plan again: gatehouse policy plan DIR --out FILE%s", gh_cli_store_words(cli));
    }
}

/* All documents of a revision that could be, under the names that messages use. */
static int
take_all(gh_cli_t *cli, const gh_apply_ready_t *ready, const gh_cli_documents_t *spoken, gh_cli_documents_t *documents,
    uint64_t *base)
{
    gh_document_source_t *sources = gh_arena_array(cli->arena, ready->document_count, sizeof(*sources));
    const char          **shown = gh_arena_array(cli->arena, ready->document_count, sizeof(*shown));
    size_t                own = 0;

    if (sources == NULL || shown == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }

    for (size_t i = 0; i < ready->document_count; i++) {
        gh_str_t path = ready->documents[i].path, name = { NULL, 0 };
        bool     edited = own < spoken->count && gh_str_eq(spoken->sources[own].path, path);

        if (spoken->shown == NULL || !edited) {
            name = gh_str_format(cli->arena, "%s%.*s", edited ? spoken->prefix : spoken->others, GH_STR_ARG(path));
        }
        sources[i] = (gh_document_source_t) { path, ready->documents[i].text };
        shown[i] = name.data != NULL ? name.data : edited && spoken->shown != NULL ? spoken->shown[own] : path.data;
        own += edited;
    }

    *documents = *spoken;
    documents->sources = sources;
    documents->count = ready->document_count;
    documents->shown = shown;
    if (base != NULL) {
        *base = ready->base;
    }

    return GH_EXIT_DONE;
}

int
gh_cli_edit_collect(gh_cli_t *cli, gh_store_t *store, const gh_cli_edit_t *edit, uint64_t now_ms,
    gh_cli_documents_t *documents, uint64_t *base)
{
    gh_apply_t         apply = apply_of(cli, edit, now_ms);
    gh_apply_ready_t   ready;
    gh_cli_documents_t spoken;
    gh_report_t        report;
    gh_error_t         error;
    unsigned           tries = 0;
    int                rc;

    do {
        gh_report_init(&report, cli->arena);
        rc = gh_apply_collect(store, cli->arena, &apply, &ready, &report);
        error = last_error(&report);
    } while (rc != GH_OK && gh_cli_again(&error, &tries));

    spoken = spoken_of(cli, edit, ready.base);
    if (rc != GH_OK) {
        gh_cli_report_print(cli, &spoken, &report);
        advise(cli, edit, &report);
        return GH_EXIT_ERROR;
    }

    return take_all(cli, &ready, &spoken, documents, base);
}

/* ---- committing ---- */

static int
break_promise(gh_report_t *report, const char *format, uint64_t number)
{
    char text[256];

    snprintf(text, sizeof(text), format, (unsigned long long) number);
    gh_report_add(report, GH_SEVERITY_ERROR, "promise", "", 0, 0, "%s", text);

    return GH_ERROR;
}

/* Whether what a saved plan said still holds of what is about to be committed. */
static int
check_promise(gh_cli_t *cli, gh_store_t *store, const gh_cli_edit_t *edit, const gh_apply_ready_t *ready, gh_report_t *report)
{
    const gh_cli_promise_t *promise = edit->promise;
    const gh_model_t       *model = ready->model;
    gh_store_revision_t     base = { 0 };
    gh_error_t              error = { 0 };

    if (promise == NULL) {
        return GH_OK;
    }

    if (edit->base != 0 && gh_store_revision_read(store, edit->base, cli->arena, &base, &error) != GH_OK) {
        gh_report_add(report, GH_SEVERITY_ERROR, error.code, error.source, 0, 0, "%s", error.text);
        return GH_ERROR;
    }

    if (memcmp(base.policy_digest, promise->base_policy, sizeof(base.policy_digest)) != 0) {
        return break_promise(report, "the plan was made for another store: revision %llu here has other documents", edit->base);
    }

    if (!gh_str_eq(model->facts.items[0], promise->newest_facts)
        || (ready->base == edit->base && memcmp(model->facts_sha256, promise->facts, sizeof(promise->facts)) != 0))
    {
        return break_promise(report, "the facts are not those the plan was made with on revision %llu", edit->base);
    }

    if (ready->base == edit->base && memcmp(model->policy_sha256, promise->policy, sizeof(promise->policy)) != 0) {
        return break_promise(report, "the documents do not come to what the plan said of revision %llu", edit->base);
    }

    return GH_OK;
}

typedef struct {
    gh_store_t             *store;
    const gh_apply_t       *apply;
    const gh_apply_ready_t *ready;
} shown_t;

static int
show(void *context, uint64_t number, gh_error_t *error)
{
    shown_t *shown = context;

    return gh_apply_propose(shown->store, shown->apply, shown->ready, number, error);
}

static int
commit_ready(gh_store_t *store, const gh_apply_t *apply, const gh_apply_ready_t *ready, gh_cli_barrier_t *barrier,
    uint64_t *revision, gh_report_t *report)
{
    shown_t    shown = { store, apply, ready };
    gh_error_t error = { 0 };

    if (gh_cli_barrier_propose(barrier, show, &shown, &error) == GH_OK
        && gh_apply_commit(store, apply, ready, revision, &error) == GH_OK)
    {
        return GH_OK;
    }
    gh_report_add(report, GH_SEVERITY_ERROR, error.code, error.source, error.line, error.column, "%s", error.text);

    return GH_ERROR;
}

/* Prepared, checked and committed: again while other editors are faster, or keep the store busy. */
static int
commit_patiently(gh_cli_t *cli, gh_store_t *store, const gh_cli_edit_t *edit, const gh_apply_t *apply,
    gh_apply_ready_t *ready, gh_cli_barrier_t *barrier, uint64_t *revision, gh_report_t *report)
{
    unsigned   busy = 0, moved = 0;
    gh_error_t error;

    do {
        gh_report_init(report, cli->arena);

        if (gh_apply_prepare(store, cli->arena, apply, ready, report) == GH_OK
            && check_promise(cli, store, edit, ready, report) == GH_OK
            && commit_ready(store, apply, ready, barrier, revision, report) == GH_OK)
        {
            return GH_OK;
        }
        error = last_error(report);
    } while (report->errors == 1
        && (gh_cli_again(&error, &busy)
            || (error.code != NULL && strcmp(error.code, "store_moved") == 0 && ++moved < GH_APPLY_TRIES)));

    return GH_ERROR;
}

/* A revision that does not read back must not be called applied without a word. */
static int
read_back(gh_cli_t *cli, gh_store_t *store, uint64_t now_ms, uint64_t revision)
{
    gh_image_t *image;
    gh_error_t  error = { 0 };
    unsigned    tries = 0;

    while (gh_store_current(store, now_ms, &image, &error) != GH_OK) {
        if (!gh_cli_again(&error, &tries)) {
            gh_cli_say("revision %llu was applied, but does not read back", (unsigned long long) revision);
            gh_cli_fail_store(cli, &error);
            return GH_EXIT_UNOBEYED;
        }
    }

    return GH_EXIT_DONE;
}

/* ---- what came of it ---- */

static bool
of_edit(const gh_cli_edit_t *edit, const char *source)
{
    gh_str_t cut = gh_str_from(source);    /* of a long path only the beginning */

    for (size_t i = 0; i < edit->documents.count; i++) {
        gh_str_t path = edit->documents.sources[i].path;

        if (gh_str_eq(path, cut) || (cut.len == GH_ERROR_SOURCE - 1 && gh_str_starts(path, cut))) {
            return true;
        }
    }

    return false;
}

/* What others' documents are warned of is nothing to an organisation that edits its own; the gateway's owner hears of everything. */
static void
drop_others_warnings(const gh_cli_edit_t *edit, gh_report_t *report)
{
    size_t kept = 0;

    for (size_t i = 0; edit->scope.kind == GH_SCOPE_ORGANISATION && i < report->count; i++) {
        const gh_report_item_t *item = &report->items[i];

        if (item->severity == GH_SEVERITY_ERROR || item->error.source[0] == '\0' || of_edit(edit, item->error.source)) {
            report->items[kept++] = *item;
        }
    }
    report->count = edit->scope.kind == GH_SCOPE_ORGANISATION ? kept : report->count;
}

static int
report_failure(gh_cli_t *cli, const gh_cli_edit_t *edit, const gh_apply_ready_t *ready, const gh_report_t *report)
{
    gh_cli_documents_t documents = spoken_of(cli, edit, ready->base);

    gh_cli_report_print(cli, &documents, report);
    advise(cli, edit, report);
    gh_cli_say("nothing was applied: %zu error%s, %zu warning%s", report->errors, plural(report->errors),
        report->count - report->errors, plural(report->count - report->errors));

    if (gh_cli_flag(cli, "json")) {
        json_t *list = gh_cli_report_json(&documents, report);

        gh_cli_print_json(cli, list ? json_pack("{s:b, s:o}", "applied", 0, "report", list) : NULL);
    }

    return GH_EXIT_ERROR;
}

json_t *
gh_cli_owners_json(const gh_str_t *owners, size_t count)
{
    json_t *organisations = json_array();
    bool    gateway = false;

    for (size_t i = 0; i < count; i++) {
        if (owners[i].len == 0) {
            gateway = true;
        } else {
            json_array_append_new(organisations, json_stringn(owners[i].data, owners[i].len));
        }
    }

    return json_pack("{s:b, s:o}", "gateway", gateway, "organisations", organisations);
}

gh_str_t
gh_cli_owners_words(gh_arena_t *arena, const gh_str_t *owners, size_t count, size_t limit)
{
    gh_str_t words = GH_STR("");

    for (size_t i = 0; i < count && words.data != NULL; i++) {
        const char *comma = i == 0 ? "" : ", ";

        if (i == limit) {
            return gh_str_format(arena, "%.*s and %zu more", GH_STR_ARG(words), count - limit);
        }
        words = owners[i].len == 0 ? gh_str_format(arena, "%.*s%sgateway", GH_STR_ARG(words), comma)
                                   : gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(words), comma, GH_STR_ARG(owners[i]));
    }

    return words;
}

static int
report_success(gh_cli_t *cli, const gh_cli_edit_t *edit, const gh_apply_ready_t *ready, const gh_report_t *report,
    uint64_t revision, const gh_cli_barrier_t *barrier)
{
    gh_cli_documents_t documents = spoken_of(cli, edit, ready->base);
    const gh_model_t  *model = ready->model;
    size_t             warnings = report->count - report->errors, tenants = ready->counts.tenants, apps = ready->counts.apps;
    gh_str_t           changed = gh_cli_owners_words(cli->arena, ready->changed, ready->changed_count, 8);

    gh_cli_report_print(cli, &documents, report);

    if (gh_cli_flag(cli, "json")) {
        json_t *list = gh_cli_report_json(&documents, report);

        return gh_cli_print_json(cli, list == NULL ? NULL : gh_cli_barrier_json(barrier,
            json_pack("{s:b, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:o}",
            "applied", 1, "revision", (json_int_t) revision, "base", (json_int_t) ready->base,
            "changed", gh_cli_owners_json(ready->changed, ready->changed_count),
            "documents", (json_int_t) ready->document_count, "unread", (json_int_t) ready->unread,
            "deployments", (json_int_t) model->deployment_count,
            "tenants", (json_int_t) tenants, "apps", (json_int_t) apps, "report", list)));
    }

    printf("revision %llu\n", (unsigned long long) revision);
    printf("%zu document%s, %u deployment%s, %zu tenant%s with %zu app%s, %zu warning%s\n", ready->document_count,
        plural(ready->document_count), (unsigned) model->deployment_count, plural(model->deployment_count), tenants,
        plural(tenants), apps, plural(apps), warnings, plural(warnings));
    if (ready->unread != 0) {
        printf("%zu tenants/1 document%s did not change and %s not read again: `gatehouse policy validate` warns of all together\n",
            ready->unread, plural(ready->unread), ready->unread == 1 ? "was" : "were");
    }
    if (ready->changed_count == 0) {
        printf("changed: no document\n");
    } else {
        printf("changed: documents of %.*s\n", GH_STR_ARG(changed));
    }
    gh_cli_barrier_print(barrier);

    return gh_cli_flush(cli);
}

int
gh_cli_edit_commit(gh_cli_t *cli, gh_store_t *store, const gh_cli_edit_t *edit)
{
    gh_apply_t       apply = apply_of(cli, edit, gh_cli_now_ms());
    gh_apply_ready_t ready;
    gh_cli_barrier_t barrier;
    gh_report_t      report;
    uint64_t         revision;
    int              status, obeyed;

    status = gh_cli_barrier_begin(cli, store, &barrier);
    if (status != GH_EXIT_DONE) {
        return status;
    }
    apply.let_finish = barrier.let_finish;

    status = commit_patiently(cli, store, edit, &apply, &ready, &barrier, &revision, &report);
    drop_others_warnings(edit, &report);
    if (status != GH_OK) {
        status = report_failure(cli, edit, &ready, &report);

    } else {
        obeyed = gh_cli_barrier_obeyed_revision(&barrier, revision);
        status = read_back(cli, store, apply.now_ms, revision);

        if (status == GH_EXIT_DONE) {
            status = report_success(cli, edit, &ready, &report, revision, &barrier);
        }
        status = status != GH_EXIT_DONE ? status : obeyed;
    }
    gh_cli_barrier_end(&barrier);

    return status;
}
