/* `gatehouse policy apply`: a directory of documents becomes the next revision, or nothing changes. */
#include <stdio.h>
#include <string.h>

#include "policy/cli/policy.h"
#include "policy/compile/compile.h"

/* What the revision now in force holds. */
typedef struct {
    uint32_t deployments, tenants, apps;
} counts_t;

static int
count(gh_store_t *store, uint64_t now_ms, counts_t *counts, gh_error_t *error)
{
    gh_image_t *image;
    unsigned    tries = 0;

    while (gh_store_current(store, now_ms, &image, error) != GH_OK) {
        if (!gh_cli_again(error, &tries)) {
            return GH_ERROR;
        }
    }

    counts->deployments = gh_image_deployment_count(image);
    counts->tenants = gh_image_counts(image).tenants;
    counts->apps = gh_image_counts(image).apps;

    return GH_OK;
}

static const char *
plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static int
report_failure(gh_cli_t *cli, const gh_cli_documents_t *documents, const gh_report_t *report)
{
    gh_cli_report_print(cli, documents, report);
    gh_cli_say("nothing was applied: %zu error%s, %zu warning%s", report->errors, plural(report->errors),
        report->count - report->errors, plural(report->count - report->errors));

    if (gh_cli_flag(cli, "json")) {
        json_t *list = gh_cli_report_json(documents, report);

        gh_cli_print_json(cli, list ? json_pack("{s:b, s:o}", "applied", 0, "report", list) : NULL);
    }

    return GH_EXIT_ERROR;
}

static int
report_success(gh_cli_t *cli, const gh_cli_documents_t *documents, const gh_report_t *report, uint64_t revision,
    const counts_t *counts)
{
    size_t warnings = report->count - report->errors;

    gh_cli_report_print(cli, documents, report);

    if (gh_cli_flag(cli, "json")) {
        json_t *list = gh_cli_report_json(documents, report);

        return gh_cli_print_json(cli, list == NULL ? NULL : json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:o}", "applied", 1,
            "revision", (json_int_t) revision, "documents", (json_int_t) documents->count,
            "deployments", (json_int_t) counts->deployments, "tenants", (json_int_t) counts->tenants,
            "apps", (json_int_t) counts->apps, "report", list));
    }

    printf("revision %llu\n", (unsigned long long) revision);
    printf("%zu document%s, %u deployment%s, %u tenant%s with %u app%s, %zu warning%s\n", documents->count,
        plural(documents->count), (unsigned) counts->deployments, plural(counts->deployments),
        (unsigned) counts->tenants, plural(counts->tenants), (unsigned) counts->apps, plural(counts->apps), warnings,
        plural(warnings));

    return gh_cli_flush(cli);
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

/* gh_apply, again while other editors keep the store busy. */
static int
apply_patiently(gh_cli_t *cli, gh_store_t *store, const gh_apply_t *apply, uint64_t *revision, gh_report_t *report)
{
    gh_error_t error;
    unsigned   tries = 0;

    do {
        gh_report_init(report, cli->arena);

        if (gh_apply(store, cli->arena, apply, revision, report) == GH_OK) {
            return GH_OK;
        }
        error = last_error(report);
    } while (report->errors == 1 && gh_cli_again(&error, &tries));

    return GH_ERROR;
}

static int
run(gh_cli_t *cli)
{
    const char        *reason = gh_cli_value(cli, "reason");
    gh_cli_documents_t documents;
    gh_report_t        report;
    gh_error_t         error = { 0 };
    counts_t           counts = { 0 };
    gh_store_t        *store;
    uint64_t           revision;
    int                status;

    store = gh_cli_store_open(cli, true);
    if (store == NULL) {
        return GH_EXIT_ERROR;
    }

    if (gh_cli_documents_read(cli, cli->arguments[0], &documents) != GH_EXIT_DONE) {
        gh_store_close(store);
        return GH_EXIT_ERROR;
    }

    gh_apply_t apply = {
        .sources = documents.sources,
        .source_count = documents.count,
        .author = gh_cli_actor(cli),
        .reason = gh_str_from(reason ? reason : ""),
        .now_ms = gh_cli_now_ms(),
    };

    if (apply_patiently(cli, store, &apply, &revision, &report) != GH_OK) {
        status = report_failure(cli, &documents, &report);

    } else if (count(store, apply.now_ms, &counts, &error) != GH_OK) {
        gh_cli_say("revision %llu was applied, but does not read back", (unsigned long long) revision);
        status = gh_cli_fail_store(cli, &error);

    } else {
        status = report_success(cli, &documents, &report, revision, &counts);
    }

    gh_store_close(store);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    { "author", "NAME", "who makes this edit (default: $SUDO_USER, $USER)", false },
    { "reason", "TEXT", "why, kept with the revision", false },
    { "json", NULL, "prints an object: applied, revision, counts, report", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_apply = {
    .name = "policy apply",
    .usage = "DIR [options]",
    .summary = "makes the documents below DIR the policy in force",
    .help =
        "Reads every *.json below DIR (kinds residency/1, fleet/1, tenants/1) and makes all of them the next\n"
        "numbered revision, or changes nothing. Every error is printed as file:line:col: error: text. Every\n"
        "worker decides by the new revision at its next request; nothing is reloaded.\n"
        "Names that begin with \".\" are not looked at; a link to a directory is an error.",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
