/* `gatehouse fleet import`: what a cloud says of the deployments there, as fleet/1 with its evidence. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/agent/import_compare.h"
#include "policy/cli/files.h"
#include "policy/cli/fleet_clouds.h"
#include "policy/cli/policy.h"

typedef struct {
    gh_cli_t            *cli;
    gh_import_t          import;
    gh_str_t             text;       /* of the document */
    gh_import_summary_t  summary;
    const char          *output, *merge;
    gh_differences_t     differences;   /* from the document that it is merged into */
} importing_t;

/* ---- writing ---- */

static int
write_new(const importing_t *i, const char *path, int flags)
{
    int      fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666), saved = errno;
    gh_str_t text = i->text;
    bool     good = fd != -1;

    while (good && text.len > 0) {
        ssize_t n = write(fd, text.data, text.len);

        good = n > 0;
        saved = errno;
        text.data += good ? n : 0;
        text.len -= good ? (size_t) n : 0;
    }
    if (good && fsync(fd) != 0) {
        good = false;
        saved = errno;
    }
    if (fd != -1 && close(fd) != 0 && good) {
        good = false;
        saved = errno;
    }
    if (fd != -1 && !good) {
        unlink(path);
    }

    return good ? GH_EXIT_DONE : gh_cli_fail(i->cli, "cannot write %s: %s", path, strerror(saved));
}

/* Beside it first, so that what stands there is whole, before and after. */
static int
write_over(const importing_t *i)
{
    gh_str_t beside = gh_str_format(i->cli->arena, "%s.new", i->output);
    int      status = beside.data != NULL ? write_new(i, beside.data, O_TRUNC) : gh_cli_fail(i->cli, "out of memory");

    if (status == GH_EXIT_DONE && rename(beside.data, i->output) != 0) {
        status = gh_cli_fail(i->cli, "cannot write %s: %s", i->output, strerror(errno));
        unlink(beside.data);
    }

    return status;
}

static int
write_document(const importing_t *i)
{
    if (i->output == NULL) {
        return GH_EXIT_DONE;
    }

    return gh_cli_flag(i->cli, "replace") ? write_over(i) : write_new(i, i->output, O_EXCL);
}

/* ---- saying ---- */

static void
print_backends(const importing_t *i)
{
    const gh_import_t *import = &i->import;

    printf("\nBackends to name in nginx.conf:\n");
    for (uint32_t d = 0; d < import->deployment_count; d++) {
        bool said = false;

        for (uint32_t before = 0; before < d && !said; before++) {
            said = gh_str_eq(import->deployments[before].backend, import->deployments[d].backend);
        }
        if (!said) {
            printf("  %.*s  %.*s\n", GH_STR_ARG(import->deployments[d].backend), GH_STR_ARG(import->deployments[d].host));
        }
    }
}

static int
print(const importing_t *i)
{
    printf("%.*s\n", GH_STR_ARG(i->summary.sentence));
    for (uint32_t n = 0; n < i->import.note_count; n++) {
        printf("  %.*s\n", GH_STR_ARG(i->import.notes[n]));
    }
    if (i->merge != NULL) {
        printf("\n%s: %u difference%s\n", i->merge, i->differences.count, i->differences.count == 1 ? "" : "s");
        gh_cli_differences_print(i->cli, &i->differences);
    }
    if (i->import.deployment_count > 0) {
        print_backends(i);
        printf("\nNo control plane says what contracts say: state \"training\", \"attest\" and \"serves\", each fact with its evidence.\n");
    }
    if (i->output != NULL) {
        printf("Written: %s. Next: gatehouse fleet check DIR, with that file among the documents of DIR.\n", i->output);
    } else {
        printf("Nothing was written: --output FILE does, --json prints the document.\n");
    }

    return gh_cli_flush(i->cli);
}

static json_t *
text_json(gh_str_t text)
{
    return json_stringn(text.data, text.len);
}

static int
print_json(const importing_t *i)
{
    json_t  *notes = json_array(), *kept = json_array();
    uint32_t n;

    for (n = 0; n < i->import.note_count; n++) {
        json_array_append_new(notes, text_json(i->import.notes[n]));
    }
    for (n = 0; n < i->summary.kept_distinct; n++) {
        json_array_append_new(kept, json_pack("{s:I, s:I}", "days", (json_int_t) i->summary.kept_days[n], "count", (json_int_t) i->summary.kept_count[n]));
    }

    return gh_cli_print_json(i->cli, json_pack("{s:o, s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "sentence", text_json(i->summary.sentence),
        "deployments", (json_int_t) i->summary.deployments, "models", (json_int_t) i->summary.targets, "anywhere", (json_int_t) i->summary.anywhere,
        "unknown", (json_int_t) i->summary.unknown, "because", text_json(i->summary.because), "kept", (json_int_t) i->summary.kept, "kept_days", kept,
        "notes", notes, "differences", gh_cli_differences_json(&i->differences), "written", i->output != NULL ? json_string(i->output) : json_null(), "fleet", json_loadb(i->text.data, i->text.len, 0, NULL)));
}

