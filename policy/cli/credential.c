/* Credentials of backends: the document, and running its sources. */
#include "policy/cli/credential.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/agent/credential_check.h"
#include "policy/agent/credential_hand.h"
#include "policy/agent/credential_own.h"
#include "policy/cli/files.h"
#include "policy/cli/policy.h"

#define DOCUMENT_MAX (4u << 20)

const char gh_cli_credential_words[] =
    "Credentials of backends: a document of kind credentials/1 says where each comes from, `gatehouse agent` fetches it ahead of its end and\n"
    "hands it to the workers, a file each. No command prints a secret.\n";

const char *const gh_cli_credential_forms[3] = { "key", "bearer", "aws" };

static const char *
joined(const gh_cli_t *cli, const char *directory, const char *name)
{
    gh_str_t text = gh_str_format(cli->arena, "%s/%s", directory, name);

    return text.data != NULL ? text.data : name;
}

const char *
gh_cli_credential_file(const gh_cli_t *cli)
{
    const char *file = gh_cli_value(cli, "file");

    return file != NULL ? file : joined(cli, gh_cli_secrets(cli), "credentials.json");
}

const char *
gh_cli_credential_directory(const gh_cli_t *cli)
{
    const char *directory = gh_cli_value(cli, "directory");

    return directory != NULL ? directory : joined(cli, gh_cli_home(cli), "cred");
}

int
gh_cli_credential_load(gh_cli_t *cli, gh_credential_list_t *list)
{
    const char *path = gh_cli_credential_file(cli);
    gh_error_t  error = { 0 };
    gh_report_t report;
    gh_str_t    text;
    int         rc;

    if (gh_cli_read_file(cli->arena, path, DOCUMENT_MAX, &text, &error) != GH_OK) {
        gh_cli_fail_error(cli, &error);
        gh_cli_advise("conf/documents.md shows a credentials/1 document; --file FILE names another one");
        return GH_EXIT_ERROR;
    }
    gh_report_init(&report, cli->arena);
    rc = gh_credentials_read(cli->arena, text, path, list, &report);
    for (size_t i = 0; i < report.count; i++) {
        const gh_error_t *one = &report.items[i].error;

        gh_cli_say("%s:%u:%u: %s: %s [%s]", one->source, one->line, one->column, report.items[i].severity == GH_SEVERITY_ERROR ? "error" : "warning", one->text,
            one->code);
    }
    return rc == GH_OK ? GH_EXIT_DONE : gh_cli_fail(cli, "%s has %zu mistake%s", path, report.errors, report.errors == 1 ? "" : "s");
}

bool
gh_cli_credential_wanted(const gh_cli_t *cli, const gh_credential_source_t *source)
{
    for (unsigned i = 0; i < cli->argument_count; i++) {
        if (gh_str_is(source->id, cli->arguments[i])) {
            return true;
        }
    }
    return cli->argument_count == 0;
}

int
gh_cli_credential_names(gh_cli_t *cli, const gh_credential_list_t *list)
{
    gh_str_t *names = gh_arena_array(cli->arena, list->count + 1, sizeof(*names)), near;

    for (unsigned i = 0; names != NULL && i < cli->argument_count; i++) {
        bool found = false;

        for (uint32_t c = 0; c < list->count; c++) {
            names[c] = list->items[c].id;
            found = found || gh_str_is(names[c], cli->arguments[i]);
        }
        if (!found) {
            near = gh_str_nearest(gh_str_from(cli->arguments[i]), names, list->count);
            return gh_cli_fail(cli, "%s has no credential %s%s%.*s%s", gh_cli_credential_file(cli), cli->arguments[i], near.len ? "; did you mean " : "",
                GH_STR_ARG(near), near.len ? "?" : "");
        }
    }
    return names != NULL ? GH_EXIT_DONE : gh_cli_fail(cli, "out of memory");
}

typedef struct {
    const gh_credential_source_t *source;
    gh_credential_t               credential;
    gh_error_t                    error;       /* code NULL: it works */
    uint64_t                      due_ms;
    gh_check_end_t                checked;
    gh_error_t                    unchecked;   /* why the check has no word */
    bool                          changed;
} result_t;

/* GH_ERROR: its backend refuses it. */
static int
check_one(gh_cli_t *cli, result_t *result)
{
    if (result->source->check != NULL) {
        result->checked = gh_credential_check(result->source->check, &result->credential, cli->arena, gh_cli_now_ms(), NULL, &result->unchecked);
    }
    if (result->checked == GH_CHECK_REFUSED) {
        result->error = result->unchecked;
    }
    return result->checked == GH_CHECK_REFUSED ? GH_ERROR : GH_OK;
}

