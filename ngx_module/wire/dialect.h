/* Private to the wire: what a dialect is. One file and one row of dialect.c each. */
#ifndef GH_DIALECT_H
#define GH_DIALECT_H

#include "ngx_module/wire/wire.h"

typedef struct {
    const char *credential_header;
    const char *credential_prefix;

    /* Path and query of the target's endpoint, without the backend's own prefix. NULL data and *error: it has none. */
    gh_str_t  (*path)(gh_arena_t *arena, const gh_target_t *target, gh_endpoint_t endpoint, gh_error_t *error);

    /* May these fields be added to a body that does not have them? Strict backends answer unknown ones with 400. */
    bool      (*knows_store)(const gh_target_t *target);
    bool      (*knows_usage)(const gh_target_t *target);
} gh_dialect_row_t;

extern const gh_dialect_row_t gh_dialect_openai;
extern const gh_dialect_row_t gh_dialect_azure_v1;
extern const gh_dialect_row_t gh_dialect_azure_classic;
extern const gh_dialect_row_t gh_dialect_bedrock_openai;

/* "chat/completions", ... */
extern const char *const gh_dialect_endpoint_paths[GH_ENDPOINTS];

/*
 * One path segment or query value: everything but RFC 3986's unreserved characters is percent-encoded. NULL data with
 * *error set for an empty name, "." and "..", or when out of memory.
 */
gh_str_t gh_dialect_segment(gh_arena_t *arena, gh_str_t name, gh_error_t *error);

bool gh_dialect_yes(const gh_target_t *target);
bool gh_dialect_no(const gh_target_t *target);

#endif
