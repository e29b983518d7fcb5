/* `gatehouse policy test`: cases held against a policy, and what they reached of it. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cli/cases.h"
#include "policy/cli/files.h"
#include "policy/cli/policy_load.h"
#include "policy/compile/compile.h"

#define CASES_MAX_BYTES (16u << 20)

typedef struct {
    gh_cli_t             *cli;
    gh_cli_policy_t       policy;
    gh_report_t           report;
    gh_loader_t           loader;
    gh_cli_cases_t        cases;
    gh_cli_case_result_t *results;
    gh_cli_coverage_t    *coverage;
    gh_facts_t           *facts;
    uint64_t              now_ms;
    long                  least;        /* --min-coverage, percent; -1: not given */
    uint32_t              failed;
} testing_t;

static int
read_file(testing_t *t, const char *path)
{
    gh_error_t error = { 0 };
    gh_str_t   text;
    gh_node_t *root;

    if (gh_cli_read_input(t->cli->arena, path, CASES_MAX_BYTES, &text, &error) != GH_OK) {
        return gh_cli_fail_error(t->cli, &error);
    }

    t->loader.source = path;
    if (gh_json_parse(t->cli->arena, text, path, &root, &error) != GH_OK) {
        gh_report_add(&t->report, GH_SEVERITY_ERROR, error.code, path, error.line, error.column, "%s", error.text);
        return GH_EXIT_DONE;
    }

    const gh_node_t *kind = root->type == GH_NODE_OBJECT ? gh_node_get(root, "kind") : NULL;

    if (kind == NULL || kind->type != GH_NODE_STRING || !gh_str_is(kind->text, "cases/1")) {
        gh_doc_error(&t->loader, GH_WHERE(&t->loader, kind ? kind : root), "unknown_word",
            "a file of cases must say \"kind\": \"cases/1\"");
        return GH_EXIT_DONE;
    }
    gh_cli_cases_read(&t->loader, root, &t->cases);

    return GH_EXIT_DONE;
}

/* Names of cases are given once over all files. */
static void
check_given(testing_t *t)
{
    const gh_given_id_t *ids = t->loader.ids;

    for (uint32_t i = 0; i < t->loader.id_count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (gh_str_eq(ids[i].id, ids[k].id)) {
                gh_doc_error(&t->loader, ids[i].where, "duplicate", "%s \"%.*s\" is already given at %s:%u:%u", ids[i].what,
                    GH_STR_ARG(ids[i].id), ids[k].where.source, (unsigned) ids[k].where.line, (unsigned) ids[k].where.column);
                break;
            }
        }
    }
}

/* Policy time never runs backwards, and a case may ask about the past: the image is compiled for the earliest time of all. */
static int
compile_for_the_past(testing_t *t)
{
    uint64_t   earliest = t->now_ms;
    gh_error_t error = { 0 };

    for (uint32_t i = 0; i < t->cases.count; i++) {
        if (t->cases.items[i].at_ms != 0 && t->cases.items[i].at_ms < earliest) {
            earliest = t->cases.items[i].at_ms;
        }
    }
    gh_image_unref(t->policy.image);
    if (gh_compile_image(t->cli->arena, t->policy.model, earliest, &t->policy.image, &error) != GH_OK) {
        t->policy.image = NULL;
        return gh_cli_fail_error(t->cli, &error);
    }

    return GH_EXIT_DONE;
}

static int
read_cases(testing_t *t)
{
    int status = GH_EXIT_DONE;

    gh_report_init(&t->report, t->cli->arena);
    t->loader = (gh_loader_t) { .arena = t->cli->arena, .report = &t->report, .model = t->policy.model, .now_ms = t->now_ms };

    for (unsigned i = 0; i < t->cli->argument_count && status == GH_EXIT_DONE; i++) {
        status = read_file(t, t->cli->arguments[i]);
    }
    check_given(t);

    return status;
}

