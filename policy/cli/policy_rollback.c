/* `gatehouse policy rollback`: the documents of an older revision become a new one. */
#include <string.h>

#include "policy/cli/barrier.h"
#include "policy/cli/edit.h"
#include "policy/cli/revision_documents.h"

/* Messages name a document by the revision it comes from; so does `shown`, which tells it from those in force. */
static int
name_sources(gh_cli_t *cli, gh_cli_documents_t *documents)
{
    const char **shown = gh_arena_array(cli->arena, documents->count, sizeof(*shown));

    if (shown == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }
    for (size_t i = 0; i < documents->count; i++) {
        shown[i] = gh_str_format(cli->arena, "%s%.*s", documents->prefix, GH_STR_ARG(documents->sources[i].path)).data;
        if (shown[i] == NULL) {
            return gh_cli_fail(cli, "out of memory");
        }
    }
    documents->shown = shown;

    return GH_EXIT_DONE;
}

/* Where a document of the gateway in a revision gives the tenants of the organisation; revision 0: in force. */
static int
find_shared(gh_cli_t *cli, gh_store_t *store, uint64_t revision, gh_str_t organisation, bool *found, gh_where_t *where)
{
    const gh_scope_t   gateway = { .kind = GH_SCOPE_GATEWAY };
    gh_cli_documents_t documents;
    int                status = gh_cli_revision_documents_of(cli, store, revision, &gateway, &documents);

    *found = false;
    for (size_t i = 0; status == GH_EXIT_DONE && i < documents.count && !*found; i++) {
        *found = gh_document_gives(cli->arena, &documents.sources[i], organisation, where);
    }

    return status;
}

/*
 * An organisation's documents of a time when its tenants stood in a document of the gateway are its policy only: with them alone it
 * would have no tenants, when it has a document of its own for them today.
 */
static int
check_tenants(gh_cli_t *cli, gh_store_t *store, const gh_cli_edit_t *edit)
{
    bool       then = false, now = false;
    gh_where_t where, ignored;
    int        status = GH_EXIT_DONE;

    if (edit->scope.kind == GH_SCOPE_ORGANISATION) {
        status = find_shared(cli, store, edit->rollback_of, edit->scope.organisation, &then, &where);
    }
    if (status == GH_EXIT_DONE && then) {
        status = find_shared(cli, store, 0, edit->scope.organisation, &now, &ignored);
    }
    if (status != GH_EXIT_DONE || !then || now) {
        return status;
    }
    gh_cli_fail(cli, "in revision %llu the tenants of \"%.*s\" stood in a document of the gateway, %s:%u:%u, which is not part of "
        "this rollback", (unsigned long long) edit->rollback_of, GH_STR_ARG(edit->scope.organisation), where.source, where.line,
        where.column);
    gh_cli_advise("`gatehouse policy export %llu DIR%s`, put what is wanted of it into the organisation's own directory, and apply "
        "that", (unsigned long long) edit->rollback_of, gh_cli_store_words(cli));

    return GH_EXIT_ERROR;
}

static int
roll_back(gh_cli_t *cli, gh_store_t *store, gh_cli_edit_t *edit)
{
    const char *words;
    int         status = gh_cli_revision_documents_of(cli, store, edit->rollback_of, &edit->scope, &edit->documents);

    if (status != GH_EXIT_DONE) {
        return status;
    }
    if (edit->documents.count == 0) {
        words = gh_scope_words(cli->arena, &edit->scope);
        gh_cli_fail(cli, "revision %llu has none of %s", (unsigned long long) edit->rollback_of, words);
        gh_cli_advise("gatehouse policy history %llu%s", (unsigned long long) edit->rollback_of, gh_cli_store_words(cli));
        return GH_EXIT_ERROR;
    }

    status = check_tenants(cli, store, edit);
    if (status == GH_EXIT_DONE) {
        status = name_sources(cli, &edit->documents);
    }

    return status == GH_EXIT_DONE ? gh_cli_edit_commit(cli, store, edit) : status;
}

static int
run(gh_cli_t *cli)
{
    const char   *base = gh_cli_value(cli, "base");
    gh_cli_edit_t edit = { .based = base != NULL };
    gh_store_t   *store;
    int           status = gh_cli_number(cli, "", cli->arguments[0], GH_CLI_A_REVISION, &edit.rollback_of);

    if (status == GH_EXIT_DONE && edit.rollback_of == 0) {
        return gh_cli_misuse(cli, "revisions begin with 1");
    }
    if (status == GH_EXIT_DONE) {
        status = gh_cli_scope(cli, &edit.scope);
    }
    if (status == GH_EXIT_DONE && base != NULL) {
        status = gh_cli_number(cli, "--base ", base, GH_CLI_A_REVISION, &edit.base);
    }
    if (status == GH_EXIT_DONE && gh_cli_value(cli, "reason") == NULL) {
        status = gh_cli_misuse(cli, "give --reason TEXT: whoever reads the history has to know why this was undone");
    }
    if (status != GH_EXIT_DONE) {
        return status;
    }

    store = gh_cli_store_open(cli, true);
    if (store == NULL) {
        return GH_EXIT_ERROR;
    }
    status = roll_back(cli, store, &edit);
    gh_store_close(store);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_SCOPE_OPTIONS,
    { "base", "N", "refuses when what the edit depends on changed after revision N,\nthe one the editor saw", false },
    { "author", "NAME", "who makes this edit (default: $SUDO_USER, $USER)", false },
    { "reason", "TEXT", "why; must be given", false },
    GH_CLI_CUT_OPTIONS,
    GH_CLI_BARRIER_OPTIONS,
    { "json", NULL, "prints an object: applied, revision, base, changed, counts, report, obeyed,\nworkers, cut, finishing, waiting", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_rollback = {
    .name = "policy rollback",
    .usage = "N --reason TEXT [options]",
    .summary = "makes a new revision of the documents of revision N",
    .help =
        "The documents of revision N, or with --organisation or --gateway only those of that scope, become a new\n"
        "revision. Nothing is taken out of the history. They are checked as if they were applied today, with\n"
        "today's facts and together with all that stays: what is no longer valid is an error, and nothing changes.\n"
        "API keys are not part of revisions: a key that was revoked stays revoked. It ends as `policy apply` does:\n"
        "when every worker obeys.\n"
        "\n"
        "The reason is not optional here, as it is for apply: the documents of an apply mostly speak for\n"
        "themselves, and say in their own history why they changed; old documents coming back do not.",
    .options = options,
    .exits = GH_CLI_BARRIER_EXITS,
    .least = 1,
    .most = 1,
    .run = run,
};
