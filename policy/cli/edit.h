/*
 * An edit of the policy in force, as a command gives it: the documents of a directory, of a saved plan or of an older revision, and the
 * scope they replace. `policy apply` and `policy rollback` end in gh_cli_edit_commit; `policy plan` in gh_cli_plan_write.
 */
#ifndef GH_CLI_EDIT_H
#define GH_CLI_EDIT_H

#include "policy/cli/policy.h"
#include "policy/compile/apply.h"

typedef struct {                       /* what a saved plan was made on, and what it said would come of it */
    uint8_t  base_policy[32];          /* digest of the base revision's documents; zeros on an empty store */
    uint8_t  policy[32], facts[32];    /* of gh_model_t, when no other edit came in between */
    gh_str_t newest_facts;             /* name of the newest facts artefact */
} gh_cli_promise_t;

typedef struct {
    gh_scope_t         scope;
    gh_cli_documents_t documents;      /* of the scope; sources are named as they are kept */
    bool               based;          /* base: the revision the editor saw; 0: the empty store */
    uint64_t           base;
    uint64_t           rollback_of;    /* 0: not a rollback */
    const gh_cli_promise_t *promise;   /* refused when it cannot be kept; NULL: none was made */
} gh_cli_edit_t;

/* Rows for the tables of commands that take a scope. */
#define GH_CLI_SCOPE_OPTIONS                                                                                          \
    { "organisation", "ORG", "only the documents of this organisation; the others stay as\nthey are in force", false }, \
    { "gateway", NULL, "only the gateway's: fleet, guards, tenants of several organisations", false }

/* The scope by --organisation and --gateway: everything without them. GH_EXIT_DONE, or GH_EXIT_USAGE after a message. */
int gh_cli_scope(gh_cli_t *cli, gh_scope_t *scope);

#define GH_CLI_A_REVISION "the number of a revision"

/* A decimal number. GH_EXIT_DONE, or GH_EXIT_USAGE after "--base 1x is not the number of a revision": before, text, kind. */
int gh_cli_number(gh_cli_t *cli, const char *before, const char *text, const char *kind, uint64_t *number);

/*
 * The documents of a directory as an edit of the scope and base that the options (--organisation, --gateway, --base) give. A document
 * that is not of the scope is only refused by gh_cli_edit_collect and gh_cli_edit_commit. GH_EXIT_DONE, or an exit code after a message.
 */
int gh_cli_edit_read(gh_cli_t *cli, const char *directory, gh_cli_edit_t *edit);

/*
 * All documents of the revision that the edit would make, and in *base (which may be NULL) the revision in force it would stand on.
 * Changes nothing. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. now_ms: Unix time.
 */
int gh_cli_edit_collect(gh_cli_t *cli, gh_store_t *store, const gh_cli_edit_t *edit, uint64_t now_ms,
    gh_cli_documents_t *documents, uint64_t *base);

/* {"gateway": BOOL, "organisations": [...]}; NULL when out of memory. "gateway, nordbank and 3 more", arena-owned. */
json_t  *gh_cli_owners_json(const gh_str_t *owners, size_t count);
gh_str_t gh_cli_owners_words(gh_arena_t *arena, const gh_str_t *owners, size_t count, size_t limit);

/* Makes the edit the next revision, in a store opened for writing, and prints what came of it. The command's exit code. */
int gh_cli_edit_commit(gh_cli_t *cli, gh_store_t *store, const gh_cli_edit_t *edit);

#endif
