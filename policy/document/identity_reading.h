/* What the readers of issuers and of certificates' authorities share. Private to identity_*.c. */
#ifndef GH_IDENTITY_READING_H
#define GH_IDENTITY_READING_H

#include "policy/document/reading.h"

#define GH_IDENTITY_TEXT_MAX 256       /* bytes of a claim's name, and of what a claim or a certificate's name is compared with */

typedef struct {
    gh_loader_t     *loader;
    const gh_node_t *node;             /* of an issuer or an authority */
    gh_str_t         organisation, id;
} gh_identity_reading_t;

/* Reports what is wrong with one test of a rule's "when". */
typedef void (*gh_identity_test_fn)(gh_identity_reading_t *r, const gh_node_t *test);

/* "id": one name space for both, since keys of the record have "@" and it. */
void gh_identity_id(gh_identity_reading_t *r);

/* Reports what is wrong with a rule's "when". */
void gh_identity_when(gh_identity_reading_t *r, const gh_node_t *rule, gh_identity_test_fn check);

/* identity_narrow.c: "narrow", and "places" of an issuer. */
void gh_identity_narrow(gh_identity_reading_t *r, gh_identity_test_fn test);

/* "apps", "classes" and those. */
void gh_identity_rules(gh_identity_reading_t *r, gh_identity_test_fn test);

/* identity_certificates.c: one of "certificates". */
void gh_identity_certificates(gh_identity_reading_t *r);

#endif
