/*
 * What a client's URL asks for: the one table of paths that are served, in the forms of the APIs whose SDKs speak to us. Adding one is a row of url.c.
 *
 *   /v1/...                                OpenAI's and Anthropic's
 *   /openai/v1/...                         Azure OpenAI's v1 API, and Bedrock's OpenAI endpoints
 *   /openai/deployments/{deployment}/...   Azure OpenAI's classic API; the deployment is the model, whatever the body says, as Azure has it
 *   /openai/...                            what the classic API has beside deployments
 *   .../responses/{id}[/...]               of the three forms above it: a response that was kept
 *   /anthropic/v1/...                      Claude in Microsoft Foundry, and Bedrock's Anthropic endpoints
 *   /model/{id}/...                        Amazon Bedrock's native API (bedrock.c); the id is the model
 *
 * Queries change nothing of that: api-version is not read, since a deployment's own stands in fleet/1, and fields are known whatever their version.
 */
#ifndef GH_URL_H
#define GH_URL_H

#include "ngx_module/wire/hub/asks.h"
#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/decide/intake.h"

typedef enum {
    GH_URL_CREATE = 0,    /* a body is judged and sent on */
    GH_URL_KEPT,          /* a response that a deployment keeps: kept says what is done with it */
    GH_URL_MODELS,        /* the list of models */
    GH_URL_MODEL          /* one of them */
} gh_url_operation_t;

typedef struct {
    gh_url_operation_t operation;
    gh_endpoint_t      endpoint;    /* of CREATE, KEPT */
    gh_operation_t     kept;        /* of KEPT */
    gh_str_t           id;          /* of KEPT, that the path names, decoded; in the arena */
    gh_hub_dialect_t   client;      /* in whose words errors and lists are told; set for paths that are not served too */
    bool               stream;      /* the path says that the answer is a stream */
    gh_str_t           model;       /* that the path names, decoded; in the arena; data NULL: it names none */
    gh_str_t           query;       /* behind the "?", as it was sent; borrows; empty: none */
    const char        *allow;       /* the methods of this path, static: "POST" */
} gh_url_t;

/* What stands behind the id in the path of an operation, "/cancel"; static. */
extern const char *const gh_url_behind_id[GH_OPERATIONS];

#define GH_URL_NAME_MAX 256         /* bytes of a name in a path, decoded */

/*
 * target: path and query as the client sent them; served: the path that the server made of it. They have to be the same but for percent-encoding inside a
 * name: nothing was rewritten, no "//", no dots, no encoded letters elsewhere. served.data NULL: no server had it, the rules are the same. GH_ERROR: "unknown_endpoint" (404), "method_not_allowed" (405; url->allow),
 * "invalid_request" (400: the name), "no_memory".
 */
int gh_url_read(gh_arena_t *arena, gh_str_t method, gh_str_t target, gh_str_t served, gh_url_t *url, gh_error_t *error);

/* The value of a query's parameter, as it was sent; borrows. false: it is not there. */
bool gh_url_parameter(gh_str_t query, gh_str_t name, gh_str_t *value);

/* The next parameter of a query, name and value as they were sent; *rest is what stands behind it. false: there is none. value->data NULL: no "=" stands behind its name. */
bool gh_url_next_parameter(gh_str_t *rest, gh_str_t *name, gh_str_t *value);

/* A name as it stands in a URL, percent-encoded, decoded into the arena: 1 to GH_URL_NAME_MAX bytes of UTF-8 without control characters. Errors as above. */
int gh_url_name(gh_arena_t *arena, gh_str_t raw, gh_str_t *name, gh_error_t *error);

/* The same of another text: up to `most` bytes. */
int gh_url_text(gh_arena_t *arena, gh_str_t raw, size_t most, gh_str_t *text, gh_error_t *error);

#endif
