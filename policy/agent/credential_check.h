/*
 * Is a credential good where it will be used? One GET, with nothing of any client in it, of a page that the backend gives to whoever may ask it at all: its list of
 * models, or AWS STS' GetCallerIdentity. So a refused credential is known before a client's request meets it.
 */
#ifndef GH_AGENT_CREDENTIAL_CHECK_H
#define GH_AGENT_CREDENTIAL_CHECK_H

#include "policy/agent/credentials.h"
#include "policy/document/reading.h"

#define GH_CHECK_EVERY_MS     300000u     /* unless "every_seconds" says otherwise */
#define GH_CHECK_SECONDS_MIN  30u
#define GH_CHECK_SECONDS_MAX  86400u
#define GH_CHECK_REFUSALS     2u          /* in a row until what is in force is withdrawn: one may be the backend's own trouble */

struct gh_credential_check_s {            /* "check" of a credential; strings are NUL-terminated */
    gh_str_t url, ca_file;
    gh_str_t header;                      /* for a key: "api-key", "x-api-key", or "authorization", where "Bearer " goes before it */
    gh_str_t region, service;             /* of what is signed */
    uint64_t every_ms;
};

typedef enum {
    GH_CHECK_ACCEPTED = 0,                /* 2xx */
    GH_CHECK_REFUSED,                     /* as gh_credential_refused has it */
    GH_CHECK_NO_WORD                      /* nobody was reached, or the answer is about something else */
} gh_check_end_t;

/* The member "check" of a source whose other members are read. NULL after a mistake was reported. */
const gh_credential_check_t *gh_credential_check_read(gh_loader_t *loader, const gh_node_t *node, const gh_credential_source_t *source);

/* Blocking; at most GH_FETCH_TOTAL_MS. *error says why it is not GH_CHECK_ACCEPTED ("check_refused", "check_answer", or gh_fetch's code); no secret is in it. */
gh_check_end_t gh_credential_check(const gh_credential_check_t *check, const gh_credential_t *credential, gh_arena_t *arena, uint64_t now_ms, const _Atomic int *stop,
    gh_error_t *error);

#endif
