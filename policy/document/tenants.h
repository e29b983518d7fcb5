/* Organisations of all tenants/1 documents, put together: one may be given by several. Private to tenants_*.c. */
#ifndef GH_TENANTS_H
#define GH_TENANTS_H

#include "policy/document/reading.h"

typedef enum {
    GH_SAID_CLASSES, GH_SAID_PLACES, GH_SAID_MODELS, GH_SAID_OBJECTIVE, GH_SAID_AUDIT, GH_SAID_LIMITS, GH_SAID_KEY_LIMITS, GH_SAID_USER_LIMITS, GH_SAID_MAX_OUTPUT,
    GH_SAIDS
} gh_said_member_t;

typedef struct { const gh_node_t *node; const char *source; } gh_said_t;   /* a member, and the document it stands in; NULL: nobody says it */

typedef struct gh_part_s {           /* an organisation, as one document gives it */
    gh_str_t         id;             /* empty: wrong, and reported */
    const gh_node_t *node;
    const char      *source;
    gh_where_t       where;          /* of the id */
    uint32_t         order;          /* among all parts */
    bool             told;           /* not of a document that is read: part->said */
} gh_part_t;

typedef struct {
    gh_str_t         id;
    const gh_part_t *parts;          /* in the order of documents */
    uint32_t         part_count;
    gh_said_t        said[GH_SAIDS]; /* what is said of all its tenants */
} gh_organisation_t;

/* Remembers what a document gives. */
void gh_tenants_part(gh_loader_t *loader, const gh_node_t *node, gh_str_t id, gh_where_t where);

/*
 * Organisations by id, in the arena. One given twice by the same document is an error, and so is a member of it that two documents do
 * not give alike. NULL: out of memory.
 */
gh_organisation_t *gh_tenants_merge(gh_loader_t *loader, uint32_t *count);

/* Of a load of a part: what others say of organisations, as parts of theirs (part->said). */
void gh_tenants_told(gh_loader_t *loader);

/* What is said of all its tenants, as JSON: gh_model_organisation_t.said. */
gh_str_t gh_tenants_said(gh_loader_t *loader, const gh_organisation_t *organisation);

/* Bits by gh_said_member_t of the members that an organisation's object has. */
uint32_t gh_tenants_said_members(const gh_node_t *organisation);

#endif
