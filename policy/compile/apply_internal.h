/* Shared by apply*.c. */
#ifndef GH_APPLY_INTERNAL_H
#define GH_APPLY_INTERNAL_H

#include "policy/compile/apply.h"

/* gh_apply_collect, without texts of documents that the edit leaves alone; *base: the revision in force, number 0 when there is none. */
int gh_apply_collect_only(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, gh_apply_ready_t *ready,
    gh_store_revision_t *base, gh_report_t *report);

/* The texts that are missing. */
int gh_apply_texts(gh_store_t *store, gh_arena_t *arena, gh_apply_ready_t *ready, gh_report_t *report);

/*
 * Model and compiled of *ready from the tenants/1 documents that changed alone. 1: it has to be done with all documents, because something
 * else changed, what is found depends on others, or anything is wrong: then *report is as it was. GH_OK: done.
 */
int gh_apply_part(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, const gh_store_revision_t *base,
    const gh_image_t *previous, gh_apply_ready_t *ready, gh_report_t *report);

#endif
