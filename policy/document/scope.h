/*
 * Whose a document is. Every document of a revision belongs either to one organisation or to the gateway:
 *
 *   residency/1 policy                     the organisation that applies_to lies in
 *   residency/1 with "role": "guard"       the gateway
 *   tenants/1 that gives one organisation  that organisation
 *   tenants/1 that gives several           the gateway
 *   identity/1                             the organisation that it names
 *   fleet/1                                the gateway
 *
 * An edit has a scope: it replaces the documents of that scope, all of them, and leaves the others as they are in force.
 */
#ifndef GH_SCOPE_H
#define GH_SCOPE_H

#include "policy/document/model.h"

typedef enum {
    GH_SCOPE_ALL = 0,              /* every document */
    GH_SCOPE_GATEWAY,              /* the gateway's own */
    GH_SCOPE_ORGANISATION
} gh_scope_kind_t;

typedef struct {
    gh_scope_kind_t kind;
    gh_str_t        organisation;  /* with GH_SCOPE_ORGANISATION */
} gh_scope_t;

/* The name of the gateway where an owner is asked for: no organisation can have it. */
#define GH_OWNER_GATEWAY GH_STR("")

/* Whether an edit of this scope replaces the documents of an owner (an organisation's id, or GH_OWNER_GATEWAY). */
bool gh_scope_replaces(const gh_scope_t *scope, gh_str_t owner);

/*
 * Whether what was said about an edit of this scope may no longer be true once a document of the owner changed. What an
 * organisation's documents allow follows from them and from the gateway's; an edit of the gateway is judged against all of them.
 */
bool gh_scope_depends(const gh_scope_t *scope, gh_str_t owner);

/* "every document", "the gateway's documents", "the documents of organisation nordbank". Arena-owned; "" when out of memory. */
const char *gh_scope_words(gh_arena_t *arena, const gh_scope_t *scope);

/*
 * The owner of a document by what it says, arena-owned, and whether it is a tenants/1 document (NULL: nobody asks). GH_ERROR: it is not JSON
 * or does not say (*error has the place); gh_documents_load says more about such a one.
 */
int gh_document_owner(gh_arena_t *arena, const gh_document_source_t *source, gh_str_t *owner, bool *tenants, gh_error_t *error);

/* Whether it is a tenants/1 document that gives the organisation, alone or with others; *where (source in the arena) then says where. */
bool gh_document_gives(gh_arena_t *arena, const gh_document_source_t *source, gh_str_t organisation, gh_where_t *where);

/*
 * Refuses what an edit of this scope may not hold: every place that makes the document another's is an error in the report, with
 * file, line, column and what to do. GH_OK: the document is of the scope, or so broken that only gh_documents_load can tell.
 */
int gh_scope_check(const gh_scope_t *scope, const gh_document_source_t *source, gh_report_t *report);

/*
 * The path under which a document given as `name` is kept: itself, or for an organisation's "ORGANISATION/name", so that two of them
 * may both have a "residency.json". Arena-owned; data NULL when out of memory.
 */
gh_str_t gh_scope_path(gh_arena_t *arena, const gh_scope_t *scope, gh_str_t name);

/* The organisation that a pattern or path lies in; empty for "*". Borrowed from it. */
gh_str_t gh_pattern_organisation(gh_str_t pattern);

#endif