static void
run_one(gh_cli_t *cli, bool hand, result_t *result)
{
    uint64_t            now_ms = gh_cli_now_ms();
    gh_credential_run_t run = { .arena = cli->arena, .now_ms = now_ms };
    const char         *directory = gh_cli_credential_directory(cli);
    gh_credential_why_t why;
    gh_error_t          error = { 0 };

    if (gh_credential_run(result->source, &run, &result->credential, &result->error) != GH_OK || check_one(cli, result) != GH_OK
        || (hand && gh_credential_hand(cli->arena, directory, result->source->id, &result->credential, &result->changed, &result->error) != GH_OK))
    {
        if (hand) {
            gh_credential_why_read(cli->arena, directory, result->source->id, &why);
            gh_credential_why_add(&why, &result->error, now_ms);
            (void) gh_credential_why_write(cli->arena, directory, result->source->id, &why, &error);
        }
        return;
    }
    result->error.code = NULL;
    result->due_ms = gh_credential_due(now_ms, result->credential.expires_ms, run.refresh_ms, 0);
    if (hand) {
        if (gh_credential_own(cli->arena, directory, result->source, &error) != GH_OK) {
            gh_cli_advise("%s: it stays when credentials/1 does not have it any more", error.text);
        }
        memset(&why, 0, sizeof(why));
        (void) gh_credential_why_write(cli->arena, directory, result->source->id, &why, &error);
    }
}

static void
print_one(gh_cli_t *cli, const result_t *result, bool hand, int width)
{
    printf("%-*.*s  %-24s  ", width, GH_STR_ARG(result->source->id), result->source->kind->word);
    if (result->error.code != NULL) {
        printf("fails: %s [%s]\n", result->error.text, result->error.code);
        return;
    }
    printf("works: %s", gh_cli_credential_forms[result->credential.form]);
    if (result->credential.expires_ms != 0) {
        printf(" until %s, fetched again about %s", gh_cli_time_text(cli->arena, result->credential.expires_ms), gh_cli_time_text(cli->arena, result->due_ms));
    } else {
        printf(", without an end");
    }
    if (result->source->check != NULL) {
        printf("; %s%s", result->checked == GH_CHECK_ACCEPTED ? "accepted where it is used" : "not checked: ", result->checked == GH_CHECK_ACCEPTED ? "" : result->unchecked.text);
    }
    printf("%s\n", !hand ? "" : result->changed ? "; handed over" : "; the workers have it");
}

static json_t *
json_one(gh_cli_t *cli, const result_t *result, bool hand)
{
    bool    works = result->error.code == NULL;
    json_t *object = json_pack("{s:s%, s:s, s:b}", "id", result->source->id.data, result->source->id.len, "source", result->source->kind->word, "works", works);
    int     failed = object == NULL;

    if (!failed && !works) {
        failed = json_object_set_new(object, "code", json_string(result->error.code)) != 0
            || json_object_set_new(object, "error", json_string(result->error.text)) != 0;
    }
    if (!failed && works) {
        failed = json_object_set_new(object, "form", json_string(gh_cli_credential_forms[result->credential.form])) != 0
            || (result->source->check != NULL && json_object_set_new(object, "accepted", result->checked == GH_CHECK_ACCEPTED ? json_true() : json_null()) != 0)
            || (hand && json_object_set_new(object, "changed", json_boolean(result->changed)) != 0)
            || (result->credential.expires_ms != 0
                && json_object_set_new(object, "expires", json_string(gh_cli_time_text(cli->arena, result->credential.expires_ms))) != 0);
    }
    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static int
print_all(gh_cli_t *cli, const result_t *results, uint32_t count, bool hand)
{
    json_t  *list = gh_cli_flag(cli, "json") ? json_array() : NULL;
    unsigned failed = 0;
    int      width = 2, status;

    for (uint32_t i = 0; i < count; i++) {
        width = (int) results[i].source->id.len > width ? (int) results[i].source->id.len : width;
        failed += results[i].error.code != NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!gh_cli_flag(cli, "json")) {
            print_one(cli, &results[i], hand, width);
        } else if (list != NULL && json_array_append_new(list, json_one(cli, &results[i], hand)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    status = gh_cli_flag(cli, "json") ? gh_cli_print_json(cli, list != NULL ? json_pack("{s:o}", "credentials", list) : NULL) : gh_cli_flush(cli);
    return status != GH_EXIT_DONE || failed == 0 ? status : GH_EXIT_ERROR;
}

int
gh_cli_credential_run(gh_cli_t *cli, bool hand)
{
    gh_credential_list_t list;
    result_t            *results;
    uint32_t             count = 0;
    int                  status = gh_cli_credential_load(cli, &list);

    status = status == GH_EXIT_DONE ? gh_cli_credential_names(cli, &list) : status;
    if (status != GH_EXIT_DONE) {
        return status;
    }
    results = gh_arena_array(cli->arena, list.count + 1, sizeof(*results));
    if (results == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }
    for (uint32_t i = 0; i < list.count; i++) {
        if (gh_cli_credential_wanted(cli, &list.items[i])) {
            results[count].source = &list.items[i];
            run_one(cli, hand, &results[count++]);
        }
    }
    return print_all(cli, results, count, hand);
}
