/* `gatehouse audit schema`: the JSON Schema of the record's lines. */
#include <stdio.h>

#include "policy/cli/cli.h"
#include "policy/cli/schema_data.h"

static int
run(gh_cli_t *cli)
{
    fwrite(gh_cli_record_schema.begin, 1, (size_t) (gh_cli_record_schema.end - gh_cli_record_schema.begin), stdout);
    return gh_cli_flush(cli);
}

static const gh_cli_option_t options[] = {
    { "json", NULL, "changes nothing: a schema is JSON", false },
    { 0 }
};

const gh_cli_command_t gh_cli_audit_schema = {
    .name = "audit schema",
    .usage = "[options]",
    .summary = "prints the JSON Schema of the record's lines",
    .help =
        "Prints the JSON Schema (draft 2020-12) of one line of the record, version 1. Lines may get more members within a version; what is\n"
        "there keeps its meaning. conf/record.md describes them.",
    .options = options,
    .least = 0,
    .most = 0,
    .run = run,
};
