/* What the flows of credentials have in common: forms, and answers that are JSON objects. */
#ifndef GH_AGENT_EXCHANGE_H
#define GH_AGENT_EXCHANGE_H

#include "policy/agent/credentials.h"
#include "policy/agent/fetch.h"
#include "policy/base/json_tree.h"

typedef struct {
    const char *name;
    gh_str_t    value;      /* data NULL: left out */
} gh_form_field_t;

/* application/x-www-form-urlencoded, also for a query: everything but RFC 3986's unreserved characters is percent-encoded. data NULL: out of memory. */
gh_str_t gh_form(gh_arena_t *arena, const gh_form_field_t *fields, size_t count);

/* One exchange of a run: the source's CA file, the run's stop. who: "Entra ID", for the sentences. Any status is GH_OK. */
int gh_exchange(const gh_credential_source_t *source, gh_credential_run_t *run, const char *who, gh_fetch_request_t *request, gh_fetch_answer_t *answer,
    gh_error_t *error);

/* The answer's body as a JSON object. GH_ERROR "source_answer". */
int gh_exchange_object(gh_credential_run_t *run, const char *who, const gh_fetch_answer_t *answer, gh_node_t **root, gh_error_t *error);

/* A member that is a string, its text; "" when it is absent or something else. */
gh_str_t gh_exchange_text(const gh_node_t *object, const char *name);

/* A member that is a number of whole seconds, or a string of such digits; 0 otherwise. */
uint64_t gh_exchange_seconds(const gh_node_t *object, const char *name);

/* A word of an answer for a sentence: letters, digits and ._- of its beginning, at most 64; never what could be a secret. Arena-owned. */
const char *gh_exchange_word(gh_arena_t *arena, gh_str_t text);

#endif
