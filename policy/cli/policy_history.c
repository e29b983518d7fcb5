/* `gatehouse policy history`: the revisions, newest first; or one of them with its documents. */
#include <stdio.h>
#include <string.h>

#include "policy/base/hash.h"
#include "policy/cli/edit.h"

typedef struct {
    gh_cli_t   *cli;
    gh_store_t *store;
    gh_scope_t  scope;      /* only revisions that changed documents of it */
    uint64_t    newest;     /* the one in force */
    uint64_t    limit;      /* lines left */
    json_t     *list;       /* with --json */
} history_t;

/* ---- one revision ---- */

/* GH_OK with *found false: no revision has this number. */
static int
read_revision(const history_t *history, uint64_t number, gh_arena_t *arena, gh_store_revision_t *revision, bool *found,
    gh_error_t *error)
{
    unsigned tries = 0;
    int      rc;

    do {
        rc = gh_store_revision_read(history->store, number, arena, revision, error);
    } while (rc != GH_OK && gh_cli_again(error, &tries));

    *found = rc == GH_OK;

    return rc == GH_OK || (error->code != NULL && strcmp(error->code, "revision_unknown") == 0) ? GH_OK : GH_ERROR;
}

static json_t *
hex_json(const uint8_t digest[32])
{
    char text[64];

    gh_hex(digest, 32, text);

    return json_stringn(text, sizeof(text));
}

static json_t *
revision_json(const history_t *history, const gh_store_revision_t *revision)
{
    json_t *documents = json_array();

    for (size_t i = 0; i < revision->document_count; i++) {
        const gh_store_document_t *document = &revision->documents[i];

        json_array_append_new(documents, json_pack("{s:s%, s:s%, s:o}", "path", document->path.data, document->path.len,
            "organisation", document->owner.data, document->owner.len, "sha256", hex_json(document->sha256)));
    }

    return json_pack("{s:I, s:b, s:I, s:s, s:s%, s:s%, s:o*, s:o, s:o, s:o, s:o}", "revision", (json_int_t) revision->number,
        "in_force", revision->number == history->newest, "base", (json_int_t) revision->base,
        "time", gh_cli_time_text(history->cli->arena, revision->time_ms), "author", revision->author.data, revision->author.len,
        "reason", revision->reason.data, revision->reason.len,
        "rollback_of", revision->rollback_of != 0 ? json_integer((json_int_t) revision->rollback_of) : NULL,
        "changed", gh_cli_owners_json(revision->changed, revision->changed_count),
        "policy", hex_json(revision->policy_digest), "facts", hex_json(revision->facts_digest), "documents", documents);
}

static void
print_line(const history_t *history, gh_arena_t *arena, const gh_store_revision_t *revision)
{
    gh_str_t author = gh_cli_shown(arena, revision->author), reason = gh_cli_shown(arena, revision->reason);
    gh_str_t changed = gh_cli_owners_words(arena, revision->changed, revision->changed_count, 4);

    printf("%6llu%s  %s  %-12.*s  ", (unsigned long long) revision->number, revision->number == history->newest ? "*" : " ",
        gh_cli_time_text(arena, revision->time_ms - revision->time_ms % 1000), GH_STR_ARG(author));
    changed = revision->changed_count ? changed : GH_STR("nothing");
    printf(reason.len != 0 || revision->rollback_of != 0 ? "%-28.*s" : "%.*s", GH_STR_ARG(changed));
    if (revision->rollback_of != 0) {
        printf("  rollback to %llu: %.*s\n", (unsigned long long) revision->rollback_of, GH_STR_ARG(reason));
    } else if (reason.len != 0) {
        printf("  %.*s\n", GH_STR_ARG(reason));
    } else {
        putchar('\n');
    }
}

static void
print_whole(const history_t *history, gh_arena_t *arena, const gh_store_revision_t *revision)
{
    gh_str_t author = gh_cli_shown(arena, revision->author), reason = gh_cli_shown(arena, revision->reason);
    gh_str_t changed = gh_cli_owners_words(arena, revision->changed, revision->changed_count, SIZE_MAX);
    char     digest[64];

    printf("revision %llu%s\n", (unsigned long long) revision->number, revision->number == history->newest ? " (in force)" : "");
    printf("time      %s\n", gh_cli_time_text(arena, revision->time_ms));
    printf("author    %.*s\n", GH_STR_ARG(author));
    printf("reason    %.*s\n", GH_STR_ARG(reason.len ? reason : GH_STR("-")));
    if (revision->rollback_of != 0) {
        printf("rollback  to revision %llu\n", (unsigned long long) revision->rollback_of);
    }
    printf("base      %llu\n", (unsigned long long) revision->base);
    printf("changed   %.*s\n", GH_STR_ARG(revision->changed_count ? changed : GH_STR("no document")));
    gh_hex(revision->policy_digest, 32, digest);
    printf("policy    %.*s\n", (int) sizeof(digest), digest);
    gh_hex(revision->facts_digest, 32, digest);
    printf("facts     %.*s\n", (int) sizeof(digest), digest);

    for (size_t i = 0; i < revision->document_count; i++) {
        gh_str_t path = gh_cli_shown(arena, revision->documents[i].path), owner = revision->documents[i].owner;

        gh_hex(revision->documents[i].sha256, 32, digest);
        printf("document  %.12s  %-16.*s  %.*s\n", digest, GH_STR_ARG(owner.len ? owner : GH_STR("gateway")), GH_STR_ARG(path));
    }
}

