/*
 * Where credentials of backends come from: `credentials/1`, a document of the agent's, and the flows that it names. What comes out of a flow is a
 * gh_credential_t, which is written to a file of `gatehouse_credentials` for the workers.
 *
 * No secret stands in the document itself, in an error's text or in a log: the document says where each is to be read, and it is read anew for each
 * run, so that what is replaced there is used from then on.
 */
#ifndef GH_AGENT_CREDENTIALS_H
#define GH_AGENT_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "ngx_module/wire/credential.h"
#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"

#define GH_CREDENTIALS_MAX       1024u     /* of a document */
#define GH_CREDENTIAL_CHAIN      5u        /* sources inside each other, the outermost included */
#define GH_SECRET_FILE_MAX       65536u    /* bytes of a file with a secret, a token or a certificate */

typedef enum { GH_SECRET_NONE = 0, GH_SECRET_FILE, GH_SECRET_ENVIRONMENT, GH_SECRET_SYSTEMD } gh_secret_kind_t;

typedef struct {                           /* where a secret is: {"file": "/..."}, {"environment": "NAME"}, {"systemd": "NAME"} */
    gh_secret_kind_t kind;
    gh_str_t         name;                 /* NUL-terminated */
} gh_secret_t;

typedef struct gh_credential_source_s gh_credential_source_t;
typedef struct gh_credential_run_s    gh_credential_run_t;
typedef struct gh_credential_check_s  gh_credential_check_t;   /* credential_check.h */

/* Members that a source may have; "" and NONE where it says nothing. All strings are NUL-terminated. */
struct gh_credential_source_s {
    gh_str_t    id;                        /* of the credential, and its file's name; "" inside another source */
    const struct gh_credential_kind_s *kind;
    uint32_t    line;                      /* of the document */
    gh_secret_t secret, certificate, session_token, authorization_token;
    gh_str_t    tenant_id, client_id, authority, scope, object_id, resource_id, token_file, endpoint, ca_file;
    gh_str_t    access_key_id, profile, config_file, credentials_file, region, role_arn, session_name, external_id, relative_uri, full_uri;
    uint64_t    duration_seconds;
    bool        send_chain;
    const gh_credential_source_t *from;
    const gh_credential_check_t  *check;   /* is what it gives good where it will be used? NULL: nobody asks. Never of one inside another */
};

/* One run of a source: what it may use. */
struct gh_credential_run_s {
    gh_arena_t        *arena;
    uint64_t           now_ms;
    const _Atomic int *stop;               /* gh_fetch_request_t */
    unsigned           depth;              /* of sources inside each other */
    uint64_t           refresh_ms;         /* when the issuer wants to be asked again; 0: it did not say */
};

/*
 * Blocking, and safe in several threads at once, each with a run of its own. GH_OK: *out, its strings the arena's. GH_ERROR: what is wrong and, where the
 * answer said so, with which error; codes are gh_fetch's, and "source_refused" (the issuer said no), "source_answer" (it said what it should not),
 * "source_secret" (a secret cannot be read), "source_config" (a file or an environment that the source is described by is not right).
 */
typedef int (*gh_credential_flow_t)(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);

typedef struct gh_credential_kind_s {      /* credentials_document.c has the table */
    const char          *word;             /* "entra_client_secret" */
    gh_credential_flow_t run;
    const char          *members[12];      /* "tenant_id=AZURE_TENANT_ID" (from there when it is not said), "secret!" (must be said); NULL at the end */
} gh_credential_kind_t;

/* Runs a source, at most GH_CREDENTIAL_CHAIN inside each other. */
int gh_credential_run(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);

/* ---- the document ---- */

typedef struct {
    gh_credential_source_t *items;
    uint32_t                count;
} gh_credential_list_t;

/*
 * Reads credentials/1. Every mistake is in the report, with its line and column; GH_ERROR when there is one. Strings borrow from text or are the
 * arena's. environment: getenv's, or a test's own.
 */
int gh_credentials_read(gh_arena_t *arena, gh_str_t text, const char *source, gh_credential_list_t *list, gh_report_t *report);

const gh_credential_kind_t *gh_credential_kind(gh_str_t word);

/*
 * What tells one description of a source from another: SHA-256 of its kind and of what each member says, where secrets are and not what they are, in lower-case
 * hexadecimal, with a NUL.
 */
void gh_credential_source_mark(const gh_credential_source_t *source, char mark[65]);

/* What a source of its kind takes from the environment (AZURE_CLIENT_ID, AWS_REGION, ...) and was not said. */
void gh_credential_environment(gh_credential_source_t *source);

/* ---- secrets ---- */

/*
 * The whole of it without the line's end, at most GH_SECRET_FILE_MAX bytes, in the arena. what: "secret", for the sentence. GH_ERROR "source_secret": it is not
 * there, empty, or readable by everybody.
 */
int gh_secret_read(gh_arena_t *arena, const gh_secret_t *secret, const char *what, gh_str_t *out, gh_error_t *error);

/* A file of any kind; NUL-terminated. secret: a mode that lets everybody read it is refused. */
int gh_secret_file(gh_arena_t *arena, const char *path, const char *what, bool secret, gh_str_t *out, gh_error_t *error);

/* Without white space and line ends around it: what a projected token's file has. */
gh_str_t gh_token_trim(gh_str_t text);

/* ---- flows: credentials_static.c, _entra.c, _azure_identity.c, _aws.c, _aws_profile.c, _sts.c ---- */

int gh_credential_from_key(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);
int gh_credential_from_bearer(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);
int gh_credential_from_entra_secret(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);
int gh_credential_from_entra_certificate(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);
int gh_credential_from_entra_federation(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);
int gh_credential_from_managed_identity(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);
int gh_credential_from_aws_keys(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);
int gh_credential_from_aws_environment(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);
int gh_credential_from_aws_profile(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);
int gh_credential_from_instance(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);
int gh_credential_from_container(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);
int gh_credential_from_web_identity(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);
int gh_credential_from_assumed_role(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);

#endif
