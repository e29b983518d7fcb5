/*
 * Client certificates: what one says, read by OpenSSL from the certificate itself (RFC 5280), and whether a store of authorities accepts it. Nothing here is ever read from a
 * header of a request.
 */
#ifndef GH_CERTIFICATE_H
#define GH_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdint.h>

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"

#define GH_CERTIFICATE_CHAIN_MAX 32    /* certificates of a chain */
#define GH_CERTIFICATE_NAMES_MAX 256   /* names of one kind that a certificate may have */

typedef struct gh_certificate_s {
    uint8_t    digest[32];             /* of all that follows, and so what a caller is kept by */
    uint8_t    sha256[32];             /* of the certificate's DER */
    uint8_t  (*chain)[32];             /* likewise of each certificate above it, up to the one that is trusted; itself, when it is */
    size_t     chain_count;
    gh_str_t  *uris, *dns;             /* SANs of these kinds, in the certificate's order; printable ASCII, none empty */
    size_t     uri_count, dns_count;
    gh_str_t   subject;                /* RFC 2253, as nginx's $ssl_client_s_dn; may be empty */
    uint64_t   not_before_ms, not_after_ms;   /* the second is the first moment at which it is not valid any more */
} gh_certificate_t;

/*
 * Reads a certificate that was verified; chain: as OpenSSL built it, the certificate itself first. Everything is in the arena. GH_ERROR "certificate_malformed": a name has a
 * byte that none has, such as NUL, there are too many names, times make no sense, or a SPIFFE ID stands beside another URI or in an authority's certificate (X509-SVID, 2 and 4);
 * "out_of_memory".
 */
int gh_certificate_read(X509 *leaf, STACK_OF(X509) *chain, gh_arena_t *arena, gh_certificate_t *certificate, gh_error_t *error);

/*
 * Would the store accept it as a client's now? With the store's flags (CRLs), and the parameters and the security level that a server has. chain: as built, to be freed with
 * sk_X509_pop_free. GH_ERROR "certificate_untrusted" with OpenSSL's words, "out_of_memory".
 */
int gh_certificate_verify(X509_STORE *store, const X509_VERIFY_PARAM *param, int security_level, X509 *leaf, STACK_OF(X509) *untrusted, STACK_OF(X509) **chain,
    gh_error_t *error);

/* GH_OK, or GH_ERROR "certificate_expired", "certificate_not_yet". */
int gh_certificate_in_time(const gh_certificate_t *certificate, uint64_t now_ms, gh_error_t *error);

/* ---- names that rules compare ---- */

typedef enum { GH_CERTIFICATE_URI, GH_CERTIFICATE_DNS, GH_CERTIFICATE_SUBJECT, GH_CERTIFICATE_SHA256, GH_CERTIFICATE_KINDS } gh_certificate_kind_t;

/* "uri", "dns", "subject", "sha256"; NULL at the end. */
extern const char *const gh_certificate_kinds[GH_CERTIFICATE_KINDS + 1];

/* GH_CERTIFICATE_KINDS: none. */
gh_certificate_kind_t gh_certificate_kind(gh_str_t name);

/*
 * Does it have this name? URI: scheme and authority without case, the rest byte by byte (RFC 3986, 6.2.2.1); DNS: ASCII without case (RFC 4343), a wildcard of the certificate
 * stands for nothing; subject: byte by byte; sha256: 64 hexadecimal digits.
 */
bool gh_certificate_has(const gh_certificate_t *certificate, gh_certificate_kind_t kind, gh_str_t value);

/* What is wrong with a value of a rule, or NULL: every name has one spelling there (lower case). */
const char *gh_certificate_value_wrong(gh_certificate_kind_t kind, gh_str_t value);

/* 64 hexadecimal digits in either case. */
bool gh_certificate_sha256(gh_str_t text, uint8_t sha256[32]);

#endif
