/* What the files of `gatehouse init` share. */
#ifndef GH_CLI_INIT_H
#define GH_CLI_INIT_H

#include "policy/cli/files.h"

#define GH_INIT_KEY_BYTES 32

typedef struct {
    gh_cli_t   *cli;
    const char *home, *secrets, *ledger;
    const char *user, *group;         /* names, for messages */
    uid_t       uid;                  /* of everything in home, and of the ledger */
    gid_t       gid;
    uid_t       secrets_uid;
    gid_t       secrets_gid;
    uint8_t     key[GH_INIT_KEY_BYTES];
    bool        key_made, store_made, ledger_made;
    bool        ledger_on_disk;       /* not on a tmpfs */
} gh_init_t;

/* Makes, keeps or repairs the ledger, and names it in the store. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
int gh_init_ledger(gh_init_t *init);

#endif