/* ---- the command ---- */

static int
read_options(importing_t *i)
{
    struct stat info;

    i->output = gh_cli_value(i->cli, "output");
    i->merge = gh_cli_value(i->cli, "merge");
    if (gh_cli_flag(i->cli, "replace") && i->output == NULL) {
        return gh_cli_misuse(i->cli, "--replace needs --output FILE");
    }
    if (i->output != NULL && !gh_cli_flag(i->cli, "replace") && lstat(i->output, &info) == 0) {
        gh_cli_fail(i->cli, "%s exists; nothing was asked and nothing was written", i->output);
        gh_cli_advise("name another file, or say --replace");
        return GH_EXIT_ERROR;
    }

    return GH_EXIT_DONE;
}

static int
make_document(importing_t *i)
{
    gh_node_t  *root = gh_import_document(&i->import);
    gh_report_t report;

    i->text = root != NULL ? gh_tree_print(i->cli->arena, root) : (gh_str_t) { NULL, 0 };
    if (i->text.data == NULL) {
        return gh_cli_fail(i->cli, "out of memory");
    }
    if (gh_import_summarise(&i->import, i->text, &i->summary, &report) != GH_OK) {
        gh_cli_documents_t documents = { .prefix = "", .sources = NULL };

        gh_cli_report_print(i->cli, &documents, &report);
        return gh_cli_fail(i->cli, "what the cloud says makes no valid document; nothing was written");
    }

    return GH_EXIT_DONE;
}

/* What people wrote in a document, and what the cloud says now. */
static int
merge_document(importing_t *i)
{
    gh_error_t  error = { 0 };
    gh_node_t  *root;
    gh_str_t    text;

    if (i->merge == NULL) {
        return GH_EXIT_DONE;
    }
    if (gh_cli_read_file(i->cli->arena, i->merge, GH_CLI_DOCUMENT_MAX, &text, &error) != GH_OK
        || gh_json_parse(i->cli->arena, text, i->merge, &root, &error) != GH_OK
        || gh_import_compare(&i->import, root, true, &i->differences, &error) != GH_OK)
    {
        return gh_cli_fail_error(i->cli, &error);
    }
    i->text = gh_tree_print(i->cli->arena, root);

    return i->text.data != NULL ? GH_EXIT_DONE : gh_cli_fail(i->cli, "out of memory");
}

static int
run(gh_cli_t *cli)
{
    importing_t i = { .cli = cli };
    int         status = read_options(&i);

    if (status == GH_EXIT_DONE) {
        status = gh_cli_cloud_import(cli, cli->arguments[0], NULL, &i.import);
    }
    if (status == GH_EXIT_DONE) {
        status = make_document(&i);
    }
    if (status == GH_EXIT_DONE) {
        status = merge_document(&i);
    }
    if (status == GH_EXIT_DONE) {
        status = write_document(&i);
    }
    if (status == GH_EXIT_DONE) {
        status = gh_cli_flag(cli, "json") ? print_json(&i) : print(&i);
    }

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_CLOUD_OPTIONS,
    { "merge", "FILE", "brings this fleet/1 document up to date: what people state in it\nstays, and what is otherwise is named", false },
    { "output", "FILE", "writes the fleet/1 document; a file that exists is left as it is", false },
    { "replace", NULL, "with --output: a file that exists is replaced", false },
    { "json", NULL, "prints an object: sentence, deployments, models, anywhere, unknown,\nbecause, kept, kept_days, notes, differences, written, fleet", false },
    { 0 }
};

const gh_cli_command_t gh_cli_fleet_import = {
    .name = "fleet import",
    .usage = "azure|bedrock [options]",
    .summary = "asks a cloud what its deployments are, and writes fleet/1",
    .help =
        "Asks the control plane of a cloud, with credentials that may only read, which deployments there are, where they\n"
        "run and what is kept, and writes it as a fleet/1 document. Each fact has the call it comes from as its evidence;\n"
        "what no answer says stays unknown, with the reason. No gateway, store or agent is needed.\n"
        "\n"
        "azure asks Azure Resource Manager for accounts of kind OpenAI and AIServices and their deployments. The token's\n"
        "owner needs the role Reader. The capability ContentLogging \"false\" says that nothing is kept; without it, abuse\n"
        "monitoring keeps up to 30 days, in countries that are not published.\n"
        "\n"
        "bedrock needs the IAM permissions bedrock:ListFoundationModels, ListInferenceProfiles, GetInferenceProfile,\n"
        "ListProvisionedModelThroughputs, and for what is kept GetAccountDataRetention and\n"
        "GetModelInvocationLoggingConfiguration: without one of these two, it is unknown. Credentials come from --credential,\n"
        "or from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
