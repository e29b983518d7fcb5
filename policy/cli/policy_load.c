#include "policy/cli/policy_load.h"

#include "policy/cli/revision_documents.h"
#include "policy/compile/compile.h"
#include "policy/store/store_write.h"

static int
from_store(gh_cli_t *cli, uint64_t revision, gh_cli_policy_t *policy)
{
    gh_store_t *store = gh_cli_store_open(cli, false);
    gh_error_t  error = { 0 };
    unsigned    tries = 0;
    int         status;

    if (store == NULL) {
        return GH_EXIT_ERROR;
    }

    status = GH_OK;
    policy->revision = revision;
    while (revision == 0 && gh_store_revision_number(store, &policy->revision, &error) != GH_OK) {
        if (!gh_cli_again(&error, &tries)) {
            status = GH_ERROR;
            break;
        }
    }

    status = status != GH_OK ? gh_cli_fail_store(cli, &error)
                             : gh_cli_revision_documents(cli, store, policy->revision, &policy->documents);
    gh_store_close(store);

    return status;
}

int
gh_cli_policy_load(gh_cli_t *cli, const char *directory, uint64_t revision, uint64_t compiled_ms, gh_cli_policy_t *policy)
{
    gh_error_t error = { 0 };
    int        status;

    *policy = (gh_cli_policy_t) { 0 };
    status = directory != NULL ? gh_cli_documents_read(cli, directory, &policy->documents) : from_store(cli, revision, policy);
    if (status != GH_EXIT_DONE) {
        return status;
    }

    gh_report_init(&policy->report, cli->arena);
    if (gh_documents_load(cli->arena, policy->documents.sources, policy->documents.count, gh_cli_now_ms(), &policy->model,
            &policy->report) != GH_OK)
    {
        gh_cli_report_print(cli, &policy->documents, &policy->report);
        return GH_EXIT_ERROR;
    }

    if (gh_compile_image(cli->arena, policy->model, compiled_ms, &policy->image, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }

    return GH_EXIT_DONE;
}
