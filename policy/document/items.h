/*
 * The named things that documents are made of, and which of them two sets of documents give differently. By what is written, not by what
 * it means: order of members and white space aside, the same words are the same. What an edit does to requests is `policy plan`'s affair.
 */
#ifndef GH_DOCUMENT_ITEMS_H
#define GH_DOCUMENT_ITEMS_H

#include "policy/document/model.h"

typedef enum {                       /* in the order in which people want to hear of them */
    GH_ITEM_POLICY = 0,              /* id: its name; without its rules */
    GH_ITEM_GUARD,
    GH_ITEM_ALLOW,                   /* "POLICY/RULE" */
    GH_ITEM_FORBID,
    GH_ITEM_NODE,
    GH_ITEM_MODEL,                   /* of the catalogue */
    GH_ITEM_DEPLOYMENT,
    GH_ITEM_ORGANISATION,            /* without its tenants */
    GH_ITEM_TENANT,                  /* "ORG/TENANT", without its apps */
    GH_ITEM_APP,                     /* "ORG/TENANT/APP" */
    GH_ITEM_ISSUER                   /* "ORG/ISSUER" */
} gh_item_kind_t;

extern const char *const gh_item_kind_names[];   /* "policy", "guard", "allow", ... */

typedef struct {
    gh_str_t name;
    uint8_t  sha256[32];             /* of its value */
} gh_item_member_t;

typedef struct {
    gh_item_kind_t    kind;
    gh_str_t          id;
    gh_where_t        where;
    gh_item_member_t *members;       /* by name */
    uint32_t          member_count;
    gh_limit_list_t   limits, key_limits, user_limits;   /* of organisations, tenants and apps: those that can be read */
} gh_item_t;

typedef struct {
    gh_item_t *items;                /* by kind and id */
    size_t     count, capacity;
} gh_items_t;

/*
 * Everything named in the documents; what has no name that can be read is left out. All in the arena. GH_ERROR: a document is not JSON
 * (*error has the place), or out of memory.
 */
int gh_document_items(gh_arena_t *arena, const gh_document_source_t *sources, size_t count, gh_items_t *items, gh_error_t *error);

typedef enum { GH_ITEM_ADDED = 0, GH_ITEM_REMOVED, GH_ITEM_CHANGED } gh_item_change_kind_t;

typedef struct {
    gh_item_change_kind_t change;
    const gh_item_t      *before, *after;    /* NULL where it is not */
    gh_str_t             *members;           /* with GH_ITEM_CHANGED: those that differ, by name */
    uint32_t              member_count;
} gh_item_change_t;

/* By kind and id. GH_ERROR: out of memory. */
int gh_items_compare(gh_arena_t *arena, const gh_items_t *before, const gh_items_t *after, gh_item_change_t **changes,
    size_t *count);

#endif
