/* What the `gatehouse key` commands share that change a key, so that every worker obeys before they say that they are done. */
#ifndef GH_CLI_KEY_CHANGE_H
#define GH_CLI_KEY_CHANGE_H

#include "policy/cli/barrier.h"
#include "policy/cli/key.h"

typedef struct gh_cli_key_change_s gh_cli_key_change_t;

struct gh_cli_key_change_s {
    const char *done;                 /* "revoked": for the line that is printed, and the name of the path in the object */
    const char *what;                 /* "the revocation", for the message that names workers which do not obey */
    const char *repeats;              /* code of the error which says that it was so before; NULL: none does */
    int       (*prepare)(gh_cli_t *cli, gh_store_t *store, gh_cli_key_change_t *change);   /* before anything is changed: GH_EXIT_DONE, or an exit code after a message; may be NULL */
    int       (*edit)(gh_store_t *store, gh_cli_key_change_t *change, gh_error_t *error);
    void       *asked;                /* theirs */
    size_t      followed;             /* set by edit: how many keys that it made changed with it */
    bool        before;               /* set: it was so before */
};

/* path: of cli->arguments[0]. An exit code, after what there is to print. */
int gh_cli_key_change(gh_cli_t *cli, const gh_cli_path_t *path, gh_cli_key_change_t *change);

#endif
