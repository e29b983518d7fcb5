/* `gatehouse policy schema`: the JSON Schemas of the documents, for editors and for checks without this program. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/cli/policy.h"
#include "policy/cli/schema_data.h"

static int
list_all(gh_cli_t *cli)
{
    json_t *list;

    if (!gh_cli_flag(cli, "json")) {
        for (size_t i = 0; i < gh_cli_schema_count; i++) {
            printf("%-12s %-26s %s\n", gh_cli_schemas[i].kind, gh_cli_schemas[i].file, gh_cli_schemas[i].summary);
        }
        return gh_cli_flush(cli);
    }

    list = json_array();
    for (size_t i = 0; list != NULL && i < gh_cli_schema_count; i++) {
        json_array_append_new(list, json_pack("{s:s, s:s}", "kind", gh_cli_schemas[i].kind, "file", gh_cli_schemas[i].file));
    }
    return gh_cli_print_json(cli, list ? json_pack("{s:o}", "schemas", list) : NULL);
}

static int
write_all(gh_cli_t *cli, const char *directory)
{
    if (mkdir(directory, 0777) != 0 && errno != EEXIST) {
        gh_cli_fail(cli, "cannot make the directory %s: %s", directory, strerror(errno));
        gh_cli_advise("only the last directory of the path is made: make those above it, or name another one with --out");
        return GH_EXIT_ERROR;
    }
    for (size_t i = 0; i < gh_cli_schema_count; i++) {
        const gh_cli_schema_t *schema = &gh_cli_schemas[i];
        size_t                 len = (size_t) (schema->end - schema->begin);
        gh_str_t               path = gh_str_format(cli->arena, "%s/%s", directory, schema->file);
        FILE                  *file = path.data ? fopen(path.data, "wb") : NULL;

        if (file == NULL) {
            return gh_cli_fail(cli, "cannot write %s: %s", path.data ? path.data : directory, strerror(errno));
        }
        if (fwrite(schema->begin, 1, len, file) != len) {
            fclose(file);
            return gh_cli_fail(cli, "cannot write %s: %s", path.data, strerror(errno));
        }
        if (fclose(file) != 0) {
            return gh_cli_fail(cli, "cannot write %s: %s", path.data, strerror(errno));
        }
    }
    return gh_cli_flag(cli, "json") ? list_all(cli) : GH_EXIT_DONE;
}

static int
run(gh_cli_t *cli)
{
    const char *directory = gh_cli_value(cli, "out"), *kind = cli->argument_count != 0 ? cli->arguments[0] : NULL;
    gh_str_t    names[16];

    if (directory != NULL) {
        return kind != NULL ? gh_cli_misuse(cli, "--out writes all of them: leave out %s", kind) : write_all(cli, directory);
    }
    if (kind == NULL) {
        return list_all(cli);
    }
    for (size_t i = 0; i < gh_cli_schema_count; i++) {
        const gh_cli_schema_t *schema = &gh_cli_schemas[i];

        if (strcmp(kind, schema->kind) == 0) {
            fwrite(schema->begin, 1, (size_t) (schema->end - schema->begin), stdout);
            return gh_cli_flush(cli);
        }
        names[i] = gh_str_from(schema->kind);
    }
    gh_str_t near = gh_str_nearest(gh_str_from(kind), names, gh_cli_schema_count);

    return near.len != 0 ? gh_cli_misuse(cli, "no schema of kind \"%s\"; did you mean \"%.*s\"?", kind, GH_STR_ARG(near))
                         : gh_cli_misuse(cli, "no schema of kind \"%s\"", kind);
}

static const gh_cli_option_t options[] = {
    { "out", "DIR", "writes all of them into DIR, which is made, under the names that they have in conf/schema", false },
    { "json", NULL, "prints the list as an object: schemas", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_schema = {
    .name = "policy schema",
    .usage = "[KIND] [options]",
    .summary = "prints the JSON Schema of a kind of documents, for editors",
    .help =
        "Prints the JSON Schema (draft 2020-12) of residency/1, fleet/1, tenants/1, identity/1 or cases/1, or \"documents\", which\n"
        "tells them apart. Without KIND: the list. They refuse what the loader refuses for a document's form; what needs\n"
        "other documents, such as a class that a policy does not have, only `gatehouse policy validate` can say.\n"
        "conf/documents.md has how to set up an editor.",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run,
};
