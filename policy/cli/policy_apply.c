/* `gatehouse policy apply`: documents, or a saved plan, become the next revision, or nothing changes. */
#include <sys/stat.h>

#include "policy/cli/barrier.h"
#include "policy/cli/edit.h"
#include "policy/cli/plan_file.h"

static bool
is_file(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

static int
apply_plan(gh_cli_t *cli, gh_store_t *store, const char *path)
{
    gh_cli_plan_t plan;
    int           status;

    if (gh_cli_flag(cli, "gateway") || gh_cli_value(cli, "organisation") || gh_cli_value(cli, "base")) {
        return gh_cli_misuse(cli, "%s is a saved plan, which says what it changes and what it was made on: leave out "
            "--organisation, --gateway and --base", path);
    }

    status = gh_cli_plan_read(cli, path, &plan);
    if (status == GH_EXIT_DONE) {
        status = gh_cli_edit_commit(cli, store, &plan.edit);
        json_decref(plan.summary);
    }

    return status;
}

static int
apply_directory(gh_cli_t *cli, gh_store_t *store, const char *path)
{
    gh_cli_edit_t edit;
    int           status = gh_cli_edit_read(cli, path, &edit);

    return status == GH_EXIT_DONE ? gh_cli_edit_commit(cli, store, &edit) : status;
}

static int
run(gh_cli_t *cli)
{
    const char *path = cli->arguments[0];
    gh_scope_t  scope;
    gh_store_t *store;
    int         status = gh_cli_scope(cli, &scope);

    if (status != GH_EXIT_DONE) {
        return status;
    }

    store = gh_cli_store_open(cli, true);
    if (store == NULL) {
        return GH_EXIT_ERROR;
    }

    status = is_file(path) ? apply_plan(cli, store, path) : apply_directory(cli, store, path);
    gh_store_close(store);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_SCOPE_OPTIONS,
    { "base", "N", "refuses when what the edit depends on changed after revision N,\nthe one the editor saw", false },
    { "author", "NAME", "who makes this edit (default: $SUDO_USER, $USER)", false },
    { "reason", "TEXT", "why, kept with the revision for ever", false },
    GH_CLI_CUT_OPTIONS,
    GH_CLI_BARRIER_OPTIONS,
    { "json", NULL, "prints an object: applied, revision, base, changed, counts, report, obeyed,\nworkers, cut, finishing, waiting", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_apply = {
    .name = "policy apply",
    .usage = "DIR|PLAN [options]",
    .summary = "makes the documents below DIR, or a saved plan, the policy in force",
    .help =
        "Reads every *.json below DIR (kinds residency/1, fleet/1, tenants/1, identity/1) and makes all of them the next\n"
        "numbered revision, or changes nothing. Every error is printed as file:line:col: error: text.\n"
        "When the command is done no worker sends anything under an older revision, and running requests were\n"
        "judged again; nothing is reloaded. A worker that has not confirmed it in time is named: exit code 3.\n"
        "Names that begin with \".\" are not looked at; a link to a directory is an error.\n"
        "With 10000 apps and more an edit of tenants/1 documents reads only those that changed, and says so.\n"
        "\n"
        "With --organisation ORG the documents below DIR replace only those of ORG: its policy, and the tenants/1\n"
        "document that gives it alone. A document of another organisation, a guard or a fleet is refused. All\n"
        "documents are checked together all the same.\n"
        "\n"
        "PLAN is a file of `gatehouse policy plan --out`: exactly what it says is applied, or nothing. It is\n"
        "refused when documents it depends on changed since it was made: those of its scope, and for an\n"
        "organisation also the gateway's; for the gateway and for everything, any document. --base N does the same\n"
        "for a DIR. Without it the edit stands on whatever is in force.",
    .options = options,
    .exits = GH_CLI_BARRIER_EXITS,
    .least = 1,
    .most = 1,
    .run = run,
};
