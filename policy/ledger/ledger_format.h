/*
 * The ledger file as it lies in memory: a header of 4096 bytes, then worker slots. Little-endian; every word that more than one process
 * touches is aligned and read and written by __atomic operations only. Sections that come later stand behind the slots; the header says
 * where each begins.
 */
#ifndef GH_LEDGER_FORMAT_H
#define GH_LEDGER_FORMAT_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#define GH_LEDGER_MAGIC   "GHLEDGR1"
#define GH_LEDGER_VERSION 1u          /* of the layout: another one is refused by name, never guessed */
#define GH_LEDGER_HEADER  4096u
#define GH_LEDGER_SLOTS   1024u
#define GH_LEDGER_SLOT    128u
#define GH_LEDGER_SIZE    ((uint64_t) GH_LEDGER_HEADER + (uint64_t) GH_LEDGER_SLOTS * GH_LEDGER_SLOT)

typedef struct {                      /* a section: offset and length in bytes; 0, 0: not there */
    uint64_t offset, length;
} gh_ledger_section_t;

typedef struct {
    /* written once, before the file has its name */
    char     magic[8];
    uint32_t version, header_size, slot_count, slot_size;
    uint64_t file_size;
    uint64_t inode;                   /* of this very file: a copy is no ledger, nobody holds its locks */
    uint8_t  id[16];                  /* random, new for each file */
    uint8_t  store_id[16];            /* of the policy store it serves */
    uint8_t  boot_id[16];             /* of the kernel it was made under */
    gh_ledger_section_t slots, counters, reservations, sessions, backends;

    /* each on a cache line of its own */
    alignas(64) uint64_t policy;      /* LMDB transaction of the newest edit announced */
    alignas(64) uint64_t proposal;    /* random number of the edit that asks what it would forbid; 0: none */
    alignas(64) uint64_t kill;        /* these two are kept free for revocations of running work and for credentials */
    alignas(64) uint64_t credentials;
} gh_ledger_header_t;

_Static_assert(sizeof(gh_ledger_header_t) <= GH_LEDGER_HEADER, "the header fits");
_Static_assert(offsetof(gh_ledger_header_t, policy) % 64 == 0 && offsetof(gh_ledger_header_t, proposal) % 64 == 0, "lines of their own");

#define GH_WINDOW_CLOSED  0u          /* of a slot: its worker is not about to write */
#define GH_WINDOW_READING 1u          /* about to read policy; LMDB's transactions that hold a store begin above it */

typedef struct {
    /* line 0: written at every window, by the owner alone */
    uint64_t window;                  /* GH_WINDOW_*, or the transaction under which bytes are being written */
    uint64_t seq, done;               /* of the counters' protocol */
    uint64_t unused0[5];

    /* line 1: written when something begins or ends, by the owner alone */
    uint32_t pid, generation;         /* generation: of the configuration, counted by the master's process */
    uint64_t start_ms;
    uint64_t store_inode;             /* of the data.mdb that is open; 0: none */
    uint64_t swept;                   /* transaction up to which running dispatches were judged; of that store */
    uint32_t running;                 /* dispatches under way */
    uint32_t cut;                     /* ended because an edit forbade them, since start */
    uint32_t finishing;               /* of the running ones: forbidden, and left to finish */
    uint32_t proposal_forbidden;      /* how many the proposal would forbid */
    uint64_t proposal_seen;           /* the proposal that number answers */
    uint64_t used_revision;           /* highest */
} gh_slot_t;

_Static_assert(sizeof(gh_slot_t) == GH_LEDGER_SLOT, "a slot is two cache lines");
_Static_assert(offsetof(gh_slot_t, pid) == 64, "the second line begins with the owner");

#endif