/* ---- all of them ---- */

static bool
concerns(const history_t *history, const gh_store_revision_t *revision)
{
    for (size_t i = 0; i < revision->changed_count; i++) {
        if (gh_scope_replaces(&history->scope, revision->changed[i])) {
            return true;
        }
    }

    return history->scope.kind == GH_SCOPE_ALL;
}

static int
list_one(history_t *history, uint64_t number, gh_arena_t *arena, gh_error_t *error)
{
    gh_store_revision_t revision;
    bool                found;

    if (read_revision(history, number, arena, &revision, &found, error) != GH_OK) {
        return GH_ERROR;
    }

    if (found && concerns(history, &revision)) {
        history->limit--;
        if (history->list == NULL) {
            print_line(history, arena, &revision);
        } else if (json_array_append_new(history->list, revision_json(history, &revision)) != 0) {
            return gh_error_set(error, "out_of_memory", "out of memory");
        }
    }

    return GH_OK;
}

/* Each record is read by itself: memory does not grow with the history. */
static int
list_all(history_t *history)
{
    gh_error_t error = { 0 };
    int        rc = GH_OK;

    for (uint64_t number = history->newest; rc == GH_OK && number > 0 && history->limit > 0; number--) {
        gh_heap_t heap;

        gh_heap_init(&heap);
        rc = list_one(history, number, &heap.arena, &error);
        gh_heap_free(&heap);
    }

    if (rc != GH_OK) {
        return gh_cli_fail_store(history->cli, &error);
    }

    return history->list != NULL ? gh_cli_print_json(history->cli, json_incref(history->list)) : gh_cli_flush(history->cli);
}

static int
show_one(history_t *history, uint64_t number)
{
    gh_cli_t           *cli = history->cli;
    gh_store_revision_t revision;
    gh_error_t          error = { 0 };
    bool                found;

    if (read_revision(history, number, cli->arena, &revision, &found, &error) != GH_OK) {
        return gh_cli_fail_store(cli, &error);
    }
    if (!found) {
        gh_cli_fail(cli, "%s", error.text);
        gh_cli_advise("the newest is %llu", (unsigned long long) history->newest);
        return GH_EXIT_ERROR;
    }
    if (history->list != NULL) {
        return gh_cli_print_json(cli, revision_json(history, &revision));
    }
    print_whole(history, cli->arena, &revision);

    return gh_cli_flush(cli);
}

static int
run(gh_cli_t *cli)
{
    const char *limit = gh_cli_value(cli, "limit");
    history_t   history = { .cli = cli, .limit = UINT64_MAX };
    gh_error_t  error = { 0 };
    uint64_t    number = 0;
    unsigned    tries = 0;
    int         status = gh_cli_scope(cli, &history.scope);

    if (status == GH_EXIT_DONE && cli->argument_count == 1) {
        status = gh_cli_number(cli, "", cli->arguments[0], GH_CLI_A_REVISION, &number);
    }
    if (status == GH_EXIT_DONE && limit != NULL) {
        status = gh_cli_number(cli, "--limit ", limit, "a count", &history.limit);
    }
    if (status != GH_EXIT_DONE) {
        return status;
    }

    history.store = gh_cli_store_open(cli, false);
    if (history.store == NULL) {
        return GH_EXIT_ERROR;
    }
    history.list = gh_cli_flag(cli, "json") ? json_array() : NULL;

    while ((status = gh_store_revision_number(history.store, &history.newest, &error)) != GH_OK && gh_cli_again(&error, &tries)) {
    }
    status = status != GH_OK ? gh_cli_fail_store(cli, &error) : number != 0 ? show_one(&history, number) : list_all(&history);
    json_decref(history.list);
    gh_store_close(history.store);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    { "organisation", "ORG", "only revisions that changed documents of this organisation", false },
    { "gateway", NULL, "only revisions that changed the gateway's documents", false },
    { "limit", "COUNT", "the newest COUNT of them", false },
    { "json", NULL, "prints an array of objects; of one revision: an object", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_history = {
    .name = "policy history",
    .usage = "[N] [options]",
    .summary = "lists the revisions: when, by whom, whose documents, why",
    .help =
        "One line a revision, newest first: its number (\"*\": in force), when it was applied, by whom, whose\n"
        "documents it changed, and why. With N: that revision and its documents. Revisions and their documents\n"
        "are kept for ever.",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run,
};
