/* `gatehouse policy export`: the documents of a revision, back as files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/cli/edit.h"
#include "policy/cli/revision_documents.h"

/* Paths come from the store, which took them from directory walks and plans; a damaged one must not leave the directory all the same. */
static bool
stays_inside(gh_str_t path)
{
    size_t begin = 0;

    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.data[i] != '/') {
            continue;
        }

        gh_str_t part = { path.data + begin, i - begin };

        if (part.len == 0 || gh_str_is(part, ".") || gh_str_is(part, "..")) {
            return false;
        }
        begin = i + 1;
    }

    return path.len != 0;
}

/* An open directory for the part before the last slash of the path, made as needed below `top`. -1 with errno. */
static int
open_parent(gh_arena_t *arena, int top, gh_str_t path, gh_str_t *name)
{
    int    at = dup(top);
    size_t begin = 0;

    for (size_t i = 0; at >= 0 && i < path.len; i++) {
        gh_str_t part;
        int      next;

        if (path.data[i] != '/') {
            continue;
        }
        part = gh_str_copy(arena, (gh_str_t) { path.data + begin, i - begin });
        if (part.data == NULL || (mkdirat(at, part.data, 0750) != 0 && errno != EEXIST)) {
            close(at);
            return -1;
        }
        next = openat(at, part.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(at);
        at = next;
        begin = i + 1;
    }
    *name = gh_str_copy(arena, (gh_str_t) { path.data + begin, path.len - begin });

    return at;
}

static int
write_document(gh_cli_t *cli, int top, const char *directory, const gh_document_source_t *source)
{
    gh_str_t name = { NULL, 0 };
    int      parent = stays_inside(source->path) ? open_parent(cli->arena, top, source->path, &name) : -1;
    int      fd = parent >= 0 && name.data != NULL ? openat(parent, name.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640) : -1;
    size_t   at = 0;
    bool     ok = fd >= 0;
    int      reason;

    while (ok && at < source->bytes.len) {
        ssize_t n = write(fd, source->bytes.data + at, source->bytes.len - at);

        ok = n >= 0 || errno == EINTR;
        at += n > 0 ? (size_t) n : 0;
    }
    reason = errno;
    if (fd >= 0) {
        ok = close(fd) == 0 && ok;
    }
    if (parent >= 0) {
        close(parent);
    }

    return ok ? GH_EXIT_DONE
              : gh_cli_fail(cli, "%s/%.*s cannot be written: %s", directory, GH_STR_ARG(source->path), strerror(reason));
}

static int
report(gh_cli_t *cli, const gh_cli_documents_t *documents, uint64_t revision, const char *directory)
{
    json_t *list;

    if (!gh_cli_flag(cli, "json")) {
        printf("%zu document%s of revision %llu written below %s\n", documents->count, documents->count == 1 ? "" : "s",
            (unsigned long long) revision, directory);
        return gh_cli_flush(cli);
    }

    list = json_array();
    for (size_t i = 0; i < documents->count; i++) {
        json_array_append_new(list, json_stringn(documents->sources[i].path.data, documents->sources[i].path.len));
    }

    return gh_cli_print_json(cli, json_pack("{s:I, s:s, s:o}", "revision", (json_int_t) revision, "directory", directory,
        "documents", list));
}

static int
export_to(gh_cli_t *cli, const gh_cli_documents_t *documents, uint64_t revision, const char *directory)
{
    int top, status = GH_EXIT_DONE;

    if (mkdir(directory, 0750) != 0) {
        gh_cli_fail(cli, "%s cannot be made: %s", directory, strerror(errno));
        gh_cli_advise("name a directory that is not there yet: nothing is written over");
        return GH_EXIT_ERROR;
    }

    top = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0) {
        return gh_cli_fail(cli, "%s cannot be opened: %s", directory, strerror(errno));
    }
    for (size_t i = 0; i < documents->count && status == GH_EXIT_DONE; i++) {
        status = write_document(cli, top, directory, &documents->sources[i]);
    }
    close(top);

    return status == GH_EXIT_DONE ? report(cli, documents, revision, directory) : status;
}

static int
newest_revision(gh_cli_t *cli, gh_store_t *store, uint64_t *revision)
{
    gh_error_t error = { 0 };
    unsigned   tries = 0;

    while (gh_store_revision_number(store, revision, &error) != GH_OK) {
        if (!gh_cli_again(&error, &tries)) {
            return gh_cli_fail_store(cli, &error);
        }
    }

    return GH_EXIT_DONE;
}

static int
run(gh_cli_t *cli)
{
    gh_cli_documents_t documents;
    gh_scope_t         scope;
    gh_store_t        *store;
    uint64_t           revision;
    int                status = gh_cli_number(cli, "", cli->arguments[0], GH_CLI_A_REVISION, &revision);

    if (status == GH_EXIT_DONE) {
        status = gh_cli_scope(cli, &scope);
    }
    if (status != GH_EXIT_DONE) {
        return status;
    }

    store = gh_cli_store_open(cli, false);
    if (store == NULL) {
        return GH_EXIT_ERROR;
    }
    status = revision != 0 ? GH_EXIT_DONE : newest_revision(cli, store, &revision);
    if (status == GH_EXIT_DONE) {
        status = gh_cli_revision_documents_of(cli, store, revision, &scope, &documents);
    }
    if (status == GH_EXIT_DONE) {
        status = export_to(cli, &documents, revision, cli->arguments[1]);
    }
    gh_store_close(store);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_SCOPE_OPTIONS,
    { "json", NULL, "prints an object: revision, directory, documents", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_export = {
    .name = "policy export",
    .usage = "N DIR [options]",
    .summary = "writes the documents of revision N as files below DIR",
    .help =
        "Makes the directory DIR and writes the documents of revision N below it, byte for byte as they were applied;\n"
        "0 is the revision in force. `gatehouse policy apply DIR` makes the same policy of them again.",
    .options = options,
    .least = 2,
    .most = 2,
    .run = run,
};
