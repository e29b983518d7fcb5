/*
 * An edit of the policy in force: documents of a scope replace those that are there, and what comes of it is compiled, checked and
 * committed as the next revision, or nothing changes. In steps, so that a caller can look at what is ready before it is in force:
 *
 *   gh_apply_prepare    collects the documents of the new revision, loads and compiles them
 *   gh_apply_commit     puts them in force, when the revision they were prepared on still is
 */
#ifndef GH_APPLY_H
#define GH_APPLY_H

#include "policy/compile/compile.h"
#include "policy/document/scope.h"
#include "policy/store/store_write.h"

/*
 * When all that changed are tenants/1 documents, those alone need to be read. Warnings that only the whole set can show are missing
 * then: it is worth that with many tenants. The revision that comes of it is the same.
 */
typedef enum {
    GH_APPLY_BY_SIZE = 0,                  /* with GH_APPLY_MANY apps and more */
    GH_APPLY_WHOLE, GH_APPLY_PART          /* whenever it can be done */
} gh_apply_how_t;

#define GH_APPLY_MANY 10000u

typedef struct {
    gh_scope_t scope;                      /* what is replaced */
    const gh_document_source_t *sources;   /* all documents of the scope; the paths are kept (gh_scope_path) */
    size_t     source_count;
    bool       based;
    uint64_t   base;                       /* with based: the revision the editor saw; 0: the empty store */
    uint64_t   rollback_of;                /* the revision these documents were taken from; 0: not a rollback */
    gh_apply_how_t how;
    gh_str_t   author, reason;
    uint64_t   now_ms;
    bool       let_finish;                 /* dispatches that run already may finish though this forbids them */
} gh_apply_t;

typedef struct {                           /* a revision that could be: everything in the arena it was prepared in */
    uint64_t           base;               /* the revision in force it stands on; 0: none */
    gh_store_source_t *documents;          /* all of the new revision, by path */
    size_t             document_count;
    gh_str_t          *changed;            /* owners whose documents are not those of the base, in byte order */
    size_t             changed_count;
    gh_model_t        *model;              /* without the tenants of documents that were not read */
    size_t             unread;             /* tenants/1 documents that did not change, and were not read again */
    gh_image_counts_t  counts;             /* of everything */
    gh_compiled_t      compiled;           /* of gh_compile or gh_compile_part: the same image */
} gh_apply_ready_t;

/*
 * The documents of the new revision only: base, documents and changed of *ready. GH_ERROR: reasons in *report, whose sources are paths:
 *   "other_scope"   a document that an edit of this scope cannot hold, with its place
 *   "shared"        the organisation's tenants stand in a document of the gateway
 *   "name_taken"    a document of another owner has that path
 *   "base_moved"    documents that the editor relied on (gh_scope_depends) are not those of apply->base any more
 *   "base_unknown"  there is no such revision
 *   or a code of the store.
 */
int gh_apply_collect(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, gh_apply_ready_t *ready,
    gh_report_t *report);

/*
 * Owners (organisations, GH_OWNER_GATEWAY) whose documents before and after are not the same bytes, whatever they are called; in byte
 * order, in the arena, names borrowed. GH_ERROR: out of memory.
 */
int gh_apply_changed(gh_arena_t *arena, const gh_store_document_t *before, size_t before_count,
    const gh_store_document_t *after, size_t after_count, gh_str_t **owners, size_t *count);

/*
 * gh_apply_collect, gh_documents_load, gh_compile. Of a part (apply->how) texts of documents that are not read may be missing in *ready.
 * GH_ERROR: every reason is in *report.
 */
int gh_apply_prepare(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, gh_apply_ready_t *ready,
    gh_report_t *report);

/* Shows workers what is ready, under a random number: gh_store_propose. */
int gh_apply_propose(gh_store_t *store, const gh_apply_t *apply, const gh_apply_ready_t *ready, uint64_t number, gh_error_t *error);

/* GH_OK: *revision is in force. GH_ERROR: nothing changed; "store_moved": another editor was faster, prepare again. */
int gh_apply_commit(gh_store_t *store, const gh_apply_t *apply, const gh_apply_ready_t *ready, uint64_t *revision,
    gh_error_t *error);

/*
 * Both, again when another editor was faster; *report is begun anew each time. GH_OK: *revision is in force (report may hold
 * warnings). GH_ERROR: as above.
 */
int gh_apply(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, uint64_t *revision, gh_report_t *report);

#define GH_APPLY_TRIES 8                   /* of gh_apply, and a good number for others */

#endif
