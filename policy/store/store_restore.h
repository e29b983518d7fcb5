/* Shared by store_backup.c and store_restore.c. */
#ifndef GH_STORE_RESTORE_H
#define GH_STORE_RESTORE_H

#include "policy/store/store_backup.h"
#include "policy/store/store_edit.h"

typedef struct {                      /* a data file read without LMDB, and checked to its last record */
    gh_hmac_t *mac;                   /* borrowed */
    gh_db_t    db;                    /* that is being read */
    gh_pages_t pages;
    gh_tree_t  tree[GH_DBS];
    gh_head_t  head;
} gh_saved_t;

/* NULL when OpenSSL fails. */
gh_hmac_t *gh_store_mac(const uint8_t key[32]);

int gh_saved_open(gh_saved_t *saved, int fd, gh_hmac_t *mac, gh_error_t *error);

/* *fd is the caller's to close, after an error too, when it is not -1. */
int gh_backup_open(const char *path, gh_hmac_t *mac, int *fd, gh_saved_t *saved, gh_backup_t *backup, gh_error_t *error);

#endif
