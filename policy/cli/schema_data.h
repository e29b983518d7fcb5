/* The JSON Schemas of conf/schema, byte for byte. Only policy_schema.c and audit_schema.c need this. */
#ifndef GH_CLI_SCHEMA_DATA_H
#define GH_CLI_SCHEMA_DATA_H

#include <stddef.h>

typedef struct {
    const char *kind;        /* "residency/1"; "documents": the one that tells the kinds apart */
    const char *file;        /* of conf/schema */
    const char *summary;
    const char *begin, *end; /* end: one past the last byte */
} gh_cli_schema_t;

extern const gh_cli_schema_t gh_cli_schemas[];
extern const size_t          gh_cli_schema_count;

extern const gh_cli_schema_t gh_cli_record_schema;   /* of no document */

#endif
