/* The JSON Schemas built into the command: a new kind is a new file and a new row. */
#include "policy/cli/schema_data.h"

#define EMBED(symbol, path)                       \
    __asm__(".section .rodata\n"                  \
            ".balign 16\n"                        \
            ".globl " #symbol "_begin\n"          \
            #symbol "_begin:\n"                   \
            ".incbin \"" path "\"\n"              \
            ".globl " #symbol "_end\n"            \
            #symbol "_end:\n"                     \
            ".byte 0\n"                           \
            ".previous\n");                       \
    extern const char symbol##_begin[] __attribute__((visibility("hidden"))); \
    extern const char symbol##_end[] __attribute__((visibility("hidden")))

EMBED(gh_schema_residency, "conf/schema/residency-1.schema.json");
EMBED(gh_schema_fleet, "conf/schema/fleet-1.schema.json");
EMBED(gh_schema_tenants, "conf/schema/tenants-1.schema.json");
EMBED(gh_schema_identity, "conf/schema/identity-1.schema.json");
EMBED(gh_schema_credentials, "conf/schema/credentials-1.schema.json");
EMBED(gh_schema_cases, "conf/schema/cases-1.schema.json");
EMBED(gh_schema_record, "conf/schema/record-1.schema.json");
EMBED(gh_schema_documents, "conf/schema/documents.schema.json");

const gh_cli_schema_t gh_cli_schemas[] = {
    { "residency/1", "residency-1.schema.json", "policies and guards", gh_schema_residency_begin, gh_schema_residency_end },
    { "fleet/1", "fleet-1.schema.json", "nodes, models, deployments and their facts", gh_schema_fleet_begin, gh_schema_fleet_end },
    { "tenants/1", "tenants-1.schema.json", "organisations, tenants, apps", gh_schema_tenants_begin, gh_schema_tenants_end },
    { "identity/1", "identity-1.schema.json", "issuers of tokens and authorities of certificates, and what they mean", gh_schema_identity_begin, gh_schema_identity_end },
    { "cases/1", "cases-1.schema.json", "what policy test runs", gh_schema_cases_begin, gh_schema_cases_end },
    { "credentials/1", "credentials-1.schema.json", "where credentials of backends come from", gh_schema_credentials_begin, gh_schema_credentials_end },
    { "documents", "documents.schema.json", "any of them, by its kind; beside the others", gh_schema_documents_begin,
      gh_schema_documents_end },
};

const size_t gh_cli_schema_count = sizeof(gh_cli_schemas) / sizeof(gh_cli_schemas[0]);

const gh_cli_schema_t gh_cli_record_schema = { "record/1", "record-1.schema.json", "lines of the record", gh_schema_record_begin,
    gh_schema_record_end };
