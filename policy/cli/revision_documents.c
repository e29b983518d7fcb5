#include "policy/cli/revision_documents.h"

#include "policy/store/store_write.h"

static const gh_store_revision_t *
find(const gh_store_revision_t *revisions, size_t count, uint64_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (number == 0 || revisions[i].number == number) {
            return &revisions[i];
        }
    }

    return NULL;
}

int
gh_cli_revision_documents(gh_cli_t *cli, gh_store_t *store, uint64_t revision, gh_cli_documents_t *documents)
{
    gh_store_revision_t       *revisions;
    const gh_store_revision_t *found;
    gh_error_t                 error = { 0 };
    size_t                     count;
    unsigned                   tries = 0;

    *documents = (gh_cli_documents_t) { .prefix = "" };

    while (gh_store_history(store, cli->arena, &revisions, &count, &error) != GH_OK) {
        if (!gh_cli_again(&error, &tries)) {
            return gh_cli_fail_store(cli, &error);
        }
    }

    found = find(revisions, count, revision);
    if (found == NULL) {
        return count == 0 ? gh_cli_fail_store(cli, &(gh_error_t) { .code = "store_empty", .text = "no policy was applied yet" })
                          : gh_cli_fail(cli, "there is no revision %llu", (unsigned long long) revision);
    }

    documents->sources = gh_arena_array(cli->arena, found->document_count, sizeof(*documents->sources));
    if (documents->sources == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }

    for (size_t i = 0; i < found->document_count; i++) {
        documents->sources[i].path = found->documents[i].path;
        if (gh_store_document(store, found->documents[i].sha256, cli->arena, &documents->sources[i].bytes, &error) != GH_OK) {
            return gh_cli_fail_store(cli, &error);
        }
    }
    documents->count = found->document_count;

    return GH_EXIT_DONE;
}
