/* What the files of `gatehouse init` share. */
#ifndef GH_CLI_INIT_H
#define GH_CLI_INIT_H

#include "policy/cli/replay.h"
#include "policy/cli/files.h"
#include "policy/store/store.h"

#define GH_INIT_KEY_BYTES 32

#define GH_INIT_LEDGER_ADVICE \
    (geteuid() == 0 ? "name another place with --ledger" : "run this as root, or name a place that you may write with --ledger")

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
    uint64_t    ledger_size;          /* --ledger-size; bytes */
    uint64_t    ledger_has;           /* the size of the one that is there */
    const char *checkpoint;           /* its counters come from there; NULL: from none */
    uint64_t    checkpoint_ms;
    gh_replay_told_t replayed;
} gh_init_t;

/* Makes, keeps or repairs the ledger, and names it in the store. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
int gh_init_ledger(gh_init_t *init);

/*
 * Makes the ledger at PATH with the counters that checkpoint and record give. *made false: somebody else made one meanwhile. GH_EXIT_DONE, or
 * GH_EXIT_ERROR after a message: there is no ledger then.
 */
int gh_init_counters(gh_init_t *init, const char *path, const gh_store_t *store, const uint8_t id[16], bool *made);

#endif
