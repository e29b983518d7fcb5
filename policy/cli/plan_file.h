/*
 * Saved plans: what `policy plan --out FILE` wrote is exactly what `policy apply FILE` puts in force, or it is refused.
 *
 *   { "kind": "plan/1", "made": TIME, "by": NAME,
 *     "base": { "revision": N, "policy": DIGEST },      the revision in force it was made on; 0 and "" on an empty store
 *     "scope": "all" | "gateway" | "organisation",  "organisation": ORG,
 *     "documents": [ { "path", "sha256", "text" } ],    all documents of the scope
 *     "policy": DIGEST, "facts": DIGEST, "newest_facts": NAME,    of the revision it will make
 *     "summary": { ... },                               what the plan said, for people; applying does not read it
 *     "mac": HEX }
 *
 * mac: HMAC-SHA-256 with the subkey "plan" of store.key over the object without it, in compact JSON with sorted keys. So a plan that was
 * damaged or edited, or made with another gateway's key, is refused.
 */
#ifndef GH_CLI_PLAN_FILE_H
#define GH_CLI_PLAN_FILE_H

#include "policy/cli/edit.h"

typedef struct {
    gh_cli_edit_t    edit;             /* with its base and promise */
    gh_cli_promise_t promise;
    uint64_t         made_ms;
    gh_str_t         made_by;
    json_t          *summary;          /* an object; the caller's reference */
} gh_cli_plan_t;

/*
 * Writes an edit of gh_cli_edit_read as a plan on revision `base`, the one gh_cli_edit_collect gave. after: what its documents were loaded
 * to. summary: an object, borrowed. A new file, mode 0640, complete or not there; an existing file is replaced. GH_EXIT_DONE, or
 * GH_EXIT_ERROR after a message.
 */
int gh_cli_plan_write(gh_cli_t *cli, gh_store_t *store, const char *path, const gh_cli_edit_t *edit, uint64_t base,
    const gh_model_t *after, uint64_t now_ms, json_t *summary);

/*
 * GH_EXIT_ERROR after a message when it is no plan, of an unknown version, damaged, edited, or made with another store.key. Whether its
 * base is still what the plan relied on is seen when it is applied.
 */
int gh_cli_plan_read(gh_cli_t *cli, const char *path, gh_cli_plan_t *plan);

#endif
