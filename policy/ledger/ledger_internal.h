/* Shared by the files of the ledger. */
#ifndef GH_LEDGER_INTERNAL_H
#define GH_LEDGER_INTERNAL_H

#include <sys/types.h>

#include "policy/ledger/ledger.h"

struct gh_ledger_s {
    char                path[1024];
    int                 fd;           /* holds the lock of the slot taken; never inherited, kept until the process ends */
    bool                writable;
    dev_t               device;
    ino_t               inode;
    gh_ledger_header_t *header;       /* the mapping */
    gh_slot_t          *slots;
    gh_slot_t          *own;          /* NULL: none taken */
};

#endif
