/*
 * Who signs client certificates, and what their names mean: "certificates" of identity/1 documents, as they stand in an image. A certificate is judged by the rules of every
 * authority that stands above it in its chain, by that authority's SHA-256; all that fit have to name the same app. So what one organisation's authority signs never counts as
 * another's, whatever names stand in it.
 */
#ifndef GH_AUTHORITIES_H
#define GH_AUTHORITIES_H

#include "policy/identity/certificate.h"
#include "policy/identity/rules.h"

#define GH_AUTHORITY_ROOTS_MAX 64

typedef struct {
    gh_str_t              id;
    uint8_t             (*roots)[32];       /* SHA-256 of their certificates */
    size_t                root_count;
    gh_certificate_kind_t user;             /* the name that is recorded as the user; GH_CERTIFICATE_KINDS: users are not told apart */
    gh_caller_rules_t            rules;            /* names are kinds of names: gh_certificate_kinds */
    uint64_t              number;
} gh_authority_t;

/* GH_ERROR "identity", "out_of_memory". */
int gh_authority_read(gh_arena_t *arena, gh_str_t organisation, const gh_node_t *node, gh_authority_t *authority, gh_error_t *error);

/* Does any of them stand above the certificate? Else it is nobody's here. */
bool gh_authorities_know(const gh_authority_t *authorities, size_t count, const gh_certificate_t *certificate);

/*
 * Whose certificate is it? GH_ERROR: "certificate_unknown" (no document names who signed it), "certificate_expired", "certificate_not_yet", "certificate_unmapped",
 * "certificate_ambiguous", "certificate_user", "out_of_memory". No text quotes the certificate.
 */
int gh_authorities_judge(const gh_authority_t *authorities, size_t count, gh_arena_t *arena, const gh_certificate_t *certificate, uint64_t now_ms, gh_caller_t *out,
    gh_error_t *error);

#endif
