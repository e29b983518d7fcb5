/*
 * The ledger file as it lies in memory: a header of 4096 bytes, then sections; the header says where each begins. Little-endian; every word
 * that more than one process touches is aligned and read and written by atomic operations only.
 *
 *   header | slots | claims | backends | extent: counters, reservations | further extents, appended by `gatehouse ledger grow`
 *
 * Counters and reservations are named by their place in the file, in units of GH_LEDGER_UNIT bytes: growing moves nothing.
 */
#ifndef GH_LEDGER_FORMAT_H
#define GH_LEDGER_FORMAT_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/ledger/pair.h"

#define GH_LEDGER_MAGIC   "GHLEDGR1"
#define GH_LEDGER_VERSION 2u          /* of the layout: another one is refused by name, never guessed */
#define GH_LEDGER_HEADER  4096u
#define GH_LEDGER_SLOTS   1024u
#define GH_LEDGER_SLOT    128u
#define GH_LEDGER_UNIT    64u
#define GH_LEDGER_CLAIMS  4096u       /* a power of two */
#define GH_LEDGER_EXTENTS 32u

#define GH_LEDGER_SIZE_DEFAULT (UINT64_C(64) << 20)
#define GH_LEDGER_SIZE_MIN     (UINT64_C(1) << 20)
#define GH_LEDGER_SIZE_MAX     (UINT64_C(16) << 30)   /* of address space that each process keeps for it */

typedef struct {                      /* a section: offset and length in bytes; 0, 0: not there */
    uint64_t offset, length;
} gh_ledger_section_t;

typedef struct {                      /* written once, before extent_count says it is there */
    gh_ledger_section_t counters, reservations;
} gh_ledger_extent_t;

typedef struct {
    /* written once, before the file has its name */
    char     magic[8];
    uint32_t version, header_size, slot_count, slot_size;
    uint64_t file_size;               /* grows; the file itself may be longer when a `ledger grow` was killed */
    uint64_t inode;                   /* of this very file: a copy is no ledger, nobody holds its locks */
    uint8_t  id[16];                  /* random, new for each file */
    uint8_t  store_id[16];            /* of the policy store it serves */
    uint8_t  boot_id[16];             /* of the kernel it was made under */
    gh_ledger_section_t slots, claims, sessions, backends;
    gh_ledger_extent_t  extents[GH_LEDGER_EXTENTS];

    /* each on a cache line of its own */
    alignas(64) uint64_t policy;      /* LMDB transaction of the newest edit announced */
    uint64_t edits;                   /* announcements so far: moves with a restore too, whose transactions begin anew */
    alignas(64) uint64_t proposal;    /* random number of the edit that asks what it would forbid; 0: none */
    alignas(64) uint64_t kill;        /* kept free for revocations of running work */
    alignas(64) uint64_t credentials_refused;     /* by backends: a bit of each name (gh_ledger_credential_bit), taken away by the agent */
    alignas(64) uint64_t extent_count;
    uint64_t clock_ms;                /* of the last sweep: what counts as an expired window */
    uint64_t sweep_until_ms;          /* lease of the sweeper */
    alignas(64) uint64_t unique;      /* numbers for words that no operation wrote */
    alignas(64) uint64_t reservations_used;   /* reservations at or above this ordinal were never taken */

    /* between the agent and the workers */
    alignas(64) uint64_t agent_until_ms;      /* it says that it lives until then; 0: it ended as it should, or never ran */
    uint64_t agent_since_ms;          /* its start */
    uint64_t agent_pid;
    uint64_t keys_wanted;             /* issuers whose keys a token asked for in vain: bit number % 64 of each, taken away by the agent */
    uint64_t agent_ended_ms;          /* when one ended as it should, last; 0: none did */
    uint64_t workers_node, workers_audit;     /* which record the workers write, as they said last; 0, 0: none did */
    uint64_t agent_node, agent_audit;         /* which one the agent finishes; 0, 0: none */
} gh_ledger_header_t;

_Static_assert(sizeof(gh_ledger_header_t) <= GH_LEDGER_HEADER, "the header fits");
_Static_assert(offsetof(gh_ledger_header_t, policy) % 64 == 0 && offsetof(gh_ledger_header_t, proposal) % 64 == 0, "lines of their own");

#define GH_WINDOW_CLOSED  0u          /* of a slot: its worker is not about to write */
#define GH_WINDOW_READING 1u          /* about to read policy; LMDB's transactions that hold a store begin above it */

typedef struct {
    /* line 0: written at every window and every operation on a counter, by the owner alone, but for `done` */
    uint64_t window;                  /* GH_WINDOW_*, or the transaction under which bytes are being written */
    uint64_t seq;                     /* operation on a counter being attempted; never given back, whoever owns the slot */
    uint64_t done;                    /* the highest of them that others saw applied before they replaced its tag */
    uint64_t dirty;                   /* may own reservations or a claim: what a dead owner leaves is looked for only then */
    uint32_t claim;                   /* 1 + the claim it may hold; 0: none */
    uint32_t recycles;                /* counter that it may have retired under the claim; 0: none */
    uint64_t gap_counts;              /* sent without a line in the record, and without one that says so: requests, and << 32 further attempts. Outlives the owner */
    uint64_t gap_from_ms, gap_to_ms;  /* when the first and the last of them were sent; 0: not known any more */

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

/*
 * word: value 48 bits, window 32, tag 48: 1 + the slot of whoever wrote it (11; 0: nobody), its operation's number (37).
 * id: uid 48, level 3, dimension 3, per 3, class 2, 5 of zeros; then the model. 0: never used; all ones: free again.
 */
typedef struct {
    gh_pair_t word, id;
    uint64_t  incarnation;            /* changes when the place is given to another identity */
    uint64_t  unused[3];
} gh_counter_t;

_Static_assert(sizeof(gh_counter_t) == GH_LEDGER_UNIT, "a counter is a cache line");

typedef struct {                      /* operation i, start <= i < count, has the owner's number first + (i - start) */
    uint64_t first;
    uint32_t start;
    uint32_t progress;                /* operations that are done: the next one's index */
} gh_reservation_set_t;

typedef struct {
    uint64_t id_low, id_high;         /* the counter's, so that this can be read alone */
    uint64_t reserved, actual;        /* actual: from SETTLE on */
    uint64_t incarnation;
    uint32_t counter;                 /* 0: left out */
    uint32_t window;
} gh_reservation_entry_t;

/* state: phase 3 bits, set 1, count 5, 1 + owner's slot 11, serial 44: how often it was taken. */
typedef struct {
    uint64_t state;
    uint64_t expires_ms;
    uint8_t  request_id[16];
    gh_reservation_set_t   sets[2];
    gh_reservation_entry_t entries[24];
} gh_reservation_record_t;

#define GH_LEDGER_RESERVATION 1216u

_Static_assert(sizeof(gh_reservation_record_t) == GH_LEDGER_RESERVATION && GH_LEDGER_RESERVATION % GH_LEDGER_UNIT == 0, "whole lines");

#define GH_LEDGER_BACKEND  128u       /* bytes of an entry: backend_state.h */
#define GH_LEDGER_BACKENDS 4096u      /* at most; a small ledger has fewer */

#endif
