/*
 * AWS Signature Version 4 (docs.aws.amazon.com, "Create a signed AWS API request"): the Authorization header of one request. Every service, S3 too; no
 * presigned URLs, no chunked signatures: a body's digest is computed once, by who sends it.
 *
 * Secrets are in no error's text. What is derived from one is wiped when it is replaced or forgotten; what the caller hands in is his to wipe.
 */
#ifndef GH_SIGV4_H
#define GH_SIGV4_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/hash.h"
#include "policy/base/str.h"

typedef struct {
    gh_str_t access_key_id;       /* 1..128 of A-Z a-z 0-9 _ */
    gh_str_t secret_access_key;   /* 1..256 bytes of visible ASCII */
    gh_str_t session_token;       /* "" for none; at most 8192 bytes of visible ASCII */
    uint64_t expires_ms;          /* since 1970; 0: not said */
} gh_aws_credential_t;

/*
 * Reads what a `credential_process` of AWS's tools prints, and what the instance metadata service answers: a JSON object with AccessKeyId, SecretAccessKey,
 * SessionToken (or Token) and Expiration (RFC 3339, UTC); other members are not read. The strings are the arena's. GH_ERROR, "aws_credential": the sentence
 * names the member.
 */
int gh_aws_credential_read(gh_arena_t *arena, gh_str_t text, gh_aws_credential_t *credential, gh_error_t *error);

/* ---- signing keys, kept: one a secret, region and service, for a day ---- */

#define GH_SIGV4_KEYS 32

typedef struct {
    uint8_t    secret[32], scope[32];   /* digests */
    char       day[8];
    uint64_t   used;                    /* 0: free */
    gh_hmac_t *hmac;
} gh_sigv4_key_t;

typedef struct {
    gh_sigv4_key_t entries[GH_SIGV4_KEYS];   /* private; the one used longest ago gives way */
    uint64_t       uses;
    uint64_t       derived;                  /* how often a key was not there */
} gh_sigv4_keys_t;

void gh_sigv4_keys_init(gh_sigv4_keys_t *keys);

/* Wipes what came from this secret, for when it has been replaced. */
void gh_sigv4_keys_forget(gh_sigv4_keys_t *keys, gh_str_t secret_access_key);

/* Wipes all of them. */
void gh_sigv4_keys_clear(gh_sigv4_keys_t *keys);

/* The key for that day (YYYYMMDD), the keys' own: valid until the next call. NULL: no memory. */
gh_hmac_t *gh_sigv4_key(gh_sigv4_keys_t *keys, gh_str_t secret_access_key, const char day[8], gh_str_t region, gh_str_t service);

/* ---- a request ---- */

#define GH_SIGV4_HEADERS 32   /* most that a caller may have signed */
#define GH_SIGV4_PARAMS  64   /* most of a query */

typedef struct {
    gh_str_t name, value;     /* as they are sent; a name may stand several times */
} gh_sigv4_header_t;

typedef struct {
    gh_str_t                 method;
    gh_str_t                 host;              /* the Host header */
    gh_str_t                 path;              /* as on the wire: "/..." of RFC 3986's pchar, percent-encoded once */
    gh_str_t                 query;             /* as on the wire, without "?"; "" for none */
    const gh_sigv4_header_t *headers;           /* signed besides host, x-amz-date, x-amz-security-token and x-amz-content-sha256, which are added */
    size_t                   header_count;
    const uint8_t           *body_sha256;       /* 32 bytes */
    bool                     content_sha256;    /* x-amz-content-sha256 is sent, and signed */
} gh_sigv4_request_t;

typedef struct {
    gh_str_t region;       /* "eu-central-1": 1..64 of a-z 0-9 - */
    gh_str_t service;      /* "bedrock" */
} gh_sigv4_scope_t;

typedef struct {
    char     date[16];              /* x-amz-date: "20150830T123600Z" */
    char     content_sha256[64];    /* x-amz-content-sha256, also when it is not sent */
    gh_str_t authorization;         /* the arena's; the only one that is not the credential's session token */
} gh_sigv4_signed_t;

/*
 * Signs for the time now_ms + skew_ms (milliseconds since 1970). Sent are then these headers, the credential's session token as x-amz-security-token, and
 * everything as it was signed. GH_ERROR: "bad_signature_input" (text says which part of the request cannot be signed) or "no_memory".
 */
int gh_sigv4_sign(gh_arena_t *arena, gh_sigv4_keys_t *keys, const gh_aws_credential_t *credential, const gh_sigv4_scope_t *scope,
    const gh_sigv4_request_t *request, uint64_t now_ms, int64_t skew_ms, gh_sigv4_signed_t *out, gh_error_t *error);

/*
 * The canonical request, of which the string to sign holds the digest, and the list of signed headers ("host;x-amz-date"), for tests and for whoever has to find out why AWS
 * computes another. It holds the session token: never for a log. date: 16 bytes. Errors as above.
 */
int gh_sigv4_canonical(gh_arena_t *arena, const gh_sigv4_request_t *request, const gh_sigv4_scope_t *scope, gh_str_t session_token, const char *date,
    gh_str_t *canonical, gh_str_t *signed_headers, gh_error_t *error);

/* ---- the clock ---- */

/* "20150830T123600Z": milliseconds since 1970, or -1. */
int64_t gh_sigv4_date_ms(gh_str_t text);

#define GH_SIGV4_SKEW_MAX UINT64_C(86400000)   /* ms; more is no clock that is only wrong */

/*
 * Is this answer a refusal because of our clock, and what is to be added to it? true: *skew_ms is new, sign and send once more. The time of the backend is
 * taken from its Date header, else from the sentence of its error. false, *skew_ms as it was: another error (aws_error.h reads error_type out of an answer),
 * no time in it, or one that differs by less than a minute from the one signed for, so that a wrong key is not tried for ever.
 */
bool gh_sigv4_learn_skew(int status, gh_str_t error_type, gh_str_t message, gh_str_t date, uint64_t now_ms, int64_t *skew_ms);

#endif