static int
run_cases(testing_t *t)
{
    gh_cli_case_run_t run = { .cli = t->cli, .loader = &t->loader, .image = t->policy.image, .facts = t->facts,
        .now_ms = t->now_ms, .coverage = t->coverage };

    gh_cli_sets_load(t->cli->arena, &run.sets);
    gh_cli_sets_prefer(&run.sets, t->policy.documents.sources, t->policy.documents.count);
    t->results = gh_arena_array(t->cli->arena, t->cases.count, sizeof(*t->results));
    if (t->results == NULL || t->coverage == NULL) {
        return gh_cli_fail(t->cli, "out of memory");
    }

    for (uint32_t i = 0; i < t->cases.count; i++) {
        if (gh_cli_case_run(&run, &t->cases.items[i], &t->results[i]) != GH_OK) {
            return GH_EXIT_ERROR;
        }
        t->failed += t->results[i].failed_runs > 0;
    }

    return GH_EXIT_DONE;
}

/* ---- printed ---- */

static void
print_failure(const gh_cli_case_result_t *result)
{
    const gh_cli_case_t *item = result->item;

    printf("FAILED  %s:%u:%u: %.*s\n", item->where.source, (unsigned) item->where.line, (unsigned) item->where.column,
        GH_STR_ARG(item->name));
    printf("  because: %.*s\n", GH_STR_ARG(item->because));
    printf("  as %.*s", GH_STR_ARG(result->failed_as));
    if (result->failed_runs > 1) {
        printf(", and %u more of %u", (unsigned) result->failed_runs - 1, (unsigned) result->runs);
    }
    printf(":\n");
    for (uint32_t i = 0; i < result->reasons.count; i++) {
        printf("  - %.*s\n", GH_STR_ARG(result->reasons.items[i]));
    }
}

static bool
covered_enough(const testing_t *t)
{
    gh_cli_coverage_counts_t counts = gh_cli_coverage_counts(t->coverage);

    return t->least < 0 || ((uint64_t) counts.rules_hit * 100 >= (uint64_t) t->least * counts.rules
                            && (uint64_t) counts.cells_hit * 100 >= (uint64_t) t->least * counts.cells);
}

static void
print(const testing_t *t)
{
    uint64_t decisions = 0;

    for (uint32_t i = 0; i < t->cases.count; i++) {
        decisions += t->results[i].runs;
        if (t->results[i].failed_runs > 0) {
            print_failure(&t->results[i]);
        }
    }
    printf("%s%u case%s passed, %u failed; %llu decisions", t->failed > 0 ? "\n" : "", (unsigned) (t->cases.count - t->failed),
        t->cases.count - t->failed == 1 ? "" : "s", (unsigned) t->failed, (unsigned long long) decisions);
    if (t->policy.revision != 0) {
        printf(" under revision %llu", (unsigned long long) t->policy.revision);
    }
    printf(".\n");

    gh_cli_coverage_print(t->coverage, t->policy.documents.prefix, gh_cli_flag(t->cli, "coverage"));
    if (!covered_enough(t)) {
        printf("Coverage is below the %ld%% that --min-coverage asks for.\n", t->least);
    }
}

static json_t *
result_json(const gh_cli_case_result_t *result)
{
    json_t *reasons = json_array();

    for (uint32_t i = 0; i < result->reasons.count; i++) {
        json_array_append_new(reasons, json_stringn(result->reasons.items[i].data, result->reasons.items[i].len));
    }

    return json_pack("{s:o, s:s, s:I, s:I, s:b, s:I, s:I, s:o, s:o}", "name",
        json_stringn(result->item->name.data, result->item->name.len), "file", result->item->where.source,
        "line", (json_int_t) result->item->where.line, "column", (json_int_t) result->item->where.column,
        "passed", result->failed_runs == 0, "decisions", (json_int_t) result->runs, "failed_decisions",
        (json_int_t) result->failed_runs, "as", json_stringn(result->failed_as.data, result->failed_as.len), "reasons", reasons);
}

static int
print_json(const testing_t *t, const gh_cli_documents_t *documents)
{
    json_t *object, *list, *results;

    list = gh_cli_report_json(documents, &t->report);
    if (t->report.errors > 0) {
        return gh_cli_print_json(t->cli, list ? json_pack("{s:b, s:o}", "passed", 0, "report", list) : NULL);
    }

    results = json_array();
    for (uint32_t i = 0; i < t->cases.count; i++) {
        json_array_append_new(results, result_json(&t->results[i]));
    }
    object = json_pack("{s:b, s:I, s:I, s:I, s:o, s:o, s:o}", "passed", t->failed == 0 && covered_enough(t), "cases",
        (json_int_t) t->cases.count, "failed", (json_int_t) t->failed, "revision", (json_int_t) t->policy.revision, "results", results,
        "coverage", gh_cli_coverage_json(t->coverage), "report", list ? list : json_array());

    return gh_cli_print_json(t->cli, object);
}

