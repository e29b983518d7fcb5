/* Between the files of the import. */
#ifndef GH_IMPORT_PRIVATE_H
#define GH_IMPORT_PRIVATE_H

#include "policy/document/reading.h"
#include "policy/agent/import.h"

/* ---- import_call.c ---- */

typedef struct {
    gh_str_t                   what;             /* for messages: "ListFoundationModels in eu-central-1" */
    gh_str_t                   permission;       /* that it takes: "bedrock:ListFoundationModels" */
    gh_str_t                   origin;           /* "https://bedrock.eu-central-1.amazonaws.com" */
    gh_str_t                   path, query;      /* percent-encoded; the query without "?" */
    gh_str_t                   token;            /* sent as Bearer; "": signed */
    const gh_aws_credential_t *credential;
    gh_sigv4_scope_t           scope;
} gh_import_call_t;

typedef struct {
    gh_node_t *root;                             /* an object */
    gh_str_t   evidence;                         /* "ListFoundationModels in eu-central-1, request 4f0c..., 2026-11-27T13:00:00Z" */
    unsigned   status;
} gh_import_answer_t;

/* GET, again when it is throttled. Errors as of gh_import_bedrock; *answer has the status then, 0 when there was no answer. */
int gh_import_get(gh_import_t *import, const gh_import_call_t *call, gh_import_answer_t *answer, gh_error_t *error);

/* "import_answer": the answer to what is not what its API documents. format: what is wrong with it. */
int gh_import_bad(gh_error_t *error, gh_str_t what, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* RFC 3986: everything but unreserved letters becomes %XX. data NULL: out of memory. */
gh_str_t gh_import_percent(gh_arena_t *arena, gh_str_t text);

/* ---- import.c ---- */

void gh_import_note(gh_import_t *import, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends one; NULL when out of memory. Borrows until the next call. */
gh_import_deployment_t *gh_import_add(gh_import_t *import);
gh_import_target_t     *gh_import_add_target(gh_import_t *import, gh_import_deployment_t *deployment);

/* A name of fleet/1 out of any text: lower case, what is no letter or digit becomes one "-". */
gh_str_t gh_import_name(gh_import_t *import, gh_str_t text);

/* Strings of a tree; "" when the member is absent or no string. */
gh_str_t gh_import_text(const gh_node_t *object, const char *member);

bool gh_import_list_add(gh_import_t *import, gh_str_list_t *list, gh_str_t text);   /* sorted, once */

#endif
