/* `gatehouse policy validate`: what `policy apply` would say, without a store. */
#include <stdio.h>

#include "policy/cli/policy.h"
#include "policy/compile/compile.h"

/* The rest of what apply does before it writes: limits that only compiling sees. */
static int
compile(gh_cli_t *cli, const gh_model_t *model, uint64_t now_ms, gh_report_t *report)
{
    gh_error_t  error = { 0 };
    gh_image_t *image;

    if (gh_compile_image(cli->arena, model, now_ms, &image, &error) != GH_OK) {
        gh_report_add(report, GH_SEVERITY_ERROR, error.code, error.source, error.line, error.column, "%s", error.text);
        return GH_ERROR;
    }
    gh_image_unref(image);

    return GH_OK;
}

static int
print(gh_cli_t *cli, const gh_cli_documents_t *documents, const gh_report_t *report, bool valid)
{
    size_t warnings = report->count - report->errors;

    if (gh_cli_flag(cli, "json")) {
        json_t *list = gh_cli_report_json(documents, report);

        return gh_cli_print_json(cli, list ? json_pack("{s:b, s:I, s:o}", "valid", valid, "documents",
            (json_int_t) documents->count, "report", list) : NULL);
    }

    printf("%s: %zu document%s, %zu error%s, %zu warning%s\n", valid ? "valid" : "not valid", documents->count,
        documents->count == 1 ? "" : "s", report->errors, report->errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");

    return gh_cli_flush(cli);
}

static int
run(gh_cli_t *cli)
{
    uint64_t           now_ms = gh_cli_now_ms();
    gh_cli_documents_t documents;
    gh_report_t        report;
    gh_model_t        *model;
    int                status;
    bool               refused;

    if (gh_cli_documents_read_all(cli, cli->arguments, cli->argument_count, &documents) != GH_EXIT_DONE) {
        return GH_EXIT_ERROR;
    }

    gh_report_init(&report, cli->arena);
    status = gh_documents_load(cli->arena, documents.sources, documents.count, now_ms, &model, &report);
    if (status == GH_OK) {
        status = compile(cli, model, now_ms, &report);
    }

    refused = status != GH_OK || (gh_cli_flag(cli, "strict") && report.count != 0);
    gh_cli_report_print(cli, &documents, &report);

    return print(cli, &documents, &report, !refused) != GH_EXIT_DONE || refused ? GH_EXIT_ERROR : GH_EXIT_DONE;
}

static const gh_cli_option_t options[] = {
    { "strict", NULL, "warnings count as errors: exit code 1", false },
    { "json", NULL, "prints an object: valid, documents, report", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_validate = {
    .name = "policy validate",
    .usage = "DIR|FILE... [options]",
    .summary = "checks documents as apply would, without a store",
    .help =
        "Says what `gatehouse policy apply` would say of these documents together, and changes nothing. It needs\n"
        "neither a home nor a store: for editors and continuous integration. Every finding ends in its name in brackets;\n"
        "the manual page lists those of warnings.",
    .options = options,
    .least = 1,
    .most = 10000,
    .run = run,
};
