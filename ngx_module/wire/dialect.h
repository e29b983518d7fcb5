/* Private to the wire: what a dialect is. One file and one row of policy/base/dialects.h each. */
#ifndef GH_DIALECT_H
#define GH_DIALECT_H

#include "ngx_module/wire/wire.h"

typedef struct { const char *name, *value; } gh_dialect_header_t;

typedef struct {
    const char *credential_header;
    const char *credential_prefix;
    gh_dialect_header_t version;        /* sent when the client sent none; NULL: none */

    /* Path and query of the target's endpoint, without the backend's own prefix. NULL data and *error: it has none. */
    gh_str_t  (*path)(gh_arena_t *arena, const gh_target_t *target, gh_endpoint_t endpoint, bool stream,
        gh_error_t *error);

    /* May these fields be added to a body that does not have them? Strict backends answer unknown ones with 400. */
    bool      (*knows_store)(const gh_target_t *target);
    bool      (*knows_usage)(const gh_target_t *target);

    /* Of chat.completions: the most tokens of a choice is max_completion_tokens, not max_tokens. */
    bool      (*knows_max_completion)(const gh_target_t *target);
} gh_dialect_row_t;

#define D(name, word, row, traits, endpoints) extern const gh_dialect_row_t gh_dialect_##row;
GH_DIALECT_ROWS(D)
#undef D

/* "chat/completions" behind prefix. NULL data and *error: no memory, or an endpoint that is not one of OpenAI's. */
gh_str_t gh_dialect_openai_endpoint(gh_arena_t *arena, const char *prefix, gh_endpoint_t endpoint, gh_error_t *error);

/*
 * One path segment or query value: everything but RFC 3986's unreserved characters is percent-encoded. NULL data with
 * *error set for an empty name, "." and "..", or when out of memory.
 */
gh_str_t gh_dialect_segment(gh_arena_t *arena, gh_str_t name, gh_error_t *error);

/* The same of a text that may be empty or dots; NULL data: no memory. */
gh_str_t gh_dialect_escape(gh_arena_t *arena, gh_str_t text);

/* Makes out, which is the address of the target's Responses, that of what is kept there: of an intake but of CREATE, whose id was opened. */
int gh_dialect_kept(gh_arena_t *arena, const gh_intake_t *intake, gh_wire_request_t *out, gh_error_t *error);

bool gh_dialect_yes(const gh_target_t *target);
bool gh_dialect_no(const gh_target_t *target);

#endif
