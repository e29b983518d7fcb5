/* The policy commands' common part, and the words `gatehouse policy --help` begins with. */
#include "policy/cli/policy.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/cli/files.h"

const char gh_cli_policy_words[] =
    "The whole policy language in five sentences:\n"
    "\n"
    "  1. An allow fits when everything it states is inside.\n"
    "  2. A forbid fires when anything it states is touched.\n"
    "  3. Unknown is never inside and always touches.\n"
    "  4. A request is held to the rules of every class it carries; more classes never permit more.\n"
    "  5. Every document that applies must agree; a document only takes away.\n";

static int
take_files(gh_cli_t *cli, const gh_cli_files_t *files, gh_cli_documents_t *documents)
{
    gh_document_source_t *sources;

    sources = gh_arena_grow(cli->arena, documents->sources, documents->count, documents->count + files->count,
        sizeof(gh_document_source_t));
    if (sources == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }

    for (size_t i = 0; i < files->count; i++) {
        sources[documents->count + i].path = files->files[i].name;
        sources[documents->count + i].bytes = files->files[i].text;
    }

    documents->sources = sources;
    documents->count += files->count;

    return GH_EXIT_DONE;
}

int
gh_cli_documents_read(gh_cli_t *cli, const char *directory, gh_cli_documents_t *documents)
{
    gh_cli_files_t files = { 0 };
    gh_error_t     error = { 0 };
    gh_str_t       prefix;
    struct stat    info;

    *documents = (gh_cli_documents_t) { .prefix = "" };

    if (stat(directory, &info) == 0 && !S_ISDIR(info.st_mode)) {
        gh_cli_fail(cli, "%s is not a directory", directory);
        gh_cli_advise("name the directory that holds all documents: a revision is all of them, not one file");
        return GH_EXIT_ERROR;
    }

    if (gh_cli_read_directory(cli->arena, directory, &files, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }

    prefix = gh_str_format(cli->arena, "%s%s", directory, directory[strlen(directory) - 1] == '/' ? "" : "/");
    if (prefix.data == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }
    documents->prefix = prefix.data;

    return take_files(cli, &files, documents);
}

int
gh_cli_documents_read_all(gh_cli_t *cli, const char **paths, unsigned count, gh_cli_documents_t *documents)
{
    gh_error_t  error = { 0 };
    struct stat info;
    int         status;

    *documents = (gh_cli_documents_t) { .prefix = "" };

    for (unsigned i = 0; i < count; i++) {
        gh_cli_files_t files = { 0 };

        if (stat(paths[i], &info) == 0 && S_ISDIR(info.st_mode)) {
            status = gh_cli_read_directory(cli->arena, paths[i], &files, &error);

            for (size_t f = 0; status == GH_OK && f < files.count; f++) {
                files.files[f].name = files.files[f].path;
            }

        } else {
            status = gh_cli_files_add(cli->arena, &files, paths[i], 0, &error);
        }

        if (status != GH_OK) {
            return gh_cli_fail_error(cli, &error);
        }

        if (take_files(cli, &files, documents) != GH_EXIT_DONE) {
            return GH_EXIT_ERROR;
        }
    }

    return GH_EXIT_DONE;
}

/* The store's trouble, not a document's: its source is a file of the store, or none. */
static bool
of_store(const gh_error_t *error)
{
    return error->source[0] == '\0' || (error->code != NULL && strncmp(error->code, "store_", 6) == 0);
}

/* What messages call a document, in two parts. path: of a gh_error_t, which keeps only the first bytes of a long one. */
static const char *
shown(const gh_cli_documents_t *documents, const char *path, const char **rest)
{
    gh_str_t cut = gh_str_from(path);

    for (size_t i = 0; documents->shown != NULL && i < documents->count; i++) {
        gh_str_t known = documents->sources[i].path;

        if (gh_str_eq(known, cut) || (cut.len == GH_ERROR_SOURCE - 1 && gh_str_starts(known, cut))) {
            *rest = "";
            return documents->shown[i];
        }
    }
    *rest = path;

    return documents->shown != NULL && documents->others != NULL ? documents->others : documents->prefix;
}

void
gh_cli_report_print(const gh_cli_t *cli, const gh_cli_documents_t *documents, const gh_report_t *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const gh_report_item_t *item = &report->items[i];
        const gh_error_t       *error = &item->error;
        const char             *word = item->severity == GH_SEVERITY_ERROR ? "error" : "warning";
        const char             *path, *prefix = shown(documents, error->source, &path);

        if (of_store(error)) {
            if (item->severity == GH_SEVERITY_ERROR) {
                gh_cli_fail_store(cli, error);
            } else {
                gh_cli_say("warning: %s", error->text);
            }

        } else if (error->line == 0) {
            gh_cli_say("%s%s: %s: %s [%s]", prefix, path, word, error->text, error->code);

        } else {
            gh_cli_say("%s%s:%u:%u: %s: %s [%s]", prefix, path, (unsigned) error->line, (unsigned) error->column, word,
                error->text, error->code);
        }
    }

    if (report->no_memory) {
        gh_cli_fail(cli, "out of memory: more was found than could be kept");
    }
}

json_t *
gh_cli_report_json(const gh_cli_documents_t *documents, const gh_report_t *report)
{
    json_t *list = json_array();

    for (size_t i = 0; i < report->count; i++) {
        const gh_report_item_t *item = &report->items[i];
        const gh_error_t       *error = &item->error;
        const char             *path = error->source, *prefix = of_store(error) ? "" : shown(documents, path, &path);
        json_t                 *object;

        object = json_pack("{s:s, s:s, s:s}", "severity", item->severity == GH_SEVERITY_ERROR ? "error" : "warning",
            "code", error->code ? error->code : "", "text", error->text);

        if (object != NULL && error->source[0] != '\0') {
            json_object_set_new(object, "file", json_sprintf("%s%s", prefix, path));
        }
        if (object != NULL && error->line != 0) {
            json_object_set_new(object, "line", json_integer(error->line));
            json_object_set_new(object, "column", json_integer(error->column));
        }

        if (object == NULL || json_array_append_new(list, object) != 0) {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}

int
gh_cli_print_json(const gh_cli_t *cli, json_t *object)
{
    if (object == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }

    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);

    return gh_cli_flush(cli);
}
