/*
 * What a backend's credential is, as it lies in a file of `gatehouse_credentials`: one line that a person or the agent wrote. Three forms:
 *
 *   sk-...                                                                 sent as the deployment's dialect has it, without an end
 *   {"kind":"credential/1","send":"bearer","secret":"...","expires":"2026-11-27T08:00:00Z"}   what the agent writes; send: "key" or "bearer"
 *   {"Version":1,"AccessKeyId":"...","SecretAccessKey":"...","SessionToken":"...","Expiration":"..."}   to sign with: sigv4.h
 *
 * Secrets are in no error's text.
 */
#ifndef GH_CREDENTIAL_H
#define GH_CREDENTIAL_H

#include <stdint.h>

#include "ngx_module/wire/sigv4.h"

#define GH_CREDENTIAL_MAX 8000u       /* bytes of the line */

typedef enum {
    GH_CREDENTIAL_KEY = 0,            /* in the header that the deployment's dialect has for it */
    GH_CREDENTIAL_BEARER,             /* Authorization: Bearer, whatever the dialect says */
    GH_CREDENTIAL_AWS                 /* requests are signed with it */
} gh_credential_form_t;

typedef struct {
    gh_credential_form_t form;
    gh_str_t             secret;      /* KEY, BEARER: visible ASCII and inner spaces, for a header */
    gh_aws_credential_t  aws;         /* AWS */
    uint64_t             expires_ms;  /* since 1970; 0: not said */
} gh_credential_t;

/* Strings are the arena's, or borrow from text. GH_ERROR: "credential", "aws_credential" or "no_memory", with a sentence that says what is wrong. */
int gh_credential_read(gh_arena_t *arena, gh_str_t text, gh_credential_t *credential, gh_error_t *error);

/* The same as one line, without its end, for gh_credential_read. GH_ERROR: "credential" when it is longer than GH_CREDENTIAL_MAX, or "no_memory". */
int gh_credential_write(gh_arena_t *arena, const gh_credential_t *credential, gh_str_t *text, gh_error_t *error);

/*
 * Does an error of a backend say that the credential is not good? 401 does; 403 does when it is an error of AWS's for credentials and signatures
 * (docs.aws.amazon.com, "Common error types"), or what Bedrock says of API keys, which is told from its other denials by its words alone. Other
 * 403s are about what was asked. name: as gh_aws_error_name gives it; body: what is there of it. bedrock: it is a backend of AWS's; others may repeat what they were asked, and
 * with it those words.
 */
bool gh_credential_refused(int status, gh_str_t name, gh_str_t body, bool bedrock);

#endif
