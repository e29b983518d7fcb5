/*
 * Handing credentials to the workers: files in the credentials directory, one a credential, written beside and renamed into place, readable by their owner and
 * by the directory's group, which the workers have. The workers look at them once a second.
 *
 *   NAME         the credential: ngx_module/wire/credential.h
 *   .NAME.from   what the agent handed over there last, of which source: credential_own.h
 *   .NAME.why    why it cannot be fetched, while it cannot: for `gatehouse backend status` and `gatehouse credential list`
 */
#ifndef GH_AGENT_CREDENTIAL_HAND_H
#define GH_AGENT_CREDENTIAL_HAND_H

#include "policy/agent/credentials.h"

typedef struct {
    char     code[32], text[512];     /* of the last failure; code "": it does not fail */
    uint64_t since_ms, tried_ms;      /* first and last of the failures since it last went well */
    uint64_t failures;
} gh_credential_why_t;

/*
 * Replaces the file; *changed: it was another one. GH_ERROR "hand_over": the directory is not there, others may write or read it, its group cannot be given, or
 * the disk fails; what was there stays.
 */
int gh_credential_hand(gh_arena_t *arena, const char *directory, gh_str_t name, const gh_credential_t *credential, bool *changed, gh_error_t *error);

/*
 * Takes away what is handed over: what has no end, for when the secret that it was is not there any more (what ends does so by itself), and with `ending` what has one, too.
 * true: it was there and is gone, and the workers pass its deployments over.
 */
bool gh_credential_withdraw(gh_arena_t *arena, const char *directory, gh_str_t name, bool ending);

/* What is handed over now; GH_ERROR: nothing, or nothing that can be read. */
int gh_credential_handed(gh_arena_t *arena, const char *directory, gh_str_t name, gh_credential_t *credential, gh_error_t *error);

/* A file of the directory, complete or as it was; text without the line's end. GH_ERROR "hand_over". */
int gh_credential_put(const char *directory, const char *file, gh_str_t text, gh_error_t *error);

/* One more failure. */
void gh_credential_why_add(gh_credential_why_t *why, const gh_error_t *error, uint64_t now_ms);

/* The reason; code "" takes it away. */
int gh_credential_why_write(gh_arena_t *arena, const char *directory, gh_str_t name, const gh_credential_why_t *why, gh_error_t *error);

/* code "" when there is none that can be read. */
void gh_credential_why_read(gh_arena_t *arena, const char *directory, gh_str_t name, gh_credential_why_t *why);

/*
 * When to fetch it again, ms since 1970: when the issuer said so, else at two thirds of its life; never less than 5 minutes ahead of its end when it lives for 10 or
 * longer, and up to a twentieth of its life earlier by chance, so that many do not come at once. At least a second from now. Without an end: a minute
 * from now, since what lies in files and variables may have been replaced.
 */
uint64_t gh_credential_due(uint64_t now_ms, uint64_t expires_ms, uint64_t refresh_ms, uint64_t random);

#endif
