/* What identity/1 says of whoever shows a token or a client certificate, in sentences. */
#ifndef GH_CLI_CALLERS_TEXT_H
#define GH_CLI_CALLERS_TEXT_H

#include "policy/base/arena.h"
#include "policy/base/json_tree.h"

typedef void (*gh_cli_caller_said_fn)(void *context, gh_str_t text);

typedef struct {
    gh_arena_t           *arena;
    gh_str_t              who;         /* "tokens", "certificates of "mesh"": what every sentence begins with */
    gh_cli_caller_said_fn said;
    void                 *context;
} gh_cli_callers_t;

/* "narrow" and "places" of one of "issuers" or "certificates": `tokens with groups "interns": no other models than "gpt-4o"`. */
void gh_cli_callers_narrow(const gh_cli_callers_t *callers, const gh_node_t *source);

/* Its "apps" and "classes": `tokens with azp "web": count as "retail/chat"`. */
void gh_cli_callers_map(const gh_cli_callers_t *callers, const gh_node_t *source);

/* The first of a list's items, or of an object's members; NULL: there is none. */
const gh_node_t *gh_cli_callers_first(const gh_node_t *object, const char *name);

#endif
