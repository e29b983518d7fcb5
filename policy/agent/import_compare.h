/*
 * What a cloud says now beside what fleet/1 documents say of the same deployments: by their "resource" and the model's upstream name. What stands in a document
 * and is at least as wide as what the cloud says is no drift.
 */
#ifndef GH_IMPORT_COMPARE_H
#define GH_IMPORT_COMPARE_H

#include "policy/agent/import.h"
#include "policy/agent/tree.h"

typedef enum {
    GH_DIFFERENCE_NEW = 0,     /* the cloud has it, the documents do not */
    GH_DIFFERENCE_GONE,        /* the documents have it, the cloud has not */
    GH_DIFFERENCE_CHANGED,     /* a fact that was imported, or a member that says where it runs, is no longer so */
    GH_DIFFERENCE_CONFLICT,    /* people state what the cloud does not say */
    GH_DIFFERENCE_NARROWER,    /* the cloud says less than what is stated: that stays true */
    GH_DIFFERENCE_LEARNED,     /* the documents do not state it, and the cloud says it */
    GH_DIFFERENCES
} gh_difference_kind_t;

extern const char *const gh_difference_names[GH_DIFFERENCES];

typedef struct {
    gh_difference_kind_t kind;
    gh_str_t             deployment, model;      /* as the document calls them; of NEW as the import does */
    const char          *fact;                   /* "sku", "store", ...; "" of NEW and GONE */
    gh_str_t             was, is;                /* in the document; in the cloud */
} gh_difference_t;

typedef struct {
    gh_difference_t *items;
    uint32_t         count;
    uint32_t         taken_out;                  /* of them, how many take their deployment out */
} gh_differences_t;

/* Does it make what the document says untrue: GONE, CHANGED, CONFLICT. */
bool gh_difference_takes_out(const gh_difference_t *difference);

/*
 * Compares one fleet/1 document with a finished import; what the documents say of other clouds, or of subscriptions and regions that were not asked, is not looked
 * at. New ones are told only with merge. merge: the document, a copy of the caller's, is brought up to date: what is NEW or LEARNED comes in, what CHANGED is
 * replaced with its evidence; what people state stays, and what is GONE too. GH_ERROR: out of memory, or the document is none.
 */
int gh_import_compare(gh_import_t *import, gh_node_t *document, bool merge, gh_differences_t *differences, gh_error_t *error);

/* "azure-se, gpt-4.1: sku is now GlobalStandard, not Standard". Arena-owned. */
gh_str_t gh_difference_text(gh_arena_t *arena, const gh_difference_t *difference);

#endif