/* ---- the command ---- */

static int
read_options(testing_t *t)
{
    const char *least = gh_cli_value(t->cli, "min-coverage"), *now = gh_cli_value(t->cli, "now");
    char       *end;

    t->now_ms = gh_cli_now_ms();
    t->least = -1;
    if (now != NULL && gh_cli_time_parse(now, &t->now_ms) != GH_OK) {
        return gh_cli_misuse(t->cli, "--now %s is not a time such as 2026-11-21T09:30:00Z", now);
    }
    if (least != NULL) {
        t->least = strtol(least, &end, 10);
        if (*end != '\0' || end == least || t->least < 0 || t->least > 100) {
            return gh_cli_misuse(t->cli, "--min-coverage %s is not a percentage from 0 to 100", least);
        }
    }

    return GH_EXIT_DONE;
}

static int
test(testing_t *t)
{
    const char        *directory = gh_cli_value(t->cli, "policy");
    gh_cli_documents_t none = { .prefix = "" };
    gh_error_t         error = { 0 };
    int                status;

    if ((status = gh_cli_policy_load(t->cli, directory, 0, t->now_ms, &t->policy)) != GH_EXIT_DONE) {
        return status;
    }
    if (gh_facts_load(t->cli->arena, GH_STR(""), &t->facts, &error) != GH_OK) {
        return gh_cli_fail_error(t->cli, &error);
    }
    if ((status = read_cases(t)) != GH_EXIT_DONE) {
        return status;
    }
    if (t->report.errors == 0 && !t->report.no_memory) {
        if ((status = compile_for_the_past(t)) != GH_EXIT_DONE) {
            return status;
        }
        t->coverage = gh_cli_coverage_new(t->cli->arena, t->policy.model, t->policy.image);
        if ((status = run_cases(t)) != GH_EXIT_DONE) {
            return status;
        }
    }
    gh_cli_report_print(t->cli, &none, &t->report);

    if (gh_cli_flag(t->cli, "json")) {
        status = print_json(t, &none);
    } else if (t->report.errors == 0) {
        print(t);
        status = gh_cli_flush(t->cli);
    }

    return status == GH_EXIT_DONE && t->report.errors == 0 && !t->report.no_memory && t->failed == 0 && covered_enough(t)
        ? GH_EXIT_DONE : GH_EXIT_ERROR;
}

static int
run(gh_cli_t *cli)
{
    testing_t t = { .cli = cli };
    int       status = read_options(&t);

    if (status == GH_EXIT_DONE) {
        status = test(&t);
    }
    if (t.policy.image != NULL) {
        gh_image_unref(t.policy.image);
    }

    return status;
}

static const gh_cli_option_t options[] = {
    { "policy", "DIR", "tests the documents below DIR instead of the revision in\nforce; no store is needed then", false },
    { "now", "TIME", "the time of cases without \"at\" (RFC 3339; default: now)", false },
    { "coverage", NULL, "prints every rule and class, not only those that no\ncase reached", false },
    { "min-coverage", "PERCENT", "fails when fewer rules decided, or fewer classes were\nheld against deployments", false },
    GH_CLI_STORE_OPTIONS,
    { "json", NULL, "prints an object: passed, cases, results, coverage, report", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_test = {
    .name = "policy test",
    .usage = "FILE... [--policy DIR] [options]",
    .summary = "holds cases, each with its reason, against a policy",
    .help =
        "Reads cases (documents of the kind cases/1) and decides on each by the function that the workers use: does\n"
        "the policy answer as expected? Prints every case that failed with what was decided instead, then what the\n"
        "cases reached: the rules that decided somewhere, and for each class the deployments it was held against.",
    .exits = " (a case failed, a file has an error, or the coverage is too low)",
    .options = options,
    .least = 1,
    .most = 10000,
    .run = run,
};
