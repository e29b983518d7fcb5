#include "policy/cli/revision_documents.h"

#include <string.h>

#include "policy/store/store_write.h"

int
gh_cli_fail_revision(gh_cli_t *cli, gh_store_t *store, const gh_error_t *error)
{
    uint64_t   newest = 0;
    gh_error_t ignored;

    if (error->code == NULL || strcmp(error->code, "revision_unknown") != 0) {
        return gh_cli_fail_store(cli, error);
    }
    gh_cli_fail(cli, "%s", error->text);
    if (gh_store_revision_number(store, &newest, &ignored) == GH_OK && newest != 0) {
        gh_cli_advise("the newest is %llu; `gatehouse policy history%s` lists them", (unsigned long long) newest,
            gh_cli_store_words(cli));
    } else {
        gh_cli_advise("gatehouse policy apply DIR%s", gh_cli_store_words(cli));
    }

    return GH_EXIT_ERROR;
}

/* The record of a revision; 0: of the one in force. */
static int
read_record(gh_cli_t *cli, gh_store_t *store, uint64_t revision, gh_store_revision_t *record, gh_error_t *error)
{
    if (revision == 0) {
        if (gh_store_revision_number(store, &revision, error) != GH_OK) {
            return GH_ERROR;
        }
        if (revision == 0) {
            return gh_error_set(error, "store_empty", "no policy was applied yet");
        }
    }

    return gh_store_revision_read(store, revision, cli->arena, record, error);
}

int
gh_cli_revision_documents_of(gh_cli_t *cli, gh_store_t *store, uint64_t revision, const gh_scope_t *scope,
    gh_cli_documents_t *documents)
{
    gh_store_revision_t record;
    gh_error_t          error = { 0 };
    gh_str_t            prefix;
    unsigned            tries = 0;
    int                 rc;

    do {
        rc = read_record(cli, store, revision, &record, &error);
    } while (rc != GH_OK && gh_cli_again(&error, &tries));

    if (rc != GH_OK) {
        return gh_cli_fail_revision(cli, store, &error);
    }

    prefix = gh_str_format(cli->arena, "revision %llu: ", (unsigned long long) record.number);
    *documents = (gh_cli_documents_t) { .prefix = prefix.data };
    documents->sources = gh_arena_array(cli->arena, record.document_count, sizeof(*documents->sources));
    if (documents->sources == NULL || prefix.data == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }

    for (size_t i = 0; i < record.document_count; i++) {
        gh_document_source_t *source = &documents->sources[documents->count];

        if (!gh_scope_replaces(scope, record.documents[i].owner)) {
            continue;
        }

        do {
            rc = gh_store_document(store, record.documents[i].sha256, cli->arena, &source->bytes, &error);
        } while (rc != GH_OK && gh_cli_again(&error, &tries));

        if (rc != GH_OK) {
            return gh_cli_fail_store(cli, &error);
        }
        source->path = record.documents[i].path;
        documents->count++;
    }

    return GH_EXIT_DONE;
}

int
gh_cli_revision_documents(gh_cli_t *cli, gh_store_t *store, uint64_t revision, gh_cli_documents_t *documents)
{
    const gh_scope_t all = { .kind = GH_SCOPE_ALL };

    return gh_cli_revision_documents_of(cli, store, revision, &all, documents);
}
